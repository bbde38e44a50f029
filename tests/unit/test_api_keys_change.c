/* SPDX-License-Identifier: Apache-2.0
 * Proves how keys change: what a PUT says and nothing else, the limits it makes and takes away,
 * another text beside the one before for as long as was said, many keys at once (what can be
 * changed is, or nothing), lists by label; after a restart too. */
#include "unit/api_case.h"

#define KEYS "/api/v1/organizations/acme/api-keys"
#define BATCH KEYS "/batch-operations"

struct key {
    char text[KEY_TEXT + 1], id[KEY_ID + 1], path[64];
};

static struct key make_key(struct api_case *c, const char *target, const char *body)
{
    struct key key;
    as(c, "root-token");
    expect(c, 201, "POST", target, body);
    snprintf(key.text, sizeof key.text, "%.56s", member(c, "key"));
    snprintf(key.id, sizeof key.id, "%.16s", member(c, "id"));
    snprintf(key.path, sizeof key.path, "/api/v1/api-keys/%s", key.id);
    return key;
}

static const char *below(const struct key *key, const char *rest)
{
    static char path[128];
    snprintf(path, sizeof path, "%s%s", key->path, rest);
    return path;
}

static void reopen(struct api_case *c)
{
    local_call_done(&c->call);
    c->call = (struct local_call){0};
    local_close(c->local);
    api_case_open(c);
}

/* What the text of a key is answered now. */
static int status_of(struct api_case *c, const char *text)
{
    as(c, text);
    int status = ask(c, "GET", "/api/v1/me", NULL);
    as(c, "root-token");
    return status;
}

static void a_put_changes_what_it_says(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    struct key key = make_key(c, KEYS,
                              "{\"name\":\"n\",\"user\":\"ada\",\"models\":[\"a\"],"
                              "\"permissions\":{\"endpoints\":[\"chat\",\"images\"]},"
                              "\"labels\":{\"team\":\"blue\",\"env\":\"\"},"
                              "\"requests_per_minute\":6,\"disconnect\":\"drain\"}");
    expect_member(c, "permissions.endpoints", "[\"chat\",\"images\"]");
    expect_member(c, "labels", "{\"team\":\"blue\",\"env\":\"\"}");
    expect(c, 200, "PUT", key.path, "{}");
    expect_member(c, "key", "(none)");
    expect_member(c, "name", "n");
    expect(c, 200, "PUT", key.path,
           "{\"name\":\"m\",\"permissions\":{\"ip_ranges\":[\"10.0.0.0/8\"]},"
           "\"labels\":{\"team\":\"red\"},\"expires_at\":\"2027-01-01T00:00:00Z\"}");
    for (int i = 0; i < 2; i++) {
        expect_member(c, "name", "m");
        expect_member(c, "user", "ada");
        expect_member(c, "department", "research");
        expect_member(c, "models", "[\"a\"]");
        expect_member(c, "permissions.endpoints", "[\"chat\",\"images\"]");
        expect_member(c, "permissions.ip_ranges", "[\"10.0.0.0/8\"]");
        expect_member(c, "labels", "{\"team\":\"red\"}");
        expect_member(c, "requests_per_minute", "6");
        expect_member(c, "disconnect", "drain");
        expect_member(c, "expires_at", "2027-01-01T00:00:00Z");
        expect_member(c, "created_at", "2026-11-21T09:00:00Z");
        reopen(c);
        expect(c, 200, "GET", key.path, NULL);
    }
    expect(c, 200, "PUT", key.path,
           "{\"models\":null,\"permissions\":null,\"labels\":null,\"expires_at\":null,"
           "\"disconnect\":null}");
    expect_member(c, "models", "[]");
    expect_member(c, "permissions", "{\"endpoints\":[],\"ip_ranges\":[]}");
    expect_member(c, "labels", "{}");
    expect_member(c, "expires_at", "null");
    expect_member(c, "disconnect", "null");
    expect(c, 200, "PUT", key.path, "{\"permissions\":{\"models\":[\"b\"]}}");
    expect_member(c, "models", "[\"b\"]");
}

