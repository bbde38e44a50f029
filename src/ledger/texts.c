/* SPDX-License-Identifier: Apache-2.0
 * Ids, thresholds and names: written once, never moved, in one stretch counted in units of 8 bytes
 * so that 32 bits reach 32 GB. Nothing is given back: a scope's id lives as long as its handle, and
 * a budget takes at most two pieces in its life (budgets.c). The room at open is what all
 * capacities need together, so there is no "full" to handle.
 *
 * Considered and not done: fixed 128-byte fields (a scope with four budgets would pass its 640
 * bytes on ids alone). */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "ledger/quotas.h"

enum { UNIT_BYTES = 8 };

uint32_t texts_hash(struct slice text)
{
    return (uint32_t)XXH3_64bits(text.data, text.len);
}

/* Murmur's finaliser over both. */
uint32_t texts_mix(uint32_t hash, uint32_t with)
{
    uint64_t x = (uint64_t)hash << 32 | with;
    x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
    x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return (uint32_t)(x ^ x >> 33);
}

static uint64_t units(uint64_t len)
{
    return (len + UNIT_BYTES - 1) / UNIT_BYTES;
}

uint64_t texts_room(const struct ledger_room *room)
{
    uint64_t id = 1 + LIMIT_ID;
    uint64_t budget = sizeof(struct budget_text) + LIMIT_ID + 4 * METE_THRESHOLDS_MAX;
    return 1 + ((uint64_t)room->scopes + LIMIT_RATES + 2) * units(id) +
           2 * ((uint64_t)room->budgets + 1) * units(budget) + (LIMIT_NAMES + 1) * units(id) +
           2 * (uint64_t)LIMIT_GRANTS * units(quotas_text_max()) +
           (LIMIT_ZONES + LIMIT_METERS + 2 * LIMIT_CHANGES) * units(1 + LIMIT_TIME_ZONE);
}

uint32_t texts_take(struct texts *texts, size_t len)
{
    uint64_t needed = units(len);
    ASSERT(len > 0);
    ASSERT(needed <= texts->room - texts->used);
    uint32_t text = texts->used;
    texts->used += (uint32_t)needed;
    return text;
}

char *texts_at(const struct texts *texts, uint32_t text)
{
    ASSERT(text > 0 && text < texts->used);
    return texts->bytes + (size_t)text * UNIT_BYTES;
}
