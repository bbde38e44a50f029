/* SPDX-License-Identifier: Apache-2.0
 * A responses client's side of a translation: its request read into the neutral form, its answer
 * written from it. (No provider is asked in this format by a client of another.)
 *
 *   instructions          SYSTEM       function_call         ASSISTANT, CALL
 *   message               its role's   function_call_output  TOOL, RESULT
 *   an item without type  message      reasoning             ASSISTANT, THINKING; encrypted_content
 *                                                            is the signature it came with
 *   Items of the assistant that follow each other are one message.
 *
 *   SAY    a message with one part, output_text         OPEN, ARGUE   a function_call
 *   THINK  a reasoning item with a summary; its signature is encrypted_content
 *
 * REFUSED by name: what is stored elsewhere (previous_response_id, conversation, prompt, items by
 * reference), background, tools that the provider runs, files, sound, log probabilities.
 * LEFT OUT: what tunes, names or stores (store, include, metadata, truncation, verbosity,
 * service_tier, prompt caching, an image's detail). */
#include "dialect/chat.h"
#include "dialect/neutral.h"
#include "dialect/openai.h"
#include "dialect/responses.h"

struct reading {
    struct neutral_request *request;
    struct dialect_error *error;
    bool assistant; /* the last part was the assistant's: what follows may belong to it */
};

static int fault(struct reading *r, const char *param, const char *message)
{
    *r->error =
        (struct dialect_error){400, "invalid_request_error", "invalid_value", param, message, {0}};
    return METE_E_INVALID;
}

static int no_word(struct reading *r, const char *param, const char *message)
{
    *r->error = (struct dialect_error){
        400, "invalid_request_error", "unsupported_parameter", param, message, {0}};
    return METE_E_INVALID;
}

/* ---- Items ----------------------------------------------------------------------------------- */

/* begins: a message of its own, unless it goes on with the assistant's. */
static int add_part(struct reading *r, enum neutral_role role, enum neutral_kind kind, bool begins,
                    struct neutral_part **ret_part)
{
    int rc = neutral_add_part(r->request, ret_part);
    if (rc == METE_E_TOO_LARGE)
        return fault(r, "input", "The request has too many parts to be translated.");
    if (rc)
        return rc;
    bool goes_on = role == NEUTRAL_ASSISTANT && r->assistant;
    (*ret_part)->role = role;
    (*ret_part)->kind = kind;
    (*ret_part)->begins = begins && !goes_on;
    r->assistant = role == NEUTRAL_ASSISTANT;
    return 0;
}

static int add_text(struct reading *r, enum neutral_role role, bool begins, struct json text)
{
    struct neutral_part *part;
    if (text.type != JSON_STRING)
        return fault(r, "input", "A text must be a string.");
    int rc = add_part(r, role, NEUTRAL_TEXT, begins, &part);
    if (!rc)
        part->text = text.raw;
    return rc;
}

static int add_image(struct reading *r, enum neutral_role role, bool begins, struct json image)
{
    struct neutral_part *part;
    if (role != NEUTRAL_USER)
        return no_word(r, "input", "Only a user's message can have images.");
    if (image.type != JSON_STRING)
        return no_word(r, "input", "An image must have an image_url: stored files cannot be had.");
    int rc = add_part(r, role, NEUTRAL_IMAGE, begins, &part);
    if (rc || neutral_read_data_url(image.raw, part))
        return rc;
    if (!slice_starts(image.raw, SLICE_LITERAL("\"http")))
        return fault(r, "input", "An image's url must be http(s), or base64 in a data URL.");
    part->url = image.raw;
    return 0;
}

static int read_part(struct reading *r, enum neutral_role role, bool begins, struct json part)
{
    struct json type = json_member(part, "type");
    if (json_string_is(type, "input_text") || json_string_is(type, "output_text") ||
        json_string_is(type, "text"))
        return add_text(r, role, begins, json_member(part, "text"));
    if (json_string_is(type, "refusal"))
        return add_text(r, role, begins, json_member(part, "refusal"));
    if (json_string_is(type, "input_image"))
        return add_image(r, role, begins, json_member(part, "image_url"));
    return no_word(r, "input",
                   "Of a message's parts, text and images can be translated for this model; "
                   "files, audio and others cannot.");
}

