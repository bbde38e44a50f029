/* SPDX-License-Identifier: Apache-2.0
 * Google's generateContent (the dialect "gemini"): its parts, for dialect_gemini() and tests. */
#ifndef DIALECT_GEMINI_H
#define DIALECT_GEMINI_H

#include "dialect/chat.h"

/* A key in either of the spellings that Google takes: generationConfig, generation_config. */
bool gemini_key_is(struct json key, const char *camel, const char *snake);
/* The member of either spelling; none if it is not there, or given twice. */
struct json gemini_member(struct json object, const char *camel, const char *snake);

int gemini_read_request(const struct dialect_target *target, struct slice body,
                        struct dialect_request *ret_request, struct dialect_error *ret_error);

/* What one response object tells, whole or a chunk of a stream. */
struct gemini_chunk {
    bool has_usage, failed;
    int64_t finished;   /* candidates that say why they ended */
    bool blocked;       /* the prompt was: there will be none */
    int64_t candidates; /* highest index + 1 */
    int64_t queries;    /* searches that the provider made */
    struct json usage_object;
    struct slice id, model;     /* raw JSON strings; empty: not told */
    struct dialect_event event; /* output_bytes, texts, finish_word */
    struct pricing_usage usage;
};

/* Of dialect_stream.parts: an event went on to the client. */
enum { GEMINI_PASSED = 2 };

/* shown: output was seen in earlier chunks. */
void gemini_read_chunk(struct json object, bool shown, struct gemini_chunk *ret_chunk);
void gemini_read_answer(struct slice body, struct dialect_answer *ret_answer);
void gemini_read_event(struct dialect_stream *stream, const struct frame *event,
                       struct dialect_event *ret_event);

/* What Google reads of a JSON Schema. METE_E_SYNTAX: no JSON object. */
METE_MUST_USE int gemini_write_schema(struct slice schema, struct buffer *out);
int gemini_read_whole(struct slice body, struct neutral_sink *sink);
int gemini_read_delta(struct dialect_stream *stream, const struct frame *event,
                      struct neutral_sink *sink);
extern const struct dialect_neutral gemini_neutral;

#endif