static void a_key_from_elsewhere_is_refused(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    struct key key =
        make_key(c, KEYS, "{\"name\":\"n\",\"permissions\":{\"ip_ranges\":[\"10.0.0.0/8\"]}}");
    /* A call in memory comes from no address. */
    assert_int_equal(status_of(c, key.text), 403);
    expect(c, 200, "PUT", key.path, "{\"permissions\":null}");
    assert_int_equal(status_of(c, key.text), 200);
}

static void a_changed_expiry_is_the_ledgers_too(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    struct key key = make_key(c, KEYS, "{\"name\":\"n\",\"expires_at\":\"2026-11-21T09:00:10Z\"}");
    c->now_us += 10000000;
    assert_int_equal(status_of(c, key.text), 401);
    expect(c, 200, "PUT", key.path, "{\"expires_at\":\"2026-11-21T10:00:00Z\"}");
    expect_member(c, "status", "active");
    assert_int_equal(status_of(c, key.text), 200);
    as(c, key.text);
    expect(c, 200, "POST", "/api/v1/budget/reserve", "{\"request_id\":\"r\",\"amount\":\"1\"}");
    expect_member(c, "success", "true");
}

static void limits_are_made_changed_and_taken_away(void **state)
{
    struct api_case *c = *state;
    char target[128];
    make_acme(c);
    struct key key = make_key(c, KEYS, "{\"name\":\"n\"}");
    snprintf(target, sizeof target, "/api/v1/organizations/acme/budgets/%s", key.id);
    expect(c, 404, "GET", target, NULL);
    expect(c, 200, "PUT", key.path,
           "{\"monthly_request_quota\":7,\"requests_per_minute\":8,\"tokens_per_minute\":9,"
           "\"concurrent_requests\":1}");
    expect(c, 200, "GET", target, NULL);
    expect_member(c, "amount", "7");
    expect_member(c, "period", "monthly");
    /* What somebody changed there stays; the quota's amount is the key's. */
    expect(c, 200, "PUT", target, "{\"alert_thresholds\":[0.5],\"name\":\"mine\"}");
    expect(c, 200, "PUT", key.path, "{\"monthly_request_quota\":70}");
    expect(c, 200, "GET", target, NULL);
    expect_member(c, "amount", "70");
    expect_member(c, "alert_thresholds", "[0.5]");
    expect_member(c, "name", "mine");
    as(c, key.text);
    expect(c, 200, "POST", "/api/v1/budget/reserve", "{\"request_id\":\"r1\",\"amount\":\"1\"}");
    expect_member(c, "success", "true");
    expect(c, 200, "POST", "/api/v1/budget/reserve", "{\"request_id\":\"r2\",\"amount\":\"1\"}");
    expect_member(c, "refused_by.0.reason", "concurrency");
    as(c, "root-token");
    expect(c, 200, "PUT", key.path, "{\"concurrent_requests\":5,\"requests_per_minute\":0}");
    expect_member(c, "concurrent_requests", "5");
    as(c, key.text);
    expect(c, 200, "POST", "/api/v1/budget/reserve", "{\"request_id\":\"r3\",\"amount\":\"1\"}");
    expect_member(c, "refused_by.0.reason", "rate_limit");
    as(c, "root-token");
    expect(c, 200, "PUT", key.path,
           "{\"concurrent_requests\":null,\"requests_per_minute\":null,\"tokens_per_minute\":null,"
           "\"monthly_request_quota\":null}");
    expect_member(c, "requests_per_minute", "null");
    expect(c, 404, "GET", target, NULL);
    expect(c, 200, "GET", "/api/v1/organizations/acme/rate-limits", NULL);
    expect_member(c, "data", "[]");
    /* A call under the last quota is open. */
    expect_problem(c, 409, "exists", "monthly_request_quota", "PUT", key.path,
                   "{\"monthly_request_quota\":5,\"name\":\"not this either\"}");
    expect(c, 200, "GET", key.path, NULL);
    expect_member(c, "name", "n");
    expect_member(c, "monthly_request_quota", "null");
}

