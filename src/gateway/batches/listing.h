/* SPDX-License-Identifier: Apache-2.0
 * Lists of files and of batches, newest first, in OpenAI's shape: what is kept of each, a page at a
 * time (after, limit, order). */
#ifndef GATEWAY_BATCHES_LISTING_H
#define GATEWAY_BATCHES_LISTING_H

#include "gateway/batches/errand.h"

/* The page that the query asks for, into errand->documents. False: it has failed. */
bool listing_read(struct errand *errand, enum document_kind kind);

struct listed {
    struct slice id, object; /* object empty: the id and what it is are all that is known */
    const char *what;        /* "file" */
};
/* What was found; show() reads one document, false: it is left out. */
void listing_reply(struct errand *errand,
                   bool (*show)(struct slice document, struct listed *ret_listed));

#endif
