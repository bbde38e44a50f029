/* SPDX-License-Identifier: Apache-2.0
 * Proves mete_explain: the steps of a budget are exactly the entries that changed its figures, each
 * follows from the one before it by what its call asked or used, and the last one is what the
 * engine says; from a snapshot, after a cut, and for calls that end in a window that is over. */
#include "unit/engine_help.h"
#include "unit/temp.h"

#include <stdbool.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { STEPS_MAX = 4000, BUDGET = 1 };

static char directory[64];
static struct mete *mete;
static struct mete_port *port;
static _Atomic int64_t clock_us; /* the owner reads it */
static struct mete_step steps[STEPS_MAX];
static size_t steps_len;

static int64_t now_us(void *user)
{
    (void)user;
    return clock_us;
}

static void open_it(void)
{
    const struct mete_options options = {.directory = directory,
                                         .clock = {now_us, NULL},
                                         .scopes_max = 1000,
                                         .budgets_max = 1000,
                                         .reservations_max = 1000,
                                         .outcomes_max = 1000,
                                         .no_audit = 1};
    assert_int_equal(mete_open(&options, &mete), 0);
    assert_int_equal(mete_port_open(mete, &port), 0);
}

static int set_up(void **state)
{
    (void)state;
    clock_us = INT64_C(1795251600000000); /* 2026-11-21T09:00:00Z */
    if (temp_make(directory, sizeof directory))
        return -1;
    open_it();
    return help_tree(port, INT64_C(1000000000000));
}

static int tear_down(void **state)
{
    (void)state;
    mete_port_close(port);
    mete_close(mete);
    return temp_remove(directory);
}

static int keep(void *user, const struct mete_step *step)
{
    (void)user;
    assert_true(steps_len < STEPS_MAX);
    steps[steps_len++] = *step;
    return 0;
}

static void explain(int64_t since_us)
{
    steps_len = 0;
    assert_int_equal(mete_explain(mete, (struct mete_budget_id){BUDGET},
                                  (struct mete_instant){since_us}, keep, NULL),
                     0);
}

static struct mete_budget_view view(void)
{
    struct mete_answer answer;
    struct mete_query query = {.kind = METE_QUERY_BUDGET, .budget = {BUDGET}};
    assert_int_equal(mete_query(port, &query, &answer), 0);
    return answer.budget;
}

static void must_end_at_the_view(void)
{
    struct mete_budget_view now = view();
    const struct mete_step *last = &steps[steps_len - 1];
    assert_int_equal(last->limit, now.limit);
    assert_int_equal(last->committed, now.committed);
    assert_int_equal(last->held, now.held);
    assert_int_equal(last->window_start.us, now.window_start.us);
}

static struct mete_reservation_id reserve(int64_t amount)
{
    struct mete_verdict verdict;
    assert_int_equal(help_reserve(port, "", amount, 0, &verdict), 0);
    return verdict.reservation;
}

/* The last step of the present window is what the engine says. */
static void must_end_with_present(void)
{
    int64_t present_us = view().window_start.us;
    size_t len = steps_len;
    while (len && steps[len - 1].window_start.us != present_us)
        len--;
    assert_true(len > 0);
    steps_len = len;
    must_end_at_the_view();
    explain(0);
}

static void commit(struct mete_reservation_id id, int64_t amount)
{
    struct mete_receipt receipt;
    assert_int_equal(help_commit(port, id, amount, &receipt), 0);
}

static void release(struct mete_reservation_id id)
{
    struct mete_receipt receipt;
    assert_int_equal(mete_release(port, id, &receipt), 0);
}

static void must_be(size_t i, const char *what, int64_t committed, int64_t held)
{
    assert_true(i < steps_len);
    if (strcmp(steps[i].what, what) != 0 || steps[i].committed != committed ||
        steps[i].held != held)
        fail_msg("step %zu is %s %lld %lld, not %s %lld %lld", i, steps[i].what,
                 (long long)steps[i].committed, (long long)steps[i].held, what,
                 (long long)committed, (long long)held);
}

