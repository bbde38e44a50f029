/* SPDX-License-Identifier: Apache-2.0
 * Lists and single documents come from the records: after the engine has projected everything that
 * was acknowledged before, so that one sees what one has just made. One row more than the page is
 * read, to know whether there is another. */
#include "api/entities.h"

#include "base/assert.h"
#include "directory/documents.h"

struct listing {
    struct page page;
    int kind;
    entities_write *write;
    const char *field;
    size_t count;
    uint32_t last;
    bool more;
};

struct json entities_document(struct slice document)
{
    struct json value;
    if (!document.len || json_scan(document, &value, NULL))
        return (struct json){0};
    return value;
}

int entities_as_kept(struct request *request, const struct directory_entity *entity)
{
    out_raw(&request->out, entity->document);
    return 0;
}

struct json entities_open(struct request *request, const struct directory_entity *entity)
{
    struct json document = entities_document(entity->document);
    struct out *out = &request->out;
    out_open(out, '{');
    out_member_text(out, "id", entity->id);
    if (json_member(document, "name").type == JSON_STRING)
        entities_member(request, document, "name", JSON_STRING, "");
    else
        out_member_text(out, "name", entity->id);
    return document;
}

void entities_member(struct request *request, struct json document, const char *name,
                     enum json_type type, const char *fallback)
{
    struct json value = json_member(document, name);
    if (value.type != type && !fallback[0])
        return;
    out_key(&request->out, name);
    out_raw(&request->out, value.type == type ? value.raw : slice_of(fallback));
}

static int list_one(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    struct listing *listing = request->state;
    if (listing->count == listing->page.limit) {
        listing->more = true;
        return 1;
    }
    listing->count++;
    listing->last = entity->handle;
    return listing->write(request, entity);
}

static int list_run(struct request *request, struct records_reader *reader)
{
    struct listing *listing = request->state;
    out_page_open(&request->out);
    int rc = directory_list(reader, listing->kind, request->found, (uint32_t)listing->page.after,
                            listing->page.limit + 1, list_one, request);
    return rc < 0 ? rc : 0;
}

static void list_done(struct request *request)
{
    const struct listing *listing = request->state;
    if (request_failed(request))
        return;
    out_page_close(&request->out, listing->more ? listing->last : 0);
    out_key(&request->out, "last_seq");
    out_unsigned(&request->out, request->last_seq);
    out_close(&request->out, '}');
    request_reply(request, 200);
}

static void list_read(struct request *request)
{
    if (!request_missed(request, "org"))
        request_look(request, list_run, list_done);
}

void entities_list(struct request *request, int kind, entities_write *write)
{
    static const char *const known[] = {"limit", "cursor", NULL};
    struct listing *listing = request_take(request, sizeof *listing);
    if (!listing)
        return;
    *listing = (struct listing){.kind = kind, .write = write};
    request->state = listing;
    if (request_query_known(request, known) || request_page(request, &listing->page)) {
        request_problem(request);
        return;
    }
    if (listing->page.after > UINT32_MAX) {
        request_fail(request, METE_E_INVALID, "cursor",
                     "It must be the next_cursor of a page before.");
        return;
    }
    request->found = (struct mete_scope_id){0};
    if (kind == METE_ORGANIZATION || document_is_installations(kind))
        request_look(request, list_run, list_done);
    else
        request_find_organization(request, list_read);
}

/* ---- One ------------------------------------------------------------------------------------- */

static struct slice last_param(const struct request *request)
{
    return request->params[1].len ? request->params[1] : request->params[0];
}

static int show_one(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    const struct listing *listing = request->state;
    request->version = entity->version;
    return listing->write(request, entity);
}

static int show_run(struct request *request, struct records_reader *reader)
{
    const struct listing *listing = request->state;
    return directory_find(reader, listing->kind, request->found, last_param(request), show_one,
                          request);
}

static void show_done(struct request *request)
{
    const struct listing *listing = request->state;
    request->op.status = request->work_status;
    if (!request_missed(request, listing->field))
        request_reply(request, 200);
}

static void show_read(struct request *request)
{
    const struct listing *listing = request->state;
    if (listing->kind == METE_ORGANIZATION)
        request->found = (struct mete_scope_id){0};
    if (!request_missed(request, "org"))
        request_look(request, show_run, show_done);
}

void entities_show(struct request *request, int kind, const char *field, entities_write *write)
{
    static const char *const known[] = {NULL};
    if (request_query_known(request, known)) {
        request_problem(request);
        return;
    }
    struct listing *listing = request_take(request, sizeof *listing);
    if (!listing)
        return;
    *listing = (struct listing){.kind = kind, .write = write, .field = field};
    request->state = listing;
    request->found = (struct mete_scope_id){0};
    if (document_is_installations(kind))
        request_look(request, show_run, show_done);
    else
        request_find_organization(request, show_read);
}

/* ---- Creating ---------------------------------------------------------------------------------
 */

void entities_created(struct request *request)
{
    int status = request->op.status;
    if (status == METE_E_EXISTS)
        request_fail(request, status, "id", "This id is taken.");
    else if (status)
        request_fail(request, status, NULL, NULL);
    else {
        request->version = request->op.result.applied.seq;
        request_reply(request, 201);
    }
}

void entities_create(struct request *request, const struct mete_scope_spec *spec)
{
    ASSERT(!request->out.failed);
    struct mete_change *change = request_take(request, sizeof *change);
    if (!change)
        return;
    *change = (struct mete_change){.kind = METE_PUT_SCOPE,
                                   .flags = METE_CHANGE_CREATE,
                                   .scope = *spec,
                                   .document = request_text(buffer_slice(&request->out.bytes))};
    request_apply(request, change, 1, entities_created);
}
