/* SPDX-License-Identifier: Apache-2.0
 * What a call's input comes to in tokens, before it is sent: the body counted by the rule of the
 * model (prompts/rules.h), of each of those who may be asked. The largest of the counts bounds the
 * input wherever it is less than the bytes do; where nothing can be counted the bytes still do.
 *
 * AT ONCE    text of which a few kilobytes are new to the memo, where it stands: to wake somebody
 *   costs two threads as much.
 * SHARED     up to LIMIT_COUNTED_HERE bytes of new text, half a millisecond:
 *   by whoever has time, the loop itself if it has nothing else to do, else a counter
 *   (net/workers.h). The call waits.
 * ELSEWHERE  with more than that, or a body over LIMIT_SCANNED_HERE, a worker has it, and the call
 *   waits: nothing is set aside for it yet, so a client that leaves, or the way down, ends it when
 *   the worker is done, or has not begun. What was counted here already is counted there again,
 *   but for what the memo knows. */
#include "gateway/call.h"

#include "base/assert.h"
#include "base/checked.h"
#include "prompts/prompt.h"

#include <stddef.h>
#include <stdlib.h>

enum { COUNTS_MAX = 3 }; /* different ways to count one call: more is not worth the time */
enum { AT_ONCE = 4096 }; /* bytes of new text: some 16 us */

struct way {
    const struct prompt_rule *rule;
    const struct encoding *encoding;
};

struct counting {
    const struct dialect *format;
    struct slice body;
    struct way ways[COUNTS_MAX];
    size_t len;
    struct memo *memo; /* NULL: none */
    int64_t left;      /* bytes of text that may be counted */
    bool spent;        /* there was more than that */
    int64_t most;      /* tokens */
    bool beyond;
};

/* By the model's name there; where that is one of its users' own, by the name it was asked for. */
static struct way way_of(const struct call *call, struct slice model)
{
    struct slice asked = {call->request.model, call->request.model_len};
    struct model_way way = model_way_of(&call->gateway->ways, model);
    if (!way.rule->bounded && !way.rule->beyond)
        way = model_way_of(&call->gateway->ways, asked);
    return (struct way){way.rule, way.encoding};
}

static bool is_among(const struct way *ways, size_t len, struct way way)
{
    for (size_t i = 0; i < len; i++)
        if (ways[i].rule == way.rule && ways[i].encoding == way.encoding)
            return true;
    return false;
}

/* False: the bytes are what is known. */
static bool find_ways(const struct call *call, struct counting *ret_counting)
{
    const struct candidates *all = &call->asking->candidates;
    *ret_counting = (struct counting){.format = call->format, .body = call->exchange->body};
    if (!call->gateway->config->count_tokens || !call->format->count_input)
        return false;
    for (size_t i = 0; i < all->len; i++) {
        /* Of a local model nobody sees what its maker put before the prompt. */
        if (!all->list[i].spoken->count_input)
            return false;
        struct way way = way_of(call, all->list[i].model);
        if (is_among(ret_counting->ways, ret_counting->len, way))
            continue;
        if (ret_counting->len == COUNTS_MAX)
            return false;
        ret_counting->ways[ret_counting->len++] = way;
    }
    return true;
}

/* ---- Counting -------------------------------------------------------------------------------- */

/* No tokenizer, no memory, or a body that is not as it should be: no bound. */
static void count(struct counting *counting, struct way way, struct tokenizer *tokenizer)
{
    struct prompt_figures figures = {.bound = PROMPT_UNBOUNDED};
    struct prompt prompt;
    if (tokenizer) {
        prompt_begin(&prompt, way.rule, tokenizer);
        prompt.left = way.rule->bounded ? counting->left : 0;
        prompt.memo = counting->memo;
        if (counting->format->count_input(counting->body, &prompt) || prompt_end(&prompt, &figures))
            figures = (struct prompt_figures){.bound = PROMPT_UNBOUNDED};
        if (way.rule->bounded) {
            counting->left = prompt.left;
            counting->spent = counting->spent || prompt.spent;
        }
    }
    counting->most = max_i64(counting->most, figures.bound);
    counting->beyond = counting->beyond || figures.beyond;
}

static void take_bound(struct call *call, const struct counting *counting)
{
    call->request.input_bound = counting->beyond
                                    ? max_i64(call->request.input_bound, LIMIT_CONTEXT_TOKENS)
                                    : min_i64(call->request.input_bound, counting->most);
}

/* Made when it is first wanted. NULL: no memory, which costs nothing but time. */
static struct memo *memo_of(struct gateway *gateway)
{
    if (!gateway->memo && memo_new(&gateway->memo))
        return NULL;
    return gateway->memo;
}

static bool is_alone(const struct gateway *gateway)
{
    return !gateway->parts.workers;
}