static void each_step_is_an_entry_that_changed_the_figures(void **state)
{
    (void)state;
    struct mete_reservation_id first = reserve(100), second = reserve(50);
    commit(first, 70);
    release(second);
    struct mete_usage usage = {METE_COST, METE_USD, 7};
    struct mete_record record = {.scope = {HELP_KEY}, .usage = &usage, .usage_len = 1};
    struct mete_receipt receipt;
    assert_int_equal(mete_record(port, &record, &receipt), 0);
    explain(0);
    assert_int_equal(steps_len, 6);
    must_be(0, "budget", 0, 0);
    must_be(1, "reserve", 0, 100);
    must_be(2, "reserve", 0, 150);
    must_be(3, "commit", 70, 50);
    must_be(4, "release", 70, 0);
    must_be(5, "record", 77, 0);
    assert_int_equal(steps[3].reservation.n, first.n);
    assert_int_equal(steps[3].scope.n, HELP_KEY);
    assert_int_equal(steps[5].scope.n, HELP_KEY);
    assert_int_equal(steps[0].scope.n, 0);
    must_end_at_the_view();
}

static void many(int calls)
{
    struct mete_reservation_id open[8] = {{0}};
    for (int i = 0; i < calls; i++) {
        int at = rand() % 8;
        clock_us += 1000;
        if (!open[at].n) {
            open[at] = reserve(1 + rand() % 1000);
            continue;
        }
        if (rand() % 4)
            commit(open[at], rand() % 900);
        else
            release(open[at]);
        open[at].n = 0;
    }
}

static void from_a_snapshot_and_after_a_cut_the_steps_are_the_same(void **state)
{
    (void)state;
    static struct mete_step all[STEPS_MAX];
    uint64_t seq;
    many(200);
    int64_t since_us = clock_us + 1;
    many(300);
    explain(since_us);
    must_end_at_the_view();
    assert_string_equal(steps[0].what, "before");
    assert_true(steps_len > 100);
    memcpy(all, steps, sizeof all);
    size_t len = steps_len;
    explain(0);
    assert_true(steps_len > len);
    for (size_t i = 1; i < len; i++) /* the tail of the whole */
        assert_int_equal(all[i].seq, steps[steps_len - len + i].seq);
    assert_int_equal(all[0].committed, steps[steps_len - len].committed);
    assert_int_equal(all[0].held, steps[steps_len - len].held);
    must_end_at_the_view();
    assert_int_equal(mete_snapshot(mete, &seq), 0);
    many(100);
    since_us = clock_us + 1;
    many(100);
    explain(since_us); /* from the snapshot */
    must_end_at_the_view();
    memcpy(all, steps, sizeof all);
    len = steps_len;
    explain(0);
    assert_memory_equal(&all[len - 1], &steps[steps_len - 1], sizeof all[0]);
    assert_int_equal(mete_cut(mete, &seq), 0);
    many(50);
    explain(0); /* nothing of before the base */
    must_end_at_the_view();
    assert_string_equal(steps[0].what, "before");
    assert_int_equal(steps[0].seq, seq);
    assert_true(steps_len < 60);
}

static struct mete_reservation_id call(int64_t amount)
{
    struct mete_verdict verdict;
    assert_int_equal(help_reserve(port, "", amount, METE_RESERVE_CALL, &verdict), 0);
    return verdict.reservation;
}

static void a_call_that_ends_in_a_window_that_is_over_is_a_step_of_that_window(void **state)
{
    (void)state;
    struct mete_reservation_id early[3] = {call(100), call(10), call(1)};
    int64_t november_us = view().window_start.us;
    clock_us += INT64_C(20) * 86400 * 1000000;
    struct mete_reservation_id late = call(1000); /* december's */
    assert_true(view().window_start.us > november_us);
    commit(early[0], 70);
    release(early[1]);
    commit(late, 900);
    commit(early[2], 2); /* the last that knows of november */
    explain(0);
    assert_int_equal(steps_len, 10);
    must_be(3, "reserve", 0, 111);
    must_be(4, "window", 0, 0);
    must_be(5, "reserve", 0, 1000);
    must_be(6, "commit", 70, 11);
    must_be(7, "release", 70, 1);
    must_be(8, "commit", 900, 0);
    must_be(9, "commit", 72, 0);
    for (size_t i = 0; i < steps_len; i++)
        assert_int_equal(steps[i].window_start.us == november_us,
                         i < 4 || i == 6 || i == 7 || i == 9);
    steps_len = 9;
    must_end_at_the_view();
}

