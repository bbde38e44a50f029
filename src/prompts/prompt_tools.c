/* SPDX-License-Identifier: Apache-2.0
 * Functions as OpenAI shows them to its models, which is what it bills:
 *
 *   namespace functions {
 *
 *   // Get the weather
 *   type get_weather = (_: {
 *   // The city
 *   city: string,
 *   unit?: "celsius" | "fahrenheit", // default: celsius
 *   }) => any;
 *
 *   } // namespace functions
 *
 * What is not as the public parts of that rendering (openai/harmony) say, recorded calls do: an
 * object none of whose members has a description or a default stands in one line, "{a: string, b:
 * number}"; descriptions lose their empty lines and margins; and before gpt-5 the responses API
 * writes nothing behind an object's last member, and no default that is empty.
 *
 * Each function begins with what ends the one before, ";" and an empty line, since a comment's
 * slashes are one piece with them.
 *
 * The schema is walked with a stack of its own, PLACES deep; a type below that is "any". References
 * may make a small schema endless, so the bytes that are looked at are bounded too: what comes
 * after that is not rendered, and the prompt is then not bounded by its count. */
#include "prompts/prompt.h"

enum { PLACES = 40, REFERENCES = 8 };

/* The members of one schema. */
struct schema {
    struct json type, properties, required, items, description, title, fallback, choices, constant,
        any, all, reference;
};

enum step {
    STEP_TYPE = 0, /* value is a schema: to be rendered */
    STEP_MEMBERS,  /* value is an object's properties */
    STEP_CHOICES,  /* value is a list of schemas */
    STEP_TEXT      /* text is to be written */
};

struct place {
    enum step step;
    struct json value, required;
    size_t at;
    bool inside; /* a member or choice is being rendered */
    bool flat;   /* the object stands in one line */
    struct json fallback;
    struct slice text;
};

struct rendering {
    struct feed feed;
    struct json root;
    int64_t left; /* bytes that may still be looked at */
    bool terse;   /* nothing stands behind an object's last member */
    size_t depth;
    struct place places[PLACES];
};

static void put(struct rendering *r, const char *text)
{
    feed_text(&r->feed, slice_of(text));
}

static void read_schema(struct json value, struct schema *ret_schema)
{
    static const struct {
        const char *key;
        size_t at;
    } keys[] = {
        {"\"type\"", offsetof(struct schema, type)},
        {"\"properties\"", offsetof(struct schema, properties)},
        {"\"required\"", offsetof(struct schema, required)},
        {"\"items\"", offsetof(struct schema, items)},
        {"\"description\"", offsetof(struct schema, description)},
        {"\"title\"", offsetof(struct schema, title)},
        {"\"default\"", offsetof(struct schema, fallback)},
        {"\"enum\"", offsetof(struct schema, choices)},
        {"\"const\"", offsetof(struct schema, constant)},
        {"\"anyOf\"", offsetof(struct schema, any)},
        {"\"oneOf\"", offsetof(struct schema, any)},
        {"\"allOf\"", offsetof(struct schema, all)},
        {"\"$ref\"", offsetof(struct schema, reference)},
    };
    *ret_schema = (struct schema){0};
    struct json key, member;
    for (size_t at = 0; value.type == JSON_OBJECT && json_next(value, &at, &key, &member);)
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
            if (slice_is(key.raw, keys[i].key))
                memcpy((char *)ret_schema + keys[i].at, &member, sizeof member);
}

/* Whether so many bytes may be looked at. */
static bool may_look(struct rendering *r, size_t bytes)
{
    r->left -= (int64_t)bytes + 16;
    return r->left >= 0;
}

/* ---- Comments -------------------------------------------------------------------------------- */

/* Each line that is not empty, without its margins, behind "// ". */
static void put_comment(struct rendering *r, struct json description)
{
    if (description.type != JSON_STRING || description.raw.len == 2)
        return;
    struct slice text = slice_part(description.raw, 1, description.raw.len - 2);
    bool line = false;
    size_t spaces = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool escape = text.data[i] == '\\';
        char c = text.data[i];
        if (c == ' ') {
            spaces++;
            continue;
        }
        if (escape && text.data[i + 1] == 'n') {
            if (line)
                put(r, "\n");
            line = false;
            spaces = 0;
            i++;
            continue;
        }
        if (!line)
            put(r, "// ");
        for (; line && spaces; spaces--)
            put(r, " ");
        spaces = 0;
        line = true;
        size_t len = escape ? (text.data[i + 1] == 'u' ? 6 : 2) : 1;
        while (!escape && i + len < text.len && text.data[i + len] != '\\' &&
               text.data[i + len] != ' ')
            len++;
        if (escape && len == 6 && text.len - i >= 12 && text.data[i + 6] == '\\' &&
            text.data[i + 7] == 'u')
            len = 12;
        /* A string of its own, as feed_string() takes one: the byte before and behind are never
         * looked at. */
        feed_string(&r->feed, (struct json){JSON_STRING, {text.data + i - 1, len + 2}});
        i += len - 1;
    }
    if (line)
        put(r, "\n");
}

