/* SPDX-License-Identifier: Apache-2.0
 * Proves what the headers of src/store say of errors: every call that the store makes into SQLite,
 * for a plain file or for memory is made to fail, each in turn, once and from there on, with every
 * kind of error.
 *
 * THE RULE
 *   A function answers as it does when nothing fails, or with an error that its header names for
 *   what failed; never another answer, and never a wrong error.
 *   Memory and connections are given back.
 *   Afterwards, on a disk that works again, everything that was told to be durable is there, and
 *   nothing is there in part. */
#include "fault/alloc.h"
#include "fault/calls.h"
#include "store/journal.h"
#include "store/records.h"
#include "store/snapshot.h"
#include "unit/temp.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* What a life told before its end. */
enum { TOLD = 64 };

struct told {
    uint64_t steps;         /* that were told to be done */
    uint64_t figures[TOLD]; /* what was answered */
    size_t figures_len;
};

struct life {
    const char *name;
    void (*prepare)(void);                 /* of what it finds; NULL */
    int (*live)(struct told *told);        /* under failures: 0, or the first error */
    void (*look)(const struct told *told); /* afterwards, with none */
};

static char directory[64], other[80];

static void tell(struct told *told, uint64_t figure)
{
    assert_true(told->figures_len < TOLD);
    told->figures[told->figures_len++] = figure;
}

/* ---- The journal ----------------------------------------------------------------------------- */

enum { GROUPS = 10, GROUP_LEN = 200000 };

static bool is_large; /* so that groups are moved to their place meanwhile */

static struct journal_group group_of(uint64_t seq, char room[GROUP_LEN])
{
    size_t len = seq % 4 && is_large ? GROUP_LEN : 500;
    memset(room, (int)seq, len);
    return (struct journal_group){seq, 1, {room, len}};
}

static int check_group(void *user, const struct journal_group *group)
{
    static char room[GROUP_LEN];
    const struct journal_group wanted = group_of(group->first_seq, room);
    assert_true(slice_equal(wanted.entries, group->entries));
    ++*(uint64_t *)user;
    return 0;
}

static int append(struct journal *journal, uint64_t upto, struct told *told)
{
    static char room[GROUP_LEN];
    int error = 0;
    for (uint64_t seq = journal_last_seq(journal) + 1; !error && seq <= upto; seq++) {
        const struct journal_group group = group_of(seq, room);
        error = journal_append(journal, &group);
        if (!error && told)
            told->steps = seq;
        if (!error)
            error = journal_tidy(journal);
    }
    return error;
}

static int live_journal(struct told *told)
{
    struct journal *journal;
    uint64_t found = 0;
    int error = journal_open(os_system(), directory, 0, &journal);
    if (error)
        return error;
    error = journal_read(journal, NULL, check_group, &found, NULL);
    if (!error)
        error = append(journal, GROUPS, told);
    journal_close(journal);
    return error;
}

/* All that was told, and at most one group more. */
static void look_at_journal(const struct told *told)
{
    struct journal *journal;
    uint64_t found = 0;
    char detail[256] = "";
    assert_int_equal(journal_open(os_system(), directory, 0, &journal), 0);
    if (journal_read(journal, NULL, check_group, &found, detail))
        fail_msg("%s", detail);
    assert_in_range(journal_last_seq(journal), told->steps, told->steps + 1);
    journal_close(journal);
}

static int live_large_journal(struct told *told)
{
    is_large = true;
    return live_journal(told);
}

static void make_journal(void)
{
    struct told nothing = {0};
    assert_int_equal(live_journal(&nothing), 0);
}

static int read_on(struct told *told, int read_only)
{
    struct journal *journal;
    uint64_t found = 0;
    char detail[256] = "";
    int error = journal_open(os_system(), directory, read_only, &journal);
    if (error)
        return error;
    error = journal_read(journal, NULL, check_group, &found, detail);
    if (!error) {
        uint8_t head[JOURNAL_HASH];
        journal_head(journal, head);
        tell(told, found);
        tell(told, journal_last_seq(journal));
        tell(told, head[0]);
        tell(told, journal_bytes(journal));
    }
    journal_close(journal);
    return error;
}