static struct mete_reservation_id reserve_until(int64_t amount, int64_t ttl_ms,
                                                enum mete_expiry on_expiry)
{
    const struct mete_demand demand = {METE_COST, METE_USD, amount, 0};
    const struct mete_reserve args = {.scope = {HELP_KEY},
                                      .demands = &demand,
                                      .demands_len = 1,
                                      .ttl_ms = ttl_ms,
                                      .on_expiry = on_expiry};
    struct mete_verdict verdict;
    assert_int_equal(mete_reserve(port, &args, NULL, 0, &verdict), 0);
    return verdict.reservation;
}

static void extend(struct mete_reservation_id id, int64_t amount)
{
    const struct mete_demand demand = {METE_COST, METE_USD, amount, 0};
    const struct mete_extend args = {
        .reservation = id, .demands = &demand, .demands_len = 1, .ttl_ms = 3600000};
    struct mete_verdict verdict;
    assert_int_equal(mete_extend(port, &args, NULL, 0, &verdict), 0);
    assert_true(verdict.allowed);
}

static void record(int64_t amount)
{
    const struct mete_usage usage = {METE_COST, METE_USD, amount};
    const struct mete_record args = {.scope = {HELP_KEY}, .usage = &usage, .usage_len = 1};
    struct mete_receipt receipt;
    assert_int_equal(mete_record(port, &args, &receipt), 0);
}

/* What the steps of a window come to, and how many are of a kind. */
static size_t steps_of(const char *what, int64_t window_start_us, int64_t *ret_committed)
{
    size_t len = 0;
    for (size_t i = 0; i < steps_len; i++) {
        if (steps[i].window_start.us != window_start_us)
            continue;
        *ret_committed = steps[i].committed;
        len += strcmp(steps[i].what, what) == 0;
    }
    return len;
}

/* Half an hour before the month is over, and after it: extended, expired, corrected, recorded; of
 * the last three each is once the last that its window knows of. */
static void every_kind_of_entry_is_a_step_of_its_window(void **state)
{
    (void)state;
    const int64_t minute_us = 60000000, month_ends[] = {0, 62, 121, 182}; /* in days */
    static const struct {
        const char *last;
        int64_t committed;
    } rounds[] = {{"commit", 35}, {"correct", 12}, {"release", 5}, {"expire", 45}};
    for (int round = 0; round < 4; round++) {
        clock_us = INT64_C(1796081400000000) + month_ends[round] * 86400 * 1000000;
        int64_t window_us = view().window_start.us, committed = 0;
        struct mete_reservation_id call_of = reserve_until(20, 3600000, METE_EXPIRY_RELEASE);
        record(5);
        extend(call_of, 20);
        if (round == 1)
            release(call_of);
        struct mete_reservation_id provisional = {0};
        if (round == 1)
            provisional = reserve_until(9, 1000, METE_EXPIRY_CHARGE);
        clock_us += 45 * minute_us; /* another month */
        (void)view();
        if (round == 0)
            commit(call_of, 30);
        else if (round == 1)
            commit(provisional, 7);
        else if (round == 2)
            release(call_of);
        else
            commit(reserve_until(1, 1000, METE_EXPIRY_RELEASE), 1);
        if (round == 3) { /* nobody ends it: 40 are charged provisionally, or nothing */
            clock_us += 120 * minute_us;
            (void)view();
        }
        explain(0);
        must_end_with_present();
        size_t found = steps_of(rounds[round].last, window_us, &committed);
        if (found < 1 || (round < 3 && committed != rounds[round].committed))
            fail_msg("round %d: %zu of %s, %lld", round, found, rounds[round].last,
                     (long long)committed);
        if (round != 1)
            assert_true(steps_of("extend", window_us, &committed) == 1);
    }
}

static void what_is_not_there_is_not_found(void **state)
{
    (void)state;
    const struct mete_instant since = {0};
    assert_int_equal(mete_explain(mete, (struct mete_budget_id){99}, since, keep, NULL),
                     METE_E_NOT_FOUND);
    const struct mete_options options = {.scopes_max = 10};
    struct mete *memory;
    assert_int_equal(mete_open(&options, &memory), 0);
    assert_int_equal(mete_explain(memory, (struct mete_budget_id){1}, since, keep, NULL),
                     METE_E_INVALID);
    mete_close(memory);
}

