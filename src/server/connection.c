/* SPDX-License-Identifier: Apache-2.0
 * One connection and the exchange it carries.
 *
 *   HEAD --head whole--> BODY --body whole: begin()--> ASKED --reply() or start()--> REPLY --> HEAD
 *                          \--refused here-------------------------------------------/
 *
 * owned says whose the exchange is; it falls with reply() or finish(). While it is owned and
 * nothing can be sent the connection is suspended, and so off microhttpd's epoll: a client that
 * leaves then is seen by a watch of our own (EPOLLRDHUP, edge-triggered, set once a connection).
 *
 * microhttpd closes a connection whose client fails while it is being sent to, owned or not. So
 * everything the exchange's slices point at is copied out of its memory once, at the head; and a
 * struct connection outlives its MHD_Connection until the handler has ended the exchange.
 *
 * Handlers are told (gone, drained) from the listener's turn, never inside microhttpd's callbacks
 * or their own calls: the news list.
 *
 * Not done: replies without copying. A reply is a few hundred bytes, or a stream. */
#include "server/connection.h"

#include "base/assert.h"
#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

enum { KEPT_ROOM = 4096, STREAM_BLOCK = 4096, BEYOND_HEAD = 65536, HEADERS_FIRST = 16 };

static const struct exchange_ops operations;

/* ---- Life ------------------------------------------------------------------------------------ */

void connection_new(struct listener *listener, struct MHD_Connection *mhd, void **ret_context)
{
    listener->counts.accepted++;
    struct connection *connection = calloc(1, sizeof *connection);
    *ret_context = connection;
    if (!connection)
        return; /* its first request finds no context, and is closed */
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    connection->exchange.ops = &operations;
    connection->listener = listener;
    connection->mhd = mhd;
    connection->fd = info->connect_fd;
    connection->since_us = loop_now_us(listener->loop);
    buffer_init(&connection->text, listener->options.header_max + BEYOND_HEAD);
    buffer_init(&connection->body, listener->options.body_max);
    buffer_init(&connection->queue, LIMIT_REPLY_QUEUE);
    connection->next = listener->connections;
    if (connection->next)
        connection->next->prev = connection;
    listener->connections = connection;
    listener->counts.connections++;
}

static void connection_free(struct connection *connection)
{
    struct listener *listener = connection->listener;
    ASSERT(!connection->owned && !connection->mhd && !connection->news);
    if (connection->prev)
        connection->prev->next = connection->next;
    else
        listener->connections = connection->next;
    if (connection->next)
        connection->next->prev = connection->prev;
    if (connection->response)
        MHD_destroy_response(connection->response);
    buffer_done(&connection->text);
    buffer_done(&connection->body);
    buffer_done(&connection->queue);
    free(connection->headers);
    free(connection);
}

/* To be told or freed in the listener's turn. */
static void connection_note(struct connection *connection, unsigned news)
{
    struct listener *listener = connection->listener;
    if (!connection->news) {
        connection->news_next = listener->news;
        listener->news = connection;
    }
    connection->news |= news;
}

static void note_gone(struct connection *connection)
{
    if (connection->owned && !connection->told)
        connection_note(connection, CONNECTION_TELL_GONE);
}

void connection_closed(struct connection *connection)
{
    struct listener *listener = connection->listener;
    loop_forget(listener->loop, connection->fd);
    connection->mhd = NULL;
    connection->suspended = false;
    listener->counts.connections--;
    if (connection->owned)
        note_gone(connection);
    else
        connection_note(connection, CONNECTION_DEAD);
}

void connection_cut(struct connection *connection)
{
    if (connection->mhd)
        shutdown(connection->fd, SHUT_RDWR);
}

void connection_call_off(struct connection *connection)
{
    note_gone(connection);
}

static void connection_tell(struct connection *connection, unsigned news)
{
    const struct exchange_handler *handler = &connection->listener->options.handler;
    if (!connection->owned)
        return;
    if ((news & CONNECTION_TELL_GONE) && !connection->told) {
        connection->told = true;
        connection->cut |= connection->streaming;
        handler->gone(handler->self, &connection->exchange);
    } else if ((news & CONNECTION_TELL_DRAINED) && !connection->told) {
        handler->drained(handler->self, &connection->exchange);
    }
}