static int read_journal(struct told *told)
{
    return read_on(told, 0);
}

static int read_journal_only(struct told *told)
{
    return read_on(told, 1);
}

static void all_is_there(const struct told *told)
{
    (void)told;
    const struct told all = {.steps = GROUPS};
    look_at_journal(&all);
}

static struct journal_mark mark_at(struct journal *journal, uint64_t seq, uint8_t *room)
{
    struct journal_mark mark = {0};
    struct journal_piece piece = {room, 0, JOURNAL_PIECE_MIN};
    uint64_t found = 0;
    while (mark.seq < seq) {
        assert_int_equal(journal_fetch(journal, mark.seq, 1, &piece), 0);
        assert_int_equal(journal_unfold(&piece, &mark, check_group, &found, NULL), 0);
    }
    return mark;
}

static struct journal_mark base;
static uint8_t piece_room[JOURNAL_PIECE_MIN];

static void make_journal_to_cut(void)
{
    struct journal *journal;
    uint64_t found = 0;
    make_journal();
    assert_int_equal(journal_open(os_system(), directory, 0, &journal), 0);
    assert_int_equal(journal_read(journal, NULL, check_group, &found, NULL), 0);
    base = mark_at(journal, 9, piece_room);
    journal_close(journal);
}

static int cut_all(struct journal *journal, struct told *told)
{
    int more = 1;
    int error = journal_cut(journal, &base);
    if (!error)
        told->steps = base.seq;
    if (!error) /* again is nothing */
        error = journal_cut(journal, &base);
    while (!error && more)
        error = journal_cut_step(journal, &more);
    return error;
}

static int live_cut(struct told *told)
{
    struct journal *journal;
    uint64_t found = 0;
    int error = journal_open(os_system(), directory, 0, &journal);
    if (error)
        return error;
    error = journal_read(journal, &base, check_group, &found, NULL);
    if (!error)
        tell(told, found);
    if (!error)
        error = cut_all(journal, told);
    journal_close(journal);
    return error;
}

/* It begins where it was told to, or still at its beginning; nothing between. */
static void look_at_cut(const struct told *told)
{
    struct journal *journal;
    struct journal_mark found_base;
    uint64_t found = 0;
    int more = 1;
    assert_int_equal(journal_open(os_system(), directory, 0, &journal), 0);
    assert_int_equal(journal_read(journal, NULL, check_group, &found, NULL), 0);
    journal_base(journal, &found_base);
    assert_true(found_base.seq == base.seq || (found_base.seq == 0 && told->steps == 0));
    assert_int_equal(found, GROUPS - found_base.seq);
    assert_int_equal(journal_last_seq(journal), GROUPS);
    while (found_base.seq && more)
        assert_int_equal(journal_cut_step(journal, &more), 0);
    assert_int_equal(append(journal, GROUPS + 2, NULL), 0);
    journal_close(journal);
}

static int copy_on(struct journal *from, struct journal *to, struct told *told)
{
    struct journal_piece piece = {piece_room, 0, JOURNAL_PIECE_MIN};
    int error = 0;
    do {
        error = journal_fetch(from, journal_last_seq(to), 65536, &piece);
        if (!error)
            error = journal_adopt(to, &piece);
        if (!error)
            told->steps = journal_last_seq(to);
    } while (!error && piece.len);
    return error;
}

static int live_copy(struct told *told)
{
    struct journal *from = NULL, *to = NULL;
    uint64_t found = 0;
    int error = journal_open(os_system(), directory, 0, &from);
    if (!error)
        error = journal_read(from, NULL, check_group, &found, NULL);
    if (!error)
        error = journal_open(os_system(), other, 0, &to);
    if (!error)
        error = journal_begin_at(to, &base);
    if (!error)
        error = copy_on(from, to, told);
    journal_close(from);
    journal_close(to);
    return error;
}

