/* SPDX-License-Identifier: Apache-2.0 */
#include "api/documents.h"

#include "base/assert.h"

enum { ALSO_MAX = 8 };

struct document_change {
    const struct document_plan *plan;
    enum document_act act;
    struct slice id, was;
    uint64_t version; /* 0: there is none */
    struct mete_change changes[1 + ALSO_MAX];
    size_t len;
};

void documents_also(struct request *request, const struct mete_change *change)
{
    struct document_change *self = request->document;
    ASSERT(self && self->len < 1 + ALSO_MAX);
    self->changes[self->len++] = *change;
}

static void done(struct request *request)
{
    const struct document_change *self = request->document;
    if (request->op.status && self->plan->failed) {
        self->plan->failed(request);
        return;
    }
    if (request->op.status) {
        request_fail(request, request->op.status, NULL, NULL);
        return;
    }
    request->version = self->act == DOCUMENT_END ? 0 : request->op.result.applied.seq;
    if (self->plan->done)
        self->plan->done(request);
    else if (self->act == DOCUMENT_END)
        request_reply_empty(request, 204);
    else
        request_reply(request, self->version ? 200 : 201);
}

/* In front of what write() added. */
static void apply(struct request *request)
{
    struct document_change *self = request->document;
    bool ends = self->act == DOCUMENT_END;
    struct slice document = {0};
    if (!ends)
        document = arena_copy(&request->arena, buffer_slice(&request->out.bytes));
    if (!ends && (request->out.failed || !document.data)) {
        request_fail(request, METE_E_MEMORY, NULL, NULL);
        return;
    }
    self->changes[0] = (struct mete_change){
        .kind = ends ? METE_END_DOCUMENT : METE_PUT_DOCUMENT,
        .at_document = {(uint16_t)self->plan->kind, request->found, request_text(self->id)},
        .document = request_text(document)};
    request_apply(request, self->changes, self->len, done);
}

static bool may_be(struct request *request)
{
    const struct document_change *self = request->document;
    const char *field = self->plan->field;
    if (self->act == DOCUMENT_CREATE && self->version) {
        request_fail(request, METE_E_EXISTS, field, "This id is taken.");
        return false;
    }
    if ((self->act == DOCUMENT_CHANGE || self->act == DOCUMENT_END) && !self->version) {
        request_fail(request, METE_E_NOT_FOUND, field, "Nothing here has this id.");
        return false;
    }
    return !self->version || request_matches(request, self->version);
}

static void looked(struct request *request)
{
    const struct document_change *self = request->document;
    if (request->work_status && request->work_status != METE_E_NOT_FOUND) {
        request_fail(request, request->work_status, NULL, NULL);
        return;
    }
    if (may_be(request) &&
        (!self->plan->write || self->plan->write(request, entities_document(self->was))))
        apply(request);
}

static int keep(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    struct document_change *self = request->document;
    self->version = entity->version;
    self->was = arena_copy(&request->arena, entity->document);
    return self->was.data ? 0 : METE_E_MEMORY;
}

static int look(struct request *request, struct records_reader *reader)
{
    const struct document_change *self = request->document;
    return directory_find(reader, document_entity(self->plan->kind), request->found, self->id, keep,
                          request);
}

static void take_turn(struct request *request)
{
    request_look(request, look, looked);
}

static void found(struct request *request)
{
    if (!request_missed(request, "org"))
        request_turn(request, take_turn);
}

void documents_change(struct request *request, const struct document_plan *plan,
                      enum document_act act, struct slice id)
{
    struct document_change *self = request_take(request, sizeof *self);
    if (!self)
        return;
    *self = (struct document_change){.plan = plan, .act = act, .id = id, .len = 1};
    request->document = self;
    request->found = (struct mete_scope_id){0};
    if (!fields_is_id(id))
        request_fail(request, act == DOCUMENT_CREATE ? METE_E_INVALID : METE_E_NOT_FOUND,
                     plan->field, "Nothing can have this id.");
    else if (document_is_installations(document_entity(plan->kind)))
        request_turn(request, take_turn);
    else
        request_find_organization(request, found);
}
