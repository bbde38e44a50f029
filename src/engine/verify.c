/* SPDX-License-Identifier: Apache-2.0
 * Three proofs in one pass over the journal: its own (checksum and chain, in store/), the ledger's
 * (each entry fits the state before it; at the end the audit, the structure check, and every
 * budget's committed added up anew in totals.c), and the records' (walking beside the replay: the
 * next usage record, the next events and the next row of the audit log, verify_audit.c, must be
 * what the entry projects to).
 *
 * Entities are rows that later entries change, so each one's expected content is kept as two
 * fingerprints, of what stays from its put and of what the last entry set, and compared at the end.
 *
 * A journal that was cut begins with its base; the records of what lies before it are primary, and
 * only what was put since is compared. Snapshots: verify_base.c. Nothing that is found here ends
 * the process: what asserts in the ledger is trapped and told.
 *
 * Usage records and events that were removed by age are not missed; what the calls came to is still
 * compared with the sums that are kept of them: verify_sums.c.
 *
 * The records may be behind the journal (a crash before they were written): what they say they
 * contain is compared, up to records_seq; ahead of it they cannot be. */
#include "engine/verify.h"

#include "base/assert.h"
#include "base/limits.h"
#include "engine/replay.h"
#include "engine/totals.h"
#include "engine/verify_audit.h"
#include "engine/verify_base.h"
#include "engine/verify_documents.h"
#include "engine/verify_sums.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

/* Sorts of entities, each with handles of its own. */
enum { SCOPES, BUDGETS, RATES, GRANTS, ENTITY_SORTS };

/* Of one entity: fingerprints (0: of before the base), and whether the records' row was seen. Those
 * of a scope are chained, because they end with it. */
struct expected {
    uint64_t put, set;
    uint32_t parent, next;
    uint32_t own[ENTITY_SORTS]; /* of a scope */
    uint8_t kind, is_there, ended;
};
static const char *const sorts[] = {"scope", "budget", "rate limit", "grant"};

struct verify {
    struct verify_report *report;
    const char *directory;
    struct os os;
    struct journal *journal;
    struct ledger *ledger;
    struct lineage lineage;
    struct totals *totals;
    struct records_reader *reader;
    struct records_cursor *cursor;
    uint64_t labels_from; /* calls made up to here may have lost theirs */
    struct replay replay;
    struct verify_base base;
    struct verify_audit audit;
    struct expected *entities[ENTITY_SORTS]; /* [handle] */
    size_t entities_room[ENTITY_SORTS];
    struct verify_documents documents;
    struct verify_sums sums;
    struct records_removed removed; /* by age: nothing is there to compare up to them */
    struct ledger_effects effects;
    struct projection projection;
};

__attribute__((format(printf, 2, 3))) static int differs(struct verify *verify, const char *format,
                                                         ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(verify->report->detail, sizeof verify->report->detail, format, args);
    va_end(args);
    return METE_E_CORRUPT;
}

/* ---- Usage and events ------------------------------------------------------------------------ */

static bool same_text(struct mete_text a, struct mete_text b)
{
    return slice_equal((struct slice){a.data, a.len}, (struct slice){b.data, b.len});
}

/* The records keep usage in order of meter; an entry need not. */
static bool same_meters(const struct records_usage *a, const struct records_usage *b)
{
    if (a->usage_len != b->usage_len)
        return false;
    for (size_t i = 0; i < a->usage_len; i++) {
        bool found = false;
        for (size_t j = 0; j < b->usage_len; j++)
            found |= a->usage[i].meter == b->usage[j].meter &&
                     a->usage[i].currency == b->usage[j].currency &&
                     a->usage[i].amount == b->usage[j].amount;
        if (!found)
            return false;
    }
    return true;
}

static bool same_outcome(const struct mete_outcome *a, const struct mete_outcome *b)
{
    return a->ending == b->ending && a->flags == b->flags && a->status == b->status &&
           a->attempts == b->attempts && a->latency_ms == b->latency_ms &&
           a->first_token_ms == b->first_token_ms && same_text(a->price_list, b->price_list) &&
           same_text(a->note, b->note);
}

