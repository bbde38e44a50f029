/* SPDX-License-Identifier: Apache-2.0
 * Bytes of what is encoded in base64, where they lie. THREADS any. COST of a byte: its four
 * letters. */
#ifndef PROMPTS_PEEK_H
#define PROMPTS_PEEK_H

#include "base/slice.h"

#include <stdint.h>

/* len bytes as one number, 4 at most; UINT32_MAX: they are not all there. */
uint32_t peek_big(struct slice base64, size_t at, size_t len); /* the first is the high one */
uint32_t peek_little(struct slice base64, size_t at, size_t len);
size_t peek_len(struct slice base64); /* bytes that are encoded */

#endif
