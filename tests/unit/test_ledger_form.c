/* SPDX-License-Identifier: Apache-2.0
 * Proves that each argument of a change, a call and its end has the range that mete.h gives it: the
 * last value within is taken, the first one without is INVALID or TOO_LARGE, and nothing else of
 * what is asked matters then. */
#include "unit/ledger_world.h"

static char long_text[LIMIT_DOCUMENT + 1];

static struct mete_text of_len(size_t len)
{
    return (struct mete_text){long_text, len};
}

static int asked(struct bench *b, const struct mete_change *change)
{
    const struct mete_apply args = {change, 1, text("ada")};
    struct ledger_batch batch;
    uint32_t handle;
    return ledger_check_changes(b->ledger, now(b), &args, &handle, &batch);
}

/* With this field so, and all else as it is. */
#define SAYS(what, field, value, error)                                                            \
    do {                                                                                           \
        struct mete_change with = *(what);                                                         \
        with.field = (value);                                                                      \
        assert_int_equal(asked(b, &with), error);                                                  \
    } while (0)

static void a_scope_and_any_change(void **state)
{
    struct bench *b = *state;
    const struct mete_change good = {.kind = METE_PUT_SCOPE,
                                     .scope = {METE_USER, text("u"), {b->org}, {b->org}, {0}, 0}};
    assert_int_equal(asked(b, &good), 0);
    SAYS(&good, document, of_len(LIMIT_DOCUMENT), 0);
    SAYS(&good, document, of_len(LIMIT_DOCUMENT + 1), METE_E_TOO_LARGE);
    SAYS(&good, flags, METE_CHANGE_CREATE | METE_CHANGE_UPDATE, METE_E_INVALID);
    SAYS(&good, flags, 4, METE_E_INVALID);
    SAYS(&good, kind, (enum mete_change_kind)0, METE_E_INVALID);
    SAYS(&good, kind, (enum mete_change_kind)(METE_PUT_METER + 1), METE_E_INVALID);
    SAYS(&good, scope.kind, METE_KIND_NONE, METE_E_INVALID);
    SAYS(&good, scope.kind, METE_KINDS, METE_E_INVALID);
    SAYS(&good, scope.id, of_len(LIMIT_ID), 0);
    SAYS(&good, scope.id, of_len(LIMIT_ID + 1), METE_E_TOO_LARGE);
    SAYS(&good, scope.id, of_len(0), METE_E_INVALID);
    SAYS(&good, scope.id, text("a b"), METE_E_INVALID);
    SAYS(&good, scope.id, text("a\x7f"), METE_E_INVALID);
    SAYS(&good, scope.expires_at.us, ENTRY_INSTANT_MAX_US, 0);
    SAYS(&good, scope.expires_at.us, ENTRY_INSTANT_MAX_US + 1, METE_E_INVALID);
    SAYS(&good, scope.expires_at.us, -1, METE_E_INVALID);
    SAYS(&good, scope.revoked, 2, METE_E_INVALID);
    SAYS(&good, scope.parent.n, 99, METE_E_INVALID);
    struct ledger_batch batch;
    uint32_t handles[2];
    struct mete_apply args = {&good, 0, text("ada")};
    assert_int_equal(ledger_check_changes(b->ledger, now(b), &args, handles, &batch),
                     METE_E_INVALID);
    args.len = LIMIT_CHANGES + 1;
    assert_int_equal(ledger_check_changes(b->ledger, now(b), &args, handles, &batch),
                     METE_E_TOO_LARGE);
    args.len = 1;
    args.actor = of_len(LIMIT_ID + 1);
    assert_int_equal(ledger_check_changes(b->ledger, now(b), &args, handles, &batch),
                     METE_E_TOO_LARGE);
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_change(b->ledger, now(b), &good,
                                          (struct slice){long_text, LIMIT_ID + 1}, handles,
                                          &decision),
                     METE_E_TOO_LARGE);
}