void connection_news(struct listener *listener)
{
    struct connection *connection = listener->news;
    listener->news = NULL;
    while (connection) {
        struct connection *next = connection->news_next;
        unsigned news = connection->news;
        connection->news = 0;
        connection_tell(connection, news);
        if (news & CONNECTION_DEAD)
            connection_free(connection);
        connection = next;
    }
}

/* ---- The client leaving ---------------------------------------------------------------------- */

static void client_left(void *user, uint32_t events)
{
    struct connection *connection = user;
    (void)events;
    connection->peer_gone = true;
    note_gone(connection);
}

static void connection_suspend(struct connection *connection)
{
    struct loop *loop = connection->listener->loop;
    ASSERT(connection->mhd && !connection->suspended);
    connection->suspended = true;
    MHD_suspend_connection(connection->mhd);
    if (!connection->watched)
        /* Without room for the watch its end is noticed with the reply. */
        connection->watched = loop_watch(loop, connection->fd, EPOLLRDHUP | EPOLLHUP | EPOLLET,
                                         client_left, connection) == 0;
    if (connection->peer_gone)
        note_gone(connection);
}

static void connection_resume(struct connection *connection)
{
    if (!connection->suspended)
        return;
    connection->suspended = false;
    MHD_resume_connection(connection->mhd);
    connection->listener->due = true;
}

/* ---- The request ----------------------------------------------------------------------------- */

void *connection_target(void *user, const char *uri, struct MHD_Connection *mhd)
{
    (void)user;
    struct connection *connection =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    if (!connection)
        return NULL;
    ASSERT(!connection->owned);
    buffer_clear(&connection->text);
    if (buffer_text(&connection->text, uri))
        connection->cut = true;
    return connection;
}

static enum MHD_Result header_copy(void *user, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    struct connection *connection = user;
    struct buffer *text = &connection->text;
    (void)kind;
    if (connection->headers_len == connection->headers_room) {
        size_t room = connection->headers_room ? connection->headers_room * 2 : HEADERS_FIRST;
        void *headers = realloc(connection->headers, room * sizeof *connection->headers);
        if (!headers)
            return MHD_NO;
        connection->headers = headers;
        connection->headers_room = room;
    }
    struct slice bytes = slice_of(value);
    struct connection_header header = {.name = (uint32_t)text->len};
    if (buffer_append(text, (struct slice){name, strlen(name) + 1}))
        return MHD_NO;
    header.value = (uint32_t)text->len;
    header.value_len = (uint32_t)bytes.len;
    if (buffer_append(text, bytes))
        return MHD_NO;
    connection->headers[connection->headers_len++] = header;
    return MHD_YES;
}

static struct slice header_find(const struct exchange *exchange, const char *name)
{
    const struct connection *connection = (const struct connection *)exchange;
    for (size_t i = 0; i < connection->headers_len; i++) {
        const struct connection_header *header = &connection->headers[i];
        if (strcasecmp(connection->text.data + header->name, name) == 0)
            return slice_part(buffer_slice(&connection->text), header->value, header->value_len);
    }
    return (struct slice){NULL, 0};
}

static size_t headers_named(const struct connection *connection, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < connection->headers_len; i++)
        count += strcasecmp(connection->text.data + connection->headers[i].name, name) == 0;
    return count;
}

/* Returns 0, or the status the head deserves. */
static int head_check(struct connection *connection, size_t *ret_body_len)
{
    size_t lengths = headers_named(connection, "Content-Length");
    size_t encodings = headers_named(connection, "Transfer-Encoding");
    /* Two ways to frame one body is how requests are smuggled past a proxy. */
    if (lengths > 1 || encodings > 1 || (lengths && encodings))
        return 400;
    if (connection->text.len > connection->listener->options.header_max)
        return 431;
    struct slice text = header_find(&connection->exchange, "Content-Length");
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return 400;
        len = len * 10 + (size_t)(text.data[i] - '0');
        if (len > connection->listener->options.body_max)
            return 413;
    }
    *ret_body_len = len;
    return 0;
}

