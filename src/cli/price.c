/* SPDX-License-Identifier: Apache-2.0
 * mete price - what models cost: listed, shown with their history, compared with a file, changed by
 * one. */
#include "cli/cli.h"
#include "cli/client_file.h"
#include "cli/client_words.h"
#include "mete.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: mete price list [--provider P] [--model BEGINNING] [--at T] [--org ORG]\n"
    "       mete price show MODEL [--org ORG]\n"
    "       mete price history MODEL [--org ORG]\n"
    "       mete price diff FILE [--effective T]\n"
    "       mete price apply FILE [--effective T] [--accept-absurd yes]\n"
    "       mete price rerate [FILE] --from T [--to T] [--at T] [--org ORG]\n"
    "Each takes --json, --data DIR, --server URL and --token T. With a server running on the data\n"
    "directory the command asks it; with none it opens the data itself, without the prices of its\n"
    "configuration. --org: the organization's own prices.\n"
    "FILE is a list of prices as the API takes it, in JSON or YAML (.yaml, .yml); or LiteLLM's\n"
    "model_prices_and_context_window.json; or a spreadsheet (.csv) whose first line names "
    "columns:\n"
    "model, provider, currency, input_per_million and so on. diff shows what is new, changed, "
    "gone\n"
    "and absurd, and changes nothing: exit 1 if there is a difference. apply carries it out, from "
    "T\n"
    "on (now if absent); what FILE does not have stays as it is. rerate says what the calls that\n"
    "ended between --from and --to would have cost by the prices of --at (now if absent), with "
    "those\n"
    "of FILE before them, and changes nothing.\n";

enum { FILE_BYTES = 16 * 1024 * 1024 };

struct price_options {
    struct client_options client;
    const char *subject, *provider, *model, *at, *org, *effective, *accept, *from, *to;
};

static const struct client_column columns[] = {
    {"model", "model"},
    {"provider", "provider"},
    {"input/M", "prices.input_per_million"},
    {"output/M", "prices.output_per_million"},
    {"currency", "currency"},
    {"source", "source"},
    {"effective", "effective_at"},
};
static const struct client_column rows[] = {
    {"effective", "effective_at"},
    {"in force", "in_force"},
    {"input/M", "prices.input_per_million"},
    {"output/M", "prices.output_per_million"},
    {"currency", "currency"},
    {"source", "source"},
};
static const struct client_column summary[] = {
    {"new", "summary.new"},       {"changed", "summary.changed"},
    {"gone", "summary.gone"},     {"unchanged", "summary.unchanged"},
    {"absurd", "summary.absurd"}, {"left out", "summary.left_out"},
    {"applied", "applied"},
};
static const struct client_column totals[] = {
    {"currency", "currency"}, {"calls", "calls"},       {"approximate", "approximate"},
    {"was", "old_cost"},      {"would be", "new_cost"}, {"difference", "difference"},
};
static const struct client_column rerated[] = {
    {"model", "model"},  {"currency", "currency"}, {"calls", "calls"},
    {"was", "old_cost"}, {"would be", "new_cost"}, {"difference", "difference"},
};
static const struct client_column unrated[] = {
    {"not rated", "model"}, {"why", "why"},  {"currency", "currency"},
    {"calls", "calls"},     {"was", "cost"},
};
#define LEN(array) (sizeof(array) / sizeof *(array))

static int wrong(const char *why, const char *what)
{
    return client_words_wrong("price", usage, why, what);
}

static int put(struct buffer *path, const char *before, const char *text)
{
    int rc = text ? buffer_text(path, before) : 0;
    if (text && !rc)
        client_encode(path, text);
    return rc;
}

/* Terminated; the caller's to be done. */
static int make_path(const struct price_options *options, bool one, struct buffer *path)
{
    buffer_init(path, 4096);
    int rc = put(path, "/api/v1/organizations/", options->org);
    if (!rc)
        rc = buffer_text(path, options->org ? "/prices" : "/api/v1/prices");
    if (!rc && one)
        rc = put(path, "/", options->subject);
    if (!rc && !one)
        rc = buffer_text(path, "?limit=500");
    if (!rc && !one)
        rc = put(path, "&provider=", options->provider);
    if (!rc && !one)
        rc = put(path, "&model=", options->model);
    if (!rc && !one)
        rc = put(path, "&at=", options->at);
    return rc ? rc : buffer_append(path, (struct slice){"", 1});
}

