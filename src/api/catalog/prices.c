/* SPDX-License-Identifier: Apache-2.0
 * Prices by date: said, listed, and shown with their history; everybody's and an organization's
 * own. What is said is a document (price_documents.h); as soon as it is durable it is in the book,
 * which the gateway and all of the API price by.
 *
 * A price may be said whole ("prices"), or a meter at a time as billing systems keep it
 * ("pricing_type", "unit_price", "unit"): that changes the one, and leaves the others as they were
 * said here; what the list says beside is no part of it. A model that then lacks its output's price
 * is refused until it has one (INV-11). */
#include "api/catalog/handlers.h"
#include "api/catalog/prices.h"
#include "base/assert.h"
#include "codec/timestamp.h"

#include <stddef.h>

#define NOT_LONG_US (INT64_C(300) * 1000000) /* two clocks may differ by so much */

struct price_in {
    struct slice model, model_code, provider, currency, pricing_type, unit_price, unit;
    struct json prices, tiers;
    int64_t output_max, effective_us, effective_date_us;
    bool ends, is_active;
};

struct price_state {
    struct price_in in;
    struct price_book_row row;
    struct sheet_row *sheet, *shown; /* what is said, and what is shown of it */
};

#define AT(member) offsetof(struct price_in, member)
#define TOKEN(member, most)                                                                        \
    {                                                                                              \
        .name = #member, .type = FIELD_TOKEN, .offset = AT(member), .min = 1, .max = (most)        \
    }
static const struct field table[] = {
    TOKEN(model, LIMIT_ID),
    TOKEN(model_code, LIMIT_ID),
    TOKEN(provider, LIMIT_PROVIDER),
    {.name = "currency", .type = FIELD_TOKEN, .offset = AT(currency), .min = 3, .max = 3},
    TOKEN(pricing_type, 64),
    {.name = "unit_price", .type = FIELD_AMOUNT, .offset = AT(unit_price)},
    TOKEN(unit, 64),
    {.name = "prices", .type = FIELD_OBJECT, .offset = AT(prices)},
    {.name = "tiers", .type = FIELD_LIST, .offset = AT(tiers), .max = LIMIT_PRICE_TIERS},
    {.name = "max_output_tokens", .type = FIELD_COUNT, .offset = AT(output_max), .max = 16777216},
    {.name = "effective_at", .type = FIELD_INSTANT, .offset = AT(effective_us)},
    {.name = "effective_date", .type = FIELD_INSTANT, .offset = AT(effective_date_us)},
    {.name = "ends", .type = FIELD_BOOL, .offset = AT(ends)},
    {.name = "is_active", .type = FIELD_BOOL, .offset = AT(is_active)},
};
#undef TOKEN
#undef AT

int prices_moment(struct request *request, int64_t said_us, int64_t *ret_us)
{
    int64_t now_us = mete_now(request->api->parts.mete).us;
    if (said_us && said_us < now_us - NOT_LONG_US)
        return problem_set(&request->problem, METE_E_INVALID, "effective_at",
                           "It is past: what was charged is not changed.");
    *ret_us = max_i64(said_us, now_us);
    return 0;
}

/* ---- Showing --------------------------------------------------------------------------------- */

const char *prices_absurd(const struct price_model *before, const struct price_model *after,
                          enum price_meter from, enum price_meter *ret_meter)
{
    for (unsigned i = from; i < PRICE_METERS; i++) {
        int128 old = before->prices[i].atto_per_million, now = after->prices[i].atto_per_million;
        if (old > 0 && now > 0 && (now / 100 >= old || old / 100 >= now)) {
            *ret_meter = (enum price_meter)i;
            unsigned shift;
            return price_words_key((enum price_meter)i, &shift);
        }
    }
    return NULL;
}

static void write_sheet(struct out *out, const struct pricing_row *row)
{
    out_raw(out, (struct slice){"", 0}); /* the comma */
    if (out->failed || sheet_write(row, &out->bytes))
        out->failed = true;
}

/* Whose word it is: an organization's, everybody's by a document, the configuration's, or that of
 * the list mete comes with. */
static const char *source_of(struct price_book *book, uint32_t organization, int64_t at_us,
                             const struct price_model *model, int64_t *ret_since_us)
{
    if (organization && price_book_since(book, organization, model->name, at_us, ret_since_us))
        return "organization";
    if (price_book_since(book, 0, model->name, at_us, ret_since_us))
        return "document";
    *ret_since_us = INT64_MAX;
    return model->is_put ? "configuration" : "built-in";
}

