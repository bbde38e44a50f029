/* SPDX-License-Identifier: Apache-2.0
 * Proves rule 24 of docs/semantics.md: which rate is in force, that a reservation keeps the ones it
 * was made with (INV-11), what is taken and charged in another currency, to the unit and never
 * wrapped, against multiplication by limbs; and that what has no rate is never free. Every entry
 * goes through a second ledger as bytes, whose hash must stay the same (INV-06). */
#include "unit/ledger_help.h"

#include "base/checked.h"
#include "base/limits.h"

#define EUR METE_CURRENCY('E', 'U', 'R')
#define CNY METE_CURRENCY('C', 'N', 'Y')

enum { SECOND_US = 1000000 };

/* ---- Operations ---- */

static struct mete_change exchange_change(uint32_t from, uint32_t to, int64_t numerator,
                                          int64_t denominator, int64_t effective_at_us)
{
    return (struct mete_change){.kind = METE_PUT_EXCHANGE,
                                .exchange = {.from = from,
                                             .to = to,
                                             .numerator = numerator,
                                             .denominator = denominator,
                                             .effective_at = {effective_at_us}}};
}

static uint32_t put_exchange(struct bench *b, uint32_t from, uint32_t to, int64_t numerator,
                             int64_t denominator, int64_t effective_at_us)
{
    uint32_t number = 0;
    struct mete_change change = exchange_change(from, to, numerator, denominator, effective_at_us);
    assert_int_equal(put(b, &change, &number), 0);
    return number;
}

static uint32_t put_budget_in(struct bench *b, uint32_t scope, const char *id, uint32_t currency,
                              int64_t limit, enum mete_mode mode)
{
    uint32_t handle = 0;
    struct mete_change change = budget_change(scope, id, limit, METE_DAILY);
    change.budget.currency = currency;
    change.budget.mode = mode;
    assert_int_equal(put(b, &change, &handle), 0);
    return handle;
}

static uint64_t take_in(struct bench *b, uint32_t currency, int64_t amount)
{
    const struct mete_demand demand = {.currency = currency, .fixed = amount};
    const struct mete_reserve args = ask(b, &demand);
    assert_int_equal(reserve(b, &args), 0);
    return b->verdict.allowed ? b->verdict.reservation.n : 0;
}

static int commit_in(struct bench *b, uint64_t id, uint32_t currency, int64_t amount)
{
    const struct mete_usage usage = {.currency = currency, .amount = amount};
    const struct mete_commit args = {.reservation = {id}, .usage = &usage, .usage_len = 1};
    struct ledger_decision decision;
    int rc = ledger_decide_commit(b->ledger, now(b), &args, &b->receipt, &decision);
    if (rc == 0)
        apply(b, &decision.entry);
    return rc;
}

static int record_in(struct bench *b, uint32_t currency, int64_t amount)
{
    const struct mete_usage usage = {.currency = currency, .amount = amount};
    const struct mete_record args = {.scope = {b->key}, .usage = &usage, .usage_len = 1};
    struct ledger_decision decision;
    int rc = ledger_decide_record(b->ledger, now(b), &args, &b->receipt, &decision);
    if (rc == 0)
        apply(b, &decision.entry);
    return rc;
}

static int extend_in(struct bench *b, uint64_t id, uint32_t currency, int64_t amount, int shrink)
{
    const struct mete_demand demand = {.currency = currency, .fixed = amount};
    const struct mete_extend args = {
        .reservation = {id}, .demands = &demand, .demands_len = 1, .shrink = shrink};
    struct ledger_decision decision;
    int rc = ledger_decide_extend(b->ledger, now(b), &args, b->refusals, METE_REFUSALS_MAX,
                                  &b->verdict, &decision);
    if (rc == 0 && decision.entry.kind != ENTRY_NONE)
        apply(b, &decision.entry);
    return rc;
}

static struct mete_budget_view view_of(struct bench *b, uint32_t budget)
{
    struct mete_budget_view view;
    assert_int_equal(ledger_budget(b->ledger, budget, &view), 0);
    return view;
}

/* ---- Numbers of any size: 32-bit limbs, multiplied as at school ---- */

enum { LIMBS = 8 };
struct big {
    uint32_t limbs[LIMBS];
};

static struct big big_of(int64_t value)
{
    assert_true(value >= 0);
    return (struct big){{(uint32_t)value, (uint32_t)((uint64_t)value >> 32)}};
}

