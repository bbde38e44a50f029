/* SPDX-License-Identifier: Apache-2.0
 * Usage records as JSON. A record in the file names its scopes by handle; their ids are looked up
 * in the entities of the same snapshot, and kept for the page, on which few scopes usually make
 * many calls: one place a handle falls to, the last one there stays.
 *
 * One more record than asked for is read, to know whether there is a next page.
 *
 * Not done: a join in SQL, four left joins a row for what repeats; jansson, a tree to print a row.
 */
#include "reports/reports.h"

#include "base/assert.h"
#include "base/checked.h"
#include "base/limits.h"
#include "codec/decimal.h"
#include "codec/json_scan.h"
#include "codec/timestamp.h"

#include <stdlib.h>

enum { NAMES = 256, NANO_PLACES = 9, CENTS = 2 };

struct name {
    uint32_t handle; /* 0: nothing here */
    size_t len;
    char id[LIMIT_ID];
};

struct names {
    struct records_reader *reader;
    struct name at[NAMES];
};

struct page {
    struct names *names;
    struct buffer *out;
    size_t limit, count;
    uint64_t last;
    bool more;
};

/* ---- Names of scopes ------------------------------------------------------------------------- */

static int keep_name(void *user, const struct records_entity *entity)
{
    struct name *name = user;
    if (entity->handle != name->handle)
        return METE_E_CORRUPT;
    ASSERT(entity->id.len <= sizeof name->id);
    memcpy(name->id, entity->id.data, entity->id.len);
    name->len = entity->id.len;
    return 0;
}

/* The first entity of this kind after handle - 1 is the one with the handle: one look-up. */
static int find_name(struct names *names, enum mete_kind kind, uint32_t handle,
                     struct slice *ret_id)
{
    struct name *name = &names->at[handle % NAMES];
    if (name->handle != handle) {
        struct name found = {.handle = handle};
        struct mete_scope_id any = {0};
        int rc =
            records_each_entity(names->reader, (int)kind, any, handle - 1, 1, 1, keep_name, &found);
        if (!rc && !found.len)
            rc = METE_E_CORRUPT;
        if (rc)
            return rc;
        *name = found;
    }
    *ret_id = (struct slice){name->id, name->len};
    return 0;
}

/* ---- Members --------------------------------------------------------------------------------- */

static int put_text(struct buffer *out, const char *key, struct slice text)
{
    int rc = buffer_text(out, key);
    if (rc)
        return rc;
    return text.len ? json_quote(out, text) : buffer_text(out, "null");
}

static int put_number(struct buffer *out, const char *key, int64_t number)
{
    return buffer_format(out, "%s%lld", key, (long long)number);
}

/* 0 says that there is none. */
static int put_number_or_null(struct buffer *out, const char *key, int64_t number)
{
    return number ? put_number(out, key, number) : buffer_format(out, "%snull", key);
}

static int put_flag(struct buffer *out, const char *key, bool flag)
{
    return buffer_format(out, "%s%s", key, flag ? "true" : "false");
}

static int put_scope(struct names *names, struct buffer *out, const char *key, enum mete_kind kind,
                     struct mete_scope_id scope)
{
    struct slice id = {0};
    int rc = scope.n ? find_name(names, kind, scope.n, &id) : 0;
    return rc ? rc : put_text(out, key, id);
}

static int put_instant(struct buffer *out, const char *key, int64_t us)
{
    char room[TIMESTAMP_ROOM];
    size_t len = timestamp_format(us, room);
    return put_text(out, key, (struct slice){room, len});
}

static struct slice text_of(struct mete_text text)
{
    return (struct slice){text.data, text.len};
}

/* ---- One record ------------------------------------------------------------------------------ */

static int put_scopes(struct names *names, const struct records_usage *usage, struct buffer *out)
{
    int rc = put_scope(names, out, ",\"organization\":", METE_ORGANIZATION, usage->organization);
    if (!rc)
        rc = put_scope(names, out, ",\"department\":", METE_DEPARTMENT, usage->department);
    if (!rc)
        rc = put_scope(names, out, ",\"user\":", METE_USER, usage->user);
    if (!rc)
        rc = put_scope(names, out, ",\"api_key\":", METE_API_KEY, usage->key);
    return rc;
}

/* 0 of what was not metered. A correction's may be below 0. */
static int64_t amount_of(const struct records_usage *usage, enum mete_meter meter)
{
    for (size_t i = 0; i < usage->usage_len; i++)
        if (usage->usage[i].meter == meter)
            return usage->usage[i].amount;
    return 0;
}