/* ---- Quotas ---- */

static struct mete_quota_step drawn[STEPS_MAX];
static size_t drawn_len;

static int keep_quota(void *user, const struct mete_quota_step *step)
{
    (void)user;
    assert_true(drawn_len < STEPS_MAX);
    drawn[drawn_len++] = *step;
    return 0;
}

static int explain_quota(uint32_t scope, int64_t since_us)
{
    const struct mete_quota_question question = {
        .scope = {scope}, .meter = METE_COST, .currency = METE_USD, .since = {since_us}};
    drawn_len = 0;
    return mete_explain_quota(mete, &question, keep_quota, NULL);
}

static void apply_one(const struct mete_change *change)
{
    uint32_t made;
    struct mete_applied applied;
    const struct mete_apply args = {.changes = change, .len = 1};
    assert_int_equal(mete_apply(port, &args, &made, &applied), 0);
}

static void grant(const char *id, int64_t amount, int64_t expires_at_us)
{
    const struct mete_change change = {.kind = METE_PUT_GRANT,
                                       .grant = {.id = {id, strlen(id)},
                                                 .scope = {HELP_KEY},
                                                 .currency = METE_USD,
                                                 .amount = amount,
                                                 .expires_at = {expires_at_us}}};
    apply_one(&change);
}

static void must_stand(size_t i, const char *what, const char *id, int64_t granted, int64_t used,
                       int64_t held)
{
    assert_true(i < drawn_len);
    const struct mete_quota_step *step = &drawn[i];
    if (strcmp(step->what, what) != 0 || strcmp(step->grant, id) != 0 || step->granted != granted ||
        step->drawn != used || step->held != held)
        fail_msg("step %zu is %s %s %lld %lld %lld", i, step->what, step->grant,
                 (long long)step->granted, (long long)step->drawn, (long long)step->held);
}

static void a_quota_is_told_grant_by_grant_and_call_by_call(void **state)
{
    (void)state;
    commit(reserve(9), 9); /* no quota yet: nothing of it is told */
    grant("first", 1000, clock_us + 60000000);
    grant("second", 500, 0);
    struct mete_reservation_id id = reserve(100);
    commit(id, 70);
    release(reserve(30));
    const struct mete_change refund = {.kind = METE_REFUND, .refund = {1}, .amount = 20};
    apply_one(&refund);
    clock_us += 3600000000; /* the first is over */
    int64_t later_us = clock_us;
    commit(reserve(40), 40);
    assert_int_equal(explain_quota(HELP_KEY, 0), 0);
    must_stand(0, "before", "", 0, 0, 0);
    must_stand(1, "grant", "first", 1000, 0, 0);
    must_stand(2, "grant", "second", 1500, 0, 0);
    must_stand(3, "reserve", "", 1500, 0, 100);
    assert_true(drawn[3].scope.n == HELP_KEY && drawn[3].reservation.n == id.n);
    must_stand(4, "commit", "", 1500, 70, 0);
    assert_true(drawn[4].scope.n == HELP_KEY && drawn[4].reservation.n == id.n);
    must_stand(5, "reserve", "", 1500, 70, 30);
    must_stand(6, "release", "", 1500, 70, 0);
    must_stand(7, "refund", "first", 1500, 50, 0);
    must_stand(8, "grant_expired", "", 500, 0, 0);
    must_stand(9, "reserve", "", 500, 0, 40);
    must_stand(10, "commit", "", 500, 40, 0);
    assert_int_equal(drawn_len, 11);
    assert_int_equal(explain_quota(HELP_KEY, later_us), 0);
    must_stand(0, "before", "", 1500, 50, 0);
    assert_int_equal(drawn_len, 4);
    const struct mete_change end = {
        .kind = METE_END_QUOTA, .at = {HELP_KEY}, .grant = {.currency = METE_USD}};
    apply_one(&end);
    uint64_t seq;
    assert_int_equal(explain_quota(HELP_KEY, 0), 0);
    must_stand(11, "quota_end", "", 0, 0, 0);
    assert_int_equal(mete_cut(mete, &seq), 0);
    assert_int_equal(explain_quota(HELP_KEY, 0), 0); /* nothing of before the base */
    assert_true(drawn_len <= 1);
    assert_int_equal(explain_quota(99, 0), METE_E_NOT_FOUND);
}

