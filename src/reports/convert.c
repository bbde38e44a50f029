/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/convert.h"

#include "store/rollups.h"

#include <stdlib.h>

static int compare(const void *one, const void *other)
{
    const struct reports_rate *a = one, *b = other;
    int order = (a->effective_us > b->effective_us) - (a->effective_us < b->effective_us);
    return order ? order : (a->number > b->number) - (a->number < b->number);
}

void convert_sort(struct reports_rates *rates)
{
    if (rates->len)
        qsort(rates->at, rates->len, sizeof *rates->at, compare);
}

/* Index of the first that does not hold yet when the bucket begins. */
static size_t behind(const struct reports_rates *rates, uint32_t bucket)
{
    size_t from = 0, to = rates->len;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (rates->at[middle].effective_us <= bucket * ROLLUPS_BUCKET_US)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

uint32_t convert_next(const struct reports_rates *rates, uint32_t bucket)
{
    size_t at = behind(rates, bucket);
    if (at == rates->len)
        return UINT32_MAX;
    int64_t next = (rates->at[at].effective_us + ROLLUPS_BUCKET_US - 1) / ROLLUPS_BUCKET_US;
    return next < UINT32_MAX ? (uint32_t)next : UINT32_MAX;
}

bool convert_add(const struct reports_rates *rates, uint32_t from, uint32_t bucket, int64_t amount,
                 int128 *sum)
{
    size_t at = behind(rates, bucket);
    if (from == rates->to) {
        *sum += amount;
        return true;
    }
    while (at && rates->at[at - 1].from != from)
        at--;
    if (!at)
        return false;
    const struct reports_rate *rate = &rates->at[at - 1];
    int128 whole = (int128)amount * rate->numerator;
    *sum += whole < 0 ? -div_half_even(-whole, rate->denominator)
                      : div_half_even(whole, rate->denominator);
    return true;
}