static struct big big_times(struct big a, struct big b)
{
    struct big product = {{0}};
    for (int i = 0; i < LIMBS; i++) {
        uint64_t carry = 0;
        for (int j = 0; i + j < LIMBS; j++) {
            uint64_t sum = (uint64_t)a.limbs[i] * b.limbs[j] + product.limbs[i + j] + carry;
            product.limbs[i + j] = (uint32_t)sum;
            carry = sum >> 32;
        }
    }
    return product;
}

static struct big big_plus(struct big a, struct big b)
{
    uint64_t carry = 0;
    for (int i = 0; i < LIMBS; i++) {
        carry += (uint64_t)a.limbs[i] + b.limbs[i];
        a.limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return a;
}

static int big_order(struct big a, struct big b)
{
    for (int i = LIMBS - 1; i >= 0; i--)
        if (a.limbs[i] != b.limbs[i])
            return a.limbs[i] < b.limbs[i] ? -1 : 1;
    return 0;
}

/* result = ceil(amount * numerator / denominator), said without dividing. */
static bool is_rounded_up(int64_t result, int64_t amount, int64_t numerator, int64_t denominator)
{
    struct big exact = big_times(big_of(amount), big_of(numerator)), d = big_of(denominator);
    if (big_order(big_times(big_of(result), d), exact) < 0)
        return false;
    return result == 0 || big_order(big_times(big_of(result - 1), d), exact) < 0;
}

/* The nearest; halfway the even one: |2 exact - 2 result d| <= d. */
static bool is_half_even(int64_t result, int64_t amount, int64_t numerator, int64_t denominator)
{
    struct big exact = big_times(big_of(amount), big_of(numerator)), d = big_of(denominator);
    struct big twice = big_plus(exact, exact), r = big_times(big_of(result), d);
    r = big_plus(r, r);
    int above = big_order(twice, big_plus(r, d)), below = big_order(big_plus(twice, d), r);
    return above <= 0 && below >= 0 && ((above < 0 && below > 0) || result % 2 == 0);
}

static uint64_t draw(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *seed >> 11;
}

/* A number of any size up to max, the small ones and the largest as likely as the others. */
static int64_t draw_any(uint64_t *seed, int64_t max)
{
    unsigned shape = (unsigned)(draw(seed) % 8);
    if (shape == 0)
        return max;
    if (shape == 1)
        return 1 + (int64_t)(draw(seed) % 3);
    int64_t value = (int64_t)(draw(seed) << 10 & INT64_MAX) >> draw(seed) % 60;
    return 1 + value % max;
}

static void amounts_are_converted_to_the_unit_whatever_their_size(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_budget_in(b, b->org, "eur", EUR, METE_AMOUNT_MAX, METE_ENFORCE);
    uint64_t seed = 2024;
    unsigned taken = 0, refused = 0;
    for (int i = 0; i < 1500; i++) {
        int64_t numerator = draw_any(&seed, 1000000000000000000);
        int64_t denominator = draw_any(&seed, 1000000000000000000);
        int64_t amount = draw_any(&seed, METE_AMOUNT_MAX);
        put_exchange(b, METE_USD, EUR, numerator, denominator, 0);
        uint64_t id = take_in(b, METE_USD, amount);
        if (!id) { /* it comes to more than there is, which is what the limit is as well */
            struct big most = big_times(big_of(METE_AMOUNT_MAX - view_of(b, budget).committed),
                                        big_of(denominator));
            assert_true(big_order(big_times(big_of(amount), big_of(numerator)), most) > 0);
            refused++;
            continue;
        }
        taken++;
        int64_t before = view_of(b, budget).committed;
        assert_true(is_rounded_up(view_of(b, budget).held, amount, numerator, denominator));
        assert_int_equal(commit_in(b, id, METE_USD, amount), 0);
        assert_true(
            is_half_even(view_of(b, budget).committed - before, amount, numerator, denominator));
        if (view_of(b, budget).committed > METE_AMOUNT_MAX / 2) {
            b->now_us += DAY_US;
            roll(b, budget);
        }
    }
    assert_true(taken > 300 && refused > 300);
}

/* ---- Which rate ---- */

static void the_latest_that_has_come_is_in_force_and_of_equals_the_last_added(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_budget_in(b, b->org, "eur", EUR, INT64_C(1) << 50, METE_ENFORCE);
    put_exchange(b, METE_USD, EUR, 2, 1, T0 - 5);
    put_exchange(b, METE_USD, EUR, 3, 1, T0 - 9);              /* older, though added later */
    put_exchange(b, METE_USD, EUR, 5, 1, T0 + 10 * SECOND_US); /* not yet */
    put_exchange(b, EUR, METE_USD, 7, 1, T0 - 1);              /* the other way */
    put_exchange(b, CNY, EUR, 11, 1, T0 - 1);                  /* of another */
    uint64_t first = take_in(b, METE_USD, 100);
    stands(b, budget, 0, 200);
    uint32_t same = put_exchange(b, METE_USD, EUR, 4, 1, T0 - 5);
    uint64_t second = take_in(b, METE_USD, 100);
    stands(b, budget, 0, 600);
    b->now_us = T0 + 10 * SECOND_US - 1;
    uint64_t third = take_in(b, METE_USD, 100);
    stands(b, budget, 0, 1000);
    b->now_us++;
    uint64_t fourth = take_in(b, METE_USD, 100);
    stands(b, budget, 0, 1500);
    struct mete_exchange_view view;
    assert_int_equal(ledger_exchange(b->ledger, same, now(b), &view), 0);
    assert_true(view.rate.numerator == 4 && view.number == same && !view.in_force);
    assert_int_equal(ledger_exchange(b->ledger, 3, now(b), &view), 0);
    assert_true(view.in_force);
    assert_int_equal(ledger_exchange(b->ledger, 7, now(b), &view), METE_E_NOT_FOUND);
    /* Each ends by the rate it was made with, whatever is in force by then. */
    assert_int_equal(commit_in(b, first, METE_USD, 10), 0);
    stands(b, budget, 20, 1300);
    assert_int_equal(commit_in(b, second, METE_USD, 10), 0);
    assert_int_equal(commit_in(b, third, METE_USD, 10), 0);
    stands(b, budget, 100, 500);
    assert_int_equal(commit_in(b, fourth, METE_USD, 10), 0);
    stands(b, budget, 150, 0);
    assert_int_equal(record_in(b, METE_USD, 10), 0);
    stands(b, budget, 200, 0);
}

static void a_reservation_keeps_its_rates_to_its_end(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_budget_in(b, b->org, "eur", EUR, 10000, METE_ENFORCE);
    put_exchange(b, METE_USD, EUR, 1, 3, 0);
    uint64_t id = take_in(b, METE_USD, 100);
    stands(b, budget, 0, 34);
    /* Added later, though it says it had been in force for long. */
    put_exchange(b, METE_USD, EUR, 50, 1, T0 - DAY_US);
    b->now_us += 10 * SECOND_US;
    assert_int_equal(extend_in(b, id, METE_USD, 1, 0), 0);
    stands(b, budget, 0, 34); /* 101 are 33.67: the whole is rounded up, not each part */
    assert_int_equal(extend_in(b, id, METE_USD, 2, 0), 0);
    stands(b, budget, 0, 35);
    assert_int_equal(extend_in(b, id, METE_USD, 13, 1), 0);
    stands(b, budget, 0, 30);
    assert_int_equal(commit_in(b, id, METE_USD, 89), 0);
    stands(b, budget, 30, 0); /* 29.67 */
    assert_false(b->receipt.overrun);
    id = take_in(b, METE_USD, 100);
    stands(b, budget, 30, 5000);
    assert_int_equal(release(b, id), 0);
    stands(b, budget, 30, 0);
}

static void an_expiry_charges_half_to_even_by_the_rates_of_the_reservation(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_budget_in(b, b->org, "eur", EUR, 10000, METE_ENFORCE);
    put_exchange(b, METE_USD, EUR, 1, 2, 0);
    const struct mete_demand demand = {.currency = METE_USD, .fixed = 25};
    struct mete_reserve args = ask(b, &demand);
    args.on_expiry = METE_EXPIRY_CHARGE;
    args.ttl_ms = 1;
    assert_int_equal(reserve(b, &args), 0);
    stands(b, budget, 0, 13);
    put_exchange(b, METE_USD, EUR, 9, 1, 0);
    b->now_us += 1000;
    struct entry entry;
    assert_true(ledger_decide_expiry(b->ledger, now(b), &entry));
    apply(b, &entry);
    stands(b, budget, 12, 0);
    /* By the view of the first reservation's time it is still so in a past window. */
    b->now_us += 2000;
    assert_int_equal(reserve(b, &args), 0);
    stands(b, budget, 12, 225);
    b->now_us += DAY_US;
    roll(b, budget);
    assert_true(ledger_decide_expiry(b->ledger, now(b), &entry));
    apply(b, &entry);
    stands(b, budget, 0, 0);
}

/* ---- Adding up ---- */

static void demands_of_several_currencies_add_up_each_rounded_by_itself(void **state)
{
    struct bench *b = *state;
    uint32_t usd = put_budget_in(b, b->key, "usd", METE_USD, 1000, METE_ENFORCE);
    uint32_t eur = put_budget_in(b, b->org, "eur", EUR, 1000, METE_ENFORCE);
    put_exchange(b, METE_USD, EUR, 1, 2, 0);
    put_exchange(b, EUR, METE_USD, 3, 2, 0);
    put_exchange(b, CNY, EUR, 1, 7, 0);
    put_exchange(b, CNY, METE_USD, 1, 5, 0);
    const struct mete_demand demands[] = {{.currency = METE_USD, .fixed = 11},
                                          {.currency = EUR, .fixed = 3},
                                          {.meter = METE_OUTPUT, .fixed = 500},
                                          {.currency = CNY, .fixed = 8}};
    struct mete_reserve args = ask(b, demands);
    args.demands_len = 4;
    args.request_id = text("r-1");
    for (int i = 0; i < 2; i++) { /* told again to a repeat */
        assert_int_equal(reserve(b, &args), 0);
        assert_true(b->verdict.remaining_of.n == usd);
        assert_true(b->verdict.remaining == 1000 - 11 - 5 - 2);
    }
    uint64_t id = b->verdict.reservation.n;
    stands(b, usd, 0, 11 + 5 + 2);
    stands(b, eur, 0, 6 + 3 + 2);
    const struct mete_usage usage[] = {{.currency = CNY, .amount = 8},
                                       {.currency = METE_USD, .amount = 11},
                                       {.currency = EUR, .amount = 3}};
    const struct mete_commit end = {.reservation = {id}, .usage = usage, .usage_len = 3};
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_commit(b->ledger, now(b), &end, &b->receipt, &decision), 0);
    apply(b, &decision.entry);
    stands(b, usd, 11 + 4 + 2, 0); /* 4.5 and 1.6 */
    stands(b, eur, 6 + 3 + 1, 0);  /* 5.5 and 1.14 */
    assert_true(b->receipt.cost == 8 && !b->receipt.overrun);
}

