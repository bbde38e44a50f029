/* SPDX-License-Identifier: Apache-2.0
 * Two tables, one for what a new budget may say and one for a change; what depends on several
 * members is checked after them. */
#include "api/limits/budgets.h"

#include "api/limits/budget_find.h"
#include "api/units.h"
#include "api/tenancy/zones.h"
#include "base/assert.h"
#include "base/limits.h"
#include "calendar/calendar.h"
#include "codec/decimal.h"

#include <stdio.h>

#define AT(member) offsetof(struct budget_in, member)
#define NAME                                                                                       \
    {                                                                                              \
        .name = "name", .type = FIELD_TEXT, .offset = AT(name), .min = 1, .max = 256               \
    }
#define AMOUNT                                                                                     \
    {                                                                                              \
        .name = "amount", .type = FIELD_AMOUNT, .offset = AT(amount)                               \
    }
#define LIMITS                                                                                     \
    {.name = "total_budget", .type = FIELD_AMOUNT, .offset = AT(limits[BUDGET_TOTAL])},            \
        {.name = "monthly_limit", .type = FIELD_AMOUNT, .offset = AT(limits[BUDGET_MONTHLY])},     \
    {                                                                                              \
        .name = "daily_budget", .type = FIELD_AMOUNT, .offset = AT(limits[BUDGET_DAILY])           \
    }
#define MODE                                                                                       \
    {                                                                                              \
        .name = "mode", .type = FIELD_WORD, .offset = AT(mode), .words = units_modes               \
    }
#define THRESHOLDS                                                                                 \
    {                                                                                              \
        .name = "alert_thresholds", .type = FIELD_LIST, .offset = AT(alert_thresholds),            \
        .max = METE_THRESHOLDS_MAX                                                                 \
    }
#define ROLLOVER                                                                                   \
    {                                                                                              \
        .name = "rollover", .type = FIELD_AMOUNT, .offset = AT(rollover)                           \
    }
#define CONTROLS                                                                                   \
    {                                                                                              \
        .name = "controls", .type = FIELD_OBJECT, .offset = AT(controls_json)                      \
    }
/* What the document keeps as it was said; and figures, which nobody can set. */
#define ALERT_ENABLED                                                                              \
    {                                                                                              \
        .name = "alert_enabled", .type = FIELD_BOOL, .offset = AT(alert_enabled)                   \
    }
#define NOTIFY                                                                                     \
    {                                                                                              \
        .name = "notify", .type = FIELD_TEXTS, .offset = AT(notify), .max = BUDGET_NOTIFY_MAX,     \
        .item_max = BUDGET_NOTIFY_TEXT                                                             \
    }
#define PACING                                                                                     \
    {                                                                                              \
        .name = "pacing", .type = FIELD_OBJECT, .offset = AT(pacing)                               \
    }
#define METADATA                                                                                   \
    {                                                                                              \
        .name = "metadata", .type = FIELD_OBJECT, .offset = AT(metadata)                           \
    }
#define SPEND                                                                                      \
    {                                                                                              \
        .name = "current_spend", .type = FIELD_AMOUNT, .offset = AT(current_spend)                 \
    }
#define PERCENTAGE                                                                                 \
    {                                                                                              \
        .name = "usage_percentage", .type = FIELD_AMOUNT, .offset = AT(usage_percentage)           \
    }
#define DATE(text, member)                                                                         \
    {                                                                                              \
        .name = text, .type = FIELD_INSTANT, .flags = FIELD_OR_NULL, .offset = AT(member)          \
    }
#define DATES                                                                                      \
    DATE("starts_at", starts_us), DATE("ends_at", ends_us), DATE("start_time", start_time_us),     \
        DATE("end_time", end_time_us)
static const struct field create_table[] = {
    {.name = "id", .type = FIELD_ID, .offset = AT(id)},
    NAME,
    {.name = "scope", .type = FIELD_OBJECT, .offset = AT(scope)},
    {.name = "for_kind", .type = FIELD_WORD, .offset = AT(for_kind), .words = units_template_kinds},
    {.name = "unit", .type = FIELD_TOKEN, .offset = AT(unit), .min = 1, .max = 64},
    {.name = "currency", .type = FIELD_TOKEN, .offset = AT(currency), .min = 1, .max = 64},
    AMOUNT,
    {.name = "period", .type = FIELD_WORD, .offset = AT(period), .words = units_periods},
    LIMITS,
    {.name = "window_seconds",
     .type = FIELD_COUNT,
     .offset = AT(window_seconds),
     .min = 1,
     .max = LIMIT_ROLLING_S},
    {.name = "anchor", .type = FIELD_COUNT, .offset = AT(anchor), .min = 1, .max = 86399},
    ROLLOVER,
    {.name = "time_zone", .type = FIELD_TOKEN, .offset = AT(time_zone), .min = 1, .max = 64},
    MATCHES_FIELDS(struct budget_in),
    DATES,
    MODE,
    THRESHOLDS,
    CONTROLS,
    ALERT_ENABLED,
    NOTIFY,
    PACING,
    METADATA,
    SPEND,
    PERCENTAGE,
};

