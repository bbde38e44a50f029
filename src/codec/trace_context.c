/* SPDX-License-Identifier: Apache-2.0
 * traceparent  version "-" trace-id "-" parent-id "-" flags      00-<32>-<16>-<2>, lower-case hex
 * tracestate   key "=" value *( "," key "=" value )              1 to 32 members, a key once
 *
 * A version above 00 may have more behind the flags, after a "-"; what it says is not passed on, as
 * we write version 00.
 *
 * Not done: cutting a tracestate that is too long after its last whole member. It is dropped: the
 * trace is whole without it. */
#include "codec/trace_context.h"

#include "base/assert.h"

#include <stdio.h>

enum { VERSION_LEN = 2, FLAGS_LEN = 2, FLAGS_KNOWN = 3, KEY_MAX = 256, VALUE_MAX = 256 };
enum { TENANT_MAX = 241, SYSTEM_MAX = 14 };

/* ---- traceparent ----------------------------------------------------------------------------- */

static bool is_hex(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!((text.data[i] >= '0' && text.data[i] <= '9') ||
              (text.data[i] >= 'a' && text.data[i] <= 'f')))
            return false;
    return true;
}

static bool is_id(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] != '0')
            return is_hex(text);
    return false;
}

static uint8_t hex_digit(char digit)
{
    return (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

static bool read_parent(struct slice text, struct trace_context *ret_context)
{
    if (text.len < TRACE_PARENT_LEN)
        return false;
    struct slice version = slice_part(text, 0, VERSION_LEN);
    struct slice trace = slice_part(text, VERSION_LEN + 1, TRACE_ID_LEN);
    struct slice parent = slice_part(text, VERSION_LEN + 1 + TRACE_ID_LEN + 1, TRACE_SPAN_LEN);
    struct slice flags = slice_part(text, TRACE_PARENT_LEN - FLAGS_LEN, FLAGS_LEN);
    if (!is_hex(version) || slice_is(version, "ff") || !is_id(trace) || !is_id(parent) ||
        !is_hex(flags) || trace.data[-1] != '-' || parent.data[-1] != '-' || flags.data[-1] != '-')
        return false;
    if (text.len > TRACE_PARENT_LEN &&
        (slice_is(version, "00") || text.data[TRACE_PARENT_LEN] != '-'))
        return false;
    memcpy(ret_context->trace_id, trace.data, TRACE_ID_LEN);
    memcpy(ret_context->parent_id, parent.data, TRACE_SPAN_LEN);
    ret_context->flags = hex_digit(flags.data[1]) & FLAGS_KNOWN;
    return true;
}

/* ---- tracestate ------------------------------------------------------------------------------ */

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool key_rest(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_lower(text.data[i]) && !is_digit(text.data[i]) &&
            (text.data[i] == 0 || !strchr("_-*/", text.data[i])))
            return false;
    return true;
}

/* "vendor", or "tenant@vendor". */
static bool is_key(struct slice key)
{
    const char *at = key.len ? memchr(key.data, '@', key.len) : NULL;
    if (!at)
        return key.len > 0 && key.len <= KEY_MAX && is_lower(key.data[0]) && key_rest(key);
    struct slice tenant = slice_part(key, 0, (size_t)(at - key.data));
    struct slice system = slice_from(key, tenant.len + 1);
    return tenant.len > 0 && tenant.len <= TENANT_MAX && system.len > 0 &&
           system.len <= SYSTEM_MAX && (is_lower(tenant.data[0]) || is_digit(tenant.data[0])) &&
           is_lower(system.data[0]) && key_rest(tenant) && key_rest(system);
}

static bool is_value(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.data[i] < ' ' || value.data[i] > '~' || value.data[i] == '=')
            return false;
    return value.len > 0 && value.len <= VALUE_MAX && value.data[value.len - 1] != ' ';
}

static struct slice trim(struct slice text)
{
    while (text.len && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = slice_from(text, 1);
    while (text.len && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* The part before the next comma; rest moves behind it. */
static struct slice next_member(struct slice *rest)
{
    const char *comma = memchr(rest->data, ',', rest->len);
    struct slice member = *rest;
    if (comma)
        member.len = (size_t)(comma - rest->data);
    *rest = slice_from(*rest, member.len + (comma != NULL));
    return trim(member);
}

static bool is_state(struct slice text)
{
    struct slice keys[TRACE_STATE_MEMBERS];
    size_t len = 0;
    if (text.len > TRACE_STATE_MAX)
        return false;
    while (text.len) {
        struct slice member = next_member(&text);
        if (!member.len)
            continue; /* allowed, and means nothing */
        const char *mark = memchr(member.data, '=', member.len);
        if (!mark || len == TRACE_STATE_MEMBERS)
            return false;
        struct slice key = slice_part(member, 0, (size_t)(mark - member.data));
        if (!is_key(key) || !is_value(slice_from(member, key.len + 1)))
            return false;
        for (size_t i = 0; i < len; i++)
            if (slice_equal(keys[i], key))
                return false;
        keys[len++] = key;
    }
    return len > 0;
}

/* ---- Making ---------------------------------------------------------------------------------- */

/* Hex of the bytes; all zero, which would be no id, ends in a 1. */
static void write_id(const uint8_t *bytes, size_t len, char *room)
{
    bool zero = true;
    for (size_t i = 0; i < len; i++) {
        snprintf(room + 2 * i, 3, "%02x", bytes[i]);
        zero &= bytes[i] == 0;
    }
    if (zero)
        room[2 * len - 1] = '1';
}

void trace_context_make(struct slice parent, struct slice state, const uint8_t random[TRACE_RANDOM],
                        struct trace_context *ret_context)
{
    struct trace_context context = {.flags = FLAGS_KNOWN};
    if (!read_parent(parent, &context))
        write_id(random, TRACE_ID_LEN / 2, context.trace_id);
    else if (is_state(state))
        context.state = state;
    write_id(random + TRACE_ID_LEN / 2, TRACE_SPAN_LEN / 2, context.span_id);
    *ret_context = context;
}

void trace_context_write(const struct trace_context *context, char room[TRACE_PARENT_LEN + 1])
{
    int len = snprintf(room, TRACE_PARENT_LEN + 1, "00-%s-%s-%02x", context->trace_id,
                       context->span_id, context->flags);
    ASSERT(len == TRACE_PARENT_LEN);
}
