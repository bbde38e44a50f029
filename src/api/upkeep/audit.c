/* SPDX-License-Identifier: Apache-2.0
 * The audit log: GET /api/v1/audit and GET /api/v1/organizations/{org}/audit, newest first, as a
 * page of JSON, or as CSV or a JSON object a line, where the header Next-Cursor says that there is
 * more. An organization's list has its own rows alone (INV-12); what is the installation's is the
 * admin's to see. */
#include "api/request.h"
#include "api/upkeep/handlers.h"
#include "base/assert.h"
#include "base/limits.h"
#include "codec/timestamp.h"
#include "reports/audit.h"

struct audit_state {
    struct audit_filter filter;
    enum reports_format format;
};

static int run(struct request *request, struct records_reader *reader)
{
    const struct audit_state *state = request->state;
    return reports_audit(reader, &state->filter, state->format, &request->out.bytes,
                         &request->next_cursor);
}

static void done(struct request *request)
{
    static const char *const types[] = {[REPORTS_JSON] = NULL,
                                        [REPORTS_LINES] = "application/jsonl",
                                        [REPORTS_CSV] = "text/csv; charset=utf-8"};
    const struct audit_state *state = request->state;
    if (request_failed(request))
        return;
    request->type = types[state->format];
    if (state->format == REPORTS_JSON)
        request->next_cursor = 0; /* it is in the page */
    request_reply(request, 200);
}

/* ---- The question -----------------------------------------------------------------------------
 */

static void organization_found(struct request *request)
{
    struct audit_state *state = request->state;
    if (request_missed(request, "org"))
        return;
    ASSERT_INV("INV-12", request->found.n > 0);
    state->filter.organization = request->found;
    request_look(request, run, done);
}

static int read_instant(struct request *request, const char *name, int64_t *ret_us)
{
    struct slice text;
    int rc = request_query(request, name, 64, &text);
    if (rc || !text.len)
        return rc;
    int64_t us;
    if (timestamp_parse(text, &us))
        return problem_set(&request->problem, METE_E_INVALID, name,
                           "It must be an instant, such as 2030-01-31T00:00:00Z (a + as %%2B).");
    *ret_us = us;
    return 0;
}

static int read_format(struct request *request, enum reports_format *ret_format)
{
    struct slice text;
    int rc = request_query(request, "format", 8, &text);
    if (rc || !text.len)
        return rc;
    if (!slice_is(text, "json") && !slice_is(text, "jsonl") && !slice_is(text, "csv"))
        return problem_set(&request->problem, METE_E_INVALID, "format",
                           "It must be json, jsonl or csv.");
    *ret_format = slice_is(text, "csv")     ? REPORTS_CSV
                  : slice_is(text, "jsonl") ? REPORTS_LINES
                                            : REPORTS_JSON;
    return 0;
}

static int read_texts(struct request *request, struct audit_filter *filter)
{
    const struct {
        const char *name;
        size_t len_max;
        struct slice *to;
    } texts[] = {{"actor", LIMIT_ID, &filter->actor},
                 {"action", LIMIT_ID, &filter->action},
                 {"kind", LIMIT_ID, &filter->kind},
                 {"id", 2 * LIMIT_ID, &filter->id}};
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof texts / sizeof texts[0]; i++)
        rc = request_query(request, texts[i].name, texts[i].len_max, texts[i].to);
    return rc;
}

static int read_question(struct request *request, struct audit_state *state)
{
    static const char *const known[] = {"actor", "action", "kind",   "id",     "from",
                                        "to",    "limit",  "cursor", "format", NULL};
    struct page page = {0};
    int rc = request_query_known(request, known);
    if (!rc)
        rc = read_texts(request, &state->filter);
    if (!rc)
        rc = read_instant(request, "from", &state->filter.from_us);
    if (!rc)
        rc = read_instant(request, "to", &state->filter.to_us);
    if (!rc)
        rc = read_format(request, &state->format);
    if (!rc)
        rc = request_page(request, &page);
    state->filter.limit = page.limit;
    state->filter.before_seq = page.after;
    return rc;
}

static struct audit_state *begin(struct request *request)
{
    struct audit_state *state = request_take(request, sizeof *state);
    if (!state)
        return NULL;
    request->state = state;
    if (!read_question(request, state))
        return state;
    request_problem(request);
    return NULL;
}

void audit_list(struct request *request)
{
    if (begin(request))
        request_find_organization(request, organization_found);
}

void audit_list_all(struct request *request)
{
    if (begin(request))
        request_look(request, run, done);
}
