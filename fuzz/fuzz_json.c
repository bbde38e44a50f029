/* SPDX-License-Identifier: Apache-2.0
 * The bytes are a JSON text, and a text to be quoted. What must hold is in check_codec.h. */
#include "property/check_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    if (check_json(text) || check_quote(text))
        abort();
    return 0;
}
