/* SPDX-License-Identifier: Apache-2.0
 * A walk with a stack of its own: the depth is the document's, and bounded by json_scan(). */
#include "codec/json_strip.h"

#include "base/assert.h"
#include "codec/json_scan.h"
#include "mete.h"

struct level {
    struct json container;
    size_t at;
    bool has_some;
};

static bool is_container(struct json value)
{
    return value.type == JSON_OBJECT || value.type == JSON_ARRAY;
}

static bool is_named(struct json key, const char *const *names)
{
    for (size_t i = 0; key.type == JSON_STRING && names[i]; i++)
        if (json_string_is(key, names[i]))
            return true;
    return false;
}

/* What stands before a value: a comma, its name. */
static int begin_value(struct buffer *out, struct level *level, struct json key)
{
    int error = level->has_some ? buffer_text(out, ",") : 0;
    level->has_some = true;
    if (!error && key.type == JSON_STRING)
        error = buffer_append(out, key.raw);
    if (!error && key.type == JSON_STRING)
        error = buffer_text(out, ":");
    return error;
}

/* A scalar as it stands, or the bracket that opens a container. */
static int put_value(struct buffer *out, struct json value)
{
    struct slice raw = value.raw;
    return buffer_append(out, is_container(value) ? slice_part(raw, 0, 1) : raw);
}

static int strip(struct buffer *out, struct json root, const char *const *names)
{
    struct level levels[JSON_DEPTH_MAX + 1];
    size_t depth = 0;
    int error = put_value(out, root);
    if (is_container(root))
        levels[depth++] = (struct level){root, 0, false};
    while (!error && depth) {
        struct level *top = &levels[depth - 1];
        struct json key = {JSON_NONE, {NULL, 0}}, value;
        if (!json_next(top->container, &top->at, &key, &value)) {
            error = buffer_text(out, top->container.type == JSON_OBJECT ? "}" : "]");
            depth--;
            continue;
        }
        if (is_named(key, names))
            continue;
        error = begin_value(out, top, key);
        if (!error)
            error = put_value(out, value);
        if (is_container(value)) {
            ASSERT(depth <= JSON_DEPTH_MAX);
            levels[depth++] = (struct level){value, 0, false};
        }
    }
    return error;
}

int json_strip(struct buffer *out, struct slice text, const char *const *names)
{
    struct json root;
    size_t len = out->len;
    int error = json_scan(text, &root, NULL);
    if (!error)
        error = strip(out, root, names);
    if (error)
        out->len = len;
    return error;
}
