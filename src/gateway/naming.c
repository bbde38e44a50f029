/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/naming.h"

void naming_begin(struct naming *naming, const struct mete_verdict *verdict)
{
    naming->at = 0;
    naming->len =
        verdict->refusals_len < METE_REFUSALS_MAX ? verdict->refusals_len : METE_REFUSALS_MAX;
    naming->asks_scope = false;
    naming->retry_at = verdict->retry_at;
    refusal_init(&naming->told);
}

bool naming_next(struct naming *naming, struct mete_query *ret_query)
{
    while (naming->at < naming->len && naming->all[naming->at].shadow)
        naming->at++;
    if (naming->at >= naming->len)
        return false;
    const struct mete_refusal *one = &naming->all[naming->at];
    if (!one->budget.n && !one->rate.n)
        naming->asks_scope = true;
    enum mete_query_kind kind = one->rate.n ? METE_QUERY_RATE : METE_QUERY_BUDGET;
    *ret_query = (struct mete_query){.kind = naming->asks_scope ? METE_QUERY_SCOPE : kind,
                                     .scope = one->scope,
                                     .budget = one->budget,
                                     .rate = one->rate};
    return true;
}

static void keep_name(struct naming *naming, const struct mete_refusal *one, int status)
{
    naming->budget = naming->answer.budget;
    if (status)
        naming->budget.id[0] = 0;
    naming->rate = naming->answer.rate;
    if (status || !one->rate.n)
        naming->rate.rate.n = 0;
}

void naming_take(struct naming *naming, int status)
{
    const struct mete_refusal *one = &naming->all[naming->at];
    if (!naming->asks_scope) {
        keep_name(naming, one, status);
        naming->asks_scope = true;
        return;
    }
    if (status)
        naming->answer.scope = (struct mete_scope_view){0};
    int rc = refusal_add(&naming->told, one, one->budget.n ? &naming->budget : NULL,
                         one->rate.n && naming->rate.rate.n ? &naming->rate : NULL,
                         &naming->answer.scope);
    naming->at = rc ? naming->len : naming->at + 1;
    naming->asks_scope = false;
}
