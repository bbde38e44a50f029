/* SPDX-License-Identifier: Apache-2.0
 * What the tests of the upstream have in common: a loop with an upstream on it, a transfer that
 * notes what it is told, and a socket that listens. */
#ifndef TESTS_UNIT_FETCH_H
#define TESTS_UNIT_FETCH_H

#include "toy.h"

#include "net/workers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct fetch {
    struct upstream_transfer transfer; /* first */
    struct upstream *upstream;
    int status, heads, ends;
    enum upstream_end end;
    char why[128], type[64];
    size_t bytes;
    char *let_go; /* freed when head() says that the body was sent */
    bool keep;    /* the bytes, in got */
    struct buffer got;
    bool cancel_at_head, cancel_at_data, pause_at_head;
    int pause_at; /* bytes */
    bool paused;
};

static inline void fetch_head(struct upstream_transfer *transfer, int status)
{
    struct fetch *fetch = (struct fetch *)transfer;
    struct slice type = fetch->upstream->header(fetch->upstream, transfer, "content-TYPE");
    fetch->heads++;
    fetch->status = status;
    if (transfer->body_sent) {
        free(fetch->let_go);
        fetch->let_go = NULL;
    }
    snprintf(fetch->type, sizeof fetch->type, "%.*s", (int)type.len, type.len ? type.data : "");
    if (fetch->cancel_at_head)
        fetch->upstream->cancel(fetch->upstream, transfer);
    if (fetch->pause_at_head) {
        fetch->paused = true;
        fetch->upstream->pause(fetch->upstream, transfer, true);
    }
}

static inline void fetch_data(struct upstream_transfer *transfer, struct slice bytes)
{
    struct fetch *fetch = (struct fetch *)transfer;
    assert_false(fetch->paused);
    assert_int_equal(fetch->heads, 1);
    fetch->bytes += bytes.len;
    if (fetch->keep) {
        fetch->got.max = fetch->bytes;
        assert_int_equal(buffer_append(&fetch->got, bytes), 0);
    }
    if (fetch->cancel_at_data)
        fetch->upstream->cancel(fetch->upstream, transfer);
    if (fetch->pause_at && fetch->bytes >= (size_t)fetch->pause_at) {
        fetch->pause_at = 0;
        fetch->paused = true;
        fetch->upstream->pause(fetch->upstream, transfer, true);
    }
}

static inline void fetch_end(struct upstream_transfer *transfer, enum upstream_end end,
                             const char *why)
{
    struct fetch *fetch = (struct fetch *)transfer;
    struct slice type = fetch->upstream->header(fetch->upstream, transfer, "content-type");
    if (fetch->heads) /* as it was told */
        assert_int_equal(type.len, strlen(fetch->type));
    fetch->ends++;
    fetch->end = end;
    snprintf(fetch->why, sizeof fetch->why, "%s", why);
}

struct bench {
    struct loop *loop;
    struct workers *workers;
    struct upstream *upstream;
};

static inline void bench_open(struct bench *bench)
{
    assert_int_equal(loop_new(&bench->loop), 0);
    assert_int_equal(workers_open(bench->loop, 2, &bench->workers), 0);
    assert_int_equal(upstream_open(bench->loop, bench->workers, &bench->upstream), 0);
}

static inline void bench_close(struct bench *bench)
{
    upstream_close(bench->upstream);
    workers_close(bench->workers);
    loop_free(bench->loop);
}

/* What libcurl carries; a URL with a name in it is its own even in clear. */
static bool by_curl;

static inline void begin_at(struct bench *bench, struct fetch *fetch, const char *url,
                            struct upstream_request *request)
{
    fetch->transfer =
        (struct upstream_transfer){.head = fetch_head, .data = fetch_data, .end = fetch_end};
    fetch->upstream = bench->upstream;
    request->url = url;
    request->method = request->method ? request->method : "GET";
    assert_int_equal(bench->upstream->start(bench->upstream, request, &fetch->transfer), 0);
    assert_int_equal(fetch->heads + fetch->ends, 0);
}

static inline void begin(struct bench *bench, struct fetch *fetch, int port, const char *path,
                         struct upstream_request *request)
{
    char url[128]; /* copied by the time start() returns */
    snprintf(url, sizeof url, "http://%s127.0.0.1:%d%s", by_curl ? "somebody@" : "", port, path);
    begin_at(bench, fetch, url, request);
}

static inline void nothing(struct timer *timer)
{
    (void)timer;
}

static inline void run_for(struct bench *bench, int64_t us)
{
    struct timers *timers = loop_timers(bench->loop);
    struct timer alarm = {.fire = nothing};
    timers->set(timers, &alarm, us);
    while (alarm.slot)
        loop_round(bench->loop);
}

static inline void run_to_end(struct bench *bench, struct fetch *fetch)
{
    struct timers *timers = loop_timers(bench->loop);
    struct timer alarm = {.fire = nothing};
    timers->set(timers, &alarm, 10000000);
    while (!fetch->ends && alarm.slot)
        loop_round(bench->loop);
    timers->stop(timers, &alarm);
    assert_int_equal(fetch->ends, 1);
}

/* A listening socket that answers by hand. */
static inline int listen_raw(int *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t at_len = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 16), 0);
    getsockname(fd, (struct sockaddr *)&at, &at_len);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

#endif
