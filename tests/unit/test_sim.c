/* SPDX-License-Identifier: Apache-2.0
 * Proves that the simulator answers as OpenAI does, plain and streaming, that it keeps time, fails
 * and breaks off as it was told, waits for slow clients, and that its account is what was produced,
 * whatever becomes of a call. How: an exchange in memory, and timers that this file turns. */
#include "sim/sim.h"

#include "base/buffer.h"
#include "base/limits.h"
#include "mete.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <cmocka.h>
#include <jansson.h>

/* ---- Timers ---------------------------------------------------------------------------------- */

enum { TIMERS = 64 };

struct clockwork {
    struct timers timers; /* first */
    int64_t now_us;
    struct timer *set[TIMERS];
    size_t len, fired;
};

static void set_timer(struct timers *timers, struct timer *timer, int64_t delay_us)
{
    struct clockwork *clock = (struct clockwork *)(void *)timers;
    assert_true(delay_us >= 0);
    timer->at_us = clock->now_us + delay_us;
    if (!timer->slot) {
        assert_true(clock->len < TIMERS);
        clock->set[clock->len++] = timer;
        timer->slot = 1;
    }
}

static void stop_timer(struct timers *timers, struct timer *timer)
{
    struct clockwork *clock = (struct clockwork *)(void *)timers;
    for (size_t i = 0; timer->slot && i < clock->len; i++)
        if (clock->set[i] == timer) {
            clock->set[i] = clock->set[--clock->len];
            timer->slot = 0;
        }
}

static int64_t now(struct timers *timers)
{
    return ((struct clockwork *)(void *)timers)->now_us;
}

/* Fires what is due until then, in order. */
static void turn_to(struct clockwork *clock, int64_t to_us)
{
    for (;;) {
        struct timer *next = NULL;
        for (size_t i = 0; i < clock->len; i++)
            if (!next || clock->set[i]->at_us < next->at_us)
                next = clock->set[i];
        if (!next || next->at_us > to_us)
            break;
        if (next->at_us > clock->now_us)
            clock->now_us = next->at_us;
        stop_timer(&clock->timers, next);
        clock->fired++;
        next->fire(next);
    }
    clock->now_us = to_us;
}

/* ---- Exchanges ------------------------------------------------------------------------------- */

struct client {
    struct exchange exchange; /* first */
    const char *headers[8][2];
    struct buffer got;
    char content_type[64];
    size_t queue; /* what write() says is waiting */
    int status, ends, starts, writes;
};

static struct slice get_header(const struct exchange *exchange, const char *name)
{
    const struct client *client = (const struct client *)(const void *)exchange;
    for (size_t i = 0; i < 8 && client->headers[i][0]; i++)
        if (strcasecmp(client->headers[i][0], name) == 0)
            return slice_of(client->headers[i][1]);
    return (struct slice){0};
}

static void take_head(struct client *client, int status, const struct exchange_header *headers,
                      size_t len)
{
    assert_int_equal(client->ends + client->starts, 0);
    client->status = status;
    for (size_t i = 0; i < len; i++)
        if (strcasecmp(headers[i].name, "content-type") == 0)
            snprintf(client->content_type, sizeof client->content_type, "%.*s",
                     (int)headers[i].value.len, headers[i].value.data);
}

static void reply(struct exchange *exchange, int status, const struct exchange_header *headers,
                  size_t len, struct slice body)
{
    struct client *client = (struct client *)(void *)exchange;
    take_head(client, status, headers, len);
    assert_int_equal(buffer_append(&client->got, body), 0);
    client->ends++;
}

static void start(struct exchange *exchange, int status, const struct exchange_header *headers,
                  size_t len)
{
    struct client *client = (struct client *)(void *)exchange;
    take_head(client, status, headers, len);
    client->starts++;
}

static size_t write_piece(struct exchange *exchange, struct slice bytes)
{
    struct client *client = (struct client *)(void *)exchange;
    assert_true(client->starts == 1 && client->ends == 0);
    assert_int_equal(buffer_append(&client->got, bytes), 0);
    client->writes++;
    return client->queue;
}

static void finish(struct exchange *exchange)
{
    struct client *client = (struct client *)(void *)exchange;
    assert_true(client->starts == 1 && client->ends == 0);
    client->ends++;
}

static const struct exchange_ops ops = {get_header, reply, start, write_piece, finish, NULL};

/* ---- One simulator and its clients ----------------------------------------------------------- */

