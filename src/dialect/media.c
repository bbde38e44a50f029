/* SPDX-License-Identifier: Apache-2.0
 * A form's fields are text without escapes, so a value is compared and copied as it stands. */
#include "dialect/media.h"

#include "codec/decimal.h"
#include "codec/multipart.h"
#include "dialect/chat.h"

#include <xxhash.h>

/* ---- Forms ----------------------------------------------------------------------------------- */

static int put_field(struct openai_reading *r, const struct multipart_part *part,
                     struct media_field *fields, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!slice_is(part->name, fields[i].name))
            continue;
        if (fields[i].is_there)
            return openai_fault(r, fields[i].name, "The field is given twice.");
        fields[i].is_there = true;
        fields[i].value = part->body;
    }
    return 0;
}

/* A client that asks again draws a new boundary. */
static uint64_t hash(const struct multipart_part *part, uint64_t before)
{
    uint64_t name = XXH3_64bits_withSeed(part->name.data, part->name.len, before);
    return XXH3_64bits_withSeed(part->body.data, part->body.len, name) | 1;
}

int media_read_form(struct openai_reading *r, const struct dialect_target *target,
                    struct slice body, struct media_field *fields, size_t len)
{
    struct slice type = target ? target->content_type : (struct slice){0};
    struct multipart form;
    struct multipart_part part;
    *r->request = (struct dialect_request){.choices = 1, .is_form = true};
    int more = multipart_begin(&form, type, body) ? METE_E_SYNTAX : 1;
    while (more > 0) {
        more = multipart_next(&form, &part);
        if (more > 0 && put_field(r, &part, fields, len))
            return METE_E_INVALID;
        if (more > 0)
            r->request->content = hash(&part, r->request->content);
    }
    return more ? openai_fault(r, NULL, "The body is not a good multipart/form-data.") : 0;
}

int media_take_model(struct openai_reading *r, const struct media_field *field)
{
    struct dialect_request *request = r->request;
    if (!field->is_there || !field->value.len || field->value.len > LIMIT_ID)
        return openai_fault(r, "model", "model must be a text of 1 to 128 bytes.");
    for (size_t i = 0; i < field->value.len; i++)
        if (field->value.data[i] <= ' ' || field->value.data[i] > '~')
            return openai_fault(r, "model", "model must be printable ASCII without spaces.");
    memcpy(request->model, field->value.data, field->value.len);
    request->model[field->value.len] = 0;
    request->model_len = field->value.len;
    request->model_name = (struct dialect_place){field->value, "", ""};
    return 0;
}

int media_number(struct openai_reading *r, const char *name, struct slice text, int64_t most,
                 int64_t *ret_number)
{
    int64_t number;
    if (!text.len)
        return 0;
    if (json_integer((struct json){JSON_NUMBER, text}, &number) || number < 1 || number > most)
        return openai_fault(r, name,
                            "It must be a whole number, from 1 on and not beyond what is "
                            "taken here.");
    *ret_number = number;
    return 0;
}

struct slice media_word(struct json value, char room[32])
{
    if (value.type == JSON_NONE || value.type == JSON_NULL)
        return (struct slice){NULL, 0};
    long len = json_string_copy(value, room, 32);
    return len < 0 ? SLICE_LITERAL("?") : (struct slice){room, (size_t)len};
}

void media_hide_output(struct dialect_request *request)
{
    request->makes_no_output = true; /* beyond output_fixed */
    request->may_hide_output = request->repeats_prompt = true;
    request->wants_usage = true;
}

/* ---- Usage ----------------------------------------------------------------------------------- */

static bool has_details(struct json usage)
{
    return json_member(usage, "output_tokens_details").type == JSON_OBJECT ||
           json_member(usage, "output_token_details").type == JSON_OBJECT;
}

static bool read_duration(struct json usage, struct pricing_usage *ret_usage)
{
    int128 seconds;
    struct json value = json_member(usage, "seconds");
    if (value.type != JSON_NUMBER || decimal_parse128(value.raw, 0, true, &seconds) ||
        seconds < 0 || seconds > CHAT_TOKENS_MAX)
        return false;
    *ret_usage = (struct pricing_usage){.audio_seconds = (int64_t)seconds};
    return true;
}

bool media_usage(struct json usage, enum media_output output, struct pricing_usage *ret_usage)
{
    struct pricing_usage read;
    if (usage.type != JSON_OBJECT)
        return false;
    if (json_string_is(json_member(usage, "type"), "duration"))
        return read_duration(usage, ret_usage);
    if (!chat_usage_newer(usage, &read))
        return false;
    if (output == MEDIA_PICTURES && !has_details(usage))
        read.image_output = read.output - read.reasoning - read.audio_output;
    if (output == MEDIA_SOUND && !has_details(usage))
        read.audio_output = read.output - read.reasoning - read.image_output;
    *ret_usage = read;
    return true;
}

/* ---- Streams --------------------------------------------------------------------------------- */

/* raw: of a JSON string, or nothing. */
static bool ends(struct json text, const char *with)
{
    size_t len = strlen(with);
    struct slice raw = text.raw;
    return text.type == JSON_STRING && raw.len > len + 2 &&
           !memcmp(raw.data + raw.len - 1 - len, with, len);
}

void media_read_event(struct dialect_stream *stream, const struct frame *event,
                      enum media_output output, struct dialect_event *ret_event)
{
    struct json whole;
    *ret_event = (struct dialect_event){.kind = DIALECT_COMMENT};
    if (!event->has_data)
        return;
    ret_event->kind = DIALECT_CHUNK;
    stream->begun = true;
    if (slice_is(event->data, "[DONE]")) {
        ret_event->kind = DIALECT_FINAL;
        return;
    }
    if (json_scan(event->data, &whole, NULL) || whole.type != JSON_OBJECT) {
        ret_event->kind = DIALECT_FOREIGN;
        return;
    }
    struct json type = json_member(whole, "type"), usage = json_member(whole, "usage");
    ret_event->failed = json_string_is(type, "error") || openai_given(json_member(whole, "error"));
    ret_event->finishes = ret_event->may_be_last = ends(type, ".completed") || ends(type, ".done");
    ret_event->has_usage = ret_event->finishes && media_usage(usage, output, &ret_event->usage);
    if (ret_event->has_usage)
        ret_event->usage_object = usage;
    stream->ended = stream->ended || ret_event->finishes;
}

int media_write_end(struct dialect_stream *stream, const struct pricing_usage *usage,
                    struct slice cost, bool wants_usage, struct buffer *out)
{
    static const struct dialect_error cut = {
        503, "server_error", "cut_off", NULL, "The call was ended here; what it used is charged.",
        {0}};
    (void)usage;
    (void)wants_usage;
    int rc = chat_write_break(stream, &cut, out);
    return rc || !cost.len ? rc : chat_write_comment(cost, out);
}
