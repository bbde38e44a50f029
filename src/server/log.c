/* SPDX-License-Identifier: Apache-2.0
 * A line is put together in a buffer and written with one write(), so that lines of several threads
 * do not mix. Limits: a count a second for each kind of event; what exceeds it is counted, and the
 * next event of the kind that is written carries "swallowed". State is the program's: there is one
 * standard error.
 *
 * Not done: a thread that writes. A pipe nobody reads would block the loop; so does every program
 * that logs to a pipe, and losing the log silently is worse. */
#include "server/log.h"

#include "base/assert.h"
#include "base/buffer.h"
#include "codec/json_scan.h"
#include "codec/timestamp.h"
#include "os/os.h"

#include <pthread.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 8192, FIELDS_MAX = 40 };

struct log_row {
    const char *name;
    enum log_level level;
    uint32_t per_second;
};

#define ROW(NAME, name, level, per_second, text) {#name, LOG_##level, per_second},
static const struct log_row rows[] = {
#include "tables/events.h"
};

static const char *const levels[] = {"error", "warning", "info", "debug"};

static struct {
    pthread_mutex_t lock;
    enum log_level level;
    enum log_format format;
    struct {
        int64_t second;
        uint32_t written;
        uint64_t swallowed;
    } kinds[LOG_EVENTS];
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = LOG_INFO};

void log_setup(enum log_level level, enum log_format format)
{
    pthread_mutex_lock(&state.lock);
    state.level = level;
    state.format = format;
    pthread_mutex_unlock(&state.lock);
}

bool log_wanted(enum log_event event)
{
    return rows[event].level <= state.level;
}

/* Whether this one is written; *ret_swallowed: how many were not since the last that was. */
static bool admit(enum log_event event, int64_t now_us, uint64_t *ret_swallowed)
{
    int64_t second = now_us / 1000000;
    if (state.kinds[event].second != second) {
        state.kinds[event].second = second;
        state.kinds[event].written = 0;
    }
    if (state.kinds[event].written >= rows[event].per_second) {
        state.kinds[event].swallowed++;
        return false;
    }
    state.kinds[event].written++;
    *ret_swallowed = state.kinds[event].swallowed;
    state.kinds[event].swallowed = 0;
    return true;
}

static int write_json(struct buffer *line, const char *name, const struct log_field *field)
{
    int error = buffer_format(line, ",\"%s\":", name);
    if (error)
        return error;
    return field->text.data ? json_quote(line, field->text)
                            : buffer_format(line, "%lld", (long long)field->number);
}

/* A text stays bare if it has nothing a reader could trip over. */
static bool is_word(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~' || text.data[i] == '"' || text.data[i] == '=')
            return false;
    return text.len > 0;
}

static int write_word(struct buffer *line, const char *name, const struct log_field *field)
{
    int error = buffer_format(line, " %s=", name);
    if (error)
        return error;
    if (!field->text.data)
        return buffer_format(line, "%lld", (long long)field->number);
    return is_word(field->text) ? buffer_append(line, field->text) : json_quote(line, field->text);
}

static int write_line(struct buffer *line, enum log_event event, const struct log_field *fields,
                      size_t len)
{
    char at[TIMESTAMP_ROOM];
    bool json = state.format == LOG_JSON;
    timestamp_format(os_wall_us(os_system()), at);
    const struct log_row *row = &rows[event];
    int error =
        json ? buffer_format(line, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"", at,
                             levels[row->level], row->name)
             : buffer_format(line, "time=%s level=%s event=%s", at, levels[row->level], row->name);
    for (size_t i = 0; i < len && !error; i++) {
        if (!fields[i].name)
            continue;
        size_t whole = line->len;
        error = json ? write_json(line, fields[i].name, &fields[i])
                     : write_word(line, fields[i].name, &fields[i]);
        if (error)
            line->len = whole; /* what does not fit is left out whole */
    }
    return buffer_text(line, json ? "}\n" : "\n");
}

void log_write(enum log_event event, const struct log_field *fields, size_t len)
{
    struct buffer line;
    uint64_t swallowed = 0;
    if (!log_wanted(event))
        return;
    buffer_init(&line, LINE_MAX_BYTES);
    pthread_mutex_lock(&state.lock);
    if (admit(event, os_monotonic_us(os_system()), &swallowed)) {
        struct log_field all[FIELDS_MAX + 1];
        ASSERT(len <= FIELDS_MAX); /* fields stand in the code */
        memcpy(all, fields, len * sizeof *fields);
        if (swallowed)
            all[len++] = log_number("swallowed", (int64_t)swallowed);
        if (write_line(&line, event, all, len) == 0) {
            ssize_t written = write(STDERR_FILENO, line.data, line.len);
            (void)written; /* there is nowhere to complain */
        }
    }
    pthread_mutex_unlock(&state.lock);
    buffer_done(&line);
}
