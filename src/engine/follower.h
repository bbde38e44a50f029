/* SPDX-License-Identifier: Apache-2.0
 * The follower: a thread with a ledger of its own, fed by the very groups that were flushed. From
 * it snapshots are written and with it the live counters are compared, so that the owner pauses for
 * neither. docs/threads.md tells who runs when. For the files of this folder alone. */
#ifndef ENGINE_FOLLOWER_H
#define ENGINE_FOLLOWER_H

#include "engine/bell.h"
#include "ledger/ledger.h"
#include "store/audit.h"
#include "store/journal.h"
#include "store/snapshot.h"

#include <pthread.h>
#include <stdbool.h>

struct mete;

/* What one thread asks of another and waits for: NONE -> WANTED -> DONE -> NONE. */
enum { WISH_NONE = 0, WISH_WANTED, WISH_DONE };

/* Asked of the writer, which has the journal. */
enum chore_kind { CHORE_FETCH = 1, CHORE_CUT, CHORE_CUT_STEP };
struct chore {
    enum chore_kind kind;
    uint64_t after; /* FETCH */
    struct journal_piece *piece;
    struct journal_mark base; /* CUT */
    int more;                 /* CUT_STEP */
    int error;
};

/* Asked of the owner: fingerprints of a few items, and the entry they stand at. */
enum { GLANCE_ITEMS = 64 /* some 20 us of the owner's */ };
struct glance {
    uint64_t first, seq, items;
    size_t len;
    uint64_t prints[GLANCE_ITEMS];
};

/* Asked of the follower by any thread, which waits; in its memory. */
enum order_kind { ORDER_SNAPSHOT = 1, ORDER_CUT, ORDER_BACKUP };
struct order {
    enum order_kind kind;
    const char *directory; /* BACKUP */
    bool is_done;
    int error;
    uint64_t seq;
    struct order *next;
};

struct follower {
    /* set at open, constant afterwards */
    uint64_t snapshot_entries;
    uint32_t audit_ppm;
    bool runs_alone; /* audits and takes snapshots of its own accord */
    struct ledger_room room;

    /* the follower's thread */
    struct ledger *ledger; /* NULL: given back */
    struct journal_mark mark;
    struct journal_piece piece;
    uint64_t newest_snapshot, failed_snapshot;
    uint64_t compared; /* drift found in the cycle under way */
    bool compares;     /* a glance waits to be compared */

    /* orders: under the lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct order *first_order, *last_order;
    bool is_over; /* none is served any more */

    /* shared */
    struct bell bell;
    _Atomic bool idles; /* the writer rings when something was flushed */
    _Atomic bool stops, hastens;
    pthread_mutex_t chore_lock; /* one who asks the writer at a time */
    struct bell chore_bell;
    _Atomic int chore_state, glance_state, base_state, durable_state;
    struct chore chore;
    struct glance glance;
    struct ledger_base base; /* to be entered; seq becomes the entry's */
    uint64_t audit_upto;     /* whose audit log's hash the projector is asked for */
    uint8_t audit[AUDIT_HASH];
    _Atomic uint64_t drift, audited, snapshot, cut;
};

/* Paces what the follower does, by its share of a core. */
struct pacing {
    struct mete *mete;
    int64_t began_us;
};
/* Between small steps: 0, or CLOSED. */
METE_MUST_USE int follower_pace(void *pacing);

METE_MUST_USE int follower_init(struct mete *mete);
void follower_done(struct mete *mete);
void *follower_main(void *mete);

/* Owner, once a turn: does what the follower wishes of it. */
void follower_glance(struct mete *mete);
/* Writer, between flushes: does what was asked of it. */
void writer_chore(struct mete *mete);
/* Any thread but the writer's: has the writer do it. CLOSED: the engine is closing. */
METE_MUST_USE int chore_run(struct mete *mete, struct chore *chore);

#endif
