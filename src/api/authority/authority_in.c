/* SPDX-License-Identifier: Apache-2.0
 * One authority call, read: a table for each verb, then what its members mean together. The result
 * is one amount for each meter: demands of a reservation, usage of a charge.
 *
 * WHAT IT COSTS  the amount, if the caller says one; else model and usage at the list's prices: the
 *   worst case for a reservation, the exact price for a charge. A named model that has no price is
 * an error (INV-11); usage without a model sets no money aside. */
#include "api/authority/authority.h"

#include "api/units.h"
#include "base/assert.h"
#include "base/limits.h"
#include "codec/base62.h"

#include <xxhash.h>

struct call_in {
    struct slice request_id, model, provider, session, reserve_id, amount, currency;
    struct slice advertiser_id, campaign_id, upstream_id;
    struct json scope, usage, metadata, tags;
    int64_t ttl_seconds, expire_time_us, timestamp_us, status, latency_ms;
    int64_t confidence_ppm; /* -1: not said */
    bool shrink;
};

#define AT(member) offsetof(struct call_in, member)
#define REQUEST_ID(need)                                                                           \
    {                                                                                              \
        .name = "request_id", .type = FIELD_ID, .flags = (need), .offset = AT(request_id)          \
    }
#define RESERVE_ID                                                                                 \
    {                                                                                              \
        .name = "reserve_id", .type = FIELD_ID, .flags = FIELD_REQUIRED, .offset = AT(reserve_id)  \
    }
#define AMOUNT                                                                                     \
    {                                                                                              \
        .name = "amount", .type = FIELD_AMOUNT, .offset = AT(amount)                               \
    }
#define CURRENCY                                                                                   \
    {                                                                                              \
        .name = "currency", .type = FIELD_TOKEN, .offset = AT(currency), .min = 3, .max = 3        \
    }
#define USAGE                                                                                      \
    {                                                                                              \
        .name = "usage", .type = FIELD_OBJECT, .offset = AT(usage)                                 \
    }
#define MODEL                                                                                      \
    {                                                                                              \
        .name = "model", .type = FIELD_TOKEN, .offset = AT(model), .min = 1, .max = 128            \
    }
#define PROVIDER                                                                                   \
    {                                                                                              \
        .name = "provider", .type = FIELD_TOKEN, .offset = AT(provider), .min = 1,                 \
        .max = LIMIT_PROVIDER                                                                      \
    }
#define SESSION                                                                                    \
    {                                                                                              \
        .name = "session", .type = FIELD_TOKEN, .offset = AT(session), .min = 1,                   \
        .max = LIMIT_SESSION                                                                       \
    }
#define TAGS                                                                                       \
    {                                                                                              \
        .name = "tags", .type = FIELD_TEXTS, .offset = AT(tags), .max = METE_TAGS_MAX,             \
        .item_max = LIMIT_SESSION                                                                  \
    }
#define METADATA                                                                                   \
    {                                                                                              \
        .name = "metadata", .type = FIELD_OBJECT, .offset = AT(metadata)                           \
    }
/* What a charge may say of the call, for its record. */
#define CALL                                                                                       \
    {.name = "status", .type = FIELD_COUNT, .offset = AT(status), .min = 100, .max = 599},         \
        {.name = "latency_ms", .type = FIELD_COUNT, .offset = AT(latency_ms), .max = UINT32_MAX},  \
        {.name = "confidence", .type = FIELD_SHARE, .offset = AT(confidence_ppm)},                 \
        {.name = "upstream_id",                                                                    \
         .type = FIELD_TOKEN,                                                                      \
         .offset = AT(upstream_id),                                                                \
         .min = 1,                                                                                 \
         .max = LIMIT_ID},                                                                         \
    {                                                                                              \
        .name = "metadata", .type = FIELD_OBJECT, .offset = AT(metadata)                           \
    }
#define TIMESTAMP                                                                                  \
    {                                                                                              \
        .name = "timestamp", .type = FIELD_INSTANT, .offset = AT(timestamp_us)                     \
    }
#define WHOSE                                                                                      \
    {.name = "scope", .type = FIELD_OBJECT, .offset = AT(scope)},                                  \
        {.name = "advertiser_id",                                                                  \
         .type = FIELD_ID,                                                                         \
         .flags = FIELD_LATER,                                                                     \
         .offset = AT(advertiser_id)},                                                             \
    {                                                                                              \
        .name = "campaign_id", .type = FIELD_ID, .flags = FIELD_LATER, .offset = AT(campaign_id)   \
    }

