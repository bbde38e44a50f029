/* SPDX-License-Identifier: Apache-2.0
 * Ids of scopes, budgets and rate limits by handle, and handles of scopes by id, as the engine told
 * them. What a handle means never changes, so a kept answer is never wrong, only missing; what an
 * id means changes when its scope ends, which is told here. Bounded: of two generations the older
 * is forgotten when the younger is full. THREAD the event loop. */
#ifndef API_NAMEBOOK_H
#define API_NAMEBOOK_H

#include "base/slice.h"
#include "mete.h"

enum name_of { NAME_SCOPE = 0, NAME_BUDGET, NAME_RATE };

struct name {
    enum name_of of;
    bool ended;
    enum mete_kind kind; /* of a scope */
    uint32_t handle;
    uint32_t organization; /* an organization's own handle for itself */
    size_t len;
    char id[]; /* terminated */
};

struct namebook;

METE_MUST_USE int namebook_new(struct namebook **ret_book);
void namebook_free(struct namebook *book);

/* NULL: not known here. Borrowed until the next learn. */
const struct name *namebook_get(const struct namebook *book, enum name_of of, uint32_t handle);
const struct name *namebook_scope(const struct namebook *book, uint32_t handle);
const struct name *namebook_budget(const struct namebook *book, uint32_t handle);
/* organization n = 0 for an organization. */
const struct name *namebook_find(const struct namebook *book, enum mete_kind kind,
                                 uint32_t organization, struct slice id);

/* Keeps what the engine answered. Without memory it is not kept. */
void namebook_learn_scope(struct namebook *book, const struct mete_scope_view *view);
void namebook_learn_budget(struct namebook *book, const struct mete_budget_view *view);
void namebook_learn_rate(struct namebook *book, const struct mete_rate_view *view);

/* The scope has ended: its id leads to it no longer, the handle still has its name. */
void namebook_forget(struct namebook *book, uint32_t handle);

static inline struct slice namebook_id(const struct name *name)
{
    return (struct slice){name->id, name->len};
}

#endif
