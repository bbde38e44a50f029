/* SPDX-License-Identifier: Apache-2.0
 * mete cut - cuts the journal: asked of the server that runs on the data, or done here when none
 * does. */
#include "cli/cli.h"
#include "cli/client_words.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: mete cut [--yes] [--data DIR] [--server URL] [--token T] [--json]\n"
    "Makes a verified snapshot of the present state the base of the journal and deletes the "
    "journal\n"
    "before it, while the server runs or with none. Figures, records and what is open stay; what\n"
    "explain tells of older entries goes, and records.db can no longer be made anew: back up "
    "first. It needs --yes, or a yes at the terminal.\n"
    "Exit: 0 done, 1 not agreed to, 2 usage, 3 it failed.\n";

static const struct client_column columns[] = {{"base", "seq"}, {"journal bytes", "journal_bytes"}};

static int ask(struct client *client, const struct client_options *options)
{
    struct client_reply reply;
    client_be_patient(client);
    int code = client_call(client, "POST", "/api/v1/cut", (struct slice){0}, &reply);
    if (code)
        return code;
    code = client_problem(&reply);
    if (!code)
        client_print_one(buffer_slice(&reply.body), options, columns, 2);
    client_reply_done(&reply);
    return code;
}

int cli_cut(int argc, char **argv)
{
    struct client_options options = {0};
    bool yes = false;
    if (client_wants_help(argc, argv)) {
        fputs(usage, stdout);
        return CLI_DONE;
    }
    for (int at = 1; at < argc;) {
        int taken = client_option(argc, argv, &at, &options);
        if (taken < 0)
            return client_words_wrong("cut", usage, "a value is missing after ", argv[at]);
        if (taken)
            continue;
        if (strcmp(argv[at], "--yes") != 0)
            return client_words_wrong("cut", usage, "unknown: ", argv[at]);
        yes = true;
        at++;
    }
    if (!client_agreed("cut", "deleting the journal before now", yes))
        return CLI_NO;
    struct client *client;
    int code = client_open(&options, &client);
    if (code)
        return code;
    code = ask(client, &options);
    client_close(client);
    return code;
}
