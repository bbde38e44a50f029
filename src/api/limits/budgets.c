/* SPDX-License-Identifier: Apache-2.0
 * Budgets made, changed and deleted. The figures of a reply are asked of the engine after the
 * change; only the name and when it was made come from the document.
 *
 * A change reads the document and writes it whole, so changes wait for their turn (request_turn):
 * of two that come together the second builds on the first. The limits themselves are the
 * engine's, and safe without that. */
#include "api/limits/handlers.h"
#include "api/limits/budgets.h"

#include "api/limits/budget_find.h"
#include "api/limits/budget_json.h"
#include "api/entities.h"
#include "api/units.h"
#include "base/assert.h"
#include "base/limits.h"

#include <stdio.h>

struct budget_state {
    struct budget_search search;
    struct budget_in in;
    struct scope_in scope;
    struct mete_change changes[BUDGET_ALIASES]; /* the first: of the budget it is about */
    size_t changes_len;
    struct budget_document document; /* as it will be */
    int reply_status;
};

/* ---- The reply --------------------------------------------------------------------------------
 */

static void reply_named(struct request *request)
{
    const struct budget_state *state = request->state;
    const struct budget_search *search = &state->search;
    out_clear(&request->out);
    budget_json_open(request, &search->view, budget_document_scan(search->document));
    budget_set_write(&request->out, &search->set);
    out_close(&request->out, '}');
    request_reply(request, state->reply_status);
}

static void reply_set(struct request *request)
{
    struct budget_state *state = request->state;
    budget_json_want(request, &state->search.view);
    request_load_names(request, reply_named);
}

static void reply_viewed(struct request *request)
{
    struct budget_state *state = request->state;
    if (request_missed(request, "budget"))
        return;
    state->search.view = request->answer.budget;
    budget_set_view(request, reply_set);
}

static void reply_budget(struct request *request, uint32_t handle)
{
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_BUDGET, .budget = {handle}}};
    request_ask(request, reply_viewed);
}

/* The document as the change and the reply will have it. */
static int put_document(struct request *request)
{
    struct budget_state *state = request->state;
    int rc = budget_document_write(request, &state->document, &state->search.document);
    if (!rc)
        state->changes[0].document = request_text(state->search.document);
    return rc;
}

/* ---- Creating ---------------------------------------------------------------------------------
 */

static void created(struct request *request)
{
    struct budget_state *state = request->state;
    int status = request->op.status;
    size_t failed = request->op.result.applied.failed;
    if (status == METE_E_EXISTS && failed < state->changes_len) {
        struct mete_text id = state->changes[failed].budget.id;
        request_fail(request, status, "id", "This id is taken: %.*s.", (int)id.len, id.data);
    } else if (status == METE_E_EXISTS)
        request_fail(request, status, "id", "This id is taken.");
    else if (status == METE_E_FULL)
        request_fail(request, status, "scope", "A scope has at most %d budgets.",
                     LIMIT_SCOPE_BUDGETS);
    else if (status)
        request_fail(request, status, NULL, NULL);
    else {
        request->version = request->op.result.applied.seq;
        budget_set_read(request, budget_document_scan(state->search.document), &state->search.set);
        reply_budget(request, request->handles[0]);
    }
}

/* The id of one of those that are made: the first's, or that and a suffix. */
static struct slice set_id(struct request *request, struct slice id, size_t at)
{
    const struct budget_state *state = request->state;
    const struct mete_budget_spec *spec = &state->changes[at].budget;
    const struct budget_alias *alias = budget_alias_of(spec->meter, spec->period);
    if (!at || !id.len)
        return id;
    char text[LIMIT_ID + 1];
    int len = snprintf(text, sizeof text, "%.*s%s", (int)id.len, id.data, alias->suffix);
    ASSERT(len > 0 && len <= LIMIT_ID);
    return arena_copy(&request->arena, (struct slice){text, (size_t)len});
}

/* The ids of the others, for the document of the first. */
static struct slice write_also(struct request *request, struct slice id)
{
    const struct budget_state *state = request->state;
    struct out *out = &request->out;
    if (state->changes_len < 2)
        return (struct slice){0};
    out_clear(out);
    out_open(out, '[');
    for (size_t i = 1; i < state->changes_len; i++)
        out_text(out, set_id(request, id, i));
    out_close(out, ']');
    struct slice also = arena_copy(&request->arena, buffer_slice(&out->bytes));
    out_clear(out);
    return also;
}

