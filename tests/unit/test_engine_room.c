/* SPDX-License-Identifier: Apache-2.0
 * Proves that where there is no room an operation waits instead of being lost: more bytes than a
 * group of the journal or the records' ring has in one turn, more events than a batch, with the
 * owner as a thread and in the caller's turn, on disk and in memory; each operation is answered
 * once, in order, and everything is in the records. And that what may not be asked is refused. */
#include "base/limits.h"
#include "engine/verify.h"
#include "unit/engine_help.h"
#include "unit/temp.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { DOCUMENTS = 1500, IN_FLIGHT = 200, KEYS = 140, BUDGETS = LIMIT_SCOPE_BUDGETS };

static char directory[64];
static struct mete *mete;
static struct mete_port *port;
static _Atomic uint64_t thresholds;

static int set_up(void **state)
{
    (void)state;
    atomic_store(&thresholds, 0);
    return temp_make(directory, sizeof directory);
}

static int tear_down(void **state)
{
    (void)state;
    return temp_remove(directory);
}

static void open_it(const char *where, enum mete_owner owner)
{
    const struct mete_options options = {
        .directory = where, .owner = owner, .no_audit = 1, .scopes_max = 256, .budgets_max = 2048};
    assert_int_equal(mete_open(&options, &mete), 0);
    assert_int_equal(mete_port_open(mete, &port), 0);
    assert_int_equal(help_tree(port, INT64_C(1000000000)), 0);
}

static void close_it(void)
{
    mete_port_close(port);
    mete_close(mete);
}

static size_t step(enum mete_owner owner)
{
    if (owner == METE_OWNER_CALLER) {
        mete_turn(mete, NULL);
        return mete_poll(port, IN_FLIGHT);
    }
    struct pollfd readable = {.fd = mete_port_fd(port), .events = POLLIN};
    (void)poll(&readable, 1, 1000);
    return mete_poll(port, IN_FLIGHT);
}

/* ---- Large documents ------------------------------------------------------------------------- */

static struct mete_op ops[DOCUMENTS];
static struct mete_change changes[DOCUMENTS];
static uint32_t handles[DOCUMENTS][1];
static char document[LIMIT_DOCUMENT];

static void fill_op(int i)
{
    changes[i] = help_scope(METE_API_KEY, "key", HELP_ORGANIZATION, HELP_USER);
    changes[i].document = (struct mete_text){document, sizeof document - (size_t)i};
    ops[i] = (struct mete_op){.kind = METE_OP_APPLY,
                              .args.apply = {&changes[i], 1, help_text("root")},
                              .handles = handles[i]};
}

static void put_documents(enum mete_owner owner)
{
    size_t submitted = 0, answered = 0;
    memset(document, ' ', sizeof document);
    while (answered < DOCUMENTS) {
        struct mete_op *list[IN_FLIGHT];
        size_t len = 0;
        while (submitted + len < DOCUMENTS && submitted + len - answered < IN_FLIGHT) {
            fill_op((int)(submitted + len));
            list[len] = &ops[submitted + len];
            len++;
        }
        submitted += mete_submit(port, list, len);
        answered += step(owner);
    }
    uint64_t last = 0;
    for (int i = 0; i < DOCUMENTS; i++) {
        assert_int_equal(ops[i].status, 0);
        assert_int_equal(handles[i][0], HELP_KEY);
        assert_true(ops[i].result.applied.seq > last);
        last = ops[i].result.applied.seq;
    }
}

static void documents_wait_for_room(enum mete_owner owner)
{
    struct mete_answer answer;
    struct verify_report report;
    open_it(directory, owner);
    put_documents(owner);
    assert_int_equal(help_ask(port, METE_QUERY_PROJECTED, &answer), 0);
    close_it();
    int error = engine_verify(directory, &report);
    if (error)
        fail_msg("%s", report.detail);
    assert_int_equal(report.records_seq, report.last_seq);
}

static void what_finds_no_room_in_a_turn_waits(void **state)
{
    (void)state;
    documents_wait_for_room(METE_OWNER_CALLER);
}

static void what_finds_no_room_at_the_owner_waits(void **state)
{
    (void)state;
    documents_wait_for_room(METE_OWNER_THREAD);
}