static void a_budget(void **state)
{
    struct bench *b = *state;
    struct mete_change good = budget_change(b->org, "b", 5, METE_DAILY);
    good.budget.thresholds_ppm[0] = 1;
    good.budget.thresholds_ppm[1] = 1000000;
    good.budget.thresholds_len = 2;
    good.budget.matches[0] = (struct mete_match){METE_MATCH_MODEL, text("gpt*")};
    good.budget.matches_len = 1;
    assert_int_equal(asked(b, &good), 0);
    SAYS(&good, budget.id, of_len(LIMIT_ID + 1), METE_E_TOO_LARGE);
    SAYS(&good, budget.id, text(""), METE_E_INVALID);
    SAYS(&good, budget.scope.n, 99, METE_E_NOT_FOUND);
    SAYS(&good, budget.meter, METE_METERS_BUILTIN, METE_E_INVALID);
    SAYS(&good, budget.currency, METE_CURRENCY('U', 'S', 'd'), METE_E_INVALID);
    SAYS(&good, budget.limit, METE_AMOUNT_MAX, 0);
    SAYS(&good, budget.limit, METE_AMOUNT_MAX + 1, METE_E_INVALID);
    SAYS(&good, budget.limit, -1, METE_E_INVALID);
    SAYS(&good, budget.period, METE_PERIODS, METE_E_INVALID);
    SAYS(&good, budget.mode, (enum mete_mode)(METE_OFF + 1), METE_E_INVALID);
    SAYS(&good, budget.thresholds_len, METE_THRESHOLDS_MAX + 1, METE_E_TOO_LARGE);
    SAYS(&good, budget.thresholds_ppm[0], 0, METE_E_INVALID);
    SAYS(&good, budget.thresholds_ppm[0], 1000000, METE_E_INVALID); /* not before the next */
    SAYS(&good, budget.thresholds_ppm[1], 1000001, METE_E_INVALID);
    SAYS(&good, budget.time_zone, of_len(LIMIT_TIME_ZONE), 0);
    SAYS(&good, budget.time_zone, of_len(LIMIT_TIME_ZONE + 1), METE_E_TOO_LARGE);
    SAYS(&good, budget.time_zone, text("Europe/Ber lin"), METE_E_INVALID);
    SAYS(&good, budget.time_zone, text("Europe/M\xc3\xbcnchen"), METE_E_INVALID);
    SAYS(&good, budget.time_zone, text("\x7f"), METE_E_INVALID);
    SAYS(&good, budget.anchor, -1, METE_E_INVALID);
    SAYS(&good, budget.window_seconds, 1, METE_E_INVALID);
    SAYS(&good, budget.window_seconds, -1, METE_E_INVALID);
    SAYS(&good, budget.period, METE_ROLLING, METE_E_INVALID); /* of no seconds */
    SAYS(&good, budget.soft_limit, METE_AMOUNT_MAX, 0);
    SAYS(&good, budget.soft_limit, METE_AMOUNT_MAX + 1, METE_E_INVALID);
    SAYS(&good, budget.soft_limit, -1, METE_E_INVALID);
    SAYS(&good, budget.rollover_cap, METE_AMOUNT_MAX, 0);
    SAYS(&good, budget.rollover_cap, METE_AMOUNT_MAX + 1, METE_E_INVALID);
    SAYS(&good, budget.rollover_cap, -1, METE_E_INVALID);
    SAYS(&good, budget.matches_len, METE_MATCHES_MAX + 1, METE_E_TOO_LARGE);
    SAYS(&good, budget.matches[0].kind, (enum mete_match_kind)0, METE_E_INVALID);
    SAYS(&good, budget.matches[0].kind, (enum mete_match_kind)(METE_MATCH_SESSION + 1),
         METE_E_INVALID);
    SAYS(&good, budget.matches[0].pattern, text(""), METE_E_INVALID);
    SAYS(&good, budget.matches[0].pattern, text("a\nb"), METE_E_INVALID);
    SAYS(&good, budget.matches[0].pattern, of_len(LIMIT_SESSION), 0);
    SAYS(&good, budget.for_kind, METE_ORGANIZATION, METE_E_INVALID);
    SAYS(&good, budget.for_kind, METE_KINDS, METE_E_INVALID);
    struct mete_change rolls = good;
    rolls.budget.period = METE_ROLLING;
    rolls.budget.window_seconds = LIMIT_ROLLING_S;
    assert_int_equal(asked(b, &rolls), 0);
    SAYS(&rolls, budget.window_seconds, LIMIT_ROLLING_S + 1, METE_E_INVALID);
    SAYS(&rolls, budget.rollover_cap, 1, METE_E_INVALID);
    struct mete_change total = good;
    total.budget.period = METE_TOTAL;
    assert_int_equal(asked(b, &total), 0);
    SAYS(&total, budget.rollover_cap, 1, METE_E_INVALID);
}

