/* SPDX-License-Identifier: Apache-2.0
 * OpenAI videos (the dialect "openai-videos"): a text, and perhaps a picture, in; a job that makes
 * a video. Billed by the second, whose price may go by the size.
 *
 * BOUND  seconds; where they are not said LIMIT_VIDEO_SECONDS. By the token there is no bound.
 * USAGE  the job says its seconds and size as soon as it is made. It is charged then,
 *   provisionally, and settled when it is fetched completed, or failed, which costs nothing.
 * STORED  GET and DELETE of a job, GET of its content. What makes a new job of one (remix, edits,
 *   extensions) says nothing of what that costs: there is no such path here. */
#include "codec/multipart.h"
#include "dialect/chat.h"
#include "dialect/media.h"

enum { FIELD_MODEL = 0, FIELD_SECONDS, FIELD_SIZE, FIELDS };

/* ---- Requests -------------------------------------------------------------------------------- */

static int take_seconds(struct openai_reading *r, struct slice text)
{
    r->request->pieces.video_seconds = LIMIT_VIDEO_SECONDS;
    return media_number(r, "seconds", text, LIMIT_VIDEO_SECONDS, &r->request->pieces.video_seconds);
}

static int read_seconds(struct openai_reading *r, struct json value)
{
    char room[32];
    if (value.type == JSON_NUMBER)
        return take_seconds(r, value.raw);
    return take_seconds(r, media_word(value, room));
}

static void take_size(struct openai_reading *r, struct slice size)
{
    r->request->pieces.grade = pricing_grade((struct slice){0}, size);
}

static int read_size(struct openai_reading *r, struct json value)
{
    char room[32];
    take_size(r, media_word(value, room));
    return 0;
}

static const struct openai_member members[] = {
    OPENAI_MEMBER("model", openai_read_model),
    OPENAI_MEMBER("seconds", read_seconds),
    OPENAI_MEMBER("size", read_size),
    OPENAI_MEMBER("models", openai_refuse_models),
};
enum { MEMBERS = sizeof members / sizeof members[0] };

static int read_object(struct openai_reading *r, const struct dialect_target *target,
                       struct slice body)
{
    struct json whole;
    uint64_t seen;
    int rc = openai_read_body(r, body, members, MEMBERS, &whole, &seen);
    if (!rc && !(seen & 1))
        rc = openai_model_of_path(r, target, whole);
    return rc || seen & 2 ? rc : take_seconds(r, (struct slice){0});
}

static int read_form(struct openai_reading *r, const struct dialect_target *target,
                     struct slice body)
{
    struct media_field fields[FIELDS] = {{.name = "model"}, {.name = "seconds"}, {.name = "size"}};
    int rc = media_read_form(r, target, body, fields, FIELDS);
    if (!rc)
        rc = media_take_model(r, &fields[FIELD_MODEL]);
    if (!rc)
        rc = take_seconds(r, fields[FIELD_SECONDS].value);
    if (!rc)
        take_size(r, fields[FIELD_SIZE].value);
    return rc;
}

static int read_request(const struct dialect_target *target, struct slice body,
                        struct dialect_request *ret_request, struct dialect_error *ret_error)
{
    struct openai_reading r = {.request = ret_request, .error = ret_error};
    int rc = target && multipart_is(target->content_type) ? read_form(&r, target, body)
                                                          : read_object(&r, target, body);
    if (rc)
        return rc;
    media_hide_output(ret_request);
    ret_request->has_pieces = true;
    ret_request->input_bound = 0;
    ret_request->background = true;
    return 0;
}

/* ---- Paths ----------------------------------------------------------------------------------- */

static bool match(struct slice path, struct slice query, struct dialect_target *ret_target)
{
    struct slice name = SLICE_LITERAL("/videos"), rest = openai_path_rest(path);
    (void)query;
    if (!slice_starts(rest, name))
        return false;
    rest = slice_from(rest, name.len);
    if (!rest.len)
        return true;
    if (rest.data[0] != '/')
        return false;
    rest = slice_from(rest, 1);
    const char *end = rest.len ? memchr(rest.data, '/', rest.len) : NULL;
    ret_target->id = slice_part(rest, 0, end ? (size_t)(end - rest.data) : rest.len);
    ret_target->rest = slice_from(rest, ret_target->id.len);
    bool known = !ret_target->rest.len || slice_is(ret_target->rest, "/content");
    return ret_target->id.len && known && !slice_is(ret_target->id, "edits") &&
           !slice_is(ret_target->id, "extensions") && !slice_is(ret_target->id, "characters");
}

static int write_path(const struct dialect_request *request, struct slice model, struct buffer *out)
{
    (void)request;
    (void)model;
    return buffer_text(out, "/videos");
}

static const char *stored_methods(const struct dialect_target *target)
{
    return target->rest.len ? "GET" : "GET, DELETE";
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void read_job(struct json job, struct dialect_answer *ret_answer)
{
    struct json status = json_member(job, "status"), seconds = json_member(job, "seconds");
    struct pricing_usage *usage = &ret_answer->usage;
    char room[32], size[32];
    int64_t told;
    struct slice text = seconds.type == JSON_NUMBER ? seconds.raw : media_word(seconds, room);
    if (!text.len || json_integer((struct json){JSON_NUMBER, text}, &told) || told < 0 ||
        told > CHAT_TOKENS_MAX)
        told = 0;
    bool failed = json_string_is(status, "failed") || json_string_is(status, "cancelled");
    ret_answer->pending = !failed && !json_string_is(status, "completed");
    if (!failed)
        *usage = (struct pricing_usage){
            .video_seconds = told,
            .grade = pricing_grade((struct slice){0}, media_word(json_member(job, "size"), size))};
    ret_answer->has_usage = failed || told;
}

static void read_answer(struct slice body, struct dialect_answer *ret_answer)
{
    struct json whole;
    *ret_answer = (struct dialect_answer){0};
    if (json_scan(body, &whole, NULL) || whole.type != JSON_OBJECT)
        return;
    struct json id = json_member(whole, "id"), model = json_member(whole, "model");
    if (id.type == JSON_STRING)
        ret_answer->id = id.raw;
    if (model.type == JSON_STRING)
        ret_answer->model = model.raw;
    if (json_string_is(json_member(whole, "object"), "video"))
        read_job(whole, ret_answer);
}

static void read_event(struct dialect_stream *stream, const struct frame *event,
                       struct dialect_event *ret_event)
{
    media_read_event(stream, event, MEDIA_TEXT, ret_event);
}

const struct dialect *dialect_videos(void)
{
    static const char *const passed[] = {"openai-beta", NULL};
    static const struct dialect videos = {
        .name = "openai-videos",
        .operation = "video_generation",
        .endpoint = "videos",
        .methods = "POST",
        .framing = FRAMES_SSE,
        .comments = true,
        .match = match,
        .read_request = read_request,
        .write_path = write_path,
        .stored_methods = stored_methods,
        .read_answer = read_answer,
        .read_event = read_event,
        .write_cost = chat_write_cost,
        .write_error = chat_write_error,
        .write_break = chat_write_break,
        .write_end = media_write_end,
        .passed = passed,
    };
    return &videos;
}
