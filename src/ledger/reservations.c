/* SPDX-License-Identifier: Apache-2.0
 * Reservations: how they are found, made and kept. How they end is in endings.c.
 *
 *   free --RESERVE--> open --COMMIT, RELEASE, EXPIRE--> free, and an outcome remembers how
 *                      |                                  ^
 *                      +--EXPIRE, provisional COMMIT--> closed --CORRECT, time, others-->
 * (correct.c)
 *
 * An id is a slot's index and a generation that follows from the sequence number of the entry that
 * made it: finding it needs no table, and an old id of a reused slot is found out (INV-03). Slots
 * are reused last out, first in, which is a function of the journal and keeps them in the cache.
 *
 * A reservation keeps its amounts once, by unit, and takes from every counting budget on its path,
 * also from those whose unit it did not ask for (with 0), so that a commit with more units than
 * were reserved is charged to them too. The window of a take follows from made_at (budgets.c). */
#include "ledger/extras.h"
#include "ledger/exchanges.h"
#include "ledger/matches.h"
#include "ledger/quotas.h"
#include "ledger/rates.h"

/* ---- Finding ---- */

uint32_t reservations_slot(const struct ledger *ledger, const struct reservation *reservation)
{
    return (uint32_t)(reservation - ledger->slots);
}

uint64_t reservations_next_id(const struct ledger *ledger, uint64_t seq)
{
    if (ledger->heap_len + ledger->calls_len == ledger->room.reservations)
        return 0;
    if (ledger->slot_free)
        return reservation_id(ledger->slot_free - 1, reservation_generation(seq));
    ASSERT(ledger->slots_len < slots_room(&ledger->room));
    return reservation_id(ledger->slots_len, reservation_generation(seq));
}

static inline struct reservation *find(const struct ledger *ledger, uint64_t id, bool is_closed)
{
    uint64_t slot = id >> GENERATION_BITS, generation = id & GENERATION_MAX;
    if (slot >= ledger->slots_len || generation == 0 ||
        ledger->slots[slot].generation != generation || ledger->slots[slot].is_closed != is_closed)
        return NULL;
    return &ledger->slots[slot];
}

struct reservation *reservations_find(const struct ledger *ledger, uint64_t id)
{
    return find(ledger, id, false);
}

struct reservation *reservations_find_closed(const struct ledger *ledger, uint64_t id)
{
    return find(ledger, id, true);
}

/* Step 0: the slot; 1: where its words go on, and its scope; 2: the budgets it took from, and where
 * its outcome will be chained. */
void ledger_foresee_end(const struct ledger *ledger, uint64_t reservation, unsigned step)
{
    uint64_t index = reservation >> GENERATION_BITS;
    if (index >= ledger->slots_len)
        return;
    if (step == 0) {
        hint(&ledger->slots[index]);
        return;
    }
    const struct reservation *slot = reservations_find(ledger, reservation);
    if (!slot)
        return;
    if (step == 1) {
        if (slot->chunk)
            hint(&ledger->chunks[slot->chunk - 1]);
        hint(&ledger->scopes[slot->scope]);
        hint(&ledger->scope_ends[slot->scope]);
        return;
    }
    struct words words = words_of(ledger, slot);
    for (unsigned i = 0; i < 3u * slot->amounts_len; i++)
        words_next(&words);
    for (unsigned i = 0; i < slot->takes_len; i++)
        take_hint(ledger, words_pass_take(&words));
    hint(&ledger->next_of_scope[ledger->scope_ends[slot->scope].outcome_last]);
}

size_t reservations_amounts(const struct ledger *ledger, const struct reservation *reservation,
                            struct held ret_held[METE_DEMANDS_MAX], struct words *ret_words)
{
    struct words words = words_of(ledger, reservation);
    size_t len = reservation->amounts_len;
    ASSERT(len <= METE_DEMANDS_MAX);
    for (size_t i = 0; i < len; i++) {
        ret_held[i].unit = words_next(&words);
        ret_held[i].amount = words_next_i64(&words);
    }
    *ret_words = words;
    return len;
}

