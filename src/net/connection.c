/* SPDX-License-Identifier: Apache-2.0
 * One connection and the exchange it carries.
 *
 *   HEAD --head whole--> BODY --body whole: begin()--> ASKED --reply() or start()--> REPLY
 *    ^                     \--refused here------------------------------------------/  |
 *    \--the reply is with the kernel, and the connection goes on-----------------------/
 *                                                 or it ends: --> LINGER --> closed
 *
 * owned says whose the exchange is; it falls with reply() or finish(). A connection whose socket is
 * closed stays until the handler has ended the exchange.
 *
 * One registration with epoll for all of a connection's life, for edges (EPOLLET): what an edge
 * said stays in readable until the socket was found empty, so that it may be read when its turn
 * has come: while an exchange is the handler's, nothing is, and what else a client sends waits in
 * the kernel. A read that brings less than was asked for has emptied the socket. EPOLLOUT is added
 * once a socket took no more, and then stays: there are no edges of it without such a refusal.
 *
 * A client that closes its sending side may have left, or may wait for its answer (nc -N): the two
 * look alike until something is sent. Where a stream is under way its next piece finds out. Where
 * nothing of the reply is, an interim response does (102; a client must bear any number of them):
 * who has left answers it with a reset. Over TLS, and with HTTP/1.0, closing is leaving.
 *
 * What is written, told or freed is noted, and done in the listener's turn: so handlers are never
 * called from inside their own calls, and what they wrote in one round goes out in one send.
 *
 * A connection that ends while its client may still be sending is not closed at once: the kernel
 * would answer what comes with a reset, which takes the reply from the client's hands. It lingers:
 * says that it is done, and drops what comes for a while. */
#include "net/connection.h"

#include "base/assert.h"
#include "base/limits.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- Life ------------------------------------------------------------------------------------ */

static bool watch(struct connection *connection);

static void enlist(struct connection *connection)
{
    struct listener *listener = connection->listener;
    connection->next = listener->connections;
    if (connection->next)
        connection->next->prev = connection;
    listener->connections = connection;
    listener->counts.connections++;
}

bool connection_new(struct listener *listener, int fd, uint64_t address, const struct address *peer)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) {
        close(fd);
        return false;
    }
    connection->exchange.ops = &connection_operations;
    connection->peer = connection->exchange.peer = *peer;
    connection->exchange.is_secure = listener->tls != NULL;
    connection->listener = listener;
    connection->fd = fd;
    connection->address = address;
    connection->since_us = loop_now_us(listener->loop);
    buffer_init(&connection->in, listener->options.header_max + CONNECTION_PIECE);
    buffer_init(&connection->out, SIZE_MAX / 2); /* of a stream LIMIT_REPLY_QUEUE; of a reply, it */
    if (!wire_open(connection) || !watch(connection)) {
        wire_close(connection);
        free(connection);
        return false;
    }
    enlist(connection);
    return true;
}

void connection_free(struct connection *connection)
{
    struct listener *listener = connection->listener;
    ASSERT(!connection->owned && connection->fd < 0 && !connection->news);
    if (connection->prev)
        connection->prev->next = connection->next;
    else
        listener->connections = connection->next;
    if (connection->next)
        connection->next->prev = connection->prev;
    free(connection->head.fields);
    buffer_done(&connection->in);
    buffer_done(&connection->body);
    buffer_done(&connection->out);
    free(connection);
}

void connection_note(struct connection *connection, unsigned news)
{
    struct listener *listener = connection->listener;
    if (!connection->news) {
        connection->news_next = listener->news;
        listener->news = connection;
    }
    connection->news |= news;
}

void connection_note_gone(struct connection *connection)
{
    if (connection->owned && !connection->told)
        connection_note(connection, CONNECTION_TELL_GONE);
}

/* ---- The end of an exchange, and of a connection --------------------------------------------- */

static void report(struct connection *connection)
{
    const struct listener_options *options = &connection->listener->options;
    bool known = connection->known;
    connection->known = false;
    if (!known || !options->done)
        return;
    const struct listener_done done = {
        .exchange = connection->exchange.id,
        .method = connection->exchange.method,
        .path = connection->exchange.path,
        .status = connection->status,
        .gone = connection->cut || connection->peer_gone || !connection->status,
        .duration_us = loop_now_us(connection->listener->loop) - connection->begun_us,
        .body_len = connection->exchange.body.len,
        .reply_len = connection->reply_len,
    };
    options->done(options->user, &done);
}

void connection_close(struct connection *connection)
{
    struct listener *listener = connection->listener;
    if (connection->fd < 0)
        return;
    loop_forget(listener->loop, connection->fd);
    listener->counts.refused += connection->shaking;
    wire_close(connection);
    connection_drop_queue(connection);
    if (connection->address)
        crowd_leave(&listener->addresses, connection->address);
    listener->counts.connections--;
    connection->cut = true;
    if (connection->owned) {
        connection_note_gone(connection);
    } else {
        report(connection);
        connection_note(connection, CONNECTION_DEAD);
    }
}

void connection_reset(struct connection *connection)
{
    const struct linger none = {.l_onoff = 1};
    if (connection->fd >= 0)
        setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    connection_close(connection);
}

