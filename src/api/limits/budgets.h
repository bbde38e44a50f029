/* SPDX-License-Identifier: Apache-2.0
 * What a request says of a budget, read and checked; shared by those who make and change one. */
#ifndef API_LIMITS_BUDGETS_H
#define API_LIMITS_BUDGETS_H

#include "api/limits/budget_document.h"
#include "api/limits/controls.h"
#include "api/limits/matches.h"
#include "api/request.h"

struct scope_in {
    int kind;
    struct slice id, organization, advertiser;
};

/* The object's members. path: "scope". Advertisers and campaigns are METE_E_NOT_YET. */
METE_MUST_USE int scope_in_read(struct request *request, struct json object, const char *path,
                                struct scope_in *ret_scope);

enum { BUDGET_IN_UNSAID = 2 };

/* Limits that name their period, the longest first. A request that has several makes as many
 * budgets: the first is the one it is about, and the others have its id with a suffix. */
enum { BUDGET_TOTAL, BUDGET_MONTHLY, BUDGET_DAILY, BUDGET_ALIASES };
struct budget_alias {
    const char *name;
    enum mete_period period;
    const char *suffix;
};
extern const struct budget_alias budget_aliases[BUDGET_ALIASES];
/* The alias that stands for the limit of such a budget; NULL: there is none. */
const struct budget_alias *budget_alias_of(uint16_t meter, enum mete_period period);

struct budget_in {
    struct slice id, name, unit, amount, time_zone, rollover;
    struct slice limits[BUDGET_ALIASES]; /* as budget_aliases has them */
    size_t limits_len;                   /* so many of them are said */
    struct json scope, alert_thresholds, controls_json;
    struct json notify, pacing, metadata; /* for the document */
    int64_t percent_ppm;   /* of alerts: one threshold, in millionths of a percent; 0: not said */
    uint8_t alert_enabled; /* a bool, or BUDGET_IN_UNSAID */
    struct matches_in matches;
    int64_t starts_us, ends_us, start_time_us, end_time_us; /* 0: not said; the latter: aliases */
    bool clears_start, clears_end;                          /* said to be null */
    struct slice currency;                                  /* alias of unit */
    struct slice current_spend, usage_percentage;           /* figures: taken, and not looked at */
    int period, mode;                                       /* -1: not said */
    int for_kind;                                           /* METE_KIND_NONE: no template */
    int64_t anchor, window_seconds;
    struct controls_in controls; /* if controls_json is there */
};

/* A budget's document, in the arena. One that a template made has none: then what its template's
 * says, but for when it was made. On a worker. */
METE_MUST_USE int budgets_document(struct request *request, const struct directory_entity *entity,
                                   struct slice *ret_document);

/* The budget as it is, to be changed here and there. Texts borrow from view. */
void budgets_respecify(const struct mete_budget_view *view, struct mete_budget_spec *spec);

/* The body of a POST .../alerts: at which shares, and who is told. */
METE_MUST_USE int budget_in_read_alerts(struct request *request, struct budget_in *ret_in);
/* The body of a POST (create) or PUT, checked as far as it can be without the budget. */
METE_MUST_USE int budget_in_read(struct request *request, bool create, struct budget_in *ret_in);
/* What the body says for the document, over what is there. Uses request->out. MEMORY. */
METE_MUST_USE int budget_in_document(struct request *request, const struct budget_in *in,
                                     struct budget_document *document);
/* The thresholds of the body, or the usual ones, into spec. */
METE_MUST_USE int budget_in_thresholds(struct request *request, const struct budget_in *in,
                                       struct mete_budget_spec *spec);
/* From when and until when it counts, into spec, whose rollover is known. */
METE_MUST_USE int budget_in_dates(struct request *request, const struct budget_in *in,
                                  struct mete_budget_spec *spec);
/* Where a new budget's windows lie, into spec. */
METE_MUST_USE int budget_in_windows(struct request *request, const struct budget_in *in,
                                    struct mete_budget_spec *spec);
/* The rollover, in the unit of spec->meter, into spec, whose period is known. */
METE_MUST_USE int budget_in_rollover(struct request *request, const struct budget_in *in,
                                     struct mete_budget_spec *spec);
/* The amount (or the alias of spec->period) in the unit of spec->meter, into spec->limit. */
METE_MUST_USE int budget_in_limit(struct request *request, const struct budget_in *in,
                                  struct mete_budget_spec *spec);

#endif
