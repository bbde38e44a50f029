/* SPDX-License-Identifier: Apache-2.0
 * Requests are kept and used again: their memory (out, arena room) is warm, and a plain call makes
 * no allocation. What waits for the engine is request->op, or a batch of an inquiry: the engine
 * borrows them until done(), and a request is not freed before, because only its own steps end it.
 * Not done: cancelling when the client leaves. What was submitted will happen; the reply goes
 * nowhere. */
#include "api/request.h"

#include "api/readers.h"
#include "base/assert.h"
#include "base/errors.h"
#include "base/limits.h"
#include "codec/base62.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { IDLE_MAX = 64, OUT_KEPT = 256 * 1024 };

struct mete_text request_text(struct slice slice)
{
    return (struct mete_text){slice.data, slice.len};
}

struct request *request_new(struct api *api, struct exchange *exchange)
{
    struct request *request = api->idle;
    if (request) {
        api->idle = request->next;
        api->idle_len--;
    } else {
        request = malloc(sizeof *request);
        if (!request)
            return NULL;
        arena_init(&request->arena);
        out_init(&request->out, LIMIT_REPLY);
    }
    request->api = api;
    request->exchange = exchange;
    request->route = NULL;
    request->who = (struct principal){0};
    request->problem.error = 0;
    request->work_status = 0;
    request->inquiry = NULL;
    request->document = NULL;
    request->step = NULL;
    request->wants = NULL;
    request->has_turn = false;
    request->state = NULL;
    request->allow = NULL;
    request->type = NULL;
    request->next_cursor = 0;
    request->version = 0;
    request->secret = (struct slice){0};
    request->cookie = (struct slice){0};
    request->retry_after_s = 0;
    request->replay = NULL;
    request->replayed = false;
    request->last_seq = 0;
    memset(request->params, 0, sizeof request->params);
    exchange->state = request;
    api->open++;
    return request;
}

static void free_request(struct request *request)
{
    out_done(&request->out);
    arena_clear(&request->arena);
    free(request);
}

void request_pool_free(struct api *api)
{
    ASSERT(api->open == 0);
    while (api->idle) {
        struct request *next = api->idle->next;
        free_request(api->idle);
        api->idle = next;
    }
}

/* The next one waiting begins after this one is out of the way. Those that end at once are passed
 * in the loop, not one inside the other. */
static void pass_turn(struct api *api)
{
    ASSERT(api->turn_taken);
    api->turn_taken = false;
    if (api->passing)
        return;
    api->passing = true;
    while (!api->turn_taken && api->turn_first) {
        struct request *next = api->turn_first;
        api->turn_first = next->next;
        if (!api->turn_first)
            api->turn_last = NULL;
        api->turn_taken = true;
        next->has_turn = true;
        next->then(next);
    }
    api->passing = false;
}

static void end(struct request *request)
{
    struct api *api = request->api;
    bool had_turn = request->has_turn;
    if (request->replay)
        replays_end(request);
    ASSERT(api->open > 0);
    api->open--;
    arena_clear(&request->arena);
    if (api->idle_len < IDLE_MAX && request->out.bytes.room <= OUT_KEPT) {
        out_clear(&request->out);
        request->next = api->idle;
        api->idle = request;
        api->idle_len++;
    } else {
        free_request(request);
    }
    if (had_turn)
        pass_turn(api);
}

/* ---- Ending ---------------------------------------------------------------------------------- */

