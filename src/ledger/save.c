/* SPDX-License-Identifier: Apache-2.0
 * The state as bytes that later versions read, and back.
 *
 *   version | the whole | names, zones, meters | scopes | budgets with their past windows |
 * rate limits | quotas, grants | exchange rates | reservations, the order of free slots, of calls
 * and of closed ones | remembered outcomes | counts
 *
 * in order of handles, numbers as varints. What follows from the rest is not kept but made again:
 * hash tables, the heap of expiries, the chains of outcomes by scope, free lists that only say
 * where things lie. What decides future handles is: the order of free slots, of calls, of outcomes.
 *
 * Each function walks one part for both ways (archive.h). Loading believes nothing: a handle is in
 * its range before anything is looked up by it, a list has no entry twice. Whether figures belong
 * together, ledger_check() says; who loads bytes of unknown origin asks ledger_sound() afterwards.
 *
 * Whoever adds state adds it here, at the end of its part and before the first release without
 * another VERSION; prop_ledger and fuzz_save fail if it is forgotten, because the hash differs. */
#include "ledger/extras.h"
#include "ledger/archive.h"
#include "ledger/exchanges.h"
#include "ledger/increases.h"
#include "ledger/moves.h"
#include "ledger/quotas.h"
#include "ledger/rates.h"
#include "ledger/rolling.h"
#include "ledger/rollover.h"
#include "ledger/templates.h"

enum { VERSION = 1 };

/* ---- The archive ----------------------------------------------------------------------------- */

enum { FIELD_MAX = 4096 /* bytes of one field */ };

static void turn_piece(struct archive *archive)
{
    struct slice piece;
    if (archive->loads) {
        archive->error = archive->get(archive->user, &piece);
        const uint8_t *at = (const uint8_t *)piece.data;
        archive->r = (struct reader){at, at + (archive->error ? 0 : piece.len), false};
        return;
    }
    piece = (struct slice){(const char *)archive->room, (size_t)(archive->w.at - archive->room)};
    if (piece.len)
        archive->error = archive->put(archive->user, piece);
    archive->w = (struct writer){archive->room, archive->room + LEDGER_PIECE};
}

/* Makes sure that the next field lies within one piece. False: there was an error. */
static bool ready(struct archive *archive)
{
    if (archive->error)
        return false;
    bool turns = archive->loads ? archive->r.at == archive->r.end
                                : archive->w.end - archive->w.at < FIELD_MAX;
    if (turns)
        turn_piece(archive);
    return !archive->error;
}

static void look(struct archive *archive)
{
    (void)archive_expect(archive, !archive->r.bad);
}

void archive_number(struct archive *archive, uint64_t *value)
{
    if (!ready(archive)) {
        *value = archive->loads ? 0 : *value;
    } else if (archive->loads) {
        *value = read_varint(&archive->r);
        look(archive);
    } else {
        write_varint(&archive->w, *value);
    }
}

void archive_text(struct archive *archive, struct slice *text, size_t len_max)
{
    ASSERT(len_max + VARINT_MAX <= FIELD_MAX);
    if (!ready(archive)) {
        *text = (struct slice){"", 0};
    } else if (archive->loads) {
        *text = read_slice(&archive->r, len_max);
        look(archive);
        if (archive->error)
            *text = (struct slice){"", 0};
    } else {
        ASSERT(text->len <= len_max);
        write_slice(&archive->w, *text);
    }
}

void archive_bytes(struct archive *archive, uint8_t *bytes, size_t len)
{
    ASSERT(len <= FIELD_MAX);
    if (!ready(archive))
        return;
    if (!archive->loads) {
        write_bytes(&archive->w, (struct slice){(const char *)bytes, len});
        return;
    }
    struct slice read = read_bytes(&archive->r, len);
    look(archive);
    if (read.len == len)
        memcpy(bytes, read.data, len);
}

