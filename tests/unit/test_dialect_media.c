/* SPDX-License-Identifier: Apache-2.0
 * Proves that requests for pictures, speech, transcripts, video and moderations are read for what
 * they can cost, that what cannot be bounded is refused by name, and that their usage is read as it
 * is reported. */
#include "dialect_help.h"
#include "directory/directory.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define FORM "multipart/form-data; boundary=B"
#define FIELD(name, text)                                                                          \
    "--B\r\ncontent-disposition: form-data; name=\"" name "\"\r\n\r\n" text "\r\n"
#define END "--B--\r\n"

static const struct dialect_target in_form = {.content_type = {FORM, sizeof FORM - 1}};

static struct dialect_request read_form(const struct dialect *format, const char *body)
{
    struct dialect_request request;
    struct dialect_error error;
    if (format->read_request(&in_form, slice_of(body), &request, &error))
        fail_msg("%s: %s", body, error.message);
    return request;
}

static void form_refused(const struct dialect *format, const char *body, const char *param)
{
    struct dialect_request request;
    struct dialect_error error = {0};
    if (format->read_request(&in_form, slice_of(body), &request, &error) != METE_E_INVALID)
        fail_msg("accepted: %s", body);
    assert_int_equal(error.status, 400);
    if (param)
        assert_string_equal(error.param, param);
    else
        assert_null(error.param);
}

static bool finds(const struct dialect *format, const char *path, struct dialect_target *target)
{
    *target = (struct dialect_target){0};
    return dialect_find(slice_of(path), (struct slice){0}, target) == format;
}

