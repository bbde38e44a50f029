/* SPDX-License-Identifier: Apache-2.0
 * One request to the API while it is answered: who asks, its path parameters, its memory, and the
 * steps it goes through. A handler is a chain of functions; each step either ends the request (a
 * reply or a problem) or starts something whose answer is the next step:
 *
 *   request_ask()      one operation of the engine's, described in request->op
 *   request_find()     a scope by its id
 *   inquiry_begin()    many questions to the engine, a batch at a time
 *   request_work()     a read of the records, on a worker, after everything before it is projected
 *   request_look()     the same, of entities alone
 *   request_compute()  what takes longer than the loop may be held, on a worker, without them
 *   request_turn()     waiting for one's turn to read something and write it back changed
 *
 * After a step that ended it the request is gone: return at once.
 * THREAD the event loop; only run() of request_work() and request_compute() is on a worker. */
#ifndef API_REQUEST_H
#define API_REQUEST_H

#include "api/api.h"
#include "api/arena.h"
#include "api/fields.h"
#include "api/namebook.h"
#include "api/problem.h"
#include "api/replays.h"
#include "api/room.h"
#include "api/transactions.h"

enum { REQUEST_BATCH = 32, REQUEST_CHANGES = 64 };

struct readers;
struct tokenizer_pool;
struct holds;
struct renewals;

struct principal {
    bool admin;           /* the installation's: everything is permitted, in every organization */
    bool is_key;
    uint64_t permissions; /* a bit for each enum permission; none of a key */
    enum role role;       /* of a member; else ROLE_NONE */
    struct mete_scope_id scope, organization; /* of a key; of others the organization twice */
    const struct directory_key *key;          /* for the first step only; NULL: not a key */
    struct slice name; /* who it is, for the journal and its readers: "admin", "member:ORG/ID",
                          "token:ORG/ID" */
    struct slice organization_id, id; /* of a member or service token */
    struct slice user;                /* the scope that a member is; empty: none */
    struct slice session;             /* its text, of a member who is logged in */
};

struct api {
    struct api_parts parts;
    struct namebook *names;
    struct holds *holds;
    struct readers *readers;
    struct tokenizer_pool *tokenizers;
    struct request *idle; /* kept for the next request */
    size_t idle_len, open;
    struct request *turn_first, *turn_last; /* waiting for their turn to change something */
    bool turn_taken, passing;
    size_t logins;                                /* passwords that are being tried */
    struct request *waiting_first, *waiting_last; /* authority calls, for room in the port's ring */
    size_t waiting_len, in_flight;                /* in_flight: their operations that were sent */
    struct renewals *renewals;
    struct low_balance_watch *low_balances;
    struct replay *replays; /* writes with an Idempotency-Key that are being answered */
};

/* Questions asked many at a time. next() gives the next one to ask (false: no more for now), got()
 * takes an answer, then() follows when all are answered. answer is only valid if status is 0. */
struct inquiry_plan {
    bool (*next)(struct request *request, size_t *at, struct mete_query *ret_query);
    void (*got)(struct request *request, size_t at, int status, const struct mete_answer *answer);
    void (*then)(struct request *request);
};

struct inquiry;

struct request {
    struct api *api;
    struct exchange *exchange;
    const struct route *route;
    struct request *next; /* of the idle, or of those waiting for their turn */
    struct principal who;
    struct slice params[REQUEST_PARAMS]; /* decoded */
    struct problem problem;
    struct out out;
    struct arena arena;
    struct mete_op op;
    struct mete_answer answer;             /* of op */
    uint32_t handles[REQUEST_CHANGES + 1]; /* of op: what its changes made, and its mark */
    struct mete_scope_id found;
    void (*then)(struct request *request);       /* after op */
    void (*after_find)(struct request *request); /* and after the steps that are made of it */
    void (*after_work)(struct request *request);
    int (*run)(struct request *request, struct records_reader *reader);
    struct records_reader *reader; /* while run() runs; for what it calls */
    struct work work;
    int work_status;
    uint64_t last_seq; /* what the records had when run() read them */
    struct inquiry *inquiry;
    struct document_change *document; /* documents.c */
    struct step *step;                /* of the transaction it is within; NULL: none */
    struct wants *wants;
    bool has_turn;
    const char *allow;     /* header of a 405 */
    const char *type;      /* of a reply that is no JSON; NULL: it is */
    uint64_t next_cursor;  /* header of a page that cannot say it itself; 0: it is the last */
    uint64_t version;      /* of what is shown or was made, for ETag; 0: it has none */
    struct slice secret;   /* what of the reply may not be kept */
    struct slice cookie;   /* header Set-Cookie; empty: none */
    int64_t retry_after_s; /* header Retry-After; 0: what the status has */
    struct replay *replay;
    void (*replay_then)(struct request *request);
    int kept_status;
    bool replayed;
    void *state; /* the handler's, in the arena */
};

