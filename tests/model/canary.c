/* SPDX-License-Identifier: Apache-2.0 */
#include "model/canary.h"

/* Whether this canary is set and has not sung in this world. */
static int sings(struct world *w, enum canary canary)
{
    if (w->canary != (int)canary || w->canary_done || w->op < 50)
        return 0;
    w->canary_done = 1;
    return 1;
}

static void leave_out(struct mete_verdict *verdict, struct mete_refusal *refusals)
{
    verdict->refusals_len--;
    for (size_t i = 0; i < verdict->refusals_len; i++)
        refusals[i] = refusals[i + 1];
}

void canary_verdict(struct world *w, struct mete_verdict *verdict, struct mete_refusal *refusals)
{
    if (verdict->refusals_len > 1 && sings(w, CANARY_REFUSAL))
        leave_out(verdict, refusals);
    if (verdict->refusals_len > 1 && sings(w, CANARY_ORDER)) {
        struct mete_refusal first = refusals[0];
        refusals[0] = refusals[1];
        refusals[1] = first;
    }
    if (verdict->granted > 0 && sings(w, CANARY_GRANTED))
        verdict->granted--;
    if (!verdict->allowed && verdict->retry_at.us != 0 && verdict->retry_at.us != INT64_MAX &&
        sings(w, CANARY_RETRY))
        verdict->retry_at.us--;
    if (verdict->repeated && sings(w, CANARY_REPEATED))
        verdict->repeated = 0;
}

void canary_receipt(struct world *w, struct mete_receipt *receipt)
{
    if (receipt->overrun && sings(w, CANARY_OVERRUN))
        receipt->overrun = 0;
}

void canary_usage(struct world *w, struct mete_usage *usage, size_t len)
{
    if (len && usage[0].amount && sings(w, CANARY_CHARGE))
        usage[0].amount++;
}

void canary_budget(struct world *w, struct mete_budget_view *view)
{
    if (view->committed && sings(w, CANARY_COMMITTED))
        view->committed++;
    if (view->window_end.us != INT64_MAX && sings(w, CANARY_WINDOW))
        view->window_end.us += 1000000;
}

void canary_events(struct world *w, struct engine *engine)
{
    if (engine->events_len && engine->events_len < EVENTS && sings(w, CANARY_EVENT_TWICE)) {
        engine->events[engine->events_len] = engine->events[engine->events_len - 1];
        engine->events_len++;
    }
    if (engine->events_len && sings(w, CANARY_EVENT_LOST))
        engine->events_len--;
}