struct world {
    struct clockwork clock;
    struct sim *sim;
    struct exchange_handler handler;
};

static void open_world(struct world *world, struct sim_config config)
{
    *world = (struct world){.clock = {.timers = {set_timer, stop_timer, now}, .now_us = 1000}};
    assert_int_equal(sim_new(&config, &world->clock.timers, &world->sim), 0);
    world->handler = sim_handler(world->sim);
}

static void close_world(struct world *world)
{
    assert_int_equal(world->clock.len, 0);
    sim_free(world->sim);
}

static void ask(struct world *world, struct client *client, const char *route, const char *body)
{
    static uint64_t id;
    const char *space = strchr(route, ' ');
    buffer_init(&client->got, 64 << 20);
    client->exchange = (struct exchange){.ops = &ops, .id = ++id, .body = slice_of(body)};
    client->exchange.method = (struct slice){route, (size_t)(space - route)};
    client->exchange.path = slice_of(space + 1);
    world->handler.begin(world->handler.self, &client->exchange);
}

#define CHAT "POST /v1/chat/completions"

static void chat(struct world *world, struct client *client, const char *body)
{
    ask(world, client, CHAT, body);
}

static json_t *json_of(struct client *client, int status)
{
    assert_int_equal(client->ends, 1);
    assert_int_equal(client->status, status);
    assert_string_equal(client->content_type, "application/json");
    json_t *json = json_loadb(client->got.data, client->got.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    buffer_done(&client->got);
    return json;
}

/* The value at "a.b.0.c". */
static json_t *at(json_t *json, const char *path)
{
    char name[32];
    while (*path) {
        size_t len = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)len, path);
        json = json_is_array(json) ? json_array_get(json, strtoul(name, NULL, 10))
                                   : json_object_get(json, name);
        path += len + (path[len] == '.');
    }
    return json;
}

static long long number(json_t *json, const char *path)
{
    assert_true(json_is_integer(at(json, path)));
    return json_integer_value(at(json, path));
}

static const char *string(json_t *json, const char *path)
{
    assert_true(json_is_string(at(json, path)));
    return json_string_value(at(json, path));
}

static json_t *billed(struct world *world)
{
    struct client client = {0};
    ask(world, &client, "GET /sim/billed", "");
    return json_of(&client, 200);
}

static void billed_is(struct world *world, const char *expected)
{
    json_t *json = billed(world);
    char sums[128];
    snprintf(sums, sizeof sums, "calls %lld failed %lld cut %lld input %lld output %lld",
             number(json, "calls"), number(json, "failed"), number(json, "cut"),
             number(json, "input_tokens"), number(json, "output_tokens"));
    assert_string_equal(sums, expected);
    json_decref(json);
}

/* ---- Streams, read back ---------------------------------------------------------------------- */

struct seen {
    size_t chunks, roles, tokens, finishes;
    long long completion_tokens; /* -1: no usage chunk */
    bool done, null_usage;
    char finish[16];
    char text[4096]; /* of choice 0 */
};

static void see_chunk(struct seen *seen, json_t *chunk)
{
    assert_false(seen->done);
    assert_string_equal(string(chunk, "object"), "chat.completion.chunk");
    seen->chunks++;
    seen->null_usage = json_is_null(json_object_get(chunk, "usage"));
    if (json_array_size(json_object_get(chunk, "choices")) == 0) {
        seen->completion_tokens = number(chunk, "usage.completion_tokens");
        assert_true(number(chunk, "usage.total_tokens") ==
                    seen->completion_tokens + number(chunk, "usage.prompt_tokens"));
        return;
    }
    assert_int_equal(seen->completion_tokens, -1); /* usage comes last */
    json_t *content = at(chunk, "choices.0.delta.content");
    seen->roles += at(chunk, "choices.0.delta.role") != NULL;
    if (content && json_string_length(content)) {
        assert_int_equal(seen->finishes, 0);
        seen->tokens++;
        if (number(chunk, "choices.0.index") == 0) {
            size_t len = strlen(seen->text);
            snprintf(seen->text + len, sizeof seen->text - len, "%s", json_string_value(content));
        }
    }
    if (json_is_string(at(chunk, "choices.0.finish_reason"))) {
        seen->finishes++;
        snprintf(seen->finish, sizeof seen->finish, "%s", string(chunk, "choices.0.finish_reason"));
    }
}

