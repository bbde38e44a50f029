/* SPDX-License-Identifier: Apache-2.0
 * Bytes of forms and of files of sound. The first byte says as what:
 *   'm' a form: the first line is its content type. Parts lie in the body, one behind the other,
 *       and a boundary stands in none
 *   't' the same as a request for a transcript: what is taken is bounded, and may be written again
 *   other: a file of sound: its length is not negative */
#include "base/assert.h"
#include "codec/multipart.h"
#include "dialect/dialect.h"
#include "prompts/sound.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void form(struct slice type, struct slice body)
{
    struct multipart form;
    struct multipart_part part;
    const char *at = body.data;
    int more = multipart_begin(&form, type, body);
    for (more = more ? more : 1; more > 0;) {
        more = multipart_next(&form, &part);
        if (more <= 0)
            break;
        ASSERT(part.name.data >= at && part.body.data >= part.name.data);
        ASSERT(part.body.data + part.body.len <= body.data + body.len);
        at = part.body.data + part.body.len;
        ASSERT(!part.body.len ||
               !memmem(part.body.data, part.body.len, form.boundary + 4, form.boundary_len - 4));
    }
    ASSERT(more == 0 || more == METE_E_SYNTAX);
}

static void transcript(struct slice type, struct slice body)
{
    const struct dialect_target target = {.content_type = type};
    const struct dialect_changes changes = {.model = SLICE_LITERAL("other")};
    struct dialect_request request;
    struct dialect_error error;
    struct dialect_body changed;
    if (dialect_transcriptions()->read_request(&target, body, &request, &error)) {
        ASSERT(error.status == 400 && error.message);
        return;
    }
    ASSERT(request.pieces.audio_seconds >= 1 && request.model_len >= 1);
    dialect_change(&request, body, &changes, &changed);
    ASSERT(changed.len == (int64_t)(body.len - request.model_len + 5));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct slice rest = {(const char *)data + 1, size - 1};
    const char *end = rest.len ? memchr(rest.data, '\n', rest.len) : NULL;
    size_t len = end ? (size_t)(end - rest.data) : 0;
    if (data[0] == 'm' && end)
        form(slice_part(rest, 0, len), slice_from(rest, len + 1));
    else if (data[0] == 't' && end)
        transcript(slice_part(rest, 0, len), slice_from(rest, len + 1));
    else if (data[0] != 'm' && data[0] != 't') {
        struct sound_length length = sound_length_in(rest);
        ASSERT(length.most_ms >= 0 && length.expected_ms <= length.most_ms);
    }
    return 0;
}
