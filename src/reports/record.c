/* SPDX-License-Identifier: Apache-2.0
 * One usage record as JSON. A record in the file names its scopes by handle; their ids are looked
 * up in the entities of the same snapshot, and kept for the page, on which few scopes usually make
 * many calls: one place a handle falls to, the last one there stays.
 *
 * What is told beside what was kept: success (it ended as it should, without an error status),
 * cache_hit (some of the input came from the provider's cache), query_complexity (how long the
 * question was). Costs are told apart where the charge was: input_cost, output_cost and other_cost
 * are together the cost, of a correction too, whose parts are those of the true figures and whose
 * other_cost takes back what was charged before.
 *
 * Not done: a join in SQL, four left joins a row for what repeats; jansson, a tree to print a row.
 */
#include "reports/record.h"

#include "base/assert.h"
#include "base/checked.h"
#include "base/details.h"
#include "base/limits.h"
#include "codec/decimal.h"
#include "codec/json_scan.h"
#include "codec/timestamp.h"
#include "store/rollups.h"

#include <stdlib.h>

enum { NAMES = 256, NANO_PLACES = 9, PPM_PLACES = 6, CENTS = 2 };
/* Input tokens from which on a question is of medium length, and long. */
enum { MEDIUM_TOKENS = 1000, LARGE_TOKENS = 10000 };

struct name {
    uint32_t handle; /* 0: nothing here */
    size_t len;
    char id[LIMIT_ID];
};

struct record_names {
    struct records_reader *reader;
    struct name at[NAMES];
};

/* ---- Names of scopes ------------------------------------------------------------------------- */

