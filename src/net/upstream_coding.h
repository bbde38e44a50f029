/* SPDX-License-Identifier: Apache-2.0
 * A body that a provider encoded (Content-Encoding) though nobody asked for it, made plain again:
 * what is encoded cannot be metered. gzip and deflate.
 * MEMORY  zlib's: some 45 KB while such an answer lasts. */
#ifndef NET_UPSTREAM_CODING_H
#define NET_UPSTREAM_CODING_H

#include "base/slice.h"
#include "mete.h"

struct upstream_coding;

/* value: of Content-Encoding. NULL in *ret_coding: there is nothing to undo. INVALID: it is not one
 * of those known; MEMORY. */
METE_MUST_USE int upstream_coding_new(struct slice value, struct upstream_coding **ret_coding);
void upstream_coding_free(struct upstream_coding *coding);

/* Takes from the front of *bytes, and writes at most room_len plain bytes. SYNTAX: it is not what
 * it is said to be; MEMORY. */
METE_MUST_USE int upstream_coding_next(struct upstream_coding *coding, struct slice *bytes,
                                       char *room, size_t room_len, size_t *ret_len);
bool upstream_coding_has_more(const struct upstream_coding *coding); /* the room was full */
/* Nothing is missing; also before its first byte. */
bool upstream_coding_is_whole(const struct upstream_coding *coding);

#endif
