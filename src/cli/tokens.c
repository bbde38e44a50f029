/* SPDX-License-Identifier: Apache-2.0
 * mete tokens - counts what files come to in a model's tokens, and gives their ids.
 *
 * What is only counted passes through the counter a stream of the gateway's has, so a file may be
 * of any size; ids, and special tokens, want the text whole (LIMIT_TOKENS_TEXT). --piece feeds the
 * counter as a stream would come, and tells its count after each piece. */
#include "cli/cli.h"
#include "cli/client_words.h"

#include "base/limits.h"
#include "codec/json_scan.h"
#include "mete.h"
#include "server/config.h"
#include "prompts/models.h"
#include "prompts/rules.h"
#include "tokens/tokenizer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: mete tokens -m MODEL [--ids] [--special] [--json] [FILE...]\n"
    "       mete tokens -e ENCODING [--ids] [--special] [--json] [FILE...]\n"
    "       mete tokens -m MODEL|-e ENCODING --piece N [--json] [FILE...]\n"
    "Counts the tokens of each file, or of standard input (also -), as the model does: a line "
    "each,\n"
    "and of several their total. A model whose tokenizer is not public is counted by o200k_base,\n"
    "with a note on standard error and \"exact\": false in JSON.\n"
    "  -m, --model MODEL        as a provider names it, gpt-4o for one\n"
    "  -e, --encoding ENCODING  one of o200k_base, o200k_harmony, cl100k_base, p50k_base, "
    "p50k_edit,\n"
    "                           r50k_base\n"
    "  --config FILE            knows the encodings that this configuration names, too\n"
    "  --ids      the ids of each file in place of the count, a line each\n"
    "  --special  special tokens such as <|endoftext|> are themselves; else they are text\n"
    "  --json     an array of {\"file\",\"tokens\",\"ids\"}\n"
    "  --piece N  counts as a stream of which N bytes come at a time; with --json {\"file\","
    "\"tokens\",\n"
    "             \"counts\"}: the count after each piece, and no ids\n"
    "Bytes that are not UTF-8 count as U+FFFD, as decoders on the web have it.\n"
    "Exit: 0 done, 2 usage, 3 a file could not be read.\n";

enum { READ = 1 << 20 };

struct tokens_options {
    const char *model, *encoding, *piece, *config;
    bool ids, special, json;
    const struct encoding *by;
    bool exact;
    size_t piece_len; /* 0: as they are read */
    char **files;     /* at the front of argv */
    size_t files_len;
};

/* One run of the command. */
struct tokens_run {
    const struct tokens_options *options;
    struct tokenizer *tokenizer;
    char *room;         /* READ bytes */
    struct buffer ids;  /* of one file, uint32_t each */
    struct buffer text; /* a file that is wanted whole */
    struct buffer name; /* of a file, as JSON */
    size_t printed;
    int64_t total;
    bool failed;
};

static int wrong(const char *why, const char *what)
{
    return client_words_wrong("tokens", usage, why, what);
}

/* ---- Options --------------------------------------------------------------------------------- */

static bool *flag_of(struct tokens_options *options, const char *word)
{
    if (!strcmp(word, "--ids"))
        return &options->ids;
    if (!strcmp(word, "--special"))
        return &options->special;
    return strcmp(word, "--json") ? NULL : &options->json;
}

static const char **value_of(struct tokens_options *options, const char *word)
{
    if (!strcmp(word, "-m") || !strcmp(word, "--model"))
        return &options->model;
    if (!strcmp(word, "-e") || !strcmp(word, "--encoding"))
        return &options->encoding;
    if (!strcmp(word, "--config"))
        return &options->config;
    return strcmp(word, "--piece") ? NULL : &options->piece;
}

/* Files stand between options, too: they are moved to the front of argv. */
static int read_words(int argc, char **argv, struct tokens_options *options)
{
    bool ended = false;
    options->files = argv;
    for (int at = 1; at < argc; at++) {
        const char *word = argv[at];
        bool *flag = flag_of(options, word);
        const char **value = value_of(options, word);
        if (ended || word[0] != '-' || !word[1]) {
            options->files[options->files_len++] = argv[at];
        } else if (!strcmp(word, "--")) {
            ended = true;
        } else if (flag) {
            *flag = true;
        } else if (!value) {
            return wrong("unknown: ", word);
        } else if (at + 1 == argc) {
            return wrong("a value is missing after ", word);
        } else {
            *value = argv[++at];
        }
    }
    return CLI_DONE;
}

