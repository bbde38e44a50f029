/* SPDX-License-Identifier: Apache-2.0
 * Proves that the neutral form holds what it is given up to its limits, that texts are joined and
 * answers put together without being decoded, and that JSON changes its wrapping and nothing else.
 */
#include "translate_help.h"

#define S(text) SLICE_LITERAL(text)

static void parts_grow_up_to_their_limit(void **state)
{
    (void)state;
    struct neutral_request request;
    struct neutral_part *part;
    neutral_request_init(&request);
    for (int i = 0; i < LIMIT_NEUTRAL_PARTS; i++) {
        assert_int_equal(neutral_add_part(&request, &part), 0);
        part->id.len = (size_t)i;
    }
    assert_int_equal(neutral_add_part(&request, &part), METE_E_TOO_LARGE);
    for (size_t i = 0; i < request.parts_len; i++)
        assert_int_equal(request.parts[i].id.len, i);
    assert_int_equal(request.parts_len, LIMIT_NEUTRAL_PARTS);
    neutral_request_done(&request);
    neutral_request_done(&request);
}

static void joined(const char *array, const char *expected)
{
    struct neutral_request request;
    struct json parts;
    struct slice text;
    neutral_request_init(&request);
    assert_int_equal(json_scan(slice_of(array), &parts, NULL), 0);
    assert_int_equal(neutral_join_texts(&request, parts, &text), 0);
    if (!slice_is(text, expected))
        fail_msg("%s: %.*s", array, (int)text.len, text.data);
    neutral_request_done(&request);
}

static void texts_are_joined_line_by_line(void **state)
{
    (void)state;
    joined("[]", "\"\"");
    joined("null", "\"\"");
    joined("[{\"type\":\"text\",\"text\":\"a\\u0041\"}]", "\"a\\u0041\"");
    joined("[{\"text\":\"a\"},{\"image\":1},\"b\",{\"text\":\"\"},{\"text\":\"\\\"\"}]",
           "\"a\\nb\\n\\n\\\"\"");
    joined("[\"\",\"\"]", "\"\\n\"");
}

static void data_urls_are_taken_apart_only_if_they_are_base64(void **state)
{
    (void)state;
    struct neutral_part part = {0};
    assert_true(neutral_read_data_url(S("\"data:image/png;base64,iVBO+\\/=\""), &part));
    assert_true(slice_is(part.media_type, "image/png"));
    assert_true(slice_is(part.data, "iVBO+\\/="));
    static const char *const others[] = {"\"https://x/y.png\"",
                                         "\"data:image/png,abc\"",
                                         "\"data:;base64,abc\"",
                                         "\"data:image/png;base64,\"",
                                         "\"data:\"",
                                         "\"data:image/png;base64\"",
                                         "\"data:image/png;base64,a\\n\"",
                                         "\"\"",
                                         "\"data:png;base64,abc\"",
                                         "\"data:image/p\\\"g;base64,a\""};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct neutral_part none = {0};
        if (neutral_read_data_url(slice_of(others[i]), &none) || none.data.data)
            fail_msg("%s", others[i]);
    }
}

static void wrapped(struct neutral_json json, const char *object, const char *quoted)
{
    struct buffer out;
    buffer_init(&out, 256);
    assert_int_equal(neutral_write_object(&out, json), 0);
    same_text(&out, object);
    buffer_clear(&out);
    assert_int_equal(neutral_write_quoted(&out, json), 0);
    same_text(&out, quoted);
    buffer_done(&out);
}

static void objects_change_their_wrapping_and_nothing_else(void **state)
{
    (void)state;
    wrapped((struct neutral_json){S("{\"a\":\"\\n\"}"), false}, "{\"a\":\"\\n\"}",
            "\"{\\\"a\\\":\\\"\\\\n\\\"}\"");
    wrapped((struct neutral_json){S("\"{\\\"a\\\":\\\"\\\\n\\\"}\""), true}, "{\"a\":\"\\n\"}",
            "\"{\\\"a\\\":\\\"\\\\n\\\"}\"");
    wrapped((struct neutral_json){{0}, false}, "{}", "\"{}\"");
    wrapped((struct neutral_json){S("\"\""), true}, "{}", "\"{}\"");
    /* A line end between tokens would end a line of a stream. */
    wrapped((struct neutral_json){S("{\n\"a\":1}"), false}, "{ \"a\":1}", "\"{\\n\\\"a\\\":1}\"");
    wrapped((struct neutral_json){S("\"{\\r\\n}\""), true}, "{  }", "\"{\\r\\n}\"");
}

