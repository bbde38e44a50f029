/* SPDX-License-Identifier: Apache-2.0
 * Proves rules 17 to 20 of docs/semantics.md: a burst and then evenly, exact to the microsecond
 * over long times; what ends settle and what they give back; concurrency; the modes; what changes
 * keep; and that a reservation takes from all rate limits or from none (INV-02). Every entry goes
 * through a second ledger as bytes, whose hash must stay the same (INV-06). */
#include "ledger_help.h"

#include "base/checked.h"
#include "base/limits.h"

enum { SECOND_MS = 1000, MINUTE_MS = 60000, MS_US = 1000, SECOND_US = 1000000 };

/* ---- Operations ---- */

static struct mete_change rate_change(uint32_t scope, const char *id, uint16_t meter, int64_t limit,
                                      int64_t period_ms)
{
    return (struct mete_change){.kind = METE_PUT_RATE_LIMIT,
                                .rate = {.id = text(id),
                                         .scope = {scope},
                                         .meter = meter,
                                         .limit = limit,
                                         .period_ms = period_ms}};
}

static uint32_t put_rate(struct bench *b, uint32_t scope, const char *id, uint16_t meter,
                         int64_t limit, int64_t period_ms)
{
    uint32_t handle = 0;
    struct mete_change change = rate_change(scope, id, meter, limit, period_ms);
    assert_int_equal(put(b, &change, &handle), 0);
    return handle;
}

static uint32_t put_concurrent(struct bench *b, uint32_t scope, const char *id, int64_t limit)
{
    uint32_t handle = 0;
    struct mete_change change = {
        .kind = METE_PUT_RATE_LIMIT,
        .rate = {.id = text(id), .scope = {scope}, .concurrent = 1, .limit = limit}};
    assert_int_equal(put(b, &change, &handle), 0);
    return handle;
}

static int end_rate(struct bench *b, uint32_t rate)
{
    uint32_t handle;
    const struct mete_change change = {.kind = METE_END_RATE_LIMIT, .end_rate = {rate}};
    return put(b, &change, &handle);
}

static struct mete_rate_view view_of(struct bench *b, uint32_t rate)
{
    struct mete_rate_view view;
    assert_int_equal(ledger_rate(b->ledger, rate, now(b), &view), 0);
    return view;
}

/* Reserves so much of a meter; 0 or the reservation. */
static uint64_t take(struct bench *b, uint16_t meter, int64_t amount)
{
    const struct mete_demand demand = {.meter = meter, .fixed = amount};
    const struct mete_reserve args = ask(b, &demand);
    assert_int_equal(reserve(b, &args), 0);
    return b->verdict.allowed ? b->verdict.reservation.n : 0;
}

static void commit_usage(struct bench *b, uint64_t id, uint16_t meter, int64_t amount)
{
    const struct mete_usage usage = {.meter = meter, .amount = amount};
    const struct mete_commit args = {.reservation = {id}, .usage = &usage, .usage_len = 1};
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_commit(b->ledger, now(b), &args, &b->receipt, &decision), 0);
    apply(b, &decision.entry);
}

static int record_usage(struct bench *b, uint16_t meter, int64_t amount)
{
    const struct mete_usage usage = {.meter = meter, .amount = amount};
    const struct mete_record args = {.scope = {b->key}, .usage = &usage, .usage_len = 1};
    struct ledger_decision decision;
    int rc = ledger_decide_record(b->ledger, now(b), &args, &b->receipt, &decision);
    if (rc == 0)
        apply(b, &decision.entry);
    return rc;
}

/* ---- GCRA ---- */

static void a_burst_at_once_and_then_evenly(void **state)
{
    struct bench *b = *state;
    uint32_t rate = put_rate(b, b->key, "rps", METE_REQUESTS, 10, SECOND_MS);
    for (int i = 0; i < 10; i++)
        assert_true(take(b, METE_REQUESTS, 1));
    assert_int_equal(view_of(b, rate).taken, 10);
    for (int i = 0; i < 30; i++) {
        assert_false(take(b, METE_REQUESTS, 1));
        assert_true(b->verdict.retry_at.us == b->now_us + 100 * MS_US);
        b->now_us += 100 * MS_US - 1;
        assert_false(take(b, METE_REQUESTS, 1));
        b->now_us++;
        assert_true(take(b, METE_REQUESTS, 1));
    }
    struct mete_rate_view view = view_of(b, rate);
    assert_true(view.taken == 10 && view.full_at.us == b->now_us + SECOND_US);
    b->now_us += SECOND_US;
    assert_true(view_of(b, rate).taken == 0 && view_of(b, rate).full_at.us == b->now_us);
}

