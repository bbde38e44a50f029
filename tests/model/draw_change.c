/* SPDX-License-Identifier: Apache-2.0
 * What is asked of the administration, and what of it is remembered. */
#include "model/words.h"
#include "model/world.h"

#include <string.h>

#define DAY_US INT64_C(86400000000)
#define PICK(tape, list) ((list)[tape_pick((tape), sizeof(list) / sizeof(list)[0])])

static struct mete_text name(struct world *w, size_t place, size_t which, uint32_t number)
{
    char *text = w->texts[place][which];
    int len = snprintf(text, sizeof w->texts[place][which], "n%u", number);
    return (struct mete_text){text, (size_t)len};
}

static int64_t draw_limit(const struct world *w, struct tape *tape)
{
    static const int64_t limits[] = {0, 100, 300, 500, 1000, 1000, 2000, 3000, 5000, 10000};
    return PICK(tape, limits) * w->unit + (int64_t)tape_pick(tape, 3);
}

static void draw_controls(struct tape *tape, struct mete_controls *ret_controls)
{
    static const uint32_t shares[] = {0, 0, 0, 500000, 800000, 900000, 1000000};
    static const uint32_t rates[] = {0, 100000, 333333, 500000, 1000000};
    static const uint32_t cooldowns[] = {0, 0, 0, 60, 3600, 86400};
    if (tape_chance(tape, 60))
        return;
    ret_controls->throttle_ppm = PICK(tape, shares);
    ret_controls->throttle_rate_ppm = PICK(tape, rates);
    ret_controls->stop_ppm = PICK(tape, shares);
    ret_controls->downgrade_ppm = PICK(tape, shares);
    ret_controls->cooldown_s = PICK(tape, cooldowns);
    if (!ret_controls->throttle_ppm)
        ret_controls->throttle_rate_ppm = 0;
}

/* Now and then a budget that has not begun, or ends soon. */
static void draw_dates(const struct world *w, struct tape *tape, struct mete_budget_spec *spec)
{
    static const int64_t steps_us[] = {1, INT64_C(60000000), INT64_C(3600000000),
                                       INT64_C(86400000000)};
    spec->starts_at.us = spec->ends_at.us = 0;
    if (!tape_chance(tape, 15))
        return;
    int64_t from_us = tape_chance(tape, 50) ? w->now_us + PICK(tape, steps_us) : 0;
    spec->starts_at.us = spec->rollover_cap ? 0 : from_us;
    if (!spec->starts_at.us || tape_chance(tape, 50))
        spec->ends_at.us =
            (spec->starts_at.us ? spec->starts_at.us : w->now_us) + PICK(tape, steps_us);
}

/* What may change of a budget. */
static void draw_changeable(const struct world *w, struct tape *tape, struct mete_budget_spec *spec)
{
    static const enum mete_mode modes[] = {METE_ENFORCE, METE_ENFORCE, METE_ENFORCE, METE_ENFORCE,
                                           METE_SHADOW,  METE_SHADOW,  METE_OFF};
    static const uint32_t shares[] = {1, 500000, 800000, 900000, 999999, 1000000};
    spec->limit = draw_limit(w, tape);
    spec->mode = PICK(tape, modes);
    spec->thresholds_len = 0;
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++)
        if (tape_chance(tape, 25))
            spec->thresholds_ppm[spec->thresholds_len++] = shares[i];
    spec->soft_limit = features[FEATURE_SOFT] && tape_chance(tape, 30) ? draw_limit(w, tape) : 0;
    spec->rollover_cap = 0;
    if (features[FEATURE_ROLLOVER] && spec->period != METE_TOTAL && spec->period != METE_ROLLING &&
        tape_chance(tape, 40))
        spec->rollover_cap = draw_limit(w, tape);
    spec->controls = (struct mete_controls){0};
    if (features[FEATURE_CONTROLS])
        draw_controls(tape, &spec->controls);
    draw_dates(w, tape, spec);
}

