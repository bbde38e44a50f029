/* SPDX-License-Identifier: Apache-2.0
 * What was used, added up: GET /cost/usage and /cost/usage/series, and the same of an organization
 * at its own path. Whose is settled here, in one place (INV-12): a key sees itself, whoever is of
 * an organization sees that, the admin everything. */
#include "reports/usage.h"

#include "api/request.h"
#include "api/entities.h"
#include "api/tenancy/zones.h"
#include "api/units.h"
#include "api/usage/handlers.h"
#include "base/assert.h"
#include "base/limits.h"
#include "codec/timestamp.h"

#include <stdlib.h>

enum { DEFAULT_DAYS = 30, TEXT_MAX = 64 };
static const int64_t day_us = INT64_C(86400000000);

struct usage_state {
    struct reports_usage question;
    struct slice organization, department, user, api_key; /* ids */
    struct slice group_by, zone;
    bool is_series;
    struct reports_rates rates; /* to 0: costs are told as they are */
    size_t rates_room;
    struct mete_exchange_view *views; /* a page of them */
};

/* ---- What may be asked ----------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum rollups_by by;
    enum rollups_level level; /* 0: that of whose usage it is */
    enum mete_kind kind;
} groups[] = {
    {"organization", ROLLUPS_BY_SCOPE, ROLLUPS_ORGANIZATION, METE_ORGANIZATION},
    {"department", ROLLUPS_BY_SCOPE, ROLLUPS_DEPARTMENT, METE_DEPARTMENT},
    {"user", ROLLUPS_BY_SCOPE, ROLLUPS_USER, METE_USER},
    {"api_key", ROLLUPS_BY_SCOPE, ROLLUPS_KEY, METE_API_KEY},
    {"tag", ROLLUPS_BY_SCOPE, ROLLUPS_TAG, METE_KIND_NONE},
    {"model", ROLLUPS_BY_MODEL, 0, METE_KIND_NONE},
    {"provider", ROLLUPS_BY_PROVIDER, 0, METE_KIND_NONE},
};

static int wrong(struct request *request, const char *field, const char *text)
{
    return problem_set(&request->problem, METE_E_INVALID, field, "%s", text);
}

static int read_group(struct request *request, struct reports_usage *question)
{
    struct slice text;
    int rc = request_query(request, "group_by", TEXT_MAX, &text);
    if (rc || !text.len)
        return rc;
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        if (!slice_is(text, groups[i].name))
            continue;
        question->by = groups[i].name;
        question->kind = groups[i].kind;
        question->about.by = groups[i].by;
        question->about.level = groups[i].level;
        return 0;
    }
    return wrong(request, "group_by",
                 "It must be organization, department, user, api_key, tag, model or provider.");
}

static int read_interval(struct request *request, struct reports_usage *question)
{
    static const struct {
        const char *name;
        enum mete_period period;
    } intervals[] = {{"hour", METE_HOURLY}, {"day", METE_DAILY}, {"month", METE_MONTHLY}};
    struct slice text;
    question->interval = METE_TOTAL;
    int rc = request_query(request, "interval", TEXT_MAX, &text);
    if (rc || !text.len)
        return rc;
    for (size_t i = 0; i < sizeof intervals / sizeof intervals[0]; i++) {
        if (slice_is(text, intervals[i].name)) {
            question->interval = intervals[i].period;
            return 0;
        }
    }
    return wrong(request, "interval", "It must be hour, day or month.");
}

static int read_bucket(struct request *request, const char *name, int64_t standard_us,
                       uint32_t *ret_bucket)
{
    struct slice text;
    int64_t us = standard_us;
    int rc = request_query(request, name, TEXT_MAX, &text);
    if (rc)
        return rc;
    if (text.len && timestamp_parse(text, &us))
        return wrong(request, name,
                     "It must be an instant, such as 2030-01-31T00:00:00Z (a + as %2B).");
    if (us % ROLLUPS_BUCKET_US)
        return wrong(request, name, "Usage is told by the quarter of an hour: :00, :15, :30, :45.");
    *ret_bucket = (uint32_t)(us / ROLLUPS_BUCKET_US);
    return 0;
}

static int read_currency(struct request *request, struct usage_state *state)
{
    struct slice text;
    int rc = request_query(request, "currency", TEXT_MAX, &text);
    if (rc || !text.len)
        return rc;
    state->rates.to = units_currency(text);
    state->question.rates = &state->rates;
    if (!state->rates.to)
        return wrong(request, "currency", "It must be three capital letters, such as EUR.");
    return state->question.format == REPORTS_CSV
               ? wrong(request, "currency", "A conversion is told in JSON alone.")
               : 0;
}