static struct slice method_copy(struct connection *connection, const char *method, size_t *ret_from)
{
    *ret_from = connection->text.len;
    if (buffer_text(&connection->text, method))
        connection->cut = true;
    return (struct slice){NULL, strlen(method)};
}

/* Copies what microhttpd may drop; only then do slices point into text. */
static void head_copy(struct connection *connection, const char *method)
{
    struct exchange *exchange = &connection->exchange;
    size_t target_len = connection->text.len, method_from;
    struct slice word = method_copy(connection, method, &method_from);
    connection->headers_len = 0;
    int wanted = MHD_get_connection_values(connection->mhd, MHD_HEADER_KIND, NULL, NULL);
    int copied =
        MHD_get_connection_values(connection->mhd, MHD_HEADER_KIND, header_copy, connection);
    if (connection->cut || copied != wanted || (size_t)wanted != connection->headers_len) {
        connection->cut = true; /* no memory */
        return;
    }
    struct slice text = buffer_slice(&connection->text);
    struct slice target = slice_part(text, 0, target_len);
    const char *mark = memchr(target.data, '?', target.len);
    exchange->method = slice_part(text, method_from, word.len);
    exchange->path = target;
    exchange->query = slice_from(target, target.len);
    if (mark) {
        exchange->path.len = (size_t)(mark - target.data);
        exchange->query = slice_from(target, exchange->path.len + 1);
    }
    exchange->body = (struct slice){NULL, 0};
}

/* A reply of the listener's own, readable to clients of either API. */
static void refuse(struct connection *connection, int status)
{
    const char *title = status == 431   ? "The request's head is too large."
                        : status == 413 ? "The request's body is too large."
                                        : "The request is malformed.";
    char body[256];
    int len = snprintf(body, sizeof body,
                       "{\"title\":\"%s\",\"status\":%d,\"error\":{\"message\":\"%s\","
                       "\"type\":\"invalid_request_error\",\"code\":null,\"param\":null}}",
                       title, status, title);
    const struct exchange_header type = {"Content-Type", SLICE_LITERAL("application/problem+json")};
    connection->listener->counts.refused++;
    connection->owned = connection->inside = true;
    connection->listener->counts.open++;
    operations.reply(&connection->exchange, status, &type, 1, (struct slice){body, (size_t)len});
    connection->inside = false;
}

static enum MHD_Result give_response(struct connection *connection)
{
    if (connection->cut && !connection->response)
        return MHD_NO;
    ASSERT(connection->response);
    connection->phase = CONNECTION_REPLY;
    enum MHD_Result result =
        MHD_queue_response(connection->mhd, (unsigned)connection->status, connection->response);
    MHD_destroy_response(connection->response);
    connection->response = NULL;
    return result;
}

static enum MHD_Result head_whole(struct connection *connection, const char *method)
{
    connection->phase = CONNECTION_BODY;
    connection->since_us = connection->begun_us = loop_now_us(connection->listener->loop);
    connection->exchange.id = loop_next_id(connection->listener->loop);
    connection->listener->counts.requests++;
    head_copy(connection, method);
    if (connection->cut)
        return MHD_NO;
    size_t body_len = 0;
    int status = head_check(connection, &body_len);
    if (status) {
        refuse(connection, status);
        return give_response(connection);
    }
    char *at;
    return buffer_reserve(&connection->body, body_len, &at) ? MHD_NO : MHD_YES;
}

static enum MHD_Result body_more(struct connection *connection, const char *bytes, size_t *len)
{
    int error = connection->body_over
                    ? METE_E_TOO_LARGE
                    : buffer_append(&connection->body, (struct slice){bytes, *len});
    if (error == METE_E_TOO_LARGE) {
        /* microhttpd takes no reply before the end of a body: drop the rest, within the time that
         * a body may take, and answer then. */
        connection->body_over = true;
        buffer_clear(&connection->body);
    } else if (error) {
        return MHD_NO;
    }
    *len = 0;
    return MHD_YES;
}

static enum MHD_Result request_whole(struct connection *connection)
{
    const struct exchange_handler *handler = &connection->listener->options.handler;
    connection->used = true;
    connection->phase = CONNECTION_ASKED;
    if (connection->body_over) {
        refuse(connection, 413);
        return give_response(connection);
    }
    connection->exchange.body = buffer_slice(&connection->body);
    connection->exchange.state = NULL;
    connection->owned = connection->inside = true;
    connection->listener->counts.open++;
    handler->begin(handler->self, &connection->exchange);
    connection->inside = false;
    if (connection->response || connection->cut)
        return give_response(connection);
    connection_suspend(connection);
    return MHD_YES;
}

