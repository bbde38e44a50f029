/* SPDX-License-Identifier: Apache-2.0
 * mete record - lists usage records, shows one, and settles those that were charged provisionally.
 */
#include "cli/cli.h"
#include "cli/client_words.h"

#include <stdio.h>

enum { METERS_MAX = 16 };

static const char usage[] =
    "usage: mete record list [--provisional] [--organization O] [--department D] [--user U]\n"
    "                        [--key ID] [--model M] [--provider P] [--session S] [--tag TAG]\n"
    "                        [--request-id R] [--upstream-id I] [--ending E] [--status N]\n"
    "                        [--from T] [--to T]\n"
    "       mete record show ID\n"
    "       mete record settle ID [--amount A] [--usage METER=N]... [--model M]\n"
    "Each takes --json, --data DIR, --server URL and --token T. With a server running on the data\n"
    "directory the command asks it; with none it opens the data itself.\n"
    "A provisional record was charged though its outcome was unknown, after a crash or a timeout;\n"
    "settle gives it the true figures within 24 hours, once. A is in US dollars; METER is\n"
    "input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens,\n"
    "total_tokens, requests, cache_write_1h_tokens, audio_input_tokens, image_input_tokens,\n"
    "audio_output_tokens, image_output_tokens or searches. What is not said stays as it was\n"
    "charged; usage without an amount is priced. T is an instant such as 2030-01-31T00:00:00Z; I "
    "is\n"
    "what the provider calls its answer; E is ok, error, timeout or another ending of a record.\n";

struct record_options {
    struct client_options client;
    const char *organization, *department, *user, *key, *model, *request_id, *from, *to;
    const char *provider, *session, *tag, *upstream_id, *ending, *status;
    const char *amount, *id;
    const char *meters[METERS_MAX];
    size_t meters_len;
    bool provisional;
};

static const struct client_column listed[] = {
    {"id", "id"},
    {"ended", "ended_at"},
    {"key", "api_key"},
    {"model", "model"},
    {"tokens", "total_tokens"},
    {"cost", "cost"},
    {"ending", "ending"},
    {"provisional", "provisional"},
    {"corrects", "corrects"},
    {"request", "request_id"},
};

static const struct client_column shown[] = {
    {"id", "id"},
    {"request", "request_id"},
    {"started", "started_at"},
    {"ended", "ended_at"},
    {"organization", "organization"},
    {"department", "department"},
    {"user", "user"},
    {"key", "api_key"},
    {"charged by", "actor"},
    {"session", "session"},
    {"tags", "tags"},
    {"model", "model"},
    {"answered by", "model_response"},
    {"provider", "provider"},
    {"its id", "upstream_id"},
    {"dialect", "dialect"},
    {"stream", "stream"},
    {"input", "input_tokens"},
    {"cached", "cached_input_tokens"},
    {"cache write", "cache_write_tokens"},
    {"output", "output_tokens"},
    {"reasoning", "reasoning_tokens"},
    {"tokens", "total_tokens"},
    {"cost", "cost"},
    {"of input", "input_cost"},
    {"of output", "output_cost"},
    {"of other", "other_cost"},
    {"currency", "currency"},
    {"prices", "price_list"},
    {"ending", "ending"},
    {"state", "state"},
    {"status", "status"},
    {"success", "success"},
    {"provisional", "provisional"},
    {"counted", "counted"},
    {"overrun", "overrun"},
    {"attempts", "attempts"},
    {"took ms", "latency_ms"},
    {"first token ms", "first_token_ms"},
    {"cache hit", "cache_hit"},
    {"complexity", "query_complexity"},
    {"confidence", "confidence"},
    {"fingerprint", "fingerprint"},
    {"corrects", "corrects"},
    {"corrected by", "corrected_by"},
    {"metadata", "metadata"},
};

static const struct client_column settled[] = {
    {"record", "record_id"}, {"settles", "settles"}, {"state", "state"},
    {"cost", "amount"},      {"overrun", "overrun"}, {"repeated", "repeated"},
};

static int wrong(const char *why, const char *what)
{
    return client_words_wrong("record", usage, why, what);
}

/* Takes --provisional, which has no value, from the words. */
static int take_flag(int argc, char **argv, bool *ret_flag)
{
    int kept = 0;
    for (int i = 0; i < argc; i++) {
        bool is_flag = i > 1 && !strcmp(argv[i], "--provisional");
        *ret_flag |= is_flag;
        if (!is_flag)
            argv[kept++] = argv[i];
    }
    return kept;
}

static int read_options(int argc, char **argv, struct record_options *options)
{
    const struct client_word known[] = {{"--organization", &options->organization},
                                        {"--department", &options->department},
                                        {"--user", &options->user},
                                        {"--key", &options->key},
                                        {"--model", &options->model},
                                        {"--provider", &options->provider},
                                        {"--session", &options->session},
                                        {"--tag", &options->tag},
                                        {"--request-id", &options->request_id},
                                        {"--upstream-id", &options->upstream_id},
                                        {"--ending", &options->ending},
                                        {"--status", &options->status},
                                        {"--from", &options->from},
                                        {"--to", &options->to},
                                        {"--amount", &options->amount}};
    const struct client_list lists[] = {
        {"--usage", options->meters, &options->meters_len, METERS_MAX}};
    const struct client_words words = {.command = "record",
                                       .usage = usage,
                                       .options = &options->client,
                                       .subject = &options->id,
                                       .known = known,
                                       .known_len = sizeof known / sizeof known[0],
                                       .lists = lists,
                                       .lists_len = 1};
    return client_words_read(&words, argc, argv);
}