void archive_end(struct archive *archive)
{
    if (!archive->error && (!archive->loads || archive->r.at == archive->r.end))
        turn_piece(archive);
    if (archive->loads) /* and nothing behind it */
        (void)archive_expect(archive, archive->r.at == archive->r.end);
}

/* ---- The whole, and names -------------------------------------------------------------------- */

static void walk_whole(struct archive *archive, struct ledger *ledger)
{
    uint64_t version = VERSION;
    archive_number(archive, &version);
    if (version != VERSION && !archive->error)
        archive->error = version > VERSION ? METE_E_FORMAT : METE_E_CORRUPT;
    archive_number(archive, &ledger->last_seq);
    archive_i64(archive, &ledger->last_at_us);
    archive_bytes(archive, ledger->installation, sizeof ledger->installation);
    archive_number(archive, &ledger->base_seq);
    archive_bytes(archive, ledger->base_hash, sizeof ledger->base_hash);
    archive_number(archive, &ledger->charged_sum);
    archive_number(archive, &ledger->retired_sum);
    archive_number(archive, &ledger->drawn_sum);
}

static void walk_names(struct archive *archive, struct ledger *ledger)
{
    uint32_t len = ledger->names_len;
    archive_count(archive, &len, LIMIT_NAMES);
    for (uint32_t n = 1; n <= len && !archive->error; n++) {
        struct slice text = {0};
        if (!archive->loads)
            text = names_text(ledger, n);
        archive_text(archive, &text, LIMIT_ID);
        const struct entry_name name = {n, text};
        if (archive->loads && archive_expect(archive, text.len > 0))
            (void)archive_expect(archive, names_apply(ledger, &name));
    }
}

/* One byte length, the bytes. */
static uint32_t keep_text(struct ledger *ledger, struct slice text)
{
    uint32_t at = texts_take(&ledger->texts, 1 + text.len);
    char *bytes = texts_at(&ledger->texts, at);
    bytes[0] = (char)(uint8_t)text.len;
    memcpy(bytes + 1, text.data, text.len);
    return at;
}

static struct slice kept_text(const struct ledger *ledger, uint32_t at)
{
    const char *bytes = texts_at(&ledger->texts, at);
    return (struct slice){bytes + 1, (uint8_t)bytes[0]};
}

/* texts[first] .. texts[first + len - 1] */
static void walk_texts(struct archive *archive, struct ledger *ledger, uint32_t *texts,
                       uint32_t len)
{
    for (uint32_t i = 0; i < len && !archive->error; i++) {
        struct slice text = {0};
        if (!archive->loads)
            text = kept_text(ledger, texts[i]);
        archive_text(archive, &text, LIMIT_ID);
        if (archive->loads && archive_expect(archive, text.len > 0))
            texts[i] = keep_text(ledger, text);
    }
}

static void walk_zones_and_meters(struct archive *archive, struct ledger *ledger)
{
    uint32_t zones = ledger->zones_len, meters = ledger->meters_len;
    archive_count(archive, &zones, ZONES_ROOM);
    walk_texts(archive, ledger, ledger->zones + 1, zones);
    ledger->zones_len = zones;
    archive_count(archive, &meters, LIMIT_METERS + LIMIT_CHANGES);
    walk_texts(archive, ledger, ledger->meters, meters);
    ledger->meters_len = meters;
}

/* ---- Scopes ---------------------------------------------------------------------------------- */

static void walk_scope(struct archive *archive, struct ledger *ledger, uint32_t s, uint32_t len)
{
    struct scope *scope = &ledger->scopes[s];
    struct slice id = {0};
    if (!archive->loads)
        id = scopes_id(ledger, s);
    archive_text(archive, &id, LIMIT_ID);
    if (archive->loads && archive_expect(archive, id.len > 0))
        scope->text = keep_text(ledger, id);
    archive_i64(archive, &scope->expires_at_us);
    archive_handle(archive, &scope->parent, len);
    archive_u8(archive, &scope->kind);
    archive_u8(archive, &scope->flags);
    archive_u8(archive, &scope->templates);
    archive_u32(archive, &scope->open);
    archive_u32(archive, &ledger->scope_ends[s].children);
    scope->budgets_len = (uint8_t)archive_up_to(archive, scope->budgets_len, LIMIT_SCOPE_BUDGETS);
    for (unsigned i = 0; i < scope->budgets_len; i++)
        archive_u32(archive, &scope->budgets[i]); /* looked at once there are budgets */
}

