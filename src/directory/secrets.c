/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/secrets.h"

#include "base/assert.h"
#include "codec/base62.h"

#include <sodium.h>

enum { AT_SUM = SECRET_TEXT - 6, SUM_DIGITS = 6 };

/* CRC-32 as of IEEE 802.3; four bits a step, for 50 bytes a call a larger table is not worth it. */
static uint32_t crc32_of(struct slice text)
{
    static const uint32_t nibbles[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
                                         0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                         0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                         0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < text.len; i++) {
        crc ^= (uint8_t)text.data[i];
        crc = (crc >> 4) ^ nibbles[crc & 15];
        crc = (crc >> 4) ^ nibbles[crc & 15];
    }
    return ~crc;
}

void secret_finish(char text[SECRET_TEXT + 1], size_t from,
                   void (*random)(void *user, void *ret_bytes, size_t len), void *user)
{
    uint8_t bytes[64];
    for (size_t have = from; have < AT_SUM;) {
        random(user, bytes, sizeof bytes);
        have += base62_digits(bytes, sizeof bytes, text + have, AT_SUM - have);
    }
    sodium_memzero(bytes, sizeof bytes);
    base62_encode(crc32_of((struct slice){text, AT_SUM}), text + AT_SUM, SUM_DIGITS);
    text[SECRET_TEXT] = 0;
}

void secret_make(const char prefix[SECRET_PREFIX + 1],
                 void (*random)(void *user, void *ret_bytes, size_t len), void *user,
                 char ret_text[SECRET_TEXT + 1])
{
    memcpy(ret_text, prefix, SECRET_PREFIX);
    secret_finish(ret_text, SECRET_PREFIX, random, user);
    ASSERT(secret_is_text((struct slice){ret_text, SECRET_TEXT}, prefix));
}

bool secret_is_text(struct slice text, const char prefix[SECRET_PREFIX + 1])
{
    char sum[SUM_DIGITS];
    if (text.len != SECRET_TEXT || !slice_starts(text, (struct slice){prefix, SECRET_PREFIX}))
        return false;
    base62_encode(crc32_of(slice_part(text, 0, AT_SUM)), sum, SUM_DIGITS);
    return memcmp(sum, text.data + AT_SUM, SUM_DIGITS) == 0;
}

void secret_hash(const uint8_t key[32], struct slice text, uint8_t ret_hash[SECRET_HASH])
{
    int rc = crypto_generichash(ret_hash, SECRET_HASH, (const unsigned char *)text.data, text.len,
                                key, 32);
    ASSERT(rc == 0);
}
