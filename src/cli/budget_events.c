/* SPDX-License-Identifier: Apache-2.0
 * mete budget events: what happened to budgets, newest first. */
#include "cli/budget.h"

#include "cli/cli.h"

#include <stdio.h>

static const struct client_column columns[] = {
    {"at", "at"},     {"event", "event"},     {"budget", "budget"}, {"of", "scope.id"},
    {"unit", "unit"}, {"share", "threshold"}, {"limit", "limit"},   {"used", "used"},
    {"held", "held"}, {"entry", "seq"},
};

int budget_events(struct client *client, const struct budget_options *options)
{
    struct buffer path;
    buffer_init(&path, 4096);
    int rc = buffer_text(&path, "/api/v1/organizations/");
    client_encode(&path, options->organization);
    rc |= buffer_text(&path, "/budget-events");
    if (options->id) {
        rc |= buffer_text(&path, "?budget=");
        client_encode(&path, options->id);
    }
    if (options->event) {
        rc |= buffer_text(&path, options->id ? "&event=" : "?event=");
        client_encode(&path, options->event);
    }
    rc |= buffer_append(&path, (struct slice){"", 1});
    int code = CLI_USAGE;
    if (rc)
        fputs("mete budget: too long\n", stderr);
    else
        code = client_print_list(client, path.data, &options->client, columns,
                                 sizeof columns / sizeof columns[0]);
    buffer_done(&path);
    return code;
}
