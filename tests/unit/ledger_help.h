/* SPDX-License-Identifier: Apache-2.0
 * A small installation, and operations on it that decide and apply. Every entry is packed and read
 * back for a second ledger, whose state hash must stay the same (INV-06), and ledger_check() runs
 * after each. The second one is saved and loaded anew before each, so that a snapshot at any point
 * is proven to go on like the ledger it was taken of. */
#ifndef TESTS_LEDGER_HELP_H
#define TESTS_LEDGER_HELP_H

#include "calendar/calendar.h"
#include "ledger/ledger.h"
#include "unit/reload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define T0 INT64_C(1700000000000000) /* 2023-11-14T22:13:20Z */
#define HOUR_US (INT64_C(3600) * 1000000)
#define DAY_US (24 * HOUR_US)

struct bench {
    struct ledger *ledger;
    struct ledger *copy; /* fed with what was packed and read back */
    int64_t now_us;
    struct ledger_effects effects;
    struct mete_refusal refusals[METE_REFUSALS_MAX];
    struct mete_verdict verdict;
    struct mete_receipt receipt;
    uint32_t org, dept, user, key;
    /* Looks at each entry before it is applied; may be NULL. */
    void (*watch)(struct bench *b, const struct entry *entry);
};

static inline struct mete_text text(const char *terminated)
{
    return (struct mete_text){terminated, strlen(terminated)};
}

static inline struct mete_instant now(const struct bench *b)
{
    return (struct mete_instant){b->now_us};
}

/* Applies an entry to the ledger, and what its bytes say to the copy; they must agree. */
static inline void apply(struct bench *b, const struct entry *entry)
{
    static uint8_t room[65536];
    struct writer w = {room, room + sizeof room};
    if (b->watch)
        b->watch(b, entry);
    assert_true(entry_size_max(entry) <= sizeof room);
    entry_write(&w, entry, T0);
    assert_true((size_t)(w.at - room) <= entry_size_max(entry));
    struct reader r = {room, w.at, false};
    struct entry back;
    assert_int_equal(entry_read(&r, T0, &back), 0);
    assert_ptr_equal(r.at, w.at);
    back.seq = entry->seq;
    assert_int_equal(ledger_apply(b->ledger, entry, &b->effects), 0);
    b->copy = reload(b->copy);
    assert_int_equal(ledger_apply(b->copy, &back, NULL), 0);
    ledger_check(b->ledger);
    uint8_t hash[32], hash_of_copy[32];
    ledger_hash(b->ledger, hash);
    ledger_hash(b->copy, hash_of_copy);
    assert_memory_equal(hash, hash_of_copy, 32);
}

/* What is due of a budget: its next window, or its next limit. */
static inline void roll(struct bench *b, uint32_t budget)
{
    struct mete_budget_view view;
    struct window window;
    struct ledger_due due;
    assert_int_equal(ledger_budget(b->ledger, budget, &view), 0);
    assert_true(ledger_due(b->ledger, budget, now(b), &due));
    if (due.kind == LEDGER_DUE_LIMIT) {
        struct entry limit = {
            .kind = ENTRY_LIMIT, .seq = ledger_last_seq(b->ledger) + 1, .at_us = b->now_us};
        limit.u.limit.budget = budget;
        apply(b, &limit);
        return;
    }
    struct calendar_rule rule = {view.period, view.anchor, view.window_seconds, NULL};
    assert_int_equal(calendar_window(&rule, b->now_us, &window), 0);
    struct entry entry = {
        .kind = ENTRY_WINDOW, .seq = ledger_last_seq(b->ledger) + 1, .at_us = b->now_us};
    entry.u.window.budget = budget;
    entry.u.window.start_us = window.start_us;
    entry.u.window.end_us = window.end_us;
    if (view.rollover_cap)
        assert_int_equal(calendar_windows_between(&rule, view.window_end.us, window.start_us,
                                                  &entry.u.window.idle),
                         0);
    apply(b, &entry);
}

/* What is due before a decision can be made. */
static inline void enter_due(struct bench *b, const struct ledger_due *due)
{
    if (due->kind != LEDGER_DUE_DEFAULT) {
        roll(b, due->budget);
        return;
    }
    struct mete_budget_view view;
    struct window window;
    assert_int_equal(ledger_budget(b->ledger, due->budget, &view), 0);
    struct calendar_rule rule = {view.period, view.anchor, view.window_seconds, NULL};
    assert_int_equal(calendar_window(&rule, b->now_us, &window), 0);
    struct entry entry = {
        .kind = ENTRY_DEFAULT, .seq = ledger_last_seq(b->ledger) + 1, .at_us = b->now_us};
    entry.u.by_default.handle = ledger_budgets(b->ledger) + 1;
    entry.u.by_default.made_from = due->budget;
    entry.u.by_default.scope = due->scope;
    entry.u.by_default.window_start_us = window.start_us;
    entry.u.by_default.window_end_us = window.end_us;
    apply(b, &entry);
}

