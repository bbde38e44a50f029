/* SPDX-License-Identifier: Apache-2.0
 * mete model - the models: what they are, by which names they are asked for, and which were asked
 * for and are not known. */
#include "cli/cli.h"
#include "cli/client_words.h"

#include <stdio.h>

static const char usage[] =
    "usage: mete model list [--model BEGINNING] [--type T] [--provider P] [--status S]\n"
    "       mete model show MODEL\n"
    "       mete model set MODEL [--type T] [--alias-of M] [--context N] [--max-output N]\n"
    "                 [--enabled yes|no]\n"
    "Each takes --json, --data DIR, --server URL and --token T. With a server running on the data\n"
    "directory the command asks it. T: text, embedding, image, audio, video. S: active, disabled,\n"
    "unpriced, draft (asked for by a client and not known: mete price apply gives it a price).\n"
    "--alias-of \"\": it is none. A call of a disabled model is refused.\n";

struct model_options {
    struct client_options client;
    const char *subject, *model, *type, *provider, *status, *alias, *context, *output, *enabled;
};

static const struct client_column columns[] = {
    {"model", "id"},
    {"type", "type"},
    {"status", "status"},
    {"alias of", "alias_of"},
    {"input/M", "price.prices.input_per_million"},
    {"output/M", "price.prices.output_per_million"},
    {"context", "context_tokens"},
    {"max output", "max_output_tokens"},
};
#define LEN(array) (sizeof(array) / sizeof *(array))

static int wrong(const char *why, const char *what)
{
    return client_words_wrong("model", usage, why, what);
}

static int put(struct buffer *path, const char *name, const char *text)
{
    bool first = !memchr(path->data, '?', path->len);
    if (!text)
        return 0;
    int rc = buffer_format(path, "%c%s=", first ? '?' : '&', name);
    if (!rc)
        client_encode(path, text);
    return rc;
}

static int list(struct client *client, const struct model_options *options)
{
    struct buffer path;
    buffer_init(&path, 4096);
    int rc = buffer_text(&path, "/api/v1/models");
    if (!rc)
        rc = put(&path, "model", options->model);
    if (!rc)
        rc = put(&path, "type", options->type);
    if (!rc)
        rc = put(&path, "provider", options->provider);
    if (!rc)
        rc = put(&path, "status", options->status);
    if (!rc)
        rc = buffer_append(&path, (struct slice){"", 1});
    int code = rc ? wrong("too long", "")
                  : client_print_list(client, path.data, &options->client, columns, LEN(columns));
    buffer_done(&path);
    return code;
}

static void write_change(const struct model_options *options, struct out *body)
{
    out_open(body, '{');
    client_put(body, "type", options->type);
    client_put(body, "alias_of", options->alias);
    if (options->context) {
        out_key(body, "context_tokens");
        client_put_number(body, options->context);
    }
    if (options->output) {
        out_key(body, "max_output_tokens");
        client_put_number(body, options->output);
    }
    if (options->enabled)
        out_member_bool(body, "enabled", !strcmp(options->enabled, "yes"));
    out_close(body, '}');
}

static int ask(struct client *client, const struct model_options *options, bool sets)
{
    struct out body;
    out_init(&body, 16384);
    if (sets)
        write_change(options, &body);
    int code = body.failed ? wrong("too long: ", options->subject)
                           : client_print_item(client, sets ? "PUT" : "GET", "/api/v1/models/",
                                               options->subject, buffer_slice(&body.bytes),
                                               &options->client, columns, LEN(columns));
    out_done(&body);
    return code;
}

static int run(const char *word, const struct model_options *options)
{
    bool lists = !strcmp(word, "list");
    struct client *client;
    if (lists && options->subject)
        return wrong("unknown: ", options->subject);
    if (!lists && !options->subject)
        return wrong("the MODEL is missing", "");
    if (options->enabled && strcmp(options->enabled, "yes") && strcmp(options->enabled, "no"))
        return wrong("--enabled takes yes or no, not ", options->enabled);
    int code = client_open(&options->client, &client);
    if (code)
        return code;
    code = lists ? list(client, options) : ask(client, options, !strcmp(word, "set"));
    client_close(client);
    return code;
}

int cli_model(int argc, char **argv)
{
    static const char *const all[] = {"list", "show", "set", NULL};
    struct model_options options = {.subject = NULL};
    const char *word = argc > 1 ? argv[1] : "";
    if (client_wants_help(argc, argv)) {
        fputs(usage, stdout);
        return CLI_DONE;
    }
    if (!client_words_has(all, word))
        return wrong(word[0] ? "unknown: " : "say what to do", word);
    const struct client_word known[] = {
        {"--model", &options.model},       {"--type", &options.type},
        {"--provider", &options.provider}, {"--status", &options.status},
        {"--alias-of", &options.alias},    {"--context", &options.context},
        {"--max-output", &options.output}, {"--enabled", &options.enabled}};
    const struct client_words words = {.command = "model",
                                       .usage = usage,
                                       .options = &options.client,
                                       .subject = &options.subject,
                                       .known = known,
                                       .known_len = LEN(known)};
    int code = client_words_read(&words, argc, argv);
    return code ? code : run(word, &options);
}
