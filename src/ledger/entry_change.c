/* SPDX-License-Identifier: Apache-2.0
 * Entries of administration <-> bytes: what mete_apply() makes, and what follows from it as time
 * passes (windows, limits). Idea and rules: entry.c. */
#include "ledger/entry_bytes.h"

/* Fields of a budget that most have not, in the order of their bits. */
enum {
    HAS_ZONE = 1,
    HAS_ANCHOR = 2,
    HAS_SECONDS = 4,
    HAS_MATCHES = 8,
    HAS_SOFT_LIMIT = 16,
    HAS_ROLLOVER = 32,
    HAS_CONTROLS = 64,
    HAS_KIND = 128,
    MODE_AND_BITS = 4, /* added to the mode where the byte of bits follows */
    MODE_AND_DATES = 8 /* and where starts_at and ends_at follow it */
};

enum { MODE_AND_MATCHES = 4 }; /* likewise of a rate limit where patterns follow */

enum { MATCH_MAX = 1 + VARINT_MAX };

/* ---- Writing --------------------------------------------------------------------------------- */

static void write_scope(struct writer *w, const struct entry *entry)
{
    const struct mete_scope_spec *spec = &entry->u.scope.spec;
    write_varint(w, entry->u.scope.handle);
    write_varint(w, (uint64_t)spec->kind);
    write_varint(w, spec->organization.n);
    write_varint(w, spec->parent.n);
    write_slice(w, of_text(spec->id));
    write_varint(w, (uint64_t)spec->expires_at.us);
    write_varint(w, (uint64_t)spec->revoked);
    write_slice(w, entry->u.scope.document);
    write_slice(w, entry->u.scope.actor);
}

/* Nearly every window lies on whole seconds, and is written in them. Of one that does not, start
 * and length are in microseconds, and the start says so by being larger than any in seconds. */
#define WINDOW_IN_US (INT64_C(1) << 38)

/* Added to a budget's number: a number of idle windows follows, at most the minutes until the year
 * 10000. */
#define HAS_IDLE (UINT64_C(1) << 32)
#define IDLE_MAX ((uint64_t)(ENTRY_INSTANT_MAX_US / (60 * ENTRY_SECOND_US)))

static bool is_whole_seconds(int64_t start_us, int64_t end_us)
{
    return start_us % ENTRY_SECOND_US == 0 &&
           (end_us == INT64_MAX || end_us % ENTRY_SECOND_US == 0);
}

static void write_window(struct writer *w, int64_t start_us, int64_t end_us)
{
    ASSERT(entry_is_window(start_us, end_us));
    bool is_whole = is_whole_seconds(start_us, end_us);
    int64_t unit_us = is_whole ? ENTRY_SECOND_US : 1;
    write_varint(w, (uint64_t)(start_us / unit_us + (is_whole ? 0 : WINDOW_IN_US)));
    write_varint(w, end_us == INT64_MAX ? 0 : (uint64_t)((end_us - start_us) / unit_us));
}

static void write_matches(struct writer *w, const struct mete_match *matches, size_t len)
{
    ASSERT(len <= METE_MATCHES_MAX);
    write_varint(w, len);
    for (size_t i = 0; i < len; i++) {
        write_byte(w, (uint8_t)matches[i].kind);
        write_slice(w, of_text(matches[i].pattern));
    }
}

static bool has_controls(const struct mete_controls *controls)
{
    return controls->throttle_ppm || controls->throttle_rate_ppm || controls->stop_ppm ||
           controls->downgrade_ppm || controls->grace_s || controls->cooldown_s;
}

static unsigned budget_bits(const struct mete_budget_spec *spec)
{
    return (spec->time_zone.len ? HAS_ZONE : 0u) | (spec->anchor ? HAS_ANCHOR : 0u) |
           (spec->window_seconds ? HAS_SECONDS : 0u) | (spec->matches_len ? HAS_MATCHES : 0u) |
           (spec->soft_limit ? HAS_SOFT_LIMIT : 0u) | (spec->rollover_cap ? HAS_ROLLOVER : 0u) |
           (has_controls(&spec->controls) ? HAS_CONTROLS : 0u) | (spec->for_kind ? HAS_KIND : 0u);
}