static int read_message(struct reading *r, struct json item)
{
    struct json role = json_member(item, "role"), content = json_member(item, "content"), part;
    enum neutral_role whose = NEUTRAL_USER;
    if (json_string_is(role, "assistant"))
        whose = NEUTRAL_ASSISTANT;
    else if (json_string_is(role, "system") || json_string_is(role, "developer"))
        whose = NEUTRAL_SYSTEM;
    else if (!json_string_is(role, "user"))
        return no_word(r, "input",
                       "Roles that can be translated are system, developer, user and assistant.");
    if (content.type == JSON_STRING)
        return add_text(r, whose, true, content);
    if (content.type != JSON_ARRAY)
        return fault(r, "input", "A message's content must be a string or an array.");
    bool begins = true;
    int rc = 0;
    for (size_t at = 0; !rc && json_next(content, &at, NULL, &part); begins = false)
        rc = read_part(r, whose, begins, part);
    return rc;
}

static int read_call(struct reading *r, struct json item)
{
    struct neutral_part *part;
    struct json id = json_member(item, "call_id"), name = json_member(item, "name");
    if (id.type != JSON_STRING || name.type != JSON_STRING)
        return fault(r, "input", "A function_call must have a call_id and a name.");
    int rc = add_part(r, NEUTRAL_ASSISTANT, NEUTRAL_CALL, true, &part);
    if (rc)
        return rc;
    part->id = id.raw;
    part->name = name.raw;
    part->input = (struct neutral_json){neutral_string(json_member(item, "arguments")), true};
    return 0;
}

static int read_result(struct reading *r, struct json item)
{
    struct neutral_part *part;
    struct json id = json_member(item, "call_id"), output = json_member(item, "output"), one;
    if (id.type != JSON_STRING)
        return fault(r, "input", "A function_call_output must have a call_id.");
    for (size_t at = 0; output.type == JSON_ARRAY && json_next(output, &at, NULL, &one);)
        if (!json_string_is(json_member(one, "type"), "input_text"))
            return no_word(r, "input", "A tool's output can be translated if it is text.");
    int rc = add_part(r, NEUTRAL_TOOL, NEUTRAL_RESULT, true, &part);
    if (rc)
        return rc;
    part->id = id.raw;
    if (output.type == JSON_STRING)
        part->text = output.raw;
    else
        rc = neutral_join_texts(r->request, output, &part->text);
    return rc;
}

static int read_thinking(struct reading *r, struct json item)
{
    struct neutral_part *part;
    struct json summary = json_member(item, "summary"), one;
    struct slice signature = neutral_string(json_member(item, "encrypted_content"));
    size_t at = 0;
    bool any = summary.type == JSON_ARRAY && json_next(summary, &at, NULL, &one);
    if (!any && !signature.len)
        return 0;
    int rc = add_part(r, NEUTRAL_ASSISTANT, NEUTRAL_THINKING, true, &part);
    if (!rc)
        part->signature = signature;
    if (!rc)
        rc = neutral_join_texts(r->request, summary, &part->text);
    return rc;
}

static int read_item(struct reading *r, struct json item)
{
    struct json type = json_member(item, "type");
    if (item.type != JSON_OBJECT)
        return fault(r, "input", "Each item of input must be an object.");
    if (type.type == JSON_NONE || json_string_is(type, "message"))
        return read_message(r, item);
    if (json_string_is(type, "function_call"))
        return read_call(r, item);
    if (json_string_is(type, "function_call_output"))
        return read_result(r, item);
    if (json_string_is(type, "reasoning"))
        return read_thinking(r, item);
    return no_word(r, "input",
                   "Items that can be translated for this model are messages, function calls, "
                   "their outputs and reasoning.");
}

/* ---- Members --------------------------------------------------------------------------------- */

static int read_input(struct reading *r, struct json value)
{
    struct json item;
    int rc = 0;
    if (value.type == JSON_STRING)
        return add_text(r, NEUTRAL_USER, true, value);
    if (value.type != JSON_ARRAY)
        return fault(r, "input", "input must be a string or an array.");
    for (size_t at = 0; !rc && json_next(value, &at, NULL, &item);)
        rc = read_item(r, item);
    return rc;
}

static int read_tools(struct reading *r, struct json value)
{
    struct json tool;
    for (size_t at = 0; value.type == JSON_ARRAY && json_next(value, &at, NULL, &tool);) {
        struct json name = json_member(tool, "name"), schema = json_member(tool, "parameters");
        struct neutral_tool *kept;
        if (!json_string_is(json_member(tool, "type"), "function") || name.type != JSON_STRING)
            return no_word(r, "tools", "Only tools that are functions can be translated.");
        int rc = neutral_add_tool(r->request, &kept);
        if (rc)
            return rc == METE_E_TOO_LARGE ? fault(r, "tools", "There are too many tools.") : rc;
        kept->name = name.raw;
        kept->description = neutral_string(json_member(tool, "description"));
        kept->schema = schema.type == JSON_OBJECT ? schema.raw : (struct slice){0};
        kept->strict = json_member(tool, "strict").type == JSON_TRUE;
    }
    return 0;
}

