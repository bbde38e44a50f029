/* SPDX-License-Identifier: Apache-2.0
 * The ledger's state, for the files of this folder alone.
 *
 * All of it lies in one reserved stretch of address space, in arrays with the capacities given at
 * open; handles are indices and are given out one after the other, so that pages are touched only
 * as things come to be. What an ordinary reserve or commit touches is kept in few cache lines: 64
 * bytes a scope, 64 a budget, 64 + 64 a reservation on 4 scopes with 3 budgets each.
 *
 *   scopes[]        tree of scopes, each with the handles of its budgets
 *   scope_ends[]    what of a scope only an end touches: its remembered outcomes
 *   budgets[]       counters of the present window; cold[]: what of a budget is seldom asked
 *   rates[]         rate limits, chained by scope
 *   pasts[]         windows that are over while reservations made in them are open
 *   slots[]         reservations; what varies in length follows in chunks[] as words
 *   closed[]        a ring of ended reservations that still take a correction: correct.c
 *   outcomes[]      a ring of ended calls, the oldest first to be forgotten
 *   texts           ids, thresholds and names, each rounded to 8 bytes, never moved */
#ifndef LEDGER_STATE_H
#define LEDGER_STATE_H

#include "base/assert.h"
#include "base/checked.h"
#include "base/details.h"
#include "base/limits.h"
#include "ledger/ledger.h"
#include "ledger/table.h"

/* What is counted, in one number: a meter, or a currency with the top bit. */
#define UNIT_MONEY UINT32_C(0x80000000)

static inline uint32_t unit_of(uint16_t meter, uint32_t currency)
{
    return meter == METE_COST ? UNIT_MONEY | currency : meter;
}

static inline uint16_t unit_meter(uint32_t unit)
{
    return unit & UNIT_MONEY ? METE_COST : (uint16_t)unit;
}

static inline uint32_t unit_currency(uint32_t unit)
{
    return unit & UNIT_MONEY ? unit & ~UNIT_MONEY : 0;
}

/* For hints. To a compiler that sees through it from its caller a function that only prefetches has
 * no effect, and is dropped, in whole or the part that does it; hence an effect beside each. */
static inline void hint(const void *at)
{
    __builtin_prefetch(at);
    __asm__ volatile("");
}

struct scope {
    int64_t expires_at_us;                 /* 0: never */
    uint32_t parent;                       /* 0: an organization */
    uint32_t budgets[LIMIT_SCOPE_BUDGETS]; /* in order of handle; ended ones are not here */
    uint32_t text;                         /* its id */
    uint32_t open;                         /* reservations whose leaf this is */
    uint32_t rates, quotas;                /* first of its rate limits and quotas; 0: none */
    uint8_t kind, flags, budgets_len;
    uint8_t templates; /* of an organization: how many of its budgets are templates */
};
_Static_assert(sizeof(struct scope) == 64, "a scope is one cache line");

/* An ended scope answers to its id while reservations of its own are open; then it is gone. */
enum scope_flags { SCOPE_REVOKED = 1, SCOPE_ENDED = 2 };

/* What of a scope an end touches and a reserve does not. */
struct scope_ends {
    uint32_t outcome_first, outcome_last, outcomes_len; /* remembered, oldest first */
    uint32_t children;
};
_Static_assert(sizeof(struct scope_ends) == 16, "four scopes' ends are one cache line");

enum budget_life { BUDGET_LIVES = 0, BUDGET_TOMBSTONE, BUDGET_GONE };

/* What is unusual about a budget, so that the usual one is asked once. */
enum budget_traits {
    BUDGET_NARROWED = 1,
    BUDGET_CONTROLLED = 2,
    BUDGET_ROLLING = 4,
    BUDGET_CARRIES = 8, /* has or once had a rollover cap */
    BUDGET_INCREASED = 16,
    BUDGET_TEMPLATE = 32,
    BUDGET_DATED = 64,
    BUDGET_CHOOSES = BUDGET_NARROWED | BUDGET_DATED /* not every call is its concern */
};

struct budget {
    int64_t limit; /* that holds now */
    int64_t committed, held;
    int64_t window_start_us; /* ROLLING: 0 */
    int64_t stale_at_us;     /* from when an entry must touch it before it may be used */
    int64_t alarm_at;        /* committed at which the next threshold fires; INT64_MAX: none */
    uint32_t unit, scope;
    uint32_t open; /* takes of open reservations in the present window */
    uint8_t mode : 2, life : 2, period : 4;
    uint8_t fired;
    uint8_t traits;
    uint8_t spare;
};
_Static_assert(sizeof(struct budget) == 64, "a budget's counters are one cache line");
_Static_assert(METE_OFF < 4 && BUDGET_GONE < 4 && METE_PERIODS <= 16, "they fit their bits");

