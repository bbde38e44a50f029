/* SPDX-License-Identifier: Apache-2.0 */
#include "api/quotas/grant_json.h"

#include "api/entities.h"
#include "api/limits/budget_json.h"
#include "api/units.h"
#include "base/assert.h"
#include "base/limits.h"

static void member_if_given(struct out *out, const char *name, struct slice text)
{
    if (text.len)
        out_member_text(out, name, text);
}

static struct slice write_document(struct request *request, const struct grant_terms *terms)
{
    struct out out;
    struct slice document = {0};
    out_init(&out, LIMIT_DOCUMENT);
    out_open(&out, '{');
    member_if_given(&out, "source", terms->source);
    member_if_given(&out, "source_id", terms->source_id);
    member_if_given(&out, "description", terms->description);
    member_if_given(&out, "offer", terms->offer);
    out_close(&out, '}');
    if (!out.failed)
        document = arena_copy(&request->arena, buffer_slice(&out.bytes));
    out_done(&out);
    return document;
}

int grant_change(struct request *request, const struct grant_terms *terms,
                 struct mete_change *ret_change)
{
    struct slice document = write_document(request, terms);
    if (!document.data || !terms->id.len)
        return METE_E_MEMORY;
    *ret_change = (struct mete_change){.kind = METE_PUT_GRANT,
                                       .flags = METE_CHANGE_CREATE,
                                       .grant = {.id = request_text(terms->id),
                                                 .scope = terms->scope,
                                                 .meter = terms->meter,
                                                 .currency = terms->currency,
                                                 .amount = terms->amount,
                                                 .priority = terms->priority,
                                                 .expires_at = {terms->expires_at_us},
                                                 .source = request_text(terms->source)},
                                       .document = request_text(document)};
    return 0;
}

struct slice grant_make_id(struct request *request, struct slice prefix, struct slice suffix)
{
    size_t len = prefix.len + 1 + suffix.len;
    char *room = len <= LIMIT_ID ? arena_take_raw(&request->arena, len) : NULL;
    if (!room || !prefix.len || !suffix.len)
        return (struct slice){0};
    memcpy(room, prefix.data, prefix.len);
    room[prefix.len] = '~';
    memcpy(room + prefix.len + 1, suffix.data, suffix.len);
    return (struct slice){room, len};
}

bool grant_make_ids(struct request *request, struct slice name,
                    struct slice ret_ids[LIMIT_SCOPE_QUOTAS])
{
    if (!name.len || name.len > LIMIT_ID - 2)
        return false;
    ret_ids[0] = name;
    for (size_t i = 1; i < LIMIT_SCOPE_QUOTAS; i++) {
        char *id = arena_take_raw(&request->arena, name.len + 2);
        if (!id)
            return false;
        memcpy(id, name.data, name.len);
        id[name.len] = '~';
        id[name.len + 1] = (char)('1' + i);
        ret_ids[i] = (struct slice){id, name.len + 2};
    }
    return true;
}

struct kept {
    struct request *request;
    struct slice document;
};

static int keep(void *user, const struct directory_entity *entity)
{
    struct kept *kept = user;
    if (!entity->document.len)
        return 0;
    kept->document = arena_copy(&kept->request->arena, entity->document);
    return kept->document.data ? 0 : METE_E_MEMORY;
}

int grant_document(struct request *request, struct mete_scope_id organization, struct slice id,
                   struct slice *ret_document)
{
    struct kept kept = {.request = request};
    ASSERT(request->reader);
    int rc = directory_find(request->reader, RECORDS_GRANT, organization, id, keep, &kept);
    if (rc && rc != METE_E_NOT_FOUND)
        return rc;
    *ret_document = kept.document;
    return 0;
}

void grant_json_origin(struct request *request, struct slice document)
{
    struct json json = entities_document(document);
    entities_member(request, json, "source_id", JSON_STRING, "null");
    entities_member(request, json, "description", JSON_STRING, "null");
}

void grant_json_write(struct request *request, const struct mete_grant_view *view,
                      struct slice document)
{
    struct out *out = &request->out;
    out_open(out, '{');
    out_member_text(out, "id", slice_of(view->id));
    budget_json_scope(request, "scope", view->scope.n);
    units_write(out, "unit", view->meter, view->currency);
    out_member_amount(out, "amount", view->meter, view->amount);
    out_member_amount(out, "drawn", view->meter, view->drawn);
    out_member_amount(out, "held", view->meter, view->held);
    out_member_amount(out, "balance", view->meter, (int128)view->amount - view->drawn - view->held);
    out_member_integer(out, "priority", view->priority);
    out_member_instant(out, "expires_at", view->expires_at.us ? view->expires_at.us : INT64_MAX);
    out_member_bool(out, "expired", view->expired != 0);
    out_member_text(out, "source", slice_of(view->source));
    grant_json_origin(request, document);
    out_member_instant(out, "created_at", view->made_at.us);
    out_close(out, '}');
}
