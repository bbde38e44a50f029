/* SPDX-License-Identifier: Apache-2.0
 * Looking at what there is, and telling it. */
#include "model/canary.h"
#include "model/words.h"
#include "model/world.h"

#include <stdlib.h>
#include <string.h>

static int ask(struct engine *engine, const struct mete_query *query,
               struct mete_answer *ret_answer)
{
    return mete_query(engine->port, query, ret_answer);
}

/* Whether there is one. */
bool look_budget(struct world *w, struct engine *engine, uint32_t handle)
{
    struct mete_answer answer;
    struct mete_query query = {.kind = METE_QUERY_BUDGET, .budget = {handle}};
    tell_letter('B');
    tell(handle);
    int error = ask(engine, &query, &answer);
    struct mete_budget_view *view = &answer.budget;
    tell(error);
    if (!error) {
        canary_budget(w, view);
        tell(view->scope.n);
        tell(view->limit);
        tell(view->base_limit);
        tell(view->carried);
        tell(view->committed);
        tell(view->held);
        tell_instant(view->window_start);
        tell_instant(view->window_end);
        tell(view->mode);
        tell(view->stopped_at.us);
        tell(view->throttled);
        tell(view->soft_limit_reached);
        tell(view->template_of.n);
        tell(view->revision);
        tell(view->fired);
        tell(view->ended);
        edge(w, view->window_end.us);
        if (handle > w->budgets_top)
            w->budgets_top = handle;
    }
    tell_events(w, engine);
    return !error;
}

void look_rates(struct world *w, struct engine *engine, uint32_t scope)
{
    struct mete_answer answer;
    struct mete_rate_view views[RATES];
    struct mete_query query = {
        .kind = METE_QUERY_RATES, .scope = {scope}, .rates = views, .rows_max = RATES};
    tell_letter('N');
    tell(scope);
    int error = ask(engine, &query, &answer);
    tell(error);
    if (!error)
        tell((int64_t)answer.rows_len);
    for (size_t i = 0; !error && i < answer.rows_len && i < RATES; i++) {
        tell(views[i].rate.n);
        tell(views[i].scope.n);
        tell(views[i].limit);
        tell(views[i].period_ms);
        tell(views[i].burst);
        tell(views[i].mode);
        tell(views[i].taken);
        tell_instant(views[i].full_at);
        tell(views[i].ended);
        edge(w, views[i].full_at.us);
    }
    tell_events(w, engine);
}

void look_quotas(struct world *w, struct engine *engine, uint32_t scope)
{
    struct mete_answer answer;
    struct mete_quota_view views[8];
    struct mete_query query = {
        .kind = METE_QUERY_QUOTAS, .scope = {scope}, .quotas = views, .rows_max = 8};
    tell_letter('U');
    tell(scope);
    int error = ask(engine, &query, &answer);
    tell(error);
    if (!error)
        tell((int64_t)answer.rows_len);
    for (size_t i = 0; !error && i < answer.rows_len && i < 8; i++) {
        tell(views[i].scope.n);
        tell(views[i].meter);
        tell(views[i].currency);
        tell(views[i].granted);
        tell(views[i].drawn);
        tell(views[i].held);
        tell(views[i].balance);
    }
    tell_events(w, engine);
}

void look_increases(struct world *w, struct engine *engine, uint32_t budget)
{
    struct mete_answer answer;
    struct mete_increase_view views[8];
    struct mete_query query = {
        .kind = METE_QUERY_INCREASES, .budget = {budget}, .increases = views, .rows_max = 8};
    tell_letter('I');
    tell(budget);
    int error = ask(engine, &query, &answer);
    tell(error);
    if (!error)
        tell((int64_t)answer.rows_len);
    for (size_t i = 0; !error && i < answer.rows_len && i < 8; i++) {
        tell(views[i].number);
        tell(views[i].amount);
        tell(views[i].from.us);
        tell(views[i].until.us);
        tell(views[i].active);
    }
    tell_events(w, engine);
}

