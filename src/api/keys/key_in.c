/* SPDX-License-Identifier: Apache-2.0
 * A table reads the members; lists, labels and words are then looked at one by one, and each is
 * written as the document will have it. */
#include "api/keys/key_in.h"

#include "base/assert.h"
#include "base/limits.h"
#include "codec/address.h"
#include "codec/timestamp.h"

#include <stdio.h>

struct body {
    struct slice name, user, department, disconnect;
    struct json models, permissions, labels;
    int64_t limits[KEY_MEMBERS], expires_at_us;
};
struct permissions {
    struct json models, endpoints, ranges;
};

static const char *const names[KEY_MEMBERS] = {
    "name",
    "models",
    "endpoints",
    "ip_ranges",
    "labels",
    "monthly_request_quota",
    "requests_per_minute",
    "tokens_per_minute",
    "concurrent_requests",
    "disconnect",
    "expires_at",
};

const char *key_member_name(enum key_member member)
{
    ASSERT(member < KEY_MEMBERS);
    return names[member];
}

enum { ENDPOINTS_MAX = 32, ENDPOINT_MAX = 32 };
#define AT(member) offsetof(struct body, member)
#define NAME .name = "name", .type = FIELD_TEXT, .offset = AT(name), .min = 1, .max = 256
#define REST                                                                                       \
    {.name = "models",                                                                             \
     .type = FIELD_TEXTS,                                                                          \
     .flags = FIELD_OR_NULL,                                                                       \
     .offset = AT(models),                                                                         \
     .min = 1,                                                                                     \
     .max = DIRECTORY_MODELS_MAX,                                                                  \
     .item_max = 128},                                                                             \
        {.name = "permissions",                                                                    \
         .type = FIELD_OBJECT,                                                                     \
         .flags = FIELD_OR_NULL,                                                                   \
         .offset = AT(permissions)},                                                               \
        {.name = "labels", .type = FIELD_OBJECT, .flags = FIELD_OR_NULL, .offset = AT(labels)},    \
        {.name = "monthly_request_quota",                                                          \
         .type = FIELD_COUNT,                                                                      \
         .flags = FIELD_OR_NULL,                                                                   \
         .offset = AT(limits[KEY_QUOTA]),                                                          \
         .max = METE_AMOUNT_MAX},                                                                  \
        {.name = "requests_per_minute",                                                            \
         .type = FIELD_COUNT,                                                                      \
         .flags = FIELD_OR_NULL,                                                                   \
         .offset = AT(limits[KEY_REQUESTS]),                                                       \
         .max = 1000000000},                                                                       \
        {.name = "tokens_per_minute",                                                              \
         .type = FIELD_COUNT,                                                                      \
         .flags = FIELD_OR_NULL,                                                                   \
         .offset = AT(limits[KEY_TOKENS]),                                                         \
         .max = 1000000000000},                                                                    \
        {.name = "concurrent_requests",                                                            \
         .type = FIELD_COUNT,                                                                      \
         .flags = FIELD_OR_NULL,                                                                   \
         .offset = AT(limits[KEY_CONCURRENT]),                                                     \
         .max = 1000000000},                                                                       \
        {.name = "disconnect",                                                                     \
         .type = FIELD_TEXT,                                                                       \
         .flags = FIELD_OR_NULL,                                                                   \
         .offset = AT(disconnect),                                                                 \
         .min = 1,                                                                                 \
         .max = 6},                                                                                \
    {                                                                                              \
        .name = "expires_at", .type = FIELD_INSTANT, .flags = FIELD_OR_NULL,                       \
        .offset = AT(expires_at_us)                                                                \
    }
static const struct field create_table[] = {
    {NAME, .flags = FIELD_REQUIRED},
    {.name = "user", .type = FIELD_ID, .offset = AT(user)},
    {.name = "department", .type = FIELD_ID, .offset = AT(department)},
    REST,
};
static const struct field update_table[] = {{NAME}, REST};
#undef AT
#undef NAME
#undef REST
#define AT(member) offsetof(struct permissions, member)
static const struct field permissions_table[] = {
    {.name = "models",
     .type = FIELD_TEXTS,
     .flags = FIELD_OR_NULL,
     .offset = AT(models),
     .min = 1,
     .max = DIRECTORY_MODELS_MAX,
     .item_max = 128},
    {.name = "endpoints",
     .type = FIELD_TEXTS,
     .flags = FIELD_OR_NULL,
     .offset = AT(endpoints),
     .min = 1,
     .max = ENDPOINTS_MAX,
     .item_max = ENDPOINT_MAX},
    {.name = "ip_ranges",
     .type = FIELD_TEXTS,
     .flags = FIELD_OR_NULL,
     .offset = AT(ranges),
     .min = 1,
     .max = DIRECTORY_RANGES_MAX,
     .item_max = ADDRESS_ROOM - 1},
};
#undef AT
#define LEN(table) (sizeof(table) / sizeof(table)[0])

