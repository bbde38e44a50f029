/* SPDX-License-Identifier: Apache-2.0
 * The log: one event a line on standard error, a JSON object or key=value words. Events are rows of
 * tables/events.h; each kind is bounded per second and says what was swallowed. Nothing that is
 * secret or a prompt is ever passed here (INV-13). THREAD any; a line is written whole. */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include "base/slice.h"

#include <stdint.h>

enum log_level { LOG_ERROR = 0, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_JSON = 0, LOG_WORDS };

#define ROW(NAME, name, level, per_second, text) EVENT_##NAME,
enum log_event {
#include "tables/events.h"
    LOG_EVENTS
};

struct log_field {
    const char *name;
    struct slice text; /* if data is set; else the number */
    int64_t number;
};

static inline struct log_field log_text(const char *name, struct slice text)
{
    return (struct log_field){name, text.data ? text : SLICE_LITERAL(""), 0};
}

static inline struct log_field log_number(const char *name, int64_t number)
{
    return (struct log_field){name, {NULL, 0}, number};
}

void log_setup(enum log_level level, enum log_format format);
bool log_wanted(enum log_event event);
void log_write(enum log_event event, const struct log_field *fields, size_t len);

#define LOG_WRITE(event, ...)                                                                      \
    do {                                                                                           \
        const struct log_field log_fields[] = {__VA_ARGS__};                                       \
        log_write(event, log_fields, sizeof log_fields / sizeof log_fields[0]);                    \
    } while (0)

#endif