static void reply(struct request *request, int status, const char *type)
{
    struct exchange_header headers[9];
    size_t len = 0;
    char etag[32], cursor[24], wait[24] = "1";
    if (type)
        headers[len++] = (struct exchange_header){"Content-Type", slice_of(type)};
    if (status == 401)
        headers[len++] = (struct exchange_header){"WWW-Authenticate", SLICE_LITERAL("Bearer")};
    if (request->retry_after_s)
        snprintf(wait, sizeof wait, "%lld", (long long)request->retry_after_s);
    if (status == 503 || request->retry_after_s)
        headers[len++] = (struct exchange_header){"Retry-After", slice_of(wait)};
    if (request->cookie.len && status < 300) {
        headers[len++] = (struct exchange_header){"Set-Cookie", request->cookie};
        headers[len++] = (struct exchange_header){"Cache-Control", SLICE_LITERAL("no-store")};
    }
    if (request->replayed)
        headers[len++] = (struct exchange_header){"Idempotency-Replayed", SLICE_LITERAL("true")};
    if (request->version && status < 300) {
        snprintf(etag, sizeof etag, "\"%llu\"", (unsigned long long)request->version);
        headers[len++] = (struct exchange_header){"ETag", slice_of(etag)};
    }
    if (request->next_cursor && status < 300) {
        snprintf(cursor, sizeof cursor, "%llu", (unsigned long long)request->next_cursor);
        headers[len++] = (struct exchange_header){"Next-Cursor", slice_of(cursor)};
    }
    if (request->allow)
        headers[len++] = (struct exchange_header){"Allow", slice_of(request->allow)};
    struct exchange *exchange = request->exchange;
    struct slice body = buffer_slice(&request->out.bytes);
    exchange->state = NULL;
    exchange->ops->reply(exchange, status, headers, len, body);
    end(request);
}

void request_problem(struct request *request)
{
    int status = errors_http_status(request->problem.error);
    if (request->step)
        transaction_problem(request);
    out_clear(&request->out);
    problem_write(&request->out, &request->problem);
    ASSERT(!request->out.failed);
    reply(request, status, "application/problem+json");
}

void request_fail(struct request *request, int error, const char *field, const char *format, ...)
{
    char detail[PROBLEM_DETAIL] = "";
    if (format) {
        va_list args;
        va_start(args, format);
        vsnprintf(detail, sizeof detail, format, args);
        va_end(args);
    }
    problem_set(&request->problem, error, field, "%s", detail);
    request_problem(request);
}

void request_answer(struct request *request, int status)
{
    if (request->out.failed) {
        request_fail(request, METE_E_FULL, NULL, "The reply is too large: ask for less.");
        return;
    }
    const char *type = request->type ? request->type : "application/json";
    reply(request, status, request->out.bytes.len ? type : NULL);
}

static void answer_kept(struct request *request)
{
    request_answer(request, request->kept_status);
}

void request_reply(struct request *request, int status)
{
    if (!request->replay || status >= 300 || request->out.failed) {
        request_answer(request, status);
        return;
    }
    request->kept_status = status;
    replays_keep(request, status, answer_kept);
}

void request_reply_empty(struct request *request, int status)
{
    out_clear(&request->out);
    request_reply(request, status);
}

void *request_take(struct request *request, size_t len)
{
    void *at = arena_take(&request->arena, len);
    if (!at)
        request_fail(request, METE_E_MEMORY, NULL, NULL);
    return at;
}

/* ---- One operation --------------------------------------------------------------------------- */

static void op_done(struct mete_op *op)
{
    struct request *request = op->user;
    request->then(request);
}

void request_ask(struct request *request, void (*then)(struct request *request))
{
    struct mete_op *op = &request->op;
    request->then = then;
    op->user = request;
    op->done = op_done;
    if (op->kind == METE_OP_QUERY && op->args.query.kind == METE_QUERY_SCOPE && request->step &&
        transaction_view(request, op->args.query.scope, &request->answer.scope)) {
        op->status = 0;
        then(request);
        return;
    }
    if (op->kind == METE_OP_QUERY)
        op->result.answer = &request->answer;
    else if (op->kind == METE_OP_APPLY && !op->handles)
        op->handles = request->handles;
    if (mete_submit(request->api->parts.port, &op, 1) == 1)
        return;
    op->status = METE_E_BUSY;
    then(request);
}

