/* SPDX-License-Identifier: Apache-2.0
 * One call:
 *
 *   begin -> WAITING (latency) -> failed: an error, nothing billed
 *                              -> plain: the whole answer
 *                              -> STREAMING: tokens as their time comes -> end, or cut
 *
 * The timer runs in WAITING and STREAMING, except while more than EXCHANGE_QUEUE_HIGH waits for the
 * client: then drained() goes on. What is due is worked out from when the stream began, so that a
 * late or coarse timer makes larger batches and no slower stream. A call is billed when it is
 * over, with what was produced, whether or not it arrived.
 *
 * Chance: the n-th call's fate is a hash of (seed, n), the same in every run that asks in the same
 * order.
 *
 * Not done: breaking the connection itself (the exchange has no such thing): a cut is a stream that
 * ends without finish_reason, usage and [DONE]. */
#include "sim/sim.h"

#include "base/assert.h"
#include "base/checked.h"
#include "sim/inside.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    BATCH_TOKENS = 256, /* of one write: some 60 KB */
    TICK_US = 2000,     /* no shorter waits between batches: a timer each token costs more */
    PPM = 1000000,
    TOKEN_BYTES = 8, /* of an answer, at most */
    SCRATCH_MAX = LIMIT_SIM_TOKENS * TOKEN_BYTES + 1048576
};

struct sim {
    struct sim_config config;
    struct timers *timers;
    struct sim_account account;
    struct buffer scratch; /* one answer, one batch: never across calls of the loop */
    uint64_t number;       /* of the last valid call */
    size_t open;
};

struct call {
    struct timer timer; /* first: fire() casts */
    struct sim *sim;
    struct exchange *exchange;
    struct sim_answer answer;
    struct buffer text;      /* head, then tail */
    int64_t produced, limit; /* tokens of all choices; limit: where it ends or is cut */
    int64_t begun_us;
    int fail; /* status, or 0 */
    bool stream, streaming, cut, stalled;
};

enum salt { SALT_FAILURE = 1, SALT_CUT, SALT_CUT_AT };

static uint64_t chance(const struct sim *sim, uint64_t number, enum salt salt)
{
    uint64_t z = sim->config.seed + number * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)salt;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static bool happens(const struct sim *sim, uint64_t number, enum salt salt, uint32_t ppm)
{
    return chance(sim, number, salt) % PPM < ppm;
}

/* ---- Replies --------------------------------------------------------------------------------- */

static void reply_as(struct exchange *exchange, int status, const char *type, struct slice body)
{
    char id[32];
    int len = snprintf(id, sizeof id, "req_sim_%llu", (unsigned long long)exchange->id);
    const struct exchange_header headers[] = {{"Content-Type", slice_of(type)},
                                              {"x-request-id", {id, (size_t)len}}};
    exchange->ops->reply(exchange, status, headers, 2, body);
}

static void reply_json(struct exchange *exchange, int status, struct slice body)
{
    reply_as(exchange, status, "application/json", body);
}

static void reply_no_memory(struct exchange *exchange)
{
    reply_json(exchange, 503,
               SLICE_LITERAL("{\"error\":{\"message\":\"No memory.\","
                             "\"type\":\"server_error\",\"param\":null,"
                             "\"code\":null}}"));
}

static void reply_scratch(struct sim *sim, struct exchange *exchange, int status, int rc)
{
    if (rc)
        reply_no_memory(exchange);
    else
        reply_json(exchange, status, buffer_slice(&sim->scratch));
}

static void reply_error(struct sim *sim, struct exchange *exchange, int status,
                        const struct sim_fault *fault)
{
    buffer_clear(&sim->scratch);
    int rc = sim_text_error(status, fault->message, fault->param, &sim->scratch);
    reply_scratch(sim, exchange, status, rc);
}

/* ---- The life of a call ---------------------------------------------------------------------- */

/* Bills it and gives its memory back; the exchange is the caller's to end. */
static void close_call(struct call *call, bool usage_reported)
{
    struct sim *sim = call->sim;
    ASSERT(sim->open > 0);
    sim->timers->stop(sim->timers, &call->timer);
    if (call->fail)
        sim->account.failed++;
    else
        sim_account_bill(&sim->account, &call->answer, call->produced, usage_reported);
    call->exchange->state = NULL;
    buffer_done(&call->text);
    free(call);
    sim->open--;
}

static void answer_failure(struct call *call)
{
    struct sim_fault fault = {.message = "The simulator failed this call, as it was asked to."};
    struct sim *sim = call->sim;
    struct exchange *exchange = call->exchange;
    int status = call->fail;
    close_call(call, false);
    reply_error(sim, exchange, status, &fault);
}

