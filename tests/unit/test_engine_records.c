/* SPDX-License-Identifier: Apache-2.0
 * Proves that a record says all that a call was made with and what came of it, however it ended and
 * whatever happened between (a stop, a snapshot, records made anew): session, tags, details, and a
 * fingerprint that tells equal questions of one installation and none of another. And that verify
 * finds any of it changed, but for what records of an earlier version never had. */
#include "engine/verify.h"
#include "store/records.h"
#include "unit/engine_help.h"
#include "unit/temp.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { CONTENT = 4711, SEEN_MAX = 8 };

static char directory[64];
static struct mete *mete;
static struct mete_port *port;

static int set_up(void **state)
{
    (void)state;
    return temp_make(directory, sizeof directory);
}

static int tear_down(void **state)
{
    (void)state;
    return temp_remove(directory);
}

static void open_it(void)
{
    const struct mete_options options = {.directory = directory};
    assert_int_equal(mete_open(&options, &mete), 0);
    assert_int_equal(mete_port_open(mete, &port), 0);
}

static void close_it(void)
{
    mete_port_close(port);
    mete_close(mete);
}

static struct mete_reservation_id begin(const char *request_id, uint64_t content)
{
    const struct mete_demand demand = {METE_COST, METE_USD, 1000, 0};
    const struct mete_text tags[] = {help_text("blue"), help_text("check out")};
    const struct mete_reserve args = {.scope = {HELP_KEY},
                                      .request_id = help_text(request_id),
                                      .content = content,
                                      .model = help_text("gpt-4o"),
                                      .provider = help_text("openai"),
                                      .session = help_text("chat-7"),
                                      .tags = tags,
                                      .tags_len = 2,
                                      .demands = &demand,
                                      .demands_len = 1,
                                      .ttl_ms = 60000,
                                      .flags = METE_RESERVE_CALL};
    struct mete_verdict verdict;
    assert_int_equal(mete_reserve(port, &args, NULL, 0, &verdict), 0);
    assert_true(verdict.allowed);
    return verdict.reservation;
}

static void commit(struct mete_reservation_id id)
{
    const struct mete_part parts[] = {{METE_INPUT, 300}, {METE_OUTPUT, 400}};
    const struct mete_usage usage[] = {{METE_COST, METE_USD, 700}, {METE_INPUT, 0, 11}};
    const struct mete_commit args = {.reservation = id,
                                     .usage = usage,
                                     .usage_len = 2,
                                     .outcome = {.details = {.upstream_id = help_text("up-1"),
                                                             .dialect = help_text("openai-chat"),
                                                             .stream = 1,
                                                             .parts = parts,
                                                             .parts_len = 2}}};
    struct mete_receipt receipt;
    assert_int_equal(mete_commit(port, &args, &receipt), 0);
}

/* ---- Looking ---- */

struct seen {
    size_t len;
    uint64_t fingerprints[SEEN_MAX]; /* newest first */
    size_t with_details, provisional, corrections;
};

static int note(void *user, const struct records_usage *usage)
{
    struct seen *seen = user;
    assert_true(slice_is(usage->session, "chat-7"));
    assert_true(slice_is(usage->tags, "blue\ncheck out"));
    assert_true(slice_is(usage->model, "gpt-4o") && slice_is(usage->provider, "openai"));
    assert_true(usage->user.n == HELP_USER && usage->key.n == HELP_KEY);
    assert_true(seen->len < SEEN_MAX);
    seen->fingerprints[seen->len++] = usage->fingerprint;
    seen->with_details += usage->details.len > 0;
    seen->provisional += (usage->outcome.flags & METE_OUTCOME_PROVISIONAL) != 0;
    seen->corrections += usage->corrects != 0;
    return 0;
}

static struct seen look(struct records_filter filter)
{
    struct seen seen = {0};
    struct records_reader *reader;
    filter.limit = SEEN_MAX;
    assert_int_equal(records_reader_open(os_system(), directory, &reader), 0);
    assert_int_equal(records_each_usage(reader, &filter, note, &seen), 0);
    records_reader_close(reader);
    return seen;
}

static void must_be_clean(void)
{
    struct verify_report report;
    if (engine_verify(directory, &report))
        fail_msg("%s", report.detail);
}

