/* SPDX-License-Identifier: Apache-2.0
 * The state as one number: everything that decides future outcomes, field by field, in order of
 * handles, through four XXH3-64 with different seeds (INV-06). Nothing of where things lie in
 * memory goes in (text offsets, chunk numbers, hash buckets), and no statistics, because those
 * count also what was never journaled. The order of free slots does: it decides the next ids. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "ledger/extras.h"
#include "ledger/increases.h"
#include "ledger/matches.h"
#include "ledger/quotas.h"
#include "ledger/rates.h"
#include "ledger/rolling.h"
#include "ledger/rollover.h"

enum { LANES = 4, PENDING = 1024 };

struct hasher {
    unsigned lanes_len;
    bool is_drained; /* the lanes have begun */
    XXH3_state_t lanes[LANES];
    uint8_t pending[PENDING];
    size_t len;
};

static void drain(struct hasher *hasher)
{
    for (unsigned i = 0; i < hasher->lanes_len; i++) {
        XXH_errorcode rc = XXH_OK;
        if (!hasher->is_drained) {
            XXH3_INITSTATE(&hasher->lanes[i]); /* else a seed that stood here before is believed */
            rc = XXH3_64bits_reset_withSeed(&hasher->lanes[i], i);
        }
        ASSERT(rc == XXH_OK);
        rc = XXH3_64bits_update(&hasher->lanes[i], hasher->pending, hasher->len);
        ASSERT(rc == XXH_OK);
    }
    hasher->is_drained = true;
    hasher->len = 0;
}

static void put_byte(struct hasher *hasher, uint8_t byte)
{
    if (hasher->len == PENDING)
        drain(hasher);
    hasher->pending[hasher->len++] = byte;
}

static void put(struct hasher *hasher, uint64_t value)
{
    for (unsigned shift = 0; shift < 64; shift += 8)
        put_byte(hasher, (uint8_t)(value >> shift));
}

static void put_i64(struct hasher *hasher, int64_t value)
{
    put(hasher, (uint64_t)value);
}

static void put_text(struct hasher *hasher, struct slice text)
{
    put(hasher, text.len);
    for (size_t i = 0; i < text.len; i++)
        put_byte(hasher, (uint8_t)text.data[i]);
}

static void put_scope(struct hasher *hasher, const struct ledger *ledger, uint32_t s)
{
    const struct scope *scope = &ledger->scopes[s];
    put_i64(hasher, scope->expires_at_us);
    put(hasher, scope->parent);
    put(hasher, (uint64_t)scope->templates << 16 | (uint64_t)scope->flags << 8 | scope->kind);
    put(hasher, (uint64_t)scope->open << 32 | ledger->scope_ends[s].children);
    put(hasher, scope->budgets_len);
    for (unsigned i = 0; i < scope->budgets_len; i++)
        put(hasher, scope->budgets[i]);
    put_text(hasher, scopes_id(ledger, s));
}

static void put_matches(struct hasher *hasher, const struct ledger *ledger, uint32_t set)
{
    struct mete_match matches[METE_MATCHES_MAX];
    size_t len = matches_of(ledger, set, matches);
    put(hasher, len);
    for (size_t i = 0; i < len; i++) {
        put(hasher, (uint64_t)matches[i].kind);
        put_text(hasher, (struct slice){matches[i].pattern.data, matches[i].pattern.len});
    }
}

static void put_increases(struct hasher *hasher, const struct ledger *ledger,
                          const struct extra *extra)
{
    put(hasher, extra->increases_made);
    for (uint32_t at = extra->increases; at; at = ledger->increases[at].next) {
        const struct increase *increase = &ledger->increases[at];
        put(hasher, (uint64_t)increase->is_active << 32 | increase->number);
        put_i64(hasher, increase->amount);
        put_i64(hasher, increase->from_us);
        put_i64(hasher, increase->until_us);
    }
    put(hasher, 0);
}

