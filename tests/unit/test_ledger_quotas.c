/* SPDX-License-Identifier: Apache-2.0
 * Proves what quotas promise: the order in which grants are drawn (INV-14), that a reservation
 * draws with its budgets or not at all (INV-02), what returns and to whom, expiry in between,
 * refunds, overruns below zero, and what the end of a quota leaves. ledger_help.h compares with a
 * replay after each step (INV-06). */
#include "base/limits.h"
#include "unit/ledger_help.h"

enum { MANY = 20 };

static const struct mete_demand ten = {.meter = METE_TOTAL_TOKENS, .fixed = 10};

static struct mete_change grant_change(uint32_t scope, const char *id, int64_t amount)
{
    return (struct mete_change){.kind = METE_PUT_GRANT,
                                .grant = {.id = text(id),
                                          .scope = {scope},
                                          .meter = METE_TOTAL_TOKENS,
                                          .amount = amount,
                                          .source = text("purchase")}};
}

static uint32_t put_grant(struct bench *b, const char *id, int64_t amount, uint32_t priority,
                          int64_t expires_at_us)
{
    uint32_t handle = 0;
    struct mete_change change = grant_change(b->user, id, amount);
    change.grant.priority = priority;
    change.grant.expires_at.us = expires_at_us;
    assert_int_equal(put(b, &change, &handle), 0);
    return handle;
}

static int refund(struct bench *b, uint32_t grant, int64_t amount)
{
    uint32_t handle = 0;
    const struct mete_change change = {.kind = METE_REFUND, .refund = {grant}, .amount = amount};
    int rc = put(b, &change, &handle);
    assert_true(rc != 0 || handle == grant);
    return rc;
}

static int end_quota(struct bench *b)
{
    uint32_t handle = 0;
    const struct mete_change change = {
        .kind = METE_END_QUOTA, .at = {b->user}, .grant = {.meter = METE_TOTAL_TOKENS}};
    return put(b, &change, &handle);
}

/* Reserves tokens at the key; its id, or 0 if it was refused. */
static uint64_t tokens(struct bench *b, int64_t amount)
{
    const struct mete_demand demand = {.meter = METE_TOTAL_TOKENS, .fixed = amount};
    const struct mete_reserve args = ask(b, &demand);
    assert_int_equal(reserve(b, &args), 0);
    return b->verdict.allowed ? b->verdict.reservation.n : 0;
}

static int use(struct bench *b, uint64_t id, int64_t amount)
{
    const struct mete_usage usage = {.meter = METE_TOTAL_TOKENS, .amount = amount};
    const struct mete_commit args = {.reservation = {id}, .usage = &usage, .usage_len = 1};
    struct ledger_decision decision;
    int rc = ledger_decide_commit(b->ledger, now(b), &args, &b->receipt, &decision);
    if (rc == 0)
        apply(b, &decision.entry);
    return rc;
}

static void record(struct bench *b, int64_t amount)
{
    const struct mete_usage usage = {.meter = METE_TOTAL_TOKENS, .amount = amount};
    const struct mete_record args = {.scope = {b->key}, .usage = &usage, .usage_len = 1};
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_record(b->ledger, now(b), &args, &b->receipt, &decision), 0);
    apply(b, &decision.entry);
}

static void has(struct bench *b, uint32_t grant, int64_t drawn, int64_t held)
{
    struct mete_grant_view view;
    assert_int_equal(ledger_grant(b->ledger, grant, now(b), &view), 0);
    assert_int_equal(view.drawn, drawn);
    assert_int_equal(view.held, held);
    assert_int_equal(ledger_audit(b->ledger), 0);
}

static struct mete_quota_view quota(struct bench *b)
{
    struct mete_quota_view view = {0};
    assert_int_equal(ledger_quotas(b->ledger, b->user, now(b), &view, 1), 1);
    return view;
}

