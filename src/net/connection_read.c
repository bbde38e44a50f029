/* SPDX-License-Identifier: Apache-2.0
 * Bytes to requests. They are read into one room of the listener's, and used where they lie: a head
 * is copied once it is whole, to live as long as its exchange; a body into its buffer. Only what is
 * left incomplete, or came early, is kept by the connection (in).
 *
 *   socket -> listener's room -> head (one block), body, in
 *   socket -> body              where its length is known and more than a little of it is to come
 *
 * Considered and not done: reading on while an exchange is the handler's, to see a pipelined
 * request early. It would wait here instead of in the kernel, and nothing be gained. */
#include "net/connection.h"

#include "base/assert.h"

#include <stdlib.h>

enum {
    BODY_FIRST = 16 * 1024, /* what is announced is not yet there */
    READS_MOST = 32         /* of one connection in a row */
};

static void keep_little(struct buffer *buffer)
{
    size_t max = buffer->max;
    if (buffer->room <= CONNECTION_KEPT) {
        buffer_clear(buffer);
        return;
    }
    buffer_done(buffer);
    buffer_init(buffer, max);
}

void connection_forget_request(struct connection *connection)
{
    struct exchange *exchange = &connection->exchange;
    exchange->method = exchange->path = exchange->query = exchange->body = (struct slice){NULL, 0};
    free(connection->head.fields);
    connection->head = (struct http1_head){0};
    connection->text = (struct slice){NULL, 0};
    buffer_done(&connection->body);
    if (!connection->in.len)
        keep_little(&connection->in);
}

/* ---- Heads ----------------------------------------------------------------------------------- */

static struct slice moved(struct slice part, struct slice from, struct slice to)
{
    return slice_part(to, (size_t)(part.data - from.data), part.len);
}

/* Copies head and fields into one block of their own; only then do slices point into it. */
static int copy_head(struct connection *connection, struct slice text,
                     const struct http1_head *read)
{
    size_t fields_size = read->fields_len * sizeof *read->fields;
    struct exchange *exchange = &connection->exchange;
    char *block = malloc(fields_size + text.len);
    if (!block)
        return METE_E_MEMORY;
    if (fields_size)
        memcpy(block, read->fields, fields_size);
    memcpy(block + fields_size, text.data, text.len);
    ASSERT(!connection->head.fields);
    connection->head = *read;
    connection->head.fields = (struct http1_field *)(void *)block;
    connection->text = (struct slice){block + fields_size, text.len};
    exchange->method = moved(read->method, text, connection->text);
    struct slice target = moved(read->target, text, connection->text);
    const char *mark = memchr(target.data, '?', target.len);
    exchange->path = target;
    exchange->query = slice_from(target, target.len);
    if (mark) {
        exchange->path.len = (size_t)(mark - target.data);
        exchange->query = slice_from(target, exchange->path.len + 1);
    }
    return 0;
}

/* Of a head that is none: whether it is one of a version that is not spoken. */
static int status_of_nonsense(struct slice text)
{
    enum { VERSION_LEN = 8 };
    while (text.len && (text.data[0] == '\r' || text.data[0] == '\n'))
        text = slice_from(text, 1);
    const char *end = memchr(text.data, '\n', text.len);
    size_t len = end ? (size_t)(end - text.data) : 0;
    if (len && text.data[len - 1] == '\r')
        len--;
    if (len < VERSION_LEN)
        return 400;
    struct slice version = slice_part(text, len - VERSION_LEN, VERSION_LEN);
    return slice_starts(version, SLICE_LITERAL("HTTP/")) && version.data[6] == '.' &&
                   version.data[5] != '1'
               ? 505
               : 400;
}

/* 0, or the status that a head deserves which can be read. */
static int head_check(const struct connection *connection)
{
    const struct http1_head *head = &connection->head;
    if (head->has_unknown_coding)
        return 501;
    if (head->framing == HTTP1_LENGTH && head->length > connection->listener->options.body_max)
        return 413;
    return 0;
}

static void head_begin(struct connection *connection)
{
    struct listener *listener = connection->listener;
    connection->phase = CONNECTION_BODY;
    connection->since_us = connection->begun_us = loop_now_us(listener->loop);
    connection->exchange.id = loop_next_id(listener->loop);
    connection->body_got = 0;
    connection->pace =
        (struct connection_pace){.from_us = connection->since_us, .waiting = UINT64_MAX};
    listener->counts.requests++;
}

