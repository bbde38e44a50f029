/* SPDX-License-Identifier: Apache-2.0
 * POST /v1/files: what is for a batch is priced, line by line, before its provider sees any of it.
 *
 *   form -> first line: model, address -> what the key may use -> provider and price
 *        -> all lines (a worker) -> is it affordable now? -> the provider -> kept -> reply
 *
 * A file costs nothing by itself, and reserves nothing: that is the batch's. A file of another
 * purpose has no price of its own, so it is let through where the configuration prices the path by
 * the call (pass_through), and is refused otherwise (INV-11). */
#include "codec/multipart.h"
#include "gateway/batches/batches.h"
#include "gateway/batches/kept.h"
#include "gateway/call.h"

#include <stdlib.h>

struct form {
    struct slice purpose, file;
    int purposes, files;
};

static bool read_form(const struct exchange *exchange, struct form *ret_form)
{
    struct multipart multipart;
    struct multipart_part part;
    *ret_form = (struct form){0};
    int more =
        multipart_begin(&multipart, exchange->ops->header(exchange, "content-type"), exchange->body)
            ? METE_E_SYNTAX
            : 1;
    while (more > 0) {
        more = multipart_next(&multipart, &part);
        if (more > 0 && slice_is(part.name, "purpose")) {
            ret_form->purpose = part.body;
            ret_form->purposes++;
        } else if (more > 0 && slice_is(part.name, "file")) {
            ret_form->file = part.body;
            ret_form->files++;
        }
    }
    return !more;
}

/* ---- Kept ------------------------------------------------------------------------------------ */

static bool keep_id(struct errand *errand)
{
    errand->file.id = kept_text(kept_scan(buffer_slice(&errand->answer)), "id");
    return kept_is_plain(errand->file.id);
}

static void on_sent(struct errand *errand)
{
    static const struct dialect_error unreadable = {
        502, "server_error", "upstream_unreadable", NULL, "The provider's answer is not of a file.",
        {0}};
    if (!errand_is_good(errand))
        return;
    if (!keep_id(errand)) {
        errand_fail(errand, &unreadable);
        return;
    }
    errand->file.object = errand_object(errand);
    if (errand_put_file(errand, 0, &errand->file))
        errand_keep(errand, 1, errand_reply_kept);
}

/* ---- Sent ------------------------------------------------------------------------------------ */

/* The client's form, with the file in it as it was changed. */
static void put_pieces(struct errand *errand)
{
    const struct lines *lines = errand->lines;
    struct slice body = errand->exchange->body;
    size_t before = (size_t)(lines->file.data - body.data);
    errand->pieces[0] = body;
    errand->pieces_len = 1;
    if (!lines->changed.len)
        return;
    errand->pieces[0].len = before;
    errand->pieces[1] = buffer_slice(&lines->changed);
    errand->pieces[2] = slice_from(body, before + lines->file.len);
    errand->pieces_len = 3;
}

static void on_checked(struct errand *errand);

static void check(struct errand *errand)
{
    errand_ask(errand, METE_OP_CHECK, on_checked);
}

static void on_checked(struct errand *errand)
{
    struct exchange *exchange = errand->exchange;
    const struct errand_send send = {.method = "POST",
                                     .path = "/files",
                                     .content_type =
                                         exchange->ops->header(exchange, "content-type")};
    if (errand->op.status) {
        errand_fail_asked(errand);
    } else if (!errand->op.result.verdict.allowed) {
        if (!errand_await_grants(errand, check))
            errand_refuse(errand);
    } else {
        put_pieces(errand);
        errand_send(errand, &send, on_sent);
    }
}

/* ---- Priced ---------------------------------------------------------------------------------- */

static void on_priced(struct errand *errand)
{
    const struct lines *lines = errand->lines;
    if (lines->error.status) {
        errand_fail(errand, &lines->error);
        return;
    }
    errand->file = (struct kept_file){
        .provider = slice_of(errand->provider->config->name),
        .endpoint = slice_of(lines->endpoint),
        .model = {lines->model, lines->model_len},
        .real = lines->real,
        .price_list = pricing_version(errand->pricing),
        .currency = lines->price->currency,
        .lines = lines->len,
        .cost = lines->cost,
        .tokens = lines->tokens,
        .line_cost = lines->line_cost,
        .line_tokens = lines->line_tokens,
    };
    if (!errand_expect_refusals(errand))
        return;
    errand_demand(errand, &errand->file, &errand->op.args.reserve);
    check(errand);
}

static void run(struct work *work)
{
    struct errand *errand = (struct errand *)(void *)((char *)work - offsetof(struct errand, job));
    struct lines *lines = errand->lines;
    struct tokenizer *tokenizer = NULL;
    bool counts = errand->gateway->config->count_tokens && lines->way.encoding;
    if (counts && tokenizer_pool_take(errand->gateway->pool, lines->way.encoding, &tokenizer))
        tokenizer = NULL; /* without memory the bytes bound it */
    lines_price(lines, tokenizer);
    if (tokenizer)
        tokenizer_pool_give(errand->gateway->pool, tokenizer);
}

