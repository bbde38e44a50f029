/* SPDX-License-Identifier: Apache-2.0
 * A body of multipart/form-data (RFC 7578), part by part, where it lies.
 *
 * STRICT  what one reader takes for a part another must not take for two: a body begins with its
 *   boundary and ends behind its last, lines end with CR LF, a boundary stands nowhere else, each
 *   part has one content-disposition with a plain name and no transfer encoding. Whatever else
 *   RFC 2046 allows no client sends, and is refused.
 * THREADS any. MEMORY none. COST the bytes, twice. */
#ifndef CODEC_MULTIPART_H
#define CODEC_MULTIPART_H

#include "base/slice.h"
#include "mete.h"

#include <stdbool.h>

enum { MULTIPART_BOUNDARY = 70 }; /* bytes, by RFC 2046 */

struct multipart {
    struct slice rest;                     /* of the body, behind the last boundary that was read */
    char boundary[4 + MULTIPART_BOUNDARY]; /* CR LF -- boundary */
    size_t boundary_len;
    bool ended;
};

struct multipart_part {
    struct slice name, body;
    bool is_file; /* it has a filename */
};

/* Whether a content type is that of a form, whatever its parameters. */
bool multipart_is(struct slice content_type);
/* METE_E_SYNTAX: the type has no good boundary, or the body does not begin with it. */
METE_MUST_USE int multipart_begin(struct multipart *multipart, struct slice content_type,
                                  struct slice body);
/* 1: a part; 0: there are no more; METE_E_SYNTAX. */
METE_MUST_USE int multipart_next(struct multipart *multipart, struct multipart_part *ret_part);

#endif
