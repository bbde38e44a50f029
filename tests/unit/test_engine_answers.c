/* SPDX-License-Identifier: Apache-2.0
 * Proves that each question and each kind of operation is answered for what it is, with places for
 * more or for less than there is; that what may not be asked changes nothing; that a zone whose
 * file is gone, or a file system that does not say what is free, refuses what needs it and nothing
 * else; and that orders of several threads are each carried out. */
#include "base/limits.h"
#include "engine/verify.h"
#include "unit/engine_help.h"
#include "unit/temp.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define EUR METE_CURRENCY('E', 'U', 'R')
#define DAY_US INT64_C(86400000000)

static char directory[64];
static struct mete *mete;
static struct mete_port *port;
static _Atomic int64_t now;

static int64_t now_us(void *user)
{
    (void)user;
    return atomic_load(&now);
}

static void open_as(struct mete_options options)
{
    options.clock = (struct mete_clock){now_us, NULL};
    options.no_audit = 1;
    options.scopes_max = 256;
    assert_int_equal(mete_open(&options, &mete), 0);
    assert_int_equal(mete_port_open(mete, &port), 0);
}

static void open_it(void)
{
    open_as((struct mete_options){.directory = directory});
}

static void close_it(void)
{
    mete_port_close(port);
    mete_close(mete);
}

static void must_be_clean(void)
{
    struct verify_report report;
    int error = engine_verify(directory, &report);
    if (error)
        fail_msg("%s: %s", mete_error_name(error), report.detail);
    assert_int_equal(report.records_seq, report.last_seq);
}

static int set_up(void **state)
{
    (void)state;
    atomic_store(&now, INT64_C(1795251600000000)); /* 2026-11-21T09:00:00Z */
    return temp_make(directory, sizeof directory);
}

static int tear_down(void **state)
{
    (void)state;
    (void)unsetenv("TZDIR");
    return temp_remove(directory);
}

/* Neither handles nor what was applied are wanted. */
static int apply(const struct mete_change *changes, size_t len)
{
    const struct mete_apply args = {changes, len, help_text("root")};
    return mete_apply(port, &args, NULL, NULL);
}

/* ---- Questions ------------------------------------------------------------------------------- */

static struct mete_change limit_of(const char *id, uint32_t scope, int64_t limit)
{
    return (struct mete_change){.kind = METE_PUT_RATE_LIMIT,
                                .rate = {.id = help_text(id),
                                         .scope = {scope},
                                         .meter = METE_REQUESTS,
                                         .limit = limit,
                                         .period_ms = 1000}};
}

static struct mete_change grant_of(const char *id, uint32_t currency)
{
    return (struct mete_change){.kind = METE_PUT_GRANT,
                                .grant = {.id = help_text(id),
                                          .scope = {HELP_KEY},
                                          .meter = METE_COST,
                                          .currency = currency,
                                          .amount = 1000}};
}

static struct mete_change increase_of(int64_t amount)
{
    const int64_t at = now_us(NULL);
    return (struct mete_change){.kind = METE_PUT_INCREASE,
                                .increase = {{1}, amount, {at}, {at + DAY_US}}};
}

static struct mete_change exchange_of(int64_t numerator)
{
    return (struct mete_change){.kind = METE_PUT_EXCHANGE,
                                .exchange = {METE_USD, EUR, numerator, 10, {now_us(NULL)}}};
}

static void make_two_of_each(void)
{
    assert_int_equal(help_tree(port, 100000), 0);
    const struct mete_change changes[] = {
        limit_of("ra", HELP_KEY, 100),
        limit_of("rb", HELP_USER, 200),
        grant_of("ga", METE_USD),
        grant_of("gb", METE_USD),
        grant_of("gc", EUR),
        increase_of(5),
        increase_of(6),
        exchange_of(8),
        exchange_of(9),
        {.kind = METE_PUT_METER, .meter = help_text("pages")},
    };
    assert_int_equal(apply(changes, sizeof changes / sizeof changes[0]), 0);
}

