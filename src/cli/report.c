/* SPDX-License-Identifier: Apache-2.0
 * mete report - what was used, added up: by whom, what and when, as a table, JSON or CSV.
 */
#include "cli/cli.h"
#include "cli/client_words.h"

#include <stdio.h>

static const char usage[] =
    "usage: mete report usage [--by WHAT] [--per hour|day|month] [--from T] [--to T]\n"
    "                         [--currency C]\n"
    "                         [--format csv] [WHOSE]\n"
    "       mete report series [WHOSE]\n"
    "WHOSE: [--organization O [--department D | --user U]] [--key ID] [--model M] [--provider P]\n"
    "       [--tag TAG] [--time-zone Z]\n"
    "Each takes --json, --data DIR, --server URL and --token T. With a server running on the data\n"
    "directory the command asks it; with none it opens the data itself.\n"
    "WHAT is organization, department, user, api_key, tag, model or provider. T is a whole "
    "quarter\n"
    "of an hour such as 2030-01-31T18:30:00Z; absent, the last 30 days. Hours, days and months "
    "are\n"
    "those of the organization's time zone, or of Z. series tells the last 48 hours, 30 days and "
    "12\n"
    "months. --currency EUR tells all costs in that too, at the exchange rates that held when "
    "they\n"
    "were charged (mete exchange). Sums are exact, also of calls whose records are gone by age.\n"
    "Exit: 0 done, 1 the answer is no, 2 usage, 3 it failed.\n";

struct report_options {
    struct client_options client;
    const char *organization, *department, *user, *key, *model, *provider, *tag, *zone;
    const char *by, *per, *from, *to, *format, *currency;
    const char *subject; /* none is taken */
};

static int wrong(const char *why, const char *what)
{
    return client_words_wrong("report", usage, why, what);
}

static int read_options(int argc, char **argv, struct report_options *options)
{
    const struct client_word known[] = {{"--organization", &options->organization},
                                        {"--department", &options->department},
                                        {"--user", &options->user},
                                        {"--key", &options->key},
                                        {"--model", &options->model},
                                        {"--provider", &options->provider},
                                        {"--tag", &options->tag},
                                        {"--time-zone", &options->zone},
                                        {"--by", &options->by},
                                        {"--per", &options->per},
                                        {"--from", &options->from},
                                        {"--to", &options->to},
                                        {"--format", &options->format},
                                        {"--currency", &options->currency}};
    const struct client_words words = {.command = "report",
                                       .usage = usage,
                                       .options = &options->client,
                                       .subject = &options->subject,
                                       .known = known,
                                       .known_len = sizeof known / sizeof known[0]};
    return client_words_read(&words, argc, argv);
}

/* ---- The question ------------------------------------------------------------------------------
 */

/* Always with a first parameter, so that others follow with an &. */
static void put_query(struct buffer *path, const char *name, const char *value, int *rc)
{
    if (!value || *rc)
        return;
    *rc = buffer_format(path, "%s%s=", memchr(path->data, '?', path->len) ? "&" : "?", name);
    if (!*rc)
        client_encode(path, value);
}

static int put_path(const struct report_options *options, const char *end, struct buffer *path)
{
    const struct {
        const char *name, *value;
    } all[] = {{"organization", options->organization},
               {"department", options->department},
               {"user", options->user},
               {"api_key", options->key},
               {"model", options->model},
               {"provider", options->provider},
               {"tag", options->tag},
               {"time_zone", options->zone},
               {"group_by", options->by},
               {"interval", options->per},
               {"from", options->from},
               {"to", options->to},
               {"currency", options->currency}};
    int rc = buffer_format(path, "/api/v1/cost/usage%s", end);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        put_query(path, all[i].name, all[i].value, &rc);
    return rc ? wrong("too long", "") : CLI_DONE;
}

/* ---- Answers -----------------------------------------------------------------------------------
 */

enum { COLUMNS_MAX = 12 };

/* The interval, what is told apart, and the figures. */
static size_t columns_of(const struct report_options *options, bool has_start,
                         struct client_column columns[COLUMNS_MAX])
{
    static const struct client_column figures[] = {
        {"calls", "calls"},         {"failed", "failures"},
        {"input", "input_tokens"},  {"output", "output_tokens"},
        {"tokens", "total_tokens"}, {"latency ms", "average_latency_ms"},
        {"cost", "cost"},           {"currency", "currency"},
    };
    size_t len = 0;
    if (has_start)
        columns[len++] = (struct client_column){"from", "start"};
    if (options->by)
        columns[len++] = (struct client_column){options->by, options->by};
    memcpy(columns + len, figures, sizeof figures);
    len += sizeof figures / sizeof figures[0];
    if (options->currency)
        columns[len++] = (struct client_column){options->currency, "converted.cost"};
    return len;
}

