/* SPDX-License-Identifier: Apache-2.0
 * Tells compare.py which windows the calendar sees: reads lines
 *   ZONE PERIOD ANCHOR FROM_US UNTIL_US
 * and answers each with int64s of the machine's order: a count n >= 1, then n - 1 starts of windows
 * that follow one another and the end of the last; the first window holds FROM_US, the last one
 * ends at UNTIL_US or later. For an error the count is its code and nothing follows.
 *
 * On its way it holds the calendar to its own word, and dies where that is broken: windows touch,
 * the last instant of each lies in it, and calendar_windows_between counts what was counted. */
#include "calendar/calendar.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct list {
    int64_t *bounds;
    size_t len, room;
};

static void add(struct list *list, int64_t bound_us)
{
    if (list->len == list->room) {
        list->room = list->room ? 2 * list->room : 1024;
        list->bounds = realloc(list->bounds, list->room * sizeof *list->bounds);
        ASSERT(list->bounds);
    }
    list->bounds[list->len++] = bound_us;
}

static struct window window_at(const struct calendar_rule *rule, int64_t at_us)
{
    struct window window;
    int rc = calendar_window(rule, at_us, &window);
    ASSERT(rc == 0);
    ASSERT_INV("INV-09", window.start_us <= at_us && at_us < window.end_us);
    return window;
}

static uint64_t between(const struct calendar_rule *rule, int64_t end_us, int64_t start_us)
{
    uint64_t windows;
    int rc = calendar_windows_between(rule, end_us, start_us, &windows);
    ASSERT(rc == 0);
    return windows;
}

static void check_between(const struct calendar_rule *rule, const struct list *list)
{
    const int64_t *bounds = list->bounds;
    size_t last = list->len - 1, step = last / 16 + 1;
    for (size_t i = 0; i <= last; i += step) {
        ASSERT(between(rule, bounds[0], bounds[i]) == i);
        ASSERT(between(rule, bounds[i], bounds[last]) == last - i);
        /* Instants that are no bounds: windows that are not whole do not count. */
        ASSERT(i == last || between(rule, bounds[i] + 1, bounds[last]) == last - i - 1);
        ASSERT(i == 0 || between(rule, bounds[0], bounds[i] - 1) == i - 1);
    }
}

static void list_windows(const struct calendar_rule *rule, int64_t from_us, int64_t until_us,
                         struct list *list)
{
    struct window window = window_at(rule, from_us);
    add(list, window.start_us);
    for (;;) {
        struct window same = window_at(rule, window.end_us - 1);
        ASSERT(same.start_us == window.start_us && same.end_us == window.end_us);
        add(list, window.end_us);
        if (window.end_us >= until_us)
            break;
        struct window next = window_at(rule, window.end_us);
        ASSERT_INV("INV-09", next.start_us == window.end_us);
        window = next;
    }
    check_between(rule, list);
}

static enum mete_period period_of(const char *word)
{
    static const char *words[METE_PERIODS] = {
        [METE_MINUTE] = "minute", [METE_HOURLY] = "hourly",   [METE_DAILY] = "daily",
        [METE_WEEKLY] = "weekly", [METE_MONTHLY] = "monthly", [METE_QUARTERLY] = "quarterly",
        [METE_YEARLY] = "yearly", [METE_ROLLING] = "rolling", [METE_TOTAL] = "total"};
    size_t i = 0;
    while (i < METE_PERIODS && strcmp(words[i], word) != 0)
        i++;
    ASSERT(i < METE_PERIODS);
    return (enum mete_period)i;
}

static void answer(struct calendar_zones *zones, const char *line)
{
    char zone[256], period[16];
    int64_t from_us, until_us;
    struct calendar_rule rule = {0};
    int got = sscanf(line, "%255s %15s %" SCNd64 " %" SCNd64 " %" SCNd64, zone, period,
                     &rule.anchor, &from_us, &until_us);
    ASSERT(got == 5);
    rule.period = period_of(period);
    struct list list = {0};
    int64_t count = calendar_zones_find(zones, slice_of(zone), &rule.zone);
    if (count == 0) {
        list_windows(&rule, from_us, until_us, &list);
        count = (int64_t)list.len;
    }
    fwrite(&count, sizeof count, 1, stdout);
    if (list.len)
        fwrite(list.bounds, sizeof *list.bounds, list.len, stdout);
    fflush(stdout);
    free(list.bounds);
}

int main(void)
{
    struct calendar_zones *zones;
    int rc = calendar_zones_open(os_system(), &zones);
    ASSERT(rc == 0);
    char line[512];
    while (fgets(line, sizeof line, stdin))
        answer(zones, line);
    calendar_zones_close(zones);
    return 0;
}