static struct mete_rate_view rates[4];
static struct mete_quota_view quotas[4];
static struct mete_grant_view grants[4];
static struct mete_increase_view increases[4];
static struct mete_exchange_view exchanges[4];
static struct mete_reservation_view reservations[4];

/* With room for so many rows. */
static struct mete_answer ask(enum mete_query_kind kind, uint32_t handle, const char *id,
                              size_t room)
{
    static struct mete_answer answer;
    const struct mete_query query = {.kind = kind,
                                     .scope = {handle},
                                     .budget = {handle},
                                     .rate = {handle},
                                     .id = help_text(id),
                                     .organization = {HELP_ORGANIZATION},
                                     .scope_kind = METE_API_KEY,
                                     .meter = (uint16_t)handle,
                                     .currency = METE_USD,
                                     .rates = rates,
                                     .quotas = quotas,
                                     .grants = grants,
                                     .increases = increases,
                                     .exchanges = exchanges,
                                     .reservations = reservations,
                                     .rows_max = room};
    int error = mete_query(port, &query, &answer);
    if (error)
        fail_msg("question %d: %s", kind, mete_error_name(error));
    return answer;
}

static void ask_for_rows(size_t room)
{
    assert_int_equal(ask(METE_QUERY_RATES, HELP_KEY, "", room).rows_len, 2);
    assert_int_equal(ask(METE_QUERY_RATES, HELP_DEPARTMENT, "", room).rows_len, 0);
    assert_int_equal(ask(METE_QUERY_QUOTAS, HELP_KEY, "", room).rows_len, 2);
    assert_int_equal(ask(METE_QUERY_INCREASES, 1, "", room).rows_len, 2);
    assert_int_equal(ask(METE_QUERY_EXCHANGES, 0, "", room).rows_len, 2);
    assert_int_equal(ask(METE_QUERY_PROVISIONAL, 0, "", room).rows_len, 0);
    if (room > 0)
        assert_int_equal(rates[0].limit, 100);
    if (room > 0)
        assert_int_equal(exchanges[0].rate.numerator, 8);
    if (room > 1)
        assert_true(rates[1].limit == 200 && exchanges[1].rate.numerator == 9);
}

static void each_question_is_answered(void **state)
{
    (void)state;
    open_it();
    make_two_of_each();
    for (size_t room = 0; room < 4; room++)
        ask_for_rows(room);
    struct mete_query query = {.kind = METE_QUERY_GRANTS,
                               .scope = {HELP_KEY},
                               .meter = METE_COST,
                               .currency = METE_USD,
                               .grants = grants,
                               .rows_max = 4};
    struct mete_answer answer;
    assert_int_equal(mete_query(port, &query, &answer), 0);
    assert_int_equal(answer.rows_len, 2);
    assert_string_equal(grants[0].id, "ga");
    assert_int_equal(ask(METE_QUERY_FIND_SCOPE, 0, "key", 0).scope.scope.n, HELP_KEY);
    assert_int_equal(ask(METE_QUERY_FIND_BUDGET, 0, "monthly", 0).budget.budget.n, 1);
    assert_int_equal(ask(METE_QUERY_FIND_RATE, 0, "rb", 0).rate.limit, 200);
    assert_int_equal(ask(METE_QUERY_RATE, 1, "", 0).rate.limit, 100);
    assert_int_equal(ask(METE_QUERY_FIND_GRANT, 0, "gc", 0).grant.currency, EUR);
    uint32_t number = ask(METE_QUERY_FIND_METER, 0, "pages", 0).number;
    assert_int_equal(number, METE_METER_CUSTOM);
    assert_string_equal(ask(METE_QUERY_METER, number, "", 0).text, "pages");
    assert_memory_equal(ask(METE_QUERY_HASH, 0, "", 0).hash, ask(METE_QUERY_HASH, 0, "", 0).hash,
                        32);
    const struct mete_change ends[] = {{.kind = METE_END_RATE_LIMIT, .end_rate = {1}},
                                       {.kind = METE_END_BUDGET, .end = {1}}};
    assert_int_equal(apply(ends, 2), 0);
    close_it();
    must_be_clean();
}

