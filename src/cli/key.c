/* SPDX-License-Identifier: Apache-2.0
 * mete key - makes, lists, shows, changes, regenerates, revokes and deletes API keys, and tells
 * what they used. */
#include "cli/cli.h"
#include "cli/key_body.h"

#include <stdio.h>

static const char usage[] =
    "usage: mete key create --organization O [--user U] [--department D] [--name N] [WHAT]...\n"
    "       mete key list --organization O [--label N[=V]] [--user U] [--status S]\n"
    "       mete key summary --organization O [--top N]\n"
    "       mete key show ID\n"
    "       mete key update ID [--name N] [WHAT]...\n"
    "       mete key regenerate ID [--overlap SECONDS] [--yes]\n"
    "       mete key revoke ID [--yes]\n"
    "       mete key delete ID [--yes]\n"
    "       mete key usage ID [--interval hour|day] [--from T] [--to T]\n"
    "WHAT is [--model GLOB]... [--endpoint E]... [--ip-range R]... [--label N=V]...\n"
    "        [--expires-at T] [--monthly-requests N] [--requests-per-minute N]\n"
    "        [--tokens-per-minute N] [--concurrent N] [--disconnect drain|cancel]\n"
    "Each takes --json, --data DIR, --server URL and --token T. With a server running on the data\n"
    "directory the command asks it; with none it opens the data itself.\n"
    "A new text is shown once. update changes what is said; none takes away what was there, as in\n"
    "--model none. The text before a new one works for --overlap seconds, a day by default; with "
    "0\n"
    "it ends at once. What cannot be undone asks first, or needs --yes.\n"
    "T is an instant such as 2030-01-31T00:00:00Z; a GLOB names models, with * for any run of\n"
    "characters; E is chat, embeddings, images, ... (docs/reference/endpoints.md); R an address\n"
    "or a range such as 192.0.2.0/24; S active, expired or revoked.\n";

struct key_options {
    struct client_options client;
    struct key_words words;
    const char *organization, *id, *status, *top, *overlap, *interval, *from, *to;
    bool yes;
};

static const struct client_column columns[] = {
    {"key", "key"},
    {"id", "id"},
    {"name", "name"},
    {"status", "status"},
    {"user", "user"},
    {"department", "department"},
    {"expires", "expires_at"},
    {"last used", "last_used_at"},
    {"prefix", "prefix"},
    {"models", "models"},
    {"endpoints", "permissions.endpoints"},
    {"addresses", "permissions.ip_ranges"},
    {"labels", "labels"},
    {"requests a month", "monthly_request_quota"},
    {"requests a minute", "requests_per_minute"},
    {"tokens a minute", "tokens_per_minute"},
    {"calls at once", "concurrent_requests"},
    {"client left", "disconnect"},
    {"organization", "organization"},
    {"made", "created_at"},
    {"new text since", "regenerated_at"},
    {"text before works until", "previous_works_until"},
};
enum { COLUMNS_ALL = sizeof columns / sizeof columns[0], COLUMNS_LIST = 8 };

static int wrong(const char *why, const char *what)
{
    return client_words_wrong("key", usage, why, what);
}

static int read_options(int argc, char **argv, struct key_options *options)
{
    struct key_words *words = &options->words;
    const struct client_word known[] = {{"--organization", &options->organization},
                                        {"--user", &words->user},
                                        {"--department", &words->department},
                                        {"--name", &words->name},
                                        {"--expires-at", &words->expires_at},
                                        {"--monthly-requests", &words->monthly_requests},
                                        {"--requests-per-minute", &words->requests_per_minute},
                                        {"--tokens-per-minute", &words->tokens_per_minute},
                                        {"--concurrent", &words->concurrent},
                                        {"--disconnect", &words->disconnect},
                                        {"--status", &options->status},
                                        {"--top", &options->top},
                                        {"--overlap", &options->overlap},
                                        {"--interval", &options->interval},
                                        {"--from", &options->from},
                                        {"--to", &options->to}};
    const struct client_list lists[] = {
        {"--model", words->models, &words->models_len, DIRECTORY_MODELS_MAX},
        {"--endpoint", words->endpoints, &words->endpoints_len, KEY_ENDPOINTS_MAX},
        {"--ip-range", words->ranges, &words->ranges_len, DIRECTORY_RANGES_MAX},
        {"--label", words->labels, &words->labels_len, LIMIT_KEY_LABELS}};
    const struct client_flag flags[] = {{"--yes", &options->yes}};
    const struct client_words all = {.command = "key",
                                     .usage = usage,
                                     .options = &options->client,
                                     .subject = &options->id,
                                     .known = known,
                                     .known_len = sizeof known / sizeof known[0],
                                     .lists = lists,
                                     .lists_len = sizeof lists / sizeof lists[0],
                                     .flags = flags,
                                     .flags_len = 1};
    return client_words_read(&all, argc, argv);
}

