/* SPDX-License-Identifier: Apache-2.0
 * An organization's keys in one view: how many are in which state, and which spent most this month.
 * States are counted on the event loop, in the index; what was spent is read on a worker. Months
 * are the organization's. */
#include "api/keys/handlers.h"

#include "api/entities.h"
#include "api/units.h"
#include "base/assert.h"
#include "calendar/calendar.h"
#include "reports/keys.h"

enum { TOP_USUAL = 10, TOP_MAX = 100 };

struct summary_state {
    struct directory_counts counts;
    struct window month;
    struct slice zone;
    size_t top;
    struct reports_key_sum sums[TOP_MAX];
    struct reports_top_keys spent;
};

/* ---- On a worker ------------------------------------------------------------------------------
 */

static int find_month(struct request *request, struct summary_state *state)
{
    struct calendar_zones *zones;
    struct calendar_rule rule = {.period = METE_MONTHLY};
    const struct os *os = request->api->parts.os;
    int rc = organizations_zone(request, request->params[0], &state->zone);
    if (rc)
        return rc;
    rc = calendar_zones_open(os ? os : os_system(), &zones);
    if (rc)
        return rc;
    rc = calendar_zones_find(zones, state->zone, &rule.zone);
    if (!rc)
        rc = calendar_window(&rule, mete_now(request->api->parts.mete).us, &state->month);
    calendar_zones_close(zones);
    return rc;
}

/* A deleted key has spent what it has. */
static int write_key(void *user, const struct records_entity *entity)
{
    struct request *request = user;
    struct out *out = &request->out;
    ASSERT_INV("INV-12", entity->organization.n == request->found.n);
    struct json name = json_member(entities_document(entity->document), "name");
    out_member_text(out, "id", entity->id);
    out_key(out, "name");
    if (name.type == JSON_STRING)
        out_raw(out, name.raw);
    else
        out_text(out, entity->id);
    return 0;
}

static int write_top(struct request *request, struct records_reader *reader)
{
    const struct summary_state *state = request->state;
    struct out *out = &request->out;
    int rc = 0;
    out_key(out, "top");
    out_open(out, '[');
    for (size_t i = 0; i < state->spent.len && !rc; i++) {
        const struct reports_key_sum *sum = &state->sums[i];
        out_open(out, '{');
        rc = records_each_entity(reader, METE_API_KEY, request->found, sum->key - 1, 1, 1,
                                 write_key, request);
        out_member_integer(out, "calls", sum->calls);
        out_member_integer(out, "total_tokens", sum->total_tokens);
        out_member_amount(out, "cost", METE_COST, sum->cost_nano);
        units_write(out, "currency", METE_COST, sum->currency ? sum->currency : METE_USD);
        out_close(out, '}');
    }
    out_close(out, ']');
    return rc;
}

static int run(struct request *request, struct records_reader *reader)
{
    struct summary_state *state = request->state;
    struct out *out = &request->out;
    const struct directory_counts *counts = &state->counts;
    int rc = find_month(request, state);
    state->spent = (struct reports_top_keys){.organization = request->found,
                                             .from_us = state->month.start_us,
                                             .to_us = state->month.end_us,
                                             .top = state->sums,
                                             .max = state->top};
    if (!rc)
        rc = reports_top_keys(reader, &state->spent);
    if (rc)
        return rc;
    out_open(out, '{');
    out_member_text(out, "organization", request->params[0]);
    out_key(out, "keys");
    out_unsigned(out, counts->active + counts->expired + counts->revoked);
    out_key(out, "active");
    out_unsigned(out, counts->active);
    out_key(out, "expired");
    out_unsigned(out, counts->expired);
    out_key(out, "revoked");
    out_unsigned(out, counts->revoked);
    out_member_instant(out, "month_start", state->month.start_us);
    out_member_instant(out, "month_end", state->month.end_us);
    rc = write_top(request, reader);
    out_key(out, "last_seq");
    out_unsigned(out, request->last_seq);
    out_close(out, '}');
    return rc;
}

static void done(struct request *request)
{
    if (!request_failed(request))
        request_reply(request, 200);
}

/* ---- What is asked ----------------------------------------------------------------------------
 */

static void organization_found(struct request *request)
{
    struct summary_state *state = request->state;
    if (request_missed(request, "org"))
        return;
    directory_count(request->api->parts.directory, request->found,
                    mete_now(request->api->parts.mete).us, &state->counts);
    request_work(request, run, done);
}

static int read_top(struct request *request, size_t *ret_top)
{
    static const char *const known[] = {"top", NULL};
    struct slice text;
    size_t top = 0;
    int rc = request_query_known(request, known);
    if (!rc)
        rc = request_query(request, "top", 8, &text);
    if (rc || !text.len)
        return rc;
    for (size_t i = 0; i < text.len; i++)
        top = text.data[i] < '0' || text.data[i] > '9' ? TOP_MAX + 1
                                                       : top * 10 + (size_t)(text.data[i] - '0');
    if (top < 1 || top > TOP_MAX)
        return problem_set(&request->problem, METE_E_INVALID, "top", "It must be from 1 to %d.",
                           TOP_MAX);
    *ret_top = top;
    return 0;
}

void keys_summary(struct request *request)
{
    struct summary_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    state->top = TOP_USUAL;
    request->state = state;
    if (read_top(request, &state->top))
        request_problem(request);
    else
        request_find_organization(request, organization_found);
}
