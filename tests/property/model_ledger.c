/* SPDX-License-Identifier: Apache-2.0
 * Everything is a walk over lists. The largest quantity is searched for, not solved for. */
#include "property/model_budgets.h"

#include "base/limits.h"
#include "calendar/calendar.h"

#include <stdbool.h>
#include <string.h>

#define HORIZON_US ((int64_t)LIMIT_OUTCOME_S * 1000000)
#define CORRECTION_US ((int64_t)LIMIT_CORRECTION_S * 1000000)

static bool same_text(const char *a, struct mete_text b)
{
    return strlen(a) == b.len && memcmp(a, b.data, b.len) == 0;
}

static void keep_text(char *room, size_t size, struct mete_text text)
{
    ASSERT(text.len < size);
    memset(room, 0, size);
    if (text.len)
        memcpy(room, text.data, text.len);
}

/* ---- Administration -------------------------------------------------------------------------- */

static void begin(struct model *model)
{
    memset(&model->reply, 0, sizeof model->reply);
}

void model_put_scope(struct model *model, uint32_t handle, const struct mete_scope_spec *spec)
{
    begin(model);
    ASSERT(handle < MODEL_SCOPES && handle <= model->scopes_len + 1);
    if (handle > model->scopes_len)
        model->scopes_len = handle;
    model->scopes[handle] = *spec;
}

static uint32_t root_of(const struct model *model, uint32_t scope)
{
    while (model->scopes[scope].parent.n)
        scope = model->scopes[scope].parent.n;
    return scope;
}

void model_put_budget(struct model *model, int64_t now_us, uint32_t handle,
                      const struct mete_budget_spec *spec)
{
    begin(model);
    ASSERT(handle < MODEL_BUDGETS && handle <= model->budgets_len + 1);
    struct model_budget *budget = &model->budgets[handle];
    if (handle > model->budgets_len) {
        model->budgets_len = handle;
        *budget = (struct model_budget){
            .spec = *spec, .organization = root_of(model, spec->scope.n), .revision = 1};
        keep_text(budget->id, sizeof budget->id, spec->id);
        return;
    }
    const struct mete_budget_spec old = budget->spec;
    budget->spec = *spec;
    budget->revision += old.limit != spec->limit || old.mode != spec->mode;
    model_rearm(model, handle);
    const struct where here = {handle, now_us, now_us};
    if (spec->mode == METE_ENFORCE && (old.mode != METE_ENFORCE || spec->limit < old.limit) &&
        model_committed(model, handle, now_us) + model_held(model, handle, now_us) > spec->limit)
        model_budget_event(model, here, METE_EVENT_LIMIT_BELOW, 0);
    if (spec->mode != METE_OFF)
        model_fire(model, here);
}

void model_end_budget(struct model *model, uint32_t handle)
{
    begin(model);
    ASSERT(handle > 0 && handle <= model->budgets_len && !model->budgets[handle].ended);
    model->budgets[handle].ended = 1;
}

/* ---- Remembering ----------------------------------------------------------------------------- */

static const struct model_outcome *remembered(const struct model *model, size_t i, int64_t now_us)
{
    const struct model_outcome *outcome = &model->outcomes[i];
    bool is_kept = model->outcomes_len - i <= model->outcomes_max;
    return is_kept && now_us - outcome->ended_at_us < HORIZON_US ? outcome : NULL;
}

/* Nothing came of a call that was charged nothing: its request id may be used again. */
static bool gave_id_back(const struct model *model, const struct model_outcome *outcome)
{
    if (model->canary == CANARY_RELEASE || outcome->recorded || outcome->state == METE_REFUSED ||
        !(model->reservations[outcome->reservation].flags & METE_RESERVE_CALL))
        return false;
    if (outcome->gave_id_back)
        return true;
    for (size_t i = 0; i < outcome->used_len; i++)
        if (outcome->used[i].amount)
            return false;
    return true;
}

