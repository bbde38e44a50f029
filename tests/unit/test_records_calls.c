/* SPDX-License-Identifier: Apache-2.0
 * Proves that records are there by whole batches, that a question is answered in full or not at
 * all, and that a restored directory is whole or not there, whatever call fails: calls_help.h has
 * the rule. */
#include "engine/backup.h"
#include "store/records.h"
#include "unit/calls_help.h"
#include "unit/engine_help.h"

/* ---- Records --------------------------------------------------------------------------------- */

static const struct mete_usage meters[] = {{METE_COST, METE_USD, 1000},
                                           {METE_COST, METE_CURRENCY('E', 'U', 'R'), 7},
                                           {METE_OUTPUT, 0, 5},
                                           {METE_METER_CUSTOM, 0, 3}};

static int put_usage(struct records *records, uint64_t seq)
{
    const struct records_usage usage = {
        .seq = seq,
        .reservation = seq,
        .scope = {4},
        .organization = {1},
        .user = {3},
        .key = {4},
        .request_id = slice_of(seq % 2 ? "call" : ""),
        .model = slice_of("gpt-4o"),
        .provider = slice_of("openai"),
        .started_us = (int64_t)seq * 10,
        .ended_us = (int64_t)seq * 10 + 5,
        .state = METE_COMMITTED,
        .usage = meters,
        .usage_len = 4,
        .outcome = {.flags = seq % 3 ? 0 : METE_OUTCOME_PROVISIONAL, .status = 200}};
    return records_put_usage(records, &usage);
}

static int put_entity(struct records *records, uint64_t seq, int kind, uint32_t handle,
                      uint32_t parent)
{
    char id[16];
    snprintf(id, sizeof id, "e%u", handle);
    const struct records_entity entity = {.kind = kind,
                                          .handle = handle,
                                          .organization = {1},
                                          .parent = {parent},
                                          .id = slice_of(id),
                                          .document = slice_of("{}"),
                                          .seq = seq,
                                          .actor = slice_of("root")};
    return records_put_entity(records, &entity);
}

static int change_entity(struct records *records, uint64_t seq, uint32_t handle, int ended)
{
    const struct records_entity entity = {.kind = METE_USER,
                                          .handle = handle,
                                          .parent = {9},
                                          .ended = ended,
                                          .moved = !ended,
                                          .seq = seq,
                                          .actor = slice_of("root")};
    return records_put_entity(records, &entity);
}

/* Entries first + 1 to first + 6 in one batch. */
static int put_batch(struct records *records, uint64_t first)
{
    uint32_t handle = (uint32_t)first;
    const struct mete_event event = {.seq = first + 1, .kind = METE_EVENT_THRESHOLD, .limit = 5};
    int error = records_begin(records);
    if (!error)
        error = put_usage(records, first + 1);
    if (!error)
        error = records_put_event(records, &event);
    if (!error)
        error = records_put_event(records, &event);
    if (!error)
        error = put_entity(records, first + 2, METE_USER, handle + 1, 1);
    if (!error)
        error = put_entity(records, first + 3, RECORDS_BUDGET, handle + 1, handle + 1);
    if (!error)
        error = change_entity(records, first + 4, handle + 1, 0);
    if (!error)
        error = change_entity(records, first + 5, handle + 1, 1);
    return error ? error : records_end(records, first + 6);
}

enum { BATCH = 6, BATCHES = 3 };

/* A batch that failed is not there, and can be put again: its records are still in use. */
static int put_batches(struct records *records, struct told *told)
{
    int first_error = 0;
    for (int tries = 0; tries < 2; tries++) {
        int error = 0;
        while (!error && records_last_seq(records) < (uint64_t)BATCHES * BATCH) {
            error = put_batch(records, records_last_seq(records));
            if (!error)
                told->steps = records_last_seq(records);
        }
        first_error = first_error ? first_error : error;
    }
    return first_error;
}

static int live_records(struct told *told)
{
    struct records *records;
    int error = records_open(os_system(), directory, &records);
    if (error)
        return error;
    error = put_batches(records, told);
    if (!error)
        error = records_flush(records, records_last_seq(records));
    records_close(records);
    return error;
}

static int count_one(void *user, const struct records_usage *usage)
{
    assert_int_equal(usage->usage_len, 4);
    ++*(uint64_t *)user;
    return 0;
}

static int count_event(void *user, const struct mete_event *event)
{
    assert_int_equal(event->limit, 5);
    ++*(uint64_t *)user;
    return 0;
}

static int count_entity(void *user, const struct records_entity *entity)
{
    assert_true(slice_equal(entity->actor, slice_of("root")));
    ++*(uint64_t *)user;
    return 0;
}