static void without_records_nothing_is_awaited(void **state)
{
    (void)state;
    open_as((struct mete_options){.directory = directory, .no_records = 1});
    assert_int_equal(help_tree(port, 1000), 0);
    struct mete_answer answer = ask(METE_QUERY_PROJECTED, 0, "", 0);
    answer = ask(METE_QUERY_STATS, 0, "", 0);
    assert_int_equal(answer.stats.projected, 0);
    assert_int_equal(answer.stats.flushed, answer.stats.seq);
    uint64_t seq = 5;
    assert_int_equal(mete_cut(mete, &seq), METE_E_INVALID);
    assert_int_equal(seq, 5);
    close_it();
    open_as((struct mete_options){0});
    answer = ask(METE_QUERY_STATS, 0, "", 0);
    assert_int_equal(answer.stats.projected, answer.stats.seq);
    close_it();
}

/* ---- Operations ------------------------------------------------------------------------------ */

enum { KINDS = 9, ROUNDS = 12, OPS = KINDS * ROUNDS };

static void fill_op(struct mete_op *op, int i, struct mete_answer *answer)
{
    static const struct mete_usage usage = {METE_COST, METE_USD, 1};
    static const struct mete_demand demand = {METE_COST, METE_USD, 1, 0};
    const struct mete_reservation_id nobody = {UINT64_C(1) << 60};
    *op = (struct mete_op){.kind = (enum mete_op_kind)(METE_OP_RESERVE + i % KINDS)};
    if (op->kind == METE_OP_RESERVE || op->kind == METE_OP_CHECK)
        op->args.reserve = (struct mete_reserve){
            .scope = {HELP_KEY}, .demands = &demand, .demands_len = 1, .ttl_ms = 1000};
    else if (op->kind == METE_OP_EXTEND)
        op->args.extend = (struct mete_extend){.reservation = nobody, .ttl_ms = 1000};
    else if (op->kind == METE_OP_COMMIT)
        op->args.commit =
            (struct mete_commit){.reservation = nobody, .usage = &usage, .usage_len = 1};
    else if (op->kind == METE_OP_RELEASE)
        op->args.release = nobody;
    else if (op->kind == METE_OP_RECORD)
        op->args.record =
            (struct mete_record){.scope = {HELP_KEY}, .usage = &usage, .usage_len = 1};
    else if (op->kind == METE_OP_QUERY) {
        op->args.query.kind = METE_QUERY_STATS;
        op->result.answer = answer;
    }
}

/* Many of each at once, so that those to come are foreseen while one is worked on. */
static void each_operation_is_answered_for_what_it_is(void **state)
{
    (void)state;
    static const int wanted[KINDS] = {0,
                                      0,
                                      METE_E_NOT_FOUND,
                                      METE_E_NOT_FOUND,
                                      METE_E_NOT_FOUND,
                                      0,
                                      METE_E_INVALID,
                                      0,
                                      METE_E_INVALID};
    static struct mete_op ops[OPS];
    static struct mete_answer answers[OPS];
    struct mete_op *list[OPS];
    open_as((struct mete_options){.directory = directory, .owner = METE_OWNER_CALLER});
    assert_int_equal(help_tree(port, 100000), 0);
    for (int i = 0; i < OPS; i++) {
        fill_op(&ops[i], i, &answers[i]);
        list[i] = &ops[i];
    }
    assert_int_equal(mete_submit(port, list, OPS), OPS);
    for (size_t done = 0; done < OPS;) {
        mete_turn(mete, NULL);
        done += mete_poll(port, 7); /* some at a time: there is more to poll */
    }
    for (int i = 0; i < OPS; i++)
        if (ops[i].status != wanted[i % KINDS])
            fail_msg("operation %d: %s", i, mete_error_name(ops[i].status));
    struct mete_answer last = ask(METE_QUERY_STATS, 0, "", 0);
    assert_int_equal(last.stats.reservations_open, ROUNDS);
    assert_int_equal(last.stats.records, ROUNDS);
    close_it();
    must_be_clean();
}

