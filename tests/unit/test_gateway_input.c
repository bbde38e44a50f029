/* SPDX-License-Identifier: Apache-2.0
 * Proves, over a real engine in memory, that a call whose input can be counted sets aside what it
 * comes to, and not its bytes; that one whose input cannot be counted, or is not to be, sets aside
 * its bytes; that a long one is counted by a worker before anything is set aside, whatever happens
 * meanwhile; and that a provider which lost the usage bills the same count. */
#include "base/limits.h"
#include "property/model_gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define SAID "\"messages\":[{\"role\":\"user\",\"content\":\"hello world\"}]"
#define KNOWN "{\"model\":\"gpt-4o\",\"max_tokens\":16," SAID "}"
#define UNKNOWN "{\"model\":\"bench-model\",\"max_tokens\":16," SAID "}"
#define STRANGE "{\"model\":\"gpt-4o\",\"max_tokens\":16,\"of_tomorrow\":[1]," SAID "}"
#define ANSWER "{\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1}}"

/* "hello world" is two tokens, in a message of four, in a request of three. */
enum { COUNTED = 9, INPUT = 1000, OUTPUT = 2000 };

static struct bench bench;

/* What a call with this body holds while a provider of this family is asked. */
static int64_t held_of(const char *family, const char *body)
{
    struct mete_budget_view view;
    bench_open(&bench, &(struct bench_setup){.family = family});
    struct client *client = bench_post(&bench, body);
    bench_budget(&bench, &view);
    bench_head(client, 200, "application/json");
    bench_text(client, ANSWER);
    bench_end(client, UPSTREAM_DONE);
    bench_close(&bench);
    return view.held;
}

static int64_t held(const char *body)
{
    return held_of(NULL, body);
}

static void what_can_be_counted_is_set_aside_as_counted(void **state)
{
    (void)state;
    assert_int_equal(held(KNOWN), COUNTED * INPUT + 16 * OUTPUT);
}

static void what_cannot_be_counted_is_set_aside_by_its_bytes(void **state)
{
    (void)state;
    int64_t more = LIMIT_TEMPLATE_TOKENS;
    assert_int_equal(held(UNKNOWN), ((int64_t)strlen(UNKNOWN) + more) * INPUT + 16 * OUTPUT);
    assert_int_equal(held(STRANGE), ((int64_t)strlen(STRANGE) + more) * INPUT + 16 * OUTPUT);
}

/* Its maker may have put a prompt before it that no request shows. */
static void a_local_model_of_a_known_name_is_set_aside_by_its_bytes(void **state)
{
    (void)state;
    int64_t more = LIMIT_TEMPLATE_TOKENS;
    assert_int_equal(held_of("ollama", KNOWN),
                     ((int64_t)strlen(KNOWN) + more) * INPUT + 16 * OUTPUT);
}

/* ---- What is long ---------------------------------------------------------------------------- */

#define HEAD                                                                                       \
    "{\"model\":\"gpt-4o\",\"max_tokens\":16,\"messages\":[{\"role\":\"user\",\"content\":\""
enum { BODY_ROOM = 1 << 20 };

/* A body with a message of so many words " one", each of which is a token. */
static const char *words(size_t count)
{
    static char body[BODY_ROOM];
    size_t len = strlen(HEAD);
    memcpy(body, HEAD, len);
    assert_true(len + count * 4 + 8 < BODY_ROOM);
    for (size_t i = 0; i < count; i++, len += 4)
        memcpy(body + len, " one", 4);
    snprintf(body + len, BODY_ROOM - len, "\"}]}");
    return body;
}

/* What is in a message of so many tokens, in a request of three, and 16 of output. */
static int64_t worth(int64_t tokens)
{
    return (tokens + 7) * INPUT + 16 * OUTPUT;
}

static int64_t held_now(void)
{
    struct mete_budget_view view;
    bench_budget(&bench, &view);
    return view.held;
}

static void answer(struct client *client)
{
    bench_head(client, 200, "application/json");
    bench_text(client, ANSWER);
    bench_end(client, UPSTREAM_DONE);
}

static void open_with_workers(void)
{
    bench_open(&bench, &(struct bench_setup){.workers = true});
    bench.works_wait = true;
}

/* What the loop has time for; the words in the head of the body are no text. */
enum { HERE = LIMIT_COUNTED_HERE / 4 - 1, BEYOND = HERE + 1 };

static void a_long_text_is_counted_by_a_worker_before_anything_is_set_aside(void **state)
{
    (void)state;
    open_with_workers();
    struct client *client = bench_post(&bench, words(BEYOND));
    assert_non_null(bench.works);
    assert_int_equal(held_now(), 0);
    assert_int_equal(client->times_asked, 0);
    bench.works_wait = false;
    bench_turn(&bench);
    bench_turn(&bench);
    assert_int_equal(client->times_asked, 1);
    assert_int_equal(held_now(), worth(BEYOND));
    answer(client);
    bench_close(&bench);
}

