/* SPDX-License-Identifier: Apache-2.0
 * The driver of the proof "model": a world is one engine, fresh, and some thousand operations on
 * it, each drawn from a tape of its own (so that leaving one out leaves the others their bytes),
 * done through mete.h alone, and told in one line of integers: arguments, results, events.
 * tests/model/check.mjs reads the lines and holds them against the naive ledger.
 *
 *   draw_*.c  what is asked: arguments from the tape      tell.c  lines
 *   act.c     asking it, and telling question and answer  drive.c worlds, restarts, crashes
 *   look.c    looking at what there is
 *
 * What a world remembers here is only what makes the next question a good one. */
#ifndef MODEL_WORLD_H
#define MODEL_WORLD_H

#include "mete.h"
#include "property/tape.h"

#include <stdbool.h>
#include <stdio.h>

enum {
    SCOPES = 32,
    BUDGETS = 48,
    RATES = 16,
    GRANTS = 32,
    INCREASES = 16,
    CALLS = 64, /* reservations, the latest ones */
    CLIENTS = 64,
    NAMES = 8192,
    EDGES = 16,
    EVENTS = 4096,
    UNITS = 9,
    CHANGES = 4,
    OP_BYTES = 256
};

struct unit {
    uint16_t meter;
    uint32_t currency;
};
extern const struct unit units[UNITS];

struct scope {
    uint32_t handle, organization, parent;
    enum mete_kind kind;
    unsigned id;
};

struct call {
    struct mete_reservation_id id;
    uint32_t name; /* as the transcript calls it */
    struct mete_demand demands[METE_DEMANDS_MAX];
    size_t demands_len;
    int64_t granted;
    struct mete_usage usage[METE_DEMANDS_MAX]; /* of the last commit */
    size_t usage_len;
    int ended;
};

struct increase {
    uint32_t budget, number;
};

/* What the process that has the engine does next. */
enum restart { RESTART_NOT, RESTART_CLOSED, RESTART_CRASHED, RESTART_CUT, RESTARTS };

/* All a world knows, in memory that outlives a crash of the process that has the engine. */
struct world {
    uint64_t seed, number;
    uint64_t op; /* the present one */
    int canary, canary_done;
    _Atomic int64_t now_us; /* the engine reads it from threads of its own */
    int64_t unit; /* what amounts are multiples of, roughly */
    int is_durable;
    char directory[40]; /* of a durable world */
    enum restart restart;
    struct scope scopes[SCOPES];
    struct mete_budget_spec budgets[BUDGETS];
    uint32_t budget_handles[BUDGETS];
    struct mete_rate_spec rates[RATES];
    uint32_t rate_handles[RATES];
    struct mete_grant_spec grants[GRANTS];
    uint32_t grant_handles[GRANTS];
    int64_t grant_taken[GRANTS]; /* drawn and held when last looked at */
    struct increase increases[INCREASES];
    size_t scopes_len, budgets_len, rates_len, grants_len, increases_len, calls_len;
    struct call calls[CALLS];
    struct call clients[CLIENTS];     /* of a company: the call each has open */
    struct mete_usage recorded[9][4]; /* under each request id, lately */
    size_t recorded_len[9];
    uint32_t budgets_top; /* the highest handle seen: templates make some of their own */
    uint32_t meters_len;
    uint64_t names[NAMES]; /* reservation ids, open addressing */
    uint32_t name_of[NAMES], names_len;
    int64_t edges[EDGES]; /* instants at which something happens */
    size_t edges_len;
    uint32_t ids; /* given to scopes, budgets, rate limits, grants */
    uint64_t refused, crashes;
    char texts[CHANGES][3][24];
    struct mete_text tags[4];
};

struct engine {
    struct mete *mete;
    struct mete_port *port;
    struct mete_event events[EVENTS];
    size_t events_len;
};

/* ---- tell.c: lines ---- */
void tell_letter(char letter);
void tell(int64_t number);
void tell_instant(struct mete_instant instant); /* INT64_MAX: -1 */
void tell_text(struct mete_text text);          /* its number among the words; -1: none of them */
void tell_words(void);
void tell_end(void); /* of a line */
void tell_flush(void);
extern int tell_at_once; /* every piece is written before the engine is asked */

