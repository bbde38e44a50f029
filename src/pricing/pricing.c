/* SPDX-License-Identifier: Apache-2.0
 * A list is one array sorted by name, searched by halving: eleven comparisons among the 2,250
 * built-in models. The built-in rows point into one copy of the embedded CSV, which is split in
 * place; rows put later bring a copy of their texts each.
 *
 * Digits: a price is kept in 10^-18 of a currency unit per million units, so one unit's price is
 * exact to 10^-24, a digit more than the finest one in the source. Tokens times price is then in
 * 10^-24 units; the five products of a call are summed in 128 bits, and 10^15 of them are a nano.
 *
 * Not done: a hash table (a look-up is 0.2 us of a call that takes hundreds); tiers by context
 * length, service tiers and audio tokens (docs/prices.md says what that means for whom). */
#include "pricing/pricing.h"

#include "base/assert.h"
#include "base/limits.h"
#include "codec/csv.h"
#include "codec/decimal.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

extern const unsigned char data_prices_csv[];
extern const size_t data_prices_csv_len;

#define ATTO INT64_C(1000000000000000000)        /* of a price, in one currency unit */
#define YOCTO_PER_NANO INT64_C(1000000000000000) /* 10^-24 units in a nano */
#define ATTO_PER_NANO INT64_C(1000000000)

enum { COLUMN_NAME = 0, COLUMN_PROVIDER, COLUMN_CURRENCY, COLUMN_PRICES };
enum { COLUMN_OUTPUT_MAX = COLUMN_PRICES + PRICE_METERS, COLUMN_REASONS, COLUMNS };
enum { ROOM_ADDED = 64, VERSION_ROOM = 64 /* bytes a record keeps of it */ };

struct texts { /* of one row that was put */
    struct texts *next;
    char bytes[];
};

struct pricing {
    struct price_model *models; /* sorted by name, no name twice */
    size_t len, room;
    char *builtin; /* the CSV; names point into it */
    struct texts *texts;
    struct price_model ceiling;
    bool has_ceiling;
    uint64_t added;    /* hash of all that was put, in order; 0: nothing */
    struct slice base; /* "builtin-DATE" */
    char version[VERSION_ROOM];
};

/* ---- One row --------------------------------------------------------------------------------- */

static int parse_price(struct slice text, struct price *ret_price)
{
    int128 atto = -1;
    if (text.len) {
        int rc = decimal_parse128(text, 18, false, &atto);
        if (rc == METE_E_TOO_LARGE)
            return METE_E_INVALID;
        if (rc)
            return rc;
        if (atto < 0 || atto > (int128)LIMIT_PRICE * ATTO)
            return METE_E_INVALID;
    }
    ret_price->atto_per_million = atto;
    return 0;
}

static int parse_currency(struct slice text, uint32_t *ret_currency)
{
    if (text.len == 0) {
        *ret_currency = METE_USD;
        return 0;
    }
    if (text.len != 3)
        return METE_E_SYNTAX;
    for (size_t i = 0; i < 3; i++)
        if (text.data[i] < 'A' || text.data[i] > 'Z')
            return METE_E_SYNTAX;
    *ret_currency = METE_CURRENCY(text.data[0], text.data[1], text.data[2]);
    return 0;
}

static bool is_id(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < '!' || text.data[i] > '~')
            return false;
    return true;
}

static void fall_back(struct price_model *model, enum price_meter meter, enum price_meter to)
{
    if (model->prices[meter].atto_per_million < 0)
        model->prices[meter] = model->prices[to];
}

/* The texts stay the row's. */
static int parse_row(const struct pricing_row *row, struct price_model *ret_model)
{
    struct price_model model = {.name = row->name,
                                .provider = row->provider,
                                .output_max = row->output_max,
                                .reasons = !row->shows_all};
    if (row->name.len > LIMIT_ID || row->provider.len > LIMIT_PROVIDER || row->output_max < 0)
        return METE_E_INVALID;
    if (!is_id(row->name) || !is_id(row->provider))
        return METE_E_SYNTAX;
    int rc = parse_currency(row->currency, &model.currency);
    for (int meter = 0; !rc && meter < PRICE_METERS; meter++)
        rc = parse_price(row->per_million[meter], &model.prices[meter]);
    if (rc)
        return rc;
    fall_back(&model, PRICE_CACHED_INPUT, PRICE_INPUT);
    fall_back(&model, PRICE_CACHE_WRITE, PRICE_INPUT);
    fall_back(&model, PRICE_REASONING, PRICE_OUTPUT);
    *ret_model = model;
    return 0;
}

