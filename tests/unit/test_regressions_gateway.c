/* SPDX-License-Identifier: Apache-2.0
 * Ways in which gateways have billed wrongly in use, each a test named after what went wrong: 1.1
 * paths around the budget, 1.4 streams, clients that leave and usage that is missing. Over a real
 * engine in memory and a provider that does what it is told; bench_close() asserts that nothing is
 * held. tools/guards shows that each of them fails without its guard. */
#include "property/model_gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define PLAIN "{\"model\":\"bench-model\"," HI "}"
#define STREAM "{\"model\":\"bench-model\"," HI ",\"stream\":true}"
#define FIGURES(in, out) "{\"prompt_tokens\":" in ",\"completion_tokens\":" out "}"
#define ANSWER                                                                                     \
    "{\"choices\":[{\"message\":{\"content\":\"hello\"}}],\"usage\":" FIGURES("10", "5") "}"
#define CHUNK "data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n"
#define USAGE "data: {\"choices\":[],\"usage\":" FIGURES("10", "5") "}\n\n"
#define DONE "data: [DONE]\n\n"
#define EVENTS "text/event-stream"
#define JSON "application/json"
enum { COST = 20000 }; /* 10 and 5 tokens at 1 and 2 USD a million, in nano */
#define INPUT ((int64_t)sizeof STREAM - 1 + 64) /* the bound: bytes, and a template */

static struct bench bench;

static struct mete_budget_view view(void)
{
    struct mete_budget_view budget;
    bench_budget(&bench, &budget);
    return budget;
}

static void ended(enum mete_ending ending, int64_t cost)
{
    assert_int_equal(bench.done.ending, ending);
    assert_int_equal(bench.done.cost_nano, cost);
    assert_int_equal(bench.dones, 1);
    assert_int_equal(view().committed, cost);
    assert_int_equal(view().held, 0);
    bench_close(&bench);
}

static struct client *begin(const struct bench_setup *setup, const char *body)
{
    bench_open(&bench, setup);
    return bench_post(&bench, body);
}

static void answer(struct client *client, const char *type, const char *text, enum upstream_end end)
{
    bench_head(client, 200, type);
    bench_text(client, text);
    bench_end(client, end);
}

/* ---- 1.1 ------------------------------------------------------------------------------------- */

/* litellm #12789, #10750, bifrost #2873: what a provider offers beside chat passed through. */
static void group_1_1_a_path_that_passes_through_went_around_the_budget(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int status;
    } all[] = {{"/v1/files", 400}, /* a file that cannot be priced */
               {"/v1/files/file-1/parts", 404},
               {"/v1/batches", 400}, /* of no file that was */
               {"/v1/batches/batch_1/x", 404},
               {"/v1/images/edits", 404},
               {"/v1/audio/translations", 404},
               {"/v1/videos/video_1/remix", 404},
               {"/v1/rerank", 404},
               {"/v1/fine_tuning/jobs", 404},
               {"/v1/chat/completions/x/y", 404},
               {"/v1", 404}};
    bench_open(&bench, &(struct bench_setup){0});
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct client *client = bench_client(&bench, PLAIN);
        client->exchange.path = slice_of(all[i].path);
        bench_begin(client);
        assert_int_equal(client->times_asked, 0);
        assert_int_equal(client->status, all[i].status);
    }
    bench_close(&bench);
}

static void group_1_1_a_path_reached_its_provider_without_a_reservation(void **state)
{
    (void)state;
    static const char *const bodies[][2] = {
        {"/v1/chat/completions", PLAIN},
        {"/v1/completions", "{\"model\":\"bench-model\",\"prompt\":\"hi\"}"},
        {"/v1/responses", "{\"model\":\"bench-model\",\"input\":\"hi\"}"},
        {"/v1/embeddings", "{\"model\":\"bench-model\",\"input\":\"hi\"}"}};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        bench_open(&bench, &(struct bench_setup){.limit_nano = 1000});
        struct client *client = bench_client(&bench, bodies[i][1]);
        client->exchange.path = slice_of(bodies[i][0]);
        bench_begin(client);
        assert_int_equal(client->times_asked, 0);
        assert_int_equal(client->status, 429);
        bench_close(&bench);
    }
}

/* higress #4232, #1080 */
static void group_1_1_a_whole_answer_was_never_deducted(void **state)
{
    (void)state;
    answer(begin(&(struct bench_setup){0}, PLAIN), JSON, ANSWER, UPSTREAM_DONE);
    ended(METE_ENDED_OK, COST);
}

static void group_1_1_a_stream_that_told_its_usage_twice_was_counted_twice(void **state)
{
    (void)state;
    answer(begin(&(struct bench_setup){0}, STREAM), EVENTS, CHUNK USAGE USAGE DONE, UPSTREAM_DONE);
    ended(METE_ENDED_OK, COST);
}

/* ---- 1.4 ------------------------------------------------------------------------------------- */

/* litellm #13245 */
static void group_1_4_a_client_that_left_a_plain_answer_paid_nothing(void **state)
{
    (void)state;
    struct client *client = begin(&(struct bench_setup){0}, PLAIN);
    bench_gone(client);
    answer(client, JSON, ANSWER, UPSTREAM_DONE);
    ended(METE_ENDED_CLIENT_GONE, COST);
}

