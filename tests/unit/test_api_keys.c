/* SPDX-License-Identifier: Apache-2.0
 * Proves the API keys: made, shown without their text, found at once and after a restart, revoked;
 * what a key may see and do, and that another organization's things are not there for it
 * (INV-12); that no reply but the first has the text or its hash (INV-13). */
#include "unit/api_case.h"

#define KEYS "/api/v1/organizations/acme/api-keys"

static char text[KEY_TEXT + 1], id[KEY_ID + 1];

static void make_key(struct api_case *c, const char *target, const char *body)
{
    as(c, "root-token");
    expect(c, 201, "POST", target, body);
    snprintf(text, sizeof text, "%.56s", member(c, "key"));
    snprintf(id, sizeof id, "%.16s", member(c, "id"));
}

static void a_key_as_it_is_shown(void **state)
{
    struct api_case *c = *state;
    char target[128], wanted[1024];
    make_acme(c);
    make_key(c, KEYS,
             "{\"name\":\"notebook\",\"user\":\"ada\",\"models\":[\"gpt-4o*\",\"o3\"],"
             "\"expires_at\":\"2027-01-01T00:00:00+01:00\"}");
    assert_int_equal(strlen(text), KEY_TEXT);
    snprintf(wanted, sizeof wanted,
             "{\"id\":\"%s\",\"prefix\":\"%.12s\",\"name\":\"notebook\",\"organization\":\"acme\","
             "\"department\":\"research\",\"user\":\"ada\",\"models\":[\"gpt-4o*\",\"o3\"],"
             "\"permissions\":{\"endpoints\":[],\"ip_ranges\":[]},\"labels\":{},"
             "\"monthly_request_quota\":null,\"requests_per_minute\":null,"
             "\"tokens_per_minute\":null,\"concurrent_requests\":null,\"disconnect\":null,"
             "\"status\":\"active\","
             "\"expires_at\":\"2026-12-31T23:00:00Z\",\"last_used_at\":null,"
             "\"regenerated_at\":null,\"previous_works_until\":null,"
             "\"created_at\":\"2026-11-21T09:00:00Z\"",
             id, text);
    size_t len = strlen(wanted);
    assert_memory_equal(member(c, ""), wanted, len);
    snprintf(target, sizeof target, "/api/v1/api-keys/%s", id);
    wanted[len] = '}';
    wanted[len + 1] = 0;
    expect(c, 200, "GET", target, NULL);
    expect_member(c, "", wanted);
    expect(c, 200, "GET", KEYS, NULL);
    expect_member(c, "data.0", wanted);
    expect_member(c, "data.1", "(none)");
    assert_null(memmem(c->call.reply.data, c->call.reply.len, "hash", 4));
    assert_null(memmem(c->call.reply.data, c->call.reply.len, text, KEY_TEXT));
}