static void what_is_no_object_is_not_written_as_one(void **state)
{
    (void)state;
    static const char *const broken[] = {"\"{\\\"a\\\":\"", "\"[]\"", "\" \"", "\"{} {}\"",
                                         "\"1\""};
    struct buffer out;
    buffer_init(&out, 256);
    assert_int_equal(buffer_text(&out, "x"), 0);
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        assert_int_equal(
            neutral_write_object(&out, (struct neutral_json){slice_of(broken[i]), true}),
            METE_E_SYNTAX);
    same_text(&out, "x");
    buffer_done(&out);
}

static void add(struct neutral_answer *answer, struct neutral_delta delta)
{
    assert_int_equal(neutral_answer_add(answer, &delta), 0);
}

static void piece_is(const struct neutral_answer *answer, size_t i, enum neutral_kind kind,
                     const char *text)
{
    const struct neutral_piece *piece = &answer->pieces[i];
    struct slice kept = neutral_answer_text(answer, piece->text, piece->text_len);
    assert_int_equal(piece->kind, kind);
    if (!slice_is(kept, text))
        fail_msg("%zu: %.*s", i, (int)kept.len, kept.data);
}

static void an_answer_is_put_together_again(void **state)
{
    (void)state;
    struct neutral_answer a;
    neutral_answer_init(&a, 4096);
    add(&a, (struct neutral_delta){
                .what = NEUTRAL_BEGIN, .id = S("\"m\\u0031\""), .model = S("\"m\"")});
    add(&a, (struct neutral_delta){.what = NEUTRAL_THINK, .text = S("\"h\"")});
    add(&a, (struct neutral_delta){.what = NEUTRAL_THINK, .text = S("\"m\"")});
    add(&a, (struct neutral_delta){.what = NEUTRAL_THINK, .signature = S("\"s\"")});
    add(&a, (struct neutral_delta){.what = NEUTRAL_THINK, .text = S("\"2\"")});
    add(&a, (struct neutral_delta){.what = NEUTRAL_SAY, .text = S("\"a\\ud83d\"")});
    add(&a, (struct neutral_delta){.what = NEUTRAL_SAY, .text = S("\"\\ude00b\"")});
    add(&a, (struct neutral_delta){.what = NEUTRAL_OPEN, .id = S("\"c\""), .name = S("\"f\"")});
    add(&a, (struct neutral_delta){.what = NEUTRAL_ARGUE, .input = {S("\"{\\\"x\\\"\""), true}});
    add(&a, (struct neutral_delta){.what = NEUTRAL_ARGUE, .input = {S("\":1}\""), true}});
    add(&a, (struct neutral_delta){.what = NEUTRAL_FINISH, .finish = DIALECT_TOOLS});
    assert_int_equal(a.pieces_len, 4);
    assert_string_equal(a.stream.id, "m1");
    piece_is(&a, 0, NEUTRAL_THINKING, "hm");
    piece_is(&a, 1, NEUTRAL_THINKING, "2");
    piece_is(&a, 2, NEUTRAL_TEXT, "a\\ud83d\\ude00b");
    piece_is(&a, 3, NEUTRAL_CALL, "{\"x\":1}");
    assert_int_equal(a.stream.finish, DIALECT_TOOLS);
    neutral_answer_done(&a);
}

static void what_cannot_follow_or_fit_is_told(void **state)
{
    (void)state;
    struct neutral_answer a;
    neutral_answer_init(&a, 8);
    const struct neutral_delta argue = {.what = NEUTRAL_ARGUE, .input = {S("\"{}\""), true}};
    assert_int_equal(neutral_answer_add(&a, &argue), METE_E_SYNTAX);
    add(&a, (struct neutral_delta){.what = NEUTRAL_SAY, .text = S("\"1234567\"")});
    assert_int_equal(neutral_answer_add(&a, &argue), METE_E_SYNTAX);
    const struct neutral_delta more = {.what = NEUTRAL_SAY, .text = S("\"89\"")};
    assert_int_equal(neutral_answer_add(&a, &more), METE_E_TOO_LARGE);
    piece_is(&a, 0, NEUTRAL_TEXT, "1234567");
    neutral_answer_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_grow_up_to_their_limit),
        cmocka_unit_test(texts_are_joined_line_by_line),
        cmocka_unit_test(data_urls_are_taken_apart_only_if_they_are_base64),
        cmocka_unit_test(objects_change_their_wrapping_and_nothing_else),
        cmocka_unit_test(what_is_no_object_is_not_written_as_one),
        cmocka_unit_test(an_answer_is_put_together_again),
        cmocka_unit_test(what_cannot_follow_or_fit_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
