/* SPDX-License-Identifier: Apache-2.0
 * The engine's parts, for the files of this folder alone. docs/threads.md tells who runs when.
 *
 *   ports --submitted--> owner --batch--> writer --finished--> ports
 *                          |                 |
 *                          +----- rows ------+--> projector
 *
 * A field belongs to the thread its group is headed with; what two threads touch is atomic. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/assert.h"
#include "base/limits.h"
#include "base/ring.h"
#include "calendar/calendar.h"
#include "engine/bell.h"
#include "engine/clock.h"
#include "engine/follower.h"
#include "engine/project.h"
#include "engine/rows.h"
#include "ledger/ledger.h"
#include "mete.h"
#include "store/journal.h"
#include "store/records.h"

#include <pthread.h>

/* ---- Ports ----------------------------------------------------------------------------------- */

struct mete_port {
    struct mete *mete;
    int fd;                     /* readable: there is something to poll */
    bool is_open;               /* under mete.ports_lock */
    _Atomic uint32_t signalled; /* fd was made readable and not read since */
    struct ring submitted;      /* the client's thread -> owner */
    struct ring by_owner;       /* finished: owner -> the client's thread */
    struct ring by_writer;      /* finished: writer -> the client's thread */
    /* the client's thread */
    uint32_t in_flight;
    struct mete_op *stash_first, *stash_last; /* finished while a plain call waited for its own */
    /* owner */
    struct mete_op *waiting; /* METE_QUERY_PROJECTED, by engine_next */
    bool owner_touched;
    /* writer */
    bool writer_touched;
};

/* ---- Batches: what one flush makes durable -------------------------------------------------- */

enum batch_state { BATCH_FREE = 0, BATCH_FILLING, BATCH_PENDING, BATCH_FLUSHING };

struct answer {
    struct mete_op *op;
    struct mete_port *port;
};

struct batch {
    _Atomic int state;
    uint64_t first_seq; /* of its entries, if it has any */
    uint64_t seen_seq;  /* its answers rest on entries up to here */
    uint32_t count;
    int64_t last_at_us;
    uint64_t rows_end;
    size_t bytes_len, answers_len, events_len;
    uint8_t *bytes;            /* LIMIT_GROUP */
    struct answer *answers;    /* LIMIT_GROUP_ANSWERS */
    struct mete_event *events; /* LIMIT_GROUP_EVENTS */
    size_t mapped;
};

enum {
    HISTOGRAM = 24, /* buckets of mete_stats.flush_us_bucket */
    BATCHES = 2
};

struct mete {
    /* set at open, constant afterwards */
    struct os os;
    struct clock clock;
    enum mete_owner owner_kind;
    bool is_durable, has_records;
    void (*wake)(void *wake_user);
    void *wake_user;
    void (*on_event)(void *user, const struct mete_event *event);
    void *on_event_user;
    struct journal *journal; /* the writer's once it runs */
    struct records *records; /* the projector's once it runs */
    char *directory;         /* NULL: in memory */
    uint64_t free_reserve;
    pthread_t owner_thread, writer_thread, projector_thread, follower_thread;
    bool owner_runs, writer_runs, projector_runs, follower_runs;
    pthread_mutex_t ports_lock;
    struct mete_port *ports[LIMIT_PORTS]; /* made once, reused, freed at close */
    _Atomic uint32_t ports_len;

    /* owner */
    struct ledger *ledger;
    struct calendar_zones *zones;
    struct lineage lineage;
    struct batch *filling;  /* NULL: none, between turns or stalled */
    unsigned latest_batch;  /* index of the one filled last */
    int64_t now_us;         /* of this turn */
    int64_t last_at_us;     /* of the last entry */
    struct answer deferred; /* taken, and waiting for more room than there is */
    uint32_t next_port;
    bool has_waiting;                /* some port has METE_QUERY_PROJECTED to answer */
    uint32_t handles[LIMIT_CHANGES]; /* of the batch of changes under way */
    struct ledger_decision decision;
    struct ledger_effects effects;
    struct projection projection;
    uint64_t last_change_seq; /* the last entry that has an entity, or is administrative */

    /* writer */
    int64_t space_at_us;  /* when the free space was looked at */
    uint64_t space_grown; /* bytes appended since */

    /* projector */
    int64_t tend_at_us;  /* when it looks again whether there is something to put in order */
    uint64_t tended_seq; /* projector: what the records had when nothing was left to do */

    /* shared */
    struct follower follower;
    _Atomic uint32_t keep_records, keep_events, keep_reports; /* days; 0: for ever */
    _Atomic uint64_t free_bytes;                              /* 0: not known */
    _Atomic bool admission_stopped;                           /* fewer are free than the reserve */
    struct batch batches[BATCHES];
    struct rows rows;
    struct bell owner_bell, writer_bell, projector_bell;
    struct bell hurry_bell; /* ends the projector's lingering */
    _Atomic bool owner_stops, writer_stops, projector_stops;
    _Atomic bool is_stalled;      /* the owner waits for room and wants to be rung */
    _Atomic bool wants_projected; /* the owner wants to be rung as the records advance */
    _Atomic uintptr_t owner_id;   /* METE_OWNER_CALLER: whose thread it is, 0: not known yet */
    _Atomic uint64_t flushed;     /* writer: last durable entry */
    _Atomic uint64_t projected;   /* projector: last entry in the records */
    _Atomic uint64_t flushes, flush_us_sum, flush_us_bucket[HISTOGRAM]; /* writer */
};