static bool same_usage(const struct records_usage *a, const struct records_usage *b)
{
    return a->seq == b->seq && a->reservation == b->reservation && a->scope.n == b->scope.n &&
           a->corrects == b->corrects && a->organization.n == b->organization.n &&
           a->department.n == b->department.n && a->user.n == b->user.n && a->key.n == b->key.n &&
           slice_equal(a->request_id, b->request_id) && slice_equal(a->model, b->model) &&
           slice_equal(a->provider, b->provider) && a->started_us == b->started_us &&
           a->ended_us == b->ended_us && a->state == b->state && a->overrun == b->overrun &&
           same_meters(a, b) && same_outcome(&a->outcome, &b->outcome);
}

/* Which entry made the call: 36 bits of an id are its number, plus 1. */
static uint64_t made_by(const struct records_usage *usage)
{
    return usage->reservation ? (usage->reservation & ((UINT64_C(1) << 36) - 1)) - 1 : usage->seq;
}

/* What records of an earlier version, and calls that were open then, need not have. */
static bool same_rest(const struct verify *verify, const struct records_usage *a,
                      const struct records_usage *b)
{
    bool is_same = slice_equal(a->details, b->details) || a->seq <= verify->labels_from;
    if (made_by(a) > verify->labels_from)
        is_same &= slice_equal(a->session, b->session) && slice_equal(a->tags, b->tags) &&
                   a->fingerprint == b->fingerprint;
    return is_same;
}

static int compare_usage(struct verify *verify, const struct records_usage *wanted)
{
    struct records_usage got;
    int found;
    if (wanted->seq <= verify->removed.usage) {
        verify->report->removed++;
        return 0;
    }
    int error = records_cursor_usage(verify->cursor, &got, &found);
    if (error)
        return error;
    if (!found || got.seq > wanted->seq)
        return differs(verify, "usage record %llu is missing from the records",
                       (unsigned long long)wanted->seq);
    if (got.seq < wanted->seq)
        return differs(verify, "usage record %llu is not of the journal",
                       (unsigned long long)got.seq);
    if (!same_usage(wanted, &got) || !same_rest(verify, wanted, &got))
        return differs(verify, "usage record %llu differs from the journal",
                       (unsigned long long)wanted->seq);
    verify->report->usage++;
    return 0;
}

static bool same_event(const struct mete_event *a, const struct mete_event *b)
{
    return a->kind == b->kind && a->at.us == b->at.us && a->seq == b->seq &&
           a->scope.n == b->scope.n && a->budget.n == b->budget.n &&
           a->threshold_ppm == b->threshold_ppm && a->limit == b->limit &&
           a->committed == b->committed && a->held == b->held;
}

static int compare_event(struct verify *verify, const struct mete_event *wanted)
{
    struct mete_event got;
    int found;
    if (wanted->seq <= verify->removed.events)
        return 0;
    int error = records_cursor_event(verify->cursor, &got, &found);
    if (error)
        return error;
    if (!found || !same_event(wanted, &got))
        return differs(verify, "the events of entry %llu differ from the journal",
                       (unsigned long long)wanted->seq);
    verify->report->events++;
    return 0;
}

/* Behind the last compared ones there must be nothing. */
static int compare_ends(struct verify *verify)
{
    struct records_usage usage;
    struct mete_event event;
    int found;
    int error = records_cursor_usage(verify->cursor, &usage, &found);
    if (!error && found)
        return differs(verify, "usage record %llu is not of the journal",
                       (unsigned long long)usage.seq);
    if (!error)
        error = records_cursor_event(verify->cursor, &event, &found);
    if (!error && found)
        return differs(verify, "an event of entry %llu is not of the journal",
                       (unsigned long long)event.seq);
    return error;
}

/* ---- Entities -------------------------------------------------------------------------------- */

static uint64_t hash_numbers(const uint64_t *numbers, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(numbers, len * sizeof *numbers, seed);
}

