/* SPDX-License-Identifier: Apache-2.0
 * Proves corrections through the engine: what a stop in the middle left charged at its worst case
 * is listed and settled, the records have a row with the difference that names the one it corrects
 * and sums are right, a restart and a base in between change nothing, and verify, which adds up
 * anew, agrees with every figure. */
#include "engine/verify.h"
#include "store/records.h"
#include "unit/engine_help.h"
#include "unit/temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { CALLS = 6, HELD = 3000 };

static char directory[64];
static _Atomic int64_t clock_us; /* the owner reads it */

static int64_t read_clock(void *user)
{
    (void)user;
    return clock_us++;
}

static struct mete *open_engine(struct mete_port **ret_port)
{
    const struct mete_options options = {.directory = directory, .clock = {read_clock, NULL}};
    struct mete *mete;
    assert_int_equal(mete_open(&options, &mete), 0);
    assert_int_equal(mete_port_open(mete, ret_port), 0);
    return mete;
}

static void close_engine(struct mete *mete, struct mete_port *port)
{
    mete_port_close(port);
    mete_close(mete);
}

static void is_clean(void)
{
    struct verify_report report;
    assert_int_equal(engine_verify(directory, &report), 0);
    assert_string_equal(report.detail, "");
}

/* Two budgets, one in euros at a rate that divides nothing evenly; calls that a stop cuts. */
static void cut_calls(struct mete_reservation_id ids[CALLS])
{
    struct mete_port *port;
    struct mete *mete = open_engine(&port);
    assert_int_equal(help_tree(port, 1000000), 0);
    const uint32_t eur = METE_CURRENCY('E', 'U', 'R');
    struct mete_change changes[] = {
        {.kind = METE_PUT_EXCHANGE,
         .exchange = {.from = METE_USD, .to = eur, .numerator = 5, .denominator = 7}},
        help_budget("euros", HELP_USER, METE_TOTAL, 1000000),
        help_budget("minutes", HELP_KEY, METE_MINUTE, 100000)};
    changes[1].budget.currency = eur;
    uint32_t handles[3];
    struct mete_applied applied;
    const struct mete_apply apply = {changes, 3, help_text("root")};
    assert_int_equal(mete_apply(port, &apply, handles, &applied), 0);
    for (int i = 0; i < CALLS; i++) {
        struct mete_verdict verdict;
        char id[16];
        snprintf(id, sizeof id, "call-%d", i);
        assert_int_equal(help_reserve(port, id, HELD + i, METE_RESERVE_CALL, &verdict), 0);
        ids[i] = verdict.reservation;
    }
    close_engine(mete, port);
}

static size_t ask_provisional(struct mete_port *port, struct mete_reservation_id after,
                              struct mete_reservation_view views[CALLS])
{
    const struct mete_query query = {.kind = METE_QUERY_PROVISIONAL,
                                     .reservation = after,
                                     .reservations = views,
                                     .rows_max = CALLS};
    struct mete_answer answer;
    assert_int_equal(mete_query(port, &query, &answer), 0);
    return answer.rows_len;
}

static int64_t committed(struct mete_port *port, uint32_t budget)
{
    const struct mete_query query = {.kind = METE_QUERY_BUDGET, .budget = {budget}};
    struct mete_answer answer;
    assert_int_equal(mete_query(port, &query, &answer), 0);
    return answer.budget.committed;
}

/* However they lie: the end of one puts the last of the list in its place. */
static void cut_calls_end_in_the_order_they_were_made_in(void **state)
{
    (void)state;
    struct mete_port *port;
    struct mete_verdict first;
    struct mete_receipt receipt;
    struct mete_reservation_id ids[CALLS];
    struct mete_reservation_view views[CALLS];
    struct mete *mete = open_engine(&port);
    assert_int_equal(help_tree(port, 1000000), 0);
    assert_int_equal(help_reserve(port, "first", HELD, METE_RESERVE_CALL, &first), 0);
    for (int i = 0; i < CALLS; i++) {
        struct mete_verdict verdict;
        char id[16];
        snprintf(id, sizeof id, "call-%d", i);
        assert_int_equal(help_reserve(port, id, HELD, METE_RESERVE_CALL, &verdict), 0);
        ids[i] = verdict.reservation;
    }
    assert_int_equal(help_commit(port, first.reservation, HELD, &receipt), 0);
    close_engine(mete, port);
    mete = open_engine(&port);
    assert_int_equal(ask_provisional(port, (struct mete_reservation_id){0}, views), CALLS);
    uint64_t record = 0;
    for (int i = 0; i < CALLS; i++)
        for (int k = 0; k < CALLS; k++)
            if (views[k].id.n == ids[i].n) {
                assert_true(views[k].record > record);
                record = views[k].record;
            }
    assert_true(record > 0);
    close_engine(mete, port);
}

struct found {
    uint64_t corrects, corrected;
    size_t provisional, corrections;
};

static int note(void *user, const struct records_usage *usage)
{
    struct found *found = user;
    found->provisional += usage->outcome.flags & METE_OUTCOME_PROVISIONAL && !usage->corrects;
    found->corrections += usage->corrects != 0;
    if (usage->corrects && !found->corrects) {
        found->corrects = usage->corrects;
        found->corrected = usage->seq;
    }
    return 0;
}

