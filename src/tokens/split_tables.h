/* SPDX-License-Identifier: Apache-2.0
 * The classes of all code points in two steps, made from data/vocab/unicode16_classes.tsv when mete
 * is built (src/tokens/make/). */
#ifndef TOKENS_SPLIT_TABLES_H
#define TOKENS_SPLIT_TABLES_H

#include <stdint.h>

extern const uint8_t split_blocks[0x1100]; /* by code point >> 8 */
extern const uint8_t split_classes[][256]; /* enum split_class, by the rest */

#endif