static void a_call_that_demands_no_requests_counts_one(void **state)
{
    struct bench *b = *state;
    put_rate(b, b->org, "rps", METE_REQUESTS, 2, SECOND_MS);
    assert_true(take(b, METE_TOTAL_TOKENS, 5000));
    assert_true(take(b, METE_TOTAL_TOKENS, 5000));
    assert_false(take(b, METE_TOTAL_TOKENS, 5000));
    assert_int_equal(b->refusals[0].reason, METE_RATE_LIMIT);
    assert_true(b->refusals[0].asked == 1 && b->refusals[0].held == 2);
}

static void a_refusal_tells_all(void **state)
{
    struct bench *b = *state;
    put_rate(b, b->org, "other", METE_TOTAL_TOKENS, 1000000, MINUTE_MS);
    uint32_t rate = put_rate(b, b->user, "tpm", METE_TOTAL_TOKENS, 600, MINUTE_MS);
    assert_true(take(b, METE_TOTAL_TOKENS, 500));
    assert_false(take(b, METE_TOTAL_TOKENS, 200));
    assert_int_equal(b->verdict.refusals_len, 1);
    const struct mete_refusal *refusal = &b->refusals[0];
    assert_true(refusal->reason == METE_RATE_LIMIT && refusal->rate.n == rate);
    assert_true(refusal->budget.n == 0 && refusal->scope.n == b->user && refusal->shadow == 0);
    assert_true(refusal->meter == METE_TOTAL_TOKENS && refusal->currency == 0);
    assert_true(refusal->limit == 600 && refusal->held == 500 && refusal->asked == 200);
    /* 100 are too many, and 10 come back a second */
    assert_true(refusal->resets_at.us == b->now_us + 10 * SECOND_US);
    assert_true(b->verdict.retry_at.us == refusal->resets_at.us);
}

/* Asks for as much as there is; what was granted, 0 if not even one. */
static int64_t take_all_there_is(struct bench *b, uint16_t meter)
{
    const struct mete_demand demand = {.meter = meter, .per_million = 1000000};
    struct mete_reserve args = ask(b, &demand);
    args.floor = 1;
    args.wish = INT64_C(1) << 50;
    assert_int_equal(reserve(b, &args), 0);
    if (!b->verdict.allowed)
        return 0;
    int64_t granted = b->verdict.granted;
    commit_usage(b, b->verdict.reservation.n, meter, granted);
    return granted;
}

/* Limits and periods that do not divide each other. Whoever always takes what there is gets in all
 * the largest whole number up to burst + limit * elapsed / period: never one more, never one less,
 * however long it goes on and in whatever steps. The grant is what fits, to the unit. */
static void no_amount_is_lost_or_won_over_long_times(void **state)
{
    struct bench *b = *state;
    static const int64_t odd[][3] = {/* limit, period in ms, burst */
                                     {7, 977, 3},
                                     {1, 86399999, 2},
                                     {999983, 999979, 1000003},
                                     {INT64_C(46116860141), 99991, 11000000}};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        int64_t limit = odd[i][0], period_us = odd[i][1] * 1000, burst = odd[i][2];
        char id[8];
        snprintf(id, sizeof id, "r%zu", i);
        struct mete_change change = rate_change(b->key, id, METE_TOTAL_TOKENS, limit, odd[i][1]);
        change.rate.burst = burst;
        uint32_t rate;
        assert_int_equal(put(b, &change, &rate), 0);
        int64_t started_us = b->now_us, given = 0;
        uint64_t seed = 12345;
        for (int step = 0; step < 400; step++) {
            given += take_all_there_is(b, METE_TOTAL_TOKENS);
            int128 allowed = (int128)burst * period_us + (int128)limit * (b->now_us - started_us);
            assert_true(given == (int64_t)(allowed / period_us));
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            int64_t room_us = (int64_t)((int128)(burst - 1) * period_us / limit);
            b->now_us += (int64_t)((seed >> 20) % (uint64_t)room_us); /* so that none is lost */
        }
        assert_int_equal(end_rate(b, rate), 0);
    }
}

static void what_is_refused_is_admitted_at_the_very_microsecond_it_says(void **state)
{
    struct bench *b = *state;
    put_rate(b, b->key, "tpm", METE_TOTAL_TOKENS, 7, 977);
    take(b, METE_TOTAL_TOKENS, 7);
    for (int64_t amount = 1; amount <= 7; amount++) {
        assert_false(take(b, METE_TOTAL_TOKENS, amount));
        int64_t retry_at_us = b->verdict.retry_at.us;
        b->now_us = retry_at_us - 1;
        assert_false(take(b, METE_TOTAL_TOKENS, amount));
        assert_true(b->verdict.retry_at.us == retry_at_us);
        b->now_us = retry_at_us;
        assert_true(take(b, METE_TOTAL_TOKENS, amount));
    }
}

