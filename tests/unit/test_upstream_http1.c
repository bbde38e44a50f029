/* SPDX-License-Identifier: Apache-2.0
 * Proves what only HTTP/1.1 of our own has to prove (net/upstream_http1.h), against a provider
 * whose every byte the test writes itself: answers in any pieces, requests that do not fit the
 * socket, nonsense, what was encoded, pauses and cancelling. */
#include "peer.h"

#include <zlib.h>

/* ---- Answers --------------------------------------------------------------------------------- */

static void an_answer_may_come_in_any_pieces(void **state)
{
    (void)state;
    struct bench bench;
    struct peer peer;
    int fd = -1;
    char room[4096];
    setup(&bench, &peer);
    for (size_t i = 0; i < sizeof WHOLE / sizeof WHOLE[0]; i++) {
        size_t len = strlen(WHOLE[i]);
        /* Cut at each byte; then, at 0, byte by byte. */
        for (size_t cut = 0; cut < len; cut++) {
            struct fetch fetch = {.keep = true};
            struct upstream_request request = {0};
            begin(&bench, &fetch, peer.port, "/", &request);
            if (fd < 0)
                fd = peer_accept(&bench, &peer);
            hear(&bench, fd, room, sizeof room);
            for (size_t at = 0; !cut && at < len; at++)
                tell_bytes(&bench, fd, WHOLE[i] + at, 1);
            if (cut) {
                tell_bytes(&bench, fd, WHOLE[i], cut);
                assert_int_equal(fetch.ends, 0);
                tell_bytes(&bench, fd, WHOLE[i] + cut, len - cut);
            }
            run_to_end(&bench, &fetch);
            check_hello(&fetch);
        }
    }
    assert_false(peer_has(&peer)); /* all on one connection */
    close(fd);
    teardown(&bench, &peer);
}

static void an_answer_without_a_body_leaves_the_connection_usable(void **state)
{
    (void)state;
    static const char *const bare[][2] = {
        {"GET", "HTTP/1.1 204 No Content\r\n\r\n"},
        {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n"},
        {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nContent-Encoding: br\r\n\r\n"},
        {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {"POST", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
    };
    struct bench bench;
    struct peer peer;
    int fd = -1;
    setup(&bench, &peer);
    for (size_t i = 0; i < sizeof bare / sizeof bare[0]; i++) {
        struct fetch fetch = {0};
        struct upstream_request request = {.method = bare[i][0]};
        begin(&bench, &fetch, peer.port, "/", &request);
        serve(&bench, &peer, &fd, bare[i][1]);
        run_to_end(&bench, &fetch);
        assert_int_equal(fetch.end, UPSTREAM_DONE);
        assert_int_equal(fetch.heads, 1);
        assert_int_equal(fetch.bytes, 0);
    }
    assert_false(peer_has(&peer));
    close(fd);
    teardown(&bench, &peer);
}

static void an_answer_may_end_with_its_connection(void **state)
{
    (void)state;
    struct bench bench;
    struct peer peer;
    setup(&bench, &peer);
    static const char text[] = "HTTP/1.0 200 OK\r\nContent-Type: a/b\r\n\r\nhello world";
    struct fetch fetch = {.keep = true};
    exchange_bytes(&bench, &peer, &fetch, text, strlen(text));
    assert_true(fetch.transfer.ends_by_close);
    check_hello(&fetch);
    struct fetch other = {.keep = true};
    exchange_bytes(&bench, &peer, &other, WHOLE[0], strlen(WHOLE[0]));
    assert_false(other.transfer.ends_by_close);
    check_hello(&other);
    teardown(&bench, &peer);
}

static void nonsense_is_lost_and_says_why(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *why;
        int heads;
    } nonsense[] = {
        {"garbage\r\n\r\n", "no HTTP/1.1", 0},
        {"HTTP/2 200\r\n\r\n", "no HTTP/1.1", 0},
        {"HTTP/1.1 20", "in the answer's head", 0},
        {"", "without an answer", 0},
        {"HTTP/1.1 100 Continue\r\n\r\n", "in the answer's head", 0},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "another protocol", 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "no HTTP/1.1", 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "no HTTP/1.1", 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc", "transfer coding", 0},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\nabc",
         "content coding", 0},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: 3\r\n\r\nabc",
         "content coding", 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "in the midst", 1},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "in the midst", 1},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nnone\r\n", "chunks",
         1},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
         "cannot be undone", 1},
    };
    struct bench bench;
    struct peer peer;
    setup(&bench, &peer);
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        struct fetch fetch = {0};
        exchange_bytes(&bench, &peer, &fetch, nonsense[i].bytes, strlen(nonsense[i].bytes));
        assert_int_equal(fetch.end, UPSTREAM_LOST);
        assert_int_equal(fetch.heads, nonsense[i].heads);
        if (!strstr(fetch.why, nonsense[i].why))
            fail_msg("%s, not %s", fetch.why, nonsense[i].why);
    }
    teardown(&bench, &peer);
}

