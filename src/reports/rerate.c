/* SPDX-License-Identifier: Apache-2.0
 * Records are read a page at a time, newest first, so that no reader is open for long. A record
 * that was corrected is looked up with its correction and rated as one; the correction itself is
 * passed by.
 *
 * Sums are kept by model, currency and why it is not rated, if it is not; found by a hash, told in
 * order of the names. */
#include "reports/rerate.h"

#include "base/assert.h"
#include "base/checked.h"
#include "base/details.h"
#include "codec/decimal.h"
#include "codec/json_scan.h"
#include "pricing/tariff_text.h"

#include <stdlib.h>
#include <xxhash.h>

enum { PAGE = 1000, SUMS = REPORTS_RERATE_MODELS, SLOTS = 2 * SUMS, NANO_PLACES = 9, CENTS = 2 };
enum { TOTALS = 16 };

/* Why a call is not rated. */
enum why { RATED = 0, NO_PRICE, NO_METER, OTHER_CURRENCY, ESTIMATED, BY_REQUEST, WHYS };
static const char *const why_words[WHYS] = {
    [NO_PRICE] = "no_price",           /* its model has none */
    [NO_METER] = "meter_not_priced",   /* the model has, but not for all that was used */
    [OTHER_CURRENCY] = "currency",     /* it is in another currency now */
    [ESTIMATED] = "not_by_usage",      /* the charge was not made of what is known of its usage */
    [BY_REQUEST] = "price_per_request" /* of a path that the configuration prices */
};

struct sum {
    enum why why;
    uint32_t currency;
    uint64_t calls, approximate;
    int128 old_nano, new_nano;
    size_t len; /* of the model's name; 0: of all others */
    char model[LIMIT_ID];
};

struct call { /* one record, or two */
    int64_t amounts[METE_METERS_BUILTIN];
    int128 cost;    /* by the list: without a markup */
    bool is_marked; /* it had one */
    uint32_t currency;
    bool mixed; /* in several currencies */
    bool told;  /* what it cost is told apart: it was made of its usage */
    bool relayed;
    bool has_tariff, is_tariff_bad;
    struct pricing_usage tariff;
    char provider[LIMIT_PROVIDER];
    size_t provider_len;
    char answered[LIMIT_ID]; /* the model that did, where it has another name than was asked for */
    size_t answered_len;
};

struct rerating {
    struct records_reader *reader;
    const struct reports_rerate *question;
    uint64_t last; /* seq of the record read last */
    size_t read;   /* of the page */
    uint64_t calls, rated, approximate;
    struct sum *sums;
    size_t sums_len;
    uint16_t slots[SLOTS]; /* 1 + place; 0: free */
    struct sum totals[TOTALS];
    size_t totals_len;
};

/* ---- One call -------------------------------------------------------------------------------- */

static int add_amounts(struct call *call, const struct records_usage *record)
{
    for (size_t i = 0; i < record->usage_len; i++) {
        const struct mete_usage *usage = &record->usage[i];
        if (usage->meter == METE_COST) {
            call->mixed |= call->currency && call->currency != usage->currency && usage->amount;
            if (!call->currency)
                call->currency = usage->currency;
            call->cost += usage->amount;
        } else if (usage->meter < METE_METERS_BUILTIN &&
                   !checked_add(call->amounts[usage->meter], usage->amount,
                                &call->amounts[usage->meter])) {
            return METE_E_TOO_LARGE;
        }
        call->is_marked |= usage->meter == METE_LIST_COST;
    }
    return 0;
}

