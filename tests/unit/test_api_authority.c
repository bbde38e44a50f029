/* SPDX-License-Identifier: Apache-2.0
 * Proves the authority calls: check, reserve, deduct, release and record, one and in arrays; what
 * is set aside and what is charged for each way of saying it; refusals with every figure; repeats;
 * and that each wrong field is a problem that names it and changes nothing. */
#include "unit/api_case.h"

#define RESERVE "/api/v1/budget/reserve"
#define DEDUCT "/api/v1/budget/deduct"
#define EXTEND "/api/v1/budget/extend"
#define RELEASE "/api/v1/budget/release"
#define CHECK "/api/v1/budget/check"
#define RECORD "/api/v1/budget/record"
#define BUDGETS "/api/v1/organizations/acme/budgets"
#define ADA "\"scope\":{\"kind\":\"user\",\"id\":\"ada\",\"organization\":\"acme\"}"

static char reserve_id[32], body[1024];

static void make_budget(struct api_case *c, const char *id, const char *unit, const char *amount)
{
    make_acme(c);
    snprintf(body, sizeof body,
             "{\"id\":\"%s\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\"},\"unit\":\"%s\","
             "\"amount\":\"%s\",\"period\":\"daily\"}",
             id, unit, amount);
    expect(c, 201, "POST", BUDGETS, body);
}

static void reserve(struct api_case *c, const char *request)
{
    expect(c, 200, "POST", RESERVE, request);
    expect_member(c, "success", "true");
    snprintf(reserve_id, sizeof reserve_id, "%.31s", member(c, "reserve_id"));
}

static const char *ending(const char *more)
{
    snprintf(body, sizeof body, "{\"reserve_id\":\"%s\"%s}", reserve_id, more);
    return body;
}

static void set_aside_and_charged(void **state)
{
    struct api_case *c = *state;
    make_budget(c, "b", "USD", "1.00");
    reserve(c, "{\"request_id\":\"r1\"," ADA ",\"amount\":\"0.05\",\"ttl_seconds\":60}");
    assert_int_equal(strlen(reserve_id), 15);
    snprintf(body, sizeof body,
             "{\"success\":true,\"request_id\":\"r1\",\"reserve_id\":\"%s\",\"expire_time\":"
             "\"2026-11-21T09:01:00Z\",\"remaining\":\"0.95\",\"retry_at\":null,\"refused_by\":[],"
             "\"repeated\":false,\"amount\":\"0.05\"}",
             reserve_id);
    expect_member(c, "", body);
    expect(c, 200, "GET", BUDGETS "/b", NULL);
    expect_member(c, "held", "0.05");
    expect(c, 200, "POST", DEDUCT, ending(",\"amount\":0.03"));
    expect_member(c, "success", "true");
    expect_member(c, "state", "committed");
    expect_member(c, "amount", "0.03");
    expect_member(c, "overrun", "false");
    expect_member(c, "repeated", "false");
    assert_memory_equal(member(c, "record_id"), "rec_", 4);
    expect(c, 200, "POST", DEDUCT, ending(",\"amount\":\"0.030\""));
    expect_member(c, "repeated", "true");
    expect_problem(c, 409, "ended", "reserve_id", "POST", DEDUCT, ending(",\"amount\":\"0.04\""));
    expect_problem(c, 409, "ended", "reserve_id", "POST", RELEASE, ending(""));
    expect(c, 200, "GET", BUDGETS "/b", NULL);
    expect_member(c, "held", "0.00");
    expect_member(c, "used", "0.03");
}

static void released(void **state)
{
    struct api_case *c = *state;
    make_budget(c, "b", "USD", "1.00");
    reserve(c, "{\"request_id\":\"r1\"," ADA ",\"amount\":\"1\"}");
    expect_member(c, "expire_time", "2026-11-21T09:05:00Z");
    expect(c, 200, "POST", RELEASE, ending(""));
    expect_member(c, "state", "released");
    expect_member(c, "repeated", "false");
    expect(c, 200, "POST", RELEASE, ending(""));
    expect_member(c, "repeated", "true");
    expect_problem(c, 409, "ended", "reserve_id", "POST", DEDUCT, ending(",\"amount\":\"1\""));
    expect(c, 200, "GET", BUDGETS "/b", NULL);
    expect_member(c, "held", "0.00");
    expect_member(c, "used", "0.00");
}

static void extended(void **state)
{
    struct api_case *c = *state;
    make_budget(c, "b", "USD", "1.00");
    reserve(c, "{\"request_id\":\"r1\"," ADA ",\"amount\":\"0.40\",\"ttl_seconds\":60}");
    expect(c, 200, "POST", EXTEND, ending(",\"amount\":\"0.50\",\"ttl_seconds\":120"));
    snprintf(body, sizeof body,
             "{\"success\":true,\"reserve_id\":\"%s\",\"expire_time\":\"2026-11-21T09:02:00Z\","
             "\"remaining\":\"0.10\",\"retry_at\":null,\"refused_by\":[],\"amount\":\"0.50\"}",
             reserve_id);
    expect_member(c, "", body);
    expect(c, 200, "POST", EXTEND, ending(",\"amount\":\"0.11\",\"ttl_seconds\":600"));
    expect_member(c, "success", "false");
    expect_member(c, "refused_by.0.budget", "b");
    expect_member(c, "refused_by.0.held", "0.90");
    expect_member(c, "expire_time", "2026-11-21T09:02:00Z");
    expect(c, 200, "POST", EXTEND, ending(",\"ttl_seconds\":30"));
    expect_member(c, "expire_time", "2026-11-21T09:00:30Z");
    expect_member(c, "remaining", "null");
    expect(c, 200, "POST", EXTEND, ending(",\"amount\":\"0.70\",\"shrink\":true"));
    expect_member(c, "amount", "0.70");
    expect(c, 200, "GET", BUDGETS "/b", NULL);
    expect_member(c, "held", "0.20");
    expect(c, 200, "POST", DEDUCT, ending("")); /* all that is held now, not what was reserved */
    expect_member(c, "amount", "0.20");
    expect_problem(c, 409, "ended", "reserve_id", "POST", EXTEND, ending(",\"amount\":\"0.01\""));
}

