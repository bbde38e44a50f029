/* SPDX-License-Identifier: Apache-2.0
 * The options of one provider's wire, as curl takes them. */
#ifndef NET_UPSTREAM_WIRE_H
#define NET_UPSTREAM_WIRE_H

#include "gateway/upstream.h"
#include "mete.h"

#include <curl/curl.h>

/* A copy that owns its texts; wire NULL: the defaults. METE_E_MEMORY. */
METE_MUST_USE int upstream_wire_copy(const struct upstream_wire *wire,
                                     struct upstream_wire *ret_copy);
void upstream_wire_done(struct upstream_wire *copy);
bool upstream_wire_equal(const struct upstream_wire *a, const struct upstream_wire *b);

/* Every option a wire has is set, so that a handle remembers nothing of the wire before.
 * METE_E_MEMORY, or METE_E_INVALID: this libcurl cannot do it. */
METE_MUST_USE int upstream_wire_set(CURL *easy, const struct upstream_wire *wire, bool tls);

#endif
