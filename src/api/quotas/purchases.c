/* SPDX-License-Identifier: Apache-2.0
 * A package that was paid for. The ids of its grants are made of the payment's reference, and ids
 * of grants are for ever: whoever reports the same payment again is told what it bought, and
 * nothing is granted a second time, whatever happened in between. */
#include "api/entities.h"
#include "api/quotas/deal.h"
#include "api/quotas/handlers.h"
#include "directory/documents.h"

#include <stddef.h>

enum { REFERENCE_MAX = 96 };

struct purchase_in {
    struct slice user, reference;
    struct json scope;
};

struct purchase {
    struct deal deal; /* first: deal.h */
    struct purchase_in in;
    struct slice document; /* of the package */
    bool repeated;
};

static void show(struct request *request)
{
    const struct purchase *purchase = request->state;
    struct json package = entities_document(purchase->document);
    struct out *out = &request->out;
    out_clear(out);
    out_open(out, '{');
    out_member_text(out, "package", request->params[1]);
    out_member_text(out, "reference", purchase->in.reference);
    entities_member(request, package, "price", JSON_STRING, "\"0.00\"");
    entities_member(request, package, "currency", JSON_STRING, "\"USD\"");
    deal_write_grants(request);
    out_member_bool(out, "repeated", purchase->repeated);
    out_close(out, '}');
    request_reply(request, purchase->repeated ? 200 : 201);
}

static void compare(struct request *request)
{
    if (deal_is(request, request->params[1]))
        show(request);
    else
        request_fail(request, METE_E_EXISTS, "reference",
                     "This payment bought something else, or for somebody else.");
}

static void bought(struct request *request)
{
    struct purchase *purchase = request->state;
    int status = request->op.status;
    purchase->repeated = status == METE_E_EXISTS;
    if (!status || purchase->repeated)
        deal_ask(request, purchase->repeated ? compare : show);
    else
        deal_fail(request, status, "reference");
}

static void buy(struct request *request)
{
    struct purchase *purchase = request->state;
    struct deal *deal = &purchase->deal;
    struct json package = entities_document(purchase->document), enabled;
    request->op.status = request->work_status;
    if (request_missed(request, "package"))
        return;
    enabled = json_member(package, "enabled");
    if (slice_is(enabled.raw, "false")) {
        request_fail(request, METE_E_INVALID, "package", "It is not for sale.");
        return;
    }
    struct slice name = grant_make_id(request, SLICE_LITERAL("purchase"), purchase->in.reference);
    const struct grant_terms terms = {.scope = deal->whose.at,
                                      .source = SLICE_LITERAL("purchase"),
                                      .source_id = purchase->in.reference,
                                      .description = deal_text(request, package, "name"),
                                      .offer = request->params[1]};
    int rc = offers_read(request, json_member(package, "grants"), OFFER_ONCE, &deal->offers);
    if (!rc)
        rc = grant_make_ids(request, name, deal->ids) ? deal_make(request, &terms) : METE_E_MEMORY;
    if (rc)
        request_fail(request, METE_E_MEMORY, NULL, NULL);
    else
        request_apply(request, deal->changes, deal->offers.len, bought);
}

static int keep(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    struct purchase *purchase = request->state;
    purchase->document = arena_copy(&request->arena, entity->document);
    return purchase->document.data ? 0 : METE_E_MEMORY;
}

static int read_package(struct request *request, struct records_reader *reader)
{
    const struct deal *deal = request->state;
    return directory_find(reader, document_entity(DOCUMENT_PACKAGE), deal->whose.organization,
                          request->params[1], keep, request);
}

static void found(struct request *request)
{
    request_work(request, read_package, buy);
}

#define AT(member) offsetof(struct purchase_in, member)
static const struct field table[] = {
    {.name = "scope", .type = FIELD_OBJECT, .offset = AT(scope)},
    {.name = "user_id", .type = FIELD_ID, .offset = AT(user)},
    {.name = "reference", .type = FIELD_ID, .flags = FIELD_REQUIRED, .offset = AT(reference)},
};
#undef AT

void purchases_create(struct request *request)
{
    struct purchase *purchase = request_take(request, sizeof *purchase);
    if (!purchase)
        return;
    request->state = purchase;
    int rc = request_read(request, table, sizeof table / sizeof table[0], &purchase->in);
    if (!rc && purchase->in.reference.len > REFERENCE_MAX)
        rc = problem_set(&request->problem, METE_E_INVALID, "reference",
                         "It has at most %d characters.", REFERENCE_MAX);
    if (!rc)
        rc = whose_body(request, purchase->in.scope, purchase->in.user);
    if (rc)
        request_problem(request);
    else
        whose_find(request, found);
}
