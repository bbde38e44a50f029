/* SPDX-License-Identifier: Apache-2.0
 * Proves what ends and moves of scopes promise (docs/semantics.md, rule 31): children go first,
 * what a scope had ends with it and still settles, its id is free once nothing is open; a moved
 * scope keeps its own, and calls stay on the path they were made on. ledger_help.h saves and loads
 * at each step, and compares with a replay (INV-06). */
#include "base/limits.h"
#include "unit/ledger_help.h"

static int end_scope(struct bench *b, uint32_t scope)
{
    uint32_t handle = 0;
    const struct mete_change change = {.kind = METE_END_SCOPE, .at = {scope}};
    int rc = put(b, &change, &handle);
    assert_true(rc != 0 || handle == scope);
    return rc;
}

static int move(struct bench *b, uint32_t scope, uint32_t parent)
{
    uint32_t handle = 0;
    const struct mete_change change = {.kind = METE_MOVE_SCOPE, .at = {scope}, .parent = {parent}};
    int rc = put(b, &change, &handle);
    assert_true(rc != 0 || handle == scope);
    return rc;
}

static struct mete_change scope_change(struct bench *b, enum mete_kind kind, const char *id,
                                       uint32_t parent)
{
    return (struct mete_change){.kind = METE_PUT_SCOPE,
                                .scope = {.kind = kind,
                                          .id = text(id),
                                          .organization = {kind == METE_ORGANIZATION ? 0 : b->org},
                                          .parent = {parent}}};
}

static int try_put(struct bench *b, struct mete_change change)
{
    uint32_t handle = 0;
    return put(b, &change, &handle);
}

static uint64_t call(struct bench *b)
{
    const struct mete_reserve args = ask(b, &one_dollar);
    assert_int_equal(reserve(b, &args), 0);
    return b->verdict.allowed ? b->verdict.reservation.n : 0;
}

/* What the record of the last end says of its path, leaf first. */
static void went_over(const struct bench *b, const uint32_t *scopes, unsigned len)
{
    const struct ledger_ended *ended = &b->effects.ended;
    assert_true(b->effects.has_ended);
    assert_int_equal(ended->path_len, len);
    for (unsigned i = 0; i < len; i++)
        assert_int_equal(ended->path[i], scopes[i]);
}

static uint32_t find(struct bench *b, enum mete_kind kind, const char *id)
{
    return ledger_find_scope(b->ledger, kind, b->org, (struct slice){id, strlen(id)});
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static void children_go_before_their_parent(void **state)
{
    struct bench *b = *state;
    assert_int_equal(end_scope(b, b->user), METE_E_INVALID);
    assert_int_equal(end_scope(b, 99), METE_E_NOT_FOUND);
    assert_int_equal(end_scope(b, 0), METE_E_NOT_FOUND);
    struct ledger_counts before, after;
    ledger_counts(b->ledger, &before);
    assert_int_equal(end_scope(b, b->key), 0);
    assert_int_equal(end_scope(b, b->key), METE_E_NOT_FOUND);
    assert_int_equal(end_scope(b, b->user), 0);
    assert_int_equal(end_scope(b, b->dept), 0);
    assert_int_equal(end_scope(b, b->org), 0);
    ledger_counts(b->ledger, &after);
    assert_int_equal(after.scopes, before.scopes - 4);
    struct mete_scope_view view;
    assert_int_equal(ledger_scope(b->ledger, b->user, &view), 0);
    assert_true(view.ended);
    assert_string_equal(view.id, "ada");
}

static void an_ended_scope_refuses_and_takes_nothing_new(void **state)
{
    struct bench *b = *state;
    uint64_t open = call(b);
    assert_true(open);
    assert_int_equal(end_scope(b, b->key), 0);
    assert_int_equal(call(b), 0);
    assert_int_equal(b->refusals[0].reason, METE_KEY_REVOKED);
    assert_int_equal(b->refusals[0].scope.n, b->key);
    assert_true(b->verdict.retry_at.us == INT64_MAX);
    assert_int_equal(try_put(b, budget_change(b->key, "new", 5, METE_DAILY)), METE_E_NOT_FOUND);
    struct mete_change grant = {.kind = METE_PUT_GRANT,
                                .grant = {.id = text("g"), .scope = {b->key}, .meter = METE_INPUT}};
    assert_int_equal(try_put(b, grant), METE_E_NOT_FOUND);
    struct mete_change rate = {.kind = METE_PUT_RATE_LIMIT,
                               .rate = {.id = text("r"),
                                        .scope = {b->key},
                                        .meter = METE_REQUESTS,
                                        .limit = 1,
                                        .period_ms = 1000}};
    assert_int_equal(try_put(b, rate), METE_E_NOT_FOUND);
    assert_int_equal(commit(b, open, 5), 0);
    assert_int_equal(call(b), 0); /* also once nothing of it is open */
}

static void a_record_at_an_ended_scope_charges_those_above(void **state)
{
    struct bench *b = *state;
    uint32_t own = put_budget(b, b->key, "own", 50, METE_DAILY);
    uint32_t top = put_budget(b, b->org, "top", 50, METE_DAILY);
    assert_int_equal(end_scope(b, b->key), 0);
    const struct mete_usage usage = {.currency = METE_USD, .amount = 7};
    const struct mete_record args = {.scope = {b->key}, .usage = &usage, .usage_len = 1};
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_record(b->ledger, now(b), &args, &b->receipt, &decision), 0);
    apply(b, &decision.entry);
    stands(b, own, 0, 0);
    stands(b, top, 7, 0);
}

