/* SPDX-License-Identifier: Apache-2.0
 * Each sort of entry says what it is about (begin_*), then what that has become (after_*), then the
 * last row of the same thing says what it was. What puts a thing is a creation where there was
 * nothing before, else an update.
 *
 * What a template makes and what somebody moves is, but for a member or two, as it was: those rows
 * are the earlier row's members with these exchanged. A refund and a lifted stop are things of
 * their own, or the next change of their grant or budget would have them for what was before. */
#include "engine/audit_make.h"

#include "base/assert.h"
#include "base/limits.h"
#include "codec/json_scan.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    INSTALLATION, /* as tables/documents.h has them */
    ORGANIZATION
};

/* Names of document kinds, in capitals. */
static const char *const documents[METE_DOCUMENT_KINDS + 1] = {
#define ROW(name, number, whose, text) [number] = #name,
#include "tables/documents.h"
#undef ROW
};

enum {
#define ROW(name, number, whose, text) DOCUMENT_##name = number,
#include "tables/documents.h"
#undef ROW
};

/* What the API keeps of calls and for itself: nobody administers it. */
bool audit_make_tells_documents(uint16_t kind)
{
    return kind != DOCUMENT_REPLY && kind != DOCUMENT_BATCH && kind != DOCUMENT_FILE;
}

static struct slice of_text(struct mete_text text)
{
    return (struct slice){text.data, text.len};
}

/* ---- What it is about -------------------------------------------------------------------------
 */

static void about(struct audit_made *made, const char *kind, uint32_t handle, struct slice id)
{
    made->row.kind = slice_of(kind);
    made->row.handle = handle;
    made->row.id = id;
}

__attribute__((format(printf, 2, 3))) static struct slice make_id(struct audit_made *made,
                                                                  const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(made->id, sizeof made->id, format, args);
    va_end(args);
    ASSERT(len >= 0 && (size_t)len < sizeof made->id);
    return (struct slice){made->id, (size_t)len};
}

/* What the records have by a handle alone. Its id is copied: later look-ups are of the same sort.
 */
static int find(struct audit_book *book, int kind, uint32_t handle, struct audit_made *made,
                struct audit_entity *ret_entity)
{
    int error = audit_find_entity(book, kind, handle, ret_entity);
    if (error)
        return error == METE_E_NOT_FOUND ? METE_E_CORRUPT : error;
    ASSERT(ret_entity->id.len <= LIMIT_ID);
    ret_entity->id = make_id(made, "%.*s", (int)ret_entity->id.len, ret_entity->id.data);
    if (!made->row.organization.n)
        made->row.organization = ret_entity->organization;
    return 0;
}

/* A thing that only its handle names. */
static int about_found(struct audit_book *book, int entity_kind, uint32_t handle, const char *kind,
                       struct audit_made *made)
{
    struct audit_entity entity;
    int error = find(book, entity_kind, handle, made, &entity);
    if (!error)
        about(made, kind ? kind : audit_json_kind(entity.kind), handle, entity.id);
    return error;
}

static int about_increase(struct audit_book *book, uint32_t budget, uint32_t number,
                          struct audit_made *made)
{
    char suffix[16];
    struct audit_entity entity;
    int error = find(book, RECORDS_BUDGET, budget, made, &entity);
    if (error)
        return error;
    int len = snprintf(suffix, sizeof suffix, "/%u", number);
    ASSERT(len > 0 && entity.id.len + (size_t)len < sizeof made->id);
    memcpy(made->id + entity.id.len, suffix, (size_t)len);
    about(made, "increase", budget, (struct slice){made->id, entity.id.len + (size_t)len});
    return 0;
}

static struct slice code_of(uint32_t currency, char room[3])
{
    room[0] = (char)(currency >> 16);
    room[1] = (char)(currency >> 8);
    room[2] = (char)currency;
    return (struct slice){room, 3};
}

static void about_exchange(const struct mete_exchange_spec *spec, struct audit_made *made)
{
    char from[3], to[3];
    code_of(spec->from, from);
    code_of(spec->to, to);
    about(made, "exchange_rate", 0, make_id(made, "%.3s/%.3s", from, to));
}