static const struct field update_table[] = {NAME,     AMOUNT,   LIMITS,        MODE,   THRESHOLDS,
                                            ROLLOVER, CONTROLS, ALERT_ENABLED, NOTIFY, PACING,
                                            METADATA, SPEND,    PERCENTAGE,    DATES};
static const struct field alerts_table[] = {
    THRESHOLDS,
    {.name = "usage_percentage", .type = FIELD_RATIO, .offset = AT(percent_ppm), .max = 100},
    ALERT_ENABLED,
    NOTIFY,
};
#undef AT

static const struct field scope_table[] = {
    {.name = "kind",
     .type = FIELD_WORD,
     .flags = FIELD_REQUIRED,
     .offset = offsetof(struct scope_in, kind),
     .words = units_kinds},
    {.name = "id",
     .type = FIELD_ID,
     .flags = FIELD_REQUIRED,
     .offset = offsetof(struct scope_in, id)},
    {.name = "organization", .type = FIELD_ID, .offset = offsetof(struct scope_in, organization)},
    {.name = "advertiser",
     .type = FIELD_ID,
     .flags = FIELD_LATER,
     .offset = offsetof(struct scope_in, advertiser)},
};

#define LEN(table) (sizeof(table) / sizeof(table)[0])

int scope_in_read(struct request *request, struct json object, const char *path,
                  struct scope_in *ret_scope)
{
    struct scope_in scope = {0};
    struct fields fields = {scope_table, LEN(scope_table), path, &request->arena,
                            &request->problem};
    int rc = fields_read(&fields, object, &scope);
    if (rc)
        return rc;
    if (scope.kind == METE_ADVERTISER || scope.kind == METE_CAMPAIGN)
        return fields_fault(&fields, METE_E_NOT_YET, "kind",
                            "Advertisers and campaigns are planned, and not built yet.");
    *ret_scope = scope;
    return 0;
}

const struct budget_alias budget_aliases[BUDGET_ALIASES] = {
    {"total_budget", METE_TOTAL, ".total"},
    {"monthly_limit", METE_MONTHLY, ".monthly"},
    {"daily_budget", METE_DAILY, ".daily"},
};

const struct budget_alias *budget_alias_of(uint16_t meter, enum mete_period period)
{
    for (size_t i = 0; meter == METE_COST && i < BUDGET_ALIASES; i++)
        if (budget_aliases[i].period == period)
            return &budget_aliases[i];
    return NULL;
}

/* The first alias that is said; NULL: none. */
static const struct budget_alias *first_alias(const struct budget_in *in)
{
    for (size_t i = 0; i < BUDGET_ALIASES; i++)
        if (in->limits[i].len)
            return &budget_aliases[i];
    return NULL;
}

/* What would be of one of several budgets, and nobody could say of which. */
static int check_several(const struct fields *fields, const struct budget_in *in)
{
    const char *name = in->period >= 0               ? "period"
                       : in->anchor                  ? "anchor"
                       : in->rollover.len            ? "rollover"
                       : in->controls.soft_limit.len ? "controls.soft_limit"
                                                     : NULL;
    if (name)
        return fields_fault(fields, METE_E_INVALID, name,
                            "Several limits are several budgets: make the one it is of by itself.");
    if (in->id.len + sizeof ".monthly" - 1 > LIMIT_ID)
        return fields_fault(fields, METE_E_INVALID, "id",
                            "With several limits it has at most %d characters.",
                            LIMIT_ID - (int)sizeof ".monthly" + 1);
    return 0;
}

