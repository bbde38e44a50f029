/* SPDX-License-Identifier: Apache-2.0
 * What only unusual budgets have, and patterns, as bytes, and back. Idea and rules: save.c. */
#include "ledger/extras.h"
#include "ledger/archive.h"
#include "ledger/increases.h"
#include "ledger/matches.h"
#include "ledger/state.h"

static void walk_controls(struct archive *archive, struct mete_controls *controls)
{
    archive_u32(archive, &controls->throttle_ppm);
    archive_u32(archive, &controls->throttle_rate_ppm);
    archive_u32(archive, &controls->stop_ppm);
    archive_u32(archive, &controls->downgrade_ppm);
    archive_u32(archive, &controls->grace_s);
    archive_u32(archive, &controls->cooldown_s);
}

void matches_walk(struct archive *archive, struct ledger *ledger, uint32_t *set)
{
    struct mete_match matches[METE_MATCHES_MAX];
    char texts[METE_MATCHES_MAX][LIMIT_SESSION]; /* a loaded text lives until the next field */
    size_t len = archive->loads ? 0 : matches_of(ledger, *set, matches);
    len = (size_t)archive_up_to(archive, len, METE_MATCHES_MAX);
    for (size_t i = 0; i < len && !archive->error; i++) {
        struct slice pattern = {0};
        uint8_t kind = 0;
        if (!archive->loads) {
            kind = (uint8_t)matches[i].kind;
            pattern = (struct slice){matches[i].pattern.data, matches[i].pattern.len};
        }
        archive_u8(archive, &kind);
        archive_text(archive, &pattern, LIMIT_SESSION);
        memcpy(texts[i], pattern.data, pattern.len);
        matches[i] = (struct mete_match){(enum mete_match_kind)kind, {texts[i], pattern.len}};
        (void)archive_expect(archive, entry_is_match(&matches[i]));
    }
    if (archive->loads && !archive->error && !matches_put(ledger, matches, len, set))
        archive->error = METE_E_FULL;
}

/* In the order they were put. */
static void walk_increases(struct archive *archive, struct ledger *ledger, uint32_t b)
{
    archive_u32(archive, &extras_of(ledger, b)->increases_made);
    uint64_t len = archive_up_to(archive, increases_of(ledger, b), LIMIT_INCREASES);
    uint32_t at = extras_of(ledger, b)->increases;
    for (uint64_t i = 0; i < len && !archive->error; i++) {
        struct increase *increase =
            archive->loads ? increases_add(ledger, b) : &ledger->increases[at];
        uint8_t is_active = increase->is_active;
        archive_u32(archive, &increase->number);
        archive_i64(archive, &increase->amount);
        archive_i64(archive, &increase->from_us);
        archive_i64(archive, &increase->until_us);
        archive_u8(archive, &is_active);
        increase->is_active = is_active != 0;
        at = increase->next;
    }
}

static void walk_dates(struct archive *archive, struct extra *extra)
{
    archive_i64(archive, &extra->starts_at_us);
    archive_i64(archive, &extra->ends_at_us);
    (void)archive_expect(archive, extras_is_dated(extra));
}

void extras_walk(struct archive *archive, struct ledger *ledger, uint32_t b)
{
    const struct extra *kept = extras_of(ledger, b);
    uint64_t has_extra = !kept ? 0 : extras_is_dated(kept) ? 2 : 1; /* 2: with dates */
    has_extra = archive_up_to(archive, has_extra, 2);
    (void)archive_expect(archive, has_extra || ledger->budgets[b].traits == 0);
    if (!has_extra)
        return;
    struct extra *extra = extras_make(ledger, b);
    if (has_extra > 1)
        walk_dates(archive, extra);
    archive_i64(archive, &extra->anchor);
    archive_i64(archive, &extra->window_seconds);
    archive_i64(archive, &extra->soft_limit);
    archive_i64(archive, &extra->rollover_cap);
    archive_i64(archive, &extra->carried);
    archive_i64(archive, &extra->increased);
    archive_i64(archive, &extra->acted_at_us);
    archive_i64(archive, &extra->stopped_at_us);
    archive_i64(archive, &extra->throttled_at_us);
    archive_i64(archive, &extra->lifted_at_us);
    walk_controls(archive, &extra->controls);
    archive_handle(archive, &extra->zone, ledger->zones_len);
    const struct extra *template = extras_of(ledger, ledger->cold[b].template_of);
    if (!template)
        matches_walk(archive, ledger, &extra->matches);
    else if (archive->loads)
        extra->matches = template->matches; /* shared */
    bool narrows = (ledger->budgets[b].traits & (BUDGET_NARROWED | BUDGET_TEMPLATE)) != 0;
    (void)archive_expect(archive, narrows || !extra->matches);
    (void)archive_expect(archive, !(ledger->budgets[b].traits & BUDGET_NARROWED) || extra->matches);
    archive_u32(archive, &extra->made);
    archive_u8(archive, &extra->for_kind);
    bool dated = (ledger->budgets[b].traits & BUDGET_DATED) != 0;
    (void)archive_expect(archive, dated == (extras_is_dated(extra) && !extra->for_kind));
    archive_u8(archive, &extra->template_mode);
    archive_u8(archive, &extra->soft_fired);
    walk_increases(archive, ledger, b);
}