static struct seen see(struct client *client)
{
    struct seen seen = {.completion_tokens = -1};
    struct slice rest = buffer_slice(&client->got);
    assert_int_equal(client->status, 200);
    assert_true(slice_starts(slice_of(client->content_type), SLICE_LITERAL("text/event-stream")));
    while (rest.len) {
        const char *end = memmem(rest.data, rest.len, "\n\n", 2);
        assert_non_null(end);
        struct slice event = {rest.data, (size_t)(end - rest.data)};
        rest = slice_from(rest, event.len + 2);
        assert_true(slice_starts(event, SLICE_LITERAL("data: ")));
        event = slice_from(event, 6);
        if (slice_is(event, "[DONE]")) {
            seen.done = true;
            continue;
        }
        json_t *chunk = json_loadb(event.data, event.len, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(chunk);
        see_chunk(&seen, chunk);
        json_decref(chunk);
    }
    buffer_done(&client->got);
    return seen;
}

#define HELLO "\"messages\":[{\"role\":\"user\",\"content\":\"Hello, world!\"}]"
#define STREAM "{\"model\":\"gpt-4o\"," HELLO ",\"stream\":true"
static const struct sim_config plain_config = {.output_tokens = 8, .seed = 1};

/* ---- Plain ----------------------------------------------------------------------------------- */

static void a_plain_answer_is_a_chat_completion(void **state)
{
    (void)state;
    struct world world;
    struct client client = {0}, bounded = {0};
    open_world(&world, plain_config);
    chat(&world, &client, "{\"model\":\"gpt-4o\\u002dmini\"," HELLO ",\"max_tokens\":100}");
    json_t *json = json_of(&client, 200);
    assert_string_equal(string(json, "id"), "chatcmpl-sim-1");
    assert_string_equal(string(json, "object"), "chat.completion");
    assert_string_equal(string(json, "model"), "gpt-4o-mini");
    assert_string_equal(string(json, "choices.0.message.role"), "assistant");
    assert_string_equal(string(json, "choices.0.message.content"),
                        "lorem ipsum dolor sit amet sed do magna");
    assert_string_equal(string(json, "choices.0.finish_reason"), "stop");
    assert_int_equal(number(json, "usage.prompt_tokens"), 3); /* 13 bytes */
    assert_int_equal(number(json, "usage.completion_tokens"), 8);
    assert_int_equal(number(json, "usage.total_tokens"), 11);
    assert_int_equal(number(json, "usage.prompt_tokens_details.cached_tokens"), 0);
    assert_int_equal(number(json, "usage.completion_tokens_details.reasoning_tokens"), 0);
    json_decref(json);
    ask(&world, &bounded, "POST /chat/completions",
        "{\"model\":\"m\"," HELLO ",\"max_tokens\":5,\"max_completion_tokens\":3,\"n\":2}");
    json = json_of(&bounded, 200);
    assert_int_equal(json_array_size(at(json, "choices")), 2);
    assert_string_equal(string(json, "choices.1.message.content"), "lorem ipsum dolor");
    assert_string_equal(string(json, "choices.1.finish_reason"), "length");
    assert_int_equal(number(json, "usage.completion_tokens"), 6);
    json_decref(json);
    billed_is(&world, "calls 2 failed 0 cut 0 input 6 output 14");
    close_world(&world);
}

static void prompt_tokens_are_a_quarter_of_the_texts_bytes(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, plain_config);
    const struct {
        const char *messages;
        long long tokens;
    } cases[] = {
        {"[{\"role\":\"user\",\"content\":\"\"}]", 1},
        {"[{\"role\":\"user\",\"content\":\"abcdefg\"}]", 1},
        {"[{\"role\":\"user\",\"content\":\"abcd\"},{\"role\":\"assistant\",\"content\":\"efgh\"}]",
         2},
        {"[{\"role\":\"user\",\"content\":\"\\u20ac\\u20ac\\u20ac\"}]", 2}, /* 9 bytes */
        {"[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"abcdefgh\"},"
         "{\"type\":\"image_url\",\"image_url\":{\"url\":\"x\"}},"
         "{\"type\":\"text\",\"text\":\"ijkl\"}]}]",
         3},
        {"[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[]}]", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct client client = {0};
        char body[512];
        snprintf(body, sizeof body, "{\"model\":\"m\",\"messages\":%s}", cases[i].messages);
        chat(&world, &client, body);
        json_t *json = json_of(&client, 200);
        assert_int_equal(number(json, "usage.prompt_tokens"), cases[i].tokens);
        json_decref(json);
    }
    close_world(&world);
}

static void a_wrong_body_is_a_400_that_names_the_field(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, plain_config);
    const char *const cases[][2] = {
        {"", NULL},
        {"{", NULL},
        {"[]", NULL},
        {"{" HELLO "}", "model"},
        {"{\"model\":\"\"," HELLO "}", "model"},
        {"{\"model\":7," HELLO "}", "model"},
        {"{\"model\":\"m\"}", "messages"},
        {"{\"model\":\"m\",\"messages\":[]}", "messages"},
        {"{\"model\":\"m\",\"messages\":[7]}", "messages"},
        {"{\"model\":\"m\",\"messages\":[{\"content\":\"x\"}]}", "messages"},
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":7}]}", "messages"},
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{}]}]}", "messages"},
        {"{\"model\":\"m\"," HELLO ",\"max_tokens\":0}", "max_tokens"},
        {"{\"model\":\"m\"," HELLO ",\"max_tokens\":1.5}", "max_tokens"},
        {"{\"model\":\"m\"," HELLO ",\"max_completion_tokens\":\"9\"}", "max_completion_tokens"},
        {"{\"model\":\"m\"," HELLO ",\"n\":129}", "n"},
        {"{\"model\":\"m\"," HELLO ",\"n\":3,\"sim\":{\"output_tokens\":262144}}", "n"},
        {"{\"model\":\"m\"," HELLO ",\"stream\":\"yes\"}", "stream"},
        {"{\"model\":\"m\"," HELLO ",\"stream_options\":{}}", "stream_options"},
        {STREAM ",\"stream_options\":7}", "stream_options"},
        {STREAM ",\"stream_options\":{\"include_usage\":1}}", "stream_options.include_usage"},
        {"{\"model\":\"m\"," HELLO ",\"sim\":{\"fail\":200}}", "x-sim-fail"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct client client = {0};
        chat(&world, &client, cases[i][0]);
        json_t *json = json_of(&client, 400);
        assert_string_equal(string(json, "error.type"), "invalid_request_error");
        assert_true(strlen(string(json, "error.message")) > 5);
        if (cases[i][1])
            assert_string_equal(string(json, "error.param"), cases[i][1]);
        else
            assert_true(json_is_null(at(json, "error.param")));
        json_decref(json);
    }
    billed_is(&world, "calls 0 failed 0 cut 0 input 0 output 0");
    close_world(&world);
}

