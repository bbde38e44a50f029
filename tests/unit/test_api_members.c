/* SPDX-License-Identifier: Apache-2.0
 * Proves what members, service tokens and sessions promise, through calls in memory on a real
 * engine: who may give which role, that an organization keeps an owner, that a secret is in no
 * reply but the one that made it, that a session ends when it should, and that with a cookie only
 * the dashboard's own page writes. */
#include "base/limits.h"
#include "unit/api_case.h"

#define ORG "/api/v1/organizations/acme"
#define MEMBERS ORG "/members"
#define TOKENS ORG "/service-tokens"
#define PASSWORD "correct horse battery"

struct visit {
    char cookie[128], csrf[64];
    const char *origin, *site;
    bool without_csrf;
};

/* As a browser asks: with the cookie, and what the page adds. */
static int visit(struct api_case *c, const struct visit *who, const char *method,
                 const char *target, const char *body)
{
    struct exchange_header headers[5];
    size_t len = 0;
    headers[len++] = (struct exchange_header){"Cookie", slice_of(who->cookie)};
    headers[len++] = (struct exchange_header){"Host", SLICE_LITERAL("mete.local:8081")};
    if (!who->without_csrf)
        headers[len++] = (struct exchange_header){"X-Mete-CSRF", slice_of(who->csrf)};
    if (who->origin)
        headers[len++] = (struct exchange_header){"Origin", slice_of(who->origin)};
    if (who->site)
        headers[len++] = (struct exchange_header){"Sec-Fetch-Site", slice_of(who->site)};
    local_call_done(&c->call);
    c->call = (struct local_call){.method = method,
                                  .target = target,
                                  .headers = headers,
                                  .headers_len = len,
                                  .body = slice_of(body ? body : "")};
    local_ask(c->local, &c->call);
    c->call.headers = NULL;
    return c->call.status;
}

static void make_member(struct api_case *c, const char *id, const char *role)
{
    char body[256];
    snprintf(body, sizeof body, "{\"id\":\"%s\",\"role\":\"%s\",\"password\":\"" PASSWORD "\"}", id,
             role);
    expect(c, 201, "POST", MEMBERS, body);
}

static int try_login(struct api_case *c, const char *organization, const char *id,
                     const char *password)
{
    char body[256];
    const struct visit nobody = {.without_csrf = true};
    snprintf(body, sizeof body, "{\"organization\":\"%s\",\"member\":\"%s\",\"password\":\"%s\"}",
             organization, id, password);
    return visit(c, &nobody, "POST", "/api/v1/login", body);
}

static struct visit login(struct api_case *c, const char *id)
{
    struct visit who = {.origin = "http://mete.local:8081", .site = "same-origin"};
    assert_int_equal(try_login(c, "acme", id, PASSWORD), 200);
    size_t len = strcspn(c->call.cookie, ";");
    assert_in_range(len, 20, sizeof who.cookie - 1);
    memcpy(who.cookie, c->call.cookie, len);
    snprintf(who.csrf, sizeof who.csrf, "%.40s", member(c, "csrf"));
    return who;
}

/* ---- Members --------------------------------------------------------------------------------- */

static void a_member_is_made_shown_and_changed(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", MEMBERS,
           "{\"id\":\"ada@acme.example\",\"name\":\"Ada\",\"role\":\"owner\",\"user\":\"ada\","
           "\"password\":\"" PASSWORD "\"}");
    expect_member(
        c, "",
        "{\"id\":\"ada@acme.example\",\"name\":\"Ada\",\"organization\":\"acme\",\"role\":"
        "\"owner\",\"user\":\"ada\",\"has_password\":true,\"created_at\":"
        "\"2026-11-21T09:00:00Z\",\"password_changed_at\":\"2026-11-21T09:00:00Z\"}");
    expect(c, 201, "POST", MEMBERS, "{\"id\":\"bob\",\"role\":\"viewer\"}");
    expect_member(c, "has_password", "false");
    expect(c, 200, "PUT", MEMBERS "/bob", "{\"role\":\"finance\",\"user\":\"ada\"}");
    expect_member(c, "role", "finance");
    expect(c, 200, "PUT", MEMBERS "/bob", "{\"name\":\"Bob\",\"user\":null}");
    expect_member(c, "user", "null");
    expect_member(c, "role", "finance");
    expect(c, 200, "GET", MEMBERS "/bob", NULL);
    expect_member(c, "name", "Bob");
    expect(c, 200, "GET", MEMBERS, NULL);
    expect_member(c, "data.1.id", "bob");
    expect(c, 204, "DELETE", MEMBERS "/bob", NULL);
    expect_problem(c, 404, "not_found", "member", "GET", MEMBERS "/bob", NULL);
    expect_problem(c, 404, "not_found", "member", "DELETE", MEMBERS "/bob", NULL);
    expect_problem(c, 404, "not_found", "member", "PUT", MEMBERS "/bob", "{}");
}

