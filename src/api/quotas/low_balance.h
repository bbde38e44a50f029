/* SPDX-License-Identifier: Apache-2.0
 * That somebody is to be told when a balance becomes low, as a document (LOW_BALANCE):
 *
 *   {"id","organization","scope":{"kind","id"},"at","unit","below"|"below_percent",
 *    "low","since","left","times","created_at"}
 *
 * low, since, left and times are how it stands: they change by themselves (low_balance_watch.h). */
#ifndef API_QUOTAS_LOW_BALANCE_H
#define API_QUOTAS_LOW_BALANCE_H

#include "api/request.h"
#include "directory/documents.h"

struct low_balance {
    struct slice id, organization, kind, of, created_at;
    struct mete_scope_id at;
    uint16_t meter;
    uint32_t currency;
    int64_t below;    /* an amount; */
    int64_t below_bp; /* or, if it is not 0, hundredths of a percent of what is granted */
    bool low;
    int64_t since_us; /* that it is low; 0: it is not */
    int64_t left;     /* when it became so, or last was not any more */
    int64_t times;    /* that it became low */
};

/* Texts are in the request's arena. CORRUPT, MEMORY. */
METE_MUST_USE int low_balance_read(struct request *request, struct slice document,
                                   struct low_balance *ret_alert);
/* As it is kept, or, without what nobody needs to see, as it is shown. */
void low_balance_write(struct out *out, const struct low_balance *alert, bool shown);
/* What is granted and not expired, less what was drawn: what calls hold is not gone yet. */
bool low_balance_is(const struct low_balance *alert, const struct mete_quota_view *view);

#endif