/* Kinds rise from parent to child, so what goes up in a circle could only be departments in
 * departments: these are counted once every kind is known to be right, when a walk must end. */
static void enter_scopes(struct archive *archive, struct ledger *ledger)
{
    for (uint32_t s = 1; s <= ledger->scopes_len && !archive->error; s++) {
        const struct scope *scope = &ledger->scopes[s];
        enum mete_kind above =
            scope->parent ? (enum mete_kind)ledger->scopes[scope->parent].kind : METE_KIND_NONE;
        (void)archive_expect(archive, scopes_may_hold(above, (enum mete_kind)scope->kind));
    }
    for (uint32_t s = 1; s <= ledger->scopes_len && !archive->error; s++)
        if (ledger->scopes[s].kind == METE_DEPARTMENT)
            (void)archive_expect(archive, scopes_departments(ledger, s) <= DEPARTMENTS_MAX);
    for (uint32_t s = 1; s <= ledger->scopes_len && !archive->error; s++)
        if (!scope_is_gone(&ledger->scopes[s]))
            table_put(&ledger->scope_ids, s, scopes_hash(ledger, s));
}

static void walk_moves(struct archive *archive, struct ledger *ledger)
{
    uint32_t len = ledger->moves_end - ledger->moves_first;
    archive_count(archive, &len, LIMIT_MOVES);
    for (uint32_t i = 0; i < len && !archive->error; i++) {
        struct move move = {0};
        if (!archive->loads)
            move = ledger->moves[(ledger->moves_first + i) % LIMIT_MOVES];
        archive_number(archive, &move.seq);
        archive_handle(archive, &move.scope, ledger->scopes_len);
        archive_handle(archive, &move.from, ledger->scopes_len);
        if (archive->loads && !archive->error)
            (void)archive_expect(archive, moves_enter(ledger, &move));
    }
}

static void walk_scopes(struct archive *archive, struct ledger *ledger)
{
    uint32_t len = ledger->scopes_len;
    archive_count(archive, &len, ledger->room.scopes);
    for (uint32_t s = 1; s <= len && !archive->error; s++)
        walk_scope(archive, ledger, s, len);
    ledger->scopes_len = len;
    if (archive->loads)
        enter_scopes(archive, ledger);
    walk_moves(archive, ledger);
}

/* ---- Budgets --------------------------------------------------------------------------------- */

static void walk_past(struct archive *archive, struct past *past)
{
    archive_i64(archive, &past->start_us);
    archive_i64(archive, &past->end_us);
    archive_i64(archive, &past->committed);
    archive_i64(archive, &past->held);
    archive_u32(archive, &past->open);
    archive_u32(archive, &past->closed);
    archive_u8(archive, &past->fired);
    archive_u8(archive, &past->soft_fired);
}

static void walk_handover(struct archive *archive, struct handover *over)
{
    uint64_t low = (uint64_t)over->way.add;
    int64_t high = (int64_t)(over->way.add >> 64);
    archive_number(archive, &low);
    archive_i64(archive, &high);
    archive_i64(archive, &over->way.low);
    archive_i64(archive, &over->way.high);
    archive_i64(archive, &over->base);
    archive_i64(archive, &over->carried);
    over->way.add = (int128)high * ((int128)1 << 64) + low;
    if (!archive_expect(archive, rollover_is_handover(over)))
        *over = (struct handover){0};
}

