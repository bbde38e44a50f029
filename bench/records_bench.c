/* SPDX-License-Identifier: Apache-2.0
 * How fast the projector's half of the records is, and how fast usage is told from them: puts calls
 * of a month, as the projector would, into records of its own, and asks what people ask. One row a
 * question: median of five, in milliseconds.
 * Usage: records_bench DIRECTORY [CALLS [KEYS [ORGANIZATIONS]]] */
#include "base/checked.h"
#include "store/records.h"
#include "store/rollups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 8192, MODELS = 5, ROUNDS = 5 };
static const int64_t month_us = INT64_C(30) * 86400 * 1000000;
static const int64_t begin_us = INT64_C(20000) * 86400 * 1000000; /* a midnight */

struct load {
    uint64_t calls;
    uint32_t keys, organizations;
    uint64_t state; /* of the generator */
};

static void must(int error, const char *what)
{
    if (!error)
        return;
    fprintf(stderr, "records_bench: %s: %s\n", what, mete_error_text(error));
    exit(3);
}

static double now_of(clockid_t clock)
{
    struct timespec at;
    clock_gettime(clock, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static uint32_t draw(struct load *load, uint32_t below)
{
    load->state = load->state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)((load->state >> 33) % below);
}

/* Organizations first, ten departments each, then users, one for ten keys, then keys. */
static void put(struct records *records, struct load *load, uint64_t seq)
{
    static const char *const models[MODELS] = {"gpt-4o", "gpt-4o-mini", "claude", "o3", "qwen"};
    uint32_t key = draw(load, load->keys), user = key / 10, users = load->keys / 10 + 1;
    uint32_t organization = user % load->organizations, department = user / 7 % 10;
    uint32_t after = load->organizations * 11 + 1;
    uint32_t model = draw(load, MODELS);
    int64_t input = 100 + draw(load, 5000), output = 1 + draw(load, 900);
    const struct mete_usage meters[] = {
        {METE_COST, METE_USD, input * 2500 + output * 10000},
        {METE_INPUT, 0, input},
        {METE_OUTPUT, 0, output},
        {METE_REQUESTS, 0, 1},
    };
    char request_id[32];
    int len = snprintf(request_id, sizeof request_id, "req-%llu", (unsigned long long)seq);
    int64_t ended_us = begin_us + (int64_t)((int128)month_us * seq / load->calls);
    struct mete_scope_id leaf = {after + users + key};
    const struct records_usage usage = {
        .seq = seq,
        .reservation = seq,
        .scope = leaf,
        .organization = {1 + organization},
        .department = {1 + load->organizations + organization * 10 + department},
        .user = {after + user},
        .key = leaf,
        .request_id = {request_id, (size_t)len},
        .model = slice_of(models[model]),
        .provider = slice_of(model == 2 ? "anthropic" : "openai"),
        .started_us = ended_us - 900000,
        .ended_us = ended_us,
        .state = METE_COMMITTED,
        .usage = meters,
        .usage_len = sizeof meters / sizeof meters[0],
        .outcome = {.ending = METE_ENDED_OK, .status = 200, .attempts = 1, .latency_ms = 900}};
    must(records_put_usage(records, &usage), "put");
}

static void put_all(const char *directory, struct load *load)
{
    struct records *records;
    must(records_open(os_system(), directory, &records), "open");
    double cpu = now_of(CLOCK_PROCESS_CPUTIME_ID), wall = now_of(CLOCK_MONOTONIC);
    double slice_cpu = cpu;
    for (uint64_t seq = 1; seq <= load->calls;) {
        must(records_begin(records), "begin");
        for (int i = 0; i < BATCH && seq <= load->calls; i++, seq++)
            put(records, load, seq);
        must(records_end(records, seq - 1), "end");
        must(records_tidy(records, false), "tidy");
        if ((seq - 1) % (BATCH * 100) == 0) {
            double at = now_of(CLOCK_PROCESS_CPUTIME_ID);
            fprintf(stderr, "%10llu  %.0f calls/s of CPU\n", (unsigned long long)seq - 1,
                    BATCH * 100 / (at - slice_cpu));
            slice_cpu = at;
        }
    }
    cpu = now_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = now_of(CLOCK_MONOTONIC) - wall;
    printf("put %llu calls: %.0f a second of CPU, %.0f a second\n", (unsigned long long)load->calls,
           (double)load->calls / cpu, (double)load->calls / wall);
    int more = 1;
    cpu = now_of(CLOCK_PROCESS_CPUTIME_ID);
    while (more)
        must(records_tend(records, &(struct records_keep){0}, &more), "tend");
    printf("days: %.1f s of CPU\n", now_of(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    records_close(records);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void ask(struct records_reader *reader, const char *what,
                const struct rollups_question *question)
{
    double took[ROUNDS];
    struct rollups_rows rows = {0};
    for (int i = 0; i < ROUNDS; i++) {
        struct rollups_view *view;
        double from = now_of(CLOCK_MONOTONIC);
        must(rollups_view_open(reader, &view), "view");
        must(rollups_ask(view, question, &rows), what);
        rollups_view_close(view);
        took[i] = (now_of(CLOCK_MONOTONIC) - from) * 1e3;
    }
    qsort(took, ROUNDS, sizeof took[0], compare);
    uint64_t calls = 0;
    for (size_t i = 0; i < rows.len; i++)
        calls += (uint64_t)rows.at[i].sums.calls;
    printf("%-44s %8.2f ms  %zu groups, %llu calls\n", what, took[ROUNDS / 2], rows.groups,
           (unsigned long long)calls);
    rollups_rows_done(&rows);
}

static void ask_all(const char *directory, const struct load *load)
{
    struct records_reader *reader;
    must(records_reader_open(os_system(), directory, &reader), "reader");
    const uint32_t from = (uint32_t)(begin_us / ROLLUPS_BUCKET_US), to = from + 30 * 96;
    struct rollups_question q = {
        .level = ROLLUPS_ORGANIZATION, .from = from, .to = to, .limit = 100};
    ask(reader, "everything, a month", &q);
    q.by = ROLLUPS_BY_SCOPE;
    ask(reader, "by organization", &q);
    q.organization.n = q.scope.n = 1;
    q.by = ROLLUPS_BY_MODEL;
    ask(reader, "an organization by model", &q);
    q.from += 22;
    q.to -= 2; /* as in a zone */
    ask(reader, "the same, days of another zone", &q);
    q.scope.n = 0;
    q.by = ROLLUPS_BY_SCOPE;
    q.level = ROLLUPS_DEPARTMENT;
    ask(reader, "by department", &q);
    q.level = ROLLUPS_USER;
    ask(reader, "by user, a page of 100", &q);
    q.level = ROLLUPS_KEY;
    ask(reader, "by key, a page of 100", &q);
    q.limit = 1000;
    ask(reader, "by key, a page of 1000", &q);
    q.limit = 100;
    q.department.n = 1 + load->organizations;
    ask(reader, "by key of a department", &q);
    q.department.n = 0;
    q.scope.n = load->organizations * 11 + 1 + load->keys / 10 + 1;
    q.by = ROLLUPS_BY_MODEL;
    ask(reader, "a key by model", &q);
    records_reader_close(reader);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: records_bench DIRECTORY [CALLS [KEYS [ORGANIZATIONS]]]\n");
        return 2;
    }
    struct load load = {.calls = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000,
                        .keys = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 1000,
                        .organizations = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 1};
    put_all(argv[1], &load);
    ask_all(argv[1], &load);
    return 0;
}
