/* SPDX-License-Identifier: Apache-2.0
 * Bedrock's converse (the dialect "bedrock-converse"): its parts, for dialect_converse() and tests.
 */
#ifndef DIALECT_CONVERSE_H
#define DIALECT_CONVERSE_H

#include "dialect/chat.h"

/* Of dialect_stream.told: the client has been told why the stream ends. */
enum { CONVERSE_STOPPED = 1 };

int converse_read_request(const struct dialect_target *target, struct slice body,
                          struct dialect_request *ret_request, struct dialect_error *ret_error);
void converse_read_answer(struct slice body, struct dialect_answer *ret_answer);
void converse_read_event(struct dialect_stream *stream, const struct frame *event,
                         struct dialect_event *ret_event);

int converse_read_whole(struct slice body, struct neutral_sink *sink);
int converse_read_delta(struct dialect_stream *stream, const struct frame *event,
                        struct neutral_sink *sink);
extern const struct dialect_neutral converse_neutral;

#endif