/* What the record says of the call; of a correction it is the true one. */
static int add_record(struct call *call, const struct records_usage *record)
{
    struct mete_part parts[METE_PARTS_MAX];
    struct mete_details details;
    if (!details_read(record->details, parts, &details))
        return METE_E_CORRUPT;
    call->told = details.parts_len > 0;
    call->relayed |= details.dialect.len > 0;
    call->has_tariff = details.tariff.len > 0;
    call->tariff = (struct pricing_usage){0};
    call->is_tariff_bad =
        call->has_tariff &&
        !tariff_text_read((struct slice){details.tariff.data, details.tariff.len}, &call->tariff);
    if (!record->corrects) {
        struct slice answered = {details.provider.data, details.provider.len};
        struct slice provider = answered.len ? answered : record->provider;
        ASSERT(provider.len <= sizeof call->provider);
        call->provider_len = provider.len;
        call->answered_len = details.model.len;
        if (details.model.len)
            memcpy(call->answered, details.model.data, details.model.len);
        if (provider.len)
            memcpy(call->provider, provider.data, provider.len);
    }
    return add_amounts(call, record);
}

static int add_correction(void *user, const struct records_usage *record)
{
    return add_record(user, record);
}

static struct pricing_usage usage_of(const struct call *call)
{
    const int64_t *amounts = call->amounts;
    return (struct pricing_usage){.input = amounts[METE_INPUT],
                                  .cached_input = amounts[METE_CACHED_INPUT],
                                  .cache_write = amounts[METE_CACHE_WRITE],
                                  .cache_write_1h = amounts[METE_CACHE_WRITE_1H],
                                  .audio_input = amounts[METE_AUDIO_INPUT],
                                  .image_input = amounts[METE_IMAGE_INPUT],
                                  .output = amounts[METE_OUTPUT],
                                  .reasoning = amounts[METE_REASONING],
                                  .audio_output = amounts[METE_AUDIO_OUTPUT],
                                  .image_output = amounts[METE_IMAGE_OUTPUT],
                                  .searches = amounts[METE_SEARCHES],
                                  .images = amounts[METE_IMAGES],
                                  .characters = amounts[METE_CHARACTERS],
                                  .audio_seconds = amounts[METE_AUDIO_SECONDS],
                                  .video_seconds = amounts[METE_VIDEO_SECONDS],
                                  .service = call->tariff.service,
                                  .grade = call->tariff.grade,
                                  .flat = call->tariff.flat};
}

static enum why rate(const struct call *call, const struct price_model *model, int64_t *ret_nano)
{
    struct pricing_usage usage = usage_of(call);
    if (!call->told || call->is_tariff_bad)
        return ESTIMATED;
    if (usage.flat)
        return BY_REQUEST;
    if (!model)
        return NO_PRICE;
    if (call->mixed || model->currency != call->currency)
        return OTHER_CURRENCY;
    return pricing_charge(model, &usage, ret_nano) ? NO_METER : RATED;
}

/* ---- Sums ------------------------------------------------------------------------------------ */

static struct sum *find_sum(struct rerating *rerating, enum why why, uint32_t currency,
                            struct slice model)
{
    XXH64_hash_t hash = XXH3_64bits_withSeed(model.data, model.len, currency * UINT64_C(8) + why);
    size_t slot = hash % SLOTS;
    for (; rerating->slots[slot]; slot = (slot + 1) % SLOTS) {
        struct sum *sum = &rerating->sums[rerating->slots[slot] - 1];
        if (sum->why == why && sum->currency == currency &&
            slice_equal((struct slice){sum->model, sum->len}, model))
            return sum;
    }
    /* The last places are for what finds none: a sum for each why and currency. */
    if (rerating->sums_len >= SUMS - WHYS * TOTALS && model.len)
        return find_sum(rerating, why, currency, (struct slice){0});
    if (rerating->sums_len == SUMS)
        return NULL;
    struct sum *sum = &rerating->sums[rerating->sums_len];
    ASSERT(model.len <= sizeof sum->model);
    *sum = (struct sum){.why = why, .currency = currency, .len = model.len};
    if (model.len)
        memcpy(sum->model, model.data, model.len);
    rerating->slots[slot] = (uint16_t)++rerating->sums_len;
    return sum;
}

