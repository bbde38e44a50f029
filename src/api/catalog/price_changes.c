/* SPDX-License-Identifier: Apache-2.0
 * A list of prices against what holds at a moment: shown, or applied. What is applied is just what
 * would be shown, for both are made by one function, on a worker: the rows of the list lie over
 * what holds, and each of them that costs something else is a change.
 *
 * APPLYING  a batch of 64 models at a time, all with one moment. Up to 64 changes are one batch,
 * all or none; of more those of a batch are, and who asks again with the same list finishes what
 * was left, since what was applied is no change any more.
 *
 * What the list does not have is told as gone and stays as it is: a list is seldom whole. */
#include "api/catalog/handlers.h"
#include "api/catalog/price_list_in.h"
#include "api/catalog/prices.h"
#include "pricing/compare.h"

#include <stddef.h>
#include <stdio.h>

enum { BATCH = 60 };

struct changes_in {
    struct price_list_in list;
    int64_t effective_us;
    bool accept_absurd;
};

struct changes {
    struct changes_in in;
    int64_t at_us;
    const struct pricing *before;
    struct pricing *after;
    struct sheet_row sheet;
    struct slice last; /* model that was applied last */
    size_t fresh, changed, gone, same, absurd, left_out, applied;
    struct mete_change batch[BATCH];
    size_t batch_len;
    struct slice absurd_model;
};

#define AT(member) offsetof(struct changes_in, member)
static const struct field table[] = {
    PRICE_LIST_FIELDS(AT(list)),
    {.name = "effective_at", .type = FIELD_INSTANT, .offset = AT(effective_us)},
    {.name = "accept_absurd", .type = FIELD_BOOL, .offset = AT(accept_absurd)},
};
#undef AT

/* ---- Writing what changes: on a worker ------------------------------------------------------- */

static void write_price(struct out *out, const char *name, struct price price, unsigned shift)
{
    char room[DECIMAL_ROOM];
    out_key(out, name);
    if (price.atto_per_million < 0)
        out_null(out);
    else
        out_text(out, (struct slice){room, price_words_show(price, shift, room)});
}

static void write_difference(void *user, const struct price_difference *difference)
{
    struct request *request = user;
    struct changes *changes = request->state;
    struct out *out = &request->out;
    char percent[DECIMAL_ROOM];
    unsigned shift;
    const char *key = price_words_key(difference->meter, &shift);
    changes->absurd += difference->absurd;
    out_open(out, '{');
    out_member_text(out, "price", slice_of(key));
    out_key(out, "tier");
    if (difference->tier[0])
        out_text(out, slice_of(difference->tier));
    else
        out_null(out);
    write_price(out, "before", difference->before, shift);
    write_price(out, "after", difference->after, shift);
    out_key(out, "percent");
    if (price_percent(difference, percent))
        out_text(out, slice_of(percent));
    else
        out_null(out);
    out_member_bool(out, "absurd", difference->absurd);
    out_close(out, '}');
}

static void write_model(struct request *request, const struct price_model *before,
                        const struct price_model *after)
{
    struct changes *changes = request->state;
    struct out *out = &request->out;
    size_t absurd = changes->absurd;
    out_open(out, '{');
    out_member_text(out, "model", after ? after->name : before->name);
    out_member_text(out, "change", slice_of(!before ? "new" : !after ? "gone" : "changed"));
    out_key(out, "prices");
    out_open(out, '[');
    if (after)
        price_compare(before, after, write_difference, request);
    out_close(out, ']');
    if (changes->absurd > absurd && !changes->absurd_model.len)
        changes->absurd_model = after->name;
    out_close(out, '}');
}

static void write_models(struct request *request, struct changes *changes)
{
    const struct price_model *each = pricing_next_own(changes->after, (struct slice){0});
    for (; each; each = pricing_next_own(changes->after, each->name)) {
        const struct price_model *before = pricing_listed(changes->before, each->name);
        if (before && price_is_same(before, each)) {
            changes->same++;
            continue;
        }
        changes->fresh += !before;
        changes->changed += before != NULL;
        write_model(request, before, each);
    }
    each = pricing_next(changes->before, (struct slice){0});
    for (; each; each = pricing_next(changes->before, each->name)) {
        const struct price_model *after = pricing_listed(changes->after, each->name);
        if (after != each) /* what is not in the list shows through */
            continue;
        changes->gone++;
        write_model(request, each, NULL);
    }
}

static int run(struct request *request, struct records_reader *reader)
{
    struct changes *changes = request->state;
    struct out *out = &request->out;
    (void)reader;
    out_open(out, '{');
    const struct price_list_over over = {changes->before, changes->after, &changes->sheet};
    if (price_list_read(request, &changes->in.list, &over, &changes->left_out))
        return 0; /* request->problem has it */
    out_key(out, "models");
    out_open(out, '[');
    write_models(request, changes);
    out_close(out, ']');
    return 0;
}

/* ---- Replying -------------------------------------------------------------------------------- */

static void let_go(struct changes *changes)
{
    pricing_free(changes->before);
    pricing_free(changes->after);
    changes->before = changes->after = NULL;
}

static void reply(struct request *request)
{
    struct changes *changes = request->state;
    struct out *out = &request->out;
    out_key(out, "summary");
    out_open(out, '{');
    out_member_integer(out, "new", (int64_t)changes->fresh);
    out_member_integer(out, "changed", (int64_t)changes->changed);
    out_member_integer(out, "gone", (int64_t)changes->gone);
    out_member_integer(out, "unchanged", (int64_t)changes->same);
    out_member_integer(out, "absurd", (int64_t)changes->absurd);
    out_member_integer(out, "left_out", (int64_t)changes->left_out);
    out_close(out, '}');
    out_member_instant(out, "effective_at", changes->at_us);
    out_member_integer(out, "applied", (int64_t)changes->applied);
    out_member_text(out, "version", pricing_version(changes->before));
    out_close(out, '}');
    let_go(changes);
    request_reply(request, 200);
}

