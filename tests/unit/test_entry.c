/* SPDX-License-Identifier: Apache-2.0
 * Proves that every kind of entry reads back as it was written, that no cut-off or out-of-range
 * entry is taken for one, that the common ones are small, and that the bytes are those of
 * docs/journal-format.md: a golden journal, written by hand, applies to its end. */
#include "base/details.h"
#include "ledger/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define T0 INT64_C(1700000000000000)

static struct slice text(const char *terminated)
{
    return slice_of(terminated);
}

static struct mete_text mete_text(const char *terminated)
{
    return (struct mete_text){terminated, strlen(terminated)};
}

static uint8_t room[65536];

static size_t write(const struct entry *entry)
{
    size_t max = entry_size_max(entry);
    assert_true(max <= sizeof room);
    struct writer w = {room, room + max};
    entry_write(&w, entry, T0 - 1000);
    return (size_t)(w.at - room);
}

/* Reads what was written; every shorter piece of it is no entry. */
static struct entry back(const struct entry *entry)
{
    size_t len = write(entry);
    struct entry read;
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *part = malloc(cut ? cut : 1);
        assert_non_null(part);
        memcpy(part, room, cut);
        struct reader r = {part, part + cut, false};
        assert_int_equal(entry_read(&r, T0 - 1000, &read), METE_E_CORRUPT);
        free(part);
    }
    struct reader r = {room, room + len, false};
    assert_int_equal(entry_read(&r, T0 - 1000, &read), 0);
    assert_ptr_equal(r.at, r.end);
    assert_true(read.kind == entry->kind && read.at_us == entry->at_us);
    return read;
}

static struct entry_outcome outcome(void)
{
    return (struct entry_outcome){.ending = METE_ENDED_CUT,
                                  .flags = METE_OUTCOME_COUNTED,
                                  .status = 200,
                                  .attempts = 2,
                                  .latency_ms = 1234,
                                  .first_token_ms = 99,
                                  .price_list = {7, text("2026-07-24")},
                                  .note = text("{\"a\":1}")};
}

static void same_outcome(const struct entry_outcome *got)
{
    const struct entry_outcome want = outcome();
    assert_true(got->ending == want.ending && got->flags == want.flags);
    assert_true(got->status == want.status && got->attempts == want.attempts);
    assert_true(got->latency_ms == want.latency_ms && got->first_token_ms == want.first_token_ms);
    assert_true(got->price_list.n == 7 && slice_equal(got->price_list.text, want.price_list.text));
    assert_true(slice_equal(got->note, want.note));
}

static struct entry new_entry(enum entry_kind kind)
{
    return (struct entry){.kind = kind, .at_us = T0};
}

