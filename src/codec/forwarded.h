/* SPDX-License-Identifier: Apache-2.0
 * Whom a request comes from that proxies have handed on, by what they say in X-Forwarded-For or
 * Forwarded (RFC 7239): each appends whom it was asked by. They are read from the right: who is at
 * the other end of the connection is known; if it is a proxy that is trusted, so is the last entry,
 * which it wrote; if that names a trusted proxy too, the entry before it; and so on. The first that
 * is not trusted is the client. What stands left of it the client may have written itself.
 *
 *   forwarded_begin(peer)  then each line of the header, the last one first: forwarded_line()
 *
 * No line is trusted for its form: quotes are paired from the right, so that what a client leaves
 * open swallows nothing of what a proxy appends; and an escaped quote, which no address needs,
 * makes a line nobody's. */
#ifndef CODEC_FORWARDED_H
#define CODEC_FORWARDED_H

#include "codec/address.h"

#include <stddef.h>

struct forwarded_trust {
    const struct address_range *ranges;
    size_t len;
};

enum forwarded_form {
    FORWARDED_LIST, /* X-Forwarded-For: addresses */
    FORWARDED_PAIRS /* Forwarded: for=ADDRESS;proto=...  */
};

struct forwarded {
    struct address at; /* as far as is known; is_known false: a trusted proxy names nobody, or
                          nothing that is an address */
    bool said;         /* some line has an entry */
};

void forwarded_begin(struct forwarded *forwarded, const struct address *peer);
void forwarded_line(struct forwarded *forwarded, enum forwarded_form form,
                    const struct forwarded_trust *trust, struct slice line);
/* Of both headers: the one that is there; both, if they agree. Else nobody knows who it is, since a
 * proxy writes one of them, and lets the other through as a client wrote it. */
struct address forwarded_client(const struct address *peer, const struct forwarded *list,
                                const struct forwarded *pairs);

#endif
