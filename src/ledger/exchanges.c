/* SPDX-License-Identifier: Apache-2.0
 * Exchange rates: an append-only list, and what it makes of amounts in other currencies.
 *
 * The rate X to Y in force is, of those known, the one with the latest effective_at that has come;
 * of equals the latest added. The rates of a pair are chained in that order, the newest first, so
 * that the usual question ends at the first or second. The first one ever added of a pair stands
 * for it in the table.
 *
 * A reservation keeps no rates: which ones it was made with follows from when it was made. Its
 * generation says after which entry, its instant says when, and no rate is ever changed or removed
 * (INV-11). So whatever happens to it later is worked out from its amounts again: what it holds in
 * a budget is each demanded amount converted, rounded up, and added up.
 *
 * Considered and not done: the rates' numbers in the reservation's words (nothing they would say is
 * not known, and a call in many currencies would need many). */
#include "ledger/exchanges.h"

#include "ledger/batch.h"

/* ---- Finding --------------------------------------------------------------------------------- */

static uint32_t hash_pair(uint32_t from, uint32_t to)
{
    return texts_mix(from, to);
}

uint32_t exchanges_hash(const void *owner, uint32_t number)
{
    const struct ledger *ledger = owner;
    return hash_pair(ledger->exchanges[number].from, ledger->exchanges[number].to);
}

/* The one that stands for the pair; 0: there is none. */
static uint32_t find_pair(const struct ledger *ledger, uint32_t from, uint32_t to)
{
    uint32_t number = table_first(&ledger->exchange_pairs, hash_pair(from, to));
    while (number &&
           !(ledger->exchanges[number].from == from && ledger->exchanges[number].to == to))
        number = table_next(&ledger->exchange_pairs, number);
    return number;
}

/* The rate in force. NULL: none. */
static const struct exchange *find(const struct ledger *ledger, uint32_t from, uint32_t to,
                                   struct as_of as_of)
{
    uint32_t pair = find_pair(ledger, from, to);
    for (uint32_t at = pair ? ledger->exchanges[pair].newest : 0; at;
         at = ledger->exchanges[at].older) {
        const struct exchange *exchange = &ledger->exchanges[at];
        if (exchange->effective_at_us <= as_of.at_us && exchange->seq < as_of.before_seq)
            return exchange;
    }
    return NULL;
}

struct as_of exchanges_as_of(const struct ledger *ledger, const struct reservation *slot)
{
    /* A generation is a sequence number but for its highest bits, and lies behind. */
    uint64_t last = reservation_generation(ledger->last_seq), made = slot->generation;
    uint64_t since = last >= made ? last - made : last + GENERATION_MAX - made;
    ASSERT_INV("INV-11", since <= ledger->last_seq);
    return (struct as_of){ledger->last_seq - since, (int64_t)slot->made_at_us};
}

/* ---- Converting ------------------------------------------------------------------------------ */

/* NULL: the same currency. amount <= INT64_MAX and a term <= 2^60, so the product fits. */
static int64_t convert(const struct exchange *exchange, int64_t amount, enum rounding rounding)
{
    if (!exchange)
        return amount;
    int128 product = (int128)amount * exchange->numerator;
    int128 result = rounding == ROUND_UP
                        ? (product + (exchange->denominator - 1)) / exchange->denominator
                        : div_half_even(product, exchange->denominator);
    return result > METE_AMOUNT_MAX ? INT64_MAX : (int64_t)result;
}

/* Whatever is over METE_AMOUNT_MAX is too much, and no number. */
static int64_t add(int64_t a, int64_t b)
{
    int64_t sum;
    return checked_add(a, b, &sum) && sum <= METE_AMOUNT_MAX ? sum : INT64_MAX;
}

struct exchanged exchanges_sum(const struct ledger *ledger, const struct held *amounts, size_t len,
                               uint32_t unit, struct as_of as_of, enum rounding rounding)
{
    struct exchanged sum = {0};
    for (size_t i = 0; i < len; i++) {
        if (!(amounts[i].unit & UNIT_MONEY))
            continue;
        const struct exchange *exchange = NULL;
        if (amounts[i].unit != unit) {
            exchange = find(ledger, unit_currency(amounts[i].unit), unit_currency(unit), as_of);
            if (!exchange) {
                sum.lost |= amounts[i].amount > 0;
                continue;
            }
        }
        sum.asked = true;
        sum.amount = add(sum.amount, convert(exchange, amounts[i].amount, rounding));
    }
    return sum;
}