/* INV-02 */
static void what_a_scope_had_ends_with_it_and_still_settles(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_budget(b, b->key, "own", INT64_C(5000000000), METE_DAILY);
    uint32_t top = put_budget(b, b->org, "top", INT64_C(9000000000), METE_DAILY);
    uint32_t rate = 0, grant = 0;
    struct mete_change change = {
        .kind = METE_PUT_RATE_LIMIT,
        .rate = {.id = text("at-once"), .scope = {b->key}, .concurrent = 1, .limit = 5}};
    assert_int_equal(put(b, &change, &rate), 0);
    change = (struct mete_change){.kind = METE_PUT_GRANT,
                                  .grant = {.id = text("g"),
                                            .scope = {b->key},
                                            .meter = METE_COST,
                                            .currency = METE_USD,
                                            .amount = INT64_C(3000000000)}};
    assert_int_equal(put(b, &change, &grant), 0);
    uint64_t open = call(b);
    assert_true(open);
    assert_int_equal(end_scope(b, b->key), 0);
    struct mete_budget_view view;
    assert_int_equal(ledger_budget(b->ledger, budget, &view), 0);
    assert_true(view.ended && view.held == 1000000000);
    struct mete_rate_view rate_view;
    assert_int_equal(ledger_rate(b->ledger, rate, now(b), &rate_view), 0);
    assert_true(rate_view.ended);
    struct mete_grant_view grant_view;
    assert_int_equal(ledger_grant(b->ledger, grant, now(b), &grant_view), METE_E_NOT_FOUND);
    assert_int_equal(commit(b, open, 400000000), 0);
    stands(b, budget, 400000000, 0);
    stands(b, top, 400000000, 0);
}

static void an_id_is_free_once_nothing_is_open(void **state)
{
    struct bench *b = *state;
    uint64_t open = call(b);
    assert_int_equal(end_scope(b, b->key), 0);
    assert_int_equal(find(b, METE_API_KEY, "k1"), b->key);
    struct mete_change again = scope_change(b, METE_API_KEY, "k1", b->user);
    assert_int_equal(try_put(b, again), METE_E_EXISTS);
    again.flags = METE_CHANGE_UPDATE;
    assert_int_equal(try_put(b, again), METE_E_NOT_FOUND);
    assert_int_equal(release(b, open), 0);
    assert_int_equal(find(b, METE_API_KEY, "k1"), 0);
    assert_int_equal(try_put(b, again), METE_E_NOT_FOUND);
    again.flags = METE_CHANGE_CREATE;
    uint32_t handle = 0;
    assert_int_equal(put(b, &again, &handle), 0);
    assert_true(handle != b->key);
    assert_int_equal(find(b, METE_API_KEY, "k1"), handle);
    b->key = handle;
    assert_true(call(b));
}

