/* SPDX-License-Identifier: Apache-2.0
 * The file (https://www.sqlite.org/fileformat2.html#the_write_ahead_log), all big-endian:
 *
 *   header 32 bytes: magic 0x377f0682 | endianness bit, version, page size, checkpoint number,
 *                    salt 8 bytes, checksum 8 bytes
 *   frame: page number 4, pages after commit 4 (0: no commit), salt 8, checksum 8, page
 *
 * A frame's checksum continues from that of the frame before it, so each frame can be verified
 * against its predecessor's stored checksum even behind a damaged one.
 *
 * A commit is flushed before the next one begins, so after a power cut only frames of the last
 * commit can be missing or torn. Hence: a frame that does not verify is a torn tail if behind it
 * stands at most the rest of one commit, and damage if a sound frame follows the end of a commit.
 * A restarted file keeps old frames behind the new ones; their salt differs.
 *
 * Hence also: a torn tail must be gone before anything is appended over it; journal_read() sees to
 * that.
 *
 * Not seen from here: damage to exactly the header of the last frame of the last commit but one,
 * and loss of the whole tail. Records that are ahead of the journal show those (engine/). */
#include "store/wal.h"

#include "base/assert.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER = 32, FRAME = 24, PAGE_MAX = 65536 };

struct sums {
    uint32_t a, b;
};

static uint32_t big_endian(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t little_endian(const uint8_t *at)
{
    return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

static struct sums checksum(struct sums sums, bool big, const uint8_t *bytes, size_t len)
{
    ASSERT(len % 8 == 0);
    for (size_t i = 0; i < len; i += 8) {
        sums.a += (big ? big_endian(bytes + i) : little_endian(bytes + i)) + sums.b;
        sums.b += (big ? big_endian(bytes + i + 4) : little_endian(bytes + i + 4)) + sums.a;
    }
    return sums;
}

struct wal {
    sqlite3_file *file;
    int64_t size;
    bool big;
    uint32_t page;
    uint8_t salt[8];
    uint8_t bytes[FRAME + PAGE_MAX];
};

static bool stands(struct sums sums, const uint8_t *stored)
{
    return sums.a == big_endian(stored) && sums.b == big_endian(stored + 4);
}

/* The header is one sector, flushed before the first frame behind it is written. */
static int read_header(struct wal *wal, struct sums *ret_sums)
{
    if (wal->file->pMethods->xRead(wal->file, wal->bytes, HEADER, 0))
        return METE_E_STORAGE;
    uint32_t magic = big_endian(wal->bytes);
    wal->big = magic & 1;
    wal->page = big_endian(wal->bytes + 8);
    memcpy(wal->salt, wal->bytes + 16, sizeof wal->salt);
    if ((magic & ~1U) != 0x377f0682 || wal->page < 512 || wal->page > PAGE_MAX ||
        (wal->page & (wal->page - 1)))
        return METE_E_CORRUPT;
    *ret_sums = checksum((struct sums){0}, wal->big, wal->bytes, 24);
    return stands(*ret_sums, wal->bytes + 24) ? 0 : METE_E_CORRUPT;
}

/* Walks the frames: states BEFORE damage, BEHIND a damaged frame, and behind a commit's end after
 * that one, where any sound frame convicts. */
static int read_frames(struct wal *wal, struct sums sums, uint32_t *ret_frame)
{
    bool behind = false, past_commit = false;
    uint32_t damaged = 0;
    int64_t at = HEADER;
    for (uint32_t i = 0; at + FRAME + wal->page <= wal->size; i++, at += FRAME + wal->page) {
        if (wal->file->pMethods->xRead(wal->file, wal->bytes, (int)(FRAME + wal->page), at))
            return METE_E_STORAGE;
        const uint8_t *frame = wal->bytes;
        sums = checksum(sums, wal->big, frame, 8);
        sums = checksum(sums, wal->big, frame + FRAME, wal->page);
        bool ours = !memcmp(frame + 8, wal->salt, 8) && big_endian(frame);
        bool sound = ours && stands(sums, frame + 16);
        if (sound && past_commit) {
            *ret_frame = damaged;
            return METE_E_CORRUPT;
        }
        if (!sound && !behind) {
            behind = true;
            damaged = i;
        }
        if (behind && ours && big_endian(frame + 4))
            past_commit = true;
        sums = (struct sums){big_endian(frame + 16), big_endian(frame + 20)};
    }
    return 0;
}

static int check_file(struct wal *wal, uint32_t *ret_frame)
{
    sqlite3_int64 size;
    if (wal->file->pMethods->xFileSize(wal->file, &size))
        return METE_E_STORAGE;
    wal->size = size;
    if (wal->size < HEADER + FRAME)
        return 0; /* nothing was ever committed to it */
    struct sums sums = {0};
    int error = read_header(wal, &sums);
    return error ? error : read_frames(wal, sums, ret_frame);
}

int wal_check(const struct os *os, const char *path, uint32_t *ret_frame)
{
    ASSERT(os && path);
    sqlite3_vfs *vfs = sqlite3_vfs_find(os->sqlite_vfs);
    int there = 0;
    ASSERT(vfs); /* the database was opened through it */
    if (vfs->xAccess(vfs, path, SQLITE_ACCESS_EXISTS, &there))
        return METE_E_STORAGE;
    if (!there)
        return 0;
    uint32_t frame = 0;
    int error = METE_E_MEMORY;
    struct wal *wal = calloc(1, sizeof *wal);
    sqlite3_file *file = calloc(1, (size_t)vfs->szOsFile);
    if (wal && file) {
        int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_WAL;
        error = METE_E_STORAGE;
        if (!vfs->xOpen(vfs, path, file, flags, &flags)) {
            wal->file = file;
            error = check_file(wal, &frame);
        }
        if (file->pMethods)
            file->pMethods->xClose(file);
    }
    free(file);
    free(wal);
    if (error == METE_E_CORRUPT && ret_frame)
        *ret_frame = frame;
    return error;
}
