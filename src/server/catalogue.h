/* SPDX-License-Identifier: Apache-2.0
 * Providers and models between the gateway, that goes by what was said of them, and the API, that
 * is told it. A model that was asked for and is not known becomes a draft: a document, one at a
 * time, for what is missed is asked for again. THREAD the event loop. */
#ifndef SERVER_CATALOGUE_H
#define SERVER_CATALOGUE_H

#include "api/api.h"
#include "gateway/gateway.h"

struct catalogue {
    struct mete *mete;
    struct mete_port *port;
    struct models *models;
    struct gateway *gateway;
    /* The draft that is on its way. */
    bool busy;
    struct mete_op op;
    struct mete_change change;
    struct model draft;
    char id[LIMIT_ID + 1];
    struct buffer document;
    uint32_t handle;
};

/* At a start: what was said of models. STORAGE, CORRUPT, MEMORY, FULL. */
METE_MUST_USE int catalogue_open(struct catalogue *catalogue, struct mete *mete,
                                 struct mete_port *port, struct records_reader *reader);
void catalogue_close(struct catalogue *catalogue); /* the engine is closed */
/* Then, of the gateway's providers. */
METE_MUST_USE int catalogue_use(struct catalogue *catalogue, struct gateway *gateway,
                                struct records_reader *reader);
/* Takes down a model that is not known; at most LIMIT_DRAFTS. */
void catalogue_unknown(struct catalogue *catalogue, struct slice model);
size_t catalogue_running(const struct catalogue *catalogue); /* 1: a draft is on its way; 0 */
struct api_providers catalogue_door(struct catalogue *catalogue);

#endif