static size_t draw_matches(struct tape *tape, struct mete_match *ret_matches)
{
    static const unsigned char models[] = {WORD_GPT, WORD_GPT_STAR, WORD_STAR, WORD_CLAUDE_STAR,
                                           WORD_G_STAR};
    static const unsigned char providers[] = {WORD_OPENAI, WORD_AZ_STAR, WORD_STAR};
    static const unsigned char tags[] = {WORD_RED, WORD_G_STAR, WORD_STAR, WORD_BLUE};
    static const unsigned char sessions[] = {WORD_SESSION_1, WORD_S_STAR, WORD_STAR};
    size_t len = 0;
    if (!features[FEATURE_MATCHES] || !tape_chance(tape, 30))
        return 0;
    while (len < 4 && (len == 0 || tape_chance(tape, 50))) {
        struct mete_match *match = &ret_matches[len++];
        match->kind = METE_MATCH_MODEL + (unsigned)tape_pick(tape, 4);
        match->pattern =
            match->kind == METE_MATCH_MODEL      ? draw_word(tape, models, sizeof models)
            : match->kind == METE_MATCH_PROVIDER ? draw_word(tape, providers, sizeof providers)
            : match->kind == METE_MATCH_TAG      ? draw_word(tape, tags, sizeof tags)
                                                 : draw_word(tape, sessions, sizeof sessions);
    }
    return len;
}

static void draw_unit_of(const struct world *w, struct tape *tape, uint16_t *ret_meter,
                         uint32_t *ret_currency)
{
    static const unsigned char likely[] = {0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8};
    size_t unit = PICK(tape, likely);
    if (!features[FEATURE_METERS] && unit >= 4 && unit != 7)
        unit = 1;
    if (units[unit].meter == METE_METER_CUSTOM && !w->meters_len)
        unit = 0;
    *ret_meter = units[unit].meter;
    *ret_currency = units[unit].currency;
}

static void draw_period(struct tape *tape, struct mete_budget_spec *spec)
{
    static const unsigned char zones[] = {WORD_NONE,      WORD_UTC,       WORD_BERLIN,
                                          WORD_NEW_YORK,  WORD_KOLKATA,   WORD_LORD_HOWE,
                                          WORD_SAO_PAULO, WORD_KATHMANDU, WORD_CHATHAM};
    static const enum mete_period plain[] = {METE_HOURLY, METE_DAILY, METE_MONTHLY, METE_TOTAL};
    static const int64_t windows_s[] = {60, 3600, 64, 6400, 86400, 7 * 86400, 1, 100};
    static const int64_t days[] = {1, 2, 15, 28, 29, 30, 31};
    static const int64_t dates[] = {101, 229, 401, 1001, 630, 1231, 430};
    spec->period = features[FEATURE_PERIODS] ? (enum mete_period)tape_pick(tape, METE_ROLLING)
                                             : PICK(tape, plain);
    if (features[FEATURE_ROLLING] && tape_chance(tape, 15)) {
        spec->period = METE_ROLLING;
        spec->window_seconds = PICK(tape, windows_s);
    }
    if (features[FEATURE_ZONES])
        spec->time_zone = draw_word(tape, zones, sizeof zones);
    if (!features[FEATURE_ANCHORS] || tape_chance(tape, 50))
        return;
    if (spec->period == METE_DAILY)
        spec->anchor = (int64_t)tape_pick(tape, 24) * 3600 + (int64_t)tape_pick(tape, 2) * 1799;
    if (spec->period == METE_WEEKLY)
        spec->anchor = 1 + (int64_t)tape_pick(tape, 7);
    if (spec->period == METE_MONTHLY)
        spec->anchor = PICK(tape, days);
    if (spec->period == METE_QUARTERLY || spec->period == METE_YEARLY)
        spec->anchor = PICK(tape, dates);
}

static void draw_budget_put(struct world *w, struct tape *tape, size_t place,
                            struct mete_change *change)
{
    struct mete_budget_spec *spec = &change->budget;
    change->kind = METE_PUT_BUDGET;
    if (w->budgets_len && tape_chance(tape, w->budgets_len < 12 ? 30 : 80)) {
        *spec = w->budgets[tape_pick(tape, w->budgets_len)];
        if (tape_chance(tape, 70)) {
            draw_changeable(w, tape, spec);
        } else {
            spec->limit = draw_limit(w, tape);
        }
        if (tape_chance(tape, 2)) { /* what cannot change */
            spec->period = spec->period == METE_DAILY ? METE_HOURLY : METE_DAILY;
            spec->anchor = spec->window_seconds = 0;
        }
        spec->id = name(w, place, 0, (uint32_t)(uintptr_t)spec->id.len);
        return;
    }
    *spec = (struct mete_budget_spec){.id = name(w, place, 0, ++w->ids),
                                      .scope = {draw_scope(w, tape)}};
    draw_unit_of(w, tape, &spec->meter, &spec->currency);
    draw_period(tape, spec);
    draw_changeable(w, tape, spec);
    spec->matches_len = draw_matches(tape, spec->matches);
    static const enum mete_kind kinds[] = {METE_USER, METE_API_KEY, METE_API_KEY, METE_CAMPAIGN,
                                           METE_DEPARTMENT};
    if (features[FEATURE_TEMPLATES] && tape_chance(tape, 8)) {
        spec->for_kind = PICK(tape, kinds);
        spec->scope.n = draw_organization(w, tape);
    }
}