#define TTL                                                                                        \
    {.name = "ttl_seconds",                                                                        \
     .type = FIELD_COUNT,                                                                          \
     .offset = AT(ttl_seconds),                                                                    \
     .min = 1,                                                                                     \
     .max = LIMIT_TTL_MS / 1000},                                                                  \
    {                                                                                              \
        .name = "expire_time", .type = FIELD_INSTANT, .offset = AT(expire_time_us)                 \
    }

static const struct field check_table[] = {REQUEST_ID(0), WHOSE,    AMOUNT,  CURRENCY, USAGE,
                                           MODEL,         PROVIDER, SESSION, TAGS,     TIMESTAMP};
static const struct field reserve_table[] = {
    REQUEST_ID(FIELD_REQUIRED),
    WHOSE,
    AMOUNT,
    CURRENCY,
    USAGE,
    MODEL,
    PROVIDER,
    SESSION,
    TAGS,
    TTL,
    TIMESTAMP,
};
static const struct field extend_table[] = {
    RESERVE_ID, AMOUNT,    CURRENCY,
    USAGE,      MODEL,     {.name = "shrink", .type = FIELD_BOOL, .offset = AT(shrink)},
    TTL,        TIMESTAMP,
};
static const struct field deduct_table[] = {RESERVE_ID, AMOUNT, CURRENCY, USAGE,
                                            MODEL,      CALL,   TIMESTAMP};
static const struct field settle_table[] = {AMOUNT, USAGE, MODEL, METADATA};
static const struct field release_table[] = {RESERVE_ID, TIMESTAMP};
static const struct field record_table[] = {
    REQUEST_ID(FIELD_REQUIRED),
    WHOSE,
    AMOUNT,
    CURRENCY,
    USAGE,
    MODEL,
    PROVIDER,
    SESSION,
    TAGS,
    CALL,
    TIMESTAMP,
};
#undef AT

#define LEN(table) (sizeof(table) / sizeof(table)[0])
static const struct {
    const struct field *table;
    size_t len;
} tables[] = {
    [VERB_CHECK] = {check_table, LEN(check_table)},
    [VERB_RESERVE] = {reserve_table, LEN(reserve_table)},
    [VERB_DEDUCT] = {deduct_table, LEN(deduct_table)},
    [VERB_RELEASE] = {release_table, LEN(release_table)},
    [VERB_RECORD] = {record_table, LEN(record_table)},
    [VERB_SETTLE] = {settle_table, LEN(settle_table)},
    [VERB_EXTEND] = {extend_table, LEN(extend_table)},
};

struct usage_in {
    int64_t meters[HOLDS_METERS]; /* -1: not said */
};

#define METER(text, meter)                                                                         \
    {                                                                                              \
        .name = (text), .type = FIELD_COUNT,                                                       \
        .offset = offsetof(struct usage_in, meters) + (meter) * sizeof(int64_t),                   \
        .max = METE_AMOUNT_MAX                                                                     \
    }
static const struct field usage_table[] = {
    METER("input_tokens", METE_INPUT),
    METER("cached_input_tokens", METE_CACHED_INPUT),
    METER("cache_write_tokens", METE_CACHE_WRITE),
    METER("output_tokens", METE_OUTPUT),
    METER("reasoning_tokens", METE_REASONING),
    METER("total_tokens", METE_TOTAL_TOKENS),
    METER("requests", METE_REQUESTS),
    METER("images", METE_IMAGES),
    METER("audio_seconds", METE_AUDIO_SECONDS),
    METER("cache_write_1h_tokens", METE_CACHE_WRITE_1H),
    METER("audio_input_tokens", METE_AUDIO_INPUT),
    METER("image_input_tokens", METE_IMAGE_INPUT),
    METER("audio_output_tokens", METE_AUDIO_OUTPUT),
    METER("image_output_tokens", METE_IMAGE_OUTPUT),
    METER("searches", METE_SEARCHES),
    METER("characters", METE_CHARACTERS),
    METER("video_seconds", METE_VIDEO_SECONDS),
};

#define BIT(meter) (UINT32_C(1) << (meter))

