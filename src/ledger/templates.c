/* SPDX-License-Identifier: Apache-2.0
 * Templates: budgets of an organization that make one for every scope of a kind in it, each when
 * its first call comes (LEDGER_DUE_DEFAULT, ENTRY_DEFAULT).
 *
 * A template is a budget among its organization's that is always off, has no window and no trait
 * but its own: nobody counts in it, and no path pays for it but by passing it. Its true mode lies
 * in its extra. What it made is a budget like any other that knows its maker, and is found by
 * (template, scope) for ever, ended or not: that is how "once" is kept. It shares the template's
 * patterns.
 *
 * Considered and not done: a mask of templates in each scope (a slot that is used again would have
 * to be cleared in every scope of the organization). */
#include "ledger/extras.h"
#include "ledger/templates.h"

/* ---- Finding --------------------------------------------------------------------------------- */

static uint32_t hash_pair(uint32_t template, uint32_t scope)
{
    return texts_mix(template, scope);
}

uint32_t templates_hash(const void *owner, uint32_t budget)
{
    const struct ledger *ledger = owner;
    return hash_pair(ledger->cold[budget].template_of, ledger->budgets[budget].scope);
}

static bool has_made(const struct ledger *ledger, uint32_t template, uint32_t scope)
{
    uint32_t at = table_first(&ledger->defaults, hash_pair(template, scope));
    while (at && !(ledger->cold[at].template_of == template && ledger->budgets[at].scope == scope))
        at = table_next(&ledger->defaults, at);
    return at != 0;
}

/* ID~HANDLE. */
static struct slice write_id(const struct ledger *ledger, uint32_t template, uint32_t scope,
                             char room[LIMIT_ID])
{
    struct slice id = budgets_id(ledger, template);
    ASSERT(id.len <= TEMPLATE_ID_MAX);
    memcpy(room, id.data, id.len);
    size_t len = id.len, digits = 1;
    room[len++] = '~';
    for (uint32_t rest = scope; rest >= 10; rest /= 10)
        digits++;
    for (size_t i = digits; i > 0; i--, scope /= 10)
        room[len + i - 1] = (char)('0' + scope % 10);
    return (struct slice){room, len + digits};
}

/* ---- Deciding -------------------------------------------------------------------------------- */

int templates_check(const struct mete_budget_spec *spec)
{
    if (!spec->for_kind)
        return 0;
    if (spec->id.len > TEMPLATE_ID_MAX)
        return METE_E_TOO_LARGE;
    return spec->for_kind > METE_ORGANIZATION && spec->for_kind < METE_KINDS ? 0 : METE_E_INVALID;
}

static bool has_room(const struct ledger *ledger, uint32_t organization, uint32_t scope)
{
    const struct scope *top = &ledger->scopes[organization];
    uint64_t made = 0;
    for (unsigned i = 0; i < top->budgets_len; i++)
        if (ledger->budgets[top->budgets[i]].traits & BUDGET_TEMPLATE)
            made += extras_of(ledger, top->budgets[i])->made;
    return made < LIMIT_DEFAULTS && ledger->budgets_len < ledger->room.budgets &&
           ledger->scopes[scope].budgets_len < LIMIT_SCOPE_BUDGETS;
}

/* The scope of the path that a template is for and has made nothing for; 0: there is none. An id
 * that somebody took by hand stays theirs. */
static uint32_t lacking(const struct ledger *ledger, const struct path *path, uint32_t template)
{
    const struct extra *extra = extras_of(ledger, template);
    if (extra->template_mode == METE_OFF)
        return 0;
    for (size_t i = 0; i < path->scopes_len; i++) {
        uint32_t scope = path->scopes[i];
        char room[LIMIT_ID];
        if (ledger->scopes[scope].kind != extra->for_kind ||
            ledger->scopes[scope].flags & SCOPE_ENDED || has_made(ledger, template, scope))
            continue;
        if (!ledger_find_budget(ledger, path->scopes[path->scopes_len - 1],
                                write_id(ledger, template, scope, room)))
            return scope;
    }
    return 0;
}

int templates_due(const struct ledger *ledger, const struct path *path, struct ledger_due *ret_due)
{
    uint32_t organization = path->scopes[path->scopes_len - 1];
    const struct scope *top = &ledger->scopes[organization];
    if (!top->templates)
        return 0;
    for (unsigned i = 0; i < top->budgets_len; i++) {
        uint32_t template = top->budgets[i];
        uint32_t scope = ledger->budgets[template].traits & BUDGET_TEMPLATE
                             ? lacking(ledger, path, template)
                             : 0;
        if (!scope)
            continue;
        if (!has_room(ledger, organization, scope))
            return METE_E_FULL;
        *ret_due = (struct ledger_due){LEDGER_DUE_DEFAULT, template, scope};
        return LEDGER_STALE;
    }
    return 0;
}

/* ---- Applying -------------------------------------------------------------------------------- */

void templates_put(struct ledger *ledger, uint32_t handle, const struct mete_budget_spec *spec)
{
    if (!spec->for_kind)
        return;
    struct budget *budget = &ledger->budgets[handle];
    struct extra *extra = extras_make(ledger, handle);
    if (!(budget->traits & BUDGET_TEMPLATE))
        ledger->scopes[budget->scope].templates++;
    extra->for_kind = (uint8_t)spec->for_kind;
    extra->template_mode = (uint8_t)spec->mode;
    budget->traits = BUDGET_TEMPLATE;
    budget->mode = METE_OFF;
}

