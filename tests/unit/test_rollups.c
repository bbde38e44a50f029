/* SPDX-License-Identifier: Apache-2.0
 * Proves that what rollups tell is what a naive sum over the calls tells: for any range of
 * quarters, level, filter and grouping, whether the calls wait in cells, are in quarters or in
 * days, after the file was opened anew, and after records and quarters were removed by age; that a
 * file of before the rollups gets them; and that pages miss nothing and tell nothing twice. */
#include "store/rollups.h"
#include "store/records.h"
#include "unit/temp.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { CALLS = 6000, METERS = 6, TAGS = 3, KEYS = 40 };
static const int64_t begin_us = INT64_C(20000) * 86400 * 1000000 + INT64_C(5) * ROLLUPS_BUCKET_US;

static char directory[64];
static struct records *records;

static int set_up(void **state)
{
    (void)state;
    return temp_make(directory, sizeof directory) || records_open(os_system(), directory, &records)
               ? -1
               : 0;
}

static int tear_down(void **state)
{
    (void)state;
    records_close(records);
    return temp_remove(directory);
}

static void open_anew(void)
{
    records_close(records);
    records = NULL;
    assert_int_equal(records_open(os_system(), directory, &records), 0);
}

static uint64_t random_state;
static uint32_t draw(uint32_t below)
{
    random_state = random_state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)((random_state >> 33) % below);
}

/* ---- Calls, and what they come to by adding each ----------------------------------------------
 */

struct call {
    struct records_usage usage;
    struct mete_usage meters[METERS];
    char tags[TAGS * 8];
};
static struct call calls[CALLS];
static size_t calls_len;

static const char *const models[] = {"gpt-4o", "claude", "o3", "", "qwen"};
static const char *const providers[] = {"openai", "anthropic", ""};

static void draw_meters(struct call *call)
{
    size_t len = 0;
    int64_t sign = call->usage.corrects && draw(2) ? -1 : 1;
    if (draw(10))
        call->meters[len++] = (struct mete_usage){
            METE_COST, draw(4) ? METE_USD : METE_CURRENCY('E', 'U', 'R'), sign * draw(1 << 30)};
    if (draw(20) == 0 && len)
        call->meters[len++] =
            (struct mete_usage){METE_COST, METE_CURRENCY('C', 'H', 'F'), sign * draw(1000)};
    call->meters[len++] = (struct mete_usage){METE_INPUT, 0, sign * draw(5000)};
    call->meters[len++] = (struct mete_usage){METE_OUTPUT, 0, sign * draw(900)};
    if (!draw(3))
        call->meters[len++] = (struct mete_usage){METE_CACHED_INPUT, 0, sign * draw(200)};
    if (!draw(5))
        call->meters[len++] = (struct mete_usage){draw(2) ? METE_IMAGES : METE_METER_CUSTOM + 2, 0,
                                                  sign * (1 + draw(9))};
    call->usage.usage = call->meters;
    call->usage.usage_len = len;
}

static void draw_tags(struct call *call)
{
    uint32_t len = draw(TAGS + 1);
    size_t at = 0;
    for (uint32_t i = 0; i < len; i++)
        at += (size_t)snprintf(call->tags + at, sizeof call->tags - at, "%st%u", at ? "\n" : "",
                               i * 3 + draw(3));
    call->usage.tags = (struct slice){call->tags, at};
}

/* Three organizations, each with departments 10x+1 and 10x+2, users and keys; users move. */
static void draw_call(struct call *call, uint64_t seq, int64_t at_us)
{
    uint32_t key = draw(KEYS), user = key / 4, organization = 1 + user % 3;
    bool has_key = draw(5) != 0, has_user = draw(7) != 0;
    *call =
        (struct call){.usage = {.seq = seq,
                                .organization = {organization},
                                .department = {draw(4) ? organization * 10 + 1 + draw(2) : 0},
                                .user = {has_user ? 100 + user : 0},
                                .key = {has_key ? 200 + key : 0},
                                .model = slice_of(models[draw(5)]),
                                .provider = slice_of(providers[draw(3)]),
                                .started_us = at_us - 1000,
                                .ended_us = at_us,
                                .state = METE_COMMITTED,
                                .corrects = seq > 5 && !draw(9) ? seq * 7 : 0,
                                .outcome = {.ending = draw(8) ? METE_ENDED_OK : METE_ENDED_TIMEOUT,
                                            .status = draw(9) ? 200 : 500,
                                            .latency_ms = draw(3) ? draw(3000) : 0}}};
    call->usage.scope = has_key ? call->usage.key : call->usage.organization;
    draw_meters(call);
    draw_tags(call);
}

