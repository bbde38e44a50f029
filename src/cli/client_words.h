/* SPDX-License-Identifier: Apache-2.0
 * The words of a command that speaks to mete: options with values, options that may be repeated,
 * those of every such command (client.h), and at most one word that is none: the subject. And the
 * members that such options become in a request. */
#ifndef CLI_CLIENT_WORDS_H
#define CLI_CLIENT_WORDS_H

#include "cli/client.h"

struct client_word {
    const char *name; /* "--user" */
    const char **value;
};

struct client_words {
    const char *command, *usage;
    struct client_options *options;
    const char **subject;
    const struct client_word *known;
    size_t known_len;
    const char *repeated; /* the option that may stand several times; NULL: none */
    const char **values;
    size_t *values_len, values_max;
};

/* Reads argv from its third word on. CLI_DONE, or CLI_USAGE when it has said what is wrong. */
__attribute__((warn_unused_result)) int client_words_read(const struct client_words *words,
                                                          int argc, char **argv);
/* Says that the command is wrong, and how it goes. CLI_USAGE. */
int client_words_wrong(const char *command, const char *usage, const char *why, const char *what);

struct client_scope {
    struct slice kind;
    const char *id;
};
/* Of --scope KIND:ID; the organization itself where scope is NULL. */
struct client_scope client_scope_of(const char *scope, const char *organization);
/* The member "scope" of it. */
void client_put_scope(struct out *out, const char *scope, const char *organization);
/* A member with the text given, if one was. */
void client_put(struct out *out, const char *name, const char *text);
/* A value: the number where the text is one, else the text, of which the API says what is wrong. */
void client_put_number(struct out *out, const char *text);

#endif