void reservations_asked(const struct ledger *ledger, const struct reservation *reservation,
                        struct asked *ret_asked)
{
    ASSERT(reservation->has_id);
    struct held held[METE_DEMANDS_MAX];
    struct words words;
    reservations_amounts(ledger, reservation, held, &words);
    for (unsigned i = 0; i < reservation->takes_len; i++)
        words_pass_take(&words);
    ret_asked->content = (uint64_t)words_next_i64(&words);
    ret_asked->remaining = words_next_i64(&words);
    ret_asked->remaining_of = words_next(&words);
    ret_asked->id_len = words_next_text(&words, ret_asked->id, LIMIT_ID);
}

/* A text that may not be there, of at most max bytes: from the words into the room. */
static struct slice scratch_text(struct words *words, bool is_there, char **room, size_t max)
{
    struct slice text = {0};
    if (!is_there)
        return text;
    text.data = *room;
    text.len = words_next_text(words, *room, max);
    *room += text.len;
    return text;
}

void reservations_texts(struct ledger *ledger, const struct reservation *slot, struct words words,
                        struct reservation_texts *ret_texts)
{
    char *room = ledger->scratch;
    for (unsigned i = 0; i < slot->takes_len; i++)
        words_pass_take(&words);
    uint64_t content = slot->has_id ? (uint64_t)words_next_i64(&words) : 0;
    ret_texts->content = slot->is_call ? content : 0;
    for (unsigned i = 0; slot->has_id && i < 3; i++)
        words_next(&words); /* remaining, remaining_of */
    ret_texts->request_id = scratch_text(&words, slot->has_id, &room, LIMIT_ID);
    bool is_whole = slot->model == ENTRY_NAME_WHOLE;
    ret_texts->model = scratch_text(&words, is_whole, &room, LIMIT_ID);
    if (!is_whole)
        ret_texts->model = names_text(ledger, slot->model);
    is_whole = slot->provider == ENTRY_NAME_WHOLE;
    ret_texts->provider = scratch_text(&words, is_whole, &room, LIMIT_PROVIDER);
    if (!is_whole)
        ret_texts->provider = names_text(ledger, slot->provider);
    if (slot->has_content)
        ret_texts->content = (uint64_t)words_next_i64(&words);
    ret_texts->session = scratch_text(&words, slot->has_session, &room, LIMIT_SESSION);
    ret_texts->tags = scratch_text(&words, slot->has_tags, &room, TAGS_TEXT);
    ASSERT(room <= ledger->scratch + SCRATCH);
}

size_t reservations_copy_rest(const struct reservation *slot, struct words *words, uint32_t *to)
{
    size_t len = 0;
    for (unsigned i = 0; slot->has_id && i < 5; i++)
        to[len++] = words_next(words); /* content, remaining, remaining_of */
    if (slot->has_id)
        len += words_copy_text(words, to + len);
    if (slot->model == ENTRY_NAME_WHOLE)
        len += words_copy_text(words, to + len);
    if (slot->provider == ENTRY_NAME_WHOLE)
        len += words_copy_text(words, to + len);
    for (unsigned i = 0; slot->has_content && i < 2; i++)
        to[len++] = words_next(words);
    if (slot->has_session)
        len += words_copy_text(words, to + len);
    if (slot->has_tags)
        len += words_copy_text(words, to + len);
    return len;
}

struct slice reservations_join_tags(const struct entry_tags *tags, char *room)
{
    char *at = room;
    for (size_t i = 0; i < tags->len; i++) {
        if (i)
            *at++ = '\n';
        memcpy(at, tags->texts[i].data, tags->texts[i].len);
        at += tags->texts[i].len;
    }
    ASSERT(at <= room + TAGS_TEXT);
    return (struct slice){room, (size_t)(at - room)};
}

static uint32_t hash_request(uint32_t scope, struct slice request_id)
{
    return texts_mix(texts_hash(request_id), scope);
}

uint32_t reservations_hash(const void *owner, uint32_t item)
{
    const struct ledger *ledger = owner;
    return ledger->slot_hashes[item];
}

