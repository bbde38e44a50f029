/* SPDX-License-Identifier: Apache-2.0
 * Proves rules 2 and 3 of docs/semantics.md for budgets: one with patterns counts the calls they
 * match and is not there for any other, from the weighing to the state hash. Which patterns match
 * which calls is test_ledger_matches.c's. */
#include "unit/ledger_help.h"

static uint32_t put_narrowed(struct bench *b, const char *id, int64_t limit,
                             enum mete_match_kind kind, const char *pattern)
{
    uint32_t handle = 0;
    struct mete_change change = budget_change(b->org, id, limit, METE_DAILY);
    change.budget.matches[0] = (struct mete_match){kind, text(pattern)};
    change.budget.matches_len = 1;
    assert_int_equal(put(b, &change, &handle), 0);
    return handle;
}

static const struct mete_demand forty = {.currency = METE_USD, .fixed = 40};

static struct mete_reserve ask_model(const struct bench *b, const char *model)
{
    struct mete_reserve args = ask(b, &forty);
    args.model = text(model);
    return args;
}

static int record(struct bench *b, const char *model, int64_t cost)
{
    const struct mete_usage usage = {.currency = METE_USD, .amount = cost};
    const struct mete_record args = {
        .scope = {b->key}, .model = text(model), .usage = &usage, .usage_len = 1};
    struct ledger_decision decision;
    int rc;
    while ((rc = ledger_decide_record(b->ledger, now(b), &args, &b->receipt, &decision)) ==
           LEDGER_STALE)
        roll(b, decision.due.budget);
    if (rc == 0)
        apply(b, &decision.entry);
    return rc;
}

static void it_counts_and_refuses_what_it_matches_and_nothing_else(void **state)
{
    struct bench *b = *state;
    uint32_t all = put_budget(b, b->org, "all", 1000, METE_DAILY);
    uint32_t gpt = put_narrowed(b, "gpt", 50, METE_MATCH_MODEL, "gpt-*");
    struct mete_reserve args = ask_model(b, "gpt-4o");
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed);
    uint64_t id = b->verdict.reservation.n;
    stands(b, gpt, 0, 40);
    assert_int_equal(reserve(b, &args), 0);
    assert_false(b->verdict.allowed);
    assert_int_equal(b->verdict.refusals_len, 1);
    assert_int_equal(b->refusals[0].budget.n, gpt);
    args = ask_model(b, "claude");
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed);
    uint64_t other = b->verdict.reservation.n;
    stands(b, gpt, 0, 40);
    stands(b, all, 0, 80);
    assert_int_equal(commit(b, other, 7), 0);
    stands(b, gpt, 0, 40);
    assert_int_equal(commit(b, id, 41), 0);
    stands(b, gpt, 41, 0);
    stands(b, all, 48, 0);
}

static void what_is_left_is_told_of_matching_budgets_alone(void **state)
{
    struct bench *b = *state;
    uint32_t all = put_budget(b, b->org, "all", 1000, METE_DAILY);
    uint32_t gpt = put_narrowed(b, "gpt", 50, METE_MATCH_MODEL, "gpt-*");
    struct mete_reserve args = ask_model(b, "claude");
    args.request_id = text("r-1");
    for (int i = 0; i < 2; i++) { /* a repeat as well */
        assert_int_equal(reserve(b, &args), 0);
        assert_int_equal(b->verdict.repeated, i);
        assert_int_equal(b->verdict.remaining_of.n, all);
        assert_true(b->verdict.remaining == 960);
    }
    args = ask_model(b, "gpt-4o");
    args.request_id = text("r-2");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(reserve(b, &args), 0);
        assert_int_equal(b->verdict.remaining_of.n, gpt);
        assert_true(b->verdict.remaining == 10);
    }
}

static void tags_provider_and_session_narrow_too(void **state)
{
    struct bench *b = *state;
    uint32_t tagged = put_narrowed(b, "tagged", 100, METE_MATCH_TAG, "team:*");
    uint32_t session = put_narrowed(b, "session", 100, METE_MATCH_SESSION, "s-1");
    uint32_t provider = put_narrowed(b, "provider", 100, METE_MATCH_PROVIDER, "openai");
    const struct mete_text tags[] = {text("red"), text("team:7")};
    struct mete_reserve args = ask(b, &forty);
    assert_int_equal(reserve(b, &args), 0);
    stands(b, tagged, 0, 0);
    stands(b, session, 0, 0);
    stands(b, provider, 0, 0);
    args.tags = tags;
    args.tags_len = 2;
    args.session = text("s-1");
    args.provider = text("openai");
    assert_int_equal(reserve(b, &args), 0);
    stands(b, tagged, 0, 40);
    stands(b, session, 0, 40);
    stands(b, provider, 0, 40);
}

