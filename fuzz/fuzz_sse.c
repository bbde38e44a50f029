/* SPDX-License-Identifier: Apache-2.0
 * The bytes are an event stream; behind its last 0xff, if there is one, stand the largest event
 * and the sizes of the pieces. What must hold is in check_codec.h. */
#include "property/check_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *mark = size ? memrchr(data, 0xff, size) : NULL;
    size_t len = mark ? (size_t)(mark - data) : size;
    struct tape tape = {data, size, mark ? len + 1 : len};
    size_t event_max = (size_t)tape_u64(&tape, 255) + 1;
    if (check_sse((struct slice){(const char *)data, len}, event_max, &tape))
        abort();
    return 0;
}
