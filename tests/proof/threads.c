/* SPDX-License-Identifier: Apache-2.0
 * Concurrency: 64 threads, each with a port and a key of its own, on one shared root, with budgets
 * on every level, through the rings.
 *
 *   organization > 4 departments > 16 users > 64 keys; on each of them
 *     a total of money    far away: must be, to the nano, the sum of what the threads were charged
 *     a total of requests the same, of another meter
 *     a minute of money   scarce: refuses about a third; must never be passed
 *
 * THE RULE
 *   Overspend 0: no look, and no answer, shows committed + held over the limit, and no charge of a
 *   thread was more than it was granted, so no overrun either. Drift 0: by the online audit, and in
 *   the end by a replay of the journal (engine_verify), whose state hash is the live one's. At the
 *   end nothing is held, and each of the 85 scopes has what the books of the threads below it say.
 *
 * Time is the test's own and moves with the work, so that minutes end and reservations expire by
 * the thousand in a run of seconds. A thread's book is kept by the thread alone; of what it leaves
 * open it knows what expiry will make.
 *
 *   usage: threads [--operations N] [--seconds N] [--threads N] [--seed S] [--directory D]
 * [--canary]
 *
 * Operations are what was asked through the rings; with --seconds, as many as there is time for. In
 * memory, or with --directory durable: D is created and stays; --hash leaves the state's. --canary
 * takes a nano from one book. */
#include "engine/verify.h"
#include "unit/engine_help.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>

enum { DEPARTMENTS = 4, USERS = 16, KEYS = 64, SCOPES = 1 + DEPARTMENTS + USERS + KEYS };
enum {
    BATCH = 64,
    PRICE = 1000,
    TTL_MS = 30000,
    DAY_MS = 86400000,
    BUDGETS_EACH = 3,
    OPERATION_US = 100
};

static struct {
    uint64_t operations, seed;
    long seconds;
    unsigned threads;
    const char *directory, *hash;
    bool is_canary;
} run = {.operations = 1000000, .threads = KEYS, .seed = 1};

static struct mete *mete;
static _Atomic int64_t clock_us = INT64_C(1790000000000000);
static _Atomic uint64_t asked, overspends, failures;
static _Atomic bool stops;

struct book {
    int64_t cost, requests;
    uint64_t allowed, refused, expired;
};

struct worker {
    pthread_t thread;
    struct mete_port *port;
    unsigned n;
    uint64_t dice;
    struct book book;
    size_t pending, open_len;
    struct mete_op ops[BATCH];
    struct mete_demand demands[2];
    struct mete_usage usage[BATCH][2];
    struct mete_refusal refusals[BATCH][4];
    struct mete_answer answer;
};

static int64_t now_us(void *user)
{
    (void)user;
    return atomic_load(&clock_us);
}

