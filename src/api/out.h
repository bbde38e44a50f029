/* SPDX-License-Identifier: Apache-2.0
 * Writing a JSON reply. Commas are put where they belong; what does not fit sets failed and the
 * rest goes nowhere, so that a writer needs no check until its end. */
#ifndef API_OUT_H
#define API_OUT_H

#include "base/buffer.h"
#include "base/checked.h"

struct out {
    struct buffer bytes;
    bool failed;
};

void out_init(struct out *out, size_t max);
void out_done(struct out *out);
void out_clear(struct out *out);

void out_open(struct out *out, char bracket); /* { or [ */
void out_close(struct out *out, char bracket);
void out_key(struct out *out, const char *name); /* plain ASCII */

/* {"data":[ ... ],"next_cursor": of the page behind this one; 0: there is none, which is told as
 * null. The object stays open. */
void out_page_open(struct out *out);
void out_page_close(struct out *out, int128 cursor);

/* Values. out_raw takes JSON as it is; out_append goes on with a value that was begun. */
void out_raw(struct out *out, struct slice json);
void out_append(struct out *out, struct slice bytes);
void out_text(struct out *out, struct slice text);
void out_integer(struct out *out, int64_t value);
void out_unsigned(struct out *out, uint64_t value);
void out_bool(struct out *out, bool value);
void out_null(struct out *out);
/* value / 10^scale as a decimal string with at least places digits after the point. */
void out_decimal(struct out *out, int128 value, unsigned scale, unsigned places);
/* An amount of a meter: money with at least two places, else a whole number; always a string. */
void out_amount(struct out *out, uint16_t meter, int128 amount);
/* RFC 3339, or null for INT64_MAX. */
void out_instant(struct out *out, int64_t us);

void out_member_text(struct out *out, const char *name, struct slice text);
void out_member_integer(struct out *out, const char *name, int64_t value);
void out_member_bool(struct out *out, const char *name, bool value);
void out_member_amount(struct out *out, const char *name, uint16_t meter, int128 amount);
void out_member_instant(struct out *out, const char *name, int64_t us);

#endif