static void a_repeated_request_of_an_ended_scope_is_answered(void **state)
{
    struct bench *b = *state;
    struct mete_reserve args = ask(b, &one_dollar);
    args.request_id = text("r1");
    assert_int_equal(reserve(b, &args), 0);
    uint64_t id = b->verdict.reservation.n;
    assert_int_equal(end_scope(b, b->key), 0);
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed && b->verdict.repeated && b->verdict.reservation.n == id);
    assert_int_equal(commit(b, id, 3), 0);
    assert_int_equal(commit(b, id, 3), 0);
    assert_true(b->receipt.repeated);
}

/* ---- Moves ----------------------------------------------------------------------------------- */

static void a_move_that_does_not_fit_the_tree_is_refused(void **state)
{
    struct bench *b = *state;
    uint32_t org = b->org, other, elsewhere;
    other = put_scope(b, METE_ORGANIZATION, "globex", 0);
    b->org = other;
    elsewhere = put_scope(b, METE_DEPARTMENT, "research", other);
    b->org = org;
    uint32_t advertiser = put_scope(b, METE_ADVERTISER, "a7", b->org);
    assert_int_equal(move(b, b->user, elsewhere), METE_E_INVALID);
    assert_int_equal(move(b, b->user, other), METE_E_INVALID);
    assert_int_equal(move(b, b->user, b->key), METE_E_INVALID); /* a circle, too */
    assert_int_equal(move(b, b->user, b->user), METE_E_INVALID);
    assert_int_equal(move(b, b->dept, b->user), METE_E_INVALID);
    assert_int_equal(move(b, b->user, advertiser), METE_E_INVALID);
    assert_int_equal(move(b, b->org, other), METE_E_INVALID);
    assert_int_equal(move(b, b->user, 0), METE_E_NOT_FOUND);
    assert_int_equal(move(b, b->user, 99), METE_E_NOT_FOUND);
    assert_int_equal(move(b, 99, b->dept), METE_E_NOT_FOUND);
    uint32_t over = put_scope(b, METE_DEPARTMENT, "over", b->org);
    assert_int_equal(end_scope(b, over), 0);
    assert_int_equal(move(b, b->user, over), METE_E_NOT_FOUND);
    assert_int_equal(move(b, over, b->org), METE_E_NOT_FOUND);
    struct mete_change parent = scope_change(b, METE_USER, "ada", b->org);
    assert_int_equal(try_put(b, parent), METE_E_INVALID); /* a put does not move */
    assert_int_equal(move(b, b->user, b->dept), 0);       /* where it is */
}

/* INV-02 */
static void a_call_stays_with_the_path_it_was_made_on(void **state)
{
    struct bench *b = *state;
    uint32_t sales = put_scope(b, METE_DEPARTMENT, "sales", b->org);
    uint32_t research_budget = put_budget(b, b->dept, "research", 9000000000, METE_DAILY);
    uint32_t sales_budget = put_budget(b, sales, "sales", 9000000000, METE_DAILY);
    uint32_t own = put_budget(b, b->user, "own", 9000000000, METE_DAILY);
    uint64_t before = call(b);
    assert_int_equal(move(b, b->user, sales), 0);
    struct mete_scope_view view;
    assert_int_equal(ledger_scope(b->ledger, b->user, &view), 0);
    assert_int_equal(view.parent.n, sales);
    uint64_t after = call(b);
    stands(b, research_budget, 0, 1000000000);
    stands(b, sales_budget, 0, 1000000000);
    stands(b, own, 0, 2000000000);
    assert_int_equal(commit(b, before, 3), 0);
    went_over(b, (const uint32_t[]){b->key, b->user, b->dept, b->org}, 4);
    assert_int_equal(commit(b, after, 4), 0);
    went_over(b, NULL, 0);
    stands(b, research_budget, 3, 0);
    stands(b, sales_budget, 4, 0);
    stands(b, own, 7, 0);
    assert_int_equal(end_scope(b, b->dept), 0); /* nobody is in it any longer */
    assert_int_equal(end_scope(b, sales), METE_E_INVALID);
}

