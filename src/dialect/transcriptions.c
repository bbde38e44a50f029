/* SPDX-License-Identifier: Apache-2.0
 * OpenAI transcriptions (the dialect "openai-transcriptions"): a file of sound in, its text out.
 * Billed by the second, or by the tokens of sound and text.
 *
 * BOUND  the seconds that the file says it has (prompts/sound.h), each begun one; of a file that
 *   does not say, its bytes at LIMIT_SOUND_BYTES a second. By the token LIMIT_HEARD_TOKENS and
 *   LIMIT_SPOKEN_TOKENS of each second, and the bytes of the prompt.
 * USAGE  in seconds or tokens where the answer is JSON and says it; verbose JSON's duration; else
 *   the seconds of the file. */
#include "codec/decimal.h"
#include "dialect/chat.h"
#include "dialect/media.h"
#include "prompts/sound.h"

enum { TEXT_TOKENS = 2048 /* of output, whatever the length */ };

/* ---- Requests -------------------------------------------------------------------------------- */

enum { FIELD_MODEL = 0, FIELD_FILE, FIELD_PROMPT, FIELD_STREAM, FIELD_FORMAT, FIELDS };

static int64_t seconds_of(struct slice file)
{
    struct sound_length length = sound_length_in(file);
    int64_t seconds = length.most_ms ? (length.most_ms + 999) / 1000
                                     : (int64_t)(file.len / LIMIT_SOUND_BYTES) + 1;
    return max_i64(seconds, 1);
}

static bool is_true(const struct media_field *field)
{
    return slice_is(field->value, "true") || slice_is(field->value, "True") ||
           slice_is(field->value, "1");
}

static int read_request(const struct dialect_target *target, struct slice body,
                        struct dialect_request *ret_request, struct dialect_error *ret_error)
{
    struct openai_reading r = {.request = ret_request, .error = ret_error};
    struct media_field fields[FIELDS] = {{.name = "model"},
                                         {.name = "file"},
                                         {.name = "prompt"},
                                         {.name = "stream"},
                                         {.name = "response_format"}};
    int rc = media_read_form(&r, target, body, fields, FIELDS);
    if (!rc)
        rc = media_take_model(&r, &fields[FIELD_MODEL]);
    if (!rc && !fields[FIELD_FILE].value.len)
        rc = openai_fault(&r, "file", "file must be a file of sound, and not empty.");
    if (rc)
        return rc;
    int64_t seconds = seconds_of(fields[FIELD_FILE].value);
    media_hide_output(ret_request);
    ret_request->stream = is_true(&fields[FIELD_STREAM]);
    ret_request->has_pieces = true;
    ret_request->pieces.audio_seconds = seconds;
    ret_request->is_any_text = true;
    ret_request->uses |= DIALECT_AUDIO_INPUT;
    ret_request->input_bound = (int64_t)fields[FIELD_PROMPT].value.len + LIMIT_TEMPLATE_TOKENS +
                               seconds * LIMIT_HEARD_TOKENS;
    ret_request->output_fixed = TEXT_TOKENS + seconds * LIMIT_SPOKEN_TOKENS;
    return 0;
}

static bool match(struct slice path, struct slice query, struct dialect_target *ret_target)
{
    (void)query;
    return openai_path(path, "/audio/transcriptions", ret_target);
}

static int write_path(const struct dialect_request *request, struct slice model, struct buffer *out)
{
    (void)request;
    (void)model;
    return buffer_text(out, "/audio/transcriptions");
}

/* ---- Answers --------------------------------------------------------------------------------- */

/* Each second that is begun; 0: it is not told. */
static int64_t read_duration(struct json value)
{
    int128 milliseconds;
    if (value.type != JSON_NUMBER || decimal_parse128(value.raw, 3, true, &milliseconds) ||
        milliseconds < 0 || milliseconds > CHAT_TOKENS_MAX)
        return 0;
    return (int64_t)((milliseconds + 999) / 1000);
}

static void read_answer(struct slice body, struct dialect_answer *ret_answer)
{
    struct json whole;
    *ret_answer = (struct dialect_answer){0};
    if (json_scan(body, &whole, NULL) || whole.type != JSON_OBJECT)
        return;
    ret_answer->has_usage =
        media_usage(json_member(whole, "usage"), MEDIA_TEXT, &ret_answer->usage);
    if (!ret_answer->usage.audio_seconds)
        ret_answer->usage.audio_seconds = read_duration(json_member(whole, "duration"));
}

static void read_event(struct dialect_stream *stream, const struct frame *event,
                       struct dialect_event *ret_event)
{
    media_read_event(stream, event, MEDIA_TEXT, ret_event);
}

const struct dialect *dialect_transcriptions(void)
{
    static const char *const passed[] = {"openai-beta", NULL};
    static const struct dialect transcriptions = {
        .name = "openai-transcriptions",
        .operation = "transcription",
        .endpoint = "transcriptions",
        .methods = "POST",
        .framing = FRAMES_SSE,
        .comments = true,
        .match = match,
        .read_request = read_request,
        .write_path = write_path,
        .read_answer = read_answer,
        .read_event = read_event,
        .write_cost = chat_write_cost,
        .write_error = chat_write_error,
        .write_break = chat_write_break,
        .write_end = media_write_end,
        .passed = passed,
    };
    return &transcriptions;
}
