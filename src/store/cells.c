/* SPDX-License-Identifier: Apache-2.0
 * An open hash table over cells that lie one after another. Most calls have a cost in one currency
 * and the usual meters, which are one cell a level; what else a call has is a cell for each meter.
 *
 * No sum can wrap: an amount is at most half of what fits, and cells of which one has more than
 * that are emptied before the next call. */
#include "store/cells.h"

#include "base/assert.h"
#include "base/checked.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { LEVELS_MAX = 4 + METE_TAGS_MAX };
/* What one call can make. */
enum { CALL_MAX = LEVELS_MAX * (1 + RECORDS_METERS_MAX) };

static uint32_t slots_of(const struct cells *cells)
{
    return 2 * cells->max;
}

int cells_new(struct cells *cells, uint32_t max)
{
    ASSERT(max > CALL_MAX && !(max & (max - 1)));
    *cells = (struct cells){.max = max,
                            .at = calloc(max, sizeof *cells->at),
                            .slots = calloc((size_t)2 * max, sizeof *cells->slots)};
    if (cells->at && cells->slots)
        return 0;
    cells_done(cells);
    return METE_E_MEMORY;
}

void cells_done(struct cells *cells)
{
    free(cells->at);
    free(cells->slots);
    *cells = (struct cells){0};
}

void cells_empty(struct cells *cells)
{
    memset(cells->slots, 0, slots_of(cells) * sizeof *cells->slots);
    cells->len = 0;
    cells->is_full = false;
}

static struct rollups_sums *sums_of(struct cells *cells, const struct cell_key *key)
{
    _Static_assert(sizeof *key == 36, "no padding is hashed");
    uint32_t mask = slots_of(cells) - 1;
    uint32_t slot = (uint32_t)XXH3_64bits(key, sizeof *key) & mask;
    for (; cells->slots[slot]; slot = (slot + 1) & mask) {
        struct cell *found = &cells->at[cells->slots[slot] - 1];
        if (!memcmp(&found->key, key, sizeof *key))
            return &found->sums;
    }
    ASSERT(cells->len < cells->max);
    struct cell *made = &cells->at[cells->len++];
    *made = (struct cell){.key = *key};
    cells->slots[slot] = cells->len;
    return &made->sums;
}

/* The sums lie as so many numbers. */
enum { SUMS = sizeof(struct rollups_sums) / sizeof(int64_t) };

static bool add(struct cells *cells, const struct cell_key *key, const struct rollups_sums *more)
{
    int64_t to[SUMS], from[SUMS];
    struct rollups_sums *sums = sums_of(cells, key);
    bool is_large = false;
    memcpy(to, sums, sizeof to);
    memcpy(from, more, sizeof from);
    for (int i = 0; i < SUMS; i++) {
        if (!checked_add(to[i], from[i], &to[i]))
            return false;
        is_large |= to[i] > METE_AMOUNT_MAX || to[i] < -METE_AMOUNT_MAX;
    }
    memcpy(sums, to, sizeof to);
    cells->is_full |= is_large;
    return true;
}

/* ---- One call -------------------------------------------------------------------------------- */

/* What a call comes to: first the usual, with the first currency it was charged in; then what has
 * no place there. */
struct parts {
    struct {
        uint16_t meter;
        uint32_t currency;
        struct rollups_sums sums;
    } at[1 + RECORDS_METERS_MAX];
    size_t len;
};

static int64_t *place_of(struct rollups_sums *sums, uint16_t meter)
{
    switch (meter) {
    case METE_INPUT:
        return &sums->input;
    case METE_CACHED_INPUT:
        return &sums->cached_input;
    case METE_CACHE_WRITE:
        return &sums->cache_write;
    case METE_OUTPUT:
        return &sums->output;
    case METE_REASONING:
        return &sums->reasoning;
    case METE_TOTAL_TOKENS:
        return &sums->total_tokens;
    case METE_REQUESTS:
        return &sums->requests;
    default:
        return NULL;
    }
}