static void more_than_the_burst_is_never_admitted_and_says_so(void **state)
{
    struct bench *b = *state;
    struct mete_change change = rate_change(b->key, "tpm", METE_TOTAL_TOKENS, 1000, SECOND_MS);
    change.rate.burst = 100;
    uint32_t rate;
    assert_int_equal(put(b, &change, &rate), 0);
    assert_false(take(b, METE_TOTAL_TOKENS, 101));
    assert_true(b->verdict.retry_at.us == INT64_MAX && b->refusals[0].resets_at.us == INT64_MAX);
    assert_true(take(b, METE_TOTAL_TOKENS, 100));
    put_rate(b, b->user, "none", METE_TOTAL_TOKENS, 0, SECOND_MS);
    b->now_us += SECOND_US;
    assert_false(take(b, METE_TOTAL_TOKENS, 0)); /* 0 refuses everything, for ever */
    assert_true(b->verdict.retry_at.us == INT64_MAX);
    assert_true(take(b, METE_OUTPUT, 1)); /* which does not ask it */
}

static void a_grant_fits_budgets_and_rate_limits(void **state)
{
    struct bench *b = *state;
    put_rate(b, b->org, "tpm", METE_TOTAL_TOKENS, 300, SECOND_MS);
    const struct mete_demand demands[] = {
        {.meter = METE_TOTAL_TOKENS, .fixed = 50, .per_million = 2000000},
        {.meter = METE_COST, .currency = METE_USD, .per_million = 1}};
    struct mete_reserve args = ask(b, demands);
    args.demands_len = 2;
    args.floor = 1;
    args.wish = 1000;
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed && b->verdict.granted == 125);
    assert_int_equal(reserve(b, &args), 0);
    assert_false(b->verdict.allowed);
    assert_int_equal(b->refusals[0].asked, 52);
}

/* ---- Settling ---- */

static void a_commit_settles_up_and_down(void **state)
{
    struct bench *b = *state;
    uint32_t rate = put_rate(b, b->key, "tpm", METE_TOTAL_TOKENS, 1000, SECOND_MS);
    uint64_t id = take(b, METE_TOTAL_TOKENS, 800);
    commit_usage(b, id, METE_TOTAL_TOKENS, 300);
    assert_int_equal(view_of(b, rate).taken, 300);
    id = take(b, METE_TOTAL_TOKENS, 100);
    commit_usage(b, id, METE_TOTAL_TOKENS, 1600); /* debt passes the burst */
    assert_int_equal(view_of(b, rate).taken, 1900);
    assert_false(take(b, METE_TOTAL_TOKENS, 1));
    assert_true(b->verdict.retry_at.us == b->now_us + 901 * MS_US);
    /* Used, though none was demanded. */
    b->now_us += 10 * SECOND_US;
    id = take(b, METE_OUTPUT, 5);
    assert_int_equal(view_of(b, rate).taken, 0);
    commit_usage(b, id, METE_TOTAL_TOKENS, 40);
    assert_int_equal(view_of(b, rate).taken, 40);
}

/* What was taken has drained away meanwhile: giving it back does not make room that never was. */
static void what_is_given_back_late_makes_no_credit(void **state)
{
    struct bench *b = *state;
    uint32_t rate = put_rate(b, b->key, "tpm", METE_TOTAL_TOKENS, 1000, SECOND_MS);
    uint64_t id = take(b, METE_TOTAL_TOKENS, 900);
    b->now_us += 2 * SECOND_US;
    assert_int_equal(release(b, id), 0);
    assert_int_equal(view_of(b, rate).taken, 0);
    assert_true(take(b, METE_TOTAL_TOKENS, 1000));
    assert_false(take(b, METE_TOTAL_TOKENS, 1));
}

static void a_release_returns_tokens_and_a_place_but_never_the_request(void **state)
{
    struct bench *b = *state;
    uint32_t requests = put_rate(b, b->key, "rpm", METE_REQUESTS, 2, MINUTE_MS);
    uint32_t tokens = put_rate(b, b->user, "tpm", METE_TOTAL_TOKENS, 100, MINUTE_MS);
    uint32_t places = put_concurrent(b, b->org, "calls", 1);
    uint64_t id = take(b, METE_TOTAL_TOKENS, 60);
    assert_int_equal(view_of(b, requests).taken, 1);
    assert_int_equal(view_of(b, tokens).taken, 60);
    assert_int_equal(view_of(b, places).taken, 1);
    assert_false(take(b, METE_TOTAL_TOKENS, 1));
    assert_true(b->refusals[0].reason == METE_CONCURRENCY && b->refusals[0].rate.n == places);
    assert_true(b->refusals[0].limit == 1 && b->refusals[0].held == 1);
    assert_true(b->verdict.retry_at.us == 0); /* at once: a place may be free any moment */
    assert_int_equal(release(b, id), 0);
    assert_int_equal(view_of(b, requests).taken, 1);
    assert_int_equal(view_of(b, tokens).taken, 0);
    assert_int_equal(view_of(b, places).taken, 0);
    assert_true(take(b, METE_TOTAL_TOKENS, 1));
    assert_int_equal(view_of(b, requests).taken, 2);
}

