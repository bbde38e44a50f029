/* SPDX-License-Identifier: Apache-2.0
 * The head is printed anew for each request: some twenty copies of short texts, less than looking
 * up what was printed before and checking that it is the same. */
#include "net/upstream_request.h"

#include "base/assert.h"
#include "net/upstream_sign.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* ---- The URL --------------------------------------------------------------------------------- */

static struct slice authority_of(const char *url)
{
    const char *from = url + strlen("http://");
    return (struct slice){from, strcspn(from, "/?#")};
}

bool upstream_url_is_plain(const char *url)
{
    if (strncasecmp(url, "http://", 7) != 0)
        return false;
    struct slice authority = authority_of(url);
    for (size_t i = 0; i < authority.len; i++)
        if (authority.data[i] == '@' || (unsigned char)authority.data[i] > 127)
            return false;
    return true;
}

static bool is_of_name(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '.' || c == '-' ||
           c == '_';
}

/* Of an IPv6 address; a zone of it too. */
static bool is_of_address(unsigned char c)
{
    return is_of_name(c) || c == ':' || c == '%';
}

static int read_port(struct slice text, uint16_t *ret_port)
{
    uint32_t port = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return METE_E_INVALID;
        port = port * 10 + (uint32_t)(text.data[i] - '0');
        if (port > UINT16_MAX)
            return METE_E_INVALID;
    }
    if (text.len && !port)
        return METE_E_INVALID;
    *ret_port = text.len ? (uint16_t)port : 80;
    return 0;
}

static int read_authority(struct slice authority, struct upstream_url *url)
{
    bool brackets = authority.len && authority.data[0] == '[';
    size_t from = brackets, at = from;
    while (at < authority.len && (brackets ? is_of_address((unsigned char)authority.data[at])
                                           : is_of_name((unsigned char)authority.data[at])))
        at++;
    url->host = slice_part(authority, from, at - from);
    if (brackets && (at == authority.len || authority.data[at++] != ']'))
        return METE_E_INVALID;
    struct slice rest = slice_from(authority, at);
    if (!url->host.len || (rest.len && rest.data[0] != ':'))
        return METE_E_INVALID;
    if (read_port(rest.len ? slice_from(rest, 1) : rest, &url->port))
        return METE_E_INVALID;
    url->shown = url->port == 80 ? slice_part(authority, 0, at) : authority;
    return 0;
}

int upstream_url_read(const char *url, struct upstream_url *ret_url)
{
    struct slice authority = authority_of(url);
    struct upstream_url read;
    const char *target = authority.data + authority.len;
    read.target = (struct slice){target, strcspn(target, "#")};
    for (size_t i = 0; i < read.target.len; i++)
        if ((unsigned char)target[i] <= ' ' || target[i] == 127)
            return METE_E_INVALID;
    if (read_authority(authority, &read))
        return METE_E_INVALID;
    *ret_url = read;
    return 0;
}

/* ---- The head -------------------------------------------------------------------------------- */

static int append_all(struct buffer *out, const struct slice *list, size_t len)
{
    int rc = 0;
    for (size_t i = 0; i < len && !rc; i++)
        rc = buffer_append(out, list[i]);
    return rc;
}

static int append_field(struct buffer *out, const char *name, struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        ASSERT(value.data[i] != '\r' && value.data[i] != '\n' && value.data[i] != 0);
    const struct slice parts[] = {slice_of(name), SLICE_LITERAL(": "), value,
                                  SLICE_LITERAL("\r\n")};
    return value.len ? append_all(out, parts, 4) : 0;
}

static bool is_given(const struct upstream_request *request, const char *name)
{
    for (size_t i = 0; i < request->headers_len; i++)
        if (!strcasecmp(request->headers[i].name, name))
            return true;
    return false;
}

static int append_fields(struct buffer *out, const struct upstream_request *request)
{
    int rc = 0;
    for (size_t i = 0; i < request->headers_len && !rc; i++)
        rc = append_field(out, request->headers[i].name, request->headers[i].value);
    return rc;
}