static void a_wrong_extension_changes_nothing(void **state)
{
    struct api_case *c = *state;
    make_budget(c, "b", "USD", "1.00");
    reserve(c,
            "{\"request_id\":\"r1\"," ADA ",\"amount\":\"0.40\",\"usage\":{\"input_tokens\":5}}");
    expect_problem(c, 400, "invalid", "amount", "POST", EXTEND, ending(""));
    expect_problem(c, 400, "invalid", "amount", "POST", EXTEND, ending(",\"shrink\":true"));
    expect_problem(c, 400, "invalid", "amount", "POST", EXTEND,
                   ending(",\"amount\":\"0.41\",\"shrink\":true"));
    expect_problem(c, 400, "invalid", "usage.input_tokens", "POST", EXTEND,
                   ending(",\"usage\":{\"input_tokens\":6},\"shrink\":true"));
    expect_problem(c, 400, "invalid", "usage.output_tokens", "POST", EXTEND,
                   ending(",\"usage\":{\"output_tokens\":6}"));
    expect_problem(c, 400, "invalid", "currency", "POST", EXTEND,
                   ending(",\"amount\":\"0.01\",\"currency\":\"EUR\""));
    expect_problem(c, 404, "not_found", "reserve_id", "POST", EXTEND,
                   "{\"reserve_id\":\"rsv_0000000000z\",\"amount\":\"0.01\"}");
    expect(c, 200, "GET", BUDGETS "/b", NULL);
    expect_member(c, "held", "0.40");
    expect(c, 200, "POST", RELEASE, ending(""));
}

static void a_refusal_says_everything(void **state)
{
    struct api_case *c = *state;
    make_budget(c, "b", "USD", "0.10");
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"all\",\"monthly_limit\":\"0.12\"}");
    reserve(c, "{\"request_id\":\"r1\"," ADA ",\"amount\":\"0.08\"}");
    expect(c, 200, "POST", RECORD, "{\"request_id\":\"r0\"," ADA ",\"amount\":\"0.01\"}");
    expect(c, 200, "POST", RESERVE, "{\"request_id\":\"r2\"," ADA ",\"amount\":\"0.05\"}");
    expect_member(c, "success", "false");
    expect_member(c, "reserve_id", "null");
    expect_member(c, "expire_time", "null");
    expect_member(c, "request_id", "r2");
    expect_member(c, "refused_by.0",
                  "{\"reason\":\"hard_limit\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\","
                  "\"organization\":\"acme\"},\"budget\":\"b\",\"rate_limit\":null,\"unit\":"
                  "\"USD\",\"limit\":\"0.10\","
                  "\"used\":\"0.01\",\"held\":\"0.08\",\"asked\":\"0.05\","
                  "\"resets_at\":\"2026-11-22T00:00:00Z\",\"shadow\":false}");
    expect_member(c, "refused_by.1.budget", "all");
    expect_member(c, "refused_by.1.scope.kind", "organization");
    expect_member(c, "refused_by.1.scope.id", "acme");
    expect_member(c, "refused_by.1.resets_at", "2026-12-01T00:00:00Z");
    expect_member(c, "refused_by.2", "(none)");
    expect_member(c, "retry_at", "null"); /* what is held may return at any moment */
    expect(c, 200, "GET", BUDGETS "/b", NULL);
    expect_member(c, "held", "0.08");
    expect(c, 200, "POST", RESERVE, "{\"request_id\":\"r3\"," ADA ",\"amount\":\"0.10\"}");
    expect_member(c, "retry_at", "2026-11-22T00:00:00Z"); /* what is used, with the window */
    expect(c, 200, "POST", RESERVE, "{\"request_id\":\"r4\"," ADA ",\"amount\":\"1\"}");
    expect_member(c, "retry_at", "null"); /* more than a whole window has: never */
}

static void a_shadow_budget_refuses_nobody(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS,
           "{\"id\":\"s\",\"monthly_limit\":\"0.01\",\"mode\":\"shadow\"}");
    reserve(c, "{\"request_id\":\"r\"," ADA ",\"amount\":\"1\"}");
    expect_member(c, "refused_by.0.budget", "s");
    expect_member(c, "refused_by.0.shadow", "true");
}