static size_t to_held(const struct entry_amount *amounts, uint32_t len, struct held *ret_held)
{
    ASSERT(len <= METE_DEMANDS_MAX);
    for (uint32_t i = 0; i < len; i++)
        ret_held[i] =
            (struct held){unit_of(amounts[i].meter, amounts[i].currency), amounts[i].amount};
    return len;
}

static int64_t base_of(const struct held *held, size_t len, uint32_t unit)
{
    for (size_t i = 0; i < len; i++)
        if (held[i].unit == unit)
            return held[i].amount;
    return 0;
}

int64_t exchanges_reserved(const struct ledger *ledger, const struct entry *entry, uint32_t unit,
                           enum mete_mode mode)
{
    struct held held[METE_DEMANDS_MAX];
    size_t len = to_held(entry->u.reserve.amounts, entry->u.reserve.amounts_len, held);
    bool has_rates = true;
    for (size_t i = 0; i < len; i++)
        has_rates &=
            !(held[i].unit & UNIT_MONEY) || held[i].unit == unit || !held[i].amount ||
            find(ledger, unit_currency(held[i].unit), unit_currency(unit), as_of_now(entry->at_us));
    if (!has_rates && mode == METE_ENFORCE)
        return INT64_MAX;
    return exchanges_sum(ledger, held, len, unit, as_of_now(entry->at_us), ROUND_UP).amount;
}

int64_t exchanges_extended(const struct ledger *ledger, const struct entry *entry,
                           const struct reservation *slot, uint32_t unit)
{
    struct held after[METE_DEMANDS_MAX], before[METE_DEMANDS_MAX];
    struct words words;
    size_t len = reservations_amounts(ledger, slot, after, &words);
    for (size_t i = 0; i < len; i++) {
        before[i] = after[i];
        for (uint32_t j = 0; j < entry->u.extend.amounts_len; j++) {
            const struct entry_amount *by = &entry->u.extend.amounts[j];
            if (unit_of(by->meter, by->currency) == after[i].unit)
                before[i].amount += entry->u.extend.shrinks ? by->amount : -by->amount;
        }
    }
    struct as_of as_of = exchanges_as_of(ledger, slot);
    int64_t now_is = exchanges_sum(ledger, after, len, unit, as_of, ROUND_UP).amount;
    int64_t was = exchanges_sum(ledger, before, len, unit, as_of, ROUND_UP).amount;
    if (now_is == INT64_MAX)
        return INT64_MAX;
    return entry->u.extend.shrinks ? was - now_is : now_is - was;
}

/* ---- Weighing -------------------------------------------------------------------------------- */

/* The demands of money, each with its way into one unit. */
struct terms {
    size_t len;
    bool lacks; /* one has none, and is not among them */
    struct term {
        const struct mete_demand *demand;
        const struct exchange *exchange; /* NULL: it is in the unit */
        int64_t base;                    /* what an open reservation has of it already */
    } at[METE_DEMANDS_MAX];
};

static void find_terms(const struct weighing *weighing, uint32_t unit, struct terms *ret_terms)
{
    const struct ledger *ledger = weighing->ledger;
    struct as_of as_of = as_of_now(weighing->made_at_us);
    struct held held[METE_DEMANDS_MAX];
    struct words words;
    size_t held_len = 0;
    if (weighing->extends) {
        as_of = exchanges_as_of(ledger, weighing->extends);
        held_len = reservations_amounts(ledger, weighing->extends, held, &words);
    }
    ret_terms->len = 0;
    ret_terms->lacks = false;
    for (size_t i = 0; i < weighing->args->demands_len; i++) {
        const struct mete_demand *demand = &weighing->args->demands[i];
        uint32_t from = unit_of(demand->meter, demand->currency);
        if (!(from & UNIT_MONEY))
            continue;
        const struct exchange *exchange = NULL;
        if (from != unit)
            exchange = find(ledger, demand->currency, unit_currency(unit), as_of);
        bool is_lacking = from != unit && !exchange;
        ret_terms->lacks |= is_lacking && (demand->fixed || demand->per_million);
        if (!is_lacking)
            ret_terms->at[ret_terms->len++] =
                (struct term){demand, exchange, base_of(held, held_len, from)};
    }
}

