/* SPDX-License-Identifier: Apache-2.0
 * Rate limits: so much per period, by GCRA, or so many calls at once.
 *
 * GCRA in integers: a rate limit owes debt, counted in 1/limit of a microsecond. An amount adds
 * amount * period to it, each microsecond takes limit off, and what fits under burst * period is
 * admitted. No division, hence no rounding: over any stretch exactly limit a period comes back.
 * Debt is 128 bits wide, because a record adds to it without asking (amounts to 2^62, periods to
 * 2^37 us); put bounds limit and burst so that what asks stays under 2^62 (entry_is_rate()).
 *
 *   reserve   takes from every rate limit that counts: what it demands, 1 of requests, a place
 *   an end    settles at what was used (not requests), gives back the place
 *   record    takes without asking
 *
 * What a reservation took needs no word of its own: it follows from its amounts. The rate limits of
 * a scope are a chain in order of handle; a scope without any pays one look at its own line.
 *
 *   LIVES --RATE_END--> TOMBSTONE while open reservations took from it --> GONE
 *
 * Considered and not done: counting in a window that slides (needs what came when; GCRA needs two
 * numbers); debt as an instant (the usual form of GCRA: rounds whenever limit does not divide). */
#include "ledger/rates.h"

#include "ledger/matches.h"

#define DEBT_MAX ((int128)1 << 120) /* more than 2^20 records of the largest amounts */

static int128 period_us(const struct rate *rate)
{
    return (int128)rate->period_ms * 1000;
}

/* What is owed at an instant. */
static int128 debt_at(const struct rate *rate, int64_t at_us)
{
    ASSERT(at_us >= rate->at_us);
    int128 debt = rate->debt - (int128)rate->limit * (at_us - rate->at_us);
    return debt < 0 ? 0 : debt;
}

static void bring_up(struct rate *rate, int64_t at_us)
{
    rate->debt = debt_at(rate, at_us);
    rate->at_us = at_us;
}

/* Adds to the debt, or takes off. */
static void shift(struct rate *rate, int128 amount, int64_t at_us)
{
    bring_up(rate, at_us);
    int128 debt = rate->debt + amount * period_us(rate);
    rate->debt = debt < 0 ? 0 : debt > DEBT_MAX ? DEBT_MAX : debt;
}

static bool is_settled(const struct rate *rate)
{
    return !rate->is_concurrent && rate->unit != METE_REQUESTS;
}

/* ---- Asking ---------------------------------------------------------------------------------- */

bool rates_take_of(const struct rate *rate, const int64_t *demanded, int64_t *ret_amount)
{
    *ret_amount = demanded ? *demanded : 0;
    if (rate->is_concurrent || (!demanded && rate->unit == METE_REQUESTS))
        *ret_amount = 1;
    else if (!demanded)
        return false;
    return true;
}

bool rates_fit(const struct rate *rate, int64_t amount, int64_t now_us)
{
    if (rate->is_concurrent)
        return rate->open < rate->limit;
    return rate->limit > 0 &&
           debt_at(rate, now_us) + amount * period_us(rate) <= rate->burst * period_us(rate);
}

int64_t rates_room(const struct rate *rate, int64_t now_us)
{
    ASSERT(!rate->is_concurrent);
    int128 room = rate->burst * period_us(rate) - debt_at(rate, now_us);
    return room < 0 ? 0 : (int64_t)(room / period_us(rate));
}

/* When this amount fits; INT64_MAX: never. */
static int64_t fits_at(const struct rate *rate, int64_t amount, int64_t now_us)
{
    if (rate->limit == 0 || amount > rate->burst)
        return INT64_MAX;
    int128 over = debt_at(rate, now_us) - (int128)(rate->burst - amount) * period_us(rate);
    int128 wait_us = over <= 0 ? 0 : (over + rate->limit - 1) / rate->limit;
    return wait_us > INT64_MAX - now_us ? INT64_MAX : now_us + (int64_t)wait_us;
}

/* How much of the burst is taken, rounded up. */
static int64_t taken(const struct rate *rate, int64_t now_us)
{
    if (rate->is_concurrent)
        return rate->open;
    int128 amount = (debt_at(rate, now_us) + period_us(rate) - 1) / period_us(rate);
    return amount > METE_AMOUNT_MAX ? METE_AMOUNT_MAX : (int64_t)amount;
}

