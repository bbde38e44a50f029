/* SPDX-License-Identifier: Apache-2.0
 * An HTTP/1.1 listener on an event loop: implements codec/exchange.h over sockets.
 *
 * PROMISES  the handler sees whole requests within the limits below; what is malformed, too large
 *   or too slow is answered or cut here. A client that leaves while its exchange is the handler's
 *   is noticed (gone()) even when nothing is being sent; one that closes only its sending side and
 *   still reads is answered (over TLS, and with HTTP/1.0, it counts as gone; a plain reply() is
 *   still sent to it). begin(), gone() and drained() are called from the loop, never from inside
 *   the handler's own calls of exchange_ops.
 *   Every reply has an x-request-id: the handler's, else the client's, else one of ours. What is
 *   refused here can be read by a client that is still sending: what it sends is dropped for a
 *   moment (LIMIT_LINGER_MS, and no more than twice body_max), then it is cut.
 * COST  of a request with a body of some KB a recv and a send; of a stream one send for all that
 * was written to it in a round of the loop. An open exchange keeps its head, and its connection
 * about a KB; a body is its handler's (take_body). LIMITS  over connections_max: new ones wait in
 * the kernel's queue; over address_max: closed. Head over header_max: 431. Body over body_max: 413.
 * Body not there within request_timeout_ms, or slower than body_rate: 408 and cut. No whole head
 * within request_timeout_ms of connecting, no byte of one idle_timeout_ms after a reply, or no
 * whole one both together after it: closed. A client that takes nothing for idle_timeout_ms, or
 * less than drain_rate of what waits for it: reset. One that vanished without a word: gone() after
 * about idle_timeout_ms. A body takes memory as it arrives, not before. THREAD  the loop's. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "codec/exchange.h"
#include "codec/forwarded.h"
#include "mete.h"
#include "net/loop.h"
#include "net/tls.h"

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
    uint32_t address_max;                        /* connections of one address; 0: no limit */
    uint64_t body_rate, drain_rate;              /* bytes a second; 0: no least rate */
    /* Proxies that are believed when they say whom they ask for; borrowed. exchange.peer is the
     * client then (codec/forwarded.h); whom address_max counts is whoever is connected. */
    struct forwarded_trust trusted;
    struct tls_files tls; /* certificate NULL or "": plain HTTP. The names are borrowed */
    /* The certificate's files were read again: error 0, the pair is in use; else detail says what
     * is wrong, and the pair of before goes on. May be NULL. */
    void (*certificate)(void *user, int error, const char *detail);
};

/* handler and options are copied. INVALID: the address; FULL: it is taken, or no descriptors;
 * MEMORY. ret_detail, unless NULL, gets a sentence on failure. */
METE_MUST_USE int listener_open(struct loop *loop, const struct listener_options *options,
                                struct listener **ret_listener, char ret_detail[256]);
const char *listener_address(const struct listener *listener);   /* "127.0.0.1:41234", as bound */
const struct tls *listener_tls(const struct listener *listener); /* NULL: plain */
/* Reads the certificate's files now; they are read anyway a second or two after they change. */
void listener_reload(struct listener *listener);

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
