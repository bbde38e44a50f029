/* SPDX-License-Identifier: Apache-2.0
 * Proves the door of the API (routes, credentials, bodies) and its organizations, departments and
 * users, through calls in memory on a real engine: what is made can be shown and listed at once and
 * after a restart, and each wrong field is a problem that names it and changes nothing. */
#include "engine/verify.h"
#include "unit/api_case.h"

#define ORG "/api/v1/organizations/acme"

static void paths_and_methods(void **state)
{
    struct api_case *c = *state;
    expect(c, 404, "GET", "/api/v1/nothing", NULL);
    expect_member(c, "code", "not_found");
    expect(c, 404, "GET", "/api/v1/me/", NULL);
    expect(c, 404, "GET", "/api/v1/organizations/", NULL);
    expect(c, 405, "PATCH", "/api/v1/organizations/acme/budgets", NULL);
    assert_string_equal(c->call.allow, "POST, GET, PUT, DELETE");
    expect(c, 405, "GET", "/api/v1/budget/reserve", NULL);
    assert_string_equal(c->call.allow, "POST");
    expect(c, 405, "DELETE", "/api/v1/me", NULL);
    expect_member(c, "code", "method");
}

static void credentials(void **state)
{
    struct api_case *c = *state;
    as(c, "no-token");
    expect(c, 401, "GET", "/api/v1/organizations", NULL);
    expect_member(c, "code", "unauthenticated");
    as(c, "mete_sk_000000000000000000000000000000000000000000000000");
    expect(c, 401, "GET", "/api/v1/me", NULL);
    snprintf(c->authorization, sizeof c->authorization, "Basic cm9vdA==");
    expect(c, 401, "GET", "/api/v1/me", NULL);
    snprintf(c->authorization, sizeof c->authorization, "bearer root-token");
    expect(c, 200, "GET", "/api/v1/me", NULL);
    expect_member(c, "role", "admin");
    expect_member(c, "api_key", "null");
}

static void bodies(void **state)
{
    struct api_case *c = *state;
    expect_problem(c, 400, "invalid", "(none)", "POST", "/api/v1/organizations", "");
    expect_problem(c, 400, "syntax", "(none)", "POST", "/api/v1/organizations", "{\"id\":");
    assert_non_null(strstr(member(c, "detail"), "byte 6"));
    expect_problem(c, 400, "invalid", "(none)", "POST", "/api/v1/organizations", "[]");
    expect_problem(c, 400, "invalid", "(none)", "POST", "/api/v1/organizations", "5");
    expect_problem(c, 400, "invalid", "nmae", "POST", "/api/v1/organizations",
                   "{\"id\":\"a\",\"nmae\":\"A\"}");
    expect_problem(c, 400, "invalid", "id", "POST", "/api/v1/organizations",
                   "{\"id\":\"a\",\"id\":\"b\",\"name\":\"A\"}");
}

