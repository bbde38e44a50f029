/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/documents.h"

bool document_is_installations(int entity_kind)
{
    enum { ORGANIZATION = 0, INSTALLATION = 1 };
    switch (entity_kind - RECORDS_DOCUMENT) {
#define ROW(name, number, whose, text)                                                             \
    case number:                                                                                   \
        return whose;
#include "tables/documents.h"
#undef ROW
    default:
        return false;
    }
}
