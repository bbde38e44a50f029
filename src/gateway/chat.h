/* SPDX-License-Identifier: Apache-2.0
 * OpenAI chat completions (the dialect "openai-chat"): its parts, for dialect_chat() and tests. */
#ifndef GATEWAY_CHAT_H
#define GATEWAY_CHAT_H

#include "gateway/dialect.h"

/* A key as most are written, without escapes, is compared as it stands; name is terminated. */
bool chat_key_is(struct json key, const char *name, size_t len);
#define CHAT_KEY_IS(key, name) chat_key_is(key, name, sizeof(name) - 1)

int chat_read_request(struct slice body, struct dialect_request *ret_request,
                      struct dialect_error *ret_error);
int chat_write_request(const struct dialect_request *request, struct slice body, int64_t granted,
                       bool new_field, struct buffer *out);

/* One usage object. False: no figures, or none to be believed. */
bool chat_usage(struct json usage, struct pricing_usage *ret_usage);
bool chat_read_usage(struct slice body, struct pricing_usage *ret_usage);

void chat_read_event(const struct sse_event *event, struct dialect_event *ret_event);
int chat_write_cost(struct slice raw, struct json usage_object, struct slice cost,
                    struct buffer *out);

int chat_write_error(struct buffer *out, const struct dialect_error *error);

#endif