/* Of a meter that a call is known to demand; small where amounts are large, or it would not fit. */
static void draw_rate_put(struct world *w, struct tape *tape, size_t place,
                          struct mete_change *change)
{
    static const int64_t periods_ms[] = {1, 1000, 1000, 60000, 60000, 3600000, 86400000};
    static const int64_t limits[] = {0, 1, 2, 5, 10, 50, 100, 100, 500, 1000};
    static const enum mete_mode modes[] = {METE_ENFORCE, METE_ENFORCE, METE_ENFORCE, METE_ENFORCE,
                                           METE_SHADOW,  METE_SHADOW,  METE_OFF};
    struct mete_rate_spec *spec = &change->rate;
    change->kind = METE_PUT_RATE_LIMIT;
    if (w->rates_len && tape_chance(tape, w->rates_len < 6 ? 40 : 80)) {
        *spec = w->rates[tape_pick(tape, w->rates_len)];
        spec->id = name(w, place, 0, (uint32_t)spec->id.len);
        if (tape_chance(tape, 2))
            spec->concurrent = !spec->concurrent;
    } else {
        *spec = (struct mete_rate_spec){.id = name(w, place, 0, ++w->ids),
                                        .scope = {draw_scope(w, tape)},
                                        .concurrent = tape_chance(tape, 30)};
        if (!spec->concurrent)
            draw_unit_of(w, tape, &spec->meter, &spec->currency);
        spec->matches_len = draw_matches(tape, spec->matches);
    }
    bool is_plain = spec->meter == METE_REQUESTS || spec->concurrent || tape_chance(tape, 3);
    int64_t unit = is_plain ? 1 : w->unit;
    spec->limit = PICK(tape, limits) * unit;
    spec->mode = PICK(tape, modes);
    spec->period_ms = spec->burst = 0;
    if (spec->concurrent) {
        spec->limit /= 10;
        return;
    }
    spec->period_ms = unit > 1000000 ? 1 : PICK(tape, periods_ms);
    spec->burst = tape_chance(tape, 50) ? 0 : PICK(tape, limits) * unit;
}

/* Mostly of a meter that is demanded often, and for a few calls. */
static void draw_grant_put(struct world *w, struct tape *tape, size_t place,
                           struct mete_change *change)
{
    static const unsigned char likely[] = {0, 0, 0, 0, 1, 1, 2, 3, 4};
    static const unsigned char sources[] = {WORD_NONE, WORD_PURCHASE};
    struct mete_grant_spec *spec = &change->grant;
    int64_t taken = 0;
    change->kind = METE_PUT_GRANT;
    if (w->grants_len && tape_chance(tape, 30)) {
        size_t at = tape_pick(tape, w->grants_len);
        taken = w->grant_taken[at];
        *spec = w->grants[at];
        spec->id = name(w, place, 0, (uint32_t)spec->id.len);
        if (tape_chance(tape, 3))
            spec->meter = METE_IMAGES, spec->currency = 0;
    } else {
        size_t unit = PICK(tape, likely);
        *spec = (struct mete_grant_spec){.id = name(w, place, 0, ++w->ids),
                                         .scope = {draw_scope(w, tape)},
                                         .meter = units[unit].meter,
                                         .currency = units[unit].currency};
        if (w->grants_len && tape_chance(tape, 70)) { /* another of the same quota */
            const struct mete_grant_spec *other = &w->grants[tape_pick(tape, w->grants_len)];
            spec->scope = other->scope;
            spec->meter = other->meter;
            spec->currency = other->currency;
        }
    }
    spec->amount = draw_limit(w, tape) / (tape_chance(tape, 60) ? 10 : 1);
    if (tape_chance(tape, 30))
        spec->amount = draw_amount(w, tape);
    if (taken && tape_chance(tape, 50)) /* about what may not be taken away */
        spec->amount = taken - (int64_t)tape_pick(tape, 3);
    if (spec->amount < 0)
        spec->amount = 0;
    spec->priority = (uint32_t)tape_pick(tape, 3);
    spec->source = draw_word(tape, sources, sizeof sources);
    spec->expires_at.us = 0;
    if (tape_chance(tape, 50)) {
        spec->expires_at.us = w->now_us + ((int64_t)tape_pick(tape, 20) - 2) * (DAY_US / 48);
        edge(w, spec->expires_at.us);
    }
}

