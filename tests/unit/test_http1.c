/* SPDX-License-Identifier: Apache-2.0
 * Proves that a message of HTTP/1.1 has one meaning or none: heads are found in any pieces, what
 * two readers could read differently is refused, and a body's content is the same however its
 * bytes are cut. The shapes are those by which requests are smuggled (RFC 9112 11.2). */
#include "codec/http1.h"

#include "mete.h"

#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { FIELDS = 8 };

static struct http1_field fields[FIELDS];

static int request(const char *text, struct http1_head *ret_head)
{
    size_t seen = 0;
    struct slice bytes = slice_of(text);
    *ret_head = (struct http1_head){.fields = fields, .fields_room = FIELDS};
    assert_int_equal(http1_head_len(bytes, &seen), bytes.len);
    return http1_read_request(bytes, ret_head);
}

static int answer(const char *text, bool to_head, struct http1_head *ret_head)
{
    size_t seen = 0;
    struct slice bytes = slice_of(text);
    *ret_head = (struct http1_head){.fields = fields, .fields_room = FIELDS};
    assert_int_equal(http1_head_len(bytes, &seen), bytes.len);
    return http1_read_answer(bytes, to_head, ret_head);
}

static bool value_is(const char *text, const struct http1_head *head, const char *name,
                     const char *wanted)
{
    struct slice bytes = slice_of(text);
    return slice_is(http1_value(bytes, http1_field(bytes, head, slice_of(name))), wanted);
}

/* ---- Heads ----------------------------------------------------------------------------------- */

static void a_head_is_found_in_any_pieces(void **state)
{
    static const char *const heads[] = {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                                        "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
                                        "HTTP/1.1 200 OK\nA: b\n\n", "GET /\r\n\n"};
    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        char text[128];
        size_t len = strlen(heads[i]), seen = 0;
        snprintf(text, sizeof text, "%sGET /", heads[i]);
        for (size_t have = 1; have < len; have++)
            assert_int_equal(http1_head_len((struct slice){text, have}, &seen), 0);
        assert_int_equal(http1_head_len((struct slice){text, len}, &seen), len);
        seen = 0;
        assert_int_equal(http1_head_len(slice_of(text), &seen), len);
    }
}

static void a_request_is_read(void **state)
{
    static const char text[] = "POST /v1/chat?x=1 HTTP/1.1\r\nHost: a:80\r\nX-Api-Key:  k \t\r\n"
                               "content-LENGTH: 12\r\nempty:\r\nConnection: x, Close\r\n\r\n";
    struct http1_head head;
    (void)state;
    assert_int_equal(request(text, &head), 0);
    assert_true(slice_is(head.method, "POST"));
    assert_true(slice_is(head.target, "/v1/chat?x=1"));
    assert_true(value_is(text, &head, "x-api-key", "k"));
    assert_true(value_is(text, &head, "EMPTY", ""));
    assert_null(http1_field(slice_of(text), &head, SLICE_LITERAL("x-api")));
    assert_int_equal(head.framing, HTTP1_LENGTH);
    assert_int_equal(head.length, 12);
    assert_true(head.closes);
    assert_false(head.is_1_0);
}

static void the_connection_goes_on_as_its_version_says(void **state)
{
    struct http1_head head;
    (void)state;
    assert_int_equal(request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", &head), 0);
    assert_false(head.closes);
    assert_int_equal(request("GET / HTTP/1.0\r\n\r\n", &head), 0);
    assert_true(head.closes && head.is_1_0);
    assert_int_equal(request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &head), 0);
    assert_false(head.closes);
    assert_int_equal(request("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n", &head),
                     0);
    assert_true(head.expects_continue);
}

static void what_could_be_read_in_two_ways_is_refused(void **state)
{
    static const char *const tails[] = {
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Content-Length: 1\r\nContent-Length: 1\r\n",
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: +1\r\n",
        "Content-Length: 1, 1\r\n",
        "Content-Length:\r\n",
        "Content-Length : 1\r\n",
        "Content-Length\t: 1\r\n",
        " Content-Length: 1\r\n",
        "A: b\r\n folded\r\n",
        "A: b\r\n\tfolded\r\n",
        "A: b\rc\r\n",
        "A: b\001\r\n",
        "A: b\177\r\n",
        "A\r\n",
        ": b\r\n",
        "A b: c\r\n",
        "A: b\n",
        "Host: b\r\n",
    };
    struct http1_head head;
    (void)state;
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        char text[256];
        snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: a\r\n%s\r\n", tails[i]);
        if (request(text, &head) != METE_E_SYNTAX)
            fail_msg("taken: %s", tails[i]);
    }
}

