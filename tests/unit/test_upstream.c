/* SPDX-License-Identifier: Apache-2.0
 * Proves what net/upstream.h and gateway/upstream.h promise, whichever way a request goes,
 * against the toy server and against sockets that misbehave: bytes and headers arrive, connections
 * are reused, nothing is sent twice, every time limit ends what it should, pause holds, cancel and
 * failures end exactly once. */
#include "fetch.h"

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
        const struct slice whole = {body, sizeof body / (size_t)(i + 1)};
        struct upstream_request request = {.method = "POST", .body = &whole, .body_len = 1};
        struct fetch fetch = {0};
        begin(&bench, &fetch, toy.port, "/echo", &request);
        run_to_end(&bench, &fetch);
        assert_int_equal(fetch.end, UPSTREAM_DONE);
        assert_int_equal(fetch.status, 200);
        assert_int_equal(fetch.bytes, whole.len);
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

/* Small bodies are joined, large ones are read from where their pieces lie. */
static void a_body_in_pieces_arrives_as_one(void **state)
{
    (void)state;
    static char large[UPSTREAM_PIECES_MAX * 40000];
    struct toy toy;
    struct bench bench;
    toy_start(&toy, NULL);
    bench_open(&bench);
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)('a' + i * 2654435761U % 26);
    const size_t lens[] = {0, 1, 700, 40000};
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        struct slice pieces[UPSTREAM_PIECES_MAX];
        for (size_t at = 0; at < UPSTREAM_PIECES_MAX; at++)
            pieces[at] = (struct slice){large + at * lens[i], lens[i]};
        size_t total = UPSTREAM_PIECES_MAX * lens[i];
        pieces[3].len = 0;
        struct upstream_request request = {
            .method = "POST", .body = pieces, .body_len = UPSTREAM_PIECES_MAX};
        struct fetch fetch = {.keep = true};
        begin(&bench, &fetch, toy.port, "/echo", &request);
        memset(pieces, 0xff, sizeof pieces); /* theirs until start() only */
        run_to_end(&bench, &fetch);
        assert_int_equal(fetch.end, UPSTREAM_DONE);
        assert_int_equal(fetch.bytes, total - lens[i]);
        assert_int_equal(fetch.got.len, fetch.bytes);
        assert_memory_equal(fetch.got.data, large, 3 * lens[i]);
        assert_memory_equal(fetch.got.data + 3 * lens[i], large + 4 * lens[i], total - 4 * lens[i]);
        buffer_done(&fetch.got);
    }
    bench_close(&bench);
    toy_stop(&toy);
}

/* A provider's limits are its own: what differs in any option shares no connection. */
static void equal_wires_share_connections_and_others_do_not(void **state)
{
    (void)state;
    struct toy toy;
    struct bench bench;
    struct upstream_counts counts;
    toy_start(&toy, NULL);
    bench_open(&bench);
    struct upstream_wire wires[] = {{.idle_max = 4},
                                    {.idle_max = 4, .key_file = ""},
                                    {.idle_max = 5},
                                    {.connections_max = 2},
                                    {.http = UPSTREAM_HTTP_1_1}};
    const int connects[] = {1, 1, 2, 3, 4};
    for (int i = 0; i < 10; i++) {
        struct upstream_request request = {.wire = &wires[i % 5]};
        struct fetch fetch = {0};
        begin(&bench, &fetch, toy.port, "/header", &request);
        run_to_end(&bench, &fetch);
        assert_int_equal(fetch.end, UPSTREAM_DONE);
        upstream_counts(bench.upstream, &counts);
        assert_int_equal(counts.connects, i < 5 ? connects[i] : 4);
    }
    bench_close(&bench);
    toy_stop(&toy);
}

/* Many configurations, one after another: a pool that nothing uses makes room. */
static void pools_make_room_for_others(void **state)
{
    (void)state;
    struct toy toy;
    struct bench bench;
    toy_start(&toy, NULL);
    bench_open(&bench);
    for (uint32_t i = 1; i <= 200; i++) {
        struct upstream_wire wire = {.idle_max = i};
        struct upstream_request request = {.wire = &wire};
        struct fetch fetch = {0};
        begin(&bench, &fetch, toy.port, "/header", &request);
        wire = (struct upstream_wire){0};
        run_to_end(&bench, &fetch);
        assert_int_equal(fetch.end, UPSTREAM_DONE);
    }
    bench_close(&bench);
    toy_stop(&toy);
}