static void quota_overruns(const struct bench *b, uint32_t grant, int64_t balance)
{
    size_t told = 0;
    for (size_t i = 0; i < b->effects.events_len; i++) {
        const struct mete_event *event = &b->effects.events[i];
        if (event->kind != METE_EVENT_QUOTA_OVERRUN)
            continue;
        told++;
        assert_int_equal(event->grant.n, grant);
        assert_int_equal(event->scope.n, b->user);
        assert_int_equal(event->limit - event->committed - event->held, balance);
    }
    assert_int_equal(told, 1);
}

/* ---- Drawing --------------------------------------------------------------------------------- */

/* INV-14 */
static void grants_are_drawn_by_priority_then_expiry_then_age(void **state)
{
    struct bench *b = *state;
    uint32_t never = put_grant(b, "never", 10, 1, 0);
    uint32_t late = put_grant(b, "late", 10, 1, T0 + 2 * DAY_US);
    uint32_t soon = put_grant(b, "soon", 10, 1, T0 + DAY_US);
    uint32_t second = put_grant(b, "second", 10, 1, T0 + DAY_US);
    uint32_t first = put_grant(b, "first", 10, 0, 0);
    const uint32_t order[] = {first, soon, second, late, never};
    struct mete_grant_view views[5];
    assert_int_equal(ledger_grants(b->ledger, b->user, METE_TOTAL_TOKENS, 0, now(b), views, 5), 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(views[i].grant.n, order[i]);
    for (size_t i = 0; i < 5; i++) {
        assert_true(tokens(b, 10));
        for (size_t j = 0; j < 5; j++)
            has(b, order[j], 0, j <= i ? 10 : 0);
    }
    assert_int_equal(tokens(b, 1), 0);
}

static void what_is_not_used_returns_to_the_last_drawn(void **state)
{
    struct bench *b = *state;
    uint32_t a = put_grant(b, "a", 10, 0, 0), c = put_grant(b, "c", 10, 1, 0);
    uint64_t id = tokens(b, 15);
    has(b, a, 0, 10);
    has(b, c, 0, 5);
    assert_int_equal(use(b, id, 12), 0);
    assert_false(b->receipt.overrun);
    has(b, a, 10, 0);
    has(b, c, 2, 0);
    id = tokens(b, 8);
    assert_true(id);
    assert_int_equal(release(b, id), 0);
    has(b, c, 2, 0);
    assert_int_equal(quota(b).balance, 8);
}

static void the_most_that_is_granted_is_covered(void **state)
{
    struct bench *b = *state;
    put_grant(b, "a", 25, 0, 0);
    put_grant(b, "c", 8, 0, 0);
    const struct mete_demand demand = {
        .meter = METE_TOTAL_TOKENS, .fixed = 3, .per_million = 2000000};
    struct mete_reserve args = ask(b, &demand);
    args.floor = 1;
    args.wish = 1000;
    assert_int_equal(reserve(b, &args), 0);
    assert_int_equal(b->verdict.granted, 15); /* 3 + 2 * 15 of 33 */
    assert_int_equal(quota(b).held, 33);
    assert_int_equal(quota(b).balance, 0);
}

static void a_quota_reaches_only_its_unit_and_those_below(void **state)
{
    struct bench *b = *state;
    uint32_t grant = put_grant(b, "a", 5, 0, 0);
    struct mete_reserve args = ask(b, &one_dollar);
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed);
    args = ask(b, &ten);
    args.scope.n = b->dept;
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed);
    has(b, grant, 0, 0);
}

static void a_refusal_names_the_quota_and_its_figures(void **state)
{
    struct bench *b = *state;
    put_grant(b, "a", 10, 0, 0);
    put_grant(b, "spent", 10, 0, T0 + DAY_US);
    put_grant(b, "over", 40, 0, T0 + 1);
    b->now_us += 2;
    record(b, 12);
    uint64_t id = tokens(b, 5);
    assert_true(id);
    assert_int_equal(tokens(b, 10), 0);
    assert_int_equal(b->verdict.refusals_len, 1);
    const struct mete_refusal *refusal = &b->refusals[0];
    assert_int_equal(refusal->reason, METE_QUOTA);
    assert_int_equal(refusal->scope.n, b->user);
    assert_int_equal(refusal->meter, METE_TOTAL_TOKENS);
    assert_int_equal(refusal->limit, 20);
    assert_int_equal(refusal->committed, 12);
    assert_int_equal(refusal->held, 5);
    assert_int_equal(refusal->asked, 10);
    assert_true(b->verdict.retry_at.us == INT64_MAX); /* 8 is all there ever was left */
    assert_int_equal(tokens(b, 8), 0);
    assert_int_equal(b->verdict.retry_at.us, 0); /* it is only held */
}

