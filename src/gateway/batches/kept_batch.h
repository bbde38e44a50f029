/* SPDX-License-Identifier: Apache-2.0
 * What is kept of a batch: a document of kind BATCH, under the provider's id, of the organization
 * whose key began it. One line of JSON. */
#ifndef GATEWAY_BATCHES_KEPT_BATCH_H
#define GATEWAY_BATCHES_KEPT_BATCH_H

#include "base/buffer.h"
#include "mete.h"

/* Slices borrow: from what is written, or from the document that was read. */
struct kept_batch {
    struct slice id, provider, file, endpoint, model;
    struct slice real;   /* what model is another name of, or itself */
    struct slice output; /* the file with its answers, once it is over; empty: none, or not yet */
    uint64_t reservation;
    int64_t at_us; /* when it was reserved, and by which prices it is billed */
    uint32_t currency;
    int64_t cost, tokens, line_cost, line_tokens; /* worst cases, as of its file */
    int64_t completed; /* calls that succeeded, by the provider's own count; -1: it does not say */
    bool over;         /* the provider is done with it */
    bool settled;      /* its reservation has ended by its true figures */
    struct slice object;
};

METE_MUST_USE int kept_batch_write(const struct kept_batch *batch, struct buffer *out);
/* false: it is no such document. */
bool kept_batch_read(struct slice document, struct kept_batch *ret_batch);
/* Takes what the provider says of it now. False: that is no batch. output is borrowed from object.
 */
bool kept_batch_told(struct kept_batch *batch, struct slice object);

/* How the document of a batch with this reservation can be told from all others. */
enum { KEPT_BATCH_MARK = 48 };
struct slice kept_batch_mark(uint64_t reservation, char room[KEPT_BATCH_MARK]);

#endif