struct mete_refusal rates_refusal(const struct ledger *ledger, uint32_t handle, int64_t amount,
                                  int64_t now_us)
{
    const struct rate *rate = &ledger->rates[handle];
    struct mete_refusal refusal = {.reason = METE_RATE_LIMIT,
                                   .scope = {rate->scope},
                                   .rate = {handle},
                                   .meter = unit_meter(rate->unit),
                                   .currency = unit_currency(rate->unit),
                                   .shadow = rate->mode == METE_SHADOW,
                                   .limit = rate->limit,
                                   .held = taken(rate, now_us),
                                   .asked = amount,
                                   .resets_at = {fits_at(rate, amount, now_us)}};
    if (rate->is_concurrent) {
        refusal.reason = METE_CONCURRENCY;
        refusal.resets_at.us = rate->limit ? 0 : INT64_MAX;
    }
    return refusal;
}

void rates_keep_counting(const struct ledger *ledger, struct path *path,
                         const struct call_texts *call)
{
    size_t len = 0;
    for (size_t i = 0; i < path->rates_len; i++) {
        uint32_t handle = path->rates[i];
        const struct rate *rate = &ledger->rates[handle];
        if (rate->mode == METE_OFF ||
            (rate->is_narrowed && !matches_call(ledger, ledger->rate_colds[handle].matches, call)))
            continue;
        path->rates[len++] = handle;
    }
    path->rates_len = len;
}

/* ---- Taking and settling --------------------------------------------------------------------- */

bool rates_take(struct ledger *ledger, uint32_t handle, const int64_t *demanded, int64_t at_us)
{
    struct rate *rate = &ledger->rates[handle];
    ASSERT(rate->life == RATE_LIVES && rate->mode != METE_OFF);
    int64_t amount;
    bool asks = rates_take_of(rate, demanded, &amount);
    if (asks && rate->mode == METE_ENFORCE && !rates_fit(rate, amount, at_us))
        return false;
    rate->open++;
    if (!rate->is_concurrent)
        shift(rate, amount, at_us);
    ASSERT_INV("INV-02",
               rate->mode != METE_ENFORCE || !rate->is_concurrent || rate->open <= rate->limit);
    return true;
}

bool rates_extend(struct ledger *ledger, uint32_t handle, int64_t by, int64_t at_us)
{
    struct rate *rate = &ledger->rates[handle];
    if (rate->life != RATE_LIVES || rate->is_concurrent || by == 0 || (by < 0 && !is_settled(rate)))
        return true;
    if (by > 0 && rate->mode == METE_ENFORCE && !rates_fit(rate, by, at_us))
        return false;
    shift(rate, by, at_us);
    return true;
}

void rates_settle(struct ledger *ledger, uint32_t handle, int64_t amount, int64_t used,
                  int64_t at_us)
{
    struct rate *rate = &ledger->rates[handle];
    if (rate->life == RATE_LIVES && is_settled(rate))
        shift(rate, (int128)used - amount, at_us);
}

void rates_give_back(struct ledger *ledger, uint32_t handle)
{
    struct rate *rate = &ledger->rates[handle];
    ASSERT_INV("INV-02", rate->open > 0 && rate->life != RATE_GONE);
    rate->open--;
    if (rate->life == RATE_TOMBSTONE && rate->open == 0)
        rate->life = RATE_GONE;
}

void rates_record(struct ledger *ledger, uint32_t handle, const int64_t *used, int64_t at_us)
{
    struct rate *rate = &ledger->rates[handle];
    int64_t amount;
    if (!rate->is_concurrent && rates_take_of(rate, used, &amount))
        shift(rate, amount, at_us);
}

/* ---- Finding --------------------------------------------------------------------------------- */

struct slice rates_id(const struct ledger *ledger, uint32_t handle)
{
    ASSERT(handle > 0 && handle <= ledger->rates_len);
    const char *at = texts_at(&ledger->texts, ledger->rate_colds[handle].text);
    return (struct slice){at + 1, (uint8_t)at[0]};
}

static uint32_t hash_key(uint32_t organization, struct slice id)
{
    return texts_mix(texts_hash(id), organization);
}

uint32_t rates_hash(const void *owner, uint32_t handle)
{
    const struct ledger *ledger = owner;
    return hash_key(scopes_organization(ledger, ledger->rates[handle].scope),
                    rates_id(ledger, handle));
}

uint32_t ledger_find_rate(const struct ledger *ledger, uint32_t organization, struct slice id)
{
    uint32_t handle = table_first(&ledger->rate_ids, hash_key(organization, id));
    while (handle && !(slice_equal(rates_id(ledger, handle), id) &&
                       scopes_organization(ledger, ledger->rates[handle].scope) == organization))
        handle = table_next(&ledger->rate_ids, handle);
    return handle;
}

