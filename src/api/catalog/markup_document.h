/* SPDX-License-Identifier: Apache-2.0
 * What an organization pays of the list's prices, as a document (MARKUP, one an organization): its
 * rows by date, {"rows": [{"effective_at", "percent", "models"}]}, the latest first. What the
 * journal has is what the book is read from at a start. */
#ifndef API_CATALOG_MARKUP_DOCUMENT_H
#define API_CATALOG_MARKUP_DOCUMENT_H

#include "api/documents.h"
#include "pricing/book.h"

#define MARKUP_ID "markup"

/* The patterns of one row, one a line. */
struct markup_models {
    char text[LIMIT_MARKUP_MODELS * (LIMIT_ID + 1)];
};

/* One row; its texts are in room. The organization is the caller's to say. CORRUPT. */
METE_MUST_USE int markup_row_read(struct json row, struct markup_models *room,
                                  struct markups_row *ret_row);
/* As "effective_at", "percent" and "models"; the object stays open. */
void markup_row_write_open(struct out *out, const struct markups_row *row);
/* Every document into the book. STORAGE, CORRUPT, MEMORY, FULL. */
METE_MUST_USE int markup_documents_load(struct records_reader *reader, struct price_book *book);

#endif