/* INV-02 */
static void nothing_is_drawn_when_a_budget_refuses(void **state)
{
    struct bench *b = *state;
    uint32_t grant = put_grant(b, "a", 100, 0, 0);
    struct mete_change change = budget_change(b->org, "top", 5, METE_DAILY);
    change.budget.meter = METE_TOTAL_TOKENS;
    change.budget.currency = 0;
    uint32_t budget = 0;
    assert_int_equal(put(b, &change, &budget), 0);
    assert_int_equal(tokens(b, 10), 0);
    assert_int_equal(b->refusals[0].reason, METE_HARD_LIMIT);
    has(b, grant, 0, 0);
    put_grant(b, "small", 1, 0, 0);
    assert_int_equal(tokens(b, 102), 0); /* both refuse: the budget first */
    assert_int_equal(b->verdict.refusals_len, 2);
    assert_int_equal(b->refusals[0].reason, METE_HARD_LIMIT);
    assert_int_equal(b->refusals[1].reason, METE_QUOTA);
    stands(b, budget, 0, 0);
}

/* INV-02, the other way round */
static void nothing_is_held_when_a_quota_refuses(void **state)
{
    struct bench *b = *state;
    put_grant(b, "a", 5, 0, 0);
    struct mete_change change = budget_change(b->org, "top", 50, METE_DAILY);
    change.budget.meter = METE_TOTAL_TOKENS;
    change.budget.currency = 0;
    uint32_t budget = 0;
    assert_int_equal(put(b, &change, &budget), 0);
    assert_int_equal(tokens(b, 10), 0);
    stands(b, budget, 0, 0);
    assert_true(tokens(b, 5));
    stands(b, budget, 0, 5);
}

static void one_call_draws_from_sixteen_grants_at_most(void **state)
{
    struct bench *b = *state;
    for (int i = 0; i < MANY; i++) {
        char id[8];
        snprintf(id, sizeof id, "g%d", i);
        put_grant(b, id, 1, 0, 0);
    }
    assert_int_equal(quota(b).balance, MANY);
    assert_int_equal(tokens(b, LIMIT_DRAWS + 1), 0);
    assert_true(b->verdict.retry_at.us == INT64_MAX);
    uint64_t id = tokens(b, LIMIT_DRAWS);
    assert_true(id);
    assert_true(tokens(b, MANY - LIMIT_DRAWS)); /* the others are there for the next call */
    assert_int_equal(use(b, id, LIMIT_DRAWS), 0);
    assert_int_equal(quota(b).drawn, LIMIT_DRAWS);
}

/* ---- Time ------------------------------------------------------------------------------------ */

static void a_grant_that_expires_is_still_charged_for_what_it_holds(void **state)
{
    struct bench *b = *state;
    uint32_t old = put_grant(b, "old", 10, 0, T0 + HOUR_US);
    uint32_t young = put_grant(b, "young", 10, 0, 0);
    const struct mete_demand demand = {.meter = METE_TOTAL_TOKENS, .fixed = 6};
    struct mete_reserve args = ask(b, &demand);
    args.ttl_ms = 2 * 3600 * 1000;
    assert_int_equal(reserve(b, &args), 0);
    uint64_t id = b->verdict.reservation.n;
    b->now_us += HOUR_US;
    assert_int_equal(quota(b).granted, 10);
    assert_int_equal(quota(b).held, 0);
    assert_int_equal(use(b, id, 8), 0); /* 6 it holds, 2 beyond, which the young one gives */
    has(b, old, 6, 0);
    has(b, young, 2, 0);
    assert_true(b->receipt.overrun);
    assert_int_equal(quota(b).balance, 8);
}

