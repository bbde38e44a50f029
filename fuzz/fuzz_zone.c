/* SPDX-License-Identifier: Apache-2.0
 * 32 bytes of choices, then a zone file. It is refused, or its windows keep the definition of
 * calendar.h whatever the file says: they hold their instant, touch, are counted right, and begin
 * at the first instant at which the wall clock shows their lower bound or more. The last is looked
 * at from outside, span by span, for periods whose bounds are multiples. */
#include "calendar/zone.h"

#include "base/assert.h"
#include "base/limits.h"
#include "property/tape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LAST_US INT64_C(253402300799999999) /* of year 9999 */

enum { CHOICES_LEN = 32, WINDOWS = 8, SPANS_MAX = 64 };

static struct calendar_rule choose_rule(struct tape *tape, const struct calendar_zone *zone)
{
    static const int64_t anchors_max[METE_PERIODS] = {
        [METE_DAILY] = 86399, [METE_WEEKLY] = 7, [METE_MONTHLY] = 31};
    struct calendar_rule rule = {.zone = zone};
    rule.period = (enum mete_period)tape_pick(tape, METE_PERIODS);
    if (rule.period == METE_QUARTERLY || rule.period == METE_YEARLY)
        rule.anchor = tape_range(tape, 1, 12) * 100 + tape_range(tape, 1, 29);
    else
        rule.anchor = tape_range(tape, 0, anchors_max[rule.period]);
    rule.window_seconds = rule.period == METE_ROLLING ? tape_range(tape, 1, LIMIT_ROLLING_S) : 0;
    return rule;
}

static struct window window_at(const struct calendar_rule *rule, int64_t at_us)
{
    struct window window;
    int rc = calendar_window(rule, at_us, &window);
    ASSERT(rc == 0);
    ASSERT_INV("INV-09", window.start_us <= at_us && at_us < window.end_us);
    return window;
}

/* The most that the wall clock has shown up to an instant; INT64_MIN where the file has so many
 * changes that looking would take long. */
static int64_t highest(const struct calendar_zone *zone, int64_t at_us)
{
    int64_t high_us = INT64_MIN;
    struct zone_span span = zone_span(zone, at_us - ZONE_SHIFT_MAX_US);
    for (int i = 0; i < SPANS_MAX; i++) {
        int64_t last_us = span.until_us <= at_us ? span.until_us - 1 : at_us;
        high_us = last_us + span.offset_us > high_us ? last_us + span.offset_us : high_us;
        if (span.until_us > at_us)
            return high_us;
        span = zone_span(zone, span.until_us);
    }
    return INT64_MIN;
}

static void check_bounds(const struct calendar_rule *rule, struct window window)
{
    static const int64_t lens_s[METE_PERIODS] = {
        [METE_MINUTE] = 60, [METE_HOURLY] = 3600, [METE_DAILY] = 86400};
    int64_t len_us = lens_s[rule->period] * 1000000;
    if (len_us == 0 || rule->anchor || window.start_us == 0)
        return;
    int64_t before_us = highest(rule->zone, window.start_us - 1);
    int64_t first_us = highest(rule->zone, window.start_us);
    int64_t last_us = highest(rule->zone, window.end_us - 1);
    if (before_us < 0 || first_us < 0 || last_us < 0)
        return;
    ASSERT(before_us / len_us < first_us / len_us);
    ASSERT(first_us / len_us == last_us / len_us);
}

static void check_rule(const struct calendar_rule *rule, int64_t at_us)
{
    struct window first = window_at(rule, at_us), window = first;
    uint64_t windows = 0;
    int rc = 0;
    for (uint64_t i = 1; i <= WINDOWS; i++) {
        check_bounds(rule, window);
        struct window same = window_at(rule, window.start_us);
        ASSERT_INV("INV-09", same.start_us == window.start_us && same.end_us == window.end_us);
        if (window.end_us > LAST_US)
            return;
        rc = calendar_windows_between(rule, first.start_us, window.end_us, &windows);
        ASSERT(rc == 0 && windows == i);
        struct window next = window_at(rule, window.end_us);
        ASSERT_INV("INV-09", next.start_us == window.end_us);
        window = next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t choices_len = size < CHOICES_LEN ? size : CHOICES_LEN;
    struct tape tape = {data, choices_len, 0};
    struct slice bytes = {(const char *)data + choices_len, size - choices_len};
    struct calendar_zone *zone;
    int rc = calendar_zone_parse(bytes, &zone);
    ASSERT(rc == 0 || rc == METE_E_CORRUPT || rc == METE_E_TOO_LARGE);
    if (rc)
        return 0;
    while (!tape_done(&tape)) {
        struct calendar_rule rule = choose_rule(&tape, zone);
        ASSERT(calendar_rule_is_valid(&rule));
        check_rule(&rule, tape_range(&tape, 0, LAST_US));
    }
    calendar_zone_free(zone);
    return 0;
}
