/* SPDX-License-Identifier: Apache-2.0
 * A verdict told to a client: which budgets refused, their figures, and whether waiting helps. */
#ifndef GATEWAY_REFUSAL_H
#define GATEWAY_REFUSAL_H

#include "codec/decimal.h"
#include "codec/exchange.h"
#include "codec/timestamp.h"
#include "dialect/dialect.h"

enum { REFUSAL_HEADERS = 12 };

/* One amount as text: "4.60" with unit "USD", "1200" with unit "tokens". */
struct refusal_figures {
    char limit[DECIMAL_ROOM], spent[DECIMAL_ROOM], held[DECIMAL_ROOM], remaining[DECIMAL_ROOM],
        asked[DECIMAL_ROOM];
    char unit[16], resets_at[TIMESTAMP_ROOM];
};

struct refusal {
    struct buffer list, details;
    size_t first_len; /* of the primary's object, at the front of list */
    enum mete_reason reason;
    bool budgeted, limited; /* a budget, a rate limit is the primary */
    uint16_t meter;
    char budget[LIMIT_ID + 1], scope[LIMIT_ID + 32]; /* scope: "department:eng" */
    const char *period;
    struct refusal_figures figures; /* of the primary */
    char message[1024], retry_after[24], retry_after_ms[24], reset[32];
};

void refusal_init(struct refusal *refusal);
void refusal_done(struct refusal *refusal);
/* The next one of the verdict, the primary first. budget, rate NULL: none is involved, or it is
 * not known. Names of a view that could not be had are empty. METE_E_TOO_LARGE, METE_E_MEMORY: the
 * list is cut here. */
METE_MUST_USE int refusal_add(struct refusal *refusal, const struct mete_refusal *one,
                              const struct mete_budget_view *budget,
                              const struct mete_rate_view *rate,
                              const struct mete_scope_view *scope);
/* After the last: the error of the primary. wall: now, to say how long to wait.
 * ret_headers has room for REFUSAL_HEADERS; returns how many there are. All borrow from refusal. */
size_t refusal_tell(struct refusal *refusal, struct mete_instant retry_at, struct mete_instant wall,
                    struct dialect_error *ret_error, struct exchange_header *ret_headers);

#endif
