/* SPDX-License-Identifier: Apache-2.0
 * What must hold of the parsers for any bytes at all: called with generated texts by prop_codec,
 * with found ones by the fuzzers. 0, or 1 after a line on stderr that says what did not hold. */
#ifndef TESTS_CHECK_CODEC_H
#define TESTS_CHECK_CODEC_H

#include "base/slice.h"
#include "property/tape.h"

/* json_scan() and jansson agree about the text, but for differences that are written down in the
 * .c; its values, walked, are jansson's; every slice lies in the text; copies keep their room. */
int check_json(struct slice text);
/* text, as a string of JSON, is valid and reads back, if it was UTF-8. */
int check_quote(struct slice text);
/* The stream gives the same events and errors whole, in pieces that the tape cuts, and read by a
 * naive reader a byte at a time; no byte is lost; no more than event_max is kept. */
int check_sse(struct slice stream, size_t event_max, struct tape *cuts);

#endif