static void each_wrong_field_of_a_put_is_named(void **state)
{
    struct api_case *c = *state;
    static const struct {
        const char *field, *body;
    } cases[] = {
        {"name", "{\"name\":\"\"}"},
        {"name", "{\"name\":null}"},
        {"user", "{\"user\":\"ada\"}"},
        {"models", "{\"models\":[]}"},
        {"permissions.endpoints[0]", "{\"permissions\":{\"endpoints\":[\"x\"]}}"},
        {"permissions.ip_ranges[0]", "{\"permissions\":{\"ip_ranges\":[\"x\"]}}"},
        {"labels", "{\"labels\":1}"},
        {"monthly_request_quota", "{\"monthly_request_quota\":-1}"},
        {"requests_per_minute", "{\"requests_per_minute\":\"1\"}"},
        {"tokens_per_minute", "{\"tokens_per_minute\":1.5}"},
        {"concurrent_requests", "{\"concurrent_requests\":[]}"},
        {"disconnect", "{\"disconnect\":\"x\"}"},
        {"expires_at", "{\"expires_at\":\"2026-11-21T09:00:00Z\"}"},
        {"revoked", "{\"revoked\":false}"},
    };
    make_acme(c);
    struct key key = make_key(c, KEYS, "{\"name\":\"n\"}");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_problem(c, 400, "invalid", cases[i].field, "PUT", key.path, cases[i].body);
    expect_problem(c, 404, "not_found", "key", "PUT", "/api/v1/api-keys/key_000000000000", "{}");
    expect_problem(c, 400, "invalid", "overlap_seconds", "POST", below(&key, "/regenerate"),
                   "{\"overlap_seconds\":604801}");
    expect_problem(c, 400, "invalid", "overlap_seconds", "POST", below(&key, "/regenerate"),
                   "{\"overlap_seconds\":-1}");
    expect_problem(c, 404, "not_found", "key", "POST", "/api/v1/api-keys/x/regenerate", NULL);
    char labels[4096] = "{\"labels\":{";
    for (int i = 0; i <= 16; i++)
        snprintf(labels + strlen(labels), 32, "%s\"l%d\":\"\"", i ? "," : "", i);
    snprintf(labels + strlen(labels), 8, "}}");
    expect_problem(c, 400, "invalid", "labels", "PUT", key.path, labels);
}

static int put_if(struct api_case *c, const struct key *key, const char *etag, const char *body)
{
    const struct exchange_header header = {"If-Match", slice_of(etag)};
    local_call_done(&c->call);
    c->call = (struct local_call){.method = "PUT",
                                  .target = key->path,
                                  .authorization = SLICE_LITERAL("Bearer root-token"),
                                  .body = slice_of(body),
                                  .headers = &header,
                                  .headers_len = 1};
    local_ask(c->local, &c->call);
    return c->call.status;
}

static void a_put_over_anothers_change_is_refused(void **state)
{
    struct api_case *c = *state;
    char first[32];
    make_acme(c);
    struct key key = make_key(c, KEYS, "{\"name\":\"n\"}");
    expect(c, 200, "GET", key.path, NULL);
    memcpy(first, c->call.etag, sizeof first);
    assert_true(first[0] == '"');
    assert_int_equal(put_if(c, &key, first, "{\"name\":\"m\"}"), 200);
    assert_string_not_equal(c->call.etag, first);
    char second[32];
    memcpy(second, c->call.etag, sizeof second);
    assert_int_equal(put_if(c, &key, first, "{\"name\":\"o\"}"), 412);
    assert_int_equal(put_if(c, &key, second, "{\"name\":\"o\"}"), 200);
}

/* ---- Another text -----------------------------------------------------------------------------
 */

static struct key regenerate(struct api_case *c, const struct key *key, const char *body)
{
    struct key next = *key;
    expect(c, 200, "POST", below(key, "/regenerate"), body);
    expect_member(c, "id", key->id);
    snprintf(next.text, sizeof next.text, "%.56s", member(c, "key"));
    assert_string_not_equal(next.text, key->text);
    return next;
}