static void first_lines_that_are_none_are_refused(void **state)
{
    static const char *const lines[] = {
        "GET  / HTTP/1.1",   "GET / HTTP/1.1 ", "GET /",          "GET / HTTP/2.0",
        "GET / HTTP/1",      "GET / HTTP/1.10", "G@T / HTTP/1.1", "/",
        "GET /a b HTTP/1.1", " GET / HTTP/1.1", "GET / http/1.1",
    };
    struct http1_head head;
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[128];
        snprintf(text, sizeof text, "%s\r\nHost: a\r\n\r\n", lines[i]);
        if (request(text, &head) != METE_E_SYNTAX)
            fail_msg("taken: %s", lines[i]);
    }
    assert_int_equal(request("GET / HTTP/1.1\r\n\r\n", &head), METE_E_SYNTAX); /* no Host */
    assert_int_equal(request("GET / HTTP/1.1\nHost: a\n\n", &head), METE_E_SYNTAX);
    assert_int_equal(request("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", &head),
                     METE_E_SYNTAX);
}

static void a_coding_we_do_not_know_is_told(void **state)
{
    struct http1_head head;
    (void)state;
    assert_int_equal(
        request("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", &head),
        0);
    assert_true(head.has_unknown_coding);
    assert_int_equal(
        request("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n", &head), 0);
    assert_false(head.has_unknown_coding);
    assert_int_equal(head.framing, HTTP1_CHUNKED);
}

static void more_fields_than_there_is_room_for(void **state)
{
    struct http1_head head;
    (void)state;
    assert_int_equal(
        request("GET / HTTP/1.1\r\nHost: a\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\nf:\r\ng:\r\n\r\n",
                &head),
        0);
    assert_int_equal(head.fields_len, FIELDS);
    assert_int_equal(
        request("GET / HTTP/1.1\r\nHost: a\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\nf:\r\ng:\r\nh:\r\n\r\n",
                &head),
        METE_E_TOO_LARGE);
}

static void an_answer_is_framed_as_its_head_says(void **state)
{
    struct http1_head head;
    (void)state;
    assert_int_equal(answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, &head), 0);
    assert_true(head.status == 200 && head.framing == HTTP1_LENGTH && !head.closes);
    assert_int_equal(answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, &head), 0);
    assert_int_equal(head.framing, HTTP1_NO_BODY);
    assert_int_equal(answer("HTTP/1.1 304\r\nContent-Length: 5\r\n\r\n", false, &head), 0);
    assert_int_equal(head.framing, HTTP1_NO_BODY);
    assert_int_equal(answer("HTTP/1.1 200 \nTransfer-Encoding: chunked\n\n", false, &head), 0);
    assert_true(head.framing == HTTP1_CHUNKED && !head.closes);
    assert_int_equal(answer("HTTP/1.1 200 OK\r\nA: b\r\n\r\n", false, &head), 0);
    assert_true(head.framing == HTTP1_TO_CLOSE && head.closes);
    assert_int_equal(
        answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", false, &head),
        0);
    assert_int_equal(head.length, 5);
    assert_int_equal(
        answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", false, &head),
        METE_E_SYNTAX);
    assert_int_equal(answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: "
                            "chunked\r\n\r\n",
                            false, &head),
                     0);
    assert_true(head.framing == HTTP1_CHUNKED && head.closes);
    assert_int_equal(answer("HTTP/1.1 20 OK\r\n\r\n", false, &head), METE_E_SYNTAX);
    assert_int_equal(answer("HTTP/1.1 099 OK\r\n\r\n", false, &head), METE_E_SYNTAX);
    assert_int_equal(answer("HTTP/1.1 200OK\r\n\r\n", false, &head), METE_E_SYNTAX);
    assert_int_equal(answer("ICY 200 OK\r\n\r\n", false, &head), METE_E_SYNTAX);
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

/* Reads bytes in pieces of so many; the content into room, what is left over into *ret_over. */
static int content(const char *bytes, size_t piece, enum http1_framing framing, uint64_t length,
                   char room[256], size_t *ret_over)
{
    const struct http1_head head = {.framing = framing, .length = length};
    struct slice rest = slice_of(bytes);
    struct http1_body body;
    size_t len = 0;
    http1_body_begin(&body, &head);
    while (rest.len && !http1_body_is_whole(&body)) {
        struct slice some = slice_part(rest, 0, piece < rest.len ? piece : rest.len), part;
        size_t before = some.len;
        int rc = http1_body_next(&body, &some, &part);
        if (rc)
            return rc;
        memcpy(room + len, part.data, part.len);
        len += part.len;
        rest = slice_from(rest, before - some.len);
    }
    room[len] = 0;
    *ret_over = rest.len;
    return http1_body_is_whole(&body) ? 0 : 1;
}

