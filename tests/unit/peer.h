/* SPDX-License-Identifier: Apache-2.0
 * A provider whose every byte the test writes itself, on the loop's own thread: rounds of the loop
 * go on while it waits. */
#ifndef TESTS_UNIT_PEER_H
#define TESTS_UNIT_PEER_H

#include "fetch.h"

#include <fcntl.h>
#include <poll.h>

#define PLAIN "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

struct peer {
    int listening, port;
};

static inline void peer_open(struct peer *peer, int receive_room)
{
    peer->listening = listen_raw(&peer->port);
    fcntl(peer->listening, F_SETFL, O_NONBLOCK);
    if (receive_room)
        setsockopt(peer->listening, SOL_SOCKET, SO_RCVBUF, &receive_room, sizeof receive_room);
}

static inline int peer_accept(struct bench *bench, const struct peer *peer)
{
    for (int i = 0; i < 2000; i++) {
        int fd = accept4(peer->listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            return fd;
        run_for(bench, 1000);
    }
    fail_msg("nobody connects");
    return -1;
}

static inline bool peer_has(const struct peer *peer)
{
    struct pollfd look = {.fd = peer->listening, .events = POLLIN};
    return poll(&look, 1, 0) > 0;
}

/* The next request's head, terminated. */
static inline void hear(struct bench *bench, int fd, char *room, size_t room_len)
{
    size_t len = 0;
    for (int i = 0; i < 2000; i++) {
        ssize_t got = recv(fd, room + len, room_len - len - 1, 0);
        assert_int_not_equal(got, 0);
        len += got > 0 ? (size_t)got : 0;
        room[len] = 0;
        if (strstr(room, "\r\n\r\n"))
            return;
        run_for(bench, 1000);
    }
    fail_msg("no request");
}

static inline void tell_bytes(struct bench *bench, int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent > 0) {
            bytes += sent;
            len -= (size_t)sent;
        } else if (errno != EAGAIN) {
            return; /* cut; the test sees to what end */
        }
        run_for(bench, 200);
    }
}

static inline void tell(struct bench *bench, int fd, const char *text)
{
    tell_bytes(bench, fd, text, strlen(text));
}

/* A request on a connection that is there, or on a new one (*fd < 0), heard and answered. */
static inline void serve(struct bench *bench, const struct peer *peer, int *fd, const char *answer)
{
    char room[4096];
    if (*fd < 0)
        *fd = peer_accept(bench, peer);
    hear(bench, *fd, room, sizeof room);
    tell(bench, *fd, answer);
}

/* One exchange whose answer is these bytes, and then the connection's end. */
static inline void exchange_bytes(struct bench *bench, const struct peer *peer, struct fetch *fetch,
                                  const char *bytes, size_t len)
{
    char room[4096];
    struct upstream_request request = {0};
    begin(bench, fetch, peer->port, "/", &request);
    int fd = peer_accept(bench, peer);
    hear(bench, fd, room, sizeof room);
    tell_bytes(bench, fd, bytes, len);
    close(fd);
    run_to_end(bench, fetch);
}

static inline void setup(struct bench *bench, struct peer *peer)
{
    bench_open(bench);
    peer_open(peer, 0);
}

static inline void teardown(struct bench *bench, struct peer *peer)
{
    bench_close(bench);
    close(peer->listening);
}

static const char *const WHOLE[] = {
    "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 11\r\n\r\nhello world",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n"
    "1\r\nh\r\n4;name=\"value\"\r\nello\r\n6\r\n world\r\n0\r\nTrailer: t\r\n\r\n",
    "HTTP/1.1 200 OK\nContent-Type: a/b\nContent-Length: 11\n\nhello world",
};

static inline void check_hello(struct fetch *fetch)
{
    assert_int_equal(fetch->end, UPSTREAM_DONE);
    assert_int_equal(fetch->heads, 1);
    assert_int_equal(fetch->status, 200);
    assert_string_equal(fetch->type, "a/b");
    assert_int_equal(fetch->got.len, 11);
    assert_memory_equal(fetch->got.data, "hello world", 11);
    buffer_done(&fetch->got);
}

static inline void resume(struct bench *bench, struct fetch *fetch)
{
    fetch->paused = false;
    bench->upstream->pause(bench->upstream, &fetch->transfer, false);
}

#endif
