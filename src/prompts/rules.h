/* SPDX-License-Identifier: Apache-2.0
 * Model -> how its input is counted: the encoding, what is added to the texts for messages, tools
 * and the rest, and how images are counted. One row a family, in tables/prompt_families.h.
 *
 * A family whose encoding comes with mete (own) is counted as its provider does it. Of another, a
 * public encoding's count is scaled: once to what is expected, once to a bound that none of the
 * recorded calls came over (docs/tokens.md).
 *
 * THREADS  read-only. COST  a look-up compares the name with each row once. */
#ifndef PROMPTS_RULES_H
#define PROMPTS_RULES_H

#include "tokens/encoding.h"
#include "prompts/image.h"

/* Tokens that each thing adds, and how texts are scaled: a row of tables/prompt_figures.h, which
 * says what each is. */
struct rule_figures {
    int32_t text, wide, digits;
    int32_t base, message, name, assistant, base_api;
    int32_t tools, alone, api, tool, empty, described, schema, reference, forced, only;
    int32_t call, call_api, calls, result;
    int32_t format, beside, shape, json;
    int32_t thinking, thought, sealed, sound;
};

struct prompt_rule {
    const char *family;
    const char *names;    /* what its models' begin with, a space between two */
    const char *encoding; /* of encoding.h; "": as model_encoding() has it for the model */
    bool own;             /* the encoding is the models' own */
    bool typescript;      /* tools are shown as OpenAI does it; else counted as the JSON they are */
    bool legacy;          /* ... before gpt-5: several calls of a message go through a wrapper */
    bool deaf;            /* system messages are not billed */
    bool hides;           /* a text beside a call is not shown again */
    bool loose;           /* tools are counted without "additionalProperties": false */
    bool keeps;           /* sealed thoughts of turns that are over are billed too */
    bool bounded;         /* false: no more is known than that a token has a byte */
    bool beyond;          /* what the provider looks up by itself is billed too */
    int32_t sealed_head;  /* bytes of each sealed thought that are no thought */
    const struct image_rule *image, *image_too; /* the second, where bills were seen by either */
    const struct rule_figures *expected, *bound;
};

/* By any of the names that providers give a model ("openai/gpt-4o", "ft:gpt-4o-mini:us::x",
 * "us.anthropic.claude-opus-4-8"). Never NULL. *ret_encoding: what its texts are counted with. */
const struct prompt_rule *prompt_rule_find(struct slice model,
                                           const struct encoding **ret_encoding);
const struct prompt_rule *prompt_rule_at(size_t i); /* NULL: past the last */

#endif