/* What is paid; who sells sees what it was made of. */
static void write_paid(struct request *request, const struct pricing_row *row, int32_t markup_bp)
{
    struct out *out = &request->out;
    char room[DECIMAL_ROOM];
    out_raw(out, (struct slice){"", 0}); /* the comma */
    if (out->failed || sheet_write_marked(row, markup_bp, &out->bytes))
        out->failed = true;
    if (!markup_bp || !request->who.admin)
        return;
    size_t len = decimal_format(markup_bp, 2, 0, room);
    out_member_text(out, "markup_percent", (struct slice){room, len});
    out_key(out, "before_markup");
    out_open(out, '{');
    write_sheet(out, row);
    out_close(out, '}');
}

void prices_write_open(struct request *request, struct sheet_row *sheet, uint32_t organization,
                       int64_t at_us, const struct price_model *model)
{
    struct out *out = &request->out;
    int64_t since_us;
    sheet_of_model(model, sheet);
    out_open(out, '{');
    out_member_text(out, "model", model->name);
    out_member_text(
        out, "source",
        slice_of(source_of(request->api->parts.prices, organization, at_us, model, &since_us)));
    out_member_instant(out, "effective_at", since_us);
    write_paid(request, &sheet->row, model->markup_bp);
}

struct prices_shown {
    struct page page;
    struct slice provider, prefix;
    int64_t at_us;
    const struct pricing *list;
    struct sheet_row sheet; /* of whichever is written */
};

static void write_price(struct request *request, struct prices_shown *shown,
                        const struct price_model *model)
{
    const struct price_model *priced = pricing_find(shown->list, model->name);
    prices_write_open(request, &shown->sheet, request->found.n, shown->at_us, model);
    out_member_bool(&request->out, "complete", priced == model);
    out_close(&request->out, '}');
}

/* ---- Saying ---------------------------------------------------------------------------------- */

static void warn(struct request *request, const struct pricing_row *row,
                 const struct price_model *before, const struct price_model *after)
{
    struct out *out = &request->out;
    enum price_meter meter = PRICE_INPUT;
    out_key(out, "warnings");
    out_open(out, '[');
    const char *key = before ? prices_absurd(before, after, meter, &meter) : NULL;
    for (; key; key = prices_absurd(before, after, meter + 1, &meter)) {
        if (!row->per_million[meter].len)
            continue; /* it falls back to another */
        out_open(out, '{');
        out_key(out, "field");
        out_text(out, slice_of(key));
        out_member_text(out, "text",
                        SLICE_LITERAL("It is 100 times what it was, or a hundredth of it: are "
                                      "units confused?"));
        out_close(out, '}');
    }
    out_close(out, ']');
}

static void write_end(struct request *request, const struct price_book_row *row)
{
    struct out *out = &request->out;
    out_open(out, '{');
    out_member_text(out, "model", row->row.name);
    out_member_text(out, "source", slice_of(row->organization ? "organization" : "document"));
    out_member_instant(out, "effective_at", row->from_us);
    write_sheet(out, &row->row);
    out_member_bool(out, "complete", false);
    out_member_bool(out, "ends", true);
    warn(request, &row->row, NULL, NULL);
    out_close(out, '}');
}

/* What was said, as the list of its moment has it. */
static void write_said(struct request *request, struct price_state *state,
                       const struct pricing *before, const struct pricing *list)
{
    const struct price_book_row *row = &state->row;
    struct out *out = &request->out;
    const struct price_model *model = pricing_listed(list, row->row.name);
    ASSERT(model);
    prices_write_open(request, state->shown, row->organization, row->from_us, model);
    out_member_bool(out, "complete", pricing_find(list, row->row.name) == model);
    out_member_bool(out, "ends", false);
    warn(request, &row->row, pricing_listed(before, row->row.name), model);
    out_close(out, '}');
}

static void reply_said(struct request *request)
{
    struct price_state *state = request->state;
    struct price_book_row *row = &state->row;
    struct price_book *book = request->api->parts.prices;
    const struct pricing *list = NULL, *before = NULL;
    row->organization = request_made(request, request->found).n;
    int rc = price_book_list(book, row->organization, row->from_us - 1, &before);
    if (!rc)
        rc = price_book_put(book, row);
    if (!rc)
        rc = price_book_list(book, row->organization, row->from_us, &list);
    out_clear(&request->out);
    if (!rc && row->ends)
        write_end(request, row);
    else if (!rc)
        write_said(request, state, before, list);
    pricing_free(before);
    pricing_free(list);
    if (rc)
        request_fail(
            request, METE_E_MEMORY, NULL,
            "It is kept, but there was no memory to use it: it holds from the next start.");
    else
        request_reply(request, 201);
}