static void draw_quota_end(struct world *w, struct tape *tape, struct mete_change *change)
{
    const struct mete_grant_spec *spec = &w->grants[tape_pick(tape, w->grants_len)];
    change->kind = METE_END_QUOTA;
    change->at = spec->scope;
    change->grant.meter = spec->meter;
    change->grant.currency = spec->currency;
}

static void draw_refund(struct world *w, struct tape *tape, struct mete_change *change)
{
    change->kind = METE_REFUND;
    change->refund.n = w->grant_handles[tape_pick(tape, w->grants_len)];
    change->amount = draw_amount(w, tape) / 4 + 1;
}

static void draw_increase(struct world *w, struct tape *tape, struct mete_change *change)
{
    struct mete_increase_spec *spec = &change->increase;
    change->kind = METE_PUT_INCREASE;
    spec->budget.n = draw_budget(w, tape);
    spec->amount = draw_limit(w, tape) / 2 + 1;
    spec->from.us = w->now_us + ((int64_t)tape_pick(tape, 20) - 8) * (DAY_US / 48);
    spec->until.us = spec->from.us + (int64_t)tape_pick(tape, 40) * (DAY_US / 48);
    edge(w, spec->from.us);
    edge(w, spec->until.us);
}

static void draw_increase_end(struct world *w, struct tape *tape, struct mete_change *change)
{
    const struct increase *increase =
        &w->increases[tape_pick(tape, w->increases_len < INCREASES ? w->increases_len : INCREASES)];
    change->kind = METE_END_INCREASE;
    change->end.n = increase->budget;
    change->end_increase = increase->number;
}

void draw_exchange(const struct world *w, struct tape *tape, struct mete_change *change)
{
    static const size_t currencies[] = {0, 3, 7}; /* of units */
    static const int64_t shares[] = {1, 2, 7, 93, 100, 1000, 1087, 1000003};
    size_t from = tape_pick(tape, 3), to = (from + 1 + tape_pick(tape, 2)) % 3;
    struct mete_exchange_spec *spec = &change->exchange;
    *change = (struct mete_change){.kind = METE_PUT_EXCHANGE};
    spec->from = units[currencies[from]].currency;
    spec->to = units[currencies[to]].currency;
    spec->numerator = PICK(tape, shares);
    spec->denominator = spec->numerator > 1000 ? 999983 : PICK(tape, shares);
    if (spec->denominator > 1000 && spec->numerator <= 1000)
        spec->denominator = 10;
    spec->effective_at.us = w->now_us + ((int64_t)tape_pick(tape, 20) - 15) * (DAY_US / 48);
}

/* What is dated, lifted, moved or deleted. */
static void draw_rare(struct world *w, struct tape *tape, struct mete_change *change)
{
    size_t kind = tape_pick(tape, 16);
    change->kind = METE_END_BUDGET;
    if (kind < 6 && features[FEATURE_INCREASES]) {
        draw_increase(w, tape, change);
    } else if (kind < 8 && w->increases_len) {
        draw_increase_end(w, tape, change);
    } else if (kind < 11 && features[FEATURE_CONTROLS]) {
        change->kind = METE_LIFT_STOP;
        change->end.n = draw_budget(w, tape);
    } else if (kind < 12 && features[FEATURE_END_SCOPE]) {
        change->kind = METE_END_SCOPE;
        change->at.n = draw_scope(w, tape);
    } else if (kind < 15 && features[FEATURE_MOVE_SCOPE]) {
        change->kind = METE_MOVE_SCOPE;
        change->at.n = draw_scope(w, tape);
        change->parent.n = draw_scope(w, tape);
    } else {
        change->end.n = draw_budget(w, tape);
    }
}