static void a_budget_of_one_currency_hears_of_none_but_costs(void **state)
{
    struct bench *b = *state;
    uint32_t eur = put_budget_in(b, b->org, "eur", EUR, 0, METE_ENFORCE);
    const struct mete_demand demand = {.meter = METE_OUTPUT, .fixed = 5};
    const struct mete_reserve args = ask(b, &demand);
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed && b->verdict.refusals_len == 0);
    stands(b, eur, 0, 0);
}

/* What is granted is the most that fits everywhere, found by trying each quantity. */
static void the_grant_is_the_largest_that_fits(void **state)
{
    struct bench *b = *state;
    uint64_t seed = 7;
    unsigned between = 0;
    for (int i = 0; i < 400; i++) {
        int64_t n[4], limit_eur = 200 + (int64_t)(draw(&seed) % 800);
        int64_t limit_usd = 200 + (int64_t)(draw(&seed) % 800);
        for (int j = 0; j < 4; j++)
            n[j] = 1 + (int64_t)(draw(&seed) % 9);
        put_budget_in(b, b->org, "eur", EUR, limit_eur, METE_ENFORCE);
        put_budget_in(b, b->user, "usd", METE_USD, limit_usd, METE_ENFORCE);
        put_exchange(b, METE_USD, EUR, n[0], n[1], 0);
        put_exchange(b, CNY, EUR, n[2], n[3], 0);
        put_exchange(b, CNY, METE_USD, n[1], n[2], 0);
        const struct mete_demand demands[] = {
            {.currency = METE_USD, .per_million = 1 + (int64_t)(draw(&seed) % 3000000)},
            {.currency = CNY, .fixed = 3, .per_million = 1 + (int64_t)(draw(&seed) % 3000000)}};
        struct mete_reserve args = ask(b, demands);
        args.demands_len = 2;
        args.floor = (int64_t)(draw(&seed) % 50);
        args.wish = args.floor + (int64_t)(draw(&seed) % 1000);
        int64_t most = -1;
        for (int64_t q = args.floor; q <= args.wish; q++) {
            int64_t in_usd = (demands[0].per_million * q + 999999) / 1000000;
            int64_t in_cny = 3 + (demands[1].per_million * q + 999999) / 1000000;
            int64_t of_eur = (in_usd * n[0] + n[1] - 1) / n[1] + (in_cny * n[2] + n[3] - 1) / n[3];
            int64_t of_usd = in_usd + (in_cny * n[1] + n[2] - 1) / n[2];
            if (of_eur <= limit_eur && of_usd <= limit_usd)
                most = q;
        }
        struct ledger_decision decision;
        assert_int_equal(ledger_decide_check(b->ledger, now(b), &args, b->refusals,
                                             METE_REFUSALS_MAX, &b->verdict, &decision),
                         0);
        assert_int_equal(b->verdict.allowed, most >= 0);
        assert_true(most < 0 || b->verdict.granted == most);
        between += most > args.floor && most < args.wish;
        if (most >= 0 && i % 16 == 0) {
            assert_int_equal(reserve(b, &args), 0);
            assert_true(b->verdict.granted == most);
            assert_int_equal(release(b, b->verdict.reservation.n), 0);
        }
    }
    assert_true(between > 100);
}

