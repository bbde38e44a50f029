/* SPDX-License-Identifier: Apache-2.0
 * What is asked: calls, their ends, and the passing of time. Amounts are mostly near those of the
 * budgets, so that limits are met; instants are mostly near those at which something happens. */
#include "model/words.h"
#include "model/world.h"

#include <string.h>

#define SECOND_US INT64_C(1000000)
#define PICK(tape, list) ((list)[tape_pick((tape), sizeof(list) / sizeof(list)[0])])

const struct unit units[UNITS] = {{METE_COST, METE_USD}, {METE_TOTAL_TOKENS, 0},
                                  {METE_REQUESTS, 0},    {METE_COST, METE_CURRENCY('E', 'U', 'R')},
                                  {METE_INPUT, 0},       {METE_OUTPUT, 0},
                                  {METE_IMAGES, 0},      {METE_COST, METE_CURRENCY('C', 'N', 'Y')},
                                  {METE_METER_CUSTOM, 0}};

struct mete_text draw_word(struct tape *tape, const unsigned char *list, size_t len)
{
    const char *word = words[list[tape_pick(tape, len)]];
    return (struct mete_text){word, strlen(word)};
}

int64_t draw_amount(const struct world *w, struct tape *tape)
{
    static const int64_t scales[] = {10, 100, 100, 300, 300, 1000};
    size_t kind = tape_pick(tape, 16);
    if (kind == 0)
        return 0;
    int64_t scale = PICK(tape, scales);
    int64_t amount = (int64_t)tape_pick(tape, (size_t)scale) + 1;
    return kind < 6 || w->unit == 1 ? amount * w->unit
                                    : amount * w->unit - (int64_t)tape_pick(tape, 1000);
}

static size_t draw_unit(const struct world *w, struct tape *tape)
{
    static const unsigned char likely[] = {0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8};
    size_t unit = PICK(tape, likely);
    if (units[unit].meter == METE_METER_CUSTOM && !w->meters_len)
        return 0;
    return unit;
}

/* Units that differ from each other; at most four. */
static size_t draw_units(const struct world *w, struct tape *tape, size_t *ret_units)
{
    static const unsigned char counts[] = {1, 1, 1, 1, 2, 2, 3, 4};
    size_t count = PICK(tape, counts), len = 0;
    for (size_t i = 0; i < count; i++) {
        size_t unit = draw_unit(w, tape), at = 0;
        while (at < len && ret_units[at] != unit)
            at++;
        if (at == len)
            ret_units[len++] = unit;
    }
    return len;
}

size_t draw_usage(const struct world *w, struct tape *tape, struct mete_usage *ret_usage)
{
    size_t chosen[4], len = draw_units(w, tape, chosen);
    for (size_t i = 0; i < len; i++)
        ret_usage[i] = (struct mete_usage){units[chosen[i]].meter, units[chosen[i]].currency,
                                           draw_amount(w, tape)};
    return len;
}

size_t draw_demands(const struct world *w, struct tape *tape, struct mete_demand *ret_demands)
{
    static const int64_t rates[] = {0, 0, 0, 0, 1, 333333, 1000000, 2500001};
    size_t chosen[4], len = draw_units(w, tape, chosen);
    for (size_t i = 0; i < len; i++) {
        int64_t rate = PICK(tape, rates);
        ret_demands[i] =
            (struct mete_demand){units[chosen[i]].meter, units[chosen[i]].currency,
                                 draw_amount(w, tape), rate > 1 ? rate * w->unit : rate};
    }
    return len;
}

uint32_t draw_scope(const struct world *w, struct tape *tape)
{
    if (tape_chance(tape, 1))
        return tape_byte(tape);
    return w->scopes[tape_pick(tape, w->scopes_len)].handle;
}

uint32_t draw_budget(const struct world *w, struct tape *tape)
{
    if (!w->budgets_len || tape_chance(tape, 2))
        return tape_byte(tape);
    if (features[FEATURE_TEMPLATES] && tape_chance(tape, 20))
        return 1 + (uint32_t)tape_pick(tape, w->budgets_top + 2);
    return w->budget_handles[tape_pick(tape, w->budgets_len)];
}

uint32_t draw_rate(const struct world *w, struct tape *tape)
{
    if (!w->rates_len || tape_chance(tape, 2))
        return tape_byte(tape);
    return w->rate_handles[tape_pick(tape, w->rates_len)];
}