void request_apply(struct request *request, const struct mete_change *changes, size_t len,
                   void (*then)(struct request *request))
{
    uint32_t *handles = NULL;
    bool is_large = len > REQUEST_CHANGES;
    if (request->step && transaction_collect(request, changes, len, then))
        return;
    changes = replays_mark(request, changes, &len);
    if (is_large)
        handles = arena_take(&request->arena, len * sizeof *handles);
    if (!changes || (is_large && !handles)) {
        request_fail(request, METE_E_MEMORY, NULL, NULL);
        return;
    }
    request->op = (struct mete_op){
        .kind = METE_OP_APPLY,
        .args.apply = {.changes = changes, .len = len, .actor = request_text(request->who.name)},
        .handles = handles};
    request_ask(request, then);
}

/* ---- Versions ---------------------------------------------------------------------------------
 */

bool request_matches(struct request *request, uint64_t version)
{
    const struct exchange *exchange = request->exchange;
    struct slice wanted = exchange->ops->header(exchange, "If-Match");
    char own[32];
    snprintf(own, sizeof own, "\"%llu\"", (unsigned long long)version);
    if (!wanted.len || slice_is(wanted, "*") || slice_is(wanted, own))
        return true;
    request_fail(request, METE_E_CHANGED, "If-Match", "It has been changed since: now it is %s.",
                 own);
    return false;
}

struct mete_scope_id request_made(const struct request *request, struct mete_scope_id scope)
{
    return request->step ? transaction_made(request, scope) : scope;
}

struct slice request_scope_name(struct request *request, struct mete_scope_id scope)
{
    struct mete_scope_view view;
    if (request->step && transaction_view(request, scope, &view))
        return arena_copy(&request->arena, slice_of(view.id));
    const struct name *name = scope.n ? namebook_scope(request->api->names, scope.n) : NULL;
    return name ? namebook_id(name) : (struct slice){0};
}

bool request_sees(const struct request *request, struct mete_scope_id organization)
{
    return request->who.admin || request->who.organization.n == organization.n;
}

struct mete_text request_actor(const struct request *request)
{
    return request->who.is_key ? (struct mete_text){0} : request_text(request->who.name);
}

/* ---- Scopes by id -----------------------------------------------------------------------------
 */

static void found(struct request *request)
{
    if (!request->op.status) {
        namebook_learn_scope(request->api->names, &request->answer.scope);
        request->found = request->answer.scope.scope;
        if (request->answer.scope.ended)
            request->op.status = METE_E_NOT_FOUND;
    }
    request->after_find(request);
}

void request_find(struct request *request, enum mete_kind kind, struct slice id,
                  void (*then)(struct request *request))
{
    struct mete_scope_id organization = request->found;
    if (kind == METE_ORGANIZATION)
        organization = (struct mete_scope_id){0};
    struct mete_scope_id made =
        request->step ? transaction_scope(request, kind, organization, id) : organization;
    if (request->step && made.n) {
        request->op.status = 0;
        request->found = made;
        then(request);
        return;
    }
    const struct name *name = namebook_find(request->api->names, kind, organization.n, id);
    if (name) {
        request->op.status = 0;
        request->found = (struct mete_scope_id){name->handle};
        then(request);
        return;
    }
    if (!fields_is_id(id)) { /* no such id can have been made: nothing to ask */
        request->op.status = METE_E_NOT_FOUND;
        then(request);
        return;
    }
    request->after_find = then;
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_FIND_SCOPE,
                                                  .scope_kind = kind,
                                                  .id = request_text(id),
                                                  .organization = organization}};
    request_ask(request, found);
}

bool request_missed(struct request *request, const char *field)
{
    int status = request->op.status;
    if (!status)
        return false;
    if (status == METE_E_NOT_FOUND)
        request_fail(request, status, field, "Nothing here has this id.");
    else
        request_fail(request, status, NULL, NULL);
    return true;
}