/* ---- No rate ---- */

static void what_has_no_rate_is_refused_and_names_the_budget(void **state)
{
    struct bench *b = *state;
    put_budget_in(b, b->key, "usd", METE_USD, 1000, METE_ENFORCE);
    uint32_t eur = put_budget_in(b, b->org, "eur", EUR, 1000, METE_ENFORCE);
    uint32_t cny = put_budget_in(b, b->user, "cny", CNY, 1000, METE_ENFORCE);
    put_exchange(b, EUR, METE_USD, 1, 1, 0);
    put_exchange(b, METE_USD, CNY, 7, 1, 0);
    put_exchange(b, CNY, EUR, 1, 8, 0); /* no way through another */
    assert_false(take_in(b, METE_USD, 200));
    assert_int_equal(b->verdict.refusals_len, 2); /* all checks are made */
    const struct mete_refusal *refusal = &b->refusals[0];
    assert_true(refusal->reason == METE_UNPRICED && refusal->budget.n == eur);
    assert_true(refusal->scope.n == b->org && refusal->currency == EUR && refusal->limit == 1000);
    assert_true(refusal->asked == 0 && refusal->resets_at.us == INT64_MAX && !refusal->shadow);
    assert_true(b->refusals[1].reason == METE_HARD_LIMIT && b->refusals[1].budget.n == cny);
    assert_true(b->refusals[1].asked == 1400);
    assert_true(b->verdict.retry_at.us == INT64_MAX);
    /* In force from the next second on. */
    put_exchange(b, METE_USD, EUR, 1, 1, b->now_us + SECOND_US);
    assert_false(take_in(b, METE_USD, 1));
    assert_int_equal(b->verdict.refusals_len, 1);
    b->now_us += SECOND_US;
    assert_true(take_in(b, METE_USD, 1));
    stands(b, eur, 0, 1);
}