static int check_aliases(const struct fields *fields, const struct budget_in *in)
{
    const struct budget_alias *alias = first_alias(in);
    if (!alias)
        return 0;
    if (in->amount.len)
        return fields_fault(fields, METE_E_INVALID, alias->name, "amount says the same.");
    if (in->limits_len > 1)
        return check_several(fields, in);
    if (in->period >= 0 && in->period != (int)alias->period)
        return fields_fault(fields, METE_E_INVALID, "period", "A %s is of another period.",
                            alias->name);
    return 0;
}

/* A new budget says all four, or an alias that stands for them. */
static int check_create(const struct fields *fields, const struct budget_in *in)
{
    bool alias = in->limits_len > 0;
    if (in->currency.len && in->unit.len)
        return fields_fault(fields, METE_E_INVALID, "currency", "unit says the same.");
    int rc = check_aliases(fields, in);
    if (rc)
        return rc;
    const char *missing = NULL;
    if (!alias && !in->scope.type)
        missing = "scope";
    else if (!alias && !in->unit.len && !in->currency.len)
        missing = "unit";
    else if (!alias && !in->amount.len)
        missing = "amount";
    else if (!alias && in->period < 0)
        missing = "period";
    if (missing)
        return fields_fault(fields, METE_E_INVALID, missing, "It is missing.");
    if (budget_find_is_word(in->id))
        return fields_fault(fields, METE_E_INVALID, "id",
                            "It stands in paths: no budget may be called so.");
    return in->time_zone.len ? zones_check(fields->problem, "time_zone", in->time_zone) : 0;
}

static int check_update(const struct fields *fields, const struct budget_in *in)
{
    if (in->amount.len && in->limits_len)
        return fields_fault(fields, METE_E_INVALID, first_alias(in)->name, "amount says the same.");
    bool anything = in->name.len || in->amount.len || in->limits_len || in->mode >= 0 ||
                    in->alert_thresholds.type || in->controls_json.type || in->rollover.len ||
                    in->alert_enabled != BUDGET_IN_UNSAID || in->notify.type || in->pacing.type ||
                    in->metadata.type || in->starts_us || in->ends_us || in->clears_start ||
                    in->clears_end;
    if (!anything)
        return fields_fault(fields, METE_E_INVALID, "", "Say what is to change.");
    return 0;
}

struct pacing_in {
    int strategy;
    int64_t update_interval_s, min_allocation_ppm;
};

static const struct word pacing_strategies[] = {
    {"even", 1}, {"proportional", 2}, {"aggressive", 3}, {NULL, 0}};

/* How the money is meant to be spread over the window: kept, for whoever paces. */
static int check_pacing(struct request *request, struct json pacing)
{
    static const struct field table[] = {
        {.name = "strategy",
         .type = FIELD_WORD,
         .flags = FIELD_REQUIRED,
         .offset = offsetof(struct pacing_in, strategy),
         .words = pacing_strategies},
        {.name = "update_interval_seconds",
         .type = FIELD_COUNT,
         .offset = offsetof(struct pacing_in, update_interval_s),
         .min = 1,
         .max = 86400},
        {.name = "min_allocation",
         .type = FIELD_SHARE,
         .offset = offsetof(struct pacing_in, min_allocation_ppm)},
    };
    struct pacing_in in;
    struct fields fields = {table, LEN(table), "pacing", &request->arena, &request->problem};
    return pacing.type ? fields_read(&fields, pacing, &in) : 0;
}

/* An alias into what it stands for. */
static int settle_date(const struct fields *fields, const char *alias, int64_t alias_us,
                       int64_t *us)
{
    if (alias_us && *us)
        return fields_fault(fields, METE_E_INVALID, alias, "It is said twice.");
    if (alias_us)
        *us = alias_us;
    return 0;
}

/* A null takes a date away. */
static int settle_dates(struct request *request, const struct fields *fields, struct budget_in *in)
{
    struct json body;
    int rc = settle_date(fields, "start_time", in->start_time_us, &in->starts_us);
    if (!rc)
        rc = settle_date(fields, "end_time", in->end_time_us, &in->ends_us);
    if (!rc)
        rc = request_body(request, &body);
    if (rc)
        return rc;
    in->clears_start = json_member(body, "starts_at").type == JSON_NULL ||
                       json_member(body, "start_time").type == JSON_NULL;
    in->clears_end = json_member(body, "ends_at").type == JSON_NULL ||
                     json_member(body, "end_time").type == JSON_NULL;
    return 0;
}

