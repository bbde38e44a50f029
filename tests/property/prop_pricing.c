/* SPDX-License-Identifier: Apache-2.0
 * Proves INV-08 for prices: a charge is the exact sum, marked up, rounded half to even once, and no
 * usage within the bound of a call costs more than its reservation (on which INV-01 rests). How:
 * random prices of up to 18 places and random usages, against school arithmetic on decimal digits
 * that starts from the price's text and shares nothing with src/pricing. Choices come from the tape
 * (tape.h). */
#include "base/checked.h"
#include "base/limits.h"
#include "pricing/pricing.h"
#include "property/tape.h"

/* ---- The slow model: non-negative decimal numbers, least digit first, 28 places -------------- */

enum { DIGITS = 80, PLACES = 28, NANO_AT = PLACES - 9 };

static int64_t factor =
    PRICING_MARKUP_ONE; /* what is paid of a price, in hundredths of a percent */

struct digits {
    unsigned char at[DIGITS];
};

static void carry(unsigned *sums, struct digits *ret_sum)
{
    unsigned rest = 0;
    for (int i = 0; i < DIGITS; i++) {
        rest += sums[i];
        ret_sum->at[i] = (unsigned char)(rest % 10);
        rest /= 10;
    }
    ASSERT(rest == 0);
}

static void add(struct digits *sum, const struct digits *more)
{
    unsigned sums[DIGITS];
    for (int i = 0; i < DIGITS; i++)
        sums[i] = (unsigned)sum->at[i] + more->at[i];
    carry(sums, sum);
}

/* text per million at the markup, so that its last of 18 places is the last of 28. */
static struct digits times(const char *per_million, int64_t units)
{
    unsigned sums[DIGITS] = {0};
    const char *point = strchr(per_million, '.');
    int place = PLACES - 4 - 6 - (int)(point ? strlen(point + 1) : 0);
    for (const char *c = per_million + strlen(per_million); c-- > per_million;) {
        if (*c == '.')
            continue;
        int at = place;
        for (int64_t rest = units * factor; rest; rest /= 10)
            sums[at++] += (unsigned)(*c - '0') * (unsigned)(rest % 10);
        place++;
    }
    struct digits product;
    carry(sums, &product);
    return product;
}

/* Half to even at the nano, looking at the digits. */
static int128 to_nano(const struct digits *sum)
{
    int128 nano = 0;
    for (int i = DIGITS; i-- > NANO_AT;)
        nano = nano * 10 + sum->at[i];
    bool more = false;
    for (int i = 0; i < NANO_AT - 1; i++)
        more = more || sum->at[i];
    unsigned char half = sum->at[NANO_AT - 1];
    if (half > 5 || (half == 5 && (more || nano % 2)))
        nano++;
    return nano;
}

/* ---- Drawn cases ----------------------------------------------------------------------------- */

static struct pricing *pricing; /* one for all tapes: each replaces its one row */

enum { UNITS_MAX = 1000 * 1000 * 1000, CASES_MAX = 64 };

enum { TIERS_MAX = 4 };

/* "" where there is no price. Place 0 is the row's own; the others are tiers. */
struct texts {
    char at[1 + TIERS_MAX][PRICE_METERS][64];
    struct pricing_tier_row tiers[TIERS_MAX];
    size_t tiers_len;
};

/* "0", short ones, ties at half a nano, 17 digits, the finest there is. */
static void draw_price(struct tape *tape, char *room)
{
    static const char digits[] = "05123456789";
    size_t len = 0, whole = tape_pick(tape, 4), places = tape_pick(tape, 19);
    for (size_t i = 0; i < whole; i++)
        room[len++] = digits[tape_pick(tape, 11)];
    if (!whole)
        room[len++] = '0';
    if (places) {
        room[len++] = '.';
        for (size_t i = 0; i < places; i++)
            room[len++] = digits[tape_chance(tape, 50) ? tape_pick(tape, 11) : tape_pick(tape, 2)];
    }
    room[len] = 0;
}