static void save_pasts(struct archive *archive, struct ledger *ledger, uint32_t b)
{
    uint32_t len = 0;
    for (uint32_t p = ledger->cold[b].past; p; p = ledger->pasts[p].next)
        len++;
    archive_u32(archive, &len);
    for (uint32_t p = ledger->cold[b].past; p; p = ledger->pasts[p].next) {
        walk_past(archive, &ledger->pasts[p]);
        if (ledger->budgets[b].traits & BUDGET_CARRIES)
            walk_handover(archive, &ledger->handovers[p]);
    }
}

/* Newest first, as they are chained. */
static void load_pasts(struct archive *archive, struct ledger *ledger, uint32_t b)
{
    uint32_t len = 0, *link = &ledger->cold[b].past;
    uint64_t room = (uint64_t)slots_room(&ledger->room) * PATH_BUDGETS;
    archive_count(archive, &len, room - ledger->pasts_len);
    for (uint32_t i = 0; i < len && !archive->error; i++) {
        uint32_t p = ++ledger->pasts_len;
        ledger->pasts[p] = (struct past){.budget = b};
        walk_past(archive, &ledger->pasts[p]);
        if (ledger->budgets[b].traits & BUDGET_CARRIES)
            walk_handover(archive, &ledger->handovers[p]);
        ledger->handovers[p].newer = i ? p - 1 : 0;
        *link = p;
        link = &ledger->pasts[p].next;
    }
}

static void walk_budget_text(struct archive *archive, struct ledger *ledger, uint32_t b)
{
    struct slice id = {0};
    uint32_t ppm[METE_THRESHOLDS_MAX] = {0};
    uint64_t len = 0;
    if (!archive->loads) {
        id = budgets_id(ledger, b);
        len = budgets_thresholds(ledger, b, ppm);
    }
    archive_text(archive, &id, LIMIT_ID);
    char copy[LIMIT_ID]; /* a loaded text lives until the next field */
    memcpy(copy, id.data, id.len);
    id.data = copy;
    len = archive_up_to(archive, len, METE_THRESHOLDS_MAX);
    for (uint64_t i = 0; i < len; i++)
        archive_u32(archive, &ppm[i]);
    if (archive->loads && archive_expect(archive, id.len > 0))
        budgets_write_text(ledger, b, id, ppm, (size_t)len);
}

/* Its bucket's bounds as well are what later arithmetic rests on. */
static void walk_ring(struct archive *archive, struct ledger *ledger, uint32_t b)
{
    const struct budget *budget = &ledger->budgets[b];
    struct extra *extra = extras_of(ledger, b);
    bool rolls = budget->traits & BUDGET_ROLLING, counts = !(budget->traits & BUDGET_TEMPLATE);
    (void)archive_expect(archive, rolls == (counts && budget->period == METE_ROLLING));
    (void)archive_expect(archive, !rolls || (extra && extra->window_seconds));
    bool carries = ledger->budgets[b].traits & BUDGET_CARRIES;
    int64_t carried = extra ? extra->carried : 0;
    (void)archive_expect(archive, carries ? extra && carried >= 0 && carried <= METE_AMOUNT_MAX
                                          : carried == 0);
    if (!rolls || archive->error)
        return;
    if (archive->loads) {
        int64_t end_us = ledger->cold[b].window_end_us;
        bool holds = extra->window_seconds > 0 && extra->window_seconds <= LIMIT_ROLLING_S &&
                     end_us > 0 && end_us <= ENTRY_INSTANT_MAX_US;
        if (archive_expect(archive, holds))
            rolling_put(ledger, extra);
    }
    for (size_t i = 0; i < sizeof(struct buckets) / sizeof(int64_t); i++)
        archive_i64(archive, &ledger->buckets[extra->buckets].sums[i]);
}

