/* SPDX-License-Identifier: Apache-2.0
 * A batch of changes as far as it has been judged, for the files that judge them: decide_change.c
 * scopes and budgets, decide_scope.c ends and moves of scopes, decide_rate.c rate limits,
 * decide_quota.c grants, increases.c. */
#ifndef LEDGER_BATCH_H
#define LEDGER_BATCH_H

#include "ledger/state.h"

/* What the changes before this one will have done. */
struct batch {
    const struct ledger *ledger;
    const struct mete_change *changes; /* with handles resolved by find_ functions only */
    const uint32_t *handles;           /* of the changes judged so far */
    size_t len;
    int64_t now_us;
    bool is_agreed; /* the whole has been judged: what is kept free for a batch may be used up */
    uint32_t scopes_len, budgets_len, rates_len, grants_len; /* as they will then be */
};

/* A scope as the batch so far will leave it. */
struct node {
    enum mete_kind kind;
    uint32_t parent, organization;
};

/* A handle of the caller's, which may stand for an earlier change. 0: stands for nothing. */
uint32_t batch_resolve(const struct batch *batch, uint32_t n);
/* false: there is no such scope, or it has ended by then. */
bool batch_find_node(const struct batch *batch, uint32_t scope, struct node *ret_node);
/* A budget that will be there and not ended: 0 and its handle, else NOT_FOUND. */
int batch_judge_living(const struct batch *batch, uint32_t n, uint32_t *ret_handle);
/* Likewise, and of an ended one where it was. */
bool batch_find_any(const struct batch *batch, uint32_t scope, struct node *ret_node);
/* Whether a change of the batch, not before `since`, ends this scope, and what is its with it. */
bool batch_ends_scope(const struct batch *batch, size_t since, uint32_t scope);
/* Of one that is there: whether it has not ended, and the batch so far does not end it. */
bool batch_scope_lives(const struct batch *batch, uint32_t scope);
/* Departments from this scope up, itself too, as the batch so far will leave the tree. */
unsigned batch_departments(const struct batch *batch, uint32_t scope);
/* A new set of patterns: 0, INVALID, TOO_LARGE, FULL. */
int batch_judge_matches(const struct batch *batch, const struct mete_match *matches, size_t len);

/* ---- decide_scope.c: END_SCOPE, MOVE_SCOPE ---- */
int scopes_judge(const struct batch *batch, const struct mete_change *change, uint32_t *ret_handle);
void scopes_write(const struct mete_change *change, uint32_t handle, struct slice actor,
                  struct entry *entry);

/* ---- decide_rate.c: PUT_RATE_LIMIT, END_RATE_LIMIT ---- */
/* *ret_handle: the rate limit's, which is the batch's next one if it is new. */
int rates_judge(const struct batch *batch, const struct mete_change *change, uint32_t *ret_handle);
void rates_write(const struct mete_change *change, uint32_t handle, struct slice actor,
                 struct entry *entry);

/* ---- decide_quota.c: PUT_GRANT, REFUND, END_QUOTA ---- */
/* *ret_handle: the grant's, which is the batch's next one if it is new; 0 of END_QUOTA. */
int quotas_judge(const struct batch *batch, const struct mete_change *change, uint32_t *ret_handle);
void quotas_write(const struct mete_change *change, uint32_t handle, struct slice actor,
                  struct entry *entry);

/* ---- increases.c: PUT_INCREASE, END_INCREASE ---- */
int increases_judge(const struct batch *batch, const struct mete_change *change,
                    uint32_t *ret_number);
void increases_write(const struct mete_change *change, uint32_t number, struct slice actor,
                     struct entry *entry);

/* ---- exchanges.c: PUT_EXCHANGE; *ret_number: the next one ---- */
int exchanges_judge(const struct batch *batch, const struct mete_change *change,
                    uint32_t *ret_number);

#endif
