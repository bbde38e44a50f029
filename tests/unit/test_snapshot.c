/* SPDX-License-Identifier: Apache-2.0
 * Proves that a snapshot comes back as it was put or is refused, whatever byte of it was changed,
 * cut off or added; that it is listed newest first; that one whose writing was interrupted is not
 * there; and that a copy is the same file. */
#include "store/snapshot.h"
#include "unit/temp.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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

enum { PIECES = 5 };

static struct snapshot_head head_of(uint64_t seq)
{
    struct snapshot_head head = {.at_us = 1700000000000000, .mark = {.seq = seq}};
    memset(head.installation, 0xab, sizeof head.installation);
    memset(head.mark.head, (int)seq, sizeof head.mark.head);
    memset(head.state_hash, 0xcd, sizeof head.state_hash);
    return head;
}

static struct slice piece_of(int i, char room[SNAPSHOT_PIECE_MAX])
{
    size_t len = i == 0 ? SNAPSHOT_PIECE_MAX : (size_t)i * 13;
    for (size_t k = 0; k < len; k++)
        room[k] = (char)((size_t)i + k * 7);
    return (struct slice){room, len};
}

static struct snapshot_writer *begin(uint64_t seq, int first)
{
    struct snapshot_head head = head_of(seq);
    struct snapshot_writer *writer;
    char room[SNAPSHOT_PIECE_MAX];
    assert_int_equal(snapshot_begin(directory, &head, &writer), 0);
    for (int i = first; i < PIECES; i++)
        assert_int_equal(snapshot_put(writer, piece_of(i, room)), 0);
    return writer;
}

static void write_one(uint64_t seq, int first, uint8_t ret_hash[32])
{
    assert_int_equal(snapshot_end(begin(seq, first), ret_hash), 0);
}

static void path_to(uint64_t seq, char path[256])
{
    snprintf(path, 256, "%s/snapshots/%020llu.snap", directory, (unsigned long long)seq);
}

static void it_comes_back_as_it_was_put(void **state)
{
    (void)state;
    uint8_t hash[32], again[32];
    write_one(7, 0, hash);
    struct snapshot_reader *reader;
    assert_int_equal(snapshot_open(directory, 7, &reader), 0);
    struct snapshot_head head = head_of(7);
    assert_memory_equal(snapshot_head(reader), &head, sizeof head);
    struct slice piece;
    char room[SNAPSHOT_PIECE_MAX];
    for (int i = 0; i < PIECES; i++) {
        assert_int_equal(snapshot_get(reader, &piece), 0);
        assert_true(slice_equal(piece, piece_of(i, room)));
    }
    assert_int_equal(snapshot_get(reader, &piece), 0);
    assert_int_equal(piece.len, 0);
    snapshot_hash(reader, again);
    assert_memory_equal(hash, again, 32);
    snapshot_close(reader);
    assert_int_equal(snapshot_open(directory, 8, &reader), METE_E_NOT_FOUND);
}

static int check(uint64_t seq)
{
    struct snapshot_head head;
    uint8_t hash[32];
    return snapshot_check(directory, seq, &head, hash);
}

