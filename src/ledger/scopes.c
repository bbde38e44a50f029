/* SPDX-License-Identifier: Apache-2.0
 * The tree of scopes. A kind may stand under the kinds before it in its chain, each level optional:
 *
 *   organization > department > user > api_key        organization > advertiser > campaign
 *
 * and a department under a department, DEPARTMENTS_MAX deep: so that whoever may have a child has
 * room for it and what may stand below, and a path has at most LIMIT_PATH_SCOPES scopes. The id is
 * unique per (kind, organization); the organization is found by walking up, which costs less than a
 * field in every scope.
 *
 *   LIVES --SCOPE_END--> ENDED while reservations made at it are open --> gone: its id is free
 *
 * An ended scope keeps its place, because the paths of its last reservations lead over it, and it
 * may have been their only way to an organization that has ended too.
 *
 * Text: one byte length, the bytes. */
#include "ledger/quotas.h"
#include "ledger/rates.h"

struct slice scopes_id(const struct ledger *ledger, uint32_t scope)
{
    ASSERT(scope > 0 && scope <= ledger->scopes_len);
    const char *at = texts_at(&ledger->texts, ledger->scopes[scope].text);
    return (struct slice){at + 1, (uint8_t)at[0]};
}

uint32_t scopes_organization(const struct ledger *ledger, uint32_t scope)
{
    ASSERT(scope > 0 && scope <= ledger->scopes_len);
    while (ledger->scopes[scope].parent)
        scope = ledger->scopes[scope].parent;
    return scope;
}

bool scopes_may_hold(enum mete_kind parent, enum mete_kind child)
{
    switch (child) {
    case METE_DEPARTMENT:
        return parent == METE_ORGANIZATION || parent == METE_DEPARTMENT;
    case METE_USER:
    case METE_API_KEY:
        return parent >= METE_ORGANIZATION && parent < child;
    case METE_ADVERTISER:
        return parent == METE_ORGANIZATION;
    case METE_CAMPAIGN:
        return parent == METE_ORGANIZATION || parent == METE_ADVERTISER;
    case METE_ORGANIZATION:
        return parent == METE_KIND_NONE;
    case METE_KIND_NONE:
    case METE_KINDS:
        break;
    }
    return false;
}

unsigned scopes_departments(const struct ledger *ledger, uint32_t scope)
{
    unsigned count = 0;
    for (; scope && count <= DEPARTMENTS_MAX; scope = ledger->scopes[scope].parent)
        count += ledger->scopes[scope].kind == METE_DEPARTMENT;
    return count;
}

/* How many departments stand from scope up to this one, both counted; 0: it is not above. */
static unsigned steps_to(const struct ledger *ledger, uint32_t scope, uint32_t department)
{
    for (unsigned steps = 1; scope && steps <= DEPARTMENTS_MAX; steps++) {
        if (scope == department)
            return steps;
        scope = ledger->scopes[scope].parent;
    }
    return 0;
}

unsigned scopes_below(const struct ledger *ledger, uint32_t department)
{
    unsigned longest = 1;
    if (!ledger->scope_ends[department].children)
        return longest;
    for (uint32_t scope = 1; scope <= ledger->scopes_len; scope++) {
        const struct scope *at = &ledger->scopes[scope];
        if (at->kind != METE_DEPARTMENT || at->flags & SCOPE_ENDED)
            continue;
        unsigned steps = steps_to(ledger, scope, department);
        longest = steps > longest ? steps : longest;
    }
    return longest;
}

void scopes_path(const struct ledger *ledger, uint32_t scope, struct path *ret_path)
{
    ASSERT(scope > 0 && scope <= ledger->scopes_len);
    size_t scopes_len = 0, budgets_len = 0, rates_len = 0;
    uint32_t quotas = 0;
    while (scope) {
        const struct scope *at = &ledger->scopes[scope];
        if (at->parent)
            __builtin_prefetch(&ledger->scopes[at->parent]);
        ASSERT(scopes_len < LIMIT_PATH_SCOPES);
        ret_path->scopes[scopes_len++] = scope;
        quotas |= at->quotas;
        unsigned own = at->budgets_len;
        ASSERT(own <= LIMIT_SCOPE_BUDGETS);
        /* As many as there can be, which costs less than as many as there are. */
        memcpy(&ret_path->budgets[budgets_len], at->budgets, sizeof at->budgets);
        for (unsigned i = 0; i < own; i++)
            __builtin_prefetch(&ledger->budgets[at->budgets[i]]);
        budgets_len += own;
        for (uint32_t rate = at->rates; rate; rate = ledger->rates[rate].next)
            ret_path->rates[rates_len++] = rate;
        scope = at->parent;
    }
    ret_path->scopes_len = scopes_len;
    ret_path->budgets_len = budgets_len;
    ret_path->rates_len = rates_len;
    ret_path->quotas = quotas;
}

/* Step 0: the scope; step k: the budgets of the k-th on its path, and the next one. */
void ledger_foresee(const struct ledger *ledger, uint32_t scope, unsigned step)
{
    if (scope > ledger->scopes_len)
        return;
    for (unsigned i = 1; i < step; i++)
        scope = ledger->scopes[scope].parent;
    const struct scope *at = &ledger->scopes[scope];
    if (step == 0) {
        hint(at);
        return;
    }
    hint(&ledger->scopes[at->parent]);
    for (unsigned i = 0; i < at->budgets_len; i++)
        hint(&ledger->budgets[at->budgets[i]]);
    if (at->rates)
        hint(&ledger->rates[at->rates]);
    if (at->quotas)
        hint(&ledger->quotas[at->quotas]);
}

