/* SPDX-License-Identifier: Apache-2.0
 * Proves that a batch is judged as its changes would be one after the other: it is agreed to if and
 * only if each of them is, on a ledger to which those before it were applied; if not, the first
 * that is refused there is the one it names, with the same error; and what each is to get is what
 * it gets. Batches are drawn from few ids, handles and kinds, so that they rest on themselves, and
 * contradict themselves, as often as not. */
#include "unit/ledger_world.h"

enum { ROUNDS = 10000, BATCH_MAX = 7, LIVES = 25 };

static uint64_t dice;

static uint64_t pick(uint64_t below)
{
    uint64_t z = dice += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % below;
}

static struct mete_text an_id(void)
{
    static const char *const ids[] = {"a", "b", "c", "d", "e", "f"};
    return text(ids[pick(pick(2) ? 2 : 6)]);
}

/* Of the ledger mostly, of an earlier change of this kind if there is one, or of nothing. */
static uint32_t a_handle(const struct mete_change *changes, size_t at, enum mete_change_kind kind)
{
    uint32_t handle = (uint32_t)pick(pick(4) ? 5 : 9);
    if (pick(10) == 0)
        return METE_FROM_CHANGE(pick(BATCH_MAX));
    for (size_t i = at; i-- > 0 && pick(2);)
        if (changes[i].kind == kind)
            handle = METE_FROM_CHANGE(i);
    return handle;
}

/* Where a scope of a kind may stand in the ledger that a life begins with, or anywhere. */
static uint32_t a_parent(const struct mete_change *changes, size_t at, enum mete_kind kind)
{
    return pick(3) && kind > METE_ORGANIZATION ? 1 + (uint32_t)pick(kind - METE_ORGANIZATION)
                                               : a_handle(changes, at, METE_PUT_SCOPE);
}

static void draw_scope(struct mete_change *changes, size_t at)
{
    struct mete_change *change = &changes[at];
    enum mete_kind kind = (enum mete_kind)(1 + pick(METE_API_KEY));
    change->kind = METE_PUT_SCOPE;
    change->scope = (struct mete_scope_spec){
        .kind = kind,
        .id = an_id(),
        .organization = {pick(8) ? 1 : a_handle(changes, at, METE_PUT_SCOPE)},
        .parent = {a_parent(changes, at, kind)}};
    if (change->scope.kind == METE_ORGANIZATION && pick(4)) {
        change->scope.organization.n = 0;
        change->scope.parent.n = 0;
    }
}

static void draw_budget(struct mete_change *changes, size_t at)
{
    struct mete_change *change = &changes[at];
    *change = budget_change(a_handle(changes, at, METE_PUT_SCOPE), "a", 1000, METE_TOTAL);
    change->budget.id = an_id();
    change->budget.period = pick(6) ? METE_TOTAL : METE_DAILY;
    change->budget.currency = pick(6) ? METE_USD : WORLD_EUR;
    change->budget.time_zone = text(pick(8) ? "" : "Europe/Berlin");
    change->budget.anchor = pick(8) == 0;
    change->budget.for_kind = pick(8) ? METE_KIND_NONE : METE_API_KEY;
    change->budget.matches[0] = (struct mete_match){METE_MATCH_MODEL, text("gpt*")};
    change->budget.matches_len = pick(8) == 0;
}

static void draw_rate(struct mete_change *changes, size_t at)
{
    struct mete_change *change = &changes[at];
    change->kind = METE_PUT_RATE_LIMIT;
    change->rate = (struct mete_rate_spec){.id = an_id(),
                                           .scope = {a_handle(changes, at, METE_PUT_SCOPE)},
                                           .concurrent = pick(4) == 0,
                                           .meter = pick(6) ? METE_REQUESTS : METE_COST,
                                           .limit = 10,
                                           .period_ms = 1000};
    if (change->rate.meter == METE_COST)
        change->rate.currency = pick(2) ? METE_USD : WORLD_EUR;
    change->rate.matches[0] = (struct mete_match){METE_MATCH_TAG, text("red")};
    change->rate.matches_len = pick(8) == 0;
}

