/* SPDX-License-Identifier: Apache-2.0
 * Opening, applying, looking. One mapping holds the struct and every array at full capacity; the
 * kernel gives pages as they are touched and takes all back at close.
 *
 * An entry applies in two halves: what does not fit the state is refused (METE_E_CORRUPT) by the
 * part it concerns, and what fits cannot fail: capacities are checked by the decision, texts and
 * chunks have room for the worst case.
 *
 * Considered and not done: mremap or realloc as things grow (a pause, and pointers that move). */
#include "ledger/extras.h"
#include "ledger/controls.h"
#include "ledger/endings.h"
#include "ledger/documents.h"
#include "ledger/exchanges.h"
#include "ledger/increases.h"
#include "ledger/moves.h"
#include "ledger/quotas.h"
#include "ledger/rates.h"
#include "ledger/rolling.h"
#include "ledger/rollover.h"
#include "ledger/templates.h"

#include <sys/mman.h>

/* ---- Opening --------------------------------------------------------------------------------- */

/* First and last byte of an array share no page with another array's, so that touching one touches
 * no other; large pages are asked for where an array is large, not where it begins, or an idle
 * ledger would hold 2 MB of each. */
enum { PAGE = 4096 };
#define HUGE_PAGE (UINT64_C(2) << 20)

struct carving {
    char *base; /* NULL: only measuring */
    uint64_t at;
};

static void *carve(struct carving *carving, uint64_t count, uint64_t size)
{
    uint64_t bytes = count * size;
    uint64_t align = bytes >= 2 * HUGE_PAGE ? HUGE_PAGE : PAGE;
    carving->at = (carving->at + align - 1) / align * align;
    void *array = carving->base ? carving->base + carving->at : NULL;
    carving->at += bytes;
    if (array && align == HUGE_PAGE)
        (void)madvise((char *)array + HUGE_PAGE, bytes - HUGE_PAGE, MADV_HUGEPAGE);
    return array;
}

static void carve_table(struct carving *carving, struct table *table, uint64_t items)
{
    table->heads = carve(carving, TABLE_HEADS(items), sizeof(uint32_t));
    table->links = carve(carving, items + 1, sizeof(uint32_t));
}

/* Sets every array's place; the struct itself comes first. */
static void carve_all(struct ledger *ledger, struct carving *carving)
{
    const struct ledger_room *room = &ledger->room;
    uint64_t reservations = room->reservations, slots = slots_room(room);
    carve(carving, 1, sizeof *ledger);
    ledger->scopes = carve(carving, (uint64_t)room->scopes + 1, sizeof(struct scope));
    ledger->scope_ends = carve(carving, (uint64_t)room->scopes + 1, sizeof(struct scope_ends));
    ledger->budgets = carve(carving, (uint64_t)room->budgets + 1, sizeof(struct budget));
    ledger->cold = carve(carving, (uint64_t)room->budgets + 1, sizeof(struct budget_cold));
    ledger->extras = carve(carving, (uint64_t)room->budgets + 1, sizeof(struct extra));
    ledger->increases =
        carve(carving, (uint64_t)room->budgets * LIMIT_INCREASES + 1, sizeof(struct increase));
    ledger->buckets = carve(carving, (uint64_t)room->budgets + 1, sizeof(struct buckets));
    ledger->zones = carve(carving, ZONES_ROOM + 1, sizeof(uint32_t));
    ledger->meters = carve(carving, LIMIT_METERS + LIMIT_CHANGES, sizeof(uint32_t));
    ledger->rates = carve(carving, LIMIT_RATES + 1, sizeof(struct rate));
    ledger->rate_colds = carve(carving, LIMIT_RATES + 1, sizeof(struct rate_cold));
    ledger->exchanges = carve(carving, LIMIT_EXCHANGES + 1, sizeof(struct exchange));
    ledger->names = carve(carving, LIMIT_NAMES + 1, sizeof(uint32_t));
    ledger->quotas = carve(carving, LIMIT_QUOTAS + 1, sizeof(struct quota));
    ledger->grants = carve(carving, LIMIT_GRANTS + 1, sizeof(struct grant));
    ledger->grant_cold = carve(carving, LIMIT_GRANTS + 1, sizeof(struct grant_cold));
    ledger->moves = carve(carving, LIMIT_MOVES, sizeof(struct move));
    ledger->moved = carve(carving, (uint64_t)room->scopes + 1, sizeof(uint32_t));
    ledger->slots = carve(carving, slots, sizeof(struct reservation));
    ledger->slot_hashes = carve(carving, slots + 1, sizeof(uint32_t));
    ledger->chunks = carve(carving, slots * CHUNKS_EACH, sizeof(struct chunk));
    ledger->pasts = carve(carving, slots * PATH_BUDGETS + 1, sizeof(struct past));
    ledger->handovers = carve(carving, slots * PATH_BUDGETS + 1, sizeof(struct handover));
    ledger->heap = carve(carving, reservations, sizeof(struct expiry));
    ledger->calls = carve(carving, reservations, sizeof(struct expiry));
    ledger->closed = carve(carving, closed_room(room), sizeof(struct closed));
    ledger->outcomes = carve(carving, room->outcomes, sizeof(struct outcome));
    ledger->asked = carve(carving, room->outcomes, sizeof(struct outcome_asked));
    ledger->next_of_scope = carve(carving, (uint64_t)room->outcomes + 1, sizeof(uint32_t));
    carve_table(carving, &ledger->scope_ids, room->scopes);
    carve_table(carving, &ledger->budget_ids, room->budgets);
    carve_table(carving, &ledger->rate_ids, LIMIT_RATES);
    carve_table(carving, &ledger->exchange_pairs, LIMIT_EXCHANGES);
    carve_table(carving, &ledger->defaults, room->budgets);
    carve_table(carving, &ledger->name_texts, LIMIT_NAMES);
    carve_table(carving, &ledger->open_requests, slots);
    carve_table(carving, &ledger->ended_requests, room->outcomes);
    carve_table(carving, &ledger->ended_ids, room->outcomes);
    carve_table(carving, &ledger->grant_ids, LIMIT_GRANTS);
    ledger->texts.room = (uint32_t)texts_room(room);
    ledger->texts.bytes = carve(carving, ledger->texts.room, 8);
    ledger->meetings = carve(carving, LIMIT_THROTTLED, sizeof(struct meeting));
    ledger->patterns.room = LIMIT_PATTERN_BYTES / 8;
    ledger->patterns.bytes = carve(carving, ledger->patterns.room, 8);
}

