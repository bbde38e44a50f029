/* SPDX-License-Identifier: Apache-2.0
 * What a key used, by hours or days of UTC, newest first. A page is so many hours or days, whether
 * something was used in each or not, so that its cost is that of its own stretch of the rollups. */
#include "api/keys/handlers.h"

#include "api/units.h"
#include "base/assert.h"
#include "base/checked.h"
#include "codec/timestamp.h"
#include "reports/keys.h"

enum { HOUR_S = 3600, DAY_S = 24 * HOUR_S, DAYS_USUAL = 30, HOURS_USUAL = 48 };
#define SECOND_US INT64_C(1000000)

struct usage_state {
    struct mete_scope_id organization, scope;
    struct page page;
    int64_t span_us, from_us, to_us;  /* whole spans: [from, to) */
    int64_t page_from_us, page_to_us; /* of this page */
    bool by_hour;
};

/* ---- On a worker ------------------------------------------------------------------------------
 */

static void write_span(void *user, int64_t start_us, const struct reports_key_sum *sum)
{
    struct request *request = user;
    const struct usage_state *state = request->state;
    struct out *out = &request->out;
    out_open(out, '{');
    out_member_instant(out, "start", start_us);
    out_member_instant(out, "end", start_us + state->span_us);
    out_member_integer(out, "calls", sum->calls);
    out_member_integer(out, "input_tokens", sum->input);
    out_member_integer(out, "output_tokens", sum->output);
    out_member_integer(out, "total_tokens", sum->total_tokens);
    out_member_amount(out, "cost", METE_COST, sum->cost_nano);
    units_write(out, "currency", METE_COST, sum->currency ? sum->currency : METE_USD);
    out_close(out, '}');
}

static int run(struct request *request, struct records_reader *reader)
{
    const struct usage_state *state = request->state;
    struct out *out = &request->out;
    out_open(out, '{');
    out_member_text(out, "api_key", request->params[0]);
    out_member_text(out, "interval", state->by_hour ? SLICE_LITERAL("hour") : SLICE_LITERAL("day"));
    out_member_instant(out, "from", state->from_us);
    out_member_instant(out, "to", state->to_us);
    out_key(out, "data");
    out_open(out, '[');
    int rc =
        reports_key_spans(reader, &(struct reports_key_spans){.organization = state->organization,
                                                              .key = state->scope,
                                                              .from_us = state->page_from_us,
                                                              .to_us = state->page_to_us,
                                                              .span_us = state->span_us,
                                                              .fn = write_span,
                                                              .user = request});
    bool more = state->page_from_us > state->from_us;
    out_page_close(out, more ? state->page_from_us / state->span_us : 0);
    out_key(out, "last_seq");
    out_unsigned(out, request->last_seq);
    out_close(out, '}');
    return rc;
}

static void done(struct request *request)
{
    if (request->work_status == METE_E_NOT_FOUND)
        request_fail(request, METE_E_INVALID, "from",
                     "Hours as old as this are no longer told apart: ask for days.");
    else if (!request_failed(request))
        request_reply(request, 200);
}

/* ---- What is asked ----------------------------------------------------------------------------
 */

static int read_interval(struct request *request, struct usage_state *state)
{
    struct slice text;
    int rc = request_query(request, "interval", 8, &text);
    if (!rc && text.len && !slice_is(text, "hour") && !slice_is(text, "day"))
        rc = problem_set(&request->problem, METE_E_INVALID, "interval", "It must be hour or day.");
    state->by_hour = !rc && slice_is(text, "hour");
    state->span_us = (state->by_hour ? HOUR_S : DAY_S) * SECOND_US;
    return rc;
}

static int read_instant(struct request *request, const char *name, int64_t *ret_us)
{
    struct slice text;
    int rc = request_query(request, name, 64, &text);
    if (rc || !text.len)
        return rc;
    if (timestamp_parse(text, ret_us))
        return problem_set(&request->problem, METE_E_INVALID, name,
                           "It must be an instant, such as 2030-01-31T00:00:00Z (a + as %%2B).");
    return 0;
}

/* The page's stretch: as many spans as its limit, back from its cursor or the end. */
static int place_page(struct request *request, struct usage_state *state)
{
    int64_t span_us = state->span_us, end = state->to_us / span_us,
            begin = state->from_us / span_us;
    if (state->page.after) {
        if (state->page.after > (uint64_t)end || (int64_t)state->page.after <= begin)
            return problem_set(&request->problem, METE_E_INVALID, "cursor",
                               "It must be the next_cursor of a page before.");
        end = (int64_t)state->page.after;
    }
    int64_t first = max_i64(begin, end - (int64_t)state->page.limit);
    state->page_from_us = first * span_us;
    state->page_to_us = end * span_us;
    return 0;
}

static int read_query(struct request *request, struct usage_state *state)
{
    static const char *const known[] = {"interval", "from", "to", "limit", "cursor", NULL};
    int64_t now_us = mete_now(request->api->parts.mete).us;
    int rc = request_query_known(request, known);
    if (!rc)
        rc = read_interval(request, state);
    if (!rc)
        rc = request_page(request, &state->page);
    if (rc)
        return rc;
    int64_t usual = state->by_hour ? HOURS_USUAL : DAYS_USUAL;
    state->to_us = now_us + 1; /* the span that goes on now, too */
    rc = read_instant(request, "to", &state->to_us);
    state->to_us = (state->to_us + state->span_us - 1) / state->span_us * state->span_us;
    state->from_us = max_i64(state->to_us - usual * state->span_us, 0);
    if (!rc)
        rc = read_instant(request, "from", &state->from_us);
    state->from_us = state->from_us / state->span_us * state->span_us;
    if (!rc && state->from_us >= state->to_us)
        rc = problem_set(&request->problem, METE_E_INVALID, "from", "It must lie before to.");
    return rc ? rc : place_page(request, state);
}

void keys_usage(struct request *request)
{
    const struct directory_key *key =
        directory_find_id(request->api->parts.directory, request->params[0]);
    if (!key || !request_sees(request, key->organization)) {
        request_fail(request, METE_E_NOT_FOUND, "key", "Nothing here has this id.");
        return;
    }
    struct mete_scope_id scope = key->scope, organization = key->organization;
    struct usage_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    ASSERT_INV("INV-12", organization.n);
    state->scope = scope;
    state->organization = organization;
    request->state = state;
    if (read_query(request, state))
        request_problem(request);
    else
        request_work(request, run, done);
}
