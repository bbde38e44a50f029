/* SPDX-License-Identifier: Apache-2.0
 * Canaries: faults that an engine could have, told once a world by the driver, so that it is known
 * that each would be found. */
#ifndef MODEL_CANARY_H
#define MODEL_CANARY_H

#include "model/world.h"

enum canary {
    CANARY_NONE = 0,
    CANARY_COMMITTED,   /* a budget's committed is one too many */
    CANARY_REFUSAL,     /* a budget that refused is left out */
    CANARY_ORDER,       /* two refusals stand in the wrong order */
    CANARY_GRANTED,     /* one unit less is granted than could be */
    CANARY_RETRY,       /* asking again is promised to help a microsecond early */
    CANARY_REPEATED,    /* a repeat does not say that it is one */
    CANARY_EVENT_TWICE, /* an event comes twice */
    CANARY_EVENT_LOST,  /* an event does not come */
    CANARY_CHARGE,      /* one more is charged than was used */
    CANARY_OVERRUN,     /* an overrun is kept quiet */
    CANARY_WINDOW,      /* a window ends a second late */
    CANARIES
};

void canary_verdict(struct world *w, struct mete_verdict *verdict, struct mete_refusal *refusals);
void canary_receipt(struct world *w, struct mete_receipt *receipt);
void canary_usage(struct world *w, struct mete_usage *usage, size_t len);
void canary_budget(struct world *w, struct mete_budget_view *view);
void canary_events(struct world *w, struct engine *engine);

#endif