static void a_check_takes_nothing(void **state)
{
    struct api_case *c = *state;
    make_budget(c, "b", "USD", "1.00");
    reserve(c, "{\"request_id\":\"r1\"," ADA ",\"amount\":\"0.25\"}");
    expect(c, 200, "POST", RECORD, "{\"request_id\":\"r0\"," ADA ",\"amount\":\"0.5\"}");
    expect(c, 200, "POST", CHECK, "{" ADA ",\"amount\":\"0.20\"}");
    expect_member(c, "available", "true");
    expect_member(c, "used", "0.50");
    expect_member(c, "reserved", "0.25");
    expect_member(c, "refused_by", "[]");
    expect(c, 200, "POST", CHECK, "{" ADA ",\"amount\":\"0.26\",\"request_id\":\"r1\"}");
    expect_member(c, "available", "false");
    expect_member(c, "refused_by.0.asked", "0.26");
    expect(c, 200, "POST", CHECK,
           "{\"scope\":{\"kind\":\"organization\",\"id\":\"acme\"},\"amount\":\"5\"}");
    expect_member(c, "available", "true");
    expect_member(c, "remaining", "null");
    expect_member(c, "used", "null");
    expect(c, 200, "GET", BUDGETS "/b", NULL);
    expect_member(c, "held", "0.25");
}

/* gpt-4o in the built-in list: 2.50 and 10.00 a million, 1.25 for cached input. */
static void usage_is_priced(void **state)
{
    struct api_case *c = *state;
    make_budget(c, "b", "USD", "1.00");
    reserve(c, "{\"request_id\":\"r1\"," ADA ",\"model\":\"gpt-4o\","
               "\"usage\":{\"input_tokens\":1000,\"output_tokens\":500}}");
    expect_member(c, "amount", "0.0075");
    expect(c, 200, "POST", DEDUCT,
           ending(",\"model\":\"gpt-4o\",\"usage\":{\"input_tokens\":1000,"
                  "\"cached_input_tokens\":400,\"output_tokens\":200}"));
    expect_member(c, "amount", "0.004");
    reserve(c, "{\"request_id\":\"r2\"," ADA
               ",\"model\":\"gpt-4o\",\"usage\":{\"total_tokens\":1000}}");
    expect_member(c, "amount", "0.01");
    expect_problem(c, 400, "unpriced", "model", "POST", RESERVE,
                   "{\"request_id\":\"r3\"," ADA ",\"model\":\"nobody-knows\","
                   "\"usage\":{\"input_tokens\":1}}");
    expect_problem(c, 400, "invalid", "usage.input_tokens", "POST", RECORD,
                   "{\"request_id\":\"r3\"," ADA
                   ",\"model\":\"gpt-4o\",\"usage\":{\"total_tokens\":9}}");
    expect_problem(c, 400, "invalid", "usage.input_tokens", "POST", RESERVE,
                   "{\"request_id\":\"r3\"," ADA
                   ",\"model\":\"gpt-4o\",\"usage\":{\"requests\":1}}");
    expect(c, 200, "GET", "/api/v1/records", NULL);
    expect_member(c, "data.0.cached_input_tokens", "400");
    expect_member(c, "data.0.total_tokens", "1200");
    expect_member(c, "data.0.model", "gpt-4o");
    assert_memory_equal(member(c, "data.0.price_list"), "builtin", 7);
}

/* claude-sonnet-4-5: 3 and 15 a million, 6 for an hour in the cache, 0.01 for a search; it has no
 * price for sound. gpt-4o-audio-preview: 40 a million for sound heard, 80 for sound said. */
static void every_kind_of_usage_is_priced_or_refused(void **state)
{
    struct api_case *c = *state;
    make_budget(c, "b", "USD", "1.00");
    reserve(c, "{\"request_id\":\"r1\"," ADA ",\"model\":\"claude-sonnet-4-5\","
               "\"usage\":{\"input_tokens\":1000,\"cache_write_tokens\":1000,"
               "\"cache_write_1h_tokens\":1000,\"output_tokens\":100,\"searches\":3}}");
    expect_member(c, "amount", "0.0375");
    expect(c, 200, "POST", DEDUCT,
           ending(",\"model\":\"claude-sonnet-4-5\",\"usage\":{\"input_tokens\":1000,"
                  "\"cache_write_tokens\":600,\"cache_write_1h_tokens\":600,"
                  "\"output_tokens\":100,\"searches\":2}"));
    expect_member(c, "amount", "0.0263");
    reserve(c, "{\"request_id\":\"r2\"," ADA ",\"model\":\"gpt-4o-audio-preview\","
               "\"usage\":{\"input_tokens\":100,\"audio_input_tokens\":90,"
               "\"output_tokens\":10,\"audio_output_tokens\":10}}");
    expect_member(c, "amount", "0.0048");
    for (int i = 0; i < 2; i++)
        expect_problem(c, 400, "unpriced", "usage", "POST", i ? RECORD : RESERVE,
                       "{\"request_id\":\"r3\"," ADA ",\"model\":\"claude-sonnet-4-5\","
                       "\"usage\":{\"input_tokens\":5,\"audio_input_tokens\":5}}");
    expect(c, 200, "GET", "/api/v1/records", NULL);
    expect_member(c, "data.0.cache_write_1h_tokens", "600");
    expect_member(c, "data.0.searches", "2");
}

