/* SPDX-License-Identifier: Apache-2.0 */
#include "api/catalog/markup_document.h"

#include "codec/decimal.h"
#include "codec/timestamp.h"

enum { PAGE = 256, PLACES = 2 /* of a percentage: hundredths */ };

/* ---- Reading --------------------------------------------------------------------------------- */

static int read_models(struct json list, struct markup_models *room, struct slice *ret_models)
{
    struct json each;
    size_t at = 0, len = 0, count = 0;
    while (list.type == JSON_ARRAY && json_next(list, &at, NULL, &each)) {
        if (count++ == LIMIT_MARKUP_MODELS || each.type != JSON_STRING)
            return METE_E_CORRUPT;
        if (len)
            room->text[len++] = '\n';
        long copied = json_string_copy(each, room->text + len, LIMIT_ID);
        if (copied < 1)
            return METE_E_CORRUPT;
        len += (size_t)copied;
    }
    *ret_models = (struct slice){room->text, len};
    return 0;
}

static int read_text(struct json value, char *room, size_t room_len, struct slice *ret_text)
{
    long len = value.type == JSON_STRING ? json_string_copy(value, room, room_len) : -1;
    if (len < 0)
        return METE_E_CORRUPT;
    *ret_text = (struct slice){room, (size_t)len};
    return 0;
}

int markup_row_read(struct json row, struct markup_models *room, struct markups_row *ret_row)
{
    char percent_room[DECIMAL_ROOM], at_room[TIMESTAMP_ROOM];
    struct slice percent, at;
    struct markups_row read = {0};
    int64_t bp;
    if (read_text(json_member(row, "percent"), percent_room, sizeof percent_room, &percent) ||
        read_text(json_member(row, "effective_at"), at_room, sizeof at_room, &at) ||
        decimal_parse(percent, PLACES, &bp) || timestamp_parse(at, &read.from_us) ||
        bp < -PRICING_MARKUP_ONE || bp > LIMIT_MARKUP ||
        read_models(json_member(row, "models"), room, &read.is.models))
        return METE_E_CORRUPT;
    read.is.bp = (int32_t)bp;
    *ret_row = read;
    return 0;
}

struct loading {
    struct price_book *book;
    struct markup_models room;
    uint32_t last;
    size_t read;
};

static int load_one(void *user, const struct directory_entity *entity)
{
    struct loading *loading = user;
    struct json rows = json_member(entities_document(entity->document), "rows"), each;
    size_t at = 0;
    int rc = rows.type == JSON_ARRAY ? 0 : METE_E_CORRUPT;
    loading->last = entity->handle;
    loading->read++;
    while (!rc && json_next(rows, &at, NULL, &each)) {
        struct markups_row row;
        rc = markup_row_read(each, &loading->room, &row);
        row.organization = entity->organization.n;
        if (!rc)
            rc = markups_put(price_book_markups(loading->book), &row);
    }
    return rc;
}

int markup_documents_load(struct records_reader *reader, struct price_book *book)
{
    struct loading loading = {.book = book};
    int rc = 0;
    do {
        loading.read = 0;
        rc = directory_each(reader, document_entity(DOCUMENT_MARKUP), loading.last, PAGE, load_one,
                            &loading);
    } while (!rc && loading.read == PAGE);
    return rc;
}

/* ---- Writing --------------------------------------------------------------------------------- */

void markup_row_write_open(struct out *out, const struct markups_row *row)
{
    char room[DECIMAL_ROOM];
    size_t len = decimal_format(row->is.bp, PLACES, 0, room);
    struct slice rest = row->is.models;
    out_open(out, '{');
    out_member_instant(out, "effective_at", row->from_us);
    out_member_text(out, "percent", (struct slice){room, len});
    out_key(out, "models");
    if (!rest.len) {
        out_null(out);
        return;
    }
    out_open(out, '[');
    while (rest.len) {
        const char *end = memchr(rest.data, '\n', rest.len);
        size_t part = end ? (size_t)(end - rest.data) : rest.len;
        out_text(out, slice_part(rest, 0, part));
        rest = slice_from(rest, end ? part + 1 : part);
    }
    out_close(out, ']');
}
