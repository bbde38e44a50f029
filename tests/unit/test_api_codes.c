/* SPDX-License-Identifier: Apache-2.0
 * Proves of redemption codes: their text is shown once and kept nowhere; each use is one grant,
 * however many redeem at once; a scope redeems a code once; what is wrong, over or another
 * organization's is told apart from nothing, and is not tried for long. */
#include "unit/api_case.h"

#include <stdio.h>

#define ACME "/api/v1/organizations/acme"
#define TEN "\"grants\":[{\"unit\":\"tokens\",\"amount\":\"10\"}]"

/* What the last reply says there, kept beyond it. */
static void keep(struct api_case *c, const char *path, char room[64])
{
    const char *text = member(c, path);
    assert_true(strlen(text) < 64);
    memcpy(room, text, strlen(text) + 1);
}

static const char *make_code(struct api_case *c, const char *more)
{
    static char code[64];
    char body[256];
    snprintf(body, sizeof body, "{%s%s}", TEN, more);
    expect(c, 201, "POST", ACME "/codes", body);
    keep(c, "data.0.code", code);
    return code;
}

static int redeem(struct api_case *c, const char *code, const char *user)
{
    char body[160];
    snprintf(body, sizeof body, "{\"code\":\"%s\",\"user_id\":\"%s\"}", code, user);
    return ask(c, "POST", ACME "/redeem", body);
}

static void add_users(struct api_case *c, int count)
{
    for (int i = 0; i < count; i++) {
        char body[64];
        snprintf(body, sizeof body, "{\"id\":\"u%d\",\"name\":\"U\"}", i);
        expect(c, 201, "POST", ACME "/users", body);
    }
}

static void a_code_is_shown_once_and_grants_once(void **state)
{
    struct api_case *c = *state;
    char code[64], id[64], path[128];
    make_acme(c);
    snprintf(code, sizeof code, "%s", make_code(c, ",\"description\":\"Spring\""));
    keep(c, "data.0.id", id);
    snprintf(path, sizeof path, ACME "/codes/%s", id);
    expect(c, 200, "GET", path, NULL);
    expect_member(c, "code", "(none)");
    expect_member(c, "hash", "(none)");
    expect_member(c, "used", "0");
    assert_int_equal(redeem(c, code, "ada"), 201);
    expect_member(c, "code", id);
    expect_member(c, "scope.id", "ada");
    expect_member(c, "grants.0.amount", "10");
    expect_member(c, "grants.0.source", "code");
    expect_member(c, "grants.0.source_id", id);
    expect_member(c, "grants.0.description", "Spring");
    assert_int_equal(redeem(c, code, "ada"), 404);
    expect_member(c, "field", "code");
    expect(c, 200, "GET", path, NULL);
    expect_member(c, "used", "1");
    expect(c, 204, "DELETE", path, NULL);
    expect_problem(c, 404, "not_found", "code", "GET", path, NULL);
}

static void nothing_on_disk_has_the_text(void **state)
{
    struct api_case *c = *state;
    char code[64], command[256];
    make_acme(c);
    snprintf(code, sizeof code, "%s", make_code(c, ""));
    expect(c, 200, "GET", ACME "/codes", NULL);
    snprintf(command, sizeof command, "grep -rqa %s %s", code + 13, c->directory);
    assert_int_not_equal(system(command), 0);
    snprintf(command, sizeof command, "grep -rqa code_%.10s %s", code + 3, c->directory);
    assert_int_equal(system(command), 0);
}

static void a_scope_redeems_a_code_once(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    add_users(c, 1);
    char code[64];
    snprintf(code, sizeof code, "%s", make_code(c, ",\"uses\":5"));
    assert_int_equal(redeem(c, code, "ada"), 201);
    assert_int_equal(redeem(c, code, "ada"), 409);
    expect_member(c, "field", "code");
    assert_int_equal(redeem(c, code, "u0"), 201);
    expect(c, 200, "GET", ACME "/codes", NULL);
    expect_member(c, "data.0.used", "2");
}

/* 64 at once, each for a scope of its own, on a code of 7 uses. */
static void many_at_once_are_as_many_as_its_uses(void **state)
{
    enum { MANY = 64, USES = 7 };
    struct api_case *c = *state;
    struct local_call calls[MANY];
    char bodies[MANY][128];
    int redeemed = 0;
    make_acme(c);
    add_users(c, MANY);
    const char *code = make_code(c, ",\"uses\":7");
    for (int i = 0; i < MANY; i++) {
        snprintf(bodies[i], sizeof bodies[i], "{\"code\":\"%s\",\"user_id\":\"u%d\"}", code, i);
        calls[i] = (struct local_call){.method = "POST",
                                       .target = ACME "/redeem",
                                       .authorization = SLICE_LITERAL("Bearer root-token"),
                                       .body = slice_of(bodies[i])};
        local_start(c->local, &calls[i]);
    }
    local_wait(c->local);
    for (int i = 0; i < MANY; i++) {
        redeemed += calls[i].status == 201;
        assert_true(calls[i].status == 201 || calls[i].status == 404);
        local_call_done(&calls[i]);
    }
    assert_int_equal(redeemed, USES);
    expect(c, 200, "GET", ACME "/codes", NULL);
    expect_member(c, "data.0.used", "7");
    expect(c, 200, "GET", ACME "/quotas", NULL);
    int granted = 0;
    for (int i = 0; i < MANY; i++) {
        char path[32];
        snprintf(path, sizeof path, "data.%d.balance", i);
        granted += !strcmp(member(c, path), "10");
    }
    assert_int_equal(granted, USES);
}

