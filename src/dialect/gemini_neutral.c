/* SPDX-License-Identifier: Apache-2.0
 * A chat of another format, asked of Gemini: the request is written here.
 *
 *   system          systemInstruction         tools        functionDeclarations
 *   user, tool      role "user"               tool_choice  functionCallingConfig
 *   assistant       role "model"              a schema     parametersJsonSchema, responseJsonSchema
 *   a call          functionCall              an answer    functionResponse, {"output"} or
 * {"error"}
 *
 * An answer must name its function, so its call is looked for backwards. Answers that stand side
 * by side are one content, as the calls were. Gemini 3 wants a signature on the first call of a
 * content; a call that comes without one carries the word that Google gives for such.
 * LEFT OUT  thinking of earlier turns, a wish for one call at a time, a seed beyond 32 bits.
 * REFUSED   an image by an address that does not tell its type: Google wants it told. */
#include "dialect/gemini.h"
#include "dialect/neutral_writing.h"

#include <strings.h>

/* ---- Parts ----------------------------------------------------------------------------------- */

static const char *type_of_address(struct slice url)
{
    static const struct {
        const char *end, *type;
    } types[] = {
        {".png", "image/png"},   {".jpg", "image/jpeg"}, {".jpeg", "image/jpeg"},
        {".webp", "image/webp"}, {".gif", "image/gif"},  {".heic", "image/heic"},
        {".heif", "image/heif"},
    };
    struct slice path = slice_part(url, 1, url.len - 2);
    const char *query = memchr(path.data, '?', path.len);
    if (query)
        path.len = (size_t)(query - path.data);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct slice end = slice_of(types[i].end);
        if (path.len > end.len && !strncasecmp(path.data + path.len - end.len, end.data, end.len))
            return types[i].type;
    }
    return NULL;
}

static void put_image(struct neutral_writing *w, const struct neutral_part *part)
{
    if (part->url.len >= 2) {
        const char *type = type_of_address(part->url);
        if (!type) {
            neutral_refuse(
                w, "messages",
                "This provider reads an image by an address that ends like .png, .jpg, .webp "
                "or .gif: send its bytes instead.");
            return;
        }
        json_put_text(&w->put, "{\"fileData\":{\"mimeType\":\"");
        json_put_text(&w->put, type);
        json_put_text(&w->put, "\",\"fileUri\":");
        json_put_raw(&w->put, part->url);
        json_put_text(&w->put, "}}");
        return;
    }
    json_put_text(&w->put, "{\"inlineData\":{\"mimeType\":\"");
    json_put_raw(&w->put, part->media_type);
    json_put_text(&w->put, "\",\"data\":\"");
    json_put_raw(&w->put, part->data);
    json_put_text(&w->put, "\"}}");
}

/* vouch: it is the first call of its content, the one that must be signed. */
static void put_call(struct neutral_writing *w, const struct neutral_part *part, bool vouch)
{
    json_put_text(&w->put, "{\"functionCall\":{\"name\":");
    json_put_raw(&w->put, part->name);
    json_put_text(&w->put, ",\"args\":");
    if (!w->put.rc)
        w->put.rc = neutral_write_object(w->put.out, part->input);
    if (w->put.rc == METE_E_SYNTAX) {
        w->put.rc = 0;
        neutral_refuse(w, "messages", "The arguments of a tool call are not a JSON object.");
    }
    json_put_text(&w->put, "}");
    bool gemini_3 = slice_starts(w->request->model, SLICE_LITERAL("gemini-3"));
    if (part->signature.len > 2)
        neutral_put_member(w, "thoughtSignature", part->signature);
    else if (vouch && gemini_3)
        json_put_text(&w->put, ",\"thoughtSignature\":\"skip_thought_signature_validator\"");
    json_put_text(&w->put, "}");
}

/* The name of the call that parts[at] answers; empty: there is none. */
static struct slice name_of(const struct neutral_request *request, size_t at)
{
    const struct neutral_part *answer = &request->parts[at];
    if (answer->name.len)
        return answer->name;
    while (at-- > 0)
        if (request->parts[at].kind == NEUTRAL_CALL &&
            slice_equal(request->parts[at].id, answer->id))
            return request->parts[at].name;
    return (struct slice){0};
}

static void put_result(struct neutral_writing *w, size_t at)
{
    const struct neutral_part *part = &w->request->parts[at];
    struct slice name = name_of(w->request, at);
    if (!name.len)
        neutral_refuse(w, "messages", "A tool's answer must follow the call that it answers.");
    json_put_text(&w->put, "{\"functionResponse\":{\"name\":");
    json_put_raw(&w->put, name);
    json_put_text(&w->put,
                  part->failed ? ",\"response\":{\"error\":" : ",\"response\":{\"output\":");
    json_put_raw(&w->put, part->text.len ? part->text : SLICE_LITERAL("\"\""));
    json_put_text(&w->put, "}}}");
}

