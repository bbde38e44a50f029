/* SPDX-License-Identifier: Apache-2.0
 * Proves that several currencies and budgets made by templates hold through the whole engine: what
 * is asked of rates is told, what is made by default is in the records, verify adds all of it up
 * anew and agrees, and a restart finds the same state. */
#include "engine/verify.h"
#include "store/records.h"
#include "unit/engine_help.h"
#include "unit/temp.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define EUR METE_CURRENCY('E', 'U', 'R')

static char directory[64];
static struct mete *mete;
static struct mete_port *port;

static void open_engine(void)
{
    const struct mete_options options = {.directory = directory};
    assert_int_equal(mete_open(&options, &mete), 0);
    assert_int_equal(mete_port_open(mete, &port), 0);
}

static void close_engine(uint8_t hash[32])
{
    struct mete_answer answer;
    assert_int_equal(help_ask(port, METE_QUERY_HASH, &answer), 0);
    memcpy(hash, answer.hash, 32);
    mete_port_close(port);
    mete_close(mete);
}

static struct mete_change rate(uint32_t from, uint32_t to, int64_t numerator, int64_t denominator)
{
    return (struct mete_change){
        .kind = METE_PUT_EXCHANGE,
        .exchange = {.from = from, .to = to, .numerator = numerator, .denominator = denominator}};
}

static void set_up_money(void)
{
    assert_int_equal(help_tree(port, 1000000), 0);
    struct mete_change euros = help_budget("euros", HELP_DEPARTMENT, METE_TOTAL, 1000000);
    euros.budget.currency = EUR;
    struct mete_change each = help_budget("each", HELP_ORGANIZATION, METE_MONTHLY, 5000);
    each.budget.currency = EUR;
    each.budget.for_kind = METE_API_KEY;
    struct mete_change changes[] = {rate(METE_USD, EUR, 9, 10), rate(EUR, METE_USD, 11, 10), euros,
                                    each, rate(METE_USD, EUR, 7, 8)};
    uint32_t handles[5];
    struct mete_applied applied;
    const struct mete_apply apply = {changes, 5, help_text("root")};
    assert_int_equal(mete_apply(port, &apply, handles, &applied), 0);
    assert_true(handles[0] == 1 && handles[1] == 2 && handles[4] == 3);
}

static void spend(int calls)
{
    struct mete_verdict verdict;
    struct mete_receipt receipt;
    for (int i = 0; i < calls; i++) {
        assert_int_equal(help_reserve(port, "", 101, 0, &verdict), 0);
        assert_true(verdict.allowed);
        if (i % 3 == 0)
            assert_int_equal(mete_release(port, verdict.reservation, &receipt), 0);
        else if (i % 3 == 1)
            assert_int_equal(help_commit(port, verdict.reservation, 99 + i, &receipt), 0);
    }
    const struct mete_usage usage = {METE_COST, EUR, 33};
    const struct mete_record record = {.scope = {HELP_KEY}, .usage = &usage, .usage_len = 1};
    assert_int_equal(mete_record(port, &record, &receipt), 0);
}

static int find_it(void *user, const struct records_entity *entity)
{
    int *found = user;
    *found += entity->id.len == 6 && memcmp(entity->id.data, "each~4", 6) == 0 &&
              entity->parent.n == HELP_KEY && entity->organization.n == HELP_ORGANIZATION;
    return 0;
}

static void currencies_and_defaults_hold_through_the_engine(void **state)
{
    (void)state;
    uint8_t hash[32], again[32];
    open_engine();
    set_up_money();
    spend(10);
    struct mete_exchange_view views[2];
    struct mete_answer answer;
    struct mete_query query = {
        .kind = METE_QUERY_EXCHANGES, .after = 1, .exchanges = views, .rows_max = 2};
    assert_int_equal(mete_query(port, &query, &answer), 0);
    assert_true(answer.rows_len == 2 && views[0].number == 2 && views[0].in_force);
    assert_true(views[1].rate.numerator == 7 && views[1].in_force);
    query.after = 0;
    assert_int_equal(mete_query(port, &query, &answer), 0);
    assert_true(answer.rows_len == 3 && views[0].number == 1 && !views[0].in_force);
    query.after = 3;
    assert_int_equal(mete_query(port, &query, &answer), 0);
    assert_int_equal(answer.rows_len, 0);
    assert_int_equal(help_ask(port, METE_QUERY_PROJECTED, &answer), 0);
    close_engine(hash);
    struct verify_report report;
    if (engine_verify(directory, &report))
        fail_msg("%s", report.detail);
    assert_memory_equal(report.state_hash, hash, 32);
    struct records_reader *reader;
    assert_int_equal(records_reader_open(os_system(), directory, &reader), 0);
    int found = 0;
    const struct mete_scope_id organization = {HELP_ORGANIZATION};
    assert_int_equal(
        records_each_entity(reader, RECORDS_BUDGET, organization, 0, 100, 0, find_it, &found), 0);
    assert_int_equal(found, 1);
    records_reader_close(reader);
    open_engine();
    spend(5);
    close_engine(again);
    if (engine_verify(directory, &report))
        fail_msg("%s", report.detail);
    assert_memory_equal(report.state_hash, again, 32);
}

static int set_up(void **state)
{
    (void)state;
    return temp_make(directory, sizeof directory);
}

static int tear_down(void **state)
{
    (void)state;
    return temp_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(currencies_and_defaults_hold_through_the_engine, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