size_t rates_of_scope(const struct ledger *ledger, uint32_t scope)
{
    size_t len = 0;
    for (uint32_t at = ledger->scopes[scope].rates; at; at = ledger->rates[at].next)
        len++;
    return len;
}

size_t ledger_path_rates(const struct ledger *ledger, uint32_t scope, uint32_t *ret_rates,
                         size_t max)
{
    if (scope == 0 || scope > ledger->scopes_len)
        return 0;
    struct path path;
    scopes_path(ledger, scope, &path);
    for (size_t i = 0; i < path.rates_len && i < max; i++)
        ret_rates[i] = path.rates[i];
    return path.rates_len;
}

int ledger_rate(const struct ledger *ledger, uint32_t handle, struct mete_instant now,
                struct mete_rate_view *ret_view)
{
    if (handle == 0 || handle > ledger->rates_len)
        return METE_E_NOT_FOUND;
    const struct rate *rate = &ledger->rates[handle];
    *ret_view = (struct mete_rate_view){.rate = {handle},
                                        .scope = {rate->scope},
                                        .concurrent = rate->is_concurrent,
                                        .meter = unit_meter(rate->unit),
                                        .currency = unit_currency(rate->unit),
                                        .limit = rate->limit,
                                        .period_ms = rate->period_ms,
                                        .burst = rate->burst,
                                        .mode = (enum mete_mode)rate->mode,
                                        .taken = taken(rate, now.us),
                                        .ended = rate->life != RATE_LIVES};
    ret_view->matches_len =
        matches_of(ledger, ledger->rate_colds[handle].matches, ret_view->matches);
    bool is_full = rate->is_concurrent || debt_at(rate, now.us) == 0;
    ret_view->full_at.us = is_full ? now.us : fits_at(rate, rate->burst, now.us);
    struct slice id = rates_id(ledger, handle);
    memcpy(ret_view->id, id.data, id.len);
    ret_view->id[id.len] = 0;
    return 0;
}

/* ---- Applying -------------------------------------------------------------------------------- */

static struct slice of_text(struct mete_text text)
{
    return (struct slice){text.data, text.len};
}

static uint32_t unit_of_spec(const struct mete_rate_spec *spec)
{
    return spec->concurrent ? METE_REQUESTS : unit_of(spec->meter, spec->currency);
}

static int64_t burst_of_spec(const struct mete_rate_spec *spec)
{
    return spec->concurrent || spec->burst ? spec->burst : spec->limit;
}

bool rates_may_become(const struct ledger *ledger, uint32_t handle,
                      const struct mete_rate_spec *spec)
{
    const struct rate *rate = &ledger->rates[handle];
    return rate->life == RATE_LIVES && rate->scope == spec->scope.n &&
           rate->is_concurrent == (spec->concurrent != 0) && rate->unit == unit_of_spec(spec) &&
           matches_are(ledger, ledger->rate_colds[handle].matches, spec->matches,
                       spec->matches_len);
}

static uint32_t keep_id(struct ledger *ledger, struct slice id)
{
    uint32_t text = texts_take(&ledger->texts, 1 + id.len);
    char *at = texts_at(&ledger->texts, text);
    at[0] = (char)(uint8_t)id.len;
    memcpy(at + 1, id.data, id.len);
    return text;
}

/* At the end of its scope's chain, which is in order of handle. */
void rates_enter(struct ledger *ledger, uint32_t handle)
{
    uint32_t *link = &ledger->scopes[ledger->rates[handle].scope].rates;
    while (*link)
        link = &ledger->rates[*link].next;
    *link = handle;
    table_put(&ledger->rate_ids, handle, rates_hash(ledger, handle));
}

static bool create(struct ledger *ledger, const struct mete_rate_spec *spec, int64_t at_us)
{
    uint32_t scope = spec->scope.n, matches;
    if (ledger->rates_len == LIMIT_RATES || scope == 0 || scope > ledger->scopes_len ||
        rates_of_scope(ledger, scope) >= LIMIT_SCOPE_RATES ||
        ledger_find_rate(ledger, scopes_organization(ledger, scope), of_text(spec->id)) ||
        !matches_put(ledger, spec->matches, spec->matches_len, &matches))
        return false;
    uint32_t handle = ++ledger->rates_len;
    ledger->rates[handle] = (struct rate){.at_us = at_us,
                                          .unit = unit_of_spec(spec),
                                          .scope = scope,
                                          .is_concurrent = spec->concurrent != 0,
                                          .is_narrowed = matches != 0};
    ledger->rate_colds[handle] =
        (struct rate_cold){.text = keep_id(ledger, of_text(spec->id)), .matches = matches};
    rates_enter(ledger, handle);
    ledger->counts.rates++;
    return true;
}

