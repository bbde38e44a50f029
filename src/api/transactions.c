/* SPDX-License-Identifier: Apache-2.0
 * An operation is a request on an exchange in memory. Handles of scopes that are yet to be made are
 * METE_FROM_CHANGE() of their place in the whole batch plus WHOLE; those that a handler gives out
 * itself are of its own changes, and are moved as they are collected. */
#include "api/transactions.h"

#include "api/request.h"
#include "base/assert.h"
#include "base/errors.h"
#include "base/limits.h"

#include <stdio.h>

enum { WHOLE = 0x10000, OPERATIONS_MAX = LIMIT_CHANGES - 1 };

struct step {
    struct exchange exchange; /* first: the exchange is the step */
    struct transaction *transaction;
    struct slice method, path, if_match;
    struct json body;
    struct request *waiting; /* for the batch */
    size_t first, len;       /* its changes */
    struct problem problem;
    struct slice reply;
    int status; /* 0: not answered yet */
};

struct transaction {
    struct request *request;
    struct step *steps;
    size_t len, begun, answered, failed; /* failed: the first that did, from 1; 0: none */
    struct mete_change *changes;
    size_t changes_len;
    uint32_t *handles;
    bool is_applied, is_over, advancing;
};

static void advance(struct transaction *transaction);

/* ---- The exchange of a step --------------------------------------------------------------------
 */

static struct step *step_of(const struct exchange *exchange)
{
    union {
        const struct exchange *shown;
        struct step *step;
    } at = {.shown = exchange};
    return at.step;
}

static struct slice step_header(const struct exchange *exchange, const char *name)
{
    const struct step *step = step_of(exchange);
    return strcmp(name, "If-Match") ? (struct slice){0} : step->if_match;
}

static void step_reply(struct exchange *exchange, int status, const struct exchange_header *headers,
                       size_t headers_len, struct slice body)
{
    (void)headers, (void)headers_len;
    struct step *step = step_of(exchange);
    struct transaction *transaction = step->transaction;
    step->reply = arena_copy(&transaction->request->arena, body);
    step->status = step->reply.data ? status : 503;
    step->waiting = NULL;
    transaction->answered++;
    if (step->status >= 300 && !transaction->failed)
        transaction->failed = (size_t)(step - transaction->steps) + 1;
    advance(transaction);
}

static void no_start(struct exchange *exchange, int status, const struct exchange_header *headers,
                     size_t headers_len)
{
    (void)exchange, (void)status, (void)headers, (void)headers_len;
    ASSERT(false && "the API answers whole");
}

static size_t no_write(struct exchange *exchange, struct slice bytes)
{
    (void)exchange, (void)bytes;
    ASSERT(false && "the API answers whole");
    return 0;
}

static void no_finish(struct exchange *exchange)
{
    (void)exchange;
    ASSERT(false && "the API answers whole");
}

static struct buffer keep_body(struct exchange *exchange)
{
    (void)exchange;
    return (struct buffer){0};
}

static const struct exchange_ops step_ops = {.header = step_header,
                                             .reply = step_reply,
                                             .start = no_start,
                                             .write = no_write,
                                             .finish = no_finish,
                                             .take_body = keep_body};

/* ---- Collecting --------------------------------------------------------------------------------
 */

static uint32_t moved(const struct transaction *transaction, uint32_t n)
{
    if (n < METE_FROM_CHANGE(0))
        return n;
    uint32_t at = n - METE_FROM_CHANGE(0);
    return at >= WHOLE ? METE_FROM_CHANGE(at - WHOLE)
                       : METE_FROM_CHANGE(at + transaction->changes_len);
}

static void move(const struct transaction *transaction, struct mete_change *change)
{
    uint32_t *const handles[] = {
        &change->scope.organization.n,
        &change->scope.parent.n,
        &change->budget.scope.n,
        &change->end.n,
        &change->at.n,
        &change->parent.n,
        &change->rate.scope.n,
        &change->end_rate.n,
        &change->grant.scope.n,
        &change->refund.n,
        &change->increase.budget.n,
        &change->at_document.organization.n,
    };
    for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++)
        *handles[i] = moved(transaction, *handles[i]);
}

