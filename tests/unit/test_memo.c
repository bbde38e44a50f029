/* SPDX-License-Identifier: Apache-2.0
 * Proves that a text is found by all of its bytes and its encoding, and that whatever is kept, it
 * is never more than LIMIT_MEMO_BYTES. */
#include "prompts/memo.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct memo *memo;

static int open_memo(void **state)
{
    (void)state;
    return memo_new(&memo);
}

static int close_memo(void **state)
{
    (void)state;
    memo_free(memo);
    return 0;
}

static void a_text_is_found_by_all_of_its_bytes(void **state)
{
    (void)state;
    char text[1000], other[1000];
    struct memo_count count = {0};
    const struct encoding *one = encoding_at(0), *two = encoding_at(2);
    memset(text, 'a', sizeof text);
    struct slice whole = {text, sizeof text};
    assert_false(memo_find(memo, one, whole, &count));
    memo_put(memo, one, whole, (struct memo_count){125, 7, 3});
    assert_true(memo_find(memo, one, whole, &count));
    assert_int_equal(count.tokens, 125);
    assert_int_equal(count.wide, 7);
    assert_int_equal(count.digits, 3);
    assert_false(memo_find(memo, two, whole, &count));
    assert_false(memo_find(memo, one, slice_part(whole, 0, 999), &count));
    for (size_t i = 0; i < sizeof other; i++) {
        memcpy(other, text, sizeof other);
        other[i] = 'b';
        assert_false(memo_find(memo, one, (struct slice){other, sizeof other}, &count));
    }
    /* What was kept is a copy. */
    struct slice copy = {other, sizeof other};
    memset(text, 'c', sizeof text);
    memset(other, 'a', sizeof other);
    assert_true(memo_find(memo, one, copy, &count));
}

static void short_and_very_long_texts_are_not_kept(void **state)
{
    (void)state;
    static char text[MEMO_MOST + 1];
    struct memo_count count = {0};
    size_t before = memo_bytes(memo);
    memo_put(memo, encoding_at(0), (struct slice){text, MEMO_LEAST - 1}, count);
    memo_put(memo, encoding_at(0), (struct slice){text, MEMO_MOST + 1}, count);
    assert_int_equal(memo_bytes(memo), before);
    assert_false(memo_find(memo, encoding_at(0), (struct slice){text, MEMO_LEAST - 1}, &count));
}

/* A flood of texts, and one that is found again between them, as a conversation is. */
static void a_flood_makes_it_no_larger(void **state)
{
    (void)state;
    static char text[MEMO_MOST];
    struct memo_count count = {0};
    for (uint32_t i = 0; i < 20000; i++) {
        size_t len = MEMO_LEAST + (size_t)i * 7919 % (MEMO_MOST - MEMO_LEAST);
        memcpy(text, &i, sizeof i);
        memo_put(memo, encoding_at(0), (struct slice){text, len},
                 (struct memo_count){.tokens = (int64_t)i});
        assert_true(memo_bytes(memo) <= LIMIT_MEMO_BYTES);
        assert_true(memo_find(memo, encoding_at(0), (struct slice){text, len}, &count));
        assert_int_equal(count.tokens, i);
    }
    assert_true(memo_bytes(memo) > LIMIT_MEMO_BYTES / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_found_by_all_of_its_bytes),
        cmocka_unit_test(short_and_very_long_texts_are_not_kept),
        cmocka_unit_test(a_flood_makes_it_no_larger),
    };
    return cmocka_run_group_tests_name("memo", tests, open_memo, close_memo);
}