static void an_expiry_returns_or_charges_as_the_reservation_says(void **state)
{
    struct bench *b = *state;
    uint32_t tokens = put_rate(b, b->user, "tpm", METE_TOTAL_TOKENS, 6000000, 60 * MINUTE_MS);
    uint32_t places = put_concurrent(b, b->org, "calls", 5);
    const struct mete_demand demand = {.meter = METE_TOTAL_TOKENS, .fixed = 5000000};
    for (int charges = 0; charges < 2; charges++) {
        struct mete_reserve args = ask(b, &demand);
        args.on_expiry = charges ? METE_EXPIRY_CHARGE : METE_EXPIRY_RELEASE;
        args.ttl_ms = 1;
        assert_int_equal(reserve(b, &args), 0);
        assert_true(b->verdict.allowed);
        b->now_us += MS_US;
        struct entry entry;
        assert_true(ledger_decide_expiry(b->ledger, now(b), &entry));
        apply(b, &entry);
        assert_int_equal(view_of(b, places).taken, 0);
        assert_int_equal(view_of(b, tokens).taken, charges ? 4999999 : 0);
    }
}

static void a_record_takes_without_asking(void **state)
{
    struct bench *b = *state;
    uint32_t requests = put_rate(b, b->key, "rpm", METE_REQUESTS, 1, MINUTE_MS);
    uint32_t tokens = put_rate(b, b->user, "tpm", METE_TOTAL_TOKENS, 100, MINUTE_MS);
    uint32_t places = put_concurrent(b, b->org, "calls", 1);
    assert_int_equal(record_usage(b, METE_TOTAL_TOKENS, 250), 0);
    assert_int_equal(record_usage(b, METE_REQUESTS, 3), 0);
    assert_int_equal(view_of(b, requests).taken, 4);
    assert_int_equal(view_of(b, tokens).taken, 250);
    assert_int_equal(view_of(b, places).taken, 0);
    assert_false(take(b, METE_TOTAL_TOKENS, 1));
    assert_int_equal(b->verdict.refusals_len, 2);
    for (int i = 0; i < 20; i++) /* debt stays a number */
        assert_int_equal(record_usage(b, METE_TOTAL_TOKENS, METE_AMOUNT_MAX), 0);
    assert_true(view_of(b, tokens).taken == METE_AMOUNT_MAX);
    assert_false(take(b, METE_TOTAL_TOKENS, 1));
    assert_true(b->verdict.retry_at.us == INT64_MAX); /* after the end of time */
}

static int extend(struct bench *b, uint64_t id, uint16_t meter, int64_t amount, int shrink)
{
    const struct mete_demand demand = {.meter = meter, .fixed = amount};
    const struct mete_extend args = {
        .reservation = {id}, .demands = &demand, .demands_len = 1, .shrink = shrink};
    struct ledger_decision decision;
    int rc = ledger_decide_extend(b->ledger, now(b), &args, b->refusals, METE_REFUSALS_MAX,
                                  &b->verdict, &decision);
    if (rc == 0 && decision.entry.kind != ENTRY_NONE)
        apply(b, &decision.entry);
    return rc;
}

static void an_extension_takes_more_and_a_shrinking_gives_back(void **state)
{
    struct bench *b = *state;
    uint32_t requests = put_rate(b, b->key, "rpm", METE_REQUESTS, 2, MINUTE_MS);
    uint32_t tokens = put_rate(b, b->user, "tpm", METE_TOTAL_TOKENS, 100, MINUTE_MS);
    uint32_t places = put_concurrent(b, b->org, "calls", 1);
    uint64_t id = take(b, METE_TOTAL_TOKENS, 60);
    assert_int_equal(extend(b, id, METE_TOTAL_TOKENS, 41, 0), 0);
    assert_true(!b->verdict.allowed && b->refusals[0].rate.n == tokens);
    assert_true(b->refusals[0].asked == 41 && b->refusals[0].held == 60);
    assert_int_equal(b->verdict.refusals_len, 1); /* it has its place, and its request */
    assert_int_equal(extend(b, id, METE_TOTAL_TOKENS, 40, 0), 0);
    assert_true(b->verdict.allowed && view_of(b, tokens).taken == 100);
    assert_int_equal(extend(b, id, METE_TOTAL_TOKENS, 70, 1), 0);
    assert_int_equal(view_of(b, tokens).taken, 30);
    assert_int_equal(view_of(b, requests).taken, 1);
    assert_int_equal(view_of(b, places).taken, 1);
    assert_int_equal(release(b, id), 0);
    assert_int_equal(view_of(b, tokens).taken, 0);
    /* Requests that are given back before the end are still made. */
    id = take(b, METE_REQUESTS, 1);
    assert_true(id);
    assert_int_equal(extend(b, id, METE_REQUESTS, 1, 1), 0);
    assert_int_equal(view_of(b, requests).taken, 2);
    b->now_us += MINUTE_MS * MS_US / 2;
    assert_int_equal(extend(b, id, METE_REQUESTS, 1, 0), 0);
    assert_true(b->verdict.allowed && view_of(b, requests).taken == 2);
    assert_int_equal(end_rate(b, tokens), 0);
    assert_int_equal(end_rate(b, requests), 0);
    assert_int_equal(extend(b, id, METE_REQUESTS, 5, 0), 0); /* nobody is told */
    assert_true(b->verdict.allowed);
}