/* What a deduct does not say is charged as it was reserved, known to this process or not. */
/* In the built-in list: 0.104 a picture, 16 a million characters, 33.33 a million seconds heard. */
static void pieces_are_priced_or_refused(void **state)
{
    struct api_case *c = *state;
    make_budget(c, "b", "USD", "1.00");
    reserve(c, "{\"request_id\":\"r1\"," ADA ",\"model\":\"aiml/flux/kontext-max/text-to-image\","
               "\"usage\":{\"images\":3}}");
    expect_member(c, "amount", "0.312");
    expect(c, 200, "POST", DEDUCT,
           ending(",\"model\":\"aiml/flux/kontext-max/text-to-image\",\"usage\":{\"images\":2}"));
    expect_member(c, "amount", "0.208");
    expect(c, 200, "POST", RECORD,
           "{\"request_id\":\"r2\"," ADA ",\"model\":\"aws_polly/neural\","
           "\"usage\":{\"characters\":1000}}");
    expect_member(c, "amount", "0.016");
    expect(c, 200, "POST", RECORD,
           "{\"request_id\":\"r3\"," ADA ",\"model\":\"assemblyai/best\","
           "\"usage\":{\"audio_seconds\":1000}}");
    expect_member(c, "amount", "0.03333");
    for (int i = 0; i < 3; i++) /* INV-11: a model of tokens has no price for a picture */
        expect_problem(c, 400, "unpriced", "usage", "POST", i ? i == 1 ? RECORD : CHECK : RESERVE,
                       "{\"request_id\":\"r4\"," ADA
                       ",\"model\":\"gpt-4o\",\"usage\":{\"images\":5}}");
    expect(c, 200, "GET", "/api/v1/records", NULL);
    expect_member(c, "data.0.audio_seconds", "1000");
    expect_member(c, "data.1.characters", "1000");
    expect_member(c, "data.2.images", "2");
    expect_member(c, "data.2.costs.images", "0.208");
}

static void budgets_count_pieces(void **state)
{
    struct api_case *c = *state;
    static const char *const units[] = {"images", "characters", "audio_seconds", "video_seconds"};
    char request[256];
    make_acme(c);
    for (size_t i = 0; i < 4; i++) {
        snprintf(request, sizeof request,
                 "{\"id\":\"%s\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\"},\"unit\":\"%s\","
                 "\"amount\":10,\"period\":\"daily\"}",
                 units[i], units[i]);
        expect(c, 201, "POST", BUDGETS, request);
        expect_member(c, "unit", units[i]);
    }
    for (size_t i = 0; i < 4; i++) {
        char path[128];
        snprintf(request, sizeof request, "{\"request_id\":\"a%zu\"," ADA ",\"usage\":{\"%s\":7}}",
                 i, units[i]);
        reserve(c, request);
        expect_member(c, "remaining", "3");
        expect(c, 200, "POST", DEDUCT, ending(""));
        snprintf(request, sizeof request, "{\"request_id\":\"b%zu\"," ADA ",\"usage\":{\"%s\":4}}",
                 i, units[i]);
        expect(c, 200, "POST", RESERVE, request);
        expect_member(c, "success", "false");
        expect_member(c, "refused_by.0.unit", units[i]);
        expect_member(c, "refused_by.0.asked", "4");
        snprintf(path, sizeof path, BUDGETS "/%s", units[i]);
        expect(c, 200, "GET", path, NULL);
        expect_member(c, "used", "7");
    }
    expect(c, 200, "GET", "/api/v1/organizations/acme/audit?kind=budget", NULL);
    expect_member(c, "data.0.after.unit", "video_seconds");
    expect_member(c, "data.2.after.unit", "characters");
    expect_problem(c, 400, "invalid", "amount", "PUT", BUDGETS "/images", "{\"amount\":\"1.5\"}");
}

static void what_is_not_said_is_as_reserved(void **state)
{
    struct api_case *c = *state;
    make_budget(c, "money", "USD", "1.00");
    expect(c, 201, "POST", BUDGETS,
           "{\"id\":\"tokens\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\"},\"unit\":\"tokens\","
           "\"amount\":1000,\"period\":\"daily\"}");
    static const char request[] = "{\"request_id\":\"r%d\"," ADA ",\"amount\":\"0.1\","
                                  "\"usage\":{\"input_tokens\":60,\"output_tokens\":40}}";
    for (int i = 0; i < 6; i++) {
        char text[512];
        snprintf(text, sizeof text, request, i);
        reserve(c, text);
        if (i % 2) {
            local_call_done(&c->call);
            local_close(c->local);
            api_case_open(c);
        }
        expect(c, 200, "POST", DEDUCT,
               ending(i < 2   ? ""
                      : i < 4 ? ",\"amount\":\"0.02\""
                              : ",\"usage\":{\"input_tokens\":60,\"output_tokens\":10}"));
        expect_member(c, "amount", i / 2 == 1 ? "0.02" : "0.10");
    }
    expect(c, 200, "GET", BUDGETS "/money", NULL);
    expect_member(c, "used", "0.44");
    expect_member(c, "held", "0.00");
    expect(c, 200, "GET", BUDGETS "/tokens", NULL);
    expect_member(c, "used", "540");
    expect_member(c, "held", "0");
}

static void tokens_and_requests(void **state)
{
    struct api_case *c = *state;
    make_budget(c, "calls", "requests", "2");
    reserve(c, "{\"request_id\":\"a\"," ADA ",\"usage\":{\"total_tokens\":1200,\"requests\":1}}");
    expect_member(c, "amount", "(none)");
    expect(c, 200, "POST", DEDUCT, ending(",\"usage\":{\"total_tokens\":900}"));
    expect_member(c, "amount", "0.00");
    reserve(c, "{\"request_id\":\"b\"," ADA ",\"amount\":\"5\"}");
    expect(c, 200, "POST", RESERVE, "{\"request_id\":\"c\"," ADA ",\"amount\":\"5\"}");
    expect_member(c, "success", "false");
    expect_member(c, "refused_by.0.unit", "requests");
    expect_member(c, "refused_by.0.asked", "1");
    expect_member(c, "refused_by.0.limit", "2");
}

