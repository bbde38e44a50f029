/* SPDX-License-Identifier: Apache-2.0 */
#include "api/catalog/price_documents.h"

#include "api/catalog/markup_document.h"
#include "base/assert.h"
#include "codec/timestamp.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

enum { PAGE = 256, ID_READABLE = 64 };

/* ---- Reading --------------------------------------------------------------------------------- */

struct loading {
    struct price_book *book;
    struct sheet_row *sheet;
    uint32_t last; /* handle of the last one read */
    size_t read;
};

static int read_instant(struct json value, int64_t *ret_us)
{
    char text[TIMESTAMP_ROOM];
    long len = value.type == JSON_STRING ? json_string_copy(value, text, sizeof text) : -1;
    return len < 0 ? METE_E_SYNTAX : timestamp_parse((struct slice){text, (size_t)len}, ret_us);
}

static int load_one(void *user, const struct directory_entity *entity)
{
    struct loading *loading = user;
    struct sheet_fault fault;
    struct json document = entities_document(entity->document);
    struct price_book_row row = {.organization = entity->organization.n,
                                 .ends = json_member(document, "ends").type == JSON_TRUE};
    loading->last = entity->handle;
    loading->read++;
    if (read_instant(json_member(document, "effective_at"), &row.from_us) ||
        sheet_read(document, loading->sheet, &fault))
        return METE_E_CORRUPT;
    row.row = loading->sheet->row;
    int rc = price_book_put(loading->book, &row);
    return rc == METE_E_INVALID || rc == METE_E_SYNTAX ? METE_E_CORRUPT : rc;
}

static int load_kind(struct records_reader *reader, enum document_kind kind,
                     struct loading *loading)
{
    const struct mete_scope_id nobody = {0};
    int rc = 0;
    loading->last = 0;
    do {
        loading->read = 0;
        rc = kind == DOCUMENT_PRICE ? directory_list(reader, document_entity(kind), nobody,
                                                     loading->last, PAGE, load_one, loading)
                                    : directory_each(reader, document_entity(kind), loading->last,
                                                     PAGE, load_one, loading);
    } while (!rc && loading->read == PAGE);
    return rc;
}

int price_documents_load(struct records_reader *reader, struct price_book *book)
{
    struct loading loading = {.book = book, .sheet = malloc(sizeof *loading.sheet)};
    if (!loading.sheet)
        return METE_E_MEMORY;
    int rc = load_kind(reader, DOCUMENT_PRICE, &loading);
    if (!rc)
        rc = load_kind(reader, DOCUMENT_OWN_PRICE, &loading);
    free(loading.sheet);
    return rc ? rc : markup_documents_load(reader, book);
}

/* ---- Writing --------------------------------------------------------------------------------- */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

/* "openai:gpt-4o~0123456789abcdef0123456789abcdef@1767225600000000": readable, and by its hash of
 * no other model. */
size_t price_document_name(struct slice model, int64_t at_us, char room[LIMIT_ID + 1])
{
    XXH128_hash_t hash = XXH3_128bits(model.data, model.len);
    size_t len = model.len < ID_READABLE ? model.len : ID_READABLE;
    for (size_t i = 0; i < len; i++)
        room[i] = is_plain(model.data[i]) ? model.data[i] : ':';
    int more = snprintf(room + len, LIMIT_ID + 1 - len, "~%016llx%016llx",
                        (unsigned long long)hash.high64, (unsigned long long)hash.low64);
    len += (size_t)more;
    if (at_us != INT64_MIN)
        len += (size_t)snprintf(room + len, LIMIT_ID + 1 - len, "@%lld", (long long)at_us);
    ASSERT(len <= LIMIT_ID);
    return len;
}

struct slice price_document_id(struct request *request, struct slice model, int64_t at_us)
{
    char *room = arena_take(&request->arena, LIMIT_ID + 1);
    return room ? (struct slice){room, price_document_name(model, at_us, room)} : (struct slice){0};
}

int price_document_write(const struct price_book_row *row, struct buffer *out)
{
    char at[TIMESTAMP_ROOM];
    timestamp_format(row->from_us, at);
    int rc = buffer_text(out, "{\"model\":");
    if (!rc)
        rc = json_quote(out, row->row.name);
    if (!rc)
        rc = buffer_format(out, ",\"effective_at\":\"%s\",\"ends\":%s,", at,
                           row->ends ? "true" : "false");
    if (!rc)
        rc = sheet_write(&row->row, out);
    return rc ? rc : buffer_text(out, "}");
}
