/* SPDX-License-Identifier: Apache-2.0
 * mete rate - sets, lists, shows and deletes rate limits. "set" with an id makes the rate limit or
 * changes it, so that a script can be run again. */
#include "cli/cli.h"
#include "cli/client_words.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: mete rate set --organization O --limit N [--id ID] [--scope KIND:ID] [--unit U]\n"
    "                     [--period-seconds S] [--burst N] [--mode enforce|shadow|off]\n"
    "                     [--model PATTERN] [--provider PATTERN]\n"
    "       mete rate set --organization O --concurrent N [--id ID] [--scope KIND:ID] ...\n"
    "       mete rate list --organization O\n"
    "       mete rate show ID --organization O\n"
    "       mete rate delete ID --organization O [--yes]\n"
    "Each takes --json, --data DIR, --server URL and --token T. With a server running on the data\n"
    "directory the command asks it; with none it opens the data itself.\n"
    "A rate limit lets N of a unit (requests, if absent; tokens, USD) through in S seconds (60), "
    "a\n"
    "burst of them at once (N), the rest evenly; with --concurrent, N calls at once. With an id "
    "that\n"
    "is there already, set changes limit, period, burst and mode; the rest cannot change. Without\n"
    "--scope it is of the whole organization. A PATTERN is a whole name, or its beginning and *.\n"
    "delete needs --yes, or a yes at the terminal.\n";

struct rate_options {
    struct client_options client;
    const char *organization, *scope, *unit, *limit, *concurrent, *id, *period_seconds, *burst;
    const char *mode, *model, *provider, *subject;
    bool yes;
};

