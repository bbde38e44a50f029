/* SPDX-License-Identifier: Apache-2.0
 * mete org markup - what an organization pays of the price list: shown, said, ended. */
#include "cli/markup.h"

#include "base/limits.h"
#include "cli/client_words.h"

#include <stdio.h>

struct markup_options {
    struct client_options client;
    const char *organization, *percent, *effective;
    const char *models[LIMIT_MARKUP_MODELS];
    size_t models_len;
    bool ends, yes;
};

static const struct client_column now[] = {{"percent", "percent"},
                                           {"models", "models"},
                                           {"effective", "effective_at"},
                                           {"dates", "dates"}};
#define LEN(array) (sizeof(array) / sizeof *(array))

static void write_body(const struct markup_options *options, struct out *out)
{
    out_open(out, '{');
    client_put(out, "percent", options->percent);
    client_put(out, "effective_at", options->effective);
    if (options->models_len) {
        out_key(out, "models");
        out_open(out, '[');
        for (size_t i = 0; i < options->models_len; i++)
            out_text(out, slice_of(options->models[i]));
        out_close(out, ']');
    }
    out_close(out, '}');
}

static int ask(struct client *client, const struct markup_options *options, const char *path)
{
    struct client_reply reply;
    struct out body;
    const char *method = options->ends ? "DELETE" : options->percent ? "PUT" : "GET";
    out_init(&body, 64 * 1024);
    if (options->percent)
        write_body(options, &body);
    int code = client_call(client, method, path, buffer_slice(&body.bytes), &reply);
    out_done(&body);
    if (code)
        return code;
    code = client_problem(&reply);
    if (!code && reply.body.len)
        client_print_one(buffer_slice(&reply.body), &options->client, now, LEN(now));
    client_reply_done(&reply);
    return code;
}

static int run(const struct markup_options *options)
{
    struct client *client;
    struct buffer path;
    int code = client_open(&options->client, &client);
    if (code)
        return code;
    buffer_init(&path, 1024);
    int rc = buffer_text(&path, "/api/v1/organizations/");
    client_encode(&path, options->organization);
    rc |= buffer_text(&path, "/markup") | buffer_append(&path, (struct slice){"", 1});
    code = rc ? CLI_FAILED : ask(client, options, path.data);
    buffer_done(&path);
    client_close(client);
    return code;
}

static int check(const struct markup_options *options, const char *usage)
{
    bool says = options->effective || options->models_len;
    if (!options->organization)
        return client_words_wrong("org", usage, "the ID is missing", "");
    if (says && !options->percent)
        return client_words_wrong("org", usage, "--percent is missing", "");
    if (options->ends && options->percent)
        return client_words_wrong("org", usage, "--end takes no --percent", "");
    return CLI_DONE;
}

int cli_org_markup(int argc, char **argv, const char *usage)
{
    struct markup_options options = {0};
    const struct client_word known[] = {{"--percent", &options.percent},
                                        {"--effective", &options.effective}};
    const struct client_list models = {"--model", options.models, &options.models_len,
                                       LIMIT_MARKUP_MODELS};
    const struct client_flag flags[] = {{"--end", &options.ends}, {"--yes", &options.yes}};
    const struct client_words words = {.command = "org",
                                       .usage = usage,
                                       .options = &options.client,
                                       .subject = &options.organization,
                                       .known = known,
                                       .known_len = LEN(known),
                                       .lists = &models,
                                       .lists_len = 1,
                                       .flags = flags,
                                       .flags_len = LEN(flags)};
    int code = client_words_read(&words, argc, argv);
    if (!code)
        code = check(&options, usage);
    if (code)
        return code;
    if (options.ends && !client_agreed("org", "ending a markup", options.yes))
        return CLI_NO;
    return run(&options);
}
