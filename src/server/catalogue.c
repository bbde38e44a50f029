/* SPDX-License-Identifier: Apache-2.0 */
#include "server/catalogue.h"

static const struct price_model *price(void *user, const struct pricing *list,
                                       struct slice provider, struct slice model)
{
    return gateway_price(user, list, provider, model);
}

struct api_providers catalogue_door(struct gateway *gateway)
{
    return (struct api_providers){.price = price, .user = gateway};
}
