/* SPDX-License-Identifier: Apache-2.0 */
#include "api/keys/key_json.h"

#include "api/entities.h"
#include "api/keys/key_document.h"
#include "codec/timestamp.h"

const char *key_json_status(struct request *request, struct json document)
{
    char room[64];
    int64_t us;
    if (json_member(document, "revoked").type == JSON_TRUE)
        return "revoked";
    long len = json_string_copy(json_member(document, "expires_at"), room, sizeof room);
    if (len > 0 && !timestamp_parse((struct slice){room, (size_t)len}, &us) &&
        us <= mete_now(request->api->parts.mete).us)
        return "expired";
    return "active";
}

/* "mete_sk_" and the first digits of the public id, which the id has too. */
static void write_prefix(struct out *out, struct slice id)
{
    char prefix[KEY_PREFIX];
    if (id.len < 8)
        return;
    memcpy(prefix, "mete_sk_", 8);
    memcpy(prefix + 8, id.data + 4, 4);
    out_member_text(out, "prefix", (struct slice){prefix, sizeof prefix});
}

/* What it may do; an empty list: all. */
static void write_permissions(struct request *request, struct json document)
{
    struct out *out = &request->out;
    entities_member(request, document, "models", JSON_ARRAY, "[]");
    out_key(out, "permissions");
    out_open(out, '{');
    entities_member(request, document, "endpoints", JSON_ARRAY, "[]");
    entities_member(request, document, "ip_ranges", JSON_ARRAY, "[]");
    out_close(out, '}');
}

static void write_instants(struct request *request, const struct key_shown *shown)
{
    struct out *out = &request->out;
    struct json document = shown->document;
    int64_t used_us = directory_used_at(request->api->parts.directory, shown->scope);
    int64_t until_us = key_document_previous_until(document);
    bool overlaps = until_us > mete_now(request->api->parts.mete).us;
    entities_member(request, document, "expires_at", JSON_STRING, "null");
    out_member_instant(out, "last_used_at", used_us ? used_us : INT64_MAX);
    entities_member(request, document, "regenerated_at", JSON_STRING, "null");
    out_member_instant(out, "previous_works_until", overlaps ? until_us : INT64_MAX);
    entities_member(request, document, "created_at", JSON_STRING, "");
}

void key_json_write(struct request *request, const struct key_shown *shown)
{
    struct out *out = &request->out;
    struct json document = shown->document;
    out_open(out, '{');
    out_member_text(out, "id", shown->id);
    write_prefix(out, shown->id);
    if (json_member(document, "name").type == JSON_STRING)
        entities_member(request, document, "name", JSON_STRING, "");
    else
        out_member_text(out, "name", shown->id);
    entities_member(request, document, "organization", JSON_STRING, "null");
    out_key(out, "department");
    if (shown->department.len)
        out_text(out, shown->department);
    else
        out_null(out);
    entities_member(request, document, "user", JSON_STRING, "null");
    write_permissions(request, document);
    entities_member(request, document, "labels", JSON_OBJECT, "{}");
    entities_member(request, document, "monthly_request_quota", JSON_NUMBER, "null");
    entities_member(request, document, "requests_per_minute", JSON_NUMBER, "null");
    entities_member(request, document, "tokens_per_minute", JSON_NUMBER, "null");
    entities_member(request, document, "concurrent_requests", JSON_NUMBER, "null");
    entities_member(request, document, "disconnect", JSON_STRING, "null");
    out_member_text(out, "status", slice_of(key_json_status(request, document)));
    write_instants(request, shown);
    if (shown->text.len)
        out_member_text(out, "key", shown->text);
    out_close(out, '}');
}