static const struct model_outcome *outcome_of_request(const struct model *model, int64_t now_us,
                                                      uint32_t scope, struct mete_text request_id)
{
    for (size_t i = model->outcomes_len; i-- > 0;) {
        const struct model_outcome *outcome = remembered(model, i, now_us);
        if (outcome && outcome->scope == scope && same_text(outcome->request_id, request_id) &&
            !gave_id_back(model, outcome))
            return outcome;
    }
    return NULL;
}

static struct model_outcome *new_outcome(struct model *model, int64_t now_us, enum mete_state state,
                                         uint32_t scope, struct mete_text request_id)
{
    ASSERT(model->outcomes_len < MODEL_THINGS);
    struct model_outcome *outcome = &model->outcomes[model->outcomes_len++];
    *outcome = (struct model_outcome){.state = state,
                                      .scope = scope,
                                      .ended_at_us = now_us,
                                      .reservation = MODEL_THINGS,
                                      .verdict = {.seq = model->seq}};
    keep_text(outcome->request_id, sizeof outcome->request_id, request_id);
    return outcome;
}

static const struct model_reservation *open_request(const struct model *model, uint32_t scope,
                                                    struct mete_text request_id)
{
    for (size_t i = 0; i < model->reservations_len; i++) {
        const struct model_reservation *at = &model->reservations[i];
        if (at->open && at->scope == scope && same_text(at->request_id, request_id))
            return at;
    }
    return NULL;
}

static bool scope_refuses(const struct model *model, uint32_t scope, int64_t now_us,
                          enum mete_reason reason)
{
    const struct mete_scope_spec *spec = &model->scopes[scope];
    bool expired = spec->expires_at.us && now_us >= spec->expires_at.us;
    return reason == METE_KEY_EXPIRED ? expired : spec->revoked && !expired;
}

static bool refusal_binds(const struct model *model, const struct model_outcome *refusal,
                          int64_t now_us)
{
    const struct mete_refusal *primary = &refusal->primary;
    if (model->canary == CANARY_REPEAT)
        return false;
    if (refusal->verdict.retry_at.us != INT64_MAX)
        return now_us < refusal->verdict.retry_at.us;
    if (primary->budget.n == 0)
        return scope_refuses(model, primary->scope.n, now_us, METE_KEY_EXPIRED) ||
               scope_refuses(model, primary->scope.n, now_us, METE_KEY_REVOKED);
    const struct model_budget *budget = &model->budgets[primary->budget.n];
    return !budget->ended && budget->revision == refusal->revision;
}

/* True: the reply is there. */
static bool repeat_reserve(struct model *model, int64_t now_us, const struct mete_reserve *args)
{
    struct model_reply *reply = &model->reply;
    const struct model_reservation *found = open_request(model, args->scope.n, args->request_id);
    const struct model_outcome *outcome =
        found ? NULL : outcome_of_request(model, now_us, args->scope.n, args->request_id);
    if (outcome && outcome->state == METE_REFUSED && !refusal_binds(model, outcome, now_us))
        return false;
    if (!found && !outcome)
        return false;
    uint64_t content = found ? found->content : outcome->content;
    if (content != args->content || (outcome && outcome->recorded)) {
        reply->rc = METE_E_CONTENT;
        return true;
    }
    if (outcome && outcome->state == METE_REFUSED) {
        reply->verdict = outcome->verdict;
        reply->refusals[0] = outcome->primary;
        reply->verdict.refusals_len = 1;
        reply->verdict.repeated = 1;
        return true;
    }
    const struct model_reservation *of = found ? found : &model->reservations[outcome->reservation];
    if (of->flags & METE_RESERVE_CALL) {
        reply->rc = found ? METE_E_IN_FLIGHT : METE_E_ENDED;
        if (outcome)
            reply->verdict.ended = outcome->receipt;
        reply->verdict.reservation.n = of->id;
        return true;
    }
    reply->verdict = of->verdict;
    reply->verdict.reservation.n = of->id;
    reply->verdict.refusals_len = 0;
    reply->verdict.repeated = 1;
    return true;
}

/* ---- Reserving ------------------------------------------------------------------------------- */