/* Ids, scopes and documents into the changes. */
static int name_all(struct request *request, struct slice id)
{
    struct budget_state *state = request->state;
    state->document.id = id;
    int rc = id.len ? budget_in_document(request, &state->in, &state->document)
                    : problem_set(&request->problem, METE_E_MEMORY, NULL, NULL);
    for (size_t i = state->changes_len; !rc && i-- > 0;) { /* the first last: its document stays */
        struct mete_change *change = &state->changes[i];
        state->document.id = set_id(request, id, i);
        state->document.also = i ? (struct slice){0} : write_also(request, id);
        change->budget.id = request_text(state->document.id);
        change->budget.scope = request->found;
        rc = budget_document_write(request, &state->document, &state->search.document);
        change->document = request_text(state->search.document);
    }
    return rc;
}

static void create(struct request *request)
{
    struct budget_state *state = request->state;
    if (request_missed(request, "scope.id"))
        return;
    if (state->scope.kind == METE_ORGANIZATION &&
        request->found.n != state->search.organization.n) {
        request_fail(request, METE_E_NOT_FOUND, "scope.id", "This is another organization's path.");
        return;
    }
    if (name_all(request, state->in.id.len ? state->in.id : request_make_id(request, "bud_")))
        request_problem(request);
    else
        request_apply(request, state->changes, state->changes_len, created);
}

static void find_scope(struct request *request)
{
    struct budget_state *state = request->state;
    request->found = state->search.organization;
    if (state->scope.kind == METE_KIND_NONE)
        create(request);
    else
        request_find(request, (enum mete_kind)state->scope.kind, state->scope.id, create);
}

/* Windows that name no zone are in the organization's. */
static int read_zone(struct request *request, struct records_reader *reader)
{
    struct budget_state *state = request->state;
    struct slice zone;
    (void)reader;
    int rc = organizations_zone(request, request->params[0], &zone);
    for (size_t i = 0; i < state->changes_len; i++)
        state->changes[i].budget.time_zone = request_text(zone);
    return rc;
}

static void zone_read(struct request *request)
{
    if (!request_failed(request))
        find_scope(request);
}

static void organization_found(struct request *request)
{
    struct budget_state *state = request->state;
    bool is_placed = false;
    if (request_missed(request, "org"))
        return;
    state->search.organization = request->found;
    if (state->scope.organization.len &&
        !slice_equal(state->scope.organization, request->params[0])) {
        request_fail(request, METE_E_INVALID, "scope.organization",
                     "The path names another organization.");
        return;
    }
    for (size_t i = 0; i < state->changes_len; i++) {
        enum mete_period period = state->changes[i].budget.period;
        is_placed |= period != METE_MINUTE && period != METE_TOTAL && period != METE_ROLLING;
    }
    if (is_placed && !state->in.time_zone.len)
        request_look(request, read_zone, zone_read);
    else
        find_scope(request);
}

/* The specification as far as the body gives it. */
static int specify(struct request *request, struct budget_state *state)
{
    struct budget_in *in = &state->in;
    struct mete_budget_spec *spec = &state->changes[0].budget;
    struct fields fields = {.path = "", .arena = &request->arena, .problem = &request->problem};
    struct slice unit = in->unit.len       ? in->unit
                        : in->currency.len ? in->currency
                                           : SLICE_LITERAL("USD");
    int rc = units_read(&fields, "unit", unit, &spec->meter, &spec->currency);
    if (rc)
        return rc;
    rc = budget_in_windows(request, in, spec);
    if (rc)
        return rc;
    const struct api_budget_defaults *defaults = &request->api->parts.budgets;
    spec->mode = in->mode < 0 ? defaults->mode : (enum mete_mode)in->mode;
    if (in->controls_json.type)
        rc = controls_in_mode(request, &in->controls, in->mode, &spec->mode);
    if (rc)
        return rc;
    state->document.is_quiet = defaults->is_quiet; /* unless the body says */
    spec->for_kind = (enum mete_kind)in->for_kind;
    rc = budget_in_limit(request, in, spec);
    if (!rc)
        rc = budget_in_rollover(request, in, spec);
    if (!rc)
        rc = budget_in_dates(request, in, spec);
    if (!rc)
        rc = budget_in_thresholds(request, in, spec);
    if (!rc)
        rc = matches_read(request, &in->matches, spec->matches, &spec->matches_len);
    if (!rc && in->controls_json.type)
        rc = controls_in_put(request, &in->controls, spec);
    state->document.soft_ppm = in->controls.soft_ppm;
    if (!rc && in->scope.type)
        rc = scope_in_read(request, in->scope, "scope", &state->scope);
    bool is_whole = state->scope.kind == METE_KIND_NONE || state->scope.kind == METE_ORGANIZATION;
    if (!rc && spec->for_kind && !is_whole)
        rc = fields_fault(&fields, METE_E_INVALID, "scope.kind",
                          "A budget with for_kind is of the whole organization.");
    enum { TEMPLATE_ID_MAX = LIMIT_ID - 11 }; /* ID~HANDLE */
    if (!rc && spec->for_kind && in->id.len > TEMPLATE_ID_MAX)
        rc = fields_fault(&fields, METE_E_INVALID, "id",
                          "With for_kind it has at most %d characters.", TEMPLATE_ID_MAX);
    return rc;
}

