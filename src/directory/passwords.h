/* SPDX-License-Identifier: Apache-2.0
 * Passwords: argon2id with the memory and passes of tables/limits.h. Making and trying one take
 * some 25 ms and that memory: on a worker, never on the event loop. */
#ifndef DIRECTORY_PASSWORDS_H
#define DIRECTORY_PASSWORDS_H

#include "base/slice.h"
#include "mete.h"

enum { PASSWORD_HASH = 128 }; /* with its end */

/* METE_E_MEMORY. */
METE_MUST_USE int password_hash(struct slice password, char ret_hash[PASSWORD_HASH]);
/* Whether it is the password of this hash. With an empty hash the answer is no, after the same
 * work: whoever asks learns nothing from the time it takes. */
bool password_is(const char hash[PASSWORD_HASH], struct slice password);

#endif
