/* SPDX-License-Identifier: Apache-2.0
 * zlib, told to see for itself whether it is gzip or zlib. "deflate" is zlib's format by RFC 9110,
 * but some send deflate without its frame: told by the first two bytes, which no such stream that
 * matters shares with zlib's (their 16 bits are a multiple of 31 and their low four are 8). */
#include "net/upstream_coding.h"

#include <stdlib.h>
#include <strings.h>
#include <zlib.h>

enum { SELF_TOLD = 32 + MAX_WBITS, BARE = -MAX_WBITS };

struct upstream_coding {
    z_stream stream;
    bool deflate, begun, ended, full;
    unsigned char first; /* of two bytes, the one that came alone */
    bool has_first;
};

static bool is_word(struct slice value, const char *word)
{
    return value.len == strlen(word) && !strncasecmp(value.data, word, value.len);
}

int upstream_coding_new(struct slice value, struct upstream_coding **ret_coding)
{
    bool gzip = is_word(value, "gzip") || is_word(value, "x-gzip");
    bool deflate = is_word(value, "deflate");
    if (!value.len || is_word(value, "identity")) {
        *ret_coding = NULL;
        return 0;
    }
    if (!gzip && !deflate)
        return METE_E_INVALID;
    struct upstream_coding *coding = calloc(1, sizeof *coding);
    if (!coding || inflateInit2(&coding->stream, SELF_TOLD) != Z_OK) {
        free(coding);
        return METE_E_MEMORY;
    }
    coding->deflate = deflate;
    *ret_coding = coding;
    return 0;
}

void upstream_coding_free(struct upstream_coding *coding)
{
    if (!coding)
        return;
    inflateEnd(&coding->stream);
    free(coding);
}

static int inflate_some(struct upstream_coding *coding, struct slice *bytes, char *room,
                        size_t room_len, size_t *ret_len)
{
    z_stream *stream = &coding->stream;
    /* zlib has no const here unless it is asked for; it reads only. */
    memcpy(&stream->next_in, &bytes->data, sizeof stream->next_in);
    stream->avail_in = (uInt)bytes->len;
    stream->next_out = (Bytef *)room;
    stream->avail_out = (uInt)room_len;
    int code = inflate(stream, Z_NO_FLUSH);
    *ret_len = room_len - stream->avail_out;
    *bytes = slice_from(*bytes, bytes->len - stream->avail_in);
    coding->full = code == Z_OK && stream->avail_out == 0;
    coding->ended = code == Z_STREAM_END;
    if (code == Z_MEM_ERROR)
        return METE_E_MEMORY;
    return code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR ? 0 : METE_E_SYNTAX;
}

/* Whether two bytes have come, and so which format it is. The first is kept where it came alone. */
static int tell_format(struct upstream_coding *coding, struct slice *bytes)
{
    if (!coding->has_first && bytes->len < 2) {
        coding->first = (unsigned char)bytes->data[0];
        coding->has_first = true;
        *bytes = slice_from(*bytes, 1);
        return 0;
    }
    unsigned first = coding->has_first ? coding->first : (unsigned char)bytes->data[0];
    unsigned second = (unsigned char)bytes->data[coding->has_first ? 0 : 1];
    bool zlib = (first & 15) == 8 && (first * 256 + second) % 31 == 0;
    bool gzip = first == 0x1f && second == 0x8b;
    coding->begun = true;
    if (coding->deflate && !zlib && !gzip && inflateReset2(&coding->stream, BARE) != Z_OK)
        return METE_E_MEMORY;
    return 0;
}

int upstream_coding_next(struct upstream_coding *coding, struct slice *bytes, char *room,
                         size_t room_len, size_t *ret_len)
{
    *ret_len = 0;
    coding->full = false;
    if (coding->ended && bytes->len) { /* gzip may be several, one after another (RFC 1952 2.2) */
        if (coding->deflate || inflateReset(&coding->stream) != Z_OK)
            return METE_E_SYNTAX;
        coding->ended = false;
    }
    if (!coding->begun) {
        if (!bytes->len)
            return 0;
        int rc = tell_format(coding, bytes);
        if (rc || !coding->begun)
            return rc;
        if (coding->has_first) {
            struct slice first = {(const char *)&coding->first, 1};
            size_t none;
            rc = inflate_some(coding, &first, room, room_len, &none);
            if (rc)
                return rc;
        }
    }
    return inflate_some(coding, bytes, room, room_len, ret_len);
}

bool upstream_coding_has_more(const struct upstream_coding *coding)
{
    return coding->full;
}

bool upstream_coding_is_whole(const struct upstream_coding *coding)
{
    return coding->ended || (!coding->begun && !coding->has_first);
}