void templates_end(struct ledger *ledger, uint32_t handle)
{
    const struct budget *budget = &ledger->budgets[handle];
    if (!(budget->traits & BUDGET_TEMPLATE))
        return;
    ASSERT(ledger->scopes[budget->scope].templates > 0);
    ledger->scopes[budget->scope].templates--;
}

/* The template's fields as they are now, for a scope; its patterns are shared later. */
static struct mete_budget_spec spec_of(const struct ledger *ledger, uint32_t template,
                                       uint32_t scope)
{
    const struct budget *budget = &ledger->budgets[template];
    const struct extra *extra = extras_of(ledger, template);
    struct slice zone = extras_zone(ledger, extra);
    struct mete_budget_spec spec = {.scope = {scope},
                                    .meter = unit_meter(budget->unit),
                                    .currency = unit_currency(budget->unit),
                                    .limit = ledger->cold[template].base_limit,
                                    .period = (enum mete_period)budget->period,
                                    .time_zone = {zone.data, zone.len},
                                    .anchor = extra->anchor,
                                    .window_seconds = extra->window_seconds,
                                    .mode = (enum mete_mode)extra->template_mode,
                                    .soft_limit = extra->soft_limit,
                                    .rollover_cap = extra->rollover_cap,
                                    .controls = extra->controls,
                                    .starts_at = {extra->starts_at_us},
                                    .ends_at = {extra->ends_at_us}};
    spec.thresholds_len = budgets_thresholds(ledger, template, spec.thresholds_ppm);
    return spec;
}

static bool may_make(const struct ledger *ledger, const struct entry *entry)
{
    uint32_t template = entry->u.by_default.made_from, scope = entry->u.by_default.scope;
    if (template == 0 || template > ledger->budgets_len || scope == 0 ||
        scope > ledger->scopes_len || entry->u.by_default.handle != ledger->budgets_len + 1)
        return false;
    const struct budget *budget = &ledger->budgets[template];
    return budget->life == BUDGET_LIVES && budget->traits & BUDGET_TEMPLATE &&
           extras_of(ledger, template)->template_mode != METE_OFF &&
           ledger->scopes[scope].kind == extras_of(ledger, template)->for_kind &&
           scopes_organization(ledger, scope) == budget->scope &&
           !(ledger->scopes[scope].flags & SCOPE_ENDED) && !has_made(ledger, template, scope);
}

bool templates_apply(struct ledger *ledger, const struct entry *entry,
                     struct ledger_effects *effects)
{
    if (!may_make(ledger, entry))
        return false;
    uint32_t template = entry->u.by_default.made_from, scope = entry->u.by_default.scope;
    struct entry put = {.kind = ENTRY_BUDGET, .seq = entry->seq, .at_us = entry->at_us};
    char room[LIMIT_ID];
    struct slice id = write_id(ledger, template, scope, room);
    put.u.budget.handle = entry->u.by_default.handle;
    put.u.budget.spec = spec_of(ledger, template, scope);
    put.u.budget.spec.id = (struct mete_text){id.data, id.len};
    put.u.budget.window_start_us = entry->u.by_default.window_start_us;
    put.u.budget.window_end_us = entry->u.by_default.window_end_us;
    if (!budgets_apply_put(ledger, &put, effects))
        return false;
    uint32_t made = entry->u.by_default.handle;
    extras_share_matches(ledger, made, template);
    ledger->cold[made].template_of = template;
    table_put(&ledger->defaults, made, hash_pair(template, scope));
    extras_of(ledger, template)->made++;
    if (effects)
        effects->made_id = budgets_id(ledger, made);
    return true;
}

/* ---- Looking --------------------------------------------------------------------------------- */

static void check_template(const struct ledger *ledger, uint32_t handle)
{
    const struct budget *budget = &ledger->budgets[handle];
    const struct extra *extra = extras_of(ledger, handle);
    ASSERT(extra && extra->for_kind > METE_ORGANIZATION && extra->for_kind < METE_KINDS);
    ASSERT(budget->mode == METE_OFF && budget->traits == BUDGET_TEMPLATE);
    ASSERT(budget->committed == 0 && budget->held == 0 && budget->open == 0);
    ASSERT(ledger->scopes[budget->scope].kind == METE_ORGANIZATION);
    ASSERT(extra->template_mode <= METE_OFF);
}

void templates_check_all(const struct ledger *ledger)
{
    uint64_t made = 0, counted = 0;
    for (uint32_t b = 1; b <= ledger->budgets_len; b++) {
        uint32_t template = ledger->cold[b].template_of;
        if (ledger->budgets[b].traits & BUDGET_TEMPLATE) {
            check_template(ledger, b);
            counted += extras_of(ledger, b)->made;
        }
        if (!template)
            continue;
        made++;
        ASSERT(template <b && ledger->budgets[template].traits & BUDGET_TEMPLATE);
        ASSERT(has_made(ledger, template, ledger->budgets[b].scope));
    }
    ASSERT(made == counted);
    for (uint32_t s = 1; s <= ledger->scopes_len; s++) {
        const struct scope *scope = &ledger->scopes[s];
        unsigned templates = 0;
        for (unsigned i = 0; i < scope->budgets_len; i++)
            templates += (ledger->budgets[scope->budgets[i]].traits & BUDGET_TEMPLATE) != 0;
        ASSERT(templates == scope->templates);
    }
}