static void a_record_charges_what_it_matches(void **state)
{
    struct bench *b = *state;
    uint32_t all = put_budget(b, b->org, "all", 1000, METE_DAILY);
    uint32_t gpt = put_narrowed(b, "gpt", 50, METE_MATCH_MODEL, "gpt-*");
    assert_int_equal(record(b, "claude", 60), 0);
    assert_false(b->receipt.overrun);
    stands(b, gpt, 0, 0);
    assert_int_equal(record(b, "gpt-4o", 60), 0);
    assert_true(b->receipt.overrun);
    stands(b, gpt, 60, 0);
    stands(b, all, 120, 0);
}

/* A call that it does not match touches it no more than one that is off: its window goes on. */
static void a_window_that_is_over_waits_for_a_call_that_matches(void **state)
{
    struct bench *b = *state;
    uint32_t gpt = put_narrowed(b, "gpt", 50, METE_MATCH_MODEL, "gpt-*");
    assert_int_equal(record(b, "gpt-4o", 60), 0);
    b->now_us += 2 * DAY_US;
    struct mete_reserve args = ask_model(b, "claude");
    assert_int_equal(reserve(b, &args), 0);
    assert_int_equal(record(b, "claude", 1), 0);
    stands(b, gpt, 60, 0);
    args = ask_model(b, "gpt-4o");
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed);
    stands(b, gpt, 0, 40);
}

static void its_patterns_cannot_change_and_are_shown(void **state)
{
    struct bench *b = *state;
    uint32_t gpt = put_narrowed(b, "gpt", 50, METE_MATCH_MODEL, "gpt-*");
    struct mete_change change = budget_change(b->org, "gpt", 70, METE_DAILY);
    uint32_t handle;
    assert_int_equal(put(b, &change, &handle), METE_E_INVALID);
    change.budget.matches_len = 1;
    change.budget.matches[0] = (struct mete_match){METE_MATCH_MODEL, text("gpt-4*")};
    assert_int_equal(put(b, &change, &handle), METE_E_INVALID);
    change.budget.matches[0].pattern = text("gpt-*");
    assert_int_equal(put(b, &change, &handle), 0);
    struct mete_budget_view view;
    assert_int_equal(ledger_budget(b->ledger, gpt, &view), 0);
    assert_int_equal(view.limit, 70);
    assert_int_equal(view.matches_len, 1);
    assert_int_equal(view.matches[0].kind, METE_MATCH_MODEL);
    assert_int_equal(view.matches[0].pattern.len, 5);
    assert_memory_equal(view.matches[0].pattern.data, "gpt-*", 5);
    change.budget.matches[0].pattern = text("");
    assert_int_equal(put(b, &change, &handle), METE_E_INVALID);
    change.budget.matches_len = METE_MATCHES_MAX + 1;
    assert_int_equal(put(b, &change, &handle), METE_E_TOO_LARGE);
}

/* What matches was decided when it was made: an extension asks nobody again. */
static void what_was_taken_grows_without_being_matched_again(void **state)
{
    struct bench *b = *state;
    uint32_t gpt = put_narrowed(b, "gpt", 50, METE_MATCH_MODEL, "gpt-*");
    struct mete_reserve args = ask_model(b, "gpt-4o");
    assert_int_equal(reserve(b, &args), 0);
    const struct mete_demand more = {.currency = METE_USD, .fixed = 10};
    const struct mete_extend extend = {
        .reservation = b->verdict.reservation, .demands = &more, .demands_len = 1};
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_extend(b->ledger, now(b), &extend, b->refusals,
                                          METE_REFUSALS_MAX, &b->verdict, &decision),
                     0);
    assert_true(b->verdict.allowed);
    apply(b, &decision.entry);
    stands(b, gpt, 0, 50);
    assert_int_equal(ledger_decide_extend(b->ledger, now(b), &extend, b->refusals,
                                          METE_REFUSALS_MAX, &b->verdict, &decision),
                     0);
    assert_false(b->verdict.allowed);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(it_counts_and_refuses_what_it_matches_and_nothing_else),
        TEST(what_is_left_is_told_of_matching_budgets_alone),
        TEST(tags_provider_and_session_narrow_too),
        TEST(a_record_charges_what_it_matches),
        TEST(a_window_that_is_over_waits_for_a_call_that_matches),
        TEST(its_patterns_cannot_change_and_are_shown),
        TEST(what_was_taken_grows_without_being_matched_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
