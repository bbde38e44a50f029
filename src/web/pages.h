/* SPDX-License-Identifier: Apache-2.0
 * What a browser is shown: /docs (the contract to read), /docs/openapi.yaml and .json; / leads
 * there. Pages are made at the first request for one and kept. THREAD the event loop. */
#ifndef WEB_PAGES_H
#define WEB_PAGES_H

#include "base/buffer.h"
#include "codec/exchange.h"

struct pages {
    struct buffer docs, json; /* empty: not asked for yet */
};

void pages_init(struct pages *pages);
void pages_done(struct pages *pages);
bool pages_have(struct slice path);
struct exchange_handler pages_handler(struct pages *pages);

#endif