enum rate_life { RATE_LIVES = 0, RATE_TOMBSTONE, RATE_GONE };

/* A rate limit; rates.c says how it counts. */
struct rate {
    int128 debt;          /* in amounts times us, at at_us; of a concurrent one 0 */
    int64_t limit, burst; /* burst: as it counts, never 0 for limit */
    int64_t at_us;
    uint32_t period_ms, unit, scope;
    uint32_t next; /* of its scope, by handle; 0: the last one */
    uint32_t open; /* open reservations that took from it */
    uint32_t mode : 2, life : 2, is_concurrent : 1, is_narrowed : 1;
};
_Static_assert(sizeof(struct rate) == 64, "a rate limit is one cache line");

struct rate_cold {
    uint32_t text;     /* its id */
    uint32_t matches;  /* set of patterns: matches.c */
    uint32_t revision; /* of its figures and mode */
};

/* What no ordinary reserve or commit reads. */
struct budget_cold {
    int64_t window_end_us; /* INT64_MAX: it has no end, and starts at 0. ROLLING: the bucket's */
    int64_t base_limit;    /* as the operator set it */
    uint32_t text;         /* id, then thresholds: see budgets.c */
    uint32_t past;        /* newest of its past windows that still has open reservations, 0: none */
    uint32_t revision;    /* of limit and mode */
    uint32_t extra;       /* what its traits need to know; 0: nothing */
    uint32_t template_of; /* the template that made it; 0: it was made by hand */
    uint32_t closed;      /* of a living one: takes of closed reservations in the present window */
};

/* What a budget with unusual traits has beside: extras.c. Instants: 0 is not, or not yet. */
struct extra {
    int64_t anchor, window_seconds;
    int64_t soft_limit, rollover_cap;
    int64_t carried, increased; /* parts of the limit in force, beside base_limit */
    int64_t acted_at_us;        /* the last control action: a throttle's or a stop's beginning */
    int64_t stopped_at_us, throttled_at_us; /* that are on, in the present window */
    int64_t lifted_at_us;                   /* the last time an operator ended a stop */
    int64_t starts_at_us, ends_at_us;       /* between which it counts */
    struct mete_controls controls;
    uint32_t zone;                      /* number of its name; 0: UTC */
    uint32_t matches;                   /* its patterns; 0: none */
    uint32_t increases, increases_made; /* first of its dated increases, 0: none; ever put */
    uint32_t buckets;                   /* ROLLING: where its buckets are; 0: it is none */
    uint32_t made;                      /* of a template: budgets it made */
    uint8_t for_kind, template_mode;    /* of a template: enum mete_kind, enum mete_mode */
    uint8_t soft_fired;                 /* in the present window */
    uint8_t throttles; /* soft: tells two throttles that began in one instant apart */
};

/* An exchange rate; exchanges.c says which one is in force. */
struct exchange {
    int64_t numerator, denominator;
    int64_t effective_at_us;
    uint64_t seq; /* of its entry */
    uint32_t from, to;
    uint32_t older;  /* of the same pair; 0: the oldest */
    uint32_t newest; /* of the pair's first one: where its chain begins */
};

struct past {
    int64_t start_us, end_us, committed, held;
    uint32_t budget, next, open;
    uint32_t closed; /* as in budget_cold */
    uint8_t fired, soft_fired;
};

/* A scope's parent was another one until this entry: moves.c. */
struct move {
    uint64_t seq;
    uint32_t scope, from;
    uint32_t older; /* position of the one of the same scope before it; 0: none */
};

enum grant_place { GRANT_OUT = 0, GRANT_ACTIVE, GRANT_SPENT, GRANT_REST }; /* quotas.c */

/* A prepaid balance in one unit of one scope. */
struct quota {
    uint32_t scope, unit;
    uint32_t next;     /* of the same scope, by handle; 0: none */
    uint32_t first;    /* of its ACTIVE grants, in drawing order */
    uint32_t spent;    /* of its SPENT ones */
    uint32_t newest;   /* of all its grants, by age */
    uint32_t last;     /* of all its grants, in drawing order: overruns are its */
    uint32_t revision; /* changes with every grant and refund */
    int128 rest_amount, rest_drawn, rest_held; /* sums of those at REST */
    bool ended;
};