static void controls(void **state)
{
    struct bench *b = *state;
    enum { PPM = 1000000, DAY_S = 86400 };
    struct mete_change good = budget_change(b->org, "b", 5, METE_DAILY);
    good.budget.controls = (struct mete_controls){PPM, PPM, PPM, PPM, DAY_S, DAY_S};
    assert_int_equal(asked(b, &good), 0);
    SAYS(&good, budget.controls.throttle_ppm, PPM + 1, METE_E_INVALID);
    SAYS(&good, budget.controls.throttle_ppm, 0, METE_E_INVALID); /* but a rate */
    SAYS(&good, budget.controls.throttle_rate_ppm, PPM + 1, METE_E_INVALID);
    SAYS(&good, budget.controls.stop_ppm, PPM + 1, METE_E_INVALID);
    SAYS(&good, budget.controls.downgrade_ppm, PPM + 1, METE_E_INVALID);
    SAYS(&good, budget.controls.grace_s, DAY_S + 1, METE_E_INVALID);
    SAYS(&good, budget.controls.cooldown_s, DAY_S + 1, METE_E_INVALID);
}

static void a_rate_limit_and_a_grant(void **state)
{
    struct bench *b = *state;
    const struct mete_change rate = {.kind = METE_PUT_RATE_LIMIT,
                                     .rate = {.id = text("r"),
                                              .scope = {b->org},
                                              .meter = METE_REQUESTS,
                                              .limit = 1,
                                              .period_ms = 1}};
    assert_int_equal(asked(b, &rate), 0);
    SAYS(&rate, rate.id, of_len(LIMIT_ID + 1), METE_E_TOO_LARGE);
    SAYS(&rate, rate.id, text(""), METE_E_INVALID);
    SAYS(&rate, rate.scope.n, 0, METE_E_NOT_FOUND);
    SAYS(&rate, rate.concurrent, 1, 0);
    SAYS(&rate, rate.concurrent, 2, METE_E_INVALID);
    SAYS(&rate, rate.currency, METE_USD, METE_E_INVALID);
    SAYS(&rate, rate.limit, METE_AMOUNT_MAX / 1000, 0);
    SAYS(&rate, rate.limit, METE_AMOUNT_MAX / 500, METE_E_INVALID); /* too many with the period */
    SAYS(&rate, rate.limit, METE_AMOUNT_MAX + 1, METE_E_INVALID);
    SAYS(&rate, rate.limit, -1, METE_E_INVALID);
    SAYS(&rate, rate.period_ms, LIMIT_RATE_PERIOD_MS, 0);
    SAYS(&rate, rate.period_ms, LIMIT_RATE_PERIOD_MS + 1, METE_E_INVALID);
    SAYS(&rate, rate.period_ms, 0, METE_E_INVALID);
    SAYS(&rate, rate.burst, -1, METE_E_INVALID);
    SAYS(&rate, rate.burst, METE_AMOUNT_MAX + 1, METE_E_INVALID);
    SAYS(&rate, rate.mode, (enum mete_mode)(METE_OFF + 1), METE_E_INVALID);
    SAYS(&rate, rate.matches_len, METE_MATCHES_MAX + 1, METE_E_TOO_LARGE);
    const struct mete_change grant = {
        .kind = METE_PUT_GRANT,
        .grant = {.id = text("g"), .scope = {b->org}, .meter = METE_IMAGES}};
    assert_int_equal(asked(b, &grant), 0);
    SAYS(&grant, grant.id, of_len(LIMIT_ID + 1), METE_E_TOO_LARGE);
    SAYS(&grant, grant.id, text("a b"), METE_E_INVALID);
    SAYS(&grant, grant.source, of_len(LIMIT_SOURCE), 0);
    SAYS(&grant, grant.source, of_len(LIMIT_SOURCE + 1), METE_E_TOO_LARGE);
    SAYS(&grant, grant.source, text("a\tb"), METE_E_INVALID);
    SAYS(&grant, grant.source, text("a\x7f"), METE_E_INVALID);
    SAYS(&grant, grant.meter, METE_METERS_BUILTIN, METE_E_INVALID);
    SAYS(&grant, grant.amount, METE_AMOUNT_MAX, 0);
    SAYS(&grant, grant.amount, METE_AMOUNT_MAX + 1, METE_E_INVALID);
    SAYS(&grant, grant.amount, -1, METE_E_INVALID);
    SAYS(&grant, grant.expires_at.us, ENTRY_INSTANT_MAX_US, 0);
    SAYS(&grant, grant.expires_at.us, ENTRY_INSTANT_MAX_US + 1, METE_E_INVALID);
    SAYS(&grant, grant.expires_at.us, -1, METE_E_INVALID);
    SAYS(&grant, kind, METE_END_QUOTA, METE_E_NOT_FOUND);
    SAYS(&grant, kind, METE_REFUND, METE_E_NOT_FOUND);
}

