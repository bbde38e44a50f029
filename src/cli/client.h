/* SPDX-License-Identifier: Apache-2.0
 * How a command speaks to mete: over HTTP to the server that runs on the data directory, or, when
 * none runs, to the same API in this process with the data opened here. Either way the words and
 * the answers are those of docs/openapi.yaml. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "api/out.h"
#include "cli/cli.h"
#include "codec/json_scan.h"

/* Options that every such command has. */
struct client_options {
    const char *data;     /* --data: the directory */
    const char *server;   /* --server: "http://127.0.0.1:8081"; NULL: whoever runs on data */
    const char *token;    /* --token; NULL: METE_ADMIN_TOKEN, or the directory's */
    bool json;            /* --json */
    bool seals;           /* data opened here are opened with their sealing key */
    const char *key_file; /* of that; NULL: $METE_SEALING_KEY_FILE */
};

/* Whether --help or help is among the arguments. */
bool client_wants_help(int argc, char **argv);
/* Takes argv[*at] (and its value) if it is one of these. 1: taken, *at stands behind it; 0: it is
 * another; -1: its value is missing. */
int client_option(int argc, char **argv, int *at, struct client_options *options);

struct client;

/* Functions below return an exit code; other than CLI_DONE they have said why on stderr. */
__attribute__((warn_unused_result)) int client_open(const struct client_options *options,
                                                    struct client **ret_client);
void client_close(struct client *client);

struct client_reply {
    int status;
    char etag[32];        /* "" if there was none */
    char next_cursor[32]; /* of what is no JSON; "" on the last page */
    struct buffer body;
};

/* The calls that follow may take as long as they like; others have a minute. */
void client_be_patient(struct client *client);
/* body.data NULL: none. Any HTTP answer is CLI_DONE; reply is to be done by the caller. */
__attribute__((warn_unused_result)) int client_call(struct client *client, const char *method,
                                                    const char *path, struct slice body,
                                                    struct client_reply *ret_reply);
void client_reply_done(struct client_reply *reply);

/* Says what the problem was, and gives the exit code for it; CLI_DONE for 2xx. */
int client_problem(const struct client_reply *reply);

/* Appends text to a path or query, percent-encoded. */
void client_encode(struct buffer *path, const char *text);

/* ---- Printing ----------------------------------------------------------------------------------
 */

struct client_column {
    const char *title;
    const char *path; /* of the member: "scope.id" */
};

/* All pages of a list, as a table or as {"data": [...]}. */
__attribute__((warn_unused_result)) int client_print_list(struct client *client, const char *path,
                                                          const struct client_options *options,
                                                          const struct client_column *columns,
                                                          size_t columns_len);
/* Calls method on the one thing of that name below a path ("/api/v1/models/"), and prints it. */
__attribute__((warn_unused_result)) int
client_print_item(struct client *client, const char *method, const char *below, const char *name,
                  struct slice body, const struct client_options *options,
                  const struct client_column *columns, size_t columns_len);
/* A table of the body's "data", of one page, or the body. */
__attribute__((warn_unused_result)) int client_print_data(struct slice body,
                                                          const struct client_options *options,
                                                          const struct client_column *columns,
                                                          size_t columns_len);
/* A table of an array's objects. */
void client_print_rows(struct json rows, const struct client_column *columns, size_t columns_len);
/* One object: its members a line each, or as it came. */
void client_print_one(struct slice json, const struct client_options *options,
                      const struct client_column *rows, size_t rows_len);
/* A member by path, as text; "-" for null, "" if it is not there. */
void client_member(struct json object, const char *path, char *room, size_t room_len);

#endif
