/* SPDX-License-Identifier: Apache-2.0
 * Proves what net/upstream_links.h and upstream_names.h promise: connections are kept, handed
 * out, waited for and given up as they should be; names are asked on workers, and each of their
 * addresses is tried. getaddrinfo() is the test's own. */
#include "peer.h"

#include <netdb.h>

/* ---- A resolver ------------------------------------------------------------------------------ */

static atomic_int asked, on_loop, shut; /* shut: no answer comes until it is 0 */
static pthread_t loop_thread;

int __real_getaddrinfo(const char *name, const char *port, const struct addrinfo *hints,
                       struct addrinfo **ret_list);
int __wrap_getaddrinfo(const char *name, const char *port, const struct addrinfo *hints,
                       struct addrinfo **ret_list);

/* two.test: nobody answers at the first of its addresses. */
int __wrap_getaddrinfo(const char *name, const char *port, const struct addrinfo *hints,
                       struct addrinfo **ret_list)
{
    struct addrinfo *second;
    asked++;
    on_loop += pthread_equal(pthread_self(), loop_thread) != 0;
    while (shut)
        usleep(1000);
    if (!strcmp(name, "none.test"))
        return EAI_NONAME;
    if (strcmp(name, "two.test") != 0)
        return __real_getaddrinfo("127.0.0.1", port, hints, ret_list);
    int rc = __real_getaddrinfo("127.0.0.1", port, hints, &second);
    if (!rc && !(rc = __real_getaddrinfo("127.0.0.2", port, hints, ret_list)))
        (*ret_list)->ai_next = second;
    return rc;
}

static void names_begin(struct bench *bench, struct peer *peer)
{
    loop_thread = pthread_self();
    asked = on_loop = shut = 0;
    setup(bench, peer);
}

static void names_end(struct bench *bench, struct peer *peer)
{
    teardown(bench, peer);
    assert_int_equal(on_loop, 0);
}

/* ---- Connections ----------------------------------------------------------------------------- */

static void one_exchange(struct bench *bench, const struct peer *peer, int *fd)
{
    struct fetch fetch = {0};
    struct upstream_request request = {0};
    begin(bench, &fetch, peer->port, "/", &request);
    serve(bench, peer, fd, PLAIN);
    run_to_end(bench, &fetch);
    assert_int_equal(fetch.end, UPSTREAM_DONE);
}

/* Closed in the ordinary way long before; just before; or broken just before. */
static void a_kept_connection_that_was_closed_is_not_used(void **state)
{
    (void)state;
    const struct linger abort_it = {.l_onoff = 1};
    struct bench bench;
    struct peer peer;
    struct upstream_counts counts;
    setup(&bench, &peer);
    for (int i = 0; i < 4; i++) {
        int fd = -1;
        one_exchange(&bench, &peer, &fd);
        if (i == 1)
            run_for(&bench, 5000);
        if (i == 2)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort_it, sizeof abort_it);
        if (i == 3)
            tell(&bench, fd, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
        close(fd);
        if (i == 0)
            run_for(&bench, 5000);
        fd = -1;
        one_exchange(&bench, &peer, &fd);
        upstream_counts(bench.upstream, &counts);
        assert_int_equal(counts.connects, 2 * i + 2);
        close(fd);
        run_for(&bench, 5000);
    }
    teardown(&bench, &peer);
}

static void what_follows_an_answer_ends_the_connection(void **state)
{
    (void)state;
    struct bench bench;
    struct peer peer;
    char room[16];
    setup(&bench, &peer);
    struct fetch fetch = {0};
    struct upstream_request request = {0};
    int fd = -1;
    begin(&bench, &fetch, peer.port, "/", &request);
    serve(&bench, &peer, &fd, PLAIN PLAIN);
    run_to_end(&bench, &fetch);
    assert_int_equal(fetch.end, UPSTREAM_DONE);
    assert_int_equal(fetch.bytes, 2);
    run_for(&bench, 1000);
    assert_int_equal(recv(fd, room, sizeof room, 0), 0);
    close(fd);
    teardown(&bench, &peer);
}

