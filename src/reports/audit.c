/* SPDX-License-Identifier: Apache-2.0
 * One row more than asked for is read, to know whether there is a next page. */
#include "reports/audit.h"

#include "base/assert.h"
#include "codec/json_scan.h"
#include "codec/timestamp.h"

#include <inttypes.h>

enum { HEX = 2 * AUDIT_HASH };

struct page {
    struct buffer *out;
    enum reports_format format;
    size_t limit, count;
    uint64_t last; /* of the rows written */
    bool more;     /* behind them */
};

static struct slice hex_of(const struct audit_row *row, char room[HEX])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < AUDIT_HASH; i++) {
        room[2 * i] = digits[row->chain[i] >> 4];
        room[2 * i + 1] = digits[row->chain[i] & 15];
    }
    return (struct slice){room, HEX};
}

/* ---- JSON -------------------------------------------------------------------------------------
 */

static int put_text(struct buffer *out, const char *before, struct slice text)
{
    int error = buffer_text(out, before);
    return error ? error : json_quote(out, text);
}

/* JSON as it stands; null if it is empty. */
static int put_state(struct buffer *out, const char *before, struct slice json)
{
    int error = buffer_text(out, before);
    return error ? error : buffer_append(out, json.len ? json : SLICE_LITERAL("null"));
}

static int put_who(struct buffer *out, const struct audit_row *row)
{
    char at[TIMESTAMP_ROOM];
    int error = buffer_format(out, "{\"seq\":%" PRIu64, row->seq);
    if (!error)
        error = put_text(out, ",\"at\":", (struct slice){at, timestamp_format(row->at_us, at)});
    if (!error)
        error = put_text(out, ",\"actor\":", row->actor);
    if (!error)
        error = put_text(out, ",\"action\":", row->action);
    return error;
}

static int put_json(struct buffer *out, const struct audit_row *row)
{
    char hex[HEX];
    bool has_one = row->organization_id.len > 0;
    int error = put_who(out, row);
    if (!error && has_one)
        error = put_text(out, ",\"organization\":", row->organization_id);
    else if (!error)
        error = buffer_text(out, ",\"organization\":null");
    if (!error)
        error = put_text(out, ",\"kind\":", row->kind);
    if (!error)
        error = put_text(out, ",\"id\":", row->id);
    if (!error)
        error = put_state(out, ",\"before\":", row->before);
    if (!error)
        error = put_state(out, ",\"after\":", row->after);
    if (!error)
        error = put_text(out, ",\"hash\":", hex_of(row, hex));
    return error ? error : buffer_text(out, "}");
}

/* ---- CSV --------------------------------------------------------------------------------------
 */

/* In quotes, each quote of its own doubled. */
static int put_field(struct buffer *out, struct slice text)
{
    int error = buffer_text(out, ",\"");
    while (!error && text.len) {
        const char *quote = memchr(text.data, '"', text.len);
        size_t len = quote ? (size_t)(quote - text.data) + 1 : text.len;
        error = buffer_append(out, slice_part(text, 0, len));
        if (!error && quote)
            error = buffer_text(out, "\"");
        text = slice_from(text, len);
    }
    return error ? error : buffer_text(out, "\"");
}

static int put_csv(struct buffer *out, const struct audit_row *row)
{
    char hex[HEX], at[TIMESTAMP_ROOM];
    const struct slice fields[] = {{at, timestamp_format(row->at_us, at)},
                                   row->actor,
                                   row->action,
                                   row->organization_id,
                                   row->kind,
                                   row->id,
                                   row->before,
                                   row->after,
                                   hex_of(row, hex)};
    int error = buffer_format(out, "%" PRIu64, row->seq);
    for (size_t i = 0; !error && i < sizeof fields / sizeof fields[0]; i++)
        error = put_field(out, fields[i]);
    return error ? error : buffer_text(out, "\r\n");
}

/* ---- A page -----------------------------------------------------------------------------------
 */

static int put_row(void *user, const struct audit_row *row)
{
    struct page *page = user;
    page->more = page->count == page->limit;
    if (page->more)
        return 0; /* the one too many was the last */
    page->last = row->seq;
    page->count++;
    if (page->format == REPORTS_CSV)
        return put_csv(page->out, row);
    int error = page->format == REPORTS_JSON && page->count > 1 ? buffer_text(page->out, ",") : 0;
    if (!error)
        error = put_json(page->out, row);
    if (!error && page->format == REPORTS_LINES)
        error = buffer_text(page->out, "\n");
    return error;
}

static int put_front(const struct page *page)
{
    if (page->format == REPORTS_CSV)
        return buffer_text(page->out,
                           "seq,at,actor,action,organization,kind,id,before,after,hash\r\n");
    return page->format == REPORTS_JSON ? buffer_text(page->out, "{\"data\":[") : 0;
}

static int put_back(const struct page *page, uint64_t last_seq)
{
    if (page->format != REPORTS_JSON)
        return 0;
    int error = page->more
                    ? buffer_format(page->out, "],\"next_cursor\":\"%" PRIu64 "\"", page->last)
                    : buffer_text(page->out, "],\"next_cursor\":null");
    return error ? error : buffer_format(page->out, ",\"last_seq\":%" PRIu64 "}", last_seq);
}

int reports_audit(struct records_reader *reader, const struct audit_filter *filter,
                  enum reports_format format, struct buffer *out, uint64_t *ret_next)
{
    ASSERT(filter->limit >= 1);
    struct page page = {.out = out, .format = format, .limit = filter->limit};
    struct audit_filter one_more = *filter;
    one_more.limit++;
    struct audit_book *book;
    uint64_t last_seq = 0; /* at least this fresh */
    size_t before = out->len;
    int error = records_reader_audit(reader, &book);
    if (!error)
        error = records_reader_last_seq(reader, &last_seq);
    if (!error)
        error = put_front(&page);
    if (!error)
        error = audit_each(book, &one_more, put_row, &page);
    if (!error)
        error = put_back(&page, last_seq);
    if (error)
        out->len = before;
    else
        *ret_next = page.more ? page.last : 0;
    return error;
}