static void walk_budget(struct archive *archive, struct ledger *ledger, uint32_t b)
{
    struct budget *budget = &ledger->budgets[b];
    struct budget_cold *cold = &ledger->cold[b];
    walk_budget_text(archive, ledger, b);
    archive_handle(archive, &budget->scope, ledger->scopes_len);
    archive_u32(archive, &budget->unit);
    archive_i64(archive, &budget->limit);
    archive_i64(archive, &budget->committed);
    archive_i64(archive, &budget->held);
    archive_i64(archive, &budget->window_start_us);
    archive_i64(archive, &budget->stale_at_us);
    archive_i64(archive, &budget->alarm_at);
    archive_u32(archive, &budget->open);
    budget->mode = archive_up_to(archive, budget->mode, METE_OFF) & 3;
    budget->life = archive_up_to(archive, budget->life, BUDGET_GONE) & 3;
    budget->period = archive_up_to(archive, budget->period, METE_PERIODS - 1) & 15;
    archive_u8(archive, &budget->fired);
    archive_u8(archive, &budget->traits);
    archive_i64(archive, &cold->window_end_us);
    archive_i64(archive, &cold->base_limit);
    archive_u32(archive, &cold->revision);
    archive_handle(archive, &cold->template_of, b - 1);
    uint32_t template = cold->template_of;
    (void)archive_expect(archive, !template || ledger->budgets[template].traits & BUDGET_TEMPLATE);
    archive_u32(archive, &cold->closed);
    extras_walk(archive, ledger, b);
    walk_ring(archive, ledger, b);
    if (!archive->loads) {
        save_pasts(archive, ledger, b);
        return;
    }
    load_pasts(archive, ledger, b);
    if (archive_expect(archive, budget->scope > 0) && budget->life != BUDGET_GONE)
        table_put(&ledger->budget_ids, b, budgets_hash(ledger, b));
    (void)archive_expect(archive, cold->extra || !(budget->traits & BUDGET_TEMPLATE));
    if (template && !archive->error)
        table_put(&ledger->defaults, b, templates_hash(ledger, b));
}

/* What scopes say of their budgets could not be looked at before these were there. */
static void expect_budgets_of_scopes(struct archive *archive, const struct ledger *ledger)
{
    for (uint32_t s = 1; s <= ledger->scopes_len && !archive->error; s++)
        for (unsigned i = 0; i < ledger->scopes[s].budgets_len; i++) {
            uint32_t budget = ledger->scopes[s].budgets[i];
            (void)archive_expect(archive, budget > 0 && budget <= ledger->budgets_len);
        }
}

static void walk_budgets(struct archive *archive, struct ledger *ledger)
{
    uint32_t len = ledger->budgets_len;
    archive_count(archive, &len, ledger->room.budgets);
    for (uint32_t b = 1; b <= len && !archive->error; b++) {
        if (archive->loads)
            ledger->budgets_len = b;
        walk_budget(archive, ledger, b);
    }
    if (archive->loads)
        expect_budgets_of_scopes(archive, ledger);
}

/* ---- Rate limits ----------------------------------------------------------------------------- */

static void walk_debt(struct archive *archive, struct rate *rate)
{
    uint64_t low = (uint64_t)rate->debt, high = (uint64_t)(rate->debt >> 64);
    archive_number(archive, &low);
    archive_number(archive, &high);
    (void)archive_expect(archive, high < UINT64_C(1) << 57);
    rate->debt = archive->error ? 0 : (int128)high << 64 | low;
}

static void walk_rate(struct archive *archive, struct ledger *ledger, uint32_t r)
{
    struct rate *rate = &ledger->rates[r];
    struct rate_cold *cold = &ledger->rate_colds[r];
    walk_texts(archive, ledger, &cold->text, 1);
    matches_walk(archive, ledger, &cold->matches);
    walk_debt(archive, rate);
    archive_i64(archive, &rate->limit);
    archive_i64(archive, &rate->burst);
    archive_i64(archive, &rate->at_us);
    archive_u32(archive, &rate->period_ms);
    archive_u32(archive, &rate->unit);
    archive_handle(archive, &rate->scope, ledger->scopes_len);
    archive_u32(archive, &rate->open);
    rate->mode = archive_up_to(archive, rate->mode, METE_OFF) & 3;
    rate->life = archive_up_to(archive, rate->life, RATE_GONE) & 3;
    rate->is_concurrent = archive_up_to(archive, rate->is_concurrent, 1) & 1;
    archive_u32(archive, &cold->revision);
    (void)archive_expect(archive, rate->scope > 0);
    if (!archive->loads || archive->error)
        return;
    rate->is_narrowed = cold->matches != 0;
    bool lives = rate->life == RATE_LIVES;
    if (lives && archive_expect(archive, rates_of_scope(ledger, rate->scope) < LIMIT_SCOPE_RATES))
        rates_enter(ledger, r);
}

