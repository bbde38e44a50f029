/* SPDX-License-Identifier: Apache-2.0
 * Proves of every kind of thing that is administered what holds of all of them: a request that is
 * repeated with its Idempotency-Key makes one; an edit of what somebody else has changed since is
 * refused, whichever edit came first; and pages taken while things come and go have each thing that
 * was there all the time, once (a price, which is sorted by name, at least once). */
#include "unit/api_case.h"

#define ORG "/api/v1/organizations/acme"
#define ADA "\"scope\":{\"kind\":\"user\",\"id\":\"ada\"}"

struct resource {
    const char *list;   /* where they are made and listed */
    const char *one;    /* where one is, before its id */
    const char *create; /* the body, %s: its id or name */
    const char *update; /* NULL: it cannot be changed */
    const char *id;     /* the member of a reply that it is found by */
    const char *query;  /* what the list is asked with */
    bool whole;         /* the list has no pages */
};

static const struct resource resources[] = {
    {"/api/v1/organizations", "/api/v1/organizations/", "{\"id\":\"%s\",\"name\":\"N\"}",
     "{\"name\":\"M\"}", "id", "?", false},
    {ORG "/departments", ORG "/departments/", "{\"id\":\"%s\",\"name\":\"N\"}", "{\"name\":\"M\"}",
     "id", "?", false},
    {ORG "/users", ORG "/users/", "{\"id\":\"%s\",\"name\":\"N\"}", "{\"name\":\"M\"}", "id", "?",
     false},
    {ORG "/members", ORG "/members/", "{\"id\":\"%s\",\"role\":\"viewer\"}", "{\"name\":\"M\"}",
     "id", "?", false},
    {ORG "/service-tokens", ORG "/service-tokens/",
     "{\"name\":\"%s\",\"permissions\":[\"usage.read\"]}", NULL, "id", "?", false},
    {ORG "/budgets", ORG "/budgets/", "{\"id\":\"%s\",\"monthly_limit\":5}", "{\"amount\":6}", "id",
     "?", false},
    {ORG "/rate-limits", ORG "/rate-limits/",
     "{\"limit\":\"5\",\"scope\":{\"kind\":\"user\",\"id\":\"%s\"}}", "{\"limit\":\"6\"}", "id",
     "?", false},
    {ORG "/api-keys", "/api/v1/api-keys/", "{\"name\":\"%s\"}", "{\"name\":\"M\"}", "id", "?",
     false},
    {ORG "/grants", ORG "/grants/", "{\"id\":\"%s\"," ADA ",\"unit\":\"tokens\",\"amount\":\"5\"}",
     "{\"amount\":\"6\"}", "id", "?kind=user&id=ada&unit=tokens", true},
    {ORG "/plans", ORG "/plans/",
     "{\"id\":\"%s\",\"name\":\"N\",\"grants\":[{\"unit\":\"tokens\",\"amount\":\"5\"}]}",
     "{\"name\":\"M\"}", "id", "?", false},
    {ORG "/packages", ORG "/packages/",
     "{\"id\":\"%s\",\"name\":\"N\",\"price\":\"1\",\"grants\":[{\"unit\":\"tokens\",\"amount\":"
     "\"5\"}]}",
     "{\"name\":\"M\"}", "id", "?", false},
    {"/api/v1/prices", NULL,
     "{\"model\":\"%s\",\"provider\":\"p\",\"prices\":{\"input_per_million\":\"1\","
     "\"output_per_million\":\"2\"},\"effective_at\":\"2099-01-01T00:00:00Z\"}",
     NULL, "model", "?provider=p&at=2099-02-01T00:00:00Z&", false},
};
enum { RESOURCES = sizeof resources / sizeof resources[0] };

static int ask_with(struct api_case *c, const char *header, const char *value, const char *method,
                    const char *target, const char *body)
{
    const struct exchange_header headers[] = {{header, slice_of(value)}};
    local_call_done(&c->call);
    c->call = (struct local_call){.method = method,
                                  .target = target,
                                  .authorization = SLICE_LITERAL("Bearer root-token"),
                                  .body = slice_of(body),
                                  .headers = headers,
                                  .headers_len = 1};
    local_ask(c->local, &c->call);
    c->call.headers = NULL;
    return c->call.status;
}

static const char *body_of(const struct resource *resource, const char *name)
{
    static char body[512];
    size_t mark = (size_t)(strstr(resource->create, "%s") - resource->create);
    snprintf(body, sizeof body, "%.*s%s%s", (int)mark, resource->create, name,
             resource->create + mark + 2);
    return body;
}

/* Makes one; its place, in target. The name is a user's, too: a scope has few rate limits. */
static void make(struct api_case *c, const struct resource *resource, const char *name,
                 char target[256])
{
    char user[128];
    snprintf(user, sizeof user, "{\"id\":\"%s\",\"name\":\"N\"}", name);
    if (!strcmp(resource->list, ORG "/rate-limits"))
        (void)ask(c, "POST", ORG "/users", user);
    expect(c, 201, "POST", resource->list, body_of(resource, name));
    snprintf(target, 256, "%s%.160s", resource->one ? resource->one : "", member(c, resource->id));
}

static size_t count(struct api_case *c, const struct resource *resource)
{
    struct json element;
    size_t at = 0, len = 0;
    char target[256];
    snprintf(target, sizeof target, "%s%s", resource->list, resource->query);
    expect(c, 200, "GET", target, NULL);
    struct json data = value(c, "data");
    while (json_next(data, &at, NULL, &element))
        len++;
    return len;
}

