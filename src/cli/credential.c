/* SPDX-License-Identifier: Apache-2.0
 * mete credential - seals the credentials of providers. A secret is read from a file or standard
 * input, never from an argument, which everybody on the machine could read. */
#include "cli/cli.h"
#include "cli/client_words.h"
#include "cli/secret_input.h"

#include "base/limits.h"
#include "vault/vault.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: mete credential set PROVIDER [--file F]\n"
    "       mete credential list\n"
    "       mete credential remove PROVIDER [--yes]\n"
    "       mete credential reseal --new-key-file F\n"
    "       mete credential new-key FILE\n"
    "Each but new-key takes --json, --data DIR, --server URL and --token T. With a server running "
    "on\n"
    "the data directory the command asks it; with none it opens the data itself, with the sealing\n"
    "key in --key-file F or $METE_SEALING_KEY_FILE.\n"
    "set reads the credential from F, else from standard input: one line. The provider's next call "
    "is\n"
    "made with it. remove needs --yes, or a yes at the terminal. list shows no secret. reseal "
    "seals\n"
    "everything under another key, which sealing_key_file must name at the server's next start.\n"
    "new-key makes a sealing key in a new\n"
    "file, which only its owner may read: keep it outside the data directory, and a copy of it.\n";

struct credential_options {
    struct client_options client;
    const char *subject, *file, *new_key_file;
    bool yes;
};

static const struct client_column columns[] = {
    {"provider", "provider"}, {"version", "version"}, {"sealed", "sealed_at"},
    {"key", "key"},           {"used", "used"},
};
static const struct client_column resealed[] = {{"key", "key"}, {"credentials", "credentials"}};
enum { COLUMNS = sizeof columns / sizeof columns[0] };
#define CREDENTIALS "/api/v1/credentials"

static int wrong(const char *why, const char *what)
{
    return client_words_wrong("credential", usage, why, what);
}

/* ---- The secret -------------------------------------------------------------------------------
 */

static int read_secret(const char *file, char room[LIMIT_CREDENTIAL + 2], struct slice *ret_secret)
{
    const struct secret_question question = {"credential", "credential: ", file};
    struct slice secret;
    int code = secret_input(&question, room, LIMIT_CREDENTIAL + 2, &secret);
    if (code)
        return code;
    if (vault_secret_is_good(secret)) {
        *ret_secret = secret;
        return CLI_DONE;
    }
    fprintf(stderr, "mete credential: a credential is 1 to %d bytes of printable ASCII\n",
            LIMIT_CREDENTIAL);
    return CLI_USAGE;
}

/* ---- What is asked ----------------------------------------------------------------------------
 */

static int ask(const struct credential_options *options, const char *method, const char *path,
               struct slice body)
{
    struct client *client;
    struct client_reply reply;
    int code = client_open(&options->client, &client);
    if (code)
        return code;
    code = client_call(client, method, path, body, &reply);
    if (!code) {
        bool of_all = !strcmp(method, "POST");
        code = client_problem(&reply);
        if (!code && reply.body.len)
            client_print_one(buffer_slice(&reply.body), &options->client,
                             of_all ? resealed : columns, of_all ? 2 : COLUMNS);
        client_reply_done(&reply);
    }
    client_close(client);
    return code;
}

static int ask_with(const struct credential_options *options, const char *method, const char *path,
                    const char *name, struct slice value)
{
    struct out body;
    out_init(&body, 16 * 1024);
    out_open(&body, '{');
    out_member_text(&body, name, value);
    out_close(&body, '}');
    int code = body.failed ? CLI_FAILED : ask(options, method, path, buffer_slice(&body.bytes));
    if (body.bytes.room)
        explicit_bzero(body.bytes.data, body.bytes.room);
    out_done(&body);
    return code;
}

static int set(const struct credential_options *options, const char *path)
{
    char room[LIMIT_CREDENTIAL + 2];
    struct slice secret;
    int code = read_secret(options->file, room, &secret);
    if (!code)
        code = ask_with(options, "PUT", path, "secret", secret);
    explicit_bzero(room, sizeof room);
    return code;
}

