/* SPDX-License-Identifier: Apache-2.0
 * What is kept of a file at a provider: a document of kind FILE, under the provider's id, of the
 * organization whose key it came by. One line of JSON. */
#ifndef GATEWAY_BATCHES_KEPT_FILE_H
#define GATEWAY_BATCHES_KEPT_FILE_H

#include "base/buffer.h"
#include "base/limits.h"
#include "mete.h"

/* Slices borrow: from what is written, or from the document that was read. Names are printable
 * ASCII without quotes and backslashes, so they stand as they are. */
struct kept_file {
    struct slice id, provider;
    struct slice batch;                       /* what made it; empty: it is the input of one */
    struct slice endpoint, model, price_list; /* of an input, as all that follows */
    struct slice real;                        /* what model is another name of, or itself */
    uint32_t currency;
    int64_t lines, cost, tokens; /* worst case of all */
    int64_t line_cost, line_tokens;
    struct slice object; /* the provider's own words, a JSON object; empty: too long to be kept */
};

METE_MUST_USE int kept_file_write(const struct kept_file *file, struct buffer *out);
/* false: it is no such document. */
bool kept_file_read(struct slice document, struct kept_file *ret_file);

#endif
