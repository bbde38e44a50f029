/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/batches/errand.h"

#include "base/assert.h"
#include "gateway/batches/kept.h"
#include "gateway/batches/settling.h"
#include "gateway/call.h"

#include <stddef.h>
#include <stdlib.h>

enum { AGAIN_US = 1000 };

#define ERRAND_OF(pointer, member)                                                                 \
    ((struct errand *)(void *)((char *)(pointer)-offsetof(struct errand, member)))

/* ---- Its life -------------------------------------------------------------------------------- */

struct errand *errand_begin(struct gateway *gateway, struct exchange *exchange,
                            const char *endpoint, struct slice id)
{
    static const struct dialect_error unknown = {404,  "invalid_request_error",     "not_found",
                                                 NULL, "Nothing here has this id.", {0}};
    const struct directory_key *key = gateway_good_key(gateway, exchange, endpoint);
    const struct dialect_error *why = key ? NULL : &gateway->key_refused.error;
    uint32_t max = gateway->config->key_calls_max;
    if (!why && id.len && !kept_is_plain(id))
        why = &unknown;
    struct errand *errand = why ? NULL : calloc(1, sizeof *errand);
    if (errand && max && !crowd_enter(&gateway->crowd, key->scope.n, max)) {
        why = &call_crowded;
        free(errand);
        errand = NULL;
    }
    if (!errand) {
        gateway_reply_error(exchange, dialect_chat(), why ? why : &call_no_memory, NULL, 0);
        return NULL;
    }
    errand->work = GATEWAY_ERRAND;
    errand->gateway = gateway;
    errand->exchange = exchange;
    errand->scope = key->scope;
    errand->organization = key->organization;
    errand->crowd = max ? key->scope.n : 0;
    if (id.len)
        memcpy(errand->id, id.data, id.len);
    exchange->state = errand;
    gateway->counts.open++;
    return errand;
}

static void end(struct errand *errand)
{
    ASSERT(!errand->transfer_open);
    errand->gateway->counts.open--;
    if (errand->crowd)
        crowd_leave(&errand->gateway->crowd, errand->crowd);
    credential_let_go(errand->credential);
    pricing_free(errand->pricing);
    if (errand->naming)
        refusal_done(&errand->naming->told);
    free(errand->naming);
    free(errand->answer_room);
    if (errand->lines)
        lines_done(errand->lines);
    free(errand->lines);
    settling_free(errand->settling);
    for (size_t i = 0; i < ERRAND_CHANGES; i++)
        buffer_done(&errand->written[i]);
    struct buffer *const buffers[] = {
        &errand->documents.found, &errand->url,    &errand->answer, &errand->file_text,
        &errand->batch_text,      &errand->object, &errand->page};
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        buffer_done(buffers[i]);
    free(errand);
}

/* ---- Asking the engine ----------------------------------------------------------------------- */

static void submit(struct errand *errand);

static void on_again(struct timer *timer)
{
    submit(ERRAND_OF(timer, again));
}

static void wait_for_room(struct errand *errand)
{
    struct timers *timers = errand->gateway->parts.timers;
    errand->again.fire = on_again;
    timers->set(timers, &errand->again, AGAIN_US);
}

/* What sets nothing aside yet may be told that there is no room; all else waits for some. */
static void on_done(struct mete_op *op)
{
    struct errand *errand = ERRAND_OF(op, op);
    bool full = op->status == METE_E_BUSY || op->status == METE_E_FULL;
    if (full && op->kind != METE_OP_RESERVE && op->kind != METE_OP_CHECK)
        wait_for_room(errand);
    else
        errand->next(errand);
}

static void submit(struct errand *errand)
{
    struct mete_op *op = &errand->op;
    if (mete_submit(errand->gateway->parts.port, &op, 1) != 1)
        wait_for_room(errand);
}

