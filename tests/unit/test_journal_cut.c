/* SPDX-License-Identifier: Apache-2.0
 * Proves that a journal can be read in pieces beside appending, and that a cut one begins at its
 * base: what was before it is gone and not missed, what is behind it holds on to the base's chain
 * hash, and a kill between base and deletion leaves nothing that is read. */
#include "store/journal.h"
#include "unit/temp.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static char directory[64];

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

/* Groups of three entries whose bytes follow from their number. */
enum { COUNT = 3 };

static size_t bytes_of(uint64_t first_seq, char room[8192])
{
    size_t len = 100 + first_seq * 7919 % 8000;
    for (size_t i = 0; i < len; i++)
        room[i] = (char)(first_seq + i);
    return len;
}

struct found {
    uint64_t groups, last_seq;
};

static int match(void *user, const struct journal_group *group)
{
    struct found *found = user;
    char room[8192];
    struct slice wanted = {room, bytes_of(group->first_seq, room)};
    assert_int_equal(group->count, COUNT);
    assert_true(slice_equal(group->entries, wanted));
    found->groups++;
    found->last_seq = group->first_seq + group->count - 1;
    return 0;
}

static void append(struct journal *journal, int groups)
{
    for (int i = 0; i < groups; i++) {
        char room[8192];
        uint64_t first_seq = journal_last_seq(journal) + 1;
        struct journal_group group = {first_seq, COUNT, {room, bytes_of(first_seq, room)}};
        assert_int_equal(journal_append(journal, &group), 0);
        assert_int_equal(journal_tidy(journal), 0);
    }
}

static struct journal *opened(int read_only, struct found *ret_found)
{
    struct journal *journal;
    *ret_found = (struct found){0};
    assert_int_equal(journal_open(os_system(), directory, read_only, &journal), 0);
    assert_int_equal(journal_read(journal, NULL, match, ret_found, NULL), 0);
    return journal;
}

static struct journal_mark mark_now(const struct journal *journal)
{
    struct journal_mark mark = {.seq = journal_last_seq(journal)};
    journal_head(journal, mark.head);
    return mark;
}

static void cut_away(struct journal *journal, const struct journal_mark *mark)
{
    assert_int_equal(journal_cut(journal, mark), 0);
    int more = 1, steps = 0;
    while (more) {
        assert_int_equal(journal_cut_step(journal, &more), 0);
        assert_int_equal(journal_tidy(journal), 0);
        steps++;
    }
    assert_true(steps > 1);
}

static int64_t rows(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/journal.db", directory);
    sqlite3 *db;
    sqlite3_stmt *count;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM journal", -1, &count, NULL), 0);
    assert_int_equal(sqlite3_step(count), SQLITE_ROW);
    int64_t found = sqlite3_column_int64(count, 0);
    sqlite3_finalize(count);
    sqlite3_close(db);
    return found;
}

static void what_was_appended_comes_back_in_pieces(void **state)
{
    (void)state;
    struct found found;
    struct journal *journal = opened(0, &found);
    append(journal, 200);
    struct journal_piece piece = {malloc(JOURNAL_PIECE_MIN), 0, JOURNAL_PIECE_MIN};
    struct journal_mark mark = {0}, end = mark_now(journal);
    int pieces = 0;
    for (;; pieces++) {
        assert_int_equal(journal_fetch(journal, mark.seq, 65536, &piece), 0);
        if (!piece.len)
            break;
        assert_true(piece.len < 65536 + 8192 + 100);
        assert_int_equal(journal_unfold(&piece, &mark, match, &found, NULL), 0);
        if (pieces == 3)
            append(journal, 1); /* beside it */
    }
    assert_true(pieces > 10);
    assert_int_equal(found.groups, 201);
    assert_int_equal(mark.seq, end.seq + COUNT);
    assert_int_equal(journal_knows(journal, &mark), 0);
    free(piece.bytes);
    journal_close(journal);
}

static void a_changed_piece_is_refused(void **state)
{
    (void)state;
    struct found found;
    struct journal *journal = opened(0, &found);
    append(journal, 5);
    struct journal_piece piece = {malloc(JOURNAL_PIECE_MIN), 0, JOURNAL_PIECE_MIN};
    assert_int_equal(journal_fetch(journal, 0, 1, &piece), 0);
    char detail[256];
    struct journal_mark mark = {.seq = 3};
    assert_int_equal(journal_unfold(&piece, &mark, match, &found, detail), METE_E_CORRUPT);
    mark = (struct journal_mark){.head = {1}};
    assert_int_equal(journal_unfold(&piece, &mark, match, &found, detail), METE_E_CORRUPT);
    mark = (struct journal_mark){0};
    piece.bytes[50] ^= 1;
    assert_int_equal(journal_unfold(&piece, &mark, match, &found, detail), METE_E_CORRUPT);
    piece.bytes[50] ^= 1;
    assert_int_equal(journal_unfold(&piece, &mark, match, &found, detail), 0);
    assert_int_equal(mark.seq, COUNT);
    free(piece.bytes);
    journal_close(journal);
}

