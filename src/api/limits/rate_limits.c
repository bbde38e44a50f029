/* SPDX-License-Identifier: Apache-2.0
 * Rate limits: so much of a unit in a period, or so many calls at once, of one scope. All there is
 * to know of one is the engine's; the records only tell which there are. Those that a key was made
 * with are among them, under the key's id with .requests, .tokens or .concurrent behind it.
 *
 * A change puts the whole anew, so changes wait for their turn (request_turn). */
#include "api/limits/handlers.h"
#include "api/limits/budget_json.h"
#include "api/limits/budgets.h"
#include "api/limits/matches.h"
#include "api/units.h"
#include "base/limits.h"
#include "codec/decimal.h"

enum { SECOND_MS = 1000, PERIOD_DEFAULT_MS = 60 * SECOND_MS };

struct rate_in {
    struct slice id, unit, limit, burst;
    struct json scope;
    struct matches_in matches;
    int64_t period_seconds; /* 0: not said */
    int mode;               /* -1: not said */
    bool concurrent;
};

struct rate_row {
    struct mete_rate_id handle;
    bool is_there;
    struct mete_rate_view view;
};

struct rate_state {
    struct rate_in in;
    struct scope_in scope;
    struct mete_scope_id organization;
    struct mete_change change;
    struct mete_rate_view view;
    uint64_t version; /* of the one in the path */
    int reply_status;
    void (*then)(struct request *request);
    struct page page; /* of a list */
    struct rate_row *rows;
    size_t rows_len;
    bool more;
};

static struct rate_state *begin(struct request *request)
{
    struct rate_state *state = request_take(request, sizeof *state);
    if (state)
        request->state = state;
    return state;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* A number: whole seconds, or with their thousandths. */
static void write_period(struct out *out, int64_t period_ms)
{
    char room[DECIMAL_ROOM];
    size_t len = decimal_format(period_ms, 3, 0, room);
    out_key(out, "period_seconds");
    out_raw(out, (struct slice){room, len});
}

void rate_limits_write(struct request *request, struct slice organization,
                       const struct mete_rate_view *view)
{
    struct out *out = &request->out;
    int64_t room = view->concurrent ? view->limit : view->burst;
    out_open(out, '{');
    out_member_text(out, "id", slice_of(view->id));
    out_member_text(out, "organization", organization);
    budget_json_scope(request, "scope", view->scope.n);
    out_member_bool(out, "concurrent", view->concurrent != 0);
    units_write(out, "unit", view->meter, view->currency);
    out_member_amount(out, "limit", view->meter, view->limit);
    if (view->concurrent) {
        out_raw(out, SLICE_LITERAL("\"period_seconds\":null,\"burst\":null"));
    } else {
        write_period(out, view->period_ms);
        out_member_amount(out, "burst", view->meter, view->burst);
    }
    out_member_text(out, "mode", slice_of(fields_word(units_modes, (int)view->mode)));
    matches_write(out, view->matches, view->matches_len);
    out_member_amount(out, "taken", view->meter, view->taken);
    out_member_amount(out, "remaining", view->meter, max_i64(room - view->taken, 0));
    out_member_instant(out, "full_at", view->concurrent ? INT64_MAX : view->full_at.us);
    out_close(out, '}');
}

static void write_rate(struct request *request, const struct mete_rate_view *view)
{
    rate_limits_write(request, request->params[0], view);
}

static void named(struct request *request)
{
    const struct rate_state *state = request->state;
    out_clear(&request->out);
    write_rate(request, &state->view);
    request_reply(request, state->reply_status);
}

static void show(struct request *request)
{
    struct rate_state *state = request->state;
    request_want(request, NAME_SCOPE, state->view.scope.n);
    request_load_names(request, named);
}

static void shown(struct request *request)
{
    struct rate_state *state = request->state;
    if (request_missed(request, "rate"))
        return;
    state->view = request->answer.rate;
    show(request);
}

static void show_handle(struct request *request, uint32_t handle)
{
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_RATE, .rate = {handle}}};
    request_ask(request, shown);
}

/* ---- One, by the id of the path -------------------------------------------------------------- */

static int keep_version(void *user, const struct directory_entity *entity)
{
    struct rate_state *state = ((struct request *)user)->state;
    state->version = entity->version;
    return 0;
}