static void look_at_copy(const struct told *told)
{
    struct journal *journal;
    uint64_t found = 0;
    all_is_there(told);
    if (!told->steps)
        return;
    assert_int_equal(journal_open(os_system(), other, 0, &journal), 0);
    assert_int_equal(journal_read(journal, NULL, check_group, &found, NULL), 0);
    assert_true(journal_last_seq(journal) >= told->steps);
    journal_close(journal);
}

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
    assert_int_equal(records_end(records, 101), 0);
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
    assert_int_equal(again.figures[0], 101);
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

/* ---- Snapshots ------------------------------------------------------------------------------- */

enum { PIECES = 3 };

static int write_snapshot(const char *to, uint64_t seq, struct told *told)
{
    static char bytes[SNAPSHOT_PIECE_MAX];
    struct snapshot_head head = {.mark.seq = seq, .at_us = 7};
    struct snapshot_writer *writer;
    uint8_t hash[SNAPSHOT_HASH];
    int error = snapshot_begin(to, &head, &writer);
    if (error)
        return error;
    for (int i = 0; !error && i < PIECES; i++) {
        memset(bytes, i, sizeof bytes);
        error = snapshot_put(writer, (struct slice){bytes, i ? sizeof bytes : 10});
    }
    if (error) {
        snapshot_abandon(writer);
        return error;
    }
    error = snapshot_end(writer, hash);
    if (!error && told)
        told->steps |= UINT64_C(1) << seq;
    return error;
}

static int live_snapshots(struct told *told)
{
    uint64_t seqs[8];
    size_t len = 0;
    struct snapshot_head head;
    uint8_t hash[SNAPSHOT_HASH];
    int error = write_snapshot(directory, 5, told);
    if (!error)
        error = write_snapshot(directory, 6, told);
    if (!error)
        error = snapshot_list(directory, seqs, 8, &len);
    if (!error)
        tell(told, len);
    if (!error)
        error = snapshot_check(directory, 6, &head, hash);
    if (!error) {
        tell(told, (uint64_t)head.at_us);
        tell(told, hash[0]);
        error = snapshot_copy(directory, other, 6);
    }
    if (!error)
        error = snapshot_remove(directory, 5);
    if (!error)
        told->steps &= ~(UINT64_C(1) << 5);
    return error;
}

/* What has a name is whole, and what was told is there. */
static void look_at(const char *at, uint64_t told)
{
    uint64_t seqs[8];
    size_t len;
    snapshot_tidy(at);
    assert_int_equal(snapshot_list(at, seqs, 8, &len), 0);
    for (size_t i = 0; i < len; i++) {
        struct snapshot_head head;
        uint8_t hash[SNAPSHOT_HASH];
        assert_int_equal(snapshot_check(at, seqs[i], &head, hash), 0);
        told &= ~(UINT64_C(1) << seqs[i]);
    }
    assert_int_equal(told, 0);
}

static void look_at_snapshots(const struct told *told)
{
    look_at(directory, told->steps);
    look_at(other, 0);
}

/* ---- One failure ----------------------------------------------------------------------------- */

static void fresh(void)
{
    (void)temp_remove(directory);
    snprintf(directory, sizeof directory, "/dev/shm/mete-test-XXXXXX");
    if (!mkdtemp(directory))
        assert_int_equal(temp_make(directory, sizeof directory), 0);
    snprintf(other, sizeof other, "%s/other", directory);
    assert_int_equal(mkdir(other, 0700), 0);
}

enum { MEMORY = CALLS_SHORT + 1 };

static void arm(uint64_t nth, int kind, bool is_sticky)
{
    alloc_arm(kind == MEMORY ? nth : 0, is_sticky);
    calls_arm(kind == MEMORY ? 0 : nth, kind == MEMORY ? CALLS_IOERR : (enum calls_kind)kind,
              is_sticky);
}