/* ---- Contents -------------------------------------------------------------------------------- */

/* Whether the part is written at all. */
static bool says_something(const struct neutral_part *part)
{
    return part->role != NEUTRAL_SYSTEM && part->kind != NEUTRAL_THINKING &&
           (part->kind != NEUTRAL_TEXT || part->text.len > 2);
}

static bool is_model(const struct neutral_part *part)
{
    return part->role == NEUTRAL_ASSISTANT;
}

/* Whether b goes into the content that a is in. */
static bool together(const struct neutral_part *a, const struct neutral_part *b)
{
    if (is_model(a) != is_model(b))
        return false;
    bool answers = a->kind == NEUTRAL_RESULT;
    return answers == (b->kind == NEUTRAL_RESULT) && (answers || !b->begins);
}

/* Whether no other call of its content stands before parts[at]. */
static bool is_first_call(const struct neutral_request *request, size_t at)
{
    const struct neutral_part *parts = request->parts;
    for (; at > 0 && is_model(&parts[at - 1]) && !parts[at].begins; at--)
        if (parts[at - 1].kind == NEUTRAL_CALL)
            return false;
    return true;
}

static void put_part(struct neutral_writing *w, size_t at)
{
    const struct neutral_part *part = &w->request->parts[at];
    switch (part->kind) {
    case NEUTRAL_IMAGE:
        put_image(w, part);
        return;
    case NEUTRAL_CALL:
        put_call(w, part, is_first_call(w->request, at));
        return;
    case NEUTRAL_RESULT:
        put_result(w, at);
        return;
    case NEUTRAL_TEXT:
    case NEUTRAL_THINKING:
        break;
    }
    json_put_text(&w->put, "{\"text\":");
    json_put_raw(&w->put, part->text);
    json_put_text(&w->put, "}");
}

static void put_contents(struct neutral_writing *w)
{
    const struct neutral_request *request = w->request;
    const struct neutral_part *last = NULL;
    json_put_text(&w->put, "{\"contents\":[");
    for (size_t i = 0; i < request->parts_len && !w->put.rc; i++) {
        const struct neutral_part *part = &request->parts[i];
        if (!says_something(part))
            continue;
        bool goes_on = last && together(last, part);
        if (!goes_on) {
            json_put_text(&w->put, last ? "]}," : "");
            json_put_text(&w->put, is_model(part) ? "{\"role\":\"model\",\"parts\":["
                                                  : "{\"role\":\"user\",\"parts\":[");
        }
        json_put_text(&w->put, goes_on ? "," : "");
        put_part(w, i);
        last = part;
    }
    json_put_text(&w->put, last ? "]}]" : "]");
}

static void put_system(struct neutral_writing *w)
{
    const struct neutral_request *request = w->request;
    bool any = false;
    for (size_t i = 0; i < request->parts_len; i++) {
        const struct neutral_part *part = &request->parts[i];
        if (part->role != NEUTRAL_SYSTEM || part->kind != NEUTRAL_TEXT || part->text.len <= 2)
            continue;
        json_put_text(&w->put,
                      any ? ",{\"text\":" : ",\"systemInstruction\":{\"parts\":[{\"text\":");
        json_put_raw(&w->put, part->text);
        json_put_text(&w->put, "}");
        any = true;
    }
    json_put_text(&w->put, any ? "]}" : "");
}

/* ---- Tools ----------------------------------------------------------------------------------- */

static void put_schema(struct neutral_writing *w, const char *name, struct slice schema)
{
    json_put_text(&w->put, ",\"");
    json_put_text(&w->put, name);
    json_put_text(&w->put, "\":");
    if (!w->put.rc)
        w->put.rc = gemini_write_schema(schema, w->put.out);
}

static void put_tools(struct neutral_writing *w)
{
    const struct neutral_request *request = w->request;
    for (size_t i = 0; i < request->tools_len; i++) {
        const struct neutral_tool *tool = &request->tools[i];
        json_put_text(&w->put, i ? "," : ",\"tools\":[{\"functionDeclarations\":[");
        json_put_text(&w->put, "{\"name\":");
        json_put_raw(&w->put, tool->name);
        neutral_put_member(w, "description", tool->description);
        if (tool->schema.len)
            put_schema(w, "parametersJsonSchema", tool->schema);
        json_put_text(&w->put, "}");
    }
    json_put_text(&w->put, request->tools_len ? "]}]" : "");
}

