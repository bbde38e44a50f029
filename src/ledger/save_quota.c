/* SPDX-License-Identifier: Apache-2.0
 * Quotas and grants as bytes, and back. Idea and rules: save.c. */
#include "ledger/archive.h"
#include "ledger/quotas.h"

static void walk_grant(struct archive *archive, struct ledger *ledger, uint32_t g)
{
    struct grant *grant = &ledger->grants[g];
    struct slice id = {0}, source = {0};
    if (!archive->loads) {
        id = quotas_grant_id(ledger, g);
        source = quotas_grant_source(ledger, g);
    }
    archive_handle(archive, &grant->quota, ledger->quotas_len);
    archive_u32(archive, &grant->priority);
    archive_i64(archive, &grant->amount);
    archive_i64(archive, &grant->drawn);
    archive_i64(archive, &grant->held);
    archive_i64(archive, &grant->expires_at_us);
    archive_i64(archive, &ledger->grant_cold[g].made_at_us);
    archive_u8(archive, &grant->overran);
    archive_text(archive, &id, LIMIT_ID);
    char copy[LIMIT_ID]; /* a loaded text lives until the next field */
    if (id.len)
        memcpy(copy, id.data, id.len);
    id.data = copy;
    archive_text(archive, &source, LIMIT_SOURCE);
    int64_t sum;
    if (archive->loads &&
        archive_expect(archive, id.len > 0 && grant->quota > 0 && grant->amount >= 0 &&
                                    grant->amount <= METE_AMOUNT_MAX && grant->drawn >= 0 &&
                                    grant->held >= 0 &&
                                    checked_add(grant->drawn, grant->held, &sum)))
        quotas_enter_grant(ledger, g, id, source);
}

void quotas_walk(struct archive *archive, struct ledger *ledger)
{
    uint32_t quotas = ledger->quotas_len, grants = ledger->grants_len;
    archive_count(archive, &quotas, LIMIT_QUOTAS);
    for (uint32_t q = 1; q <= quotas && !archive->error; q++) {
        struct quota *quota = &ledger->quotas[q];
        archive_handle(archive, &quota->scope, ledger->scopes_len);
        archive_u32(archive, &quota->unit);
        archive_u32(archive, &quota->revision);
        quota->ended = archive_up_to(archive, quota->ended, 1) != 0;
        if (archive->loads && archive_expect(archive, quota->scope > 0) && !quota->ended)
            (void)archive_expect(archive, quotas_enter(ledger, q));
    }
    ledger->quotas_len = quotas;
    archive_count(archive, &grants, LIMIT_GRANTS);
    for (uint32_t g = 1; g <= grants && !archive->error; g++) {
        if (archive->loads)
            ledger->grants_len = g;
        walk_grant(archive, ledger, g);
    }
}
