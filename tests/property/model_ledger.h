/* SPDX-License-Identifier: Apache-2.0
 * The ledger again, as slowly and plainly as the rules can be said: lists of what happened, and
 * every figure summed up from them whenever it is asked for. It has no counters to drift, no
 * windows to roll and nothing to free. Written from docs and include/mete.h; what it says and what
 * src/ledger does must be the same (prop_ledger.c).
 *
 * The engine's business is the caller's: handles and sequence numbers are told to the model, and
 * arguments are well-formed. Each function leaves what it has to say in model->reply. */
#ifndef TESTS_MODEL_LEDGER_H
#define TESTS_MODEL_LEDGER_H

#include "base/checked.h"
#include "mete.h"

enum {
    MODEL_SCOPES = 64,
    MODEL_BUDGETS = 256,
    MODEL_THINGS = 1024, /* reservations, charges, outcomes of one run */
    MODEL_EVENTS = 256
};

/* Bugs to plant in the model: the property must find each. */
enum model_canary {
    CANARY_NONE = 0,
    CANARY_LIMIT,   /* admits one more than the limit */
    CANARY_WINDOW,  /* a late commit counts in the present window */
    CANARY_REPEAT,  /* a refusal binds nobody */
    CANARY_PARTIAL, /* takes from the first budget only */
    CANARY_REARM,   /* a raised limit re-arms nothing */
    CANARY_RELEASE, /* a released call binds its request id */
    CANARIES
};

struct model_budget {
    struct mete_budget_spec spec;
    char id[16];
    uint32_t organization;
    int ended;
    uint32_t revision;
};

struct model_reservation {
    uint64_t id; /* set by the caller */
    uint32_t scope;
    char request_id[16];
    uint64_t content;
    uint32_t flags;
    enum mete_expiry on_expiry;
    int64_t made_at_us, ended_at_us;
    struct mete_usage charged[METE_DEMANDS_MAX];
    size_t charged_len;
    struct mete_verdict verdict;
    struct mete_usage amounts[METE_DEMANDS_MAX];
    size_t amounts_len;
    uint32_t takes[METE_REFUSALS_MAX];
    size_t takes_len;
    int open;
    enum mete_state ended_as;
    int closed;       /* it still takes its true figures, unless time or others make it too late */
    size_t closed_at; /* how many had closed before it */
};

struct model_outcome {
    enum mete_state state;
    int recorded;
    uint32_t scope;
    char request_id[16];
    uint64_t content;
    int64_t ended_at_us;
    size_t reservation; /* index; of a refusal: none */
    struct mete_receipt receipt;
    struct mete_usage used[METE_DEMANDS_MAX];
    size_t used_len;
    int gave_id_back;            /* before it was corrected */
    struct mete_verdict verdict; /* of a refusal */
    struct mete_refusal primary;
    uint32_t revision;
};

struct model_charge {
    uint32_t budget;
    int64_t made_at_us, amount;
};

struct model_fired {
    uint32_t budget, ppm;
    int64_t window_start_us;
};

struct model_reply {
    int rc;
    struct mete_verdict verdict;
    struct mete_refusal refusals[METE_REFUSALS_MAX];
    struct mete_receipt receipt;
    struct mete_usage before[METE_DEMANDS_MAX]; /* of a correction: what was charged until then */
    size_t before_len;
    struct mete_event events[MODEL_EVENTS];
    size_t events_len;
};

struct model {
    enum model_canary canary;
    size_t outcomes_max, reservations_max;
    uint64_t seq; /* of the entry that an operation made, told by the caller */
    struct mete_scope_spec scopes[MODEL_SCOPES];
    struct model_budget budgets[MODEL_BUDGETS];
    uint32_t scopes_len, budgets_len; /* handles are 1..len */
    struct model_reservation reservations[MODEL_THINGS];
    struct model_outcome outcomes[MODEL_THINGS];
    struct model_charge charges[MODEL_THINGS * 8];
    struct model_fired fired[MODEL_THINGS];
    size_t reservations_len, outcomes_len, charges_len, fired_len;
    size_t closed_len; /* ever closed */
    struct model_reply reply;
};

void model_put_scope(struct model *model, uint32_t handle, const struct mete_scope_spec *spec);
void model_put_budget(struct model *model, int64_t now_us, uint32_t handle,
                      const struct mete_budget_spec *spec);
void model_end_budget(struct model *model, uint32_t handle);

void model_reserve(struct model *model, int64_t now_us, const struct mete_reserve *args);
void model_check(struct model *model, int64_t now_us, const struct mete_reserve *args);
void model_commit(struct model *model, int64_t now_us, const struct mete_commit *args);
void model_release(struct model *model, int64_t now_us, uint64_t id);
void model_record(struct model *model, int64_t now_us, const struct mete_record *args);
/* The ledger ended this one by itself; reply.rc is not 0 if it should not have. */
void model_expire(struct model *model, int64_t now_us, uint64_t id, int is_orphan);
/* The instant at which something expires; INT64_MAX: never. */
int64_t model_next_expiry(const struct model *model);

int128 model_committed(const struct model *model, uint32_t budget, int64_t at_us);
int128 model_held(const struct model *model, uint32_t budget, int64_t at_us);
uint64_t model_open(const struct model *model);
/* Bit i: threshold i has fired in the window of that instant. */
uint32_t model_fired(const struct model *model, uint32_t budget, int64_t at_us);

#endif
