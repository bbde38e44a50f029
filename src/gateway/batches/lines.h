/* SPDX-License-Identifier: Apache-2.0
 * A file of calls for a batch, priced line by line before anybody has seen it.
 *
 *   {"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{...}}
 *
 * A line is what a live call would be: its format reads it, its input is counted, its worst case is
 * that of a reservation, at the batch tier where the price list has one. All lines are of one
 * address and one model, as providers want it; so one price holds for all, and one provider.
 *
 * CHANGED  what a live call would be changed in is changed here: a line that bounds no output gets
 *   the bound that it was priced with, and the model its name at the provider. All else stays, byte
 *   for byte. A file in which nothing changes is not copied.
 * THREAD  lines_begin() on the loop; lines_price() on a worker, or the loop that has none. */
#ifndef GATEWAY_BATCHES_LINES_H
#define GATEWAY_BATCHES_LINES_H

#include "gateway/inside.h"

enum { LINES_MESSAGE = 400, LINES_ENDPOINT = 64 };

struct lines {
    struct slice file; /* borrowed */
    const struct gateway *gateway;
    /* What the first line says, and so all do. */
    const struct dialect *format;
    char endpoint[LINES_ENDPOINT], model[LIMIT_ID + 1]; /* terminated */
    size_t model_len;
    /* To be set before lines_price(): who is asked, at which price. */
    const struct price_model *price;
    struct slice real;        /* of an alias what it is another name of */
    struct slice model_there; /* its name there */
    int64_t output_max;       /* tokens of one answer, as an administrator has it; 0: not said */
    struct model_way way;     /* how its input is counted */
    struct memo *memo;        /* NULL: none */
    /* What it comes to. */
    int64_t len;                    /* lines */
    int64_t cost, tokens;           /* of all, at most */
    int64_t line_cost, line_tokens; /* of the dearest, and of the longest */
    struct buffer changed;          /* empty: file stands as it is */
    /* Why not; status 0: it is in order. */
    struct dialect_error error;
    enum mete_reason reason;
    char message[LINES_MESSAGE];
};

/* Reads the first line. False: error says why not. */
bool lines_begin(struct lines *lines, const struct gateway *gateway, struct slice file);
/* The same of all lines, with what they come to. tokenizer: of lines->way; NULL: bytes bound the
 * input. */
void lines_price(struct lines *lines, struct tokenizer *tokenizer);
void lines_done(struct lines *lines);

/* The format of calls that a batch may have at this address; NULL: none. */
const struct dialect *lines_format(struct slice endpoint);

#endif
