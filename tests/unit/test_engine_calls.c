/* SPDX-License-Identifier: Apache-2.0
 * Proves that verify, explanations, backups and snapshots answer as they do when nothing fails, or
 * say what failed, whatever call into SQLite, for a file or for memory fails: calls_help.h has the
 * rule. The directories have all that is added up anew: windows of every kind, amounts carried on,
 * other currencies, calls that are corrected, a base, snapshots; and more of each than the rooms
 * that are made for them at first. */
#include "engine/backup.h"
#include "unit/calls_help.h"
#include "unit/engine_help.h"

#include <stdatomic.h>

#define EUR METE_CURRENCY('E', 'U', 'R')
#define HOUR_US INT64_C(3600000000)

enum { MANY_CALLS = 530, MANY_RATES = 66, KEYS = 28, OWN = 8, MANY = KEYS * (OWN + 1) };
enum { CARRIES = 3 }; /* the handle of a budget */

static char room[64], whole[80], cut[80];
static struct mete *mete;
static struct mete_port *port;
static _Atomic int64_t now;

static int64_t now_us(void *user)
{
    (void)user;
    return atomic_load(&now);
}

/* ---- What there is --------------------------------------------------------------------------- */

static void open_it(const char *at)
{
    const struct mete_options options = {.directory = at,
                                         .clock = {now_us, NULL},
                                         .no_audit = 1,
                                         .scopes_max = 256,
                                         .budgets_max = 2048,
                                         .reservations_max = 1024,
                                         .outcomes_max = 1024};
    assert_int_equal(mete_open(&options, &mete), 0);
    assert_int_equal(mete_port_open(mete, &port), 0);
}

static void close_it(void)
{
    mete_port_close(port);
    mete_close(mete);
}

static void apply(const struct mete_change *changes, size_t len)
{
    static uint32_t handles[MANY];
    struct mete_applied applied;
    const struct mete_apply args = {changes, len, help_text("root")};
    int error = mete_apply(port, &args, handles, &applied);
    if (error)
        fail_msg("change %zu: %s", applied.failed, mete_error_name(error));
}

static struct mete_change carrying(const char *id, int64_t limit)
{
    struct mete_change change = help_budget(id, HELP_USER, METE_HOURLY, limit);
    change.budget.rollover_cap = 700;
    return change;
}

static struct mete_change rate(int64_t numerator)
{
    return (struct mete_change){.kind = METE_PUT_EXCHANGE,
                                .exchange = {METE_USD, EUR, numerator, 7, {now_us(NULL)}}};
}

static void make_budgets(void)
{
    assert_int_equal(help_tree(port, INT64_C(1000000000)), 0);
    struct mete_change changes[] = {
        help_budget("rolling", HELP_KEY, METE_ROLLING, 1000000),
        carrying("carries", 1000),
        help_budget("euros", HELP_DEPARTMENT, METE_TOTAL, 1000000),
        rate(5),
        carrying("each", 900),
        {.kind = METE_PUT_GRANT},
        {.kind = METE_PUT_RATE_LIMIT},
    };
    changes[0].budget.window_seconds = 64 * 60;
    changes[2].budget.currency = EUR;
    changes[4].budget.scope.n = HELP_ORGANIZATION;
    changes[4].budget.for_kind = METE_USER;
    changes[5].grant = (struct mete_grant_spec){.id = help_text("gift"),
                                                .scope = {HELP_USER},
                                                .meter = METE_COST,
                                                .currency = METE_USD,
                                                .amount = 1000000};
    changes[6].rate = (struct mete_rate_spec){.id = help_text("calls"),
                                              .scope = {HELP_KEY},
                                              .meter = METE_REQUESTS,
                                              .limit = 100000,
                                              .period_ms = 1000};
    apply(changes, 7);
}

static struct mete_reservation_id reserve(int64_t amount, enum mete_expiry on_expiry)
{
    struct mete_verdict verdict;
    assert_int_equal(help_hold(port, amount, on_expiry, &verdict), 0);
    assert_true(verdict.allowed);
    return verdict.reservation;
}

