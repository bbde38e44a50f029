/* SPDX-License-Identifier: Apache-2.0
 * INV-12, by trying every endpoint: all routes of all rooms, as they stand in the tables the door
 * reads, so that none can be left out, as the owner of another organization, as each role, as a
 * service token that was revoked, as a session that has ended, as a key, and as nobody. The status
 * is what the route's access and permission say, and of another organization nothing is shown. */
#include "api/request.h"
#include "base/limits.h"
#include "unit/api_case.h"

#include <stdlib.h>

#define PASSWORD "correct horse battery"
#define SECRET_WORD "Xanadu" /* in every name of the other organization's */

struct world {
    struct api_case *c;
    char key[KEY_ID + 1], key_text[KEY_TEXT + 1], record[32];
    char token[SECRET_TEXT + 1], token_id[SERVICE_TOKEN_ID + 1];
    char cookies[ROLES][128], csrfs[ROLES][64];
    char stranger_cookie[128], stranger_csrf[64], stranger_token[SECRET_TEXT + 1];
    char over_cookie[128], over_csrf[64];
};

enum as { AS_NOBODY, AS_COOKIE, AS_BEARER };
struct who {
    enum as as;
    const char *text, *csrf;
};

static int ask_as(struct api_case *c, const struct who *who, const struct route *route,
                  const char *target)
{
    char bearer[160];
    struct exchange_header headers[2] = {
        {"Cookie", slice_of(who->as == AS_COOKIE ? who->text : "")},
        {"X-Mete-CSRF", slice_of(who->csrf ? who->csrf : "")}};
    snprintf(bearer, sizeof bearer, "Bearer %s", who->text ? who->text : "");
    local_call_done(&c->call);
    bool reads = !strcmp(route->method, "GET") || !strcmp(route->method, "DELETE");
    c->call = (struct local_call){.method = route->method,
                                  .target = target,
                                  .headers = headers,
                                  .headers_len = 2,
                                  .authorization =
                                      who->as == AS_BEARER ? slice_of(bearer) : (struct slice){0},
                                  .body = reads ? (struct slice){0} : SLICE_LITERAL("{}")};
    local_ask(c->local, &c->call);
    c->call.headers = NULL;
    return c->call.status;
}

/* ---- Two organizations ------------------------------------------------------------------------
 */

static void keep(struct api_case *c, const char *name, char *room, size_t len)
{
    snprintf(room, len, "%.*s", (int)len - 1, member(c, name));
}

static void log_in(struct api_case *c, const char *organization, const char *id, char cookie[128],
                   char csrf[64])
{
    char body[256];
    snprintf(body, sizeof body,
             "{\"organization\":\"%s\",\"member\":\"%s\",\"password\":\"" PASSWORD "\"}",
             organization, id);
    expect(c, 200, "POST", "/api/v1/login", body);
    snprintf(cookie, 128, "%.*s", (int)strcspn(c->call.cookie, ";"), c->call.cookie);
    keep(c, "csrf", csrf, 64);
}

static void make_member(struct api_case *c, const char *organization, const char *id,
                        const char *role)
{
    char target[128], body[256];
    snprintf(target, sizeof target, "/api/v1/organizations/%s/members", organization);
    snprintf(body, sizeof body,
             "{\"id\":\"%s\",\"role\":\"%s\",\"name\":\"" SECRET_WORD "\",\"password\":\"" PASSWORD
             "\"}",
             id, role);
    expect(c, 201, "POST", target, body);
}

static void make_things(struct world *w)
{
    struct api_case *c = w->c;
    expect(c, 201, "POST", "/api/v1/organizations",
           "{\"id\":\"acme\",\"name\":\"" SECRET_WORD "\"}");
    expect(c, 201, "POST", "/api/v1/organizations", "{\"id\":\"zeta\",\"name\":\"Zeta\"}");
    expect(c, 201, "POST", "/api/v1/organizations/acme/departments",
           "{\"id\":\"thing\",\"name\":\"" SECRET_WORD "\"}");
    expect(c, 201, "POST", "/api/v1/organizations/acme/users",
           "{\"id\":\"thing\",\"name\":\"" SECRET_WORD "\"}");
    expect(c, 201, "POST", "/api/v1/organizations/acme/budgets",
           "{\"id\":\"thing\",\"name\":\"" SECRET_WORD "\",\"scope\":{\"kind\":\"user\",\"id\":"
           "\"thing\"},\"unit\":\"USD\",\"amount\":\"5\",\"period\":\"daily\"}");
    expect(c, 201, "POST", "/api/v1/organizations/acme/rate-limits",
           "{\"id\":\"thing\",\"scope\":{\"kind\":\"user\",\"id\":\"thing\"},\"limit\":\"5\"}");
    expect(c, 201, "POST", "/api/v1/organizations/acme/grants",
           "{\"id\":\"thing\",\"scope\":{\"kind\":\"user\",\"id\":\"thing\"},\"unit\":\"tokens\","
           "\"amount\":\"5\"}");
    expect(c, 201, "POST", "/api/v1/organizations/acme/api-keys",
           "{\"name\":\"" SECRET_WORD "\",\"user\":\"thing\"}");
    keep(c, "id", w->key, sizeof w->key);
    keep(c, "key", w->key_text, sizeof w->key_text);
    expect(c, 200, "POST", "/api/v1/budget/record",
           "{\"request_id\":\"r\",\"scope\":{\"kind\":\"user\",\"id\":\"thing\",\"organization\":"
           "\"acme\"},\"amount\":"
           "\"1\",\"model\":\"" SECRET_WORD "\"}");
    expect(c, 200, "GET", "/api/v1/records", NULL);
    keep(c, "data.0.id", w->record, sizeof w->record);
}

