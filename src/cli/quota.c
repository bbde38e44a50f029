/* SPDX-License-Identifier: Apache-2.0
 * mete quota - prepaid balances: grants them, shows what is left and what became of each grant,
 * gives back, and ends them. */
#include "cli/cli.h"
#include "cli/client_words.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: mete quota grant --organization O [--scope KIND:ID] --unit U --amount A [--id ID]\n"
    "                        [--priority N] [--expires-at T] [--source WORD] [--source-id ID]\n"
    "                        [--description TEXT]\n"
    "       mete quota balance --organization O [--scope KIND:ID] --unit U\n"
    "       mete quota enough --organization O [--scope KIND:ID] --unit U --amount A\n"
    "       mete quota consume --organization O [--scope KIND:ID] --unit U --amount A [--id ID]\n"
    "       mete quota show --organization O [--scope KIND:ID]\n"
    "       mete quota list --organization O\n"
    "       mete quota grants --organization O [--scope KIND:ID] --unit U\n"
    "       mete quota history --organization O [--scope KIND:ID] --unit U [--since T]\n"
    "       mete quota refund ID --organization O --amount A\n"
    "       mete quota end --organization O [--scope KIND:ID] --unit U [--yes]\n"
    "       mete quota alert --organization O [--scope KIND:ID] --unit U --below A [--id ID]\n"
    "       mete quota alert --organization O [--scope KIND:ID] --unit U --below-percent P\n"
    "       mete quota alerts --organization O\n"
    "       mete quota alert-end ID --organization O [--yes]\n"
    "Each takes --json, --data DIR, --server URL and --token T. With a server running on the data\n"
    "directory the command asks it; with none it opens the data itself.\n"
    "A scope that was granted something in a unit (USD, tokens, requests) has a quota in it: "
    "calls\n"
    "must be covered. Grants are drawn lowest priority first, then by expiry, then by age: grants "
    "shows\n"
    "those that will be drawn from in that order, then the used up and expired ones. history tells "
    "what\n"
    "was granted, held, drawn, given back and refunded since T, newest first.\n"
    "end ends a quota with what is left of it, and needs --yes, or a yes at the terminal.\n"
    "alert: a server tells when what is left of a balance is below A, or below P percent of what\n"
    "is granted; alerts lists which are.\n"
    "list shows the balances of all scopes. Without --scope it is the organization's own. T is an "
    "instant: 2030-01-31T00:00:00Z.\n";

struct quota_options {
    struct client_options client;
    const char *organization, *scope, *unit, *amount, *id, *priority, *expires_at, *source;
    const char *source_id, *description;
    const char *since, *below, *below_percent;
    const char *subject;
    bool yes;
};

static const struct client_column quotas[] = {
    {"scope", "scope.kind"}, {"of", "scope.id"}, {"unit", "unit"},      {"granted", "granted"},
    {"drawn", "drawn"},      {"held", "held"},   {"balance", "balance"}};
static const struct client_column grants[] = {
    {"id", "id"},           {"scope", "scope.kind"}, {"of", "scope.id"},
    {"unit", "unit"},       {"amount", "amount"},    {"drawn", "drawn"},
    {"held", "held"},       {"balance", "balance"},  {"priority", "priority"},
    {"source", "source"},   {"made", "created_at"},  {"expires", "expires_at"},
    {"expired", "expired"},
};
static const struct client_column alerts[] = {
    {"id", "id"},       {"scope", "scope.kind"},      {"of", "scope.id"}, {"unit", "unit"},
    {"below", "below"}, {"percent", "below_percent"}, {"low", "low"},     {"since", "since"},
    {"left", "left"},   {"times", "times"},
};
static const struct client_column steps[] = {
    {"entry", "seq"},
    {"at", "at"},
    {"what", "what"},
    {"grant", "grant"},
    {"granted by", "granted_change"},
    {"drawn by", "drawn_change"},
    {"held by", "held_change"},
    {"granted", "granted"},
    {"drawn", "drawn"},
    {"held", "held"},
    {"balance", "balance"},
    {"of", "scope.id"},
    {"reservation", "reserve_id"},
};
enum {
    QUOTAS = sizeof quotas / sizeof quotas[0],
    GRANTS = sizeof grants / sizeof grants[0],
    STEPS = sizeof steps / sizeof steps[0],
    ALERTS = sizeof alerts / sizeof alerts[0]
};

static int wrong(const char *why, const char *what)
{
    return client_words_wrong("quota", usage, why, what);
}

