/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/batches/kept_file.h"

#include "gateway/batches/kept.h"

int kept_file_write(const struct kept_file *file, struct buffer *out)
{
    const struct {
        const char *name;
        struct slice text;
    } texts[] = {{"provider", file->provider},     {"batch", file->batch},
                 {"endpoint", file->endpoint},     {"model", file->model},
                 {"price_list", file->price_list}, {"real", file->real}};
    const struct {
        const char *name;
        int64_t number;
    } numbers[] = {{"currency", file->currency},   {"lines", file->lines},
                   {"cost", file->cost},           {"tokens", file->tokens},
                   {"line_cost", file->line_cost}, {"line_tokens", file->line_tokens}};
    int rc = buffer_text(out, "{\"id\":");
    if (!rc)
        rc = json_quote(out, file->id);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && !rc; i++)
        if (texts[i].text.len)
            rc = kept_put_text(out, texts[i].name, texts[i].text);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && !rc; i++)
        if (!file->batch.len)
            rc = kept_put_number(out, numbers[i].name, numbers[i].number);
    return rc ? rc : kept_put_object(out, file->object);
}

bool kept_file_read(struct slice document, struct kept_file *ret_file)
{
    struct json whole = kept_scan(document);
    *ret_file = (struct kept_file){
        .id = kept_text(whole, "id"),
        .provider = kept_text(whole, "provider"),
        .batch = kept_text(whole, "batch"),
        .endpoint = kept_text(whole, "endpoint"),
        .model = kept_text(whole, "model"),
        .price_list = kept_text(whole, "price_list"),
        .real = kept_text(whole, "real"),
        .currency = (uint32_t)kept_number(whole, "currency"),
        .lines = kept_number(whole, "lines"),
        .cost = kept_number(whole, "cost"),
        .tokens = kept_number(whole, "tokens"),
        .line_cost = kept_number(whole, "line_cost"),
        .line_tokens = kept_number(whole, "line_tokens"),
        .object = kept_object_of(whole),
    };
    return ret_file->id.len && ret_file->provider.len;
}
