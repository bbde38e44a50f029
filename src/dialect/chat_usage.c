/* SPDX-License-Identifier: Apache-2.0
 * Usage as providers of the chat format report it, brought to one convention: input is everything
 * billed on the input side, output everything on the output side, reasoning included.
 *
 *   {"prompt_tokens":p,"completion_tokens":c,"total_tokens":t,
 *    "prompt_tokens_details":{"cached_tokens","cache_write_tokens"},
 *    "completion_tokens_details":{"reasoning_tokens"}}
 *
 * TRAPS, all seen in recordings:
 *   - xAI leaves reasoning out of c, Gemini leaves its thinking out of c and names it nowhere; in
 *     both t = p + c + what is missing. So: what t has beyond p + c was billed as output. Of 241
 *     recorded bodies of 20 providers this rule reads every one right.
 *   - no t, and reasoning > c: reasoning cannot be a part of c, so it is added. With t = p + c it
 * is the reasoning that is wrong (OpenRouter): cut to c.
 *   - the same tokens written to the cache and read from it (OpenRouter's Gemini): parts exceed the
 *     whole, and are cut, the read ones first, for written ones are never cheaper.
 *   - cached tokens stand in the details, or beside them (DeepSeek prompt_cache_hit_tokens,
 *     Mistral num_cached_tokens, Moonshot cached_tokens); the largest is taken.
 *   - Groq streams usage in x_groq, Moonshot in choices[0].
 * An explicit zero is usage. Negative or absurd figures make the whole object unbelievable; the
 * call is then counted instead (call_end.c).
 * Not done: a table of providers. The rules above hold for all of them, and a table would be wrong
 * for every server that only resembles one. */
#include "dialect/chat.h"
#include "dialect/openai.h"

enum figure {
    PROMPT = 0,
    COMPLETION,
    TOTAL,
    CACHED,
    WRITTEN,
    REASONING,
    SOUND_IN,
    PICTURES_IN,
    SOUND_OUT,
    PICTURES_OUT,
    SEARCHES,
    FIGURES
};

struct figures {
    int64_t of[FIGURES]; /* of several names for one figure, the largest */
    bool given[FIGURES];
};

struct name {
    const char *name;
    size_t len;
    enum figure figure;
};
#define NAME(name, figure)                                                                         \
    {                                                                                              \
        name, sizeof(name) - 1, figure                                                             \
    }

static const struct name beside[] = {
    NAME("prompt_tokens", PROMPT),
    NAME("completion_tokens", COMPLETION),
    NAME("total_tokens", TOTAL),
    NAME("cached_tokens", CACHED),
    NAME("prompt_cache_hit_tokens", CACHED),
    NAME("num_cached_tokens", CACHED),
    NAME("reasoning_tokens", REASONING),
    NAME("num_sources_used", SEARCHES),
    NAME("num_search_queries", SEARCHES),
};
/* The same figures by their names in responses. */
static const struct name newer[] = {
    NAME("input_tokens", PROMPT),
    NAME("output_tokens", COMPLETION),
    NAME("total_tokens", TOTAL),
};
static const struct name of_tools[] = {NAME("web_search_requests", SEARCHES)};
static const struct name of_prompt[] = {
    NAME("cached_tokens", CACHED),          NAME("cache_write_tokens", WRITTEN),
    NAME("cache_creation_tokens", WRITTEN), NAME("cache_creation_input_tokens", WRITTEN),
    NAME("audio_tokens", SOUND_IN),         NAME("image_tokens", PICTURES_IN),
};
static const struct name of_completion[] = {
    NAME("reasoning_tokens", REASONING),
    NAME("audio_tokens", SOUND_OUT),
    NAME("image_tokens", PICTURES_OUT),
};

enum { BESIDE = 9, NEWER = 3, OF_PROMPT = 6, OF_COMPLETION = 3, OF_TOOLS = 1 };
_Static_assert(sizeof beside == BESIDE * sizeof beside[0], "all of them are looked at");
_Static_assert(sizeof newer == NEWER * sizeof newer[0], "all of them are looked at");
_Static_assert(sizeof of_completion == OF_COMPLETION * sizeof of_completion[0], "all of them");
_Static_assert(sizeof of_prompt == OF_PROMPT * sizeof of_prompt[0], "all of them are looked at");

/* Absent and null are no figure; false: given, and no count of tokens. */
static bool take(struct figures *figures, enum figure figure, struct json value)
{
    int64_t number;
    if (value.type == JSON_NULL)
        return true;
    if (json_integer(value, &number) || number < 0 || number > CHAT_TOKENS_MAX)
        return false;
    figures->of[figure] = max_i64(figures->of[figure], number);
    figures->given[figure] = true;
    return true;
}

