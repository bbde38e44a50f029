/* SPDX-License-Identifier: Apache-2.0
 * Quotas: prepaid balances of a scope, one a unit, each made of grants.
 *
 * A reservation holds what it draws from grants, in order of (priority, expiry, handle); its end
 * turns what was used into drawn and returns the rest. Which grants, and how much of each, stands
 * in the reservation's words behind the quota's take, so that an end finds them whatever has
 * happened to the quota since (INV-02, INV-14).
 *
 * Every grant of a quota is in one of four places, so that what is used up or over is not walked
 * over again by each call:
 *
 *   ACTIVE   drawn < amount, in drawing order. Expired ones stay until somebody comes by
 *   SPENT    drawn up, but unexpired: it counts in the figures of a refusal until it expires
 *   REST     drawn up and without an expiry: only in the sums of its quota
 *   OUT      expired
 *
 * Places are a function of the grants and of last_at_us, and no part of the state hash; `older`
 * chains all of a quota's grants for those who want every one.
 *
 * Text of a grant: lengths of id and source, the id, the source. It is written anew, once, with
 * room for the longest, when a longer source comes than the first had room for.
 *
 * Considered and not done: a heap by drawing order (a quota has few grants that are neither used up
 * nor expired, and the one drawn from is nearly always the first). */
#include "ledger/quotas.h"

/* ---- Texts and finding ----------------------------------------------------------------------- */

struct grant_text {
    uint8_t id_len, source_len, source_room, spare;
};

static struct grant_text *text_of(const struct ledger *ledger, uint32_t grant)
{
    ASSERT(grant > 0 && grant <= ledger->grants_len);
    return (struct grant_text *)(void *)texts_at(&ledger->texts, ledger->grant_cold[grant].text);
}

struct slice quotas_grant_id(const struct ledger *ledger, uint32_t grant)
{
    const struct grant_text *text = text_of(ledger, grant);
    return (struct slice){(const char *)(text + 1), text->id_len};
}

struct slice quotas_grant_source(const struct ledger *ledger, uint32_t grant)
{
    const struct grant_text *text = text_of(ledger, grant);
    return (struct slice){(const char *)(text + 1) + text->id_len, text->source_len};
}

uint64_t quotas_text_max(void)
{
    return sizeof(struct grant_text) + LIMIT_ID + LIMIT_SOURCE;
}

static void write_text(struct ledger *ledger, uint32_t grant, struct slice id, size_t source_room)
{
    uint32_t at = texts_take(&ledger->texts, sizeof(struct grant_text) + id.len + source_room);
    struct grant_text *text = (struct grant_text *)(void *)texts_at(&ledger->texts, at);
    *text = (struct grant_text){.id_len = (uint8_t)id.len, .source_room = (uint8_t)source_room};
    memcpy(text + 1, id.data, id.len);
    ledger->grant_cold[grant].text = at;
}

static void set_source(struct ledger *ledger, uint32_t grant, struct slice source)
{
    ASSERT(source.len <= LIMIT_SOURCE);
    if (source.len > text_of(ledger, grant)->source_room)
        write_text(ledger, grant, quotas_grant_id(ledger, grant), LIMIT_SOURCE);
    struct grant_text *text = text_of(ledger, grant);
    text->source_len = (uint8_t)source.len;
    if (source.len)
        memcpy((char *)(text + 1) + text->id_len, source.data, source.len);
}

static uint32_t organization_of(const struct ledger *ledger, uint32_t grant)
{
    return scopes_organization(ledger, ledger->quotas[ledger->grants[grant].quota].scope);
}

static uint32_t hash_key(uint32_t organization, struct slice id)
{
    return texts_mix(texts_hash(id), organization);
}

uint32_t quotas_hash_grant(const void *owner, uint32_t grant)
{
    const struct ledger *ledger = owner;
    return hash_key(organization_of(ledger, grant), quotas_grant_id(ledger, grant));
}

