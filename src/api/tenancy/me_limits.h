/* SPDX-License-Identifier: Apache-2.0
 * The rate limits and prepaid balances that have a say over a key, its own and those of who stands
 * above it. For /me alone. */
#ifndef API_TENANCY_ME_LIMITS_H
#define API_TENANCY_ME_LIMITS_H

#include "api/request.h"
#include "base/limits.h"

enum { ME_RATES = LIMIT_PATH_SCOPES * LIMIT_SCOPE_RATES };

struct me_limits {
    struct mete_rate_view rates[ME_RATES];
    struct {
        struct mete_scope_id scope;
        struct mete_quota_view quotas[LIMIT_SCOPE_QUOTAS];
        size_t len;
    } path[LIMIT_PATH_SCOPES]; /* leaf first */
    size_t rates_len, path_len;
    void (*then)(struct request *request);
};

/* Asks the engine, and for the names; where: the request's. Ends the request if it cannot. */
void me_limits_load(struct request *request, struct me_limits *limits, struct mete_scope_id scope,
                    void (*then)(struct request *request));
/* "rate_limits":[...],"quotas":[...] */
void me_limits_write(struct request *request, const struct me_limits *limits,
                     struct slice organization);

#endif
