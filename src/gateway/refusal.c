/* SPDX-License-Identifier: Apache-2.0
 * The error a refused client sees. OpenAI's shape, with everything there is to know under "mete":
 *
 *   429 {"error":{"message":"Budget \"team-daily\" (daily, department eng) has 0.10 USD left of
 *        5.00 USD: ...","type":"insufficient_quota","param":null,"code":"insufficient_quota",
 *        "mete":{"reason","budget","scope":{"kind","id"},"unit","period","limit","spent","held",
 *                "remaining","asked","resets_at","refused_by":[{the same of each}]}}}
 *   x-should-retry: false     the SDKs retry a 429 twice; a budget does not grow by that
 *   retry-after               only when waiting helps: the verdict names a time, and it is near
 *
 * Of a rate limit "mete" has
 * {"reason","rate_limit","scope","unit","limit","period_seconds","burst",
 * "taken","asked","resets_at"}, of a concurrent one limit, taken and asked; its type is "requests"
 * or "tokens", and x-ratelimit-limit-, -remaining- and -reset- say it as OpenAI does.
 *
 * Amounts are decimal strings: a parser that makes doubles of numbers would round money. */
#include "gateway/refusal.h"

#include <stdio.h>

enum { LIST_MAX = METE_REFUSALS_MAX * 2048 };

struct row {
    int status;
    const char *name, *type, *code, *message;
};

#define QUOTA "insufficient_quota"
#define BAD "invalid_request_error"

static const struct row *row_of(enum mete_reason reason)
{
    static const struct row rows[METE_REASONS] = {
        [METE_REASON_NONE] = {500, "none", "server_error", "internal", "Refused without a reason."},
        [METE_KEY_UNKNOWN] = {401, "key_unknown", BAD, "invalid_api_key",
                              "The API key is unknown."},
        [METE_KEY_EXPIRED] = {401, "key_expired", BAD, "invalid_api_key",
                              "The API key has expired."},
        [METE_KEY_REVOKED] = {401, "key_revoked", BAD, "invalid_api_key",
                              "The API key has been revoked."},
        [METE_NOT_PERMITTED] = {403, "not_permitted", BAD, "not_permitted",
                                "The API key may not do this."},
        [METE_UNPRICED] = {400, "unpriced", BAD, "model_not_priced",
                           "The model has no price here."},
        [METE_EMERGENCY_STOP] = {429, "emergency_stop", QUOTA, QUOTA, "An emergency stop is on."},
        [METE_HARD_LIMIT] = {429, "hard_limit", QUOTA, QUOTA, "A budget is used up."},
        [METE_QUOTA] = {429, "quota", QUOTA, QUOTA, "The prepaid balance is used up."},
        [METE_THROTTLE] = {429, "throttle", QUOTA, QUOTA, "A budget is being throttled."},
        [METE_RATE_LIMIT] = {429, "rate_limit", "requests", "rate_limit_exceeded",
                             "A rate limit is reached."},
        [METE_CONCURRENCY] = {429, "concurrency", "requests", "rate_limit_exceeded",
                              "Too many calls are open at once."},
    };
    return reason > METE_REASON_NONE && reason < METE_REASONS ? &rows[reason] : &rows[0];
}

static const char *kind_name(enum mete_kind kind)
{
    static const char *const names[METE_KINDS] = {"none",    "organization", "department", "user",
                                                  "api_key", "advertiser",   "campaign"};
    return kind < METE_KINDS ? names[kind] : names[0];
}

static const char *period_name(enum mete_period period)
{
    static const char *const names[METE_PERIODS] = {"minute", "hourly",  "daily",
                                                    "weekly", "monthly", "quarterly",
                                                    "yearly", "total",   "rolling"};
    return period < METE_PERIODS ? names[period] : "";
}

void refusal_init(struct refusal *refusal)
{
    refusal->reason = METE_REASON_NONE;
    refusal->first_len = 0;
    refusal->budgeted = false;
    refusal->limited = false;
    buffer_init(&refusal->list, LIST_MAX);
    buffer_init(&refusal->details, LIST_MAX + 4096);
}

void refusal_done(struct refusal *refusal)
{
    buffer_done(&refusal->list);
    buffer_done(&refusal->details);
}

/* ---- One of them ----------------------------------------------------------------------------- */