static int is_named(void *user, const struct records_usage *usage)
{
    const struct found *found = user;
    if (usage->seq == found->corrects)
        assert_true(usage->corrected == found->corrected);
    return 0;
}

static void look_at_records(int64_t cost, size_t corrections)
{
    struct records_reader *reader;
    struct records_totals totals;
    struct found found = {0};
    const struct records_filter all = {.limit = 100}, open = {.limit = 100, .provisional = 1};
    assert_int_equal(records_reader_open(os_system(), directory, &reader), 0);
    assert_int_equal(records_total(reader, &all, &totals), 0);
    assert_true(totals.calls == CALLS && totals.cost_nano[0] == cost);
    assert_int_equal(records_each_usage(reader, &all, note, &found), 0);
    assert_int_equal(found.corrections, corrections);
    assert_int_equal(found.provisional, CALLS);
    assert_int_equal(records_each_usage(reader, &all, is_named, &found), 0);
    struct found left = {0};
    assert_int_equal(records_each_usage(reader, &open, note, &left), 0);
    assert_int_equal(left.provisional, CALLS - corrections);
    assert_int_equal(left.corrections, 0);
    records_reader_close(reader);
}

static void what_a_stop_cut_is_settled_and_every_sum_is_right(void **state)
{
    (void)state;
    struct mete_reservation_id ids[CALLS];
    cut_calls(ids);
    clock_us += INT64_C(3600000000); /* the minutes are over, their windows stay */
    struct mete_port *port;
    struct mete *mete = open_engine(&port);
    struct mete_reservation_view views[CALLS];
    assert_int_equal(ask_provisional(port, (struct mete_reservation_id){0}, views), CALLS);
    int64_t worst = 0, truth = 0, euros = 0;
    for (int i = 0; i < CALLS; i++) {
        assert_true(views[i].state == METE_EXPIRED && views[i].record > 0);
        assert_true(views[i].amounts_len == 1);
        worst += views[i].amounts[0].fixed;
    }
    assert_true(committed(port, 1) == worst && worst == CALLS * HELD + 15);
    struct mete_receipt receipt;
    static const int64_t used[CALLS] = {0, 1, HELD - 7, HELD + 3, HELD + 4, 2 * HELD};
    for (int i = 0; i < CALLS; i++) {
        if (i == CALLS / 2) { /* a base in between, and a restart */
            uint64_t seq;
            assert_int_equal(mete_cut(mete, &seq), 0);
            close_engine(mete, port);
            is_clean();
            mete = open_engine(&port);
        }
        assert_int_equal(help_commit(port, ids[i], used[i], &receipt), 0);
        assert_true(receipt.corrected && !receipt.repeated && receipt.cost == used[i]);
        truth += used[i];
        euros += (used[i] * 5 * 2 + 7) / 14; /* no half can be */
        assert_true(ask_provisional(port, (struct mete_reservation_id){0}, views) ==
                    (size_t)(CALLS - 1 - i));
    }
    assert_true(committed(port, 1) == truth && committed(port, 2) == euros);
    assert_int_equal(help_commit(port, ids[3], used[3], &receipt), 0);
    assert_true(receipt.repeated && receipt.corrected);
    assert_int_equal(help_commit(port, ids[3], 5, &receipt), METE_E_ENDED);
    struct mete_answer before, after;
    assert_int_equal(help_ask(port, METE_QUERY_STATS, &before), 0);
    assert_true(before.stats.corrections == CALLS && before.stats.drift == 0);
    assert_int_equal(help_ask(port, METE_QUERY_HASH, &before), 0);
    close_engine(mete, port);
    is_clean();
    look_at_records(truth, CALLS);
    mete = open_engine(&port);
    assert_int_equal(help_ask(port, METE_QUERY_HASH, &after), 0);
    assert_memory_equal(before.hash, after.hash, sizeof before.hash);
    close_engine(mete, port);
}

static void the_rest_stays_provisional_in_the_records(void **state)
{
    (void)state;
    struct mete_reservation_id ids[CALLS];
    cut_calls(ids);
    struct mete_port *port;
    struct mete *mete = open_engine(&port);
    struct mete_receipt receipt;
    assert_int_equal(help_commit(port, ids[2], HELD, &receipt), 0);
    struct mete_reservation_view views[CALLS];
    assert_int_equal(ask_provisional(port, (struct mete_reservation_id){0}, views), CALLS - 1);
    uint64_t third = views[2].id.n;
    assert_int_equal(ask_provisional(port, views[1].id, views), CALLS - 3);
    assert_true(views[0].id.n == third);
    close_engine(mete, port);
    is_clean();
    look_at_records(CALLS * HELD + 15 - 2, 1);
}

static int set_up(void **state)
{
    (void)state;
    clock_us = INT64_C(1700000000000000);
    return temp_make(directory, sizeof directory);
}

static int tear_down(void **state)
{
    (void)state;
    return temp_remove(directory);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(what_a_stop_cut_is_settled_and_every_sum_is_right),
                                       TEST(cut_calls_end_in_the_order_they_were_made_in),
                                       TEST(the_rest_stays_provisional_in_the_records)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