static void chunks_are_the_same_in_any_pieces(void **state)
{
    static const char bytes[] = "5\r\nhello\r\n0007 ;a=\"b\"\r\n, world\r\nA\r\n0123456789\r\n"
                                "0\r\nTrailer: x\r\n\r\nNEXT";
    char room[256];
    size_t over;
    (void)state;
    for (size_t piece = 1; piece <= sizeof bytes; piece++) {
        assert_int_equal(content(bytes, piece, HTTP1_CHUNKED, 0, room, &over), 0);
        assert_string_equal(room, "hello, world0123456789");
        assert_int_equal(over, 4);
    }
}

static void a_length_ends_where_it_says(void **state)
{
    char room[256];
    size_t over;
    (void)state;
    for (size_t piece = 1; piece <= 8; piece++) {
        assert_int_equal(content("helloNEXT", piece, HTTP1_LENGTH, 5, room, &over), 0);
        assert_string_equal(room, "hello");
        assert_int_equal(over, 4);
    }
    assert_int_equal(content("NEXT", 4, HTTP1_LENGTH, 0, room, &over), 0);
    assert_int_equal(over, 4);
    assert_int_equal(content("hell", 4, HTTP1_LENGTH, 5, room, &over), 1);
}

static void chunks_that_are_none_are_refused(void **state)
{
    static const char *const bodies[] = {
        "\r\n",
        "x\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "-1\r\n",
        "0x5\r\n",
        ";a\r\n",
        "5 5\001\r\n",
        "0\r\nA: b\n\r\n",
        "10000000000000000\r\n",
        "5;a\rb\r\n",
    };
    char room[256];
    size_t over;
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        for (size_t piece = 1; piece < 8; piece += 3)
            if (content(bodies[i], piece, HTTP1_CHUNKED, 0, room, &over) != METE_E_SYNTAX)
                fail_msg("taken: %s", bodies[i]);
}

static void what_is_between_chunks_is_bounded(void **state)
{
    static char bytes[HTTP1_TRAILERS_MAX + 64];
    const struct http1_head head = {.framing = HTTP1_CHUNKED};
    struct http1_body body;
    struct slice rest = {bytes, sizeof bytes}, part;
    (void)state;
    memset(bytes, 'a', sizeof bytes);
    memcpy(bytes, "0\r\n", 3);
    http1_body_begin(&body, &head);
    assert_int_equal(http1_body_next(&body, &rest, &part), METE_E_TOO_LARGE);
    memset(bytes, 'a', sizeof bytes);
    memcpy(bytes, "5;", 2);
    rest = (struct slice){bytes, sizeof bytes};
    http1_body_begin(&body, &head);
    assert_int_equal(http1_body_next(&body, &rest, &part), METE_E_TOO_LARGE);
}

static void a_body_to_the_end_of_the_connection(void **state)
{
    const struct http1_head head = {.framing = HTTP1_TO_CLOSE};
    struct http1_body body;
    struct slice rest = SLICE_LITERAL("all of it"), part;
    (void)state;
    http1_body_begin(&body, &head);
    assert_int_equal(http1_body_next(&body, &rest, &part), 0);
    assert_true(slice_is(part, "all of it"));
    assert_false(http1_body_is_whole(&body));
    assert_true(http1_body_ends(&body));
    http1_body_begin(&body, &(struct http1_head){.framing = HTTP1_LENGTH, .length = 3});
    assert_false(http1_body_ends(&body));
}

static void a_size_line_is_read_back(void **state)
{
    static const size_t sizes[] = {1, 9, 10, 15, 16, 255, 256, 4095, 65536, SIZE_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char room[HTTP1_CHUNK_ROOM], wanted[32];
        int len = snprintf(wanted, sizeof wanted, "%zx\r\n", sizes[i]);
        assert_int_equal(http1_chunk_line(sizes[i], room), len);
        assert_memory_equal(room, wanted, (size_t)len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_found_in_any_pieces),
        cmocka_unit_test(a_request_is_read),
        cmocka_unit_test(the_connection_goes_on_as_its_version_says),
        cmocka_unit_test(what_could_be_read_in_two_ways_is_refused),
        cmocka_unit_test(first_lines_that_are_none_are_refused),
        cmocka_unit_test(a_coding_we_do_not_know_is_told),
        cmocka_unit_test(more_fields_than_there_is_room_for),
        cmocka_unit_test(an_answer_is_framed_as_its_head_says),
        cmocka_unit_test(chunks_are_the_same_in_any_pieces),
        cmocka_unit_test(a_length_ends_where_it_says),
        cmocka_unit_test(chunks_that_are_none_are_refused),
        cmocka_unit_test(what_is_between_chunks_is_bounded),
        cmocka_unit_test(a_body_to_the_end_of_the_connection),
        cmocka_unit_test(a_size_line_is_read_back),
    };
    return cmocka_run_group_tests_name("http1", tests, NULL, NULL);
}
