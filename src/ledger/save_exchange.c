/* SPDX-License-Identifier: Apache-2.0
 * Exchange rates as bytes, and back. Idea and rules: save.c. */
#include "ledger/archive.h"
#include "ledger/exchanges.h"

static void walk_exchange(struct archive *archive, struct exchange *exchange)
{
    archive_i64(archive, &exchange->numerator);
    archive_i64(archive, &exchange->denominator);
    archive_i64(archive, &exchange->effective_at_us);
    archive_number(archive, &exchange->seq);
    archive_u32(archive, &exchange->from);
    archive_u32(archive, &exchange->to);
    const struct mete_exchange_spec spec = {.from = exchange->from,
                                            .to = exchange->to,
                                            .numerator = exchange->numerator,
                                            .denominator = exchange->denominator,
                                            .effective_at = {exchange->effective_at_us}};
    (void)archive_expect(archive, exchanges_is(&spec));
}

void exchanges_walk(struct archive *archive, struct ledger *ledger)
{
    uint32_t len = ledger->exchanges_len;
    archive_count(archive, &len, LIMIT_EXCHANGES);
    for (uint32_t n = 1; n <= len && !archive->error; n++) {
        walk_exchange(archive, &ledger->exchanges[n]);
        if (!archive->loads || archive->error)
            continue;
        ledger->exchanges_len = n;
        exchanges_enter(ledger, n);
    }
}