static void look_exchanges(struct world *w, struct engine *engine)
{
    static struct mete_exchange_view views[1024];
    struct mete_answer answer;
    struct mete_query query = {.kind = METE_QUERY_EXCHANGES, .exchanges = views, .rows_max = 1024};
    tell_letter('M');
    int error = ask(engine, &query, &answer);
    tell(error);
    if (!error)
        tell((int64_t)answer.rows_len);
    for (size_t i = 0; !error && i < answer.rows_len && i < 1024; i++) {
        tell(views[i].number);
        tell(views[i].rate.from);
        tell(views[i].rate.to);
        tell(views[i].rate.numerator);
        tell(views[i].rate.denominator);
        tell(views[i].rate.effective_at.us);
        tell(views[i].in_force);
    }
    tell_events(w, engine);
}

static int is_spent(const struct mete_grant_view *view)
{
    return view->expired || view->amount <= view->drawn;
}

/* Among the expired and empty ones no order is promised: by handle. */
static void sort_spent(struct mete_grant_view *views, size_t len)
{
    for (size_t i = 1; i < len; i++)
        for (size_t k = i; k > 0 && is_spent(&views[k]) && is_spent(&views[k - 1]) &&
                           views[k].grant.n < views[k - 1].grant.n;
             k--) {
            struct mete_grant_view view = views[k];
            views[k] = views[k - 1];
            views[k - 1] = view;
        }
}

void look_grants(struct world *w, struct engine *engine, const struct mete_grant_spec *spec)
{
    struct mete_answer answer;
    struct mete_grant_view views[64];
    struct mete_query query = {.kind = METE_QUERY_GRANTS,
                               .scope = spec->scope,
                               .meter = spec->meter,
                               .currency = spec->currency,
                               .grants = views,
                               .rows_max = 64};
    tell_letter('G');
    tell(spec->scope.n);
    tell(spec->meter);
    tell(spec->currency);
    int error = ask(engine, &query, &answer);
    tell(error);
    if (!error)
        tell((int64_t)answer.rows_len);
    sort_spent(views, error ? 0 : answer.rows_len < 64 ? answer.rows_len : 64);
    for (size_t i = 0; !error && i < answer.rows_len && i < 64; i++) {
        const struct mete_grant_view *view = &views[i];
        tell(view->grant.n);
        tell(view->scope.n);
        tell(view->amount);
        tell(view->drawn);
        tell(view->held);
        tell(view->priority);
        tell(view->expires_at.us);
        tell(view->made_at.us);
        tell(view->expired);
        for (size_t at = 0; at < w->grants_len; at++)
            if (w->grant_handles[at] == view->grant.n)
                w->grant_taken[at] = view->drawn + view->held;
    }
    tell_events(w, engine);
}

void look_reservation(struct world *w, struct engine *engine, struct mete_reservation_id id)
{
    struct mete_answer answer;
    struct mete_query query = {.kind = METE_QUERY_RESERVATION, .reservation = id};
    tell_letter('V');
    tell(name_of(w, id));
    int error = ask(engine, &query, &answer);
    const struct mete_reservation_view *view = &answer.reservation;
    tell(error);
    if (!error) {
        tell(view->state);
        tell(view->scope.n);
        tell_instant(view->made_at);
        tell_instant(view->expires_at);
        tell(view->granted);
        tell((int64_t)view->amounts_len);
        for (size_t i = 0; i < view->amounts_len; i++) {
            tell(view->amounts[i].meter);
            tell(view->amounts[i].currency);
            tell(view->amounts[i].fixed);
        }
    }
    tell_events(w, engine);
}

void act_look(struct world *w, struct engine *engine)
{
    struct mete_answer answer;
    struct mete_query query = {.kind = METE_QUERY_STATS};
    for (uint32_t handle = 1; look_budget(w, engine, handle); handle++)
        look_increases(w, engine, handle);
    for (size_t i = 0; i < w->scopes_len && features[FEATURE_RATES]; i++)
        look_rates(w, engine, w->scopes[i].handle);
    for (size_t i = 0; i < w->scopes_len && features[FEATURE_QUOTAS]; i++)
        look_quotas(w, engine, w->scopes[i].handle);
    for (size_t i = 0; i < w->grants_len; i++)
        look_grants(w, engine, &w->grants[i]);
    if (features[FEATURE_EXCHANGE])
        look_exchanges(w, engine);
    for (size_t i = 0; i < CALLS && i < w->calls_len; i++)
        look_reservation(w, engine, w->calls[i].id);
    tell_letter('Q');
    int error = ask(engine, &query, &answer);
    tell(error);
    tell((int64_t)answer.stats.reservations_open);
    tell((int64_t)answer.stats.drift);
    tell_events(w, engine);
}
