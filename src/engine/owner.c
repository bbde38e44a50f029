/* SPDX-License-Identifier: Apache-2.0
 * The owner: the one thread that has the ledger. A turn takes operations from the ports in turn,
 * decides each, applies what was decided, puts the entry into the batch and the records' row into
 * the ring, and hands the batch to the writer. An answer goes out when everything it saw is durable
 * (INV-05): at once if nothing is under way, else with the batch.
 *
 * An operation is begun only if the batch, the rows and the events surely have room for it; else it
 * waits (`deferred`), the owner is stalled, and whoever makes room rings. So nothing inside an
 * operation can run out of room, and admission slows to what disk and records can take.
 *
 * A turn is bounded (TURN_OPS, TURN_EXPIRIES), so that an event loop gets back to its sockets. */
#include "engine/engine.h"

#include "base/checked.h"
#include "engine/keeping.h"

enum {
    TURN_OPS = 4096,
    TURN_EXPIRIES = 256,
    PORT_OPS = 64,   /* of one port before the next one's turn */
    CLOCK_OPS = 256, /* a reading of the clock serves so many operations */
    AHEAD_STEP = 8,  /* what an operation touches is fetched in steps, each so many operations */
    AHEAD_STEPS = 4  /* nearer than the one before: itself, then the ledger's three */
};

/* ---- Waking ---------------------------------------------------------------------------------- */

bool owner_is_me(const struct mete *mete)
{
    uintptr_t owner = atomic_load_explicit(&mete->owner_id, memory_order_relaxed);
    return owner == (uintptr_t)pthread_self();
}

bool owner_claim(struct mete *mete)
{
    uintptr_t nobody = 0;
    (void)atomic_compare_exchange_strong(&mete->owner_id, &nobody, (uintptr_t)pthread_self());
    return owner_is_me(mete);
}

void owner_call(struct mete *mete)
{
    if (mete->owner_kind == METE_OWNER_CALLER) {
        if (owner_is_me(mete))
            return; /* it calls mete_turn() itself */
        if (bell_ring(&mete->owner_bell) && mete->wake)
            mete->wake(mete->wake_user);
        return;
    }
    bell_call(&mete->owner_bell);
}

/* ---- Entering -------------------------------------------------------------------------------- */

void owner_enter(struct mete *mete, const struct entry *entry)
{
    ASSERT(entry->kind != ENTRY_NONE && entry->seq == ledger_last_seq(mete->ledger) + 1);
    ASSERT_INV("INV-09", entry->at_us >= mete->last_at_us);
    int error = ledger_apply(mete->ledger, entry, &mete->effects);
    ASSERT(error == 0);
    mete->last_at_us = entry->at_us;
    lineage_apply(&mete->lineage, entry);
    if (mete->is_durable)
        batch_add_entry(mete->filling, entry);
    if (mete->on_event)
        batch_add_events(mete->filling, mete->effects.events, mete->effects.events_len);
    if (mete->has_records) {
        project_entry(&mete->lineage, entry, &mete->effects, &mete->projection);
        if (mete->projection.has_entity || mete->projection.audit.entry)
            mete->last_change_seq = entry->seq;
        rows_put(&mete->rows, &mete->projection, entry->seq);
    }
}

static int roll(struct mete *mete, uint32_t budget)
{
    struct mete_budget_view view;
    struct entry entry;
    int error = ledger_budget(mete->ledger, budget, &view);
    ASSERT(error == 0);
    error = windows_next(mete, &view, &entry);
    if (!error)
        owner_enter(mete, &entry);
    return error;
}

static void change_limit(struct mete *mete, uint32_t budget)
{
    const struct entry entry = {.kind = ENTRY_LIMIT,
                                .seq = ledger_last_seq(mete->ledger) + 1,
                                .at_us = mete->now_us,
                                .u.limit = {.budget = budget}};
    owner_enter(mete, &entry);
}

static int make_default(struct mete *mete, uint32_t template, uint32_t scope)
{
    struct mete_budget_view view;
    struct entry entry;
    int error = ledger_budget(mete->ledger, template, &view);
    ASSERT(error == 0);
    error = windows_default(mete, &view, scope, &entry);
    if (!error)
        owner_enter(mete, &entry);
    return error;
}

