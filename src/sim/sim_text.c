/* SPDX-License-Identifier: Apache-2.0
 * The simulator's answers as bytes. A stream's chunks differ only in index and delta, so the rest
 * is written once a call (head, tail) and a token costs five copies:
 *
 *   data: {"id":..,"choices":[{"index":  0,"delta":{"content":" sed"},"finish_reason":null  }]}
 *   |------------- head -------------|  |-------------------- rest ---------------------|  |tail|
 *
 * `created` is a constant: nothing here has a clock. */
#include "base/assert.h"
#include "sim/inside.h"

#define CREATED "1763683200"

/* One token each: what a model says when it has nothing to say. */
static const char *const words[16] = {" lorem", " ipsum",  " dolor",  " sit", " amet", " sed",
                                      " do",    " magna",  " aliqua", " ut",  " enim", " ad",
                                      " minim", " veniam", " quis",   " nisi"};

static struct slice word(int64_t token)
{
    struct slice text = slice_of(words[token % 16]);
    return token ? text : slice_from(text, 1);
}

static const char *finish_reason(const struct sim_answer *answer)
{
    return answer->bounded ? "length" : "stop";
}

/* "id":...,"object":...,"created":...,"model":... */
static int put_common(const struct sim_answer *answer, const char *object, struct buffer *out)
{
    int rc = buffer_format(
        out, "\"id\":\"chatcmpl-sim-%llu\",\"object\":\"%s\",\"created\":" CREATED ",\"model\":",
        (unsigned long long)answer->number, object);
    if (!rc)
        rc = buffer_append(out, answer->model);
    return rc ? rc : buffer_text(out, ",\"system_fingerprint\":\"fp_mete_sim\"");
}

static int put_usage(const struct sim_answer *answer, struct buffer *out)
{
    int64_t output = answer->length * answer->choices;
    return buffer_format(out,
                         ",\"usage\":{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,"
                         "\"total_tokens\":%lld,\"prompt_tokens_details\":{\"cached_tokens\":0},"
                         "\"completion_tokens_details\":{\"reasoning_tokens\":0}}",
                         (long long)answer->input_tokens, (long long)output,
                         (long long)(answer->input_tokens + output));
}

static int put_choice(const struct sim_answer *answer, int64_t index, struct buffer *out)
{
    int rc =
        buffer_format(out, "%s{\"index\":%lld,\"message\":{\"role\":\"assistant\",\"content\":\"",
                      index ? "," : "", (long long)index);
    for (int64_t token = 0; !rc && token < answer->length; token++)
        rc = buffer_append(out, word(token));
    return rc ? rc
              : buffer_format(out,
                              "\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"%s\"}",
                              finish_reason(answer));
}

int sim_text_plain(const struct sim_answer *answer, struct buffer *out)
{
    int rc = buffer_text(out, "{");
    if (!rc)
        rc = put_common(answer, "chat.completion", out);
    if (!rc)
        rc = buffer_text(out, ",\"choices\":[");
    for (int64_t index = 0; !rc && index < answer->choices; index++)
        rc = put_choice(answer, index, out);
    if (!rc)
        rc = buffer_text(out, "]");
    if (!rc && answer->report)
        rc = put_usage(answer, out);
    return rc ? rc : buffer_text(out, "}");
}

/* ---- Streams --------------------------------------------------------------------------------- */

static int put_chunk_common(const struct sim_answer *answer, struct buffer *out)
{
    int rc = buffer_text(out, "data: {");
    return rc ? rc : put_common(answer, "chat.completion.chunk", out);
}

int sim_text_head(const struct sim_answer *answer, struct buffer *out)
{
    int rc = put_chunk_common(answer, out);
    return rc ? rc : buffer_text(out, ",\"choices\":[{\"index\":");
}

/* With include_usage every other chunk says that its usage is null. */
int sim_text_tail(const struct sim_answer *answer, struct buffer *out)
{
    return buffer_format(out, "}]%s}\n\n", answer->include_usage ? ",\"usage\":null" : "");
}

static int put_chunk(const struct sim_answer *answer, int64_t index, struct slice rest,
                     struct buffer *out)
{
    char digits[3];
    size_t at = sizeof digits;
    ASSERT(index >= 0 && index < 1000);
    do {
        digits[--at] = (char)('0' + index % 10);
        index /= 10;
    } while (index);
    int rc = buffer_append(out, answer->head);
    if (!rc)
        rc = buffer_append(out, (struct slice){digits + at, sizeof digits - at});
    if (!rc)
        rc = buffer_append(out, rest);
    return rc ? rc : buffer_append(out, answer->tail);
}

int sim_text_begin(const struct sim_answer *answer, struct buffer *out)
{
    int rc = 0;
    for (int64_t index = 0; !rc && index < answer->choices; index++)
        rc = put_chunk(answer, index,
                       SLICE_LITERAL(",\"delta\":{\"role\":\"assistant\",\"content\":\"\","
                                     "\"refusal\":null},\"logprobs\":null,\"finish_reason\":null"),
                       out);
    return rc;
}

int sim_text_tokens(const struct sim_answer *answer, int64_t from, int64_t to, struct buffer *out)
{
    static const char before[] = ",\"delta\":{\"content\":\"";
    static const char after[] = "\"},\"logprobs\":null,\"finish_reason\":null";
    char rest[sizeof before + 16 + sizeof after];
    size_t start = sizeof before - 1;
    memcpy(rest, before, start);
    int rc = 0;
    for (int64_t i = from; !rc && i < to; i++) {
        struct slice text = word(i / answer->choices);
        ASSERT(text.len <= 16);
        memcpy(rest + start, text.data, text.len);
        memcpy(rest + start + text.len, after, sizeof after - 1);
        struct slice whole = {rest, start + text.len + sizeof after - 1};
        rc = put_chunk(answer, i % answer->choices, whole, out);
    }
    return rc;
}

int sim_text_end(const struct sim_answer *answer, struct buffer *out)
{
    struct slice stop = SLICE_LITERAL(",\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"");
    struct slice length =
        SLICE_LITERAL(",\"delta\":{},\"logprobs\":null,\"finish_reason\":\"length\"");
    int rc = 0;
    for (int64_t index = 0; !rc && index < answer->choices; index++)
        rc = put_chunk(answer, index, answer->bounded ? length : stop, out);
    if (!rc && answer->include_usage && answer->report) {
        rc = put_chunk_common(answer, out);
        if (!rc)
            rc = buffer_text(out, ",\"choices\":[]");
        if (!rc)
            rc = put_usage(answer, out);
        if (!rc)
            rc = buffer_text(out, "}\n\n");
    }
    return rc ? rc : buffer_text(out, "data: [DONE]\n\n");
}

/* ---- Errors ---------------------------------------------------------------------------------- */

int sim_text_error(int status, const char *message, const char *param, struct buffer *out)
{
    const char *type = status == 429  ? "rate_limit_error"
                       : status < 500 ? "invalid_request_error"
                                      : "server_error";
    const char *quote = param ? "\"" : "";
    return buffer_format(out,
                         "{\"error\":{\"message\":\"%s\",\"type\":\"%s\",\"param\":%s%s%s,"
                         "\"code\":null}}",
                         message, type, quote, param ? param : "null", quote);
}