struct reservation *reservations_of_request(const struct ledger *ledger, uint32_t scope,
                                            struct slice request_id)
{
    uint32_t hash = hash_request(scope, request_id);
    uint32_t item = table_first(&ledger->open_requests, hash);
    for (; item; item = table_next(&ledger->open_requests, item)) {
        struct reservation *reservation = &ledger->slots[item - 1];
        if (ledger->slot_hashes[item] != hash || reservation->scope != scope)
            continue;
        struct asked asked;
        reservations_asked(ledger, reservation, &asked);
        if (slice_equal(request_id, (struct slice){asked.id, asked.id_len}))
            return reservation;
    }
    return NULL;
}

/* ---- Reserving ---- */

/* Whether the entry could have been decided on this state, but for the budgets. */
static bool may_reserve(const struct ledger *ledger, const struct entry *entry,
                        const struct path *path)
{
    if (entry->u.reserve.reservation != reservations_next_id(ledger, entry->seq))
        return false;
    for (size_t i = 0; i < path->scopes_len; i++)
        if (scopes_refuses(&ledger->scopes[path->scopes[i]], entry->at_us))
            return false;
    return entry->u.reserve.request_id.len == 0 ||
           !reservations_of_request(ledger, entry->u.reserve.scope, entry->u.reserve.request_id);
}

/* What is being reserved. */
struct taking {
    struct ledger *ledger;
    const struct entry *entry;
    uint32_t money; /* exchanges.h */
    size_t demanded_len;
    struct held demanded[METE_DEMANDS_MAX];
};

/* What is demanded of a unit; false: nothing. */
static inline bool demands(const struct taking *taking, uint32_t unit, enum mete_mode mode,
                           int64_t *ret_amount)
{
    if (exchange_needed(taking->money, unit)) {
        *ret_amount = exchanges_reserved(taking->ledger, taking->entry, unit, mode);
        return true;
    }
    for (size_t i = 0; i < taking->demanded_len; i++) {
        if (taking->demanded[i].unit != unit)
            continue;
        *ret_amount = taking->demanded[i].amount;
        return true;
    }
    return false;
}

/* Takes from one budget. false: it does not fit it. */
static inline bool take(const struct taking *taking, struct budget *budget)
{
    if (taking->entry->at_us >= budget->stale_at_us)
        return false;
    int64_t amount, sum;
    budget->open++;
    if (!demands(taking, budget->unit, (enum mete_mode)budget->mode, &amount))
        return true;
    if (amount > METE_AMOUNT_MAX || !checked_add(budget->committed + budget->held, amount, &sum))
        return false;
    if (budget->mode == METE_ENFORCE && (sum > budget->limit || budget->limit == 0))
        return false;
    budget->held += amount;
    ASSERT_INV("INV-01",
               budget->mode != METE_ENFORCE || budget->committed + budget->held <= budget->limit);
    return true;
}

static bool take_rates(const struct taking *taking, struct path *path, struct words *words)
{
    struct ledger *ledger = taking->ledger;
    struct call_texts call;
    matches_of_entry(ledger, taking->entry, &call);
    rates_keep_counting(ledger, path, &call);
    for (size_t i = 0; i < path->rates_len; i++) {
        const struct rate *rate = &ledger->rates[path->rates[i]];
        int64_t amount;
        bool asks = demands(taking, rate->unit, (enum mete_mode)rate->mode, &amount);
        if (!rates_take(ledger, path->rates[i], asks ? &amount : NULL, taking->entry->at_us))
            return false;
        words_put_take(words, TAKE_RATE, path->rates[i]);
    }
    return true;
}

/* Holds in every quota of the path what is demanded of its unit, or nothing. false: not covered. */
static bool take_quotas(const struct taking *taking, const struct path *path, struct words *words,
                        unsigned *len)
{
    struct ledger *ledger = taking->ledger;
    for (size_t i = 0; i < path->scopes_len; i++) {
        uint32_t quota = ledger->scopes[path->scopes[i]].quotas;
        for (; quota; quota = ledger->quotas[quota].next, ++*len) {
            int64_t amount;
            struct draws draws = {.len = 0};
            if (demands(taking, ledger->quotas[quota].unit, METE_ENFORCE, &amount) &&
                !quotas_take(ledger, quota, amount, taking->entry->at_us, &draws))
                return false;
            words_put_take(words, TAKE_QUOTA, quota);
            draws_put(words, &draws);
        }
    }
    return true;
}