void errand_ask(struct errand *errand, enum mete_op_kind kind, errand_step *next)
{
    if (kind == METE_OP_QUERY && !errand->answer_room)
        errand->answer_room = calloc(1, sizeof *errand->answer_room);
    if (kind == METE_OP_QUERY && !errand->answer_room) {
        errand_fail(errand, &call_no_memory);
        return;
    }
    if (kind == METE_OP_QUERY)
        errand->op.result.answer = errand->answer_room;
    errand->next = next;
    errand->op.kind = kind;
    errand->op.done = on_done;
    submit(errand);
}

/* ---- Documents ------------------------------------------------------------------------------- */

static void on_found(struct gateway_documents *documents)
{
    struct errand *errand = ERRAND_OF(documents, documents);
    errand->next(errand);
}

static void find(struct errand *errand)
{
    const struct gateway_parts *parts = &errand->gateway->parts;
    struct gateway_documents *documents = &errand->documents;
    documents->organization = errand->organization;
    documents->done = on_found;
    documents->limit = documents->limit ? documents->limit : 1;
    errand->next = errand->then;
    if (!parts->find_documents || !parts->find_documents(parts->user, documents))
        errand_fail(errand, &call_busy);
}

void errand_look(struct errand *errand, errand_step *next)
{
    buffer_done(&errand->documents.found);
    errand->then = next;
    errand->op.args.query = (struct mete_query){.kind = METE_QUERY_PROJECTED, .of_changes = 1};
    errand_ask(errand, METE_OP_QUERY, find);
}

static void put(struct errand *errand, size_t at, enum document_kind kind, struct slice id)
{
    struct slice document = buffer_slice(&errand->written[at]);
    errand->changes[at] = (struct mete_change){
        .kind = METE_PUT_DOCUMENT,
        .at_document = {(uint16_t)kind, errand->organization, {id.data, id.len}},
        .document = {document.data, document.len}};
}

bool errand_put_file(struct errand *errand, size_t at, const struct kept_file *file)
{
    buffer_done(&errand->written[at]);
    buffer_init(&errand->written[at], LIMIT_DOCUMENT);
    int rc = kept_file_write(file, &errand->written[at]);
    if (rc)
        errand_fail(errand, &call_no_memory);
    else
        put(errand, at, DOCUMENT_FILE, file->id);
    return !rc;
}

bool errand_put_batch(struct errand *errand, size_t at, const struct kept_batch *batch)
{
    buffer_done(&errand->written[at]);
    buffer_init(&errand->written[at], LIMIT_DOCUMENT);
    int rc = kept_batch_write(batch, &errand->written[at]);
    if (rc)
        errand_fail(errand, &call_no_memory);
    else
        put(errand, at, DOCUMENT_BATCH, batch->id);
    return !rc;
}

void errand_end_file(struct errand *errand, size_t at)
{
    put(errand, at, DOCUMENT_FILE, errand->file.id);
    errand->changes[at].kind = METE_END_DOCUMENT;
    errand->changes[at].document = (struct mete_text){0};
}

void errand_keep(struct errand *errand, size_t len, errand_step *next)
{
    errand->op.args.apply = (struct mete_apply){
        .changes = errand->changes, .len = len, .actor = {"gateway", strlen("gateway")}};
    errand->op.handles = errand->handles;
    errand_ask(errand, METE_OP_APPLY, next);
}

/* ---- On a worker ----------------------------------------------------------------------------- */

static void on_worked(struct work *work)
{
    struct errand *errand = ERRAND_OF(work, job);
    errand->next(errand);
}

void errand_work(struct errand *errand, void (*run)(struct work *work), errand_step *next)
{
    struct workers *workers = errand->gateway->parts.workers;
    errand->next = next;
    errand->job = (struct work){.run = run, .done = on_worked};
    if (!workers) {
        run(&errand->job);
        next(errand);
    } else if (!workers->submit(workers, &errand->job)) {
        errand_fail(errand, &call_busy);
    }
}

/* ---- What steps do --------------------------------------------------------------------------- */

