/* SPDX-License-Identifier: Apache-2.0
 * mete bench [--seconds N] [--section NAME] [--json] [--directory DIR] - how fast the engine is
 * here, in process.
 *
 * Every section runs in a process of its own, so that one's memory does not count as another's, and
 * leaves its rows in shared memory. The load is a closed loop: a window of operations is always
 * under way, each reserve followed by its commit; a latency is from submit to done. The caller is
 * the owner, as in the server.
 *
 * How many are under way is what the rate to be reached needs and no more: 400 k pairs a second are
 * 800 k operations, and one that takes 1.2 ms keeps 1,000 of them under way (Little's law). A
 * deeper queue would measure itself: its latency is its depth by the rate.
 *
 * Exit: 0 done, 2 usage, 3 the system failed. */
#include "cli/cli.h"

#include "mete.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    ROWS_MAX = 64,
    WINDOW = 1024, /* operations under way in a durable section */
    LEVELS = 4,    /* scopes on a path */
    BUDGETS = 3,   /* of each of them: cost, tokens, requests */
    SAMPLES = 1 << 24,
    CHANGES = 32,        /* of one administrative batch while planting */
    WARM_PAIRS = 1100000 /* until as many calls have ended as are remembered: every page is there */
};

/* ---- Rows ------------------------------------------------------------------------------------ */

struct row {
    char name[64], unit[16], target[40];
    double value;
};

struct results { /* shared with the children */
    size_t len;
    struct row rows[ROWS_MAX];
};

struct bench {
    double seconds;
    const char *directory; /* where sections put theirs */
    const char *section;   /* the only one to run; NULL: all */
    struct results *results;
};

static void put(struct bench *bench, const char *name, double value, const char *unit,
                const char *target)
{
    struct results *results = bench->results;
    if (results->len == ROWS_MAX)
        abort();
    struct row *row = &results->rows[results->len++];
    snprintf(row->name, sizeof row->name, "%s", name);
    snprintf(row->unit, sizeof row->unit, "%s", unit);
    snprintf(row->target, sizeof row->target, "%s", target);
    row->value = value;
}

