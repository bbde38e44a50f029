/* SPDX-License-Identifier: Apache-2.0
 * Proves that what is counted comes out as Prometheus reads it: every family once, with HELP and
 * TYPE before its samples; histograms cumulative and complete; money exact; no line cut. Then the
 * log: one line an event, quoted, bounded, with what was swallowed. */
#include "base/assert.h"
#include "server/log.h"
#include "server/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static char *written(const struct metrics *metrics, const struct metrics_now *now)
{
    struct buffer out;
    buffer_init(&out, 1 << 20);
    assert_int_equal(metrics_write(metrics, now, &out), 0);
    assert_int_equal(buffer_append(&out, (struct slice){"", 1}), 0);
    return out.data;
}

static void expect(const char *text, const char *line)
{
    char *whole = malloc(strlen(line) + 3);
    assert_non_null(whole);
    snprintf(whole, strlen(line) + 3, "\n%s\n", line);
    if (!strstr(text, whole))
        fail_msg("no line %s in %s", line, text);
    free(whole);
}

static void every_family_of_the_table_is_written_once(void **state)
{
    (void)state;
    static struct metrics metrics;
    static struct metrics_now now;
    char *text = written(&metrics, &now);
#define ROW(NAME, name, type, labels, help)                                                        \
    {                                                                                              \
        const char *at = strstr(text, "# TYPE " #name " " #type "\n");                             \
        assert_non_null(at);                                                                       \
        assert_null(strstr(at + 1, "# TYPE " #name " "));                                          \
        assert_non_null(strstr(text, "# HELP " #name " "));                                        \
    }
#include "tables/metrics.h"
    free(text);
}

static void what_is_counted_is_written(void **state)
{
    (void)state;
    static struct metrics metrics;
    static struct metrics_now now;
    struct listener_done done = {
        .path = SLICE_LITERAL("/v1/chat/completions"), .status = 200, .duration_us = 1500};
    metrics_request(&metrics, &done);
    done.status = 429;
    done.duration_us = 150;
    metrics_request(&metrics, &done);
    done.gone = true;
    done.duration_us = INT64_C(400000000);
    metrics_request(&metrics, &done);
    struct gateway_call_done call = {.refused = METE_HARD_LIMIT};
    metrics_call(&metrics, &call);
    call = (struct gateway_call_done){.ending = METE_ENDED_CLIENT_GONE,
                                      .stream = true,
                                      .usage = {.input = 7, .output = 3},
                                      .latency_ms = 30,
                                      .first_token_ms = 4};
    metrics_call(&metrics, &call);
    char *text = written(&metrics, &now);
    expect(text, "mete_requests_total{route=\"chat\",status=\"2xx\"} 1");
    expect(text, "mete_requests_total{route=\"chat\",status=\"4xx\"} 1");
    expect(text, "mete_requests_total{route=\"chat\",status=\"none\"} 1");
    expect(text, "mete_request_duration_seconds_bucket{route=\"chat\",le=\"0.0001\"} 0");
    expect(text, "mete_request_duration_seconds_bucket{route=\"chat\",le=\"0.0002\"} 1");
    expect(text, "mete_request_duration_seconds_bucket{route=\"chat\",le=\"0.002\"} 2");
    expect(text, "mete_request_duration_seconds_bucket{route=\"chat\",le=\"300\"} 2");
    expect(text, "mete_request_duration_seconds_bucket{route=\"chat\",le=\"+Inf\"} 3");
    expect(text, "mete_request_duration_seconds_sum{route=\"chat\"} 400.00165");
    expect(text, "mete_request_duration_seconds_count{route=\"chat\"} 3");
    expect(text, "mete_verdicts_total{reason=\"hard_limit\"} 1");
    expect(text, "mete_verdicts_total{reason=\"allowed\"} 1");
    expect(text, "mete_calls_total{ending=\"client_gone\"} 1");
    expect(text, "mete_calls_total{ending=\"ok\"} 0");
    expect(text, "mete_tokens_total{meter=\"input\"} 7");
    expect(text, "mete_call_duration_seconds_count 1");
    expect(text, "mete_first_token_seconds_sum 0.004");
    free(text);
}

static void sums_are_of_the_organizations_own_budgets_and_exact(void **state)
{
    (void)state;
    static struct metrics metrics;
    static struct metrics_now now;
    struct mete_budget_view view = {.scope = {1},
                                    .organization = {1},
                                    .meter = METE_COST,
                                    .currency = METE_USD,
                                    .period = METE_MONTHLY,
                                    .held = 1,
                                    .committed = INT64_C(5000000000)};
    metrics_sum(&now, &view);
    view.scope.n = view.organization.n = 2;
    metrics_sum(&now, &view);
    view.scope.n = 3; /* a department's: the same money again */
    metrics_sum(&now, &view);
    view.scope.n = 2;
    view.ended = 1;
    metrics_sum(&now, &view);
    view.ended = 0;
    view.meter = METE_TOTAL_TOKENS;
    view.committed = METE_AMOUNT_MAX;
    for (int i = 0; i < 4; i++)
        metrics_sum(&now, &view);
    char *text = written(&metrics, &now);
    expect(text, "mete_held{unit=\"USD\",period=\"monthly\"} 0.000000002");
    expect(text, "mete_committed{unit=\"USD\",period=\"monthly\"} 10");
    expect(text, "mete_committed{unit=\"tokens\",period=\"monthly\"} 9223372036854775807");
    free(text);
}

static void flushes_are_cumulative(void **state)
{
    (void)state;
    static struct metrics metrics;
    static struct metrics_now now;
    now.stats.flush_us_bucket[7] = 3;
    now.stats.flush_us_bucket[8] = 2;
    now.stats.flushes = 6; /* one took longer than the last bucket */
    now.stats.flush_us_sum = 9000000;
    char *text = written(&metrics, &now);
    expect(text, "mete_flush_seconds_bucket{le=\"0.000064\"} 0");
    expect(text, "mete_flush_seconds_bucket{le=\"0.000128\"} 3");
    expect(text, "mete_flush_seconds_bucket{le=\"0.000256\"} 5");
    expect(text, "mete_flush_seconds_bucket{le=\"+Inf\"} 6");
    expect(text, "mete_flush_seconds_sum 9");
    expect(text, "mete_flush_seconds_count 6");
    free(text);
}

/* Standard error as a pipe for a while. */
static size_t logged(char *room, size_t room_len, void (*fn)(void))
{
    int pipes[2], before = dup(STDERR_FILENO);
    assert_int_equal(pipe(pipes), 0);
    dup2(pipes[1], STDERR_FILENO);
    fn();
    dup2(before, STDERR_FILENO);
    close(before);
    close(pipes[1]);
    size_t len = 0;
    ssize_t got;
    while (len < room_len - 1 && (got = read(pipes[0], room + len, room_len - 1 - len)) > 0)
        len += (size_t)got;
    room[len] = 0;
    close(pipes[0]);
    return len;
}

static void log_some(void)
{
    LOG_WRITE(EVENT_STARTED, log_text("address", SLICE_LITERAL("a\"b\nc\xff")), log_number("n", -5),
              log_text("none", ((struct slice){NULL, 0})));
    LOG_WRITE(EVENT_REQUEST, log_number("n", 1)); /* debug: not wanted */
    for (int i = 0; i < 100; i++)
        LOG_WRITE(EVENT_DRIFT, log_number("n", i));
}

static void the_log_is_one_quoted_line_an_event_and_bounded(void **state)
{
    (void)state;
    static char text[65536];
    log_setup(LOG_INFO, LOG_JSON);
    logged(text, sizeof text, log_some);
    assert_non_null(strstr(text,
                           "\"event\":\"started\",\"address\":\"a\\\"b\\nc\xef\xbf\xbd\",\"n\":-5,"
                           "\"none\":\"\"}\n"));
    assert_null(strstr(text, "request"));
    int lines = 0;
    for (const char *at = text; (at = strstr(at, "\"drift\"")); at++)
        lines++;
    assert_true(lines >= 1 && lines <= 2); /* two, if a second began in between */
    sleep(1);
    logged(text, sizeof text, log_some);
    assert_non_null(strstr(text, "\"swallowed\":"));
    log_setup(LOG_INFO, LOG_WORDS);
    logged(text, sizeof text, log_some);
    assert_non_null(strstr(text, " event=started address=\"a\\\"b\\nc"));
    log_setup(LOG_INFO, LOG_JSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_family_of_the_table_is_written_once),
        cmocka_unit_test(what_is_counted_is_written),
        cmocka_unit_test(sums_are_of_the_organizations_own_budgets_and_exact),
        cmocka_unit_test(flushes_are_cumulative),
        cmocka_unit_test(the_log_is_one_quoted_line_an_event_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