/* What came before the break is told before it. */
static void heads_are_bounded_interim_ones_and_trailers_too(void **state)
{
    (void)state;
    static const struct {
        const char *begin, *again;
        int heads;
    } endless[] = {
        {"HTTP/1.1 200 OK\r\n", "X-Filler: 0123456789012345678901234567890123456789\r\n", 0},
        {"", "HTTP/1.1 100 Continue\r\nX-Filler: 0123456789012345678901234567890123456789\r\n\r\n",
         0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
         "X-Filler: 0123456789012345678901234567890123456789\r\n", 1},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
         "01234567890123456789012345678901234567890123456789", 1},
    };
    struct bench bench;
    struct peer peer;
    char room[4096];
    setup(&bench, &peer);
    for (size_t i = 0; i < sizeof endless / sizeof endless[0]; i++) {
        struct fetch fetch = {0};
        struct upstream_request request = {0};
        size_t told = 0;
        begin(&bench, &fetch, peer.port, "/", &request);
        int fd = peer_accept(&bench, &peer);
        hear(&bench, fd, room, sizeof room);
        tell(&bench, fd, endless[i].begin);
        for (; !fetch.ends && told < 10000000; told += strlen(endless[i].again))
            tell(&bench, fd, endless[i].again);
        assert_int_equal(fetch.ends, 1);
        assert_int_equal(fetch.end, UPSTREAM_LOST);
        assert_int_equal(fetch.heads, endless[i].heads);
        assert_true(told < 200000);
        close(fd);
    }
    /* More fields than are read. */
    struct buffer many;
    buffer_init(&many, 65536);
    assert_int_equal(buffer_text(&many, "HTTP/1.1 200 OK\r\n"), 0);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(buffer_text(&many, "A: b\r\n"), 0);
    assert_int_equal(buffer_text(&many, "\r\n"), 0);
    struct fetch fetch = {0};
    exchange_bytes(&bench, &peer, &fetch, many.data, many.len);
    assert_int_equal(fetch.end, UPSTREAM_LOST);
    assert_non_null(strstr(fetch.why, "too many headers"));
    buffer_done(&many);
    teardown(&bench, &peer);
}

/* ---- Requests -------------------------------------------------------------------------------- */

