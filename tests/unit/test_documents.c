/* SPDX-License-Identifier: Apache-2.0
 * Proves that a document is there if and only if the changes beside it are, that the last one put
 * counts, that it goes with its organization, that what is kept survives a restart and is what the
 * journal says, and that a document changed behind the engine's back is found. */
#include "engine/verify.h"
#include "store/records.h"
#include "unit/engine_help.h"
#include "unit/temp.h"

#include <sqlite3.h>
#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { PLAN = 4, PRICE = 11 };
static char directory[64];
static struct mete *mete;
static struct mete_port *port;

static void open_engine(void)
{
    const struct mete_options options = {.directory = directory};
    assert_int_equal(mete_open(&options, &mete), 0);
    assert_int_equal(mete_port_open(mete, &port), 0);
}

static void close_engine(void)
{
    mete_port_close(port);
    mete_close(mete);
}

static int set_up(void **state)
{
    (void)state;
    if (temp_make(directory, sizeof directory))
        return -1;
    open_engine();
    return help_tree(port, 1000000);
}

static int tear_down(void **state)
{
    (void)state;
    return temp_remove(directory);
}

static struct mete_change put(uint16_t kind, uint32_t organization, const char *id,
                              const char *document)
{
    return (struct mete_change){.kind = METE_PUT_DOCUMENT,
                                .at_document = {kind, {organization}, help_text(id)},
                                .document = help_text(document)};
}

static struct mete_change end(uint16_t kind, uint32_t organization, const char *id)
{
    return (struct mete_change){.kind = METE_END_DOCUMENT,
                                .at_document = {kind, {organization}, help_text(id)}};
}

static int apply(const struct mete_change *changes, size_t len)
{
    uint32_t handles[8];
    struct mete_applied applied;
    const struct mete_apply args = {changes, len, help_text("root")};
    return mete_apply(port, &args, handles, &applied);
}

struct seen {
    size_t len;
    char text[256];
    uint32_t handles[8];
};

static int see(void *user, const struct records_entity *entity)
{
    struct seen *seen = user;
    seen->handles[seen->len++] = entity->handle;
    int used = (int)strlen(seen->text);
    snprintf(seen->text + used, sizeof seen->text - (size_t)used, "%.*s=%.*s ", (int)entity->id.len,
             entity->id.data, (int)entity->document.len, entity->document.data);
    return 0;
}

/* All of a kind of an organization, "id=document " in order of their making; the engine is closed.
 */
static struct seen look(int kind, uint32_t organization)
{
    struct records_reader *reader;
    struct seen seen = {0};
    assert_int_equal(records_reader_open(os_system(), directory, &reader), 0);
    assert_int_equal(records_each_entity(reader, RECORDS_DOCUMENT + kind,
                                         (struct mete_scope_id){organization}, 0, 8, 1, see, &seen),
                     0);
    records_reader_close(reader);
    return seen;
}

static void is_clean(void)
{
    struct verify_report report;
    int error = engine_verify(directory, &report);
    if (error)
        fail_msg("%s", report.detail);
}

static void the_last_one_put_counts_and_keeps_its_place(void **state)
{
    (void)state;
    const struct mete_change first = put(PLAN, HELP_ORGANIZATION, "gold", "1"),
                             second = put(PLAN, HELP_ORGANIZATION, "iron", "2"),
                             again = put(PLAN, HELP_ORGANIZATION, "gold", "3");
    assert_int_equal(apply(&first, 1), 0);
    assert_int_equal(apply(&second, 1), 0);
    assert_int_equal(apply(&again, 1), 0);
    close_engine();
    assert_string_equal(look(PLAN, HELP_ORGANIZATION).text, "gold=3 iron=2 ");
    open_engine();
    const struct mete_change over = end(PLAN, HELP_ORGANIZATION, "iron"),
                             none = end(PLAN, HELP_ORGANIZATION, "iron"),
                             third = put(PLAN, HELP_ORGANIZATION, "tin", "4");
    assert_int_equal(apply(&over, 1), 0);
    assert_int_equal(apply(&none, 1), 0);
    assert_int_equal(apply(&third, 1), 0);
    close_engine();
    struct seen seen = look(PLAN, HELP_ORGANIZATION);
    assert_string_equal(seen.text, "gold=3 tin=4 ");
    assert_int_equal(seen.handles[1], 3); /* a number is never given twice */
    is_clean();
}