const char *authority_meter_member(uint16_t meter)
{
    ASSERT(meter < HOLDS_METERS);
    for (size_t i = 0; i < LEN(usage_table); i++)
        if (usage_table[i].offset == meter * sizeof(int64_t))
            return usage_table[i].name;
    return NULL;
}

static void put(struct item *item, uint16_t meter, int64_t amount)
{
    ASSERT(amount >= 0 && amount <= METE_AMOUNT_MAX);
    item->amounts[meter] = amount;
    item->mask |= BIT(meter);
}

static int64_t said_or_zero(const struct usage_in *in, uint16_t meter)
{
    return in->meters[meter] < 0 ? 0 : in->meters[meter];
}

/* Each is a part of its whole, and lies apart from the other parts of it. */
static const struct {
    uint16_t part, whole;
} part_of[] = {
    {METE_CACHED_INPUT, METE_INPUT},  {METE_CACHE_WRITE, METE_INPUT},
    {METE_AUDIO_INPUT, METE_INPUT},   {METE_IMAGE_INPUT, METE_INPUT},
    {METE_REASONING, METE_OUTPUT},    {METE_AUDIO_OUTPUT, METE_OUTPUT},
    {METE_IMAGE_OUTPUT, METE_OUTPUT}, {METE_CACHE_WRITE_1H, METE_CACHE_WRITE},
};

/* Parts are together not more than their whole, and the total is not less than its parts. */
static int check_parts(const struct fields *fields, const struct usage_in *in)
{
    int64_t input = said_or_zero(in, METE_INPUT), output = said_or_zero(in, METE_OUTPUT);
    int64_t rest[HOLDS_METERS];
    for (uint16_t i = 0; i < HOLDS_METERS; i++)
        rest[i] = said_or_zero(in, i);
    for (size_t i = 0; i < LEN(part_of); i++) {
        int64_t *whole = &rest[part_of[i].whole], part = said_or_zero(in, part_of[i].part);
        if (part > *whole)
            return fields_fault(fields, METE_E_INVALID, authority_meter_member(part_of[i].part),
                                "It is a part of %s, and more than that.",
                                authority_meter_member(part_of[i].whole));
        *whole -= part;
    }
    if (input + output > METE_AMOUNT_MAX)
        return fields_fault(fields, METE_E_INVALID, "input_tokens", "It is too large.");
    if (in->meters[METE_TOTAL_TOKENS] >= 0 && in->meters[METE_TOTAL_TOKENS] < input + output)
        return fields_fault(fields, METE_E_INVALID, "total_tokens",
                            "It is less than input_tokens and output_tokens together.");
    return 0;
}

static int read_usage(struct request *request, struct json object, struct item *item)
{
    struct usage_in in;
    for (size_t i = 0; i < HOLDS_METERS; i++)
        in.meters[i] = -1;
    struct fields fields = {usage_table, LEN(usage_table), "usage", &request->arena,
                            &request->problem};
    int rc = fields_read(&fields, object, &in);
    if (!rc)
        rc = check_parts(&fields, &in);
    if (rc)
        return rc;
    bool any = false;
    for (uint16_t i = METE_INPUT; i < HOLDS_METERS; i++) {
        if (in.meters[i] < 0)
            continue;
        put(item, i, in.meters[i]);
        any = true;
    }
    if (!any)
        return fields_fault(&fields, METE_E_INVALID, "", "It names no quantity.");
    if (!(item->mask & BIT(METE_TOTAL_TOKENS)) &&
        (item->mask & (BIT(METE_INPUT) | BIT(METE_OUTPUT))))
        put(item, METE_TOTAL_TOKENS, item->amounts[METE_INPUT] + item->amounts[METE_OUTPUT]);
    item->said |= ~BIT(METE_COST);
    return 0;
}

/* What a call has only if it says so. */
static const struct {
    uint16_t meter;
    enum price_meter price;
} also[] = {
    {METE_CACHE_WRITE_1H, PRICE_CACHE_WRITE_1H},
    {METE_AUDIO_INPUT, PRICE_AUDIO_INPUT},
    {METE_AUDIO_OUTPUT, PRICE_AUDIO_OUTPUT},
    {METE_IMAGE_OUTPUT, PRICE_IMAGE_OUTPUT},
};

