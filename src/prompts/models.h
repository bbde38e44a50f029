/* SPDX-License-Identifier: Apache-2.0
 * Model -> encoding, by the names of models. */
#ifndef PROMPTS_MODELS_H
#define PROMPTS_MODELS_H

#include "tokens/encoding.h"

/* The model's own encoding. NULL: its tokenizer is not public, or nobody here knows the model. */
const struct encoding *model_encoding(struct slice model);

/* What a text of the model's is counted with exactly: the encoding that was added for it
 * (encoding_add()), with or without what stands before a slash, else its family's own (rules.h).
 * NULL: it is not public, or nobody here knows it. */
const struct encoding *model_encoding_own(struct slice model);

#endif
