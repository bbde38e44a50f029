/* SPDX-License-Identifier: Apache-2.0
 * What a window hands to the next one.
 *
 * Carried into a window is clamp(left, 0, cap), left = base + carried - committed - held of the
 * window before, of which an idle one counts as a window too: rule 8 of docs/semantics.md. While
 * reservations of a past window are open its left changes, and with it what all windows since hand
 * on, down to the limit in force.
 *
 * Only windows that still change are kept. What lies between two of them, windows that nothing can
 * change any more and idle ones, is one function from the left of the older to the carried of the
 * newer: each such window maps x to clamp(x + a, 0, cap), and a chain of those is itself
 *
 *   x -> clamp(x + add, low, high)                                      (struct way)
 *
 * so a thousand idle minutes, or a thousand that were used and are over, take no room and no time.
 * When the last reservation of a past window has ended, it becomes part of the way that leads to
 * it. So pasts are as many as without rollover, and no past window has to wait for an older one.
 *
 *   past --way--> past --way--> the present window       each kept one: base, carried; then a way
 *
 * Base limit and cap are those of the moment the window ended. A budget that never had a cap keeps
 * zeros here: a way that always gives 0. */
#include "ledger/extras.h"
#include "ledger/rollover.h"

static int64_t clamp(int128 value, int64_t low, int64_t high)
{
    ASSERT(low <= high);
    return value < low ? low : value > high ? high : (int64_t)value;
}

/* First one way, then the other. The sums stay far under 2^127: an idle window adds at most
 * METE_AMOUNT_MAX, and there are fewer than 2^33 minutes until the year 10000. */
static struct way way_then(struct way first, struct way then)
{
    return (struct way){.add = first.add + then.add,
                        .low = clamp((int128)first.low + then.add, then.low, then.high),
                        .high = clamp((int128)first.high + then.add, then.low, then.high)};
}

static int64_t way_end(const struct way *way, int128 left)
{
    return clamp(left + way->add, way->low, way->high);
}

/* Out of the window that ends, and through the idle ones after it. */
static struct way way_of_turn(int64_t base, int64_t cap, uint64_t idle)
{
    ASSERT(base >= 0 && cap >= 0);
    const struct way out = {0, 0, cap}, through = {(int128)base * (int128)idle, 0, cap};
    return idle ? way_then(out, through) : out;
}

static int128 left_of(const struct ledger *ledger, uint32_t past)
{
    const struct past *at = &ledger->pasts[past];
    const struct handover *over = &ledger->handovers[past];
    return (int128)over->base + over->carried - at->committed - at->held;
}

void rollover_turn(struct ledger *ledger, uint32_t handle, uint32_t past, uint64_t idle)
{
    const struct budget *budget = &ledger->budgets[handle];
    struct extra *extra = extras_of(ledger, handle);
    int64_t base = ledger->cold[handle].base_limit;
    struct way way = way_of_turn(base, extra->rollover_cap, idle);
    int128 left = (int128)base + extra->carried - budget->committed - budget->held;
    uint32_t older = past ? ledger->pasts[past].next : ledger->cold[handle].past;
    if (past)
        ledger->handovers[past] =
            (struct handover){.way = way, .base = base, .carried = extra->carried};
    if (past && older)
        ledger->handovers[older].newer = past;
    if (!past && older) {
        ASSERT_INV("INV-02", budget->held == 0); /* nothing of it is open */
        way.add += (int128)base - budget->committed;
        ledger->handovers[older].way = way_then(ledger->handovers[older].way, way);
        way.add -= (int128)base - budget->committed;
    }
    extra->carried = way_end(&way, left);
    ASSERT_INV("INV-09", extra->carried >= 0 && extra->carried <= extra->rollover_cap);
}

void rollover_forget(struct ledger *ledger, uint32_t past)
{
    struct handover *over = &ledger->handovers[past];
    uint32_t older = ledger->pasts[past].next;
    ASSERT_INV("INV-02", ledger->pasts[past].held == 0);
    if (older) {
        struct way way = over->way;
        way.add += (int128)over->base - ledger->pasts[past].committed;
        ledger->handovers[older].way = way_then(ledger->handovers[older].way, way);
        ledger->handovers[older].newer = over->newer;
    }
    *over = (struct handover){0};
}

bool rollover_hand_on(struct ledger *ledger, uint32_t handle, uint32_t past)
{
    struct extra *extra = extras_of(ledger, handle);
    while (past) {
        const struct handover *over = &ledger->handovers[past];
        if (over->way.low == over->way.high)
            return false; /* it hands on the same whatever is left; it may know no newer one */
        int64_t *carried = over->newer ? &ledger->handovers[over->newer].carried : &extra->carried;
        int64_t end = way_end(&over->way, left_of(ledger, past));
        if (*carried == end)
            return false;
        *carried = end;
        past = over->newer;
    }
    return true;
}

bool rollover_is_handover(const struct handover *over)
{
    const int128 add_max = (int128)1 << 100;
    return over->base >= 0 && over->base <= METE_AMOUNT_MAX && over->carried >= 0 &&
           over->carried <= METE_AMOUNT_MAX && over->way.low >= 0 &&
           over->way.low <= over->way.high && over->way.high <= METE_AMOUNT_MAX &&
           over->way.add <= add_max && over->way.add >= -add_max;
}

void rollover_check(const struct ledger *ledger, uint32_t handle)
{
    int64_t carried = extras_of(ledger, handle)->carried;
    uint32_t newer = 0;
    for (uint32_t past = ledger->cold[handle].past; past; past = ledger->pasts[past].next) {
        const struct handover *over = &ledger->handovers[past];
        ASSERT(rollover_is_handover(over));
        ASSERT(over->way.low == over->way.high || over->newer == newer);
        ASSERT_INV("INV-09", way_end(&over->way, left_of(ledger, past)) == carried);
        carried = over->carried;
        newer = past;
    }
}
