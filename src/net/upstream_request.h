/* SPDX-License-Identifier: Apache-2.0
 * A request on its way out: its URL taken apart, its head in print, and head and body together
 * into a socket, the body from where it lies. */
#ifndef NET_UPSTREAM_REQUEST_H
#define NET_UPSTREAM_REQUEST_H

#include "base/buffer.h"
#include "gateway/upstream.h"
#include "mete.h"

#include <sys/types.h>

/* Into the URL. */
struct upstream_url {
    struct slice host;   /* a name, or an address without its brackets */
    struct slice shown;  /* as the Host header has it: without the scheme's own port */
    struct slice target; /* path and query; may be empty or begin with the query */
    uint16_t port;
};

/* Whether it is http:// with a host of plain characters and without USER:PASSWORD@. */
bool upstream_url_is_plain(const char *url);
/* A plain URL. INVALID: no host, a port that is none, or a blank or control character. */
METE_MUST_USE int upstream_url_read(const char *url, struct upstream_url *ret_url);

/* Appends the head, signed if it is to be. Headers without a value are left out; Host and
 * User-Agent are added where they are not given. INVALID: it cannot be signed, or is larger than
 * the buffer's maximum; MEMORY. */
METE_MUST_USE int upstream_head_write(struct buffer *out, const struct upstream_request *request,
                                      const struct upstream_url *url);

/* What is still to be sent. */
struct upstream_unsent {
    size_t len, at; /* pieces; the first that is not sent whole */
    struct slice pieces[UPSTREAM_PIECES_MAX + 1];
    char *head; /* a copy of what is unsent of the head; NULL: nothing */
    size_t head_len;
};

/* head and body are borrowed. */
void upstream_unsent_begin(struct upstream_unsent *unsent, struct slice head,
                           const struct upstream_request *request);
/* On the heap, with a copy of the head's rest. NULL: no memory. */
struct upstream_unsent *upstream_unsent_keep(const struct upstream_unsent *unsent);
void upstream_unsent_free(struct upstream_unsent *kept); /* the head is wiped */
/* One system call. Returns how many bytes went, 0 if the socket takes none now, -1 if it never will
 * again. */
METE_MUST_USE ssize_t upstream_unsent_send(struct upstream_unsent *unsent, int fd);
static inline bool upstream_unsent_is_none(const struct upstream_unsent *unsent)
{
    return unsent->at == unsent->len;
}

#endif
