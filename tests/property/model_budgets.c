/* SPDX-License-Identifier: Apache-2.0
 * The naive model's figures: every one is summed up from the lists when it is asked for. */
#include "property/model_budgets.h"

#include "calendar/calendar.h"

#include <stdbool.h>

struct mete_budget_spec *model_spec(struct model *model, uint32_t budget)
{
    ASSERT(budget > 0 && budget <= model->budgets_len);
    return &model->budgets[budget].spec;
}

/* ---- Sums ------------------------------------------------------------------------------------ */

struct window model_window(const struct model *model, uint32_t budget, int64_t at_us)
{
    struct window window;
    struct calendar_rule rule = {.period = model->budgets[budget].spec.period};
    int rc = calendar_window(&rule, at_us, &window);
    ASSERT(rc == 0);
    return window;
}

static bool is_in(struct window window, int64_t at_us)
{
    return window.start_us <= at_us && at_us < window.end_us;
}

int128 model_committed(const struct model *model, uint32_t budget, int64_t at_us)
{
    struct window window = model_window(model, budget, at_us);
    int128 sum = 0;
    for (size_t i = 0; i < model->charges_len; i++)
        if (model->charges[i].budget == budget && is_in(window, model->charges[i].made_at_us))
            sum += model->charges[i].amount;
    return sum;
}

const struct mete_usage *model_usage(const struct mete_usage *usage, size_t len,
                                     const struct mete_budget_spec *spec)
{
    for (size_t i = 0; i < len; i++)
        if (usage[i].meter == spec->meter && usage[i].currency == spec->currency)
            return &usage[i];
    return NULL;
}

static bool takes(const struct model_reservation *reservation, uint32_t budget)
{
    for (size_t i = 0; i < reservation->takes_len; i++)
        if (reservation->takes[i] == budget)
            return true;
    return false;
}

int128 model_held(const struct model *model, uint32_t budget, int64_t at_us)
{
    struct window window = model_window(model, budget, at_us);
    int128 sum = 0;
    for (size_t i = 0; i < model->reservations_len; i++) {
        const struct model_reservation *at = &model->reservations[i];
        const struct mete_usage *amount =
            model_usage(at->amounts, at->amounts_len, &model->budgets[budget].spec);
        if (at->open && takes(at, budget) && is_in(window, at->made_at_us) && amount)
            sum += amount->amount;
    }
    return sum;
}

uint64_t model_open(const struct model *model)
{
    uint64_t count = 0;
    for (size_t i = 0; i < model->reservations_len; i++)
        count += model->reservations[i].open != 0;
    return count;
}

/* ---- Thresholds ------------------------------------------------------------------------------ */

struct mete_event *model_event(struct model *model, enum mete_event_kind kind, int64_t now_us)
{
    ASSERT(model->reply.events_len < MODEL_EVENTS);
    struct mete_event *at = &model->reply.events[model->reply.events_len++];
    *at = (struct mete_event){.kind = kind, .at = {now_us}, .seq = model->seq};
    return at;
}

void model_budget_event(struct model *model, struct where where, enum mete_event_kind kind,
                        uint32_t ppm)
{
    const struct mete_budget_spec *spec = model_spec(model, where.budget);
    struct mete_event *at = model_event(model, kind, where.now_us);
    at->scope = spec->scope;
    at->budget.n = where.budget;
    at->threshold_ppm = ppm;
    at->limit = spec->limit;
    at->committed = (int64_t)model_committed(model, where.budget, where.at_us);
    at->held = (int64_t)model_held(model, where.budget, where.at_us);
}

static bool is_reached(const struct model *model, uint32_t budget, int64_t at_us, uint32_t ppm)
{
    int128 committed = model_committed(model, budget, at_us);
    return committed > 0 && committed * 1000000 >= (int128)model->budgets[budget].spec.limit * ppm;
}

static bool has_fired(const struct model *model, uint32_t budget, int64_t start_us, uint32_t ppm)
{
    for (size_t i = 0; i < model->fired_len; i++)
        if (model->fired[i].budget == budget && model->fired[i].ppm == ppm &&
            model->fired[i].window_start_us == start_us)
            return true;
    return false;
}

uint32_t model_fired(const struct model *model, uint32_t budget, int64_t at_us)
{
    const struct mete_budget_spec *spec = &model->budgets[budget].spec;
    uint32_t bits = 0;
    for (size_t i = 0; i < spec->thresholds_len; i++)
        if (has_fired(model, budget, model_window(model, budget, at_us).start_us,
                      spec->thresholds_ppm[i]))
            bits |= 1u << i;
    return bits;
}

void model_fire(struct model *model, struct where where)
{
    const struct mete_budget_spec *spec = model_spec(model, where.budget);
    int64_t start_us = model_window(model, where.budget, where.at_us).start_us;
    for (size_t i = 0; i < spec->thresholds_len; i++) {
        uint32_t ppm = spec->thresholds_ppm[i];
        if (!is_reached(model, where.budget, where.at_us, ppm) ||
            has_fired(model, where.budget, start_us, ppm))
            continue;
        ASSERT(model->fired_len < MODEL_THINGS);
        model->fired[model->fired_len++] = (struct model_fired){where.budget, ppm, start_us};
        model_budget_event(model, where, METE_EVENT_THRESHOLD, ppm);
    }
}

/* After a change: what is out of reach, or no threshold any longer, has not fired. */
void model_rearm(struct model *model, uint32_t budget)
{
    const struct mete_budget_spec *spec = model_spec(model, budget);
    size_t kept = 0;
    for (size_t i = 0; i < model->fired_len; i++) {
        struct model_fired fired = model->fired[i];
        bool listed = false;
        for (size_t t = 0; t < spec->thresholds_len; t++)
            listed |= spec->thresholds_ppm[t] == fired.ppm;
        bool stays = fired.budget != budget ||
                     (listed && (model->canary == CANARY_REARM ||
                                 is_reached(model, budget, fired.window_start_us, fired.ppm)));
        if (stays)
            model->fired[kept++] = fired;
    }
    model->fired_len = kept;
}
