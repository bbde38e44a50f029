/* SPDX-License-Identifier: Apache-2.0
 * GCRA: a place holds the instant at which all of its tries will be there again. */
#include "directory/tries.h"

#include "base/limits.h"

#include <sodium.h>
#include <stdlib.h>

struct tries {
    uint8_t secret[32];
    int64_t full_at_us[LIMIT_LOGIN_PLACES];
};

int tries_new(const uint8_t secret[32], struct tries **ret_tries)
{
    struct tries *tries = calloc(1, sizeof *tries);
    if (!tries)
        return METE_E_MEMORY;
    memcpy(tries->secret, secret, sizeof tries->secret);
    *ret_tries = tries;
    return 0;
}

void tries_free(struct tries *tries)
{
    if (!tries)
        return;
    sodium_memzero(tries->secret, sizeof tries->secret);
    free(tries);
}

static int64_t *place_of(struct tries *tries, struct slice who)
{
    uint64_t hash;
    _Static_assert(crypto_shorthash_KEYBYTES <= sizeof tries->secret, "the secret is long enough");
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)who.data, who.len,
                     tries->secret);
    return &tries->full_at_us[hash % LIMIT_LOGIN_PLACES];
}

int64_t tries_take(struct tries *tries, struct slice who, const struct tries_rate *rate,
                   int64_t now_us)
{
    int64_t *place = place_of(tries, who);
    int64_t full_at_us = *place > now_us ? *place : now_us;
    int64_t wait_us = full_at_us + rate->each_us - rate->at_once * rate->each_us - now_us;
    if (wait_us > 0)
        return wait_us;
    *place = full_at_us + rate->each_us;
    return 0;
}

void tries_give_back(struct tries *tries, struct slice who, const struct tries_rate *rate)
{
    *place_of(tries, who) -= rate->each_us;
}
