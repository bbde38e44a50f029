/* SPDX-License-Identifier: Apache-2.0
 * Usage traces: who asked when for how many tokens. CSV with a header line, or one JSON object a
 * line; plain or gzip. Columns are known by the names public traces give them:
 *
 *   time      TIMESTAMP, timestamp, gmt_create (a date, or milliseconds since the start), t_s
 *             (seconds since the start)
 *   input     ContextTokens, input_tokens, input_length, prompt_length
 *   output    GeneratedTokens, output_tokens, output_length (absent: 0)
 *   reasoning reasoning_tokens (part of the output)
 *   client    client, groupId (absent: one client)
 */
#ifndef CLI_TRACE_H
#define CLI_TRACE_H

#include "mete.h"

struct trace_call {
    int64_t at_us; /* since 1970, or since the start: see trace.relative */
    uint32_t client;
    uint32_t line;
    int64_t input, output, reasoning;
};

struct trace {
    struct trace_call *calls; /* in order of time, then of line */
    size_t calls_len;
    char **clients; /* names by number */
    size_t clients_len;
    int relative; /* times count from the start of the trace */
};

/* Reads the whole file. On an error *ret_detail says which line and why.
 * Errors: STORAGE (cannot read), SYNTAX, MEMORY, TOO_LARGE. Cost: rows x log rows. */
METE_MUST_USE int trace_read(const char *path, struct trace *ret_trace, char ret_detail[256]);
void trace_done(struct trace *trace);

#endif