uint32_t draw_organization(const struct world *w, struct tape *tape)
{
    const struct scope *scope = &w->scopes[tape_pick(tape, w->scopes_len)];
    return scope->organization ? scope->organization : scope->handle;
}

static void draw_scope_put(struct world *w, struct tape *tape, size_t place,
                           struct mete_change *change)
{
    struct mete_scope_spec *spec = &change->scope;
    change->kind = METE_PUT_SCOPE;
    if (w->scopes_len < 10 || (w->scopes_len < SCOPES && tape_chance(tape, 10))) {
        const struct scope *parent = &w->scopes[tape_pick(tape, w->scopes_len)];
        uint32_t organization = parent->organization ? parent->organization : parent->handle;
        *spec = (struct mete_scope_spec){.kind = METE_DEPARTMENT + (unsigned)tape_pick(tape, 5),
                                         .id = name(w, place, 0, ++w->ids),
                                         .organization = {organization},
                                         .parent = {parent->handle}};
    } else {
        const struct scope *scope = &w->scopes[tape_pick(tape, w->scopes_len)];
        *spec = (struct mete_scope_spec){.kind = scope->kind,
                                         .id = name(w, place, 0, scope->id),
                                         .organization = {scope->organization},
                                         .parent = {scope->parent}};
    }
    spec->revoked = tape_chance(tape, 15);
    if (tape_chance(tape, 10)) {
        spec->expires_at.us = w->now_us + ((int64_t)tape_pick(tape, 20) - 4) * (DAY_US / 48);
        edge(w, spec->expires_at.us);
    }
}

void draw_change(struct world *w, struct tape *tape, size_t place, struct mete_change *ret_change)
{
    *ret_change = (struct mete_change){0};
    size_t kind = tape_pick(tape, 98);
    if (kind < 34) {
        draw_budget_put(w, tape, place, ret_change);
    } else if (kind < 50) {
        draw_scope_put(w, tape, place, ret_change);
    } else if (kind < 60 && features[FEATURE_RATES]) {
        draw_rate_put(w, tape, place, ret_change);
    } else if (kind == 60 && features[FEATURE_RATES]) {
        ret_change->kind = METE_END_RATE_LIMIT;
        ret_change->end_rate.n = draw_rate(w, tape);
    } else if (kind >= 64 && kind < 76 && features[FEATURE_QUOTAS]) {
        draw_grant_put(w, tape, place, ret_change);
    } else if (kind == 76 && w->grants_len) {
        draw_quota_end(w, tape, ret_change);
    } else if (kind < 80 && kind > 76 && w->grants_len) {
        draw_refund(w, tape, ret_change);
    } else if (kind >= 92 && features[FEATURE_EXCHANGE]) {
        draw_exchange(w, tape, ret_change);
    } else if (kind >= 80) {
        draw_rare(w, tape, ret_change);
    } else if (kind > 64) {
        draw_budget_put(w, tape, place, ret_change);
    } else {
        ret_change->kind = METE_END_BUDGET;
        ret_change->end.n = draw_budget(w, tape);
    }
    if (tape_chance(tape, 5))
        ret_change->flags = 1 + (uint32_t)tape_pick(tape, 2);
}

/* Two organizations; a tree of each kind and depth. */
void draw_tree(struct world *w, struct mete_change *ret_changes, size_t *ret_len)
{
    static const struct {
        enum mete_kind kind;
        uint32_t organization, parent;
    } tree[] = {{METE_ORGANIZATION, 0, 0}, {METE_DEPARTMENT, 1, 1},   {METE_USER, 1, 2},
                {METE_API_KEY, 1, 3},      {METE_API_KEY, 1, 1},      {METE_ADVERTISER, 1, 1},
                {METE_CAMPAIGN, 1, 6},     {METE_ORGANIZATION, 0, 0}, {METE_USER, 8, 8}};
    static char texts[9][8];
    size_t len = sizeof tree / sizeof tree[0];
    for (size_t i = 0; i < len; i++) {
        uint32_t organization = tree[i].organization, parent = tree[i].parent;
        int text_len = snprintf(texts[i], sizeof texts[i], "n%u", ++w->ids);
        ret_changes[i] = (struct mete_change){
            .kind = METE_PUT_SCOPE,
            .scope = {.kind = tree[i].kind,
                      .id = {texts[i], (size_t)text_len},
                      .organization = {organization ? METE_FROM_CHANGE(organization - 1) : 0},
                      .parent = {parent ? METE_FROM_CHANGE(parent - 1) : 0}}};
    }
    *ret_len = len;
}

