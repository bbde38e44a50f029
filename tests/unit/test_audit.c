/* SPDX-License-Identifier: Apache-2.0
 * Proves that each administrative entry has one row of the audit log, with who, what, before and
 * after; that no secret of a document is in one (INV-13); that rows made anew from the journal have
 * the same chain; that they survive a cut; and that a row which was changed, taken out, exchanged
 * or added is named by verify. */
#include "engine/verify.h"
#include "store/audit.h"
#include "unit/engine_help.h"
#include "unit/temp.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static char directory[64];
static struct mete *mete;
static struct mete_port *port;

static void open_engine(void)
{
    const struct mete_options options = {.directory = directory, .no_audit = 1};
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
    return temp_make(directory, sizeof directory);
}

static int tear_down(void **state)
{
    (void)state;
    return temp_remove(directory);
}

static uint32_t apply_by(const char *actor, struct mete_change change)
{
    uint32_t handle = 0;
    struct mete_applied applied;
    const struct mete_apply args = {&change, 1, help_text(actor)};
    int error = mete_apply(port, &args, &handle, &applied);
    if (error)
        fail_msg("%s: %s", actor, mete_error_name(error));
    return handle;
}

static struct mete_change with_document(struct mete_change change, const char *document)
{
    change.document = help_text(document);
    return change;
}

static struct mete_change rate_of(const char *id, uint32_t scope, int64_t limit)
{
    return (struct mete_change){.kind = METE_PUT_RATE_LIMIT,
                                .rate = {.id = help_text(id),
                                         .scope = {scope},
                                         .meter = METE_REQUESTS,
                                         .limit = limit,
                                         .period_ms = 1500}};
}

static struct mete_change grant_of(const char *id, uint32_t scope, int64_t amount)
{
    return (struct mete_change){.kind = METE_PUT_GRANT,
                                .grant = {.id = help_text(id),
                                          .scope = {scope},
                                          .meter = METE_COST,
                                          .currency = METE_USD,
                                          .amount = amount,
                                          .priority = 5,
                                          .source = help_text("admin")}};
}

static struct mete_change plan_of(enum mete_change_kind kind, const char *document)
{
    return (struct mete_change){.kind = kind,
                                .at_document = {4, {HELP_ORGANIZATION}, help_text("gold")},
                                .document = help_text(document)};
}

/* ---- What rows say ----------------------------------------------------------------------------
 */

struct told {
    char lines[16384];
    size_t len;
    uint8_t head[AUDIT_HASH];
};

static int tell(void *user, const struct audit_row *row)
{
    struct told *told = user;
    told->len += (size_t)snprintf(told->lines + told->len, sizeof told->lines - told->len,
                                  "%.*s %.*s %.*s of %u: %.*s -> %.*s\n", (int)row->actor.len,
                                  row->actor.data, (int)row->action.len, row->action.data,
                                  (int)row->id.len, row->id.data, row->organization.n,
                                  (int)row->before.len, row->before.len ? row->before.data : "",
                                  (int)row->after.len, row->after.len ? row->after.data : "");
    assert_true(told->len < sizeof told->lines);
    if (told->head[0] == 0 && told->head[1] == 0)
        memcpy(told->head, row->chain, AUDIT_HASH); /* the newest comes first */
    return 0;
}

static void each(const struct audit_filter *filter, struct told *ret_told)
{
    struct records_reader *reader;
    struct audit_book *book;
    *ret_told = (struct told){0};
    assert_int_equal(records_reader_open(os_system(), directory, &reader), 0);
    assert_int_equal(records_reader_audit(reader, &book), 0);
    assert_int_equal(audit_each(book, filter, tell, ret_told), 0);
    records_reader_close(reader);
}

static void is_told(const char *kind, const char *lines)
{
    struct told told;
    each(&(struct audit_filter){.kind = slice_of(kind), .limit = 100}, &told);
    assert_string_equal(told.lines, lines);
}

