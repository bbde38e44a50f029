/* SPDX-License-Identifier: Apache-2.0
 * The header line (or the first object's members) decides which column means what; after that a row
 * is a call. Rows are sorted, because public traces are not always in order of time. Numbers are
 * read as decimals and cut to whole tokens ("63.0" is 63). Considered and not done: streaming the
 * file, which would make the sort a merge and the progress bar a guess. */
#include "cli/trace.h"

#include "base/assert.h"
#include "base/limits.h"
#include "codec/csv.h"
#include "codec/decimal.h"
#include "codec/json_scan.h"
#include "codec/timestamp.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

enum column { TIME, INPUT, OUTPUT, REASONING, CLIENT, COLUMNS };
enum { FIELDS_MAX = 64, NAME_MAX_LEN = 64 };

static const struct {
    const char *name;
    enum column column;
} names[] = {
    {"TIMESTAMP", TIME},         {"timestamp", TIME},
    {"gmt_create", TIME},        {"t_s", TIME},
    {"ContextTokens", INPUT},    {"input_tokens", INPUT},
    {"input_length", INPUT},     {"prompt_length", INPUT},
    {"GeneratedTokens", OUTPUT}, {"output_tokens", OUTPUT},
    {"output_length", OUTPUT},   {"reasoning_tokens", REASONING},
    {"client", CLIENT},          {"groupId", CLIENT},
};

struct reader_state {
    struct trace trace;
    size_t calls_room, clients_room;
    uint32_t *client_slots; /* open addressing over trace.clients, 1-based */
    size_t slots_len;
    int field_of[COLUMNS]; /* CSV: index of the column, -1: absent */
    bool seconds;          /* the time column counts seconds */
    uint32_t line;
    char *detail;
};

static int fault(struct reader_state *r, int error, const char *what)
{
    snprintf(r->detail, 256, "line %u: %s", r->line, what);
    return error;
}

/* Index into names, or -1. */
static int column_named(struct slice name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (slice_is(name, names[i].name))
            return (int)i;
    return -1;
}

static uint64_t hash_text(struct slice text)
{
    uint64_t hash = 14695981039346656037U; /* FNV-1a */
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (uint8_t)text.data[i]) * 1099511628211U;
    return hash;
}

static int grow_slots(struct reader_state *r)
{
    size_t len = r->slots_len ? r->slots_len * 2 : 1024;
    uint32_t *slots = calloc(len, sizeof *slots);
    if (!slots)
        return METE_E_MEMORY;
    for (size_t i = 0; i < r->trace.clients_len; i++) {
        size_t at = hash_text(slice_of(r->trace.clients[i])) & (len - 1);
        while (slots[at])
            at = (at + 1) & (len - 1);
        slots[at] = (uint32_t)i + 1;
    }
    free(r->client_slots);
    r->client_slots = slots;
    r->slots_len = len;
    return 0;
}

static int add_client(struct reader_state *r, struct slice name, size_t slot)
{
    struct trace *t = &r->trace;
    if (t->clients_len == r->clients_room) {
        size_t room = r->clients_room ? r->clients_room * 2 : 64;
        char **clients = realloc(t->clients, room * sizeof *clients);
        if (!clients)
            return METE_E_MEMORY;
        t->clients = clients;
        r->clients_room = room;
    }
    char *copy = strndup(name.data, name.len);
    if (!copy)
        return METE_E_MEMORY;
    t->clients[t->clients_len++] = copy;
    r->client_slots[slot] = (uint32_t)t->clients_len;
    return 0;
}

static int client_number(struct reader_state *r, struct slice name, uint32_t *ret_client)
{
    if (name.len > NAME_MAX_LEN || !name.len)
        return fault(r, METE_E_SYNTAX, "a client's name has 1 to 64 bytes");
    if ((r->trace.clients_len + 1) * 2 > r->slots_len) {
        int rc = grow_slots(r);
        if (rc)
            return rc;
    }
    size_t at = hash_text(name) & (r->slots_len - 1);
    while (r->client_slots[at] && !slice_is(name, r->trace.clients[r->client_slots[at] - 1]))
        at = (at + 1) & (r->slots_len - 1);
    if (!r->client_slots[at]) {
        int rc = add_client(r, name, at);
        if (rc)
            return rc;
    }
    *ret_client = r->client_slots[at] - 1;
    return 0;
}

/* Whole tokens of "4808", "63.0" or "1e3"; empty is 0. */
static int tokens(struct reader_state *r, struct slice text, int64_t *ret_tokens)
{
    int64_t micro = 0;
    if (text.len && decimal_parse(text, 6, &micro))
        return fault(r, METE_E_SYNTAX, "a count of tokens is not a number");
    if (micro < 0 || micro / 1000000 > INT32_MAX)
        return fault(r, METE_E_SYNTAX, "a count of tokens is out of range");
    *ret_tokens = micro / 1000000;
    return 0;
}

static int instant(struct reader_state *r, struct slice text, int64_t *ret_us)
{
    int64_t us;
    if (!timestamp_parse(text, &us)) {
        *ret_us = us;
        return 0;
    }
    int128 wide;
    if (decimal_parse128(text, r->seconds ? 6 : 3, true, &wide) || !checked_narrow(wide, &us) ||
        us < 0)
        return fault(r, METE_E_SYNTAX, "the time is neither a date nor a number");
    r->trace.relative = 1;
    *ret_us = us;
    return 0;
}

