/* SPDX-License-Identifier: Apache-2.0
 * Proves what administration may and may not do: the tree of scopes, the terms of a budget, its end
 * while reservations hold it, batches that rest on themselves, and that everything the header
 * promises for later says so. */
#include "unit/ledger_help.h"

static int try_put(struct bench *b, const struct mete_change *change)
{
    uint32_t handle;
    return put(b, change, &handle);
}

static struct mete_change scope_change(enum mete_kind kind, const char *id, uint32_t organization,
                                       uint32_t parent)
{
    return (struct mete_change){
        .kind = METE_PUT_SCOPE,
        .scope = {
            .kind = kind, .id = text(id), .organization = {organization}, .parent = {parent}}};
}

static void a_scope_stands_where_its_kind_may(void **state)
{
    struct bench *b = *state;
    struct mete_change change = scope_change(METE_DEPARTMENT, "d2", b->org, b->user);
    assert_int_equal(try_put(b, &change), METE_E_INVALID); /* under a user */
    change = scope_change(METE_CAMPAIGN, "c1", b->org, b->dept);
    assert_int_equal(try_put(b, &change), METE_E_INVALID);
    change = scope_change(METE_USER, "u2", b->org, 0);
    assert_int_equal(try_put(b, &change), METE_E_INVALID);
    change = scope_change(METE_USER, "u2", 99, b->org);
    assert_int_equal(try_put(b, &change), METE_E_NOT_FOUND);
    change = scope_change(METE_ORGANIZATION, "o2", 0, b->org);
    assert_int_equal(try_put(b, &change), METE_E_INVALID);
    change = scope_change(METE_API_KEY, "k2", b->org, b->org); /* levels are optional */
    assert_int_equal(try_put(b, &change), 0);
    uint32_t other = put_scope(b, METE_ORGANIZATION, "o2", 0);
    change = scope_change(METE_USER, "ada", other, b->org); /* parent of another organization */
    assert_int_equal(try_put(b, &change), METE_E_INVALID);
    change = scope_change(METE_USER, "ada", other, other); /* ids are the organization's own */
    assert_int_equal(try_put(b, &change), 0);
}

static void flags_say_whether_it_must_be_there(void **state)
{
    struct bench *b = *state;
    struct mete_change change = scope_change(METE_USER, "ada", b->org, b->dept);
    change.flags = METE_CHANGE_CREATE;
    assert_int_equal(try_put(b, &change), METE_E_EXISTS);
    change.flags = METE_CHANGE_UPDATE;
    assert_int_equal(try_put(b, &change), 0);
    change.scope.id = text("eve");
    assert_int_equal(try_put(b, &change), METE_E_NOT_FOUND);
    change.flags = METE_CHANGE_CREATE | METE_CHANGE_UPDATE;
    assert_int_equal(try_put(b, &change), METE_E_INVALID);
    change = budget_change(b->org, "top", 5, METE_DAILY);
    change.flags = METE_CHANGE_UPDATE;
    assert_int_equal(try_put(b, &change), METE_E_NOT_FOUND);
    change.flags = METE_CHANGE_CREATE;
    assert_int_equal(try_put(b, &change), 0);
    assert_int_equal(try_put(b, &change), METE_E_EXISTS);
}

static void what_a_budget_limits_cannot_change(void **state)
{
    struct bench *b = *state;
    put_budget(b, b->org, "top", 5, METE_DAILY);
    struct mete_change change = budget_change(b->org, "top", 5, METE_HOURLY);
    assert_int_equal(try_put(b, &change), METE_E_INVALID);
    change = budget_change(b->dept, "top", 5, METE_DAILY);
    assert_int_equal(try_put(b, &change), METE_E_INVALID);
    change = budget_change(b->org, "top", 5, METE_DAILY);
    change.budget.currency = METE_CURRENCY('E', 'U', 'R');
    assert_int_equal(try_put(b, &change), METE_E_INVALID);
    change = budget_change(b->org, "top", -1, METE_DAILY);
    assert_int_equal(try_put(b, &change), METE_E_INVALID);
    change = budget_change(b->org, "top", 7, METE_DAILY);
    change.budget.thresholds_len = 2;
    change.budget.thresholds_ppm[0] = 900000;
    change.budget.thresholds_ppm[1] = 900000;
    assert_int_equal(try_put(b, &change), METE_E_INVALID);
    change.budget.thresholds_ppm[1] = 1000001;
    assert_int_equal(try_put(b, &change), METE_E_INVALID);
}