/* Budgets on the path, leaf first, then by handle. */
static size_t path_of(const struct model *model, uint32_t scope, uint32_t ret_budgets[])
{
    size_t len = 0;
    for (; scope; scope = model->scopes[scope].parent.n)
        for (uint32_t b = 1; b <= model->budgets_len; b++)
            if (model->budgets[b].spec.scope.n == scope && !model->budgets[b].ended &&
                model->budgets[b].spec.mode != METE_OFF)
                ret_budgets[len++] = b;
    return len;
}

static const struct mete_demand *demand_of(const struct mete_reserve *args,
                                           const struct mete_budget_spec *spec)
{
    for (size_t i = 0; i < args->demands_len; i++)
        if (args->demands[i].meter == spec->meter && args->demands[i].currency == spec->currency)
            return &args->demands[i];
    return NULL;
}

static int128 amount_at(const struct mete_demand *demand, int64_t quantity)
{
    int128 product = (int128)demand->per_million * quantity;
    return demand->fixed + product / 1000000 + (product % 1000000 != 0);
}

static bool fits(const struct model *model, uint32_t budget, int64_t now_us, int128 amount)
{
    int64_t limit = model->budgets[budget].spec.limit;
    if (limit == 0)
        return false;
    return model_committed(model, budget, now_us) + model_held(model, budget, now_us) + amount <=
           limit + (model->canary == CANARY_LIMIT ? 1 : 0);
}

/* Whether this quantity fits every enforced budget, and every amount its number. */
static bool all_fit(const struct model *model, int64_t now_us, const struct mete_reserve *args,
                    int64_t quantity)
{
    uint32_t path[MODEL_BUDGETS];
    size_t len = path_of(model, args->scope.n, path);
    for (size_t i = 0; i < args->demands_len; i++)
        if (amount_at(&args->demands[i], quantity) > METE_AMOUNT_MAX)
            return false;
    for (size_t i = 0; i < len; i++) {
        const struct mete_budget_spec *spec = &model->budgets[path[i]].spec;
        const struct mete_demand *demand = demand_of(args, spec);
        if (spec->mode == METE_ENFORCE && demand &&
            !fits(model, path[i], now_us, amount_at(demand, quantity)))
            return false;
    }
    return true;
}

