/* SPDX-License-Identifier: Apache-2.0
 * Proves what files do that are not what they should be, though their checksums are right: names
 * that are too long, places that are taken, snapshots of a newer format or whose bytes were changed
 * and hashed again, groups of a journal that contradict themselves, snapshots that cannot be
 * written. Each is refused or passed over; none is built on, and none is taken for clean. */
#include "engine/backup.h"
#include "engine/files.h"
#include "ledger/entry.h"
#include "store/journal.h"
#include "store/snapshot.h"
#include "unit/engine_help.h"
#include "unit/temp.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static char room[64], data[80], other[80];
static struct mete *mete;
static struct mete_port *port;

static int set_up(void **state)
{
    (void)state;
    int failed = temp_make(room, sizeof room);
    snprintf(data, sizeof data, "%s/data", room);
    snprintf(other, sizeof other, "%s/other", room);
    return failed;
}

static int tear_down(void **state)
{
    (void)state;
    return temp_remove(room);
}

static int try_open(struct mete_options options)
{
    options.directory = data;
    int error = mete_open(&options, &mete);
    if (!error)
        assert_int_equal(mete_port_open(mete, &port), 0);
    return error;
}

static void open_it(void)
{
    assert_int_equal(try_open((struct mete_options){.no_audit = 1}), 0);
}

static void close_it(void)
{
    mete_port_close(port);
    mete_close(mete);
}

static void spend(int calls)
{
    for (int i = 0; i < calls; i++) {
        struct mete_verdict verdict;
        struct mete_receipt receipt;
        assert_int_equal(help_reserve(port, "", 300, 0, &verdict), 0);
        assert_int_equal(help_commit(port, verdict.reservation, 200, &receipt), 0);
    }
}

static void is_found(const char *detail)
{
    struct verify_report report;
    int error = engine_verify(data, &report);
    if (error != METE_E_CORRUPT || !strstr(report.detail, detail))
        fail_msg("%s, '%s', not '%s'", mete_error_name(error), report.detail, detail);
}

