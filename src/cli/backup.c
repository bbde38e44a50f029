/* SPDX-License-Identifier: Apache-2.0
 * mete backup, mete restore. A backup is asked of the server that runs on the data, or made here
 * when none does; the files that are not the engine's (the secret, the admin token, what is sealed)
 * are copied here in either case, because a backup without the secret opens no key. */
#include "cli/cli.h"
#include "cli/client_words.h"

#include "base/limits.h"
#include "engine/backup.h"
#include "server/home.h"
#include "vault/vault.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static const char backup_usage[] =
    "usage: mete backup DIRECTORY [--data DIR] [--server URL] [--token T] [--json]\n"
    "Copies the data into a new directory that opens and verifies like the first, while the "
    "server\n"
    "runs or with none. Exit: 0 done, 1 refused (there is something in it), 2 usage, 3 it "
    "failed.\n";

static const char restore_usage[] =
    "usage: mete restore BACKUP DIRECTORY\n"
    "Proves a backup, copies it into a new data directory, and proves that.\n"
    "Exit: 0 done, 1 it is not clean, or there is something in DIRECTORY, 2 usage, 3 it failed.\n";

static const struct client_column columns[] = {{"directory", "directory"}, {"entry", "seq"}};

/* The server may stand elsewhere in the file system. */
static int absolute(const char *path, char room[HOME_PATH])
{
    char here[HOME_PATH];
    int len = -1;
    if (path[0] == '/')
        len = snprintf(room, HOME_PATH, "%s", path);
    else if (getcwd(here, sizeof here))
        len = snprintf(room, HOME_PATH, "%s/%s", here, path);
    if (len > 0 && len < HOME_PATH)
        return CLI_DONE;
    fprintf(stderr, "mete backup: %s is too long\n", path);
    return CLI_USAGE;
}

static int ask(struct client *client, const char *directory, const struct client_options *options)
{
    struct out body;
    struct client_reply reply;
    out_init(&body, 8192);
    out_open(&body, '{');
    out_member_text(&body, "directory", slice_of(directory));
    out_close(&body, '}');
    client_be_patient(client);
    int code = client_call(client, "POST", "/api/v1/backup", buffer_slice(&body.bytes), &reply);
    out_done(&body);
    if (code)
        return code;
    code = client_problem(&reply);
    if (!code)
        client_print_one(buffer_slice(&reply.body), options, columns, 2);
    client_reply_done(&reply);
    return code;
}

static int make(const char *directory, const struct client_options *options)
{
    struct client *client;
    int code = client_open(options, &client);
    if (code)
        return code;
    code = ask(client, directory, options);
    client_close(client);
    if (code || options->server)
        return code; /* the data of a server elsewhere are not here */
    const char *data = options->data ? options->data : home_default();
    if (!home_copy(data, directory) && !vault_copy(data, directory))
        return CLI_DONE;
    fprintf(stderr,
            "mete backup: secret.key, admin.token and credentials.sealed of %s could not be "
            "copied\n",
            data);
    return CLI_FAILED;
}

int cli_backup(int argc, char **argv)
{
    struct client_options options = {0};
    const char *directory = NULL;
    char path[HOME_PATH];
    if (client_wants_help(argc, argv)) {
        fputs(backup_usage, stdout);
        return CLI_DONE;
    }
    for (int at = 1; at < argc;) {
        int taken = client_option(argc, argv, &at, &options);
        if (taken < 0)
            return client_words_wrong("backup", backup_usage, "a value is missing after ",
                                      argv[at]);
        if (taken)
            continue;
        if (argv[at][0] == '-' || directory)
            return client_words_wrong("backup", backup_usage, "unknown: ", argv[at]);
        directory = argv[at++];
    }
    if (!directory || !*directory)
        return client_words_wrong("backup", backup_usage, "the directory is missing", "");
    int code = absolute(directory, path);
    return code ? code : make(path, &options);
}

int cli_restore(int argc, char **argv)
{
    if (client_wants_help(argc, argv)) {
        fputs(restore_usage, stdout);
        return CLI_DONE;
    }
    if (argc != 3 || argv[1][0] == '-' || argv[2][0] == '-')
        return client_words_wrong("restore", restore_usage, "say from where and to where", "");
    struct verify_report report;
    int error = engine_restore(argv[1], argv[2], &report);
    if (!error) {
        printf("restored %s up to entry %" PRIu64 ": clean\n", argv[2], report.last_seq);
        return CLI_DONE;
    }
    if (error == METE_E_CORRUPT)
        printf("not restored: %s\n", report.detail);
    else if (error == METE_E_EXISTS)
        printf("not restored: there is something in %s\n", argv[2]);
    else if (error == METE_E_NOT_FOUND)
        fprintf(stderr, "mete restore: there is no journal in %s\n", argv[1]);
    else
        fprintf(stderr, "mete restore: %s\n", mete_error_text(error));
    return error == METE_E_CORRUPT || error == METE_E_EXISTS ? CLI_NO : CLI_FAILED;
}