/* More calls, in batches of any length, over some days. */
static void put_calls(size_t len)
{
    int64_t at_us = calls_len ? calls[calls_len - 1].usage.ended_us : begin_us;
    while (len) {
        size_t batch = 1 + draw(300);
        assert_int_equal(records_begin(records), 0);
        for (; batch && len; batch--, len--) {
            struct call *call = &calls[calls_len];
            at_us += draw(draw(20) ? 20000000 : 2000000000);
            draw_call(call, calls_len + 2, at_us);
            assert_int_equal(records_put_usage(records, &call->usage), 0);
            calls_len++;
        }
        assert_int_equal(records_end(records, calls_len + 1), 0);
    }
}

static bool has_tag(struct slice tags, const char *wanted)
{
    char text[64], tag[32];
    snprintf(text, sizeof text, "\n%.*s\n", (int)tags.len, tags.data);
    snprintf(tag, sizeof tag, "\n%s\n", wanted);
    return strstr(text, tag) != NULL;
}

static uint32_t scope_of(const struct records_usage *usage, enum rollups_level level)
{
    switch (level) {
    case ROLLUPS_ORGANIZATION:
    case ROLLUPS_TAG:
        return usage->organization.n;
    case ROLLUPS_DEPARTMENT:
        return usage->department.n;
    case ROLLUPS_USER:
        return usage->user.n;
    case ROLLUPS_KEY:
        return usage->key.n;
    }
    return 0;
}

static bool fits(uint32_t wanted, uint32_t found)
{
    return !wanted || wanted == found;
}

static bool is_asked(const struct rollups_question *q, const struct records_usage *usage)
{
    uint32_t bucket = (uint32_t)(usage->ended_us / ROLLUPS_BUCKET_US),
             scope = scope_of(usage, q->level);
    char tag[16];
    snprintf(tag, sizeof tag, "%.*s", (int)q->tag.len, q->tag.data);
    return bucket >= q->from && bucket < q->to && scope && fits(q->scope.n, scope) &&
           fits(q->organization.n, usage->organization.n) &&
           fits(q->department.n, usage->department.n) && fits(q->user.n, usage->user.n) &&
           (!q->model.len || slice_equal(q->model, usage->model)) &&
           (!q->provider.len || slice_equal(q->provider, usage->provider)) &&
           (q->level != ROLLUPS_TAG || has_tag(usage->tags, tag));
}

struct naive {
    int64_t calls, failures, cache_hits, timed, latency_ms, usd, chf, input, output, total, images,
        custom;
};

static int64_t amount_of(const struct records_usage *usage, unsigned meter, uint32_t currency)
{
    for (size_t i = 0; i < usage->usage_len; i++)
        if (usage->usage[i].meter == meter && usage->usage[i].currency == currency)
            return usage->usage[i].amount;
    return 0;
}

static struct naive naive_sum(const struct rollups_question *q, struct slice group)
{
    struct naive sum = {0};
    for (size_t i = 0; i < calls_len; i++) {
        const struct records_usage *usage = &calls[i].usage;
        struct slice found = q->by == ROLLUPS_BY_MODEL ? usage->model : usage->provider;
        if (!is_asked(q, usage) || (q->by > ROLLUPS_BY_SCOPE && !slice_equal(group, found)))
            continue;
        if (!usage->corrects) {
            sum.calls++;
            sum.failures += usage->outcome.ending != METE_ENDED_OK || usage->outcome.status >= 400;
            sum.cache_hits += amount_of(usage, METE_CACHED_INPUT, 0) > 0;
            sum.timed += usage->outcome.latency_ms > 0;
            sum.latency_ms += usage->outcome.latency_ms;
        }
        sum.usd += amount_of(usage, METE_COST, METE_USD);
        sum.chf += amount_of(usage, METE_COST, METE_CURRENCY('C', 'H', 'F'));
        sum.input += amount_of(usage, METE_INPUT, 0);
        sum.output += amount_of(usage, METE_OUTPUT, 0);
        sum.images += amount_of(usage, METE_IMAGES, 0);
        sum.custom += amount_of(usage, METE_METER_CUSTOM + 2, 0);
    }
    sum.total = sum.input + sum.output;
    return sum;
}

