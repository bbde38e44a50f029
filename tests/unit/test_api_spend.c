/* SPDX-License-Identifier: Apache-2.0
 * Proves who may spend (budget.spend), through calls in memory on a real engine: every role and
 * service tokens with and without the permission, at every call of the authority; that whoever may
 * reaches all of its organization and nothing of another one (INV-12), not even whether there is
 * such an organization; and that a record says who charged it. */
#include "unit/api_people.h"

#define RESERVE "/api/v1/budget/reserve"
#define DEDUCT "/api/v1/budget/deduct"
#define EXTEND "/api/v1/budget/extend"
#define RELEASE "/api/v1/budget/release"
#define CHECK "/api/v1/budget/check"
#define RECORD "/api/v1/budget/record"
#define USER(org) "\"scope\":{\"kind\":\"user\",\"id\":\"ada\",\"organization\":\"" org "\"}"

static void make_zeta(struct api_case *c)
{
    expect(c, 201, "POST", "/api/v1/organizations", "{\"id\":\"zeta\",\"name\":\"Zeta\"}");
    expect(c, 201, "POST", "/api/v1/organizations/zeta/users", "{\"id\":\"ada\",\"name\":\"A\"}");
}

/* acme has a budget of 1 USD on ada; c goes on as a token of acme's that may spend. */
static void spend_for_acme(struct api_case *c)
{
    char token[SECRET_TEXT + 1];
    make_acme(c);
    make_zeta(c);
    expect(c, 201, "POST", "/api/v1/organizations/acme/budgets",
           "{\"id\":\"b\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\"},\"unit\":\"USD\","
           "\"amount\":\"1\",\"period\":\"daily\"}");
    make_token(c, "acme", "\"budget.spend\",\"budgets.read\",\"usage.read\"", token);
    as(c, token);
}

static const char *ending(const char *reserve_id, const char *more)
{
    static char body[256];
    snprintf(body, sizeof body, "{\"reserve_id\":\"%s\"%s}", reserve_id, more);
    return body;
}

static void reserve(struct api_case *c, const char *request, char reserve_id[32])
{
    expect(c, 200, "POST", RESERVE, request);
    expect_member(c, "success", "true");
    snprintf(reserve_id, 32, "%.31s", member(c, "reserve_id"));
}

static void a_token_spends_for_its_organization(void **state)
{
    struct api_case *c = *state;
    char id[32];
    spend_for_acme(c);
    reserve(c, "{\"request_id\":\"r1\"," USER("acme") ",\"amount\":\"0.50\"}", id);
    expect_member(c, "remaining", "0.50");
    expect(c, 200, "POST", EXTEND, ending(id, ",\"amount\":\"0.10\""));
    expect(c, 200, "POST", DEDUCT, ending(id, ",\"amount\":\"0.55\""));
    expect_member(c, "state", "committed");
    /* Its own organization need not be said. */
    reserve(c,
            "{\"request_id\":\"r2\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\"},"
            "\"amount\":\"0.10\"}",
            id);
    expect(c, 200, "POST", RELEASE, ending(id, ""));
    expect(c, 200, "POST", CHECK, "{" USER("acme") ",\"amount\":\"0.46\"}");
    expect_member(c, "available", "false");
    expect(c, 200, "POST", RECORD,
           "{\"request_id\":\"r3\",\"scope\":{\"kind\":\"organization\",\"id\":\"acme\"},"
           "\"amount\":\"0.02\"}");
    expect_problem(c, 400, "invalid", "scope", "POST", RESERVE,
                   "{\"request_id\":\"r4\",\"amount\":\"0.10\"}");
}

static void a_key_of_the_organization_may_be_charged(void **state)
{
    struct api_case *c = *state;
    char key[KEY_ID + 1], body[256], id[32];
    make_acme(c);
    make_zeta(c);
    expect(c, 201, "POST", "/api/v1/organizations/acme/api-keys", "{\"name\":\"k\"}");
    snprintf(key, sizeof key, "%.*s", KEY_ID, member(c, "id"));
    snprintf(body, sizeof body,
             "{\"request_id\":\"k\",\"scope\":{\"kind\":\"api_key\",\"id\":\"%s\"},\"amount\":"
             "\"0.01\"}",
             key);
    char token[SECRET_TEXT + 1], stranger[SECRET_TEXT + 1];
    make_token(c, "acme", "\"budget.spend\"", token);
    make_token(c, "zeta", "\"budget.spend\"", stranger);
    as(c, token);
    reserve(c, body, id);
    as(c, stranger);
    expect_problem(c, 404, "not_found", "scope.id", "POST", RESERVE, body);
}

static void nothing_is_another_organizations(void **state)
{
    struct api_case *c = *state;
    char id[32], token[SECRET_TEXT + 1];
    spend_for_acme(c);
    reserve(c, "{\"request_id\":\"r1\"," USER("acme") ",\"amount\":\"0.50\"}", id);
    make_token(c, "zeta", "\"budget.spend\"", token);
    as(c, token);
    static const char *const calls[] = {RESERVE, CHECK, RECORD};
    for (size_t i = 0; i < 3; i++) {
        expect_problem(c, 404, "not_found", "scope.organization", "POST", calls[i],
                       "{\"request_id\":\"z\"," USER("acme") ",\"amount\":\"0.1\"}");
        expect_problem(c, 404, "not_found", "scope.organization", "POST", calls[i],
                       "{\"request_id\":\"z\"," USER("nobody") ",\"amount\":\"0.1\"}");
        expect_problem(c, 404, "not_found", "scope.id", "POST", calls[i],
                       "{\"request_id\":\"z\",\"scope\":{\"kind\":\"organization\",\"id\":\"acme\"}"
                       ",\"amount\":\"0.1\"}");
    }
    expect_problem(c, 404, "not_found", "reserve_id", "POST", EXTEND,
                   ending(id, ",\"amount\":\"0.1\""));
    expect_problem(c, 404, "not_found", "reserve_id", "POST", DEDUCT,
                   ending(id, ",\"amount\":\"0.1\""));
    expect_problem(c, 404, "not_found", "reserve_id", "POST", RELEASE, ending(id, ""));
    /* In an array the others go on. */
    expect(c, 200, "POST", RESERVE,
           "[{\"request_id\":\"a\"," USER("acme") ",\"amount\":\"0.1\"},"
                                                  "{\"request_id\":\"a\"," USER(
                                                      "zeta") ",\"amount\":\"0.1\"}]");
    expect_member(c, "0.field", "[0].scope.organization");
    expect_member(c, "1.success", "true");
    as(c, "root-token");
    expect(c, 200, "GET", "/api/v1/organizations/acme/budgets/b", NULL);
    expect_member(c, "held", "0.50");
    expect_member(c, "used", "0.00");
}

