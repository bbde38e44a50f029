/* SPDX-License-Identifier: Apache-2.0
 * Proves what is told of a key's use: calls, tokens and cost by hours and days, a page after the
 * other without a gap or a repeat; and of an organization's keys: states and who spent most this
 * month, in its time zone; that another organization's calls are in neither (INV-12). */
#include "unit/api_case.h"

#define KEYS "/api/v1/organizations/acme/api-keys"

enum { HOUR_S = 3600 };

struct key {
    char text[KEY_TEXT + 1], id[KEY_ID + 1];
};

static struct key make_key(struct api_case *c, const char *target, const char *body)
{
    struct key key;
    as(c, "root-token");
    expect(c, 201, "POST", target, body);
    snprintf(key.text, sizeof key.text, "%.56s", member(c, "key"));
    snprintf(key.id, sizeof key.id, "%.16s", member(c, "id"));
    return key;
}

static void spend(struct api_case *c, const struct key *key, const char *amount)
{
    static int calls;
    char body[256];
    as(c, key->text);
    snprintf(body, sizeof body,
             "{\"request_id\":\"r%d\",\"amount\":\"%s\",\"usage\":{\"input_tokens\":3,"
             "\"output_tokens\":4}}",
             calls++, amount);
    expect(c, 200, "POST", "/api/v1/budget/record", body);
    as(c, "root-token");
}

static const char *usage_of(const struct key *key, const char *query)
{
    static char path[256];
    snprintf(path, sizeof path, "/api/v1/api-keys/%s/usage%s", key->id, query);
    return path;
}

static void a_keys_days_and_hours(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    struct key key = make_key(c, KEYS, "{\"name\":\"a\"}"),
               other = make_key(c, KEYS, "{\"name\":\"b\"}");
    expect(c, 200, "GET", usage_of(&key, ""), NULL);
    expect_member(c, "data", "[]");
    expect_member(c, "next_cursor", "null");
    spend(c, &key, "1"); /* 09:00 on the 21st */
    spend(c, &other, "9");
    spend(c, &key, "0.5");
    c->now_us += INT64_C(1000000) * HOUR_S;
    spend(c, &key, "0.25");
    c->now_us += INT64_C(24000000) * HOUR_S;
    spend(c, &key, "0.125");
    expect(c, 200, "GET", usage_of(&key, ""), NULL);
    expect_member(c, "interval", "day");
    expect_member(c, "data.0.start", "2026-11-22T00:00:00Z");
    expect_member(c, "data.0.calls", "1");
    expect_member(c, "data.0.cost", "0.125");
    expect_member(c, "data.1.start", "2026-11-21T00:00:00Z");
    expect_member(c, "data.1.end", "2026-11-22T00:00:00Z");
    expect_member(c, "data.1.calls", "3");
    expect_member(c, "data.1.cost", "1.75");
    expect_member(c, "data.1.currency", "USD");
    expect_member(c, "data.1.input_tokens", "9");
    expect_member(c, "data.1.output_tokens", "12");
    expect_member(c, "data.1.total_tokens", "21");
    expect_member(c, "data.2", "(none)");
    expect(c, 200, "GET", usage_of(&key, "?interval=hour"), NULL);
    expect_member(c, "data.0.start", "2026-11-22T10:00:00Z");
    expect_member(c, "data.1.start", "2026-11-21T10:00:00Z");
    expect_member(c, "data.1.cost", "0.25");
    expect_member(c, "data.2.start", "2026-11-21T09:00:00Z");
    expect_member(c, "data.2.cost", "1.50");
    expect_member(c, "data.3", "(none)");
}

/* Pages of one hour: as many as lie between, each told once. */
static void pages_are_stretches_of_time(void **state)
{
    struct api_case *c = *state;
    char query[160], next[32] = "";
    int pages = 0, calls = 0;
    make_acme(c);
    struct key key = make_key(c, KEYS, "{\"name\":\"a\"}");
    for (int i = 0; i < 5; i++) {
        spend(c, &key, "1");
        c->now_us += INT64_C(2000000) * HOUR_S;
    }
    do {
        snprintf(query, sizeof query,
                 "?interval=hour&limit=1&from=2026-11-21T09:30:00Z&to=2026-11-21T17:00:01Z%s%s",
                 next[0] ? "&cursor=" : "", next);
        expect(c, 200, "GET", usage_of(&key, query), NULL);
        if (value(c, "data.0").type != JSON_NONE)
            calls += !strcmp(member(c, "data.0.calls"), "1") ? 1 : 100;
        expect_member(c, "data.1", "(none)");
        snprintf(next, sizeof next, "%.31s", member(c, "next_cursor"));
        pages++;
    } while (strcmp(next, "null") != 0 && pages < 100);
    assert_int_equal(pages, 9); /* 09:00 to 18:00 */
    assert_int_equal(calls, 5);
}