/* ---- draw.c ---- */
struct mete_text draw_word(struct tape *tape, const unsigned char *list, size_t len);
int64_t draw_amount(const struct world *w, struct tape *tape);
size_t draw_usage(const struct world *w, struct tape *tape, struct mete_usage *ret_usage);
void draw_reserve(struct world *w, struct tape *tape, struct mete_reserve *ret_args,
                  struct mete_demand *ret_demands);
void draw_record(struct world *w, struct tape *tape, struct mete_record *ret_args,
                 struct mete_usage *ret_usage);
size_t draw_demands(const struct world *w, struct tape *tape, struct mete_demand *ret_demands);
struct call *draw_call(struct world *w, struct tape *tape);
uint32_t draw_scope(const struct world *w, struct tape *tape);
uint32_t draw_organization(const struct world *w, struct tape *tape);
uint32_t draw_budget(const struct world *w, struct tape *tape);
uint32_t draw_rate(const struct world *w, struct tape *tape);
int64_t draw_time(struct world *w, struct tape *tape);
void edge(struct world *w, int64_t at_us);

/* ---- draw_change.c ---- */
void draw_change(struct world *w, struct tape *tape, size_t place, struct mete_change *ret_change);
void draw_exchange(const struct world *w, struct tape *tape, struct mete_change *ret_change);
void draw_tree(struct world *w, struct mete_change *ret_changes, size_t *ret_len);
void learn_change(struct world *w, const struct mete_change *change, uint32_t handle,
                  const uint32_t *handles);

/* ---- look.c ---- */
void act_look(struct world *w, struct engine *engine); /* at everything there is */
bool look_budget(struct world *w, struct engine *engine, uint32_t handle); /* is there one? */
void look_rates(struct world *w, struct engine *engine, uint32_t scope);
void look_quotas(struct world *w, struct engine *engine, uint32_t scope);
void look_increases(struct world *w, struct engine *engine, uint32_t budget);
void look_grants(struct world *w, struct engine *engine, const struct mete_grant_spec *spec);
void look_reservation(struct world *w, struct engine *engine, struct mete_reservation_id id);

/* ---- act.c ---- */
int64_t name_of(const struct world *w, struct mete_reservation_id id); /* -1: none, 0: of 0 */
void tell_events(struct world *w, struct engine *engine);
void act(struct world *w, struct engine *engine, struct tape *tape);
void act_tree(struct world *w, struct engine *engine);
void act_rates(struct world *w, struct engine *engine, struct tape *tape); /* some, and a meter */
/* What a draw would have asked; the call that was made, if one was. */
struct call *act_reserve_as(struct world *w, struct engine *engine, const struct mete_reserve *args,
                            bool is_check);
void act_commit_as(struct world *w, struct engine *engine, struct call *call,
                   struct mete_usage *usage, size_t len);
void act_release_as(struct world *w, struct engine *engine, struct call *call);
void act_apply(struct world *w, struct engine *engine, const struct mete_change *changes,
               size_t len);
void act_pass(struct world *w, struct engine *engine, int64_t to_us);
void act_restarted(struct world *w, struct engine *engine);

/* ---- company.c: 64 clients of one company ---- */
void company_begin(struct world *w, struct engine *engine);
void company_act(struct world *w, struct engine *engine, struct tape *tape);

/* ---- Features: what the engine does today; a row goes when all are on ---- */
enum feature {
    FEATURE_PERIODS, /* minute, week, quarter, year */
    FEATURE_ROLLING,
    FEATURE_ZONES,
    FEATURE_ANCHORS,
    FEATURE_METERS,  /* built-in ones but cost, total tokens, requests */
    FEATURE_TAGS,    /* tags and sessions of calls */
    FEATURE_MATCHES, /* narrowed budgets */
    FEATURE_SOFT,
    FEATURE_ROLLOVER,
    FEATURE_CONTROLS,
    FEATURE_TEMPLATES,
    FEATURE_INCREASES,
    FEATURE_RATES,
    FEATURE_QUOTAS,
    FEATURE_EXCHANGE,
    FEATURE_END_SCOPE,
    FEATURE_MOVE_SCOPE,
    FEATURE_EXTEND,
    FEATURE_CORRECT,
    FEATURES
};
extern unsigned char features[FEATURES];

#endif
