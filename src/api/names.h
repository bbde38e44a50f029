/* SPDX-License-Identifier: Apache-2.0
 * Ids of scopes and budgets by handle, and handles of scopes by id, as the engine told them. What a
 * handle means never changes, so a kept answer is never wrong, only missing. Bounded: of two
 * generations the older is forgotten when the younger is full. THREAD the event loop. */
#ifndef API_NAMES_H
#define API_NAMES_H

#include "base/slice.h"
#include "mete.h"

struct name {
    bool budget;
    enum mete_kind kind; /* of a scope */
    uint32_t handle;
    uint32_t organization; /* an organization's own handle for itself */
    size_t len;
    char id[]; /* terminated */
};

struct names;

METE_MUST_USE int names_new(struct names **ret_names);
void names_free(struct names *names);

/* NULL: not known here. Borrowed until the next learn. */
const struct name *names_scope(const struct names *names, uint32_t handle);
const struct name *names_budget(const struct names *names, uint32_t handle);
/* organization n = 0 for an organization. */
const struct name *names_find(const struct names *names, enum mete_kind kind, uint32_t organization,
                              struct slice id);

/* Keeps what the engine answered. Without memory it is not kept. */
void names_learn_scope(struct names *names, const struct mete_scope_view *view);
void names_learn_budget(struct names *names, const struct mete_budget_view *view);

static inline struct slice names_id(const struct name *name)
{
    return (struct slice){name->id, name->len};
}

#endif