int owner_due(struct mete *mete, const struct ledger_due *due)
{
    switch (due->kind) {
    case LEDGER_DUE_WINDOW:
        return roll(mete, due->budget);
    case LEDGER_DUE_LIMIT:
        change_limit(mete, due->budget);
        return 0;
    case LEDGER_DUE_DEFAULT:
        return make_default(mete, due->budget, due->scope);
    }
    ASSERT(false && "a kind of what is due");
    return METE_E_CORRUPT;
}

void owner_answer(struct mete *mete, const struct answer *answer)
{
    bool is_settled =
        !mete->is_durable ||
        atomic_load_explicit(&mete->flushed, memory_order_acquire) == ledger_last_seq(mete->ledger);
    if (is_settled)
        port_finish_by_owner(answer->port, answer->op);
    else
        batch_add_answer(mete->filling, answer->port, answer->op);
}

/* ---- Room ------------------------------------------------------------------------------------ */

static bool batch_has_room(const struct batch *batch, size_t bytes, size_t events)
{
    return batch->bytes_len + bytes <= LIMIT_GROUP && batch->answers_len < LIMIT_GROUP_ANSWERS &&
           batch->events_len + events <= LIMIT_GROUP_EVENTS;
}

/* In memory nothing is flushed: the batch holds events alone. */
static void deliver_events(struct mete *mete)
{
    struct batch *batch = mete->filling;
    for (size_t i = 0; i < batch->events_len; i++)
        mete->on_event(mete->on_event_user, &batch->events[i]);
    batch_clear(batch);
}

static bool has_room_now(struct mete *mete, size_t bytes, const struct rows_need *need)
{
    if (!mete->filling || !batch_has_room(mete->filling, bytes, need->events))
        return false;
    return !mete->has_records || rows_have_room(&mete->rows, need);
}

/* A full batch goes to the writer, if the writer is through with the other one. */
static void turn_over(struct mete *mete)
{
    if (!mete->is_durable) {
        deliver_events(mete);
        return;
    }
    batch_publish(mete);
    if (!mete->filling)
        (void)batch_take_other(mete);
}

bool owner_has_room(struct mete *mete, size_t bytes, const struct rows_need *need)
{
    if (has_room_now(mete, bytes, need))
        return true;
    atomic_store(&mete->is_stalled, true);
    turn_over(mete);
    if (!has_room_now(mete, bytes, need)) {
        bell_call(&mete->hurry_bell);
        return false; /* whoever makes room rings */
    }
    atomic_store(&mete->is_stalled, false);
    return true;
}

/* For one operation that is no METE_OP_APPLY, or one expiry. */
static bool has_room(struct mete *mete)
{
    static const struct rows_need one = {.rows = 1 + METE_REFUSALS_MAX,
                                         .texts = ROWS_USAGE_TEXTS +
                                                  LIMIT_SCOPE_BUDGETS * ROWS_DEFAULT_TEXTS,
                                         .events = LEDGER_EVENTS_MAX};
    return owner_has_room(mete, NEED_BYTES, &one);
}

/* ---- One turn -------------------------------------------------------------------------------- */

static void read_clock(struct mete *mete)
{
    mete->now_us = max_i64(clock_now_us(&mete->clock), mete->last_at_us);
}

static void wait_for_records(struct mete *mete, const struct answer *answer)
{
    answer->op->engine_next = answer->port->waiting;
    answer->port->waiting = answer->op;
    mete->has_waiting = true;
}

/* False: there is no room for it now; nothing was done. */
static bool execute(struct mete *mete, const struct answer *answer)
{
    struct mete_op *op = answer->op;
    bool fits = op->kind == METE_OP_APPLY ? change_has_room(mete, op) : has_room(mete);
    if (!fits)
        return false;
    bool waits = false;
    if (op->kind == METE_OP_APPLY)
        op->status = change_apply(mete, op);
    else if (op->kind == METE_OP_QUERY)
        op->status = query_answer(mete, op, &waits);
    else
        op->status = decide_op(mete, op);
    if (waits)
        wait_for_records(mete, answer);
    else
        owner_answer(mete, answer);
    return true;
}

/* False: it was deferred. */
static bool execute_or_defer(struct mete *mete, struct mete_port *port, struct mete_op *op)
{
    const struct answer answer = {op, port};
    if (execute(mete, &answer))
        return true;
    mete->deferred = answer;
    return false;
}

