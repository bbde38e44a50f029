/* SPDX-License-Identifier: Apache-2.0
 * The decisions about rate limits: what may be put and ended, as the batch so far will leave it. An
 * id is free as soon as its rate limit has ended, so that a batch may end one and make it anew. */
#include "ledger/batch.h"
#include "ledger/matches.h"
#include "ledger/rates.h"

static struct slice of_text(struct mete_text text)
{
    return (struct slice){text.data, text.len};
}

/* The change of the batch that makes this rate limit; NULL: it is in the ledger already. */
static const struct mete_rate_spec *maker(const struct batch *batch, uint32_t handle)
{
    for (size_t i = 0; handle > batch->ledger->rates_len && i < batch->len; i++)
        if (batch->changes[i].kind == METE_PUT_RATE_LIMIT && batch->handles[i] == handle)
            return &batch->changes[i].rate;
    return NULL;
}

static uint32_t scope_of(const struct batch *batch, uint32_t handle)
{
    const struct mete_rate_spec *made_by = maker(batch, handle);
    return made_by ? batch_resolve(batch, made_by->scope.n) : batch->ledger->rates[handle].scope;
}

/* Also with its scope. */
static bool ends_since(const struct batch *batch, size_t since, uint32_t handle)
{
    if (batch_ends_scope(batch, since, scope_of(batch, handle)))
        return true;
    for (size_t i = since; i < batch->len; i++)
        if (batch->changes[i].kind == METE_END_RATE_LIMIT && batch->handles[i] == handle)
            return true;
    return false;
}

/* The one that will have this id. 0: none. */
static uint32_t find_id(const struct batch *batch, uint32_t organization, struct slice id)
{
    for (size_t i = batch->len; i-- > 0;) {
        const struct mete_rate_spec *spec = &batch->changes[i].rate;
        struct node node;
        if (batch->changes[i].kind == METE_PUT_RATE_LIMIT && slice_equal(of_text(spec->id), id) &&
            batch_find_node(batch, batch_resolve(batch, spec->scope.n), &node) &&
            node.organization == organization)
            return ends_since(batch, i, batch->handles[i]) ? 0 : batch->handles[i];
    }
    if (organization > batch->ledger->scopes_len)
        return 0;
    uint32_t handle = ledger_find_rate(batch->ledger, organization, id);
    return handle && !ends_since(batch, 0, handle) ? handle : 0;
}

/* How many the scope will have. */
static size_t count_of_scope(const struct batch *batch, uint32_t scope)
{
    const struct ledger *ledger = batch->ledger;
    size_t count = scope <= ledger->scopes_len ? rates_of_scope(ledger, scope) : 0;
    uint32_t last = ledger->rates_len;
    for (size_t i = 0; i < batch->len; i++) {
        uint32_t handle = batch->handles[i];
        if (batch->changes[i].kind == METE_PUT_RATE_LIMIT && handle > last) {
            count += scope_of(batch, handle) == scope;
            last = handle;
        }
        if (batch->changes[i].kind == METE_END_RATE_LIMIT)
            count -= scope_of(batch, handle) == scope;
    }
    return count;
}

static int check_spec(const struct batch *batch, const struct mete_rate_spec *spec)
{
    if (spec->id.len > LIMIT_ID)
        return METE_E_TOO_LARGE;
    if (!entry_is_id(of_text(spec->id)) || !entry_is_rate(spec) || (unsigned)spec->mode > METE_OFF)
        return METE_E_INVALID;
    return batch_judge_matches(batch, spec->matches, spec->matches_len);
}

/* Whether what cannot change stays as it is. */
static bool may_become(const struct batch *batch, uint32_t handle,
                       const struct mete_rate_spec *spec)
{
    struct mete_rate_spec resolved = *spec;
    resolved.scope.n = batch_resolve(batch, spec->scope.n);
    const struct mete_rate_spec *made_by = maker(batch, handle);
    if (!made_by)
        return rates_may_become(batch->ledger, handle, &resolved);
    return scope_of(batch, handle) == resolved.scope.n && made_by->concurrent == spec->concurrent &&
           (spec->concurrent ||
            (made_by->meter == spec->meter && made_by->currency == spec->currency)) &&
           matches_same(made_by->matches, made_by->matches_len, spec->matches, spec->matches_len);
}

static int judge_put(const struct batch *batch, const struct mete_change *change,
                     uint32_t *ret_handle)
{
    const struct mete_rate_spec *spec = &change->rate;
    struct node node;
    int rc = check_spec(batch, spec);
    if (rc)
        return rc;
    uint32_t scope = batch_resolve(batch, spec->scope.n);
    if (!batch_find_node(batch, scope, &node))
        return METE_E_NOT_FOUND;
    uint32_t handle = find_id(batch, node.organization, of_text(spec->id));
    if (handle) {
        if (change->flags & METE_CHANGE_CREATE)
            return METE_E_EXISTS;
        *ret_handle = handle;
        return may_become(batch, handle, spec) ? 0 : METE_E_INVALID;
    }
    if (change->flags & METE_CHANGE_UPDATE)
        return METE_E_NOT_FOUND;
    if (batch->rates_len == LIMIT_RATES || count_of_scope(batch, scope) >= LIMIT_SCOPE_RATES)
        return METE_E_FULL;
    *ret_handle = batch->rates_len + 1;
    return 0;
}

int rates_judge(const struct batch *batch, const struct mete_change *change, uint32_t *ret_handle)
{
    if (change->kind == METE_PUT_RATE_LIMIT)
        return judge_put(batch, change, ret_handle);
    ASSERT(change->kind == METE_END_RATE_LIMIT);
    uint32_t handle = batch_resolve(batch, change->end_rate.n);
    if (handle == 0 || handle > batch->rates_len ||
        (handle <= batch->ledger->rates_len && batch->ledger->rates[handle].life != RATE_LIVES))
        return METE_E_NOT_FOUND;
    if ((handle > batch->ledger->rates_len && !maker(batch, handle)) ||
        ends_since(batch, 0, handle))
        return METE_E_NOT_FOUND;
    *ret_handle = handle;
    return 0;
}

void rates_write(const struct mete_change *change, uint32_t handle, struct slice actor,
                 struct entry *entry)
{
    if (change->kind == METE_END_RATE_LIMIT) {
        entry->kind = ENTRY_RATE_END;
        entry->u.rate_end.handle = handle;
        entry->u.rate_end.actor = actor;
        return;
    }
    ASSERT(change->kind == METE_PUT_RATE_LIMIT);
    entry->kind = ENTRY_RATE;
    entry->u.rate.handle = handle;
    entry->u.rate.spec = change->rate;
    entry->u.rate.spec.concurrent = change->rate.concurrent != 0;
    entry->u.rate.document = of_text(change->document);
    entry->u.rate.actor = actor;
}
