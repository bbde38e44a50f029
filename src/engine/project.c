/* SPDX-License-Identifier: Apache-2.0
 * An entry that ends a call (COMMIT, RELEASE, EXPIRE, RECORD) gives its usage record, a correction
 * one of its own with the difference; one that puts, moves or ends a scope, budget or rate limit,
 * or puts a grant, gives its entity; what an administrator did, and what a template made, is for
 * the audit log; any may give events. Which organization, department, user and key stand on a
 * record's path is looked up in the lineage, which costs less memory and time than asking the
 * ledger for views.
 *
 * What a call was asked with (session, tags, content) comes from the reservation with its end; what
 * was said of its end, the details, as it is in the entry.
 *
 * A record's ending: of a commit or record what the caller said; of a release NOT_SENT, because
 * nothing was used; of an expiry EXPIRED, provisional if the worst case was charged. */
#include "engine/project.h"

#include "base/assert.h"
#include "base/details.h"
#include "base/limits.h"
#include "engine/audit_make.h"

#include <sodium.h>
#include <sys/mman.h>

int lineage_init(struct lineage *lineage, uint32_t scopes_max)
{
    ASSERT(scopes_max > 0);
    size_t entries = (size_t)scopes_max + 1;
    size_t mapped = entries * (sizeof *lineage->parents + sizeof *lineage->kinds);
    void *at = mmap(NULL, mapped, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return METE_E_MEMORY;
    *lineage = (struct lineage){
        at, (uint8_t *)at + entries * sizeof *lineage->parents, mapped, scopes_max, {0}};
    return 0;
}

void lineage_done(struct lineage *lineage)
{
    if (lineage->parents)
        munmap(lineage->parents, lineage->mapped);
    *lineage = (struct lineage){0};
}

void lineage_apply(struct lineage *lineage, const struct entry *entry)
{
    if (entry->kind == ENTRY_SCOPE_MOVE)
        lineage->parents[entry->u.scope_move.scope] = entry->u.scope_move.parent;
    if (entry->kind == ENTRY_GENESIS)
        memcpy(lineage->key, entry->u.genesis.installation, sizeof lineage->key);
    if (entry->kind != ENTRY_SCOPE)
        return;
    uint32_t handle = entry->u.scope.handle;
    const struct mete_scope_spec *spec = &entry->u.scope.spec;
    ASSERT(handle > 0 && handle <= lineage->scopes_max);
    if (lineage->kinds[handle])
        return;                      /* an update, whose parent nobody checks */
    ASSERT(spec->parent.n < handle); /* so that walking up ends */
    lineage->parents[handle] = spec->parent.n;
    lineage->kinds[handle] = (uint8_t)spec->kind;
}

void lineage_learn(struct lineage *lineage, const struct ledger *ledger)
{
    struct mete_scope_view scope;
    ledger_installation(ledger, lineage->key);
    for (uint32_t handle = 1; !ledger_scope(ledger, handle, &scope); handle++) {
        ASSERT(handle <= lineage->scopes_max);
        lineage->parents[handle] = scope.parent.n;
        lineage->kinds[handle] = (uint8_t)scope.kind;
    }
}

/* Puts the scopes of the path of a call where a record has a place for them. */
static void put_path(const struct lineage *lineage, const struct ledger_ended *ended,
                     struct records_usage *usage)
{
    struct mete_scope_id *const places[METE_KINDS] = {
        [METE_ORGANIZATION] = &usage->organization,
        [METE_DEPARTMENT] = &usage->department,
        [METE_USER] = &usage->user,
        [METE_API_KEY] = &usage->key,
    };
    uint32_t scope = ended->scope;
    for (unsigned depth = 0; scope && depth < LIMIT_PATH_SCOPES; depth++) {
        uint8_t kind = lineage->kinds[scope];
        ASSERT(kind > METE_KIND_NONE && kind < METE_KINDS);
        if (places[kind] && !places[kind]->n) /* of departments the nearest */
            places[kind]->n = scope;
        if (ended->path_len)
            scope = depth + 1 < ended->path_len ? ended->path[depth + 1] : 0;
        else
            scope = lineage->parents[scope];
    }
    ASSERT(scope == 0);
}

static struct mete_text text(struct slice slice)
{
    return (struct mete_text){slice.data, slice.len};
}

static struct slice slice(struct mete_text given)
{
    return (struct slice){given.data, given.len};
}

/* What the caller said of the end; NULL: nobody said anything. */
static const struct entry_outcome *said_of(const struct entry *entry)
{
    if (entry->kind == ENTRY_COMMIT)
        return &entry->u.commit.outcome;
    if (entry->kind == ENTRY_RECORD)
        return &entry->u.record.outcome;
    if (entry->kind == ENTRY_CORRECT)
        return &entry->u.correct.outcome;
    return NULL;
}

static struct mete_outcome outcome_of(const struct entry *entry, const struct ledger_ended *ended)
{
    const struct entry_outcome *said = said_of(entry);
    if (said)
        return (struct mete_outcome){
            .ending = said->ending,
            .flags = said->flags,
            .status = said->status,
            .attempts = said->attempts,
            .latency_ms = said->latency_ms,
            .first_token_ms = said->first_token_ms,
            .price_list = text(ended->price_list),
            .note = text(said->note),
        };
    if (entry->kind == ENTRY_RELEASE)
        return (struct mete_outcome){.ending = METE_ENDED_NOT_SENT};
    return (struct mete_outcome){.ending = METE_ENDED_EXPIRED,
                                 .flags = ended->amounts_len ? METE_OUTCOME_PROVISIONAL : 0};
}

/* Whoever sees only records cannot try prompts on it: SipHash of the content, with a key of this
 * installation. 0 is none. */
static uint64_t fingerprint_of(const struct lineage *lineage, uint64_t content)
{
    _Static_assert(sizeof lineage->key == crypto_shorthash_KEYBYTES, "the id is a key");
    uint8_t bytes[8], hash[crypto_shorthash_BYTES];
    uint64_t fingerprint = 0;
    if (!content)
        return 0;
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(content >> 8 * i);
    crypto_shorthash(hash, bytes, sizeof bytes, lineage->key);
    for (unsigned i = 0; i < 8; i++)
        fingerprint |= (uint64_t)hash[i] << 8 * i;
    return fingerprint;
}

/* Who answered: whom the reservation named, unless the end says another. */
static struct slice provider_of(const struct ledger_ended *ended, struct slice packed)
{
    struct mete_part parts[METE_PARTS_MAX];
    struct mete_details details;
    bool told = packed.len && details_read(packed, parts, &details) && details.provider.len;
    return told ? slice(details.provider) : ended->provider;
}

static void project_usage(const struct lineage *lineage, const struct entry *entry,
                          const struct ledger_ended *ended, struct projection *to)
{
    _Static_assert((int)LEDGER_AMOUNTS_MAX <= (int)RECORDS_METERS_MAX,
                   "a correction fits its record");
    ASSERT(ended->amounts_len <= LEDGER_AMOUNTS_MAX);
    const struct entry_outcome *said = said_of(entry);
    to->usage = (struct records_usage){
        .seq = entry->seq,
        .reservation = ended->reservation,
        .corrects = ended->corrects,
        .scope = {ended->scope},
        .request_id = ended->request_id,
        .model = ended->model,
        .provider = provider_of(ended, said ? said->details : (struct slice){0}),
        .session = ended->session,
        .tags = ended->tags,
        .fingerprint = fingerprint_of(lineage, ended->content),
        .details = said ? said->details : (struct slice){0},
        .started_us = ended->made_at_us,
        .ended_us = entry->at_us,
        .state = ended->state,
        .overrun = ended->overrun,
        .usage = to->meters,
        .usage_len = ended->amounts_len,
        .outcome = outcome_of(entry, ended),
    };
    for (uint32_t i = 0; i < ended->amounts_len; i++)
        to->meters[i] = (struct mete_usage){ended->amounts[i].meter, ended->amounts[i].currency,
                                            ended->amounts[i].amount};
    put_path(lineage, ended, &to->usage);
}

static uint32_t organization_of(const struct lineage *lineage, uint32_t scope)
{
    for (int depth = 0; lineage->parents[scope] && depth < LIMIT_PATH_SCOPES; depth++)
        scope = lineage->parents[scope];
    return scope;
}

/* A scope that ends, with its own, or that moves. */
static void project_scope(const struct lineage *lineage, const struct entry *entry,
                          struct records_entity *to)
{
    bool moves = entry->kind == ENTRY_SCOPE_MOVE;
    uint32_t scope = moves ? entry->u.scope_move.scope : entry->u.scope_end.scope;
    *to = (struct records_entity){.kind = lineage->kinds[scope],
                                  .handle = scope,
                                  .parent = {lineage->parents[scope]},
                                  .ended = !moves,
                                  .moved = moves,
                                  .actor =
                                      moves ? entry->u.scope_move.actor : entry->u.scope_end.actor};
}

static void project_end(const struct entry *entry, struct records_entity *to)
{
    bool is_rate = entry->kind == ENTRY_RATE_END;
    *to = (struct records_entity){
        .kind = is_rate ? RECORDS_RATE : RECORDS_BUDGET,
        .handle = is_rate ? entry->u.rate_end.handle : entry->u.budget_end.handle,
        .ended = 1,
        .actor = is_rate ? entry->u.rate_end.actor : entry->u.budget_end.actor};
}

/* What a scope has: a budget, rate limit or grant. */
static struct records_entity own_of(const struct lineage *lineage, int kind, uint32_t handle,
                                    struct mete_scope_id scope, struct slice id)
{
    return (struct records_entity){.kind = kind,
                                   .handle = handle,
                                   .organization = {organization_of(lineage, scope.n)},
                                   .parent = scope,
                                   .id = id};
}

static void project_own(const struct lineage *lineage, const struct entry *entry,
                        const struct ledger_effects *effects, struct records_entity *to)
{
    switch ((int)entry->kind) {
    case ENTRY_BUDGET:
        *to = own_of(lineage, RECORDS_BUDGET, entry->u.budget.handle, entry->u.budget.spec.scope,
                     slice(entry->u.budget.spec.id));
        to->document = entry->u.budget.document;
        to->actor = entry->u.budget.actor;
        return;
    case ENTRY_DEFAULT:
        *to = own_of(lineage, RECORDS_BUDGET, entry->u.by_default.handle,
                     (struct mete_scope_id){entry->u.by_default.scope}, effects->made_id);
        return;
    case ENTRY_GRANT:
        *to = own_of(lineage, RECORDS_GRANT, entry->u.grant.handle, entry->u.grant.spec.scope,
                     slice(entry->u.grant.spec.id));
        to->document = entry->u.grant.document;
        to->actor = entry->u.grant.actor;
        return;
    case ENTRY_RATE:
        *to = own_of(lineage, RECORDS_RATE, entry->u.rate.handle, entry->u.rate.spec.scope,
                     slice(entry->u.rate.spec.id));
        to->document = entry->u.rate.document;
        to->actor = entry->u.rate.actor;
        return;
    default:
        ASSERT(false && "what a scope has");
    }
}

static void project_document(const struct entry *entry, struct records_entity *to)
{
    *to = (struct records_entity){.kind = RECORDS_DOCUMENT + entry->u.document.kind,
                                  .organization = {entry->u.document.organization},
                                  .id = entry->u.document.id,
                                  .document = entry->u.document.document,
                                  .ended = entry->kind == ENTRY_DOCUMENT_END,
                                  .actor = entry->u.document.actor};
}

static bool project_entity(const struct lineage *lineage, const struct entry *entry,
                           const struct ledger_effects *effects, struct records_entity *to)
{
    switch ((int)entry->kind) {
    case ENTRY_SCOPE:
        *to = (struct records_entity){.kind = (int)entry->u.scope.spec.kind,
                                      .handle = entry->u.scope.handle,
                                      .organization = entry->u.scope.spec.organization,
                                      .parent = entry->u.scope.spec.parent,
                                      .id = slice(entry->u.scope.spec.id),
                                      .document = entry->u.scope.document,
                                      .actor = entry->u.scope.actor};
        break;
    case ENTRY_SCOPE_END:
    case ENTRY_SCOPE_MOVE:
        project_scope(lineage, entry, to);
        break;
    case ENTRY_BUDGET_END:
    case ENTRY_RATE_END:
        project_end(entry, to);
        break;
    case ENTRY_BUDGET:
    case ENTRY_DEFAULT:
    case ENTRY_GRANT:
    case ENTRY_RATE:
        project_own(lineage, entry, effects, to);
        break;
    case ENTRY_DOCUMENT:
    case ENTRY_DOCUMENT_END:
        project_document(entry, to);
        break;
    default:
        return false;
    }
    to->seq = entry->seq;
    to->at_us = entry->at_us;
    return true;
}

/* The scope that an administrative entry is of; 0: it is of none, or of what has a scope of its
 * own, which the records know. False: it is not administrative. */
static bool is_audited(const struct entry *entry, uint32_t *ret_scope)
{
    *ret_scope = 0;
    switch ((int)entry->kind) {
    case ENTRY_SCOPE:
        *ret_scope = entry->u.scope.handle;
        return true;
    case ENTRY_SCOPE_END:
        *ret_scope = entry->u.scope_end.scope;
        return true;
    case ENTRY_SCOPE_MOVE:
        *ret_scope = entry->u.scope_move.scope;
        return true;
    case ENTRY_BUDGET:
        *ret_scope = entry->u.budget.spec.scope.n;
        return true;
    case ENTRY_DEFAULT:
        *ret_scope = entry->u.by_default.scope;
        return true;
    case ENTRY_RATE:
        *ret_scope = entry->u.rate.spec.scope.n;
        return true;
    case ENTRY_GRANT:
        *ret_scope = entry->u.grant.spec.scope.n;
        return true;
    case ENTRY_QUOTA_END:
        *ret_scope = entry->u.quota_end.scope;
        return true;
    case ENTRY_BUDGET_END:
    case ENTRY_RATE_END:
    case ENTRY_INCREASE:
    case ENTRY_INCREASE_END:
    case ENTRY_LIFT:
    case ENTRY_REFUND:
    case ENTRY_EXCHANGE:
    case ENTRY_METER:
        return true;
    case ENTRY_DOCUMENT:
    case ENTRY_DOCUMENT_END:
        return audit_make_tells_documents(entry->u.document.kind);
    default:
        return false;
    }
}

static void project_audit(const struct lineage *lineage, const struct entry *entry,
                          const struct ledger_effects *effects, struct project_audit *to)
{
    uint32_t scope;
    *to = (struct project_audit){0};
    if (!is_audited(entry, &scope))
        return;
    to->entry = entry;
    if (scope) {
        to->organization.n = organization_of(lineage, scope);
        to->parent.n = lineage->parents[scope];
    }
    if (entry->kind == ENTRY_DEFAULT)
        to->id = effects->made_id;
}

void project_entry(const struct lineage *lineage, const struct entry *entry,
                   const struct ledger_effects *effects, struct projection *ret_projection)
{
    ASSERT(entry->seq > 0 && effects->events_len <= LEDGER_EVENTS_MAX);
    ret_projection->has_usage = effects->has_ended;
    if (effects->has_ended)
        project_usage(lineage, entry, &effects->ended, ret_projection);
    ret_projection->has_entity = project_entity(lineage, entry, effects, &ret_projection->entity);
    project_audit(lineage, entry, effects, &ret_projection->audit);
    ret_projection->events = effects->events;
    ret_projection->events_len = effects->events_len;
}

int project_put(struct records *records, const struct projection *projection)
{
    int error = 0;
    if (projection->has_usage)
        error = records_put_usage(records, &projection->usage);
    if (!error && projection->audit.entry) /* before the entity is as it leaves it */
        error = audit_make_put(records_audit(records), &projection->audit);
    if (!error && projection->has_entity)
        error = records_put_entity(records, &projection->entity);
    for (size_t i = 0; !error && i < projection->events_len; i++)
        error = records_put_event(records, &projection->events[i]);
    return error;
}
