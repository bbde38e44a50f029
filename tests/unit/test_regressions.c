/* SPDX-License-Identifier: Apache-2.0
 * What went wrong in others, and may not go wrong here: a test a way of failing, named after its
 * group (docs/proof.md has the table). Each is shown to fail when its guard is taken out
 * (tools/guards). All through mete.h, with a clock of the test's own.
 *
 *   group_1_1  spending past a limit, by racing it or by going around it
 *   group_1_2  spend that nobody spent: holds that leak, charges made twice
 *   group_1_3  figures of the same thing that drift apart
 *   group_1_5  what was acknowledged and is gone
 *   group_1_8  windows that do not end, or end late; alerts that come twice
 *   group_1_9  prepaid balances */
#include "engine/verify.h"
#include "unit/engine_help.h"
#include "unit/temp.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { AT_ONCE = 100 };

static char directory[64];
static struct mete *mete;
static struct mete_port *port;
static _Atomic int64_t clock_us;
static unsigned thresholds;

static int64_t now_us(void *user)
{
    (void)user;
    return atomic_load(&clock_us);
}

static void note_event(void *user, const struct mete_event *event)
{
    (void)user;
    thresholds += event->kind == METE_EVENT_THRESHOLD;
}

/* 2026-09-21T16:53:20Z, a Monday. */
static int set_up(void **state)
{
    (void)state;
    atomic_store(&clock_us, INT64_C(1790009600000000));
    thresholds = 0;
    return temp_make(directory, sizeof directory);
}

static int tear_down(void **state)
{
    (void)state;
    return temp_remove(directory);
}

static int start(const char *at)
{
    struct mete_options options = {.directory = at,
                                   .owner = METE_OWNER_CALLER,
                                   .clock = {now_us, NULL},
                                   .no_audit = 1,
                                   .scopes_max = 64,
                                   .budgets_max = 64,
                                   .reservations_max = 1024,
                                   .outcomes_max = 1024};
    int error = mete_open(&options, &mete);
    if (error)
        return error;
    mete_on_event(mete, note_event, NULL);
    return mete_port_open(mete, &port);
}

static void stop(void)
{
    mete_port_close(port);
    mete_close(mete);
}

/* In memory, with a monthly budget of the limit on the organization. */
static void begin(int64_t limit)
{
    assert_int_equal(start(NULL), 0);
    assert_int_equal(help_tree(port, limit), 0);
}

static void begin_on_disk(int64_t limit)
{
    assert_int_equal(start(directory), 0);
    assert_int_equal(help_tree(port, limit), 0);
}

static void pass(int64_t seconds)
{
    atomic_fetch_add(&clock_us, seconds * 1000000);
}

static struct mete_budget_view budget(void)
{
    struct mete_answer answer;
    struct mete_query query = {.kind = METE_QUERY_BUDGET, .budget = {1}};
    assert_int_equal(mete_query(port, &query, &answer), 0);
    return answer.budget;
}

static struct mete_verdict reserve(const char *request_id, int64_t amount)
{
    struct mete_verdict verdict;
    assert_int_equal(help_reserve(port, request_id, amount, 0, &verdict), 0);
    return verdict;
}

static struct mete_receipt commit(struct mete_verdict verdict, int64_t amount)
{
    struct mete_receipt receipt;
    assert_int_equal(help_commit(port, verdict.reservation, amount, &receipt), 0);
    return receipt;
}

static void record(const char *request_id, int64_t amount)
{
    struct mete_usage usage = {METE_COST, METE_USD, amount};
    struct mete_record args = {.scope = {HELP_KEY},
                               .request_id = help_text(request_id),
                               .usage = &usage,
                               .usage_len = 1,
                               .outcome = {.ending = METE_ENDED_RECORDED}};
    struct mete_receipt receipt;
    assert_int_equal(mete_record(port, &args, &receipt), 0);
}

static int apply(struct mete_change change)
{
    uint32_t handle;
    struct mete_applied applied;
    struct mete_apply args = {&change, 1, help_text("root")};
    return mete_apply(port, &args, &handle, &applied);
}