/* What they take of the unit for a quantity; grows with it. */
static int64_t sum_at(const struct terms *terms, int64_t quantity)
{
    int64_t sum = 0;
    for (size_t i = 0; i < terms->len; i++) {
        const struct term *term = &terms->at[i];
        int64_t amount;
        if (!weigh_amount_at(term->demand, quantity, &amount))
            return INT64_MAX;
        int64_t after = convert(term->exchange, term->base + amount, ROUND_UP);
        if (after == INT64_MAX)
            return INT64_MAX;
        sum = add(sum, after - convert(term->exchange, term->base, ROUND_UP));
    }
    return sum;
}

struct share *exchanges_share(struct weighing *weighing, uint32_t unit)
{
    for (size_t i = 0; i < weighing->others_len; i++)
        if (weighing->others[i].unit == unit)
            return &weighing->others[i];
    ASSERT(weighing->others_len < TAKES_MAX);
    struct share *share = &weighing->others[weighing->others_len++];
    struct terms terms;
    find_terms(weighing, unit, &terms);
    *share = (struct share){.unit = unit,
                            .cap = INT64_MAX,
                            .floor_amount = sum_at(&terms, weighing->args->floor),
                            .is_unpriced = terms.lacks};
    weighing->has_unpriced |= terms.lacks;
    return share;
}

/* The largest quantity in floor..quantity whose sum has room; the floor's has. */
static int64_t largest(const struct terms *terms, int64_t floor, int64_t quantity, int64_t room)
{
    if (sum_at(terms, quantity) <= room)
        return quantity;
    int64_t fits = floor, exceeds = quantity;
    ASSERT_INV("INV-01", sum_at(terms, floor) <= room);
    while (exceeds - fits > 1) {
        int64_t middle = fits + (exceeds - fits) / 2;
        if (sum_at(terms, middle) <= room)
            fits = middle;
        else
            exceeds = middle;
    }
    return fits;
}

int64_t exchanges_fit(struct weighing *weighing, int64_t quantity)
{
    for (size_t i = 0; i < weighing->others_len; i++) {
        const struct share *share = &weighing->others[i];
        int64_t room = share->tightest ? min_i64(share->room, share->cap) : share->cap;
        struct terms terms;
        if (room == INT64_MAX)
            continue; /* nobody limits it */
        find_terms(weighing, share->unit, &terms);
        quantity = largest(&terms, weighing->args->floor, quantity, room);
    }
    return quantity;
}

void exchanges_grant(struct weighing *weighing, int64_t quantity)
{
    for (size_t i = 0; i < weighing->others_len; i++) {
        struct share *share = &weighing->others[i];
        struct terms terms;
        find_terms(weighing, share->unit, &terms);
        share->amount = sum_at(&terms, quantity);
        ASSERT_INV("INV-01", !share->tightest || share->amount <= share->room);
    }
}

/* ---- Adding ---------------------------------------------------------------------------------- */

bool exchanges_is(const struct mete_exchange_spec *spec)
{
    return entry_is_unit(METE_COST, spec->from) && entry_is_unit(METE_COST, spec->to) &&
           spec->from != spec->to && spec->numerator > 0 && spec->numerator <= ENTRY_RATIO_MAX &&
           spec->denominator > 0 && spec->denominator <= ENTRY_RATIO_MAX &&
           spec->effective_at.us >= 0 && spec->effective_at.us <= ENTRY_INSTANT_MAX_US;
}

int exchanges_judge(const struct batch *batch, const struct mete_change *change,
                    uint32_t *ret_number)
{
    if (!exchanges_is(&change->exchange))
        return METE_E_INVALID;
    if (change->flags & METE_CHANGE_UPDATE)
        return METE_E_NOT_FOUND; /* each is a new one */
    uint32_t number = batch->ledger->exchanges_len + 1;
    for (size_t i = 0; i < batch->len; i++)
        number += batch->changes[i].kind == METE_PUT_EXCHANGE;
    if (number > LIMIT_EXCHANGES)
        return METE_E_FULL;
    *ret_number = number;
    return 0;
}

