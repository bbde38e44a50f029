/* SPDX-License-Identifier: Apache-2.0
 * Proves, over a real engine in memory and a provider that does what it is told, that every way a
 * call can end ends its reservation once (bench_close asserts that nothing is held), charges what
 * the provider reported to the nano, or no less than it can have billed and no more than was
 * reserved, and tells the client the truth. Regressions: test_regressions_gateway.c. */
#include "base/limits.h"
#include "property/model_gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define PLAIN "{\"model\":\"bench-model\"," HI "}"
#define STREAM "{\"model\":\"bench-model\"," HI ",\"stream\":true}"
#define STREAM_USAGE                                                                               \
    "{\"model\":\"bench-model\"," HI ",\"stream\":true,\"stream_options\":{\"include_usage\":"     \
    "true}}"
#define ANSWER                                                                                     \
    "{\"id\":\"c\",\"choices\":[{\"message\":{\"content\":\"hello\"}}],\"usage\":{\"prompt_"       \
    "tokens\":10,"                                                                                 \
    "\"completion_tokens\":5,\"total_tokens\":15,\"prompt_tokens_details\":{\"cached_tokens\":4}}" \
    "}"
#define ANSWER_COST 18000 /* (6 * 1 + 4 * 0.5 + 5 * 2) USD a million, in nano */
#define CHUNK "data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n"
#define USAGE                                                                                      \
    "data: "                                                                                       \
    "{\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15}" \
    "}\n\n"
#define USAGE_COST 20000
#define DONE "data: [DONE]\n\n"
#define EVENTS "text/event-stream"
#define JSON "application/json"

static struct bench bench;

static int64_t committed(void)
{
    struct mete_budget_view view;
    bench_budget(&bench, &view);
    return view.committed;
}

static int64_t held(void)
{
    struct mete_budget_view view;
    bench_budget(&bench, &view);
    return view.held;
}

static void start(int64_t limit_nano)
{
    bench_open(&bench, &(struct bench_setup){.limit_nano = limit_nano});
}

static void got(const struct client *client, int status, const char *body)
{
    assert_int_equal(client->status, status);
    if (!slice_is(buffer_slice(&client->got), body))
        fail_msg("%.*s", (int)client->got.len, client->got.data);
}

static bool has(const struct buffer *text, const char *part)
{
    return memmem(text->data, text->len, part, strlen(part)) != NULL;
}