static void the_head_says_what_is_needed_and_no_more(void **state)
{
    (void)state;
    struct bench bench;
    struct peer peer;
    char room[4096], url[128], wanted[512];
    setup(&bench, &peer);
    const struct exchange_header own[] = {{"user-agent", SLICE_LITERAL("other/1")},
                                          {"x-empty", {NULL, 0}},
                                          {"x-full", SLICE_LITERAL("full")}};
    const struct slice body[] = {SLICE_LITERAL("ab"), {NULL, 0}, SLICE_LITERAL("c")};
    static const struct {
        const char *method, *scheme, *host, *target, *shown, *rest;
        size_t headers_len, body_len;
    } rows[] = {
        {"GET", "http", "127.0.0.1", "", "/", "User-Agent: mete/" METE_VERSION "\r\n\r\n", 0, 0},
        {"GET", "HTTP", "127.0.0.1", "?a=b#c", "/?a=b", "User-Agent: mete/" METE_VERSION "\r\n\r\n",
         0, 0},
        {"POST", "http", "localhost", "/x%20y/../z", "/x%20y/../z",
         "user-agent: other/1\r\nx-full: full\r\nContent-Length: 3\r\n\r\nabc", 3, 3},
        {"POST", "http", "127.0.0.1", "/", "/",
         "User-Agent: mete/" METE_VERSION "\r\nContent-Length: 0\r\n\r\n", 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fetch fetch = {0};
        struct upstream_request request = {.method = rows[i].method,
                                           .headers = own,
                                           .headers_len = rows[i].headers_len,
                                           .body = body,
                                           .body_len = rows[i].body_len};
        snprintf(url, sizeof url, "%s://%s:%d%s", rows[i].scheme, rows[i].host, peer.port,
                 rows[i].target);
        snprintf(wanted, sizeof wanted, "%s %s HTTP/1.1\r\nHost: %s:%d\r\n%s", rows[i].method,
                 rows[i].shown, rows[i].host, peer.port, rows[i].rest);
        begin_at(&bench, &fetch, url, &request);
        int fd = peer_accept(&bench, &peer);
        hear(&bench, fd, room, sizeof room);
        assert_string_equal(room, wanted);
        tell(&bench, fd, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        run_to_end(&bench, &fetch);
        assert_int_equal(fetch.end, UPSTREAM_DONE);
        assert_int_equal(recv(fd, room, 1, 0), 0); /* as it was told to */
        close(fd);
    }
    teardown(&bench, &peer);
}

static void a_url_that_means_nothing_is_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "http://",          "http:///x",         "http://:80/",    "http://a b/",
        "http://a/b c",     "http://a/\r\nX: y", "http://a:0/",    "http://a:65536/",
        "http://a:8x/",     "http://[::1/",      "http://[::1]8/", "http://a,b/",
        "ftp://127.0.0.1/", "http://[]/",        "http://a:8:9/",  "http://a\x7f/",
    };
    struct bench bench;
    struct peer peer;
    setup(&bench, &peer);
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct fetch fetch = {0};
        struct upstream_request request = {.method = "GET", .url = urls[i]};
        fetch.transfer =
            (struct upstream_transfer){.head = fetch_head, .data = fetch_data, .end = fetch_end};
        if (bench.upstream->start(bench.upstream, &request, &fetch.transfer) != METE_E_INVALID)
            fail_msg("%s", urls[i]);
    }
    teardown(&bench, &peer);
}

/* A socket takes a large body bit by bit; what it takes is what was given. */
static void a_body_larger_than_the_socket_arrives_whole(void **state)
{
    (void)state;
    enum { PIECE = 400000 };
    static char large[UPSTREAM_PIECES_MAX * PIECE], room[50000];
    struct bench bench;
    struct peer peer;
    struct slice pieces[UPSTREAM_PIECES_MAX];
    size_t got = 0;
    uint32_t noise = 1;
    setup(&bench, &peer);
    close(peer.listening);
    peer_open(&peer, 4096);
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)((noise = noise * 1664525 + 1013904223) >> 24);
    for (size_t i = 0; i < UPSTREAM_PIECES_MAX; i++)
        pieces[i] = (struct slice){large + i * PIECE, PIECE};
    struct fetch fetch = {0};
    struct upstream_request request = {
        .method = "POST", .body = pieces, .body_len = UPSTREAM_PIECES_MAX};
    begin(&bench, &fetch, peer.port, "/", &request);
    memset(pieces, 0xff, sizeof pieces);
    int fd = peer_accept(&bench, &peer);
    size_t head = 0;
    while (got < head + sizeof large || !head) {
        ssize_t len = recv(fd, room, sizeof room, 0);
        if (len < 0) {
            run_for(&bench, 1000); /* it may have nothing to wait for before more is read here */
            continue;
        }
        assert_true(len > 0);
        size_t from = 0;
        if (!head) {
            char *end = memmem(room, (size_t)len, "\r\n\r\n", 4);
            assert_non_null(end);
            head = from = (size_t)(end - room) + 4;
        }
        assert_memory_equal(room + from, large + got + from - head, (size_t)len - from);
        got += (size_t)len;
    }
    assert_int_equal(got, head + sizeof large);
    tell(&bench, fd, PLAIN);
    run_to_end(&bench, &fetch);
    assert_int_equal(fetch.end, UPSTREAM_DONE);
    assert_true(fetch.transfer.body_sent);
    close(fd);
    teardown(&bench, &peer);
}