static void it_is_there_if_the_changes_beside_it_are(void **state)
{
    (void)state;
    struct mete_change changes[] = {
        put(PLAN, HELP_ORGANIZATION, "gold", "1"),
        help_scope(METE_USER, "ann", HELP_ORGANIZATION, HELP_DEPARTMENT),
    };
    changes[1].flags = METE_CHANGE_CREATE;
    assert_int_equal(apply(changes, 2), METE_E_EXISTS);
    struct mete_change both[] = {
        help_scope(METE_ORGANIZATION, "emca", 0, 0),
        put(PLAN, METE_FROM_CHANGE(0), "gold", "2"),
        put(PRICE, 0, "gpt-4o", "3"),
    };
    assert_int_equal(apply(both, 3), 0);
    close_engine();
    assert_string_equal(look(PLAN, HELP_ORGANIZATION).text, "");
    assert_string_equal(look(PLAN, HELP_KEY + 1).text, "gold=2 ");
    assert_string_equal(look(PRICE, 0).text, "gpt-4o=3 ");
    is_clean();
}

static void it_goes_with_its_organization(void **state)
{
    (void)state;
    struct mete_change both[] = {
        help_scope(METE_ORGANIZATION, "emca", 0, 0),
        put(PLAN, METE_FROM_CHANGE(0), "gold", "2"),
        put(PLAN, HELP_ORGANIZATION, "gold", "1"),
    };
    assert_int_equal(apply(both, 3), 0);
    const struct mete_change over = {.kind = METE_END_SCOPE, .at = {HELP_KEY + 1}};
    assert_int_equal(apply(&over, 1), 0);
    const struct mete_change late = put(PLAN, HELP_KEY + 1, "gold", "3");
    assert_int_equal(apply(&late, 1), METE_E_NOT_FOUND);
    close_engine();
    assert_string_equal(look(PLAN, 0).text, "gold=1 ");
    is_clean();
}

static void one_that_cannot_be_is_refused(void **state)
{
    (void)state;
    const struct mete_change wrong[] = {
        put(0, 0, "a", "1"),
        put(METE_DOCUMENT_KINDS + 1, 0, "a", "1"),
        put(PLAN, 0, "two words", ""),
        put(PLAN, 0, "", "1"),
        put(PLAN, HELP_USER, "a", "1"),
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(apply(&wrong[i], 1), METE_E_INVALID);
    struct mete_change create = put(PLAN, 0, "a", "1");
    create.flags = METE_CHANGE_CREATE; /* the ledger does not know what there is */
    assert_int_equal(apply(&create, 1), METE_E_INVALID);
    close_engine();
}

static void change_behind_its_back(const char *text)
{
    char path[128];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/records.db", directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_total_changes(db), 1);
    sqlite3_close(db);
}

static void is_found(const char *sql, const char *detail)
{
    struct verify_report report;
    change_behind_its_back(sql);
    assert_int_equal(engine_verify(directory, &report), METE_E_CORRUPT);
    assert_non_null(strstr(report.detail, detail));
}

static void one_that_was_changed_is_found(void **state)
{
    (void)state;
    const struct mete_change gold = put(PLAN, HELP_ORGANIZATION, "gold", "1");
    assert_int_equal(apply(&gold, 1), 0);
    close_engine();
    is_clean();
    is_found("UPDATE entity SET document='9' WHERE id='gold'", "document gold of kind 4 differs");
    is_found("DELETE FROM entity WHERE id='gold'", "1 documents are missing");
    is_found("INSERT INTO entity VALUES (1004, 9, 1, 0, 'lead', '{}', 0, 1, 1, 'root')",
             "document lead of kind 4 differs");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_last_one_put_counts_and_keeps_its_place),
        CASE(it_is_there_if_the_changes_beside_it_are),
        CASE(it_goes_with_its_organization),
        CASE(one_that_cannot_be_is_refused),
        CASE(one_that_was_changed_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
