/* SPDX-License-Identifier: Apache-2.0
 * One request about files or batches, under way: a chain of steps, of which one is open at a time.
 * Each step names the next one, which is called when it is done; the last one replies, which ends
 * the errand. Nothing here is the hot path: plainness goes before speed.
 *
 *   look    documents of the organization's, as of all that was journaled before
 *   ask     the engine: reserve, check, commit, release
 *   keep    documents are put or ended; durable when the next step begins (INV-05)
 *   work    on a worker
 *   send    a request to the provider, and its answer
 *
 * A client that leaves changes nothing of the steps (a batch that was begun is kept, whether or not
 * somebody waits to hear of it); what is replied goes nowhere. THREAD the gateway's. */
#ifndef GATEWAY_BATCHES_ERRAND_H
#define GATEWAY_BATCHES_ERRAND_H

#include "directory/documents.h"
#include "gateway/batches/kept_batch.h"
#include "gateway/batches/kept_file.h"
#include "gateway/batches/lines.h"
#include "gateway/inside.h"
#include "gateway/labels.h"
#include "gateway/naming.h"
#include "gateway/usage.h"

enum { ERRAND_CHANGES = 3, ERRAND_TYPE = 256, ERRAND_PIECES = 3, ERRAND_DEMANDS = 3 };

struct errand;
struct settling;
typedef void errand_step(struct errand *errand);

struct errand {
    enum gateway_work work; /* first: ERRAND */
    struct gateway *gateway;
    struct exchange *exchange;
    errand_step *next, *then; /* then: after a step of two */
    bool gone;
    char id[LIMIT_ID + 1]; /* of the path; terminated */
    struct mete_scope_id scope, organization;
    /* ask, keep */
    struct mete_op op;
    struct timer again;
    struct mete_change changes[ERRAND_CHANGES];
    uint32_t handles[ERRAND_CHANGES];
    struct buffer written[ERRAND_CHANGES]; /* their documents */
    struct mete_demand demands[ERRAND_DEMANDS];
    struct mete_usage usage[USAGE_METERS];
    char mark[KEPT_BATCH_MARK];      /* of documents that are looked for */
    struct labels labels;            /* of a batch */
    uint64_t crowd;                  /* the key's, in the crowd; 0: not counted */
    bool waited;                     /* for what is due to be granted: once */
    int64_t priced_us;               /* by which prices a batch is billed */
    struct naming *naming;           /* NULL: nothing was refused */
    struct mete_answer *answer_room; /* of questions; NULL: none yet */
    /* look: documents.status and .found, until the next look */
    struct gateway_documents documents;
    struct work job;
    /* send */
    const struct provider *provider;
    struct credential *credential;
    struct upstream_transfer transfer;
    struct slice pieces[ERRAND_PIECES]; /* of its body */
    size_t pieces_len;
    void (*on_head)(struct errand *errand);
    bool transfer_open, paused, relays;
    enum upstream_end end;
    int status;         /* of the provider's answer; 0: there is none */
    bool ends_by_close; /* ... and no length of it was told */
    char type[ERRAND_TYPE];
    struct buffer url, answer;
    /* What it is about, and the documents that their texts borrow from. */
    struct kept_file file;
    struct kept_batch batch;
    struct buffer page; /* of batches: their documents, a line each */
    size_t page_at, asked;
    errand_step *told; /* what the provider said of one has been kept, or was of no use */
    struct buffer file_text, batch_text, object; /* object: as the provider said it last */
    struct lines *lines;                         /* of a file that comes in; NULL: none */
    struct settling *settling;                   /* of one that goes out; NULL: none */
    const struct pricing *pricing;               /* held; NULL: none */
};

/* NULL: the exchange has been refused: no good key, or it may not use this endpoint. */
struct errand *errand_begin(struct gateway *gateway, struct exchange *exchange,
                            const char *endpoint, struct slice id);
void errand_gone(struct errand *errand);
void errand_drained(struct errand *errand);

/* ---- Steps ----------------------------------------------------------------------------------- */

/* errand->op.args are set; op.status and op.result tell what came of it. */
void errand_ask(struct errand *errand, enum mete_op_kind kind, errand_step *next);
/* documents.kind and what is wanted are set; of the errand's organization. */
void errand_look(struct errand *errand, errand_step *next);
/* The errand's file, or batch; written[at] gets it, changes[at] says so. False: it has failed. */
bool errand_put_file(struct errand *errand, size_t at, const struct kept_file *file);
bool errand_put_batch(struct errand *errand, size_t at, const struct kept_batch *batch);
void errand_end_file(struct errand *errand, size_t at);
/* The first len of changes. */
void errand_keep(struct errand *errand, size_t len, errand_step *next);
void errand_work(struct errand *errand, void (*run)(struct work *work), errand_step *next);
/* To errand->provider: path behind its base URL, with the body in pieces. The answer is collected,
 * but for one that on_head (which may be NULL) takes to relay. */
struct errand_send {
    const char *method;
    const char *path;          /* "/files" */
    struct slice id;           /* behind it; empty: none */
    const char *rest;          /* behind that: "/content" */
    struct slice content_type; /* of the body */
    void (*on_head)(struct errand *errand);
};
void errand_send(struct errand *errand, const struct errand_send *send, errand_step *next);

/* ---- What steps do --------------------------------------------------------------------------- */

/* The document found is errand->file (or batch). False: there is none of this id, and it failed. */
bool errand_found_file(struct errand *errand);
bool errand_found_batch(struct errand *errand);
/* The provider's answer, as it may be kept: lasts as the errand does, until it is said anew. */
struct slice errand_object(struct errand *errand);
/* The provider of that name. False: there is none any more, and it failed. */
bool errand_use_provider(struct errand *errand, struct slice name);
/* Whether the provider answered, with 2xx. False: the client has been told otherwise, as the
 * provider said it; nothing was kept. */
bool errand_is_good(struct errand *errand);
/* Fills in what a worst case takes from the budgets. */
void errand_demand(struct errand *errand, const struct kept_file *file,
                   struct mete_reserve *ret_reserve);

/* The verdict of op is no, of a quota, and something is due to be granted: next, once it was.
 * False: the refusal stands. */
bool errand_await_grants(struct errand *errand, errand_step *next);

/* ---- Ends ------------------------------------------------------------------------------------ */

void errand_fail(struct errand *errand, const struct dialect_error *error);
/* What was asked is wrong: an invalid_request_error. param: NULL: of no member. Texts are borrowed.
 */
void errand_fail_wrong(struct errand *errand, int status, const char *code, const char *param,
                       const char *message);
/* The engine did not take it: errors as of a live call. */
void errand_fail_asked(struct errand *errand);
/* The verdict of errand->op is no: with everything that refused. */
void errand_refuse(struct errand *errand);
/* Room for refusals, in op. False: it has failed. */
bool errand_expect_refusals(struct errand *errand);
/* The provider's answer, as it came. */
void errand_reply(struct errand *errand);
/* The same, once what errand_keep() was given is durable. */
void errand_reply_kept(struct errand *errand);
void errand_reply_json(struct errand *errand, int status, struct slice body);
/* Takes the provider's answer to relay; inside on_head. */
void errand_start_relay(struct errand *errand);
/* What was relayed is over. */
void errand_finish(struct errand *errand);

#endif
