/* SPDX-License-Identifier: Apache-2.0
 * A list of prices kept in a spreadsheet, as the list that the API takes:
 *
 *   model,provider,input_per_million,output_per_million,service,above
 *   gpt-x,openai,2.5,10,,
 *   gpt-x,openai,1.25,5,batch,
 *
 * The first line names the columns: "model", "provider", "currency", "max_output_tokens", any key
 * of a price (words.h), and those of a tier: "service", "above", "quality", "size". A line that
 * fills one of the latter is a tier of its model. Or a price a line, as billing systems keep it:
 * "model_code", "pricing_type", "unit_price", "unit". What is empty is not said; lines of a model
 * stand together; empty lines, and those that begin with #, are passed by. */
#ifndef PRICING_PRICE_CSV_H
#define PRICING_PRICE_CSV_H

#include "base/buffer.h"
#include "mete.h"

enum { PRICE_LIST_MAX = 4096 }; /* models of one list */

struct price_csv_fault {
    size_t line; /* from 1 */
    char field[48];
    const char *why;
};

/* Appends a JSON list. text is read in place and spoilt. What a price or tier is worth is not
 * looked at: whoever reads the list says so. SYNTAX: ret_fault says where and why; MEMORY,
 * TOO_LARGE. */
METE_MUST_USE int price_csv_read(char *text, size_t len, struct buffer *out,
                                 struct price_csv_fault *ret_fault);

#endif
