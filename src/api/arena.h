/* SPDX-License-Identifier: Apache-2.0
 * Memory of one request: taken piece by piece, given back all at once. The first pieces come from
 * room inside the arena itself, so that a plain call touches no heap; then from chunks, up to a
 * maximum. NULL when that is reached or memory is out: a 503 for the caller, nothing worse. */
#ifndef API_ARENA_H
#define API_ARENA_H

#include "base/slice.h"

enum { ARENA_INLINE = 8192, ARENA_MAX = 8 * 1024 * 1024 };

struct arena_chunk;
struct arena {
    size_t used, taken;        /* of the room inside; of chunks */
    struct arena_chunk *chunk; /* newest first */
    _Alignas(16) char room[ARENA_INLINE];
};

void arena_init(struct arena *arena);
/* Frees the chunks; the arena can be used again. */
void arena_clear(struct arena *arena);
/* len bytes, zeroed, aligned to 16; len 0 gives a place too. NULL: no room. */
void *arena_take(struct arena *arena, size_t len);
/* The same, not zeroed. */
void *arena_take_raw(struct arena *arena, size_t len);
/* A copy, terminated. data NULL: no room. */
struct slice arena_copy(struct arena *arena, struct slice bytes);

#endif