static void a_text_of_what_the_loop_has_time_for_is_counted_at_once(void **state)
{
    (void)state;
    open_with_workers();
    struct client *client = bench_post(&bench, words(HERE));
    assert_null(bench.works);
    assert_int_equal(held_now(), worth(HERE));
    answer(client);
    bench_close(&bench);
}

/* A conversation grows: what was said before costs the loop nothing that is worth telling. */
static void of_texts_that_were_counted_before_any_number_is_counted_at_once(void **state)
{
    (void)state;
    enum { TURNS = 20, WORDS = HERE / 2 };
    static char body[BODY_ROOM], text[WORDS * 4 + 16];
    int64_t tokens = 0;
    open_with_workers();
    size_t len = (size_t)snprintf(body, sizeof body,
                                  "{\"model\":\"gpt-4o\",\"max_tokens\":16,\"messages\":[");
    for (int i = 0; i < TURNS; i++) {
        int at = snprintf(text, sizeof text, "%d", 100 + i); /* one token, each its own */
        for (int j = 0; j < WORDS; j++, at += 4)
            memcpy(text + at, " one", 5);
        tokens += 1 + WORDS + 4;
        len += (size_t)snprintf(body + len, sizeof body - len,
                                "%s{\"role\":\"user\",\"content\":\"%s\"}", i ? "," : "", text);
        snprintf(body + len, sizeof body - len, "]}");
        struct client *client = bench_post(&bench, body);
        assert_null(bench.works);
        assert_int_equal(held_now(), (tokens + 3) * INPUT + 16 * OUTPUT);
        answer(client);
    }
    bench_close(&bench);
}

static void what_a_worker_has_counted_is_known_when_it_comes_again(void **state)
{
    (void)state;
    open_with_workers();
    bench.works_wait = false;
    answer(bench_post(&bench, words(BEYOND)));
    bench.works_wait = true;
    struct client *client = bench_post(&bench, words(BEYOND));
    assert_null(bench.works);
    assert_int_equal(held_now(), worth(BEYOND));
    answer(client);
    bench_close(&bench);
}

static void where_there_are_no_workers_a_text_of_any_length_is_counted(void **state)
{
    (void)state;
    assert_int_equal(held(words(200000)), worth(200000));
}

static void a_client_that_leaves_while_its_text_is_counted_pays_nothing(void **state)
{
    (void)state;
    open_with_workers();
    struct client *client = bench_post(&bench, words(BEYOND));
    bench_gone(client);
    bench.works_wait = false;
    bench_turn(&bench);
    assert_int_equal(client->replies, 1);
    assert_int_equal(client->times_asked, 0);
    assert_int_equal(held_now(), 0);
    bench_close(&bench);
}

static void with_too_much_to_count_a_client_is_told_to_come_again(void **state)
{
    (void)state;
    open_with_workers();
    bench.works_full = true;
    struct client *client = bench_post(&bench, words(BEYOND));
    assert_int_equal(client->status, 503);
    assert_int_equal(held_now(), 0);
    bench_close(&bench);
}

static void on_the_way_down_what_waits_to_be_counted_is_not(void **state)
{
    (void)state;
    open_with_workers();
    struct client *client = bench_post(&bench, words(BEYOND));
    gateway_shutdown(bench.gateway);
    bench.works_wait = false;
    bench_turn(&bench);
    assert_int_equal(client->status, 503);
    assert_int_equal(client->times_asked, 0);
    bench_close(&bench);
}

/* Several are under way at once, and none takes another's count. */
static void long_texts_are_counted_side_by_side(void **state)
{
    (void)state;
    enum { CALLS = 5 };
    struct client *clients[CALLS];
    int64_t sum = 0;
    open_with_workers();
    for (int i = 0; i < CALLS; i++) {
        clients[i] = bench_post(&bench, words((size_t)(BEYOND + i)));
        sum += worth(BEYOND + i);
    }
    bench.works_wait = false;
    for (int i = 0; i < CALLS; i++) {
        bench_turn(&bench);
        assert_true(held_now() <= sum);
    }
    assert_int_equal(held_now(), sum);
    for (int i = 0; i < CALLS; i++)
        answer(clients[i]);
    bench_close(&bench);
}

/* ---- What is shared -------------------------------------------------------------------------- */

enum { LITTLE = 1000, MUCH = 2000 }; /* words, of four bytes each */

static void open_with_counters(void)
{
    bench_open(&bench, &(struct bench_setup){.workers = true, .counters = true});
    bench.works_wait = true;
}

static void let_work(void)
{
    bench.works_wait = false;
    bench_turn(&bench);
    bench_turn(&bench);
}

static void what_a_counter_has_counted_is_set_aside_as_counted(void **state)
{
    (void)state;
    open_with_counters();
    struct client *client = bench_post(&bench, words(MUCH));
    assert_int_equal(bench.shared, 1);
    assert_int_equal(held_now(), 0);
    let_work();
    assert_int_equal(held_now(), worth(MUCH));
    answer(client);
    bench_close(&bench);
}