/* ---- Many events ----------------------------------------------------------------------------- */

static void note_event(void *user, const struct mete_event *event)
{
    (void)user;
    if (event->kind == METE_EVENT_THRESHOLD)
        atomic_fetch_add(&thresholds, 1);
}

/* A key with budgets of all the thresholds there may be. */
static uint32_t make_key(int n)
{
    static char ids[BUDGETS + 1][16];
    static struct mete_change all[BUDGETS + 1];
    static uint32_t made[BUDGETS + 1];
    struct mete_applied applied;
    snprintf(ids[0], sizeof ids[0], "k%d", n);
    all[0] = help_scope(METE_API_KEY, ids[0], HELP_ORGANIZATION, HELP_USER);
    for (int i = 1; i <= BUDGETS; i++) {
        snprintf(ids[i], sizeof ids[i], "b%d-%d", n, i);
        all[i] = help_budget(ids[i], METE_FROM_CHANGE(0), METE_TOTAL, 1000);
        all[i].budget.thresholds_len = METE_THRESHOLDS_MAX;
        for (uint32_t k = 0; k < METE_THRESHOLDS_MAX; k++)
            all[i].budget.thresholds_ppm[k] = 1000 * (k + 1);
    }
    const struct mete_apply args = {all, BUDGETS + 1, help_text("root")};
    assert_int_equal(mete_apply(port, &args, made, &applied), 0);
    return made[0];
}

static void cross_all(enum mete_owner owner, const char *where)
{
    static const struct mete_usage usage = {METE_COST, METE_USD, 900};
    static struct mete_op records[KEYS];
    struct mete_op *list[KEYS];
    open_it(where, owner);
    mete_on_event(mete, note_event, NULL);
    for (int i = 0; i < KEYS; i++) {
        records[i] = (struct mete_op){
            .kind = METE_OP_RECORD,
            .args.record = {.scope = {make_key(i)}, .usage = &usage, .usage_len = 1}};
        list[i] = &records[i];
    }
    size_t answered = 0;
    assert_int_equal(mete_submit(port, list, KEYS), KEYS);
    while (answered < KEYS)
        answered += step(owner);
    for (int i = 0; i < KEYS; i++)
        assert_int_equal(records[i].status, 0);
    close_it();
    assert_int_equal(atomic_load(&thresholds), KEYS * BUDGETS * METE_THRESHOLDS_MAX);
}

static void every_event_is_told_in_memory(void **state)
{
    (void)state;
    cross_all(METE_OWNER_CALLER, NULL);
}

static void every_event_is_told_on_disk(void **state)
{
    (void)state;
    cross_all(METE_OWNER_CALLER, directory);
}

/* ---- What may not be asked --------------------------------------------------------------------
 */

static void options_out_of_range_open_nothing(void **state)
{
    (void)state;
    struct mete *none = NULL;
    const struct mete_options owners = {.owner = (enum mete_owner)7},
                              shares = {.audit_ppm = 1000001}, fine = {0};
    assert_int_equal(mete_open(NULL, &none), METE_E_INVALID);
    assert_int_equal(mete_open(&fine, NULL), METE_E_INVALID);
    assert_int_equal(mete_open(&owners, &none), METE_E_INVALID);
    assert_int_equal(mete_open(&shares, &none), METE_E_INVALID);
    assert_null(none);
    mete_close(NULL);
}

static int ignore(void *user, const struct mete_step *step)
{
    (void)user, (void)step;
    return 0;
}

static void memory_has_nothing_to_keep(void **state)
{
    (void)state;
    uint64_t seq = 77;
    open_it(NULL, METE_OWNER_THREAD);
    assert_int_equal(mete_snapshot(mete, &seq), METE_E_INVALID);
    assert_int_equal(mete_cut(mete, &seq), METE_E_INVALID);
    assert_int_equal(mete_backup(mete, directory, &seq), METE_E_INVALID);
    assert_int_equal(
        mete_explain(mete, (struct mete_budget_id){1}, (struct mete_instant){0}, ignore, NULL),
        METE_E_INVALID);
    assert_int_equal(seq, 77);
    close_it();
    open_it(directory, METE_OWNER_THREAD);
    assert_int_equal(mete_backup(mete, NULL, &seq), METE_E_INVALID);
    assert_int_equal(
        mete_explain(mete, (struct mete_budget_id){9}, (struct mete_instant){0}, ignore, NULL),
        METE_E_NOT_FOUND);
    assert_int_equal(mete_cut(mete, &seq), 0);
    uint64_t again;
    assert_int_equal(mete_cut(mete, &again), 0);
    assert_true(again > seq); /* the first one's base is an entry */
    close_it();
}