/* ---- 1.1 Overspend under concurrency, bypass ------------------------------------------------- */

/* litellm 34732, one-api 2440, new-api 5690, ai-gateway 680: calls that were asked for before any
 * of them had cost anything all passed. */
static void group_1_1_calls_at_once_passed_a_limit_for_one(void **state)
{
    (void)state;
    static struct mete_op ops[AT_ONCE];
    struct mete_op *list[AT_ONCE];
    struct mete_demand demand = {METE_COST, METE_USD, 10, 0};
    unsigned allowed = 0;
    begin(10);
    for (unsigned i = 0; i < AT_ONCE; i++) {
        ops[i] = (struct mete_op){
            .kind = METE_OP_RESERVE,
            .args.reserve = {
                .scope = {HELP_KEY}, .demands = &demand, .demands_len = 1, .ttl_ms = 60000}};
        list[i] = &ops[i];
    }
    assert_int_equal(mete_submit(port, list, AT_ONCE), AT_ONCE);
    for (size_t got = 0; got < AT_ONCE; got += mete_poll(port, AT_ONCE))
        mete_turn(mete, NULL);
    for (unsigned i = 0; i < AT_ONCE; i++)
        allowed += ops[i].result.verdict.allowed != 0;
    assert_int_equal(allowed, 1);
    assert_int_equal(budget().held, 10);
    stop();
}

/* litellm 26672, higress 1665, 4232: what was charged never counted against the limit. */
static void group_1_1_what_was_charged_did_not_count(void **state)
{
    (void)state;
    begin(100);
    commit(reserve("", 60), 60);
    assert_false(reserve("", 50).allowed);
    record("", 40);
    assert_false(reserve("", 1).allowed);
    stop();
}

/* litellm 35524: a call whose cost could not be told was not held against anything. Here a limit
 * of another meter of the path refuses it all the same, and so does one of zero. */
static void group_1_1_a_call_of_no_cost_went_around_a_limit_of_nothing(void **state)
{
    (void)state;
    begin(0);
    assert_false(reserve("", 0).allowed);
    stop();
}

/* litellm 12789, 34238; bifrost 2873: a limit above or beside the caller was not asked. */
static void group_1_1_a_limit_of_an_ancestor_was_not_asked(void **state)
{
    (void)state;
    begin(1000);
    assert_int_equal(apply(help_budget("dev", HELP_DEPARTMENT, METE_DAILY, 30)), 0);
    assert_true(reserve("", 30).allowed);
    assert_false(reserve("", 1).allowed);
    stop();
}

/* litellm 33923: a reservation that had failed was charged as though it had not. */
static void group_1_1_a_refused_call_went_on(void **state)
{
    (void)state;
    begin(10);
    struct mete_verdict refused = reserve("", 11);
    struct mete_receipt receipt;
    assert_false(refused.allowed);
    assert_int_equal(refused.reservation.n, 0);
    assert_int_equal(help_commit(port, refused.reservation, 11, &receipt), METE_E_NOT_FOUND);
    assert_int_equal(budget().committed, 0);
    stop();
}

/* ---- 1.2 Phantom spend ----------------------------------------------------------------------- */

/* litellm 27639, new-api 4429: what a call that vanished had held stayed held. */
static void group_1_2_the_hold_of_a_call_that_vanished_stayed(void **state)
{
    (void)state;
    begin(10);
    assert_true(reserve("", 10).allowed);
    assert_false(reserve("", 10).allowed);
    pass(61);
    assert_true(reserve("", 10).allowed);
    assert_int_equal(budget().held, 10);
    stop();
}

/* litellm 40572, 40050, new-api 7486: an end that was told twice was charged twice. */
static void group_1_2_an_end_told_twice_was_charged_twice(void **state)
{
    (void)state;
    begin(1000);
    struct mete_verdict verdict = reserve("", 100);
    assert_false(commit(verdict, 70).repeated);
    assert_true(commit(verdict, 70).repeated);
    assert_int_equal(budget().committed, 70);
    stop();
}