/* ---- Asking -----------------------------------------------------------------------------------
 */

static int ask(const struct key_options *options, const char *method, const char *path,
               struct slice body, void (*print)(const struct key_options *, struct slice))
{
    struct client *client;
    struct client_reply reply;
    int code = client_open(&options->client, &client);
    if (code)
        return code;
    code = client_call(client, method, path, body, &reply);
    if (!code) {
        code = client_problem(&reply);
        if (!code && reply.body.len)
            print(options, buffer_slice(&reply.body));
        client_reply_done(&reply);
    }
    client_close(client);
    return code;
}

static void print_key(const struct key_options *options, struct slice body)
{
    client_print_one(body, &options->client, columns, COLUMNS_ALL);
}

/* The counts, then those that spent most. */
static void print_summary(const struct key_options *options, struct slice body)
{
    static const struct client_column counts[] = {{"keys", "keys"},
                                                  {"active", "active"},
                                                  {"expired", "expired"},
                                                  {"revoked", "revoked"},
                                                  {"month", "month_start"}};
    static const struct client_column top[] = {
        {"spent this month", "cost"}, {"", "currency"}, {"calls", "calls"},
        {"tokens", "total_tokens"},   {"id", "id"},     {"name", "name"}};
    struct json summary;
    client_print_one(body, &options->client, counts, sizeof counts / sizeof counts[0]);
    if (options->client.json || json_scan(body, &summary, NULL))
        return;
    printf("\n");
    client_print_rows(json_member(summary, "top"), top, sizeof top / sizeof top[0]);
}

static int list(const struct key_options *options, const char *path)
{
    struct client *client;
    int code = client_open(&options->client, &client);
    if (code)
        return code;
    /* The text of a key is never in a list. */
    code = client_print_list(client, path, &options->client, columns + 1, COLUMNS_LIST);
    client_close(client);
    return code;
}

static int print_usage(const struct key_options *options, const char *path)
{
    static const struct client_column spans[] = {{"from", "start"},
                                                 {"calls", "calls"},
                                                 {"input tokens", "input_tokens"},
                                                 {"output tokens", "output_tokens"},
                                                 {"cost", "cost"},
                                                 {"", "currency"}};
    struct client *client;
    int code = client_open(&options->client, &client);
    if (code)
        return code;
    code = client_print_list(client, path, &options->client, spans, sizeof spans / sizeof spans[0]);
    client_close(client);
    return code;
}

/* ---- What is done -----------------------------------------------------------------------------
 */

static int put_words(const struct key_options *options, const char *method, const char *path,
                     const char *name)
{
    struct out body;
    out_init(&body, 64 * 1024);
    key_body_write(&options->words, name, &body);
    int code =
        body.failed ? CLI_FAILED : ask(options, method, path, buffer_slice(&body.bytes), print_key);
    out_done(&body);
    return code;
}

static int create(const struct key_options *options, const char *path)
{
    return put_words(options, "POST", path, "key");
}

static int update(const struct key_options *options, const char *path)
{
    return put_words(options, "PUT", path, NULL);
}

static int show(const struct key_options *options, const char *path)
{
    return ask(options, "GET", path, (struct slice){0}, print_key);
}