static void administration_reads_back(void **state)
{
    (void)state;
    struct entry entry = new_entry(ENTRY_SCOPE);
    entry.u.scope.handle = 9;
    entry.u.scope.spec = (struct mete_scope_spec){METE_API_KEY, mete_text("k1"), {1}, {4}, {T0}, 1};
    entry.u.scope.document = text("{\"name\":\"x\"}");
    entry.u.scope.actor = text("root");
    struct entry read = back(&entry);
    assert_true(read.u.scope.handle == 9 && read.u.scope.spec.kind == METE_API_KEY);
    assert_true(read.u.scope.spec.organization.n == 1 && read.u.scope.spec.parent.n == 4);
    assert_true(read.u.scope.spec.expires_at.us == T0 && read.u.scope.spec.revoked == 1);
    assert_true(slice_equal(read.u.scope.document, entry.u.scope.document));
    assert_true(slice_is(read.u.scope.actor, "root"));

    entry = new_entry(ENTRY_BUDGET);
    entry.u.budget.handle = 3;
    entry.u.budget.spec = (struct mete_budget_spec){.id = mete_text("daily"),
                                                    .scope = {2},
                                                    .meter = METE_COST,
                                                    .currency = METE_USD,
                                                    .limit = METE_AMOUNT_MAX,
                                                    .period = METE_DAILY,
                                                    .mode = METE_SHADOW,
                                                    .thresholds_ppm = {1, 999999, 1000000},
                                                    .thresholds_len = 3};
    entry.u.budget.window_start_us = INT64_C(1699920000000000);
    entry.u.budget.window_end_us = INT64_C(1700006400000000);
    read = back(&entry);
    assert_true(read.u.budget.spec.limit == METE_AMOUNT_MAX && read.u.budget.handle == 3);
    assert_true(read.u.budget.spec.mode == METE_SHADOW && read.u.budget.spec.period == METE_DAILY);
    assert_true(read.u.budget.spec.thresholds_len == 3);
    assert_true(read.u.budget.spec.thresholds_ppm[1] == 999999);
    assert_true(read.u.budget.window_start_us == entry.u.budget.window_start_us);
    assert_true(read.u.budget.window_end_us == entry.u.budget.window_end_us);

    entry = new_entry(ENTRY_WINDOW);
    entry.u.window.budget = 3;
    entry.u.window.end_us = INT64_MAX;
    read = back(&entry);
    assert_true(read.u.window.start_us == 0 && read.u.window.end_us == INT64_MAX);

    entry = new_entry(ENTRY_BUDGET_END);
    entry.u.budget_end.handle = 77;
    assert_int_equal(back(&entry).u.budget_end.handle, 77);

    entry = new_entry(ENTRY_GENESIS);
    entry.u.genesis.format = ENTRY_FORMAT;
    memcpy(entry.u.genesis.installation, "0123456789abcdef", 16);
    read = back(&entry);
    assert_memory_equal(read.u.genesis.installation, "0123456789abcdef", 16);
}

static void what_a_budget_may_also_have_reads_back(void **state)
{
    (void)state;
    struct entry entry = new_entry(ENTRY_BUDGET);
    entry.u.budget.handle = 3;
    entry.u.budget.spec = (struct mete_budget_spec){
        .id = mete_text("b"),
        .scope = {2},
        .for_kind = METE_USER,
        .meter = METE_OUTPUT,
        .limit = 7,
        .period = METE_ROLLING,
        .time_zone = mete_text("Europe/Berlin"),
        .anchor = 5,
        .window_seconds = 60,
        .matches = {{METE_MATCH_MODEL, mete_text("gpt-*")}, {METE_MATCH_TAG, mete_text("a b")}},
        .matches_len = 2,
        .mode = METE_OFF,
        .soft_limit = 6,
        .rollover_cap = METE_AMOUNT_MAX,
        .controls = {850000, 500000, 950000, 900000, 300, 3600},
        .ends_at = {T0}};
    entry.u.budget.window_end_us = 937500;
    struct entry read = back(&entry);
    const struct mete_budget_spec *spec = &read.u.budget.spec;
    assert_true(spec->for_kind == METE_USER && spec->anchor == 5 && spec->window_seconds == 60);
    assert_memory_equal(spec->time_zone.data, "Europe/Berlin", 13);
    assert_int_equal(spec->matches_len, 2);
    assert_int_equal(spec->matches[1].kind, METE_MATCH_TAG);
    assert_memory_equal(spec->matches[1].pattern.data, "a b", 3);
    assert_true(spec->mode == METE_OFF && spec->soft_limit == 6);
    assert_true(spec->rollover_cap == METE_AMOUNT_MAX);
    assert_memory_equal(&spec->controls, &entry.u.budget.spec.controls, sizeof spec->controls);
    assert_true(spec->starts_at.us == 0 && spec->ends_at.us == T0);
}