static void the_text_before_works_as_long_as_was_said(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    struct key old = make_key(c, KEYS, "{\"name\":\"n\",\"user\":\"ada\",\"models\":[\"a\"]}");
    as(c, old.text);
    expect(c, 200, "POST", "/api/v1/budget/record", "{\"request_id\":\"r1\",\"amount\":\"1\"}");
    as(c, "root-token");
    struct key new = regenerate(c, &old, "{\"overlap_seconds\":60}");
    expect_member(c, "previous_works_until", "2026-11-21T09:01:00Z");
    expect_member(c, "regenerated_at", "2026-11-21T09:00:00Z");
    expect_member(c, "models", "[\"a\"]");
    c->now_us += 59999999;
    assert_int_equal(status_of(c, old.text), 200);
    assert_int_equal(status_of(c, new.text), 200);
    reopen(c);
    assert_int_equal(status_of(c, old.text), 200);
    assert_int_equal(status_of(c, new.text), 200);
    expect(c, 200, "GET", KEYS, NULL);
    assert_null(memmem(c->call.reply.data, c->call.reply.len, "hash", 4));
    assert_null(memmem(c->call.reply.data, c->call.reply.len, new.text, KEY_TEXT));
    c->now_us += 1;
    assert_int_equal(status_of(c, old.text), 401);
    assert_int_equal(status_of(c, new.text), 200);
    reopen(c);
    assert_int_equal(status_of(c, old.text), 401);
    as(c, old.text);
    expect(c, 401, "GET", "/api/v1/me", NULL);
    assert_non_null(strstr(member(c, "detail"), "new text"));
    /* It is the same key: its records go on. */
    as(c, new.text);
    expect(c, 200, "POST", "/api/v1/budget/record", "{\"request_id\":\"r2\",\"amount\":\"1\"}");
    expect(c, 200, "GET", "/api/v1/records", NULL);
    expect_member(c, "data.0.request_id", "r2");
    expect_member(c, "data.1.request_id", "r1");
    as(c, "root-token");
    expect(c, 200, "GET", new.path, NULL);
    expect_member(c, "previous_works_until", "null");
    regenerate(c, &new, "{\"overlap_seconds\":60}");
}

static void a_second_one_within_the_overlap_is_told(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    struct key first = make_key(c, KEYS, "{\"name\":\"n\"}");
    struct key second = regenerate(c, &first, "{}");
    expect_member(c, "previous_works_until", "2026-11-22T09:00:00Z"); /* a day */
    expect_problem(c, 409, "exists", "overlap_seconds", "POST", below(&first, "/regenerate"), NULL);
    assert_non_null(strstr(member(c, "detail"), "2026-11-22T09:00:00Z"));
    assert_int_equal(status_of(c, first.text), 200);
    assert_int_equal(status_of(c, second.text), 200);
    /* A leak cannot wait. */
    struct key third = regenerate(c, &first, "{\"overlap_seconds\":0}");
    expect_member(c, "previous_works_until", "null");
    assert_int_equal(status_of(c, first.text), 401);
    assert_int_equal(status_of(c, second.text), 401);
    assert_int_equal(status_of(c, third.text), 200);
}

static void a_key_that_is_over_gets_no_other_text(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    struct key key = make_key(c, KEYS, "{\"name\":\"n\",\"expires_at\":\"2026-11-21T09:00:10Z\"}");
    struct key next = regenerate(c, &key, "{\"overlap_seconds\":3600}");
    c->now_us += 10000000; /* both texts expire with their key */
    assert_int_equal(status_of(c, key.text), 401);
    assert_int_equal(status_of(c, next.text), 401);
    expect_problem(c, 409, "ended", "key", "POST", below(&key, "/regenerate"), NULL);
    expect(c, 200, "PUT", key.path, "{\"expires_at\":null}");
    assert_int_equal(status_of(c, key.text), 200);
    expect(c, 200, "POST", below(&key, "/revoke"), NULL);
    assert_int_equal(status_of(c, key.text), 401);
    assert_int_equal(status_of(c, next.text), 401);
    expect_problem(c, 409, "ended", "key", "POST", below(&key, "/regenerate"), NULL);
    expect(c, 200, "PUT", key.path, "{\"name\":\"m\"}");
    expect_member(c, "status", "revoked");
}

