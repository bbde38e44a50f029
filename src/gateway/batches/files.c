/* SPDX-License-Identifier: Apache-2.0
 * Files that were uploaded here, or made by a batch: listed as they are kept, shown and deleted
 * where they are. */
#include "gateway/batches/batches.h"
#include "gateway/batches/kept.h"
#include "gateway/batches/listing.h"
#include "gateway/call.h"

/* ---- One ------------------------------------------------------------------------------------- */

static void on_kept(struct errand *errand)
{
    if (errand->op.status)
        errand_fail_asked(errand);
    else if (errand_is_good(errand))
        errand_reply(errand);
}

/* Lists show what was made by a batch as it was shown first. */
static void on_shown(struct errand *errand)
{
    if (!errand_is_good(errand))
        return;
    bool is_new = !errand->file.object.len;
    if (is_new)
        errand->file.object = errand_object(errand);
    if (!is_new || !errand->file.object.len)
        errand_reply(errand);
    else if (errand_put_file(errand, 0, &errand->file))
        errand_keep(errand, 1, on_kept);
}

/* What its provider has no more is not kept either. */
static void on_deleted(struct errand *errand)
{
    bool is_gone = errand->end == UPSTREAM_DONE && errand->status == 404;
    if (!is_gone && !errand_is_good(errand))
        return;
    errand_end_file(errand, 0);
    errand_keep(errand, 1, on_kept);
}

static void send(struct errand *errand, const char *method, errand_step *next)
{
    const struct errand_send what = {
        .method = method, .path = "/files", .id = slice_of(errand->id)};
    if (errand_found_file(errand) && errand_use_provider(errand, errand->file.provider))
        errand_send(errand, &what, next);
}

static void on_found(struct errand *errand)
{
    send(errand, "GET", on_shown);
}

static void on_found_to_delete(struct errand *errand)
{
    send(errand, "DELETE", on_deleted);
}

static void begin(struct gateway *gateway, struct exchange *exchange, struct slice id,
                  errand_step *next)
{
    struct errand *errand = errand_begin(gateway, exchange, "files", id);
    if (!errand)
        return;
    errand->documents.kind = DOCUMENT_FILE;
    errand->documents.id = slice_of(errand->id);
    errand_look(errand, next);
}

void files_show(struct gateway *gateway, struct exchange *exchange, struct slice id)
{
    begin(gateway, exchange, id, on_found);
}

void files_delete(struct gateway *gateway, struct exchange *exchange, struct slice id)
{
    begin(gateway, exchange, id, on_found_to_delete);
}

/* ---- All ------------------------------------------------------------------------------------- */

static bool show(struct slice document, struct listed *ret_listed)
{
    struct kept_file file;
    bool good = kept_file_read(document, &file);
    if (good)
        *ret_listed = (struct listed){file.id, file.object, "file"};
    return good;
}

static void on_listed(struct errand *errand)
{
    listing_reply(errand, show);
}

/* False: it has failed. having: as kept_file_write() has it; within a text of the provider's quotes
 * are escaped. */
static bool read_purpose(struct errand *errand)
{
    static const struct dialect_error other = {400,
                                               "invalid_request_error",
                                               "invalid_value",
                                               "purpose",
                                               "purpose must be batch or batch_output.",
                                               {0}};
    char room[32];
    int len = exchange_query(errand->exchange, "purpose", room, sizeof room);
    struct slice purpose = {room, len > 0 ? (size_t)len : 0};
    if (slice_is(purpose, "batch"))
        errand->documents.having = SLICE_LITERAL(",\"endpoint\":");
    else if (slice_is(purpose, "batch_output"))
        errand->documents.having = SLICE_LITERAL(",\"batch\":");
    bool good = len == -1 || errand->documents.having.len;
    if (!good)
        errand_fail(errand, &other);
    return good;
}

void files_list(struct gateway *gateway, struct exchange *exchange)
{
    struct errand *errand = errand_begin(gateway, exchange, "files", (struct slice){0});
    if (errand && listing_read(errand, DOCUMENT_FILE) && read_purpose(errand))
        errand_look(errand, on_listed);
}
