/* SPDX-License-Identifier: Apache-2.0
 * Inside of the listener: one connection, and the one exchange it carries at a time.
 * listener.c has the sockets and the limits of time, connection.c the exchange. */
#ifndef SERVER_CONNECTION_H
#define SERVER_CONNECTION_H

#include "base/buffer.h"
#include "server/listener.h"

#include <microhttpd.h>

enum connection_phase {
    CONNECTION_HEAD = 0, /* waiting for a request's head */
    CONNECTION_BODY,     /* for its body */
    CONNECTION_ASKED,    /* the handler has it and has not replied */
    CONNECTION_REPLY     /* a reply is on its way */
};

enum { CONNECTION_TELL_GONE = 1, CONNECTION_TELL_DRAINED = 2, CONNECTION_DEAD = 4 };

struct connection_header { /* offsets into text */
    uint32_t name, value, value_len;
};

struct connection {
    struct exchange exchange; /* first: the interface's functions come back from it */
    struct listener *listener;
    struct MHD_Connection *mhd; /* NULL: microhttpd has closed it */
    struct connection *prev, *next;
    struct connection *news_next; /* listener->news, while news is not 0 */
    int fd;
    unsigned news;
    enum connection_phase phase;
    bool owned;     /* the exchange is the handler's */
    bool inside;    /* in the handler's begin() */
    bool suspended; /* microhttpd leaves it alone */
    bool watched;   /* for its client leaving */
    bool peer_gone; /* the client has closed, at least its sending side */
    bool told;      /* gone() was called for this exchange */
    bool cut;       /* this exchange can have no more bytes: memory, or its client is gone */
    bool streaming, finished, queue_high, body_over;
    bool used;        /* has had a whole request before */
    int64_t since_us; /* beginning of the phase */
    int64_t begun_us; /* end of the request's head */
    int status;
    struct MHD_Response *response; /* made, not yet given to microhttpd */
    struct buffer text;            /* target, method, headers of the request */
    struct connection_header *headers;
    size_t headers_len, headers_room;
    struct buffer body;
    struct buffer queue; /* bytes of a stream, from queue_from on */
    size_t queue_from;
    uint64_t reply_len;
};

struct listener {
    struct loop *loop;
    struct loop_stage stage;
    struct listener_options options;
    struct MHD_Daemon *mhd;
    struct connection *connections;
    struct connection *news; /* with something to tell their handler */
    struct timer sweep;
    bool due;   /* microhttpd has something to do */
    bool quiet; /* no new connections */
    int socket, epoll_fd;
    struct listener_counts counts;
    char address[128];
};

void connection_new(struct listener *listener, struct MHD_Connection *mhd, void **ret_context);
void connection_closed(struct connection *connection); /* microhttpd lets go of it */
void connection_cut(struct connection *connection);    /* shuts the socket; the rest follows */
void connection_call_off(struct connection *connection);
void connection_news(struct listener *listener); /* tells handlers; frees the dead */

/* Callbacks of microhttpd's. */
void *connection_target(void *user, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result connection_request(void *user, struct MHD_Connection *mhd, const char *url,
                                   const char *method, const char *version, const char *upload,
                                   size_t *upload_len, void **context);
void connection_completed(void *user, struct MHD_Connection *mhd, void **context,
                          enum MHD_RequestTerminationCode how);

#endif