#define SCOPE_OF(kind, id) "{\"kind\":\"" kind "\",\"id\":\"" id "\"}"

static void scopes_are_told(void **state)
{
    (void)state;
    open_engine();
    assert_int_equal(help_tree(port, 10000), 0);
    struct mete_change revoke = help_scope(METE_API_KEY, "key", HELP_ORGANIZATION, METE_KIND_NONE);
    revoke.scope.revoked = 1;
    revoke.scope.expires_at.us = INT64_C(1900000000000000);
    apply_by("ann", revoke);
    apply_by("ann", (struct mete_change){
                        .kind = METE_MOVE_SCOPE, .at = {HELP_USER}, .parent = {HELP_ORGANIZATION}});
    apply_by("bob", (struct mete_change){.kind = METE_END_SCOPE, .at = {HELP_KEY}});
    apply_by("bob", help_scope(METE_API_KEY, "key", HELP_ORGANIZATION, HELP_USER));
    close_engine();
    is_told("organization",
            "root organization.create acme of 1:  -> {\"parent\":null,\"expires_at\":null,"
            "\"revoked\":false,\"document\":{\"name\":\"x\"}}\n");
#define KEY                                                                                        \
    "{\"parent\":" SCOPE_OF("user", "ann") ",\"expires_at\":null,\"revoked\":false,"               \
                                           "\"document\":{\"name\":\"x\"}}"
#define REVOKED                                                                                    \
    "{\"parent\":" SCOPE_OF("user", "ann") ",\"expires_at\":\"2030-03-17T17:46:40Z\","             \
                                           "\"revoked\":true,\"document\":{\"name\":\"x\"}}"
    is_told("api_key", "bob api_key.create key of 1:  -> " KEY "\n"
                       "bob api_key.delete key of 1: " REVOKED " -> \n"
                       "ann api_key.update key of 1: " KEY " -> " REVOKED "\n"
                       "root api_key.create key of 1:  -> " KEY "\n");
#define REST "\"expires_at\":null,\"revoked\":false,\"document\":{\"name\":\"x\"}}"
    is_told("user", "ann user.move ann of 1: {\"parent\":" SCOPE_OF(
                        "department",
                        "dev") "," REST
                               " -> {\"parent\":" SCOPE_OF(
                                   "organization",
                                   "acme") "," REST "\n"
                                           "root user.create ann of 1:  -> {\"parent\":" SCOPE_OF(
                                               "department", "dev") "," REST "\n");
}

static struct mete_change full_budget(void)
{
    struct mete_change change = help_budget("full", HELP_USER, METE_MONTHLY, 12500000000);
    change.budget.time_zone = help_text("Europe/Paris");
    change.budget.anchor = 15;
    change.budget.soft_limit = 10000000000;
    change.budget.rollover_cap = 1;
    change.budget.mode = METE_SHADOW;
    change.budget.controls = (struct mete_controls){850000, 500000, 950000, 900000, 300, 60};
    change.budget.matches_len = 3;
    change.budget.matches[0] = (struct mete_match){METE_MATCH_TAG, help_text("a\"b")};
    change.budget.matches[1] = (struct mete_match){METE_MATCH_MODEL, help_text("gpt-*")};
    change.budget.matches[2] = (struct mete_match){METE_MATCH_MODEL, help_text("o1")};
    return with_document(change, "{ \"name\" : \"Full\" }");
}

