/* SPDX-License-Identifier: Apache-2.0
 * Documents of the API's own (tables/documents.h): made, changed and ended in one's turn, so that
 * what was read is what is changed, with If-Match looked at. They are listed and shown by
 * entities.h. The reply is the document; its version is in ETag. */
#ifndef API_DOCUMENTS_H
#define API_DOCUMENTS_H

#include "api/entities.h"
#include "directory/documents.h"

enum document_act {
    DOCUMENT_CREATE, /* EXISTS if it is there; 201 */
    DOCUMENT_CHANGE, /* NOT_FOUND if it is not; 200 */
    DOCUMENT_PUT,    /* either */
    DOCUMENT_END     /* NOT_FOUND if it is not; 204 */
};

struct document_plan {
    enum document_kind kind;
    const char *field; /* what names it, in problems: "plan" */
    /* Looks at what it is now (type JSON_NONE: nothing) and writes into request->out what it is to
     * be; may add changes beside it. False: the request has been ended. NULL for DOCUMENT_END:
     * nothing is looked at. On the event loop, in one's turn. */
    bool (*write)(struct request *request, struct json was);
    /* It has been done; NULL: the document is the reply. request->version is set. */
    void (*done)(struct request *request);
    /* The engine refused the batch, request->op.status says why, and nothing has changed: names the
     * field and ends the request. NULL: the error's own text is the reply. */
    void (*failed)(struct request *request);
};

/* The id is in the arena or the path. The organization is that of the path (request->params[0]), or
 * none for documents of the installation; afterwards it is request->found. */
void documents_change(struct request *request, const struct document_plan *plan,
                      enum document_act act, struct slice id);
/* From write(): a change in the same batch, after the document. At most 8. */
void documents_also(struct request *request, const struct mete_change *change);

#endif
