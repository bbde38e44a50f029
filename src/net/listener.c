/* SPDX-License-Identifier: Apache-2.0
 * The listening socket, and who comes in by it. It is watched for edges: what one said stays in
 * ringing until accept4() has found nobody, so that a full house asks epoll for nothing. Whoever
 * waits meanwhile waits in the kernel.
 *
 * Not done: several loops (one has enough for the ledger behind it); handshakes on threads of their
 * own (one costs 0.4 ms with a P-256 key, 1.6 ms with RSA: prefer the former). */
#include "net/connection.h"

#include "base/assert.h"
#include "base/limits.h"
#include "os/os.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SWEEP_US = 1000000, BACKLOG = 4096 };
enum { UNSENT_MOST = 128 * 1024, ACCEPTS_MOST = 64 /* in a turn */ };

static struct listener *listener_of(struct loop_stage *stage)
{
    return (struct listener *)((char *)stage - offsetof(struct listener, stage));
}

/* ---- Coming in ------------------------------------------------------------------------------- */

/* Not known: another kind of address. */
static struct address peer_of(const struct sockaddr_storage *from)
{
    struct address peer = {.is_known = true};
    if (from->ss_family == AF_INET6) {
        memcpy(peer.bytes, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
    } else if (from->ss_family == AF_INET) {
        memset(peer.bytes + 10, 0xff, 2); /* in IPv6's clothes */
        memcpy(peer.bytes + 12, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
    } else {
        peer.is_known = false;
    }
    return peer;
}

/* Whom an address is counted as: an IPv4 address, or the network of 64 bits that one subscriber of
 * IPv6 has. 0: not known, not counted. */
static uint64_t address_key(const struct address *peer)
{
    uint64_t key = 0;
    struct in6_addr v6;
    memcpy(&v6, peer->bytes, sizeof v6);
    if (!peer->is_known)
        return 0;
    if (!IN6_IS_ADDR_V4MAPPED(&v6)) {
        memcpy(&key, peer->bytes, sizeof key);
        return key;
    }
    uint32_t v4;
    memcpy(&v4, peer->bytes + 12, sizeof v4);
    return UINT64_C(0xffffffff00000000) | v4;
}

/* A connection's place among those of its address; false: that has enough. */
static bool enter_address(struct listener *listener, const struct address *peer, uint64_t *ret_key)
{
    uint32_t max = listener->options.address_max;
    *ret_key = max ? address_key(peer) : 0;
    return !*ret_key || crowd_enter(&listener->addresses, *ret_key, max);
}

static void come_in(struct listener *listener, int fd, const struct sockaddr_storage *from)
{
    uint64_t key;
    struct address peer = peer_of(from);
    if (!enter_address(listener, &peer, &key)) {
        listener->counts.refused++;
        close(fd);
        return;
    }
    listener->counts.accepted++;
    if (!connection_new(listener, fd, key, &peer) && key)
        crowd_leave(&listener->addresses, key);
}

static void let_in(struct listener *listener)
{
    for (int i = 0; i < ACCEPTS_MOST && listener->ringing; i++) {
        struct sockaddr_storage from;
        socklen_t from_len = sizeof from;
        if (listener->counts.connections >= listener->options.connections_max)
            return;
        int fd = accept4(listener->socket, (struct sockaddr *)&from, &from_len,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            come_in(listener, fd, &from);
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            listener->ringing = false;
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            return; /* until some are closed, or the next sweep */
    }
}

static void rang(void *user, uint32_t events)
{
    struct listener *listener = user;
    (void)events;
    listener->ringing = true;
}

/* ---- Rounds ---------------------------------------------------------------------------------- */

static bool listener_turn(struct loop_stage *stage, int64_t *deadline_us)
{
    struct listener *listener = listener_of(stage);
    uint64_t before = listener->counts.accepted;
    bool progress = listener->news != NULL;
    (void)deadline_us;
    connection_turn(listener);
    if (listener->ringing && !listener->quiet)
        let_in(listener);
    return progress || listener->counts.accepted != before;
}

static void sweep_now(struct timer *timer)
{
    struct listener *listener =
        (struct listener *)((char *)timer - offsetof(struct listener, sweep));
    sweep(listener);
    if (listener->tls && tls_changed(listener->tls))
        listener_reload(listener);
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

/* A client that vanishes without a word is found out within the idle timeout, also while nothing is
 * sent to it; and of a stream that it does not take little waits in the kernel. Accepted sockets
 * have it from the listening one, at no call of their own. */
static void set_patience(int fd, int64_t idle_timeout_ms)
{
    const int on = 1, timeout_ms = (int)idle_timeout_ms, unsent = UNSENT_MOST;
    const int probe_s = idle_timeout_ms >= 6000 ? (int)(idle_timeout_ms / 3000) : 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &probe_s, sizeof probe_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &probe_s, sizeof probe_s);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
}

static int bound_socket(const struct addrinfo *where, int64_t idle_timeout_ms)
{
    int fd = socket(where->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    set_patience(fd, idle_timeout_ms);
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
    listener->socket = bound_socket(found, listener->options.idle_timeout_ms);
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

static int open_addresses(struct listener *listener)
{
    const struct os *os = os_system();
    uint64_t seed;
    if (!listener->options.address_max)
        return 0;
    os->random(os->user, &seed, sizeof seed);
    return crowd_init(&listener->addresses, listener->options.connections_max, seed);
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
    listener->sweep.fire = sweep_now;
    loop_append(loop, &listener->stage);
    int error = open_addresses(listener);
    if (!error && options->tls.certificate && *options->tls.certificate)
        error = tls_open(&options->tls, &listener->tls, detail);
    if (!error)
        error = open_socket(listener, detail);
    if (!error) {
        name_address(listener);
        error = loop_watch(loop, listener->socket, EPOLLIN | EPOLLET, rang, listener);
    }
    if (error) {
        if (ret_detail)
            memcpy(ret_detail, detail, sizeof detail);
        listener_close(listener);
        return error;
    }
    struct timers *timers = loop_timers(loop);
    timers->set(timers, &listener->sweep, SWEEP_US);
    *ret_listener = listener;
    return 0;
}

const char *listener_address(const struct listener *listener)
{
    return listener->address;
}

const struct tls *listener_tls(const struct listener *listener)
{
    return listener->tls;
}

void listener_reload(struct listener *listener)
{
    char detail[256] = "";
    if (!listener->tls)
        return;
    int error = tls_reload(listener->tls, detail);
    if (listener->options.certificate)
        listener->options.certificate(listener->options.user, error, detail);
}

/* ---- Closing --------------------------------------------------------------------------------- */

static void close_socket(struct listener *listener)
{
    if (listener->socket < 0)
        return;
    loop_forget(listener->loop, listener->socket);
    close(listener->socket);
    listener->socket = -1;
}

void listener_quiet(struct listener *listener)
{
    if (listener->quiet)
        return;
    listener->quiet = true;
    close_socket(listener);
    for (struct connection *each = listener->connections; each; each = each->next)
        if (each->phase == CONNECTION_HEAD)
            connection_close(each);
    loop_wake(listener->loop); /* whoever runs rounds until nothing is open sees to it at once */
}

void listener_call_off(struct listener *listener)
{
    for (struct connection *each = listener->connections; each; each = each->next)
        connection_note_gone(each);
}

void listener_close(struct listener *listener)
{
    if (!listener)
        return;
    ASSERT(listener->counts.open == 0);
    struct timers *timers = loop_timers(listener->loop);
    timers->stop(timers, &listener->sweep);
    loop_remove(listener->loop, &listener->stage);
    close_socket(listener);
    listener->quiet = true;
    connection_turn(listener); /* replies that were written last */
    for (struct connection *each = listener->connections; each; each = each->next)
        connection_close(each);
    while (listener->news)
        connection_turn(listener);
    ASSERT(!listener->connections);
    tls_close(listener->tls);
    crowd_done(&listener->addresses);
    free(listener);
}

void listener_counts(const struct listener *listener, struct listener_counts *ret_counts)
{
    *ret_counts = listener->counts;
}
