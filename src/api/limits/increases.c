/* SPDX-License-Identifier: Apache-2.0
 * Dated increases of a budget: put, listed, ended. They are few and the engine's alone, so that a
 * list is one question and has no pages. */
#include "api/limits/handlers.h"
#include "api/request.h"
#include "api/units.h"
#include "base/assert.h"
#include "base/limits.h"

#include <stddef.h>

struct increase_in {
    struct slice amount;
    int64_t from_us, until_us; /* from_us 0: now */
};

struct increase_state {
    struct increase_in in;
    struct mete_budget_view budget;
    struct mete_change change;
    uint32_t number; /* of the one that is shown or ended; 0: all */
    struct mete_increase_view views[LIMIT_INCREASES];
    void (*found)(struct request *request);
};

/* ---- The budget ------------------------------------------------------------------------------ */

static void budget_found(struct request *request)
{
    struct increase_state *state = request->state;
    if (request_missed(request, "budget"))
        return;
    state->budget = request->answer.budget;
    if (state->budget.ended)
        request_fail(request, METE_E_NOT_FOUND, "budget", "It has been deleted.");
    else
        state->found(request);
}

static void organization_found(struct request *request)
{
    if (request_missed(request, "org"))
        return;
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_FIND_BUDGET,
                                                  .id = request_text(request->params[1]),
                                                  .organization = request->found}};
    request_ask(request, budget_found);
}

static void find_budget(struct request *request, void (*found)(struct request *request))
{
    struct increase_state *state = request->state;
    state->found = found;
    if (fields_is_id(request->params[1]))
        request_find_organization(request, organization_found);
    else
        request_fail(request, METE_E_NOT_FOUND, "budget", "Nothing here has this id.");
}

/* ---- Showing --------------------------------------------------------------------------------- */

static void write_increase(struct request *request, const struct mete_increase_view *view)
{
    const struct increase_state *state = request->state;
    struct out *out = &request->out;
    out_open(out, '{');
    out_member_integer(out, "number", view->number);
    units_write(out, "unit", state->budget.meter, state->budget.currency);
    out_member_amount(out, "amount", state->budget.meter, view->amount);
    out_member_instant(out, "from", view->from.us);
    out_member_instant(out, "until", view->until.us);
    out_member_bool(out, "active", view->active != 0);
    out_close(out, '}');
}

static void ask(struct request *request, void (*then)(struct request *request))
{
    struct increase_state *state = request->state;
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_INCREASES,
                                                  .budget = state->budget.budget,
                                                  .increases = state->views,
                                                  .rows_max = LIMIT_INCREASES}};
    request_ask(request, then);
}

static void asked_all(struct request *request)
{
    const struct increase_state *state = request->state;
    struct out *out = &request->out;
    if (request_missed(request, "budget"))
        return;
    ASSERT(request->answer.rows_len <= LIMIT_INCREASES);
    out_clear(out);
    out_open(out, '{');
    out_key(out, "data");
    out_open(out, '[');
    for (size_t i = 0; i < request->answer.rows_len; i++)
        write_increase(request, &state->views[i]);
    out_close(out, ']');
    out_close(out, '}');
    request_reply(request, 200);
}

static void list(struct request *request)
{
    ask(request, asked_all);
}

void increases_list(struct request *request)
{
    static const char *const none[] = {NULL};
    request->state = request_take(request, sizeof(struct increase_state));
    if (!request->state)
        return;
    if (request_query_known(request, none))
        request_problem(request);
    else
        find_budget(request, list);
}

/* ---- Putting --------------------------------------------------------------------------------- */