static uint64_t hash_slice(struct slice slice, uint64_t seed)
{
    return XXH3_64bits_withSeed(slice.data, slice.len, seed);
}

static uint64_t fingerprint_put(const struct records_entity *entity)
{
    const uint64_t numbers[] = {(uint64_t)entity->kind, entity->handle, entity->organization.n};
    uint64_t hash = hash_numbers(numbers, 3, 1);
    return hash_slice(entity->document, hash_slice(entity->id, hash));
}

static uint64_t fingerprint_set(const struct records_entity *entity)
{
    const uint64_t numbers[] = {entity->seq, (uint64_t)entity->at_us, (uint64_t)entity->ended};
    return hash_slice(entity->actor, hash_numbers(numbers, 3, 2));
}

static int which(const struct records_entity *entity)
{
    if (entity->kind == RECORDS_RATE)
        return RATES;
    if (entity->kind == RECORDS_GRANT)
        return GRANTS;
    return entity->kind == RECORDS_BUDGET ? BUDGETS : SCOPES;
}

/* Room for one of this handle. MEMORY. */
static int make_room(struct verify *verify, int i, uint32_t handle)
{
    while (handle >= verify->entities_room[i]) {
        size_t room = verify->entities_room[i] ? verify->entities_room[i] * 2 : 1024;
        struct expected *grown = realloc(verify->entities[i], room * sizeof *grown);
        if (!grown)
            return METE_E_MEMORY;
        memset(grown + verify->entities_room[i], 0,
               (room - verify->entities_room[i]) * sizeof *grown);
        verify->entities[i] = grown;
        verify->entities_room[i] = room;
    }
    return 0;
}

/* The end of a scope is that of its own. */
static void expect_ends(struct verify *verify, const struct expected *scope)
{
    for (int i = BUDGETS; i < ENTITY_SORTS; i++) {
        struct expected *own = NULL;
        for (uint32_t at = scope->own[i]; at; at = own->next) {
            own = &verify->entities[i][at];
            own->set = own->ended ? own->set : scope->set;
            own->ended = 1;
        }
    }
}

/* A new one, among its scope's own. */
static void expect_new(struct verify *verify, int i, const struct records_entity *entity)
{
    struct expected *expected = &verify->entities[i][entity->handle];
    expected->kind = (uint8_t)entity->kind;
    if (i == SCOPES)
        return;
    struct expected *scope = &verify->entities[SCOPES][entity->parent.n];
    expected->next = scope->own[i];
    scope->own[i] = entity->handle;
}

static int expect(struct verify *verify, const struct records_entity *entity)
{
    if (entity->kind > RECORDS_DOCUMENT)
        return verify_documents_expect(&verify->documents, entity);
    int i = which(entity);
    int error = make_room(verify, i, entity->handle);
    if (!error)
        error = make_room(verify, SCOPES, entity->parent.n);
    if (error)
        return error;
    struct expected *expected = &verify->entities[i][entity->handle];
    if (!expected->kind)
        expect_new(verify, i, entity);
    if (!entity->ended)
        expected->parent = entity->parent.n;
    if (!entity->ended && !entity->moved)
        expected->put = fingerprint_put(entity);
    expected->set = fingerprint_set(entity);
    expected->ended = entity->ended != 0;
    if (entity->ended && i == SCOPES)
        expect_ends(verify, expected);
    if (entity->ended && entity->kind == METE_ORGANIZATION)
        verify_documents_end_of(&verify->documents, entity->handle);
    return 0;
}

/* The scopes of a base: their rows are there, whatever is in them. */
static int expect_scopes(struct verify *verify)
{
    struct mete_scope_view scope;
    int error = 0;
    for (uint32_t handle = 1; !error && !ledger_scope(verify->ledger, handle, &scope); handle++) {
        error = make_room(verify, SCOPES, handle);
        if (!error)
            verify->entities[SCOPES][handle].kind = (uint8_t)scope.kind;
    }
    return error;
}