static void put_extra(struct hasher *hasher, const struct ledger *ledger, const struct extra *extra)
{
    put_i64(hasher, extra->anchor);
    put_i64(hasher, extra->window_seconds);
    put_i64(hasher, extra->soft_limit);
    put_i64(hasher, extra->rollover_cap);
    put_i64(hasher, extra->carried);
    put_i64(hasher, extra->increased);
    put_i64(hasher, extra->acted_at_us);
    put_i64(hasher, extra->stopped_at_us);
    put_i64(hasher, extra->throttled_at_us);
    put_i64(hasher, extra->lifted_at_us);
    const struct mete_controls *controls = &extra->controls;
    put(hasher, (uint64_t)controls->throttle_ppm << 32 | controls->throttle_rate_ppm);
    put(hasher, (uint64_t)controls->stop_ppm << 32 | controls->downgrade_ppm);
    put(hasher, (uint64_t)controls->grace_s << 32 | controls->cooldown_s);
    put_text(hasher, extras_zone(ledger, extra));
    put_matches(hasher, ledger, extra->matches);
    for (size_t i = 0; extra->buckets && i < sizeof(struct buckets) / sizeof(int64_t); i++)
        put_i64(hasher, ledger->buckets[extra->buckets].sums[i]);
    put(hasher, (uint64_t)extra->made << 32 | (uint64_t)extra->for_kind << 16 |
                    (uint64_t)extra->template_mode << 8 | extra->soft_fired);
    put_increases(hasher, ledger, extra);
    if (!extra->starts_at_us && !extra->ends_at_us)
        return; /* states of before there were dates hash as they did */
    put_i64(hasher, extra->starts_at_us);
    put_i64(hasher, extra->ends_at_us);
}

static void put_handover(struct hasher *hasher, const struct handover *over)
{
    put(hasher, (uint64_t)(over->way.add >> 64));
    put(hasher, (uint64_t)over->way.add);
    put_i64(hasher, over->way.low);
    put_i64(hasher, over->way.high);
    put_i64(hasher, over->base);
    put_i64(hasher, over->carried);
}

static void put_budget(struct hasher *hasher, const struct ledger *ledger, uint32_t b)
{
    const struct budget *budget = &ledger->budgets[b];
    const struct budget_cold *cold = &ledger->cold[b];
    put_i64(hasher, budget->limit);
    put_i64(hasher, cold->base_limit);
    put_i64(hasher, budget->committed);
    put_i64(hasher, budget->held);
    put_i64(hasher, budget->window_start_us);
    put_i64(hasher, cold->window_end_us);
    put_i64(hasher, budget->stale_at_us);
    put(hasher, budget->unit);
    put(hasher, budget->scope);
    put(hasher, budget->open);
    put(hasher, cold->revision);
    put(hasher, cold->template_of);
    put(hasher, cold->closed);
    put(hasher, (uint64_t)budget->traits << 32 | (uint64_t)budget->mode << 24 |
                    (uint64_t)budget->period << 16 | (uint64_t)budget->fired << 8 | budget->life);
    put_text(hasher, budgets_id(ledger, b));
    if (cold->extra)
        put_extra(hasher, ledger, &ledger->extras[cold->extra]);
    uint32_t ppm[METE_THRESHOLDS_MAX];
    size_t len = budgets_thresholds(ledger, b, ppm);
    put(hasher, len);
    for (size_t i = 0; i < len; i++)
        put(hasher, ppm[i]);
    for (uint32_t p = cold->past; p; p = ledger->pasts[p].next) {
        put_i64(hasher, ledger->pasts[p].start_us);
        put_i64(hasher, ledger->pasts[p].end_us);
        put_i64(hasher, ledger->pasts[p].committed);
        put_i64(hasher, ledger->pasts[p].held);
        if (budget->traits & BUDGET_CARRIES)
            put_handover(hasher, &ledger->handovers[p]);
        put(hasher, (uint64_t)ledger->pasts[p].open << 16 |
                        (uint64_t)ledger->pasts[p].soft_fired << 8 | ledger->pasts[p].fired);
        put(hasher, ledger->pasts[p].closed);
    }
    put(hasher, 0);
}

static void put_rate(struct hasher *hasher, const struct ledger *ledger, uint32_t r)
{
    const struct rate *rate = &ledger->rates[r];
    put(hasher, (uint64_t)(rate->debt >> 64));
    put(hasher, (uint64_t)rate->debt);
    put_i64(hasher, rate->limit);
    put_i64(hasher, rate->burst);
    put_i64(hasher, rate->at_us);
    put(hasher, (uint64_t)rate->period_ms << 32 | rate->unit);
    put(hasher, (uint64_t)rate->scope << 32 | rate->open);
    put(hasher, (uint64_t)ledger->rate_colds[r].revision << 32 |
                    (uint64_t)rate->is_concurrent << 16 | (uint64_t)rate->life << 8 | rate->mode);
    put_text(hasher, rates_id(ledger, r));
    put_matches(hasher, ledger, ledger->rate_colds[r].matches);
}

