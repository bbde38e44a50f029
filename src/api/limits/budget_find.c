/* SPDX-License-Identifier: Apache-2.0 */
#include "api/limits/budget_find.h"

#include "api/limits/budgets.h"

bool budget_find_is_word(struct slice id)
{
    static const char *const words[] = {"usage", "alerts", "check", "summary"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (slice_is(id, words[i]))
            return true;
    return false;
}

/* ---- Its document ---------------------------------------------------------------------------- */

static int keep_document(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    struct budget_search *search = request->state;
    search->version = entity->version;
    return budgets_document(request, entity, &search->document);
}

/* One whose deletion the records know before the engine was asked has none. */
static int read_document(struct request *request, struct records_reader *reader)
{
    struct budget_search *search = request->state;
    int rc = directory_find(reader, RECORDS_BUDGET, search->view.organization,
                            slice_of(search->view.id), keep_document, request);
    if (rc)
        return rc == METE_E_NOT_FOUND ? 0 : rc;
    budget_set_read(request, budget_document_scan(search->document), &search->set);
    return budget_set_documents(request, &search->set);
}

static void document_read(struct request *request)
{
    struct budget_search *search = request->state;
    if (!request_failed(request))
        search->then(request);
}

static void found(struct request *request)
{
    struct budget_search *search = request->state;
    if (search->wants_document)
        request_look(request, read_document, document_read);
    else
        search->then(request);
}

/* ---- The budget ------------------------------------------------------------------------------ */

static void one_found(struct request *request)
{
    struct budget_search *search = request->state;
    if (request_missed(request, "budget"))
        return;
    search->view = request->answer.budget;
    if (search->view.ended)
        request_fail(request, METE_E_NOT_FOUND, "budget", "It has been deleted.");
    else
        found(request);
}

/* A template counts nothing: it is nobody's own. */
static bool is_own(const struct budget_search *search, const struct mete_budget_view *view)
{
    return !view->ended && !view->for_kind && view->scope.n == search->organization.n;
}

static void own_found(struct request *request)
{
    struct budget_search *search = request->state;
    if (request_missed(request, "org"))
        return;
    size_t owned = 0;
    for (size_t i = 0; i < request->answer.budgets_len && i < METE_REFUSALS_MAX; i++) {
        if (!is_own(search, &search->own[i]))
            continue;
        search->view = search->own[i];
        owned++;
    }
    if (owned == 0)
        request_fail(request, METE_E_NOT_FOUND, "org", "The organization itself has no budget.");
    else if (owned > 1)
        request_fail(request, METE_E_EXISTS, "budget",
                     "The organization has %zu budgets: name one in the path.", owned);
    else
        found(request);
}

static void organization_found(struct request *request)
{
    struct budget_search *search = request->state;
    if (request_missed(request, "org"))
        return;
    search->organization = request->found;
    if (request->params[1].len) {
        request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                       .args.query = {.kind = METE_QUERY_FIND_BUDGET,
                                                      .id = request_text(request->params[1]),
                                                      .organization = request->found}};
        request_ask(request, one_found);
        return;
    }
    search->own = request_take(request, METE_REFUSALS_MAX * sizeof *search->own);
    if (!search->own)
        return;
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_PATH,
                                                  .scope = request->found,
                                                  .budgets = search->own,
                                                  .budgets_max = METE_REFUSALS_MAX}};
    request_ask(request, own_found);
}

static void begin(struct request *request)
{
    if (request->params[1].len && !fields_is_id(request->params[1]))
        request_fail(request, METE_E_NOT_FOUND, "budget", "Nothing here has this id.");
    else
        request_find_organization(request, organization_found);
}

void budget_find(struct request *request, void (*then)(struct request *request))
{
    struct budget_search *search = request->state;
    search->then = then;
    begin(request);
}

void budget_find_document(struct request *request, void (*then)(struct request *request))
{
    struct budget_search *search = request->state;
    search->then = then;
    search->wants_document = true;
    begin(request);
}