static bool is_said(struct json object, const char *name)
{
    return object.type == JSON_OBJECT && json_member(object, name).type != JSON_NONE;
}

/* What is in request->out, in the arena. */
static int keep(struct request *request, struct slice *ret_json)
{
    struct slice copy = arena_copy(&request->arena, buffer_slice(&request->out.bytes));
    if (request->out.failed || !copy.data)
        return problem_set(&request->problem, METE_E_MEMORY, NULL, NULL);
    *ret_json = copy;
    return 0;
}

/* ---- Permissions ----------------------------------------------------------------------------- */

/* Element i of a list of short texts (FIELD_TEXTS has looked at their lengths). */
static struct slice element(struct json text, char room[LIMIT_ID])
{
    long len = json_string_copy(text, room, LIMIT_ID);
    return (struct slice){room, len < 0 ? 0 : (size_t)len};
}

static int wrong_endpoint(const struct fields *fields, const char *name)
{
    char known[256] = "";
    const char *word;
    size_t len = 0;
    for (size_t i = 0; (word = directory_endpoint_at(i)) && len < sizeof known; i++)
        len += (size_t)snprintf(known + len, sizeof known - len, "%s%s", len ? ", " : "", word);
    return fields_fault(fields, METE_E_INVALID, name, "It must be one of %s.", known);
}

static int check_endpoints(const struct fields *fields, struct json list)
{
    char room[LIMIT_ID], name[32];
    size_t at = 0, i = 0;
    struct json text;
    while (json_next(list, &at, NULL, &text)) {
        snprintf(name, sizeof name, "endpoints[%zu]", i++);
        if (!directory_endpoint(element(text, room)))
            return wrong_endpoint(fields, name);
    }
    return 0;
}

static int check_ranges(const struct fields *fields, struct json list)
{
    char room[LIMIT_ID], name[32];
    size_t at = 0, i = 0;
    struct address_range range;
    struct json text;
    while (json_next(list, &at, NULL, &text)) {
        snprintf(name, sizeof name, "ip_ranges[%zu]", i++);
        int rc = address_range_parse(element(text, room), &range);
        if (rc == METE_E_INVALID)
            return fields_fault(fields, METE_E_INVALID, name,
                                "It has bits behind its prefix: give the range's first address.");
        if (rc)
            return fields_fault(fields, METE_E_INVALID, name,
                                "It must be an address or a range, such as 192.0.2.0/24 or "
                                "2001:db8::/32.");
    }
    return 0;
}

static void say(struct key_in *in, enum key_member member, struct json value)
{
    in->said[member] = true;
    in->json[member] = value.raw;
}

/* null: all of it is taken away. */
static int read_permissions(struct request *request, struct json object, const char *path,
                            struct key_in *in)
{
    struct permissions read = {0};
    const struct fields fields = {permissions_table, LEN(permissions_table), path, &request->arena,
                                  &request->problem};
    int rc = object.type == JSON_OBJECT ? fields_read(&fields, object, &read) : 0;
    if (!rc)
        rc = check_endpoints(&fields, read.endpoints);
    if (!rc)
        rc = check_ranges(&fields, read.ranges);
    if (!rc && in->said[KEY_MODELS] && is_said(object, "models"))
        rc = fields_fault(&fields, METE_E_INVALID, "models", "The models stand here twice.");
    if (rc)
        return rc;
    bool is_null = object.type != JSON_OBJECT;
    if (is_null || is_said(object, "endpoints"))
        say(in, KEY_ENDPOINTS, read.endpoints);
    if (is_null || is_said(object, "ip_ranges"))
        say(in, KEY_RANGES, read.ranges);
    if (is_said(object, "models"))
        say(in, KEY_MODELS, read.models);
    return 0;
}

/* ---- Labels ---------------------------------------------------------------------------------- */

bool key_in_is_label(struct slice name)
{
    return name.len <= LIMIT_KEY_LABEL_NAME && fields_is_id(name);
}

