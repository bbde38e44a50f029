/* SPDX-License-Identifier: Apache-2.0
 * The decisions about administration: what may be put, and which handle it gets.
 *
 * A batch is applied whole or not at all, though its later changes may rest on its earlier ones
 * (a budget of a scope that the same batch creates). The ledger cannot take an entry back, so
 * ledger_check_changes() walks the batch first, against the state and the handful of things the
 * batch has made or ended so far; once it agrees, each ledger_decide_change() in turn does too.
 * One function judges a change in either case; a lone change is a batch of one. */
#include "ledger/extras.h"
#include "ledger/batch.h"
#include "ledger/documents.h"
#include "ledger/exchanges.h"
#include "ledger/increases.h"
#include "ledger/matches.h"
#include "ledger/rates.h"
#include "ledger/rolling.h"
#include "ledger/templates.h"

static struct slice of_text(struct mete_text text)
{
    return (struct slice){text.data, text.len};
}

uint32_t batch_resolve(const struct batch *batch, uint32_t n)
{
    if (n < METE_FROM_CHANGE(0))
        return n;
    return n - METE_FROM_CHANGE(0) < batch->len ? batch->handles[n - METE_FROM_CHANGE(0)] : 0;
}

/* The change of the batch that creates this handle; NULL: it is in the ledger already. */
static const struct mete_change *creator(const struct batch *batch, enum mete_change_kind kind,
                                         uint32_t handle)
{
    uint32_t there =
        kind == METE_PUT_SCOPE ? batch->ledger->scopes_len : batch->ledger->budgets_len;
    for (size_t i = 0; handle > there && i < batch->len; i++)
        if (batch->changes[i].kind == kind && batch->handles[i] == handle)
            return &batch->changes[i];
    return NULL;
}

static void find_born(const struct batch *batch, uint32_t scope, struct node *ret_node)
{
    const struct mete_change *change = creator(batch, METE_PUT_SCOPE, scope);
    if (change) {
        const struct mete_scope_spec *spec = &change->scope;
        bool is_root = spec->kind == METE_ORGANIZATION;
        *ret_node = (struct node){spec->kind, batch_resolve(batch, spec->parent.n),
                                  is_root ? scope : batch_resolve(batch, spec->organization.n)};
        return;
    }
    const struct scope *at = &batch->ledger->scopes[scope];
    *ret_node = (struct node){(enum mete_kind)at->kind, at->parent,
                              scopes_organization(batch->ledger, scope)};
}

bool batch_find_any(const struct batch *batch, uint32_t scope, struct node *ret_node)
{
    if (scope == 0 || scope > batch->scopes_len)
        return false;
    find_born(batch, scope, ret_node);
    for (size_t i = 0; i < batch->len; i++)
        if (batch->changes[i].kind == METE_MOVE_SCOPE && batch->handles[i] == scope)
            ret_node->parent = batch_resolve(batch, batch->changes[i].parent.n);
    return true;
}

bool batch_find_node(const struct batch *batch, uint32_t scope, struct node *ret_node)
{
    return batch_find_any(batch, scope, ret_node) && batch_scope_lives(batch, scope);
}

/* The one that will have this id; *ret_ended: though it is over, because calls of it are open. */
static uint32_t find_scope(const struct batch *batch, enum mete_kind kind, uint32_t organization,
                           struct slice id, bool *ret_ended)
{
    const struct ledger *ledger = batch->ledger;
    uint32_t handle = ledger_find_scope(ledger, kind, organization, id);
    for (size_t i = 0; i < batch->len; i++) {
        const struct mete_scope_spec *spec = &batch->changes[i].scope;
        if (batch->changes[i].kind == METE_PUT_SCOPE && spec->kind == kind &&
            (kind == METE_ORGANIZATION ||
             batch_resolve(batch, spec->organization.n) == organization) &&
            slice_equal(of_text(spec->id), id))
            handle = batch->handles[i];
    }
    *ret_ended = handle && !batch_scope_lives(batch, handle);
    bool is_open = handle <= ledger->scopes_len && ledger->scopes[handle].open;
    return *ret_ended && !is_open ? 0 : handle;
}