struct grant {
    int64_t amount, drawn, held;
    int64_t expires_at_us; /* INT64_MAX: never */
    uint32_t quota, priority;
    uint32_t next, previous; /* where it is ACTIVE or SPENT */
    uint8_t place;
    uint8_t overran; /* its balance has been below zero by an overrun */
};
_Static_assert(sizeof(struct grant) <= 64, "a grant is one cache line");

struct grant_cold {
    int64_t made_at_us;
    uint32_t text, older;
};

enum { SLOT_BITS = 28, GENERATION_BITS = 36, SLOT_WORDS = 6, CHUNK_WORDS = 15 };
#define GENERATION_MAX ((UINT64_C(1) << GENERATION_BITS) - 1)
#define SLOTS_MAX ((1u << 24) - 1)

/* One slot. generation 0: free, and chunk is the next free slot's index + 1. is_closed: it has
 * ended and may still be corrected; its amounts are then what was charged, its takes the budgets
 * that a correction reaches, and its position is in closed[]. */
struct reservation {
    uint64_t generation : 36, is_call : 1, is_closed : 1;
    uint64_t is_committed : 1; /* closed by a provisional commit, else by an expiry */
    uint64_t has_content : 1;  /* of a call without an id */
    uint64_t has_session : 1, has_tags : 1;
    uint64_t spare : 22;
    uint64_t made_at_us : 58, charges : 1, amounts_len : 5;
    int64_t granted;
    uint32_t scope;
    uint16_t model, provider;                          /* names; ENTRY_NAME_WHOLE: in the words */
    uint32_t position : 24, takes_len : 7, has_id : 1; /* position: in heap[], calls[], closed[] */
    uint32_t chunk;                                    /* where the words go on; 0: nowhere */
    uint32_t words[SLOT_WORDS];
};
_Static_assert(sizeof(struct reservation) == 64, "a reservation begins in one cache line");

struct chunk {
    uint32_t next;
    uint32_t words[CHUNK_WORDS];
};

/* What a reservation took from: a kind and a handle in one word. */
enum take_kind { TAKE_BUDGET = 0, TAKE_RATE, TAKE_QUOTA };
enum { TAKE_HANDLE_BITS = 29 };
#define TAKE_HANDLE_MAX ((UINT32_C(1) << TAKE_HANDLE_BITS) - 1)

/* Amounts (3 words each), takes (1 each; a quota's is followed by how many draws it made, and 3 of
 * each), then for a request id: content (2), remaining (2), whose
 * it is (1), text; then texts of model and provider that have no number; then what only the record
 * asks for: content (2) of a call without an id, session, tags. A text: length, bytes. */
enum {
    TEXT_WORDS = 1 + LIMIT_ID / 4,
    TAGS_TEXT = METE_TAGS_MAX * (LIMIT_SESSION + 1), /* in one, with a line feed between two */
    TEXT_MAX = TAGS_TEXT,                            /* the longest */
    SCRATCH = 2 * LIMIT_ID + LIMIT_PROVIDER + LIMIT_SESSION + TAGS_TEXT,
    PATH_BUDGETS = LIMIT_PATH_SCOPES * LIMIT_SCOPE_BUDGETS,
    PATH_RATES = LIMIT_PATH_SCOPES * LIMIT_SCOPE_RATES,
    PATH_QUOTAS = LIMIT_PATH_SCOPES * LIMIT_SCOPE_QUOTAS,
    TAKES_MAX = PATH_BUDGETS + PATH_RATES + PATH_QUOTAS,
    /* As many as are held, as many beyond them that the end drew, and the last grant's overrun. */
    DRAWS_WORDS = 1 + 3 * (2 * LIMIT_DRAWS + 1),
    LABELS_WORDS = 2 + TEXT_WORDS + 1 + TAGS_TEXT / 4,
    WORDS_MAX = 3 * METE_DEMANDS_MAX + TAKES_MAX + PATH_QUOTAS * DRAWS_WORDS + 5 + 3 * TEXT_WORDS +
                LABELS_WORDS,
    CHUNKS_EACH = (WORDS_MAX - SLOT_WORDS + CHUNK_WORDS - 1) / CHUNK_WORDS
};
_Static_assert(TAKES_MAX < 128, "takes_len has 7 bits");
_Static_assert(LIMIT_BUDGETS <= TAKE_HANDLE_MAX, "a budget's handle fits a take");
_Static_assert(LIMIT_RATES <= TAKE_HANDLE_MAX, "a rate limit's handle fits a take");

struct expiry {
    int64_t at_us;
    uint32_t slot;
};

