/* SPDX-License-Identifier: Apache-2.0
 * Budgets that do something as committed nears their limit, and looks at what they did. */
#ifndef TESTS_CONTROLS_HELP_H
#define TESTS_CONTROLS_HELP_H

#include "unit/ledger_help.h"

#define MINUTE_US (INT64_C(60) * 1000000)

static inline struct mete_change controlled(struct bench *b, int64_t limit, enum mete_period period,
                                            struct mete_controls controls)
{
    struct mete_change change = budget_change(b->org, "top", limit, period);
    change.budget.controls = controls;
    return change;
}

static inline uint32_t put_controlled(struct bench *b, enum mete_period period,
                                      struct mete_controls controls)
{
    uint32_t handle = 0;
    struct mete_change change = controlled(b, 1000, period, controls);
    assert_int_equal(put(b, &change, &handle), 0);
    return handle;
}

static inline int change_to(struct bench *b, const struct mete_change *change)
{
    uint32_t handle;
    return put(b, change, &handle);
}

static inline void lift(struct bench *b, uint32_t budget)
{
    const struct mete_change change = {.kind = METE_LIFT_STOP, .end = {budget}};
    assert_int_equal(change_to(b, &change), 0);
}

static inline void spend(struct bench *b, int64_t cost)
{
    const struct mete_usage usage = {.currency = METE_USD, .amount = cost};
    const struct mete_record args = {.scope = {b->key}, .usage = &usage, .usage_len = 1};
    struct ledger_decision decision;
    int rc;
    while ((rc = ledger_decide_record(b->ledger, now(b), &args, &b->receipt, &decision)) ==
           LEDGER_STALE)
        roll(b, decision.due.budget);
    assert_int_equal(rc, 0);
    apply(b, &decision.entry);
}

static inline unsigned told(const struct bench *b, enum mete_event_kind kind)
{
    unsigned count = 0;
    for (size_t i = 0; i < b->effects.events_len; i++)
        count += b->effects.events[i].kind == kind;
    return count;
}

static const struct mete_demand one_nano = {.currency = METE_USD, .fixed = 1};

/* The reason of the first refusal, NONE if it is admitted; what was admitted is given back. */
static inline enum mete_reason try(struct bench *b)
{
    struct mete_reserve args = ask(b, &one_nano);
    assert_int_equal(reserve(b, &args), 0);
    if (!b->verdict.allowed)
        return b->refusals[0].reason;
    struct mete_verdict verdict = b->verdict;
    assert_int_equal(release(b, verdict.reservation.n), 0);
    b->verdict = verdict;
    return METE_REASON_NONE;
}

static inline struct mete_budget_view view_of(struct bench *b, uint32_t budget)
{
    struct mete_budget_view view;
    assert_int_equal(ledger_budget(b->ledger, budget, &view), 0);
    return view;
}

#endif