/* The dearest that so many tokens can be; of a bare total, all on the dearer side. */
static int price_bound(const struct price_model *model, const struct item *item, int64_t *ret_nano)
{
    bool split = (item->mask & (BIT(METE_INPUT) | BIT(METE_OUTPUT))) != 0;
    int64_t input = split ? item->amounts[METE_INPUT] : item->amounts[METE_TOTAL_TOKENS];
    int64_t output = split ? item->amounts[METE_OUTPUT] : item->amounts[METE_TOTAL_TOKENS];
    struct pricing_limits limits = {.input = input,
                                    .choices = 1,
                                    .searches = item->amounts[METE_SEARCHES],
                                    .images = item->amounts[METE_IMAGES],
                                    .characters = item->amounts[METE_CHARACTERS],
                                    .audio_seconds = item->amounts[METE_AUDIO_SECONDS],
                                    .video_seconds = item->amounts[METE_VIDEO_SECONDS]};
    for (size_t i = 0; i < LEN(also); i++)
        if (item->amounts[also[i].meter])
            limits.also |= PRICE_BIT(also[i].price);
    if (!input && !output && !pricing_by_piece(model, &limits))
        return METE_E_UNPRICED; /* as the charge will be: nothing of it has a price */
    struct mete_demand demand = {0};
    int64_t out_nano, nano;
    int rc = pricing_bound(model, &limits, &demand);
    if (rc)
        return rc;
    if (!checked_mul_div_up(demand.per_million, output, 1000000, &out_nano))
        return METE_E_TOO_LARGE;
    if (!split)
        nano = max_i64(demand.fixed, out_nano);
    else if (!checked_add(demand.fixed, out_nano, &nano))
        return METE_E_TOO_LARGE;
    if (nano > METE_AMOUNT_MAX)
        return METE_E_TOO_LARGE;
    *ret_nano = nano;
    return 0;
}

/* And what it is made of, for the record. */
static int price_charge(const struct price_model *model, struct item *item, int64_t *ret_nano)
{
    struct pricing_usage usage = {.input = item->amounts[METE_INPUT],
                                  .cached_input = item->amounts[METE_CACHED_INPUT],
                                  .cache_write = item->amounts[METE_CACHE_WRITE],
                                  .cache_write_1h = item->amounts[METE_CACHE_WRITE_1H],
                                  .audio_input = item->amounts[METE_AUDIO_INPUT],
                                  .image_input = item->amounts[METE_IMAGE_INPUT],
                                  .output = item->amounts[METE_OUTPUT],
                                  .reasoning = item->amounts[METE_REASONING],
                                  .audio_output = item->amounts[METE_AUDIO_OUTPUT],
                                  .image_output = item->amounts[METE_IMAGE_OUTPUT],
                                  .searches = item->amounts[METE_SEARCHES],
                                  .images = item->amounts[METE_IMAGES],
                                  .characters = item->amounts[METE_CHARACTERS],
                                  .audio_seconds = item->amounts[METE_AUDIO_SECONDS],
                                  .video_seconds = item->amounts[METE_VIDEO_SECONDS]};
    int64_t list;
    int rc = item->parts ? pricing_parts(model, &usage, item->parts, &item->parts_len) : 0;
    if (!rc && item->parts)
        item->tariff_len = tariff_text_write(model, &usage, item->tariff);
    if (!rc && model->markup_bp && !pricing_list_charge(model, &usage, &list))
        put(item, METE_LIST_COST, list);
    return rc ? rc : pricing_charge(model, &usage, ret_nano);
}

static bool charges(const struct request *request)
{
    enum verb verb = (enum verb)request->route->verb;
    return verb == VERB_DEDUCT || verb == VERB_RECORD || verb == VERB_SETTLE;
}

/* What is billed by the piece. */
#define PIECES                                                                                     \
    (BIT(METE_IMAGES) | BIT(METE_CHARACTERS) | BIT(METE_AUDIO_SECONDS) | BIT(METE_VIDEO_SECONDS))

/* Whose it is, and so what it costs, is not known yet. */
static int leave_to_price(struct request *request, struct item *item)
{
    uint32_t needed = BIT(METE_INPUT) | BIT(METE_OUTPUT) | PIECES;
    if (!charges(request))
        needed |= BIT(METE_TOTAL_TOKENS);
    if (!(item->mask & needed))
        return problem_set(
            &request->problem, METE_E_INVALID, "usage.input_tokens",
            "A price needs input_tokens, output_tokens or what is billed by the piece; "
            "or say the amount.");
    item->to_price = true;
    item->said |= BIT(METE_COST);
    return 0;
}

