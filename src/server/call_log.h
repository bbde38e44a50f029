/* SPDX-License-Identifier: Apache-2.0
 * The log line of one gateway call, the event `call` of tables/events.h: OpenTelemetry's attributes
 * where they have a name for it (gen_ai.*, server.*, http.*, error.type, trace_id, span_id), else
 * mete.*. A field that is not known is left out. */
#ifndef SERVER_CALL_LOG_H
#define SERVER_CALL_LOG_H

#include "gateway/gateway.h"

void call_log(const struct gateway_call_done *done);

#endif
