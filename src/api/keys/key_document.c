/* SPDX-License-Identifier: Apache-2.0 */
#include "api/keys/key_document.h"

#include "base/assert.h"
#include "codec/timestamp.h"

static void put(struct out *out, const char *name, struct slice json)
{
    if (!json.len)
        return;
    out_key(out, name);
    out_raw(out, json);
}

/* As it was; a null is as if it were not there, but for those that have always been told. */
static void put_was(struct out *out, struct json was, const char *name)
{
    struct json value = was.type == JSON_OBJECT ? json_member(was, name) : (struct json){0};
    put(out, name, value.raw);
}

static void put_text(struct out *out, const char *name, struct slice text)
{
    out_key(out, name);
    if (text.len)
        out_text(out, text);
    else
        out_null(out);
}

/* Whose it is, and its present text. */
static void put_head(struct out *out, const struct key_draft *draft)
{
    bool is_new = draft->was.type == JSON_NONE;
    ASSERT(draft->text || !is_new);
    out_member_text(out, "id", draft->id);
    if (draft->text) {
        out_member_text(out, "prefix", slice_of(draft->text->prefix));
        out_member_text(out, "hash", slice_of(draft->text->hash));
    } else {
        put_was(out, draft->was, "prefix");
        put_was(out, draft->was, "hash");
    }
    if (is_new) {
        out_member_text(out, "organization", draft->organization);
        put_text(out, "department", draft->department);
        put_text(out, "user", draft->in->user);
    } else {
        put_was(out, draft->was, "organization");
        put_was(out, draft->was, "department");
        put_was(out, draft->was, "user");
    }
}

static void put_members(struct out *out, const struct key_draft *draft)
{
    for (enum key_member i = 0; i < KEY_MEMBERS; i++) {
        if (draft->in && draft->in->said[i])
            put(out, key_member_name(i), draft->in->json[i]);
        else
            put_was(out, draft->was, key_member_name(i));
    }
}

/* The text before, and since when it is not the present one. */
static void put_previous(struct out *out, const struct key_draft *draft)
{
    bool is_new = draft->was.type == JSON_NONE;
    if (!draft->text) {
        put_was(out, draft->was, "regenerated_at");
        put_was(out, draft->was, "previous");
    } else if (!is_new) {
        out_member_instant(out, "regenerated_at", draft->now_us);
        if (draft->previous_until_us) {
            out_key(out, "previous");
            out_open(out, '{');
            put_was(out, draft->was, "hash");
            out_member_instant(out, "until", draft->previous_until_us);
            out_close(out, '}');
        }
    }
}

int key_document_write(struct request *request, const struct key_draft *draft,
                       struct slice *ret_document)
{
    struct out *out = &request->out;
    bool was_revoked =
        draft->was.type == JSON_OBJECT && json_member(draft->was, "revoked").type == JSON_TRUE;
    out_clear(out);
    out_open(out, '{');
    put_head(out, draft);
    put_members(out, draft);
    out_member_bool(out, "revoked", draft->revokes || was_revoked);
    if (draft->was.type == JSON_NONE)
        out_member_instant(out, "created_at", draft->now_us);
    else
        put_was(out, draft->was, "created_at");
    put_previous(out, draft);
    out_close(out, '}');
    struct slice document = arena_copy(&request->arena, buffer_slice(&out->bytes));
    if (out->failed || !document.data)
        return METE_E_MEMORY;
    *ret_document = document;
    return 0;
}

int64_t key_document_previous_until(struct json document)
{
    char room[64];
    int64_t until_us = 0;
    struct json previous = json_member(document, "previous");
    struct json until =
        previous.type == JSON_OBJECT ? json_member(previous, "until") : (struct json){0};
    long len = json_string_copy(until, room, sizeof room);
    if (len > 0 && timestamp_parse((struct slice){room, (size_t)len}, &until_us))
        until_us = 0;
    return until_us;
}