/* What a reserve says, and then what it asks. */
#define RESERVE(field_is, error)                                                                   \
    do {                                                                                           \
        struct mete_demand demands[METE_DEMANDS_MAX + 1] = {{.currency = METE_USD, .fixed = 1}};   \
        struct mete_text tags[METE_TAGS_MAX + 1] = {{"red", 3}};                                   \
        struct mete_reserve args = ask(b, demands);                                                \
        args.tags = tags;                                                                          \
        field_is;                                                                                  \
        assert_int_equal(reserve(b, &args), error);                                                \
    } while (0)

static void a_reserve(void **state)
{
    struct bench *b = *state;
    RESERVE((void)0, 0);
    RESERVE(args.scope.n = 0, METE_E_NOT_FOUND);
    RESERVE(args.scope.n = 99, METE_E_NOT_FOUND);
    RESERVE(args.request_id = of_len(LIMIT_ID + 1), METE_E_TOO_LARGE);
    RESERVE(args.request_id = text("a b"), METE_E_INVALID);
    RESERVE(args.model = of_len(LIMIT_ID + 1), METE_E_TOO_LARGE);
    RESERVE(args.model = text("a\nb"), METE_E_INVALID);
    RESERVE(args.provider = of_len(LIMIT_PROVIDER + 1), METE_E_TOO_LARGE);
    RESERVE(args.provider = text("a\nb"), METE_E_INVALID);
    RESERVE(args.session = of_len(LIMIT_SESSION + 1), METE_E_TOO_LARGE);
    RESERVE(args.session = text("a\nb"), METE_E_INVALID);
    RESERVE(args.tags_len = METE_TAGS_MAX + 1, METE_E_TOO_LARGE);
    RESERVE((args.tags_len = 1, tags[0].len = 0), METE_E_INVALID);
    RESERVE((args.tags_len = 1, tags[0] = text("a\nb")), METE_E_INVALID);
    RESERVE((args.tags_len = 1, tags[0] = of_len(LIMIT_SESSION + 1)), METE_E_TOO_LARGE);
    RESERVE(args.demands_len = 0, METE_E_INVALID);
    RESERVE(args.demands_len = METE_DEMANDS_MAX + 1, METE_E_TOO_LARGE);
    RESERVE((args.demands_len = 2, demands[1] = demands[0]), METE_E_INVALID); /* twice */
    RESERVE(demands[0].currency = 0, METE_E_INVALID);
    RESERVE(demands[0].fixed = -1, METE_E_INVALID);
    RESERVE(demands[0].fixed = METE_AMOUNT_MAX + 1, METE_E_INVALID);
    RESERVE(demands[0].per_million = -1, METE_E_INVALID);
    RESERVE(demands[0].per_million = METE_AMOUNT_MAX + 1, METE_E_INVALID);
    RESERVE((args.floor = -1), METE_E_INVALID);
    RESERVE((args.floor = 1), METE_E_INVALID); /* over the wish */
    RESERVE(args.ttl_ms = 0, METE_E_INVALID);
    RESERVE(args.ttl_ms = LIMIT_HOLD_MS + 1, METE_E_INVALID);
    RESERVE(args.flags = METE_RESERVE_CALL << 1, METE_E_INVALID);
    RESERVE(args.on_expiry = (enum mete_expiry)(METE_EXPIRY_CHARGE + 1), METE_E_INVALID);
}

/* The floor must be an amount; of the wish as much as one is granted. */
static void a_quantity_that_comes_to_more_than_an_amount(void **state)
{
    struct bench *b = *state;
    RESERVE((demands[0].per_million = METE_AMOUNT_MAX, args.wish = INT64_MAX), 0);
    assert_true(b->verdict.allowed && b->verdict.granted == 999999); /* and 1 more, rounded */
    RESERVE((demands[0].per_million = METE_AMOUNT_MAX, args.floor = args.wish = 2000001),
            METE_E_INVALID);
    RESERVE((demands[0].per_million = METE_AMOUNT_MAX, demands[0].fixed = METE_AMOUNT_MAX,
             args.floor = args.wish = INT64_MAX),
            METE_E_INVALID);
}

