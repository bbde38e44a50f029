/* SPDX-License-Identifier: Apache-2.0
 * POST /v1/batches: the worst case of its file is reserved, once, and then its provider is asked.
 *
 *   what is asked -> its file -> what the key may use, and whether its prices still hold
 *       -> reserve -> the provider -> kept -> reply
 *
 *   provider did not hear of it, or answered with an error .. released: it costs nothing
 *   its outcome is unknown .................................. it stays reserved, and is charged its
 *                                                             worst case when that expires
 * REPEATED  by a request id (Idempotency-Key, X-Trace-ID, X-Request-ID), with the same body: the
 *   batch that was begun is the answer, and its provider is not asked again (INV-04). */
#include "gateway/batches/batches.h"
#include "gateway/batches/kept.h"
#include "gateway/call.h"

#include <xxhash.h>

enum { WINDOW_ROOM = 16, WINDOW_HOURS_MAX = 24 };

/* ---- Begun ----------------------------------------------------------------------------------- */

static void keep(struct errand *errand)
{
    static const struct dialect_error unreadable = {
        502,
        "server_error",
        "upstream_unreadable",
        NULL,
        "The provider's answer is not of a batch; what was reserved for it stays so.",
        {0}};
    struct kept_batch *batch = &errand->batch;
    struct slice said = buffer_slice(&errand->answer);
    bool good = kept_batch_told(batch, said);
    if (good)
        batch->id = kept_text(kept_scan(said), "id");
    if (!good || !kept_is_plain(batch->id)) {
        errand_fail(errand, &unreadable);
        return;
    }
    batch->object = errand_object(errand);
    if (errand_put_batch(errand, 0, batch))
        errand_keep(errand, 1, errand_reply_kept);
}

static void on_released(struct errand *errand)
{
    (void)errand_is_good(errand);
}

static void on_sent(struct errand *errand)
{
    bool refused = errand->end == UPSTREAM_DONE && errand->status >= 400;
    if (refused || errand->end == UPSTREAM_NOT_SENT) {
        errand->op.args.release = (struct mete_reservation_id){errand->batch.reservation};
        errand_ask(errand, METE_OP_RELEASE, on_released);
    } else if (errand_is_good(errand)) {
        keep(errand);
    }
}

/* ---- Repeated -------------------------------------------------------------------------------- */

static void on_found_again(struct errand *errand)
{
    if (errand->documents.status || !errand->documents.found.len) {
        errand_fail_wrong(errand, 409, "in_flight", NULL,
                          "A batch with this request id is being begun, or came to nothing.");
        return;
    }
    if (!errand_found_batch(errand))
        return;
    if (errand->batch.object.len)
        errand_reply_json(errand, 200, errand->batch.object);
    else
        errand_fail_wrong(errand, 409, "already_begun", NULL,
                          "A batch with this request id was begun: it is the newest of the list.");
}

static void find_again(struct errand *errand)
{
    errand->documents.kind = DOCUMENT_BATCH;
    errand->documents.id = (struct slice){0};
    errand->documents.having =
        kept_batch_mark(errand->op.result.verdict.reservation.n, errand->mark);
    errand_look(errand, on_found_again);
}

/* ---- Reserved -------------------------------------------------------------------------------- */

static void on_reserved(struct errand *errand);

static void ask(struct errand *errand)
{
    errand_ask(errand, METE_OP_RESERVE, on_reserved);
}

static void on_reserved(struct errand *errand)
{
    const struct mete_verdict *verdict = &errand->op.result.verdict;
    const struct errand_send send = {
        .method = "POST", .path = "/batches", .content_type = SLICE_LITERAL("application/json")};
    if (errand->op.status) {
        errand_fail_asked(errand);
    } else if (!verdict->allowed) {
        if (!errand_await_grants(errand, ask))
            errand_refuse(errand);
    } else if (verdict->repeated) {
        find_again(errand);
    } else {
        errand->batch.reservation = verdict->reservation.n;
        errand->pieces[0] = errand->exchange->body;
        errand->pieces_len = 1;
        errand_send(errand, &send, on_sent);
    }
}

/* False: it cannot be one, and the errand has failed. */
static bool read_request_id(struct errand *errand, struct slice *ret_id)
{
    static const char *const names[] = {"idempotency-key", "x-trace-id", "x-request-id"};
    const struct exchange *exchange = errand->exchange;
    struct slice id = {0};
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !id.len; i++)
        id = exchange->ops->header(exchange, names[i]);
    bool good = id.len <= LIMIT_ID;
    for (size_t i = 0; i < id.len && good; i++)
        good = id.data[i] > ' ' && id.data[i] <= '~';
    if (!good)
        errand_fail_wrong(
            errand, 400, "invalid_value", NULL,
            "The request id must be 1 to 128 bytes of printable ASCII without spaces.");
    *ret_id = id;
    return good;
}

static bool read_labels(struct errand *errand)
{
    struct dialect_error error;
    bool good = labels_read(errand->exchange, &errand->labels, &error);
    if (!good)
        errand_fail(errand, &error);
    return good;
}

