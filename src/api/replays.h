/* SPDX-License-Identifier: Apache-2.0
 * Writes with an Idempotency-Key: the first one is carried out, its reply is kept for a day, and
 * whoever sends the same again (the same principal, key, method, path and body) is given that reply
 * and the header Idempotency-Replayed. Other content under the same key is CONTENT, a first one
 * that is still being answered IN_FLIGHT.
 *
 * The key is journaled in the very batch of the change it stands for, so that a crash between the
 * change and its reply does not make the change twice: then a repeat is told that it was done, and
 * not what was answered. Only what succeeded is kept. A secret in a reply is kept as asterisks.
 * THREAD the event loop. */
#ifndef API_REPLAYS_H
#define API_REPLAYS_H

#include "base/slice.h"
#include "mete.h"

struct request;

enum { REPLAY_ID = 33 }; /* "r" and 128 bits, hex */

struct replay {
    struct replay *next;    /* of those being answered */
    char id[REPLAY_ID + 1]; /* of the document: who asked, and the key */
    uint64_t content;       /* of method, path and body */
    bool is_marked;         /* the change it stands for is journaled with it */
    struct slice was;       /* the document, if it was answered before */
    struct slice over[2];   /* ids of documents whose day is over */
    size_t over_len;
    struct mete_change changes[4];
};

/* Begins a request that has the header, or goes on at once with one that has none; then() is its
 * route's first step, unless a reply was kept. */
void replays_begin(struct request *request, void (*then)(struct request *request));
/* The changes of a request with its mark behind them; the same ones if it needs none. NULL: no
 * memory. *len grows by 1. */
const struct mete_change *replays_mark(struct request *request, const struct mete_change *changes,
                                       size_t *len);
/* Keeps the reply in request->out, then goes on. */
void replays_keep(struct request *request, int status, void (*then)(struct request *request));
/* The request ends. */
void replays_end(struct request *request);

#endif
