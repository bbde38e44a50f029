/* SPDX-License-Identifier: Apache-2.0
 * Journal entries: every change of the ledger's state is one of these, in memory here and packed
 * by entry_write() (docs/journal-format.md has the bytes; a plain reserve or commit is under 128).
 * An entry holds everything its application needs: no clock, no zone data, no configuration, so
 * that a replay is a function of the journal alone (INV-06). Slices borrow: from the caller's
 * arguments on the way in, from the packed bytes on the way back. */
#ifndef LEDGER_ENTRY_H
#define LEDGER_ENTRY_H

#include "base/slice.h"
#include "base/varint.h"
#include "mete.h"

enum entry_kind {
    ENTRY_NONE = 0,
    ENTRY_GENESIS,    /* the first one: what installation this is */
    ENTRY_SCOPE,      /* a scope is put */
    ENTRY_BUDGET,     /* a budget is put */
    ENTRY_BUDGET_END, /* a budget no longer counts */
    ENTRY_WINDOW,     /* a budget's next window begins, with its bounds (INV-09) */
    ENTRY_RESERVE,
    ENTRY_REFUSE, /* a refusal that binds: of a call with an id */
    ENTRY_COMMIT,
    ENTRY_RELEASE,
    ENTRY_EXPIRE,
    ENTRY_RECORD, /* charged without a reservation */
    ENTRY_SCOPE_END,
    ENTRY_SCOPE_MOVE,
    ENTRY_LIMIT,    /* a budget's limit in force changes with time: an increase begins or ends */
    ENTRY_INCREASE, /* a dated increase of a budget is put */
    ENTRY_INCREASE_END,
    ENTRY_LIFT,    /* an emergency stop is ended by an operator */
    ENTRY_DEFAULT, /* a template makes a budget for one scope */
    ENTRY_RATE,    /* a rate limit is put */
    ENTRY_RATE_END,
    ENTRY_GRANT, /* a grant is put */
    ENTRY_REFUND,
    ENTRY_QUOTA_END,
    ENTRY_EXCHANGE, /* an exchange rate is added */
    ENTRY_METER,    /* a meter of the user's own gets its number */
    ENTRY_EXTEND,   /* an open reservation becomes larger, smaller or longer */
    ENTRY_CORRECT,  /* an ended reservation gets its true figures */
    ENTRY_BASE,     /* a snapshot is the new base */
    ENTRY_DOCUMENT, /* a document of the caller's is put */
    ENTRY_DOCUMENT_END,
    ENTRY_KINDS
};

/* A string that recurs (model, provider, price list): a number, and the text where the entry is
 * the first to use it. n = 0 is the empty text; ENTRY_NAME_WHOLE comes with its text every time
 * and is remembered by nobody (LIMIT_NAMES are numbered already). */
enum { ENTRY_NAME_WHOLE = 65535 };
struct entry_name {
    uint32_t n;
    struct slice text;
};

struct entry_tags {
    size_t len;
    struct slice texts[METE_TAGS_MAX];
};

struct entry_amount {
    uint16_t meter;
    uint32_t currency;
    int64_t amount;
};

struct entry_outcome {
    enum mete_ending ending;
    uint32_t flags;
    uint16_t status, attempts;
    uint32_t latency_ms, first_token_ms;
    struct entry_name price_list;
    struct slice note;
    struct slice details; /* packed: base/details.h */
};