static bool has_meter(const struct records_usage *usage, enum mete_meter meter)
{
    for (size_t i = 0; i < usage->usage_len; i++)
        if (usage->usage[i].meter == meter)
            return true;
    return false;
}

static int put_quantities(const struct records_usage *usage, struct buffer *out)
{
    static const struct {
        enum mete_meter meter;
        const char *key;
    } shown[] = {{METE_INPUT, ",\"input_tokens\":"},
                 {METE_CACHED_INPUT, ",\"cached_input_tokens\":"},
                 {METE_CACHE_WRITE, ",\"cache_write_tokens\":"},
                 {METE_OUTPUT, ",\"output_tokens\":"},
                 {METE_REASONING, ",\"reasoning_tokens\":"},
                 {METE_TOTAL_TOKENS, ",\"total_tokens\":"},
                 {METE_REQUESTS, ",\"requests\":"}};
    int64_t both = amount_of(usage, METE_INPUT) +
                   amount_of(usage, METE_OUTPUT); /* each at most half of an int64_t */
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof shown / sizeof shown[0]; i++) {
        int64_t amount = amount_of(usage, shown[i].meter);
        if (shown[i].meter == METE_TOTAL_TOKENS && !has_meter(usage, METE_TOTAL_TOKENS))
            amount = both;
        rc = put_number(out, shown[i].key, amount);
    }
    return rc;
}

/* The first currency charged in; a call has one. */
static int put_cost(const struct records_usage *usage, struct buffer *out)
{
    int64_t nano = amount_of(usage, METE_COST);
    char cost[DECIMAL_ROOM], currency[3];
    size_t currency_len = 0;
    for (size_t i = 0; i < usage->usage_len && !currency_len; i++) {
        if (usage->usage[i].meter != METE_COST)
            continue;
        uint32_t code = usage->usage[i].currency;
        for (; currency_len < 3; currency_len++)
            currency[currency_len] = (char)(code >> (16 - 8 * currency_len) & 0xff);
    }
    size_t len = decimal_format(nano, NANO_PLACES, CENTS, cost);
    int rc = put_text(out, ",\"cost\":", (struct slice){cost, len});
    return rc ? rc : put_text(out, ",\"currency\":", (struct slice){currency, currency_len});
}

static const char *state_name(enum mete_state state)
{
    return state == METE_COMMITTED ? "committed" : state == METE_RELEASED ? "released" : "expired";
}

static const char *ending_name(enum mete_ending ending)
{
    static const char *const names[METE_ENDINGS] = {
        [METE_ENDED_OK] = "ok",
        [METE_ENDED_ERROR] = "error",
        [METE_ENDED_NO_USAGE] = "no_usage",
        [METE_ENDED_CLIENT_GONE] = "client_gone",
        [METE_ENDED_CANCELLED] = "cancelled",
        [METE_ENDED_LOST] = "lost",
        [METE_ENDED_TIMEOUT] = "timeout",
        [METE_ENDED_NOT_SENT] = "not_sent",
        [METE_ENDED_CUT] = "cut",
        [METE_ENDED_EXPIRED] = "expired",
        [METE_ENDED_RECORDED] = "recorded",
    };
    ASSERT(ending < METE_ENDINGS && names[ending]);
    return names[ending];
}

static int put_ending(const struct records_usage *usage, struct buffer *out)
{
    const struct mete_outcome *outcome = &usage->outcome;
    int rc = buffer_format(out, ",\"state\":\"%s\",\"ending\":\"%s\"", state_name(usage->state),
                           ending_name(outcome->ending));
    if (!rc)
        rc = put_flag(out, ",\"provisional\":", outcome->flags & METE_OUTCOME_PROVISIONAL);
    if (!rc)
        rc = put_flag(out, ",\"counted\":", outcome->flags & METE_OUTCOME_COUNTED);
    if (!rc)
        rc = put_flag(out, ",\"overrun\":", usage->overrun);
    if (!rc)
        rc = put_number_or_null(out, ",\"status\":", outcome->status);
    if (!rc)
        rc = put_number(out, ",\"attempts\":", outcome->attempts);
    if (!rc)
        rc = put_number(out, ",\"latency_ms\":", outcome->latency_ms);
    if (!rc)
        rc = put_number_or_null(out, ",\"first_token_ms\":", outcome->first_token_ms);
    return rc ? rc : put_text(out, ",\"price_list\":", text_of(outcome->price_list));
}

