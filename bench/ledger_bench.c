/* SPDX-License-Identifier: Apache-2.0
 * How fast the ledger decides and applies, and how much memory it takes: KEYS api keys, each under
 * a user of its own, 256 users a department, with BUDGETS budgets (cost, tokens, requests, and cost
 * per month) on each scope of the path.
 *
 *   ledger_bench [KEYS] [PAIRS] [BUDGETS]
 *
 * Rows: reserve+commit one after the other on random keys; the same with DEPTH reservations open;
 * with a request id; bytes per scope and per open reservation (resident memory). */
#include "base/assert.h"
#include "ledger/ledger.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { USERS_EACH = 256, DEPTH = 1024, AHEAD = 16, SLICES = 16, OUTCOMES = 1048576 };

#define START_US INT64_C(1700000000000000)

struct bench {
    struct ledger *ledger;
    int64_t now_us;
    uint32_t keys, budgets_each;
    uint32_t *key_handles;
    uint64_t random;
    uint32_t ahead[AHEAD], ahead_at, requests;
    bool foresees;
    struct ledger_decision decision;
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static long resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long pages = 0;
    ASSERT(file);
    int got = fscanf(file, "%*d %ld", &pages);
    ASSERT(got == 1);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static uint32_t random_below(struct bench *b, uint32_t limit)
{
    b->random = b->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((b->random >> 32) * limit >> 32);
}

static void apply(struct bench *b)
{
    int rc = ledger_apply(b->ledger, &b->decision.entry, NULL);
    ASSERT(rc == 0);
}

static uint32_t put(struct bench *b, const struct mete_change *change)
{
    uint32_t handle;
    int rc = ledger_decide_change(b->ledger, (struct mete_instant){b->now_us}, change,
                                  (struct slice){0}, &handle, &b->decision);
    ASSERT(rc == 0);
    if (b->decision.entry.kind == ENTRY_BUDGET) {
        b->decision.entry.u.budget.window_start_us = 0;
        b->decision.entry.u.budget.window_end_us = INT64_MAX;
    }
    apply(b);
    return handle;
}

static struct mete_text name(char room[32], const char *what, uint32_t n)
{
    int len = snprintf(room, 32, "%s_%016u", what, n);
    return (struct mete_text){room, (size_t)len};
}

static uint32_t put_scope(struct bench *b, enum mete_kind kind, uint32_t parent, uint32_t n)
{
    char room[32];
    struct mete_change change = {.kind = METE_PUT_SCOPE,
                                 .scope = {.kind = kind,
                                           .id = name(room, "scope", n),
                                           .organization = {parent ? 1 : 0},
                                           .parent = {parent}}};
    uint32_t handle = put(b, &change);
    static const uint16_t meters[] = {METE_COST, METE_TOTAL_TOKENS, METE_REQUESTS, METE_COST};
    for (uint32_t i = 0; i < b->budgets_each; i++) {
        struct mete_change budget = {
            .kind = METE_PUT_BUDGET,
            .budget = {.id = name(room, "budget", handle * 8 + i),
                       .scope = {handle},
                       .meter = meters[i % 4],
                       .currency = meters[i % 4] == METE_COST ? METE_USD : 0,
                       .limit = METE_AMOUNT_MAX / 2,
                       .period = METE_TOTAL,
                       .thresholds_ppm = {800000, 900000, 950000},
                       .thresholds_len = 3}};
        put(b, &budget);
    }
    return handle;
}

static void fill(struct bench *b)
{
    uint32_t org = put_scope(b, METE_ORGANIZATION, 0, 0), department = 0;
    for (uint32_t k = 0; k < b->keys; k++) {
        if (k % USERS_EACH == 0)
            department = put_scope(b, METE_DEPARTMENT, org, k);
        uint32_t user = put_scope(b, METE_USER, department, k);
        b->key_handles[k] = put_scope(b, METE_API_KEY, user, k);
    }
}

/* Keys are drawn AHEAD operations before they are used, as an owner sees them in its ring. */
static uint32_t next_key(struct bench *b)
{
    uint32_t *ahead = b->ahead, at = b->ahead_at++;
    uint32_t key = ahead[at % AHEAD];
    ahead[at % AHEAD] = b->key_handles[random_below(b, b->keys)];
    if (b->foresees) {
        ledger_foresee(b->ledger, ahead[at % AHEAD], 0);
        ledger_foresee(b->ledger, ahead[(at + AHEAD - 5) % AHEAD], 1);
        ledger_foresee(b->ledger, ahead[(at + AHEAD - 10) % AHEAD], 2);
    }
    return key;
}

static uint64_t reserve(struct bench *b, struct mete_text request_id)
{
    static const struct mete_demand demands[] = {
        {.meter = METE_COST, .currency = METE_USD, .fixed = 2500000, .per_million = 10000000000},
        {.meter = METE_TOTAL_TOKENS, .fixed = 1200, .per_million = 1000000},
        {.meter = METE_REQUESTS, .fixed = 1}};
    const struct mete_reserve args = {.scope = {next_key(b)},
                                      .request_id = request_id,
                                      .model = {"gpt-4o-mini", 11},
                                      .provider = {"openai", 6},
                                      .demands = demands,
                                      .demands_len = 3,
                                      .floor = 16,
                                      .wish = 1024,
                                      .ttl_ms = 60000};
    struct mete_verdict verdict;
    struct mete_refusal refusals[1];
    int rc = ledger_decide_reserve(b->ledger, (struct mete_instant){++b->now_us}, &args, refusals,
                                   1, &verdict, &b->decision);
    ASSERT(rc == 0 && verdict.allowed);
    apply(b);
    return verdict.reservation.n;
}

static void commit(struct bench *b, uint64_t id)
{
    static const struct mete_usage usage[] = {
        {.meter = METE_COST, .currency = METE_USD, .amount = 7000000},
        {.meter = METE_TOTAL_TOKENS, .amount = 1800},
        {.meter = METE_REQUESTS, .amount = 1}};
    const struct mete_commit args = {.reservation = {id},
                                     .usage = usage,
                                     .usage_len = 3,
                                     .outcome = {.price_list = {"2026-07-24", 10}}};
    struct mete_receipt receipt;
    int rc = ledger_decide_commit(b->ledger, (struct mete_instant){++b->now_us}, &args, &receipt,
                                  &b->decision);
    ASSERT(rc == 0);
    apply(b);
}

enum bench_kind { IN_TURN, SEEN_AHEAD, MANY_OPEN, WITH_REQUEST_ID };

static void pair(struct bench *b, enum bench_kind kind, uint32_t i)
{
    static uint64_t open[DEPTH];
    char room[32];
    if (kind == MANY_OPEN) {
        if (open[i % DEPTH])
            commit(b, open[i % DEPTH]);
        open[i % DEPTH] = reserve(b, (struct mete_text){0});
    } else if (kind == WITH_REQUEST_ID) {
        commit(b, reserve(b, name(room, "request", b->requests++)));
    } else {
        commit(b, reserve(b, (struct mete_text){0}));
    }
}

/* In SLICES parts: all of them together, and the fastest, which is what the program takes where
 * the machine has nothing else to do. */
static void run_pairs(struct bench *b, const char *what, enum bench_kind kind, uint32_t pairs)
{
    double best = 0, all = 0;
    b->foresees = kind == SEEN_AHEAD;
    for (int slice = 0; slice < SLICES; slice++) {
        double from = seconds();
        for (uint32_t i = 0; i < pairs / SLICES; i++)
            pair(b, kind, i);
        double took = seconds() - from;
        all += took;
        best = slice == 0 || took < best ? took : best;
    }
    printf("%-44s %5.2f M pairs/s %6.0f ns; best %5.2f M %6.0f ns\n", what, pairs / all / 1e6,
           all / pairs * 1e9, pairs / SLICES / best / 1e6, best / (pairs / SLICES) * 1e9);
}

static void run_all(struct bench *b, uint32_t pairs)
{
    for (uint32_t i = 0; i < AHEAD; i++)
        b->ahead[i] = b->key_handles[random_below(b, b->keys)];
    for (uint32_t i = 0; i < OUTCOMES; i++) /* until every page there will be is there */
        pair(b, IN_TURN, i);
    run_pairs(b, "reserve+commit, one after the other", IN_TURN, pairs);
    run_pairs(b, "reserve+commit, seen ahead in a ring", SEEN_AHEAD, pairs);
    run_pairs(b, "reserve+commit, 1024 open", MANY_OPEN, pairs);
    run_pairs(b, "reserve+commit, with a request id", WITH_REQUEST_ID, pairs);
}

static void measure_open(struct bench *b, uint32_t count)
{
    long before = resident_bytes();
    for (uint32_t i = 0; i < count; i++)
        reserve(b, (struct mete_text){0});
    printf("%-44s %7.1f bytes\n", "an open reservation, no request id",
           (double)(resident_bytes() - before) / count);
}

int main(int argc, char **argv)
{
    struct bench b = {.now_us = START_US, .random = 1};
    b.keys = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
    uint32_t pairs = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 2000000;
    b.budgets_each = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 3;
    ASSERT(b.keys > 0 && pairs >= SLICES && b.budgets_each <= 8);
    b.key_handles = malloc(b.keys * sizeof *b.key_handles);
    ASSERT(b.key_handles);
    const struct ledger_room room = {8388608, 16777216, 4194304, OUTCOMES};
    long empty = resident_bytes();
    int rc = ledger_open(&room, &b.ledger);
    ASSERT(rc == 0);
    long before = resident_bytes();
    printf("%-44s %7.1f KB\n", "an empty ledger", (double)(before - empty) / 1024);
    double from = seconds();
    fill(&b);
    struct ledger_counts counts;
    ledger_counts(b.ledger, &counts);
    printf("%-44s %7.1f bytes (%u budgets each; %.1f s)\n", "a scope",
           (double)(resident_bytes() - before - (long)(b.keys * sizeof *b.key_handles)) /
               (double)counts.scopes,
           b.budgets_each, seconds() - from);
    run_all(&b, pairs);
    measure_open(&b, 1000000);
    ASSERT(ledger_audit(b.ledger) == 0);
    ledger_close(b.ledger);
    free(b.key_handles);
    return 0;
}