static void what_follows_a_budget_reads_back(void **state)
{
    (void)state;
    struct entry entry = new_entry(ENTRY_INCREASE);
    entry.u.increase.number = 2;
    entry.u.increase.spec =
        (struct mete_increase_spec){{9}, METE_AMOUNT_MAX, {T0}, {ENTRY_INSTANT_MAX_US}};
    struct entry read = back(&entry);
    assert_true(read.u.increase.number == 2 && read.u.increase.spec.budget.n == 9);
    assert_true(read.u.increase.spec.from.us == T0);
    assert_true(read.u.increase.spec.until.us == ENTRY_INSTANT_MAX_US);

    entry = new_entry(ENTRY_INCREASE_END);
    entry.u.increase_end.budget = 9;
    entry.u.increase_end.number = 2;
    assert_int_equal(back(&entry).u.increase_end.number, 2);
    entry = new_entry(ENTRY_LIMIT);
    entry.u.limit.budget = 8;
    assert_int_equal(back(&entry).u.limit.budget, 8);
    entry = new_entry(ENTRY_LIFT);
    entry.u.lift.budget = 8;
    entry.u.lift.actor = text("ada");
    assert_true(slice_is(back(&entry).u.lift.actor, "ada"));

    entry = new_entry(ENTRY_DEFAULT);
    entry.u.by_default.handle = 5;
    entry.u.by_default.made_from = 4;
    entry.u.by_default.scope = 3;
    entry.u.by_default.window_end_us = INT64_MAX;
    read = back(&entry);
    assert_true(read.u.by_default.handle == 5 && read.u.by_default.made_from == 4);
    assert_true(read.u.by_default.scope == 3 && read.u.by_default.window_end_us == INT64_MAX);
}

static void moves_rates_of_exchange_and_meters_read_back(void **state)
{
    (void)state;
    struct entry entry = new_entry(ENTRY_SCOPE_MOVE);
    entry.u.scope_move.scope = 4;
    entry.u.scope_move.parent = 2;
    assert_int_equal(back(&entry).u.scope_move.parent, 2);
    entry = new_entry(ENTRY_SCOPE_END);
    entry.u.scope_end.scope = 4;
    assert_int_equal(back(&entry).u.scope_end.scope, 4);
    entry = new_entry(ENTRY_EXCHANGE);
    entry.u.exchange.spec = (struct mete_exchange_spec){
        METE_CURRENCY('E', 'U', 'R'), METE_USD, 1, ENTRY_RATIO_MAX, {T0}};
    assert_true(back(&entry).u.exchange.spec.denominator == ENTRY_RATIO_MAX);
    entry = new_entry(ENTRY_METER);
    entry.u.meter.number = METE_METER_CUSTOM;
    entry.u.meter.name = text("gpu-seconds");
    assert_true(slice_is(back(&entry).u.meter.name, "gpu-seconds"));
}

static void documents_read_back(void **state)
{
    (void)state;
    struct entry entry = new_entry(ENTRY_DOCUMENT);
    entry.u.document.kind = METE_DOCUMENT_KINDS;
    entry.u.document.organization = 3;
    entry.u.document.id = text("plan-1");
    entry.u.document.document = text("{\"tokens\":1}");
    struct entry read = back(&entry);
    assert_int_equal(read.u.document.kind, METE_DOCUMENT_KINDS);
    assert_int_equal(read.u.document.organization, 3);
    assert_true(slice_is(read.u.document.id, "plan-1"));
    assert_true(slice_is(read.u.document.document, "{\"tokens\":1}"));
    entry.kind = ENTRY_DOCUMENT_END;
    entry.u.document.document = text("");
    assert_true(slice_is(back(&entry).u.document.id, "plan-1"));
}

static void a_rate_limit_reads_back(void **state)
{
    (void)state;
    struct entry entry = new_entry(ENTRY_RATE);
    entry.u.rate.handle = 3;
    entry.u.rate.spec = (struct mete_rate_spec){.id = mete_text("rpm"),
                                                .scope = {2},
                                                .meter = METE_COST,
                                                .currency = METE_USD,
                                                .limit = 60,
                                                .period_ms = 60000,
                                                .burst = 7,
                                                .mode = METE_SHADOW,
                                                .matches = {{METE_MATCH_MODEL, mete_text("m*")}},
                                                .matches_len = 1};
    entry.u.rate.document = text("{}");
    struct mete_rate_spec spec = back(&entry).u.rate.spec;
    assert_true(spec.limit == 60 && spec.period_ms == 60000 && spec.burst == 7);
    assert_true(spec.currency == METE_USD && spec.mode == METE_SHADOW && spec.concurrent == 0);
    assert_int_equal(spec.matches_len, 1);
    assert_int_equal(spec.matches[0].kind, METE_MATCH_MODEL);

    entry.u.rate.spec.concurrent = 1; /* has neither meter nor period nor burst */
    entry.u.rate.spec.matches_len = 0;
    spec = back(&entry).u.rate.spec;
    assert_true(spec.concurrent == 1 && spec.limit == 60 && spec.mode == METE_SHADOW);
    assert_true(spec.period_ms == 0 && spec.burst == 0 && spec.matches_len == 0);

    entry = new_entry(ENTRY_RATE_END);
    entry.u.rate_end.handle = 3;
    entry.u.rate_end.actor = text("ada");
    assert_true(slice_is(back(&entry).u.rate_end.actor, "ada"));
}