static int add_call(struct reader_state *r, const struct slice values[COLUMNS])
{
    struct trace *t = &r->trace;
    struct trace_call call = {.line = r->line};
    int rc = instant(r, values[TIME], &call.at_us);
    if (!rc)
        rc = tokens(r, values[INPUT], &call.input);
    if (!rc)
        rc = tokens(r, values[OUTPUT], &call.output);
    if (!rc)
        rc = tokens(r, values[REASONING], &call.reasoning);
    if (!rc)
        rc = client_number(r, values[CLIENT].len ? values[CLIENT] : SLICE_LITERAL("all"),
                           &call.client);
    if (rc)
        return rc;
    if (call.reasoning > call.output)
        call.output = call.reasoning;
    if (t->calls_len == r->calls_room) {
        size_t room = r->calls_room ? r->calls_room * 2 : 4096;
        struct trace_call *calls = realloc(t->calls, room * sizeof *calls);
        if (!calls)
            return METE_E_MEMORY;
        t->calls = calls;
        r->calls_room = room;
    }
    t->calls[t->calls_len++] = call;
    return 0;
}

static int csv_header(struct reader_state *r, char *line, size_t len)
{
    struct slice fields[FIELDS_MAX];
    int count = csv_split(line, len, fields, FIELDS_MAX);
    for (int column = 0; column < COLUMNS; column++)
        r->field_of[column] = -1;
    for (int i = 0; i < count && i < FIELDS_MAX; i++) {
        int known = column_named(fields[i]);
        if (known < 0 || r->field_of[names[known].column] >= 0)
            continue;
        r->field_of[names[known].column] = i;
        if (names[known].column == TIME)
            r->seconds = slice_is(fields[i], "t_s");
    }
    if (r->field_of[TIME] < 0 || r->field_of[INPUT] < 0)
        return fault(r, METE_E_SYNTAX,
                     "no column of times or of input tokens that is known by name");
    return 0;
}

static int csv_row(struct reader_state *r, char *line, size_t len)
{
    struct slice fields[FIELDS_MAX], values[COLUMNS] = {{0}};
    int count = csv_split(line, len, fields, FIELDS_MAX);
    if (count < 0 || count > FIELDS_MAX)
        return fault(r, METE_E_SYNTAX, "not a line of CSV");
    for (int column = 0; column < COLUMNS; column++) {
        if (r->field_of[column] >= count)
            return fault(r, METE_E_SYNTAX, "fewer fields than the header has");
        if (r->field_of[column] >= 0)
            values[column] = fields[r->field_of[column]];
    }
    return add_call(r, values);
}

static int json_row(struct reader_state *r, const char *line, size_t len)
{
    struct json object, key, value;
    char keys[COLUMNS][NAME_MAX_LEN];
    struct slice values[COLUMNS] = {{0}};
    if (json_scan((struct slice){line, len}, &object, NULL) || object.type != JSON_OBJECT)
        return fault(r, METE_E_SYNTAX, "not a JSON object");
    for (size_t at = 0; json_next(object, &at, &key, &value);) {
        char name[NAME_MAX_LEN];
        long name_len = json_string_copy(key, name, sizeof name);
        int known = name_len < 0 ? -1 : column_named((struct slice){name, (size_t)name_len});
        if (known < 0)
            continue;
        enum column column = names[known].column;
        values[column] = value.raw;
        if (value.type == JSON_STRING) {
            long text_len = json_string_copy(value, keys[column], NAME_MAX_LEN);
            if (text_len < 0)
                return fault(r, METE_E_SYNTAX, "a member is too long");
            values[column] = (struct slice){keys[column], (size_t)text_len};
        }
        if (column == TIME)
            r->seconds = slice_is((struct slice){name, (size_t)name_len}, "t_s");
    }
    if (!values[TIME].len || !values[INPUT].len)
        return fault(r, METE_E_SYNTAX,
                     "no member of a time or of input tokens that is known by name");
    return add_call(r, values);
}

static int read_lines(struct reader_state *r, gzFile file)
{
    static char line[LIMIT_TRACE_LINE];
    bool json = false;
    while (gzgets(file, line, sizeof line)) {
        size_t len = strlen(line);
        r->line++;
        if (len + 1 == sizeof line)
            return fault(r, METE_E_TOO_LARGE, "the line is too long");
        while (len && (line[len - 1] == '\n' || line[len - 1] == '\r'))
            line[--len] = '\0';
        if (!len)
            continue;
        if (r->line == 1)
            json = line[0] == '{';
        int rc = json           ? json_row(r, line, len)
                 : r->line == 1 ? csv_header(r, line, len)
                                : csv_row(r, line, len);
        if (rc)
            return rc;
    }
    int error;
    gzerror(file, &error);
    if (error != Z_OK && error != Z_STREAM_END)
        return fault(r, METE_E_STORAGE, "the file cannot be read to its end");
    if (!r->trace.calls_len)
        return fault(r, METE_E_SYNTAX, "no calls in the file");
    return 0;
}

static int by_time(const void *a, const void *b)
{
    const struct trace_call *left = a, *right = b;
    if (left->at_us != right->at_us)
        return left->at_us < right->at_us ? -1 : 1;
    return left->line < right->line ? -1 : left->line > right->line;
}

int trace_read(const char *path, struct trace *ret_trace, char ret_detail[256])
{
    struct reader_state r = {.detail = ret_detail};
    gzFile file = gzopen(path, "rb");
    if (!file) {
        snprintf(ret_detail, 256, "%s cannot be opened", path);
        return METE_E_STORAGE;
    }
    int rc = read_lines(&r, file);
    gzclose(file);
    free(r.client_slots);
    if (rc) {
        trace_done(&r.trace);
        return rc;
    }
    qsort(r.trace.calls, r.trace.calls_len, sizeof *r.trace.calls, by_time);
    *ret_trace = r.trace;
    return 0;
}

void trace_done(struct trace *trace)
{
    for (size_t i = 0; i < trace->clients_len; i++)
        free(trace->clients[i]);
    free(trace->clients);
    free(trace->calls);
    *trace = (struct trace){0};
}
