/* SPDX-License-Identifier: Apache-2.0
 * Proves that what a call was made with (request id, model, provider, session, tags, content) is
 * told with its end, however it ends: committed, released, expired, charged after a crash,
 * corrected; whether it has a request id or not, is extended meanwhile, or has names without
 * numbers. Every entry goes through a second ledger as bytes, which is saved and loaded before each
 * and whose hash must stay the same. */
#include "ledger_help.h"

enum { CONTENT = 4711 };

struct call {
    const char *id;
    const char *session;
    size_t tags_len;
    uint64_t content;
};

static const struct mete_text tags[METE_TAGS_MAX] = {
    {"team red", 8}, {"x", 1}, {"c", 1}, {"d", 1}, {"e", 1}, {"f", 1}, {"g", 1}, {"h", 1},
    {"i", 1},        {"j", 1}, {"k", 1}, {"l", 1}, {"m", 1}, {"n", 1}, {"o", 1}, {"last", 4}};

static const struct call calls[] = {
    {"r1", "chat 7", 2, CONTENT}, {"", "chat 7", 2, CONTENT},
    {"", "", 1, CONTENT},         {"", "a session of some length, over chunks of words", 0, 0},
    {"", "", 0, CONTENT},         {"r1", "", 0, 0},
    {"r1", "", METE_TAGS_MAX, 1}, {"", "s", METE_TAGS_MAX, UINT64_MAX},
};
enum { CALLS = sizeof calls / sizeof calls[0] };

static uint64_t begin(struct bench *b, const struct call *call, uint32_t flags,
                      enum mete_expiry on_expiry)
{
    const struct mete_demand demands[] = {{.currency = METE_USD, .fixed = 1000},
                                          {.meter = METE_IMAGES, .fixed = 2}};
    const struct mete_reserve args = {.scope = {b->key},
                                      .request_id = text(call->id),
                                      .content = call->content,
                                      .model = text("gpt-4o"),
                                      .provider = text("openai"),
                                      .session = text(call->session),
                                      .tags = tags,
                                      .tags_len = call->tags_len,
                                      .demands = demands,
                                      .demands_len = 2,
                                      .ttl_ms = 60000,
                                      .on_expiry = on_expiry,
                                      .flags = flags};
    struct ledger_decision decision;
    int rc;
    while ((rc = ledger_decide_reserve(b->ledger, now(b), &args, b->refusals, METE_REFUSALS_MAX,
                                       &b->verdict, &decision)) == LEDGER_STALE)
        enter_due(b, &decision.due);
    assert_int_equal(rc, 0);
    assert_true(b->verdict.allowed);
    apply(b, &decision.entry);
    return b->verdict.reservation.n;
}

/* is_call: of others the content is for repeats alone. */
static void told(const struct bench *b, const struct call *call, bool is_call)
{
    const struct ledger_ended *ended = &b->effects.ended;
    char joined[256];
    size_t len = 0;
    for (size_t i = 0; i < call->tags_len; i++)
        len += (size_t)snprintf(joined + len, sizeof joined - len, "%s%.*s", i ? "\n" : "",
                                (int)tags[i].len, tags[i].data);
    assert_true(b->effects.has_ended);
    assert_true(slice_is(ended->request_id, call->id));
    assert_true(slice_is(ended->model, "gpt-4o") && slice_is(ended->provider, "openai"));
    assert_true(slice_is(ended->session, call->session));
    assert_true(slice_equal(ended->tags, (struct slice){joined, len}));
    assert_true(ended->content == (is_call ? call->content : 0));
}

static void commit_at(struct bench *b, uint64_t id, int64_t cost, uint32_t flags)
{
    const struct mete_usage usage = {.currency = METE_USD, .amount = cost};
    const struct mete_commit args = {
        .reservation = {id}, .usage = &usage, .usage_len = 1, .outcome = {.flags = flags}};
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_commit(b->ledger, now(b), &args, &b->receipt, &decision), 0);
    apply(b, &decision.entry);
}

