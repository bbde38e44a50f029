/* SPDX-License-Identifier: Apache-2.0
 * A sweep is a row of requests that nobody sent, a page of due subscriptions each:
 *
 *   turn ........... nobody changes a subscription meanwhile
 *   read (worker) .. pages of documents, until BATCH are due or there are no more; plan and zone of
 *                    those that are
 *   ask ............ how the grants of their last months stand, where something may roll over
 *   apply .......... a batch of changes a subscription, all at once, so that they share flushes
 *
 * What cannot be granted now (a full disk, a busy ring) is tried again after PAUSE; meanwhile those
 * who wait go on, and the worst is a refusal, never a second grant. */
#include "api/quotas/renewals.h"

#include "api/entities.h"
#include "api/quotas/deal.h"
#include "api/quotas/memberships.h"
#include "base/assert.h"
#include "directory/documents.h"

#include <stdlib.h>

enum { BATCH = 32, PAGE = 1000 };
#define PAUSE_US (INT64_C(5) * 1000000)

struct renewals {
    struct api *api;
    struct exchange exchange; /* of the sweep's requests */
    bool running;
    bool again;                   /* the page that is read was not the last one */
    uint32_t after;               /* the subscription the last page ended with */
    int64_t due_us;               /* nothing is due before */
    int64_t next_us;              /* the same, as far as the sweep that runs has seen */
    struct request *first, *last; /* waiting at the door */
    struct work *work_first, *work_last;
};

/* One that is due. */
struct renewal {
    struct membership membership;
    struct mete_scope_id organization;
    struct month month; /* that is to be granted */
    struct slice plan_name;
    bool over; /* its plan is gone */
    struct offers offers;
    int64_t carried[LIMIT_SCOPE_QUOTAS];
    struct slice last[LIMIT_SCOPE_QUOTAS]; /* ids of the grants of its last month */
    struct mete_change changes[MEMBERSHIP_CHANGES];
    uint32_t handles[MEMBERSHIP_CHANGES];
    struct mete_op op;
    struct request *request;
};

struct batch {
    size_t len, pending;
    struct renewal list[BATCH];
};

static struct batch *batch_of(const struct request *request)
{
    return request->state;
}

/* ---- Reading, on a worker -------------------------------------------------------------------- */

struct reading {
    struct request *request;
    int64_t now_us;
    size_t seen;
};

static int keep_due(void *user, const struct directory_entity *entity)
{
    struct reading *reading = user;
    struct batch *batch = batch_of(reading->request);
    struct renewals *renewals = reading->request->api->renewals;
    if (batch->len == BATCH)
        return 1;
    struct renewal *renewal = &batch->list[batch->len];
    int64_t end_us;
    int rc = membership_ends(entity->document, &end_us);
    if (rc)
        return rc;
    reading->seen++;
    renewals->after = entity->handle;
    if (end_us > reading->now_us) {
        renewals->next_us = end_us < renewals->next_us ? end_us : renewals->next_us;
        return 0;
    }
    renewal->organization = entity->organization;
    batch->len++;
    return membership_read(reading->request, entity->document, &renewal->membership);
}

static int keep_plan(void *user, const struct directory_entity *entity)
{
    struct renewal *renewal = user;
    struct request *request = renewal->request;
    struct json plan = entities_document(entity->document);
    renewal->plan_name = deal_text(request, plan, "name");
    return offers_read(request, json_member(plan, "grants"), OFFER_MONTHLY, &renewal->offers);
}

static int read_terms(struct request *request, struct records_reader *reader,
                      struct renewal *renewal, int64_t now_us)
{
    const struct membership *membership = &renewal->membership;
    struct slice zone;
    renewal->request = request;
    int rc = organizations_zone(request, membership->organization, &zone);
    if (rc == METE_E_NOT_FOUND) { /* and its scopes with it */
        renewal->over = true;
        return 0;
    }
    if (!rc)
        rc = month_of(request->api->parts.os, zone, now_us, &renewal->month);
    if (!rc && !membership_ids(request, membership->id, membership->month.name, renewal->last))
        rc = METE_E_MEMORY;
    if (rc)
        return rc;
    rc = directory_find(reader, document_entity(DOCUMENT_PLAN), renewal->organization,
                        membership->plan, keep_plan, renewal);
    renewal->over = rc == METE_E_NOT_FOUND;
    return renewal->over ? 0 : rc;
}