/* litellm #14457, #33736; new-api #5235, #7062 */
static void group_1_4_a_client_that_left_a_stream_paid_nothing(void **state)
{
    (void)state;
    struct client *client = begin(&(struct bench_setup){0}, STREAM);
    bench_head(client, 200, EVENTS);
    bench_text(client, CHUNK);
    bench_gone(client);
    bench_text(client, CHUNK USAGE DONE);
    bench_end(client, UPSTREAM_DONE);
    ended(METE_ENDED_CLIENT_GONE, COST);
}

/* TensorZero #3751, #3862: nothing is told any more, and it is charged and given back all the same
 */
static void group_1_4_a_dropped_connection_left_the_limit_adrift(void **state)
{
    (void)state;
    struct client *client = begin(&(struct bench_setup){.cancel = true}, STREAM);
    bench_head(client, 200, EVENTS);
    bench_text(client, CHUNK);
    bench_gone(client);
    assert_true(client->cancelled);
    bench_end(client, UPSTREAM_CANCELLED);
    ended(METE_ENDED_CANCELLED, INPUT * 1000 + 1000 * 2000); /* the bound: 1,000 tokens */
}

/* litellm #37992 */
static void group_1_4_a_usage_of_zero_was_replaced_by_an_estimate(void **state)
{
    (void)state;
    static const char zero[] = "{\"choices\":[],\"usage\":" FIGURES("0", "0") "}";
    answer(begin(&(struct bench_setup){0}, PLAIN), JSON, zero, UPSTREAM_DONE);
    ended(METE_ENDED_OK, 0);
}

/* litellm #36168: it stands in an event of its own, behind the last text */
static void group_1_4_the_usage_of_a_stream_was_dropped(void **state)
{
    (void)state;
    answer(begin(&(struct bench_setup){0}, STREAM), EVENTS, CHUNK CHUNK USAGE DONE, UPSTREAM_DONE);
    ended(METE_ENDED_OK, COST);
}

/* new-api #4168 */
static void group_1_4_a_stream_that_never_began_was_billed_its_prompt(void **state)
{
    (void)state;
    struct client *client = begin(&(struct bench_setup){0}, STREAM);
    bench_head(client, 500, JSON);
    bench_text(client, "{\"error\":{\"message\":\"no\"}}");
    bench_end(client, UPSTREAM_DONE);
    ended(METE_ENDED_ERROR, 0);
}

/* new-api #5288, #5289, #5290 */
static void group_1_4_the_text_of_an_error_was_counted_as_output(void **state)
{
    (void)state;
    static const char error[] =
        CHUNK "data: {\"error\":{\"message\":\"a long text about what went wrong\"}}\n\n";
    answer(begin(&(struct bench_setup){0}, STREAM), EVENTS, error, UPSTREAM_DONE);
    ended(METE_ENDED_ERROR, INPUT * 1000 + (5 + 64) * 2000);
}

/* One without a length that was told ends like a whole one where its connection breaks. */
static void group_1_4_a_plain_answer_that_broke_off_was_billed_what_came(void **state)
{
    (void)state;
    struct client *client = begin(&(struct bench_setup){0}, PLAIN);
    int64_t whole = view().held;
    answer(client, JSON, "{\"choices\":[{\"message\":{\"content\":\"hel", UPSTREAM_DONE);
    assert_int_equal(client->status, 502);
    ended(METE_ENDED_LOST, whole);
}

static void group_1_4_a_stream_that_broke_off_ended_as_if_it_were_whole(void **state)
{
    (void)state;
    struct client *client = begin(&(struct bench_setup){0}, STREAM);
    client->transfer->ends_by_close = true;
    answer(client, EVENTS, CHUNK, UPSTREAM_DONE);
    assert_non_null(memmem(client->got.data, client->got.len, "upstream_lost", 13));
    assert_int_equal(bench.done.ending, METE_ENDED_LOST);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(group_1_1_a_path_that_passes_through_went_around_the_budget),
        cmocka_unit_test(group_1_1_a_path_reached_its_provider_without_a_reservation),
        cmocka_unit_test(group_1_1_a_whole_answer_was_never_deducted),
        cmocka_unit_test(group_1_1_a_stream_that_told_its_usage_twice_was_counted_twice),
        cmocka_unit_test(group_1_4_a_client_that_left_a_plain_answer_paid_nothing),
        cmocka_unit_test(group_1_4_a_client_that_left_a_stream_paid_nothing),
        cmocka_unit_test(group_1_4_a_dropped_connection_left_the_limit_adrift),
        cmocka_unit_test(group_1_4_a_usage_of_zero_was_replaced_by_an_estimate),
        cmocka_unit_test(group_1_4_the_usage_of_a_stream_was_dropped),
        cmocka_unit_test(group_1_4_a_stream_that_never_began_was_billed_its_prompt),
        cmocka_unit_test(group_1_4_the_text_of_an_error_was_counted_as_output),
        cmocka_unit_test(group_1_4_a_plain_answer_that_broke_off_was_billed_what_came),
        cmocka_unit_test(group_1_4_a_stream_that_broke_off_ended_as_if_it_were_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