static void other_routes_are_answered(void **state)
{
    (void)state;
    struct world world;
    struct client models = {0}, nowhere = {0}, method = {0};
    open_world(&world, plain_config);
    ask(&world, &models, "GET /v1/models", "");
    json_t *json = json_of(&models, 200);
    assert_string_equal(string(json, "data.0.object"), "model");
    json_decref(json);
    ask(&world, &nowhere, "GET /v1/nowhere", "");
    json_decref(json_of(&nowhere, 404));
    ask(&world, &method, "GET /v1/chat/completions", "");
    json_decref(json_of(&method, 405));
    close_world(&world);
}

/* ---- Streams --------------------------------------------------------------------------------- */

static void a_stream_has_role_tokens_finish_and_done(void **state)
{
    (void)state;
    struct world world;
    struct client client = {0}, asked = {0}, many = {0};
    open_world(&world, plain_config);
    chat(&world, &client, STREAM "}");
    struct seen seen = see(&client);
    assert_int_equal(client.writes, 1); /* all that is due goes at once */
    assert_string_equal(seen.text, "lorem ipsum dolor sit amet sed do magna");
    assert_true(seen.done && seen.roles == 1 && seen.tokens == 8 && seen.finishes == 1);
    assert_int_equal(seen.chunks, 10);
    assert_string_equal(seen.finish, "stop");
    assert_int_equal(seen.completion_tokens, -1);
    assert_false(seen.null_usage);
    chat(&world, &asked, STREAM ",\"stream_options\":{\"include_usage\":true},\"max_tokens\":8}");
    seen = see(&asked);
    assert_int_equal(seen.completion_tokens, 8);
    assert_string_equal(seen.finish, "length");
    assert_int_equal(seen.chunks, 11);
    chat(&world, &many, STREAM ",\"stream_options\":{\"include_usage\":true},\"n\":12}");
    seen = see(&many);
    assert_int_equal(seen.completion_tokens, 96);
    assert_true(seen.roles == 12 && seen.tokens == 96 && seen.finishes == 12 && seen.done);
    assert_string_equal(seen.text, "lorem ipsum dolor sit amet sed do magna");
    json_t *json = billed(&world);
    assert_int_equal(json_is_true(at(json, "requests.0.usage_reported")), 0);
    assert_int_equal(json_is_true(at(json, "requests.1.usage_reported")), 1);
    json_decref(json);
    billed_is(&world, "calls 3 failed 0 cut 0 input 9 output 112");
    close_world(&world);
}