static void wrong_at(const struct resource *resource, const struct api_case *c, const char *what)
{
    fail_msg("%s: %s -> %d %.*s", resource->list, what, c->call.status, (int)c->call.reply.len,
             c->call.reply.data ? c->call.reply.data : "");
}

/* ---- Repeats --------------------------------------------------------------------------------- */

static void a_repeat_makes_one(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    for (size_t i = 0; i < RESOURCES; i++) {
        const struct resource *resource = &resources[i];
        char key[32], other[512], id[160];
        size_t before = count(c, resource);
        snprintf(key, sizeof key, "once-%zu", i);
        snprintf(other, sizeof other, "%s", body_of(resource, "another"));
        const char *body = body_of(resource, "thing");
        if (ask_with(c, "Idempotency-Key", key, "POST", resource->list, body) != 201)
            wrong_at(resource, c, "made");
        snprintf(id, sizeof id, "%.150s", member(c, resource->id));
        if (ask_with(c, "Idempotency-Key", key, "POST", resource->list, body) != 201 ||
            !c->call.replayed || strcmp(member(c, resource->id), id) != 0)
            wrong_at(resource, c, "repeated");
        if (ask_with(c, "Idempotency-Key", key, "POST", resource->list, other) != 422)
            wrong_at(resource, c, "another under the same key");
        if (count(c, resource) != before + 1)
            wrong_at(resource, c, "made more than one");
    }
}

/* ---- Edits that cross ------------------------------------------------------------------------
 */

/* Two have read the same; the second to write is told. */
static void an_edit_of_what_has_changed_is_refused(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    for (size_t i = 0; i < RESOURCES; i++) {
        const struct resource *resource = &resources[i];
        char target[256], etag[32];
        if (!resource->update)
            continue;
        make(c, resource, "thing", target);
        expect(c, 200, "GET", target, NULL);
        snprintf(etag, sizeof etag, "%s", c->call.etag);
        if (etag[0] != '"')
            wrong_at(resource, c, "has no ETag");
        if (ask_with(c, "If-Match", etag, "PUT", target, resource->update) != 200)
            wrong_at(resource, c, "the first edit");
        if (ask_with(c, "If-Match", etag, "PUT", target, resource->update) != 412 ||
            strcmp(member(c, "field"), "If-Match") != 0)
            wrong_at(resource, c, "the second edit");
        expect(c, 200, "GET", target, NULL);
        snprintf(etag, sizeof etag, "%s", c->call.etag);
        if (ask_with(c, "If-Match", etag, "PUT", target, resource->update) != 200)
            wrong_at(resource, c, "the second edit, after another look");
        int status = ask_with(c, "If-Match", etag, "DELETE", target, "");
        if (status != 412 && status != 405) /* a grant is for ever */
            wrong_at(resource, c, "an end of what has changed");
    }
}

/* ---- Pages while things come and go ----------------------------------------------------------
 */

enum { STAYING = 5 };

static void note_page(struct api_case *c, const struct resource *resource, char ids[STAYING][160],
                      int seen[STAYING])
{
    char path[64];
    for (size_t row = 0; row < 2; row++) {
        snprintf(path, sizeof path, "data.%zu.%s", row, resource->id);
        const char *id = member(c, path);
        for (size_t i = 0; i < STAYING; i++)
            seen[i] += strcmp(id, ids[i]) == 0;
    }
}

static void pages_lose_and_repeat_nothing(struct api_case *c, const struct resource *resource)
{
    char ids[STAYING][160], target[256], leaving[256], next[64] = "";
    int seen[STAYING] = {0}, pages = 0;
    make(c, resource, "leaving", leaving);
    for (size_t i = 0; i < STAYING; i++) {
        char name[16];
        snprintf(name, sizeof name, "stays-%zu", i);
        make(c, resource, name, target);
        snprintf(ids[i], sizeof ids[i], "%.150s", member(c, resource->id));
    }
    do {
        char name[16];
        snprintf(target, sizeof target, "%s%slimit=2%s%.48s", resource->list, resource->query,
                 next[0] ? "&cursor=" : "", next);
        expect(c, 200, "GET", target, NULL);
        note_page(c, resource, ids, seen);
        snprintf(next, sizeof next, "%.60s", member(c, "next_cursor"));
        snprintf(name, sizeof name, "comes-%d", pages);
        if (pages == 1 && resource->one)
            (void)ask(c, "DELETE", leaving, NULL); /* a price is for ever */
        if (pages++ < 2)
            make(c, resource, name, target);
    } while (strcmp(next, "null") != 0 && pages < 20);
    for (size_t i = 0; i < STAYING; i++)
        if (resource->one ? seen[i] != 1
                          : !seen[i]) /* of prices, which are only added, never less */
            fail_msg("%s: %s was there %d times", resource->list, ids[i], seen[i]);
    assert_in_range(pages, 3, 19);
}

static void every_list_has_each_thing_once(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    for (size_t i = 0; i < RESOURCES; i++)
        if (!resources[i].whole)
            pages_lose_and_repeat_nothing(c, &resources[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, api_case_setup, api_case_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_repeat_makes_one),
        TEST(an_edit_of_what_has_changed_is_refused),
        TEST(every_list_has_each_thing_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