/* What has no price and falls back to none. */
static bool may_lack(enum price_meter meter)
{
    return meter == PRICE_AUDIO_INPUT || meter == PRICE_AUDIO_OUTPUT ||
           meter == PRICE_IMAGE_OUTPUT || meter == PRICE_SEARCH || meter == PRICE_SEARCHED ||
           meter >= PRICE_IMAGE;
}

/* to: PRICE_METERS, or PRICE_IMAGE: a tier of tokens has no pieces. */
static void draw_prices(struct tape *tape, char (*texts)[64], int to, struct slice *ret_per_million)
{
    for (int meter = 0; meter < PRICE_METERS; meter++) {
        texts[meter][0] = 0;
        if (meter >= to)
            continue;
        if (!may_lack((enum price_meter)meter) || !tape_chance(tape, 10))
            draw_price(tape, texts[meter]);
        ret_per_million[meter] = slice_of(texts[meter]);
    }
}

static bool is_new(const struct texts *texts, const struct pricing_tier_row *tier)
{
    for (size_t i = 0; i < texts->tiers_len; i++)
        if (texts->tiers[i].service == tier->service && texts->tiers[i].above == tier->above)
            return false;
    return tier->above || tier->service;
}

/* Mostly none; then whole percents, hundredths of one, nothing at all, the most there is. */
static int64_t draw_factor(struct tape *tape)
{
    static const int64_t often[] = {0, 1, 9000, 12000, PRICING_MARKUP_ONE + LIMIT_MARKUP};
    if (tape_chance(tape, 40))
        return PRICING_MARKUP_ONE;
    if (tape_chance(tape, 40))
        return often[tape_pick(tape, sizeof often / sizeof often[0])];
    return tape_range(tape, 0, 3 * PRICING_MARKUP_ONE);
}

static const struct price_model *draw_model(struct tape *tape, struct texts *ret_texts)
{
    static const int64_t thresholds[] = {0, 1, 1000, UNITS_MAX / 1000, UNITS_MAX / 2, UNITS_MAX};
    struct pricing_row row = {.name = SLICE_LITERAL("drawn"), .tiers = ret_texts->tiers};
    draw_prices(tape, ret_texts->at[0], PRICE_METERS, row.per_million);
    ret_texts->tiers_len = 0;
    for (size_t i = 0, len = tape_pick(tape, TIERS_MAX + 1); i < len; i++) {
        struct pricing_tier_row *tier = &ret_texts->tiers[ret_texts->tiers_len];
        *tier = (struct pricing_tier_row){
            .service = (enum price_service)tape_pick(tape, PRICE_SERVICES),
            .above = thresholds[tape_pick(tape, sizeof thresholds / sizeof thresholds[0])]};
        if (is_new(ret_texts, tier))
            draw_prices(tape, ret_texts->at[++ret_texts->tiers_len], PRICE_IMAGE,
                        tier->per_million);
    }
    row.tiers_len = ret_texts->tiers_len;
    int rc = pricing_put(pricing, &row);
    ASSERT(rc == 0);
    const struct price_model *found = pricing_find(pricing, row.name);
    if (!found)
        return NULL;
    static struct price_model marked;
    marked = *found;
    factor = draw_factor(tape);
    marked.markup_bp = (int32_t)(factor - PRICING_MARKUP_ONE);
    return &marked;
}

/* Takes some of what is left. */
static int64_t draw_part(struct tape *tape, int64_t *left)
{
    int64_t part = tape_range(tape, 0, *left);
    *left -= part;
    return part;
}

static bool also(const struct pricing_limits *limits, enum price_meter meter)
{
    return limits->also & PRICE_BIT(meter);
}

