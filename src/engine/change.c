/* SPDX-License-Identifier: Apache-2.0
 * A batch of administrative changes: all of them in one group of the journal, or none. The ledger
 * judges the whole batch first (ledger_check_changes()), because an entry cannot be taken back;
 * what it agreed to cannot fail afterwards (asserted). */
#include "engine/engine.h"

/* Of the journal, beside a change's texts: the fields of a budget or scope, and a window's entry.
 */
enum { CHANGE_BYTES = 768, PATTERN_BYTES = 16 };

static bool is_judgeable(const struct mete_apply *args)
{
    return args->changes && args->len >= 1 && args->len <= LIMIT_CHANGES;
}

/* Of at most METE_MATCHES_MAX patterns; a change with more is refused. */
static size_t matches_len(const struct mete_match *matches, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count && i < METE_MATCHES_MAX; i++)
        len += PATTERN_BYTES + matches[i].pattern.len;
    return len;
}

static size_t texts_len(const struct mete_change *change)
{
    size_t len = change->document.len;
    if (change->kind == METE_PUT_SCOPE)
        len += change->scope.id.len;
    if (change->kind == METE_PUT_BUDGET)
        len += change->budget.id.len + change->budget.time_zone.len +
               matches_len(change->budget.matches, change->budget.matches_len);
    if (change->kind == METE_PUT_RATE_LIMIT)
        len += change->rate.id.len + matches_len(change->rate.matches, change->rate.matches_len);
    if (change->kind == METE_PUT_GRANT)
        len += change->grant.id.len + change->grant.source.len;
    if (change->kind == METE_PUT_DOCUMENT || change->kind == METE_END_DOCUMENT)
        len += change->at_document.id.len;
    len += change->meter.len;
    return len;
}

/* Of all changes; more than LIMIT_GROUP if any text is over every limit. */
static size_t batch_bytes(const struct mete_apply *args)
{
    size_t bytes = 0;
    for (size_t i = 0; i < args->len; i++) {
        size_t len = texts_len(&args->changes[i]) + args->actor.len;
        if (len > LIMIT_GROUP)
            return SIZE_MAX;
        bytes += len + CHANGE_BYTES;
    }
    return bytes;
}

bool change_has_room(struct mete *mete, const struct mete_op *op)
{
    const struct mete_apply *args = &op->args.apply;
    size_t bytes = is_judgeable(args) ? batch_bytes(args) : 0;
    if (bytes > LIMIT_GROUP)
        bytes = 0; /* it will be refused */
    const struct rows_need need = {
        .rows = bytes ? 2 * args->len : 1, /* and of what is due before */
        .texts = 2 * bytes, /* of entities, and the entries themselves for the audit log */
        .events = bytes ? 2 * args->len * LEDGER_BUDGET_EVENTS_MAX : 0,
    };
    return owner_has_room(mete, bytes, &need);
}

/* Asks about the whole batch, beginning windows that are over. */
static int judge(struct mete *mete, const struct mete_apply *args, struct ledger_batch *ret_batch)
{
    struct mete_instant now = {mete->now_us};
    int rc = ledger_check_changes(mete->ledger, now, args, mete->handles, ret_batch);
    for (size_t rolls = 0; rc == LEDGER_STALE; rolls++) {
        ASSERT(rolls < 2 * args->len); /* a window and a limit each */
        rc = owner_due(mete, &ret_batch->due);
        if (!rc)
            rc = ledger_check_changes(mete->ledger, now, args, mete->handles, ret_batch);
    }
    return rc;
}

/* What the ledger cannot judge: whether there is such a zone, and such a window. */
static int check_windows(struct mete *mete, const struct mete_apply *args, size_t *ret_failed)
{
    for (size_t i = 0; i < args->len; i++) {
        if (args->changes[i].kind != METE_PUT_BUDGET)
            continue;
        int error = windows_check(mete, &args->changes[i].budget);
        if (error) {
            *ret_failed = i;
            return error;
        }
    }
    return 0;
}

/* Also of fields that do not count for the change's kind, which may hold anything. */
static uint32_t resolve(const struct mete *mete, size_t len, uint32_t n)
{
    if (n < METE_FROM_CHANGE(0))
        return n;
    return n - METE_FROM_CHANGE(0) < len ? mete->handles[n - METE_FROM_CHANGE(0)] : 0;
}

/* A new budget's first window. */
static void fill_window(struct mete *mete, struct entry *entry)
{
    if (entry->kind != ENTRY_BUDGET || entry->u.budget.window_end_us)
        return;
    int error = windows_first(mete, &entry->u.budget.spec, &entry->u.budget.window_start_us,
                              &entry->u.budget.window_end_us);
    ASSERT(error == 0); /* check_windows() */
}

static void enter(struct mete *mete, const struct mete_apply *args, size_t i)
{
    struct mete_change change = args->changes[i];
    change.scope.organization.n = resolve(mete, args->len, change.scope.organization.n);
    change.scope.parent.n = resolve(mete, args->len, change.scope.parent.n);
    change.budget.scope.n = resolve(mete, args->len, change.budget.scope.n);
    change.end.n = resolve(mete, args->len, change.end.n);
    change.increase.budget.n = resolve(mete, args->len, change.increase.budget.n);
    change.rate.scope.n = resolve(mete, args->len, change.rate.scope.n);
    change.end_rate.n = resolve(mete, args->len, change.end_rate.n);
    change.at.n = resolve(mete, args->len, change.at.n);
    change.parent.n = resolve(mete, args->len, change.parent.n);
    change.grant.scope.n = resolve(mete, args->len, change.grant.scope.n);
    change.refund.n = resolve(mete, args->len, change.refund.n);
    change.at_document.organization.n = resolve(mete, args->len, change.at_document.organization.n);
    struct slice actor = {args->actor.data, args->actor.len};
    uint32_t handle;
    int error = ledger_decide_change(mete->ledger, (struct mete_instant){mete->now_us}, &change,
                                     actor, &handle, &mete->decision);
    ASSERT(error == 0);
    ASSERT(handle == mete->handles[i]);
    fill_window(mete, &mete->decision.entry);
    owner_enter(mete, &mete->decision.entry);
}

int change_apply(struct mete *mete, struct mete_op *op)
{
    const struct mete_apply *args = &op->args.apply;
    struct mete_applied *applied = &op->result.applied;
    *applied = (struct mete_applied){0};
    if (!is_judgeable(args))
        return args->len > LIMIT_CHANGES ? METE_E_TOO_LARGE : METE_E_INVALID;
    struct ledger_batch batch = {0};
    int rc = check_windows(mete, args, &batch.failed);
    if (!rc)
        rc = judge(mete, args, &batch);
    if (!rc && batch_bytes(args) > LIMIT_GROUP)
        rc = METE_E_TOO_LARGE;
    if (rc) {
        applied->failed = batch.failed;
        return rc;
    }
    applied->seq = ledger_last_seq(mete->ledger) + 1;
    for (size_t i = 0; i < args->len; i++)
        enter(mete, args, i);
    ASSERT(ledger_last_seq(mete->ledger) == applied->seq + args->len - 1);
    if (op->handles)
        memcpy(op->handles, mete->handles, args->len * sizeof *op->handles);
    return 0;
}
