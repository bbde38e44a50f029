/* SPDX-License-Identifier: Apache-2.0
 * What varies in length of a reservation is a sequence of 32-bit words: the first six lie in the
 * slot, the rest in chunks of fifteen, chained. Three meters on twelve budgets are 21 words: the
 * slot and one chunk, two cache lines.
 *
 * A cursor serves reading and writing; writing takes chunks as it goes, in front of the list of
 * free ones, and there are always enough of them (CHUNKS_EACH a slot). */
#include "ledger/state.h"

static uint32_t take_chunk(struct ledger *ledger)
{
    uint32_t chunk = ledger->chunk_free;
    if (chunk) {
        ledger->chunk_free = ledger->chunks[chunk - 1].next;
    } else {
        ASSERT((uint64_t)ledger->chunks_len < (uint64_t)slots_room(&ledger->room) * CHUNKS_EACH);
        chunk = ++ledger->chunks_len;
    }
    ledger->chunks[chunk - 1].next = 0;
    return chunk;
}

void words_extend(struct words *words)
{
    *words->link = take_chunk(words->ledger);
    words_enter(words, *words->link);
}

void words_put_text(struct words *words, struct slice text)
{
    ASSERT(text.len <= TEXT_MAX);
    words_put(words, (uint32_t)text.len);
    for (size_t i = 0; i < text.len; i += 4) {
        uint32_t word = 0;
        memcpy(&word, text.data + i, text.len - i < 4 ? text.len - i : 4);
        words_put(words, word);
    }
}

size_t words_next_text(struct words *words, char *ret_text, size_t max)
{
    size_t len = words_next(words);
    ASSERT(len <= max);
    for (size_t i = 0; i < len; i += 4) {
        uint32_t word = words_next(words);
        memcpy(ret_text + i, &word, len - i < 4 ? len - i : 4);
    }
    return len;
}

size_t words_copy_text(struct words *words, uint32_t *to)
{
    size_t len = 0;
    uint32_t bytes = words_next(words);
    ASSERT(bytes <= TEXT_MAX);
    to[len++] = bytes;
    for (uint32_t i = 0; i < bytes; i += 4)
        to[len++] = words_next(words);
    return len;
}

void words_skip_draws(struct words *words)
{
    for (uint32_t left = 3 * words_next(words); left > 0; left--)
        words_next(words);
}

void words_free(struct ledger *ledger, struct reservation *reservation)
{
    uint32_t chunk = reservation->chunk;
    while (chunk) {
        ASSERT(chunk <= ledger->chunks_len);
        struct chunk *at = &ledger->chunks[chunk - 1];
        uint32_t next = at->next;
        at->next = ledger->chunk_free;
        ledger->chunk_free = chunk;
        chunk = next;
    }
    reservation->chunk = 0;
}
