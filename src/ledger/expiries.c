/* SPDX-License-Identifier: Apache-2.0
 * Which reservation expires first: a binary heap by (instant, slot), with each reservation's place
 * in it kept in the slot, so that an end in any order leaves nothing behind. Calls
 * (METE_RESERVE_CALL) do not expire; they stand in a plain list for ledger_calls().
 *
 * Considered and not done: a timer wheel (its buckets would be state, or be rebuilt), and lazy
 * removal (at two million pairs a second the dead would outnumber the living by far). */
#include "ledger/state.h"

static bool is_before(const struct expiry *a, const struct expiry *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->slot < b->slot;
}

static void place(struct ledger *ledger, uint32_t at, struct expiry expiry)
{
    ledger->heap[at] = expiry;
    ledger->slots[expiry.slot].position = at & SLOTS_MAX;
}

static void sift_up(struct ledger *ledger, uint32_t at, struct expiry expiry)
{
    while (at > 0 && is_before(&expiry, &ledger->heap[(at - 1) / 2])) {
        place(ledger, at, ledger->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(ledger, at, expiry);
}

static void sift_down(struct ledger *ledger, uint32_t at, struct expiry expiry)
{
    for (uint32_t child = 2 * at + 1; child < ledger->heap_len; child = 2 * at + 1) {
        if (child + 1 < ledger->heap_len &&
            is_before(&ledger->heap[child + 1], &ledger->heap[child]))
            child++;
        if (is_before(&expiry, &ledger->heap[child]))
            break;
        place(ledger, at, ledger->heap[child]);
        at = child;
    }
    place(ledger, at, expiry);
}

void expiries_put(struct ledger *ledger, uint32_t slot, int64_t at_us)
{
    struct reservation *reservation = &ledger->slots[slot];
    if (reservation->is_call) {
        ASSERT(ledger->calls_len < ledger->room.reservations);
        reservation->position = ledger->calls_len & SLOTS_MAX;
        ledger->calls[ledger->calls_len++] = (struct expiry){at_us, slot};
        return;
    }
    ASSERT(ledger->heap_len < ledger->room.reservations);
    sift_up(ledger, ledger->heap_len++, (struct expiry){at_us, slot});
}

void expiries_drop(struct ledger *ledger, uint32_t slot)
{
    uint32_t at = ledger->slots[slot].position;
    if (ledger->slots[slot].is_call) {
        ASSERT(at < ledger->calls_len && ledger->calls[at].slot == slot);
        struct expiry last = ledger->calls[--ledger->calls_len];
        ledger->calls[at] = last;
        ledger->slots[last.slot].position = at & SLOTS_MAX;
        return;
    }
    ASSERT(at < ledger->heap_len && ledger->heap[at].slot == slot);
    struct expiry last = ledger->heap[--ledger->heap_len];
    if (at == ledger->heap_len)
        return;
    if (at > 0 && is_before(&last, &ledger->heap[(at - 1) / 2]))
        sift_up(ledger, at, last);
    else
        sift_down(ledger, at, last);
}

void expiries_move(struct ledger *ledger, uint32_t slot, int64_t at_us)
{
    uint32_t at = ledger->slots[slot].position;
    if (ledger->slots[slot].is_call) {
        ledger->calls[at].at_us = at_us;
        return;
    }
    struct expiry moved = {at_us, slot};
    if (at > 0 && is_before(&moved, &ledger->heap[(at - 1) / 2]))
        sift_up(ledger, at, moved);
    else
        sift_down(ledger, at, moved);
}
