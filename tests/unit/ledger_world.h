/* SPDX-License-Identifier: Apache-2.0
 * A short life in which every kind of entry happens, and whose end has something of everything that
 * a state can hold. For tests that look at each entry, or at what is saved of it (bench.watch). */
#ifndef TESTS_LEDGER_WORLD_H
#define TESTS_LEDGER_WORLD_H

#include "unit/ledger_help.h"

#define WORLD_EUR METE_CURRENCY('E', 'U', 'R')

static inline struct entry world_entry(const struct bench *b, enum entry_kind kind)
{
    return (struct entry){.kind = kind, .seq = ledger_last_seq(b->ledger) + 1, .at_us = b->now_us};
}

static inline uint32_t world_change(struct bench *b, const struct mete_change *change)
{
    uint32_t handle = 0;
    assert_int_equal(put(b, change, &handle), 0);
    return handle;
}

static inline void world_scopes(struct bench *b)
{
    struct entry genesis = world_entry(b, ENTRY_GENESIS);
    genesis.u.genesis.format = ENTRY_FORMAT;
    memcpy(genesis.u.genesis.installation, "a world of tests", 16);
    apply(b, &genesis);
    b->org = put_scope(b, METE_ORGANIZATION, "acme", 0);
    b->dept = put_scope(b, METE_DEPARTMENT, "research", b->org);
    b->user = put_scope(b, METE_USER, "ada", b->dept);
    b->key = put_scope(b, METE_API_KEY, "k1", b->user);
    put_scope(b, METE_DEPARTMENT, "sales", b->org);
    put_scope(b, METE_API_KEY, "k2", b->user);
    struct mete_change revoke = {
        .kind = METE_PUT_SCOPE,
        .scope = {METE_API_KEY, text("k2"), {b->org}, {b->user}, {T0 + 9 * DAY_US}, 1},
        .document = text("{\"why\":\"lost\"}")};
    world_change(b, &revoke);
}

static inline void world_budgets(struct bench *b)
{
    struct mete_change top = budget_change(b->org, "top", 1000000, METE_DAILY);
    top.budget.controls = (struct mete_controls){400000, 1000000, 900000, 300000, 60, 0};
    top.budget.thresholds_ppm[0] = 10000;
    top.budget.thresholds_ppm[1] = 500000;
    top.budget.thresholds_len = 2;
    top.budget.soft_limit = 200000;
    world_change(b, &top);
    struct mete_change rolls = budget_change(b->dept, "rolls", 5000000, METE_ROLLING);
    rolls.budget.window_seconds = 6400;
    rolls.budget.matches[0] = (struct mete_match){METE_MATCH_MODEL, text("gpt-*")};
    rolls.budget.matches[1] = (struct mete_match){METE_MATCH_TAG, text("red")};
    rolls.budget.matches_len = 2;
    world_change(b, &rolls);
    struct mete_change carries = budget_change(b->user, "carries", 3000000, METE_HOURLY);
    carries.budget.rollover_cap = 1000000;
    carries.budget.time_zone = text("Europe/Berlin");
    world_change(b, &carries);
    struct mete_change euros = budget_change(b->key, "euros", 8000000, METE_TOTAL);
    euros.budget.currency = WORLD_EUR;
    euros.budget.mode = METE_SHADOW;
    world_change(b, &euros);
    struct mete_change template = budget_change(b->org, "each", 7000000, METE_MONTHLY);
    template.budget.for_kind = METE_API_KEY;
    template.budget.anchor = 15;
    template.budget.matches[0] = (struct mete_match){METE_MATCH_PROVIDER, text("*")};
    template.budget.matches_len = 1;
    world_change(b, &template);
    put_budget(b, b->org, "gone", 10000000, METE_YEARLY);
    for (int64_t i = 0; i < 2; i++) {
        struct mete_change increase = {
            .kind = METE_PUT_INCREASE,
            .increase = {{1}, 500000, {T0 + i * HOUR_US}, {T0 + 30 * HOUR_US}}};
        world_change(b, &increase);
    }
}

