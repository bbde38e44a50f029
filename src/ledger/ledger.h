/* SPDX-License-Identifier: Apache-2.0
 * The ledger: scopes, budgets, windows, reservations and what has been charged. A deterministic
 * state machine over integers: no clock, no I/O, no logging, no allocation after open (it reserves
 * address space for its capacities and touches pages as they are used).
 *
 * TWO STEPS  ledger_decide_*() reads the state and says what is to happen: a verdict or receipt,
 *   and the entry that makes it so. ledger_apply() makes it so. Live: decide, apply, append.
 *   Recovery: read, apply. There is no third way to change the state, so a replay cannot differ.
 * STALE  a decision that meets a budget whose window is over returns LEDGER_STALE and what is due;
 *   the caller applies an ENTRY_WINDOW with the new bounds and asks again. (The ledger does not
 *   know calendars.)
 * INVARIANTS kept here, asserted in ledger_apply() and in ledger_check(): INV-01, 02, 03, 07, 10.
 * THREAD one. TIME is an argument, and never before the last entry's (asserted). COST is per
 * function, in budgets on the path; never in the number of scopes, budgets or reservations. */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include "base/limits.h"
#include "ledger/entry.h"

struct ledger;

struct ledger_room {
    uint32_t scopes, budgets, reservations, outcomes; /* all > 0 */
};

METE_MUST_USE int ledger_open(const struct ledger_room *room, struct ledger **ret_ledger);
void ledger_close(struct ledger *ledger);

/* ---- Deciding -------------------------------------------------------------------------------
 * All: 0 and results; a METE_E_ code; or LEDGER_STALE with what is due. Nothing is changed.
 * entry.kind is ENTRY_NONE when nothing is to be journaled (a plain refusal, a repeat). */
enum { LEDGER_STALE = 1 };

/* What must be entered before the question can be answered. */
struct ledger_due {
    enum {
        LEDGER_DUE_WINDOW = 1, /* the budget's window is over: its next one */
        LEDGER_DUE_LIMIT,      /* its limit changes at this time: the new one */
        LEDGER_DUE_DEFAULT     /* the scope has a template to be given a budget of: that budget */
    } kind;
    uint32_t budget;
    uint32_t scope; /* of DEFAULT; else 0 */
};

struct ledger_decision {
    struct entry entry;
    struct ledger_due due;
};

/* Admits iff no scope on the path is expired or revoked, and for every touched enforced budget
 * committed + held + amount <= limit (a limit of 0 refuses even an amount of 0). Grants the largest
 * quantity in floor..wish that fits them all. Every counting budget on the path is taken from, with
 * 0 where its meter is not demanded, so that a commit with more meters is charged to it too.
 * REFUSALS in order: expired scopes, revoked scopes (leaf first; one a scope), what has no exchange
 * rate (budgets, rate limits, quotas), of enforced budgets emergency stops, hard limits and
 * throttles (leaf first, then by handle), rate limits, then what shadow ones would have done. A
 * throttle is asked if nothing else refuses; that a reserve met it is counted here, the one thing a
 * decision changes (soft: controls.c). retry_at is the latest of
 * what the enforced ones say: never, if the floor does not fit an empty window; at once, if it is
 * only held; else the window's end.
 * REPEATS by (scope, request_id). Open or ended, a plain reservation's verdict is given again (but
 * for the refusals of shadow budgets); a METE_RESERVE_CALL gets IN_FLIGHT, then ENDED with
 * verdict.ended, but one that was charged nothing binds its id no more. A refusal with an id and
 * without METE_RESERVE_CALL binds: until its retry_at; one with retry_at 0 not at all; one that was
 * to last, until its budget's limit or mode is changed or its scope admits again; one of a stop,
 * until it is lifted; and at most LIMIT_OUTCOME_S. Only a binding one is journaled. An id that
 * mete_record has used: CONTENT.
 * TOO_LARGE also if a shadow budget's counter could not hold it. FULL: no free reservation. */
METE_MUST_USE int ledger_decide_reserve(struct ledger *ledger, struct mete_instant now,
                                        const struct mete_reserve *args,
                                        struct mete_refusal *refusals, size_t refusals_max,
                                        struct mete_verdict *ret_verdict,
                                        struct ledger_decision *ret_decision);