static void each_wrong_field_is_named(void **state)
{
    struct api_case *c = *state;
    static const struct {
        int status;
        const char *field, *body;
    } cases[] = {
        {400, "name", "{}"},
        {400, "name", "{\"name\":\"\"}"},
        {400, "name", "{\"name\":[]}"},
        {404, "user", "{\"name\":\"n\",\"user\":\"bob\"}"},
        {400, "user", "{\"name\":\"n\",\"user\":\"\"}"},
        {404, "department", "{\"name\":\"n\",\"department\":\"none\"}"},
        {400, "department", "{\"name\":\"n\",\"user\":\"ada\",\"department\":\"sales\"}"},
        {400, "models", "{\"name\":\"n\",\"models\":[]}"},
        {400, "models", "{\"name\":\"n\",\"models\":\"gpt-4o\"}"},
        {400, "models[1]", "{\"name\":\"n\",\"models\":[\"a\",\"b c\"]}"},
        {400, "permissions", "{\"name\":\"n\",\"permissions\":[\"read\"]}"},
        {400, "permissions.read", "{\"name\":\"n\",\"permissions\":{\"read\":true}}"},
        {400, "permissions.endpoints", "{\"name\":\"n\",\"permissions\":{\"endpoints\":[]}}"},
        {400, "permissions.endpoints[1]",
         "{\"name\":\"n\",\"permissions\":{\"endpoints\":[\"chat\",\"talk\"]}}"},
        {400, "permissions.ip_ranges", "{\"name\":\"n\",\"permissions\":{\"ip_ranges\":\"::/0\"}}"},
        {400, "permissions.ip_ranges[0]",
         "{\"name\":\"n\",\"permissions\":{\"ip_ranges\":[\"10.0.0.0/33\"]}}"},
        {400, "permissions.ip_ranges[1]",
         "{\"name\":\"n\",\"permissions\":{\"ip_ranges\":[\"::/0\",\"10.0.0.1/8\"]}}"},
        {400, "permissions.models",
         "{\"name\":\"n\",\"models\":[\"a\"],\"permissions\":{\"models\":[\"b\"]}}"},
        {400, "labels", "{\"name\":\"n\",\"labels\":[]}"},
        {400, "labels", "{\"name\":\"n\",\"labels\":{\"a b\":\"c\"}}"},
        {400, "labels", "{\"name\":\"n\",\"labels\":{\"\":\"c\"}}"},
        {400, "labels", "{\"name\":\"n\",\"labels\":{\"a\":\"c\",\"\\u0061\":\"d\"}}"},
        {400, "labels.a", "{\"name\":\"n\",\"labels\":{\"a\":1}}"},
        {400, "labels.a", "{\"name\":\"n\",\"labels\":{\"a\":\"\\n\"}}"},
        {400, "requests_per_minute", "{\"name\":\"n\",\"requests_per_minute\":-5}"},
        {400, "tokens_per_minute", "{\"name\":\"n\",\"tokens_per_minute\":\"5\"}"},
        {400, "concurrent_requests", "{\"name\":\"n\",\"concurrent_requests\":0.5}"},
        {400, "monthly_request_quota", "{\"name\":\"n\",\"monthly_request_quota\":-1}"},
        {400, "monthly_request_quota", "{\"name\":\"n\",\"monthly_request_quota\":1.5}"},
        {400, "expires_at", "{\"name\":\"n\",\"expires_at\":\"2026-11-21T08:59:59Z\"}"},
        {400, "expires_at", "{\"name\":\"n\",\"expires_at\":\"1970-01-01T00:00:00Z\"}"},
        {400, "expires_at", "{\"name\":\"n\",\"expires_at\":\"tomorrow\"}"},
        {400, "expires_at", "{\"name\":\"n\",\"expires_at\":\"2027-01-01 00:00:00\"}"},
        {400, "expires_at", "{\"name\":\"n\",\"expires_at\":1}"},
        {400, "key", "{\"name\":\"n\",\"key\":\"mine\"}"},
    };
    make_acme(c);
    expect(c, 201, "POST", "/api/v1/organizations/acme/departments",
           "{\"id\":\"sales\",\"name\":\"Sales\"}");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect(c, cases[i].status, "POST", KEYS, cases[i].body);
        expect_member(c, "field", cases[i].field);
    }
    expect(c, 200, "GET", KEYS, NULL);
    expect_member(c, "data", "[]");
    expect_problem(c, 404, "not_found", "org", "POST", "/api/v1/organizations/none/api-keys",
                   "{\"name\":\"n\"}");
    expect_problem(c, 404, "not_found", "key", "GET", "/api/v1/api-keys/key_000000000000", NULL);
    expect_problem(c, 404, "not_found", "key", "GET", "/api/v1/api-keys/x", NULL);
    expect_problem(c, 404, "not_found", "key", "POST", "/api/v1/api-keys/x/revoke", NULL);
}

static void what_a_key_sees_of_itself(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", "/api/v1/organizations/acme/budgets",
           "{\"id\":\"all\",\"monthly_limit\":9}");
    expect(c, 201, "POST", "/api/v1/organizations/acme/budgets",
           "{\"id\":\"adas\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\"},\"unit\":\"tokens\","
           "\"amount\":100,\"period\":\"daily\"}");
    make_key(c, KEYS, "{\"name\":\"n\",\"user\":\"ada\",\"monthly_request_quota\":5}");
    as(c, text);
    expect(c, 200, "GET", "/api/v1/me", NULL);
    expect_member(c, "role", "key");
    expect_member(c, "organization", "acme");
    expect_member(c, "department", "research");
    expect_member(c, "user", "ada");
    expect_member(c, "api_key.id", id);
    expect_member(c, "api_key.monthly_request_quota", "5");
    expect_member(c, "budgets.0.id", id);
    expect_member(c, "budgets.0.unit", "requests");
    expect_member(c, "budgets.0.amount", "5");
    expect_member(c, "budgets.0.scope.kind", "api_key");
    expect_member(c, "budgets.1.id", "adas");
    expect_member(c, "budgets.2.id", "all");
    expect_member(c, "budgets.2.remaining", "9.00");
    expect_member(c, "budgets.3", "(none)");
    expect(c, 200, "GET", "/api/v1/budget/stats", NULL);
    expect_member(c, "budgets.2.id", "all");
    expect_member(c, "scopes", "(none)");
    expect_problem(c, 403, "forbidden", "hash", "GET", "/api/v1/budget/stats?hash=1", NULL);
}