static int print_one(struct slice body, const struct price_options *options, bool history)
{
    struct json reply;
    if (options->client.json || json_scan(body, &reply, NULL)) {
        client_print_one(body, &options->client, columns, LEN(columns));
        return CLI_DONE;
    }
    if (!history) {
        client_print_one(json_member(reply, "price").raw, &options->client, columns, LEN(columns));
        return CLI_DONE;
    }
    struct json each;
    size_t at = 0;
    for (struct json list = json_member(reply, "history"); json_next(list, &at, NULL, &each);)
        client_print_one(each.raw, &options->client, rows, LEN(rows));
    return CLI_DONE;
}

static int show(struct client *client, const struct price_options *options, bool history)
{
    struct buffer path;
    struct client_reply reply;
    int code = make_path(options, true, &path)
                   ? wrong("too long: ", options->subject)
                   : client_call(client, "GET", path.data, (struct slice){0}, &reply);
    buffer_done(&path);
    if (code)
        return code;
    code = client_problem(&reply);
    if (!code)
        code = print_one(buffer_slice(&reply.body), options, history);
    client_reply_done(&reply);
    return code;
}

static int make_body(const struct price_options *options, struct slice text, struct out *body)
{
    struct json file;
    if (json_scan(text, &file, NULL) || (file.type != JSON_OBJECT && file.type != JSON_ARRAY)) {
        fprintf(stderr, "mete price: %s: it is no list of prices\n", options->subject);
        return CLI_USAGE;
    }
    struct json prices = file.type == JSON_ARRAY ? file : json_member(file, "prices");
    bool own = prices.type == JSON_ARRAY;
    out_open(body, '{');
    out_key(body, own ? "prices" : "litellm");
    out_raw(body, own ? prices.raw : file.raw);
    client_put(body, "effective_at", options->effective);
    if (options->accept)
        out_member_bool(body, "accept_absurd", true);
    out_close(body, '}');
    return body->failed ? CLI_FAILED : CLI_DONE;
}

static int compare(struct client *client, const struct price_options *options, bool apply)
{
    struct buffer text;
    struct out body;
    struct client_reply reply;
    out_init(&body, FILE_BYTES + 4096);
    buffer_init(&text, FILE_BYTES);
    int code = client_file_prices(options->subject, &text);
    if (!code)
        code = make_body(options, buffer_slice(&text), &body);
    if (!code)
        code = client_call(client, "POST", apply ? "/api/v1/prices/apply" : "/api/v1/prices/diff",
                           buffer_slice(&body.bytes), &reply);
    buffer_done(&text);
    out_done(&body);
    if (code)
        return code;
    code = client_problem(&reply);
    if (!code) {
        struct json whole;
        client_print_one(buffer_slice(&reply.body), &options->client, summary, LEN(summary));
        char fresh[32] = "", changed[32] = "";
        if (!json_scan(buffer_slice(&reply.body), &whole, NULL)) {
            client_member(whole, "summary.new", fresh, sizeof fresh);
            client_member(whole, "summary.changed", changed, sizeof changed);
        }
        code = !apply && (strcmp(fresh, "0") || strcmp(changed, "0")) ? CLI_NO : CLI_DONE;
    }
    client_reply_done(&reply);
    return code;
}

/* ---- What it would have cost ------------------------------------------------------------------
 */

