/* SPDX-License-Identifier: Apache-2.0
 * OpenAI responses (the dialect "openai-responses"): its parts, for dialect_responses() and tests.
 */
#ifndef DIALECT_RESPONSES_H
#define DIALECT_RESPONSES_H

#include "dialect/dialect.h"
#include "dialect/json_put.h"

/* ---- Requests (responses_request.c) ---------------------------------------------------------- */

int responses_read_request(const struct dialect_target *target, struct slice body,
                           struct dialect_request *ret_request, struct dialect_error *ret_error);

/* ---- Answers (responses.c) ------------------------------------------------------------------- */

/* A response object, whole or within an event. */
struct responses_read {
    struct dialect_answer answer;
    struct json usage; /* the object; JSON_NONE: no figures, or none to be believed */
    int64_t created;
    bool failed;
};
void responses_read_object(struct json response, struct responses_read *ret_read);

/* ---- Events (responses_event.c) -------------------------------------------------------------- */

void responses_read_event(struct dialect_stream *stream, const struct frame *event,
                          struct dialect_event *ret_event);
void responses_read_spot(struct dialect_stream *stream, const struct dialect_spot *spot,
                         int64_t bytes);

/* ---- Events of ours (responses_write.c) ------------------------------------------------------ */

/* What is kept of a stream, in *stream->said, so that it can be ended anywhere:
 *
 *   {item},{item},...   {item that is open}   {part},{part}   text of the open part
 *   0                   said_open             said_parts      said_text
 *
 * Items and parts are JSON, the text is the inside of a JSON string. If it grows past its room,
 * nothing is said again. */
enum responses_part {
    RESPONSES_NO_PART = 0,
    RESPONSES_OUTPUT_TEXT,
    RESPONSES_REFUSAL,
    RESPONSES_REASONING_TEXT,
    RESPONSES_SUMMARY_TEXT
};

/* What is open is forgotten. */
void responses_keep_none(struct dialect_stream *stream);
void responses_keep_item(struct dialect_stream *stream, struct json item);
/* The item that is open is over, and was this; or another one is, and none is open. */
void responses_keep_done(struct dialect_stream *stream, struct slice item);
void responses_keep_part(struct dialect_stream *stream, enum responses_part part);
void responses_keep_part_done(struct dialect_stream *stream, struct slice part);
void responses_keep_text(struct dialect_stream *stream, struct slice string);
/* Of the reasoning item that is open: a JSON string. */
void responses_keep_signature(struct dialect_stream *stream, struct slice signature);
enum responses_part responses_part_of(struct json type);

/* response.created and response.in_progress. */
void responses_put_begin(struct dialect_stream *stream, struct json_put *put);
/* event: TYPE, data: {"type":TYPE,"sequence_number":N; the caller adds members, and the end. */
void responses_put_event(struct dialect_stream *stream, const char *type, struct json_put *put);
void responses_put_event_end(struct json_put *put);
/* Opens an item: members behind "id", "type" and "status" are the caller's, from ",". */
void responses_put_item(struct dialect_stream *stream, enum dialect_open open, const char *prefix,
                        const char *type, struct slice members, struct json_put *put);
/* The rest of an item's id, plain: it holds the response's, so that it is another one in each. */
void responses_put_item_id(const struct dialect_stream *stream, int64_t number,
                           struct json_put *put);
void responses_put_part(struct dialect_stream *stream, enum responses_part part,
                        struct json_put *put);
/* A piece of the text of what is open: a JSON string. */
void responses_put_text(struct dialect_stream *stream, struct slice string, struct json_put *put);
/* Ends what is open, as complete or cut short. */
void responses_put_close(struct dialect_stream *stream, bool complete, struct json_put *put);

/* A response object up to the elements of "output", and from behind them. */
void responses_put_head(const struct dialect_stream *stream, const char *status,
                        struct json_put *put);
void responses_put_tail(const struct pricing_usage *usage, struct slice cost, struct json_put *put);
const char *responses_status(enum dialect_finish finish);

int responses_write_break(struct dialect_stream *stream, const struct dialect_error *error,
                          struct buffer *out);
int responses_write_end(struct dialect_stream *stream, const struct pricing_usage *usage,
                        struct slice cost, bool wants_usage, struct buffer *out);

/* ---- Translation (responses_neutral*.c) ------------------------------------------------------ */

extern const struct dialect_neutral responses_neutral;

#endif