static const struct client_column columns[] = {
    {"id", "id"},       {"scope", "scope.kind"},   {"of", "scope.id"},
    {"unit", "unit"},   {"limit", "limit"},        {"seconds", "period_seconds"},
    {"burst", "burst"}, {"at once", "concurrent"}, {"taken", "taken"},
    {"mode", "mode"},   {"full", "full_at"},
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

static int wrong(const char *why, const char *what)
{
    return client_words_wrong("rate", usage, why, what);
}

static int read_options(int argc, char **argv, struct rate_options *options)
{
    const struct client_word known[] = {{"--organization", &options->organization},
                                        {"--scope", &options->scope},
                                        {"--unit", &options->unit},
                                        {"--limit", &options->limit},
                                        {"--concurrent", &options->concurrent},
                                        {"--id", &options->id},
                                        {"--period-seconds", &options->period_seconds},
                                        {"--burst", &options->burst},
                                        {"--mode", &options->mode},
                                        {"--model", &options->model},
                                        {"--provider", &options->provider}};
    const struct client_flag yes = {"--yes", &options->yes};
    const struct client_words words = {.command = "rate",
                                       .usage = usage,
                                       .options = &options->client,
                                       .subject = &options->subject,
                                       .known = known,
                                       .known_len = sizeof known / sizeof known[0],
                                       .flags = &yes,
                                       .flags_len = 1};
    return client_words_read(&words, argc, argv);
}

static void put_pattern(struct out *out, const char *name, const char *pattern)
{
    if (!pattern)
        return;
    out_key(out, name);
    out_open(out, '[');
    out_text(out, slice_of(pattern));
    out_close(out, ']');
}

/* What a change may say, or all of a new one. */
static void write_body(const struct rate_options *options, bool is_new, struct out *out)
{
    out_open(out, '{');
    if (is_new) {
        client_put(out, "id", options->id);
        client_put_scope(out, options->scope, options->organization);
        client_put(out, "unit", options->unit);
        if (options->concurrent)
            out_member_bool(out, "concurrent", true);
        put_pattern(out, "models", options->model);
        put_pattern(out, "providers", options->provider);
    }
    client_put(out, "limit", options->concurrent ? options->concurrent : options->limit);
    if (options->period_seconds) {
        out_key(out, "period_seconds");
        client_put_number(out, options->period_seconds);
    }
    client_put(out, "burst", options->burst);
    client_put(out, "mode", options->mode);
    out_close(out, '}');
}

static int ask(struct client *client, const char *method, const char *path,
               const struct rate_options *options, struct client_reply *ret_reply)
{
    struct out body;
    bool writes = method[0] == 'P';
    out_init(&body, 64 * 1024);
    if (writes)
        write_body(options, !strcmp(method, "POST"), &body);
    int code = client_call(client, method, path,
                           writes ? buffer_slice(&body.bytes) : (struct slice){0}, ret_reply);
    out_done(&body);
    return code;
}

static int finish(const struct rate_options *options, struct client_reply *reply)
{
    int code = client_problem(reply);
    if (!code && reply->body.len)
        client_print_one(buffer_slice(&reply->body), &options->client, columns, COLUMNS);
    client_reply_done(reply);
    return code;
}

/* path: of the rate limits, with the id behind it where there is one: all_len is without. */
static int set(struct client *client, const struct rate_options *options, char *path,
               size_t all_len)
{
    enum { NOT_FOUND = 404 };
    struct client_reply reply;
    int code = CLI_DONE;
    if (options->id) {
        code = ask(client, "PUT", path, options, &reply);
        if (code)
            return code;
        if (reply.status != NOT_FOUND)
            return finish(options, &reply);
        client_reply_done(&reply);
    }
    path[all_len] = 0;
    code = ask(client, "POST", path, options, &reply);
    return code ? code : finish(options, &reply);
}

static int run(const char *word, const struct rate_options *options, char *path, size_t all_len)
{
    struct client *client;
    struct client_reply reply;
    int code = client_open(&options->client, &client);
    if (code)
        return code;
    if (!strcmp(word, "list")) {
        code = client_print_list(client, path, &options->client, columns, COLUMNS);
    } else if (!strcmp(word, "set")) {
        code = set(client, options, path, all_len);
    } else {
        code = ask(client, !strcmp(word, "show") ? "GET" : "DELETE", path, options, &reply);
        if (!code)
            code = finish(options, &reply);
    }
    client_close(client);
    return code;
}

static int check_options(const char *word, const struct rate_options *options)
{
    bool sets = !strcmp(word, "set"), one = !sets && strcmp(word, "list") != 0;
    if (!options->organization)
        return wrong("--organization is missing", "");
    if (one && !options->subject)
        return wrong("the ID is missing", "");
    if (!one && options->subject)
        return wrong("unknown: ", options->subject);
    if (sets && !options->limit && !options->concurrent)
        return wrong("--limit or --concurrent is missing", "");
    if (sets && options->limit && options->concurrent)
        return wrong("--limit and --concurrent are two rate limits", "");
    return CLI_DONE;
}

static int make_path(const struct rate_options *options, struct buffer *path, size_t *ret_all_len)
{
    const char *id = options->subject ? options->subject : options->id;
    int rc = buffer_text(path, "/api/v1/organizations/");
    client_encode(path, options->organization);
    rc |= buffer_text(path, "/rate-limits");
    *ret_all_len = path->len;
    if (id) {
        rc |= buffer_text(path, "/");
        client_encode(path, id);
    }
    return rc | buffer_append(path, (struct slice){"", 1});
}

int cli_rate(int argc, char **argv)
{
    static const char *const words[] = {"set", "list", "show", "delete", NULL};
    struct rate_options options = {0};
    const char *word = argc > 1 ? argv[1] : "";
    if (client_wants_help(argc, argv)) {
        fputs(usage, stdout);
        return CLI_DONE;
    }
    if (!client_words_has(words, word))
        return wrong(word[0] ? "unknown: " : "say what to do", word);
    int code = read_options(argc, argv, &options);
    if (!code)
        code = check_options(word, &options);
    if (code)
        return code;
    if (!strcmp(word, "delete") && !client_agreed("rate", "deleting a rate limit", options.yes))
        return CLI_NO;
    struct buffer path;
    size_t all_len = 0;
    buffer_init(&path, 4096);
    code = make_path(&options, &path, &all_len) ? wrong("too long: ", options.organization)
                                                : run(word, &options, path.data, all_len);
    buffer_done(&path);
    return code;
}