static void latency_passes_before_the_first_byte(void **state)
{
    (void)state;
    struct world world;
    struct client plain = {0}, streamed = {0}, hasty = {.headers = {{"X-Sim-Latency-Ms", "0"}}};
    struct sim_config config = plain_config;
    config.latency_us = 50000;
    open_world(&world, config);
    chat(&world, &plain, "{\"model\":\"m\"," HELLO "}");
    chat(&world, &streamed, STREAM "}");
    chat(&world, &hasty, STREAM "}");
    assert_true(see(&hasty).done);
    turn_to(&world.clock, 50999);
    assert_int_equal(plain.ends + streamed.starts, 0);
    turn_to(&world.clock, 51000);
    assert_true(see(&streamed).done);
    json_decref(json_of(&plain, 200));
    close_world(&world);
}

/* Counts on from where the last look ended: events are written whole. Not memmem(): a race detector
 * checks all that is left at each call of it. */
static size_t count_tokens(const struct client *client, size_t *seen, size_t *at)
{
    static const char member[] = "{\"content\":";
    for (; *at + sizeof member - 1 <= client->got.len; ++*at)
        if (client->got.data[*at] == '{' &&
            memcmp(client->got.data + *at, member, sizeof member - 1) == 0)
            ++*seen;
    return *seen;
}

static void tokens_come_at_their_rate(void **state)
{
    (void)state;
    const int64_t rates[] = {1, 20, 499, 501, 30000, 10000000};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct world world;
        struct client client = {0};
        struct sim_config config = {.output_tokens = 2000, .tokens_per_second = rates[i]};
        open_world(&world, config);
        chat(&world, &client, STREAM "}");
        size_t seen = 0, at = 0;
        int64_t begun = world.clock.now_us, end = 1999 * 1000000 / rates[i];
        for (int64_t step = 1; !client.ends && step <= 400; step++) {
            int64_t after = end * step / 400 + 1;
            turn_to(&world.clock, begun + after);
            /* One is due at once; a batch may be late by a tick, and never early. */
            int64_t due = after * rates[i] / 1000000 + 1;
            int64_t late = (after - 2000) * rates[i] / 1000000;
            int64_t out = (int64_t)count_tokens(&client, &seen, &at);
            assert_true(out <= due && out >= (late < 2000 ? late : 2000));
        }
        turn_to(&world.clock, begun + end + 2001);
        assert_int_equal(client.ends, 1);
        assert_true(world.clock.fired <= (size_t)(end / 2000) + 20);
        assert_int_equal(see(&client).tokens, 2000);
        billed_is(&world, "calls 1 failed 0 cut 0 input 3 output 2000");
        close_world(&world);
    }
}

static void a_slow_client_holds_its_stream_up(void **state)
{
    (void)state;
    struct world world;
    struct client client = {.queue = EXCHANGE_QUEUE_HIGH + 1};
    struct sim_config config = {.output_tokens = 1000};
    open_world(&world, config);
    chat(&world, &client, STREAM "}");
    turn_to(&world.clock, 5000000);
    assert_int_equal(client.writes, 1);
    assert_int_equal(world.clock.fired, 0);
    for (int i = 2; i <= 4; i++) {
        assert_int_equal(client.ends, 0);
        world.handler.drained(world.handler.self, &client.exchange);
        assert_int_equal(client.writes, i);
    }
    assert_true(see(&client).done);
    close_world(&world);
}

/* A batch is a turn of the loop: others are not kept waiting behind a long stream. */
static void a_long_stream_gives_way(void **state)
{
    (void)state;
    struct world world;
    struct client client = {0};
    struct sim_config config = {.output_tokens = 1000};
    open_world(&world, config);
    chat(&world, &client, STREAM "}");
    assert_int_equal(client.writes, 1);
    turn_to(&world.clock, world.clock.now_us);
    assert_int_equal(client.writes, 4);
    assert_int_equal(see(&client).tokens, 1000);
    close_world(&world);
}