static void sql(const char *text)
{
    char path[128];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/records.db", directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void is_found_out(const char *change)
{
    struct verify_report report;
    sql(change);
    assert_int_equal(engine_verify(directory, &report), METE_E_CORRUPT);
    assert_non_null(strstr(report.detail, "usage record"));
}

/* ---- Proofs ---- */

static void an_end_tells_all_and_verify_sees_each_change(void **state)
{
    (void)state;
    open_it();
    assert_int_equal(help_tree(port, 1000000), 0);
    commit(begin("", CONTENT));
    commit(begin("r-1", CONTENT));
    commit(begin("", CONTENT + 1));
    close_it();
    struct seen seen = look((struct records_filter){.upstream_id = slice_of("up-1")});
    assert_true(seen.len == 3 && seen.with_details == 3);
    assert_true(seen.fingerprints[2] && seen.fingerprints[2] != CONTENT);
    assert_true(seen.fingerprints[2] == seen.fingerprints[1]); /* with an id or without */
    assert_true(seen.fingerprints[0] && seen.fingerprints[0] != seen.fingerprints[1]);
    assert_int_equal(look((struct records_filter){.tag = slice_of("check out")}).len, 3);
    must_be_clean();
    is_found_out("UPDATE detail SET session='chat-8' WHERE seq=(SELECT max(seq) FROM detail)");
    sql("UPDATE detail SET session='chat-7'");
    is_found_out("UPDATE detail SET tags='blue' WHERE seq=(SELECT max(seq) FROM detail)");
    sql("UPDATE detail SET tags='blue'||char(10)||'check out'");
    must_be_clean();
    is_found_out("UPDATE detail SET fingerprint=fingerprint+1");
    sql("UPDATE detail SET fingerprint=fingerprint-1");
    is_found_out("UPDATE detail SET details=NULL");
}

static void no_other_installation_has_the_same_fingerprint(void **state)
{
    (void)state;
    uint64_t first = 0;
    for (int i = 0; i < 2; i++) {
        open_it();
        assert_int_equal(help_tree(port, 1000000), 0);
        commit(begin("", CONTENT));
        close_it();
        struct seen seen = look((struct records_filter){0});
        assert_true(seen.fingerprints[0] && seen.fingerprints[0] != first);
        first = seen.fingerprints[0];
        assert_int_equal(temp_remove(directory), 0);
        assert_int_equal(temp_make(directory, sizeof directory), 0);
    }
}

/* A call under way at a stop; by_snapshot: and read back from a snapshot, not from its entry. */
static void cut_off(bool by_snapshot)
{
    uint64_t seq;
    open_it();
    assert_int_equal(help_tree(port, 1000000), 0);
    struct mete_reservation_id calls[] = {begin("", CONTENT), begin("r-1", CONTENT)};
    if (by_snapshot)
        assert_int_equal(mete_cut(mete, &seq), 0);
    close_it();
    open_it();
    struct mete_answer answer;
    assert_int_equal(help_ask(port, METE_QUERY_PROJECTED, &answer), 0);
    struct seen seen = look((struct records_filter){.provisional = 1});
    assert_true(seen.len == 2 && seen.provisional == 2 && seen.with_details == 0);
    assert_true(seen.fingerprints[0] && seen.fingerprints[0] == seen.fingerprints[1]);
    assert_int_equal(look((struct records_filter){.request_id = slice_of("r-1")}).len, 1);
    for (size_t i = 0; i < 2; i++)
        commit(calls[i]); /* the true figures */
    close_it();
    seen = look((struct records_filter){0});
    assert_true(seen.len == 4 && seen.corrections == 2 && seen.with_details == 2);
    assert_true(seen.fingerprints[0] == seen.fingerprints[3]);
    must_be_clean();
}

static void the_worst_case_after_a_stop_tells_what_was_asked(void **state)
{
    (void)state;
    cut_off(false);
    char path[128];
    snprintf(path, sizeof path, "%s/records.db", directory);
    assert_int_equal(unlink(path), 0);
    open_it(); /* makes them anew */
    close_it();
    assert_int_equal(look((struct records_filter){.session = slice_of("chat-7")}).len, 4);
    must_be_clean();
}

static void so_it_does_behind_a_base(void **state)
{
    (void)state;
    cut_off(true);
}

static void records_of_the_version_before_are_no_damage(void **state)
{
    (void)state;
    open_it();
    assert_int_equal(help_tree(port, 1000000), 0);
    commit(begin("", CONTENT));
    struct mete_reservation_id open = begin("", CONTENT);
    commit(begin("", CONTENT));
    close_it();
    sql("DROP TABLE detail; DROP TABLE upstream; DROP INDEX entity_list; DROP TABLE audit;"
        "DROP TABLE rollup; DROP TABLE stretch; DROP TABLE name;"
        "DELETE FROM meta WHERE name<>'last_seq';"
        "PRAGMA user_version=1");
    must_be_clean();
    open_it(); /* brings them up; what was open is told with what is known of it */
    commit(open);
    commit(begin("", CONTENT));
    close_it();
    must_be_clean();
    assert_int_equal(look((struct records_filter){.upstream_id = slice_of("up-1")}).len, 2);
    sql("UPDATE detail SET session=NULL WHERE seq<(SELECT max(seq) FROM detail)");
    must_be_clean(); /* as of a snapshot of then */
    is_found_out("UPDATE detail SET session=NULL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(an_end_tells_all_and_verify_sees_each_change),
        CASE(no_other_installation_has_the_same_fingerprint),
        CASE(the_worst_case_after_a_stop_tells_what_was_asked),
        CASE(so_it_does_behind_a_base),
        CASE(records_of_the_version_before_are_no_damage),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