/* STORAGE is what may be said of anything on the disk; the others only of what they name. */
static bool may_say(int kind, int error)
{
    static const int names[] = {METE_E_STORAGE, METE_E_STORAGE, METE_E_CORRUPT,
                                METE_E_LOCKED,  METE_E_MEMORY,  0,
                                METE_E_MEMORY};
    return error == names[kind] || (error == METE_E_STORAGE && kind != CALLS_SHORT);
}

/* True: the life was over before its nth call. */
static bool fail_at(const struct life *life, const struct told *usual, uint64_t nth, int kind,
                    bool is_sticky)
{
    struct told told = {0};
    fresh();
    if (life->prepare)
        life->prepare();
    arm(nth, kind, is_sticky);
    int error = life->live(&told);
    bool struck = kind == MEMORY ? alloc_struck() : calls_struck();
    char what[160];
    snprintf(what, sizeof what, "%s: %s, call %llu%s of kind %d", life->name, calls_name(),
             (unsigned long long)nth, is_sticky ? " and all after it" : "", kind);
    if (alloc_live())
        fail_msg("%s: %lld bytes or blocks are left", what, (long long)alloc_live());
    arm(0, 0, false);
    if (error ? !struck || !may_say(kind, error) : told.steps != usual->steps)
        fail_msg("%s: %s", what, mete_error_name(error));
    for (size_t i = 0; i < told.figures_len; i++)
        if (told.figures[i] != usual->figures[i])
            fail_msg("%s: figure %zu is %llu", what, i, (unsigned long long)told.figures[i]);
    life->look(&told);
    return !struck;
}

static void fail_everywhere(const struct life *life)
{
    struct told usual = {0};
    fresh();
    if (life->prepare)
        life->prepare();
    int error = life->live(&usual);
    if (error)
        fail_msg("%s: %s", life->name, mete_error_name(error));
    life->look(&usual);
    for (int kind = 0; kind <= MEMORY; kind++) {
        uint64_t points = 1, step = kind == MEMORY ? 41 : 1;
        while (!fail_at(life, &usual, points, kind, false) &&
               !fail_at(life, &usual, points, kind, true))
            points += step;
        assert_true(points > 3 || kind == CALLS_SHORT);
    }
}

#define LIFE(test, prepare, live, look)                                                            \
    static void test(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        static const struct life life = {#live, prepare, live, look};                              \
        fail_everywhere(&life);                                                                    \
    }

LIFE(what_a_failing_journal_acknowledged_is_there, NULL, live_large_journal, look_at_journal)
LIFE(a_journal_that_cannot_be_read_says_so, make_journal, read_journal, all_is_there)
LIFE(so_it_does_to_who_only_reads, make_journal, read_journal_only, all_is_there)
LIFE(a_cut_that_fails_is_made_or_not, make_journal_to_cut, live_cut, look_at_cut)
LIFE(a_copy_of_a_journal_that_fails_says_so, make_journal, live_copy, look_at_copy)
LIFE(batches_of_records_that_fail_are_not_there, NULL, live_records, look_at_records)
LIFE(a_question_to_records_tells_all_or_fails, make_records, ask_records, nothing_changed)
LIFE(a_copy_of_records_that_fails_says_so, make_records, copy_records, look_at_copied_records)
LIFE(a_snapshot_that_fails_has_no_name, NULL, live_snapshots, look_at_snapshots)

static int set_up(void **state)
{
    (void)state;
    alloc_init(true);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    is_large = false;
    return temp_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_teardown(name, tear_down)
        CASE(what_a_failing_journal_acknowledged_is_there),
        CASE(a_journal_that_cannot_be_read_says_so),
        CASE(so_it_does_to_who_only_reads),
        CASE(a_cut_that_fails_is_made_or_not),
        CASE(a_copy_of_a_journal_that_fails_says_so),
        CASE(batches_of_records_that_fail_are_not_there),
        CASE(a_question_to_records_tells_all_or_fails),
        CASE(a_copy_of_records_that_fails_says_so),
        CASE(a_snapshot_that_fails_has_no_name),
#undef CASE
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
