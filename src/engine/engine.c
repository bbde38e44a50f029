/* SPDX-License-Identifier: Apache-2.0
 * Opening and closing: makes the parts, recovers, starts the threads; stops them in the order in
 * which work flows, each after it has done what the one before it left.
 *
 * The threads take no signals: those belong to the program around the engine. */
#include "engine/engine.h"

#include "engine/retention.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- Threads --------------------------------------------------------------------------------- */

static int start(pthread_t *thread, void *(*run)(void *), struct mete *mete, bool *ret_runs)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int failed = pthread_create(thread, NULL, run, mete);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    *ret_runs = !failed;
    return failed ? METE_E_MEMORY : 0;
}

/* By so much behind where the process stands: on Linux each thread has a priority of its own. */
void engine_stand_back(int by)
{
    int stands = nice(by); /* a wish: refused, nothing is different */
    (void)stands;
}

static int start_all(struct mete *mete)
{
    int error = 0;
    if (mete->is_durable)
        error = start(&mete->writer_thread, writer_main, mete, &mete->writer_runs);
    if (!error && mete->has_records)
        error = start(&mete->projector_thread, projector_main, mete, &mete->projector_runs);
    if (!error && mete->owner_kind == METE_OWNER_THREAD)
        error = start(&mete->owner_thread, owner_main, mete, &mete->owner_runs);
    if (!error && mete->is_durable)
        error = start(&mete->follower_thread, follower_main, mete, &mete->follower_runs);
    return error;
}

static void stop_all(struct mete *mete)
{
    atomic_store(&mete->follower.stops, true); /* first: it waits for the others */
    bell_call(&mete->follower.bell);
    if (mete->follower_runs)
        pthread_join(mete->follower_thread, NULL);
    atomic_store(&mete->owner_stops, true);
    bell_call(&mete->owner_bell);
    if (mete->owner_runs)
        pthread_join(mete->owner_thread, NULL);
    atomic_store(&mete->writer_stops, true);
    bell_call(&mete->writer_bell);
    if (mete->writer_runs)
        pthread_join(mete->writer_thread, NULL);
    atomic_store(&mete->projector_stops, true);
    bell_call(&mete->projector_bell);
    bell_call(&mete->hurry_bell);
    if (mete->projector_runs)
        pthread_join(mete->projector_thread, NULL);
}

/* ---- Opening --------------------------------------------------------------------------------- */

static uint32_t or_limit(uint32_t given, uint32_t limit)
{
    return given ? given : limit;
}

static int make_parts(struct mete *mete, const struct mete_options *options)
{
    struct ledger_room room = {
        .scopes = or_limit(options->scopes_max, LIMIT_SCOPES),
        .budgets = or_limit(options->budgets_max, LIMIT_BUDGETS),
        .reservations = or_limit(options->reservations_max, LIMIT_RESERVATIONS),
        .outcomes = or_limit(options->outcomes_max, LIMIT_OUTCOMES),
    };
    int error = ledger_open(&room, &mete->ledger);
    if (!error)
        error = calendar_zones_open(&mete->os, &mete->zones);
    if (!error)
        error = lineage_init(&mete->lineage, room.scopes);
    if (!error)
        error = batches_init(mete);
    if (!error && mete->has_records)
        error = rows_init(&mete->rows);
    if (!error && mete->is_durable) {
        mete->follower.room = room;
        mete->directory = strdup(options->directory);
        error = mete->directory ? follower_init(mete) : METE_E_MEMORY;
    }
    return error;
}

static int begin_in_memory(struct mete *mete, struct mete_clock given)
{
    int error = clock_init(&mete->clock, &mete->os, given, 0);
    if (error)
        return error;
    mete->now_us = clock_now_us(&mete->clock);
    batch_take(mete);
    recover_genesis(mete);
    return 0;
}

static int begin(struct mete *mete, const struct mete_options *options)
{
    int error = make_parts(mete, options);
    if (!error)
        error = mete->is_durable ? recover(mete, options->directory, options->clock)
                                 : begin_in_memory(mete, options->clock);
    return error ? error : start_all(mete);
}

int mete_open(const struct mete_options *options, struct mete **ret_mete)
{
    if (!options || !ret_mete ||
        (options->owner != METE_OWNER_THREAD && options->owner != METE_OWNER_CALLER) ||
        options->audit_ppm > 1000000 || !retention_is_valid(&options->retention))
        return METE_E_INVALID;
    size_t size = (sizeof(struct mete) + 63) & ~(size_t)63;
    struct mete *mete = aligned_alloc(64, size);
    if (!mete)
        return METE_E_MEMORY;
    memset(mete, 0, size);
    mete->os = *os_system();
    if (options->sqlite_vfs)
        mete->os.sqlite_vfs = options->sqlite_vfs;
    mete->owner_kind = options->owner;
    mete->is_durable = options->directory != NULL;
    mete->has_records = mete->is_durable && !options->no_records;
    mete->free_reserve = options->free_reserve ? options->free_reserve : LIMIT_FREE_RESERVE;
    mete->follower.snapshot_entries =
        options->snapshot_entries ? options->snapshot_entries : LIMIT_SNAPSHOT_ENTRIES;
    mete->follower.audit_ppm = or_limit(options->audit_ppm, LIMIT_AUDIT_PPM);
    mete->follower.runs_alone = !options->no_audit;
    mete->wake = options->wake;
    mete->wake_user = options->wake_user;
    retention_set(mete, &options->retention);
    pthread_mutex_init(&mete->ports_lock, NULL);
    int error = begin(mete, options);
    if (error) {
        mete_close(mete);
        return error;
    }
    *ret_mete = mete;
    return 0;
}

/* So that the next start need not look at entries that gave no row. Not after a start that failed:
 * it has an error to return, and should not write on what made it fail. */
static void mark_projected(struct mete *mete)
{
    uint64_t projected = atomic_load(&mete->projected);
    if (!mete->projector_runs || records_last_seq(mete->records) >= projected)
        return;
    if (records_begin(mete->records) || records_end(mete->records, projected))
        mete->os.die(mete->os.user, "the records could not be written");
}

void mete_close(struct mete *mete)
{
    if (!mete)
        return;
    stop_all(mete);
    for (int i = 0; i < BATCHES && mete->is_durable && mete->writer_runs; i++)
        ASSERT(batch_is_empty(&mete->batches[i]));
#ifdef METE_SLOW_CHECKS
    if (mete->ledger && (mete->writer_runs || !mete->is_durable))
        ledger_check(mete->ledger);
#endif
    ports_free(mete);
    mark_projected(mete);
    records_close(mete->records);
    journal_close(mete->journal);
    follower_done(mete);
    batches_done(mete);
    rows_release_memory(&mete->rows);
    lineage_done(&mete->lineage);
    calendar_zones_close(mete->zones);
    ledger_close(mete->ledger);
    free(mete->directory);
    pthread_mutex_destroy(&mete->ports_lock);
    free(mete);
}

void mete_on_event(struct mete *mete, void (*fn)(void *user, const struct mete_event *), void *user)
{
    mete->on_event = fn;
    mete->on_event_user = user;
}

struct mete_instant mete_now(const struct mete *mete)
{
    return (struct mete_instant){clock_now_us(&mete->clock)};
}
