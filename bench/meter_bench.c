/* SPDX-License-Identifier: Apache-2.0
 * What it costs to meter one event of a stream (gateway/stream.h): framing, reading, deciding and
 * handing on, client and provider of one format.
 *
 *   meter_bench [EVENTS] [ROW]
 *
 * A row is a format and how its events arrive: as one big piece after the other, or each in a
 * piece of its own; and whether its tokens are counted (o200k_base). The events look as the
 * provider named sends them; ROW runs one alone, for a profiler. */
#include "base/assert.h"
#include "gateway/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { STREAM_EVENTS = 100, ROOM = 65536, PIECE = 16384, SLICES = 16, EVENT_MAX = 1048576 };

#define CHAT_HEAD                                                                                  \
    "data: {\"id\":\"chatcmpl-AV9hB9He94oQyZr1CDC8coqvmn5Ua\",\"object\":"                         \
    "\"chat.completion.chunk\",\"created\":1731456253,\"model\":\"gpt-4o-mini-2024-07-18\","
#define FILTER "{\"filtered\":false,\"severity\":\"safe\"}"
#define ITEM "msg_052003e5c7cd2fe10069e2f400ec70819f90c4df2a4b73f05c"

struct row {
    const char *name;
    const struct dialect *(*format)(void);
    const char *begin;  /* events before those that are counted */
    const char *before; /* a counted event up to its word, and from behind it */
    const char *after;
};

static const struct row rows[] = {
    {"chat", dialect_chat, "",
     CHAT_HEAD "\"system_fingerprint\":\"fp_0ba0d124f1\",\"choices\":[{\"index\":0,\"delta\":"
               "{\"content\":\"",
     "\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n"},
    {"chat, short", dialect_chat, "",
     "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
     "\"model\":\"bench-model\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"",
     "\"},\"finish_reason\":null}]}\n\n"},
    {"chat, Azure", dialect_chat, "",
     "data: {\"choices\":[{\"content_filter_results\":{\"hate\":" FILTER ",\"self_harm\":" FILTER
     ",\"sexual\":" FILTER ",\"violence\":" FILTER "},\"delta\":{\"content\":\"",
     "\"},\"finish_reason\":null,\"index\":0,\"logprobs\":null}],\"created\":1714036975,\"id\":"
     "\"chatcmpl-9HpbbsSaH8U6amSDAwdA2WzMeDdLB\",\"model\":\"gpt-35-turbo\",\"object\":"
     "\"chat.completion.chunk\",\"system_fingerprint\":null}\n\n"},
    {"messages", dialect_messages,
     "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":"
     "\"claude-sonnet-4-20250514\",\"id\":\"msg_015\",\"type\":\"message\",\"role\":\"assistant\","
     "\"content\":[],\"usage\":{\"input_tokens\":19,\"output_tokens\":1}}}\n\n"
     "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
     "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
     "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
     "{\"type\":\"text_delta\",\"text\":\"",
     "\"}    }\n\n"},
    {"responses", dialect_responses,
     "event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"item\":"
     "{\"id\":\"" ITEM "\",\"type\":\"message\",\"status\":\"in_progress\",\"content\":[],"
     "\"role\":\"assistant\"},\"output_index\":0,\"sequence_number\":2}\n\n",
     "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\","
     "\"content_index\":0,\"delta\":\"",
     "\",\"item_id\":\"" ITEM "\",\"logprobs\":[],\"obfuscation\":\"hmEwhe4L8nm4\","
     "\"output_index\":0,\"sequence_number\":5}\n\n"},
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void feed(struct stream *stream, struct slice bytes)
{
    int rc = stream_feed(stream, bytes);
    ASSERT(rc == 0);
    buffer_relax(&stream->out, STREAM_IDLE_ROOM);
}

/* How a row is played. */
struct way {
    bool apart;                  /* each event in a piece of its own */
    struct tokenizer *tokenizer; /* NULL: not counted */
};

static void begin(struct stream *stream, const struct row *row, const struct way *way)
{
    const struct dialect *format = row->format();
    const struct stream_formats formats = {format, format, FRAMES_SSE, false};
    ASSERT(!stream_init(stream, &formats, EVENT_MAX));
    stream_count_with(stream, way->tokenizer);
    feed(stream, slice_of(row->begin));
}

/* One stream's counted events, as they come: ends[i] is behind the i-th. */
static struct slice write_events(const struct row *row, char room[ROOM], size_t ends[STREAM_EVENTS])
{
    static const char *const words[] = {" the", " unable", " to", ", and\\n", " weather"};
    size_t len = 0;
    for (size_t i = 0; i < STREAM_EVENTS; i++) {
        int put = snprintf(room + len, ROOM - len, "%s%s%s", row->before, words[i % 5], row->after);
        ASSERT(put > 0 && (size_t)put < ROOM - len);
        len += (size_t)put;
        ends[i] = len;
    }
    return (struct slice){room, len};
}

static void play(const struct row *row, struct slice events, const size_t ends[STREAM_EVENTS],
                 const struct way *way)
{
    struct stream stream;
    begin(&stream, row, way);
    size_t from = 0;
    for (size_t i = 0; way->apart && i < STREAM_EVENTS; from = ends[i++])
        feed(&stream, slice_part(events, from, ends[i] - from));
    for (; from < events.len; from += PIECE)
        feed(&stream,
             slice_part(events, from, events.len - from < PIECE ? events.len - from : PIECE));
    ASSERT(stream.output_events == STREAM_EVENTS);
    ASSERT(!way->tokenizer == (stream_tokens(&stream) < 0));
    stream_done(&stream);
}

/* In SLICES parts: all of them together, and the fastest. */
static void run(const struct row *row, size_t count, const struct way *way)
{
    static char room[ROOM];
    size_t ends[STREAM_EVENTS], streams = count / STREAM_EVENTS / SLICES + 1;
    struct slice events = write_events(row, room, ends);
    double best = 0, all = 0;
    for (int slice = 0; slice < SLICES; slice++) {
        double from = seconds();
        for (size_t i = 0; i < streams; i++)
            play(row, events, ends, way);
        double took = seconds() - from;
        all += took;
        best = slice == 0 || took < best ? took : best;
    }
    double each = 1e9 / (double)(streams * STREAM_EVENTS);
    printf("%-12s %4zu bytes %-14s %-8s %6.0f ns an event, best %6.0f\n", row->name,
           events.len / STREAM_EVENTS, way->apart ? "one at a time" : "in big pieces",
           way->tokenizer ? "counted" : "", all * each / SLICES, best * each);
}

int main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000000;
    struct tokenizer *tokenizer = NULL;
    ASSERT(!tokenizer_open(encoding_find(SLICE_LITERAL("o200k_base")), &tokenizer));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (argc > 2 && strcmp(argv[2], rows[i].name) != 0)
            continue;
        for (int way = 0; way < 4; way++) {
            bool counted = way & 2;
            if (counted && rows[i].format == dialect_messages)
                continue; /* its texts are not told: no model of it has a public encoding */
            run(&rows[i], count, &(struct way){way & 1, counted ? tokenizer : NULL});
        }
    }
    tokenizer_close(tokenizer);
    return 0;
}