static unsigned number_of(struct mete_text id)
{
    unsigned number = 0;
    for (size_t i = 1; i < id.len; i++)
        number = number * 10 + (unsigned)(id.data[i] - '0');
    return number;
}

static uint32_t resolved(uint32_t n, const uint32_t *handles)
{
    return n < METE_FROM_CHANGE(0) ? n : handles[n - METE_FROM_CHANGE(0)];
}

static void learn_scope(struct world *w, const struct mete_scope_spec *spec, uint32_t handle,
                        const uint32_t *handles)
{
    for (size_t i = 0; i < w->scopes_len; i++)
        if (w->scopes[i].handle == handle)
            return;
    w->scopes[w->scopes_len++] =
        (struct scope){.handle = handle,
                       .organization = resolved(spec->organization.n, handles),
                       .parent = resolved(spec->parent.n, handles),
                       .kind = spec->kind,
                       .id = number_of(spec->id)};
}

static void learn_budget(struct world *w, const struct mete_budget_spec *spec, uint32_t handle)
{
    size_t at = 0;
    while (at < w->budgets_len && w->budget_handles[at] != handle)
        at++;
    if (at == w->budgets_len && at < BUDGETS)
        w->budgets_len++;
    if (at == BUDGETS)
        at = handle % BUDGETS;
    if (handle > w->budgets_top)
        w->budgets_top = handle;
    w->budgets[at] = *spec;
    w->budget_handles[at] = handle;
    w->budgets[at].id = (struct mete_text){NULL, number_of(spec->id)}; /* its number alone */
}

static void learn_rate(struct world *w, const struct mete_rate_spec *spec, uint32_t handle)
{
    size_t at = 0;
    while (at < w->rates_len && w->rate_handles[at] != handle)
        at++;
    if (at == RATES)
        at = handle % RATES;
    else if (at == w->rates_len)
        w->rates_len++;
    w->rates[at] = *spec;
    w->rate_handles[at] = handle;
    w->rates[at].id = (struct mete_text){NULL, number_of(spec->id)};
}

static void learn_grant(struct world *w, const struct mete_grant_spec *spec, uint32_t handle)
{
    size_t at = 0;
    while (at < w->grants_len && w->grant_handles[at] != handle)
        at++;
    if (at == GRANTS)
        at = handle % GRANTS;
    else if (at == w->grants_len)
        w->grants_len++;
    w->grants[at] = *spec;
    w->grant_handles[at] = handle;
    w->grants[at].id = (struct mete_text){NULL, number_of(spec->id)};
}

static void forget_rate(struct world *w, uint32_t handle)
{
    for (size_t i = 0; i < w->rates_len; i++) {
        if (w->rate_handles[i] != handle)
            continue;
        w->rates_len--;
        w->rates[i] = w->rates[w->rates_len];
        w->rate_handles[i] = w->rate_handles[w->rates_len];
        return;
    }
}

static void forget_budget(struct world *w, uint32_t handle)
{
    for (size_t i = 0; i < w->budgets_len; i++) {
        if (w->budget_handles[i] != handle)
            continue;
        w->budgets_len--;
        w->budgets[i] = w->budgets[w->budgets_len];
        w->budget_handles[i] = w->budget_handles[w->budgets_len];
        return;
    }
}

void learn_change(struct world *w, const struct mete_change *change, uint32_t handle,
                  const uint32_t *handles)
{
    if (change->kind == METE_PUT_SCOPE && w->scopes_len < SCOPES)
        learn_scope(w, &change->scope, handle, handles);
    if (change->kind == METE_PUT_BUDGET)
        learn_budget(w, &change->budget, handle);
    if (change->kind == METE_PUT_RATE_LIMIT)
        learn_rate(w, &change->rate, handle);
    if (change->kind == METE_PUT_INCREASE)
        w->increases[w->increases_len++ % INCREASES] =
            (struct increase){change->increase.budget.n, handle};
    if (change->kind == METE_PUT_GRANT)
        learn_grant(w, &change->grant, handle);
    if (change->kind == METE_END_RATE_LIMIT)
        forget_rate(w, change->end_rate.n);
    /* An ended budget stays for a while: asking for it is an operation too. */
    if (change->kind == METE_END_BUDGET && change->end.n % 4)
        forget_budget(w, change->end.n);
}