static int append_signature(struct buffer *out, const struct upstream_request *request)
{
    struct upstream_signature signature;
    struct exchange_header headers[UPSTREAM_SIGN_HEADERS];
    size_t len = 0;
    if (!request->sign_with.len)
        return 0;
    int rc = upstream_sign_headers(request, &signature, headers, &len);
    for (size_t i = 0; i < len && !rc; i++)
        rc = append_field(out, headers[i].name, headers[i].value);
    return rc;
}

/* A POST says how long it is even where it is empty (RFC 9110 8.6). */
static int append_length(struct buffer *out, const struct upstream_request *request)
{
    uint64_t total = 0;
    for (size_t i = 0; i < request->body_len; i++)
        total += request->body[i].len;
    if (!request->body_len && strcmp(request->method, "POST") != 0)
        return buffer_text(out, "\r\n");
    char line[64];
    int len =
        snprintf(line, sizeof line, "Content-Length: %llu\r\n\r\n", (unsigned long long)total);
    return buffer_append(out, (struct slice){line, (size_t)len});
}

int upstream_head_write(struct buffer *out, const struct upstream_request *request,
                        const struct upstream_url *url)
{
    bool rooted = url->target.len && url->target.data[0] == '/';
    const struct slice line[] = {slice_of(request->method), SLICE_LITERAL(" "),
                                 rooted ? SLICE_LITERAL("") : SLICE_LITERAL("/"), url->target,
                                 SLICE_LITERAL(" HTTP/1.1\r\n")};
    int rc = append_all(out, line, 5);
    if (!rc && !is_given(request, "host"))
        rc = append_field(out, "Host", url->shown);
    if (!rc && !is_given(request, "user-agent"))
        rc = append_field(out, "User-Agent", SLICE_LITERAL("mete/" METE_VERSION));
    if (!rc)
        rc = append_fields(out, request);
    if (!rc)
        rc = append_signature(out, request);
    if (!rc)
        rc = append_length(out, request);
    return rc == METE_E_TOO_LARGE ? METE_E_INVALID : rc;
}

/* ---- Out ------------------------------------------------------------------------------------- */

void upstream_unsent_begin(struct upstream_unsent *unsent, struct slice head,
                           const struct upstream_request *request)
{
    ASSERT(request->body_len <= UPSTREAM_PIECES_MAX);
    unsent->at = 0;
    unsent->len = 1;
    unsent->head = NULL;
    unsent->head_len = 0;
    unsent->pieces[0] = head;
    for (size_t i = 0; i < request->body_len; i++)
        if (request->body[i].len)
            unsent->pieces[unsent->len++] = request->body[i];
}

struct upstream_unsent *upstream_unsent_keep(const struct upstream_unsent *unsent)
{
    ASSERT(!unsent->head && unsent->at < unsent->len);
    size_t head_len = unsent->at ? 0 : unsent->pieces[0].len;
    struct upstream_unsent *kept = malloc(sizeof *kept + head_len);
    if (!kept)
        return NULL;
    *kept = *unsent;
    if (!head_len)
        return kept;
    kept->head = (char *)(kept + 1);
    kept->head_len = head_len;
    memcpy(kept->head, unsent->pieces[0].data, head_len);
    kept->pieces[0].data = kept->head;
    return kept;
}

void upstream_unsent_free(struct upstream_unsent *kept)
{
    if (!kept)
        return;
    if (kept->head)
        explicit_bzero(kept->head, kept->head_len);
    free(kept);
}

static void advance(struct upstream_unsent *unsent, size_t sent)
{
    while (sent) {
        struct slice *piece = &unsent->pieces[unsent->at];
        size_t part = sent < piece->len ? sent : piece->len;
        *piece = slice_from(*piece, part);
        sent -= part;
        if (!piece->len)
            unsent->at++;
    }
}

ssize_t upstream_unsent_send(struct upstream_unsent *unsent, int fd)
{
    struct iovec parts[UPSTREAM_PIECES_MAX + 1];
    size_t len = 0;
    for (size_t i = unsent->at; i < unsent->len; i++) {
        /* An iovec is for reading into as well, and so has no const. */
        memcpy(&parts[len].iov_base, &unsent->pieces[i].data, sizeof parts[len].iov_base);
        parts[len++].iov_len = unsent->pieces[i].len;
    }
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = len};
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ENOBUFS ? 0
                                                                                             : -1;
    advance(unsent, (size_t)sent);
    return sent;
}
