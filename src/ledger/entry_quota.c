/* SPDX-License-Identifier: Apache-2.0
 * Entries of quotas <-> bytes: grants, refunds, ends. Idea and rules: entry.c. */
#include "ledger/entry_bytes.h"

static void write_unit(struct writer *w, uint16_t meter, uint32_t currency)
{
    write_varint(w, meter);
    if (meter == METE_COST)
        write_varint(w, currency);
}

static void write_grant(struct writer *w, const struct entry *entry)
{
    const struct mete_grant_spec *spec = &entry->u.grant.spec;
    write_varint(w, entry->u.grant.handle);
    write_varint(w, spec->scope.n);
    write_slice(w, of_text(spec->id));
    write_unit(w, spec->meter, spec->currency);
    write_varint(w, (uint64_t)spec->amount);
    write_varint(w, spec->priority);
    write_varint(w, (uint64_t)spec->expires_at.us);
    write_slice(w, of_text(spec->source));
    write_slice(w, entry->u.grant.document);
    write_slice(w, entry->u.grant.actor);
}

bool entry_write_quota(struct writer *w, const struct entry *entry)
{
    if (entry->kind == ENTRY_GRANT) {
        write_grant(w, entry);
        return true;
    }
    if (entry->kind == ENTRY_REFUND) {
        write_varint(w, entry->u.refund.grant);
        write_varint(w, (uint64_t)entry->u.refund.amount);
        write_slice(w, entry->u.refund.document);
        write_slice(w, entry->u.refund.actor);
        return true;
    }
    if (entry->kind == ENTRY_QUOTA_END) {
        write_varint(w, entry->u.quota_end.scope);
        write_unit(w, entry->u.quota_end.meter, entry->u.quota_end.currency);
        write_slice(w, entry->u.quota_end.actor);
        return true;
    }
    return false;
}

size_t entry_quota_size(const struct entry *entry)
{
    if (entry->kind == ENTRY_GRANT)
        return entry->u.grant.spec.id.len + entry->u.grant.spec.source.len +
               entry->u.grant.document.len + entry->u.grant.actor.len;
    if (entry->kind == ENTRY_REFUND)
        return entry->u.refund.document.len + entry->u.refund.actor.len;
    return entry->kind == ENTRY_QUOTA_END ? entry->u.quota_end.actor.len : 0;
}

static void read_unit(struct reader *r, uint16_t *ret_meter, uint32_t *ret_currency)
{
    *ret_meter = (uint16_t)read_max(r, UINT16_MAX);
    *ret_currency = *ret_meter == METE_COST ? read_u32(r) : 0;
    require(r, entry_is_unit(*ret_meter, *ret_currency));
}

static void read_grant(struct reader *r, struct entry *entry)
{
    struct mete_grant_spec *spec = &entry->u.grant.spec;
    entry->u.grant.handle = read_handle(r);
    spec->scope.n = read_handle(r);
    spec->id = read_id(r);
    read_unit(r, &spec->meter, &spec->currency);
    spec->amount = (int64_t)read_max(r, METE_AMOUNT_MAX);
    spec->priority = read_u32(r);
    spec->expires_at.us = (int64_t)read_max(r, ENTRY_INSTANT_MAX_US);
    struct slice source = read_slice(r, LIMIT_SOURCE);
    spec->source = (struct mete_text){source.data, source.len};
    entry->u.grant.document = read_slice(r, LIMIT_DOCUMENT);
    entry->u.grant.actor = read_slice(r, LIMIT_ID);
}

bool entry_read_quota(struct reader *r, struct entry *entry)
{
    if (entry->kind == ENTRY_GRANT) {
        read_grant(r, entry);
        return true;
    }
    if (entry->kind == ENTRY_REFUND) {
        entry->u.refund.grant = read_handle(r);
        entry->u.refund.amount = (int64_t)read_max(r, INT64_MAX);
        require(r, entry->u.refund.amount > 0);
        entry->u.refund.document = read_slice(r, LIMIT_DOCUMENT);
        entry->u.refund.actor = read_slice(r, LIMIT_ID);
        return true;
    }
    if (entry->kind == ENTRY_QUOTA_END) {
        entry->u.quota_end.scope = read_handle(r);
        read_unit(r, &entry->u.quota_end.meter, &entry->u.quota_end.currency);
        entry->u.quota_end.actor = read_slice(r, LIMIT_ID);
        return true;
    }
    return false;
}
