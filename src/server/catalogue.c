/* SPDX-License-Identifier: Apache-2.0 */
#include "server/catalogue.h"

#include "api/catalog/provider_documents.h"

static const struct price_model *price(void *user, const struct pricing *list,
                                       struct slice provider, struct slice model)
{
    return gateway_price(user, list, provider, model);
}

static bool provider_at(void *user, size_t i, struct api_provider_view *ret_view)
{
    static const char *const circuits[] = {
        [GATEWAY_WELL] = "closed", [GATEWAY_LEFT_ALONE] = "open", [GATEWAY_ON_TRIAL] = "half_open"};
    const struct gateway *gateway = user;
    struct gateway_provider_view view;
    if (!gateway_provider_at(gateway, i, &view))
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
    struct gateway *gateway = user;
    struct gateway_provider_view view;
    for (size_t i = 0; gateway_provider_at(gateway, i, &view); i++)
        if (slice_equal(view.name, name))
            gateway_enable_provider(gateway, i, enabled);
}

struct api_providers catalogue_door(struct gateway *gateway)
{
    return (struct api_providers){
        .at = provider_at, .enable = enable, .price = price, .user = gateway};
}

int catalogue_use(struct gateway *gateway, struct records_reader *reader)
{
    return provider_documents_load(reader, enable, gateway);
}
