/* SPDX-License-Identifier: Apache-2.0
 * Proves, over a real engine with records and a provider that does what it is told, what a batch
 * sets aside and what becomes of it in time: a file's worst case is that of its calls made live,
 * answers come to the same wherever they are cut, and a batch that nobody fetched is charged its
 * worst case until somebody does. The rest is proved by the official client
 * (tests/outside/batches.test.mjs). */
#include "base/limits.h"
#include "gateway/batches/lines.h"
#include "gateway/batches/settling.h"
#include "property/model_gateway.h"
#include "unit/temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <cmocka.h>

#define JSON "application/json"
#define TYPE "multipart/form-data; boundary=~edge~"
#define HOUR_US INT64_C(3600000000)

static struct bench bench;
static char directory[64];
static _Atomic int64_t now_us;

static int64_t clock_now(void *user)
{
    (void)user;
    return atomic_load(&now_us);
}

static void start(void)
{
    assert_int_equal(temp_make(directory, sizeof directory), 0);
    atomic_store(&now_us, INT64_C(1763683200000000));
    bench_open(&bench, &(struct bench_setup){
                           .directory = directory, .clock = {clock_now, NULL}, .workers = true});
}

static void stop(void)
{
    bench_close(&bench);
    assert_int_equal(temp_remove(directory), 0);
}

static struct client *asks(const char *method, const char *path, const char *body, const char *type)
{
    struct client *client = bench_client(&bench, body);
    client->exchange.method = slice_of(method);
    client->exchange.path = slice_of(path);
    bench_header(client, "content-type", type);
    bench_begin(client);
    return client;
}

static void answers(struct client *client, const char *text)
{
    if (!client->times_asked)
        print_error("%d %.*s\n", client->status, (int)client->got.len, client->got.data);
    assert_int_equal(client->times_asked, 1);
    bench_head(client, 200, JSON);
    bench_text(client, text);
    bench_end(client, UPSTREAM_DONE);
    assert_int_equal(client->status, 200);
}

static struct client *uploads(const char *lines)
{
    char form[4096];
    snprintf(
        form, sizeof form,
        "--~edge~\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n"
        "--~edge~\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n%s\r\n"
        "--~edge~--\r\n",
        lines);
    return asks("POST", "/v1/files", form, TYPE);
}

static void begins(void)
{
    struct client *client =
        asks("POST", "/v1/batches",
             "{\"input_file_id\":\"file-1\",\"endpoint\":\"/v1/chat/completions\","
             "\"completion_window\":\"24h\"}",
             JSON);
    answers(client, "{\"id\":\"batch_1\",\"object\":\"batch\",\"status\":\"validating\"}");
}

static int64_t held(void)
{
    struct mete_budget_view view;
    bench_budget(&bench, &view);
    return view.held;
}

/* ---- What it may cost ------------------------------------------------------------------------ */

static const char *const bodies[] = {
    "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
    "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"a longer text, which "
    "has more tokens\"}],\"max_tokens\":17}",
    "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"two\"}],\"n\":2,"
    "\"max_completion_tokens\":40}",
};
enum { BODIES = sizeof bodies / sizeof bodies[0] };

static void a_file_costs_at_most_what_its_calls_would_live(void **state)
{
    (void)state;
    char lines[2048];
    int len = 0;
    int64_t live = 0;
    start();
    for (int i = 0; i < BODIES; i++) {
        struct client *client = bench_post(&bench, bodies[i]);
        live += held();
        bench_head(client, 400, JSON);
        bench_end(client, UPSTREAM_DONE);
        len += snprintf(lines + len, sizeof lines - (size_t)len,
                        "%s{\"custom_id\":\"%d\",\"method\":\"POST\",\"url\":"
                        "\"/v1/chat/completions\",\"body\":%s}",
                        i ? "\n" : "", i, bodies[i]);
    }
    assert_int_equal(held(), 0);
    answers(uploads(lines), "{\"id\":\"file-1\",\"object\":\"file\"}");
    assert_int_equal(held(), 0);
    begins();
    assert_true(live > 0);
    assert_int_equal(held(), live);
    answers(asks("GET", "/v1/batches/batch_1", "", JSON),
            "{\"id\":\"batch_1\",\"object\":\"batch\",\"status\":\"failed\"}");
    assert_int_equal(held(), 0);
    stop();
}