static void walk_rates(struct archive *archive, struct ledger *ledger)
{
    uint32_t len = ledger->rates_len;
    archive_count(archive, &len, LIMIT_RATES);
    for (uint32_t r = 1; r <= len && !archive->error; r++) {
        if (archive->loads)
            ledger->rates_len = r;
        walk_rate(archive, ledger, r);
    }
}

/* ---- Reservations ---------------------------------------------------------------------------- */

/* All words of its chunks, also the last one's that nothing reads: what they mean is not known
 * here. */
static void walk_words(struct archive *archive, struct ledger *ledger, struct reservation *slot)
{
    uint64_t chunks = 0;
    for (uint32_t c = archive->loads ? 0 : slot->chunk; c; c = ledger->chunks[c - 1].next)
        chunks++;
    chunks = archive_up_to(archive, chunks, CHUNKS_EACH);
    for (unsigned i = 0; i < SLOT_WORDS; i++)
        archive_u32(archive, &slot->words[i]);
    uint32_t *link = &slot->chunk;
    for (; chunks && !archive->error; chunks--) {
        if (archive->loads)
            *link = ++ledger->chunks_len;
        struct chunk *chunk = &ledger->chunks[*link - 1];
        for (unsigned i = 0; i < CHUNK_WORDS; i++)
            archive_u32(archive, &chunk->words[i]);
        link = &chunk->next;
    }
}

/* Which of what is not counted it has, in the bits of one number: where there is an id alone, it is
 * 1, as before the others came to be. */
static void walk_labels(struct archive *archive, struct reservation *slot)
{
    uint64_t bits = slot->has_id | (uint64_t)slot->has_content << 1 |
                    (uint64_t)slot->has_session << 2 | (uint64_t)slot->has_tags << 3;
    bits = archive_up_to(archive, bits, 15);
    slot->has_id = bits & 1;
    slot->has_content = bits >> 1 & 1;
    slot->has_session = bits >> 2 & 1;
    slot->has_tags = bits >> 3 & 1;
    (void)archive_expect(archive, !slot->has_content || !slot->has_id);
}

static void walk_slot_head(struct archive *archive, struct ledger *ledger, struct reservation *slot)
{
    slot->is_call = archive_up_to(archive, slot->is_call, 1) & 1;
    slot->is_closed = archive_up_to(archive, slot->is_closed, 1) & 1;
    slot->is_committed = archive_up_to(archive, slot->is_committed, 1) & 1;
    slot->made_at_us = archive_up_to(archive, slot->made_at_us, (uint64_t)ENTRY_INSTANT_MAX_US) &
                       ((UINT64_C(1) << 58) - 1);
    slot->charges = archive_up_to(archive, slot->charges, 1) & 1;
    slot->amounts_len = archive_up_to(archive, slot->amounts_len, METE_DEMANDS_MAX) & 31;
    archive_i64(archive, &slot->granted);
    archive_handle(archive, &slot->scope, ledger->scopes_len);
    slot->model = (uint16_t)archive_up_to(archive, slot->model, ENTRY_NAME_WHOLE);
    slot->provider = (uint16_t)archive_up_to(archive, slot->provider, ENTRY_NAME_WHOLE);
    slot->takes_len = (uint32_t)archive_up_to(archive, slot->takes_len, TAKES_MAX) & 127;
    walk_labels(archive, slot);
    (void)archive_expect(archive, slot->scope > 0);
    (void)archive_expect(archive,
                         slot->model == ENTRY_NAME_WHOLE || slot->model <= ledger->names_len);
    (void)archive_expect(archive,
                         slot->provider == ENTRY_NAME_WHOLE || slot->provider <= ledger->names_len);
}