static bool is_matched(const struct ledger *ledger, const struct entry *entry, uint32_t budget)
{
    struct call_texts call;
    matches_of_entry(ledger, entry, &call);
    return extras_match(ledger, budget, &call);
}

/* Reads what the entry demands, and writes it down. */
static void read_demands(struct ledger *ledger, const struct entry *entry, struct words *words,
                         struct taking *ret_taking)
{
    ret_taking->ledger = ledger;
    ret_taking->entry = entry;
    ret_taking->money = 0;
    ret_taking->demanded_len = entry->u.reserve.amounts_len;
    ASSERT(ret_taking->demanded_len <= METE_DEMANDS_MAX);
    for (size_t i = 0; i < ret_taking->demanded_len; i++) {
        const struct entry_amount *amount = &entry->u.reserve.amounts[i];
        uint32_t unit = unit_of(amount->meter, amount->currency);
        ret_taking->money = exchange_add(ret_taking->money, unit);
        ret_taking->demanded[i] = (struct held){unit, amount->amount};
        words_put(words, unit);
        words_put_i64(words, amount->amount);
    }
}

/* Takes from all that count, which are then the path's, and writes their handles; or says false. */
static bool take_all(struct ledger *ledger, const struct entry *entry, struct path *path,
                     struct words *words, struct reservation *slot)
{
    struct taking taking;
    read_demands(ledger, entry, words, &taking);
    unsigned len = 0;
    for (size_t i = 0; i < path->budgets_len; i++) {
        uint32_t handle = path->budgets[i];
        struct budget *budget = &ledger->budgets[handle];
        if (!budget_counts(budget) ||
            (budget->traits & BUDGET_CHOOSES && !is_matched(ledger, entry, handle)))
            continue;
        if (!take(&taking, budget))
            return false;
        words_put_take(words, TAKE_BUDGET, handle);
        path->budgets[len++] = handle;
    }
    path->budgets_len = len;
    if (path->rates_len) {
        if (!take_rates(&taking, path, words))
            return false;
        len += (unsigned)path->rates_len;
    }
    if (path->quotas && !take_quotas(&taking, path, words, &len))
        return false;
    ASSERT(len <= TAKES_MAX);
    slot->takes_len = len & 0x7f;
    return true;
}

/* What the tightest enforced budget of the first amount's unit has left; its handle or 0. */
static uint32_t tightest(const struct ledger *ledger, const struct entry *entry,
                         const struct path *path, int64_t *ret_remaining)
{
    const struct entry_amount *first = &entry->u.reserve.amounts[0];
    uint32_t found = 0;
    for (size_t i = 0; i < path->budgets_len; i++) {
        const struct budget *budget = &ledger->budgets[path->budgets[i]];
        if (budget->mode != METE_ENFORCE || budget->unit != unit_of(first->meter, first->currency))
            continue;
        int64_t left = budget->limit - budget->committed - budget->held;
        if (!found || left < *ret_remaining) {
            found = path->budgets[i];
            *ret_remaining = left;
        }
    }
    return found;
}

static void remember_request(struct ledger *ledger, const struct entry *entry,
                             const struct path *path, struct reservation *slot, struct words *words)
{
    struct slice request_id = entry->u.reserve.request_id;
    int64_t remaining = 0;
    uint32_t remaining_of = tightest(ledger, entry, path, &remaining);
    words_put_i64(words, (int64_t)entry->u.reserve.content);
    words_put_i64(words, remaining);
    words_put(words, remaining_of);
    words_put_text(words, request_id);
    uint32_t item = reservations_slot(ledger, slot) + 1;
    ledger->slot_hashes[item] = hash_request(entry->u.reserve.scope, request_id);
    slot->has_id = 1;
    table_put(&ledger->open_requests, item, ledger->slot_hashes[item]);
}