static void each_wrong_parameter_is_named(void **state)
{
    struct api_case *c = *state;
    static const struct {
        const char *field, *query;
    } cases[] = {
        {"interval", "?interval=week"},
        {"from", "?from=yesterday"},
        {"to", "?to=1"},
        {"from", "?from=2026-11-22T00:00:00Z&to=2026-11-21T00:00:00Z"},
        {"limit", "?limit=0"},
        {"cursor", "?cursor=x"},
        {"cursor", "?cursor=1"},
        {"cursor", "?cursor=99999999"},
        {"order", "?order=asc"},
    };
    make_acme(c);
    struct key key = make_key(c, KEYS, "{\"name\":\"a\"}");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_problem(c, 400, "invalid", cases[i].field, "GET", usage_of(&key, cases[i].query),
                       NULL);
    expect_problem(c, 404, "not_found", "key", "GET", "/api/v1/api-keys/key_000000000000/usage",
                   NULL);
    expect_problem(c, 400, "invalid", "top", "GET", KEYS "/summary?top=101", NULL);
    expect_problem(c, 400, "invalid", "top", "GET", KEYS "/summary?top=x", NULL);
    expect_problem(c, 400, "invalid", "limit", "GET", KEYS "/summary?limit=1", NULL);
    expect_problem(c, 404, "not_found", "org", "GET", "/api/v1/organizations/none/api-keys/summary",
                   NULL);
    as(c, key.text);
    expect(c, 403, "GET", usage_of(&key, ""), NULL);
    expect(c, 403, "GET", KEYS "/summary", NULL);
}

static void states_and_spenders(void **state)
{
    struct api_case *c = *state;
    char path[64];
    make_acme(c);
    expect(c, 201, "POST", "/api/v1/organizations",
           "{\"id\":\"zeta\",\"name\":\"Zeta\",\"time_zone\":\"Asia/Tokyo\"}");
    expect(c, 200, "GET", KEYS "/summary", NULL);
    expect_member(c, "keys", "0");
    expect_member(c, "top", "[]");
    struct key a = make_key(c, KEYS, "{\"name\":\"a\"}"), b = make_key(c, KEYS, "{\"name\":\"b\"}"),
               d = make_key(c, KEYS, "{\"name\":\"d\",\"expires_at\":\"2026-11-21T09:00:10Z\"}"),
               z = make_key(c, "/api/v1/organizations/zeta/api-keys", "{\"name\":\"z\"}");
    spend(c, &a, "1");
    spend(c, &b, "3");
    spend(c, &d, "2");
    spend(c, &z, "50");
    c->now_us += 10000000;
    snprintf(path, sizeof path, "/api/v1/api-keys/%s/revoke", b.id);
    expect(c, 200, "POST", path, NULL);
    snprintf(path, sizeof path, "/api/v1/api-keys/%s", a.id);
    expect(c, 204, "DELETE", path, NULL);
    expect(c, 200, "GET", KEYS "/summary", NULL);
    expect_member(c, "keys", "2");
    expect_member(c, "active", "0");
    expect_member(c, "expired", "1");
    expect_member(c, "revoked", "1");
    expect_member(c, "month_start", "2026-11-01T00:00:00Z");
    expect_member(c, "month_end", "2026-12-01T00:00:00Z");
    expect_member(c, "top.0.id", b.id);
    expect_member(c, "top.0.cost", "3.00");
    expect_member(c, "top.1.id", d.id);
    expect_member(c, "top.2.id", a.id); /* though it is deleted */
    expect_member(c, "top.2.name", "a");
    expect_member(c, "top.2.calls", "1");
    expect_member(c, "top.3", "(none)");
    expect(c, 200, "GET", KEYS "/summary?top=1", NULL);
    expect_member(c, "top.0.id", b.id);
    expect_member(c, "top.1", "(none)");
    expect(c, 200, "GET", "/api/v1/organizations/zeta/api-keys/summary", NULL);
    expect_member(c, "month_start", "2026-10-31T15:00:00Z");
    expect_member(c, "top.0.cost", "50.00");
    c->now_us += INT64_C(864000) * 1000000; /* another month */
    expect(c, 200, "GET", KEYS "/summary", NULL);
    expect_member(c, "month_start", "2026-12-01T00:00:00Z");
    expect_member(c, "top", "[]");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, api_case_setup, api_case_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_keys_days_and_hours),
        TEST(pages_are_stretches_of_time),
        TEST(each_wrong_parameter_is_named),
        TEST(states_and_spenders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
