/* SPDX-License-Identifier: Apache-2.0
 * A list is one array sorted by name, searched by halving: eleven comparisons among the built-in
 * models. The built-in rows point into one copy of the embedded CSV, which is split in place; what
 * rows bring later, and all tariffs, lie in an arena as long as the list lives.
 *
 * The CSV's last column holds what few models have, as words: PRICE=DECIMAL, and before the prices
 * of a tier its head, a service, a length, or both:
 *
 *   cache_write_1h=6 search=10000 >200000 input=6 output=22.5 priority>200000 input=12 output=45
 *
 * or a grade, of what is billed by the piece: image=40000 hd:1024x1024 image=80000
 *
 * Models that cost the same, and most do with dozens of others, share their tariff's bytes.
 *
 * Digits: a price is kept in 10^-18 of a currency unit per million units, so one unit's price is
 * exact to 10^-24, a digit more than the finest one in the source. Tokens times price is then in
 * 10^-24 units; the products of a call are summed in 128 bits, and 10^15 of them are a nano.
 *
 * Not done: a hash table (a look-up is 0.2 us of a call that takes hundreds); prices by the page,
 * and by region (docs/prices.md says what that means for whom). */
#include "pricing/pricing.h"

#include "base/assert.h"
#include "codec/csv.h"
#include "codec/decimal.h"
#include "pricing/grade.h"
#include "pricing/tariff.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

extern const unsigned char data_prices_csv[];
extern const size_t data_prices_csv_len;

/* The columns of the list that are prices, as they come. */
static const enum price_meter priced[] = {PRICE_INPUT, PRICE_CACHED_INPUT, PRICE_CACHE_WRITE,
                                          PRICE_OUTPUT, PRICE_REASONING};
enum { PRICED = sizeof priced / sizeof priced[0] };

enum { COLUMN_NAME = 0, COLUMN_PROVIDER, COLUMN_CURRENCY, COLUMN_PRICES };
enum { COLUMN_OUTPUT_MAX = COLUMN_PRICES + PRICED, COLUMN_REASONS, COLUMN_MORE, COLUMNS };
enum { ROOM_ADDED = 64, VERSION_ROOM = 64 /* bytes a record keeps of it */ };
enum { CHUNK = 32768, ALIGNMENT = 16, SEEN = 256 };

static const char *const meter_names[PRICE_METERS] = {
    [PRICE_INPUT] = "input",
    [PRICE_CACHED_INPUT] = "cached_input",
    [PRICE_CACHE_WRITE] = "cache_write",
    [PRICE_CACHE_WRITE_1H] = "cache_write_1h",
    [PRICE_AUDIO_INPUT] = "audio_input",
    [PRICE_IMAGE_INPUT] = "image_input",
    [PRICE_OUTPUT] = "output",
    [PRICE_REASONING] = "reasoning",
    [PRICE_AUDIO_OUTPUT] = "audio_output",
    [PRICE_IMAGE_OUTPUT] = "image_output",
    [PRICE_SEARCH] = "search",
    [PRICE_SEARCHED] = "searched",
    [PRICE_REQUEST] = "request",
    [PRICE_IMAGE] = "image",
    [PRICE_CHARACTER] = "character",
    [PRICE_AUDIO_SECOND] = "audio_second",
    [PRICE_VIDEO_SECOND] = "video_second",
};
static const char *const service_names[PRICE_SERVICES] = {"standard", "priority", "flex", "batch",
                                                          "fast"};

struct chunk {
    struct chunk *next;
    size_t used, room;
    _Alignas(ALIGNMENT) char bytes[];
};

struct pricing {
    struct pricing *self; /* for holders, who only read the rest */
    atomic_size_t holders;
    const struct pricing *under; /* held; NULL: none */
    struct price_model *models;  /* sorted by name, no name twice */
    size_t len, room;
    size_t more;           /* of these, that are not in the one under it */
    char *builtin;         /* the CSV; names point into it */
    struct chunk *chunks;  /* tariffs, and texts of rows that were put */
    struct seen {          /* a tariff that is kept, by its hash's last bits */
        const char *bytes; /* prices, then tiers */
        size_t len;
    } seen[SEEN];
    struct price_model ceiling;
    bool has_ceiling;
    uint64_t added;    /* hash of all that was put, in order; 0: nothing */
    struct slice base; /* "builtin-DATE" */
    char version[VERSION_ROOM];
};

/* ---- What lives as long as the list ---------------------------------------------------------- */

