/* SPDX-License-Identifier: Apache-2.0
 * Pictures, speech, transcripts, video and moderations: each answered at once, and billed by its
 * pieces. What they come to anyone can work out: a second of sound is SECOND_BYTES of its file, a
 * picture of a gpt-image model PICTURE_TOKENS, a job of video is done when it is asked for. */
#include "base/checked.h"
#include "codec/multipart.h"
#include "sim/inside.h"

#include <stdio.h>

enum { SECOND_BYTES = 16000, PICTURE_TOKENS = 1056, CHARACTER_BYTES = 64, SPEECH_MAX = 4096 };
enum { SECONDS_DEFAULT = 4, PICTURES_MAX = 10, VIDEO_BYTES = 4096 };

/* ---- What is asked --------------------------------------------------------------------------- */

struct asked {
    struct slice model; /* raw JSON, quotes included; of a form in room */
    struct json body;   /* NONE: it is a form */
    struct slice file, seconds, format;
    char room[MODEL_RAW];
};

static bool take_field(struct asked *asked, const struct multipart_part *part)
{
    if (slice_is(part->name, "file"))
        asked->file = part->body;
    else if (slice_is(part->name, "seconds"))
        asked->seconds = part->body;
    else if (slice_is(part->name, "response_format"))
        asked->format = part->body;
    if (!slice_is(part->name, "model"))
        return true;
    if (part->body.len + 2 > sizeof asked->room)
        return false;
    asked->room[0] = '"';
    memcpy(asked->room + 1, part->body.data, part->body.len);
    asked->room[part->body.len + 1] = '"';
    asked->model = (struct slice){asked->room, part->body.len + 2};
    struct json whole;
    return !json_scan(asked->model, &whole, NULL);
}

static bool read_form(const struct exchange *exchange, struct slice type, struct asked *asked)
{
    struct multipart form;
    struct multipart_part part;
    int more = multipart_begin(&form, type, exchange->body) ? -1 : 1;
    while (more > 0) {
        more = multipart_next(&form, &part);
        if (more > 0 && !take_field(asked, &part))
            return false;
    }
    return !more;
}

static bool read_asked(const struct exchange *exchange, struct asked *asked)
{
    struct slice type = exchange->ops->header(exchange, "content-type");
    *asked = (struct asked){0};
    if (multipart_is(type))
        return read_form(exchange, type, asked) && asked->model.len;
    if (json_scan(exchange->body, &asked->body, NULL) || asked->body.type != JSON_OBJECT)
        return false;
    struct json model = json_member(asked->body, "model");
    if (model.type == JSON_STRING && model.raw.len <= MODEL_RAW)
        asked->model = model.raw;
    asked->seconds = json_member(asked->body, "seconds").raw;
    return asked->model.len > 2;
}

/* A number, or one between quotes. */
static int64_t whole(struct slice text, int64_t otherwise)
{
    int64_t number;
    if (text.len > 2 && text.data[0] == '"')
        text = slice_part(text, 1, text.len - 2);
    bool good = text.len && !json_integer((struct json){JSON_NUMBER, text}, &number);
    return good && number > 0 ? number : otherwise;
}

static int64_t tokens_of(struct json text)
{
    return max_i64((int64_t)json_string_bytes(text) / 4, 1);
}

static int64_t characters_of(struct json text)
{
    char room[4];
    struct slice piece;
    int64_t characters = 0;
    for (size_t at = 1; text.type == JSON_STRING && json_string_next(text, &at, room, &piece);)
        for (size_t i = 0; i < piece.len; i++)
            characters += (piece.data[i] & 0xc0) != 0x80;
    return characters;
}

/* ---- Answers --------------------------------------------------------------------------------- */

static int refuse(struct buffer *out, const char *message, const char *param)
{
    int rc = sim_text_error(400, message, param, out);
    return rc ? rc : 400;
}

static int pictures(const struct asked *asked, struct sim_billed *bill, struct buffer *out)
{
    struct json prompt = json_member(asked->body, "prompt");
    int64_t n = whole(json_member(asked->body, "n").raw, 1);
    bool tokens = memmem(asked->model.data, asked->model.len, "gpt-image", 9) != NULL;
    if (prompt.type != JSON_STRING || n > PICTURES_MAX)
        return refuse(out, "It takes a prompt, and n from 1 to 10.", "prompt");
    bill->images = n;
    bill->input_tokens = tokens ? tokens_of(prompt) : 0;
    bill->output_tokens = tokens ? PICTURE_TOKENS * n : 0;
    int rc = buffer_text(out, "{\"created\":1763683200,\"data\":[");
    for (int64_t i = 0; i < n && !rc; i++)
        rc = buffer_format(out, "%s{\"b64_json\":\"c2ltdWxhdGVk\"}", i ? "," : "");
    if (!rc)
        rc = buffer_text(out, "]");
    if (!rc && tokens)
        rc = buffer_format(out,
                           ",\"usage\":{\"input_tokens\":%lld,\"output_tokens\":%lld,"
                           "\"total_tokens\":%lld,\"input_tokens_details\":{\"text_tokens\":%lld,"
                           "\"image_tokens\":0}}",
                           (long long)bill->input_tokens, (long long)bill->output_tokens,
                           (long long)(bill->input_tokens + bill->output_tokens),
                           (long long)bill->input_tokens);
    return rc ? rc : buffer_text(out, "}");
}

