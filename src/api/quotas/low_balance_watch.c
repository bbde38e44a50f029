/* SPDX-License-Identifier: Apache-2.0
 * A round is a row of pages, each a request that nobody sent:
 *
 *   turn ........... nobody ends an alert meanwhile
 *   look (worker) .. the next PAGE documents
 *   ask ............ the balances of their scopes
 *   apply .......... those that stand otherwise than was written
 *
 * While there are none, nothing is done: the first round finds that out, and the next one is begun
 * by whoever makes one. */
#include "api/quotas/low_balance_watch.h"

#include "api/quotas/low_balance.h"
#include "api/units.h"
#include "base/assert.h"
#include "base/limits.h"

#include <stdlib.h>

enum { PAGE = 128 };
#define SECOND_US INT64_C(1000000)

struct low_balance_watch {
    struct api *api;
    struct exchange exchange;
    bool running, any; /* any: of this round */
    uint32_t after;    /* the alert the last page ended with; 0: a round begins */
    int64_t due_us;
};

/* One of a page. */
struct looked {
    struct low_balance alert;
    struct mete_scope_id organization;
    struct mete_quota_view quotas[LIMIT_SCOPE_QUOTAS];
    size_t quotas_len;
    bool is_gone; /* its scope is */
    struct mete_change change;
    uint32_t handle;
    struct mete_op op;
    struct request *request;
};

struct page_of {
    size_t len, pending;
    struct looked list[PAGE];
};

static struct page_of *page_of(const struct request *request)
{
    return request->state;
}

/* ---- Looking --------------------------------------------------------------------------------- */

static int keep(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    struct page_of *page = page_of(request);
    struct looked *looked = &page->list[page->len++];
    looked->request = request;
    looked->organization = entity->organization;
    request->api->low_balances->after = entity->handle;
    return low_balance_read(request, entity->document, &looked->alert);
}

static int keep_handle(void *user, const struct directory_entity *entity)
{
    *(uint32_t *)user = entity->handle;
    return 0;
}

/* A scope of that name that was made later is another. */
static int find_scope(struct records_reader *reader, struct looked *looked)
{
    int kind = 0;
    uint32_t handle = 0;
    for (size_t i = 0; units_kinds[i].name; i++)
        if (slice_is(looked->alert.kind, units_kinds[i].name))
            kind = units_kinds[i].value;
    if (kind == METE_ORGANIZATION) /* its documents end with it */
        return 0;
    int rc =
        directory_find(reader, kind, looked->organization, looked->alert.of, keep_handle, &handle);
    looked->is_gone = rc == METE_E_NOT_FOUND || (!rc && handle != looked->alert.at.n);
    return rc == METE_E_NOT_FOUND ? 0 : rc;
}

static int look(struct request *request, struct records_reader *reader)
{
    struct page_of *page = page_of(request);
    struct low_balance_watch *watch = request->api->low_balances;
    int rc = directory_each(reader, document_entity(DOCUMENT_LOW_BALANCE), watch->after, PAGE, keep,
                            request);
    for (size_t i = 0; i < page->len && rc >= 0; i++)
        rc = find_scope(reader, &page->list[i]);
    return rc < 0 ? rc : 0;
}

static bool next(struct request *request, size_t *at, struct mete_query *ret_query)
{
    struct page_of *page = page_of(request);
    if (*at >= page->len)
        return false;
    *ret_query = (struct mete_query){.kind = METE_QUERY_QUOTAS,
                                     .scope = page->list[*at].alert.at,
                                     .quotas = page->list[*at].quotas,
                                     .rows_max = LIMIT_SCOPE_QUOTAS};
    return true;
}

