/* SPDX-License-Identifier: Apache-2.0
 * What it costs to count tokens, in one thread (src/tokens).
 *
 *   tokens_bench [-e ENCODING] [-r ROUNDS] [-w ROW] FILE...
 *
 * A FILE, of two megabytes or so, is cut in two at a line in its middle: the first half is the text
 * that is measured, the second one "other text of the same kind". For each FILE it prints lines of
 * JSON, one a row (or ROW alone), each the best of ROUNDS (default 9):
 *
 *   {"file": "english.txt", "encoding": "o200k_base", "row": "first", "bytes": 1048576,
 *    "tokens": 237012, "mb_s": 123.4, "cycles_byte": 30.1}
 *
 *   first        a tokenizer that has seen nothing counts the text
 *   after        one that has counted the other text
 *   again        one that has counted this text
 *   prompt       10 KB of it that were counted before; also "us", of one
 *   stream       whole-buffer and then incremental counting in pieces of 8 bytes of the same
 *   stream8      16 KB, in a tokenizer that has seen nothing; mb_s of each
 *   fed          all of it, incrementally in pieces of 4 KB, in such a tokenizer
 *   short        strings of 16 bytes, a thousand neighbours, counted before; also "ns", of one
 *   encode       ids instead of a count, in a tokenizer that has seen nothing
 *
 * MB are 10^6 bytes; cycles are the core's, its clock being measured by a chain of additions. */
#include "base/assert.h"
#include "tokens/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    PROMPT = 10240,
    STREAM = 16384,
    STREAM_PIECE = 8,
    FED_PIECE = 4096,
    SHORT = 16,
    SHORTS = 1000
};

static const struct encoding *encoding;

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Additions that wait for each other take a cycle each. */
static double clock_hz(void)
{
    enum { ADDITIONS = 20000000 };
    double best = 0;
    for (int round = 0; round < 5; round++) {
        double from = seconds();
        for (uint64_t i = 0, sum = 0; i < ADDITIONS; i += 4) {
            for (int k = 0; k < 4; k++) {
                sum += i;
                __asm__ volatile("" : "+r"(sum));
            }
        }
        double took = seconds() - from;
        best = best == 0 || took < best ? took : best;
    }
    return ADDITIONS / best;
}

static struct slice read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) {
        perror(path);
        exit(1);
    }
    size_t len = (size_t)ftell(file);
    char *bytes = malloc(len + 1);
    rewind(file);
    ASSERT(bytes && fread(bytes, 1, len, file) == len);
    fclose(file);
    return (struct slice){bytes, len};
}

static struct tokenizer *fresh(void)
{
    struct tokenizer *tokenizer;
    int status = tokenizer_open(encoding, &tokenizer);
    ASSERT(status == 0);
    return tokenizer;
}

static int64_t count(struct tokenizer *tokenizer, struct slice text)
{
    int64_t tokens = 0;
    int status = tokenizer_count(tokenizer, text, &tokens);
    ASSERT(status == 0);
    return tokens;
}

/* One way to go through a text: `before` is not measured. */
struct way {
    const char *row;
    void (*before)(struct tokenizer *tokenizer, struct slice text, struct slice other);
    int64_t (*pass)(struct tokenizer *tokenizer, struct slice text);
    size_t most;      /* bytes of the text; 0: all */
    size_t times;     /* passes that are measured together; 0: one */
    const char *unit; /* and what one pass, or one of its `each`, takes; NULL: not told */
    double per_second, each;
};

static void see_other(struct tokenizer *tokenizer, struct slice text, struct slice other)
{
    (void)text;
    count(tokenizer, other);
}

static void see_text(struct tokenizer *tokenizer, struct slice text, struct slice other)
{
    (void)other;
    count(tokenizer, text);
}

static int64_t feed(struct tokenizer *tokenizer, struct slice text, size_t piece)
{
    struct counter counter = {0};
    for (size_t at = 0; at < text.len; at += piece) {
        size_t len = text.len - at < piece ? text.len - at : piece;
        int status = counter_feed(&counter, tokenizer, slice_part(text, at, len));
        ASSERT(status == 0);
    }
    int64_t tokens = counter_total(&counter);
    counter_done(&counter);
    return tokens;
}