/* What only the record asks for. */
static void remember_labels(struct ledger *ledger, const struct entry *entry,
                            struct reservation *slot, struct words *words)
{
    slot->has_content = entry->u.reserve.content && !slot->has_id && slot->is_call;
    slot->has_session = entry->u.reserve.session.len > 0;
    slot->has_tags = entry->u.reserve.tags.len > 0;
    if (slot->has_content)
        words_put_i64(words, (int64_t)entry->u.reserve.content);
    if (slot->has_session)
        words_put_text(words, entry->u.reserve.session);
    if (slot->has_tags)
        words_put_text(words, reservations_join_tags(&entry->u.reserve.tags, ledger->scratch));
}

static struct reservation *take_slot(struct ledger *ledger, uint64_t id)
{
    uint32_t index = (uint32_t)(id >> GENERATION_BITS);
    struct reservation *slot = &ledger->slots[index];
    ASSERT_INV("INV-03", slot->generation == 0);
    if (ledger->slot_free) {
        ASSERT(ledger->slot_free == index + 1);
        ledger->slot_free = slot->chunk;
    } else {
        ASSERT(index == ledger->slots_len);
        ledger->slots_len++;
    }
    return slot;
}

static void fill_slot(struct reservation *slot, const struct entry *entry)
{
    *slot = (struct reservation){.generation = entry->u.reserve.reservation & GENERATION_MAX,
                                 .is_call = (entry->u.reserve.flags & METE_RESERVE_CALL) != 0,
                                 .made_at_us = (uint64_t)entry->at_us & ((UINT64_C(1) << 58) - 1),
                                 .charges = entry->u.reserve.on_expiry == METE_EXPIRY_CHARGE,
                                 .amounts_len = entry->u.reserve.amounts_len & 0x1f,
                                 .granted = entry->u.reserve.granted,
                                 .scope = entry->u.reserve.scope,
                                 .model = (uint16_t)entry->u.reserve.model.n,
                                 .provider = (uint16_t)entry->u.reserve.provider.n};
}

bool reservations_apply_reserve(struct ledger *ledger, const struct entry *entry)
{
    if (entry->u.reserve.scope == 0 || entry->u.reserve.scope > ledger->scopes_len)
        return false;
    struct path path;
    scopes_path(ledger, entry->u.reserve.scope, &path);
    if (!may_reserve(ledger, entry, &path) || !names_apply(ledger, &entry->u.reserve.model) ||
        !names_apply(ledger, &entry->u.reserve.provider))
        return false;
    struct reservation *slot = take_slot(ledger, entry->u.reserve.reservation);
    fill_slot(slot, entry);
    struct words words = words_of(ledger, slot);
    if (!take_all(ledger, entry, &path, &words, slot))
        return false;
    if (entry->u.reserve.request_id.len)
        remember_request(ledger, entry, &path, slot, &words);
    if (slot->model == ENTRY_NAME_WHOLE)
        words_put_text(&words, entry->u.reserve.model.text);
    if (slot->provider == ENTRY_NAME_WHOLE)
        words_put_text(&words, entry->u.reserve.provider.text);
    remember_labels(ledger, entry, slot, &words);
    expiries_put(ledger, reservations_slot(ledger, slot), entry->u.reserve.expires_at_us);
    ledger->scopes[slot->scope].open++;
    ledger->counts.reservations_open++;
    ledger->counts.reserves++;
    return true;
}

/* ---- Freeing ---- */

void reservations_leave(struct ledger *ledger, struct reservation *slot)
{
    uint32_t index = reservations_slot(ledger, slot);
    ASSERT_INV("INV-03", slot->generation != 0 && !slot->is_closed);
    ASSERT_INV("INV-02", ledger->scopes[slot->scope].open > 0);
    struct scope *scope = &ledger->scopes[slot->scope];
    scope->open--;
    if (scope->flags & SCOPE_ENDED && scope->open == 0)
        scopes_bury(ledger, slot->scope);
    expiries_drop(ledger, index);
    if (slot->has_id)
        table_drop(&ledger->open_requests, index + 1, ledger->slot_hashes[index + 1]);
}

void reservations_free(struct ledger *ledger, struct reservation *slot)
{
    uint32_t index = reservations_slot(ledger, slot);
    ASSERT_INV("INV-03", slot->generation != 0);
    words_free(ledger, slot);
    slot->generation = 0;
    slot->is_closed = 0;
    slot->chunk = ledger->slot_free;
    ledger->slot_free = index + 1;
}