static void it_knows_where_it_stood_and_nothing_else(void **state)
{
    (void)state;
    struct found found;
    struct journal *journal = opened(0, &found);
    append(journal, 5);
    struct journal_mark middle = mark_now(journal);
    append(journal, 5);
    struct journal_mark end = mark_now(journal), wrong;
    assert_int_equal(journal_knows(journal, &middle), 0);
    assert_int_equal(journal_knows(journal, &end), 0);
    assert_int_equal(journal_knows(journal, &(struct journal_mark){0}), 0);
    wrong = middle, wrong.head[0] ^= 1;
    assert_int_equal(journal_knows(journal, &wrong), METE_E_NOT_FOUND);
    wrong = middle, wrong.seq--; /* inside a group */
    assert_int_equal(journal_knows(journal, &wrong), METE_E_NOT_FOUND);
    wrong = end, wrong.seq += COUNT;
    assert_int_equal(journal_knows(journal, &wrong), METE_E_NOT_FOUND);
    assert_int_equal(journal_cut(journal, &wrong), METE_E_NOT_FOUND);
    journal_close(journal);
}

static void it_is_read_from_a_mark_on(void **state)
{
    (void)state;
    struct found found;
    struct journal *journal = opened(0, &found);
    append(journal, 20);
    struct journal_mark middle = mark_now(journal);
    append(journal, 7);
    struct journal_mark end = mark_now(journal);
    journal_close(journal);
    assert_int_equal(journal_open(os_system(), directory, 0, &journal), 0);
    found = (struct found){0};
    assert_int_equal(journal_read(journal, &middle, match, &found, NULL), 0);
    assert_int_equal(found.groups, 7);
    struct journal_mark now = mark_now(journal);
    assert_memory_equal(&now, &end, sizeof now);
    append(journal, 1);
    middle.head[5] ^= 1;
    char detail[256];
    assert_int_equal(journal_read(journal, &middle, match, &found, detail), METE_E_CORRUPT);
    journal_close(journal);
}

static void a_cut_journal_begins_at_its_base(void **state)
{
    (void)state;
    struct found found;
    struct journal *journal = opened(0, &found);
    append(journal, 300);
    struct journal_mark base = mark_now(journal), early = {.seq = COUNT};
    append(journal, 10);
    uint64_t bytes = journal_bytes(journal);
    cut_away(journal, &base);
    assert_true(journal_bytes(journal) < bytes / 10);
    assert_int_equal(journal_knows(journal, &base), 0);
    assert_int_equal(journal_knows(journal, &early), METE_E_NOT_FOUND);
    append(journal, 5);
    struct journal_mark end = mark_now(journal), again;
    journal_close(journal);
    journal = opened(1, &found);
    assert_int_equal(found.groups, 15);
    journal_base(journal, &again);
    assert_memory_equal(&again, &base, sizeof base);
    again = mark_now(journal);
    assert_memory_equal(&again, &end, sizeof end);
    journal_close(journal);
    assert_int_equal(rows(), 15);
}

static void a_journal_is_cut_again_and_again(void **state)
{
    (void)state;
    struct found found;
    struct journal *journal = opened(0, &found);
    for (int i = 0; i < 4; i++) {
        append(journal, 200);
        struct journal_mark base = mark_now(journal);
        append(journal, 1 + i);
        cut_away(journal, &base);
    }
    journal_close(journal);
    journal = opened(0, &found);
    assert_int_equal(found.groups, 4);
    journal_close(journal);
}

static void a_kill_between_base_and_deletion_leaves_nothing_that_is_read(void **state)
{
    (void)state;
    struct found found;
    struct journal *journal = opened(0, &found);
    append(journal, 300);
    struct journal_mark base = mark_now(journal);
    append(journal, 2);
    int more;
    assert_int_equal(journal_cut(journal, &base), 0);
    assert_int_equal(journal_cut_step(journal, &more), 0);
    assert_int_equal(more, 1);
    journal_close(journal);
    assert_true(rows() > 100 && rows() < 302);
    journal = opened(0, &found);
    assert_int_equal(found.groups, 2);
    while (more)
        assert_int_equal(journal_cut_step(journal, &more), 0);
    journal_close(journal);
    assert_int_equal(rows(), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(what_was_appended_comes_back_in_pieces),
        CASE(a_changed_piece_is_refused),
        CASE(it_knows_where_it_stood_and_nothing_else),
        CASE(it_is_read_from_a_mark_on),
        CASE(a_cut_journal_begins_at_its_base),
        CASE(a_journal_is_cut_again_and_again),
        CASE(a_kill_between_base_and_deletion_leaves_nothing_that_is_read),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