static struct sum *find_total(struct rerating *rerating, uint32_t currency)
{
    for (size_t i = 0; i < rerating->totals_len; i++)
        if (rerating->totals[i].currency == currency)
            return &rerating->totals[i];
    if (rerating->totals_len == TOTALS)
        return NULL;
    struct sum *total = &rerating->totals[rerating->totals_len++];
    *total = (struct sum){.currency = currency};
    return total;
}

static void add_to(struct sum *sum, const struct call *call, int64_t nano, bool approximate)
{
    sum->calls++;
    sum->approximate += approximate;
    sum->old_nano += call->cost;
    sum->new_nano += nano;
}

static int add_call(struct rerating *rerating, const struct call *call,
                    const struct records_usage *record)
{
    const struct reports_rerate *question = rerating->question;
    struct slice provider = {call->provider, call->provider_len};
    const struct price_model *model = question->price(question->user, record->organization,
                                                      provider, record->model, call->relayed);
    if (!model && call->answered_len) /* it was asked for by an alias */
        model = question->price(question->user, record->organization, provider,
                                (struct slice){call->answered, call->answered_len}, call->relayed);
    int64_t nano = 0;
    enum why why = rate(call, model, &nano);
    bool approximate = why == RATED && !call->has_tariff && pricing_has_tariffs(model);
    struct sum *sum = find_sum(rerating, why, call->currency, record->model);
    struct sum *total = why == RATED ? find_total(rerating, call->currency) : NULL;
    if (!sum || (why == RATED && !total))
        return METE_E_TOO_LARGE; /* of currencies */
    rerating->calls++;
    rerating->rated += why == RATED;
    rerating->approximate += approximate;
    add_to(sum, call, nano, approximate);
    if (total)
        add_to(total, call, nano, approximate);
    return 0;
}

static int take(void *user, const struct records_usage *record)
{
    struct rerating *rerating = user;
    struct call call = {.cost = 0};
    rerating->read++;
    rerating->last = record->seq;
    if (record->corrects)
        return 0;
    int rc = add_record(&call, record);
    const struct records_filter its = {.seq = record->corrected, .limit = 1};
    if (!rc && record->corrected)
        rc = records_each_usage(rerating->reader, &its, add_correction, &call);
    if (call.is_marked)
        call.cost = call.amounts[METE_LIST_COST];
    return rc || !call.currency ? rc : add_call(rerating, &call, record);
}

static int read_all(struct rerating *rerating)
{
    const struct reports_rerate *question = rerating->question;
    int rc;
    do {
        const struct records_filter filter = {.scope = question->scope,
                                              .from_us = question->from_us,
                                              .to_us = question->to_us,
                                              .before_seq = rerating->last,
                                              .limit = PAGE};
        rerating->read = 0;
        rc = records_each_usage(rerating->reader, &filter, take, rerating);
    } while (!rc && rerating->read == PAGE);
    return rc;
}

/* ---- Telling --------------------------------------------------------------------------------- */

static int put_cost(struct buffer *out, const char *key, int128 nano)
{
    char room[DECIMAL_ROOM];
    decimal_format(nano, NANO_PLACES, CENTS, room);
    return buffer_format(out, ",\"%s\":\"%s\"", key, room);
}

static int put_currency(struct buffer *out, uint32_t currency)
{
    return buffer_format(out, "\"currency\":\"%c%c%c\"", (int)(currency >> 16 & 0xff),
                         (int)(currency >> 8 & 0xff), (int)(currency & 0xff));
}

static int put_model(struct buffer *out, const struct sum *sum)
{
    int rc = buffer_text(out, "\"model\":");
    if (!rc)
        rc = sum->len ? json_quote(out, (struct slice){sum->model, sum->len})
                      : buffer_text(out, "null");
    return rc ? rc : buffer_text(out, ",");
}