/* Model and usage to money. */
static int price(struct request *request, struct item *item, const struct pricing *pricing)
{
    bool charge = charges(request);
    const struct price_model *model = pricing_find_of(pricing, item->provider, item->model);
    if (!model)
        return problem_set(&request->problem, METE_E_UNPRICED, "model", NULL);
    item->currency = model->currency;
    if (charge) /* without memory it is not told apart */
        item->parts = arena_take(&request->arena, METE_PARTS_MAX * sizeof *item->parts);
    int64_t nano = 0;
    int rc = charge ? price_charge(model, item, &nano) : price_bound(model, item, &nano);
    if (rc == METE_E_UNPRICED)
        return problem_set(&request->problem, METE_E_UNPRICED, "usage",
                           "The model has no price here for a meter of it; say the amount.");
    if (rc)
        return problem_set(&request->problem, METE_E_INVALID, "usage", "It costs too much.");
    put(item, METE_COST, nano);
    return 0;
}

int authority_price(struct request *request, struct item *item, struct mete_scope_id organization,
                    int64_t at_us)
{
    const struct pricing *pricing;
    if (!item->to_price)
        return 0;
    item->to_price = false;
    struct price_book *book = request->api->parts.prices;
    int rc = price_book_moment(book, organization.n, at_us, &item->list_at_us);
    if (!rc)
        rc = price_book_list(book, organization.n, item->list_at_us, &pricing);
    if (rc)
        return problem_set(&request->problem, rc, NULL, NULL);
    rc = price(request, item, pricing);
    if (!rc) {
        item->price_list = arena_copy(&request->arena, pricing_version(pricing));
        if (!item->price_list.data)
            rc = problem_set(&request->problem, METE_E_MEMORY, NULL, NULL);
    }
    pricing_free(pricing);
    return rc;
}

/* An extension is of what is named, and of nothing else. */
static int check_extend(struct request *request, const struct call_in *in, const struct item *item)
{
    if (!item->mask && in->shrink)
        return problem_set(&request->problem, METE_E_INVALID, "amount",
                           "Say the amount that is given back, or the usage.");
    if (!item->mask && !in->ttl_seconds && !in->expire_time_us)
        return problem_set(&request->problem, METE_E_INVALID, "amount",
                           "Say the amount, the usage, or how long.");
    return 0;
}

/* The engine takes so many of one call, its cost and itself with them. */
static int check_many(const struct fields *fields, const struct item *item)
{
    uint32_t mask = item->mask | BIT(METE_COST) | BIT(METE_REQUESTS);
    if (__builtin_popcount(mask) <= METE_DEMANDS_MAX)
        return 0;
    return fields_fault(fields, METE_E_INVALID, "usage",
                        "It names more than %d quantities beside requests and total_tokens.",
                        METE_DEMANDS_MAX - 3);
}

static int read_amounts(struct request *request, const struct call_in *in, struct item *item)
{
    struct fields fields = {.path = "", .arena = &request->arena, .problem = &request->problem};
    int rc = 0;
    if (in->usage.type)
        rc = read_usage(request, in->usage, item);
    if (!rc)
        rc = check_many(&fields, item);
    if (!rc && in->amount.len) {
        int64_t nano = 0;
        rc = units_amount(&fields, "amount", METE_COST, in->amount, &nano);
        if (!rc)
            put(item, METE_COST, nano);
        item->said |= BIT(METE_COST);
        if (!rc && in->currency.len) {
            item->currency = units_currency(in->currency);
            if (!item->currency)
                rc = fields_fault(&fields, METE_E_INVALID, "currency",
                                  "It must be an ISO 4217 code, such as EUR.");
        }
    } else if (!rc && in->currency.len) {
        rc = fields_fault(&fields, METE_E_INVALID, "currency", "It is that of the amount.");
    } else if (!rc && in->usage.type && in->model.len) {
        rc = leave_to_price(request, item);
    }
    if (rc)
        return rc;
    if (request->route->verb == VERB_SETTLE)
        return 0; /* the rest is as it was charged */
    bool deduct = request->route->verb == VERB_DEDUCT;
    if (request->route->verb == VERB_EXTEND)
        return check_extend(request, in, item);
    if (!item->mask && !deduct)
        return problem_set(&request->problem, METE_E_INVALID, "amount",
                           "Say the amount, or the usage.");
    if (item->mask && !(item->mask & BIT(METE_REQUESTS)))
        put(item, METE_REQUESTS, 1);
    if (item->mask)
        item->said |= BIT(METE_REQUESTS);
    return 0;
}

