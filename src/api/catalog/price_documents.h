/* SPDX-License-Identifier: Apache-2.0
 * Prices by date as documents (PRICE, OWN_PRICE): what the journal has is what the book is read
 * from at a start, so that two engines of the same journal price alike. A document is a sheet
 * (pricing/sheet.h) with "model", "effective_at", and "ends" where it says no prices. */
#ifndef API_CATALOG_PRICE_DOCUMENTS_H
#define API_CATALOG_PRICE_DOCUMENTS_H

#include "api/documents.h"
#include "pricing/book.h"
#include "pricing/sheet.h"

/* Every document of prices, and of markups, into the book. STORAGE, CORRUPT: one cannot be read;
 * MEMORY, FULL. */
METE_MUST_USE int price_documents_load(struct records_reader *reader, struct price_book *book);
/* The id of a model's: its name as far as ids can have it, and a moment (INT64_MIN: none). In the
 * arena; empty: no memory. */
size_t price_document_name(struct slice model, int64_t at_us, char room[LIMIT_ID + 1]);
struct slice price_document_id(struct request *request, struct slice model, int64_t at_us);
/* Without organization, which is the document's. TOO_LARGE, MEMORY. */
METE_MUST_USE int price_document_write(const struct price_book_row *row, struct buffer *out);

#endif