static int list(const struct report_options *options, struct client *client, const char *path)
{
    struct client_column columns[COLUMNS_MAX];
    size_t len = columns_of(options, options->per != NULL, columns);
    return client_print_list(client, path, &options->client, columns, len);
}

/* Of every page but the first without the line of titles. */
static void print_lines(struct slice body, bool is_first)
{
    const char *end = is_first ? NULL : memchr(body.data, '\n', body.len);
    struct slice lines = end ? slice_from(body, (size_t)(end - body.data) + 1) : body;
    fwrite(lines.data, 1, lines.len, stdout);
}

static int print_csv(struct client *client, struct buffer *path)
{
    char cursor[32] = "";
    size_t len = path->len;
    int code = CLI_DONE;
    for (bool is_first = true; !code && (is_first || cursor[0]); is_first = false) {
        struct client_reply reply;
        path->len = len;
        int rc = 0;
        put_query(path, "format", "csv", &rc);
        put_query(path, "limit", "1000", &rc);
        put_query(path, "cursor", cursor[0] ? cursor : NULL, &rc);
        if (rc || buffer_append(path, (struct slice){"", 1}))
            return wrong("too long", "");
        code = client_call(client, "GET", path->data, (struct slice){0}, &reply);
        if (code)
            return code;
        code = client_problem(&reply);
        if (!code)
            print_lines(buffer_slice(&reply.body), is_first);
        memcpy(cursor, reply.next_cursor, sizeof cursor);
        client_reply_done(&reply);
    }
    return code;
}

static void print_series(struct slice body, const struct report_options *options)
{
    static const char *const names[] = {"hours", "days", "months"};
    struct client_column columns[COLUMNS_MAX];
    struct json whole;
    size_t len = columns_of(options, true, columns);
    if (json_scan(body, &whole, NULL))
        return;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        printf("%s%s\n", i ? "\n" : "", names[i]);
        client_print_rows(json_member(whole, names[i]), columns, len);
    }
}

static int series(const struct report_options *options, struct client *client, const char *path)
{
    struct client_reply reply;
    int code = client_call(client, "GET", path, (struct slice){0}, &reply);
    if (code)
        return code;
    code = client_problem(&reply);
    if (!code && options->client.json)
        printf("%.*s\n", (int)reply.body.len, reply.body.data);
    else if (!code)
        print_series(buffer_slice(&reply.body), options);
    client_reply_done(&reply);
    return code;
}

static int ask(const struct report_options *options, bool is_series, struct buffer *path)
{
    struct client *client;
    int code = put_path(options, is_series ? "/series" : "", path);
    if (!code)
        code = client_open(&options->client, &client);
    if (code)
        return code;
    if (options->format) {
        code = print_csv(client, path);
    } else if (buffer_append(path, (struct slice){"", 1})) {
        code = wrong("too long", "");
    } else {
        code = is_series ? series(options, client, path->data) : list(options, client, path->data);
    }
    client_close(client);
    return code;
}

int cli_report(int argc, char **argv)
{
    struct report_options options = {0};
    const char *word = argc > 1 ? argv[1] : "";
    if (client_wants_help(argc, argv)) {
        fputs(usage, stdout);
        return CLI_DONE;
    }
    bool is_series = !strcmp(word, "series");
    if (!is_series && strcmp(word, "usage"))
        return wrong(word[0] ? "unknown: " : "say what to report", word);
    int code = read_options(argc, argv, &options);
    if (code)
        return code;
    if (options.subject)
        return wrong("unknown: ", options.subject);
    if (options.format && strcmp(options.format, "csv"))
        return wrong("a format is csv, not ", options.format);
    if (is_series && (options.by || options.per || options.from || options.to || options.format ||
                      options.currency))
        return wrong("series takes only whose it is", "");
    struct buffer path;
    buffer_init(&path, 8192);
    code = ask(&options, is_series, &path);
    buffer_done(&path);
    return code;
}