static void an_organization(void **state)
{
    struct api_case *c = *state;
    const char *path = "/api/v1/organizations";
    expect(c, 201, "POST", path, "{\"id\":\"acme\",\"name\":\"Acm\\u00e9 \\\"Ltd\\\"\"}");
    expect_member(c, "",
                  "{\"id\":\"acme\",\"name\":\"Acm\xc3\xa9 \\\"Ltd\\\"\",\"currency\":\"USD\","
                  "\"time_zone\":\"UTC\",\"created_at\":\"2026-11-21T09:00:00Z\"}");
    expect(c, 200, "GET", ORG, NULL);
    expect_member(c, "name", "Acm\xc3\xa9 \"Ltd\"");
    expect_member(c, "created_at", "2026-11-21T09:00:00Z");
    expect_problem(c, 409, "exists", "id", "POST", path, "{\"id\":\"acme\",\"name\":\"Again\"}");
    expect_problem(c, 404, "not_found", "org", "GET", "/api/v1/organizations/nobody", NULL);
    expect_problem(c, 404, "not_found", "org", "GET", "/api/v1/organizations/no%20body", NULL);
    expect(c, 200, "GET", "/api/v1/organizations/%61cme", NULL);

    expect_problem(c, 400, "invalid", "id", "POST", path, "{\"name\":\"A\"}");
    expect_problem(c, 400, "invalid", "name", "POST", path, "{\"id\":\"a\"}");
    expect_problem(c, 400, "invalid", "id", "POST", path, "{\"id\":\"\",\"name\":\"A\"}");
    expect_problem(c, 400, "invalid", "id", "POST", path, "{\"id\":\"a b\",\"name\":\"A\"}");
    expect_problem(c, 400, "invalid", "id", "POST", path, "{\"id\":\"a/b\",\"name\":\"A\"}");
    expect_problem(c, 400, "invalid", "id", "POST", path, "{\"id\":null,\"name\":\"A\"}");
    expect_problem(c, 400, "invalid", "name", "POST", path, "{\"id\":\"a\",\"name\":5}");
    expect_problem(c, 400, "invalid", "name", "POST", path, "{\"id\":\"a\",\"name\":\"\\n\"}");
    expect_problem(c, 400, "invalid", "currency", "POST", path,
                   "{\"id\":\"a\",\"name\":\"A\",\"currency\":\"usd\"}");
    expect_problem(c, 501, "not_yet", "currency", "POST", path,
                   "{\"id\":\"a\",\"name\":\"A\",\"currency\":\"EUR\"}");
    expect_problem(c, 400, "invalid", "time_zone", "POST", path,
                   "{\"id\":\"a\",\"name\":\"A\",\"time_zone\":\"Mars/Base\"}");
    expect(c, 200, "GET", path, NULL);
    expect_member(c, "data.0.id", "acme");
    expect_member(c, "data.1", "(none)");
    expect_member(c, "next_cursor", "null");
    expect(c, 201, "POST", path,
           "{\"id\":\"berlin\",\"name\":\"B\",\"time_zone\":\"Europe/Berlin\"}");
    expect_member(c, "time_zone", "Europe/Berlin");
}

static void ids_have_a_longest(void **state)
{
    struct api_case *c = *state;
    char id[130], body[256];
    memset(id, 'x', 129);
    for (int len = 128; len <= 129; len++) {
        id[len] = 0;
        snprintf(body, sizeof body, "{\"id\":\"%s\",\"name\":\"N\"}", id);
        expect(c, len == 128 ? 201 : 400, "POST", "/api/v1/organizations", body);
        id[len] = 'x';
    }
    expect_member(c, "field", "id");
}

static void departments_and_users(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect_member(c, "",
                  "{\"id\":\"ada\",\"name\":\"Ada\",\"organization\":\"acme\",\"department\":"
                  "\"research\",\"created_at\":\"2026-11-21T09:00:00Z\"}");
    expect(c, 200, "GET", ORG "/departments/research", NULL);
    expect_member(c, "organization", "acme");
    expect(c, 200, "GET", ORG "/users/ada", NULL);
    expect_member(c, "department", "research");
    expect(c, 201, "POST", ORG "/users", "{\"id\":\"bob\",\"name\":\"Bob\"}");
    expect_member(c, "department", "null");

    expect_problem(c, 404, "not_found", "department", "GET", ORG "/departments/none", NULL);
    expect_problem(c, 404, "not_found", "user", "GET", ORG "/users/none", NULL);
    expect_problem(c, 404, "not_found", "org", "GET", "/api/v1/organizations/none/users/ada", NULL);
    expect_problem(c, 404, "not_found", "org", "POST", "/api/v1/organizations/none/users",
                   "{\"id\":\"x\",\"name\":\"X\"}");
    expect_problem(c, 404, "not_found", "department", "POST", ORG "/users",
                   "{\"id\":\"x\",\"name\":\"X\",\"department\":\"none\"}");
    expect_problem(c, 400, "invalid", "department", "POST", ORG "/users",
                   "{\"id\":\"x\",\"name\":\"X\",\"department\":5}");
    expect_problem(c, 409, "exists", "id", "POST", ORG "/users",
                   "{\"id\":\"ada\",\"name\":\"Ada\"}");
    expect_problem(c, 409, "exists", "id", "POST", ORG "/departments",
                   "{\"id\":\"research\",\"name\":\"R\"}");
}