static int read_options(int argc, char **argv, struct quota_options *options)
{
    const struct client_word known[] = {{"--organization", &options->organization},
                                        {"--scope", &options->scope},
                                        {"--unit", &options->unit},
                                        {"--amount", &options->amount},
                                        {"--id", &options->id},
                                        {"--priority", &options->priority},
                                        {"--expires-at", &options->expires_at},
                                        {"--source", &options->source},
                                        {"--source-id", &options->source_id},
                                        {"--description", &options->description},
                                        {"--since", &options->since},
                                        {"--below", &options->below},
                                        {"--below-percent", &options->below_percent}};
    const struct client_flag yes = {"--yes", &options->yes};
    const struct client_words words = {.command = "quota",
                                       .usage = usage,
                                       .options = &options->client,
                                       .subject = &options->subject,
                                       .known = known,
                                       .known_len = sizeof known / sizeof known[0],
                                       .flags = &yes,
                                       .flags_len = 1};
    return client_words_read(&words, argc, argv);
}

static void write_grant(const struct quota_options *options, struct out *out)
{
    out_open(out, '{');
    client_put(out, "id", options->id);
    client_put_scope(out, options->scope, options->organization);
    client_put(out, "unit", options->unit);
    client_put(out, "amount", options->amount);
    if (options->priority) {
        out_key(out, "priority");
        client_put_number(out, options->priority);
    }
    client_put(out, "expires_at", options->expires_at);
    client_put(out, "source", options->source);
    client_put(out, "source_id", options->source_id);
    client_put(out, "description", options->description);
    out_close(out, '}');
}

static void write_alert(const struct quota_options *options, struct out *out)
{
    out_open(out, '{');
    client_put(out, "id", options->id);
    client_put_scope(out, options->scope, options->organization);
    client_put(out, "unit", options->unit);
    client_put(out, "below", options->below);
    client_put(out, "below_percent", options->below_percent);
    out_close(out, '}');
}

static void write_consumption(const struct quota_options *options, struct out *out)
{
    out_open(out, '{');
    client_put(out, "request_id", options->id);
    client_put_scope(out, options->scope, options->organization);
    client_put(out, "unit", options->unit);
    client_put(out, "amount", options->amount);
    out_close(out, '}');
}

static int add_scope(const struct quota_options *options, struct buffer *path)
{
    struct client_scope of = client_scope_of(options->scope, options->organization);
    int rc = buffer_text(path, "?kind=") | buffer_append(path, of.kind);
    rc |= buffer_text(path, "&id=");
    client_encode(path, of.id);
    if (options->unit) {
        rc |= buffer_text(path, "&unit=");
        client_encode(path, options->unit);
    }
    if (options->since) {
        rc |= buffer_text(path, "&since=");
        client_encode(path, options->since);
    }
    return rc;
}

/* Which path a word asks, without the null byte at its end. */
static int make_path(const char *word, const struct quota_options *options, struct buffer *path)
{
    bool is_grant = !strcmp(word, "grant") || !strcmp(word, "grants") || !strcmp(word, "refund");
    int rc = buffer_text(path, "/api/v1/organizations/");
    client_encode(path, options->organization);
    rc |= buffer_text(path, is_grant ? "/grants" : "/quotas");
    bool is_own = !strcmp(word, "history") || !strcmp(word, "balance") || !strcmp(word, "enough") ||
                  !strcmp(word, "consume");
    if (is_own)
        rc |= buffer_text(path, "/") | buffer_text(path, word);
    if (!strncmp(word, "alert", 5))
        rc |= buffer_text(path, "/alerts");
    if (!strcmp(word, "refund") || !strcmp(word, "alert-end")) {
        rc |= buffer_text(path, "/");
        client_encode(path, options->subject);
        rc |= buffer_text(path, !strcmp(word, "refund") ? "/refund" : "");
    } else if (strcmp(word, "grant") != 0 && strcmp(word, "list") != 0 &&
               strcmp(word, "consume") != 0 && strncmp(word, "alert", 5) != 0) {
        rc |= add_scope(options, path);
    }
    if (!strcmp(word, "enough")) {
        rc |= buffer_text(path, "&amount=");
        client_encode(path, options->amount);
    }
    return rc | buffer_append(path, (struct slice){"", 1});
}

static const char *method_of(const char *word)
{
    if (!strcmp(word, "end") || !strcmp(word, "alert-end"))
        return "DELETE";
    return !strcmp(word, "balance") || !strcmp(word, "enough") ? "GET" : "POST";
}

