/* SPDX-License-Identifier: Apache-2.0
 * What `mete plan`, `mete package` and `mete code` have in common: an organization, what is granted
 * (--grant), whom for (--scope), and a table of what each word asks for. */
#ifndef CLI_PREPAID_H
#define CLI_PREPAID_H

#include "cli/client_words.h"

enum { PREPAID_GRANTS = 4 };

struct prepaid_options {
    struct client_options client;
    const char *organization, *scope, *id, *name, *description, *price, *currency, *reference;
    const char *package, *count, *uses, *expires_at;
    const char *subject;
    const char *grants[PREPAID_GRANTS];
    size_t grants_len;
    bool yes;
};

enum {
    PREPAID_NAMED = 1,   /* the word takes an ID, */
    PREPAID_SUBJECT = 3, /* which stands for the % of its path */
    PREPAID_LIST = 4,    /* it prints pages */
    PREPAID_DATA = 8,    /* its reply is a list */
    PREPAID_ENDS = 16    /* it cannot be undone, and asks first */
};

struct prepaid_act {
    const char *word, *method;
    const char *path; /* behind the organization's: "/plans/%" */
    unsigned flags;
    void (*write)(const struct prepaid_options *options, struct out *body); /* NULL: no body */
    const struct client_column *columns;
    size_t columns_len;
};

struct prepaid_command {
    const char *name, *usage;
    const struct prepaid_act *acts;
    size_t acts_len;
};

int prepaid_run(const struct prepaid_command *command, int argc, char **argv);

/* Members of a body, each if it was given. --grant UNIT=AMOUNT, then ",priority=N", ",rollover",
 * ",rollover=CAP", ",days=N". */
void prepaid_put_grants(const struct prepaid_options *options, struct out *body);
/* {"name","description", and so on}, the grants behind them; the object is closed. */
void prepaid_put_offer(const struct prepaid_options *options, struct out *body);
void prepaid_put_number(struct out *body, const char *name, const char *text);

#endif
