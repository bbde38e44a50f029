/* SPDX-License-Identifier: Apache-2.0
 * A scope gets another parent, and where it stood before is kept as long as a reservation made then
 * is open: its record is to tell the path it was made on (INV-02).
 *
 * Moves lie in a ring in order of their entries, each chained to the one of the same scope before
 * it. The parent that a scope had at an entry is found from the present one by undoing what came
 * later. Nothing is looked for while no move is younger than the reservation that ends.
 *
 * What is kept too long does no harm; so the oldest moves are forgotten only when the ring is full,
 * or when nothing is open: those that no reservation is older than which is open, or may still be
 * corrected (correct.c).
 *
 * Considered and not done: the path in every reservation's words, which all calls would pay for. */
#include "ledger/moves.h"

static struct move *at(const struct ledger *ledger, uint32_t position)
{
    return &ledger->moves[position % LIMIT_MOVES];
}

static uint32_t kept(const struct ledger *ledger)
{
    return ledger->moves_end - ledger->moves_first;
}

/* Of the reservation's entry, from the part of it that its id tells. */
static uint64_t whole_seq(const struct ledger *ledger, uint64_t part)
{
    return ledger->last_seq - (ledger->last_seq - part) % GENERATION_MAX;
}

/* The entry that made the oldest reservation that is open, or may still be corrected. */
static uint64_t oldest_open(const struct ledger *ledger)
{
    uint64_t oldest = ledger->last_seq;
    for (uint32_t i = 0; i < ledger->slots_len; i++) {
        const struct reservation *slot = &ledger->slots[i];
        if (slot->generation && whole_seq(ledger, slot->generation - 1) < oldest)
            oldest = whole_seq(ledger, slot->generation - 1);
    }
    return oldest;
}

/* The first position that is needed. */
static uint32_t first_needed(const struct ledger *ledger)
{
    uint32_t first = ledger->moves_first;
    uint64_t oldest = oldest_open(ledger);
    while (first != ledger->moves_end && at(ledger, first)->seq < oldest)
        first++;
    return first;
}

uint32_t moves_room(const struct ledger *ledger)
{
    uint32_t room = LIMIT_MOVES - kept(ledger);
    if (room <= LIMIT_CHANGES)
        room = LIMIT_MOVES - (ledger->moves_end - first_needed(ledger));
    uint32_t numbers = UINT32_MAX - ledger->moves_end;
    return room < numbers ? room : numbers;
}

/* Forgets those before a position, and the chains that come to their end with them. */
static void forget(struct ledger *ledger, uint32_t first)
{
    for (; ledger->moves_first != first; ledger->moves_first++) {
        uint32_t scope = at(ledger, ledger->moves_first)->scope;
        if (ledger->moved[scope] == ledger->moves_first)
            ledger->moved[scope] = 0;
    }
}

bool moves_enter(struct ledger *ledger, const struct move *move)
{
    uint32_t position = ledger->moves_end;
    if (kept(ledger) == LIMIT_MOVES || position == UINT32_MAX || move->scope == 0 ||
        move->scope > ledger->scopes_len || move->from == 0 || move->from > ledger->scopes_len ||
        (kept(ledger) && move->seq <= at(ledger, position - 1)->seq) ||
        !scopes_may_hold((enum mete_kind)ledger->scopes[move->from].kind,
                         (enum mete_kind)ledger->scopes[move->scope].kind))
        return false;
    *at(ledger, position) = *move;
    at(ledger, position)->older = ledger->moved[move->scope];
    ledger->moved[move->scope] = position;
    ledger->moves_end++;
    return true;
}

/* Departments stay within their depth, and none comes to stand in itself. */
static bool fits_depth(const struct ledger *ledger, uint32_t scope, uint32_t parent)
{
    if (ledger->scopes[scope].kind != METE_DEPARTMENT)
        return true;
    for (uint32_t at_or_above = parent; at_or_above;
         at_or_above = ledger->scopes[at_or_above].parent)
        if (at_or_above == scope)
            return false;
    return scopes_departments(ledger, parent) + scopes_below(ledger, scope) <= DEPARTMENTS_MAX;
}

bool moves_apply(struct ledger *ledger, const struct entry *entry)
{
    uint32_t handle = entry->u.scope_move.scope, parent = entry->u.scope_move.parent;
    if (handle == 0 || handle > ledger->scopes_len || parent == 0 || parent > ledger->scopes_len)
        return false;
    struct scope *scope = &ledger->scopes[handle], *above = &ledger->scopes[parent];
    if (scope->flags & SCOPE_ENDED || above->flags & SCOPE_ENDED || scope->parent == 0 ||
        !scopes_may_hold((enum mete_kind)above->kind, (enum mete_kind)scope->kind) ||
        scopes_organization(ledger, handle) != scopes_organization(ledger, parent))
        return false;
    if (scope->parent == parent)
        return true;
    if (!fits_depth(ledger, handle, parent))
        return false;
    if (ledger->counts.reservations_open == 0 && ledger->closed_first == ledger->closed_end)
        forget(ledger, ledger->moves_end);
    if (kept(ledger) == LIMIT_MOVES)
        forget(ledger, first_needed(ledger));
    const struct move move = {.seq = entry->seq, .scope = handle, .from = scope->parent};
    if (!moves_enter(ledger, &move))
        return false;
    ASSERT(ledger->scope_ends[scope->parent].children > 0);
    ledger->scope_ends[scope->parent].children--;
    ledger->scope_ends[parent].children++;
    scope->parent = parent;
    return true;
}

static uint32_t parent_at(const struct ledger *ledger, uint32_t scope, uint64_t seq)
{
    uint32_t parent = ledger->scopes[scope].parent, position = ledger->moved[scope];
    while (position && position - ledger->moves_first < kept(ledger) &&
           at(ledger, position)->seq > seq) {
        parent = at(ledger, position)->from;
        position = at(ledger, position)->older;
    }
    return parent;
}

unsigned moves_path(const struct ledger *ledger, uint32_t scope, uint64_t part,
                    uint32_t ret_scopes[LIMIT_PATH_SCOPES])
{
    unsigned len = 0;
    if (kept(ledger) == 0)
        return 0;
    uint64_t seq = whole_seq(ledger, part);
    if (at(ledger, ledger->moves_end - 1)->seq < seq)
        return 0;
    for (; scope && len < LIMIT_PATH_SCOPES; scope = parent_at(ledger, scope, seq))
        ret_scopes[len++] = scope;
    /* A tree that once stood has no longer path; one that a snapshot made up may go in a circle. */
    ASSERT_SLOW(scope == 0);
    return len;
}

void moves_check(const struct ledger *ledger)
{
    uint64_t before = 0;
    ASSERT(kept(ledger) <= LIMIT_MOVES && ledger->moves_first > 0);
    for (uint32_t position = ledger->moves_first; position != ledger->moves_end; position++) {
        const struct move *move = at(ledger, position);
        ASSERT(move->seq > before && move->seq <= ledger->last_seq);
        ASSERT(move->older < position && ledger->moved[move->scope] >= position);
        before = move->seq;
    }
}
