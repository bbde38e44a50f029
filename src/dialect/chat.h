/* SPDX-License-Identifier: Apache-2.0
 * OpenAI chat completions (the dialect "openai-chat"): its parts, for dialect_chat(), for
 * formats that resemble it, and tests. */
#ifndef DIALECT_CHAT_H
#define DIALECT_CHAT_H

#include "dialect/neutral.h"

/* A key as most are written, without escapes, is compared as it stands; name is terminated. */
bool chat_key_is(struct json key, const char *name, size_t len);
#define CHAT_KEY_IS(key, name) chat_key_is(key, name, sizeof(name) - 1)

enum { CHAT_CHOICES_MAX = 128 }; /* OpenAI's own maximum of n */

/* A string into terminated room; one that is too long stays untold. */
static inline void chat_copy(struct json string, char room[LIMIT_ID + 1])
{
    long len = json_string_copy(string, room, LIMIT_ID);
    room[len < 0 ? 0 : len] = 0;
}

/* Figures of usage beyond this are a fault of the provider's: a million calls of a million tokens.
 */
#define CHAT_TOKENS_MAX INT64_C(1000000000000)

int chat_read_request(const struct dialect_target *target, struct slice body,
                      struct dialect_request *ret_request, struct dialect_error *ret_error);

/* One usage object. False: no figures, or none to be believed. */
bool chat_usage(struct json usage, struct pricing_usage *ret_usage);
/* One whose figures have the names of responses: input_tokens, output_tokens. */
bool chat_usage_newer(struct json usage, struct pricing_usage *ret_usage);
/* The same object, as OpenAI writes it; cost empty: none is told. */
METE_MUST_USE int chat_write_usage(struct buffer *out, const struct pricing_usage *usage,
                                   struct slice cost);
void chat_read_answer(struct slice body, struct dialect_answer *ret_answer);

void chat_read_event(struct dialect_stream *stream, const struct frame *event,
                     struct dialect_event *ret_event);
int chat_write_cost(struct slice raw, struct json usage_object, struct slice cost,
                    struct buffer *out);

int chat_write_error(struct buffer *out, const struct dialect_error *error);
/* data: {"error": ...} */
int chat_write_break(struct dialect_stream *stream, const struct dialect_error *error,
                     struct buffer *out);
/* data: {"id":...,"object":...,"created":...,"model":..., as every chunk begins. */
int chat_write_head(const struct dialect_stream *stream, struct buffer *out);
/* : mete-cost ... */
int chat_write_comment(struct slice cost, struct buffer *out);
int chat_write_end(struct dialect_stream *stream, const struct pricing_usage *usage,
                   struct slice cost, bool wants_usage, struct buffer *out);

/* ---- Translation (chat_neutral.c, chat_neutral_answer.c) ------------------------------------- */

/* Tokens of reasoning that are called low and medium here; more are high. */
enum { CHAT_LOW_EFFORT = 2048, CHAT_MEDIUM_EFFORT = 8192 };

extern const struct dialect_neutral chat_neutral;
/* ,"messages":[...] */
METE_MUST_USE int chat_write_messages(const struct neutral_request *request, struct buffer *out);
enum dialect_finish chat_finish(struct json reason);
const char *chat_finish_word(enum dialect_finish finish);
int chat_read_whole(struct slice body, struct neutral_sink *sink);
int chat_read_delta(struct dialect_stream *stream, const struct frame *event,
                    struct neutral_sink *sink);
bool chat_read_error(struct slice body, char *room, size_t room_len,
                     struct dialect_error *ret_error);
int chat_write_delta(struct dialect_stream *stream, const struct neutral_delta *delta,
                     struct buffer *out);
int chat_write_answer(const struct neutral_answer *answer, const struct pricing_usage *usage,
                      struct buffer *out);

#endif
