/* SPDX-License-Identifier: Apache-2.0
 * Added up apart from the rollups, by another code: for each scope its calls, and two sums over all
 * amounts, plain and weighted by meter and currency, that wrap and so need no care. Handles of
 * scopes are of one sequence, whatever their kind, so one array has all levels. */
#include "engine/verify_sums.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 1000 };
static const int64_t day_us = INT64_C(86400000000);

struct verify_sum {
    uint64_t calls, failures, latency_ms;
    uint64_t amounts, weighted;
    uint8_t is_seen;
};

void verify_sums_begin(struct verify_sums *sums, int64_t base_at_us)
{
    *sums = (struct verify_sums){.from_us = (base_at_us + day_us - 1) / day_us * day_us};
}

void verify_sums_done(struct verify_sums *sums)
{
    free(sums->at);
    *sums = (struct verify_sums){0};
}

static int make_room(struct verify_sums *sums, uint32_t handle)
{
    if (handle < sums->room)
        return 0;
    size_t room = sums->room ? sums->room : 1024;
    while (room <= handle)
        room *= 2;
    struct verify_sum *grown = realloc(sums->at, room * sizeof *grown);
    if (!grown)
        return METE_E_MEMORY;
    memset(grown + sums->room, 0, (room - sums->room) * sizeof *grown);
    sums->at = grown;
    sums->room = room;
    return 0;
}

static void add_amount(struct verify_sum *sum, uint32_t meter, uint32_t currency, int64_t amount)
{
    uint64_t weight = (uint64_t)currency * 4099 + meter + 1;
    sum->amounts += (uint64_t)amount;
    sum->weighted += (uint64_t)amount * weight;
}

static void add_usage(struct verify_sum *sum, const struct records_usage *usage)
{
    const struct mete_usage *list = NULL;
    bool has_total = false;
    int64_t tokens = 0, cost = 0;
    uint32_t currency = 0;
    for (size_t i = 0; i < usage->usage_len; i++) {
        const struct mete_usage *one = &usage->usage[i];
        has_total |= one->meter == METE_TOTAL_TOKENS;
        if (one->meter == METE_INPUT || one->meter == METE_OUTPUT)
            tokens += one->amount;
        if (one->meter == METE_COST && !currency) {
            currency = one->currency;
            cost = one->amount;
        }
        if (one->meter != METE_LIST_COST)
            add_amount(sum, one->meter, one->currency, one->amount);
        else
            list = one;
    }
    if (list)
        add_amount(sum, METE_LIST_COST, currency, cost - list->amount);
    if (!has_total)
        add_amount(sum, METE_TOTAL_TOKENS, 0, tokens);
    if (usage->corrects)
        return;
    sum->calls++;
    sum->failures += !rollups_is_success(&usage->outcome);
    sum->latency_ms += usage->outcome.latency_ms;
}

int verify_sums_add(struct verify_sums *sums, const struct records_usage *usage)
{
    const uint32_t scopes[] = {usage->organization.n, usage->department.n, usage->user.n,
                               usage->key.n};
    int error = 0;
    if (usage->ended_us < sums->from_us)
        return 0;
    for (size_t i = 0; !error && i < sizeof scopes / sizeof scopes[0]; i++) {
        if (!scopes[i])
            continue;
        error = make_room(sums, scopes[i]);
        if (!error)
            add_usage(&sums->at[scopes[i]], usage);
    }
    return error;
}

static void add_row(struct verify_sum *told, const struct rollups_row *row)
{
    const struct rollups_sums *sums = &row->sums;
    const struct {
        uint32_t meter;
        int64_t amount;
    } named[] = {{METE_INPUT, sums->input},
                 {METE_CACHED_INPUT, sums->cached_input},
                 {METE_CACHE_WRITE, sums->cache_write},
                 {METE_OUTPUT, sums->output},
                 {METE_REASONING, sums->reasoning},
                 {METE_TOTAL_TOKENS, sums->total_tokens},
                 {METE_REQUESTS, sums->requests}};
    told->calls += (uint64_t)sums->calls;
    told->failures += (uint64_t)sums->failures;
    told->latency_ms += (uint64_t)sums->latency_ms;
    add_amount(told, row->meter, row->currency, sums->amount);
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++)
        add_amount(told, named[i].meter, 0, named[i].amount);
}

static int compare_page(struct verify_sums *sums, const struct rollups_rows *rows,
                        uint32_t *ret_scope)
{
    for (size_t i = 0; i < rows->len;) {
        uint32_t id = rows->at[i].id;
        struct verify_sum told = {.is_seen = 1};
        for (; i < rows->len && rows->at[i].id == id; i++)
            add_row(&told, &rows->at[i]);
        if (id < sums->room)
            sums->at[id].is_seen = 1;
        if (id >= sums->room || memcmp(&told, &sums->at[id], sizeof told) != 0) {
            *ret_scope = id;
            return METE_E_CORRUPT;
        }
    }
    return 0;
}

static int compare_level(struct verify_sums *sums, struct rollups_view *view,
                         enum rollups_level level, uint32_t *ret_scope)
{
    struct rollups_rows rows = {0};
    struct rollups_question question = {.level = level,
                                        .by = ROLLUPS_BY_SCOPE,
                                        .from = (uint32_t)(sums->from_us / ROLLUPS_BUCKET_US),
                                        .to = UINT32_MAX,
                                        .limit = PAGE};
    int error;
    do {
        error = rollups_ask(view, &question, &rows);
        if (!error)
            error = compare_page(sums, &rows, ret_scope);
        if (!error && rows.len)
            question.first = rows.at[rows.len - 1].id + 1;
    } while (!error && rows.more);
    rollups_rows_done(&rows);
    return error == METE_E_TOO_LARGE ? 0 : error; /* such sums are not told */
}

int verify_sums_compare(struct verify_sums *sums, struct records_reader *reader,
                        uint32_t *ret_scope)
{
    struct rollups_view *view = NULL;
    int error = rollups_view_open(reader, &view);
    for (int level = ROLLUPS_ORGANIZATION; !error && level <= ROLLUPS_KEY; level++)
        error = compare_level(sums, view, (enum rollups_level)level, ret_scope);
    for (size_t i = 0; !error && i < sums->room; i++) {
        if (!sums->at[i].is_seen && sums->at[i].calls) {
            *ret_scope = (uint32_t)i;
            error = METE_E_CORRUPT;
        }
    }
    rollups_view_close(view);
    return error;
}
