/* SPDX-License-Identifier: Apache-2.0
 * Random calls against a provider that answers at random, in random pieces, is cut anywhere, whose
 * clients leave anywhere, several at once. Whatever happens:
 *   - every call ends once, and its reservation by one commit or one release; nothing stays held
 *   - usage that was reported to the end is charged to the nano; anything else is charged no less
 *     than the provider has billed for what it had said (of a model that reasons: may have, that
 *     is, all it was granted) or told on the way, and no more than was reserved or told
 *   - of a model whose encoding is public, what is set aside is its input's count, and what ended
 *     well without usage is charged the count of what was said, to the token
 *   - committed is the sum of what the calls were told, and within the limit unless a provider used
 *     more than it was granted
 *   - a stream's client gets the provider's whole events in order, and well-formed ones at that:
 *     less the usage nobody asked for, plus the cost, plus an error event after a break; and once
 *     its tokens passed what was granted, a beginning of them, with no more tokens than were paid
 */
#include "base/assert.h"
#include "base/limits.h"
#include "property/model_gateway.h"
#include "property/tape.h"
#include "tokens/tokenizer.h"

#include <stdio.h>

enum { CALLS_MAX = 6, TEXT_MAX = 16384, SAID_MAX = 512 };
enum { COUNTED_INPUT = 8 }; /* "hi" in a message of four, in a request of three */
enum { INPUT = 1000, OUTPUT = 2000 };

enum reported { ABSENT, GOOD, NEGATIVE };

struct script {
    struct client *client;
    bool stream, wants;
    bool counted; /* its model's encoding is public */
    char body[320];
    char text[TEXT_MAX]; /* what the provider will say */
    size_t len, at;
    struct buffer expected; /* what a client should have seen of the part that was said */
    size_t event_ends[64], event_starts[64];
    bool event_hidden[64], event_final[64];
    char said[SAID_MAX];
    size_t said_len;
    size_t event_said[64];  /* bytes that were said up to its end */
    int64_t event_told[64]; /* output that it tells; -1: none */
    size_t events;
    int status;
    enum reported reported;
    struct pricing_usage usage;
    int64_t hold;
    bool over, headed, whole, left_early;
};

struct world {
    struct bench bench;
    struct script scripts[CALLS_MAX];
    size_t len;
    bool overrun;
};

static struct tokenizer *tokenizer;

/* Of what was said up to there: tokens are bytes where they are not counted. */
static int64_t tokens_of(const struct script *s, size_t len)
{
    int64_t tokens = (int64_t)len;
    if (s->counted)
        ASSERT(!tokenizer_count(tokenizer, (struct slice){s->said, len}, &tokens));
    return tokens;
}

static int64_t input_bound(const struct script *s)
{
    return s->counted ? COUNTED_INPUT : (int64_t)strlen(s->body) + LIMIT_TEMPLATE_TOKENS;
}

static int64_t granted_first(const struct script *s)
{
    return (s->hold - input_bound(s) * INPUT) / OUTPUT;
}

static int64_t price(const struct world *world, const struct pricing_usage *usage)
{
    int64_t nano = 0;
    const struct price_model *model =
        pricing_find(world->bench.pricing, SLICE_LITERAL("bench-model"));
    ASSERT(model && !pricing_charge(model, usage, &nano));
    return nano;
}

/* ---- Writing what the provider will say ------------------------------------------------------ */

static void say(struct script *s, const char *event, bool hidden, bool final)
{
    size_t len = strlen(event);
    if (s->events == 64 || s->len + len > TEXT_MAX)
        return;
    memcpy(s->text + s->len, event, len);
    s->event_starts[s->events] = s->len;
    s->len += len;
    s->event_ends[s->events] = s->len;
    s->event_said[s->events] = s->said_len;
    s->event_told[s->events] = -1;
    s->event_hidden[s->events] = hidden;
    s->event_final[s->events++] = final;
}

