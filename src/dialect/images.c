/* SPDX-License-Identifier: Apache-2.0
 * OpenAI images (the dialect "openai-images"): a text in, pictures out. Billed by the picture, its
 * quality and size, or by the tokens a picture is made of.
 *
 * BOUND  n pictures at the dearest price that what is said of them can mean; and of a model that is
 *   billed by the token n times the most tokens of one: those of the gpt-image-1 family are known,
 *   others are taken for LIMIT_PICTURE_TOKENS. Each partial picture of a stream is more.
 * USAGE  the pictures in data, and the tokens in usage; what they are is what the answer says, else
 *   what was asked for. */
#include "dialect/chat.h"
#include "dialect/media.h"

enum { PICTURES_MAX = 10, PARTIALS_MAX = 3, PARTIAL_TOKENS = 128 };

/* ---- Requests -------------------------------------------------------------------------------- */

static int read_count(struct openai_reading *r, struct json value)
{
    int64_t n = 1;
    if (value.type != JSON_NULL && (json_integer(value, &n) || n < 1 || n > PICTURES_MAX))
        return openai_fault(r, "n", "n must be a whole number from 1 to 10.");
    r->request->choices = r->request->pieces.images = n;
    return 0;
}

static int read_partials(struct openai_reading *r, struct json value)
{
    int64_t partials = 0;
    if (value.type != JSON_NULL &&
        (json_integer(value, &partials) || partials < 0 || partials > PARTIALS_MAX))
        return openai_fault(r, "partial_images", "partial_images must be from 0 to 3.");
    r->request->output_fixed = partials * PARTIAL_TOKENS;
    return 0;
}

static int read_size(struct openai_reading *r, struct json value)
{
    char room[32];
    struct price_grade size = pricing_grade((struct slice){0}, media_word(value, room));
    r->request->pieces.grade.width = size.width;
    r->request->pieces.grade.height = size.height;
    return 0;
}

static int read_quality(struct openai_reading *r, struct json value)
{
    char room[32];
    struct price_grade quality = pricing_grade(media_word(value, room), (struct slice){0});
    r->request->pieces.grade.quality = quality.quality;
    return 0;
}

static const struct openai_member members[] = {
    OPENAI_MEMBER("model", openai_read_model),
    OPENAI_MEMBER("n", read_count),
    OPENAI_MEMBER("size", read_size),
    OPENAI_MEMBER("quality", read_quality),
    OPENAI_MEMBER("stream", openai_read_stream),
    OPENAI_MEMBER("partial_images", read_partials),
    OPENAI_MEMBER("models", openai_refuse_models),
    OPENAI_MEMBER("user", openai_read_user),
};
enum { MEMBERS = sizeof members / sizeof members[0] };

/* What OpenAI makes of a request to its older models that does not say. */
static void fill_defaults(struct dialect_request *request)
{
    struct slice model = {request->model, request->model_len};
    struct price_grade *grade = &request->pieces.grade;
    if (!slice_starts(model, SLICE_LITERAL("dall-e-")))
        return;
    if (!grade->width)
        grade->width = grade->height = 1024;
    if (!grade->quality)
        grade->quality = PRICE_QUALITY_STANDARD;
}

/* Of one picture, text beside it included. */
static int64_t tokens_of(const struct dialect_request *request)
{
    struct price_grade grade = request->pieces.grade;
    bool known = memmem(request->model, request->model_len, "gpt-image-1", 11) != NULL;
    bool usual = !grade.width || grade.width == PRICE_SIDE_ANY ||
                 (int64_t)grade.width * grade.height <= 1536 * 1024;
    if (!known || !usual)
        return LIMIT_PICTURE_TOKENS;
    switch (grade.quality) {
    case PRICE_QUALITY_LOW:
        return 1536;
    case PRICE_QUALITY_MEDIUM:
        return 3072;
    default:
        return 8192;
    }
}

static int read_request(const struct dialect_target *target, struct slice body,
                        struct dialect_request *ret_request, struct dialect_error *ret_error)
{
    struct openai_reading r = {.request = ret_request, .error = ret_error};
    struct json whole;
    uint64_t seen;
    int rc = openai_read_body(&r, body, members, MEMBERS, &whole, &seen);
    if (!rc && !(seen & 1))
        rc = openai_model_of_path(&r, target, whole);
    if (!rc && ret_request->stream && ret_request->choices > 1)
        rc =
            openai_not_priced(&r, "n", "A stream of several pictures does not say what each used.");
    if (rc)
        return rc;
    fill_defaults(ret_request);
    media_hide_output(ret_request);
    ret_request->has_pieces = true;
    ret_request->pieces.images = ret_request->choices;
    ret_request->uses |= DIALECT_IMAGE_OUTPUT;
    ret_request->output_fixed += tokens_of(ret_request);
    return 0;
}

static bool match(struct slice path, struct slice query, struct dialect_target *ret_target)
{
    (void)query;
    return openai_path(path, "/images/generations", ret_target);
}

static int write_path(const struct dialect_request *request, struct slice model, struct buffer *out)
{
    (void)request;
    (void)model;
    return buffer_text(out, "/images/generations");
}

/* ---- Answers --------------------------------------------------------------------------------- */

static int64_t count_pictures(struct json data)
{
    struct json one;
    int64_t pictures = 0;
    for (size_t at = 0; data.type == JSON_ARRAY && json_next(data, &at, NULL, &one);)
        pictures++;
    return pictures;
}

static void read_answer(struct slice body, struct dialect_answer *ret_answer)
{
    struct json whole;
    char quality[32], size[32];
    *ret_answer = (struct dialect_answer){0};
    if (json_scan(body, &whole, NULL) || whole.type != JSON_OBJECT)
        return;
    ret_answer->has_usage =
        media_usage(json_member(whole, "usage"), MEDIA_PICTURES, &ret_answer->usage);
    ret_answer->usage.images = count_pictures(json_member(whole, "data"));
    ret_answer->usage.grade = pricing_grade(media_word(json_member(whole, "quality"), quality),
                                            media_word(json_member(whole, "size"), size));
}

static void read_event(struct dialect_stream *stream, const struct frame *event,
                       struct dialect_event *ret_event)
{
    media_read_event(stream, event, MEDIA_PICTURES, ret_event);
}

const struct dialect *dialect_images(void)
{
    static const char *const passed[] = {"openai-beta", NULL};
    static const struct dialect images = {
        .name = "openai-images",
        .operation = "image_generation",
        .endpoint = "images",
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
    return &images;
}
