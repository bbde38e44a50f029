/* SPDX-License-Identifier: Apache-2.0 */
#include "api/keys/key_json.h"

#include "api/entities.h"
#include "codec/timestamp.h"

static const char *status_word(struct request *request, struct json document)
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

void key_json_write(struct request *request, struct slice id, struct json document,
                    struct slice department, struct slice text)
{
    struct out *out = &request->out;
    out_open(out, '{');
    out_member_text(out, "id", id);
    write_prefix(out, id);
    if (json_member(document, "name").type == JSON_STRING)
        entities_member(request, document, "name", JSON_STRING, "");
    else
        out_member_text(out, "name", id);
    entities_member(request, document, "organization", JSON_STRING, "null");
    out_key(out, "department");
    if (department.len)
        out_text(out, department);
    else
        out_null(out);
    entities_member(request, document, "user", JSON_STRING, "null");
    entities_member(request, document, "models", JSON_ARRAY, "[]");
    entities_member(request, document, "monthly_request_quota", JSON_NUMBER, "null");
    entities_member(request, document, "requests_per_minute", JSON_NUMBER, "null");
    entities_member(request, document, "tokens_per_minute", JSON_NUMBER, "null");
    entities_member(request, document, "concurrent_requests", JSON_NUMBER, "null");
    entities_member(request, document, "disconnect", JSON_STRING, "null");
    out_member_text(out, "status", slice_of(status_word(request, document)));
    entities_member(request, document, "expires_at", JSON_STRING, "null");
    entities_member(request, document, "created_at", JSON_STRING, "");
    if (text.len)
        out_member_text(out, "key", text);
    out_close(out, '}');
}