/* Pairs of texts, kept with the record as they were written. */
static int check_metadata(struct request *request, struct json object)
{
    static const char path[] = "metadata";
    struct problem *problem = &request->problem;
    struct json key, value;
    size_t at = 0, pairs = 0;
    if (object.raw.len > LIMIT_NOTE)
        return problem_set(problem, METE_E_INVALID, path, "It has more than %d bytes.", LIMIT_NOTE);
    while (json_next(object, &at, &key, &value)) {
        size_t len = json_string_bytes(key);
        if (++pairs > 32 || len < 1 || len > 64)
            return problem_set(problem, METE_E_INVALID, path,
                               "It has at most 32 pairs, with names of 1 to 64 bytes.");
        if (value.type != JSON_STRING || json_string_bytes(value) > 512)
            return problem_set(problem, METE_E_INVALID, path,
                               "Its values are strings of at most 512 bytes.");
    }
    return 0;
}

static int read_tags(struct request *request, struct json texts, struct item *item)
{
    struct fields fields = {.path = "", .arena = &request->arena, .problem = &request->problem};
    struct json element;
    size_t at = 0;
    if (!texts.type)
        return 0;
    item->tags = arena_take(&request->arena, METE_TAGS_MAX * sizeof *item->tags);
    if (!item->tags)
        return problem_set(&request->problem, METE_E_MEMORY, NULL, NULL);
    while (json_next(texts, &at, NULL, &element)) {
        struct slice text;
        int rc = fields_text(&fields, "tags", element, &text);
        if (rc)
            return rc;
        ASSERT(item->tags_len < METE_TAGS_MAX);
        item->tags[item->tags_len++] = request_text(text);
    }
    return 0;
}

static int read_ttl(struct request *request, const struct call_in *in, struct item *item)
{
    item->ttl_ms = request->route->verb == VERB_EXTEND ? 0 : LIMIT_TTL_DEFAULT_S * INT64_C(1000);
    if (in->ttl_seconds)
        item->ttl_ms = in->ttl_seconds * 1000;
    if (!in->expire_time_us)
        return 0;
    if (in->ttl_seconds)
        return problem_set(&request->problem, METE_E_INVALID, "expire_time",
                           "ttl_seconds says the same.");
    int64_t ttl_us = in->expire_time_us - mete_now(request->api->parts.mete).us;
    if (ttl_us < 1000 || ttl_us > LIMIT_TTL_MS * INT64_C(1000))
        return problem_set(&request->problem, METE_E_INVALID, "expire_time",
                           "It must be in the future, at most a day.");
    item->ttl_ms = ttl_us / 1000;
    return 0;
}

static int read_reserve_id(struct request *request, struct slice text, struct item *item)
{
    uint64_t number = 0;
    static const struct slice prefix = {"rsv_", 4};
    if (text.len != 15 || !slice_starts(text, prefix) ||
        base62_decode(slice_from(text, 4), &number) || !number)
        return problem_set(&request->problem, METE_E_NOT_FOUND, "reserve_id",
                           "There is no such reservation.");
    item->reservation = number;
    item->reserve_text = text;
    return 0;
}

static int read_scope(struct request *request, const struct call_in *in, struct item *item)
{
    if (in->scope.type)
        return scope_in_read(request, in->scope, "scope", &item->scope_in);
    if (request->who.is_key)
        return 0;
    return problem_set(&request->problem, METE_E_INVALID, "scope", "It is missing.");
}

static uint64_t hash_of(struct slice text)
{
    return text.len ? XXH3_64bits(text.data, text.len) : 0;
}

