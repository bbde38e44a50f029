/* SPDX-License-Identifier: Apache-2.0
 * The projector writes the records and so removes them too: a step of some milliseconds after each
 * of its transactions, until there is nothing to do, and then it looks again in a minute. */
#include "engine/retention.h"

#include "base/checked.h"
#include "engine/engine.h"

enum { LOOK_US = 60000000, RECORDS_DAYS_MIN = 2 };
static const int64_t day_us = INT64_C(86400000000);

bool retention_is_valid(const struct mete_retention *retention)
{
    return !retention->records || retention->records >= RECORDS_DAYS_MIN;
}

void retention_set(struct mete *mete, const struct mete_retention *retention)
{
    atomic_store(&mete->keep_records, retention->records);
    atomic_store(&mete->keep_events, retention->events);
    atomic_store(&mete->keep_reports, retention->reports);
}

int mete_retain(struct mete *mete, const struct mete_retention *retention)
{
    if (!mete || !retention || !retention_is_valid(retention))
        return METE_E_INVALID;
    retention_set(mete, retention);
    bell_call(&mete->projector_bell);
    return 0;
}

/* 0: all is kept, also where so long ago nothing was. */
static int64_t from_us(int64_t now_us, uint32_t days)
{
    return days ? max_i64(now_us - days * day_us, 0) : 0;
}

static bool keeps_all(const struct mete *mete)
{
    return !atomic_load(&mete->keep_records) && !atomic_load(&mete->keep_events) &&
           !atomic_load(&mete->keep_reports);
}

/* Where nothing grows too old, there is nothing to do but for what is new. */
bool retention_step(struct mete *mete)
{
    int64_t at_us = os_monotonic_us(&mete->os);
    uint64_t projected = atomic_load(&mete->projected);
    if (at_us < mete->tend_at_us || atomic_load(&mete->projector_stops) ||
        (keeps_all(mete) && mete->tended_seq == projected))
        return false;
    int64_t now_us = clock_now_us(&mete->clock);
    const struct records_keep keep = {
        .usage_from_us = from_us(now_us, atomic_load(&mete->keep_records)),
        .events_from_us = from_us(now_us, atomic_load(&mete->keep_events)),
        .quarters_from_us = from_us(now_us, atomic_load(&mete->keep_reports))};
    int more = 0;
    if (records_tend(mete->records, &keep, &more))
        mete->os.die(mete->os.user, "the records could not be put in order");
    if (!more) {
        mete->tend_at_us = at_us + LOOK_US;
        mete->tended_seq = projected;
    }
    return more;
}

int64_t retention_sleep_us(const struct mete *mete)
{
    return keeps_all(mete) ? -1 : LOOK_US;
}
