/* SPDX-License-Identifier: Apache-2.0 */
#include "server/catalogue.h"

#include "api/catalog/price_documents.h"
#include "api/catalog/provider_documents.h"

#include <stddef.h>

static const struct price_model *price(void *user, const struct pricing *list,
                                       struct slice provider, struct slice model)
{
    const struct catalogue *catalogue = user;
    return gateway_price(catalogue->gateway, list, provider, model);
}

static bool provider_at(void *user, size_t i, struct api_provider_view *ret_view)
{
    static const char *const circuits[] = {
        [GATEWAY_WELL] = "closed", [GATEWAY_LEFT_ALONE] = "open", [GATEWAY_ON_TRIAL] = "half_open"};
    const struct catalogue *catalogue = user;
    struct gateway_provider_view view;
    if (!gateway_provider_at(catalogue->gateway, i, &view))
        return false;
    const struct gateway_provider *config = view.config;
    *ret_view = (struct api_provider_view){
        .name = view.name,
        .dialect = slice_of(config->family ? config->family : "openai"),
        .base_url = slice_of(config->base_url),
        .priced_as = view.priced_as,
        .models = config->models,
        .models_len = config->models_len,
        .enabled = view.enabled,
        .circuit = circuits[view.health],
        .wait_us = view.wait_us,
        .calls_open = view.calls_open,
        .calls = view.asked,
        .failed = view.failed,
        .opened = view.opened,
        .fault = view.fault,
        .fault_status = view.fault_status,
        .fault_us = view.fault_us,
    };
    return true;
}

static void enable(void *user, struct slice name, bool enabled)
{
    struct catalogue *catalogue = user;
    struct gateway_provider_view view;
    for (size_t i = 0; gateway_provider_at(catalogue->gateway, i, &view); i++)
        if (slice_equal(view.name, name))
            gateway_enable_provider(catalogue->gateway, i, enabled);
}

static bool answers(void *user, size_t i, struct slice model)
{
    const struct catalogue *catalogue = user;
    return gateway_answers(catalogue->gateway, i, model);
}

struct api_providers catalogue_door(struct catalogue *catalogue)
{
    return (struct api_providers){
        .at = provider_at, .answers = answers, .enable = enable, .price = price, .user = catalogue};
}

/* ---- Drafts ---------------------------------------------------------------------------------- */

static void drafted(struct mete_op *op)
{
    struct catalogue *catalogue =
        (struct catalogue *)(void *)((char *)op - offsetof(struct catalogue, op));
    catalogue->busy = false;
    if (!op->status) /* without memory it is there from the next start */
        (void)!models_put(catalogue->models, &catalogue->draft);
}

/* As names of models are: printable, without spaces. */
static bool is_name(struct slice model)
{
    for (size_t i = 0; i < model.len; i++)
        if (model.data[i] < '!' || model.data[i] > '~')
            return false;
    return model.len && model.len <= LIMIT_ID;
}

void catalogue_unknown(struct catalogue *catalogue, struct slice model)
{
    struct mete_op *op = &catalogue->op;
    if (catalogue->busy || !is_name(model) || models_find(catalogue->models, model) ||
        models_drafts(catalogue->models) >= LIMIT_DRAFTS)
        return;
    catalogue->draft = (struct model){
        .name_len = model.len, .draft = true, .seen_us = mete_now(catalogue->mete).us};
    memcpy(catalogue->draft.name, model.data, model.len);
    buffer_clear(&catalogue->document);
    if (model_write(&catalogue->draft, &catalogue->document))
        return;
    size_t id_len = price_document_name(model, INT64_MIN, catalogue->id);
    catalogue->change =
        (struct mete_change){.kind = METE_PUT_DOCUMENT,
                             .at_document = {DOCUMENT_MODEL, {0}, {catalogue->id, id_len}},
                             .document = {catalogue->document.data, catalogue->document.len}};
    *op = (struct mete_op){.kind = METE_OP_APPLY, .done = drafted};
    op->args.apply =
        (struct mete_apply){.changes = &catalogue->change, .len = 1, .actor = {"gateway", 7}};
    op->handles = &catalogue->handle;
    catalogue->busy = mete_submit(catalogue->port, &op, 1) == 1;
}

size_t catalogue_running(const struct catalogue *catalogue)
{
    return catalogue->busy;
}

/* ---- Life ------------------------------------------------------------------------------------ */

int catalogue_open(struct catalogue *catalogue, struct mete *mete, struct mete_port *port,
                   struct records_reader *reader)
{
    catalogue->mete = mete;
    catalogue->port = port;
    buffer_init(&catalogue->document, LIMIT_DOCUMENT);
    int rc = models_new(&catalogue->models);
    return rc ? rc : models_load(catalogue->models, reader);
}

void catalogue_close(struct catalogue *catalogue)
{
    models_free(catalogue->models);
    buffer_done(&catalogue->document);
}

int catalogue_use(struct catalogue *catalogue, struct gateway *gateway,
                  struct records_reader *reader)
{
    catalogue->gateway = gateway;
    return provider_documents_load(reader, enable, catalogue);
}