/* ---- Roles ----------------------------------------------------------------------------------- */

static void every_role_may_or_may_not(void **state)
{
    struct api_case *c = *state;
    char body[256], cookie[128], csrf[64];
    make_acme(c);
    for (int role = ROLE_OWNER; role < ROLES; role++) {
        bool may = role == ROLE_OWNER || role == ROLE_ADMIN;
        int wanted = may ? 200 : 403;
        log_in(c, role_word((enum role)role), cookie, csrf);
        snprintf(body, sizeof body, "{\"request_id\":\"m%d\"," USER("acme") ",\"amount\":\"1\"}",
                 role);
        assert_int_equal(ask_with(c, cookie, csrf, "POST", CHECK, body), wanted);
        assert_int_equal(ask_with(c, cookie, csrf, "POST", RECORD, body), wanted);
        snprintf(body, sizeof body, "{\"request_id\":\"r%d\"," USER("acme") ",\"amount\":\"1\"}",
                 role);
        assert_int_equal(ask_with(c, cookie, csrf, "POST", RESERVE, body), wanted);
        char id[32] = "rsv_00000000001";
        if (may)
            snprintf(id, sizeof id, "%.31s", member(c, "reserve_id"));
        else
            assert_non_null(strstr(member(c, "detail"), "budget.spend"));
        assert_int_equal(
            ask_with(c, cookie, csrf, "POST", EXTEND, ending(id, ",\"ttl_seconds\":60")), wanted);
        assert_int_equal(ask_with(c, cookie, csrf, "POST", DEDUCT, ending(id, "")), wanted);
        assert_int_equal(ask_with(c, cookie, csrf, "POST", RELEASE, ending(id, "")),
                         may ? 409 : 403);
        if (may) /* another page's form has the cookie, and no more */
            assert_int_equal(ask_with(c, cookie, "", "POST", RECORD, body), 403);
    }
}

static void a_token_without_the_permission_may_nothing(void **state)
{
    struct api_case *c = *state;
    char token[SECRET_TEXT + 1];
    static const char *const all[] = {RESERVE, EXTEND, DEDUCT, RELEASE, CHECK, RECORD};
    make_acme(c);
    make_token(c, "acme", "\"budgets.read\",\"budgets.write\"", token);
    as(c, token);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        expect(c, 403, "POST", all[i],
               "{\"request_id\":\"r\"," USER("acme") ",\"amount\":\"0.1\"}");
        assert_non_null(strstr(member(c, "detail"), "budget.spend"));
    }
}

/* ---- Who charged it --------------------------------------------------------------------------
 */

static void expect_actor(struct api_case *c, const char *request_id, const char *actor)
{
    char target[128];
    as(c, "root-token");
    snprintf(target, sizeof target, "/api/v1/records?request_id=%s", request_id);
    expect(c, 200, "GET", target, NULL);
    expect_member(c, "data.0.actor", actor);
}

static void a_record_says_who_charged_it(void **state)
{
    struct api_case *c = *state;
    char cookie[128], csrf[64], token[SECRET_TEXT + 1], actor[64], key[KEY_TEXT + 1], id[32];
    make_acme(c);
    expect(c, 200, "POST", RECORD, "{\"request_id\":\"root\"," USER("acme") ",\"amount\":\"1\"}");
    log_in(c, "admin", cookie, csrf);
    assert_int_equal(ask_with(c, cookie, csrf, "POST", RECORD,
                              "{\"request_id\":\"member\"," USER("acme") ",\"amount\":\"1\"}"),
                     200);
    make_token(c, "acme", "\"budget.spend\"", token);
    snprintf(actor, sizeof actor, "token:acme/%.40s", member(c, "id"));
    expect(c, 201, "POST", "/api/v1/organizations/acme/api-keys", "{\"name\":\"k\"}");
    snprintf(key, sizeof key, "%.*s", KEY_TEXT, member(c, "key"));
    as(c, token);
    reserve(c, "{\"request_id\":\"token\"," USER("acme") ",\"amount\":\"1\"}", id);
    expect(c, 200, "POST", DEDUCT, ending(id, ""));
    as(c, key);
    expect(c, 200, "POST", RECORD, "{\"request_id\":\"key\",\"amount\":\"1\"}");
    expect_actor(c, "root", "admin");
    expect_actor(c, "member", "member:acme/admin");
    expect_actor(c, "token", actor);
    expect_actor(c, "key", "null");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, api_case_setup, api_case_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_token_spends_for_its_organization),
        TEST(a_key_of_the_organization_may_be_charged),
        TEST(nothing_is_another_organizations),
        TEST(every_role_may_or_may_not),
        TEST(a_token_without_the_permission_may_nothing),
        TEST(a_record_says_who_charged_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