static int write_question(const struct price_options *options, struct slice text, struct out *body)
{
    struct json file = {0};
    if (options->subject &&
        (json_scan(text, &file, NULL) || (file.type != JSON_OBJECT && file.type != JSON_ARRAY))) {
        fprintf(stderr, "mete price: %s: it is no list of prices\n", options->subject);
        return CLI_USAGE;
    }
    struct json prices = file.type == JSON_ARRAY ? file : json_member(file, "prices");
    out_open(body, '{');
    if (options->subject) {
        out_key(body, prices.type == JSON_ARRAY ? "prices" : "litellm");
        out_raw(body, prices.type == JSON_ARRAY ? prices.raw : file.raw);
    }
    client_put(body, "organization", options->org);
    client_put(body, "from", options->from);
    client_put(body, "to", options->to);
    client_put(body, "at", options->at);
    out_close(body, '}');
    return body->failed ? CLI_FAILED : CLI_DONE;
}

static void print_rerated(struct slice body, const struct price_options *options)
{
    struct json reply;
    if (options->client.json || json_scan(body, &reply, NULL)) {
        client_print_one(body, &options->client, NULL, 0);
        return;
    }
    client_print_rows(json_member(reply, "totals"), totals, LEN(totals));
    client_print_rows(json_member(reply, "models"), rerated, LEN(rerated));
    struct json none = json_member(reply, "unrated"), each;
    size_t at = 0;
    if (json_next(none, &at, NULL, &each))
        client_print_rows(none, unrated, LEN(unrated));
}

static int rerate(struct client *client, const struct price_options *options)
{
    struct buffer text;
    struct out body;
    struct client_reply reply;
    out_init(&body, FILE_BYTES + 4096);
    buffer_init(&text, FILE_BYTES);
    int code = options->subject ? client_file_prices(options->subject, &text) : CLI_DONE;
    if (!code)
        code = write_question(options, buffer_slice(&text), &body);
    if (!code)
        code =
            client_call(client, "POST", "/api/v1/prices/rerate", buffer_slice(&body.bytes), &reply);
    buffer_done(&text);
    out_done(&body);
    if (code)
        return code;
    code = client_problem(&reply);
    if (!code)
        print_rerated(buffer_slice(&reply.body), options);
    client_reply_done(&reply);
    return code;
}

static int list(struct client *client, const struct price_options *options)
{
    struct buffer path;
    int code = make_path(options, false, &path)
                   ? wrong("too long: ", "")
                   : client_print_list(client, path.data, &options->client, columns, LEN(columns));
    buffer_done(&path);
    return code;
}

static int run(const char *word, const struct price_options *options)
{
    bool lists = !strcmp(word, "list"), history = !strcmp(word, "history");
    bool shows = history || !strcmp(word, "show"), rerates = !strcmp(word, "rerate");
    struct client *client;
    if (rerates && !options->from)
        return wrong("--from is missing", "");
    if (!lists && !rerates && !options->subject)
        return wrong(shows ? "the MODEL is missing" : "the FILE is missing", "");
    if (lists && options->subject)
        return wrong("unknown: ", options->subject);
    int code = client_open(&options->client, &client);
    if (code)
        return code;
    client_be_patient(client);
    code = lists     ? list(client, options)
           : shows   ? show(client, options, history)
           : rerates ? rerate(client, options)
                     : compare(client, options, !strcmp(word, "apply"));
    client_close(client);
    return code;
}

int cli_price(int argc, char **argv)
{
    static const char *const all[] = {"list", "show", "history", "diff", "apply", "rerate", NULL};
    struct price_options options = {.subject = NULL};
    const char *word = argc > 1 ? argv[1] : "";
    if (client_wants_help(argc, argv)) {
        fputs(usage, stdout);
        return CLI_DONE;
    }
    if (!client_words_has(all, word))
        return wrong(word[0] ? "unknown: " : "say what to do", word);
    const struct client_word known[] = {{"--provider", &options.provider},
                                        {"--model", &options.model},
                                        {"--at", &options.at},
                                        {"--org", &options.org},
                                        {"--from", &options.from},
                                        {"--to", &options.to},
                                        {"--effective", &options.effective},
                                        {"--accept-absurd", &options.accept}};
    const struct client_words words = {.command = "price",
                                       .usage = usage,
                                       .options = &options.client,
                                       .subject = &options.subject,
                                       .known = known,
                                       .known_len = LEN(known)};
    int code = client_words_read(&words, argc, argv);
    return code ? code : run(word, &options);
}