/* ---- Many, or none ---- */

/* INV-02: of several that have room the last one refuses. */
static void of_several_rate_limits_all_are_taken_from_or_none(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_budget(b, b->key, "money", 1000, METE_DAILY);
    uint32_t rates[] = {put_rate(b, b->key, "a", METE_REQUESTS, 100, MINUTE_MS),
                        put_rate(b, b->key, "b", METE_TOTAL_TOKENS, 100, MINUTE_MS),
                        put_concurrent(b, b->user, "c", 100),
                        put_rate(b, b->dept, "d", METE_REQUESTS, 50, MINUTE_MS),
                        put_rate(b, b->org, "e", METE_REQUESTS, 2, MINUTE_MS)};
    const struct mete_demand demands[] = {{.meter = METE_COST, .currency = METE_USD, .fixed = 10},
                                          {.meter = METE_TOTAL_TOKENS, .fixed = 10}};
    struct mete_reserve args = ask(b, demands);
    args.demands_len = 2;
    for (int i = 1; i <= 2; i++) {
        assert_int_equal(reserve(b, &args), 0);
        assert_true(b->verdict.allowed);
    }
    assert_int_equal(reserve(b, &args), 0);
    assert_false(b->verdict.allowed);
    assert_int_equal(b->verdict.refusals_len, 1);
    assert_int_equal(b->refusals[0].rate.n, rates[4]);
    stands(b, budget, 0, 20);
    static const int64_t taken[] = {2, 20, 2, 2, 2};
    for (int i = 0; i < 5; i++)
        assert_int_equal(view_of(b, rates[i]).taken, taken[i]);
}

static void refusals_come_leaf_first_concurrency_last_shadows_after_all(void **state)
{
    struct bench *b = *state;
    uint32_t places = put_concurrent(b, b->key, "places", 0);
    uint32_t far = put_rate(b, b->org, "far", METE_REQUESTS, 0, MINUTE_MS);
    uint32_t near = put_rate(b, b->key, "near", METE_REQUESTS, 0, MINUTE_MS);
    struct mete_change change = rate_change(b->key, "shadow", METE_REQUESTS, 0, MINUTE_MS);
    change.rate.mode = METE_SHADOW;
    uint32_t shadow;
    assert_int_equal(put(b, &change, &shadow), 0);
    uint32_t budget = put_budget(b, b->org, "money", 0, METE_DAILY);
    assert_false(take(b, METE_REQUESTS, 1));
    const struct mete_demand both[] = {{.meter = METE_COST, .currency = METE_USD},
                                       {.meter = METE_REQUESTS}};
    struct mete_reserve args = ask(b, both);
    args.demands_len = 2;
    assert_int_equal(reserve(b, &args), 0);
    assert_int_equal(b->verdict.refusals_len, 5);
    assert_int_equal(b->refusals[0].budget.n, budget);
    assert_int_equal(b->refusals[1].rate.n, near);
    assert_int_equal(b->refusals[2].rate.n, far);
    assert_int_equal(b->refusals[3].rate.n, places);
    assert_true(b->refusals[4].rate.n == shadow && b->refusals[4].shadow == 1);
    assert_true(b->verdict.retry_at.us == INT64_MAX);
}

/* ---- Modes, matches, changes ---- */

static void a_shadow_says_what_it_would_have_done_and_has_no_effect(void **state)
{
    struct bench *b = *state;
    struct mete_change change = rate_change(b->key, "tpm", METE_TOTAL_TOKENS, 10, MINUTE_MS);
    change.rate.mode = METE_SHADOW;
    uint32_t rate;
    assert_int_equal(put(b, &change, &rate), 0);
    assert_int_equal(take_all_there_is(b, METE_TOTAL_TOKENS), INT64_C(1) << 50);
    assert_int_equal(b->verdict.refusals_len, 0);
    assert_true(take(b, METE_TOTAL_TOKENS, 1));
    assert_int_equal(b->verdict.refusals_len, 1);
    assert_true(b->refusals[0].shadow && b->refusals[0].rate.n == rate);
    assert_true(b->verdict.retry_at.us == 0);
    assert_true(view_of(b, rate).taken == (INT64_C(1) << 50) + 1);
}

