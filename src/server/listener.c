/* SPDX-License-Identifier: Apache-2.0
 * libmicrohttpd in external epoll mode: its epoll descriptor is watched by ours, and it runs once a
 * round when that is readable or when a connection was resumed.
 *
 * Traps of 0.9.75 that are stepped around here:
 *  - its timeout knows inactivity only: a client that sends a byte now and then holds a connection
 *    for ever. A sweep, once a second over all connections, ends what is too slow.
 *  - MHD_ALLOW_SUSPEND_RESUME brings an eventfd that is written and read for every resumed
 *    connection, for the sake of other threads. There are none: only the bare bit is set, and the
 *    listener remembers that a run is due.
 *  - stopping with suspended connections aborts: they are all resumed first.
 *  - it decodes and cuts the target in place: the raw one is taken before (connection_target), and
 *    the decoding it would do for us is switched off.
 *  - it clears the whole memory of a connection after each request: its size is touched in full, so
 * it is the head and little beside.
 *
 * Not done: TLS (a terminator in front, or a listener of its own later: handshakes block a loop);
 * several loops (one has enough for the ledger behind it). */
#include "server/connection.h"

#include "base/assert.h"
#include "base/limits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SWEEP_US = 1000000, BACKLOG = 4096, ROOM_BESIDE_HEAD = 8 * 1024 };

static struct listener *listener_of(struct loop_stage *stage)
{
    return (struct listener *)((char *)stage - offsetof(struct listener, stage));
}

/* ---- Rounds ---------------------------------------------------------------------------------- */

static void became_ready(void *user, uint32_t events)
{
    struct listener *listener = user;
    (void)events;
    listener->due = true;
}

static bool listener_turn(struct loop_stage *stage, int64_t *deadline_us)
{
    struct listener *listener = listener_of(stage);
    (void)deadline_us;
    bool progress = listener->due || listener->news;
    if (listener->due) {
        listener->due = false;
        MHD_run(listener->mhd);
        MHD_UNSIGNED_LONG_LONG wait_ms;
        if (MHD_get_timeout(listener->mhd, &wait_ms) == MHD_YES && wait_ms == 0)
            listener->due = true;
    }
    connection_news(listener);
    return progress;
}

