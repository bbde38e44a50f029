/* SPDX-License-Identifier: Apache-2.0
 * Proves what happens where something is used up: a decision says FULL, an entry that a journal
 * brings all the same is CORRUPT, and what can go on without goes on; and that among many things of
 * the same id, and many ids in few buckets, each is found and no other. */
#include "unit/ledger_world.h"

static struct ledger *open_room(uint32_t scopes, uint32_t budgets)
{
    const struct ledger_room room = {scopes, budgets, 16, 16};
    struct ledger *ledger;
    assert_int_equal(ledger_open(&room, &ledger), 0);
    return ledger;
}

static int change_at(struct ledger *ledger, const struct mete_change *change, uint32_t *ret_handle)
{
    static struct ledger_effects effects;
    struct ledger_decision decision;
    int rc = ledger_decide_change(ledger, (struct mete_instant){T0}, change, SLICE_LITERAL("ada"),
                                  ret_handle, &decision);
    if (rc)
        return rc;
    if (decision.entry.kind == ENTRY_BUDGET)
        decision.entry.u.budget.window_end_us = INT64_MAX;
    assert_int_equal(ledger_apply(ledger, &decision.entry, &effects), 0);
    return 0;
}

static uint32_t scope_at(struct ledger *ledger, enum mete_kind kind, const char *id,
                         uint32_t organization)
{
    const struct mete_change change = {.kind = METE_PUT_SCOPE,
                                       .scope = {.kind = kind,
                                                 .id = text(id),
                                                 .organization = {organization},
                                                 .parent = {organization}}};
    uint32_t handle;
    assert_int_equal(change_at(ledger, &change, &handle), 0);
    return handle;
}

/* What a batch is told, and what a journal's entry. */
static int asked(struct ledger *ledger, const struct mete_change *change)
{
    const struct mete_apply args = {change, 1, text("ada")};
    struct ledger_batch batch;
    uint32_t handle;
    return ledger_check_changes(ledger, (struct mete_instant){T0}, &args, &handle, &batch);
}

static int applied(struct ledger *ledger, struct entry *entry)
{
    static struct ledger_effects effects;
    entry->seq = ledger_last_seq(ledger) + 1;
    entry->at_us = T0;
    return ledger_apply(ledger, entry, &effects);
}

static struct entry budget_of(const struct ledger *ledger, const struct mete_change *change)
{
    struct entry entry = {.kind = ENTRY_BUDGET};
    entry.u.budget.handle = ledger_budgets(ledger) + 1;
    entry.u.budget.spec = change->budget;
    entry.u.budget.window_end_us = INT64_MAX;
    return entry;
}

/* ---- Of scopes, budgets and what they have ----------------------------------------------------
 */

static void scopes_and_budgets_have_the_room_they_were_given(void **state)
{
    (void)state;
    struct ledger *ledger = open_room(2, 1);
    uint32_t org = scope_at(ledger, METE_ORGANIZATION, "acme", 0);
    scope_at(ledger, METE_DEPARTMENT, "research", org);
    const struct mete_change third = {
        .kind = METE_PUT_SCOPE,
        .scope = {.kind = METE_USER, .id = text("u"), .organization = {org}, .parent = {org}}};
    assert_int_equal(asked(ledger, &third), METE_E_FULL);
    struct mete_change first = budget_change(org, "first", 5, METE_TOTAL);
    struct mete_change second = budget_change(org, "second", 5, METE_TOTAL);
    uint32_t handle;
    assert_int_equal(change_at(ledger, &first, &handle), 0);
    assert_int_equal(asked(ledger, &second), METE_E_FULL);
    assert_int_equal(asked(ledger, &first), 0); /* it is there */
    struct entry entry = budget_of(ledger, &second);
    assert_int_equal(applied(ledger, &entry), METE_E_CORRUPT);
    struct entry scope = {.kind = ENTRY_SCOPE};
    scope.u.scope.handle = 3;
    scope.u.scope.spec = third.scope;
    assert_int_equal(applied(ledger, &scope), METE_E_CORRUPT);
    ledger_close(ledger);
}