static void write_extras(struct writer *w, const struct mete_budget_spec *spec)
{
    unsigned bits = budget_bits(spec);
    write_byte(w, (uint8_t)bits);
    if (bits & HAS_ZONE)
        write_slice(w, of_text(spec->time_zone));
    if (bits & HAS_ANCHOR)
        write_varint(w, (uint64_t)spec->anchor);
    if (bits & HAS_SECONDS)
        write_varint(w, (uint64_t)spec->window_seconds);
    if (bits & HAS_MATCHES)
        write_matches(w, spec->matches, spec->matches_len);
    if (bits & HAS_SOFT_LIMIT)
        write_varint(w, (uint64_t)spec->soft_limit);
    if (bits & HAS_ROLLOVER)
        write_varint(w, (uint64_t)spec->rollover_cap);
    if (bits & HAS_CONTROLS) {
        write_varint(w, spec->controls.throttle_ppm);
        write_varint(w, spec->controls.throttle_rate_ppm);
        write_varint(w, spec->controls.stop_ppm);
        write_varint(w, spec->controls.downgrade_ppm);
        write_varint(w, spec->controls.grace_s);
        write_varint(w, spec->controls.cooldown_s);
    }
    if (bits & HAS_KIND)
        write_byte(w, (uint8_t)spec->for_kind);
}

static void write_budget(struct writer *w, const struct entry *entry)
{
    const struct mete_budget_spec *spec = &entry->u.budget.spec;
    write_varint(w, entry->u.budget.handle);
    write_varint(w, spec->scope.n);
    write_slice(w, of_text(spec->id));
    write_varint(w, spec->meter);
    if (spec->meter == METE_COST)
        write_varint(w, spec->currency);
    write_varint(w, (uint64_t)spec->limit);
    write_varint(w, (uint64_t)spec->period);
    bool is_dated = spec->starts_at.us || spec->ends_at.us;
    write_varint(w, (uint64_t)spec->mode | (budget_bits(spec) ? MODE_AND_BITS : 0u) |
                        (is_dated ? MODE_AND_DATES : 0u));
    write_varint(w, spec->thresholds_len);
    for (size_t i = 0; i < spec->thresholds_len; i++)
        write_varint(w, spec->thresholds_ppm[i]);
    if (budget_bits(spec))
        write_extras(w, spec);
    if (is_dated) {
        write_varint(w, (uint64_t)spec->starts_at.us);
        write_varint(w, (uint64_t)spec->ends_at.us);
    }
    write_window(w, entry->u.budget.window_start_us, entry->u.budget.window_end_us);
    write_slice(w, entry->u.budget.document);
    write_slice(w, entry->u.budget.actor);
}

static void write_increase(struct writer *w, const struct entry *entry)
{
    const struct mete_increase_spec *spec = &entry->u.increase.spec;
    write_varint(w, spec->budget.n);
    write_varint(w, entry->u.increase.number);
    write_varint(w, (uint64_t)spec->amount);
    write_varint(w, (uint64_t)spec->from.us);
    write_varint(w, (uint64_t)(spec->until.us - spec->from.us));
    write_slice(w, entry->u.increase.document);
    write_slice(w, entry->u.increase.actor);
}

static void write_exchange(struct writer *w, const struct entry *entry)
{
    const struct mete_exchange_spec *spec = &entry->u.exchange.spec;
    write_varint(w, spec->from);
    write_varint(w, spec->to);
    write_varint(w, (uint64_t)spec->numerator);
    write_varint(w, (uint64_t)spec->denominator);
    write_varint(w, (uint64_t)spec->effective_at.us);
    write_slice(w, entry->u.exchange.actor);
}

static void write_rate(struct writer *w, const struct entry *entry)
{
    const struct mete_rate_spec *spec = &entry->u.rate.spec;
    write_varint(w, entry->u.rate.handle);
    write_varint(w, spec->scope.n);
    write_slice(w, of_text(spec->id));
    write_varint(w, (uint64_t)spec->concurrent);
    if (!spec->concurrent) {
        write_varint(w, spec->meter);
        if (spec->meter == METE_COST)
            write_varint(w, spec->currency);
        write_varint(w, (uint64_t)spec->period_ms);
        write_varint(w, (uint64_t)spec->burst);
    }
    write_varint(w, (uint64_t)spec->limit);
    write_varint(w, (uint64_t)spec->mode | (spec->matches_len ? MODE_AND_MATCHES : 0u));
    if (spec->matches_len)
        write_matches(w, spec->matches, spec->matches_len);
    write_slice(w, entry->u.rate.document);
    write_slice(w, entry->u.rate.actor);
}