static void budgets_are_told(void **state)
{
    (void)state;
    open_engine();
    assert_int_equal(help_tree(port, 10000), 0);
    apply_by("ann", full_budget());
    struct mete_change lower = help_budget("monthly", HELP_ORGANIZATION, METE_MONTHLY, 5000000000);
    apply_by("bob", lower);
    apply_by("bob", (struct mete_change){.kind = METE_END_BUDGET, .end = {1}});
    close_engine();
#define MONTHLY(amount)                                                                            \
    "{\"scope\":" SCOPE_OF("organization",                                                         \
                           "acme") ",\"unit\":\"USD\",\"amount\":\"" amount                        \
                                   "\",\"period\":\"monthly\",\"time_zone\":\"UTC\","              \
                                   "\"mode\":\"enforce\",\"alert_thresholds\":[0.5,1],"            \
                                   "\"controls\":{}}"
    is_told("budget",
            "bob budget.delete monthly of 1: " MONTHLY(
                "5.00") " -> \n"
                        "bob budget.update monthly of 1: " MONTHLY("0.00001") " -> " MONTHLY(
                            "5.00") "\n"
                                    "ann budget.create full of 1:  -> {\"scope\":" SCOPE_OF(
                                        "user",
                                        "ann") ",\"unit\":\"USD\",\"amount\":\"12.50\",\"period\":"
                                               "\"monthly\","
                                               "\"time_zone\":\"Europe/"
                                               "Paris\",\"anchor\":15,\"rollover\":\"0.000000001\","
                                               "\"mode\":\"shadow\",\"alert_thresholds\":[0.5,1],"
                                               "\"controls\":{"
                                               "\"soft_limit\":\"10.00\",\"throttle_threshold\":0."
                                               "85,\"throttle_rate\":0.5,"
                                               "\"emergency_stop_threshold\":0.95,\"downgrade_"
                                               "threshold\":0.9,"
                                               "\"cooldown_seconds\":60,\"grace_seconds\":300},"
                                               "\"models\":[\"gpt-*\",\"o1\"],"
                                               "\"tags\":[\"a\\\"b\"],\"document\":{\"name\":"
                                               "\"Full\"}}\n"
                                               "root budget.create monthly of 1:  -> " MONTHLY(
                                                   "0.00001") "\n");
}

/* A template's budgets are made by no administrator, and are what the template was then. */
static void what_a_template_makes_is_told(void **state)
{
    (void)state;
    struct mete_verdict verdict;
    open_engine();
    assert_int_equal(help_tree(port, 1000000), 0);
    struct mete_change template = help_budget("each", HELP_ORGANIZATION, METE_TOTAL, 10000000000);
    template.budget.for_kind = METE_USER;
    apply_by("ann", with_document(template, "{\"name\":\"Each\"}"));
    assert_int_equal(help_reserve(port, "", 300, 0, &verdict), 0);
    close_engine();
    struct told told;
    each(&(struct audit_filter){.actor = slice_of("mete"), .limit = 9}, &told);
    assert_string_equal(
        told.lines,
        "mete budget.create each~3 of 1:  -> {\"scope\":" SCOPE_OF(
            "user", "ann") ",\"template\":\"each\",\"unit\":\"USD\",\"amount\":\"10.00\","
                           "\"period\":\"total\",\"time_zone\":\"UTC\",\"mode\":\"enforce\","
                           "\"alert_thresholds\":[0.5,1],\"controls\":{}}\n");
}

static void increases_and_stops_are_told(void **state)
{
    (void)state;
    struct mete_verdict verdict;
    struct mete_receipt receipt;
    open_engine();
    assert_int_equal(help_tree(port, 10000000000), 0);
    struct mete_change change = help_budget("stops", HELP_KEY, METE_TOTAL, 1000);
    change.budget.controls.stop_ppm = 900000;
    uint32_t stops = apply_by("ann", change);
    assert_int_equal(help_reserve(port, "", 950, 0, &verdict), 0);
    assert_int_equal(help_commit(port, verdict.reservation, 950, &receipt), 0);
    apply_by("bob", (struct mete_change){.kind = METE_LIFT_STOP, .end = {stops}});
    int64_t now_us = mete_now(mete).us, year_us = INT64_C(4102444800000000);
    uint32_t number =
        apply_by("bob", with_document((struct mete_change){.kind = METE_PUT_INCREASE,
                                                           .increase = {.budget = {1},
                                                                        .amount = 2500000000,
                                                                        .from = {1000000},
                                                                        .until = {year_us}}},
                                      "{\"why\":\"launch\",\"secret\":\"s\"}"));
    assert_true(now_us > 0 && number == 1);
    apply_by("ann",
             (struct mete_change){.kind = METE_END_INCREASE, .end = {1}, .end_increase = number});
    close_engine();
    is_told("emergency_stop",
            "bob emergency_stop.lift stops of 1: {\"stopped\":true} -> {\"stopped\":false}\n");
#define INCREASE                                                                                   \
    "{\"unit\":\"USD\",\"amount\":\"2.50\",\"from\":\"1970-01-01T00:00:01Z\","                     \
    "\"until\":\"2100-01-01T00:00:00Z\",\"document\":{\"why\":\"launch\"}}"
    is_told("increase", "ann increase.delete monthly/1 of 1: " INCREASE " -> \n"
                        "bob increase.create monthly/1 of 1:  -> " INCREASE "\n");
}