enum mete_reason scopes_refuses(const struct scope *scope, int64_t now_us)
{
    if (scope->expires_at_us && now_us >= scope->expires_at_us)
        return METE_KEY_EXPIRED;
    return scope->flags & (SCOPE_REVOKED | SCOPE_ENDED) ? METE_KEY_REVOKED : METE_REASON_NONE;
}

/* ---- Finding ---- */

static uint32_t hash_key(uint32_t kind, uint32_t organization, struct slice id)
{
    return texts_mix(texts_hash(id), texts_mix(organization, kind));
}

/* The organization of its key: none for an organization itself. */
static uint32_t key_organization(const struct ledger *ledger, uint32_t scope)
{
    return ledger->scopes[scope].parent ? scopes_organization(ledger, scope) : 0;
}

uint32_t scopes_hash(const void *owner, uint32_t scope)
{
    const struct ledger *ledger = owner;
    return hash_key(ledger->scopes[scope].kind, key_organization(ledger, scope),
                    scopes_id(ledger, scope));
}

uint32_t ledger_find_scope(const struct ledger *ledger, enum mete_kind kind, uint32_t organization,
                           struct slice id)
{
    uint32_t key = kind == METE_ORGANIZATION ? 0 : organization;
    uint32_t scope = table_first(&ledger->scope_ids, hash_key(kind, key, id));
    while (scope) {
        if (ledger->scopes[scope].kind == kind && slice_equal(scopes_id(ledger, scope), id) &&
            key_organization(ledger, scope) == key)
            break;
        scope = table_next(&ledger->scope_ids, scope);
    }
    return scope;
}

/* ---- Applying ---- */

static bool fits_tree(const struct ledger *ledger, const struct mete_scope_spec *spec)
{
    if (spec->kind == METE_ORGANIZATION)
        return spec->parent.n == 0 && spec->organization.n == 0;
    uint32_t parent = spec->parent.n;
    if (parent == 0 || parent > ledger->scopes_len)
        return false;
    if (spec->kind == METE_DEPARTMENT && scopes_departments(ledger, parent) >= DEPARTMENTS_MAX)
        return false;
    return !(ledger->scopes[parent].flags & SCOPE_ENDED) &&
           scopes_may_hold((enum mete_kind)ledger->scopes[parent].kind, spec->kind) &&
           scopes_organization(ledger, parent) == spec->organization.n;
}

static bool create(struct ledger *ledger, const struct mete_scope_spec *spec)
{
    struct slice id = {spec->id.data, spec->id.len};
    if (ledger->scopes_len == ledger->room.scopes || !fits_tree(ledger, spec) ||
        ledger_find_scope(ledger, spec->kind, spec->organization.n, id))
        return false;
    uint32_t text = texts_take(&ledger->texts, 1 + id.len);
    char *at = texts_at(&ledger->texts, text);
    at[0] = (char)(uint8_t)id.len;
    memcpy(at + 1, id.data, id.len);
    uint32_t scope = ++ledger->scopes_len;
    ledger->scopes[scope] =
        (struct scope){.parent = spec->parent.n, .text = text, .kind = (uint8_t)spec->kind};
    if (spec->parent.n)
        ledger->scope_ends[spec->parent.n].children++;
    table_put(&ledger->scope_ids, scope, hash_key(spec->kind, spec->organization.n, id));
    ledger->counts.scopes++;
    return true;
}

bool scopes_apply(struct ledger *ledger, const struct entry *entry)
{
    const struct mete_scope_spec *spec = &entry->u.scope.spec;
    uint32_t handle = entry->u.scope.handle;
    if (handle == 0 || handle > ledger->scopes_len + 1)
        return false;
    if (handle == ledger->scopes_len + 1 && !create(ledger, spec))
        return false;
    struct scope *scope = &ledger->scopes[handle];
    struct slice id = {spec->id.data, spec->id.len};
    if (scope->kind != spec->kind || !slice_equal(scopes_id(ledger, handle), id) ||
        scope->flags & SCOPE_ENDED)
        return false;
    scope->expires_at_us = spec->expires_at.us;
    scope->flags = spec->revoked ? SCOPE_REVOKED : 0;
    return true;
}

void scopes_bury(struct ledger *ledger, uint32_t scope)
{
    ASSERT_INV("INV-02", scope_is_gone(&ledger->scopes[scope]));
    table_drop(&ledger->scope_ids, scope, scopes_hash(ledger, scope));
}

bool scopes_apply_end(struct ledger *ledger, const struct entry *entry)
{
    uint32_t handle = entry->u.scope_end.scope;
    if (handle == 0 || handle > ledger->scopes_len)
        return false;
    struct scope *scope = &ledger->scopes[handle];
    if (scope->flags & SCOPE_ENDED || ledger->scope_ends[handle].children)
        return false;
    budgets_end_of_scope(ledger, handle);
    rates_end_of_scope(ledger, handle);
    quotas_end_all(ledger, handle);
    scope->flags |= SCOPE_ENDED;
    if (scope->parent) {
        ASSERT(ledger->scope_ends[scope->parent].children > 0);
        ledger->scope_ends[scope->parent].children--;
    }
    ASSERT(ledger->counts.scopes > 0);
    ledger->counts.scopes--;
    if (scope_is_gone(scope))
        scopes_bury(ledger, handle);
    return true;
}
