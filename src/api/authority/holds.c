/* SPDX-License-Identifier: Apache-2.0
 * Direct-mapped by the reservation's number: a newer one takes the place of an older. Numbers are
 * given in order, so the newest LIMIT_HOLDS are here. */
#include "api/authority/holds.h"

#include "base/assert.h"
#include "base/limits.h"

#include <stdlib.h>

_Static_assert((LIMIT_HOLDS & (LIMIT_HOLDS - 1)) == 0, "a power of two");

struct holds {
    struct hold places[LIMIT_HOLDS];
};

int holds_new(struct holds **ret_holds)
{
    struct holds *holds = calloc(1, sizeof *holds); /* pages are touched as they are used */
    if (!holds)
        return METE_E_MEMORY;
    *ret_holds = holds;
    return 0;
}

void holds_free(struct holds *holds)
{
    free(holds);
}

const struct hold *holds_find(const struct holds *holds, uint64_t reservation)
{
    const struct hold *hold = &holds->places[reservation & (LIMIT_HOLDS - 1)];
    return reservation && hold->reservation == reservation ? hold : NULL;
}

void holds_put(struct holds *holds, const struct hold *hold)
{
    ASSERT(hold->reservation > 0);
    holds->places[hold->reservation & (LIMIT_HOLDS - 1)] = *hold;
}

void holds_forget(struct holds *holds, uint64_t reservation)
{
    struct hold *hold = &holds->places[reservation & (LIMIT_HOLDS - 1)];
    if (hold->reservation == reservation)
        hold->reservation = 0;
}

int holds_of_view(const struct mete_reservation_view *view, struct hold *ret_hold)
{
    struct hold hold = {.reservation = view->id.n,
                        .scope = view->scope.n,
                        .organization = view->organization.n,
                        .made_at_us = view->made_at.us};
    ASSERT(view->amounts_len <= METE_DEMANDS_MAX);
    for (size_t i = 0; i < view->amounts_len; i++) {
        uint16_t meter = view->amounts[i].meter;
        if (meter >= HOLDS_METERS)
            return METE_E_NOT_YET;
        hold.mask |= UINT32_C(1) << meter;
        hold.amounts[meter] = view->amounts[i].fixed;
        if (meter == METE_COST)
            hold.currency = view->amounts[i].currency;
    }
    *ret_hold = hold;
    return 0;
}