/* By the model's name there; where that is one of its users' own, by the name it was asked for. */
static struct model_way way_of(struct gateway *gateway, struct slice there, struct slice asked)
{
    struct model_way way = model_way_of(&gateway->ways, there);
    return way.rule->bounded || way.rule->beyond ? way : model_way_of(&gateway->ways, asked);
}

/* ---- Of whom, at which price ----------------------------------------------------------------- */

static const struct candidate *taker(const struct candidates *all, const struct dialect *format)
{
    for (size_t i = 0; i < all->len; i++)
        if (all->list[i].spoken == format && batches_are_taken(all->list[i].provider))
            return &all->list[i];
    return NULL;
}

static bool choose(struct errand *errand)
{
    struct gateway *gateway = errand->gateway;
    struct lines *lines = errand->lines;
    struct slice model = lines->real;
    struct candidates all;
    providers_choose(&gateway->providers, errand->pricing, model, lines->format, &all);
    const struct candidate *one = taker(&all, lines->format);
    if (!one && all.answers && !all.enabled)
        errand_fail(errand, &batches_provider_disabled);
    else if (!one && !all.answers)
        errand_fail_wrong(errand, 404, "model_not_found", "file",
                          "No provider here answers the model of its lines.");
    else if (!one && all.speaks && !all.len)
        errand_fail_wrong(errand, 400, "model_not_priced", "file",
                          "The model of its lines has no price here, so it cannot be budgeted.");
    else if (!one)
        errand_fail_wrong(errand, 400, "format_not_spoken", "file",
                          "The provider of the model of its lines takes no batches of them.");
    if (!one)
        return false;
    errand->provider = one->provider;
    lines->price = one->price;
    lines->model_there = one->model;
    lines->way = way_of(gateway, one->model, model);
    lines->memo = gateway->memo;
    return true;
}

/* What an administrator said of the model. False: it is disabled. */
static bool find_real(struct errand *errand)
{
    struct lines *lines = errand->lines;
    const struct models *models = errand->gateway->parts.models;
    lines->real = (struct slice){lines->model, lines->model_len};
    bool good = models_real(errand->gateway, &lines->real);
    const struct model *said = models && good ? models_find(models, lines->real) : NULL;
    lines->output_max = said ? said->output_max : 0;
    return good;
}

/* What it may use beyond files: the calls that are in it. */
static bool may_use(struct errand *errand)
{
    struct gateway *gateway = errand->gateway;
    const struct lines *lines = errand->lines;
    const struct directory_key *key =
        gateway_good_key(gateway, errand->exchange, lines->format->endpoint);
    struct slice model = {lines->model, lines->model_len};
    if (!key || !gateway_key_takes_model(gateway, key, model))
        errand_fail(errand, &gateway->key_refused.error);
    else if (!find_real(errand))
        errand_fail(errand, &batches_model_disabled);
    else
        return true;
    return false;
}

static void begin(struct errand *errand, struct slice file)
{
    struct gateway *gateway = errand->gateway;
    errand->lines = calloc(1, sizeof *errand->lines);
    if (!errand->lines) {
        errand_fail(errand, &call_no_memory);
    } else if (!lines_begin(errand->lines, gateway, file)) {
        errand_fail(errand, &errand->lines->error);
    } else if (may_use(errand)) {
        if (price_book_list(gateway->parts.prices, errand->organization.n,
                            mete_now(gateway->parts.mete).us, &errand->pricing))
            errand_fail(errand, &call_no_memory);
        else if (choose(errand))
            errand_work(errand, run, on_priced);
    }
}

void upload_begin(struct gateway *gateway, struct exchange *exchange)
{
    struct form form;
    bool good = read_form(exchange, &form);
    const char *methods = providers_pass_methods(&gateway->providers, exchange->path);
    if (good && methods && strstr(methods, "POST") && !slice_is(form.purpose, "batch")) {
        const struct dialect_target target = {.rest = exchange->path};
        call_begin(gateway, exchange, dialect_pass(), &target);
        return;
    }
    struct errand *errand = errand_begin(gateway, exchange, "files", (struct slice){0});
    if (!errand)
        return;
    if (!good)
        errand_fail_wrong(errand, 400, "invalid_value", NULL,
                          "The body is not a good multipart/form-data.");
    else if (form.purposes != 1 || form.files != 1)
        errand_fail_wrong(errand, 400, "invalid_value", form.purposes != 1 ? "purpose" : "file",
                          "The form must have purpose and file, each once.");
    else if (!slice_is(form.purpose, "batch"))
        errand_fail_wrong(errand, 400, "unsupported_purpose", "purpose",
                          "Only files for a batch have a price here; others are not taken.");
    else
        begin(errand, form.file);
}