/* ---- Ending ---------------------------------------------------------------------------------- */

void request_reply(struct request *request, int status); /* what is in request->out */
void request_reply_empty(struct request *request, int status);
void request_problem(struct request *request); /* what is in request->problem */
/* As request_reply(), and not kept for whoever repeats the request (replays.h). */
void request_answer(struct request *request, int status);
__attribute__((format(printf, 4, 5))) void request_fail(struct request *request, int error,
                                                        const char *field, const char *format, ...);

/* ---- Versions ---------------------------------------------------------------------------------
 */

/* Whether If-Match, if the request has one, names this version of what it changes; if not, the
 * request has been ended (412). To be asked in one's turn. */
bool request_matches(struct request *request, uint64_t version);
/* Whether the principal may know of what is this organization's; what it may not is 404, INV-12. */
bool request_sees(const struct request *request, struct mete_scope_id organization);
/* Who charged what a key did not charge itself, for its record. */
struct mete_text request_actor(const struct request *request);

/* ---- Reading --------------------------------------------------------------------------------- */

/* The body as JSON. Errors are in request->problem. */
METE_MUST_USE int request_body(struct request *request, struct json *ret_value);
/* The body read by a table. */
METE_MUST_USE int request_read(struct request *request, const struct field *table, size_t len,
                               void *into);
/* A query parameter; empty if absent. */
METE_MUST_USE int request_query(struct request *request, const char *name, size_t len_max,
                                struct slice *ret_value);
/* The same, of an id's characters. */
METE_MUST_USE int request_query_id(struct request *request, const char *name, struct slice *ret_id);
/* The same, a whole number from 1 to max; absent: *ret_count stays. */
METE_MUST_USE int request_query_count(struct request *request, const char *name, size_t max,
                                      size_t *ret_count);
/* Refuses query parameters that names (ended by NULL) does not list. */
METE_MUST_USE int request_query_known(struct request *request, const char *const *names);

struct page {
    uint64_t after; /* 0: from the beginning */
    size_t limit;
};
METE_MUST_USE int request_page(struct request *request, struct page *ret_page);

/* zeroed memory of the request; ends it with a problem if there is none: then NULL. */
void *request_take(struct request *request, size_t len);

/* ---- Steps ----------------------------------------------------------------------------------- */

void request_ask(struct request *request, void (*then)(struct request *request));
/* Asks for these changes, all or none; they outlive the operation. What they made is in
 * request->handles if they are at most REQUEST_CHANGES. */
void request_apply(struct request *request, const struct mete_change *changes, size_t len,
                   void (*then)(struct request *request));
/* Looks a scope up; then request_missed() tells whether it was there: if not, the request has been
 * ended with a problem that names the field. */
void request_find(struct request *request, enum mete_kind kind, struct slice id,
                  void (*then)(struct request *request));
bool request_missed(struct request *request, const char *field);
/* Whether a worker or an inquiry left an error in work_status; then the request has been ended. */
bool request_failed(struct request *request);
/* The same within the organization request->found; the first look-up of most handlers. */
void request_find_organization(struct request *request, void (*then)(struct request *request));
/* run() fills request->state or out; then() may read request->work_status. */
void request_work(struct request *request,
                  int (*run)(struct request *request, struct records_reader *reader),
                  void (*then)(struct request *request));
/* The same for scopes, budgets, rate limits, grants and documents alone: it waits for changes of
 * those, and not for the calls that are made meanwhile. */
void request_look(struct request *request,
                  int (*run)(struct request *request, struct records_reader *reader),
                  void (*then)(struct request *request));
/* The same, without a barrier and without records: reader is NULL. */
void request_compute(struct request *request,
                     int (*run)(struct request *request, struct records_reader *reader),
                     void (*then)(struct request *request));
void request_turn(struct request *request, void (*then)(struct request *request));
void inquiry_begin(struct request *request, const struct inquiry_plan *plan);

/* Names of handles that the reply will show: want them all, then load. */
void request_want(struct request *request, enum name_of of, uint32_t handle);
/* The handle of a scope after its change was applied: within a transaction it may have been yet to
 * be made when it was found. */
struct mete_scope_id request_made(const struct request *request, struct mete_scope_id scope);
/* Empty: it is not known. */
struct slice request_scope_name(struct request *request, struct mete_scope_id scope);
void request_load_names(struct request *request, void (*then)(struct request *request));

/* ---- Of the API -------------------------------------------------------------------------------
 */

struct request *request_new(struct api *api, struct exchange *exchange); /* NULL: no memory */
/* Begins the request of a transaction's step, whose exchange is its first member, as the principal
 * of the request that asked for the transaction. */
void request_begin_within(struct request *request, struct step *step);
void request_pool_free(struct api *api);

struct mete_text request_text(struct slice slice);
/* An id that nobody can guess: prefix and 16 digits, in the arena. Empty: no memory. */
struct slice request_make_id(struct request *request, const char *prefix);

#endif
