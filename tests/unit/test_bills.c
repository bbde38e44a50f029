/* SPDX-License-Identifier: Apache-2.0
 * Proves that the dollars mete computes are the dollars that were billed: for each of 62 real calls
 * (tests/data/bills.csv), priced by the built-in list as the gateway does it, to the nano; and that
 * every call for which they are not is known by name, with the reason. docs/prices.md has the table
 * that comes out, and the test fails while it has another. METE_BILLS_WRITE=1 prints it. */
#include "base/buffer.h"
#include "codec/csv.h"
#include "codec/decimal.h"
#include "pricing/pricing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum {
    PROVIDER = 0,
    MODEL,
    HOST,
    INPUT,
    CACHED,
    WRITTEN,
    OUTPUT,
    REASONING,
    SEARCHES,
    DOLLARS,
    OUTCOME,
    REASON,
    RECORDING,
    COLUMNS
};
enum { MODELS_MAX = 64, DOCUMENT_MAX = 1 << 20 };

static struct pricing *pricing;
static struct buffer equals, others;
static int rows, equal;

static int64_t whole(struct slice text)
{
    int64_t value = -1;
    assert_int_equal(decimal_parse(text, 0, &value), 0);
    return value;
}

/* What the provider wrote may be a sum of floats: 0.0076509169000000005. */
static int64_t nano_of(struct slice dollars)
{
    int128 value = -1;
    assert_int_equal(decimal_parse128(dollars, 24, false, &value), 0);
    return (int64_t)div_half_even(value, INT64_C(1000000000000000));
}

static const char *compute(const struct slice *row, int64_t *ret_nano)
{
    const struct price_model *model = pricing_find_of(pricing, row[PROVIDER], row[MODEL]);
    const struct pricing_usage usage = {.input = whole(row[INPUT]),
                                        .cached_input = whole(row[CACHED]),
                                        .cache_write = whole(row[WRITTEN]),
                                        .output = whole(row[OUTPUT]),
                                        .reasoning = whole(row[REASONING]),
                                        .searches = whole(row[SEARCHES])};
    if (!model)
        return "unlisted";
    int rc = pricing_charge(model, &usage, ret_nano);
    if (rc == METE_E_UNPRICED && usage.searches)
        return "search";
    assert_int_equal(rc, 0);
    int64_t billed = nano_of(row[DOLLARS]);
    if (*ret_nano == billed)
        return "equal";
    return billed ? "other" : "own_key";
}

__attribute__((format(printf, 2, 3))) static void write(struct buffer *out, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    assert_true(len > 0 && len < (int)sizeof line);
    assert_int_equal(buffer_text(out, line), 0);
}

static void check_row(const struct slice *row)
{
    char computed[DECIMAL_ROOM] = "-";
    int64_t nano = -1;
    const char *outcome = compute(row, &nano);
    if (!slice_is(row[OUTCOME], outcome))
        fail_msg("%.*s, billed %.*s: %s, not %.*s (%lld nano)", (int)row[MODEL].len,
                 row[MODEL].data, (int)row[DOLLARS].len, row[DOLLARS].data, outcome,
                 (int)row[OUTCOME].len, row[OUTCOME].data, (long long)nano);
    rows++;
    if (strcmp(outcome, "equal") == 0) {
        equal++;
        return;
    }
    if (nano >= 0)
        decimal_format(nano, 9, 0, computed);
    write(&others, "| `%.*s` | %.*s | %.*s | %s | %.*s |\n", (int)row[MODEL].len, row[MODEL].data,
          (int)row[HOST].len, row[HOST].data, (int)row[DOLLARS].len, row[DOLLARS].data, computed,
          (int)row[REASON].len, row[REASON].data);
}

static struct models {
    char name[64];
    int calls;
} models[MODELS_MAX];

static void count_equal(struct slice model)
{
    int i = 0;
    while (models[i].calls && !slice_is(model, models[i].name))
        assert_true(++i < MODELS_MAX);
    snprintf(models[i].name, sizeof models[i].name, "%.*s", (int)model.len, model.data);
    models[i].calls++;
}

static size_t read_file(const char *path, char *room, size_t room_len)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(room, 1, room_len - 1, file);
    assert_int_equal(fclose(file), 0);
    room[len] = 0;
    return len;
}

static void read_rows(void)
{
    static char text[65536];
    size_t len = read_file("tests/data/bills.csv", text, sizeof text);
    for (char *at = text, *end; at < text + len; at = end + 1) {
        struct slice row[COLUMNS];
        end = strchr(at, '\n');
        assert_non_null(end);
        if (*at == '#')
            continue;
        assert_int_equal(csv_split(at, (size_t)(end - at), row, COLUMNS), COLUMNS);
        check_row(row);
        if (slice_is(row[OUTCOME], "equal"))
            count_equal(row[MODEL]);
    }
}

static void what_is_computed_is_what_was_billed(void **state)
{
    (void)state;
    static char document[DOCUMENT_MAX];
    assert_int_equal(pricing_new(&pricing), 0);
    buffer_init(&equals, 16384);
    buffer_init(&others, 16384);
    read_rows();
    assert_int_equal(rows, 62);
    write(&equals, "Of %d calls, %d cost to the nano what was billed:\n\n", rows, equal);
    write(&equals, "| model | calls |\n|---|---|\n");
    for (int i = 0; i < MODELS_MAX && models[i].calls; i++)
        write(&equals, "| `%s` | %d |\n", models[i].name, models[i].calls);
    write(&equals, "\nThe others:\n\n| model | host | billed, $ | computed, $ | why |\n");
    write(&equals, "|---|---|---|---|---|\n");
    assert_int_equal(buffer_append(&equals, buffer_slice(&others)), 0);
    assert_int_equal(buffer_append(&equals, (struct slice){"", 1}), 0);
    if (getenv("METE_BILLS_WRITE"))
        fputs((const char *)equals.data, stdout);
    read_file("docs/prices.md", document, sizeof document);
    assert_non_null(strstr(document, (const char *)equals.data));
    buffer_done(&equals);
    buffer_done(&others);
    pricing_free(pricing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_computed_is_what_was_billed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