static void put_choice(struct neutral_writing *w)
{
    static const char *const words[] = {
        [NEUTRAL_AUTO] = "",
        [NEUTRAL_NONE] = "\"NONE\"",
        [NEUTRAL_REQUIRED] = "\"ANY\"",
        [NEUTRAL_NAMED] = "\"ANY\",\"allowedFunctionNames\":[",
    };
    const struct neutral_request *request = w->request;
    if (!request->tools_len || request->choice == NEUTRAL_AUTO)
        return;
    json_put_text(&w->put, ",\"toolConfig\":{\"functionCallingConfig\":{\"mode\":");
    json_put_text(&w->put, words[request->choice]);
    if (request->choice == NEUTRAL_NAMED) {
        json_put_raw(&w->put, request->choice_name);
        json_put_text(&w->put, "]");
    }
    json_put_text(&w->put, "}}");
}

/* ---- generationConfig ------------------------------------------------------------------------ */

/* As Google's own endpoint for OpenAI's clients has them. */
enum { LOW_BUDGET = 1024, MEDIUM_BUDGET = 8192, HIGH_BUDGET = 24576 };

/* -1: nothing is asked. */
static int64_t budget_of(const struct neutral_request *request)
{
    const struct json effort = {JSON_STRING, request->effort};
    if (request->thinking_max)
        return max_i64(request->thinking_max, 0);
    if (!request->effort.len)
        return -1;
    if (json_string_is(effort, "none"))
        return 0;
    if (json_string_is(effort, "minimal") || json_string_is(effort, "low"))
        return LOW_BUDGET;
    return json_string_is(effort, "medium") ? MEDIUM_BUDGET : HIGH_BUDGET;
}

static void put_thinking(struct neutral_writing *w)
{
    int64_t budget = budget_of(w->request);
    if (budget < 0)
        return;
    json_put_text(&w->put, ",\"thinkingConfig\":{\"thinkingBudget\":");
    json_put_number(&w->put, budget);
    json_put_text(&w->put, w->request->thinking_max > 0 ? ",\"includeThoughts\":true}" : "}");
}

static void put_shape(struct neutral_writing *w)
{
    const struct neutral_request *request = w->request;
    if (request->shape == NEUTRAL_ANY)
        return;
    json_put_text(&w->put, ",\"responseMimeType\":\"application/json\"");
    if (request->shape == NEUTRAL_SCHEMA && request->shape_schema.len)
        put_schema(w, "responseJsonSchema", request->shape_schema);
}

static void put_stop(struct neutral_writing *w)
{
    struct slice stop = w->request->stop;
    if (!stop.len)
        return;
    json_put_text(&w->put, ",\"stopSequences\":");
    json_put_text(&w->put, stop.data[0] == '[' ? "" : "[");
    json_put_raw(&w->put, stop);
    json_put_text(&w->put, stop.data[0] == '[' ? "" : "]");
}

static void put_seed(struct neutral_writing *w)
{
    int64_t seed;
    const struct json number = {JSON_NUMBER, w->request->seed};
    if (w->request->seed.len && !json_integer(number, &seed) && seed >= INT32_MIN &&
        seed <= INT32_MAX)
        neutral_put_member(w, "seed", w->request->seed);
}

static void put_config(struct neutral_writing *w)
{
    const struct neutral_request *request = w->request;
    json_put_text(&w->put, ",\"generationConfig\":{\"candidateCount\":1");
    if (request->output_max) {
        json_put_text(&w->put, ",\"maxOutputTokens\":");
        json_put_number(&w->put, request->output_max);
    }
    neutral_put_member(w, "temperature", request->temperature);
    neutral_put_member(w, "topP", request->top_p);
    neutral_put_member(w, "topK", request->top_k);
    neutral_put_member(w, "presencePenalty", request->presence_penalty);
    neutral_put_member(w, "frequencyPenalty", request->frequency_penalty);
    put_seed(w);
    put_stop(w);
    put_shape(w);
    put_thinking(w);
    json_put_text(&w->put, "}}");
}

static int write_request(const struct neutral_request *request, struct buffer *out,
                         struct dialect_error *ret_error)
{
    struct neutral_writing w = {request, {out, 0}, ret_error};
    put_contents(&w);
    put_system(&w);
    put_tools(&w);
    put_choice(&w);
    put_config(&w);
    return w.put.rc;
}

const struct dialect_neutral gemini_neutral = {
    .write_request = write_request,
    .read_answer = gemini_read_whole,
    .read_event = gemini_read_delta,
    .read_error = chat_read_error,
};
