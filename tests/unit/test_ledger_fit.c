/* SPDX-License-Identifier: Apache-2.0
 * Proves that the ledger takes an entry only where it fits, whoever says that it does: entries that
 * say nothing, come out of turn, or hold what no decision makes and no reader lets through are
 * CORRUPT; that what is full is full for the decision and for the journal alike; and that looking
 * at what is not there finds nothing. */
#include "unit/ledger_world.h"

static const struct ledger_room room = {16, 32, 8, 16};
static const struct mete_demand one_nano_dollar = {.currency = METE_USD, .fixed = 1};

static int live(void **state)
{
    struct bench *b = world_bench(&room);
    world_live(b);
    *state = b;
    return 0;
}

static struct ledger *copy_of(const struct ledger *ledger)
{
    struct saved saved = {0};
    struct ledger_room as;
    struct ledger *copy;
    ledger_room(ledger, &as);
    assert_int_equal(ledger_save(ledger, saved_put, &saved), 0);
    assert_int_equal(ledger_open(&as, &copy), 0);
    assert_int_equal(ledger_load(copy, saved_get, &saved), 0);
    free(saved.bytes);
    return copy;
}

/* What the ledger, as it is, says to an entry. */
static int says(const struct bench *b, const struct entry *entry)
{
    static struct ledger_effects effects;
    struct ledger *ledger = copy_of(b->ledger);
    int rc = ledger_apply(ledger, entry, &effects);
    if (rc == 0)
        ledger_check(ledger);
    ledger_close(ledger);
    return rc;
}

#define REFUSES(b, entry) assert_int_equal(says(b, entry), METE_E_CORRUPT)
#define TAKES(b, entry) assert_int_equal(says(b, entry), 0)

/* ---- Form ------------------------------------------------------------------------------------ */

static void an_entry_that_says_nothing_is_corrupt(void **state)
{
    struct bench *b = *state;
    for (int kind = ENTRY_NONE; kind <= ENTRY_KINDS; kind++) {
        struct entry entry = world_entry(b, (enum entry_kind)kind);
        REFUSES(b, &entry);
    }
}

static void an_entry_out_of_turn_is_corrupt(void **state)
{
    struct bench *b = *state;
    struct entry entry = world_entry(b, ENTRY_BUDGET_END);
    entry.u.budget_end.handle = 1;
    TAKES(b, &entry);
    entry.seq++;
    REFUSES(b, &entry);
    entry.seq -= 2;
    REFUSES(b, &entry);
    entry.seq++;
    entry.at_us = ledger_last_at_us(b->ledger) - 1;
    REFUSES(b, &entry);
    struct entry genesis = world_entry(b, ENTRY_GENESIS);
    genesis.u.genesis.format = ENTRY_FORMAT + 1;
    assert_int_equal(says(b, &genesis), METE_E_FORMAT);
}

static struct entry budget_entry(const struct bench *b)
{
    struct entry entry = world_entry(b, ENTRY_BUDGET);
    entry.u.budget.handle = ledger_budgets(b->ledger) + 1;
    entry.u.budget.spec = budget_change(b->user, "new", 100, METE_TOTAL).budget;
    entry.u.budget.window_end_us = INT64_MAX;
    return entry;
}

static void a_budget_that_no_decision_makes_is_corrupt(void **state)
{
    struct bench *b = *state;
    struct entry good = budget_entry(b), entry = good;
    TAKES(b, &entry);
    entry.u.budget.spec.thresholds_len = 2; /* 0, 0 */
    REFUSES(b, &entry);
    entry = good;
    entry.u.budget.spec.scope.n = 99;
    REFUSES(b, &entry);
    entry = good;
    entry.u.budget.spec.id = text("top"); /* is another's */
    REFUSES(b, &entry);
    entry = good;
    entry.u.budget.window_end_us = 0;
    REFUSES(b, &entry);
    entry.u.budget.window_end_us = b->now_us; /* it is over */
    REFUSES(b, &entry);
    entry.u.budget.window_start_us = b->now_us + 1; /* it has not begun */
    entry.u.budget.window_end_us = b->now_us + 2;
    REFUSES(b, &entry);
    entry = good;
    entry.u.budget.spec.for_kind = METE_API_KEY; /* a template is an organization's */
    REFUSES(b, &entry);
    entry.u.budget.spec.scope.n = b->org;
    TAKES(b, &entry);
    entry.u.budget.spec.for_kind = METE_KINDS;
    REFUSES(b, &entry);
    entry.u.budget.spec.for_kind = METE_API_KEY;
    entry.u.budget.window_end_us = b->now_us + 1; /* it has no window */
    REFUSES(b, &entry);
    entry = good;
    entry.u.budget.spec.period = METE_ROLLING;
    entry.u.budget.spec.window_seconds = 64;
    REFUSES(b, &entry); /* not a bucket's bounds */
}