/* Up to the end of the quarter that is under way, from the midnight of UTC 30 days before. */
static int read_range(struct request *request, struct reports_usage *question)
{
    int64_t now_us = mete_now(request->api->parts.mete).us;
    int64_t end_us = (now_us / ROLLUPS_BUCKET_US + 1) * ROLLUPS_BUCKET_US;
    int rc = read_bucket(request, "to", end_us, &question->to);
    int64_t to_us = question->to * ROLLUPS_BUCKET_US;
    int64_t from_us = to_us > DEFAULT_DAYS * day_us ? to_us - DEFAULT_DAYS * day_us : 0;
    if (!rc)
        rc = read_bucket(request, "from", from_us / day_us * day_us, &question->from);
    if (!rc && question->from >= question->to)
        rc = wrong(request, "from", "It must be before to.");
    return rc;
}

static int read_format(struct request *request, struct reports_usage *question)
{
    struct slice text, accept = request->exchange->ops->header(request->exchange, "Accept");
    int rc = request_query(request, "format", TEXT_MAX, &text);
    if (rc)
        return rc;
    if (text.len && !slice_is(text, "json") && !slice_is(text, "csv"))
        return wrong(request, "format", "It must be json or csv.");
    bool accepts_csv = !text.len && slice_starts(accept, SLICE_LITERAL("text/csv"));
    question->format = accepts_csv || slice_is(text, "csv") ? REPORTS_CSV : REPORTS_JSON;
    return 0;
}

static int read_page(struct request *request, struct reports_usage *question)
{
    struct page page = {0};
    int rc = request_page(request, &page);
    if (rc)
        return rc;
    uint64_t bucket = page.after >> 32;
    if (page.after && (bucket < question->from || bucket >= question->to))
        return wrong(request, "cursor", "It must be the next_cursor of a page before.");
    question->cursor = page.after;
    question->limit = page.limit;
    return 0;
}

static int read_whose(struct request *request, struct usage_state *state)
{
    struct rollups_question *about = &state->question.about;
    const struct {
        const char *name;
        size_t len_max;
        struct slice *to;
    } texts[] = {{"model", LIMIT_ID, &about->model},
                 {"provider", LIMIT_PROVIDER, &about->provider},
                 {"tag", LIMIT_SESSION, &about->tag},
                 {"time_zone", TEXT_MAX, &state->zone}};
    const struct {
        const char *name;
        struct slice *to;
    } ids[] = {{"organization", &state->organization},
               {"department", &state->department},
               {"user", &state->user},
               {"api_key", &state->api_key}};
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof texts / sizeof texts[0]; i++)
        rc = request_query(request, texts[i].name, texts[i].len_max, texts[i].to);
    for (size_t i = 0; !rc && i < sizeof ids / sizeof ids[0]; i++)
        rc = request_query_id(request, ids[i].name, ids[i].to);
    if (!rc && state->zone.len)
        rc = zones_check(&request->problem, "time_zone", state->zone);
    return rc;
}

static int read_series(struct request *request, struct usage_state *state)
{
    static const char *const known[] = {"organization", "department", "user",
                                        "api_key",      "model",      "provider",
                                        "tag",          "time_zone",  NULL};
    int rc = request_query_known(request, known);
    return rc ? rc : read_whose(request, state);
}

static int read_usage(struct request *request, struct usage_state *state)
{
    static const char *const known[] = {
        "organization", "department", "user",     "api_key",  "model", "provider",
        "tag",          "time_zone",  "group_by", "interval", "from",  "to",
        "format",       "limit",      "cursor",   "currency", NULL};
    struct reports_usage *question = &state->question;
    question->tells_margin = request->who.admin;
    int rc = request_query_known(request, known);
    if (!rc)
        rc = read_whose(request, state);
    if (!rc)
        rc = read_group(request, question);
    if (!rc)
        rc = read_interval(request, question);
    if (!rc)
        rc = read_range(request, question);
    if (!rc)
        rc = read_format(request, question);
    if (!rc)
        rc = read_currency(request, state);
    return rc ? rc : read_page(request, question);
}

/* One scope; tags are told of whole organizations. */
static int check_whose(struct request *request, const struct usage_state *state)
{
    bool is_department = state->department.len, is_user = state->user.len;
    bool is_key = state->api_key.len, is_one = is_department || is_user || is_key;
    enum rollups_level by = state->question.about.level;
    if (is_department + is_user + is_key > 1)
        return wrong(request, is_key ? "api_key" : "user",
                     "Name one of department, user and api_key.");
    if ((is_department || is_user) && !state->organization.len && !request->params[0].len)
        return wrong(request, "organization", "It is missing.");
    if (state->question.about.tag.len && (is_one || (by && by != ROLLUPS_ORGANIZATION)))
        return wrong(request, "tag", "Usage by tag is told of whole organizations.");
    if (is_one && (by == ROLLUPS_TAG || by == ROLLUPS_ORGANIZATION))
        return wrong(request, "group_by", "It is told of whole organizations.");
    if (by == ROLLUPS_DEPARTMENT && (is_user || is_key))
        return wrong(request, "group_by", "A department is not part of that.");
    if (by == ROLLUPS_USER && is_key)
        return wrong(request, "group_by", "A user is not part of that.");
    return 0;
}

