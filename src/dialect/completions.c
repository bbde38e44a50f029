/* SPDX-License-Identifier: Apache-2.0
 * OpenAI completions (the dialect "openai-completions"): a prompt goes on.
 *
 * CHOICES  each prompt of a list is answered n times, and best_of answers are made, and billed, for
 *   each; so prompts times the larger of the two. A list of numbers is one prompt, in tokens.
 * BOUND    max_tokens, 16 where it is not given: OpenAI's own default. 0 makes nothing: it asks for
 *   the prompt's own probabilities.
 * Usage, events, errors and costs are those of chat; only an end of ours is written otherwise. */
#include "dialect/chat.h"
#include "dialect/openai.h"
#include "dialect/prompts.h"

enum { DEFAULT_TOKENS = 16 };

/* ---- Requests -------------------------------------------------------------------------------- */

static int read_prompt(struct openai_reading *r, struct json value)
{
    struct json one;
    int64_t prompts = 0;
    for (size_t at = 0; value.type == JSON_ARRAY && json_next(value, &at, NULL, &one);) {
        if (one.type == JSON_NUMBER)
            break;
        prompts++;
    }
    if (prompts > LIMIT_PROMPTS)
        return openai_fault(r, "prompt", "There are more than 2048 prompts.");
    r->prompts = max_i64(prompts, 1);
    return 0;
}

static int read_bound(struct openai_reading *r, struct json value)
{
    int64_t none;
    if (value.type != JSON_NUMBER || json_integer(value, &none) || none)
        return openai_read_bound(r, value, "max_tokens");
    r->request->makes_no_output = true;
    return 0;
}

static int read_echo(struct openai_reading *r, struct json value)
{
    r->request->repeats_prompt = value.type == JSON_TRUE;
    return 0;
}

static const struct openai_member members[] = {
    OPENAI_MEMBER("model", openai_read_model),
    OPENAI_MEMBER("prompt", read_prompt),
    OPENAI_MEMBER("max_tokens", read_bound),
    OPENAI_MEMBER("n", openai_read_choices),
    OPENAI_MEMBER("best_of", openai_read_choices),
    OPENAI_MEMBER("stream", openai_read_stream),
    OPENAI_MEMBER("stream_options", openai_read_stream_options),
    OPENAI_MEMBER("echo", read_echo),
    OPENAI_MEMBER("models", openai_refuse_models),
    OPENAI_MEMBER("user", openai_read_user),
    OPENAI_MEMBER("metadata", openai_read_metadata),
};
enum { MEMBERS = sizeof members / sizeof members[0] };

static int read_request(const struct dialect_target *target, struct slice body,
                        struct dialect_request *ret_request, struct dialect_error *ret_error)
{
    struct openai_reading r = {.request = ret_request, .error = ret_error, .prompts = 1};
    struct json whole;
    uint64_t seen;
    int rc = openai_read_body(&r, body, members, MEMBERS, &whole, &seen);
    if (!rc && !(seen & 1))
        rc = openai_model_of_path(&r, target, whole);
    if (rc)
        return rc;
    openai_ask_usage(&r, whole);
    ret_request->choices *= r.prompts;
    ret_request->input_bound += LIMIT_TEMPLATE_TOKENS;
    if (ret_request->makes_no_output)
        return 0;
    if (!ret_request->asked)
        ret_request->asked = DEFAULT_TOKENS;
    if (!ret_request->output_bound.at.data)
        ret_request->output_bound =
            (struct dialect_place){openai_after_brace(whole), "\"max_tokens\":", ","};
    return 0;
}

/* ---- Paths and ends -------------------------------------------------------------------------- */

static bool match(struct slice path, struct slice query, struct dialect_target *ret_target)
{
    (void)query;
    return openai_path(path, "/completions", ret_target);
}

static int write_path(const struct dialect_request *request, struct slice model, struct buffer *out)
{
    (void)request;
    (void)model;
    return buffer_text(out, "/completions");
}

static int write_head(const struct dialect_stream *stream, struct buffer *out)
{
    int rc = buffer_text(out, "data: {\"id\":");
    if (!rc)
        rc = json_quote(out, slice_of(stream->id[0] ? stream->id : "cmpl-mete"));
    if (!rc)
        rc = buffer_format(out, ",\"object\":\"text_completion\",\"created\":%lld,\"model\":",
                           (long long)stream->created);
    return rc ? rc : json_quote(out, slice_of(stream->model));
}

static int write_finish(const struct dialect_stream *stream, int64_t index, struct buffer *out)
{
    const char *why = stream->finish == DIALECT_LENGTH     ? "length"
                      : stream->finish == DIALECT_FILTERED ? "content_filter"
                                                           : "stop";
    int rc = write_head(stream, out);
    return rc ? rc
              : buffer_format(out,
                              ",\"choices\":[{\"text\":\"\",\"index\":%lld,\"logprobs\":null,"
                              "\"finish_reason\":\"%s\"}]}\n\n",
                              (long long)index, why);
}

static int write_end(struct dialect_stream *stream, const struct pricing_usage *usage,
                     struct slice cost, bool wants_usage, struct buffer *out)
{
    int rc = 0;
    for (int64_t i = 0; i < max_i64(stream->blocks, 1) && !rc; i++)
        rc = write_finish(stream, i, out);
    if (!rc && wants_usage) {
        rc = write_head(stream, out);
        if (!rc)
            rc = buffer_text(out, ",\"choices\":[],\"usage\":");
        if (!rc)
            rc = chat_write_usage(out, usage, cost);
        if (!rc)
            rc = buffer_text(out, "}\n\n");
    } else if (!rc && cost.len) {
        rc = chat_write_comment(cost, out);
    }
    stream->ended = true;
    return rc ? rc : buffer_text(out, "data: [DONE]\n\n");
}

const struct dialect *dialect_completions(void)
{
    static const char *const passed[] = {"openai-beta", NULL};
    static const struct dialect completions = {
        .name = "openai-completions",
        .operation = "text_completion",
        .endpoint = "completions",
        .methods = "POST",
        .framing = FRAMES_SSE,
        .comments = true,
        .reads_whole = true,
        .match = match,
        .read_request = read_request,
        .count_input = completions_count_input,
        .write_path = write_path,
        .read_answer = chat_read_answer,
        .read_event = chat_read_event,
        .write_cost = chat_write_cost,
        .write_error = chat_write_error,
        .write_break = chat_write_break,
        .write_end = write_end,
        .passed = passed,
    };
    return &completions;
}
