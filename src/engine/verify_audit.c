/* SPDX-License-Identifier: Apache-2.0
 * A row is first compared with what its entry makes, then with its place in the chain, so that what
 * is told is the nearest cause: a changed row, a missing one, or one that somebody added. Rows are
 * made of earlier rows (what was before), each of which has been looked at by then; the first one
 * that is wrong is the last one that is looked at. */
#include "engine/verify_audit.h"

#include "base/assert.h"
#include "engine/audit_make.h"

#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 2, 3))) static int differs(struct verify_audit *audit,
                                                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(audit->fault, sizeof audit->fault, format, args);
    va_end(args);
    return 0;
}

/* The row has its place in the chain; the one behind it is next. */
static int pass(struct verify_audit *audit)
{
    uint8_t chain[AUDIT_HASH];
    audit_hash(audit->chain, &audit->next, chain);
    if (memcmp(chain, audit->next.chain, AUDIT_HASH) != 0)
        return differs(audit, "audit row %llu is not what was chained to the row before it",
                       (unsigned long long)audit->next.seq);
    memcpy(audit->chain, chain, AUDIT_HASH);
    audit->rows++;
    return audit_next(audit->book, &audit->next, &audit->has_next);
}

int verify_audit_begin(struct verify_audit *audit, struct records_reader *reader)
{
    int error = records_reader_audit(reader, &audit->book);
    if (!error)
        error = audit_begins_behind(audit->book, &audit->begins_behind);
    if (!error)
        error = audit_next(audit->book, &audit->next, &audit->has_next);
    while (!error && !audit->fault[0] && audit->has_next && audit->next.seq <= audit->base_seq)
        error = pass(audit);
    memcpy(audit->base, audit->chain, AUDIT_HASH);
    return error;
}

void verify_audit_base(struct verify_audit *audit, const struct entry *entry)
{
    if (!audit->book || audit->fault[0] || entry->kind != ENTRY_BASE ||
        entry->u.base.seq != audit->base_seq || !entry->u.base.has_audit)
        return;
    if (memcmp(entry->u.base.audit, audit->base, AUDIT_HASH) != 0)
        (void)differs(audit, "audit rows up to %llu are not those that the journal was cut with",
                      (unsigned long long)audit->base_seq);
}

static bool is_same(const struct audit_row *a, const struct audit_row *b)
{
    return a->seq == b->seq && a->at_us == b->at_us && slice_equal(a->actor, b->actor) &&
           slice_equal(a->action, b->action) && a->organization.n == b->organization.n &&
           slice_equal(a->kind, b->kind) && slice_equal(a->id, b->id) && a->handle == b->handle &&
           slice_equal(a->before, b->before) && slice_equal(a->after, b->after);
}

static int compare(struct verify_audit *audit, const struct project_audit *wanted)
{
    static const struct slice nothing = {NULL, 0};
    struct audit_made made;
    const struct slice *told = audit->begins_behind ? &audit->next.before : &nothing;
    int error = audit_make(audit->book, wanted, told, &made);
    bool same = !error && is_same(&made.row, &audit->next);
    audit_make_done(&made);
    audit_rest(audit->book);
    if (error == METE_E_CORRUPT)
        return differs(audit, "audit row %llu is of a thing that the records do not have",
                       (unsigned long long)wanted->entry->seq);
    if (!error && !same)
        return differs(audit, "audit row %llu differs from the journal",
                       (unsigned long long)wanted->entry->seq);
    return error;
}

int verify_audit_entry(struct verify_audit *audit, const struct project_audit *wanted)
{
    if (!audit->book || audit->fault[0] || !wanted->entry ||
        wanted->entry->seq <= audit->begins_behind)
        return 0;
    uint64_t seq = wanted->entry->seq;
    if (!audit->has_next || audit->next.seq > seq)
        return differs(audit, "audit row %llu is missing", (unsigned long long)seq);
    if (audit->next.seq < seq)
        return differs(audit, "audit row %llu is not of the journal",
                       (unsigned long long)audit->next.seq);
    int error = compare(audit, wanted);
    return error || audit->fault[0] ? error : pass(audit);
}

int verify_audit_end(struct verify_audit *audit)
{
    int error = 0;
    if (!audit->fault[0] && audit->has_next)
        error = differs(audit, "audit row %llu is not of the journal",
                        (unsigned long long)audit->next.seq);
    return audit->fault[0] ? METE_E_CORRUPT : error;
}