static void head_whole(struct connection *connection, struct slice text)
{
    struct http1_field fields[CONNECTION_FIELDS];
    struct http1_head read = {.fields = fields, .fields_room = CONNECTION_FIELDS};
    int rc = http1_read_request(text, &read);
    head_begin(connection);
    if (rc) {
        connection_refuse(connection, rc == METE_E_TOO_LARGE ? 431 : status_of_nonsense(text));
        return;
    }
    if (copy_head(connection, text, &read)) {
        connection_close(connection);
        return;
    }
    connection->known = true;
    connection->closes = read.closes;
    http1_body_begin(&connection->framing, &read);
    int status = head_check(connection);
    if (status) {
        connection_refuse(connection, status);
        return;
    }
    /* Of a known length never more than that is taken. */
    buffer_init(&connection->body, read.framing == HTTP1_LENGTH
                                       ? (size_t)read.length
                                       : connection->listener->options.body_max);
}

/* False: there is no whole head in bytes. */
static bool accept_head(struct connection *connection, struct slice *bytes)
{
    size_t header_max = connection->listener->options.header_max;
    size_t len = bytes->len ? http1_head_len(*bytes, &connection->seen) : 0;
    if (len > header_max || (!len && bytes->len > header_max)) {
        head_begin(connection);
        connection_refuse(connection, 431);
        return true;
    }
    if (!len)
        return false;
    connection->seen = 0;
    struct slice text = slice_part(*bytes, 0, len);
    *bytes = slice_from(*bytes, len);
    head_whole(connection, text);
    return true;
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

static void walk(const struct connection *connection, struct slice name, enum forwarded_form form,
                 struct forwarded *forwarded)
{
    const struct http1_head *head = &connection->head;
    forwarded_begin(forwarded, &connection->peer);
    for (size_t i = head->fields_len; i-- > 0;)
        if (http1_is_named(connection->text, &head->fields[i], name))
            forwarded_line(forwarded, form, &connection->listener->options.trusted,
                           http1_value(connection->text, &head->fields[i]));
}

/* Who asks: whoever is connected, or if that is a trusted proxy whom it asks for. */
static struct address client_of(const struct connection *connection)
{
    struct forwarded list, pairs;
    walk(connection, SLICE_LITERAL("X-Forwarded-For"), FORWARDED_LIST, &list);
    walk(connection, SLICE_LITERAL("Forwarded"), FORWARDED_PAIRS, &pairs);
    return forwarded_client(&connection->peer, &list, &pairs);
}

static void request_whole(struct connection *connection)
{
    struct listener *listener = connection->listener;
    const struct exchange_handler *handler = &listener->options.handler;
    connection->used = true;
    connection->phase = CONNECTION_ASKED;
    connection->exchange.body = buffer_slice(&connection->body);
    connection->exchange.state = NULL;
    if (listener->options.trusted.len)
        connection->exchange.peer = client_of(connection);
    connection->owned = true;
    listener->counts.open++;
    handler->begin(handler->self, &connection->exchange);
    if (connection->half)
        connection_ask_client(connection);
}

static void keep_content(struct connection *connection, struct slice content)
{
    struct buffer *body = &connection->body;
    const char *end = body->data + body->room;
    connection->body_got += content.len;
    int rc = 0;
    if (body->data && content.data >= body->data && content.data < end)
        buffer_advance(body, content.len); /* it was read there */
    else if (content.len)
        rc = buffer_append(body, content);
    if (rc == METE_E_TOO_LARGE)
        connection_refuse(connection, 413);
    else if (rc)
        connection_close(connection);
}

/* False: there is nothing of a body in bytes. */
static bool accept_body(struct connection *connection, struct slice *bytes)
{
    struct slice content;
    if (http1_body_is_whole(&connection->framing)) {
        request_whole(connection);
        return true;
    }
    if (!bytes->len)
        return false;
    connection->head.expects_continue = false; /* it did not wait to be asked */
    int rc = http1_body_next(&connection->framing, bytes, &content);
    if (rc)
        connection_refuse(connection, 400);
    else
        keep_content(connection, content);
    return true;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static bool is_reading(const struct connection *connection)
{
    return connection->fd >= 0 && !connection->shaking &&
           (connection->phase == CONNECTION_HEAD || connection->phase == CONNECTION_BODY);
}

/* Makes of bytes what there is in them; returns how many are done with. */
static size_t take(struct connection *connection, struct slice bytes)
{
    size_t all = bytes.len;
    bool more = true;
    while (more && is_reading(connection))
        more = connection->phase == CONNECTION_HEAD ? accept_head(connection, &bytes)
                                                    : accept_body(connection, &bytes);
    if (is_reading(connection) && connection->head.expects_continue) {
        connection->head.expects_continue = false;
        if (connection_put(connection, SLICE_LITERAL("HTTP/1.1 100 Continue\r\n\r\n")))
            connection_close(connection);
    }
    return all - bytes.len;
}

static void take_kept(struct connection *connection)
{
    struct buffer *in = &connection->in;
    size_t done = take(connection, buffer_slice(in));
    buffer_consume(in, done);
    if (!in->len)
        keep_little(in);
}

/* got bytes are in the listener's room. */
static void take_room(struct connection *connection, size_t got)
{
    struct buffer *in = &connection->in;
    struct slice bytes = {connection->listener->room, got};
    bool joined = in->len > 0;
    if (!joined)
        bytes = slice_from(bytes, take(connection, bytes));
    bool wanted = is_reading(connection) || !connection->closes;
    if (connection->fd >= 0 && wanted && bytes.len && buffer_append(in, bytes))
        connection_close(connection);
    if (connection->fd >= 0 && joined)
        take_kept(connection);
}

static void take_end(struct connection *connection)
{
    connection->listener->counts.refused +=
        connection->phase == CONNECTION_BODY || connection->in.len;
    connection_close(connection);
}

/* Where the next bytes go: their body's place, or the listener's room. Large ones are not copied
 * twice. NULL: no memory. */
static char *room_for(struct connection *connection, size_t *ret_len)
{
    struct buffer *body = &connection->body;
    const struct http1_body *framing = &connection->framing;
    char *at;
    *ret_len = CONNECTION_PIECE;
    if (connection->phase != CONNECTION_BODY || framing->framing != HTTP1_LENGTH ||
        connection->in.len)
        return connection->listener->room;
    size_t wanted = body->len > BODY_FIRST ? body->len : BODY_FIRST;
    if (wanted > framing->left)
        wanted = (size_t)framing->left;
    if (buffer_reserve(body, wanted, &at))
        return NULL;
    *ret_len = body->room - body->len;
    return at;
}

static void read_some(struct connection *connection)
{
    size_t room_len;
    char *room = room_for(connection, &room_len);
    ssize_t got = room ? wire_recv(connection, room, room_len) : WIRE_LOST;
    if (got == WIRE_AGAIN) {
        connection->readable = false;
    } else if (got == WIRE_LOST) {
        connection_close(connection);
    } else if (got == 0) {
        take_end(connection);
    } else {
        /* Of TLS only GnuTLS knows what it has still to give. */
        if ((size_t)got < room_len && !connection->session && !connection->half)
            connection->readable = false;
        if (room == connection->listener->room)
            take_room(connection, (size_t)got);
        else
            take(connection, (struct slice){room, (size_t)got});
    }
}

static void drop_some(struct connection *connection)
{
    ssize_t got = wire_drop(connection, connection->listener->room, CONNECTION_PIECE);
    connection->body_got += got > 0 ? (uint64_t)got : 0;
    if (got == WIRE_AGAIN)
        connection->readable = false;
    else if (got <= 0 || connection->body_got / 2 > connection->listener->options.body_max)
        connection_close(connection);
}

void connection_read(struct connection *connection)
{
    if (is_reading(connection) && connection->in.len)
        take_kept(connection);
    int reads = 0;
    for (; reads < READS_MOST && connection->readable && is_reading(connection); reads++)
        read_some(connection);
    for (; reads < READS_MOST && connection->readable && connection->fd >= 0 &&
           connection->phase == CONNECTION_LINGER;
         reads++)
        drop_some(connection);
    if (reads == READS_MOST && connection->readable && connection->fd >= 0)
        connection_note(connection, CONNECTION_READ);
}
