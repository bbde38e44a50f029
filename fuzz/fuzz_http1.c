/* SPDX-License-Identifier: Apache-2.0
 * The first byte says what is read: a request, an answer, or an answer to a HEAD; the second the
 * size of the pieces in which it comes. Where its head ends, and what is content of its body, must
 * not depend on the pieces; fields lie inside the head and have no line's end in them; and what
 * was taken for one message is taken for the same when it is looked at again. */
#include "base/assert.h"
#include "base/buffer.h"
#include "codec/http1.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS = 32, KINDS = 3 };

static size_t head_len(struct slice text, size_t step)
{
    size_t seen = 0, have = 0;
    while (have < text.len) {
        have = step < text.len - have ? have + step : text.len;
        size_t len = http1_head_len(slice_part(text, 0, have), &seen);
        ASSERT(len <= have && seen <= have);
        if (len)
            return len;
        ASSERT(seen == have);
    }
    return 0;
}

static void check_part(struct slice head, uint32_t from, uint32_t len)
{
    ASSERT((size_t)from + len <= head.len);
    for (size_t i = from; i < (size_t)from + len; i++)
        ASSERT(head.data[i] != '\r' && head.data[i] != '\n' && head.data[i] != 0);
}

static void check_head(struct slice text, const struct http1_head *head)
{
    ASSERT(head->fields_len <= FIELDS);
    for (size_t i = 0; i < head->fields_len; i++) {
        const struct http1_field *field = &head->fields[i];
        ASSERT(field->name_len > 0);
        check_part(text, field->name, field->name_len);
        check_part(text, field->value, field->value_len);
        struct slice name = slice_part(text, field->name, field->name_len);
        ASSERT(http1_field(text, head, name) && http1_fields_named(text, head, name) > 0);
    }
}

static int read_head(unsigned kind, struct slice text, struct http1_head *ret_head)
{
    int rc = kind == 0 ? http1_read_request(text, ret_head)
                       : http1_read_answer(text, kind == 2, ret_head);
    if (rc)
        return rc;
    check_head(text, ret_head);
    if (kind) {
        ASSERT(ret_head->status >= 100 && ret_head->status <= 999);
        ASSERT(kind == 1 || ret_head->framing == HTTP1_NO_BODY);
        return 0;
    }
    ASSERT(ret_head->method.len && ret_head->target.len);
    ASSERT(ret_head->framing != HTTP1_TO_CLOSE);
    /* One message, one framing: what smuggled requests do without. */
    size_t lengths = http1_fields_named(text, ret_head, SLICE_LITERAL("content-length"));
    size_t codings = http1_fields_named(text, ret_head, SLICE_LITERAL("transfer-encoding"));
    ASSERT(lengths + codings <= 1);
    return 0;
}

struct seen {
    struct buffer content;
    size_t rest; /* of the next message */
    bool whole, ends;
    int rc;
};

static void read_body(const struct http1_head *head, struct slice text, size_t step,
                      struct seen *seen)
{
    struct http1_body body;
    size_t at = 0;
    *seen = (struct seen){.rc = 0};
    buffer_init(&seen->content, 1 << 24);
    http1_body_begin(&body, head);
    while (at < text.len && !seen->rc && !http1_body_is_whole(&body)) {
        size_t len = step < text.len - at ? step : text.len - at;
        struct slice bytes = slice_part(text, at, len), content;
        while (bytes.len && !seen->rc && !http1_body_is_whole(&body)) {
            size_t before = bytes.len;
            seen->rc = http1_body_next(&body, &bytes, &content);
            ASSERT(seen->rc || bytes.len < before);
            if (!seen->rc)
                ASSERT(!buffer_append(&seen->content, content));
        }
        at += len - bytes.len;
    }
    seen->rest = text.len - at;
    seen->whole = http1_body_is_whole(&body);
    seen->ends = http1_body_ends(&body);
}

static void check_body(const struct http1_head *head, struct slice text, size_t step)
{
    struct seen whole, pieces;
    read_body(head, text, text.len ? text.len : 1, &whole);
    read_body(head, text, step, &pieces);
    ASSERT(whole.rc == pieces.rc);
    ASSERT(whole.whole == pieces.whole && whole.ends == pieces.ends);
    ASSERT(whole.rc || whole.rest == pieces.rest);
    ASSERT(slice_equal(buffer_slice(&whole.content), buffer_slice(&pieces.content)));
    buffer_done(&whole.content);
    buffer_done(&pieces.content);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http1_field fields[FIELDS];
    struct http1_head head = {.fields = fields, .fields_room = FIELDS};
    if (size < 2)
        return 0;
    unsigned kind = data[0] % KINDS;
    size_t step = data[1] ? data[1] : 1;
    struct slice text = {(const char *)data + 2, size - 2};
    size_t len = head_len(text, text.len ? text.len : 1);
    ASSERT(head_len(text, step) == len);
    if (!len || read_head(kind, slice_part(text, 0, len), &head))
        return 0;
    check_body(&head, slice_from(text, len), step);
    return 0;
}