/* Nothing is remembered of it: the next try with the same id looks again. */
static void a_refusal_for_want_of_a_rate_does_not_bind(void **state)
{
    struct bench *b = *state;
    put_budget_in(b, b->org, "eur", EUR, 1000, METE_ENFORCE);
    const struct mete_demand demand = {.currency = METE_USD, .fixed = 1};
    struct mete_reserve args = ask(b, &demand);
    args.request_id = text("r-1");
    assert_int_equal(reserve(b, &args), 0);
    assert_true(!b->verdict.allowed && b->verdict.seq == 0);
    put_exchange(b, METE_USD, EUR, 1, 1, 0);
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed && !b->verdict.repeated);
}

static void nothing_needs_no_rate(void **state)
{
    struct bench *b = *state;
    uint32_t eur = put_budget_in(b, b->org, "eur", EUR, 1000, METE_ENFORCE);
    uint64_t id = take_in(b, METE_USD, 0);
    assert_true(id);
    stands(b, eur, 0, 0);
    assert_int_equal(commit_in(b, id, METE_USD, 0), 0);
    assert_false(b->receipt.overrun);
    const struct mete_demand demand = {.currency = METE_USD, .per_million = 1};
    const struct mete_reserve args = ask(b, &demand); /* may become something */
    assert_int_equal(reserve(b, &args), 0);
    assert_false(b->verdict.allowed);
    assert_int_equal(b->refusals[0].reason, METE_UNPRICED);
}

