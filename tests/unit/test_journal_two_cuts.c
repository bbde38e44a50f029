/* SPDX-License-Identifier: Apache-2.0
 * Proves that a journal opens after two power cuts in a row, whatever each left of what was not
 * flushed: everything that was acknowledged is there, and what the first cut tore, and was written
 * over in part, is not taken for damage. (The crash matrix cuts once.)
 *
 * Regression: frames of a torn commit stayed in the write-ahead file behind what was appended after
 * the restart; where that was torn as well, they convicted a sound journal of damage. */
#include "fault/disk.h"
#include "store/journal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { ROUNDS = 300, GROUPS = 6, LARGE = 150000 };

struct told { /* of one life; in shared memory */
    size_t len;
    size_t events[GROUPS]; /* recorded when the group was acknowledged */
    uint64_t seqs[GROUPS];
};

static struct told *told;
static const struct os *os;

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static int ignore(void *user, const struct journal_group *group)
{
    (void)user, (void)group;
    return 0;
}

/* Opens, appends groups of which some take many pages, and is cut off. */
static void live(uint64_t dice)
{
    static char bytes[LARGE];
    struct journal *journal;
    if (journal_open(os, "/tmp", 0, &journal))
        _exit(1);
    if (journal_read(journal, NULL, ignore, NULL, NULL))
        _exit(3);
    for (int i = 0; i < GROUPS; i++) {
        size_t len = mix(dice + (uint64_t)i) % 3 ? 40 : LARGE / (1 + mix(dice + 99) % 4);
        memset(bytes, 'a' + i, len);
        const struct journal_group group = {journal_last_seq(journal) + 1, 1, {bytes, len}};
        if (journal_append(journal, &group))
            _exit(2);
        told->events[told->len] = disk_events();
        told->seqs[told->len] = group.first_seq;
        told->len++;
    }
    _exit(0);
}

/* One life and its end. Returns the last group that was acknowledged before it, 0: none. */
static uint64_t live_and_cut(uint64_t dice)
{
    static const enum disk_fate fates[] = {DISK_SUBSET, DISK_TORN, DISK_REORDERED, DISK_TORN};
    int status;
    disk_record();
    told->len = 0;
    pid_t child = fork();
    if (!child)
        live(dice);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status)
        fail_msg("dice %d: a life ends with %x", (int)dice, status);
    size_t events = 1 + mix(dice + 7) % disk_events();
    uint64_t last = 0;
    for (size_t i = 0; i < told->len; i++)
        if (told->events[i] <= events)
            last = told->seqs[i];
    disk_walk_begin();
    disk_walk_to(events);
    disk_cut(fates[mix(dice + 8) % 4], mix(dice + 9));
    disk_walk_end();
    return last;
}

static void what_two_cuts_leave_opens(void **state)
{
    (void)state;
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        char detail[256] = "";
        struct journal *journal;
        disk_clear();
        uint64_t first = live_and_cut(round * 1000003);
        uint64_t second = live_and_cut(round * 1000003 + 500);
        int error = journal_open(os, "/tmp", 0, &journal);
        if (!error)
            error = journal_read(journal, NULL, ignore, NULL, detail);
        if (error)
            fail_msg("round %d: %s %s", (int)round, mete_error_name(error), detail);
        assert_true(journal_last_seq(journal) >= (second ? second : first));
        journal_close(journal);
    }
}

int main(void)
{
    static struct os with_disk;
    with_disk = *os_system();
    with_disk.sqlite_vfs = disk_vfs();
    os = &with_disk;
    told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (told == MAP_FAILED)
        abort();
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_two_cuts_leave_opens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