static void put_title(struct rendering *r, struct json title, bool rule_below)
{
    if (title.type != JSON_STRING)
        return;
    put(r, "// ");
    feed_string(&r->feed, title);
    put(r, rule_below ? "\n//\n" : "\n");
}

/* ---- Types ----------------------------------------------------------------------------------- */

static struct place *push(struct rendering *r, enum step step, struct json value)
{
    if (r->depth == PLACES)
        return NULL;
    struct place *place = &r->places[r->depth++];
    *place = (struct place){.step = step, .value = value};
    return place;
}

static bool is_required(struct rendering *r, struct json required, struct json key)
{
    struct json name;
    if (!may_look(r, required.raw.len))
        return true;
    for (size_t at = 0; required.type == JSON_ARRAY && json_next(required, &at, NULL, &name);)
        if (slice_equal(name.raw, key.raw))
            return true;
    return false;
}

/* "#/$defs/Name" -> what it names; JSON_NONE: nothing. */
static struct json follow(struct rendering *r, struct json reference)
{
    char path[256], *at = path;
    long len = json_string_copy(reference, path, sizeof path - 1);
    if (len < 2 || path[0] != '#' || path[1] != '/' || !may_look(r, r->root.raw.len))
        return (struct json){0};
    path[len] = '\0';
    struct json value = r->root;
    for (at += 2; at && value.type == JSON_OBJECT;) {
        char *slash = strchr(at, '/');
        if (slash)
            *slash++ = '\0';
        value = json_member(value, at);
        at = slash;
    }
    return at ? (struct json){0} : value;
}