static void every_move_in_between_is_undone(void **state)
{
    struct bench *b = *state;
    uint32_t sales = put_scope(b, METE_DEPARTMENT, "sales", b->org);
    uint32_t bob = put_scope(b, METE_USER, "bob", b->org);
    uint64_t first = call(b);
    assert_int_equal(move(b, b->key, bob), 0);
    uint64_t second = call(b);
    assert_int_equal(move(b, bob, sales), 0);
    uint64_t third = call(b);
    assert_int_equal(move(b, b->key, b->user), 0);
    assert_int_equal(move(b, b->user, b->org), 0);
    uint64_t fourth = call(b);
    assert_int_equal(release(b, third), 0);
    went_over(b, (const uint32_t[]){b->key, bob, sales, b->org}, 4);
    assert_int_equal(release(b, first), 0);
    went_over(b, (const uint32_t[]){b->key, b->user, b->dept, b->org}, 4);
    assert_int_equal(release(b, fourth), 0);
    went_over(b, NULL, 0);
    assert_int_equal(release(b, second), 0);
    went_over(b, (const uint32_t[]){b->key, bob, b->org}, 3);
}

static void a_call_outlives_the_scope_it_was_made_under(void **state)
{
    struct bench *b = *state;
    uint32_t bob = put_scope(b, METE_USER, "bob", b->dept);
    uint32_t own = put_budget(b, b->user, "own", 9000000000, METE_DAILY);
    uint64_t open = call(b);
    assert_int_equal(move(b, b->key, bob), 0);
    assert_int_equal(end_scope(b, b->user), 0);
    uint32_t again = put_scope(b, METE_USER, "ada", b->dept);
    assert_true(again != b->user);
    assert_int_equal(commit(b, open, 9), 0);
    went_over(b, (const uint32_t[]){b->key, b->user, b->dept, b->org}, 4);
    stands(b, own, 9, 0);
}

/* ---- Departments in departments ---------------------------------------------------------------
 */

static struct mete_change move_change(uint32_t scope, uint32_t parent)
{
    return (struct mete_change){.kind = METE_MOVE_SCOPE, .at = {scope}, .parent = {parent}};
}

static int put_two(struct bench *b, const struct mete_change first, const struct mete_change second)
{
    const struct mete_change changes[2] = {first, second};
    const struct mete_apply args = {changes, 2, text("root")};
    uint32_t handles[2];
    struct ledger_batch batch;
    return ledger_check_changes(b->ledger, now(b), &args, handles, &batch);
}

static void departments_stand_in_departments_three_deep(void **state)
{
    struct bench *b = *state;
    uint32_t lab = put_scope(b, METE_DEPARTMENT, "lab", b->dept);
    uint32_t team = put_scope(b, METE_DEPARTMENT, "team", lab);
    assert_int_equal(try_put(b, scope_change(b, METE_DEPARTMENT, "deeper", team)), METE_E_INVALID);
    uint32_t bob = put_scope(b, METE_USER, "bob", team);
    uint32_t key = put_scope(b, METE_API_KEY, "k2", bob);
    uint32_t top = put_budget(b, b->dept, "top", 9000000000, METE_DAILY);
    uint32_t mid = put_budget(b, lab, "mid", 9000000000, METE_DAILY);
    b->key = key;
    uint64_t open = call(b);
    stands(b, top, 0, 1000000000);
    stands(b, mid, 0, 1000000000);
    uint32_t sales = put_scope(b, METE_DEPARTMENT, "sales", b->org);
    assert_int_equal(move(b, lab, sales), 0);
    assert_int_equal(commit(b, open, 3), 0);
    went_over(b, (const uint32_t[]){key, bob, team, lab, b->dept, b->org}, 6);
    stands(b, top, 3, 0);
    open = call(b);
    stands(b, top, 3, 0);
    assert_int_equal(commit(b, open, 4), 0);
    stands(b, mid, 7, 0);
    assert_int_equal(end_scope(b, lab), METE_E_INVALID);
}