/* ---- Whose it is ----------------------------------------------------------------------------- */

/* A scope of this level is asked for; what is told apart may stand below it. */
static void ask_of(struct rollups_question *about, enum rollups_level level,
                   struct mete_scope_id scope)
{
    if (about->tag.len)
        about->level = ROLLUPS_TAG;
    else if (!about->level)
        about->level = level;
    if (about->level == level)
        about->scope = scope;
    else if (level == ROLLUPS_DEPARTMENT)
        about->department = scope;
    else if (level == ROLLUPS_USER)
        about->user = scope;
}

/* ---- Answering ------------------------------------------------------------------------------- */

static int keep_organization(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    struct usage_state *state = request->state;
    if (entity->handle != state->question.about.organization.n)
        return METE_E_CORRUPT;
    state->organization = arena_copy(&request->arena, entity->id);
    return state->organization.data ? 0 : METE_E_MEMORY;
}

/* The organization's, unless the request names another. */
static int find_zone(struct request *request, struct calendar_zones *zones)
{
    struct usage_state *state = request->state;
    struct reports_usage *question = &state->question;
    uint32_t organization = question->about.organization.n;
    int rc = 0;
    if (!state->zone.len && organization && !state->organization.len)
        rc = directory_list(request->reader, METE_ORGANIZATION, (struct mete_scope_id){0},
                            organization - 1, 1, keep_organization, request);
    if (!rc && !state->zone.len && state->organization.len)
        rc = organizations_zone(request, state->organization, &state->zone);
    question->zone_name = state->zone.len ? state->zone : SLICE_LITERAL("UTC");
    return rc ? rc : calendar_zones_find(zones, state->zone, &question->zone);
}

static int run(struct request *request, struct records_reader *reader)
{
    const struct usage_state *state = request->state;
    struct calendar_zones *zones = NULL;
    int64_t now_us = mete_now(request->api->parts.mete).us;
    const struct os *os = request->api->parts.os;
    int rc = calendar_zones_open(os ? os : os_system(), &zones);
    if (!rc)
        rc = find_zone(request, zones);
    if (!rc && state->is_series)
        rc = reports_usage_series(reader, &state->question, now_us, &request->out.bytes);
    else if (!rc)
        rc = reports_usage(reader, &state->question, &request->out.bytes, &request->next_cursor);
    calendar_zones_close(zones);
    return rc;
}

static void done(struct request *request)
{
    struct usage_state *state = request->state;
    bool is_csv = state->question.format == REPORTS_CSV;
    free(state->rates.at);
    state->rates.at = NULL;
    if (request->work_status == METE_E_TOO_LARGE) {
        request_fail(request, METE_E_INVALID, "from", "A sum is larger than any amount may be.");
        return;
    }
    if (request->work_status == METE_E_NOT_FOUND) {
        request_fail(request, METE_E_INVALID, "from",
                     "So long ago usage is told by whole days of UTC (retention.reports).");
        return;
    }
    if (request_failed(request))
        return;
    request->type = is_csv ? "text/csv; charset=utf-8" : NULL;
    if (!is_csv)
        request->next_cursor = 0; /* it is in the page */
    request_reply(request, 200);
}

/* ---- Exchange rates --------------------------------------------------------------------------
 */

enum { RATES = 1000 };

static int add_rate(struct usage_state *state, const struct mete_exchange_view *view)
{
    struct reports_rates *rates = &state->rates;
    if (rates->len == state->rates_room) {
        size_t room = state->rates_room ? 2 * state->rates_room : 64;
        struct reports_rate *grown = realloc(rates->at, room * sizeof *grown);
        if (!grown)
            return METE_E_MEMORY;
        rates->at = grown;
        state->rates_room = room;
    }
    rates->at[rates->len++] = (struct reports_rate){.from = view->rate.from,
                                                    .number = view->number,
                                                    .effective_us = view->rate.effective_at.us,
                                                    .numerator = view->rate.numerator,
                                                    .denominator = view->rate.denominator};
    return 0;
}

static void ask_rates(struct request *request, uint32_t after);

static void got_rates(struct request *request)
{
    struct usage_state *state = request->state;
    size_t all = request->answer.rows_len, len = all < RATES ? all : RATES;
    int rc = request->op.status;
    for (size_t i = 0; !rc && i < len; i++)
        if (state->views[i].rate.to == state->rates.to)
            rc = add_rate(state, &state->views[i]);
    if (rc) {
        free(state->rates.at);
        request_fail(request, rc, NULL, NULL);
    } else if (all > len) {
        ask_rates(request, state->views[len - 1].number);
    } else {
        convert_sort(&state->rates);
        request_work(request, run, done);
    }
}

