/* SPDX-License-Identifier: Apache-2.0
 * What the records must say of documents, by the journal: the last one put under each (kind,
 * organization, id), by hash. 24 bytes a document. */
#ifndef ENGINE_VERIFY_DOCUMENTS_H
#define ENGINE_VERIFY_DOCUMENTS_H

#include "store/records.h"

struct verify_document {
    uint64_t place; /* hash of kind, organization and id; 0: free */
    uint64_t said;  /* of the document, and of when and by whom it was put */
    uint32_t organization;
    uint8_t ended, is_there;
};

struct verify_documents {
    struct verify_document *rows; /* open addressing */
    size_t len, room;
};

/* An entity of a kind above RECORDS_DOCUMENT, as an entry projects to it. MEMORY. */
METE_MUST_USE int verify_documents_expect(struct verify_documents *documents,
                                          const struct records_entity *entity);
/* An organization has ended, and with it what is its. */
void verify_documents_end_of(struct verify_documents *documents, uint32_t organization);
/* Whether a row of the records is what is expected of it; *ret_known false: nothing is. */
bool verify_documents_is(struct verify_documents *documents, const struct records_entity *got,
                         bool *ret_known);
/* How many should be in the records and were not seen there. */
size_t verify_documents_missing(const struct verify_documents *documents);
void verify_documents_done(struct verify_documents *documents);

#endif