static int summary(const struct key_options *options, const char *path)
{
    return ask(options, "GET", path, (struct slice){0}, print_summary);
}

static int regenerate(const struct key_options *options, const char *path)
{
    struct out body;
    const char *overlap = options->overlap;
    if (overlap && !strcmp(overlap, "0") &&
        !client_agreed("key", "ending the text that works now", options->yes))
        return CLI_USAGE;
    out_init(&body, 1024);
    out_open(&body, '{');
    if (overlap) {
        out_key(&body, "overlap_seconds");
        client_put_number(&body, overlap);
    }
    out_close(&body, '}');
    int code = ask(options, "POST", path, buffer_slice(&body.bytes), print_key);
    out_done(&body);
    return code;
}

static int revoke(const struct key_options *options, const char *path)
{
    if (!client_agreed("key", "revoking a key", options->yes))
        return CLI_USAGE;
    return ask(options, "POST", path, SLICE_LITERAL("{}"), print_key);
}

static int delete (const struct key_options *options, const char *path)
{
    if (!client_agreed("key", "deleting a key", options->yes))
        return CLI_USAGE;
    return ask(options, "DELETE", path, (struct slice){0}, print_key);
}

static const struct act {
    const char *word;
    bool of_organization;
    const char *rest; /* of its path */
    int (*run)(const struct key_options *options, const char *path);
} acts[] = {
    {"create", true, "", create},
    {"list", true, "", list},
    {"summary", true, "/summary", summary},
    {"show", false, "", show},
    {"update", false, "", update},
    {"regenerate", false, "/regenerate", regenerate},
    {"revoke", false, "/revoke", revoke},
    {"delete", false, "", delete},
    {"usage", false, "/usage", print_usage},
};

static void put_query(struct buffer *path, const char *name, const char *value)
{
    const char *mark = path->len && memchr(path->data, '?', path->len) ? "&" : "?";
    if (!value || buffer_text(path, mark) || buffer_text(path, name) || buffer_text(path, "="))
        return;
    client_encode(path, value);
}

static void put_queries(const struct act *act, const struct key_options *options,
                        struct buffer *path)
{
    if (act->run == list) {
        put_query(path, "label", options->words.labels[0]);
        put_query(path, "user", options->words.user);
        put_query(path, "status", options->status);
    } else if (act->run == summary) {
        put_query(path, "top", options->top);
    } else if (act->run == print_usage) {
        put_query(path, "interval", options->interval);
        put_query(path, "from", options->from);
        put_query(path, "to", options->to);
    }
}

static int run(const struct act *act, const struct key_options *options, struct buffer *path)
{
    const char *subject = act->of_organization ? options->organization : options->id;
    if (!subject)
        return wrong(act->of_organization ? "--organization is missing" : "the ID is missing", "");
    if (act->of_organization && options->id)
        return wrong("unknown: ", options->id);
    int rc =
        buffer_text(path, act->of_organization ? "/api/v1/organizations/" : "/api/v1/api-keys/");
    client_encode(path, subject);
    if (!rc && act->of_organization)
        rc = buffer_text(path, "/api-keys");
    if (!rc)
        rc = buffer_text(path, act->rest);
    put_queries(act, options, path);
    if (rc || buffer_append(path, (struct slice){"", 1}))
        return wrong("too long: ", subject);
    return act->run(options, path->data);
}

int cli_key(int argc, char **argv)
{
    struct key_options options = {0};
    const char *word = argc > 1 ? argv[1] : "";
    const struct act *act = NULL;
    if (client_wants_help(argc, argv)) {
        fputs(usage, stdout);
        return CLI_DONE;
    }
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
        if (!strcmp(word, acts[i].word))
            act = &acts[i];
    if (!act)
        return wrong(word[0] ? "unknown: " : "say what to do", word);
    int code = read_options(argc, argv, &options);
    if (code)
        return code;
    struct buffer path;
    buffer_init(&path, 2048);
    code = run(act, &options, &path);
    buffer_done(&path);
    return code;
}
