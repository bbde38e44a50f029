/* SPDX-License-Identifier: Apache-2.0
 * mete key - makes, lists, shows and revokes API keys. */
#include "cli/cli.h"
#include "cli/client_words.h"

#include "base/limits.h"
#include "directory/directory.h"

#include <stdio.h>

static const char usage[] =
    "usage: mete key create --organization O [--user U] [--department D] [--name N]\n"
    "                       [--model GLOB]... [--expires-at T] [--monthly-requests N]\n"
    "                       [--requests-per-minute N] [--tokens-per-minute N] [--concurrent N]\n"
    "                       [--disconnect drain|cancel]\n"
    "       mete key list --organization O\n"
    "       mete key show ID\n"
    "       mete key revoke ID\n"
    "Each takes --json, --data DIR, --server URL and --token T. With a server running on the data\n"
    "directory the command asks it; with none it opens the data itself.\n"
    "A new key's text is shown once. T is an instant such as 2030-01-31T00:00:00Z; a GLOB names\n"
    "models, with * for any run of characters.\n";

struct key_options {
    struct client_options client;
    const char *organization, *user, *department, *name, *expires_at, *id;
    const char *monthly_requests, *requests_per_minute, *tokens_per_minute, *concurrent;
    const char *disconnect;
    const char *models[DIRECTORY_MODELS_MAX];
    size_t models_len;
};

static const struct client_column columns[] = {
    {"key", "key"},
    {"id", "id"},
    {"name", "name"},
    {"status", "status"},
    {"user", "user"},
    {"department", "department"},
    {"expires", "expires_at"},
    {"prefix", "prefix"},
    {"models", "models"},
    {"requests a minute", "requests_per_minute"},
    {"tokens a minute", "tokens_per_minute"},
    {"calls at once", "concurrent_requests"},
    {"client left", "disconnect"},
    {"organization", "organization"},
    {"made", "created_at"},
};
enum { COLUMNS_ALL = sizeof columns / sizeof columns[0], COLUMNS_LIST = 8 };

static int wrong(const char *why, const char *what)
{
    return client_words_wrong("key", usage, why, what);
}

static int read_options(int argc, char **argv, struct key_options *options)
{
    const struct client_word known[] = {{"--organization", &options->organization},
                                        {"--user", &options->user},
                                        {"--department", &options->department},
                                        {"--name", &options->name},
                                        {"--expires-at", &options->expires_at},
                                        {"--monthly-requests", &options->monthly_requests},
                                        {"--requests-per-minute", &options->requests_per_minute},
                                        {"--tokens-per-minute", &options->tokens_per_minute},
                                        {"--concurrent", &options->concurrent},
                                        {"--disconnect", &options->disconnect}};
    const struct client_words words = {.command = "key",
                                       .usage = usage,
                                       .options = &options->client,
                                       .subject = &options->id,
                                       .known = known,
                                       .known_len = sizeof known / sizeof known[0],
                                       .repeated = "--model",
                                       .values = options->models,
                                       .values_len = &options->models_len,
                                       .values_max = DIRECTORY_MODELS_MAX};
    return client_words_read(&words, argc, argv);
}

static void put_number(struct out *out, const char *name, const char *text)
{
    if (!text)
        return;
    out_key(out, name);
    client_put_number(out, text);
}

static void write_body(const struct key_options *options, struct out *out)
{
    out_open(out, '{');
    client_put(out, "name", options->name ? options->name : "key");
    client_put(out, "user", options->user);
    client_put(out, "department", options->department);
    client_put(out, "expires_at", options->expires_at);
    put_number(out, "monthly_request_quota", options->monthly_requests);
    put_number(out, "requests_per_minute", options->requests_per_minute);
    put_number(out, "tokens_per_minute", options->tokens_per_minute);
    put_number(out, "concurrent_requests", options->concurrent);
    client_put(out, "disconnect", options->disconnect);
    if (options->models_len) {
        out_key(out, "models");
        out_open(out, '[');
        for (size_t i = 0; i < options->models_len; i++)
            out_text(out, slice_of(options->models[i]));
        out_close(out, ']');
    }
    out_close(out, '}');
}

static int ask(const struct key_options *options, const char *method, const char *path,
               struct slice body)
{
    struct client *client;
    struct client_reply reply;
    int code = client_open(&options->client, &client);
    if (code)
        return code;
    code = client_call(client, method, path, body, &reply);
    if (!code) {
        code = client_problem(&reply);
        if (!code)
            client_print_one(buffer_slice(&reply.body), &options->client, columns, COLUMNS_ALL);
        client_reply_done(&reply);
    }
    client_close(client);
    return code;
}

static int create(const struct key_options *options, const char *path)
{
    struct out body;
    out_init(&body, 64 * 1024);
    write_body(options, &body);
    int code = body.failed ? CLI_FAILED : ask(options, "POST", path, buffer_slice(&body.bytes));
    out_done(&body);
    return code;
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

static int run(const char *word, const struct key_options *options, struct buffer *path)
{
    bool of_organization = !strcmp(word, "create") || !strcmp(word, "list");
    const char *subject = of_organization ? options->organization : options->id;
    if (!subject)
        return wrong(of_organization ? "--organization is missing" : "the ID is missing", "");
    if (of_organization && options->id)
        return wrong("unknown: ", options->id);
    int rc = buffer_text(path, of_organization ? "/api/v1/organizations/" : "/api/v1/api-keys/");
    client_encode(path, subject);
    if (!rc && of_organization)
        rc = buffer_text(path, "/api-keys");
    else if (!rc && !strcmp(word, "revoke"))
        rc = buffer_text(path, "/revoke");
    if (rc || buffer_append(path, (struct slice){"", 1}))
        return wrong("too long: ", subject);
    if (!strcmp(word, "create"))
        return create(options, path->data);
    if (!strcmp(word, "list"))
        return list(options, path->data);
    bool revokes = !strcmp(word, "revoke");
    return ask(options, revokes ? "POST" : "GET", path->data,
               revokes ? SLICE_LITERAL("{}") : (struct slice){0});
}

int cli_key(int argc, char **argv)
{
    struct key_options options = {0};
    const char *word = argc > 1 ? argv[1] : "";
    if (client_wants_help(argc, argv)) {
        fputs(usage, stdout);
        return CLI_DONE;
    }
    if (strcmp(word, "create") && strcmp(word, "list") && strcmp(word, "show") &&
        strcmp(word, "revoke"))
        return wrong(word[0] ? "unknown: " : "say what to do", word);
    int code = read_options(argc, argv, &options);
    if (code)
        return code;
    struct buffer path;
    buffer_init(&path, 1024);
    code = run(word, &options, &path);
    buffer_done(&path);
    return code;
}