/* What makes a repeat equal: the amounts, what they are for, and how long. */
static uint64_t fingerprint(const struct call_in *in, const struct item *item)
{
    enum { TEXTS = 4 /* model, provider, session, tags */, FIRST = METE_CACHE_WRITE_1H };
    struct {
        int64_t amounts[FIRST], ttl_seconds, expire_time_us;
        uint64_t mask, currency, texts[TEXTS];
    } asked = {.ttl_seconds = in->ttl_seconds, .expire_time_us = in->expire_time_us};
    _Static_assert(sizeof asked == (FIRST + 4 + TEXTS) * 8, "no padding goes into the hash");
    memcpy(asked.amounts, item->amounts, sizeof asked.amounts);
    asked.mask = item->mask;
    asked.currency = item->currency;
    asked.texts[0] = hash_of(item->model);
    asked.texts[1] = hash_of(item->provider);
    asked.texts[2] = hash_of(item->session);
    for (size_t i = 0; i < item->tags_len; i++)
        asked.texts[3] =
            asked.texts[3] * 31 + hash_of((struct slice){item->tags[i].data, item->tags[i].len});
    uint64_t hash = XXH3_64bits(&asked, sizeof asked);
    /* Meters that came later: a request without them has the hash that an older version stored. */
    if (asked.mask >> FIRST)
        hash = XXH3_64bits_withSeed(&item->amounts[FIRST],
                                    sizeof item->amounts - sizeof asked.amounts, hash);
    return hash;
}

static int read_rest(struct request *request, const struct call_in *in, struct item *item)
{
    enum verb verb = (enum verb)request->route->verb;
    bool of_open = verb == VERB_DEDUCT || verb == VERB_RELEASE || verb == VERB_EXTEND;
    int rc = 0;
    if (of_open)
        rc = read_reserve_id(request, in->reserve_id, item);
    else if (verb != VERB_SETTLE)
        rc = read_scope(request, in, item);
    if (!rc && in->metadata.type)
        rc = check_metadata(request, in->metadata);
    if (!rc)
        rc = read_tags(request, in->tags, item);
    if (!rc && verb != VERB_RELEASE)
        rc = read_amounts(request, in, item);
    if (!rc && (verb == VERB_RESERVE || verb == VERB_EXTEND))
        rc = read_ttl(request, in, item);
    const struct directory_key *key = request->who.key;
    if (!rc && key && in->model.len && !of_open && !directory_allows_model(key, in->model))
        rc = problem_set(&request->problem, METE_E_FORBIDDEN, "model",
                         "The key may not call this model.");
    return rc;
}

int authority_read(struct request *request, struct json object, struct item *item)
{
    enum verb verb = (enum verb)request->route->verb;
    struct call_in in = {.confidence_ppm = -1};
    struct fields fields = {tables[verb].table, tables[verb].len, "", &request->arena,
                            &request->problem};
    int rc = fields_read(&fields, object, &in);
    if (rc)
        return rc;
    item->request_id = in.request_id;
    if (verb == VERB_SETTLE && !in.model.len)
        in.model = item->model; /* the record's */
    item->model = in.model;
    item->provider = in.provider;
    item->session = in.session;
    item->metadata = in.metadata.raw;
    item->status = (uint16_t)in.status;
    item->latency_ms = (uint32_t)in.latency_ms;
    item->upstream_id = in.upstream_id;
    item->has_confidence = in.confidence_ppm >= 0;
    item->confidence_ppm = item->has_confidence ? (uint32_t)in.confidence_ppm : 0;
    item->shrink = in.shrink;
    rc = read_rest(request, &in, item);
    if (!rc)
        item->content = fingerprint(&in, item);
    return rc;
}

/* ---- The operation -----------------------------------------------------------------------------
 */

/* Money first, and what every call has last: what remains is told of the first demand. */
static const uint16_t order[HOLDS_METERS] = {
    METE_COST,          METE_TOTAL_TOKENS,   METE_INPUT,       METE_CACHED_INPUT,
    METE_CACHE_WRITE,   METE_OUTPUT,         METE_REASONING,   METE_IMAGES,
    METE_AUDIO_SECONDS, METE_CACHE_WRITE_1H, METE_AUDIO_INPUT, METE_IMAGE_INPUT,
    METE_AUDIO_OUTPUT,  METE_IMAGE_OUTPUT,   METE_SEARCHES,    METE_CHARACTERS,
    METE_VIDEO_SECONDS, METE_REQUESTS,       METE_LIST_COST,
};
_Static_assert(METE_METERS_BUILTIN == METE_LIST_COST + 1, "each has its place");

static uint32_t currency_of(const struct item *item, uint16_t meter)
{
    uint32_t money = item->currency ? item->currency : METE_USD;
    return meter == METE_COST ? money : 0;
}

