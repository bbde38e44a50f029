/* SPDX-License-Identifier: Apache-2.0
 * Proves that a write with an Idempotency-Key is carried out once and answered alike, across a
 * restart and across a crash between the change and its reply, for a day; that another request
 * under the same key is refused; and that a change of what somebody else has changed since is
 * refused. */
#include "directory/documents.h"
#include "unit/api_case.h"

#include <stdio.h>

enum { DAY_S = 86400 };

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
    return c->call.status;
}

static int once(struct api_case *c, const char *key, const char *target, const char *body)
{
    return ask_with(c, "Idempotency-Key", key, "POST", target, body);
}

#define ORGANIZATIONS "/api/v1/organizations"
#define ACME "{\"id\":\"acme\",\"name\":\"Acme\"}"

static void reopen(struct api_case *c)
{
    local_call_done(&c->call);
    c->call = (struct local_call){0};
    local_close(c->local);
    api_case_open(c);
}

static void a_repeat_is_answered_alike_and_does_nothing(void **state)
{
    struct api_case *c = *state;
    char first[512];
    assert_int_equal(once(c, "k-1", ORGANIZATIONS, ACME), 201);
    assert_false(c->call.replayed);
    struct slice reply = buffer_slice(&c->call.reply);
    snprintf(first, sizeof first, "%.*s", (int)reply.len, reply.data);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(once(c, "k-1", ORGANIZATIONS, ACME), 201);
        assert_true(c->call.replayed);
        assert_true(slice_is(buffer_slice(&c->call.reply), first));
        reopen(c);
    }
    assert_int_equal(once(c, "k-2", ORGANIZATIONS, ACME), 409); /* it is taken */
    assert_int_equal(once(c, "k-2", ORGANIZATIONS, "{\"id\":\"b\",\"name\":\"B\"}"), 201);
}

static void another_request_under_the_key_is_refused(void **state)
{
    struct api_case *c = *state;
    assert_int_equal(once(c, "k-1", ORGANIZATIONS, ACME), 201);
    assert_int_equal(once(c, "k-1", ORGANIZATIONS, "{\"id\":\"b\",\"name\":\"B\"}"), 422);
    assert_string_equal(member(c, "code"), "content_differs");
    assert_string_equal(member(c, "field"), "Idempotency-Key");
    assert_int_equal(once(c, "k-1", ORGANIZATIONS "/acme/departments", ACME), 422);
    assert_int_equal(ask(c, "GET", ORGANIZATIONS "/b", NULL), 404);
}

static void two_at_once_are_one(void **state)
{
    struct api_case *c = *state;
    const struct exchange_header headers[] = {{"Idempotency-Key", SLICE_LITERAL("k-1")}};
    struct local_call calls[2];
    for (int i = 0; i < 2; i++) {
        calls[i] = (struct local_call){.method = "POST",
                                       .target = ORGANIZATIONS,
                                       .authorization = SLICE_LITERAL("Bearer root-token"),
                                       .body = SLICE_LITERAL(ACME),
                                       .headers = headers,
                                       .headers_len = 1};
        local_start(c->local, &calls[i]);
    }
    local_wait(c->local);
    assert_int_equal(calls[0].status, 201);
    assert_int_equal(calls[1].status, 409);
    for (int i = 0; i < 2; i++)
        local_call_done(&calls[i]);
}

static void after_a_day_it_is_another_request(void **state)
{
    struct api_case *c = *state;
    assert_int_equal(once(c, "k-1", ORGANIZATIONS, ACME), 201);
    c->now_us += INT64_C(1000000) * (DAY_S - 1);
    assert_int_equal(once(c, "k-1", ORGANIZATIONS, ACME), 201);
    c->now_us += INT64_C(2000000);
    assert_int_equal(once(c, "k-1", ORGANIZATIONS, ACME), 409);
    assert_string_equal(member(c, "code"), "exists");
}

struct mark {
    char id[64], document[64];
};

static int keep_mark(void *user, const struct records_entity *entity)
{
    struct mark *mark = user;
    struct json document;
    assert_int_equal(json_scan(entity->document, &document, NULL), 0);
    struct slice content = json_member(document, "content").raw;
    snprintf(mark->id, sizeof mark->id, "%.*s", (int)entity->id.len, entity->id.data);
    snprintf(mark->document, sizeof mark->document, "{\"content\":%.*s}", (int)content.len,
             content.data);
    return 0;
}

/* What a crash between the change and its reply leaves: the mark alone. */
static void a_repeat_after_a_crash_in_between_does_nothing(void **state)
{
    struct api_case *c = *state;
    struct records_reader *reader;
    struct mark mark = {0};
    assert_int_equal(once(c, "k-1", ORGANIZATIONS, ACME), 201);
    assert_int_equal(ask(c, "GET", ORGANIZATIONS, NULL), 200); /* it is projected */
    assert_int_equal(records_reader_open(os_system(), c->directory, &reader), 0);
    assert_int_equal(records_each_entity(reader, document_entity(DOCUMENT_REPLY),
                                         (struct mete_scope_id){0}, 0, 9, 0, keep_mark, &mark),
                     0);
    records_reader_close(reader);
    const struct mete_change change = {
        .kind = METE_PUT_DOCUMENT,
        .at_document = {DOCUMENT_REPLY, {0}, {mark.id, strlen(mark.id)}},
        .document = {mark.document, strlen(mark.document)}};
    uint32_t handle;
    struct mete_applied applied;
    const struct mete_apply args = {&change, 1, {"admin", 5}};
    assert_int_equal(mete_apply(local_port(c->local), &args, &handle, &applied), 0);
    assert_int_equal(once(c, "k-1", ORGANIZATIONS, ACME), 200);
    assert_true(c->call.replayed);
    assert_string_equal(member(c, "replayed"), "true");
}

