/* SPDX-License-Identifier: Apache-2.0
 * An administrative entry -> its row of the audit log: who, what, before, after. A function of the
 * entry, of the rows before it, and of ids, which never change; so a projection that is made anew
 * has the same rows and the same chain, and verify can tell one that was changed. */
#ifndef ENGINE_AUDIT_MAKE_H
#define ENGINE_AUDIT_MAKE_H

#include "engine/audit_json.h"
#include "engine/project.h"

enum { AUDIT_ID_ROOM = 160, AUDIT_ACTION_ROOM = 256, AUDIT_KIND_ROOM = 64 };

/* Slices of the row borrow from here, from the entry and from the book (until audit_rest()). */
struct audit_made {
    struct audit_row row; /* without its chain */
    bool has_earlier;     /* an earlier row says what was before */
    struct audit_json before, after;
    char id[AUDIT_ID_ROOM], action[AUDIT_ACTION_ROOM], kind[AUDIT_KIND_ROOM];
};

/* told: what was before where no earlier row says it, which is so only of what is older than the
 * audit log; NULL: the records' own row of the thing tells, as it stands before the entry.
 * CORRUPT: the records lack what the entry names; STORAGE, MEMORY. made is to be done always. */
METE_MUST_USE int audit_make(struct audit_book *book, const struct project_audit *audit,
                             const struct slice *told, struct audit_made *ret_made);
void audit_make_done(struct audit_made *made);

/* Makes a row and puts it, in an open batch. */
METE_MUST_USE int audit_make_put(struct audit_book *book, const struct project_audit *audit);

/* Whether documents of this kind (tables/documents.h) are administrative. */
bool audit_make_tells_documents(uint16_t kind);

#endif
