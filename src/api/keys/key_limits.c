/* SPDX-License-Identifier: Apache-2.0
 * Only what is said is changed: a budget or rate limit that somebody changed by its own path keeps
 * what the key says nothing of. */
#include "api/keys/key_limits.h"

#include "api/limits/budgets.h"
#include "base/assert.h"
#include "base/limits.h"

enum { MINUTE_MS = 60 * 1000 };

static const struct {
    enum key_member member;
    const char *suffix; /* of its id */
    int concurrent;
    uint16_t meter;
} rates[KEY_RATES] = {
    {KEY_REQUESTS, ".requests", 0, METE_REQUESTS},
    {KEY_TOKENS, ".tokens", 0, METE_TOTAL_TOKENS},
    {KEY_CONCURRENT, ".concurrent", 1, 0},
};

/* The id with suffix behind it; empty: no memory. */
static struct slice rate_id(struct request *request, struct slice id, const char *suffix)
{
    size_t len = strlen(suffix);
    char *room = arena_take(&request->arena, id.len + len);
    if (!room)
        return (struct slice){0};
    memcpy(room, id.data, id.len);
    memcpy(room + id.len, suffix, len);
    return (struct slice){room, id.len + len};
}

bool key_limits_question(struct request *request, const struct key_in *in, struct slice id,
                         size_t i, struct mete_query *ret_query)
{
    ASSERT(i <= KEY_RATES);
    bool is_quota = i == KEY_RATES;
    if (!in->said[is_quota ? KEY_QUOTA : rates[i].member])
        return false;
    if (!is_quota)
        id = rate_id(request, id, rates[i].suffix);
    ret_query->kind = is_quota ? METE_QUERY_FIND_BUDGET : METE_QUERY_FIND_RATE;
    ret_query->id = request_text(id);
    return id.len > 0;
}

/* ---- The quota --------------------------------------------------------------------------------
 */

static struct mete_budget_spec new_quota(const struct key_limits *limits, int64_t limit,
                                         struct slice zone)
{
    return (struct mete_budget_spec){.id = request_text(limits->id),
                                     .scope = limits->scope,
                                     .meter = METE_REQUESTS,
                                     .limit = limit,
                                     .period = METE_MONTHLY,
                                     .time_zone = request_text(zone),
                                     .mode = METE_ENFORCE,
                                     .thresholds_ppm = {800000, 900000, 950000},
                                     .thresholds_len = 3};
}

/* {"id","name","created_at"}; empty: no memory. */
static struct slice new_document(struct request *request, struct slice id, struct slice name)
{
    struct out *out = &request->out;
    out_clear(out);
    out_open(out, '{');
    out_member_text(out, "id", id);
    if (name.len) {
        out_key(out, "name");
        out_raw(out, name);
    }
    out_member_instant(out, "created_at", mete_now(request->api->parts.mete).us);
    out_close(out, '}');
    return out->failed ? (struct slice){0} : arena_copy(&request->arena, buffer_slice(&out->bytes));
}

static int change_quota(struct request *request, const struct key_limits *limits,
                        const struct key_in *in, struct slice zone, struct mete_change *ret_change)
{
    int64_t limit = in->limits[KEY_QUOTA];
    if (limit < 0) {
        *ret_change = (struct mete_change){.kind = METE_END_BUDGET, .end = limits->quota->budget};
        return 0;
    }
    struct slice document = limits->quota_document;
    if (!limits->quota)
        document = new_document(request, limits->id, in->json[KEY_NAME]);
    if (!limits->quota && !document.data)
        return METE_E_MEMORY;
    *ret_change =
        (struct mete_change){.kind = METE_PUT_BUDGET,
                             .flags = limits->quota ? METE_CHANGE_UPDATE : METE_CHANGE_CREATE,
                             .document = request_text(document)};
    if (limits->quota)
        budgets_respecify(limits->quota, &ret_change->budget);
    else
        ret_change->budget = new_quota(limits, limit, zone);
    ret_change->budget.limit = limit;
    return 0;
}

/* ---- Rates ------------------------------------------------------------------------------------
 */

static int change_rate(struct request *request, const struct key_limits *limits, size_t i,
                       int64_t limit, struct mete_change *ret_change)
{
    const struct key_rate *was = &limits->rates[i];
    if (limit < 0) {
        *ret_change = (struct mete_change){.kind = METE_END_RATE_LIMIT, .end_rate = {was->n}};
        return 0;
    }
    struct slice id = rate_id(request, limits->id, rates[i].suffix);
    if (!id.len)
        return METE_E_MEMORY;
    *ret_change = (struct mete_change){.kind = METE_PUT_RATE_LIMIT,
                                       .flags = was->n ? METE_CHANGE_UPDATE : METE_CHANGE_CREATE,
                                       .rate = {.id = request_text(id),
                                                .scope = limits->scope,
                                                .concurrent = rates[i].concurrent,
                                                .meter = rates[i].meter,
                                                .limit = limit,
                                                .period_ms = rates[i].concurrent ? 0 : MINUTE_MS,
                                                .mode = was->n ? was->mode : METE_ENFORCE}};
    return 0;
}

int key_limits_change(struct request *request, const struct key_limits *limits,
                      const struct key_in *in, struct slice zone, struct mete_change *changes,
                      size_t *len)
{
    int rc = 0;
    if (in->said[KEY_QUOTA] && (limits->quota || in->limits[KEY_QUOTA] >= 0))
        rc = change_quota(request, limits, in, zone, &changes[(*len)++]);
    for (size_t i = 0; i < KEY_RATES && !rc; i++) {
        enum key_member member = rates[i].member;
        if (in->said[member] && (limits->rates[i].n || in->limits[member] >= 0))
            rc = change_rate(request, limits, i, in->limits[member], &changes[(*len)++]);
    }
    return rc;
}

const char *key_limits_blame(const struct mete_change *change, int error, const char **ret_why)
{
    bool is_quota = change->kind == METE_PUT_BUDGET;
    if (!is_quota && change->kind != METE_PUT_RATE_LIMIT)
        return NULL;
    *ret_why = error == METE_E_EXISTS
                   ? "Calls under the last one are still open; try again when they have ended."
               : error == METE_E_FULL    ? "The key has as many limits as a scope may have."
               : error == METE_E_INVALID ? "It is too large."
                                         : NULL;
    if (is_quota)
        return key_member_name(KEY_QUOTA);
    for (size_t i = 0; i < KEY_RATES - 1; i++)
        if (!change->rate.concurrent && change->rate.meter == rates[i].meter)
            return key_member_name(rates[i].member);
    return key_member_name(KEY_CONCURRENT);
}