enum MHD_Result connection_request(void *user, struct MHD_Connection *mhd, const char *url,
                                   const char *method, const char *version, const char *upload,
                                   size_t *upload_len, void **context)
{
    struct connection *connection = *context;
    (void)user;
    (void)mhd;
    (void)url;
    (void)version;
    if (!connection)
        return MHD_NO;
    switch (connection->phase) {
    case CONNECTION_HEAD:
        return head_whole(connection, method);
    case CONNECTION_BODY:
        return *upload_len ? body_more(connection, upload, upload_len) : request_whole(connection);
    case CONNECTION_ASKED:
        return give_response(connection);
    case CONNECTION_REPLY:
        *upload_len = 0; /* the rest of a body that was refused */
        return MHD_YES;
    }
    return MHD_NO;
}

static void report(struct connection *connection, enum MHD_RequestTerminationCode how)
{
    const struct listener_options *options = &connection->listener->options;
    if (connection->phase == CONNECTION_HEAD) {
        connection->listener->counts.refused++; /* microhttpd found it malformed */
        return;
    }
    if (!options->done)
        return;
    const struct listener_done done = {
        .exchange = connection->exchange.id,
        .method = connection->exchange.method,
        .path = connection->exchange.path,
        .status = connection->status,
        .gone = how != MHD_REQUEST_TERMINATED_COMPLETED_OK,
        .duration_us = loop_now_us(connection->listener->loop) - connection->begun_us,
        .body_len = connection->body.len,
        .reply_len = connection->reply_len,
    };
    options->done(options->user, &done);
}

static void keep_little(struct buffer *buffer)
{
    size_t max = buffer->max;
    if (buffer->room <= KEPT_ROOM) {
        buffer_clear(buffer);
        return;
    }
    buffer_done(buffer);
    buffer_init(buffer, max);
}

/* For the next request on this connection. */
static void connection_reset(struct connection *connection)
{
    keep_little(&connection->text);
    keep_little(&connection->body);
    keep_little(&connection->queue);
    connection->phase = CONNECTION_HEAD;
    connection->since_us = loop_now_us(connection->listener->loop);
    connection->headers_len = 0;
    connection->queue_from = 0;
    connection->reply_len = 0;
    connection->status = 0;
    connection->told = connection->cut = connection->body_over = false;
    connection->streaming = connection->finished = connection->queue_high = false;
}

void connection_completed(void *user, struct MHD_Connection *mhd, void **context,
                          enum MHD_RequestTerminationCode how)
{
    struct connection *connection = *context;
    (void)user;
    (void)mhd;
    *context = NULL;
    if (!connection)
        return;
    report(connection, how);
    if (connection->owned) {
        connection->cut = true; /* microhttpd gave it up; the handler will end it */
        note_gone(connection);
    } else {
        connection_reset(connection);
    }
    if (connection->listener->quiet)
        connection_cut(connection);
}

/* ---- The reply: what the handler calls ------------------------------------------------------- */

static void response_header(struct MHD_Response *response, const struct exchange_header *header)
{
    char room[512], *value = room;
    for (size_t i = 0; i < header->value.len; i++)
        ASSERT(header->value.data[i] != '\r' && header->value.data[i] != '\n' &&
               header->value.data[i] != 0);
    if (header->value.len >= sizeof room && !(value = malloc(header->value.len + 1)))
        return; /* a reply without this header beats none */
    if (header->value.len)
        memcpy(value, header->value.data, header->value.len);
    value[header->value.len] = 0;
    MHD_add_response_header(response, header->name, value);
    if (value != room)
        free(value);
}

/* The exchange has its reply, or will have none. */
static void respond(struct connection *connection, struct MHD_Response *response, int status,
                    const struct exchange_header *headers, size_t headers_len)
{
    connection->status = status;
    connection->response = response;
    if (!response) {
        connection->cut = true;
        return;
    }
    for (size_t i = 0; i < headers_len; i++)
        response_header(response, &headers[i]);
    if (connection->listener->quiet)
        MHD_add_response_header(response, "Connection", "close");
}

