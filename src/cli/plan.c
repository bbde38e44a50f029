/* SPDX-License-Identifier: Apache-2.0
 * mete plan - what a membership grants each month, and who has one. */
#include "cli/prepaid.h"

static const char usage[] =
    "usage: mete plan create --organization O --name NAME [--id ID] --grant UNIT=AMOUNT[,...] ...\n"
    "       mete plan list --organization O\n"
    "       mete plan show ID --organization O\n"
    "       mete plan update ID --organization O [--name NAME] [--grant UNIT=AMOUNT[,...] ...]\n"
    "       mete plan delete ID --organization O [--yes]\n"
    "       mete plan subscribe ID --organization O [--scope KIND:ID] [--id SUBSCRIPTION]\n"
    "       mete plan subscriptions --organization O\n"
    "       mete plan unsubscribe SUBSCRIPTION --organization O [--yes]\n"
    "Each takes --json, --data DIR, --server URL and --token T; create and update --description "
    "TEXT.\n"
    "--grant: so much of a unit (tokens, USD, images, ...) each month, at most four of them; "
    "behind\n"
    "the amount ,priority=N and ,rollover (what is left goes to the next month) or ,rollover=CAP.\n"
    "The month of a subscription is granted with it, each next one as it begins. Without --scope\n"
    "the organization itself has the plan. delete and unsubscribe need --yes, or a yes at the\n"
    "terminal.\n";

static const struct client_column plans[] = {{"id", "id"},
                                             {"name", "name"},
                                             {"description", "description"},
                                             {"made", "created_at"},
                                             {"grants", "grants"}}; /* of one alone */
static const struct client_column subscriptions[] = {
    {"id", "id"},       {"scope", "scope.kind"}, {"of", "scope.id"},     {"plan", "plan"},
    {"month", "month"}, {"renews", "renews_at"}, {"made", "created_at"},
};
#define PLANS plans, sizeof plans / sizeof plans[0]
#define PLAN_LIST plans, sizeof plans / sizeof plans[0] - 1
#define SUBSCRIPTIONS subscriptions, sizeof subscriptions / sizeof subscriptions[0]

static void put_subscription(const struct prepaid_options *options, struct out *body)
{
    out_open(body, '{');
    client_put(body, "id", options->id);
    client_put_scope(body, options->scope, options->organization);
    client_put(body, "plan", options->subject);
    out_close(body, '}');
}

int cli_plan(int argc, char **argv)
{
    static const struct prepaid_act acts[] = {
        {"create", "POST", "/plans", 0, prepaid_put_offer, PLANS},
        {"list", "GET", "/plans", PREPAID_LIST, NULL, PLAN_LIST},
        {"show", "GET", "/plans/%", PREPAID_SUBJECT, NULL, PLANS},
        {"update", "PUT", "/plans/%", PREPAID_SUBJECT, prepaid_put_offer, PLANS},
        {"delete", "DELETE", "/plans/%", PREPAID_SUBJECT | PREPAID_ENDS, NULL, PLANS},
        {"subscribe", "POST", "/subscriptions", PREPAID_NAMED, put_subscription, SUBSCRIPTIONS},
        {"subscriptions", "GET", "/subscriptions", PREPAID_LIST, NULL, SUBSCRIPTIONS},
        {"unsubscribe", "DELETE", "/subscriptions/%", PREPAID_SUBJECT | PREPAID_ENDS, NULL,
         SUBSCRIPTIONS},
    };
    static const struct prepaid_command command = {"plan", usage, acts,
                                                   sizeof acts / sizeof acts[0]};
    return prepaid_run(&command, argc, argv);
}