static void an_overrun_is_charged_and_told(void **state)
{
    struct api_case *c = *state;
    make_budget(c, "b", "USD", "0.10");
    reserve(c, "{\"request_id\":\"r\"," ADA ",\"amount\":\"0.10\"}");
    expect(c, 200, "POST", DEDUCT, ending(",\"amount\":\"0.15\""));
    expect_member(c, "overrun", "true");
    expect_member(c, "amount", "0.15");
    expect(c, 200, "POST", RECORD, "{\"request_id\":\"m\"," ADA ",\"amount\":\"1\"}");
    expect_member(c, "overrun", "true");
    expect(c, 200, "GET", BUDGETS "/b", NULL);
    expect_member(c, "used", "1.15");
    expect_member(c, "available", "-1.05");
    expect_member(c, "status", "exceeded");
}

/* INV-04: same id, same content, same answer; other content is 422. */
static void repeats(void **state)
{
    struct api_case *c = *state;
    char first[1024];
    make_budget(c, "b", "USD", "1.00");
    reserve(c, "{\"request_id\":\"r\"," ADA ",\"amount\":\"0.10\"}");
    expect(c, 200, "POST", RESERVE, "{ \"amount\": 0.100, " ADA ", \"request_id\":\"r\" }");
    expect_member(c, "repeated", "true");
    expect_member(c, "reserve_id", reserve_id);
    expect_problem(c, 422, "content_differs", "request_id", "POST", RESERVE,
                   "{\"request_id\":\"r\"," ADA ",\"amount\":\"0.11\"}");
    expect_problem(c, 422, "content_differs", "request_id", "POST", RESERVE,
                   "{\"request_id\":\"r\"," ADA ",\"amount\":\"0.10\",\"model\":\"m\"}");
    expect(c, 200, "POST", RECORD, "{\"request_id\":\"m\"," ADA ",\"amount\":\"0.20\"}");
    snprintf(first, sizeof first, "%.64s", member(c, "record_id"));
    expect(c, 200, "POST", RECORD, "{\"request_id\":\"m\"," ADA ",\"amount\":\"0.20\"}");
    expect_member(c, "repeated", "true");
    expect_member(c, "record_id", first);
    expect_member(c, "request_id", "m");
    expect(c, 422, "POST", RECORD, "{\"request_id\":\"m\"," ADA ",\"amount\":\"0.21\"}");
    expect(c, 200, "GET", BUDGETS "/b", NULL);
    expect_member(c, "used", "0.20");
    expect_member(c, "held", "0.10");
}

static void what_nobody_ends_returns(void **state)
{
    struct api_case *c = *state;
    make_budget(c, "b", "USD", "1.00");
    reserve(c, "{\"request_id\":\"r\"," ADA
               ",\"amount\":\"1\",\"expire_time\":\"2026-11-21T09:00:30Z\"}");
    expect_member(c, "expire_time", "2026-11-21T09:00:30Z");
    expect(c, 200, "POST", RESERVE, "{\"request_id\":\"q\"," ADA ",\"amount\":\"1\"}");
    expect_member(c, "success", "false");
    c->now_us += 31000000;
    reserve(c, "{\"request_id\":\"q2\"," ADA ",\"amount\":\"1\"}");
}

static void arrays(void **state)
{
    struct api_case *c = *state;
    make_budget(c, "b", "USD", "0.25");
    expect(c, 200, "POST", RESERVE,
           "[{\"request_id\":\"a\"," ADA ",\"amount\":\"0.1\"},"
           "{\"request_id\":\"b\"," ADA ",\"amount\":\"-1\"},"
           "{\"request_id\":\"c\"," ADA ",\"amount\":\"0.1\"},"
           "5,"
           "{\"request_id\":\"d\",\"scope\":{\"kind\":\"user\",\"id\":\"bob\",\"organization\":"
           "\"acme\"},"
           "\"amount\":\"0.1\"},"
           "{\"request_id\":\"e\"," ADA ",\"amount\":\"0.1\"}]");
    expect_member(c, "0.success", "true");
    expect_member(c, "0.remaining", "0.15");
    expect_member(c, "1.code", "invalid");
    expect_member(c, "1.field", "[1].amount");
    expect_member(c, "1.status", "400");
    expect_member(c, "2.success", "true");
    expect_member(c, "3.code", "invalid");
    expect_member(c, "4.code", "not_found");
    expect_member(c, "3.field", "[3]");
    expect_member(c, "4.field", "[4].scope.id");
    expect_member(c, "5.success", "false");
    expect_member(c, "5.refused_by.0.held", "0.20");
    expect_member(c, "6", "(none)");
    char first[32], second[32];
    snprintf(first, sizeof first, "%.31s", member(c, "0.reserve_id"));
    snprintf(second, sizeof second, "%.31s", member(c, "2.reserve_id"));
    snprintf(body, sizeof body,
             "[{\"reserve_id\":\"%s\",\"amount\":\"0.07\"},{\"reserve_id\":\"%s\"},"
             "{\"reserve_id\":\"rsv_zzzzzzzzzz0\"},{}]",
             first, second);
    expect(c, 200, "POST", DEDUCT, body);
    expect_member(c, "0.amount", "0.07");
    expect_member(c, "1.amount", "0.10");
    expect_member(c, "2.code", "not_found");
    expect_member(c, "3.field", "[3].reserve_id");
    expect_problem(c, 400, "invalid", "(none)", "POST", RELEASE, "[]");
    expect_problem(c, 400, "invalid", "(none)", "POST", RELEASE, "\"x\"");
}