static void answer_plain(struct call *call)
{
    struct sim *sim = call->sim;
    struct exchange *exchange = call->exchange;
    buffer_clear(&sim->scratch);
    int rc = sim_text_plain(&call->answer, &sim->scratch);
    call->produced = rc ? 0 : call->limit;
    close_call(call, !rc && call->answer.report);
    reply_scratch(sim, exchange, 200, rc);
}

static void start_stream(struct call *call)
{
    const struct exchange_header headers[] = {
        {"Content-Type", SLICE_LITERAL("text/event-stream; charset=utf-8")},
        {"Cache-Control", SLICE_LITERAL("no-cache")}};
    call->streaming = true;
    call->begun_us = call->sim->timers->now_us(call->sim->timers);
    call->exchange->ops->start(call->exchange, 200, headers, 2);
}

/* How many tokens should be out by now: the first at once. */
static int64_t count_due(const struct call *call, int64_t now_us)
{
    int64_t rate = call->sim->config.tokens_per_second;
    if (!rate)
        return call->limit;
    int128 due = (int128)(now_us - call->begun_us) * rate / 1000000 + 1;
    return due < call->limit ? (int64_t)due : call->limit;
}

static void wait_for_next(struct call *call, int64_t now_us)
{
    struct timers *timers = call->sim->timers;
    int64_t rate = call->sim->config.tokens_per_second, delay_us = 0;
    if (rate && count_due(call, now_us) <= call->produced) {
        int64_t at_us = call->begun_us + (int64_t)((int128)call->produced * 1000000 / rate);
        delay_us = max_i64(at_us + 1 - now_us, TICK_US);
    }
    timers->set(timers, &call->timer, delay_us);
}

static int put_batch(struct call *call, bool first, int64_t to)
{
    struct buffer *out = &call->sim->scratch;
    buffer_clear(out);
    int rc = first ? sim_text_begin(&call->answer, out) : 0;
    if (!rc)
        rc = sim_text_tokens(&call->answer, call->produced, to, out);
    if (!rc && to == call->limit && !call->cut)
        rc = sim_text_end(&call->answer, out);
    return rc;
}

static void end_stream(struct call *call)
{
    struct exchange *exchange = call->exchange;
    bool reported = !call->cut && call->answer.include_usage && call->answer.report;
    call->sim->account.cut += call->cut;
    close_call(call, reported);
    exchange->ops->finish(exchange);
}

static void stream(struct call *call)
{
    bool first = !call->streaming;
    if (first)
        start_stream(call);
    int64_t now_us = call->sim->timers->now_us(call->sim->timers);
    int64_t to = min_i64(count_due(call, now_us), call->produced + BATCH_TOKENS);
    if (put_batch(call, first, to)) {
        call->cut = true; /* no memory */
        end_stream(call);
        return;
    }
    call->produced = to;
    size_t waiting = call->exchange->ops->write(call->exchange, buffer_slice(&call->sim->scratch));
    call->stalled = waiting > EXCHANGE_QUEUE_HIGH;
    if (to == call->limit)
        end_stream(call);
    else if (!call->stalled)
        wait_for_next(call, now_us);
}

static void go_on(struct call *call)
{
    if (call->fail)
        answer_failure(call);
    else if (call->stream)
        stream(call);
    else
        answer_plain(call);
}

static void fire(struct timer *timer)
{
    go_on((struct call *)(void *)timer);
}

/* ---- Beginning one --------------------------------------------------------------------------- */

static void draw_fate(struct call *call, const struct sim_wish *wish)
{
    const struct sim *sim = call->sim;
    uint64_t number = call->answer.number;
    if (wish->fail >= 0)
        call->fail = (int)wish->fail;
    else if (happens(sim, number, SALT_FAILURE, sim->config.failure_ppm))
        call->fail = 500;
    if (!call->stream || call->fail)
        return;
    if (wish->cut_after >= 0) {
        call->cut = true;
        call->limit = min_i64(call->limit, wish->cut_after);
    } else if (happens(sim, number, SALT_CUT, sim->config.cut_ppm)) {
        call->cut = true;
        call->limit = 1 + (int64_t)(chance(sim, number, SALT_CUT_AT) % (uint64_t)call->limit);
    }
}

static int write_frame(struct call *call)
{
    buffer_init(&call->text, 2048);
    int rc = sim_text_head(&call->answer, &call->text);
    size_t head = call->text.len;
    if (!rc)
        rc = sim_text_tail(&call->answer, &call->text);
    if (rc)
        return rc;
    call->answer.head = (struct slice){call->text.data, head};
    call->answer.tail = slice_from(buffer_slice(&call->text), head);
    return 0;
}