static void ask_rates(struct request *request, uint32_t after)
{
    struct usage_state *state = request->state;
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_EXCHANGES,
                                                  .after = after,
                                                  .exchanges = state->views,
                                                  .rows_max = RATES}};
    request_ask(request, got_rates);
}

static void answer(struct request *request)
{
    struct usage_state *state = request->state;
    ASSERT_INV("INV-12", request->who.admin ||
                             state->question.about.organization.n == request->who.organization.n);
    if (!state->rates.to) {
        request_work(request, run, done);
        return;
    }
    state->views = request_take(request, RATES * sizeof *state->views);
    if (state->views)
        ask_rates(request, 0);
}

static void scope_found(struct request *request)
{
    struct usage_state *state = request->state;
    if (request_missed(request, state->user.len ? "user" : "department"))
        return;
    ask_of(&state->question.about, state->user.len ? ROLLUPS_USER : ROLLUPS_DEPARTMENT,
           request->found);
    answer(request);
}

static void key_of(struct request *request)
{
    struct usage_state *state = request->state;
    struct rollups_question *about = &state->question.about;
    const struct directory_key *key =
        directory_find_id(request->api->parts.directory, state->api_key);
    bool is_there = key && request_sees(request, key->organization) &&
                    (!about->organization.n || about->organization.n == key->organization.n);
    if (!is_there) {
        request_fail(request, METE_E_NOT_FOUND, "api_key", "Nothing here has this id.");
        return;
    }
    about->organization = key->organization;
    ask_of(about, ROLLUPS_KEY, key->scope);
    answer(request);
}

static void of_organization(struct request *request)
{
    struct usage_state *state = request->state;
    if (state->api_key.len)
        key_of(request);
    else if (state->user.len)
        request_find(request, METE_USER, state->user, scope_found);
    else if (state->department.len)
        request_find(request, METE_DEPARTMENT, state->department, scope_found);
    else {
        ask_of(&state->question.about, ROLLUPS_ORGANIZATION, state->question.about.organization);
        answer(request);
    }
}

static void organization_found(struct request *request)
{
    struct usage_state *state = request->state;
    if (request_missed(request, request->params[0].len ? "org" : "organization"))
        return;
    if (!request_sees(request, request->found)) {
        request_fail(request, METE_E_NOT_FOUND, "organization", "Nothing here has this id.");
        return;
    }
    state->question.about.organization = request->found;
    of_organization(request);
}

/* A key asks of itself alone. */
static void of_key(struct request *request)
{
    struct usage_state *state = request->state;
    struct rollups_question *about = &state->question.about;
    if (state->organization.len || state->department.len || state->user.len) {
        request_fail(request, METE_E_FORBIDDEN, state->user.len ? "user" : "organization",
                     "A key sees its own usage.");
        return;
    }
    if (about->tag.len || (about->level && about->level != ROLLUPS_KEY)) {
        request_fail(request, METE_E_FORBIDDEN, about->tag.len ? "tag" : "group_by",
                     "A key sees its own usage, by model or provider.");
        return;
    }
    const struct directory_key *named =
        directory_find_id(request->api->parts.directory, state->api_key);
    if (state->api_key.len && (!named || named->scope.n != request->who.scope.n)) {
        request_fail(request, METE_E_NOT_FOUND, "api_key", "Nothing here has this id.");
        return;
    }
    ASSERT_INV("INV-12", request->who.scope.n > 0);
    about->organization = request->who.organization;
    ask_of(about, ROLLUPS_KEY, request->who.scope);
    answer(request);
}

/* The admin without an organization, or who is of one and does not name it. */
static void of_any(struct request *request)
{
    struct usage_state *state = request->state;
    if (state->api_key.len) {
        key_of(request);
        return;
    }
    state->question.about.organization = request->who.organization; /* the admin: of all */
    ask_of(&state->question.about, ROLLUPS_ORGANIZATION, request->who.organization);
    answer(request);
}

static void begin(struct request *request, bool is_series)
{
    struct usage_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    state->is_series = is_series;
    int rc = is_series ? read_series(request, state) : read_usage(request, state);
    if (!rc)
        rc = check_whose(request, state);
    bool is_key = !request->who.admin && request->who.scope.n != request->who.organization.n;
    if (request->params[0].len)
        state->organization = request->params[0];
    if (rc)
        request_problem(request);
    else if (is_key)
        of_key(request);
    else if (state->organization.len)
        request_find(request, METE_ORGANIZATION, state->organization, organization_found);
    else
        of_any(request);
}

void usage_show(struct request *request)
{
    begin(request, false);
}

void usage_series(struct request *request)
{
    begin(request, true);
}