static void usage_text(const struct script *s, char room[160])
{
    if (s->reported == NEGATIVE)
        snprintf(room, 160, "{\"prompt_tokens\":-1,\"completion_tokens\":3}");
    else
        snprintf(room, 160,
                 "{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,\"total_tokens\":%lld,"
                 "\"prompt_tokens_details\":{\"cached_tokens\":%lld}}",
                 (long long)s->usage.input, (long long)s->usage.output,
                 (long long)(s->usage.input + s->usage.output), (long long)s->usage.cached_input);
}

/* What it says next, and what its provider calls that. */
static struct slice more_said(struct tape *tape, struct script *s)
{
    static const char *const words[] = {" one", " two hundred", "ing",  "12345", "  ",
                                        "==",   "\xe4\xbd\xa0", " don", "'t",    "."};
    const char *word = words[tape_pick(tape, 10)];
    size_t len = s->counted ? strlen(word) : tape_pick(tape, 20);
    struct slice more = {s->counted ? word : "0123456789abcdefghij", len};
    if (s->counted && tape_chance(tape, 5))
        more.len = 0;
    if (s->said_len + more.len > SAID_MAX)
        more.len = 0;
    memcpy(s->said + s->said_len, more.data, more.len);
    s->said_len += more.len;
    return more;
}

/* Its usage, if it tells any, is cumulative. */
static void say_chunk(struct tape *tape, struct script *s, bool each)
{
    char event[512], usage[160];
    size_t events = s->events;
    struct slice more = s->events < 64 ? more_said(tape, s) : (struct slice){0};
    s->usage.output = tokens_of(s, s->said_len);
    usage_text(s, usage);
    snprintf(event, sizeof event,
             "data: {\"choices\":[{\"delta\":{\"content\":\"%.*s\"}}],\"usage\":%s}\n\n",
             (int)more.len, more.len ? more.data : "", each ? usage : "null");
    say(s, event, false, false);
    ASSERT(s->events > events);
    if (each)
        s->event_told[s->events - 1] = s->usage.output;
}

static void write_stream(struct tape *tape, struct script *s)
{
    char usage[160], event[512];
    size_t chunks = tape_pick(tape, s->counted ? 24 : 12);
    bool each = s->reported == GOOD && tape_chance(tape, 20);
    s->usage.output = 0;
    for (size_t i = 0; i < chunks; i++) {
        if (tape_chance(tape, 20))
            say(s, ": ping\n\n", false, false);
        say_chunk(tape, s, each && tape_chance(tape, 80));
    }
    s->usage.output +=
        tape_chance(tape, 5) ? 100000 /* far over its grant */ : tape_range(tape, 0, 9);
    usage_text(s, usage);
    bool in_chunk = tape_chance(tape, 30);
    if (s->reported != ABSENT && in_chunk)
        snprintf(event, sizeof event,
                 "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":%s}\n\n",
                 usage);
    else
        snprintf(event, sizeof event, "data: {\"choices\":[],\"usage\":%s}\n\n", usage);
    if (s->reported != ABSENT)
        say(s, event, !in_chunk && !s->wants && s->reported == GOOD, false);
    if (s->reported == GOOD)
        s->event_told[s->events - 1] = s->usage.output;
    bool done = !tape_chance(tape, 15);
    if (done)
        say(s, "data: [DONE]\n\n", false, true);
    if (done && tape_chance(tape, 10))
        say(s, "data: late\n\n", true, false);
}

static void write_plain(struct script *s)
{
    char usage[160];
    usage_text(s, usage);
    s->said_len = strlen("hello");
    memcpy(s->said, "hello", s->said_len);
    int len = snprintf(
        s->text, sizeof s->text, "{\"choices\":[{\"message\":{\"content\":\"hello\"}}]%s%s}",
        s->reported == ABSENT ? "" : ",\"usage\":", s->reported == ABSENT ? "" : usage);
    s->len = (size_t)len;
}