static inline void world_rates(struct bench *b)
{
    struct mete_change rate = {.kind = METE_PUT_RATE_LIMIT,
                               .rate = {.id = text("rpm"),
                                        .scope = {b->org},
                                        .meter = METE_REQUESTS,
                                        .limit = 600,
                                        .period_ms = 60000}};
    world_change(b, &rate);
    rate.rate.id = text("spm");
    rate.rate.scope.n = b->key;
    rate.rate.meter = METE_COST;
    rate.rate.currency = WORLD_EUR;
    rate.rate.limit = 5000000;
    rate.rate.burst = 6000000;
    rate.rate.matches[0] = (struct mete_match){METE_MATCH_SESSION, text("s*")};
    rate.rate.matches_len = 1;
    world_change(b, &rate);
    struct mete_change at_once = {
        .kind = METE_PUT_RATE_LIMIT,
        .rate = {.id = text("at-once"), .scope = {b->user}, .concurrent = 1, .limit = 20}};
    world_change(b, &at_once);
    at_once.rate.id = text("rate-gone");
    uint32_t gone = world_change(b, &at_once);
    const struct mete_change end = {.kind = METE_END_RATE_LIMIT, .end_rate = {gone}};
    world_change(b, &end);
}

static inline void world_money(struct bench *b)
{
    for (int64_t i = 0; i < 2; i++) {
        const struct mete_change exchange = {
            .kind = METE_PUT_EXCHANGE,
            .exchange = {METE_USD, WORLD_EUR, 9 - i, 10, {T0 - HOUR_US + i}}};
        world_change(b, &exchange);
    }
    const struct mete_change meter = {.kind = METE_PUT_METER, .meter = text("gpu-seconds")};
    world_change(b, &meter);
    struct mete_change grant = {.kind = METE_PUT_GRANT,
                                .grant = {.id = text("order-1"),
                                          .scope = {b->user},
                                          .meter = METE_IMAGES,
                                          .amount = 6,
                                          .priority = 1,
                                          .source = text("purchase")}};
    world_change(b, &grant);
    grant.grant.id = text("order-2");
    grant.grant.expires_at.us = T0 + DAY_US;
    world_change(b, &grant);
    grant.grant.id = text("order-3");
    grant.grant.meter = METE_METER_CUSTOM;
    grant.grant.expires_at.us = 0;
    world_change(b, &grant);
    const struct mete_change end = {
        .kind = METE_END_QUOTA, .at = {b->user}, .grant = {.meter = METE_METER_CUSTOM}};
    world_change(b, &end);
    struct mete_change document = {.kind = METE_PUT_DOCUMENT,
                                   .at_document = {7, {b->org}, text("plan-1")},
                                   .document = text("{}")};
    world_change(b, &document);
    document.kind = METE_END_DOCUMENT;
    document.document = text("");
    world_change(b, &document);
}

/* A reservation of cost and images; flags and id as asked. */
static inline uint64_t world_reserve(struct bench *b, const char *id, uint32_t flags,
                                     enum mete_expiry on_expiry)
{
    const struct mete_demand demands[] = {{.currency = METE_USD, .fixed = 1000, .per_million = 10},
                                          {.meter = METE_IMAGES, .fixed = 2}};
    const struct mete_text tags[] = {text("red"), text("blue")};
    const struct mete_reserve args = {.scope = {b->key},
                                      .request_id = text(id),
                                      .content = 4711,
                                      .model = text("gpt-4o"),
                                      .provider = text("openai"),
                                      .session = text("s1"),
                                      .tags = tags,
                                      .tags_len = 2,
                                      .demands = demands,
                                      .demands_len = 2,
                                      .wish = 1000000,
                                      .ttl_ms = 60000,
                                      .on_expiry = on_expiry,
                                      .flags = flags};
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed);
    return b->verdict.reservation.n;
}

static inline void world_extend(struct bench *b, uint64_t id, int shrink)
{
    const struct mete_demand demands[] = {{.currency = METE_USD, .fixed = 100},
                                          {.meter = METE_IMAGES, .fixed = 1}};
    const struct mete_extend args = {.reservation = {id},
                                     .demands = demands,
                                     .demands_len = 2,
                                     .shrink = shrink,
                                     .ttl_ms = 90000};
    struct ledger_decision decision;
    int rc;
    while ((rc = ledger_decide_extend(b->ledger, now(b), &args, b->refusals, METE_REFUSALS_MAX,
                                      &b->verdict, &decision)) == LEDGER_STALE)
        enter_due(b, &decision.due);
    assert_int_equal(rc, 0);
    assert_true(b->verdict.allowed);
    apply(b, &decision.entry);
}

static inline void world_commit(struct bench *b, uint64_t id, int64_t cost, uint32_t flags)
{
    const struct mete_usage usage[] = {{.currency = METE_USD, .amount = cost},
                                       {.meter = METE_IMAGES, .amount = 1}};
    const struct mete_commit args = {.reservation = {id},
                                     .usage = usage,
                                     .usage_len = 2,
                                     .outcome = {.ending = METE_ENDED_CUT,
                                                 .flags = flags,
                                                 .price_list = text("2026-11"),
                                                 .note = text("{}")}};
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_commit(b->ledger, now(b), &args, &b->receipt, &decision), 0);
    apply(b, &decision.entry);
}