static void a_shadow_budget_says_so_and_one_that_is_off_does_not(void **state)
{
    struct bench *b = *state;
    uint32_t shadow = put_budget_in(b, b->org, "shadow", EUR, 5, METE_SHADOW);
    put_budget_in(b, b->org, "off", CNY, 5, METE_OFF);
    put_exchange(b, CNY, EUR, 10, 1, 0);
    const struct mete_demand demands[] = {{.currency = METE_USD, .fixed = 100},
                                          {.currency = CNY, .fixed = 1}};
    struct mete_reserve args = ask(b, demands);
    args.demands_len = 2;
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed);
    assert_int_equal(b->verdict.refusals_len, 2);
    assert_true(b->refusals[0].reason == METE_UNPRICED && b->refusals[0].shadow);
    assert_true(b->refusals[1].reason == METE_HARD_LIMIT && b->refusals[1].asked == 10);
    stands(b, shadow, 0, 10); /* what has a rate counts, the rest does not */
    assert_int_equal(commit_in(b, b->verdict.reservation.n, METE_USD, 100), 0);
    stands(b, shadow, 0, 0);
    assert_false(b->receipt.overrun);
}

static void a_commit_in_a_currency_without_a_rate_charges_nothing_and_is_an_overrun(void **state)
{
    struct bench *b = *state;
    uint32_t eur = put_budget_in(b, b->org, "eur", EUR, 1000, METE_ENFORCE);
    put_exchange(b, METE_USD, EUR, 1, 1, 0);
    put_exchange(b, CNY, EUR, 1, 2, 0);
    uint64_t first = take_in(b, METE_USD, 10), second = take_in(b, METE_USD, 10);
    assert_int_equal(commit_in(b, first, METE_CURRENCY('J', 'P', 'Y'), 900), 0);
    stands(b, eur, 0, 10);
    assert_true(b->receipt.overrun);
    assert_int_equal(b->effects.events_len, 1);
    assert_true(b->effects.events[0].kind == METE_EVENT_OVERRUN &&
                b->effects.events[0].budget.n == eur);
    /* Not demanded, but there is a rate. */
    assert_int_equal(commit_in(b, second, CNY, 16), 0);
    stands(b, eur, 8, 0);
    assert_false(b->receipt.overrun);
    assert_int_equal(record_in(b, METE_CURRENCY('J', 'P', 'Y'), 1), 0);
    assert_true(b->receipt.overrun);
    stands(b, eur, 8, 0);
    uint64_t third = take_in(b, METE_USD, 10);
    assert_int_equal(commit_in(b, third, CNY, 22), 0); /* 11 where 10 were held */
    assert_true(b->receipt.overrun);
    stands(b, eur, 19, 0);
}

/* ---- Too much ---- */

static void an_amount_that_no_number_holds_is_refused(void **state)
{
    struct bench *b = *state;
    put_exchange(b, METE_USD, EUR, 1000000000000000000, 1, 0);
    uint32_t eur = put_budget_in(b, b->org, "eur", EUR, METE_AMOUNT_MAX, METE_ENFORCE);
    assert_false(take_in(b, METE_USD, METE_AMOUNT_MAX));
    assert_int_equal(b->refusals[0].reason, METE_HARD_LIMIT);
    assert_true(b->refusals[0].asked == INT64_MAX && b->verdict.retry_at.us == INT64_MAX);
    assert_false(take_in(b, METE_USD, 5));
    uint64_t id = take_in(b, METE_USD, 4);
    assert_true(id);
    assert_int_equal(extend_in(b, id, METE_USD, 1, 0), 0);
    assert_false(b->verdict.allowed);
    assert_int_equal(commit_in(b, id, METE_USD, 9), METE_E_TOO_LARGE);
    assert_int_equal(record_in(b, METE_USD, 9), METE_E_TOO_LARGE);
    assert_int_equal(commit_in(b, id, METE_USD, 4), 0);
    stands(b, eur, 4000000000000000000, 0);
    put_budget_in(b, b->org, "eur", EUR, 1, METE_SHADOW);
    const struct mete_demand demand = {.currency = METE_USD, .fixed = 9};
    const struct mete_reserve args = ask(b, &demand);
    assert_int_equal(reserve(b, &args), METE_E_TOO_LARGE);
}

/* ---- Rate limits ---- */

