/* SPDX-License-Identifier: Apache-2.0
 * Proves that query parameters are found by their decoded name and decoded into no more than their
 * room: by a table of queries. */
#include "codec/exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void parameters_are_found_and_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *query, *name;
        int len;
        const char *value;
    } rows[] = {
        {"", "a", -1, ""},
        {"a=1", "a", 1, "1"},
        {"a=1&b=2", "b", 1, "2"},
        {"a=1&a=2", "a", 1, "1"},
        {"ab=1&a=2", "a", 1, "2"},
        {"a=1", "ab", -1, ""},
        {"a", "a", 0, ""},
        {"a=", "a", 0, ""},
        {"&&a=x=y&", "a", 3, "x=y"},
        {"a=%2Fb%2f+c", "a", 5, "/b/ c"},
        {"%61%62=1", "ab", 1, "1"},
        {"a%5B%5D=1", "a[]", 1, "1"},
        {"%zz=1&a=2", "a", 1, "2"},
        {"a%00=1", "a", -1, ""},
        {"a=%zz", "a", -2, ""},
        {"a=%2", "a", -2, ""},
        {"a=%", "a", -2, ""},
        {"a=12345678", "a", 8, "12345678"},
        {"a=123456789", "a", -2, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char room[8];
        struct exchange exchange = {.query = slice_of(rows[i].query)};
        int len = exchange_query(&exchange, rows[i].name, room, sizeof room);
        assert_int_equal(len, rows[i].len);
        if (len > 0)
            assert_memory_equal(room, rows[i].value, (size_t)len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_found_and_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
