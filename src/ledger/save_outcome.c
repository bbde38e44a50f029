/* SPDX-License-Identifier: Apache-2.0
 * Remembered outcomes as bytes, and back. Idea and rules: save.c. */
#include "ledger/archive.h"

static void walk_primary(struct archive *archive, struct mete_refusal *primary)
{
    primary->reason =
        (enum mete_reason)archive_up_to(archive, (uint64_t)primary->reason, METE_REASONS - 1);
    archive_u32(archive, &primary->scope.n);
    archive_u32(archive, &primary->budget.n);
    archive_u32(archive, &primary->rate.n);
    primary->meter = (uint16_t)archive_up_to(archive, primary->meter, UINT16_MAX);
    archive_u32(archive, &primary->currency);
    archive_i64(archive, &primary->limit);
    archive_i64(archive, &primary->committed);
    archive_i64(archive, &primary->held);
    archive_i64(archive, &primary->asked);
    archive_i64(archive, &primary->resets_at.us);
}

static void walk_asked(struct archive *archive, const struct ledger *ledger,
                       struct outcome_asked *asked)
{
    archive_number(archive, &asked->id[0]);
    archive_number(archive, &asked->id[1]);
    archive_number(archive, &asked->content);
    archive_i64(archive, &asked->expires_at_us);
    archive_i64(archive, &asked->granted);
    archive_i64(archive, &asked->remaining);
    archive_handle(archive, &asked->remaining_of, ledger->budgets_len);
    archive_u32(archive, &asked->revision);
    walk_primary(archive, &asked->primary);
    (void)archive_expect(archive, asked->primary.scope.n <= ledger->scopes_len &&
                                      asked->primary.budget.n <= ledger->budgets_len &&
                                      asked->primary.rate.n <= ledger->rates_len);
}

static void walk_outcome_head(struct archive *archive, const struct ledger *ledger,
                              struct outcome *outcome)
{
    archive_number(archive, &outcome->reservation);
    archive_i64(archive, &outcome->ended_at_us);
    archive_i64(archive, &outcome->cost);
    archive_number(archive, &outcome->figures);
    archive_number(archive, &outcome->seq);
    archive_handle(archive, &outcome->scope, ledger->scopes_len);
    archive_u8(archive, &outcome->state);
    outcome->overrun = archive_up_to(archive, outcome->overrun, 1) & 1;
    outcome->is_call = archive_up_to(archive, outcome->is_call, 1) & 1;
    outcome->has_id = archive_up_to(archive, outcome->has_id, 1) & 1;
    outcome->corrected = archive_up_to(archive, outcome->corrected, 1) & 1;
    (void)archive_expect(archive, outcome->scope > 0);
}

static void walk_outcome(struct archive *archive, struct ledger *ledger, uint64_t position)
{
    uint32_t item = (uint32_t)(position % ledger->room.outcomes) + 1;
    struct outcome *outcome = &ledger->outcomes[item - 1];
    outcome->kind = (uint8_t)archive_up_to(archive, outcome->kind, OUTCOME_REFUSED);
    if (outcome->kind == OUTCOME_FORGOTTEN)
        return;
    walk_outcome_head(archive, ledger, outcome);
    if (outcome->has_id)
        walk_asked(archive, ledger, &ledger->asked[item - 1]);
    if (archive->loads && !archive->error)
        outcomes_enter(ledger, item);
}

void outcomes_walk(struct archive *archive, struct ledger *ledger)
{
    uint32_t len = (uint32_t)(ledger->outcomes_end - ledger->outcomes_first);
    archive_number(archive, &ledger->outcomes_first);
    archive_count(archive, &len, ledger->room.outcomes);
    (void)archive_expect(archive, ledger->outcomes_first < UINT64_MAX / 2);
    for (uint32_t i = 0; i < len && !archive->error; i++) {
        if (archive->loads)
            ledger->outcomes_end = ledger->outcomes_first + i + 1;
        walk_outcome(archive, ledger, ledger->outcomes_first + i);
    }
    if (archive->loads)
        ledger->outcomes_end = ledger->outcomes_first + len;
}