/* A row of before the base, which has ended since with its scope. */
static bool ended_with_scope(const struct verify *verify, const struct expected *expected,
                             const struct records_entity *got)
{
    if (!verify->base.base.seq || which(got) == SCOPES || (expected && expected->kind) ||
        got->parent.n >= verify->entities_room[SCOPES])
        return false;
    const struct expected *scope = &verify->entities[SCOPES][got->parent.n];
    return scope->ended && scope->set == fingerprint_set(got);
}

/* A row that nothing was put to since the base. */
static bool is_primary(const struct verify *verify, const struct expected *expected,
                       const struct records_entity *got)
{
    if (ended_with_scope(verify, expected, got))
        return true;
    return got->seq <= verify->base.base.seq && (!expected || !expected->kind || !expected->set);
}

static int compare_entity(void *user, const struct records_entity *got)
{
    struct verify *verify = user;
    int i = which(got);
    struct expected *expected =
        got->handle < verify->entities_room[i] ? &verify->entities[i][got->handle] : NULL;
    const char *what = sorts[i];
    if (is_primary(verify, expected, got)) {
        if (expected)
            expected->is_there = 1;
        verify->report->primary++;
        return 0;
    }
    if (!expected || expected->kind != got->kind)
        return differs(verify, "%s %u is not of the journal", what, got->handle);
    bool knows_parent = expected->put || expected->parent;
    if ((expected->put && expected->put != fingerprint_put(got)) ||
        (knows_parent && expected->parent != got->parent.n) ||
        expected->set != fingerprint_set(got))
        return differs(verify, "%s %u differs from the journal", what, got->handle);
    expected->is_there = 1;
    verify->report->entities++;
    return 0;
}

static int compare_document(void *user, const struct records_entity *got)
{
    struct verify *verify = user;
    bool known;
    if (verify_documents_is(&verify->documents, got, &known)) {
        verify->report->entities++;
        return 0;
    }
    if (known || got->seq > verify->base.base.seq)
        return differs(verify, "document %.*s of kind %d differs from the journal",
                       (int)got->id.len, got->id.data, got->kind - RECORDS_DOCUMENT);
    verify->report->primary++;
    return 0;
}

static int compare_documents(struct verify *verify)
{
    const struct mete_scope_id all = {0};
    for (int kind = 1; kind <= METE_DOCUMENT_KINDS; kind++) {
        int error = records_each_entity(verify->reader, RECORDS_DOCUMENT + kind, all, 0,
                                        SIZE_MAX >> 1, 1, compare_document, verify);
        if (error)
            return error;
    }
    size_t missing = verify_documents_missing(&verify->documents);
    return missing ? differs(verify, "%zu documents are missing from the records", missing) : 0;
}

static int compare_sums(struct verify *verify)
{
    uint32_t scope = 0;
    int error = verify_sums_compare(&verify->sums, verify->reader, &scope);
    if (error == METE_E_CORRUPT)
        return differs(verify, "the usage of scope %u is not the sum of its calls", scope);
    verify->report->rolled_up = !error;
    return error == METE_E_NOT_FOUND ? 0 : error;
}

static int compare_entities(struct verify *verify)
{
    const struct mete_scope_id all = {0};
    for (int kind = METE_ORGANIZATION; kind < METE_KINDS + 3; kind++) {
        int asked = kind < METE_KINDS ? kind : RECORDS_BUDGET + (kind - METE_KINDS);
        int error = records_each_entity(verify->reader, asked, all, 0, SIZE_MAX >> 1, 1,
                                        compare_entity, verify);
        if (error)
            return error;
    }
    for (int i = 0; i < ENTITY_SORTS; i++)
        for (size_t handle = 0; handle < verify->entities_room[i]; handle++)
            if (verify->entities[i][handle].kind && !verify->entities[i][handle].is_there)
                return differs(verify, "%s %zu is missing from the records", sorts[i], handle);
    return compare_documents(verify);
}

/* ---- The pass -------------------------------------------------------------------------------- */

