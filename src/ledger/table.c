/* SPDX-License-Identifier: Apache-2.0
 * Buckets 0..buckets-1, half <= buckets <= 2 * half, half a power of two. A hash's bucket is its
 * low bits under 2 * half, or under half where that bucket is not born yet. The bucket that is
 * born next takes its items from the one half below it.
 *
 * Considered and not done: open addressing (doubling pauses for as long as the table is large, and
 * a table made at full size touches a page for each item of a small installation). */
#include "ledger/table.h"

#include "base/assert.h"

void table_init(struct table *table, const void *owner,
                uint32_t (*hash)(const void *owner, uint32_t item))
{
    table->len = 0;
    table->buckets = TABLE_FIRST;
    table->half = TABLE_FIRST;
    table->hash = hash;
    table->owner = owner;
}

/* Gives birth to one bucket. Items keep their order, so that the newest stays in front. */
static void grow(struct table *table)
{
    uint32_t born = table->buckets;
    uint32_t *from = &table->heads[born - table->half];
    uint32_t *to = &table->heads[born];
    ASSERT(*to == 0);
    while (*from) {
        uint32_t item = *from;
        uint32_t hash = table->hash(table->owner, item);
        if ((hash & (2 * table->half - 1)) != born) {
            from = &table->links[item];
            continue;
        }
        *from = table->links[item];
        *to = item;
        to = &table->links[item];
        *to = 0;
    }
    table->buckets++;
    if (table->buckets == 2 * table->half)
        table->half *= 2;
}

void table_put(struct table *table, uint32_t item, uint32_t hash)
{
    ASSERT(item > 0);
    uint32_t *head = &table->heads[table_bucket(table, hash)];
    table->links[item] = *head;
    *head = item;
    table->len++;
    if (table->len > table->buckets)
        grow(table);
}

void table_drop(struct table *table, uint32_t item, uint32_t hash)
{
    uint32_t *at = &table->heads[table_bucket(table, hash)];
    while (*at != item) {
        ASSERT(*at != 0);
        at = &table->links[*at];
    }
    *at = table->links[item];
    ASSERT(table->len > 0);
    table->len--;
}
