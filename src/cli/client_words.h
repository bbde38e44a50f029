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

/* An option that may stand several times. */
struct client_list {
    const char *name;
    const char **values;
    size_t *len, max;
};

/* An option without a value. */
struct client_flag {
    const char *name;
    bool *value;
};

struct client_words {
    const char *command, *usage;
    struct client_options *options;
    const char **subject;
    const struct client_word *known;
    size_t known_len;
    const struct client_list *lists;
    size_t lists_len;
    const struct client_flag *flags;
    size_t flags_len;
};

/* Reads argv from its third word on. CLI_DONE, or CLI_USAGE when it has said what is wrong. */
__attribute__((warn_unused_result)) int client_words_read(const struct client_words *words,
                                                          int argc, char **argv);
/* Whether word is one of all, whose last one is NULL. */
bool client_words_has(const char *const *all, const char *word);
/* Says that the command is wrong, and how it goes. CLI_USAGE. */
int client_words_wrong(const char *command, const char *usage, const char *why, const char *what);

/* Whether what cannot be undone is to be done: --yes, or a yes at the terminal. False: it has said
 * what is missing. */
bool client_agreed(const char *command, const char *question, bool yes);

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