static void quotas_are_told(void **state)
{
    (void)state;
    struct mete_verdict verdict;
    struct mete_receipt receipt;
    open_engine();
    assert_int_equal(help_tree(port, 10000000000), 0);
    uint32_t grant = apply_by("ann", grant_of("g1", HELP_USER, 3000000000));
    apply_by("ann", grant_of("g1", HELP_USER, 4000000000));
    assert_int_equal(help_reserve(port, "", 1000000000, 0, &verdict), 0);
    assert_int_equal(help_commit(port, verdict.reservation, 1000000000, &receipt), 0);
    apply_by("bob",
             with_document(
                 (struct mete_change){.kind = METE_REFUND, .refund = {grant}, .amount = 500000000},
                 "{\"reason\":\"ours\"}"));
    apply_by("bob", (struct mete_change){.kind = METE_END_QUOTA,
                                         .at = {HELP_USER},
                                         .grant = {.meter = METE_COST, .currency = METE_USD}});
    close_engine();
#define GRANT(amount)                                                                              \
    "{\"scope\":" SCOPE_OF("user", "ann") ",\"unit\":\"USD\",\"amount\":\"" amount                 \
                                          "\",\"priority\":5,\"expires_at\":null,"                 \
                                          "\"source\":\"admin\"}"
    is_told("grant", "ann grant.update g1 of 1: " GRANT("3.00") " -> " GRANT(
                         "4.00") "\n"
                                 "ann grant.create g1 of 1:  -> " GRANT("3.00") "\n");
    is_told("refund", "bob refund.create g1 of 1:  -> {\"unit\":\"USD\",\"amount\":\"0.50\","
                      "\"document\":{\"reason\":\"ours\"}}\n");
    is_told("quota", "bob quota.delete USD of 1: {\"scope\":" SCOPE_OF(
                         "user", "ann") ",\"unit\":\"USD\"} -> \n");
}

