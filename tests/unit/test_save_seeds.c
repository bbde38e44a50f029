/* SPDX-License-Identifier: Apache-2.0
 * Proves that fuzz/corpus/fuzz_save begins with a saved state of every kind of figure, rolling
 * buckets, carried amounts, grants, exchange rates and increases among them: what lies there loads
 * to the very state that is made here, in the room the fuzzer has. With METE_WRITE_SEEDS set they
 * are written anew, as they must be when the format of saves is changed. */
#include "unit/ledger_help.h"

static void pass(struct bench *b, int64_t us)
{
    b->now_us += us;
}

static uint64_t take(struct bench *b, uint16_t meter, int64_t amount)
{
    const struct mete_demand demand = {
        .meter = meter, .currency = meter ? 0 : METE_USD, .fixed = amount};
    struct mete_reserve args = ask(b, &demand);
    args.ttl_ms = 86400000;
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed);
    return b->verdict.reservation.n;
}

static void put_one(struct bench *b, const struct mete_change *change)
{
    uint32_t handle = 0;
    assert_int_equal(put(b, change, &handle), 0);
}

static void make_rolling(struct bench *b)
{
    struct mete_change change = budget_change(b->key, "rolls", 1000, METE_ROLLING);
    change.budget.window_seconds = 6400;
    put_one(b, &change);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(commit(b, take(b, METE_COST, 50), 10 + i), 0);
        pass(b, 130 * 1000000);
    }
    take(b, METE_COST, 70);
}

static void make_carrying(struct bench *b)
{
    struct mete_change change = budget_change(b->org, "carries", 1000, METE_HOURLY);
    change.budget.rollover_cap = 800;
    put_one(b, &change);
    uint64_t late = take(b, METE_COST, 300);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(commit(b, take(b, METE_COST, 50), 40), 0);
        pass(b, (1 + i) * HOUR_US);
    }
    take(b, METE_COST, 20);
    assert_true(late != 0); /* it keeps the first window */
}

static void make_quotas(struct bench *b)
{
    struct mete_change change = {.kind = METE_PUT_GRANT,
                                 .grant = {.id = text("bought"),
                                           .scope = {b->user},
                                           .meter = METE_TOTAL_TOKENS,
                                           .amount = 100,
                                           .source = text("purchase")}};
    put_one(b, &change);
    change.grant.id = text("given");
    change.grant.priority = 1;
    change.grant.expires_at.us = b->now_us + DAY_US;
    put_one(b, &change);
    const struct mete_usage usage = {.meter = METE_TOTAL_TOKENS, .amount = 90};
    const struct mete_commit args = {
        .reservation = {take(b, METE_TOTAL_TOKENS, 120)}, .usage = &usage, .usage_len = 1};
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_commit(b->ledger, now(b), &args, &b->receipt, &decision), 0);
    apply(b, &decision.entry);
    take(b, METE_TOTAL_TOKENS, 60);
}

static void make_exchanges(struct bench *b)
{
    const uint32_t euro = METE_CURRENCY('E', 'U', 'R');
    struct mete_change budget = budget_change(b->dept, "euros", 1000, METE_DAILY);
    budget.budget.currency = euro;
    struct mete_change rate = {.kind = METE_PUT_EXCHANGE,
                               .exchange = {METE_USD, euro, 9, 10, {b->now_us}}};
    put_one(b, &rate);
    rate.exchange.numerator = 7;
    rate.exchange.effective_at.us += HOUR_US;
    put_one(b, &rate);
    put_one(b, &budget);
    take(b, METE_COST, 101);
    pass(b, 2 * HOUR_US);
    assert_int_equal(commit(b, take(b, METE_COST, 101), 33), 0);
}

static void make_increases(struct bench *b)
{
    uint32_t budget = put_budget(b, b->user, "more", 1000, METE_MONTHLY);
    struct mete_change increase = {
        .kind = METE_PUT_INCREASE,
        .increase = {
            .budget = {budget}, .amount = 500, .from = {b->now_us}, .until = {b->now_us + DAY_US}}};
    put_one(b, &increase);
    increase.increase.from.us += HOUR_US;
    put_one(b, &increase);
    take(b, METE_COST, 1200);
}

/* ---- Files ----------------------------------------------------------------------------------- */

static int write_piece(void *user, struct slice piece)
{
    const unsigned char front[2] = {(unsigned char)piece.len, (unsigned char)(piece.len >> 8)};
    assert_int_equal(fwrite(front, 1, 2, user), 2);
    assert_int_equal(fwrite(piece.data, 1, piece.len, user), piece.len);
    return 0;
}

static int read_piece(void *user, struct slice *ret_piece)
{
    static char bytes[65536];
    unsigned char front[2];
    *ret_piece = (struct slice){"", 0};
    if (fread(front, 1, 2, user) != 2)
        return 0;
    size_t len = (size_t)front[0] | (size_t)front[1] << 8;
    assert_int_equal(fread(bytes, 1, len, user), len);
    *ret_piece = (struct slice){bytes, len};
    return 0;
}

static void check_seed(struct bench *b, const char *name)
{
    char path[64];
    uint8_t made[32], loaded[32];
    struct ledger *ledger;
    const struct ledger_room room = {16, 32, 8, 8};
    bool writes = getenv("METE_WRITE_SEEDS") != NULL;
    snprintf(path, sizeof path, "fuzz/corpus/fuzz_save/%s", name);
    FILE *file = fopen(path, writes ? "w+" : "r");
    assert_non_null(file);
    if (writes)
        assert_int_equal(ledger_save(b->ledger, write_piece, file), 0);
    rewind(file);
    assert_int_equal(ledger_open(&room, &ledger), 0);
    assert_int_equal(ledger_load(ledger, read_piece, file), 0);
    fclose(file);
    ledger_check(ledger);
    ledger_hash(b->ledger, made);
    ledger_hash(ledger, loaded);
    assert_memory_equal(made, loaded, sizeof made);
    ledger_close(ledger);
}

#define SEED(name)                                                                                 \
    static void a_seed_has_##name(void **state)                                                    \
    {                                                                                              \
        make_##name(*state);                                                                       \
        check_seed(*state, #name);                                                                 \
    }

SEED(rolling)
SEED(carrying)
SEED(quotas)
SEED(exchanges)
SEED(increases)

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(a_seed_has_rolling),   CASE(a_seed_has_carrying),  CASE(a_seed_has_quotas),
        CASE(a_seed_has_exchanges), CASE(a_seed_has_increases),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
