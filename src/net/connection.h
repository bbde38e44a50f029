/* SPDX-License-Identifier: Apache-2.0
 * Inside of the listener: one connection, and the one exchange it carries at a time.
 *
 *   listener.c          the listening socket, whom it lets in, turns, stopping
 *   connection.c        a connection's life; its client leaving; the end of an exchange
 *   connection_read.c   bytes to a request
 *   connection_reply.c  what a handler writes, as HTTP/1.1
 *   connection_write.c  the bytes that wait for the client
 *   wire.c              a socket, plain or with TLS over it
 *   sweep.c             the end of what is too slow */
#ifndef NET_CONNECTION_H
#define NET_CONNECTION_H

#include "base/buffer.h"
#include "base/crowd.h"
#include "codec/http1.h"
#include "net/listener.h"
#include "net/tls.h"

#include <sys/types.h>

enum connection_phase {
    CONNECTION_HEAD = 0, /* waiting for a request's head */
    CONNECTION_BODY,     /* for its body */
    CONNECTION_ASKED,    /* the handler has it and has not replied */
    CONNECTION_REPLY,    /* a reply is on its way */
    CONNECTION_LINGER    /* all is said; what still comes is dropped, so that it can be read */
};

/* What is to be done in the listener's turn: connection_note(). */
enum {
    CONNECTION_TELL_GONE = 1,
    CONNECTION_TELL_DRAINED = 2,
    CONNECTION_SEND = 4,
    CONNECTION_READ = 8,
    CONNECTION_DEAD = 16
};

enum {
    CONNECTION_PIECE = 32 * 1024, /* taken from a socket at once */
    CONNECTION_FIELDS = 256,      /* of one request's head */
    CONNECTION_ID_ROOM = 32,      /* of an id of ours */
    CONNECTION_KEPT = 512,        /* room that an idle connection, or a silent stream, keeps */
    CONNECTION_DATE_ROOM = 40
};

/* How fast the client sends its body, or takes its reply (sweep.c). */
struct connection_pace {
    int64_t from_us, moved_us; /* when this stretch began; when a byte went last */
    uint64_t from, moved;      /* bytes that had gone by then */
    uint64_t waiting;          /* that waited to go, when the stretch began */
};

struct connection {
    struct exchange exchange; /* first: the interface's functions come back from it */
    struct listener *listener;
    struct connection *prev, *next;
    struct connection *news_next; /* listener->news, while news is not 0 */
    gnutls_session_t session;     /* NULL: no TLS */
    struct tls_pair *pair;
    int fd; /* -1: closed */
    unsigned news;
    enum connection_phase phase;
    bool owned;     /* the exchange is the handler's */
    bool shaking;   /* the TLS handshake is not done */
    bool readable;  /* its socket may have more for us: it is watched for edges */
    bool blocked;   /* its socket takes no more for now */
    bool outwards;  /* its socket is watched for taking more, too */
    bool held;      /* a record of TLS waits inside the session */
    bool half;      /* the client has closed its sending side; whether more is not known */
    bool peer_gone; /* the client has left */
    bool told;      /* gone() was called for this exchange */
    bool cut;       /* this exchange can have no more bytes: memory, or its client is gone */
    bool known;     /* the exchange has a head: its end is reported */
    bool headless;  /* the reply has no body, whatever is written: a HEAD, or 204 and 304 */
    bool chunked;   /* the reply's body is */
    bool closes;    /* the connection ends with this exchange */
    bool streaming, finished, queue_high;
    bool used;        /* has had a whole request before */
    uint64_t address; /* whom it is counted as in listener->addresses; 0: not */
    struct address peer;
    int64_t since_us; /* beginning of the phase */
    int64_t begun_us; /* end of the request's head */
    struct connection_pace pace;
    int status;
    uint64_t body_got, reply_len; /* body_got: while it lingers, what was dropped */
    struct http1_head head;       /* its fields, and what they lie in, are one block */
    struct slice text;
    struct http1_body framing;
    struct buffer in; /* what came and is no request's yet */
    size_t seen;      /* of it, in search of a head's end */
    struct buffer body;
    struct buffer out; /* bytes for the client, from out_from on */
    size_t out_from;
};

struct listener {
    struct loop *loop;
    struct loop_stage stage;
    struct listener_options options;
    struct connection *connections;
    struct connection *news; /* with something to be done in the turn */
    struct tls *tls;         /* NULL: plain */
    struct timer sweep;
    struct crowd addresses; /* if a limit for each is set */
    bool ringing;           /* somebody may wait to be let in */
    bool quiet;             /* no new connections */
    int socket;
    struct listener_counts counts;
    int64_t date_s; /* of date */
    char date[CONNECTION_DATE_ROOM];
    char address[128];
    char room[CONNECTION_PIECE]; /* what was read last, until somebody has taken it */
};

/* ---- connection.c ---------------------------------------------------------------------------- */

/* Takes fd, which is accepted and does not block. False, and fd is closed: no memory, or no room in
 * epoll. */
bool connection_new(struct listener *listener, int fd, uint64_t address,
                    const struct address *peer);
void connection_free(struct connection *connection); /* closed, not owned, nothing noted */
/* At once, wherever it stands. The handler that has its exchange is told. */
void connection_close(struct connection *connection);
/* The same, and the client is told that it is: nothing of what it did not take stays anywhere. */
void connection_reset(struct connection *connection);
void connection_note(struct connection *connection, unsigned news);
void connection_note_gone(struct connection *connection); /* if the exchange is the handler's */
/* The handler is done with the exchange. */
void connection_end(struct connection *connection);
/* Its reply is with the kernel: what follows is another request, or the end. */
void connection_over(struct connection *connection);
/* Whether a client that has closed its sending side has left: asks, where it can be asked. */
void connection_ask_client(struct connection *connection);
void connection_turn(struct listener *listener); /* what was noted */

/* ---- connection_read.c ----------------------------------------------------------------------- */

void connection_read(struct connection *connection); /* what there is; hands on whole requests */
void connection_forget_request(struct connection *connection);

/* ---- connection_reply.c ---------------------------------------------------------------------- */

extern const struct exchange_ops connection_operations;

/* A reply of the listener's own, after which the connection ends. */
void connection_refuse(struct connection *connection, int status);

/* ---- connection_write.c ---------------------------------------------------------------------- */

/* To be sent in the turn. MEMORY, TOO_LARGE: nothing of it will be. */
METE_MUST_USE int connection_put(struct connection *connection, struct slice bytes);
void connection_send(struct connection *connection); /* what waits, as far as it goes */
static inline size_t connection_waiting(const struct connection *connection)
{
    return connection->out.len - connection->out_from;
}
void connection_drop_queue(struct connection *connection);

/* ---- wire.c ---------------------------------------------------------------------------------- */

enum { WIRE_AGAIN = -1, WIRE_LOST = -2 };

/* False: no memory. */
bool wire_open(struct connection *connection);
/* Goes on with the handshake; false: it has failed. connection->shaking falls when it is done. */
bool wire_shake(struct connection *connection);
void wire_end(struct connection *connection); /* says that no more will come */
void wire_close(struct connection *connection);
/* Bytes, 0 at the end (of reading), WIRE_AGAIN or WIRE_LOST. */
ssize_t wire_recv(struct connection *connection, char *room, size_t len);
ssize_t wire_send(struct connection *connection, struct slice bytes);
/* As wire_recv(), beneath TLS, and what came is not kept. */
ssize_t wire_drop(struct connection *connection, char *room, size_t len);

/* ---- sweep.c --------------------------------------------------------------------------------- */

void sweep(struct listener *listener); /* once a second */

#endif