/* Any within the limits. */
static struct pricing_usage draw_usage(struct tape *tape, const struct pricing_limits *limits,
                                       int64_t output_max)
{
    struct pricing_usage usage = {.input = tape_range(tape, 0, limits->input),
                                  .output = tape_range(tape, 0, output_max),
                                  .searches = tape_range(tape, 0, limits->searches)};
    /* Of what was asked for there is some: a call without is none of the format. */
    usage.images = tape_range(tape, limits->images > 0, limits->images);
    usage.characters = tape_range(tape, limits->characters > 0, limits->characters);
    usage.audio_seconds = tape_range(tape, limits->audio_seconds > 0, limits->audio_seconds);
    usage.video_seconds = tape_range(tape, limits->video_seconds > 0, limits->video_seconds);
    int64_t left = usage.input;
    usage.cached_input = draw_part(tape, &left);
    usage.cache_write = draw_part(tape, &left);
    usage.image_input = draw_part(tape, &left);
    if (also(limits, PRICE_AUDIO_INPUT))
        usage.audio_input = draw_part(tape, &left);
    if (also(limits, PRICE_CACHE_WRITE_1H))
        usage.cache_write_1h = tape_range(tape, 0, usage.cache_write);
    left = usage.output;
    usage.reasoning = draw_part(tape, &left);
    if (also(limits, PRICE_AUDIO_OUTPUT))
        usage.audio_output = draw_part(tape, &left);
    if (also(limits, PRICE_IMAGE_OUTPUT))
        usage.image_output = draw_part(tape, &left);
    do
        usage.service = (enum price_service)tape_pick(tape, PRICE_SERVICES);
    while (!(limits->services & PRICE_BIT(usage.service)) && !tape_done(tape));
    if (!(limits->services & PRICE_BIT(usage.service)))
        usage.service = PRICE_STANDARD;
    return usage;
}

static struct pricing_limits draw_limits(struct tape *tape)
{
    struct pricing_limits limits = {.input = tape_range(tape, 0, UNITS_MAX),
                                    .choices = tape_range(tape, 1, 128)};
    for (int meter = 0; meter < PRICE_SEARCH; meter++)
        if (tape_chance(tape, 50))
            limits.also |= PRICE_BIT(meter);
    if (tape_chance(tape, 30))
        limits.searches = tape_range(tape, 1, 1000);
    if (tape_chance(tape, 30)) { /* of one kind a call, as calls are */
        int64_t *const pieces[] = {&limits.images, &limits.characters, &limits.audio_seconds,
                                   &limits.video_seconds};
        *pieces[tape_pick(tape, 4)] = tape_range(tape, 1, 1000);
    }
    limits.services = PRICE_BIT(PRICE_STANDARD) | (uint32_t)tape_pick(tape, 1 << PRICE_SERVICES);
    return limits;
}

/* ---- What a call costs, slowly ----------------------------------------------------------------
 */

static int highest(const struct texts *texts, enum price_service service, int64_t input)
{
    int found = -1;
    for (int i = 0; i < (int)texts->tiers_len; i++) {
        const struct pricing_tier_row *tier = &texts->tiers[i];
        if (tier->service == service && (!tier->above || tier->above < input) &&
            (found < 0 || tier->above > texts->tiers[found].above))
            found = i;
    }
    return found;
}

static bool is_dearer(const char *a, const char *b)
{
    struct digits x = times(a, 1), y = times(b, 1);
    int i = DIGITS - 1;
    while (i > 0 && x.at[i] == y.at[i])
        i--;
    return x.at[i] > y.at[i];
}

/* A tier's text, else the row's; a search or a call that searched costs nothing if only the other
 * has a price. */
static const char *text_in(const struct texts *texts, int place, enum price_meter meter)
{
    const char *text = texts->at[place][meter];
    if (!*text && place)
        text = text_in(texts, 0, meter);
    enum price_meter other = meter == PRICE_SEARCH ? PRICE_SEARCHED : PRICE_SEARCH;
    if (!*text && (meter == PRICE_SEARCH || meter == PRICE_SEARCHED) && *texts->at[place][other])
        return "0";
    return text;
}

