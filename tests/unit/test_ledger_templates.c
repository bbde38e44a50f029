/* SPDX-License-Identifier: Apache-2.0
 * Proves rule 28 of docs/semantics.md: a template makes one budget for each scope of its kind, when
 * the first call comes, with the template's fields as they then are, and never again; that nothing
 * is counted in a template itself; and what happens where there is no room. Every entry goes
 * through a second ledger as bytes, which is saved and loaded, and whose hash must stay the same
 * (INV-06). */
#include "unit/ledger_help.h"

#include "base/limits.h"

static struct mete_change template_change(struct bench *b, const char *id, enum mete_kind kind,
                                          int64_t limit)
{
    struct mete_change change = budget_change(b->org, id, limit, METE_DAILY);
    change.budget.for_kind = kind;
    return change;
}

static uint32_t put_template(struct bench *b, const char *id, enum mete_kind kind, int64_t limit)
{
    uint32_t handle = 0;
    const struct mete_change change = template_change(b, id, kind, limit);
    assert_int_equal(put(b, &change, &handle), 0);
    return handle;
}

static int spend(struct bench *b, uint32_t scope, int64_t amount)
{
    const struct mete_demand demand = {.currency = METE_USD, .fixed = amount};
    struct mete_reserve args = ask(b, &demand);
    args.scope.n = scope;
    return reserve(b, &args);
}

static uint32_t find(struct bench *b, const char *id)
{
    return ledger_find_budget(b->ledger, b->org, (struct slice){id, strlen(id)});
}

static struct mete_budget_view view_of(struct bench *b, uint32_t budget)
{
    struct mete_budget_view view;
    assert_int_equal(ledger_budget(b->ledger, budget, &view), 0);
    return view;
}

static int end_budget(struct bench *b, uint32_t budget)
{
    uint32_t handle;
    const struct mete_change change = {.kind = METE_END_BUDGET, .end = {budget}};
    return put(b, &change, &handle);
}

static void each_scope_of_the_kind_gets_one_when_its_first_call_comes(void **state)
{
    struct bench *b = *state;
    uint32_t template = put_template(b, "each", METE_USER, 100);
    uint32_t bob = put_scope(b, METE_USER, "bob", b->dept);
    assert_int_equal(ledger_budgets(b->ledger), 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(spend(b, b->key, 30), 0); /* on the path of a key of ada's */
    assert_int_equal(ledger_budgets(b->ledger), 2);
    uint32_t adas = find(b, "each~3");
    assert_int_equal(b->user, 3);
    struct mete_budget_view view = view_of(b, adas);
    assert_true(view.scope.n == b->user && view.template_of.n == template && !view.for_kind);
    assert_true(view.limit == 100 && view.period == METE_DAILY && view.mode == METE_ENFORCE);
    stands(b, adas, 0, 90);
    assert_int_equal(spend(b, b->key, 30), 0);
    assert_false(b->verdict.allowed);
    assert_int_equal(b->refusals[0].budget.n, adas);
    assert_int_equal(spend(b, bob, 101), 0); /* made before the call is weighed, and refused */
    assert_false(b->verdict.allowed);
    assert_int_equal(find(b, "each~5"), b->refusals[0].budget.n);
    assert_int_equal(spend(b, b->dept, 1000), 0); /* no user on the path */
    assert_true(b->verdict.allowed);
    assert_int_equal(ledger_budgets(b->ledger), 3);
}

static void a_check_and_a_record_make_them_too(void **state)
{
    struct bench *b = *state;
    put_template(b, "each", METE_API_KEY, 100);
    const struct mete_demand demand = {.currency = METE_USD, .fixed = 1};
    const struct mete_reserve args = ask(b, &demand);
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_check(b->ledger, now(b), &args, b->refusals, METE_REFUSALS_MAX,
                                         &b->verdict, &decision),
                     LEDGER_STALE);
    assert_true(decision.due.kind == LEDGER_DUE_DEFAULT && decision.due.scope == b->key);
    const struct mete_usage usage = {.currency = METE_USD, .amount = 7};
    const struct mete_record record = {.scope = {b->key}, .usage = &usage, .usage_len = 1};
    assert_int_equal(ledger_decide_record(b->ledger, now(b), &record, &b->receipt, &decision),
                     LEDGER_STALE);
    enter_due(b, &decision.due);
    assert_int_equal(ledger_decide_record(b->ledger, now(b), &record, &b->receipt, &decision), 0);
    apply(b, &decision.entry);
    stands(b, find(b, "each~4"), 7, 0);
}

static void nothing_is_counted_in_the_template(void **state)
{
    struct bench *b = *state;
    uint32_t template = put_template(b, "each", METE_USER, 1);
    assert_int_equal(spend(b, b->dept, 50), 0);
    assert_true(b->verdict.allowed && !b->verdict.has_remaining);
    stands(b, template, 0, 0);
    uint32_t path[8];
    assert_int_equal(ledger_path(b->ledger, b->key, path, 8), 0);
    b->now_us += 3 * DAY_US;
    struct ledger_due due;
    assert_false(ledger_due(b->ledger, template, now(b), &due));
    const struct mete_budget_view view = view_of(b, template);
    assert_true(view.for_kind == METE_USER && view.mode == METE_ENFORCE && view.limit == 1);
    struct mete_change increase = {
        .kind = METE_PUT_INCREASE,
        .increase = {
            .budget = {template}, .amount = 1, .from = {b->now_us}, .until = {b->now_us + DAY_US}}};
    uint32_t number;
    assert_int_equal(put(b, &increase, &number), METE_E_INVALID);
}