static void ended(enum mete_ending ending, int64_t cost)
{
    assert_int_equal(bench.done.ending, ending);
    assert_int_equal(bench.done.cost_nano, cost);
    assert_int_equal(bench.dones, 1);
    assert_int_equal(committed(), cost);
    bench_close(&bench);
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void a_plain_answer_is_charged_what_its_provider_says(void **state)
{
    (void)state;
    start(0);
    struct client *client = bench_post(&bench, PLAIN);
    assert_true(held() > 0);
    assert_true(slice_is(buffer_slice(&client->asked), PLAIN));
    bench_head(client, 200, JSON);
    bench_text(client, "{\"id\":\"c\"");
    bench_text(client, &ANSWER[strlen("{\"id\":\"c\"")]);
    assert_int_equal(client->replies, 0);
    bench_end(client, UPSTREAM_DONE);
    got(client, 200, ANSWER);
    assert_true(bench_reply_has(client, "x-mete-cost", "0.000018"));
    assert_true(bench_reply_has(client, "x-mete-record", NULL));
    assert_true(bench_reply_has(client, "content-type", JSON));
    assert_false(bench_reply_has(client, "x-mete-counted", NULL));
    assert_false(bench_reply_has(client, "x-mete-granted-tokens", NULL));
    ended(METE_ENDED_OK, ANSWER_COST);
}

/* INV-13 */
static void the_clients_key_goes_nowhere(void **state)
{
    (void)state;
    start(0);
    struct client *client = bench_client(&bench, PLAIN);
    char bearer[KEY_TEXT + 8];
    snprintf(bearer, sizeof bearer, "Bearer %s", bench.key);
    bench_header(client, "x-api-key", "");
    bench_header(client, "authorization", bearer);
    bench_begin(client);
    assert_true(has(&client->asked_headers, "POST http://provider/v1/chat/completions\n"));
    assert_true(has(&client->asked_headers, "authorization: Bearer provider-secret\n"));
    assert_false(has(&client->asked_headers, bench.key));
    bench_head(client, 200, JSON);
    bench_text(client, ANSWER);
    bench_end(client, UPSTREAM_DONE);
    ended(METE_ENDED_OK, ANSWER_COST);
}

/* INV-05 */
static void a_stream_waits_with_its_last_event_for_the_commit(void **state)
{
    (void)state;
    start(0);
    struct client *client = bench_post(&bench, STREAM);
    assert_true(has(&client->asked, "\"stream_options\":{\"include_usage\":true}"));
    bench_head(client, 200, EVENTS);
    bench_text(client, CHUNK);
    got(client, 200, CHUNK);
    bench_text(client, USAGE DONE);
    got(client, 200, CHUNK);
    bench_end(client, UPSTREAM_DONE);
    got(client, 200, CHUNK ": mete-cost 0.00002\n\n" DONE);
    ended(METE_ENDED_OK, USAGE_COST);
}

static void a_stream_asked_for_usage_has_its_cost_in_it(void **state)
{
    (void)state;
    start(0);
    struct client *client = bench_post(&bench, STREAM_USAGE);
    assert_true(slice_is(buffer_slice(&client->asked), STREAM_USAGE));
    bench_head(client, 200, EVENTS);
    bench_text(client, CHUNK USAGE DONE);
    bench_end(client, UPSTREAM_DONE);
    got(client, 200,
        CHUNK "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,"
              "\"total_tokens\":15,\"cost\":0.00002}}\n\n" DONE);
    ended(METE_ENDED_OK, USAGE_COST);
}

static void a_provider_that_lingers_after_done_holds_up_nobody(void **state)
{
    (void)state;
    start(0);
    struct client *client = bench_post(&bench, STREAM);
    bench_head(client, 200, EVENTS);
    bench_text(client, CHUNK USAGE DONE);
    for (int i = 0; i < 1000 && !client->replies; i++)
        bench_turn(&bench);
    got(client, 200, CHUNK ": mete-cost 0.00002\n\n" DONE);
    bench_text(client, "data: late\n\n");
    bench_end(client, UPSTREAM_LOST);
    ended(METE_ENDED_OK, USAGE_COST);
}

/* ---- No usage -------------------------------------------------------------------------------- */

/* input bound: body + 64; output: bytes + 64 */
#define BOUND ((int64_t)sizeof PLAIN - 1 + 64)
#define STREAM_BOUND ((int64_t)sizeof STREAM - 1 + 64)

static void a_plain_answer_without_usage_was_free(void **state)
{
    (void)state;
    start(0);
    struct client *client = bench_post(&bench, PLAIN);
    bench_head(client, 200, JSON);
    bench_text(client, "{\"choices\":[]}");
    bench_end(client, UPSTREAM_DONE);
    got(client, 200, "{\"choices\":[]}");
    assert_true(bench_reply_has(client, "x-mete-counted", "true"));
    ended(METE_ENDED_NO_USAGE, BOUND * 1000 + (14 + 64) * 2000);
}

static void negative_usage_paid_money_back(void **state)
{
    (void)state;
    start(0);
    struct client *client = bench_post(&bench, PLAIN);
    bench_head(client, 200, JSON);
    bench_text(client, "{\"usage\":{\"prompt_tokens\":-5,\"completion_tokens\":-7}}");
    bench_end(client, UPSTREAM_DONE);
    assert_int_equal(bench.done.ending, METE_ENDED_NO_USAGE);
    assert_true(committed() > 0);
    bench_close(&bench);
}

/* litellm #36168: a stream without usage cost nothing, or four times as much */
static void a_stream_without_usage_is_counted(void **state)
{
    (void)state;
    start(0);
    struct client *client = bench_post(&bench, STREAM);
    bench_head(client, 200, EVENTS);
    bench_text(client, CHUNK CHUNK DONE);
    bench_end(client, UPSTREAM_DONE);
    assert_true(has(&client->got, CHUNK CHUNK ": mete-cost "));
    ended(METE_ENDED_NO_USAGE, STREAM_BOUND * 1000 + (10 + 64) * 2000);
}

static void a_reservation_of_one_who_thinks_unseen_is_kept_whole(void **state)
{
    (void)state;
    start(0);
    struct client *client = bench_post(
        &bench, "{\"model\":\"bench-model\",\"reasoning_effort\":\"high\"," HI ",\"stream\":true}");
    int64_t whole = held();
    bench_head(client, 200, EVENTS);
    bench_text(client, CHUNK);
    bench_end(client, UPSTREAM_LOST);
    ended(METE_ENDED_LOST, whole);
}

/* gpt-5, o3: no field of the request says that they think, and what they think is billed. They were
 * charged for the bytes that were shown. */
static void a_model_that_thinks_unasked_was_charged_what_it_showed(void **state)
{
    (void)state;
    for (int whole_answer = 0; whole_answer < 2; whole_answer++) {
        bench_open(&bench, &(struct bench_setup){.reasons = true});
        struct client *client = bench_post(&bench, whole_answer ? PLAIN : STREAM);
        int64_t whole = held();
        bench_head(client, 200, whole_answer ? JSON : EVENTS);
        bench_text(client, whole_answer ? "{\"choices\":[]}" : CHUNK CHUNK DONE);
        bench_end(client, UPSTREAM_DONE);
        ended(METE_ENDED_NO_USAGE, whole);
    }
}

/* ---- The provider fails ---------------------------------------------------------------------- */

static void an_error_status_charges_nothing(void **state)
{
    (void)state;
    start(0);
    struct client *client = bench_post(&bench, STREAM);
    bench_head(client, 429, JSON);
    bench_text(client, "{\"error\":{}}");
    bench_end(client, UPSTREAM_DONE);
    got(client, 429, "{\"error\":{}}");
    assert_int_equal(bench.done.upstream_status, 429);
    ended(METE_ENDED_ERROR, 0);
}

/* INV-13 */
static void a_provider_that_quotes_its_credential_is_not_quoted(void **state)
{
    (void)state;
    const char *const bodies[] = {"{\"error\":{\"message\":\"Incorrect key: provider-secret\"}}",
                                  "{\"error\":{\"message\":\"Incorrect key\"}}"};
    for (int i = 0; i < 2; i++) {
        start(0);
        struct client *client = bench_post(&bench, PLAIN);
        bench_head(client, 401, JSON);
        bench_text(client, bodies[i]);
        bench_end(client, UPSTREAM_DONE);
        assert_int_equal(client->status, i ? 401 : 502);
        assert_false(has(&client->got, "provider-secret"));
        ended(METE_ENDED_ERROR, 0);
    }
}

static void what_was_never_sent_is_released(void **state)
{
    (void)state;
    start(0);
    struct client *client = bench_post(&bench, PLAIN);
    bench_end(client, UPSTREAM_NOT_SENT);
    assert_int_equal(client->status, 502);
    assert_true(has(&client->got, "\"code\":\"upstream_unreachable\""));
    ended(METE_ENDED_NOT_SENT, 0);
}

static void a_transfer_that_cannot_start_is_released(void **state)
{
    (void)state;
    bench_open(&bench, &(struct bench_setup){.no_connection = true});
    struct client *client = bench_post(&bench, PLAIN);
    assert_int_equal(client->status, 503);
    assert_true(bench_reply_has(client, "retry-after", "1"));
    ended(METE_ENDED_NOT_SENT, 0);
}

static void an_unknown_outcome_stays_charged(void **state)
{
    (void)state;
    const enum upstream_end ends[] = {UPSTREAM_LOST, UPSTREAM_TIMEOUT};
    const enum mete_ending endings[] = {METE_ENDED_LOST, METE_ENDED_TIMEOUT};
    const int statuses[] = {502, 504};
    for (size_t i = 0; i < 2; i++) {
        for (int half = 0; half < 2; half++) {
            start(0);
            struct client *client = bench_post(&bench, PLAIN);
            int64_t whole = held();
            if (half) {
                bench_head(client, 200, JSON);
                bench_text(client, "{\"choi");
            }
            bench_end(client, ends[i]);
            assert_int_equal(client->status, statuses[i]);
            assert_true(bench_reply_has(client, "x-should-retry", "false"));
            ended(endings[i], whole);
        }
    }
}

static void a_stream_that_breaks_off_ends_well_formed(void **state)
{
    (void)state;
    start(0);
    struct client *client = bench_post(&bench, STREAM);
    bench_head(client, 200, EVENTS);
    bench_text(client, CHUNK "data: {\"choi");
    bench_end(client, UPSTREAM_LOST);
    assert_true(has(&client->got, CHUNK ": mete-cost 0."));
    assert_true(has(&client->got, "\n\ndata: {\"error\":{\"message\":"));
    assert_false(has(&client->got, "choi\n"));
    assert_false(has(&client->got, "[DONE]"));
    /* five bytes, half an event of thirteen, 64 and 1024 */
    ended(METE_ENDED_LOST, STREAM_BOUND * 1000 + min_i64(5 + 13 + 64 + 1024, 1000) * 2000);
}

static void usage_before_the_break_is_the_providers_word(void **state)
{
    (void)state;
    start(0);
    struct client *client = bench_post(&bench, STREAM);
    bench_head(client, 200, EVENTS);
    bench_text(client, CHUNK USAGE);
    bench_end(client, UPSTREAM_LOST);
    ended(METE_ENDED_LOST, USAGE_COST);
}

static void an_answer_over_its_limit_is_cut(void **state)
{
    (void)state;
    static char much[4096];
    memset(much, 'x', sizeof much);
    for (int stream = 0; stream < 2; stream++) {
        bench_open(&bench, &(struct bench_setup){.response_max = 1000});
        struct client *client = bench_post(&bench, stream ? STREAM : PLAIN);
        int64_t whole = held();
        bench_head(client, 200, stream ? EVENTS : JSON);
        bench_data(client, (struct slice){much, sizeof much});
        assert_true(client->cancelled);
        bench_end(client, UPSTREAM_DONE);
        assert_true(has(&client->got, "\"code\":\"response_too_large\""));
        ended(METE_ENDED_LOST, whole);
    }
}

/* ---- The client leaves ----------------------------------------------------------------------- */

static void a_cancelled_stream_is_counted(void **state)
{
    (void)state;
    bench_open(&bench, &(struct bench_setup){.cancel = true});
    struct client *client =
        bench_post(&bench, "{\"model\":\"open-model\",\"max_tokens\":5000," HI ",\"stream\":true}");
    int64_t whole = held();
    bench_head(client, 200, EVENTS);
    bench_text(client, CHUNK);
    bench_gone(client);
    assert_true(client->cancelled);
    bench_end(client, UPSTREAM_CANCELLED);
    int64_t cost = committed();
    assert_true(cost > 0 && cost < whole);
    ended(METE_ENDED_CANCELLED, cost);
}

static void a_client_that_leaves_before_the_verdict_costs_nothing(void **state)
{
    (void)state;
    start(0);
    struct client *client = bench_client(&bench, PLAIN);
    struct exchange_handler handler = gateway_handler(bench.gateway);
    handler.begin(handler.self, &client->exchange);
    bench_gone(client);
    bench_end(client, UPSTREAM_DONE);
    assert_int_equal(client->times_asked, 0);
    ended(METE_ENDED_NOT_SENT, 0);
}

static void a_slow_client_slows_its_provider(void **state)
{
    (void)state;
    start(0);
    struct client *client = bench_post(&bench, STREAM);
    struct exchange_handler handler = gateway_handler(bench.gateway);
    bench_head(client, 200, EVENTS);
    client->queue = EXCHANGE_QUEUE_HIGH + 1;
    bench_text(client, CHUNK);
    assert_true(client->paused);
    client->queue = 0;
    handler.drained(handler.self, &client->exchange);
    assert_false(client->paused);
    client->queue = EXCHANGE_QUEUE_HIGH + 1;
    bench_text(client, CHUNK);
    assert_true(client->paused);
    bench_gone(client);
    assert_false(client->paused);
    bench_text(client, USAGE DONE);
    bench_end(client, UPSTREAM_DONE);
    ended(METE_ENDED_CLIENT_GONE, USAGE_COST);
}

/* ---- Before the call ------------------------------------------------------------------------- */

enum key { GOOD, MISSING, WRONG, REVOKED, NARROW };

static const char *key_text(enum key key)
{
    const char *const texts[] = {bench.key, "", "mete_sk_nonsense", bench.revoked_key,
                                 bench.narrow_key};
    return texts[key];
}

static void refused(const char *body, enum key key, int status, const char *code)
{
    char wanted[128];
    start(0);
    struct client *client = bench_client(&bench, body);
    bench_header(client, "x-api-key", key_text(key));
    bench_begin(client);
    snprintf(wanted, sizeof wanted, "\"code\":\"%s\"", code);
    assert_int_equal(client->status, status);
    if (!has(&client->got, wanted))
        fail_msg("%.*s", (int)client->got.len, client->got.data);
    assert_int_equal(client->times_asked, 0);
    assert_int_equal(bench.dones, 1);
    assert_true(bench_reply_has(client, "x-request-id", NULL));
    bench_close(&bench);
}

/* INV-11 */
static void nobody_is_called_without_key_model_and_price(void **state)
{
    (void)state;
    refused(PLAIN, MISSING, 401, "invalid_api_key");
    refused(PLAIN, WRONG, 401, "invalid_api_key");
    refused(PLAIN, REVOKED, 401, "invalid_api_key");
    refused("{\"model\":\"open-model\"," HI "}", NARROW, 403, "model_not_allowed");
    refused("{\"model\":\"nobodys\"," HI "}", GOOD, 404, "model_not_found");
    refused("{\"model\":\"dear-model\"," HI "}", GOOD, 400, "model_not_priced");
    refused("{", GOOD, 400, "invalid_value");
}

static void an_id_must_be_an_id(void **state)
{
    (void)state;
    start(0);
    struct client *client = bench_client(&bench, PLAIN);
    bench_header(client, "idempotency-key", "a b");
    bench_begin(client);
    assert_int_equal(client->status, 400);
    bench_close(&bench);
}

static void a_refusal_names_its_budget(void **state)
{
    (void)state;
    start(1000);
    struct client *client = bench_post(&bench, PLAIN);
    assert_int_equal(client->status, 429);
    assert_int_equal(client->times_asked, 0);
    assert_true(has(&client->got, "\"type\":\"insufficient_quota\""));
    assert_true(has(&client->got, "Budget \\\"all\\\" (total, organization acme) has "
                                  "0.000001 USD left"));
    assert_true(has(&client->got, "\"refused_by\":[{\"reason\":\"hard_limit\""));
    assert_true(bench_reply_has(client, "x-should-retry", "false"));
    assert_true(bench_reply_has(client, "x-mete-budget", "all"));
    assert_true(bench_reply_has(client, "x-mete-budget-scope", "organization:acme"));
    assert_true(bench_reply_has(client, "x-mete-limit", "0.000001"));
    assert_int_equal(bench.done.refused, METE_HARD_LIMIT);
    struct gateway_counts counts;
    gateway_counts(bench.gateway, &counts);
    assert_int_equal(counts.refused, 1);
    bench_close(&bench);
}

/* ---- The clamp ------------------------------------------------------------------------------- */

static void the_bound_is_lowered_to_what_is_affordable(void **state)
{
    (void)state;
    /* BOUND input tokens and 100 of output */
    start(BOUND * 1000 + 100 * 2000);
    struct client *client = bench_post(&bench, PLAIN);
    assert_true(has(&client->asked, "{\"max_completion_tokens\":100,\"model\""));
    assert_int_equal(held(), BOUND * 1000 + 100 * 2000);
    bench_head(client, 200, JSON);
    bench_text(client, ANSWER);
    bench_end(client, UPSTREAM_DONE);
    assert_true(bench_reply_has(client, "x-mete-granted-tokens", "100"));
    ended(METE_ENDED_OK, ANSWER_COST);
}

static void without_the_clamp_a_wish_too_large_is_refused(void **state)
{
    (void)state;
    bench_open(&bench,
               &(struct bench_setup){.limit_nano = BOUND * 1000 + 100 * 2000, .no_clamp = true});
    struct client *client = bench_post(&bench, PLAIN);
    assert_int_equal(client->status, 429);
    bench_close(&bench);
}

static void a_model_of_unknown_maximum_always_gets_a_bound(void **state)
{
    (void)state;
    start(0);
    struct client *client = bench_post(&bench, "{\"model\":\"open-model\"," HI "}");
    assert_true(has(&client->asked, "{\"max_tokens\":500,\"model\""));
    bench_head(client, 200, JSON);
    bench_text(client, ANSWER);
    bench_end(client, UPSTREAM_DONE);
    ended(METE_ENDED_OK, ANSWER_COST);
}

/* ---- The same id again ----------------------------------------------------------------------- */

static struct client *with_id(const char *body, const char *id)
{
    struct client *client = bench_client(&bench, body);
    bench_header(client, "X-Request-ID", id);
    bench_begin(client);
    return client;
}

/* INV-04 */
static void the_same_id_is_billed_once(void **state)
{
    (void)state;
    start(0);
    struct client *first = with_id(PLAIN, "id-1");
    struct client *second = with_id(PLAIN, "id-1");
    assert_int_equal(second->status, 409);
    assert_true(has(&second->got, "\"code\":\"in_flight\""));
    assert_false(bench_reply_has(second, "x-should-retry", NULL));
    bench_head(first, 200, JSON);
    bench_text(first, ANSWER);
    bench_end(first, UPSTREAM_DONE);
    assert_true(bench_reply_has(first, "x-request-id", "id-1"));
    struct client *third = with_id(PLAIN, "id-1");
    assert_int_equal(third->status, 409);
    assert_true(has(&third->got, "\"code\":\"already_ended\""));
    assert_true(has(&third->got, "\"mete\":{\"cost\":\"0.000018\",\"record\":\"rec_"));
    assert_true(bench_reply_has(third, "x-mete-cost", "0.000018"));
    assert_true(bench_reply_has(third, "x-should-retry", "false"));
    struct client *fourth = with_id("{\"model\":\"bench-model\"," HI ",\"n\":1}", "id-1");
    assert_int_equal(fourth->status, 422);
    assert_int_equal(committed(), ANSWER_COST);
    bench_close(&bench);
}

/* A client library retries under the id it tried with: the retry got 409 already_ended. */
static void an_unreachable_provider_used_up_the_id(void **state)
{
    (void)state;
    start(0);
    struct client *first = with_id(PLAIN, "id-1");
    bench_end(first, UPSTREAM_NOT_SENT);
    assert_int_equal(first->status, 502);
    struct client *second = with_id(PLAIN, "id-1");
    bench_head(second, 200, JSON);
    bench_text(second, ANSWER);
    bench_end(second, UPSTREAM_DONE);
    got(second, 200, ANSWER);
    struct client *third = with_id(PLAIN, "id-1");
    assert_int_equal(third->status, 409);
    assert_true(has(&third->got, "\"code\":\"already_ended\""));
    assert_int_equal(committed(), ANSWER_COST);
    bench_close(&bench);
}

/* ---- Too much to do -----------------------------------------------------------------------------
 */

enum { FLOOD = LIMIT_RING + 16 };

static struct mete_op flood[FLOOD];
static struct mete_answer flood_answer;

static void flooded(struct mete_op *op)
{
    (void)op;
}

/* Fills the port's ring, so that nothing more goes in until the engine turns. */
static void fill_the_ring(void)
{
    size_t taken = 0;
    for (size_t i = 0; i < FLOOD; i++) {
        struct mete_op *op = &flood[i];
        *op = (struct mete_op){.kind = METE_OP_QUERY,
                               .args.query = {.kind = METE_QUERY_STATS},
                               .result.answer = &flood_answer,
                               .done = flooded};
        taken += mete_submit(bench.port, &op, 1);
    }
    assert_in_range(taken, 1, FLOOD - 1);
}

static void a_full_ring_loses_no_commit(void **state)
{
    (void)state;
    start(0);
    struct client *client = bench_post(&bench, PLAIN);
    bench_head(client, 200, JSON);
    bench_text(client, ANSWER);
    fill_the_ring();
    bench_end(client, UPSTREAM_DONE);
    got(client, 200, ANSWER);
    ended(METE_ENDED_OK, ANSWER_COST);
}

static void a_full_ring_loses_no_release(void **state)
{
    (void)state;
    start(0);
    struct client *client = bench_post(&bench, PLAIN);
    fill_the_ring();
    bench_end(client, UPSTREAM_NOT_SENT);
    assert_int_equal(client->status, 502);
    ended(METE_ENDED_NOT_SENT, 0);
}

static void a_full_ring_is_a_503(void **state)
{
    (void)state;
    start(0);
    fill_the_ring();
    struct client *client = bench_post(&bench, PLAIN);
    assert_int_equal(client->status, 503);
    assert_true(bench_reply_has(client, "retry-after", "1"));
    assert_int_equal(client->times_asked, 0);
    for (int i = 0; i < 100; i++)
        bench_turn(&bench);
    ended(METE_ENDED_NOT_SENT, 0);
}

/* ---- Models ---------------------------------------------------------------------------------- */

static struct client *get(const char *path, const char *key)
{
    struct client *client = bench_client(&bench, "");
    client->exchange.method = SLICE_LITERAL("GET");
    client->exchange.path = slice_of(path);
    bench_header(client, "x-api-key", key);
    bench_begin(client);
    return client;
}

static void models_are_those_the_key_may_call(void **state)
{
    (void)state;
    start(0);
    struct client *client = get("/v1/models", bench.key);
    assert_int_equal(client->status, 200);
    assert_true(has(&client->got, "{\"object\":\"list\",\"data\":[{\"id\":\"bench-model\","));
    assert_true(has(&client->got, "\"open-model\""));
    assert_false(has(&client->got, "dear-model"));
    client = get("/v1/models", bench.narrow_key);
    assert_false(has(&client->got, "\"open-model\""));
    got(get("/v1/models/bench%2Dmodel", bench.key), 200,
        "{\"id\":\"bench-model\",\"object\":\"model\",\"created\":0,\"owned_by\":\"openai\"}");
    assert_int_equal(get("/v1/models/open-model", bench.narrow_key)->status, 404);
    assert_int_equal(get("/v1/models/%zz", bench.key)->status, 404);
    assert_int_equal(get("/v1/models", "")->status, 401);
    assert_int_equal(get("/v1/nothing", bench.key)->status, 404);
    assert_int_equal(get("/v1/chat/completions", bench.key)->status, 405);
    bench_close(&bench);
}

static void a_provider_of_everything_lists_its_own(void **state)
{
    (void)state;
    bench_open(&bench, &(struct bench_setup){.catch_all = "openai"});
    struct client *client = get("/v1/models", bench.key);
    assert_true(has(&client->got, "\"bench-model\""));
    assert_true(has(&client->got, "\"gpt-4o-mini\""));
    assert_false(has(&client->got, "\"open-model\""));
    assert_false(has(&client->got, "bedrock"));
    assert_int_equal(get("/v1/models/open-model", bench.key)->status, 200);
    bench_close(&bench);
    bench_open(&bench, &(struct bench_setup){.catch_all = "nobody-known"});
    assert_true(has(&get("/v1/models", bench.key)->got, "\"open-model\""));
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_answer_is_charged_what_its_provider_says),
        cmocka_unit_test(the_clients_key_goes_nowhere),
        cmocka_unit_test(a_stream_waits_with_its_last_event_for_the_commit),
        cmocka_unit_test(a_stream_asked_for_usage_has_its_cost_in_it),
        cmocka_unit_test(a_provider_that_lingers_after_done_holds_up_nobody),
        cmocka_unit_test(a_plain_answer_without_usage_was_free),
        cmocka_unit_test(negative_usage_paid_money_back),
        cmocka_unit_test(a_stream_without_usage_is_counted),
        cmocka_unit_test(a_reservation_of_one_who_thinks_unseen_is_kept_whole),
        cmocka_unit_test(a_model_that_thinks_unasked_was_charged_what_it_showed),
        cmocka_unit_test(an_error_status_charges_nothing),
        cmocka_unit_test(a_provider_that_quotes_its_credential_is_not_quoted),
        cmocka_unit_test(what_was_never_sent_is_released),
        cmocka_unit_test(a_transfer_that_cannot_start_is_released),
        cmocka_unit_test(an_unknown_outcome_stays_charged),
        cmocka_unit_test(a_stream_that_breaks_off_ends_well_formed),
        cmocka_unit_test(usage_before_the_break_is_the_providers_word),
        cmocka_unit_test(an_answer_over_its_limit_is_cut),
        cmocka_unit_test(a_cancelled_stream_is_counted),
        cmocka_unit_test(a_client_that_leaves_before_the_verdict_costs_nothing),
        cmocka_unit_test(a_slow_client_slows_its_provider),
        cmocka_unit_test(nobody_is_called_without_key_model_and_price),
        cmocka_unit_test(an_id_must_be_an_id),
        cmocka_unit_test(a_refusal_names_its_budget),
        cmocka_unit_test(the_bound_is_lowered_to_what_is_affordable),
        cmocka_unit_test(without_the_clamp_a_wish_too_large_is_refused),
        cmocka_unit_test(a_model_of_unknown_maximum_always_gets_a_bound),
        cmocka_unit_test(the_same_id_is_billed_once),
        cmocka_unit_test(an_unreachable_provider_used_up_the_id),
        cmocka_unit_test(a_full_ring_loses_no_commit),
        cmocka_unit_test(a_full_ring_loses_no_release),
        cmocka_unit_test(a_full_ring_is_a_503),
        cmocka_unit_test(models_are_those_the_key_may_call),
        cmocka_unit_test(a_provider_of_everything_lists_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