/* "": it has none. */
static const char *text_of(const struct texts *texts, const struct pricing_usage *u,
                           enum price_meter meter)
{
    int standard = highest(texts, PRICE_STANDARD, u->input),
        own = highest(texts, u->service, u->input);
    const char *usual = text_in(texts, standard + 1, meter);
    if (own < 0)
        return u->service == PRICE_PRIORITY || u->service == PRICE_FAST ? "" : usual;
    const char *text = text_in(texts, own + 1, meter);
    if (standard < 0 || texts->tiers[standard].above <= texts->tiers[own].above)
        return text;
    return !*text || !*usual ? "" : is_dearer(usual, text) ? usual : text;
}

static void list_units(const struct pricing_usage *u, int64_t ret_units[PRICE_METERS])
{
    const int64_t units[PRICE_METERS] = {
        [PRICE_CACHED_INPUT] = u->cached_input,
        [PRICE_CACHE_WRITE] = u->cache_write - u->cache_write_1h,
        [PRICE_CACHE_WRITE_1H] = u->cache_write_1h,
        [PRICE_AUDIO_INPUT] = u->audio_input,
        [PRICE_IMAGE_INPUT] = u->image_input,
        [PRICE_INPUT] =
            u->input - u->cached_input - u->cache_write - u->audio_input - u->image_input,
        [PRICE_REASONING] = u->reasoning,
        [PRICE_AUDIO_OUTPUT] = u->audio_output,
        [PRICE_IMAGE_OUTPUT] = u->image_output,
        [PRICE_OUTPUT] = u->output - u->reasoning - u->audio_output - u->image_output,
        [PRICE_SEARCH] = u->searches,
        [PRICE_SEARCHED] = u->searches ? 1 : 0,
        [PRICE_REQUEST] = 1,
        [PRICE_IMAGE] = u->images,
        [PRICE_CHARACTER] = u->characters,
        [PRICE_AUDIO_SECOND] = u->audio_seconds,
        [PRICE_VIDEO_SECOND] = u->video_seconds,
    };
    memcpy(ret_units, units, sizeof units);
}

static bool has_pieces(const struct pricing_usage *u)
{
    return u->images || u->characters || u->audio_seconds || u->video_seconds;
}

/* Whether the call is billed by its pieces: one kind a call, and it has a price. */
static bool by_piece(const struct texts *texts, const struct pricing_usage *u)
{
    int64_t units[PRICE_METERS];
    list_units(u, units);
    for (int i = PRICE_IMAGE; i < PRICE_METERS; i++)
        if (units[i] && *text_of(texts, u, (enum price_meter)i))
            return true;
    return false;
}

/* Nothing tells what it comes to. */
static bool tells_nothing(const struct texts *texts, const struct pricing_usage *u)
{
    return has_pieces(u) && !by_piece(texts, u) && !u->input && !u->output;
}

/* Adds what the units of one meter cost. false: they have no price. */
static bool add_slowly(const struct texts *texts, const struct pricing_usage *u,
                       enum price_meter meter, struct digits *sum)
{
    int64_t units[PRICE_METERS];
    list_units(u, units);
    const char *text = text_of(texts, u, meter);
    struct digits product = times(*text ? text : "0", units[meter]);
    add(sum, &product);
    bool beside = by_piece(texts, u) ? meter <= PRICE_IMAGE_OUTPUT : meter >= PRICE_IMAGE;
    return *text || !units[meter] || beside;
}

/* -1: it has no price. */
static int128 charge_slowly(const struct texts *texts, const struct pricing_usage *u)
{
    struct digits sum = {{0}};
    if (tells_nothing(texts, u))
        return -1;
    for (int i = 0; i < PRICE_METERS; i++)
        if (!add_slowly(texts, u, (enum price_meter)i, &sum))
            return -1;
    return to_nano(&sum);
}

static int a_charge_is_the_exact_sum_rounded_once(struct tape *tape)
{
    for (int i = 0; i < CASES_MAX && !tape_done(tape); i++) {
        struct texts texts;
        const struct price_model *model = draw_model(tape, &texts);
        struct pricing_limits limits = draw_limits(tape);
        struct pricing_usage usage = draw_usage(tape, &limits, UNITS_MAX);
        int64_t nano = -1;
        int rc = model ? pricing_charge(model, &usage, &nano) : METE_E_INVALID;
        if ((rc && rc != METE_E_UNPRICED) || nano != charge_slowly(&texts, &usage))
            return 1;
    }
    return 0;
}

