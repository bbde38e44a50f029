/* SPDX-License-Identifier: Apache-2.0
 *
 * mete.h - the spend-control engine as a library.
 *
 * WHAT IT PROMISES
 *   A caller asks before it spends (mete_reserve), says afterwards what was really used
 *   (mete_commit), and the engine keeps `committed + held <= limit` for every enforced budget at
 *   every instant, however many threads ask (INV-01). An answer is given only after the journal
 *   entry it rests on is on disk (INV-05). After a crash every acknowledged change is there, once.
 *
 * HOW IT IS USED
 *   mete_open() gives an engine. Each thread that talks to it opens a port (mete_port_open) and
 *   either calls the plain functions below, which wait for their answer, or submits operations
 *   (mete_submit) and collects them with mete_poll() when mete_port_fd() becomes readable.
 *   A port belongs to one thread at a time. Different ports may be used at the same time.
 *
 * THREADS
 *   One owner holds the ledger. With METE_OWNER_THREAD it is a thread of the engine's; with
 *   METE_OWNER_CALLER it is whoever calls mete_turn(), so that an event loop may be the owner and
 *   save two wake-ups. A writer thread flushes; a projector thread writes the records people query.
 *
 * MONEY, QUANTITIES, TIME
 *   Money is int64 nano-units (10^-9) of a currency; every other meter counts whole units. Both are
 *   0 .. METE_AMOUNT_MAX. Instants are microseconds since 1970-01-01T00:00:00Z.
 *   Reservations round up, charges round half to even, once per call and currency (INV-08).
 *
 * MEMORY
 *   Arguments are borrowed: until the call returns, or for a submitted operation until mete_poll()
 *   has handed it back. The engine never keeps a caller's pointer afterwards.
 *
 * ERRORS
 *   Functions return 0 or a negative METE_E_ code (tables/errors.h). On an error nothing has
 *   changed and no ret_ parameter was touched, but for METE_E_ENDED, which tells how it ended. A
 *   refusal is a result, not an error: see struct mete_verdict. After a failed write or flush the
 *   process ends (INV-15).
 */
#ifndef METE_H
#define METE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define METE_VERSION "0.1.0"

#if defined(__GNUC__)
#define METE_API __attribute__((visibility("default")))
#define METE_MUST_USE __attribute__((warn_unused_result))
#else
#define METE_API
#define METE_MUST_USE
#endif

/* ---- Values ---------------------------------------------------------------------------------- */

/* Borrowed bytes, not terminated. Identifiers are 1..128 bytes of printable ASCII without space. */
struct mete_text {
    const char *data;
    size_t len;
};

struct mete_instant {
    int64_t us; /* microseconds since 1970-01-01T00:00:00Z */
};

/* Handles. 0 is none. A handle is a function of the journal: it is the same after a restart. */
struct mete_scope_id {
    uint32_t n;
};
struct mete_budget_id {
    uint32_t n;
};
struct mete_rate_id {
    uint32_t n;
};
struct mete_grant_id {
    uint32_t n;
};
struct mete_reservation_id {
    uint64_t n;
};

/* Largest amount of any meter: 4.6e18, about 4.6 billion in a currency's units. */
#define METE_AMOUNT_MAX (INT64_MAX / 2)

/* ISO 4217 code as a number, 'U','S','D' for US dollars. 0 where a meter is not money. */
#define METE_CURRENCY(a, b, c) ((uint32_t)(a) << 16 | (uint32_t)(b) << 8 | (uint32_t)(c))
#define METE_USD METE_CURRENCY('U', 'S', 'D')

/* What is counted. Meters of the user's own get numbers from METE_METER_CUSTOM up, in the order in
 * which METE_PUT_METER made them. */
enum mete_meter {
    METE_COST = 0,     /* nano-units of a currency */
    METE_INPUT,        /* every token billed on the input side, cache reads and writes included */
    METE_CACHED_INPUT, /* the part of METE_INPUT read from the provider's cache */
    METE_CACHE_WRITE,  /* the part of METE_INPUT written to it */
    METE_OUTPUT,       /* every token billed on the output side, reasoning included */
    METE_REASONING,    /* the part of METE_OUTPUT spent on reasoning */
    METE_TOTAL_TOKENS, /* METE_INPUT + METE_OUTPUT */
    METE_REQUESTS,
    METE_IMAGES,
    METE_AUDIO_SECONDS,
    METE_CACHE_WRITE_1H, /* the part of METE_CACHE_WRITE that stays there for an hour */
    METE_AUDIO_INPUT,    /* the part of METE_INPUT that is sound and not from the cache */
    METE_IMAGE_INPUT,    /* the part of METE_INPUT that is pictures and not from the cache */
    METE_AUDIO_OUTPUT,   /* the part of METE_OUTPUT that is sound */
    METE_IMAGE_OUTPUT,   /* the part of METE_OUTPUT that is pictures */
    METE_SEARCHES,       /* searches the provider made for a call, not tokens */
    METE_CHARACTERS,     /* of text that was spoken */
    METE_VIDEO_SECONDS,
    METE_LIST_COST, /* what METE_COST would be without a markup, in nano-units of its currency; of
                       calls that have one */
    METE_METERS_BUILTIN,
    METE_METER_CUSTOM = 64
};

/* Kinds of scope. The tree is: organization > department > user > api_key, each level optional,
 * departments up to three deep, and organization > advertiser > campaign. */
enum mete_kind {
    METE_KIND_NONE = 0,
    METE_ORGANIZATION,
    METE_DEPARTMENT,
    METE_USER,
    METE_API_KEY,
    METE_ADVERTISER,
    METE_CAMPAIGN,
    METE_KINDS
};

enum mete_period {
    METE_MINUTE = 0,
    METE_HOURLY,
    METE_DAILY,
    METE_WEEKLY,
    METE_MONTHLY,
    METE_QUARTERLY,
    METE_YEARLY,
    METE_TOTAL,
    METE_ROLLING,
    METE_PERIODS
};

enum mete_mode {
    METE_ENFORCE = 0, /* counts and refuses */
    METE_SHADOW,      /* counts and decides fully, never refuses; says what it would have done */
    METE_OFF          /* neither counts nor refuses */
};

