/* SPDX-License-Identifier: Apache-2.0
 * The largest buckets choose first, while most slots are free. */
#include "tokens/vocabulary_hash.h"

#include "base/assert.h"
#include "base/errors.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUCKET = 4,       /* members of one, on average */
    BUCKET_MOST = 64, /* more of them than this never happen by chance */
    PILOTS = 65536
};

void vocabulary_hash_plan(uint32_t len, struct vocabulary_hash *h)
{
    h->buckets = len / BUCKET + 1;
    h->slots = len + len / 16 + 16; /* the last one to choose finds one in sixteen free */
}

struct hashing {
    struct vocabulary_hash h;
    const uint64_t *hashes; /* in the order of their buckets */
    uint32_t *begins;       /* [buckets + 1] */
    bool *taken;            /* [slots] */
    uint16_t *pilots;
};

/* Whether all members of the bucket find free slots, and takes them. */
static bool try_pilot(struct hashing *hashing, uint32_t bucket, uint16_t pilot)
{
    uint32_t found[BUCKET_MOST], len = 0;
    hashing->pilots[bucket] = pilot;
    for (uint32_t i = hashing->begins[bucket]; i < hashing->begins[bucket + 1]; i++) {
        uint32_t slot = vocabulary_slot(&hashing->h, hashing->hashes[i]);
        if (hashing->taken[slot])
            break;
        hashing->taken[slot] = true;
        found[len++] = slot;
    }
    if (len == hashing->begins[bucket + 1] - hashing->begins[bucket])
        return true;
    while (len)
        hashing->taken[found[--len]] = false;
    return false;
}

static bool place_bucket(struct hashing *hashing, uint32_t bucket)
{
    for (unsigned pilot = 0; pilot < PILOTS; pilot++) {
        if (try_pilot(hashing, bucket, (uint16_t)pilot))
            return true;
    }
    return false;
}

static int place_buckets(struct hashing *hashing)
{
    for (uint32_t size = BUCKET_MOST; size > 0; size--) {
        for (uint32_t bucket = 0; bucket < hashing->h.buckets; bucket++) {
            uint32_t members = hashing->begins[bucket + 1] - hashing->begins[bucket];
            if (members > BUCKET_MOST)
                return METE_E_INVALID;
            if (members == size && !place_bucket(hashing, bucket))
                return METE_E_INVALID;
        }
    }
    return 0;
}

static int by_value(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

int vocabulary_hash_make(const struct vocabulary_hash *h, const uint64_t *hashes, uint32_t len,
                         uint16_t *pilots)
{
    uint64_t *sorted = malloc((len + 1) * sizeof *sorted);
    struct hashing hashing = {
        .h = {.pilots = pilots, .buckets = h->buckets, .slots = h->slots},
        .hashes = sorted,
        .begins = calloc(h->buckets + 1, sizeof(uint32_t)),
        .taken = calloc(h->slots, sizeof(bool)),
        .pilots = pilots,
    };
    int status = sorted && hashing.begins && hashing.taken ? 0 : METE_E_MEMORY;
    if (status == 0) {
        memcpy(sorted, hashes, len * sizeof *sorted);
        qsort(sorted, len, sizeof *sorted, by_value); /* by their buckets, therefore */
        for (uint32_t i = 0, bucket = 0; bucket <= h->buckets; bucket++) {
            while (i < len && (sorted[i] >> 32) * h->buckets >> 32 < bucket)
                i++;
            hashing.begins[bucket] = i;
        }
        for (uint32_t i = 1; i < len; i++)
            status = sorted[i] == sorted[i - 1] ? METE_E_INVALID : status;
        if (status == 0)
            status = place_buckets(&hashing);
    }
    free(sorted);
    free(hashing.begins);
    free(hashing.taken);
    return status;
}