static void got(struct request *request, size_t at, int status, const struct mete_answer *answer)
{
    struct looked *looked = &page_of(request)->list[at];
    if (status && status != METE_E_NOT_FOUND)
        request->work_status = status;
    else if (!status)
        looked->quotas_len = answer->rows_len;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void finish(struct request *request)
{
    if (--page_of(request)->pending == 0)
        request_reply_empty(request, 204);
}

static void applied(struct mete_op *op)
{
    struct looked *looked = op->user;
    finish(looked->request); /* what failed is found again by the next round */
}

static void apply(struct looked *looked)
{
    looked->op = (struct mete_op){
        .kind = METE_OP_APPLY,
        .args.apply = {.changes = &looked->change, .len = 1, .actor = {"low-balance", 11}},
        .handles = &looked->handle,
        .done = applied,
        .user = looked};
    struct mete_op *op = &looked->op;
    if (mete_submit(looked->request->api->parts.port, &op, 1) != 1)
        finish(looked->request);
}

/* Of a quota that is not there, or not any more, nothing is low. False: it stands as is written. */
static bool judge(struct looked *looked, int64_t now_us)
{
    struct low_balance *alert = &looked->alert;
    const struct mete_quota_view *view = NULL;
    for (size_t i = 0; i < looked->quotas_len; i++)
        if (looked->quotas[i].meter == alert->meter &&
            looked->quotas[i].currency == alert->currency)
            view = &looked->quotas[i];
    bool low = view && low_balance_is(alert, view);
    if (low == alert->low)
        return false;
    alert->low = low;
    alert->times += low;
    alert->since_us = low ? now_us : 0;
    alert->left = view ? view->granted - view->drawn : 0;
    return true;
}

static bool make_change(struct request *request, struct looked *looked)
{
    const struct mete_document_id at = {DOCUMENT_LOW_BALANCE, looked->organization,
                                        request_text(looked->alert.id)};
    struct out *out = &request->out;
    if (looked->is_gone) {
        looked->change = (struct mete_change){.kind = METE_END_DOCUMENT, .at_document = at};
        return true;
    }
    if (!judge(looked, mete_now(request->api->parts.mete).us))
        return false;
    out_clear(out);
    low_balance_write(out, &looked->alert, false);
    struct slice document = arena_copy(&request->arena, buffer_slice(&out->bytes));
    looked->change = (struct mete_change){
        .kind = METE_PUT_DOCUMENT, .at_document = at, .document = request_text(document)};
    return !out->failed && document.data;
}

static void asked(struct request *request)
{
    struct page_of *page = page_of(request);
    page->pending = 1; /* for this loop */
    for (size_t i = 0; i < page->len && !request->work_status; i++) {
        if (!make_change(request, &page->list[i]))
            continue;
        page->pending++;
        apply(&page->list[i]);
    }
    out_clear(&request->out);
    finish(request);
}

static void looked_at(struct request *request)
{
    static const struct inquiry_plan plan = {next, got, asked};
    struct low_balance_watch *watch = request->api->low_balances;
    watch->any |= page_of(request)->len > 0;
    if (page_of(request)->len < PAGE)
        watch->after = 0;
    if (request->work_status)
        request_reply_empty(request, 204);
    else
        inquiry_begin(request, &plan);
}

/* ---- The rounds ------------------------------------------------------------------------------ */

static void take_turn(struct request *request)
{
    request_look(request, look, looked_at);
}

static void reply(struct exchange *exchange, int status, const struct exchange_header *headers,
                  size_t headers_len, struct slice body)
{
    struct low_balance_watch *watch =
        (struct low_balance_watch *)((char *)exchange -
                                     offsetof(struct low_balance_watch, exchange));
    (void)headers;
    (void)headers_len;
    (void)body;
    bool is_over = status == 204 && !watch->after;
    bool sleeps = is_over && !watch->any;
    if (is_over)
        watch->any = false;
    watch->due_us = sleeps ? INT64_MAX : mete_now(watch->api->parts.mete).us + SECOND_US;
    watch->running = false;
}

static struct slice header(const struct exchange *exchange, const char *name)
{
    (void)exchange;
    (void)name;
    return (struct slice){0};
}

static void begin(struct low_balance_watch *watch)
{
    static const struct exchange_ops ops = {.header = header, .reply = reply};
    watch->exchange = (struct exchange){.ops = &ops};
    struct request *request = request_new(watch->api, &watch->exchange);
    if (!request) {
        reply(&watch->exchange, 503, NULL, 0, (struct slice){0});
        return;
    }
    request->state = request_take(request, sizeof(struct page_of));
    if (request->state)
        request_turn(request, take_turn);
}

int64_t low_balance_watch_run(struct low_balance_watch *watch, int64_t now_us)
{
    if (!watch->running && now_us >= watch->due_us) {
        watch->running = true;
        begin(watch);
    }
    return watch->running ? INT64_MAX : watch->due_us;
}

bool low_balance_watch_running(const struct low_balance_watch *watch)
{
    return watch->running;
}

void low_balance_watch_expect(struct low_balance_watch *watch)
{
    watch->any = true;
    if (watch->due_us == INT64_MAX)
        watch->due_us = 0;
}

int low_balance_watch_new(struct api *api, struct low_balance_watch **ret_watch)
{
    struct low_balance_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return METE_E_MEMORY;
    watch->api = api;
    *ret_watch = watch;
    return 0;
}

void low_balance_watch_free(struct low_balance_watch *watch)
{
    ASSERT(!watch || !watch->running);
    free(watch);
}
