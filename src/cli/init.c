/* SPDX-License-Identifier: Apache-2.0
 * mete init [--data DIR] - what a first start does, without starting: the data directory, its admin
 * token, an example organization. Of a directory that has them it changes nothing. */
#include "cli/cli.h"

#include "server/server.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: mete init [--data DIR]\n"
    "Makes the data directory with its admin token (DIR/admin.token) and an organization, "
    "example.\n"
    "What is there already is left as it is. Default directory: $METE_DATA, else mete-data.\n"
    "Exit: 0 it is there, 2 usage, 3 it could not be made, or a server runs on it.\n";

static int make(const char *path)
{
    char detail[256];
    struct home home;
    struct mete *mete = NULL;
    struct mete_port *port = NULL;
    bool made = false;
    int error = home_open(path, &home, detail);
    if (error) {
        fprintf(stderr, "mete init: %s\n", detail);
        return CLI_FAILED;
    }
    const struct mete_options options = {.directory = home.path};
    error = mete_open(&options, &mete);
    if (!error)
        error = mete_port_open(mete, &port);
    if (!error)
        error = server_make_example(port, &made);
    mete_port_close(port);
    mete_close(mete);
    if (error) {
        fprintf(stderr, "mete init: %s: %s\n", path, mete_error_text(error));
        return CLI_FAILED;
    }
    printf("mete: data in %s%s\n", home.path, made ? ", with an organization, example" : "");
    if (home.token_made)
        printf("mete: the admin token is in %s/admin.token, and shown this once: %s\n", home.path,
               home.admin_token);
    return CLI_DONE;
}

int cli_init(int argc, char **argv)
{
    const char *path = home_default();
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return CLI_DONE;
        }
        if (strcmp(argv[i], "--data") != 0 || i + 1 == argc) {
            fprintf(stderr, "mete init: %s: unknown, or without its value\n%s", argv[i], usage);
            return CLI_USAGE;
        }
        path = argv[++i];
    }
    return make(path);
}