static uint64_t roll(struct worker *worker)
{
    uint64_t z = worker->dice += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* ---- The tree: handles 1, 2.., 6.., 22.. ----------------------------------------------------- */

static uint32_t department_of(unsigned n)
{
    return 2 + n % DEPARTMENTS;
}

static uint32_t user_of(unsigned n)
{
    return 2 + DEPARTMENTS + n % USERS;
}

static uint32_t key_of(unsigned n)
{
    return 2 + DEPARTMENTS + USERS + n;
}

/* Of a scope: its first budget; the others follow. */
static uint32_t budget_of(uint32_t scope)
{
    return 1 + (scope - 1) * BUDGETS_EACH;
}

/* Keys below a scope. */
static unsigned keys_below(uint32_t scope)
{
    if (scope == 1)
        return KEYS;
    if (scope < user_of(0))
        return KEYS / DEPARTMENTS;
    return scope < key_of(0) ? KEYS / USERS : 1;
}

/* A minute is 600,000 operations, of which half reserve and half a price is charged of each. Each
 * level has less than the sum of those below it, so that all of them refuse. */
static int64_t minute_limit(uint32_t scope)
{
    int64_t wanted = (int64_t)keys_below(scope) * PRICE * (60000000 / OPERATION_US / 5 / KEYS);
    int64_t share = scope == 1 ? 70 : scope < user_of(0) ? 73 : scope < key_of(0) ? 76 : 80;
    return wanted * share / 100;
}

static int put_scope(struct mete_port *port, uint32_t scope, enum mete_kind kind, uint32_t parent)
{
    char ids[1 + BUDGETS_EACH][16];
    snprintf(ids[0], sizeof ids[0], "s%u", scope);
    struct mete_change changes[1 + BUDGETS_EACH] = {
        help_scope(kind, ids[0], parent ? 1 : 0, parent)};
    for (unsigned i = 0; i < BUDGETS_EACH; i++) {
        snprintf(ids[i + 1], sizeof ids[i + 1], "b%u-%u", scope, i);
        changes[i + 1] = help_budget(ids[i + 1], METE_FROM_CHANGE(0),
                                     i == 2 ? METE_MINUTE : METE_TOTAL, METE_AMOUNT_MAX / 2);
    }
    changes[2].budget.meter = METE_REQUESTS;
    changes[2].budget.currency = 0;
    changes[3].budget.limit = minute_limit(scope);
    changes[3].budget.thresholds_len = 0;
    uint32_t handles[1 + BUDGETS_EACH];
    struct mete_applied applied;
    struct mete_apply args = {changes, 1 + BUDGETS_EACH, help_text("root")};
    int error = mete_apply(port, &args, handles, &applied);
    return error || handles[0] != scope || handles[1] != budget_of(scope);
}

static int plant(struct mete_port *port)
{
    int failed = put_scope(port, 1, METE_ORGANIZATION, 0);
    for (unsigned n = 0; n < DEPARTMENTS; n++)
        failed = failed || put_scope(port, department_of(n), METE_DEPARTMENT, 1);
    for (unsigned n = 0; n < USERS; n++)
        failed = failed || put_scope(port, user_of(n), METE_USER, department_of(n));
    for (unsigned n = 0; n < KEYS; n++)
        failed = failed || put_scope(port, key_of(n), METE_API_KEY, user_of(n));
    return failed;
}

/* ---- A thread -------------------------------------------------------------------------------- */

static void note_done(struct mete_op *op)
{
    struct worker *worker = op->user;
    worker->pending--;
    if (op->status)
        atomic_fetch_add(&failures, 1);
}

static void submit_all(struct worker *worker, size_t len)
{
    struct mete_op *list[BATCH];
    for (size_t i = 0; i < len; i++) {
        list[i] = &worker->ops[i];
        worker->ops[i].done = note_done;
        worker->ops[i].user = worker;
    }
    worker->pending = len;
    for (size_t given = 0; given < len;)
        given += mete_submit(worker->port, list + given, len - given);
    atomic_fetch_add(&asked, len);
    atomic_fetch_add(&clock_us, (int64_t)len * OPERATION_US);
    while (worker->pending) {
        struct pollfd readable = {.fd = mete_port_fd(worker->port), .events = POLLIN};
        if (poll(&readable, 1, 60000) == 0)
            abort(); /* a wake-up was lost */
        mete_poll(worker->port, BATCH);
    }
}

/* One in 32 is left to expire. All others live for a day, so that none expires while its thread is
 * not on a processor. */
static void ask_all(struct worker *worker)
{
    for (unsigned i = 0; i < BATCH; i++)
        worker->ops[i] =
            (struct mete_op){.kind = METE_OP_RESERVE,
                             .args.reserve = {.scope = {key_of(worker->n % KEYS)},
                                              .demands = worker->demands,
                                              .demands_len = 2,
                                              .ttl_ms = roll(worker) % 32 ? DAY_MS : TTL_MS,
                                              .on_expiry = roll(worker) % 2 ? METE_EXPIRY_CHARGE
                                                                            : METE_EXPIRY_RELEASE},
                             .refusals = worker->refusals[i],
                             .refusals_max = 4};
    submit_all(worker, BATCH);
}

/* What refused must have been too small, and none may stand over its limit. */
static void look_at_refusal(const struct mete_verdict *verdict, const struct mete_refusal *refusals)
{
    for (size_t i = 0; i < verdict->refusals_len && i < 4; i++) {
        const struct mete_refusal *one = &refusals[i];
        if (one->committed + one->held > one->limit)
            atomic_fetch_add(&overspends, 1);
        if (one->committed + one->held + one->asked <= one->limit)
            atomic_fetch_add(&failures, 1);
    }
}

static void leave_open(struct worker *worker, enum mete_expiry on_expiry)
{
    worker->book.expired++;
    if (on_expiry == METE_EXPIRY_RELEASE)
        return;
    worker->book.cost += PRICE;
    worker->book.requests++;
}

static void put_commit(struct worker *worker, size_t at, struct mete_reservation_id id)
{
    struct mete_usage *usage = worker->usage[at];
    int64_t used = PRICE - (int64_t)(roll(worker) % PRICE);
    usage[0] = (struct mete_usage){METE_COST, METE_USD, used};
    usage[1] = (struct mete_usage){METE_REQUESTS, 0, 1};
    worker->ops[at] = (struct mete_op){
        .kind = METE_OP_COMMIT, .args.commit = {.reservation = id, .usage = usage, .usage_len = 2}};
    worker->book.cost += used;
    worker->book.requests++;
}

/* What was granted is committed, released or left to expire. */
static size_t end_all(struct worker *worker)
{
    size_t len = 0;
    for (unsigned i = 0; i < BATCH; i++) {
        /* The ends are written over the beginnings, never over one that is not read yet. */
        const struct mete_op op = worker->ops[i];
        if (!op.result.verdict.allowed) {
            worker->book.refused++;
            look_at_refusal(&op.result.verdict, worker->refusals[i]);
            continue;
        }
        worker->book.allowed++;
        struct mete_reservation_id id = op.result.verdict.reservation;
        if (op.args.reserve.ttl_ms == TTL_MS)
            leave_open(worker, op.args.reserve.on_expiry);
        else if (roll(worker) % 10 == 0)
            worker->ops[len++] = (struct mete_op){.kind = METE_OP_RELEASE, .args.release = id};
        else
            put_commit(worker, len++, id);
    }
    return len;
}

static void look(struct worker *worker)
{
    const uint32_t path[] = {1, department_of(worker->n), user_of(worker->n), key_of(worker->n)};
    struct mete_query query = {.kind = METE_QUERY_BUDGET};
    query.budget.n = budget_of(path[roll(worker) % 4]) + (uint32_t)(roll(worker) % BUDGETS_EACH);
    if (mete_query(worker->port, &query, &worker->answer))
        atomic_fetch_add(&failures, 1);
    const struct mete_budget_view *view = &worker->answer.budget;
    if (view->committed + view->held > view->limit || view->committed < 0 || view->held < 0)
        atomic_fetch_add(&overspends, 1);
}

static void *work(void *user)
{
    struct worker *worker = user;
    if (mete_port_open(mete, &worker->port))
        abort();
    worker->demands[0] = (struct mete_demand){METE_COST, METE_USD, PRICE, 0};
    worker->demands[1] = (struct mete_demand){METE_REQUESTS, 0, 1, 0};
    while (!atomic_load(&stops) && atomic_load(&asked) < run.operations) {
        ask_all(worker);
        size_t len = end_all(worker);
        if (len)
            submit_all(worker, len);
        look(worker);
    }
    mete_port_close(worker->port);
    return NULL;
}

/* ---- All of them ----------------------------------------------------------------------------- */

static double seconds_since(const struct timespec *begun)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - begun->tv_sec) + (double)(now.tv_nsec - begun->tv_nsec) / 1e9;
}

