/* SPDX-License-Identifier: Apache-2.0
 * Sets of four places. What has been found since it was last passed over stays once more; else the
 * next in turn goes, of the set where a place is wanted, of all where bytes are. */
#include "prompts/memo.h"

#include "base/assert.h"
#include "base/errors.h"
#include "base/limits.h"

#include <pthread.h>
#include <stdlib.h>
#include <xxhash.h>

enum { WAYS = 4, SETS = MEMO_PLACES / WAYS };

struct place {
    uint64_t hash;
    const struct encoding *encoding;
    char *text; /* NULL: the place is free */
    size_t len;
    bool found; /* since it was last passed over */
    struct memo_count count;
};

struct memo {
    pthread_mutex_t lock; /* of all that follows */
    size_t bytes, hand;
    uint8_t turns[SETS];
    struct place places[MEMO_PLACES];
};

int memo_new(struct memo **ret_memo)
{
    struct memo *memo = calloc(1, sizeof *memo);
    if (!memo)
        return METE_E_MEMORY;
    int rc = pthread_mutex_init(&memo->lock, NULL);
    ASSERT(rc == 0);
    *ret_memo = memo;
    return 0;
}

void memo_free(struct memo *memo)
{
    if (!memo)
        return;
    for (size_t i = 0; i < MEMO_PLACES; i++)
        free(memo->places[i].text);
    pthread_mutex_destroy(&memo->lock);
    free(memo);
}

size_t memo_bytes(struct memo *memo)
{
    pthread_mutex_lock(&memo->lock);
    size_t bytes = memo->bytes;
    pthread_mutex_unlock(&memo->lock);
    return bytes;
}

static bool is_kept(struct slice text)
{
    return text.len >= MEMO_LEAST && text.len <= MEMO_MOST;
}

static struct place *set_of(struct memo *memo, uint64_t hash)
{
    return &memo->places[hash % SETS * WAYS];
}

static bool find(struct memo *memo, const struct encoding *encoding, struct slice text,
                 uint64_t hash, struct memo_count *ret_count)
{
    struct place *set = set_of(memo, hash);
    for (size_t i = 0; i < WAYS; i++) {
        if (!set[i].text || set[i].hash != hash || set[i].encoding != encoding ||
            !slice_equal((struct slice){set[i].text, set[i].len}, text))
            continue;
        set[i].found = true;
        *ret_count = set[i].count;
        return true;
    }
    return false;
}

bool memo_find(struct memo *memo, const struct encoding *encoding, struct slice text,
               struct memo_count *ret_count)
{
    if (!is_kept(text))
        return false;
    uint64_t hash = XXH3_64bits(text.data, text.len);
    pthread_mutex_lock(&memo->lock);
    bool found = find(memo, encoding, text, hash, ret_count);
    pthread_mutex_unlock(&memo->lock);
    return found;
}

static void clear(struct memo *memo, struct place *place)
{
    ASSERT(memo->bytes >= place->len);
    memo->bytes -= place->len;
    free(place->text);
    *place = (struct place){0};
}

/* Whether the place is free now; one that was found lately is passed over once. */
static bool pass(struct memo *memo, struct place *place)
{
    if (place->text && place->found) {
        place->found = false;
        return false;
    }
    clear(memo, place);
    return true;
}

static struct place *place_for(struct memo *memo, uint64_t hash)
{
    struct place *set = set_of(memo, hash);
    for (size_t i = 0; i < WAYS; i++)
        if (!set[i].text)
            return &set[i];
    for (uint8_t *turn = &memo->turns[hash % SETS];;) {
        struct place *place = &set[(*turn)++ % WAYS];
        if (pass(memo, place))
            return place;
    }
}

void memo_put(struct memo *memo, const struct encoding *encoding, struct slice text,
              struct memo_count count)
{
    if (!is_kept(text))
        return;
    char *copy = malloc(text.len);
    if (!copy)
        return;
    memcpy(copy, text.data, text.len);
    uint64_t hash = XXH3_64bits(text.data, text.len);
    pthread_mutex_lock(&memo->lock);
    while (memo->bytes + text.len > LIMIT_MEMO_BYTES)
        (void)pass(memo, &memo->places[memo->hand++ % MEMO_PLACES]);
    struct place *place = place_for(memo, hash);
    *place = (struct place){hash, encoding, copy, text.len, false, count};
    memo->bytes += text.len;
    ASSERT(memo->bytes <= LIMIT_MEMO_BYTES);
    pthread_mutex_unlock(&memo->lock);
}