static int64_t largest(const struct model *model, int64_t now_us, const struct mete_reserve *args)
{
    int64_t low = args->floor, high = args->wish;
    while (low < high) {
        int64_t middle = low + (high - low) / 2 + (high - low) % 2;
        if (all_fit(model, now_us, args, middle))
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static void refuse(struct model *model, const struct mete_refusal *refusal, int64_t retry_at_us)
{
    struct mete_verdict *verdict = &model->reply.verdict;
    model->reply.refusals[verdict->refusals_len++] = *refusal;
    if (refusal->shadow)
        return;
    verdict->allowed = 0;
    if (retry_at_us > verdict->retry_at.us)
        verdict->retry_at.us = retry_at_us;
}

static void refuse_for_scopes(struct model *model, int64_t now_us, uint32_t leaf)
{
    const enum mete_reason reasons[] = {METE_KEY_EXPIRED, METE_KEY_REVOKED};
    for (int r = 0; r < 2; r++)
        for (uint32_t scope = leaf; scope; scope = model->scopes[scope].parent.n)
            if (scope_refuses(model, scope, now_us, reasons[r]))
                refuse(model,
                       &(struct mete_refusal){
                           .reason = reasons[r], .scope = {scope}, .resets_at = {INT64_MAX}},
                       INT64_MAX);
}

static void refuse_for_budgets(struct model *model, int64_t now_us, const struct mete_reserve *args,
                               enum mete_mode mode)
{
    uint32_t path[MODEL_BUDGETS];
    size_t len = path_of(model, args->scope.n, path);
    for (size_t i = 0; i < len; i++) {
        const struct mete_budget_spec *spec = &model->budgets[path[i]].spec;
        const struct mete_demand *demand = demand_of(args, spec);
        if (spec->mode != mode || !demand)
            continue;
        int128 asked = amount_at(demand, args->floor);
        if (fits(model, path[i], now_us, asked))
            continue;
        int128 committed = model_committed(model, path[i], now_us);
        int64_t end_us = model_window(model, path[i], now_us).end_us, retry_at_us = end_us;
        if (spec->limit == 0 || asked > spec->limit)
            retry_at_us = INT64_MAX;
        else if (committed + asked <= spec->limit)
            retry_at_us = 0;
        refuse(model,
               &(struct mete_refusal){.reason = METE_HARD_LIMIT,
                                      .scope = spec->scope,
                                      .budget = {path[i]},
                                      .meter = spec->meter,
                                      .shadow = mode == METE_SHADOW,
                                      .currency = spec->currency,
                                      .limit = spec->limit,
                                      .committed = (int64_t)committed,
                                      .held = (int64_t)model_held(model, path[i], now_us),
                                      .asked = (int64_t)asked,
                                      .resets_at = {end_us}},
               retry_at_us);
    }
}

static void tell_remaining(struct model *model, int64_t now_us, const struct mete_reserve *args,
                           int64_t taken)
{
    uint32_t path[MODEL_BUDGETS];
    size_t len = path_of(model, args->scope.n, path);
    struct mete_verdict *verdict = &model->reply.verdict;
    for (size_t i = 0; i < len; i++) {
        const struct mete_budget_spec *spec = &model->budgets[path[i]].spec;
        if (spec->mode != METE_ENFORCE || demand_of(args, spec) != &args->demands[0])
            continue;
        int64_t left = (int64_t)(spec->limit - model_committed(model, path[i], now_us) -
                                 model_held(model, path[i], now_us) - taken);
        if (verdict->has_remaining && left >= verdict->remaining)
            continue;
        verdict->has_remaining = 1;
        verdict->remaining = left;
        verdict->remaining_of.n = path[i];
    }
}

/* A shadow budget refuses nothing, but its figures must stay numbers. */
static bool is_too_large(const struct model *model, int64_t now_us, const struct mete_reserve *args)
{
    uint32_t path[MODEL_BUDGETS];
    size_t len = path_of(model, args->scope.n, path);
    for (size_t i = 0; i < len; i++) {
        const struct mete_demand *demand = demand_of(args, &model->budgets[path[i]].spec);
        if (demand && model->budgets[path[i]].spec.mode == METE_SHADOW &&
            model_committed(model, path[i], now_us) + model_held(model, path[i], now_us) +
                    amount_at(demand, model->reply.verdict.granted) >
                INT64_MAX)
            return true;
    }
    return false;
}

static void weigh(struct model *model, int64_t now_us, const struct mete_reserve *args, bool takes)
{
    struct mete_verdict *verdict = &model->reply.verdict;
    verdict->allowed = 1;
    refuse_for_scopes(model, now_us, args->scope.n);
    refuse_for_budgets(model, now_us, args, METE_ENFORCE);
    refuse_for_budgets(model, now_us, args, METE_SHADOW);
    if (verdict->allowed) {
        verdict->granted = largest(model, now_us, args);
        if (is_too_large(model, now_us, args))
            model->reply.rc = METE_E_TOO_LARGE;
    }
    bool taken = verdict->allowed && takes;
    tell_remaining(model, now_us, args,
                   taken ? (int64_t)amount_at(&args->demands[0], verdict->granted) : 0);
}

void model_check(struct model *model, int64_t now_us, const struct mete_reserve *args)
{
    begin(model);
    weigh(model, now_us, args, false);
}

static void take(struct model *model, int64_t now_us, const struct mete_reserve *args)
{
    ASSERT(model->reservations_len < MODEL_THINGS);
    struct model_reservation *made = &model->reservations[model->reservations_len++];
    struct mete_verdict *verdict = &model->reply.verdict;
    verdict->expires_at.us = now_us + args->ttl_ms * 1000;
    verdict->seq = model->seq;
    *made = (struct model_reservation){.scope = args->scope.n,
                                       .content = args->content,
                                       .flags = args->flags,
                                       .on_expiry = args->on_expiry,
                                       .made_at_us = now_us,
                                       .verdict = *verdict,
                                       .amounts_len = args->demands_len,
                                       .open = 1};
    keep_text(made->request_id, sizeof made->request_id, args->request_id);
    for (size_t i = 0; i < args->demands_len; i++)
        made->amounts[i] =
            (struct mete_usage){args->demands[i].meter, args->demands[i].currency,
                                (int64_t)amount_at(&args->demands[i], verdict->granted)};
    made->takes_len = path_of(model, args->scope.n, made->takes);
    if (model->canary == CANARY_PARTIAL && made->takes_len > 1)
        made->takes_len = 1;
}

void model_reserve(struct model *model, int64_t now_us, const struct mete_reserve *args)
{
    begin(model);
    if (args->request_id.len && repeat_reserve(model, now_us, args))
        return;
    weigh(model, now_us, args, true);
    struct mete_verdict *verdict = &model->reply.verdict;
    if (model->reply.rc)
        return;
    if (verdict->allowed && model_open(model) == model->reservations_max) {
        model->reply.rc = METE_E_FULL;
        return;
    }
    if (verdict->allowed) {
        take(model, now_us, args);
        return;
    }
    if (!args->request_id.len || args->flags & METE_RESERVE_CALL || verdict->retry_at.us == 0)
        return;
    verdict->seq = model->seq;
    struct model_outcome *outcome =
        new_outcome(model, now_us, METE_REFUSED, args->scope.n, args->request_id);
    outcome->content = args->content;
    outcome->verdict.retry_at = verdict->retry_at;
    outcome->primary = model->reply.refusals[0];
    if (outcome->primary.budget.n)
        outcome->revision = model->budgets[outcome->primary.budget.n].revision;
}

/* ---- Ending ---------------------------------------------------------------------------------- */

static struct model_reservation *find_open(struct model *model, uint64_t id)
{
    for (size_t i = 0; i < model->reservations_len; i++)
        if (model->reservations[i].open && model->reservations[i].id == id)
            return &model->reservations[i];
    return NULL;
}

static int64_t amount_of(const struct mete_usage *usage)
{
    return usage ? usage->amount : 0;
}

static bool has_usage(const struct mete_usage *a, size_t a_len, const struct mete_usage *b,
                      size_t b_len)
{
    for (size_t i = 0; i < a_len; i++) {
        const struct mete_budget_spec unit = {.meter = a[i].meter, .currency = a[i].currency};
        if (a[i].amount != amount_of(model_usage(b, b_len, &unit)))
            return false;
    }
    return true;
}

static bool used_same(const struct model_outcome *outcome, const struct mete_usage *used,
                      size_t len)
{
    return has_usage(used, len, outcome->used, outcome->used_len) &&
           has_usage(outcome->used, outcome->used_len, used, len);
}

struct end {
    enum mete_state state;
    const struct mete_usage *used;
    size_t used_len;
    bool is_provisional;
};

static int64_t cost_of(const struct end *end)
{
    for (size_t i = 0; i < end->used_len; i++)
        if (end->used[i].meter == METE_COST)
            return end->used[i].amount;
    return 0;
}

static void not_open(struct model *model, int64_t now_us, uint64_t id, const struct end *end)
{
    model->reply.rc = METE_E_NOT_FOUND;
    for (size_t i = 0; i < model->outcomes_len; i++) {
        const struct model_outcome *outcome = remembered(model, i, now_us);
        if (!outcome || outcome->reservation == MODEL_THINGS ||
            model->reservations[outcome->reservation].id != id)
            continue;
        bool was = outcome->state == end->state ||
                   (outcome->receipt.corrected && end->state == METE_COMMITTED);
        bool same = was && used_same(outcome, end->used, end->used_len);
        model->reply.rc = same ? 0 : METE_E_ENDED;
        model->reply.receipt = outcome->receipt;
        model->reply.receipt.repeated = same;
    }
}

static void add_charge(struct model *model, uint32_t budget, int64_t made_at_us, int64_t amount)
{
    ASSERT(model->charges_len < MODEL_THINGS * 8);
    model->charges[model->charges_len++] = (struct model_charge){budget, made_at_us, amount};
}

/* Charges one budget, now, in the window of made_at. Returns whether it was overrun. */
static bool charge(struct model *model, struct where where, const struct mete_usage *reserved,
                   int64_t amount)
{
    const struct mete_budget_spec *spec = model_spec(model, where.budget);
    add_charge(model, where.budget, model->canary == CANARY_WINDOW ? where.now_us : where.at_us,
               amount);
    int128 stands = model_committed(model, where.budget, where.at_us) +
                    model_held(model, where.budget, where.at_us);
    bool overrun = reserved ? amount > reserved->amount
                            : amount > 0 && spec->mode == METE_ENFORCE && stands > spec->limit;
    if (overrun)
        model_budget_event(model, where, METE_EVENT_OVERRUN, 0);
    model_fire(model, where);
    return overrun;
}

static bool end_fits(const struct model *model, const struct model_reservation *reservation,
                     const struct end *end)
{
    for (size_t i = 0; i < reservation->takes_len; i++) {
        uint32_t b = reservation->takes[i];
        const struct mete_budget_spec *spec = &model->budgets[b].spec;
        int64_t held = amount_of(model_usage(reservation->amounts, reservation->amounts_len, spec));
        if (model_committed(model, b, reservation->made_at_us) +
                model_held(model, b, reservation->made_at_us) - held +
                amount_of(model_usage(end->used, end->used_len, spec)) >
            INT64_MAX)
            return false;
    }
    return true;
}

static void end_open(struct model *model, int64_t now_us, struct model_reservation *reservation,
                     const struct end *end)
{
    if (!end_fits(model, reservation, end)) {
        model->reply.rc = METE_E_TOO_LARGE;
        return;
    }
    bool overrun = false;
    for (size_t i = 0; i < reservation->amounts_len; i++) {
        const struct mete_usage *held = &reservation->amounts[i];
        const struct mete_budget_spec unit = {.meter = held->meter, .currency = held->currency};
        overrun |= amount_of(model_usage(end->used, end->used_len, &unit)) > held->amount;
    }
    if (end->state == METE_EXPIRED)
        model_event(model, METE_EVENT_EXPIRED, now_us)->scope.n = reservation->scope;
    for (size_t i = 0; i < reservation->takes_len; i++) {
        uint32_t b = reservation->takes[i];
        const struct mete_budget_spec *spec = &model->budgets[b].spec;
        const struct mete_usage *reserved =
            model_usage(reservation->amounts, reservation->amounts_len, spec);
        /* Its amounts return budget by budget, as events tell what stands then. */
        reservation->takes[i] = 0;
        overrun |= charge(model, (struct where){b, now_us, reservation->made_at_us}, reserved,
                          amount_of(model_usage(end->used, end->used_len, spec)));
        reservation->takes[i] = b;
    }
    reservation->open = 0;
    reservation->ended_at_us = now_us;
    reservation->ended_as = end->state;
    reservation->closed = end->is_provisional;
    reservation->closed_at = model->closed_len;
    model->closed_len += end->is_provisional;
    reservation->charged_len = end->used_len;
    for (size_t i = 0; i < end->used_len; i++)
        reservation->charged[i] = end->used[i];
    struct model_outcome *outcome =
        new_outcome(model, now_us, end->state, reservation->scope,
                    (struct mete_text){reservation->request_id, strlen(reservation->request_id)});
    outcome->content = reservation->content;
    outcome->reservation = (size_t)(reservation - model->reservations);
    for (size_t i = 0; i < end->used_len; i++)
        outcome->used[outcome->used_len++] = end->used[i];
    outcome->receipt = (struct mete_receipt){
        .state = end->state, .cost = cost_of(end), .overrun = overrun, .record = model->seq};
    model->reply.receipt = outcome->receipt;
    outcome->receipt.repeated = 1;
}

/* ---- Correcting ------------------------------------------------------------------------------ */

static struct model_reservation *find_closed(struct model *model, int64_t now_us, uint64_t id)
{
    size_t most = (model->reservations_max + 3) / 4;
    for (size_t i = 0; i < model->reservations_len; i++) {
        struct model_reservation *at = &model->reservations[i];
        if (at->closed && at->id == id && now_us - at->ended_at_us < CORRECTION_US &&
            model->closed_len - at->closed_at <= most)
            return at;
    }
    return NULL;
}

static struct model_outcome *outcome_to_correct(struct model *model, int64_t now_us,
                                                const struct model_reservation *reservation)
{
    size_t index = (size_t)(reservation - model->reservations);
    for (size_t i = 0; i < model->outcomes_len; i++)
        if (model->outcomes[i].reservation == index && remembered(model, i, now_us))
            return &model->outcomes[i];
    struct model_outcome *outcome = new_outcome(model, now_us, model->reply.receipt.state,
                                                reservation->scope, (struct mete_text){0});
    outcome->reservation = index;
    return outcome;
}

static int64_t difference(const struct model *model, const struct model_reservation *reservation,
                          uint32_t budget, const struct end *end)
{
    const struct mete_budget_spec *spec = &model->budgets[budget].spec;
    return amount_of(model_usage(end->used, end->used_len, spec)) -
           amount_of(model_usage(reservation->charged, reservation->charged_len, spec));
}

static bool correction_fits(const struct model *model, const struct model_reservation *reservation,
                            const struct end *end)
{
    for (size_t i = 0; i < reservation->takes_len; i++) {
        uint32_t b = reservation->takes[i];
        if (!model->budgets[b].ended && model_committed(model, b, reservation->made_at_us) +
                                                model_held(model, b, reservation->made_at_us) +
                                                difference(model, reservation, b, end) >
                                            INT64_MAX)
            return false;
    }
    return true;
}

static bool correct_one(struct model *model, struct where where, int64_t by)
{
    const struct mete_budget_spec *spec = model_spec(model, where.budget);
    add_charge(model, where.budget, where.at_us, by);
    bool overrun = by > 0 && spec->mode == METE_ENFORCE &&
                   model_committed(model, where.budget, where.at_us) +
                           model_held(model, where.budget, where.at_us) >
                       spec->limit;
    if (overrun)
        model_budget_event(model, where, METE_EVENT_OVERRUN, 0);
    model_fire(model, where);
    return overrun;
}

static void correct(struct model *model, int64_t now_us, struct model_reservation *reservation,
                    const struct end *end)
{
    struct model_reply *reply = &model->reply;
    if (!correction_fits(model, reservation, end)) {
        reply->rc = METE_E_TOO_LARGE;
        return;
    }
    reply->before_len = reservation->charged_len;
    for (size_t i = 0; i < reservation->charged_len; i++)
        reply->before[i] = reservation->charged[i];
    model_event(model, METE_EVENT_CORRECTED, now_us)->scope.n = reservation->scope;
    bool overrun = false;
    for (size_t i = 0; i < reservation->takes_len; i++) {
        uint32_t b = reservation->takes[i];
        if (!model->budgets[b].ended)
            overrun |= correct_one(model, (struct where){b, now_us, reservation->made_at_us},
                                   difference(model, reservation, b, end));
    }
    reservation->closed = 0;
    reply->receipt = (struct mete_receipt){.state = reservation->ended_as,
                                           .cost = cost_of(end),
                                           .overrun = overrun,
                                           .corrected = 1,
                                           .record = model->seq};
    struct model_outcome *outcome = outcome_to_correct(model, now_us, reservation);
    outcome->gave_id_back = gave_id_back(model, outcome);
    outcome->receipt = reply->receipt;
    outcome->receipt.repeated = 1;
    outcome->used_len = end->used_len;
    for (size_t i = 0; i < end->used_len; i++)
        outcome->used[i] = end->used[i];
}

static void end_by_id(struct model *model, int64_t now_us, uint64_t id, const struct end *end)
{
    begin(model);
    struct model_reservation *reservation = find_open(model, id);
    struct model_reservation *closed = find_closed(model, now_us, id);
    if (reservation)
        end_open(model, now_us, reservation, end);
    else if (closed && end->state == METE_COMMITTED && !end->is_provisional)
        correct(model, now_us, closed, end);
    else
        not_open(model, now_us, id, end);
}

void model_commit(struct model *model, int64_t now_us, const struct mete_commit *args)
{
    end_by_id(model, now_us, args->reservation.n,
              &(struct end){METE_COMMITTED, args->usage, args->usage_len,
                            (args->outcome.flags & METE_OUTCOME_PROVISIONAL) != 0});
}

void model_release(struct model *model, int64_t now_us, uint64_t id)
{
    end_by_id(model, now_us, id, &(struct end){METE_RELEASED, NULL, 0, false});
}

int64_t model_next_expiry(const struct model *model)
{
    int64_t first_us = INT64_MAX;
    for (size_t i = 0; i < model->reservations_len; i++) {
        const struct model_reservation *at = &model->reservations[i];
        if (at->open && !(at->flags & METE_RESERVE_CALL))
            first_us = min_i64(first_us, at->verdict.expires_at.us);
    }
    return first_us;
}

void model_expire(struct model *model, int64_t now_us, uint64_t id, int is_orphan)
{
    begin(model);
    struct model_reservation *reservation = find_open(model, id);
    bool is_call = reservation && reservation->flags & METE_RESERVE_CALL;
    if (!reservation || is_call != (is_orphan != 0) ||
        (!is_call && (reservation->verdict.expires_at.us != model_next_expiry(model) ||
                      reservation->verdict.expires_at.us > now_us))) {
        model->reply.rc = METE_E_NOT_FOUND;
        return;
    }
    bool charges = is_call || reservation->on_expiry == METE_EXPIRY_CHARGE;
    end_open(model, now_us, reservation,
             &(struct end){METE_EXPIRED, reservation->amounts,
                           charges ? reservation->amounts_len : 0, true});
}

/* ---- Recording ------------------------------------------------------------------------------- */

static bool repeat_record(struct model *model, int64_t now_us, const struct mete_record *args)
{
    if (open_request(model, args->scope.n, args->request_id)) {
        model->reply.rc = METE_E_CONTENT;
        return true;
    }
    const struct model_outcome *outcome =
        outcome_of_request(model, now_us, args->scope.n, args->request_id);
    if (!outcome || outcome->state == METE_REFUSED)
        return false;
    bool same = outcome->recorded && outcome->content == args->content &&
                used_same(outcome, args->usage, args->usage_len);
    model->reply.rc = same ? 0 : METE_E_CONTENT;
    model->reply.receipt = outcome->receipt;
    return true;
}

void model_record(struct model *model, int64_t now_us, const struct mete_record *args)
{
    begin(model);
    if (args->request_id.len && repeat_record(model, now_us, args))
        return;
    uint32_t path[MODEL_BUDGETS];
    size_t len = path_of(model, args->scope.n, path);
    const struct end end = {METE_COMMITTED, args->usage, args->usage_len, false};
    bool overrun = false;
    for (size_t i = 0; i < len; i++)
        if (model_committed(model, path[i], now_us) + model_held(model, path[i], now_us) +
                amount_of(model_usage(end.used, end.used_len, model_spec(model, path[i]))) >
            INT64_MAX) {
            model->reply.rc = METE_E_TOO_LARGE;
            return;
        }
    for (size_t i = 0; i < len; i++)
        overrun |=
            charge(model, (struct where){path[i], now_us, now_us}, NULL,
                   amount_of(model_usage(end.used, end.used_len, model_spec(model, path[i]))));
    model->reply.receipt = (struct mete_receipt){
        .state = METE_COMMITTED, .cost = cost_of(&end), .overrun = overrun, .record = model->seq};
    if (!args->request_id.len)
        return;
    struct model_outcome *outcome =
        new_outcome(model, now_us, METE_COMMITTED, args->scope.n, args->request_id);
    outcome->recorded = 1;
    outcome->content = args->content;
    outcome->receipt = model->reply.receipt;
    outcome->receipt.repeated = 1;
    for (size_t i = 0; i < args->usage_len; i++)
        outcome->used[outcome->used_len++] = args->usage[i];
}