/* What is there at the moment, but for what is said. */
static int change_one(struct request *request, struct price_state *state,
                      const struct price_model *there)
{
    const struct price_in *in = &state->in;
    enum price_meter meter;
    char room[DECIMAL_ROOM];
    if (there)
        sheet_of_model(there, state->sheet);
    if (there && in->currency.len && !slice_equal(in->currency, state->sheet->row.currency))
        return problem_set(&request->problem, METE_E_INVALID, "currency",
                           "Its other prices are in %.*s: say them all at once in another.",
                           (int)state->sheet->row.currency.len, state->sheet->row.currency.data);
    switch (price_words_say(in->pricing_type, in->unit, in->unit_price, &meter, room)) {
    case PRICE_WORD_GOOD:
        break;
    case PRICE_WORD_TYPE:
        return problem_set(&request->problem, METE_E_INVALID, "pricing_type",
                           "There is no such kind of price; input_token and output_token are two.");
    case PRICE_WORD_UNIT:
        return problem_set(
            &request->problem, METE_E_INVALID, "unit",
            "It is no unit of that; per_1k_tokens, per_image or per_second are some.");
    case PRICE_WORD_PRICE:
        return problem_set(
            &request->problem, METE_E_INVALID, "unit_price",
            "It must be a decimal, not negative, that is kept exactly for one token, "
            "picture, second or call.");
    }
    sheet_set(state->sheet, meter, slice_of(room));
    if (in->provider.len)
        state->sheet->row.provider = in->provider;
    if (!there)
        state->sheet->row.currency = in->currency;
    if (in->output_max)
        state->sheet->row.output_max = in->output_max;
    return 0;
}

static int say_whole(struct request *request, struct price_state *state)
{
    struct sheet_fault fault;
    struct json body;
    int rc = request_body(request, &body);
    if (rc)
        return rc;
    if (sheet_read(body, state->sheet, &fault))
        return problem_set(&request->problem, METE_E_INVALID, fault.field, "%s", fault.why);
    return 0;
}

/* Whether what holds of the model at the moment was said here, at the same level. */
static bool is_said(struct price_book *book, const struct price_state *state)
{
    int64_t since_us;
    return price_book_since(book, state->row.organization, state->in.model, state->row.from_us,
                            &since_us);
}

static int make_row(struct request *request, struct price_state *state)
{
    struct price_book *book = request->api->parts.prices;
    const struct pricing *list;
    int rc = price_book_list(book, state->row.organization, state->row.from_us, &list);
    if (rc)
        return problem_set(&request->problem, rc, NULL, NULL);
    const struct price_model *there = pricing_listed(list, state->in.model);
    bool said = is_said(book, state);
    struct sheet_row *sheet = state->sheet;
    sheet->row = (struct pricing_row){.tiers = sheet->tiers};
    if (!state->in.ends && state->in.pricing_type.len)
        rc = change_one(request, state, said ? there : NULL);
    else if (!state->in.ends)
        rc = say_whole(request, state);
    if (there && !sheet->row.provider.len)
        sheet->row.provider = there->provider;
    if (there && !sheet->row.output_max)
        sheet->row.output_max = there->output_max;
    sheet->row.name = state->in.model;
    sheet->row.provider = arena_copy(&request->arena, sheet->row.provider); /* the list's, maybe */
    pricing_free(list);
    if (rc)
        return rc;
    rc = state->in.ends ? 0 : price_book_try(book, &sheet->row);
    if (rc == METE_E_INVALID || rc == METE_E_SYNTAX)
        return problem_set(&request->problem, METE_E_INVALID,
                           state->in.pricing_type.len ? "unit_price" : "prices",
                           "No call can be priced by them: one is too dear or too fine, or a tier "
                           "lacks its input and output price or is there twice.");
    state->row.row = sheet->row;
    state->row.ends = state->in.ends;
    return rc ? problem_set(&request->problem, rc, NULL, NULL) : 0;
}

static bool write_document(struct request *request, struct json was)
{
    struct price_state *state = request->state;
    int64_t now_us = mete_now(request->api->parts.mete).us;
    if (was.type != JSON_NONE && state->row.from_us <= now_us) {
        request_fail(request, METE_E_EXISTS, "effective_at",
                     "A price holds from that moment: it is not changed any more.");
        return false;
    }
    state->row.organization = request->found.n;
    out_clear(&request->out);
    if (make_row(request, state)) {
        request_problem(request);
        return false;
    }
    if (price_document_write(&state->row, &request->out.bytes))
        request->out.failed = true;
    return true;
}