static int64_t stream(struct tokenizer *tokenizer, struct slice text)
{
    return feed(tokenizer, text, STREAM_PIECE);
}

static int64_t fed(struct tokenizer *tokenizer, struct slice text)
{
    return feed(tokenizer, text, FED_PIECE);
}

static int64_t shorts(struct tokenizer *tokenizer, struct slice text)
{
    int64_t tokens = 0;
    for (size_t at = 0; at + SHORT <= text.len; at += SHORT)
        tokens += count(tokenizer, slice_part(text, at, SHORT));
    return tokens;
}

static void see_shorts(struct tokenizer *tokenizer, struct slice text, struct slice other)
{
    (void)other;
    shorts(tokenizer, text);
}

static int64_t encode(struct tokenizer *tokenizer, struct slice text)
{
    struct buffer out;
    buffer_init(&out, 4 * text.len);
    int status = tokenizer_encode(tokenizer, text, false, &out);
    ASSERT(status == 0);
    int64_t tokens = (int64_t)(out.len / sizeof(uint32_t));
    buffer_done(&out);
    return tokens;
}

static const struct way ways[] = {
    {.row = "first", .pass = count},
    {.row = "after", .pass = count, .before = see_other},
    {.row = "again", .pass = count, .before = see_text},
    {"prompt", see_text, count, PROMPT, 50, "us", 1e6, 1},
    {.row = "stream", .pass = count, .most = STREAM},
    {.row = "stream8", .pass = stream, .most = STREAM},
    {.row = "fed", .pass = fed},
    {"short", see_shorts, shorts, (size_t)SHORT *SHORTS, 20, "ns", 1e9, SHORTS},
    {.row = "encode", .pass = encode},
};

static double run(const struct way *way, struct slice text, struct slice other, int64_t *ret_tokens)
{
    struct tokenizer *tokenizer = fresh();
    size_t times = way->times ? way->times : 1;
    if (way->before)
        way->before(tokenizer, text, other);
    double from = seconds();
    for (size_t i = 0; i < times; i++)
        *ret_tokens = way->pass(tokenizer, text);
    double took = (seconds() - from) / (double)times;
    tokenizer_close(tokenizer);
    return took;
}

static void measure(const char *path, int rounds, const char *only, double hz)
{
    struct slice whole = read_file(path);
    size_t middle = whole.len / 2;
    while (middle < whole.len && whole.data[middle] != '\n')
        middle++;
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct slice text = slice_part(whole, 0, middle), other = slice_from(whole, middle);
        int64_t tokens = 0;
        double best = 0;
        if (only && strcmp(only, ways[i].row) != 0)
            continue;
        if (ways[i].most && text.len > ways[i].most)
            text.len = ways[i].most;
        for (int round = 0; round < rounds; round++) {
            double took = run(&ways[i], text, other, &tokens);
            best = round == 0 || took < best ? took : best;
        }
        printf("{\"file\": \"%s\", \"encoding\": \"%s\", \"row\": \"%s\", \"bytes\": %zu, "
               "\"tokens\": %lld, \"mb_s\": %.1f, \"cycles_byte\": %.2f",
               name, encoding->name, ways[i].row, text.len, (long long)tokens,
               (double)text.len / best / 1e6, best * hz / (double)text.len);
        if (ways[i].unit)
            printf(", \"%s\": %.2f", ways[i].unit, best * ways[i].per_second / ways[i].each);
        printf("}\n");
        fflush(stdout);
    }
    free((char *)(uintptr_t)whole.data);
}

int main(int argc, char **argv)
{
    const char *name = "o200k_base", *only = NULL;
    int rounds = 9, option;
    while ((option = getopt(argc, argv, "e:r:w:")) != -1) {
        if (option == 'e')
            name = optarg;
        else if (option == 'r')
            rounds = (int)strtol(optarg, NULL, 10);
        else if (option == 'w')
            only = optarg;
        else
            return 2;
    }
    encoding = encoding_find(slice_of(name));
    if (!encoding || rounds < 1 || optind == argc) {
        fprintf(stderr, "usage: tokens_bench [-e ENCODING] [-r ROUNDS] [-w ROW] FILE...\n");
        return 2;
    }
    double hz = clock_hz();
    for (int i = optind; i < argc; i++)
        measure(argv[i], rounds, only, hz);
    return 0;
}
