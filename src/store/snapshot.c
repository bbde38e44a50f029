/* SPDX-License-Identifier: Apache-2.0
 *   head     "metesnap" | format 4 | zero 4 | installation 16 | seq 8 | at_us 8 | chain hash 32
 *            | state hash 32
 *   pieces   length 4 | XXH3-64 8 | bytes        ... until a length of 0
 *   tail     bytes before it 8 | BLAKE2b-256 of everything before 32          (little-endian)
 *
 * The hash at the end is what an ENTRY_BASE names. Files are read and written by plain calls, not
 * through SQLite's file system: no rename there, and a snapshot that fails to be written is no
 * failure of the journal's.
 *
 * Considered and not done: one SQLite database of snapshots (a copy of each through its write-ahead
 * file, for nothing that a rename does not give). */
#include "store/snapshot.h"

#include "base/assert.h"
#include "store/db.h"
#include "store/file.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

enum {
    FORMAT = 1,
    HEAD = 8 + 4 + 4 + 16 + 8 + 8 + 32 + 32,
    FRONT = 12, /* of a piece */
    TAIL = 8 + SNAPSHOT_HASH,
    PATH_ROOM = 4096
};

static const char magic[9] = "metesnap";

struct snapshot_writer {
    struct file *file;
    uint64_t written;
    crypto_generichash_state hash;
    char directory[PATH_ROOM], path[PATH_ROOM + 64], wanted[PATH_ROOM + 64];
};

struct snapshot_reader {
    struct file *file;
    bool is_over;
    uint64_t read;
    struct snapshot_head head;
    crypto_generichash_state state;
    uint8_t hash[SNAPSHOT_HASH];
    char piece[SNAPSHOT_PIECE_MAX];
};