/* A refusal in the midst of the body: nothing more is sent, and the answer is read. */
static void a_refusal_before_the_body_is_sent_is_heard(void **state)
{
    (void)state;
    static char large[8000000], room[4096];
    static const char *const answers[] = {
        "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    };
    struct bench bench;
    struct peer peer;
    setup(&bench, &peer);
    for (int i = 0; i < 2; i++) {
        const struct slice all = {large, sizeof large};
        struct fetch fetch = {.let_go = NULL};
        struct upstream_request request = {.method = "POST", .body = &all, .body_len = 1};
        begin(&bench, &fetch, peer.port, "/", &request);
        int fd = peer_accept(&bench, &peer);
        hear(&bench, fd, room, sizeof room);
        tell(&bench, fd, answers[i]);
        run_to_end(&bench, &fetch);
        assert_int_equal(fetch.end, UPSTREAM_DONE);
        assert_int_equal(fetch.status, i ? 200 : 413);
        assert_int_equal(fetch.bytes, 2);
        assert_false(fetch.transfer.body_sent);
        close(fd);
    }
    teardown(&bench, &peer);
}

/* ---- Pausing and leaving --------------------------------------------------------------------- */

/* In head(), with content and the answer's end in the same receive. */
static void a_pause_holds_what_has_been_received(void **state)
{
    (void)state;
    struct bench bench;
    struct peer peer;
    setup(&bench, &peer);
    for (size_t i = 0; i < sizeof WHOLE / sizeof WHOLE[0]; i++) {
        int fd = -1;
        struct fetch fetch = {.keep = true, .pause_at_head = true};
        struct upstream_request request = {.idle_timeout_ms = 20};
        begin(&bench, &fetch, peer.port, "/", &request);
        serve(&bench, &peer, &fd, WHOLE[i]);
        run_for(&bench, 60000);
        assert_int_equal(fetch.heads, 1);
        assert_int_equal(fetch.bytes + (size_t)fetch.ends, 0);
        resume(&bench, &fetch);
        bench.upstream->pause(bench.upstream, &fetch.transfer, true);
        run_for(&bench, 2000);
        assert_int_equal(fetch.bytes, 0);
        resume(&bench, &fetch);
        run_to_end(&bench, &fetch);
        check_hello(&fetch);
        close(fd);
        run_for(&bench, 2000);
    }
    teardown(&bench, &peer);
}

/* Without the loop turning round and round over the break. */
static void a_connection_that_breaks_during_a_pause_is_told_of_after_it(void **state)
{
    (void)state;
    const struct linger abort_it = {.l_onoff = 1};
    struct bench bench;
    struct peer peer;
    setup(&bench, &peer);
    for (int i = 0; i < 2; i++) {
        int fd = -1, rounds = 0;
        struct fetch fetch = {.pause_at = 1};
        struct upstream_request request = {0};
        begin(&bench, &fetch, peer.port, "/", &request);
        serve(&bench, &peer, &fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
        assert_true(fetch.paused);
        if (i)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort_it, sizeof abort_it);
        close(fd);
        struct timers *timers = loop_timers(bench.loop);
        struct timer alarm = {.fire = nothing};
        timers->set(timers, &alarm, 50000);
        for (; alarm.slot; rounds++)
            loop_round(bench.loop);
        assert_in_range(rounds, 1, 20);
        assert_int_equal(fetch.ends, 0);
        resume(&bench, &fetch);
        run_to_end(&bench, &fetch);
        assert_int_equal(fetch.end, UPSTREAM_LOST);
        assert_int_equal(fetch.bytes, 3);
    }
    teardown(&bench, &peer);
}

static void cancel_ends_it_in_every_state(void **state)
{
    (void)state;
    enum { NEW, SENDING, SENT, IN_HEAD, IN_DATA, PAUSED, WHOLE_PAUSED, STATES };
    static char large[8000000];
    const struct slice all = {large, sizeof large};
    struct bench bench;
    struct peer peer;
    char room[4096];
    setup(&bench, &peer);
    for (int when = NEW; when < STATES; when++) {
        int fd = -1;
        struct fetch fetch = {.cancel_at_head = when == IN_HEAD,
                              .cancel_at_data = when == IN_DATA,
                              .pause_at_head = when == WHOLE_PAUSED,
                              .pause_at = when == PAUSED ? 1 : 0};
        struct upstream_request request = {
            .method = "POST", .body = &all, .body_len = when == SENDING};
        begin(&bench, &fetch, peer.port, "/", &request);
        if (when >= SENDING) {
            fd = peer_accept(&bench, &peer);
            hear(&bench, fd, room, sizeof room);
        }
        if (when >= IN_HEAD) /* all but the last byte, or all of it */
            tell_bytes(&bench, fd, WHOLE[0], strlen(WHOLE[0]) - (when != WHOLE_PAUSED));
        if (when != IN_HEAD && when != IN_DATA) {
            assert_int_equal(fetch.ends, 0);
            bench.upstream->cancel(bench.upstream, &fetch.transfer);
            bench.upstream->cancel(bench.upstream, &fetch.transfer);
            assert_int_equal(fetch.ends, 0);
        }
        run_to_end(&bench, &fetch);
        assert_int_equal(fetch.end, UPSTREAM_CANCELLED);
        run_for(&bench, 2000);
        if (fd >= 0 && when != WHOLE_PAUSED) /* that one was free again by then */
            assert_false(recv(fd, room, 1, 0) < 0 && errno == EAGAIN && when != SENDING);
        close(fd);
        while (peer_has(&peer))
            close(accept(peer.listening, NULL, NULL));
    }
    teardown(&bench, &peer);
}

static void calling_off_ends_all(void **state)
{
    (void)state;
    struct bench bench;
    struct peer peer;
    struct upstream_counts counts;
    char room[4096];
    const struct upstream_wire wire = {.connections_max = 1};
    setup(&bench, &peer);
    struct fetch sent = {0}, waits = {0};
    struct upstream_request request = {.wire = &wire};
    begin(&bench, &sent, peer.port, "/", &request);
    begin(&bench, &waits, peer.port, "/", &request);
    int fd = peer_accept(&bench, &peer);
    hear(&bench, fd, room, sizeof room);
    upstream_call_off(bench.upstream);
    assert_int_equal(sent.ends + waits.ends, 0);
    run_to_end(&bench, &sent);
    run_to_end(&bench, &waits);
    assert_int_equal(sent.end, UPSTREAM_LOST);
    assert_int_equal(waits.end, UPSTREAM_NOT_SENT);
    upstream_counts(bench.upstream, &counts);
    assert_int_equal(counts.open, 0);
    assert_int_equal(counts.transfers, 2);
    close(fd);
    teardown(&bench, &peer);
}

/* ---- What was encoded ------------------------------------------------------------------------ */

static size_t encode(int bits, const char *text, size_t len, char *room, size_t room_len)
{
    z_stream stream = {0};
    Bytef *from;
    memcpy(&from, &text, sizeof from);
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = from;
    stream.avail_in = (uInt)len;
    stream.next_out = (Bytef *)room;
    stream.avail_out = (uInt)room_len;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return room_len - stream.avail_out;
}

static void what_was_encoded_unasked_arrives_as_it_was(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int bits;
    } codings[] = {{"gzip", 31}, {"x-GZIP", 31}, {"deflate", 15}, {"deflate", -15}};
    struct bench bench;
    struct peer peer;
    char coded[256], answer[1024], room[4096];
    int fd = -1;
    setup(&bench, &peer);
    for (int i = 0; i < 8; i++) {
        size_t len = encode(codings[i / 2].bits, "hello world", 11, coded, sizeof coded);
        size_t head =
            (size_t)snprintf(answer, sizeof answer,
                             "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Encoding: %s\r\n"
                             "Content-Length: %zu\r\n\r\n",
                             codings[i / 2].name, len);
        memcpy(answer + head, coded, len);
        struct fetch fetch = {.keep = true};
        struct upstream_request request = {0};
        begin(&bench, &fetch, peer.port, "/", &request);
        if (fd < 0)
            fd = peer_accept(&bench, &peer);
        hear(&bench, fd, room, sizeof room);
        for (size_t at = 0, step = i % 2 ? 1 : sizeof answer; at < head + len; at += step)
            tell_bytes(&bench, fd, answer + at, step < head + len - at ? step : head + len - at);
        run_to_end(&bench, &fetch);
        check_hello(&fetch);
    }
    close(fd);
    run_for(&bench, 5000);
    /* Two members; and the second cut short. */
    size_t len = encode(31, "hello ", 6, coded, sizeof coded);
    len += encode(31, "world", 5, coded + len, sizeof coded - len);
    for (size_t cut = 0; cut < 2; cut++) {
        size_t head =
            (size_t)snprintf(answer, sizeof answer,
                             "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Encoding: gzip\r\n"
                             "Content-Length: %zu\r\n\r\n",
                             len - cut);
        memcpy(answer + head, coded, len);
        struct fetch fetch = {.keep = true};
        exchange_bytes(&bench, &peer, &fetch, answer, head + len - cut);
        if (!cut) {
            check_hello(&fetch);
            continue;
        }
        assert_int_equal(fetch.end, UPSTREAM_LOST);
        assert_non_null(strstr(fetch.why, "ends too early"));
        buffer_done(&fetch.got);
    }
    teardown(&bench, &peer);
}

