/* SPDX-License-Identifier: Apache-2.0
 * The text is kept as "Bearer SECRET", terminated: either form is a part of it, and no call has to
 * put one together. */
#include "gateway/credential.h"

#include "base/assert.h"
#include "base/limits.h"

#include <sodium.h>

#define BEARER "Bearer "
enum { BEARER_LEN = sizeof BEARER - 1 };

struct credential {
    uint32_t holders;
    size_t len; /* of the text */
    char text[];
};

int credential_new(struct slice secret, struct credential **ret_credential)
{
    ASSERT(secret.len > 0 && secret.len <= LIMIT_CREDENTIAL);
    /* sodium_malloc() puts a block's end, not its beginning, at a page: the length decides how it
     * is aligned. */
    size_t align = _Alignof(struct credential);
    size_t room = sizeof(struct credential) + BEARER_LEN + secret.len + 1;
    room = (room + align - 1) / align * align;
    struct credential *credential = sodium_init() < 0 ? NULL : sodium_malloc(room);
    if (!credential)
        return METE_E_MEMORY;
    credential->holders = 1;
    credential->len = BEARER_LEN + secret.len;
    memcpy(credential->text, BEARER, BEARER_LEN);
    memcpy(credential->text + BEARER_LEN, secret.data, secret.len);
    credential->text[credential->len] = 0;
    *ret_credential = credential;
    return 0;
}

struct credential *credential_hold(struct credential *credential)
{
    if (credential) {
        ASSERT(credential->holders > 0 && credential->holders < UINT32_MAX);
        credential->holders++;
    }
    return credential;
}

void credential_let_go(struct credential *credential)
{
    if (!credential)
        return;
    ASSERT(credential->holders > 0);
    if (--credential->holders == 0)
        sodium_free(credential); /* zeroes it */
}

struct slice credential_bearer(const struct credential *credential)
{
    return credential ? (struct slice){credential->text, credential->len} : (struct slice){NULL, 0};
}

struct slice credential_secret(const struct credential *credential)
{
    return credential ? slice_from(credential_bearer(credential), BEARER_LEN)
                      : (struct slice){NULL, 0};
}