static void changes_of_the_template_reach_later_ones_only(void **state)
{
    struct bench *b = *state;
    struct mete_change change = template_change(b, "each", METE_API_KEY, 100);
    change.budget.thresholds_ppm[0] = 500000;
    change.budget.thresholds_len = 1;
    change.budget.matches[0] = (struct mete_match){METE_MATCH_MODEL, text("gpt-*")};
    change.budget.matches_len = 1;
    uint32_t template, handle, other = put_scope(b, METE_API_KEY, "k2", b->user);
    assert_int_equal(put(b, &change, &template), 0);
    assert_int_equal(spend(b, b->key, 150), 0); /* another model */
    assert_true(b->verdict.allowed);
    change.budget.limit = 7;
    change.budget.mode = METE_SHADOW;
    assert_int_equal(put(b, &change, &handle), 0);
    assert_int_equal(view_of(b, template).revision, 2);
    assert_int_equal(put(b, &change, &handle), 0);
    assert_int_equal(view_of(b, template).revision, 2);
    assert_int_equal(spend(b, other, 150), 0);
    const struct mete_budget_view first = view_of(b, find(b, "each~4"));
    const struct mete_budget_view second = view_of(b, find(b, "each~5"));
    assert_true(first.limit == 100 && first.mode == METE_ENFORCE && first.thresholds_len == 1);
    assert_true(second.limit == 7 && second.mode == METE_SHADOW);
    assert_true(second.matches_len == 1 && first.matches_len == 1);
    assert_memory_equal(second.matches[0].pattern.data, "gpt-*", 5);
    stands(b, first.budget.n, 0, 0);
    const struct mete_demand demand = {.currency = METE_USD, .fixed = 150};
    struct mete_reserve args = ask(b, &demand);
    args.model = text("gpt-4o");
    assert_int_equal(reserve(b, &args), 0);
    assert_false(b->verdict.allowed);
}

static void it_is_made_once(void **state)
{
    struct bench *b = *state;
    uint32_t template = put_template(b, "each", METE_USER, 100);
    assert_int_equal(spend(b, b->key, 1), 0);
    uint64_t id = b->verdict.reservation.n;
    assert_int_equal(end_budget(b, find(b, "each~3")), 0); /* a tombstone, then gone */
    assert_int_equal(spend(b, b->key, 1000), 0);
    assert_true(b->verdict.allowed);
    assert_int_equal(release(b, id), 0);
    assert_int_equal(find(b, "each~3"), 0);
    assert_int_equal(spend(b, b->key, 1000), 0);
    assert_true(b->verdict.allowed);
    assert_int_equal(ledger_budgets(b->ledger), 2);
    (void)template;
}

static void an_ended_template_leaves_what_it_made_and_makes_no_more(void **state)
{
    struct bench *b = *state;
    uint32_t template = put_template(b, "each", METE_USER, 100);
    uint32_t bob = put_scope(b, METE_USER, "bob", b->dept);
    assert_int_equal(spend(b, b->key, 1), 0);
    assert_int_equal(end_budget(b, template), 0);
    assert_int_equal(spend(b, bob, 1000), 0);
    assert_true(b->verdict.allowed);
    assert_int_equal(spend(b, b->key, 100), 0);
    assert_false(b->verdict.allowed);
    /* A new one of the same id is another template: its own is lacking, but the id is taken. */
    uint32_t again = put_template(b, "each", METE_USER, 5);
    assert_true(again != template);
    assert_int_equal(spend(b, b->key, 50), 0);
    assert_true(b->verdict.allowed);
    assert_int_equal(spend(b, bob, 50), 0);
    assert_false(b->verdict.allowed);
    assert_int_equal(end_budget(b, find(b, "each~3")), 0);
}

static void a_template_that_is_off_makes_none(void **state)
{
    struct bench *b = *state;
    struct mete_change change = template_change(b, "each", METE_USER, 100);
    uint32_t handle;
    change.budget.mode = METE_OFF;
    assert_int_equal(put(b, &change, &handle), 0);
    assert_int_equal(spend(b, b->key, 500), 0);
    assert_int_equal(ledger_budgets(b->ledger), 1);
    change.budget.mode = METE_ENFORCE;
    assert_int_equal(put(b, &change, &handle), 0);
    assert_int_equal(spend(b, b->key, 500), 0);
    assert_false(b->verdict.allowed);
}

