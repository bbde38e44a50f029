/* SPDX-License-Identifier: Apache-2.0
 * A server for the tests of loop, listener and upstream, on a thread of its own, and a client of
 * plain blocking sockets. Its paths:
 *   /echo    replies at once with the body         /later   replies after 20 ms
 *   /stream  ten pieces, 5 ms apart                /flood   8 MB as fast as the client takes it
 *   /hang    never; only when the client has gone  /header  the value of X-Probe
 *   /target  path and query as received            /close   starts a stream and breaks it off
 *   /burst   a million bytes in one write, at once
 *   /events  a hundred events, written one by one, at once
 *   /open    one event, and the stream's end when its client has gone
 * Counters are read by the test after toy_stop(), or are atomic. */
#ifndef TESTS_UNIT_TOY_H
#define TESTS_UNIT_TOY_H

#include "base/assert.h"
#include "base/buffer.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/upstream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct toy {
    struct loop *loop;
    struct listener *listener;
    pthread_t thread;
    int port;
    atomic_int begun, gone, drained, done, done_gone;
    atomic_int last_status;
    size_t flood_most; /* bytes that ever waited for a client of /flood */
};

struct toy_call {
    struct timer timer; /* first */
    struct toy *toy;
    struct exchange *exchange;
    int left;
    size_t flooded;
    bool paused;
};

enum { TOY_FLOOD = 8 * 1024 * 1024 };

static inline void toy_later(struct timer *timer)
{
    struct toy_call *call = (struct toy_call *)timer;
    call->exchange->ops->reply(call->exchange, 200, NULL, 0, SLICE_LITERAL("later"));
    free(call);
}

static inline void toy_piece(struct timer *timer)
{
    struct toy_call *call = (struct toy_call *)timer;
    struct exchange *exchange = call->exchange;
    if (call->left-- == 0) {
        exchange->ops->finish(exchange);
        free(call);
        return;
    }
    exchange->ops->write(exchange, SLICE_LITERAL("data: piece\n\n"));
    struct timers *timers = loop_timers(call->toy->loop);
    timers->set(timers, timer, 5000);
}

static inline void toy_flood(struct toy_call *call)
{
    static char block[16384];
    struct exchange *exchange = call->exchange;
    while (call->flooded < TOY_FLOOD) {
        size_t waiting = exchange->ops->write(exchange, (struct slice){block, sizeof block});
        call->flooded += sizeof block;
        if (waiting > call->toy->flood_most)
            call->toy->flood_most = waiting;
        if (waiting > EXCHANGE_QUEUE_HIGH) {
            call->paused = true;
            return;
        }
    }
    exchange->ops->finish(exchange);
    free(call);
}

static inline struct toy_call *toy_call(struct toy *toy, struct exchange *exchange)
{
    struct toy_call *call = calloc(1, sizeof *call);
    ASSERT(call);
    call->toy = toy;
    call->exchange = exchange;
    exchange->state = call;
    return call;
}

static inline void toy_burst(struct exchange *exchange)
{
    static char block[1000000];
    exchange->ops->start(exchange, 200, NULL, 0);
    exchange->ops->write(exchange, (struct slice){block, sizeof block});
    exchange->ops->finish(exchange);
}

static inline void toy_events(struct exchange *exchange)
{
    exchange->ops->start(exchange, 200, NULL, 0);
    for (int i = 0; i < 100; i++)
        exchange->ops->write(exchange, SLICE_LITERAL("data: event\n\n"));
    exchange->ops->finish(exchange);
}

static inline void toy_slow(struct toy *toy, struct exchange *exchange)
{
    struct timers *timers = loop_timers(toy->loop);
    struct toy_call *call = toy_call(toy, exchange);
    const struct exchange_header type = {"Content-Type", SLICE_LITERAL("text/event-stream")};
    if (slice_is(exchange->path, "/later")) {
        call->timer.fire = toy_later;
        timers->set(timers, &call->timer, 20000);
    } else if (slice_is(exchange->path, "/stream")) {
        call->timer.fire = toy_piece;
        call->left = 10;
        exchange->ops->start(exchange, 200, &type, 1);
        timers->set(timers, &call->timer, 5000);
    } else if (slice_is(exchange->path, "/flood")) {
        exchange->ops->start(exchange, 200, &type, 1);
        toy_flood(call);
    } else if (slice_is(exchange->path, "/open")) {
        exchange->ops->start(exchange, 200, &type, 1);
        exchange->ops->write(exchange, SLICE_LITERAL("data: event\n\n"));
    } else if (!slice_is(exchange->path, "/hang")) {
        free(call);
        exchange->ops->reply(exchange, 404, NULL, 0, (struct slice){NULL, 0});
    }
}