/* ---- Failures -------------------------------------------------------------------------------- */

static void calls_fail_and_break_off_in_their_share_and_in_the_same_order(void **state)
{
    (void)state;
    enum { CALLS = 2000 };
    char fates[2][CALLS];
    for (int run = 0; run < 2; run++) {
        struct world world;
        struct sim_config config = {
            .output_tokens = 5, .failure_ppm = 250000, .cut_ppm = 500000, .seed = 42};
        long long failed = 0, cut = 0, output = 0;
        open_world(&world, config);
        for (int i = 0; i < CALLS; i++) {
            struct client client = {0};
            chat(&world, &client, STREAM ",\"stream_options\":{\"include_usage\":true}}");
            if (client.status == 500) {
                json_t *json = json_of(&client, 500);
                assert_string_equal(string(json, "error.type"), "server_error");
                json_decref(json);
                failed++;
                fates[run][i] = 'f';
                continue;
            }
            struct seen seen = see(&client);
            fates[run][i] = (char)('0' + seen.tokens + (seen.done ? 10 : 0));
            cut += !seen.done;
            output += (long long)seen.tokens;
            assert_true(seen.done == (seen.completion_tokens == 5));
            assert_true(seen.done == (seen.finishes == 1));
        }
        assert_in_range(failed, CALLS / 5, CALLS * 3 / 10);
        assert_in_range(cut, CALLS * 3 / 10, CALLS * 9 / 20);
        char sums[128];
        snprintf(sums, sizeof sums, "calls %d failed %lld cut %lld input %lld output %lld", CALLS,
                 failed, cut, (CALLS - failed) * 3, output);
        billed_is(&world, sums);
        close_world(&world);
    }
    assert_memory_equal(fates[0], fates[1], CALLS);
}

static void a_call_may_ask_for_its_fate(void **state)
{
    (void)state;
    struct world world;
    struct client fails = {.headers = {{"x-sim-fail", "429"}}};
    struct client cut = {.headers = {{"x-sim-cut-after", "3"}, {"x-sim-output-tokens", "20"}}};
    struct client never = {.headers = {{"x-sim-cut-after", "0"}}};
    struct client silent = {0}, wrong = {.headers = {{"x-sim-fail", "often"}}};
    open_world(&world, plain_config);
    chat(&world, &fails, STREAM "}");
    json_t *json = json_of(&fails, 429);
    assert_string_equal(string(json, "error.type"), "rate_limit_error");
    json_decref(json);
    chat(&world, &cut, STREAM "}");
    struct seen seen = see(&cut);
    assert_true(seen.tokens == 3 && !seen.done && seen.finishes == 0 && cut.ends == 1);
    chat(&world, &never, STREAM "}");
    seen = see(&never);
    assert_true(seen.tokens == 0 && seen.roles == 1 && !seen.done);
    chat(&world, &silent,
         STREAM ",\"stream_options\":{\"include_usage\":true},\"sim\":{\"usage\":0}}");
    seen = see(&silent);
    assert_true(seen.tokens == 8 && seen.done && seen.completion_tokens == -1);
    chat(&world, &wrong, STREAM "}");
    json_decref(json_of(&wrong, 400));
    billed_is(&world, "calls 4 failed 1 cut 2 input 9 output 11");
    close_world(&world);
}

static void a_client_that_leaves_is_billed_what_was_made(void **state)
{
    (void)state;
    struct world world;
    struct client streamed = {0}, early = {0}, failing = {.headers = {{"x-sim-fail", "500"}}};
    struct sim_config config = {.output_tokens = 100, .tokens_per_second = 100, .latency_us = 1000};
    open_world(&world, config);
    chat(&world, &streamed, STREAM ",\"stream_options\":{\"include_usage\":true}}");
    turn_to(&world.clock, world.clock.now_us + 1000 + 205000);
    world.handler.gone(world.handler.self, &streamed.exchange);
    assert_int_equal(streamed.ends, 1);
    struct seen seen = see(&streamed);
    assert_int_equal(seen.tokens, 21);
    chat(&world, &early, "{\"model\":\"m\"," HELLO "}");
    world.handler.gone(world.handler.self, &early.exchange);
    assert_int_equal(early.ends, 1);
    chat(&world, &failing, "{\"model\":\"m\"," HELLO "}");
    world.handler.gone(world.handler.self, &failing.exchange);
    assert_int_equal(failing.ends, 1);
    buffer_done(&early.got);
    buffer_done(&failing.got);
    turn_to(&world.clock, world.clock.now_us + 5000000);
    json_t *json = billed(&world);
    assert_int_equal(number(json, "requests.0.output_tokens"), 21);
    assert_false(json_is_true(at(json, "requests.0.usage_reported")));
    json_decref(json);
    billed_is(&world, "calls 3 failed 1 cut 0 input 6 output 21");
    close_world(&world);
}

