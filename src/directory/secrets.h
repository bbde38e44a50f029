/* SPDX-License-Identifier: Apache-2.0
 * Secrets that mete makes and shows once: a prefix of 8 characters, 12 digits that find it, 30 that
 * prove it (178 bits), and 6 of a CRC-32 of all before, base 62. What is kept is a BLAKE2b-256 hash
 * of the whole, keyed with the installation's secret. */
#ifndef DIRECTORY_SECRETS_H
#define DIRECTORY_SECRETS_H

#include "base/slice.h"

#include <stdint.h>

enum { SECRET_PREFIX = 8, SECRET_ID = 12, SECRET_TEXT = 8 + 12 + 30 + 6, SECRET_HASH = 32 };

/* random: fills len bytes with what cannot be guessed. */
void secret_make(const char prefix[SECRET_PREFIX + 1],
                 void (*random)(void *user, void *ret_bytes, size_t len), void *user,
                 char ret_text[SECRET_TEXT + 1]);
/* The same, of a text whose first characters are there: those from `from` on. */
void secret_finish(char text[SECRET_TEXT + 1], size_t from,
                   void (*random)(void *user, void *ret_bytes, size_t len), void *user);
/* Whether it could be one with this prefix: its length and checksum. */
bool secret_is_text(struct slice text, const char prefix[SECRET_PREFIX + 1]);
void secret_hash(const uint8_t key[32], struct slice text, uint8_t ret_hash[SECRET_HASH]);

#endif