static void the_others_are_told(void **state)
{
    (void)state;
    open_engine();
    assert_int_equal(help_tree(port, 10000000000), 0);
    uint32_t rate = apply_by("ann", rate_of("r", HELP_KEY, 60));
    struct mete_change at_once = rate_of("c", HELP_KEY, 3);
    at_once.rate.concurrent = 1;
    at_once.rate.meter = 0;
    at_once.rate.period_ms = 0;
    apply_by("ann", at_once);
    apply_by("bob", (struct mete_change){.kind = METE_END_RATE_LIMIT, .end_rate = {rate}});
    struct mete_change exchange = {
        .kind = METE_PUT_EXCHANGE,
        .exchange = {METE_CURRENCY('E', 'U', 'R'), METE_USD, 11, 10, {1000000}}};
    apply_by("ann", exchange);
    exchange.exchange.numerator = 12;
    apply_by("ann", exchange);
    uint32_t meter =
        apply_by("ann", (struct mete_change){.kind = METE_PUT_METER, .meter = help_text("gpu")});
    struct mete_change own = help_budget("gpu", HELP_USER, METE_DAILY, 40);
    own.budget.meter = (uint16_t)meter;
    own.budget.currency = 0;
    apply_by("ann", own);
    close_engine();
#define RATE                                                                                       \
    "{\"scope\":" SCOPE_OF("api_key", "key") ",\"concurrent\":false,\"unit\":\"requests\","        \
                                             "\"limit\":\"60\",\"period_seconds\":1.5,"            \
                                             "\"burst\":\"60\",\"mode\":\"enforce\"}"
    is_told("rate_limit",
            "bob rate_limit.delete r of 1: " RATE " -> \n"
            "ann rate_limit.create c of 1:  -> {\"scope\":" SCOPE_OF(
                "api_key", "key") ",\"concurrent\":true,\"limit\":\"3\",\"mode\":\"enforce\"}\n"
                                  "ann rate_limit.create r of 1:  -> " RATE "\n");
#define RATE_OF(n)                                                                                 \
    "{\"numerator\":" n ",\"denominator\":10,\"effective_at\":\"1970-01-01T00:00:01Z\"}"
    is_told("exchange_rate",
            "ann exchange_rate.create EUR/USD of 0: " RATE_OF("11") " -> " RATE_OF(
                "12") "\n"
                      "ann exchange_rate.create EUR/USD of 0:  -> " RATE_OF("11") "\n");
    is_told("meter", "ann meter.create gpu of 0:  -> {\"number\":64}\n");
    struct told told;
    each(&(struct audit_filter){.id = slice_of("gpu"), .kind = slice_of("budget"), .limit = 1},
         &told);
    assert_non_null(strstr(told.lines, "\"unit\":\"gpu\",\"amount\":\"40\""));
}

static void documents_are_told_without_their_secrets(void **state)
{
    (void)state;
    open_engine();
    assert_int_equal(help_tree(port, 10000000000), 0);
    apply_by("ann", plan_of(METE_PUT_DOCUMENT, "{\"price\":\"5.00\",\"hash\":\"INV-13\"}"));
    apply_by("ann", plan_of(METE_PUT_DOCUMENT, "{\"price\":\"6.00\","
                                               "\"login\":{\"password_hash\":\"INV-13\",\"at\":1},"
                                               "\"keys\":[{\"sealed\":\"INV-13\"}]}"));
    apply_by("bob", plan_of(METE_END_DOCUMENT, ""));
    apply_by("bob", plan_of(METE_PUT_DOCUMENT, "INV-13 is no JSON"));
    struct mete_change reply = plan_of(METE_PUT_DOCUMENT, "{\"body\":\"INV-13\"}");
    reply.at_document = (struct mete_document_id){1, {0}, help_text("reply")};
    apply_by("bob", reply);
    apply_by("bob", with_document(help_scope(METE_API_KEY, "key", HELP_ORGANIZATION, 0),
                                  "{\"prefix\":\"p\",\"h\\u0061sh\":\"INV-13\"}"));
    close_engine();
#define SECOND "{\"price\":\"6.00\",\"login\":{\"at\":1},\"keys\":[{}]}"
    is_told("plan", "bob plan.create gold of 1:  -> null\n"
                    "bob plan.delete gold of 1: " SECOND " -> \n"
                    "ann plan.update gold of 1: {\"price\":\"5.00\"} -> " SECOND "\n"
                    "ann plan.create gold of 1:  -> {\"price\":\"5.00\"}\n");
    is_told("reply", "");
    struct told told;
    each(&(struct audit_filter){.limit = 100}, &told);
    assert_null(strstr(told.lines, "INV-13"));
    assert_non_null(strstr(told.lines, "\"document\":{\"prefix\":\"p\"}"));
}

/* ---- The chain, verify ------------------------------------------------------------------------
 */