/* litellm 15740, 17814, 40006: a call asked for again, or fetched, was a second call. */
static void group_1_2_a_call_asked_for_again_was_a_second_one(void **state)
{
    (void)state;
    begin(1000);
    struct mete_verdict first = reserve("once", 100), again = reserve("once", 100);
    assert_true(again.repeated);
    assert_int_equal(again.reservation.n, first.reservation.n);
    assert_int_equal(budget().held, 100);
    commit(first, 100);
    assert_true(reserve("once", 100).repeated);
    assert_int_equal(budget().held, 0);
    stop();
}

static void group_1_2_a_record_told_twice_was_charged_twice(void **state)
{
    (void)state;
    begin(1000);
    record("once", 100);
    record("once", 100);
    assert_int_equal(budget().committed, 100);
    stop();
}

/* litellm 28247, 36926: counters that were seeded again at a start stood at a multiple. */
static void group_1_2_a_start_counted_what_was_there_again(void **state)
{
    (void)state;
    begin_on_disk(1000);
    commit(reserve("", 100), 70);
    for (int i = 0; i < 3; i++) {
        stop();
        assert_int_equal(start(directory), 0);
        assert_int_equal(budget().committed, 70);
    }
    stop();
}

/* bifrost 2844, 4820: a charge that came as its window ended was lost, or put in the next one. */
static void group_1_2_a_charge_across_a_window_s_end_went_astray(void **state)
{
    (void)state;
    begin(1000);
    struct mete_verdict verdict = reserve("", 100);
    struct mete_demand demand = {METE_COST, METE_USD, 1, 0};
    struct mete_extend longer = {.reservation = verdict.reservation, .ttl_ms = 86400000};
    struct mete_verdict extended;
    (void)demand;
    for (int day = 0; day < 12; day++) {
        assert_int_equal(mete_extend(port, &longer, NULL, 0, &extended), 0);
        pass(86000);
    }
    assert_int_equal(budget().committed + budget().held, 0); /* October */
    assert_int_equal(commit(verdict, 100).overrun, 0);
    assert_int_equal(budget().committed + budget().held, 0);
    stop();
}

/* ---- 1.3 Drift between several holders of one figure ----------------------------------------- */