/* What changes a budget as time passes or by an operator's word. */
static bool write_budget_change(struct writer *w, const struct entry *entry)
{
    switch ((int)entry->kind) {
    case ENTRY_BUDGET:
        write_budget(w, entry);
        return true;
    case ENTRY_BUDGET_END:
        write_varint(w, entry->u.budget_end.handle);
        write_slice(w, entry->u.budget_end.actor);
        return true;
    case ENTRY_WINDOW:
        write_varint(w, entry->u.window.budget + (entry->u.window.idle ? HAS_IDLE : 0));
        write_window(w, entry->u.window.start_us, entry->u.window.end_us);
        if (entry->u.window.idle)
            write_varint(w, entry->u.window.idle);
        return true;
    case ENTRY_LIMIT:
        write_varint(w, entry->u.limit.budget);
        return true;
    case ENTRY_INCREASE:
        write_increase(w, entry);
        return true;
    case ENTRY_INCREASE_END:
        write_varint(w, entry->u.increase_end.budget);
        write_varint(w, entry->u.increase_end.number);
        write_slice(w, entry->u.increase_end.actor);
        return true;
    case ENTRY_LIFT:
        write_varint(w, entry->u.lift.budget);
        write_slice(w, entry->u.lift.actor);
        return true;
    case ENTRY_DEFAULT:
        write_varint(w, entry->u.by_default.handle);
        write_varint(w, entry->u.by_default.made_from);
        write_varint(w, entry->u.by_default.scope);
        write_window(w, entry->u.by_default.window_start_us, entry->u.by_default.window_end_us);
        return true;
    default:
        return false;
    }
}

bool entry_write_change(struct writer *w, const struct entry *entry)
{
    switch ((int)entry->kind) {
    case ENTRY_SCOPE:
        write_scope(w, entry);
        return true;
    case ENTRY_SCOPE_END:
        write_varint(w, entry->u.scope_end.scope);
        write_slice(w, entry->u.scope_end.actor);
        return true;
    case ENTRY_SCOPE_MOVE:
        write_varint(w, entry->u.scope_move.scope);
        write_varint(w, entry->u.scope_move.parent);
        write_slice(w, entry->u.scope_move.actor);
        return true;
    case ENTRY_RATE:
        write_rate(w, entry);
        return true;
    case ENTRY_RATE_END:
        write_varint(w, entry->u.rate_end.handle);
        write_slice(w, entry->u.rate_end.actor);
        return true;
    case ENTRY_EXCHANGE:
        write_exchange(w, entry);
        return true;
    case ENTRY_METER:
        write_varint(w, entry->u.meter.number);
        write_slice(w, entry->u.meter.name);
        write_slice(w, entry->u.meter.actor);
        return true;
    default:
        return write_budget_change(w, entry) || entry_write_quota(w, entry) ||
               entry_write_document(w, entry);
    }
}

static size_t matches_size(const struct mete_match *matches, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += MATCH_MAX + matches[i].pattern.len;
    return len;
}

static size_t budget_size(const struct entry *entry)
{
    const struct mete_budget_spec *spec = &entry->u.budget.spec;
    return spec->id.len + spec->time_zone.len + entry->u.budget.document.len +
           entry->u.budget.actor.len + matches_size(spec->matches, spec->matches_len);
}

static size_t rate_size(const struct entry *entry)
{
    const struct mete_rate_spec *spec = &entry->u.rate.spec;
    return spec->id.len + entry->u.rate.document.len + entry->u.rate.actor.len +
           matches_size(spec->matches, spec->matches_len);
}

