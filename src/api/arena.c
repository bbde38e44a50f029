/* SPDX-License-Identifier: Apache-2.0
 * A bump pointer in the arena's own room, then one in the newest chunk. A chunk that is too full is
 * left behind half used: requests are short. */
#include "api/arena.h"

#include "base/assert.h"

#include <stdlib.h>

enum { CHUNK = 16 * 1024 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, room;
    _Alignas(16) char bytes[];
};

void arena_init(struct arena *arena)
{
    arena->used = 0;
    arena->taken = 0;
    arena->chunk = NULL;
}

void arena_clear(struct arena *arena)
{
    while (arena->chunk) {
        struct arena_chunk *next = arena->chunk->next;
        free(arena->chunk);
        arena->chunk = next;
    }
    arena_init(arena);
}

static bool add_chunk(struct arena *arena, size_t len)
{
    size_t room = len > CHUNK ? len : CHUNK;
    if (room > ARENA_MAX - arena->taken)
        return false;
    struct arena_chunk *chunk = malloc(sizeof *chunk + room);
    if (!chunk)
        return false;
    *chunk = (struct arena_chunk){.next = arena->chunk, .room = room};
    arena->chunk = chunk;
    arena->taken += room;
    return true;
}

void *arena_take_raw(struct arena *arena, size_t len)
{
    if (len > ARENA_MAX)
        return NULL;
    len = (len + 15) & ~(size_t)15;
    char *at;
    if (len <= ARENA_INLINE - arena->used) {
        at = arena->room + arena->used;
        arena->used += len;
    } else {
        struct arena_chunk *chunk = arena->chunk;
        if ((!chunk || chunk->room - chunk->used < len) && !add_chunk(arena, len))
            return NULL;
        chunk = arena->chunk;
        at = chunk->bytes + chunk->used;
        chunk->used += len;
        ASSERT(chunk->used <= chunk->room);
    }
    return at;
}

void *arena_take(struct arena *arena, size_t len)
{
    void *at = arena_take_raw(arena, len);
    if (at && len)
        memset(at, 0, len);
    return at;
}

struct slice arena_copy(struct arena *arena, struct slice bytes)
{
    char *at = arena_take_raw(arena, bytes.len + 1);
    if (!at)
        return (struct slice){0};
    at[bytes.len] = 0;
    if (bytes.len)
        memcpy(at, bytes.data, bytes.len);
    return (struct slice){at, bytes.len};
}
