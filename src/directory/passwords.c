/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/passwords.h"

#include "base/limits.h"

#include <sodium.h>

/* Of nobody, with the very cost of those that are made here. */
static const char nobodys[PASSWORD_HASH] = "$argon2id$v=19$m=19456,t=2,p=1$CRkDHe/6ESAgtqcGzONOSw$"
                                           "AyhpnD8CjUTpzDlWoSQ3SCF5h9ZN303FhS4en3FJY+I";
_Static_assert(LIMIT_PASSWORD_MEMORY == 19456 * 1024 && LIMIT_PASSWORD_PASSES == 2,
               "nobody's hash costs what others cost");
_Static_assert(PASSWORD_HASH >= crypto_pwhash_STRBYTES, "room for a hash");

int password_hash(struct slice password, char ret_hash[PASSWORD_HASH])
{
    int rc = crypto_pwhash_str_alg(ret_hash, password.data, password.len, LIMIT_PASSWORD_PASSES,
                                   LIMIT_PASSWORD_MEMORY, crypto_pwhash_ALG_ARGON2ID13);
    return rc ? METE_E_MEMORY : 0;
}

bool password_is(const char hash[PASSWORD_HASH], struct slice password)
{
    bool is_there = hash[0] != 0;
    int rc = crypto_pwhash_str_verify(is_there ? hash : nobodys, password.data, password.len);
    return is_there && rc == 0;
}
