/* SPDX-License-Identifier: Apache-2.0
 * What the tests of counted streams share. Behind cmocka.h. */
#ifndef STREAM_HELP_H
#define STREAM_HELP_H

#include "base/buffer.h"
#include "tokens/tokenizer.h"

static inline int64_t help_tokens(struct tokenizer *tokenizer, struct slice text)
{
    int64_t count = -1;
    assert_int_equal(tokenizer_count(tokenizer, text, &count), 0);
    return count;
}

static inline void help_add(struct buffer *out, const char *text)
{
    assert_int_equal(buffer_text(out, text), 0);
}

#endif
