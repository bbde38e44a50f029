/* SPDX-License-Identifier: Apache-2.0
 * The words are those of the API (src/api/units.c), which this layer does not know; what has no
 * value is left out, so that a row says what was said. */
#include "engine/audit_json.h"

#include "base/assert.h"
#include "codec/decimal.h"
#include "codec/json_scan.h"
#include "codec/json_strip.h"
#include "codec/timestamp.h"

enum { JSON_MAX = 128 * 1024 }; /* a document, and patterns whose every byte is escaped, thrice */

/* Members of documents that no row of the audit log may show. */
static const char *const secrets[] = {"hash", "password_hash", "secret", "sealed", NULL};

static const char *const kinds[METE_KINDS] = {
    [METE_KIND_NONE] = "none",        [METE_ORGANIZATION] = "organization",
    [METE_DEPARTMENT] = "department", [METE_USER] = "user",
    [METE_API_KEY] = "api_key",       [METE_ADVERTISER] = "advertiser",
    [METE_CAMPAIGN] = "campaign",
};
static const char *const periods[METE_PERIODS] = {
    [METE_MINUTE] = "minute", [METE_HOURLY] = "hourly",   [METE_DAILY] = "daily",
    [METE_WEEKLY] = "weekly", [METE_MONTHLY] = "monthly", [METE_QUARTERLY] = "quarterly",
    [METE_YEARLY] = "yearly", [METE_TOTAL] = "total",     [METE_ROLLING] = "rolling",
};
static const char *const modes[] = {
    [METE_ENFORCE] = "enforce", [METE_SHADOW] = "shadow", [METE_OFF] = "off"};
static const char *const meters[METE_METERS_BUILTIN] = {
    [METE_INPUT] = "input_tokens",
    [METE_CACHED_INPUT] = "cached_input_tokens",
    [METE_CACHE_WRITE] = "cache_write_tokens",
    [METE_OUTPUT] = "output_tokens",
    [METE_REASONING] = "reasoning_tokens",
    [METE_TOTAL_TOKENS] = "tokens",
    [METE_REQUESTS] = "requests",
    [METE_IMAGES] = "images",
    [METE_AUDIO_SECONDS] = "audio_seconds",
    [METE_CACHE_WRITE_1H] = "cache_write_1h_tokens",
    [METE_AUDIO_INPUT] = "audio_input_tokens",
    [METE_IMAGE_INPUT] = "image_input_tokens",
    [METE_AUDIO_OUTPUT] = "audio_output_tokens",
    [METE_IMAGE_OUTPUT] = "image_output_tokens",
    [METE_SEARCHES] = "searches",
    [METE_CHARACTERS] = "characters",
    [METE_VIDEO_SECONDS] = "video_seconds",
    [METE_LIST_COST] = "list_cost",
};

const char *audit_json_kind(int kind)
{
    return kind > METE_KIND_NONE && kind < METE_KINDS ? kinds[kind] : kinds[METE_KIND_NONE];
}

static struct slice of_text(struct mete_text text)
{
    return (struct slice){text.data, text.len};
}

/* ---- Writing ----------------------------------------------------------------------------------
 */

void audit_json_init(struct audit_json *json, struct audit_book *book)
{
    *json = (struct audit_json){.book = book};
    buffer_init(&json->bytes, JSON_MAX);
}

void audit_json_done(struct audit_json *json)
{
    buffer_done(&json->bytes);
}

static void put(struct audit_json *json, struct slice bytes)
{
    if (!json->error)
        json->error = buffer_append(&json->bytes, bytes);
}

static void quote(struct audit_json *json, struct slice text)
{
    if (!json->error)
        json->error = json_quote(&json->bytes, text);
}

static void begin_value(struct audit_json *json)
{
    size_t len = json->bytes.len;
    char last = len ? json->bytes.data[len - 1] : '{';
    if (last != '{' && last != '[' && last != ':')
        put(json, SLICE_LITERAL(","));
}

/* NULL: an element of an array, or the whole. */
static void begin_member(struct audit_json *json, const char *name)
{
    begin_value(json);
    if (!name)
        return;
    quote(json, slice_of(name));
    put(json, SLICE_LITERAL(":"));
}

void audit_json_open(struct audit_json *json, char bracket)
{
    begin_value(json);
    put(json, (struct slice){&bracket, 1});
}

void audit_json_close(struct audit_json *json, char bracket)
{
    put(json, (struct slice){&bracket, 1});
}

void audit_json_text(struct audit_json *json, const char *name, struct slice text)
{
    begin_member(json, name);
    quote(json, text);
}

static void raw(struct audit_json *json, const char *name, struct slice value)
{
    begin_member(json, name);
    put(json, value);
}

/* value / 10^scale, in quotes or as a number. */
static void decimal(struct audit_json *json, const char *name, int64_t value, unsigned scale)
{
    char room[DECIMAL_ROOM];
    raw(json, name, (struct slice){room, decimal_format(value, scale, 0, room)});
}

void audit_json_number(struct audit_json *json, const char *name, int64_t value)
{
    decimal(json, name, value, 0);
}