static void a_key_works_at_once_and_until_it_is_revoked(void **state)
{
    struct api_case *c = *state;
    char target[128];
    make_acme(c);
    make_key(c, KEYS, "{\"name\":\"n\"}");
    as(c, text);
    expect(c, 200, "GET", "/api/v1/me", NULL);
    expect(c, 200, "POST", "/api/v1/budget/reserve", "{\"request_id\":\"r1\",\"amount\":\"1\"}");
    char reserve_id[32], body[128];
    snprintf(reserve_id, sizeof reserve_id, "%.31s", member(c, "reserve_id"));

    local_call_done(&c->call);
    local_close(c->local);
    api_case_open(c);
    expect(c, 200, "GET", "/api/v1/me", NULL);

    snprintf(target, sizeof target, "/api/v1/api-keys/%s/revoke", id);
    expect_problem(c, 403, "forbidden", "(none)", "POST", target, "{}");
    as(c, "root-token");
    expect_problem(c, 501, "not_yet", "cut_running", "POST", target, "{\"cut_running\":true}");
    expect_problem(c, 400, "invalid", "cut_running", "POST", target, "{\"cut_running\":1}");
    expect(c, 200, "POST", target, "{}");
    expect_member(c, "status", "revoked");
    expect(c, 200, "POST", target, NULL);
    expect_member(c, "status", "revoked");
    expect(c, 200, "GET", KEYS, NULL);
    expect_member(c, "data.0.status", "revoked");
    expect_member(c, "data.0.name", "n");

    as(c, text);
    expect(c, 401, "GET", "/api/v1/me", NULL);
    expect(c, 401, "GET", "/api/v1/records", NULL);
    expect(c, 401, "POST", "/api/v1/budget/record", "{\"request_id\":\"r9\",\"amount\":\"1\"}");
    expect(c, 200, "POST", "/api/v1/budget/reserve", "{\"request_id\":\"r2\",\"amount\":\"1\"}");
    expect_member(c, "success", "false");
    expect_member(c, "refused_by.0.reason", "key_revoked");
    expect_member(c, "refused_by.0.scope.id", id);
    expect_member(c, "refused_by.0.budget", "null");
    /* What was under way ends, and is billed. */
    snprintf(body, sizeof body, "{\"reserve_id\":\"%s\",\"amount\":\"0.5\"}", reserve_id);
    expect(c, 200, "POST", "/api/v1/budget/deduct", body);
    expect_member(c, "amount", "0.50");
}

static void an_expired_key_is_refused(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    make_key(c, KEYS, "{\"name\":\"n\",\"expires_at\":\"2026-11-21T09:00:10Z\"}");
    as(c, text);
    expect(c, 200, "GET", "/api/v1/me", NULL);
    c->now_us += 10000000;
    expect(c, 401, "GET", "/api/v1/me", NULL);
    expect(c, 200, "POST", "/api/v1/budget/reserve", "{\"request_id\":\"r2\",\"amount\":\"1\"}");
    expect_member(c, "refused_by.0.reason", "key_expired");
    as(c, "root-token");
    expect(c, 200, "GET", KEYS, NULL);
    expect_member(c, "data.0.status", "expired");
}