static int read_tool_choice(struct reading *r, struct json value)
{
    struct neutral_request *request = r->request;
    struct json name = json_member(value, "name");
    if (value.type == JSON_NULL || json_string_is(value, "auto"))
        request->choice = NEUTRAL_AUTO;
    else if (json_string_is(value, "none"))
        request->choice = NEUTRAL_NONE;
    else if (json_string_is(value, "required"))
        request->choice = NEUTRAL_REQUIRED;
    else if (json_string_is(json_member(value, "type"), "function") && name.type == JSON_STRING)
        request->choice = NEUTRAL_NAMED;
    else
        return no_word(r, "tool_choice",
                       "tool_choice that can be translated is none, auto, required or a function.");
    request->choice_name = request->choice == NEUTRAL_NAMED ? name.raw : (struct slice){0};
    return 0;
}

static int read_text(struct reading *r, struct json value)
{
    struct neutral_request *request = r->request;
    struct json format = json_member(value, "format"), type = json_member(format, "type");
    struct json schema = json_member(format, "schema");
    if (!openai_given(format) || json_string_is(type, "text")) {
        request->shape = NEUTRAL_ANY;
    } else if (json_string_is(type, "json_object")) {
        request->shape = NEUTRAL_OBJECT;
    } else if (json_string_is(type, "json_schema") && schema.type == JSON_OBJECT) {
        request->shape = NEUTRAL_SCHEMA;
        request->shape_name = neutral_string(json_member(format, "name"));
        request->shape_schema = schema.raw;
        request->shape_strict = json_member(format, "strict").type == JSON_TRUE;
    } else {
        return no_word(r, "text",
                       "text.format that can be translated is text, json_object, or json_schema "
                       "with a schema.");
    }
    return 0;
}

static int read_reasoning(struct reading *r, struct json value)
{
    struct json effort = json_member(value, "effort");
    r->request->effort = neutral_string(effort);
    r->request->thinking_max = json_string_is(effort, "none") ? -1 : 0;
    return 0;
}

static int read_model(struct reading *r, struct json value)
{
    if (value.type == JSON_STRING && !memchr(value.raw.data, '\\', value.raw.len))
        r->request->model = slice_part(value.raw, 1, value.raw.len - 2);
    return 0;
}

static int read_bound(struct reading *r, struct json value)
{
    int64_t bound;
    if (value.type != JSON_NULL && !json_integer(value, &bound) && bound > 0)
        r->request->output_max = bound;
    return 0;
}

static int read_word(struct reading *r, struct json key, struct json value)
{
    struct neutral_request *request = r->request;
    struct slice number = value.type == JSON_NUMBER ? value.raw : (struct slice){0};
    if (CHAT_KEY_IS(key, "stream"))
        request->stream = value.type == JSON_TRUE;
    else if (CHAT_KEY_IS(key, "user") || CHAT_KEY_IS(key, "safety_identifier"))
        request->user = neutral_string(value);
    else if (CHAT_KEY_IS(key, "parallel_tool_calls"))
        request->one_call = value.type == JSON_FALSE;
    else if (CHAT_KEY_IS(key, "temperature"))
        request->temperature = number;
    else if (CHAT_KEY_IS(key, "top_p"))
        request->top_p = number;
    return 0;
}

/* What would change the answer, and has no word elsewhere. */
static int refuse(struct reading *r, struct json key, struct json value)
{
    static const struct {
        const char *name, *message;
    } refused[] = {
        {"previous_response_id", "This model's provider keeps no answers: send the whole input."},
        {"conversation", "This model's provider keeps no conversations: send the whole input."},
        {"background", "This model's provider makes no answers in the background."},
        {"prompt", "This model's provider keeps no prompts: send the whole input."},
        {"plugins", "Plugins cannot be translated for this model."},
        {"search_parameters", "Searches cannot be translated for this model."},
        {"models", "A list of other models cannot be translated: name one in model."},
        {"top_logprobs", "Log probabilities cannot be had from this model."},
    };
    int64_t none;
    bool zero = value.type == JSON_NUMBER && !json_integer(value, &none) && !none;
    for (size_t i = 0; openai_given(value) && !zero && i < sizeof refused / sizeof refused[0]; i++)
        if (json_string_is(key, refused[i].name))
            return no_word(r, refused[i].name, refused[i].message);
    return read_word(r, key, value);
}