/* Each is what its units cost, but for less than a nano, and the parts are the charge. */
static int the_parts_of_a_charge_are_the_charge(struct tape *tape)
{
    static const struct {
        uint16_t meter;
        enum price_meter first, last;
    } prices_of[] = {{METE_INPUT, PRICE_INPUT, PRICE_INPUT},
                     {METE_CACHED_INPUT, PRICE_CACHED_INPUT, PRICE_CACHED_INPUT},
                     {METE_CACHE_WRITE, PRICE_CACHE_WRITE, PRICE_CACHE_WRITE},
                     {METE_CACHE_WRITE_1H, PRICE_CACHE_WRITE_1H, PRICE_CACHE_WRITE_1H},
                     {METE_AUDIO_INPUT, PRICE_AUDIO_INPUT, PRICE_AUDIO_INPUT},
                     {METE_IMAGE_INPUT, PRICE_IMAGE_INPUT, PRICE_IMAGE_INPUT},
                     {METE_OUTPUT, PRICE_OUTPUT, PRICE_OUTPUT},
                     {METE_REASONING, PRICE_REASONING, PRICE_REASONING},
                     {METE_AUDIO_OUTPUT, PRICE_AUDIO_OUTPUT, PRICE_AUDIO_OUTPUT},
                     {METE_IMAGE_OUTPUT, PRICE_IMAGE_OUTPUT, PRICE_IMAGE_OUTPUT},
                     {METE_SEARCHES, PRICE_SEARCH, PRICE_SEARCHED},
                     {METE_REQUESTS, PRICE_REQUEST, PRICE_REQUEST},
                     {METE_IMAGES, PRICE_IMAGE, PRICE_IMAGE},
                     {METE_CHARACTERS, PRICE_CHARACTER, PRICE_CHARACTER},
                     {METE_AUDIO_SECONDS, PRICE_AUDIO_SECOND, PRICE_AUDIO_SECOND},
                     {METE_VIDEO_SECONDS, PRICE_VIDEO_SECOND, PRICE_VIDEO_SECOND}};
    for (int i = 0; i < CASES_MAX && !tape_done(tape); i++) {
        struct texts texts;
        const struct price_model *model = draw_model(tape, &texts);
        struct pricing_limits limits = draw_limits(tape);
        struct pricing_usage usage = draw_usage(tape, &limits, UNITS_MAX);
        struct mete_part parts[METE_PARTS_MAX];
        size_t len = 0, found = 0;
        int64_t nano = 0, sum = 0;
        int rc = pricing_charge(model, &usage, &nano);
        if (pricing_parts(model, &usage, parts, &len) != rc)
            return 1;
        for (size_t k = 0; k < len; k++)
            sum += parts[k].nano;
        if (rc ? len : sum != nano)
            return 1;
        for (size_t k = 0; k < len; k++)
            for (size_t m = 0; m < sizeof prices_of / sizeof prices_of[0]; m++) {
                struct digits exact = {{0}};
                if (prices_of[m].meter != parts[k].meter)
                    continue;
                add_slowly(&texts, &usage, prices_of[m].first, &exact);
                if (prices_of[m].last != prices_of[m].first)
                    add_slowly(&texts, &usage, prices_of[m].last, &exact);
                int128 near = to_nano(&exact); /* within a half */
                if (parts[k].nano < near - 1 || parts[k].nano > near + 1)
                    return 1;
                found++;
            }
        if (found != len) /* of a meter that is none of these */
            return 1;
    }
    return 0;
}

