/* SPDX-License-Identifier: Apache-2.0
 * Proves that records read back as they were put, that every field of a filter filters, that a
 * batch is there whole or not at all with its last_seq, and that readers see what is committed. */
#include "base/limits.h"
#include "store/records.h"
#include "unit/temp.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static char directory[64];
static struct records *records;
static struct records_reader *reader;

static int set_up(void **state)
{
    (void)state;
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

#define TEXT(literal) ((struct mete_text){(literal), sizeof(literal) - 1})

/* Details with the provider's id "up-1". */
static const char packed[] = {8, 4, 'u', 'p', '-', '1'};

/* Record seq: key 4 + seq % 2 of user 3, department 2, organization 1, ended at seq * 10. */
static struct records_usage usage_of(uint64_t seq, struct mete_usage meters[3])
{
    meters[0] = (struct mete_usage){METE_OUTPUT, 0, 0};
    meters[1] = (struct mete_usage){METE_COST, METE_USD, (int64_t)seq * 1000};
    meters[2] = (struct mete_usage){METE_METER_CUSTOM + 1, 0, 77};
    struct mete_scope_id key = {4 + (uint32_t)(seq % 2)};
    return (struct records_usage){
        .seq = seq,
        .reservation = seq + 5,
        .scope = key,
        .organization = {1},
        .department = {2},
        .user = {3},
        .key = key,
        .request_id = seq % 3 ? slice_of("") : slice_of("call-3"),
        .model = seq % 2 ? slice_of("gpt-4o") : slice_of("claude"),
        .provider = slice_of("openai"),
        .started_us = (int64_t)seq * 10 - 3,
        .ended_us = (int64_t)seq * 10,
        .state = METE_COMMITTED,
        .overrun = seq % 5 == 0,
        .usage = meters,
        .usage_len = 3,
        .session = seq % 4 ? slice_of("") : slice_of("chat 7"),
        .tags = seq % 4 == 1 ? slice_of("red")
                : seq % 4    ? slice_of("")
                             : slice_of("re\nblue\nd"),
        .fingerprint = seq % 4 == 2 ? UINT64_MAX - seq : 0,
        .details = seq % 4 ? slice_of("") : (struct slice){packed, sizeof packed},
        .outcome = {.ending = METE_ENDED_CUT,
                    .flags = METE_OUTCOME_COUNTED,
                    .status = 200,
                    .attempts = 2,
                    .latency_ms = 12,
                    .first_token_ms = 3,
                    .price_list = TEXT("2025-01"),
                    .note = TEXT("{\"tag\":1}")},
    };
}

static void put_usages(uint64_t from, uint64_t to)
{
    assert_int_equal(records_begin(records), 0);
    for (uint64_t seq = from; seq < to; seq++) {
        struct mete_usage meters[3];
        struct records_usage usage = usage_of(seq, meters);
        assert_int_equal(records_put_usage(records, &usage), 0);
    }
    assert_int_equal(records_end(records, to), 0);
}

struct found {
    size_t len;
    uint64_t seq[64];
};

static int note(void *user, const struct records_usage *usage)
{
    struct found *found = user;
    found->seq[found->len++] = usage->seq;
    return 0;
}

static struct found find(struct records_filter filter)
{
    struct found found = {0};
    filter.limit = filter.limit ? filter.limit : 64;
    assert_int_equal(records_each_usage(reader, &filter, note, &found), 0);
    return found;
}

static int compare(void *user, const struct records_usage *got)
{
    ++*(int *)user;
    struct mete_usage meters[3];
    struct records_usage put = usage_of(got->seq, meters);
    assert_int_equal(got->reservation, put.reservation);
    assert_int_equal(got->scope.n, put.scope.n);
    assert_int_equal(got->organization.n, 1);
    assert_int_equal(got->department.n, 2);
    assert_int_equal(got->user.n, 3);
    assert_int_equal(got->key.n, put.key.n);
    assert_true(slice_equal(got->request_id, put.request_id));
    assert_true(slice_equal(got->model, put.model));
    assert_true(slice_equal(got->provider, put.provider));
    assert_true(slice_equal(got->session, put.session) && slice_equal(got->tags, put.tags));
    assert_true(slice_equal(got->details, put.details) && got->fingerprint == put.fingerprint);
    assert_int_equal(got->started_us, put.started_us);
    assert_int_equal(got->ended_us, put.ended_us);
    assert_int_equal(got->state, METE_COMMITTED);
    assert_int_equal(got->overrun, put.overrun);
    assert_int_equal(got->usage_len, 3);
    assert_int_equal(got->usage[0].meter, METE_COST);
    assert_int_equal(got->usage[0].currency, METE_USD);
    assert_int_equal(got->usage[0].amount, (int64_t)got->seq * 1000);
    assert_int_equal(got->usage[1].meter, METE_OUTPUT);
    assert_int_equal(got->usage[1].amount, 0);
    assert_int_equal(got->usage[2].meter, METE_METER_CUSTOM + 1);
    assert_int_equal(got->usage[2].amount, 77);
    assert_int_equal(got->outcome.ending, METE_ENDED_CUT);
    assert_int_equal(got->outcome.flags, METE_OUTCOME_COUNTED);
    assert_int_equal(got->outcome.status, 200);
    assert_int_equal(got->outcome.attempts, 2);
    assert_int_equal(got->outcome.latency_ms, 12);
    assert_int_equal(got->outcome.first_token_ms, 3);
    assert_memory_equal(got->outcome.price_list.data, "2025-01", got->outcome.price_list.len);
    assert_memory_equal(got->outcome.note.data, "{\"tag\":1}", got->outcome.note.len);
    return 0;
}

static void usage_reads_back(void **state)
{
    (void)state;
    put_usages(1, 11);
    int count = 0;
    struct records_filter all = {.limit = 100};
    assert_int_equal(records_each_usage(reader, &all, compare, &count), 0);
    assert_int_equal(count, 10);
    uint64_t last_seq;
    assert_int_equal(records_reader_last_seq(reader, &last_seq), 0);
    assert_int_equal(last_seq, 11);
}

static void every_field_of_a_filter_filters(void **state)
{
    (void)state;
    put_usages(1, 21);
    assert_int_equal(find((struct records_filter){0}).len, 20);
    assert_int_equal(find((struct records_filter){0}).seq[0], 20);
    assert_int_equal(find((struct records_filter){.limit = 3}).len, 3);
    assert_int_equal(find((struct records_filter){.before_seq = 5}).seq[0], 4);
    assert_int_equal(find((struct records_filter){.before_seq = 5}).len, 4);
    assert_int_equal(find((struct records_filter){.model = slice_of("claude")}).len, 10);
    assert_int_equal(find((struct records_filter){.request_id = slice_of("call-3")}).len, 6);
    assert_int_equal(find((struct records_filter){.request_id = slice_of("call-4")}).len, 0);
    assert_int_equal(find((struct records_filter){.scope = {5}}).len, 10);
    assert_int_equal(find((struct records_filter){.from_us = 100}).len, 11);
    assert_int_equal(find((struct records_filter){.from_us = 101}).len, 10);
    assert_int_equal(find((struct records_filter){.to_us = 100}).len, 9);
    assert_int_equal(find((struct records_filter){.from_us = 50, .to_us = 60}).len, 1);
    assert_int_equal(find((struct records_filter){.from_us = 500}).len, 0);
    assert_int_equal(find((struct records_filter){.provider = slice_of("openai")}).len, 20);
    assert_int_equal(find((struct records_filter){.provider = slice_of("azure")}).len, 0);
    assert_int_equal(find((struct records_filter){.session = slice_of("chat 7")}).len, 5);
    assert_int_equal(find((struct records_filter){.session = slice_of("chat")}).len, 0);
    assert_int_equal(find((struct records_filter){.ending = 1 + METE_ENDED_CUT}).len, 20);
    assert_int_equal(find((struct records_filter){.ending = 1 + METE_ENDED_OK}).len, 0);
    assert_int_equal(find((struct records_filter){.status = 200}).len, 20);
    assert_int_equal(find((struct records_filter){.status = 404}).len, 0);
    assert_int_equal(find((struct records_filter){.upstream_id = slice_of("up-1")}).len, 5);
    assert_int_equal(find((struct records_filter){.upstream_id = slice_of("up-")}).len, 0);
    assert_int_equal(find((struct records_filter){
                              .upstream_id = slice_of("up-1"), .before_seq = 12, .scope = {4}})
                         .len,
                     2);
}

static void a_tag_is_one_of_a_record_s_whole_tags(void **state)
{
    (void)state;
    put_usages(1, 21);
    assert_int_equal(find((struct records_filter){.tag = slice_of("red")}).len, 5);
    assert_int_equal(find((struct records_filter){.tag = slice_of("re")}).len, 5);
    assert_int_equal(find((struct records_filter){.tag = slice_of("blue")}).len, 5);
    assert_int_equal(find((struct records_filter){.tag = slice_of("d")}).len, 5);
    assert_int_equal(find((struct records_filter){.tag = slice_of("lue")}).len, 0);
    struct records_filter both = {.tag = slice_of("blue"), .session = slice_of("chat 7")};
    assert_int_equal(find(both).len, 5);
    both.tag = slice_of("red");
    assert_int_equal(find(both).len, 0);
}

static void one_is_found_by_its_number(void **state)
{
    (void)state;
    put_usages(1, 21);
    assert_int_equal(find((struct records_filter){.seq = 7}).len, 1);
    assert_int_equal(find((struct records_filter){.seq = 7}).seq[0], 7);
    assert_int_equal(find((struct records_filter){.seq = 7, .scope = {4}}).len, 0);
    assert_int_equal(find((struct records_filter){.seq = 7, .before_seq = 7}).len, 0);
    assert_int_equal(find((struct records_filter){.seq = 70}).len, 0);
    assert_int_equal(find((struct records_filter){.seq = UINT64_MAX}).len, 0);
}

/* Makes of the file what the version before would have. */
static void make_version_1(void)
{
    char path[128];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/records.db", directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "DROP TABLE detail; DROP TABLE upstream; DROP INDEX entity_list;"
                                  "DROP TABLE audit; DROP TABLE rollup; DROP TABLE stretch;"
                                  "DROP TABLE name; DELETE FROM meta WHERE name <> 'last_seq';"
                                  "PRAGMA user_version=1",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
}

static int has_none(void *user, const struct records_usage *got)
{
    ++*(int *)user;
    assert_true(!got->session.len && !got->tags.len && !got->details.len && !got->fingerprint);
    assert_true(slice_is(got->provider, "openai"));
    return 0;
}

static void a_file_of_version_1_is_read_and_brought_up(void **state)
{
    (void)state;
    const struct records_filter all = {.limit = 100};
    uint64_t from = 99;
    int count = 0;
    put_usages(1, 9);
    assert_int_equal(records_reader_labels_from(reader, &from), 0);
    assert_int_equal(from, 0);
    records_reader_close(reader);
    records_close(records);
    records = NULL;
    make_version_1();
    assert_int_equal(records_reader_open(os_system(), directory, &reader), 0);
    assert_int_equal(records_each_usage(reader, &all, has_none, &count), 0);
    assert_int_equal(count, 8);
    assert_int_equal(find((struct records_filter){.session = slice_of("chat 7")}).len, 0);
    assert_int_equal(find((struct records_filter){.upstream_id = slice_of("up-1")}).len, 0);
    assert_int_equal(records_reader_labels_from(reader, &from), 0);
    assert_int_equal(from, 9); /* whatever there is */
    records_reader_close(reader);
    assert_int_equal(records_open(os_system(), directory, &records), 0);
    assert_int_equal(records_last_seq(records), 9);
    put_usages(10, 13);
    assert_int_equal(records_reader_open(os_system(), directory, &reader), 0);
    assert_int_equal(find((struct records_filter){0}).len, 11);
    assert_int_equal(find((struct records_filter){.upstream_id = slice_of("up-1")}).seq[0], 12);
    assert_int_equal(records_reader_labels_from(reader, &from), 0);
    assert_int_equal(from, 9);
    records_close(records); /* the second time there is nothing to do */
    assert_int_equal(records_open(os_system(), directory, &records), 0);
    assert_int_equal(records_reader_labels_from(reader, &from), 0);
    assert_int_equal(from, 9);
}

static struct records_entity entity_of(int kind, uint32_t handle, uint32_t parent, const char *id)
{
    return (struct records_entity){.kind = kind,
                                   .handle = handle,
                                   .organization = {1},
                                   .parent = {parent},
                                   .id = slice_of(id),
                                   .document = slice_of("{}"),
                                   .seq = handle,
                                   .at_us = 5,
                                   .actor = slice_of("root")};
}

static void a_scope_is_found_anywhere_on_the_path(void **state)
{
    (void)state;
    const struct records_entity scopes[] = {
        entity_of(METE_ORGANIZATION, 1, 0, "acme"), entity_of(METE_DEPARTMENT, 2, 1, "dev"),
        entity_of(METE_USER, 3, 2, "ann"),          entity_of(METE_API_KEY, 4, 3, "k4"),
        entity_of(METE_API_KEY, 5, 3, "k5"),        entity_of(METE_ADVERTISER, 6, 1, "a6"),
        entity_of(METE_CAMPAIGN, 7, 6, "c7"),
    };
    assert_int_equal(records_begin(records), 0);
    for (size_t i = 0; i < sizeof scopes / sizeof scopes[0]; i++)
        assert_int_equal(records_put_entity(records, &scopes[i]), 0);
    assert_int_equal(records_end(records, 10), 0);
    put_usages(11, 21);
    assert_int_equal(records_begin(records), 0);
    struct mete_usage meters[3];
    struct records_usage campaign = usage_of(30, meters);
    campaign.scope.n = 7;
    campaign.department.n = campaign.user.n = campaign.key.n = 0;
    assert_int_equal(records_put_usage(records, &campaign), 0);
    assert_int_equal(records_end(records, 30), 0);
    for (uint32_t scope = 1; scope <= 7; scope++) {
        static const size_t wanted[] = {0, 11, 10, 10, 5, 5, 1, 1};
        assert_int_equal(find((struct records_filter){.scope = {scope}}).len, wanted[scope]);
    }
}

static void totals_are_exact_per_currency(void **state)
{
    (void)state;
    put_usages(1, 11);
    assert_int_equal(records_begin(records), 0);
    struct mete_usage meters[3];
    struct records_usage other = usage_of(20, meters);
    meters[1].currency = METE_CURRENCY('E', 'U', 'R');
    meters[1].amount = METE_AMOUNT_MAX;
    meters[0].amount = 9;
    assert_int_equal(records_put_usage(records, &other), 0);
    assert_int_equal(records_end(records, 20), 0);
    struct records_totals totals;
    struct records_filter all = {.before_seq = 3, .limit = 1};
    assert_int_equal(records_total(reader, &all, &totals), 0);
    assert_int_equal(totals.calls, 11);
    assert_int_equal(totals.currencies, 2);
    assert_int_equal(totals.currency[0], METE_CURRENCY('E', 'U', 'R'));
    assert_true(totals.cost_nano[0] == METE_AMOUNT_MAX);
    assert_int_equal(totals.cost_nano[1], 55000);
    assert_int_equal(totals.output, 9);
    struct records_filter some = {.scope = {5}, .from_us = 25};
    assert_int_equal(records_total(reader, &some, &totals), 0);
    assert_int_equal(totals.calls, 4);
    assert_int_equal(totals.cost_nano[0], 3000 + 5000 + 7000 + 9000);
}

static int count_entity(void *user, const struct records_entity *entity)
{
    ++*(int *)user;
    assert_true(slice_is(entity->document, "{\"v\":2}") || slice_is(entity->document, "{}"));
    return 0;
}

static int is_second(void *user, const struct records_entity *entity)
{
    *(uint32_t *)user = entity->handle;
    assert_true(slice_is(entity->id, "b"));
    assert_int_equal(entity->organization.n, 1);
    return 0;
}

static void an_ended_budget_leaves_its_id_free(void **state)
{
    (void)state;
    struct records_entity budget = entity_of(RECORDS_BUDGET, 1, 1, "b");
    assert_int_equal(records_begin(records), 0);
    assert_int_equal(records_put_entity(records, &budget), 0);
    budget.document = slice_of("{\"v\":2}");
    budget.seq = 2;
    assert_int_equal(records_put_entity(records, &budget), 0);
    struct records_entity end = {.kind = RECORDS_BUDGET, .handle = 1, .ended = 1, .seq = 3};
    assert_int_equal(records_put_entity(records, &end), 0);
    budget.handle = 2;
    budget.seq = 4;
    assert_int_equal(records_put_entity(records, &budget), 0);
    assert_int_equal(records_end(records, 4), 0);
    uint32_t handle = 0;
    struct mete_scope_id organization = {1};
    assert_int_equal(records_find_entity(reader, RECORDS_BUDGET, organization, slice_of("b"),
                                         is_second, &handle),
                     0);
    assert_int_equal(handle, 2);
    assert_int_equal(records_find_entity(reader, RECORDS_BUDGET, organization, slice_of("c"),
                                         is_second, &handle),
                     METE_E_NOT_FOUND);
    int count = 0;
    assert_int_equal(records_each_entity(reader, RECORDS_BUDGET, (struct mete_scope_id){0}, 0, 9, 0,
                                         count_entity, &count),
                     0);
    assert_int_equal(count, 1);
    assert_int_equal(
        records_each_entity(reader, RECORDS_BUDGET, organization, 0, 9, 1, count_entity, &count),
        0);
    assert_int_equal(count, 3);
    assert_int_equal(
        records_each_entity(reader, RECORDS_BUDGET, organization, 1, 9, 1, count_entity, &count),
        0);
    assert_int_equal(count, 4);
}

/* Rows stay for ever: an end or a move that finds none says that the file has lost it. */
static void an_end_without_a_row_is_damage(void **state)
{
    (void)state;
    struct records_entity end = {.kind = RECORDS_BUDGET, .handle = 1, .ended = 1, .seq = 2};
    assert_int_equal(records_begin(records), 0);
    assert_int_equal(records_put_entity(records, &end), METE_E_CORRUPT);
    struct records_entity move = {
        .kind = METE_USER, .handle = 1, .moved = 1, .parent = {1}, .seq = 2};
    assert_int_equal(records_begin(records), 0);
    assert_int_equal(records_put_entity(records, &move), METE_E_CORRUPT);
}

static int check_event(void *user, const struct mete_event *event)
{
    int n = ++*(int *)user;
    assert_int_equal(event->seq, 7);
    assert_int_equal(event->kind, METE_EVENT_THRESHOLD);
    assert_int_equal(event->threshold_ppm, n * 100);
    assert_int_equal(event->at.us, 3);
    assert_int_equal(event->limit, 1);
    assert_int_equal(event->committed, 2);
    assert_int_equal(event->held, 4);
    return 0;
}

static void events_of_one_entry_keep_their_order(void **state)
{
    (void)state;
    assert_int_equal(records_begin(records), 0);
    for (uint32_t i = 1; i <= 12; i++) {
        struct mete_event event = {.kind = METE_EVENT_THRESHOLD,
                                   .at = {3},
                                   .seq = 7,
                                   .scope = {1},
                                   .budget = {2},
                                   .threshold_ppm = i * 100,
                                   .limit = 1,
                                   .committed = 2,
                                   .held = 4};
        assert_int_equal(records_put_event(records, &event), 0);
    }
    assert_int_equal(records_end(records, 7), 0);
    int count = 0;
    assert_int_equal(records_each_event(reader, 6, 100, check_event, &count), 0);
    assert_int_equal(count, 12);
    assert_int_equal(records_each_event(reader, 7, 100, check_event, &count), 0);
    assert_int_equal(count, 12);
}

/* A batch that does not end is not there; one that fails rolls back as a whole. */
static void a_batch_is_there_whole_or_not_at_all(void **state)
{
    (void)state;
    put_usages(1, 5);
    assert_int_equal(records_begin(records), 0);
    struct mete_usage meters[3];
    struct records_usage usage = usage_of(6, meters);
    assert_int_equal(records_put_usage(records, &usage), 0);
    assert_int_equal(find((struct records_filter){0}).len, 4);
    assert_int_equal(records_put_usage(records, &usage), METE_E_STORAGE); /* its seq is taken */
    assert_int_equal(find((struct records_filter){0}).len, 4);
    assert_int_equal(records_last_seq(records), 5);
    assert_int_equal(records_begin(records), 0);
    records_close(records);
    assert_int_equal(records_open(os_system(), directory, &records), 0);
    assert_int_equal(records_last_seq(records), 5);
    put_usages(6, 8);
    assert_int_equal(find((struct records_filter){0}).len, 6);
}

static void a_newer_file_is_refused(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s/records.db", directory);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=4", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    struct records *second;
    assert_int_equal(records_open(os_system(), directory, &second), METE_E_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(usage_reads_back),
        CASE(every_field_of_a_filter_filters),
        CASE(a_tag_is_one_of_a_record_s_whole_tags),
        CASE(one_is_found_by_its_number),
        CASE(a_file_of_version_1_is_read_and_brought_up),
        CASE(a_scope_is_found_anywhere_on_the_path),
        CASE(totals_are_exact_per_currency),
        CASE(an_ended_budget_leaves_its_id_free),
        CASE(an_end_without_a_row_is_damage),
        CASE(events_of_one_entry_keep_their_order),
        CASE(a_batch_is_there_whole_or_not_at_all),
        CASE(a_newer_file_is_refused),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