/* Why a call was refused, in order of precedence: the first of a verdict is the primary one. */
enum mete_reason {
    METE_REASON_NONE = 0,
    METE_KEY_UNKNOWN,
    METE_KEY_EXPIRED,
    METE_KEY_REVOKED,
    METE_NOT_PERMITTED, /* model or endpoint not allowed */
    METE_UNPRICED,
    METE_EMERGENCY_STOP,
    METE_HARD_LIMIT, /* the scope nearest the leaf first, then by budget handle */
    METE_QUOTA,
    METE_THROTTLE,
    METE_RATE_LIMIT,
    METE_CONCURRENCY,
    METE_REASONS
};

enum mete_error {
    METE_OK = 0,
    METE_E_INVALID = -1,          /* an argument is out of its range */
    METE_E_NOT_FOUND = -2,        /* no such scope, budget or reservation */
    METE_E_EXISTS = -3,           /* the id is taken */
    METE_E_CONTENT = -4,          /* this request id was used with other content */
    METE_E_IN_FLIGHT = -5,        /* this request id is still being answered */
    METE_E_ENDED = -6,            /* the reservation has ended otherwise; the receipt says how */
    METE_E_FULL = -7,             /* a limit of the table is reached; later may work */
    METE_E_TOO_LARGE = -8,        /* one argument is larger than its limit */
    METE_E_NOT_YET = -9,          /* promised by this header, not built yet: see mete_not_yet() */
    METE_E_MEMORY = -10,          /* no memory; at open only */
    METE_E_STORAGE = -11,         /* the data directory cannot be read or written */
    METE_E_CORRUPT = -12,         /* what was read is damaged; of a start: the data */
    METE_E_LOCKED = -13,          /* another process has the data directory open */
    METE_E_FORMAT = -14,          /* the data was written by a newer mete */
    METE_E_CLOCK = -15,           /* the wall clock stands before the journal's last entry */
    METE_E_CLOSED = -16,          /* the engine is closing */
    METE_E_UNAUTHENTICATED = -17, /* no key, or an unknown one */
    METE_E_FORBIDDEN = -18,       /* the key may not do this */
    METE_E_BUSY = -19,            /* a ring is full: try again */
    METE_E_UPSTREAM = -20,        /* the provider could not be reached or broke off */
    METE_E_TIMEOUT = -21,         /* a time limit ran out */
    METE_E_UNPRICED = -22,        /* the model has no price */
    METE_E_SYNTAX = -23,          /* the bytes are not of their format */
    METE_E_METHOD = -24,          /* the path exists, the method does not */
    METE_E_DISK = -25,    /* the disk is nearly full: ends, corrections and administration still
                            work, new reservations do not */
    METE_E_CHANGED = -26, /* it has been changed since it was read */
    METE_E_LIMITED = -27  /* too many tries: wait before the next */
};

/* ---- Engine ---------------------------------------------------------------------------------- */

struct mete;
struct mete_port;
struct mete_op;

enum mete_owner { METE_OWNER_THREAD = 0, METE_OWNER_CALLER };

/* A clock of the caller's, for replaying traces and for tests. now_us must never go back. */
struct mete_clock {
    int64_t (*now_us)(void *user);
    void *user;
};

/* How long records are kept, in days; 0: for ever. What calls came to stays told exactly: sums by
 * the quarter of an hour for so many days as reports says, and before that by the day of UTC. */
struct mete_retention {
    uint32_t records; /* usage records; at least 2, for corrections */
    uint32_t events;  /* events of budgets, alerts */
    uint32_t reports; /* sums by the quarter of an hour */
};

struct mete_options {
    const char *directory; /* data directory, created if missing; NULL keeps all in memory */
    enum mete_owner owner;
    struct mete_clock clock;       /* now_us NULL: the system's, made monotone (INV-09) */
    int no_records;                /* 1: do not project records (they can be rebuilt later) */
    const char *sqlite_vfs;        /* NULL: the default; tests name one that lies */
    void (*wake)(void *wake_user); /* METE_OWNER_CALLER: called by another port's thread when the */
    void *wake_user;               /* owner may be asleep; must be callable from any thread */
    /* Capacities; 0 takes the value of tables/limits.h. Address space only, until used. */
    uint32_t scopes_max, budgets_max, reservations_max, outcomes_max;
    uint64_t free_reserve; /* bytes of the file system that admission leaves free; 0: the table's */
    uint64_t snapshot_entries; /* entries between two snapshots; 0: the table's */
    uint32_t audit_ppm;        /* share of one core the online audit may take; 0: the table's */
    int no_audit;              /* 1: neither audit nor snapshots of its own accord */
    struct mete_retention retention;
};

/* Opens the engine, recovers from its journal, and projects what the records lack. Reservations
 * made with METE_RESERVE_CALL that were open at the crash end charged at their worst case.
 * Errors: INVALID, MEMORY, STORAGE, CORRUPT, LOCKED, FORMAT, CLOCK.
 * Cost: linear in the journal. Any thread. */
METE_API METE_MUST_USE int mete_open(const struct mete_options *options, struct mete **ret_mete);

/* Flushes what is accepted, stops the threads, closes the files. All ports must be closed. */
METE_API void mete_close(struct mete *mete);

/* Runs the owner once, without waiting: takes what the ports hold, applies it, hands it to the
 * writer. METE_OWNER_CALLER only, always from the same thread. Returns how many operations it
 * took. *ret_next gets the instant at which it wants to be called again though nothing arrives
 * (an expiry), INT64_MAX us for never; ret_next may be NULL. */
METE_API size_t mete_turn(struct mete *mete, struct mete_instant *ret_next);

/* The instant the next operation would be stamped with. Any thread. */
METE_API struct mete_instant mete_now(const struct mete *mete);

/* Any thread. Errors: FULL (LIMIT_PORTS), MEMORY. */
METE_API METE_MUST_USE int mete_port_open(struct mete *mete, struct mete_port **ret_port);
METE_API void mete_port_close(struct mete_port *port);

/* Readable when mete_poll() has something to hand back. The descriptor is the port's. */
METE_API int mete_port_fd(const struct mete_port *port);

/* Puts operations on the port's ring. Returns how many were accepted, in order, from the front;
 * fewer than len means the ring is full: answer BUSY or poll first. Never blocks. */
METE_API size_t mete_submit(struct mete_port *port, struct mete_op *const *ops, size_t len);

/* Hands back finished operations in the order of their completion: sets op->status and the
 * result, then calls op->done(op) on this thread. At most max. Never blocks. Returns the count. */
METE_API size_t mete_poll(struct mete_port *port, size_t max);

/* ---- Asking and charging --------------------------------------------------------------------- */