/* The others' specifications: as the first's, with a limit and windows of their own. */
static int specify_others(struct request *request, struct budget_state *state)
{
    const struct budget_in *in = &state->in;
    enum mete_period first = state->changes[0].budget.period;
    int rc = 0;
    state->changes_len = 1;
    for (size_t i = 0; !rc && i < BUDGET_ALIASES; i++) {
        if (!in->limits[i].len || budget_aliases[i].period == first)
            continue;
        struct mete_change *change = &state->changes[state->changes_len++];
        *change = state->changes[0];
        change->budget.period = budget_aliases[i].period;
        rc = budget_in_limit(request, in, &change->budget);
        if (!rc && in->controls_json.type)
            rc = controls_in_put(request, &in->controls, &change->budget);
    }
    return rc;
}

void budgets_create(struct request *request)
{
    struct budget_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    state->reply_status = 201;
    state->changes[0] = (struct mete_change){.kind = METE_PUT_BUDGET, .flags = METE_CHANGE_CREATE};
    if (budget_in_read(request, true, &state->in) || specify(request, state) ||
        specify_others(request, state)) {
        request_problem(request);
        return;
    }
    request_find_organization(request, organization_found);
}

/* ---- Changing and deleting ---------------------------------------------------------------------
 */

static void updated(struct request *request)
{
    struct budget_state *state = request->state;
    if (request_missed(request, "budget"))
        return;
    request->version = request->op.result.applied.seq;
    reply_budget(request, state->search.view.budget.n);
}

/* That is no change of what was said of the budget. */
static void lifted(struct request *request)
{
    const struct budget_state *state = request->state;
    if (request_missed(request, "budget"))
        return;
    request->version = state->search.version;
    reply_budget(request, state->search.view.budget.n);
}

void budgets_respecify(const struct mete_budget_view *view, struct mete_budget_spec *spec)
{
    *spec = (struct mete_budget_spec){.id = {view->id, strlen(view->id)},
                                      .scope = view->scope,
                                      .meter = view->meter,
                                      .currency = view->currency,
                                      .limit = view->base_limit,
                                      .period = view->period,
                                      .time_zone = {view->time_zone, strlen(view->time_zone)},
                                      .anchor = view->anchor,
                                      .window_seconds = view->window_seconds,
                                      .for_kind = view->for_kind,
                                      .matches_len = view->matches_len,
                                      .mode = view->mode,
                                      .thresholds_len = view->thresholds_len,
                                      .soft_limit = view->soft_limit,
                                      .rollover_cap = view->rollover_cap,
                                      .controls = view->controls,
                                      .starts_at = view->starts_at,
                                      .ends_at = view->ends_at};
    memcpy(spec->matches, view->matches, sizeof spec->matches);
    memcpy(spec->thresholds_ppm, view->thresholds_ppm, sizeof spec->thresholds_ppm);
}

/* All controls that are said; else those that are there, a soft limit that is a share of the limit
 * with it. */
static int merge_controls(struct request *request, struct mete_budget_spec *spec)
{
    struct budget_state *state = request->state;
    const struct budget_in *in = &state->in;
    if (in->controls_json.type) {
        state->document.soft_ppm = in->controls.soft_ppm;
        return controls_in_put(request, &in->controls, spec);
    }
    if (!spec->soft_limit)
        state->document.soft_ppm = 0;
    if (state->document.soft_ppm)
        controls_soften(spec, state->document.soft_ppm);
    return 0;
}

/* Another limit for one that was made with it; all else of that one stays. */
static int merge_other(struct request *request, struct budget_other *other)
{
    struct budget_state *state = request->state;
    struct mete_change *change = &state->changes[state->changes_len++];
    *change = (struct mete_change){.kind = METE_PUT_BUDGET,
                                   .flags = METE_CHANGE_UPDATE,
                                   .document = request_text(other->document)};
    budgets_respecify(&other->view, &change->budget);
    int64_t soft_ppm = controls_soft_ppm(budget_document_scan(other->document));
    int rc = budget_in_limit(request, &state->in, &change->budget);
    if (!rc && change->budget.soft_limit && soft_ppm)
        controls_soften(&change->budget, soft_ppm);
    return rc;
}