static int read_version(struct request *request, struct records_reader *reader)
{
    struct rate_state *state = request->state;
    int rc = directory_find(reader, RECORDS_RATE, state->organization, slice_of(state->view.id),
                            keep_version, request);
    return rc == METE_E_NOT_FOUND ? 0 : rc;
}

static void version_read(struct request *request)
{
    struct rate_state *state = request->state;
    if (!request_failed(request))
        state->then(request);
}

static void rate_found(struct request *request)
{
    struct rate_state *state = request->state;
    if (request_missed(request, "rate"))
        return;
    state->view = request->answer.rate;
    request_look(request, read_version, version_read);
}

static void organization_found(struct request *request)
{
    struct rate_state *state = request->state;
    if (request_missed(request, "org"))
        return;
    state->organization = request->found;
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_FIND_RATE,
                                                  .id = request_text(request->params[1]),
                                                  .organization = request->found}};
    request_ask(request, rate_found);
}

static void find_rate(struct request *request)
{
    if (fields_is_id(request->params[1]))
        request_find_organization(request, organization_found);
    else
        request_fail(request, METE_E_NOT_FOUND, "rate", "Nothing here has this id.");
}

static void show_found(struct request *request)
{
    const struct rate_state *state = request->state;
    request->version = state->version;
    show(request);
}

void rate_limits_show(struct request *request)
{
    static const char *const none[] = {NULL};
    struct rate_state *state = begin(request);
    if (!state)
        return;
    state->then = show_found;
    state->reply_status = 200;
    if (request_query_known(request, none))
        request_problem(request);
    else
        find_rate(request);
}

static void deleted(struct request *request)
{
    if (!request_missed(request, "rate"))
        request_reply_empty(request, 204);
}

static void end(struct request *request)
{
    struct rate_state *state = request->state;
    if (!request_matches(request, state->version))
        return;
    state->change = (struct mete_change){.kind = METE_END_RATE_LIMIT, .end_rate = state->view.rate};
    request_apply(request, &state->change, 1, deleted);
}

void rate_limits_delete(struct request *request)
{
    struct rate_state *state = begin(request);
    if (!state)
        return;
    state->then = end;
    request_turn(request, find_rate);
}

/* ---- What a body says ------------------------------------------------------------------------ */

#define AT(member) offsetof(struct rate_in, member)
#define LIMIT                                                                                      \
    {                                                                                              \
        .name = "limit", .type = FIELD_AMOUNT, .offset = AT(limit)                                 \
    }
#define REST                                                                                       \
    {.name = "period_seconds",                                                                     \
     .type = FIELD_COUNT,                                                                          \
     .offset = AT(period_seconds),                                                                 \
     .min = 1,                                                                                     \
     .max = LIMIT_RATE_PERIOD_MS / SECOND_MS},                                                     \
        {.name = "burst", .type = FIELD_AMOUNT, .offset = AT(burst)},                              \
    {                                                                                              \
        .name = "mode", .type = FIELD_WORD, .offset = AT(mode), .words = units_modes               \
    }
static const struct field create_table[] = {
    {.name = "id", .type = FIELD_ID, .offset = AT(id)},
    {.name = "scope", .type = FIELD_OBJECT, .flags = FIELD_REQUIRED, .offset = AT(scope)},
    {.name = "concurrent", .type = FIELD_BOOL, .offset = AT(concurrent)},
    {.name = "unit", .type = FIELD_TOKEN, .offset = AT(unit), .min = 1, .max = 64},
    {.name = "limit", .type = FIELD_AMOUNT, .flags = FIELD_REQUIRED, .offset = AT(limit)},
    REST,
    MATCHES_FIELDS(struct rate_in),
};
static const struct field update_table[] = {LIMIT, REST};
#undef AT
#define LEN(table) (sizeof(table) / sizeof(table)[0])

/* What calls at once do not have. */
static int check_concurrent(struct request *request, const struct rate_in *in)
{
    const char *field = in->unit.len         ? "unit"
                        : in->period_seconds ? "period_seconds"
                        : in->burst.len      ? "burst"
                                             : NULL;
    return field ? problem_set(&request->problem, METE_E_INVALID, field,
                               "A limit of calls at once has none.")
                 : 0;
}