/* The handler is done with the exchange. */
static void connection_end(struct connection *connection)
{
    ASSERT(connection->owned);
    connection->owned = false;
    connection->listener->counts.open--;
    if (!connection->mhd)
        connection_note(connection, CONNECTION_DEAD);
    else
        connection_resume(connection);
}

static void exchange_reply(struct exchange *exchange, int status,
                           const struct exchange_header *headers, size_t headers_len,
                           struct slice body)
{
    struct connection *connection = (struct connection *)exchange;
    ASSERT(connection->owned && !connection->streaming && status >= 200);
    connection->reply_len = body.len;
    if (connection->mhd && !connection->cut) {
        /* The copy is microhttpd's; it does not write through the pointer. */
        void *bytes = (void *)(uintptr_t)(body.len ? body.data : "");
        struct MHD_Response *response =
            MHD_create_response_from_buffer(body.len, bytes, MHD_RESPMEM_MUST_COPY);
        respond(connection, response, status, headers, headers_len);
    }
    connection_end(connection);
}

static void queue_taken(struct connection *connection)
{
    struct buffer *queue = &connection->queue;
    if (connection->queue_from == queue->len) {
        buffer_clear(queue);
        connection->queue_from = 0;
    } else if (connection->queue_from > queue->len / 2) {
        buffer_consume(queue, connection->queue_from); /* amortised: as much was taken */
        connection->queue_from = 0;
    }
    if (connection->queue_high && queue->len - connection->queue_from <= EXCHANGE_QUEUE_LOW) {
        connection->queue_high = false;
        connection_note(connection, CONNECTION_TELL_DRAINED);
    }
}

static ssize_t stream_read(void *user, uint64_t at, char *room, size_t room_len)
{
    struct connection *connection = user;
    (void)at;
    if (connection->cut)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t len = connection->queue.len - connection->queue_from;
    if (len == 0 && connection->finished)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (len == 0) {
        connection_suspend(connection);
        return 0;
    }
    if (len > room_len)
        len = room_len;
    memcpy(room, connection->queue.data + connection->queue_from, len);
    connection->queue_from += len;
    queue_taken(connection);
    return (ssize_t)len;
}

static void exchange_start(struct exchange *exchange, int status,
                           const struct exchange_header *headers, size_t headers_len)
{
    struct connection *connection = (struct connection *)exchange;
    ASSERT(connection->owned && !connection->streaming && status >= 200);
    connection->streaming = true;
    connection->cut |= connection->told || !connection->mhd;
    if (connection->cut)
        return;
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, STREAM_BLOCK, stream_read, connection, NULL);
    respond(connection, response, status, headers, headers_len);
    if (!connection->inside)
        connection_resume(connection);
}

static size_t exchange_write(struct exchange *exchange, struct slice bytes)
{
    struct connection *connection = (struct connection *)exchange;
    ASSERT(connection->owned && connection->streaming && !connection->finished);
    if (connection->cut || bytes.len == 0)
        return connection->queue.len - connection->queue_from;
    if (buffer_append(&connection->queue, bytes)) {
        /* A handler that does not stop at EXCHANGE_QUEUE_HIGH, or no memory: the stream has a hole
         * and must not go on. */
        connection->cut = true;
        buffer_clear(&connection->queue);
        connection->queue_from = 0;
        note_gone(connection);
        return 0;
    }
    connection->reply_len += bytes.len;
    size_t len = connection->queue.len - connection->queue_from;
    if (len > EXCHANGE_QUEUE_HIGH)
        connection->queue_high = true;
    if (!connection->inside)
        connection_resume(connection);
    return len;
}

static void exchange_finish(struct exchange *exchange)
{
    struct connection *connection = (struct connection *)exchange;
    ASSERT(connection->owned && connection->streaming && !connection->finished);
    connection->finished = true;
    connection_end(connection);
}

static const struct exchange_ops operations = {
    .header = header_find,
    .reply = exchange_reply,
    .start = exchange_start,
    .write = exchange_write,
    .finish = exchange_finish,
};
