/* SPDX-License-Identifier: Apache-2.0
 * A table for nothing: the members are few, and those of prices are words.c's. */
#include "pricing/sheet.h"

#include "base/assert.h"
#include "pricing/grade.h"
#include "pricing/tariff.h"

#include <stdio.h>

/* The field is before and name. */
static int fault(struct sheet_fault *fault, const char *why, const char *before, struct slice name)
{
    size_t len = name.len < 40 ? name.len : 40;
    snprintf(fault->field, sizeof fault->field, "%s%.*s", before, (int)len,
             name.data ? name.data : "");
    fault->why = why;
    return METE_E_INVALID;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* A text of at most room bytes; one that is not there is empty, as is a provider of null. */
static int read_text(struct json object, const char *name, char *room, size_t room_len,
                     struct slice *ret_text, struct sheet_fault *ret_fault)
{
    struct json value = json_member(object, name);
    *ret_text = (struct slice){room, 0};
    if (value.type == JSON_NONE || (value.type == JSON_NULL && !strcmp(name, "provider")))
        return 0;
    long len = value.type == JSON_STRING ? json_string_copy(value, room, room_len) : -1;
    if (len < 0)
        return fault(ret_fault, "It must be a text, and is too long or none.", "", slice_of(name));
    ret_text->len = (size_t)len;
    return 0;
}

static int read_count(struct json object, const char *name, int64_t *ret_count,
                      struct sheet_fault *ret_fault)
{
    struct json value = json_member(object, name);
    if (value.type == JSON_NONE)
        return 0;
    if (value.type != JSON_NUMBER || json_integer(value, ret_count) || *ret_count < 0 ||
        *ret_count > 16777216)
        return fault(ret_fault, "It must be a whole number from 0 to 16777216.", "",
                     slice_of(name));
    return 0;
}

static int read_price(struct json value, unsigned shift, char room[DECIMAL_ROOM])
{
    char text[DECIMAL_ROOM];
    long len = -1;
    if (value.type == JSON_STRING)
        len = json_string_copy(value, text, sizeof text);
    if (value.type == JSON_NUMBER && value.raw.len < sizeof text)
        return price_words_move(value.raw, shift, room);
    return len < 0 ? METE_E_SYNTAX
                   : price_words_move((struct slice){text, (size_t)len}, shift, room);
}

static int read_prices(struct json prices, char rooms[PRICE_METERS][DECIMAL_ROOM],
                       struct slice texts[PRICE_METERS], struct sheet_fault *ret_fault)
{
    struct json key, value;
    size_t at = 0;
    if (prices.type == JSON_NONE)
        return 0;
    if (prices.type != JSON_OBJECT)
        return fault(ret_fault, "It must be an object.", "prices", (struct slice){0});
    while (json_next(prices, &at, &key, &value)) {
        struct slice name = slice_part(key.raw, 1, key.raw.len - 2);
        enum price_meter meter;
        unsigned shift;
        if (!price_words_find(name, &meter, &shift))
            return fault(ret_fault, "There is no such price.", "prices.", name);
        if (texts[meter].len)
            return fault(ret_fault, "This price is given twice.", "prices.", name);
        if (read_price(value, shift, rooms[meter]))
            return fault(ret_fault, "It must be a decimal, not negative, such as \"0.15\".",
                         "prices.", name);
        texts[meter] = slice_of(rooms[meter]);
    }
    return 0;
}

static int read_grade(struct json object, struct price_grade *ret_grade,
                      struct sheet_fault *ret_fault)
{
    char words[2][16];
    struct slice quality, size;
    int rc = read_text(object, "quality", words[0], sizeof words[0], &quality, ret_fault);
    if (!rc)
        rc = read_text(object, "size", words[1], sizeof words[1], &size, ret_fault);
    if (rc)
        return rc;
    *ret_grade = pricing_grade(quality, size);
    if (ret_grade->quality == PRICE_QUALITY_ANY)
        return fault(ret_fault, "It must be low, medium, high, standard or hd.", "quality",
                     (struct slice){0});
    if (ret_grade->width == PRICE_SIDE_ANY)
        return fault(ret_fault, "It must be a size such as 1024x1792.", "size", (struct slice){0});
    return 0;
}

static int read_tier(struct json object, char rooms[PRICE_METERS][DECIMAL_ROOM],
                     struct pricing_tier_row *ret_tier, struct sheet_fault *ret_fault)
{
    char word[16];
    struct slice service;
    *ret_tier = (struct pricing_tier_row){.service = PRICE_STANDARD};
    if (object.type != JSON_OBJECT)
        return fault(ret_fault, "It must be an object.", "", (struct slice){0});
    int rc = read_text(object, "service", word, sizeof word, &service, ret_fault);
    if (!rc && service.len && !price_words_service_find(service, &ret_tier->service))
        rc = fault(ret_fault, "It must be standard, priority, flex, batch or fast.", "service",
                   (struct slice){0});
    if (!rc)
        rc = read_count(object, "above", &ret_tier->above, ret_fault);
    if (!rc)
        rc = read_grade(object, &ret_tier->grade, ret_fault);
    return rc ? rc
              : read_prices(json_member(object, "prices"), rooms, ret_tier->per_million, ret_fault);
}

static int read_tiers(struct json tiers, struct sheet_row *row, struct sheet_fault *ret_fault)
{
    struct json each;
    size_t at = 0;
    row->row.tiers = row->tiers;
    if (tiers.type == JSON_NONE)
        return 0;
    if (tiers.type != JSON_ARRAY)
        return fault(ret_fault, "It must be a list.", "tiers", (struct slice){0});
    while (json_next(tiers, &at, NULL, &each)) {
        size_t len = row->row.tiers_len;
        if (len == LIMIT_PRICE_TIERS)
            return fault(ret_fault, "There are too many.", "tiers", (struct slice){0});
        int rc = read_tier(each, row->prices[1 + len], &row->tiers[len], ret_fault);
        if (rc) { /* "tiers[2].service" */
            char inner[sizeof ret_fault->field];
            memcpy(inner, ret_fault->field, sizeof inner);
            snprintf(ret_fault->field, sizeof ret_fault->field, "tiers[%zu]%s%.48s", len,
                     inner[0] ? "." : "", inner);
            return rc;
        }
        row->row.tiers_len++;
    }
    return 0;
}

int sheet_read(struct json object, struct sheet_row *ret_row, struct sheet_fault *ret_fault)
{
    struct pricing_row *row = &ret_row->row;
    *row = (struct pricing_row){.tiers = ret_row->tiers};
    int rc = read_text(object, "model", ret_row->name, sizeof ret_row->name, &row->name, ret_fault);
    if (!rc)
        rc = read_text(object, "provider", ret_row->provider, sizeof ret_row->provider,
                       &row->provider, ret_fault);
    if (!rc)
        rc = read_text(object, "currency", ret_row->currency, sizeof ret_row->currency,
                       &row->currency, ret_fault);
    if (!rc)
        rc = read_count(object, "max_output_tokens", &row->output_max, ret_fault);
    if (!rc)
        rc = read_prices(json_member(object, "prices"), ret_row->prices[0], row->per_million,
                         ret_fault);
    return rc ? rc : read_tiers(json_member(object, "tiers"), ret_row, ret_fault);
}

/* ---- Of a model that is there ------------------------------------------------------------------
 */

static void show_prices(const struct price own[PRICE_METERS],
                        char rooms[PRICE_METERS][DECIMAL_ROOM], struct slice texts[PRICE_METERS])
{
    for (int i = 0; i < PRICE_METERS; i++) {
        size_t len = own[i].atto_per_million < 0 ? 0 : price_words_show(own[i], 0, rooms[i]);
        texts[i] = (struct slice){rooms[i], len};
    }
}

void sheet_of_model(const struct price_model *model, struct sheet_row *ret_row)
{
    struct pricing_row *row = &ret_row->row;
    struct price own[PRICE_METERS];
    *row = (struct pricing_row){.name = model->name,
                                .provider = model->provider,
                                .output_max = model->output_max,
                                .shows_all = !model->reasons,
                                .tiers = ret_row->tiers,
                                .tiers_len = model->tiers_len};
    for (int i = 0; i < 3; i++)
        ret_row->currency[i] = (char)(model->currency >> (16 - 8 * i) & 0xff);
    row->currency = (struct slice){ret_row->currency, 3};
    tariff_own(model, NULL, own);
    show_prices(own, ret_row->prices[0], row->per_million);
    for (size_t t = 0; t < model->tiers_len; t++) {
        const struct price_tier *tier = &model->tiers[t];
        struct pricing_tier_row *to = &ret_row->tiers[t];
        *to = (struct pricing_tier_row){.service = (enum price_service)tier->service,
                                        .above = tier->above,
                                        .grade = tier->grade};
        tariff_own(model, tier, own);
        show_prices(own, ret_row->prices[1 + t], to->per_million);
    }
}

void sheet_set(struct sheet_row *row, enum price_meter meter, struct slice per_million)
{
    ASSERT(per_million.len < DECIMAL_ROOM);
    memcpy(row->prices[0][meter], per_million.data, per_million.len);
    row->row.per_million[meter] = (struct slice){row->prices[0][meter], per_million.len};
}

/* ---- Writing --------------------------------------------------------------------------------- */

enum { MARKUP_PLACES = 4 /* more digits of a price than it has without */ };
_Static_assert(PRICING_MARKUP_ONE == 10000, "so many digits");

static int write_prices(const struct slice texts[PRICE_METERS], int32_t markup_bp,
                        struct buffer *out)
{
    int rc = buffer_text(out, "\"prices\":{");
    bool first = true;
    for (int i = 0; !rc && i < PRICE_METERS; i++) {
        int128 atto;
        unsigned shift;
        char room[DECIMAL_ROOM];
        const char *key = price_words_key((enum price_meter)i, &shift);
        if (!texts[i].len || decimal_parse128(texts[i], 18, false, &atto))
            continue;
        decimal_format(atto * (PRICING_MARKUP_ONE + markup_bp), 18 + MARKUP_PLACES + shift, 0,
                       room);
        rc = buffer_format(out, "%s\"%s\":\"%s\"", first ? "" : ",", key, room);
        first = false;
    }
    return rc ? rc : buffer_text(out, "}");
}

static int write_grade(struct price_grade grade, struct buffer *out)
{
    int rc = 0;
    if (grade.quality)
        rc = buffer_format(out, "\"quality\":\"%s\",", pricing_quality_word(grade));
    if (!rc && grade.width)
        rc = buffer_format(out, "\"size\":\"%ux%u\",", (unsigned)grade.width,
                           (unsigned)grade.height);
    return rc;
}

static int write_tier(const struct pricing_tier_row *tier, int32_t markup_bp, struct buffer *out)
{
    int rc = buffer_text(out, "{");
    if (!rc && tier->service != PRICE_STANDARD)
        rc = buffer_format(out, "\"service\":\"%s\",", price_words_service(tier->service));
    if (!rc && tier->above)
        rc = buffer_format(out, "\"above\":%lld,", (long long)tier->above);
    if (!rc)
        rc = write_grade(tier->grade, out);
    if (!rc)
        rc = write_prices(tier->per_million, markup_bp, out);
    return rc ? rc : buffer_text(out, "}");
}

int sheet_write_marked(const struct pricing_row *row, int32_t markup_bp, struct buffer *out)
{
    struct slice currency = row->currency.len ? row->currency : SLICE_LITERAL("USD");
    int rc = buffer_text(out, "\"provider\":");
    if (!rc)
        rc = row->provider.len ? json_quote(out, row->provider) : buffer_text(out, "null");
    if (!rc)
        rc = buffer_format(out, ",\"currency\":\"%.*s\",\"max_output_tokens\":%lld,",
                           (int)currency.len, currency.data, (long long)row->output_max);
    if (!rc)
        rc = write_prices(row->per_million, markup_bp, out);
    if (!rc)
        rc = buffer_text(out, ",\"tiers\":[");
    for (size_t i = 0; !rc && i < row->tiers_len; i++) {
        rc = i ? buffer_text(out, ",") : 0;
        if (!rc)
            rc = write_tier(&row->tiers[i], markup_bp, out);
    }
    return rc ? rc : buffer_text(out, "]");
}

int sheet_write(const struct pricing_row *row, struct buffer *out)
{
    return sheet_write_marked(row, 0, out);
}