/* ---- Scopes ---------------------------------------------------------------------------------- */

static int judge_new_scope(const struct batch *batch, const struct mete_scope_spec *spec,
                           uint32_t *ret_handle)
{
    struct node parent;
    if (spec->kind != METE_ORGANIZATION &&
        (!batch_find_node(batch, batch_resolve(batch, spec->parent.n), &parent) ||
         !scopes_may_hold(parent.kind, spec->kind) ||
         parent.organization != batch_resolve(batch, spec->organization.n)))
        return METE_E_INVALID;
    if (spec->kind == METE_DEPARTMENT &&
        batch_departments(batch, batch_resolve(batch, spec->parent.n)) >= DEPARTMENTS_MAX)
        return METE_E_INVALID;
    if (spec->kind == METE_ORGANIZATION && spec->parent.n)
        return METE_E_INVALID;
    if (batch->scopes_len == batch->ledger->room.scopes)
        return METE_E_FULL;
    *ret_handle = batch->scopes_len + 1;
    return 0;
}

static int judge_scope(const struct batch *batch, const struct mete_change *change,
                       uint32_t *ret_handle)
{
    const struct mete_scope_spec *spec = &change->scope;
    struct node node, organization;
    bool is_root = spec->kind == METE_ORGANIZATION;
    if (spec->id.len > LIMIT_ID)
        return METE_E_TOO_LARGE;
    if (spec->kind <= METE_KIND_NONE || spec->kind >= METE_KINDS ||
        !entry_is_id(of_text(spec->id)) || spec->expires_at.us < 0 ||
        spec->expires_at.us > ENTRY_INSTANT_MAX_US || (spec->revoked != 0 && spec->revoked != 1) ||
        (is_root && spec->organization.n))
        return METE_E_INVALID;
    if (!is_root &&
        (!batch_find_node(batch, batch_resolve(batch, spec->organization.n), &organization) ||
         organization.kind != METE_ORGANIZATION))
        return METE_E_NOT_FOUND;
    bool is_over;
    uint32_t handle = find_scope(batch, spec->kind, batch_resolve(batch, spec->organization.n),
                                 of_text(spec->id), &is_over);
    if (!handle)
        return change->flags & METE_CHANGE_UPDATE ? METE_E_NOT_FOUND
                                                  : judge_new_scope(batch, spec, ret_handle);
    if (is_over && change->flags & METE_CHANGE_UPDATE)
        return METE_E_NOT_FOUND;
    if (is_over || change->flags & METE_CHANGE_CREATE)
        return METE_E_EXISTS;
    bool found = batch_find_node(batch, handle, &node);
    ASSERT(found);
    if (spec->parent.n && batch_resolve(batch, spec->parent.n) != node.parent)
        return METE_E_INVALID; /* METE_MOVE_SCOPE does that */
    *ret_handle = handle;
    return 0;
}

/* ---- Budgets --------------------------------------------------------------------------------- */

/* How a budget will be once the batch so far is done. */
struct found_budget {
    uint32_t handle; /* 0: none */
    uint32_t scope, unit;
    enum mete_period period;
    bool ended;
    const struct mete_budget_spec *made_by; /* NULL: it is in the ledger already */
};

static bool ends_in(const struct batch *batch, uint32_t handle)
{
    const struct mete_change *born = creator(batch, METE_PUT_BUDGET, handle);
    uint32_t scope =
        born ? batch_resolve(batch, born->budget.scope.n) : batch->ledger->budgets[handle].scope;
    if (batch_ends_scope(batch, 0, scope))
        return true;
    for (size_t i = 0; i < batch->len; i++)
        if (batch->changes[i].kind == METE_END_BUDGET && batch->handles[i] == handle)
            return true;
    return false;
}

/* Whether the id of a budget that has ended, or that the batch ends, stays taken. */
static bool is_held(const struct ledger *ledger, uint32_t handle)
{
    return handle <= ledger->budgets_len && budgets_is_held(ledger, handle);
}