static void write_amount(int64_t amount, uint16_t meter, char room[DECIMAL_ROOM])
{
    bool money = meter == METE_COST;
    (void)decimal_format(amount, money ? 9 : 0, money ? 2 : 0, room);
}

static void unit_name(const struct mete_refusal *one, char room[16])
{
    if (one->meter == METE_COST)
        snprintf(room, 16, "%c%c%c", (int)(one->currency >> 16 & 0x7f),
                 (int)(one->currency >> 8 & 0x7f), (int)(one->currency & 0x7f));
    else if (one->reason == METE_CONCURRENCY)
        snprintf(room, 16, "calls");
    else
        snprintf(room, 16, "%s", one->meter == METE_REQUESTS ? "requests" : "tokens");
}

static void read_figures(const struct mete_refusal *one, struct refusal_figures *f)
{
    int64_t left = one->limit;
    if (!checked_sub(left, one->committed, &left) || !checked_sub(left, one->held, &left))
        left = 0;
    write_amount(one->limit, one->meter, f->limit);
    write_amount(one->committed, one->meter, f->spent);
    write_amount(one->held, one->meter, f->held);
    write_amount(max_i64(left, 0), one->meter, f->remaining);
    write_amount(one->asked, one->meter, f->asked);
    unit_name(one, f->unit);
    (void)timestamp_format(one->resets_at.us, f->resets_at);
}

static int write_budget(struct buffer *out, const struct refusal_figures *f,
                        const struct mete_budget_view *budget)
{
    int rc = buffer_text(out, ",\"budget\":");
    if (!rc)
        rc = json_quote(out, slice_of(budget->id));
    if (!rc)
        rc = buffer_format(out,
                           ",\"unit\":\"%s\",\"period\":\"%s\",\"limit\":\"%s\",\"spent\":\"%s\","
                           "\"held\":\"%s\",\"remaining\":\"%s\",\"asked\":\"%s\"",
                           f->unit, period_name(budget->period), f->limit, f->spent, f->held,
                           f->remaining, f->asked);
    if (rc)
        return rc;
    return f->resets_at[0] ? buffer_format(out, ",\"resets_at\":\"%s\"", f->resets_at)
                           : buffer_text(out, ",\"resets_at\":null");
}

/* Periods are whole seconds, or written with their thousandths. */
static void period_seconds(const struct mete_rate_view *rate, char room[DECIMAL_ROOM])
{
    (void)decimal_format(rate->period_ms, 3, 0, room);
}

static int write_rate(struct buffer *out, const struct refusal_figures *f,
                      const struct mete_rate_view *rate)
{
    char period[DECIMAL_ROOM], burst[DECIMAL_ROOM];
    int rc = buffer_text(out, ",\"rate_limit\":");
    if (!rc)
        rc = json_quote(out, slice_of(rate->id));
    if (!rc)
        rc = buffer_format(out,
                           ",\"unit\":\"%s\",\"limit\":\"%s\",\"taken\":\"%s\","
                           "\"asked\":\"%s\"",
                           f->unit, f->limit, f->held, f->asked);
    if (rc || rate->concurrent)
        return rc;
    period_seconds(rate, period);
    write_amount(rate->burst, rate->meter, burst);
    rc = buffer_format(out, ",\"period_seconds\":%s,\"burst\":\"%s\"", period, burst);
    if (rc)
        return rc;
    return f->resets_at[0] ? buffer_format(out, ",\"resets_at\":\"%s\"", f->resets_at)
                           : buffer_text(out, ",\"resets_at\":null");
}

static int write_one(struct buffer *out, const struct mete_refusal *one,
                     const struct mete_budget_view *budget, const struct mete_rate_view *rate,
                     const struct mete_scope_view *scope)
{
    struct refusal_figures figures;
    const struct refusal_figures *f = &figures;
    read_figures(one, &figures);
    int rc = buffer_format(out, "{\"reason\":\"%s\",\"scope\":{\"kind\":\"%s\",\"id\":",
                           row_of(one->reason)->name, kind_name(scope->kind));
    if (!rc)
        rc = json_quote(out, slice_of(scope->id));
    if (!rc)
        rc = buffer_text(out, "}");
    if (!rc && budget)
        rc = write_budget(out, f, budget);
    if (!rc && rate)
        rc = write_rate(out, f, rate);
    return rc ? rc : buffer_text(out, "}");
}

