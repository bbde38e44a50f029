/* SPDX-License-Identifier: Apache-2.0
 * JSON Schema, as much of it as Google reads (parametersJsonSchema, responseJsonSchema). What it
 * does not know is left out where it only narrows or describes: "$schema", "pattern", "default",
 * ... A "const" becomes an "enum" of one. The rest goes on as it was written.
 *
 * A walk with a stack of its own instead of recursion: schemas hold maps of schemas ("properties")
 * and lists of them ("anyOf"), no deeper than json_scan() lets through. */
#include "dialect/gemini.h"
#include "dialect/json_put.h"

#include "base/assert.h"

enum kind { VALUE = 0, SCHEMA, MAP, LIST, ONE };

struct level {
    struct json value;
    size_t at;
    enum kind kind; /* SCHEMA, MAP or LIST */
    bool any;       /* something was written in it */
};

static const struct {
    const char *name;
    enum kind kind;
} words[] = {
    {"type", VALUE},
    {"properties", MAP},
    {"required", VALUE},
    {"items", SCHEMA},
    {"description", VALUE},
    {"enum", VALUE},
    {"anyOf", LIST},
    {"const", ONE},
    {"title", VALUE},
    {"format", VALUE},
    {"oneOf", LIST},
    {"$ref", VALUE},
    {"$defs", MAP},
    {"definitions", MAP},
    {"$id", VALUE},
    {"$anchor", VALUE},
    {"minimum", VALUE},
    {"maximum", VALUE},
    {"minItems", VALUE},
    {"maxItems", VALUE},
    {"prefixItems", LIST},
    {"nullable", VALUE},
    {"propertyOrdering", VALUE},
    {"additionalProperties", SCHEMA},
};

static bool kind_of(struct json key, enum kind *ret_kind)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!chat_key_is(key, words[i].name, strlen(words[i].name)))
            continue;
        *ret_kind = words[i].kind;
        return true;
    }
    return false;
}

/* How a value of that kind is walked; VALUE: as it is, which is so for true and false too. */
static enum kind walk_of(enum kind kind, struct json value)
{
    if (kind == SCHEMA && value.type == JSON_ARRAY)
        return LIST; /* items of a tuple, as older drafts have them */
    if (value.type == JSON_OBJECT && (kind == SCHEMA || kind == MAP))
        return kind;
    return value.type == JSON_ARRAY && kind == LIST ? LIST : VALUE;
}

static void put_name(struct json_put *put, struct level *level, struct json key, enum kind kind)
{
    json_put_text(put, level->any ? "," : "");
    level->any = true;
    if (key.type == JSON_NONE)
        return;
    if (kind == ONE)
        json_put_text(put, "\"enum\"");
    else
        json_put_raw(put, key.raw);
    json_put_text(put, ":");
}

/* The next member of level. False: there is none. *ret_down: what is to be walked in it. */
static bool step(struct json_put *put, struct level *level, struct level *ret_down)
{
    struct json key = {0}, value;
    enum kind kind = SCHEMA;
    *ret_down = (struct level){.kind = VALUE};
    if (!json_next(level->value, &level->at, &key, &value))
        return false;
    if (level->kind == SCHEMA && !kind_of(key, &kind))
        return true;
    put_name(put, level, level->kind == LIST ? (struct json){0} : key, kind);
    *ret_down = (struct level){.value = value, .kind = walk_of(kind, value)};
    if (ret_down->kind == VALUE) {
        json_put_text(put, kind == ONE ? "[" : "");
        json_put_raw(put, value.raw);
        json_put_text(put, kind == ONE ? "]" : "");
    }
    return true;
}

int gemini_write_schema(struct slice schema, struct buffer *out)
{
    struct level levels[JSON_DEPTH_MAX + 1], down;
    struct json_put put = {out, 0};
    struct json value;
    size_t depth = 1;
    if (json_scan(schema, &value, NULL) || value.type != JSON_OBJECT)
        return METE_E_SYNTAX;
    levels[0] = (struct level){.value = value, .kind = SCHEMA};
    json_put_text(&put, "{");
    while (depth && !put.rc) {
        struct level *level = &levels[depth - 1];
        if (!step(&put, level, &down)) {
            json_put_text(&put, level->kind == LIST ? "]" : "}");
            depth--;
        } else if (down.kind != VALUE) {
            ASSERT(depth <= JSON_DEPTH_MAX);
            json_put_text(&put, down.kind == LIST ? "[" : "{");
            levels[depth++] = down;
        }
    }
    return put.rc;
}