/* A quota has no id: its unit is. */
static void about_quota(const struct entry *entry, struct audit_made *made)
{
    char code[3];
    uint16_t meter = entry->u.quota_end.meter;
    if (meter == METE_COST)
        make_id(made, "%.3s", code_of(entry->u.quota_end.currency, code).data);
    else
        make_id(made, "meter_%u", meter);
    about(made, "quota", entry->u.quota_end.scope, slice_of(made->id));
}

static void about_document(const struct entry *entry, struct audit_made *made)
{
    struct slice id = entry->u.document.id;
    const char *name = documents[entry->u.document.kind];
    if (entry->u.document.kind == DOCUMENT_ACT)
        name = "installation";
    else if (entry->u.document.kind == DOCUMENT_SETTLEMENT)
        name = "record";
    snprintf(made->kind, sizeof made->kind, "%s", name ? name : "");
    for (char *at = made->kind; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    if (!name)
        snprintf(made->kind, sizeof made->kind, "document_%u", entry->u.document.kind);
    made->row.organization.n = entry->u.document.organization;
    about(made, made->kind, 0, make_id(made, "%.*s", (int)id.len, id.data));
}

/* Of what belongs to a budget. */
static int begin_budget(struct audit_book *book, const struct project_audit *audit,
                        struct audit_made *made)
{
    const struct entry *entry = audit->entry;
    switch ((int)entry->kind) {
    case ENTRY_BUDGET:
        about(made, "budget", entry->u.budget.handle, of_text(entry->u.budget.spec.id));
        return 0;
    case ENTRY_DEFAULT:
        about(made, "budget", entry->u.by_default.handle, audit->id);
        return 0;
    case ENTRY_BUDGET_END:
        return about_found(book, RECORDS_BUDGET, entry->u.budget_end.handle, "budget", made);
    case ENTRY_LIFT:
        return about_found(book, RECORDS_BUDGET, entry->u.lift.budget, "emergency_stop", made);
    case ENTRY_INCREASE:
        return about_increase(book, entry->u.increase.spec.budget.n, entry->u.increase.number,
                              made);
    case ENTRY_INCREASE_END:
        return about_increase(book, entry->u.increase_end.budget, entry->u.increase_end.number,
                              made);
    default:
        ASSERT(false && "an administrative entry");
        return METE_E_CORRUPT;
    }
}

static int begin(struct audit_book *book, const struct project_audit *audit,
                 struct audit_made *made)
{
    const struct entry *entry = audit->entry;
    switch ((int)entry->kind) {
    case ENTRY_SCOPE:
        about(made, audit_json_kind((int)entry->u.scope.spec.kind), entry->u.scope.handle,
              of_text(entry->u.scope.spec.id));
        return 0;
    case ENTRY_SCOPE_END:
        return about_found(book, METE_KIND_NONE, entry->u.scope_end.scope, NULL, made);
    case ENTRY_SCOPE_MOVE:
        return about_found(book, METE_KIND_NONE, entry->u.scope_move.scope, NULL, made);
    case ENTRY_RATE:
        about(made, "rate_limit", entry->u.rate.handle, of_text(entry->u.rate.spec.id));
        return 0;
    case ENTRY_RATE_END:
        return about_found(book, RECORDS_RATE, entry->u.rate_end.handle, "rate_limit", made);
    case ENTRY_GRANT:
        about(made, "grant", entry->u.grant.handle, of_text(entry->u.grant.spec.id));
        return 0;
    case ENTRY_REFUND:
        return about_found(book, RECORDS_GRANT, entry->u.refund.grant, "refund", made);
    case ENTRY_QUOTA_END:
        about_quota(entry, made);
        return 0;
    case ENTRY_EXCHANGE:
        about_exchange(&entry->u.exchange.spec, made);
        return 0;
    case ENTRY_METER:
        about(made, "meter", entry->u.meter.number, entry->u.meter.name);
        return 0;
    case ENTRY_DOCUMENT:
    case ENTRY_DOCUMENT_END:
        about_document(entry, made);
        return 0;
    default:
        return begin_budget(book, audit, made);
    }
}

/* ---- What it was ------------------------------------------------------------------------------
 */

/* Kind of the records' row of a thing; 0: it has none. */
static int entity_kind(const struct entry *entry)
{
    switch ((int)entry->kind) {
    case ENTRY_SCOPE:
        return (int)entry->u.scope.spec.kind;
    case ENTRY_BUDGET:
    case ENTRY_BUDGET_END:
        return RECORDS_BUDGET;
    case ENTRY_RATE:
    case ENTRY_RATE_END:
        return RECORDS_RATE;
    case ENTRY_GRANT:
        return RECORDS_GRANT;
    default:
        return 0;
    }
}

/* Of what is older than the audit log: what the records know of it. */
static int before_of_entity(struct audit_book *book, const struct entry *entry,
                            struct audit_made *made)
{
    struct audit_json *json = &made->before;
    struct audit_entity entity;
    bool is_scope = entry->kind == ENTRY_SCOPE_END || entry->kind == ENTRY_SCOPE_MOVE;
    int kind = entity_kind(entry);
    if (!kind && !is_scope)
        return 0;
    int error = audit_find_entity(book, kind, made->row.handle, &entity);
    if (error)
        return error == METE_E_NOT_FOUND ? 0 : error;
    audit_json_open(json, '{');
    audit_json_document(json, entity.document);
    audit_json_scope(json, kind < RECORDS_BUDGET ? "parent" : "scope", entity.parent.n);
    audit_json_close(json, '}');
    made->row.before = buffer_slice(&json->bytes);
    return json->error;
}

static int find_before(struct audit_book *book, const struct entry *entry, const struct slice *told,
                       struct audit_made *made)
{
    int error = audit_find_last(book, &made->row, &made->row.before);
    made->has_earlier = !error;
    if (error != METE_E_NOT_FOUND)
        return error;
    if (told)
        made->row.before = *told;
    return told ? 0 : before_of_entity(book, entry, made);
}

/* What a thing was that rows say nothing of but its end. */
static bool has_own_before(const struct entry *entry, struct audit_made *made)
{
    struct audit_json *json = &made->before;
    if (entry->kind == ENTRY_REFUND)
        return true;
    if (entry->kind != ENTRY_LIFT && entry->kind != ENTRY_QUOTA_END)
        return false;
    audit_json_open(json, '{');
    if (entry->kind == ENTRY_LIFT) {
        audit_json_bool(json, "stopped", true);
    } else {
        audit_json_scope(json, "scope", entry->u.quota_end.scope);
        audit_json_unit(json, entry->u.quota_end.meter, entry->u.quota_end.currency);
    }
    audit_json_close(json, '}');
    made->row.before = buffer_slice(&json->bytes);
    return true;
}

/* ---- What it is then --------------------------------------------------------------------------
 */

/* Whether an earlier row of a thing says that it counts money; *ret_unit: what it counts. */
static bool counts_money(struct slice state, struct slice *ret_unit)
{
    struct json root, unit;
    *ret_unit = (struct slice){0};
    if (!state.len || json_scan(state, &root, NULL))
        return false;
    unit = json_member(root, "unit");
    if (unit.type != JSON_STRING)
        return false;
    *ret_unit = slice_part(unit.raw, 1, unit.raw.len - 2);
    return ret_unit->len == 3 && isupper((unsigned char)ret_unit->data[0]);
}

/* An amount of what a budget or grant counts, which its last row says. Without one the amount is as
 * the entry has it: nano-units, of money. */
static int put_amount_of(struct audit_book *book, int kind, uint32_t handle, int64_t amount,
                         struct audit_made *made)
{
    struct audit_entity entity;
    struct slice state = {0}, unit;
    int error = audit_find_entity(book, kind, handle, &entity);
    if (error)
        return error == METE_E_NOT_FOUND ? METE_E_CORRUPT : error;
    const struct audit_row row = {.seq = made->row.seq,
                                  .organization = entity.organization,
                                  .kind = kind == RECORDS_BUDGET ? SLICE_LITERAL("budget")
                                                                 : SLICE_LITERAL("grant"),
                                  .handle = handle,
                                  .id = entity.id};
    error = audit_find_last(book, &row, &state);
    if (error && error != METE_E_NOT_FOUND)
        return error;
    bool is_money = counts_money(state, &unit);
    if (unit.len)
        audit_json_text(&made->after, "unit", unit);
    audit_json_amount(&made->after, "amount", is_money ? METE_COST : METE_REQUESTS, amount);
    return 0;
}

static int after_increase(struct audit_book *book, const struct entry *entry,
                          struct audit_made *made)
{
    struct audit_json *json = &made->after;
    const struct mete_increase_spec *spec = &entry->u.increase.spec;
    audit_json_open(json, '{');
    int error = put_amount_of(book, RECORDS_BUDGET, spec->budget.n, spec->amount, made);
    audit_json_instant(json, "from", spec->from.us);
    audit_json_instant(json, "until", spec->until.us);
    audit_json_document(json, entry->u.increase.document);
    audit_json_close(json, '}');
    return error;
}

static int after_refund(struct audit_book *book, const struct entry *entry, struct audit_made *made)
{
    struct audit_json *json = &made->after;
    audit_json_open(json, '{');
    int error =
        put_amount_of(book, RECORDS_GRANT, entry->u.refund.grant, entry->u.refund.amount, made);
    audit_json_document(json, entry->u.refund.document);
    audit_json_close(json, '}');
    return error;
}

/* As it was, elsewhere. */
static void after_move(const struct project_audit *audit, struct audit_made *made)
{
    static const char *const moved[] = {"parent", NULL};
    struct audit_json *json = &made->after;
    audit_json_open(json, '{');
    audit_json_scope(json, "parent", audit->parent.n);
    if (made->row.before.len)
        audit_json_members(json, made->row.before, moved);
    audit_json_close(json, '}');
}

/* As its template is now, for one scope. */
static int after_default(struct audit_book *book, const struct entry *entry,
                         struct audit_made *made)
{
    static const char *const others[] = {"scope", "for_kind", "document", NULL};
    struct audit_json *json = &made->after;
    struct audit_entity entity;
    struct slice state = {0};
    uint32_t template = entry->u.by_default.made_from;
    int error = audit_find_entity(book, RECORDS_BUDGET, template, &entity);
    if (error)
        return error == METE_E_NOT_FOUND ? METE_E_CORRUPT : error;
    const struct audit_row row = {.seq = made->row.seq,
                                  .organization = entity.organization,
                                  .kind = SLICE_LITERAL("budget"),
                                  .handle = template,
                                  .id = entity.id};
    error = audit_find_last(book, &row, &state);
    if (error && error != METE_E_NOT_FOUND)
        return error;
    audit_json_open(json, '{');
    audit_json_scope(json, "scope", entry->u.by_default.scope);
    audit_json_text(json, "template", entity.id);
    if (state.len)
        audit_json_members(json, state, others);
    audit_json_close(json, '}');
    return 0;
}

/* A document is the whole of what it is about. */
static void after_document(const struct entry *entry, struct audit_made *made)
{
    audit_json_value(&made->after, entry->u.document.document);
}

static int make_after(struct audit_book *book, const struct project_audit *audit,
                      struct audit_made *made)
{
    const struct entry *entry = audit->entry;
    int error = 0;
    switch ((int)entry->kind) {
    case ENTRY_SCOPE_END:
    case ENTRY_BUDGET_END:
    case ENTRY_RATE_END:
    case ENTRY_INCREASE_END:
    case ENTRY_QUOTA_END:
    case ENTRY_DOCUMENT_END:
        return 0;
    case ENTRY_SCOPE_MOVE:
        after_move(audit, made);
        break;
    case ENTRY_DEFAULT:
        error = after_default(book, entry, made);
        break;
    case ENTRY_INCREASE:
        error = after_increase(book, entry, made);
        break;
    case ENTRY_REFUND:
        error = after_refund(book, entry, made);
        break;
    case ENTRY_LIFT:
        audit_json_open(&made->after, '{');
        audit_json_bool(&made->after, "stopped", false);
        audit_json_close(&made->after, '}');
        break;
    case ENTRY_DOCUMENT:
        after_document(entry, made);
        break;
    default:
        audit_json_entry(&made->after, entry, audit->parent.n);
    }
    made->row.after = buffer_slice(&made->after.bytes);
    return error ? error : made->after.error;
}

/* ---- The row ----------------------------------------------------------------------------------
 */

static struct slice actor_of(const struct entry *entry)
{
    switch ((int)entry->kind) {
    case ENTRY_SCOPE:
        return entry->u.scope.actor;
    case ENTRY_SCOPE_END:
        return entry->u.scope_end.actor;
    case ENTRY_SCOPE_MOVE:
        return entry->u.scope_move.actor;
    case ENTRY_BUDGET:
        return entry->u.budget.actor;
    case ENTRY_BUDGET_END:
        return entry->u.budget_end.actor;
    case ENTRY_RATE:
        return entry->u.rate.actor;
    case ENTRY_RATE_END:
        return entry->u.rate_end.actor;
    case ENTRY_INCREASE:
        return entry->u.increase.actor;
    case ENTRY_INCREASE_END:
        return entry->u.increase_end.actor;
    case ENTRY_LIFT:
        return entry->u.lift.actor;
    case ENTRY_GRANT:
        return entry->u.grant.actor;
    case ENTRY_REFUND:
        return entry->u.refund.actor;
    case ENTRY_QUOTA_END:
        return entry->u.quota_end.actor;
    case ENTRY_EXCHANGE:
        return entry->u.exchange.actor;
    case ENTRY_METER:
        return entry->u.meter.actor;
    case ENTRY_DOCUMENT:
    case ENTRY_DOCUMENT_END:
        return entry->u.document.actor;
    default:
        return SLICE_LITERAL("mete"); /* by a template */
    }
}

/* Documents that tell what was done, not what there is. */
static const char *deed_of(const struct entry *entry, const struct audit_made *made)
{
    if (entry->kind != ENTRY_DOCUMENT)
        return NULL;
    if (entry->u.document.kind == DOCUMENT_ACT)
        return made->id;
    return entry->u.document.kind == DOCUMENT_SETTLEMENT ? "settle" : NULL;
}

static const char *verb_of(const struct entry *entry, const struct audit_made *made)
{
    const struct audit_row *row = &made->row;
    const char *deed = deed_of(entry, made);
    if (deed)
        return deed;
    switch ((int)entry->kind) {
    case ENTRY_SCOPE_MOVE:
        return "move";
    case ENTRY_LIFT:
        return "lift";
    case ENTRY_EXCHANGE: /* what was before stays in force until then */
        return "create";
    default:
        if (!row->after.len)
            return "delete";
        return row->before.len ? "update" : "create";
    }
}

int audit_make(struct audit_book *book, const struct project_audit *audit, const struct slice *told,
               struct audit_made *ret_made)
{
    const struct entry *entry = audit->entry;
    struct audit_made *made = ret_made;
    made->has_earlier = false;
    audit_json_init(&made->before, book);
    audit_json_init(&made->after, book);
    made->row = (struct audit_row){.seq = entry->seq,
                                   .at_us = entry->at_us,
                                   .actor = actor_of(entry),
                                   .organization = audit->organization};
    int error = begin(book, audit, made);
    if (!error && entry->kind == ENTRY_SCOPE_MOVE) /* its after is made of it */
        error = find_before(book, entry, told, made);
    if (!error)
        error = make_after(book, audit, made);
    if (!error && entry->kind != ENTRY_SCOPE_MOVE && !has_own_before(entry, made))
        error = find_before(book, entry, told, made);
    if (!error)
        error = made->before.error;
    if (error)
        return error;
    int len = snprintf(made->action, sizeof made->action, "%.*s.%s", (int)made->row.kind.len,
                       made->row.kind.data, verb_of(entry, made));
    ASSERT(len > 0 && (size_t)len < sizeof made->action);
    made->row.action = (struct slice){made->action, (size_t)len};
    return 0;
}

void audit_make_done(struct audit_made *made)
{
    audit_json_done(&made->before);
    audit_json_done(&made->after);
}

int audit_make_put(struct audit_book *book, const struct project_audit *audit)
{
    struct audit_made made;
    int error = audit_make(book, audit, NULL, &made);
    if (!error)
        error = audit_put(book, &made.row);
    audit_make_done(&made);
    audit_rest(book);
    return error;
}