static void commit(struct mete_reservation_id id, int64_t amount)
{
    struct mete_receipt receipt;
    assert_int_equal(help_commit(port, id, amount, &receipt), 0);
}

/* What is due by then is done. */
static void pass(int64_t us)
{
    struct mete_answer answer;
    atomic_fetch_add(&now, us);
    commit(reserve(3, METE_EXPIRY_RELEASE), 1);
    assert_int_equal(help_ask(port, METE_QUERY_PROJECTED, &answer), 0);
}

/* Calls that end in their window, after it, by expiry, and that are corrected after that. */
static void spend(void)
{
    const struct mete_reservation_id late = reserve(200, METE_EXPIRY_RELEASE),
                                     never = reserve(100, METE_EXPIRY_CHARGE),
                                     vanished = reserve(50, METE_EXPIRY_RELEASE);
    commit(reserve(110, METE_EXPIRY_RELEASE), 90);
    pass(HOUR_US);
    commit(late, 120);
    pass(HOUR_US);
    commit(never, 60);
    commit(vanished, 30);
}

static void make_many_budgets(int batch)
{
    static struct mete_change many[MANY];
    static char ids[MANY][16];
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t own = i % (OWN + 1);
        snprintf(ids[i], sizeof ids[i], "m%d-%u", batch, i);
        many[i] = own ? help_budget(ids[i], METE_FROM_CHANGE(i - own), METE_TOTAL, 1000)
                      : help_scope(METE_API_KEY, ids[i], HELP_ORGANIZATION, HELP_USER);
    }
    apply(many, MANY);
}

static void make_whole(void)
{
    uint64_t seq;
    open_it(whole);
    make_budgets();
    spend();
    for (int batch = 0; batch < 5; batch++)
        make_many_budgets(batch);
    for (int i = 0; i < MANY_RATES; i++) {
        const struct mete_change change = rate(5 + i);
        apply(&change, 1);
    }
    for (int i = 0; i < MANY_CALLS; i++)
        (void)reserve(1, METE_EXPIRY_CHARGE);
    assert_int_equal(mete_snapshot(mete, &seq), 0);
    spend();
    close_it();
}

static void make_cut(void)
{
    uint64_t seq;
    open_it(cut);
    make_budgets();
    spend();
    const struct mete_reservation_id late = reserve(200, METE_EXPIRY_CHARGE);
    pass(2 * HOUR_US); /* it has expired, and may be corrected */
    (void)reserve(20, METE_EXPIRY_RELEASE);
    assert_int_equal(mete_cut(mete, &seq), 0);
    commit(late, 20);
    spend();
    assert_int_equal(mete_snapshot(mete, &seq), 0);
    spend();
    close_it();
}

/* ---- Verify ---------------------------------------------------------------------------------- */

static int verify(const char *at, struct told *told)
{
    struct verify_report report;
    int error = engine_verify(at, &report);
    if (error)
        return error;
    tell(told, report.entries);
    tell(told, report.usage);
    tell(told, report.events);
    tell(told, report.entities);
    tell(told, report.primary);
    tell(told, report.snapshots);
    tell(told, report.windows);
    tell(told, report.drift);
    tell(told, report.state_hash[0]);
    return 0;
}

static int verify_whole(struct told *told)
{
    return verify(whole, told);
}

static int verify_cut(struct told *told)
{
    return verify(cut, told);
}

/* Nothing was to be written. */
static void look_at_nothing(const struct told *told)
{
    assert_int_equal(told->steps, 0);
}

/* ---- Beside an engine that is open ----------------------------------------------------------- */

static int add_step(void *user, const struct mete_step *step)
{
    uint64_t *sums = user;
    sums[0]++;
    sums[1] += (uint64_t)(step->committed + step->held);
    return 0;
}

