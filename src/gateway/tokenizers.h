/* SPDX-License-Identifier: Apache-2.0
 * One thread's tokenizers: one of each encoding that the gateway's calls have needed on it. */
#ifndef GATEWAY_TOKENIZERS_H
#define GATEWAY_TOKENIZERS_H

#include "base/limits.h"
#include "prompts/models.h"
#include "prompts/rules.h"
#include "tokens/tokenizer.h"

enum { TOKENIZERS_MAX = 16 };

/* Zeroed: none yet. */
struct tokenizers {
    struct tokenizer *all[TOKENIZERS_MAX];
    size_t len;
};

/* Opened where it is needed for the first time. NULL: encoding is NULL, or no memory. */
struct tokenizer *tokenizers_of(struct tokenizers *tokenizers, const struct encoding *encoding);
void tokenizers_close(struct tokenizers *tokenizers);

/* How a model's calls are counted. */
struct model_way {
    const struct prompt_rule *rule;  /* their input, prompt_rule_find() */
    const struct encoding *encoding; /* of that */
    const struct encoding *own;      /* their output, model_encoding_own(); NULL: none */
};

/* The last models, which are looked for in long lists. Zeroed: none yet. */
enum { MODEL_WAYS_MAX = 8 };
struct model_ways {
    struct model_way_kept {
        struct model_way way;
        size_t len;
        char name[LIMIT_ID];
    } all[MODEL_WAYS_MAX];
    unsigned turn;
};

struct model_way model_way_of(struct model_ways *ways, struct slice model);

#endif