/* Whether b is to be found before a. */
static bool is_newer(const struct exchange *a, const struct exchange *b)
{
    return b->effective_at_us >= a->effective_at_us;
}

void exchanges_enter(struct ledger *ledger, uint32_t number)
{
    struct exchange *added = &ledger->exchanges[number];
    uint32_t pair = find_pair(ledger, added->from, added->to);
    if (!pair) {
        pair = number;
        table_put(&ledger->exchange_pairs, number, exchanges_hash(ledger, number));
    }
    uint32_t *link = &ledger->exchanges[pair].newest;
    while (*link && !is_newer(&ledger->exchanges[*link], added))
        link = &ledger->exchanges[*link].older;
    added->older = *link;
    *link = number;
}

bool exchanges_apply(struct ledger *ledger, const struct entry *entry)
{
    const struct mete_exchange_spec *spec = &entry->u.exchange.spec;
    if (ledger->exchanges_len == LIMIT_EXCHANGES || !exchanges_is(spec))
        return false;
    uint32_t number = ++ledger->exchanges_len;
    ledger->exchanges[number] = (struct exchange){.numerator = spec->numerator,
                                                  .denominator = spec->denominator,
                                                  .effective_at_us = spec->effective_at.us,
                                                  .seq = entry->seq,
                                                  .from = spec->from,
                                                  .to = spec->to};
    exchanges_enter(ledger, number);
    return true;
}

/* ---- Looking --------------------------------------------------------------------------------- */

int ledger_exchange(const struct ledger *ledger, uint32_t number, struct mete_instant now,
                    struct mete_exchange_view *ret_view)
{
    if (number == 0 || number > ledger->exchanges_len)
        return METE_E_NOT_FOUND;
    const struct exchange *exchange = &ledger->exchanges[number];
    *ret_view = (struct mete_exchange_view){
        .number = number,
        .rate = {.from = exchange->from,
                 .to = exchange->to,
                 .numerator = exchange->numerator,
                 .denominator = exchange->denominator,
                 .effective_at = {exchange->effective_at_us}},
        .seq = exchange->seq,
        .in_force = find(ledger, exchange->from, exchange->to, as_of_now(now.us)) == exchange};
    return 0;
}

int64_t ledger_amount_in(const struct ledger *ledger, const struct ledger_unit *unit,
                         const struct entry_amount *amounts, uint32_t len)
{
    struct held held[METE_DEMANDS_MAX];
    uint32_t wanted = unit_of(unit->meter, unit->currency);
    size_t held_len = to_held(amounts, len, held);
    if (exchange_needed(exchange_money(amounts, len), wanted))
        return exchanges_sum(ledger, held, held_len, wanted,
                             (struct as_of){unit->made_seq, unit->made_at_us},
                             unit->is_charged ? ROUND_EVEN : ROUND_UP)
            .amount;
    return base_of(held, held_len, wanted);
}

uint32_t ledger_exchanges(const struct ledger *ledger)
{
    return ledger->exchanges_len;
}

void exchanges_check(const struct ledger *ledger)
{
    uint64_t chained = 0, last_seq = 0;
    for (uint32_t n = 1; n <= ledger->exchanges_len; n++) {
        const struct exchange *exchange = &ledger->exchanges[n];
        ASSERT_INV("INV-11", exchange->seq > last_seq && exchange->seq <= ledger->last_seq);
        last_seq = exchange->seq;
        uint32_t pair = find_pair(ledger, exchange->from, exchange->to);
        ASSERT(pair > 0 && pair <= n);
        const struct exchange *newer = NULL;
        for (uint32_t at = pair == n ? exchange->newest : 0; at; chained++) {
            const struct exchange *older = &ledger->exchanges[at];
            ASSERT(older->from == exchange->from && older->to == exchange->to);
            ASSERT_INV("INV-11", !newer || older->effective_at_us < newer->effective_at_us ||
                                     (older->effective_at_us == newer->effective_at_us &&
                                      older->seq < newer->seq));
            newer = older;
            at = older->older;
        }
    }
    ASSERT(chained == ledger->exchanges_len);
}