static int read_batch(struct request *request, struct records_reader *reader)
{
    struct batch *batch = batch_of(request);
    struct renewals *renewals = request->api->renewals;
    struct reading reading = {.request = request, .now_us = mete_now(request->api->parts.mete).us};
    int rc;
    do {
        reading.seen = 0;
        rc = directory_each(reader, document_entity(DOCUMENT_SUBSCRIPTION), renewals->after, PAGE,
                            keep_due, &reading);
    } while (!rc && reading.seen == PAGE);
    renewals->again = rc == 1;
    for (size_t i = 0; i < batch->len && rc >= 0; i++) {
        int error = read_terms(request, reader, &batch->list[i], reading.now_us);
        rc = error ? error : rc;
    }
    return rc < 0 ? rc : 0;
}

/* ---- Granting -------------------------------------------------------------------------------- */

static void batch_done(struct request *request)
{
    request_reply_empty(request, 204);
}

static void retry_later(struct renewals *renewals)
{
    int64_t at_us = mete_now(renewals->api->parts.mete).us + PAUSE_US;
    renewals->next_us = at_us < renewals->next_us ? at_us : renewals->next_us;
}

static void finish(struct request *request)
{
    if (--batch_of(request)->pending == 0)
        batch_done(request);
}

static void applied(struct mete_op *op);

static void apply(struct renewal *renewal, size_t len)
{
    struct mete_op *op = &renewal->op;
    renewal->op = (struct mete_op){
        .kind = METE_OP_APPLY,
        .args.apply = {.changes = renewal->changes, .len = len, .actor = {"renewal", 7}},
        .handles = renewal->handles,
        .done = applied,
        .user = renewal};
    if (mete_submit(renewal->request->api->parts.port, &op, 1) == 1)
        return;
    retry_later(renewal->request->api->renewals);
    finish(renewal->request);
}

/* The subscription itself, without grants. */
static void apply_alone(struct renewal *renewal, enum mete_change_kind kind)
{
    renewal->changes[0].kind = kind;
    if (kind == METE_END_DOCUMENT)
        renewal->changes[0].document = (struct mete_text){0};
    apply(renewal, 1);
}

static void applied(struct mete_op *op)
{
    struct renewal *renewal = op->user;
    struct renewals *renewals = renewal->request->api->renewals;
    bool alone = op->args.apply.len == 1;
    int64_t end_us = renewal->month.end_us;
    if (op->status == METE_E_EXISTS && !alone) /* it was granted before, by this id */
        apply_alone(renewal, METE_PUT_DOCUMENT);
    else if (op->status == METE_E_NOT_FOUND && !alone) /* its scope is gone */
        apply_alone(renewal, METE_END_DOCUMENT);
    else {
        if (op->status)
            retry_later(renewals);
        else if (renewal->changes[0].kind == METE_PUT_DOCUMENT && end_us < renewals->next_us)
            renewals->next_us = end_us;
        finish(renewal->request);
    }
}

static int write_changes(struct request *request, struct renewal *renewal, size_t *ret_len)
{
    struct membership *membership = &renewal->membership;
    const struct mete_document_id at = {DOCUMENT_SUBSCRIPTION, renewal->organization,
                                        request_text(membership->id)};
    *ret_len = 1;
    renewal->changes[0] = (struct mete_change){.kind = METE_END_DOCUMENT, .at_document = at};
    if (renewal->over)
        return 0;
    membership->month = renewal->month;
    struct slice document = membership_document(request, membership);
    if (!document.data)
        return METE_E_MEMORY;
    renewal->changes[0] = (struct mete_change){
        .kind = METE_PUT_DOCUMENT, .at_document = at, .document = request_text(document)};
    *ret_len += renewal->offers.len;
    return membership_grants(request, membership, renewal->plan_name, &renewal->offers,
                             renewal->carried, renewal->changes + 1);
}

static void apply_batch(struct request *request)
{
    struct batch *batch = batch_of(request);
    size_t len;
    batch->pending = batch->len + 1; /* one for this loop */
    for (size_t i = 0; i < batch->len; i++) {
        if (!write_changes(request, &batch->list[i], &len)) {
            apply(&batch->list[i], len);
            continue;
        }
        retry_later(request->api->renewals);
        batch->pending--;
    }
    finish(request);
}

/* ---- What the last month left ---------------------------------------------------------------- */

static bool next_last(struct request *request, size_t *at, struct mete_query *ret_query)
{
    const struct batch *batch = batch_of(request);
    for (; *at < batch->len * LIMIT_SCOPE_QUOTAS; ++*at) {
        const struct renewal *renewal = &batch->list[*at / LIMIT_SCOPE_QUOTAS];
        bool rolls = false;
        for (size_t i = 0; i < renewal->offers.len; i++)
            rolls |= renewal->offers.at[i].rolls;
        if (renewal->over || !rolls)
            continue;
        *ret_query =
            (struct mete_query){.kind = METE_QUERY_FIND_GRANT,
                                .id = request_text(renewal->last[*at % LIMIT_SCOPE_QUOTAS]),
                                .organization = renewal->organization};
        return true;
    }
    return false;
}