/* NULL: no memory. */
static void *take(struct pricing *pricing, size_t len)
{
    size_t needed = (len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct chunk *chunk = pricing->chunks;
    if (!chunk || chunk->room - chunk->used < needed) {
        size_t room = needed > CHUNK ? needed : CHUNK;
        chunk = malloc(sizeof *chunk + room);
        if (!chunk)
            return NULL;
        *chunk = (struct chunk){.next = pricing->chunks, .room = room};
        pricing->chunks = chunk;
    }
    void *taken = chunk->bytes + chunk->used;
    chunk->used += needed;
    return taken;
}

static int keep_text(struct pricing *pricing, struct slice *text)
{
    if (!text->len)
        return 0;
    char *kept = take(pricing, text->len);
    if (!kept)
        return METE_E_MEMORY;
    memcpy(kept, text->data, text->len);
    text->data = kept;
    return 0;
}

static void use_tariff(struct price_model *model, const char *bytes, size_t tiers_len)
{
    model->prices = (const void *)bytes;
    model->tiers = (const void *)(bytes + PRICE_METERS * sizeof(struct price));
    model->tiers_len = (uint8_t)tiers_len;
}

static int keep_tariff(struct pricing *pricing, const struct tariff *tariff,
                       struct price_model *model)
{
    _Static_assert(offsetof(struct tariff, tiers) == sizeof tariff->prices &&
                       sizeof tariff->tiers[0] == sizeof tariff->prices + 16,
                   "a tariff's bytes lie together and have no holes");
    size_t len = sizeof tariff->prices + tariff->tiers_len * sizeof tariff->tiers[0];
    struct seen *seen = &pricing->seen[XXH3_64bits(tariff, len) % SEEN];
    if (seen->len != len || memcmp(seen->bytes, tariff, len) != 0) {
        char *bytes = take(pricing, len);
        if (!bytes)
            return METE_E_MEMORY;
        memcpy(bytes, tariff, len);
        *seen = (struct seen){bytes, len};
    }
    use_tariff(model, seen->bytes, tariff->tiers_len);
    return 0;
}

/* ---- One row --------------------------------------------------------------------------------- */

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

/* The texts stay the row's, and the prices apart. */
static int parse_row(const struct pricing_row *row, struct price_model *ret_model,
                     struct tariff *ret_tariff)
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
    if (!rc)
        rc = tariff_parse(row, ret_tariff);
    if (!rc)
        *ret_model = model;
    return rc;
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
    if (i < pricing->len && slice_equal(pricing->models[i].name, name))
        return &pricing->models[i];
    return pricing->under ? find_exactly(pricing->under, name) : NULL;
}