static void several_templates_make_theirs_for_one_call(void **state)
{
    struct bench *b = *state;
    put_template(b, "u", METE_USER, 100);
    put_template(b, "k", METE_API_KEY, 100);
    put_template(b, "d", METE_DEPARTMENT, 100);
    put_template(b, "k-too", METE_API_KEY, 50);
    put_template(b, "c", METE_CAMPAIGN, 50);
    assert_int_equal(spend(b, b->key, 10), 0);
    assert_true(b->verdict.allowed && b->verdict.remaining == 40);
    static const char *const ids[] = {"u~3", "k~4", "d~2", "k-too~4"};
    for (size_t i = 0; i < 4; i++)
        stands(b, find(b, ids[i]), 0, 10);
    assert_int_equal(ledger_budgets(b->ledger), 9);
}

static void where_there_is_no_room_a_call_is_refused_and_a_record_is_not(void **state)
{
    struct bench *b = *state;
    char id[8];
    for (int i = 0; i < LIMIT_SCOPE_BUDGETS; i++) {
        snprintf(id, sizeof id, "b%d", i);
        put_budget(b, b->key, id, 1000, METE_DAILY);
    }
    put_template(b, "each", METE_API_KEY, 100);
    assert_int_equal(spend(b, b->key, 1), METE_E_FULL);
    const struct mete_usage usage = {.currency = METE_USD, .amount = 7};
    const struct mete_record record = {.scope = {b->key}, .usage = &usage, .usage_len = 1};
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_record(b->ledger, now(b), &record, &b->receipt, &decision), 0);
    apply(b, &decision.entry);
    assert_int_equal(end_budget(b, find(b, "b0")), 0);
    assert_int_equal(spend(b, b->key, 1), 0);
    assert_true(find(b, "each~4"));
}

static void what_a_template_may_be(void **state)
{
    struct bench *b = *state;
    uint32_t handle;
    struct mete_change change = template_change(b, "each", METE_ORGANIZATION, 100);
    assert_int_equal(put(b, &change, &handle), METE_E_INVALID);
    change = template_change(b, "each", METE_KINDS, 100);
    assert_int_equal(put(b, &change, &handle), METE_E_INVALID);
    change = template_change(b, "each", METE_USER, 100);
    change.budget.scope.n = b->dept;
    assert_int_equal(put(b, &change, &handle), METE_E_INVALID);
    char id[LIMIT_ID + 1];
    memset(id, 'x', LIMIT_ID);
    id[118] = 0;
    change = template_change(b, id, METE_USER, 100);
    assert_int_equal(put(b, &change, &handle), METE_E_TOO_LARGE);
    id[117] = 0;
    change = template_change(b, id, METE_USER, 100);
    assert_int_equal(put(b, &change, &handle), 0);
    change.budget.for_kind = METE_API_KEY;
    assert_int_equal(put(b, &change, &handle), METE_E_INVALID);
    change.budget.for_kind = METE_KIND_NONE;
    assert_int_equal(put(b, &change, &handle), METE_E_INVALID);
    put_budget(b, b->org, "plain", 100, METE_DAILY);
    change = template_change(b, "plain", METE_USER, 100);
    assert_int_equal(put(b, &change, &handle), METE_E_INVALID);
}

static void an_entry_that_does_not_fit_is_corrupt(void **state)
{
    struct bench *b = *state;
    uint32_t template = put_template(b, "each", METE_USER, 100);
    const struct entry good = {.kind = ENTRY_DEFAULT,
                               .seq = ledger_last_seq(b->ledger) + 1,
                               .at_us = b->now_us,
                               .u.by_default = {2, template, b->user, T0 - 1, T0 + DAY_US}};
    struct entry bad = good;
    bad.u.by_default.handle = 3;
    assert_int_equal(ledger_apply(b->ledger, &bad, NULL), METE_E_CORRUPT);
    bad = good;
    bad.u.by_default.made_from = 9;
    assert_int_equal(ledger_apply(b->ledger, &bad, NULL), METE_E_CORRUPT);
    bad = good;
    bad.u.by_default.scope = b->dept; /* another kind */
    assert_int_equal(ledger_apply(b->ledger, &bad, NULL), METE_E_CORRUPT);
    bad = good;
    bad.u.by_default.window_start_us = T0 + 1;
    assert_int_equal(ledger_apply(b->ledger, &bad, NULL), METE_E_CORRUPT);
    assert_int_equal(ledger_apply(b->ledger, &good, NULL), 0);
    bad = good;
    bad.seq++;
    bad.u.by_default.handle++;
    assert_int_equal(ledger_apply(b->ledger, &bad, NULL), METE_E_CORRUPT); /* once */
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_scope_of_the_kind_gets_one_when_its_first_call_comes),
        CASE(a_check_and_a_record_make_them_too),
        CASE(nothing_is_counted_in_the_template),
        CASE(changes_of_the_template_reach_later_ones_only),
        CASE(it_is_made_once),
        CASE(an_ended_template_leaves_what_it_made_and_makes_no_more),
        CASE(a_template_that_is_off_makes_none),
        CASE(several_templates_make_theirs_for_one_call),
        CASE(where_there_is_no_room_a_call_is_refused_and_a_record_is_not),
        CASE(what_a_template_may_be),
        CASE(an_entry_that_does_not_fit_is_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
