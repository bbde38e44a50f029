/* SPDX-License-Identifier: Apache-2.0
 * What a handler writes, as HTTP/1.1: a head that is one append, then a body of known length, or
 * chunks as they come, or, for a client of HTTP/1.0, bytes until the connection ends. A piece is a
 * chunk: what a chunk costs is seven bytes.
 *
 * Not done: replies without copying. A reply is a few hundred bytes, or a stream. */
#include "net/connection.h"

#include "base/assert.h"
#include "base/limits.h"
#include "calendar/civil.h"
#include "codec/base62.h"
#include "os/os.h"

#include <stdio.h>
#include <strings.h>

enum { ID_DIGITS = 11, LINE_ROOM = 64, NUMBER_ROOM = 20, DAY_S = 86400 };

/* ---- Texts ----------------------------------------------------------------------------------- */

struct reason {
    int status;
    const char *text;
};

static const struct reason reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

/* "" for those that have no name, as HTTP allows. */
static const char *reason_of(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return "";
}

/* "Date: Sun, 22 Nov 2026 01:39:28 GMT\r\n", made anew once a second. */
static struct slice date_line(struct listener *listener)
{
    static const char *const days[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t now_s = os_wall_us(os_system()) / 1000000;
    if (listener->date_s != now_s) {
        int64_t day = civil_div(now_s, DAY_S), second = civil_mod(now_s, DAY_S);
        struct civil_date date = civil_date(day);
        listener->date_s = now_s;
        snprintf(listener->date, sizeof listener->date,
                 "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", days[civil_mod(day, 7)],
                 (int)date.day, months[civil_mod(date.month, 12)], (int)(date.month / 12),
                 (int)(second / 3600), (int)(second / 60 % 60), (int)(second % 60));
    }
    return slice_of(listener->date);
}

/* What the client called the exchange (x-request-id), or a name of ours made in room. */
static struct slice id_of(const struct connection *connection, char room[CONNECTION_ID_ROOM])
{
    struct slice given = connection->exchange.ops->header(&connection->exchange, "x-request-id");
    bool fits = given.len > 0 && given.len <= LIMIT_ID;
    for (size_t i = 0; i < given.len && fits; i++)
        fits = given.data[i] > ' ' && given.data[i] <= '~';
    if (fits)
        return given;
    memcpy(room, "req_", 4);
    base62_encode((uint64_t)os_wall_us(os_system()), room + 4, ID_DIGITS);
    base62_encode(connection->exchange.id, room + 4 + ID_DIGITS, ID_DIGITS);
    return (struct slice){room, 4 + 2 * ID_DIGITS};
}

/* ---- Heads ----------------------------------------------------------------------------------- */

struct reply {
    int status;
    const struct exchange_header *headers;
    size_t headers_len;
    size_t body_len; /* of one whose length is known */
};

static char *pen(char *at, struct slice text)
{
    if (text.len)
        memcpy(at, text.data, text.len);
    return at + text.len;
}

static char *pen_header(char *at, struct slice name, struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        ASSERT(value.data[i] != '\r' && value.data[i] != '\n' && value.data[i] != 0);
    at = pen(at, name);
    at = pen(at, SLICE_LITERAL(": "));
    at = pen(at, value);
    return pen(at, SLICE_LITERAL("\r\n"));
}

static char *pen_number(char *at, uint64_t number)
{
    char digits[NUMBER_ROOM];
    size_t from = sizeof digits;
    do {
        digits[--from] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    return pen(at, (struct slice){digits + from, sizeof digits - from});
}

static bool is_named(const struct reply *reply, const char *name)
{
    for (size_t i = 0; i < reply->headers_len; i++)
        if (strcasecmp(reply->headers[i].name, name) == 0)
            return true;
    return false;
}

static size_t room_of(const struct reply *reply)
{
    /* The status line, the lines of ours, and what ends it. */
    size_t room = 3 * LINE_ROOM + CONNECTION_DATE_ROOM + LIMIT_ID + LINE_ROOM;
    for (size_t i = 0; i < reply->headers_len; i++)
        room += strlen(reply->headers[i].name) + reply->headers[i].value.len + 4;
    return room;
}

static char *pen_framing(char *at, const struct connection *connection, const struct reply *reply)
{
    if (connection->streaming && connection->chunked)
        return pen(at, SLICE_LITERAL("Transfer-Encoding: chunked\r\n"));
    if (connection->streaming || reply->status == 204 || reply->status == 304)
        return at;
    at = pen_number(pen(at, SLICE_LITERAL("Content-Length: ")), reply->body_len);
    return pen(at, SLICE_LITERAL("\r\n"));
}

static char *pen_head(char *at, const struct connection *connection, const struct reply *reply)
{
    char room[CONNECTION_ID_ROOM];
    at = pen_number(pen(at, SLICE_LITERAL("HTTP/1.1 ")), (uint64_t)reply->status);
    at = pen(pen(at, SLICE_LITERAL(" ")), slice_of(reason_of(reply->status)));
    at = pen(at, SLICE_LITERAL("\r\n"));
    at = pen(at, date_line(connection->listener));
    for (size_t i = 0; i < reply->headers_len; i++)
        at = pen_header(at, slice_of(reply->headers[i].name), reply->headers[i].value);
    if (!is_named(reply, "x-request-id"))
        at = pen_header(at, SLICE_LITERAL("x-request-id"), id_of(connection, room));
    if (connection->closes)
        at = pen(at, SLICE_LITERAL("Connection: close\r\n"));
    else if (connection->head.is_1_0)
        at = pen(at, SLICE_LITERAL("Connection: keep-alive\r\n"));
    at = pen_framing(at, connection, reply);
    return pen(at, SLICE_LITERAL("\r\n"));
}

/* The head, with room for so much of a body behind it. The exchange has its reply, or will have
 * none. */
static void put_head(struct connection *connection, const struct reply *reply)
{
    char *from;
    connection->headless = slice_is(connection->exchange.method, "HEAD") || reply->status == 204 ||
                           reply->status == 304;
    connection->chunked =
        connection->streaming && !connection->headless && !connection->head.is_1_0;
    connection->closes |=
        connection->listener->quiet || (connection->streaming && connection->head.is_1_0);
    connection->phase = CONNECTION_REPLY;
    connection->pace = (struct connection_pace){0};
    if (buffer_reserve(&connection->out, room_of(reply) + reply->body_len, &from)) {
        connection->cut = true;
        return;
    }
    connection->status = reply->status;
    buffer_advance(&connection->out, (size_t)(pen_head(from, connection, reply) - from));
    connection_note(connection, CONNECTION_SEND);
}

static void reply_whole(struct connection *connection, const struct reply *reply, struct slice body)
{
    connection->reply_len = body.len;
    if (connection->cut)
        return;
    put_head(connection, reply);
    if (!connection->cut && !connection->headless)
        connection->cut = buffer_append(&connection->out, body) != 0;
}

void connection_refuse(struct connection *connection, int status)
{
    const char *title = status == 431   ? "The request's head is too large."
                        : status == 413 ? "The request's body is too large."
                        : status == 408 ? "The request's body did not come in time."
                        : status == 501 ? "The request's transfer coding is not known."
                        : status == 505 ? "This version of HTTP is not spoken."
                                        : "The request is malformed.";
    char body[256];
    int len = snprintf(body, sizeof body,
                       "{\"title\":\"%s\",\"status\":%d,\"error\":{\"message\":\"%s\","
                       "\"type\":\"invalid_request_error\",\"code\":null,\"param\":null}}",
                       title, status, title);
    const struct exchange_header type = {"Content-Type", SLICE_LITERAL("application/problem+json")};
    const struct reply reply = {status, &type, 1, (size_t)len};
    connection->listener->counts.refused++;
    connection->closes = true;
    connection->framing = (struct http1_body){0}; /* whatever comes, nobody reads it */
    reply_whole(connection, &reply, (struct slice){body, (size_t)len});
}

/* ---- What the handler calls ------------------------------------------------------------------ */

static struct slice exchange_header(const struct exchange *exchange, const char *name)
{
    const struct connection *connection = (const struct connection *)exchange;
    return http1_value(connection->text,
                       http1_field(connection->text, &connection->head, slice_of(name)));
}

static void exchange_reply(struct exchange *exchange, int status,
                           const struct exchange_header *headers, size_t headers_len,
                           struct slice body)
{
    struct connection *connection = (struct connection *)exchange;
    const struct reply reply = {status, headers, headers_len, body.len};
    ASSERT(connection->owned && !connection->streaming && status >= 200);
    reply_whole(connection, &reply, body);
    connection_end(connection);
}

static void exchange_start(struct exchange *exchange, int status,
                           const struct exchange_header *headers, size_t headers_len)
{
    struct connection *connection = (struct connection *)exchange;
    const struct reply reply = {status, headers, headers_len, 0};
    ASSERT(connection->owned && !connection->streaming && status >= 200);
    connection->streaming = true;
    connection->cut |= connection->told;
    if (!connection->cut)
        put_head(connection, &reply);
}

static int put_piece(struct connection *connection, struct slice bytes)
{
    enum { LINE_END = 2, PIECE_ROOM = HTTP1_CHUNK_ROOM + LINE_END };
    char *at;
    if (connection_waiting(connection) + bytes.len + PIECE_ROOM > LIMIT_REPLY_QUEUE)
        return METE_E_TOO_LARGE;
    int rc = buffer_reserve(&connection->out, bytes.len + PIECE_ROOM, &at);
    if (rc)
        return rc;
    char *from = at;
    if (connection->chunked)
        at += http1_chunk_line(bytes.len, at);
    at = pen(at, bytes);
    if (connection->chunked)
        at = pen(at, SLICE_LITERAL("\r\n"));
    buffer_advance(&connection->out, (size_t)(at - from));
    connection_note(connection, CONNECTION_SEND);
    return 0;
}

static size_t exchange_write(struct exchange *exchange, struct slice bytes)
{
    struct connection *connection = (struct connection *)exchange;
    ASSERT(connection->owned && connection->streaming && !connection->finished);
    if (connection->cut || bytes.len == 0)
        return connection_waiting(connection);
    connection->reply_len += bytes.len;
    if (connection->headless)
        return connection_waiting(connection);
    if (put_piece(connection, bytes)) {
        /* A handler that does not stop at EXCHANGE_QUEUE_HIGH, or no memory: the stream has a hole
         * and must not go on. */
        connection->cut = true;
        connection_drop_queue(connection);
        connection_note_gone(connection);
        return 0;
    }
    size_t len = connection_waiting(connection);
    if (len > EXCHANGE_QUEUE_HIGH)
        connection->queue_high = true;
    return len;
}

static void exchange_finish(struct exchange *exchange)
{
    struct connection *connection = (struct connection *)exchange;
    ASSERT(connection->owned && connection->streaming && !connection->finished);
    connection->finished = true;
    if (!connection->cut && connection->chunked &&
        connection_put(connection, SLICE_LITERAL("0\r\n\r\n")))
        connection->cut = true;
    connection_end(connection);
}

static struct buffer exchange_take_body(struct exchange *exchange)
{
    struct connection *connection = (struct connection *)exchange;
    struct buffer body = connection->body;
    ASSERT(connection->owned);
    buffer_init(&connection->body, connection->listener->options.body_max);
    return body;
}

const struct exchange_ops connection_operations = {
    .take_body = exchange_take_body,
    .header = exchange_header,
    .reply = exchange_reply,
    .start = exchange_start,
    .write = exchange_write,
    .finish = exchange_finish,
};