/* What a reservation sets aside of one meter: fixed + ceil(per_million * quantity / 10^6), where
 * quantity is what is granted between floor and wish. One demand per (meter, currency). */
struct mete_demand {
    uint16_t meter;
    uint32_t currency;   /* METE_COST only */
    int64_t fixed;       /* 0 .. METE_AMOUNT_MAX */
    int64_t per_million; /* 0 .. METE_AMOUNT_MAX */
};

#define METE_DEMANDS_MAX 16
#define METE_TAGS_MAX 16

enum mete_expiry {
    METE_EXPIRY_RELEASE = 0, /* the amounts return */
    METE_EXPIRY_CHARGE       /* charged provisionally at the reserved amounts */
};

enum {
    METE_RESERVE_CALL = 1 /* lives until its end however long that takes; a crash charges it */
};

struct mete_reserve {
    struct mete_scope_id scope;
    struct mete_text request_id;  /* empty: not idempotent. 1..128 bytes, unique per scope */
    uint64_t content;             /* hash of what is asked; same id, other content: CONTENT. The
                                     record of a METE_RESERVE_CALL has it keyed; 0: not known */
    struct mete_text model;       /* 0..128 bytes, for the record, as all that follows to tags */
    struct mete_text provider;    /* 0..64 bytes */
    struct mete_text session;     /* 0..128 bytes */
    const struct mete_text *tags; /* tags_len of 1..128 bytes each */
    size_t tags_len;              /* 0..METE_TAGS_MAX */
    const struct mete_demand *demands;
    size_t demands_len; /* 1..METE_DEMANDS_MAX */
    int64_t floor;      /* smallest quantity worth having, >= 0 */
    int64_t wish;       /* largest quantity wanted, >= floor; both 0: nothing to grant */
    int64_t ttl_ms;     /* 1 .. LIMIT_HOLD_MS */
    enum mete_expiry on_expiry;
    uint32_t flags;
};

/* What the figures mean:
 *   budget         limit in force, committed and held of the window; asked is what the floor takes
 *   METE_QUOTA     limit: all that is granted and unexpired; committed: drawn of it; held of it
 *   METE_RATE_LIMIT  limit per period; held: how much of the burst is taken now
 *   METE_CONCURRENCY limit; held: reservations open now
 * resets_at: end of the window; of a rate limit when the floor fits; INT64_MAX us: never. */
struct mete_refusal {
    enum mete_reason reason;
    struct mete_scope_id scope;
    struct mete_budget_id budget; /* 0 when no budget is involved */
    struct mete_rate_id rate;     /* 0 when no rate limit is involved */
    uint16_t meter;
    uint16_t shadow; /* 1: a shadow budget would have refused; it did not */
    uint32_t currency;
    int64_t limit, committed, held;
    int64_t asked; /* what the floor would have taken */
    struct mete_instant resets_at;
};

/* Most refusals one verdict can list: budgets, rate limits and quotas on the longest path. */
#define METE_REFUSALS_MAX 96

enum mete_state { METE_HELD = 0, METE_COMMITTED, METE_RELEASED, METE_EXPIRED, METE_REFUSED };

struct mete_receipt {
    enum mete_state state;
    int64_t cost;    /* nano-units charged of the first METE_COST usage */
    int overrun;     /* more was used than was reserved, and of a meter that was not reserved: so
                        much that an enforced budget stands above its limit. Or a grant's balance
                        fell below zero */
    int repeated;    /* had already ended the same way with the same figures */
    int corrected;   /* it had expired, or ended provisionally: these are the true figures, and the
                        difference was charged in the same windows (INV-03) */
    uint64_t record; /* id of the usage record: the sequence number of its entry; 0: none */
};

enum {
    METE_ADVICE_DOWNGRADE = 1, /* a budget asks for a cheaper model (controls.downgrade_ppm) */
    METE_ADVICE_SOFT_LIMIT = 2 /* a budget stands at or over its soft limit */
};

struct mete_verdict {
    int allowed;
    struct mete_reservation_id reservation;
    struct mete_instant expires_at;
    int64_t granted;   /* quantity, floor..wish */
    int has_remaining; /* some enforced budget was touched */
    int64_t remaining; /* of the first demand's meter: what the tightest budget has left */
    struct mete_budget_id remaining_of;
    struct mete_instant retry_at; /* earliest instant at which asking again can help; 0: at once,
                                     INT64_MAX us: never, without an administrator */
    size_t refusals_len;       /* all that refused, then, with shadow set, those that would have */
    int repeated;              /* this is the stored answer to an earlier, equal request */
    uint32_t advice;           /* METE_ADVICE_ bits; of a repeated answer none */
    uint64_t seq;              /* journal entry this rests on; 0 when none was needed */
    struct mete_receipt ended; /* with METE_E_ENDED only: how the id's call ended */
};

struct mete_usage {
    uint16_t meter;
    uint32_t currency; /* METE_COST only */
    int64_t amount;    /* 0 .. METE_AMOUNT_MAX */
};

/* How a call ended, for its record. */
enum mete_ending {
    METE_ENDED_OK = 0,
    METE_ENDED_ERROR,       /* the provider answered with an error status */
    METE_ENDED_NO_USAGE,    /* finished, but the provider reported no usage: counted */
    METE_ENDED_CLIENT_GONE, /* the client left; drained to the end */
    METE_ENDED_CANCELLED,   /* the client left; the provider was cancelled: counted */
    METE_ENDED_LOST,        /* the provider broke off: counted */
    METE_ENDED_TIMEOUT,     /* a time limit ran out: counted */
    METE_ENDED_NOT_SENT,    /* nothing reached the provider */
    METE_ENDED_CUT,         /* ended at its bound */
    METE_ENDED_EXPIRED,     /* by the engine: nobody ended it in time */
    METE_ENDED_RECORDED,    /* metered after the fact */
    METE_ENDED_STOPPED,     /* an emergency stop's grace was over: counted */
    METE_ENDED_SHUTDOWN,    /* the gateway went down: counted */
    METE_ENDINGS
};

enum { METE_OUTCOME_PROVISIONAL = 1, METE_OUTCOME_COUNTED = 2 };

/* A part of what a call cost: what units of one meter came to that are in no other part
 * (METE_CACHED_INPUT: what was read from the cache; METE_INPUT: the rest of the input). */
struct mete_part {
    uint16_t meter; /* below METE_METERS_BUILTIN; no METE_COST, METE_TOTAL_TOKENS, METE_LIST_COST */
    int64_t nano;   /* of the currency of the call's first METE_COST; 0 .. METE_AMOUNT_MAX */
};

