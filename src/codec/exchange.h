/* SPDX-License-Identifier: Apache-2.0
 * One HTTP exchange, as those who answer it see it: no sockets, no threads. The server implements
 * it over its listener, the command over memory; gateway, API and simulator answer it.
 *
 * LIFE   handler.begin(exchange) once the whole request is there. The exchange stays valid until
 *        the handler has called reply() or finish(), exactly one of them, once; not necessarily
 *        inside begin(). If the client leaves first, gone() is called; the handler still ends
 *        the exchange, and what it writes goes nowhere.
 * THREAD everything on the event loop that began it.
 * MEMORY what the request's slices point at lives as long as the exchange. Reply bytes are copied.
 */
#ifndef CODEC_EXCHANGE_H
#define CODEC_EXCHANGE_H

#include "base/buffer.h"
#include "codec/address.h"

#include <stdint.h>

struct exchange;

struct exchange_header {
    const char *name;
    struct slice value; /* no CR, LF or NUL: the implementation asserts it */
};

struct exchange_ops {
    /* Value of a request header, names compared without case; empty if absent. */
    struct slice (*header)(const struct exchange *exchange, const char *name);
    /* The whole reply at once; ends the exchange. Content-Length is added. */
    void (*reply)(struct exchange *exchange, int status, const struct exchange_header *headers,
                  size_t headers_len, struct slice body);
    /* Or: the head of a reply of unknown length, then pieces, then finish(). */
    void (*start)(struct exchange *exchange, int status, const struct exchange_header *headers,
                  size_t headers_len);
    /* Returns how many bytes now wait for the client. Over EXCHANGE_QUEUE_HIGH the handler should
     * stop its source until drained() is called. */
    size_t (*write)(struct exchange *exchange, struct slice bytes);
    void (*finish)(struct exchange *exchange);
    /* Moves the memory behind the body to the caller, who frees it; body goes on pointing into it.
     * Empty: the body outlives the exchange by itself. Once. */
    struct buffer (*take_body)(struct exchange *exchange);
};

enum { EXCHANGE_QUEUE_HIGH = 256 * 1024, EXCHANGE_QUEUE_LOW = 64 * 1024 };

struct exchange {
    const struct exchange_ops *ops;
    struct slice method, path, query, body; /* path and query as sent, still percent-encoded */
    uint64_t id;                            /* unique in this process */
    struct address peer;                    /* who asks: whoever is connected, or a trusted
                                               proxy says. Not known: its bytes are the proxy's */
    bool is_secure;                         /* the connection has TLS */
    void *state;                            /* the handler's own */
};

struct exchange_handler {
    void *self;
    void (*begin)(void *self, struct exchange *exchange);
    void (*gone)(void *self, struct exchange *exchange);
    void (*drained)(void *self, struct exchange *exchange); /* queue fell to EXCHANGE_QUEUE_LOW */
};

/* The value of a query parameter, percent-decoded into room (not terminated), + being a space as
 * forms have it. The first one if repeated; "a" without = is empty. Returns its length, -1 if the
 * parameter is absent, -2 for a bad escape or a value longer than room_len. */
int exchange_query(const struct exchange *exchange, const char *name, char *room, size_t room_len);

#endif