static int read_member(struct reading *r, struct json key, struct json value)
{
    static const struct {
        const char *name;
        int (*read)(struct reading *r, struct json value);
    } members[] = {
        {"model", read_model},
        {"input", read_input},
        {"tools", read_tools},
        {"tool_choice", read_tool_choice},
        {"text", read_text},
        {"reasoning", read_reasoning},
        {"max_output_tokens", read_bound},
    };
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (json_string_is(key, members[i].name))
            return members[i].read(r, value);
    return refuse(r, key, value);
}

static int read_request(const struct dialect_target *target, struct slice body,
                        struct neutral_request *ret_request, struct dialect_error *ret_error)
{
    struct reading r = {.request = ret_request, .error = ret_error};
    struct json whole, key, value;
    (void)target;
    if (json_scan(body, &whole, NULL) || whole.type != JSON_OBJECT)
        return fault(&r, NULL, "The body is not a JSON object.");
    struct json instructions = json_member(whole, "instructions");
    int rc = 0;
    if (instructions.type == JSON_STRING && instructions.raw.len > 2)
        rc = add_text(&r, NEUTRAL_SYSTEM, true, instructions); /* before all else */
    for (size_t at = 0; !rc && json_next(whole, &at, &key, &value);)
        rc = read_member(&r, key, value);
    if (!rc && json_member(whole, "input").type == JSON_NONE)
        rc = fault(&r, "input", "input is missing.");
    return rc;
}

/* ---- A stream is written --------------------------------------------------------------------- */

static void put_begin(struct json_put *put, struct dialect_stream *stream,
                      const struct neutral_delta *delta)
{
    if (stream->begun)
        return;
    neutral_copy(delta->id, stream->id);
    neutral_copy(delta->model, stream->model);
    responses_put_begin(stream, put);
}

static void open_item(struct json_put *put, struct dialect_stream *stream, enum dialect_open open)
{
    if (!stream->begun)
        responses_put_begin(stream, put);
    if (stream->open == open && open != DIALECT_CALL)
        return;
    responses_put_close(stream, true, put);
    if (open == DIALECT_TEXT) {
        responses_put_item(stream, open, "msg_", "message",
                           SLICE_LITERAL(",\"role\":\"assistant\",\"content\":[]"), put);
        responses_put_part(stream, RESPONSES_OUTPUT_TEXT, put);
    } else if (open == DIALECT_THINKING) {
        responses_put_item(stream, open, "rs_", "reasoning", SLICE_LITERAL(",\"summary\":[]"), put);
        responses_put_part(stream, RESPONSES_SUMMARY_TEXT, put);
    }
}

static void put_call(struct json_put *put, struct dialect_stream *stream,
                     const struct neutral_delta *delta)
{
    struct buffer members;
    struct json_put more = {&members, 0};
    open_item(put, stream, DIALECT_CALL);
    buffer_init(&members, delta->id.len + delta->name.len + 64);
    json_put_text(&more, ",\"arguments\":\"\",\"call_id\":");
    json_put_raw(&more, delta->id.len ? delta->id : SLICE_LITERAL("\"\""));
    json_put_text(&more, ",\"name\":");
    json_put_raw(&more, delta->name.len ? delta->name : SLICE_LITERAL("\"\""));
    if (!put->rc)
        put->rc = more.rc;
    if (!put->rc)
        responses_put_item(stream, DIALECT_CALL, "fc_", "function_call", buffer_slice(&members),
                           put);
    buffer_done(&members);
}

static void put_argument(struct json_put *put, struct dialect_stream *stream,
                         struct neutral_json piece)
{
    struct buffer string;
    if (stream->open != DIALECT_CALL) {
        put->rc = METE_E_SYNTAX;
        return;
    }
    buffer_init(&string, 6 * piece.raw.len + 64);
    int rc = neutral_write_piece(&string, piece);
    if (!rc && string.len > 2)
        responses_put_text(stream, buffer_slice(&string), put);
    if (!put->rc)
        put->rc = rc;
    buffer_done(&string);
}

static void put_thought(struct json_put *put, struct dialect_stream *stream,
                        const struct neutral_delta *delta)
{
    open_item(put, stream, DIALECT_THINKING);
    if (delta->text.len > 2)
        responses_put_text(stream, delta->text, put);
    if (delta->signature.len > 2) { /* it is the last of a thought */
        responses_keep_signature(stream, delta->signature);
        responses_put_close(stream, true, put);
    }
}