static double clock_s(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double now_s(void)
{
    return clock_s(CLOCK_MONOTONIC);
}

static void must(int error, const char *what)
{
    if (!error)
        return;
    fprintf(stderr, "mete bench: %s: %s\n", what, mete_error_text(error));
    exit(3);
}

static double resident_bytes(void)
{
    unsigned long size, resident;
    FILE *file = fopen("/proc/self/statm", "r");
    int got = file ? fscanf(file, "%lu %lu", &size, &resident) : 0;
    if (file)
        fclose(file);
    return got == 2 ? (double)resident * (double)sysconf(_SC_PAGESIZE) : 0;
}

/* ---- The tree -------------------------------------------------------------------------------- */

struct tree {
    uint32_t first_key, keys;
};

struct applying { /* a batch of changes that fills up */
    struct mete_port *port;
    struct mete_change changes[CHANGES];
    char ids[CHANGES][24];
    uint32_t handles[CHANGES];
    size_t len;
    uint32_t last_handle; /* of the last scope */
};

static void flush_changes(struct applying *applying)
{
    struct mete_apply args = {.changes = applying->changes, .len = applying->len};
    struct mete_applied applied;
    if (applying->len)
        must(mete_apply(applying->port, &args, applying->handles, &applied), "apply");
    for (size_t i = 0; i < applying->len; i++)
        if (applying->changes[i].kind == METE_PUT_SCOPE)
            applying->last_handle = applying->handles[i];
    applying->len = 0;
}

static struct mete_change *next_change(struct applying *applying, const char *prefix, uint64_t n,
                                       struct mete_text *ret_id)
{
    size_t i = applying->len++;
    int len = snprintf(applying->ids[i], sizeof applying->ids[i], "%s%" PRIu64, prefix, n);
    *ret_id = (struct mete_text){applying->ids[i], (size_t)len};
    applying->changes[i] = (struct mete_change){0};
    return &applying->changes[i];
}

static void put_budgets(struct applying *applying, uint32_t scope, uint64_t name, int budgets)
{
    static const struct {
        uint16_t meter;
        uint32_t currency;
        enum mete_period period;
    } kinds[] = {{METE_COST, METE_USD, METE_MONTHLY},
                 {METE_TOTAL_TOKENS, 0, METE_DAILY},
                 {METE_REQUESTS, 0, METE_HOURLY},
                 {METE_COST, METE_USD, METE_TOTAL}};
    for (int i = 0; i < budgets; i++) {
        struct mete_text id;
        struct mete_change *change = next_change(applying, "b", name * 4 + (uint64_t)i, &id);
        change->kind = METE_PUT_BUDGET;
        change->budget = (struct mete_budget_spec){.id = id,
                                                   .scope = {scope},
                                                   .meter = kinds[i].meter,
                                                   .currency = kinds[i].currency,
                                                   .limit = METE_AMOUNT_MAX,
                                                   .period = kinds[i].period};
    }
}

/* Puts a scope with its budgets; returns its handle, which is the next one. */
static uint32_t put_scope(struct applying *applying, enum mete_kind kind, uint32_t parent,
                          int budgets)
{
    static const char *const prefixes[] = {"", "o", "d", "u", "k"};
    if (applying->len + (size_t)budgets + 1 > CHANGES)
        flush_changes(applying);
    uint32_t handle = applying->last_handle + 1;
    for (size_t i = 0; i < applying->len; i++)
        handle += applying->changes[i].kind == METE_PUT_SCOPE;
    /* A parent put in this very batch is named by its change. */
    uint32_t first = applying->last_handle + 1, ordinal = 0, named = parent;
    for (size_t i = 0; parent >= first && i < applying->len; i++)
        if (applying->changes[i].kind == METE_PUT_SCOPE && first + ordinal++ == parent)
            named = METE_FROM_CHANGE(i);
    uint32_t organization = applying->last_handle ? 1 : METE_FROM_CHANGE(0);
    struct mete_text id;
    uint32_t own = METE_FROM_CHANGE(applying->len);
    struct mete_change *change = next_change(applying, prefixes[kind], handle, &id);
    change->kind = METE_PUT_SCOPE;
    change->scope =
        (struct mete_scope_spec){.kind = kind,
                                 .id = id,
                                 .organization = {kind == METE_ORGANIZATION ? 0 : organization},
                                 .parent = {named}};
    put_budgets(applying, own, handle, budgets);
    return handle;
}

/* So many of a path's budgets are a scope's: as many on each level, and the rest on the deepest. */
static int budgets_of(enum mete_kind kind, int on_path)
{
    int level = METE_API_KEY - (int)kind; /* 0: the key */
    return on_path / LEVELS + (level < on_path % LEVELS);
}

/* One organization, a department for every hundred users, a user for every ten keys. */
static struct tree plant(struct mete_port *port, uint32_t keys, int on_path)
{
    struct applying *applying = calloc(1, sizeof *applying);
    if (!applying)
        must(METE_E_MEMORY, "tree");
    applying->port = port;
    uint32_t organization =
        put_scope(applying, METE_ORGANIZATION, 0, budgets_of(METE_ORGANIZATION, on_path));
    uint32_t users = keys / 10 + 1, departments = users / 100 + 1;
    uint32_t first_department = 0, first_user = 0, first_key = 0;
    for (uint32_t i = 0; i < departments; i++) {
        uint32_t handle = put_scope(applying, METE_DEPARTMENT, organization,
                                    budgets_of(METE_DEPARTMENT, on_path));
        first_department = i ? first_department : handle;
    }
    for (uint32_t i = 0; i < users; i++) {
        uint32_t handle = put_scope(applying, METE_USER, first_department + i / 100,
                                    budgets_of(METE_USER, on_path));
        first_user = i ? first_user : handle;
    }
    for (uint32_t i = 0; i < keys; i++) {
        uint32_t handle = put_scope(applying, METE_API_KEY, first_user + i / 10,
                                    budgets_of(METE_API_KEY, on_path));
        first_key = i ? first_key : handle;
    }
    flush_changes(applying);
    free(applying);
    return (struct tree){first_key, keys};
}

/* ---- The load -------------------------------------------------------------------------------- */

struct load {
    struct mete *mete;
    struct mete_port *port;
    struct tree tree;
    uint64_t dice, pairs;
    uint32_t *latencies_us; /* SAMPLES, NULL: not taken */
    size_t samples;
    struct mete_op *ready[WINDOW]; /* to be submitted next */
    size_t ready_len;
    struct call *calls;
    uint64_t warm_pairs;             /* before the measured part begins */
    _Atomic bool is_warm;            /* it has begun */
    const _Atomic bool *other;       /* it lasts until this is so; NULL: for its time */
    double owner_rate;               /* pairs per second of this thread's own time */
    double longest_s, longest_cpu_s; /* of the owner's turns */
    bool stops;
};

struct call {
    struct mete_op op;
    struct mete_demand demands[BUDGETS];
    struct mete_usage usage[BUDGETS];
    struct load *load;
    double began_s;
};

static uint64_t roll(struct load *load)
{
    load->dice ^= load->dice << 13;
    load->dice ^= load->dice >> 7;
    load->dice ^= load->dice << 17;
    return load->dice;
}

static void begin_call(struct call *call)
{
    struct load *load = call->load;
    call->op.kind = METE_OP_RESERVE;
    call->op.args.reserve = (struct mete_reserve){
        .scope = {load->tree.first_key + (uint32_t)(roll(load) % load->tree.keys)},
        .model = {"gpt-4o-mini", 11},
        .provider = {"openai", 6},
        .demands = call->demands,
        .demands_len = BUDGETS,
        .ttl_ms = 600000};
    load->ready[load->ready_len++] = &call->op;
}

static void note_latency(struct load *load, double began_s)
{
    if (load->latencies_us && load->samples < SAMPLES)
        load->latencies_us[load->samples++] = (uint32_t)((now_s() - began_s) * 1e6);
}

static void done(struct mete_op *op)
{
    struct call *call = op->user;
    struct load *load = call->load;
    must(op->status, "operation");
    if (load->latencies_us)
        note_latency(load, call->began_s);
    if (op->kind == METE_OP_COMMIT) {
        load->pairs++;
        if (!load->stops)
            begin_call(call);
        return;
    }
    struct mete_reservation_id reservation = op->result.verdict.reservation;
    op->kind = METE_OP_COMMIT;
    op->args.commit = (struct mete_commit){
        .reservation = reservation,
        .usage = call->usage,
        .usage_len = BUDGETS,
        .outcome = {.status = 200, .attempts = 1, .latency_ms = 800, .price_list = {"2025-06", 7}}};
    load->ready[load->ready_len++] = op;
}

static void submit_ready(struct load *load)
{
    if (!load->ready_len)
        return;
    if (load->latencies_us) {
        double now = now_s();
        for (size_t i = 0; i < load->ready_len; i++)
            ((struct call *)load->ready[i]->user)->began_s = now;
    }
    size_t taken = mete_submit(load->port, load->ready, load->ready_len);
    if (taken != load->ready_len)
        must(METE_E_BUSY, "submit");
    load->ready_len = 0;
}

static void begin_calls(struct load *load, size_t window)
{
    static const struct mete_demand demands[] = {{METE_COST, METE_USD, 2000000, 0},
                                                 {METE_TOTAL_TOKENS, 0, 900, 0},
                                                 {METE_REQUESTS, 0, 1, 0}};
    static const struct mete_usage usage[] = {
        {METE_COST, METE_USD, 1234567}, {METE_TOTAL_TOKENS, 0, 777}, {METE_REQUESTS, 0, 1}};
    load->calls = calloc(window, sizeof *load->calls);
    if (!load->calls)
        must(METE_E_MEMORY, "load");
    for (size_t i = 0; i < window; i++) {
        struct call *call = &load->calls[i];
        memcpy(call->demands, demands, sizeof demands);
        memcpy(call->usage, usage, sizeof usage);
        call->load = load;
        call->op.done = done;
        call->op.user = call;
        begin_call(call);
    }
}

/* Where the measured part begins, or ends. */
struct moment {
    double at_s, worked_s;
    uint64_t pairs;
};

static struct moment moment_of(const struct load *load)
{
    return (struct moment){now_s(), clock_s(CLOCK_THREAD_CPUTIME_ID), load->pairs};
}

static void turn(struct load *load)
{
    double began = now_s(), worked = clock_s(CLOCK_THREAD_CPUTIME_ID);
    mete_turn(load->mete, NULL);
    double took = now_s() - began, took_cpu = clock_s(CLOCK_THREAD_CPUTIME_ID) - worked;
    load->longest_s = took > load->longest_s ? took : load->longest_s;
    load->longest_cpu_s = took_cpu > load->longest_cpu_s ? took_cpu : load->longest_cpu_s;
}

/* Whether the measured part is over: time is, and what else was waited for is done. */
static bool is_over(const struct load *load, const struct moment *began, double seconds)
{
    return began->at_s > 0 && now_s() - began->at_s >= seconds &&
           (!load->other || atomic_load(load->other));
}

/* Runs the loop until warm and for some seconds, then lets what is under way end. Returns pairs
 * per second. */
static double drive(struct load *load, size_t window, double seconds)
{
    begin_calls(load, window);
    struct moment began = {0}, ended = {0};
    size_t under_way = window;
    while (under_way) {
        submit_ready(load);
        turn(load);
        uint64_t pairs = load->pairs;
        if (!mete_poll(load->port, window)) {
            struct pollfd readable = {.fd = mete_port_fd(load->port), .events = POLLIN};
            poll(&readable, 1, 10);
        }
        if (load->stops) {
            under_way -= (size_t)(load->pairs - pairs);
        } else if (began.at_s <= 0 && load->pairs >= load->warm_pairs) {
            load->samples = 0;
            load->longest_s = load->longest_cpu_s = 0;
            began = moment_of(load);
            atomic_store(&load->is_warm, true);
        } else if (is_over(load, &began, seconds)) {
            ended = moment_of(load);
            load->stops = true;
        }
    }
    free(load->calls);
    double pairs = (double)(ended.pairs - began.pairs);
    load->owner_rate = pairs / (ended.worked_s - began.worked_s);
    return pairs / (ended.at_s - began.at_s);
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double percentile(uint32_t *samples, size_t len, double share)
{
    qsort(samples, len, sizeof *samples, compare_u32);
    return len ? samples[(size_t)((double)(len - 1) * share)] : 0;
}

/* ---- Sections -------------------------------------------------------------------------------- */

static struct load open_load(const struct mete_options *options, uint32_t keys, int on_path)
{
    struct load load = {.dice = UINT64_C(0x9e3779b97f4a7c15)};
    must(mete_open(options, &load.mete), "open");
    must(mete_port_open(load.mete, &load.port), "port");
    load.tree = plant(load.port, keys, on_path);
    return load;
}

static void close_load(struct load *load)
{
    mete_port_close(load->port);
    mete_close(load->mete);
}

static void bench_memory(struct bench *bench)
{
    struct load load =
        open_load(&(struct mete_options){.owner = METE_OWNER_CALLER}, 1000000, LEVELS * BUDGETS);
    load.warm_pairs = WARM_PAIRS;
    double rate = drive(&load, 256, bench->seconds);
    put(bench, "in memory, 4 scopes x 3 budgets, 1 M keys", rate, "pairs/s", ">= 2 M, aim 4 M");
    put(bench, "the same, a second of the owner's and caller's CPU", load.owner_rate, "pairs/s",
        "");
    close_load(&load);
}

/* What a pair costs this thread, with so many keys and budgets on the path. */
static void bench_cost(struct bench *bench, uint32_t keys, int on_path)
{
    struct load load = open_load(&(struct mete_options){.owner = METE_OWNER_CALLER,
                                                        .scopes_max = keys + keys / 8 + 100,
                                                        .budgets_max = 4 * keys},
                                 keys, on_path);
    load.warm_pairs = WARM_PAIRS;
    drive(&load, 256, bench->seconds);
    char name[64];
    snprintf(name, sizeof name, "a pair's CPU, %d budget%s on the path, %u keys", on_path,
             on_path == 1 ? "" : "s", keys);
    put(bench, name, 1e9 / load.owner_rate, "ns", "");
    close_load(&load);
}

static void bench_costs(struct bench *bench)
{
    for (int on_path = 1; on_path <= 8; on_path++)
        bench_cost(bench, 10000, on_path);
    bench_cost(bench, 1000000, LEVELS);
    bench_cost(bench, 10000000, LEVELS);
}

static void sub_directory(const struct bench *bench, const char *name, char ret_path[512])
{
    snprintf(ret_path, 512, "%s/%s", bench->directory, name);
}

static void bench_durable(struct bench *bench, bool has_records)
{
    char path[512];
    sub_directory(bench, has_records ? "with" : "without", path);
    struct load load = open_load(&(struct mete_options){.directory = path,
                                                        .owner = METE_OWNER_CALLER,
                                                        .no_records = !has_records},
                                 100000, LEVELS * BUDGETS);
    load.latencies_us = malloc(SAMPLES * sizeof *load.latencies_us);
    load.warm_pairs = WARM_PAIRS;
    double rate = drive(&load, WINDOW, bench->seconds);
    const char *with = has_records ? "with records" : "no records";
    char name[64];
    snprintf(name, sizeof name, "durable, 100 k keys, %s", with);
    put(bench, name, rate, "pairs/s", ">= 400 k, aim 800 k");
    put(bench, "the same, a second of the owner's and caller's CPU", load.owner_rate, "pairs/s",
        "");
    snprintf(name, sizeof name, "durable, an operation's latency p50, %s", with);
    put(bench, name, percentile(load.latencies_us, load.samples, 0.50), "us", "");
    snprintf(name, sizeof name, "durable, an operation's latency p99, %s", with);
    put(bench, name, percentile(load.latencies_us, load.samples, 0.99), "us", "< 5000");
    free(load.latencies_us);
    close_load(&load);
}

static void bench_with(struct bench *bench)
{
    bench_durable(bench, true);
}

static void bench_without(struct bench *bench)
{
    bench_durable(bench, false);
}

struct snapshot {
    const struct load *load;
    double took_s;
    _Atomic bool is_done;
};

static void *take_snapshot(void *user)
{
    struct snapshot *snapshot = user;
    while (!atomic_load(&snapshot->load->is_warm))
        poll(NULL, 0, 1);
    uint64_t seq;
    double began = now_s();
    must(mete_snapshot(snapshot->load->mete, &seq), "snapshot");
    snapshot->took_s = now_s() - began;
    atomic_store(&snapshot->is_done, true);
    return NULL;
}

/* How long the owner keeps anybody waiting while a snapshot is written: its longest turn. */
static void bench_snapshot(struct bench *bench)
{
    char path[512];
    sub_directory(bench, "snapshot", path);
    enum { OUTCOMES = 65536 }; /* soon warm: else the turn would be the kernel clearing pages */
    struct load load = open_load(&(struct mete_options){.directory = path,
                                                        .owner = METE_OWNER_CALLER,
                                                        .no_records = 1,
                                                        .outcomes_max = OUTCOMES},
                                 1000000, LEVELS);
    struct snapshot snapshot = {.load = &load};
    load.other = &snapshot.is_done;
    load.warm_pairs = 2 * OUTCOMES;
    pthread_t thread;
    if (pthread_create(&thread, NULL, take_snapshot, &snapshot))
        must(METE_E_MEMORY, "thread");
    double rate = drive(&load, WINDOW, 0);
    pthread_join(thread, NULL);
    put(bench, "a snapshot under load, 1 M keys: the owner's longest turn", load.longest_s * 1e3,
        "ms", "< 10");
    put(bench, "the same, of its own CPU", load.longest_cpu_s * 1e3, "ms", "");
    put(bench, "that snapshot, asked for to verified", snapshot.took_s, "s", "");
    put(bench, "durable pairs meanwhile", rate, "pairs/s", "");
    close_load(&load);
}

/* One plain call after another, nothing else under way. */
static void bench_single(struct bench *bench)
{
    char path[512];
    sub_directory(bench, "single", path);
    struct load load =
        open_load(&(struct mete_options){.directory = path, .owner = METE_OWNER_CALLER}, 100,
                  LEVELS * BUDGETS);
    enum { CALLS = 20000 };
    uint32_t *samples = malloc(CALLS * sizeof *samples);
    struct mete_demand demand = {METE_COST, METE_USD, 1000, 0};
    struct mete_reserve args = {
        .scope = {load.tree.first_key}, .demands = &demand, .demands_len = 1, .ttl_ms = 600000};
    size_t len = 0;
    for (double end = now_s() + bench->seconds; len < CALLS && now_s() < end; len++) {
        struct mete_verdict verdict;
        double start = now_s();
        must(mete_reserve(load.port, &args, NULL, 0, &verdict), "reserve");
        samples[len] = (uint32_t)((now_s() - start) * 1e6);
    }
    put(bench, "one durable reserve, unloaded, p50", percentile(samples, len, 0.50), "us",
        "< 300, aim 200");
    put(bench, "one durable reserve, unloaded, p99", percentile(samples, len, 0.99), "us", "");
    free(samples);
    close_load(&load);
}

static void bench_memory_use(struct bench *bench)
{
    char path[512];
    sub_directory(bench, "idle", path);
    struct mete *idle;
    double nothing = resident_bytes();
    must(mete_open(&(struct mete_options){.directory = path}, &idle), "open");
    put(bench, "resident, idle engine", (resident_bytes() - nothing) / 1e6, "MB", "aim 20");
    mete_close(idle);
    enum { SCOPES = 200000, RESERVATIONS = 500000 };
    struct load load = {0};
    must(mete_open(&(struct mete_options){.owner = METE_OWNER_CALLER}, &load.mete), "open");
    must(mete_port_open(load.mete, &load.port), "port");
    double before = resident_bytes();
    load.tree = plant(load.port, SCOPES, 4 * LEVELS);
    double scopes = SCOPES + SCOPES / 10 + SCOPES / 1000 + 3;
    put(bench, "resident, a scope with 4 budgets", (resident_bytes() - before) / scopes, "B",
        "<= 640, aim 384");
    before = resident_bytes();
    struct mete_demand demand = {METE_COST, METE_USD, 1000, 0};
    for (uint32_t i = 0; i < RESERVATIONS; i++) {
        struct mete_reserve args = {.scope = {load.tree.first_key + i % SCOPES},
                                    .demands = &demand,
                                    .demands_len = 1,
                                    .ttl_ms = 600000};
        struct mete_verdict verdict;
        must(mete_reserve(load.port, &args, NULL, 0, &verdict), "reserve");
    }
    put(bench, "resident, an open reservation (4 scopes x 4 budgets)",
        (resident_bytes() - before) / RESERVATIONS, "B", "<= 192, aim 128");
    close_load(&load);
}

/* Reopens what the section without records wrote. */
static void bench_recovery(struct bench *bench)
{
    char path[512];
    sub_directory(bench, "without", path);
    struct mete_options options = {.directory = path, .owner = METE_OWNER_CALLER, .no_records = 1};
    struct mete *mete;
    struct mete_port *port;
    double start = now_s();
    must(mete_open(&options, &mete), "open");
    double took = now_s() - start;
    must(mete_port_open(mete, &port), "port");
    struct mete_query query = {.kind = METE_QUERY_STATS};
    struct mete_answer answer;
    must(mete_query(port, &query, &answer), "stats");
    put(bench, "recovery", (double)answer.stats.seq / took, "entries/s", ">= 1 M, aim 3 M");
    put(bench, "recovery, entries read", (double)answer.stats.seq, "", "");
    mete_port_close(port);
    mete_close(mete);
    sub_directory(bench, "empty", path);
    start = now_s();
    must(mete_open(&options, &mete), "open");
    put(bench, "open, an empty directory", (now_s() - start) * 1e3, "ms", "< 200, aim 50");
    mete_close(mete);
}

/* ---- Running --------------------------------------------------------------------------------- */

static int in_a_child(struct bench *bench, void (*section)(struct bench *))
{
    pid_t child = fork();
    if (child < 0)
        return CLI_FAILED;
    if (!child) {
        section(bench);
        exit(0);
    }
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? CLI_DONE : CLI_FAILED;
}

static int remove_one(const char *path, const struct stat *info, int what, struct FTW *at)
{
    (void)info;
    (void)what;
    (void)at;
    (void)remove(path); /* what stays is found by who looks for it */
    return 0;
}

static void remove_directory(const char *directory)
{
    enum { DESCRIPTORS = 8 };
    (void)nftw(directory, remove_one, DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
}

static void print_rows(const struct results *results, bool json)
{
    if (json)
        printf("[");
    for (size_t i = 0; i < results->len; i++) {
        const struct row *row = &results->rows[i];
        if (json)
            printf("%s{\"name\":\"%s\",\"value\":%.2f,\"unit\":\"%s\",\"target\":\"%s\"}",
                   i ? ",\n " : "", row->name, row->value, row->unit, row->target);
        else
            printf("%-54s %14.*f %-10s %s\n", row->name, row->value < 1000 ? 1 : 0, row->value,
                   row->unit, row->target);
    }
    if (json)
        printf("]\n");
}

static int run_all(struct bench *bench)
{
    static const struct {
        const char *name;
        void (*run)(struct bench *bench);
    } sections[] = {{"resident", bench_memory_use}, {"single", bench_single},
                    {"memory", bench_memory},       {"costs", bench_costs},
                    {"durable", bench_without},     {"records", bench_with},
                    {"recovery", bench_recovery},   {"snapshot", bench_snapshot}};
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        if (bench->section && strcmp(bench->section, sections[i].name) != 0)
            continue;
        if (in_a_child(bench, sections[i].run))
            return CLI_FAILED;
    }
    return CLI_DONE;
}

static int parse(int argc, char **argv, struct bench *bench, bool *ret_json)
{
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (!strcmp(argv[i], "--json")) {
            *ret_json = true;
        } else if (!strcmp(argv[i], "--seconds") && has_value) {
            char *end;
            long seconds = strtol(argv[++i], &end, 10);
            if (*end || seconds < 1 || seconds > 3600)
                return CLI_USAGE;
            bench->seconds = (double)seconds;
        } else if (!strcmp(argv[i], "--directory") && has_value) {
            bench->directory = argv[++i];
        } else if (!strcmp(argv[i], "--section") && has_value) {
            bench->section = argv[++i];
        } else {
            return CLI_USAGE;
        }
    }
    return 0;
}

static const char usage[] =
    "usage: mete bench [--seconds N] [--directory DIR] [--section NAME] [--json]\n"
    "Measures the engine in process; DIR is where the journals are written (/tmp). Sections:\n"
    "resident, single, memory, costs, durable, records, recovery (of what durable wrote), "
    "snapshot.\n";

int cli_bench(int argc, char **argv)
{
    struct bench bench = {.seconds = 3, .directory = "/tmp"};
    bool json = false;
    if (argc == 2 && !strcmp(argv[1], "--help")) {
        fputs(usage, stdout);
        return CLI_DONE;
    }
    if (parse(argc, argv, &bench, &json)) {
        fputs(usage, stderr);
        return CLI_USAGE;
    }
    char directory[400];
    snprintf(directory, sizeof directory, "%s/mete-bench-XXXXXX", bench.directory);
    bench.results = mmap(NULL, sizeof *bench.results, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (bench.results == MAP_FAILED || !mkdtemp(directory)) {
        perror("mete bench");
        return CLI_FAILED;
    }
    bench.directory = directory;
    int code = run_all(&bench);
    print_rows(bench.results, json);
    remove_directory(directory);
    return code;
}
