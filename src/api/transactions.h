/* SPDX-License-Identifier: Apache-2.0
 * Many writes as one: each operation goes to its own handler, which comes as far as the change it
 * asks for; the changes of all are one batch of the engine, so all are carried out or none, and
 * then each handler goes on to its reply. An operation sees organizations, departments and users
 * that an earlier one makes; no two are about the same thing. Nobody else changes anything
 * meanwhile, because the transaction has the turn.
 *
 *   begun one after the other --each has collected its changes--> applied --each replies--> replied
 *                             --one fails------------------------------> all fail --------->
 * problem
 *
 * THREAD the event loop. */
#ifndef API_TRANSACTIONS_H
#define API_TRANSACTIONS_H

#include "base/slice.h"
#include "mete.h"

struct request;
struct transaction;

/* POST /transactions */
void transactions_create(struct request *request);

/* ---- For request.c: what is different inside of one --------------------------------------------
 */

/* Takes the changes of an operation; then() follows when all are applied. False: they were applied
 * already, and this is a change of its own. */
bool transaction_collect(struct request *request, const struct mete_change *changes, size_t len,
                         void (*then)(struct request *request));
/* Keeps what is wrong with an operation, for the transaction's reply. */
void transaction_problem(const struct request *request);
/* A scope that an earlier operation makes; n = 0: none does. */
struct mete_scope_id transaction_scope(const struct request *request, enum mete_kind kind,
                                       struct mete_scope_id organization, struct slice id);
/* What an earlier operation makes of such a handle, as a question would be answered. False: it is
 * none of the transaction's. */
bool transaction_view(const struct request *request, struct mete_scope_id scope,
                      struct mete_scope_view *ret_view);
/* Such a handle, or another, as it is after all was applied. */
struct mete_scope_id transaction_made(const struct request *request, struct mete_scope_id scope);
/* Its document; empty: none does. */
struct slice transaction_document(const struct request *request, enum mete_kind kind,
                                  struct slice id);

#endif
