/* SPDX-License-Identifier: Apache-2.0
 * Budgets made, changed and deleted. The figures of a reply are asked of the engine after the
 * change; only the name and when it was made come from the document.
 *
 * A change reads the document and writes it whole, so changes wait for their turn (request_turn):
 * of two that come together the second builds on the first. The limits themselves are the
 * engine's, and safe without that. */
#include "api/limits/handlers.h"
#include "api/limits/budgets.h"

#include "api/limits/budget_json.h"
#include "api/entities.h"
#include "api/units.h"
#include "base/assert.h"
#include "base/limits.h"

struct budget_state {
    struct budget_in in;
    struct scope_in scope;
    struct mete_scope_id organization;
    struct mete_change change;
    struct mete_budget_view view;
    struct mete_budget_view *own; /* of a path without an id */
    struct slice document;
    int64_t soft_ppm; /* the soft limit, if it was said as a share of the limit */
    int reply_status;
    enum { BUDGET_UPDATE, BUDGET_DELETE, BUDGET_LIFT } act;
};

/* ---- The reply --------------------------------------------------------------------------------
 */

/* Of a budget; JSON_NONE where there is none. */
static struct json read_json(struct slice document)
{
    struct json json = {0};
    if (document.len && json_scan(document, &json, NULL))
        json = (struct json){0};
    return json;
}

static void reply_named(struct request *request)
{
    const struct budget_state *state = request->state;
    out_clear(&request->out);
    budget_json_write(request, &state->view, read_json(state->document));
    request_reply(request, state->reply_status);
}

static void reply_viewed(struct request *request)
{
    struct budget_state *state = request->state;
    if (request_missed(request, "budget"))
        return;
    state->view = request->answer.budget;
    budget_json_want(request, &state->view);
    request_load_names(request, reply_named);
}

static void reply_budget(struct request *request, uint32_t handle)
{
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_BUDGET, .budget = {handle}}};
    request_ask(request, reply_viewed);
}

/* {"id","name","soft_threshold","created_at"}; both of the JSON texts may be empty. */
static int write_document(struct request *request, struct slice id, struct slice name_json,
                          struct slice created_json)
{
    struct out *out = &request->out;
    out_clear(out);
    out_open(out, '{');
    out_member_text(out, "id", id);
    if (name_json.len) {
        out_key(out, "name");
        out_raw(out, name_json);
    }
    struct budget_state *state = request->state;
    controls_write_soft_ppm(out, state->soft_ppm);
    if (created_json.len) {
        out_key(out, "created_at");
        out_raw(out, created_json);
    } else {
        out_member_instant(out, "created_at", mete_now(request->api->parts.mete).us);
    }
    out_close(out, '}');
    state->document = arena_copy(&request->arena, buffer_slice(&out->bytes));
    if (out->failed || !state->document.data)
        return problem_set(&request->problem, METE_E_MEMORY, NULL, NULL);
    state->change.document = request_text(state->document);
    return 0;
}

static struct slice quoted(struct request *request, struct slice text)
{
    if (!text.len)
        return (struct slice){0};
    out_clear(&request->out);
    out_text(&request->out, text);
    return arena_copy(&request->arena, buffer_slice(&request->out.bytes));
}

/* ---- Creating ---------------------------------------------------------------------------------
 */

static void created(struct request *request)
{
    int status = request->op.status;
    if (status == METE_E_EXISTS)
        request_fail(request, status, "id", "This id is taken.");
    else if (status == METE_E_FULL)
        request_fail(request, status, "scope", "A scope has at most %d budgets.",
                     LIMIT_SCOPE_BUDGETS);
    else if (status)
        request_fail(request, status, NULL, NULL);
    else
        reply_budget(request, request->handles[0]);
}

static void create(struct request *request)
{
    struct budget_state *state = request->state;
    if (request_missed(request, "scope.id"))
        return;
    if (state->scope.kind == METE_ORGANIZATION && request->found.n != state->organization.n) {
        request_fail(request, METE_E_NOT_FOUND, "scope.id", "This is another organization's path.");
        return;
    }
    state->change.budget.scope = request->found;
    struct slice id = state->in.id.len ? state->in.id : request_make_id(request, "bud_");
    state->change.budget.id = request_text(id);
    if (!id.len ||
        write_document(request, id, quoted(request, state->in.name), (struct slice){0})) {
        request_fail(request, METE_E_MEMORY, NULL, NULL);
        return;
    }
    request_apply(request, &state->change, 1, created);
}

