/* SPDX-License-Identifier: Apache-2.0
 * The sealed credentials of a running server: opened with the key that the configuration names, put
 * in use by the gateway, and handed on to it when the API changes one. */
#ifndef SERVER_CREDENTIALS_H
#define SERVER_CREDENTIALS_H

#include "api/api.h"
#include "gateway/gateway.h"
#include "server/config.h"

struct credentials {
    const struct config *config;
    struct gateway *gateway; /* NULL: not open yet */
    struct vault *vault;     /* NULL: there is no sealing key */
};

/* config is borrowed. Without a sealing key there must be nothing sealed in the data directory.
 * Errors of vault_key_read() and vault_open(), INVALID; ret_detail says which file and why. */
METE_MUST_USE int credentials_open(struct credentials *credentials, const struct config *config,
                                   const char *data, char ret_detail[512]);
/* Puts those in use whose providers the configuration gives none. MEMORY, CORRUPT. */
METE_MUST_USE int credentials_use(struct credentials *credentials, struct gateway *gateway);
struct api_credentials credentials_door(struct credentials *credentials);
void credentials_close(struct credentials *credentials);

#endif
