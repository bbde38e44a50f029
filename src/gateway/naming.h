/* SPDX-License-Identifier: Apache-2.0
 * What refused a verdict gets its names, one question to the engine after the other: a refusal is
 * not the hot path, and one answer's room is enough. Who asks submits the questions. */
#ifndef GATEWAY_NAMING_H
#define GATEWAY_NAMING_H

#include "gateway/refusal.h"

struct naming {
    size_t at, len;
    bool asks_scope;
    struct mete_instant retry_at;
    struct refusal told; /* from naming_begin() on; refusal_done() is the asker's */
    struct mete_budget_view budget;
    struct mete_rate_view rate; /* rate.n 0: none */
    struct mete_answer answer;  /* where a question's answer goes */
    struct mete_refusal all[METE_REFUSALS_MAX];
};

/* all has the verdict's refusals. */
void naming_begin(struct naming *naming, const struct mete_verdict *verdict);
/* The next question; false: there is none, all is told. */
bool naming_next(struct naming *naming, struct mete_query *ret_query);
/* answer is there, or status says that it is not. */
void naming_take(struct naming *naming, int status);

#endif
