/* SPDX-License-Identifier: Apache-2.0
 * What the caller says a call belongs to: X-Mete-Session and X-Mete-Tags. */
#ifndef GATEWAY_LABELS_H
#define GATEWAY_LABELS_H

#include "codec/exchange.h"
#include "dialect/dialect.h"
#include "mete.h"

struct labels {
    struct slice session; /* empty: none */
    size_t tags_len;
    struct mete_text tags[METE_TAGS_MAX];
};

/* Borrowed from the exchange. False: ret_error says which is wrong. */
bool labels_read(const struct exchange *exchange, struct labels *ret_labels,
                 struct dialect_error *ret_error);

#endif