static void a_budget_stays_what_and_where_it_is(void **state)
{
    struct bench *b = *state;
    struct entry good = world_entry(b, ENTRY_BUDGET);
    good.u.budget.handle = 4;
    good.u.budget.spec = budget_change(b->key, "euros", 100, METE_TOTAL).budget;
    good.u.budget.spec.currency = WORLD_EUR;
    good.u.budget.window_end_us = INT64_MAX;
    TAKES(b, &good);
    struct entry entry = good;
    entry.u.budget.spec.scope.n = b->user;
    REFUSES(b, &entry);
    entry = good;
    entry.u.budget.spec.currency = METE_USD;
    REFUSES(b, &entry);
    entry = good;
    entry.u.budget.spec.period = METE_DAILY;
    REFUSES(b, &entry);
    entry = good;
    entry.u.budget.spec.id = text("dollars");
    REFUSES(b, &entry);
    entry = good;
    entry.u.budget.spec.anchor = 1;
    REFUSES(b, &entry);
    entry = good;
    entry.u.budget.handle = 6; /* has ended */
    entry.u.budget.spec.scope.n = b->org;
    REFUSES(b, &entry);
}

static void an_increase_that_no_decision_makes_is_corrupt(void **state)
{
    struct bench *b = *state;
    struct entry good = world_entry(b, ENTRY_INCREASE);
    good.u.increase.number = 3;
    good.u.increase.spec = (struct mete_increase_spec){{1}, 5, {T0}, {T0 + 9 * DAY_US}};
    TAKES(b, &good);
    struct entry entry = good;
    entry.u.increase.spec.amount = 0;
    REFUSES(b, &entry);
    entry.u.increase.spec.amount = METE_AMOUNT_MAX + 1;
    REFUSES(b, &entry);
    entry = good;
    entry.u.increase.spec.from.us = -1;
    REFUSES(b, &entry);
    entry = good;
    entry.u.increase.spec.until = entry.u.increase.spec.from;
    REFUSES(b, &entry);
    entry.u.increase.spec.until.us = b->now_us; /* it is over */
    REFUSES(b, &entry);
    entry = good;
    entry.u.increase.spec.budget.n = 5; /* a template */
    entry.u.increase.number = 1;
    REFUSES(b, &entry);
    entry.u.increase.spec.budget.n = 6; /* has ended */
    REFUSES(b, &entry);
    entry = world_entry(b, ENTRY_LIMIT);
    entry.u.limit.budget = 6;
    REFUSES(b, &entry);
}

static void a_meter_has_one_name_and_the_next_number(void **state)
{
    struct bench *b = *state;
    static char long_name[LIMIT_TIME_ZONE + 1];
    memset(long_name, 'm', sizeof long_name);
    struct entry good = world_entry(b, ENTRY_METER);
    good.u.meter.number = METE_METER_CUSTOM + 1;
    good.u.meter.name = SLICE_LITERAL("seats");
    TAKES(b, &good);
    struct entry entry = good;
    entry.u.meter.name = SLICE_LITERAL("gpu-seconds");
    REFUSES(b, &entry);
    entry.u.meter.name = SLICE_LITERAL("two words");
    REFUSES(b, &entry);
    entry.u.meter.name = (struct slice){long_name, sizeof long_name};
    REFUSES(b, &entry);
    entry = good;
    entry.u.meter.number++;
    REFUSES(b, &entry);
}

static void a_rate_of_exchange_is_between_two_and_finite(void **state)
{
    struct bench *b = *state;
    struct entry good = world_entry(b, ENTRY_EXCHANGE);
    good.u.exchange.spec = (struct mete_exchange_spec){METE_USD, WORLD_EUR, 1, 2, {T0}};
    TAKES(b, &good);
    const struct mete_exchange_spec bad[] = {
        {METE_USD, METE_USD, 1, 2, {T0}},
        {1, WORLD_EUR, 1, 2, {T0}},
        {METE_USD, 1, 1, 2, {T0}},
        {METE_USD, WORLD_EUR, 0, 2, {T0}},
        {METE_USD, WORLD_EUR, ENTRY_RATIO_MAX + 1, 2, {T0}},
        {METE_USD, WORLD_EUR, 1, 0, {T0}},
        {METE_USD, WORLD_EUR, 1, ENTRY_RATIO_MAX + 1, {T0}},
        {METE_USD, WORLD_EUR, 1, 2, {-1}},
        {METE_USD, WORLD_EUR, 1, 2, {ENTRY_INSTANT_MAX_US + 1}}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct entry entry = good;
        entry.u.exchange.spec = bad[i];
        REFUSES(b, &entry);
    }
}

