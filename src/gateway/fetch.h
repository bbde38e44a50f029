/* SPDX-License-Identifier: Apache-2.0
 * An answer that was made before is asked for again: retrieved, cancelled, deleted, or its input
 * listed. Nothing is reserved and nothing is billed again; but a retrieval that finds the answer of
 * a provisional record finished settles that record, once. */
#ifndef GATEWAY_FETCH_H
#define GATEWAY_FETCH_H

#include "gateway/inside.h"

struct fetch;
struct call;

/* target->id is not empty. Ends in a reply. */
void fetch_begin(struct gateway *gateway, struct exchange *exchange, const struct dialect *format,
                 const struct dialect_target *target);
void fetch_gone(struct fetch *fetch);
void fetch_drained(struct fetch *fetch);

/* A call is over and recorded: where its answer can be had, if its provider keeps it. */
void fetch_remember(struct call *call);
/* Whether an answer that a request goes on from is of another organization than its key. */
bool fetch_is_foreign(const struct gateway *gateway, struct slice id,
                      struct mete_scope_id organization);

#endif
