/* SPDX-License-Identifier: Apache-2.0
 * Golden journals: what an engine of this version wrote is read by every later one, and means the
 * same. tests/golden/NAME.journal has an entry a line, in hex, as docs/journal-format.md has its
 * bytes, each as the first of its group; NAME.figures what the state must then say.
 *
 * A journal is never changed once it is released. A new kind of entry, or part of one, gets into a
 * new journal; METE_GOLDEN_WRITE=1 makes those here (in tests/golden, to be committed) that are not
 * there. The test fails while a kind that the ledger applies is in none of them.
 *
 * Proves for each journal, on whatever build runs it: every entry is read and applied, writing it
 * again gives the same bytes, the figures are as they were, the state hash is the same for two
 * replays and for a state that went through a snapshot's bytes after every entry (INV-06). */
#include "ledger/ledger.h"
#include "store/journal.h"
#include "unit/engine_help.h"
#include "unit/reload.h"
#include "unit/temp.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { ENTRY_ROOM = 65536, FIGURES_ROOM = 1 << 18 };

static const char golden[] = "tests/golden";
static bool seen[ENTRY_KINDS];

/* ---- Figures --------------------------------------------------------------------------------- */

struct text_out {
    char *bytes;
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void say(struct text_out *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(out->bytes + out->len, FIGURES_ROOM - out->len, format, args);
    va_end(args);
    out->len += (size_t)len;
    assert_true(out->len < FIGURES_ROOM);
}

static void say_budgets(struct text_out *out, const struct ledger *ledger)
{
    struct mete_budget_view view;
    for (uint32_t n = 1; ledger_budget(ledger, n, &view) == 0; n++)
        say(out,
            "budget %" PRIu32 " %s scope %" PRIu32 " meter %d limit %" PRId64 " base %" PRId64
            " committed %" PRId64 " held %" PRId64 " window %" PRId64 " %" PRId64
            " mode %d fired %" PRIu32 " stopped %" PRId64 " ended %d\n",
            n, view.id, view.scope.n, view.meter, view.limit, view.base_limit, view.committed,
            view.held, view.window_start.us, view.window_end.us, (int)view.mode, view.fired,
            view.stopped_at.us, view.ended);
}

static void say_all(struct text_out *out, const struct ledger *ledger)
{
    struct mete_scope_view scope;
    struct mete_rate_view rate;
    struct mete_grant_view grant;
    struct ledger_taken taken;
    struct ledger_counts counts;
    const struct mete_instant now = {ledger_last_at_us(ledger)};
    for (uint32_t n = 1; ledger_scope(ledger, n, &scope) == 0; n++)
        say(out, "scope %" PRIu32 " kind %d %s in %" PRIu32 " under %" PRIu32 " revoked %d\n", n,
            (int)scope.kind, scope.id, scope.organization.n, scope.parent.n, scope.revoked);
    say_budgets(out, ledger);
    for (uint32_t n = 1; ledger_rate(ledger, n, now, &rate) == 0; n++)
        say(out, "rate %" PRIu32 " %s limit %" PRId64 " taken %" PRId64 " ended %d\n", n, rate.id,
            rate.limit, rate.taken, rate.ended);
    for (uint32_t n = 1; ledger_grant(ledger, n, now, &grant) == 0; n++)
        say(out, "grant %" PRIu32 " %s amount %" PRId64 " drawn %" PRId64 " held %" PRId64 "\n", n,
            grant.id, grant.amount, grant.drawn, grant.held);
    for (uint32_t i = 0; ledger_taken_at(ledger, i, &taken); i++)
        if (taken.id)
            say(out, "open %" PRIu64 " scope %" PRIu32 " amounts %" PRIu32 "\n", taken.id,
                taken.scope, taken.amounts_len);
    ledger_counts(ledger, &counts);
    say(out,
        "counts %" PRIu64 " reserves %" PRIu64 " refused %" PRIu64 " commits %" PRIu64
        " releases %" PRIu64 " expiries %" PRIu64 " records %" PRIu64 " extends %" PRIu64
        " corrections\n",
        counts.reserves, counts.refused, counts.commits, counts.releases, counts.expiries,
        counts.records, counts.extends, counts.corrections);
}

/* ---- Replaying ------------------------------------------------------------------------------- */

static int digit(int c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A line's bytes; 0: there is no more. */
static size_t next_line(FILE *file, uint8_t bytes[ENTRY_ROOM])
{
    size_t len = 0;
    int c = getc(file);
    while (c == '#') {
        while (c != '\n' && c != EOF)
            c = getc(file);
        c = getc(file);
    }
    for (; digit(c) >= 0; c = getc(file)) {
        int low = getc(file);
        assert_true(digit(low) >= 0 && len < ENTRY_ROOM);
        bytes[len++] = (uint8_t)(digit(c) << 4 | digit(low));
    }
    return len;
}

static struct ledger *open_ledger(void)
{
    const struct ledger_room room = {1000, 1000, 1000, 1000};
    struct ledger *ledger;
    assert_int_equal(ledger_open(&room, &ledger), 0);
    return ledger;
}

static struct ledger *apply_line(struct ledger *ledger, const uint8_t *bytes, size_t len,
                                 bool reloads)
{
    static uint8_t again[ENTRY_ROOM];
    struct reader r = {bytes, bytes + len, false};
    struct writer w = {again, again + sizeof again};
    struct entry entry;
    assert_int_equal(entry_read(&r, 0, &entry), 0);
    assert_true(r.at == r.end && !r.bad);
    entry_write(&w, &entry, 0);
    assert_int_equal((size_t)(w.at - again), len);
    assert_memory_equal(again, bytes, len);
    entry.seq = ledger_last_seq(ledger) + 1;
    seen[entry.kind] = true;
    if (ledger_apply(ledger, &entry, NULL))
        fail_msg("entry %" PRIu64 " of kind %d does not fit", entry.seq, (int)entry.kind);
    return reloads ? reload(ledger) : ledger;
}

static struct ledger *replay(const char *path, bool reloads)
{
    static uint8_t bytes[ENTRY_ROOM];
    struct ledger *ledger = open_ledger();
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    for (size_t len; (len = next_line(file, bytes)) > 0;)
        ledger = apply_line(ledger, bytes, len, reloads);
    fclose(file);
    ledger_check(ledger);
    return ledger;
}

static void compare_figures(const char *path, const struct ledger *ledger)
{
    static char wanted[FIGURES_ROOM], got[FIGURES_ROOM];
    struct text_out out = {got, 0};
    say_all(&out, ledger);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(wanted, 1, sizeof wanted - 1, file);
    fclose(file);
    wanted[len] = 0;
    assert_string_equal(got, wanted);
}

static void replay_one(const char *name)
{
    char path[300];
    uint8_t first[32], second[32];
    snprintf(path, sizeof path, "%s/%s.journal", golden, name);
    struct ledger *ledger = replay(path, false), *reloaded = replay(path, true);
    ledger_hash(ledger, first);
    ledger_hash(reloaded, second);
    assert_memory_equal(first, second, 32);
    snprintf(path, sizeof path, "%s/%s.figures", golden, name);
    compare_figures(path, ledger);
    compare_figures(path, reloaded);
    ledger_close(ledger);
    ledger_close(reloaded);
}

static void every_golden_journal_means_what_it_meant(void **state)
{
    (void)state;
    DIR *names = opendir(golden);
    size_t journals = 0;
    assert_non_null(names);
    for (struct dirent *entry; (entry = readdir(names));) {
        char name[256];
        const char *end = strstr(entry->d_name, ".journal");
        if (!end || end[8])
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(end - entry->d_name), entry->d_name);
        replay_one(name);
        journals++;
    }
    closedir(names);
    assert_true(journals > 0);
}

static void every_kind_of_entry_is_in_one_of_them(void **state)
{
    (void)state;
    for (int kind = ENTRY_GENESIS; kind < ENTRY_KINDS; kind++)
        if (!seen[kind])
            fail_msg("no golden journal has an entry of kind %d", kind);
}

/* ---- Writing them ---------------------------------------------------------------------------- */

static struct mete *mete;
static struct mete_port *port;
static _Atomic int64_t clock_us; /* the owner reads it */

static int64_t now_us(void *user)
{
    (void)user;
    return clock_us;
}

static uint32_t apply(struct mete_change change)
{
    uint32_t handle;
    struct mete_applied applied;
    struct mete_apply args = {&change, 1, help_text("root")};
    int error = mete_apply(port, &args, &handle, &applied);
    if (error)
        fail_msg("change %d: %s", (int)change.kind, mete_error_name(error));
    return handle;
}

static struct mete_reservation_id reserve(const char *id, int64_t amount, int64_t ttl_ms)
{
    struct mete_demand demand = {METE_COST, METE_USD, amount, 0};
    struct mete_text tag = help_text("blue");
    struct mete_reserve args = {.scope = {HELP_KEY},
                                .request_id = help_text(id),
                                .content = 7,
                                .model = help_text("gpt-4o"),
                                .provider = help_text("openai"),
                                .session = help_text("s-1"),
                                .tags = &tag,
                                .tags_len = 1,
                                .demands = &demand,
                                .demands_len = 1,
                                .ttl_ms = ttl_ms};
    struct mete_verdict verdict;
    assert_int_equal(mete_reserve(port, &args, NULL, 0, &verdict), 0);
    return verdict.reservation;
}

static void commit(struct mete_reservation_id id, int64_t amount, uint32_t flags)
{
    struct mete_usage usage[] = {{METE_COST, METE_USD, amount}, {METE_INPUT, 0, 11}};
    struct mete_commit args = {.reservation = id,
                               .usage = usage,
                               .usage_len = 2,
                               .outcome = {.status = 200,
                                           .flags = flags,
                                           .price_list = help_text("builtin"),
                                           .note = help_text("{}")}};
    struct mete_receipt receipt;
    assert_int_equal(mete_commit(port, &args, &receipt), 0);
}

static void pass(int64_t seconds)
{
    struct mete_answer answer;
    clock_us += seconds * 1000000;
    assert_int_equal(help_ask(port, METE_QUERY_STATS, &answer), 0);
}

static void live_calls(void)
{
    struct mete_reservation_id first = reserve("r-1", 1000, 60000), second = reserve("", 500, 9000);
    struct mete_demand more = {METE_COST, METE_USD, 200, 0};
    struct mete_extend extend = {
        .reservation = first, .demands = &more, .demands_len = 1, .ttl_ms = 120000};
    struct mete_verdict verdict;
    struct mete_receipt receipt;
    assert_int_equal(mete_extend(port, &extend, NULL, 0, &verdict), 0);
    commit(first, 900, 0);
    assert_int_equal(mete_release(port, second, &receipt), 0);
    struct mete_usage usage = {METE_COST, METE_USD, 77};
    struct mete_record record = {.scope = {HELP_USER},
                                 .request_id = help_text("late"),
                                 .model = help_text("claude"),
                                 .usage = &usage,
                                 .usage_len = 1};
    assert_int_equal(mete_record(port, &record, &receipt), 0);
    (void)reserve("too-much", INT64_C(4000000000), 60000); /* refused, which binds */
    struct mete_reservation_id third = reserve("r-3", 300, 60000);
    commit(third, 250, METE_OUTCOME_PROVISIONAL);
    commit(third, 240, 0);          /* its true figures */
    (void)reserve("r-4", 50, 1000); /* expires */
    pass(2);
    (void)reserve("open", 10, 86400000);
}

static void live_controls(void)
{
    struct mete_change stopped = help_budget("stopped", HELP_DEPARTMENT, METE_DAILY, 10000);
    stopped.budget.controls.stop_ppm = 500000;
    uint32_t budget = apply(stopped);
    commit(reserve("", 6000, 60000), 6000, 0);
    apply((struct mete_change){.kind = METE_LIFT_STOP, .end = {budget}});
    uint32_t number =
        apply((struct mete_change){.kind = METE_PUT_INCREASE,
                                   .increase = {.budget = {budget},
                                                .amount = 5000,
                                                .from = {clock_us + 10000000},
                                                .until = {clock_us + INT64_C(7200000000)}}});
    pass(20);
    (void)reserve("", 100, 60000); /* the limit is another by now */
    apply((struct mete_change){.kind = METE_END_INCREASE, .end = {budget}, .end_increase = number});
    apply((struct mete_change){.kind = METE_END_BUDGET, .end = {budget}});
}

static void live_quotas(void)
{
    struct mete_change grant = {.kind = METE_PUT_GRANT,
                                .grant = {.id = help_text("bought"),
                                          .scope = {HELP_USER},
                                          .meter = METE_COST,
                                          .currency = METE_USD,
                                          .amount = 100000,
                                          .priority = 1,
                                          .source = help_text("purchase")}};
    uint32_t made = apply(grant);
    commit(reserve("q-1", 700, 60000), 600, 0);
    apply((struct mete_change){.kind = METE_REFUND, .refund = {made}, .amount = 50});
    apply((struct mete_change){.kind = METE_END_QUOTA,
                               .at = {HELP_USER},
                               .grant = {.meter = METE_COST, .currency = METE_USD}});
}

static void live_scopes(void)
{
    struct mete_change template = help_budget("each-user", HELP_ORGANIZATION, METE_DAILY, 5000);
    template.budget.for_kind = METE_USER;
    apply(template);
    uint32_t eve = apply(help_scope(METE_USER, "eve", HELP_ORGANIZATION, HELP_ORGANIZATION));
    struct mete_usage usage = {METE_COST, METE_USD, 9};
    struct mete_record record = {.scope = {eve}, .usage = &usage, .usage_len = 1};
    struct mete_receipt receipt;
    assert_int_equal(mete_record(port, &record, &receipt), 0); /* gets her the budget */
    apply((struct mete_change){.kind = METE_MOVE_SCOPE, .at = {eve}, .parent = {HELP_DEPARTMENT}});
    apply((struct mete_change){.kind = METE_END_SCOPE, .at = {eve}});
}

static void live(void)
{
    assert_int_equal(help_tree(port, 3000000), 0);
    apply((struct mete_change){.kind = METE_PUT_METER, .meter = help_text("pages")});
    struct mete_change narrow = help_budget("narrow", HELP_KEY, METE_HOURLY, 2000000);
    narrow.budget.matches_len = 1;
    narrow.budget.matches[0] = (struct mete_match){METE_MATCH_MODEL, help_text("gpt-*")};
    narrow.budget.time_zone = help_text("Europe/Berlin");
    apply(narrow);
    struct mete_change rate = {.kind = METE_PUT_RATE_LIMIT,
                               .rate = {.id = help_text("a-minute"),
                                        .scope = {HELP_KEY},
                                        .meter = METE_REQUESTS,
                                        .limit = 600,
                                        .period_ms = 60000}};
    uint32_t made = apply(rate);
    live_calls();
    live_controls();
    live_quotas();
    live_scopes();
    apply((struct mete_change){.kind = METE_END_RATE_LIMIT, .end_rate = {made}});
    apply((struct mete_change){.kind = METE_PUT_EXCHANGE,
                               .exchange = {.from = METE_CURRENCY('E', 'U', 'R'),
                                            .to = METE_USD,
                                            .numerator = 11,
                                            .denominator = 10,
                                            .effective_at = {clock_us}}});
    pass(7200); /* windows begin */
    commit(reserve("last", 5, 60000), 5, 0);
}

/* Calls with and without a request id, with what only their records say, and every detail. */
static void live_details(void)
{
    const struct mete_part parts[] = {
        {METE_INPUT, 100}, {METE_CACHED_INPUT, 20}, {METE_OUTPUT, 380}};
    const struct mete_usage usage = {METE_COST, METE_USD, 500};
    const struct mete_outcome outcome = {.status = 200,
                                         .price_list = help_text("builtin"),
                                         .details = {.model = help_text("gpt-4o-2024-08-06"),
                                                     .upstream_id = help_text("chatcmpl-1"),
                                                     .dialect = help_text("openai-chat"),
                                                     .stream = 1,
                                                     .has_confidence = 1,
                                                     .confidence_ppm = 875000,
                                                     .parts = parts,
                                                     .parts_len = 3}};
    const struct mete_demand demand = {METE_COST, METE_USD, 1000, 0};
    const struct mete_text tags[] = {help_text("blue"), help_text("check out")};
    struct mete_reserve args = {.scope = {HELP_KEY},
                                .content = 4711,
                                .session = help_text("chat 7"),
                                .tags = tags,
                                .tags_len = 2,
                                .demands = &demand,
                                .demands_len = 1,
                                .ttl_ms = 60000,
                                .flags = METE_RESERVE_CALL};
    assert_int_equal(help_tree(port, 3000000), 0);
    for (int i = 0; i < 3; i++) { /* the last one stays open */
        struct mete_verdict verdict;
        struct mete_receipt receipt;
        assert_int_equal(mete_reserve(port, &args, NULL, 0, &verdict), 0);
        struct mete_commit commit = {.reservation = verdict.reservation,
                                     .usage = &usage,
                                     .usage_len = 1,
                                     .outcome = outcome};
        if (i < 2)
            assert_int_equal(mete_commit(port, &commit, &receipt), 0);
        args.request_id = help_text(i ? "" : "r-1");
    }
    const struct mete_record record = {.scope = {HELP_KEY},
                                       .session = help_text("chat 7"),
                                       .tags = tags,
                                       .tags_len = 1,
                                       .usage = &usage,
                                       .usage_len = 1,
                                       .outcome = outcome};
    struct mete_receipt receipt;
    assert_int_equal(mete_record(port, &record, &receipt), 0);
}

static void write_line(FILE *file, const struct entry *entry)
{
    static uint8_t bytes[ENTRY_ROOM];
    struct writer w = {bytes, bytes + sizeof bytes};
    entry_write(&w, entry, 0);
    for (const uint8_t *at = bytes; at < w.at; at++)
        fprintf(file, "%02x", *at);
    fputc('\n', file);
}

static int write_group(void *user, const struct journal_group *group)
{
    const uint8_t *at = (const uint8_t *)group->entries.data;
    struct reader r = {at, at + group->entries.len, false};
    int64_t last_at_us = 0;
    for (uint32_t i = 0; i < group->count; i++) {
        struct entry entry;
        assert_int_equal(entry_read(&r, last_at_us, &entry), 0);
        last_at_us = entry.at_us;
        write_line(user, &entry);
    }
    return 0;
}

static void write_journal(const char *directory, const char *path)
{
    struct journal *journal;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "# SPDX-License-Identifier: Apache-2.0\n# An entry a line: test_golden.c\n");
    assert_int_equal(journal_open(os_system(), directory, 1, &journal), 0);
    assert_int_equal(journal_read(journal, NULL, write_group, file, NULL), 0);
    struct entry base = {.kind = ENTRY_BASE, .at_us = clock_us};
    base.u.base.seq = journal_last_seq(journal);
    memset(base.u.base.hash, 0x42, sizeof base.u.base.hash);
    write_line(file, &base); /* a cut would have taken away what is before it */
    journal_close(journal);
    fclose(file);
}

