/* SPDX-License-Identifier: Apache-2.0
 * HTTP/1.1 messages (RFC 9110, 9112) where they lie: the head of a request or an answer, and the
 * framing of a body. No sockets: the door (net/connection.h) and the way to providers
 * (net/upstream_http1.h) feed it.
 *
 * PROMISES  linear in bytes, no allocation, nothing read beyond what was given. One message has one
 *   meaning here or none: two framings, a folded field, a space before a colon, a bare CR, NUL or
 *   control character, a chunk size that overflows are METE_E_SYNTAX, since what two readers read
 *   differently is how requests are smuggled. Of requests lines end with CR LF alone; an answer's
 *   head may have bare LF, which providers' hand-written servers send.
 * NOT DONE  HTTP/2; upgrades; trailers are bounded and dropped. */
#ifndef CODEC_HTTP1_H
#define CODEC_HTTP1_H

#include "base/slice.h"

#include <stdint.h>

enum {
    HTTP1_CHUNK_ROOM = 20,         /* of a chunk's size line, with its CR LF */
    HTTP1_CHUNK_LINE_MAX = 256,    /* bytes of such a line that is read, extensions included */
    HTTP1_TRAILERS_MAX = 16 * 1024 /* bytes of them all */
};

/* ---- Heads ----------------------------------------------------------------------------------- */

/* Offsets into the head it was read from, so that the head's bytes may be moved. */
struct http1_field {
    uint32_t name, name_len, value, value_len; /* value: without the blanks around it */
};

enum http1_framing {
    HTTP1_NO_BODY = 0,
    HTTP1_LENGTH,
    HTTP1_CHUNKED,
    HTTP1_TO_CLOSE /* answers only: it ends with the connection */
};

struct http1_head {
    struct http1_field *fields; /* the caller's */
    size_t fields_room, fields_len;
    struct slice method, target; /* of a request; into the bytes that were read */
    int status;                  /* of an answer: 100 to 999 */
    bool is_1_0;
    bool closes;           /* the connection ends with this message */
    bool expects_continue; /* a request with Expect: 100-continue */
    bool
        has_unknown_coding; /* a Transfer-Encoding that is not "chunked" alone: 501 for a request */
    enum http1_framing framing;
    uint64_t length; /* HTTP1_LENGTH */
};

/* Bytes of the head with its empty line; 0: it is not whole. *seen is how many bytes were looked at
 * before: 0 at first, then left to this function. */
size_t http1_head_len(struct slice bytes, size_t *seen);

/* head: what http1_head_len() found whole. ret_head->fields and fields_room are set by the caller.
 * METE_E_TOO_LARGE: more fields than there is room for; METE_E_SYNTAX: no request of HTTP/1.0 or
 * 1.1, or one with two meanings; also one of HTTP/1.1 without exactly one Host. */
__attribute__((warn_unused_result)) int http1_read_request(struct slice head,
                                                           struct http1_head *ret_head);
/* to_head: what is answered was a HEAD, so that there is no body whatever is said. Two lengths that
 * agree are one; with chunks a length is ignored and the connection closes (RFC 9112 6.3). */
__attribute__((warn_unused_result)) int http1_read_answer(struct slice head, bool to_head,
                                                          struct http1_head *ret_head);

/* The first field of that name, compared without case; NULL: there is none. */
const struct http1_field *http1_field(struct slice head, const struct http1_head *of,
                                      struct slice name);
static inline struct slice http1_value(struct slice head, const struct http1_field *field)
{
    return field ? slice_part(head, field->value, field->value_len) : (struct slice){NULL, 0};
}
bool http1_is_named(struct slice head, const struct http1_field *field, struct slice name);
size_t http1_fields_named(struct slice head, const struct http1_head *of, struct slice name);
/* Whether a comma-separated value has that word, without case. */
bool http1_has_word(struct slice value, struct slice word);

/* ---- Bodies ---------------------------------------------------------------------------------- */

enum http1_place { HTTP1_SIZE = 0, HTTP1_CONTENT, HTTP1_CONTENT_END, HTTP1_TRAILERS, HTTP1_WHOLE };

struct http1_body {
    enum http1_framing framing;
    enum http1_place place;
    uint64_t left;      /* content bytes to come of the body, or of the chunk */
    uint32_t line, all; /* bytes of the present line; of all trailers */
    bool digits, cr, extension;
};

/* NO_BODY and a length of 0 are whole at once. */
void http1_body_begin(struct http1_body *body, const struct http1_head *head);
/* Takes the next stretch from the front of *bytes; *ret_content (part of bytes) is what there is of
 * content in it, maybe nothing. Call again while *bytes has any and the body is not whole; what is
 * left in *bytes then is the next message's. METE_E_SYNTAX: chunks that are none, METE_E_TOO_LARGE:
 * a size line or trailers over their maximum. */
__attribute__((warn_unused_result)) int
http1_body_next(struct http1_body *body, struct slice *bytes, struct slice *ret_content);
static inline bool http1_body_is_whole(const struct http1_body *body)
{
    return body->place == HTTP1_WHOLE;
}
/* The connection has ended: whether the body is whole by that, or was. */
bool http1_body_ends(const struct http1_body *body);

/* The size line of a chunk that is written; its content is followed by CR LF, and the last chunk is
 * "0\r\n\r\n". Returns its length. */
size_t http1_chunk_line(size_t len, char room[HTTP1_CHUNK_ROOM]);

#endif