/* ---- What it came to ------------------------------------------------------------------------- */

#define ANSWER(in, out)                                                                            \
    "{\"id\":\"r\",\"custom_id\":\"a\",\"response\":{\"status_code\":200,\"body\":{\"model\":"     \
    "\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":" in ",\"completion_tokens\":" out          \
    ",\"total_tokens\":1}}},\"error\":null}\n"
static const char answered[] = ANSWER(
    "10",
    "5") "{\"id\":\"r\",\"response\":{\"status_code\":429,\"body\":{\"usage\":{\"prompt_tokens\":9,"
         "\"completion_tokens\":9}}}}\n"
         "\n"
         "{\"id\":\"r\",\"response\":{\"status_code\":200,\"body\":{\"choices\":[]}}}\n"
         "{\"id\":\"r\",\"response\":null,\"error\":{\"code\":\"x\"}}\n" ANSWER("20", "1");

static void answers_come_to_the_same_wherever_they_are_cut(void **state)
{
    (void)state;
    struct pricing *pricing;
    assert_int_equal(pricing_new(&pricing), 0);
    const struct price_model *price = pricing_find(pricing, SLICE_LITERAL("gpt-4o-mini"));
    const struct dialect *format = lines_format(SLICE_LITERAL("/v1/chat/completions"));
    struct slice all = SLICE_LITERAL(answered);
    for (size_t cut = 0; cut <= all.len; cut++) {
        struct settling *settling = settling_new(format, price, 777, 99);
        struct mete_usage usage[USAGE_METERS];
        assert_non_null(settling);
        settling_feed(settling, slice_part(all, 0, cut));
        settling_feed(settling, slice_from(all, cut));
        assert_true(settling_end(settling));
        /* 0.075 and 0.3 USD a million, at the batch tier, and one answer that tells nothing */
        assert_int_equal(settling->cost, 750 + 1500 + 1500 + 300 + 777);
        assert_int_equal(settling->answers, 3);
        assert_int_equal(settling->untold, 1);
        assert_true(settling_usage(settling, usage) >= 4);
        assert_int_equal(usage[1].meter, METE_TOTAL_TOKENS);
        assert_int_equal(usage[1].amount, 36 + 99);
        assert_int_equal(usage[2].amount, 3);
        settling_free(settling);
    }
    pricing_free(pricing);
}

static void a_line_longer_than_any_settles_nothing(void **state)
{
    (void)state;
    struct settling *settling = settling_new(dialect_chat(), NULL, 1, 1);
    static char piece[1 << 16];
    memset(piece, 'x', sizeof piece);
    for (size_t sent = 0; sent <= LIMIT_BATCH_LINE; sent += sizeof piece)
        settling_feed(settling, (struct slice){piece, sizeof piece});
    assert_false(settling_end(settling));
    settling_free(settling);
}

/* ---- In time --------------------------------------------------------------------------------- */

#define CALL                                                                                       \
    "{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{"         \
    "\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":"   \
    "50}}"
#define OVER                                                                                       \
    "{\"id\":\"batch_1\",\"object\":\"batch\",\"status\":\"completed\",\"output_file_id\":"        \
    "\"file-2\",\"request_counts\":{\"total\":1,\"completed\":1,\"failed\":0}}"

/* Provisionally charged ones, and what the first was charged. */
static size_t provisional(int64_t *ret_charged)
{
    struct mete_reservation_view rows[2];
    struct mete_answer answer;
    struct mete_op op = {
        .kind = METE_OP_QUERY,
        .args.query = {.kind = METE_QUERY_PROVISIONAL, .reservations = rows, .rows_max = 2},
        .result.answer = &answer};
    bench_do(&bench, &op);
    assert_int_equal(op.status, 0);
    *ret_charged = answer.rows_len ? rows[0].amounts[0].fixed : 0;
    return answer.rows_len;
}

static void fetch(void)
{
    struct client *client = asks("GET", "/v1/files/file-2/content", "", JSON);
    answers(client, ANSWER("10", "5"));
    assert_true(slice_is(buffer_slice(&client->got), ANSWER("10", "5")));
}