/* Moves what was found to text. False: nothing, and it has failed. */
static bool take_found(struct errand *errand, struct buffer *text)
{
    static const struct dialect_error unknown = {404,  "invalid_request_error",     "not_found",
                                                 NULL, "Nothing here has this id.", {0}};
    struct gateway_documents *documents = &errand->documents;
    bool is_there = !documents->status && documents->found.len;
    if (!is_there) {
        bool none = !documents->status || documents->status == METE_E_NOT_FOUND;
        errand_fail(errand, none ? &unknown : &call_busy);
        return false;
    }
    buffer_done(text);
    *text = documents->found;
    documents->found = (struct buffer){0};
    return true;
}

static void fail_to_read(struct errand *errand)
{
    static const struct dialect_error unreadable = {
        500, "server_error", "internal", NULL, "What is kept of it cannot be read.", {0}};
    errand_fail(errand, &unreadable);
}

bool errand_found_file(struct errand *errand)
{
    if (!take_found(errand, &errand->file_text))
        return false;
    bool good = kept_file_read(buffer_slice(&errand->file_text), &errand->file);
    if (!good)
        fail_to_read(errand);
    return good;
}

bool errand_found_batch(struct errand *errand)
{
    if (!take_found(errand, &errand->batch_text))
        return false;
    bool good = kept_batch_read(buffer_slice(&errand->batch_text), &errand->batch);
    if (!good)
        fail_to_read(errand);
    return good;
}

struct slice errand_object(struct errand *errand)
{
    struct slice said = buffer_slice(&errand->answer);
    char *room;
    buffer_done(&errand->object);
    buffer_init(&errand->object, LIMIT_BATCH_OBJECT);
    if (!said.len || buffer_reserve(&errand->object, said.len, &room))
        return (struct slice){NULL, 0};
    struct slice kept = kept_object(said, room);
    buffer_advance(&errand->object, kept.len);
    return kept;
}

bool errand_use_provider(struct errand *errand, struct slice name)
{
    static const struct dialect_error gone = {
        503,
        "server_error",
        "provider_unavailable",
        NULL,
        "The provider that has it is not configured here any more.",
        {0}};
    const struct provider *provider = providers_named(&errand->gateway->providers, name);
    errand->provider = provider;
    if (!provider)
        errand_fail(errand, &gone);
    return provider != NULL;
}

void errand_demand(struct errand *errand, const struct kept_file *file,
                   struct mete_reserve *ret_reserve)
{
    struct slice provider = file->provider, model = file->model;
    errand->demands[0] = (struct mete_demand){METE_COST, file->currency, file->cost, 0};
    errand->demands[1] = (struct mete_demand){METE_TOTAL_TOKENS, 0, file->tokens, 0};
    errand->demands[2] = (struct mete_demand){METE_REQUESTS, 0, file->lines, 0};
    *ret_reserve = (struct mete_reserve){.scope = errand->scope,
                                         .model = {model.data, model.len},
                                         .provider = {provider.data, provider.len},
                                         .demands = errand->demands,
                                         .demands_len = ERRAND_DEMANDS,
                                         .ttl_ms = LIMIT_HOLD_MS,
                                         .on_expiry = METE_EXPIRY_CHARGE};
}

