/* SPDX-License-Identifier: Apache-2.0
 * What people query: usage records, events, and the documents of scopes and budgets, in
 * directory/records.db. All of it is a projection of the journal that only the engine's projector
 * writes and that may be deleted and rebuilt; its own last_seq says how far it has come.
 * THREADS one writer; any number of readers, each used by one thread at a time. Readers open
 * read-only and never checkpoint. */
#ifndef STORE_RECORDS_H
#define STORE_RECORDS_H

#include "base/slice.h"
#include "mete.h"
#include "os/os.h"

/* ---- Writing: the projector alone ---------------------------------------------------------- */

struct records;

/* Most meters of one record: a correction may name other ones than the record it corrects. */
enum { RECORDS_METERS_MAX = 2 * METE_DEMANDS_MAX };

/* The immutable account of one finished call, or of its correction: the amounts are then what was
 * charged more (or, negative, less) than the record it corrects says, so that sums are right. */
struct records_usage {
    uint64_t seq;         /* of the entry that ended it: the record's id */
    uint64_t reservation; /* 0: metered after the fact */
    uint64_t corrects;    /* the record that this one corrects; 0: none */
    uint64_t corrected;   /* read from a list only: the record that corrects this one; 0: none */
    uint64_t fingerprint; /* of what was asked, keyed; 0: not known */
    struct mete_scope_id scope, organization, department, user, key; /* n = 0: none on its path */
    struct slice request_id, model, provider, session;
    struct slice tags;    /* in one, with a line feed between two */
    struct slice details; /* packed (base/details.h); those of the outcome are not looked at */
    int64_t started_us, ended_us;
    enum mete_state state; /* COMMITTED, RELEASED, EXPIRED */
    int overrun;
    const struct mete_usage *usage; /* one per (meter, currency) */
    size_t usage_len;
    struct mete_outcome outcome;
};

/* A scope, budget, rate limit, grant or document as the directory knows it. With a scope end its
 * own budgets, rate limits and grants; a quota that ends by itself leaves its grants here: that it
 * has is the ledger's to say. */
enum {
    RECORDS_BUDGET = 100, /* less is an enum mete_kind */
    RECORDS_RATE,
    RECORDS_GRANT,
    RECORDS_DOCUMENT = 1000 /* and a document's kind (mete.h): its handle is its row's number */
};
struct records_entity {
    int kind;
    uint32_t handle;
    struct mete_scope_id organization, parent; /* parent of what is no scope: its scope */
    struct slice id, document;                 /* document: JSON, empty if none was given */
    int ended;
    int moved; /* to be put: only its parent changes */
    uint64_t seq;
    int64_t at_us;
    struct slice actor;
};

METE_MUST_USE int records_open(const struct os *os, const char *directory,
                               struct records **ret_records);
void records_close(struct records *records);
uint64_t records_last_seq(const struct records *records);
/* One batch: begin, puts, end(last_seq). Errors: STORAGE, CORRUPT, MEMORY; the batch is then not
 * there. */
METE_MUST_USE int records_begin(struct records *records);
METE_MUST_USE int records_put_usage(struct records *records, const struct records_usage *usage);
METE_MUST_USE int records_put_entity(struct records *records, const struct records_entity *entity);
METE_MUST_USE int records_put_event(struct records *records, const struct mete_event *event);
METE_MUST_USE int records_end(struct records *records, uint64_t last_seq);
/* Everything written so far, and that it reaches up to last_seq, survives a power cut when it
 * returns 0; no batch is open. STORAGE. */
METE_MUST_USE int records_flush(struct records *records, uint64_t last_seq);
/* Moves what has gathered in the write-ahead file to its place, once there is enough of it: much if
 * there is more to write, a megabyte at leisure, since what is flushed at once holds up the
 * journal's flushes on the same disk. Cheap when there is nothing to do; no batch is open. STORAGE,
 * MEMORY. */
METE_MUST_USE int records_tidy(struct records *records, bool at_leisure);

/* What is kept: what ended, or was told, before these instants goes; 0: all is kept. What calls
 * came to stays in the rollups: by the quarter of an hour from quarters_from_us on, and before it
 * by the day of UTC. */
struct records_keep {
    int64_t usage_from_us, events_from_us, quarters_from_us;
};
/* One small step of putting things in order: quarters of days that are over become days, and what
 * is not kept is removed. Some milliseconds, in a batch of its own. *ret_more 0: there was nothing
 * to do. No batch is open. Errors as of a batch. */
METE_MUST_USE int records_tend(struct records *records, const struct records_keep *keep,
                               int *ret_more);

/* ---- Copying: any thread, beside the writer ----------------------------------------------------
 */

/* fn: between small steps; non-zero stops and is returned. */
struct records_pace {
    int (*fn)(void *user);
    void *user;
};
/* The records as of now into a directory that has none, durable when it returns 0. NOT_FOUND: there
 * are none; STORAGE, CORRUPT, MEMORY. */
METE_MUST_USE int records_copy(const struct os *os, const char *from, const char *to,
                               const struct records_pace *pace, uint64_t *ret_last_seq);

/* ---- Reading -------------------------------------------------------------------------------- */