static int read_label(const struct fields *fields, struct json key, struct json value,
                      struct slice *ret_name, struct slice *ret_value)
{
    char path[16 + LIMIT_KEY_LABEL_NAME];
    int rc = fields_text(fields, "labels", key, ret_name);
    if (rc)
        return rc;
    if (!key_in_is_label(*ret_name))
        return fields_fault(fields, METE_E_INVALID, "labels",
                            "A label's name has 1 to %d characters of A-Z a-z 0-9 . _ : @ ~ -.",
                            LIMIT_KEY_LABEL_NAME);
    snprintf(path, sizeof path, "labels.%.*s", (int)ret_name->len, ret_name->data);
    rc = fields_text(fields, path, value, ret_value);
    if (rc)
        return rc;
    bool is_plain = ret_value->len <= LIMIT_KEY_LABEL;
    for (size_t i = 0; i < ret_value->len && is_plain; i++)
        is_plain = (unsigned char)ret_value->data[i] >= ' ' && ret_value->data[i] != 0x7f;
    return is_plain
               ? 0
               : fields_fault(fields, METE_E_INVALID, path,
                              "It must have at most %d bytes, all printable.", LIMIT_KEY_LABEL);
}

/* Written anew, so that no escape makes a document longer than what it says. */
static int read_labels(struct request *request, struct json object, const struct fields *fields,
                       struct key_in *in)
{
    struct out *out = &request->out;
    size_t at = 0, len = 0;
    struct json key, value;
    char name[LIMIT_KEY_LABEL_NAME + 1];
    out_clear(out);
    out_open(out, '{');
    while (json_next(object, &at, &key, &value)) {
        struct slice label, text;
        int rc = read_label(fields, key, value, &label, &text);
        if (rc)
            return rc;
        memcpy(name, label.data, label.len);
        name[label.len] = 0;
        if (json_count(object, name) > 1)
            return fields_fault(fields, METE_E_INVALID, "labels", "%s stands twice.", name);
        if (++len > LIMIT_KEY_LABELS)
            return fields_fault(fields, METE_E_INVALID, "labels", "At most %d labels.",
                                LIMIT_KEY_LABELS);
        out_member_text(out, name, text);
    }
    out_close(out, '}');
    in->said[KEY_LABELS] = true;
    return len ? keep(request, &in->json[KEY_LABELS]) : 0;
}

/* ---- The rest -------------------------------------------------------------------------------- */

static int keep_expiry(struct request *request, const struct fields *fields, struct json object,
                       int64_t expires_at_us, struct key_in *in)
{
    in->said[KEY_EXPIRES] = true;
    in->expires_at_us = expires_at_us;
    if (json_member(object, "expires_at").type == JSON_NULL)
        return 0;
    if (expires_at_us <= mete_now(request->api->parts.mete).us)
        return fields_fault(fields, METE_E_INVALID, "expires_at", "It must be in the future.");
    out_clear(&request->out);
    out_instant(&request->out, expires_at_us);
    return keep(request, &in->json[KEY_EXPIRES]);
}

/* Members that stand in the document as they do here. */
static void keep_plain(struct json object, struct key_in *in)
{
    static const enum key_member plain[] = {KEY_NAME,   KEY_MODELS,     KEY_QUOTA,     KEY_REQUESTS,
                                            KEY_TOKENS, KEY_CONCURRENT, KEY_DISCONNECT};
    for (size_t i = 0; i < LEN(plain); i++) {
        struct json value = json_member(object, names[plain[i]]);
        if (value.type == JSON_NULL)
            in->said[plain[i]] = true;
        else if (value.type != JSON_NONE)
            say(in, plain[i], value);
    }
}

static int keep_rest(struct request *request, const struct fields *fields, struct json object,
                     const struct body *body, struct key_in *in)
{
    struct slice leaves = body->disconnect;
    char path[64];
    int rc = 0;
    if (leaves.len && !slice_is(leaves, "drain") && !slice_is(leaves, "cancel"))
        rc = fields_fault(fields, METE_E_INVALID, "disconnect", "It must be drain or cancel.");
    if (!rc && is_said(object, "expires_at"))
        rc = keep_expiry(request, fields, object, body->expires_at_us, in);
    if (!rc && is_said(object, "labels"))
        rc = read_labels(request, body->labels, fields, in);
    snprintf(path, sizeof path, "%s%spermissions", fields->path, fields->path[0] ? "." : "");
    if (!rc && is_said(object, "permissions"))
        rc = read_permissions(request, body->permissions, path, in);
    return rc;
}

int key_in_read(struct request *request, struct json object, const char *path, bool creates,
                struct key_in *ret_in)
{
    struct body body = {0};
    const struct fields fields = {creates ? create_table : update_table,
                                  creates ? LEN(create_table) : LEN(update_table), path,
                                  &request->arena, &request->problem};
    for (size_t i = 0; i < KEY_MEMBERS; i++)
        body.limits[i] = -1;
    int rc = fields_read(&fields, object, &body);
    if (rc)
        return rc;
    *ret_in = (struct key_in){.user = body.user, .department = body.department};
    memcpy(ret_in->limits, body.limits, sizeof body.limits);
    keep_plain(object, ret_in);
    return keep_rest(request, &fields, object, &body, ret_in);
}