static int of_provider(const struct credential_options *options, bool sets)
{
    struct buffer path;
    buffer_init(&path, 1024);
    int rc = buffer_text(&path, "/api/v1/providers/");
    client_encode(&path, options->subject);
    if (!rc)
        rc = buffer_text(&path, "/credential");
    if (!rc)
        rc = buffer_append(&path, (struct slice){"", 1});
    int code = rc     ? wrong("too long: ", options->subject)
               : sets ? set(options, path.data)
                      : ask(options, "DELETE", path.data, (struct slice){0});
    buffer_done(&path);
    return code;
}

static int list(const struct credential_options *options)
{
    struct client *client;
    int code = client_open(&options->client, &client);
    if (code)
        return code;
    code = client_print_list(client, CREDENTIALS, &options->client, columns, COLUMNS);
    client_close(client);
    return code;
}

static int reseal(const struct credential_options *options)
{
    char *path = realpath(options->new_key_file, NULL);
    if (!path) {
        fprintf(stderr, "mete credential: %s: %s\n", options->new_key_file, strerror(errno));
        return CLI_FAILED;
    }
    int code = ask_with(options, "POST", CREDENTIALS "/reseal", "key_file", slice_of(path));
    if (!code)
        fprintf(stderr, "mete credential: sealing_key_file must be %s from the next start on\n",
                path);
    free(path);
    return code;
}

static int new_key(const char *file)
{
    char id[VAULT_KEY_ID + 1], detail[VAULT_DETAIL];
    int error = vault_key_make(file, id, detail);
    if (!error) {
        printf("made sealing key %s in %s: keep a copy of it, apart from those of the data\n", id,
               file);
        return CLI_DONE;
    }
    fprintf(stderr, "mete credential: %s\n", detail);
    return error == METE_E_EXISTS ? CLI_NO : CLI_FAILED;
}

static int run(const char *word, const struct credential_options *options)
{
    bool sets = !strcmp(word, "set"), removes = !strcmp(word, "remove");
    bool makes = !strcmp(word, "new-key"), reseals = !strcmp(word, "reseal");
    if ((sets || removes || makes) && !options->subject)
        return wrong(makes ? "the FILE is missing" : "the PROVIDER is missing", "");
    if (!sets && !removes && !makes && options->subject)
        return wrong("unknown: ", options->subject);
    if (options->file && !sets)
        return wrong("unknown: ", "--file");
    if (reseals != (options->new_key_file != NULL))
        return wrong(reseals ? "--new-key-file is missing" : "unknown: --new-key-file", "");
    if (removes && !client_agreed("credential", "removing a credential", options->yes))
        return CLI_NO;
    return makes             ? new_key(options->subject)
           : reseals         ? reseal(options)
           : sets || removes ? of_provider(options, sets)
                             : list(options);
}

int cli_credential(int argc, char **argv)
{
    static const char *const all[] = {"set", "list", "remove", "reseal", "new-key"};
    struct credential_options options = {.client = {.seals = true}};
    const char *word = argc > 1 ? argv[1] : "";
    bool known = false;
    if (client_wants_help(argc, argv)) {
        fputs(usage, stdout);
        return CLI_DONE;
    }
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        known = known || !strcmp(word, all[i]);
    if (!known)
        return wrong(word[0] ? "unknown: " : "say what to do", word);
    const struct client_word words_known[] = {{"--file", &options.file},
                                              {"--key-file", &options.client.key_file},
                                              {"--new-key-file", &options.new_key_file}};
    const struct client_flag yes = {"--yes", &options.yes};
    const struct client_words words = {.command = "credential",
                                       .usage = usage,
                                       .options = &options.client,
                                       .subject = &options.subject,
                                       .known = words_known,
                                       .known_len = sizeof words_known / sizeof words_known[0],
                                       .flags = &yes,
                                       .flags_len = 1};
    int code = client_words_read(&words, argc, argv);
    return code ? code : run(word, &options);
}
