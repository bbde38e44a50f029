/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/batches/kept.h"

#include "base/limits.h"

#include <inttypes.h>

bool kept_is_plain(struct slice id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '_' || c == '-'))
            return false;
    }
    return id.len && id.len <= LIMIT_ID;
}

/* Line ends stand between a document's tokens only: within a string JSON has them escaped. */
struct slice kept_object(struct slice object, char *room)
{
    size_t len = 0;
    if (object.len > LIMIT_BATCH_OBJECT)
        return (struct slice){NULL, 0};
    for (size_t i = 0; i < object.len; i++)
        room[len++] = object.data[i] == '\n' || object.data[i] == '\r' ? ' ' : object.data[i];
    return (struct slice){room, len};
}

/* ---- Members --------------------------------------------------------------------------------- */

int kept_put_text(struct buffer *out, const char *name, struct slice text)
{
    int rc = buffer_format(out, ",\"%s\":", name);
    return rc ? rc : json_quote(out, text);
}

int kept_put_number(struct buffer *out, const char *name, int64_t number)
{
    return buffer_format(out, ",\"%s\":%" PRId64, name, number);
}

int kept_put_object(struct buffer *out, struct slice object)
{
    int rc = buffer_text(out, ",\"object\":");
    if (!rc)
        rc = object.len ? buffer_append(out, object) : buffer_text(out, "null");
    return rc ? rc : buffer_text(out, "}");
}

struct json kept_scan(struct slice text)
{
    struct json whole;
    bool good = !json_scan(text, &whole, NULL) && whole.type == JSON_OBJECT;
    return good ? whole : (struct json){0};
}

struct slice kept_text(struct json whole, const char *name)
{
    struct slice raw = json_member(whole, name).raw;
    return raw.len > 2 && raw.data[0] == '"' ? slice_part(raw, 1, raw.len - 2) : (struct slice){0};
}

int64_t kept_number(struct json whole, const char *name)
{
    int64_t number;
    return json_integer(json_member(whole, name), &number) ? 0 : number;
}

struct slice kept_object_of(struct json whole)
{
    struct json object = json_member(whole, "object");
    return object.type == JSON_OBJECT ? object.raw : (struct slice){0};
}
