/* SPDX-License-Identifier: Apache-2.0
 * One piece, or few bytes: CURLOPT_POSTFIELDS, which goes out together with the head. Else curl
 * reads piece by piece. It may ask to begin again (a proxy or a server that wants another
 * authentication does that), so there is a seek; whether a request may be sent again at all is for
 * upstream.c to say. */
#include "net/upstream_body.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

static size_t on_read(char *room, size_t size, size_t count, void *user)
{
    struct upstream_body *body = user;
    size_t max = size * count, len = 0;
    while (len < max && body->at < body->len) {
        struct slice left = slice_from(body->pieces[body->at], body->done);
        size_t part = left.len < max - len ? left.len : max - len;
        if (part)
            memcpy(room + len, left.data, part);
        len += part;
        body->done += part;
        if (part == left.len) {
            body->at++;
            body->done = 0;
        }
    }
    return len;
}

static int on_seek(void *user, curl_off_t offset, int origin)
{
    struct upstream_body *body = user;
    if (origin != SEEK_SET || offset != 0)
        return CURL_SEEKFUNC_CANTSEEK;
    body->at = body->done = 0;
    return CURL_SEEKFUNC_OK;
}

static int join(struct upstream_body *body)
{
    char *at = body->joined = malloc(body->total);
    if (!at)
        return METE_E_MEMORY;
    for (size_t i = 0; i < body->len; i++) {
        if (body->pieces[i].len)
            memcpy(at, body->pieces[i].data, body->pieces[i].len);
        at += body->pieces[i].len;
    }
    return 0;
}

int upstream_body_set(struct upstream_body *body, CURL *easy, const struct slice *pieces,
                      size_t len)
{
    ASSERT(len <= UPSTREAM_PIECES_MAX && !body->joined);
    *body = (struct upstream_body){0};
    for (size_t i = 0; i < len; i++) {
        if (!pieces[i].len)
            continue;
        body->pieces[body->len++] = pieces[i];
        body->total += pieces[i].len;
    }
    if (body->len > 1 && body->total <= UPSTREAM_JOINED_MAX && join(body))
        return METE_E_MEMORY;
    bool whole = body->len <= 1 || body->joined;
    const char *at = body->joined ? body->joined : body->len ? body->pieces[0].data : "";
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, whole ? at : NULL);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->total);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, whole ? NULL : on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, body);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, whole ? NULL : on_seek);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, body);
    return 0;
}

bool upstream_body_sent(struct upstream_body *body, CURL *easy)
{
    curl_off_t sent = 0;
    curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    if (sent < 0 || (uint64_t)sent < body->total)
        return false;
    upstream_body_done(body);
    return true;
}

void upstream_body_done(struct upstream_body *body)
{
    free(body->joined);
    body->joined = NULL;
}