static int transcript(const struct asked *asked, struct sim_billed *bill, struct buffer *out)
{
    if (!asked->file.len)
        return refuse(out, "It takes a file.", "file");
    bill->audio_seconds = (int64_t)(asked->file.len + SECOND_BYTES - 1) / SECOND_BYTES;
    if (asked->format.len && !slice_is(asked->format, "json") &&
        !slice_is(asked->format, "verbose_json"))
        return buffer_text(out, "lorem ipsum\n");
    return buffer_format(out,
                         "{\"text\":\"lorem ipsum\",\"usage\":{\"type\":\"duration\","
                         "\"seconds\":%lld}}",
                         (long long)bill->audio_seconds);
}

static int moderation(const struct asked *asked, struct sim_billed *bill, struct buffer *out)
{
    int rc = buffer_format(
        out, "{\"id\":\"modr-sim-%llu\",\"model\":", (unsigned long long)bill->number);
    if (!rc)
        rc = buffer_append(out, asked->model);
    return rc ? rc
              : buffer_text(out, ",\"results\":[{\"flagged\":false,\"categories\":{},"
                                 "\"category_scores\":{}}]}");
}

/* The id says what the job is, so that nobody need remember it: its seconds. */
static int put_job(struct slice id, int64_t seconds, const char *status, struct buffer *out)
{
    int rc = buffer_text(out, "{\"id\":\"");
    if (!rc)
        rc = buffer_append(out, id);
    return rc ? rc
              : buffer_format(out,
                              "\",\"object\":\"video\",\"status\":\"%s\",\"progress\":%d,"
                              "\"created_at\":1763683200,\"model\":\"sim-video\",\"seconds\":"
                              "\"%lld\",\"size\":\"720x1280\",\"error\":null}",
                              status, strcmp(status, "queued") ? 100 : 0, (long long)seconds);
}

static int video(const struct asked *asked, struct sim_billed *bill, struct buffer *out)
{
    char id[64];
    bill->video_seconds = whole(asked->seconds, SECONDS_DEFAULT);
    if (bill->video_seconds > 60)
        return refuse(out, "No video is longer than 60 seconds.", "seconds");
    snprintf(id, sizeof id, "video_sim-%llu-%lld", (unsigned long long)bill->number,
             (long long)bill->video_seconds);
    return put_job(slice_of(id), bill->video_seconds, "queued", out);
}

int sim_media_answer(const struct exchange *exchange, enum sim_media kind, struct sim_billed *bill,
                     struct buffer *out)
{
    static int (*const answers[])(const struct asked *, struct sim_billed *, struct buffer *) = {
        [SIM_PICTURES] = pictures,
        [SIM_TRANSCRIPT] = transcript,
        [SIM_VIDEO] = video,
        [SIM_MODERATION] = moderation,
    };
    struct asked asked;
    if (!read_asked(exchange, &asked))
        return refuse(out, "The body is neither a JSON object nor a form with a model.", "model");
    bill->usage_reported = kind != SIM_MODERATION;
    bill->model_len = asked.model.len;
    memcpy(bill->model, asked.model.data, asked.model.len);
    return answers[kind](&asked, bill, out);
}

int64_t sim_media_speak(const struct exchange *exchange, struct sim_billed *bill)
{
    struct asked asked;
    if (!read_asked(exchange, &asked))
        return -1;
    struct json input = json_member(asked.body, "input");
    bill->characters = characters_of(input);
    bill->model_len = asked.model.len;
    memcpy(bill->model, asked.model.data, asked.model.len);
    return bill->characters && bill->characters <= SPEECH_MAX ? bill->characters * CHARACTER_BYTES
                                                              : -1;
}

int sim_media_job(struct slice id, struct buffer *out)
{
    const char *dash = id.len ? memrchr(id.data, '-', id.len) : NULL;
    if (!dash || !slice_starts(id, SLICE_LITERAL("video_sim-")))
        return METE_E_NOT_FOUND;
    struct slice seconds = slice_from(id, (size_t)(dash - id.data) + 1);
    return put_job(id, whole(seconds, SECONDS_DEFAULT), "completed", out);
}
