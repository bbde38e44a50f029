/* SPDX-License-Identifier: Apache-2.0
 * A client's book: what it asked of an engine, what it was told, and what must therefore be true of
 * it after any crash. The book knows budgets, windows and amounts by itself, from include/mete.h;
 * it shares no code with the ledger.
 *
 * THE RULE
 *   A thing is told when its answer came back. After a recovery everything told is there, exactly
 *   once, with its figures. What was asked and not told is asked again with the same request id (as
 *   a client does that lost its connection), and then it is there exactly once as well. Nothing
 *   else is. Calls (METE_RESERVE_CALL) of an earlier life that nobody ended are charged at their
 *   worst case; what is past its time has expired.
 *
 * A book lies in memory shared with forked children, so that it survives the life it tells of. */
#ifndef FAULT_BOOK_H
#define FAULT_BOOK_H

#include "mete.h"
#include "property/tape.h"

#include <stdbool.h>

enum { BOOK_OPS = 1600, BOOK_BATCH = 16 };

enum book_kind {
    BOOK_RESERVE = 0,
    BOOK_COMMIT,  /* of the reservation `target` */
    BOOK_RELEASE, /* same */
    BOOK_RECORD,
    BOOK_PUT_SCOPE, /* with a budget of its own, in one apply */
    BOOK_PUT_BUDGET,
    BOOK_SET_LIMIT,  /* of the budget that `target` made */
    BOOK_END_BUDGET, /* same */
    BOOK_PASS,       /* time goes by; what is due expires */
    BOOK_PROJECT,    /* waits for the records */
    BOOK_KINDS
};

struct book_op {
    enum book_kind kind;
    uint32_t target, scope; /* scope: of a new scope its parent */
    int64_t cost, tokens;   /* asked for, used; of a budget: cost is the limit */
    int64_t ttl_ms;
    bool is_call, charges; /* RESERVE */
    uint16_t meter;        /* of a budget */
    enum mete_period period;
    size_t asked_at, told_at; /* disk_events() then; told_at SIZE_MAX: not told */
    int64_t clock_us;         /* the engine's, when asked */
    uint32_t life;
    /* what was told */
    int status;
    bool allowed, was_retried;
    uint64_t id;                 /* of the reservation, the record, the scope */
    uint32_t budget;             /* handle, of PUT_ */
    uint64_t seq;                /* of its entry; 0: not known yet */
    int64_t made_us, expires_us; /* RESERVE; RECORD: made_us */
};

struct book {
    uint32_t len, life;
    uint32_t snapshots, cuts; /* that were made, and told */
    struct book_op ops[BOOK_OPS];
    char fault[256]; /* a sentence: what is not as it should be */
};

/* An engine that is open, and a port of it. */
struct book_client {
    struct mete *mete;
    struct mete_port *port;
};

struct book *book_new(void); /* in shared memory; for ever */
void book_clear(struct book *book);
/* What the client knew when the first `events` of the recording had happened. */
void book_as_of(const struct book *book, size_t events, struct book *ret_book);
/* Latest instant the book knows. */
int64_t book_clock_us(const struct book *book);

/* Options for every engine a book is kept of: METE_OWNER_CALLER, on the disk and the lying os. */
struct mete_options book_options(void);
/* METE_E_ if the engine does not open. Begins a life. */
int book_open(struct book *book, struct book_client *ret_client);
void book_close(struct book_client *client);
/* Draws the next things to do, does them, notes what was told; now and then has a snapshot made or
 * the journal cut, which may fail for want of a disk that works, and changes nothing. Non-zero,
 * here and below: see book->fault. */
int book_go_on(struct book *book, const struct book_client *client, struct tape *tape);
/* Asks again what was not told. */
int book_retry(struct book *book, const struct book_client *client);
/* Compares everything with the open engine. */
int book_check(struct book *book, const struct book_client *client);
/* Of the closed one: verify is clean, and finds the state that was there before (32 bytes). */
int book_verify(struct book *book, const uint8_t *hash);
int book_hash(struct book *book, const struct book_client *client, uint8_t ret_hash[32]);
int book_ask(struct book *book, const struct book_client *client, const struct mete_query *query,
             struct mete_answer *ret_answer);
int book_fail(struct book *book, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
