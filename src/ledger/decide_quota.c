/* SPDX-License-Identifier: Apache-2.0
 * The decisions about quotas: what may be granted, refunded, ended, as the batch so far will leave
 * them. A grant's id is never used again, so that a batch cannot end one and make it anew. */
#include "ledger/batch.h"
#include "ledger/quotas.h"

static struct slice of_text(struct mete_text text)
{
    return (struct slice){text.data, text.len};
}

static uint32_t unit_of_spec(const struct mete_grant_spec *spec)
{
    return unit_of(spec->meter, spec->currency);
}

/* How a grant will be once the batch so far is done. */
struct found_grant {
    uint32_t handle; /* 0: none */
    uint32_t scope, unit;
    int64_t amount, drawn, held;
    bool ended;
};

/* Whether a change of the batch, not before `since`, ends this quota, or its scope. */
static bool ends_since(const struct batch *batch, size_t since, uint32_t scope, uint32_t unit)
{
    if (batch_ends_scope(batch, since, scope))
        return true;
    for (size_t i = since; i < batch->len; i++)
        if (batch->changes[i].kind == METE_END_QUOTA &&
            batch_resolve(batch, batch->changes[i].at.n) == scope &&
            unit_of_spec(&batch->changes[i].grant) == unit)
            return true;
    return false;
}

/* A grant that is in the ledger, before the batch. */
static struct found_grant known_grant(const struct ledger *ledger, uint32_t handle)
{
    const struct grant *grant = &ledger->grants[handle];
    const struct quota *quota = &ledger->quotas[grant->quota];
    return (struct found_grant){.handle = handle,
                                .scope = quota->scope,
                                .unit = quota->unit,
                                .amount = grant->amount,
                                .drawn = grant->drawn,
                                .held = grant->held,
                                .ended = quota->ended};
}

/* What the changes so far make of a grant; its handle may be one that they create. */
static struct found_grant find_handle(const struct batch *batch, uint32_t handle)
{
    struct found_grant found = {0};
    size_t since = 0;
    if (handle == 0 || handle > batch->grants_len)
        return found;
    if (handle <= batch->ledger->grants_len)
        found = known_grant(batch->ledger, handle);
    for (size_t i = 0; i < batch->len; i++) {
        const struct mete_change *change = &batch->changes[i];
        if (batch->handles[i] != handle)
            continue;
        if (change->kind == METE_REFUND)
            found.drawn -= change->amount;
        if (change->kind != METE_PUT_GRANT)
            continue;
        if (!found.handle) {
            found.handle = handle;
            found.scope = batch_resolve(batch, change->grant.scope.n);
            found.unit = unit_of_spec(&change->grant);
            since = i;
        }
        found.amount = change->grant.amount;
    }
    ASSERT(found.handle == handle);
    found.ended |= ends_since(batch, since, found.scope, found.unit);
    return found;
}

static struct found_grant find_id(const struct batch *batch, uint32_t organization, struct slice id)
{
    for (size_t i = 0; i < batch->len; i++) {
        const struct mete_grant_spec *spec = &batch->changes[i].grant;
        struct node node;
        if (batch->changes[i].kind == METE_PUT_GRANT && slice_equal(of_text(spec->id), id) &&
            batch_find_any(batch, batch_resolve(batch, spec->scope.n), &node) &&
            node.organization == organization)
            return find_handle(batch, batch->handles[i]);
    }
    uint32_t handle = organization <= batch->ledger->scopes_len
                          ? ledger_find_grant(batch->ledger, organization, id)
                          : 0;
    return find_handle(batch, handle);
}

/* The units in which a scope will have quotas. */
static size_t units_of(const struct batch *batch, uint32_t scope, uint32_t *ret_units)
{
    const struct ledger *ledger = batch->ledger;
    size_t len = 0;
    uint32_t quota = scope <= ledger->scopes_len ? ledger->scopes[scope].quotas : 0;
    for (; quota; quota = ledger->quotas[quota].next)
        ret_units[len++] = ledger->quotas[quota].unit;
    for (size_t i = 0; i < batch->len; i++) {
        const struct mete_change *change = &batch->changes[i];
        uint32_t unit = unit_of_spec(&change->grant);
        size_t at = 0;
        while (at < len && ret_units[at] != unit)
            at++;
        if (change->kind == METE_PUT_GRANT && at == len &&
            batch_resolve(batch, change->grant.scope.n) == scope)
            ret_units[len++] = unit;
        if (change->kind == METE_END_QUOTA && at < len &&
            batch_resolve(batch, change->at.n) == scope)
            ret_units[at] = ret_units[--len];
        ASSERT(len <= LIMIT_SCOPE_QUOTAS);
    }
    return len;
}

