/* SPDX-License-Identifier: Apache-2.0
 * How a quota's balance came to be: as explain.c does, what its unexpired grants come to is looked
 * at after each entry. A grant expires with no entry: that is seen before the next one, at whose
 * time it is told. */
#include "engine/telling.h"

#include "base/limits.h"

#include <stdlib.h>

struct explaining {
    struct telling telling;
    struct mete_quota_question question;
    int (*fn)(void *user, const struct mete_quota_step *step);
    void *user;
    bool is_begun; /* what it stood at was told */
    bool expired;  /* before the entry to come */
    struct mete_quota_step last, before;
    struct ledger_taken taken;
};

/* What its grants come to at an instant: nothing, if it is not there. */
static void look(struct explaining *explaining, int64_t at_us, struct mete_quota_step *step)
{
    struct mete_quota_view quotas[LIMIT_SCOPE_QUOTAS];
    const struct mete_quota_question *question = &explaining->question;
    size_t len = ledger_quotas(explaining->telling.ledger, question->scope.n,
                               (struct mete_instant){at_us}, quotas, LIMIT_SCOPE_QUOTAS);
    *step = (struct mete_quota_step){.at = {at_us}};
    for (size_t i = 0; i < len && i < LIMIT_SCOPE_QUOTAS; i++) {
        if (quotas[i].meter != question->meter || quotas[i].currency != question->currency)
            continue;
        step->granted = quotas[i].granted;
        step->drawn = quotas[i].drawn;
        step->held = quotas[i].held;
    }
}

static bool differs(const struct mete_quota_step *a, const struct mete_quota_step *b)
{
    return a->granted != b->granted || a->drawn != b->drawn || a->held != b->held;
}

static void foresee(void *user, const struct entry *entry)
{
    struct explaining *explaining = user;
    uint64_t id = telling_reservation(entry);
    explaining->taken = (struct ledger_taken){0};
    if (id && entry->kind != ENTRY_RESERVE &&
        ledger_taken(explaining->telling.ledger, id, &explaining->taken))
        explaining->taken.scope = 0;
    look(explaining, entry->at_us, &explaining->before);
    explaining->before.seq = entry->seq;
    explaining->before.what = "grant_expired";
    explaining->expired = differs(&explaining->before, &explaining->last);
}

/* What it stood at when the telling begins, so that the steps add up. */
static int tell_before(struct explaining *explaining, const struct entry *entry)
{
    if (explaining->is_begun || entry->at_us < explaining->telling.since_us)
        return 0;
    explaining->is_begun = true;
    struct mete_quota_step step = explaining->last;
    step.seq = entry->seq - 1;
    step.what = "before";
    return explaining->fn(explaining->user, &step);
}

static void name_grant(const struct explaining *explaining, const struct entry *entry,
                       struct mete_quota_step *step)
{
    struct mete_grant_view view;
    uint32_t handle = entry->kind == ENTRY_GRANT    ? entry->u.grant.handle
                      : entry->kind == ENTRY_REFUND ? entry->u.refund.grant
                                                    : 0;
    if (!handle || ledger_grant(explaining->telling.ledger, handle,
                                (struct mete_instant){entry->at_us}, &view))
        return;
    memcpy(step->grant, view.id, sizeof step->grant);
}

static int tell(struct explaining *explaining, const struct entry *entry,
                struct mete_quota_step *step)
{
    step->seq = entry->seq;
    step->what = telling_word(entry->kind);
    step->reservation.n = telling_reservation(entry);
    step->scope.n = entry->kind == ENTRY_RESERVE  ? entry->u.reserve.scope
                    : entry->kind == ENTRY_RECORD ? entry->u.record.scope
                                                  : explaining->taken.scope;
    name_grant(explaining, entry, step);
    return explaining->fn(explaining->user, step);
}

static int each(void *user, const struct entry *entry, const struct projection *projection)
{
    struct explaining *explaining = user;
    struct mete_quota_step step;
    (void)projection;
    int error = tell_before(explaining, entry);
    if (!error && explaining->expired && explaining->is_begun)
        error = explaining->fn(explaining->user, &explaining->before);
    look(explaining, entry->at_us, &step);
    bool changed = differs(&step, &explaining->before);
    explaining->last = step;
    if (!error && changed && explaining->is_begun)
        error = tell(explaining, entry, &step);
    return error;
}

int mete_explain_quota(struct mete *mete, const struct mete_quota_question *question,
                       int (*fn)(void *user, const struct mete_quota_step *step), void *user)
{
    ASSERT(mete && question && fn);
    struct mete_scope_view scope;
    if (!mete->is_durable)
        return METE_E_INVALID;
    struct explaining *explaining = calloc(1, sizeof *explaining);
    if (!explaining)
        return METE_E_MEMORY;
    explaining->telling = (struct telling){.mete = mete, .since_us = question->since.us};
    explaining->question = *question;
    explaining->fn = fn;
    explaining->user = user;
    int error = telling_begin(&explaining->telling);
    if (!error) {
        look(explaining, ledger_last_at_us(explaining->telling.ledger), &explaining->last);
        explaining->telling.replay.before = foresee;
        explaining->telling.replay.each = each;
        explaining->telling.replay.user = explaining;
        error = telling_follow(&explaining->telling);
    }
    if (!error)
        error = ledger_scope(explaining->telling.ledger, question->scope.n, &scope);
    telling_done(&explaining->telling);
    free(explaining);
    return error;
}