/* A no is an answer: exit code 1. */
static int print_one(const char *word, const struct quota_options *options, struct slice reply)
{
    static const struct client_column answers[] = {{"enough", "enough"}, {"success", "success"},
                                                   {"reason", "reason"}, {"amount", "amount"},
                                                   {"unit", "unit"},     {"balance", "balance"},
                                                   {"held", "held"},     {"record", "record_id"}};
    struct json json;
    bool is_grant = !strcmp(word, "grant") || !strcmp(word, "refund");
    if (is_grant || json_scan(reply, &json, NULL)) {
        client_print_one(reply, &options->client, grants, GRANTS);
        return CLI_DONE;
    }
    if (!strcmp(word, "balance") || !strcmp(word, "alert")) {
        bool is_alert = !strcmp(word, "alert");
        client_print_one(reply, &options->client, is_alert ? alerts : quotas,
                         is_alert ? ALERTS : QUOTAS);
        return CLI_DONE;
    }
    client_print_one(reply, &options->client, answers, sizeof answers / sizeof answers[0]);
    struct json answer = json_member(json, !strcmp(word, "enough") ? "enough" : "success");
    return slice_is(answer.raw, "true") ? CLI_DONE : CLI_NO;
}

static int ask(struct client *client, const char *word, const struct quota_options *options,
               const char *path)
{
    struct client_reply reply;
    struct out body;
    const char *method = method_of(word);
    bool has_body = !strcmp(method, "POST");
    out_init(&body, 64 * 1024);
    if (!strcmp(word, "grant")) {
        write_grant(options, &body);
    } else if (!strcmp(word, "alert")) {
        write_alert(options, &body);
    } else if (!strcmp(word, "consume")) {
        write_consumption(options, &body);
    } else if (has_body) {
        out_open(&body, '{');
        client_put(&body, "amount", options->amount);
        out_close(&body, '}');
    }
    int code = client_call(client, method, path,
                           has_body ? buffer_slice(&body.bytes) : (struct slice){0}, &reply);
    out_done(&body);
    if (code)
        return code;
    code = client_problem(&reply);
    if (!code && reply.body.len)
        code = print_one(word, options, buffer_slice(&reply.body));
    client_reply_done(&reply);
    return code;
}

static int history(struct client *client, const struct quota_options *options, const char *path)
{
    client_be_patient(client);
    return client_print_list(client, path, &options->client, steps, STEPS);
}

static int run(const char *word, const struct quota_options *options, const char *path)
{
    struct client *client;
    int code = client_open(&options->client, &client);
    if (code)
        return code;
    if (!strcmp(word, "show") || !strcmp(word, "list"))
        code = client_print_list(client, path, &options->client, quotas, QUOTAS);
    else if (!strcmp(word, "alerts"))
        code = client_print_list(client, path, &options->client, alerts, ALERTS);
    else if (!strcmp(word, "grants"))
        code = client_print_list(client, path, &options->client, grants, GRANTS);
    else if (!strcmp(word, "history"))
        code = history(client, options, path);
    else
        code = ask(client, word, options, path);
    client_close(client);
    return code;
}

static int check_options(const char *word, const struct quota_options *options)
{
    bool refunds = !strcmp(word, "refund") || !strcmp(word, "alert-end"),
         lists = !strcmp(word, "list") || !strcmp(word, "alerts"),
         shows = lists || !strcmp(word, "show");
    if (!options->organization)
        return wrong("--organization is missing", "");
    if (refunds && !options->subject)
        return wrong("the ID is missing", "");
    if (!refunds && options->subject)
        return wrong("unknown: ", options->subject);
    if (!refunds && !shows && !options->unit)
        return wrong("--unit is missing", "");
    bool takes = !strcmp(word, "consume") || !strcmp(word, "enough") || !strcmp(word, "grant");
    if ((!strcmp(word, "refund") || takes) && !options->amount)
        return wrong("--amount is missing", "");
    if (options->since && strcmp(word, "history") != 0)
        return wrong("only history takes --since", "");
    if (shows && options->unit)
        return wrong("show and list take no --unit", "");
    if (lists && options->scope)
        return wrong("list takes no --scope", "");
    return CLI_DONE;
}

int cli_quota(int argc, char **argv)
{
    static const char *const words[] = {"grant",  "grants", "show",      "list",   "history",
                                        "refund", "end",    "balance",   "enough", "consume",
                                        "alert",  "alerts", "alert-end", NULL};
    struct quota_options options = {0};
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
    if (!strcmp(word, "end") &&
        !client_agreed("quota", "ending a quota with what is left of it", options.yes))
        return CLI_NO;
    if (!strcmp(word, "alert-end") && !client_agreed("quota", "ending an alert", options.yes))
        return CLI_NO;
    struct buffer path;
    buffer_init(&path, 4096);
    code = make_path(word, &options, &path) ? wrong("too long: ", options.organization)
                                            : run(word, &options, path.data);
    buffer_done(&path);
    return code;
}
