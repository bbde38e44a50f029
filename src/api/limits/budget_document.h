/* SPDX-License-Identifier: Apache-2.0
 * What is known of a budget that the engine does not read: its name, who is told, how it is meant
 * to be spent. A JSON object that the engine keeps and the records have. */
#ifndef API_LIMITS_BUDGET_DOCUMENT_H
#define API_LIMITS_BUDGET_DOCUMENT_H

#include "api/request.h"

enum { BUDGET_NOTIFY_MAX = 16, BUDGET_NOTIFY_TEXT = 256, BUDGET_METADATA = 4096 };

struct budget_document {
    struct slice id;                                   /* as text */
    struct slice name, notify, pacing, metadata, made; /* JSON; empty: it has none */
    struct slice also; /* likewise: ids of those that were made with it (budget_set.h) */
    int64_t made_us;   /* the same as made; 0: not known */
    int64_t soft_ppm;  /* the soft limit as a share; 0: none */
    bool is_quiet;     /* nobody is told of its alerts */
};

/* Of what budget_document_write() wrote; of JSON_NONE nothing. Slices are the text's. */
void budget_document_read(struct json json, struct budget_document *ret_document);
/* As text, in the arena; made now, unless it says when. Uses request->out. MEMORY, TOO_LARGE. */
METE_MUST_USE int budget_document_write(struct request *request,
                                        const struct budget_document *document,
                                        struct slice *ret_text);
/* Text as JSON, in the arena; of an empty one nothing. Uses request->out. */
struct slice budget_document_quote(struct request *request, struct slice text);
/* A budget's document as JSON; JSON_NONE where it has none. */
struct json budget_document_scan(struct slice text);
/* alert_enabled and notify: who is told. */
void budget_document_show_alerts(struct out *out, const struct budget_document *document);
/* The members that a reply has of it, but for the name and when it was made. */
void budget_document_show(struct out *out, const struct budget_document *document);

#endif