int record_names_find(struct record_names *names, enum mete_kind kind, uint32_t handle,
                      struct slice *ret_id)
{
    struct name *name = &names->at[handle % NAMES];
    if (name->handle != handle) {
        name->handle = 0; /* until it is whole */
        int rc = records_entity_id(names->reader, (int)kind, handle, name->id, sizeof name->id,
                                   &name->len);
        if (rc)
            return rc;
        name->handle = handle;
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
    char room[DECIMAL_ROOM];
    size_t len = decimal_format(number, 0, 0, room);
    int rc = buffer_text(out, key);
    return rc ? rc : buffer_append(out, (struct slice){room, len});
}

/* 0 says that there is none. */
static int put_number_or_null(struct buffer *out, const char *key, int64_t number)
{
    return number ? put_number(out, key, number) : put_text(out, key, (struct slice){0});
}

static int put_flag(struct buffer *out, const char *key, bool flag)
{
    int rc = buffer_text(out, key);
    return rc ? rc : buffer_text(out, flag ? "true" : "false");
}

static int put_scope(struct record_names *names, struct buffer *out, const char *key,
                     enum mete_kind kind, struct mete_scope_id scope)
{
    struct slice id = {0};
    int rc = scope.n ? record_names_find(names, kind, scope.n, &id) : 0;
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

/* ---- Whose, and how much -----------------------------------------------------------------------
 */

static int put_scopes(struct record_names *names, const struct records_usage *usage,
                      struct buffer *out)
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

/* Rare: told where they were. */
static const struct {
    enum mete_meter meter;
    const char *name;
} rare[] = {{METE_IMAGES, "images"},
            {METE_AUDIO_SECONDS, "audio_seconds"},
            {METE_CACHE_WRITE_1H, "cache_write_1h_tokens"},
            {METE_AUDIO_INPUT, "audio_input_tokens"},
            {METE_IMAGE_INPUT, "image_input_tokens"},
            {METE_AUDIO_OUTPUT, "audio_output_tokens"},
            {METE_IMAGE_OUTPUT, "image_output_tokens"},
            {METE_SEARCHES, "searches"},
            {METE_CHARACTERS, "characters"},
            {METE_VIDEO_SECONDS, "video_seconds"}};

const char *record_quantity_name(uint16_t meter)
{
    for (size_t i = 0; i < sizeof rare / sizeof rare[0]; i++)
        if (rare[i].meter == meter)
            return rare[i].name;
    return NULL;
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
    for (size_t i = 0; !rc && i < sizeof rare / sizeof rare[0]; i++)
        if (has_meter(usage, rare[i].meter))
            rc = buffer_format(out, ",\"%s\":%lld", rare[i].name,
                               (long long)amount_of(usage, rare[i].meter));
    return rc;
}

/* ---- What it cost ---------------------------------------------------------------------------- */

static int put_amount(struct buffer *out, const char *key, int128 nano)
{
    char room[DECIMAL_ROOM];
    size_t len = decimal_format(nano, NANO_PLACES, CENTS, room);
    return put_text(out, key, (struct slice){room, len});
}

/* The first currency charged in; a call has one. */
static int put_currency(const struct records_usage *usage, struct buffer *out)
{
    char currency[3];
    size_t len = 0;
    for (size_t i = 0; i < usage->usage_len && !len; i++) {
        if (usage->usage[i].meter != METE_COST)
            continue;
        uint32_t code = usage->usage[i].currency;
        for (; len < 3; len++)
            currency[len] = (char)(code >> (16 - 8 * len) & 0xff);
    }
    return put_text(out, ",\"currency\":", (struct slice){currency, len});
}

enum side { OTHER = 0, INPUT_SIDE, OUTPUT_SIDE };
static const struct {
    const char *key;
    enum side side;
} part_of[METE_METERS_BUILTIN] = {
    [METE_INPUT] = {"\"input\":", INPUT_SIDE},
    [METE_CACHED_INPUT] = {"\"cached_input\":", INPUT_SIDE},
    [METE_CACHE_WRITE] = {"\"cache_write\":", INPUT_SIDE},
    [METE_CACHE_WRITE_1H] = {"\"cache_write_1h\":", INPUT_SIDE},
    [METE_AUDIO_INPUT] = {"\"audio_input\":", INPUT_SIDE},
    [METE_IMAGE_INPUT] = {"\"image_input\":", INPUT_SIDE},
    [METE_OUTPUT] = {"\"output\":", OUTPUT_SIDE},
    [METE_REASONING] = {"\"reasoning\":", OUTPUT_SIDE},
    [METE_AUDIO_OUTPUT] = {"\"audio_output\":", OUTPUT_SIDE},
    [METE_IMAGE_OUTPUT] = {"\"image_output\":", OUTPUT_SIDE},
    [METE_REQUESTS] = {"\"requests\":", OTHER},
    [METE_IMAGES] = {"\"images\":", OTHER},
    [METE_AUDIO_SECONDS] = {"\"audio_seconds\":", OTHER},
    [METE_SEARCHES] = {"\"searches\":", OTHER},
    [METE_CHARACTERS] = {"\"characters\":", OTHER},
    [METE_VIDEO_SECONDS] = {"\"video_seconds\":", OTHER},
};

_Static_assert(METE_METERS_BUILTIN == METE_LIST_COST + 1, "each meter has a name and a side");

static int put_parts(const struct mete_details *details, struct buffer *out)
{
    int rc = buffer_text(out, ",\"costs\":{");
    for (size_t i = 0; !rc && i < details->parts_len; i++) {
        const struct mete_part *part = &details->parts[i];
        ASSERT(part->meter < METE_METERS_BUILTIN && part_of[part->meter].key);
        rc = i ? buffer_text(out, ",") : 0;
        if (!rc)
            rc = put_amount(out, part_of[part->meter].key, part->nano);
    }
    return rc ? rc : buffer_text(out, "}");
}

/* What is not told apart, or is of neither side, is other; the three are together the cost. */
static int put_sides(int64_t cost, const struct mete_details *details, struct buffer *out)
{
    int128 sides[3] = {0};
    for (size_t i = 0; i < details->parts_len; i++)
        sides[part_of[details->parts[i].meter].side] += details->parts[i].nano;
    if (!details->parts_len) {
        int rc = buffer_text(out, ",\"input_cost\":null,\"output_cost\":null");
        return rc ? rc : put_amount(out, ",\"other_cost\":", cost);
    }
    int rc = put_amount(out, ",\"input_cost\":", sides[INPUT_SIDE]);
    if (!rc)
        rc = put_amount(out, ",\"output_cost\":", sides[OUTPUT_SIDE]);
    if (!rc)
        rc = put_amount(out, ",\"other_cost\":", cost - sides[INPUT_SIDE] - sides[OUTPUT_SIDE]);
    return rc;
}

static int put_cost(const struct records_usage *usage, const struct mete_details *details,
                    struct buffer *out)
{
    int64_t cost = amount_of(usage, METE_COST);
    int rc = put_amount(out, ",\"cost\":", cost);
    if (!rc)
        rc = put_sides(cost, details, out);
    if (!rc)
        rc = details->parts_len ? put_parts(details, out) : buffer_text(out, ",\"costs\":null");
    return rc ? rc : put_currency(usage, out);
}

/* What the call would have cost without a markup, and what was charged above that. */
static int put_list(const struct records_usage *usage, struct buffer *out)
{
    int64_t list = amount_of(usage, METE_LIST_COST);
    int rc = put_amount(out, ",\"list_cost\":", list);
    return rc ? rc : put_amount(out, ",\"margin\":", (int128)amount_of(usage, METE_COST) - list);
}

/* ---- How it went ----------------------------------------------------------------------------- */

static const char *state_name(enum mete_state state)
{
    return state == METE_COMMITTED ? "committed" : state == METE_RELEASED ? "released" : "expired";
}

const char *record_ending_name(enum mete_ending ending)
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
        [METE_ENDED_STOPPED] = "stopped",
        [METE_ENDED_SHUTDOWN] = "shutdown",
    };
    ASSERT(ending < METE_ENDINGS && names[ending]);
    return names[ending];
}