/* One that has ended and still takes its true figures. */
struct closed {
    int64_t ended_at_us;
    uint64_t seq;  /* of the entry that ended it */
    uint32_t slot; /* its index + 1; 0: it was corrected */
};
static inline uint32_t closed_room(const struct ledger_room *room)
{
    uint32_t quarter = room->reservations / 4 + (room->reservations % 4 != 0);
    return quarter < LIMIT_CORRECTABLE ? quarter : LIMIT_CORRECTABLE;
}
/* Those that are open have slots of their own: closed ones take none from them. */
static inline uint32_t slots_room(const struct ledger_room *room)
{
    return room->reservations + closed_room(room);
}

enum outcome_kind { OUTCOME_FORGOTTEN = 0, OUTCOME_RESERVED, OUTCOME_RECORDED, OUTCOME_REFUSED };

/* An ended call. What only a request id needs is in outcome_asked, same index. */
struct outcome {
    uint64_t reservation; /* 0: never was one */
    int64_t ended_at_us;
    int64_t cost;
    uint64_t figures; /* fingerprint of what was charged */
    uint64_t seq;     /* of the entry that ended it */
    uint32_t scope;
    uint8_t kind, state;
    uint8_t overrun : 1, is_call : 1, has_id : 1, corrected : 1;
    uint8_t spare;
};
_Static_assert(sizeof(struct outcome) == 48, "four outcomes are three cache lines");

struct outcome_asked {
    uint64_t id[2]; /* XXH3-128 of the request id */
    uint64_t content;
    int64_t expires_at_us; /* REFUSED: retry_at */
    int64_t granted, remaining;
    uint32_t remaining_of;
    uint32_t revision; /* REFUSED: of the primary's budget at the time */
    struct mete_refusal primary;
};

struct texts {
    char *bytes;
    uint32_t used, room; /* in units of 8 bytes; 0 is no text */
};

struct ledger {
    struct ledger_room room;
    void *mapping; /* where the stretch begins, and its bytes */
    size_t mapped;
    uint64_t last_seq;
    int64_t last_at_us;
    uint8_t installation[16];
    uint64_t base_seq; /* the newest ENTRY_BASE; 0: there was none */
    uint8_t base_hash[32];
    uint32_t scopes_len, budgets_len, names_len;
    uint32_t extras_len, zones_len, meters_len, rates_len, buckets_len;
    uint32_t quotas_len, grants_len;
    uint32_t exchanges_len;
    uint32_t moves_first, moves_end; /* positions in the ring, from 1 on; only grow */
    uint32_t slots_len, slot_free;   /* ever used; index + 1 of the newest free one */
    uint32_t chunks_len, chunk_free; /* likewise; a chunk's handle is its index + 1 */
    uint32_t pasts_len, past_free, increases_len, increase_free;
    uint32_t heap_len, calls_len;
    uint64_t outcomes_first, outcomes_end; /* positions in the ring; only grow */
    uint64_t closed_first, closed_end;     /* likewise */
    /* INV-07 the long way round: every take's charge is added here once more. */
    uint64_t charged_sum, retired_sum;
    uint64_t drawn_sum; /* likewise of what grants gave, less what came back */
    struct ledger_counts counts;
    struct scope *scopes; /* [handle] */
    struct scope_ends *scope_ends;
    struct budget *budgets; /* [handle] */
    struct budget_cold *cold;
    struct extra *extras;    /* [number] */
    struct buckets *buckets; /* [number] */
    uint32_t *zones;         /* [number]: texts */
    uint32_t *meters;        /* [number - METE_METER_CUSTOM]: texts */
    uint32_t *names;         /* [number] */
    struct quota *quotas;    /* [handle] */
    struct grant *grants;    /* [handle] */
    struct grant_cold *grant_cold;
    struct move *moves; /* [position % LIMIT_MOVES] */
    uint32_t *moved;    /* [scope]: position of its newest move, 0: none */
    struct reservation *slots;
    uint32_t *slot_hashes; /* [index + 1], of request ids */
    struct chunk *chunks;
    struct past *pasts;
    struct increase *increases; /* [handle] */
    struct handover *handovers; /* [past] */
    struct expiry *heap;        /* [0] expires first */
    struct expiry *calls;       /* of METE_RESERVE_CALL, in no order */
    struct closed *closed;
    struct outcome *outcomes;
    struct outcome_asked *asked;
    uint32_t *next_of_scope; /* [position + 1] likewise: the next outcome of the same scope */
    struct texts texts;
    struct texts patterns;    /* matches.c */
    struct meeting *meetings; /* controls.c: what met a throttle; soft */
    uint32_t meetings_clock;
    struct rate *rates; /* [handle] */
    struct rate_cold *rate_colds;
    struct table rate_ids;
    struct exchange *exchanges; /* [number] */
    struct table exchange_pairs;
    struct table defaults; /* budgets that templates made, by template and scope; for ever */
    struct table scope_ids, budget_ids, name_texts, open_requests, ended_requests, ended_ids,
        grant_ids;
    char scratch[SCRATCH];        /* texts of the last ended call */
    uint8_t details[DETAILS_MAX]; /* of the outcome decided last, packed */
};