static void put_quota(struct hasher *hasher, const struct ledger *ledger, uint32_t q)
{
    const struct quota *quota = &ledger->quotas[q];
    put(hasher, (uint64_t)quota->scope << 32 | quota->unit);
    put(hasher, (uint64_t)quota->revision << 1 | quota->ended);
}

static void put_grant(struct hasher *hasher, const struct ledger *ledger, uint32_t g)
{
    const struct grant *grant = &ledger->grants[g];
    put_i64(hasher, grant->amount);
    put_i64(hasher, grant->drawn);
    put_i64(hasher, grant->held);
    put_i64(hasher, grant->expires_at_us);
    put_i64(hasher, ledger->grant_cold[g].made_at_us);
    put(hasher, (uint64_t)grant->quota << 32 | grant->priority);
    put(hasher, grant->overran);
    put_text(hasher, quotas_grant_id(ledger, g));
    put_text(hasher, quotas_grant_source(ledger, g));
}

static void put_take(struct hasher *hasher, struct words *words)
{
    struct take take = words_next_take(words);
    put(hasher, (uint64_t)take.kind << 32 | take.handle);
    if (take.kind != TAKE_QUOTA)
        return;
    struct draws draws;
    draws_next(words, &draws);
    put(hasher, draws.len);
    for (size_t i = 0; i < draws.len; i++) {
        put(hasher, draws.at[i].grant);
        put_i64(hasher, draws.at[i].amount);
    }
}

static void put_exchange(struct hasher *hasher, const struct exchange *exchange)
{
    put_i64(hasher, exchange->numerator);
    put_i64(hasher, exchange->denominator);
    put_i64(hasher, exchange->effective_at_us);
    put(hasher, exchange->seq);
    put(hasher, (uint64_t)exchange->from << 32 | exchange->to);
}

static void put_move(struct hasher *hasher, const struct ledger *ledger, uint32_t position)
{
    const struct move *move = &ledger->moves[position % LIMIT_MOVES];
    put(hasher, move->seq);
    put(hasher, (uint64_t)move->scope << 32 | move->from);
}

/* Of one that has none nothing, as before there were any. */
static void put_labels(struct hasher *hasher, const struct reservation *slot, struct words *words)
{
    char text[TEXT_MAX];
    unsigned texts = slot->has_session + slot->has_tags;
    if (slot->has_content || texts)
        put(hasher, 4u | (unsigned)slot->has_content << 1 | slot->has_tags);
    if (slot->has_content)
        put_i64(hasher, words_next_i64(words));
    for (unsigned i = 0; i < texts; i++) {
        size_t len = words_next_text(words, text, TEXT_MAX);
        put_text(hasher, (struct slice){text, len});
    }
}

static void put_slot(struct hasher *hasher, const struct ledger *ledger, uint32_t index)
{
    const struct reservation *slot = &ledger->slots[index];
    put(hasher, slot->generation);
    if (slot->generation == 0)
        return;
    put_i64(hasher, slot->is_closed ? 0 : expiries_at_us(ledger, slot));
    put(hasher, (uint64_t)slot->is_closed << 4 | (uint64_t)slot->is_committed << 3 |
                    (uint64_t)slot->is_call << 2 | (uint64_t)slot->charges << 1 | slot->has_id);
    put(hasher, slot->made_at_us);
    put_i64(hasher, slot->granted);
    put(hasher, slot->scope);
    put(hasher, (uint64_t)slot->model << 16 | slot->provider);
    struct held held[METE_DEMANDS_MAX];
    struct words words;
    size_t len = reservations_amounts(ledger, slot, held, &words);
    put(hasher, len);
    for (size_t i = 0; i < len; i++) {
        put(hasher, held[i].unit);
        put_i64(hasher, held[i].amount);
    }
    put(hasher, slot->takes_len);
    for (unsigned i = 0; i < slot->takes_len; i++)
        put_take(hasher, &words);
    char text[TEXT_MAX];
    for (unsigned i = 0; slot->has_id && i < 5; i++)
        put(hasher, words_next(&words)); /* content, remaining, remaining_of */
    unsigned texts = slot->has_id ? 1 : 0;
    texts += slot->model == ENTRY_NAME_WHOLE;
    texts += slot->provider == ENTRY_NAME_WHOLE;
    for (unsigned i = 0; i < texts; i++) {
        size_t text_len = words_next_text(&words, text, LIMIT_ID);
        put_text(hasher, (struct slice){text, text_len});
    }
    put_labels(hasher, slot, &words);
}