static void management_is_closed_to_keys(void **state)
{
    struct api_case *c = *state;
    static const struct {
        const char *method, *target;
    } calls[] = {
        {"GET", "/api/v1/organizations"},
        {"POST", "/api/v1/organizations"},
        {"GET", "/api/v1/organizations/acme"},
        {"GET", "/api/v1/organizations/zeta"},
        {"GET", "/api/v1/organizations/none"},
        {"POST", "/api/v1/organizations/acme/users"},
        {"GET", "/api/v1/organizations/acme/users/ada"},
        {"GET", "/api/v1/organizations/acme/departments"},
        {"GET", "/api/v1/organizations/acme/budgets"},
        {"PUT", "/api/v1/organizations/acme/budgets/b"},
        {"DELETE", "/api/v1/organizations/acme/budgets/b"},
        {"GET", "/api/v1/organizations/acme/api-keys"},
        {"GET", "/api/v1/api-keys/key_000000000000"},
    };
    make_acme(c);
    make_key(c, KEYS, "{\"name\":\"n\"}");
    as(c, text);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        expect(c, 403, calls[i].method, calls[i].target, "{}");
        expect_member(c, "code", "forbidden");
    }
}

/* INV-12: what is of another organization does not exist for a key. */
static void another_organizations_things_are_not_there(void **state)
{
    struct api_case *c = *state;
    char other[KEY_ID + 1], body[256], target[128];
    make_acme(c);
    expect(c, 201, "POST", "/api/v1/organizations", "{\"id\":\"zeta\",\"name\":\"Zeta\"}");
    expect(c, 201, "POST", "/api/v1/organizations/zeta/users", "{\"id\":\"zoe\",\"name\":\"Z\"}");
    make_key(c, "/api/v1/organizations/zeta/api-keys", "{\"name\":\"z\"}");
    memcpy(other, id, sizeof other);
    expect(c, 200, "POST", "/api/v1/budget/reserve",
           "{\"request_id\":\"z\",\"scope\":{\"kind\":\"organization\",\"id\":\"zeta\"},\"amount\":"
           "\"1\"}");
    char reserve_id[32];
    snprintf(reserve_id, sizeof reserve_id, "%.31s", member(c, "reserve_id"));
    make_key(c, KEYS, "{\"name\":\"n\",\"user\":\"ada\"}");
    as(c, text);
    static const struct {
        int status;
        const char *scope;
    } cases[] = {
        {404, "{\"kind\":\"organization\",\"id\":\"zeta\"}"},
        {404, "{\"kind\":\"organization\",\"id\":\"none\"}"},
        {404, "{\"kind\":\"user\",\"id\":\"zoe\",\"organization\":\"zeta\"}"},
        {404, "{\"kind\":\"user\",\"id\":\"zoe\"}"},
        {404, "{\"kind\":\"user\",\"id\":\"none\",\"organization\":\"none\"}"},
        {403, "{\"kind\":\"organization\",\"id\":\"acme\"}"},
        {403, "{\"kind\":\"user\",\"id\":\"ada\"}"},
        {403, "{\"kind\":\"user\",\"id\":\"ada\",\"organization\":\"acme\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(body, sizeof body, "{\"request_id\":\"q\",\"scope\":%s,\"amount\":\"1\"}",
                 cases[i].scope);
        expect(c, cases[i].status, "POST", "/api/v1/budget/reserve", body);
        expect(c, cases[i].status, "POST", "/api/v1/budget/record", body);
    }
    snprintf(
        body, sizeof body,
        "{\"request_id\":\"q\",\"scope\":{\"kind\":\"api_key\",\"id\":\"%s\"},\"amount\":\"1\"}",
        other);
    expect(c, 404, "POST", "/api/v1/budget/reserve", body);
    snprintf(
        body, sizeof body,
        "{\"request_id\":\"q\",\"scope\":{\"kind\":\"api_key\",\"id\":\"%s\"},\"amount\":\"1\"}",
        id);
    expect(c, 200, "POST", "/api/v1/budget/reserve", body);
    /* Nor can it end what is not its own, known to this process or not. */
    snprintf(body, sizeof body, "{\"reserve_id\":\"%s\"}", reserve_id);
    expect(c, 404, "POST", "/api/v1/budget/release", body);
    expect(c, 404, "POST", "/api/v1/budget/deduct", body);
    local_call_done(&c->call);
    local_close(c->local);
    api_case_open(c);
    expect(c, 404, "POST", "/api/v1/budget/release", body);
    snprintf(target, sizeof target, "/api/v1/records?api_key=%s", other);
    expect(c, 404, "GET", target, NULL);
    expect(c, 403, "GET", "/api/v1/records?organization=zeta", NULL);
    as(c, "root-token");
    expect(c, 200, "POST", "/api/v1/budget/release", body);
}

static void a_key_may_call_its_models(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    make_key(c, KEYS, "{\"name\":\"n\",\"models\":[\"gpt-4o*\"]}");
    as(c, text);
    expect_problem(c, 403, "forbidden", "model", "POST", "/api/v1/budget/reserve",
                   "{\"request_id\":\"q\",\"model\":\"o3\",\"amount\":\"1\"}");
    expect(c, 200, "POST", "/api/v1/budget/reserve",
           "{\"request_id\":\"q\",\"model\":\"gpt-4o-mini\",\"amount\":\"1\"}");
}

static void records_of_a_key_are_its_own(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(
        c, 200, "POST", "/api/v1/budget/record",
        "{\"request_id\":\"others\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\",\"organization\":"
        "\"acme\"},\"amount\":\"1\"}");
    make_key(c, KEYS, "{\"name\":\"n\",\"user\":\"ada\"}");
    as(c, text);
    expect(c, 200, "POST", "/api/v1/budget/record",
           "{\"request_id\":\"mine\",\"amount\":\"0.25\",\"model\":\"m\",\"provider\":\"p\","
           "\"status\":200,\"metadata\":{\"a\":\"b\"},\"usage\":{\"input_tokens\":3,\"output_"
           "tokens\":4}}");
    expect(c, 200, "GET", "/api/v1/records", NULL);
    expect_member(c, "data.0.request_id", "mine");
    expect_member(c, "data.0.cost", "0.25");
    expect_member(c, "data.0.total_tokens", "7");
    expect_member(c, "data.0.requests", "1");
    expect_member(c, "data.0.ending", "recorded");
    expect_member(c, "data.0.metadata.a", "b");
    expect_member(c, "data.1", "(none)");
    as(c, "root-token");
    expect(c, 200, "GET", "/api/v1/records?organization=acme&user=ada", NULL);
    expect_member(c, "data.1.request_id", "others");
    expect(c, 200, "GET", "/api/v1/records?request_id=mine", NULL);
    expect_member(c, "data.0.api_key", id);
    expect_member(c, "data.1", "(none)");
    expect(c, 200, "GET", "/api/v1/records?model=none", NULL);
    expect_member(c, "data", "[]");
    expect(c, 200, "GET", "/api/v1/records?to=2026-11-21T09:00:00Z", NULL);
    expect_member(c, "data", "[]");
    expect(c, 200, "GET", "/api/v1/records?from=2026-11-21T09:00:00Z&limit=1", NULL);
    expect_member(c, "data.0.request_id", "mine");
    char target[128];
    snprintf(target, sizeof target, "/api/v1/records?cursor=%.20s", member(c, "next_cursor"));
    expect(c, 200, "GET", target, NULL);
    expect_member(c, "data.0.request_id", "others");
    expect_problem(c, 400, "invalid", "from", "GET", "/api/v1/records?from=yesterday", NULL);
    expect_problem(c, 400, "invalid", "to", "GET", "/api/v1/records?to=", NULL);
    expect_problem(c, 400, "invalid", "organization", "GET", "/api/v1/records?user=ada", NULL);
    expect_problem(c, 404, "not_found", "user", "GET", "/api/v1/records?organization=acme&user=x",
                   NULL);
    expect_problem(c, 404, "not_found", "organization", "GET", "/api/v1/records?organization=x",
                   NULL);
    expect_problem(c, 404, "not_found", "api_key", "GET", "/api/v1/records?api_key=x", NULL);
    expect_problem(c, 400, "invalid", "user", "GET", "/api/v1/records?user=a%20b", NULL);
    expect_problem(c, 400, "invalid", "order", "GET", "/api/v1/records?order=asc", NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, api_case_setup, api_case_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_key_as_it_is_shown),
        TEST(each_wrong_field_is_named),
        TEST(what_a_key_sees_of_itself),
        TEST(a_key_works_at_once_and_until_it_is_revoked),
        TEST(an_expired_key_is_refused),
        TEST(management_is_closed_to_keys),
        TEST(another_organizations_things_are_not_there),
        TEST(a_key_may_call_its_models),
        TEST(records_of_a_key_are_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