/* ---- texts.c: strings that stay ---- */
uint32_t texts_hash(struct slice text);
uint32_t texts_mix(uint32_t hash, uint32_t with);
/* Room for len bytes; there always is (texts_room() of the capacities). */
uint32_t texts_take(struct texts *texts, size_t len);
uint64_t texts_room(const struct ledger_room *room);
char *texts_at(const struct texts *texts, uint32_t text);

/* ---- names.c ---- */
void names_init(struct ledger *ledger);
uint32_t names_find(const struct ledger *ledger, struct slice text); /* 0: has no number */
/* How text is to be written; earlier: names of the same entry, which may define it. */
struct entry_name names_enter(const struct ledger *ledger, struct slice text,
                              const struct entry_name *const *earlier, size_t earlier_len);
/* Learns a definition. false: it does not fit. */
bool names_apply(struct ledger *ledger, const struct entry_name *name);
struct slice names_text(const struct ledger *ledger, uint32_t n);
/* Of an entry that was applied: it may borrow from the entry. */
struct slice names_of_entry(const struct ledger *ledger, const struct entry_name *name);

struct call_texts; /* matches.h */

/* ---- scopes.c ---- */
struct path {
    size_t scopes_len, budgets_len, rates_len;
    uint32_t scopes[LIMIT_PATH_SCOPES];
    uint32_t budgets[PATH_BUDGETS]; /* all that live, leaf first, then by handle */
    uint32_t rates[PATH_RATES];     /* likewise */
    uint32_t quotas;                /* 0: none of the scopes has any */
};
struct slice scopes_id(const struct ledger *ledger, uint32_t scope);
uint32_t scopes_organization(const struct ledger *ledger, uint32_t scope);
/* By their kinds alone: how deep departments lie is scopes_departments()'s and scopes_below()'s. */
bool scopes_may_hold(enum mete_kind parent, enum mete_kind child);
/* Departments may stand in departments, so deep that a user and its key still have a place. */
enum { DEPARTMENTS_MAX = LIMIT_PATH_SCOPES - 3 };
/* Departments from this scope up, itself too; over DEPARTMENTS_MAX: too many, or a circle. */
unsigned scopes_departments(const struct ledger *ledger, uint32_t scope);
/* Departments in the longest way down to one from this department, itself too. A pass over all
 * scopes if it has children: for moves only. */
unsigned scopes_below(const struct ledger *ledger, uint32_t department);
void scopes_path(const struct ledger *ledger, uint32_t scope, struct path *ret_path);
/* Why a scope itself refuses now; METE_REASON_NONE: it does not. */
enum mete_reason scopes_refuses(const struct scope *scope, int64_t now_us);
bool scopes_apply(struct ledger *ledger, const struct entry *entry);
bool scopes_apply_end(struct ledger *ledger, const struct entry *entry);
/* An ended one of which nothing is open any longer: its id is free. */
void scopes_bury(struct ledger *ledger, uint32_t scope);
static inline bool scope_is_gone(const struct scope *scope)
{
    return scope->flags & SCOPE_ENDED && scope->open == 0;
}
uint32_t scopes_hash(const void *ledger, uint32_t scope);

/* ---- budgets.c ---- */
struct counters {
    int64_t *committed, *held;
    uint8_t *fired;
    uint32_t *open;
    size_t past; /* 0: the present window's. As wide as its neighbours: a narrower one is stored
                    narrow and copied wide, which stalls the processor on every take */
};
struct budget_text {
    uint8_t id_len, thresholds_room, thresholds_len, spare;
};
static inline bool budget_counts(const struct budget *budget)
{
    return budget->mode != METE_OFF && budget->life == BUDGET_LIVES;
}
struct slice budgets_id(const struct ledger *ledger, uint32_t budget);
size_t budgets_thresholds(const struct ledger *ledger, uint32_t budget,
                          uint32_t ret_ppm[METE_THRESHOLDS_MAX]);