size_t entry_change_size(const struct entry *entry)
{
    switch ((int)entry->kind) {
    case ENTRY_SCOPE:
        return entry->u.scope.spec.id.len + entry->u.scope.document.len + entry->u.scope.actor.len;
    case ENTRY_SCOPE_END:
        return entry->u.scope_end.actor.len;
    case ENTRY_SCOPE_MOVE:
        return entry->u.scope_move.actor.len;
    case ENTRY_BUDGET:
        return budget_size(entry);
    case ENTRY_BUDGET_END:
        return entry->u.budget_end.actor.len;
    case ENTRY_RATE:
        return rate_size(entry);
    case ENTRY_RATE_END:
        return entry->u.rate_end.actor.len;
    case ENTRY_INCREASE:
        return entry->u.increase.document.len + entry->u.increase.actor.len;
    case ENTRY_INCREASE_END:
        return entry->u.increase_end.actor.len;
    case ENTRY_LIFT:
        return entry->u.lift.actor.len;
    case ENTRY_EXCHANGE:
        return entry->u.exchange.actor.len;
    case ENTRY_METER:
        return entry->u.meter.name.len + entry->u.meter.actor.len;
    default:
        return entry_quota_size(entry) + entry_document_size(entry);
    }
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void read_scope(struct reader *r, struct entry *entry)
{
    struct mete_scope_spec *spec = &entry->u.scope.spec;
    entry->u.scope.handle = read_handle(r);
    spec->kind = (enum mete_kind)read_max(r, METE_KINDS - 1);
    require(r, spec->kind != METE_KIND_NONE);
    spec->organization.n = read_u32(r);
    spec->parent.n = read_u32(r);
    spec->id = read_id(r);
    spec->expires_at.us = (int64_t)read_max(r, ENTRY_INSTANT_MAX_US);
    spec->revoked = (int)read_max(r, 1);
    entry->u.scope.document = read_slice(r, LIMIT_DOCUMENT);
    entry->u.scope.actor = read_slice(r, LIMIT_ID);
}

/* Length 0 is a window without an end. Each window is written in one way. */
static void read_window(struct reader *r, int64_t *ret_start_us, int64_t *ret_end_us)
{
    int64_t start = (int64_t)read_max(r, WINDOW_IN_US + ENTRY_INSTANT_MAX_US);
    bool is_whole = start < WINDOW_IN_US;
    int64_t unit_us = is_whole ? ENTRY_SECOND_US : 1;
    start -= is_whole ? 0 : WINDOW_IN_US;
    require(r, start <= ENTRY_INSTANT_MAX_US / unit_us);
    int64_t len = (int64_t)read_max(r, (uint64_t)(ENTRY_INSTANT_MAX_US / unit_us));
    *ret_start_us = r->bad ? 0 : start * unit_us;
    *ret_end_us = !r->bad && len ? (start + len) * unit_us : INT64_MAX;
    require(r, entry_is_window(*ret_start_us, *ret_end_us));
    require(r, is_whole_seconds(*ret_start_us, *ret_end_us) == is_whole);
}

static void read_next_window(struct reader *r, struct entry *entry)
{
    uint64_t budget = read_max(r, HAS_IDLE + UINT32_MAX);
    require(r, budget % HAS_IDLE > 0);
    entry->u.window.budget = (uint32_t)(budget % HAS_IDLE);
    read_window(r, &entry->u.window.start_us, &entry->u.window.end_us);
    entry->u.window.idle = budget > HAS_IDLE ? read_max(r, IDLE_MAX) : 0;
    require(r, (budget > HAS_IDLE) == (entry->u.window.idle > 0));
}

static struct mete_text read_text(struct reader *r, size_t len_max)
{
    struct slice text = read_slice(r, len_max);
    require(r, text.len > 0);
    return (struct mete_text){text.data, text.len};
}

static size_t read_matches(struct reader *r, struct mete_match *ret_matches)
{
    size_t len = (size_t)read_max(r, METE_MATCHES_MAX);
    require(r, len > 0);
    for (size_t i = 0; i < len && !r->bad; i++) {
        ret_matches[i].kind = (enum mete_match_kind)read_byte(r);
        ret_matches[i].pattern = read_text(r, LIMIT_SESSION);
        require(r, entry_is_match(&ret_matches[i]));
    }
    return r->bad ? 0 : len;
}

static struct mete_controls read_controls(struct reader *r)
{
    struct mete_controls controls = {0};
    controls.throttle_ppm = read_u32(r);
    controls.throttle_rate_ppm = read_u32(r);
    controls.stop_ppm = read_u32(r);
    controls.downgrade_ppm = read_u32(r);
    controls.grace_s = read_u32(r);
    controls.cooldown_s = read_u32(r);
    require(r, has_controls(&controls) && entry_is_controls(&controls));
    return controls;
}

static int64_t read_positive(struct reader *r, int64_t max)
{
    int64_t value = (int64_t)read_max(r, (uint64_t)max);
    require(r, value > 0);
    return value;
}

static void read_extras(struct reader *r, struct mete_budget_spec *spec)
{
    unsigned bits = read_byte(r);
    if (bits & HAS_ZONE)
        spec->time_zone = read_text(r, LIMIT_TIME_ZONE);
    if (bits & HAS_ANCHOR)
        spec->anchor = read_positive(r, INT64_MAX);
    if (bits & HAS_SECONDS)
        spec->window_seconds = read_positive(r, LIMIT_ROLLING_S);
    if (bits & HAS_MATCHES)
        spec->matches_len = read_matches(r, spec->matches);
    if (bits & HAS_SOFT_LIMIT)
        spec->soft_limit = read_positive(r, METE_AMOUNT_MAX);
    if (bits & HAS_ROLLOVER)
        spec->rollover_cap = read_positive(r, METE_AMOUNT_MAX);
    if (bits & HAS_CONTROLS)
        spec->controls = read_controls(r);
    if (bits & HAS_KIND)
        spec->for_kind = (enum mete_kind)read_max(r, METE_KINDS - 1);
    require(r, !(bits & HAS_KIND) || spec->for_kind != METE_KIND_NONE);
    require(r, bits != 0);
}

static void read_budget(struct reader *r, struct entry *entry)
{
    struct mete_budget_spec *spec = &entry->u.budget.spec;
    *spec = (struct mete_budget_spec){0};
    entry->u.budget.handle = read_handle(r);
    spec->scope.n = read_handle(r);
    spec->id = read_id(r);
    spec->meter = (uint16_t)read_max(r, UINT16_MAX);
    spec->currency = spec->meter == METE_COST ? read_u32(r) : 0;
    require(r, entry_is_unit(spec->meter, spec->currency));
    spec->limit = (int64_t)read_max(r, METE_AMOUNT_MAX);
    spec->period = (enum mete_period)read_max(r, METE_PERIODS - 1);
    unsigned mode = (unsigned)read_max(r, METE_OFF | MODE_AND_BITS | MODE_AND_DATES);
    spec->mode = (enum mete_mode)(mode & 3);
    require(r, spec->mode <= METE_OFF);
    spec->thresholds_len = (size_t)read_max(r, METE_THRESHOLDS_MAX);
    for (size_t i = 0; i < spec->thresholds_len; i++)
        spec->thresholds_ppm[i] = read_u32(r);
    require(r, entry_is_thresholds(spec->thresholds_ppm, spec->thresholds_len));
    if (mode & MODE_AND_BITS)
        read_extras(r, spec);
    if (mode & MODE_AND_DATES) {
        spec->starts_at.us = (int64_t)read_max(r, ENTRY_INSTANT_MAX_US);
        spec->ends_at.us = (int64_t)read_max(r, ENTRY_INSTANT_MAX_US);
        require(r, (spec->starts_at.us || spec->ends_at.us) && entry_is_dates(spec));
    }
    require(r, (spec->period == METE_ROLLING) == (spec->window_seconds > 0));
    read_window(r, &entry->u.budget.window_start_us, &entry->u.budget.window_end_us);
    entry->u.budget.document = read_slice(r, LIMIT_DOCUMENT);
    entry->u.budget.actor = read_slice(r, LIMIT_ID);
}

static void read_increase(struct reader *r, struct entry *entry)
{
    struct mete_increase_spec *spec = &entry->u.increase.spec;
    spec->budget.n = read_handle(r);
    entry->u.increase.number = read_handle(r);
    spec->amount = read_positive(r, METE_AMOUNT_MAX);
    spec->from.us = (int64_t)read_max(r, ENTRY_INSTANT_MAX_US);
    spec->until.us = spec->from.us + read_positive(r, ENTRY_INSTANT_MAX_US - spec->from.us);
    entry->u.increase.document = read_slice(r, LIMIT_DOCUMENT);
    entry->u.increase.actor = read_slice(r, LIMIT_ID);
}

static void read_exchange(struct reader *r, struct entry *entry)
{
    struct mete_exchange_spec *spec = &entry->u.exchange.spec;
    spec->from = read_u32(r);
    spec->to = read_u32(r);
    spec->numerator = read_positive(r, ENTRY_RATIO_MAX);
    spec->denominator = read_positive(r, ENTRY_RATIO_MAX);
    spec->effective_at.us = (int64_t)read_max(r, ENTRY_INSTANT_MAX_US);
    entry->u.exchange.actor = read_slice(r, LIMIT_ID);
    require(r, entry_is_unit(METE_COST, spec->from) && entry_is_unit(METE_COST, spec->to) &&
                   spec->from != spec->to);
}

static void read_rate(struct reader *r, struct entry *entry)
{
    struct mete_rate_spec *spec = &entry->u.rate.spec;
    *spec = (struct mete_rate_spec){0};
    entry->u.rate.handle = read_handle(r);
    spec->scope.n = read_handle(r);
    spec->id = read_id(r);
    spec->concurrent = (int)read_max(r, 1);
    if (!spec->concurrent) {
        spec->meter = (uint16_t)read_max(r, UINT16_MAX);
        spec->currency = spec->meter == METE_COST ? read_u32(r) : 0;
        spec->period_ms = (int64_t)read_max(r, LIMIT_RATE_PERIOD_MS);
        spec->burst = (int64_t)read_max(r, METE_AMOUNT_MAX);
    }
    spec->limit = (int64_t)read_max(r, METE_AMOUNT_MAX);
    require(r, entry_is_rate(spec));
    unsigned mode = (unsigned)read_max(r, METE_OFF | MODE_AND_MATCHES);
    spec->mode = (enum mete_mode)(mode & ~(unsigned)MODE_AND_MATCHES);
    require(r, spec->mode <= METE_OFF);
    if (mode & MODE_AND_MATCHES)
        spec->matches_len = read_matches(r, spec->matches);
    entry->u.rate.document = read_slice(r, LIMIT_DOCUMENT);
    entry->u.rate.actor = read_slice(r, LIMIT_ID);
}

static void read_default(struct reader *r, struct entry *entry)
{
    entry->u.by_default.handle = read_handle(r);
    entry->u.by_default.made_from = read_handle(r);
    entry->u.by_default.scope = read_handle(r);
    read_window(r, &entry->u.by_default.window_start_us, &entry->u.by_default.window_end_us);
}

static bool read_budget_change(struct reader *r, struct entry *entry)
{
    switch ((int)entry->kind) {
    case ENTRY_BUDGET:
        read_budget(r, entry);
        return true;
    case ENTRY_BUDGET_END:
        entry->u.budget_end.handle = read_handle(r);
        entry->u.budget_end.actor = read_slice(r, LIMIT_ID);
        return true;
    case ENTRY_WINDOW:
        read_next_window(r, entry);
        return true;
    case ENTRY_LIMIT:
        entry->u.limit.budget = read_handle(r);
        return true;
    case ENTRY_INCREASE:
        read_increase(r, entry);
        return true;
    case ENTRY_INCREASE_END:
        entry->u.increase_end.budget = read_handle(r);
        entry->u.increase_end.number = read_handle(r);
        entry->u.increase_end.actor = read_slice(r, LIMIT_ID);
        return true;
    case ENTRY_LIFT:
        entry->u.lift.budget = read_handle(r);
        entry->u.lift.actor = read_slice(r, LIMIT_ID);
        return true;
    case ENTRY_DEFAULT:
        read_default(r, entry);
        return true;
    default:
        return false;
    }
}

bool entry_read_change(struct reader *r, struct entry *entry)
{
    switch ((int)entry->kind) {
    case ENTRY_SCOPE:
        read_scope(r, entry);
        return true;
    case ENTRY_SCOPE_END:
        entry->u.scope_end.scope = read_handle(r);
        entry->u.scope_end.actor = read_slice(r, LIMIT_ID);
        return true;
    case ENTRY_SCOPE_MOVE:
        entry->u.scope_move.scope = read_handle(r);
        entry->u.scope_move.parent = read_handle(r);
        entry->u.scope_move.actor = read_slice(r, LIMIT_ID);
        return true;
    case ENTRY_RATE:
        read_rate(r, entry);
        return true;
    case ENTRY_RATE_END:
        entry->u.rate_end.handle = read_handle(r);
        entry->u.rate_end.actor = read_slice(r, LIMIT_ID);
        return true;
    case ENTRY_EXCHANGE:
        read_exchange(r, entry);
        return true;
    case ENTRY_METER:
        entry->u.meter.number = (uint16_t)read_max(r, UINT16_MAX);
        entry->u.meter.name = read_slice(r, LIMIT_TIME_ZONE);
        entry->u.meter.actor = read_slice(r, LIMIT_ID);
        require(r, entry_is_id(entry->u.meter.name));
        return true;
    default:
        return read_budget_change(r, entry) || entry_read_quota(r, entry) ||
               entry_read_document(r, entry);
    }
}