static void draw_script(struct tape *tape, struct script *s)
{
    static const int statuses[] = {200, 200, 200, 200, 200, 201, 400, 429, 500, 302};
    s->stream = tape_chance(tape, 60);
    s->wants = s->stream && tape_chance(tape, 50);
    s->status = statuses[tape_pick(tape, 10)];
    s->reported = tape_chance(tape, 70) ? GOOD : tape_chance(tape, 50) ? ABSENT : NEGATIVE;
    s->usage = (struct pricing_usage){.input = tape_range(tape, 0, 100),
                                      .output = tape_range(tape, 0, 50)};
    s->counted = tape_chance(tape, 50);
    if (s->counted)
        s->usage.input = COUNTED_INPUT;
    if (tape_chance(tape, 10))
        s->usage.input = 700; /* more than any bound here */
    s->usage.cached_input = tape_range(tape, 0, s->usage.input);
    if (s->stream && s->status < 300)
        write_stream(tape, s);
    else
        write_plain(s);
    char bound[48] = "";
    if (tape_chance(tape, 50))
        snprintf(bound, sizeof bound, ",\"max_tokens\":%d",
                 (int)(s->counted ? tape_range(tape, 1, 30) : tape_range(tape, 50, 900)));
    snprintf(s->body, sizeof s->body,
             "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]%s%s%s}",
             s->counted ? "gpt-4o" : "bench-model", bound, s->stream ? ",\"stream\":true" : "",
             s->wants ? ",\"stream_options\":{\"include_usage\":true}" : "");
}

/* ---- Playing it ------------------------------------------------------------------------------ */

static void begin_call(struct tape *tape, struct world *world)
{
    struct mete_budget_view before, after;
    struct script *s = &world->scripts[world->len++];
    buffer_init(&s->expected, 2 * TEXT_MAX);
    draw_script(tape, s);
    bench_budget(&world->bench, &before);
    s->client = bench_client(&world->bench, s->body);
    bench_begin(s->client);
    bench_budget(&world->bench, &after);
    s->hold = after.held - before.held;
    s->over = s->client->replies > 0;
    ASSERT(!s->over || s->client->status == 429); /* only a budget may have refused it */
    ASSERT(s->over || (s->hold - input_bound(s) * INPUT) % OUTPUT == 0);
}

/* Whether its model may make output that is not shown; gpt-4o is known not to. */
static bool hides(const struct world *world, const struct script *s)
{
    return world->bench.reasons && !s->counted;
}

/* The last event that the gateway has had whole. */
static size_t events_had(const struct script *s)
{
    size_t had = 0;
    while (had < s->events && s->event_ends[had] <= s->at)
        had++;
    return had;
}

static int64_t said_so_far(const struct script *s)
{
    size_t had = events_had(s);
    return had ? tokens_of(s, s->event_said[had - 1]) : 0;
}

/* What it had told of that; 0: nothing. */
static int64_t told_so_far(const struct world *world, const struct script *s)
{
    struct pricing_usage usage = s->usage;
    for (size_t i = events_had(s); i > 0; i--)
        if (s->event_told[i - 1] >= 0) {
            usage.output = s->event_told[i - 1];
            return price(world, &usage);
        }
    return 0;
}

/* What the provider has billed for what it had said: its input, as far as that is within what was
 * let through or was told, and its output (of who reasons, and has not told, any number), up to the
 * bound it was given. */
static int64_t billed_so_far(const struct world *world, const struct script *s, bool told)
{
    struct pricing_usage usage = s->usage;
    int64_t granted = granted_first(s);
    usage.output = min_i64(said_so_far(s), granted);
    if (!told_so_far(world, s))
        usage.input = min_i64(usage.input, input_bound(s));
    usage.cached_input = min_i64(usage.cached_input, usage.input);
    if (hides(world, s) && !told)
        usage.output = granted;
    return price(world, &usage);
}

/* It passed what was granted first, so that more may have been. */
static bool passed(const struct script *s)
{
    return said_so_far(s) > granted_first(s);
}

/* As much again is asked for each time; output that is not told comes on top of what is. */
static int64_t most(const struct world *world, const struct script *s)
{
    int64_t more = passed(s) ? 2 * said_so_far(s) * OUTPUT : 0, told = told_so_far(world, s);
    return s->hold + more + told;
}