static bool has_quota(const struct batch *batch, uint32_t scope, uint32_t unit, size_t *ret_len)
{
    uint32_t units[LIMIT_SCOPE_QUOTAS + 1];
    *ret_len = units_of(batch, scope, units);
    for (size_t i = 0; i < *ret_len; i++)
        if (units[i] == unit)
            return true;
    return false;
}

static bool is_printable(struct mete_text text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
            return false;
    return true;
}

static int check_spec(const struct mete_grant_spec *spec)
{
    if (spec->id.len > LIMIT_ID || spec->source.len > LIMIT_SOURCE)
        return METE_E_TOO_LARGE;
    if (!entry_is_id(of_text(spec->id)) || !entry_is_unit(spec->meter, spec->currency) ||
        spec->amount < 0 || spec->amount > METE_AMOUNT_MAX || spec->expires_at.us < 0 ||
        spec->expires_at.us > ENTRY_INSTANT_MAX_US || !is_printable(spec->source))
        return METE_E_INVALID;
    return 0;
}

static int judge_new(const struct batch *batch, uint32_t scope, uint32_t unit, uint32_t *ret_handle)
{
    size_t len;
    if (batch->grants_len == LIMIT_GRANTS)
        return METE_E_FULL;
    if (!has_quota(batch, scope, unit, &len) &&
        (len == LIMIT_SCOPE_QUOTAS || batch->ledger->quotas_len + LIMIT_CHANGES > LIMIT_QUOTAS))
        return METE_E_FULL;
    *ret_handle = batch->grants_len + 1;
    return 0;
}

static int judge_grant(const struct batch *batch, const struct mete_change *change,
                       uint32_t *ret_handle)
{
    const struct mete_grant_spec *spec = &change->grant;
    struct node node;
    int rc = check_spec(spec);
    if (rc)
        return rc;
    uint32_t scope = batch_resolve(batch, spec->scope.n);
    if (!batch_find_node(batch, scope, &node))
        return METE_E_NOT_FOUND;
    struct found_grant found = find_id(batch, node.organization, of_text(spec->id));
    if (change->flags & METE_CHANGE_UPDATE && (!found.handle || found.ended))
        return METE_E_NOT_FOUND;
    if (!found.handle)
        return judge_new(batch, scope, unit_of_spec(spec), ret_handle);
    if (found.ended || change->flags & METE_CHANGE_CREATE)
        return METE_E_EXISTS;
    if (found.scope != scope || found.unit != unit_of_spec(spec) ||
        (spec->amount < found.amount && spec->amount < found.drawn + found.held))
        return METE_E_INVALID;
    *ret_handle = found.handle;
    return 0;
}

static int judge_refund(const struct batch *batch, const struct mete_change *change,
                        uint32_t *ret_handle)
{
    struct found_grant found = find_handle(batch, batch_resolve(batch, change->refund.n));
    if (!found.handle || found.ended)
        return METE_E_NOT_FOUND;
    if (change->amount < 1 || change->amount > found.drawn)
        return METE_E_INVALID;
    *ret_handle = found.handle;
    return 0;
}

int quotas_judge(const struct batch *batch, const struct mete_change *change, uint32_t *ret_handle)
{
    if (change->kind == METE_PUT_GRANT)
        return judge_grant(batch, change, ret_handle);
    if (change->kind == METE_REFUND)
        return judge_refund(batch, change, ret_handle);
    ASSERT(change->kind == METE_END_QUOTA);
    size_t len;
    uint32_t scope = batch_resolve(batch, change->at.n);
    struct node node;
    if (!entry_is_unit(change->grant.meter, change->grant.currency))
        return METE_E_INVALID;
    if (!batch_find_node(batch, scope, &node) ||
        !has_quota(batch, scope, unit_of_spec(&change->grant), &len))
        return METE_E_NOT_FOUND;
    *ret_handle = 0;
    return 0;
}

void quotas_write(const struct mete_change *change, uint32_t handle, struct slice actor,
                  struct entry *entry)
{
    if (change->kind == METE_PUT_GRANT) {
        entry->kind = ENTRY_GRANT;
        entry->u.grant.handle = handle;
        entry->u.grant.spec = change->grant;
        entry->u.grant.document = of_text(change->document);
        entry->u.grant.actor = actor;
        return;
    }
    if (change->kind == METE_REFUND) {
        entry->kind = ENTRY_REFUND;
        entry->u.refund.grant = handle;
        entry->u.refund.amount = change->amount;
        entry->u.refund.document = of_text(change->document);
        entry->u.refund.actor = actor;
        return;
    }
    entry->kind = ENTRY_QUOTA_END;
    entry->u.quota_end.scope = change->at.n;
    entry->u.quota_end.meter = change->grant.meter;
    entry->u.quota_end.currency = change->grant.currency;
    entry->u.quota_end.actor = actor;
}