/* ---- engine.c ---- */
/* Of the calling thread. Where there are fewer cores than threads those that callers wait for, the
 * owner and the writer, come before the projector, and the follower comes last. */
enum { PROJECTOR_NICE = 5, FOLLOWER_NICE = 10 };
void engine_stand_back(int by);

/* ---- port.c ---- */
void port_finish_by_owner(struct mete_port *port, struct mete_op *op);
void port_finish_by_writer(struct mete_port *port, struct mete_op *op);
void port_signal(struct mete_port *port);
void ports_free(struct mete *mete);

/* ---- batch.c ---- */
METE_MUST_USE int batches_init(struct mete *mete);
void batches_done(struct mete *mete);
/* Makes mete->filling the batch to add to: the one published last, if the writer has not begun it.
 */
void batch_take(struct mete *mete);
/* After batch_publish(): an empty one. False: the writer is not through with it. */
bool batch_take_other(struct mete *mete);
/* Lets the writer have what is in it, if it holds anything. */
void batch_publish(struct mete *mete);
bool batch_is_empty(const struct batch *batch);
void batch_add_entry(struct batch *batch, const struct entry *entry);
void batch_add_answer(struct batch *batch, struct mete_port *port, struct mete_op *op);
void batch_add_events(struct batch *batch, const struct mete_event *events, size_t len);
void batch_clear(struct batch *batch);

/* ---- writer.c ---- */
void *writer_main(void *mete);
/* Looks at the free space, if it is time to. */
void writer_check_space(struct mete *mete);
/* Appends the batch's entries and moves the marks; dies rather than fail (INV-15). */
void writer_flush(struct mete *mete, struct batch *batch);

/* ---- projector.c ---- */
void *projector_main(void *mete);
/* Writes what is durable and not yet written, at most one transaction. False: nothing was. */
bool projector_step(struct mete *mete);

/* ---- owner.c ---- */
void *owner_main(void *mete);
/* Rings the owner from another thread. */
void owner_call(struct mete *mete);
bool owner_is_me(const struct mete *mete);
/* METE_OWNER_CALLER: makes this thread the owner if there is none yet. Whether it is the owner. */
bool owner_claim(struct mete *mete);
/* Applies a decided entry and puts it into the batch. There is room (asserted). */
void owner_enter(struct mete *mete, const struct entry *entry);
/* Enters what the ledger says is due before it can answer. */
METE_MUST_USE int owner_due(struct mete *mete, const struct ledger_due *due);
/* Answers when everything the answer rests on is durable. */
void owner_answer(struct mete *mete, const struct answer *answer);

/* ---- windows.c: budgets and the calendar ---- */
/* Whether there is such a zone, and windows of this rule in it. INVALID, TOO_LARGE, FULL, STORAGE.
 */
METE_MUST_USE int windows_check(struct mete *mete, const struct mete_budget_spec *spec);
METE_MUST_USE int windows_first(struct mete *mete, const struct mete_budget_spec *spec,
                                int64_t *ret_start_us, int64_t *ret_end_us);
/* The entry by which a template makes a budget for a scope. */
METE_MUST_USE int windows_default(struct mete *mete, const struct mete_budget_view *template,
                                  uint32_t scope, struct entry *ret_entry);
/* The entry that begins a budget's window of now. */
METE_MUST_USE int windows_next(struct mete *mete, const struct mete_budget_view *view,
                               struct entry *ret_entry);

/* ---- decide.c, change.c, query.c: one operation ---- */
enum { NEED_BYTES = 12 * 1024 }; /* of a batch, for any operation but METE_OP_APPLY */
/* Room in batch and rows; makes it if it can. False: whoever makes room rings the owner. */
bool owner_has_room(struct mete *mete, size_t bytes, const struct rows_need *need);
int decide_op(struct mete *mete, struct mete_op *op);
/* Whether the room that change_apply() needs is there; false: try again with a fresh batch. */
bool change_has_room(struct mete *mete, const struct mete_op *op);
int change_apply(struct mete *mete, struct mete_op *op);
/* ret_waits: the answer must wait until the records have its seq. */
int query_answer(struct mete *mete, struct mete_op *op, bool *ret_waits);

/* ---- recover.c ---- */
/* Opens journal and records, replays, projects what the records lack, ends orphans: all durable and
 * no thread running when it returns. On an error what it opened is left to mete_close(). */
METE_MUST_USE int recover(struct mete *mete, const char *directory, struct mete_clock clock);
/* The first entry of a journal, or of an engine in memory. */
void recover_genesis(struct mete *mete);

#endif
