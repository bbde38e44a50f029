/* SPDX-License-Identifier: Apache-2.0
 * Usage records, newest first. A key sees its own alone (INV-12): its scope replaces whatever
 * scope it may ask for. */
#include "api/request.h"
#include "base/assert.h"
#include "base/limits.h"
#include "codec/timestamp.h"
#include "reports/reports.h"

struct records_state {
    struct records_filter filter;
    struct slice organization, department, user, api_key;
};

static int run(struct request *request, struct records_reader *reader)
{
    const struct records_state *state = request->state;
    return reports_records(reader, &state->filter, &request->out.bytes);
}

static void done(struct request *request)
{
    if (!request_failed(request))
        request_reply(request, 200);
}

static void scope_found(struct request *request)
{
    struct records_state *state = request->state;
    if (request_missed(request, state->user.len         ? "user"
                                : state->department.len ? "department"
                                                        : "organization"))
        return;
    state->filter.scope = request->found;
    request_work(request, run, done);
}

static void organization_found(struct request *request)
{
    struct records_state *state = request->state;
    if (request_missed(request, "organization"))
        return;
    if (state->user.len)
        request_find(request, METE_USER, state->user, scope_found);
    else if (state->department.len)
        request_find(request, METE_DEPARTMENT, state->department, scope_found);
    else
        scope_found(request);
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

/* Wider than an id: the gateway takes whatever a client's header has. */
static int read_request_id(struct request *request, struct slice *ret_id)
{
    struct slice id;
    int rc = request_query(request, "request_id", LIMIT_ID, &id);
    if (rc)
        return rc;
    if (id.len && memchr(id.data, ' ', id.len))
        return problem_set(&request->problem, METE_E_INVALID, "request_id",
                           "No request id has a space.");
    *ret_id = id;
    return 0;
}

static int read_provisional(struct request *request, int *ret_provisional)
{
    struct slice text;
    int rc = request_query(request, "provisional", 5, &text);
    if (rc || !text.len)
        return rc;
    if (!slice_is(text, "true") && !slice_is(text, "false"))
        return problem_set(&request->problem, METE_E_INVALID, "provisional",
                           "It must be true or false.");
    *ret_provisional = slice_is(text, "true");
    return 0;
}

static int read_filter(struct request *request, struct records_state *state)
{
    static const char *const known[] = {"request_id", "organization", "department",  "user",
                                        "api_key",    "model",        "from",        "to",
                                        "limit",      "cursor",       "provisional", NULL};
    struct records_filter *filter = &state->filter;
    struct page page;
    int rc = request_query_known(request, known);
    if (!rc)
        rc = read_request_id(request, &filter->request_id);
    if (!rc)
        rc = request_query(request, "model", 128, &filter->model);
    if (!rc)
        rc = read_provisional(request, &filter->provisional);
    if (!rc)
        rc = read_instant(request, "from", &filter->from_us);
    if (!rc)
        rc = read_instant(request, "to", &filter->to_us);
    if (!rc)
        rc = request_page(request, &page);
    if (rc)
        return rc;
    filter->limit = page.limit;
    filter->before_seq = page.after;
    return 0;
}

static int read_scope(struct request *request, struct records_state *state)
{
    int rc = request_query_id(request, "organization", &state->organization);
    if (!rc)
        rc = request_query_id(request, "department", &state->department);
    if (!rc)
        rc = request_query_id(request, "user", &state->user);
    if (!rc)
        rc = request_query_id(request, "api_key", &state->api_key);
    if (rc)
        return rc;
    if ((state->department.len > 0) + (state->user.len > 0) + (state->api_key.len > 0) > 1)
        return problem_set(&request->problem, METE_E_INVALID,
                           state->api_key.len ? "api_key" : "user",
                           "Name one of department, user and api_key.");
    if ((state->department.len || state->user.len) && !state->organization.len)
        return problem_set(&request->problem, METE_E_INVALID, "organization", "It is missing.");
    return 0;
}

/* The admin's: everything, an organization, one of its scopes, or a key. */
static void read_any(struct request *request)
{
    struct records_state *state = request->state;
    if (state->api_key.len) {
        const struct directory_key *key =
            directory_find_id(request->api->parts.directory, state->api_key);
        if (!key) {
            request_fail(request, METE_E_NOT_FOUND, "api_key", "Nothing here has this id.");
            return;
        }
        state->filter.scope = key->scope;
    } else if (state->organization.len) {
        request_find(request, METE_ORGANIZATION, state->organization, organization_found);
        return;
    }
    request_work(request, run, done);
}

void records_list(struct request *request)
{
    struct records_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    if (read_filter(request, state) || read_scope(request, state)) {
        request_problem(request);
        return;
    }
    if (request->who.admin) {
        read_any(request);
        return;
    }
    if (state->organization.len || state->department.len || state->user.len) {
        request_fail(request, METE_E_FORBIDDEN, state->user.len ? "user" : "organization",
                     "A key sees its own records.");
        return;
    }
    const struct directory_key *named =
        directory_find_id(request->api->parts.directory, state->api_key);
    if (state->api_key.len && (!named || named->scope.n != request->who.scope.n)) {
        request_fail(request, METE_E_NOT_FOUND, "api_key", "Nothing here has this id.");
        return;
    }
    ASSERT_INV("INV-12", request->who.scope.n > 0);
    state->filter.scope = request->who.scope;
    request_work(request, run, done);
}