static bool is_whole(const struct price_model *model)
{
    for (int meter = 0; meter < PRICE_METERS; meter++)
        if (model->prices[meter].atto_per_million < 0)
            return false;
    return true;
}

/* ---- The list -------------------------------------------------------------------------------- */

static int compare(struct slice a, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.data, b.data, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Index of the first name not before this one. */
static size_t lower_bound(const struct pricing *pricing, struct slice name)
{
    size_t from = 0, to = pricing->len;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (compare(pricing->models[middle].name, name) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static const struct price_model *find_exactly(const struct pricing *pricing, struct slice name)
{
    size_t i = lower_bound(pricing, name);
    bool found = i < pricing->len && slice_equal(pricing->models[i].name, name);
    return found ? &pricing->models[i] : NULL;
}

/* In its place, or in that of the one with its name. */
static int insert(struct pricing *pricing, const struct price_model *model)
{
    size_t i = lower_bound(pricing, model->name);
    if (i < pricing->len && slice_equal(pricing->models[i].name, model->name)) {
        pricing->models[i] = *model;
        return 0;
    }
    if (pricing->len == pricing->room) {
        size_t room = pricing->room + pricing->room / 2 + ROOM_ADDED;
        struct price_model *models = realloc(pricing->models, room * sizeof *models);
        if (!models)
            return METE_E_MEMORY;
        pricing->models = models;
        pricing->room = room;
    }
    memmove(&pricing->models[i + 1], &pricing->models[i],
            (pricing->len - i) * sizeof *pricing->models);
    pricing->models[i] = *model;
    pricing->len++;
    return 0;
}

static int64_t parse_whole(struct slice text)
{
    int64_t value = 0;
    int rc = decimal_parse(text, 0, &value);
    ASSERT(rc == 0 && value >= 0);
    return value;
}

/* The built-in list is part of the program: a fault in it is a bug. */
static void read_builtin_row(struct pricing *pricing, char *line, size_t len)
{
    struct slice fields[COLUMNS];
    int count = csv_split(line, len, fields, COLUMNS);
    ASSERT(count == COLUMNS);
    struct pricing_row row = {.name = fields[COLUMN_NAME],
                              .provider = fields[COLUMN_PROVIDER],
                              .currency = fields[COLUMN_CURRENCY],
                              .output_max = parse_whole(fields[COLUMN_OUTPUT_MAX]),
                              .shows_all = parse_whole(fields[COLUMN_REASONS]) == 0};
    memcpy(row.per_million, &fields[COLUMN_PRICES], sizeof row.per_million);
    ASSERT(pricing->len < pricing->room);
    struct price_model *model = &pricing->models[pricing->len];
    int rc = parse_row(&row, model);
    ASSERT(rc == 0 && is_whole(model));
    ASSERT(!pricing->len || compare(model[-1].name, model->name) < 0);
    pricing->len++;
}

/* "# builtin-2026-07-24 from ..." */
static struct slice read_base(const char *line, size_t len)
{
    ASSERT(len > 2 && line[0] == '#' && line[1] == ' ');
    const char *end = memchr(line + 2, ' ', len - 2);
    ASSERT(end);
    return (struct slice){line + 2, (size_t)(end - line) - 2};
}

static void read_builtin(struct pricing *pricing)
{
    char *at = pricing->builtin, *end = at + data_prices_csv_len;
    while (at < end) {
        char *newline = memchr(at, '\n', (size_t)(end - at));
        ASSERT(newline);
        size_t len = (size_t)(newline - at);
        if (*at != '#')
            read_builtin_row(pricing, at, len);
        else if (!pricing->base.len)
            pricing->base = read_base(at, len);
        at = newline + 1;
    }
    ASSERT(pricing->base.len > 0);
}

static void name_version(struct pricing *pricing)
{
    int len = (int)pricing->base.len;
    if (pricing->added)
        snprintf(pricing->version, VERSION_ROOM, "%.*s+%016llx", len, pricing->base.data,
                 (unsigned long long)pricing->added);
    else
        snprintf(pricing->version, VERSION_ROOM, "%.*s", len, pricing->base.data);
}

static size_t count_lines(void)
{
    size_t lines = 0;
    for (size_t i = 0; i < data_prices_csv_len; i++)
        lines += data_prices_csv[i] == '\n';
    return lines;
}

int pricing_new(struct pricing **ret_pricing)
{
    struct pricing *pricing = calloc(1, sizeof *pricing);
    if (!pricing)
        return METE_E_MEMORY;
    pricing->room = count_lines() + ROOM_ADDED;
    pricing->models = malloc(pricing->room * sizeof *pricing->models);
    pricing->builtin = malloc(data_prices_csv_len);
    if (!pricing->models || !pricing->builtin) {
        pricing_free(pricing);
        return METE_E_MEMORY;
    }
    memcpy(pricing->builtin, data_prices_csv, data_prices_csv_len);
    read_builtin(pricing);
    name_version(pricing);
    *ret_pricing = pricing;
    return 0;
}

void pricing_free(struct pricing *pricing)
{
    if (!pricing)
        return;
    while (pricing->texts) {
        struct texts *next = pricing->texts->next;
        free(pricing->texts);
        pricing->texts = next;
    }
    free(pricing->models);
    free(pricing->builtin);
    free(pricing);
}

/* Copies the model's texts, to live as long as the list. */
static int keep_texts(struct pricing *pricing, struct price_model *model)
{
    struct texts *texts = malloc(sizeof *texts + model->name.len + model->provider.len);
    if (!texts)
        return METE_E_MEMORY;
    char *at = texts->bytes;
    if (model->name.len)
        memcpy(at, model->name.data, model->name.len);
    model->name.data = at;
    at += model->name.len;
    if (model->provider.len)
        memcpy(at, model->provider.data, model->provider.len);
    model->provider.data = at;
    texts->next = pricing->texts;
    pricing->texts = texts;
    return 0;
}

/* Chains what was put into the version: the same rows in the same order give the same one. */
static void add_to_version(struct pricing *pricing, const struct price_model *model, bool ceiling)
{
    uint64_t hash = XXH3_64bits_withSeed(model->name.data, model->name.len, pricing->added);
    hash = XXH3_64bits_withSeed(model->prices, sizeof model->prices, hash);
    hash = XXH3_64bits_withSeed(&model->output_max, sizeof model->output_max, hash);
    hash = XXH3_64bits_withSeed(&model->currency, sizeof model->currency, hash + ceiling);
    pricing->added = hash ? hash : 1;
    name_version(pricing);
}

int pricing_set_ceiling(struct pricing *pricing, const struct pricing_row *row)
{
    struct price_model model;
    int rc = parse_row(row, &model);
    if (!rc && !is_whole(&model))
        return METE_E_INVALID;
    if (!rc)
        rc = keep_texts(pricing, &model);
    if (rc)
        return rc;
    pricing->ceiling = model;
    pricing->has_ceiling = true;
    add_to_version(pricing, &model, true);
    return 0;
}

/* ---- Looking up ------------------------------------------------------------------------------ */

static bool is_date(struct slice text, const char *shape)
{
    if (text.len != strlen(shape))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool digit = text.data[i] >= '0' && text.data[i] <= '9';
        if (shape[i] == '0' ? !digit : text.data[i] != shape[i])
            return false;
    }
    return true;
}

/* The name without its date, or as it is. */
static struct slice without_date(struct slice name)
{
    static const char *const shapes[] = {"-0000-00-00", "-00000000"};
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(shapes[i]);
        if (name.len > len && is_date(slice_from(name, name.len - len), shapes[i]))
            return slice_part(name, 0, name.len - len);
    }
    return name;
}

static const struct price_model *find_dated(const struct pricing *pricing, struct slice name)
{
    const struct price_model *model = find_exactly(pricing, name);
    struct slice undated = without_date(name);
    return model || undated.len == name.len ? model : find_exactly(pricing, undated);
}

/* "openai/gpt-4o" is gpt-4o of openai's, and "elsewhere/gpt-4o" is nothing we know the price of:
 * the provider of what is found must begin with the prefix ("vertex_ai-language-models" does with
 * "vertex_ai"), unless the list names none. */
static const struct price_model *find_of_provider(const struct pricing *pricing, struct slice name)
{
    const char *slash = name.len ? memchr(name.data, '/', name.len) : NULL;
    if (!slash)
        return NULL;
    struct slice provider = {name.data, (size_t)(slash - name.data)};
    const struct price_model *model = find_dated(pricing, slice_from(name, provider.len + 1));
    bool fits = model && (!model->provider.len || slice_starts(model->provider, provider));
    return fits ? model : NULL;
}

static const struct price_model *find_listed(const struct pricing *pricing, struct slice name)
{
    const struct price_model *model = find_exactly(pricing, name);
    if (!model)
        model = find_of_provider(pricing, name);
    return model ? model : find_dated(pricing, name);
}

const struct price_model *pricing_find(const struct pricing *pricing, struct slice name)
{
    const struct price_model *model = find_listed(pricing, name);
    if (!model && pricing->has_ceiling)
        model = &pricing->ceiling;
    return model && is_whole(model) ? model : NULL;
}

int pricing_put(struct pricing *pricing, const struct pricing_row *row)
{
    struct price_model model;
    if (row->name.len == 0)
        return METE_E_INVALID;
    int rc = parse_row(row, &model);
    if (rc)
        return rc;
    const struct price_model *listed = find_listed(pricing, row->name);
    if (listed)
        model.reasons &= listed->reasons;
    rc = keep_texts(pricing, &model);
    if (!rc)
        rc = insert(pricing, &model);
    if (!rc)
        add_to_version(pricing, &model, false);
    return rc;
}

struct slice pricing_version(const struct pricing *pricing)
{
    return slice_of(pricing->version);
}

size_t pricing_len(const struct pricing *pricing)
{
    return pricing->len;
}

const struct price_model *pricing_at(const struct pricing *pricing, size_t i)
{
    ASSERT(i < pricing->len);
    return &pricing->models[i];
}

/* ---- Money ----------------------------------------------------------------------------------- */

static bool add_product(int128 *sum, int64_t units, struct price price)
{
    int128 product;
    return !__builtin_mul_overflow(price.atto_per_million, (int128)units, &product) &&
           !__builtin_add_overflow(*sum, product, sum);
}

static bool usage_holds(const struct pricing_usage *usage)
{
    return usage->input >= 0 && usage->cached_input >= 0 && usage->cache_write >= 0 &&
           usage->output >= 0 && usage->reasoning >= 0 && usage->cached_input <= usage->input &&
           usage->cache_write <= usage->input - usage->cached_input &&
           usage->reasoning <= usage->output;
}

int pricing_charge(const struct price_model *model, const struct pricing_usage *usage,
                   int64_t *ret_nano)
{
    ASSERT_INV("INV-11", is_whole(model));
    if (!usage_holds(usage))
        return METE_E_INVALID;
    const int64_t units[PRICE_METERS] = {
        [PRICE_INPUT] = usage->input - usage->cached_input - usage->cache_write,
        [PRICE_CACHED_INPUT] = usage->cached_input,
        [PRICE_CACHE_WRITE] = usage->cache_write,
        [PRICE_OUTPUT] = usage->output - usage->reasoning,
        [PRICE_REASONING] = usage->reasoning,
    };
    int128 yocto = 0;
    for (int meter = 0; meter < PRICE_METERS; meter++)
        if (!add_product(&yocto, units[meter], model->prices[meter]))
            return METE_E_TOO_LARGE;
    int128 nano = div_half_even(yocto, YOCTO_PER_NANO);
    if (nano > METE_AMOUNT_MAX)
        return METE_E_TOO_LARGE;
    ASSERT_INV("INV-08", nano >= 0);
    *ret_nano = (int64_t)nano;
    return 0;
}

static struct price dearest(const struct price_model *model, enum price_meter from,
                            enum price_meter to)
{
    struct price price = model->prices[from];
    for (enum price_meter meter = from; meter <= to; meter++)
        if (model->prices[meter].atto_per_million > price.atto_per_million)
            price = model->prices[meter];
    return price;
}

/* ceil(units * price / divisor) */
static int product_up(int64_t units, struct price price, int64_t divisor, int64_t *ret_nano)
{
    int128 product = 0;
    if (!add_product(&product, units, price))
        return METE_E_TOO_LARGE;
    int128 nano = product / divisor + (product % divisor != 0);
    if (nano > METE_AMOUNT_MAX)
        return METE_E_TOO_LARGE;
    *ret_nano = (int64_t)nano;
    return 0;
}

int pricing_bound(const struct price_model *model, int64_t input_bound, int64_t choices,
                  struct mete_demand *ret_demand)
{
    ASSERT_INV("INV-11", is_whole(model));
    ASSERT(input_bound >= 0 && choices >= 1);
    struct mete_demand demand = {.meter = METE_COST, .currency = model->currency};
    int rc = product_up(input_bound, dearest(model, PRICE_INPUT, PRICE_CACHE_WRITE), YOCTO_PER_NANO,
                        &demand.fixed);
    if (!rc)
        rc = product_up(choices, dearest(model, PRICE_OUTPUT, PRICE_REASONING), ATTO_PER_NANO,
                        &demand.per_million);
    if (!rc)
        *ret_demand = demand;
    return rc;
}