static int put_ending(const struct records_usage *usage, struct buffer *out)
{
    const struct mete_outcome *outcome = &usage->outcome;
    int rc = buffer_format(out, ",\"state\":\"%s\",\"ending\":\"%s\"", state_name(usage->state),
                           record_ending_name(outcome->ending));
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

static const char *complexity_of(const struct records_usage *usage)
{
    int64_t input = amount_of(usage, METE_INPUT);
    if (!has_meter(usage, METE_INPUT) || usage->corrects)
        return "null";
    return input < MEDIUM_TOKENS ? "\"small\"" : input < LARGE_TOKENS ? "\"medium\"" : "\"large\"";
}

static int put_quality(const struct records_usage *usage, const struct mete_details *details,
                       struct buffer *out)
{
    int rc = put_flag(out, ",\"success\":", rollups_is_success(&usage->outcome));
    if (!rc)
        rc = put_flag(out, ",\"cache_hit\":", amount_of(usage, METE_CACHED_INPUT) > 0);
    if (!rc)
        rc = buffer_format(out, ",\"query_complexity\":%s,\"confidence\":", complexity_of(usage));
    if (rc || !details->has_confidence)
        return rc ? rc : buffer_text(out, "null");
    char room[DECIMAL_ROOM];
    size_t len = decimal_format(details->confidence_ppm, PPM_PLACES, 0, room);
    return buffer_append(out, (struct slice){room, len});
}

/* ---- What it was ----------------------------------------------------------------------------- */

static int put_tags(struct slice tags, struct buffer *out)
{
    int rc = buffer_text(out, ",\"tags\":[");
    for (bool first = true; !rc && tags.len; first = false) {
        const char *end = memchr(tags.data, '\n', tags.len);
        size_t len = end ? (size_t)(end - tags.data) : tags.len;
        rc = put_text(out, first ? "" : ",", slice_part(tags, 0, len));
        tags = slice_from(tags, end ? len + 1 : len);
    }
    return rc ? rc : buffer_text(out, "]");
}

/* Whether the answer came in pieces is known of whoever spoke a dialect. */
static int put_upstream(const struct mete_details *details, struct buffer *out)
{
    int rc = put_text(out, ",\"model_response\":", text_of(details->model));
    if (!rc)
        rc = put_text(out, ",\"upstream_id\":", text_of(details->upstream_id));
    if (!rc)
        rc = put_text(out, ",\"dialect\":", text_of(details->dialect));
    if (!rc)
        rc = put_text(out, ",\"tariff\":", text_of(details->tariff));
    if (rc || details->dialect.len)
        return rc ? rc : put_flag(out, ",\"stream\":", details->stream);
    return buffer_text(out, ",\"stream\":null");
}

static int put_fingerprint(uint64_t fingerprint, struct buffer *out)
{
    if (!fingerprint)
        return buffer_text(out, ",\"fingerprint\":null");
    return buffer_format(out, ",\"fingerprint\":\"%016llx\"", (unsigned long long)fingerprint);
}

static int put_call(const struct records_usage *usage, const struct mete_details *details,
                    struct buffer *out)
{
    int rc = put_text(out, ",\"actor\":", text_of(details->actor));
    if (!rc)
        rc = put_text(out, ",\"session\":", usage->session);
    if (!rc)
        rc = put_tags(usage->tags, out);
    if (!rc)
        rc = put_text(out, ",\"model\":", usage->model);
    if (!rc)
        rc = put_text(out, ",\"provider\":", usage->provider);
    if (!rc)
        rc = put_upstream(details, out);
    return rc ? rc : put_fingerprint(usage->fingerprint, out);
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

int record_put(struct record_names *names, const struct records_usage *usage, bool tells_list,
               struct buffer *out)
{
    struct mete_part parts[METE_PARTS_MAX];
    struct mete_details details;
    if (!details_read(usage->details, parts, &details))
        return METE_E_CORRUPT;
    int rc = buffer_format(out, "{\"id\":\"rec_%llu\"", (unsigned long long)usage->seq);
    if (!rc)
        rc = put_text(out, ",\"request_id\":", usage->request_id);
    if (!rc)
        rc = put_scopes(names, usage, out);
    if (!rc)
        rc = put_call(usage, &details, out);
    if (!rc)
        rc = put_quantities(usage, out);
    if (!rc)
        rc = put_cost(usage, &details, out);
    if (!rc && tells_list && has_meter(usage, METE_LIST_COST))
        rc = put_list(usage, out);
    if (!rc)
        rc = put_ending(usage, out);
    if (!rc)
        rc = put_quality(usage, &details, out);
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

struct record_names *record_names_new(struct records_reader *reader)
{
    struct record_names *names = calloc(1, sizeof *names);
    if (names)
        names->reader = reader;
    return names;
}

void record_names_free(struct record_names *names)
{
    free(names);
}
