/* SPDX-License-Identifier: Apache-2.0
 * Proves rule 2 of docs/semantics.md: which calls a set of patterns matches, that a set comes back
 * as it was put, and that no set of a wrong form is taken. */
#include "ledger/matches.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct mete_text text(const char *terminated)
{
    return (struct mete_text){terminated, strlen(terminated)};
}

static int setup(void **state)
{
    struct ledger *ledger;
    const struct ledger_room small = {8, 8, 8, 8};
    if (ledger_open(&small, &ledger))
        return 1;
    *state = ledger;
    return 0;
}

static int teardown(void **state)
{
    ledger_close(*state);
    return 0;
}

static bool matches(struct ledger *ledger, const struct mete_match *set, size_t len,
                    const struct call_texts *call)
{
    uint32_t n;
    assert_true(matches_put(ledger, set, len, &n));
    assert_true(matches_are(ledger, n, set, len));
    return matches_call(ledger, n, call);
}

static bool one(struct ledger *ledger, enum mete_match_kind kind, const char *pattern,
                const struct call_texts *call)
{
    const struct mete_match match = {kind, text(pattern)};
    return matches(ledger, &match, 1, call);
}

static const struct call_texts nothing;

static struct call_texts call_of(const char *model, const char *provider, const char *session)
{
    struct call_texts call;
    matches_of_call(text(model), text(provider), text(session), NULL, 0, &call);
    return call;
}

static void a_pattern_is_the_whole_text_or_its_beginning(void **state)
{
    const struct call_texts call = call_of("gpt-4.1-mini", "openai", "s");
    assert_true(one(*state, METE_MATCH_MODEL, "gpt-4.1-mini", &call));
    assert_true(one(*state, METE_MATCH_MODEL, "gpt-4*", &call));
    assert_true(one(*state, METE_MATCH_MODEL, "gpt-4.1-mini*", &call));
    assert_true(one(*state, METE_MATCH_MODEL, "*", &call));
    assert_false(one(*state, METE_MATCH_MODEL, "gpt-4", &call));
    assert_false(one(*state, METE_MATCH_MODEL, "gpt-4.1-mini-2*", &call));
    assert_false(one(*state, METE_MATCH_MODEL, "GPT-4*", &call));
    assert_false(one(*state, METE_MATCH_MODEL, "g*mini", &call)); /* only a last star is one */
    assert_true(one(*state, METE_MATCH_PROVIDER, "openai", &call));
    assert_false(one(*state, METE_MATCH_PROVIDER, "gpt-4*", &call));
    assert_true(one(*state, METE_MATCH_SESSION, "s", &call));
    assert_true(matches(*state, NULL, 0, &call)); /* no patterns */
}

static void without_the_text_only_a_star_matches(void **state)
{
    static const enum mete_match_kind kinds[] = {METE_MATCH_MODEL, METE_MATCH_PROVIDER,
                                                 METE_MATCH_TAG, METE_MATCH_SESSION};
    for (size_t i = 0; i < 4; i++) {
        assert_true(one(*state, kinds[i], "*", &nothing));
        assert_false(one(*state, kinds[i], "a", &nothing));
        assert_false(one(*state, kinds[i], "a*", &nothing));
    }
}

static void of_each_kind_that_is_named_one_must_match(void **state)
{
    const struct call_texts call = call_of("m", "p", "");
    const struct mete_match any_model[] = {{METE_MATCH_MODEL, text("x")},
                                           {METE_MATCH_MODEL, text("m")}};
    assert_true(matches(*state, any_model, 2, &call));
    const struct mete_match both[] = {{METE_MATCH_MODEL, text("m")},
                                      {METE_MATCH_PROVIDER, text("q")},
                                      {METE_MATCH_PROVIDER, text("p")}};
    assert_true(matches(*state, both, 3, &call));
    assert_false(matches(*state, both, 2, &call));
}

static void one_of_the_tags_is_enough(void **state)
{
    const struct mete_text tags[] = {text("team:red"), text("job 7")};
    struct call_texts call;
    matches_of_call(text(""), text(""), text(""), tags, 2, &call);
    assert_true(one(*state, METE_MATCH_TAG, "job 7", &call));
    assert_true(one(*state, METE_MATCH_TAG, "team:*", &call));
    assert_true(one(*state, METE_MATCH_TAG, "*", &call));
    assert_false(one(*state, METE_MATCH_TAG, "team:blue", &call));
    const struct mete_match mixed[] = {{METE_MATCH_TAG, text("team:blue")},
                                       {METE_MATCH_TAG, text("job*")}};
    assert_true(matches(*state, mixed, 2, &call));
}

static void the_largest_set_comes_back(void **state)
{
    char longest[LIMIT_SESSION];
    memset(longest, 'x', sizeof longest);
    struct mete_match set[METE_MATCHES_MAX];
    for (size_t i = 0; i < METE_MATCHES_MAX; i++)
        set[i] = (struct mete_match){METE_MATCH_TAG, {longest, sizeof longest - i}};
    assert_int_equal(matches_judge(*state, set, METE_MATCHES_MAX), 0);
    uint32_t n;
    assert_true(matches_put(*state, set, METE_MATCHES_MAX, &n));
    struct mete_match back[METE_MATCHES_MAX];
    assert_int_equal(matches_of(*state, n, back), METE_MATCHES_MAX);
    for (size_t i = 0; i < METE_MATCHES_MAX; i++) {
        assert_int_equal(back[i].kind, METE_MATCH_TAG);
        assert_int_equal(back[i].pattern.len, sizeof longest - i);
        assert_memory_equal(back[i].pattern.data, longest, sizeof longest - i);
    }
    set[3].kind = METE_MATCH_MODEL;
    assert_false(matches_are(*state, n, set, METE_MATCHES_MAX));
    assert_false(matches_are(*state, n, set, 0));
}

static void a_set_of_another_form_is_refused(void **state)
{
    char longer[LIMIT_SESSION + 1];
    memset(longer, 'x', sizeof longer);
    struct mete_match match = {METE_MATCH_TAG, {longer, sizeof longer}};
    assert_int_equal(matches_judge(*state, &match, 1), METE_E_TOO_LARGE);
    assert_int_equal(matches_judge(*state, &match, METE_MATCHES_MAX + 1), METE_E_TOO_LARGE);
    match.pattern = text("");
    assert_int_equal(matches_judge(*state, &match, 1), METE_E_INVALID);
    match.pattern = text("a\nb");
    assert_int_equal(matches_judge(*state, &match, 1), METE_E_INVALID);
    match = (struct mete_match){(enum mete_match_kind)0, text("a")};
    assert_int_equal(matches_judge(*state, &match, 1), METE_E_INVALID);
    match.kind = (enum mete_match_kind)(METE_MATCH_SESSION + 1);
    assert_int_equal(matches_judge(*state, &match, 1), METE_E_INVALID);
    struct ledger *ledger = *state;
    ledger->patterns.used = ledger->patterns.room - 8;
    match.kind = METE_MATCH_TAG;
    assert_int_equal(matches_judge(ledger, &match, 1), METE_E_FULL);
    assert_int_equal(matches_judge(ledger, NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pattern_is_the_whole_text_or_its_beginning),
        cmocka_unit_test(without_the_text_only_a_star_matches),
        cmocka_unit_test(of_each_kind_that_is_named_one_must_match),
        cmocka_unit_test(one_of_the_tags_is_enough),
        cmocka_unit_test(the_largest_set_comes_back),
        cmocka_unit_test(a_set_of_another_form_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