/* Half to even, of a fraction. */
static int the_list_cost_is_what_is_paid_without_the_markup(struct tape *tape)
{
    for (int i = 0; i < CASES_MAX && !tape_done(tape); i++) {
        struct texts texts;
        const struct price_model *model = draw_model(tape, &texts);
        struct pricing_limits limits = draw_limits(tape);
        struct pricing_usage usage = draw_usage(tape, &limits, UNITS_MAX);
        int64_t paid = -1, list = -1, charged_at = factor;
        if (!model || pricing_charge(model, &usage, &paid) ||
            pricing_list_charge(model, &usage, &list))
            continue;
        factor = PRICING_MARKUP_ONE;
        if (list != charge_slowly(&texts, &usage))
            return 1;
        int64_t about = pricing_list_of(model, paid);
        if (charged_at ? (int128)about * charged_at < (int128)paid * PRICING_MARKUP_ONE ||
                             (int128)(about - 1) * charged_at >= (int128)paid * PRICING_MARKUP_ONE
                       : about != -1)
            return 1;
    }
    return 0;
}

static int no_usage_within_the_bound_costs_more_than_is_reserved(struct tape *tape)
{
    for (int i = 0; i < CASES_MAX && !tape_done(tape); i++) {
        struct texts texts;
        const struct price_model *model = draw_model(tape, &texts);
        struct pricing_limits limits = draw_limits(tape);
        int64_t quantity = tape_range(tape, 0, UNITS_MAX);
        struct mete_demand demand;
        int64_t variable = 0, nano = 0;
        int rc = pricing_bound(model, &limits, &demand);
        if ((rc && rc != METE_E_UNPRICED) ||
            (!rc && !checked_mul_div_up(demand.per_million, quantity, 1000000, &variable)))
            return 1;
        for (int j = 0; j < 4 && !rc; j++) {
            struct pricing_usage usage = draw_usage(tape, &limits, quantity * limits.choices);
            if (tells_nothing(&texts, &usage))
                continue;
            if (pricing_charge(model, &usage, &nano) || nano > demand.fixed + variable)
                return 1;
        }
    }
    return 0;
}

/* Of the finest and longest texts in the source, where a double or 10^-15 would lose digits. */
static int the_finest_prices_of_the_source_keep_every_digit(struct tape *tape)
{
    static const char *const finest[] = {"0.00000000000000001", "0.19999999999999998",
                                         "0.60000000000000009", "999.999999999999999999"};
    factor = PRICING_MARKUP_ONE;
    for (size_t i = 0; i < sizeof finest / sizeof finest[0]; i++) {
        struct pricing_row row = {.name = SLICE_LITERAL("fine")};
        row.per_million[PRICE_INPUT] = row.per_million[PRICE_OUTPUT] = slice_of(finest[i]);
        struct pricing_usage usage = {.input = tape_range(tape, 0, INT64_C(1000000000000))};
        struct digits sum = times(finest[i], usage.input);
        int64_t nano = -1;
        if (pricing_put(pricing, &row) ||
            pricing_charge(pricing_find(pricing, row.name), &usage, &nano) || nano != to_nano(&sum))
            return 1;
    }
    return 0;
}

int main(void)
{
    enum { TAPES = 10000, TAPE_MAX = 2048 };
    if (pricing_new(&pricing))
        return 1;
    int failed = tape_run("a_charge_is_the_exact_sum_rounded_once",
                          a_charge_is_the_exact_sum_rounded_once, TAPES, TAPE_MAX);
    failed |= tape_run("the_parts_of_a_charge_are_the_charge", the_parts_of_a_charge_are_the_charge,
                       TAPES, TAPE_MAX);
    failed |= tape_run("the_list_cost_is_what_is_paid_without_the_markup",
                       the_list_cost_is_what_is_paid_without_the_markup, TAPES / 2, TAPE_MAX);
    failed |= tape_run("no_usage_within_the_bound_costs_more_than_is_reserved",
                       no_usage_within_the_bound_costs_more_than_is_reserved, TAPES, TAPE_MAX);
    failed |= tape_run("the_finest_prices_of_the_source_keep_every_digit",
                       the_finest_prices_of_the_source_keep_every_digit, TAPES / 10, 64);
    pricing_free(pricing);
    return failed;
}
