/* SPDX-License-Identifier: Apache-2.0
 * Anthropic's messages (the dialect "anthropic-messages"): its parts, for dialect_messages() and
 * tests. */
#ifndef DIALECT_MESSAGES_H
#define DIALECT_MESSAGES_H

#include "dialect/neutral.h"

int messages_read_request(const struct dialect_target *target, struct slice body,
                          struct dialect_request *ret_request, struct dialect_error *ret_error);

/* ---- Usage ----------------------------------------------------------------------------------- */

/* Figures as they are told: of a stream, each overrides the one before it. */
enum messages_figure {
    MESSAGES_INPUT = 0, /* neither read from the cache nor written to it */
    MESSAGES_READ,
    MESSAGES_WRITTEN,
    MESSAGES_WRITTEN_5M,
    MESSAGES_WRITTEN_1H,
    MESSAGES_OUTPUT,
    MESSAGES_THINKING,
    MESSAGES_SEARCHES,
    MESSAGES_MORE_INPUT, /* of compactions, which the figures above leave out */
    MESSAGES_MORE_READ,
    MESSAGES_MORE_WRITTEN,
    MESSAGES_MORE_OUTPUT,
    MESSAGES_FIGURES
};

/* Takes what an object tells into figures; *told has a bit for each that was ever told. False: it
 * is no object, or a figure of it is no count of tokens: nothing is taken. */
bool messages_take_usage(struct json usage, int64_t figures[MESSAGES_FIGURES], uint32_t *told);
/* False: neither input nor output was told. */
bool messages_usage(const int64_t figures[MESSAGES_FIGURES], uint32_t told,
                    struct pricing_usage *ret_usage);
/* The object, as Anthropic writes it; cost empty: none is told. */
METE_MUST_USE int messages_write_usage(struct buffer *out, const struct pricing_usage *usage,
                                       struct slice cost);
void messages_read_answer(struct slice body, struct dialect_answer *ret_answer);

/* ---- Events ---------------------------------------------------------------------------------- */

void messages_read_event(struct dialect_stream *stream, const struct frame *event,
                         struct dialect_event *ret_event);
int messages_write_error(struct buffer *out, const struct dialect_error *error);
int messages_write_break(struct dialect_stream *stream, const struct dialect_error *error,
                         struct buffer *out);
int messages_write_end(struct dialect_stream *stream, const struct pricing_usage *usage,
                       struct slice cost, bool wants_usage, struct buffer *out);
enum dialect_finish messages_finish(struct json reason);
const char *messages_finish_word(enum dialect_finish finish);
/* message_start, with whatever id and model the stream has. */
METE_MUST_USE int messages_write_start(struct dialect_stream *stream, struct buffer *out);
/* content_block_stop of the open block; nothing where none is open. */
METE_MUST_USE int messages_write_stop(struct dialect_stream *stream, struct buffer *out);

/* ---- Translation (messages_neutral.c, messages_neutral_answer.c) ----------------------------- */

extern const struct dialect_neutral messages_neutral;
/* Thinking is believed by its signature. */
static inline bool messages_is_signed(const struct neutral_part *part)
{
    return part->kind == NEUTRAL_THINKING && part->signature.len > 2 && part->text.len;
}
/* Tokens to think with; 0: none. */
int64_t messages_budget(const struct neutral_request *request);
/* The word for how much, of those that all models know that take one; NULL: none. */
const char *messages_effort(const struct neutral_request *request);
/* A call's arguments as an object, also those that are none. */
METE_MUST_USE int messages_write_input(struct buffer *out, struct neutral_json input);
int messages_read_whole(struct slice body, struct neutral_sink *sink);
int messages_read_delta(struct dialect_stream *stream, const struct frame *event,
                        struct neutral_sink *sink);
int messages_write_delta(struct dialect_stream *stream, const struct neutral_delta *delta,
                         struct buffer *out);
int messages_write_answer(const struct neutral_answer *answer, const struct pricing_usage *usage,
                          struct buffer *out);

#endif