static void wrong_ones_are_not_tried_for_long(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    char code[64], wrong[64];
    snprintf(code, sizeof code, "%s", make_code(c, ",\"uses\":2"));
    snprintf(wrong, sizeof wrong, "%s", code);
    wrong[20] = wrong[20] == 'x' ? 'y' : 'x';
    assert_int_equal(redeem(c, "nonsense", "ada"), 404);
    for (int i = 1; i < 10; i++)
        assert_int_equal(redeem(c, wrong, "ada"), 404);
    assert_int_equal(redeem(c, wrong, "ada"), 429);
    expect_member(c, "code", "limited");
    assert_int_equal(redeem(c, code, "ada"), 429);
    c->now_us += INT64_C(61) * 1000000;
    assert_int_equal(redeem(c, code, "ada"), 201);
}

static void right_ones_are_not_counted(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    add_users(c, 12);
    char code[64], user[16];
    snprintf(code, sizeof code, "%s", make_code(c, ",\"uses\":12"));
    for (int i = 0; i < 12; i++) {
        snprintf(user, sizeof user, "u%d", i);
        assert_int_equal(redeem(c, code, user), 201);
    }
}

static void a_code_is_over_at_its_end(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    char code[64];
    snprintf(code, sizeof code, "%s", make_code(c, ",\"expires_at\":\"2026-12-01T00:00:00Z\""));
    c->now_us = INT64_C(1796083200) * 1000000; /* 2026-12-01 */
    assert_int_equal(redeem(c, code, "ada"), 404);
}

static void a_key_redeems_for_its_user(void **state)
{
    struct api_case *c = *state;
    char key[64], code[64], body[128];
    make_acme(c);
    snprintf(code, sizeof code, "%s", make_code(c, ",\"uses\":9"));
    expect(c, 201, "POST", ACME "/api-keys", "{\"name\":\"k\",\"user\":\"ada\"}");
    keep(c, "key", key);
    snprintf(body, sizeof body, "{\"code\":\"%s\"}", code);
    expect_problem(c, 403, "forbidden", "(none)", "POST", "/api/v1/redeem", body);
    as(c, key);
    expect(c, 201, "POST", "/api/v1/redeem", body);
    expect_member(c, "scope.kind", "user");
    expect_member(c, "scope.id", "ada");
    expect(c, 409, "POST", "/api/v1/redeem", body);
    expect_problem(c, 400, "invalid", "code", "POST", "/api/v1/redeem", "{}");
    expect_problem(c, 403, "forbidden", "(none)", "POST", ACME "/redeem", body);
}

static void a_code_is_its_organizations(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    char code[64], body[128];
    snprintf(code, sizeof code, "%s", make_code(c, ""));
    expect(c, 201, "POST", "/api/v1/organizations", "{\"id\":\"b\",\"name\":\"B\"}");
    snprintf(body, sizeof body,
             "{\"code\":\"%s\",\"scope\":{\"kind\":\"organization\","
             "\"id\":\"b\"}}",
             code);
    expect_problem(c, 404, "not_found", "code", "POST", "/api/v1/organizations/b/redeem", body);
}

static void codes_are_made_of_packages_and_many_at_once(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", ACME "/packages",
           "{\"id\":\"p\",\"name\":\"P\",\"price\":\"1\"," TEN "}");
    expect(c, 201, "POST", ACME "/codes", "{\"package\":\"p\",\"count\":50}");
    expect_member(c, "data.49.package", "p");
    expect_member(c, "data.49.description", "P");
    expect_member(c, "data.49.uses", "1");
    expect(c, 200, "GET", ACME "/codes?limit=30", NULL);
    assert_string_not_equal(member(c, "next_cursor"), "null");
    expect_problem(c, 404, "not_found", "package", "POST", ACME "/codes", "{\"package\":\"q\"}");
    expect_problem(c, 400, "invalid", "package", "POST", ACME "/codes", "{}");
    expect_problem(c, 400, "invalid", "grants", "POST", ACME "/codes",
                   "{\"package\":\"p\"," TEN "}");
    expect_problem(c, 400, "invalid", "count", "POST", ACME "/codes", "{" TEN ",\"count\":51}");
    expect_problem(c, 400, "invalid", "uses", "POST", ACME "/codes", "{" TEN ",\"uses\":0}");
    expect_problem(c, 400, "invalid", "expires_at", "POST", ACME "/codes",
                   "{" TEN ",\"expires_at\":\"2020-01-01T00:00:00Z\"}");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, api_case_setup, api_case_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_code_is_shown_once_and_grants_once),
        CASE(nothing_on_disk_has_the_text),
        CASE(a_scope_redeems_a_code_once),
        CASE(many_at_once_are_as_many_as_its_uses),
        CASE(wrong_ones_are_not_tried_for_long),
        CASE(right_ones_are_not_counted),
        CASE(a_code_is_over_at_its_end),
        CASE(a_key_redeems_for_its_user),
        CASE(a_code_is_its_organizations),
        CASE(codes_are_made_of_packages_and_many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
