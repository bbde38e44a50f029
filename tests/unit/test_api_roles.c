/* SPDX-License-Identifier: Apache-2.0
 * Proves who sees the alerts of budgets and the audit log: every role, service tokens with and
 * without the permission, and that neither tells of another organization (INV-12). That every
 * other route is as its table says is test_api_strangers. */
#include "unit/api_people.h"

#define ALERTS "/api/v1/budgets/alerts"
#define AUDIT "/api/v1/organizations/acme/audit"

/* acme and zeta, each with a budget of which half is spent, so that both have an alert. */
static void make_two(struct api_case *c)
{
    static const char *const all[] = {"acme", "zeta"};
    make_acme(c);
    expect(c, 201, "POST", "/api/v1/organizations", "{\"id\":\"zeta\",\"name\":\"Zeta\"}");
    for (size_t i = 0; i < 2; i++) {
        char target[64], body[256];
        snprintf(target, sizeof target, "/api/v1/organizations/%s/budgets", all[i]);
        snprintf(body, sizeof body,
                 "{\"id\":\"of-%s\",\"monthly_limit\":2,\"alert_thresholds\":[0.5]}", all[i]);
        expect(c, 201, "POST", target, body);
        snprintf(body, sizeof body,
                 "{\"request_id\":\"r\",\"scope\":{\"kind\":\"organization\",\"id\":\"%s\"},"
                 "\"amount\":\"1\"}",
                 all[i]);
        expect(c, 200, "POST", "/api/v1/budget/record", body);
    }
}

static void alerts_are_seen_by_every_role_of_its_own(void **state)
{
    struct api_case *c = *state;
    char cookie[128], csrf[64];
    make_two(c);
    expect(c, 200, "GET", ALERTS, NULL);
    assert_int_not_equal(value(c, "data.1").type, JSON_NONE); /* the admin sees both */
    for (int role = ROLE_OWNER; role < ROLES; role++) {
        log_in(c, role_word((enum role)role), cookie, csrf);
        assert_int_equal(ask_with(c, cookie, csrf, "GET", ALERTS, NULL), 200);
        expect_member(c, "data.0.budget", "of-acme");
        expect_member(c, "data.1", "(none)");
    }
}

static void alerts_need_the_permission(void **state)
{
    struct api_case *c = *state;
    char token[SECRET_TEXT + 1];
    make_two(c);
    make_token(c, "zeta", "\"budgets.read\"", token);
    as(c, token);
    expect(c, 200, "GET", ALERTS, NULL);
    expect_member(c, "data.0.budget", "of-zeta");
    expect_member(c, "data.1", "(none)");
    make_token(c, "acme", "\"budgets.write\",\"usage.read\",\"audit.read\"", token);
    as(c, token);
    expect(c, 403, "GET", ALERTS, NULL);
    assert_non_null(strstr(member(c, "detail"), "budgets.read"));
}

static void the_audit_log_is_for_owners_admins_and_finance(void **state)
{
    struct api_case *c = *state;
    char cookie[128], csrf[64];
    make_two(c);
    for (int role = ROLE_OWNER; role < ROLES; role++) {
        bool may = role == ROLE_OWNER || role == ROLE_ADMIN || role == ROLE_FINANCE;
        log_in(c, role_word((enum role)role), cookie, csrf);
        assert_int_equal(ask_with(c, cookie, csrf, "GET", AUDIT, NULL), may ? 200 : 403);
        assert_int_equal(ask_with(c, cookie, csrf, "GET", AUDIT "?format=csv", NULL),
                         may ? 200 : 403);
        /* Of the whole installation to nobody, of another organization neither. */
        assert_int_equal(ask_with(c, cookie, csrf, "GET", "/api/v1/audit", NULL), 403);
        assert_int_equal(ask_with(c, cookie, csrf, "GET", "/api/v1/organizations/zeta/audit", NULL),
                         404);
    }
}

static void the_audit_log_needs_the_permission(void **state)
{
    struct api_case *c = *state;
    char token[SECRET_TEXT + 1];
    make_two(c);
    make_token(c, "acme", "\"audit.read\"", token);
    as(c, token);
    expect(c, 200, "GET", AUDIT "?kind=budget", NULL);
    expect_member(c, "data.0.id", "of-acme");
    expect_member(c, "data.1", "(none)");
    expect(c, 403, "GET", "/api/v1/audit", NULL);
    make_token(c, "zeta", "\"audit.read\"", token);
    as(c, token);
    expect(c, 404, "GET", AUDIT, NULL);
    make_token(c, "acme", "\"organization.write\",\"budgets.read\",\"usage.read\"", token);
    as(c, token);
    expect(c, 403, "GET", AUDIT, NULL);
    assert_non_null(strstr(member(c, "detail"), "audit.read"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, api_case_setup, api_case_teardown)
    const struct CMUnitTest tests[] = {
        TEST(alerts_are_seen_by_every_role_of_its_own),
        TEST(alerts_need_the_permission),
        TEST(the_audit_log_is_for_owners_admins_and_finance),
        TEST(the_audit_log_needs_the_permission),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
