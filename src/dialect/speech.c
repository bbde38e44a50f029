/* SPDX-License-Identifier: Apache-2.0
 * OpenAI speech (the dialect "openai-speech"): a text in, sound out. Billed by the character, or by
 * the tokens of text and sound.
 *
 * BOUND  the characters of input, as Unicode counts them; by the token its bytes, and of sound
 *   LIMIT_SPEECH_TOKENS a character.
 * USAGE  events (stream_format sse) tell the tokens. Sound that comes as it is tells nothing: it is
 *   billed by its characters, or, by the token, at what was set aside for it. */
#include "dialect/chat.h"
#include "dialect/media.h"

enum { SILENCE_TOKENS = 512 /* before, behind, and of the shortest text */ };

/* Bytes that begin a character, of a text without its escapes. */
static int64_t count_characters(struct json text)
{
    char room[4];
    struct slice piece;
    int64_t characters = 0;
    for (size_t at = 1; json_string_next(text, &at, room, &piece);)
        for (size_t i = 0; i < piece.len; i++)
            characters += (piece.data[i] & 0xc0) != 0x80;
    return characters;
}

static int read_input(struct openai_reading *r, struct json value)
{
    if (value.type != JSON_STRING || json_string_bytes(value) == 0)
        return openai_fault(r, "input", "input must be a text, and not empty.");
    r->request->pieces.characters = count_characters(value);
    return 0;
}

static int read_stream_format(struct openai_reading *r, struct json value)
{
    r->request->stream = json_string_is(value, "sse");
    return 0;
}

static const struct openai_member members[] = {
    OPENAI_MEMBER("model", openai_read_model),
    OPENAI_MEMBER("input", read_input),
    OPENAI_MEMBER("stream_format", read_stream_format),
    OPENAI_MEMBER("models", openai_refuse_models),
};
enum { MEMBERS = sizeof members / sizeof members[0] };

static int read_request(const struct dialect_target *target, struct slice body,
                        struct dialect_request *ret_request, struct dialect_error *ret_error)
{
    struct openai_reading r = {.request = ret_request, .error = ret_error};
    struct json whole;
    uint64_t seen;
    int rc = openai_read_body(&r, body, members, MEMBERS, &whole, &seen);
    if (!rc && !(seen & 1))
        rc = openai_model_of_path(&r, target, whole);
    if (!rc && !(seen & 2))
        rc = openai_fault(&r, "input", "input is missing.");
    if (rc)
        return rc;
    media_hide_output(ret_request);
    ret_request->has_pieces = true;
    ret_request->is_relayed = !ret_request->stream;
    ret_request->uses |= DIALECT_AUDIO_OUTPUT;
    ret_request->output_fixed =
        SILENCE_TOKENS + ret_request->pieces.characters * LIMIT_SPEECH_TOKENS;
    return 0;
}

static bool match(struct slice path, struct slice query, struct dialect_target *ret_target)
{
    (void)query;
    return openai_path(path, "/audio/speech", ret_target);
}

static int write_path(const struct dialect_request *request, struct slice model, struct buffer *out)
{
    (void)request;
    (void)model;
    return buffer_text(out, "/audio/speech");
}

/* Of an error, which is all that is not sound. */
static void read_answer(struct slice body, struct dialect_answer *ret_answer)
{
    (void)body;
    *ret_answer = (struct dialect_answer){0};
}

static void read_event(struct dialect_stream *stream, const struct frame *event,
                       struct dialect_event *ret_event)
{
    media_read_event(stream, event, MEDIA_SOUND, ret_event);
}

const struct dialect *dialect_speech(void)
{
    static const char *const passed[] = {"openai-beta", NULL};
    static const struct dialect speech = {
        .name = "openai-speech",
        .operation = "speech",
        .endpoint = "speech",
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
    return &speech;
}