/* ---- Many -------------------------------------------------------------------------------------
 */

static const char *batch_of(const char *operation, const struct key *a, const char *b,
                            const char *more)
{
    static char body[512];
    snprintf(body, sizeof body, "{\"operation\":\"%s\",\"ids\":[\"%s\",\"%s\"]%s}", operation,
             a->id, b, more);
    return body;
}

static void many_are_changed_at_once(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    struct key a = make_key(c, KEYS, "{\"name\":\"a\"}"), b = make_key(c, KEYS, "{\"name\":\"b\"}");
    expect(c, 200, "POST", BATCH,
           batch_of("update", &a, b.id,
                    ",\"update\":{\"labels\":{\"team\":\"red\"},\"monthly_request_quota\":3,"
                    "\"requests_per_minute\":4,\"tokens_per_minute\":5,\"concurrent_requests\":6,"
                    "\"name\":\"both\"}"));
    expect_member(c, "done", "2");
    expect_member(c, "refused", "0");
    expect_member(c, "results.1.result", "done");
    expect_member(c, "results.1.id", b.id);
    expect(c, 200, "GET", b.path, NULL);
    expect_member(c, "name", "both");
    expect_member(c, "monthly_request_quota", "3");
    expect(c, 200, "POST", BATCH,
           batch_of("revoke", &a, "key_000000000000", ",\"all_or_none\":true"));
    expect_member(c, "done", "0");
    expect_member(c, "results.0.result", "left");
    expect_member(c, "results.1.result", "refused");
    expect_member(c, "results.1.status", "404");
    expect_member(c, "results.1.code", "not_found");
    assert_int_equal(status_of(c, a.text), 200);
    expect(c, 200, "POST", BATCH, batch_of("revoke", &a, "key_000000000000", ""));
    expect_member(c, "done", "1");
    expect_member(c, "refused", "1");
    expect_member(c, "results.0.result", "done");
    assert_int_equal(status_of(c, a.text), 401);
    assert_int_equal(status_of(c, b.text), 200);
    expect(c, 200, "POST", BATCH, batch_of("revoke", &a, b.id, ""));
    expect_member(c, "done", "2");
    expect(c, 200, "POST", BATCH, batch_of("delete", &a, b.id, ""));
    expect_member(c, "done", "2");
    expect(c, 404, "GET", a.path, NULL);
    reopen(c);
    expect(c, 200, "GET", KEYS, NULL);
    expect_member(c, "data", "[]");
    expect(c, 200, "POST", BATCH, batch_of("delete", &a, b.id, ""));
    expect_member(c, "refused", "2");
}

/* One of them has four rate limits already: the engine refuses the whole, and the rest is done. */
static void what_the_engine_refuses_for_one_is_done_for_the_rest(void **state)
{
    struct api_case *c = *state;
    char body[256];
    make_acme(c);
    struct key full = make_key(c, KEYS, "{\"name\":\"full\"}"),
               good = make_key(c, KEYS, "{\"name\":\"good\"}");
    for (int i = 0; i < 4; i++) {
        snprintf(body, sizeof body,
                 "{\"id\":\"r%d\",\"scope\":{\"kind\":\"api_key\",\"id\":\"%s\"},\"limit\":9}", i,
                 full.id);
        expect(c, 201, "POST", "/api/v1/organizations/acme/rate-limits", body);
    }
    const char *update = ",\"update\":{\"name\":\"new\",\"requests_per_minute\":4}";
    char strict[128];
    snprintf(strict, sizeof strict, "%s,\"all_or_none\":true", update);
    expect(c, 200, "POST", BATCH, batch_of("update", &full, good.id, strict));
    expect_member(c, "done", "0");
    expect_member(c, "results.0.code", "full");
    expect_member(c, "results.0.field", "requests_per_minute");
    expect_member(c, "results.1.result", "left");
    expect(c, 200, "GET", good.path, NULL);
    expect_member(c, "name", "good");
    expect(c, 200, "POST", BATCH, batch_of("update", &full, good.id, update));
    expect_member(c, "done", "1");
    expect_member(c, "results.0.result", "refused");
    expect_member(c, "results.1.result", "done");
    expect(c, 200, "GET", good.path, NULL);
    expect_member(c, "requests_per_minute", "4");
    expect(c, 200, "GET", full.path, NULL);
    expect_member(c, "name", "full");
    expect_problem(c, 503, "full", "requests_per_minute", "PUT", full.path,
                   "{\"requests_per_minute\":4}");
}