static void find_scope(struct request *request)
{
    struct budget_state *state = request->state;
    request->found = state->organization;
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
    state->change.budget.time_zone = request_text(zone);
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
    const struct mete_budget_spec *spec = &state->change.budget;
    if (request_missed(request, "org"))
        return;
    state->organization = request->found;
    if (state->scope.organization.len &&
        !slice_equal(state->scope.organization, request->params[0])) {
        request_fail(request, METE_E_INVALID, "scope.organization",
                     "The path names another organization.");
        return;
    }
    bool is_placed =
        spec->period != METE_MINUTE && spec->period != METE_TOTAL && spec->period != METE_ROLLING;
    if (is_placed && !state->in.time_zone.len)
        request_work(request, read_zone, zone_read);
    else
        find_scope(request);
}

/* The specification as far as the body gives it. */
static int specify(struct request *request, struct budget_state *state)
{
    struct budget_in *in = &state->in;
    struct mete_budget_spec *spec = &state->change.budget;
    struct fields fields = {.path = "", .arena = &request->arena, .problem = &request->problem};
    struct slice unit = in->unit.len ? in->unit : SLICE_LITERAL("USD");
    int rc = units_read(&fields, "unit", unit, &spec->meter, &spec->currency);
    if (rc)
        return rc;
    rc = budget_in_windows(request, in, spec);
    if (rc)
        return rc;
    spec->mode = in->mode < 0 ? METE_ENFORCE : (enum mete_mode)in->mode;
    spec->for_kind = (enum mete_kind)in->for_kind;
    rc = budget_in_limit(request, in, spec);
    if (!rc)
        rc = budget_in_rollover(request, in, spec);
    if (!rc)
        rc = budget_in_thresholds(request, in, spec);
    if (!rc)
        rc = matches_read(request, &in->matches, spec->matches, &spec->matches_len);
    if (!rc && in->controls_json.type)
        rc = controls_in_put(request, &in->controls, spec);
    state->soft_ppm = in->controls.soft_ppm;
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

void budgets_create(struct request *request)
{
    struct budget_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    state->reply_status = 201;
    state->change = (struct mete_change){.kind = METE_PUT_BUDGET, .flags = METE_CHANGE_CREATE};
    if (budget_in_read(request, true, &state->in) || specify(request, state)) {
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
    reply_budget(request, state->view.budget.n);
}

/* The budget as it is, to be changed here and there. */
static void respecify(const struct mete_budget_view *view, struct mete_budget_spec *spec)
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
                                      .controls = view->controls};
    memcpy(spec->matches, view->matches, sizeof spec->matches);
    memcpy(spec->thresholds_ppm, view->thresholds_ppm, sizeof spec->thresholds_ppm);
}

/* All controls that are said; else those that are there, a soft limit that is a share of the limit
 * with it. */
static int merge_controls(struct request *request, struct json document,
                          struct mete_budget_spec *spec)
{
    struct budget_state *state = request->state;
    const struct budget_in *in = &state->in;
    if (in->controls_json.type) {
        state->soft_ppm = in->controls.soft_ppm;
        return controls_in_put(request, &in->controls, spec);
    }
    state->soft_ppm = spec->soft_limit ? controls_soft_ppm(document) : 0;
    if (state->soft_ppm)
        controls_soften(spec, state->soft_ppm);
    return 0;
}

/* What the body does not say stays as the engine and the document have it. */
static int merge(struct request *request)
{
    struct budget_state *state = request->state;
    const struct budget_in *in = &state->in;
    const struct mete_budget_view *view = &state->view;
    struct json document = read_json(state->document);
    struct mete_budget_spec spec;
    respecify(view, &spec);
    if (in->mode >= 0)
        spec.mode = (enum mete_mode)in->mode;
    int rc = 0;
    if (in->amount.len || in->monthly_limit.len)
        rc = budget_in_limit(request, in, &spec);
    if (!rc)
        rc = budget_in_rollover(request, in, &spec);
    if (!rc && in->alert_thresholds.type)
        rc = budget_in_thresholds(request, in, &spec);
    if (!rc)
        rc = merge_controls(request, document, &spec);
    if (rc)
        return rc;
    state->change =
        (struct mete_change){.kind = METE_PUT_BUDGET, .flags = METE_CHANGE_UPDATE, .budget = spec};
    struct json name = json_member(document, "name"), made = json_member(document, "created_at");
    struct slice name_json = in->name.len               ? quoted(request, in->name)
                             : name.type == JSON_STRING ? name.raw
                                                        : (struct slice){0};
    struct slice made_json = made.type == JSON_STRING ? made.raw : (struct slice){0};
    return write_document(request, slice_of(view->id), name_json, made_json);
}

