/* SPDX-License-Identifier: Apache-2.0
 * spend.h - a budget around any function that spends, without touching it. To be copied.
 *
 * spend() reserves what the function can use at most, runs it, and charges what it says it has
 * used; refused, the function is not run. If it fails having used nothing, what was set aside
 * returns; if it fails having used something, that is charged, because the provider will charge it.
 *
 * With a request id the call happens at most once: the same id again, after it ended, is
 * METE_E_ENDED with the receipt of the first in ret_result, and the function is not run. If the
 * process dies while the function runs, the next mete_open() charges the whole estimate: nobody
 * can know better. */
#ifndef SPEND_H
#define SPEND_H

#include <mete.h>

#include <string.h>

struct spend {
    struct mete_scope_id scope; /* who pays, and with it every scope above */
    uint16_t meter;             /* METE_COST, METE_TOTAL_TOKENS ... */
    uint32_t currency;          /* METE_COST only */
    int64_t estimate;           /* the most it can use; more is charged too, and is an overrun */
    const char *request_id;     /* NULL: may be repeated, and is then charged again */
    /* Returns 0 or an error of its own. *ret_used is 0 when it is called. */
    int (*run)(void *argument, int64_t *ret_used);
    void *argument;
};

struct spend_result {
    int allowed;                 /* 0: not run; why says why */
    struct mete_refusal why;     /* the first reason */
    int failed;                  /* what run() returned */
    struct mete_receipt receipt; /* what was charged */
};

/* Returns 0, also if it was refused and if run() failed, or METE_E_ as mete_reserve() and
 * mete_commit(). The calling thread must be the port's. */
static inline int spend(struct mete_port *port, const struct spend *what,
                        struct spend_result *ret_result)
{
    const char *id = what->request_id ? what->request_id : "";
    struct mete_demand most = {what->meter, what->currency, what->estimate, 0};
    struct mete_reserve ask = {.scope = what->scope,
                               .request_id = {id, strlen(id)},
                               .demands = &most,
                               .demands_len = 1,
                               .ttl_ms = 1, /* of no account: a METE_RESERVE_CALL does not expire */
                               .flags = METE_RESERVE_CALL};
    struct mete_verdict verdict = {0};
    memset(ret_result, 0, sizeof *ret_result);
    int error = mete_reserve(port, &ask, &ret_result->why, 1, &verdict);
    if (error == METE_E_ENDED)
        ret_result->receipt = verdict.ended;
    if (error || !verdict.allowed)
        return error;

    int64_t used = 0;
    ret_result->allowed = 1;
    ret_result->failed = what->run(what->argument, &used);
    if (ret_result->failed && used == 0)
        return mete_release(port, verdict.reservation, &ret_result->receipt);
    struct mete_usage usage = {what->meter, what->currency, used};
    struct mete_commit commit = {
        .reservation = verdict.reservation,
        .usage = &usage,
        .usage_len = 1,
        .outcome = {.ending = ret_result->failed ? METE_ENDED_ERROR : METE_ENDED_OK}};
    return mete_commit(port, &commit, &ret_result->receipt);
}

#endif