static struct mete_change put_budget(const char *id, uint32_t scope)
{
    return help_budget(id, scope, METE_MONTHLY, INT64_C(1000000000000));
}

/* Calls of before the month's end, extended, corrected and ended after it, for a budget that was
 * not there when they were made, for one of another scope, and from a time on at which nothing of
 * it was yet. */
static void a_budget_is_told_of_its_own_calls_alone(void **state)
{
    (void)state;
    struct mete_reservation_id early = call(100);
    const struct mete_change changes[] = {
        put_budget("late", HELP_USER), put_budget("others", HELP_ORGANIZATION),
        help_scope(METE_USER, "bob", HELP_ORGANIZATION, HELP_DEPARTMENT)};
    for (int i = 0; i < 3; i++)
        apply_one(&changes[i]);
    struct mete_reservation_id second = call(10);
    clock_us += INT64_C(20) * 86400 * 1000000;
    (void)call(1); /* another month */
    extend(second, 5);
    commit(early, 70);
    commit(second, 7);
    for (uint32_t budget = 1; budget <= 3; budget++) {
        steps_len = 0;
        assert_int_equal(mete_explain(mete, (struct mete_budget_id){budget},
                                      (struct mete_instant){0}, keep, NULL),
                         0);
        bool knows_early = false, knows_second = false;
        for (size_t i = 0; i < steps_len; i++) {
            knows_early |= steps[i].reservation.n == early.n;
            knows_second |= steps[i].reservation.n == second.n;
        }
        assert_true(knows_second && knows_early == (budget == 1));
    }
    explain(clock_us + 1); /* nothing has been since */
    assert_int_equal(steps_len, 0);
}

/* Quotas of other meters and currencies beside it, records, and a time from which nothing was. */
static void a_quota_is_told_of_its_own_unit_alone(void **state)
{
    (void)state;
    const struct mete_change others[] = {{.kind = METE_PUT_GRANT,
                                          .grant = {.id = help_text("tokens"),
                                                    .scope = {HELP_KEY},
                                                    .meter = METE_INPUT,
                                                    .amount = 1000}},
                                         {.kind = METE_PUT_GRANT,
                                          .grant = {.id = help_text("euros"),
                                                    .scope = {HELP_KEY},
                                                    .currency = METE_CURRENCY('E', 'U', 'R'),
                                                    .amount = 1000}}};
    apply_one(&others[0]);
    apply_one(&others[1]);
    grant("mine", 1000, clock_us + 1000000);
    record(40);
    assert_int_equal(explain_quota(HELP_KEY, 0), 0);
    must_stand(1, "grant", "mine", 1000, 0, 0);
    must_stand(2, "record", "", 1000, 40, 0);
    assert_true(drawn_len == 3 && drawn[2].scope.n == HELP_KEY);
    clock_us += 2000000; /* it expires with nobody looking */
    grant("other", 5, 0);
    assert_int_equal(explain_quota(HELP_KEY, clock_us + 1), 0);
    assert_int_equal(drawn_len, 0);
    assert_int_equal(explain_quota(HELP_KEY, clock_us), 0);
    must_stand(0, "before", "", 1000, 40, 0);
    must_stand(1, "grant_expired", "", 0, 0, 0);
    must_stand(2, "grant", "other", 5, 0, 0);
    const struct mete_quota_question question = {.scope = {HELP_KEY}, .currency = METE_USD};
    const struct mete_options options = {.scopes_max = 10};
    struct mete *memory;
    assert_int_equal(mete_open(&options, &memory), 0);
    assert_int_equal(mete_explain_quota(memory, &question, keep_quota, NULL), METE_E_INVALID);
    mete_close(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(each_step_is_an_entry_that_changed_the_figures),
        CASE(from_a_snapshot_and_after_a_cut_the_steps_are_the_same),
        CASE(a_call_that_ends_in_a_window_that_is_over_is_a_step_of_that_window),
        CASE(every_kind_of_entry_is_a_step_of_its_window),
        CASE(a_quota_is_told_grant_by_grant_and_call_by_call),
        CASE(a_budget_is_told_of_its_own_calls_alone),
        CASE(a_quota_is_told_of_its_own_unit_alone),
        CASE(what_is_not_there_is_not_found),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