static void extend(struct bench *b, uint64_t id)
{
    const struct mete_demand demands[] = {{.currency = METE_USD, .fixed = 100},
                                          {.meter = METE_IMAGES, .fixed = 1}};
    const struct mete_extend args = {.reservation = {id}, .demands = demands, .demands_len = 2};
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_extend(b->ledger, now(b), &args, b->refusals, METE_REFUSALS_MAX,
                                          &b->verdict, &decision),
                     0);
    assert_true(b->verdict.allowed);
    apply(b, &decision.entry);
}

static void expire(struct bench *b)
{
    struct entry entry;
    b->now_us += INT64_C(60000000);
    assert_true(ledger_decide_expiry(b->ledger, now(b), &entry));
    apply(b, &entry);
}

/* A budget on the way, and a quota, which an extension writes anew with what is behind it. */
static int set_up(void **state)
{
    if (setup(state))
        return 1;
    struct bench *b = *state;
    uint32_t handle = 0;
    put_budget(b, b->org, "top", METE_AMOUNT_MAX, METE_TOTAL);
    const struct mete_change grant = {
        .kind = METE_PUT_GRANT,
        .grant = {.id = text("g"), .scope = {b->user}, .meter = METE_IMAGES, .amount = 1000000}};
    return put(b, &grant, &handle);
}

static void give_back(struct bench *b, uint64_t id)
{
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_release(b->ledger, now(b), (struct mete_reservation_id){id},
                                           &b->receipt, &decision),
                     0);
    apply(b, &decision.entry);
}

static void the_end_tells_what_it_was_made_with(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < CALLS; i++) {
        give_back(b, begin(b, &calls[i], METE_RESERVE_CALL, METE_EXPIRY_RELEASE));
        told(b, &calls[i], true);
        struct call plain = calls[i];
        plain.id = "";
        uint64_t id = begin(b, &plain, 0, METE_EXPIRY_RELEASE);
        extend(b, id);
        commit_at(b, id, 5, 0);
        told(b, &plain, false);
        begin(b, &plain, 0, METE_EXPIRY_RELEASE);
        expire(b);
        told(b, &plain, false);
    }
}

static void so_does_the_worst_case_of_a_crash(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < CALLS; i++) {
        struct entry entry;
        uint64_t id = begin(b, &calls[i], METE_RESERVE_CALL, METE_EXPIRY_RELEASE);
        ledger_decide_orphan(b->ledger, now(b), id, &entry);
        apply(b, &entry);
        told(b, &calls[i], true);
        assert_int_equal(b->effects.ended.state, METE_EXPIRED);
        commit_at(b, id, 0, 0); /* nothing after all: the id is free again */
        told(b, &calls[i], true);
        assert_true(b->effects.ended.corrects > 0);
    }
}

static void so_does_a_correction(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < CALLS; i++) {
        struct call plain = calls[i];
        plain.id = "";
        uint64_t id = begin(b, &plain, 0, METE_EXPIRY_CHARGE);
        extend(b, id);
        commit_at(b, id, 9, METE_OUTCOME_PROVISIONAL);
        told(b, &plain, false);
        commit_at(b, id, 5, 0);
        told(b, &plain, false);
        id = begin(b, &plain, 0, METE_EXPIRY_CHARGE);
        expire(b);
        told(b, &plain, false);
        commit_at(b, id, 5, 0);
        told(b, &plain, false);
    }
}

static void so_does_what_was_only_recorded(void **state)
{
    struct bench *b = *state;
    const struct mete_usage usage = {.currency = METE_USD, .amount = 3};
    const struct mete_record args = {.scope = {b->key},
                                     .request_id = text("late"),
                                     .content = CONTENT,
                                     .model = text("gpt-4o"),
                                     .provider = text("openai"),
                                     .session = text("chat 7"),
                                     .tags = tags,
                                     .tags_len = 2,
                                     .usage = &usage,
                                     .usage_len = 1};
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_record(b->ledger, now(b), &args, &b->receipt, &decision), 0);
    apply(b, &decision.entry);
    told(b, &(struct call){"late", "chat 7", 2, CONTENT}, false);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_end_tells_what_it_was_made_with),
        TEST(so_does_the_worst_case_of_a_crash),
        TEST(so_does_a_correction),
        TEST(so_does_what_was_only_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