static void what_returns_to_an_expired_grant_is_gone_with_it(void **state)
{
    struct bench *b = *state;
    uint32_t old = put_grant(b, "old", 10, 0, T0 + HOUR_US);
    struct mete_reserve args = ask(b, &ten);
    args.ttl_ms = 2 * 3600 * 1000;
    assert_int_equal(reserve(b, &args), 0);
    uint64_t id = b->verdict.reservation.n;
    b->now_us += HOUR_US;
    assert_int_equal(release(b, id), 0);
    has(b, old, 0, 0);
    assert_int_equal(tokens(b, 1), 0);
    assert_int_equal(quota(b).balance, 0);
    struct mete_change change = grant_change(b->user, "old", 10); /* prolonged: it is there again */
    uint32_t handle;
    assert_int_equal(put(b, &change, &handle), 0);
    assert_int_equal(handle, old);
    assert_true(tokens(b, 10));
}

/* ---- Refunds and changes --------------------------------------------------------------------- */

static void a_refund_can_be_drawn_again(void **state)
{
    struct bench *b = *state;
    uint32_t a = put_grant(b, "a", 10, 0, 0);
    record(b, 10);
    assert_int_equal(tokens(b, 1), 0);
    assert_int_equal(refund(b, a, 11), METE_E_INVALID);
    assert_int_equal(refund(b, a, 0), METE_E_INVALID);
    assert_int_equal(refund(b, 99, 1), METE_E_NOT_FOUND);
    assert_int_equal(refund(b, a, 4), 0);
    has(b, a, 6, 0);
    assert_true(tokens(b, 4));
}

static void a_grant_is_not_lowered_below_what_went_out(void **state)
{
    struct bench *b = *state;
    uint32_t a = put_grant(b, "a", 10, 0, 0), handle = 0;
    record(b, 3);
    assert_true(tokens(b, 4));
    struct mete_change change = grant_change(b->user, "a", 6);
    assert_int_equal(put(b, &change, &handle), METE_E_INVALID);
    change.grant.amount = 7;
    change.grant.source = text("a source that is longer than the one before");
    assert_int_equal(put(b, &change, &handle), 0);
    struct mete_grant_view view;
    assert_int_equal(ledger_grant(b->ledger, a, now(b), &view), 0);
    assert_string_equal(view.source, "a source that is longer than the one before");
    assert_string_equal(view.id, "a");
    assert_int_equal(tokens(b, 1), 0);
    change.grant.amount = 8;
    assert_int_equal(put(b, &change, &handle), 0);
    assert_true(tokens(b, 1));
    change.grant.meter = METE_REQUESTS;
    assert_int_equal(put(b, &change, &handle), METE_E_INVALID);
    change = grant_change(b->dept, "a", 8);
    assert_int_equal(put(b, &change, &handle), METE_E_INVALID);
    change = grant_change(b->user, "a", 8);
    change.flags = METE_CHANGE_CREATE;
    assert_int_equal(put(b, &change, &handle), METE_E_EXISTS);
    change = grant_change(b->user, "z", 8);
    change.flags = METE_CHANGE_UPDATE;
    assert_int_equal(put(b, &change, &handle), METE_E_NOT_FOUND);
}

static void a_scope_has_quotas_in_four_units(void **state)
{
    struct bench *b = *state;
    const uint16_t meters[] = {METE_INPUT, METE_OUTPUT, METE_IMAGES, METE_REQUESTS, METE_REASONING};
    for (size_t i = 0; i < 5; i++) {
        char id[8];
        snprintf(id, sizeof id, "g%zu", i);
        struct mete_change change = grant_change(b->user, id, 5);
        uint32_t handle = 0;
        change.grant.meter = meters[i];
        assert_int_equal(put(b, &change, &handle), i < LIMIT_SCOPE_QUOTAS ? 0 : METE_E_FULL);
    }
    assert_int_equal(ledger_quotas(b->ledger, b->user, now(b), NULL, 0), LIMIT_SCOPE_QUOTAS);
}

/* ---- Overruns -------------------------------------------------------------------------------- */

