/* SPDX-License-Identifier: Apache-2.0
 * jansson behind names of our own: its header and codec/json_scan.h have names in common, so no
 * file includes both. */
#ifndef TESTS_CHECK_PEER_H
#define TESTS_CHECK_PEER_H

#include "base/slice.h"

#include <stdint.h>

struct peer; /* one of jansson's values */

enum peer_opinion {
    PEER_ACCEPTS,
    PEER_REFUSES,
    PEER_DIFFERS /* refuses for a reason of its own, not RFC 8259's; see check_peer.c */
};

/* *ret_root, to be given to peer_free(), is NULL unless it accepts. */
enum peer_opinion peer_parse(struct slice text, struct peer **ret_root);
void peer_free(struct peer *root);

/* 'o' object, 'a' array, 's' string, 'i' integer, 'r' real, 't', 'f', 'n'. */
char peer_kind(const struct peer *value);
struct slice peer_string(const struct peer *string);
int64_t peer_integer(const struct peer *integer);
size_t peer_len(const struct peer *array);
const struct peer *peer_element(const struct peer *array, size_t i);
const struct peer *peer_member(const struct peer *object, struct slice key);
bool peer_is_utf8(struct slice text);

#endif
