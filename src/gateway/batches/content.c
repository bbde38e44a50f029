/* SPDX-License-Identifier: Apache-2.0
 * GET /v1/files/{id}/content: bytes go through as they come. Those of a batch's answers are read on
 * their way, and when all of them have gone by, the batch is billed what they came to.
 *
 *   the file -> its batch, if it is one of answers and that is not billed yet -> the provider
 *       -> relayed, and read -> whole? commit -> kept -> the end of the reply (INV-05)
 *
 * ONCE   the engine ends a reservation once: of two who fetch at the same time one commits, and the
 *   other repeats it. After that the batch is kept as settled, and nothing is read any more.
 * GONE   a client that leaves in the middle stops nothing: the rest is read without it.
 * BROKEN what broke off on its way, or cannot be read, bills nothing yet: the next fetch does.
 * LATE   a reservation that has expired was charged its worst case: the commit corrects it, once,
 *   within LIMIT_CORRECTION_S (INV-03). After that the worst case stays. */
#include "base/assert.h"
#include "gateway/batches/batches.h"
#include "gateway/batches/kept.h"
#include "gateway/batches/settling.h"
#include "gateway/call.h"

/* ---- Billed ---------------------------------------------------------------------------------- */

static void on_kept(struct errand *errand)
{
    errand_finish(errand);
}

static void tell_done(struct errand *errand)
{
    const struct gateway_parts *parts = &errand->gateway->parts;
    const struct settling *settling = errand->settling;
    const struct mete_receipt *receipt = &errand->op.result.receipt;
    if (!parts->call_done || receipt->repeated)
        return;
    const struct gateway_call_done done = {.exchange = errand->exchange->id,
                                           .model = errand->batch.model,
                                           .provider = errand->batch.provider,
                                           .operation = slice_of(settling->format->operation),
                                           .vendor = slice_of(errand->provider->family->vendor),
                                           .scope = errand->scope,
                                           .ending = errand->op.args.commit.outcome.ending,
                                           .status = errand->status,
                                           .upstream_status = errand->status,
                                           .attempts = 1,
                                           .cost_nano = settling->cost,
                                           .usage = settling->used,
                                           .record = receipt->record};
    parts->call_done(parts->user, &done);
}

/* ENDED, NOT_FOUND: by these figures or by others before, or too long ago to be told. */
static void on_committed(struct errand *errand)
{
    int status = errand->op.status;
    if (!status)
        tell_done(errand);
    if (status && status != METE_E_ENDED && status != METE_E_NOT_FOUND) {
        errand_finish(errand);
        return;
    }
    errand->batch.settled = true;
    if (errand_put_batch(errand, 0, &errand->batch))
        errand_keep(errand, 1, on_kept);
}

static struct mete_outcome outcome_of(struct errand *errand)
{
    const struct settling *settling = errand->settling;
    struct slice version = pricing_version(errand->pricing), id = errand->batch.id;
    struct slice format = slice_of(settling->format->name);
    struct json object = {JSON_OBJECT, errand->batch.object};
    struct json note = object.raw.len ? json_member(object, "metadata") : (struct json){0};
    struct mete_outcome outcome = {
        .ending = settling->untold ? METE_ENDED_NO_USAGE : METE_ENDED_OK,
        .flags = settling->untold ? METE_OUTCOME_COUNTED : 0,
        .status = (uint16_t)errand->status,
        .attempts = 1,
        .price_list = {version.data, version.len},
        .details = {.upstream_id = {id.data, id.len}, .dialect = {format.data, format.len}}};
    if (!settling->untold && settling->parts_len) {
        outcome.details.parts = settling->parts;
        outcome.details.parts_len = settling->parts_len;
    }
    if (note.type == JSON_OBJECT && note.raw.len <= LIMIT_NOTE)
        outcome.note = (struct mete_text){note.raw.data, note.raw.len};
    return outcome;
}

static void commit(struct errand *errand)
{
    errand->op.args.commit =
        (struct mete_commit){.reservation = {errand->batch.reservation},
                             .usage = errand->usage,
                             .usage_len = settling_usage(errand->settling, errand->usage),
                             .outcome = outcome_of(errand)};
    errand_ask(errand, METE_OP_COMMIT, on_committed);
}

/* ---- Relayed --------------------------------------------------------------------------------- */

/* What has no length of its own is whole if it has all the answers that its provider counted. */
static bool is_whole(const struct errand *errand)
{
    return errand->end == UPSTREAM_DONE && settling_end(errand->settling) &&
           (!errand->ends_by_close || errand->settling->answers >= errand->batch.completed);
}

static void on_relayed(struct errand *errand)
{
    if (!errand->relays)
        (void)errand_is_good(errand);
    else if (errand->settling && is_whole(errand))
        commit(errand);
    else
        errand_finish(errand);
}

static void relay(struct errand *errand)
{
    const struct errand_send send = {.method = "GET",
                                     .path = "/files",
                                     .id = slice_of(errand->id),
                                     .rest = "/content",
                                     .on_head = errand_start_relay};
    if (errand_use_provider(errand, errand->file.provider))
        errand_send(errand, &send, on_relayed);
}

/* ---- What it is ------------------------------------------------------------------------------ */

/* By the prices that held when it was reserved. NULL: there is none any more. */
static const struct price_model *price_of(struct errand *errand)
{
    struct gateway *gateway = errand->gateway;
    const struct kept_batch *batch = &errand->batch;
    const struct provider *provider = providers_named(&gateway->providers, batch->provider);
    if (!provider || price_book_list(gateway->parts.prices, errand->organization.n, batch->at_us,
                                     &errand->pricing))
        return NULL;
    return providers_price_of(provider, errand->pricing, batch->real);
}

static void on_batch(struct errand *errand)
{
    struct kept_batch *batch = &errand->batch;
    if (!errand_found_batch(errand))
        return;
    const struct dialect *format = lines_format(batch->endpoint);
    if (batch->settled || !slice_is(batch->output, errand->id) || !format) {
        relay(errand);
        return;
    }
    const struct price_model *price = price_of(errand);
    errand->settling =
        price ? settling_new(format, price, batch->line_cost, batch->line_tokens) : NULL;
    if (price && !errand->settling)
        errand_fail(errand, &call_no_memory);
    else
        relay(errand);
}

static void on_file(struct errand *errand)
{
    if (!errand_found_file(errand))
        return;
    if (!errand->file.batch.len) {
        relay(errand);
        return;
    }
    errand->documents.kind = DOCUMENT_BATCH;
    errand->documents.id = errand->file.batch;
    errand_look(errand, on_batch);
}

void content_begin(struct gateway *gateway, struct exchange *exchange, struct slice id)
{
    struct errand *errand = errand_begin(gateway, exchange, "files", id);
    if (!errand)
        return;
    errand->documents.kind = DOCUMENT_FILE;
    errand->documents.id = slice_of(errand->id);
    errand_look(errand, on_file);
}