/* INV-14 */
static void only_an_overrun_takes_a_balance_below_zero(void **state)
{
    struct bench *b = *state;
    uint32_t a = put_grant(b, "a", 10, 1, 0);
    uint32_t c = put_grant(b, "c", 10, 0, 0);
    uint64_t id = tokens(b, 10);
    has(b, c, 0, 10);
    assert_int_equal(use(b, id, 27), 0); /* the held 10, then 10 of a, then 7 that nobody has */
    assert_true(b->receipt.overrun);
    quota_overruns(b, a, -7);
    has(b, c, 10, 0);
    has(b, a, 17, 0);
    assert_int_equal(quota(b).balance, -7);
    assert_int_equal(tokens(b, 1), 0);
    struct mete_change change = grant_change(b->user, "a", 20); /* paid: 3 are left */
    change.grant.priority = 1;
    uint32_t handle;
    assert_int_equal(put(b, &change, &handle), 0);
    assert_int_equal(tokens(b, 4), 0);
    assert_true(tokens(b, 3));
}

static void a_record_draws_without_being_refused(void **state)
{
    struct bench *b = *state;
    uint32_t a = put_grant(b, "a", 10, 0, 0);
    record(b, 10);
    assert_false(b->receipt.overrun);
    assert_int_equal(b->effects.events_len, 0);
    record(b, 5);
    assert_true(b->receipt.overrun);
    quota_overruns(b, a, -5);
}

static void a_unit_that_was_not_demanded_is_drawn_at_the_end(void **state)
{
    struct bench *b = *state;
    uint32_t a = put_grant(b, "a", 10, 0, 0);
    struct mete_reserve args = ask(b, &one_dollar);
    assert_int_equal(reserve(b, &args), 0);
    uint64_t id = b->verdict.reservation.n;
    has(b, a, 0, 0);
    assert_int_equal(use(b, id, 6), 0);
    assert_false(b->receipt.overrun);
    has(b, a, 6, 0);
}

static void an_overrun_goes_to_the_last_grant_even_when_that_is_over(void **state)
{
    struct bench *b = *state;
    uint32_t a = put_grant(b, "a", 10, 0, 0);
    uint32_t over = put_grant(b, "over", 10, 1, T0 + 1);
    b->now_us += 2;
    record(b, 12);
    has(b, a, 10, 0);
    has(b, over, 2, 0);
    assert_true(b->receipt.overrun);
}

static void what_no_counter_can_hold_is_refused(void **state)
{
    struct bench *b = *state;
    put_grant(b, "a", 0, 0, 0);
    record(b, METE_AMOUNT_MAX);
    record(b, METE_AMOUNT_MAX);
    const struct mete_usage usage = {.meter = METE_TOTAL_TOKENS, .amount = METE_AMOUNT_MAX};
    const struct mete_record args = {.scope = {b->key}, .usage = &usage, .usage_len = 1};
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_record(b->ledger, now(b), &args, &b->receipt, &decision),
                     METE_E_TOO_LARGE);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static void open_reservations_settle_with_an_ended_quota(void **state)
{
    struct bench *b = *state;
    put_grant(b, "a", 20, 0, 0);
    uint64_t one = tokens(b, 10), two = tokens(b, 5);
    assert_int_equal(end_quota(b), 0);
    assert_int_equal(end_quota(b), METE_E_NOT_FOUND);
    struct mete_grant_view view;
    assert_int_equal(ledger_grant(b->ledger, 1, now(b), &view), METE_E_NOT_FOUND);
    assert_int_equal(ledger_quotas(b->ledger, b->user, now(b), NULL, 0), 0);
    assert_true(tokens(b, 1000)); /* nobody asks it any more */
    assert_int_equal(use(b, one, 30), 0);
    quota_overruns(b, 1, -15); /* 15 held and drawn, 5 it had, 15 beyond; 5 are held still */
    assert_int_equal(release(b, two), 0);
    assert_int_equal(ledger_audit(b->ledger), 0);
    struct ledger_counts counts;
    ledger_counts(b->ledger, &counts);
    assert_int_equal(counts.grants, 0);
}