/* litellm 42653, 33325, 27735: two processes each counted for themselves. */
static void group_1_3_two_processes_counted_apart(void **state)
{
    (void)state;
    begin_on_disk(1000);
    fflush(NULL);
    pid_t child = fork();
    if (!child) {
        struct mete_options other = {.directory = directory, .no_audit = 1};
        struct mete *second;
        _exit(mete_open(&other, &second) == METE_E_LOCKED ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    stop();
}

/* litellm 25374, 30460: after a restart the counters were not what they had been. */
static void group_1_3_a_restart_forgot_the_counters(void **state)
{
    (void)state;
    struct mete_answer before, after;
    begin_on_disk(1000);
    commit(reserve("", 100), 70);
    assert_true(reserve("", 200).allowed);
    assert_int_equal(help_ask(port, METE_QUERY_HASH, &before), 0);
    stop();
    assert_int_equal(start(directory), 0);
    assert_int_equal(help_ask(port, METE_QUERY_HASH, &after), 0);
    assert_memory_equal(before.hash, after.hash, sizeof before.hash);
    assert_int_equal(budget().committed, 70);
    assert_int_equal(budget().held, 200);
    stop();
}

/* litellm 35570, 37144: counters said one thing and the log another. */
static void group_1_3_counters_and_records_were_two_truths(void **state)
{
    (void)state;
    struct verify_report report;
    begin_on_disk(100000);
    for (int i = 0; i < 20; i++)
        commit(reserve("", 100), 50 + i);
    stop();
    assert_int_equal(engine_verify(directory, &report), 0);
    assert_int_equal(report.usage, 20);
    assert_int_equal(report.drift, 0);
}

/* ---- 1.5 Lost in a crash or a stop ----------------------------------------------------------- */

/* litellm 33872, 40949: what had left one store and had not reached the other was lost. */
static void group_1_5_a_kill_lost_what_was_acknowledged(void **state)
{
    (void)state;
    fflush(NULL);
    pid_t child = fork();
    if (!child) {
        struct mete_verdict verdict;
        struct mete_receipt receipt;
        int error = start(directory);
        error = error ? error : help_tree(port, 1000);
        error = error ? error : help_reserve(port, "a", 100, 0, &verdict);
        error = error ? error : help_commit(port, verdict.reservation, 70, &receipt);
        _exit(error ? 1 : 0); /* nothing is closed */
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(start(directory), 0);
    assert_int_equal(budget().committed, 70);
    stop();
}

/* litellm 38157, 34805: a graceful stop lost what waited to be written. */
static void group_1_5_a_stop_lost_records(void **state)
{
    (void)state;
    struct verify_report report;
    begin_on_disk(100000);
    for (unsigned round = 1; round <= 20; round++) { /* who stops too early may be lucky once */
        for (int i = 0; i < 5; i++)
            commit(reserve("", 100), 70);
        stop();
        assert_int_equal(engine_verify(directory, &report), 0);
        assert_int_equal(report.usage, 5 * round);
        assert_int_equal(report.records_seq, report.last_seq);
        assert_int_equal(start(directory), 0);
    }
    stop();
}

/* litellm 19163, 13280: records that could not be written were silently not there. Here they are
 * made again from the journal. */
static void group_1_5_records_that_were_lost_stayed_lost(void **state)
{
    (void)state;
    struct verify_report report;
    char path[96];
    begin_on_disk(100000);
    for (int i = 0; i < 5; i++)
        commit(reserve("", 100), 70);
    stop();
    for (int i = 0; i < 3; i++) {
        static const char *const ends[] = {"", "-wal", "-shm"};
        snprintf(path, sizeof path, "%s/records.db%s", directory, ends[i]);
        unlink(path);
    }
    assert_int_equal(start(directory), 0);
    stop();
    assert_int_equal(engine_verify(directory, &report), 0);
    assert_int_equal(report.usage, 5);
}

/* ---- 1.8 Resets, periods, alerts ------------------------------------------------------------- */

/* litellm 5651, 7129, 24675: a budget stayed spent after its period, for want of a job. */
static void group_1_8_a_period_never_ended(void **state)
{
    (void)state;
    begin(100);
    commit(reserve("", 100), 100);
    assert_false(reserve("", 1).allowed);
    pass(10 * 86400);
    assert_true(reserve("", 100).allowed);
    assert_int_equal(budget().committed, 0);
    stop();
}

/* litellm 34896: a day ended with the server's, not with the budget's. 16:53 in UTC is 01:53 of
 * tomorrow in Tokyo; at 15:00 in UTC its day is over. */
static void group_1_8_a_day_ended_in_another_zone(void **state)
{
    (void)state;
    begin(100000);
    struct mete_change change = help_budget("tokyo", HELP_KEY, METE_DAILY, 100);
    change.budget.time_zone = help_text("Asia/Tokyo");
    assert_int_equal(apply(change), 0);
    commit(reserve("", 100), 100);
    pass(22 * 3600); /* 14:53 */
    assert_false(reserve("", 1).allowed);
    pass(600); /* 15:03 */
    assert_true(reserve("", 100).allowed);
    stop();
}

/* litellm 7389: as many reports as processes; here: as charges. */
static void group_1_8_an_alert_came_with_every_charge(void **state)
{
    (void)state;
    begin(100);
    for (int i = 0; i < 5; i++)
        commit(reserve("", 12), 12);
    assert_int_equal(thresholds, 1); /* half; the other is all */
    for (int i = 0; i < 3; i++)
        record("", 20);
    assert_int_equal(thresholds, 2);
    stop();
}

/* langwatch 421: a budget still stood at nothing after 110 requests. */
static void group_1_8_a_budget_never_accrued(void **state)
{
    (void)state;
    begin(1000000);
    for (int i = 0; i < 110; i++)
        commit(reserve("", 100), 7);
    assert_int_equal(budget().committed, 770);
    stop();
}

/* ---- 1.9 Billing ----------------------------------------------------------------------------- */

static struct mete_change top_up(const char *id)
{
    return (struct mete_change){.kind = METE_PUT_GRANT,
                                .grant = {.id = help_text(id),
                                          .scope = {HELP_USER},
                                          .meter = METE_COST,
                                          .currency = METE_USD,
                                          .amount = 100,
                                          .source = help_text("purchase")}};
}

static struct mete_quota_view quota(void)
{
    struct mete_answer answer;
    struct mete_quota_view view = {0};
    struct mete_query query = {
        .kind = METE_QUERY_QUOTAS, .scope = {HELP_USER}, .quotas = &view, .rows_max = 1};
    assert_int_equal(mete_query(port, &query, &answer), 0);
    assert_int_equal(answer.rows_len, 1);
    return view;
}

/* lago 5870: a top-up that was sent twice was credited twice. */
static void group_1_9_a_top_up_sent_twice_was_credited_twice(void **state)
{
    (void)state;
    begin(100000);
    assert_int_equal(apply(top_up("order-7")), 0);
    assert_int_equal(apply(top_up("order-7")), 0);
    assert_int_equal(quota().balance, 100);
    struct mete_change again = top_up("order-7");
    again.flags = METE_CHANGE_CREATE;
    assert_int_equal(apply(again), METE_E_EXISTS);
    stop();
}

/* lago 5463, 4954: the balance stood still, or was minutes old; a call spent what was gone. */
static void group_1_9_a_balance_was_not_of_now(void **state)
{
    (void)state;
    begin(100000);
    assert_int_equal(apply(top_up("order-7")), 0);
    struct mete_verdict verdict = reserve("", 60);
    assert_int_equal(quota().balance, 40);
    assert_false(reserve("", 41).allowed);
    commit(verdict, 50);
    assert_int_equal(quota().balance, 50);
    assert_false(reserve("", 51).allowed);
    assert_true(reserve("", 50).allowed);
    assert_int_equal(quota().balance, 0);
    stop();
}

/* usage: test_regressions [NAME] - of one test alone, for tools/guards. */
int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(group_1_1_calls_at_once_passed_a_limit_for_one),
        CASE(group_1_1_what_was_charged_did_not_count),
        CASE(group_1_1_a_call_of_no_cost_went_around_a_limit_of_nothing),
        CASE(group_1_1_a_limit_of_an_ancestor_was_not_asked),
        CASE(group_1_1_a_refused_call_went_on),
        CASE(group_1_2_the_hold_of_a_call_that_vanished_stayed),
        CASE(group_1_2_an_end_told_twice_was_charged_twice),
        CASE(group_1_2_a_call_asked_for_again_was_a_second_one),
        CASE(group_1_2_a_record_told_twice_was_charged_twice),
        CASE(group_1_2_a_start_counted_what_was_there_again),
        CASE(group_1_2_a_charge_across_a_window_s_end_went_astray),
        CASE(group_1_3_two_processes_counted_apart),
        CASE(group_1_3_a_restart_forgot_the_counters),
        CASE(group_1_3_counters_and_records_were_two_truths),
        CASE(group_1_5_a_kill_lost_what_was_acknowledged),
        CASE(group_1_5_a_stop_lost_records),
        CASE(group_1_5_records_that_were_lost_stayed_lost),
        CASE(group_1_8_a_period_never_ended),
        CASE(group_1_8_a_day_ended_in_another_zone),
        CASE(group_1_8_an_alert_came_with_every_charge),
        CASE(group_1_8_a_budget_never_accrued),
        CASE(group_1_9_a_top_up_sent_twice_was_credited_twice),
        CASE(group_1_9_a_balance_was_not_of_now),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