struct entry {
    enum entry_kind kind;
    uint64_t seq;  /* position in the journal; not packed, it follows from the group: entry_read
                      leaves it 0, the reader of the group sets it before ledger_apply() */
    int64_t at_us; /* server time; packed as the difference from the entry before it */
    union {
        struct {
            uint32_t format; /* of entries */
            uint8_t installation[16];
        } genesis;
        struct {
            uint32_t handle;             /* the next free one when it is new */
            struct mete_scope_spec spec; /* kind, id, organization, parent count when it is new */
            struct slice document, actor;
        } scope;
        struct {
            uint32_t handle;
            struct mete_budget_spec spec;
            int64_t window_start_us,
                window_end_us; /* the first one; of an update: the present one */
            struct slice document, actor;
        } budget;
        struct {
            uint32_t handle;
            struct slice actor;
        } budget_end;
        struct {
            uint32_t budget;
            int64_t start_us, end_us;
            uint64_t idle; /* windows that nobody touched since the last one; of a budget that
                              carries, else 0 */
        } window;
        struct {
            uint64_t reservation;
            uint32_t scope;
            struct slice request_id;
            uint64_t content;
            struct entry_name model, provider;
            struct slice session;
            struct entry_tags tags;
            uint32_t flags;
            enum mete_expiry on_expiry;
            int64_t granted, expires_at_us;
            uint32_t amounts_len;
            struct entry_amount amounts[METE_DEMANDS_MAX];
        } reserve;
        struct {
            uint32_t scope;
            struct slice request_id;
            uint64_t content;
            int64_t retry_at_us;
            struct mete_refusal primary;
        } refuse;
        struct {
            uint64_t reservation;
            uint32_t amounts_len;
            struct entry_amount amounts[METE_DEMANDS_MAX];
            struct entry_outcome outcome;
        } commit;
        struct {
            uint64_t reservation;
        } end; /* RELEASE, EXPIRE */
        struct {
            uint32_t scope;
            struct slice request_id;
            uint64_t content;
            struct entry_name model, provider;
            struct slice session;
            struct entry_tags tags;
            uint32_t amounts_len;
            struct entry_amount amounts[METE_DEMANDS_MAX];
            struct entry_outcome outcome;
        } record;
        struct {
            uint32_t scope;
            struct slice actor;
        } scope_end;
        struct {
            uint32_t scope, parent;
            struct slice actor;
        } scope_move;
        struct {
            uint32_t budget;
        } limit;
        struct {
            uint32_t number; /* at its budget: the next one */
            struct mete_increase_spec spec;
            struct slice document, actor;
        } increase;
        struct {
            uint32_t budget, number;
            struct slice actor;
        } increase_end;
        struct {
            uint32_t budget;
            struct slice actor;
        } lift;
        struct {
            uint32_t handle, made_from, scope;
            int64_t window_start_us, window_end_us;
        } by_default;
        struct {
            uint32_t handle;
            struct mete_rate_spec spec;
            struct slice document, actor;
        } rate;
        struct {
            uint32_t handle;
            struct slice actor;
        } rate_end;
        struct {
            uint32_t handle;
            struct mete_grant_spec spec;
            struct slice document, actor;
        } grant;
        struct {
            uint32_t grant;
            int64_t amount;
            struct slice document, actor;
        } refund;
        struct {
            uint32_t scope;
            uint16_t meter;
            uint32_t currency;
            struct slice actor;
        } quota_end;
        struct {
            uint16_t kind;
            uint32_t organization; /* 0: the installation's */
            struct slice id, document, actor;
        } document; /* DOCUMENT; without the document DOCUMENT_END */
        struct {
            struct mete_exchange_spec spec;
            struct slice actor;
        } exchange;
        struct {
            uint16_t number;
            struct slice name, actor;
        } meter;
        struct {
            uint64_t reservation;
            bool shrinks;
            int64_t granted;       /* of this extension alone */
            int64_t expires_at_us; /* as it is from now on */
            uint32_t amounts_len;
            struct entry_amount amounts[METE_DEMANDS_MAX]; /* what is added or given back */
        } extend;
        struct {
            uint64_t reservation;
            uint32_t amounts_len;
            struct entry_amount
                amounts[METE_DEMANDS_MAX]; /* the true figures, not the difference */
            struct entry_outcome outcome;
        } correct;
        struct {
            uint64_t seq;      /* the last entry in the snapshot, before this one */
            uint8_t hash[32];  /* BLAKE2b-256 of the snapshot's bytes */
            bool has_audit;    /* entries of an earlier version have not */
            uint8_t audit[32]; /* hash of the audit log's last row up to there; zeroes: none */
        } base;
    } u;
};

enum { ENTRY_FORMAT = 1 };

/* What an entry's fields must satisfy; the decisions and the reader of entries ask the same. */
#define ENTRY_SECOND_US INT64_C(1000000)
#define ENTRY_INSTANT_MAX_US INT64_C(253402300800000000) /* 10000-01-01 */
bool entry_is_id(struct slice id);
bool entry_is_unit(uint16_t meter, uint32_t currency);
/* Start before end, or 0 .. INT64_MAX for a window without an end. */
bool entry_is_window(int64_t start_us, int64_t end_us);
bool entry_is_thresholds(const uint32_t *ppm, size_t len);
bool entry_is_text(struct slice text); /* no control characters */
bool entry_is_match(const struct mete_match *match);
#define ENTRY_DEBT_MAX                                                                             \
    (INT64_C(1) << 62) /* a rate limit's: period in us x the larger of limit, burst */
bool entry_is_rate(const struct mete_rate_spec *spec); /* its figures */
bool entry_is_controls(const struct mete_controls *controls);
bool entry_is_dates(const struct mete_budget_spec *spec); /* starts_at and ends_at */
#define ENTRY_RATIO_MAX INT64_C(1000000000000000000)      /* of an exchange rate's two terms */

/* Most bytes entry_write() needs for this entry. */
size_t entry_size_max(const struct entry *entry);

/* Appends the packed entry; the writer must have entry_size_max() bytes (asserted).
 * last_at_us: at_us of the entry before it in the group, 0 for the group's first. */
void entry_write(struct writer *w, const struct entry *entry, int64_t last_at_us);

/* Reads one entry of untrusted bytes. Checks form and ranges, not whether it fits the state.
 * METE_E_CORRUPT; METE_E_FORMAT for a kind this version does not know; *ret_entry is then not
 * defined. */
METE_MUST_USE int entry_read(struct reader *r, int64_t last_at_us, struct entry *ret_entry);

#endif