METE_MUST_USE int ledger_decide_check(struct ledger *ledger, struct mete_instant now,
                                      const struct mete_reserve *args,
                                      struct mete_refusal *refusals, size_t refusals_max,
                                      struct mete_verdict *ret_verdict,
                                      struct ledger_decision *ret_decision);
/* Grows an open reservation by the largest quantity in floor..wish that everything it took from
 * affords, in the windows it was made in, or shrinks it, or moves its expiry. A budget that was
 * ended or turned off since does not refuse, nor does a scope. INVALID also for a unit it did not
 * demand and for giving back more than is held. ENDED fills ret_verdict->ended. */
METE_MUST_USE int ledger_decide_extend(struct ledger *ledger, struct mete_instant now,
                                       const struct mete_extend *args,
                                       struct mete_refusal *refusals, size_t refusals_max,
                                       struct mete_verdict *ret_verdict,
                                       struct ledger_decision *ret_decision);
/* Commit and release need no present window: they count where the reservation was made. Repeated
 * with the same usage (order and zeros do not matter): the same receipt. A commit that is not
 * provisional corrects what expired or was committed provisionally, once. ENDED fills the receipt
 * as well. TOO_LARGE also if a counter could not hold it; the reservation is then still open. */
METE_MUST_USE int ledger_decide_commit(struct ledger *ledger, struct mete_instant now,
                                       const struct mete_commit *args,
                                       struct mete_receipt *ret_receipt,
                                       struct ledger_decision *ret_decision);
METE_MUST_USE int ledger_decide_release(struct ledger *ledger, struct mete_instant now,
                                        struct mete_reservation_id id,
                                        struct mete_receipt *ret_receipt,
                                        struct ledger_decision *ret_decision);
/* Repeats by (scope, request_id) give the same receipt; an id that a reserve has used: CONTENT. */
METE_MUST_USE int ledger_decide_record(struct ledger *ledger, struct mete_instant now,
                                       const struct mete_record *args,
                                       struct mete_receipt *ret_receipt,
                                       struct ledger_decision *ret_decision);
/* Whether a batch can be applied whole, each change after the ones before it: nothing is applied
 * unless this agrees, because an entry cannot be taken back. METE_FROM_CHANGE handles may stand in
 * it. ret_handles: room for args->len; what each change will get or has. On LEDGER_STALE apply what
 * is due and ask again; once it gives 0, ledger_decide_change() of each change in turn, with
 * METE_FROM_CHANGE(i) replaced by ret_handles[i], gives 0 as well. */
struct ledger_batch {
    size_t failed; /* on an error: index of the change that is wrong */
    struct ledger_due due;
};
METE_MUST_USE int ledger_check_changes(struct ledger *ledger, struct mete_instant now,
                                       const struct mete_apply *args, uint32_t *ret_handles,
                                       struct ledger_batch *ret_batch);
/* One change of a batch; its handles resolved by the caller. *ret_handle: what it got or has.
 * A new budget's entry comes back without its window (both 0): the caller fills it in. */
METE_MUST_USE int ledger_decide_change(struct ledger *ledger, struct mete_instant now,
                                       const struct mete_change *change, struct slice actor,
                                       uint32_t *ret_handle, struct ledger_decision *ret_decision);

/* The open reservation that expires first: its instant (INT64_MAX: none), and once now has reached
 * it, the entry that ends it. METE_RESERVE_CALL ones never expire this way. */
int64_t ledger_next_expiry(const struct ledger *ledger);
bool ledger_decide_expiry(struct ledger *ledger, struct mete_instant now, struct entry *ret_entry);
/* The open METE_RESERVE_CALL reservations, max of them at most, in no order; how many there are. */
struct ledger_call {
    uint64_t made_seq, id;
};
uint32_t ledger_calls(const struct ledger *ledger, struct ledger_call *calls, uint32_t max);
/* After a crash: the entry that charges one of them at its worst case. */
void ledger_decide_orphan(const struct ledger *ledger, struct mete_instant now, uint64_t id,
                          struct entry *ret_entry);

