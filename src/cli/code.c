/* SPDX-License-Identifier: Apache-2.0
 * mete code - redemption codes: makes, lists, deletes and redeems them. */
#include "cli/prepaid.h"

static const char usage[] =
    "usage: mete code create --organization O --package ID [--count N] [--uses N] [--expires-at "
    "T]\n"
    "       mete code create --organization O --grant UNIT=AMOUNT[,...] ... [--count N] ...\n"
    "       mete code list --organization O\n"
    "       mete code show ID --organization O\n"
    "       mete code delete ID --organization O [--yes]\n"
    "       mete code redeem CODE --organization O [--scope KIND:ID]\n"
    "Each takes --json, --data DIR, --server URL and --token T; create --description TEXT.\n"
    "create makes N codes (at most 50) for so many uses each: this is the only time their texts "
    "are\n"
    "shown. A scope redeems a code once; without --scope it is the organization itself. T is an\n"
    "instant: 2030-01-31T00:00:00Z. delete needs --yes, or a yes at the terminal.\n";

static const struct client_column codes[] = {
    {"id", "id"},           {"package", "package"}, {"description", "description"},
    {"uses", "uses"},       {"used", "used"},       {"expires", "expires_at"},
    {"made", "created_at"}, {"grants", "grants"}}; /* of one alone */
static const struct client_column made[] = {{"code", "code"},
                                            {"id", "id"},
                                            {"uses", "uses"},
                                            {"expires", "expires_at"},
                                            {"description", "description"}};
static const struct client_column redemptions[] = {
    {"code", "code"}, {"scope", "scope.kind"}, {"of", "scope.id"}};
#define CODES codes, sizeof codes / sizeof codes[0]
#define CODE_LIST codes, sizeof codes / sizeof codes[0] - 1
#define MADE made, sizeof made / sizeof made[0]
#define REDEMPTIONS redemptions, sizeof redemptions / sizeof redemptions[0]

static void put_codes(const struct prepaid_options *options, struct out *body)
{
    out_open(body, '{');
    client_put(body, "package", options->package);
    client_put(body, "description", options->description);
    client_put(body, "expires_at", options->expires_at);
    prepaid_put_number(body, "count", options->count);
    prepaid_put_number(body, "uses", options->uses);
    prepaid_put_grants(options, body);
    out_close(body, '}');
}

static void put_redemption(const struct prepaid_options *options, struct out *body)
{
    out_open(body, '{');
    client_put(body, "code", options->subject);
    client_put_scope(body, options->scope, options->organization);
    out_close(body, '}');
}

int cli_code(int argc, char **argv)
{
    static const struct prepaid_act acts[] = {
        {"create", "POST", "/codes", PREPAID_DATA, put_codes, MADE},
        {"list", "GET", "/codes", PREPAID_LIST, NULL, CODE_LIST},
        {"show", "GET", "/codes/%", PREPAID_SUBJECT, NULL, CODES},
        {"delete", "DELETE", "/codes/%", PREPAID_SUBJECT | PREPAID_ENDS, NULL, CODES},
        {"redeem", "POST", "/redeem", PREPAID_NAMED, put_redemption, REDEMPTIONS},
    };
    static const struct prepaid_command command = {"code", usage, acts,
                                                   sizeof acts / sizeof acts[0]};
    return prepaid_run(&command, argc, argv);
}
