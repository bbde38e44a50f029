/* SPDX-License-Identifier: Apache-2.0
 * Proves what server/listener.h promises, from outside, with sockets that say exactly what they
 * are told: replies at once, later and in pieces; clients that leave, stall, drip or talk nonsense;
 * limits; a thousand connections; stopping with exchanges open. */
#include "toy.h"

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

/* microhttpd says nothing of a suspended connection's client: a call whose client had left was
 * answered minutes later, into the void, and its provider never drained or cancelled. */
static void a_client_that_leaves_a_silent_exchange_is_noticed(void **state)
{
    (void)state;
    struct toy toy;
    toy_start(&toy, NULL);
    for (int i = 0; i < 3; i++) {
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
        if (i == 2)
            shutdown(fd, SHUT_WR);
        else
            close(fd);
        wait_for(&toy.gone, i + 1);
        assert_int_equal(toy.gone, i + 1);
        if (i == 2) { /* half closed: told, and the reply still came */
            char *answer = hear_all(fd, NULL);
            assert_non_null(strstr(answer, "gone"));
            free(answer);
            close(fd);
        }
    }
    toy_stop(&toy);
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
            strncmp(answer, "HTTP/1.0 4", 10) != 0 && strncmp(answer, "HTTP/1.1 505", 12) != 0)
            fail_msg("request %zu: %s", i, answer);
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
    enum { MANY = 1200 }; /* more than microhttpd's own default */
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

/* microhttpd aborts the process when it is stopped with suspended connections. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_at_once_later_and_on_one_connection),
        cmocka_unit_test(path_and_query_stay_as_sent),
        cmocka_unit_test(a_stream_arrives_piece_by_piece),
        cmocka_unit_test(a_burst_and_a_flood_arrive_whole_with_a_bounded_queue),
        cmocka_unit_test(a_client_that_leaves_a_silent_exchange_is_noticed),
        cmocka_unit_test(a_client_that_leaves_a_stream_is_noticed),
        cmocka_unit_test(a_request_that_came_with_its_end_is_still_answered),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(large_heads_and_bodies_are_refused),
        cmocka_unit_test(who_drips_is_cut),
        cmocka_unit_test(a_thousand_connections_at_once),
        cmocka_unit_test(stopping_calls_off_what_is_open),
        cmocka_unit_test(an_address_that_is_none_or_taken_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