#define METE_PARTS_MAX 16

/* What is kept with the record of a call and nothing goes by. All of it may be left out. */
struct mete_details {
    struct mete_text model;       /* the provider's own name of the model that answered, if it is
                                     another than was asked for, 0..128 bytes */
    struct mete_text upstream_id; /* the provider's id of its answer, 0..128 bytes; the record is
                                     found by it */
    struct mete_text dialect;     /* wire format the caller spoke, 0..64 bytes */
    struct mete_text provider;    /* who answered, if another than was reserved for, 0..64 bytes */
    struct mete_text actor;       /* who said what it came to, where that is not the scope itself,
                                     0..128 bytes */
    int stream;                   /* 1: the answer came in pieces */
    int has_confidence;
    uint32_t confidence_ppm;       /* the caller's own, in millionths, 0 .. 10^6 */
    const struct mete_part *parts; /* of the cost: one a meter, and together exactly the usage's
                                      first METE_COST. Not of a provisional outcome */
    size_t parts_len;              /* 0..METE_PARTS_MAX; 0: it is not told apart */
    struct mete_text tariff;       /* which of a model's prices it was charged by, where a model
                                      has several: "batch", 0..64 bytes */
};

struct mete_outcome {
    enum mete_ending ending;
    uint32_t flags;
    uint16_t status; /* upstream HTTP status, 0 if none */
    uint16_t attempts;
    uint32_t latency_ms, first_token_ms;
    struct mete_text price_list; /* version that priced it, 0..64 bytes */
    struct mete_text note;       /* the caller's pairs: a JSON object, 0..LIMIT_NOTE bytes */
    struct mete_details details;
};

struct mete_commit {
    struct mete_reservation_id reservation;
    const struct mete_usage *usage; /* reserved meters that are not named were not used */
    size_t usage_len;               /* 0..METE_DEMANDS_MAX */
    struct mete_outcome outcome;
};

struct mete_record {
    struct mete_scope_id scope;
    struct mete_text request_id;
    uint64_t content;
    struct mete_text model, provider, session;
    const struct mete_text *tags; /* as in mete_reserve */
    size_t tags_len;
    const struct mete_usage *usage;
    size_t usage_len; /* 1..METE_DEMANDS_MAX */
    struct mete_outcome outcome;
};

/* Reserves on every enforced budget of the scope and its ancestors, or on none (INV-02).
 * refusals: room for refusals_max; verdict.refusals_len may be larger than what was stored.
 * Errors: INVALID, TOO_LARGE, NOT_FOUND (scope), CONTENT, ENDED (the id's call is over: for a
 * METE_RESERVE_CALL only, else the stored verdict is given; verdict.reservation and verdict.ended
 * then tell which call, its cost and its record), IN_FLIGHT, FULL, BUSY.
 * A METE_RESERVE_CALL that was charged nothing (released, or ended with no usage) gives its request
 * id back: the next reservation with that id, of whatever content, is a new one. */
METE_API METE_MUST_USE int mete_reserve(struct mete_port *port, const struct mete_reserve *args,
                                        struct mete_refusal *refusals, size_t refusals_max,
                                        struct mete_verdict *ret_verdict);

/* As mete_reserve, but takes nothing: advice. The verdict has no reservation. */
METE_API METE_MUST_USE int mete_check(struct mete_port *port, const struct mete_reserve *args,
                                      struct mete_refusal *refusals, size_t refusals_max,
                                      struct mete_verdict *ret_verdict);

/* Makes an open reservation larger or smaller, in the windows it was made in (INV-09). */
struct mete_extend {
    struct mete_reservation_id reservation;
    const struct mete_demand *demands; /* of meters the reservation demanded; each once */
    size_t demands_len;                /* 0..METE_DEMANDS_MAX; 0: only its time */
    int64_t floor, wish;               /* as in mete_reserve */
    int shrink;     /* 1: gives back what the demands come to at wish; never more than is held */
    int64_t ttl_ms; /* 0: expires when it did; else from now, 1 .. LIMIT_HOLD_MS */
};

/* Grants the largest quantity in floor..wish that every budget it took from, every rate limit and
 * every quota affords, or refuses and leaves the reservation as it is. An emergency stop refuses;
 * a revoked or expired scope does not, nor does a throttle. verdict.granted is of this call alone.
 * Errors: INVALID (also: a meter it did not demand, more given back than held), NOT_FOUND,
 * ENDED (verdict.ended says how), FULL, BUSY. */
METE_API METE_MUST_USE int mete_extend(struct mete_port *port, const struct mete_extend *args,
                                       struct mete_refusal *refusals, size_t refusals_max,
                                       struct mete_verdict *ret_verdict);

/* Ends a reservation with what was used, in the windows it was made in (INV-09). Never refused for
 * money: more than reserved is charged in full and flagged. Repeating it with the same usage gives
 * the same receipt.
 * A reservation that expired, or was committed with METE_OUTCOME_PROVISIONAL, takes the true usage
 * once within LIMIT_CORRECTION_S of its end: the signed difference is charged where the first
 * figures were, and the receipt says corrected (INV-03). It is how provisional records are settled.
 * Errors: INVALID, TOO_LARGE, NOT_FOUND (unknown, or ended and forgotten), ENDED (released, or
 * committed with other figures, or corrected already; the receipt says how), BUSY. */
METE_API METE_MUST_USE int mete_commit(struct mete_port *port, const struct mete_commit *args,
                                       struct mete_receipt *ret_receipt);

/* Ends a reservation with nothing used. Repeatable. Errors as mete_commit. */
METE_API METE_MUST_USE int mete_release(struct mete_port *port, struct mete_reservation_id id,
                                        struct mete_receipt *ret_receipt);

/* Charges usage that was never reserved. Never refused for money. Errors as mete_reserve. */
METE_API METE_MUST_USE int mete_record(struct mete_port *port, const struct mete_record *args,
                                       struct mete_receipt *ret_receipt);

/* ---- Administration -------------------------------------------------------------------------- */

struct mete_scope_spec {
    enum mete_kind kind;
    struct mete_text id;               /* unique per (kind, organization) */
    struct mete_scope_id organization; /* none for an organization itself */
    struct mete_scope_id parent;       /* none for an organization */
    struct mete_instant expires_at;    /* 0: never. Afterwards reservations are refused */
    int revoked;                       /* 1: reservations are refused; open ones run on */
};

