/* SPDX-License-Identifier: Apache-2.0
 * Proves that lines fall into the fields RFC 4180 says, and that quotes out of place are refused:
 * each row is one line and its fields joined by '|'. */
#include "codec/csv.h"

#include "mete.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static void lines_become_fields(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int count;
        const char *joined;
    } rows[] = {
        {"a,b,c", 3, "a|b|c|"},
        {"", 1, "|"},
        {"\r", 1, "|"},
        {",", 2, "||"},
        {"a,b\r", 2, "a|b|"},
        {"\"a\"\r", 1, "a|"},
        {"\"a,b\",c", 2, "a,b|c|"},
        {"\"say \"\"hi\"\"\",", 2, "say \"hi\"||"},
        {"\"\"", 1, "|"},
        {"\"\"\"\"", 1, "\"|"},
        {" a , b ", 2, " a | b |"},
        {"a\rb", 1, "a\rb|"},
        {"1,2,3,4,5,6", 6, "1|2|3|4|"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char line[64], joined[64] = "";
        struct slice fields[4];
        size_t len = strlen(rows[i].line), at = 0;
        memcpy(line, rows[i].line, len);
        int count = csv_split(line, len, fields, 4);
        assert_int_equal(count, rows[i].count);
        for (int f = 0; f < count && f < 4; f++)
            at += (size_t)snprintf(joined + at, sizeof joined - at, "%.*s|", (int)fields[f].len,
                                   fields[f].data);
        assert_string_equal(joined, rows[i].joined);
    }
}

static void quotes_out_of_place_are_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {"\"",       "a\"b",      "\"a", "\"a\"b",
                                        "\"a\" ,b", "a,\"b\"\"", "x,\""};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char line[64];
        struct slice fields[4];
        size_t len = strlen(lines[i]);
        memcpy(line, lines[i], len);
        assert_int_equal(csv_split(line, len, fields, 4), METE_E_SYNTAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_become_fields),
        cmocka_unit_test(quotes_out_of_place_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