/* Whole batches, all that were told, and as many as the records say. */
static void look_at_records(const struct told *told)
{
    struct records *records;
    struct records_reader *reader;
    uint64_t last = 0, usage = 0, events = 0, entities = 0;
    const struct records_filter all = {.limit = 100};
    const struct mete_scope_id any = {0};
    assert_int_equal(records_open(os_system(), directory, &records), 0);
    assert_int_equal(records_reader_open(os_system(), directory, &reader), 0);
    assert_int_equal(records_reader_last_seq(reader, &last), 0);
    assert_int_equal(last, records_last_seq(records));
    assert_true(last >= told->steps && last % BATCH == 0);
    assert_int_equal(records_each_usage(reader, &all, count_one, &usage), 0);
    assert_int_equal(records_each_event(reader, 0, 0, count_event, &events), 0);
    assert_int_equal(
        records_each_entity(reader, RECORDS_BUDGET, any, 0, 0, 1, count_entity, &entities), 0);
    assert_int_equal(usage, last / BATCH);
    assert_int_equal(events, 2 * last / BATCH);
    assert_int_equal(entities, last / BATCH);
    records_reader_close(reader);
    records_close(records);
}

static void make_records(void)
{
    struct records *records;
    struct told nothing = {0};
    assert_int_equal(records_open(os_system(), directory, &records), 0);
    assert_int_equal(put_batches(records, &nothing), 0);
    assert_int_equal(records_begin(records), 0);
    assert_int_equal(put_entity(records, 100, METE_USER, 3, 1), 0);
    assert_int_equal(put_entity(records, 101, METE_ORGANIZATION, 1, 0), 0);
    assert_int_equal(put_entity(records, 102, RECORDS_BUDGET, 50, 3), 0);
    const struct mete_event event = {.seq = 102, .budget = {50}, .limit = 5};
    assert_int_equal(records_put_event(records, &event), 0);
    assert_int_equal(records_put_event(records, &event), 0);
    assert_int_equal(records_end(records, 102), 0);
    records_close(records);
}

static int ask_usage(struct records_reader *reader, struct told *told,
                     const struct records_filter *filter)
{
    uint64_t count = 0;
    struct records_totals totals;
    int error = records_each_usage(reader, filter, count_one, &count);
    if (error)
        return error;
    tell(told, count);
    error = records_total(reader, filter, &totals);
    if (!error) {
        tell(told, totals.calls);
        tell(told, (uint64_t)totals.cost_nano[0]);
    }
    return error;
}

static int count_owner(void *user, struct mete_scope_id owner)
{
    *(uint64_t *)user += owner.n;
    return 0;
}

static int count_budget_event(void *user, const struct mete_event *event, uint32_t n)
{
    assert_true(event->limit == 5 && n < 2);
    *(uint64_t *)user += 1 + event->seq;
    return 0;
}

/* Owners of budgets, and events of budgets from a place on. */
static int ask_owners(struct records_reader *reader, struct told *told)
{
    const struct records_event_filter filters[] = {
        {.organization = {1}, .limit = 10},
        {.organization = {1}, .before_seq = 7, .before_n = 1, .limit = 10},
        {.organization = {1}, .before_seq = UINT64_MAX, .limit = 1}};
    uint64_t owners = 0;
    int error = records_each_owner(reader, RECORDS_BUDGET, filters[0].organization, 0, 10,
                                   count_owner, &owners);
    if (!error) { /* the others have ended */
        assert_int_equal(owners, 3);
        tell(told, owners);
    }
    static const uint64_t wanted[] = {2 * 103, 0, 103};
    for (size_t i = 0; !error && i < 3; i++) {
        uint64_t events = 0;
        error = records_each_budget_event(reader, &filters[i], count_budget_event, &events);
        if (!error) {
            assert_int_equal(events, wanted[i]);
            tell(told, events);
        }
    }
    return error;
}

static int ask_entities(struct records_reader *reader, struct told *told)
{
    const struct mete_scope_id acme = {1};
    uint64_t entities = 0, found = 0, events = 0;
    int error = records_each_entity(reader, METE_USER, acme, 0, 10, 1, count_entity, &entities);
    if (!error)
        error = records_find_entity(reader, METE_USER, acme, slice_of("e3"), count_entity, &found);
    if (!error)
        error = records_each_event(reader, 0, 10, count_event, &events);
    if (error)
        return error;
    tell(told, entities);
    tell(told, found);
    tell(told, events);
    return records_find_entity(reader, METE_USER, acme, slice_of("nobody"), count_entity, &found) ==
                   METE_E_NOT_FOUND
               ? 0
               : METE_E_STORAGE;
}

static int ask_cursor(struct records_reader *reader, struct told *told)
{
    struct records_cursor *cursor;
    struct records_usage usage;
    struct mete_event event;
    uint64_t count = 0;
    int found = 1;
    int error = records_cursor_open(reader, 0, &cursor);
    if (error)
        return error;
    while (!error && found) {
        error = records_cursor_usage(cursor, &usage, &found);
        count += !error && found;
    }
    for (found = 1; !error && found;) {
        error = records_cursor_event(cursor, &event, &found);
        count += !error && found;
    }
    if (!error) /* beyond the end there is still nothing */
        error = records_cursor_event(cursor, &event, &found);
    if (!error)
        tell(told, count + (uint64_t)found);
    records_cursor_close(cursor);
    return error;
}

