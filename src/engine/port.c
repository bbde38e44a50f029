/* SPDX-License-Identifier: Apache-2.0
 * A port: three rings and a descriptor. The client's thread pushes operations to `submitted`; they
 * come back on one of two rings, because a ring has one producer: the owner finishes what needs no
 * flush, the writer what does. A port never has more in flight than one ring holds, so finishing
 * never meets a full ring.
 *
 * The descriptor is written at most once until it is read: `signalled` says so. The client reads it
 * first, clears the flag with an exchange, and only then looks at the rings; whoever finishes
 * pushes first and sets the flag afterwards. Hence either the client sees the operation, or the
 * descriptor is written again.
 *
 * Ports are made once and reused: a late signal for a closed port is a spurious wake-up of its next
 * user and never a use after free.
 *
 * A plain call (mete_reserve ...) submits one operation and waits for it; others that finish
 * meanwhile are stashed for the next mete_poll(), so that no done() runs inside the call. */
#include "engine/engine.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- Opening --------------------------------------------------------------------------------- */

static void free_port(struct mete_port *port)
{
    ring_done(&port->submitted);
    ring_done(&port->by_owner);
    ring_done(&port->by_writer);
    if (port->fd >= 0)
        close(port->fd);
    free(port);
}

static int make_port(struct mete *mete, struct mete_port **ret_port)
{
    struct mete_port *port = aligned_alloc(64, (sizeof *port + 63) & ~(size_t)63);
    if (!port)
        return METE_E_MEMORY;
    memset(port, 0, sizeof *port);
    port->mete = mete;
    port->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int error = port->fd < 0 ? METE_E_MEMORY : ring_init(&port->submitted, LIMIT_RING);
    if (!error)
        error = ring_init(&port->by_owner, LIMIT_RING);
    if (!error)
        error = ring_init(&port->by_writer, LIMIT_RING);
    if (error) {
        free_port(port);
        return error;
    }
    *ret_port = port;
    return 0;
}

/* Under the lock: a port nobody has, or a new one. */
static int take_port(struct mete *mete, struct mete_port **ret_port)
{
    uint32_t len = atomic_load(&mete->ports_len);
    for (uint32_t i = 0; i < len; i++) {
        if (!mete->ports[i]->is_open) {
            *ret_port = mete->ports[i];
            return 0;
        }
    }
    if (len == LIMIT_PORTS)
        return METE_E_FULL;
    int error = make_port(mete, &mete->ports[len]);
    if (error)
        return error;
    *ret_port = mete->ports[len];
    atomic_store(&mete->ports_len, len + 1); /* the owner reads the ports before it */
    return 0;
}

int mete_port_open(struct mete *mete, struct mete_port **ret_port)
{
    ASSERT(mete && ret_port);
    pthread_mutex_lock(&mete->ports_lock);
    struct mete_port *port = NULL;
    int error = take_port(mete, &port);
    if (!error) {
        ASSERT(!port->in_flight && !port->stash_first);
        port->is_open = true;
        *ret_port = port;
    }
    pthread_mutex_unlock(&mete->ports_lock);
    return error;
}

void mete_port_close(struct mete_port *port)
{
    if (!port)
        return;
    ASSERT(port->in_flight == 0);
    pthread_mutex_lock(&port->mete->ports_lock);
    ASSERT(port->is_open);
    port->is_open = false;
    pthread_mutex_unlock(&port->mete->ports_lock);
}

void ports_free(struct mete *mete)
{
    uint32_t len = atomic_load(&mete->ports_len);
    for (uint32_t i = 0; i < len; i++) {
        ASSERT(!mete->ports[i]->is_open);
        free_port(mete->ports[i]);
    }
}

int mete_port_fd(const struct mete_port *port)
{
    return port->fd;
}

/* ---- Finishing: owner and writer ------------------------------------------------------------- */

void port_finish_by_owner(struct mete_port *port, struct mete_op *op)
{
    bool pushed = ring_push(&port->by_owner, op);
    ASSERT(pushed);
    port->owner_touched = true;
}

void port_finish_by_writer(struct mete_port *port, struct mete_op *op)
{
    bool pushed = ring_push(&port->by_writer, op);
    ASSERT(pushed);
    port->writer_touched = true;
}

void port_signal(struct mete_port *port)
{
    if (atomic_exchange(&port->signalled, 1))
        return;
    uint64_t one = 1;
    ssize_t written = write(port->fd, &one, sizeof one);
    ASSERT(written == sizeof one);
}

/* ---- The client's side ----------------------------------------------------------------------- */

size_t mete_submit(struct mete_port *port, struct mete_op *const *ops, size_t len)
{
    ASSERT(port && port->is_open);
    size_t accepted = 0;
    while (accepted < len && port->in_flight < LIMIT_RING) {
        ops[accepted]->engine_next = NULL;
        bool pushed = ring_push(&port->submitted, ops[accepted]);
        ASSERT(pushed);
        port->in_flight++;
        accepted++;
    }
    if (accepted)
        owner_call(port->mete);
    return accepted;
}

static void clear_signal(struct mete_port *port)
{
    if (!atomic_load_explicit(&port->signalled, memory_order_relaxed))
        return;
    uint64_t count;
    ssize_t got = read(port->fd, &count, sizeof count);
    ASSERT(got == sizeof count || (got < 0 && errno == EAGAIN));
    atomic_exchange(&port->signalled, 0);
}