static int check_kept(struct request *request, const struct fields *fields,
                      const struct budget_in *in)
{
    if (in->metadata.raw.len > BUDGET_METADATA)
        return fields_fault(fields, METE_E_TOO_LARGE, "metadata", "It has at most %d bytes.",
                            BUDGET_METADATA);
    return check_pacing(request, in->pacing);
}

int budget_in_read(struct request *request, bool create, struct budget_in *ret_in)
{
    struct budget_in in = {.period = -1, .mode = -1, .alert_enabled = BUDGET_IN_UNSAID};
    const struct field *table = create ? create_table : update_table;
    size_t len = create ? LEN(create_table) : LEN(update_table);
    int rc = request_read(request, table, len, &in);
    struct fields fields = {table, len, "", &request->arena, &request->problem};
    if (!rc)
        rc = settle_dates(request, &fields, &in);
    if (!rc && in.controls_json.type)
        rc = controls_in_read(request, in.controls_json, &in.controls);
    for (size_t i = 0; i < BUDGET_ALIASES; i++)
        in.limits_len += in.limits[i].len > 0;
    if (!rc)
        rc = create ? check_create(&fields, &in) : check_update(&fields, &in);
    if (!rc)
        rc = check_kept(request, &fields, &in);
    struct mete_budget_spec unused = {0};
    if (!rc)
        rc = budget_in_thresholds(request, &in, &unused);
    if (!rc && create && in.limits_len)
        in.period = (int)first_alias(&in)->period;
    if (!rc)
        *ret_in = in;
    return rc;
}

int budget_in_read_alerts(struct request *request, struct budget_in *ret_in)
{
    struct budget_in in = {.period = -1, .mode = -1, .alert_enabled = BUDGET_IN_UNSAID};
    int rc = request_read(request, alerts_table, LEN(alerts_table), &in);
    struct fields fields = {alerts_table, LEN(alerts_table), "", &request->arena,
                            &request->problem};
    if (rc)
        return rc;
    if (in.alert_thresholds.type && in.percent_ppm)
        return fields_fault(&fields, METE_E_INVALID, "usage_percentage",
                            "alert_thresholds says the same.");
    if (!in.alert_thresholds.type && !in.percent_ppm && !in.notify.type &&
        in.alert_enabled == BUDGET_IN_UNSAID)
        return fields_fault(&fields, METE_E_INVALID, "", "Say what is to change.");
    struct mete_budget_spec unused = {0};
    rc = budget_in_thresholds(request, &in, &unused);
    if (!rc)
        *ret_in = in;
    return rc;
}

int budget_in_document(struct request *request, const struct budget_in *in,
                       struct budget_document *document)
{
    if (in->name.len)
        document->name = budget_document_quote(request, in->name);
    if (in->name.len && !document->name.len)
        return problem_set(&request->problem, METE_E_MEMORY, NULL, NULL);
    if (in->notify.type)
        document->notify = in->notify.raw;
    if (in->pacing.type)
        document->pacing = in->pacing.raw;
    if (in->metadata.type)
        document->metadata = in->metadata.raw;
    if (in->alert_enabled != BUDGET_IN_UNSAID)
        document->is_quiet = !in->alert_enabled;
    return 0;
}

/* Keeps ppm in order; false: it is there already. */
static bool insert(struct mete_budget_spec *spec, uint32_t ppm)
{
    ASSERT(spec->thresholds_len < METE_THRESHOLDS_MAX);
    size_t at = spec->thresholds_len;
    while (at > 0 && spec->thresholds_ppm[at - 1] > ppm)
        at--;
    if (at > 0 && spec->thresholds_ppm[at - 1] == ppm)
        return false;
    for (size_t i = spec->thresholds_len; i > at; i--)
        spec->thresholds_ppm[i] = spec->thresholds_ppm[i - 1];
    spec->thresholds_ppm[at] = ppm;
    spec->thresholds_len++;
    return true;
}

/* A fraction up to 1, a percentage above; both rounded up to a millionth. */
static bool read_threshold(struct json value, uint32_t *ret_ppm)
{
    int128 ppm;
    if (value.type != JSON_NUMBER || decimal_parse128(value.raw, 6, true, &ppm))
        return false;
    if (ppm <= 0 || ppm > 100000000)
        return false;
    *ret_ppm = (uint32_t)(ppm > 1000000 ? (ppm + 99) / 100 : ppm);
    return true;
}