static void must_be_clean(const char *directory, struct verify_report *ret_report)
{
    int error = engine_verify(directory, ret_report);
    if (error)
        fail_msg("%s: %s: %s", directory, mete_error_name(error), ret_report->detail);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static char *long_path(size_t len)
{
    static char path[2 * FILES_PATH];
    memset(path, 'x', len);
    for (size_t i = 0; i < len; i += 100)
        path[i] = '/';
    path[len] = 0;
    return path;
}

static void put_file(const char *directory, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void a_place_that_is_taken_or_has_no_name_is_refused(void **state)
{
    (void)state;
    char part[FILES_PATH], slashes[100], wanted[100], name[256];
    snprintf(slashes, sizeof slashes, "%s///", other);
    snprintf(wanted, sizeof wanted, "%s.part", other);
    assert_int_equal(files_begin(slashes, part), 0);
    assert_string_equal(part, wanted);
    assert_int_equal(mkdir(other, 0700), 0);
    put_file(other, "mine"); /* somebody came first */
    assert_int_equal(files_begin(other, part), METE_E_EXISTS);
    assert_int_equal(files_end(wanted, other), METE_E_EXISTS);
    assert_int_equal(access(wanted, F_OK), -1);
    assert_int_equal(files_begin(long_path(FILES_PATH - 3), part), METE_E_STORAGE);
    assert_int_equal(files_begin(long_path(FILES_PATH - 20), part), METE_E_STORAGE);
    memset(name, 'x', 255);
    name[255] = 0;
    put_file(other, name);
    assert_int_equal(files_copy_all(long_path(FILES_PATH - 5), other), METE_E_STORAGE);
    assert_int_equal(files_copy_all(other, long_path(FILES_PATH - 5)), METE_E_STORAGE);
    assert_int_equal(files_copy_all(other, long_path(FILES_PATH - 200)), METE_E_STORAGE);
    files_remove(long_path(FILES_PATH - 5)); /* nothing */
    put_file(room, "plain");
    snprintf(name, sizeof name, "%s/plain", room);
    assert_int_equal(files_begin(name, part), METE_E_EXISTS); /* no directory */
}

/* ---- Snapshots ------------------------------------------------------------------------------- */

static char pieces[64][SNAPSHOT_PIECE_MAX];
static size_t lens[64], pieces_len;

static struct snapshot_head take_apart(uint64_t seq)
{
    struct snapshot_reader *reader;
    struct slice piece = {"", 1};
    assert_int_equal(snapshot_open(data, seq, &reader), 0);
    for (pieces_len = 0; piece.len; pieces_len++) {
        assert_true(pieces_len < 64);
        assert_int_equal(snapshot_get(reader, &piece), 0);
        memcpy(pieces[pieces_len], piece.data, piece.len);
        lens[pieces_len] = piece.len;
    }
    struct snapshot_head head = *snapshot_head(reader);
    snapshot_close(reader);
    return head;
}

/* What was taken apart, hashed anew. */
static void put_together(const struct snapshot_head *head)
{
    struct snapshot_writer *writer;
    uint8_t hash[SNAPSHOT_HASH];
    assert_int_equal(snapshot_begin(data, head, &writer), 0);
    for (size_t i = 0; i < pieces_len; i++)
        if (lens[i])
            assert_int_equal(snapshot_put(writer, (struct slice){pieces[i], lens[i]}), 0);
    assert_int_equal(snapshot_end(writer, hash), 0);
}

static uint64_t make(int (*keep)(struct mete *, uint64_t *))
{
    uint64_t seq;
    open_it();
    assert_int_equal(help_tree(port, 100000), 0);
    spend(10);
    assert_int_equal(keep(mete, &seq), 0);
    spend(3);
    close_it();
    return seq;
}

/* The state it was made of, or it is found: *ret_found, and whether by what it contradicts. */
static void look_at_changed(size_t *ret_found, size_t *ret_contradicts)
{
    struct verify_report report;
    int error = engine_verify(data, &report);
    if (error && (error != METE_E_CORRUPT || !strstr(report.detail, "snapshot")))
        fail_msg("%s, '%s'", mete_error_name(error), report.detail);
    *ret_found += error != 0;
    *ret_contradicts += strstr(report.detail, "contradicts itself") != NULL;
}

static void a_changed_byte_of_a_snapshot_is_found_or_no_matter(void **state)
{
    (void)state;
    struct verify_report report;
    size_t tried = 0, found = 0, contradicts = 0;
    uint64_t seq = make(mete_snapshot);
    const struct snapshot_head head = take_apart(seq);
    put_together(&head);
    must_be_clean(data, &report);
    for (size_t i = 0; i < pieces_len; i++)
        for (size_t at = 0; at < lens[i]; at += 3, tried++) {
            pieces[i][at] ^= (char)(1 << (at / 3 % 8));
            put_together(&head);
            look_at_changed(&found, &contradicts);
            pieces[i][at] ^= (char)(1 << (at / 3 % 8));
        }
    assert_true(contradicts > 0 && found > tried / 2);
    struct snapshot_head changed = head;
    changed.state_hash[5] ^= 1;
    put_together(&changed);
    is_found("does not load to the state it was made of");
    changed = head;
    changed.at_us++;
    put_together(&changed);
    is_found("is damaged");
    open_it(); /* it begins without it */
    spend(1);
    close_it();
    put_together(&head);
    must_be_clean(data, &report);
}

static void a_base_that_was_written_anew_is_not_the_chain_s(void **state)
{
    (void)state;
    struct snapshot_head head = take_apart(make(mete_cut));
    head.installation[3] ^= 1;
    put_together(&head);
    is_found("the base is not the one that entry");
    assert_int_equal(try_open((struct mete_options){0}), METE_E_CORRUPT);
}

/* Of the format that comes after this one. */
static void make_newer(const char *directory, uint64_t seq)
{
    char path[160];
    snprintf(path, sizeof path, "%s/snapshots/%020llu.snap", directory, (unsigned long long)seq);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "\2", 1, 8), 1);
    close(fd);
}

static void a_snapshot_of_a_newer_format_is_passed_over(void **state)
{
    (void)state;
    struct verify_report report;
    uint64_t seq = make(mete_snapshot), last;
    make_newer(data, seq);
    open_it();
    spend(1);
    assert_int_equal(mete_backup(mete, other, &last), 0);
    close_it();
    must_be_clean(other, &report); /* without it */
    assert_int_equal(report.snapshots, 0);
    assert_int_equal(report.last_seq, last);
}

static void a_state_that_has_no_room_is_not_opened(void **state)
{
    (void)state;
    (void)make(mete_snapshot);
    assert_int_equal(try_open((struct mete_options){.scopes_max = 2}), METE_E_CORRUPT);
    open_it();
    spend(1);
    close_it();
}

static void a_backup_without_records_is_whole(void **state)
{
    (void)state;
    struct verify_report report;
    uint64_t snapshot, seq;
    assert_int_equal(try_open((struct mete_options){.no_audit = 1, .no_records = 1}), 0);
    assert_int_equal(help_tree(port, 100000), 0);
    spend(5);
    assert_int_equal(mete_snapshot(mete, &snapshot), 0);
    assert_int_equal(mete_backup(mete, other, &seq), 0);
    assert_int_equal(seq, snapshot);
    close_it();
    must_be_clean(other, &report);
    assert_int_equal(report.last_seq, seq);
    assert_int_equal(report.snapshots, 1);
    assert_int_equal(report.has_records, 0);
}

/* ---- Groups ---------------------------------------------------------------------------------- */

static int pass_over(void *user, const struct journal_group *group)
{
    (void)user, (void)group;
    return 0;
}