bool transaction_collect(struct request *request, const struct mete_change *changes, size_t len,
                         void (*then)(struct request *request))
{
    struct step *step = request->step;
    struct transaction *transaction = step->transaction;
    if (transaction->is_applied)
        return false;
    ASSERT(!step->waiting);
    request->op = (struct mete_op){.kind = METE_OP_APPLY};
    if (transaction->changes_len + len > OPERATIONS_MAX || len > REQUEST_CHANGES) {
        request->op.status = METE_E_TOO_LARGE;
        then(request);
        return true;
    }
    struct mete_change *to = transaction->changes + transaction->changes_len;
    for (size_t i = 0; i < len; i++) {
        to[i] = changes[i];
        move(transaction, &to[i]);
    }
    step->first = transaction->changes_len;
    step->len = len;
    step->waiting = request;
    transaction->changes_len += len;
    request->then = then;
    advance(transaction);
    return true;
}

void transaction_problem(const struct request *request)
{
    request->step->problem = request->problem;
}

static const struct mete_change *made(const struct transaction *transaction, enum mete_kind kind,
                                      uint32_t organization, struct slice id, uint32_t *ret_at)
{
    for (size_t i = 0; i < transaction->changes_len; i++) {
        const struct mete_change *change = &transaction->changes[i];
        const struct mete_scope_spec *scope = &change->scope;
        if (change->kind == METE_PUT_SCOPE && scope->kind == kind &&
            (kind == METE_ORGANIZATION || scope->organization.n == organization) &&
            slice_equal((struct slice){scope->id.data, scope->id.len}, id)) {
            *ret_at = (uint32_t)i;
            return change;
        }
    }
    return NULL;
}

struct mete_scope_id transaction_scope(const struct request *request, enum mete_kind kind,
                                       struct mete_scope_id organization, struct slice id)
{
    const struct transaction *transaction = request->step->transaction;
    uint32_t at;
    if (transaction->is_applied ||
        !made(transaction, kind, moved(transaction, organization.n), id, &at))
        return (struct mete_scope_id){0};
    return (struct mete_scope_id){METE_FROM_CHANGE(WHOLE + at)};
}

static struct mete_scope_id in_whole(struct mete_scope_id id)
{
    return id.n < METE_FROM_CHANGE(0) ? id : (struct mete_scope_id){id.n + WHOLE};
}

bool transaction_view(const struct request *request, struct mete_scope_id scope,
                      struct mete_scope_view *ret_view)
{
    const struct transaction *transaction = request->step->transaction;
    if (transaction->is_applied || scope.n < METE_FROM_CHANGE(WHOLE))
        return false;
    uint32_t at = scope.n - METE_FROM_CHANGE(WHOLE);
    ASSERT(at < transaction->changes_len && transaction->changes[at].kind == METE_PUT_SCOPE);
    const struct mete_scope_spec *spec = &transaction->changes[at].scope;
    *ret_view = (struct mete_scope_view){.scope = scope,
                                         .organization = in_whole(spec->organization),
                                         .parent = in_whole(spec->parent),
                                         .kind = spec->kind,
                                         .expires_at = spec->expires_at,
                                         .revoked = spec->revoked};
    ASSERT(spec->id.len < sizeof ret_view->id);
    memcpy(ret_view->id, spec->id.data, spec->id.len);
    return true;
}

struct mete_scope_id transaction_made(const struct request *request, struct mete_scope_id scope)
{
    const struct transaction *transaction = request->step->transaction;
    if (scope.n < METE_FROM_CHANGE(WHOLE))
        return scope;
    ASSERT(transaction->is_applied);
    return (struct mete_scope_id){transaction->handles[scope.n - METE_FROM_CHANGE(WHOLE)]};
}

struct slice transaction_document(const struct request *request, enum mete_kind kind,
                                  struct slice id)
{
    const struct transaction *transaction = request->step->transaction;
    uint32_t at;
    const struct mete_change *change = made(transaction, kind, 0, id, &at);
    return change ? (struct slice){change->document.data, change->document.len} : (struct slice){0};
}

/* ---- Replying ----------------------------------------------------------------------------------
 */

static void reply_all(struct transaction *transaction)
{
    struct request *request = transaction->request;
    struct out *out = &request->out;
    out_open(out, '{');
    out_key(out, "results");
    out_open(out, '[');
    for (size_t i = 0; i < transaction->len; i++) {
        const struct step *step = &transaction->steps[i];
        out_open(out, '{');
        out_member_integer(out, "status", step->status);
        out_key(out, "body");
        if (step->reply.len)
            out_raw(out, step->reply);
        else
            out_null(out);
        out_close(out, '}');
    }
    out_close(out, ']');
    out_close(out, '}');
    request_reply(request, 200);
}

