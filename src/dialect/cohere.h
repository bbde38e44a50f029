/* SPDX-License-Identifier: Apache-2.0
 * Cohere's chat (the dialects "cohere-chat" and "cohere-chat-v1"): their parts. */
#ifndef DIALECT_COHERE_H
#define DIALECT_COHERE_H

#include "dialect/openai.h"

/* "usage" of v2, "meta" of v1. False: no figures, or none to be believed. */
bool cohere_usage(struct json usage, struct pricing_usage *ret_usage);
/* {"billed_units":{...},"tokens":{...}} */
METE_MUST_USE int cohere_write_usage(struct buffer *out, const struct pricing_usage *usage);
/* "COMPLETE", ... */
const char *cohere_finish_word(enum dialect_finish finish);
/* Whether a finish_reason says that the answer failed. */
bool cohere_failed(struct json reason);

/* Members that both versions have. */
int cohere_read_bound(struct openai_reading *r, struct json value);
int cohere_read_tools(struct openai_reading *r, struct json value);
int cohere_read_preamble(struct openai_reading *r, struct json value);
/* After the members: the places and the bound. */
void cohere_set_places(struct openai_reading *r, struct json whole);

int cohere_write_error(struct buffer *out, const struct dialect_error *error);
/* The figures of a stream's cost have no place in it. */
int cohere_write_cost(struct slice raw, struct json usage_object, struct slice cost,
                      struct buffer *out);

extern const struct dialect_neutral cohere_neutral;

#endif