static void the_id_of_a_grant_is_never_used_again(void **state)
{
    struct bench *b = *state;
    uint32_t handle = 0;
    put_grant(b, "order-1", 20, 0, 0);
    assert_int_equal(end_quota(b), 0);
    struct mete_change change = grant_change(b->user, "order-1", 20);
    assert_int_equal(put(b, &change, &handle), METE_E_EXISTS);
    change.flags = METE_CHANGE_UPDATE;
    assert_int_equal(put(b, &change, &handle), METE_E_NOT_FOUND);
    put_grant(b, "order-2", 20, 0, 0);
    assert_int_equal(tokens(b, 21), 0);
}

static void a_refusal_binds_until_something_is_granted(void **state)
{
    struct bench *b = *state;
    put_grant(b, "a", 5, 0, 0);
    struct mete_reserve args = ask(b, &ten);
    args.request_id = text("r1");
    assert_int_equal(reserve(b, &args), 0);
    assert_false(b->verdict.allowed);
    b->now_us++;
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.repeated && !b->verdict.allowed);
    put_grant(b, "c", 5, 0, 0);
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed && !b->verdict.repeated);
}

/* ---- Extensions ------------------------------------------------------------------------------ */

static bool extend(struct bench *b, uint64_t id, int64_t amount, int shrink)
{
    const struct mete_demand demand = {.meter = METE_TOTAL_TOKENS, .fixed = amount};
    const struct mete_extend args = {
        .reservation = {id}, .demands = &demand, .demands_len = 1, .shrink = shrink};
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_extend(b->ledger, now(b), &args, b->refusals, METE_REFUSALS_MAX,
                                          &b->verdict, &decision),
                     0);
    if (decision.entry.kind != ENTRY_NONE)
        apply(b, &decision.entry);
    return b->verdict.allowed;
}

static void an_extension_draws_more_and_gives_back_the_last_drawn(void **state)
{
    struct bench *b = *state;
    uint32_t a = put_grant(b, "a", 10, 0, 0), c = put_grant(b, "c", 10, 1, 0);
    const struct mete_demand demand = {.meter = METE_TOTAL_TOKENS, .fixed = 8};
    struct mete_reserve args = ask(b, &demand);
    args.request_id = text("a-request-that-is-told-from-all-others");
    args.model = text("gpt-4o");
    assert_int_equal(reserve(b, &args), 0);
    uint64_t id = b->verdict.reservation.n;
    assert_true(extend(b, id, 7, 0));
    has(b, a, 0, 10);
    has(b, c, 0, 5);
    assert_false(extend(b, id, 6, 0));
    assert_int_equal(b->refusals[0].reason, METE_QUOTA);
    assert_int_equal(b->refusals[0].asked, 6);
    assert_true(extend(b, id, 9, 1));
    has(b, a, 0, 6);
    has(b, c, 0, 0);
    assert_int_equal(reserve(b, &args), 0); /* it still knows who it is */
    assert_true(b->verdict.repeated && b->verdict.reservation.n == id);
    assert_int_equal(use(b, id, 6), 0);
    assert_false(b->receipt.overrun);
    has(b, a, 6, 0);
}

static void extensions_draw_sixteen_times_in_all(void **state)
{
    struct bench *b = *state;
    for (int i = 0; i < MANY; i++) {
        char id[8];
        snprintf(id, sizeof id, "g%d", i);
        put_grant(b, id, 1, 0, 0);
    }
    uint64_t id = tokens(b, 10);
    assert_false(extend(b, id, 7, 0));
    assert_true(extend(b, id, 6, 0));
    assert_false(extend(b, id, 1, 0));
    assert_int_equal(release(b, id), 0);
    assert_int_equal(quota(b).balance, MANY);
}

/* ---- Batches --------------------------------------------------------------------------------- */

static int check(struct bench *b, const struct mete_change *changes, size_t len,
                 uint32_t *ret_handles, size_t *ret_failed)
{
    const struct mete_apply args = {.changes = changes, .len = len};
    struct ledger_batch batch = {0};
    int rc = ledger_check_changes(b->ledger, now(b), &args, ret_handles, &batch);
    *ret_failed = batch.failed;
    return rc;
}