/* A thousand items, and one more; refusals of all of them. */
static void long_arrays(void **state)
{
    struct api_case *c = *state;
    make_budget(c, "b", "USD", "5");
    char *text = malloc(200 * 1001);
    for (int round = 0; round < 2; round++) {
        size_t len = 0;
        int items = 1000 + round;
        for (int i = 0; i < items; i++)
            len += (size_t)snprintf(text + len, 200,
                                    "%c{\"request_id\":\"r%d\"," ADA ",\"amount\":\"0.01\"}",
                                    i ? ',' : '[', i);
        snprintf(text + len, 200, "]");
        expect(c, round ? 400 : 200, "POST", RESERVE, text);
        if (round)
            break;
        expect_member(c, "499.success", "true");
        expect_member(c, "500.success", "false");
        expect_member(c, "999.refused_by.0.budget", "b");
        expect_member(c, "1000", "(none)");
    }
    free(text);
    expect(c, 200, "GET", BUDGETS "/b", NULL);
    expect_member(c, "held", "5.00");
}

/* More than the port's ring holds, at once: what does not fit waits, and nothing is turned away. */
static void more_than_the_ring_holds(void **state)
{
    enum { CALLS = 12, ITEMS = 1000 };
    struct api_case *c = *state;
    make_budget(c, "b", "requests", "12000");
    struct local_call *calls = calloc(CALLS, sizeof *calls);
    char *texts = malloc((size_t)CALLS * ITEMS * 128);
    for (int i = 0; i < CALLS; i++) {
        char *text = texts + (size_t)i * ITEMS * 128;
        size_t len = 0;
        for (int j = 0; j < ITEMS; j++)
            len += (size_t)snprintf(text + len, 128,
                                    "%c{\"request_id\":\"r%d-%d\"," ADA ",\"amount\":\"0.01\"}",
                                    j ? ',' : '[', i, j);
        snprintf(text + len, 2, "]");
        calls[i] = (struct local_call){.method = "POST",
                                       .target = RESERVE,
                                       .authorization = slice_of(c->authorization),
                                       .body = {text, len + 1}};
        local_start(c->local, &calls[i]);
    }
    local_wait(c->local);
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(calls[i].status, 200);
        struct slice reply = buffer_slice(&calls[i].reply);
        assert_null(memmem(reply.data, reply.len, "\"busy\"", 6));
        assert_null(memmem(reply.data, reply.len, "\"success\":false", 15));
        local_call_done(&calls[i]);
    }
    free(texts);
    free(calls);
    expect(c, 200, "GET", BUDGETS "/b", NULL);
    expect_member(c, "held", "12000");
}