static inline int put(struct bench *b, const struct mete_change *change, uint32_t *ret_handle)
{
    struct ledger_decision decision;
    int rc;
    while ((rc = ledger_decide_change(b->ledger, now(b), change, SLICE_LITERAL("tester"),
                                      ret_handle, &decision)) == LEDGER_STALE)
        enter_due(b, &decision.due);
    if (rc)
        return rc;
    if (decision.entry.kind == ENTRY_BUDGET && decision.entry.u.budget.window_end_us == 0) {
        struct window window;
        struct calendar_rule rule = {change->budget.period, change->budget.anchor,
                                     change->budget.window_seconds, NULL};
        assert_int_equal(calendar_window(&rule, b->now_us, &window), 0);
        if (change->budget.for_kind)
            window = (struct window){0, INT64_MAX};
        decision.entry.u.budget.window_start_us = window.start_us;
        decision.entry.u.budget.window_end_us = window.end_us;
    }
    apply(b, &decision.entry);
    return 0;
}

static inline uint32_t put_scope(struct bench *b, enum mete_kind kind, const char *id,
                                 uint32_t parent)
{
    uint32_t handle = 0;
    struct mete_change change = {.kind = METE_PUT_SCOPE,
                                 .scope = {.kind = kind,
                                           .id = text(id),
                                           .organization = {kind == METE_ORGANIZATION ? 0 : b->org},
                                           .parent = {parent}}};
    assert_int_equal(put(b, &change, &handle), 0);
    return handle;
}

static inline struct mete_change budget_change(uint32_t scope, const char *id, int64_t limit,
                                               enum mete_period period)
{
    return (struct mete_change){.kind = METE_PUT_BUDGET,
                                .budget = {.id = text(id),
                                           .scope = {scope},
                                           .meter = METE_COST,
                                           .currency = METE_USD,
                                           .limit = limit,
                                           .period = period}};
}

static inline uint32_t put_budget(struct bench *b, uint32_t scope, const char *id, int64_t limit,
                                  enum mete_period period)
{
    uint32_t handle = 0;
    struct mete_change change = budget_change(scope, id, limit, period);
    assert_int_equal(put(b, &change, &handle), 0);
    return handle;
}

static inline int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    const struct ledger_room room = {64, 64, 64, 64};
    if (!b || ledger_open(&room, &b->ledger) || ledger_open(&room, &b->copy))
        return 1;
    b->now_us = T0;
    b->org = put_scope(b, METE_ORGANIZATION, "acme", 0);
    b->dept = put_scope(b, METE_DEPARTMENT, "research", b->org);
    b->user = put_scope(b, METE_USER, "ada", b->dept);
    b->key = put_scope(b, METE_API_KEY, "k1", b->user);
    *state = b;
    return 0;
}

static inline int teardown(void **state)
{
    struct bench *b = *state;
    ledger_close(b->ledger);
    ledger_close(b->copy);
    free(b);
    return 0;
}

/* ---- Operations ---- */

static const struct mete_demand one_dollar = {.currency = METE_USD, .fixed = 1000000000};

static inline struct mete_reserve ask(const struct bench *b, const struct mete_demand *demand)
{
    return (struct mete_reserve){
        .scope = {b->key}, .demands = demand, .demands_len = 1, .ttl_ms = 60000};
}

static inline int reserve(struct bench *b, const struct mete_reserve *args)
{
    struct ledger_decision decision;
    int rc;
    while ((rc = ledger_decide_reserve(b->ledger, now(b), args, b->refusals, METE_REFUSALS_MAX,
                                       &b->verdict, &decision)) == LEDGER_STALE)
        enter_due(b, &decision.due);
    if (rc == 0 && decision.entry.kind != ENTRY_NONE)
        apply(b, &decision.entry);
    return rc;
}

static inline int commit(struct bench *b, uint64_t id, int64_t cost)
{
    const struct mete_usage usage = {.currency = METE_USD, .amount = cost};
    const struct mete_commit args = {.reservation = {id}, .usage = &usage, .usage_len = 1};
    struct ledger_decision decision;
    int rc = ledger_decide_commit(b->ledger, now(b), &args, &b->receipt, &decision);
    if (rc == 0 && decision.entry.kind != ENTRY_NONE)
        apply(b, &decision.entry);
    return rc;
}

static inline int release(struct bench *b, uint64_t id)
{
    struct ledger_decision decision;
    int rc = ledger_decide_release(b->ledger, now(b), (struct mete_reservation_id){id}, &b->receipt,
                                   &decision);
    if (rc == 0 && decision.entry.kind != ENTRY_NONE)
        apply(b, &decision.entry);
    return rc;
}

static inline void stands(struct bench *b, uint32_t budget, int64_t committed, int64_t held)
{
    struct mete_budget_view view;
    assert_int_equal(ledger_budget(b->ledger, budget, &view), 0);
    assert_true(view.committed == committed);
    assert_true(view.held == held);
    assert_int_equal(ledger_audit(b->ledger), 0);
}

#endif