/* Of a loaded one. */
void budgets_write_text(struct ledger *ledger, uint32_t budget, struct slice id,
                        const uint32_t *ppm, size_t ppm_len);
uint32_t budgets_hash(const void *ledger, uint32_t budget);
/* The window as it is shown, and when what stands in it will be gone. */
int64_t budgets_start_us(const struct ledger *ledger, uint32_t budget);
int64_t budgets_resets_at(const struct ledger *ledger, uint32_t budget);
struct counters budgets_past(struct ledger *ledger, uint32_t budget, int64_t made_at_us);
/* What stands in that window, for who only looks. */
struct figures {
    int64_t committed, held;
};
struct figures budgets_past_figures(const struct ledger *ledger, uint32_t budget,
                                    int64_t made_at_us);
static inline struct figures budgets_figures(const struct ledger *ledger, uint32_t handle,
                                             int64_t made_at_us)
{
    const struct budget *budget = &ledger->budgets[handle];
    if (made_at_us < budget->window_start_us)
        return budgets_past_figures(ledger, handle, made_at_us);
    return (struct figures){budget->committed, budget->held};
}
/* The counters of the window an instant lies in: the present one or a past one. */
static inline struct counters budgets_counters(struct ledger *ledger, uint32_t handle,
                                               int64_t made_at_us)
{
    ASSERT(handle > 0 && handle <= ledger->budgets_len);
    struct budget *budget = &ledger->budgets[handle];
    if (made_at_us < budget->window_start_us)
        return budgets_past(ledger, handle, made_at_us);
    return (struct counters){&budget->committed, &budget->held, &budget->fired, &budget->open, 0};
}
bool budgets_apply_put(struct ledger *ledger, const struct entry *entry,
                       struct ledger_effects *effects);
bool budgets_apply_end(struct ledger *ledger, const struct entry *entry);
bool budgets_is_held(const struct ledger *ledger, uint32_t budget); /* calls of it are open */
void budgets_end_of_scope(struct ledger *ledger, uint32_t scope);   /* all that it has */
bool budgets_apply_window(struct ledger *ledger, const struct entry *entry);
/* committed + held of a past window has become another: a later one may be handed another rest. */
void budgets_past_moved(struct ledger *ledger, const struct entry *entry, uint32_t budget,
                        const struct counters *counters, struct ledger_effects *effects);
bool budgets_apply_lift(struct ledger *ledger, const struct entry *entry,
                        struct ledger_effects *effects);
/* Adds up the limit in force, and does what follows from it (rule 30). The mode is as it was. */
void budgets_sum_limit(struct ledger *ledger, uint32_t budget, const struct entry *entry,
                       struct ledger_effects *effects);
void budgets_set_stale(struct ledger *ledger, uint32_t budget); /* from window and increases */
/* The takes of closed reservations in this window of a living budget. */
uint32_t *budgets_closed(struct ledger *ledger, uint32_t budget, const struct counters *counters);
/* Nothing is open any longer in this window: frees what nothing holds. */
void budgets_vacate(struct ledger *ledger, uint32_t budget, const struct counters *counters);
struct mete_event *budgets_event(struct ledger_effects *effects, const struct entry *entry,
                                 enum mete_event_kind kind); /* NULL: nobody listens */
struct moment { /* what an event of a budget speaks of */
    struct ledger *ledger;
    const struct entry *entry;
    struct ledger_effects *effects;
    uint32_t budget;
    const struct counters *counters;
};
void budgets_emit(const struct moment *moment, enum mete_event_kind kind, uint32_t threshold_ppm);
bool budgets_is_reached(int64_t committed, int64_t limit, uint32_t ppm);

/* ---- meters.c: meters of the user's own ---- */
uint16_t meters_find(const struct ledger *ledger, struct slice name); /* 0: none */
struct slice meters_name(const struct ledger *ledger, uint16_t meter);
bool meters_apply(struct ledger *ledger, const struct entry *entry);

/* ---- words.c: what varies in length ---- */
struct words {
    struct ledger *ledger;
    uint32_t *at;
    uint32_t left;
    uint32_t *link;
};
static inline struct words words_of(const struct ledger *ledger,
                                    const struct reservation *reservation)
{
    /* One cursor for both ways: the casts take off the const of what a writer owns anyway. */
    struct ledger *owner = (struct ledger *)(uintptr_t)ledger;
    struct reservation *slot = (struct reservation *)(uintptr_t)reservation;
    return (struct words){owner, slot->words, SLOT_WORDS, &slot->chunk};
}
/* Readers' cursors stay in registers where no function out of sight is given them. */
static inline void words_enter(struct words *words, uint32_t chunk)
{
    ASSERT(chunk > 0 && chunk <= words->ledger->chunks_len);
    struct chunk *at = &words->ledger->chunks[chunk - 1];
    words->at = at->words;
    words->left = CHUNK_WORDS;
    words->link = &at->next;
}
void words_extend(struct words *words);