static void a_move_makes_no_circle_and_nothing_too_deep(void **state)
{
    struct bench *b = *state;
    uint32_t lab = put_scope(b, METE_DEPARTMENT, "lab", b->dept);
    uint32_t team = put_scope(b, METE_DEPARTMENT, "team", lab);
    assert_int_equal(move(b, b->dept, b->dept), METE_E_INVALID);
    assert_int_equal(move(b, b->dept, lab), METE_E_INVALID);
    assert_int_equal(move(b, b->dept, team), METE_E_INVALID);
    uint32_t sales = put_scope(b, METE_DEPARTMENT, "sales", b->org);
    assert_int_equal(move(b, b->dept, sales), METE_E_INVALID); /* four deep */
    uint32_t east = put_scope(b, METE_DEPARTMENT, "east", sales);
    assert_int_equal(move(b, lab, east), METE_E_INVALID);
    assert_int_equal(move(b, lab, sales), 0);
    assert_int_equal(move(b, team, b->dept), 0);
    assert_int_equal(move(b, b->dept, sales), 0); /* now there are two of them */
    assert_int_equal(move(b, sales, team), METE_E_INVALID);
    assert_int_equal(move(b, lab, team), METE_E_INVALID);
    assert_int_equal(move(b, team, b->org), 0);
    assert_int_equal(move(b, sales, b->org), 0);
}

/* What a batch has done before counts for what comes behind it. */
static void a_batch_makes_no_circle_either(void **state)
{
    struct bench *b = *state;
    uint32_t sales = put_scope(b, METE_DEPARTMENT, "sales", b->org);
    uint32_t east = put_scope(b, METE_DEPARTMENT, "east", sales);
    assert_int_equal(put_two(b, move_change(b->dept, sales), move_change(sales, b->dept)),
                     METE_E_INVALID);
    assert_int_equal(
        put_two(b, move_change(b->dept, east), scope_change(b, METE_DEPARTMENT, "new", b->dept)),
        METE_E_INVALID);
    assert_int_equal(
        put_two(b, scope_change(b, METE_DEPARTMENT, "new", b->dept), move_change(b->dept, east)),
        METE_E_INVALID);
    assert_int_equal(put_two(b, move_change(east, b->dept), move_change(b->dept, sales)), 0);
    assert_int_equal(put_two(b, move_change(east, b->org), move_change(sales, east)), 0);
}

static int says(struct bench *b, struct entry entry)
{
    static struct ledger_effects effects;
    entry.seq = ledger_last_seq(b->ledger) + 1;
    entry.at_us = b->now_us;
    return ledger_apply(b->ledger, &entry, &effects);
}

/* What no decision makes the journal does not make either. */
static void an_entry_that_goes_too_deep_is_corrupt(void **state)
{
    struct bench *b = *state;
    uint32_t lab = put_scope(b, METE_DEPARTMENT, "lab", b->dept);
    uint32_t team = put_scope(b, METE_DEPARTMENT, "team", lab);
    struct entry made = {.kind = ENTRY_SCOPE};
    made.u.scope.handle = team + 1;
    made.u.scope.spec =
        (struct mete_scope_spec){METE_DEPARTMENT, text("new"), {b->org}, {team}, {0}, 0};
    assert_int_equal(says(b, made), METE_E_CORRUPT);
    uint32_t sales = put_scope(b, METE_DEPARTMENT, "sales", b->org);
    const uint32_t above[] = {b->dept, lab, team, sales};
    for (size_t i = 0; i < sizeof above / sizeof above[0]; i++) {
        struct entry moved = {.kind = ENTRY_SCOPE_MOVE};
        moved.u.scope_move.scope = b->dept;
        moved.u.scope_move.parent = above[i];
        assert_int_equal(says(b, moved), METE_E_CORRUPT);
    }
}

static int settle(struct bench *b, uint64_t id, int64_t cost, uint32_t flags)
{
    const struct mete_usage usage = {.currency = METE_USD, .amount = cost};
    const struct mete_commit args = {
        .reservation = {id}, .usage = &usage, .usage_len = 1, .outcome = {.flags = flags}};
    struct ledger_decision decision;
    int rc = ledger_decide_commit(b->ledger, now(b), &args, &b->receipt, &decision);
    if (rc == 0)
        apply(b, &decision.entry);
    return rc;
}