#define METE_THRESHOLDS_MAX 8

/* Narrows a budget or rate limit to some calls. Of each kind that is named at least one pattern
 * must match; kinds that are not named match every call. A pattern is the whole text, or its
 * beginning followed by '*'. A call without the text matches only "*". */
enum mete_match_kind {
    METE_MATCH_MODEL = 1,
    METE_MATCH_PROVIDER,
    METE_MATCH_TAG, /* one of the call's tags */
    METE_MATCH_SESSION
};

#define METE_MATCHES_MAX 16

struct mete_match {
    enum mete_match_kind kind;
    struct mete_text pattern; /* 1..128 bytes */
};

/* What a budget does as committed nears its limit (INV-10). Shares are of the limit in force, in
 * millionths, 1 .. 10^6; 0: not at all. */
struct mete_controls {
    uint32_t throttle_ppm;      /* from here on only a share of the reservations is admitted, */
    uint32_t throttle_rate_ppm; /* this one, evenly per (budget, leaf): 0 .. 10^6 */
    uint32_t stop_ppm;      /* emergency stop: refuses all until the window ends or it is lifted */
    uint32_t downgrade_ppm; /* verdicts advise a cheaper model */
    uint32_t grace_s;       /* after a stop, running calls have so long; 0 .. 86400 */
    uint32_t cooldown_s;    /* between two control actions (throttle, stop); after a lift: before
                               the next stop; 0 after a lift: not again in this window */
};

struct mete_budget_spec {
    struct mete_text id;        /* unique per organization */
    struct mete_scope_id scope; /* what it limits; cannot change */
    enum mete_kind for_kind;    /* not NONE: a template. scope is an organization, and each scope
                                   of this kind in it gets such a budget of its own, with the id
                                   ID~HANDLE, when first charged. Template ids have at most 117
                                   bytes. Changes of it reach later ones only. Cannot change */
    uint16_t meter;             /* any; cannot change */
    uint32_t currency;          /* METE_COST only; cannot change */
    int64_t limit;              /* 0 refuses everything */
    enum mete_period period;    /* cannot change, nor can what places its windows: */
    struct mete_text time_zone; /* IANA name, 0..64 bytes; empty: UTC */
    int64_t anchor;             /* WEEKLY first day 1 Monday .. 7; MONTHLY first day 1..31;
                                   QUARTERLY, YEARLY MMDD; DAILY seconds after midnight; 0: the
                                   plain calendar */
    int64_t window_seconds;     /* ROLLING only: 1 .. LIMIT_ROLLING_S */
    struct mete_match matches[METE_MATCHES_MAX]; /* cannot change */
    size_t matches_len;
    enum mete_mode mode;
    uint32_t thresholds_ppm[METE_THRESHOLDS_MAX]; /* of the limit, ascending, 1 .. 10^6 */
    size_t thresholds_len;
    int64_t soft_limit;   /* event and advice when committed reaches it; 0: none */
    int64_t rollover_cap; /* most that one window hands to the next; 0: nothing. Not for
                             TOTAL and ROLLING */
    struct mete_controls controls;
    struct mete_instant starts_at, ends_at; /* counts only calls that are made starts_at <= t <
                                               ends_at; what they took stays. 0: since ever, for
                                               ever. starts_at < ends_at, and not with a
                                               rollover_cap */
};

/* A dated increase of a budget's limit: counts from <= t < until. Never rolls over. It is only ever
 * made, and ended. At most LIMIT_INCREASES of a budget that have not ended: FULL. */
struct mete_increase_spec {
    struct mete_budget_id budget;
    int64_t amount;                  /* 1 .. METE_AMOUNT_MAX */
    struct mete_instant from, until; /* until: after now */
};

/* Requests, tokens or any other meter per period, by GCRA: a burst at once, then evenly. Or calls
 * at once. */
struct mete_rate_spec {
    struct mete_text id;        /* unique per organization, apart from budgets */
    struct mete_scope_id scope; /* cannot change */
    int concurrent;    /* 1: limits open reservations; meter, period and burst do not count */
    uint16_t meter;    /* METE_REQUESTS: a call that does not demand it counts 1. Cannot
                          change */
    uint32_t currency; /* METE_COST only */
    int64_t limit;     /* a period's worth; 0 refuses everything */
    int64_t period_ms; /* 1 .. LIMIT_RATE_PERIOD_MS; limit, burst and period together are
                          bounded: INVALID */
    int64_t burst;     /* at once; 0: limit */
    enum mete_mode mode;
    struct mete_match matches[METE_MATCHES_MAX]; /* cannot change */
    size_t matches_len;
};

/* A grant: prepaid balance. A scope that has one in a meter has a quota in it: every reservation
 * demanding the meter must be covered by its unexpired grants, drawn lowest priority first, then
 * by expiry, then by creation (INV-14). */
struct mete_grant_spec {
    struct mete_text id;            /* unique per organization, for ever */
    struct mete_scope_id scope;     /* cannot change */
    uint16_t meter;                 /* cannot change */
    uint32_t currency;              /* METE_COST only; cannot change */
    int64_t amount;                 /* 0 .. METE_AMOUNT_MAX; not lowered below drawn + held */
    uint32_t priority;              /* lower is drawn first */
    struct mete_instant expires_at; /* 0: never. What was held by then may still be charged */
    struct mete_text source;        /* "membership", "purchase", "admin", ...: 0..64 bytes */
};

/* A document of the caller's own, which the engine journals and projects and never reads: the last
 * one put under (kind, organization, id) counts. In one batch with other changes it is there if and
 * only if they are. */
struct mete_document_id {
    uint16_t kind;                     /* the caller's: 1 .. METE_DOCUMENT_KINDS */
    struct mete_scope_id organization; /* n = 0: the installation's */
    struct mete_text id;               /* 1..128 bytes, as other ids */
};
enum { METE_DOCUMENT_KINDS = 255 };

/* One unit of `from` is numerator / denominator units of `to`, from effective_at on. */
struct mete_exchange_spec {
    uint32_t from, to;
    int64_t numerator, denominator; /* 1 .. 10^18 */
    struct mete_instant effective_at;
};