/* Hints that this scope, or the end of this reservation, will soon be asked about, so that its
 * memory is on the way by then: an owner that takes operations in batches calls them with step 0, 1
 * and 2 some operations ahead, 2 the nearest. Any handle and any id, also one that is none. */
void ledger_foresee(const struct ledger *ledger, uint32_t scope, unsigned step);
void ledger_foresee_end(const struct ledger *ledger, uint64_t reservation, unsigned step);

/* ---- Applying -------------------------------------------------------------------------------- */

/* A correction may name other units than the end that it corrects. */
enum { LEDGER_AMOUNTS_MAX = 2 * METE_DEMANDS_MAX };

/* A call that ended, or got its true figures, with this entry, for its usage record. Slices live
 * until the next apply, and no longer than the entry's own. An expiry that charged (amounts_len >
 * 0) is provisional. */
struct ledger_ended {
    uint64_t reservation; /* 0: ENTRY_RECORD */
    uint32_t scope;
    struct slice request_id, model, provider, price_list, session;
    struct slice tags; /* in one, with a line feed between two */
    uint64_t content;  /* of a METE_RESERVE_CALL; 0: not known */
    int64_t made_at_us;
    enum mete_state state;
    int overrun;
    uint64_t corrects; /* ENTRY_CORRECT: the entry whose figures were not the true ones; else 0 */
    unsigned path_len; /* 0: its path is the scope's present one; else it was made on this one: */
    uint32_t path[LIMIT_PATH_SCOPES]; /* leaf first */
    uint32_t amounts_len;
    struct entry_amount amounts[LEDGER_AMOUNTS_MAX]; /* what was charged; of a correction what was
                                                        charged more, or less */
};

/* Of one budget by one entry: every threshold, soft limit, throttle, stop, and an overrun or a
 * limit below. Of all on the longest path, twice, if their limits change first; and the expiry. */
enum {
    LEDGER_BUDGET_EVENTS_MAX = METE_THRESHOLDS_MAX + 4,
    LEDGER_EVENTS_MAX = 2 * LIMIT_PATH_SCOPES * LIMIT_SCOPE_BUDGETS * LEDGER_BUDGET_EVENTS_MAX + 1
};

struct ledger_effects {
    bool has_ended;
    struct ledger_ended ended;
    struct slice made_id; /* of the budget an ENTRY_DEFAULT made; lives as long as the ledger */
    size_t events_len;
    struct mete_event events[LEDGER_EVENTS_MAX];
};

/* Changes the state. The entry came from a decision on this very state, or from the journal.
 * METE_E_CORRUPT: it does not fit the state (journal only; a decision's always fits, asserted by
 * the caller); the state is then undefined. ret_effects may be NULL. */
METE_MUST_USE int ledger_apply(struct ledger *ledger, const struct entry *entry,
                               struct ledger_effects *ret_effects);

/* ---- Looking --------------------------------------------------------------------------------- */

/* Views say what stands in memory; a budget's window may be over (see its window_end). NOT_FOUND.
 */
METE_MUST_USE int ledger_scope(const struct ledger *ledger, uint32_t handle,
                               struct mete_scope_view *ret_view);
METE_MUST_USE int ledger_budget(const struct ledger *ledger, uint32_t handle,
                                struct mete_budget_view *ret_view);
METE_MUST_USE int ledger_reservation(const struct ledger *ledger, uint64_t id,
                                     struct mete_reservation_view *ret_view);
/* Those that still take a correction, oldest first, after this one (0, or one that no longer does:
 * from the first). At most max are told; returns how many there are. Linear in them. */
size_t ledger_provisional(const struct ledger *ledger, uint64_t after, struct mete_instant now,
                          struct mete_reservation_view *ret_views, size_t max);
/* 0: none. */
uint32_t ledger_find_scope(const struct ledger *ledger, enum mete_kind kind, uint32_t organization,
                           struct slice id);