static void put_number(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get_number(const uint8_t *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

static int path_of(char room[PATH_ROOM + 64], const char *directory, uint64_t seq, const char *end)
{
    int len = snprintf(room, PATH_ROOM + 64, "%s/snapshots/%020" PRIu64 "%s", directory, seq, end);
    return len > 0 && len < PATH_ROOM ? 0 : METE_E_STORAGE;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static int write_all(struct snapshot_writer *writer, const void *bytes, size_t len, bool is_hashed)
{
    if (is_hashed)
        crypto_generichash_update(&writer->hash, bytes, len);
    writer->written += len;
    return file_write(writer->file, bytes, len);
}

static int write_head(struct snapshot_writer *writer, const struct snapshot_head *head)
{
    uint8_t bytes[HEAD] = {0};
    memcpy(bytes, magic, 8);
    put_number(bytes + 8, FORMAT, 4);
    memcpy(bytes + 16, head->installation, 16);
    put_number(bytes + 32, head->mark.seq, 8);
    put_number(bytes + 40, (uint64_t)head->at_us, 8);
    memcpy(bytes + 48, head->mark.head, 32);
    memcpy(bytes + 80, head->state_hash, 32);
    return write_all(writer, bytes, sizeof bytes, true);
}

static int open_new(struct snapshot_writer *writer, uint64_t seq)
{
    char path[PATH_ROOM + 64];
    int len = snprintf(path, sizeof path, "%s/snapshots", writer->directory);
    int error = len < PATH_ROOM ? db_make_directory(path) : METE_E_STORAGE;
    if (!error)
        error = path_of(writer->path, writer->directory, seq, ".new");
    if (!error)
        error = path_of(writer->wanted, writer->directory, seq, ".snap");
    if (error)
        return error;
    return file_create(writer->path, &writer->file);
}

int snapshot_begin(const char *directory, const struct snapshot_head *head,
                   struct snapshot_writer **ret_writer)
{
    ASSERT(head->mark.seq > 0);
    struct snapshot_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return METE_E_MEMORY;
    crypto_generichash_init(&writer->hash, NULL, 0, SNAPSHOT_HASH);
    int len = snprintf(writer->directory, sizeof writer->directory, "%s", directory);
    int error = len < PATH_ROOM ? open_new(writer, head->mark.seq) : METE_E_STORAGE;
    if (!error)
        error = write_head(writer, head);
    if (error) {
        snapshot_abandon(writer);
        return error;
    }
    *ret_writer = writer;
    return 0;
}

int snapshot_put(struct snapshot_writer *writer, struct slice piece)
{
    ASSERT(piece.len > 0 && piece.len <= SNAPSHOT_PIECE_MAX);
    uint8_t front[FRONT];
    put_number(front, piece.len, 4);
    put_number(front + 4, XXH3_64bits(piece.data, piece.len), 8);
    int error = write_all(writer, front, sizeof front, true);
    return error ? error : write_all(writer, piece.data, piece.len, true);
}

static int write_tail(struct snapshot_writer *writer, uint8_t ret_hash[SNAPSHOT_HASH])
{
    uint8_t end[FRONT] = {0}, tail[8];
    int error = write_all(writer, end, sizeof end, true);
    put_number(tail, writer->written, 8);
    if (!error)
        error = write_all(writer, tail, sizeof tail, true);
    crypto_generichash_final(&writer->hash, ret_hash, SNAPSHOT_HASH);
    return error ? error : write_all(writer, ret_hash, SNAPSHOT_HASH, false);
}

int snapshot_end(struct snapshot_writer *writer, uint8_t ret_hash[SNAPSHOT_HASH])
{
    uint8_t hash[SNAPSHOT_HASH];
    char path[PATH_ROOM + 64];
    int error = write_tail(writer, hash);
    if (!error)
        error = file_flush(writer->file);
    if (!error)
        error = file_rename(writer->path, writer->wanted);
    snprintf(path, sizeof path, "%s/snapshots", writer->directory);
    if (!error)
        error = db_sync_directory(path);
    if (error) {
        snapshot_abandon(writer);
        return error;
    }
    file_close(writer->file);
    free(writer);
    memcpy(ret_hash, hash, sizeof hash);
    return 0;
}

void snapshot_abandon(struct snapshot_writer *writer)
{
    if (!writer)
        return;
    if (writer->file) {
        int left = file_remove(writer->path); /* snapshot_tidy() */
        (void)left;
    }
    file_close(writer->file);
    free(writer);
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Less than len bytes: CORRUPT. */
static int read_all(struct snapshot_reader *reader, void *bytes, size_t len, bool is_hashed)
{
    size_t got = 0;
    int error = file_read(reader->file, bytes, len, &got);
    if (error || got < len)
        return error ? error : METE_E_CORRUPT;
    if (is_hashed)
        crypto_generichash_update(&reader->state, bytes, len);
    reader->read += len;
    return 0;
}

static int read_head(struct snapshot_reader *reader, uint64_t seq)
{
    uint8_t bytes[HEAD];
    int error = read_all(reader, bytes, sizeof bytes, true);
    if (error)
        return error;
    uint64_t format = get_number(bytes + 8, 4);
    if (memcmp(bytes, magic, 8) != 0 || format == 0)
        return METE_E_CORRUPT;
    if (format > FORMAT)
        return METE_E_FORMAT;
    struct snapshot_head *head = &reader->head;
    memcpy(head->installation, bytes + 16, 16);
    head->mark.seq = get_number(bytes + 32, 8);
    head->at_us = (int64_t)get_number(bytes + 40, 8);
    memcpy(head->mark.head, bytes + 48, 32);
    memcpy(head->state_hash, bytes + 80, 32);
    return head->mark.seq == seq && seq > 0 ? 0 : METE_E_CORRUPT;
}

int snapshot_open(const char *directory, uint64_t seq, struct snapshot_reader **ret_reader)
{
    char path[PATH_ROOM + 64];
    int error = path_of(path, directory, seq, ".snap");
    if (error)
        return error;
    struct snapshot_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return METE_E_MEMORY;
    crypto_generichash_init(&reader->state, NULL, 0, SNAPSHOT_HASH);
    error = file_open(path, &reader->file);
    if (!error)
        error = read_head(reader, seq);
    if (error) {
        snapshot_close(reader);
        return error;
    }
    *ret_reader = reader;
    return 0;
}

void snapshot_close(struct snapshot_reader *reader)
{
    if (!reader)
        return;
    file_close(reader->file);
    free(reader);
}

const struct snapshot_head *snapshot_head(const struct snapshot_reader *reader)
{
    return &reader->head;
}

static int read_tail(struct snapshot_reader *reader)
{
    uint8_t tail[TAIL];
    char more;
    size_t behind = 0;
    uint64_t before = reader->read;
    int error = read_all(reader, tail, 8, true);
    crypto_generichash_final(&reader->state, reader->hash, SNAPSHOT_HASH);
    if (!error)
        error = read_all(reader, tail + 8, SNAPSHOT_HASH, false);
    if (!error)
        error = file_read(reader->file, &more, 1, &behind);
    if (error)
        return error;
    if (get_number(tail, 8) != before || memcmp(tail + 8, reader->hash, SNAPSHOT_HASH) != 0 ||
        behind)
        return METE_E_CORRUPT;
    reader->is_over = true;
    return 0;
}

int snapshot_get(struct snapshot_reader *reader, struct slice *ret_piece)
{
    uint8_t front[FRONT];
    *ret_piece = (struct slice){"", 0};
    if (reader->is_over)
        return 0;
    int error = read_all(reader, front, sizeof front, true);
    if (error)
        return error;
    size_t len = (size_t)get_number(front, 4);
    if (len == 0)
        return read_tail(reader);
    if (len > SNAPSHOT_PIECE_MAX)
        return METE_E_CORRUPT;
    error = read_all(reader, reader->piece, len, true);
    if (error)
        return error;
    if (get_number(front + 4, 8) != XXH3_64bits(reader->piece, len))
        return METE_E_CORRUPT;
    *ret_piece = (struct slice){reader->piece, len};
    return 0;
}

void snapshot_hash(const struct snapshot_reader *reader, uint8_t ret_hash[SNAPSHOT_HASH])
{
    ASSERT(reader->is_over);
    memcpy(ret_hash, reader->hash, SNAPSHOT_HASH);
}

int snapshot_check(const char *directory, uint64_t seq, struct snapshot_head *ret_head,
                   uint8_t ret_hash[SNAPSHOT_HASH])
{
    struct snapshot_reader *reader;
    int error = snapshot_open(directory, seq, &reader);
    if (error)
        return error;
    while (!error && !reader->is_over) {
        struct slice piece;
        error = snapshot_get(reader, &piece);
    }
    if (!error) {
        *ret_head = reader->head;
        memcpy(ret_hash, reader->hash, SNAPSHOT_HASH);
    }
    snapshot_close(reader);
    return error;
}

/* ---- The directory --------------------------------------------------------------------------- */

static bool is_name(const char *name, const char *end, uint64_t *ret_seq)
{
    uint64_t seq = 0;
    for (int i = 0; i < 20; i++) {
        if (name[i] < '0' || name[i] > '9')
            return false;
        seq = seq * 10 + (uint64_t)(name[i] - '0');
    }
    *ret_seq = seq;
    return strcmp(name + 20, end) == 0;
}

struct listing {
    uint64_t *seqs;
    size_t len, max;
};

/* Newest first; the oldest falls out. */
static void list_one(void *user, const char *name)
{
    struct listing *listing = user;
    uint64_t seq;
    if (!is_name(name, ".snap", &seq))
        return;
    size_t at = listing->len < listing->max ? listing->len++ : listing->max;
    while (at > 0 && listing->seqs[at - 1] < seq) {
        if (at < listing->max)
            listing->seqs[at] = listing->seqs[at - 1];
        at--;
    }
    if (at < listing->max)
        listing->seqs[at] = seq;
}

static int each_name(const char *directory, void (*fn)(void *user, const char *name), void *user)
{
    char path[PATH_ROOM + 64];
    int len = snprintf(path, sizeof path, "%s/snapshots", directory);
    return len > 0 && len < PATH_ROOM ? file_each(path, fn, user) : METE_E_STORAGE;
}

int snapshot_list(const char *directory, uint64_t *ret_seqs, size_t max, size_t *ret_len)
{
    struct listing listing = {ret_seqs, 0, max};
    int error = each_name(directory, list_one, &listing);
    if (!error)
        *ret_len = listing.len;
    return error;
}

int snapshot_remove(const char *directory, uint64_t seq)
{
    char path[PATH_ROOM + 64];
    int error = path_of(path, directory, seq, ".snap");
    return error ? error : file_remove(path);
}

static void tidy_one(void *user, const char *name)
{
    char path[PATH_ROOM + 64];
    uint64_t seq;
    int error = is_name(name, ".new", &seq) ? path_of(path, user, seq, ".new") : METE_E_NOT_FOUND;
    if (!error)
        error = file_remove(path); /* what cannot be removed is in nobody's way */
    (void)error;
}

void snapshot_tidy(const char *directory)
{
    char path[PATH_ROOM];
    int len = snprintf(path, sizeof path, "%s", directory);
    int error = len > 0 && len < PATH_ROOM ? each_name(directory, tidy_one, path) : METE_E_STORAGE;
    (void)error; /* a later start tidies */
}

int snapshot_copy(const char *from, const char *to, uint64_t seq)
{
    struct snapshot_reader *reader;
    struct snapshot_writer *writer;
    int error = snapshot_open(from, seq, &reader);
    if (error)
        return error;
    error = snapshot_begin(to, &reader->head, &writer);
    while (!error && !reader->is_over) {
        struct slice piece;
        error = snapshot_get(reader, &piece);
        if (!error && piece.len)
            error = snapshot_put(writer, piece);
        if (error)
            snapshot_abandon(writer);
    }
    uint8_t hash[SNAPSHOT_HASH];
    if (!error)
        error = snapshot_end(writer, hash);
    if (!error && memcmp(hash, reader->hash, SNAPSHOT_HASH) != 0)
        error = METE_E_CORRUPT;
    snapshot_close(reader);
    return error;
}
