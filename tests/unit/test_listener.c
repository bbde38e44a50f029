/* SPDX-License-Identifier: Apache-2.0
 * Proves what net/listener.h promises, from outside, with sockets that say exactly what they
 * are told: replies at once, later and in pieces; clients that leave, stall, drip or talk nonsense;
 * limits; a thousand connections; stopping with exchanges open; and what two readers of HTTP could
 * read differently. */
#include "toy.h"

#include <linux/tcp.h> /* its tcp_info counts segments, as the C library's does not */
#include <malloc.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define CLOSE "Connection: close\r\n\r\n"

static void replies_at_once_later_and_on_one_connection(void **state)
{
    (void)state;
    struct toy toy;
    toy_start(&toy, NULL);
    int fd = dial(toy.port);
    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
            "GET /later HTTP/1.1\r\nHost: x\r\n\r\n"
            "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
            "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
            "GET /header HTTP/1.1\r\nHost: x\r\nx-probe: found it\r\n" CLOSE);
    char *answer = hear_all(fd, NULL);
    close(fd);
    char *first = strstr(answer, "hello"), *second = strstr(answer, "later");
    char *third = strstr(answer, "abcde"), *fourth = strstr(answer, "found it");
    assert_true(first && second && third && fourth);
    assert_true(first < second && second < third && third < fourth);
    free(answer);
    toy_stop(&toy);
    assert_int_equal(toy.begun, 4);
    assert_int_equal(toy.done, 4);
    assert_int_equal(toy.gone, 0);
}

static void path_and_query_stay_as_sent(void **state)
{
    (void)state;
    struct toy toy;
    toy_start(&toy, NULL);
    char *answer =
        ask(toy.port, "GET /target/a%2Fb?x=%20&y=1%2B1+2 HTTP/1.1\r\nHost: x\r\n" CLOSE, NULL);
    assert_non_null(strstr(answer, "/target/a%2Fb|x=%20&y=1%2B1+2"));
    free(answer);
    answer = ask(toy.port, "GET /target HTTP/1.1\r\nHost: x\r\n" CLOSE, NULL);
    assert_non_null(strstr(answer, "\r\n\r\n/target|"));
    free(answer);
    toy_stop(&toy);
}