static void changes_of_a_reservation_read_back(void **state)
{
    (void)state;
    struct entry entry = new_entry(ENTRY_EXTEND);
    entry.u.extend.reservation = UINT64_C(7) << 36 | 8;
    entry.u.extend.shrinks = true;
    entry.u.extend.granted = INT64_MAX;
    entry.u.extend.expires_at_us = T0;
    entry.u.extend.amounts_len = 1;
    entry.u.extend.amounts[0] = (struct entry_amount){METE_COST, METE_USD, 5};
    struct entry read = back(&entry);
    assert_true(read.u.extend.shrinks && read.u.extend.granted == INT64_MAX);
    assert_true(read.u.extend.expires_at_us == T0 && read.u.extend.amounts[0].amount == 5);

    entry = new_entry(ENTRY_CORRECT);
    entry.u.correct.reservation = UINT64_C(7) << 36 | 8;
    entry.u.correct.outcome = outcome();
    read = back(&entry);
    assert_true(read.u.correct.amounts_len == 0);
    same_outcome(&read.u.correct.outcome);
    entry = new_entry(ENTRY_BASE);
    entry.u.base.seq = 4711;
    memset(entry.u.base.hash, 0xa5, sizeof entry.u.base.hash);
    assert_int_equal(back(&entry).u.base.seq, 4711);
    assert_memory_equal(back(&entry).u.base.hash, entry.u.base.hash, sizeof entry.u.base.hash);
    assert_false(back(&entry).u.base.has_audit);
    entry.u.base.has_audit = true;
    memset(entry.u.base.audit, 0x5a, sizeof entry.u.base.audit);
    assert_int_equal(back(&entry).u.base.seq, 4711);
    assert_memory_equal(back(&entry).u.base.hash, entry.u.base.hash, sizeof entry.u.base.hash);
    assert_memory_equal(back(&entry).u.base.audit, entry.u.base.audit, sizeof entry.u.base.audit);
}

static void quotas_read_back(void **state)
{
    (void)state;
    struct entry entry = new_entry(ENTRY_GRANT);
    entry.u.grant.handle = 4;
    entry.u.grant.spec = (struct mete_grant_spec){.id = mete_text("order-1"),
                                                  .scope = {9},
                                                  .meter = METE_COST,
                                                  .currency = METE_USD,
                                                  .amount = METE_AMOUNT_MAX,
                                                  .priority = UINT32_MAX,
                                                  .expires_at = {T0},
                                                  .source = mete_text("purchase")};
    entry.u.grant.document = text("{\"description\":\"x\"}");
    entry.u.grant.actor = text("root");
    struct entry read = back(&entry);
    assert_true(read.u.grant.handle == 4 && read.u.grant.spec.scope.n == 9);
    assert_true(read.u.grant.spec.currency == METE_USD && read.u.grant.spec.meter == METE_COST);
    assert_true(read.u.grant.spec.amount == METE_AMOUNT_MAX);
    assert_true(read.u.grant.spec.priority == UINT32_MAX && read.u.grant.spec.expires_at.us == T0);
    assert_true(read.u.grant.spec.source.len == 8 && read.u.grant.spec.id.len == 7);
    assert_true(slice_is(read.u.grant.actor, "root"));
    assert_true(slice_equal(read.u.grant.document, entry.u.grant.document));
    entry = new_entry(ENTRY_REFUND);
    entry.u.refund.grant = 4;
    entry.u.refund.amount = INT64_MAX;
    read = back(&entry);
    assert_true(read.u.refund.grant == 4 && read.u.refund.amount == INT64_MAX);
    entry = new_entry(ENTRY_QUOTA_END);
    entry.u.quota_end.scope = 9;
    entry.u.quota_end.meter = METE_METER_CUSTOM;
    entry.u.quota_end.actor = text("root");
    read = back(&entry);
    assert_true(read.u.quota_end.scope == 9 && read.u.quota_end.meter == METE_METER_CUSTOM);
    assert_true(slice_is(read.u.quota_end.actor, "root"));
}