/* In its place, or in that of the one with its name. */
static int insert(struct pricing *pricing, const struct price_model *model)
{
    size_t i = lower_bound(pricing, model->name);
    bool more = !find_exactly(pricing, model->name);
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
    pricing->more += more;
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
static unsigned find_name(const char *const *names, unsigned len, struct slice name)
{
    unsigned i = 0;
    while (i < len && !slice_is(name, names[i]))
        i++;
    ASSERT(i < len);
    return i;
}

/* "priority", ">200000", "priority>200000"; "hd:1024x1792", "hd:", ":1024x1792" */
static void read_head(struct slice word, struct pricing_tier_row *ret_tier)
{
    const char *grade = memchr(word.data, ':', word.len);
    if (grade) {
        size_t quality = (size_t)(grade - word.data);
        *ret_tier = (struct pricing_tier_row){
            .grade = pricing_grade(slice_part(word, 0, quality), slice_from(word, quality + 1))};
        ASSERT(grade_is_said(ret_tier->grade));
        return;
    }
    const char *mark = memchr(word.data, '>', word.len);
    size_t len = mark ? (size_t)(mark - word.data) : word.len;
    *ret_tier = (struct pricing_tier_row){.service = PRICE_STANDARD};
    if (len)
        ret_tier->service =
            (enum price_service)find_name(service_names, PRICE_SERVICES, slice_part(word, 0, len));
    if (mark)
        ret_tier->above = parse_whole(slice_from(word, len + 1));
}

static void read_word(struct slice word, struct pricing_row *row, struct pricing_tier_row *tiers)
{
    const char *is = memchr(word.data, '=', word.len);
    if (!is) {
        ASSERT(row->tiers_len < LIMIT_PRICE_TIERS);
        read_head(word, &tiers[row->tiers_len++]);
        return;
    }
    size_t len = (size_t)(is - word.data);
    unsigned meter = find_name(meter_names, PRICE_METERS, slice_part(word, 0, len));
    struct slice *texts = row->tiers_len ? tiers[row->tiers_len - 1].per_million : row->per_million;
    texts[meter] = slice_from(word, len + 1);
}

static void read_more(struct slice more, struct pricing_row *row, struct pricing_tier_row *tiers)
{
    while (more.len) {
        const char *space = memchr(more.data, ' ', more.len);
        size_t len = space ? (size_t)(space - more.data) : more.len;
        read_word(slice_part(more, 0, len), row, tiers);
        more = slice_from(more, space ? len + 1 : len);
    }
    row->tiers = tiers;
}

static int read_builtin_row(struct pricing *pricing, char *line, size_t len)
{
    struct slice fields[COLUMNS];
    int count = csv_split(line, len, fields, COLUMNS);
    ASSERT(count == COLUMNS);
    struct pricing_row row = {.name = fields[COLUMN_NAME],
                              .provider = fields[COLUMN_PROVIDER],
                              .currency = fields[COLUMN_CURRENCY],
                              .output_max = parse_whole(fields[COLUMN_OUTPUT_MAX]),
                              .shows_all = parse_whole(fields[COLUMN_REASONS]) == 0};
    struct pricing_tier_row tiers[LIMIT_PRICE_TIERS];
    struct tariff tariff;
    for (size_t i = 0; i < PRICED; i++)
        row.per_million[priced[i]] = fields[COLUMN_PRICES + i];
    read_more(fields[COLUMN_MORE], &row, tiers);
    ASSERT(pricing->len < pricing->room);
    struct price_model *model = &pricing->models[pricing->len];
    int rc = parse_row(&row, model, &tariff);
    ASSERT(rc == 0);
    ASSERT(!pricing->len || compare(model[-1].name, model->name) < 0);
    rc = keep_tariff(pricing, &tariff, model);
    ASSERT_INV("INV-11", rc || tariff_is_priced(model));
    if (!rc)
        pricing->len++;
    return rc;
}

/* "# builtin-2026-07-24 from ..." */
static struct slice read_base(const char *line, size_t len)
{
    ASSERT(len > 2 && line[0] == '#' && line[1] == ' ');
    const char *end = memchr(line + 2, ' ', len - 2);
    ASSERT(end);
    return (struct slice){line + 2, (size_t)(end - line) - 2};
}

static int read_builtin(struct pricing *pricing)
{
    char *at = pricing->builtin, *end = at + data_prices_csv_len;
    int rc = 0;
    while (!rc && at < end) {
        char *newline = memchr(at, '\n', (size_t)(end - at));
        ASSERT(newline);
        size_t len = (size_t)(newline - at);
        if (*at != '#')
            rc = read_builtin_row(pricing, at, len);
        else if (!pricing->base.len)
            pricing->base = read_base(at, len);
        at = newline + 1;
    }
    ASSERT(pricing->base.len > 0);
    return rc;
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

/* With one holder. NULL: no memory. */
static struct pricing *make(void)
{
    struct pricing *pricing = calloc(1, sizeof *pricing);
    if (!pricing)
        return NULL;
    pricing->self = pricing;
    atomic_init(&pricing->holders, 1);
    return pricing;
}

int pricing_new_over(const struct pricing *under, struct pricing **ret_pricing)
{
    struct pricing *pricing = make();
    if (!pricing)
        return METE_E_MEMORY;
    pricing->under = pricing_hold(under);
    pricing->base = under->base;
    pricing->added = under->added;
    pricing->ceiling = under->ceiling;
    pricing->has_ceiling = under->has_ceiling;
    name_version(pricing);
    *ret_pricing = pricing;
    return 0;
}

static bool names(struct slice pattern, struct slice model)
{
    size_t len = pattern.len;
    if (len && pattern.data[len - 1] == '*')
        return slice_starts(model, slice_part(pattern, 0, len - 1));
    return slice_equal(pattern, model);
}

static bool is_marked(const struct pricing_markup *markup, struct slice model)
{
    struct slice rest = markup->models;
    bool is = !rest.len;
    while (rest.len && !is) {
        const char *end = memchr(rest.data, '\n', rest.len);
        size_t len = end ? (size_t)(end - rest.data) : rest.len;
        is = names(slice_part(rest, 0, len), model);
        rest = slice_from(rest, end ? len + 1 : len);
    }
    return is;
}

int pricing_new_marked(const struct pricing *under, const struct pricing_markup *markup,
                       struct pricing **ret_pricing)
{
    struct pricing *pricing;
    int rc = pricing_new_over(under, &pricing);
    if (rc)
        return rc;
    const struct price_model *each = pricing_next(under, (struct slice){0});
    for (; each && !rc; each = pricing_next(under, each->name)) {
        struct price_model model = *each;
        model.markup_bp = is_marked(markup, model.name) ? markup->bp : 0;
        rc = insert(pricing, &model);
    }
    if (!markup->models.len)
        pricing->ceiling.markup_bp = markup->bp;
    uint64_t hash = XXH3_64bits_withSeed(&markup->bp, sizeof markup->bp, pricing->added);
    hash = XXH3_64bits_withSeed(markup->models.data, markup->models.len, hash);
    pricing->added = hash ? hash : 1;
    name_version(pricing);
    if (rc)
        pricing_free(pricing);
    else
        *ret_pricing = pricing;
    return rc;
}

int pricing_new(struct pricing **ret_pricing)
{
    struct pricing *pricing = make();
    if (!pricing)
        return METE_E_MEMORY;
    pricing->room = count_lines() + ROOM_ADDED;
    pricing->models = malloc(pricing->room * sizeof *pricing->models);
    pricing->builtin = malloc(data_prices_csv_len);
    int rc = METE_E_MEMORY;
    if (pricing->models && pricing->builtin) {
        memcpy(pricing->builtin, data_prices_csv, data_prices_csv_len);
        rc = read_builtin(pricing);
    }
    if (rc) {
        pricing_free(pricing);
        return rc;
    }
    name_version(pricing);
    *ret_pricing = pricing;
    return 0;
}

const struct pricing *pricing_hold(const struct pricing *pricing)
{
    size_t before = pricing ? atomic_fetch_add(&pricing->self->holders, 1) : 1;
    ASSERT(before > 0);
    return pricing;
}

static void end(struct pricing *pricing)
{
    while (pricing->chunks) {
        struct chunk *next = pricing->chunks->next;
        free(pricing->chunks);
        pricing->chunks = next;
    }
    free(pricing->models);
    free(pricing->builtin);
    free(pricing);
}

/* One lies over another, and that perhaps over a third: as many rounds. */
void pricing_free(const struct pricing *pricing)
{
    while (pricing && atomic_fetch_sub(&pricing->self->holders, 1) == 1) {
        const struct pricing *under = pricing->under;
        end(pricing->self);
        pricing = under;
    }
}

static int keep_model(struct pricing *pricing, const struct tariff *tariff,
                      struct price_model *model)
{
    int rc = keep_text(pricing, &model->name);
    if (!rc)
        rc = keep_text(pricing, &model->provider);
    return rc ? rc : keep_tariff(pricing, tariff, model);
}

/* Chains what was put into the version: the same rows in the same order give the same one. */
static void add_to_version(struct pricing *pricing, const struct price_model *model, bool ceiling)
{
    uint64_t hash = XXH3_64bits_withSeed(model->name.data, model->name.len, pricing->added);
    hash = XXH3_64bits_withSeed(
        model->prices,
        PRICE_METERS * sizeof(struct price) + model->tiers_len * sizeof(*model->tiers), hash);
    hash = XXH3_64bits_withSeed(&model->output_max, sizeof model->output_max, hash);
    hash = XXH3_64bits_withSeed(&model->currency, sizeof model->currency, hash + ceiling);
    pricing->added = hash ? hash : 1;
    name_version(pricing);
}

int pricing_set_ceiling(struct pricing *pricing, const struct pricing_row *row)
{
    struct price_model model;
    struct tariff tariff;
    int rc = parse_row(row, &model, &tariff);
    if (!rc && !tariff_is_whole(tariff.prices))
        return METE_E_INVALID;
    if (rc)
        return rc;
    tariff_cover(&tariff);
    rc = keep_model(pricing, &tariff, &model);
    if (rc)
        return rc;
    model.is_ceiling = true;
    pricing->ceiling = model;
    pricing->has_ceiling = true;
    add_to_version(pricing, &model, true);
    return 0;
}

/* ---- Looking up ------------------------------------------------------------------------------ */

/* The model at the end of a path that Google or Amazon names it by: models/M,
 * publishers/P/models/M, arn:aws:bedrock:REGION:ACCOUNT:inference-profile/M. Others stay as they
 * are. */
static struct slice end_of_path(struct slice name)
{
    static const char *const begins[] = {"models/", "publishers/", "arn:aws"};
    const char *slash = name.len ? memrchr(name.data, '/', name.len) : NULL;
    for (size_t i = 0; slash && i < sizeof begins / sizeof begins[0]; i++)
        if (slice_starts(name, slice_of(begins[i])))
            return slice_from(name, (size_t)(slash - name.data) + 1);
    return name;
}

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
    static const char *const shapes[] = {"-0000-00-00", "-00000000", "@00000000"};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
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

/* "vertex_ai" has what "vertex_ai-language-models" lists; "google", as those who sell many makers'
 * models call it, what Google's two doors list. */
static bool is_of(const struct price_model *model, struct slice prefix)
{
    if (!model->provider.len || slice_starts(model->provider, prefix))
        return true;
    return slice_is(prefix, "google") &&
           (slice_starts(model->provider, SLICE_LITERAL("gemini")) ||
            slice_starts(model->provider, SLICE_LITERAL("vertex_ai")));
}

/* "openai/gpt-4o" is gpt-4o of openai's, and "elsewhere/gpt-4o" is nothing we know the price of:
 * what is found must be of the provider, unless the list names none. */
static const struct price_model *find_of_provider(const struct pricing *pricing, struct slice name)
{
    const char *slash = name.len ? memchr(name.data, '/', name.len) : NULL;
    if (!slash)
        return NULL;
    struct slice provider = {name.data, (size_t)(slash - name.data)};
    const struct price_model *model = find_dated(pricing, slice_from(name, provider.len + 1));
    return model && is_of(model, provider) ? model : NULL;
}

static const struct price_model *find_listed(const struct pricing *pricing, struct slice name)
{
    const struct price_model *model = find_exactly(pricing, name);
    if (!model)
        model = find_of_provider(pricing, name);
    if (!model)
        model = find_dated(pricing, name);
    return model ? model : find_dated(pricing, end_of_path(name));
}

static const struct price_model *if_priced(const struct pricing *pricing,
                                           const struct price_model *model)
{
    if (!model && pricing->has_ceiling)
        model = &pricing->ceiling;
    return model && tariff_is_priced(model) ? model : NULL;
}

const struct price_model *pricing_find(const struct pricing *pricing, struct slice model)
{
    return if_priced(pricing, find_listed(pricing, model));
}

/* "provider/model" if that is listed; NULL: it is not. */
static const struct price_model *find_at_provider(const struct pricing *pricing,
                                                  struct slice provider, struct slice model)
{
    char name[LIMIT_PROVIDER + 1 + LIMIT_ID];
    struct slice bare = end_of_path(model);
    if (!provider.len || provider.len > LIMIT_PROVIDER || !bare.len || bare.len > LIMIT_ID)
        return NULL;
    memcpy(name, provider.data, provider.len);
    name[provider.len] = '/';
    memcpy(name + provider.len + 1, bare.data, bare.len);
    return find_dated(pricing, (struct slice){name, provider.len + 1 + bare.len});
}

/* What the operator put goes before what came with the list. */
const struct price_model *pricing_find_of(const struct pricing *pricing, struct slice provider,
                                          struct slice model)
{
    const struct price_model *there = find_at_provider(pricing, provider, model);
    const struct price_model *named = find_exactly(pricing, model);
    if (there && (there->is_put || !named || !named->is_put))
        return if_priced(pricing, there);
    return if_priced(pricing, named && named->is_put ? named : find_listed(pricing, model));
}

int pricing_put(struct pricing *pricing, const struct pricing_row *row)
{
    struct price_model model;
    struct tariff tariff;
    if (row->name.len == 0)
        return METE_E_INVALID;
    int rc = parse_row(row, &model, &tariff);
    if (rc)
        return rc;
    const struct price_model *listed = find_listed(pricing, row->name);
    if (listed)
        model.reasons &= listed->reasons;
    model.is_put = true;
    rc = keep_model(pricing, &tariff, &model);
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
    return pricing->under ? pricing_len(pricing->under) + pricing->more : pricing->len;
}

const struct price_model *pricing_listed(const struct pricing *pricing, struct slice name)
{
    return find_exactly(pricing, name);
}

const struct price_model *pricing_next_own(const struct pricing *pricing, struct slice name)
{
    size_t i = lower_bound(pricing, name);
    while (i < pricing->len && compare(pricing->models[i].name, name) <= 0)
        i++; /* itself */
    return i < pricing->len ? &pricing->models[i] : NULL;
}

const struct price_model *pricing_next(const struct pricing *pricing, struct slice name)
{
    const struct price_model *next = NULL;
    for (; pricing; pricing = pricing->under) {
        const struct price_model *own = pricing_next_own(pricing, name);
        if (own && (!next || compare(own->name, next->name) < 0))
            next = own; /* of two with a name, the upper one */
    }
    return next;
}
