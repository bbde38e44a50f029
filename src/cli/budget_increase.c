/* SPDX-License-Identifier: Apache-2.0
 * mete budget increase, increases: a limit that is higher for a time. */
#include "cli/budget.h"
#include "cli/client_words.h"

#include "cli/cli.h"

#include <stdio.h>

static const struct client_column columns[] = {
    {"number", "number"}, {"unit", "unit"},   {"amount", "amount"},
    {"from", "from"},     {"until", "until"}, {"active", "active"},
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

/* The path of the budget's increases, or of one; terminated. Out of room: CLI_FAILED. */
static int path_of(struct buffer *path, const char *one, const char *number)
{
    buffer_init(path, 4096);
    int rc = buffer_format(path, "%s/increases%s", one, number ? "/" : "");
    if (number)
        client_encode(path, number);
    return rc || buffer_append(path, (struct slice){"", 1}) ? CLI_FAILED : CLI_DONE;
}

int budget_increases(struct client *client, const struct budget_options *options, const char *one)
{
    struct buffer path;
    struct client_reply reply;
    int code = path_of(&path, one, NULL);
    if (!code)
        code = client_call(client, "GET", path.data, (struct slice){0}, &reply);
    buffer_done(&path);
    if (code)
        return code;
    code = client_problem(&reply);
    if (!code)
        code = client_print_data(buffer_slice(&reply.body), &options->client, columns, COLUMNS);
    client_reply_done(&reply);
    return code;
}

static void write_increase(const struct budget_options *options, struct out *out)
{
    out_init(out, 4096);
    out_open(out, '{');
    client_put(out, "amount", options->amount);
    client_put(out, "from", options->from);
    client_put(out, "until", options->until);
    out_close(out, '}');
}

int budget_increase(struct client *client, const struct budget_options *options, const char *one)
{
    struct buffer path;
    struct client_reply reply;
    struct out body;
    int code = path_of(&path, one, options->end);
    write_increase(options, &body);
    if (!code && options->end)
        code = client_call(client, "DELETE", path.data, (struct slice){0}, &reply);
    else if (!code)
        code = client_call(client, "POST", path.data, buffer_slice(&body.bytes), &reply);
    buffer_done(&path);
    out_done(&body);
    if (code)
        return code;
    code = client_problem(&reply);
    if (!code && reply.body.len)
        client_print_one(buffer_slice(&reply.body), &options->client, columns, COLUMNS);
    client_reply_done(&reply);
    return code;
}
