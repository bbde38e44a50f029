/* SPDX-License-Identifier: Apache-2.0
 * A JSON document without what must not be in it: members are left out by their name, wherever they
 * stand. */
#ifndef CODEC_JSON_STRIP_H
#define CODEC_JSON_STRIP_H

#include "base/buffer.h"

/* Appends the document to out, without white space between its parts and without the members that
 * have one of these names (ended by NULL; compared after unescaping), at any depth; what is in such
 * a member goes with it. METE_E_SYNTAX: it is no JSON; METE_E_TOO_LARGE: it is too deep, or out is
 * full; METE_E_MEMORY. On a failure out holds what it held. Linear in the text and its depth. */
__attribute__((warn_unused_result)) int json_strip(struct buffer *out, struct slice text,
                                                   const char *const *names);

#endif
