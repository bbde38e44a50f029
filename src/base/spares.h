/* SPDX-License-Identifier: Apache-2.0
 * Blocks of one size that are needed for a short while, again and again: kept aside instead of
 * given back, so that they leave no holes between what lives long. One owner, no locking. */
#ifndef BASE_SPARES_H
#define BASE_SPARES_H

#include <stddef.h>
#include <stdlib.h>

struct spare {
    struct spare *next;
};

struct spares {
    size_t size; /* of each; at least a pointer's */
    size_t len, max;
    struct spare *first;
};

/* size, max: set once; max: how many are kept. */
static inline void spares_init(struct spares *spares, size_t size, size_t max)
{
    *spares = (struct spares){.size = size, .max = max};
}

/* Not cleared. NULL: no memory. */
static inline void *spares_take(struct spares *spares)
{
    struct spare *spare = spares->first;
    if (!spare)
        return malloc(spares->size);
    spares->first = spare->next;
    spares->len--;
    return spare;
}

/* NULL is legal. */
static inline void spares_give(struct spares *spares, void *block)
{
    struct spare *spare = block;
    if (!spare)
        return;
    if (spares->len == spares->max) {
        free(spare);
        return;
    }
    spare->next = spares->first;
    spares->first = spare;
    spares->len++;
}

static inline void spares_done(struct spares *spares)
{
    while (spares->first) {
        struct spare *next = spares->first->next;
        free(spares->first);
        spares->first = next;
    }
}

#endif
