/* SPDX-License-Identifier: Apache-2.0
 * The kinds of documents that are kept through the engine: tables/documents.h. */
#ifndef DIRECTORY_DOCUMENTS_H
#define DIRECTORY_DOCUMENTS_H

#include "store/records.h"

enum document_kind {
    DOCUMENT_NONE = 0,
#define ROW(name, number, whose, text) DOCUMENT_##name = number,
#include "tables/documents.h"
#undef ROW
};

/* What directory_list() and directory_find() are asked for. */
static inline int document_entity(enum document_kind kind)
{
    return RECORDS_DOCUMENT + (int)kind;
}

/* Whether documents of this kind are the installation's, of no organization. */
bool document_is_installations(int entity_kind);

#endif