/* A group of one entry, behind the last one, by the book but for its bytes. */
static void append(const char *bytes, size_t len)
{
    struct journal *journal;
    assert_int_equal(journal_open(os_system(), data, 0, &journal), 0);
    assert_int_equal(journal_read(journal, NULL, pass_over, NULL, NULL), 0);
    const struct journal_group group = {journal_last_seq(journal) + 1, 1, {bytes, len}};
    assert_int_equal(journal_append(journal, &group), 0);
    journal_close(journal);
}

static size_t write_entry(char *bytes, size_t len, const struct entry *entry)
{
    struct writer w = {(uint8_t *)bytes, (uint8_t *)bytes + len};
    entry_write(&w, entry, 0);
    return (size_t)((char *)w.at - bytes);
}

static void must_find_group(const char *bytes, size_t len, const char *detail)
{
    (void)temp_remove(data);
    (void)make(mete_snapshot);
    append(bytes, len);
    is_found(detail);
    assert_int_equal(try_open((struct mete_options){0}), METE_E_CORRUPT);
}

static void a_group_that_contradicts_itself_is_not_built_on(void **state)
{
    (void)state;
    char bytes[1024];
    const int64_t at_us = INT64_C(3000000000000000);
    const struct entry meter = {.kind = ENTRY_METER,
                                .at_us = at_us,
                                .u.meter = {METE_METER_CUSTOM, slice_of("pages"), slice_of("")}},
                       release = {.kind = ENTRY_RELEASE, .at_us = at_us, .u.end = {77}};
    must_find_group("\6\1\1\1", 4, "its bytes cannot be read");
    size_t len = write_entry(bytes, sizeof bytes, &release);
    must_find_group(bytes, len, "it does not fit the state before it");
    len = write_entry(bytes, sizeof bytes, &meter);
    bytes[len] = 0;
    must_find_group(bytes, len + 1, "bytes are left over behind it");
}

/* ---- What cannot be written ------------------------------------------------------------------ */

static struct mete_stats stats(void)
{
    struct mete_answer answer;
    assert_int_equal(help_ask(port, METE_QUERY_STATS, &answer), 0);
    return answer.stats;
}

static void wait_for_audit(void)
{
    uint64_t wanted = stats().seq;
    while (stats().audited < wanted)
        (void)poll(NULL, 0, 5);
}

static void where_space_is_short_no_snapshot_is_made(void **state)
{
    (void)state;
    struct mete_verdict verdict;
    uint64_t seq;
    assert_int_equal(try_open((struct mete_options){.free_reserve = UINT64_C(1) << 62,
                                                    .snapshot_entries = 1,
                                                    .audit_ppm = 1000000}),
                     0);
    assert_int_equal(help_tree(port, 1000), 0);
    for (int i = 0; i < 3; i++) { /* looked at again, it is short still */
        (void)poll(NULL, 0, 300);
        assert_int_equal(help_reserve(port, "", 5, 0, &verdict), METE_E_DISK);
    }
    wait_for_audit();
    assert_true(stats().admission_stopped && !stats().snapshot);
    assert_int_equal(mete_snapshot(mete, &seq), 0); /* by order it is */
    close_it();
}

static void a_snapshot_that_cannot_be_written_is_tried_again(void **state)
{
    (void)state;
    char path[128];
    uint64_t seq;
    const struct mete_options options = {.snapshot_entries = 4, .audit_ppm = 1000000};
    assert_int_equal(mkdir(data, 0700), 0);
    put_file(data, "snapshots"); /* in its way */
    snprintf(path, sizeof path, "%s/snapshots", data);
    assert_int_equal(try_open(options), 0);
    assert_int_equal(help_tree(port, 100000), 0);
    spend(10);
    assert_int_equal(mete_snapshot(mete, &seq), METE_E_STORAGE);
    for (int i = 0; i < 20; i++) {
        spend(2);
        (void)poll(NULL, 0, 10);
    }
    assert_int_equal(stats().snapshot, 0);
    assert_int_equal(unlink(path), 0);
    while (!stats().snapshot) {
        spend(1);
        (void)poll(NULL, 0, 10);
    }
    close_it();
    struct verify_report report;
    must_be_clean(data, &report);
    assert_true(report.snapshots > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(a_place_that_is_taken_or_has_no_name_is_refused),
        CASE(a_changed_byte_of_a_snapshot_is_found_or_no_matter),
        CASE(a_base_that_was_written_anew_is_not_the_chain_s),
        CASE(a_snapshot_of_a_newer_format_is_passed_over),
        CASE(a_state_that_has_no_room_is_not_opened),
        CASE(a_backup_without_records_is_whole),
        CASE(a_group_that_contradicts_itself_is_not_built_on),
        CASE(where_space_is_short_no_snapshot_is_made),
        CASE(a_snapshot_that_cannot_be_written_is_tried_again),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
