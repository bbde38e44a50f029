/* SPDX-License-Identifier: Apache-2.0
 * Escapes are decoded once: a name that still holds a percent sign afterwards has one. */
#include "dialect/path.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The next character; false: a bad escape. */
static bool next(struct slice text, size_t *at, char *ret_char)
{
    char c = text.data[(*at)++];
    if (c == '%') {
        if (text.len - *at < 2)
            return false;
        int high = hex(text.data[*at]), low = hex(text.data[*at + 1]);
        if (high < 0 || low < 0)
            return false;
        c = (char)(unsigned char)(high << 4 | low);
        *at += 2;
    }
    *ret_char = c;
    return true;
}

int path_read_model(const struct dialect_target *target, struct dialect_request *ret_request,
                    struct dialect_error *ret_error)
{
    size_t len = 0;
    bool good = target->model.len > 0;
    for (size_t at = 0; good && at < target->model.len;) {
        char c = 0;
        good = next(target->model, &at, &c) && c > ' ' && c <= '~' && len < LIMIT_ID;
        if (good)
            ret_request->model[len++] = c;
    }
    ret_request->model[good ? len : 0] = 0;
    ret_request->model_len = good ? len : 0;
    if (good)
        return 0;
    *ret_error = (struct dialect_error){
        400,
        "invalid_request_error",
        "invalid_value",
        "model",
        "The model in the path must be 1 to 128 bytes of printable ASCII without spaces.",
        {0}};
    return METE_E_INVALID;
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

int path_write_segment(struct slice model, struct buffer *out)
{
    int rc = 0;
    for (size_t i = 0; i < model.len && !rc; i++)
        rc = is_plain(model.data[i]) ? buffer_append(out, slice_part(model, i, 1))
                                     : buffer_format(out, "%%%02X", (unsigned char)model.data[i]);
    return rc;
}

bool path_query_is(struct slice query, const char *pair)
{
    for (size_t from = 0, at = 0; at <= query.len; at++) {
        if (at < query.len && query.data[at] != '&')
            continue;
        if (slice_is(slice_part(query, from, at - from), pair))
            return true;
        from = at + 1;
    }
    return false;
}
