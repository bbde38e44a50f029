/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/tokenizers.h"

struct tokenizer *tokenizers_of(struct tokenizers *tokenizers, const struct encoding *encoding)
{
    struct tokenizer *fresh;
    if (!encoding)
        return NULL;
    for (size_t i = 0; i < tokenizers->len; i++)
        if (tokenizer_encoding(tokenizers->all[i]) == encoding)
            return tokenizers->all[i];
    if (tokenizers->len == TOKENIZERS_MAX || tokenizer_open(encoding, &fresh))
        return NULL;
    tokenizers->all[tokenizers->len++] = fresh;
    return fresh;
}

void tokenizers_close(struct tokenizers *tokenizers)
{
    for (size_t i = 0; i < tokenizers->len; i++)
        tokenizer_close(tokenizers->all[i]);
    *tokenizers = (struct tokenizers){0};
}

static struct model_way find_way(struct slice model)
{
    struct model_way way = {.own = model_encoding_own(model)};
    way.rule = prompt_rule_find(model, &way.encoding);
    return way;
}

struct model_way model_way_of(struct model_ways *ways, struct slice model)
{
    for (size_t i = 0; i < MODEL_WAYS_MAX; i++)
        if (ways->all[i].way.rule &&
            slice_equal((struct slice){ways->all[i].name, ways->all[i].len}, model))
            return ways->all[i].way;
    struct model_way way = find_way(model);
    if (model.len > 0 && model.len <= LIMIT_ID) {
        struct model_way_kept *kept = &ways->all[ways->turn++ % MODEL_WAYS_MAX];
        kept->way = way;
        kept->len = model.len;
        memcpy(kept->name, model.data, model.len);
    }
    return way;
}