static void keep_rate(struct refusal *refusal, const struct mete_refusal *one,
                      const struct mete_rate_view *rate, const struct mete_scope_view *scope)
{
    const struct refusal_figures *f = &refusal->figures;
    char *room = refusal->message, period[DECIMAL_ROOM], burst[DECIMAL_ROOM];
    size_t len = sizeof refusal->message;
    if (rate->concurrent) {
        snprintf(room, len, "Rate limit \"%s\" (%s %s) admits %s calls at once, and %s are open.",
                 rate->id, kind_name(scope->kind), scope->id, f->limit, f->held);
        return;
    }
    period_seconds(rate, period);
    write_amount(rate->burst, rate->meter, burst);
    const char *end = f->resets_at[0] ? "It fits at " : "So much never fits";
    int64_t left = max_i64(rate->burst - one->held, 0);
    write_amount(left, rate->meter, refusal->figures.remaining);
    snprintf(room, len,
             "Rate limit \"%s\" (%s %s) admits %s %s in %s s, %s at once, of which %s are taken; "
             "this call may need %s. %s%s.",
             rate->id, kind_name(scope->kind), scope->id, f->limit, f->unit, period, burst, f->held,
             f->asked, end, f->resets_at);
}

static void keep_primary(struct refusal *refusal, const struct mete_refusal *one,
                         const struct mete_budget_view *budget, const struct mete_rate_view *rate,
                         const struct mete_scope_view *scope)
{
    const struct refusal_figures *f = &refusal->figures;
    read_figures(one, &refusal->figures);
    refusal->reason = one->reason;
    refusal->budgeted = budget != NULL;
    refusal->limited = rate && !rate->concurrent;
    refusal->meter = one->meter;
    refusal->period = budget ? period_name(budget->period) : "";
    snprintf(refusal->budget, sizeof refusal->budget, "%s", budget ? budget->id : "");
    snprintf(refusal->scope, sizeof refusal->scope, "%s:%s", kind_name(scope->kind), scope->id);
    if (one->reason == METE_UNPRICED) { /* of the ledger's: between currencies */
        snprintf(refusal->message, sizeof refusal->message,
                 "%s%s%s (%s %s) counts in %s, and there is no exchange rate into it.",
                 budget ? "Budget \"" : "A rate limit or balance", refusal->budget,
                 budget ? "\"" : "", kind_name(scope->kind), scope->id, f->unit);
        return;
    }
    if (!budget) {
        snprintf(refusal->message, sizeof refusal->message, "%s", row_of(one->reason)->message);
        if (rate)
            keep_rate(refusal, one, rate, scope);
        return;
    }
    snprintf(refusal->message, sizeof refusal->message,
             "Budget \"%s\" (%s, %s %s) has %s %s left of %s %s: %s spent, %s held; this call may "
             "need %s. %s%s%s",
             refusal->budget, refusal->period, kind_name(scope->kind), scope->id, f->remaining,
             f->unit, f->limit, f->unit, f->spent, f->held, f->asked,
             f->resets_at[0] ? "It resets at " : "It does not reset", f->resets_at, ".");
}

int refusal_add(struct refusal *refusal, const struct mete_refusal *one,
                const struct mete_budget_view *budget, const struct mete_rate_view *rate,
                const struct mete_scope_view *scope)
{
    size_t before = refusal->list.len;
    bool primary = !before;
    int rc = primary ? 0 : buffer_text(&refusal->list, ",");
    if (!rc)
        rc = write_one(&refusal->list, one, budget, rate, scope);
    if (rc) {
        refusal->list.len = before; /* a half-written one is no JSON */
        return rc;
    }
    if (primary) {
        keep_primary(refusal, one, budget, rate, scope);
        refusal->first_len = refusal->list.len;
    }
    return 0;
}

/* ---- All of them ----------------------------------------------------------------------------- */

/* The primary's object, with the list of all put into it. */
static int write_details(struct refusal *refusal)
{
    if (!refusal->first_len)
        return METE_E_INVALID;
    struct slice list = buffer_slice(&refusal->list);
    int rc = buffer_append(&refusal->details, slice_part(list, 0, refusal->first_len - 1));
    if (!rc)
        rc = buffer_text(&refusal->details, ",\"refused_by\":[");
    if (!rc)
        rc = buffer_append(&refusal->details, list);
    return rc ? rc : buffer_text(&refusal->details, "]}");
}