static void one_that_is_off_takes_nothing_and_still_gets_its_places_back(void **state)
{
    struct bench *b = *state;
    uint32_t places = put_concurrent(b, b->key, "places", 1);
    uint64_t id = take(b, METE_REQUESTS, 1);
    struct mete_change change = {.kind = METE_PUT_RATE_LIMIT,
                                 .rate = {.id = text("places"),
                                          .scope = {b->key},
                                          .concurrent = 1,
                                          .limit = 1,
                                          .mode = METE_OFF}};
    uint32_t handle;
    assert_int_equal(put(b, &change, &handle), 0);
    assert_int_equal(handle, places);
    uint64_t other = take(b, METE_REQUESTS, 1);
    assert_true(other);
    assert_int_equal(view_of(b, places).taken, 1);
    assert_int_equal(release(b, id), 0);
    assert_int_equal(view_of(b, places).taken, 0);
    change.rate.mode = METE_ENFORCE;
    assert_int_equal(put(b, &change, &handle), 0);
    assert_int_equal(release(b, other), 0); /* which took no place */
    assert_true(take(b, METE_REQUESTS, 1));
    assert_false(take(b, METE_REQUESTS, 1));
}

static void a_narrowed_one_is_asked_by_the_calls_it_matches(void **state)
{
    struct bench *b = *state;
    struct mete_change change = rate_change(b->key, "big", METE_REQUESTS, 1, MINUTE_MS);
    change.rate.matches[0] = (struct mete_match){METE_MATCH_MODEL, text("big-*")};
    change.rate.matches[1] = (struct mete_match){METE_MATCH_TAG, text("batch")};
    change.rate.matches_len = 2;
    uint32_t rate;
    assert_int_equal(put(b, &change, &rate), 0);
    const struct mete_rate_view view = view_of(b, rate);
    assert_int_equal(view.matches_len, 2);
    assert_int_equal(view.matches[1].kind, METE_MATCH_TAG);
    assert_memory_equal(view.matches[0].pattern.data, "big-*", view.matches[0].pattern.len);
    const struct mete_demand demand = {.meter = METE_REQUESTS, .fixed = 1};
    const struct mete_text tags[] = {text("night"), text("batch")};
    struct mete_reserve args = ask(b, &demand);
    for (int i = 0; i < 2; i++) { /* the name is new at first, and then has its number */
        args.model = text(i ? "small" : "big-1");
        assert_int_equal(reserve(b, &args), 0);
        assert_true(b->verdict.allowed && view_of(b, rate).taken == 0);
    }
    args.model = text("big-2");
    args.tags = tags;
    args.tags_len = 2;
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed && view_of(b, rate).taken == 1);
    args.model = text("big-1");
    assert_int_equal(reserve(b, &args), 0);
    assert_false(b->verdict.allowed);
    args.tags_len = 1;
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed);
    change.rate.matches_len = 1; /* what cannot change */
    assert_int_equal(put(b, &change, &rate), METE_E_INVALID);
}

static void sessions_and_tags_of_a_wrong_form_are_refused(void **state)
{
    struct bench *b = *state;
    const struct mete_demand demand = {.meter = METE_REQUESTS, .fixed = 1};
    struct mete_reserve args = ask(b, &demand);
    char longer[LIMIT_SESSION + 1];
    memset(longer, 'x', sizeof longer);
    struct mete_text tag = text("");
    args.tags = &tag;
    args.tags_len = 1;
    assert_int_equal(reserve(b, &args), METE_E_INVALID);
    tag = text("a\tb");
    assert_int_equal(reserve(b, &args), METE_E_INVALID);
    tag = (struct mete_text){longer, sizeof longer};
    assert_int_equal(reserve(b, &args), METE_E_TOO_LARGE);
    tag.len--;
    assert_int_equal(reserve(b, &args), 0);
    args.tags_len = METE_TAGS_MAX + 1;
    assert_int_equal(reserve(b, &args), METE_E_TOO_LARGE);
    args.tags_len = 0;
    args.session = (struct mete_text){longer, sizeof longer};
    assert_int_equal(reserve(b, &args), METE_E_TOO_LARGE);
    args.session = text("a\x7f");
    assert_int_equal(reserve(b, &args), METE_E_INVALID);
}

static void a_change_keeps_the_amount_that_is_owed(void **state)
{
    struct bench *b = *state;
    uint32_t rate = put_rate(b, b->key, "tpm", METE_TOTAL_TOKENS, 600, MINUTE_MS);
    take(b, METE_TOTAL_TOKENS, 300);
    b->now_us += SECOND_US; /* by the old limit 10 came back */
    put_rate(b, b->key, "tpm", METE_TOTAL_TOKENS, 60, MINUTE_MS);
    assert_int_equal(view_of(b, rate).taken, 290);
    assert_false(take(b, METE_TOTAL_TOKENS, 60));
    put_rate(b, b->key, "tpm", METE_TOTAL_TOKENS, 1000, 7);
    assert_int_equal(view_of(b, rate).taken, 290);
    put_rate(b, b->key, "tpm", METE_TOTAL_TOKENS, 1000, 86400000);
    assert_int_equal(view_of(b, rate).taken, 290);
    assert_true(take(b, METE_TOTAL_TOKENS, 710));
    assert_false(take(b, METE_TOTAL_TOKENS, 1));
}

