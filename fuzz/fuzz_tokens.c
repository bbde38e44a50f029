/* SPDX-License-Identifier: Apache-2.0
 * The bytes are a text; behind its last 0xfe, if there is one, stand the encoding and where it is
 * cut. What must hold is in check_tokens.h. */
#include "base/assert.h"
#include "property/check_tokens.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tokenizer *all[8];
    const uint8_t *mark = size ? memrchr(data, 0xfe, size) : NULL;
    size_t len = mark ? (size_t)(mark - data) : size;
    struct tape tape = {data, size, mark ? len + 1 : len};
    struct slice text = {(const char *)data, len};
    size_t encodings = 0;
    while (encoding_at(encodings))
        encodings++;
    size_t i = tape_pick(&tape, encodings);
    if (!all[i]) {
        int status = tokenizer_open(encoding_at(i), &all[i]);
        ASSERT(status == 0);
    }
    struct slice valid = {text.data, split_valid(text)};
    if (check_encoded(all[i], text) || check_streamed(all[i], text, &tape, len / 100 + 1))
        abort();
    if (valid.len < 300 && check_open(encoding_at(i)->rule, valid))
        abort();
    return 0;
}