static void a_name_is_learnt_once_and_in_turn(void **state)
{
    struct bench *b = *state;
    static char long_name[LIMIT_ID + 1];
    memset(long_name, 'n', sizeof long_name);
    struct entry good = world_entry(b, ENTRY_RECORD);
    good.u.record.scope = b->key;
    good.u.record.amounts_len = 1;
    good.u.record.amounts[0] = (struct entry_amount){METE_OUTPUT, 0, 1};
    TAKES(b, &good);
    const struct entry_name bad[] = {{9999, SLICE_LITERAL("a model")},
                                     {9999, {0}},
                                     {1, SLICE_LITERAL("gpt-4o")},
                                     {ENTRY_NAME_WHOLE, {0}},
                                     {ENTRY_NAME_WHOLE, {long_name, sizeof long_name}}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct entry entry = good;
        entry.u.record.model = bad[i];
        REFUSES(b, &entry);
        entry.u.record.model = (struct entry_name){0};
        entry.u.record.provider = bad[i];
        REFUSES(b, &entry);
        entry.u.record.provider = (struct entry_name){0};
        entry.u.record.outcome.price_list = bad[i];
        REFUSES(b, &entry);
    }
    struct entry entry = good;
    entry.u.record.model = (struct entry_name){ENTRY_NAME_WHOLE, SLICE_LITERAL("a model")};
    TAKES(b, &entry);
}

static void a_move_is_within_the_tree_that_may_be(void **state)
{
    struct bench *b = *state;
    struct entry good = world_entry(b, ENTRY_SCOPE_MOVE);
    good.u.scope_move.scope = b->user;
    good.u.scope_move.parent = b->dept;
    TAKES(b, &good);
    const uint32_t bad[][2] = {{b->user, 0},      {b->user, 99},     {99, b->dept},
                               {0, b->dept},      {b->org, b->dept}, {7, b->user},
                               {b->user, b->key}, {b->user, 7},      {b->dept, b->user}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct entry entry = good;
        entry.u.scope_move.scope = bad[i][0];
        entry.u.scope_move.parent = bad[i][1];
        REFUSES(b, &entry);
    }
    uint32_t other = 0;
    const struct mete_change organization = {
        .kind = METE_PUT_SCOPE, .scope = {.kind = METE_ORGANIZATION, .id = text("other")}};
    assert_int_equal(put(b, &organization, &other), 0);
    struct entry entry = world_entry(b, ENTRY_SCOPE_MOVE);
    entry.u.scope_move.scope = b->user;
    entry.u.scope_move.parent = other;
    REFUSES(b, &entry);
    entry = world_entry(b, ENTRY_SCOPE);
    entry.u.scope.handle = other + 1;
    entry.u.scope.spec = (struct mete_scope_spec){
        METE_USER, text("astray"), {other}, {b->dept}, {0}, 0}; /* of another organization */
    REFUSES(b, &entry);
    entry.u.scope.spec.organization.n = b->org;
    TAKES(b, &entry);
    entry.u.scope.spec.kind = METE_DEPARTMENT; /* test_ledger_scopes.c has how deep */
    TAKES(b, &entry);
    entry.u.scope.spec.parent.n = b->user;
    REFUSES(b, &entry);
}

static void a_budget_made_from_a_template_is_one_that_it_makes(void **state)
{
    struct bench *b = *state;
    struct entry good = world_entry(b, ENTRY_DEFAULT);
    uint32_t key = put_scope(b, METE_API_KEY, "k3", b->user);
    good.seq++;
    good.u.by_default.handle = ledger_budgets(b->ledger) + 1;
    good.u.by_default.made_from = 5;
    good.u.by_default.scope = key;
    good.u.by_default.window_start_us = 0;
    good.u.by_default.window_end_us = ENTRY_INSTANT_MAX_US;
    TAKES(b, &good);
    const uint32_t bad[][3] = {{1, 5, key},
                               {good.u.by_default.handle, 1, key},
                               {good.u.by_default.handle, 6, key},
                               {good.u.by_default.handle, 5, b->user},
                               {good.u.by_default.handle, 5, b->key},
                               {good.u.by_default.handle, 5, 99},
                               {good.u.by_default.handle, 99, key}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct entry entry = good;
        entry.u.by_default.handle = bad[i][0];
        entry.u.by_default.made_from = bad[i][1];
        entry.u.by_default.scope = bad[i][2];
        REFUSES(b, &entry);
    }
    struct mete_change off = budget_change(b->org, "each", 7000000, METE_MONTHLY);
    off.budget.for_kind = METE_API_KEY;
    off.budget.anchor = 15;
    off.budget.matches[0] = (struct mete_match){METE_MATCH_PROVIDER, text("*")};
    off.budget.matches_len = 1;
    off.budget.mode = METE_OFF;
    world_change(b, &off);
    good.seq++;
    REFUSES(b, &good);
}

