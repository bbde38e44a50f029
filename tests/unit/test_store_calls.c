/* SPDX-License-Identifier: Apache-2.0
 * Proves that journal and snapshots keep what they acknowledged, and say what failed, whatever call
 * fails: calls_help.h has the rule. */
#include "store/journal.h"
#include "store/snapshot.h"
#include "unit/calls_help.h"

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

/* ---- The tests ------------------------------------------------------------------------------- */

LIFE(what_a_failing_journal_acknowledged_is_there, NULL, live_large_journal, look_at_journal, 0)
LIFE(a_journal_that_cannot_be_read_says_so, make_journal, read_journal, all_is_there, 0)
LIFE(so_it_does_to_who_only_reads, make_journal, read_journal_only, all_is_there, 0)
LIFE(a_cut_that_fails_is_made_or_not, make_journal_to_cut, live_cut, look_at_cut, 0)
LIFE(a_copy_of_a_journal_that_fails_says_so, make_journal, live_copy, look_at_copy, 0)
LIFE(a_snapshot_that_fails_has_no_name, NULL, live_snapshots, look_at_snapshots, 0)

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
        CASE(a_snapshot_that_fails_has_no_name),
#undef CASE
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
