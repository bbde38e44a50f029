/* SPDX-License-Identifier: Apache-2.0 */
#include "api/limits/matches.h"

#include "base/assert.h"

/* One kind's patterns, behind those that are there. */
static int add(struct request *request, const char *name, struct json texts,
               enum mete_match_kind kind, struct mete_match *matches, size_t *len)
{
    struct fields fields = {.path = "", .arena = &request->arena, .problem = &request->problem};
    struct json element;
    size_t at = 0;
    while (texts.type && json_next(texts, &at, NULL, &element)) {
        struct slice text;
        int rc = fields_text(&fields, name, element, &text);
        if (rc)
            return rc;
        const char *star = memchr(text.data, '*', text.len);
        if (star && star + 1 != text.data + text.len)
            return fields_fault(&fields, METE_E_INVALID, name,
                                "A * stands only at the end of a pattern.");
        if (*len == METE_MATCHES_MAX)
            return fields_fault(&fields, METE_E_INVALID, name,
                                "There are at most %d patterns together.", METE_MATCHES_MAX);
        matches[(*len)++] = (struct mete_match){kind, request_text(text)};
    }
    return 0;
}

int matches_read(struct request *request, const struct matches_in *in,
                 struct mete_match *ret_matches, size_t *ret_len)
{
    *ret_len = 0;
    int rc = add(request, "models", in->models, METE_MATCH_MODEL, ret_matches, ret_len);
    if (!rc)
        rc = add(request, "providers", in->providers, METE_MATCH_PROVIDER, ret_matches, ret_len);
    if (!rc)
        rc = add(request, "tags", in->tags, METE_MATCH_TAG, ret_matches, ret_len);
    if (!rc)
        rc = add(request, "sessions", in->sessions, METE_MATCH_SESSION, ret_matches, ret_len);
    return rc;
}

static void write_kind(struct out *out, const char *name, enum mete_match_kind kind,
                       const struct mete_match *matches, size_t len)
{
    bool any = false;
    for (size_t i = 0; i < len; i++) {
        if (matches[i].kind != kind)
            continue;
        if (!any) {
            out_key(out, name);
            out_open(out, '[');
        }
        any = true;
        out_text(out, (struct slice){matches[i].pattern.data, matches[i].pattern.len});
    }
    if (any)
        out_close(out, ']');
}

void matches_write(struct out *out, const struct mete_match *matches, size_t len)
{
    write_kind(out, "models", METE_MATCH_MODEL, matches, len);
    write_kind(out, "providers", METE_MATCH_PROVIDER, matches, len);
    write_kind(out, "tags", METE_MATCH_TAG, matches, len);
    write_kind(out, "sessions", METE_MATCH_SESSION, matches, len);
}

/* ---- Whether a call is meant ----------------------------------------------------------------- */

int matches_read_tags(struct request *request, struct json texts, struct call_match *ret_call)
{
    struct fields fields = {.path = "", .arena = &request->arena, .problem = &request->problem};
    struct json element;
    size_t at = 0;
    if (!texts.type)
        return 0;
    ret_call->tags = arena_take(&request->arena, METE_TAGS_MAX * sizeof *ret_call->tags);
    if (!ret_call->tags)
        return problem_set(&request->problem, METE_E_MEMORY, NULL, NULL);
    while (json_next(texts, &at, NULL, &element)) {
        struct slice text;
        int rc = fields_text(&fields, "tags", element, &text);
        if (rc)
            return rc;
        ASSERT(ret_call->tags_len < METE_TAGS_MAX);
        ret_call->tags[ret_call->tags_len++] = request_text(text);
    }
    return 0;
}

static bool fits(struct mete_text pattern, struct slice text)
{
    struct slice wanted = {pattern.data, pattern.len};
    if (wanted.data[wanted.len - 1] == '*')
        return slice_starts(text, slice_part(wanted, 0, wanted.len - 1));
    return slice_equal(wanted, text);
}

static bool fits_call(const struct mete_match *match, const struct call_match *call)
{
    if (match->kind == METE_MATCH_MODEL)
        return fits(match->pattern, call->model);
    if (match->kind == METE_MATCH_PROVIDER)
        return fits(match->pattern, call->provider);
    if (match->kind == METE_MATCH_SESSION)
        return fits(match->pattern, call->session);
    bool any = call->tags_len == 0 && fits(match->pattern, (struct slice){0});
    for (size_t i = 0; i < call->tags_len && !any; i++)
        any = fits(match->pattern, (struct slice){call->tags[i].data, call->tags[i].len});
    return any;
}

bool matches_fit(const struct mete_match *matches, size_t len, const struct call_match *call)
{
    unsigned named = 0, met = 0; /* bits by kind */
    for (size_t i = 0; i < len; i++) {
        unsigned kind = 1u << matches[i].kind;
        named |= kind;
        if (fits_call(&matches[i], call))
            met |= kind;
    }
    return met == named;
}