static bool take_member(struct figures *figures, const struct name *names, size_t len,
                        struct json key, struct json value)
{
    for (size_t i = 0; i < len; i++)
        if (chat_key_is(key, names[i].name, names[i].len))
            return take(figures, names[i].figure, value);
    return true;
}

static bool take_details(struct figures *figures, const struct name *names, size_t len,
                         struct json details)
{
    struct json key, value;
    for (size_t at = 0; details.type == JSON_OBJECT && json_next(details, &at, &key, &value);)
        if (!take_member(figures, names, len, key, value))
            return false;
    return true;
}

static bool take_all(struct figures *figures, struct json usage)
{
    struct json key, value;
    for (size_t at = 0; json_next(usage, &at, &key, &value);) {
        bool good;
        if (CHAT_KEY_IS(key, "prompt_tokens_details"))
            good = take_details(figures, of_prompt, OF_PROMPT, value);
        else if (CHAT_KEY_IS(key, "completion_tokens_details"))
            good = take_details(figures, of_completion, OF_COMPLETION, value);
        else if (CHAT_KEY_IS(key, "server_tool_use"))
            good = take_details(figures, of_tools, OF_TOOLS, value);
        else
            good = take_member(figures, beside, BESIDE, key, value);
        if (!good)
            return false;
    }
    return true;
}

static bool take_newer(struct figures *figures, struct json usage)
{
    struct json key, value;
    for (size_t at = 0; json_next(usage, &at, &key, &value);) {
        bool good;
        if (CHAT_KEY_IS(key, "input_tokens_details") || CHAT_KEY_IS(key, "input_token_details"))
            good = take_details(figures, of_prompt, OF_PROMPT, value);
        else if (CHAT_KEY_IS(key, "output_tokens_details") ||
                 CHAT_KEY_IS(key, "output_token_details"))
            good = take_details(figures, of_completion, OF_COMPLETION, value);
        else
            good = take_member(figures, newer, NEWER, key, value);
        if (!good)
            return false;
    }
    return true;
}

/* As much of it as the rest of its whole has room for. */
static int64_t fit(int64_t part, int64_t *rest)
{
    part = min_i64(part, *rest);
    *rest -= part;
    return part;
}

static bool add_up(const struct figures *f, struct pricing_usage *ret_usage)
{
    /* Without completion_tokens the output must follow from the total. */
    if (!f->given[PROMPT] || (!f->given[COMPLETION] && !f->given[TOTAL]))
        return false;
    struct pricing_usage u = {.input = f->of[PROMPT], .output = f->of[COMPLETION]};
    if (f->of[TOTAL] > u.input + u.output)
        u.output = f->of[TOTAL] - u.input;
    else if (!f->given[TOTAL] && f->of[REASONING] > u.output)
        u.output += f->of[REASONING];
    /* Parts that do not fit into the whole: believe the whole, and the dearer part first. */
    int64_t input = u.input, output = u.output;
    u.cache_write = fit(f->of[WRITTEN], &input);
    u.cached_input = fit(f->of[CACHED], &input);
    u.audio_input = fit(f->of[SOUND_IN], &input);
    u.image_input = fit(f->of[PICTURES_IN], &input);
    u.audio_output = fit(f->of[SOUND_OUT], &output);
    u.image_output = fit(f->of[PICTURES_OUT], &output);
    u.reasoning = fit(f->of[REASONING], &output);
    u.searches = f->of[SEARCHES];
    *ret_usage = u;
    return true;
}

bool chat_usage(struct json usage, struct pricing_usage *ret_usage)
{
    struct figures f = {0};
    return usage.type == JSON_OBJECT && take_all(&f, usage) && add_up(&f, ret_usage);
}

bool chat_usage_newer(struct json usage, struct pricing_usage *ret_usage)
{
    struct figures f = {0};
    return usage.type == JSON_OBJECT && take_newer(&f, usage) && add_up(&f, ret_usage);
}

void chat_read_answer(struct slice body, struct dialect_answer *ret_answer)
{
    struct json whole, key, value;
    enum price_service service = PRICE_STANDARD;
    *ret_answer = (struct dialect_answer){0};
    if (json_scan(body, &whole, NULL) || whole.type != JSON_OBJECT)
        return;
    for (size_t at = 0; json_next(whole, &at, &key, &value);) {
        if (CHAT_KEY_IS(key, "usage"))
            ret_answer->has_usage = chat_usage(value, &ret_answer->usage);
        else if (CHAT_KEY_IS(key, "id") && value.type == JSON_STRING)
            ret_answer->id = value.raw;
        else if (CHAT_KEY_IS(key, "model") && value.type == JSON_STRING)
            ret_answer->model = value.raw;
        else if (CHAT_KEY_IS(key, "service_tier"))
            service = openai_service(value);
    }
    ret_answer->usage.service = service;
}