uint32_t ledger_find_budget(const struct ledger *ledger, uint32_t organization, struct slice id);
/* A meter of the user's own: its number, 0: none; its name, NOT_FOUND. */
uint16_t ledger_find_meter(const struct ledger *ledger, struct slice name);
METE_MUST_USE int ledger_meter(const struct ledger *ledger, uint16_t meter, struct slice *ret_name);
/* As of now. */
/* What must be entered before a budget is told as of now: false: nothing, or it is ended. */
bool ledger_due(const struct ledger *ledger, uint32_t budget, struct mete_instant now,
                struct ledger_due *ret_due);
/* Increases of a budget that have not ended, by number. Returns how many there are. */
size_t ledger_increases(const struct ledger *ledger, uint32_t budget,
                        struct mete_increase_view *ret_views, size_t max);
METE_MUST_USE int ledger_rate(const struct ledger *ledger, uint32_t handle, struct mete_instant now,
                              struct mete_rate_view *ret_view);
/* What the amounts of a call come to in one unit, by the rates it was made with. */
struct ledger_unit {
    uint16_t meter;
    uint32_t currency;
    uint64_t made_seq; /* of the entry that made the call */
    int64_t made_at_us;
    bool is_charged; /* rounded half to even; else up, as reserved */
};
int64_t ledger_amount_in(const struct ledger *ledger, const struct ledger_unit *unit,
                         const struct entry_amount *amounts, uint32_t len);
/* Exchange rates are numbered from 1 in order of their making: how many there are, and one. */
uint32_t ledger_exchanges(const struct ledger *ledger);
METE_MUST_USE int ledger_exchange(const struct ledger *ledger, uint32_t number,
                                  struct mete_instant now, struct mete_exchange_view *ret_view);
uint32_t ledger_find_rate(const struct ledger *ledger, uint32_t organization, struct slice id);
/* Handles of the rate limits on a scope's path, leaf first; returns how many there are. */
size_t ledger_path_rates(const struct ledger *ledger, uint32_t scope, uint32_t *ret_rates,
                         size_t max);
/* How many there have ever been: the last handle. */
uint32_t ledger_budgets(const struct ledger *ledger);
/* Handles of the budgets on a scope's path but for templates, leaf first; returns how many there
 * are. */
size_t ledger_path(const struct ledger *ledger, uint32_t scope, uint32_t *ret_budgets, size_t max);
/* Whether a budget on its path is meant for the call of an ENTRY_RESERVE or ENTRY_RECORD. */
bool ledger_matches(const struct ledger *ledger, uint32_t budget, const struct entry *entry);

/* Also that of an ended quota, because its id stays taken; 0: none. */
uint32_t ledger_find_grant(const struct ledger *ledger, uint32_t organization, struct slice id);
/* NOT_FOUND, also of one whose quota has ended. */
METE_MUST_USE int ledger_grant(const struct ledger *ledger, uint32_t handle,
                               struct mete_instant now, struct mete_grant_view *ret_view);
/* The scope's own quotas by handle, and the grants of one of them: those that will be drawn from,
 * in that order, then the others, the newest first. They return how many there are. */
size_t ledger_quotas(const struct ledger *ledger, uint32_t scope, struct mete_instant now,
                     struct mete_quota_view *ret_views, size_t max);
size_t ledger_grants(const struct ledger *ledger, uint32_t scope, uint16_t meter, uint32_t currency,
                     struct mete_instant now, struct mete_grant_view *ret_views, size_t max);

/* What a reservation holds, or was charged, and of which budgets: in the windows that made_at lies
 * in. Slot by slot (id 0: it is free; false: there are no more), or by id (NOT_FOUND). */
enum { LEDGER_TAKEN_MAX = METE_REFUSALS_MAX };
struct ledger_taken {
    uint64_t id;    /* 0: none */
    bool is_closed; /* it has ended and may be corrected: amounts are what was charged */
    uint32_t scope;
    uint64_t made_seq; /* of the entry that made it */
    int64_t made_at_us;
    uint32_t amounts_len, budgets_len;
    struct entry_amount amounts[METE_DEMANDS_MAX];
    uint32_t budgets[LEDGER_TAKEN_MAX];
};
bool ledger_taken_at(const struct ledger *ledger, uint32_t i, struct ledger_taken *ret_taken);
METE_MUST_USE int ledger_taken(const struct ledger *ledger, uint64_t id,
                               struct ledger_taken *ret_taken);