/* As it is now; if it has ended since it was put, as it was. */
static void asked_one(struct request *request)
{
    const struct increase_state *state = request->state;
    if (request_missed(request, "budget"))
        return;
    struct mete_increase_view view = {.number = state->number,
                                      .amount = state->change.increase.amount,
                                      .from = state->change.increase.from,
                                      .until = state->change.increase.until};
    for (size_t i = 0; i < request->answer.rows_len && i < LIMIT_INCREASES; i++)
        if (state->views[i].number == state->number)
            view = state->views[i];
    out_clear(&request->out);
    write_increase(request, &view);
    request_reply(request, 201);
}

static void made(struct request *request)
{
    struct increase_state *state = request->state;
    int status = request->op.status;
    if (status == METE_E_FULL)
        request_fail(request, status, NULL,
                     "A budget has at most %d increases that have not ended.", LIMIT_INCREASES);
    else if (status == METE_E_INVALID) /* it ended while it was on its way here */
        request_fail(request, status, "until", "It must be after now.");
    else if (!request_missed(request, "budget")) {
        state->number = request->handles[0];
        ask(request, asked_one);
    }
}

static int specify(struct request *request)
{
    struct increase_state *state = request->state;
    struct increase_in *in = &state->in;
    struct fields fields = {.path = "", .arena = &request->arena, .problem = &request->problem};
    int64_t amount, now_us = mete_now(request->api->parts.mete).us;
    int rc = units_amount(&fields, "amount", state->budget.meter, in->amount, &amount);
    if (rc)
        return rc;
    if (amount < 1)
        return fields_fault(&fields, METE_E_INVALID, "amount", "It must be above 0.");
    int64_t from_us = in->from_us ? in->from_us : now_us;
    if (from_us < 0)
        return fields_fault(&fields, METE_E_INVALID, "from", "It must not be before 1970.");
    if (in->until_us <= now_us)
        return fields_fault(&fields, METE_E_INVALID, "until", "It must be after now.");
    if (in->until_us <= from_us)
        return fields_fault(&fields, METE_E_INVALID, "until", "It must be after from.");
    state->change =
        (struct mete_change){.kind = METE_PUT_INCREASE,
                             .increase = {state->budget.budget, amount, {from_us}, {in->until_us}}};
    return 0;
}

static void create(struct request *request)
{
    const struct increase_state *state = request->state;
    if (specify(request))
        request_problem(request);
    else
        request_apply(request, &state->change, 1, made);
}

void increases_create(struct request *request)
{
    static const struct field table[] = {
        {.name = "amount",
         .type = FIELD_AMOUNT,
         .flags = FIELD_REQUIRED,
         .offset = offsetof(struct increase_in, amount)},
        {.name = "from", .type = FIELD_INSTANT, .offset = offsetof(struct increase_in, from_us)},
        {.name = "until",
         .type = FIELD_INSTANT,
         .flags = FIELD_REQUIRED,
         .offset = offsetof(struct increase_in, until_us)},
    };
    struct increase_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    if (request_read(request, table, sizeof table / sizeof table[0], &state->in))
        request_problem(request);
    else
        find_budget(request, create);
}

/* ---- Ending ---------------------------------------------------------------------------------- */

static void ended(struct request *request)
{
    if (!request_missed(request, "increase"))
        request_reply_empty(request, 204);
}

static void end(struct request *request)
{
    struct increase_state *state = request->state;
    state->change = (struct mete_change){
        .kind = METE_END_INCREASE, .end = state->budget.budget, .end_increase = state->number};
    request_apply(request, &state->change, 1, ended);
}

/* 0: it is no number of an increase. */
static uint32_t read_number(struct slice text)
{
    uint64_t number = 0;
    for (size_t i = 0; i < text.len && i < 11; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return 0;
        number = 10 * number + (uint64_t)(text.data[i] - '0');
    }
    return number <= UINT32_MAX ? (uint32_t)number : 0;
}

void increases_delete(struct request *request)
{
    struct increase_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    state->number = read_number(request->params[2]);
    if (state->number)
        find_budget(request, end);
    else
        request_fail(request, METE_E_NOT_FOUND, "increase", "Nothing here has this number.");
}
