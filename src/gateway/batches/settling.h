/* SPDX-License-Identifier: Apache-2.0
 * What a batch came to, read from the file of its answers as that goes by: a line an answer, each
 * with the usage that its own format tells. Lines are held one at a time.
 *
 *   answer with usage        what its provider bills: each call is rounded once, as live ones are
 *   answer that tells none   never nothing: the dearest line's worst case
 *   anything but a 2xx       nothing
 */
#ifndef GATEWAY_BATCHES_SETTLING_H
#define GATEWAY_BATCHES_SETTLING_H

#include "dialect/dialect.h"
#include "gateway/usage.h"

struct settling {
    const struct dialect *format;    /* of its calls */
    const struct price_model *price; /* of its model; borrowed */
    int64_t line_cost, line_tokens;  /* the most that one of them may have come to */
    struct buffer line;              /* what has come of the present one */
    bool failed;                     /* there was no memory, or a line longer than any may be */
    /* Up to here: */
    int64_t answers, untold; /* answered; of them, without usage that can be believed */
    int64_t cost, tokens;    /* billed; tokens: of those untold */
    int64_t list;            /* what it costs without a markup; -1: that is not known */
    struct pricing_usage used;
    struct mete_part parts[METE_PARTS_MAX];
    size_t parts_len;
};

/* NULL: no memory. */
struct settling *settling_new(const struct dialect *format, const struct price_model *price,
                              int64_t line_cost, int64_t line_tokens);
void settling_free(struct settling *settling); /* NULL: nothing */
void settling_feed(struct settling *settling, struct slice bytes);
/* After the last byte. False: it cannot be said what it came to. */
bool settling_end(struct settling *settling);
/* Its meters, as the engine is told them. Returns how many. */
size_t settling_usage(const struct settling *settling, struct mete_usage ret_list[USAGE_METERS]);

#endif