static struct mete_change named_rate(uint32_t scope, const char *id)
{
    return (struct mete_change){.kind = METE_PUT_RATE_LIMIT,
                                .rate = {.id = text(id),
                                         .scope = {scope},
                                         .meter = METE_REQUESTS,
                                         .limit = 5,
                                         .period_ms = 1000}};
}

static struct mete_change named_grant(uint32_t scope, const char *id, uint16_t meter)
{
    return (struct mete_change){
        .kind = METE_PUT_GRANT,
        .grant = {.id = text(id), .scope = {scope}, .meter = meter, .amount = 5}};
}

static void a_scope_has_so_many_of_each_and_no_more(void **state)
{
    (void)state;
    static const char *const ids[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8"};
    struct ledger *ledger = open_room(4, 32);
    uint32_t org = scope_at(ledger, METE_ORGANIZATION, "acme", 0), handle;
    for (size_t i = 0; i <= LIMIT_SCOPE_BUDGETS; i++) {
        struct mete_change budget = budget_change(org, ids[i], 5, METE_TOTAL);
        struct entry entry = budget_of(ledger, &budget);
        bool fits = i < LIMIT_SCOPE_BUDGETS;
        assert_int_equal(asked(ledger, &budget), fits ? 0 : METE_E_FULL);
        assert_int_equal(applied(ledger, &entry), fits ? 0 : METE_E_CORRUPT);
    }
    for (size_t i = 0; i <= LIMIT_SCOPE_RATES; i++) {
        struct mete_change rate = named_rate(org, ids[i]);
        struct entry entry = {.kind = ENTRY_RATE};
        entry.u.rate.handle = (uint32_t)i + 1;
        entry.u.rate.spec = rate.rate;
        bool fits = i < LIMIT_SCOPE_RATES;
        assert_int_equal(asked(ledger, &rate), fits ? 0 : METE_E_FULL);
        assert_int_equal(applied(ledger, &entry), fits ? 0 : METE_E_CORRUPT);
    }
    for (size_t i = 0; i <= LIMIT_SCOPE_QUOTAS; i++) {
        struct mete_change grant = named_grant(org, ids[i], (uint16_t)(METE_INPUT + i));
        struct entry entry = {.kind = ENTRY_GRANT};
        entry.u.grant.handle = (uint32_t)i + 1;
        entry.u.grant.spec = grant.grant;
        bool fits = i < LIMIT_SCOPE_QUOTAS;
        assert_int_equal(asked(ledger, &grant), fits ? 0 : METE_E_FULL);
        assert_int_equal(applied(ledger, &entry), fits ? 0 : METE_E_CORRUPT);
    }
    struct mete_change more = named_grant(org, "more", METE_INPUT); /* of a quota that is there */
    assert_int_equal(change_at(ledger, &more, &handle), 0);
    for (uint32_t i = 0; i <= LIMIT_INCREASES; i++) {
        struct entry entry = {.kind = ENTRY_INCREASE};
        entry.u.increase.number = i + 1;
        entry.u.increase.spec = (struct mete_increase_spec){{1}, 5, {T0}, {T0 + DAY_US}};
        assert_int_equal(applied(ledger, &entry), i < LIMIT_INCREASES ? 0 : METE_E_CORRUPT);
    }
    ledger_check(ledger);
    ledger_close(ledger);
}

/* What the rest of a batch may use up is kept free of those who ask. */
static void zones_are_so_many(void **state)
{
    (void)state;
    enum { ALL = LIMIT_ZONES + LIMIT_CHANGES };
    struct ledger *ledger = open_room(ALL / LIMIT_SCOPE_BUDGETS + 2, ALL + 1);
    uint32_t org = scope_at(ledger, METE_ORGANIZATION, "acme", 0), user = org;
    char id[16], zone[16];
    struct mete_change budget = budget_change(org, id, 5, METE_TOTAL);
    for (uint32_t i = 0; i <= ALL; i++) {
        snprintf(id, sizeof id, "%u", i);
        snprintf(zone, sizeof zone, "Zone/%u", i);
        if (i % LIMIT_SCOPE_BUDGETS == 0)
            user = scope_at(ledger, METE_USER, id, org);
        budget.budget.id = text(id);
        budget.budget.scope.n = user;
        budget.budget.time_zone = text(zone);
        struct entry entry = budget_of(ledger, &budget);
        assert_int_equal(asked(ledger, &budget), i < LIMIT_ZONES ? 0 : METE_E_FULL);
        assert_int_equal(applied(ledger, &entry), i < ALL ? 0 : METE_E_CORRUPT);
    }
    budget.budget.time_zone = text("Zone/7"); /* is known */
    assert_int_equal(asked(ledger, &budget), 0);
    ledger_close(ledger);
}

static void meters_are_so_many(void **state)
{
    (void)state;
    enum { ALL = LIMIT_METERS + LIMIT_CHANGES };
    struct ledger *ledger = open_room(2, 2);
    char name[16];
    for (uint32_t i = 0; i <= ALL; i++) {
        snprintf(name, sizeof name, "meter-%u", i);
        const struct mete_change meter = {.kind = METE_PUT_METER, .meter = text(name)};
        struct entry entry = {.kind = ENTRY_METER};
        entry.u.meter.number = (uint16_t)(METE_METER_CUSTOM + i);
        entry.u.meter.name = slice_of(name);
        assert_int_equal(asked(ledger, &meter), i < LIMIT_METERS ? 0 : METE_E_FULL);
        assert_int_equal(applied(ledger, &entry), i < ALL ? 0 : METE_E_CORRUPT);
    }
    ledger_close(ledger);
}

static void rates_of_exchange_are_so_many(void **state)
{
    (void)state;
    struct ledger *ledger = open_room(2, 2);
    const struct mete_change change = {.kind = METE_PUT_EXCHANGE,
                                       .exchange = {METE_USD, WORLD_EUR, 1, 2, {T0}}};
    struct entry entry = {.kind = ENTRY_EXCHANGE};
    entry.u.exchange.spec = change.exchange;
    for (uint32_t i = 0; i < LIMIT_EXCHANGES; i++)
        assert_int_equal(applied(ledger, &entry), 0);
    assert_int_equal(asked(ledger, &change), METE_E_FULL);
    assert_int_equal(applied(ledger, &entry), METE_E_CORRUPT);
    assert_int_equal(ledger_exchanges(ledger), LIMIT_EXCHANGES);
    ledger_check(ledger);
    ledger_close(ledger);
}

/* ---- Moves ----------------------------------------------------------------------------------- */

static uint64_t hold(struct ledger *ledger, uint32_t scope)
{
    static struct mete_refusal refusals[METE_REFUSALS_MAX];
    static struct ledger_effects effects;
    const struct mete_reserve args = {
        .scope = {scope}, .demands = &one_dollar, .demands_len = 1, .ttl_ms = 60000};
    struct mete_verdict verdict;
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_reserve(ledger, (struct mete_instant){T0}, &args, refusals,
                                           METE_REFUSALS_MAX, &verdict, &decision),
                     0);
    assert_int_equal(ledger_apply(ledger, &decision.entry, &effects), 0);
    return verdict.reservation.n;
}

