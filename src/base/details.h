/* SPDX-License-Identifier: Apache-2.0
 * The details of an outcome (struct mete_details) as bytes and back: what the journal has of them
 * and the records keep as it is. There is one way to write them; docs/journal-format.md has it. */
#ifndef BASE_DETAILS_H
#define BASE_DETAILS_H

#include "base/limits.h"
#include "base/slice.h"
#include "base/varint.h"
#include "mete.h"

enum {
    DETAILS_MAX = 8 * VARINT_MAX + 3 * LIMIT_ID + 3 * LIMIT_PROVIDER + VARINT_MAX +
                  METE_PARTS_MAX * 2 * VARINT_MAX
};

/* Whether they are in their ranges, but for whether the parts add up to anything: 0; TOO_LARGE: a
 * text or the list is too long; INVALID. */
METE_MUST_USE int details_check(const struct mete_details *details);
/* Packs what details_check() agrees to. Returns the length; 0: nothing is said. */
size_t details_write(const struct mete_details *details, uint8_t room[DETAILS_MAX]);
/* Untrusted bytes. Texts borrow from packed, parts from the caller. false: they are not details. No
 * bytes are none. */
bool details_read(struct slice packed, struct mete_part parts[METE_PARTS_MAX],
                  struct mete_details *ret_details);

#endif