static struct found_budget find_budget(const struct batch *batch, uint32_t organization,
                                       struct slice id)
{
    const struct ledger *ledger = batch->ledger;
    struct found_budget found = {0};
    for (size_t i = 0; i < batch->len; i++) {
        const struct mete_budget_spec *spec = &batch->changes[i].budget;
        struct node node;
        if (batch->changes[i].kind != METE_PUT_BUDGET || !slice_equal(of_text(spec->id), id) ||
            !batch_find_node(batch, batch_resolve(batch, spec->scope.n), &node) ||
            node.organization != organization)
            continue;
        found = (struct found_budget){batch->handles[i],
                                      batch_resolve(batch, spec->scope.n),
                                      unit_of(spec->meter, spec->currency),
                                      spec->period,
                                      ends_in(batch, batch->handles[i]),
                                      spec};
    }
    if (found.handle == 0) {
        uint32_t handle =
            organization <= ledger->scopes_len ? ledger_find_budget(ledger, organization, id) : 0;
        if (!handle)
            return found;
        const struct budget *budget = &ledger->budgets[handle];
        found = (struct found_budget){handle,
                                      budget->scope,
                                      budget->unit,
                                      (enum mete_period)budget->period,
                                      budget->life != BUDGET_LIVES || ends_in(batch, handle),
                                      NULL};
    }
    if (found.ended && !is_held(ledger, found.handle))
        found.handle = 0;
    return found;
}

/* Budgets a scope will have. */
static unsigned count_budgets(const struct batch *batch, uint32_t scope)
{
    const struct ledger *ledger = batch->ledger;
    unsigned count = scope <= ledger->scopes_len ? ledger->scopes[scope].budgets_len : 0;
    for (size_t i = 0; i < batch->len; i++) {
        const struct mete_change *change = &batch->changes[i];
        uint32_t handle = batch->handles[i];
        if (change->kind == METE_PUT_BUDGET && handle > ledger->budgets_len &&
            creator(batch, METE_PUT_BUDGET, handle) == change &&
            batch_resolve(batch, change->budget.scope.n) == scope)
            count++;
        if (change->kind != METE_END_BUDGET)
            continue;
        const struct mete_change *born = creator(batch, METE_PUT_BUDGET, handle);
        uint32_t of =
            born ? batch_resolve(batch, born->budget.scope.n) : ledger->budgets[handle].scope;
        count -= of == scope;
    }
    return count;
}

static int check_spec(const struct mete_budget_spec *spec)
{
    if (spec->id.len > LIMIT_ID || spec->thresholds_len > METE_THRESHOLDS_MAX)
        return METE_E_TOO_LARGE;
    if (!entry_is_id(of_text(spec->id)) || !entry_is_unit(spec->meter, spec->currency) ||
        spec->limit < 0 || spec->limit > METE_AMOUNT_MAX ||
        (unsigned)spec->period >= METE_PERIODS || (unsigned)spec->mode > METE_OFF ||
        !entry_is_thresholds(spec->thresholds_ppm, spec->thresholds_len))
        return METE_E_INVALID;
    int rc = templates_check(spec);
    return rc ? rc : extras_check(spec);
}

int batch_judge_matches(const struct batch *batch, const struct mete_match *matches, size_t len)
{
    int rc = matches_judge(batch->ledger, matches, len);
    return rc == METE_E_FULL && batch->is_agreed ? 0 : rc;
}

/* Whether what cannot change is as the ledger has it, or else an earlier change of the batch. */
static bool same_place(const struct batch *batch, const struct found_budget *found,
                       const struct mete_budget_spec *spec)
{
    if (found->handle <= batch->ledger->budgets_len)
        return extras_same_place(batch->ledger, found->handle, spec);
    return extras_same_spec(found->made_by, spec);
}

