/* SPDX-License-Identifier: Apache-2.0
 *   --BOUNDARY CRLF  headers CRLF  CRLF  body  CRLF --BOUNDARY  CRLF headers ...  CRLF --BOUNDARY--
 *
 * The delimiter is looked for with memmem, which is fast on files of any kind. */
#include "codec/multipart.h"

#include <string.h>
#include <strings.h>

enum { HEADERS_MAX = 2048 /* bytes of one part */ };

static bool begins(struct slice text, const char *lower)
{
    size_t len = strlen(lower);
    return text.len >= len && !strncasecmp(text.data, lower, len);
}

static struct slice trim(struct slice text)
{
    while (text.len && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = slice_from(text, 1);
    while (text.len && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* ---- Parameters: ; name=token, ; name="quoted" ----------------------------------------------- */

/* Takes the next one off text. False: there is none, or what is there is none. A quoted value has
 * no escapes: a backslash makes it none. */
static bool next_parameter(struct slice *text, struct slice *ret_name, struct slice *ret_value)
{
    struct slice rest = trim(*text);
    if (!rest.len || rest.data[0] != ';')
        return false;
    rest = trim(slice_from(rest, 1));
    const char *is = rest.len ? memchr(rest.data, '=', rest.len) : NULL;
    if (!is)
        return false;
    size_t len = (size_t)(is - rest.data);
    *ret_name = slice_part(rest, 0, len);
    rest = slice_from(rest, len + 1);
    bool quoted = rest.len && rest.data[0] == '"';
    if (quoted)
        rest = slice_from(rest, 1);
    size_t end = 0;
    while (end < rest.len && rest.data[end] != (quoted ? '"' : ';'))
        if (rest.data[end++] == '\\')
            return false;
    if (quoted && end == rest.len)
        return false;
    *ret_value = quoted ? slice_part(rest, 0, end) : trim(slice_part(rest, 0, end));
    *text = slice_from(rest, end + quoted);
    return true;
}

/* The value of a parameter that is there once; false: it is not, or something else is wrong. */
static bool find_parameter(struct slice text, const char *wanted, struct slice *ret_value,
                           bool *ret_is_file)
{
    struct slice name, value;
    bool found = false;
    *ret_is_file = false;
    while (trim(text).len) {
        if (!next_parameter(&text, &name, &value))
            return false;
        if (name.len == 8 && begins(name, "filename"))
            *ret_is_file = true;
        if (name.len != strlen(wanted) || !begins(name, wanted))
            continue;
        if (found)
            return false;
        found = true;
        *ret_value = value;
    }
    return found;
}

/* ---- The body -------------------------------------------------------------------------------- */

static const char form[] = "multipart/form-data";

bool multipart_is(struct slice content_type)
{
    struct slice rest = trim(content_type);
    if (!begins(rest, form))
        return false;
    rest = trim(slice_from(rest, sizeof form - 1));
    return !rest.len || rest.data[0] == ';';
}

int multipart_begin(struct multipart *multipart, struct slice content_type, struct slice body)
{
    struct slice boundary;
    bool is_file;
    if (!multipart_is(content_type) ||
        !find_parameter(slice_from(trim(content_type), sizeof form - 1), "boundary", &boundary,
                        &is_file) ||
        !boundary.len || boundary.len > MULTIPART_BOUNDARY)
        return METE_E_SYNTAX;
    *multipart = (struct multipart){.boundary_len = 4 + boundary.len};
    memcpy(multipart->boundary, "\r\n--", 4);
    memcpy(multipart->boundary + 4, boundary.data, boundary.len);
    struct slice first = {multipart->boundary + 2, multipart->boundary_len - 2};
    if (!slice_starts(body, first))
        return METE_E_SYNTAX;
    multipart->rest = slice_from(body, first.len);
    return 0;
}

/* Takes one header line off text, without its end; false: it has none. */
static bool next_line(struct slice *text, struct slice *ret_line)
{
    const char *end = text->len ? memmem(text->data, text->len, "\r\n", 2) : NULL;
    if (!end)
        return false;
    size_t len = (size_t)(end - text->data);
    *ret_line = slice_part(*text, 0, len);
    *text = slice_from(*text, len + 2);
    return !memchr(ret_line->data, '\n', len) && !memchr(ret_line->data, '\r', len);
}

/* headers: lines, each with its end. */
static bool read_headers(struct slice headers, struct multipart_part *ret_part)
{
    static const char disposition[] = "content-disposition:", data[] = "form-data";
    struct slice line;
    bool named = false;
    while (headers.len) {
        if (!next_line(&headers, &line) || !line.len || line.data[0] == ' ' || line.data[0] == '\t')
            return false;
        if (begins(line, "content-transfer-encoding:"))
            return false;
        if (!begins(line, disposition))
            continue;
        line = trim(slice_from(line, sizeof disposition - 1));
        if (named || !begins(line, data) ||
            !find_parameter(slice_from(line, sizeof data - 1), "name", &ret_part->name,
                            &ret_part->is_file))
            return false;
        named = true;
    }
    return named;
}

int multipart_next(struct multipart *multipart, struct multipart_part *ret_part)
{
    struct slice rest = multipart->rest;
    struct multipart_part part = {0};
    if (multipart->ended)
        return 0;
    if (slice_is(rest, "--") || slice_is(rest, "--\r\n")) {
        multipart->ended = true;
        return 0;
    }
    if (!slice_starts(rest, SLICE_LITERAL("\r\n")))
        return METE_E_SYNTAX;
    rest = slice_from(rest, 2);
    size_t look = rest.len < HEADERS_MAX ? rest.len : HEADERS_MAX;
    const char *blank = look ? memmem(rest.data, look, "\r\n\r\n", 4) : NULL;
    size_t head = blank ? (size_t)(blank - rest.data) + 2 : 0;
    if (!blank || !read_headers(slice_part(rest, 0, head), &part))
        return METE_E_SYNTAX;
    rest = slice_from(rest, head + 2);
    const char *mark =
        rest.len ? memmem(rest.data, rest.len, multipart->boundary + 4, multipart->boundary_len - 4)
                 : NULL;
    size_t at = mark ? (size_t)(mark - rest.data) : 0;
    /* Where it stands first, it must be a delimiter. */
    if (!mark || at < 4 || memcmp(mark - 4, multipart->boundary, 4) != 0)
        return METE_E_SYNTAX;
    part.body = slice_part(rest, 0, at - 4);
    multipart->rest = slice_from(rest, at + multipart->boundary_len - 4);
    *ret_part = part;
    return 1;
}
