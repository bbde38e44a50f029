/* SPDX-License-Identifier: Apache-2.0
 * Proves what server/upstream.h and gateway/upstream.h promise, against the toy server and against
 * sockets that misbehave: bytes and headers arrive, connections are reused, nothing is sent twice,
 * every time limit ends what it should, pause holds, cancel and failures end exactly once. */
#include "toy.h"

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
    int cancel_at_head, pause_at;
    bool paused;
};

static void fetch_head(struct upstream_transfer *transfer, int status)
{
    struct fetch *fetch = (struct fetch *)transfer;
    struct slice type = fetch->upstream->header(fetch->upstream, transfer, "content-TYPE");
    fetch->heads++;
    fetch->status = status;
    snprintf(fetch->type, sizeof fetch->type, "%.*s", (int)type.len, type.len ? type.data : "");
    if (fetch->cancel_at_head)
        fetch->upstream->cancel(fetch->upstream, transfer);
}

static void fetch_data(struct upstream_transfer *transfer, struct slice bytes)
{
    struct fetch *fetch = (struct fetch *)transfer;
    assert_false(fetch->paused);
    assert_int_equal(fetch->heads, 1);
    fetch->bytes += bytes.len;
    if (fetch->pause_at && fetch->bytes >= (size_t)fetch->pause_at) {
        fetch->pause_at = 0;
        fetch->paused = true;
        fetch->upstream->pause(fetch->upstream, transfer, true);
    }
}

static void fetch_end(struct upstream_transfer *transfer, enum upstream_end end, const char *why)
{
    struct fetch *fetch = (struct fetch *)transfer;
    fetch->ends++;
    fetch->end = end;
    snprintf(fetch->why, sizeof fetch->why, "%s", why);
}

struct bench {
    struct loop *loop;
    struct upstream *upstream;
};

static void bench_open(struct bench *bench)
{
    assert_int_equal(loop_new(&bench->loop), 0);
    assert_int_equal(upstream_open(bench->loop, &bench->upstream), 0);
}

static void bench_close(struct bench *bench)
{
    upstream_close(bench->upstream);
    loop_free(bench->loop);
}

static void begin(struct bench *bench, struct fetch *fetch, int port, const char *path,
                  struct upstream_request *request)
{
    char url[128];
    fetch->transfer = (struct upstream_transfer){fetch_head, fetch_data, fetch_end, NULL};
    fetch->upstream = bench->upstream;
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, path);
    request->url = url; /* copied by the time start() returns */
    request->method = request->method ? request->method : "GET";
    assert_int_equal(bench->upstream->start(bench->upstream, request, &fetch->transfer), 0);
    assert_int_equal(fetch->heads + fetch->ends, 0);
}

static void nothing(struct timer *timer)
{
    (void)timer;
}

static void run_for(struct bench *bench, int64_t us)
{
    struct timers *timers = loop_timers(bench->loop);
    struct timer alarm = {.fire = nothing};
    timers->set(timers, &alarm, us);
    while (alarm.slot)
        loop_round(bench->loop);
}

static void run_to_end(struct bench *bench, struct fetch *fetch)
{
    struct timers *timers = loop_timers(bench->loop);
    int64_t end = timers->now_us(timers) + 10000000;
    while (!fetch->ends && timers->now_us(timers) < end)
        loop_round(bench->loop);
    assert_int_equal(fetch->ends, 1);
}

static void bytes_arrive_and_connections_are_reused(void **state)
{
    (void)state;
    struct toy toy;
    struct bench bench;
    struct upstream_counts counts;
    toy_start(&toy, NULL);
    bench_open(&bench);
    static char body[300000];
    for (int i = 0; i < 20; i++) {
        struct upstream_request request = {.method = "POST",
                                           .body = {body, sizeof body / (size_t)(i + 1)}};
        struct fetch fetch = {0};
        begin(&bench, &fetch, toy.port, "/echo", &request);
        run_to_end(&bench, &fetch);
        assert_int_equal(fetch.end, UPSTREAM_DONE);
        assert_int_equal(fetch.status, 200);
        assert_int_equal(fetch.bytes, request.body.len);
    }
    struct fetch fetch = {0};
    struct upstream_request request = {0};
    begin(&bench, &fetch, toy.port, "/stream", &request);
    run_to_end(&bench, &fetch);
    assert_int_equal(fetch.bytes, 130);
    assert_string_equal(fetch.type, "text/event-stream");
    upstream_counts(bench.upstream, &counts);
    assert_int_equal(counts.connects, 1);
    assert_int_equal(counts.transfers, 21);
    bench_close(&bench);
    toy_stop(&toy);
}