static void foresee_op(const struct mete *mete, const struct mete_op *op, unsigned step)
{
    switch (op->kind) {
    case METE_OP_RESERVE:
    case METE_OP_CHECK:
        ledger_foresee(mete->ledger, op->args.reserve.scope.n, step);
        break;
    case METE_OP_RECORD:
        ledger_foresee(mete->ledger, op->args.record.scope.n, step);
        break;
    case METE_OP_COMMIT:
        ledger_foresee_end(mete->ledger, op->args.commit.reservation.n, step);
        break;
    case METE_OP_RELEASE:
        ledger_foresee_end(mete->ledger, op->args.release.n, step);
        break;
    case METE_OP_EXTEND:
        ledger_foresee_end(mete->ledger, op->args.extend.reservation.n, step);
        break;
    case METE_OP_APPLY:
    case METE_OP_QUERY:
        break;
    }
}

static void foresee_step(const struct mete *mete, const struct mete_op *op, unsigned step)
{
    if (step > 0) {
        foresee_op(mete, op, step - 1);
        return;
    }
    __builtin_prefetch(op);
    __builtin_prefetch((const char *)op + 64);
    __builtin_prefetch((const char *)op + 128);
}

/* The ledger's accounts lie anywhere in memory: those of the operations to come are fetched while
 * the present ones are worked on. So many at a time: a hint waits for the walk through the page
 * tables, and the processor walks for several at once. Only hints: nothing depends on them. */
static void foresee(const struct mete *mete, struct mete_port *port)
{
    for (unsigned step = 0; step < AHEAD_STEPS; step++) {
        uint32_t first = AHEAD_STEP * (AHEAD_STEPS - step);
        for (uint32_t i = first; i < first + AHEAD_STEP; i++) {
            const struct mete_op *op = ring_peek(&port->submitted, i);
            if (!op)
                break;
            foresee_step(mete, op, step);
        }
    }
}

/* Up to max operations of one port. *ret_deferred: the last of them found no room. */
static size_t take_port(struct mete *mete, struct mete_port *port, size_t max, bool *ret_deferred)
{
    size_t taken = 0;
    while (taken < max) {
        struct mete_op *op = ring_pop(&port->submitted);
        if (!op)
            break;
        if (taken++ % AHEAD_STEP == 0)
            foresee(mete, port);
        if (!execute_or_defer(mete, port, op)) {
            *ret_deferred = true;
            break;
        }
    }
    return taken;
}

/* One round over the ports, each in turn the first. */
static size_t take_round(struct mete *mete, bool *ret_deferred)
{
    uint32_t len = atomic_load_explicit(&mete->ports_len, memory_order_acquire);
    size_t taken = 0;
    for (uint32_t i = 0; i < len && !*ret_deferred; i++) {
        struct mete_port *port = mete->ports[(mete->next_port + i) % len];
        taken += take_port(mete, port, PORT_OPS, ret_deferred);
    }
    mete->next_port = len ? (mete->next_port + 1) % len : 0;
    return taken;
}

static bool writer_is_idle(const struct mete *mete)
{
    for (int i = 0; i < BATCHES; i++) {
        int state = atomic_load_explicit(&mete->batches[i].state, memory_order_relaxed);
        if (state == BATCH_PENDING || state == BATCH_FLUSHING)
            return false;
    }
    return true;
}

static size_t take_all(struct mete *mete)
{
    bool is_deferred = false;
    if (mete->deferred.op) {
        struct answer again = mete->deferred;
        mete->deferred = (struct answer){0};
        is_deferred = !execute_or_defer(mete, again.port, again.op);
    }
    size_t taken = 0, since_clock = 0;
    while (!is_deferred && taken < TURN_OPS) {
        size_t round = take_round(mete, &is_deferred);
        if (!round)
            break;
        taken += round;
        since_clock += round;
        if (since_clock >= CLOCK_OPS) {
            read_clock(mete);
            since_clock = 0;
        }
        if (mete->is_durable && writer_is_idle(mete)) {
            batch_publish(mete);
            if (!mete->filling && !batch_take_other(mete))
                break;
        }
    }
    return taken;
}

static void expire(struct mete *mete)
{
    for (int i = 0; i < TURN_EXPIRIES; i++) {
        if (ledger_next_expiry(mete->ledger) > mete->now_us || !has_room(mete))
            return;
        struct entry *entry = &mete->decision.entry;
        if (!ledger_decide_expiry(mete->ledger, (struct mete_instant){mete->now_us}, entry))
            return;
        owner_enter(mete, entry);
    }
}