static unsigned let_go(struct ledger *ledger, uint64_t id)
{
    static struct ledger_effects effects;
    struct mete_receipt receipt;
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_release(ledger, (struct mete_instant){T0},
                                           (struct mete_reservation_id){id}, &receipt, &decision),
                     0);
    assert_int_equal(ledger_apply(ledger, &decision.entry, &effects), 0);
    assert_true(effects.has_ended);
    return effects.ended.path_len ? effects.ended.path[1] : 0;
}

static void moves_are_so_many_while_something_is_older(void **state)
{
    (void)state;
    struct ledger *ledger = open_room(8, 2);
    uint32_t org = scope_at(ledger, METE_ORGANIZATION, "acme", 0);
    uint32_t from = scope_at(ledger, METE_DEPARTMENT, "from", org);
    uint32_t to = scope_at(ledger, METE_DEPARTMENT, "to", org);
    uint32_t user = scope_at(ledger, METE_USER, "ada", org);
    uint64_t first = hold(ledger, user), second = 0;
    struct entry entry = {.kind = ENTRY_SCOPE_MOVE};
    entry.u.scope_move.scope = user;
    for (uint32_t i = 0; i < LIMIT_MOVES; i++) {
        entry.u.scope_move.parent = i % 2 ? to : from;
        if (i == LIMIT_MOVES / 2)
            second = hold(ledger, user); /* in the second half, under `to` */
        assert_int_equal(applied(ledger, &entry), 0);
    }
    const struct mete_change move = {.kind = METE_MOVE_SCOPE, .at = {user}, .parent = {from}};
    assert_int_equal(asked(ledger, &move), METE_E_FULL);
    struct ledger *other = NULL;
    struct saved saved = {0};
    struct ledger_room room;
    assert_int_equal(ledger_save(ledger, saved_put, &saved), 0);
    ledger_room(ledger, &room);
    assert_int_equal(ledger_open(&room, &other), 0);
    assert_int_equal(ledger_load(other, saved_get, &saved), 0);
    free(saved.bytes);
    entry.u.scope_move.parent = from;
    assert_int_equal(applied(other, &entry), METE_E_CORRUPT);
    ledger_close(other);
    assert_int_equal(let_go(ledger, first), org); /* where it stood when it was made */
    assert_int_equal(asked(ledger, &move), 0);    /* the older half is forgotten */
    assert_int_equal(applied(ledger, &entry), 0);
    assert_int_equal(let_go(ledger, second), to);
    ledger_check(ledger);
    ledger_close(ledger);
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* A record of nothing much under these names. */
static int record(struct ledger *ledger, uint32_t scope, const char *const names[3],
                  struct ledger_effects *ret_effects)
{
    const struct mete_usage usage = {.meter = METE_OUTPUT, .amount = 1};
    const struct mete_record args = {.scope = {scope},
                                     .model = text(names[0]),
                                     .provider = text(names[1]),
                                     .usage = &usage,
                                     .usage_len = 1,
                                     .outcome = {.price_list = text(names[2])}};
    struct mete_receipt receipt;
    struct ledger_decision decision;
    int rc = ledger_decide_record(ledger, (struct mete_instant){T0}, &args, &receipt, &decision);
    return rc ? rc : ledger_apply(ledger, &decision.entry, ret_effects);
}

static void whole_names_outlive_a_correction(struct ledger *ledger, uint32_t scope)
{
    static struct mete_refusal refusals[METE_REFUSALS_MAX];
    static struct ledger_effects effects;
    const struct mete_demand demand = {.meter = METE_OUTPUT, .fixed = 9};
    const struct mete_reserve args = {.scope = {scope},
                                      .model = text("late model"),
                                      .provider = text("late provider"),
                                      .demands = &demand,
                                      .demands_len = 1,
                                      .ttl_ms = 60000};
    struct mete_verdict verdict;
    struct mete_receipt receipt;
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_reserve(ledger, (struct mete_instant){T0}, &args, refusals,
                                           METE_REFUSALS_MAX, &verdict, &decision),
                     0);
    assert_int_equal(ledger_apply(ledger, &decision.entry, &effects), 0);
    for (uint32_t i = 0; i < 2; i++) {
        const struct mete_usage usage = {.meter = METE_OUTPUT, .amount = 5 - i};
        const struct mete_commit commits = {.reservation = verdict.reservation,
                                            .usage = &usage,
                                            .usage_len = 1,
                                            .outcome = {.flags = i ? 0 : METE_OUTCOME_PROVISIONAL}};
        assert_int_equal(
            ledger_decide_commit(ledger, (struct mete_instant){T0}, &commits, &receipt, &decision),
            0);
        assert_int_equal(ledger_apply(ledger, &decision.entry, &effects), 0);
        assert_true(slice_is(effects.ended.model, "late model"));
        assert_true(slice_is(effects.ended.provider, "late provider"));
    }
    assert_true(receipt.corrected);
}