static struct naive told_sum(const struct rollups_rows *rows, uint32_t id)
{
    struct naive sum = {0};
    for (size_t i = 0; i < rows->len; i++) {
        const struct rollups_row *row = &rows->at[i];
        if (row->id != id)
            continue;
        sum.calls += row->sums.calls;
        sum.failures += row->sums.failures;
        sum.cache_hits += row->sums.cache_hits;
        sum.timed += row->sums.timed;
        sum.latency_ms += row->sums.latency_ms;
        sum.input += row->sums.input;
        sum.output += row->sums.output;
        sum.total += row->sums.total_tokens;
        if (!row->meter && row->currency == METE_USD)
            sum.usd += row->sums.amount;
        if (!row->meter && row->currency == METE_CURRENCY('C', 'H', 'F'))
            sum.chf += row->sums.amount;
        if (row->meter == METE_IMAGES)
            sum.images += row->sums.amount;
        if (row->meter == METE_METER_CUSTOM + 2)
            sum.custom += row->sums.amount;
    }
    return sum;
}

/* ---- Questions ------------------------------------------------------------------------------- */

static struct rollups_question draw_question(void)
{
    static const char *const tags[] = {"t0", "t4", "t7", "nobody's"};
    uint32_t first = (uint32_t)(begin_us / ROLLUPS_BUCKET_US);
    uint32_t last = (uint32_t)(calls[calls_len - 1].usage.ended_us / ROLLUPS_BUCKET_US) + 2;
    struct rollups_question q = {.level = 1 + draw(5), .by = draw(4), .limit = 1000};
    q.from = first - 2 + draw(last - first);
    q.to = q.from + draw(last - q.from + 3);
    q.organization.n = draw(2) ? 1 + draw(3) : 0;
    if (q.level == ROLLUPS_DEPARTMENT && !draw(3))
        q.scope.n = 11 + draw(2);
    if (q.level == ROLLUPS_USER && !draw(3))
        q.scope.n = 100 + draw(10);
    if (q.level == ROLLUPS_KEY && !draw(3))
        q.scope.n = 200 + draw(KEYS);
    if (q.level == ROLLUPS_USER || q.level == ROLLUPS_KEY)
        q.department.n = draw(4) ? 0 : 11;
    if (q.level == ROLLUPS_KEY)
        q.user.n = draw(4) ? 0 : 100 + draw(10);
    if (q.level == ROLLUPS_TAG)
        q.tag = slice_of(tags[draw(4)]);
    if (q.scope.n && !q.organization.n)
        q.organization.n = q.level == ROLLUPS_DEPARTMENT ? 1
                           : q.level == ROLLUPS_USER     ? 1 + (q.scope.n - 100) % 3
                                                         : 1 + (q.scope.n - 200) / 4 % 3;
    q.model = slice_of(draw(4) ? "" : models[draw(3)]);
    q.provider = slice_of(draw(4) ? "" : providers[draw(2)]);
    return q;
}

static void compare_group(const struct rollups_question *q, const struct rollups_rows *rows,
                          uint32_t id, struct slice name)
{
    struct rollups_question one = *q;
    if (q->by == ROLLUPS_BY_SCOPE && q->level != ROLLUPS_TAG)
        one.scope.n = id;
    struct naive wanted = naive_sum(&one, name), got = told_sum(rows, id);
    assert_memory_equal(&wanted, &got, sizeof wanted);
}

/* A group that is told, or that should be. */
static void compare_all(struct rollups_view *view, const struct rollups_question *q,
                        struct rollups_rows *rows)
{
    int64_t calls_told = 0, calls_there = 0;
    assert_int_equal(rollups_ask(view, q, rows), 0);
    for (size_t i = 0; i < rows->len; i++) {
        struct slice name = {0};
        calls_told += rows->at[i].sums.calls;
        if (q->by > ROLLUPS_BY_SCOPE)
            assert_int_equal(rollups_name(view, rows->at[i].id, &name), 0);
        if (!i || rows->at[i].id != rows->at[i - 1].id)
            compare_group(q, rows, rows->at[i].id, name);
    }
    for (size_t i = 0; i < calls_len; i++)
        calls_there += is_asked(q, &calls[i].usage) && !calls[i].usage.corrects;
    assert_int_equal(calls_told, calls_there);
}