/* The next finished operation that is not stashed. */
static struct mete_op *next_finished(struct mete_port *port)
{
    struct mete_op *op = ring_pop(&port->by_owner);
    return op ? op : ring_pop(&port->by_writer);
}

static struct mete_op *unstash(struct mete_port *port)
{
    struct mete_op *op = port->stash_first;
    if (op) {
        port->stash_first = op->engine_next;
        op->engine_next = NULL;
    }
    return op;
}

size_t mete_poll(struct mete_port *port, size_t max)
{
    ASSERT(port && port->is_open);
    clear_signal(port);
    size_t len = 0;
    while (len < max) {
        struct mete_op *op = unstash(port);
        if (!op)
            op = next_finished(port);
        if (!op)
            return len;
        ASSERT(port->in_flight > 0);
        port->in_flight--;
        len++;
        if (op->done)
            op->done(op);
    }
    port_signal(port); /* there may be more */
    return len;
}

static void stash(struct mete_port *port, struct mete_op *op)
{
    op->engine_next = NULL;
    if (port->stash_first)
        port->stash_last->engine_next = op;
    else
        port->stash_first = op;
    port->stash_last = op;
}

/* Takes what has finished; true once the wanted one is among it. */
static bool collect(struct mete_port *port, const struct mete_op *wanted)
{
    clear_signal(port);
    for (struct mete_op *op; (op = next_finished(port));) {
        if (op == wanted)
            return true;
        stash(port, op);
    }
    return false;
}

static void wait_for(struct mete_port *port, const struct mete_op *op)
{
    struct mete *mete = port->mete;
    bool turns = mete->owner_kind == METE_OWNER_CALLER && owner_claim(mete);
    while (!collect(port, op)) {
        if (turns) {
            mete_turn(mete, NULL);
            if (collect(port, op))
                break;
        }
        /* As the owner, look again soon: the turn may have waited for room. */
        struct pollfd readable = {.fd = port->fd, .events = POLLIN};
        poll(&readable, 1, turns ? 1 : -1);
    }
    port->in_flight--;
    if (port->stash_first)
        port_signal(port);
}

static int run(struct mete_port *port, struct mete_op *op)
{
    ASSERT(port && port->is_open);
    if (!mete_submit(port, &(struct mete_op *){op}, 1))
        return METE_E_BUSY;
    wait_for(port, op);
    return op->status;
}

/* ---- Plain calls ----------------------------------------------------------------------------- */

static int run_reserve(struct mete_port *port, struct mete_op *op, struct mete_verdict *ret_verdict)
{
    int error = run(port, op);
    if (!error || error == METE_E_ENDED) /* then it says how */
        *ret_verdict = op->result.verdict;
    return error;
}

int mete_reserve(struct mete_port *port, const struct mete_reserve *args,
                 struct mete_refusal *refusals, size_t refusals_max,
                 struct mete_verdict *ret_verdict)
{
    struct mete_op op = {.kind = METE_OP_RESERVE,
                         .args.reserve = *args,
                         .refusals = refusals,
                         .refusals_max = refusals_max};
    return run_reserve(port, &op, ret_verdict);
}

int mete_check(struct mete_port *port, const struct mete_reserve *args,
               struct mete_refusal *refusals, size_t refusals_max, struct mete_verdict *ret_verdict)
{
    struct mete_op op = {.kind = METE_OP_CHECK,
                         .args.reserve = *args,
                         .refusals = refusals,
                         .refusals_max = refusals_max};
    return run_reserve(port, &op, ret_verdict);
}

int mete_extend(struct mete_port *port, const struct mete_extend *args,
                struct mete_refusal *refusals, size_t refusals_max,
                struct mete_verdict *ret_verdict)
{
    struct mete_op op = {.kind = METE_OP_EXTEND,
                         .args.extend = *args,
                         .refusals = refusals,
                         .refusals_max = refusals_max};
    return run_reserve(port, &op, ret_verdict);
}

static int run_end(struct mete_port *port, struct mete_op *op, struct mete_receipt *ret_receipt)
{
    int error = run(port, op);
    if (!error || error == METE_E_ENDED)
        *ret_receipt = op->result.receipt;
    return error;
}

int mete_commit(struct mete_port *port, const struct mete_commit *args,
                struct mete_receipt *ret_receipt)
{
    struct mete_op op = {.kind = METE_OP_COMMIT, .args.commit = *args};
    return run_end(port, &op, ret_receipt);
}

int mete_release(struct mete_port *port, struct mete_reservation_id id,
                 struct mete_receipt *ret_receipt)
{
    struct mete_op op = {.kind = METE_OP_RELEASE, .args.release = id};
    return run_end(port, &op, ret_receipt);
}

int mete_record(struct mete_port *port, const struct mete_record *args,
                struct mete_receipt *ret_receipt)
{
    struct mete_op op = {.kind = METE_OP_RECORD, .args.record = *args};
    return run_end(port, &op, ret_receipt);
}

int mete_apply(struct mete_port *port, const struct mete_apply *args, uint32_t *ret_handles,
               struct mete_applied *ret_applied)
{
    struct mete_op op = {.kind = METE_OP_APPLY, .args.apply = *args, .handles = ret_handles};
    int error = run(port, &op);
    if (ret_applied) /* on an error too: it says which change was wrong */
        *ret_applied = op.result.applied;
    return error;
}

int mete_query(struct mete_port *port, const struct mete_query *args,
               struct mete_answer *ret_answer)
{
    struct mete_op op = {.kind = METE_OP_QUERY, .args.query = *args, .result.answer = ret_answer};
    return run(port, &op);
}