/* generation 0: a free one, and nothing follows. */
static void walk_slot(struct archive *archive, struct ledger *ledger, uint32_t index)
{
    struct reservation *slot = &ledger->slots[index];
    slot->generation = archive_up_to(archive, slot->generation, GENERATION_MAX) & GENERATION_MAX;
    if (!slot->generation)
        return;
    walk_slot_head(archive, ledger, slot);
    walk_words(archive, ledger, slot);
    if (slot->is_closed)
        return;
    if (slot->has_id)
        archive_u32(archive, &ledger->slot_hashes[index + 1]);
    int64_t expires_at_us = slot->is_call ? 0 : ledger->heap[slot->position].at_us;
    archive_i64(archive, &expires_at_us);
    if (!archive->loads ||
        !archive_expect(archive, slot->is_call || ledger->heap_len < ledger->room.reservations))
        return;
    if (slot->has_id)
        table_put(&ledger->open_requests, index + 1, ledger->slot_hashes[index + 1]);
    if (!slot->is_call)
        expiries_put(ledger, index, expires_at_us);
}

/* The order in which free slots will be used; a slot may be in it once. */
static void load_free(struct archive *archive, struct ledger *ledger)
{
    uint32_t *link = &ledger->slot_free, free_len = 0;
    for (uint32_t i = 0; i < ledger->slots_len; i++)
        free_len += ledger->slots[i].generation == 0;
    for (; free_len && !archive->error; free_len--) {
        uint32_t at = (uint32_t)archive_up_to(archive, 0, ledger->slots_len);
        struct reservation *slot = &ledger->slots[at ? at - 1 : 0];
        if (!archive_expect(archive, at && !slot->generation && !slot->position))
            return;
        slot->position = 1;
        *link = at;
        link = &slot->chunk;
    }
}

static void save_free(struct archive *archive, const struct ledger *ledger)
{
    for (uint32_t at = ledger->slot_free; at; at = ledger->slots[at - 1].chunk) {
        uint32_t saved = at;
        archive_u32(archive, &saved);
    }
}

static void walk_calls(struct archive *archive, struct ledger *ledger)
{
    uint32_t len = ledger->calls_len;
    archive_count(archive, &len, ledger->room.reservations);
    for (uint32_t i = 0; i < len && !archive->error; i++) {
        archive_u32(archive, &ledger->calls[i].slot);
        archive_i64(archive, &ledger->calls[i].at_us);
        uint32_t index = ledger->calls[i].slot;
        if (!archive->loads || !archive_expect(archive, index < ledger->slots_len))
            continue;
        struct reservation *slot = &ledger->slots[index];
        if (!archive_expect(archive, slot->generation && slot->is_call && !slot->is_closed))
            return;
        slot->position = i & SLOTS_MAX;
    }
    ledger->calls_len = len;
    if (!archive->loads)
        return;
    uint32_t calls = 0; /* each stands where it says, so none stands twice */
    for (uint32_t i = 0; i < ledger->slots_len && !archive->error; i++) {
        const struct reservation *slot = &ledger->slots[i];
        bool is_call = slot->generation && slot->is_call && !slot->is_closed;
        calls += is_call;
        (void)archive_expect(
            archive, !is_call || (slot->position < len && ledger->calls[slot->position].slot == i));
    }
    (void)archive_expect(archive, calls == len);
    (void)archive_expect(archive, ledger->heap_len + len <= ledger->room.reservations);
}