static void ask_much(int questions)
{
    struct records_reader *reader;
    struct rollups_view *view;
    struct rollups_rows rows = {0};
    assert_int_equal(records_reader_open(os_system(), directory, &reader), 0);
    assert_int_equal(rollups_view_open(reader, &view), 0);
    for (int i = 0; i < questions; i++) {
        struct rollups_question q = draw_question();
        compare_all(view, &q, &rows);
    }
    rollups_rows_done(&rows);
    rollups_view_close(view);
    records_reader_close(reader);
}

static void tend(struct records_keep keep)
{
    int more = 1;
    while (more)
        assert_int_equal(records_tend(records, &keep, &more), 0);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void rollups_tell_what_a_naive_sum_tells(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        random_state = seed;
        calls_len = 0;
        put_calls(1500);
        ask_much(60);
        open_anew();
        ask_much(30);
        put_calls(1500);
        tend((struct records_keep){0});
        ask_much(60);
        put_calls(1500);
        ask_much(60);
        if (seed == 3)
            break;
        assert_int_equal(tear_down(NULL), 0);
        assert_int_equal(set_up(NULL), 0);
    }
}

static int64_t count_rows(const char *sql)
{
    char path[128];
    sqlite3 *db;
    sqlite3_stmt *row;
    snprintf(path, sizeof path, "%s/records.db", directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    sqlite3_close(db);
    return number;
}

static void sums_stay_exact_when_records_are_removed(void **state)
{
    (void)state;
    random_state = 77;
    calls_len = 0;
    put_calls(3000);
    int64_t cut_us = calls[2000].usage.ended_us;
    struct records_reader *reader;
    struct records_removed removed;
    tend((struct records_keep){.usage_from_us = cut_us});
    assert_int_equal(records_reader_open(os_system(), directory, &reader), 0);
    assert_int_equal(records_reader_removed(reader, &removed), 0);
    records_reader_close(reader);
    size_t first = 0;
    while (calls[first].usage.ended_us < cut_us)
        first++;
    assert_int_equal(removed.usage, calls[first].usage.seq - 1);
    assert_int_equal(count_rows("SELECT count(*) FROM usage"), 3000 - first);
    assert_int_equal(
        count_rows("SELECT count(*) FROM detail"),
        count_rows("SELECT count(*) FROM detail WHERE seq IN (SELECT seq FROM usage)"));
    ask_much(80);
    open_anew();
    put_calls(500);
    ask_much(80);
    tend((struct records_keep){.usage_from_us = INT64_MAX}); /* those that wait in cells too */
    assert_int_equal(count_rows("SELECT count(*) FROM usage"), 0);
    ask_much(80);
    open_anew();
    put_calls(500);
    ask_much(40);
}

static void whole_days_stay_when_quarters_are_removed(void **state)
{
    (void)state;
    random_state = 5;
    calls_len = 0;
    put_calls(6000);
    int64_t days = (calls[5999].usage.ended_us - begin_us) / 86400000000;
    assert_true(days >= 3);
    int64_t cut_us = begin_us + 2 * INT64_C(86400000000);
    tend((struct records_keep){.usage_from_us = cut_us, .quarters_from_us = cut_us});
    struct records_reader *reader;
    struct rollups_view *view;
    struct rollups_rows rows = {0};
    assert_int_equal(records_reader_open(os_system(), directory, &reader), 0);
    assert_int_equal(rollups_view_open(reader, &view), 0);
    uint32_t from = rollups_quarters_from(view), first, end;
    assert_int_equal(from % ROLLUPS_DAY_BUCKETS, 0);
    assert_int_equal(from, cut_us / ROLLUPS_BUCKET_US / 96 * 96);
    rollups_extent(view, &first, &end);
    assert_int_equal(first, begin_us / ROLLUPS_BUCKET_US / 96 * 96);
    for (int i = 0; i < 60; i++) {
        struct rollups_question q = draw_question();
        q.from = q.from < from ? q.from / 96 * 96 : q.from;
        q.to = q.to <= from ? q.to / 96 * 96 : q.to;
        compare_all(view, &q, &rows);
    }
    struct rollups_question q = {
        .level = ROLLUPS_ORGANIZATION, .from = from - 50, .to = end, .limit = 1};
    assert_int_equal(rollups_ask(view, &q, &rows), METE_E_NOT_FOUND);
    q.from = first;
    q.to = from - 30;
    assert_int_equal(rollups_ask(view, &q, &rows), METE_E_NOT_FOUND);
    rollups_rows_done(&rows);
    rollups_view_close(view);
    records_reader_close(reader);
}

static void a_file_of_before_the_rollups_gets_them(void **state)
{
    (void)state;
    char path[128];
    sqlite3 *db;
    random_state = 9;
    calls_len = 0;
    put_calls(3000);
    records_close(records);
    records = NULL;
    snprintf(path, sizeof path, "%s/records.db", directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "DROP TABLE rollup; DROP TABLE stretch; DROP TABLE name;"
                                  "DROP INDEX entity_list; DROP TABLE audit;"
                                  "DELETE FROM meta WHERE name NOT IN ('last_seq', 'labels_from');"
                                  "PRAGMA user_version=2",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(records_open(os_system(), directory, &records), 0);
    ask_much(60);
    put_calls(200);
    tend((struct records_keep){0});
    ask_much(60);
}

static void pages_miss_nothing_and_tell_nothing_twice(void **state)
{
    (void)state;
    struct records_reader *reader;
    struct rollups_view *view;
    struct rollups_rows all = {0}, page = {0};
    random_state = 3;
    calls_len = 0;
    put_calls(2000);
    assert_int_equal(records_reader_open(os_system(), directory, &reader), 0);
    assert_int_equal(rollups_view_open(reader, &view), 0);
    for (int by = ROLLUPS_BY_SCOPE; by <= ROLLUPS_BY_PROVIDER; by++) {
        struct rollups_question q = {
            .level = ROLLUPS_KEY, .by = (enum rollups_by)by, .limit = 1000, .to = UINT32_MAX};
        assert_int_equal(rollups_ask(view, &q, &all), 0);
        assert_true(all.len > 0 && !all.more);
        q.limit = 2;
        size_t at = 0;
        do {
            assert_int_equal(rollups_ask(view, &q, &page), 0);
            assert_true(page.groups == 2 || !page.more);
            assert_true(at + page.len <= all.len);
            assert_memory_equal(page.at, all.at + at, page.len * sizeof *page.at);
            at += page.len;
            q.first = page.len ? page.at[page.len - 1].id + 1 : 0;
        } while (page.more);
        assert_int_equal(at, all.len);
    }
    rollups_rows_done(&all);
    rollups_rows_done(&page);
    rollups_view_close(view);
    records_reader_close(reader);
}

static void sums_that_do_not_fit_are_refused_not_wrapped(void **state)
{
    (void)state;
    struct mete_usage most = {METE_COST, METE_USD, METE_AMOUNT_MAX};
    struct records_reader *reader;
    struct rollups_view *view;
    struct rollups_rows rows = {0};
    for (uint64_t seq = 1; seq <= 6; seq++) {
        const struct records_usage usage = {.seq = seq,
                                            .organization = {1},
                                            .scope = {1},
                                            .ended_us = begin_us + (int64_t)(seq / 4) * 2 *
                                                                       INT64_C(86400000000),
                                            .usage = &most,
                                            .usage_len = 1,
                                            .state = METE_COMMITTED};
        assert_int_equal(records_begin(records), 0);
        assert_int_equal(records_put_usage(records, &usage), 0);
        assert_int_equal(records_end(records, seq), 0);
    }
    tend((struct records_keep){0});
    assert_int_equal(records_reader_open(os_system(), directory, &reader), 0);
    assert_int_equal(rollups_view_open(reader, &view), 0);
    struct rollups_question q = {.level = ROLLUPS_ORGANIZATION, .to = UINT32_MAX, .limit = 1};
    assert_int_equal(rollups_ask(view, &q, &rows), METE_E_TOO_LARGE);
    rollups_rows_done(&rows);
    rollups_view_close(view);
    records_reader_close(reader);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(rollups_tell_what_a_naive_sum_tells),
        CASE(sums_stay_exact_when_records_are_removed),
        CASE(whole_days_stay_when_quarters_are_removed),
        CASE(a_file_of_before_the_rollups_gets_them),
        CASE(pages_miss_nothing_and_tell_nothing_twice),
        CASE(sums_that_do_not_fit_are_refused_not_wrapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