static void put_meters(const struct records_usage *usage, struct parts *parts)
{
    struct rollups_sums *usual = &parts->at[0].sums;
    bool has_total = false, has_cost = false;
    for (size_t i = 0; i < usage->usage_len; i++) {
        const struct mete_usage *one = &usage->usage[i];
        int64_t *place = place_of(usual, one->meter);
        if (one->meter == METE_COST && !has_cost) {
            has_cost = true;
            parts->at[0].currency = one->currency;
            usual->amount = one->amount;
        } else if (place) {
            *place = one->amount;
            has_total |= one->meter == METE_TOTAL_TOKENS;
        } else {
            size_t at = parts->len++;
            parts->at[at].meter = one->meter;
            parts->at[at].currency = one->currency;
            parts->at[at].sums = (struct rollups_sums){.amount = one->amount};
        }
    }
    for (size_t i = 1; i < parts->len; i++) {
        if (parts->at[i].meter != METE_LIST_COST)
            continue;
        parts->at[i].currency = parts->at[0].currency;
        parts->at[i].sums.amount = usual->amount - parts->at[i].sums.amount;
    }
    if (!has_total) { /* as a record shows it; two halves may be one more than fits */
        int64_t total = usual->input + usual->output;
        usual->total_tokens = total > METE_AMOUNT_MAX    ? METE_AMOUNT_MAX
                              : total < -METE_AMOUNT_MAX ? -METE_AMOUNT_MAX
                                                         : total;
    }
}

static void take_apart(const struct records_usage *usage, struct parts *parts)
{
    struct rollups_sums *usual = &parts->at[0].sums;
    *usual = (struct rollups_sums){0};
    parts->at[0].meter = 0;
    parts->at[0].currency = 0;
    parts->len = 1;
    put_meters(usage, parts);
    if (usage->corrects)
        return;
    usual->calls = 1;
    usual->failures = !rollups_is_success(&usage->outcome);
    usual->cache_hits = usual->cached_input > 0;
    usual->timed = usage->outcome.latency_ms > 0;
    usual->latency_ms = usage->outcome.latency_ms;
}

static void add_level(struct cells *cells, struct cell_key key, const struct parts *parts)
{
    for (size_t i = 0; i < parts->len; i++) {
        /* a second currency's cost is no meter of its own, but a row of that currency */
        key.meter = parts->at[i].meter;
        key.currency = parts->at[i].currency;
        bool fits = add(cells, &key, &parts->at[i].sums);
        ASSERT(fits);
    }
}

void cells_add(struct cells *cells, const struct records_usage *usage,
               const struct cell_names *names)
{
    ASSERT(!cells->is_full && usage->usage_len <= RECORDS_METERS_MAX);
    ASSERT(names->tags_len <= METE_TAGS_MAX && usage->ended_us >= 0);
    struct parts parts;
    take_apart(usage, &parts);
    struct cell_key key = {.bucket = cells_bucket(usage->ended_us),
                           .organization = usage->organization.n,
                           .model = names->model,
                           .provider = names->provider};
    const struct {
        enum rollups_level level;
        uint32_t scope, department, user;
    } levels[] = {
        {ROLLUPS_ORGANIZATION, usage->organization.n, 0, 0},
        {ROLLUPS_DEPARTMENT, usage->department.n, 0, 0},
        {ROLLUPS_USER, usage->user.n, usage->department.n, 0},
        {ROLLUPS_KEY, usage->key.n, usage->department.n, usage->user.n},
    };
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        key.level = (uint16_t)levels[i].level;
        key.scope = levels[i].scope;
        key.department = levels[i].department;
        key.user = levels[i].user;
        if (key.scope)
            add_level(cells, key, &parts);
    }
    key.level = ROLLUPS_TAG;
    key.department = key.user = 0;
    for (size_t i = 0; i < names->tags_len; i++) {
        key.scope = names->tags[i];
        add_level(cells, key, &parts);
    }
    cells->is_full |= cells->len > cells->max - CALL_MAX;
}

bool cells_merge(struct cells *cells, const struct cell *cell)
{
    ASSERT(!cells->is_full);
    bool fits = add(cells, &cell->key, &cell->sums);
    cells->is_full |= cells->len > cells->max - CALL_MAX;
    return fits;
}

/* ---- Order ----------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const struct cell_key *x = &((const struct cell *)a)->key, *y = &((const struct cell *)b)->key;
    if (x->bucket != y->bucket)
        return x->bucket < y->bucket ? -1 : 1;
    if (x->level != y->level)
        return x->level < y->level ? -1 : 1;
    if (x->organization != y->organization)
        return x->organization < y->organization ? -1 : 1;
    if (x->scope != y->scope)
        return x->scope < y->scope ? -1 : 1;
    return memcmp(x, y, sizeof *x); /* any order does */
}

void cells_sort(struct cells *cells)
{
    cells->is_full = true;
    qsort(cells->at, cells->len, sizeof *cells->at, compare);
}
