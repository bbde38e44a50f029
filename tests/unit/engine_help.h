/* SPDX-License-Identifier: Apache-2.0
 * What tests of the engine have in common: an organization with a department, users and keys, each
 * with budgets, and calls in one line. */
#ifndef UNIT_ENGINE_HELP_H
#define UNIT_ENGINE_HELP_H

#include "mete.h"

#include <string.h>

static inline struct mete_text help_text(const char *terminated)
{
    return (struct mete_text){terminated, strlen(terminated)};
}

static inline struct mete_change help_scope(enum mete_kind kind, const char *id,
                                            uint32_t organization, uint32_t parent)
{
    return (struct mete_change){.kind = METE_PUT_SCOPE,
                                .scope = {.kind = kind,
                                          .id = help_text(id),
                                          .organization = {organization},
                                          .parent = {parent}},
                                .document = help_text("{\"name\":\"x\"}")};
}

static inline struct mete_change help_budget(const char *id, uint32_t scope,
                                             enum mete_period period, int64_t limit)
{
    return (struct mete_change){.kind = METE_PUT_BUDGET,
                                .budget = {.id = help_text(id),
                                           .scope = {scope},
                                           .meter = METE_COST,
                                           .currency = METE_USD,
                                           .limit = limit,
                                           .period = period,
                                           .thresholds_ppm = {500000, 1000000},
                                           .thresholds_len = 2}};
}

enum { HELP_ORGANIZATION = 1, HELP_DEPARTMENT, HELP_USER, HELP_KEY }; /* handles of help_tree() */

/* One organization > department > user > key, and a monthly budget of the limit on the first. */
static inline int help_tree(struct mete_port *port, int64_t limit)
{
    struct mete_change changes[] = {
        help_scope(METE_ORGANIZATION, "acme", 0, 0),
        help_scope(METE_DEPARTMENT, "dev", METE_FROM_CHANGE(0), METE_FROM_CHANGE(0)),
        help_scope(METE_USER, "ann", METE_FROM_CHANGE(0), METE_FROM_CHANGE(1)),
        help_scope(METE_API_KEY, "key", METE_FROM_CHANGE(0), METE_FROM_CHANGE(2)),
        help_budget("monthly", METE_FROM_CHANGE(0), METE_MONTHLY, limit),
    };
    uint32_t handles[5];
    struct mete_applied applied;
    struct mete_apply apply = {changes, 5, help_text("root")};
    return mete_apply(port, &apply, handles, &applied);
}

static inline int help_reserve(struct mete_port *port, const char *request_id, int64_t amount,
                               uint32_t flags, struct mete_verdict *ret_verdict)
{
    struct mete_demand demand = {METE_COST, METE_USD, amount, 0};
    struct mete_reserve args = {.scope = {HELP_KEY},
                                .request_id = help_text(request_id),
                                .model = help_text("gpt-4o"),
                                .provider = help_text("openai"),
                                .demands = &demand,
                                .demands_len = 1,
                                .ttl_ms = 60000,
                                .flags = flags};
    return mete_reserve(port, &args, NULL, 0, ret_verdict);
}

/* For an hour and a half of the key, without a request id. */
static inline int help_hold(struct mete_port *port, int64_t amount, enum mete_expiry on_expiry,
                            struct mete_verdict *ret_verdict)
{
    const struct mete_demand demand = {METE_COST, METE_USD, amount, 0};
    const struct mete_reserve args = {.scope = {HELP_KEY},
                                      .demands = &demand,
                                      .demands_len = 1,
                                      .ttl_ms = 90 * 60 * 1000,
                                      .on_expiry = on_expiry};
    return mete_reserve(port, &args, NULL, 0, ret_verdict);
}

static inline int help_commit(struct mete_port *port, struct mete_reservation_id id, int64_t amount,
                              struct mete_receipt *ret_receipt)
{
    struct mete_usage usage[] = {{METE_COST, METE_USD, amount}, {METE_INPUT, 0, 11}};
    struct mete_commit args = {.reservation = id,
                               .usage = usage,
                               .usage_len = 2,
                               .outcome = {.status = 200,
                                           .attempts = 1,
                                           .latency_ms = 7,
                                           .price_list = help_text("builtin"),
                                           .note = help_text("{\"tag\":1}")}};
    return mete_commit(port, &args, ret_receipt);
}

/* The answer to a question without arguments. */
static inline int help_ask(struct mete_port *port, enum mete_query_kind kind,
                           struct mete_answer *ret_answer)
{
    struct mete_query query = {.kind = kind};
    return mete_query(port, &query, ret_answer);
}

#endif