static int check_said(struct request *request, struct price_in *in)
{
    struct problem *problem = &request->problem;
    if (!in->model.len)
        in->model = in->model_code;
    if (!in->effective_us)
        in->effective_us = in->effective_date_us;
    if (!in->model.len)
        return problem_set(problem, METE_E_INVALID, "model", "It is missing.");
    if (!in->is_active)
        return problem_set(problem, METE_E_INVALID, "is_active",
                           "An inactive price is none: leave it out, or say that it ends.");
    bool one = in->pricing_type.len || in->unit_price.len || in->unit.len;
    bool whole = in->prices.type || in->tiers.type;
    if (one && (!in->pricing_type.len || !in->unit_price.len))
        return problem_set(problem, METE_E_INVALID,
                           in->pricing_type.len ? "unit_price" : "pricing_type", "It is missing.");
    if ((one || whole) && in->ends)
        return problem_set(problem, METE_E_INVALID, "ends", "What ends has no prices.");
    if (one && whole)
        return problem_set(problem, METE_E_INVALID, "pricing_type",
                           "Say all prices, or one: not both.");
    if (!one && !whole && !in->ends)
        return problem_set(problem, METE_E_INVALID, "prices", "They are missing.");
    return 0;
}

static void say(struct request *request, bool own)
{
    static const struct document_plan everybodys = {.kind = DOCUMENT_PRICE,
                                                    .field = "effective_at",
                                                    .write = write_document,
                                                    .done = reply_said};
    static const struct document_plan organizations = {.kind = DOCUMENT_OWN_PRICE,
                                                       .field = "effective_at",
                                                       .write = write_document,
                                                       .done = reply_said};
    struct price_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    state->in.is_active = true;
    state->sheet = request_take(request, 2 * sizeof *state->sheet);
    if (!state->sheet)
        return;
    state->shown = state->sheet + 1;
    if (request_read(request, table, sizeof table / sizeof table[0], &state->in) ||
        check_said(request, &state->in) ||
        prices_moment(request, state->in.effective_us, &state->row.from_us)) {
        request_problem(request);
        return;
    }
    struct slice id = price_document_id(request, state->in.model, state->row.from_us);
    documents_change(request, own ? &organizations : &everybodys, DOCUMENT_PUT, id);
}

void prices_create(struct request *request)
{
    say(request, false);
}

void own_prices_create(struct request *request)
{
    say(request, true);
}

/* ---- Listing --------------------------------------------------------------------------------- */

static bool is_wanted(const struct prices_shown *shown, uint32_t organization,
                      struct request *request, const struct price_model *model)
{
    int64_t since_us;
    if (shown->provider.len && !slice_equal(model->provider, shown->provider))
        return false;
    if (shown->prefix.len && !slice_starts(model->name, shown->prefix))
        return false;
    return !organization || price_book_since(request->api->parts.prices, organization, model->name,
                                             shown->at_us, &since_us);
}

/* The cursor is how many were passed: a page under change may show one twice, never change what it
 * says. */
static void write_page(struct request *request, struct prices_shown *shown)
{
    struct out *out = &request->out;
    uint32_t organization = request->found.n;
    const struct price_model *each = pricing_next(shown->list, (struct slice){0});
    uint64_t at = 0;
    size_t written = 0;
    out_page_open(out);
    for (; each && written <= shown->page.limit; each = pricing_next(shown->list, each->name)) {
        if (!is_wanted(shown, organization, request, each) || at++ < shown->page.after)
            continue;
        if (written++ < shown->page.limit)
            write_price(request, shown, each);
    }
    out_page_close(out, written > shown->page.limit
                            ? (int128)shown->page.after + (int128)shown->page.limit
                            : 0);
    out_member_text(out, "version", pricing_version(shown->list));
    out_close(out, '}');
}

static void show_list(struct request *request)
{
    struct prices_shown *shown = request->state;
    int rc =
        price_book_list(request->api->parts.prices, request->found.n, shown->at_us, &shown->list);
    if (rc) {
        request_fail(request, rc, NULL, NULL);
        return;
    }
    write_page(request, shown);
    pricing_free(shown->list);
    request_reply(request, 200);
}

static void organization_found(struct request *request)
{
    if (!request_missed(request, "org"))
        show_list(request);
}

