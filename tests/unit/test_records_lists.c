/* SPDX-License-Identifier: Apache-2.0
 * Proves that what a list or a report of one organization reads does not grow with the other
 * organizations: counted in steps of SQLite's machine, which no load of a machine changes. A list
 * that is found without its index takes a step for each entity there is. */
#include "store/records.h"
#include "store/records_file.h"
#include "store/rollups.h"
#include "unit/temp.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { ENTITIES = 8 /* of each organization */, FEW = 20, MANY = 400, STEP = 8 };

static char directory[64];
static struct records *records;
static struct records_reader *reader;
static uint32_t organizations;
static uint64_t last_seq;

static void put(int kind, uint32_t handle, uint32_t organization)
{
    char id[32];
    snprintf(id, sizeof id, "e%u", handle);
    const struct records_entity entity = {.kind = kind,
                                          .handle = handle,
                                          .organization = {organization},
                                          .parent = {organization},
                                          .id = slice_of(id),
                                          .document = slice_of("{}"),
                                          .seq = ++last_seq,
                                          .at_us = 5,
                                          .actor = slice_of("root")};
    assert_int_equal(records_put_entity(records, &entity), 0);
}

/* Handles of all kinds but budgets are one sequence, as the ledger gives them. */
static void put_organizations(uint32_t upto)
{
    assert_int_equal(records_begin(records), 0);
    while (organizations < upto) {
        uint32_t first = 1 + organizations++ * (1 + 2 * ENTITIES);
        put(METE_ORGANIZATION, first, first);
        for (uint32_t i = 1; i <= ENTITIES; i++) {
            put(METE_USER, first + i, first);
            put(METE_API_KEY, first + ENTITIES + i, first);
            put(RECORDS_BUDGET, first + i, first);
        }
    }
    assert_int_equal(records_end(records, last_seq), 0);
}

static int set_up(void **state)
{
    (void)state;
    organizations = 0;
    last_seq = 0;
    if (temp_make(directory, sizeof directory) || records_open(os_system(), directory, &records))
        return -1;
    return records_reader_open(os_system(), directory, &reader);
}

static int tear_down(void **state)
{
    (void)state;
    records_reader_close(reader);
    records_close(records);
    return temp_remove(directory);
}

/* ---- Steps ------------------------------------------------------------------------------------
 */

static int count_step(void *user)
{
    ++*(size_t *)user;
    return 0;
}

static int count_entity(void *user, const struct records_entity *entity)
{
    (void)entity;
    ++*(size_t *)user;
    return 0;
}

static void list_newest(int kind)
{
    size_t found = 0;
    struct mete_scope_id newest = {1 + (organizations - 1) * (1 + 2 * ENTITIES)};
    assert_int_equal(
        records_each_entity(reader, kind, newest, 0, ENTITIES + 1, 0, count_entity, &found), 0);
    assert_int_equal(found, ENTITIES);
}

static void find_newest(int kind)
{
    size_t found = 0;
    char id[32];
    struct mete_scope_id newest = {1 + (organizations - 1) * (1 + 2 * ENTITIES)};
    snprintf(id, sizeof id, "e%u", newest.n + (kind == METE_API_KEY ? ENTITIES : 0) + 1);
    assert_int_equal(records_find_entity(reader, kind, newest, slice_of(id), count_entity, &found),
                     0);
    assert_int_equal(found, 1);
}

static int no_usage(void *user, const struct records_usage *usage)
{
    (void)user;
    (void)usage;
    return 0;
}

static void list_calls_of_newest(int kind)
{
    struct mete_scope_id newest = {1 + (organizations - 1) * (1 + 2 * ENTITIES)};
    uint32_t part = kind == METE_API_KEY ? ENTITIES + 1 : kind == METE_USER ? 1 : 0;
    const struct records_filter filter = {.scope = {newest.n + part}, .limit = 10};
    assert_int_equal(records_each_usage(reader, &filter, no_usage, NULL), 0);
}

/* All that a report asks before it looks at any sum. */
static void open_report(int kind)
{
    (void)kind;
    struct rollups_view *view;
    assert_int_equal(rollups_view_open(reader, &view), 0);
    rollups_view_close(view);
}

static size_t steps_of(void (*ask)(int kind), int kind)
{
    size_t steps = 0;
    ask(kind); /* its statements are prepared, which is not what is counted */
    sqlite3_progress_handler(records_reader_db(reader), STEP, count_step, &steps);
    ask(kind);
    sqlite3_progress_handler(records_reader_db(reader), 0, NULL, NULL);
    return steps;
}

static void what_is_read_does_not_grow_with_other_organizations(void **state)
{
    (void)state;
    static const struct {
        void (*ask)(int kind);
        int kind;
    } asked[] = {{list_newest, METE_USER},
                 {list_newest, METE_API_KEY},
                 {list_newest, RECORDS_BUDGET},
                 {find_newest, METE_USER},
                 {find_newest, METE_API_KEY},
                 {list_calls_of_newest, METE_ORGANIZATION},
                 {list_calls_of_newest, METE_USER},
                 {list_calls_of_newest, METE_API_KEY},
                 {open_report, 0}};
    enum { LEN = sizeof asked / sizeof asked[0] };
    size_t few[LEN];
    put_organizations(FEW);
    for (size_t i = 0; i < LEN; i++)
        few[i] = steps_of(asked[i].ask, asked[i].kind);
    put_organizations(MANY);
    for (size_t i = 0; i < LEN; i++)
        assert_in_range(steps_of(asked[i].ask, asked[i].kind), 0, few[i] + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(
        what_is_read_does_not_grow_with_other_organizations, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
