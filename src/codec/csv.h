/* SPDX-License-Identifier: Apache-2.0
 * CSV (RFC 4180), a line at a time: quoted fields, doubled quotes, CRLF or LF. A quoted field may
 * not span lines. */
#ifndef CODEC_CSV_H
#define CODEC_CSV_H

#include "base/slice.h"

/* Splits one line (without its LF; one CR at its end is passed) in place: quotes are removed inside
 * line. Returns how many fields there are, an empty line having one; at most fields_max are stored.
 * METE_E_SYNTAX for a quote out of place: line may have changed by then. */
int csv_split(char *line, size_t len, struct slice *fields, size_t fields_max);

#endif