/* One that is over, its reservation has expired, and nobody has fetched it. */
static int64_t forgotten(void)
{
    int64_t charged, worst;
    start();
    answers(uploads(CALL), "{\"id\":\"file-1\",\"object\":\"file\"}");
    begins();
    worst = held();
    answers(asks("GET", "/v1/batches/batch_1", "", JSON), OVER);
    atomic_fetch_add(&now_us, 25 * HOUR_US);
    bench_turn(&bench);
    assert_int_equal(provisional(&charged), 0);
    atomic_fetch_add(&now_us, 2 * HOUR_US);
    bench_turn(&bench);
    assert_int_equal(provisional(&charged), 1);
    assert_int_equal(charged, worst);
    return worst;
}

static void what_nobody_fetched_is_charged_its_worst_case_until_somebody_does(void **state)
{
    (void)state;
    int64_t charged, worst = forgotten();
    fetch();
    assert_int_equal(provisional(&charged), 0);
    assert_int_equal(bench.done.cost_nano, 20000); /* 1 and 2 USD a million */
    assert_true(worst > 20000);
    assert_int_equal(bench.dones, 1);
    fetch();
    assert_int_equal(bench.dones, 1);
    stop();
}

/* litellm #37050, #39980: a batch was billed once a poll, or never; #37217: its spend was lost. */
static void group_1_7_a_batch_was_billed_once_per_poll_or_never(void **state)
{
    (void)state;
    struct mete_budget_view view;
    start();
    answers(uploads(CALL), "{\"id\":\"file-1\",\"object\":\"file\"}");
    begins();
    int64_t worst = held();
    for (int i = 0; i < 3; i++)
        answers(asks("GET", "/v1/batches/batch_1", "", JSON),
                "{\"id\":\"batch_1\",\"object\":\"batch\",\"status\":\"in_progress\"}");
    for (int i = 0; i < 3; i++)
        answers(asks("GET", "/v1/batches/batch_1", "", JSON), OVER);
    assert_int_equal(held(), worst);
    for (int i = 0; i < 3; i++) {
        fetch();
        answers(asks("GET", "/v1/batches/batch_1", "", JSON), OVER);
        bench_budget(&bench, &view);
        assert_int_equal(view.committed, 20000);
        assert_int_equal(view.held, 0);
        assert_int_equal(bench.dones, 1);
    }
    stop();
}

static void what_is_fetched_too_late_stays_at_its_worst_case(void **state)
{
    (void)state;
    int64_t charged;
    (void)forgotten();
    atomic_fetch_add(&now_us, 25 * HOUR_US);
    bench_turn(&bench);
    fetch();
    assert_int_equal(bench.dones, 0);
    assert_int_equal(provisional(&charged), 0);
    stop();
}

static void a_batch_that_failed_after_its_reservation_expired_costs_nothing(void **state)
{
    (void)state;
    int64_t charged;
    (void)forgotten();
    answers(asks("GET", "/v1/batches/batch_1", "", JSON),
            "{\"id\":\"batch_1\",\"object\":\"batch\",\"status\":\"failed\"}");
    assert_int_equal(provisional(&charged), 1); /* its answers were told of before */
    stop();
    start();
    answers(uploads(CALL), "{\"id\":\"file-1\",\"object\":\"file\"}");
    begins();
    atomic_fetch_add(&now_us, 27 * HOUR_US);
    bench_turn(&bench);
    assert_int_equal(provisional(&charged), 1);
    answers(asks("GET", "/v1/batches/batch_1", "", JSON),
            "{\"id\":\"batch_1\",\"object\":\"batch\",\"status\":\"failed\"}");
    assert_int_equal(provisional(&charged), 0);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_costs_at_most_what_its_calls_would_live),
        cmocka_unit_test(answers_come_to_the_same_wherever_they_are_cut),
        cmocka_unit_test(a_line_longer_than_any_settles_nothing),
        cmocka_unit_test(what_nobody_fetched_is_charged_its_worst_case_until_somebody_does),
        cmocka_unit_test(group_1_7_a_batch_was_billed_once_per_poll_or_never),
        cmocka_unit_test(what_is_fetched_too_late_stays_at_its_worst_case),
        cmocka_unit_test(a_batch_that_failed_after_its_reservation_expired_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