static void fifty_at_once_and_no_more(void **state)
{
    struct api_case *c = *state;
    char body[4096] = "{\"operation\":\"update\",\"ids\":[";
    make_acme(c);
    for (int i = 0; i < 51; i++) {
        struct key key = make_key(c, KEYS, "{\"name\":\"n\"}");
        size_t len = strlen(body);
        if (i == 50) {
            snprintf(body + len, sizeof body - len,
                     "],\"update\":{\"monthly_request_quota\":1,\"requests_per_minute\":1,"
                     "\"tokens_per_minute\":1,\"concurrent_requests\":1}}");
            expect(c, 200, "POST", BATCH, body);
            expect_member(c, "done", "50");
            body[len] = 0;
        }
        snprintf(body + len, sizeof body - len, "%s\"%s\"", i ? "," : "", key.id);
    }
    snprintf(body + strlen(body), 32, "],\"update\":{}}");
    expect_problem(c, 400, "invalid", "ids", "POST", BATCH, body);
}

static void each_wrong_field_of_a_batch_is_named(void **state)
{
    struct api_case *c = *state;
    static const struct {
        const char *field, *body;
    } cases[] = {
        {"operation", "{\"ids\":[\"a\"]}"},
        {"operation", "{\"operation\":\"make\",\"ids\":[\"a\"]}"},
        {"ids", "{\"operation\":\"revoke\"}"},
        {"ids", "{\"operation\":\"revoke\",\"ids\":[]}"},
        {"ids", "{\"operation\":\"revoke\",\"ids\":[1]}"},
        {"ids[1]", "{\"operation\":\"revoke\",\"ids\":[\"a\",\"b c\"]}"},
        {"ids[1]", "{\"operation\":\"revoke\",\"ids\":[\"a\",\"a\"]}"},
        {"update", "{\"operation\":\"update\",\"ids\":[\"a\"]}"},
        {"update", "{\"operation\":\"revoke\",\"ids\":[\"a\"],\"update\":{}}"},
        {"update.name", "{\"operation\":\"update\",\"ids\":[\"a\"],\"update\":{\"name\":1}}"},
        {"update.permissions.endpoints[0]",
         "{\"operation\":\"update\",\"ids\":[\"a\"],\"update\":{\"permissions\":{\"endpoints\":"
         "[\"x\"]}}}"},
        {"all_or_none", "{\"operation\":\"revoke\",\"ids\":[\"a\"],\"all_or_none\":1}"},
    };
    make_acme(c);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_problem(c, 400, "invalid", cases[i].field, "POST", BATCH, cases[i].body);
    expect_problem(c, 404, "not_found", "org", "POST",
                   "/api/v1/organizations/none/api-keys/batch-operations",
                   "{\"operation\":\"revoke\",\"ids\":[\"a\"]}");
}

/* INV-12: a batch of one organization does not touch another's key. */
static void another_organizations_key_is_not_there(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", "/api/v1/organizations", "{\"id\":\"zeta\",\"name\":\"Zeta\"}");
    struct key mine = make_key(c, KEYS, "{\"name\":\"a\"}"),
               other = make_key(c, "/api/v1/organizations/zeta/api-keys", "{\"name\":\"z\"}");
    expect(c, 200, "POST", BATCH, batch_of("delete", &mine, other.id, ""));
    expect_member(c, "results.1.status", "404");
    assert_int_equal(status_of(c, other.text), 200);
    assert_int_equal(status_of(c, mine.text), 401);
}

