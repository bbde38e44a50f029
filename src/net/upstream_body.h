/* SPDX-License-Identifier: Apache-2.0
 * A request's body on its way to curl: in pieces as it is given, so that a large prompt with a
 * changed field is sent without a second copy. Small ones are joined: one more system call for
 * a body apart from its head costs more than copying a few KB.
 * MEMORY  at most UPSTREAM_JOINED_MAX a transfer, until its answer begins. */
#ifndef NET_UPSTREAM_BODY_H
#define NET_UPSTREAM_BODY_H

#include "gateway/upstream.h"
#include "mete.h"

#include <curl/curl.h>

enum { UPSTREAM_JOINED_MAX = 16 * 1024 };

struct upstream_body {
    struct slice pieces[UPSTREAM_PIECES_MAX];
    size_t len, at; /* pieces; the one being read */
    size_t done;    /* bytes of it that were */
    uint64_t total;
    char *joined; /* NULL: sent from where the pieces are, or already sent */
};

/* Points easy to the body. The pieces' bytes are borrowed until upstream_body_done(), the array is
 * not. METE_E_MEMORY. */
METE_MUST_USE int upstream_body_set(struct upstream_body *body, CURL *easy,
                                    const struct slice *pieces, size_t len);
/* The answer begins: whether the body was sent whole, and so is let go. */
bool upstream_body_sent(struct upstream_body *body, CURL *easy);
void upstream_body_done(struct upstream_body *body);

#endif
