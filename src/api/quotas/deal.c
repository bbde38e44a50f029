/* SPDX-License-Identifier: Apache-2.0 */
#include "api/quotas/deal.h"

#include "api/entities.h"

#define DAY_US (INT64_C(86400) * 1000000)

int deal_make(struct request *request, const struct grant_terms *terms)
{
    struct deal *deal = request->state;
    int64_t now_us = mete_now(request->api->parts.mete).us;
    for (size_t i = 0; i < deal->offers.len; i++) {
        const struct offer *offer = &deal->offers.at[i];
        struct grant_terms own = *terms;
        own.id = deal->ids[i];
        own.meter = offer->meter;
        own.currency = offer->currency;
        own.amount = offer->amount;
        own.priority = offer->priority;
        if (offer->days)
            own.expires_at_us = now_us + offer->days * DAY_US;
        int rc = grant_change(request, &own, &deal->changes[i]);
        if (rc)
            return rc;
    }
    return 0;
}

static bool next(struct request *request, size_t *at, struct mete_query *ret_query)
{
    const struct deal *deal = request->state;
    if (*at >= LIMIT_SCOPE_QUOTAS)
        return false;
    *ret_query = (struct mete_query){.kind = METE_QUERY_FIND_GRANT,
                                     .id = request_text(deal->ids[*at]),
                                     .organization = deal->whose.organization};
    return true;
}

static void got(struct request *request, size_t at, int status, const struct mete_answer *answer)
{
    struct deal *deal = request->state;
    if (status && status != METE_E_NOT_FOUND)
        request->work_status = status;
    if (status)
        return;
    deal->there[at] = true;
    deal->views[at] = answer->grant;
    request_want(request, NAME_SCOPE, answer->grant.scope.n);
}

static int read_documents(struct request *request, struct records_reader *reader)
{
    struct deal *deal = request->state;
    int rc = 0;
    (void)reader;
    for (size_t i = 0; i < LIMIT_SCOPE_QUOTAS && !rc; i++)
        if (deal->there[i])
            rc = grant_document(request, deal->whose.organization, slice_of(deal->views[i].id),
                                &deal->documents[i]);
    return rc;
}

static void documents_read(struct request *request)
{
    if (!request_failed(request))
        ((struct deal *)request->state)->then(request);
}

static void read_them(struct request *request)
{
    request_work(request, read_documents, documents_read);
}

static void asked(struct request *request)
{
    if (!request_failed(request))
        request_load_names(request, read_them);
}

void deal_ask(struct request *request, void (*then)(struct request *request))
{
    static const struct inquiry_plan plan = {next, got, asked};
    ((struct deal *)request->state)->then = then;
    request->work_status = 0;
    inquiry_begin(request, &plan);
}

void deal_write_grants(struct request *request)
{
    const struct deal *deal = request->state;
    out_key(&request->out, "grants");
    out_open(&request->out, '[');
    for (size_t i = 0; i < LIMIT_SCOPE_QUOTAS; i++)
        if (deal->there[i])
            grant_json_write(request, &deal->views[i], deal->documents[i]);
    out_close(&request->out, ']');
}

bool deal_is(struct request *request, struct slice offer)
{
    const struct deal *deal = request->state;
    struct json document = entities_document(deal->documents[0]);
    return deal->there[0] && deal->views[0].scope.n == deal->whose.at.n &&
           slice_equal(deal_text(request, document, "offer"), offer);
}

void deal_fail(struct request *request, int error, const char *id_field)
{
    if (error == METE_E_FULL)
        request_fail(request, error, "scope", "A scope has quotas in at most %d units.",
                     LIMIT_SCOPE_QUOTAS);
    else if (error == METE_E_EXISTS)
        request_fail(request, error, id_field, "This was used for something else.");
    else if (error == METE_E_NOT_FOUND)
        request_fail(request, error, "scope.id", "Nothing here has this id.");
    else
        request_fail(request, error, NULL, NULL);
}

struct slice deal_text(struct request *request, struct json document, const char *name)
{
    struct json text = json_member(document, name);
    char room[4 * GRANT_DESCRIPTION];
    long len = text.type == JSON_STRING ? json_string_copy(text, room, sizeof room) : 0;
    return len > 0 ? arena_copy(&request->arena, (struct slice){room, (size_t)len})
                   : (struct slice){0};
}