static void a_rate_limit_in_another_currency_takes_what_it_comes_to(void **state)
{
    struct bench *b = *state;
    struct mete_change change = {.kind = METE_PUT_RATE_LIMIT,
                                 .rate = {.id = text("spend"),
                                          .scope = {b->org},
                                          .currency = EUR,
                                          .limit = 100,
                                          .period_ms = 60000}};
    uint32_t rate;
    assert_int_equal(put(b, &change, &rate), 0);
    assert_false(take_in(b, METE_USD, 1));
    assert_true(b->refusals[0].reason == METE_UNPRICED && b->refusals[0].rate.n == rate);
    assert_int_equal(b->verdict.refusals_len, 1);
    put_exchange(b, METE_USD, EUR, 2, 3, 0);
    const struct mete_demand demand = {.currency = METE_USD, .per_million = 1000000};
    struct mete_reserve args = ask(b, &demand);
    args.wish = 1000;
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.granted == 150);
    struct mete_rate_view view;
    assert_int_equal(ledger_rate(b->ledger, rate, now(b), &view), 0);
    assert_true(view.taken == 100);
    assert_false(take_in(b, METE_USD, 1));
    assert_int_equal(b->refusals[0].reason, METE_RATE_LIMIT);
}

static void a_rate_limit_settles_and_extends_by_the_rates_of_the_reservation(void **state)
{
    struct bench *b = *state;
    struct mete_change change = {.kind = METE_PUT_RATE_LIMIT,
                                 .rate = {.id = text("spend"),
                                          .scope = {b->org},
                                          .currency = EUR,
                                          .limit = 100,
                                          .period_ms = 60000}};
    uint32_t rate;
    struct mete_rate_view view;
    assert_int_equal(put(b, &change, &rate), 0);
    put_exchange(b, METE_USD, EUR, 1, 2, 0);
    uint64_t id = take_in(b, METE_USD, 31);
    put_exchange(b, METE_USD, EUR, 1, 1, 0);
    assert_int_equal(extend_in(b, id, METE_USD, 9, 0), 0);
    assert_int_equal(ledger_rate(b->ledger, rate, now(b), &view), 0);
    assert_true(view.taken == 20);
    assert_int_equal(commit_in(b, id, METE_USD, 13), 0);
    assert_int_equal(ledger_rate(b->ledger, rate, now(b), &view), 0);
    assert_true(view.taken == 6);
    assert_int_equal(record_in(b, METE_USD, 13), 0);
    assert_int_equal(ledger_rate(b->ledger, rate, now(b), &view), 0);
    assert_true(view.taken == 19);
}

/* ---- Quotas ---- */

static int64_t balance_of(struct bench *b)
{
    struct mete_quota_view view;
    assert_int_equal(ledger_quotas(b->ledger, b->org, now(b), &view, 1), 1);
    return view.balance;
}

static void a_quota_in_another_currency_draws_what_it_comes_to(void **state)
{
    struct bench *b = *state;
    uint32_t grant;
    const struct mete_change change = {
        .kind = METE_PUT_GRANT,
        .grant = {.id = text("g"), .scope = {b->org}, .currency = EUR, .amount = 100}};
    assert_int_equal(put(b, &change, &grant), 0);
    assert_false(take_in(b, METE_USD, 1));
    assert_int_equal(b->verdict.refusals_len, 1);
    assert_true(b->refusals[0].reason == METE_UNPRICED && b->refusals[0].currency == EUR);
    put_exchange(b, METE_USD, EUR, 1, 2, 0);
    const struct mete_demand demand = {.currency = METE_USD, .per_million = 1000000};
    struct mete_reserve args = ask(b, &demand);
    args.wish = 1000;
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.granted == 200 && balance_of(b) == 0);
    uint64_t id = b->verdict.reservation.n;
    put_exchange(b, METE_USD, EUR, 1, 1, 0);
    assert_int_equal(extend_in(b, id, METE_USD, 99, 1), 0);
    assert_true(balance_of(b) == 49);
    assert_int_equal(extend_in(b, id, METE_USD, 1, 0), 0);
    assert_true(balance_of(b) == 49);
    assert_int_equal(extend_in(b, id, METE_USD, 100, 0), 0);
    assert_false(b->verdict.allowed);
    assert_int_equal(b->refusals[0].reason, METE_QUOTA);
    assert_int_equal(commit_in(b, id, METE_USD, 13), 0);
    assert_true(balance_of(b) == 94 && !b->receipt.overrun);
    assert_int_equal(record_in(b, METE_USD, 4), 0);
    assert_true(balance_of(b) == 90);
    assert_int_equal(record_in(b, CNY, 4), 0);
    assert_true(balance_of(b) == 90 && b->receipt.overrun);
    id = take_in(b, METE_USD, 10);
    assert_int_equal(commit_in(b, id, CNY, 4), 0);
    assert_true(balance_of(b) == 90 && b->receipt.overrun);
}