static void what_cannot_be_counted_is_not_put(void **state)
{
    struct bench *b = *state;
    uint32_t handle;
    struct mete_change change = rate_change(b->key, "r", METE_REQUESTS, METE_AMOUNT_MAX / 2000, 1);
    assert_int_equal(put(b, &change, &handle), 0);
    assert_true(take(b, METE_REQUESTS, METE_AMOUNT_MAX / 2000));
    assert_false(take(b, METE_REQUESTS, METE_AMOUNT_MAX));
    change.rate.period_ms = 2;
    change.rate.burst = METE_AMOUNT_MAX / 1000;
    assert_int_equal(put(b, &change, &handle), METE_E_INVALID);
    change = rate_change(b->key, "r", METE_REQUESTS, 1, 0);
    assert_int_equal(put(b, &change, &handle), METE_E_INVALID);
    change = rate_change(b->key, "r", METE_REQUESTS, 1, LIMIT_RATE_PERIOD_MS + 1);
    assert_int_equal(put(b, &change, &handle), METE_E_INVALID);
    change = rate_change(b->key, "r", METE_REQUESTS, -1, 1);
    assert_int_equal(put(b, &change, &handle), METE_E_INVALID);
    change = rate_change(b->key, "r", METE_OUTPUT, 1, 1); /* another meter */
    assert_int_equal(put(b, &change, &handle), METE_E_INVALID);
    change = rate_change(b->user, "r", METE_REQUESTS, 1, 1); /* another scope */
    assert_int_equal(put(b, &change, &handle), METE_E_INVALID);
    change = rate_change(99, "x", METE_REQUESTS, 1, 1);
    assert_int_equal(put(b, &change, &handle), METE_E_NOT_FOUND);
    change = rate_change(b->key, "x", METE_REQUESTS, 1, 1);
    change.flags = METE_CHANGE_UPDATE;
    assert_int_equal(put(b, &change, &handle), METE_E_NOT_FOUND);
    change = rate_change(b->key, "r", METE_REQUESTS, 1, 1);
    change.flags = METE_CHANGE_CREATE;
    assert_int_equal(put(b, &change, &handle), METE_E_EXISTS);
    for (int i = 1; i < LIMIT_SCOPE_RATES; i++) {
        char id[8];
        snprintf(id, sizeof id, "%d", i);
        put_rate(b, b->key, id, METE_REQUESTS, 1, 1);
    }
    change = rate_change(b->key, "one-more", METE_REQUESTS, 1, 1);
    assert_int_equal(put(b, &change, &handle), METE_E_FULL);
}

static void one_that_ended_is_told_no_more_and_its_id_is_free(void **state)
{
    struct bench *b = *state;
    uint32_t old = put_concurrent(b, b->key, "places", 1);
    uint64_t id = take(b, METE_REQUESTS, 1);
    assert_int_equal(end_rate(b, old), 0);
    assert_int_equal(end_rate(b, old), METE_E_NOT_FOUND);
    assert_int_equal(ledger_find_rate(b->ledger, b->org, slice_of("places")), 0);
    uint32_t young = put_concurrent(b, b->key, "places", 1);
    assert_true(young != old);
    assert_true(take(b, METE_REQUESTS, 1));
    assert_int_equal(release(b, id), 0); /* gives back its place where it took it */
    assert_int_equal(view_of(b, young).taken, 1);
    assert_true(view_of(b, old).ended);
    assert_false(take(b, METE_REQUESTS, 1));
    struct ledger_counts counts;
    ledger_counts(b->ledger, &counts);
    assert_int_equal(counts.rates, 1);
}