static void the_one_used_last_is_used_first_and_few_are_kept(void **state)
{
    (void)state;
    struct bench bench;
    struct peer peer;
    char room[4096];
    const struct upstream_wire wire = {.idle_max = 2};
    struct fetch fetches[3] = {{.status = 0}};
    int fds[3];
    setup(&bench, &peer);
    for (int i = 0; i < 3; i++) {
        struct upstream_request request = {.wire = &wire};
        begin(&bench, &fetches[i], peer.port, "/", &request);
        fds[i] = peer_accept(&bench, &peer);
        hear(&bench, fds[i], room, sizeof room);
    }
    const int order[] = {2, 0, 1};
    for (int i = 0; i < 3; i++) {
        tell(&bench, fds[order[i]], PLAIN);
        run_to_end(&bench, &fetches[order[i]]);
    }
    run_for(&bench, 1000);
    assert_int_equal(recv(fds[2], room, 1, 0), 0); /* the oldest of three is one too many */
    struct fetch fetch = {0};
    struct upstream_request request = {.wire = &wire};
    begin(&bench, &fetch, peer.port, "/", &request);
    hear(&bench, fds[1], room, sizeof room);
    tell(&bench, fds[1], PLAIN);
    run_to_end(&bench, &fetch);
    assert_int_equal(fetch.end, UPSTREAM_DONE);
    assert_false(peer_has(&peer));
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    teardown(&bench, &peer);
}