void audit_json_amount(struct audit_json *json, const char *name, uint16_t meter, int64_t value)
{
    char room[DECIMAL_ROOM];
    bool is_money = meter == METE_COST;
    size_t len = decimal_format(value, is_money ? 9 : 0, is_money ? 2 : 0, room);
    audit_json_text(json, name, (struct slice){room, len});
}

void audit_json_bool(struct audit_json *json, const char *name, int value)
{
    raw(json, name, value ? SLICE_LITERAL("true") : SLICE_LITERAL("false"));
}

/* 0: never. */
void audit_json_instant(struct audit_json *json, const char *name, int64_t us)
{
    char room[TIMESTAMP_ROOM];
    size_t len = us ? timestamp_format(us, room) : 0;
    if (len)
        audit_json_text(json, name, (struct slice){room, len});
    else
        raw(json, name, SLICE_LITERAL("null"));
}

static void share(struct audit_json *json, const char *name, uint32_t ppm)
{
    if (ppm)
        decimal(json, name, ppm, 6);
}

/* ---- Parts ------------------------------------------------------------------------------------
 */

void audit_json_scope(struct audit_json *json, const char *name, uint32_t scope)
{
    struct audit_entity entity;
    int error =
        scope ? audit_find_entity(json->book, METE_KIND_NONE, scope, &entity) : METE_E_NOT_FOUND;
    begin_member(json, name);
    if (error == METE_E_NOT_FOUND) {
        put(json, SLICE_LITERAL("null"));
    } else if (error) {
        json->error = json->error ? json->error : error;
    } else {
        put(json, SLICE_LITERAL("{"));
        audit_json_text(json, "kind", slice_of(audit_json_kind(entity.kind)));
        audit_json_text(json, "id", entity.id);
        put(json, SLICE_LITERAL("}"));
    }
}

void audit_json_document(struct audit_json *json, struct slice document)
{
    if (!document.len)
        return;
    begin_member(json, "document");
    audit_json_value(json, document);
}

void audit_json_value(struct audit_json *json, struct slice document)
{
    if (json->error)
        return;
    int error = json_strip(&json->bytes, document, secrets);
    if (error == METE_E_SYNTAX || error == METE_E_TOO_LARGE)
        put(json, SLICE_LITERAL("null"));
    else
        json->error = error;
}

void audit_json_unit(struct audit_json *json, uint16_t meter, uint32_t currency)
{
    const char code[3] = {(char)(currency >> 16), (char)(currency >> 8), (char)currency};
    struct slice unit = {code, 3};
    if (meter >= METE_METERS_BUILTIN) {
        int error = audit_find_id(json->book, "meter", meter, &unit);
        if (error == METE_E_NOT_FOUND)
            unit = SLICE_LITERAL("unknown"); /* it was made before there was an audit log */
        else if (error && !json->error)
            json->error = error;
    } else if (meter != METE_COST) {
        unit = slice_of(meters[meter]);
    }
    if (!json->error)
        audit_json_text(json, "unit", unit);
}

static void put_kind_of_matches(struct audit_json *json, const char *name,
                                enum mete_match_kind kind, const struct mete_match *matches,
                                size_t len)
{
    bool any = false;
    for (size_t i = 0; i < len; i++) {
        if (matches[i].kind != kind)
            continue;
        if (!any)
            raw(json, name, SLICE_LITERAL("["));
        any = true;
        audit_json_text(json, NULL, of_text(matches[i].pattern));
    }
    if (any)
        audit_json_close(json, ']');
}

static void put_matches(struct audit_json *json, const struct mete_match *matches, size_t len)
{
    put_kind_of_matches(json, "models", METE_MATCH_MODEL, matches, len);
    put_kind_of_matches(json, "providers", METE_MATCH_PROVIDER, matches, len);
    put_kind_of_matches(json, "tags", METE_MATCH_TAG, matches, len);
    put_kind_of_matches(json, "sessions", METE_MATCH_SESSION, matches, len);
}

static void put_controls(struct audit_json *json, const struct mete_budget_spec *spec)
{
    const struct mete_controls *controls = &spec->controls;
    raw(json, "controls", SLICE_LITERAL("{"));
    if (spec->soft_limit)
        audit_json_amount(json, "soft_limit", spec->meter, spec->soft_limit);
    share(json, "throttle_threshold", controls->throttle_ppm);
    share(json, "throttle_rate", controls->throttle_rate_ppm);
    share(json, "emergency_stop_threshold", controls->stop_ppm);
    share(json, "downgrade_threshold", controls->downgrade_ppm);
    if (controls->cooldown_s)
        audit_json_number(json, "cooldown_seconds", controls->cooldown_s);
    if (controls->grace_s)
        audit_json_number(json, "grace_seconds", controls->grace_s);
    audit_json_close(json, '}');
}

static void put_thresholds(struct audit_json *json, const struct mete_budget_spec *spec)
{
    raw(json, "alert_thresholds", SLICE_LITERAL("["));
    for (size_t i = 0; i < spec->thresholds_len; i++)
        share(json, NULL, spec->thresholds_ppm[i]);
    audit_json_close(json, ']');
}

