/* SPDX-License-Identifier: Apache-2.0
 * The paths of catalog. */
#include "api/catalog/handlers.h"
#include "api/room.h"

#define PRICES "/api/v1/prices"
#define OWN_PRICES "/api/v1/organizations/{org}/prices"
#define MODELS "/api/v1/models"
#define PROVIDER "/api/v1/providers/{provider}"
#define MARKUP "/api/v1/organizations/{org}/markup"
#define CREDENTIAL "/api/v1/providers/{provider}/credential"

static const struct route routes[] = {
    {"POST", PRICES, ACCESS_ADMIN, PERMIT_INSTALLATION, prices_create, 0},
    {"GET", PRICES, ACCESS_ADMIN, PERMIT_INSTALLATION, prices_list, 0},
    {"POST", PRICES "/diff", ACCESS_ADMIN, PERMIT_INSTALLATION, prices_diff, 0},
    {"POST", PRICES "/apply", ACCESS_ADMIN, PERMIT_INSTALLATION, prices_apply, 0},
    {"POST", PRICES "/rerate", ACCESS_ADMIN, PERMIT_INSTALLATION, prices_rerate, 0},
    {"GET", PRICES "/{model}", ACCESS_ADMIN, PERMIT_INSTALLATION, price_show, 0},
    {"POST", OWN_PRICES, ACCESS_ADMIN, PERMIT_INSTALLATION, own_prices_create, 0},
    {"GET", OWN_PRICES, ACCESS_MEMBER, PERMIT_CATALOG_READ, own_prices_list, 0},
    {"GET", OWN_PRICES "/{model}", ACCESS_MEMBER, PERMIT_CATALOG_READ, own_price_show, 0},
    {"GET", MARKUP, ACCESS_ADMIN, PERMIT_INSTALLATION, markup_show, 0},
    {"PUT", MARKUP, ACCESS_ADMIN, PERMIT_INSTALLATION, markup_set, 0},
    {"DELETE", MARKUP, ACCESS_ADMIN, PERMIT_INSTALLATION, markup_end, 0},
    {"POST", "/api/v1/exchange-rates", ACCESS_ADMIN, PERMIT_INSTALLATION, exchange_rates_create, 0},
    {"GET", "/api/v1/exchange-rates", ACCESS_ADMIN, PERMIT_INSTALLATION, exchange_rates_list, 0},
    {"GET", MODELS, ACCESS_ADMIN, PERMIT_INSTALLATION, models_list, 0},
    {"GET", MODELS "/{model}", ACCESS_ADMIN, PERMIT_INSTALLATION, model_show, 0},
    {"PUT", MODELS "/{model}", ACCESS_ADMIN, PERMIT_INSTALLATION, model_change, 0},
    {"GET", "/api/v1/providers", ACCESS_ADMIN, PERMIT_INSTALLATION, providers_list, 0},
    {"GET", PROVIDER, ACCESS_ADMIN, PERMIT_INSTALLATION, provider_show, 0},
    {"PUT", PROVIDER, ACCESS_ADMIN, PERMIT_INSTALLATION, provider_change, 0},
    {"GET", "/api/v1/credentials", ACCESS_ADMIN, PERMIT_INSTALLATION, credentials_list, 0},
    {"POST", "/api/v1/credentials/reseal", ACCESS_ADMIN, PERMIT_INSTALLATION, credentials_reseal,
     0},
    {"GET", CREDENTIAL, ACCESS_ADMIN, PERMIT_INSTALLATION, credential_show, 0},
    {"PUT", CREDENTIAL, ACCESS_ADMIN, PERMIT_INSTALLATION, credential_set, 0},
    {"DELETE", CREDENTIAL, ACCESS_ADMIN, PERMIT_INSTALLATION, credential_remove, 0},
};

const struct room catalog_room = {routes, sizeof routes / sizeof routes[0]};
