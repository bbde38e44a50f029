/* SPDX-License-Identifier: Apache-2.0
 * mete exchange - adds and lists the exchange rates between currencies. */
#include "cli/cli.h"
#include "cli/client_words.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: mete exchange add RATE --from CODE --to CODE [--effective T]\n"
    "       mete exchange list\n"
    "Each takes --json, --data DIR, --server URL and --token T. With a server running on the data\n"
    "directory the command asks it; with none it opens the data itself.\n"
    "add: one unit of the first currency is RATE of the other, from T on (an instant such as\n"
    "2030-01-31T00:00:00Z; now if absent). Rates are only ever added: of a pair the latest that "
    "has\n"
    "begun is in force, one way only. A call in one currency counts in budgets of another by it.\n";

struct exchange_options {
    struct client_options client;
    const char *from, *to, *effective, *rate;
};

static const struct client_column columns[] = {
    {"number", "number"},          {"from", "from"},        {"to", "to"}, {"rate", "rate"},
    {"effective", "effective_at"}, {"in force", "in_force"}};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

static const char path[] = "/api/v1/exchange-rates";

static int wrong(const char *why, const char *what)
{
    return client_words_wrong("exchange", usage, why, what);
}

static int read_options(int argc, char **argv, struct exchange_options *options)
{
    const struct client_word known[] = {
        {"--from", &options->from}, {"--to", &options->to}, {"--effective", &options->effective}};
    const struct client_words words = {.command = "exchange",
                                       .usage = usage,
                                       .options = &options->client,
                                       .subject = &options->rate,
                                       .known = known,
                                       .known_len = sizeof known / sizeof known[0]};
    return client_words_read(&words, argc, argv);
}

static int add(struct client *client, const struct exchange_options *options)
{
    struct out body;
    struct client_reply reply;
    out_init(&body, 4096);
    out_open(&body, '{');
    client_put(&body, "from", options->from);
    client_put(&body, "to", options->to);
    client_put(&body, "rate", options->rate);
    client_put(&body, "effective_at", options->effective);
    out_close(&body, '}');
    int code = client_call(client, "POST", path, buffer_slice(&body.bytes), &reply);
    out_done(&body);
    if (code)
        return code;
    code = client_problem(&reply);
    if (!code)
        client_print_one(buffer_slice(&reply.body), &options->client, columns, COLUMNS);
    client_reply_done(&reply);
    return code;
}

static int check_options(bool adds, const struct exchange_options *options)
{
    if (!adds && options->rate)
        return wrong("unknown: ", options->rate);
    if (adds && !options->rate)
        return wrong("the RATE is missing", "");
    if (adds && !options->from)
        return wrong("--from is missing", "");
    if (adds && !options->to)
        return wrong("--to is missing", "");
    return CLI_DONE;
}

int cli_exchange(int argc, char **argv)
{
    struct exchange_options options = {0};
    const char *word = argc > 1 ? argv[1] : "";
    if (client_wants_help(argc, argv)) {
        fputs(usage, stdout);
        return CLI_DONE;
    }
    bool adds = !strcmp(word, "add");
    if (!adds && strcmp(word, "list"))
        return wrong(word[0] ? "unknown: " : "say what to do", word);
    int code = read_options(argc, argv, &options);
    if (!code)
        code = check_options(adds, &options);
    if (code)
        return code;
    struct client *client;
    code = client_open(&options.client, &client);
    if (code)
        return code;
    code = adds ? add(client, &options)
                : client_print_list(client, path, &options.client, columns, COLUMNS);
    client_close(client);
    return code;
}
