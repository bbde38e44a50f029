/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/batches/listing.h"

#include "gateway/batches/kept.h"
#include "gateway/call.h"

#include <stdio.h>

enum { PAGE_DEFAULT = 20, NUMBER_ROOM = 16, PAGE_BYTES = 4 * 1024 * 1024 };

static bool refuse(struct errand *errand, const char *param, const char *message)
{
    const struct dialect_error error = {
        400, "invalid_request_error", "invalid_value", param, message, {0}};
    errand_fail(errand, &error);
    return false;
}

bool listing_read(struct errand *errand, enum document_kind kind)
{
    struct exchange *exchange = errand->exchange;
    struct gateway_documents *documents = &errand->documents;
    char number[NUMBER_ROOM];
    int64_t limit = PAGE_DEFAULT;
    int len = exchange_query(exchange, "limit", number, sizeof number);
    struct json text = {JSON_NUMBER, {number, len > 0 ? (size_t)len : 0}};
    if (len != -1 && (len <= 0 || json_scalar_len(text.raw) != text.raw.len ||
                      json_integer(text, &limit) || limit < 1))
        return refuse(errand, "limit", "limit must be a whole number from 1 on.");
    int order = exchange_query(exchange, "order", number, sizeof number);
    if (order != -1 && !(order > 0 && slice_is((struct slice){number, (size_t)order}, "desc")))
        return refuse(errand, "order", "order must be desc: lists begin with the newest.");
    int after = exchange_query(exchange, "after", errand->id, LIMIT_ID);
    struct slice before = {errand->id, after > 0 ? (size_t)after : 0};
    if (after != -1 && !kept_is_plain(before))
        return refuse(errand, "after", "after must be the id of one of them.");
    documents->kind = (int)kind;
    documents->before = before;
    documents->limit = (size_t)min_i64(limit, LIMIT_BATCH_PAGE);
    return true;
}

static int write_one(struct buffer *out, const struct listed *one)
{
    if (one->object.len)
        return buffer_append(out, one->object);
    return buffer_format(out, "{\"id\":\"%.*s\",\"object\":\"%s\"}", (int)one->id.len, one->id.data,
                         one->what);
}

static int write_end(struct buffer *out, struct slice first, struct slice last, bool more)
{
    if (!first.len)
        return buffer_text(out, "],\"first_id\":null,\"last_id\":null,\"has_more\":false}");
    return buffer_format(out, "],\"first_id\":\"%.*s\",\"last_id\":\"%.*s\",\"has_more\":%s}",
                         (int)first.len, first.data, (int)last.len, last.data,
                         more ? "true" : "false");
}

static int write_page(const struct errand *errand, struct buffer *out,
                      bool (*show)(struct slice document, struct listed *ret_listed))
{
    struct slice rest = buffer_slice(&errand->documents.found), first = {0}, last = {0};
    struct listed one;
    int rc = buffer_text(out, "{\"object\":\"list\",\"data\":[");
    while (rest.len && !rc) {
        const char *end = memchr(rest.data, '\n', rest.len);
        size_t len = end ? (size_t)(end - rest.data) : rest.len;
        bool shown = show(slice_part(rest, 0, len), &one);
        rest = slice_from(rest, end ? len + 1 : len);
        if (!shown)
            continue;
        if (first.len)
            rc = buffer_text(out, ",");
        if (!rc)
            rc = write_one(out, &one);
        first = first.len ? first : one.id;
        last = one.id;
    }
    return rc ? rc : write_end(out, first, last, errand->documents.more);
}

void listing_reply(struct errand *errand,
                   bool (*show)(struct slice document, struct listed *ret_listed))
{
    int status = errand->documents.status;
    if (status == METE_E_NOT_FOUND && errand->documents.before.len) {
        (void)refuse(errand, "after", "after must be the id of one of them.");
        return;
    }
    if (status && status != METE_E_NOT_FOUND) {
        errand_fail(errand, &call_busy);
        return;
    }
    buffer_done(&errand->answer);
    buffer_init(&errand->answer, PAGE_BYTES);
    if (write_page(errand, &errand->answer, show))
        errand_fail(errand, &call_no_memory);
    else
        errand_reply_json(errand, 200, buffer_slice(&errand->answer));
}
