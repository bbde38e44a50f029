/* SPDX-License-Identifier: Apache-2.0 */
#include "api/quotas/memberships.h"

#include "api/entities.h"
#include "api/quotas/deal.h"
#include "base/limits.h"
#include "codec/timestamp.h"

#include <stdio.h>

/* ---- The document ---------------------------------------------------------------------------- */

int membership_ends(struct slice document, int64_t *ret_end_us)
{
    struct json end = json_member(entities_document(document), "ends");
    char room[TIMESTAMP_ROOM];
    long len = end.type == JSON_STRING ? json_string_copy(end, room, sizeof room) : 0;
    if (len <= 0 || timestamp_parse((struct slice){room, (size_t)len}, ret_end_us))
        return METE_E_CORRUPT;
    return 0;
}

int membership_read(struct request *request, struct slice document,
                    struct membership *ret_membership)
{
    struct json json = entities_document(document), scope = json_member(json, "scope");
    struct slice month = deal_text(request, json, "month");
    struct membership membership = {.id = deal_text(request, json, "id"),
                                    .plan = deal_text(request, json, "plan"),
                                    .kind = deal_text(request, scope, "kind"),
                                    .of = deal_text(request, scope, "id"),
                                    .organization = deal_text(request, json, "organization"),
                                    .created_at = deal_text(request, json, "created_at")};
    int64_t at = 0;
    if (json_member(json, "at").type != JSON_NUMBER || json_integer(json_member(json, "at"), &at) ||
        at < 1 || at > UINT32_MAX || !membership.id.len || !membership.plan.len ||
        month.len != sizeof membership.month.name - 1 ||
        membership_ends(document, &membership.month.end_us))
        return METE_E_CORRUPT;
    membership.at.n = (uint32_t)at;
    memcpy(membership.month.name, month.data, month.len);
    *ret_membership = membership;
    return 0;
}

static void write_common(struct out *out, const struct membership *membership)
{
    out_open(out, '{');
    out_member_text(out, "id", membership->id);
    out_key(out, "scope");
    out_open(out, '{');
    out_member_text(out, "kind", membership->kind);
    out_member_text(out, "id", membership->of);
    out_member_text(out, "organization", membership->organization);
    out_close(out, '}');
    out_member_text(out, "plan", membership->plan);
    out_member_text(out, "month", slice_of(membership->month.name));
}

struct slice membership_document(struct request *request, const struct membership *membership)
{
    struct out out;
    struct slice document = {0};
    out_init(&out, LIMIT_DOCUMENT);
    write_common(&out, membership);
    out_member_instant(&out, "ends", membership->month.end_us);
    out_member_integer(&out, "at", membership->at.n);
    out_member_text(&out, "organization", membership->organization);
    out_member_text(&out, "created_at", membership->created_at);
    out_close(&out, '}');
    if (!out.failed)
        document = arena_copy(&request->arena, buffer_slice(&out.bytes));
    out_done(&out);
    return document;
}

void membership_write(struct request *request, const struct membership *membership)
{
    write_common(&request->out, membership);
    out_member_instant(&request->out, "renews_at", membership->month.end_us);
    out_member_text(&request->out, "created_at", membership->created_at);
}

/* ---- A month of it --------------------------------------------------------------------------- */

bool membership_ids(struct request *request, struct slice id, const char *month,
                    struct slice ret_ids[LIMIT_SCOPE_QUOTAS])
{
    return grant_make_ids(request, grant_make_id(request, id, slice_of(month)), ret_ids);
}

int membership_grants(struct request *request, const struct membership *membership,
                      struct slice plan_name, const struct offers *offers, const int64_t *carried,
                      struct mete_change *changes)
{
    struct slice ids[LIMIT_SCOPE_QUOTAS];
    if (!membership_ids(request, membership->id, membership->month.name, ids))
        return METE_E_MEMORY;
    for (size_t i = 0; i < offers->len; i++) {
        const struct offer *offer = &offers->at[i];
        int64_t room = METE_AMOUNT_MAX - offer->amount;
        const struct grant_terms terms = {.id = ids[i],
                                          .scope = membership->at,
                                          .meter = offer->meter,
                                          .currency = offer->currency,
                                          .priority = offer->priority,
                                          .amount = offer->amount +
                                                    (carried[i] < room ? carried[i] : room),
                                          .expires_at_us = membership->month.end_us,
                                          .source = SLICE_LITERAL("membership"),
                                          .source_id = membership->plan,
                                          .description = plan_name,
                                          .offer = membership->id};
        int rc = grant_change(request, &terms, &changes[i]);
        if (rc)
            return rc;
    }
    return 0;
}

/* What is held of it by a call that still runs is the old month's. */
int64_t membership_carries(const struct offer *offer, const struct mete_grant_view *last)
{
    if (!offer->rolls || !last->expired || last->meter != offer->meter ||
        last->currency != offer->currency)
        return 0;
    int128 rest = (int128)last->amount - last->drawn - last->held;
    if (rest <= 0)
        return 0;
    if (offer->rollover_cap >= 0 && rest > offer->rollover_cap)
        return offer->rollover_cap;
    return (int64_t)rest;
}
