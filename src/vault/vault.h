/* SPDX-License-Identifier: Apache-2.0
 * The credentials of providers, sealed at rest: one file of the data directory that is worth
 * nothing without a key that is kept elsewhere.
 *
 * PROMISES  what a provider's name finds is what was sealed under it: each credential is encrypted
 *   and bound to its name, version and time (XChaCha20-Poly1305), and the file as a whole carries
 *   a tag of its own, so that not a byte of it can be changed, moved or left out. A file as it was
 *   once, put back whole, is good: nothing here knows how new it is. A change is on disk before
 *   it is told of, and is there whole or not at all after a power cut. Secrets and keys are in
 *   memory that is locked and left out of core dumps, as far as the system allows, and zeroed
 *   after use.
 * THREAD  one, but for vault_change_write(), which any thread may do. */
#ifndef VAULT_VAULT_H
#define VAULT_VAULT_H

#include "base/limits.h"
#include "base/slice.h"
#include "mete.h"

#include <stdbool.h>

enum { VAULT_NAME_MAX = 64, VAULT_KEY_ID = 16, VAULT_DETAIL = 256 };

/* ---- The sealing key --------------------------------------------------------------------------
 */

struct vault_key;

/* Makes a key in a new file, 0400. EXISTS: there is a file; STORAGE. ret_id: 16 hexadecimal digits,
 * terminated, which name the key and do not give it away. */
METE_MUST_USE int vault_key_make(const char *file, char ret_id[VAULT_KEY_ID + 1],
                                 char ret_detail[VAULT_DETAIL]);
/* INVALID: it is inside the data directory, may be read by others, or is not ours; SYNTAX: it is no
 * key; STORAGE; MEMORY. directory NULL: there is none to be outside of. */
METE_MUST_USE int vault_key_read(const char *file, const char *directory,
                                 struct vault_key **ret_key, char ret_detail[VAULT_DETAIL]);
const char *vault_key_id(const struct vault_key *key);
void vault_key_free(struct vault_key *key); /* NULL is legal */

/* ---- What is sealed ---------------------------------------------------------------------------
 */

struct vault_entry {
    char name[VAULT_NAME_MAX + 1]; /* of the provider; terminated */
    uint64_t version; /* grows with every change of the vault, and is never used twice */
    int64_t sealed_at_us;
};

struct vault;

/* Whether credentials are sealed in a data directory; true if that cannot be told. */
bool vault_is_in(const char *directory);
/* Copies what is sealed, as it is, to another directory, durably. Nothing sealed: nothing to do.
 * STORAGE, MEMORY. */
METE_MUST_USE int vault_copy(const char *from, const char *to);
/* The vault of a data directory; empty where there is none. The key is the vault's from a success
 * on. FORBIDDEN: it was sealed under another key; CORRUPT: it was changed; STORAGE; MEMORY. */
METE_MUST_USE int vault_open(const char *directory, struct vault_key *key, struct vault **ret_vault,
                             char ret_detail[VAULT_DETAIL]);
void vault_close(struct vault *vault); /* NULL is legal */

const char *vault_sealed_under(const struct vault *vault); /* the id of its key */
size_t vault_len(const struct vault *vault);
void vault_at(const struct vault *vault, size_t i, struct vault_entry *ret_entry); /* by name */
/* NOT_FOUND. */
METE_MUST_USE int vault_find(const struct vault *vault, struct slice name,
                             struct vault_entry *ret_entry);
/* The secret; vault_forget() gives it back. NOT_FOUND, CORRUPT, MEMORY. */
METE_MUST_USE int vault_unseal(const struct vault *vault, struct slice name,
                               struct slice *ret_secret);
void vault_forget(struct slice secret);

/* ---- Changes ----------------------------------------------------------------------------------
 */

/* Made from the vault as it is, written, then applied; one at a time. Until it is applied the vault
 * is as before; of one that was written and not applied the disk alone knows. */
struct vault_change;

bool vault_name_is_good(struct slice name);
bool vault_secret_is_good(struct slice secret); /* 1 to LIMIT_CREDENTIAL bytes of printable ASCII */
/* Seals a secret under a name, in place of what was. FULL, MEMORY. */
METE_MUST_USE int vault_put(const struct vault *vault, struct slice name, struct slice secret,
                            int64_t now_us, struct vault_change **ret_change);
METE_MUST_USE int vault_remove(const struct vault *vault, struct slice name,
                               struct vault_change **ret_change); /* NOT_FOUND, MEMORY */
/* Seals everything under another key, which is the change's from a success on. CORRUPT, MEMORY. */
METE_MUST_USE int vault_reseal(const struct vault *vault, struct vault_key *key,
                               struct vault_change **ret_change);
METE_MUST_USE int vault_change_write(struct vault_change *change);         /* STORAGE */
void vault_change_apply(struct vault *vault, struct vault_change *change); /* frees it */
void vault_change_free(struct vault_change *change);                       /* NULL is legal */

#endif