static int read_at(struct request *request, int64_t *ret_us)
{
    struct slice at;
    int rc = request_query(request, "at", 64, &at);
    *ret_us = mete_now(request->api->parts.mete).us;
    if (!rc && at.len && timestamp_parse(at, ret_us))
        rc = problem_set(&request->problem, METE_E_INVALID, "at",
                         "It must be an instant such as 2030-01-31T00:00:00Z.");
    return rc;
}

/* What a name is made of, or nothing. */
static int check_token(struct request *request, const char *field, struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < '!' || text.data[i] > '~')
            return problem_set(&request->problem, METE_E_INVALID, field,
                               "It must be printable ASCII without spaces.");
    return 0;
}

static struct prices_shown *begin_list(struct request *request)
{
    static const char *const known[] = {"limit", "cursor", "provider", "model", "at", NULL};
    struct prices_shown *shown = request_take(request, sizeof *shown);
    if (!shown)
        return NULL;
    request->state = shown;
    if (request_query_known(request, known) || request_page(request, &shown->page) ||
        request_query(request, "provider", LIMIT_PROVIDER, &shown->provider) ||
        request_query(request, "model", LIMIT_ID, &shown->prefix) ||
        check_token(request, "model", shown->prefix) ||
        check_token(request, "provider", shown->provider) || read_at(request, &shown->at_us)) {
        request_problem(request);
        return NULL;
    }
    return shown;
}

void prices_list(struct request *request)
{
    request->found = (struct mete_scope_id){0};
    if (begin_list(request))
        show_list(request);
}

void own_prices_list(struct request *request)
{
    if (begin_list(request))
        request_find_organization(request, organization_found);
}

/* ---- One, with its history --------------------------------------------------------------------
 */

static void write_row(struct request *request, const struct price_book_row *row, bool in_force)
{
    struct out *out = &request->out;
    out_open(out, '{');
    out_member_instant(out, "effective_at", row->from_us);
    out_member_text(out, "source", slice_of(row->organization ? "organization" : "document"));
    out_member_bool(out, "in_force", in_force);
    out_member_bool(out, "ends", row->ends);
    write_sheet(out, &row->row);
    out_close(out, '}');
}

/* Newest first, and at their end what was there before all of them. */
static void write_history(struct request *request, uint32_t organization, struct slice model,
                          int64_t now_us)
{
    struct price_book *book = request->api->parts.prices;
    struct out *out = &request->out;
    struct price_book_row row;
    size_t len = 0;
    bool begun = false;
    out_key(out, "history");
    out_open(out, '[');
    while (price_book_at(book, organization, model, len, &row))
        len++;
    for (size_t i = len; i-- > 0;) {
        bool there = price_book_at(book, organization, model, i, &row);
        ASSERT(there);
        bool first = !begun && row.from_us <= now_us;
        write_row(request, &row, first && !row.ends);
        begun = begun || first;
    }
    out_close(out, ']');
}

static void write_one(struct request *request, struct prices_shown *shown, struct slice model)
{
    struct out *out = &request->out;
    const struct price_model *found = pricing_listed(shown->list, model);
    out_open(out, '{');
    out_member_text(out, "model", model);
    out_key(out, "price");
    if (found)
        write_price(request, shown, found);
    else
        out_null(out);
    write_history(request, request->found.n, model, shown->at_us);
    out_member_text(out, "version", pricing_version(shown->list));
    out_close(out, '}');
}

static void show_one(struct request *request)
{
    struct price_book *book = request->api->parts.prices;
    struct price_book_row row;
    struct slice model = request->params[request->found.n ? 1 : 0];
    struct prices_shown *shown = request_take(request, sizeof *shown);
    if (!shown)
        return;
    shown->at_us = mete_now(request->api->parts.mete).us;
    int rc = price_book_list(book, request->found.n, shown->at_us, &shown->list);
    if (rc) {
        request_fail(request, rc, NULL, NULL);
        return;
    }
    bool there =
        pricing_listed(shown->list, model) || price_book_at(book, request->found.n, model, 0, &row);
    if (there)
        write_one(request, shown, model);
    pricing_free(shown->list);
    if (there)
        request_reply(request, 200);
    else
        request_fail(request, METE_E_NOT_FOUND, "model", "The list has no model of this name.");
}

static void organization_of_one_found(struct request *request)
{
    if (!request_missed(request, "org"))
        show_one(request);
}

void price_show(struct request *request)
{
    request->found = (struct mete_scope_id){0};
    show_one(request);
}

void own_price_show(struct request *request)
{
    request_find_organization(request, organization_of_one_found);
}