static void got_last(struct request *request, size_t at, int status,
                     const struct mete_answer *answer)
{
    struct renewal *renewal = &batch_of(request)->list[at / LIMIT_SCOPE_QUOTAS];
    if (status && status != METE_E_NOT_FOUND)
        request->work_status = status;
    for (size_t i = 0; i < renewal->offers.len && !status; i++)
        renewal->carried[i] += membership_carries(&renewal->offers.at[i], &answer->grant);
}

static void lasts_known(struct request *request)
{
    if (request->work_status) {
        retry_later(request->api->renewals);
        batch_done(request);
    } else {
        apply_batch(request);
    }
}

static void batch_read(struct request *request)
{
    static const struct inquiry_plan plan = {next_last, got_last, lasts_known};
    struct renewals *renewals = request->api->renewals;
    if (request->work_status) {
        renewals->again = false;
        retry_later(renewals);
        batch_done(request);
    } else {
        inquiry_begin(request, &plan);
    }
}

/* ---- The sweep ------------------------------------------------------------------------------- */

static void begin_batch(struct renewals *renewals);

static void take_turn(struct request *request)
{
    request_work(request, read_batch, batch_read);
}

static void release(struct renewals *renewals)
{
    struct work *work = renewals->work_first;
    struct request *request = renewals->first;
    renewals->work_first = renewals->work_last = NULL;
    renewals->first = renewals->last = NULL;
    while (work) {
        struct work *next = work->next;
        work->done(work);
        work = next;
    }
    while (request) {
        struct request *next = request->next;
        request->then(request);
        request = next;
    }
}

/* A page is done. */
static void reply(struct exchange *exchange, int status, const struct exchange_header *headers,
                  size_t headers_len, struct slice body)
{
    struct renewals *renewals =
        (struct renewals *)((char *)exchange - offsetof(struct renewals, exchange));
    (void)headers;
    (void)headers_len;
    (void)body;
    if (status != 204)
        retry_later(renewals);
    if (status == 204 && renewals->again) {
        begin_batch(renewals);
        return;
    }
    renewals->due_us = renewals->next_us;
    renewals->running = false;
    release(renewals);
}

static struct slice header(const struct exchange *exchange, const char *name)
{
    (void)exchange;
    (void)name;
    return (struct slice){0};
}

static void begin_batch(struct renewals *renewals)
{
    static const struct exchange_ops ops = {.header = header, .reply = reply};
    renewals->exchange = (struct exchange){.ops = &ops};
    struct request *request = request_new(renewals->api, &renewals->exchange);
    if (!request) {
        reply(&renewals->exchange, 503, NULL, 0, (struct slice){0});
        return;
    }
    request->state = request_take(request, sizeof(struct batch));
    if (request->state)
        request_turn(request, take_turn);
}

int64_t renewals_run(struct renewals *renewals, int64_t now_us)
{
    if (renewals->running || now_us < renewals->due_us)
        return renewals->running ? INT64_MAX : renewals->due_us;
    renewals->running = true;
    renewals->after = 0;
    renewals->next_us = INT64_MAX;
    begin_batch(renewals);
    return renewals->running ? INT64_MAX : renewals->due_us;
}

static bool is_due(struct renewals *renewals)
{
    renewals_run(renewals, mete_now(renewals->api->parts.mete).us);
    return renewals->running;
}

bool renewals_wait(struct renewals *renewals, struct work *work)
{
    if (!is_due(renewals))
        return false;
    work->next = NULL;
    if (renewals->work_last)
        renewals->work_last->next = work;
    else
        renewals->work_first = work;
    renewals->work_last = work;
    return true;
}

void renewals_first(struct request *request, void (*then)(struct request *request))
{
    struct renewals *renewals = request->api->renewals;
    if (!is_due(renewals)) {
        then(request);
        return;
    }
    request->then = then;
    request->next = NULL;
    if (renewals->last)
        renewals->last->next = request;
    else
        renewals->first = request;
    renewals->last = request;
}

bool renewals_running(const struct renewals *renewals)
{
    return renewals->running;
}

void renewals_expect(struct renewals *renewals, int64_t end_us)
{
    if (end_us < renewals->due_us)
        renewals->due_us = end_us;
    if (end_us < renewals->next_us)
        renewals->next_us = end_us;
}

int renewals_new(struct api *api, struct renewals **ret_renewals)
{
    struct renewals *renewals = calloc(1, sizeof *renewals);
    if (!renewals)
        return METE_E_MEMORY;
    renewals->api = api;
    *ret_renewals = renewals;
    return 0;
}

void renewals_free(struct renewals *renewals)
{
    ASSERT(!renewals || !renewals->running);
    free(renewals);
}
