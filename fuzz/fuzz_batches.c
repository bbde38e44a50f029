/* SPDX-License-Identifier: Apache-2.0
 * Bytes of a file of calls, and of the answers that a batch came to. The first byte says as what:
 *   'l' a file of calls: one that is taken is bounded, and what is sent in its place is taken too,
 *       and needs no more changes
 *   other: answers: the second byte says where they are cut, which changes nothing */
#include "base/assert.h"
#include "gateway/batches/lines.h"
#include "gateway/batches/settling.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct price_model *model_price(const char *model)
{
    static struct pricing *pricing;
    if (!pricing)
        ASSERT(!pricing_new(&pricing));
    return pricing_find(pricing, slice_of(model));
}

/* False: it is not taken. */
static bool price(struct lines *lines, const struct gateway *gateway, struct slice file)
{
    bool good = lines_begin(lines, gateway, file);
    ASSERT(good == !lines->error.status);
    if (!good) {
        ASSERT(lines->error.status == 400 && lines->error.message);
        return false;
    }
    lines->price = model_price("gpt-4o-mini");
    lines->model_there = SLICE_LITERAL("another-name");
    lines_price(lines, NULL);
    if (lines->error.status)
        return false;
    ASSERT(lines->len >= 1 && lines->cost >= lines->line_cost && lines->line_cost >= 0);
    ASSERT(lines->tokens >= lines->line_tokens);
    return true;
}

static void calls(struct slice file)
{
    static const struct gateway_config config = {.default_output_tokens = 100};
    struct gateway *gateway = calloc(1, sizeof *gateway);
    struct lines lines, again;
    ASSERT(gateway);
    gateway->config = &config;
    if (price(&lines, gateway, file)) {
        bool taken = price(&again, gateway, buffer_slice(&lines.changed));
        ASSERT(lines.changed.len && taken && again.len == lines.len && !again.changed.len);
        ASSERT(slice_is((struct slice){again.model, again.model_len}, "another-name"));
        lines_done(&again);
    }
    lines_done(&lines);
    free(gateway);
}

static struct settling *settled(struct slice bytes, size_t cut)
{
    const struct dialect *format = lines_format(SLICE_LITERAL("/v1/chat/completions"));
    struct settling *settling = settling_new(format, model_price("gpt-4o-mini"), 10, 20);
    ASSERT(settling);
    settling_feed(settling, slice_part(bytes, 0, cut));
    settling_feed(settling, slice_from(bytes, cut));
    ASSERT(settling_end(settling));
    return settling;
}

static void answers(struct slice bytes, size_t cut)
{
    struct mete_usage usage[USAGE_METERS];
    struct settling *whole = settled(bytes, 0), *parts = settled(bytes, cut);
    int64_t sum = 0;
    for (size_t i = 0; i < whole->parts_len; i++)
        sum += whole->parts[i].nano;
    ASSERT(whole->cost == parts->cost && whole->answers == parts->answers);
    ASSERT(whole->untold <= whole->answers && whole->cost == sum + 10 * whole->untold);
    ASSERT(settling_usage(whole, usage) <= METE_DEMANDS_MAX);
    settling_free(whole);
    settling_free(parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct slice rest = {(const char *)data + 2, size - 2};
    if (data[0] == 'l')
        calls(rest);
    else
        answers(rest, rest.len ? data[1] * rest.len / 256 : 0);
    return 0;
}