static void write_one(const char *name, void (*life)(void))
{
    char directory[64], path[128];
    static char figures[FIGURES_ROOM];
    struct text_out out = {figures, 0};
    snprintf(path, sizeof path, "%s/%s.journal", golden, name);
    if (!access(path, F_OK))
        return;
    assert_int_equal(temp_make(directory, sizeof directory), 0);
    clock_us = INT64_C(1795251600000000); /* 2026-11-21T09:00:00Z */
    const struct mete_options options = {.directory = directory,
                                         .clock = {now_us, NULL},
                                         .scopes_max = 1000,
                                         .budgets_max = 1000,
                                         .reservations_max = 1000,
                                         .outcomes_max = 1000,
                                         .no_audit = 1};
    assert_int_equal(mete_open(&options, &mete), 0);
    assert_int_equal(mete_port_open(mete, &port), 0);
    life();
    mete_port_close(port);
    mete_close(mete);
    write_journal(directory, path);
    struct ledger *ledger = replay(path, false);
    say_all(&out, ledger);
    ledger_close(ledger);
    snprintf(path, sizeof path, "%s/%s.figures", golden, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(figures, file);
    fclose(file);
    assert_int_equal(temp_remove(directory), 0);
}

/* Documents of an organization and of the installation, put twice, ended, and beside other changes.
 */
static void live_documents(void)
{
    assert_int_equal(help_tree(port, 3000000), 0);
    struct mete_change put = {.kind = METE_PUT_DOCUMENT,
                              .at_document = {4, {HELP_ORGANIZATION}, help_text("gold")},
                              .document = help_text("{\"tokens\":1000}")};
    apply(put);
    put.document = help_text("{\"tokens\":2000}");
    apply(put);
    apply((struct mete_change){.kind = METE_END_DOCUMENT, .at_document = put.at_document});
    put.at_document = (struct mete_document_id){11, {0}, help_text("gpt-4o")};
    apply(put);
    commit(reserve("last", 5, 60000), 5, 0);
}

static void write_golden(void **state)
{
    (void)state;
    write_one("life", live);
    write_one("details", live_details);
    write_one("documents", live_documents);
}

int main(void)
{
    const struct CMUnitTest writing[] = {cmocka_unit_test(write_golden)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_golden_journal_means_what_it_meant),
        cmocka_unit_test(every_kind_of_entry_is_in_one_of_them),
    };
    if (getenv("METE_GOLDEN_WRITE"))
        return cmocka_run_group_tests(writing, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