/* One batch creates a scope and its rate limits, ends one and makes it anew. */
static void a_batch_makes_a_scope_and_its_rate_limits(void **state)
{
    struct bench *b = *state;
    uint32_t old = put_rate(b, b->user, "again", METE_REQUESTS, 1, SECOND_MS);
    struct mete_change changes[8] = {
        {.kind = METE_PUT_SCOPE,
         .scope = {.kind = METE_API_KEY,
                   .id = text("k2"),
                   .organization = {b->org},
                   .parent = {b->user}}},
        rate_change(METE_FROM_CHANGE(0), "k2-rpm", METE_REQUESTS, 60, MINUTE_MS),
        rate_change(METE_FROM_CHANGE(0), "k2-tpm", METE_TOTAL_TOKENS, 60, MINUTE_MS),
        {.kind = METE_END_RATE_LIMIT, .end_rate = {old}},
        rate_change(b->user, "again", METE_OUTPUT, 1, SECOND_MS),
        rate_change(METE_FROM_CHANGE(0), "k2-rpm", METE_REQUESTS, 61, MINUTE_MS),
        {.kind = METE_END_RATE_LIMIT, .end_rate = {METE_FROM_CHANGE(2)}}};
    struct mete_apply args = {.changes = changes, .len = 7};
    uint32_t handles[8];
    struct ledger_batch batch = {0};
    assert_int_equal(ledger_check_changes(b->ledger, now(b), &args, handles, &batch), 0);
    assert_int_equal(handles[1], old + 1);
    assert_int_equal(handles[4], old + 3);
    assert_true(handles[5] == handles[1] && handles[6] == handles[2]);
    for (size_t i = 0; i < args.len; i++) {
        struct mete_change change = changes[i];
        uint32_t *const refs[] = {&change.rate.scope.n, &change.end_rate.n};
        for (int r = 0; r < 2; r++)
            if (*refs[r] >= METE_FROM_CHANGE(0))
                *refs[r] = handles[*refs[r] - METE_FROM_CHANGE(0)];
        uint32_t handle;
        assert_int_equal(put(b, &change, &handle), 0);
        assert_int_equal(handle, handles[i]);
    }
    assert_int_equal(view_of(b, handles[1]).limit, 61);
    assert_true(view_of(b, handles[2]).ended);
    /* A fifth one is one too many, also within a batch. */
    for (int i = 0; i < 5; i++) {
        static const char *const ids[] = {"1", "2", "3", "4", "5"};
        changes[i] = rate_change(b->dept, ids[i], METE_REQUESTS, 1, 1);
    }
    args.len = 5;
    assert_int_equal(ledger_check_changes(b->ledger, now(b), &args, handles, &batch), METE_E_FULL);
    assert_int_equal(batch.failed, 4);
    changes[1] = changes[0];
    changes[1].flags = METE_CHANGE_CREATE;
    args.len = 2;
    assert_int_equal(ledger_check_changes(b->ledger, now(b), &args, handles, &batch),
                     METE_E_EXISTS);
}

/* ---- Refusals that bind ---- */

static void a_refusal_binds_until_it_said_or_until_its_cause_changes(void **state)
{
    struct bench *b = *state;
    put_rate(b, b->key, "tpm", METE_TOTAL_TOKENS, 10, SECOND_MS);
    take(b, METE_TOTAL_TOKENS, 10);
    const struct mete_demand one = {.meter = METE_TOTAL_TOKENS, .fixed = 1};
    const struct mete_demand many = {.meter = METE_TOTAL_TOKENS, .fixed = 11};
    struct mete_reserve args = ask(b, &one);
    args.request_id = text("soon");
    assert_int_equal(reserve(b, &args), 0);
    assert_true(!b->verdict.allowed && !b->verdict.repeated);
    assert_int_equal(reserve(b, &args), 0);
    assert_true(!b->verdict.allowed && b->verdict.repeated && b->refusals[0].rate.n == 1);
    args.demands = &many;
    args.request_id = text("never");
    assert_int_equal(reserve(b, &args), 0);
    b->now_us += SECOND_US;
    assert_int_equal(reserve(b, &args), 0);
    assert_true(!b->verdict.allowed && b->verdict.repeated);
    put_rate(b, b->key, "tpm", METE_TOTAL_TOKENS, 11, SECOND_MS);
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed && !b->verdict.repeated);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_burst_at_once_and_then_evenly),
        TEST(a_call_that_demands_no_requests_counts_one),
        TEST(a_refusal_tells_all),
        TEST(no_amount_is_lost_or_won_over_long_times),
        TEST(what_is_refused_is_admitted_at_the_very_microsecond_it_says),
        TEST(more_than_the_burst_is_never_admitted_and_says_so),
        TEST(a_grant_fits_budgets_and_rate_limits),
        TEST(a_commit_settles_up_and_down),
        TEST(what_is_given_back_late_makes_no_credit),
        TEST(a_release_returns_tokens_and_a_place_but_never_the_request),
        TEST(an_expiry_returns_or_charges_as_the_reservation_says),
        TEST(a_record_takes_without_asking),
        TEST(an_extension_takes_more_and_a_shrinking_gives_back),
        TEST(of_several_rate_limits_all_are_taken_from_or_none),
        TEST(refusals_come_leaf_first_concurrency_last_shadows_after_all),
        TEST(a_shadow_says_what_it_would_have_done_and_has_no_effect),
        TEST(one_that_is_off_takes_nothing_and_still_gets_its_places_back),
        TEST(a_narrowed_one_is_asked_by_the_calls_it_matches),
        TEST(sessions_and_tags_of_a_wrong_form_are_refused),
        TEST(a_change_keeps_the_amount_that_is_owed),
        TEST(what_cannot_be_counted_is_not_put),
        TEST(one_that_ended_is_told_no_more_and_its_id_is_free),
        TEST(a_batch_makes_a_scope_and_its_rate_limits),
        TEST(a_refusal_binds_until_it_said_or_until_its_cause_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