static int put_sum(struct buffer *out, const struct sum *sum, bool is_total)
{
    int rc = buffer_text(out, "{");
    if (!rc && !is_total)
        rc = put_model(out, sum);
    if (!rc)
        rc = put_currency(out, sum->currency);
    if (!rc)
        rc = buffer_format(out, ",\"calls\":%llu,\"approximate\":%llu",
                           (unsigned long long)sum->calls, (unsigned long long)sum->approximate);
    if (!rc)
        rc = put_cost(out, "old_cost", sum->old_nano);
    if (!rc)
        rc = put_cost(out, "new_cost", sum->new_nano);
    if (!rc)
        rc = put_cost(out, "difference", sum->new_nano - sum->old_nano);
    return rc ? rc : buffer_text(out, "}");
}

static int put_unrated(struct buffer *out, const struct sum *sum)
{
    int rc = buffer_text(out, "{");
    if (!rc)
        rc = put_model(out, sum);
    if (!rc)
        rc = buffer_format(out, "\"why\":\"%s\",", why_words[sum->why]);
    if (!rc)
        rc = put_currency(out, sum->currency);
    if (!rc)
        rc = buffer_format(out, ",\"calls\":%llu", (unsigned long long)sum->calls);
    if (!rc)
        rc = put_cost(out, "cost", sum->old_nano);
    return rc ? rc : buffer_text(out, "}");
}

static int by_name(const void *one, const void *other)
{
    const struct sum *a = one, *b = other;
    size_t len = a->len < b->len ? a->len : b->len;
    int order = memcmp(a->model, b->model, len);
    if (!order)
        order = a->len < b->len ? -1 : a->len > b->len;
    if (!order)
        order = a->currency < b->currency ? -1 : a->currency > b->currency;
    return order ? order : (int)a->why - (int)b->why;
}

static int put_sums(struct rerating *rerating, struct buffer *out, bool rated)
{
    int rc = 0;
    bool first = true;
    for (size_t i = 0; !rc && i < rerating->sums_len; i++) {
        const struct sum *sum = &rerating->sums[i];
        if ((sum->why == RATED) != rated)
            continue;
        rc = first ? 0 : buffer_text(out, ",");
        if (!rc)
            rc = rated ? put_sum(out, sum, false) : put_unrated(out, sum);
        first = false;
    }
    return rc;
}

static int tell(struct rerating *rerating, struct buffer *out)
{
    qsort(rerating->sums, rerating->sums_len, sizeof *rerating->sums, by_name);
    int rc = buffer_format(out, "\"calls\":%llu,\"rated\":%llu,\"approximate\":%llu,\"totals\":[",
                           (unsigned long long)rerating->calls, (unsigned long long)rerating->rated,
                           (unsigned long long)rerating->approximate);
    for (size_t i = 0; !rc && i < rerating->totals_len; i++) {
        rc = i ? buffer_text(out, ",") : 0;
        if (!rc)
            rc = put_sum(out, &rerating->totals[i], true);
    }
    if (!rc)
        rc = buffer_text(out, "],\"models\":[");
    if (!rc)
        rc = put_sums(rerating, out, true);
    if (!rc)
        rc = buffer_text(out, "],\"unrated\":[");
    if (!rc)
        rc = put_sums(rerating, out, false);
    return rc ? rc : buffer_text(out, "]");
}

int reports_rerate(struct records_reader *reader, const struct reports_rerate *question,
                   struct buffer *out)
{
    struct rerating *rerating = calloc(1, sizeof *rerating);
    struct sum *sums = calloc(SUMS, sizeof *sums);
    int rc = METE_E_MEMORY;
    if (rerating && sums) {
        rerating->reader = reader;
        rerating->question = question;
        rerating->sums = sums;
        rc = read_all(rerating);
        if (!rc)
            rc = tell(rerating, out);
    }
    free(sums);
    free(rerating);
    return rc;
}