static void begin_count(struct counting *counting, int64_t bytes)
{
    counting->left = bytes;
    counting->spent = counting->beyond = false;
    counting->most = 0;
}

/* On any thread. spent: more than so many bytes of it are new. */
static void count_new(struct gateway *gateway, struct counting *counting, unsigned thread,
                      int64_t bytes)
{
    ASSERT(thread <= LIMIT_COUNTERS);
    begin_count(counting, bytes);
    for (size_t i = 0; i < counting->len && !counting->spent; i++) {
        struct way way = counting->ways[i];
        count(counting, way, tokenizers_of(&gateway->tokenizers[thread], way.encoding));
    }
}

/* ---- On another thread ----------------------------------------------------------------------- */

struct elsewhere {
    struct work work;
    struct call *call;
    struct gateway *gateway;
    struct counting counting;
    int error;
};

#define ELSEWHERE_OF(pointer)                                                                      \
    ((struct elsewhere *)(void *)((char *)(pointer)-offsetof(struct elsewhere, work)))

/* SHARED. Of the call's nothing is touched but the body, which is its exchange's until that is
 * over; nor by the next. */
static void run_shared(struct work *work)
{
    struct elsewhere *elsewhere = ELSEWHERE_OF(work);
    count_new(elsewhere->gateway, &elsewhere->counting, work->thread, LIMIT_COUNTED_HERE);
}

/* ELSEWHERE: to its end, whatever its length. */
static void run_whole(struct work *work)
{
    struct elsewhere *elsewhere = ELSEWHERE_OF(work);
    struct counting *counting = &elsewhere->counting;
    begin_count(counting, INT64_MAX);
    for (size_t i = 0; i < counting->len && !elsewhere->error; i++) {
        struct tokenizer *tokenizer;
        struct way way = counting->ways[i];
        if (atomic_load(&elsewhere->gateway->stopping))
            elsewhere->error = METE_E_BUSY;
        else
            elsewhere->error =
                tokenizer_pool_take(elsewhere->gateway->pool, way.encoding, &tokenizer);
        if (elsewhere->error)
            return;
        count(counting, way, tokenizer);
        tokenizer_pool_give(elsewhere->gateway->pool, tokenizer);
    }
}

static void done(struct work *work);

/* MEMORY; BUSY: too many wait. */
static int hand_over(struct call *call, const struct counting *counting, struct workers *to,
                     void (*run)(struct work *work))
{
    struct elsewhere *elsewhere = malloc(sizeof *elsewhere);
    if (!elsewhere)
        return METE_E_MEMORY;
    *elsewhere = (struct elsewhere){.work = {.run = run, .done = done},
                                    .call = call,
                                    .gateway = call->gateway,
                                    .counting = *counting};
    call->state = CALL_COUNTING;
    if (to->submit(to, &elsewhere->work))
        return 0;
    free(elsewhere);
    call->state = CALL_READING;
    return METE_E_BUSY;
}

static void fail(struct call *call, int error)
{
    call_reply_failure(call, error == METE_E_MEMORY ? &call_no_memory : &call_busy);
}

static void count_whole(struct call *call, const struct counting *counting)
{
    int error = hand_over(call, counting, call->gateway->parts.workers, run_whole);
    if (error)
        fail(call, error);
}

static void take_count(struct call *call, const struct counting *counting)
{
    if (counting->spent) {
        count_whole(call, counting);
        return;
    }
    take_bound(call, counting);
    call_counted(call);
}

static void done(struct work *work)
{
    struct elsewhere *elsewhere = ELSEWHERE_OF(work);
    struct call *call = elsewhere->call;
    struct counting counting = elsewhere->counting;
    int error = elsewhere->error;
    ASSERT(call->state == CALL_COUNTING);
    call->state = CALL_READING;
    free(elsewhere);
    if (call->gone)
        call_reply_failure(call, &call_left);
    else if (error)
        fail(call, error);
    else
        take_count(call, &counting);
}

void call_count_input(struct call *call)
{
    struct gateway *gateway = call->gateway;
    struct counting counting;
    if (!find_ways(call, &counting)) {
        call_counted(call);
        return;
    }
    counting.memo = memo_of(gateway);
    if (!is_alone(gateway) && counting.body.len > LIMIT_SCANNED_HERE) {
        count_whole(call, &counting);
        return;
    }
    bool shared = gateway->parts.counters != NULL;
    int64_t here = is_alone(gateway) ? INT64_MAX : LIMIT_COUNTED_HERE;
    count_new(gateway, &counting, 0, shared ? AT_ONCE : here);
    if (shared && counting.spent) {
        if (!hand_over(call, &counting, gateway->parts.counters, run_shared))
            return;
        count_new(gateway, &counting, 0, here);
    }
    take_count(call, &counting);
}