static void draw_grant(struct mete_change *changes, size_t at)
{
    struct mete_change *change = &changes[at];
    change->kind = METE_PUT_GRANT;
    change->grant = (struct mete_grant_spec){.id = an_id(),
                                             .scope = {a_handle(changes, at, METE_PUT_SCOPE)},
                                             .meter = (uint16_t)(METE_REQUESTS + pick(2)),
                                             .amount = (int64_t)pick(4)};
}

static void another_budget(struct mete_change *change)
{
    struct mete_budget_spec *spec = &change->budget;
    switch (pick(7)) {
    case 0:
        spec->anchor ^= 1;
        return;
    case 1:
        spec->period = METE_ROLLING;
        spec->window_seconds = 64;
        return;
    case 2:
        spec->for_kind = spec->for_kind ? METE_KIND_NONE : METE_API_KEY;
        return;
    case 3:
        spec->matches_len ^= 1;
        return;
    case 4:
        spec->currency = WORLD_EUR;
        return;
    case 5:
        spec->time_zone = text("Asia/Kolkata");
        return;
    default:
        spec->limit = 7;
    }
}

static void another_rate(struct mete_change *change)
{
    struct mete_rate_spec *spec = &change->rate;
    switch (pick(5)) {
    case 0:
        spec->concurrent ^= 1;
        return;
    case 1:
        spec->meter = METE_COST;
        spec->currency = METE_USD;
        return;
    case 2:
        spec->currency = spec->meter == METE_COST ? WORLD_EUR : 0;
        return;
    case 3:
        spec->matches_len ^= 1;
        return;
    default:
        spec->limit = 7;
    }
}

static void another_rest(struct mete_change *change)
{
    switch (pick(5)) {
    case 0:
        change->grant.meter ^= 1;
        return;
    case 1:
        change->grant.amount = 7;
        return;
    case 2:
        change->scope.revoked ^= 1;
        return;
    case 3:
        change->grant.source = text("a\nb");
        return;
    default: /* the very same */
        return;
    }
}

/* Once more what an earlier change of the batch says, but for one thing at most. */
static void draw_again(struct mete_change *changes, size_t at)
{
    struct mete_change *change = &changes[at];
    *change = changes[pick(at)];
    change->flags = 0;
    void (*const alike[])(struct mete_change *) = {another_budget, another_rate, another_rest};
    alike[pick(3)](change);
}

static void draw(struct mete_change *changes, size_t at)
{
    struct mete_change *change = &changes[at];
    if (at && pick(4) == 0) {
        draw_again(changes, at);
        return;
    }
    *change = (struct mete_change){.kind = (enum mete_change_kind)(1 + pick(METE_PUT_METER))};
    if (change->kind == METE_PUT_SCOPE || pick(5) == 0)
        draw_scope(changes, at);
    else if (change->kind == METE_PUT_BUDGET)
        draw_budget(changes, at);
    else if (change->kind == METE_PUT_RATE_LIMIT)
        draw_rate(changes, at);
    else if (change->kind == METE_PUT_GRANT || change->kind == METE_END_QUOTA) {
        enum mete_change_kind kind = change->kind;
        draw_grant(changes, at);
        change->kind = kind;
    }
    change->end.n = a_handle(changes, at, METE_PUT_BUDGET);
    change->at.n = a_handle(changes, at, METE_PUT_SCOPE);
    change->parent.n = a_handle(changes, at, METE_PUT_SCOPE);
    change->end_rate.n = a_handle(changes, at, METE_PUT_RATE_LIMIT);
    change->refund.n = a_handle(changes, at, METE_PUT_GRANT);
    change->amount = 1;
    change->increase = (struct mete_increase_spec){change->end, 5, {T0}, {T0 + DAY_US}};
    change->end_increase = 1 + (uint32_t)pick(2);
    change->exchange = (struct mete_exchange_spec){METE_USD, WORLD_EUR, 1, 2, {T0}};
    change->meter = an_id();
    change->flags = (uint32_t)(pick(4) ? 0 : pick(3));
}

/* ---- One after the other --------------------------------------------------------------------- */

/* What stands for no earlier change, or for one that gets no handle, stands for nothing alone as
 * well; and nothing is another thing than none. */
static void resolve(uint32_t *n, const uint32_t *handles, size_t len)
{
    uint32_t change = *n - METE_FROM_CHANGE(0);
    if (*n >= METE_FROM_CHANGE(0) && change < len && handles[change])
        *n = handles[change];
}

