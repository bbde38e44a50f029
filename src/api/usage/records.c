/* SPDX-License-Identifier: Apache-2.0
 * Usage records, newest first, or one by its id. A key sees its own alone (INV-12): its scope
 * replaces whatever scope it may ask for. */
#include "api/usage/handlers.h"
#include "api/request.h"
#include "base/assert.h"
#include "base/limits.h"
#include "codec/timestamp.h"
#include "reports/reports.h"

uint64_t records_number(struct slice id)
{
    enum { DIGITS_MAX = 18 };
    uint64_t number = 0;
    if (id.len < 5 || id.len > 4 + DIGITS_MAX || !slice_starts(id, SLICE_LITERAL("rec_")) ||
        id.data[4] == '0')
        return 0;
    for (size_t i = 4; i < id.len; i++) {
        if (id.data[i] < '0' || id.data[i] > '9')
            return 0;
        number = number * 10 + (uint64_t)(id.data[i] - '0');
    }
    return number;
}

struct records_state {
    struct records_filter filter;
    struct slice organization, department, user, api_key;
};

static int run(struct request *request, struct records_reader *reader)
{
    const struct records_state *state = request->state;
    return reports_records(reader, &state->filter, request->who.admin, &request->out.bytes);
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

static int read_ending(struct request *request, int *ret_ending)
{
    struct slice text;
    int rc = request_query(request, "ending", 32, &text);
    if (rc || !text.len)
        return rc;
    enum mete_ending ending = reports_ending(text);
    if (ending == METE_ENDINGS)
        return problem_set(&request->problem, METE_E_INVALID, "ending",
                           "It must be an ending that a record can have, such as timeout.");
    *ret_ending = 1 + (int)ending;
    return 0;
}

static int read_status(struct request *request, int *ret_status)
{
    struct slice text;
    int status = 0, rc = request_query(request, "status", 3, &text);
    if (rc || !text.len)
        return rc;
    for (size_t i = 0; i < text.len; i++) {
        bool is_digit = text.data[i] >= '0' && text.data[i] <= '9';
        status = is_digit ? status * 10 + (text.data[i] - '0') : -1000;
    }
    if (status < 100)
        return problem_set(&request->problem, METE_E_INVALID, "status",
                           "It must be an HTTP status, 100 to 999.");
    *ret_status = status;
    return 0;
}

/* What a record's text must be. */
static int read_texts(struct request *request, struct records_filter *filter)
{
    const struct {
        const char *name;
        size_t len_max;
        struct slice *to;
    } texts[] = {{"model", LIMIT_ID, &filter->model},
                 {"provider", LIMIT_PROVIDER, &filter->provider},
                 {"session", LIMIT_SESSION, &filter->session},
                 {"tag", LIMIT_SESSION, &filter->tag},
                 {"upstream_id", LIMIT_ID, &filter->upstream_id}};
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof texts / sizeof texts[0]; i++)
        rc = request_query(request, texts[i].name, texts[i].len_max, texts[i].to);
    return rc;
}

static int read_filter(struct request *request, struct records_state *state)
{
    static const char *const known[] = {
        "request_id", "organization", "department", "user",        "api_key",     "model",
        "provider",   "session",      "tag",        "upstream_id", "ending",      "status",
        "from",       "to",           "limit",      "cursor",      "provisional", NULL};
    struct records_filter *filter = &state->filter;
    struct page page;
    int rc = request_query_known(request, known);
    if (!rc)
        rc = read_request_id(request, &filter->request_id);
    if (!rc)
        rc = read_texts(request, filter);
    if (!rc)
        rc = read_ending(request, &filter->ending);
    if (!rc)
        rc = read_status(request, &filter->status);
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

/* The admin's: everything, an organization, one of its scopes, or a key; of others what they may
 * see of it. */
static void read_any(struct request *request)
{
    struct records_state *state = request->state;
    if (state->api_key.len) {
        const struct directory_key *key =
            directory_find_id(request->api->parts.directory, state->api_key);
        if (!key || !request_sees(request, key->organization)) {
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

/* ---- One ------------------------------------------------------------------------------------- */

struct record_state {
    struct records_filter filter;
    bool found, tells_list;
    struct records_reader *reader;
    struct buffer *out;
};

static int put_found(void *user, const struct records_usage *usage)
{
    struct record_state *state = user;
    state->found = true;
    return reports_record_json(state->reader, usage, state->tells_list, state->out);
}

static int run_one(struct request *request, struct records_reader *reader)
{
    struct record_state *state = request->state;
    state->reader = reader;
    state->tells_list = request->who.admin;
    state->out = &request->out.bytes;
    return records_each_usage(reader, &state->filter, put_found, state);
}

static void one_done(struct request *request)
{
    const struct record_state *state = request->state;
    if (request_failed(request))
        return;
    if (state->found)
        request_reply(request, 200);
    else
        request_fail(request, METE_E_NOT_FOUND, "record", "There is no such record.");
}

void records_show(struct request *request)
{
    struct record_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    state->filter = (struct records_filter){.limit = 1, .seq = records_number(request->params[0])};
    if (!request->who.admin) { /* another's is not there (INV-12) */
        ASSERT_INV("INV-12", request->who.scope.n > 0);
        state->filter.scope = request->who.scope;
    }
    if (state->filter.seq)
        request_work(request, run_one, one_done);
    else
        request_fail(request, METE_E_NOT_FOUND, "record", "There is no such record.");
}

/* ---- Lists ----------------------------------------------------------------------------------- */

/* A member's organization, named or not (INV-12). */
static bool is_own(struct request *request, struct records_state *state)
{
    bool is =
        !state->organization.len || slice_equal(state->organization, request->who.organization_id);
    state->organization = request->who.organization_id;
    return is;
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
    if (!request->who.key) {
        if (!request->who.admin && !is_own(request, state))
            request_fail(request, METE_E_NOT_FOUND, "organization", "Nothing here has this id.");
        else
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