static void fill(void)
{
    open_engine();
    assert_int_equal(help_tree(port, 10000000000), 0);
    apply_by("ann", full_budget());
    apply_by("ann", help_budget("monthly", HELP_ORGANIZATION, METE_MONTHLY, 7));
    apply_by("bob", grant_of("g1", HELP_USER, 3000000000));
    apply_by("bob", plan_of(METE_PUT_DOCUMENT, "{\"price\":\"5.00\"}"));
    apply_by("bob", (struct mete_change){.kind = METE_END_SCOPE, .at = {HELP_KEY}});
}

__attribute__((format(printf, 1, 2))) static void sql(const char *format, ...)
{
    char path[128], text[1024], *error = NULL;
    sqlite3 *db;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(path, sizeof path, "%s/records.db", directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", text, error);
    sqlite3_close(db);
}

static void is_clean(uint64_t rows)
{
    struct verify_report report;
    int error = engine_verify(directory, &report);
    if (error)
        fail_msg("%s: %s", mete_error_name(error), report.detail);
    assert_int_equal(report.audit, rows);
}

__attribute__((format(printf, 2, 3))) static void is_named(const char *change, const char *format,
                                                           ...)
{
    char wanted[128];
    struct verify_report report;
    va_list args;
    va_start(args, format);
    vsnprintf(wanted, sizeof wanted, format, args);
    va_end(args);
    int error = engine_verify(directory, &report);
    if (error != METE_E_CORRUPT || !strstr(report.detail, wanted))
        fail_msg("%s: %s, '%s', wanted '%s'", change, mete_error_name(error), report.detail,
                 wanted);
}

static void rows_made_anew_have_the_same_chain(void **state)
{
    (void)state;
    struct told first, again;
    char path[128];
    fill();
    close_engine();
    each(&(struct audit_filter){.limit = 100}, &first);
    is_clean(10);
    snprintf(path, sizeof path, "%s/records.db", directory);
    assert_int_equal(unlink(path), 0);
    open_engine();
    close_engine();
    each(&(struct audit_filter){.limit = 100}, &again);
    assert_string_equal(first.lines, again.lines);
    assert_memory_equal(first.head, again.head, AUDIT_HASH);
    is_clean(10);
}

static const char *const columns[] = {"at_us", "actor",  "action", "organization", "kind",
                                      "id",    "handle", "before", "after",        "chain"};

/* The row of an entry that the journal has, or no longer has: it is named either way. */
static void each_column_is_under_the_chain(uint64_t seq, uint64_t rows)
{
    sql("CREATE TABLE kept AS SELECT * FROM audit");
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        bool is_number = i == 0 || i == 3 || i == 6;
        if (is_number)
            sql("UPDATE audit SET %s=%s+1 WHERE seq=%d", columns[i], columns[i], (int)seq);
        else if (i == 9)
            sql("UPDATE audit SET chain=zeroblob(32) WHERE seq=%d", (int)seq);
        else
            sql("UPDATE audit SET %s=%s||'x' WHERE seq=%d", columns[i], columns[i], (int)seq);
        is_named(columns[i], "audit row %d ", (int)seq);
        sql("DELETE FROM audit; INSERT INTO audit SELECT * FROM kept");
    }
    sql("DROP TABLE kept");
    is_clean(rows);
}

static void a_changed_row_is_named(void **state)
{
    (void)state;
    fill();
    close_engine();
    each_column_is_under_the_chain(7, 10);
    each_column_is_under_the_chain(11, 10); /* the last */
}