static inline void world_record(struct bench *b, int64_t cost)
{
    const struct mete_usage usage[] = {{.currency = METE_USD, .amount = cost},
                                       {.meter = METE_IMAGES, .amount = 1}};
    const struct mete_text tags[] = {text("red")};
    const struct mete_record args = {.scope = {b->key},
                                     .request_id = text("told"),
                                     .content = 5,
                                     .model = text("gpt-mini"),
                                     .provider = text("azure"),
                                     .session = text("s2"),
                                     .tags = tags,
                                     .tags_len = 1,
                                     .usage = usage,
                                     .usage_len = 2,
                                     .outcome = {.price_list = text("2026-12")}};
    struct ledger_decision decision;
    int rc;
    while ((rc = ledger_decide_record(b->ledger, now(b), &args, &b->receipt, &decision)) ==
           LEDGER_STALE)
        enter_due(b, &decision.due);
    assert_int_equal(rc, 0);
    apply(b, &decision.entry);
}

static inline void world_expire(struct bench *b)
{
    struct entry entry;
    assert_true(ledger_decide_expiry(b->ledger, now(b), &entry));
    apply(b, &entry);
}

static inline void world_calls(struct bench *b)
{
    uint64_t first = world_reserve(b, "r1", 0, METE_EXPIRY_RELEASE);
    world_extend(b, first, 0);
    world_extend(b, first, 1);
    world_commit(b, first, 900, METE_OUTCOME_PROVISIONAL);
    world_reserve(b, "r2", 0, METE_EXPIRY_CHARGE);
    b->now_us += 61 * INT64_C(1000000);
    world_expire(b);
    world_commit(b, first, 800, 0); /* its true figures */
    uint64_t second = world_reserve(b, "", 0, METE_EXPIRY_RELEASE);
    assert_int_equal(release(b, second), 0);
    world_reserve(b, "call", METE_RESERVE_CALL, METE_EXPIRY_RELEASE);
    uint64_t third = world_reserve(b, "r3", 0, METE_EXPIRY_RELEASE);
    b->now_us += HOUR_US; /* with two of the window before still open */
    world_extend(b, third, 0);
    world_record(b, 600000);
    const struct mete_change refund = {.kind = METE_REFUND, .refund = {1}, .amount = 1};
    world_change(b, &refund);
    uint64_t fourth = world_reserve(b, "r4", 0, METE_EXPIRY_RELEASE);
    world_commit(b, fourth, 5, METE_OUTCOME_PROVISIONAL);
}

/* A stop that binds, its lift, and what administration ends or moves while calls are open. */
static inline void world_ends(struct bench *b)
{
    const struct mete_usage much = {.currency = METE_USD, .amount = 800000};
    const struct mete_record record = {.scope = {b->user}, .usage = &much, .usage_len = 1};
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_record(b->ledger, now(b), &record, &b->receipt, &decision), 0);
    apply(b, &decision.entry);
    const struct mete_change less = {.kind = METE_END_INCREASE, .end = {1}, .end_increase = 2};
    world_change(b, &less);
    struct mete_reserve refused = ask(b, &one_dollar);
    refused.request_id = text("refused");
    assert_int_equal(reserve(b, &refused), 0);
    assert_int_equal(b->refusals[0].reason, METE_EMERGENCY_STOP);
    const struct mete_change ends[] = {{.kind = METE_LIFT_STOP, .end = {1}},
                                       {.kind = METE_END_BUDGET, .end = {6}},
                                       {.kind = METE_MOVE_SCOPE, .at = {b->user}, .parent = {5}},
                                       {.kind = METE_END_SCOPE, .at = {6}}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        world_change(b, &ends[i]);
    struct entry base = world_entry(b, ENTRY_BASE);
    base.u.base.seq = base.seq - 3;
    memset(base.u.base.hash, 0xa5, sizeof base.u.base.hash);
    apply(b, &base);
    world_reserve(b, "r5", 0, METE_EXPIRY_RELEASE);
}

/* b: ledgers to which nothing was applied, and now_us. */
static inline void world_live(struct bench *b)
{
    world_scopes(b);
    world_budgets(b);
    world_rates(b);
    world_money(b);
    world_calls(b);
    world_ends(b);
}

static inline struct bench *world_bench(const struct ledger_room *room)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    assert_int_equal(ledger_open(room, &b->ledger), 0);
    assert_int_equal(ledger_open(room, &b->copy), 0);
    b->now_us = T0;
    return b;
}

#endif