/* However many of the three have still got a number. */
static void names_that_have_run_out_may_come_twice(void **state)
{
    (void)state;
    static struct ledger_effects effects;
    static const char *const equal[][3] = {{"x", "x", "x"}, {"x", "x", "y"}, {"x", "y", "x"},
                                           {"y", "x", "x"}, {"x", "y", "z"}, {"x", "", "x"}};
    struct ledger *full = open_room(2, 2);
    uint32_t org = scope_at(full, METE_ORGANIZATION, "acme", 0);
    for (uint32_t i = 0; i < LIMIT_NAMES; i++) {
        char name[16];
        const char *const names[3] = {name, "", ""};
        snprintf(name, sizeof name, "model-%u", i);
        for (size_t e = 0; i + 3 >= LIMIT_NAMES && e < sizeof equal / sizeof equal[0]; e++) {
            struct saved saved = {0};
            struct ledger *ledger = open_room(2, 2);
            assert_int_equal(ledger_save(full, saved_put, &saved), 0);
            assert_int_equal(ledger_load(ledger, saved_get, &saved), 0);
            free(saved.bytes);
            for (int again = 0; again < 2; again++) {
                assert_int_equal(record(ledger, org, equal[e], &effects), 0);
                assert_true(slice_is(effects.ended.model, equal[e][0]));
                assert_true(slice_is(effects.ended.provider, equal[e][1]));
                assert_true(slice_is(effects.ended.price_list, equal[e][2]));
            }
            ledger_close(ledger);
        }
        assert_int_equal(record(full, org, names, &effects), 0);
    }
    for (size_t e = 0; e < sizeof equal / sizeof equal[0]; e++) {
        assert_int_equal(record(full, org, equal[e], &effects), 0);
        assert_true(slice_is(effects.ended.model, equal[e][0]));
        assert_true(slice_is(effects.ended.provider, equal[e][1]));
        assert_true(slice_is(effects.ended.price_list, equal[e][2]));
    }
    whole_names_outlive_a_correction(full, org);
    ledger_close(full);
}