static void each_wrong_field_is_named(void **state)
{
    struct api_case *c = *state;
    static const struct {
        int status;
        const char *target, *field, *body;
    } cases[] = {
        {400, RESERVE, "request_id", "{" ADA ",\"amount\":\"1\"}"},
        {400, RESERVE, "request_id", "{\"request_id\":\"\"," ADA ",\"amount\":\"1\"}"},
        {400, RESERVE, "request_id", "{\"request_id\":7," ADA ",\"amount\":\"1\"}"},
        {400, RESERVE, "scope", "{\"request_id\":\"r\",\"amount\":\"1\"}"},
        {400, RESERVE, "scope", "{\"request_id\":\"r\",\"scope\":null,\"amount\":\"1\"}"},
        {400, RESERVE, "scope.kind",
         "{\"request_id\":\"r\",\"scope\":{\"id\":\"ada\"},\"amount\":\"1\"}"},
        {400, RESERVE, "scope.id",
         "{\"request_id\":\"r\",\"scope\":{\"kind\":\"user\"},\"amount\":\"1\"}"},
        {400, RESERVE, "scope.organization",
         "{\"request_id\":\"r\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\"},\"amount\":\"1\"}"},
        {404, RESERVE, "scope.organization",
         "{\"request_id\":\"r\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\",\"organization\":\"x\"}"
         ",\"amount\":\"1\"}"},
        {404, RESERVE, "scope.id",
         "{\"request_id\":\"r\",\"scope\":{\"kind\":\"user\",\"id\":\"x\",\"organization\":"
         "\"acme\"},\"amount\":\"1\"}"},
        {404, RESERVE, "scope.id",
         "{\"request_id\":\"r\",\"scope\":{\"kind\":\"organization\",\"id\":\"x\"},\"amount\":"
         "\"1\"}"},
        {404, RESERVE, "scope.id",
         "{\"request_id\":\"r\",\"scope\":{\"kind\":\"api_key\",\"id\":\"key_000000000000\"},"
         "\"amount\":\"1\"}"},
        {400, RESERVE, "amount", "{\"request_id\":\"r\"," ADA "}"},
        {400, RESERVE, "amount", "{\"request_id\":\"r\"," ADA ",\"amount\":\"-0.01\"}"},
        {400, RESERVE, "amount", "{\"request_id\":\"r\"," ADA ",\"amount\":\"0.0000000001\"}"},
        {400, RESERVE, "amount", "{\"request_id\":\"r\"," ADA ",\"amount\":1e30}"},
        {400, RESERVE, "amount", "{\"request_id\":\"r\"," ADA ",\"amount\":\"1e\"}"},
        {400, RESERVE, "amount", "{\"request_id\":\"r\"," ADA ",\"amount\":{}}"},
        {400, RESERVE, "usage", "{\"request_id\":\"r\"," ADA ",\"usage\":5}"},
        {400, RESERVE, "usage", "{\"request_id\":\"r\"," ADA ",\"usage\":{}}"},
        {400, RESERVE, "usage.input_tokens",
         "{\"request_id\":\"r\"," ADA ",\"usage\":{\"input_tokens\":-1}}"},
        {400, RESERVE, "usage.input_tokens",
         "{\"request_id\":\"r\"," ADA ",\"usage\":{\"input_tokens\":1.5}}"},
        {400, RESERVE, "usage.input_tokens",
         "{\"request_id\":\"r\"," ADA ",\"usage\":{\"input_tokens\":\"5\"}}"},
        {400, RESERVE, "usage.output_tokens",
         "{\"request_id\":\"r\"," ADA ",\"usage\":{\"output_tokens\":1e300}}"},
        {400, RESERVE, "usage.words", "{\"request_id\":\"r\"," ADA ",\"usage\":{\"words\":5}}"},
        {400, RESERVE, "usage.cached_input_tokens",
         "{\"request_id\":\"r\"," ADA ",\"usage\":{\"input_tokens\":1,\"cached_input_tokens\":2}}"},
        {400, RESERVE, "usage.reasoning_tokens",
         "{\"request_id\":\"r\"," ADA ",\"usage\":{\"output_tokens\":1,\"reasoning_tokens\":2}}"},
        {400, RESERVE, "usage.cache_write_1h_tokens",
         "{\"request_id\":\"r\"," ADA ",\"usage\":{\"input_tokens\":9,\"cache_write_tokens\":1,"
         "\"cache_write_1h_tokens\":2}}"},
        {400, RESERVE, "usage.audio_input_tokens",
         "{\"request_id\":\"r\"," ADA ",\"usage\":{\"input_tokens\":9,\"cached_input_tokens\":8,"
         "\"audio_input_tokens\":2}}"},
        {400, RESERVE, "usage.audio_output_tokens",
         "{\"request_id\":\"r\"," ADA ",\"usage\":{\"output_tokens\":9,\"reasoning_tokens\":8,"
         "\"audio_output_tokens\":2}}"},
        {400, RESERVE, "usage.searches",
         "{\"request_id\":\"r\"," ADA ",\"usage\":{\"searches\":-2}}"},
        {400, RESERVE, "usage.total_tokens",
         "{\"request_id\":\"r\"," ADA ",\"usage\":{\"output_tokens\":5,\"total_tokens\":2}}"},
        {400, RESERVE, "usage.images", "{\"request_id\":\"r\"," ADA ",\"usage\":{\"images\":-2}}"},
        {400, RESERVE, "usage",
         "{\"request_id\":\"r\"," ADA ",\"usage\":{\"input_tokens\":9,\"cached_input_tokens\":1,"
         "\"cache_write_tokens\":1,\"audio_input_tokens\":1,\"image_input_tokens\":1,"
         "\"output_tokens\":9,\"reasoning_tokens\":1,\"audio_output_tokens\":1,"
         "\"image_output_tokens\":1,\"cache_write_1h_tokens\":1,\"searches\":1,\"images\":1,"
         "\"characters\":1,\"audio_seconds\":1}}"},
        {400, RESERVE, "model", "{\"request_id\":\"r\"," ADA ",\"amount\":\"1\",\"model\":\"\"}"},
        {400, RESERVE, "model",
         "{\"request_id\":\"r\"," ADA ",\"amount\":\"1\",\"model\":\"a b\"}"},
        {400, RESERVE, "ttl_seconds",
         "{\"request_id\":\"r\"," ADA ",\"amount\":\"1\",\"ttl_seconds\":0}"},
        {400, RESERVE, "ttl_seconds",
         "{\"request_id\":\"r\"," ADA ",\"amount\":\"1\",\"ttl_seconds\":86401}"},
        {400, RESERVE, "expire_time",
         "{\"request_id\":\"r\"," ADA
         ",\"amount\":\"1\",\"expire_time\":\"2026-11-21T08:00:00Z\"}"},
        {400, RESERVE, "expire_time",
         "{\"request_id\":\"r\"," ADA
         ",\"amount\":\"1\",\"expire_time\":\"2027-11-21T08:00:00Z\"}"},
        {400, RESERVE, "timestamp",
         "{\"request_id\":\"r\"," ADA ",\"amount\":\"1\",\"timestamp\":\"now\"}"},
        {400, RESERVE, "metadata",
         "{\"request_id\":\"r\"," ADA ",\"amount\":\"1\",\"metadata\":{}}"},
        {400, CHECK, "amount", "{" ADA "}"},
        {400, CHECK, "ttl_seconds", "{" ADA ",\"amount\":\"1\",\"ttl_seconds\":5}"},
        {400, DEDUCT, "reserve_id", "{\"amount\":\"1\"}"},
        {400, DEDUCT, "reserve_id", "{\"reserve_id\":5}"},
        {404, DEDUCT, "reserve_id", "{\"reserve_id\":\"17\"}"},
        {404, DEDUCT, "reserve_id", "{\"reserve_id\":\"rsv_00000000000\",\"amount\":\"1\"}"},
        {404, DEDUCT, "reserve_id", "{\"reserve_id\":\"rsv_zzzzzzzzzzz\",\"amount\":\"1\"}"},
        {404, DEDUCT, "reserve_id", "{\"reserve_id\":\"rsv_00000000009\",\"amount\":\"1\"}"},
        {404, DEDUCT, "reserve_id", "{\"reserve_id\":\"rsv_00000000009\"}"},
        {404, RELEASE, "reserve_id", "{\"reserve_id\":\"rsv_00000000009\"}"},
        {400, RELEASE, "amount", "{\"reserve_id\":\"rsv_00000000009\",\"amount\":\"1\"}"},
        {400, RECORD, "metadata",
         "{\"request_id\":\"r\"," ADA ",\"amount\":\"1\",\"metadata\":{\"a\":5}}"},
        {400, RECORD, "metadata",
         "{\"request_id\":\"r\"," ADA ",\"amount\":\"1\",\"metadata\":{\"\":\"5\"}}"},
        {400, RECORD, "metadata",
         "{\"request_id\":\"r\"," ADA ",\"amount\":\"1\",\"metadata\":[]}"},
        {400, RECORD, "status", "{\"request_id\":\"r\"," ADA ",\"amount\":\"1\",\"status\":99}"},
        {400, RECORD, "provider",
         "{\"request_id\":\"r\"," ADA ",\"amount\":\"1\",\"provider\":\"\"}"},
        {400, RECORD, "requestid", "{\"requestid\":\"r\"," ADA ",\"amount\":\"1\"}"},
    };
    make_budget(c, "b", "USD", "1.00");
    expect(c, 200, "GET", "/api/v1/budget/stats?hash=1", NULL);
    char before[65];
    snprintf(before, sizeof before, "%.64s", member(c, "state_hash"));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect(c, cases[i].status, "POST", cases[i].target, cases[i].body);
        assert_true(c->call.problem);
        if (strcmp(member(c, "field"), cases[i].field) != 0)
            print_error("%s -> %s\n", cases[i].body, member(c, ""));
        expect_member(c, "field", cases[i].field);
    }
    expect(c, 200, "GET", "/api/v1/budget/stats?hash=1", NULL);
    expect_member(c, "state_hash", before);
}