/* Answers the METE_QUERY_PROJECTED of one port whose entries are in the records. True: some wait.
 */
static bool answer_projected(struct mete_port *port, uint64_t projected)
{
    struct mete_op *op = port->waiting;
    port->waiting = NULL;
    while (op) {
        struct mete_op *next = op->engine_next;
        if (op->result.answer->seq <= projected) {
            port_finish_by_owner(port, op);
        } else {
            op->engine_next = port->waiting;
            port->waiting = op;
        }
        op = next;
    }
    return port->waiting != NULL;
}

static void answer_waiting(struct mete *mete)
{
    if (!mete->has_waiting)
        return;
    atomic_store(&mete->wants_projected, true);
    uint64_t projected = atomic_load(&mete->projected);
    uint32_t len = atomic_load(&mete->ports_len);
    mete->has_waiting = false;
    for (uint32_t i = 0; i < len; i++)
        mete->has_waiting |= answer_projected(mete->ports[i], projected);
    if (mete->has_waiting)
        bell_call(&mete->hurry_bell);
    else
        atomic_store(&mete->wants_projected, false);
}

static void signal_ports(struct mete *mete)
{
    uint32_t len = atomic_load_explicit(&mete->ports_len, memory_order_acquire);
    for (uint32_t i = 0; i < len; i++) {
        struct mete_port *port = mete->ports[i];
        if (!port->owner_touched)
            continue;
        port->owner_touched = false;
        port_signal(port);
    }
}

static size_t turn(struct mete *mete)
{
    atomic_store(&mete->is_stalled, false);
    read_clock(mete);
    batch_take(mete);
    follower_glance(mete);
    keeping_enter_base(mete);
    expire(mete);
    size_t taken = take_all(mete);
    answer_waiting(mete);
    if (mete->is_durable)
        batch_publish(mete);
    else
        deliver_events(mete);
    signal_ports(mete);
    return taken;
}

/* ---- Who calls it ---------------------------------------------------------------------------- */

/* Whether another turn would find something to do. */
static bool has_work(struct mete *mete)
{
    if (atomic_load(&mete->is_stalled))
        return false; /* whoever makes room rings */
    uint32_t len = atomic_load(&mete->ports_len);
    for (uint32_t i = 0; i < len; i++)
        if (ring_used(&mete->ports[i]->submitted))
            return true;
    return ledger_next_expiry(mete->ledger) <= mete->now_us;
}

size_t mete_turn(struct mete *mete, struct mete_instant *ret_next)
{
    ASSERT(mete && mete->owner_kind == METE_OWNER_CALLER);
    bool is_owner = owner_claim(mete);
    ASSERT(is_owner);
    (void)bell_heard(&mete->owner_bell);
    size_t taken = turn(mete);
    bool again = has_work(mete) || !bell_doze(&mete->owner_bell);
    if (ret_next) {
        int64_t next_us =
            atomic_load(&mete->is_stalled) ? INT64_MAX : ledger_next_expiry(mete->ledger);
        ret_next->us = again ? mete->now_us : next_us;
    }
    return taken;
}

/* How long to sleep: until the next expiry, by a clock that may not be ours. */
static int64_t sleep_us(const struct mete *mete)
{
    enum { GIVEN_CLOCK_US = 20000 };
    int64_t next_us = ledger_next_expiry(mete->ledger);
    if (next_us == INT64_MAX)
        return -1;
    int64_t left_us = max_i64(next_us - clock_now_us(&mete->clock), 0) + 1;
    return mete->clock.given.now_us ? min_i64(left_us, GIVEN_CLOCK_US) : left_us;
}

void *owner_main(void *user)
{
    struct mete *mete = user;
    atomic_store(&mete->owner_id, (uintptr_t)pthread_self());
    while (!atomic_load(&mete->owner_stops)) {
        (void)bell_heard(&mete->owner_bell);
        size_t taken = turn(mete);
        if (taken || has_work(mete))
            continue;
        int64_t timeout_us = atomic_load(&mete->is_stalled) ? -1 : sleep_us(mete);
        if (bell_doze(&mete->owner_bell))
            bell_sleep(&mete->owner_bell, timeout_us);
    }
    return NULL;
}