int ledger_open(const struct ledger_room *room, struct ledger **ret_ledger)
{
    if (!room->scopes || !room->budgets || !room->reservations || !room->outcomes ||
        room->reservations > SLOTS_MAX - LIMIT_CORRECTABLE || room->budgets > TAKE_HANDLE_MAX ||
        texts_room(room) > UINT32_MAX)
        return METE_E_INVALID;
    struct ledger measured = {.room = *room};
    struct carving carving = {0};
    carve_all(&measured, &carving);
    uint64_t mapped = (carving.at + PAGE - 1) / PAGE * PAGE + HUGE_PAGE;
    char *base = mmap(NULL, mapped, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return METE_E_MEMORY;
    (void)madvise(base, mapped, MADV_NOHUGEPAGE);
    /* Carved from a whole large page, so that the arrays' alignment is the memory's. */
    uint64_t skip = (HUGE_PAGE - (uint64_t)(uintptr_t)base % HUGE_PAGE) % HUGE_PAGE;
    struct ledger *ledger = (struct ledger *)(void *)(base + skip);
    ledger->room = *room;
    ledger->mapping = base;
    ledger->mapped = mapped;
    carving = (struct carving){base + skip, 0};
    carve_all(ledger, &carving);
    ASSERT(carving.base + carving.at <= base + mapped);
    ledger->texts.used = 1;
    ledger->patterns.used = 1;
    table_init(&ledger->scope_ids, ledger, scopes_hash);
    table_init(&ledger->budget_ids, ledger, budgets_hash);
    table_init(&ledger->rate_ids, ledger, rates_hash);
    table_init(&ledger->exchange_pairs, ledger, exchanges_hash);
    table_init(&ledger->defaults, ledger, templates_hash);
    names_init(ledger);
    table_init(&ledger->open_requests, ledger, reservations_hash);
    table_init(&ledger->ended_requests, ledger, outcomes_hash_request);
    table_init(&ledger->ended_ids, ledger, outcomes_hash_id);
    table_init(&ledger->grant_ids, ledger, quotas_hash_grant);
    ledger->moves_first = ledger->moves_end = 1;
    *ret_ledger = ledger;
    return 0;
}

void ledger_close(struct ledger *ledger)
{
    if (!ledger)
        return;
    int rc = munmap(ledger->mapping, ledger->mapped);
    ASSERT(rc == 0);
}

/* ---- Applying -------------------------------------------------------------------------------- */

static bool apply_genesis(struct ledger *ledger, const struct entry *entry)
{
    if (entry->seq != 1)
        return false;
    memcpy(ledger->installation, entry->u.genesis.installation, sizeof ledger->installation);
    return true;
}

static bool apply_base(struct ledger *ledger, const struct entry *entry)
{
    uint64_t seq = entry->u.base.seq;
    if (seq <= ledger->base_seq || seq >= entry->seq)
        return false;
    ledger->base_seq = seq;
    memcpy(ledger->base_hash, entry->u.base.hash, sizeof ledger->base_hash);
    return true;
}

static bool apply_any(struct ledger *ledger, const struct entry *entry,
                      struct ledger_effects *effects)
{
    switch (entry->kind) {
    case ENTRY_GENESIS:
        return apply_genesis(ledger, entry);
    case ENTRY_SCOPE:
        return scopes_apply(ledger, entry);
    case ENTRY_SCOPE_END:
        return scopes_apply_end(ledger, entry);
    case ENTRY_SCOPE_MOVE:
        return moves_apply(ledger, entry);
    case ENTRY_BUDGET:
        return budgets_apply_put(ledger, entry, effects);
    case ENTRY_BUDGET_END:
        return budgets_apply_end(ledger, entry);
    case ENTRY_WINDOW:
        return budgets_apply_window(ledger, entry);
    case ENTRY_EXTEND:
        return extend_apply(ledger, entry, effects);
    case ENTRY_LIFT:
        return budgets_apply_lift(ledger, entry, effects);
    case ENTRY_LIMIT:
        return increases_apply_limit(ledger, entry, effects);
    case ENTRY_INCREASE:
        return increases_apply_put(ledger, entry, effects);
    case ENTRY_INCREASE_END:
        return increases_apply_end(ledger, entry, effects);
    case ENTRY_METER:
        return meters_apply(ledger, entry);
    case ENTRY_DEFAULT:
        return templates_apply(ledger, entry, effects);
    case ENTRY_EXCHANGE:
        return exchanges_apply(ledger, entry);
    case ENTRY_RATE:
        return rates_apply_put(ledger, entry);
    case ENTRY_RATE_END:
        return rates_apply_end(ledger, entry);
    case ENTRY_GRANT:
        return quotas_apply_grant(ledger, entry);
    case ENTRY_REFUND:
        return quotas_apply_refund(ledger, entry);
    case ENTRY_QUOTA_END:
        return quotas_apply_end(ledger, entry);
    case ENTRY_RESERVE:
        return reservations_apply_reserve(ledger, entry);
    case ENTRY_REFUSE:
        return outcomes_apply_refuse(ledger, entry);
    case ENTRY_COMMIT:
    case ENTRY_RELEASE:
    case ENTRY_EXPIRE:
        return endings_apply(ledger, entry, effects);
    case ENTRY_RECORD:
        return endings_apply_record(ledger, entry, effects);
    case ENTRY_CORRECT:
        return correct_apply(ledger, entry, effects);
    case ENTRY_DOCUMENT:
    case ENTRY_DOCUMENT_END:
        return documents_apply(ledger, entry);
    case ENTRY_BASE:
        return apply_base(ledger, entry);
    case ENTRY_NONE:
    case ENTRY_KINDS:
        break;
    }
    return false;
}

int ledger_apply(struct ledger *ledger, const struct entry *entry,
                 struct ledger_effects *ret_effects)
{
    if (ret_effects) {
        ret_effects->has_ended = false;
        ret_effects->events_len = 0;
    }
    if (entry->seq != ledger->last_seq + 1 || entry->at_us < ledger->last_at_us)
        return METE_E_CORRUPT;
    if (entry->kind == ENTRY_GENESIS && entry->u.genesis.format > ENTRY_FORMAT)
        return METE_E_FORMAT;
    if (!apply_any(ledger, entry, ret_effects))
        return METE_E_CORRUPT;
    ledger->last_seq = entry->seq;
    ledger->last_at_us = entry->at_us;
    return 0;
}

/* ---- Looking --------------------------------------------------------------------------------- */

static void copy_id(char ret_id[LIMIT_ID + 1], struct slice id)
{
    ASSERT(id.len <= LIMIT_ID);
    memcpy(ret_id, id.data, id.len);
    ret_id[id.len] = 0;
}

int ledger_scope(const struct ledger *ledger, uint32_t handle, struct mete_scope_view *ret_view)
{
    if (handle == 0 || handle > ledger->scopes_len)
        return METE_E_NOT_FOUND;
    const struct scope *scope = &ledger->scopes[handle];
    *ret_view = (struct mete_scope_view){.scope = {handle},
                                         .organization = {scopes_organization(ledger, handle)},
                                         .parent = {scope->parent},
                                         .kind = (enum mete_kind)scope->kind,
                                         .expires_at = {scope->expires_at_us},
                                         .revoked = (scope->flags & SCOPE_REVOKED) != 0,
                                         .ended = (scope->flags & SCOPE_ENDED) != 0};
    copy_id(ret_view->id, scopes_id(ledger, handle));
    return 0;
}

int ledger_budget(const struct ledger *ledger, uint32_t handle, struct mete_budget_view *ret_view)
{
    if (handle == 0 || handle > ledger->budgets_len)
        return METE_E_NOT_FOUND;
    const struct budget *budget = &ledger->budgets[handle];
    *ret_view =
        (struct mete_budget_view){.budget = {handle},
                                  .scope = {budget->scope},
                                  .organization = {scopes_organization(ledger, budget->scope)},
                                  .scope_kind = (enum mete_kind)ledger->scopes[budget->scope].kind,
                                  .meter = unit_meter(budget->unit),
                                  .currency = unit_currency(budget->unit),
                                  .period = (enum mete_period)budget->period,
                                  .mode = (enum mete_mode)budget->mode,
                                  .limit = budget->limit,
                                  .committed = budget->committed,
                                  .held = budget->held,
                                  .window_start = {budgets_start_us(ledger, handle)},
                                  .window_end = {ledger->cold[handle].window_end_us},
                                  .revision = ledger->cold[handle].revision,
                                  .fired = budget->fired,
                                  .ended = budget->life != BUDGET_LIVES};
    extras_view(ledger, handle, ret_view);
    ret_view->thresholds_len = budgets_thresholds(ledger, handle, ret_view->thresholds_ppm);
    copy_id(ret_view->id, budgets_id(ledger, handle));
    return 0;
}

bool ledger_due(const struct ledger *ledger, uint32_t budget, struct mete_instant now,
                struct ledger_due *ret_due)
{
    ASSERT(budget > 0 && budget <= ledger->budgets_len);
    return ledger->budgets[budget].life == BUDGET_LIVES &&
           budgets_is_due(ledger, budget, now.us, ret_due);
}

static int view_ended(const struct ledger *ledger, uint64_t id,
                      struct mete_reservation_view *ret_view)
{
    const struct outcome *outcome = outcomes_find(ledger, id, ledger->last_at_us);
    if (!outcome)
        return METE_E_NOT_FOUND;
    *ret_view = (struct mete_reservation_view){
        .id = {id},
        .state = (enum mete_state)outcome->state,
        .scope = {outcome->scope},
        .organization = {scopes_organization(ledger, outcome->scope)}};
    return 0;
}

int ledger_reservation(const struct ledger *ledger, uint64_t id,
                       struct mete_reservation_view *ret_view)
{
    const struct reservation *slot = reservations_find(ledger, id);
    if (!slot)
        return view_ended(ledger, id, ret_view);
    struct held held[METE_DEMANDS_MAX];
    struct words words;
    size_t len = reservations_amounts(ledger, slot, held, &words);
    *ret_view =
        (struct mete_reservation_view){.id = {id},
                                       .state = METE_HELD,
                                       .scope = {slot->scope},
                                       .organization = {scopes_organization(ledger, slot->scope)},
                                       .made_at = {(int64_t)slot->made_at_us},
                                       .expires_at = {expiries_at_us(ledger, slot)},
                                       .granted = slot->granted,
                                       .amounts_len = len};
    for (size_t i = 0; i < len; i++)
        ret_view->amounts[i] = (struct mete_demand){.meter = unit_meter(held[i].unit),
                                                    .currency = unit_currency(held[i].unit),
                                                    .fixed = held[i].amount};
    return 0;
}

uint32_t ledger_budgets(const struct ledger *ledger)
{
    return ledger->budgets_len;
}

size_t ledger_path(const struct ledger *ledger, uint32_t scope, uint32_t *ret_budgets, size_t max)
{
    if (scope == 0 || scope > ledger->scopes_len)
        return 0;
    struct path path;
    scopes_path(ledger, scope, &path);
    size_t len = 0;
    for (size_t i = 0; i < path.budgets_len; i++) {
        if (ledger->budgets[path.budgets[i]].traits & BUDGET_TEMPLATE)
            continue;
        if (len < max)
            ret_budgets[len] = path.budgets[i];
        len++;
    }
    return len;
}

void ledger_counts(const struct ledger *ledger, struct ledger_counts *ret_counts)
{
    *ret_counts = ledger->counts;
}

void ledger_room(const struct ledger *ledger, struct ledger_room *ret_room)
{
    *ret_room = ledger->room;
}

void ledger_base(const struct ledger *ledger, struct ledger_base *ret_base)
{
    ret_base->seq = ledger->base_seq;
    memcpy(ret_base->hash, ledger->base_hash, sizeof ret_base->hash);
}

void ledger_installation(const struct ledger *ledger, uint8_t ret_installation[16])
{
    memcpy(ret_installation, ledger->installation, sizeof ledger->installation);
}

int64_t ledger_last_at_us(const struct ledger *ledger)
{
    return ledger->last_at_us;
}

uint64_t ledger_last_seq(const struct ledger *ledger)
{
    return ledger->last_seq;
}
