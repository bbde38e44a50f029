/* SPDX-License-Identifier: Apache-2.0
 * The first line is a traceparent, the rest a tracestate. Whatever they are: ids of the right form,
 * what is written reads back as the same trace, and a state goes on whole or not at all. */
#include "codec/trace_context.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t noise[TRACE_RANDOM] = {1, 2, 3, 4, 5, 6, 7, 8, 9};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool is_id(const char *id, size_t len)
{
    return strlen(id) == len && strspn(id, "0123456789abcdef") == len && strspn(id, "0") < len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    const char *mark = size ? memchr(text.data, '\n', size) : NULL;
    size_t len = mark ? (size_t)(mark - text.data) : size;
    struct slice parent = slice_part(text, 0, len);
    struct slice state = mark ? slice_from(text, len + 1) : (struct slice){NULL, 0};
    struct trace_context context, again;
    char room[TRACE_PARENT_LEN + 1];
    trace_context_make(parent, state, noise, &context);
    must(is_id(context.trace_id, TRACE_ID_LEN) && is_id(context.span_id, TRACE_SPAN_LEN));
    must(!context.parent_id[0] || is_id(context.parent_id, TRACE_SPAN_LEN));
    must(!context.state.len || (context.parent_id[0] && slice_equal(context.state, state) &&
                                state.len <= TRACE_STATE_MAX));
    trace_context_write(&context, room);
    trace_context_make(slice_of(room), context.state, noise, &again);
    must(strcmp(again.trace_id, context.trace_id) == 0 && again.flags == context.flags);
    must(strcmp(again.parent_id, context.span_id) == 0);
    must(slice_equal(again.state, context.state));
    return 0;
}
