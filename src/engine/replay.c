/* SPDX-License-Identifier: Apache-2.0
 * A group's checksum and chain were checked by the journal; here its bytes must be exactly `count`
 * entries, each of which fits the state that the ones before it left. */
#include "engine/replay.h"

#include "base/assert.h"

#include <stdio.h>

static int complain(const struct replay *replay, int error, uint64_t seq, const char *what)
{
    if (replay->detail)
        snprintf(replay->detail, 256, "entry %llu: %s", (unsigned long long)seq, what);
    return error;
}

static int replay_entry(struct replay *replay, const struct entry *entry)
{
    bool projects = entry->seq >= replay->project_from;
    if (replay->before)
        replay->before(replay->user, entry);
    int error =
        ledger_apply(replay->ledger, entry, projects || replay->before ? replay->effects : NULL);
    if (error)
        return complain(replay, error, entry->seq, "it does not fit the state before it");
    ASSERT_INV("INV-06", ledger_last_seq(replay->ledger) == entry->seq);
    if (replay->lineage)
        lineage_apply(replay->lineage, entry);
    replay->entries++;
    replay->last_at_us = entry->at_us;
    if (projects)
        project_entry(replay->lineage, entry, replay->effects, replay->projection);
    return replay->each ? replay->each(replay->user, entry, projects ? replay->projection : NULL)
                        : 0;
}

int replay_group(struct replay *replay, const struct journal_group *group)
{
    ASSERT(replay && group->count > 0);
    const uint8_t *at = (const uint8_t *)group->entries.data;
    struct reader r = {at, at + group->entries.len, false};
    int64_t last_at_us = 0;
    struct entry entry;
    for (uint32_t i = 0; i < group->count; i++) {
        uint64_t seq = group->first_seq + i;
        int error = entry_read(&r, last_at_us, &entry);
        if (error)
            return complain(replay, error, seq, "its bytes cannot be read");
        entry.seq = seq;
        last_at_us = entry.at_us;
        error = replay_entry(replay, &entry);
        if (error)
            return error;
    }
    if (r.bad || r.at != r.end)
        return complain(replay, METE_E_CORRUPT, group->first_seq + group->count - 1,
                        "bytes are left over behind it");
    return 0;
}