uint32_t ledger_find_grant(const struct ledger *ledger, uint32_t organization, struct slice id)
{
    uint32_t grant = table_first(&ledger->grant_ids, hash_key(organization, id));
    while (grant && !(slice_equal(quotas_grant_id(ledger, grant), id) &&
                      organization_of(ledger, grant) == organization))
        grant = table_next(&ledger->grant_ids, grant);
    return grant;
}

uint32_t quotas_of(const struct ledger *ledger, uint32_t scope, uint32_t unit)
{
    uint32_t quota = ledger->scopes[scope].quotas;
    while (quota && ledger->quotas[quota].unit != unit)
        quota = ledger->quotas[quota].next;
    return quota;
}

/* ---- Places ---------------------------------------------------------------------------------- */

/* Whether a is drawn from before b. */
static bool is_before(const struct ledger *ledger, uint32_t a, uint32_t b)
{
    const struct grant *x = &ledger->grants[a], *y = &ledger->grants[b];
    if (x->priority != y->priority)
        return x->priority < y->priority;
    return x->expires_at_us != y->expires_at_us ? x->expires_at_us < y->expires_at_us : a < b;
}

static void add_to_rest(struct quota *quota, const struct grant *grant, int sign)
{
    quota->rest_amount += sign * (int128)grant->amount;
    quota->rest_drawn += sign * (int128)grant->drawn;
    quota->rest_held += sign * (int128)grant->held;
}

/* Takes it from where it is; it is OUT. */
static void leave(struct ledger *ledger, uint32_t handle)
{
    struct grant *grant = &ledger->grants[handle];
    struct quota *quota = &ledger->quotas[grant->quota];
    if (grant->place == GRANT_REST)
        add_to_rest(quota, grant, -1);
    if (grant->place == GRANT_ACTIVE || grant->place == GRANT_SPENT) {
        uint32_t *first = grant->place == GRANT_ACTIVE ? &quota->first : &quota->spent;
        if (grant->previous)
            ledger->grants[grant->previous].next = grant->next;
        else
            *first = grant->next;
        if (grant->next)
            ledger->grants[grant->next].previous = grant->previous;
    }
    grant->next = 0;
    grant->previous = 0;
    grant->place = GRANT_OUT;
}

/* Puts it between previous, which may be 0, and what came after that. */
static void link_after(struct ledger *ledger, uint32_t handle, uint32_t *first, uint32_t previous)
{
    struct grant *grant = &ledger->grants[handle];
    uint32_t *link = previous ? &ledger->grants[previous].next : first;
    grant->previous = previous;
    grant->next = *link;
    *link = handle;
    if (grant->next)
        ledger->grants[grant->next].previous = handle;
}

static void enter_active(struct ledger *ledger, uint32_t handle)
{
    uint32_t *first = &ledger->quotas[ledger->grants[handle].quota].first;
    uint32_t previous = 0;
    for (uint32_t at = *first; at && is_before(ledger, at, handle); at = ledger->grants[at].next)
        previous = at;
    link_after(ledger, handle, first, previous);
}

/* Where it belongs once time has come to now. */
static enum grant_place belongs(const struct grant *grant, int64_t now_us)
{
    if (now_us >= grant->expires_at_us)
        return GRANT_OUT;
    if (grant->drawn < grant->amount)
        return GRANT_ACTIVE;
    return grant->expires_at_us == INT64_MAX ? GRANT_REST : GRANT_SPENT;
}

static void find_place(struct ledger *ledger, uint32_t handle, int64_t now_us)
{
    struct grant *grant = &ledger->grants[handle];
    struct quota *quota = &ledger->quotas[grant->quota];
    enum grant_place place = belongs(grant, now_us);
    if (place == grant->place)
        return;
    leave(ledger, handle);
    if (place == GRANT_ACTIVE)
        enter_active(ledger, handle);
    if (place == GRANT_SPENT)
        link_after(ledger, handle, &quota->spent, 0);
    if (place == GRANT_REST)
        add_to_rest(quota, grant, 1);
    grant->place = (uint8_t)place;
}