static void a_correction_stays_with_the_path_too(void **state)
{
    struct bench *b = *state;
    uint32_t sales = put_scope(b, METE_DEPARTMENT, "sales", b->org);
    uint32_t research_budget = put_budget(b, b->dept, "research", 9000000000, METE_DAILY);
    uint64_t id = call(b);
    assert_int_equal(settle(b, id, 50, METE_OUTCOME_PROVISIONAL), 0);
    assert_int_equal(move(b, b->user, sales), 0);
    assert_int_equal(move(b, b->user, b->org), 0); /* nothing is open, but the call is known */
    assert_int_equal(settle(b, id, 20, 0), 0);
    assert_true(b->receipt.corrected);
    went_over(b, (const uint32_t[]){b->key, b->user, b->dept, b->org}, 4);
    stands(b, research_budget, 20, 0);
}

static void moves_are_forgotten_when_no_call_is_older(void **state)
{
    struct bench *b = *state;
    uint32_t sales = put_scope(b, METE_DEPARTMENT, "sales", b->org);
    uint64_t open = call(b);
    struct ledger *ledger = b->ledger, *copy = b->copy;
    struct ledger_effects effects;
    /* More than can be kept, on a ledger alone: the helper proves each step and takes its time. */
    int64_t kept = 0;
    for (uint32_t i = 0; i < 2 * LIMIT_MOVES; i++, kept++) {
        const struct mete_change change = {
            .kind = METE_MOVE_SCOPE, .at = {b->user}, .parent = {i % 2 ? b->dept : sales}};
        struct ledger_decision decision;
        uint32_t handle;
        int rc =
            ledger_decide_change(ledger, now(b), &change, SLICE_LITERAL("t"), &handle, &decision);
        if (rc) {
            assert_int_equal(rc, METE_E_FULL);
            break;
        }
        assert_int_equal(ledger_apply(ledger, &decision.entry, &effects), 0);
        assert_int_equal(ledger_apply(copy, &decision.entry, NULL), 0);
    }
    assert_int_equal(kept, LIMIT_MOVES); /* the open call is older than all of them */
    assert_int_equal(release(b, open), 0);
    went_over(b, (const uint32_t[]){b->key, b->user, b->dept, b->org}, 4);
    assert_int_equal(move(b, b->user, sales), 0);
    open = call(b);
    assert_int_equal(move(b, b->user, b->dept), 0);
    assert_int_equal(release(b, open), 0);
    went_over(b, (const uint32_t[]){b->key, b->user, sales, b->org}, 4);
}

/* ---- Batches --------------------------------------------------------------------------------- */

/* Checks a batch, and that each change in turn is then agreed to as well. */
static int batch(struct bench *b, struct mete_change *changes, size_t len, size_t *ret_failed)
{
    const struct mete_apply args = {.changes = changes, .len = len};
    struct ledger_batch said = {0};
    uint32_t handles[8], handle = 0;
    assert_true(len <= 8);
    int rc = ledger_check_changes(b->ledger, now(b), &args, handles, &said);
    *ret_failed = said.failed;
    for (size_t i = 0; rc == 0 && i < len; i++) {
        struct mete_scope_id *const scopes[] = {&changes[i].at, &changes[i].parent,
                                                &changes[i].scope.parent, &changes[i].budget.scope,
                                                &changes[i].grant.scope};
        for (size_t s = 0; s < 5; s++)
            if (scopes[s]->n >= METE_FROM_CHANGE(0))
                scopes[s]->n = handles[scopes[s]->n - METE_FROM_CHANGE(0)];
        assert_int_equal(put(b, &changes[i], &handle), 0);
        assert_int_equal(handle, handles[i]);
    }
    return rc;
}

static void a_batch_takes_a_branch_down_and_builds_it_anew(void **state)
{
    struct bench *b = *state;
    size_t failed;
    put_budget(b, b->user, "own", 5, METE_DAILY);
    struct mete_change changes[] = {
        {.kind = METE_MOVE_SCOPE, .at = {b->key}, .parent = {b->dept}},
        {.kind = METE_END_SCOPE, .at = {b->user}},
        scope_change(b, METE_USER, "ada", b->dept),
        budget_change(METE_FROM_CHANGE(2), "own", 7, METE_DAILY),
        {.kind = METE_MOVE_SCOPE, .at = {b->key}, .parent = {METE_FROM_CHANGE(2)}},
    };
    assert_int_equal(batch(b, changes, 5, &failed), 0);
    struct mete_scope_view view;
    assert_int_equal(ledger_scope(b->ledger, b->key, &view), 0);
    assert_int_equal(view.parent.n, find(b, METE_USER, "ada"));
    assert_true(view.parent.n != b->user);
}

