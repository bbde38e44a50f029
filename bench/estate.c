/* SPDX-License-Identifier: Apache-2.0
 * estate - fills a data directory with a large installation, through mete.h alone.
 *
 *   estate DIRECTORY ORGANIZATIONS USERS KEYS BUDGETS RECORDS
 *
 * Each organization has as many of each as every other: departments of a hundred users, keys of
 * users, a budget on itself and on the first users, and calls of the month that ends now, by keys
 * in turn and by eight models. Keys have hashes that no text has. DIRECTORY is made. Prints what it
 * took. */
#include "mete.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 250, OPS = 1024, MODELS = 8, ID = 32, DOCUMENT = 320 };
#define MONTH_US (INT64_C(30) * 24 * 3600 * 1000000)

static struct {
    struct mete *mete;
    struct mete_port *port;
    int64_t now_us;
    struct mete_change changes[BATCH];
    char ids[BATCH][ID], documents[BATCH][DOCUMENT];
    uint32_t handles[BATCH];
    size_t len;
} fill;

static int64_t now_us(void *user)
{
    (void)user;
    return fill.now_us;
}

static double seconds(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void die(const char *what, int error)
{
    fprintf(stderr, "estate: %s: %s\n", what, mete_error_name(error));
    exit(1);
}

static struct mete_text text(const char *terminated)
{
    return (struct mete_text){terminated, strlen(terminated)};
}

/* ---- Scopes and budgets ------------------------------------------------------------------------
 */

static void flush(void)
{
    struct mete_applied applied;
    const struct mete_apply args = {fill.changes, fill.len, text("estate")};
    int error = fill.len ? mete_apply(fill.port, &args, fill.handles, &applied) : 0;
    if (error)
        die("apply", error);
    fill.len = 0;
}

static struct mete_change *next(const char *prefix, unsigned long number)
{
    if (fill.len == BATCH)
        flush();
    snprintf(fill.ids[fill.len], ID, "%s%lu", prefix, number);
    return &fill.changes[fill.len++];
}

static void put_scope(enum mete_kind kind, const char *prefix, unsigned long number,
                      uint32_t organization, uint32_t parent, const char *document)
{
    struct mete_change *change = next(prefix, number);
    size_t at = (size_t)(change - fill.changes);
    snprintf(fill.documents[at], DOCUMENT, "%s", document);
    *change = (struct mete_change){.kind = METE_PUT_SCOPE,
                                   .flags = METE_CHANGE_CREATE,
                                   .scope = {.kind = kind,
                                             .id = text(fill.ids[at]),
                                             .organization = {organization},
                                             .parent = {parent}},
                                   .document = text(fill.documents[at])};
}

static void put_budget(unsigned long number, uint32_t scope)
{
    struct mete_change *change = next("b", number);
    size_t at = (size_t)(change - fill.changes);
    *change = (struct mete_change){.kind = METE_PUT_BUDGET,
                                   .flags = METE_CHANGE_CREATE,
                                   .budget = {.id = text(fill.ids[at]),
                                              .scope = {scope},
                                              .meter = METE_COST,
                                              .currency = METE_USD,
                                              .limit = INT64_C(1000000000000000),
                                              .period = METE_MONTHLY},
                                   .document = text("{}")};
}

/* As the API writes them; the digits of a key's id and hash are its number's. */
static void put_key(unsigned long number, uint32_t organization, uint32_t user)
{
    char id[17], document[DOCUMENT];
    snprintf(id, sizeof id, "key_%012lu", number);
    snprintf(document, sizeof document,
             "{\"id\":\"%s\",\"name\":\"K\",\"prefix\":\"mete_sk_%04lu\",\"hash\":\"%064lu\","
             "\"created_at\":\"2026-01-01T00:00:00Z\"}",
             id, number % 10000, number);
    struct mete_change *change = next("key_", 0);
    size_t at = (size_t)(change - fill.changes);
    snprintf(fill.ids[at], ID, "%s", id);
    snprintf(fill.documents[at], DOCUMENT, "%s", document);
    *change = (struct mete_change){.kind = METE_PUT_SCOPE,
                                   .flags = METE_CHANGE_CREATE,
                                   .scope = {.kind = METE_API_KEY,
                                             .id = text(fill.ids[at]),
                                             .organization = {organization},
                                             .parent = {user}},
                                   .document = text(fill.documents[at])};
}

static uint32_t find(enum mete_kind kind, uint32_t organization, const char *prefix,
                     unsigned long number)
{
    char id[ID];
    snprintf(id, sizeof id, "%s%lu", prefix, number);
    struct mete_answer answer;
    const struct mete_query query = {.kind = METE_QUERY_FIND_SCOPE,
                                     .scope_kind = kind,
                                     .id = text(id),
                                     .organization = {organization}};
    int error = mete_query(fill.port, &query, &answer);
    if (error)
        die(id, error);
    return answer.scope.scope.n;
}

struct counts {
    unsigned long organizations, users, keys, budgets, records;
};

/* Returns the handle of its first key; keys of one organization follow each other. */
static uint32_t fill_organization(const struct counts *counts, unsigned long number,
                                  unsigned long *budgets, unsigned long *keys)
{
    const unsigned long users = counts->users / counts->organizations,
                        own_keys = counts->keys / counts->organizations,
                        own_budgets = counts->budgets / counts->organizations;
    put_scope(METE_ORGANIZATION, "org", number, 0, 0,
              "{\"name\":\"O\",\"currency\":\"USD\",\"time_zone\":\"UTC\"}");
    flush();
    uint32_t organization = find(METE_ORGANIZATION, 0, "org", number);
    for (unsigned long d = 0; d < (users + 99) / 100; d++)
        put_scope(METE_DEPARTMENT, "dep", d, organization, organization, "{\"name\":\"D\"}");
    flush();
    uint32_t department = find(METE_DEPARTMENT, organization, "dep", 0);
    for (unsigned long u = 0; u < users; u++)
        put_scope(METE_USER, "usr", u, organization, department + (uint32_t)(u / 100),
                  "{\"name\":\"U\"}");
    flush();
    uint32_t user = find(METE_USER, organization, "usr", 0), first = user + (uint32_t)users;
    for (unsigned long k = 0; k < own_keys; k++)
        put_key((*keys)++, organization, user + (uint32_t)(k % users));
    flush();
    put_budget((*budgets)++, organization);
    for (unsigned long b = 1; b < own_budgets; b++)
        put_budget((*budgets)++, first + (uint32_t)((b - 1) % own_keys));
    flush();
    return first;
}

/* ---- Records -----------------------------------------------------------------------------------
 */

static struct mete_op ops[OPS];
static struct mete_usage usages[OPS][4];
static size_t waiting[OPS], waiting_len;

static void recorded(struct mete_op *op)
{
    if (op->status)
        die("record", op->status);
    waiting[waiting_len++] = (size_t)(op - ops);
}

static void ask(struct mete_op *op, unsigned long number, uint32_t key)
{
    static const char *const models[MODELS] = {
        "gpt-4o",          "gpt-4o-mini",      "gpt-5",         "claude-sonnet-4-5",
        "claude-opus-4-5", "gemini-2.5-flash", "deepseek-chat", "mistral-large-latest"};
    struct mete_usage *usage = usages[op - ops];
    usage[0] = (struct mete_usage){METE_COST, METE_USD, 1000000 + (int64_t)(number % 977) * 1000};
    usage[1] = (struct mete_usage){METE_INPUT, 0, 100 + (int64_t)(number % 1009)};
    usage[2] = (struct mete_usage){METE_OUTPUT, 0, 10 + (int64_t)(number % 503)};
    usage[3] = (struct mete_usage){METE_REQUESTS, 0, 1};
    *op = (struct mete_op){.kind = METE_OP_RECORD,
                           .args.record = {.scope = {key},
                                           .model = text(models[number % MODELS]),
                                           .provider = text("openai"),
                                           .usage = usage,
                                           .usage_len = 4,
                                           .outcome = {.status = 200, .latency_ms = 800}},
                           .done = recorded};
}

/* One after the other through the month, of each organization in turn. */
static void fill_records(const struct counts *counts, const uint32_t *first_keys)
{
    const unsigned long keys = counts->keys / counts->organizations;
    const int64_t begun_us = fill.now_us;
    for (size_t i = 0; i < OPS; i++)
        waiting[waiting_len++] = i;
    unsigned long asked = 0;
    while (asked < counts->records || waiting_len < OPS) {
        while (asked < counts->records && waiting_len) {
            struct mete_op *op = &ops[waiting[waiting_len - 1]];
            uint32_t key = first_keys[asked % counts->organizations] +
                           (uint32_t)(asked / counts->organizations % keys);
            fill.now_us =
                begun_us + (int64_t)((double)MONTH_US * (double)asked / (double)counts->records);
            ask(op, asked, key);
            if (mete_submit(fill.port, &op, 1) != 1)
                break;
            waiting_len--;
            asked++;
        }
        (void)mete_turn(fill.mete, NULL);
        (void)mete_poll(fill.port, OPS);
    }
}

static void wait_for_records(void)
{
    struct mete_answer answer;
    const struct mete_query query = {.kind = METE_QUERY_PROJECTED};
    int error = mete_query(fill.port, &query, &answer);
    if (error)
        die("the records", error);
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: estate DIRECTORY ORGANIZATIONS USERS KEYS BUDGETS RECORDS\n");
        return 2;
    }
    unsigned long numbers[5];
    for (int i = 0; i < 5; i++)
        numbers[i] = strtoul(argv[i + 2], NULL, 10);
    const struct counts counts = {numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]};
    uint32_t *first_keys = calloc(counts.organizations, sizeof *first_keys);
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    fill.now_us = wall.tv_sec * INT64_C(1000000) - MONTH_US;
    const struct mete_options options = {
        .directory = argv[1], .owner = METE_OWNER_CALLER, .clock = {now_us, NULL}, .no_audit = 1};
    int error = first_keys ? mete_open(&options, &fill.mete) : METE_E_MEMORY;
    if (!error)
        error = mete_port_open(fill.mete, &fill.port);
    if (error)
        die(argv[1], error);
    double begun = seconds();
    unsigned long budgets = 0, keys = 0;
    for (unsigned long o = 0; o < counts.organizations; o++)
        first_keys[o] = fill_organization(&counts, o, &budgets, &keys);
    double made = seconds();
    fill_records(&counts, first_keys);
    wait_for_records();
    double done = seconds();
    uint64_t seq = 0; /* as one that has run for a month has of its own accord */
    error = mete_snapshot(fill.mete, &seq);
    if (error)
        die("snapshot", error);
    mete_port_close(fill.port);
    mete_close(fill.mete);
    free(first_keys);
    printf("RESULT {\"entities_s\":%.1f,\"records_s\":%.1f}\n", made - begun, done - made);
    return 0;
}