/* ---- The account ----------------------------------------------------------------------------- */

static void the_last_thousand_are_kept_and_all_are_summed(void **state)
{
    (void)state;
    struct world world;
    struct client client = {0};
    open_world(&world, plain_config);
    for (int i = 0; i < LIMIT_SIM_BILLED + 5; i++) {
        struct client one = {0};
        chat(&world, &one, "{\"model\":\"q\\\"\"," HELLO "}");
        json_decref(json_of(&one, 200));
    }
    json_t *json = billed(&world);
    assert_int_equal(json_array_size(at(json, "requests")), LIMIT_SIM_BILLED);
    assert_string_equal(string(json, "requests.0.id"), "chatcmpl-sim-6");
    assert_string_equal(string(json, "requests.999.id"), "chatcmpl-sim-1005");
    assert_string_equal(string(json, "requests.999.model"), "q\"");
    json_decref(json);
    billed_is(&world, "calls 1005 failed 0 cut 0 input 3015 output 8040");
    ask(&world, &client, "POST /sim/reset", "");
    json_decref(json_of(&client, 200));
    billed_is(&world, "calls 0 failed 0 cut 0 input 0 output 0");
    close_world(&world);
}

static void the_longest_answer_fits(void **state)
{
    (void)state;
    struct world world;
    struct client plain = {0}, streamed = {0};
    struct sim_config config = {.output_tokens = LIMIT_SIM_TOKENS};
    open_world(&world, config);
    chat(&world, &plain, "{\"model\":\"m\"," HELLO "}");
    json_t *json = json_of(&plain, 200);
    assert_int_equal(number(json, "usage.completion_tokens"), LIMIT_SIM_TOKENS);
    json_decref(json);
    chat(&world, &streamed, STREAM ",\"max_tokens\":2048,\"n\":128}");
    turn_to(&world.clock, world.clock.now_us);
    assert_int_equal(streamed.ends, 1);
    size_t seen = 0, at = 0;
    assert_int_equal(count_tokens(&streamed, &seen, &at), 128 * 2048);
    buffer_done(&streamed.got);
    close_world(&world);
}

static void absurd_configurations_are_refused(void **state)
{
    (void)state;
    const struct sim_config bad[] = {
        {.output_tokens = 0},
        {.output_tokens = LIMIT_SIM_TOKENS + 1},
        {.output_tokens = 1, .latency_us = -1},
        {.output_tokens = 1, .tokens_per_second = -1},
        {.output_tokens = 1, .failure_ppm = 1000001},
        {.output_tokens = 1, .cut_ppm = 1000001},
        {.output_tokens = 1, .latency_us = INT64_MAX},
    };
    struct sim *sim = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(sim_new(&bad[i], NULL, &sim), METE_E_INVALID);
    assert_null(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_answer_is_a_chat_completion),
        cmocka_unit_test(prompt_tokens_are_a_quarter_of_the_texts_bytes),
        cmocka_unit_test(a_wrong_body_is_a_400_that_names_the_field),
        cmocka_unit_test(other_routes_are_answered),
        cmocka_unit_test(a_stream_has_role_tokens_finish_and_done),
        cmocka_unit_test(latency_passes_before_the_first_byte),
        cmocka_unit_test(tokens_come_at_their_rate),
        cmocka_unit_test(a_slow_client_holds_its_stream_up),
        cmocka_unit_test(a_long_stream_gives_way),
        cmocka_unit_test(calls_fail_and_break_off_in_their_share_and_in_the_same_order),
        cmocka_unit_test(a_call_may_ask_for_its_fate),
        cmocka_unit_test(a_client_that_leaves_is_billed_what_was_made),
        cmocka_unit_test(the_last_thousand_are_kept_and_all_are_summed),
        cmocka_unit_test(the_longest_answer_fits),
        cmocka_unit_test(absurd_configurations_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
