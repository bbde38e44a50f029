/* SPDX-License-Identifier: Apache-2.0
 * What the two writers of entries share: entry.c packs calls, entry_change.c administration.
 * Reading trusts nothing: a fault sets reader.bad, later reads give zeros. */
#ifndef LEDGER_ENTRY_BYTES_H
#define LEDGER_ENTRY_BYTES_H

#include "base/checked.h"
#include "base/limits.h"
#include "ledger/entry.h"

enum {
    ENTRY_SLOT_BITS = 28, /* of a reservation's id; the rest is its generation */
    ENTRY_GENERATION_BITS = 64 - ENTRY_SLOT_BITS
};

static inline struct slice of_text(struct mete_text text)
{
    return (struct slice){text.data, text.len};
}

static inline void write_u64(struct writer *w, uint64_t value)
{
    for (unsigned shift = 0; shift < 64; shift += 8)
        write_byte(w, (uint8_t)(value >> shift));
}

static inline void write_reservation(struct writer *w, uint64_t id)
{
    write_varint(w, id >> ENTRY_GENERATION_BITS);
    write_varint(w, id & ((UINT64_C(1) << ENTRY_GENERATION_BITS) - 1));
}

static inline void require(struct reader *r, bool fits)
{
    if (!fits)
        r->bad = true;
}

static inline uint64_t read_max(struct reader *r, uint64_t max)
{
    uint64_t value = read_varint(r);
    require(r, value <= max);
    return r->bad ? 0 : value;
}

static inline uint32_t read_u32(struct reader *r)
{
    return (uint32_t)read_max(r, UINT32_MAX);
}

static inline int64_t read_i64(struct reader *r)
{
    return (int64_t)read_max(r, INT64_MAX);
}

static inline uint64_t read_u64(struct reader *r)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 8)
        value |= (uint64_t)read_byte(r) << shift;
    return r->bad ? 0 : value;
}

static inline uint64_t read_reservation(struct reader *r)
{
    uint64_t slot = read_max(r, (UINT64_C(1) << ENTRY_SLOT_BITS) - 1);
    uint64_t generation = read_max(r, (UINT64_C(1) << ENTRY_GENERATION_BITS) - 1);
    require(r, generation > 0);
    return slot << ENTRY_GENERATION_BITS | generation;
}

static inline uint32_t read_handle(struct reader *r)
{
    uint32_t handle = read_u32(r);
    require(r, handle > 0);
    return handle;
}

static inline struct mete_text read_id(struct reader *r)
{
    struct slice id = read_slice(r, LIMIT_ID);
    require(r, entry_is_id(id));
    return (struct mete_text){id.data, id.len};
}

/* ---- entry_change.c: the kinds that mete_apply() makes, and what follows from them ---- */
/* false: entry->kind is none of these, and nothing was done. */
bool entry_write_change(struct writer *w, const struct entry *entry);
bool entry_read_change(struct reader *r, struct entry *entry);
/* Bytes of its texts and lists, at most. */
size_t entry_change_size(const struct entry *entry);

/* ---- entry_quota.c: grants, refunds, ends of quotas; likewise ---- */
bool entry_write_quota(struct writer *w, const struct entry *entry);
bool entry_read_quota(struct reader *r, struct entry *entry);
size_t entry_quota_size(const struct entry *entry);

/* ---- documents.c: documents of the caller's; likewise ---- */
bool entry_write_document(struct writer *w, const struct entry *entry);
bool entry_read_document(struct reader *r, struct entry *entry);
size_t entry_document_size(const struct entry *entry);

#endif