static struct entry plain_reserve(void)
{
    struct entry entry = new_entry(ENTRY_RESERVE);
    entry.u.reserve.reservation = UINT64_C(123456) << 36 | 987654321;
    entry.u.reserve.scope = 1000000;
    entry.u.reserve.request_id = text("7f9c24e8-3b2a-4c1d-9e5f-0a1b2c3d4e5f");
    entry.u.reserve.content = UINT64_MAX;
    entry.u.reserve.model.n = 12;
    entry.u.reserve.provider.n = 13;
    entry.u.reserve.flags = METE_RESERVE_CALL;
    entry.u.reserve.on_expiry = METE_EXPIRY_CHARGE;
    entry.u.reserve.granted = 4096;
    entry.u.reserve.expires_at_us = T0 + INT64_C(600000) * 1000;
    entry.u.reserve.amounts_len = 3;
    entry.u.reserve.amounts[0] = (struct entry_amount){METE_COST, METE_USD, 123456789};
    entry.u.reserve.amounts[1] = (struct entry_amount){METE_TOTAL_TOKENS, 0, 123456};
    entry.u.reserve.amounts[2] = (struct entry_amount){METE_REQUESTS, 0, 1};
    return entry;
}

static void a_plain_reserve_and_commit_are_under_128_bytes(void **state)
{
    (void)state;
    struct entry entry = plain_reserve();
    assert_true(write(&entry) < 128);
    struct entry read = back(&entry);
    assert_true(read.u.reserve.reservation == entry.u.reserve.reservation);
    assert_true(slice_equal(read.u.reserve.request_id, entry.u.reserve.request_id));
    assert_true(read.u.reserve.content == UINT64_MAX && read.u.reserve.granted == 4096);
    assert_true(read.u.reserve.flags == METE_RESERVE_CALL);
    assert_true(read.u.reserve.on_expiry == METE_EXPIRY_CHARGE);
    assert_true(read.u.reserve.expires_at_us == entry.u.reserve.expires_at_us);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(read.u.reserve.amounts[i].meter, entry.u.reserve.amounts[i].meter);
        assert_int_equal(read.u.reserve.amounts[i].currency, entry.u.reserve.amounts[i].currency);
        assert_true(read.u.reserve.amounts[i].amount == entry.u.reserve.amounts[i].amount);
    }

    assert_true(read.u.reserve.session.len == 0 && read.u.reserve.tags.len == 0);

    struct entry end = new_entry(ENTRY_COMMIT);
    end.u.commit.reservation = entry.u.reserve.reservation;
    end.u.commit.amounts_len = 3;
    memcpy(end.u.commit.amounts, entry.u.reserve.amounts, sizeof end.u.commit.amounts);
    end.u.commit.outcome = outcome();
    read = back(&end);
    same_outcome(&read.u.commit.outcome);
    end.u.commit.outcome.price_list.text = (struct slice){0};
    end.u.commit.outcome.note = (struct slice){0};
    assert_true(write(&end) < 64);
}