static uint64_t reserve_one(struct bench *b)
{
    struct mete_reserve args = ask(b, &one_nano_dollar);
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed);
    return b->verdict.reservation.n;
}

static struct entry reserve_entry(const struct bench *b, uint16_t meter, int64_t amount)
{
    struct entry entry = world_entry(b, ENTRY_RESERVE);
    uint64_t slots = 0;
    struct ledger_taken taken;
    while (ledger_taken_at(b->ledger, (uint32_t)slots, &taken))
        slots++;
    entry.u.reserve.reservation = slots << 36 | (entry.seq + 1);
    entry.u.reserve.scope = b->key;
    entry.u.reserve.request_id = SLICE_LITERAL("one-more");
    entry.u.reserve.expires_at_us = b->now_us + 1000;
    entry.u.reserve.amounts_len = 1;
    entry.u.reserve.amounts[0] =
        (struct entry_amount){meter, meter == METE_COST ? METE_USD : 0, amount};
    return entry;
}

/* What an operator may lower, and what a call must fit, in a journal that says otherwise. */
static void a_call_that_nothing_admits_is_corrupt(void **state)
{
    struct bench *b = *state;
    put_budget(b, b->key, "small", 5, METE_TOTAL);
    put_budget(b, b->user, "requests", 0, METE_DAILY);
    struct mete_change rate = {.kind = METE_PUT_RATE_LIMIT,
                               .rate = {.id = text("rate"),
                                        .scope = {b->key},
                                        .meter = METE_OUTPUT,
                                        .limit = 3,
                                        .period_ms = 60000}};
    world_change(b, &rate);
    struct entry entry = reserve_entry(b, METE_OUTPUT, 3);
    TAKES(b, &entry);
    entry.u.reserve.amounts[0].amount++;
    REFUSES(b, &entry); /* more than the burst */
    entry = reserve_entry(b, METE_COST, 5);
    REFUSES(b, &entry); /* a limit of 0 refuses even little */
    struct mete_change all = budget_change(b->user, "requests", 5, METE_DAILY);
    world_change(b, &all);
    entry = reserve_entry(b, METE_COST, 5);
    TAKES(b, &entry);
    entry.u.reserve.amounts[0].amount++;
    REFUSES(b, &entry);
    entry = reserve_entry(b, METE_OUTPUT, 3);
    apply(b, &entry);
    uint64_t id = entry.u.reserve.reservation;
    entry = reserve_entry(b, METE_COST, 1);
    REFUSES(b, &entry); /* an open one has this id */
    entry.u.reserve.request_id = SLICE_LITERAL("another");
    TAKES(b, &entry);
    entry = world_entry(b, ENTRY_EXTEND);
    entry.u.extend.reservation = id;
    entry.u.extend.expires_at_us = b->now_us + 1;
    entry.u.extend.amounts_len = 1;
    entry.u.extend.amounts[0] = (struct entry_amount){METE_OUTPUT, 0, 1};
    REFUSES(b, &entry); /* the burst is used up */
    entry.u.extend.shrinks = true;
    TAKES(b, &entry);
    struct mete_change revoked = {.kind = METE_PUT_SCOPE,
                                  .scope = {METE_API_KEY, text("k1"), {b->org}, {b->user}, {0}, 1}};
    world_change(b, &revoked);
    entry = reserve_entry(b, METE_IMAGES, 1);
    REFUSES(b, &entry);
}

static void a_grant_is_not_less_than_what_was_drawn_of_it(void **state)
{
    struct bench *b = *state;
    struct mete_grant_view view;
    const struct mete_demand two = {.meter = METE_IMAGES, .fixed = 2};
    struct mete_change change = {
        .kind = METE_PUT_GRANT,
        .grant = {.id = text("g"), .scope = {b->key}, .meter = METE_IMAGES, .amount = 9}};
    uint32_t grant = world_change(b, &change);
    struct mete_reserve args = ask(b, &two);
    assert_int_equal(reserve(b, &args), 0);
    assert_int_equal(ledger_grant(b->ledger, grant, now(b), &view), 0);
    assert_true(view.held == 2 && view.drawn == 0);
    struct entry entry = world_entry(b, ENTRY_GRANT);
    entry.u.grant.handle = grant;
    entry.u.grant.spec = change.grant;
    entry.u.grant.spec.amount = 2;
    TAKES(b, &entry);
    entry.u.grant.spec.amount = 1;
    REFUSES(b, &entry);
    entry.u.grant.spec.amount = 9;
    entry.u.grant.spec.meter = METE_OUTPUT;
    REFUSES(b, &entry);
    entry.u.grant.spec.meter = METE_IMAGES;
    entry.u.grant.spec.scope.n = b->user;
    REFUSES(b, &entry);
    entry = world_entry(b, ENTRY_REFUND);
    entry.u.refund.grant = grant;
    entry.u.refund.amount = 1;
    REFUSES(b, &entry); /* it is held, not drawn */
}

