/* SPDX-License-Identifier: Apache-2.0
 * A grant as the API makes and shows it. The engine has its figures; its document has what nobody
 * reckons with: where it came from, and what it was said to be for. */
#ifndef API_QUOTAS_GRANT_JSON_H
#define API_QUOTAS_GRANT_JSON_H

#include "api/request.h"
#include "base/limits.h"

enum { GRANT_SOURCE_ID = 128, GRANT_DESCRIPTION = 512 };

/* What a grant is to be. */
struct grant_terms {
    struct slice id;
    struct mete_scope_id scope;
    uint16_t meter;
    uint32_t currency, priority;
    int64_t amount, expires_at_us; /* 0: never */
    struct slice source, source_id, description;
    struct slice offer; /* what it is of: a package's, plan's or code's id */
};

/* The change that makes it, and its document in the arena. MEMORY. */
METE_MUST_USE int grant_change(struct request *request, const struct grant_terms *terms,
                               struct mete_change *ret_change);
/* PREFIX~SUFFIX, in the arena; empty: no memory, or no id can be so long. */
struct slice grant_make_id(struct request *request, struct slice prefix, struct slice suffix);
/* The ids of the grants that are made together: NAME, NAME~2, ... So the first one stands for the
 * whole, whatever the offer has become when somebody says it again. false: no memory, or the name
 * is too long. */
bool grant_make_ids(struct request *request, struct slice name,
                    struct slice ret_ids[LIMIT_SCOPE_QUOTAS]);

/* On a worker: the document of an organization's grant, in the arena; empty: it has none. */
METE_MUST_USE int grant_document(struct request *request, struct mete_scope_id organization,
                                 struct slice id, struct slice *ret_document);
void grant_json_write(struct request *request, const struct mete_grant_view *view,
                      struct slice document);
/* Where it came from, as two members: source_id and description, each text or null. */
void grant_json_origin(struct request *request, struct slice document);

#endif
