/* SPDX-License-Identifier: Apache-2.0
 * Usage added up: calls, failures, tokens, cost and latency of each scope, by model and provider,
 * in quarters of an hour, so that a question over a month reads some thousands of rows however many
 * calls there were, and so that sums stay exact when the records themselves are gone.
 *
 * WHEN  A call counts in the quarter it ended in, a correction in its own: what was told of a
 * quarter that is over never changes, and sums over [from, to) are those of the records that ended
 * in it. All zones of today are whole quarters from UTC, so days and months of any zone are sums of
 * quarters.
 * WHAT  A cell is one level's: sums of an organization are not the sums of its keys added up, but
 * what every call of the organization comes to, whoever made it.
 * THREADS, ERRORS as records.h. */
#ifndef STORE_ROLLUPS_H
#define STORE_ROLLUPS_H

#include "store/records.h"

#define ROLLUPS_BUCKET_US INT64_C(900000000)
enum { ROLLUPS_DAY_BUCKETS = 96 };

enum rollups_level {
    ROLLUPS_ORGANIZATION = 1,
    ROLLUPS_DEPARTMENT,
    ROLLUPS_USER,
    ROLLUPS_KEY,
    ROLLUPS_TAG /* of an organization */
};

struct rollups_sums {
    int64_t calls, failures;   /* corrections are neither */
    int64_t cache_hits;        /* calls that read some of their input from the provider's cache */
    int64_t timed, latency_ms; /* calls whose latency is known, and theirs together */
    int64_t amount; /* cost in nano-units; of a meter without a place here: that meter's; of
                       METE_LIST_COST, with the currency of the cost: what was charged above it */
    int64_t input, cached_input, cache_write, output, reasoning, total_tokens, requests;
};

/* Whether a call went well: it ended as it should, without an error status. "recorded" says nothing
 * of how it ended: the status does, if there is one. */
static inline int rollups_is_success(const struct mete_outcome *outcome)
{
    return (outcome->ending == METE_ENDED_OK || outcome->ending == METE_ENDED_RECORDED) &&
           outcome->status < 400;
}

/* ---- Questions ------------------------------------------------------------------------------- */

/* NOT_FOUND: the file is of before there were rollups, and nobody has opened it to write since.
 * One state of the records, that all questions of a view are answered from: it holds a read
 * transaction, and the calls that are not rolled up yet, some milliseconds' worth of reading.
 * THREAD the reader's. */
struct rollups_view;
METE_MUST_USE int rollups_view_open(struct records_reader *reader, struct rollups_view **ret_view);
void rollups_view_close(struct rollups_view *view); /* before its reader; NULL is nothing */

/* What is told apart in an answer. */
enum rollups_by { ROLLUPS_BY_NOTHING = 0, ROLLUPS_BY_SCOPE, ROLLUPS_BY_MODEL, ROLLUPS_BY_PROVIDER };

struct rollups_question {
    enum rollups_level level;
    struct mete_scope_id organization;     /* n = 0: of all */
    struct mete_scope_id scope;            /* of the level, not TAG; n = 0: all of the level */
    struct mete_scope_id department, user; /* those that stood above; n = 0: whichever */
    struct slice model, provider, tag;     /* empty: whichever; tag: level TAG */
    enum rollups_by by;
    uint32_t from, to; /* buckets: [from, to) */
    uint32_t first;    /* groups with this id and those above it */
    size_t limit;      /* groups, at least 1 */
};

/* One group, currency and meter; those of a group follow each other. */
struct rollups_row {
    uint32_t id;       /* BY_SCOPE: the scope's handle, of tags their name's number; BY_MODEL and
                          BY_PROVIDER: the name's number; 0: none was said */
    uint32_t currency; /* 0: no cost */
    uint16_t meter;    /* as in struct cell_key: 0: all that has a place in sums */
    struct rollups_sums sums;
};
struct rollups_rows {
    struct rollups_row *at;
    size_t len, room;
    size_t groups;
    int more; /* there are groups beyond the limit */
};
void rollups_rows_done(struct rollups_rows *rows);

/* Replaces what is in rows. TOO_LARGE: a sum is; NOT_FOUND: the quarters of an end of the range are
 * gone (rollups_view_quarters_from), only whole days of UTC are still told. */
METE_MUST_USE int rollups_ask(struct rollups_view *view, const struct rollups_question *question,
                              struct rollups_rows *rows);
/* The name of a number, valid until the next call; empty for 0. */
METE_MUST_USE int rollups_name(struct rollups_view *view, uint32_t id, struct slice *ret_name);
/* The first bucket that is told by the quarter of an hour; before it by the day of UTC. */
uint32_t rollups_quarters_from(const struct rollups_view *view);
/* Buckets that anything is known of: [from, to); both 0: none. */
void rollups_extent(const struct rollups_view *view, uint32_t *ret_from, uint32_t *ret_to);

#endif