static void each_wrong_field_is_named(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    static const struct {
        int status;
        const char *code, *field, *body;
    } wrong[] = {
        {400, "invalid", "id", "{\"role\":\"owner\"}"},
        {400, "invalid", "id", "{\"id\":\"a b\",\"role\":\"owner\"}"},
        {400, "invalid", "id",
         "{\"role\":\"owner\",\"id\":"
         "\"a2345678901234567890123456789012345678901234567890123456789012345\"}"},
        {400, "invalid", "role", "{\"id\":\"a\"}"},
        {400, "invalid", "role", "{\"id\":\"a\",\"role\":\"king\"}"},
        {404, "not_found", "user", "{\"id\":\"a\",\"role\":\"owner\",\"user\":\"nobody\"}"},
        {400, "invalid", "user", "{\"id\":\"a\",\"role\":\"owner\",\"user\":5}"},
        {400, "invalid", "password", "{\"id\":\"a\",\"role\":\"owner\",\"password\":\"short\"}"},
        {400, "invalid", "hash", "{\"id\":\"a\",\"role\":\"owner\",\"hash\":\"x\"}"},
        {400, "invalid", "name", "{\"id\":\"a\",\"role\":\"owner\",\"name\":\"\"}"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        expect_problem(c, wrong[i].status, wrong[i].code, wrong[i].field, "POST", MEMBERS,
                       wrong[i].body);
    expect(c, 201, "POST", MEMBERS, "{\"id\":\"a\",\"role\":\"owner\"}");
    expect_problem(c, 409, "exists", "member", "POST", MEMBERS,
                   "{\"id\":\"a\",\"role\":\"owner\"}");
    expect_problem(c, 404, "not_found", "org", "GET", "/api/v1/organizations/none/members", NULL);
}

static void the_last_owner_stays(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    make_member(c, "ada", "owner");
    expect_problem(c, 409, "exists", "role", "DELETE", MEMBERS "/ada", NULL);
    expect_problem(c, 409, "exists", "role", "PUT", MEMBERS "/ada", "{\"role\":\"admin\"}");
    expect(c, 200, "PUT", MEMBERS "/ada", "{\"role\":\"owner\"}");
    make_member(c, "bob", "owner");
    expect(c, 200, "PUT", MEMBERS "/ada", "{\"role\":\"viewer\"}");
    expect_problem(c, 409, "exists", "role", "DELETE", MEMBERS "/bob", NULL);
    expect(c, 204, "DELETE", MEMBERS "/ada", NULL);
}

static void nobody_gives_a_role_above_their_own(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    make_member(c, "ada", "owner");
    make_member(c, "adi", "admin");
    make_member(c, "bob", "viewer");
    struct visit owner = login(c, "ada"), admin = login(c, "adi"), viewer = login(c, "bob");
    assert_int_equal(visit(c, &admin, "PUT", MEMBERS "/bob", "{\"role\":\"owner\"}"), 403);
    expect_member(c, "field", "role");
    assert_int_equal(visit(c, &admin, "PUT", MEMBERS "/ada", "{\"role\":\"viewer\"}"), 403);
    assert_int_equal(visit(c, &admin, "PUT", MEMBERS "/ada", "{\"password\":\"" PASSWORD "!\"}"),
                     403);
    assert_int_equal(visit(c, &admin, "DELETE", MEMBERS "/ada", NULL), 403);
    assert_int_equal(visit(c, &admin, "PUT", MEMBERS "/bob", "{\"role\":\"admin\"}"), 200);
    assert_int_equal(visit(c, &owner, "PUT", MEMBERS "/bob", "{\"role\":\"owner\"}"), 200);
    /* A role counts from the next request on, without another login. */
    assert_int_equal(visit(c, &viewer, "PUT", MEMBERS "/adi", "{\"role\":\"viewer\"}"), 200);
    assert_int_equal(visit(c, &admin, "PUT", MEMBERS "/adi", "{\"role\":\"viewer\"}"), 403);
    expect_member(c, "detail", "This needs the permission members.write.");
}

/* ---- Sessions -------------------------------------------------------------------------------- */

static void a_password_opens_a_session(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    make_member(c, "ada", "finance");
    assert_int_equal(try_login(c, "acme", "ada", PASSWORD), 200);
    assert_non_null(strstr(c->call.cookie, "; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200"));
    assert_null(strstr(c->call.cookie, "Secure")); /* it came without TLS */
    expect_member(c, "kind", "session");
    expect_member(c, "role", "finance");
    expect_member(c, "expires_at", "2026-11-21T10:00:00Z");
    struct visit ada = login(c, "ada");
    assert_int_equal(visit(c, &ada, "GET", "/api/v1/session", NULL), 200);
    expect_member(c, "id", "ada");
    expect_member(c, "organization", "acme");
    assert_string_equal(member(c, "csrf"), ada.csrf);
    assert_int_equal(visit(c, &ada, "GET", ORG "/users", NULL), 200);
    assert_int_equal(visit(c, &ada, "POST", "/api/v1/logout", NULL), 204);
    assert_non_null(strstr(c->call.cookie, "mete_session=; "));
    assert_int_equal(visit(c, &ada, "GET", "/api/v1/session", NULL), 401);
}

static void a_wrong_password_is_told_as_a_wrong_name_is(void **state)
{
    struct api_case *c = *state;
    char first[512] = "";
    make_acme(c);
    make_member(c, "ada", "owner");
    expect(c, 201, "POST", MEMBERS, "{\"id\":\"bob\",\"role\":\"viewer\"}");
    static const char *const who[][2] = {
        {"acme", "ada"}, {"acme", "bob"}, {"acme", "nobody"}, {"none", "ada"}};
    for (size_t i = 0; i < sizeof who / sizeof who[0]; i++) {
        assert_int_equal(try_login(c, who[i][0], who[i][1], "wrong password"), 401);
        assert_string_equal(c->call.cookie, "");
        struct slice reply = buffer_slice(&c->call.reply);
        if (i == 0)
            snprintf(first, sizeof first, "%.*s", (int)reply.len, reply.data);
        assert_true(slice_is(reply, first));
    }
}

static void tries_are_counted(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    make_member(c, "ada", "owner");
    for (int i = 0; i < LIMIT_LOGIN_TRIES; i++)
        assert_int_equal(try_login(c, "acme", "ada", "wrong password"), 401);
    assert_int_equal(try_login(c, "acme", "ada", PASSWORD), 429);
    expect_member(c, "code", "limited");
    assert_string_equal(c->call.retry_after, "30");
    assert_int_equal(try_login(c, "acme", "nobody", PASSWORD), 401); /* another's tries */
    c->now_us += LIMIT_LOGIN_TRY_S * INT64_C(1000000);
    assert_int_equal(try_login(c, "acme", "ada", PASSWORD), 200);
    assert_int_equal(try_login(c, "acme", "ada", PASSWORD), 200); /* which does not count */
    assert_int_equal(try_login(c, "acme", "ada", "wrong password"), 401);
    assert_int_equal(try_login(c, "acme", "ada", PASSWORD), 429);
}

static void a_session_ends_idle_and_in_the_end(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    make_member(c, "ada", "owner");
    struct visit ada = login(c, "ada");
    for (int used = 0; used + 3599 < LIMIT_LOGIN_S; used += 3599) {
        c->now_us += INT64_C(3599) * 1000000;
        assert_int_equal(visit(c, &ada, "GET", "/api/v1/session", NULL), 200);
    }
    c->now_us += INT64_C(3599) * 1000000;
    assert_int_equal(visit(c, &ada, "GET", "/api/v1/session", NULL), 401);
    ada = login(c, "ada");
    c->now_us += INT64_C(3600) * 1000000;
    assert_int_equal(visit(c, &ada, "GET", "/api/v1/session", NULL), 401);
    expect_member(c, "detail", "The session has ended: log in again.");
}

static void what_ends_sessions(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    make_member(c, "ada", "owner");
    make_member(c, "bob", "viewer");
    struct visit here = login(c, "bob"), there = login(c, "bob"), ada = login(c, "ada");
    assert_int_equal(visit(c, &here, "PUT", "/api/v1/session/password",
                           "{\"current\":\"wrong password\",\"password\":\"another password\"}"),
                     403);
    expect_member(c, "field", "current");
    assert_int_equal(visit(c, &here, "PUT", "/api/v1/session/password",
                           "{\"current\":\"" PASSWORD "\",\"password\":\"short\"}"),
                     400);
    assert_int_equal(visit(c, &here, "PUT", "/api/v1/session/password",
                           "{\"current\":\"" PASSWORD "\",\"password\":\"another password\"}"),
                     204);
    assert_int_equal(visit(c, &here, "GET", "/api/v1/session", NULL), 200);
    assert_int_equal(visit(c, &there, "GET", "/api/v1/session", NULL), 401);
    assert_int_equal(try_login(c, "acme", "bob", PASSWORD), 401);
    assert_int_equal(try_login(c, "acme", "bob", "another password"), 200);
    expect(c, 200, "PUT", MEMBERS "/bob", "{\"password\":\"" PASSWORD "\"}");
    assert_int_equal(visit(c, &here, "GET", "/api/v1/session", NULL), 401);
    here = login(c, "bob");
    expect(c, 204, "DELETE", MEMBERS "/bob", NULL);
    assert_int_equal(visit(c, &here, "GET", "/api/v1/session", NULL), 401);
    make_member(c, "bob", "viewer"); /* another one of that name */
    assert_int_equal(visit(c, &here, "GET", "/api/v1/session", NULL), 401);
    assert_int_equal(visit(c, &ada, "GET", "/api/v1/session", NULL), 200);
    local_call_done(&c->call);
    local_close(c->local);
    api_case_open(c);
    assert_int_equal(visit(c, &ada, "GET", "/api/v1/session", NULL), 401);
    assert_int_equal(try_login(c, "acme", "ada", PASSWORD), 200);
}

static void with_a_cookie_only_the_own_page_writes(void **state)
{
    struct api_case *c = *state;
    const char *body = "{\"id\":\"d\",\"name\":\"D\"}";
    make_acme(c);
    make_member(c, "ada", "owner");
    struct visit ada = login(c, "ada"), other = ada;
    other.without_csrf = true;
    assert_int_equal(visit(c, &other, "POST", ORG "/departments", body), 403);
    expect_member(c, "field", "X-Mete-CSRF");
    assert_int_equal(visit(c, &other, "GET", ORG "/departments", NULL), 200);
    other = login(c, "ada");
    memcpy(other.cookie, ada.cookie, sizeof ada.cookie); /* one session's, of another */
    assert_int_equal(visit(c, &other, "POST", ORG "/departments", body), 403);
    static const char *const origins[] = {"http://evil.example", "null", "https://mete.local",
                                          "http://mete.local:8081.evil.example"};
    for (size_t i = 0; i < sizeof origins / sizeof origins[0]; i++) {
        other = ada;
        other.origin = origins[i];
        assert_int_equal(visit(c, &other, "POST", ORG "/departments", body), 403);
        expect_member(c, "field", "Origin");
    }
    other = ada;
    other.site = "cross-site";
    assert_int_equal(visit(c, &other, "POST", ORG "/departments", body), 403);
    assert_int_equal(visit(c, &other, "POST", "/api/v1/login",
                           "{\"organization\":\"acme\",\"member\":\"ada\",\"password\":\"" PASSWORD
                           "\"}"),
                     403);
    ada.origin = "https://mete.local:8081"; /* a proxy in front has the TLS */
    assert_int_equal(visit(c, &ada, "POST", ORG "/departments", body), 201);
}

/* ---- Service tokens -------------------------------------------------------------------------- */

static void a_token_does_what_it_was_made_for(void **state)
{
    struct api_case *c = *state;
    char text[64], id[32], target[128];
    make_acme(c);
    expect(c, 201, "POST", TOKENS,
           "{\"name\":\"ci\",\"permissions\":[\"keys.read\",\"organization.read\"],"
           "\"expires_at\":\"2026-11-22T09:00:00Z\"}");
    snprintf(text, sizeof text, "%.60s", member(c, "token"));
    snprintf(id, sizeof id, "%.20s", member(c, "id"));
    assert_int_equal(strlen(text), SECRET_TEXT);
    assert_memory_equal(text, "mete_st_", 8);
    expect_member(c, "permissions", "[\"organization.read\",\"keys.read\"]");
    expect_member(c, "created_by", "admin");
    expect_member(c, "last_used_at", "null");
    as(c, text);
    expect(c, 200, "GET", ORG "/api-keys", NULL);
    expect(c, 403, "POST", ORG "/api-keys", "{\"name\":\"k\"}");
    expect_member(c, "detail", "This needs the permission keys.write.");
    expect(c, 200, "GET", "/api/v1/session", NULL);
    expect_member(c, "kind", "service_token");
    expect(c, 403, "POST", "/api/v1/logout", NULL);
    as(c, "root-token");
    snprintf(target, sizeof target, TOKENS "/%s", id);
    expect(c, 200, "GET", target, NULL);
    expect_member(c, "last_used_at", "2026-11-21T09:00:00Z");
    expect_member(c, "token", "(none)");
    local_call_done(&c->call);
    local_close(c->local);
    api_case_open(c);
    as(c, text);
    expect(c, 200, "GET", ORG "/api-keys", NULL);
    c->now_us += INT64_C(86400) * 1000000;
    expect(c, 401, "GET", ORG "/api-keys", NULL);
    expect_member(c, "detail", "The service token has expired.");
    as(c, "root-token");
    expect(c, 204, "DELETE", target, NULL);
    as(c, text);
    expect(c, 401, "GET", ORG "/api-keys", NULL);
    expect_member(c, "detail", "The service token is unknown, or has been revoked.");
    text[SECRET_TEXT - 1] = text[SECRET_TEXT - 1] == 'a' ? 'b' : 'a';
    as(c, text);
    expect(c, 401, "GET", ORG "/api-keys", NULL);
    as(c, "root-token");
    expect_problem(c, 404, "not_found", "token", "DELETE", target, NULL);
}

static void a_token_has_no_more_than_its_maker(void **state)
{
    struct api_case *c = *state;
    char text[64];
    make_acme(c);
    expect(c, 201, "POST", TOKENS, "{\"name\":\"a\",\"permissions\":[\"members.write\"]}");
    snprintf(text, sizeof text, "%.60s", member(c, "token"));
    as(c, text);
    expect_problem(c, 403, "forbidden", "permissions[1]", "POST", TOKENS,
                   "{\"name\":\"b\",\"permissions\":[\"members.write\",\"keys.read\"]}");
    expect_problem(c, 403, "forbidden", "role", "POST", MEMBERS,
                   "{\"id\":\"x\",\"role\":\"viewer\"}");
    expect(c, 201, "POST", TOKENS, "{\"name\":\"b\",\"permissions\":[\"members.write\"]}");
    assert_non_null(strstr(member(c, "created_by"), "token:acme/tok_"));
    as(c, "root-token");
    expect_problem(c, 400, "invalid", "permissions[0]", "POST", TOKENS,
                   "{\"name\":\"b\",\"permissions\":[\"all\"]}");
    expect_problem(c, 400, "invalid", "permissions", "POST", TOKENS,
                   "{\"name\":\"b\",\"permissions\":[]}");
    expect_problem(c, 400, "invalid", "permissions", "POST", TOKENS, "{\"name\":\"b\"}");
    expect_problem(c, 400, "invalid", "name", "POST", TOKENS,
                   "{\"permissions\":[\"members.write\"]}");
    expect_problem(c, 400, "invalid", "expires_at", "POST", TOKENS,
                   "{\"name\":\"b\",\"permissions\":[\"keys.read\"],"
                   "\"expires_at\":\"2020-01-01T00:00:00Z\"}");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, api_case_setup, api_case_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_member_is_made_shown_and_changed),
        TEST(each_wrong_field_is_named),
        TEST(the_last_owner_stays),
        TEST(nobody_gives_a_role_above_their_own),
        TEST(a_password_opens_a_session),
        TEST(a_wrong_password_is_told_as_a_wrong_name_is),
        TEST(tries_are_counted),
        TEST(a_session_ends_idle_and_in_the_end),
        TEST(what_ends_sessions),
        TEST(with_a_cookie_only_the_own_page_writes),
        TEST(a_token_does_what_it_was_made_for),
        TEST(a_token_has_no_more_than_its_maker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