#define COMMIT(field_is, error)                                                                    \
    do {                                                                                           \
        struct mete_usage usage[METE_DEMANDS_MAX + 1] = {{.currency = METE_USD, .amount = 1},      \
                                                         {.meter = METE_OUTPUT}};                  \
        struct mete_commit args = {.reservation = {id}, .usage = usage, .usage_len = 1};           \
        struct ledger_decision decision;                                                           \
        field_is;                                                                                  \
        assert_int_equal(ledger_decide_commit(b->ledger, now(b), &args, &b->receipt, &decision),   \
                         error);                                                                   \
        const struct mete_record record = {.scope = {b->key},                                      \
                                           .usage = args.usage,                                    \
                                           .usage_len = args.usage_len,                            \
                                           .outcome = args.outcome};                               \
        if ((error) != METE_E_NOT_FOUND)                                                           \
            assert_int_equal(                                                                      \
                ledger_decide_record(b->ledger, now(b), &record, &b->receipt, &decision), error);  \
    } while (0)

static void what_was_used(void **state)
{
    struct bench *b = *state;
    struct mete_reserve asks = ask(b, &one_dollar);
    assert_int_equal(reserve(b, &asks), 0);
    uint64_t id = b->verdict.reservation.n;
    COMMIT((void)0, 0);
    COMMIT(args.reservation.n = 0, METE_E_NOT_FOUND);
    COMMIT(args.usage_len = 2, 0);
    COMMIT((args.usage_len = 2, usage[1] = usage[0]), METE_E_INVALID);
    COMMIT((args.usage_len = 2, usage[1] = usage[0], usage[1].currency = WORLD_EUR), 0);
    COMMIT(args.usage_len = METE_DEMANDS_MAX + 1, METE_E_TOO_LARGE);
    COMMIT(usage[0].currency = 0, METE_E_INVALID);
    COMMIT(usage[0].amount = -1, METE_E_INVALID);
    COMMIT(usage[0].amount = METE_AMOUNT_MAX + 1, METE_E_INVALID);
    COMMIT(args.outcome.price_list = of_len(LIMIT_PROVIDER + 1), METE_E_TOO_LARGE);
    COMMIT(args.outcome.price_list = text("a\nb"), METE_E_INVALID);
    COMMIT(args.outcome.note = of_len(LIMIT_NOTE), 0);
    COMMIT(args.outcome.note = of_len(LIMIT_NOTE + 1), METE_E_TOO_LARGE);
    COMMIT(args.outcome.ending = METE_ENDINGS, METE_E_INVALID);
    COMMIT(args.outcome.flags = 4, METE_E_INVALID);
    COMMIT(args.outcome.details.model = of_len(LIMIT_ID), 0);
    COMMIT(args.outcome.details.upstream_id = of_len(LIMIT_ID + 1), METE_E_TOO_LARGE);
    COMMIT(args.outcome.details.dialect = text("a\nb"), METE_E_INVALID);
}

/* The parts of a cost are exactly the first cost; and of what is exact. */
static void what_it_is_made_of(void **state)
{
    struct bench *b = *state;
    struct mete_reserve asks = ask(b, &one_dollar);
    assert_int_equal(reserve(b, &asks), 0);
    uint64_t id = b->verdict.reservation.n;
    struct mete_part parts[] = {{METE_INPUT, 30}, {METE_CACHED_INPUT, 0}, {METE_OUTPUT, 70}};
    const struct mete_details details = {.parts = parts, .parts_len = 3};
    COMMIT((usage[0].amount = 100, args.outcome.details = details), 0);
    COMMIT((usage[0].amount = 99, args.outcome.details = details), METE_E_INVALID);
    COMMIT((usage[0].amount = 101, args.outcome.details = details), METE_E_INVALID);
    COMMIT((usage[0].amount = 100, args.outcome.details = details, args.usage_len = 2,
            usage[1] = usage[0], usage[1].currency = WORLD_EUR, usage[1].amount = 7),
           0);
    COMMIT((usage[0] = usage[1], args.outcome.details = details), METE_E_INVALID); /* no money */
    COMMIT((usage[0].amount = 100, args.outcome.details = details,
            args.outcome.flags = METE_OUTCOME_PROVISIONAL),
           METE_E_INVALID);
    parts[0].nano = parts[2].nano = METE_AMOUNT_MAX;
    COMMIT((usage[0].amount = -2, args.outcome.details = details), METE_E_INVALID);
    parts[1].nano = METE_AMOUNT_MAX;
    COMMIT((usage[0].amount = METE_AMOUNT_MAX, args.outcome.details = details), METE_E_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    memset(long_text, 'x', sizeof long_text);
    const struct CMUnitTest tests[] = {TEST(a_scope_and_any_change),
                                       TEST(a_budget),
                                       TEST(controls),
                                       TEST(a_rate_limit_and_a_grant),
                                       TEST(a_reserve),
                                       TEST(a_quantity_that_comes_to_more_than_an_amount),
                                       TEST(what_was_used),
                                       TEST(what_it_is_made_of)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