bool errand_await_grants(struct errand *errand, errand_step *next)
{
    const struct gateway_parts *parts = &errand->gateway->parts;
    size_t len = errand->op.result.verdict.refusals_len;
    bool is_quota = false;
    for (size_t i = 0; i < len && i < METE_REFUSALS_MAX; i++)
        is_quota |= errand->naming->all[i].reason == METE_QUOTA;
    if (errand->waited || !is_quota || !parts->await_grants)
        return false;
    errand->waited = true;
    errand->next = next;
    errand->job = (struct work){.done = on_worked};
    return parts->await_grants(parts->user, &errand->job);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static void reply_error(struct errand *errand, const struct dialect_error *error,
                        const struct exchange_header *headers, size_t len)
{
    struct exchange *exchange = errand->exchange;
    exchange->state = NULL;
    gateway_reply_error(exchange, dialect_chat(), error, headers, len);
    end(errand);
}

/* What is told to come again may: nothing was begun. What may have been done is not to be tried
 * again by itself. */
void errand_fail(struct errand *errand, const struct dialect_error *error)
{
    const struct exchange_header never = {"x-should-retry", SLICE_LITERAL("false")};
    const struct exchange_header later = {"retry-after", SLICE_LITERAL("1")};
    if (errand->relays) {
        errand_finish(errand);
        return;
    }
    reply_error(errand, error, error->status == 503 ? &later : &never, 1);
}

void errand_fail_wrong(struct errand *errand, int status, const char *code, const char *param,
                       const char *message)
{
    const struct dialect_error error = {status, "invalid_request_error", code, param, message, {0}};
    errand_fail(errand, &error);
}

void errand_fail_asked(struct errand *errand)
{
    static const struct dialect_error content = {422,
                                                 "invalid_request_error",
                                                 "content_differs",
                                                 NULL,
                                                 "This request id was used with another request.",
                                                 {0}};
    static const struct dialect_error internal = {
        500, "server_error", "internal", NULL, "The batch could not be budgeted.", {0}};
    int status = errand->op.status;
    bool busy = status == METE_E_BUSY || status == METE_E_FULL || status == METE_E_CLOSED ||
                status == METE_E_DISK;
    errand_fail(errand, status == METE_E_CONTENT ? &content : busy ? &call_busy : &internal);
}

bool errand_expect_refusals(struct errand *errand)
{
    if (!errand->naming)
        errand->naming = calloc(1, sizeof *errand->naming);
    if (!errand->naming) {
        errand_fail(errand, &call_no_memory);
        return false;
    }
    errand->op.refusals = errand->naming->all;
    errand->op.refusals_max = METE_REFUSALS_MAX;
    return true;
}

static void tell_refusal(struct errand *errand)
{
    struct dialect_error error;
    struct exchange_header told[REFUSAL_HEADERS];
    struct naming *naming = errand->naming;
    size_t len = refusal_tell(&naming->told, naming->retry_at,
                              mete_now(errand->gateway->parts.mete), &error, told);
    reply_error(errand, &error, told, len);
}

static void ask_names(struct errand *errand)
{
    if (naming_next(errand->naming, &errand->op.args.query))
        errand_ask(errand, METE_OP_QUERY, errand->then);
    else
        tell_refusal(errand);
}

static void on_name(struct errand *errand)
{
    errand->naming->answer = *errand->answer_room;
    naming_take(errand->naming, errand->op.status);
    ask_names(errand);
}

void errand_refuse(struct errand *errand)
{
    errand->gateway->counts.refused++;
    naming_begin(errand->naming, &errand->op.result.verdict);
    errand->then = on_name;
    ask_names(errand);
}

void errand_reply(struct errand *errand)
{
    struct exchange *exchange = errand->exchange;
    const struct exchange_header type = {"content-type", errand->type[0]
                                                             ? slice_of(errand->type)
                                                             : SLICE_LITERAL("application/json")};
    exchange->state = NULL;
    exchange->ops->reply(exchange, errand->status, &type, 1, buffer_slice(&errand->answer));
    end(errand);
}

void errand_reply_kept(struct errand *errand)
{
    if (errand->op.status)
        errand_fail_asked(errand);
    else
        errand_reply(errand);
}

void errand_reply_json(struct errand *errand, int status, struct slice body)
{
    const struct exchange_header type = {"content-type", SLICE_LITERAL("application/json")};
    struct exchange *exchange = errand->exchange;
    exchange->state = NULL;
    exchange->ops->reply(exchange, status, &type, 1, body);
    end(errand);
}

void errand_finish(struct errand *errand)
{
    struct exchange *exchange = errand->exchange;
    exchange->state = NULL;
    exchange->ops->finish(exchange);
    end(errand);
}