static int judge_budget(const struct batch *batch, const struct mete_change *change,
                        uint32_t *ret_handle)
{
    const struct mete_budget_spec *spec = &change->budget;
    struct node node;
    int rc = check_spec(spec), fits = batch_judge_matches(batch, spec->matches, spec->matches_len);
    if (rc == 0 && fits != METE_E_FULL)
        rc = fits;
    if (rc)
        return rc;
    if (not_yet_change(change))
        return METE_E_NOT_YET;
    uint32_t scope = batch_resolve(batch, spec->scope.n);
    if (!batch_find_node(batch, scope, &node))
        return METE_E_NOT_FOUND;
    if (spec->for_kind && node.kind != METE_ORGANIZATION)
        return METE_E_INVALID;
    struct found_budget found = find_budget(batch, node.organization, of_text(spec->id));
    if (found.handle && change->flags & METE_CHANGE_UPDATE && found.ended)
        return METE_E_NOT_FOUND;
    if (found.handle && (change->flags & METE_CHANGE_CREATE || found.ended))
        return METE_E_EXISTS;
    if (found.handle) {
        if (found.scope != scope || found.unit != unit_of(spec->meter, spec->currency) ||
            found.period != spec->period || !same_place(batch, &found, spec))
            return METE_E_INVALID;
        *ret_handle = found.handle;
        return 0;
    }
    if (change->flags & METE_CHANGE_UPDATE)
        return METE_E_NOT_FOUND;
    if (batch->budgets_len == batch->ledger->room.budgets ||
        count_budgets(batch, scope) >= LIMIT_SCOPE_BUDGETS || fits == METE_E_FULL ||
        !extras_fit(batch->ledger, spec, batch->is_agreed ? ZONES_ROOM : LIMIT_ZONES))
        return METE_E_FULL;
    *ret_handle = batch->budgets_len + 1;
    return 0;
}

int batch_judge_living(const struct batch *batch, uint32_t n, uint32_t *ret_handle)
{
    uint32_t handle = batch_resolve(batch, n);
    if (handle == 0 || handle > batch->budgets_len)
        return METE_E_NOT_FOUND;
    if (handle > batch->ledger->budgets_len ? !creator(batch, METE_PUT_BUDGET, handle)
                                            : batch->ledger->budgets[handle].life != BUDGET_LIVES)
        return METE_E_NOT_FOUND;
    if (ends_in(batch, handle))
        return METE_E_NOT_FOUND;
    *ret_handle = handle;
    return 0;
}

/* ---- Meters ---------------------------------------------------------------------------------- */

static int judge_meter(const struct batch *batch, const struct mete_change *change,
                       uint32_t *ret_handle)
{
    struct slice name = of_text(change->meter);
    if (name.len > LIMIT_TIME_ZONE)
        return METE_E_TOO_LARGE;
    if (!entry_is_id(name))
        return METE_E_INVALID;
    uint32_t number = meters_find(batch->ledger, name), made = 0;
    for (size_t i = 0; i < batch->len; i++) {
        if (batch->changes[i].kind != METE_PUT_METER)
            continue;
        made += batch->handles[i] >= METE_METER_CUSTOM + batch->ledger->meters_len;
        if (slice_equal(of_text(batch->changes[i].meter), name))
            number = batch->handles[i];
    }
    if (number)
        return METE_E_EXISTS;
    if (batch->ledger->meters_len + made >= LIMIT_METERS)
        return METE_E_FULL;
    *ret_handle = METE_METER_CUSTOM + batch->ledger->meters_len + made;
    return 0;
}

/* ---- Any change ------------------------------------------------------------------------------ */

static int judge(const struct batch *batch, const struct mete_change *change, uint32_t *ret_handle)
{
    const uint32_t both = METE_CHANGE_CREATE | METE_CHANGE_UPDATE;
    if (change->document.len > LIMIT_DOCUMENT)
        return METE_E_TOO_LARGE;
    if (change->flags & ~both || (change->flags & both) == both)
        return METE_E_INVALID;
    switch (change->kind) {
    case METE_PUT_SCOPE:
        return judge_scope(batch, change, ret_handle);
    case METE_PUT_BUDGET:
        return judge_budget(batch, change, ret_handle);
    case METE_END_BUDGET:
    case METE_LIFT_STOP:
        return batch_judge_living(batch, change->end.n, ret_handle);
    case METE_PUT_METER:
        return judge_meter(batch, change, ret_handle);
    case METE_PUT_INCREASE:
    case METE_END_INCREASE:
        return increases_judge(batch, change, ret_handle);
    case METE_PUT_EXCHANGE:
        return exchanges_judge(batch, change, ret_handle);
    case METE_PUT_RATE_LIMIT:
    case METE_END_RATE_LIMIT:
        return rates_judge(batch, change, ret_handle);
    case METE_PUT_GRANT:
    case METE_END_QUOTA:
    case METE_REFUND:
        return quotas_judge(batch, change, ret_handle);
    case METE_PUT_DOCUMENT:
    case METE_END_DOCUMENT:
        return documents_judge(batch, change);
    case METE_END_SCOPE:
    case METE_MOVE_SCOPE:
        return scopes_judge(batch, change, ret_handle);
        return not_yet_change(change) ? METE_E_NOT_YET : METE_E_INVALID;
    }
    return METE_E_INVALID;
}