static void paths_are_those_of_clients(void **state)
{
    (void)state;
    struct dialect_target target;
    assert_true(finds(dialect_images(), "/v1/images/generations", &target));
    assert_true(finds(dialect_images(), "/openai/deployments/d/images/generations", &target));
    assert_true(slice_is(target.model, "d"));
    assert_true(finds(dialect_speech(), "/v1/audio/speech", &target));
    assert_true(finds(dialect_transcriptions(), "/v1/audio/transcriptions", &target));
    assert_true(finds(dialect_moderations(), "/v1/moderations", &target));
    assert_true(finds(dialect_videos(), "/v1/videos", &target) && !target.id.len);
    assert_true(finds(dialect_videos(), "/v1/videos/video_1/content", &target));
    assert_true(slice_is(target.id, "video_1"));
    assert_string_equal(dialect_videos()->stored_methods(&target), "GET");
    assert_true(finds(dialect_videos(), "/v1/videos/video_1", &target));
    assert_string_equal(dialect_videos()->stored_methods(&target), "GET, DELETE");
    static const char *const unknown[] = {
        "/v1/images/edits",       "/v1/images/variations", "/v1/audio/translations",
        "/v1/videos/v/remix",     "/v1/videos/edits",      "/v1/videos/extensions",
        "/v1/videos/characters",  "/v1/videos/",           "/v1/videosx",
        "/v1/videos/v/content/x", "/v1/moderations/x",     "/v1/rerank"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        assert_null(dialect_find(slice_of(unknown[i]), (struct slice){0}, &target));
}

/* A format without a word would be open to keys that may call nothing of its kind. */
static void every_format_has_a_word_that_a_key_needs(void **state)
{
    (void)state;
    const struct dialect *format = dialect_pass();
    for (size_t i = 0; format; format = dialect_at(i++))
        if (!format->endpoint || !directory_endpoint(slice_of(format->endpoint)))
            fail_msg("%s: %s", format->name, format->endpoint ? format->endpoint : "none");
}

static bool is_grade(const struct dialect_request *r, uint16_t quality, uint16_t width,
                     uint16_t height)
{
    const struct price_grade *grade = &r->pieces.grade;
    return grade->quality == quality && grade->width == width && grade->height == height;
}

static void pictures_are_bounded_by_number_quality_and_size(void **state)
{
    (void)state;
    const struct dialect *format = dialect_images();
    struct dialect_request r = help_read(format, "{\"model\":\"m\",\"prompt\":\"x\"}");
    assert_true(r.has_pieces && r.makes_no_output && r.may_hide_output && !r.stream);
    assert_int_equal(r.pieces.images, 1);
    assert_int_equal(r.choices, 1);
    assert_int_equal(r.output_fixed, LIMIT_PICTURE_TOKENS);
    assert_true(is_grade(&r, 0, 0, 0));
    r = help_read(format, "{\"model\":\"dall-e-3\",\"prompt\":\"x\",\"n\":3}");
    assert_true(is_grade(&r, PRICE_QUALITY_STANDARD, 1024, 1024));
    assert_int_equal(r.pieces.images, 3);
    r = help_read(format, "{\"model\":\"dall-e-3\",\"quality\":\"hd\",\"size\":\"1024x1792\"}");
    assert_true(is_grade(&r, PRICE_QUALITY_HD, 1024, 1792));
    r = help_read(format, "{\"model\":\"m\",\"quality\":\"auto\",\"size\":\"auto\"}");
    assert_true(is_grade(&r, PRICE_QUALITY_ANY, PRICE_SIDE_ANY, PRICE_SIDE_ANY));
    r = help_read(format, "{\"model\":\"m\",\"quality\":7,\"size\":[1]}");
    assert_true(is_grade(&r, PRICE_QUALITY_ANY, PRICE_SIDE_ANY, PRICE_SIDE_ANY));
    /* No fewer tokens than the largest that OpenAI tells of each quality. */
    static const struct {
        const char *body;
        int64_t least;
    } known[] = {{"{\"model\":\"gpt-image-1\",\"quality\":\"low\"}", 408},
                 {"{\"model\":\"gpt-image-1-mini\",\"quality\":\"medium\"}", 1584},
                 {"{\"model\":\"gpt-image-1.5\",\"quality\":\"high\"}", 6240},
                 {"{\"model\":\"gpt-image-1\"}", 6240},
                 {"{\"model\":\"gpt-image-1\",\"quality\":\"low\",\"size\":\"4096x4096\"}",
                  LIMIT_PICTURE_TOKENS},
                 {"{\"model\":\"gpt-image-1\",\"partial_images\":3}", 6240 + 300}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_true(help_read(format, known[i].body).output_fixed >= known[i].least);
    help_refused(format, "{\"prompt\":\"x\"}", "model");
    help_refused(format, "{\"model\":\"m\",\"n\":0}", "n");
    help_refused(format, "{\"model\":\"m\",\"n\":1.5}", "n");
    help_refused(format, "{\"model\":\"m\",\"n\":2,\"n\":1}", "n");
    help_refused(format, "{\"model\":\"m\",\"n\":11}", "n");
    help_refused(format, "{\"model\":\"m\",\"n\":2,\"stream\":true}", "n");
    help_refused(format, "{\"model\":\"m\",\"partial_images\":4}", "partial_images");
    help_refused(format, "{\"model\":\"m\",\"models\":[\"n\"]}", "models");
    help_refused(format, "[]", NULL);
}

static struct dialect_answer answer_of(const struct dialect *format, const char *body)
{
    struct dialect_answer answer;
    format->read_answer(slice_of(body), &answer);
    return answer;
}

static void pictures_say_how_many_and_of_what_they_are(void **state)
{
    (void)state;
    struct dialect_answer a =
        answer_of(dialect_images(), "{\"created\":1,\"data\":[{\"url\":\"x\"},{\"url\":\"y\"}]}");
    assert_false(a.has_usage);
    assert_int_equal(a.usage.images, 2);
    a = answer_of(dialect_images(),
                  "{\"data\":[{}],\"quality\":\"high\",\"size\":\"1536x1024\",\"usage\":{"
                  "\"input_tokens\":50,\"output_tokens\":6208,\"total_tokens\":6258,"
                  "\"input_tokens_details\":{\"text_tokens\":10,\"image_tokens\":40}}}");
    assert_true(a.has_usage);
    assert_int_equal(a.usage.image_input, 40);
    assert_int_equal(a.usage.image_output, 6208);
    assert_int_equal(a.usage.grade.quality, PRICE_QUALITY_HIGH);
    assert_int_equal(a.usage.grade.width, 1536);
    a = answer_of(dialect_images(),
                  "{\"data\":[{}],\"usage\":{\"input_tokens\":5,\"output_tokens\":100,\"total_"
                  "tokens\":105,\"output_tokens_details\":{\"image_tokens\":90,\"text_tokens\":10}"
                  "}}");
    assert_int_equal(a.usage.image_output, 90);
    assert_int_equal(a.usage.output, 100);
    assert_false(answer_of(dialect_images(), "{\"usage\":{\"input_tokens\":-1}}").has_usage);
    assert_false(answer_of(dialect_images(), "<html>").has_usage);
}

static void speech_counts_characters_not_bytes(void **state)
{
    (void)state;
    const struct dialect *format = dialect_speech();
    struct dialect_request r =
        help_read(format, "{\"model\":\"tts-1\",\"input\":\"na\\u00efve \xe6\xbc\xa2 "
                          "\\ud83d\\ude42 \xf0\x9f\x99\x82\\n\"}");
    assert_int_equal(r.pieces.characters, 12);
    assert_true(r.is_relayed && !r.stream && r.has_pieces);
    r = help_read(format, "{\"model\":\"m\",\"input\":\"abc\",\"stream_format\":\"sse\"}");
    assert_true(r.stream && !r.is_relayed);
    assert_true(r.output_fixed >= 3 * LIMIT_SPEECH_TOKENS);
    help_refused(format, "{\"model\":\"m\"}", "input");
    help_refused(format, "{\"model\":\"m\",\"input\":\"\"}", "input");
    help_refused(format, "{\"model\":\"m\",\"input\":[\"a\"]}", "input");
    help_refused(format, "{\"model\":\"m\",\"input\":\"a\",\"input\":\"b\"}", "input");
    help_refused(format, "{\"input\":\"a\"}", "model");
}

static void a_file_is_bounded_by_its_seconds_or_its_bytes(void **state)
{
    (void)state;
    const struct dialect *format = dialect_transcriptions();
    struct dialect_request r =
        read_form(format, FIELD("model", "whisper-1") FIELD("file", "not a sound") END);
    assert_true(r.has_pieces && r.is_form && r.is_any_text && !r.stream);
    assert_string_equal(r.model, "whisper-1");
    assert_int_equal(r.pieces.audio_seconds, 1);
    char body[4096], noise[2001];
    memset(noise, 'n', sizeof noise - 1);
    noise[sizeof noise - 1] = 0;
    snprintf(body, sizeof body, FIELD("stream", "true") FIELD("file", "%s") FIELD("model", "m") END,
             noise);
    r = read_form(format, body);
    assert_int_equal(r.pieces.audio_seconds, 2000 / LIMIT_SOUND_BYTES + 1);
    assert_true(r.stream && r.input_bound >= 5 * LIMIT_HEARD_TOKENS);
    form_refused(format, FIELD("model", "m") END, "file");
    form_refused(format, FIELD("model", "m") FIELD("file", "") END, "file");
    form_refused(format, FIELD("file", "x") END, "model");
    form_refused(format, FIELD("model", "") FIELD("file", "x") END, "model");
    form_refused(format, FIELD("model", "m") FIELD("model", "n") FIELD("file", "x") END, "model");
    form_refused(format, FIELD("model", "m") FIELD("file", "x") FIELD("file", "y") END, "file");
    form_refused(format, FIELD("model", "m") FIELD("file", "x"), NULL);
    help_refused(format, "{\"model\":\"m\"}", NULL);
}

static void the_model_of_a_form_is_written_as_it_stands_there(void **state)
{
    (void)state;
    static const char body[] = FIELD("model", "whisper-1") FIELD("file", "x") END;
    const struct dialect_request r = read_form(dialect_transcriptions(), body);
    const struct dialect_changes changes = {.model = SLICE_LITERAL("theirs")};
    struct dialect_body changed;
    struct buffer out;
    buffer_init(&out, 1024);
    dialect_change(&r, slice_of(body), &changes, &changed);
    for (size_t i = 0; i < changed.pieces_len; i++)
        assert_int_equal(buffer_append(&out, changed.pieces[i]), 0);
    assert_true(slice_is(buffer_slice(&out), FIELD("model", "theirs") FIELD("file", "x") END));
    buffer_done(&out);
}

static void transcripts_tell_seconds_or_tokens(void **state)
{
    (void)state;
    const struct dialect *format = dialect_transcriptions();
    struct dialect_answer a =
        answer_of(format, "{\"text\":\"x\",\"usage\":{\"type\":\"duration\",\"seconds\":8.2}}");
    assert_true(a.has_usage);
    assert_int_equal(a.usage.audio_seconds, 9);
    a = answer_of(format, "{\"text\":\"x\",\"duration\":8.47}");
    assert_false(a.has_usage);
    assert_int_equal(a.usage.audio_seconds, 9);
    a = answer_of(format, "{\"text\":\"x\",\"usage\":{\"type\":\"tokens\",\"input_tokens\":14,"
                          "\"input_token_details\":{\"text_tokens\":4,\"audio_tokens\":10},"
                          "\"output_tokens\":101,\"total_tokens\":115}}");
    assert_true(a.has_usage);
    assert_int_equal(a.usage.audio_input, 10);
    assert_int_equal(a.usage.output, 101);
    assert_int_equal(a.usage.audio_output, 0);
    a = answer_of(format, "{\"usage\":{\"type\":\"duration\",\"seconds\":-1}}");
    assert_false(a.has_usage);
    assert_int_equal(answer_of(format, "1\n00:00:00 --> 00:00:01\nx").usage.audio_seconds, 0);
}

static void video_is_bounded_by_its_seconds(void **state)
{
    (void)state;
    const struct dialect *format = dialect_videos();
    struct dialect_request r = read_form(format, FIELD("model", "sora-2") FIELD("seconds", "8")
                                                     FIELD("size", "1280x720") END);
    assert_int_equal(r.pieces.video_seconds, 8);
    assert_int_equal(r.pieces.grade.width, 1280);
    assert_true(r.is_form);
    r = help_read(format, "{\"model\":\"sora-2\",\"seconds\":\"12\",\"prompt\":\"x\"}");
    assert_int_equal(r.pieces.video_seconds, 12);
    assert_false(r.is_form);
    r = help_read(format, "{\"model\":\"sora-2\",\"seconds\":4}");
    assert_int_equal(r.pieces.video_seconds, 4);
    r = help_read(format, "{\"model\":\"sora-2\"}");
    assert_int_equal(r.pieces.video_seconds, LIMIT_VIDEO_SECONDS);
    help_refused(format, "{\"model\":\"sora-2\",\"seconds\":\"61\"}", "seconds");
    help_refused(format, "{\"model\":\"sora-2\",\"seconds\":\"0\"}", "seconds");
    help_refused(format, "{\"model\":\"sora-2\",\"seconds\":\"long\"}", "seconds");
    help_refused(format, "{\"model\":\"sora-2\",\"seconds\":[4]}", "seconds");
    form_refused(format, FIELD("model", "m") FIELD("seconds", "1e9") END, "seconds");
    help_refused(format, "{\"seconds\":4}", "model");
}

static void a_job_tells_what_it_will_come_to(void **state)
{
    (void)state;
#define JOB(status)                                                                                \
    "{\"id\":\"video_1\",\"object\":\"video\",\"model\":\"sora-2\",\"status\":\"" status           \
    "\",\"seconds\":\"8\",\"size\":\"1280x720\"}"
    struct dialect_answer a = answer_of(dialect_videos(), JOB("queued"));
    assert_true(a.pending && a.has_usage && slice_is(a.id, "\"video_1\""));
    assert_int_equal(a.usage.video_seconds, 8);
    assert_true(answer_of(dialect_videos(), JOB("in_progress")).pending);
    a = answer_of(dialect_videos(), JOB("completed"));
    assert_true(!a.pending && a.has_usage && a.usage.video_seconds == 8);
    assert_int_equal(a.usage.grade.height, 720);
    a = answer_of(dialect_videos(), JOB("failed"));
    assert_true(!a.pending && a.has_usage && a.usage.video_seconds == 0);
    a = answer_of(dialect_videos(), "{\"id\":\"v\",\"object\":\"video\",\"status\":\"completed\"}");
    assert_true(!a.pending && !a.has_usage); /* nothing of it is known: the whole is charged */
    a = answer_of(dialect_videos(), "{\"id\":\"v\",\"object\":\"video.deleted\",\"deleted\":true}");
    assert_true(!a.pending && !a.has_usage);
}

static void moderations_name_their_model(void **state)
{
    (void)state;
    const struct dialect *format = dialect_moderations();
    help_written(format, "{\"input\":\"x\"}", 0,
                 "{\"model\":\"omni-moderation-latest\",\"input\":\"x\"}");
    help_written(format, "{\"model\":\"m\",\"input\":\"x\"}", 0,
                 "{\"model\":\"m\",\"input\":\"x\"}");
    struct dialect_request r =
        help_read(format, "{\"input\":[{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"image_url\","
                          "\"image_url\":{\"url\":\"https://x/y.png\"}}]}");
    assert_true(r.input_bound > LIMIT_IMAGE_TOKENS && r.makes_no_output && !r.has_pieces);
    help_refused(format, "{\"model\":\"m\"}", "input");
    assert_false(answer_of(format, "{\"id\":\"modr-1\",\"model\":\"m\",\"results\":[]}").has_usage);
    help_used(format,
              "{\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}}", 7, 0,
              0);
}

static void what_passes_through_is_of_the_model_it_names(void **state)
{
    (void)state;
    const struct dialect *format = dialect_pass();
    const struct dialect_target target = {.rest = SLICE_LITERAL("/v1/rerank")};
    struct dialect_request r;
    struct dialect_error error;
    struct buffer out;
    buffer_init(&out, 256);
    assert_int_equal(format->read_request(&target, SLICE_LITERAL("{\"model\":\"m\"}"), &r, &error),
                     0);
    assert_string_equal(r.model, "m");
    assert_true(r.is_flat && r.is_relayed && r.makes_no_output);
    assert_int_equal(format->write_path(&r, (struct slice){0}, &out), 0);
    assert_true(slice_is(buffer_slice(&out), "/rerank"));
    assert_int_equal(format->read_request(&target, SLICE_LITERAL("no JSON"), &r, &error), 0);
    assert_string_equal(r.model, "/v1/rerank");
    assert_int_equal(format->read_request(
                         &target, SLICE_LITERAL("{\"model\":\"m\",\"model\":\"n\"}"), &r, &error),
                     METE_E_INVALID);
    assert_int_equal(
        format->read_request(&target, SLICE_LITERAL("{\"model\":\"a b\"}"), &r, &error),
        METE_E_INVALID);
    buffer_done(&out);
}

static struct dialect_event event_of(const struct dialect *format, const char *data)
{
    struct dialect_stream stream = {0};
    struct dialect_event event;
    const struct frame frame = {.raw = slice_of(data), .data = slice_of(data), .has_data = true};
    format->read_event(&stream, &frame, &event);
    return event;
}

static void the_last_event_has_the_usage(void **state)
{
    (void)state;
    struct dialect_event e = event_of(
        dialect_images(), "{\"type\":\"image_generation.completed\",\"usage\":{\"input_tokens\":5,"
                          "\"output_tokens\":100,\"total_tokens\":105}}");
    assert_true(e.has_usage && e.finishes && e.may_be_last && e.usage.image_output == 100);
    e = event_of(dialect_speech(), "{\"type\":\"speech.audio.done\",\"usage\":{\"input_tokens\":5,"
                                   "\"output_tokens\":10,\"total_tokens\":15}}");
    assert_true(e.has_usage && e.usage.audio_output == 10);
    e = event_of(
        dialect_transcriptions(),
        "{\"type\":\"transcript.text.done\",\"text\":\"x\",\"usage\":{\"type\":\"duration\","
        "\"seconds\":3}}");
    assert_true(e.has_usage && e.usage.audio_seconds == 3);
    e = event_of(dialect_speech(), "{\"type\":\"speech.audio.delta\",\"audio\":\"AAAA\"}");
    assert_true(e.kind == DIALECT_CHUNK && !e.has_usage && !e.finishes);
    e = event_of(dialect_images(), "{\"type\":\"image_generation.completed\"}");
    assert_true(e.finishes && !e.has_usage);
    assert_true(event_of(dialect_images(), "{\"type\":\"error\",\"error\":{}}").failed);
    assert_int_equal(event_of(dialect_images(), "[DONE]").kind, DIALECT_FINAL);
    assert_int_equal(event_of(dialect_images(), "{").kind, DIALECT_FOREIGN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_those_of_clients),
        cmocka_unit_test(every_format_has_a_word_that_a_key_needs),
        cmocka_unit_test(pictures_are_bounded_by_number_quality_and_size),
        cmocka_unit_test(pictures_say_how_many_and_of_what_they_are),
        cmocka_unit_test(speech_counts_characters_not_bytes),
        cmocka_unit_test(a_file_is_bounded_by_its_seconds_or_its_bytes),
        cmocka_unit_test(the_model_of_a_form_is_written_as_it_stands_there),
        cmocka_unit_test(transcripts_tell_seconds_or_tokens),
        cmocka_unit_test(video_is_bounded_by_its_seconds),
        cmocka_unit_test(a_job_tells_what_it_will_come_to),
        cmocka_unit_test(moderations_name_their_model),
        cmocka_unit_test(what_passes_through_is_of_the_model_it_names),
        cmocka_unit_test(the_last_event_has_the_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