static void sessions_and_tags_read_back(void **state)
{
    (void)state;
    struct entry entry = plain_reserve();
    entry.u.reserve.session = text("chat 7");
    entry.u.reserve.tags = (struct entry_tags){2, {text("team:red"), text("x")}};
    struct entry read = back(&entry);
    assert_true(slice_is(read.u.reserve.session, "chat 7"));
    assert_int_equal(read.u.reserve.tags.len, 2);
    assert_true(slice_is(read.u.reserve.tags.texts[0], "team:red"));
    assert_true(slice_is(read.u.reserve.tags.texts[1], "x"));
    assert_int_equal(read.u.reserve.amounts_len, 3);

    entry = new_entry(ENTRY_RECORD);
    entry.u.record.scope = 4;
    entry.u.record.amounts_len = 1;
    entry.u.record.amounts[0] = (struct entry_amount){METE_REQUESTS, 0, 1};
    entry.u.record.outcome = outcome();
    for (size_t i = 0; i < METE_TAGS_MAX; i++)
        entry.u.record.tags.texts[entry.u.record.tags.len++] = text("many");
    read = back(&entry);
    assert_true(read.u.record.session.len == 0);
    assert_int_equal(read.u.record.tags.len, METE_TAGS_MAX);
    same_outcome(&read.u.record.outcome);
    entry.u.record.tags.len = 0;
    entry.u.record.session = text("s");
    read = back(&entry);
    assert_true(slice_is(read.u.record.session, "s") && read.u.record.tags.len == 0);
    same_outcome(&read.u.record.outcome);
}

static void details_and_the_content_of_a_call_without_an_id_read_back(void **state)
{
    (void)state;
    struct entry entry = plain_reserve();
    entry.u.reserve.request_id = (struct slice){0};
    size_t with = write(&entry);
    struct entry read = back(&entry);
    assert_true(read.u.reserve.request_id.len == 0 && read.u.reserve.content == UINT64_MAX);
    entry.u.reserve.content = 0;
    assert_int_equal(write(&entry), with - 8); /* what is not known takes no room */
    assert_true(back(&entry).u.reserve.content == 0);

    const struct mete_part parts[] = {{METE_INPUT, 3}, {METE_OUTPUT, 4}};
    const struct mete_details details = {
        .upstream_id = mete_text("chatcmpl-9"), .parts = parts, .parts_len = 2};
    uint8_t packed[DETAILS_MAX];
    struct entry end = new_entry(ENTRY_COMMIT);
    end.u.commit.reservation = UINT64_MAX;
    end.u.commit.outcome = outcome();
    end.u.commit.outcome.details =
        (struct slice){(const char *)packed, details_write(&details, packed)};
    read = back(&end);
    same_outcome(&read.u.commit.outcome);
    assert_true(slice_equal(read.u.commit.outcome.details, end.u.commit.outcome.details));
    packed[0] = 64; /* a bit that nobody knows */
    size_t len = write(&end);
    struct reader r = {room, room + len, false};
    assert_int_equal(entry_read(&r, T0 - 1000, &read), METE_E_CORRUPT);
}

static void other_ends_read_back(void **state)
{
    (void)state;
    struct entry entry = new_entry(ENTRY_EXPIRE);
    entry.u.end.reservation = UINT64_MAX;
    assert_true(back(&entry).u.end.reservation == UINT64_MAX);

    entry = new_entry(ENTRY_RECORD);
    entry.u.record.scope = 4;
    entry.u.record.model = (struct entry_name){ENTRY_NAME_WHOLE, text("a model nobody numbered")};
    entry.u.record.amounts_len = 1;
    entry.u.record.amounts[0] = (struct entry_amount){METE_METER_CUSTOM + 5, 0, METE_AMOUNT_MAX};
    entry.u.record.outcome = outcome();
    struct entry read = back(&entry);
    same_outcome(&read.u.record.outcome);
    assert_true(slice_is(read.u.record.model.text, "a model nobody numbered"));
    assert_true(read.u.record.amounts[0].amount == METE_AMOUNT_MAX);

    entry = new_entry(ENTRY_REFUSE);
    entry.u.refuse.scope = 4;
    entry.u.refuse.request_id = text("r-1");
    entry.u.refuse.content = 1;
    entry.u.refuse.retry_at_us = INT64_MAX;
    entry.u.refuse.primary = (struct mete_refusal){.reason = METE_HARD_LIMIT,
                                                   .scope = {1},
                                                   .budget = {2},
                                                   .limit = 10,
                                                   .committed = 9,
                                                   .held = 1,
                                                   .asked = 5,
                                                   .currency = METE_USD,
                                                   .resets_at = {INT64_MAX}};
    read = back(&entry);
    assert_true(read.u.refuse.retry_at_us == INT64_MAX);
    const struct mete_refusal *primary = &read.u.refuse.primary;
    assert_true(primary->reason == METE_HARD_LIMIT && primary->scope.n == 1);
    assert_true(primary->budget.n == 2 && primary->meter == 0 && primary->currency == METE_USD);
    assert_true(primary->limit == 10 && primary->committed == 9 && primary->held == 1);
    assert_true(primary->asked == 5 && primary->resets_at.us == INT64_MAX);
    assert_true(primary->rate.n == 0);
    entry.u.refuse.primary.reason = METE_CONCURRENCY;
    entry.u.refuse.primary.rate.n = 77;
    assert_int_equal(back(&entry).u.refuse.primary.rate.n, 77);
}