/* What the body says, over what the spec has. */
static int specify(struct request *request, struct mete_rate_spec *spec)
{
    const struct rate_in *in = &((struct rate_state *)request->state)->in;
    const struct fields fields = {
        .path = "", .arena = &request->arena, .problem = &request->problem};
    int rc = spec->concurrent ? check_concurrent(request, in) : 0;
    if (!rc && in->limit.len)
        rc = units_amount(&fields, "limit", spec->meter, in->limit, &spec->limit);
    if (!rc && in->burst.len)
        rc = units_amount(&fields, "burst", spec->meter, in->burst, &spec->burst);
    if (!rc && in->burst.len && !spec->burst)
        rc = fields_fault(&fields, METE_E_INVALID, "burst", "It must be above 0.");
    if (in->period_seconds)
        spec->period_ms = in->period_seconds * SECOND_MS;
    if (in->mode >= 0)
        spec->mode = (enum mete_mode)in->mode;
    return rc;
}

static void put(struct request *request)
{
    const struct rate_state *state = request->state;
    int status = request->op.status;
    if (status == METE_E_EXISTS)
        request_fail(request, status, "id", "This id is taken.");
    else if (status == METE_E_FULL)
        request_fail(request, status, "scope", "A scope has at most %d rate limits.",
                     LIMIT_SCOPE_RATES);
    else if (status == METE_E_INVALID)
        request_fail(request, status, "limit",
                     "Limit, burst and period are too large for each other.");
    else if (!request_missed(request, state->reply_status == 201 ? "scope.id" : "rate")) {
        request->version = request->op.result.applied.seq;
        show_handle(request, request->handles[0]);
    }
}

/* ---- Creating -------------------------------------------------------------------------------- */

static void create(struct request *request)
{
    struct rate_state *state = request->state;
    if (request_missed(request, "scope.id"))
        return;
    if (state->scope.kind == METE_ORGANIZATION && request->found.n != state->organization.n) {
        request_fail(request, METE_E_NOT_FOUND, "scope.id", "This is another organization's path.");
        return;
    }
    struct slice id = state->in.id.len ? state->in.id : request_make_id(request, "rate_");
    if (!id.len) {
        request_fail(request, METE_E_MEMORY, NULL, NULL);
        return;
    }
    state->change.rate.id = request_text(id);
    state->change.rate.scope = request->found;
    request_apply(request, &state->change, 1, put);
}

static void find_scope(struct request *request)
{
    struct rate_state *state = request->state;
    if (request_missed(request, "org"))
        return;
    state->organization = request->found;
    request_find(request, (enum mete_kind)state->scope.kind, state->scope.id, create);
}

static int specify_new(struct request *request)
{
    struct rate_state *state = request->state;
    struct mete_rate_spec *spec = &state->change.rate;
    const struct fields fields = {
        .path = "", .arena = &request->arena, .problem = &request->problem};
    struct slice unit = state->in.unit.len ? state->in.unit : SLICE_LITERAL("requests");
    int rc = scope_in_read(request, state->in.scope, "scope", &state->scope);
    if (!rc && state->scope.organization.len &&
        !slice_equal(state->scope.organization, request->params[0]))
        rc = problem_set(&request->problem, METE_E_INVALID, "scope.organization",
                         "The path names another organization.");
    if (!rc)
        rc = units_read(&fields, "unit", unit, &spec->meter, &spec->currency);
    if (!rc)
        rc = matches_read(request, &state->in.matches, spec->matches, &spec->matches_len);
    spec->concurrent = state->in.concurrent;
    spec->period_ms = spec->concurrent ? 0 : PERIOD_DEFAULT_MS;
    return rc ? rc : specify(request, spec);
}

void rate_limits_create(struct request *request)
{
    struct rate_state *state = begin(request);
    if (!state)
        return;
    state->reply_status = 201;
    state->in.mode = -1;
    state->change = (struct mete_change){.kind = METE_PUT_RATE_LIMIT, .flags = METE_CHANGE_CREATE};
    if (request_read(request, create_table, LEN(create_table), &state->in) || specify_new(request))
        request_problem(request);
    else
        request_find_organization(request, find_scope);
}

/* ---- Changing -------------------------------------------------------------------------------- */

