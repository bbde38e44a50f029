/* SPDX-License-Identifier: Apache-2.0
 * What the gateway asks of whoever talks to providers: one HTTP transfer. server/ implements it
 * with libcurl, tests with a script. Everything on the gateway's event loop. */
#ifndef GATEWAY_UPSTREAM_H
#define GATEWAY_UPSTREAM_H

#include "codec/exchange.h"

struct upstream_request {
    const char *method; /* "POST" */
    const char *url;
    const struct exchange_header *headers;
    size_t headers_len;
    struct slice body; /* borrowed until end() */
    int64_t connect_timeout_ms, first_byte_timeout_ms, idle_timeout_ms, total_timeout_ms;
};

enum upstream_end {
    UPSTREAM_DONE = 0,
    UPSTREAM_NOT_SENT, /* no connection: nothing reached the provider */
    UPSTREAM_LOST,     /* broke off after sending began: the outcome is unknown */
    UPSTREAM_TIMEOUT,  /* first byte, idle or total; the outcome is unknown */
    UPSTREAM_CANCELLED /* by cancel() */
};

/* Embedded in the caller's object. After a start() that returned 0: head() at most once, data()
 * any number of times after it, end() exactly once and last; none of them inside start(),
 * cancel() or pause(). */
struct upstream_transfer {
    void (*head)(struct upstream_transfer *transfer, int status);
    void (*data)(struct upstream_transfer *transfer, struct slice bytes);
    void (*end)(struct upstream_transfer *transfer, enum upstream_end end, const char *why);
    void *carrier; /* the implementation's */
};

struct upstream {
    /* METE_E_BUSY: too many transfers; METE_E_INVALID: a URL it cannot use. */
    int (*start)(struct upstream *upstream, const struct upstream_request *request,
                 struct upstream_transfer *transfer);
    void (*cancel)(struct upstream *upstream, struct upstream_transfer *transfer);
    void (*pause)(struct upstream *upstream, struct upstream_transfer *transfer, bool paused);
    /* A response header, from head() until end() has returned; empty if absent. */
    struct slice (*header)(struct upstream *upstream, struct upstream_transfer *transfer,
                           const char *name);
};

#endif