static inline uint32_t words_next(struct words *words)
{
    if (words->left == 0)
        words_enter(words, *words->link);
    words->left--;
    return *words->at++;
}

static inline void words_put(struct words *words, uint32_t word)
{
    if (words->left == 0)
        words_extend(words);
    words->left--;
    *words->at++ = word;
}

/* Writes over a number that is there. */
static inline void words_set_next_i64(struct words *words, int64_t value)
{
    for (unsigned shift = 0; shift < 64; shift += 32) {
        if (words->left == 0)
            words_enter(words, *words->link);
        words->left--;
        *words->at++ = (uint32_t)((uint64_t)value >> shift & UINT32_MAX);
    }
}

struct take {
    enum take_kind kind;
    uint32_t handle;
};

static inline struct take words_next_take(struct words *words)
{
    uint32_t word = words_next(words);
    return (struct take){(enum take_kind)(word >> TAKE_HANDLE_BITS), word & TAKE_HANDLE_MAX};
}

static inline void words_put_take(struct words *words, enum take_kind kind, uint32_t handle)
{
    ASSERT(handle > 0 && handle <= TAKE_HANDLE_MAX);
    words_put(words, (uint32_t)kind << TAKE_HANDLE_BITS | handle);
}

/* Past the draws that follow a quota's take. */
void words_skip_draws(struct words *words);

/* The next take, and past all that belongs to it: for whoever wants no draws. */
static inline struct take words_pass_take(struct words *words)
{
    struct take take = words_next_take(words);
    if (take.kind == TAKE_QUOTA)
        words_skip_draws(words);
    return take;
}

static inline void take_hint(const struct ledger *ledger, struct take take)
{
    if (take.kind == TAKE_BUDGET)
        hint(&ledger->budgets[take.handle]);
    else if (take.kind == TAKE_RATE)
        hint(&ledger->rates[take.handle]);
    else if (take.kind == TAKE_QUOTA)
        hint(&ledger->quotas[take.handle]);
}

void words_put_text(struct words *words, struct slice text);
/* Copies a text out; ret_text has room for max bytes, which it has not more of. Returns its length.
 */
size_t words_next_text(struct words *words, char *ret_text, size_t max);
/* Passes a text as words, its length first; to has room for them. Returns how many they are. */
size_t words_copy_text(struct words *words, uint32_t *to);
void words_free(struct ledger *ledger, struct reservation *reservation);

static inline int64_t words_next_i64(struct words *words)
{
    uint64_t low = words_next(words);
    return (int64_t)(low | (uint64_t)words_next(words) << 32);
}

static inline void words_put_i64(struct words *words, int64_t value)
{
    words_put(words, (uint32_t)((uint64_t)value & UINT32_MAX));
    words_put(words, (uint32_t)((uint64_t)value >> 32));
}

/* ---- reservations.c ---- */
struct held {
    uint32_t unit;
    int64_t amount;
};
static inline uint64_t reservation_id(uint32_t slot, uint64_t generation)
{
    return (uint64_t)slot << GENERATION_BITS | generation;
}
static inline uint64_t reservation_generation(uint64_t seq)
{
    return seq % GENERATION_MAX + 1;
}
static inline uint64_t reservation_seq(uint64_t id) /* of the entry that made it */
{
    return (id & GENERATION_MAX) - 1;
}
/* The id that a reserve of this sequence number gets; 0: no room. */
uint64_t reservations_next_id(const struct ledger *ledger, uint64_t seq);
struct reservation *reservations_find(const struct ledger *ledger,
                                      uint64_t id); /* NULL: not open */
/* NULL: not one that has ended and is kept for its correction. */
struct reservation *reservations_find_closed(const struct ledger *ledger, uint64_t id);
uint32_t reservations_slot(const struct ledger *ledger, const struct reservation *reservation);
/* Its amounts, and words positioned at its takes. Returns how many amounts. */
size_t reservations_amounts(const struct ledger *ledger, const struct reservation *reservation,
                            struct held ret_held[METE_DEMANDS_MAX], struct words *ret_words);