/* A budget's window before the present one, as long as a reservation of it is open or may be
 * corrected. NOT_FOUND. */
struct ledger_window {
    int64_t start_us, committed, held;
};
METE_MUST_USE int ledger_past(const struct ledger *ledger, uint32_t budget, int64_t at_us,
                              struct ledger_window *ret_window);
/* The buckets of a rolling budget: what was charged in number k, from k * bucket_us on, is at k
 * modulo their number. NOT_FOUND: it does not roll. */
enum { LEDGER_BUCKETS = 65 };
struct ledger_rolling {
    int64_t bucket_us, present_us; /* their length; where the present one begins */
    int64_t sums[LEDGER_BUCKETS];
};
METE_MUST_USE int ledger_rolling(const struct ledger *ledger, uint32_t budget,
                                 struct ledger_rolling *ret_rolling);

struct ledger_counts {
    uint64_t scopes, budgets, rates, reservations_open, outcomes;
    uint64_t grants; /* of quotas that have not ended */
    uint64_t reserves, refused, commits, releases, expiries, records, overruns, repeats;
    uint64_t extends, corrections;
};
void ledger_counts(const struct ledger *ledger, struct ledger_counts *ret_counts);
void ledger_room(const struct ledger *ledger, struct ledger_room *ret_room);
uint64_t ledger_last_seq(const struct ledger *ledger);
int64_t ledger_last_at_us(const struct ledger *ledger); /* of that entry; 0: there is none */
void ledger_installation(const struct ledger *ledger, uint8_t ret_installation[16]);
/* What the newest ENTRY_BASE said; seq 0: there was none. */
struct ledger_base {
    uint64_t seq;
    uint8_t hash[32];
};
void ledger_base(const struct ledger *ledger, struct ledger_base *ret_base);

/* A 256-bit hash (four XXH3-64 lanes) of everything that decides future outcomes, in
 * order of handles. Linear in the state. */
void ledger_hash(const struct ledger *ledger, uint8_t ret_hash[32]);

/* The state in small pieces, for comparing two ledgers beside the work: what decides future
 * outcomes of each scope, budget, reservation and remembered outcome, as a fingerprint. Two ledgers
 * of equal last_seq have equal ones. Returns how many were made of items first, first + 1, ...
 * Cost: about 0.3 us an item. */
uint64_t ledger_items(const struct ledger *ledger);
size_t ledger_prints(const struct ledger *ledger, uint64_t first, uint64_t *ret_prints, size_t max);

/* ---- Keeping -------------------------------------------------------------------------------- */

/* The whole state in a form that later versions read (save.c): equal states give equal bytes, but
 * for what nothing reads, and a loaded one gives the same hash, handles and decisions. */
enum { LEDGER_PIECE = 65536 };
/* put gets pieces of at most LEDGER_PIECE bytes; non-zero stops and is returned. Linear in the
 * state. */
METE_MUST_USE int ledger_save(const struct ledger *ledger,
                              int (*put)(void *user, struct slice piece), void *user);
/* Into a ledger nothing was applied to. get gives the pieces as they were put, an empty one at the
 * end. CORRUPT: they are not such bytes; FORMAT: a newer version's; FULL: there is less room than
 * in the ledger that was saved. The ledger is then undefined, to be closed. Every handle is
 * checked; whether the figures belong together says ledger_sound(). */
METE_MUST_USE int ledger_load(struct ledger *ledger,
                              int (*get)(void *user, struct slice *ret_piece), void *user);

/* ledger_check() of a state that may be anybody's: false and what is wrong instead of the end of
 * the process. */
bool ledger_sound(const struct ledger *ledger, char ret_what[256]);

/* How many budgets have held or committed figures that differ from what their open reservations
 * and their own totals add up to (INV-07). Linear in budgets and open reservations; no allocation.
 */
uint64_t ledger_audit(struct ledger *ledger);

/* Asserts every invariant of the data structures. Linear; for tests. */
void ledger_check(const struct ledger *ledger);

#endif
