/* SPDX-License-Identifier: Apache-2.0
 * Entries of arbitrary bytes, one after the other, applied to a ledger: each is refused as CORRUPT
 * or FORMAT, or applied; never a crash, and after each one that was applied the ledger checks out.
 * Whatever reads as an entry writes the very same bytes. */
#include "ledger/ledger.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct entry *entry, struct slice bytes, int64_t last_at_us)
{
    size_t room = entry_size_max(entry);
    uint8_t *again = malloc(room);
    ASSERT(again);
    struct writer w = {again, again + room};
    entry_write(&w, entry, last_at_us);
    ASSERT(slice_equal(bytes, (struct slice){(const char *)again, (size_t)(w.at - again)}));
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ledger_effects effects;
    struct ledger *ledger;
    const struct ledger_room room = {16, 32, 8, 8};
    int rc = ledger_open(&room, &ledger);
    ASSERT(rc == 0);
    struct reader r = {data, data + size, false};
    int64_t last_at_us = 0;
    uint64_t seq = 0;
    while (r.at < r.end) {
        const uint8_t *from = r.at;
        struct entry entry;
        rc = entry_read(&r, last_at_us, &entry);
        ASSERT(rc == 0 || rc == METE_E_CORRUPT || rc == METE_E_FORMAT);
        if (rc)
            break;
        check_round_trip(&entry, (struct slice){(const char *)from, (size_t)(r.at - from)},
                         last_at_us);
        entry.seq = ++seq;
        rc = ledger_apply(ledger, &entry, &effects);
        ASSERT(rc == 0 || rc == METE_E_CORRUPT || rc == METE_E_FORMAT);
        if (rc)
            break; /* the state is undefined */
        ledger_check(ledger);
        last_at_us = entry.at_us;
    }
    ledger_close(ledger);
    return 0;
}