static void update(struct request *request)
{
    struct rate_state *state = request->state;
    if (!request_matches(request, state->version))
        return;
    const struct mete_rate_view *view = &state->view;
    struct mete_rate_spec spec = {.id = {view->id, strlen(view->id)},
                                  .scope = view->scope,
                                  .concurrent = view->concurrent,
                                  .meter = view->meter,
                                  .currency = view->currency,
                                  .limit = view->limit,
                                  .period_ms = view->period_ms,
                                  .burst = view->burst,
                                  .mode = view->mode,
                                  .matches_len = view->matches_len};
    memcpy(spec.matches, view->matches, sizeof spec.matches);
    if (specify(request, &spec)) {
        request_problem(request);
        return;
    }
    state->change = (struct mete_change){
        .kind = METE_PUT_RATE_LIMIT, .flags = METE_CHANGE_UPDATE, .rate = spec};
    request_apply(request, &state->change, 1, put);
}

void rate_limits_update(struct request *request)
{
    struct rate_state *state = begin(request);
    if (!state)
        return;
    state->then = update;
    state->reply_status = 200;
    state->in.mode = -1;
    const struct rate_in *in = &state->in;
    int rc = request_read(request, update_table, LEN(update_table), &state->in);
    if (!rc && !in->limit.len && !in->burst.len && !in->period_seconds && in->mode < 0)
        rc = problem_set(&request->problem, METE_E_INVALID, NULL, "Say what is to change.");
    if (rc)
        request_problem(request);
    else
        request_turn(request, find_rate);
}

/* ---- The list -------------------------------------------------------------------------------- */

static int keep_row(void *user, const struct directory_entity *entity)
{
    struct rate_state *state = ((struct request *)user)->state;
    state->more = state->rows_len == state->page.limit;
    if (state->more)
        return 1;
    state->rows[state->rows_len++].handle.n = entity->handle;
    return 0;
}

static int read_rows(struct request *request, struct records_reader *reader)
{
    const struct rate_state *state = request->state;
    int rc = directory_list(reader, RECORDS_RATE, request->found, (uint32_t)state->page.after,
                            state->page.limit + 1, keep_row, request);
    return rc < 0 ? rc : 0;
}

static bool next_row(struct request *request, size_t *at, struct mete_query *ret_query)
{
    const struct rate_state *state = request->state;
    if (*at >= state->rows_len)
        return false;
    *ret_query = (struct mete_query){.kind = METE_QUERY_RATE, .rate = state->rows[*at].handle};
    return true;
}

static void got_row(struct request *request, size_t at, int status,
                    const struct mete_answer *answer)
{
    struct rate_row *row = &((struct rate_state *)request->state)->rows[at];
    if (status == METE_E_BUSY)
        request->work_status = status;
    if (status || answer->rate.ended)
        return;
    row->is_there = true;
    row->view = answer->rate;
    request_want(request, NAME_SCOPE, row->view.scope.n);
}

static void write_list(struct request *request)
{
    const struct rate_state *state = request->state;
    struct out *out = &request->out;
    out_page_open(out);
    for (size_t i = 0; i < state->rows_len; i++)
        if (state->rows[i].is_there)
            write_rate(request, &state->rows[i].view);
    out_page_close(out, state->more ? state->rows[state->rows_len - 1].handle.n : 0);
    out_key(out, "last_seq");
    out_unsigned(out, request->last_seq);
    out_close(out, '}');
    request_reply(request, 200);
}

static void viewed(struct request *request)
{
    if (!request_failed(request))
        request_load_names(request, write_list);
}

static void rows_read(struct request *request)
{
    static const struct inquiry_plan plan = {next_row, got_row, viewed};
    if (!request_failed(request))
        inquiry_begin(request, &plan);
}

static void list_found(struct request *request)
{
    if (!request_missed(request, "org"))
        request_look(request, read_rows, rows_read);
}

void rate_limits_list(struct request *request)
{
    static const char *const paged[] = {"limit", "cursor", NULL};
    struct rate_state *state = begin(request);
    if (!state)
        return;
    int rc = request_query_known(request, paged);
    if (!rc)
        rc = request_page(request, &state->page);
    if (!rc && state->page.after > UINT32_MAX)
        rc = problem_set(&request->problem, METE_E_INVALID, "cursor",
                         "It must be the next_cursor of a page before.");
    if (rc) {
        request_problem(request);
        return;
    }
    state->rows = request_take(request, state->page.limit * sizeof *state->rows);
    if (state->rows)
        request_find_organization(request, list_found);
}
