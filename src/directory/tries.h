/* SPDX-License-Identifier: Apache-2.0
 * How often somebody may try what can be guessed, a password or a code: so many at once, then one
 * each so many seconds, counted by who it is and by the address that asks. A table of fixed size,
 * its places chosen by a keyed hash that strangers cannot aim: who shares one with another is only
 * held back sooner. THREAD one (the event loop). */
#ifndef DIRECTORY_TRIES_H
#define DIRECTORY_TRIES_H

#include "base/slice.h"
#include "mete.h"

struct tries;

struct tries_rate {
    int64_t at_once, each_us;
};

METE_MUST_USE int tries_new(const uint8_t secret[32], struct tries **ret_tries); /* MEMORY */
void tries_free(struct tries *tries);

/* Takes one. Else: how long until there is one again, and nothing is taken; 0: it is taken. */
int64_t tries_take(struct tries *tries, struct slice who, const struct tries_rate *rate,
                   int64_t now_us);
void tries_give_back(struct tries *tries, struct slice who, const struct tries_rate *rate);

#endif
