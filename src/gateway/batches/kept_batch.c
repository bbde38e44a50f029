/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/batches/kept_batch.h"

#include "gateway/batches/kept.h"

#include <inttypes.h>
#include <stdio.h>

/* In front of what follows from the provider's own words, where nobody else can put it. */
struct slice kept_batch_mark(uint64_t reservation, char room[KEPT_BATCH_MARK])
{
    int len = snprintf(room, KEPT_BATCH_MARK, "{\"reservation\":%" PRIu64 ",", reservation);
    return (struct slice){room, (size_t)len};
}

int kept_batch_write(const struct kept_batch *batch, struct buffer *out)
{
    char room[KEPT_BATCH_MARK];
    const struct {
        const char *name;
        struct slice text;
    } texts[] = {{"provider", batch->provider}, {"file", batch->file},
                 {"endpoint", batch->endpoint}, {"model", batch->model},
                 {"output", batch->output},     {"real", batch->real}};
    const struct {
        const char *name;
        int64_t number;
    } numbers[] = {{"at_us", batch->at_us},         {"currency", batch->currency},
                   {"cost", batch->cost},           {"tokens", batch->tokens},
                   {"line_cost", batch->line_cost}, {"line_tokens", batch->line_tokens},
                   {"completed", batch->completed}, {"over", batch->over},
                   {"settled", batch->settled}};
    int rc = buffer_append(out, kept_batch_mark(batch->reservation, room));
    if (!rc)
        rc = buffer_text(out, "\"id\":");
    if (!rc)
        rc = json_quote(out, batch->id);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && !rc; i++)
        if (texts[i].text.len)
            rc = kept_put_text(out, texts[i].name, texts[i].text);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && !rc; i++)
        rc = kept_put_number(out, numbers[i].name, numbers[i].number);
    return rc ? rc : kept_put_object(out, batch->object);
}

bool kept_batch_read(struct slice document, struct kept_batch *ret_batch)
{
    struct json whole = kept_scan(document);
    *ret_batch = (struct kept_batch){
        .id = kept_text(whole, "id"),
        .provider = kept_text(whole, "provider"),
        .file = kept_text(whole, "file"),
        .endpoint = kept_text(whole, "endpoint"),
        .model = kept_text(whole, "model"),
        .real = kept_text(whole, "real"),
        .output = kept_text(whole, "output"),
        .reservation = (uint64_t)kept_number(whole, "reservation"),
        .at_us = kept_number(whole, "at_us"),
        .currency = (uint32_t)kept_number(whole, "currency"),
        .cost = kept_number(whole, "cost"),
        .tokens = kept_number(whole, "tokens"),
        .line_cost = kept_number(whole, "line_cost"),
        .line_tokens = kept_number(whole, "line_tokens"),
        .completed = kept_number(whole, "completed"),
        .over = kept_number(whole, "over") != 0,
        .settled = kept_number(whole, "settled") != 0,
        .object = kept_object_of(whole),
    };
    return ret_batch->id.len && ret_batch->provider.len && ret_batch->reservation;
}

static bool is_over(struct json status)
{
    static const char *const ends[] = {"completed", "failed", "expired", "cancelled"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (json_string_is(status, ends[i]))
            return true;
    return false;
}

bool kept_batch_told(struct kept_batch *batch, struct slice object)
{
    struct json whole = kept_scan(object);
    if (json_member(whole, "id").type != JSON_STRING)
        return false;
    struct slice output = kept_text(whole, "output_file_id");
    struct json status = json_member(whole, "status");
    struct json completed = json_member(json_member(whole, "request_counts"), "completed");
    batch->over = is_over(status);
    if (json_integer(completed, &batch->completed) || batch->completed < 0)
        batch->completed = json_string_is(status, "failed") ? 0 : -1; /* failed: none was made */
    if (batch->over && kept_is_plain(output))
        batch->output = output;
    return true;
}