/* A thousand times its size: in bounded steps, between which others are served, and a pause in the
 * midst is a pause. */
static void what_grows_a_thousandfold_does_so_bit_by_bit(void **state)
{
    (void)state;
    enum { LARGE = 40000000 };
    static char coded[65536], answer[sizeof coded + 256];
    struct bench bench;
    struct peer peer;
    char room[4096], *large = calloc(1, LARGE);
    int fd = -1, rounds = 0;
    setup(&bench, &peer);
    size_t len = encode(31, large, LARGE, coded, sizeof coded);
    size_t head = (size_t)snprintf(answer, sizeof answer,
                                   "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                                   "Content-Length: %zu\r\n\r\n",
                                   len);
    memcpy(answer + head, coded, len);
    struct fetch fetch = {.pause_at = LARGE / 2};
    struct upstream_request request = {0};
    begin(&bench, &fetch, peer.port, "/", &request);
    fd = peer_accept(&bench, &peer);
    hear(&bench, fd, room, sizeof room);
    for (size_t at = 0; at < head + len;) {
        ssize_t sent = send(fd, answer + at, head + len - at, MSG_NOSIGNAL);
        at += sent > 0 ? (size_t)sent : 0;
    }
    size_t most = 0;
    for (size_t before = 0; !fetch.paused; rounds++) {
        before = fetch.bytes;
        loop_round(bench.loop);
        most = fetch.bytes - before > most ? fetch.bytes - before : most;
    }
    assert_true(most <= 8 * 4 * 65536); /* a round's turns */
    assert_true(rounds > LARGE / 2 / (8 * 4 * 65536));
    size_t held = fetch.bytes;
    assert_true(held < LARGE / 2 + 65536);
    run_for(&bench, 20000);
    assert_int_equal(fetch.bytes, held);
    resume(&bench, &fetch);
    run_to_end(&bench, &fetch);
    assert_int_equal(fetch.end, UPSTREAM_DONE);
    assert_int_equal(fetch.bytes, LARGE);
    free(large);
    close(fd);
    teardown(&bench, &peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_may_come_in_any_pieces),
        cmocka_unit_test(an_answer_without_a_body_leaves_the_connection_usable),
        cmocka_unit_test(an_answer_may_end_with_its_connection),
        cmocka_unit_test(nonsense_is_lost_and_says_why),
        cmocka_unit_test(heads_are_bounded_interim_ones_and_trailers_too),
        cmocka_unit_test(the_head_says_what_is_needed_and_no_more),
        cmocka_unit_test(a_url_that_means_nothing_is_refused),
        cmocka_unit_test(a_body_larger_than_the_socket_arrives_whole),
        cmocka_unit_test(a_refusal_before_the_body_is_sent_is_heard),
        cmocka_unit_test(a_pause_holds_what_has_been_received),
        cmocka_unit_test(a_connection_that_breaks_during_a_pause_is_told_of_after_it),
        cmocka_unit_test(cancel_ends_it_in_every_state),
        cmocka_unit_test(calling_off_ends_all),
        cmocka_unit_test(what_was_encoded_unasked_arrives_as_it_was),
        cmocka_unit_test(what_grows_a_thousandfold_does_so_bit_by_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