static bool write_retry_after(struct refusal *refusal, struct mete_instant retry_at,
                              struct mete_instant wall)
{
    int64_t wait_us = retry_at.us ? retry_at.us - wall.us : 0;
    if (row_of(refusal->reason)->status != 429 || retry_at.us == INT64_MAX ||
        wait_us > LIMIT_RETRY_AFTER_S * INT64_C(1000000))
        return false;
    int64_t wait_s = max_i64((max_i64(wait_us, 0) + 999999) / 1000000, 1);
    snprintf(refusal->retry_after, sizeof refusal->retry_after, "%lld", (long long)wait_s);
    snprintf(refusal->retry_after_ms, sizeof refusal->retry_after_ms, "%lld",
             (long long)max_i64((wait_us + 999) / 1000, 1));
    return true;
}

/* A rate limit as OpenAI tells it; a client that waits knows for how long. */
static size_t write_rate_headers(struct refusal *refusal, struct mete_instant retry_at,
                                 struct mete_instant wall, struct exchange_header *ret_headers)
{
    const struct refusal_figures *f = &refusal->figures;
    bool requests = refusal->meter == METE_REQUESTS;
    size_t len = 0;
    if (refusal->retry_after_ms[0])
        ret_headers[len++] =
            (struct exchange_header){"retry-after-ms", slice_of(refusal->retry_after_ms)};
    if (!refusal->limited)
        return len;
    ret_headers[len++] = (struct exchange_header){
        requests ? "x-ratelimit-limit-requests" : "x-ratelimit-limit-tokens", slice_of(f->limit)};
    ret_headers[len++] = (struct exchange_header){requests ? "x-ratelimit-remaining-requests"
                                                           : "x-ratelimit-remaining-tokens",
                                                  slice_of(f->remaining)};
    if (retry_at.us == INT64_MAX)
        return len;
    int64_t wait_ms = max_i64((retry_at.us - wall.us + 999) / 1000, 0);
    snprintf(refusal->reset, sizeof refusal->reset, "%lldms", (long long)wait_ms);
    ret_headers[len++] = (struct exchange_header){requests ? "x-ratelimit-reset-requests"
                                                           : "x-ratelimit-reset-tokens",
                                                  slice_of(refusal->reset)};
    return len;
}

static const char *type_of(const struct refusal *refusal, const struct row *row)
{
    return refusal->limited && refusal->meter != METE_REQUESTS ? "tokens" : row->type;
}

size_t refusal_tell(struct refusal *refusal, struct mete_instant retry_at, struct mete_instant wall,
                    struct dialect_error *ret_error, struct exchange_header *ret_headers)
{
    const struct row *row = row_of(refusal->reason);
    const struct refusal_figures *f = &refusal->figures;
    bool told = refusal->first_len > 0;
    *ret_error = (struct dialect_error){.status = row->status,
                                        .type = type_of(refusal, row),
                                        .code = row->code,
                                        .message = told ? refusal->message : row->message};
    if (!write_details(refusal))
        ret_error->details = buffer_slice(&refusal->details);
    size_t len = 0;
    bool is_rate = refusal->reason == METE_RATE_LIMIT || refusal->reason == METE_CONCURRENCY;
    bool never = is_rate && retry_at.us == INT64_MAX;
    refusal->retry_after_ms[0] = 0;
    if (never || (row->code != NULL && !strcmp(row->code, QUOTA)))
        ret_headers[len++] = (struct exchange_header){"x-should-retry", SLICE_LITERAL("false")};
    if (write_retry_after(refusal, retry_at, wall))
        ret_headers[len++] =
            (struct exchange_header){"retry-after", slice_of(refusal->retry_after)};
    if (is_rate)
        len += write_rate_headers(refusal, retry_at, wall, ret_headers + len);
    if (!told || !refusal->budgeted)
        return len;
    const struct exchange_header figures[] = {
        {"x-mete-budget", slice_of(refusal->budget)},
        {"x-mete-budget-scope", slice_of(refusal->scope)},
        {"x-mete-limit", slice_of(f->limit)},
        {"x-mete-spent", slice_of(f->spent)},
        {"x-mete-held", slice_of(f->held)},
        {"x-mete-unit", slice_of(f->unit)},
        {"x-mete-resets-at", slice_of(f->resets_at)},
    };
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        if (figures[i].value.len)
            ret_headers[len++] = figures[i];
    ASSERT(len <= REFUSAL_HEADERS);
    return len;
}
