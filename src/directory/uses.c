/* SPDX-License-Identifier: Apache-2.0
 * When each scope was last used, by its handle: pages that are made when one of theirs is first
 * used and stay until the end, so that a worker may read while the loop writes.
 *
 *   pages: [ 0 | * | 0 | ... ]      page: [ 1024 instants ] */
#include "directory/index.h"

#include "base/limits.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { PAGE = 1024, PAGES = LIMIT_SCOPES / PAGE + 1 };

struct page {
    _Atomic int64_t at_us[PAGE];
};
struct uses {
    _Atomic(struct page *) pages[PAGES];
};

struct uses *uses_new(void)
{
    return calloc(1, sizeof(struct uses));
}

void uses_free(struct uses *uses)
{
    if (!uses)
        return;
    for (size_t i = 0; i < PAGES; i++)
        free(atomic_load(&uses->pages[i]));
    free(uses);
}

void uses_put(struct uses *uses, uint32_t scope, int64_t at_us)
{
    if (scope / PAGE >= PAGES)
        return;
    _Atomic(struct page *) *place = &uses->pages[scope / PAGE];
    struct page *page = atomic_load_explicit(place, memory_order_relaxed);
    if (!page) {
        page = calloc(1, sizeof *page);
        if (!page)
            return;
        atomic_store_explicit(place, page, memory_order_release);
    }
    atomic_store_explicit(&page->at_us[scope % PAGE], at_us, memory_order_relaxed);
}

int64_t uses_get(const struct uses *uses, uint32_t scope)
{
    if (scope / PAGE >= PAGES)
        return 0;
    const struct page *page =
        atomic_load_explicit(&uses->pages[scope / PAGE], memory_order_acquire);
    return page ? atomic_load_explicit(&page->at_us[scope % PAGE], memory_order_relaxed) : 0;
}
