/* SPDX-License-Identifier: Apache-2.0
 * Proves that a stored answer's place is found by its id, is replaced and not doubled, and that the
 * oldest are forgotten when there are more than are kept. */
#include "gateway/answers.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct slice id_of(char room[32], int number)
{
    int len = snprintf(room, 32, "resp_%d", number);
    return (struct slice){room, (size_t)len};
}

static void an_answer_is_found_by_its_id(void **state)
{
    (void)state;
    struct answers answers = {0};
    struct answer_place place = {.organization = {7}, .open = true};
    char room[32];
    assert_null(answers_find(&answers, id_of(room, 1)));
    answers_put(&answers, id_of(room, 1), &place);
    assert_null(answers_find(&answers, id_of(room, 2)));
    assert_null(answers_find(&answers, SLICE_LITERAL("")));
    answers_put(&answers, SLICE_LITERAL(""), &place); /* nobody told it: it is not kept */
    assert_null(answers_find(&answers, SLICE_LITERAL("")));
    struct answer_place *found = answers_find(&answers, id_of(room, 1));
    assert_true(found && found->organization.n == 7 && found->open);
    place.organization.n = 8;
    answers_put(&answers, id_of(room, 1), &place);
    assert_ptr_equal(answers_find(&answers, id_of(room, 1)), found);
    assert_int_equal(found->organization.n, 8);
    answers_close(&answers);
}

static void the_newest_are_kept(void **state)
{
    (void)state;
    struct answers answers = {0};
    const struct answer_place place = {.organization = {1}};
    char room[32];
    enum { NEWEST = LIMIT_STORED_ANSWERS / 8, ALL = 3 * LIMIT_STORED_ANSWERS };
    for (int i = 0; i < ALL; i++)
        answers_put(&answers, id_of(room, i), &place);
    int found = 0;
    for (int i = ALL - NEWEST; i < ALL; i++)
        found += answers_find(&answers, id_of(room, i)) != NULL;
    assert_int_equal(found, NEWEST);
    for (int i = 0; i < ALL; i++)
        found += answers_find(&answers, id_of(room, i)) != NULL;
    assert_true(found - NEWEST <= LIMIT_STORED_ANSWERS);
    answers_close(&answers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_found_by_its_id),
        cmocka_unit_test(the_newest_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