/* ---- Lists ------------------------------------------------------------------------------------
 */

static void lists_by_label_user_and_status(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    struct key a = make_key(c, KEYS, "{\"name\":\"a\",\"labels\":{\"team\":\"red\"}}"),
               b = make_key(c, KEYS, "{\"name\":\"b\",\"labels\":{\"team\":\"blue\"}}"),
               d = make_key(c, KEYS,
                            "{\"name\":\"d\",\"labels\":{\"team\":\"red\"},\"user\":\"ada\"}");
    make_key(c, KEYS, "{\"name\":\"e\"}");
    expect(c, 200, "GET", KEYS "?label=team=red&limit=1", NULL);
    expect_member(c, "data.0.id", a.id);
    expect_member(c, "data.1", "(none)");
    char next[128];
    snprintf(next, sizeof next, KEYS "?label=team=red&limit=1&cursor=%.20s",
             member(c, "next_cursor"));
    expect(c, 200, "GET", next, NULL);
    expect_member(c, "data.0.id", d.id);
    snprintf(next, sizeof next, KEYS "?label=team=red&limit=1&cursor=%.20s",
             member(c, "next_cursor"));
    if (strcmp(member(c, "next_cursor"), "null") != 0) {
        expect(c, 200, "GET", next, NULL);
        expect_member(c, "data", "[]");
        expect_member(c, "next_cursor", "null");
    }
    expect(c, 200, "GET", KEYS "?label=team", NULL);
    expect_member(c, "data.2.id", d.id);
    expect_member(c, "data.3", "(none)");
    expect(c, 200, "GET", KEYS "?label=team=", NULL);
    expect_member(c, "data", "[]");
    expect(c, 200, "GET", KEYS "?user=ada", NULL);
    expect_member(c, "data.0.id", d.id);
    expect_member(c, "data.1", "(none)");
    expect(c, 200, "POST", below(&b, "/revoke"), NULL);
    expect(c, 200, "GET", KEYS "?status=revoked", NULL);
    expect_member(c, "data.0.id", b.id);
    expect_member(c, "data.1", "(none)");
    expect_problem(c, 400, "invalid", "status", "GET", KEYS "?status=gone", NULL);
    expect_problem(c, 400, "invalid", "label", "GET", KEYS "?label=%20", NULL);
    expect_problem(c, 400, "invalid", "label", "GET", KEYS "?label=", NULL);
    expect_problem(c, 400, "invalid", "user", "GET", KEYS "?user=a%20b", NULL);
    expect_problem(c, 400, "invalid", "order", "GET", KEYS "?order=asc", NULL);
}

static void when_it_was_last_used(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    struct key key = make_key(c, KEYS, "{\"name\":\"a\"}");
    c->now_us += 5000000;
    assert_int_equal(status_of(c, key.text), 200);
    c->now_us += 5000000;
    expect(c, 200, "GET", key.path, NULL);
    expect_member(c, "last_used_at", "2026-11-21T09:00:05Z");
    expect(c, 200, "GET", KEYS, NULL);
    expect_member(c, "data.0.last_used_at", "2026-11-21T09:00:05Z");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, api_case_setup, api_case_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_put_changes_what_it_says),
        TEST(a_key_from_elsewhere_is_refused),
        TEST(a_changed_expiry_is_the_ledgers_too),
        TEST(limits_are_made_changed_and_taken_away),
        TEST(each_wrong_field_of_a_put_is_named),
        TEST(a_put_over_anothers_change_is_refused),
        TEST(the_text_before_works_as_long_as_was_said),
        TEST(a_second_one_within_the_overlap_is_told),
        TEST(a_key_that_is_over_gets_no_other_text),
        TEST(many_are_changed_at_once),
        TEST(what_the_engine_refuses_for_one_is_done_for_the_rest),
        TEST(fifty_at_once_and_no_more),
        TEST(each_wrong_field_of_a_batch_is_named),
        TEST(another_organizations_key_is_not_there),
        TEST(lists_by_label_user_and_status),
        TEST(when_it_was_last_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
