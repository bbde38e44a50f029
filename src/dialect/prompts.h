/* SPDX-License-Identifier: Apache-2.0
 * What a request's input comes to, by its format: struct dialect's count_input. A body of another
 * shape is METE_E_INVALID, and what was told of it until then means nothing. */
#ifndef DIALECT_PROMPTS_H
#define DIALECT_PROMPTS_H

#include "base/slice.h"

struct prompt;

int chat_count_input(struct slice body, struct prompt *prompt);
int completions_count_input(struct slice body, struct prompt *prompt);
int embeddings_count_input(struct slice body, struct prompt *prompt);
int responses_count_input(struct slice body, struct prompt *prompt);
int messages_count_input(struct slice body, struct prompt *prompt);
int gemini_count_input(struct slice body, struct prompt *prompt);
int converse_count_input(struct slice body, struct prompt *prompt);

#endif
