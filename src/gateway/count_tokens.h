/* SPDX-License-Identifier: Apache-2.0
 * POST /v1/messages/count_tokens: what a message would come to in input tokens, without asking a
 * provider. It wants a good key that may use the model, costs nothing, and leaves no record. */
#ifndef GATEWAY_COUNT_TOKENS_H
#define GATEWAY_COUNT_TOKENS_H

#include "gateway/inside.h"

bool count_is_path(struct slice path);
/* Ends in a reply, later where a worker counts. */
void count_begin(struct gateway *gateway, struct exchange *exchange);

#endif