/* What an open reservation with a request id remembers of its verdict. */
struct asked {
    uint64_t content;
    int64_t remaining;
    uint32_t remaining_of; /* 0: nothing to say */
    size_t id_len;
    char id[LIMIT_ID];
};
void reservations_asked(const struct ledger *ledger, const struct reservation *reservation,
                        struct asked *ret_asked);
/* Open, of this scope and request id; NULL: none. */
struct reservation *reservations_of_request(const struct ledger *ledger, uint32_t scope,
                                            struct slice request_id);
bool reservations_apply_reserve(struct ledger *ledger, const struct entry *entry);
/* Its end: out of every list of open ones; then the slot is free, or is kept closed. */
void reservations_leave(struct ledger *ledger, struct reservation *slot);
void reservations_free(struct ledger *ledger, struct reservation *slot);
/* What a reservation knows of its call. The texts are in ledger->scratch until the next call. */
struct reservation_texts {
    struct slice request_id, model, provider, session;
    struct slice tags; /* in one, with a line feed between two */
    uint64_t content;  /* of a call; 0: not known */
};
/* Passes what stands behind the takes, word by word; to has room for it. Returns how many words. */
size_t reservations_copy_rest(const struct reservation *slot, struct words *words, uint32_t *to);
/* Tags as one text, in room for TAGS_TEXT bytes. */
struct slice reservations_join_tags(const struct entry_tags *tags, char *room);
/* takes: its words, positioned at its takes. */
void reservations_texts(struct ledger *ledger, const struct reservation *slot, struct words takes,
                        struct reservation_texts *ret_texts);
uint32_t reservations_hash(const void *ledger, uint32_t item);

/* ---- decide.c: what the decisions have in common ---- */
void decide_begin(const struct ledger *ledger, struct mete_instant now, enum entry_kind kind,
                  struct entry *entry);
int decide_check_demands(const struct mete_demand *demands, size_t len, int64_t floor);
/* The form of the parts that a reserve and a record share. */
int decide_check_labels(struct mete_text session, const struct mete_text *tags, size_t tags_len);
void decide_write_labels(struct mete_text session, const struct mete_text *tags, size_t tags_len,
                         struct slice *ret_session, struct entry_tags *ret_tags);
int decide_check_call(const struct ledger *ledger, struct mete_scope_id scope,
                      struct mete_text request_id, struct mete_text model,
                      struct mete_text provider);

/* ---- extend.c ---- */
bool extend_apply(struct ledger *ledger, const struct entry *entry, struct ledger_effects *effects);

/* ---- expiries.c: which reservation expires first ---- */
void expiries_put(struct ledger *ledger, uint32_t slot, int64_t at_us);
void expiries_drop(struct ledger *ledger, uint32_t slot);
void expiries_move(struct ledger *ledger, uint32_t slot, int64_t at_us);
/* Of an open reservation. */
static inline int64_t expiries_at_us(const struct ledger *ledger, const struct reservation *slot)
{
    return (slot->is_call ? ledger->calls : ledger->heap)[slot->position].at_us;
}

/* ---- not_yet.c ---- */
bool not_yet_change(const struct mete_change *change);

/* ---- outcomes.c ---- */
uint64_t outcomes_figures(const struct held *held, size_t len);
/* Newest of a reservation or request id that is remembered at now; NULL: none. */
const struct outcome *outcomes_find(const struct ledger *ledger, uint64_t reservation,
                                    int64_t now_us);
const struct outcome *outcomes_of_request(const struct ledger *ledger, uint32_t scope,
                                          struct slice request_id, int64_t now_us);
const struct outcome_asked *outcomes_asked(const struct ledger *ledger,
                                           const struct outcome *outcome);
/* Appends one, forgetting what is too old or too much. asked->id is computed from request_id. */
void outcomes_add(struct ledger *ledger, const struct outcome *outcome, struct slice request_id,
                  const struct outcome_asked *asked);
/* Of a loaded one: makes it findable. */
void outcomes_enter(struct ledger *ledger, uint32_t item);
bool outcomes_apply_refuse(struct ledger *ledger, const struct entry *entry);
/* The true figures of an ended one. false: it is no longer remembered. */
bool outcomes_correct(struct ledger *ledger, const struct outcome *truth);
uint32_t outcomes_hash_request(const void *ledger, uint32_t item);
uint32_t outcomes_hash_id(const void *ledger, uint32_t item);
struct mete_receipt outcomes_receipt(const struct outcome *outcome);
struct archive;
void outcomes_walk(struct archive *archive, struct ledger *ledger); /* save_outcome.c */

#endif