static size_t fill_demands(struct item *item)
{
    size_t len = 0;
    for (size_t i = 0; i < HOLDS_METERS; i++) {
        uint16_t meter = order[i];
        if (!(item->mask & BIT(meter)))
            continue;
        item->args.demands[len++] = (struct mete_demand){
            .meter = meter, .currency = currency_of(item, meter), .fixed = item->amounts[meter]};
    }
    return len;
}

static size_t fill_usage(struct item *item)
{
    size_t len = 0;
    for (size_t i = 0; i < HOLDS_METERS; i++) {
        uint16_t meter = order[i];
        if (!(item->mask & BIT(meter)))
            continue;
        item->args.usage[len++] = (struct mete_usage){
            .meter = meter, .currency = currency_of(item, meter), .amount = item->amounts[meter]};
    }
    return len;
}

static struct mete_outcome outcome_of(const struct request *request, const struct item *item,
                                      enum mete_ending ending)
{
    return (struct mete_outcome){.ending = ending,
                                 .status = item->status,
                                 .attempts = 1,
                                 .latency_ms = item->latency_ms,
                                 .price_list = request_text(item->price_list),
                                 .note = request_text(item->metadata),
                                 .details = {.upstream_id = request_text(item->upstream_id),
                                             .actor = request_actor(request),
                                             .has_confidence = item->has_confidence,
                                             .confidence_ppm = item->confidence_ppm,
                                             .parts = item->parts,
                                             .parts_len = item->parts_len,
                                             .tariff = {item->tariff, item->tariff_len}}};
}

static struct mete_reserve reserve_of(struct item *item, enum verb verb)
{
    struct mete_reserve args = {.scope = item->scope,
                                .content = item->content,
                                .model = request_text(item->model),
                                .provider = request_text(item->provider),
                                .session = request_text(item->session),
                                .tags = item->tags,
                                .tags_len = item->tags_len,
                                .demands = item->args.demands,
                                .demands_len = fill_demands(item),
                                .ttl_ms = verb == VERB_CHECK ? 1 : item->ttl_ms};
    if (verb == VERB_RESERVE)
        args.request_id = request_text(item->request_id);
    return args;
}

void authority_prepare(struct request *request, struct item *item)
{
    enum verb verb = (enum verb)request->route->verb;
    struct mete_op *op = &item->op;
    ASSERT(!item->problem);
    switch (verb) {
    case VERB_CHECK:
    case VERB_RESERVE:
        ASSERT(item->scope.n > 0);
        op->kind = verb == VERB_CHECK ? METE_OP_CHECK : METE_OP_RESERVE;
        op->refusals = item->refusals;
        op->refusals_max = METE_REFUSALS_MAX;
        op->args.reserve = reserve_of(item, verb);
        break;
    case VERB_EXTEND:
        holds_forget(request->api->holds, item->reservation);
        op->kind = METE_OP_EXTEND;
        op->refusals = item->refusals;
        op->refusals_max = METE_REFUSALS_MAX;
        op->args.extend = (struct mete_extend){.reservation = {item->reservation},
                                               .demands = item->args.demands,
                                               .demands_len = fill_demands(item),
                                               .shrink = item->shrink,
                                               .ttl_ms = item->ttl_ms};
        break;
    case VERB_DEDUCT:
    case VERB_SETTLE:
        op->kind = METE_OP_COMMIT;
        op->args.commit = (struct mete_commit){.reservation = {item->reservation},
                                               .usage = item->args.usage,
                                               .usage_len = fill_usage(item),
                                               .outcome = outcome_of(request, item, METE_ENDED_OK)};
        break;
    case VERB_RELEASE:
        op->kind = METE_OP_RELEASE;
        op->args.release = (struct mete_reservation_id){item->reservation};
        break;
    case VERB_RECORD:
        op->kind = METE_OP_RECORD;
        op->args.record =
            (struct mete_record){.scope = item->scope,
                                 .request_id = request_text(item->request_id),
                                 .content = item->content,
                                 .model = request_text(item->model),
                                 .provider = request_text(item->provider),
                                 .session = request_text(item->session),
                                 .tags = item->tags,
                                 .tags_len = item->tags_len,
                                 .usage = item->args.usage,
                                 .usage_len = fill_usage(item),
                                 .outcome = outcome_of(request, item, METE_ENDED_RECORDED)};
        break;
    }
}
