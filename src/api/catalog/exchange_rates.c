/* SPDX-License-Identifier: Apache-2.0
 * Exchange rates: added and listed. They are the engine's alone; a page is one question to it. A
 * rate is said as a decimal and kept as the fraction it is, so that no digit is lost. */
#include "api/catalog/handlers.h"
#include "api/request.h"
#include "api/units.h"
#include "base/assert.h"
#include "codec/decimal.h"

#include <stddef.h>

enum { DIGITS_MAX = 18 }; /* behind the point, and of the whole */
#define TERM_MAX INT64_C(1000000000000000000)

struct rate_in {
    struct slice from, to, rate;
    int64_t effective_us; /* 0: now */
};

struct rate_state {
    struct mete_change change;
    struct mete_exchange_view view, *views;
    size_t limit;
};

/* ---- Showing --------------------------------------------------------------------------------- */

/* As a decimal, at most DIGITS_MAX digits behind the point, half to even: those said here are
 * exact.
 */
static void write_rate(struct out *out, const struct mete_exchange_spec *rate)
{
    char room[DECIMAL_ROOM];
    int128 scaled = div_half_even((int128)rate->numerator * TERM_MAX, rate->denominator);
    size_t len = decimal_format(scaled, DIGITS_MAX, 0, room);
    out_member_text(out, "rate", (struct slice){room, len});
}

static void write_view(struct out *out, const struct mete_exchange_view *view)
{
    out_open(out, '{');
    out_member_integer(out, "number", view->number);
    units_write(out, "from", METE_COST, view->rate.from);
    units_write(out, "to", METE_COST, view->rate.to);
    write_rate(out, &view->rate);
    out_member_instant(out, "effective_at", view->rate.effective_at.us);
    out_member_bool(out, "in_force", view->in_force != 0);
    out_close(out, '}');
}

static void ask(struct request *request, uint32_t after, void (*then)(struct request *request))
{
    struct rate_state *state = request->state;
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_EXCHANGES,
                                                  .after = after,
                                                  .exchanges = state->views,
                                                  .rows_max = state->limit}};
    request_ask(request, then);
}

/* ---- Listing --------------------------------------------------------------------------------- */

static void listed(struct request *request)
{
    const struct rate_state *state = request->state;
    struct out *out = &request->out;
    if (request->op.status) {
        request_fail(request, request->op.status, NULL, NULL);
        return;
    }
    size_t all = request->answer.rows_len, len = all < state->limit ? all : state->limit;
    out_page_open(out);
    for (size_t i = 0; i < len; i++)
        write_view(out, &state->views[i]);
    out_page_close(out, all > len ? state->views[len - 1].number : 0);
    out_close(out, '}');
    request_reply(request, 200);
}

void exchange_rates_list(struct request *request)
{
    static const char *const known[] = {"limit", "cursor", NULL};
    struct page page;
    if (request_query_known(request, known) || request_page(request, &page)) {
        request_problem(request);
        return;
    }
    if (page.after > UINT32_MAX) {
        request_fail(request, METE_E_INVALID, "cursor",
                     "It must be the next_cursor of a page before.");
        return;
    }
    struct rate_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    state->limit = page.limit;
    state->views = request_take(request, page.limit * sizeof *state->views);
    if (state->views)
        ask(request, (uint32_t)page.after, listed);
}

/* ---- Adding ---------------------------------------------------------------------------------- */

static void asked_one(struct request *request)
{
    const struct rate_state *state = request->state;
    if (request->op.status) {
        request_fail(request, request->op.status, NULL, NULL);
        return;
    }
    ASSERT(request->answer.rows_len > 0);
    out_clear(&request->out);
    write_view(&request->out, &state->view);
    request_reply(request, 201);
}

static void made(struct request *request)
{
    int status = request->op.status;
    if (status == METE_E_FULL)
        request_fail(request, status, NULL, "There are as many exchange rates as there may be.");
    else if (status)
        request_fail(request, status, NULL, NULL);
    else
        ask(request, request->handles[0] - 1, asked_one);
}

static int read_currency(const struct fields *fields, const char *name, struct slice text,
                         uint32_t *ret_currency)
{
    *ret_currency = units_currency(text);
    return *ret_currency ? 0
                         : fields_fault(fields, METE_E_INVALID, name,
                                        "It must be an ISO 4217 code, such as EUR.");
}

/* With as few digits behind the point as it has. */
static int read_rate(const struct fields *fields, struct slice text,
                     struct mete_exchange_spec *spec)
{
    int128 value;
    spec->denominator = 1;
    for (unsigned scale = 0; scale <= DIGITS_MAX; scale++, spec->denominator *= 10) {
        int rc = decimal_parse128(text, scale, false, &value);
        if (rc == METE_E_INVALID && scale < DIGITS_MAX)
            continue;
        if (rc || value < 1 || value > TERM_MAX)
            break;
        spec->numerator = (int64_t)value;
        return 0;
    }
    return fields_fault(fields, METE_E_INVALID, "rate",
                        "It must be a decimal above 0, with at most %d digits.", DIGITS_MAX);
}

static int specify(struct request *request, const struct rate_in *in,
                   struct mete_exchange_spec *spec)
{
    struct fields fields = {.path = "", .arena = &request->arena, .problem = &request->problem};
    int rc = read_currency(&fields, "from", in->from, &spec->from);
    if (!rc)
        rc = read_currency(&fields, "to", in->to, &spec->to);
    if (!rc && spec->from == spec->to)
        rc = fields_fault(&fields, METE_E_INVALID, "to", "It must be another currency.");
    if (!rc)
        rc = read_rate(&fields, in->rate, spec);
    if (!rc && in->effective_us < 0)
        rc = fields_fault(&fields, METE_E_INVALID, "effective_at", "It must not be before 1970.");
    spec->effective_at.us =
        in->effective_us ? in->effective_us : mete_now(request->api->parts.mete).us;
    return rc;
}

#define AT(member) offsetof(struct rate_in, member)
static const struct field table[] = {
    {.name = "from",
     .type = FIELD_TOKEN,
     .flags = FIELD_REQUIRED,
     .offset = AT(from),
     .min = 3,
     .max = 3},
    {.name = "to",
     .type = FIELD_TOKEN,
     .flags = FIELD_REQUIRED,
     .offset = AT(to),
     .min = 3,
     .max = 3},
    {.name = "rate", .type = FIELD_AMOUNT, .flags = FIELD_REQUIRED, .offset = AT(rate)},
    {.name = "effective_at", .type = FIELD_INSTANT, .offset = AT(effective_us)},
};
#undef AT

void exchange_rates_create(struct request *request)
{
    struct rate_in in = {0};
    struct rate_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    state->views = &state->view;
    state->limit = 1;
    state->change.kind = METE_PUT_EXCHANGE;
    if (request_read(request, table, sizeof table / sizeof table[0], &in) ||
        specify(request, &in, &state->change.exchange)) {
        request_problem(request);
        return;
    }
    request_apply(request, &state->change, 1, made);
}