static void a_scope_has_so_many_budgets_and_no_more(void **state)
{
    struct bench *b = *state;
    const char *const ids[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9"};
    uint32_t first = put_budget(b, b->org, ids[0], 5, METE_DAILY);
    for (int i = 1; i < 8; i++)
        put_budget(b, b->org, ids[i], 5, METE_DAILY);
    struct mete_change change = budget_change(b->org, ids[8], 5, METE_DAILY);
    assert_int_equal(try_put(b, &change), METE_E_FULL);
    const struct mete_change end = {.kind = METE_END_BUDGET, .end = {first}};
    assert_int_equal(try_put(b, &end), 0);
    assert_int_equal(try_put(b, &change), 0);
}

static void an_ended_budget_is_a_tombstone_while_it_is_held(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_budget(b, b->org, "top", 5000000000, METE_DAILY);
    struct mete_reserve args = ask(b, &one_dollar);
    assert_int_equal(reserve(b, &args), 0);
    uint64_t id = b->verdict.reservation.n;
    const struct mete_change end = {.kind = METE_END_BUDGET, .end = {budget}};
    assert_int_equal(try_put(b, &end), 0);
    assert_int_equal(try_put(b, &end), METE_E_NOT_FOUND);
    struct mete_change again = budget_change(b->org, "top", 5, METE_DAILY);
    assert_int_equal(try_put(b, &again), METE_E_EXISTS);
    again.flags = METE_CHANGE_UPDATE;
    assert_int_equal(try_put(b, &again), METE_E_NOT_FOUND);
    again.flags = 0;
    assert_int_equal(ledger_find_budget(b->ledger, b->org, SLICE_LITERAL("top")), budget);
    assert_int_equal(ledger_path(b->ledger, b->key, NULL, 0), 0);
    assert_int_equal(reserve(b, &args), 0); /* nobody limits it any longer */
    assert_int_equal(release(b, b->verdict.reservation.n), 0);
    assert_int_equal(commit(b, id, 3), 0); /* counts where it was reserved */
    stands(b, budget, 3, 0);
    assert_int_equal(ledger_find_budget(b->ledger, b->org, SLICE_LITERAL("top")), 0);
    uint32_t handle;
    assert_int_equal(put(b, &again, &handle), 0);
    assert_int_not_equal(handle, budget);
}

static void a_batch_may_rest_on_itself(void **state)
{
    struct bench *b = *state;
    struct mete_change changes[6];
    changes[0] = scope_change(METE_ORGANIZATION, "new", 0, 0);
    changes[1] = scope_change(METE_USER, "bob", METE_FROM_CHANGE(0), METE_FROM_CHANGE(0));
    changes[2] = budget_change(METE_FROM_CHANGE(1), "b", 5, METE_DAILY);
    changes[3] = budget_change(METE_FROM_CHANGE(0), "c", 5, METE_DAILY);
    changes[4] = (struct mete_change){.kind = METE_END_BUDGET, .end = {METE_FROM_CHANGE(2)}};
    changes[5] = budget_change(METE_FROM_CHANGE(0), "b", 9, METE_DAILY); /* its id is free again */
    const struct mete_apply args = {changes, 6, {0}};
    uint32_t handles[6];
    struct ledger_batch batch;
    assert_int_equal(ledger_check_changes(b->ledger, now(b), &args, handles, &batch), 0);
    for (size_t i = 0; i < 6; i++) {
        struct mete_change change = changes[i];
        uint32_t *refers[] = {&change.scope.organization.n, &change.scope.parent.n,
                              &change.budget.scope.n, &change.end.n};
        for (size_t r = 0; r < 4; r++)
            if (*refers[r] >= METE_FROM_CHANGE(0))
                *refers[r] = handles[*refers[r] - METE_FROM_CHANGE(0)];
        uint32_t handle;
        assert_int_equal(put(b, &change, &handle), 0);
        assert_int_equal(handle, handles[i]);
    }
}

static void a_batch_with_a_fault_names_it_and_changes_nothing(void **state)
{
    struct bench *b = *state;
    uint8_t before[32], after[32];
    ledger_hash(b->ledger, before);
    struct mete_change changes[4];
    changes[0] = scope_change(METE_USER, "bob", b->org, b->org);
    changes[1] = scope_change(METE_USER, "bob", b->org, b->org);
    changes[1].flags = METE_CHANGE_CREATE; /* the batch has made it already */
    const struct mete_apply args = {changes, 2, {0}};
    uint32_t handles[4];
    struct ledger_batch batch;
    assert_int_equal(ledger_check_changes(b->ledger, now(b), &args, handles, &batch),
                     METE_E_EXISTS);
    assert_int_equal(batch.failed, 1);
    changes[1] = budget_change(METE_FROM_CHANGE(1), "x", 5, METE_DAILY); /* itself */
    assert_int_equal(ledger_check_changes(b->ledger, now(b), &args, handles, &batch),
                     METE_E_NOT_FOUND);
    assert_int_equal(batch.failed, 1);
    const struct mete_apply none = {changes, 0, {0}};
    assert_int_equal(ledger_check_changes(b->ledger, now(b), &none, handles, &batch),
                     METE_E_INVALID);
    ledger_hash(b->ledger, after);
    assert_memory_equal(before, after, 32);
}

static void a_batch_counts_the_budgets_it_makes_and_ends(void **state)
{
    struct bench *b = *state;
    struct mete_change changes[10];
    static const char *const ids[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8"};
    for (size_t i = 0; i < 9; i++)
        changes[i] = budget_change(b->key, ids[i], 5, METE_DAILY);
    struct mete_apply args = {changes, 9, {0}};
    uint32_t handles[10];
    struct ledger_batch batch;
    assert_int_equal(ledger_check_changes(b->ledger, now(b), &args, handles, &batch), METE_E_FULL);
    assert_int_equal(batch.failed, 8);
    changes[9] = changes[8];
    changes[8] = (struct mete_change){.kind = METE_END_BUDGET, .end = {METE_FROM_CHANGE(3)}};
    args.len = 10;
    assert_int_equal(ledger_check_changes(b->ledger, now(b), &args, handles, &batch), 0);
}

static void what_places_a_budgets_windows_cannot_change(void **state)
{
    struct bench *b = *state;
    struct mete_change plain = budget_change(b->org, "top", 5, METE_WEEKLY);
    plain.budget.time_zone = text("Europe/Berlin");
    plain.budget.anchor = 7;
    assert_int_equal(try_put(b, &plain), 0);
    struct mete_change again = plain;
    again.budget.limit = 6;
    assert_int_equal(try_put(b, &again), 0);
    again.budget.anchor = 1;
    assert_int_equal(try_put(b, &again), METE_E_INVALID);
    again = plain;
    again.budget.time_zone = text("UTC");
    assert_int_equal(try_put(b, &again), METE_E_INVALID);
    struct mete_change utc = budget_change(b->org, "utc", 5, METE_DAILY);
    assert_int_equal(try_put(b, &utc), 0);
    utc.budget.time_zone = text("UTC"); /* its other name */
    assert_int_equal(try_put(b, &utc), 0);
    utc.budget.time_zone = text("Europe/Berlin");
    assert_int_equal(try_put(b, &utc), METE_E_INVALID);
    ledger_check(b->ledger);
}

static void a_batch_may_not_contradict_itself(void **state)
{
    struct bench *b = *state;
    struct mete_change changes[2];
    changes[0] = budget_change(b->org, "two", 5, METE_WEEKLY);
    changes[1] = changes[0];
    changes[1].budget.anchor = 3;
    const struct mete_apply args = {changes, 2, text("")};
    struct ledger_batch batch;
    uint32_t handles[2];
    assert_int_equal(ledger_check_changes(b->ledger, now(b), &args, handles, &batch),
                     METE_E_INVALID);
    assert_int_equal(batch.failed, 1);
}

static void meters_of_ones_own_are_numbered_in_order(void **state)
{
    struct bench *b = *state;
    const struct mete_change gpu = {.kind = METE_PUT_METER, .meter = text("gpu-seconds")};
    const struct mete_change maps = {.kind = METE_PUT_METER, .meter = text("map-tiles")};
    const struct mete_change none = {.kind = METE_PUT_METER};
    uint32_t number;
    assert_int_equal(put(b, &gpu, &number), 0);
    assert_int_equal(number, METE_METER_CUSTOM);
    assert_int_equal(put(b, &maps, &number), 0);
    assert_int_equal(number, METE_METER_CUSTOM + 1);
    assert_int_equal(try_put(b, &gpu), METE_E_EXISTS);
    assert_int_equal(try_put(b, &none), METE_E_INVALID);
    assert_int_equal(ledger_find_meter(b->ledger, slice_of("map-tiles")), METE_METER_CUSTOM + 1);
    assert_int_equal(ledger_find_meter(b->ledger, slice_of("tiles")), 0);
    struct slice name;
    assert_int_equal(ledger_meter(b->ledger, METE_METER_CUSTOM, &name), 0);
    assert_true(slice_equal(name, slice_of("gpu-seconds")));
    assert_int_equal(ledger_meter(b->ledger, METE_METER_CUSTOM + 2, &name), METE_E_NOT_FOUND);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_scope_stands_where_its_kind_may),
        TEST(flags_say_whether_it_must_be_there),
        TEST(what_a_budget_limits_cannot_change),
        TEST(a_scope_has_so_many_budgets_and_no_more),
        TEST(an_ended_budget_is_a_tombstone_while_it_is_held),
        TEST(a_batch_may_rest_on_itself),
        TEST(a_batch_with_a_fault_names_it_and_changes_nothing),
        TEST(a_batch_counts_the_budgets_it_makes_and_ends),
        TEST(what_places_a_budgets_windows_cannot_change),
        TEST(a_batch_may_not_contradict_itself),
        TEST(meters_of_ones_own_are_numbered_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