static int explain(struct told *told)
{
    uint64_t sums[2] = {0};
    const struct mete_budget_id carries = {CARRIES};
    const struct mete_instant since = {atomic_load(&now) - HOUR_US};
    int error = mete_explain(mete, carries, since, add_step, sums);
    if (!error) {
        tell(told, sums[0]);
        tell(told, sums[1]);
    }
    return error;
}

static int add_quota_step(void *user, const struct mete_quota_step *step)
{
    uint64_t *sums = user;
    sums[0]++;
    sums[1] += (uint64_t)(step->granted + step->drawn + step->held);
    return 0;
}

static int explain_quota(struct told *told)
{
    uint64_t sums[2] = {0};
    const struct mete_quota_question question = {
        .scope = {HELP_USER}, .meter = METE_COST, .currency = METE_USD};
    int error = mete_explain_quota(mete, &question, add_quota_step, sums);
    if (!error) {
        tell(told, sums[0]);
        tell(told, sums[1]);
    }
    return error;
}

static char backup[96];

static int back_up(struct told *told)
{
    uint64_t seq;
    snprintf(backup, sizeof backup, "%s/backup", directory);
    int error = mete_backup(mete, backup, &seq);
    if (!error)
        told->steps = seq;
    return error;
}

/* All of it, or nothing that anybody would take for it. */
static void look_at_backup(const struct told *told)
{
    struct verify_report report;
    struct stat found;
    if (!told->steps && stat(backup, &found))
        return;
    int error = engine_verify(backup, &report);
    if (error)
        fail_msg("%s", report.detail);
    assert_true(!told->steps || report.last_seq == told->steps);
}

/* Whose start is over: what it deletes of a cut journal, and what it puts in order of the records,
 * must not fail (INV-15). */
static void fail_beside(const char *at, const struct life *life)
{
    uint64_t seq;
    open_it(at);
    assert_int_equal(mete_backup(mete, at, &seq), METE_E_EXISTS); /* an order is carried out */
    sleep(2); /* the projector has nothing to tell when it is done */
    fail_everywhere(life);
    close_it();
}

/* ---- The tests ------------------------------------------------------------------------------- */

LIFE(a_verify_that_cannot_read_says_so, NULL, verify_whole, look_at_nothing, 59)
LIFE(so_does_one_of_what_was_cut, NULL, verify_cut, look_at_nothing, 7)

static void an_explanation_that_fails_says_so(void **state)
{
    (void)state;
    static const struct life life = {"explain", NULL, explain, look_at_nothing, 5};
    fail_beside(whole, &life);
    fail_beside(cut, &life);
}

static void one_of_a_quota_does(void **state)
{
    (void)state;
    static const struct life life = {"explain_quota", NULL, explain_quota, look_at_nothing, 7};
    fail_beside(whole, &life);
    fail_beside(cut, &life);
}

static void a_backup_that_fails_is_not_there(void **state)
{
    (void)state;
    static const struct life life = {"back_up", NULL, back_up, look_at_backup, 11};
    fail_beside(cut, &life);
}

static int make_all(void **state)
{
    (void)state;
    alloc_init(false);
    memory_step = 397;
    memory_ends = 90;
    atomic_store(&now, INT64_C(1790000000000000));
    if (temp_make(room, sizeof room))
        return -1;
    snprintf(whole, sizeof whole, "%s/whole", room);
    snprintf(cut, sizeof cut, "%s/cut", room);
    make_whole();
    make_cut();
    return 0;
}

static int remove_all(void **state)
{
    (void)state;
    return temp_remove(room);
}

static int tear_down(void **state)
{
    (void)state;
    return temp_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_teardown(name, tear_down)
        CASE(a_verify_that_cannot_read_says_so), CASE(so_does_one_of_what_was_cut),
        CASE(an_explanation_that_fails_says_so), CASE(one_of_a_quota_does),
        CASE(a_backup_that_fails_is_not_there),
#undef CASE
    };
    return cmocka_run_group_tests(tests, make_all, remove_all);
}