static void stats(void **state)
{
    struct api_case *c = *state;
    make_budget(c, "b", "USD", "1.00");
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"all\",\"monthly_limit\":5}");
    reserve(c, "{\"request_id\":\"r\"," ADA ",\"amount\":\"0.10\"}");
    expect(c, 200, "GET", "/api/v1/budget/stats", NULL);
    expect_member(c, "scopes", "3");
    expect_member(c, "budgets_open", "2");
    expect_member(c, "reservations_open", "1");
    expect_member(c, "reserves", "1");
    expect_member(c, "drift", "0");
    expect_member(c, "state_hash", "(none)");
    expect_member(c, "budgets", "(none)");
    expect(c, 200, "GET", "/api/v1/budget/stats?kind=user&id=ada&organization=acme", NULL);
    expect_member(c, "budgets.0.id", "b");
    expect_member(c, "budgets.0.held", "0.10");
    expect_member(c, "budgets.1.id", "all");
    expect(c, 200, "GET", "/api/v1/budget/stats?kind=organization&id=acme", NULL);
    expect_member(c, "budgets.0.id", "all");
    expect_problem(c, 400, "invalid", "kind", "GET", "/api/v1/budget/stats?kind=team&id=x", NULL);
    expect_problem(c, 400, "invalid", "id", "GET", "/api/v1/budget/stats?kind=user", NULL);
    expect_problem(c, 400, "invalid", "kind", "GET", "/api/v1/budget/stats?id=ada", NULL);
    expect_problem(c, 400, "invalid", "organization", "GET",
                   "/api/v1/budget/stats?kind=user&id=ada", NULL);
    expect_problem(c, 404, "not_found", "id", "GET",
                   "/api/v1/budget/stats?kind=user&id=x&organization=acme", NULL);
    expect_problem(c, 404, "not_found", "organization", "GET",
                   "/api/v1/budget/stats?kind=user&id=x&organization=x", NULL);
    expect_problem(c, 404, "not_found", "id", "GET", "/api/v1/budget/stats?kind=api_key&id=x",
                   NULL);
    expect_problem(c, 400, "invalid", "hash", "GET", "/api/v1/budget/stats?hash=yes", NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, api_case_setup, api_case_teardown)
    const struct CMUnitTest tests[] = {
        TEST(set_aside_and_charged),
        TEST(released),
        TEST(extended),
        TEST(a_wrong_extension_changes_nothing),
        TEST(a_refusal_says_everything),
        TEST(a_shadow_budget_refuses_nobody),
        TEST(a_check_takes_nothing),
        TEST(usage_is_priced),
        TEST(every_kind_of_usage_is_priced_or_refused),
        TEST(pieces_are_priced_or_refused),
        TEST(budgets_count_pieces),
        TEST(what_is_not_said_is_as_reserved),
        TEST(tokens_and_requests),
        TEST(an_overrun_is_charged_and_told),
        TEST(repeats),
        TEST(what_nobody_ends_returns),
        TEST(arrays),
        TEST(long_arrays),
        TEST(more_than_the_ring_holds),
        TEST(each_wrong_field_is_named),
        TEST(stats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