static void update_read(struct request *request)
{
    struct budget_state *state = request->state;
    if (request->work_status && request->work_status != METE_E_NOT_FOUND) {
        request_fail(request, request->work_status, NULL, NULL);
        return;
    }
    if (state->act == BUDGET_LIFT) {
        state->change = (struct mete_change){.kind = METE_LIFT_STOP, .end = state->view.budget};
        request_apply(request, &state->change, 1, updated);
        return;
    }
    if (merge(request))
        request_problem(request);
    else
        request_apply(request, &state->change, 1, updated);
}

static int keep_document(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    struct budget_state *state = request->state;
    return budgets_document(request, entity, &state->document);
}

static int read_document(struct request *request, struct records_reader *reader)
{
    struct budget_state *state = request->state;
    return directory_find(reader, RECORDS_BUDGET, state->view.organization,
                          slice_of(state->view.id), keep_document, request);
}

static void deleted(struct request *request)
{
    if (!request_missed(request, "budget"))
        request_reply_empty(request, 204);
}

static void change_found(struct request *request)
{
    struct budget_state *state = request->state;
    if (state->act != BUDGET_DELETE) {
        request_work(request, read_document, update_read);
        return;
    }
    state->change = (struct mete_change){.kind = METE_END_BUDGET, .end = state->view.budget};
    request_apply(request, &state->change, 1, deleted);
}

static void one_found(struct request *request)
{
    struct budget_state *state = request->state;
    if (request_missed(request, "budget"))
        return;
    state->view = request->answer.budget;
    if (state->view.ended) {
        request_fail(request, METE_E_NOT_FOUND, "budget", "It has been deleted.");
        return;
    }
    change_found(request);
}

static void own_found(struct request *request)
{
    struct budget_state *state = request->state;
    if (request_missed(request, "org"))
        return;
    size_t found = 0;
    for (size_t i = 0; i < request->answer.budgets_len && i < METE_REFUSALS_MAX; i++) {
        if (state->own[i].ended || state->own[i].scope.n != state->organization.n)
            continue;
        state->view = state->own[i];
        found++;
    }
    if (found == 0)
        request_fail(request, METE_E_NOT_FOUND, "org", "The organization itself has no budget.");
    else if (found > 1)
        request_fail(request, METE_E_EXISTS, "budget",
                     "The organization has %zu budgets: name one in the path.", found);
    else
        change_found(request);
}

static void find_budget(struct request *request)
{
    struct budget_state *state = request->state;
    if (request_missed(request, "org"))
        return;
    state->organization = request->found;
    if (request->params[1].len) {
        request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                       .args.query = {.kind = METE_QUERY_FIND_BUDGET,
                                                      .id = request_text(request->params[1]),
                                                      .organization = request->found}};
        request_ask(request, one_found);
        return;
    }
    state->own = request_take(request, METE_REFUSALS_MAX * sizeof *state->own);
    if (!state->own)
        return;
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_PATH,
                                                  .scope = request->found,
                                                  .budgets = state->own,
                                                  .budgets_max = METE_REFUSALS_MAX}};
    request_ask(request, own_found);
}

static void change_begin(struct request *request)
{
    if (request->params[1].len && !fields_is_id(request->params[1]))
        request_fail(request, METE_E_NOT_FOUND, "budget", "Nothing here has this id.");
    else
        request_find_organization(request, find_budget);
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
        request_turn(request, change_begin);
}

void budgets_delete(struct request *request)
{
    struct budget_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    state->act = BUDGET_DELETE;
    request_turn(request, change_begin);
}

void budgets_lift(struct request *request)
{
    struct budget_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    state->reply_status = 200;
    state->act = BUDGET_LIFT;
    request_turn(request, change_begin);
}
