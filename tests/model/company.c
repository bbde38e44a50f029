/* SPDX-License-Identifier: Apache-2.0
 * The world of a company: one user with three grants of tokens and a daily budget, a department
 * with a weekly one, the company's monthly one, and limits on the requests, tokens and calls at
 * once of a key. 64 clients call with that key, each its own sequence of calls; the tape says who
 * is next, so a world is one interleaving of them. Limits are met in all of them, now by the one,
 * now by the other.
 */
#include "model/words.h"
#include "model/world.h"

#include <string.h>

enum { ORGANIZATION = 1, DEPARTMENT, USER, KEY }; /* as act_tree() makes them */
enum { DAY_S = 86400, TOKENS_MOST = 30 };

static struct mete_text id(const char *terminated)
{
    return (struct mete_text){terminated, strlen(terminated)};
}

static struct mete_change grant(const struct world *w, const char *name, int64_t amount,
                                uint32_t priority, int64_t life_s)
{
    return (struct mete_change){
        .kind = METE_PUT_GRANT,
        .grant = {.id = id(name),
                  .scope = {USER},
                  .meter = METE_TOTAL_TOKENS,
                  .amount = amount,
                  .priority = priority,
                  .expires_at = {life_s ? w->now_us + life_s * INT64_C(1000000) : 0}}};
}

static struct mete_change budget(const char *name, uint32_t scope, enum mete_period period,
                                 int64_t limit)
{
    return (struct mete_change){.kind = METE_PUT_BUDGET,
                                .budget = {.id = id(name),
                                           .scope = {scope},
                                           .meter = METE_COST,
                                           .currency = METE_USD,
                                           .limit = limit,
                                           .period = period,
                                           .thresholds_ppm = {800000, 900000, 950000},
                                           .thresholds_len = 3}};
}

static struct mete_change rate(const char *name, uint16_t meter, int64_t limit)
{
    return (struct mete_change){
        .kind = METE_PUT_RATE_LIMIT,
        .rate = {
            .id = id(name), .scope = {KEY}, .meter = meter, .limit = limit, .period_ms = 60000}};
}

void company_begin(struct world *w, struct engine *engine)
{
    const struct mete_change changes[] = {
        grant(w, "n10", 600, 2, 0),
        grant(w, "n11", 1300, 1, 3 * DAY_S),
        grant(w, "n12", 900, 1, DAY_S),
        budget("n13", USER, METE_DAILY, 2100),
        budget("n14", DEPARTMENT, METE_WEEKLY, 3600),
        budget("n15", ORGANIZATION, METE_MONTHLY, 5200),
        rate("n16", METE_REQUESTS, 22),
        rate("n17", METE_TOTAL_TOKENS, 1600),
        {.kind = METE_PUT_RATE_LIMIT,
         .rate = {.id = id("n18"), .scope = {KEY}, .concurrent = 1, .limit = 24}},
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        act_apply(w, engine, &changes[i], 1);
}

static void call(struct world *w, struct engine *engine, struct tape *tape, struct call *client)
{
    static const unsigned char models[] = {WORD_GPT};
    int64_t tokens = 1 + (int64_t)tape_pick(tape, TOKENS_MOST);
    const struct mete_demand demands[] = {
        {METE_COST, METE_USD, 1 + (int64_t)tape_pick(tape, 50), 2000000},
        {METE_TOTAL_TOKENS, 0, tokens, 1000000},
        {METE_REQUESTS, 0, 1, 0}};
    const struct mete_reserve args = {.scope = {KEY},
                                      .model = draw_word(tape, models, 1),
                                      .provider = {"", 0},
                                      .session = {"", 0},
                                      .demands = demands,
                                      .demands_len = 3,
                                      .floor = (int64_t)tape_pick(tape, 5),
                                      .wish = 5 + (int64_t)tape_pick(tape, 60),
                                      .ttl_ms = 1000 + (int64_t)tape_pick(tape, 600000),
                                      .flags = tape_chance(tape, 50) ? METE_RESERVE_CALL : 0};
    struct call *made = act_reserve_as(w, engine, &args, false);
    if (made)
        *client = *made;
}

/* As much as was reserved, less, or a little more. */
static void end(struct world *w, struct engine *engine, struct tape *tape, struct call *client)
{
    struct mete_usage usage[METE_DEMANDS_MAX];
    size_t kind = tape_pick(tape, 16);
    for (size_t i = 0; i < client->demands_len; i++) {
        const struct mete_demand *demand = &client->demands[i];
        int64_t amount = demand->fixed + demand->per_million * client->granted / 1000000;
        if (kind < 10 && demand->meter != METE_REQUESTS)
            amount = (int64_t)tape_pick(tape, (size_t)amount + 1);
        else if (kind == 10)
            amount += 1;
        usage[i] = (struct mete_usage){demand->meter, demand->currency, amount};
    }
    if (kind < 14)
        act_commit_as(w, engine, client, usage, client->demands_len);
    else
        act_release_as(w, engine, client);
    *client = (struct call){0};
}

void company_act(struct world *w, struct engine *engine, struct tape *tape)
{
    static const int64_t steps_us[] = {1,        1000,      20000,       1000000,
                                       30000000, 900000000, 21600000000, 86400000000};
    struct call *client = &w->clients[tape_pick(tape, CLIENTS)];
    if (tape_chance(tape, 12))
        act_pass(w, engine, w->now_us + steps_us[tape_pick(tape, 8)]);
    else if (client->id.n)
        end(w, engine, tape, client);
    else
        call(w, engine, tape, client);
}