/* The balance of a quota is told as far as a number goes, and counted exactly all the same. */
static void more_may_be_granted_than_a_number_tells(void **state)
{
    struct bench *b = *state;
    static const char *const ids[] = {"g1", "g2", "g3"};
    struct mete_quota_view view;
    struct mete_change change = {
        .kind = METE_PUT_GRANT,
        .grant = {.scope = {b->key}, .meter = METE_IMAGES, .amount = METE_AMOUNT_MAX}};
    for (int i = 0; i < 3; i++) {
        change.grant.id = text(ids[i]);
        world_change(b, &change);
    }
    assert_int_equal(ledger_quotas(b->ledger, b->key, now(b), &view, 1), 1);
    assert_true(view.granted == INT64_MAX && view.balance == INT64_MAX);
    const struct mete_demand most = {.meter = METE_IMAGES, .fixed = METE_AMOUNT_MAX};
    struct mete_reserve args = ask(b, &most);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(reserve(b, &args), 0);
        assert_true(b->verdict.allowed);
    }
    assert_int_equal(ledger_quotas(b->ledger, b->key, now(b), &view, 1), 1);
    assert_true(view.held == INT64_MAX && view.balance == 0);
    assert_int_equal(reserve(b, &args), 0);
    assert_false(b->verdict.allowed);
}

/* An overrun goes below zero as far as a number does. */
static void what_no_grant_can_owe_is_too_large(void **state)
{
    struct bench *b = *state;
    const struct mete_change change = {
        .kind = METE_PUT_GRANT,
        .grant = {.id = text("g"), .scope = {b->key}, .meter = METE_IMAGES}};
    world_change(b, &change);
    const struct mete_usage usage = {.meter = METE_IMAGES, .amount = METE_AMOUNT_MAX};
    const struct mete_record args = {.scope = {b->key}, .usage = &usage, .usage_len = 1};
    struct ledger_decision decision;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ledger_decide_record(b->ledger, now(b), &args, &b->receipt, &decision), 0);
        assert_true(b->receipt.overrun);
        apply(b, &decision.entry);
    }
    uint64_t id = reserve_one(b);
    assert_int_equal(ledger_decide_record(b->ledger, now(b), &args, &b->receipt, &decision),
                     METE_E_TOO_LARGE);
    const struct mete_commit commits = {.reservation = {id}, .usage = &usage, .usage_len = 1};
    assert_int_equal(ledger_decide_commit(b->ledger, now(b), &commits, &b->receipt, &decision),
                     METE_E_TOO_LARGE);
    struct entry entry = world_entry(b, ENTRY_RECORD);
    entry.u.record.scope = b->key;
    entry.u.record.amounts_len = 1;
    entry.u.record.amounts[0] = (struct entry_amount){METE_IMAGES, 0, METE_AMOUNT_MAX};
    REFUSES(b, &entry);
    entry = world_entry(b, ENTRY_COMMIT);
    entry.u.commit.reservation = id;
    entry.u.commit.amounts_len = 1;
    entry.u.commit.amounts[0] = (struct entry_amount){METE_IMAGES, 0, METE_AMOUNT_MAX};
    REFUSES(b, &entry);
}

/* ---- Too much -------------------------------------------------------------------------------- */

/* A key whose dollars count ten euros each: in a budget, or in a quota. */
static void dear(struct bench *b, bool has_budget)
{
    const struct mete_change exchange = {.kind = METE_PUT_EXCHANGE,
                                         .exchange = {METE_USD, WORLD_EUR, 10, 1, {T0}}};
    world_change(b, &exchange);
    struct mete_change budget = budget_change(b->key, "euros", 1000, METE_TOTAL);
    budget.budget.currency = WORLD_EUR;
    const struct mete_change grant = {
        .kind = METE_PUT_GRANT,
        .grant = {.id = text("euros"), .scope = {b->key}, .currency = WORLD_EUR, .amount = 1000}};
    world_change(b, has_budget ? &budget : &grant);
}

