/* SPDX-License-Identifier: Apache-2.0
 * Each generation has two open-addressing tables of twice its room, one by handle, one by id, over
 * the same names. Names are never removed one by one: a generation is dropped whole, which keeps
 * probing simple and the cost of forgetting spread over what was learned.
 * Not done: keeping every name for ever (a million keys would be 200 MB); LRU lists (a pointer
 * chase for each look-up on the hot path). */
#include "api/namebook.h"

#include "base/assert.h"
#include "base/limits.h"

#include <stdlib.h>
#include <xxhash.h>

enum { SLOTS = 2 * LIMIT_API_NAMES, MASK = SLOTS - 1 };
_Static_assert((SLOTS & MASK) == 0, "a power of two, so that a hash is cut by a mask");

struct generation {
    struct name **by_handle, **by_id;
    size_t len;
};

struct namebook {
    struct generation young, old;
};

static uint64_t hash_handle(enum name_of of, uint32_t handle)
{
    uint64_t key = (uint64_t)handle << 2 | (uint64_t)of;
    return XXH3_64bits(&key, sizeof key);
}

static uint64_t hash_id(enum mete_kind kind, uint32_t organization, struct slice id)
{
    uint64_t seed = (uint64_t)organization << 8 | (uint64_t)kind;
    return XXH3_64bits_withSeed(id.data, id.len, seed);
}

static bool has_id(const struct name *name, enum mete_kind kind, uint32_t organization,
                   struct slice id)
{
    if (name->ended || name->kind != kind || !slice_equal(namebook_id(name), id))
        return false;
    return kind == METE_ORGANIZATION || name->organization == organization;
}

static struct name *find_handle(const struct generation *g, enum name_of of, uint32_t handle)
{
    if (!g->by_handle)
        return NULL;
    for (uint64_t i = hash_handle(of, handle) & MASK; g->by_handle[i]; i = (i + 1) & MASK)
        if (g->by_handle[i]->handle == handle && g->by_handle[i]->of == of)
            return g->by_handle[i];
    return NULL;
}

const struct name *namebook_get(const struct namebook *book, enum name_of of, uint32_t handle)
{
    const struct name *name = find_handle(&book->young, of, handle);
    return name ? name : find_handle(&book->old, of, handle);
}

const struct name *namebook_scope(const struct namebook *book, uint32_t handle)
{
    return namebook_get(book, NAME_SCOPE, handle);
}

const struct name *namebook_budget(const struct namebook *book, uint32_t handle)
{
    return namebook_get(book, NAME_BUDGET, handle);
}

static const struct name *find_id(const struct generation *g, uint64_t hash, enum mete_kind kind,
                                  uint32_t organization, struct slice id)
{
    if (!g->by_id)
        return NULL;
    for (uint64_t i = hash & MASK; g->by_id[i]; i = (i + 1) & MASK)
        if (has_id(g->by_id[i], kind, organization, id))
            return g->by_id[i];
    return NULL;
}

const struct name *namebook_find(const struct namebook *book, enum mete_kind kind,
                                 uint32_t organization, struct slice id)
{
    if (kind == METE_ORGANIZATION)
        organization = 0;
    uint64_t hash = hash_id(kind, organization, id);
    const struct name *name = find_id(&book->young, hash, kind, organization, id);
    return name ? name : find_id(&book->old, hash, kind, organization, id);
}

static int generation_init(struct generation *g)
{
    struct generation fresh = {calloc(SLOTS, sizeof(struct name *)),
                               calloc(SLOTS, sizeof(struct name *)), 0};
    if (!fresh.by_handle || !fresh.by_id) {
        free(fresh.by_handle);
        free(fresh.by_id);
        return METE_E_MEMORY;
    }
    *g = fresh;
    return 0;
}

static void generation_done(struct generation *g)
{
    for (size_t i = 0; g->by_handle && i < SLOTS; i++)
        free(g->by_handle[i]);
    free(g->by_handle);
    free(g->by_id);
    *g = (struct generation){0};
}

int namebook_new(struct namebook **ret_book)
{
    struct namebook *book = calloc(1, sizeof *book);
    if (!book)
        return METE_E_MEMORY;
    if (generation_init(&book->young)) {
        free(book);
        return METE_E_MEMORY;
    }
    *ret_book = book;
    return 0;
}

void namebook_free(struct namebook *book)
{
    if (!book)
        return;
    generation_done(&book->young);
    generation_done(&book->old);
    free(book);
}

static void put(struct generation *g, struct name *name)
{
    ASSERT(g->len < LIMIT_API_NAMES);
    uint64_t i = hash_handle(name->of, name->handle) & MASK;
    while (g->by_handle[i])
        i = (i + 1) & MASK;
    g->by_handle[i] = name;
    g->len++;
    if (name->of != NAME_SCOPE)
        return;
    uint32_t organization = name->kind == METE_ORGANIZATION ? 0 : name->organization;
    i = hash_id(name->kind, organization, namebook_id(name)) & MASK;
    while (g->by_id[i])
        i = (i + 1) & MASK;
    g->by_id[i] = name;
}

static void learn(struct namebook *book, const struct name *head, const char *id)
{
    ASSERT(head->handle > 0);
    if (find_handle(&book->young, head->of, head->handle))
        return;
    if (book->young.len == LIMIT_API_NAMES) {
        struct generation fresh;
        if (generation_init(&fresh))
            return;
        generation_done(&book->old);
        book->old = book->young;
        book->young = fresh;
    }
    size_t len = strlen(id);
    struct name *name = malloc(sizeof *name + len + 1);
    if (!name)
        return;
    *name = *head;
    name->len = len;
    memcpy(name->id, id, len + 1);
    put(&book->young, name);
}

static void forget(struct generation *g, uint32_t handle)
{
    struct name *name = find_handle(g, NAME_SCOPE, handle);
    if (name)
        name->ended = true;
}

void namebook_forget(struct namebook *book, uint32_t handle)
{
    forget(&book->young, handle);
    forget(&book->old, handle);
}

void namebook_learn_scope(struct namebook *book, const struct mete_scope_view *view)
{
    if (view->ended)
        namebook_forget(book, view->scope.n);
    bool top = view->kind == METE_ORGANIZATION;
    struct name head = {.ended = view->ended != 0,
                        .kind = view->kind,
                        .handle = view->scope.n,
                        .organization = top ? view->scope.n : view->organization.n};
    learn(book, &head, view->id);
}

void namebook_learn_budget(struct namebook *book, const struct mete_budget_view *view)
{
    struct name head = {
        .of = NAME_BUDGET, .handle = view->budget.n, .organization = view->organization.n};
    learn(book, &head, view->id);
}

void namebook_learn_rate(struct namebook *book, const struct mete_rate_view *view)
{
    const struct name head = {.of = NAME_RATE, .handle = view->rate.n};
    learn(book, &head, view->id);
}