static int look_at(void *user, const struct entry *entry, const struct projection *projection)
{
    struct verify *verify = user;
    const struct records_usage *usage = projection->has_usage ? &projection->usage : NULL;
    int error = verify_base_entry(&verify->base, verify->ledger, entry);
    if (!error)
        error = totals_add(verify->totals, verify->ledger, entry, usage);
    else
        return error;
    if (error == METE_E_CORRUPT)
        return differs(verify, "entry %llu ends a call that was not open",
                       (unsigned long long)entry->seq);
    if (error || !verify->reader || entry->seq > verify->report->records_seq)
        return error;
    verify_audit_base(&verify->audit, entry);
    if (usage)
        error = compare_usage(verify, usage);
    if (usage && !error)
        error = verify_sums_add(&verify->sums, usage);
    if (!error && projection->has_entity)
        error = expect(verify, &projection->entity);
    if (!error)
        error = verify_audit_entry(&verify->audit, &projection->audit);
    for (size_t i = 0; !error && i < projection->events_len; i++)
        error = compare_event(verify, &projection->events[i]);
    return error;
}

/* A state that asserts is not clean, and that is an answer. */
static int guard(struct verify *verify, int (*fn)(struct verify *verify, const void *argument),
                 const void *argument)
{
    struct assert_trap trap;
    if (setjmp(trap.back))
        return differs(verify, "after entry %llu: %.200s",
                       (unsigned long long)verify->replay.entries + verify->base.base.seq,
                       trap.what);
    assert_trap_set(&trap);
    int error = fn(verify, argument);
    assert_trap_set(NULL);
    return error;
}

static int replay(struct verify *verify, const void *group)
{
    verify->report->groups++;
    return replay_group(&verify->replay, group);
}

static int read_group(void *user, const struct journal_group *group)
{
    return guard(user, replay, group);
}

static int verify_ledger(struct verify *verify, const void *nothing)
{
    (void)nothing;
    struct verify_report *report = verify->report;
    struct ledger_counts counts;
    ledger_counts(verify->ledger, &counts);
    report->scopes = counts.scopes;
    report->budgets = counts.budgets;
    report->reservations_open = counts.reservations_open;
    report->drift = ledger_audit(verify->ledger);
    ledger_check(verify->ledger);
    ledger_hash(verify->ledger, report->state_hash);
    if (report->drift)
        return differs(verify, "%llu counters differ from what their parts add up to",
                       (unsigned long long)report->drift);
    uint32_t budget = 0;
    int error = totals_compare(verify->totals, verify->ledger, &report->windows, &budget);
    return error ? differs(verify, "budget %u: committed or carried is not the sum of its usage",
                           budget)
                 : 0;
}

static int verify_journal(struct verify *verify)
{
    struct verify_report *report = verify->report;
    int error = journal_read(verify->journal, NULL, read_group, verify, report->detail);
    report->entries = verify->replay.entries;
    report->last_seq = ledger_last_seq(verify->ledger);
    report->last_at.us = verify->replay.last_at_us;
    if (error)
        return error;
    report->journal_bytes = journal_bytes(verify->journal);
    journal_head(verify->journal, report->head);
    if (verify->reader && report->records_seq > report->last_seq)
        return differs(verify, "the records contain entry %llu, the journal ends at %llu",
                       (unsigned long long)report->records_seq,
                       (unsigned long long)report->last_seq);
    error = verify_base_end(&verify->base);
    return error ? error : guard(verify, verify_ledger, NULL);
}

static int begin_audit(struct verify *verify)
{
    verify->audit.base_seq = verify->base.base.seq;
    return verify_audit_begin(&verify->audit, verify->reader);
}

static int end_audit(struct verify *verify)
{
    int error = verify_audit_end(&verify->audit);
    if (error == METE_E_CORRUPT)
        differs(verify, "%s", verify->audit.fault);
    verify->report->audit = verify->audit.rows;
    memcpy(verify->report->audit_head, verify->audit.chain, sizeof verify->report->audit_head);
    return error;
}