enum mete_change_kind {
    METE_PUT_SCOPE = 1,  /* creates it, or changes expires_at, revoked and the document */
    METE_PUT_BUDGET,     /* creates it, or changes what may change and the document */
    METE_END_BUDGET,     /* deletes it: no longer counted; a tombstone while reservations hold it */
    METE_END_SCOPE,      /* deletes it with its budgets, rate limits and quotas: it refuses from now
                            on, a tombstone while it is held. Its children go first: INVALID */
    METE_MOVE_SCOPE,     /* another parent of the same organization; what is open stays where it is.
                            INVALID: it may not stand there. FULL: too many calls are still open */
    METE_PUT_GRANT,      /* creates it, or changes amount, priority, expires_at, source */
    METE_PUT_RATE_LIMIT, /* creates it, or changes limit, period, burst, mode */
    METE_END_RATE_LIMIT,
    METE_END_QUOTA,    /* the scope has no quota in that meter any more */
    METE_REFUND,       /* gives back to a grant some of what was drawn from it */
    METE_PUT_INCREASE, /* handle: its number at the budget */
    METE_END_INCREASE,
    METE_LIFT_STOP,    /* ends an emergency stop */
    METE_PUT_EXCHANGE, /* a rate; rates are only ever added; handle: its number */
    METE_PUT_METER,    /* names a meter of the user's own; handle: its number */
    METE_PUT_DOCUMENT, /* no flags: whether it is there is not the ledger's to know */
    METE_END_DOCUMENT  /* nothing, if it is not there */
};

enum {
    METE_CHANGE_CREATE = 1, /* EXISTS if it is there */
    METE_CHANGE_UPDATE = 2  /* NOT_FOUND if it is not */
};

struct mete_change {
    enum mete_change_kind kind;
    uint32_t flags;
    struct mete_scope_spec scope;        /* PUT_SCOPE */
    struct mete_budget_spec budget;      /* PUT_BUDGET */
    struct mete_budget_id end;           /* END_BUDGET, LIFT_STOP, END_INCREASE */
    struct mete_scope_id at;             /* END_SCOPE, MOVE_SCOPE, END_QUOTA */
    struct mete_scope_id parent;         /* MOVE_SCOPE */
    struct mete_rate_spec rate;          /* PUT_RATE_LIMIT */
    struct mete_rate_id end_rate;        /* END_RATE_LIMIT */
    struct mete_grant_spec grant;        /* PUT_GRANT; END_QUOTA: meter and currency */
    struct mete_grant_id refund;         /* REFUND */
    int64_t amount;                      /* REFUND: 1 .. what is drawn */
    struct mete_increase_spec increase;  /* PUT_INCREASE */
    uint32_t end_increase;               /* END_INCREASE: its number at the budget */
    struct mete_exchange_spec exchange;  /* PUT_EXCHANGE */
    struct mete_text meter;              /* PUT_METER: 1..64 bytes, unique */
    struct mete_document_id at_document; /* PUT_DOCUMENT, END_DOCUMENT */
    /* In a batch a scope or parent may be one that an earlier change of the batch creates: set
     * the handle's n to METE_FROM_CHANGE(i), i being that change's index. */
    struct mete_text document; /* JSON the engine keeps and projects but does not read,
                                  0..LIMIT_DOCUMENT bytes */
};
#define METE_FROM_CHANGE(i) (UINT32_C(0x80000000) + (uint32_t)(i))

struct mete_apply {
    const struct mete_change *changes; /* all are applied, or none */
    size_t len;                        /* 1..LIMIT_CHANGES */
    struct mete_text actor;            /* who did it, 0..128 bytes */
};

struct mete_applied {
    uint64_t seq;  /* entry of the first change */
    size_t failed; /* on an error: index of the change that was wrong */
};

/* handles: gets what each change made or touched, in order: the handle of a scope, budget, rate
 * limit or grant, the number of a meter, increase or exchange rate, 0 of others. len of them. */
METE_API METE_MUST_USE int mete_apply(struct mete_port *port, const struct mete_apply *args,
                                      uint32_t *ret_handles, struct mete_applied *ret_applied);

/* ---- Questions: answered by the owner, after the flush they observed ------------------------- */

struct mete_budget_view {
    struct mete_budget_id budget;
    struct mete_scope_id scope, organization;
    enum mete_kind scope_kind;
    char id[129]; /* terminated */
    uint16_t meter;
    uint32_t currency;
    enum mete_period period;
    enum mete_mode mode;
    int64_t limit;      /* in force now: base_limit + carried + increases */
    int64_t base_limit; /* as it was set */
    int64_t carried;    /* from the window before */
    int64_t increased;  /* by dated increases, now */
    int64_t committed, held;
    struct mete_instant window_start, window_end; /* INT64_MAX us: no end. ROLLING: the stretch that
                                                     counts now */
    char time_zone[65];
    int64_t anchor, window_seconds;
    struct mete_match matches[METE_MATCHES_MAX]; /* patterns borrow until mete_close() */
    size_t matches_len;
    int64_t soft_limit, rollover_cap;
    struct mete_controls controls;
    struct mete_instant starts_at, ends_at; /* 0: since ever, for ever */
    struct mete_instant stopped_at;         /* 0: no emergency stop is on */
    int throttled;                          /* 1: the throttle is on */
    int soft_limit_reached;
    enum mete_kind for_kind;           /* a template's */
    struct mete_budget_id template_of; /* 0: made by hand */
    uint32_t revision;                 /* of the limit */
    uint32_t thresholds_ppm[METE_THRESHOLDS_MAX];
    size_t thresholds_len;
    uint32_t fired; /* bit i: threshold i has fired in this window */
    int ended;
};

struct mete_increase_view {
    struct mete_budget_id budget;
    uint32_t number; /* at its budget */
    int64_t amount;
    struct mete_instant from, until;
    int active; /* 1: the limit in force has it */
};

struct mete_rate_view {
    struct mete_rate_id rate;
    struct mete_scope_id scope;
    char id[129];
    int concurrent;
    uint16_t meter;
    uint32_t currency;
    int64_t limit, period_ms, burst;
    enum mete_mode mode;
    struct mete_match matches[METE_MATCHES_MAX]; /* patterns borrow until mete_close() */
    size_t matches_len;
    int64_t taken; /* of the burst, rounded up; of a concurrent one the calls open now */
    struct mete_instant full_at; /* when all of the burst is there again */
    int ended;
};

struct mete_grant_view {
    struct mete_grant_id grant;
    struct mete_scope_id scope;
    char id[129];
    char source[65];
    uint16_t meter;
    uint32_t currency, priority;
    int64_t amount, drawn, held; /* balance: amount - drawn - held */
    struct mete_instant expires_at, made_at;
    int expired;
};