/* Whether the reader takes what these fields write. */
static int reads(const struct entry *entry)
{
    size_t len = write(entry);
    struct reader r = {room, room + len, false};
    struct entry read;
    return entry_read(&r, T0 - 1000, &read);
}

static void what_is_out_of_range_is_no_entry(void **state)
{
    (void)state;
    struct entry entry = plain_reserve();
    entry.u.reserve.amounts[1].amount = -1;
    assert_int_equal(reads(&entry), METE_E_CORRUPT);
    entry = plain_reserve();
    entry.u.reserve.amounts[0].amount = METE_AMOUNT_MAX + 1;
    assert_int_equal(reads(&entry), METE_E_CORRUPT);
    entry = plain_reserve();
    entry.u.reserve.amounts[0].currency = 1;
    assert_int_equal(reads(&entry), METE_E_CORRUPT);
    entry = plain_reserve();
    entry.u.reserve.amounts[2] = entry.u.reserve.amounts[1]; /* one unit twice */
    assert_int_equal(reads(&entry), METE_E_CORRUPT);
    entry = plain_reserve();
    entry.u.reserve.request_id = text("with space in it");
    assert_int_equal(reads(&entry), METE_E_CORRUPT);
    entry = plain_reserve();
    entry.u.reserve.expires_at_us = T0 + (LIMIT_HOLD_MS + 1) * INT64_C(1000);
    assert_int_equal(reads(&entry), METE_E_CORRUPT);
    entry = plain_reserve();
    entry.u.reserve.scope = 0;
    assert_int_equal(reads(&entry), METE_E_CORRUPT);
    entry = plain_reserve();
    entry.at_us = T0 - 1001 - T0; /* before 1970 */
    assert_int_equal(reads(&entry), METE_E_CORRUPT);
    entry = plain_reserve();
    entry.u.reserve.tags = (struct entry_tags){1, {{0}}}; /* an empty tag */
    assert_int_equal(reads(&entry), METE_E_CORRUPT);
    entry = new_entry(ENTRY_RATE);
    entry.u.rate.handle = 1;
    entry.u.rate.spec = (struct mete_rate_spec){.id = mete_text("r"),
                                                .scope = {2},
                                                .meter = METE_REQUESTS,
                                                .limit = ENTRY_DEBT_MAX / 60000000,
                                                .period_ms = 60000};
    assert_int_equal(reads(&entry), 0);
    entry.u.rate.spec.burst = ENTRY_DEBT_MAX / 60000000 + 1; /* debt could not be counted */
    assert_int_equal(reads(&entry), METE_E_CORRUPT);
}

static void a_kind_of_a_newer_version_says_so(void **state)
{
    (void)state;
    const uint8_t bytes[] = {ENTRY_KINDS, 0, 0, 0};
    struct reader r = {bytes, bytes + sizeof bytes, false};
    struct entry read;
    assert_int_equal(entry_read(&r, 0, &read), METE_E_FORMAT);
}