static void a_stream_arrives_piece_by_piece(void **state)
{
    (void)state;
    struct toy toy;
    toy_start(&toy, NULL);
    int fd = dial(toy.port), pieces = 0, reads = 0;
    char room[4096];
    say(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n" CLOSE);
    ssize_t got;
    while ((got = recv(fd, room, sizeof room - 1, 0)) > 0) {
        room[got] = 0;
        reads++;
        for (char *at = room; (at = strstr(at, "data: piece")); at++)
            pieces++;
    }
    close(fd);
    assert_int_equal(pieces, 10);
    assert_true(reads >= 8); /* not held back to be sent together */
    toy_stop(&toy);
    assert_int_equal(toy.done_gone, 0);
}

static void a_burst_and_a_flood_arrive_whole_with_a_bounded_queue(void **state)
{
    (void)state;
    struct toy toy;
    size_t len;
    toy_start(&toy, NULL);
    char *answer = ask(toy.port, "GET /burst HTTP/1.0\r\n\r\n", &len);
    assert_true(len > 1000000);
    free(answer);
    int fd = dial(toy.port);
    say(fd, "GET /flood HTTP/1.0\r\n\r\n");
    usleep(50000); /* the queue fills while nobody reads */
    answer = hear_all(fd, &len);
    close(fd);
    assert_true(len > TOY_FLOOD && len < TOY_FLOOD + 1000);
    free(answer);
    toy_stop(&toy);
    assert_true(toy.drained > 3);
    assert_true(toy.flood_most <= EXCHANGE_QUEUE_HIGH + 16384);
}

/* Nothing was heard of a client while its call waited: one whose client had left was answered
 * minutes later, into the void, and its provider never drained or cancelled. */
static void a_client_that_leaves_a_silent_exchange_is_noticed(void **state)
{
    (void)state;
    struct toy toy;
    toy_start(&toy, NULL);
    for (int i = 0; i < 2; i++) {
        int fd = dial(toy.port);
        say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
        char room[1024];
        assert_true(recv(fd, room, sizeof room, 0) > 0);
        say(fd, "GET /hang HTTP/1.1\r\nHost: x\r\n\r\n");
        wait_for(&toy.begun, 2 * i + 2);
        if (i == 1) {
            const struct linger reset = {1, 0};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        }
        close(fd);
        wait_for(&toy.gone, i + 1);
        assert_int_equal(toy.gone, i + 1);
    }
    toy_stop(&toy);
}

/* A client that had closed its sending side was taken for one that had left: `nc -N` got nothing of
 * a stream. */
static void a_client_that_only_stops_sending_is_answered(void **state)
{
    (void)state;
    struct toy toy;
    toy_start(&toy, NULL);
    int plain = dial(toy.port), stream = dial(toy.port);
    say(plain, "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
    say(stream, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    shutdown(plain, SHUT_WR);
    shutdown(stream, SHUT_WR);
    char *answer = hear_all(plain, NULL);
    assert_int_equal(strncmp(answer, "HTTP/1.1 102 ", 13), 0); /* it was asked whether it reads */
    assert_non_null(strstr(answer, "\r\n\r\nHTTP/1.1 200 "));
    assert_non_null(strstr(answer, "later"));
    free(answer);
    answer = hear_all(stream, NULL);
    int pieces = 0;
    for (char *at = answer; (at = strstr(at, "data: piece")); at++)
        pieces++;
    assert_int_equal(pieces, 10);
    free(answer);
    close(plain);
    close(stream);
    toy_stop(&toy);
    assert_int_equal(toy.gone, 0);
    assert_int_equal(toy.done_gone, 0);
}

static void closing_is_leaving_with_http_1_0(void **state)
{
    (void)state;
    struct toy toy;
    toy_start(&toy, NULL);
    int fd = dial(toy.port);
    say(fd, "GET /hang HTTP/1.0\r\n\r\n");
    wait_for(&toy.begun, 1);
    shutdown(fd, SHUT_WR);
    wait_for(&toy.gone, 1);
    assert_int_equal(toy.gone, 1);
    char *answer = hear_all(fd, NULL); /* told, and the reply still came */
    assert_int_equal(strncmp(answer, "HTTP/1.", 7), 0);
    assert_null(strstr(answer, " 102 "));
    assert_non_null(strstr(answer, "gone"));
    free(answer);
    close(fd);
    toy_stop(&toy);
}

/* Its kernel, or the network before it, is gone: no segment ever says so. */
static void a_client_that_vanishes_without_a_word_is_noticed(void **state)
{
    (void)state;
    struct toy toy;
    const struct listener_options options = {.idle_timeout_ms = 3000};
    toy_start(&toy, &options);
    int fd = dial(toy.port);
    const int on = 1;
    say(fd, "GET /hang HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_for(&toy.begun, 1);
    /* A socket under repair is closed in silence. Needs CAP_NET_ADMIN. */
    bool silent = setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) == 0;
    close(fd);
    wait_for(&toy.gone, 1);
    assert_int_equal(toy.gone, 1);
    toy_stop(&toy);
    if (!silent)
        print_message("without CAP_NET_ADMIN it said goodbye\n");
}

static void a_client_that_leaves_a_stream_is_noticed(void **state)
{
    (void)state;
    struct toy toy;
    toy_start(&toy, NULL);
    int fd = dial(toy.port);
    char room[64];
    say(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(recv(fd, room, sizeof room, 0) > 0);
    close(fd);
    wait_for(&toy.gone, 1);
    assert_int_equal(toy.gone, 1);
    fd = dial(toy.port); /* leaves while the queue is full and nothing can be sent */
    say(fd, "GET /flood HTTP/1.1\r\nHost: x\r\n\r\n");
    usleep(30000);
    close(fd);
    wait_for(&toy.gone, 2);
    assert_int_equal(toy.gone, 2);
    toy_stop(&toy);
    assert_int_equal(toy.done_gone, 2);
}

static void a_request_that_came_with_its_end_is_still_answered(void **state)
{
    (void)state;
    struct toy toy;
    toy_start(&toy, NULL);
    int fd = dial(toy.port);
    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n" CLOSE "hello");
    shutdown(fd, SHUT_WR);
    char *answer = hear_all(fd, NULL);
    assert_non_null(strstr(answer, "hello"));
    free(answer);
    close(fd);
    toy_stop(&toy);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    struct toy toy;
    /* Some of it may yet become a request: that is cut when its time is over. */
    const struct listener_options options = {.request_timeout_ms = 100, .idle_timeout_ms = 100};
    toy_start(&toy, &options);
    const char *const requests[] = {
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET /echo HTTP/9.9\r\n\r\n",
        "GET /echo HTTP/1.1\r\n\r\n", /* no Host */
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        ("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: "
         "chunked\r\n\r\n0\r\n\r\n"),
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\nzz",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", /* TLS */
    };
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        int fd = dial(toy.port);
        say(fd, requests[i]);
        shutdown(fd, SHUT_WR);
        char *answer = hear_all(fd, NULL);
        close(fd);
        if (*answer && strncmp(answer, "HTTP/1.1 4", 10) != 0 &&
            strncmp(answer, "HTTP/1.0 4", 10) != 0 && strncmp(answer, "HTTP/1.1 505", 12) != 0 &&
            strncmp(answer, "HTTP/1.1 501", 12) != 0) /* a coding that nobody knows */
            fail_msg("request %zu: %s", i, answer);
        if (*answer)
            assert_non_null(strstr(answer, "\r\nx-request-id: req_"));
        free(answer);
    }
    toy_stop(&toy);
    assert_int_equal(toy.begun, 0);
}

static char *request_with_header(size_t len)
{
    char *padding = calloc(1, len + 1), *text = malloc(len + 100);
    assert_true(padding && text);
    memset(padding, 'x', len);
    snprintf(text, len + 100, "GET /header HTTP/1.1\r\nHost: x\r\nX-Pad: %s\r\n" CLOSE, padding);
    free(padding);
    return text;
}

static void large_heads_and_bodies_are_refused(void **state)
{
    (void)state;
    struct toy toy;
    const struct listener_options options = {.header_max = 8192, .body_max = 100000};
    toy_start(&toy, &options);
    const size_t sizes[] = {100, 7000, 9000, 20000, 100000};
    for (size_t i = 0; i < 5; i++) {
        char *request = request_with_header(sizes[i]);
        char *answer = ask(toy.port, request, NULL);
        assert_true(i < 2 ? strstr(answer, " 200 ") != NULL
                          : strstr(answer, " 431 ") || strstr(answer, " 413 "));
        free(request);
        free(answer);
    }
    char *answer =
        ask(toy.port, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n", NULL);
    assert_non_null(strstr(answer, " 413 "));
    free(answer);
    int fd = dial(toy.port); /* the same without announcing it */
    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" CLOSE);
    char *block = calloc(1, 0x8001);
    memset(block, 'x', 0x8000);
    for (int i = 0; i < 4; i++) {
        say(fd, "8000\r\n");
        say(fd, block);
        say(fd, "\r\n");
    }
    say(fd, "0\r\n\r\n");
    answer = hear_all(fd, NULL);
    assert_non_null(strstr(answer, " 413 "));
    free(block);
    free(answer);
    close(fd);
    toy_stop(&toy);
    assert_int_equal(toy.begun, 2);
}

static void who_drips_is_cut(void **state)
{
    (void)state;
    struct toy toy;
    const struct listener_options options = {.request_timeout_ms = 500, .idle_timeout_ms = 700};
    toy_start(&toy, &options);
    int head = dial(toy.port), body = dial(toy.port), idle = dial(toy.port);
    say(head, "GET /echo HTTP/1.1\r\nHost: x\r\n");
    say(body, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
    say(idle, "GET /target HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 30; i++) {
        say(head, "X: y\r\n");
        say(body, "x");
        usleep(100000);
    }
    char *answer = hear_all(head, NULL);
    assert_string_equal(answer, "");
    free(answer);
    answer = hear_all(body, NULL);
    assert_non_null(strstr(answer, " 408 "));
    free(answer);
    answer = hear_all(idle, NULL);
    assert_non_null(strstr(answer, " 200 "));
    free(answer);
    close(head);
    close(body);
    close(idle);
    toy_stop(&toy);
    assert_int_equal(toy.begun, 1);
}

static void a_thousand_connections_at_once(void **state)
{
    (void)state;
    enum { MANY = 1200 };
    static int fds[MANY];
    struct toy toy;
    toy_start(&toy, NULL);
    for (int i = 0; i < MANY; i++)
        fds[i] = dial(toy.port);
    for (int i = 0; i < MANY; i++)
        say(fds[i], "GET /later HTTP/1.1\r\nHost: x\r\n" CLOSE);
    for (int i = 0; i < MANY; i++) {
        char *answer = hear_all(fds[i], NULL);
        assert_non_null(strstr(answer, "later"));
        free(answer);
        close(fds[i]);
    }
    toy_stop(&toy);
    assert_int_equal(toy.done, MANY);
}

static void stopping_calls_off_what_is_open(void **state)
{
    (void)state;
    struct toy toy;
    toy_start(&toy, NULL);
    int hang = dial(toy.port), idle = dial(toy.port), stream = dial(toy.port);
    say(hang, "GET /hang HTTP/1.1\r\nHost: x\r\n\r\n");
    say(stream, "GET /flood HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_for(&toy.begun, 2);
    toy_stop(&toy);
    assert_int_equal(toy.gone, 2);
    close(hang);
    close(idle);
    close(stream);
}

static void an_address_that_is_none_or_taken_is_said(void **state)
{
    (void)state;
    struct loop *loop;
    struct listener *first, *second;
    char detail[256] = "";
    assert_int_equal(loop_new(&loop), 0);
    struct listener_options options = {.address = "nonsense"};
    assert_int_equal(listener_open(loop, &options, &first, detail), METE_E_INVALID);
    assert_non_null(strstr(detail, "nonsense"));
    options.address = "127.0.0.1:0";
    assert_int_equal(listener_open(loop, &options, &first, detail), 0);
    options.address = listener_address(first);
    assert_int_equal(listener_open(loop, &options, &second, detail), METE_E_FULL);
    assert_non_null(strstr(detail, options.address));
    listener_close(first);
    loop_free(loop);
}

/* ---- Requests in odd pieces ------------------------------------------------------------------ */

static void pipelined_requests_are_answered_in_their_order(void **state)
{
    enum { MANY = 2000 };
    (void)state;
    struct toy toy;
    char *requests = calloc(MANY, 64), *at = requests;
    toy_start(&toy, NULL);
    for (int i = 0; i < MANY; i++)
        at += snprintf(at, 64, "GET /target/%d HTTP/1.1\r\nHost: x\r\n%s", i,
                       i == MANY - 1 ? CLOSE : "\r\n");
    char *answer = ask(toy.port, requests, NULL), *from = answer;
    for (int i = 0; i < MANY; i++) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, "\r\n\r\n/target/%d|", i);
        from = strstr(from, wanted);
        assert_non_null(from);
    }
    free(answer);
    free(requests);
    toy_stop(&toy);
    assert_int_equal(toy.begun, MANY);
    assert_int_equal(toy.done, MANY);
}

/* Says it in two pieces, with enough time between that they arrive so. */
static char *ask_cut(int port, const char *request, size_t cut)
{
    int fd = dial(port);
    char first[1024];
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    assert_true(cut < sizeof first);
    memcpy(first, request, cut);
    first[cut] = 0;
    say(fd, first);
    usleep(500);
    say(fd, request + cut);
    char *answer = hear_all(fd, NULL);
    close(fd);
    return answer;
}

static void a_request_may_be_cut_at_every_byte(void **state)
{
    static const char *const requests[] = {
        ("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
         "3;a=b\r\nabc\r\n08\r\ndefghijk\r\n0\r\nTrailer: x\r\n\r\n"),
        ("\r\nPOST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nConnection: close\r\n\r\n"
         "abcdefghijk"),
        ("GET /later HTTP/1.1\r\nHost: x\r\n\r\n"
         "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nConnection: close\r\n\r\n"
         "abcdefghijk"),
    };
    (void)state;
    struct toy toy;
    toy_start(&toy, NULL);
    for (size_t i = 0; i < 3; i++)
        for (size_t cut = 1; cut < strlen(requests[i]); cut++) {
            char *answer = ask_cut(toy.port, requests[i], cut);
            if (!strstr(answer, "\r\n\r\nabcdefghijk"))
                fail_msg("request %zu cut at %zu: %s", i, cut, answer);
            free(answer);
        }
    toy_stop(&toy);
    assert_int_equal(toy.done_gone, 0);
}

static void a_large_body_in_pieces_is_the_same(void **state)
{
    enum { LEN = 300000, PIECE = 7777 };
    (void)state;
    struct toy toy;
    char *body = malloc(LEN + 1);
    for (int i = 0; i < LEN; i++)
        body[i] = (char)('a' + (i * 7 + i / 1000) % 26);
    body[LEN] = 0;
    toy_start(&toy, NULL);
    int fd = dial(toy.port);
    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n" CLOSE);
    for (int at = 0; at < LEN; at += PIECE) {
        char piece[PIECE + 1];
        snprintf(piece, sizeof piece, "%s", body + at);
        say(fd, piece);
        if (at % 5 == 0)
            usleep(1000);
    }
    char *answer = hear_all(fd, NULL);
    char *got = strstr(answer, "\r\n\r\n");
    assert_non_null(got);
    assert_true(strcmp(got + 4, body) == 0);
    close(fd);
    free(answer);
    free(body);
    toy_stop(&toy);
}

static void who_waits_to_be_told_to_go_on_is_told(void **state)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    (void)state;
    struct toy toy;
    const struct listener_options options = {.body_max = 100};
    char room[256];
    toy_start(&toy, &options);
    int fd = dial(toy.port);
    say(fd,
        "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n" CLOSE);
    ssize_t got = recv(fd, room, sizeof room, 0);
    assert_int_equal(got, sizeof go_on - 1);
    assert_memory_equal(room, go_on, sizeof go_on - 1);
    say(fd, "hello");
    char *answer = hear_all(fd, NULL);
    assert_int_equal(strncmp(answer, "HTTP/1.1 200 ", 13), 0);
    assert_non_null(strstr(answer, "\r\n\r\nhello"));
    free(answer);
    close(fd);
    fd = dial(toy.port);
    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            "Content-Length: 5\r\n" CLOSE "he");
    usleep(20000);
    say(fd, "llo");
    answer = hear_all(fd, NULL);
    assert_int_equal(strncmp(answer, "HTTP/1.1 200 ", 13), 0);
    free(answer);
    close(fd);
    /* Who did not wait is not told, nor who will be refused, nor who cannot know what it is. */
    answer = ask(toy.port,
                 "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                 "Content-Length: 5\r\n" CLOSE "hello",
                 NULL);
    assert_int_equal(strncmp(answer, "HTTP/1.1 200 ", 13), 0);
    free(answer);
    answer = ask(toy.port,
                 "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                 "Content-Length: 101\r\n\r\n",
                 NULL);
    assert_int_equal(strncmp(answer, "HTTP/1.1 413 ", 13), 0);
    free(answer);
    fd = dial(toy.port);
    say(fd, "POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    usleep(20000);
    say(fd, "hello");
    answer = hear_all(fd, NULL);
    assert_int_equal(strncmp(answer, "HTTP/1.1 200 ", 13), 0);
    free(answer);
    close(fd);
    toy_stop(&toy);
}

/* How requests are smuggled past a proxy (RFC 9112 11.2). */
static void what_two_readers_could_read_differently_is_refused(void **state)
{
    static const char smuggled[] = "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n";
    static const char *const heads[] = {
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 40\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 40\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n",
        ("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\nTransfer-Encoding: "
         "chunked\r\n\r\n0\r\n\r\n"),
        ("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
         "chunked\r\n\r\n0\r\n\r\n"),
        "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length : 0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nX: a\r\n Content-Length: 40\r\n\r\n",
        "POST /echo HTTP/1.1\r\n Host: x\r\n\r\n",
        "POST /echo HTTP/1.1\nHost: x\nContent-Length: 0\n\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nX: a\rContent-Length: 40\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "POST  /echo HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /echo\tHTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /echo HTTP/1.1 \r\nHost: x\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\na\n0\n\n",
        ("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
         "10000000000000000\r\na\r\n0\r\n\r\n"),
    };
    (void)state;
    struct toy toy;
    toy_start(&toy, NULL);
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        char request[512];
        snprintf(request, sizeof request, "%s%s", heads[i], smuggled);
        char *answer = ask(toy.port, request, NULL); /* until it is closed */
        if (strncmp(answer, "HTTP/1.1 400 ", 13) != 0 || strstr(answer + 1, "HTTP/1.") != NULL ||
            !strstr(answer, "\r\nx-request-id: req_"))
            fail_msg("request %zu: %s", i, answer);
        free(answer);
    }
    toy_stop(&toy);
    assert_int_equal(toy.begun, 0);
}

static void versions_and_methods_keep_the_framing(void **state)
{
    (void)state;
    struct toy toy;
    toy_start(&toy, NULL);
    char *answer = ask(toy.port,
                       "HEAD /target HTTP/1.1\r\nHost: x\r\n\r\n"
                       "HEAD /events HTTP/1.1\r\nHost: x\r\n\r\n"
                       "GET /events HTTP/1.1\r\nHost: x\r\n" CLOSE,
                       NULL);
    assert_non_null(strstr(answer, "Content-Length: 8\r\n"));
    char *second = strstr(answer, "\r\n\r\nHTTP/1.1 200 ");
    assert_non_null(second);
    char *third = strstr(second + 4, "\r\n\r\nHTTP/1.1 200 ");
    assert_non_null(third); /* no body came between */
    assert_non_null(strstr(third, "\r\n\r\nd\r\ndata: event\n\n\r\n"));
    assert_string_equal(answer + strlen(answer) - 7, "\r\n0\r\n\r\n");
    free(answer);
    answer = ask(toy.port,
                 "GET /target HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
                 "GET /events HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
                 NULL);
    assert_non_null(strstr(answer, "Connection: keep-alive\r\n"));
    char *last = strstr(answer, "Connection: close\r\n"); /* it ends with the connection */
    assert_true(last && strstr(last, "\r\n\r\ndata: event\n\ndata: event\n\n"));
    free(answer);
    toy_stop(&toy);
    assert_int_equal(toy.done_gone, 0);
}

/* Without a linger the kernel answers what is still sent with a reset: the client's next write
 * fails, most never look for a reply then, and some systems take it away. */
static void a_refusal_can_be_read_by_who_is_still_sending(void **state)
{
    enum { BLOCK = 100000 };
    (void)state;
    struct toy toy;
    const struct listener_options options = {.body_max = 1000000};
    toy_start(&toy, &options);
    char *block = calloc(1, BLOCK + 1);
    memset(block, 'x', BLOCK);
    int fd = dial(toy.port);
    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1500000\r\n\r\n");
    for (int i = 0; i < 15; i++) {
        assert_int_equal(send(fd, block, BLOCK, MSG_NOSIGNAL), BLOCK); /* no reset yet */
        usleep(2000);
    }
    char *answer = hear_all(fd, NULL);
    assert_int_equal(strncmp(answer, "HTTP/1.1 413 ", 13), 0);
    assert_non_null(strstr(answer, "\"status\":413"));
    free(answer);
    close(fd);
    free(block);
    toy_stop(&toy);
    assert_int_equal(toy.begun, 0);
}

/* ---- What it costs --------------------------------------------------------------------------- */

static void what_is_written_in_one_round_is_one_send(void **state)
{
    (void)state;
    struct toy toy;
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    toy_start(&toy, NULL);
    int fd = dial(toy.port);
    say(fd, "GET /events HTTP/1.1\r\nHost: x\r\n" CLOSE);
    char *answer = hear_all(fd, NULL);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    int events = 0;
    for (char *at = answer; (at = strstr(at, "data: event")); at++)
        events++;
    assert_int_equal(events, 100);
    assert_int_equal(info.tcpi_data_segs_in, 1); /* head, a hundred events, and the end */
    free(answer);
    close(fd);
    toy_stop(&toy);
}

static void an_open_stream_keeps_little(void **state)
{
    enum { MANY = 400, FIRST = 50 };
    static int fds[MANY];
    (void)state;
    struct toy toy;
    struct mallinfo2 before = {0};
    toy_start(&toy, NULL);
    for (int i = 0; i < MANY; i++) {
        char room[1024];
        fds[i] = dial(toy.port);
        say(fds[i], "GET /open HTTP/1.1\r\nHost: 127.0.0.1:8081\r\nAccept: application/json\r\n"
                    "Authorization: Bearer mete-0123456789abcdefghijklmnopqrstuvwxyzABCDEF\r\n"
                    "User-Agent: OpenAI/JS 4.104.0\r\nx-stainless-lang: js\r\n"
                    "x-stainless-package-version: 4.104.0\r\nx-stainless-runtime: node\r\n"
                    "Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n\r\n");
        for (size_t len = 0; len < 40 || memcmp(room + len - 2, "\r\n", 2) != 0;) {
            ssize_t got = recv(fds[i], room + len, sizeof room - len, 0);
            assert_true(got > 0);
            len += (size_t)got;
        }
        if (i == FIRST)
            before = mallinfo2(); /* tables that grow by doubling have begun */
    }
    struct mallinfo2 after = mallinfo2();
    size_t each = (after.uordblks - before.uordblks) / (MANY - 1 - FIRST);
    if (each >= 2500)
        fail_msg("%zu bytes each", each);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    toy_stop(&toy);
    assert_int_equal(toy.gone, MANY);
}

static void who_is_one_too_many_waits_in_the_kernel(void **state)
{
    (void)state;
    struct toy toy;
    char room[1024];
    const struct listener_options options = {.connections_max = 2};
    const struct timeval little = {.tv_usec = 100000};
    toy_start(&toy, &options);
    int first = dial(toy.port), second = dial(toy.port);
    say(first, "GET /target HTTP/1.1\r\nHost: x\r\n\r\n");
    say(second, "GET /target HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(recv(first, room, sizeof room, 0) > 0 && recv(second, room, sizeof room, 0) > 0);
    int third = dial(toy.port);
    say(third, "GET /target HTTP/1.1\r\nHost: x\r\n\r\n");
    setsockopt(third, SOL_SOCKET, SO_RCVTIMEO, &little, sizeof little);
    assert_int_equal(recv(third, room, sizeof room, 0), -1);
    close(first);
    const struct timeval patience = {.tv_sec = 10};
    setsockopt(third, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_true(recv(third, room, sizeof room, 0) > 0);
    close(second);
    close(third);
    toy_stop(&toy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_at_once_later_and_on_one_connection),
        cmocka_unit_test(path_and_query_stay_as_sent),
        cmocka_unit_test(a_stream_arrives_piece_by_piece),
        cmocka_unit_test(a_burst_and_a_flood_arrive_whole_with_a_bounded_queue),
        cmocka_unit_test(a_client_that_leaves_a_silent_exchange_is_noticed),
        cmocka_unit_test(a_client_that_only_stops_sending_is_answered),
        cmocka_unit_test(closing_is_leaving_with_http_1_0),
        cmocka_unit_test(a_client_that_vanishes_without_a_word_is_noticed),
        cmocka_unit_test(a_client_that_leaves_a_stream_is_noticed),
        cmocka_unit_test(a_request_that_came_with_its_end_is_still_answered),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(large_heads_and_bodies_are_refused),
        cmocka_unit_test(who_drips_is_cut),
        cmocka_unit_test(a_thousand_connections_at_once),
        cmocka_unit_test(stopping_calls_off_what_is_open),
        cmocka_unit_test(an_address_that_is_none_or_taken_is_said),
        cmocka_unit_test(pipelined_requests_are_answered_in_their_order),
        cmocka_unit_test(a_request_may_be_cut_at_every_byte),
        cmocka_unit_test(a_large_body_in_pieces_is_the_same),
        cmocka_unit_test(who_waits_to_be_told_to_go_on_is_told),
        cmocka_unit_test(what_two_readers_could_read_differently_is_refused),
        cmocka_unit_test(versions_and_methods_keep_the_framing),
        cmocka_unit_test(a_refusal_can_be_read_by_who_is_still_sending),
        cmocka_unit_test(what_is_written_in_one_round_is_one_send),
        cmocka_unit_test(an_open_stream_keeps_little),
        cmocka_unit_test(who_is_one_too_many_waits_in_the_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