static void check_counted(const struct world *world, const struct script *s, int64_t cost)
{
    bool good = s->headed && s->status < 300 && s->whole && s->reported != GOOD;
    if (!s->counted || !good || hides(world, s) || !s->said_len || passed(s))
        return;
    ASSERT(cost == COUNTED_INPUT * INPUT + tokens_of(s, s->said_len) * OUTPUT);
}

static void check_cost(const struct world *world, const struct script *s, int64_t cost)
{
    int64_t reported = price(world, &s->usage), told = told_so_far(world, s);
    if (s->headed && s->whole && s->reported == GOOD) {
        ASSERT(cost == reported);
    } else if (s->headed && s->status >= 300) {
        ASSERT(cost == 0 || cost == reported);
    } else {
        ASSERT(cost == reported || cost <= most(world, s));
        int64_t billed = billed_so_far(world, s, cost == reported);
        ASSERT(!s->headed || cost >= min_i64(s->hold, billed));
        ASSERT(!s->headed || cost >= told);
    }
    check_counted(world, s, cost);
}

static void finish(struct world *world, struct script *s, enum upstream_end end)
{
    bool unsent = end == UPSTREAM_NOT_SENT && !s->headed && !s->client->cancelled;
    s->whole = s->at == s->len && end == UPSTREAM_DONE && !s->client->cancelled;
    s->left_early = s->client->gone;
    bench_end(s->client, end);
    s->over = true;
    int64_t cost = world->bench.costs[s->client->exchange.id];
    check_cost(world, s, cost);
    ASSERT(!unsent || cost == 0);
    world->overrun =
        world->overrun ||
        (cost > s->hold && (cost == price(world, &s->usage) || told_so_far(world, s) > 0));
}

static void deliver(struct tape *tape, struct script *s)
{
    size_t len = (size_t)tape_range(tape, 1, 200);
    if (len > s->len - s->at)
        len = s->len - s->at;
    if (s->client->cancelled)
        return;
    bench_data(s->client, (struct slice){s->text + s->at, len});
    s->at += len;
}

static void step(struct tape *tape, struct world *world, struct script *s)
{
    static const enum upstream_end ends[] = {UPSTREAM_LOST, UPSTREAM_TIMEOUT, UPSTREAM_NOT_SENT};
    if (s->over)
        return;
    if (tape_chance(tape, 4))
        bench_gone(s->client);
    if (tape_chance(tape, 3)) {
        size_t end = tape_pick(tape, s->headed ? 2 : 3);
        finish(world, s, ends[end]);
    } else if (!s->headed) {
        s->headed = true;
        bench_head(s->client, s->status,
                   s->stream && s->status < 300 ? "text/event-stream; charset=utf-8"
                                                : "application/json");
    } else if (s->at < s->len && !s->client->cancelled) {
        s->client->queue = tape_chance(tape, 10) ? EXCHANGE_QUEUE_HIGH + 1 : 0;
        deliver(tape, s);
    } else {
        finish(world, s, UPSTREAM_DONE);
    }
}

/* ---- What the client saw --------------------------------------------------------------------- */

/* Takes the parts that mete put in out of text, and its line ends. */
static void without_ours(struct buffer *text)
{
    size_t len = 0;
    struct slice all = buffer_slice(text);
    for (size_t at = 0; at < all.len;) {
        struct slice rest = slice_from(all, at);
        bool comment = slice_starts(rest, SLICE_LITERAL(": mete-cost "));
        bool cost = slice_starts(rest, SLICE_LITERAL(",\"cost\":"));
        if (slice_starts(rest, SLICE_LITERAL("data: {\"error\"")))
            break;
        if (comment || cost) {
            at += cost ? 8 : 12;
            while (at < all.len &&
                   ((all.data[at] >= '0' && all.data[at] <= '9') || all.data[at] == '.'))
                at++;
            at += comment ? 2 : 0;
            continue;
        }
        text->data[len++] = text->data[at++];
    }
    text->len = len;
}

/* Of a stream that may have been cut: what it says is a beginning, of so many tokens at most, and
 * it ends. */