struct mete_quota_view {
    struct mete_scope_id scope;
    uint16_t meter;
    uint32_t currency;
    int64_t granted, drawn, held; /* of unexpired grants */
    int64_t balance; /* granted - drawn - held: what is there to be reserved; below 0 after an
                        overrun */
};

struct mete_exchange_view {
    uint32_t number; /* in order of their making, from 1 */
    struct mete_exchange_spec rate;
    uint64_t seq; /* of the entry that added it */
    int in_force; /* now */
};

struct mete_scope_view {
    struct mete_scope_id scope, organization, parent;
    enum mete_kind kind;
    char id[129];
    struct mete_instant expires_at;
    int revoked;
    int ended;
};

struct mete_reservation_view {
    struct mete_reservation_id id;
    enum mete_state state;
    struct mete_scope_id scope, organization;
    struct mete_instant made_at, expires_at; /* PROVISIONAL: until then it takes a correction */
    int64_t granted;
    struct mete_demand amounts[METE_DEMANDS_MAX]; /* fixed: what is held of each meter;
                                                     PROVISIONAL: what was charged */
    size_t amounts_len;
    uint64_t record; /* PROVISIONAL: id of the usage record that it ended with; else 0 */
};

struct mete_stats {
    uint64_t seq;       /* last entry applied */
    uint64_t flushed;   /* last entry durable */
    uint64_t projected; /* last entry in the records */
    uint64_t scopes, budgets, reservations_open, outcomes;
    uint64_t reserves, refused, commits, releases, expiries, records, overruns, repeats;
    uint64_t drift;        /* counters that differ from base plus entries; must be 0 */
    uint64_t audited;      /* entries whose counters have been audited while running */
    uint64_t snapshot;     /* last entry in the newest verified snapshot */
    uint64_t base;         /* last entry before which the journal has been cut */
    uint64_t free_bytes;   /* of the file system; 0: not known */
    int admission_stopped; /* 1: fewer are free than the reserve */
    uint64_t rates, grants, corrections, extends;
    uint64_t flushes;
    uint64_t flush_us_sum;
    uint64_t flush_us_bucket[24]; /* bucket i: flushes of at most 2^i us, not cumulative */
    uint64_t journal_bytes;
    uint32_t ring_used, records_queued;
};

enum mete_query_kind {
    METE_QUERY_SCOPE = 1,   /* by handle                         -> scope */
    METE_QUERY_FIND_SCOPE,  /* by kind, id, organization         -> scope; NOT_FOUND. An ended one
                               still has its id while calls of it are open: see scope.ended */
    METE_QUERY_BUDGET,      /* by handle, as of now              -> budget */
    METE_QUERY_FIND_BUDGET, /* by id, organization               -> budget; NOT_FOUND */
    METE_QUERY_PATH,        /* budgets of a scope and its ancestors, leaf first -> budgets */
    METE_QUERY_RESERVATION, /* by handle                         -> reservation; NOT_FOUND */
    METE_QUERY_STATS,       /*                                   -> stats */
    METE_QUERY_HASH,        /* hash of the whole state           -> hash; linear in the state */
    METE_QUERY_PROJECTED,   /* answered once all entries before it are in the records; with
                               of_changes those that make, change or end a scope, budget, rate
                               limit, grant or document, and other administration: seldom any
                               that is not there yet */
    METE_QUERY_RATES,       /* rate limits of a scope and its ancestors, leaf first -> rates */
    METE_QUERY_FIND_RATE,   /* by id, organization              -> rate; NOT_FOUND */
    METE_QUERY_QUOTAS,      /* quotas of one scope, by handle   -> quotas */
    METE_QUERY_GRANTS,      /* grants of one scope's meter, as they will be drawn, then the
                               expired and empty ones           -> grants */
    METE_QUERY_FIND_GRANT,  /* by id, organization              -> grant; NOT_FOUND */
    METE_QUERY_FIND_METER,  /* by id                            -> number; NOT_FOUND */
    METE_QUERY_METER,       /* by number                        -> text; NOT_FOUND */
    METE_QUERY_PROVISIONAL, /* reservations that still take a correction, oldest first, after
                               `reservation`                    -> reservations */
    METE_QUERY_INCREASES,   /* of a budget, as of now: those that have not ended, by number
                                                               -> increases */
    METE_QUERY_EXCHANGES,   /* exchange rates after `after`, in order of their making
                                                                -> exchanges */
    METE_QUERY_RATE         /* by handle, as of now              -> rate; NOT_FOUND */
};

struct mete_query {
    enum mete_query_kind kind;
    struct mete_scope_id scope;
    struct mete_budget_id budget;
    struct mete_rate_id rate;
    struct mete_reservation_id reservation;
    int of_changes; /* PROJECTED */
    enum mete_kind scope_kind;
    struct mete_text id;
    struct mete_scope_id organization;
    struct mete_budget_view *budgets; /* PATH: room for budgets_max */
    size_t budgets_max;
    struct mete_rate_view *rates; /* RATES: room for rows_max; likewise the others */
    struct mete_quota_view *quotas;
    struct mete_grant_view *grants;
    struct mete_reservation_view *reservations;
    struct mete_increase_view *increases;
    struct mete_exchange_view *exchanges;
    uint32_t after; /* EXCHANGES: a number; 0: from the first */
    size_t rows_max;
    uint16_t meter; /* GRANTS, METER */
    uint32_t currency;
};

struct mete_answer {
    struct mete_scope_view scope;
    struct mete_budget_view budget;
    struct mete_reservation_view reservation;
    struct mete_stats stats;
    uint8_t hash[32];
    size_t budgets_len; /* PATH: how many there are, maybe more than were stored */
    size_t rows_len;    /* RATES, QUOTAS, GRANTS, PROVISIONAL, INCREASES, EXCHANGES: likewise */
    struct mete_rate_view rate;
    struct mete_grant_view grant;
    uint32_t number;
    char text[129];
    uint64_t seq; /* state as of this entry */
};

METE_API METE_MUST_USE int mete_query(struct mete_port *port, const struct mete_query *args,
                                      struct mete_answer *ret_answer);

/* ---- Operations: the same, submitted --------------------------------------------------------- */

enum mete_op_kind {
    METE_OP_RESERVE = 1,
    METE_OP_CHECK,
    METE_OP_EXTEND,
    METE_OP_COMMIT,
    METE_OP_RELEASE,
    METE_OP_RECORD,
    METE_OP_APPLY,
    METE_OP_QUERY
};