static void header_and_many_at_once(void **state)
{
    (void)state;
    enum { MANY = 200 };
    static struct fetch fetches[MANY];
    struct toy toy;
    struct bench bench;
    toy_start(&toy, NULL);
    bench_open(&bench);
    const struct exchange_header probe = {"X-Probe", SLICE_LITERAL("twelve bytes")};
    for (int i = 0; i < MANY; i++) {
        struct upstream_request request = {.headers = &probe, .headers_len = 1};
        begin(&bench, &fetches[i], toy.port, i % 2 ? "/header" : "/later", &request);
    }
    for (int i = 0; i < MANY; i++) {
        while (!fetches[i].ends)
            loop_round(bench.loop);
        assert_int_equal(fetches[i].end, UPSTREAM_DONE);
        assert_int_equal(fetches[i].bytes, i % 2 ? 12 : 5);
    }
    bench_close(&bench);
    toy_stop(&toy);
}

static void a_paused_transfer_holds_still_and_goes_on(void **state)
{
    (void)state;
    struct toy toy;
    struct bench bench;
    toy_start(&toy, NULL);
    bench_open(&bench);
    struct fetch fetch = {.pause_at = 1000000};
    struct upstream_request request = {.idle_timeout_ms = 100};
    begin(&bench, &fetch, toy.port, "/flood", &request);
    while (!fetch.paused)
        loop_round(bench.loop);
    size_t held = fetch.bytes;
    run_for(&bench, 300000);
    assert_int_equal(fetch.bytes, held); /* and longer than the idle limit, which is not for this */
    assert_int_equal(fetch.ends, 0);
    fetch.paused = false;
    bench.upstream->pause(bench.upstream, &fetch.transfer, false);
    assert_int_equal(fetch.bytes, held);
    run_to_end(&bench, &fetch);
    assert_int_equal(fetch.end, UPSTREAM_DONE);
    assert_int_equal(fetch.bytes, TOY_FLOOD);
    bench_close(&bench);
    toy_stop(&toy);
}

static void cancel_ends_once_wherever_it_is_called(void **state)
{
    (void)state;
    struct toy toy;
    struct bench bench;
    toy_start(&toy, NULL);
    bench_open(&bench);
    for (int when = 0; when < 3; when++) {
        struct fetch fetch = {.cancel_at_head = when == 1};
        struct upstream_request request = {0};
        begin(&bench, &fetch, toy.port, when == 1 ? "/flood" : "/hang", &request);
        if (when == 2)
            run_for(&bench, 20000);
        if (when != 1) {
            bench.upstream->cancel(bench.upstream, &fetch.transfer);
            bench.upstream->cancel(bench.upstream, &fetch.transfer);
        }
        assert_int_equal(fetch.ends, 0);
        run_to_end(&bench, &fetch);
        assert_int_equal(fetch.end, UPSTREAM_CANCELLED);
        assert_int_equal(fetch.bytes, 0);
    }
    bench_close(&bench);
    wait_for(&toy.gone, 2);
    assert_int_equal(toy.gone, 2); /* the first never got there */
    toy_stop(&toy);
}

static void every_time_limit_ends_what_it_should(void **state)
{
    (void)state;
    struct toy toy;
    struct bench bench;
    toy_start(&toy, NULL);
    bench_open(&bench);
    struct fetch first = {0}, idle = {0}, total = {0};
    struct upstream_request request = {.first_byte_timeout_ms = 50, .total_timeout_ms = 5000};
    begin(&bench, &first, toy.port, "/hang", &request);
    run_to_end(&bench, &first);
    assert_int_equal(first.end, UPSTREAM_TIMEOUT);
    request = (struct upstream_request){.first_byte_timeout_ms = 1000, .idle_timeout_ms = 3};
    begin(&bench, &idle, toy.port, "/stream", &request);
    run_to_end(&bench, &idle);
    assert_int_equal(idle.end, UPSTREAM_TIMEOUT);
    assert_int_equal(idle.status, 200);
    request = (struct upstream_request){
        .first_byte_timeout_ms = 1000, .idle_timeout_ms = 1000, .total_timeout_ms = 30};
    begin(&bench, &total, toy.port, "/stream", &request);
    run_to_end(&bench, &total);
    assert_int_equal(total.end, UPSTREAM_TIMEOUT);
    bench_close(&bench);
    toy_stop(&toy);
}

/* A listening socket that answers by hand. */
static int listen_raw(int *ret_port)
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

struct raw {
    int fd;
    const char *answers[4]; /* one a request, all on one connection; NULL: close */
    atomic_int requests;
};