static inline void toy_begin(void *self, struct exchange *exchange)
{
    struct toy *toy = self;
    toy->begun++;
    if (slice_is(exchange->path, "/echo")) {
        exchange->ops->reply(exchange, 200, NULL, 0, exchange->body);
    } else if (slice_is(exchange->path, "/header")) {
        struct slice value = exchange->ops->header(exchange, "x-PROBE");
        exchange->ops->reply(exchange, 200, NULL, 0, value);
    } else if (slice_starts(exchange->path, SLICE_LITERAL("/target"))) {
        char text[512];
        int len = snprintf(text, sizeof text, "%.*s|%.*s", (int)exchange->path.len,
                           exchange->path.data, (int)exchange->query.len, exchange->query.data);
        exchange->ops->reply(exchange, 200, NULL, 0, (struct slice){text, (size_t)len});
    } else if (slice_is(exchange->path, "/burst")) {
        toy_burst(exchange);
    } else if (slice_is(exchange->path, "/events")) {
        toy_events(exchange);
    } else {
        toy_slow(toy, exchange);
    }
}

static inline void toy_gone(void *self, struct exchange *exchange)
{
    struct toy *toy = self;
    struct toy_call *call = exchange->state;
    struct timers *timers = loop_timers(toy->loop);
    toy->gone++;
    timers->stop(timers, &call->timer);
    if (slice_is(exchange->path, "/hang") || slice_is(exchange->path, "/later"))
        exchange->ops->reply(exchange, 499, NULL, 0, SLICE_LITERAL("gone"));
    else
        exchange->ops->finish(exchange);
    free(call);
}

static inline void toy_drained(void *self, struct exchange *exchange)
{
    struct toy *toy = self;
    struct toy_call *call = exchange->state;
    toy->drained++;
    ASSERT(call->paused);
    call->paused = false;
    toy_flood(call);
}

static inline void toy_done(void *user, const struct listener_done *done)
{
    struct toy *toy = user;
    toy->done_gone += done->gone;
    toy->last_status = done->status;
    toy->done++;
}

static inline void *toy_main(void *user)
{
    struct toy *toy = user;
    loop_run(toy->loop);
    return NULL;
}

static inline void toy_start(struct toy *toy, const struct listener_options *wanted)
{
    struct listener_options options = wanted ? *wanted : (struct listener_options){0};
    *toy = (struct toy){0};
    options.address = "127.0.0.1:0";
    options.handler = (struct exchange_handler){toy, toy_begin, toy_gone, toy_drained};
    options.done = toy_done;
    options.user = toy;
    ASSERT(loop_new(&toy->loop) == 0);
    ASSERT(listener_open(toy->loop, &options, &toy->listener, NULL) == 0);
    toy->port = (int)strtol(strrchr(listener_address(toy->listener), ':') + 1, NULL, 10);
    ASSERT(pthread_create(&toy->thread, NULL, toy_main, toy) == 0);
}

/* The loop's thread is over; the listener is still there. */
static inline void toy_halt(struct toy *toy)
{
    loop_stop(toy->loop);
    pthread_join(toy->thread, NULL);
}

static inline void toy_stop(struct toy *toy)
{
    struct listener_counts counts;
    toy_halt(toy);
    listener_quiet(toy->listener);
    listener_call_off(toy->listener);
    do {
        loop_round(toy->loop);
        listener_counts(toy->listener, &counts);
    } while (counts.open);
    listener_close(toy->listener);
    loop_free(toy->loop);
}

/* ---- Client ---------------------------------------------------------------------------------- */

static inline int dial(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const struct timeval patience = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ASSERT(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

static inline void say(int fd, const char *text)
{
    size_t len = strlen(text);
    while (len) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the other side has cut: the test reads what it said */
        text += sent;
        len -= (size_t)sent;
    }
}

/* Everything until the other side closes; terminated. To be freed. */
static inline char *hear_all(int fd, size_t *ret_len)
{
    size_t len = 0, room = 65536;
    char *text = malloc(room);
    for (;;) {
        if (room - len < 2)
            text = realloc(text, room *= 2);
        ASSERT(text);
        ssize_t got = recv(fd, text + len, room - len - 1, 0);
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    text[len] = 0;
    if (ret_len)
        *ret_len = len;
    return text;
}

/* One request on a connection of its own. */
static inline char *ask(int port, const char *request, size_t *ret_len)
{
    int fd = dial(port);
    say(fd, request);
    char *answer = hear_all(fd, ret_len);
    close(fd);
    return answer;
}

static inline void wait_for(atomic_int *value, int wanted)
{
    for (int i = 0; i < 5000 && *value < wanted; i++)
        usleep(1000);
}

#endif