/* The same amount is still to be paid off, whatever a period is now. */
static void change_period(struct rate *rate, uint32_t period_ms)
{
    uint32_t before_ms = rate->period_ms;
    rate->period_ms = period_ms;
    if (before_ms == 0 || before_ms == period_ms)
        return;
    int128 whole = rate->debt / before_ms, rest = rate->debt % before_ms;
    rate->debt = whole > DEBT_MAX / period_ms - 1
                     ? DEBT_MAX
                     : whole * period_ms + (rest * period_ms + before_ms - 1) / before_ms;
}

bool rates_apply_put(struct ledger *ledger, const struct entry *entry)
{
    const struct mete_rate_spec *spec = &entry->u.rate.spec;
    uint32_t handle = entry->u.rate.handle;
    if (handle == 0 || handle > ledger->rates_len + 1)
        return false;
    if (handle == ledger->rates_len + 1 && !create(ledger, spec, entry->at_us))
        return false;
    if (!rates_may_become(ledger, handle, spec) ||
        !slice_equal(rates_id(ledger, handle), of_text(spec->id)))
        return false;
    struct rate *rate = &ledger->rates[handle];
    int64_t burst = burst_of_spec(spec);
    ledger->rate_colds[handle].revision += rate->limit != spec->limit || rate->burst != burst ||
                                           rate->period_ms != spec->period_ms ||
                                           rate->mode != spec->mode;
    if (!rate->is_concurrent) {
        bring_up(rate, entry->at_us);
        change_period(rate, (uint32_t)spec->period_ms);
    }
    rate->limit = spec->limit;
    rate->burst = burst;
    rate->mode = (unsigned)spec->mode & 3;
    return true;
}

static void unlink_rate(struct ledger *ledger, uint32_t handle)
{
    struct rate *rate = &ledger->rates[handle];
    uint32_t *link = &ledger->scopes[rate->scope].rates;
    while (*link != handle) {
        ASSERT(*link > 0);
        link = &ledger->rates[*link].next;
    }
    *link = rate->next;
    rate->next = 0;
}

static void end(struct ledger *ledger, uint32_t handle)
{
    struct rate *rate = &ledger->rates[handle];
    table_drop(&ledger->rate_ids, handle, rates_hash(ledger, handle));
    unlink_rate(ledger, handle);
    rate->life = rate->open ? RATE_TOMBSTONE : RATE_GONE;
    ASSERT(ledger->counts.rates > 0);
    ledger->counts.rates--;
}

bool rates_apply_end(struct ledger *ledger, const struct entry *entry)
{
    uint32_t handle = entry->u.rate_end.handle;
    if (handle == 0 || handle > ledger->rates_len || ledger->rates[handle].life != RATE_LIVES)
        return false;
    end(ledger, handle);
    return true;
}

void rates_end_of_scope(struct ledger *ledger, uint32_t scope)
{
    while (ledger->scopes[scope].rates)
        end(ledger, ledger->scopes[scope].rates);
}

/* ---- Looking --------------------------------------------------------------------------------- */

void rates_check(const struct ledger *ledger)
{
    uint64_t live = 0;
    for (uint32_t r = 1; r <= ledger->rates_len; r++) {
        const struct rate *rate = &ledger->rates[r];
        ASSERT(rate->debt >= 0 && rate->debt <= DEBT_MAX && rate->at_us <= ledger->last_at_us);
        ASSERT(rate->limit >= 0 && (rate->is_concurrent || rate->period_ms > 0));
        ASSERT(!rate->is_concurrent || rate->debt == 0);
        ASSERT_INV("INV-02",
                   rate->open > 0 ? rate->life != RATE_GONE : rate->life != RATE_TOMBSTONE);
        ASSERT(rate->is_narrowed == (ledger->rate_colds[r].matches != 0));
        uint32_t found =
            ledger_find_rate(ledger, scopes_organization(ledger, rate->scope), rates_id(ledger, r));
        ASSERT(rate->life == RATE_LIVES ? found == r : found != r);
        live += rate->life == RATE_LIVES;
    }
    ASSERT(live == ledger->counts.rates);
    for (uint32_t s = 1; s <= ledger->scopes_len; s++) {
        uint32_t last = 0;
        for (uint32_t r = ledger->scopes[s].rates; r; r = ledger->rates[r].next) {
            ASSERT(r > last && ledger->rates[r].scope == s && ledger->rates[r].life == RATE_LIVES);
            last = r;
            live--;
        }
        ASSERT(rates_of_scope(ledger, s) <= LIMIT_SCOPE_RATES);
    }
    ASSERT(live == 0);
}