/* Its client may have sent, or still be sending, what nobody will read. */
static void linger(struct connection *connection)
{
    connection->phase = CONNECTION_LINGER;
    connection->since_us = loop_now_us(connection->listener->loop);
    connection->body_got = 0;
    wire_end(connection);
    connection_read(connection);
}

static void next_request(struct connection *connection)
{
    connection_forget_request(connection);
    connection->phase = CONNECTION_HEAD;
    connection->since_us = loop_now_us(connection->listener->loop);
    connection->reply_len = 0;
    connection->body_got = 0;
    connection->status = 0;
    connection->told = connection->closes = connection->headless = connection->chunked = false;
    connection->streaming = connection->finished = connection->queue_high = false;
    if (connection->in.len || connection->readable)
        connection_note(connection, CONNECTION_READ);
}

void connection_over(struct connection *connection)
{
    ASSERT(!connection->owned && connection->phase == CONNECTION_REPLY);
    if (connection->cut) {
        connection_close(connection);
        return;
    }
    report(connection);
    if (!connection->closes && !connection->listener->quiet) {
        next_request(connection);
    } else if (connection->readable || !http1_body_is_whole(&connection->framing)) {
        linger(connection);
    } else {
        if (connection->session)
            wire_end(connection);
        connection_close(connection);
    }
}

void connection_end(struct connection *connection)
{
    ASSERT(connection->owned);
    connection->owned = false;
    connection->listener->counts.open--;
    connection->phase = CONNECTION_REPLY; /* also where there is none */
    if (connection->fd >= 0) {
        connection_note(connection, CONNECTION_SEND);
        return;
    }
    report(connection);
    connection_note(connection, CONNECTION_DEAD);
}

/* ---- The client leaving ---------------------------------------------------------------------- */

void connection_ask_client(struct connection *connection)
{
    if (!connection->owned || connection->peer_gone)
        return;
    if (connection->session || connection->head.is_1_0) {
        connection->peer_gone = true;
        connection_note_gone(connection);
    } else if (connection->phase == CONNECTION_ASKED &&
               connection_put(connection, SLICE_LITERAL("HTTP/1.1 102 Processing\r\n\r\n"))) {
        connection->cut = true; /* no memory */
        connection_note_gone(connection);
    }
}

static void client_left(struct connection *connection)
{
    connection->peer_gone = true;
    connection_close(connection);
}

/* ---- Events ---------------------------------------------------------------------------------- */

static void shake(struct connection *connection)
{
    if (!wire_shake(connection) || (connection->blocked && !watch(connection)))
        connection_close(connection);
    else if (!connection->shaking)
        connection_read(connection);
}

static void connection_ready(void *user, uint32_t events)
{
    struct connection *connection = user;
    if (events & (EPOLLHUP | EPOLLERR)) {
        client_left(connection);
        return;
    }
    connection->readable |= (events & (EPOLLIN | EPOLLRDHUP)) != 0;
    connection->half |= (events & EPOLLRDHUP) != 0;
    if (connection->shaking) {
        shake(connection);
        return;
    }
    if (events & EPOLLRDHUP)
        connection_ask_client(connection);
    if ((events & EPOLLOUT) && connection->blocked) {
        connection->blocked = false;
        connection_note(connection, CONNECTION_SEND);
    }
    if (events & (EPOLLIN | EPOLLRDHUP))
        connection_read(connection);
}

static bool watch(struct connection *connection)
{
    uint32_t outwards = connection->blocked ? EPOLLOUT : 0;
    if (outwards && connection->outwards)
        return true;
    connection->outwards = outwards != 0;
    return loop_watch(connection->listener->loop, connection->fd,
                      EPOLLIN | EPOLLRDHUP | EPOLLET | outwards, connection_ready, connection) == 0;
}

/* ---- The turn -------------------------------------------------------------------------------- */

static void tell(struct connection *connection, unsigned news)
{
    const struct exchange_handler *handler = &connection->listener->options.handler;
    if (!connection->owned || connection->told)
        return;
    if (news & CONNECTION_TELL_GONE) {
        connection->told = true;
        connection->cut |= connection->streaming;
        handler->gone(handler->self, &connection->exchange);
    } else if (news & CONNECTION_TELL_DRAINED) {
        handler->drained(handler->self, &connection->exchange);
    }
}

static void send_on(struct connection *connection)
{
    connection_send(connection);
    if (connection->blocked && !watch(connection))
        client_left(connection);
}

static void see_to(struct connection *connection, unsigned news)
{
    if (news & CONNECTION_SEND)
        send_on(connection);
    if (news & (CONNECTION_TELL_GONE | CONNECTION_TELL_DRAINED))
        tell(connection, news);
    if (news & CONNECTION_READ)
        connection_read(connection);
    if (!(news & CONNECTION_DEAD))
        return;
    if (connection->news)
        connection_note(connection, CONNECTION_DEAD);
    else
        connection_free(connection);
}

void connection_turn(struct listener *listener)
{
    struct connection *connection = listener->news;
    listener->news = NULL;
    while (connection) {
        struct connection *next = connection->news_next;
        unsigned news = connection->news;
        connection->news = 0;
        see_to(connection, news);
        connection = next;
    }
}
