/* SPDX-License-Identifier: Apache-2.0
 * JSON -> a count, without a copy of more than FEED_ROOM bytes: strings are unescaped, white space
 * between values is left out. A text that is short, or has no escapes, is counted in one go.
 *
 * THREADS  one. MEMORY  itself. COST  linear. */
#ifndef PROMPTS_FEED_H
#define PROMPTS_FEED_H

#include "codec/json_scan.h"
#include "tokens/tokenizer.h"

enum { FEED_ROOM = 16384, FEED_STRIDE = 16 };

/* What one encoding may take many more tokens for than another. */
struct feed_marks {
    int64_t wide;   /* bytes that are no ASCII */
    int64_t digits; /* that stand behind a digit */
};

struct feed {
    struct tokenizer *tokenizer;
    struct feed_marks marks;
    char last;    /* byte that was fed */
    int error;    /* the first; what comes after it is not counted */
    bool spilled; /* counter has the text's beginning */
    size_t used;
    struct counter counter;
    char room[FEED_ROOM + 2 * FEED_STRIDE]; /* written beyond what is used */
};

void feed_begin(struct feed *feed, struct tokenizer *tokenizer);
void feed_text(struct feed *feed, struct slice text);
void feed_string(struct feed *feed, struct json string); /* unescaped, no quotes */
void feed_json(struct feed *feed, struct json value);    /* quotes, no spaces, unescaped */
/* The same without "additionalProperties": false, and without "required" unless it is kept. */
void feed_shape(struct feed *feed, struct json schema, bool required);
void feed_json_text(struct feed *feed, struct json string); /* a string that holds JSON: the same */
/* Tokens of it all; -1: feed->error. feed is done with. */
int64_t feed_end(struct feed *feed);

void feed_add(struct feed_marks *marks, struct feed_marks more);
/* Tokens of one string, the common way; adds to *marks. -1: no memory. */
int64_t feed_count(struct tokenizer *tokenizer, struct json string, struct feed_marks *marks);

#endif