static void rows_taken_out_exchanged_or_added_are_named(void **state)
{
    (void)state;
    fill();
    close_engine();
    sql("CREATE TABLE kept AS SELECT * FROM audit");
    sql("DELETE FROM audit WHERE seq=8");
    is_named("one less", "audit row 8 is missing");
    sql("DELETE FROM audit; INSERT INTO audit SELECT * FROM kept WHERE seq<11");
    is_named("the last less", "audit row 11 is missing");
    sql("DELETE FROM audit; INSERT INTO audit SELECT CASE seq WHEN 7 THEN 8 WHEN 8 THEN 7 ELSE seq"
        " END, at_us,actor,action,organization,kind,id,handle,before,after,chain FROM kept");
    is_named("two exchanged", "audit row 7 differs from the journal");
    sql("DELETE FROM audit; INSERT INTO audit SELECT * FROM kept; INSERT INTO audit SELECT 1,"
        "at_us,actor,action,organization,kind,id,handle,before,after,chain FROM kept WHERE seq=2");
    is_named("one more, first", "audit row 1 is not of the journal");
    sql("DELETE FROM audit; INSERT INTO audit SELECT * FROM kept; INSERT INTO audit SELECT 99,"
        "at_us,actor,action,organization,kind,id,handle,before,after,chain FROM kept WHERE seq=2");
    is_named("one more, last", "audit row 99 is not of the journal");
    sql("DELETE FROM audit; INSERT INTO audit SELECT * FROM kept; DROP TABLE kept");
    is_clean(10);
}

static void rows_survive_a_cut_and_stay_chained(void **state)
{
    (void)state;
    uint64_t seq;
    fill();
    assert_int_equal(mete_cut(mete, &seq), 0);
    assert_int_equal(seq, 11);
    apply_by("ann", help_budget("monthly", HELP_ORGANIZATION, METE_MONTHLY, 9));
    close_engine();
    is_clean(11);
    struct told told;
    each(&(struct audit_filter){.limit = 1}, &told);
    assert_non_null(strstr(told.lines, "\"amount\":\"0.000000007\"")); /* of before the cut */
    each_column_is_under_the_chain(7, 11);
    sql("CREATE TABLE kept AS SELECT * FROM audit; DELETE FROM audit WHERE seq=8");
    is_named("one less", "audit row 9 is not what was chained");
    sql("INSERT INTO audit SELECT * FROM kept WHERE seq=8");
    is_clean(11);
}

/* A row of before a cut is changed and all rows behind it are chained anew, as whoever can write
 * to the file and knows how might do: the journal has the hash that they had. */
static void rows_of_before_a_cut_cannot_be_chained_anew(void **state)
{
    (void)state;
    uint64_t seq;
    int found;
    struct records_reader *reader;
    struct audit_book *book;
    struct audit_row row;
    uint8_t chain[AUDIT_HASH] = {0};
    fill();
    assert_int_equal(mete_cut(mete, &seq), 0);
    apply_by("ann", help_budget("monthly", HELP_ORGANIZATION, METE_MONTHLY, 9));
    close_engine();
    sql("UPDATE audit SET actor='nobody' WHERE seq=3");
    assert_int_equal(records_reader_open(os_system(), directory, &reader), 0);
    assert_int_equal(records_reader_audit(reader, &book), 0);
    char hex[16][2 * AUDIT_HASH + 1];
    uint64_t seqs[16], rows = 0;
    while (!audit_next(book, &row, &found) && found) {
        audit_hash(chain, &row, chain);
        for (size_t i = 0; i < AUDIT_HASH; i++)
            snprintf(hex[rows] + 2 * i, 3, "%02x", chain[i]);
        seqs[rows++] = row.seq;
    }
    records_reader_close(reader);
    for (uint64_t i = 0; i < rows; i++)
        sql("UPDATE audit SET chain=x'%s' WHERE seq=%d", hex[i], (int)seqs[i]);
    is_named("chained anew", "audit rows up to 11 are not those that the journal was cut with");
}