static const char *const request_ids[] = {"", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8"};

static struct mete_text draw_request_id(struct tape *tape)
{
    static const unsigned char likely[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
    const char *id = request_ids[PICK(tape, likely)];
    return (struct mete_text){id, strlen(id)};
}

struct context {
    struct mete_text model, provider, session;
    size_t tags_len;
};

static struct context draw_context(struct world *w, struct tape *tape)
{
    static const unsigned char models[] = {WORD_GPT, WORD_GPT, WORD_GPT_MINI, WORD_CLAUDE,
                                           WORD_NONE};
    static const unsigned char providers[] = {WORD_OPENAI, WORD_OPENAI, WORD_AZURE, WORD_NONE};
    static const unsigned char sessions[] = {WORD_NONE, WORD_NONE, WORD_SESSION_1, WORD_SESSION_2};
    static const unsigned char tags[] = {WORD_RED, WORD_GREEN, WORD_BLUE};
    struct context context = {.model = draw_word(tape, models, sizeof models),
                              .provider = draw_word(tape, providers, sizeof providers),
                              .session = {"", 0}};
    if (!features[FEATURE_TAGS])
        return context;
    context.session = draw_word(tape, sessions, sizeof sessions);
    size_t first = tape_pick(tape, 3), count = tape_pick(tape, 8);
    context.tags_len = count > 3 ? 0 : count;
    for (size_t i = 0; i < context.tags_len; i++) {
        unsigned char tag = tags[(first + i) % 3];
        w->tags[i] = draw_word(tape, &tag, 1);
    }
    return context;
}

void draw_reserve(struct world *w, struct tape *tape, struct mete_reserve *ret_args,
                  struct mete_demand *ret_demands)
{
    static const int64_t ttls[] = {1, 1000, 60000, 60000, 3600000, 3600000, 86400000, 86400000};
    struct context context = draw_context(w, tape);
    *ret_args = (struct mete_reserve){.scope = {draw_scope(w, tape)},
                                      .request_id = draw_request_id(tape),
                                      .model = context.model,
                                      .provider = context.provider,
                                      .session = context.session,
                                      .tags = w->tags,
                                      .tags_len = context.tags_len,
                                      .demands = ret_demands,
                                      .ttl_ms = PICK(tape, ttls) - (int64_t)(w->op % 977),
                                      .on_expiry = tape_chance(tape, 40) ? METE_EXPIRY_CHARGE
                                                                         : METE_EXPIRY_RELEASE};
    if (ret_args->ttl_ms < 1)
        ret_args->ttl_ms = 1 + (int64_t)(w->op % 977);
    ret_args->demands_len = draw_demands(w, tape, ret_demands);
    if (tape_chance(tape, 25))
        ret_args->flags = METE_RESERVE_CALL;
    /* What is asked has the same fingerprint only if it is of the same kind of call. */
    ret_args->content = 2 * (uint64_t)tape_chance(tape, 15) + ret_args->flags;
    if (tape_chance(tape, 50)) {
        ret_args->floor = (int64_t)tape_pick(tape, 50);
        ret_args->wish = ret_args->floor + (int64_t)tape_u64(tape, 1000);
    }
}

void draw_record(struct world *w, struct tape *tape, struct mete_record *ret_args,
                 struct mete_usage *ret_usage)
{
    struct context context = draw_context(w, tape);
    *ret_args = (struct mete_record){.scope = {draw_scope(w, tape)},
                                     .request_id = draw_request_id(tape),
                                     .content = tape_chance(tape, 15),
                                     .model = context.model,
                                     .provider = context.provider,
                                     .session = context.session,
                                     .tags = w->tags,
                                     .tags_len = context.tags_len,
                                     .usage = ret_usage};
    ret_args->usage_len = draw_usage(w, tape, ret_usage);
    if (!ret_args->request_id.len)
        return;
    size_t id = (size_t)(ret_args->request_id.data[1] - '0');
    if (w->recorded_len[id] && tape_chance(tape, 60)) {
        ret_args->usage_len = w->recorded_len[id];
        memcpy(ret_usage, w->recorded[id], sizeof w->recorded[id]);
    }
    w->recorded_len[id] = ret_args->usage_len;
    memcpy(w->recorded[id], ret_usage, sizeof w->recorded[id]);
}

struct call *draw_call(struct world *w, struct tape *tape)
{
    static struct call unknown;
    size_t len = w->calls_len < CALLS ? w->calls_len : CALLS;
    if (len == 0 || tape_chance(tape, 1)) {
        unknown = (struct call){.id = {tape_u64(tape, UINT64_MAX)}};
        return &unknown;
    }
    /* The latest ones are likely open. */
    size_t back = tape_pick(tape, len < 12 || tape_chance(tape, 30) ? len : 12);
    return &w->calls[(w->calls_len - 1 - back) % CALLS];
}

/* ---- Time ------------------------------------------------------------------------------------ */

void edge(struct world *w, int64_t at_us)
{
    if (at_us > w->now_us && at_us < w->now_us + 100 * 86400 * SECOND_US)
        w->edges[w->edges_len++ % EDGES] = at_us;
}

int64_t draw_time(struct world *w, struct tape *tape)
{
    static const int64_t steps_us[] = {0,
                                       1,
                                       1000,
                                       SECOND_US,
                                       SECOND_US,
                                       7 * SECOND_US,
                                       61 * SECOND_US,
                                       60 * SECOND_US,
                                       59,
                                       59,
                                       999,
                                       SECOND_US,
                                       900 * SECOND_US,
                                       3600 * SECOND_US,
                                       5000 * SECOND_US,
                                       86400 * SECOND_US};
    static const int64_t grids_us[] = {60 * SECOND_US,   900 * SECOND_US,   3600 * SECOND_US,
                                       3600 * SECOND_US, 86400 * SECOND_US, 86400 * SECOND_US};
    size_t kind = tape_pick(tape, 16);
    int64_t to_us = w->now_us;
    if (kind < 8) {
        to_us += PICK(tape, steps_us) * (1 + (int64_t)tape_pick(tape, 3));
    } else if (kind < 12 && w->edges_len) {
        size_t len = w->edges_len < EDGES ? w->edges_len : EDGES;
        to_us = w->edges[tape_pick(tape, len)] + (int64_t)tape_pick(tape, 3) - 1;
    } else {
        /* Zones' days and hours begin at quarters of an hour. */
        int64_t grid_us = PICK(tape, grids_us);
        to_us += grid_us - to_us % grid_us - (int64_t)tape_pick(tape, 2);
        if (grid_us == 86400 * SECOND_US)
            to_us += ((int64_t)tape_pick(tape, 97) - 48) * 900 * SECOND_US;
    }
    if (kind == 15 && tape_chance(tape, 15))
        to_us += (int64_t)tape_pick(tape, 100) * 86400 * SECOND_US;
    return to_us < w->now_us ? w->now_us : to_us;
}