static int ask(enum mete_query_kind kind, uint32_t handle, struct mete_answer *ret_answer)
{
    static struct mete_budget_view budgets[1];
    static struct mete_rate_view rates[1];
    struct mete_query query = {.kind = kind,
                               .scope = {handle},
                               .budget = {handle},
                               .organization = {HELP_ORGANIZATION},
                               .id = help_text("nobody"),
                               .meter = (uint16_t)handle,
                               .budgets = budgets,
                               .budgets_max = 1,
                               .rates = rates,
                               .rows_max = 1};
    return mete_query(port, &query, ret_answer);
}

static void an_answer_tells_how_many_there_are(void **state)
{
    (void)state;
    static const enum mete_query_kind kinds[] = {
        METE_QUERY_SCOPE,      METE_QUERY_BUDGET,    METE_QUERY_PATH,        METE_QUERY_RATES,
        METE_QUERY_QUOTAS,     METE_QUERY_GRANTS,    METE_QUERY_INCREASES,   METE_QUERY_METER,
        METE_QUERY_FIND_SCOPE, METE_QUERY_FIND_RATE, METE_QUERY_FIND_BUDGET, METE_QUERY_FIND_GRANT,
        METE_QUERY_FIND_METER};
    struct mete_answer answer;
    struct mete_applied applied;
    uint32_t made[4];
    open_it(NULL, METE_OWNER_THREAD);
    struct mete_change all[] = {help_budget("one", HELP_KEY, METE_TOTAL, 5),
                                help_budget("two", HELP_USER, METE_TOTAL, 5),
                                {.kind = METE_PUT_RATE_LIMIT},
                                {.kind = METE_PUT_RATE_LIMIT}};
    for (uint32_t i = 2; i < 4; i++)
        all[i].rate = (struct mete_rate_spec){.id = help_text(i == 2 ? "a" : "b"),
                                              .scope = {HELP_KEY},
                                              .meter = METE_REQUESTS,
                                              .limit = 5,
                                              .period_ms = 1000};
    const struct mete_apply args = {all, 4, help_text("root")};
    assert_int_equal(mete_apply(port, &args, made, &applied), 0);
    assert_int_equal(ask(METE_QUERY_PATH, HELP_KEY, &answer), 0);
    assert_int_equal(answer.budgets_len, 3);
    assert_int_equal(ask(METE_QUERY_RATES, HELP_KEY, &answer), 0);
    assert_int_equal(answer.rows_len, 2);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        assert_int_equal(ask(kinds[i], 999, &answer), METE_E_NOT_FOUND);
    assert_int_equal(ask((enum mete_query_kind)99, 1, &answer), METE_E_INVALID);
    close_it();
}

static void ports_have_a_limit(void **state)
{
    (void)state;
    static struct mete_port *ports[LIMIT_PORTS];
    struct mete_port *one_more = NULL;
    open_it(NULL, METE_OWNER_THREAD);
    for (int i = 1; i < LIMIT_PORTS; i++)
        assert_int_equal(mete_port_open(mete, &ports[i]), 0);
    assert_int_equal(mete_port_open(mete, &one_more), METE_E_FULL);
    assert_null(one_more);
    mete_port_close(ports[9]);
    assert_int_equal(mete_port_open(mete, &ports[9]), 0); /* one that was given back */
    for (int i = 1; i < LIMIT_PORTS; i++)
        mete_port_close(ports[i]);
    mete_port_close(NULL);
    close_it();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(what_finds_no_room_in_a_turn_waits), CASE(what_finds_no_room_at_the_owner_waits),
        CASE(every_event_is_told_in_memory),      CASE(every_event_is_told_on_disk),
        CASE(options_out_of_range_open_nothing),  CASE(memory_has_nothing_to_keep),
        CASE(an_answer_tells_how_many_there_are), CASE(ports_have_a_limit),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