/* The budget's own limit into spec, and a change for each of the others whose limit is said. */
static int merge_limits(struct request *request, struct mete_budget_spec *spec)
{
    struct budget_state *state = request->state;
    const struct budget_in *in = &state->in;
    const struct budget_alias *own = budget_alias_of(spec->meter, spec->period);
    bool is_own = in->amount.len > 0;
    int rc = 0;
    for (size_t i = 0; !rc && i < BUDGET_ALIASES; i++) {
        const struct budget_alias *alias = &budget_aliases[i];
        struct budget_other *other = budget_set_find(&state->search.set, alias);
        if (!in->limits[i].len)
            continue;
        if (alias != own && other)
            rc = merge_other(request, other);
        else
            is_own = true;
    }
    return !rc && is_own ? budget_in_limit(request, in, spec) : rc;
}

/* What the body does not say stays as the engine and the document have it. */
static int merge(struct request *request)
{
    struct budget_state *state = request->state;
    const struct budget_in *in = &state->in;
    const struct mete_budget_view *view = &state->search.view;
    struct mete_budget_spec spec;
    budgets_respecify(view, &spec);
    budget_document_read(budget_document_scan(state->search.document), &state->document);
    state->document.id = slice_of(view->id);
    if (in->mode >= 0)
        spec.mode = (enum mete_mode)in->mode;
    int rc = merge_limits(request, &spec);
    if (!rc && in->controls_json.type)
        rc = controls_in_mode(request, &in->controls, in->mode, &spec.mode);
    if (!rc)
        rc = budget_in_rollover(request, in, &spec);
    if (!rc)
        rc = budget_in_dates(request, in, &spec);
    if (!rc && in->alert_thresholds.type)
        rc = budget_in_thresholds(request, in, &spec);
    if (!rc)
        rc = merge_controls(request, &spec);
    if (!rc)
        rc = budget_in_document(request, in, &state->document);
    state->changes[0] =
        (struct mete_change){.kind = METE_PUT_BUDGET, .flags = METE_CHANGE_UPDATE, .budget = spec};
    return rc ? rc : put_document(request);
}

static void update_set(struct request *request)
{
    struct budget_state *state = request->state;
    state->changes_len = 1;
    if (merge(request))
        request_problem(request);
    else
        request_apply(request, state->changes, state->changes_len, updated);
}

static void update_found(struct request *request)
{
    struct budget_state *state = request->state;
    if (request_matches(request, state->search.version))
        budget_set_view(request, update_set);
}

static void lift_found(struct request *request)
{
    struct budget_state *state = request->state;
    state->changes[0] =
        (struct mete_change){.kind = METE_LIFT_STOP, .end = state->search.view.budget};
    request_apply(request, state->changes, 1, lifted);
}

static void deleted(struct request *request)
{
    if (!request_missed(request, "budget"))
        request_reply_empty(request, 204);
}

static void delete_set(struct request *request)
{
    struct budget_state *state = request->state;
    const struct budget_set *set = &state->search.set;
    size_t len = 0;
    state->changes[len++] =
        (struct mete_change){.kind = METE_END_BUDGET, .end = state->search.view.budget};
    for (size_t i = 0; i < set->len; i++)
        if (set->others[i].is_there)
            state->changes[len++] =
                (struct mete_change){.kind = METE_END_BUDGET, .end = set->others[i].view.budget};
    request_apply(request, state->changes, len, deleted);
}

static void delete_found(struct request *request)
{
    struct budget_state *state = request->state;
    if (request_matches(request, state->search.version))
        budget_set_view(request, delete_set);
}

static void begin_update(struct request *request)
{
    budget_find_document(request, update_found);
}

static void begin_lift(struct request *request)
{
    budget_find_document(request, lift_found);
}

static void begin_delete(struct request *request)
{
    budget_find_document(request, delete_found);
}

static void show_found(struct request *request)
{
    const struct budget_state *state = request->state;
    request->version = state->search.version;
    budget_set_view(request, reply_set);
}

void budgets_show(struct request *request)
{
    static const char *const none[] = {NULL};
    struct budget_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    state->reply_status = 200;
    if (request_query_known(request, none))
        request_problem(request);
    else
        budget_find_document(request, show_found);
}

void budgets_update(struct request *request)
{
    struct budget_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    state->reply_status = 200;
    if (budget_in_read(request, false, &state->in))
        request_problem(request);
    else
        request_turn(request, begin_update);
}

void budgets_delete(struct request *request)
{
    request->state = request_take(request, sizeof(struct budget_state));
    if (request->state)
        request_turn(request, begin_delete);
}

void budgets_lift(struct request *request)
{
    struct budget_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    state->reply_status = 200;
    request_turn(request, begin_lift);
}