static void who_waits_for_a_connection_is_served_in_order(void **state)
{
    (void)state;
    struct bench bench;
    struct peer peer;
    char room[4096], path[16];
    const struct upstream_wire wire = {.connections_max = 1};
    struct fetch fetches[4] = {{.status = 0}};
    setup(&bench, &peer);
    for (int i = 0; i < 4; i++) {
        struct upstream_request request = {.wire = &wire, .connect_timeout_ms = i == 2 ? 30 : 5000};
        snprintf(path, sizeof path, "/%d", i);
        begin(&bench, &fetches[i], peer.port, path, &request);
    }
    int fd = peer_accept(&bench, &peer);
    hear(&bench, fd, room, sizeof room);
    assert_non_null(strstr(room, "GET /0 "));
    bench.upstream->cancel(bench.upstream, &fetches[1].transfer);
    run_to_end(&bench, &fetches[1]);
    assert_int_equal(fetches[1].end, UPSTREAM_CANCELLED);
    run_to_end(&bench, &fetches[2]);
    assert_int_equal(fetches[2].end, UPSTREAM_NOT_SENT);
    tell(&bench, fd, PLAIN);
    run_to_end(&bench, &fetches[0]);
    hear(&bench, fd, room, sizeof room);
    assert_non_null(strstr(room, "GET /3 "));
    close(fd); /* and one that breaks leaves its place */
    run_to_end(&bench, &fetches[3]);
    assert_int_equal(fetches[3].end, UPSTREAM_LOST);
    fd = -1;
    struct fetch fetch = {0};
    struct upstream_request request = {.wire = &wire};
    begin(&bench, &fetch, peer.port, "/", &request);
    serve(&bench, &peer, &fd, PLAIN);
    run_to_end(&bench, &fetch);
    assert_int_equal(fetch.end, UPSTREAM_DONE);
    close(fd);
    teardown(&bench, &peer);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static void names_are_asked_on_workers_once_and_each_address_is_tried(void **state)
{
    (void)state;
    enum { BURST = 5 };
    struct bench bench;
    struct peer peer;
    struct upstream_counts counts;
    char url[64];
    names_begin(&bench, &peer);
    snprintf(url, sizeof url, "http://two.test:%d/", peer.port);
    for (int round = 0; round < 2; round++) {
        struct fetch fetches[BURST] = {{.status = 0}};
        int fds[BURST];
        for (int i = 0; i < BURST; i++) {
            struct upstream_request request = {.connect_timeout_ms = 5000};
            begin_at(&bench, &fetches[i], url, &request);
        }
        for (int i = 0; i < BURST; i++) {
            fds[i] = -1;
            serve(&bench, &peer, &fds[i],
                  "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
        }
        for (int i = 0; i < BURST; i++) {
            run_to_end(&bench, &fetches[i]);
            assert_int_equal(fetches[i].end, UPSTREAM_DONE);
            close(fds[i]);
        }
    }
    assert_int_equal(asked, 1);
    upstream_counts(bench.upstream, &counts);
    assert_int_equal(counts.connects, 2 * BURST);
    names_end(&bench, &peer);
}

/* 127.0.0.2 with a full backlog: connecting hangs. */
struct deaf {
    int listening, filler[8];
};

static void deaf_open(struct deaf *deaf, int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, "127.0.0.2", &at.sin_addr);
    deaf->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(deaf->listening, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(deaf->listening, 0), 0);
    for (int i = 0; i < 8; i++) {
        deaf->filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(deaf->filler[i], (struct sockaddr *)&at, sizeof at);
    }
}

static void deaf_close(struct deaf *deaf)
{
    for (int i = 0; i < 8; i++)
        close(deaf->filler[i]);
    close(deaf->listening);
}

static void an_address_that_does_not_answer_leaves_time_for_the_next(void **state)
{
    (void)state;
    struct bench bench;
    struct peer peer;
    int fd = -1;
    char url[64];
    names_begin(&bench, &peer);
    struct deaf deaf;
    deaf_open(&deaf, peer.port);
    struct fetch cancelled = {0}, fetch = {0};
    struct upstream_request endless = {0};
    snprintf(url, sizeof url, "http://127.0.0.2:%d/", peer.port);
    begin_at(&bench, &cancelled, url, &endless);
    run_for(&bench, 5000);
    bench.upstream->cancel(bench.upstream, &cancelled.transfer);
    run_to_end(&bench, &cancelled);
    assert_int_equal(cancelled.end, UPSTREAM_CANCELLED);
    struct upstream_request request = {.connect_timeout_ms = 1500};
    snprintf(url, sizeof url, "http://two.test:%d/", peer.port);
    begin_at(&bench, &fetch, url, &request);
    serve(&bench, &peer, &fd, PLAIN);
    run_to_end(&bench, &fetch);
    assert_int_equal(fetch.end, UPSTREAM_DONE);
    deaf_close(&deaf);
    close(fd);
    names_end(&bench, &peer);
}

static void a_name_that_is_slow_or_none_holds_up_nobody(void **state)
{
    (void)state;
    struct bench bench;
    struct peer peer;
    int fd = -1;
    names_begin(&bench, &peer);
    shut = 1;
    struct fetch slow = {0}, none = {0}, left = {0};
    struct upstream_request request = {.connect_timeout_ms = 50};
    begin_at(&bench, &slow, "http://slow.test/", &request);
    struct upstream_request patient = {.connect_timeout_ms = 8000};
    begin_at(&bench, &none, "http://none.test/", &patient);
    one_exchange(&bench, &peer, &fd);
    run_to_end(&bench, &slow);
    assert_int_equal(slow.end, UPSTREAM_NOT_SENT);
    assert_int_equal(none.ends, 0);
    shut = 0;
    run_to_end(&bench, &none);
    assert_int_equal(none.end, UPSTREAM_NOT_SENT);
    assert_string_equal(none.why, gai_strerror(EAI_NONAME));
    /* Cancelled, and closed, while one is still being asked for. */
    shut = 1;
    begin_at(&bench, &left, "http://left.test/", &patient);
    run_for(&bench, 5000);
    bench.upstream->cancel(bench.upstream, &left.transfer);
    run_to_end(&bench, &left);
    assert_int_equal(left.end, UPSTREAM_CANCELLED);
    upstream_close(bench.upstream);
    bench.upstream = NULL;
    shut = 0;
    close(fd);
    names_end(&bench, &peer);
}

static void refused_is_said(void **state)
{
    (void)state;
    struct bench bench;
    struct peer peer;
    names_begin(&bench, &peer);
    int port, closed = listen_raw(&port);
    close(closed);
    char url[64];
    for (int i = 0; i < 3; i++) {
        static const char *const hosts[] = {"127.0.0.1", "localhost", "two.test"};
        struct fetch fetch = {0};
        struct upstream_request request = {.connect_timeout_ms = 1000};
        snprintf(url, sizeof url, "http://%s:%d/", hosts[i], port);
        begin_at(&bench, &fetch, url, &request);
        run_to_end(&bench, &fetch);
        assert_int_equal(fetch.end, UPSTREAM_NOT_SENT);
        assert_string_equal(fetch.why, "connection refused");
    }
    names_end(&bench, &peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kept_connection_that_was_closed_is_not_used),
        cmocka_unit_test(what_follows_an_answer_ends_the_connection),
        cmocka_unit_test(the_one_used_last_is_used_first_and_few_are_kept),
        cmocka_unit_test(who_waits_for_a_connection_is_served_in_order),
        cmocka_unit_test(names_are_asked_on_workers_once_and_each_address_is_tried),
        cmocka_unit_test(an_address_that_does_not_answer_leaves_time_for_the_next),
        cmocka_unit_test(a_name_that_is_slow_or_none_holds_up_nobody),
        cmocka_unit_test(refused_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