static int check_piece(struct tokens_options *options)
{
    char *end;
    if (!options->piece)
        return CLI_DONE;
    errno = 0;
    unsigned long long len = strtoull(options->piece, &end, 10);
    if (options->piece[0] < '0' || options->piece[0] > '9' || *end || errno || len < 1 ||
        len > READ)
        return wrong("--piece is from 1 to 1048576, not ", options->piece);
    if (options->ids || options->special)
        return wrong("--piece counts alone: not with ", options->ids ? "--ids" : "--special");
    options->piece_len = (size_t)len;
    return CLI_DONE;
}

static int check_options(struct tokens_options *options)
{
    options->exact = true;
    if (!options->model == !options->encoding)
        return wrong("say either -m MODEL or -e ENCODING", "");
    if (options->model && !options->model[0])
        return wrong("the MODEL is empty", "");
    return check_piece(options);
}

static int find_encoding(struct tokens_options *options)
{
    if (options->model) {
        struct slice model = slice_of(options->model);
        const struct encoding *own = model_encoding_own(model);
        options->exact = prompt_rule_find(model, &options->by)->own || own;
        options->by = own ? own : options->by;
    } else {
        options->by = encoding_find(slice_of(options->encoding));
    }
    if (!options->by)
        return wrong("there is no encoding ", options->encoding);
    if (!options->exact)
        fprintf(stderr,
                "mete tokens: the tokenizer of %s is not public, or not known here: counted by %s, "
                "an estimate\n",
                options->model, options->by->name);
    return CLI_DONE;
}

static int read_config(const char *file, struct config **ret_config)
{
    char detail[512];
    int error = config_load(file, ret_config, detail);
    if (!error)
        error = config_encodings_add(*ret_config, detail);
    if (!error)
        return CLI_DONE;
    fprintf(stderr, "mete tokens: %s\n", detail);
    return CLI_FAILED;
}

/* ---- One file -------------------------------------------------------------------------------- */

static bool file_failed(struct tokens_run *run, const char *name, const char *why)
{
    fprintf(stderr, "mete tokens: %s: %s\n", name, why);
    run->failed = true;
    return false;
}

/* Feeds the counter; tells after each piece where that is wanted. */
static int feed(struct tokens_run *run, struct counter *counter, struct slice bytes,
                const char **separator)
{
    size_t piece = run->options->piece_len ? run->options->piece_len : bytes.len;
    while (bytes.len) {
        size_t len = bytes.len < piece ? bytes.len : piece;
        int status = counter_feed(counter, run->tokenizer, slice_part(bytes, 0, len));
        if (status)
            return status;
        bytes = slice_from(bytes, len);
        if (run->options->json && run->options->piece_len) {
            printf("%s%" PRId64, *separator, counter_total(counter));
            *separator = ",";
        }
    }
    return 0;
}

static bool count_stream(struct tokens_run *run, FILE *file, const char *name, int64_t *ret_count)
{
    size_t piece = run->options->piece_len ? run->options->piece_len : READ;
    size_t whole = READ / piece * piece; /* of pieces, so that none is cut where a read ends */
    struct counter counter = {0};
    const char *separator = "";
    int status = 0;
    while (!status) {
        errno = 0;
        size_t len = fread(run->room, 1, whole, file);
        if (!len)
            break;
        status = feed(run, &counter, (struct slice){run->room, len}, &separator);
    }
    *ret_count = counter_total(&counter);
    counter_done(&counter);
    if (status)
        return file_failed(run, name, mete_error_text(status));
    return ferror(file) ? file_failed(run, name, strerror(errno)) : true;
}

static bool read_whole(struct tokens_run *run, FILE *file, const char *name)
{
    buffer_clear(&run->text);
    for (;;) {
        char *at;
        int status = buffer_reserve(&run->text, READ, &at);
        if (status == METE_E_TOO_LARGE)
            return file_failed(run, name,
                               "too large for ids and special tokens; it can be counted");
        if (status)
            return file_failed(run, name, mete_error_text(status));
        errno = 0;
        size_t len = fread(at, 1, READ, file);
        buffer_advance(&run->text, len);
        if (!len)
            return ferror(file) ? file_failed(run, name, strerror(errno)) : true;
    }
}

static bool encode_whole(struct tokens_run *run, FILE *file, const char *name, int64_t *ret_count)
{
    buffer_clear(&run->ids);
    if (!read_whole(run, file, name))
        return false;
    int status = tokenizer_encode(run->tokenizer, buffer_slice(&run->text), run->options->special,
                                  &run->ids);
    if (status)
        return file_failed(run, name, mete_error_text(status));
    *ret_count = (int64_t)(run->ids.len / sizeof(uint32_t));
    return true;
}