static void what_is_little_is_not_shared(void **state)
{
    (void)state;
    open_with_counters();
    struct client *client = bench_post(&bench, words(LITTLE));
    assert_int_equal(bench.shared, 0);
    assert_int_equal(held_now(), worth(LITTLE));
    answer(client);
    bench_close(&bench);
}

/* Once it was counted it is known. */
static void what_was_counted_before_is_not_shared_again(void **state)
{
    (void)state;
    open_with_counters();
    for (int i = 0; i < 3; i++) {
        struct client *client = bench_post(&bench, words(MUCH));
        let_work();
        assert_int_equal(bench.shared, 1);
        assert_int_equal(held_now(), worth(MUCH));
        answer(client);
    }
    bench_close(&bench);
}

static void what_finds_no_counter_is_counted_at_once(void **state)
{
    (void)state;
    open_with_counters();
    bench.works_full = true;
    struct client *client = bench_post(&bench, words(MUCH));
    assert_int_equal(held_now(), worth(MUCH));
    answer(client);
    bench_close(&bench);
}

static void what_is_too_long_for_a_counter_goes_on_to_a_worker(void **state)
{
    (void)state;
    open_with_counters();
    struct client *client = bench_post(&bench, words(BEYOND));
    let_work();
    bench_turn(&bench);
    assert_int_equal(bench.shared, 1);
    assert_int_equal(held_now(), worth(BEYOND));
    answer(client);
    bench_close(&bench);
}

static void a_client_that_leaves_while_a_counter_counts_pays_nothing(void **state)
{
    (void)state;
    open_with_counters();
    struct client *client = bench_post(&bench, words(MUCH));
    bench_gone(client);
    let_work();
    assert_int_equal(client->replies, 1);
    assert_int_equal(client->times_asked, 0);
    assert_int_equal(held_now(), 0);
    bench_close(&bench);
}

/* As if no model were known: the input, and a provider's answer without usage. */
static void what_is_not_to_be_counted_is_set_aside_by_its_bytes(void **state)
{
    (void)state;
    struct mete_budget_view view;
    int64_t bytes = (int64_t)strlen(KNOWN) + LIMIT_TEMPLATE_TOKENS;
    bench_open(&bench, &(struct bench_setup){.no_count = true});
    struct client *client = bench_post(&bench, KNOWN);
    bench_budget(&bench, &view);
    assert_int_equal(view.held, bytes * INPUT + 16 * OUTPUT);
    bench_head(client, 200, "application/json");
    bench_text(client, "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"hi\"}}]}");
    bench_end(client, UPSTREAM_DONE);
    assert_int_equal(bench.done.usage.input, bytes);
    assert_int_equal(bench.done.usage.output, 16);
    bench_close(&bench);
}

static void an_answer_without_usage_is_charged_the_counted_input(void **state)
{
    (void)state;
    struct mete_budget_view view;
    bench_open(&bench, &(struct bench_setup){0});
    struct client *client = bench_post(&bench, KNOWN);
    bench_head(client, 200, "application/json");
    bench_text(client, "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"hi\"}}]}");
    bench_end(client, UPSTREAM_DONE);
    bench_budget(&bench, &view);
    assert_int_equal(bench.done.usage.input, COUNTED);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_be_counted_is_set_aside_as_counted),
        cmocka_unit_test(what_cannot_be_counted_is_set_aside_by_its_bytes),
        cmocka_unit_test(a_local_model_of_a_known_name_is_set_aside_by_its_bytes),
        cmocka_unit_test(what_is_not_to_be_counted_is_set_aside_by_its_bytes),
        cmocka_unit_test(a_long_text_is_counted_by_a_worker_before_anything_is_set_aside),
        cmocka_unit_test(a_text_of_what_the_loop_has_time_for_is_counted_at_once),
        cmocka_unit_test(of_texts_that_were_counted_before_any_number_is_counted_at_once),
        cmocka_unit_test(what_a_worker_has_counted_is_known_when_it_comes_again),
        cmocka_unit_test(where_there_are_no_workers_a_text_of_any_length_is_counted),
        cmocka_unit_test(a_client_that_leaves_while_its_text_is_counted_pays_nothing),
        cmocka_unit_test(with_too_much_to_count_a_client_is_told_to_come_again),
        cmocka_unit_test(on_the_way_down_what_waits_to_be_counted_is_not),
        cmocka_unit_test(long_texts_are_counted_side_by_side),
        cmocka_unit_test(what_a_counter_has_counted_is_set_aside_as_counted),
        cmocka_unit_test(what_is_little_is_not_shared),
        cmocka_unit_test(what_was_counted_before_is_not_shared_again),
        cmocka_unit_test(what_finds_no_counter_is_counted_at_once),
        cmocka_unit_test(what_is_too_long_for_a_counter_goes_on_to_a_worker),
        cmocka_unit_test(a_client_that_leaves_while_a_counter_counts_pays_nothing),
        cmocka_unit_test(an_answer_without_usage_is_charged_the_counted_input),
    };
    return cmocka_run_group_tests_name("gateway_input", tests, NULL, NULL);
}