/* NULL without memory. */
static struct call *new_call(struct sim *sim, struct exchange *exchange,
                             const struct sim_request *request, int64_t length)
{
    struct call *call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->timer.fire = fire;
    call->sim = sim;
    call->exchange = exchange;
    call->stream = request->stream;
    call->limit = length * request->choices;
    call->answer = (struct sim_answer){.number = sim->number + 1,
                                       .model = request->model,
                                       .input_tokens = request->input_tokens,
                                       .length = length,
                                       .choices = request->choices,
                                       .bounded = length == request->max_tokens,
                                       .report = request->wish.usage != 0,
                                       .include_usage = request->include_usage};
    if (call->stream && write_frame(call)) {
        buffer_done(&call->text);
        free(call);
        return NULL;
    }
    draw_fate(call, &request->wish);
    sim->number++;
    sim->account.calls++;
    sim->open++;
    exchange->state = call;
    return call;
}

static void begin_chat(struct sim *sim, struct exchange *exchange)
{
    struct sim_request request;
    struct sim_fault fault;
    if (!sim_request_read(exchange, &request, &fault)) {
        reply_error(sim, exchange, 400, &fault);
        return;
    }
    int64_t wished = request.wish.output_tokens;
    int64_t natural = wished >= 0 ? wished : sim->config.output_tokens;
    int64_t length = min_i64(natural, request.max_tokens);
    if (length > LIMIT_SIM_TOKENS / request.choices) {
        fault = (struct sim_fault){"n", "That is more than one simulated answer may have."};
        reply_error(sim, exchange, 400, &fault);
        return;
    }
    struct call *call = new_call(sim, exchange, &request, length);
    if (!call) {
        reply_no_memory(exchange);
        return;
    }
    int64_t latency_ms = request.wish.latency_ms;
    int64_t latency_us = latency_ms >= 0 ? latency_ms * 1000 : sim->config.latency_us;
    if (latency_us)
        sim->timers->set(sim->timers, &call->timer, latency_us);
    else
        go_on(call);
}

/* ---- Pictures, sound and video --------------------------------------------------------------- */

static void answer_media(struct sim *sim, struct exchange *exchange, enum sim_media kind)
{
    struct sim_billed bill = {.number = sim->number + 1};
    buffer_clear(&sim->scratch);
    int rc = sim_media_answer(exchange, kind, &bill, &sim->scratch);
    if (rc) {
        reply_scratch(sim, exchange, 400, rc == 400 ? 0 : rc);
        return;
    }
    sim->number++;
    sim->account.calls++;
    sim_account_put(&sim->account, &bill);
    bool text = kind == SIM_TRANSCRIPT && sim->scratch.data[0] != '{';
    reply_as(exchange, 200, text ? "text/plain; charset=utf-8" : "application/json",
             buffer_slice(&sim->scratch));
}

static void make_pictures(struct sim *sim, struct exchange *exchange)
{
    answer_media(sim, exchange, SIM_PICTURES);
}

static void transcribe(struct sim *sim, struct exchange *exchange)
{
    answer_media(sim, exchange, SIM_TRANSCRIPT);
}

static void make_video(struct sim *sim, struct exchange *exchange)
{
    answer_media(sim, exchange, SIM_VIDEO);
}

static void moderate(struct sim *sim, struct exchange *exchange)
{
    answer_media(sim, exchange, SIM_MODERATION);
}

static void send_bytes(struct exchange *exchange, const char *type, int64_t len)
{
    static const char silence[4096];
    const struct exchange_header header = {"Content-Type", slice_of(type)};
    exchange->ops->start(exchange, 200, &header, 1);
    for (; len > 0; len -= (int64_t)sizeof silence)
        (void)exchange->ops->write(
            exchange, (struct slice){silence, (size_t)min_i64(len, (int64_t)sizeof silence)});
    exchange->ops->finish(exchange);
}

static void speak(struct sim *sim, struct exchange *exchange)
{
    struct sim_billed bill = {.number = sim->number + 1};
    int64_t len = sim_media_speak(exchange, &bill);
    if (len < 0) {
        struct sim_fault fault = {"input", "It takes a model, and a text of 1 to 4096 characters."};
        reply_error(sim, exchange, 400, &fault);
        return;
    }
    sim->number++;
    sim->account.calls++;
    sim_account_put(&sim->account, &bill);
    send_bytes(exchange, "audio/mpeg", len);
}