static void is_too_large(struct bench *b, bool has_budget)
{
    const struct mete_usage usage = {.currency = METE_USD, .amount = METE_AMOUNT_MAX};
    const struct entry_amount amount = {METE_COST, METE_USD, METE_AMOUNT_MAX};
    struct ledger_decision decision;
    uint8_t before[32], after[32];
    dear(b, has_budget);
    uint64_t id = reserve_one(b);
    ledger_hash(b->ledger, before);
    struct mete_commit commits = {.reservation = {id}, .usage = &usage, .usage_len = 1};
    assert_int_equal(ledger_decide_commit(b->ledger, now(b), &commits, &b->receipt, &decision),
                     METE_E_TOO_LARGE);
    const struct mete_record records = {.scope = {b->key}, .usage = &usage, .usage_len = 1};
    assert_int_equal(ledger_decide_record(b->ledger, now(b), &records, &b->receipt, &decision),
                     METE_E_TOO_LARGE);
    ledger_hash(b->ledger, after);
    assert_memory_equal(before, after, sizeof before);
    struct entry entry = world_entry(b, ENTRY_COMMIT);
    entry.u.commit.reservation = id;
    entry.u.commit.amounts_len = 1;
    entry.u.commit.amounts[0] = amount;
    REFUSES(b, &entry);
    entry = world_entry(b, ENTRY_RECORD);
    entry.u.record.scope = b->key;
    entry.u.record.amounts_len = 1;
    entry.u.record.amounts[0] = amount;
    REFUSES(b, &entry);
    entry = world_entry(b, ENTRY_EXTEND);
    entry.u.extend.reservation = id;
    entry.u.extend.expires_at_us = b->now_us + 1;
    entry.u.extend.amounts_len = 1;
    entry.u.extend.amounts[0] = amount;
    entry.u.extend.amounts[0].amount--;
    REFUSES(b, &entry);
    const struct mete_demand most = {.currency = METE_USD, .fixed = METE_AMOUNT_MAX};
    struct mete_reserve asks = ask(b, &most);
    assert_int_equal(reserve(b, &asks), 0); /* more than any limit is no number, but a refusal */
    assert_false(b->verdict.allowed);
    assert_true(b->refusals[0].asked == INT64_MAX || !has_budget);
    commits.outcome.flags = METE_OUTCOME_PROVISIONAL;
    const struct mete_usage little = {.currency = METE_USD, .amount = 1};
    commits.usage = &little;
    assert_int_equal(ledger_decide_commit(b->ledger, now(b), &commits, &b->receipt, &decision), 0);
    apply(b, &decision.entry);
    commits.usage = &usage;
    commits.outcome.flags = 0;
    assert_int_equal(ledger_decide_commit(b->ledger, now(b), &commits, &b->receipt, &decision),
                     METE_E_TOO_LARGE);
    entry = world_entry(b, ENTRY_CORRECT);
    entry.u.correct.reservation = id;
    entry.u.correct.amounts_len = 1;
    entry.u.correct.amounts[0] = amount;
    REFUSES(b, &entry);
}

static void what_no_budget_can_count_is_too_large_and_changes_nothing(void **state)
{
    is_too_large(*state, true);
}

static void what_no_quota_can_draw_is_too_large_and_changes_nothing(void **state)
{
    is_too_large(*state, false);
}

/* Twice as much as an amount may be still is a number; three times is none. */
static void a_counter_that_would_overflow_is_too_large(void **state)
{
    struct bench *b = *state;
    struct mete_change shadow = budget_change(b->key, "shadow", 5, METE_TOTAL);
    shadow.budget.mode = METE_SHADOW;
    world_change(b, &shadow);
    const struct mete_usage usage = {.currency = METE_USD, .amount = METE_AMOUNT_MAX};
    const struct mete_record records = {.scope = {b->key}, .usage = &usage, .usage_len = 1};
    struct ledger_decision decision;
    for (int i = 0; i < 2; i++) {
        uint64_t id = reserve_one(b);
        assert_int_equal(commit(b, id, METE_AMOUNT_MAX), 0);
    }
    uint64_t id = reserve_one(b);
    assert_int_equal(commit(b, id, METE_AMOUNT_MAX), METE_E_TOO_LARGE);
    assert_int_equal(ledger_decide_record(b->ledger, now(b), &records, &b->receipt, &decision),
                     METE_E_TOO_LARGE);
    const struct mete_demand most = {.currency = METE_USD, .fixed = METE_AMOUNT_MAX};
    struct mete_reserve asks = ask(b, &most);
    assert_int_equal(reserve(b, &asks), METE_E_TOO_LARGE);
    struct entry entry = world_entry(b, ENTRY_COMMIT);
    entry.u.commit.reservation = id;
    entry.u.commit.amounts_len = 1;
    entry.u.commit.amounts[0] = (struct entry_amount){METE_COST, METE_USD, METE_AMOUNT_MAX};
    REFUSES(b, &entry);
    entry = world_entry(b, ENTRY_EXTEND);
    entry.u.extend.reservation = id;
    entry.u.extend.expires_at_us = b->now_us + 1;
    entry.u.extend.amounts_len = 1;
    entry.u.extend.amounts[0] = (struct entry_amount){METE_COST, METE_USD, METE_AMOUNT_MAX - 1};
    REFUSES(b, &entry);
}

