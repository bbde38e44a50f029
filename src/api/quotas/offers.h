/* SPDX-License-Identifier: Apache-2.0
 * What a plan grants each month, or a package or code once: at most one amount a unit. Written as
 * it is read, so that a document and a request are one form. */
#ifndef API_QUOTAS_OFFERS_H
#define API_QUOTAS_OFFERS_H

#include "api/quotas/grant_json.h"
#include "base/limits.h"

enum offer_form {
    OFFER_MONTHLY, /* may have rollover and rollover_cap; expires with its month */
    OFFER_ONCE     /* may have expires_in_days */
};

struct offer {
    uint16_t meter;
    uint32_t currency, priority;
    int64_t amount;
    bool rolls;           /* what is left goes to the next month, */
    int64_t rollover_cap; /* at most so much; -1: all of it */
    int64_t days;         /* it lives for; 0: for ever */
};

struct offers {
    size_t len;
    struct offer at[LIMIT_SCOPE_QUOTAS];
};

/* The member "grants" of a request's body or of a document: 1 to LIMIT_SCOPE_QUOTAS objects. The
 * problem names "grants[1].unit". */
METE_MUST_USE int offers_read(struct request *request, struct json list, enum offer_form form,
                              struct offers *ret_offers);
/* The member, key and all. */
void offers_write(struct out *out, const struct offers *offers, enum offer_form form);

/* A text of a plan or package: what is said, else what it was, else null. */
void offers_text(struct request *request, const char *name, struct slice said, struct json was);

#endif