static int run_workers(struct worker *workers)
{
    struct timespec begun;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (unsigned i = 0; i < run.threads; i++) {
        workers[i].n = i;
        workers[i].dice = run.seed * UINT64_C(0x2545f4914f6cdd1d) + i;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
            return 1;
    }
    while (run.seconds && seconds_since(&begun) < (double)run.seconds &&
           atomic_load(&asked) < run.operations)
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    if (run.seconds)
        atomic_store(&stops, true);
    for (unsigned i = 0; i < run.threads; i++)
        pthread_join(workers[i].thread, NULL);
    return 0;
}

/* What the threads below a scope wrote down. */
static struct book sum_below(const struct worker *workers, uint32_t scope)
{
    struct book sum = {0};
    for (unsigned i = 0; i < run.threads; i++) {
        unsigned n = i % KEYS;
        if (scope != 1 && scope != department_of(n) && scope != user_of(n) && scope != key_of(n))
            continue;
        sum.cost += workers[i].book.cost;
        sum.requests += workers[i].book.requests;
        sum.allowed += workers[i].book.allowed;
        sum.refused += workers[i].book.refused;
        sum.expired += workers[i].book.expired;
    }
    return sum;
}

static int64_t committed_of(struct mete_port *port, uint32_t budget, int64_t *ret_held)
{
    struct mete_answer answer;
    struct mete_query query = {.kind = METE_QUERY_BUDGET, .budget = {budget}};
    if (mete_query(port, &query, &answer))
        return -1;
    *ret_held += answer.budget.held;
    return answer.budget.committed;
}

/* Scopes whose figures are not those of the books. */
static unsigned compare(struct mete_port *port, const struct worker *workers)
{
    unsigned differences = 0;
    for (uint32_t scope = 1; scope <= SCOPES; scope++) {
        struct book sum = sum_below(workers, scope);
        int64_t held = 0;
        int64_t cost = committed_of(port, budget_of(scope), &held);
        int64_t requests = committed_of(port, budget_of(scope) + 1, &held);
        if (cost == sum.cost && requests == sum.requests && !held)
            continue;
        differences++;
        fprintf(stderr,
                "threads: scope %u: charged %lld in %lld calls, the books say %lld in %lld; held "
                "%lld\n",
                scope, (long long)cost, (long long)requests, (long long)sum.cost,
                (long long)sum.requests, (long long)held);
    }
    return differences;
}