static void a_reservation_holds_no_more_than_an_amount_may_be(void **state)
{
    struct bench *b = *state;
    uint64_t id = reserve_one(b);
    struct ledger_decision decision;
    const struct mete_demand most = {.currency = METE_USD, .fixed = METE_AMOUNT_MAX};
    struct mete_extend more = {.reservation = {id}, .demands = &most, .demands_len = 1};
    assert_int_equal(ledger_decide_extend(b->ledger, now(b), &more, b->refusals, METE_REFUSALS_MAX,
                                          &b->verdict, &decision),
                     METE_E_TOO_LARGE);
    const struct mete_demand no_number = {
        .currency = METE_USD, .fixed = 1, .per_million = METE_AMOUNT_MAX};
    const struct mete_extend less = {.reservation = {id},
                                     .demands = &no_number,
                                     .demands_len = 1,
                                     .wish = METE_AMOUNT_MAX,
                                     .shrink = 1};
    assert_int_equal(ledger_decide_extend(b->ledger, now(b), &less, b->refusals, METE_REFUSALS_MAX,
                                          &b->verdict, &decision),
                     METE_E_INVALID);
}

/* ---- Looking --------------------------------------------------------------------------------- */

static void what_is_not_there_is_not_found(void **state)
{
    struct bench *b = *state;
    struct mete_scope_view scope;
    struct mete_budget_view budget;
    struct mete_rate_view rate;
    struct mete_grant_view grant;
    struct mete_quota_view quota;
    struct mete_exchange_view exchange;
    struct mete_reservation_view reservation;
    struct ledger_taken taken;
    struct ledger_window window;
    struct slice name;
    uint32_t handles[4];
    for (unsigned i = 0; i < 2; i++) {
        uint32_t none = i ? 99 : 0;
        assert_int_equal(ledger_scope(b->ledger, none, &scope), METE_E_NOT_FOUND);
        assert_int_equal(ledger_budget(b->ledger, none, &budget), METE_E_NOT_FOUND);
        assert_int_equal(ledger_rate(b->ledger, none, now(b), &rate), METE_E_NOT_FOUND);
        assert_int_equal(ledger_grant(b->ledger, none, now(b), &grant), METE_E_NOT_FOUND);
        assert_int_equal(ledger_exchange(b->ledger, none, now(b), &exchange), METE_E_NOT_FOUND);
        assert_int_equal(ledger_reservation(b->ledger, none, &reservation), METE_E_NOT_FOUND);
        assert_int_equal(ledger_taken(b->ledger, none, &taken), METE_E_NOT_FOUND);
        assert_int_equal(ledger_past(b->ledger, none, T0, &window), METE_E_NOT_FOUND);
        assert_int_equal(
            ledger_meter(b->ledger, (uint16_t)(i ? METE_METER_CUSTOM + 1 : METE_IMAGES), &name),
            METE_E_NOT_FOUND);
        assert_int_equal(ledger_quotas(b->ledger, none, now(b), &quota, 1), 0);
        assert_int_equal(ledger_grants(b->ledger, none, METE_IMAGES, 0, now(b), &grant, 1), 0);
        assert_int_equal(ledger_path(b->ledger, none, handles, 4), 0);
        assert_int_equal(ledger_path_rates(b->ledger, none, handles, 4), 0);
        for (unsigned step = 0; step < 3; step++) { /* a hint of nothing is none */
            ledger_foresee(b->ledger, none, step);
            ledger_foresee_end(b->ledger, none, step);
            ledger_foresee_end(b->ledger, UINT64_MAX - i, step);
        }
    }
    assert_false(ledger_taken_at(b->ledger, 99, &taken));
    assert_int_equal(ledger_grant(b->ledger, 3, now(b), &grant), METE_E_NOT_FOUND); /* ended */
    assert_int_equal(ledger_find_meter(b->ledger, SLICE_LITERAL("seats")), 0);
    assert_null(mete_not_yet(1000));
}

static void more_than_there_is_room_for_is_counted_all_the_same(void **state)
{
    struct bench *b = *state;
    struct mete_quota_view quota;
    struct mete_grant_view grants[2];
    struct mete_increase_view increase;
    uint32_t handles[8];
    size_t budgets = ledger_path(b->ledger, b->key, handles, 8);
    assert_true(budgets > 1 && budgets <= 8);
    uint32_t first = handles[0];
    assert_int_equal(ledger_path(b->ledger, b->key, handles, 1), budgets);
    assert_int_equal(handles[0], first);
    size_t rates = ledger_path_rates(b->ledger, b->key, handles, 8);
    assert_true(rates == 3);
    assert_int_equal(ledger_path_rates(b->ledger, b->key, handles, 1), rates);
    assert_int_equal(ledger_quotas(b->ledger, b->user, now(b), &quota, 0), 1);
    assert_int_equal(ledger_grants(b->ledger, b->user, METE_IMAGES, 0, now(b), grants, 1), 2);
    assert_int_equal(ledger_grants(b->ledger, b->user, METE_IMAGES, 0, now(b), grants, 0), 2);
    assert_int_equal(ledger_increases(b->ledger, 1, &increase, 0), 1);
    struct mete_reservation_view views[2];
    size_t provisional = ledger_provisional(b->ledger, 0, now(b), views, 1);
    assert_true(provisional > 1);
    assert_int_equal(ledger_provisional(b->ledger, views[0].id.n, now(b), views, 0),
                     provisional - 1);
}

