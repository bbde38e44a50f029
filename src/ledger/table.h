/* SPDX-License-Identifier: Apache-2.0
 * A hash table of handles in reserved address space: linear hashing, chained, growing by one
 * bucket per item, so that no insertion ever pauses and memory stays in proportion to the items.
 * The owner keeps keys and compares them; it walks table_first(), table_next(). The newest of
 * equal hashes comes first. All operations: constant expected time. */
#ifndef LEDGER_TABLE_H
#define LEDGER_TABLE_H

#include <stdbool.h>
#include <stdint.h>

struct table {
    uint32_t *heads; /* TABLE_HEADS(items_max) of them, zero at first */
    uint32_t *links; /* by item, 1..items_max */
    uint32_t len, buckets, half;
    uint32_t (*hash)(const void *owner, uint32_t item); /* of an item that is in the table */
    const void *owner;
};

enum { TABLE_FIRST = 64 };
#define TABLE_HEADS(items_max) ((uint64_t)(items_max) + TABLE_FIRST)

void table_init(struct table *table, const void *owner,
                uint32_t (*hash)(const void *owner, uint32_t item));
void table_put(struct table *table, uint32_t item, uint32_t hash);
/* The item must be there (asserted). */
void table_drop(struct table *table, uint32_t item, uint32_t hash);

static inline uint32_t table_bucket(const struct table *table, uint32_t hash)
{
    uint32_t bucket = hash & (2 * table->half - 1);
    return bucket < table->buckets ? bucket : hash & (table->half - 1);
}

/* 0: none. Items of other hashes may be among them. */
static inline uint32_t table_first(const struct table *table, uint32_t hash)
{
    return table->heads[table_bucket(table, hash)];
}

static inline uint32_t table_next(const struct table *table, uint32_t item)
{
    return table->links[item];
}

#endif