static void a_change_that_says_too_much_changes_nothing(void **state)
{
    (void)state;
    static char text[LIMIT_GROUP + 1];
    static struct mete_match matches[METE_MATCHES_MAX + 1];
    memset(text, 'x', sizeof text);
    open_it();
    assert_int_equal(help_tree(port, 1000), 0);
    uint64_t seq = ask(METE_QUERY_STATS, 0, "", 0).stats.seq;
    struct mete_change change = help_budget("new", HELP_KEY, METE_DAILY, 5);
    change.budget.time_zone = (struct mete_text){text, LIMIT_TIME_ZONE + 1};
    assert_int_equal(apply(&change, 1), METE_E_TOO_LARGE);
    change.budget.time_zone = help_text("No/Where");
    assert_int_equal(apply(&change, 1), METE_E_INVALID);
    change.budget.time_zone = help_text("");
    change.document = (struct mete_text){text, sizeof text};
    assert_int_not_equal(apply(&change, 1), 0);
    change.document = help_text("");
    for (int i = 0; i <= METE_MATCHES_MAX; i++)
        matches[i] = (struct mete_match){METE_MATCH_MODEL, help_text("gpt*")};
    change = limit_of("rate", HELP_KEY, 7);
    memcpy(change.rate.matches, matches, METE_MATCHES_MAX * sizeof matches[0]);
    change.rate.matches_len = METE_MATCHES_MAX + 1;
    assert_int_not_equal(apply(&change, 1), 0);
    change = help_budget("new", METE_FROM_CHANGE(7), METE_DAILY, 5);
    assert_int_not_equal(apply(&change, 1), 0); /* there is no such change */
    assert_int_not_equal(apply(NULL, 1), 0);
    assert_int_not_equal(apply(&change, 0), 0);
    assert_int_equal(apply(&change, LIMIT_CHANGES + 1), METE_E_TOO_LARGE);
    assert_int_equal(ask(METE_QUERY_STATS, 0, "", 0).stats.seq, seq);
    close_it();
    must_be_clean();
}

/* ---- What is outside ------------------------------------------------------------------------- */

static struct mete_change in_berlin(const char *id, uint32_t scope, uint32_t for_kind)
{
    struct mete_change change = help_budget(id, scope, METE_DAILY, 1000000);
    change.budget.time_zone = help_text("Europe/Berlin");
    change.budget.rollover_cap = for_kind ? 0 : 500;
    change.budget.for_kind = (enum mete_kind)for_kind;
    return change;
}

/* What is due today, in a zone that cannot be read. */
static int ask_now(enum mete_query_kind kind, uint32_t handle)
{
    static struct mete_budget_view budgets[4];
    struct mete_answer answer;
    const struct mete_query query = {.kind = kind,
                                     .scope = {handle},
                                     .budget = {handle},
                                     .id = help_text("zoned"),
                                     .organization = {HELP_ORGANIZATION},
                                     .budgets = budgets,
                                     .budgets_max = 4,
                                     .increases = increases,
                                     .rows_max = 4};
    return mete_query(port, &query, &answer);
}