/* Moves its figures, and it to where it then belongs. */
static void shift(struct ledger *ledger, uint32_t handle, int64_t drawn, int64_t held,
                  int64_t now_us)
{
    struct grant *grant = &ledger->grants[handle];
    if (grant->place == GRANT_REST)
        leave(ledger, handle);
    grant->drawn += drawn;
    grant->held += held;
    ledger->drawn_sum += (uint64_t)drawn;
    ASSERT_INV("INV-14", grant->drawn >= 0 && grant->held >= 0);
    find_place(ledger, handle, now_us);
}

/* The next of a chain from `at` on that is unexpired; 0: none. Takes out what was expired by the
 * last entry already: whatever comes will come later, so that it is out for everybody. */
static uint32_t next_unexpired(const struct ledger *ledger, uint32_t at, int64_t now_us)
{
    while (at && now_us >= ledger->grants[at].expires_at_us) {
        uint32_t next = ledger->grants[at].next;
        if (ledger->last_at_us >= ledger->grants[at].expires_at_us)
            leave((struct ledger *)(uintptr_t)ledger, at); /* no part of what it decides */
        at = next;
    }
    return at;
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static int64_t left_of(const struct grant *grant)
{
    return grant->amount - (grant->drawn + grant->held);
}

static int64_t clamp(int128 wide)
{
    if (wide > INT64_MAX)
        return INT64_MAX;
    return wide < INT64_MIN ? INT64_MIN : (int64_t)wide;
}

int64_t quotas_cover(const struct ledger *ledger, uint32_t quota, size_t draws, int64_t now_us)
{
    int128 cover = 0;
    uint32_t at = next_unexpired(ledger, ledger->quotas[quota].first, now_us);
    while (at && draws > 0) {
        const struct grant *grant = &ledger->grants[at];
        if (left_of(grant) > 0) {
            cover += left_of(grant);
            draws--;
        }
        at = next_unexpired(ledger, grant->next, now_us);
    }
    return clamp(cover);
}

/* What it could cover if nothing were held. */
static int64_t cover_unheld(const struct ledger *ledger, uint32_t quota, int64_t now_us)
{
    int128 cover = 0;
    uint32_t at = next_unexpired(ledger, ledger->quotas[quota].first, now_us);
    for (unsigned i = 0; at && i < LIMIT_DRAWS; i++) {
        cover += ledger->grants[at].amount - ledger->grants[at].drawn;
        at = next_unexpired(ledger, ledger->grants[at].next, now_us);
    }
    return clamp(cover);
}

struct sums {
    int128 amount, drawn, held;
};

static void add_chain(const struct ledger *ledger, uint32_t first, int64_t now_us,
                      struct sums *sums)
{
    uint32_t at = next_unexpired(ledger, first, now_us);
    while (at) {
        const struct grant *grant = &ledger->grants[at];
        sums->amount += grant->amount;
        sums->drawn += grant->drawn;
        sums->held += grant->held;
        at = next_unexpired(ledger, grant->next, now_us);
    }
}

static struct sums sums_of(const struct ledger *ledger, uint32_t handle, int64_t now_us)
{
    const struct quota *quota = &ledger->quotas[handle];
    struct sums sums = {quota->rest_amount, quota->rest_drawn, quota->rest_held};
    add_chain(ledger, quota->first, now_us, &sums);
    add_chain(ledger, quota->spent, now_us, &sums);
    return sums;
}

int64_t quotas_refuse(const struct ledger *ledger, uint32_t handle, int64_t asked, int64_t now_us,
                      struct mete_refusal *ret_refusal)
{
    const struct quota *quota = &ledger->quotas[handle];
    struct sums sums = sums_of(ledger, handle, now_us);
    *ret_refusal = (struct mete_refusal){.reason = METE_QUOTA,
                                         .scope = {quota->scope},
                                         .meter = unit_meter(quota->unit),
                                         .currency = unit_currency(quota->unit),
                                         .limit = clamp(sums.amount),
                                         .committed = clamp(sums.drawn),
                                         .held = clamp(sums.held),
                                         .asked = asked,
                                         .resets_at = {INT64_MAX}};
    return asked <= cover_unheld(ledger, handle, now_us) ? 0 : INT64_MAX;
}

/* ---- Drawing --------------------------------------------------------------------------------- */

static void add_draw(struct draws *draws, uint32_t grant, int64_t amount)
{
    if (draws->len > 0 && draws->at[draws->len - 1].grant == grant) {
        draws->at[draws->len - 1].amount += amount;
        return;
    }
    ASSERT(draws->len < DRAWS_MAX);
    draws->at[draws->len++] = (struct draw){grant, amount};
}

/* Takes an amount from the grants in order, from at most as many as given: into held, or at once
 * into drawn. Returns what they could not give. */
static int64_t draw(struct ledger *ledger, uint32_t quota, int64_t amount, size_t grants,
                    bool holds, int64_t now_us, struct draws *draws)
{
    uint32_t at = next_unexpired(ledger, ledger->quotas[quota].first, now_us);
    while (at && amount > 0 && grants > 0) {
        uint32_t next = ledger->grants[at].next;
        int64_t part = min_i64(left_of(&ledger->grants[at]), amount);
        if (part > 0) {
            shift(ledger, at, holds ? 0 : part, holds ? part : 0, now_us);
            ASSERT_INV("INV-14", left_of(&ledger->grants[at]) >= 0);
            add_draw(draws, at, part);
            amount -= part;
            grants--;
        }
        at = next_unexpired(ledger, next, now_us);
    }
    return amount;
}

bool quotas_take(struct ledger *ledger, uint32_t quota, int64_t amount, int64_t now_us,
                 struct draws *draws)
{
    ASSERT(amount >= 0 && draws->len <= LIMIT_DRAWS);
    return draw(ledger, quota, amount, LIMIT_DRAWS - draws->len, true, now_us, draws) == 0;
}

void quotas_give_back(struct ledger *ledger, int64_t amount, int64_t now_us, struct draws *draws)
{
    ASSERT(amount >= 0);
    while (amount > 0 && draws->len > 0) {
        struct draw *last = &draws->at[draws->len - 1];
        int64_t part = min_i64(last->amount, amount);
        shift(ledger, last->grant, 0, -part, now_us);
        last->amount -= part;
        amount -= part;
        draws->len -= last->amount == 0;
    }
    ASSERT_INV("INV-02", amount == 0);
}

/* Whether what nobody granted can be counted at all. */
static bool can_overrun(const struct ledger *ledger, uint32_t quota, int64_t amount)
{
    const struct grant *last = &ledger->grants[ledger->quotas[quota].last];
    int64_t sum;
    return checked_add(last->drawn + last->held, amount, &sum);
}

static void tell_overrun(const struct ledger *ledger, const struct entry *entry, uint32_t handle,
                         struct ledger_effects *effects)
{
    struct mete_event *event = budgets_event(effects, entry, METE_EVENT_QUOTA_OVERRUN);
    if (!event)
        return;
    const struct grant *grant = &ledger->grants[handle];
    event->scope.n = ledger->quotas[grant->quota].scope;
    event->grant.n = handle;
    event->limit = grant->amount;
    event->committed = grant->drawn;
    event->held = grant->held;
}

/* Draws more than was held: from what the quota has, then from its last grant below zero. */
static bool draw_beyond(struct ledger *ledger, const struct entry *entry, uint32_t quota,
                        int64_t amount, struct draws *draws, struct ledger_effects *effects,
                        bool *overrun)
{
    amount = draw(ledger, quota, amount, LIMIT_DRAWS, false, entry->at_us, draws);
    if (amount == 0)
        return true;
    if (!can_overrun(ledger, quota, amount))
        return false;
    uint32_t last = ledger->quotas[quota].last;
    shift(ledger, last, amount, 0, entry->at_us);
    ledger->grants[last].overran = 1;
    add_draw(draws, last, amount);
    tell_overrun(ledger, entry, last, effects);
    *overrun = true;
    return true;
}

bool quotas_weigh(const struct ledger *ledger, uint32_t quota, int64_t held, int64_t used,
                  int64_t now_us, bool *overrun)
{
    if (used <= held)
        return true;
    *overrun |= used - held > quotas_cover(ledger, quota, LIMIT_DRAWS, now_us);
    return can_overrun(ledger, quota, used - held);
}

bool quotas_settle(struct ledger *ledger, const struct entry *entry, uint32_t quota, int64_t used,
                   struct draws *draws, struct ledger_effects *effects, bool *overrun)
{
    ASSERT(used >= 0);
    size_t len = 0;
    for (size_t i = 0; i < draws->len; i++) {
        struct draw held = draws->at[i];
        int64_t part = min_i64(held.amount, used);
        ASSERT_INV("INV-02", ledger->grants[held.grant].held >= held.amount);
        shift(ledger, held.grant, part, -held.amount, entry->at_us);
        used -= part;
        if (part > 0)
            draws->at[len++] = (struct draw){held.grant, part};
    }
    draws->len = len;
    return used == 0 || draw_beyond(ledger, entry, quota, used, draws, effects, overrun);
}

bool quotas_correct(struct ledger *ledger, const struct entry *entry, uint32_t quota,
                    int64_t difference, struct draws *draws, struct ledger_effects *effects,
                    bool *overrun)
{
    if (difference > 0)
        return draw_beyond(ledger, entry, quota, difference, draws, effects, overrun);
    while (difference < 0 && draws->len > 0) {
        struct draw *last = &draws->at[draws->len - 1];
        int64_t part = min_i64(last->amount, -difference);
        /* An administrator may have refunded some of it in the meantime. */
        shift(ledger, last->grant, -min_i64(part, ledger->grants[last->grant].drawn), 0,
              entry->at_us);
        last->amount -= part;
        difference += part;
        draws->len -= last->amount == 0;
    }
    return difference == 0;
}

/* ---- Administration -------------------------------------------------------------------------- */

static int64_t expiry_of(const struct mete_grant_spec *spec)
{
    return spec->expires_at.us ? spec->expires_at.us : INT64_MAX;
}

static void touch(struct ledger *ledger, const struct entry *entry, uint32_t quota)
{
    ledger->quotas[quota].revision = (uint32_t)(entry->seq & UINT32_MAX);
}

bool quotas_enter(struct ledger *ledger, uint32_t quota)
{
    uint32_t *link = &ledger->scopes[ledger->quotas[quota].scope].quotas;
    unsigned len = 0;
    for (; *link; link = &ledger->quotas[*link].next)
        len++;
    if (len >= LIMIT_SCOPE_QUOTAS)
        return false;
    *link = quota;
    return true;
}

/* The scope's quota in this unit, made if there is none; 0: no room for one. */
static uint32_t find_or_make(struct ledger *ledger, uint32_t scope, uint32_t unit)
{
    uint32_t quota = quotas_of(ledger, scope, unit);
    if (quota || ledger->quotas_len == LIMIT_QUOTAS)
        return quota;
    quota = ledger->quotas_len + 1;
    ledger->quotas[quota] = (struct quota){.scope = scope, .unit = unit};
    if (!quotas_enter(ledger, quota))
        return 0;
    ledger->quotas_len = quota;
    return quota;
}

void quotas_enter_grant(struct ledger *ledger, uint32_t handle, struct slice id,
                        struct slice source)
{
    const struct grant *grant = &ledger->grants[handle];
    struct quota *quota = &ledger->quotas[grant->quota];
    ledger->grant_cold[handle].older = quota->newest;
    quota->newest = handle;
    if (!quota->last || is_before(ledger, quota->last, handle))
        quota->last = handle;
    write_text(ledger, handle, id, source.len);
    set_source(ledger, handle, source);
    find_place(ledger, handle, ledger->last_at_us);
    table_put(&ledger->grant_ids, handle, quotas_hash_grant(ledger, handle));
}

static bool create(struct ledger *ledger, const struct entry *entry)
{
    const struct mete_grant_spec *spec = &entry->u.grant.spec;
    struct slice id = {spec->id.data, spec->id.len};
    if (ledger->grants_len == LIMIT_GRANTS || spec->scope.n == 0 ||
        spec->scope.n > ledger->scopes_len)
        return false;
    uint32_t organization = scopes_organization(ledger, spec->scope.n);
    if (ledger_find_grant(ledger, organization, id))
        return false;
    uint32_t quota = find_or_make(ledger, spec->scope.n, unit_of(spec->meter, spec->currency));
    if (!quota)
        return false;
    uint32_t handle = ++ledger->grants_len;
    ledger->grants[handle] = (struct grant){.amount = spec->amount,
                                            .expires_at_us = expiry_of(spec),
                                            .quota = quota,
                                            .priority = spec->priority,
                                            .place = GRANT_OUT};
    ledger->grant_cold[handle] = (struct grant_cold){.made_at_us = entry->at_us};
    quotas_enter_grant(ledger, handle, id, (struct slice){spec->source.data, spec->source.len});
    touch(ledger, entry, quota);
    ledger->counts.grants++;
    return true;
}

static void find_last(struct ledger *ledger, uint32_t quota)
{
    uint32_t last = ledger->quotas[quota].newest;
    for (uint32_t at = last; at; at = ledger->grant_cold[at].older)
        if (is_before(ledger, last, at))
            last = at;
    ledger->quotas[quota].last = last;
}

static bool update(struct ledger *ledger, const struct entry *entry)
{
    const struct mete_grant_spec *spec = &entry->u.grant.spec;
    uint32_t handle = entry->u.grant.handle;
    struct grant *grant = &ledger->grants[handle];
    const struct quota *quota = &ledger->quotas[grant->quota];
    struct slice id = {spec->id.data, spec->id.len};
    if (quota->ended || quota->scope != spec->scope.n ||
        quota->unit != unit_of(spec->meter, spec->currency) ||
        !slice_equal(quotas_grant_id(ledger, handle), id) ||
        (spec->amount < grant->amount && spec->amount < grant->drawn + grant->held))
        return false;
    leave(ledger, handle);
    grant->amount = spec->amount;
    grant->priority = spec->priority;
    grant->expires_at_us = expiry_of(spec);
    set_source(ledger, handle, (struct slice){spec->source.data, spec->source.len});
    find_place(ledger, handle, entry->at_us);
    find_last(ledger, grant->quota);
    touch(ledger, entry, grant->quota);
    return true;
}

bool quotas_apply_grant(struct ledger *ledger, const struct entry *entry)
{
    uint32_t handle = entry->u.grant.handle;
    if (handle == 0 || handle > ledger->grants_len + 1)
        return false;
    return handle == ledger->grants_len + 1 ? create(ledger, entry) : update(ledger, entry);
}

bool quotas_apply_refund(struct ledger *ledger, const struct entry *entry)
{
    uint32_t handle = entry->u.refund.grant;
    int64_t amount = entry->u.refund.amount;
    if (handle == 0 || handle > ledger->grants_len)
        return false;
    const struct grant *grant = &ledger->grants[handle];
    if (ledger->quotas[grant->quota].ended || amount < 1 || amount > grant->drawn)
        return false;
    shift(ledger, handle, -amount, 0, entry->at_us);
    touch(ledger, entry, grant->quota);
    return true;
}

/* Its grants keep their ids: a purchase that is delivered once more does not come to life again. */
static void end_at(struct ledger *ledger, uint32_t *link)
{
    struct quota *quota = &ledger->quotas[*link];
    ASSERT(!quota->ended);
    *link = quota->next;
    quota->next = 0;
    quota->ended = true;
    for (uint32_t at = quota->newest; at; at = ledger->grant_cold[at].older) {
        ASSERT(ledger->counts.grants > 0);
        ledger->counts.grants--;
    }
}

bool quotas_apply_end(struct ledger *ledger, const struct entry *entry)
{
    uint32_t scope = entry->u.quota_end.scope;
    uint32_t unit = unit_of(entry->u.quota_end.meter, entry->u.quota_end.currency);
    if (scope == 0 || scope > ledger->scopes_len)
        return false;
    uint32_t *link = &ledger->scopes[scope].quotas;
    while (*link && ledger->quotas[*link].unit != unit)
        link = &ledger->quotas[*link].next;
    if (!*link)
        return false;
    end_at(ledger, link);
    return true;
}

void quotas_end_all(struct ledger *ledger, uint32_t scope)
{
    while (ledger->scopes[scope].quotas)
        end_at(ledger, &ledger->scopes[scope].quotas);
}

/* ---- Looking --------------------------------------------------------------------------------- */

static void copy(char *ret_text, size_t room, struct slice text)
{
    ASSERT(text.len < room);
    memcpy(ret_text, text.data, text.len);
    ret_text[text.len] = 0;
}

int ledger_grant(const struct ledger *ledger, uint32_t handle, struct mete_instant now,
                 struct mete_grant_view *ret_view)
{
    if (handle == 0 || handle > ledger->grants_len)
        return METE_E_NOT_FOUND;
    const struct grant *grant = &ledger->grants[handle];
    const struct quota *quota = &ledger->quotas[grant->quota];
    if (quota->ended)
        return METE_E_NOT_FOUND;
    int64_t expires_at_us = grant->expires_at_us == INT64_MAX ? 0 : grant->expires_at_us;
    *ret_view = (struct mete_grant_view){.grant = {handle},
                                         .scope = {quota->scope},
                                         .meter = unit_meter(quota->unit),
                                         .currency = unit_currency(quota->unit),
                                         .priority = grant->priority,
                                         .amount = grant->amount,
                                         .drawn = grant->drawn,
                                         .held = grant->held,
                                         .expires_at = {expires_at_us},
                                         .made_at = {ledger->grant_cold[handle].made_at_us},
                                         .expired = now.us >= grant->expires_at_us};
    copy(ret_view->id, sizeof ret_view->id, quotas_grant_id(ledger, handle));
    copy(ret_view->source, sizeof ret_view->source, quotas_grant_source(ledger, handle));
    return 0;
}

size_t ledger_quotas(const struct ledger *ledger, uint32_t scope, struct mete_instant now,
                     struct mete_quota_view *ret_views, size_t max)
{
    size_t len = 0;
    if (scope == 0 || scope > ledger->scopes_len)
        return 0;
    for (uint32_t q = ledger->scopes[scope].quotas; q; q = ledger->quotas[q].next, len++) {
        if (len >= max)
            continue;
        uint32_t unit = ledger->quotas[q].unit;
        struct sums sums = sums_of(ledger, q, now.us);
        ret_views[len] =
            (struct mete_quota_view){.scope = {scope},
                                     .meter = unit_meter(unit),
                                     .currency = unit_currency(unit),
                                     .granted = clamp(sums.amount),
                                     .drawn = clamp(sums.drawn),
                                     .held = clamp(sums.held),
                                     .balance = clamp(sums.amount - sums.drawn - sums.held)};
    }
    return len;
}

/* Whether it is walked over when something is drawn. */
static bool is_drawn_from(const struct grant *grant, int64_t now_us)
{
    return belongs(grant, now_us) == GRANT_ACTIVE;
}

static void show(const struct ledger *ledger, uint32_t grant, struct mete_instant now,
                 struct mete_grant_view *ret_view)
{
    int error = ret_view ? ledger_grant(ledger, grant, now, ret_view) : 0;
    ASSERT(error == 0);
}

size_t ledger_grants(const struct ledger *ledger, uint32_t scope, uint16_t meter, uint32_t currency,
                     struct mete_instant now, struct mete_grant_view *ret_views, size_t max)
{
    size_t len = 0;
    uint32_t quota = scope > 0 && scope <= ledger->scopes_len
                         ? quotas_of(ledger, scope, unit_of(meter, currency))
                         : 0;
    if (!quota)
        return 0;
    uint32_t at = next_unexpired(ledger, ledger->quotas[quota].first, now.us);
    for (; at; at = next_unexpired(ledger, ledger->grants[at].next, now.us), len++)
        show(ledger, at, now, len < max ? &ret_views[len] : NULL);
    for (at = ledger->quotas[quota].newest; at; at = ledger->grant_cold[at].older) {
        if (is_drawn_from(&ledger->grants[at], now.us))
            continue;
        show(ledger, at, now, len < max ? &ret_views[len] : NULL);
        len++;
    }
    return len;
}

/* ---- The whole ------------------------------------------------------------------------------- */

uint64_t quotas_drift(const struct ledger *ledger)
{
    uint64_t drift = 0, sum = ledger->drawn_sum;
    for (uint32_t g = 1; g <= ledger->grants_len; g++) {
        drift += ledger->grants[g].held != 0;
        sum -= (uint64_t)ledger->grants[g].drawn;
    }
    return drift + (sum != 0);
}

static void check_grant(const struct ledger *ledger, uint32_t g)
{
    const struct grant *grant = &ledger->grants[g];
    const struct quota *quota = &ledger->quotas[grant->quota];
    ASSERT(grant->quota > 0 && grant->quota <= ledger->quotas_len);
    ASSERT_INV("INV-14", left_of(grant) >= 0 || grant->overran);
    ASSERT(ledger_find_grant(ledger, organization_of(ledger, g), quotas_grant_id(ledger, g)) == g);
    ASSERT(!is_before(ledger, quota->last, g));
    enum grant_place place = belongs(grant, ledger->last_at_us);
    ASSERT(place == grant->place || (place == GRANT_OUT && grant->place != GRANT_REST));
}

static void check_quota(const struct ledger *ledger, uint32_t q)
{
    const struct quota *quota = &ledger->quotas[q];
    int128 rest_amount = 0, rest_drawn = 0, rest_held = 0;
    uint32_t active = 0;
    for (uint32_t at = quota->newest; at; at = ledger->grant_cold[at].older) {
        const struct grant *grant = &ledger->grants[at];
        ASSERT(grant->quota == q && ledger->grant_cold[at].older < at);
        active += grant->place == GRANT_ACTIVE;
        if (grant->place != GRANT_REST)
            continue;
        rest_amount += grant->amount;
        rest_drawn += grant->drawn;
        rest_held += grant->held;
    }
    ASSERT(rest_amount == quota->rest_amount && rest_drawn == quota->rest_drawn &&
           rest_held == quota->rest_held);
    for (uint32_t at = quota->first; at; at = ledger->grants[at].next, active--) {
        uint32_t next = ledger->grants[at].next;
        ASSERT_INV("INV-14", next == 0 || is_before(ledger, at, next));
        ASSERT(ledger->grants[at].place == GRANT_ACTIVE && active > 0);
    }
    ASSERT(active == 0 && quota->newest > 0);
    ASSERT(quota->ended || quotas_of(ledger, quota->scope, quota->unit) == q);
}

void quotas_check(const struct ledger *ledger)
{
    for (uint32_t g = 1; g <= ledger->grants_len; g++)
        check_grant(ledger, g);
    for (uint32_t q = 1; q <= ledger->quotas_len; q++)
        check_quota(ledger, q);
}
