/* SPDX-License-Identifier: Apache-2.0
 * GET /v1/batches/{id} and POST .../cancel: what its provider says of it now goes to the client, as
 * it came, and is kept: above all that it is over, and which file has its answers. One that is over
 * without an answer costs nothing, and what was reserved for it returns.
 *
 * GET /v1/batches does the same for those of its page that are not over, the newest first, until
 * one of their providers fails; of the others it tells what was said last. */
#include "gateway/batches/batches.h"
#include "gateway/batches/kept.h"
#include "gateway/batches/listing.h"
#include "gateway/call.h"

/* ---- Kept ------------------------------------------------------------------------------------ */

static void on_kept(struct errand *errand)
{
    if (errand->op.status)
        errand_fail_asked(errand);
    else
        errand->told(errand);
}

/* Its files can be fetched from now on. */
static bool put_files(struct errand *errand, size_t *len)
{
    static const char *const names[] = {"output_file_id", "error_file_id"};
    const struct json whole = kept_scan(buffer_slice(&errand->answer));
    for (size_t i = 0; i < sizeof names / sizeof names[0] && errand->batch.over; i++) {
        const struct kept_file file = {.id = kept_text(whole, names[i]),
                                       .provider = errand->batch.provider,
                                       .batch = errand->batch.id};
        if (!kept_is_plain(file.id))
            continue;
        if (!errand_put_file(errand, *len, &file))
            return false;
        ++*len;
    }
    return true;
}

static void keep(struct errand *errand)
{
    size_t len = 1;
    if (errand_put_batch(errand, 0, &errand->batch) && put_files(errand, &len))
        errand_keep(errand, len, on_kept);
}

/* ---- Over without an answer ------------------------------------------------------------------ */

/* Whatever it says: what has ended otherwise before has. */
static void on_corrected(struct errand *errand)
{
    keep(errand);
}

static void on_released(struct errand *errand)
{
    errand->batch.settled = true;
    if (errand->op.status != METE_E_ENDED) {
        keep(errand);
        return;
    }
    /* It had expired, and was charged its worst case: it came to nothing. */
    errand->usage[0] = (struct mete_usage){METE_COST, errand->batch.currency, 0};
    errand->op.args.commit = (struct mete_commit){.reservation = {errand->batch.reservation},
                                                  .usage = errand->usage,
                                                  .usage_len = 1,
                                                  .outcome = {.ending = METE_ENDED_ERROR}};
    errand_ask(errand, METE_OP_COMMIT, on_corrected);
}

static bool came_to_nothing(const struct kept_batch *batch)
{
    return batch->over && !batch->settled && !batch->output.len && !batch->completed;
}

/* ---- Told ------------------------------------------------------------------------------------ */

/* What the provider said is kept, if it is news; then told() is called. */
static void take(struct errand *errand)
{
    struct kept_batch *batch = &errand->batch, before = *batch;
    if (!kept_batch_told(batch, buffer_slice(&errand->answer))) {
        errand->told(errand);
        return;
    }
    batch->object = errand_object(errand);
    if (came_to_nothing(batch)) {
        errand->op.args.release = (struct mete_reservation_id){batch->reservation};
        errand_ask(errand, METE_OP_RELEASE, on_released);
    } else if (slice_equal(batch->object, before.object) && batch->over == before.over) {
        errand->told(errand);
    } else {
        keep(errand);
    }
}

static void on_told(struct errand *errand)
{
    errand->told = errand_reply;
    if (errand_is_good(errand))
        take(errand);
}

static void send(struct errand *errand, const char *method, const char *rest)
{
    const struct errand_send what = {
        .method = method, .path = "/batches", .id = slice_of(errand->id), .rest = rest};
    if (errand_found_batch(errand) && errand_use_provider(errand, errand->batch.provider))
        errand_send(errand, &what, on_told);
}

static void on_found(struct errand *errand)
{
    send(errand, "GET", NULL);
}

static void on_found_to_cancel(struct errand *errand)
{
    send(errand, "POST", "/cancel");
}

static void begin(struct gateway *gateway, struct exchange *exchange, struct slice id,
                  errand_step *next)
{
    struct errand *errand = errand_begin(gateway, exchange, "batches", id);
    if (!errand)
        return;
    errand->documents.kind = DOCUMENT_BATCH;
    errand->documents.id = slice_of(errand->id);
    errand_look(errand, next);
}

void refresh_begin(struct gateway *gateway, struct exchange *exchange, struct slice id)
{
    begin(gateway, exchange, id, on_found);
}

void refresh_cancel(struct gateway *gateway, struct exchange *exchange, struct slice id)
{
    begin(gateway, exchange, id, on_found_to_cancel);
}

/* ---- All ------------------------------------------------------------------------------------- */

static bool show(struct slice document, struct listed *ret_listed)
{
    struct kept_batch batch;
    bool good = kept_batch_read(document, &batch);
    if (good)
        *ret_listed = (struct listed){batch.id, batch.object, "batch"};
    return good;
}

static void on_listed(struct errand *errand)
{
    listing_reply(errand, show);
}

/* The next of the page, and what it says of its batch. */
static bool next_of_page(struct errand *errand)
{
    struct slice rest = slice_from(buffer_slice(&errand->page), errand->page_at);
    const char *end = rest.len ? memchr(rest.data, '\n', rest.len) : NULL;
    size_t len = end ? (size_t)(end - rest.data) : rest.len;
    errand->page_at += end ? len + 1 : len;
    return len && kept_batch_read(slice_part(rest, 0, len), &errand->batch);
}

static void on_one_told(struct errand *errand)
{
    if (errand->end == UPSTREAM_DONE && errand->status >= 200 && errand->status <= 299)
        take(errand);
    else
        errand_look(errand, on_listed);
}

/* One after the other; then the page is read anew. */
static void refresh_page(struct errand *errand)
{
    const struct providers *providers = &errand->gateway->providers;
    while (errand->asked < LIMIT_BATCH_ASKED && next_of_page(errand)) {
        struct slice name = errand->batch.provider;
        errand->provider = errand->batch.over ? NULL : providers_named(providers, name);
        if (!errand->provider)
            continue;
        const struct errand_send what = {
            .method = "GET", .path = "/batches", .id = errand->batch.id};
        errand->asked++;
        errand_send(errand, &what, on_one_told);
        return;
    }
    errand_look(errand, on_listed);
}

static void on_page(struct errand *errand)
{
    if (errand->documents.status) {
        listing_reply(errand, show);
        return;
    }
    errand->page = errand->documents.found;
    errand->documents.found = (struct buffer){0};
    errand->told = refresh_page;
    refresh_page(errand);
}

void refresh_list(struct gateway *gateway, struct exchange *exchange)
{
    struct errand *errand = errand_begin(gateway, exchange, "batches", (struct slice){0});
    if (errand && listing_read(errand, DOCUMENT_BATCH))
        errand_look(errand, on_page);
}