bool request_failed(struct request *request)
{
    int status = request->work_status;
    if (status)
        request_fail(request, status, NULL, NULL);
    return status != 0;
}

void request_find_organization(struct request *request, void (*then)(struct request *request))
{
    request_find(request, METE_ORGANIZATION, request->params[0], then);
}

/* ---- Records, on a worker ----------------------------------------------------------------------
 */

static void work_run(struct work *work)
{
    struct request *request = (struct request *)((char *)work - offsetof(struct request, work));
    struct records_reader *reader;
    int rc = readers_take(request->api->readers, &reader);
    if (!rc) {
        /* First: what is read is no older. */
        rc = records_reader_last_seq(reader, &request->last_seq);
        request->reader = reader;
        if (!rc)
            rc = request->run(request, reader);
        request->reader = NULL;
        readers_give(request->api->readers, reader);
    }
    request->work_status = rc;
}

static void work_done(struct work *work)
{
    struct request *request = (struct request *)((char *)work - offsetof(struct request, work));
    request->after_work(request);
}

static void submit_work(struct request *request, void (*run)(struct work *work))
{
    struct workers *workers = request->api->parts.workers;
    request->work = (struct work){.run = run, .done = work_done};
    if (workers->submit(workers, &request->work))
        return;
    request->work_status = METE_E_BUSY;
    request->after_work(request);
}

static void projected(struct request *request)
{
    request->work_status = request->op.status;
    if (request->work_status)
        request->after_work(request);
    else
        submit_work(request, work_run);
}

static void work_behind(struct request *request, int of_changes,
                        int (*run)(struct request *request, struct records_reader *reader),
                        void (*then)(struct request *request))
{
    request->run = run;
    request->after_work = then;
    request->op =
        (struct mete_op){.kind = METE_OP_QUERY,
                         .args.query = {.kind = METE_QUERY_PROJECTED, .of_changes = of_changes}};
    request_ask(request, projected);
}

void request_work(struct request *request,
                  int (*run)(struct request *request, struct records_reader *reader),
                  void (*then)(struct request *request))
{
    work_behind(request, 0, run, then);
}

void request_look(struct request *request,
                  int (*run)(struct request *request, struct records_reader *reader),
                  void (*then)(struct request *request))
{
    work_behind(request, 1, run, then);
}

static void compute_run(struct work *work)
{
    struct request *request = (struct request *)((char *)work - offsetof(struct request, work));
    request->work_status = request->run(request, NULL);
}

void request_compute(struct request *request,
                     int (*run)(struct request *request, struct records_reader *reader),
                     void (*then)(struct request *request))
{
    request->run = run;
    request->after_work = then;
    submit_work(request, compute_run);
}

/* ---- Turns -------------------------------------------------------------------------------------
 */

void request_turn(struct request *request, void (*then)(struct request *request))
{
    struct api *api = request->api;
    ASSERT(!request->has_turn);
    if (request->step) { /* the transaction has it */
        then(request);
        return;
    }
    if (!api->turn_taken) {
        api->turn_taken = true;
        request->has_turn = true;
        then(request);
        return;
    }
    request->then = then;
    request->next = NULL;
    if (api->turn_last)
        api->turn_last->next = request;
    else
        api->turn_first = request;
    api->turn_last = request;
}

struct slice request_make_id(struct request *request, const char *prefix)
{
    enum { DIGITS = 16 };
    size_t len = strlen(prefix), end = len + DIGITS;
    char *room = arena_take(&request->arena, end);
    if (!room)
        return (struct slice){0};
    memcpy(room, prefix, len);
    while (len < end) {
        uint8_t bytes[DIGITS];
        request->api->parts.random(request->api->parts.random_user, bytes, sizeof bytes);
        len += base62_digits(bytes, sizeof bytes, room + len, end - len);
    }
    return (struct slice){room, end};
}