static struct mete_change resolved(const struct mete_change *from, const uint32_t *handles,
                                   size_t len)
{
    struct mete_change change = *from;
    uint32_t *const all[] = {&change.scope.organization.n,
                             &change.scope.parent.n,
                             &change.budget.scope.n,
                             &change.end.n,
                             &change.at.n,
                             &change.parent.n,
                             &change.rate.scope.n,
                             &change.end_rate.n,
                             &change.grant.scope.n,
                             &change.refund.n,
                             &change.increase.budget.n};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        resolve(all[i], handles, len);
    return change;
}

static int change_one(struct ledger *ledger, const struct mete_change *change, uint32_t *ret_handle)
{
    static struct ledger_effects effects;
    struct ledger_decision decision;
    int rc = ledger_decide_change(ledger, (struct mete_instant){T0}, change, SLICE_LITERAL("ada"),
                                  ret_handle, &decision);
    if (rc)
        return rc;
    if (decision.entry.kind == ENTRY_BUDGET && decision.entry.u.budget.window_end_us == 0) {
        struct window window = {0, INT64_MAX};
        const struct calendar_rule rule = {change->budget.period, 0 /* any place will do */,
                                           change->budget.window_seconds, NULL};
        if (!change->budget.for_kind)
            assert_int_equal(calendar_window(&rule, T0, &window), 0);
        decision.entry.u.budget.window_start_us = window.start_us;
        decision.entry.u.budget.window_end_us = window.end_us;
    }
    assert_int_equal(ledger_apply(ledger, &decision.entry, &effects), 0);
    return 0;
}

/* Draws a batch and makes its changes, one after the other, as far as one is refused; whatever
 * follows in the batch is then of no interest. A change that is refused is mostly drawn again. */
static int draw_and_change(struct ledger *ledger, struct mete_change *changes, size_t len,
                           uint32_t *ret_handles, size_t *ret_failed)
{
    int rc = 0;
    for (size_t i = 0; i < len && !rc; i++) {
        for (unsigned left = pick(8) ? 6 : 1; left; left = rc ? left - 1 : 0) {
            draw(changes, i);
            struct mete_change change = resolved(&changes[i], ret_handles, i);
            rc = change_one(ledger, &change, &ret_handles[i]);
        }
        *ret_failed = i;
    }
    return rc;
}

static struct ledger *copy_of(const struct ledger *ledger)
{
    struct saved saved = {0};
    struct ledger_room room;
    struct ledger *copy;
    ledger_room(ledger, &room);
    assert_int_equal(ledger_save(ledger, saved_put, &saved), 0);
    assert_int_equal(ledger_open(&room, &copy), 0);
    assert_int_equal(ledger_load(copy, saved_get, &saved), 0);
    free(saved.bytes);
    return copy;
}

/* ---- What is there before ---------------------------------------------------------------------
 */

static void hold(struct ledger *ledger, uint32_t scope)
{
    static struct mete_refusal refusals[METE_REFUSALS_MAX];
    static struct ledger_effects effects;
    const struct mete_demand demand = {.meter = METE_REQUESTS, .fixed = 1};
    const struct mete_reserve args = {
        .scope = {scope}, .demands = &demand, .demands_len = 1, .ttl_ms = 60000};
    struct mete_verdict verdict;
    struct ledger_decision decision;
    int rc = ledger_decide_reserve(ledger, (struct mete_instant){T0}, &args, refusals,
                                   METE_REFUSALS_MAX, &verdict, &decision);
    if (rc == 0 && decision.entry.kind == ENTRY_RESERVE)
        assert_int_equal(ledger_apply(ledger, &decision.entry, &effects), 0);
}

/* Draws from what is granted on its path, whether there is enough of it or not. */
static void use(struct ledger *ledger, uint32_t scope)
{
    static struct ledger_effects effects;
    const struct mete_usage usage[] = {{.meter = METE_REQUESTS, .amount = 1},
                                       {.meter = METE_IMAGES, .amount = 1}};
    const struct mete_record args = {.scope = {scope}, .usage = usage, .usage_len = 2};
    struct mete_receipt receipt;
    struct ledger_decision decision;
    int rc = ledger_decide_record(ledger, (struct mete_instant){T0}, &args, &receipt, &decision);
    if (rc == 0)
        assert_int_equal(ledger_apply(ledger, &decision.entry, &effects), 0);
}

