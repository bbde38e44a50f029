/* SPDX-License-Identifier: Apache-2.0
 * Ends what is too slow, once a second, connection by connection. What is bounded:
 *
 *   head   request_timeout from its beginning, or from that of its connection; before that, on a
 *          used connection, idle_timeout
 *   body   request_timeout; and in each stretch of time the least rate times its length
 *   reply  a byte within idle_timeout while something waits; and in each stretch at whose beginning
 *          much waited, that, or the least rate times its length
 *   end    a while for the client to read it, and to stop sending
 *
 * How much of a reply a client has taken is what its kernel has acknowledged (TCP_INFO), and what
 * waits is what our kernel has not got rid of (SIOCOUTQ) and our queue: TLS is not in the way, and
 * a client that takes what there is is never slow, however little there is. One that is cut is
 * reset: nothing of what it did not take stays in the kernel.
 *
 * Not done: measuring the handler. How long it may take is its own business. */
#include "net/connection.h"

#include "base/limits.h"

#include <linux/sockios.h>
#include <linux/tcp.h> /* its tcp_info has the counters that the C library's lacks */
#include <netinet/in.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { STRETCH_BODY_MS = 10000, STRETCH_REPLY_MS = 30000, MUCH = 64 * 1024 };

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void pace_begin(struct connection_pace *pace, int64_t now_us, uint64_t waiting)
{
    pace->from_us = now_us;
    pace->from = pace->moved;
    pace->waiting = waiting;
}

static bool pace_over(const struct connection_pace *pace, int64_t now_us, int64_t stretch_ms)
{
    return (now_us - pace->from_us) / 1000 >= stretch_ms;
}

/* Whether enough waited when the stretch began, and too little of it went since. */
static bool pace_slow(const struct connection_pace *pace, int64_t now_us, uint64_t rate)
{
    uint64_t wanted = rate * (uint64_t)((now_us - pace->from_us) / 1000) / 1000;
    uint64_t gone = pace->moved - pace->from;
    return pace->waiting >= (wanted < MUCH ? wanted : MUCH) && gone < wanted &&
           gone < pace->waiting;
}

/* ---- Requests -------------------------------------------------------------------------------- */

static void sweep_body(struct connection *connection, int64_t now_us)
{
    const struct listener_options *options = &connection->listener->options;
    struct connection_pace *pace = &connection->pace;
    bool over = pace_over(pace, now_us, least(STRETCH_BODY_MS, options->request_timeout_ms / 3));
    pace->moved = connection->body_got;
    if ((now_us - connection->since_us) / 1000 > options->request_timeout_ms ||
        (over && pace_slow(pace, now_us, options->body_rate)))
        connection_refuse(connection, 408);
    else if (over)
        pace_begin(pace, now_us, UINT64_MAX); /* the rest waits with its client */
}

static void sweep_head(struct connection *connection, int64_t now_us)
{
    const struct listener_options *options = &connection->listener->options;
    int64_t max_ms = options->request_timeout_ms;
    if (connection->used)
        max_ms = connection->in.len ? max_ms + options->idle_timeout_ms : options->idle_timeout_ms;
    if ((now_us - connection->since_us) / 1000 > max_ms)
        connection_close(connection);
}

static void sweep_end(struct connection *connection, int64_t now_us)
{
    if ((now_us - connection->since_us) / 1000 > LIMIT_LINGER_MS)
        connection_close(connection);
}

/* ---- Replies --------------------------------------------------------------------------------- */

/* Bytes that wait for the client, here and in the kernel. */
static uint64_t waiting_of(const struct connection *connection)
{
    int unsent = 0;
    if (ioctl(connection->fd, SIOCOUTQ, &unsent) != 0 || unsent < 0)
        unsent = 0;
    return (uint64_t)unsent + connection_waiting(connection);
}

/* Bytes that it has acknowledged; the last figure, if the kernel does not say. */
static uint64_t taken_of(const struct connection *connection)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    if (getsockopt(connection->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
        len < offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof info.tcpi_bytes_acked)
        return connection->pace.moved;
    return info.tcpi_bytes_acked;
}

static void sweep_reply(struct connection *connection, int64_t now_us)
{
    const struct listener_options *options = &connection->listener->options;
    struct connection_pace *pace = &connection->pace;
    bool over = pace_over(pace, now_us, least(STRETCH_REPLY_MS, options->idle_timeout_ms));
    uint64_t waiting = waiting_of(connection);
    uint64_t taken = waiting ? taken_of(connection) : pace->moved;
    if (!waiting || taken != pace->moved || !pace->moved_us)
        pace->moved_us = now_us;
    pace->moved = taken;
    if ((now_us - pace->moved_us) / 1000 > options->idle_timeout_ms ||
        (over && pace->waiting && pace_slow(pace, now_us, options->drain_rate))) {
        connection->listener->counts.refused++;
        connection_reset(connection);
    } else if (over || !waiting || !pace->waiting) {
        pace_begin(pace, now_us, waiting);
    }
}

/* ---- All ------------------------------------------------------------------------------------- */

static void sweep_one(struct connection *connection, int64_t now_us)
{
    switch (connection->phase) {
    case CONNECTION_HEAD:
        sweep_head(connection, now_us);
        break;
    case CONNECTION_BODY:
        sweep_body(connection, now_us);
        break;
    case CONNECTION_ASKED:
        break;
    case CONNECTION_REPLY:
        sweep_reply(connection, now_us);
        break;
    case CONNECTION_LINGER:
        sweep_end(connection, now_us);
        break;
    }
}

void sweep(struct listener *listener)
{
    int64_t now_us = loop_now_us(listener->loop);
    for (struct connection *each = listener->connections; each; each = each->next)
        if (each->fd >= 0)
            sweep_one(each, now_us);
}