static void departments_stand_in_departments(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", ORG "/departments",
           "{\"id\":\"lab\",\"name\":\"Lab\",\"parent\":\"research\"}");
    expect_member(c, "parent", "research");
    expect(c, 201, "POST", ORG "/departments",
           "{\"id\":\"team\",\"name\":\"Team\",\"parent\":\"lab\"}");
    expect_problem(c, 400, "invalid", "parent", "POST", ORG "/departments",
                   "{\"id\":\"x\",\"name\":\"X\",\"parent\":\"team\"}");
    expect_problem(c, 404, "not_found", "parent", "POST", ORG "/departments",
                   "{\"id\":\"x\",\"name\":\"X\",\"parent\":\"none\"}");
    expect_problem(c, 400, "invalid", "parent", "POST", ORG "/departments",
                   "{\"id\":\"x\",\"name\":\"X\",\"parent\":5}");
    expect(c, 201, "POST", ORG "/departments", "{\"id\":\"sales\",\"name\":\"S\",\"parent\":null}");
    expect_member(c, "parent", "null");
    expect_problem(c, 409, "exists", "department", "DELETE", ORG "/departments/lab", NULL);
    expect(c, 200, "GET", ORG "/departments/team", NULL);
    expect_member(c, "parent", "lab");
}

static void a_department_moves_and_is_named_anew(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", ORG "/departments", "{\"id\":\"sales\",\"name\":\"S\"}");
    expect(c, 200, "PUT", ORG "/departments/sales", "{\"name\":\"Sales\",\"parent\":\"research\"}");
    expect_member(c, "",
                  "{\"id\":\"sales\",\"name\":\"Sales\",\"organization\":\"acme\",\"parent\":"
                  "\"research\",\"created_at\":\"2026-11-21T09:00:00Z\"}");
    expect(c, 200, "PUT", ORG "/departments/sales", "{\"name\":\"Sales 2\"}");
    expect_member(c, "parent", "research");
    expect_problem(c, 400, "invalid", "parent", "PUT", ORG "/departments/research",
                   "{\"parent\":\"sales\"}");
    expect(c, 200, "GET", ORG "/departments/research", NULL);
    expect_member(c, "parent", "null");
    expect(c, 200, "PUT", ORG "/departments/sales", "{\"parent\":null}");
    expect_member(c, "parent", "null");
    expect(c, 200, "GET", ORG "/departments/sales", NULL);
    expect_member(c, "parent", "null");
    expect_problem(c, 404, "not_found", "department", "PUT", ORG "/departments/none", "{}");
    expect_problem(c, 404, "not_found", "parent", "PUT", ORG "/departments/sales",
                   "{\"parent\":\"none\"}");
    expect_problem(c, 400, "invalid", "id", "PUT", ORG "/departments/sales", "{\"id\":\"x\"}");
}

static void an_organization_is_named_anew(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 200, "PUT", ORG, "{\"name\":\"Acme II\",\"time_zone\":\"Europe/Berlin\"}");
    expect(c, 200, "PUT", ORG, "{}");
    expect(c, 200, "GET", ORG, NULL);
    expect_member(c, "",
                  "{\"id\":\"acme\",\"name\":\"Acme II\",\"currency\":\"USD\",\"time_zone\":"
                  "\"Europe/Berlin\",\"created_at\":\"2026-11-21T09:00:00Z\"}");
    expect(c, 201, "POST", ORG "/budgets",
           "{\"id\":\"b\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\"},\"unit\":\"USD\","
           "\"amount\":\"5\",\"period\":\"daily\"}");
    expect_member(c, "time_zone", "Europe/Berlin");
    expect_problem(c, 400, "invalid", "time_zone", "PUT", ORG, "{\"time_zone\":\"Mars/Base\"}");
    expect_problem(c, 400, "invalid", "name", "PUT", ORG, "{\"name\":\"\"}");
    expect_problem(c, 400, "invalid", "currency", "PUT", ORG, "{\"currency\":\"EUR\"}");
    expect_problem(c, 404, "not_found", "org", "PUT", "/api/v1/organizations/none", "{}");
}

