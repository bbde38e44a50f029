/* SPDX-License-Identifier: Apache-2.0
 *   {"id":...,"custom_id":...,"response":{"status_code":200,"body":{...}},"error":null}
 *
 * SERVICE  an answer that says of no other service is of the batch tier, where the list has one. */
#include "gateway/batches/settling.h"

#include "base/checked.h"

#include <stdlib.h>

struct settling *settling_new(const struct dialect *format, const struct price_model *price,
                              int64_t line_cost, int64_t line_tokens)
{
    struct settling *settling = calloc(1, sizeof *settling);
    if (!settling)
        return NULL;
    settling->format = format;
    settling->price = price;
    settling->line_cost = line_cost;
    settling->line_tokens = line_tokens;
    buffer_init(&settling->line, LIMIT_BATCH_LINE);
    return settling;
}

void settling_free(struct settling *settling)
{
    if (!settling)
        return;
    buffer_done(&settling->line);
    free(settling);
}

/* ---- Sums ------------------------------------------------------------------------------------ */

static void add(int64_t *sum, int64_t more)
{
    *sum = *sum > METE_AMOUNT_MAX - more ? METE_AMOUNT_MAX : *sum + more;
}

static void add_used(struct pricing_usage *sum, const struct pricing_usage *one)
{
    const struct {
        int64_t *sum;
        int64_t more;
    } meters[] = {
        {&sum->input, one->input},
        {&sum->cached_input, one->cached_input},
        {&sum->cache_write, one->cache_write},
        {&sum->cache_write_1h, one->cache_write_1h},
        {&sum->audio_input, one->audio_input},
        {&sum->image_input, one->image_input},
        {&sum->output, one->output},
        {&sum->reasoning, one->reasoning},
        {&sum->audio_output, one->audio_output},
        {&sum->image_output, one->image_output},
        {&sum->searches, one->searches},
    };
    for (size_t i = 0; i < sizeof meters / sizeof meters[0]; i++)
        add(meters[i].sum, meters[i].more);
}

static void add_part(struct settling *settling, const struct mete_part *part)
{
    size_t i = 0;
    while (i < settling->parts_len && settling->parts[i].meter != part->meter)
        i++;
    if (i == METE_PARTS_MAX)
        return; /* there are fewer meters than that */
    if (i == settling->parts_len)
        settling->parts[settling->parts_len++] = (struct mete_part){part->meter, 0};
    add(&settling->parts[i].nano, part->nano);
}

/* ---- One answer ------------------------------------------------------------------------------ */

static void add_list(struct settling *settling, int64_t list)
{
    if (list < 0)
        settling->list = -1;
    else if (settling->list >= 0)
        add(&settling->list, list);
}

static void bill_untold(struct settling *settling)
{
    settling->untold++;
    add(&settling->cost, settling->line_cost);
    add_list(settling, pricing_list_of(settling->price, settling->line_cost));
    add(&settling->tokens, settling->line_tokens);
}

/* False: usage that cannot be priced is none that can be believed. */
static bool bill(struct settling *settling, struct pricing_usage *used)
{
    struct mete_part parts[METE_PARTS_MAX];
    size_t parts_len = 0;
    int64_t cost, list;
    if (used->service == PRICE_STANDARD)
        used->service = PRICE_BATCH;
    if (!pricing_prices(settling->price, PRICE_SEARCH))
        used->searches = 0;
    if (pricing_charge(settling->price, used, &cost) ||
        pricing_list_charge(settling->price, used, &list) ||
        pricing_parts(settling->price, used, parts, &parts_len))
        return false;
    add(&settling->cost, cost);
    add_list(settling, list);
    add_used(&settling->used, used);
    for (size_t i = 0; i < parts_len; i++)
        add_part(settling, &parts[i]);
    return true;
}

/* Of a model that costs nothing whatever it makes, no answer need tell what it used. */
static bool is_free(const struct settling *settling)
{
    return !settling->line_cost && !settling->price->is_ceiling;
}

static void read_line(struct settling *settling, struct slice text)
{
    struct json whole;
    struct dialect_answer answer = {0};
    int64_t status;
    if (json_scan(text, &whole, NULL))
        return; /* blank, or of another kind of file */
    struct json response = json_member(whole, "response");
    if (json_integer(json_member(response, "status_code"), &status) || status < 200 || status > 299)
        return;
    struct json body = json_member(response, "body");
    settling->answers++;
    if (body.type == JSON_OBJECT)
        settling->format->read_answer(body.raw, &answer);
    if (!(answer.has_usage && bill(settling, &answer.usage)) && !is_free(settling))
        bill_untold(settling);
}

/* ---- Lines ----------------------------------------------------------------------------------- */

void settling_feed(struct settling *settling, struct slice bytes)
{
    while (bytes.len && !settling->failed) {
        const char *end = memchr(bytes.data, '\n', bytes.len);
        size_t len = end ? (size_t)(end - bytes.data) : bytes.len;
        struct slice part = slice_part(bytes, 0, len);
        bytes = slice_from(bytes, end ? len + 1 : len);
        if (end && !settling->line.len) {
            read_line(settling, part);
            continue;
        }
        settling->failed = buffer_append(&settling->line, part) != 0;
        if (!end || settling->failed)
            continue;
        read_line(settling, buffer_slice(&settling->line));
        buffer_clear(&settling->line);
    }
}

bool settling_end(struct settling *settling)
{
    if (settling->line.len && !settling->failed)
        read_line(settling, buffer_slice(&settling->line));
    buffer_clear(&settling->line);
    return !settling->failed;
}

size_t settling_usage(const struct settling *settling, struct mete_usage ret_list[USAGE_METERS])
{
    const struct pricing_usage *used = &settling->used;
    int64_t total = used->input;
    add(&total, used->output);
    add(&total, settling->tokens);
    const struct price_model *price = settling->price;
    const struct usage_cost cost = {price->currency, settling->cost,
                                    price->markup_bp ? settling->list : -1};
    size_t len = usage_write(used, &cost, total, ret_list), kept = 0;
    for (size_t i = 0; i < len; i++) {
        if (ret_list[i].meter == METE_REQUESTS)
            ret_list[i].amount = settling->answers;
        if (ret_list[i].amount || ret_list[i].meter == METE_COST)
            ret_list[kept++] = ret_list[i];
    }
    return kept;
}