static void print_ids(const struct buffer *ids, char separator)
{
    for (size_t at = 0; at < ids->len; at += sizeof(uint32_t)) {
        uint32_t id;
        memcpy(&id, ids->data + at, sizeof id);
        if (at)
            putchar(separator);
        printf("%" PRIu32, id);
    }
}

static void print_text(struct tokens_run *run, const char *name, int64_t count)
{
    if (run->options->ids) {
        print_ids(&run->ids, ' ');
        putchar('\n');
    } else if (run->options->files_len) {
        printf("%" PRId64 " %s\n", count, name);
    } else {
        printf("%" PRId64 "\n", count);
    }
}

/* The file's object is open when this is called, and what streamed is in "counts". */
static void print_json_rest(struct tokens_run *run, int64_t count)
{
    if (run->options->piece_len) {
        printf("],\"tokens\":%" PRId64, count);
    } else {
        printf(",\"tokens\":%" PRId64 ",\"ids\":[", count);
        print_ids(&run->ids, ',');
        putchar(']');
    }
    printf("%s}", run->options->exact ? "" : ",\"exact\":false");
}

/* {"file":NAME, and what comes before the counts of a stream. */
static bool print_json_name(struct tokens_run *run, const char *name)
{
    buffer_clear(&run->name);
    if (json_quote(&run->name, slice_of(name)))
        return file_failed(run, name, mete_error_text(METE_E_MEMORY));
    printf("%s{\"file\":%.*s%s", run->printed++ ? ",\n" : "", (int)run->name.len, run->name.data,
           run->options->piece_len ? ",\"counts\":[" : "");
    return true;
}

static void see(struct tokens_run *run, FILE *file, const char *name)
{
    const struct tokens_options *options = run->options;
    bool streams = options->piece_len || !(options->ids || options->special || options->json);
    int64_t count = 0;
    bool seen = streams && options->json ? print_json_name(run, name) : true;
    if (seen)
        seen =
            streams ? count_stream(run, file, name, &count) : encode_whole(run, file, name, &count);
    if (!seen && !(streams && options->json))
        return;
    run->total += count;
    if (!options->json)
        print_text(run, name, count);
    else if (streams || print_json_name(run, name))
        print_json_rest(run, count);
}

static void see_named(struct tokens_run *run, const char *name)
{
    FILE *file = fopen(name, "rb");
    if (!file) {
        file_failed(run, name, strerror(errno));
        return;
    }
    setvbuf(file, NULL, _IONBF, 0); /* reads are large as they are */
    see(run, file, name);
    fclose(file);
}

/* ---- The command ----------------------------------------------------------------------------- */

static int run_all(struct tokens_run *run)
{
    const struct tokens_options *options = run->options;
    if (options->json)
        putchar('[');
    for (size_t i = 0; i < options->files_len; i++) {
        if (strcmp(options->files[i], "-") != 0)
            see_named(run, options->files[i]);
        else
            see(run, stdin, "-");
    }
    if (!options->files_len)
        see(run, stdin, "-");
    if (options->json)
        puts("]");
    else if (options->files_len > 1 && !options->ids)
        printf("%" PRId64 " total\n", run->total);
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "mete tokens: standard output: %s\n", strerror(errno));
        run->failed = true;
    }
    return run->failed ? CLI_FAILED : CLI_DONE;
}

static int run_with(const struct tokens_options *options)
{
    struct tokens_run run = {.options = options, .room = malloc(READ)};
    buffer_init(&run.text, LIMIT_TOKENS_TEXT);
    buffer_init(&run.ids, sizeof(uint32_t) * (size_t)LIMIT_TOKENS_TEXT);
    buffer_init(&run.name, 6 * (size_t)READ); /* longer than any argument may be */
    int status = run.room ? tokenizer_open(options->by, &run.tokenizer) : METE_E_MEMORY;
    if (status)
        fprintf(stderr, "mete tokens: %s\n", mete_error_text(status));
    int code = status ? CLI_FAILED : run_all(&run);
    tokenizer_close(run.tokenizer);
    buffer_done(&run.name);
    buffer_done(&run.ids);
    buffer_done(&run.text);
    free(run.room);
    return code;
}

int cli_tokens(int argc, char **argv)
{
    struct tokens_options options = {0};
    struct config *config = NULL;
    if (client_wants_help(argc, argv)) {
        fputs(usage, stdout);
        return CLI_DONE;
    }
    int code = read_words(argc, argv, &options);
    if (!code)
        code = check_options(&options);
    if (!code && options.config)
        code = read_config(options.config, &config);
    if (!code)
        code = find_encoding(&options);
    if (!code)
        code = run_with(&options);
    encodings_forget();
    config_free(config);
    return code;
}