/* ---- Many ------------------------------------------------------------------------------------ */

static void many_organizations_have_the_same_ids(void **state)
{
    (void)state;
    enum { ALL = 300 };
    struct ledger *ledger = open_room(3 * ALL, 4 * ALL);
    uint32_t orgs[ALL], users[ALL], budgets[ALL], rates[ALL], grants[ALL];
    for (uint32_t i = 0; i < ALL; i++) {
        char id[16];
        snprintf(id, sizeof id, "org-%u", i);
        orgs[i] = scope_at(ledger, METE_ORGANIZATION, id, 0);
        users[i] = scope_at(ledger, METE_USER, "same", orgs[i]);
        struct mete_change budget = budget_change(users[i], "same", 5, METE_TOTAL);
        struct mete_change rate = named_rate(users[i], "same");
        struct mete_change grant = named_grant(users[i], "same", METE_IMAGES);
        assert_int_equal(change_at(ledger, &budget, &budgets[i]), 0);
        assert_int_equal(change_at(ledger, &rate, &rates[i]), 0);
        assert_int_equal(change_at(ledger, &grant, &grants[i]), 0);
    }
    const struct slice same = SLICE_LITERAL("same");
    for (uint32_t i = 0; i < ALL; i++) {
        assert_int_equal(ledger_find_scope(ledger, METE_USER, orgs[i], same), users[i]);
        assert_int_equal(ledger_find_scope(ledger, METE_DEPARTMENT, orgs[i], same), 0);
        assert_int_equal(ledger_find_budget(ledger, orgs[i], same), budgets[i]);
        assert_int_equal(ledger_find_rate(ledger, orgs[i], same), rates[i]);
        assert_int_equal(ledger_find_grant(ledger, orgs[i], same), grants[i]);
    }
    ledger_close(ledger);
}