/* INV-12: the same id in two organizations is two users, and each list has its own. */
static void organizations_do_not_mix(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", "/api/v1/organizations", "{\"id\":\"zeta\",\"name\":\"Zeta\"}");
    expect(c, 201, "POST", "/api/v1/organizations/zeta/users",
           "{\"id\":\"ada\",\"name\":\"Other Ada\"}");
    expect_problem(c, 404, "not_found", "department", "POST", "/api/v1/organizations/zeta/users",
                   "{\"id\":\"x\",\"name\":\"X\",\"department\":\"research\"}");
    expect(c, 200, "GET", "/api/v1/organizations/zeta/users/ada", NULL);
    expect_member(c, "name", "Other Ada");
    expect(c, 200, "GET", ORG "/users", NULL);
    expect_member(c, "data.0.name", "Ada");
    expect_member(c, "data.1", "(none)");
    expect(c, 200, "GET", "/api/v1/organizations/zeta/departments", NULL);
    expect_member(c, "data", "[]");
}

static void lists_are_paged(void **state)
{
    struct api_case *c = *state;
    char body[64], target[128], cursor[64];
    make_acme(c);
    for (int i = 0; i < 6; i++) {
        snprintf(body, sizeof body, "{\"id\":\"u%d\",\"name\":\"U\"}", i);
        expect(c, 201, "POST", ORG "/users", body);
    }
    expect(c, 200, "GET", ORG "/users?limit=3", NULL);
    expect_member(c, "data.0.id", "ada");
    expect_member(c, "data.2.id", "u1");
    expect_member(c, "data.3", "(none)");
    snprintf(cursor, sizeof cursor, "%.20s", member(c, "next_cursor"));
    snprintf(target, sizeof target, ORG "/users?limit=4&cursor=%s", cursor);
    expect(c, 200, "GET", target, NULL);
    expect_member(c, "data.0.id", "u2");
    expect_member(c, "data.3.id", "u5");
    expect_member(c, "next_cursor", "null");
    expect_problem(c, 400, "invalid", "limit", "GET", ORG "/users?limit=0", NULL);
    expect_problem(c, 400, "invalid", "limit", "GET", ORG "/users?limit=1001", NULL);
    expect_problem(c, 400, "invalid", "limit", "GET", ORG "/users?limit=x", NULL);
    expect_problem(c, 400, "invalid", "cursor", "GET", ORG "/users?cursor=x", NULL);
    expect_problem(c, 400, "invalid", "cursor", "GET", ORG "/users?cursor=99999999999", NULL);
    expect_problem(c, 400, "invalid", "offset", "GET", ORG "/users?offset=1", NULL);
}

static void everything_is_there_after_a_restart(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    local_call_done(&c->call);
    local_close(c->local);
    api_case_open(c);
    expect(c, 200, "GET", ORG "/users/ada", NULL);
    expect_member(c, "department", "research");
    expect(c, 200, "GET", "/api/v1/organizations", NULL);
    expect_member(c, "data.0.id", "acme");
}

static void a_backup(void **state)
{
    struct api_case *c = *state;
    char body[160], to[96];
    struct verify_report report;
    make_acme(c);
    snprintf(to, sizeof to, "%s/backup", c->directory);
    snprintf(body, sizeof body, "{\"directory\":\"%s\"}", to);
    expect(c, 200, "POST", "/api/v1/backup", body);
    expect_member(c, "directory", to);
    assert_int_equal(engine_verify(to, &report), 0);
    assert_int_equal(strtol(member(c, "seq"), NULL, 10), report.last_seq);
    expect_problem(c, 409, "exists", "directory", "POST", "/api/v1/backup", body);
    expect_problem(c, 400, "invalid", "directory", "POST", "/api/v1/backup",
                   "{\"directory\":\"backups\"}");
    expect_problem(c, 503, "storage", "directory", "POST", "/api/v1/backup",
                   "{\"directory\":\"/nowhere/at/all\"}");
    expect(c, 405, "GET", "/api/v1/backup", NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, api_case_setup, api_case_teardown)
    const struct CMUnitTest tests[] = {
        TEST(paths_and_methods),
        TEST(credentials),
        TEST(bodies),
        TEST(an_organization),
        TEST(ids_have_a_longest),
        TEST(departments_and_users),
        TEST(departments_stand_in_departments),
        TEST(a_department_moves_and_is_named_anew),
        TEST(an_organization_is_named_anew),
        TEST(organizations_do_not_mix),
        TEST(lists_are_paged),
        TEST(everything_is_there_after_a_restart),
        TEST(a_backup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