static void refuse_slow_body(struct connection *connection)
{
    static const char reply[] = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                                "Content-Length: 0\r\n\r\n";
    /* microhttpd takes no reply in the middle of a body, and has nothing of its own under way. */
    ssize_t sent = send(connection->fd, reply, sizeof reply - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent; /* the connection is cut either way */
}

static void sweep_one(struct listener *listener, struct connection *connection, int64_t now_us)
{
    int64_t waited_ms = (now_us - connection->since_us) / 1000;
    int64_t head_ms = listener->options.request_timeout_ms +
                      (connection->used ? listener->options.idle_timeout_ms : 0);
    if (connection->phase == CONNECTION_HEAD && waited_ms > head_ms) {
        connection_cut(connection);
    } else if (connection->phase == CONNECTION_BODY &&
               waited_ms > listener->options.request_timeout_ms) {
        refuse_slow_body(connection);
        listener->counts.refused++;
        connection_cut(connection);
    }
}

static void sweep(struct timer *timer)
{
    struct listener *listener =
        (struct listener *)((char *)timer - offsetof(struct listener, sweep));
    int64_t now_us = loop_now_us(listener->loop);
    for (struct connection *each = listener->connections; each; each = each->next)
        sweep_one(listener, each, now_us);
    listener->due = true; /* microhttpd looks at its own time limits */
    struct timers *timers = loop_timers(listener->loop);
    timers->set(timers, timer, SWEEP_US);
}

/* ---- Opening --------------------------------------------------------------------------------- */

/* "host:port", "[v6]:port", ":port" into host and port. */
static int split_address(const char *address, char host[128], char port[8])
{
    const char *colon = strrchr(address, ':');
    if (!colon || strlen(colon + 1) > 5 || !colon[1])
        return METE_E_INVALID;
    const char *from = address, *to = colon;
    if (*from == '[' && to > from + 1 && to[-1] == ']') {
        from++;
        to--;
    }
    if (to - from >= 128)
        return METE_E_INVALID;
    memcpy(host, from, (size_t)(to - from));
    host[to - from] = 0;
    memcpy(port, colon + 1, strlen(colon + 1) + 1);
    return 0;
}

static int bound_socket(const struct addrinfo *where)
{
    int fd = socket(where->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, where->ai_addr, where->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int open_socket(struct listener *listener, char ret_detail[256])
{
    char host[128], port[8];
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    const char *address = listener->options.address;
    if (split_address(address, host, port) ||
        getaddrinfo(*host ? host : NULL, port, &hints, &found)) {
        snprintf(ret_detail, 256, "%.100s is no address to listen on (HOST:PORT)", address);
        return METE_E_INVALID;
    }
    listener->socket = bound_socket(found);
    if (listener->socket < 0)
        snprintf(ret_detail, 256, "cannot listen on %.100s: %s", address, strerror(errno));
    freeaddrinfo(found);
    return listener->socket < 0 ? METE_E_FULL : 0;
}

static void name_address(struct listener *listener)
{
    struct sockaddr_storage at = {0};
    socklen_t at_len = sizeof at;
    char host[64] = "?", port[8] = "0";
    getsockname(listener->socket, (struct sockaddr *)&at, &at_len);
    getnameinfo((struct sockaddr *)&at, at_len, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
    bool v6 = at.ss_family == AF_INET6;
    snprintf(listener->address, sizeof listener->address, "%s%s%s:%s", v6 ? "[" : "", host,
             v6 ? "]" : "", port);
}

static size_t keep_encoded(void *user, struct MHD_Connection *mhd, char *text)
{
    (void)user;
    (void)mhd;
    return strlen(text);
}

static void connection_notified(void *user, struct MHD_Connection *mhd, void **context,
                                enum MHD_ConnectionNotificationCode code)
{
    struct listener *listener = user;
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        connection_new(listener, mhd, context);
    else if (*context)
        connection_closed(*context);
}

static int start_microhttpd(struct listener *listener)
{
    const struct listener_options *options = &listener->options;
    unsigned flags =
        (unsigned)MHD_USE_EPOLL | ((unsigned)MHD_ALLOW_SUSPEND_RESUME & ~(unsigned)MHD_USE_ITC);
    listener->mhd = MHD_start_daemon(
        flags, 0, NULL, NULL, connection_request, listener, MHD_OPTION_LISTEN_SOCKET,
        listener->socket, MHD_OPTION_CONNECTION_LIMIT, (unsigned)options->connections_max,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, options->header_max + ROOM_BESIDE_HEAD,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)((options->idle_timeout_ms + 999) / 1000),
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, connection_target, listener,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded, NULL, MHD_OPTION_NOTIFY_COMPLETED,
        connection_completed, listener, MHD_OPTION_NOTIFY_CONNECTION, connection_notified, listener,
        MHD_OPTION_END);
    if (!listener->mhd)
        return METE_E_MEMORY;
    listener->epoll_fd = MHD_get_daemon_info(listener->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return loop_watch(listener->loop, listener->epoll_fd, EPOLLIN, became_ready, listener);
}

static void fill_options(struct listener *listener, const struct listener_options *options)
{
    listener->options = *options;
    if (!options->connections_max)
        listener->options.connections_max = LIMIT_CONNECTIONS;
    if (!options->header_max)
        listener->options.header_max = LIMIT_HEADER;
    if (!options->body_max)
        listener->options.body_max = LIMIT_BODY;
    if (!options->request_timeout_ms)
        listener->options.request_timeout_ms = 30000;
    if (!options->idle_timeout_ms)
        listener->options.idle_timeout_ms = 75000;
}

int listener_open(struct loop *loop, const struct listener_options *options,
                  struct listener **ret_listener, char ret_detail[256])
{
    char detail[256] = "out of memory";
    struct listener *listener = calloc(1, sizeof *listener);
    if (!listener)
        return METE_E_MEMORY;
    fill_options(listener, options);
    listener->loop = loop;
    listener->socket = -1;
    listener->stage.turn = listener_turn;
    listener->sweep.fire = sweep;
    loop_append(loop, &listener->stage);
    int error = open_socket(listener, detail);
    if (!error) {
        name_address(listener);
        error = start_microhttpd(listener);
    }
    if (error) {
        if (ret_detail)
            memcpy(ret_detail, detail, sizeof detail);
        listener_close(listener);
        return error;
    }
    listener->due = true;
    struct timers *timers = loop_timers(loop);
    timers->set(timers, &listener->sweep, SWEEP_US);
    *ret_listener = listener;
    return 0;
}

const char *listener_address(const struct listener *listener)
{
    return listener->address;
}

/* ---- Closing --------------------------------------------------------------------------------- */

void listener_quiet(struct listener *listener)
{
    if (listener->quiet)
        return;
    listener->quiet = true;
    MHD_quiesce_daemon(listener->mhd);
    close(listener->socket);
    listener->socket = -1;
    for (struct connection *each = listener->connections; each; each = each->next)
        if (each->phase == CONNECTION_HEAD)
            connection_cut(each);
    listener->due = true;
}

void listener_call_off(struct listener *listener)
{
    for (struct connection *each = listener->connections; each; each = each->next)
        connection_call_off(each);
}

void listener_close(struct listener *listener)
{
    if (!listener)
        return;
    ASSERT(listener->counts.open == 0);
    struct timers *timers = loop_timers(listener->loop);
    timers->stop(timers, &listener->sweep);
    loop_remove(listener->loop, &listener->stage);
    if (listener->mhd) {
        loop_forget(listener->loop, listener->epoll_fd);
        MHD_stop_daemon(listener->mhd); /* closes the listening socket, unless it was made quiet */
        connection_news(listener);
    } else if (listener->socket >= 0) {
        close(listener->socket);
    }
    ASSERT(!listener->connections);
    free(listener);
}

void listener_counts(const struct listener *listener, struct listener_counts *ret_counts)
{
    *ret_counts = listener->counts;
}