static void every_changed_byte_is_found(void **state)
{
    (void)state;
    uint8_t hash[32];
    write_one(7, 2, hash);
    char path[256];
    path_to(7, path);
    struct stat stat;
    int fd = open(path, O_RDWR);
    assert_int_equal(fstat(fd, &stat), 0);
    for (off_t at = 0; at < stat.st_size; at++) {
        char byte, wrong;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        wrong = (char)(byte ^ 0x10);
        assert_int_equal(pwrite(fd, &wrong, 1, at), 1);
        int error = check(7);
        assert_true(error == METE_E_CORRUPT || error == METE_E_FORMAT);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    assert_int_equal(check(7), 0);
    assert_int_equal(pwrite(fd, "x", 1, stat.st_size), 1);
    assert_int_equal(check(7), METE_E_CORRUPT);
    for (off_t size = stat.st_size - 1; size >= 0; size--) {
        assert_int_equal(ftruncate(fd, size), 0);
        assert_int_equal(check(7), METE_E_CORRUPT);
    }
    close(fd);
}

static void a_file_under_anothers_name_is_refused(void **state)
{
    (void)state;
    uint8_t hash[32];
    write_one(7, 2, hash);
    char from[256], to[256];
    path_to(7, from);
    path_to(9, to);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(check(9), METE_E_CORRUPT);
}

static size_t listed(uint64_t seqs[3])
{
    size_t len = SIZE_MAX;
    assert_int_equal(snapshot_list(directory, seqs, 3, &len), 0);
    return len;
}

static void they_are_listed_newest_first(void **state)
{
    (void)state;
    uint64_t seqs[3];
    uint8_t hash[32];
    assert_int_equal(listed(seqs), 0);
    const uint64_t made[] = {30, 10, 50, 20, 40};
    for (int i = 0; i < 5; i++)
        write_one(made[i], 3, hash);
    assert_int_equal(listed(seqs), 3);
    assert_int_equal(seqs[0], 50);
    assert_int_equal(seqs[1], 40);
    assert_int_equal(seqs[2], 30);
    assert_int_equal(snapshot_remove(directory, 50), 0);
    assert_int_equal(snapshot_remove(directory, 50), 0);
    assert_int_equal(listed(seqs), 3);
    assert_int_equal(seqs[0], 40);
}

static void a_directory_that_cannot_be_read_is_no_empty_one(void **state)
{
    (void)state;
    char path[128];
    uint64_t seqs[3];
    size_t len = 77;
    snprintf(path, sizeof path, "%s/snapshots", directory);
    FILE *in_its_place = fopen(path, "w");
    assert_non_null(in_its_place);
    fclose(in_its_place);
    assert_int_equal(snapshot_list(directory, seqs, 3, &len), METE_E_STORAGE);
    assert_int_equal(len, 77);
}

static void an_interrupted_one_is_not_there(void **state)
{
    (void)state;
    uint64_t seqs[3];
    uint8_t hash[32];
    struct snapshot_writer *writer = begin(7, 0);
    assert_int_equal(listed(seqs), 0);
    char path[256], left[256];
    snprintf(path, sizeof path, "%s/snapshots/%020d.new", directory, 7);
    assert_int_equal(access(path, F_OK), 0);
    snapshot_abandon(writer);
    assert_int_not_equal(access(path, F_OK), 0);
    writer = begin(8, 0);
    snprintf(left, sizeof left, "%s/snapshots/%020d.new", directory, 8);
    assert_int_equal(access(left, F_OK), 0);
    snapshot_tidy(directory); /* as the next start does */
    assert_int_not_equal(access(left, F_OK), 0);
    assert_int_equal(snapshot_end(writer, hash), METE_E_STORAGE);
    assert_int_equal(listed(seqs), 0);
}

static void a_copy_is_the_same(void **state)
{
    (void)state;
    uint8_t hash[32], copied[32];
    write_one(7, 0, hash);
    char to[128];
    struct snapshot_head head;
    snprintf(to, sizeof to, "%s/other", directory);
    assert_int_equal(mkdir(to, 0700), 0);
    assert_int_equal(snapshot_copy(directory, to, 7), 0);
    assert_int_equal(snapshot_check(to, 7, &head, copied), 0);
    assert_memory_equal(hash, copied, 32);
    char path[256];
    path_to(7, path);
    assert_int_equal(truncate(path, 1000), 0);
    assert_int_equal(snapshot_copy(directory, to, 7), METE_E_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(it_comes_back_as_it_was_put),
        CASE(every_changed_byte_is_found),
        CASE(a_file_under_anothers_name_is_refused),
        CASE(they_are_listed_newest_first),
        CASE(a_directory_that_cannot_be_read_is_no_empty_one),
        CASE(an_interrupted_one_is_not_there),
        CASE(a_copy_is_the_same),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