/* The budget that a change sees as it is now; 0: none. */
static uint32_t touched_by(const struct batch *batch, const struct mete_change *change,
                           uint32_t handle)
{
    switch ((int)change->kind) {
    case METE_PUT_BUDGET:
    case METE_LIFT_STOP:
        return handle;
    case METE_PUT_INCREASE:
        return batch_resolve(batch, change->increase.budget.n);
    case METE_END_INCREASE:
        return batch_resolve(batch, change->end.n);
    default:
        return 0;
    }
}

/* Whether a change meets a budget whose window is over, or whose limit changes. */
static bool is_stale(const struct batch *batch, const struct mete_change *change, uint32_t handle,
                     struct ledger_due *ret_due)
{
    uint32_t budget = touched_by(batch, change, handle);
    return budget > 0 && budget <= batch->ledger->budgets_len &&
           budgets_is_due(batch->ledger, budget, batch->now_us, ret_due);
}

static int check_changes(struct batch *batch, const struct mete_apply *args, uint32_t *ret_handles,
                         struct ledger_batch *ret_batch)
{
    for (; batch->len < args->len; batch->len++) {
        const struct mete_change *change = &args->changes[batch->len];
        uint32_t handle = 0;
        int rc = judge(batch, change, &handle);
        if (rc) {
            ret_batch->failed = batch->len;
            return rc;
        }
        if (is_stale(batch, change, handle, &ret_batch->due))
            return LEDGER_STALE;
        ASSERT(handle > 0 || change->kind == METE_END_QUOTA || change->kind >= METE_PUT_DOCUMENT);
        ret_handles[batch->len] = handle;
        batch->scopes_len += change->kind == METE_PUT_SCOPE && handle > batch->scopes_len;
        batch->budgets_len += change->kind == METE_PUT_BUDGET && handle > batch->budgets_len;
        batch->rates_len += change->kind == METE_PUT_RATE_LIMIT && handle > batch->rates_len;
        batch->grants_len += change->kind == METE_PUT_GRANT && handle > batch->grants_len;
    }
    return 0;
}

static struct batch batch_of(const struct ledger *ledger, struct mete_instant now,
                             const struct mete_apply *args, const uint32_t *handles)
{
    return (struct batch){.ledger = ledger,
                          .now_us = now.us,
                          .changes = args->changes,
                          .handles = handles,
                          .scopes_len = ledger->scopes_len,
                          .budgets_len = ledger->budgets_len,
                          .rates_len = ledger->rates_len,
                          .grants_len = ledger->grants_len};
}

int ledger_check_changes(struct ledger *ledger, struct mete_instant now,
                         const struct mete_apply *args, uint32_t *ret_handles,
                         struct ledger_batch *ret_batch)
{
    if (args->len > LIMIT_CHANGES || args->actor.len > LIMIT_ID)
        return METE_E_TOO_LARGE;
    if (args->len == 0)
        return METE_E_INVALID;
    struct batch batch = batch_of(ledger, now, args, ret_handles);
    return check_changes(&batch, args, ret_handles, ret_batch);
}