/* What the caller noted, if it is an object; the engine did not look. */
static int put_note(struct slice note, struct buffer *out)
{
    struct json json;
    int rc = buffer_text(out, ",\"metadata\":");
    if (rc)
        return rc;
    bool object = note.len && !json_scan(note, &json, NULL) && json.type == JSON_OBJECT;
    return object ? buffer_append(out, json.raw) : buffer_text(out, "null");
}

/* A correction names the record whose figures were not the true ones, and is named by it. */
static int put_corrections(const struct records_usage *usage, struct buffer *out)
{
    const struct {
        const char *key;
        uint64_t seq;
    } both[] = {{",\"corrects\":", usage->corrects}, {",\"corrected_by\":", usage->corrected}};
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof both / sizeof both[0]; i++)
        rc = both[i].seq ? buffer_format(out, "%s\"rec_%llu\"", both[i].key,
                                         (unsigned long long)both[i].seq)
                         : buffer_format(out, "%snull", both[i].key);
    return rc;
}

static int put_record(struct names *names, const struct records_usage *usage, struct buffer *out)
{
    int rc = buffer_format(out, "{\"id\":\"rec_%llu\"", (unsigned long long)usage->seq);
    if (!rc)
        rc = put_text(out, ",\"request_id\":", usage->request_id);
    if (!rc)
        rc = put_scopes(names, usage, out);
    if (!rc)
        rc = put_text(out, ",\"model\":", usage->model);
    if (!rc)
        rc = put_text(out, ",\"provider\":", usage->provider);
    if (!rc)
        rc = put_quantities(usage, out);
    if (!rc)
        rc = put_cost(usage, out);
    if (!rc)
        rc = put_ending(usage, out);
    if (!rc)
        rc = put_corrections(usage, out);
    if (!rc)
        rc = put_instant(out, ",\"started_at\":", usage->started_us);
    if (!rc)
        rc = put_instant(out, ",\"ended_at\":", usage->ended_us);
    if (!rc)
        rc = put_note(text_of(usage->outcome.note), out);
    return rc ? rc : buffer_text(out, "}");
}

static struct names *new_names(struct records_reader *reader)
{
    struct names *names = calloc(1, sizeof *names);
    if (names)
        names->reader = reader;
    return names;
}

int reports_record_json(struct records_reader *reader, const struct records_usage *usage,
                        struct buffer *out)
{
    size_t before = out->len;
    struct names *names = new_names(reader);
    int rc = names ? put_record(names, usage, out) : METE_E_MEMORY;
    free(names);
    if (rc)
        out->len = before;
    return rc;
}

/* ---- A page ---------------------------------------------------------------------------------- */

static int put_one(void *user, const struct records_usage *usage)
{
    struct page *page = user;
    if (page->count == page->limit) {
        page->more = true;
        return 0; /* the one too many was the last */
    }
    int rc = page->count ? buffer_text(page->out, ",") : 0;
    page->count++;
    page->last = usage->seq;
    return rc ? rc : put_record(page->names, usage, page->out);
}

static int put_page(struct page *page, const struct records_filter *filter)
{
    struct records_filter one_more = *filter;
    one_more.limit = page->limit + 1;
    uint64_t last_seq = 0; /* at least this fresh */
    int rc = records_reader_last_seq(page->names->reader, &last_seq);
    if (!rc)
        rc = buffer_text(page->out, "{\"data\":[");
    if (!rc)
        rc = records_each_usage(page->names->reader, &one_more, put_one, page);
    if (!rc)
        rc = buffer_text(page->out, "],\"next_cursor\":");
    if (!rc && page->more)
        rc = buffer_format(page->out, "\"%llu\"", (unsigned long long)page->last);
    else if (!rc)
        rc = buffer_text(page->out, "null");
    return rc ? rc : buffer_format(page->out, ",\"last_seq\":%llu}", (unsigned long long)last_seq);
}

int reports_records(struct records_reader *reader, const struct records_filter *filter,
                    struct buffer *out)
{
    ASSERT(filter->limit >= 1 && filter->limit <= 1000);
    size_t before = out->len;
    struct page page = {.names = new_names(reader), .out = out, .limit = filter->limit};
    int rc = page.names ? put_page(&page, filter) : METE_E_MEMORY;
    free(page.names);
    if (rc)
        out->len = before;
    return rc;
}