static int open_records(struct verify *verify)
{
    int error = records_reader_open(&verify->os, verify->directory, &verify->reader);
    if (error == METE_E_NOT_FOUND && verify->base.base.seq)
        return differs(verify, "records.db is missing: the journal before entry %llu is cut",
                       (unsigned long long)verify->base.base.seq);
    if (error == METE_E_NOT_FOUND)
        return 0; /* they can be rebuilt */
    if (!error)
        error = records_cursor_open(verify->reader, verify->base.base.seq, &verify->cursor);
    if (!error)
        error = records_reader_last_seq(verify->reader, &verify->report->records_seq);
    if (!error)
        error = records_reader_labels_from(verify->reader, &verify->labels_from);
    if (!error)
        error = begin_audit(verify);
    if (!error)
        error = records_reader_removed(verify->reader, &verify->removed);
    if (error == METE_E_CORRUPT)
        return differs(verify, "records.db is damaged%s",
                       verify->base.base.seq ? "" : "; deleted, it is rebuilt at the next start");
    if (error)
        return error;
    verify->report->has_records = 1;
    return expect_scopes(verify);
}

/* The state that the journal goes on from. */
static int begin(struct verify *verify)
{
    verify->base.directory = verify->directory;
    verify->base.journal = verify->journal;
    verify->base.detail = verify->report->detail;
    int error = verify_base_open(&verify->base, &verify->ledger);
    verify->report->base = verify->base.base.seq;
    verify->report->snapshots = verify->base.len + (verify->base.base.seq != 0);
    if (!error)
        lineage_learn(&verify->lineage, verify->ledger);
    verify_sums_begin(&verify->sums, error ? 0 : ledger_last_at_us(verify->ledger));
    return error ? error : totals_begin(verify->totals, verify->ledger);
}

static int open_all(struct verify *verify)
{
    static const struct ledger_room room = {LIMIT_SCOPES, LIMIT_BUDGETS, LIMIT_RESERVATIONS,
                                            LIMIT_OUTCOMES};
    int error = journal_open(&verify->os, verify->directory, 1, &verify->journal);
    if (error == METE_E_CORRUPT)
        return differs(verify, "journal.db or its write-ahead file is damaged");
    if (!error)
        error = ledger_open(&room, &verify->ledger);
    if (!error)
        error = lineage_init(&verify->lineage, room.scopes);
    if (!error)
        error = totals_new(&verify->totals);
    if (!error)
        error = begin(verify);
    return error ? error : open_records(verify);
}

static void close_all(struct verify *verify)
{
    records_cursor_close(verify->cursor);
    records_reader_close(verify->reader);
    totals_free(verify->totals);
    lineage_done(&verify->lineage);
    ledger_close(verify->ledger);
    journal_close(verify->journal);
    for (int i = 0; i < ENTITY_SORTS; i++)
        free(verify->entities[i]);
    verify_documents_done(&verify->documents);
    verify_sums_done(&verify->sums);
}

int engine_verify(const char *directory, struct verify_report *ret_report)
{
    ASSERT(directory && ret_report);
    *ret_report = (struct verify_report){0};
    struct verify *verify = calloc(1, sizeof *verify);
    if (!verify)
        return METE_E_MEMORY;
    verify->report = ret_report;
    verify->directory = directory;
    verify->os = *os_system();
    int error = open_all(verify);
    verify->replay = (struct replay){.ledger = verify->ledger,
                                     .lineage = &verify->lineage,
                                     .effects = &verify->effects,
                                     .projection = &verify->projection,
                                     .project_from = 1,
                                     .each = look_at,
                                     .user = verify,
                                     .detail = ret_report->detail};
    if (!error)
        error = verify_journal(verify);
    if (!error && verify->reader)
        error = compare_ends(verify);
    if (!error && verify->reader)
        error = compare_entities(verify);
    if (!error && verify->reader)
        error = end_audit(verify);
    if (!error && verify->reader)
        error = compare_sums(verify);
    close_all(verify);
    free(verify);
    if (error == METE_E_CORRUPT && !ret_report->detail[0])
        snprintf(ret_report->detail, sizeof ret_report->detail, "a database file is damaged");
    return error;
}