/* "/videos/{id}", "/videos/{id}/content". False: it is no job's. */
static bool answer_job(struct sim *sim, struct exchange *exchange, struct slice path)
{
    struct slice begin = SLICE_LITERAL("/videos/"), content = SLICE_LITERAL("/content");
    enum { VIDEO_BYTES = 65536 };
    if (!slice_starts(path, begin))
        return false;
    struct slice id = slice_from(path, begin.len);
    bool whole = id.len > content.len && slice_equal(slice_from(id, id.len - content.len), content);
    id.len -= whole ? content.len : 0;
    buffer_clear(&sim->scratch);
    if (sim_media_job(id, &sim->scratch))
        return false;
    if (whole)
        send_bytes(exchange, "video/mp4", VIDEO_BYTES);
    else
        reply_json(exchange, 200, buffer_slice(&sim->scratch));
    return true;
}

/* ---- Routes ---------------------------------------------------------------------------------- */

static void list_models(struct sim *sim, struct exchange *exchange)
{
    (void)sim;
#define MODEL(name)                                                                                \
    "{\"id\":\"" name "\",\"object\":\"model\",\"created\":1763683200,\"owned_by\":\"mete-sim\"}"
    reply_json(exchange, 200,
               SLICE_LITERAL("{\"object\":\"list\",\"data\":[" MODEL("gpt-4o-mini") "," MODEL(
                   "gpt-4o") "," MODEL("gpt-4.1-mini") "," MODEL("gpt-5-mini") "]}"));
#undef MODEL
}

static void show_billed(struct sim *sim, struct exchange *exchange)
{
    buffer_clear(&sim->scratch);
    int rc = sim_account_json(&sim->account, &sim->scratch);
    reply_scratch(sim, exchange, 200, rc);
}

/* Calls under way are billed to the new account. */
static void reset(struct sim *sim, struct exchange *exchange)
{
    sim_account_reset(&sim->account);
    reply_json(exchange, 200, SLICE_LITERAL("{}"));
}

static const struct {
    const char *method, *path;
    void (*answer)(struct sim *sim, struct exchange *exchange);
} routes[] = {
    {"POST", "/chat/completions", begin_chat},
    {"POST", "/images/generations", make_pictures},
    {"POST", "/audio/speech", speak},
    {"POST", "/audio/transcriptions", transcribe},
    {"POST", "/videos", make_video},
    {"POST", "/moderations", moderate},
    {"GET", "/models", list_models},
    {"GET", "/sim/billed", show_billed},
    {"POST", "/sim/reset", reset},
};

static void begin(void *self, struct exchange *exchange)
{
    struct sim *sim = self;
    struct slice path = exchange->path;
    bool known = false;
    exchange->state = NULL;
    if (slice_starts(path, SLICE_LITERAL("/v1/")))
        path = slice_from(path, 3);
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (!slice_is(path, routes[i].path))
            continue;
        known = true;
        if (slice_is(exchange->method, routes[i].method)) {
            routes[i].answer(sim, exchange);
            return;
        }
    }
    if (!known && answer_job(sim, exchange, path))
        return;
    struct sim_fault fault = {.message = "The simulator has no such route."};
    if (known)
        fault = (struct sim_fault){.message = "The route does not take this method."};
    reply_error(sim, exchange, known ? 405 : 404, &fault);
}

/* A provider that is left stops, and bills what it made. */
static void gone(void *self, struct exchange *exchange)
{
    struct call *call = exchange->state;
    (void)self;
    if (!call)
        return;
    bool streaming = call->streaming;
    close_call(call, false);
    if (streaming)
        exchange->ops->finish(exchange);
    else
        exchange->ops->reply(exchange, 499, NULL, 0, (struct slice){0});
}

static void drained(void *self, struct exchange *exchange)
{
    struct call *call = exchange->state;
    (void)self;
    if (call && call->stalled)
        go_on(call);
}

struct exchange_handler sim_handler(struct sim *sim)
{
    return (struct exchange_handler){sim, begin, gone, drained};
}

/* ---- The simulator --------------------------------------------------------------------------- */

int sim_new(const struct sim_config *config, struct timers *timers, struct sim **ret_sim)
{
    if (config->latency_us < 0 || config->latency_us > LIMIT_SIM_LATENCY_MS * INT64_C(1000) ||
        config->tokens_per_second < 0 || config->failure_ppm > PPM || config->cut_ppm > PPM ||
        config->output_tokens < 1 || config->output_tokens > LIMIT_SIM_TOKENS)
        return METE_E_INVALID;
    struct sim *sim = calloc(1, sizeof *sim);
    if (!sim)
        return METE_E_MEMORY;
    sim->config = *config;
    sim->timers = timers;
    buffer_init(&sim->scratch, SCRATCH_MAX);
    int rc = sim_account_init(&sim->account);
    if (rc) {
        free(sim);
        return rc;
    }
    *ret_sim = sim;
    return 0;
}

void sim_free(struct sim *sim)
{
    if (!sim)
        return;
    ASSERT(sim->open == 0);
    sim_account_done(&sim->account);
    buffer_done(&sim->scratch);
    free(sim);
}