/* An organization that has all the budgets and rate limits that it may. */
static void fill(struct ledger *ledger)
{
    char id[8];
    uint32_t handle;
    for (unsigned i = 0; i < LIMIT_SCOPE_BUDGETS; i++) {
        snprintf(id, sizeof id, "all-%u", i);
        const struct mete_change budget = budget_change(1, id, 5, METE_TOTAL);
        const struct mete_change rate = {
            .kind = METE_PUT_RATE_LIMIT,
            .rate = {.id = text(id), .scope = {1}, .concurrent = 1, .limit = 5}};
        assert_int_equal(change_one(ledger, &budget, &handle), 0);
        if (i < LIMIT_SCOPE_RATES)
            assert_int_equal(change_one(ledger, &rate, &handle), 0);
    }
}

static struct ledger *a_ledger(void)
{
    const struct ledger_room room = {16, 24, 8, 8};
    const struct mete_change scopes[] = {
        {.kind = METE_PUT_SCOPE, .scope = {.kind = METE_ORGANIZATION, .id = text("a")}},
        {.kind = METE_PUT_SCOPE,
         .scope = {METE_DEPARTMENT, text("a"), {1}, {METE_FROM_CHANGE(0)}, {0}, 0}},
        {.kind = METE_PUT_SCOPE,
         .scope = {METE_USER, text("a"), {1}, {METE_FROM_CHANGE(1)}, {0}, 0}},
        {.kind = METE_PUT_SCOPE,
         .scope = {METE_API_KEY, text("a"), {1}, {METE_FROM_CHANGE(2)}, {0}, 0}},
        {.kind = METE_PUT_SCOPE, .scope = {.kind = METE_ORGANIZATION, .id = text("b")}}};
    struct ledger *ledger;
    uint32_t handles[5];
    assert_int_equal(ledger_open(&room, &ledger), 0);
    for (size_t i = 0; i < 5; i++) {
        struct mete_change change = resolved(&scopes[i], handles, i);
        assert_int_equal(change_one(ledger, &change, &handles[i]), 0);
    }
    if (pick(2))
        fill(ledger);
    return ledger;
}

static void a_batch_is_what_its_changes_are(void **state)
{
    (void)state;
    unsigned agreed = 0, refused = 0, long_ones = 0;
    struct ledger *ledger = a_ledger();
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct mete_change changes[BATCH_MAX];
        uint32_t handles[BATCH_MAX], one_by_one[BATCH_MAX];
        struct ledger_batch batch = {0};
        size_t len = 1 + pick(BATCH_MAX), failed;
        dice = round;
        struct ledger *copy = copy_of(ledger);
        int wanted = draw_and_change(copy, changes, len, one_by_one, &failed);
        len = failed + 1;
        const struct mete_apply args = {changes, len, text("ada")};
        int rc = ledger_check_changes(ledger, (struct mete_instant){T0}, &args, handles, &batch);
        if (rc != wanted || (rc && batch.failed != failed) ||
            (!rc && memcmp(handles, one_by_one, len * sizeof handles[0])))
            fail_msg("round %u: the batch %s at %zu of kind %d, one by one %s at %zu of %zu", round,
                     mete_error_name(rc), batch.failed, (int)changes[batch.failed].kind,
                     mete_error_name(wanted), failed, len);
        agreed += !rc;
        refused += rc != 0;
        long_ones += !rc && len > 3;
        ledger_check(copy);
        if (round % LIVES == LIVES - 1) {
            ledger_close(copy);
            copy = a_ledger();
        } else if (rc) {
            ledger_close(copy);
            copy = ledger;
        }
        if (copy != ledger)
            ledger_close(ledger);
        ledger = copy;
        hold(ledger, 1 + (uint32_t)pick(6));
        use(ledger, 1 + (uint32_t)pick(6));
    }
    ledger_close(ledger);
    assert_true(agreed > ROUNDS / 10 && refused > ROUNDS / 10 && long_ones > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_batch_is_what_its_changes_are)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
