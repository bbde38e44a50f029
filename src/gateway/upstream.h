/* SPDX-License-Identifier: Apache-2.0
 * What the gateway asks of whoever talks to providers: one HTTP transfer. server/ implements it
 * over sockets, tests with a script. Everything on the gateway's event loop. */
#ifndef GATEWAY_UPSTREAM_H
#define GATEWAY_UPSTREAM_H

#include "codec/exchange.h"

enum { UPSTREAM_PIECES_MAX = 24 };

enum upstream_http {
    UPSTREAM_HTTP_AUTO = 0, /* 2 over TLS where it is offered, else 1.1 */
    UPSTREAM_HTTP_1_1,
    UPSTREAM_HTTP_2 /* over TLS, where it is offered; in clear, without asking */
};

/* How one provider is reached. Texts NULL or "": none. Transfers over equal wires share their
 * connections, others never do. Certificates are always checked. */
struct upstream_wire {
    const char *proxy;                /* http, https, socks5 (asks its names here) or socks5h URL */
    const char *ca_file;              /* PEM; in place of the system's */
    const char *cert_file, *key_file; /* PEM: shown to a provider that asks */
    enum upstream_http http;
    const char *aws_region;   /* of what is signed; none: it stands in the host */
    uint32_t connections_max; /* to one host; more wait. 0: no limit */
    uint32_t idle_max;        /* kept open for later; 0: the implementation's */
};

/* All but the body's bytes is copied by start(). */
struct upstream_request {
    const char *method; /* "POST" */
    const char *url;
    const struct exchange_header *headers;
    size_t headers_len;
    const struct slice *body; /* in pieces, sent as one; the bytes are borrowed until end(), or
                                 until head() says that they were sent */
    size_t body_len;          /* pieces; at most UPSTREAM_PIECES_MAX */
    const struct upstream_wire *wire; /* NULL: all defaults; borrowed during start() */
    struct slice sign_with; /* for AWS (SigV4): "ID:SECRET[:TOKEN]"; empty: it is not signed */
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
    void *carrier;      /* the implementation's */
    bool body_sent;     /* set before head(): the body was sent whole, and its bytes may go now */
    bool ends_by_close; /* likewise: no length was told, so a break looks like an end */
};

struct upstream {
    /* METE_E_BUSY: too many transfers; METE_E_INVALID: a URL it cannot use, or cannot sign. */
    int (*start)(struct upstream *upstream, const struct upstream_request *request,
                 struct upstream_transfer *transfer);
    void (*cancel)(struct upstream *upstream, struct upstream_transfer *transfer);
    void (*pause)(struct upstream *upstream, struct upstream_transfer *transfer, bool paused);
    /* A response header, from head() until end() has returned; empty if absent. */
    struct slice (*header)(struct upstream *upstream, struct upstream_transfer *transfer,
                           const char *name);
};

#endif