/* Time for all that was left open to expire. */
static int let_expire(struct mete_port *port, struct mete_stats *ret_stats)
{
    atomic_fetch_add(&clock_us, (TTL_MS + 1000) * INT64_C(1000));
    for (int i = 0; i < 10000; i++) {
        struct mete_answer answer;
        if (help_ask(port, METE_QUERY_STATS, &answer))
            return 1;
        *ret_stats = answer.stats;
        if (!answer.stats.reservations_open)
            return 0;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return 1;
}

/* The journal says the same. */
static int replay(const uint8_t hash[32])
{
    struct verify_report report;
    int error = engine_verify(run.directory, &report);
    if (!error && !memcmp(report.state_hash, hash, sizeof report.state_hash))
        return 0;
    fprintf(stderr, "threads: verify: %s %s\n", mete_error_name(error), report.detail);
    return 1;
}

/* For whoever replays the journal elsewhere. */
static int leave_hash(const uint8_t hash[32])
{
    FILE *to = fopen(run.hash, "w");
    if (!to)
        return 1;
    for (int i = 0; i < 32; i++)
        fprintf(to, "%02x", hash[i]);
    return fclose(to) != 0;
}

static int tell(const struct worker *workers, const struct mete_stats *stats, double seconds,
                unsigned differences)
{
    struct book sum = sum_below(workers, 1);
    uint64_t over = atomic_load(&overspends) + stats->overruns;
    bool counts = stats->reserves == sum.allowed && stats->expiries == sum.expired;
    bool failed = over || stats->drift || differences || atomic_load(&failures) || !counts;
    printf("threads: seed %llu, %u threads, %s, %llu operations, %llu granted, %llu refused, %llu "
           "expired, overspend %llu, drift %llu, %u of %d scopes differ from the books, %.0f s "
           "(%.0f k/s)%s\n",
           (unsigned long long)run.seed, run.threads, run.directory ? "durable" : "in memory",
           (unsigned long long)atomic_load(&asked), (unsigned long long)sum.allowed,
           (unsigned long long)sum.refused, (unsigned long long)sum.expired,
           (unsigned long long)over, (unsigned long long)stats->drift, differences, SCOPES, seconds,
           (double)atomic_load(&asked) / seconds / 1000, run.is_canary ? ", canary" : "");
    if (atomic_load(&failures) || !counts)
        fprintf(stderr,
                "threads: %llu answers were not what they should be; %llu granted, %llu "
                "expired\n",
                (unsigned long long)atomic_load(&failures), (unsigned long long)stats->reserves,
                (unsigned long long)stats->expiries);
    return failed != run.is_canary;
}

static int prove(void)
{
    static struct worker workers[256];
    struct mete_options options = {
        .directory = run.directory, .clock = {now_us, NULL}, .reservations_max = 1 << 20};
    struct mete_port *port;
    if (mete_open(&options, &mete) || mete_port_open(mete, &port) || plant(port))
        return 1;
    struct timespec begun;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    if (run_workers(workers))
        return 1;
    double seconds = seconds_since(&begun);
    struct mete_stats stats = {0};
    struct mete_answer answer;
    int failed = let_expire(port, &stats);
    workers[0].book.cost -= run.is_canary;
    unsigned differences = compare(port, workers);
    failed |= help_ask(port, METE_QUERY_HASH, &answer);
    mete_port_close(port);
    mete_close(mete);
    if (run.directory)
        failed |= replay(answer.hash);
    if (run.hash)
        failed |= leave_hash(answer.hash);
    return tell(workers, &stats, seconds, differences) | failed;
}

static bool read_arguments(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (!strcmp(argv[i], "--canary")) {
            run.is_canary = true;
            continue;
        }
        if (!strcmp(argv[i], "--operations"))
            run.operations = strtoull(value, NULL, 10);
        else if (!strcmp(argv[i], "--seconds"))
            run.seconds = strtol(value, NULL, 10);
        else if (!strcmp(argv[i], "--threads"))
            run.threads = (unsigned)strtoul(value, NULL, 10);
        else if (!strcmp(argv[i], "--seed"))
            run.seed = strtoull(value, NULL, 10);
        else if (!strcmp(argv[i], "--directory"))
            run.directory = value;
        else if (!strcmp(argv[i], "--hash"))
            run.hash = value;
        else
            return false;
        i++;
    }
    return run.operations && run.threads && run.threads <= 250;
}

int main(int argc, char **argv)
{
    if (!read_arguments(argc, argv)) {
        fprintf(stderr, "usage: threads [--operations N] [--seconds N] [--threads N] [--seed S] "
                        "[--directory D] [--hash FILE] [--canary]\n");
        return 2;
    }
    return prove();
}
