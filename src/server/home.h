/* SPDX-License-Identifier: Apache-2.0
 * The data directory, apart from what the engine keeps in it:
 *   secret.key   32 random bytes that key hashes are made with (0600). Lost: every key is.
 *   admin.token  the admin's token (0600); METE_ADMIN_TOKEN in the environment takes its place
 *   address      HOST:PORT of the server that runs on it, or https://HOST:PORT#PIN with the pin of
 *                its key, as curl has it; absent when none does, stale after a crash */
#ifndef SERVER_HOME_H
#define SERVER_HOME_H

#include "mete.h"

#include <stdbool.h>

enum { HOME_PATH = 1024, HOME_TOKEN = 256, HOME_ADDRESS = 256 };

struct home {
    char path[HOME_PATH];
    uint8_t secret[32];
    char admin_token[HOME_TOKEN];
    bool token_made;     /* just now: to be shown once */
    bool token_from_env; /* METE_ADMIN_TOKEN: admin.token is not used */
};

/* $METE_DATA, or mete-data: where the command looks if nobody says. */
const char *home_default(void);

/* Makes what is missing (the directory 0700, the files 0600), durably. INVALID: the path or the
 * token; STORAGE: ret_detail says what. */
METE_MUST_USE int home_open(const char *path, struct home *ret_home, char ret_detail[256]);

/* Copies secret.key and admin.token, as far as they are there, durably. STORAGE. */
METE_MUST_USE int home_copy(const char *from, const char *to);

METE_MUST_USE int home_publish(const struct home *home, const char *address);
void home_unpublish(const struct home *home);

/* For the command: the server on a directory, and the token for it. NOT_FOUND: no server says it
 * runs there (one that crashed may still be named: nothing answers then). */
METE_MUST_USE int home_server(const char *path, char ret_address[HOME_ADDRESS]);
METE_MUST_USE int home_token(const char *path, char ret_token[HOME_TOKEN]);

#endif
