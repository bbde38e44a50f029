/* SPDX-License-Identifier: Apache-2.0
 * mete package - amounts that can be bought, and the payments that bought them. */
#include "cli/prepaid.h"

static const char usage[] =
    "usage: mete package create --organization O --name NAME --price P [--currency CODE] [--id "
    "ID]\n"
    "                           --grant UNIT=AMOUNT[,...] ...\n"
    "       mete package list --organization O\n"
    "       mete package show ID --organization O\n"
    "       mete package update ID --organization O [--name NAME] [--price P] [--grant ...]\n"
    "       mete package delete ID --organization O [--yes]\n"
    "       mete package buy ID --organization O --reference R [--scope KIND:ID]\n"
    "Each takes --json, --data DIR, --server URL and --token T; create and update --description "
    "TEXT.\n"
    "--grant: so much of a unit (tokens, USD, images, ...), at most four of them; behind the "
    "amount\n"
    ",priority=N and ,days=N (it lives so long). buy: a payment came, R is its reference at "
    "whoever\n"
    "took it, and each is granted once. Without --scope the organization itself gets it.\n"
    "delete needs --yes, or a yes at the terminal.\n";

static const struct client_column packages[] = {
    {"id", "id"},           {"name", "name"},       {"price", "price"},  {"currency", "currency"},
    {"enabled", "enabled"}, {"made", "created_at"}, {"grants", "grants"}}; /* of one alone */
static const struct client_column purchases[] = {{"package", "package"},
                                                 {"reference", "reference"},
                                                 {"price", "price"},
                                                 {"currency", "currency"},
                                                 {"repeated", "repeated"}};
#define PACKAGES packages, sizeof packages / sizeof packages[0]
#define PACKAGE_LIST packages, sizeof packages / sizeof packages[0] - 1
#define PURCHASES purchases, sizeof purchases / sizeof purchases[0]

static void put_purchase(const struct prepaid_options *options, struct out *body)
{
    out_open(body, '{');
    client_put_scope(body, options->scope, options->organization);
    client_put(body, "reference", options->reference);
    out_close(body, '}');
}

int cli_package(int argc, char **argv)
{
    static const struct prepaid_act acts[] = {
        {"create", "POST", "/packages", 0, prepaid_put_offer, PACKAGES},
        {"list", "GET", "/packages", PREPAID_LIST, NULL, PACKAGE_LIST},
        {"show", "GET", "/packages/%", PREPAID_SUBJECT, NULL, PACKAGES},
        {"update", "PUT", "/packages/%", PREPAID_SUBJECT, prepaid_put_offer, PACKAGES},
        {"delete", "DELETE", "/packages/%", PREPAID_SUBJECT | PREPAID_ENDS, NULL, PACKAGES},
        {"buy", "POST", "/packages/%/purchase", PREPAID_SUBJECT, put_purchase, PURCHASES},
    };
    static const struct prepaid_command command = {"package", usage, acts,
                                                   sizeof acts / sizeof acts[0]};
    return prepaid_run(&command, argc, argv);
}