/* Caller's memory, pinned from mete_submit() until done() is called. Set kind, the argument, the
 * places for results, and done. */
struct mete_op {
    enum mete_op_kind kind;
    int status; /* result: 0 or METE_E_ */
    union {
        struct mete_reserve reserve; /* RESERVE, CHECK */
        struct mete_extend extend;
        struct mete_commit commit;
        struct mete_reservation_id release;
        struct mete_record record;
        struct mete_apply apply;
        struct mete_query query;
    } args;
    struct mete_refusal *refusals; /* RESERVE, CHECK, EXTEND: room for refusals_max, may be NULL */
    size_t refusals_max;
    uint32_t *handles; /* APPLY */
    union {
        struct mete_verdict verdict; /* RESERVE, CHECK, EXTEND */
        struct mete_receipt receipt; /* COMMIT, RELEASE, RECORD */
        struct mete_applied applied; /* APPLY */
        struct mete_answer *answer;  /* QUERY: caller's room */
    } result;
    void (*done)(struct mete_op *op);
    void *user;
    void *engine_next; /* the engine's while submitted */
};

/* ---- Events: what happened that somebody may want to know ------------------------------------ */

enum mete_event_kind {
    METE_EVENT_THRESHOLD = 1, /* a budget's committed reached a threshold, once (INV-10) */
    METE_EVENT_OVERRUN,       /* more was charged than reserved, or committed passed a limit */
    METE_EVENT_EXPIRED,       /* a reservation ended because nobody ended it */
    METE_EVENT_LIMIT_BELOW, /* a limit fell below what is already used: set, or an increase ended */
    METE_EVENT_SOFT_LIMIT,  /* committed reached the soft limit, once a window and revision */
    METE_EVENT_THROTTLED,   /* a throttle began */
    METE_EVENT_STOPPED,     /* an emergency stop began; running calls have controls.grace_s */
    METE_EVENT_LIFTED,      /* an operator ended one */
    METE_EVENT_QUOTA_OVERRUN, /* a grant's balance fell below zero */
    METE_EVENT_CORRECTED,     /* an ended reservation got its true figures */
    METE_EVENTS
};

struct mete_event {
    enum mete_event_kind kind;
    struct mete_instant at;
    uint64_t seq;
    struct mete_scope_id scope;
    struct mete_budget_id budget;
    struct mete_grant_id grant;
    struct mete_reservation_id reservation; /* EXPIRED, CORRECTED */
    uint32_t threshold_ppm; /* THRESHOLD, THROTTLED, STOPPED: the share that was reached */
    int64_t limit, committed, held;
};

/* Calls fn for each event after its entry is durable, on the thread that flushes: return quickly.
 * One listener; set before the first operation. */
METE_API void mete_on_event(struct mete *mete, void (*fn)(void *user, const struct mete_event *),
                            void *user);

/* ---- Looking after the data: any thread, blocks, beside the traffic -------------------------- */

/* From now on; removing begins within a minute. It does not block. INVALID: records below 2. */
METE_API METE_MUST_USE int mete_retain(struct mete *mete, const struct mete_retention *retention);

/* Writes a snapshot of the state as of now or a little later, verified by replaying the journal
 * up to it; the owner does not pause for it. Memory: a second copy of the state while it runs. */
METE_API METE_MUST_USE int mete_snapshot(struct mete *mete, uint64_t *ret_seq);

/* Makes a new verified snapshot the base and deletes the journal before it, in small steps, once
 * the records have what it held. The chain goes on from the base's hash. */
METE_API METE_MUST_USE int mete_cut(struct mete *mete, uint64_t *ret_seq);

/* Copies the data into a new directory that opens and verifies like the first. Errors: EXISTS,
 * STORAGE, CORRUPT. */
METE_API METE_MUST_USE int mete_backup(struct mete *mete, const char *directory, uint64_t *ret_seq);

/* One entry that changed a budget's figures, and how they stood after it. */
struct mete_step {
    uint64_t seq;
    struct mete_instant at;
    const char *what; /* "reserve", "commit", "window", ...: as in docs/journal-format.md; "before":
                         no entry, but how it stood when the telling begins */
    struct mete_scope_id scope; /* leaf of the call; 0: administration */
    struct mete_reservation_id reservation;
    struct mete_instant window_start; /* of the window it counted in */
    int64_t limit, committed, held;   /* of that window, afterwards; the limit is the present one */
};

/* Calls fn for each durable entry since `since` that changed the budget's figures, in order; first,
 * if the budget was there, a step "before", so that they add up. A call that ends in a window that
 * is over is a step of that window. Of what lies before the base nothing is told. fn returning
 * non-zero stops and is returned. Reads the journal from the newest snapshot before since on, into
 * a ledger of its own; the owner is not asked. Errors: NOT_FOUND, BUSY (the journal was cut
 * meanwhile: ask again), INVALID (in memory there is no journal), MEMORY, STORAGE, CORRUPT. */
METE_API METE_MUST_USE int mete_explain(struct mete *mete, struct mete_budget_id budget,
                                        struct mete_instant since,
                                        int (*fn)(void *user, const struct mete_step *step),
                                        void *user);

struct mete_quota_question {
    struct mete_scope_id scope;
    uint16_t meter;
    uint32_t currency; /* METE_COST only */
    struct mete_instant since;
};

/* One entry that changed what a quota's unexpired grants come to, and how they stood after it. */
struct mete_quota_step {
    uint64_t seq;
    struct mete_instant at;
    const char *what; /* as of struct mete_step; "grant_expired": no entry, but seen before it */
    struct mete_scope_id scope; /* leaf of the call; 0: administration */
    struct mete_reservation_id reservation;
    char grant[129];              /* id of what was granted or refunded; else empty */
    int64_t granted, drawn, held; /* afterwards */
};

/* As mete_explain, of the quota that a scope has, or had, in a meter: what was granted, held,
 * drawn, given back, refunded and ended since. */
METE_API METE_MUST_USE int
mete_explain_quota(struct mete *mete, const struct mete_quota_question *question,
                   int (*fn)(void *user, const struct mete_quota_step *step), void *user);

/* ---- Words ----------------------------------------------------------------------------------- */

METE_API const char *mete_error_name(int error); /* "not_found"; never NULL */
METE_API const char *mete_error_text(int error); /* a sentence; never NULL */
/* What this header promises and this version does not do: entry i, NULL past the last. */
METE_API const char *mete_not_yet(size_t i);

#ifdef __cplusplus
}
#endif

#endif