/* ---- Adding rates ---- */

static void a_rate_is_two_currencies_and_two_terms(void **state)
{
    struct bench *b = *state;
    uint32_t number;
    struct mete_change change = exchange_change(METE_USD, METE_USD, 1, 1, 0);
    assert_int_equal(put(b, &change, &number), METE_E_INVALID);
    change = exchange_change(METE_USD, 0, 1, 1, 0);
    assert_int_equal(put(b, &change, &number), METE_E_INVALID);
    change = exchange_change(METE_USD, EUR, 0, 1, 0);
    assert_int_equal(put(b, &change, &number), METE_E_INVALID);
    change = exchange_change(METE_USD, EUR, 1, 1000000000000000001, 0);
    assert_int_equal(put(b, &change, &number), METE_E_INVALID);
    change = exchange_change(METE_USD, EUR, 1, 1, -1);
    assert_int_equal(put(b, &change, &number), METE_E_INVALID);
    change = exchange_change(METE_USD, EUR, 1, 1, 0);
    change.flags = METE_CHANGE_UPDATE;
    assert_int_equal(put(b, &change, &number), METE_E_NOT_FOUND);
    change.flags = METE_CHANGE_CREATE;
    assert_int_equal(put(b, &change, &number), 0);
    assert_int_equal(number, 1);
    assert_int_equal(put(b, &change, &number), 0); /* each is a new one */
    assert_int_equal(number, 2);
    assert_int_equal(ledger_exchanges(b->ledger), 2);
}

static void no_more_are_added_than_there_is_room_for(void **state)
{
    struct bench *b = *state;
    struct entry entry = {.kind = ENTRY_EXCHANGE, .at_us = b->now_us};
    entry.u.exchange.spec = exchange_change(METE_USD, EUR, 1, 1, 0).exchange;
    for (int i = 0; i < LIMIT_EXCHANGES - 1; i++) {
        entry.seq = ledger_last_seq(b->ledger) + 1;
        entry.u.exchange.spec.effective_at.us = i;
        assert_int_equal(ledger_apply(b->ledger, &entry, NULL), 0);
    }
    const struct mete_change changes[2] = {exchange_change(EUR, CNY, 1, 1, 0),
                                           exchange_change(EUR, CNY, 1, 1, 0)};
    struct mete_apply args = {.changes = changes, .len = 2};
    uint32_t numbers[2];
    struct ledger_batch batch = {0};
    assert_int_equal(ledger_check_changes(b->ledger, now(b), &args, numbers, &batch), METE_E_FULL);
    assert_int_equal(batch.failed, 1);
    args.len = 1;
    assert_int_equal(ledger_check_changes(b->ledger, now(b), &args, numbers, &batch), 0);
    assert_int_equal(numbers[0], LIMIT_EXCHANGES);
    entry.seq = ledger_last_seq(b->ledger) + 1;
    assert_int_equal(ledger_apply(b->ledger, &entry, NULL), 0);
    ledger_check(b->ledger);
    entry.seq++;
    assert_int_equal(ledger_apply(b->ledger, &entry, NULL), METE_E_CORRUPT);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(amounts_are_converted_to_the_unit_whatever_their_size),
        CASE(the_latest_that_has_come_is_in_force_and_of_equals_the_last_added),
        CASE(a_reservation_keeps_its_rates_to_its_end),
        CASE(an_expiry_charges_half_to_even_by_the_rates_of_the_reservation),
        CASE(demands_of_several_currencies_add_up_each_rounded_by_itself),
        CASE(a_budget_of_one_currency_hears_of_none_but_costs),
        CASE(the_grant_is_the_largest_that_fits),
        CASE(what_has_no_rate_is_refused_and_names_the_budget),
        CASE(a_refusal_for_want_of_a_rate_does_not_bind),
        CASE(nothing_needs_no_rate),
        CASE(a_shadow_budget_says_so_and_one_that_is_off_does_not),
        CASE(a_commit_in_a_currency_without_a_rate_charges_nothing_and_is_an_overrun),
        CASE(an_amount_that_no_number_holds_is_refused),
        CASE(a_rate_limit_in_another_currency_takes_what_it_comes_to),
        CASE(a_rate_limit_settles_and_extends_by_the_rates_of_the_reservation),
        CASE(a_quota_in_another_currency_draws_what_it_comes_to),
        CASE(a_rate_is_two_currencies_and_two_terms),
        CASE(no_more_are_added_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
