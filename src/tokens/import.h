/* SPDX-License-Identifier: Apache-2.0
 * Encodings that do not come with mete, from the files that their makers publish: a .tiktoken file
 * of ranks, or a Hugging Face tokenizer.json with a byte-level BPE model.
 *
 * EXACT  the ids are the file's. What a file asks for and mete does not do is refused by name: a
 *   pattern that nobody here knows, another model, another normalizer. Of normalizers NFC is taken,
 *   and left out: text that is not composed (rare: what people type and models write is) counts as
 *   it stands.
 * SPECIAL  all tokens that the file adds to its model's. tokenizer_count() takes them for text.
 *
 * COST about a second for 150,000 tokens, and a few times the file's size while it is read. */
#ifndef TOKENS_IMPORT_H
#define TOKENS_IMPORT_H

#include "tokens/encoding.h"

enum { IMPORT_WHY = 200 };

struct import {
    const char *name; /* of the encoding */
    const char
        *pattern;      /* import_pattern() of a .tiktoken file, which does not say it; else NULL */
    struct slice file; /* borrowed for the call */
};

/* METE_E_MEMORY; METE_E_INVALID: why then is a sentence. */
__attribute__((warn_unused_result)) int
import_encoding(const struct import *import, struct encoding **ret_encoding, char why[IMPORT_WHY]);
void import_free(struct encoding *encoding); /* of import_encoding(); NULL: nothing */

/* The names of patterns: "o200k", "cl100k", ...; NULL: past the last. */
const char *import_pattern(size_t i);

#endif