/* Whether reading went wrong; then the request has been ended. */
static bool failed(struct request *request)
{
    struct changes *changes = request->state;
    if (!request->problem.error && !request->work_status && !request->out.failed)
        return false;
    let_go(changes);
    if (request->problem.error)
        request_problem(request);
    else
        request_fail(request, request->work_status ? request->work_status : METE_E_MEMORY, NULL,
                     NULL);
    return true;
}

static void shown(struct request *request)
{
    if (!failed(request))
        reply(request);
}

/* ---- Applying -------------------------------------------------------------------------------- */

static void apply_next(struct request *request);

/* As it would be read at a start. */
static int use(struct request *request, struct changes *changes, struct mete_text text)
{
    struct sheet_fault fault;
    struct json document;
    if (json_scan((struct slice){text.data, text.len}, &document, NULL) ||
        sheet_read(document, &changes->sheet, &fault))
        return METE_E_CORRUPT;
    const struct price_book_row row = {.from_us = changes->at_us, .row = changes->sheet.row};
    return price_book_put(request->api->parts.prices, &row);
}

static void applied(struct request *request)
{
    struct changes *changes = request->state;
    int rc = request->op.status;
    for (size_t i = 0; !rc && i < changes->batch_len; i++) {
        rc = use(request, changes, changes->batch[i].document);
        changes->applied += !rc;
    }
    if (!rc) {
        apply_next(request);
        return;
    }
    size_t left = changes->fresh + changes->changed - changes->applied;
    let_go(changes);
    request_fail(request, rc, NULL,
                 "%zu models have their new prices, %zu have not: ask again to finish.",
                 changes->applied, left);
}

/* One more document of the batch; METE_E_MEMORY. */
static int add(struct request *request, struct changes *changes, const struct price_model *model)
{
    struct buffer text;
    buffer_init(&text, LIMIT_DOCUMENT);
    sheet_of_model(model, &changes->sheet);
    const struct price_book_row row = {.from_us = changes->at_us, .row = changes->sheet.row};
    int rc = price_document_write(&row, &text);
    struct slice id = price_document_id(request, model->name, changes->at_us);
    struct slice document =
        rc ? (struct slice){0} : arena_copy(&request->arena, buffer_slice(&text));
    buffer_done(&text);
    if (!id.data || !document.data)
        return METE_E_MEMORY;
    changes->batch[changes->batch_len] =
        (struct mete_change){.kind = METE_PUT_DOCUMENT,
                             .at_document = {DOCUMENT_PRICE, {0}, request_text(id)},
                             .document = request_text(document)};
    return 0;
}

static void apply_next(struct request *request)
{
    struct changes *changes = request->state;
    const struct price_model *each = pricing_next_own(changes->after, changes->last);
    int rc = 0;
    changes->batch_len = 0;
    for (; each && !rc && changes->batch_len < BATCH;
         each = pricing_next_own(changes->after, each->name)) {
        const struct price_model *before = pricing_listed(changes->before, each->name);
        changes->last = each->name;
        if (before && price_is_same(before, each))
            continue;
        rc = add(request, changes, each);
        changes->batch_len += !rc;
    }
    if (rc) {
        let_go(changes);
        request_fail(request, rc, NULL, "%zu models have their new prices: ask again to finish.",
                     changes->applied);
    } else if (changes->batch_len) {
        request_apply(request, changes->batch, changes->batch_len, applied);
    } else {
        reply(request);
    }
}

static void compared(struct request *request)
{
    struct changes *changes = request->state;
    if (failed(request))
        return;
    if (changes->absurd && !changes->in.accept_absurd) {
        struct slice model = arena_copy(&request->arena, changes->absurd_model);
        let_go(changes);
        request_fail(request, METE_E_INVALID, "accept_absurd",
                     "%zu prices are 100 times what they were, or a hundredth; the first is of "
                     "%.*s. Say that it is meant.",
                     changes->absurd, (int)model.len, model.data ? model.data : "");
        return;
    }
    apply_next(request);
}

/* ---- Beginning ------------------------------------------------------------------------------- */

static struct changes *begin(struct request *request)
{
    struct changes *changes = request_take(request, sizeof *changes);
    if (!changes)
        return NULL;
    request->state = changes;
    if (request_read(request, table, sizeof table / sizeof table[0], &changes->in) ||
        price_list_check(request, &changes->in.list, true) ||
        prices_moment(request, changes->in.effective_us, &changes->at_us)) {
        request_problem(request);
        return NULL;
    }
    return changes;
}

/* What holds at the moment, and a list over it. False: the request has been ended. */
static bool open_lists(struct request *request, struct changes *changes)
{
    int rc = price_book_list(request->api->parts.prices, 0, changes->at_us, &changes->before);
    if (!rc)
        rc = pricing_new_over(changes->before, &changes->after);
    if (!rc)
        return true;
    let_go(changes);
    request_fail(request, rc, NULL, NULL);
    return false;
}

void prices_diff(struct request *request)
{
    struct changes *changes = begin(request);
    if (changes && open_lists(request, changes))
        request_compute(request, run, shown);
}

static void apply_in_turn(struct request *request)
{
    if (open_lists(request, request->state))
        request_compute(request, run, compared);
}

void prices_apply(struct request *request)
{
    if (begin(request))
        request_turn(request, apply_in_turn);
}
