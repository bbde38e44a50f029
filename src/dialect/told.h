/* SPDX-License-Identifier: Apache-2.0
 * What the readers of input (X_prompt.c) have in common. Each tells a prompt (prompts/prompt.h)
 * what stands in a body of its format. What it does not know it tells as prompt_unknown(), so that
 * a field of tomorrow makes a bound wide, never low. */
#ifndef DIALECT_TOLD_H
#define DIALECT_TOLD_H

#include "codec/json_scan.h"
#include "prompts/prompt.h"

/* Whether key is one of names, which ends with NULL. */
bool told_is(struct json key, const char *const *names);
/* Neither absent nor null or false, and no empty string or list. */
bool told_given(struct json value);
/* A body that json_scan() has taken, as an object. METE_E_INVALID: it is none. */
__attribute__((warn_unused_result)) int told_body(struct slice body, struct json *ret_whole);

/* A tool with its name, description and schema in an object of its own ("function": ...), or in
 * the tool itself. */
void told_function(struct prompt *prompt, struct json tool, struct json function,
                   const char *schema);
/* A string; a list of strings and of {"type": "text", "text": ...}; or something unknown. */
void told_texts(struct prompt *prompt, struct json content);
/* OpenAI's parts of a message, of chat and of responses; false: it is none of them. */
bool told_part(struct prompt *prompt, struct json part);
/* What a request says of calling tools: a word, or an object with a type. */
void told_choice(struct prompt *prompt, struct json choice);
enum prompt_role told_role(struct json role);

#endif