int budget_in_thresholds(struct request *request, const struct budget_in *in,
                         struct mete_budget_spec *spec)
{
    spec->thresholds_len = 0;
    if (in->percent_ppm) { /* the alias: one, as a percentage */
        insert(spec, (uint32_t)((in->percent_ppm + 99) / 100));
        return 0;
    }
    if (!in->alert_thresholds.type) {
        insert(spec, 800000);
        insert(spec, 900000);
        insert(spec, 950000);
        return 0;
    }
    struct json element;
    size_t at = 0;
    for (int i = 0; json_next(in->alert_thresholds, &at, NULL, &element); i++) {
        char field[32];
        uint32_t ppm;
        snprintf(field, sizeof field, "alert_thresholds[%d]", i);
        if (!read_threshold(element, &ppm))
            return problem_set(&request->problem, METE_E_INVALID, field,
                               "It must be a number above 0 and at most 100.");
        if (!insert(spec, ppm))
            return problem_set(&request->problem, METE_E_INVALID, "alert_thresholds",
                               "Element %d is there twice.", i);
    }
    return 0;
}

int budget_in_dates(struct request *request, const struct budget_in *in,
                    struct mete_budget_spec *spec)
{
    struct fields fields = {.path = "", .arena = &request->arena, .problem = &request->problem};
    if (in->starts_us || in->clears_start)
        spec->starts_at.us = in->starts_us;
    if (in->ends_us || in->clears_end)
        spec->ends_at.us = in->ends_us;
    if (spec->starts_at.us && spec->rollover_cap)
        return fields_fault(&fields, METE_E_INVALID, "starts_at",
                            "A budget with a rollover has none: windows in which it does not "
                            "count would hand on a limit that nobody was given. Make it when it "
                            "is to begin.");
    if (spec->starts_at.us < 0)
        return fields_fault(&fields, METE_E_INVALID, "starts_at", "It must not be before 1970.");
    if (spec->ends_at.us && spec->ends_at.us <= spec->starts_at.us)
        return fields_fault(&fields, METE_E_INVALID, "ends_at", "It must be after starts_at.");
    return 0;
}

int budget_in_windows(struct request *request, const struct budget_in *in,
                      struct mete_budget_spec *spec)
{
    struct fields fields = {.path = "", .arena = &request->arena, .problem = &request->problem};
    spec->period = (enum mete_period)in->period;
    spec->time_zone = request_text(in->time_zone);
    spec->anchor = in->anchor;
    spec->window_seconds = in->window_seconds;
    if (spec->period == METE_ROLLING && !in->window_seconds)
        return fields_fault(&fields, METE_E_INVALID, "window_seconds", "It is missing.");
    if (spec->period != METE_ROLLING && in->window_seconds)
        return fields_fault(&fields, METE_E_INVALID, "window_seconds",
                            "Only a rolling window has a length of its own.");
    const struct calendar_rule rule = {spec->period, spec->anchor, spec->window_seconds, NULL};
    if (!calendar_rule_is_valid(&rule))
        return fields_fault(&fields, METE_E_INVALID, "anchor",
                            "Windows of this period cannot begin there.");
    return 0;
}

int budget_in_rollover(struct request *request, const struct budget_in *in,
                       struct mete_budget_spec *spec)
{
    struct fields fields = {.path = "", .arena = &request->arena, .problem = &request->problem};
    if (!in->rollover.len)
        return 0;
    int rc = units_amount(&fields, "rollover", spec->meter, in->rollover, &spec->rollover_cap);
    bool has_windows = spec->period != METE_TOTAL && spec->period != METE_ROLLING;
    if (!rc && spec->rollover_cap && !has_windows)
        return fields_fault(&fields, METE_E_INVALID, "rollover", "A %s budget has no next window.",
                            fields_word(units_periods, (int)spec->period));
    return rc;
}

int budget_in_limit(struct request *request, const struct budget_in *in,
                    struct mete_budget_spec *spec)
{
    struct fields fields = {.path = "", .arena = &request->arena, .problem = &request->problem};
    const struct budget_alias *alias = first_alias(in);
    const struct budget_alias *own = budget_alias_of(spec->meter, spec->period);
    if (!alias)
        return units_amount(&fields, "amount", spec->meter, in->amount, &spec->limit);
    const struct slice *text = own ? &in->limits[own - budget_aliases] : NULL;
    if (!text || !text->len)
        return fields_fault(&fields, METE_E_INVALID, alias->name,
                            "Only a %s budget in a currency has one.",
                            fields_word(units_periods, (int)alias->period));
    return units_amount(&fields, own->name, spec->meter, *text, &spec->limit);
}
