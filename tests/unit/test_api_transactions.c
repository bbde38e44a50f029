/* SPDX-License-Identifier: Apache-2.0
 * Proves that a transaction is carried out whole or not at all: a company made in one, each
 * operation seeing what earlier ones make; that a wrong one in the middle, one that the engine
 * refuses and one whose version is old leave nothing behind and are named; and that its repeat
 * under an Idempotency-Key does nothing. */
#include "unit/api_case.h"

#include <stdio.h>

#define TRANSACTIONS "/api/v1/transactions"

struct operation {
    const char *method, *path,
        *body; /* the path behind /api/v1/organizations; NULL ends the list */
};

/* The body of a transaction of these. */
static const char *all(const struct operation *operations)
{
    static char body[8192];
    size_t len = (size_t)snprintf(body, sizeof body, "{\"operations\":[");
    for (const struct operation *at = operations; at->method; at++)
        len += (size_t)snprintf(body + len, sizeof body - len,
                                "%s{\"method\":\"%s\",\"path\":\"/api/v1/organizations%s\","
                                "\"body\":%s}",
                                at == operations ? "" : ",", at->method, at->path, at->body);
    snprintf(body + len, sizeof body - len, "]}");
    return body;
}

static const struct operation company[] = {
    {"POST", "", "{\"id\":\"co\",\"name\":\"Company\",\"time_zone\":\"Europe/Berlin\"}"},
    {"POST", "/co/departments", "{\"id\":\"dev\",\"name\":\"Dev\"}"},
    {"POST", "/co/users", "{\"id\":\"ann\",\"name\":\"Ann\",\"department\":\"dev\"}"},
    {"POST", "/co/budgets",
     "{\"id\":\"all\",\"scope\":{\"kind\":\"organization\",\"id\":\"co\"},"
     "\"unit\":\"USD\",\"amount\":\"100\",\"period\":\"monthly\"}"},
    {"POST", "/co/budgets",
     "{\"id\":\"hers\",\"scope\":{\"kind\":\"user\",\"id\":\"ann\"},"
     "\"unit\":\"USD\",\"amount\":\"5\",\"period\":\"daily\"}"},
    {"POST", "/co/rate-limits",
     "{\"id\":\"rpm\",\"scope\":{\"kind\":\"department\",\"id\":\"dev\"},"
     "\"unit\":\"requests\",\"limit\":\"60\",\"period_seconds\":60}"},
    {"POST", "/co/api-keys",
     "{\"name\":\"laptop\",\"user\":\"ann\",\"requests_per_minute\":10,"
     "\"monthly_request_quota\":1000}"},
    {NULL, NULL, NULL}};

static const char an_organization[] = "{\"id\":\"co\",\"name\":\"C\"}";

static void a_company_is_made_in_one(void **state)
{
    struct api_case *c = *state;
    expect(c, 200, "POST", TRANSACTIONS, all(company));
    for (int i = 0; i < 7; i++) {
        char path[32];
        snprintf(path, sizeof path, "results.%d.status", i);
        assert_string_equal(member(c, path), "201");
    }
    assert_string_equal(member(c, "results.4.body.limit"), "5.00");
    assert_string_equal(member(c, "results.4.body.time_zone"), "Europe/Berlin");
    char key[64];
    snprintf(key, sizeof key, "%.60s", member(c, "results.6.body.key"));
    expect(c, 200, "GET", "/api/v1/organizations/co/users/ann", NULL);
    assert_string_equal(member(c, "department"), "dev");
    as(c, key);
    expect(c, 200, "GET", "/api/v1/me", NULL);
}

static void is_not_there(struct api_case *c)
{
    as(c, "root-token");
    expect(c, 404, "GET", "/api/v1/organizations/co", NULL);
}

