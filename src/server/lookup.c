/* SPDX-License-Identifier: Apache-2.0
 * One question, with a reader of its own: it is asked after a start only. */
#include "server/lookup.h"

#include "base/assert.h"
#include "base/details.h"
#include "store/records.h"

#include <stddef.h>

static void copy(struct slice text, char *room, size_t room_len)
{
    ASSERT(text.len < room_len);
    memcpy(room, text.data ? text.data : "", text.len);
    room[text.len] = 0;
}

static int keep(void *user, const struct records_usage *usage)
{
    struct gateway_lookup *lookup = user;
    struct mete_part parts[METE_PARTS_MAX];
    struct mete_details details;
    ASSERT_INV("INV-12", usage->organization.n == lookup->organization.n);
    bool fits =
        !usage->corrects && details_read(usage->details, parts, &details) &&
        slice_equal(lookup->format, (struct slice){details.dialect.data, details.dialect.len}) &&
        usage->model.len <= LIMIT_ID && usage->provider.len <= LIMIT_PROVIDER;
    if (!fits)
        return 0;
    struct slice answered = {details.provider.data, details.provider.len};
    copy(usage->model, lookup->model, sizeof lookup->model);
    copy(answered.len ? answered : usage->provider, lookup->provider, sizeof lookup->provider);
    lookup->reservation.n = usage->reservation;
    lookup->open = usage->outcome.flags & METE_OUTCOME_PROVISIONAL && !usage->corrected;
    lookup->started_us = usage->started_us;
    lookup->found = true;
    return 1;
}

static struct gateway_lookup *lookup_of(struct work *work)
{
    return (struct gateway_lookup *)(void *)((char *)work - offsetof(struct gateway_lookup, work));
}

static void run(struct work *work)
{
    struct gateway_lookup *lookup = lookup_of(work);
    const struct records_filter filter = {
        .scope = lookup->organization, .upstream_id = lookup->id, .limit = 8};
    struct records_reader *reader;
    if (records_reader_open(os_system(), lookup->finder, &reader))
        return; /* there are none yet, or they cannot be read: it is not found */
    int rc = records_each_usage(reader, &filter, keep, lookup);
    lookup->found = lookup->found && rc >= 0;
    records_reader_close(reader);
}

static void done(struct work *work)
{
    struct gateway_lookup *lookup = lookup_of(work);
    lookup->done(lookup);
}

bool lookup_answer(struct workers *workers, const char *directory, struct gateway_lookup *lookup)
{
    lookup->finder = directory;
    lookup->work = (struct work){.run = run, .done = done};
    return workers->submit(workers, &lookup->work);
}