static void a_batch_makes_a_scope_and_its_grants(void **state)
{
    struct bench *b = *state;
    struct mete_change changes[5] = {
        {.kind = METE_PUT_SCOPE,
         .scope =
             {.kind = METE_USER, .id = text("eve"), .organization = {b->org}, .parent = {b->dept}}},
        grant_change(METE_FROM_CHANGE(0), "g1", 5),
        grant_change(METE_FROM_CHANGE(0), "g2", 5),
        grant_change(METE_FROM_CHANGE(0), "g1", 7),
        {.kind = METE_END_QUOTA,
         .at = {METE_FROM_CHANGE(0)},
         .grant = {.meter = METE_TOTAL_TOKENS}},
    };
    uint32_t handles[5];
    size_t failed;
    assert_int_equal(check(b, changes, 5, handles, &failed), 0);
    assert_int_equal(handles[1], 1);
    assert_int_equal(handles[2], 2);
    assert_int_equal(handles[3], 1);
    changes[3].flags = METE_CHANGE_CREATE;
    assert_int_equal(check(b, changes, 5, handles, &failed), METE_E_EXISTS);
    assert_int_equal(failed, 3);
    changes[3] =
        (struct mete_change){.kind = METE_REFUND, .refund = {METE_FROM_CHANGE(1)}, .amount = 1};
    assert_int_equal(check(b, changes, 5, handles, &failed), METE_E_INVALID);
    changes[3] = changes[4];
    assert_int_equal(check(b, changes, 5, handles, &failed), METE_E_NOT_FOUND);
    assert_int_equal(failed, 4);
    changes[4] = grant_change(METE_FROM_CHANGE(0), "g1", 5);
    assert_int_equal(check(b, changes, 5, handles, &failed), METE_E_EXISTS);
    assert_int_equal(failed, 4);
}

static void a_batch_refunds_before_it_lowers(void **state)
{
    struct bench *b = *state;
    uint32_t a = put_grant(b, "a", 10, 0, 0);
    record(b, 8);
    const struct mete_change changes[] = {
        {.kind = METE_REFUND, .refund = {a}, .amount = 5},
        grant_change(b->user, "a", 4),
        {.kind = METE_REFUND, .refund = {a}, .amount = 4},
    };
    uint32_t handles[3];
    size_t failed;
    assert_int_equal(check(b, changes, 2, handles, &failed), 0);
    assert_int_equal(check(b, changes, 3, handles, &failed), METE_E_INVALID);
    assert_int_equal(failed, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(grants_are_drawn_by_priority_then_expiry_then_age),
        TEST(what_is_not_used_returns_to_the_last_drawn),
        TEST(the_most_that_is_granted_is_covered),
        TEST(a_quota_reaches_only_its_unit_and_those_below),
        TEST(a_refusal_names_the_quota_and_its_figures),
        TEST(nothing_is_drawn_when_a_budget_refuses),
        TEST(nothing_is_held_when_a_quota_refuses),
        TEST(one_call_draws_from_sixteen_grants_at_most),
        TEST(a_grant_that_expires_is_still_charged_for_what_it_holds),
        TEST(what_returns_to_an_expired_grant_is_gone_with_it),
        TEST(a_refund_can_be_drawn_again),
        TEST(a_grant_is_not_lowered_below_what_went_out),
        TEST(a_scope_has_quotas_in_four_units),
        TEST(only_an_overrun_takes_a_balance_below_zero),
        TEST(a_record_draws_without_being_refused),
        TEST(a_unit_that_was_not_demanded_is_drawn_at_the_end),
        TEST(an_overrun_goes_to_the_last_grant_even_when_that_is_over),
        TEST(what_no_counter_can_hold_is_refused),
        TEST(open_reservations_settle_with_an_ended_quota),
        TEST(the_id_of_a_grant_is_never_used_again),
        TEST(a_refusal_binds_until_something_is_granted),
        TEST(an_extension_draws_more_and_gives_back_the_last_drawn),
        TEST(extensions_draw_sixteen_times_in_all),
        TEST(a_batch_makes_a_scope_and_its_grants),
        TEST(a_batch_refunds_before_it_lowers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
