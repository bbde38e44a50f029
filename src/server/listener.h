/* SPDX-License-Identifier: Apache-2.0
 * An HTTP/1.1 listener on an event loop: implements codec/exchange.h over libmicrohttpd.
 *
 * PROMISES  the handler sees whole requests within the limits below; what is malformed, too large
 *   or too slow is answered or cut here. A client that leaves while its exchange is the handler's
 *   is noticed (gone()) even when nothing is being sent; one that closes only its sending side
 *   counts as gone, but a plain reply() is still sent to it. begin(), gone() and drained() are
 *   called from the loop, never from inside the handler's own calls of exchange_ops.
 * LIMITS  over connections_max: new ones wait in the kernel's queue. Head over header_max: 431.
 *   Body over body_max: 413. Body not there within request_timeout_ms: 408 and cut. No whole head
 *   within request_timeout_ms of connecting, or idle_timeout_ms plus that after a reply: closed. A
 *   client that takes nothing for idle_timeout_ms while it is being sent to: cut.
 * THREAD  the loop's. */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include "codec/exchange.h"
#include "mete.h"
#include "server/loop.h"

struct listener;

/* One exchange is over: for the log and the metrics. Slices die when the function returns. */
struct listener_done {
    uint64_t exchange;
    struct slice method, path;
    int status; /* 0: none was sent */
    bool gone;  /* the client left before it had everything */
    int64_t duration_us;
    uint64_t body_len, reply_len; /* bytes of the request's body; of the reply's, as written */
};

struct listener_options {
    const char
        *address; /* "127.0.0.1:8081", "[::1]:0", ":80" for every address; port 0: a free one */
    struct exchange_handler handler;
    void (*done)(void *user, const struct listener_done *done); /* may be NULL */
    void *user;
    uint32_t connections_max;                    /* 0: LIMIT_CONNECTIONS */
    size_t header_max, body_max;                 /* 0: LIMIT_HEADER, LIMIT_BODY */
    int64_t request_timeout_ms, idle_timeout_ms; /* 0: 30 s, 75 s */
};

/* handler and options are copied. INVALID: the address; FULL: it is taken, or no descriptors;
 * MEMORY. ret_detail, unless NULL, gets a sentence on failure. */
METE_MUST_USE int listener_open(struct loop *loop, const struct listener_options *options,
                                struct listener **ret_listener, char ret_detail[256]);
const char *listener_address(const struct listener *listener); /* "127.0.0.1:41234", as bound */

/* Stopping: quiet (no new connections, idle ones closed, replies say Connection: close), wait until
 * nothing is open, or call off (every open exchange gets its gone()) and wait again; then close. */
void listener_quiet(struct listener *listener);
void listener_call_off(struct listener *listener);
void listener_close(struct listener *listener); /* no exchange may be the handler's */

struct listener_counts {
    uint64_t accepted, requests, refused; /* refused: 4xx by the listener itself, and cut ones */
    uint32_t connections;
    uint32_t open; /* exchanges that are the handler's */
};
void listener_counts(const struct listener *listener, struct listener_counts *ret_counts);

#endif
