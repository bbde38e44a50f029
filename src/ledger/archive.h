/* SPDX-License-Identifier: Apache-2.0
 * One walk over the state for both ways: a field() writes its value when saving and gets it when
 * loading, so that the two cannot differ. Internal to ledger/.
 *
 * Numbers are varints; fields do not straddle pieces. After the first fault `error` stays set,
 * loading gives zeros, and saving writes nothing more. */
#ifndef LEDGER_ARCHIVE_H
#define LEDGER_ARCHIVE_H

#include "ledger/extras.h"
#include "ledger/state.h"

struct archive {
    bool loads;
    int error;
    int (*put)(void *user, struct slice piece);
    int (*get)(void *user, struct slice *ret_piece);
    void *user;
    struct writer w;
    struct reader r;
    uint8_t *room; /* LEDGER_PIECE, when saving */
};

void archive_number(struct archive *archive, uint64_t *value);
/* At most len_max bytes; loaded ones borrow until the next field. */
void archive_text(struct archive *archive, struct slice *text, size_t len_max);
void archive_bytes(struct archive *archive, uint8_t *bytes, size_t len);
void archive_end(struct archive *archive);

/* What is loaded must be so. */
static inline bool archive_expect(struct archive *archive, bool holds)
{
    if (!holds && !archive->error)
        archive->error = METE_E_CORRUPT;
    return !archive->error;
}

static inline uint64_t archive_up_to(struct archive *archive, uint64_t value, uint64_t max)
{
    archive_number(archive, &value);
    return archive_expect(archive, value <= max) ? value : 0;
}

static inline void archive_u32(struct archive *archive, uint32_t *value)
{
    *value = (uint32_t)archive_up_to(archive, *value, UINT32_MAX);
}

static inline void archive_u8(struct archive *archive, uint8_t *value)
{
    *value = (uint8_t)archive_up_to(archive, *value, UINT8_MAX);
}

static inline void archive_i64(struct archive *archive, int64_t *value)
{
    uint64_t zigzag = ((uint64_t)*value << 1) ^ (uint64_t)(*value >> 63);
    archive_number(archive, &zigzag);
    *value = (int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1);
}

/* A handle 1..max, or 0 for none. */
static inline void archive_handle(struct archive *archive, uint32_t *handle, uint32_t max)
{
    *handle = (uint32_t)archive_up_to(archive, *handle, max);
}

/* How many follow. More than there is room for: FULL. */
static inline void archive_count(struct archive *archive, uint32_t *count, uint64_t room)
{
    archive_u32(archive, count);
    if (*count > room && !archive->error)
        archive->error = METE_E_FULL;
    if (archive->error)
        *count = 0;
}

struct ledger;
/* save_extra.c: what an unusual budget has; a set of patterns, put anew when it is loaded. */
void extras_walk(struct archive *archive, struct ledger *ledger, uint32_t budget);
void matches_walk(struct archive *archive, struct ledger *ledger, uint32_t *set);

#endif