/* Of each reservation that is open or may be corrected; each window of it that is over is told. */
static void what_is_taken_is_told_by_slot_and_by_id(void **state)
{
    struct bench *b = *state;
    struct ledger_taken at, by_id;
    unsigned taken = 0, closed = 0;
    for (uint32_t i = 0; ledger_taken_at(b->ledger, i, &at); i++) {
        if (!at.id)
            continue;
        taken++;
        closed += at.is_closed;
        assert_int_equal(ledger_taken(b->ledger, at.id, &by_id), 0);
        assert_true(by_id.made_at_us == at.made_at_us && by_id.budgets_len == at.budgets_len);
        assert_true(at.budgets_len > 0);
        for (unsigned step = 0; step < 3; step++)
            ledger_foresee_end(b->ledger, at.id, step);
    }
    assert_true(closed > 0 && taken > closed);
    struct ledger_window past;
    assert_int_equal(ledger_past(b->ledger, 3, T0, &past), 0); /* an hour ago */
    assert_true(past.start_us <= T0 && past.committed + past.held > 0);
    assert_int_equal(ledger_past(b->ledger, 3, b->now_us, &past), METE_E_NOT_FOUND);
    assert_int_equal(ledger_past(b->ledger, 3, T0 - DAY_US, &past), METE_E_NOT_FOUND);
}

/* In pieces of any size. */
static void two_ledgers_of_one_journal_have_equal_fingerprints(void **state)
{
    struct bench *b = *state;
    uint64_t items = ledger_items(b->ledger), prints[128], others[128], piece[3];
    assert_true(items > 30 && items <= 128);
    assert_int_equal(ledger_items(b->copy), items);
    assert_int_equal(ledger_prints(b->ledger, 0, prints, 128), items);
    assert_int_equal(ledger_prints(b->copy, 0, others, 128), items);
    assert_memory_equal(prints, others, items * sizeof prints[0]);
    for (uint64_t first = 0; first < items; first += 3) {
        size_t len = ledger_prints(b->ledger, first, piece, 3);
        assert_true(len == 3 || first + len == items);
        assert_memory_equal(piece, prints + first, len * sizeof piece[0]);
    }
    assert_int_equal(ledger_prints(b->ledger, items, prints, 128), 0);
}

static void a_room_of_nothing_or_of_too_much_is_invalid(void **state)
{
    (void)state;
    struct ledger *ledger;
    const struct ledger_room bad[] = {
        {0, 1, 1, 1},          {1, 0, 1, 1},          {1, 1, 0, 1},         {1, 1, 1, 0},
        {1, 1, UINT32_MAX, 1}, {1, UINT32_MAX, 1, 1}, {UINT32_MAX, 1, 1, 1}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(ledger_open(&bad[i], &ledger), METE_E_INVALID);
    ledger_close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, live, teardown)
#define SMALL(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_entry_that_says_nothing_is_corrupt),
        TEST(an_entry_out_of_turn_is_corrupt),
        TEST(a_budget_that_no_decision_makes_is_corrupt),
        TEST(a_budget_stays_what_and_where_it_is),
        TEST(an_increase_that_no_decision_makes_is_corrupt),
        TEST(a_meter_has_one_name_and_the_next_number),
        TEST(a_rate_of_exchange_is_between_two_and_finite),
        TEST(a_name_is_learnt_once_and_in_turn),
        TEST(a_move_is_within_the_tree_that_may_be),
        TEST(a_budget_made_from_a_template_is_one_that_it_makes),
        SMALL(a_call_that_nothing_admits_is_corrupt),
        SMALL(a_grant_is_not_less_than_what_was_drawn_of_it),
        SMALL(more_may_be_granted_than_a_number_tells),
        SMALL(what_no_grant_can_owe_is_too_large),
        SMALL(what_no_budget_can_count_is_too_large_and_changes_nothing),
        SMALL(what_no_quota_can_draw_is_too_large_and_changes_nothing),
        SMALL(a_counter_that_would_overflow_is_too_large),
        SMALL(a_reservation_holds_no_more_than_an_amount_may_be),
        TEST(what_is_not_there_is_not_found),
        TEST(more_than_there_is_room_for_is_counted_all_the_same),
        TEST(what_is_taken_is_told_by_slot_and_by_id),
        TEST(two_ledgers_of_one_journal_have_equal_fingerprints),
        cmocka_unit_test(a_room_of_nothing_or_of_too_much_is_invalid)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