static void put_closed(struct hasher *hasher, const struct closed *closed)
{
    put_i64(hasher, closed->ended_at_us);
    put(hasher, closed->seq);
    put(hasher, closed->slot);
}

static void put_asked(struct hasher *hasher, const struct outcome_asked *asked)
{
    put(hasher, asked->id[0]);
    put(hasher, asked->id[1]);
    put(hasher, asked->content);
    put_i64(hasher, asked->expires_at_us);
    put_i64(hasher, asked->granted);
    put_i64(hasher, asked->remaining);
    put(hasher, asked->remaining_of);
    put(hasher, asked->revision);
    const struct mete_refusal *primary = &asked->primary;
    put(hasher, (uint64_t)primary->reason);
    put(hasher, primary->scope.n);
    put(hasher, (uint64_t)primary->rate.n << 32 | primary->budget.n);
    put(hasher, primary->meter);
    put(hasher, primary->currency);
    put_i64(hasher, primary->limit);
    put_i64(hasher, primary->committed);
    put_i64(hasher, primary->held);
    put_i64(hasher, primary->asked);
    put_i64(hasher, primary->resets_at.us);
}

static void put_outcome(struct hasher *hasher, const struct ledger *ledger, uint64_t position)
{
    uint64_t at = position % ledger->room.outcomes;
    const struct outcome *outcome = &ledger->outcomes[at];
    put(hasher, outcome->kind);
    if (outcome->kind == OUTCOME_FORGOTTEN)
        return;
    put(hasher, outcome->reservation);
    put_i64(hasher, outcome->ended_at_us);
    put_i64(hasher, outcome->cost);
    put(hasher, outcome->figures);
    put(hasher, outcome->seq);
    put(hasher, outcome->scope);
    put(hasher, (uint64_t)outcome->corrected << 32 | (uint64_t)outcome->state << 24 |
                    (uint64_t)outcome->overrun << 16 | (uint64_t)outcome->is_call << 8 |
                    outcome->has_id);
    if (outcome->has_id)
        put_asked(hasher, &ledger->asked[at]);
}

static void put_all(struct hasher *hasher, const struct ledger *ledger)
{
    put(hasher, ledger->last_seq);
    put_i64(hasher, ledger->last_at_us);
    put_text(hasher, (struct slice){(const char *)ledger->installation, 16});
    put(hasher, ledger->base_seq);
    put_text(hasher, (struct slice){(const char *)ledger->base_hash, sizeof ledger->base_hash});
    put(hasher, ledger->names_len);
    for (uint32_t n = 1; n <= ledger->names_len; n++)
        put_text(hasher, names_text(ledger, n));
    put(hasher, ledger->meters_len);
    for (uint32_t m = 0; m < ledger->meters_len; m++)
        put_text(hasher, meters_name(ledger, (uint16_t)(METE_METER_CUSTOM + m)));
    put(hasher, ledger->scopes_len);
    for (uint32_t s = 1; s <= ledger->scopes_len; s++)
        put_scope(hasher, ledger, s);
    put(hasher, ledger->budgets_len);
    for (uint32_t b = 1; b <= ledger->budgets_len; b++)
        put_budget(hasher, ledger, b);
    put(hasher, ledger->rates_len);
    for (uint32_t r = 1; r <= ledger->rates_len; r++)
        put_rate(hasher, ledger, r);
    put(hasher, ledger->quotas_len);
    for (uint32_t q = 1; q <= ledger->quotas_len; q++)
        put_quota(hasher, ledger, q);
    put(hasher, ledger->grants_len);
    for (uint32_t g = 1; g <= ledger->grants_len; g++)
        put_grant(hasher, ledger, g);
    put(hasher, ledger->exchanges_len);
    for (uint32_t n = 1; n <= ledger->exchanges_len; n++)
        put_exchange(hasher, &ledger->exchanges[n]);
    put(hasher, ledger->moves_end - ledger->moves_first);
    for (uint32_t p = ledger->moves_first; p != ledger->moves_end; p++)
        put_move(hasher, ledger, p);
    put(hasher, ledger->slots_len);
    for (uint32_t i = 0; i < ledger->slots_len; i++)
        put_slot(hasher, ledger, i);
    for (uint32_t at = ledger->slot_free; at; at = ledger->slots[at - 1].chunk)
        put(hasher, at);
    put(hasher, ledger->calls_len);
    for (uint32_t i = 0; i < ledger->calls_len; i++)
        put(hasher, ledger->calls[i].slot);
    put(hasher, ledger->closed_end - ledger->closed_first);
    for (uint64_t at = ledger->closed_first; at < ledger->closed_end; at++)
        put_closed(hasher, &ledger->closed[at % closed_room(&ledger->room)]);
    put(hasher, ledger->outcomes_end - ledger->outcomes_first);
    for (uint64_t at = ledger->outcomes_first; at < ledger->outcomes_end; at++)
        put_outcome(hasher, ledger, at);
    put(hasher, ledger->charged_sum);
    put(hasher, ledger->retired_sum);
    put(hasher, ledger->drawn_sum);
}