static void write_scope(const struct ledger *ledger, const struct mete_change *change,
                        uint32_t handle, struct entry *entry)
{
    entry->kind = ENTRY_SCOPE;
    entry->u.scope.handle = handle;
    entry->u.scope.spec = change->scope;
    if (handle <= ledger->scopes_len)
        entry->u.scope.spec.parent.n = ledger->scopes[handle].parent;
    entry->u.scope.document = of_text(change->document);
}

static void write_budget(const struct ledger *ledger, const struct mete_change *change,
                         uint32_t handle, struct entry *entry)
{
    entry->kind = ENTRY_BUDGET;
    entry->u.budget.handle = handle;
    entry->u.budget.spec = change->budget;
    entry->u.budget.window_start_us = 0;
    entry->u.budget.window_end_us = 0;
    if (handle <= ledger->budgets_len) {
        bool rolls = ledger->budgets[handle].traits & BUDGET_ROLLING;
        entry->u.budget.window_start_us = rolls ? rolling_bucket_start_us(ledger, handle)
                                                : ledger->budgets[handle].window_start_us;
        entry->u.budget.window_end_us = ledger->cold[handle].window_end_us;
    }
    entry->u.budget.document = of_text(change->document);
}

static void write_change(const struct ledger *ledger, const struct mete_change *change,
                         uint32_t handle, struct slice actor, struct entry *entry)
{
    switch ((int)change->kind) {
    case METE_PUT_SCOPE:
        write_scope(ledger, change, handle, entry);
        entry->u.scope.actor = actor;
        return;
    case METE_PUT_BUDGET:
        write_budget(ledger, change, handle, entry);
        entry->u.budget.actor = actor;
        return;
    case METE_END_BUDGET:
        entry->kind = ENTRY_BUDGET_END;
        entry->u.budget_end.handle = handle;
        entry->u.budget_end.actor = actor;
        return;
    case METE_LIFT_STOP:
        entry->kind = ENTRY_LIFT;
        entry->u.lift.budget = handle;
        entry->u.lift.actor = actor;
        return;
    case METE_PUT_METER:
        entry->kind = ENTRY_METER;
        entry->u.meter.number = (uint16_t)handle;
        entry->u.meter.name = of_text(change->meter);
        entry->u.meter.actor = actor;
        return;
    case METE_PUT_INCREASE:
    case METE_END_INCREASE:
        increases_write(change, handle, actor, entry);
        return;
    case METE_PUT_EXCHANGE:
        entry->kind = ENTRY_EXCHANGE;
        entry->u.exchange.spec = change->exchange;
        entry->u.exchange.actor = actor;
        return;
    case METE_PUT_DOCUMENT:
    case METE_END_DOCUMENT:
        documents_write(change, actor, entry);
        return;
    case METE_PUT_RATE_LIMIT:
    case METE_END_RATE_LIMIT:
        rates_write(change, handle, actor, entry);
        return;
    case METE_END_SCOPE:
    case METE_MOVE_SCOPE:
        scopes_write(change, handle, actor, entry);
        return;
    case METE_PUT_GRANT:
    case METE_REFUND:
    case METE_END_QUOTA:
        quotas_write(change, handle, actor, entry);
        return;
    default:
        ASSERT(false && "a change that judge() agreed to");
    }
}

int ledger_decide_change(struct ledger *ledger, struct mete_instant now,
                         const struct mete_change *change, struct slice actor, uint32_t *ret_handle,
                         struct ledger_decision *ret_decision)
{
    ASSERT(now.us >= ledger->last_at_us);
    const struct mete_apply lone = {change, 1, {actor.data, actor.len}};
    struct ledger_batch said = {0};
    uint32_t handle = 0;
    struct batch batch = batch_of(ledger, now, &lone, &handle);
    batch.is_agreed = true;
    int rc = actor.len > LIMIT_ID ? METE_E_TOO_LARGE : check_changes(&batch, &lone, &handle, &said);
    if (rc == LEDGER_STALE)
        ret_decision->due = said.due;
    if (rc)
        return rc;
    struct entry *entry = &ret_decision->entry;
    entry->seq = ledger->last_seq + 1;
    entry->at_us = now.us;
    write_change(ledger, change, handle, actor, entry);
    *ret_handle = handle;
    return 0;
}