/* Each of two templates of an organization makes its own, once for each user. */
static void many_scopes_have_budgets_of_the_same_templates(void **state)
{
    (void)state;
    enum { ALL = 100 };
    static struct mete_refusal refusals[METE_REFUSALS_MAX];
    struct ledger *ledger = open_room(ALL + 1, 2 * ALL + 1); /* one too few */
    uint32_t org = scope_at(ledger, METE_ORGANIZATION, "acme", 0), handle;
    for (int i = 0; i < 2; i++) {
        struct mete_change template = budget_change(org, i ? "b" : "a", 5, METE_TOTAL);
        template.budget.for_kind = METE_USER;
        assert_int_equal(change_at(ledger, &template, &handle), 0);
    }
    const struct mete_demand nothing = {.meter = METE_OUTPUT};
    for (uint32_t i = 0; i < ALL; i++) {
        char id[16];
        snprintf(id, sizeof id, "u-%u", i);
        uint32_t user = scope_at(ledger, METE_USER, id, org);
        const struct mete_reserve args = {
            .scope = {user}, .demands = &nothing, .demands_len = 1, .ttl_ms = 60000};
        struct mete_verdict verdict;
        struct ledger_decision decision;
        int rc;
        unsigned made = 0;
        while ((rc = ledger_decide_check(ledger, (struct mete_instant){T0}, &args, refusals,
                                         METE_REFUSALS_MAX, &verdict, &decision)) == LEDGER_STALE) {
            struct entry entry = {.kind = ENTRY_DEFAULT};
            assert_int_equal(decision.due.kind, LEDGER_DUE_DEFAULT);
            entry.u.by_default.handle = ledger_budgets(ledger) + 1;
            entry.u.by_default.made_from = decision.due.budget;
            entry.u.by_default.scope = decision.due.scope;
            entry.u.by_default.window_end_us = INT64_MAX;
            assert_int_equal(applied(ledger, &entry), 0);
            assert_true(++made <= 2);
        }
        assert_int_equal(rc, i + 1 < ALL ? 0 : METE_E_FULL);
        assert_int_equal(ledger_path(ledger, user, &handle, 1), i + 1 < ALL ? 2 : 1);
    }
    ledger_check(ledger);
    ledger_close(ledger);
}

static void many_pairs_of_currencies_have_their_rates(void **state)
{
    (void)state;
    enum { ALL = 400 };
    struct ledger *ledger = open_room(2, 2);
    for (uint32_t i = 0; i < ALL; i++) {
        struct entry entry = {.kind = ENTRY_EXCHANGE};
        uint32_t other = METE_CURRENCY('A' + i / 26, 'A' + i % 26, 'X');
        entry.u.exchange.spec = (struct mete_exchange_spec){METE_USD, other, 1 + i, 1, {T0}};
        assert_int_equal(applied(ledger, &entry), 0);
    }
    for (uint32_t i = 0; i < ALL; i++) {
        const struct ledger_unit unit = {.meter = METE_COST,
                                         .currency = METE_CURRENCY('A' + i / 26, 'A' + i % 26, 'X'),
                                         .made_seq = ALL + 1,
                                         .made_at_us = T0};
        const struct entry_amount amount = {METE_COST, METE_USD, 7};
        assert_true(ledger_amount_in(ledger, &unit, &amount, 1) == 7 * (1 + (int64_t)i));
    }
    ledger_check(ledger);
    ledger_close(ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scopes_and_budgets_have_the_room_they_were_given),
        cmocka_unit_test(a_scope_has_so_many_of_each_and_no_more),
        cmocka_unit_test(zones_are_so_many),
        cmocka_unit_test(meters_are_so_many),
        cmocka_unit_test(rates_of_exchange_are_so_many),
        cmocka_unit_test(moves_are_so_many_while_something_is_older),
        cmocka_unit_test(names_that_have_run_out_may_come_twice),
        cmocka_unit_test(many_organizations_have_the_same_ids),
        cmocka_unit_test(many_scopes_have_budgets_of_the_same_templates),
        cmocka_unit_test(many_pairs_of_currencies_have_their_rates)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
