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
 *   - no t, and reasoning > c: reasoning cannot be a part of c, so it is added. With t = p + c it is
 *     the reasoning that is wrong (OpenRouter): cut to c.
 *   - the same tokens written to the cache and read from it (OpenRouter's Gemini): parts exceed the
 *     whole, and are cut, the read ones first, for written ones are never cheaper.
 *   - cached tokens stand in the details, or beside them (DeepSeek prompt_cache_hit_tokens,
 *     Mistral num_cached_tokens, Moonshot cached_tokens); the largest is taken.
 *   - Groq streams usage in x_groq, Moonshot in choices[0].
 * An explicit zero is usage. Negative or absurd figures make the whole object unbelievable; the
 * call is then counted instead (call_end.c).
 * Not done: a table of providers. The rules above hold for all of them, and a table would be wrong
 * for every server that only resembles one. */
#include "gateway/chat.h"

/* Figures beyond this are a fault of the provider's: a million calls of a million tokens. */
#define TOKENS_MAX INT64_C(1000000000000)

/* A member's figure; 0 where it is absent or null. False: no count of tokens at all. */
static bool figure(struct json object, const char *name, int64_t *ret_value)
{
    struct json value = json_member(object, name);
    if (value.type == JSON_NONE || value.type == JSON_NULL) {
        *ret_value = 0;
        return true;
    }
    int64_t number;
    if (json_integer(value, &number) || number < 0 || number > TOKENS_MAX)
        return false;
    *ret_value = number;
    return true;
}

/* The largest of several names for one thing. */
static bool largest(struct json object, const char *const *names, int64_t *ret_value)
{
    int64_t best = 0;
    for (; *names; names++) {
        int64_t value;
        if (!figure(object, *names, &value))
            return false;
        best = max_i64(best, value);
    }
    *ret_value = max_i64(*ret_value, best);
    return true;
}

static bool input_parts(struct json usage, struct pricing_usage *u)
{
    static const char *const beside[] = {"cached_tokens", "prompt_cache_hit_tokens",
                                         "num_cached_tokens", NULL};
    static const char *const cached[] = {"cached_tokens", NULL};
    static const char *const written[] = {"cache_write_tokens", "cache_creation_tokens",
                                          "cache_creation_input_tokens", NULL};
    struct json details = json_member(usage, "prompt_tokens_details");
    if (!largest(usage, beside, &u->cached_input) || !largest(details, cached, &u->cached_input) ||
        !largest(details, written, &u->cache_write))
        return false;
    /* Parts that do not fit into the whole: believe the whole, and the dearer part first. */
    u->cache_write = min_i64(u->cache_write, u->input);
    u->cached_input = min_i64(u->cached_input, u->input - u->cache_write);
    return true;
}

static bool output_parts(struct json usage, struct pricing_usage *u)
{
    static const char *const reasoning[] = {"reasoning_tokens", NULL};
    int64_t total;
    struct json details = json_member(usage, "completion_tokens_details");
    if (!largest(usage, reasoning, &u->reasoning) || !largest(details, reasoning, &u->reasoning) ||
        !figure(usage, "total_tokens", &total))
        return false;
    if (total > u->input + u->output)
        u->output = total - u->input;
    else if (!total && u->reasoning > u->output)
        u->output += u->reasoning;
    u->reasoning = min_i64(u->reasoning, u->output);
    return true;
}

bool chat_usage(struct json usage, struct pricing_usage *ret_usage)
{
    if (usage.type != JSON_OBJECT || json_member(usage, "prompt_tokens").type != JSON_NUMBER)
        return false;
    /* Without completion_tokens the output must follow from the total. */
    if (json_member(usage, "completion_tokens").type != JSON_NUMBER &&
        json_member(usage, "total_tokens").type != JSON_NUMBER)
        return false;
    struct pricing_usage u = {0};
    if (!figure(usage, "prompt_tokens", &u.input) ||
        !figure(usage, "completion_tokens", &u.output) || !input_parts(usage, &u) ||
        !output_parts(usage, &u))
        return false;
    *ret_usage = u;
    return true;
}

bool chat_read_usage(struct slice body, struct pricing_usage *ret_usage)
{
    struct json whole;
    if (json_scan(body, &whole, NULL))
        return false;
    return chat_usage(json_member(whole, "usage"), ret_usage);
}