/* A file that a mete without an audit log began: its rows begin now, from what is there. */
static void a_file_of_the_version_before_begins_its_rows(void **state)
{
    (void)state;
    fill();
    close_engine();
    sql("DROP TABLE audit; DROP INDEX entity_list; DROP TABLE rollup; DROP TABLE stretch;"
        "DROP TABLE name; DELETE FROM meta WHERE name NOT IN ('last_seq', 'documents');"
        "PRAGMA user_version=2");
    is_clean(0);
    open_engine();
    apply_by("ann", help_budget("monthly", HELP_ORGANIZATION, METE_MONTHLY, 9));
    apply_by("ann", help_budget("new", HELP_USER, METE_DAILY, 9));
    apply_by("ann", (struct mete_change){
                        .kind = METE_MOVE_SCOPE, .at = {HELP_USER}, .parent = {HELP_ORGANIZATION}});
    close_engine();
    is_clean(3);
    is_told("user",
            "ann user.move ann of 1: {\"document\":{\"name\":\"x\"},\"parent\":" SCOPE_OF(
                "department",
                "dev") "} -> {\"parent\":" SCOPE_OF("organization",
                                                    "acme") ",\"document\":{\"name\":\"x\"}}\n");
    struct told told;
    each(&(struct audit_filter){.action = slice_of("budget.update"), .limit = 9}, &told);
    assert_non_null(
        strstr(told.lines, "monthly of 1: {\"scope\":" SCOPE_OF("organization", "acme") "} -> {"));
    each(&(struct audit_filter){.action = slice_of("budget.create"), .limit = 9}, &told);
    assert_non_null(strstr(told.lines, "new of 1:  -> {"));
}

/* ---- Lists ------------------------------------------------------------------------------------
 */

static size_t count(const struct audit_filter *filter)
{
    struct told told;
    size_t lines = 0;
    each(filter, &told);
    for (const char *at = told.lines; *at; at++)
        lines += *at == '\n';
    return lines;
}

static void every_field_of_a_filter_filters(void **state)
{
    (void)state;
    fill();
    apply_by("eve", help_scope(METE_ORGANIZATION, "other", 0, 0));
    apply_by("eve", (struct mete_change){.kind = METE_PUT_METER, .meter = help_text("gpu")});
    close_engine();
    assert_int_equal(count(&(struct audit_filter){.limit = 100}), 12);
    assert_int_equal(count(&(struct audit_filter){.limit = 5}), 5);
    assert_int_equal(count(&(struct audit_filter){.limit = 100, .organization = {1}}), 10);
    assert_int_equal(count(&(struct audit_filter){.limit = 100, .actor = slice_of("bob")}), 3);
    assert_int_equal(
        count(&(struct audit_filter){.limit = 100, .action = slice_of("budget.create")}), 2);
    assert_int_equal(count(&(struct audit_filter){.limit = 100, .kind = slice_of("budget")}), 3);
    assert_int_equal(count(&(struct audit_filter){.limit = 100, .id = slice_of("monthly")}), 2);
    assert_int_equal(count(&(struct audit_filter){.limit = 100, .before_seq = 4}), 2);
    int64_t hour_us = INT64_C(3600000000), now_us = os_wall_us(os_system());
    assert_int_equal(count(&(struct audit_filter){.limit = 100, .from_us = now_us - hour_us}), 12);
    assert_int_equal(count(&(struct audit_filter){.limit = 100, .from_us = now_us + hour_us}), 0);
    assert_int_equal(count(&(struct audit_filter){.limit = 100, .to_us = now_us - hour_us}), 0);
    assert_int_equal(count(&(struct audit_filter){.limit = 100, .to_us = now_us + hour_us}), 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(scopes_are_told),
        CASE(budgets_are_told),
        CASE(what_a_template_makes_is_told),
        CASE(increases_and_stops_are_told),
        CASE(quotas_are_told),
        CASE(the_others_are_told),
        CASE(documents_are_told_without_their_secrets),
        CASE(rows_made_anew_have_the_same_chain),
        CASE(a_changed_row_is_named),
        CASE(rows_taken_out_exchanged_or_added_are_named),
        CASE(rows_survive_a_cut_and_stay_chained),
        CASE(rows_of_before_a_cut_cannot_be_chained_anew),
        CASE(a_file_of_the_version_before_begins_its_rows),
        CASE(every_field_of_a_filter_filters),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