static void make_people(struct world *w)
{
    struct api_case *c = w->c;
    for (int role = ROLE_OWNER; role < ROLES; role++) {
        make_member(c, "acme", role_word((enum role)role), role_word((enum role)role));
        log_in(c, "acme", role_word((enum role)role), w->cookies[role], w->csrfs[role]);
    }
    make_member(c, "acme", "thing", "viewer");
    make_member(c, "zeta", "stranger", "owner");
    expect(c, 201, "POST", "/api/v1/organizations/zeta/service-tokens",
           "{\"name\":\"z\",\"permissions\":[\"organization.read\",\"organization.write\","
           "\"members.read\",\"members.write\",\"budgets.read\",\"budgets.write\",\"keys.read\","
           "\"keys.write\",\"quotas.read\",\"quotas.write\",\"catalog.read\",\"usage.read\","
           "\"usage.write\",\"audit.read\",\"budget.spend\"]}");
    keep(c, "token", w->stranger_token, sizeof w->stranger_token);
    expect(c, 201, "POST", "/api/v1/organizations/acme/service-tokens",
           "{\"name\":\"" SECRET_WORD "\",\"permissions\":[\"organization.read\"]}");
    keep(c, "token", w->token, sizeof w->token);
    keep(c, "id", w->token_id, sizeof w->token_id);
    log_in(c, "zeta", "stranger", w->stranger_cookie, w->stranger_csrf);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    void *c = NULL;
    if (!w || api_case_setup(&c))
        return -1;
    w->c = c;
    make_things(w);
    make_people(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    void *c = w->c;
    int rc = api_case_teardown(&c);
    free(w);
    return rc;
}

/* ---- Every route ------------------------------------------------------------------------------
 */

/* The path with ids in it: of what acme has, or of nothing. */
static void fill(const struct world *w, const struct route *route, bool real, char target[256])
{
    size_t len = 0;
    for (const char *at = route->path; *at;) {
        if (*at != '{') {
            target[len++] = *at++;
            continue;
        }
        size_t name = strcspn(at, "}") + 1;
        const char *id = "thing";
        if (!strncmp(at, "{org}", name))
            id = "acme";
        else if (!real)
            id = "nothing-here";
        else if (!strncmp(at, "{key}", name))
            id = w->key;
        else if (!strncmp(at, "{token}", name))
            id = w->token_id;
        else if (!strncmp(at, "{record}", name))
            id = w->record;
        at += name;
        len += (size_t)snprintf(target + len, 256 - len, "%s", id);
    }
    target[len] = 0;
}

static bool tells(const struct api_case *c)
{
    struct slice reply = buffer_slice(&c->call.reply);
    return reply.len && memmem(reply.data, reply.len, SECRET_WORD, sizeof SECRET_WORD - 1);
}

static void wrong_at(const struct api_case *c, const struct route *route, const char *target,
                     const char *who)
{
    fail_msg("%s %s as %s -> %d %.*s", route->method, target, who, c->call.status,
             (int)c->call.reply.len, c->call.reply.data ? c->call.reply.data : "");
}

typedef void each(struct world *w, const struct route *route);
static void each_route(struct world *w, each *fn)
{
    size_t routes = 0;
    const struct room *room;
    for (size_t i = 0; (room = rooms_at(i)); i++)
        for (size_t r = 0; r < room->len; r++, routes++)
            fn(w, &room->routes[r]);
    assert_in_range(routes, 80, 1000);
}

static void stranger_at(struct world *w, const struct route *route)
{
    char target[256];
    const struct who all[] = {{AS_COOKIE, w->stranger_cookie, w->stranger_csrf},
                              {AS_BEARER, w->stranger_token, NULL}};
    bool names_other = strstr(route->path, "{org}") || strstr(route->path, "{key}");
    if (route->access == ACCESS_SELF || route->access == ACCESS_PUBLIC)
        return;
    fill(w, route, true, target);
    for (size_t i = 0; i < 2; i++) {
        int status = ask_as(w->c, &all[i], route, target);
        bool wrong = tells(w->c) || status == 401 || status >= 500;
        if (route->access == ACCESS_ADMIN)
            wrong |= status != 403;
        else if (names_other)
            wrong |= status != 404;
        else if (strstr(route->path, "{")) /* a record's: its owner is looked at */
            wrong |= status != 404 && status != 400;
        if (wrong)
            wrong_at(w->c, route, target, i ? "a stranger's token" : "a stranger");
    }
}

static void a_stranger_finds_nothing(void **state)
{
    each_route(*state, stranger_at);
}

static void roles_at(struct world *w, const struct route *route)
{
    char target[256];
    if (route->access == ACCESS_SELF || route->access == ACCESS_PUBLIC)
        return;
    fill(w, route, false, target);
    for (int role = ROLE_OWNER; role < ROLES; role++) {
        const struct who who = {AS_COOKIE, w->cookies[role], w->csrfs[role]};
        bool may = route->access != ACCESS_ADMIN && route->permission != PERMIT_INSTALLATION &&
                   permissions_of((enum role)role) & permission_bit(route->permission);
        int status = ask_as(w->c, &who, route, target);
        if (may == (status == 403) || status == 401 || status >= 500)
            wrong_at(w->c, route, target, role_word((enum role)role));
        const char *word = route->permission ? permission_word(route->permission) : "";
        if (status == 403 && route->access == ACCESS_MEMBER &&
            !strstr(member(w->c, "detail"), word))
            wrong_at(w->c, route, target, "told why");
    }
}

static void each_role_may_what_the_table_says(void **state)
{
    each_route(*state, roles_at);
}

static void unknown_at(struct world *w, const struct route *route)
{
    char target[256];
    const struct who all[] = {{AS_NOBODY, NULL, NULL},
                              {AS_BEARER, w->token, NULL},
                              {AS_COOKIE, w->over_cookie, w->over_csrf},
                              {AS_BEARER, "mete_st_", NULL},
                              {AS_BEARER, "", NULL}};
    if (route->access == ACCESS_PUBLIC)
        return;
    fill(w, route, true, target);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (ask_as(w->c, &all[i], route, target) != 401 || tells(w->c))
            wrong_at(w->c, route, target, "nobody");
}

/* A token that was revoked, and a session that has ended. */
static void who_may_no_more_may_nothing(void **state)
{
    struct world *w = *state;
    char target[128];
    snprintf(target, sizeof target, "/api/v1/organizations/acme/service-tokens/%s", w->token_id);
    expect(w->c, 204, "DELETE", target, NULL);
    memcpy(w->over_cookie, w->cookies[ROLE_OWNER], sizeof w->over_cookie);
    memcpy(w->over_csrf, w->csrfs[ROLE_OWNER], sizeof w->over_csrf);
    w->c->now_us += LIMIT_LOGIN_IDLE_S * INT64_C(1000000);
    each_route(w, unknown_at);
}

static void key_at(struct world *w, const struct route *route)
{
    char target[256];
    const struct who key = {AS_BEARER, w->key_text, NULL};
    bool may = route->access == ACCESS_KEY || route->access == ACCESS_ANY_KEY;
    if (route->access == ACCESS_PUBLIC)
        return;
    fill(w, route, true, target);
    int status = ask_as(w->c, &key, route, target);
    if (may ? status == 401 : status != 403)
        wrong_at(w->c, route, target, "a key");
}

static void a_key_administers_nothing(void **state)
{
    each_route(*state, key_at);
}

static void cookie_at(struct world *w, const struct route *route)
{
    char target[256];
    const struct who owner = {AS_COOKIE, w->cookies[ROLE_OWNER],
                              "00000000000000000000000000000000"};
    if (!strcmp(route->method, "GET") || route->access == ACCESS_PUBLIC)
        return;
    fill(w, route, true, target);
    if (ask_as(w->c, &owner, route, target) != 403)
        wrong_at(w->c, route, target, "another page");
}

static void another_page_changes_nothing(void **state)
{
    each_route(*state, cookie_at);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stranger_finds_nothing),     TEST(each_role_may_what_the_table_says),
        TEST(who_may_no_more_may_nothing),  TEST(a_key_administers_nothing),
        TEST(another_page_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