static void must_refuse_what_needs_the_zone(void)
{
    struct mete_verdict verdict;
    const struct mete_usage usage = {METE_COST, METE_USD, 1};
    const struct mete_record record = {.scope = {HELP_KEY}, .usage = &usage, .usage_len = 1};
    struct mete_receipt receipt;
    uint64_t seq = ask(METE_QUERY_STATS, 0, "", 0).stats.seq;
    assert_int_equal(help_reserve(port, "", 5, 0, &verdict), METE_E_STORAGE);
    assert_int_equal(mete_record(port, &record, &receipt), METE_E_STORAGE);
    assert_int_equal(ask_now(METE_QUERY_BUDGET, 2), METE_E_STORAGE);
    assert_int_equal(ask_now(METE_QUERY_FIND_BUDGET, 0), METE_E_STORAGE);
    assert_int_equal(ask_now(METE_QUERY_PATH, HELP_KEY), METE_E_STORAGE);
    assert_int_equal(ask_now(METE_QUERY_INCREASES, 2), METE_E_STORAGE);
    struct mete_change change = help_budget("zoned", HELP_KEY, METE_DAILY, 77);
    change.budget.time_zone = help_text("Europe/Berlin");
    assert_int_equal(apply(&change, 1), METE_E_INVALID); /* it says there is no such zone */
    const struct mete_change increase = {
        .kind = METE_PUT_INCREASE, .increase = {{2}, 5, {now_us(NULL)}, {now_us(NULL) + DAY_US}}};
    assert_int_equal(apply(&increase, 1), METE_E_STORAGE);
    assert_int_equal(ask(METE_QUERY_STATS, 0, "", 0).stats.seq, seq);
}

static void a_zone_that_is_gone_refuses_what_is_due_and_no_more(void **state)
{
    (void)state;
    open_it();
    assert_int_equal(help_tree(port, 1000000), 0);
    const struct mete_change changes[] = {
        in_berlin("zoned", HELP_KEY, 0), in_berlin("each", HELP_ORGANIZATION, METE_USER),
        help_scope(METE_USER, "bob", HELP_ORGANIZATION, HELP_DEPARTMENT),
        help_scope(METE_API_KEY, "his", HELP_ORGANIZATION, METE_FROM_CHANGE(2))};
    assert_int_equal(apply(changes, 4), 0);
    close_it();
    assert_int_equal(setenv("TZDIR", directory, 1), 0);
    atomic_fetch_add(&now, 3 * DAY_US);
    open_it();
    must_refuse_what_needs_the_zone();
    struct mete_verdict verdict;
    const struct mete_demand demand = {METE_COST, METE_USD, 5, 0};
    const struct mete_reserve his = {
        .scope = {HELP_KEY + 2}, .demands = &demand, .demands_len = 1, .ttl_ms = 1000};
    assert_int_equal(mete_reserve(port, &his, NULL, 0, &verdict), METE_E_STORAGE); /* a template */
    assert_int_equal(ask_now(METE_QUERY_BUDGET, 1), 0);
    assert_int_equal(unsetenv("TZDIR"), 0); /* it is there again */
    assert_int_equal(mete_reserve(port, &his, NULL, 0, &verdict), 0);
    assert_int_equal(help_reserve(port, "", 5, 0, &verdict), 0);
    assert_true(verdict.allowed);
    close_it();
    must_be_clean();
}

/* ---- Orders ---------------------------------------------------------------------------------- */

enum { THREADS = 6 };

static _Atomic int orders_done;

static void *order(void *user)
{
    (void)user;
    uint64_t seq = 0;
    int error = mete_snapshot(mete, &seq);
    atomic_fetch_add(&orders_done, error || !seq ? 1000 : 1);
    return NULL;
}

static void orders_given_at_once_are_each_carried_out(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        pthread_t threads[THREADS];
        open_as((struct mete_options){.directory = directory, .owner = METE_OWNER_CALLER});
        if (!round)
            assert_int_equal(help_tree(port, 1000000), 0);
        mete_turn(mete, NULL); /* so that this thread is the owner */
        atomic_store(&orders_done, 0);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, order, NULL), 0);
        while (atomic_load(&orders_done) < THREADS)
            mete_turn(mete, NULL);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(atomic_load(&orders_done), THREADS);
        close_it();
    }
    must_be_clean();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(each_question_is_answered),
        CASE(without_records_nothing_is_awaited),
        CASE(each_operation_is_answered_for_what_it_is),
        CASE(a_change_that_says_too_much_changes_nothing),
        CASE(a_zone_that_is_gone_refuses_what_is_due_and_no_more),
        CASE(orders_given_at_once_are_each_carried_out),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