static void what_failed_is_tried_again(void **state)
{
    struct api_case *c = *state;
    assert_int_equal(
        once(c, "k-1", ORGANIZATIONS "/acme/departments", "{\"id\":\"dev\",\"name\":\"Dev\"}"),
        404);
    assert_int_equal(ask(c, "POST", ORGANIZATIONS, ACME), 201);
    assert_int_equal(
        once(c, "k-1", ORGANIZATIONS "/acme/departments", "{\"id\":\"dev\",\"name\":\"Dev\"}"),
        201);
}

static void a_change_of_what_was_changed_since_is_refused(void **state)
{
    struct api_case *c = *state;
    char etag[32];
    make_acme(c);
    assert_int_equal(ask(c, "GET", ORGANIZATIONS "/acme/users/ada", NULL), 200);
    snprintf(etag, sizeof etag, "%s", c->call.etag);
    assert_true(etag[0] == '"');
    assert_int_equal(ask_with(c, "If-Match", etag, "PUT", ORGANIZATIONS "/acme/users/ada",
                              "{\"name\":\"Ada L.\"}"),
                     200);
    assert_string_not_equal(c->call.etag, etag);
    char later[32];
    snprintf(later, sizeof later, "%s", c->call.etag);
    assert_int_equal(
        ask_with(c, "If-Match", etag, "PUT", ORGANIZATIONS "/acme/users/ada", "{\"name\":\"Eve\"}"),
        412);
    assert_string_equal(member(c, "code"), "changed");
    assert_int_equal(ask(c, "GET", ORGANIZATIONS "/acme/users/ada", NULL), 200);
    assert_string_equal(member(c, "name"), "Ada L.");
    assert_string_equal(c->call.etag, later);
    assert_int_equal(
        ask_with(c, "If-Match", "*", "PUT", ORGANIZATIONS "/acme/users/ada", "{\"name\":\"Ada\"}"),
        200);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, api_case_setup, api_case_teardown)
#define BUDGETS ORGANIZATIONS "/acme/budgets"

static void a_budget_has_a_version(void **state)
{
    struct api_case *c = *state;
    char etag[32], later[32];
    make_acme(c);
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"own\",\"monthly_limit\":5}");
    snprintf(etag, sizeof etag, "%s", c->call.etag);
    assert_true(etag[0] == '"');
    expect(c, 200, "GET", BUDGETS "/own", NULL);
    assert_string_equal(c->call.etag, etag);
    assert_int_equal(ask_with(c, "If-Match", etag, "PUT", BUDGETS, "{\"amount\":6}"), 200);
    snprintf(later, sizeof later, "%s", c->call.etag);
    assert_string_not_equal(later, etag);
    assert_int_equal(ask_with(c, "If-Match", etag, "PUT", BUDGETS "/own", "{\"amount\":7}"), 412);
    assert_int_equal(ask_with(c, "If-Match", etag, "DELETE", BUDGETS "/own", ""), 412);
    assert_int_equal(
        ask_with(c, "If-Match", etag, "POST", BUDGETS "/alerts", "{\"alert_enabled\":false}"), 412);
    expect(c, 200, "GET", BUDGETS "/own/alerts", NULL);
    assert_string_equal(c->call.etag, later);
    expect(c, 200, "POST", BUDGETS "/own/lift", NULL);
    assert_string_equal(c->call.etag, later);
    assert_int_equal(
        ask_with(c, "If-Match", later, "POST", BUDGETS "/alerts", "{\"alert_enabled\":false}"),
        200);
    assert_string_not_equal(c->call.etag, later);
    snprintf(later, sizeof later, "%s", c->call.etag);
    expect(c, 200, "GET", BUDGETS "/own", NULL);
    expect_member(c, "amount", "6.00");
    assert_string_equal(c->call.etag, later);
    assert_int_equal(ask_with(c, "If-Match", later, "DELETE", BUDGETS, ""), 204);
}

static void a_repeated_budget_is_made_once(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    assert_int_equal(once(c, "b-1", BUDGETS, "{\"id\":\"own\",\"monthly_limit\":5}"), 201);
    assert_int_equal(once(c, "b-1", BUDGETS, "{\"id\":\"own\",\"monthly_limit\":5}"), 201);
    assert_true(c->call.replayed);
    assert_int_equal(once(c, "b-1", BUDGETS, "{\"id\":\"own\",\"monthly_limit\":6}"), 422);
    assert_int_equal(once(c, "b-2", BUDGETS "/own/alerts", "{\"usage_percentage\":50}"), 200);
    expect(c, 200, "POST", BUDGETS "/own/alerts", "{\"usage_percentage\":60}");
    assert_int_equal(once(c, "b-2", BUDGETS "/own/alerts", "{\"usage_percentage\":50}"), 200);
    assert_true(c->call.replayed);
    expect(c, 200, "GET", BUDGETS "/own/alerts", NULL);
    expect_member(c, "alert_thresholds", "[0.6]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_repeat_is_answered_alike_and_does_nothing),
        CASE(another_request_under_the_key_is_refused),
        CASE(two_at_once_are_one),
        CASE(after_a_day_it_is_another_request),
        CASE(a_repeat_after_a_crash_in_between_does_nothing),
        CASE(what_failed_is_tried_again),
        CASE(a_change_of_what_was_changed_since_is_refused),
        CASE(a_budget_has_a_version),
        CASE(a_repeated_budget_is_made_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