static int ask_all(struct records_reader *reader, struct told *told)
{
    const struct records_filter filters[] = {
        {.limit = 10},
        {.scope = {1}, .from_us = 60, .to_us = 10000, .limit = 10},
        {.scope = {3}, .model = slice_of("gpt-4o"), .request_id = slice_of("call"), .limit = 10},
        {.provisional = 1, .before_seq = 10, .limit = 10}};
    uint64_t last = 0;
    int error = records_reader_last_seq(reader, &last);
    if (!error)
        tell(told, last);
    for (int i = 0; !error && i < 4; i++)
        error = ask_usage(reader, told, &filters[i]);
    if (!error)
        error = ask_cursor(reader, told);
    if (!error)
        error = ask_owners(reader, told);
    return error ? error : ask_entities(reader, told);
}

static int ask_records(struct told *told)
{
    struct records_reader *reader;
    int error = records_reader_open(os_system(), directory, &reader);
    if (error)
        return error;
    error = ask_all(reader, told);
    records_reader_close(reader);
    return error;
}

static void nothing_changed(const struct told *told)
{
    (void)told;
    struct told again = {0};
    assert_int_equal(ask_records(&again), 0);
    assert_int_equal(again.figures[0], 102);
}

static int go_on(void *user)
{
    (void)user;
    return 0;
}

static int copy_records(struct told *told)
{
    const struct records_pace pace = {go_on, NULL};
    uint64_t last_seq;
    int error = records_copy(os_system(), directory, other, &pace, &last_seq);
    if (!error)
        tell(told, last_seq);
    if (!error)
        told->steps = last_seq;
    return error;
}

static void look_at_copied_records(const struct told *told)
{
    struct records_reader *reader;
    uint64_t last = 0, count = 0;
    const struct records_filter all = {.limit = 100};
    nothing_changed(told);
    if (!told->steps)
        return;
    assert_int_equal(records_reader_open(os_system(), other, &reader), 0);
    assert_int_equal(records_reader_last_seq(reader, &last), 0);
    assert_int_equal(last, told->steps);
    assert_int_equal(records_each_usage(reader, &all, count_one, &count), 0);
    assert_int_equal(count, BATCHES);
    records_reader_close(reader);
}

/* ---- Restoring ------------------------------------------------------------------------------- */

static char restored[96];

/* A data directory with all there may be in one. */
static void make_data(void)
{
    const struct mete_options options = {.directory = directory, .no_audit = 1, .scopes_max = 64};
    struct mete *mete;
    struct mete_port *port;
    struct mete_verdict verdict;
    uint64_t seq;
    char path[128];
    snprintf(restored, sizeof restored, "%s/restored", directory);
    assert_int_equal(mete_open(&options, &mete), 0);
    assert_int_equal(mete_port_open(mete, &port), 0);
    assert_int_equal(help_tree(port, 1000), 0);
    assert_int_equal(mete_cut(mete, &seq), 0);
    assert_int_equal(help_reserve(port, "", 10, 0, &verdict), 0);
    mete_port_close(port);
    mete_close(mete);
    snprintf(path, sizeof path, "%s/secret.key", directory);
    FILE *key = fopen(path, "w");
    assert_non_null(key);
    fputs("key", key);
    fclose(key);
}

static int restore(struct told *told)
{
    struct verify_report report;
    int error = engine_restore(directory, restored, &report);
    if (!error) {
        told->steps = report.last_seq;
        tell(told, report.entries);
    }
    return error;
}

/* All of it, or nothing that anybody would take for it. */
static void look_at_restored(const struct told *told)
{
    struct verify_report report;
    struct stat found;
    char path[128];
    snprintf(path, sizeof path, "%s/secret.key", restored);
    if (!told->steps && stat(restored, &found))
        return;
    assert_int_equal(engine_verify(restored, &report), 0);
    assert_true(!told->steps || report.last_seq == told->steps);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_size, 3);
}

/* ---- The tests ------------------------------------------------------------------------------- */

LIFE(batches_of_records_that_fail_are_not_there, NULL, live_records, look_at_records, 9)
LIFE(a_question_to_records_tells_all_or_fails, make_records, ask_records, nothing_changed, 9)
LIFE(a_copy_of_records_that_fails_says_so, make_records, copy_records, look_at_copied_records, 9)
LIFE(a_restore_that_fails_leaves_all_or_nothing, make_data, restore, look_at_restored, 61)

static int tear_down(void **state)
{
    (void)state;
    return temp_remove(directory);
}

int main(void)
{
    memory_step = 331;
    memory_ends = 20;
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_teardown(name, tear_down)
        CASE(batches_of_records_that_fail_are_not_there),
        CASE(a_question_to_records_tells_all_or_fails),
        CASE(a_copy_of_records_that_fails_says_so),
        CASE(a_restore_that_fails_leaves_all_or_nothing),
#undef CASE
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