/* Windows on whole seconds are written in them; any other keeps its microseconds. */
static void a_window_comes_back_to_the_microsecond(void **state)
{
    (void)state;
    static const int64_t bounds[][2] = {{0, INT64_MAX},
                                        {0, 1},
                                        {0, ENTRY_SECOND_US},
                                        {1, ENTRY_SECOND_US},
                                        {ENTRY_SECOND_US, ENTRY_SECOND_US + 937500},
                                        {INT64_C(1699920000000001), INT64_C(1700006400000001)},
                                        {ENTRY_SECOND_US, ENTRY_INSTANT_MAX_US},
                                        {ENTRY_INSTANT_MAX_US - 1, ENTRY_INSTANT_MAX_US}};
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        struct entry entry = new_entry(ENTRY_WINDOW);
        entry.u.window.budget = 3;
        entry.u.window.start_us = bounds[i][0];
        entry.u.window.end_us = bounds[i][1];
        struct entry read = back(&entry);
        assert_true(read.u.window.start_us == bounds[i][0]);
        assert_true(read.u.window.end_us == bounds[i][1]);
        assert_true(read.u.window.idle == 0);
        entry.u.window.idle = i + 1;
        read = back(&entry);
        assert_true(read.u.window.budget == 3 && read.u.window.start_us == bounds[i][0]);
        assert_true(read.u.window.idle == i + 1);
    }
    assert_false(entry_is_window(5, 5));
    assert_false(entry_is_window(-1, 5));
    assert_false(entry_is_window(1, INT64_MAX));
}

/* fuzz/corpus/fuzz_entry/life: genesis, organization, key, budget, reserve, commit, record, the
 * next day's window, the budget's end. */
static void the_golden_journal_still_applies(void **state)
{
    (void)state;
    FILE *file = fopen("fuzz/corpus/fuzz_entry/life", "rb");
    assert_non_null(file);
    size_t len = fread(room, 1, sizeof room, file);
    fclose(file);
    struct ledger *ledger;
    const struct ledger_room small = {8, 8, 8, 8};
    assert_int_equal(ledger_open(&small, &ledger), 0);
    struct reader r = {room, room + len, false};
    int64_t last_at_us = 0;
    while (r.at < r.end) {
        struct entry entry;
        assert_int_equal(entry_read(&r, last_at_us, &entry), 0);
        entry.seq = ledger_last_seq(ledger) + 1;
        assert_int_equal(ledger_apply(ledger, &entry, NULL), 0);
        last_at_us = entry.at_us;
        if (entry.seq == 7) { /* committed 0.0006, recorded nothing in dollars */
            struct mete_budget_view view;
            assert_int_equal(ledger_budget(ledger, 1, &view), 0);
            assert_true(view.committed == 600000 && view.held == 0 && view.fired == 1);
        }
    }
    assert_int_equal(ledger_last_seq(ledger), 9);
    ledger_check(ledger);
    ledger_close(ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(administration_reads_back),
        cmocka_unit_test(what_a_budget_may_also_have_reads_back),
        cmocka_unit_test(what_follows_a_budget_reads_back),
        cmocka_unit_test(moves_rates_of_exchange_and_meters_read_back),
        cmocka_unit_test(documents_read_back),
        cmocka_unit_test(a_rate_limit_reads_back),
        cmocka_unit_test(changes_of_a_reservation_read_back),
        cmocka_unit_test(quotas_read_back),
        cmocka_unit_test(a_plain_reserve_and_commit_are_under_128_bytes),
        cmocka_unit_test(sessions_and_tags_read_back),
        cmocka_unit_test(details_and_the_content_of_a_call_without_an_id_read_back),
        cmocka_unit_test(other_ends_read_back),
        cmocka_unit_test(what_is_out_of_range_is_no_entry),
        cmocka_unit_test(a_kind_of_a_newer_version_says_so),
        cmocka_unit_test(a_window_comes_back_to_the_microsecond),
        cmocka_unit_test(the_golden_journal_still_applies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