static bool is_one_of(struct json key, const char *const *names)
{
    for (size_t i = 0; names[i]; i++)
        if (json_string_is(key, names[i]))
            return true;
    return false;
}

void audit_json_members(struct audit_json *json, struct slice object, const char *const *but)
{
    struct json root, key, value;
    size_t at = 0;
    if (json_scan(object, &root, NULL)) {
        json->error = json->error ? json->error : METE_E_CORRUPT; /* it is a row's own */
        return;
    }
    while (json_next(root, &at, &key, &value)) {
        if (is_one_of(key, but))
            continue;
        begin_value(json);
        put(json, key.raw);
        put(json, SLICE_LITERAL(":"));
        put(json, value.raw);
    }
}

/* ---- Entries ----------------------------------------------------------------------------------
 */

static void put_scope(struct audit_json *json, const struct entry *entry, uint32_t parent)
{
    const struct mete_scope_spec *spec = &entry->u.scope.spec;
    audit_json_scope(json, "parent", parent);
    audit_json_instant(json, "expires_at", spec->expires_at.us);
    audit_json_bool(json, "revoked", spec->revoked);
    audit_json_document(json, entry->u.scope.document);
}

static void put_budget(struct audit_json *json, const struct entry *entry)
{
    const struct mete_budget_spec *spec = &entry->u.budget.spec;
    audit_json_scope(json, "scope", spec->scope.n);
    if (spec->for_kind)
        audit_json_text(json, "for_kind", slice_of(audit_json_kind((int)spec->for_kind)));
    audit_json_unit(json, spec->meter, spec->currency);
    audit_json_amount(json, "amount", spec->meter, spec->limit);
    audit_json_text(json, "period", slice_of(periods[spec->period]));
    audit_json_text(json, "time_zone",
                    spec->time_zone.len ? of_text(spec->time_zone) : SLICE_LITERAL("UTC"));
    if (spec->anchor)
        audit_json_number(json, "anchor", spec->anchor);
    if (spec->window_seconds)
        audit_json_number(json, "window_seconds", spec->window_seconds);
    if (spec->rollover_cap)
        audit_json_amount(json, "rollover", spec->meter, spec->rollover_cap);
    audit_json_text(json, "mode", slice_of(modes[spec->mode]));
    put_thresholds(json, spec);
    put_controls(json, spec);
    put_matches(json, spec->matches, spec->matches_len);
    audit_json_document(json, entry->u.budget.document);
}

static void put_rate(struct audit_json *json, const struct entry *entry)
{
    const struct mete_rate_spec *spec = &entry->u.rate.spec;
    audit_json_scope(json, "scope", spec->scope.n);
    audit_json_bool(json, "concurrent", spec->concurrent);
    if (!spec->concurrent)
        audit_json_unit(json, spec->meter, spec->currency);
    audit_json_amount(json, "limit", spec->concurrent ? METE_REQUESTS : spec->meter, spec->limit);
    if (!spec->concurrent) {
        decimal(json, "period_seconds", spec->period_ms, 3);
        audit_json_amount(json, "burst", spec->meter, spec->burst ? spec->burst : spec->limit);
    }
    audit_json_text(json, "mode", slice_of(modes[spec->mode]));
    put_matches(json, spec->matches, spec->matches_len);
    audit_json_document(json, entry->u.rate.document);
}

static void put_grant(struct audit_json *json, const struct entry *entry)
{
    const struct mete_grant_spec *spec = &entry->u.grant.spec;
    audit_json_scope(json, "scope", spec->scope.n);
    audit_json_unit(json, spec->meter, spec->currency);
    audit_json_amount(json, "amount", spec->meter, spec->amount);
    audit_json_number(json, "priority", spec->priority);
    audit_json_instant(json, "expires_at", spec->expires_at.us);
    audit_json_text(json, "source", of_text(spec->source));
    audit_json_document(json, entry->u.grant.document);
}

static void put_exchange(struct audit_json *json, const struct entry *entry)
{
    const struct mete_exchange_spec *spec = &entry->u.exchange.spec;
    audit_json_number(json, "numerator", spec->numerator);
    audit_json_number(json, "denominator", spec->denominator);
    audit_json_instant(json, "effective_at", spec->effective_at.us);
}

void audit_json_entry(struct audit_json *json, const struct entry *entry, uint32_t parent)
{
    audit_json_open(json, '{');
    switch ((int)entry->kind) {
    case ENTRY_SCOPE:
        put_scope(json, entry, parent);
        break;
    case ENTRY_BUDGET:
        put_budget(json, entry);
        break;
    case ENTRY_RATE:
        put_rate(json, entry);
        break;
    case ENTRY_GRANT:
        put_grant(json, entry);
        break;
    case ENTRY_EXCHANGE:
        put_exchange(json, entry);
        break;
    case ENTRY_METER:
        audit_json_number(json, "number", entry->u.meter.number);
        break;
    default:
        ASSERT(false && "an entry that puts a thing");
    }
    audit_json_close(json, '}');
}
