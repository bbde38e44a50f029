/* SPDX-License-Identifier: Apache-2.0
 * Subscriptions: that somebody has a plan. The month in which one is made is granted with it,
 * whole; the months that follow are granted as they begin (renewals.c). When it ends, what its last
 * month was granted stays until that month does. */
#include "api/documents.h"
#include "api/entities.h"
#include "api/quotas/deal.h"
#include "api/quotas/handlers.h"
#include "api/quotas/memberships.h"
#include "api/quotas/renewals.h"
#include "api/units.h"
#include "codec/timestamp.h"

#include <stddef.h>

struct subscription_in {
    struct slice id, user, plan;
    struct json scope;
};

struct subscription {
    struct deal deal; /* first: deal.h */
    struct subscription_in in;
    struct membership membership;
    struct slice document, zone; /* of the plan; of the organization */
};

/* ---- Making ---------------------------------------------------------------------------------- */

static void show(struct request *request)
{
    const struct subscription *subscription = request->state;
    out_clear(&request->out);
    membership_write(request, &subscription->membership);
    deal_write_grants(request);
    out_close(&request->out, '}');
    request_reply(request, 201);
}

static void made(struct request *request)
{
    const struct subscription *subscription = request->state;
    renewals_expect(request->api->renewals, subscription->membership.month.end_us);
    deal_ask(request, show);
}

static bool write(struct request *request, struct json was)
{
    struct subscription *subscription = request->state;
    struct deal *deal = &subscription->deal;
    (void)was;
    struct slice document = membership_document(request, &subscription->membership);
    out_clear(&request->out);
    out_raw(&request->out, document);
    for (size_t i = 0; i < deal->offers.len; i++)
        documents_also(request, &deal->changes[i]);
    return true;
}

static const char *kind_word(int kind)
{
    return fields_word(units_kinds, kind ? kind : METE_ORGANIZATION);
}

static int prepare(struct request *request, struct subscription *subscription)
{
    static const int64_t nothing[LIMIT_SCOPE_QUOTAS];
    struct deal *deal = &subscription->deal;
    struct json plan = entities_document(subscription->document);
    int64_t now_us = mete_now(request->api->parts.mete).us;
    char *now = arena_take(&request->arena, TIMESTAMP_ROOM);
    if (!now)
        return METE_E_MEMORY;
    subscription->membership =
        (struct membership){.id = subscription->in.id,
                            .plan = subscription->in.plan,
                            .kind = slice_of(kind_word(deal->whose.scope.kind)),
                            .of = deal->whose.scope.id,
                            .organization = request->params[0],
                            .created_at = {now, timestamp_format(now_us, now)},
                            .at = deal->whose.at};
    int rc = month_of(request->api->parts.os, subscription->zone, now_us,
                      &subscription->membership.month);
    if (!rc)
        rc = offers_read(request, json_member(plan, "grants"), OFFER_MONTHLY, &deal->offers);
    if (!rc)
        rc = membership_grants(request, &subscription->membership, deal_text(request, plan, "name"),
                               &deal->offers, nothing, deal->changes);
    if (!rc && !membership_ids(request, subscription->in.id, subscription->membership.month.name,
                               deal->ids))
        rc = METE_E_MEMORY;
    return rc;
}

static void failed(struct request *request)
{
    deal_fail(request, request->op.status, "id");
}

static void plan_read(struct request *request)
{
    static const struct document_plan plan = {.kind = DOCUMENT_SUBSCRIPTION,
                                              .field = "id",
                                              .write = write,
                                              .done = made,
                                              .failed = failed};
    struct subscription *subscription = request->state;
    request->op.status = request->work_status;
    if (request_missed(request, "plan"))
        return;
    int rc = prepare(request, subscription);
    if (rc)
        request_fail(request, rc, NULL, NULL);
    else
        documents_change(request, &plan, DOCUMENT_CREATE, subscription->in.id);
}

static int keep_plan(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    struct subscription *subscription = request->state;
    subscription->document = arena_copy(&request->arena, entity->document);
    return subscription->document.data ? 0 : METE_E_MEMORY;
}

static int read_plan(struct request *request, struct records_reader *reader)
{
    struct subscription *subscription = request->state;
    int rc = organizations_zone(request, request->params[0], &subscription->zone);
    return rc ? rc
              : directory_find(reader, document_entity(DOCUMENT_PLAN),
                               subscription->deal.whose.organization, subscription->in.plan,
                               keep_plan, request);
}

static void found(struct request *request)
{
    request_work(request, read_plan, plan_read);
}

#define AT(member) offsetof(struct subscription_in, member)
static const struct field table[] = {
    {.name = "id", .type = FIELD_ID, .offset = AT(id)},
    {.name = "scope", .type = FIELD_OBJECT, .offset = AT(scope)},
    {.name = "user_id", .type = FIELD_ID, .offset = AT(user)},
    {.name = "plan", .type = FIELD_ID, .flags = FIELD_REQUIRED, .offset = AT(plan)},
};
#undef AT

void subscriptions_create(struct request *request)
{
    struct subscription *subscription = request_take(request, sizeof *subscription);
    if (!subscription)
        return;
    request->state = subscription;
    struct subscription_in *in = &subscription->in;
    int rc = request_read(request, table, sizeof table / sizeof table[0], in);
    if (!rc && in->id.len > MEMBERSHIP_ID)
        rc = problem_set(&request->problem, METE_E_INVALID, "id", "It has at most %d characters.",
                         MEMBERSHIP_ID);
    if (!rc)
        rc = whose_body(request, in->scope, in->user);
    if (rc) {
        request_problem(request);
        return;
    }
    if (!in->id.len)
        in->id = request_make_id(request, "sub_");
    whose_find(request, found);
}

/* ---- Looking, ending ------------------------------------------------------------------------- */

static int show_one(struct request *request, const struct directory_entity *entity)
{
    struct membership membership;
    int rc = membership_read(request, entity->document, &membership);
    if (rc)
        return rc;
    membership_write(request, &membership);
    out_close(&request->out, '}');
    return 0;
}

void subscriptions_list(struct request *request)
{
    entities_list(request, document_entity(DOCUMENT_SUBSCRIPTION), show_one);
}

void subscriptions_show(struct request *request)
{
    entities_show(request, document_entity(DOCUMENT_SUBSCRIPTION), "subscription", show_one);
}

void subscriptions_end(struct request *request)
{
    static const struct document_plan plan = {.kind = DOCUMENT_SUBSCRIPTION,
                                              .field = "subscription"};
    documents_change(request, &plan, DOCUMENT_END, request->params[1]);
}