static int write_delta(struct dialect_stream *stream, const struct neutral_delta *delta,
                       struct buffer *out)
{
    struct json_put put = {out, 0};
    switch (delta->what) {
    case NEUTRAL_BEGIN:
        put_begin(&put, stream, delta);
        break;
    case NEUTRAL_SAY:
        open_item(&put, stream, DIALECT_TEXT);
        if (delta->text.len > 2)
            responses_put_text(stream, delta->text, &put);
        break;
    case NEUTRAL_THINK:
        put_thought(&put, stream, delta);
        break;
    case NEUTRAL_OPEN:
        put_call(&put, stream, delta);
        break;
    case NEUTRAL_ARGUE:
        put_argument(&put, stream, delta->input);
        break;
    case NEUTRAL_FINISH:
        stream->finish = delta->finish;
        break;
    }
    return put.rc;
}

/* ---- A whole answer is written --------------------------------------------------------------- */

static void put_message(struct json_put *put, const struct neutral_answer *answer,
                        const struct neutral_piece *piece)
{
    json_put_text(put, ",\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":"
                       "\"output_text\",\"text\":\"");
    json_put_raw(put, neutral_answer_text(answer, piece->text, piece->text_len));
    json_put_text(put, "\",\"annotations\":[],\"logprobs\":[]}]}");
}

static void put_reasoning(struct json_put *put, const struct neutral_answer *answer,
                          const struct neutral_piece *piece)
{
    json_put_text(put, ",\"type\":\"reasoning\",\"summary\":[");
    if (piece->text_len) {
        json_put_text(put, "{\"type\":\"summary_text\",\"text\":\"");
        json_put_raw(put, neutral_answer_text(answer, piece->text, piece->text_len));
        json_put_text(put, "\"}");
    }
    json_put_text(put, "]");
    if (piece->signature_len) {
        json_put_text(put, ",\"encrypted_content\":");
        json_put_raw(put, neutral_answer_text(answer, piece->signature, piece->signature_len));
    }
    json_put_text(put, "}");
}

static void put_function(struct json_put *put, const struct neutral_answer *answer,
                         const struct neutral_piece *piece)
{
    struct slice id = neutral_answer_text(answer, piece->id, piece->id_len);
    struct slice name = neutral_answer_text(answer, piece->name, piece->name_len);
    struct slice arguments = neutral_answer_text(answer, piece->text, piece->text_len);
    json_put_text(put, ",\"type\":\"function_call\",\"arguments\":");
    json_put_quoted(put, arguments.len ? arguments : SLICE_LITERAL("{}"));
    json_put_text(put, ",\"call_id\":");
    json_put_raw(put, id.len ? id : SLICE_LITERAL("\"\""));
    json_put_text(put, ",\"name\":");
    json_put_raw(put, name.len ? name : SLICE_LITERAL("\"\""));
    json_put_text(put, "}");
}

static void put_piece(struct json_put *put, const struct neutral_answer *answer, size_t i)
{
    const struct neutral_piece *piece = &answer->pieces[i];
    const char *prefix = piece->kind == NEUTRAL_CALL       ? "fc_"
                         : piece->kind == NEUTRAL_THINKING ? "rs_"
                                                           : "msg_";
    bool last = i + 1 == answer->pieces_len;
    const char *status = last ? responses_status(answer->stream.finish) : "completed";
    json_put_text(put, i ? ",{\"id\":\"" : "{\"id\":\"");
    json_put_text(put, prefix);
    responses_put_item_id(&answer->stream, (int64_t)i + 1, put);
    json_put_text(put, "\",\"status\":\"");
    json_put_text(put, status);
    json_put_text(put, "\"");
    if (piece->kind == NEUTRAL_CALL)
        put_function(put, answer, piece);
    else if (piece->kind == NEUTRAL_THINKING)
        put_reasoning(put, answer, piece);
    else
        put_message(put, answer, piece);
}

static int write_answer(const struct neutral_answer *answer, const struct pricing_usage *usage,
                        struct buffer *out)
{
    struct json_put put = {out, 0};
    responses_put_head(&answer->stream, responses_status(answer->stream.finish), &put);
    for (size_t i = 0; i < answer->pieces_len; i++)
        put_piece(&put, answer, i);
    responses_put_tail(usage, (struct slice){0}, &put);
    return put.rc;
}

const struct dialect_neutral responses_neutral = {
    .read_request = read_request,
    .write_delta = write_delta,
    .write_answer = write_answer,
};
