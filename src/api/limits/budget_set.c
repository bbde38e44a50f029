/* SPDX-License-Identifier: Apache-2.0 */
#include "api/limits/budget_set.h"

#include "api/limits/budget_find.h"

void budget_set_read(struct request *request, struct json document, struct budget_set *set)
{
    struct budget_document read;
    struct json also, element;
    size_t at = 0;
    budget_document_read(document, &read);
    set->len = 0;
    if (!read.also.len || json_scan(read.also, &also, NULL))
        return;
    while (set->len < BUDGET_ALIASES - 1 && json_next(also, &at, NULL, &element)) {
        if (element.type != JSON_STRING || element.raw.len <= 2)
            continue;
        /* an id's characters need no escape */
        struct slice id =
            arena_copy(&request->arena, slice_part(element.raw, 1, element.raw.len - 2));
        if (id.data)
            set->others[set->len++] = (struct budget_other){.id = id};
    }
}

/* ---- Their documents ------------------------------------------------------------------------- */

struct reading {
    struct request *request;
    struct budget_other *other;
};

static int keep(void *user, const struct directory_entity *entity)
{
    struct reading *reading = user;
    return budgets_document(reading->request, entity, &reading->other->document);
}

int budget_set_documents(struct request *request, struct budget_set *set)
{
    struct budget_search *search = request->state;
    for (size_t i = 0; i < set->len; i++) {
        struct reading reading = {request, &set->others[i]};
        int rc = directory_find(request->reader, RECORDS_BUDGET, search->view.organization,
                                set->others[i].id, keep, &reading);
        if (rc && rc != METE_E_NOT_FOUND)
            return rc;
    }
    return 0;
}

/* ---- As of now ------------------------------------------------------------------------------- */

static bool next_other(struct request *request, size_t *at, struct mete_query *ret_query)
{
    const struct budget_search *search = request->state;
    if (*at >= search->set.len)
        return false;
    *ret_query = (struct mete_query){.kind = METE_QUERY_FIND_BUDGET,
                                     .id = request_text(search->set.others[*at].id),
                                     .organization = search->view.organization};
    return true;
}

static void got_other(struct request *request, size_t at, int status,
                      const struct mete_answer *answer)
{
    struct budget_search *search = request->state;
    struct budget_other *other = &search->set.others[at];
    if (status && status != METE_E_NOT_FOUND)
        request->work_status = status;
    other->is_there = !status && !answer->budget.ended;
    if (other->is_there)
        other->view = answer->budget;
}

static void viewed(struct request *request)
{
    struct budget_search *search = request->state;
    if (!request_failed(request))
        search->set.then(request);
}

void budget_set_view(struct request *request, void (*then)(struct request *request))
{
    static const struct inquiry_plan plan = {next_other, got_other, viewed};
    struct budget_search *search = request->state;
    search->set.then = then;
    request->work_status = 0;
    if (search->set.len)
        inquiry_begin(request, &plan);
    else
        then(request);
}

/* ---- Using them ------------------------------------------------------------------------------ */

struct budget_other *budget_set_find(struct budget_set *set, const struct budget_alias *alias)
{
    for (size_t i = 0; i < set->len; i++) {
        struct budget_other *other = &set->others[i];
        if (other->is_there && budget_alias_of(other->view.meter, other->view.period) == alias)
            return other;
    }
    return NULL;
}

void budget_set_write(struct out *out, const struct budget_set *set)
{
    for (size_t i = 0; i < set->len; i++) {
        const struct mete_budget_view *view = &set->others[i].view;
        const struct budget_alias *alias = budget_alias_of(view->meter, view->period);
        if (set->others[i].is_there && alias)
            out_member_amount(out, alias->name, view->meter, view->base_limit);
    }
}
