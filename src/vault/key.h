/* SPDX-License-Identifier: Apache-2.0
 * The sealing key from the inside: what is derived from the 32 bytes of the file. */
#ifndef VAULT_KEY_H
#define VAULT_KEY_H

#include "vault/vault.h"

#include <sodium.h>

struct vault_key {
    uint8_t seal[crypto_aead_xchacha20poly1305_ietf_KEYBYTES]; /* for credentials */
    uint8_t tag[crypto_generichash_KEYBYTES];                  /* for the file */
    char id[VAULT_KEY_ID + 1];
};

#endif
