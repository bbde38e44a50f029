/* SPDX-License-Identifier: Apache-2.0
 * mete provider - the providers of the gateway: how they are, taken out of use and back. */
#include "cli/cli.h"
#include "cli/client_words.h"

#include <stdio.h>

static const char usage[] =
    "usage: mete provider list\n"
    "       mete provider show PROVIDER\n"
    "       mete provider enable PROVIDER\n"
    "       mete provider disable PROVIDER\n"
    "Each takes --json, --data DIR, --server URL and --token T. With a server running on the data\n"
    "directory the command asks it. Of one that is disabled nothing new is asked from then on, "
    "also\n"
    "after a restart; calls under way go on. Without a server nobody knows the providers: they "
    "can\n"
    "be enabled and disabled, and the next server goes by it.\n";

struct provider_options {
    struct client_options client;
    const char *subject;
};

static const struct client_column columns[] = {
    {"provider", "id"},           {"enabled", "enabled"}, {"circuit", "circuit"},
    {"calls", "calls"},           {"failed", "failed"},   {"last error", "last_error.kind"},
    {"credential", "credential"}, {"url", "base_url"},
};
#define LEN(array) (sizeof(array) / sizeof *(array))

static int wrong(const char *why, const char *what)
{
    return client_words_wrong("provider", usage, why, what);
}

static int ask(struct client *client, const struct provider_options *options, const char *word)
{
    bool shows = !strcmp(word, "show"), enables = !strcmp(word, "enable");
    struct slice body = shows     ? (struct slice){0}
                        : enables ? SLICE_LITERAL("{\"enabled\":true}")
                                  : SLICE_LITERAL("{\"enabled\":false}");
    return client_print_item(client, shows ? "GET" : "PUT", "/api/v1/providers/", options->subject,
                             body, &options->client, columns, LEN(columns));
}

static int run(const char *word, const struct provider_options *options)
{
    bool lists = !strcmp(word, "list");
    struct client *client;
    if (lists && options->subject)
        return wrong("unknown: ", options->subject);
    if (!lists && !options->subject)
        return wrong("the PROVIDER is missing", "");
    int code = client_open(&options->client, &client);
    if (code)
        return code;
    code = lists ? client_print_list(client, "/api/v1/providers", &options->client, columns,
                                     LEN(columns))
                 : ask(client, options, word);
    client_close(client);
    return code;
}

int cli_provider(int argc, char **argv)
{
    static const char *const all[] = {"list", "show", "enable", "disable", NULL};
    struct provider_options options = {.subject = NULL};
    const char *word = argc > 1 ? argv[1] : "";
    if (client_wants_help(argc, argv)) {
        fputs(usage, stdout);
        return CLI_DONE;
    }
    if (!client_words_has(all, word))
        return wrong(word[0] ? "unknown: " : "say what to do", word);
    const struct client_words words = {.command = "provider",
                                       .usage = usage,
                                       .options = &options.client,
                                       .subject = &options.subject};
    int code = client_words_read(&words, argc, argv);
    return code ? code : run(word, &options);
}