/* Which operation, and what of it. */
static void reply_failed(struct transaction *transaction)
{
    size_t i = transaction->failed - 1;
    const struct problem *problem = &transaction->steps[i].problem;
    char field[PROBLEM_FIELD];
    snprintf(field, sizeof field, "operations[%zu]%s%.90s", i, problem->field[0] ? "." : "",
             problem->field);
    request_fail(transaction->request, problem->error ? problem->error : METE_E_MEMORY, field, "%s",
                 problem->detail[0] ? problem->detail : mete_error_text(problem->error));
}

/* ---- Going on ----------------------------------------------------------------------------------
 */

/* Those that wait go on to their reply, which says that it was not done. */
static void give_up(struct transaction *transaction)
{
    transaction->is_over = true;
    for (size_t i = 0; i < transaction->begun; i++) {
        struct request *waiting = transaction->steps[i].waiting;
        if (!waiting)
            continue;
        transaction->steps[i].waiting = NULL;
        waiting->op.status = METE_E_CLOSED;
        waiting->then(waiting);
    }
}

static void go_on(struct transaction *transaction)
{
    uint64_t seq = transaction->request->op.result.applied.seq;
    transaction->is_applied = true;
    for (size_t i = 0; i < transaction->len; i++) {
        struct step *step = &transaction->steps[i];
        struct request *waiting = step->waiting;
        if (!waiting)
            continue;
        step->waiting = NULL;
        waiting->op.status = 0;
        waiting->op.result.applied.seq = seq + step->first;
        memcpy(waiting->handles, transaction->handles + step->first,
               step->len * sizeof *waiting->handles);
        waiting->then(waiting);
    }
}

/* A step whose change the engine refused tells it in its own words. */
static void refused(struct transaction *transaction, int status, size_t failed)
{
    for (size_t i = 0; i < transaction->len; i++) {
        struct step *step = &transaction->steps[i];
        struct request *waiting = step->waiting;
        if (!waiting || failed < step->first || failed >= step->first + step->len)
            continue;
        step->waiting = NULL;
        waiting->op.status = status;
        waiting->op.result.applied.failed = failed - step->first;
        waiting->then(waiting);
        return;
    }
}

static void applied(struct request *request)
{
    struct transaction *transaction = request->state;
    int status = request->op.status;
    size_t failed = request->op.result.applied.failed;
    transaction->advancing = true;
    if (!status) {
        go_on(transaction);
    } else {
        refused(transaction, status, failed);
        give_up(transaction);
    }
    transaction->advancing = false;
    if (status && !transaction->failed)
        request_fail(request, status, NULL, NULL);
    else
        advance(transaction);
}

static void apply(struct transaction *transaction)
{
    struct request *request = transaction->request;
    size_t len = transaction->changes_len;
    transaction->is_over = true;
    const struct mete_change *changes = replays_mark(request, transaction->changes, &len);
    if (!changes) {
        request->op.status = METE_E_MEMORY;
        applied(request);
        return;
    }
    request->op = (struct mete_op){
        .kind = METE_OP_APPLY,
        .handles = transaction->handles,
        .args.apply = {.changes = changes, .len = len, .actor = request_text(request->who.name)}};
    request_ask(request, applied);
}

static void begin_step(struct transaction *transaction)
{
    struct request *request = transaction->request;
    struct step *step = &transaction->steps[transaction->begun++];
    struct slice path = step->path, query = {0};
    const char *mark = memchr(path.data, '?', path.len);
    if (mark) {
        query = slice_from(path, (size_t)(mark - path.data) + 1);
        path = slice_part(path, 0, (size_t)(mark - path.data));
    }
    step->exchange = (struct exchange){.ops = &step_ops,
                                       .method = step->method,
                                       .path = path,
                                       .query = query,
                                       .body = step->body.raw};
    request_begin_within(request, step);
}

/* As far as it goes without waiting. */
static void advance(struct transaction *transaction)
{
    if (transaction->advancing)
        return;
    transaction->advancing = true;
    while (!transaction->failed && !transaction->is_over && transaction->begun < transaction->len) {
        size_t begun = transaction->begun;
        const struct step *last = begun ? &transaction->steps[begun - 1] : NULL;
        if (last && !last->waiting && !last->status)
            break; /* it is on its way */
        begin_step(transaction);
    }
    const struct step *last = &transaction->steps[transaction->begun - 1];
    bool settled = last->waiting || last->status;
    if (transaction->failed && !transaction->is_applied && settled)
        give_up(transaction);
    transaction->advancing = false;
    if (transaction->failed && transaction->answered == transaction->begun)
        reply_failed(transaction);
    else if (!transaction->failed && transaction->answered == transaction->len)
        reply_all(transaction);
    else if (!transaction->failed && !transaction->is_over && settled &&
             transaction->begun == transaction->len)
        apply(transaction);
}