static void put_query(struct buffer *path, const char *name, const char *value)
{
    if (!value)
        return;
    bool is_first = !memchr(path->data, '?', path->len);
    int rc = buffer_format(path, "%s%s=", is_first ? "?" : "&", name);
    if (!rc)
        client_encode(path, value);
}

static int list(const struct record_options *options, struct buffer *path)
{
    struct client *client;
    if (options->id)
        return wrong("unknown: ", options->id);
    if (options->amount || options->meters_len)
        return wrong("--amount and --usage belong to settle", "");
    int rc = buffer_text(path, "/api/v1/records");
    put_query(path, "provisional", options->provisional ? "true" : NULL);
    put_query(path, "organization", options->organization);
    put_query(path, "department", options->department);
    put_query(path, "user", options->user);
    put_query(path, "api_key", options->key);
    put_query(path, "model", options->model);
    put_query(path, "provider", options->provider);
    put_query(path, "session", options->session);
    put_query(path, "tag", options->tag);
    put_query(path, "request_id", options->request_id);
    put_query(path, "upstream_id", options->upstream_id);
    put_query(path, "ending", options->ending);
    put_query(path, "status", options->status);
    put_query(path, "from", options->from);
    put_query(path, "to", options->to);
    if (rc || buffer_append(path, (struct slice){"", 1}))
        return wrong("too long", "");
    int code = client_open(&options->client, &client);
    if (code)
        return code;
    code = client_print_list(client, path->data, &options->client, listed,
                             sizeof listed / sizeof listed[0]);
    client_close(client);
    return code;
}

/* "output_tokens=12" as a member. false: it is not of that form. */
static bool put_meter(struct out *out, const char *text)
{
    const char *equals = strchr(text, '=');
    char name[64];
    if (!equals || equals == text || (size_t)(equals - text) >= sizeof name || !equals[1])
        return false;
    memcpy(name, text, (size_t)(equals - text));
    name[equals - text] = 0;
    out_key(out, name);
    client_put_number(out, equals + 1);
    return true;
}

static int write_body(const struct record_options *options, struct out *out)
{
    out_open(out, '{');
    client_put(out, "amount", options->amount);
    client_put(out, "model", options->model);
    if (options->meters_len) {
        out_key(out, "usage");
        out_open(out, '{');
        for (size_t i = 0; i < options->meters_len; i++)
            if (!put_meter(out, options->meters[i]))
                return wrong("not METER=N: ", options->meters[i]);
        out_close(out, '}');
    }
    out_close(out, '}');
    return out->failed ? CLI_FAILED : CLI_DONE;
}

/* What only a list may be asked for. */
static bool asks_list(const struct record_options *options)
{
    return options->provisional || options->organization || options->department || options->user ||
           options->key || options->provider || options->session || options->tag ||
           options->request_id || options->upstream_id || options->ending || options->status ||
           options->from || options->to;
}

/* One request about one record, without a body to see it, and its reply. */
static int ask(const struct record_options *options, const char *path, struct slice body)
{
    struct client *client;
    struct client_reply reply;
    int code = client_open(&options->client, &client);
    if (code)
        return code;
    bool shows = !body.len;
    code = client_call(client, shows ? "GET" : "POST", path, body, &reply);
    if (!code) {
        code = client_problem(&reply);
        if (!code)
            client_print_one(buffer_slice(&reply.body), &options->client, shows ? shown : settled,
                             shows ? sizeof shown / sizeof shown[0]
                                   : sizeof settled / sizeof settled[0]);
        client_reply_done(&reply);
    }
    client_close(client);
    return code;
}

static int put_path(const struct record_options *options, struct buffer *path, const char *end)
{
    if (!options->id)
        return wrong("the ID is missing", "");
    if (asks_list(options))
        return wrong("that belongs to list", "");
    int rc = buffer_text(path, "/api/v1/records/");
    client_encode(path, options->id);
    if (!rc)
        rc = buffer_text(path, end);
    if (rc || buffer_append(path, (struct slice){"", 1}))
        return wrong("too long: ", options->id);
    return CLI_DONE;
}

static int show(const struct record_options *options, struct buffer *path)
{
    if (options->amount || options->meters_len || options->model)
        return wrong("show takes the ID alone", "");
    int code = put_path(options, path, "");
    return code ? code : ask(options, path->data, (struct slice){0});
}

static int settle(const struct record_options *options, struct buffer *path)
{
    struct out body;
    int code = put_path(options, path, "/settle");
    if (code)
        return code;
    out_init(&body, 64 * 1024);
    code = write_body(options, &body);
    if (!code)
        code = ask(options, path->data, buffer_slice(&body.bytes));
    out_done(&body);
    return code;
}

int cli_record(int argc, char **argv)
{
    struct record_options options = {0};
    const char *word = argc > 1 ? argv[1] : "";
    if (client_wants_help(argc, argv)) {
        fputs(usage, stdout);
        return CLI_DONE;
    }
    if (strcmp(word, "list") && strcmp(word, "show") && strcmp(word, "settle"))
        return wrong(word[0] ? "unknown: " : "say what to do", word);
    argc = take_flag(argc, argv, &options.provisional);
    int code = read_options(argc, argv, &options);
    if (code)
        return code;
    struct buffer path;
    buffer_init(&path, 8192);
    if (!strcmp(word, "list"))
        code = list(&options, &path);
    else
        code = !strcmp(word, "show") ? show(&options, &path) : settle(&options, &path);
    buffer_done(&path);
    return code;
}