void ledger_hash(const struct ledger *ledger, uint8_t ret_hash[32])
{
    struct hasher hasher;
    hasher.lanes_len = LANES;
    hasher.is_drained = false;
    hasher.len = 0;
    put_all(&hasher, ledger);
    drain(&hasher);
    for (unsigned i = 0; i < LANES; i++) {
        uint64_t lane = XXH3_64bits_digest(&hasher.lanes[i]);
        for (unsigned b = 0; b < 8; b++)
            ret_hash[8 * i + b] = (uint8_t)(lane >> (8 * b));
    }
}

/* ---- Item by item ---------------------------------------------------------------------------- */

/* What there are many of. Whoever adds such a part adds it here. */
enum {
    PART_SCOPES,
    PART_BUDGETS,
    PART_SLOTS,
    PART_OUTCOMES,
    PART_RATES,
    PART_QUOTAS,
    PART_GRANTS,
    PART_CLOSED,
    PART_MOVES,
    PARTS
};

static uint64_t part_len(const struct ledger *ledger, int part)
{
    const uint64_t lens[PARTS] = {
        [PART_SCOPES] = ledger->scopes_len,
        [PART_BUDGETS] = ledger->budgets_len,
        [PART_SLOTS] = ledger->slots_len,
        [PART_OUTCOMES] = ledger->outcomes_end - ledger->outcomes_first,
        [PART_RATES] = ledger->rates_len,
        [PART_QUOTAS] = ledger->quotas_len,
        [PART_GRANTS] = ledger->grants_len,
        [PART_CLOSED] = ledger->closed_end - ledger->closed_first,
        [PART_MOVES] = ledger->moves_end - ledger->moves_first,
    };
    return lens[part];
}

static void put_item(struct hasher *hasher, const struct ledger *ledger, int part, uint64_t i)
{
    put(hasher, (uint64_t)part);
    if (part == PART_SCOPES)
        put_scope(hasher, ledger, (uint32_t)i + 1);
    else if (part == PART_BUDGETS)
        put_budget(hasher, ledger, (uint32_t)i + 1);
    else if (part == PART_SLOTS)
        put_slot(hasher, ledger, (uint32_t)i);
    else if (part == PART_OUTCOMES)
        put_outcome(hasher, ledger, ledger->outcomes_first + i);
    else if (part == PART_CLOSED)
        put_closed(hasher,
                   &ledger->closed[(ledger->closed_first + i) % closed_room(&ledger->room)]);
    else if (part == PART_QUOTAS)
        put_quota(hasher, ledger, (uint32_t)i + 1);
    else if (part == PART_GRANTS)
        put_grant(hasher, ledger, (uint32_t)i + 1);
    else if (part == PART_MOVES)
        put_move(hasher, ledger, ledger->moves_first + (uint32_t)i);
    else
        put_rate(hasher, ledger, (uint32_t)i + 1);
}

static uint64_t print_of(const struct ledger *ledger, int part, uint64_t i)
{
    struct hasher hasher;
    hasher.lanes_len = 1;
    hasher.is_drained = false;
    hasher.len = 0;
    put_item(&hasher, ledger, part, i);
    if (!hasher.is_drained)
        return XXH3_64bits(hasher.pending, hasher.len);
    drain(&hasher);
    return XXH3_64bits_digest(&hasher.lanes[0]);
}

uint64_t ledger_items(const struct ledger *ledger)
{
    uint64_t items = 0;
    for (int part = 0; part < PARTS; part++)
        items += part_len(ledger, part);
    return items;
}

size_t ledger_prints(const struct ledger *ledger, uint64_t first, uint64_t *ret_prints, size_t max)
{
    size_t len = 0;
    for (int part = 0; part < PARTS; part++) {
        uint64_t items = part_len(ledger, part);
        for (; first < items && len < max; first++)
            ret_prints[len++] = print_of(ledger, part, first);
        first = first > items ? first - items : 0;
    }
    return len;
}
