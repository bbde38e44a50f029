/* SPDX-License-Identifier: Apache-2.0
 * What a request says: its body and its query parameters. */
#include "api/request.h"

#include "base/assert.h"
#include "base/limits.h"

#include <stdio.h>

int request_body(struct request *request, struct json *ret_value)
{
    struct slice body = request->exchange->body;
    if (!body.len)
        return problem_set(&request->problem, METE_E_INVALID, NULL, "A JSON body is needed.");
    size_t at = 0;
    int rc = json_scan(body, ret_value, &at);
    if (rc == METE_E_TOO_LARGE)
        return problem_set(&request->problem, METE_E_INVALID, NULL,
                           "The body is nested more than %d deep.", JSON_DEPTH_MAX);
    if (rc)
        return problem_set(&request->problem, METE_E_SYNTAX, NULL,
                           "The body is not JSON: see byte %zu.", at);
    return 0;
}

int request_read(struct request *request, const struct field *table, size_t len, void *into)
{
    struct json body;
    int rc = request_body(request, &body);
    if (rc)
        return rc;
    struct fields fields = {table, len, "", &request->arena, &request->problem};
    return fields_read(&fields, body, into);
}

int request_query(struct request *request, const char *name, size_t len_max,
                  struct slice *ret_value)
{
    char room[256];
    ASSERT(len_max <= sizeof room);
    int len = exchange_query(request->exchange, name, room, len_max);
    if (len == -1) {
        *ret_value = (struct slice){0};
        return 0;
    }
    bool plain = len > 0;
    for (int i = 0; i < len; i++)
        plain = plain && (unsigned char)room[i] >= ' ' && (unsigned char)room[i] < 0x7f;
    if (!plain)
        return problem_set(&request->problem, METE_E_INVALID, name,
                           "It must have 1 to %zu printable ASCII characters.", len_max);
    struct slice copy = arena_copy(&request->arena, (struct slice){room, (size_t)len});
    if (!copy.data)
        return problem_set(&request->problem, METE_E_MEMORY, NULL, NULL);
    *ret_value = copy;
    return 0;
}

int request_query_id(struct request *request, const char *name, struct slice *ret_id)
{
    struct slice id;
    int rc = request_query(request, name, LIMIT_ID, &id);
    if (rc)
        return rc;
    if (id.len && !fields_is_id(id))
        return problem_set(&request->problem, METE_E_INVALID, name,
                           "It must have only characters of A-Z a-z 0-9 . _ : @ -.");
    *ret_id = id;
    return 0;
}

static bool listed(const char *const *names, struct slice name)
{
    for (; *names; names++)
        if (slice_is(name, *names))
            return true;
    return false;
}

int request_query_known(struct request *request, const char *const *names)
{
    struct slice rest = request->exchange->query;
    while (rest.len) {
        const char *end = memchr(rest.data, '&', rest.len);
        struct slice pair = slice_part(rest, 0, end ? (size_t)(end - rest.data) : rest.len);
        rest = slice_from(rest, end ? pair.len + 1 : pair.len);
        const char *equals = pair.len ? memchr(pair.data, '=', pair.len) : NULL;
        struct slice name = slice_part(pair, 0, equals ? (size_t)(equals - pair.data) : pair.len);
        if (!pair.len || listed(names, name))
            continue;
        char shown[64] = "";
        if (fields_is_id(name) && name.len < sizeof shown)
            snprintf(shown, sizeof shown, "%.*s", (int)name.len, name.data);
        return problem_set(&request->problem, METE_E_INVALID, shown,
                           "There is no such query parameter here.");
    }
    return 0;
}

static bool read_number(struct slice text, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (!text.len || text.len > 19)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    *ret_value = value;
    return true;
}

int request_query_count(struct request *request, const char *name, size_t max, size_t *ret_count)
{
    struct slice text;
    uint64_t count;
    int rc = request_query(request, name, 64, &text);
    if (rc || !text.len)
        return rc;
    if (!read_number(text, &count) || count < 1 || count > max)
        return problem_set(&request->problem, METE_E_INVALID, name, "It must be from 1 to %zu.",
                           max);
    *ret_count = (size_t)count;
    return 0;
}

int request_page(struct request *request, struct page *ret_page)
{
    struct slice limit, cursor;
    int rc = request_query(request, "limit", 64, &limit);
    if (!rc)
        rc = request_query(request, "cursor", 64, &cursor);
    if (rc)
        return rc;
    uint64_t many = 100, after = 0;
    if (limit.len && (!read_number(limit, &many) || many < 1 || many > LIMIT_PAGE))
        return problem_set(&request->problem, METE_E_INVALID, "limit", "It must be from 1 to %d.",
                           LIMIT_PAGE);
    if (cursor.len && (!read_number(cursor, &after) || after < 1))
        return problem_set(&request->problem, METE_E_INVALID, "cursor",
                           "It must be the next_cursor of a page before.");
    *ret_page = (struct page){.after = after, .limit = (size_t)many};
    return 0;
}