/* In the order of their ends; slot 0: was corrected. Each closed slot stands there once. */
static void walk_closed(struct archive *archive, struct ledger *ledger)
{
    uint32_t len = (uint32_t)(ledger->closed_end - ledger->closed_first), closed_len = 0;
    archive_number(archive, &ledger->closed_first);
    archive_count(archive, &len, closed_room(&ledger->room));
    (void)archive_expect(archive, ledger->closed_first < UINT64_MAX / 2);
    for (uint32_t i = 0; i < len && !archive->error; i++) {
        uint32_t at = (uint32_t)((ledger->closed_first + i) % closed_room(&ledger->room));
        struct closed *closed = &ledger->closed[at];
        archive_i64(archive, &closed->ended_at_us);
        archive_number(archive, &closed->seq);
        archive_handle(archive, &closed->slot, ledger->slots_len);
        if (!archive->loads || !closed->slot)
            continue;
        closed_len++;
        if (archive_expect(archive, ledger->slots[closed->slot - 1].generation &&
                                        ledger->slots[closed->slot - 1].is_closed))
            ledger->slots[closed->slot - 1].position = at & SLOTS_MAX;
    }
    if (!archive->loads)
        return;
    ledger->closed_end = ledger->closed_first + len;
    for (uint32_t i = 0; i < ledger->slots_len && !archive->error; i++) {
        const struct reservation *slot = &ledger->slots[i];
        if (!slot->generation || !slot->is_closed)
            continue;
        closed_len--;
        (void)archive_expect(archive, ledger->closed[slot->position].slot == i + 1);
    }
    (void)archive_expect(archive, closed_len == 0);
}

static void walk_reservations(struct archive *archive, struct ledger *ledger)
{
    uint32_t len = ledger->slots_len;
    archive_count(archive, &len, slots_room(&ledger->room));
    for (uint32_t i = 0; i < len && !archive->error; i++) {
        if (archive->loads)
            ledger->slots_len = i + 1;
        walk_slot(archive, ledger, i);
    }
    if (archive->loads)
        load_free(archive, ledger);
    else
        save_free(archive, ledger);
    walk_calls(archive, ledger);
    walk_closed(archive, ledger);
}

/* ---- All ------------------------------------------------------------------------------------- */

static void walk_counts(struct archive *archive, struct ledger_counts *counts)
{
    uint64_t *const all[] = {&counts->scopes,     &counts->budgets,  &counts->reservations_open,
                             &counts->outcomes,   &counts->reserves, &counts->refused,
                             &counts->commits,    &counts->releases, &counts->expiries,
                             &counts->records,    &counts->overruns, &counts->repeats,
                             &counts->rates,      &counts->extends,  &counts->grants,
                             &counts->corrections};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        archive_number(archive, all[i]);
}

static int walk(struct archive *archive, struct ledger *ledger)
{
    walk_whole(archive, ledger);
    walk_names(archive, ledger);
    walk_zones_and_meters(archive, ledger);
    walk_scopes(archive, ledger);
    walk_budgets(archive, ledger);
    walk_rates(archive, ledger);
    quotas_walk(archive, ledger);
    exchanges_walk(archive, ledger);
    walk_reservations(archive, ledger);
    outcomes_walk(archive, ledger);
    walk_counts(archive, &ledger->counts);
    archive_end(archive);
    return archive->error;
}

int ledger_save(const struct ledger *ledger, int (*put)(void *user, struct slice piece), void *user)
{
    uint8_t room[LEDGER_PIECE];
    struct archive archive = {
        .put = put, .user = user, .w = {room, room + sizeof room}, .room = room};
    /* A saving walk changes nothing: the const is only lost on the way to what loads as well. */
    return walk(&archive, (struct ledger *)(uintptr_t)ledger);
}

int ledger_load(struct ledger *ledger, int (*get)(void *user, struct slice *ret_piece), void *user)
{
    ASSERT(ledger->last_seq == 0);
    struct archive archive = {.loads = true, .get = get, .user = user};
    return walk(&archive, ledger);
}