static void connections_to_a_host_are_limited(void **state)
{
    (void)state;
    enum { MANY = 20 };
    static struct fetch fetches[MANY];
    struct toy toy;
    struct bench bench;
    struct upstream_counts counts;
    const struct upstream_wire wire = {.connections_max = 3};
    memset(fetches, 0, sizeof fetches);
    toy_start(&toy, NULL);
    bench_open(&bench);
    for (int i = 0; i < MANY; i++) {
        struct upstream_request request = {.wire = &wire};
        begin(&bench, &fetches[i], toy.port, "/later", &request);
    }
    for (int i = 0; i < MANY; i++) {
        run_to_end(&bench, &fetches[i]);
        assert_int_equal(fetches[i].end, UPSTREAM_DONE);
    }
    upstream_counts(bench.upstream, &counts);
    assert_int_equal(counts.connects, 3);
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
    memset(fetches, 0, sizeof fetches);
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

struct raw {
    int fd;
    char seen[2048];        /* the first request's first bytes; terminated */
    const char *answers[4]; /* one a request, all on one connection; NULL: close */
    atomic_int requests;
};

static void *raw_main(void *user)
{
    struct raw *raw = user;
    char room[65536] = "";
    for (int i = 0; raw->answers[i];) {
        int fd = accept(raw->fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        while (recv(fd, room, sizeof room, 0) > 0) {
            if (!raw->requests++)
                snprintf(raw->seen, sizeof raw->seen, "%s", room);
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

static const struct slice braces = {"{}", 2};

#define PLAIN "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* libcurl by itself sends a request again when a kept connection dies under it: a provider billed
 * twice. */
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
    struct upstream_request request = {.method = "POST", .body = &braces, .body_len = 1};
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

/* Of a body that has arrived whole the bytes may go when the answer begins, and not before. */
static void a_body_that_was_sent_is_not_needed_any_more(void **state)
{
    (void)state;
    const size_t lens[] = {1, 1000, 3000000};
    struct toy toy;
    struct bench bench;
    toy_start(&toy, NULL);
    bench_open(&bench);
    for (int i = 0; i < 6; i++) {
        size_t len = lens[i / 2];
        char *bytes = malloc(len);
        const struct slice halves[] = {{bytes, len / 2}, {bytes + len / 2, len - len / 2}};
        const struct slice whole = {bytes, len};
        memset(bytes, 'b', len);
        struct upstream_request request = {
            .method = "POST", .body = i % 2 ? halves : &whole, .body_len = i % 2 ? 2 : 1};
        struct fetch fetch = {.let_go = bytes};
        begin(&bench, &fetch, toy.port, "/echo", &request);
        run_to_end(&bench, &fetch);
        assert_int_equal(fetch.end, UPSTREAM_DONE);
        assert_int_equal(fetch.bytes, len);
        assert_null(fetch.let_go); /* the toy reads it whole before it answers */
    }
    bench_close(&bench);
    toy_stop(&toy);
    /* One that is answered before it was read. */
    static char large[8000000];
    const struct slice all = {large, sizeof large};
    struct raw raw = {.answers = {PLAIN, "", NULL}};
    int port;
    raw.fd = listen_raw(&port);
    pthread_t thread;
    pthread_create(&thread, NULL, raw_main, &raw);
    bench_open(&bench);
    struct fetch early = {.let_go = NULL};
    struct upstream_request request = {
        .method = "POST", .body = &all, .body_len = 1, .total_timeout_ms = 2000};
    begin(&bench, &early, port, "/", &request);
    run_to_end(&bench, &early);
    assert_false(early.heads && early.transfer.body_sent);
    bench_close(&bench);
    shutdown(raw.fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(raw.fd);
}

static void what_is_to_be_signed_goes_out_signed(void **state)
{
    (void)state;
    struct bench bench;
    struct raw raw = {.answers = {PLAIN, "", NULL}};
    const struct upstream_wire wire = {.aws_region = "eu-north-1"};
    int port;
    char host[64];
    raw.fd = listen_raw(&port);
    pthread_t thread;
    pthread_create(&thread, NULL, raw_main, &raw);
    bench_open(&bench);
    struct fetch fetch = {0}, none = {0};
    struct upstream_request request = {.method = "POST",
                                       .body = &braces,
                                       .body_len = 1,
                                       .wire = &wire,
                                       .sign_with = SLICE_LITERAL("AKID:hidden:session")};
    begin(&bench, &fetch, port, "/model/a%3A0/converse", &request);
    run_to_end(&bench, &fetch);
    assert_int_equal(fetch.end, UPSTREAM_DONE);
    snprintf(host, sizeof host, "\r\nHost: 127.0.0.1:%d\r\n", port); /* which is signed */
    assert_non_null(strstr(raw.seen, host));
    assert_non_null(strstr(raw.seen, "POST /model/a%3A0/converse HTTP/1.1"));
    assert_non_null(strstr(raw.seen, "\r\nauthorization: AWS4-HMAC-SHA256 Credential=AKID/"));
    assert_non_null(strstr(raw.seen, "/eu-north-1/bedrock/aws4_request, "));
    assert_non_null(strstr(raw.seen, "\r\nx-amz-date: 2"));
    assert_non_null(strstr(raw.seen, "\r\nx-amz-security-token: session\r\n"));
    assert_null(strstr(raw.seen, "hidden"));
    none.transfer =
        (struct upstream_transfer){.head = fetch_head, .data = fetch_data, .end = fetch_end};
    request.wire = NULL; /* and so of no region */
    request.url = "http://127.0.0.1/";
    assert_int_equal(bench.upstream->start(bench.upstream, &request, &none.transfer),
                     METE_E_INVALID);
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
                                            .body = &braces,
                                            .body_len = 1,
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
    none.transfer =
        (struct upstream_transfer){.head = fetch_head, .data = fetch_data, .end = fetch_end};
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
        cmocka_unit_test(a_body_in_pieces_arrives_as_one),
        cmocka_unit_test(equal_wires_share_connections_and_others_do_not),
        cmocka_unit_test(pools_make_room_for_others),
        cmocka_unit_test(connections_to_a_host_are_limited),
        cmocka_unit_test(header_and_many_at_once),
        cmocka_unit_test(a_paused_transfer_holds_still_and_goes_on),
        cmocka_unit_test(cancel_ends_once_wherever_it_is_called),
        cmocka_unit_test(every_time_limit_ends_what_it_should),
        cmocka_unit_test(a_request_is_never_sent_twice),
        cmocka_unit_test(a_body_that_was_sent_is_not_needed_any_more),
        cmocka_unit_test(what_is_to_be_signed_goes_out_signed),
        cmocka_unit_test(failures_say_whether_anything_was_sent),
        cmocka_unit_test(one_that_is_never_reached_was_not_sent),
    };
    int failed = cmocka_run_group_tests_name("HTTP/1.1 of our own", tests, NULL, NULL);
    by_curl = true;
    return failed + cmocka_run_group_tests_name("libcurl", tests, NULL, NULL);
}