static void reserve(struct errand *errand)
{
    const struct kept_file *file = &errand->file;
    const struct labels *labels = &errand->labels;
    struct slice id, body = errand->exchange->body;
    if (!read_request_id(errand, &id) || !read_labels(errand) || !errand_expect_refusals(errand))
        return;
    errand->batch = (struct kept_batch){.provider = file->provider,
                                        .file = file->id,
                                        .endpoint = file->endpoint,
                                        .model = file->model,
                                        .real = file->real,
                                        .at_us = errand->priced_us,
                                        .currency = file->currency,
                                        .cost = file->cost,
                                        .tokens = file->tokens,
                                        .line_cost = file->line_cost,
                                        .line_tokens = file->line_tokens};
    errand_demand(errand, file, &errand->op.args.reserve);
    struct mete_reserve *args = &errand->op.args.reserve;
    args->request_id = (struct mete_text){id.data, id.len};
    args->content = XXH3_64bits_withSeed(body.data, body.len, 1) | 1;
    args->session = (struct mete_text){labels->session.data, labels->session.len};
    args->tags = labels->tags;
    args->tags_len = labels->tags_len;
    ask(errand);
}

/* ---- Its file -------------------------------------------------------------------------------- */

/* A file whose prices were others is priced anew by being uploaded anew: what it is billed by is
 * what it was bounded by (INV-11). */
static bool prices_hold(struct errand *errand)
{
    struct gateway *gateway = errand->gateway;
    errand->priced_us = mete_now(gateway->parts.mete).us;
    if (price_book_list(gateway->parts.prices, errand->organization.n, errand->priced_us,
                        &errand->pricing)) {
        errand_fail(errand, &call_no_memory);
        return false;
    }
    struct slice real = errand->file.model;
    if (models_real(gateway, &real) && slice_equal(real, errand->file.real) &&
        slice_equal(pricing_version(errand->pricing), errand->file.price_list))
        return true;
    errand_fail_wrong(errand, 400, "prices_changed", "input_file_id",
                      "Prices have changed since the file was uploaded: upload it again.");
    return false;
}

static bool may_use(struct errand *errand)
{
    struct gateway *gateway = errand->gateway;
    struct slice real = errand->file.model;
    const struct dialect *format = lines_format(errand->file.endpoint);
    const struct directory_key *key =
        gateway_good_key(gateway, errand->exchange, format ? format->endpoint : "batches");
    if (!key || !gateway_key_takes_model(gateway, key, errand->file.model))
        errand_fail(errand, &gateway->key_refused.error);
    else if (!models_real(gateway, &real))
        errand_fail(errand, &batches_model_disabled);
    else
        return true;
    return false;
}

static void on_file(struct errand *errand)
{
    char endpoint[LINES_ENDPOINT];
    struct json asked = json_member(kept_scan(errand->exchange->body), "endpoint");
    long len = json_string_copy(asked, endpoint, sizeof endpoint);
    if (!errand_found_file(errand))
        return;
    if (errand->file.batch.len)
        errand_fail_wrong(errand, 400, "invalid_value", "input_file_id",
                          "The file is what a batch came to, not one of calls.");
    else if (len < 0 || !slice_equal((struct slice){endpoint, (size_t)len}, errand->file.endpoint))
        errand_fail_wrong(errand, 400, "invalid_value", "endpoint",
                          "endpoint must be the url of the file's lines.");
    else if (may_use(errand) && prices_hold(errand) &&
             errand_use_provider(errand, errand->file.provider)) {
        if (errand->provider->disabled)
            errand_fail(errand, &batches_provider_disabled);
        else
            reserve(errand);
    }
}

/* ---- What is asked --------------------------------------------------------------------------- */

/* "24h" */
static bool window_fits(struct json window)
{
    char text[WINDOW_ROOM];
    int64_t hours;
    long len = json_string_copy(window, text, sizeof text);
    if (len < 2 || text[len - 1] != 'h')
        return false;
    struct json number = {JSON_NUMBER, {text, (size_t)len - 1}};
    return json_scalar_len(number.raw) == number.raw.len && !json_integer(number, &hours) &&
           hours >= 1 && hours <= WINDOW_HOURS_MAX;
}

void create_begin(struct gateway *gateway, struct exchange *exchange)
{
    struct json whole = kept_scan(exchange->body);
    struct errand *errand = errand_begin(gateway, exchange, "batches", (struct slice){0});
    if (!errand)
        return;
    if (whole.type == JSON_NONE) {
        errand_fail_wrong(errand, 400, "invalid_value", NULL, "The body must be a JSON object.");
        return;
    }
    long len = json_string_copy(json_member(whole, "input_file_id"), errand->id, LIMIT_ID);
    if (len < 0 || !kept_is_plain((struct slice){errand->id, (size_t)len})) {
        errand_fail_wrong(errand, 400, "invalid_value", "input_file_id",
                          "input_file_id must be the id of a file that was uploaded here.");
        return;
    }
    if (!window_fits(json_member(whole, "completion_window"))) {
        errand_fail_wrong(errand, 400, "invalid_value", "completion_window",
                          "completion_window must be \"24h\", or fewer hours.");
        return;
    }
    errand->documents.kind = DOCUMENT_FILE;
    errand->documents.id = slice_of(errand->id);
    errand_look(errand, on_file);
}