static const char *name_of(struct json type)
{
    static const char *const names[][2] = {
        {"string", "string"}, {"integer", "number"}, {"number", "number"}, {"boolean", "boolean"},
        {"null", "null"},     {"object", "object"},  {"array", "any[]"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (json_string_is(type, names[i][0]))
            return names[i][1];
    return "any";
}

static void put_words(struct rendering *r, struct json list, bool types)
{
    struct json word;
    bool more = false;
    for (size_t at = 0; json_next(list, &at, NULL, &word); more = true) {
        if (more)
            put(r, " | ");
        if (types)
            put(r, name_of(word));
        else
            feed_json(&r->feed, word);
    }
}

static bool is_text(struct json value)
{
    return value.type == JSON_STRING && value.raw.len > 2;
}

/* Whether no member of them has anything to be said beside its type. */
static bool are_plain(struct rendering *r, struct json properties)
{
    struct json key, value;
    struct schema s;
    if (!may_look(r, properties.raw.len))
        return true;
    for (size_t at = 0; json_next(properties, &at, &key, &value);) {
        read_schema(value, &s);
        if (is_text(s.description) || s.title.type == JSON_STRING || s.fallback.type != JSON_NONE)
            return false;
    }
    return true;
}

static void put_object(struct rendering *r, const struct schema *s)
{
    struct json key, first;
    size_t at = 0;
    if (s->properties.type != JSON_OBJECT || !json_next(s->properties, &at, &key, &first)) {
        put(r, "object");
        return;
    }
    struct place *place = push(r, STEP_MEMBERS, s->properties);
    bool flat = place && are_plain(r, s->properties);
    put(r, flat ? "{" : "{\n");
    if (!place)
        return;
    place->required = s->required;
    place->flat = flat;
}

static void put_list(struct rendering *r, const struct schema *s)
{
    struct place *after = s->items.type == JSON_OBJECT ? push(r, STEP_TEXT, s->items) : NULL;
    if (!after) {
        put(r, "any[]");
        return;
    }
    after->text = SLICE_LITERAL("[]");
    if (!push(r, STEP_TYPE, s->items))
        put(r, "any");
}

static void put_type(struct rendering *r, struct json value)
{
    struct schema s;
    read_schema(value, &s);
    for (int i = 0; s.reference.type == JSON_STRING && i < REFERENCES; i++) {
        value = follow(r, s.reference);
        read_schema(value, &s);
    }
    if (s.any.type == JSON_ARRAY || s.all.type == JSON_ARRAY) {
        struct place *place = push(r, STEP_CHOICES, s.any.type == JSON_ARRAY ? s.any : s.all);
        if (place)
            place->text = s.any.type == JSON_ARRAY ? SLICE_LITERAL(" | ") : SLICE_LITERAL(" & ");
    } else if (s.choices.type == JSON_ARRAY) {
        put_words(r, s.choices, false);
    } else if (s.constant.type != JSON_NONE) {
        feed_json(&r->feed, s.constant);
    } else if (s.type.type == JSON_ARRAY) {
        put_words(r, s.type, true);
    } else if (json_string_is(s.type, "array")) {
        put_list(r, &s);
    } else if (json_string_is(s.type, "object") || s.properties.type == JSON_OBJECT) {
        put_object(r, &s);
    } else {
        put(r, name_of(s.type));
    }
}

/* ---- The walk -------------------------------------------------------------------------------- */

static void end_member(struct rendering *r, struct place *place, bool more)
{
    struct json fallback = place->fallback;
    place->inside = false;
    if (fallback.type != JSON_NONE && !(r->terse && slice_is(fallback.raw, "\"\""))) {
        put(r, ", // default: ");
        if (fallback.type == JSON_STRING)
            feed_string(&r->feed, fallback);
        else
            feed_json(&r->feed, fallback);
        put(r, "\n");
    } else if (place->flat) {
        put(r, more ? ", " : "");
    } else if (more || !r->terse) {
        put(r, ",\n");
    }
}

static void next_member(struct rendering *r, struct place *place)
{
    struct json key, value;
    bool more = json_next(place->value, &place->at, &key, &value);
    if (place->inside)
        end_member(r, place, more);
    if (!more) {
        put(r, "}");
        r->depth--;
        return;
    }
    struct schema s;
    read_schema(value, &s);
    put_title(r, s.title, true);
    put_comment(r, s.description);
    feed_string(&r->feed, key);
    put(r, is_required(r, place->required, key) ? ": " : "?: ");
    place->inside = true;
    place->fallback = s.fallback;
    if (may_look(r, value.raw.len) && !push(r, STEP_TYPE, value))
        put(r, "any");
}

static void next_choice(struct rendering *r, struct place *place)
{
    struct json value;
    if (!json_next(place->value, &place->at, NULL, &value)) {
        r->depth--;
        return;
    }
    if (place->inside)
        feed_text(&r->feed, place->text);
    place->inside = true;
    if (may_look(r, value.raw.len) && !push(r, STEP_TYPE, value))
        put(r, "any");
}

static void render(struct rendering *r)
{
    while (r->depth && r->left >= 0) {
        struct place *place = &r->places[r->depth - 1];
        switch (place->step) {
        case STEP_TYPE:
            r->depth--;
            put_type(r, place->value);
            break;
        case STEP_MEMBERS:
            next_member(r, place);
            break;
        case STEP_CHOICES:
            next_choice(r, place);
            break;
        case STEP_TEXT:
        default:
            r->depth--;
            feed_text(&r->feed, place->text);
            break;
        }
    }
}

static void put_parameters(struct rendering *r, struct json parameters)
{
    struct schema s;
    struct json key, value;
    size_t at = 0;
    read_schema(parameters, &s);
    bool empty = s.properties.type != JSON_OBJECT || !json_next(s.properties, &at, &key, &value);
    bool bare = s.title.type != JSON_STRING && s.description.type != JSON_STRING;
    if (empty && bare) {
        put(r, "() => any");
        return;
    }
    put(r, "(_: ");
    put_title(r, s.title, false);
    put_comment(r, s.description);
    if (empty)
        put(r, "{\n}");
    else
        put_object(r, &s);
    render(r);
    put(r, ") => any");
}

/* What stands behind the last function. */
static int64_t count_end(struct prompt *prompt)
{
    int64_t count = 0;
    int status =
        tokenizer_count(prompt->tokenizer, SLICE_LITERAL(";\n\n} // namespace functions"), &count);
    if (status)
        prompt->error = status;
    return count;
}

void prompt_typescript(struct prompt *prompt, struct json name, struct json description,
                       struct json parameters)
{
    struct rendering r; /* not cleared: it is mostly room */
    r.root = parameters;
    r.left = 65536 + 64 * (int64_t)parameters.raw.len;
    r.terse = prompt->responses && prompt->rule->legacy;
    r.depth = 0;
    feed_begin(&r.feed, prompt->tokenizer);
    put(&r, prompt->tools ? ";\n\n" : "namespace functions {\n\n");
    if (!prompt->tools) {
        prompt->described = is_text(description);
        prompt->schema += count_end(prompt);
    }
    put_comment(&r, description);
    put(&r, "type ");
    feed_string(&r.feed, name);
    put(&r, " = ");
    put_parameters(&r, parameters);
    if (r.left < 0)
        prompt_unknown(prompt);
    feed_add(&prompt->schema_marks, r.feed.marks);
    int64_t count = feed_end(&r.feed);
    if (count < 0)
        prompt->error = r.feed.error;
    else
        prompt->schema += count;
}