static void a_wrong_one_leaves_nothing(void **state)
{
    struct api_case *c = *state;
    const struct {
        struct operation second;
        int status;
        const char *field;
    } wrong[] = {
        {{"POST", "/co/users", "{\"id\":\"u\",\"name\":\"U\",\"department\":\"none\"}"},
         404,
         "operations[1].department"},
        {{"POST", "/co/users", "{\"id\":\"u\"}"}, 400, "operations[1].name"},
        {{"POST", "/other/users", "{\"id\":\"u\",\"name\":\"U\"}"}, 404, "operations[1].org"},
        {{"POST", "/co/nothing", "{}"}, 404, "operations[1]"},
        {{"PATCH", "/co/users", "{}"}, 400, "operations[1].method"},
        {{"POST", "/../transactions", "{}"}, 404, "operations[1]"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const struct operation operations[] = {
            {"POST", "", an_organization},
            wrong[i].second,
            {"POST", "/co/users", "{\"id\":\"v\",\"name\":\"V\"}"},
            {NULL, NULL, NULL}};
        expect(c, wrong[i].status, "POST", TRANSACTIONS, all(operations));
        assert_string_equal(member(c, "field"), wrong[i].field);
        is_not_there(c);
    }
}

static void what_the_engine_refuses_leaves_nothing(void **state)
{
    struct api_case *c = *state;
    const struct operation taken[] = {
        {"POST", "", an_organization},
        {"POST", "/acme/users", "{\"id\":\"ada\",\"name\":\"Taken\"}"},
        {"POST", "/acme/users", "{\"id\":\"bob\",\"name\":\"Bob\"}"},
        {NULL, NULL, NULL}};
    const struct operation twice[] = {{"POST", "/acme/users", "{\"id\":\"bob\",\"name\":\"Bob\"}"},
                                      {"POST", "/acme/users", "{\"id\":\"bob\",\"name\":\"Rob\"}"},
                                      {NULL, NULL, NULL}};
    make_acme(c);
    expect(c, 409, "POST", TRANSACTIONS, all(taken));
    assert_string_equal(member(c, "field"), "operations[1].id");
    is_not_there(c);
    expect(c, 404, "GET", "/api/v1/organizations/acme/users/bob", NULL);
    expect(c, 409, "POST", TRANSACTIONS, all(twice));
    expect(c, 404, "GET", "/api/v1/organizations/acme/users/bob", NULL);
}

static void an_old_version_is_refused(void **state)
{
    struct api_case *c = *state;
    const struct operation once[] = {{"PUT", "/acme/users/ada", "{\"name\":\"A\"}"},
                                     {NULL, NULL, NULL}};
    const struct operation twice[] = {once[0], once[0], once[1]};
    make_acme(c);
    expect(c, 412, "POST", TRANSACTIONS,
           "{\"operations\":[{\"method\":\"PUT\",\"path\":\"/api/v1/organizations/acme/users/ada\","
           "\"if_match\":\"\\\"1\\\"\",\"body\":{\"name\":\"A\"}}]}");
    assert_string_equal(member(c, "code"), "changed");
    expect(c, 400, "POST", TRANSACTIONS, all(twice));
    assert_string_equal(member(c, "field"), "operations[1].path");
    expect(c, 200, "POST", TRANSACTIONS, all(once));
    assert_string_equal(member(c, "results.0.body.name"), "A");
}

static void none_is_within_another(void **state)
{
    struct api_case *c = *state;
    expect(
        c, 400, "POST", TRANSACTIONS,
        "{\"operations\":[{\"method\":\"POST\",\"path\":\"/api/v1/transactions\",\"body\":{}}]}");
    assert_string_equal(member(c, "field"), "operations[0].path");
    expect(
        c, 400, "POST", TRANSACTIONS,
        "{\"operations\":[{\"method\":\"POST\",\"path\":\"/api/v1/budget/reserve\",\"body\":{}}]}");
}

static void it_is_the_admins(void **state)
{
    struct api_case *c = *state;
    expect(c, 200, "POST", TRANSACTIONS, all(company));
    char key[64];
    snprintf(key, sizeof key, "%.60s", member(c, "results.6.body.key"));
    as(c, key);
    expect(c, 403, "POST", TRANSACTIONS, all(company));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, api_case_setup, api_case_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_company_is_made_in_one),
        CASE(a_wrong_one_leaves_nothing),
        CASE(what_the_engine_refuses_leaves_nothing),
        CASE(an_old_version_is_refused),
        CASE(none_is_within_another),
        CASE(it_is_the_admins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