static void *raw_main(void *user)
{
    struct raw *raw = user;
    char room[65536];
    for (int i = 0; raw->answers[i];) {
        int fd = accept(raw->fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        while (recv(fd, room, sizeof room, 0) > 0) {
            raw->requests++;
            if (!raw->answers[i] || !*raw->answers[i])
                break;
            say(fd, raw->answers[i++]);
        }
        close(fd);
        if (raw->answers[i] && !*raw->answers[i])
            i++;
    }
    return NULL;
}

#define PLAIN "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* libcurl sends a request again when a kept connection dies under it: a provider billed twice. */
static void a_request_is_never_sent_twice(void **state)
{
    (void)state;
    struct bench bench;
    struct raw raw = {.answers = {PLAIN, "", PLAIN, NULL}};
    int port;
    raw.fd = listen_raw(&port);
    pthread_t thread;
    pthread_create(&thread, NULL, raw_main, &raw);
    bench_open(&bench);
    struct fetch first = {0}, second = {0};
    struct upstream_request request = {.method = "POST", .body = SLICE_LITERAL("{}")};
    begin(&bench, &first, port, "/", &request);
    run_to_end(&bench, &first);
    assert_int_equal(first.end, UPSTREAM_DONE);
    begin(&bench, &second, port, "/", &request);
    run_to_end(&bench, &second);
    assert_int_equal(second.end, UPSTREAM_LOST);
    for (int i = 0; i < 20; i++)
        usleep(1000);
    assert_int_equal(raw.requests, 2);
    bench_close(&bench);
    shutdown(raw.fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(raw.fd);
}

static void failures_say_whether_anything_was_sent(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    int port, closed = listen_raw(&port);
    close(closed);
    struct fetch refused = {0};
    struct upstream_request request = {.connect_timeout_ms = 1000};
    begin(&bench, &refused, port, "/", &request);
    run_to_end(&bench, &refused);
    assert_int_equal(refused.end, UPSTREAM_NOT_SENT);
    assert_true(refused.why[0]);
    const char *const broken[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "garbage\r\n\r\n",
        "HTTP/1.1 20",
    };
    for (size_t i = 0; i < 4; i++) {
        struct raw raw = {.answers = {broken[i], "", NULL}};
        struct fetch fetch = {0};
        pthread_t thread;
        raw.fd = listen_raw(&port);
        request = (struct upstream_request){.method = "POST",
                                            .body = SLICE_LITERAL("{}"),
                                            .first_byte_timeout_ms = 300,
                                            .idle_timeout_ms = 300};
        pthread_create(&thread, NULL, raw_main, &raw);
        begin(&bench, &fetch, port, "/", &request);
        run_to_end(&bench, &fetch);
        assert_true(fetch.end == UPSTREAM_LOST || fetch.end == UPSTREAM_TIMEOUT);
        shutdown(raw.fd, SHUT_RDWR);
        pthread_join(thread, NULL);
        close(raw.fd);
    }
    struct fetch none = {0};
    none.transfer = (struct upstream_transfer){fetch_head, fetch_data, fetch_end, NULL};
    request = (struct upstream_request){.method = "GET", .url = "file:///etc/passwd"};
    assert_int_equal(bench.upstream->start(bench.upstream, &request, &none.transfer),
                     METE_E_INVALID);
    bench_close(&bench);
}

static void one_that_is_never_reached_was_not_sent(void **state)
{
    (void)state;
    struct bench bench;
    int port, fd = listen_raw(&port), filler[64];
    bench_open(&bench);
    listen(fd, 0); /* a full backlog: connecting hangs */
    for (int i = 0; i < 8; i++) {
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(filler[i], (struct sockaddr *)&to, sizeof to);
    }
    struct fetch fetch = {0};
    struct upstream_request request = {.connect_timeout_ms = 80};
    begin(&bench, &fetch, port, "/", &request);
    run_to_end(&bench, &fetch);
    assert_int_equal(fetch.end, UPSTREAM_NOT_SENT);
    bench_close(&bench);
    for (int i = 0; i < 8; i++)
        close(filler[i]);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_arrive_and_connections_are_reused),
        cmocka_unit_test(header_and_many_at_once),
        cmocka_unit_test(a_paused_transfer_holds_still_and_goes_on),
        cmocka_unit_test(cancel_ends_once_wherever_it_is_called),
        cmocka_unit_test(every_time_limit_ends_what_it_should),
        cmocka_unit_test(a_request_is_never_sent_twice),
        cmocka_unit_test(failures_say_whether_anything_was_sent),
        cmocka_unit_test(one_that_is_never_reached_was_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