/* ---- Reading -----------------------------------------------------------------------------------
 */

static int read_step(struct request *request, struct json object, size_t i, struct step *step)
{
    static const struct field table[] = {
        {.name = "method",
         .type = FIELD_TOKEN,
         .flags = FIELD_REQUIRED,
         .offset = offsetof(struct step, method),
         .min = 1,
         .max = 8},
        {.name = "path",
         .type = FIELD_TOKEN,
         .flags = FIELD_REQUIRED,
         .offset = offsetof(struct step, path),
         .min = 1,
         .max = 1024},
        {.name = "if_match",
         .type = FIELD_TOKEN,
         .offset = offsetof(struct step, if_match),
         .min = 1,
         .max = 32},
        {.name = "body", .type = FIELD_OBJECT, .offset = offsetof(struct step, body)},
    };
    char path[32];
    snprintf(path, sizeof path, "operations[%zu]", i);
    const struct fields fields = {.table = table,
                                  .len = sizeof table / sizeof table[0],
                                  .path = path,
                                  .arena = &request->arena,
                                  .problem = &request->problem};
    if (object.type != JSON_OBJECT)
        return problem_set(&request->problem, METE_E_INVALID, path, "It must be an object.");
    int rc = fields_read(&fields, object, step);
    if (!rc && !slice_is(step->method, "POST") && !slice_is(step->method, "PUT") &&
        !slice_is(step->method, "DELETE"))
        rc = fields_fault(&fields, METE_E_INVALID, "method", "It must be POST, PUT or DELETE.");
    if (!rc && !slice_starts(step->path, SLICE_LITERAL("/api/v1/")))
        rc = fields_fault(&fields, METE_E_INVALID, "path", "It must begin with /api/v1/.");
    return rc;
}

/* Two of them would not see each other's change. */
static int check_distinct(struct request *request, const struct transaction *transaction)
{
    char field[40];
    for (size_t i = 0; i < transaction->len; i++)
        for (size_t k = 0; k < i; k++) {
            const struct step *a = &transaction->steps[i], *b = &transaction->steps[k];
            if (!slice_equal(a->path, b->path) || slice_is(a->method, "POST"))
                continue;
            snprintf(field, sizeof field, "operations[%zu].path", i);
            return problem_set(&request->problem, METE_E_INVALID, field,
                               "Operation %zu is about the same.", k);
        }
    return 0;
}

static int read_steps(struct request *request, struct transaction *transaction, struct json list)
{
    struct json key, value;
    size_t at = 0, i = 0;
    int rc = 0;
    while (!rc && json_next(list, &at, &key, &value)) {
        transaction->steps[i].transaction = transaction;
        rc = read_step(request, value, i, &transaction->steps[i]);
        i++;
    }
    transaction->len = i;
    return rc ? rc : check_distinct(request, transaction);
}

static void go(struct request *request)
{
    advance(request->state);
}

static struct transaction *make_room(struct request *request, size_t operations)
{
    struct arena *arena = &request->arena;
    struct transaction *transaction = request_take(request, sizeof *transaction);
    if (!transaction)
        return NULL;
    transaction->request = request;
    transaction->steps = arena_take(arena, operations * sizeof *transaction->steps);
    transaction->changes = arena_take(arena, LIMIT_CHANGES * sizeof *transaction->changes);
    transaction->handles = arena_take(arena, LIMIT_CHANGES * sizeof *transaction->handles);
    if (transaction->steps && transaction->changes && transaction->handles)
        return transaction;
    request_fail(request, METE_E_MEMORY, NULL, NULL);
    return NULL;
}

void transactions_create(struct request *request)
{
    struct in {
        struct json operations;
    } in;
    static const struct field table[] = {{.name = "operations",
                                          .type = FIELD_LIST,
                                          .flags = FIELD_REQUIRED,
                                          .offset = offsetof(struct in, operations),
                                          .min = 1,
                                          .max = OPERATIONS_MAX}};
    if (request_read(request, table, 1, &in)) {
        request_problem(request);
        return;
    }
    struct transaction *transaction = make_room(request, OPERATIONS_MAX);
    if (!transaction)
        return;
    request->state = transaction;
    if (read_steps(request, transaction, in.operations))
        request_problem(request);
    else
        request_turn(request, go);
}
