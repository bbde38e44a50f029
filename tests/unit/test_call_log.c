/* SPDX-License-Identifier: Apache-2.0
 * Proves what the log line of a gateway call says, by reading standard error: OpenTelemetry's
 * names, nothing that is not known, and an error.type exactly where something went wrong. */
#include "server/call_log.h"
#include "server/log.h"

#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* The line that the call makes, as an object; the caller's. */
static json_t *line_of(const struct gateway_call_done *done)
{
    char text[8192];
    int ends[2], saved = dup(STDERR_FILENO);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    call_log(done);
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t len = read(ends[0], text, sizeof text);
    close(ends[0]);
    assert_true(len > 0 && text[len - 1] == '\n');
    json_t *line = json_loadb(text, (size_t)len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "event")), "call");
    return line;
}

static void must_be(const json_t *line, const char *name, const char *text)
{
    const char *found = json_string_value(json_object_get(line, name));
    if (!found || strcmp(found, text) != 0)
        fail_msg("%s is %s", name, found ? found : "not there");
}

static void must_count(const json_t *line, const char *name, int64_t number)
{
    const json_t *found = json_object_get(line, name);
    if (!json_is_integer(found) || json_integer_value(found) != number)
        fail_msg("%s is not %lld", name, (long long)number);
}

static void a_call_has_every_attribute(void **state)
{
    (void)state;
    const struct gateway_call_done done = {
        .exchange = 7,
        .request_id = SLICE_LITERAL("req-1"),
        .model = SLICE_LITERAL("gpt-4o"),
        .provider = SLICE_LITERAL("mine"),
        .operation = SLICE_LITERAL("chat"),
        .vendor = SLICE_LITERAL("openai"),
        .response_model = SLICE_LITERAL("gpt-4o-2024-08-06"),
        .server_address = SLICE_LITERAL("api.openai.com"),
        .trace_id = SLICE_LITERAL("4bf92f3577b34da6a3ce929d0e0e4736"),
        .span_id = SLICE_LITERAL("00f067aa0ba902b7"),
        .parent_span_id = SLICE_LITERAL("00f067aa0ba902b8"),
        .server_port = 443,
        .attempts = 2,
        .scope = {9},
        .status = 200,
        .upstream_status = 200,
        .stream = true,
        .cost_nano = 39150,
        .usage = {.input = 10, .cached_input = 4, .cache_write = 3, .output = 20, .reasoning = 5},
        .latency_ms = 1500,
        .first_token_ms = 300,
        .record = 11,
    };
    json_t *line = line_of(&done);
    must_be(line, "gen_ai.operation.name", "chat");
    must_be(line, "gen_ai.provider.name", "openai");
    must_be(line, "gen_ai.request.model", "gpt-4o");
    must_be(line, "gen_ai.response.model", "gpt-4o-2024-08-06");
    must_count(line, "gen_ai.usage.input_tokens", 10);
    must_count(line, "gen_ai.usage.output_tokens", 20);
    must_count(line, "gen_ai.usage.cache_read.input_tokens", 4);
    must_count(line, "gen_ai.usage.cache_creation.input_tokens", 3);
    must_count(line, "gen_ai.usage.reasoning.output_tokens", 5);
    must_be(line, "server.address", "api.openai.com");
    must_count(line, "server.port", 443);
    must_count(line, "http.response.status_code", 200);
    must_be(line, "trace_id", "4bf92f3577b34da6a3ce929d0e0e4736");
    must_be(line, "span_id", "00f067aa0ba902b7");
    must_be(line, "parent_span_id", "00f067aa0ba902b8");
    must_be(line, "mete.request_id", "req-1");
    must_be(line, "mete.provider", "mine");
    must_be(line, "mete.verdict", "allowed");
    must_be(line, "mete.ending", "ok");
    must_count(line, "mete.attempts", 2);
    must_count(line, "mete.stream", 1);
    must_count(line, "mete.cost_nano", 39150);
    must_count(line, "mete.record", 11);
    must_count(line, "mete.ms", 1500);
    must_count(line, "mete.first_token_ms", 300);
    assert_null(json_object_get(line, "error.type"));
    json_decref(line);
}

static void what_is_not_known_is_left_out(void **state)
{
    (void)state;
    const struct gateway_call_done done = {.exchange = 1};
    json_t *line = line_of(&done);
    const char *name;
    json_t *value;
    json_object_foreach(line, name, value)
    {
        if (strncmp(name, "gen_ai.", 7) == 0 || strncmp(name, "server.", 7) == 0)
            fail_msg("%s of a call of which nothing is known", name);
        if (json_is_string(value))
            assert_string_not_equal(json_string_value(value), "");
    }
    assert_null(json_object_get(line, "trace_id"));
    json_decref(line);
}

static void error_type_says_what_went_wrong(void **state)
{
    (void)state;
    const struct {
        struct gateway_call_done done;
        const char *type; /* NULL: nothing did */
    } cases[] = {
        {{.status = 200, .ending = METE_ENDED_OK}, NULL},
        {{.status = 200, .ending = METE_ENDED_NO_USAGE}, NULL},
        {{.status = 429, .refused = METE_HARD_LIMIT}, "hard_limit"},
        {{.status = 502, .ending = METE_ENDED_ERROR}, "502"},
        {{.status = 200, .ending = METE_ENDED_LOST}, "lost"},
        {{.status = 200, .ending = METE_ENDED_CLIENT_GONE}, "client_gone"},
        {{.status = 502, .error_type = SLICE_LITERAL("dns")}, "dns"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *line = line_of(&cases[i].done);
        if (cases[i].type)
            must_be(line, "error.type", cases[i].type);
        else
            assert_null(json_object_get(line, "error.type"));
        if (cases[i].done.refused)
            assert_null(json_object_get(line, "mete.ending"));
        json_decref(line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_has_every_attribute),
        cmocka_unit_test(what_is_not_known_is_left_out),
        cmocka_unit_test(error_type_says_what_went_wrong),
    };
    log_setup(LOG_INFO, LOG_JSON);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
