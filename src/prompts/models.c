/* SPDX-License-Identifier: Apache-2.0
 * The table is tiktoken 0.14's (tiktoken/model.py), its exact names and its prefixes in one: a row
 * stands for its name, and for that name with something behind it that is no letter and no digit
 * (a date, a size, a version). The first row that fits counts. */
#include "prompts/models.h"

#include "prompts/rules.h"

static const struct {
    const char *name, *encoding;
} rows[] = {
    {"gpt-5", "o200k_base"},
    {"gpt-4.1", "o200k_base"},
    {"gpt-4.5", "o200k_base"},
    {"gpt-4o", "o200k_base"},
    {"chatgpt-4o", "o200k_base"},
    {"o1", "o200k_base"},
    {"o3", "o200k_base"},
    {"o4-mini", "o200k_base"},
    {"gpt-oss", "o200k_harmony"},
    {"gpt-4", "cl100k_base"},
    {"gpt-3.5", "cl100k_base"},
    {"gpt-35-turbo", "cl100k_base"},
    {"davinci-002", "cl100k_base"},
    {"babbage-002", "cl100k_base"},
    {"text-embedding-ada-002", "cl100k_base"},
    {"text-embedding-3-small", "cl100k_base"},
    {"text-embedding-3-large", "cl100k_base"},
    {"text-davinci-edit", "p50k_edit"},
    {"code-davinci-edit", "p50k_edit"},
    {"text-davinci-003", "p50k_base"},
    {"text-davinci-002", "p50k_base"},
    {"code-davinci", "p50k_base"},
    {"code-cushman", "p50k_base"},
    {"davinci-codex", "p50k_base"},
    {"cushman-codex", "p50k_base"},
    {"text-davinci-001", "r50k_base"},
    {"text-curie-001", "r50k_base"},
    {"text-babbage-001", "r50k_base"},
    {"text-ada-001", "r50k_base"},
    {"text-similarity", "r50k_base"},
    {"text-search", "r50k_base"},
    {"code-search", "r50k_base"},
    {"davinci:2023-07-21", "cl100k_base"}, /* as davinci-002 and babbage-002 call themselves */
    {"babbage:2023-07-21", "cl100k_base"},
    {"davinci", "r50k_base"},
    {"curie", "r50k_base"},
    {"babbage", "r50k_base"},
    {"ada", "r50k_base"},
    {"gpt2", "r50k_base"},
    {"gpt-2", "r50k_base"},
};

static bool fits(struct slice model, struct slice name)
{
    if (!slice_starts(model, name))
        return false;
    if (model.len == name.len)
        return true;
    char c = model.data[name.len];
    bool alphanumeric = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    return !alphanumeric;
}

const struct encoding *model_encoding(struct slice model)
{
    struct slice tuned =
        SLICE_LITERAL("ft:"); /* a model that was trained further counts as it did */
    if (slice_starts(model, tuned))
        model = slice_from(model, tuned.len);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (fits(model, slice_of(rows[i].name)))
            return encoding_find(slice_of(rows[i].encoding));
    }
    return NULL;
}

const struct encoding *model_encoding_own(struct slice model)
{
    const struct encoding *encoding = encoding_added(model);
    for (size_t i = model.len; i > 0 && !encoding; i--) {
        if (model.data[i - 1] == '/') {
            encoding = encoding_added(slice_from(model, i));
            break;
        }
    }
    if (encoding)
        return encoding;
    return prompt_rule_find(model, &encoding)->own ? encoding : NULL;
}
