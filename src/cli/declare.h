/* SPDX-License-Identifier: Apache-2.0
 * What a file declares against what there is: one operation for each thing that is to be made,
 * changed or deleted, for the API to carry out as one (POST /transactions). A thing is declared by
 * the members it is to have, as the API takes them; members that are not named stay as they are,
 * and what is not named at all is left alone. `absent: true` is for what is to go. */
#ifndef CLI_DECLARE_H
#define CLI_DECLARE_H

#include "cli/client.h"

enum declare_act { DECLARE_MAKE = 0, DECLARE_CHANGE, DECLARE_DELETE };

struct declare_change {
    enum declare_act act;
    char what[320];        /* "budget acme/monthly" */
    char path[768];        /* of the operation */
    char etag[32];         /* of what was compared; "" where there is nothing */
    struct buffer body;    /* of the operation */
    struct buffer members; /* JSON: [{"member","from","to"}], of a change */
    bool is_key;           /* its text is in the reply, once */
};

struct declare_plan {
    struct declare_change *changes;
    size_t len, room;
};

/* Compares; reads through the client, changes nothing. declared: the file as JSON. Returns an exit
 * code; other than CLI_DONE it has said on stderr what is wrong, and where. */
__attribute__((warn_unused_result)) int declare_compare(struct client *client, struct json declared,
                                                        struct declare_plan *ret_plan);
void declare_done(struct declare_plan *plan);

#endif
