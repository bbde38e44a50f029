/* SPDX-License-Identifier: Apache-2.0
 * Base 62 (0-9A-Za-z), most significant digit first. */
#ifndef CODEC_BASE62_H
#define CODEC_BASE62_H

#include "base/slice.h"

#include <stdint.h>

/* Exactly len digits, zero-filled; the value must fit (asserted). Not terminated. */
void base62_encode(uint64_t value, char *room, size_t len);
/* METE_E_SYNTAX for any other byte, an empty text, or a value over 64 bits. */
__attribute__((warn_unused_result)) int base62_decode(struct slice text, uint64_t *ret_value);
/* len random digits, each equally likely: bytes of random over 247 are skipped. Returns how many
 * digits were made of the random bytes given; 0 <= returned <= len. */
size_t base62_digits(const uint8_t *random, size_t random_len, char *room, size_t len);

#endif
