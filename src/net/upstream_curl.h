/* SPDX-License-Identifier: Apache-2.0
 * The way to providers over TLS, through a proxy, or with HTTP/2: libcurl on the event loop.
 * upstream.h says what it promises; the functions are as there. THREAD  the loop's. */
#ifndef NET_UPSTREAM_CURL_H
#define NET_UPSTREAM_CURL_H

#include "net/upstream.h"

METE_MUST_USE int upstream_curl_open(struct loop *loop, struct upstream **ret_upstream);
void upstream_curl_close(struct upstream *upstream);
void upstream_curl_call_off(struct upstream *upstream);
void upstream_curl_counts(const struct upstream *upstream, struct upstream_counts *ret_counts);

#endif