struct records_reader;

/* NOT_FOUND: there are no records (yet). STORAGE, CORRUPT, FORMAT, MEMORY. */
METE_MUST_USE int records_reader_open(const struct os *os, const char *directory,
                                      struct records_reader **ret_reader);
void records_reader_close(struct records_reader *reader);
/* STORAGE, CORRUPT, MEMORY: as every question below, which then has told nothing, or too little. */
METE_MUST_USE int records_reader_last_seq(struct records_reader *reader, uint64_t *ret_seq);
/* Calls made by entries up to this one may have lost session, tags and fingerprint: the file was
 * begun by a mete that kept none. */
METE_MUST_USE int records_reader_labels_from(struct records_reader *reader, uint64_t *ret_seq);

/* Usage and events of entries up to these were removed, by age. */
struct records_removed {
    uint64_t usage, events;
};
METE_MUST_USE int records_reader_removed(struct records_reader *reader,
                                         struct records_removed *ret_removed);

struct records_filter {
    struct mete_scope_id scope; /* any scope on the record's path; 0: all */
    struct slice request_id, model, provider, session, upstream_id; /* empty: all */
    struct slice tag;       /* one of its tags; empty: all */
    int ending;             /* 1 + an enum mete_ending; 0: all */
    int status;             /* 0: all */
    uint64_t seq;           /* this one; 0: all */
    int64_t from_us, to_us; /* ended in [from, to); 0: open */
    uint64_t before_seq;    /* newest first, those before this one; 0: from the newest */
    int provisional;        /* 1: only provisional ones without a correction */
    size_t limit;           /* at least 1 */
};

/* Newest first. Slices die when fn returns. fn returning non-zero stops and is returned. */
METE_MUST_USE int records_each_usage(struct records_reader *reader,
                                     const struct records_filter *filter,
                                     int (*fn)(void *user, const struct records_usage *),
                                     void *user);

/* Entities of a kind in order of handle. organization n = 0: of all. ended ones only if asked. */
METE_MUST_USE int records_each_entity(struct records_reader *reader, int kind,
                                      struct mete_scope_id organization, uint32_t after_handle,
                                      size_t limit, int with_ended,
                                      int (*fn)(void *user, const struct records_entity *),
                                      void *user);
/* The scopes that have an entity of a kind (RECORDS_BUDGET and what follows it) that has not ended,
 * in order of handle. Cost: linear in the organization's entities of the kind. */
METE_MUST_USE int records_each_owner(struct records_reader *reader, int kind,
                                     struct mete_scope_id organization, uint32_t after_handle,
                                     size_t limit, int (*fn)(void *user, struct mete_scope_id),
                                     void *user);
/* NOT_FOUND. */
METE_MUST_USE int records_find_entity(struct records_reader *reader, int kind,
                                      struct mete_scope_id organization, struct slice id,
                                      int (*fn)(void *user, const struct records_entity *),
                                      void *user);
/* The id of one, ended or not, into room bytes. CORRUPT: there is none, or a longer one. */
METE_MUST_USE int records_entity_id(struct records_reader *reader, int kind, uint32_t handle,
                                    char *ret_id, size_t room, size_t *ret_len);
METE_MUST_USE int records_each_event(struct records_reader *reader, uint64_t after_seq,
                                     size_t limit, int (*fn)(void *user, const struct mete_event *),
                                     void *user);

struct records_event_filter {
    struct mete_scope_id organization; /* 0: all */
    struct mete_budget_id budget;      /* 0: all of the organization's budgets, ended ones too */
    enum mete_event_kind kind;         /* 0: all */
    uint64_t before_seq;               /* those before this place; 0: from the newest */
    uint32_t before_n;
    size_t limit; /* at least 1 */
};
/* Events of budgets, newest first; n: their number among those of their entry. fn returning
 * non-zero stops and is returned. Cost: linear in the events between the newest and the last. */
METE_MUST_USE int
records_each_budget_event(struct records_reader *reader, const struct records_event_filter *filter,
                          int (*fn)(void *user, const struct mete_event *, uint32_t n), void *user);

/* All usage records, or all events, behind an entry in order of seq, one a call: for comparing with
 * the journal. Slices die with the next call. */
struct records_cursor;
METE_MUST_USE int records_cursor_open(struct records_reader *reader, uint64_t after_seq,
                                      struct records_cursor **ret_cursor);
void records_cursor_close(struct records_cursor *cursor); /* before its reader */
/* *ret_found 0: no more. */
METE_MUST_USE int records_cursor_usage(struct records_cursor *cursor,
                                       struct records_usage *ret_usage, int *ret_found);
METE_MUST_USE int records_cursor_event(struct records_cursor *cursor, struct mete_event *ret_event,
                                       int *ret_found);

/* Sums over all usage records matching the filter (before_seq and limit ignored). */
struct records_totals {
    uint64_t calls;
    int64_t cost_nano[8];
    uint32_t currency[8];
    size_t currencies;
    int64_t input, output, total_tokens, requests;
};
METE_MUST_USE int records_total(struct records_reader *reader, const struct records_filter *filter,
                                struct records_totals *ret_totals);

#endif