static void check_beginning(const struct world *world, const struct script *s)
{
    struct slice rest = buffer_slice(&s->client->got), key = SLICE_LITERAL("\"content\":\"");
    int64_t tokens = 0, cost = world->bench.costs[s->client->exchange.id];
    size_t said = 0;
    for (const char *at; (at = memmem(rest.data, rest.len, key.data, key.len));) {
        rest = slice_from(rest, (size_t)(at - rest.data) + key.len);
        size_t len = (size_t)((const char *)memchr(rest.data, '"', rest.len) - rest.data);
        ASSERT(said + len <= s->said_len && !memcmp(s->said + said, rest.data, len));
        said += len;
    }
    ASSERT(!tokenizer_count(tokenizer, (struct slice){s->said, said}, &tokens));
    ASSERT(COUNTED_INPUT * INPUT + tokens * OUTPUT <= cost || s->reported == GOOD);
    rest = buffer_slice(&s->client->got);
    bool done = memmem(rest.data, rest.len, "data: [DONE]", 12);
    bool ends = s->events && s->event_final[s->events - 1];
    ASSERT(done || !ends || memmem(rest.data, rest.len, "data: {\"error\"", 14) || !s->whole);
}

static void check_stream(const struct world *world, struct script *s)
{
    struct client *client = s->client;
    bool final = false;
    if (!client->started || s->left_early)
        return;
    ASSERT(!client->got.len || memcmp(client->got.data + client->got.len - 2, "\n\n", 2) == 0);
    if (s->counted && passed(s)) {
        check_beginning(world, s);
        return;
    }
    for (size_t i = 0; i < s->events && s->event_ends[i] <= s->at && !final; i++) {
        final = s->event_final[i];
        if (!s->event_hidden[i])
            ASSERT(!buffer_append(&s->expected,
                                  (struct slice){s->text + s->event_starts[i],
                                                 s->event_ends[i] - s->event_starts[i]}));
    }
    without_ours(&client->got);
    ASSERT(slice_equal(buffer_slice(&client->got), buffer_slice(&s->expected)));
}

static void check_books(struct world *world)
{
    struct mete_budget_view budget;
    struct mete_answer answer;
    struct mete_op op = {
        .kind = METE_OP_QUERY, .args.query = {.kind = METE_QUERY_STATS}, .result.answer = &answer};
    bench_budget(&world->bench, &budget);
    ASSERT(budget.committed == world->bench.cost_sum && budget.held == 0);
    ASSERT_INV("INV-01", budget.committed <= budget.limit || world->overrun);
    bench_do(&world->bench, &op);
    ASSERT(!op.status && answer.stats.drift == 0 && answer.stats.reservations_open == 0);
    ASSERT_INV("INV-03", answer.stats.reserves == answer.stats.commits + answer.stats.releases);
}

static int calls_end_once_and_are_charged_right(struct tape *tape)
{
    struct world *world = calloc(1, sizeof *world);
    ASSERT(world);
    const struct bench_setup setup = {.limit_nano =
                                          tape_chance(tape, 30) ? tape_range(tape, 1, 3000000) : 0,
                                      .cancel = tape_chance(tape, 40),
                                      .no_clamp = tape_chance(tape, 20),
                                      .reasons = tape_chance(tape, 30)};
    bench_open(&world->bench, &setup);
    size_t calls = 1 + tape_pick(tape, CALLS_MAX);
    for (size_t i = 0; i < calls; i++)
        begin_call(tape, world);
    for (int round = 0; round < 2000 && !tape_done(tape); round++)
        step(tape, world, &world->scripts[tape_pick(tape, calls)]);
    for (size_t i = 0; i < calls; i++) {
        struct script *s = &world->scripts[i];
        while (!s->over)
            step(tape, world, s);
        check_stream(world, s);
        buffer_done(&s->expected);
    }
    check_books(world);
    bench_close(&world->bench);
    free(world);
    return 0;
}

int main(void)
{
    ASSERT(!tokenizer_open(encoding_find(SLICE_LITERAL("o200k_base")), &tokenizer));
    int failed = tape_run("calls_end_once_and_are_charged_right",
                          calls_end_once_and_are_charged_right, 150, 600);
    tokenizer_close(tokenizer);
    return failed;
}
