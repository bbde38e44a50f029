/* SPDX-License-Identifier: Apache-2.0
 * Commands over one kind of thing of an organization that is made, listed, shown, changed and
 * deleted: what tells one from another is a table. */
#ifndef CLI_ENTITY_H
#define CLI_ENTITY_H

#include "cli/client_words.h"

enum entity_act {
    ENTITY_MAKE,   /* POST; the subject is the member makes_of */
    ENTITY_LIST,   /* GET of all */
    ENTITY_SHOW,   /* GET of the subject */
    ENTITY_SET,    /* PUT */
    ENTITY_SECRET, /* PUT of a password that is typed, or comes from --file */
    ENTITY_DELETE  /* DELETE; with --yes, or a yes at the terminal */
};

struct entity_verb {
    const char *word; /* NULL ends the list */
    enum entity_act act;
};

enum { ENTITY_FIELDS = 8 };

struct entity_field {
    const char *option, *member; /* "--parent", "parent"; an empty value is null */
};

struct entity_command {
    const char *name, *usage;
    const char *path;     /* behind the organization's: "/departments"; NULL: organizations */
    const char *makes_of; /* "id" */
    const struct entity_verb *verbs;
    struct entity_field fields[ENTITY_FIELDS];
    const char *repeated, *repeated_member; /* "--permission", "permissions"; NULL: none */
    const struct client_column *columns;
    size_t columns_len,
        list_len; /* in a list only the first list_len, without what is shown once */
    size_t list_from;
};

int entity_run(const struct entity_command *command, int argc, char **argv);

#endif