static void a_batch_knows_what_it_ended(void **state)
{
    struct bench *b = *state;
    size_t failed;
    uint32_t own = put_budget(b, b->key, "own", INT64_C(9000000000), METE_DAILY);
    struct mete_change changes[4] = {{.kind = METE_END_SCOPE, .at = {b->key}},
                                     {.kind = METE_END_BUDGET, .end = {own}}};
    assert_int_equal(batch(b, changes, 2, &failed), METE_E_NOT_FOUND);
    assert_int_equal(failed, 1);
    changes[1] = budget_change(b->key, "new", 5, METE_DAILY);
    assert_int_equal(batch(b, changes, 2, &failed), METE_E_NOT_FOUND);
    changes[1] = (struct mete_change){.kind = METE_END_SCOPE, .at = {b->user}};
    changes[2] = scope_change(b, METE_API_KEY, "k2", b->user);
    assert_int_equal(batch(b, changes, 3, &failed), METE_E_INVALID);
    assert_int_equal(failed, 2);
    changes[1] = scope_change(b, METE_API_KEY, "k1", b->user);
    changes[2] = (struct mete_change){.kind = METE_END_SCOPE, .at = {b->user}};
    assert_int_equal(batch(b, changes, 3, &failed), METE_E_INVALID); /* the new key is its child */
    assert_int_equal(failed, 2);
    assert_true(call(b)); /* now its id stays taken */
    assert_int_equal(batch(b, changes, 2, &failed), METE_E_EXISTS);
    changes[1] = budget_change(b->org, "own", 5, METE_DAILY);
    assert_int_equal(batch(b, changes, 2, &failed), METE_E_EXISTS);
}

static void a_grants_id_stays_taken_when_the_batch_ends_its_scope(void **state)
{
    struct bench *b = *state;
    size_t failed;
    struct mete_change changes[] = {
        scope_change(b, METE_API_KEY, "k2", b->user),
        {.kind = METE_PUT_GRANT,
         .grant = {.id = text("g"), .scope = {METE_FROM_CHANGE(0)}, .meter = METE_INPUT}},
        {.kind = METE_END_SCOPE, .at = {METE_FROM_CHANGE(0)}},
        {.kind = METE_PUT_GRANT,
         .grant = {.id = text("g"), .scope = {b->user}, .meter = METE_INPUT}},
    };
    assert_int_equal(batch(b, changes, 4, &failed), METE_E_EXISTS);
    assert_int_equal(failed, 3);
    assert_int_equal(batch(b, changes, 3, &failed), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(children_go_before_their_parent),
        TEST(an_ended_scope_refuses_and_takes_nothing_new),
        TEST(what_a_scope_had_ends_with_it_and_still_settles),
        TEST(a_record_at_an_ended_scope_charges_those_above),
        TEST(an_id_is_free_once_nothing_is_open),
        TEST(a_repeated_request_of_an_ended_scope_is_answered),
        TEST(a_move_that_does_not_fit_the_tree_is_refused),
        TEST(a_call_stays_with_the_path_it_was_made_on),
        TEST(every_move_in_between_is_undone),
        TEST(a_call_outlives_the_scope_it_was_made_under),
        TEST(a_correction_stays_with_the_path_too),
        TEST(departments_stand_in_departments_three_deep),
        TEST(a_move_makes_no_circle_and_nothing_too_deep),
        TEST(a_batch_makes_no_circle_either),
        TEST(an_entry_that_goes_too_deep_is_corrupt),
        TEST(moves_are_forgotten_when_no_call_is_older),
        TEST(a_batch_takes_a_branch_down_and_builds_it_anew),
        TEST(a_batch_knows_what_it_ended),
        TEST(a_grants_id_stays_taken_when_the_batch_ends_its_scope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
