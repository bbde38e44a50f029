/* SPDX-License-Identifier: Apache-2.0
 * Pages of usage records, as JSON. One more record than asked for is read, to know whether there is
 * a next page. */
#include "reports/reports.h"

#include "base/assert.h"
#include "reports/record.h"

#include <stdbool.h>

struct page {
    struct records_reader *reader;
    struct record_names *names;
    struct buffer *out;
    size_t limit, count;
    uint64_t last;
    bool more, tells_list;
};

enum mete_ending reports_ending(struct slice name)
{
    int ending = 0;
    while (ending < METE_ENDINGS && !slice_is(name, record_ending_name((enum mete_ending)ending)))
        ending++;
    return (enum mete_ending)ending;
}

int reports_record_json(struct records_reader *reader, const struct records_usage *usage,
                        bool tells_list, struct buffer *out)
{
    size_t before = out->len;
    struct record_names *names = record_names_new(reader);
    int rc = names ? record_put(names, usage, tells_list, out) : METE_E_MEMORY;
    record_names_free(names);
    if (rc)
        out->len = before;
    return rc;
}

/* ---- A page ---------------------------------------------------------------------------------- */

static int put_one(void *user, const struct records_usage *usage)
{
    struct page *page = user;
    if (page->count == page->limit) {
        page->more = true;
        return 0; /* the one too many was the last */
    }
    int rc = page->count ? buffer_text(page->out, ",") : 0;
    page->count++;
    page->last = usage->seq;
    return rc ? rc : record_put(page->names, usage, page->tells_list, page->out);
}

static int put_page(struct page *page, const struct records_filter *filter)
{
    struct records_filter one_more = *filter;
    one_more.limit = page->limit + 1;
    uint64_t last_seq = 0; /* at least this fresh */
    int rc = records_reader_last_seq(page->reader, &last_seq);
    if (!rc)
        rc = buffer_text(page->out, "{\"data\":[");
    if (!rc)
        rc = records_each_usage(page->reader, &one_more, put_one, page);
    if (!rc)
        rc = buffer_text(page->out, "],\"next_cursor\":");
    if (!rc && page->more)
        rc = buffer_format(page->out, "\"%llu\"", (unsigned long long)page->last);
    else if (!rc)
        rc = buffer_text(page->out, "null");
    return rc ? rc : buffer_format(page->out, ",\"last_seq\":%llu}", (unsigned long long)last_seq);
}

int reports_records(struct records_reader *reader, const struct records_filter *filter,
                    bool tells_list, struct buffer *out)
{
    ASSERT(filter->limit >= 1 && filter->limit <= 1000);
    size_t before = out->len;
    struct page page = {.reader = reader,
                        .names = record_names_new(reader),
                        .out = out,
                        .limit = filter->limit,
                        .tells_list = tells_list};
    int rc = page.names ? put_page(&page, filter) : METE_E_MEMORY;
    record_names_free(page.names);
    if (rc)
        out->len = before;
    return rc;
}
