/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ring.h"

#include "base/assert.h"
#include "mete.h"

#include <stdlib.h>

int ring_init(struct ring *ring, uint32_t room)
{
    ASSERT(room && (room & (room - 1)) == 0);
    void **slots = calloc(room, sizeof *slots);
    if (!slots)
        return METE_E_MEMORY;
    ring->slots = slots;
    ring->mask = room - 1;
    atomic_init(&ring->tail, 0);
    atomic_init(&ring->head, 0);
    ring->head_seen = ring->tail_seen = 0;
    return 0;
}

void ring_done(struct ring *ring)
{
    free(ring->slots);
    ring->slots = NULL;
}
