/* SPDX-License-Identifier: Apache-2.0
 * A page walks its intervals and asks the rollups for each; a cursor is the interval's first bucket
 * and the first id that was not told. All of a page comes from one state of the records, and the
 * next one goes on behind it whatever was added meanwhile.
 *
 * Amounts of several currencies are never added up: costs has each, cost and currency the first. */
#include "reports/usage.h"

#include "base/assert.h"
#include "base/checked.h"
#include "codec/decimal.h"
#include "codec/json_scan.h"
#include "codec/timestamp.h"
#include "reports/record.h"

#include <stddef.h>

enum { NANO_PLACES = 9, CENTS = 2, HOURS = 48, DAYS = 30, MONTHS = 12 };

struct page {
    const struct reports_usage *question;
    struct rollups_view *view;
    struct record_names *names;
    struct buffer *out;
    struct rollups_rows rows, part;
    const struct rollups_question *about; /* what the row that is written was asked by */
    size_t count;                         /* rows written */
};

/* ---- One row ----------------------------------------------------------------------------------
 */

/* Rows of one id are one row of the report. */
struct told {
    uint32_t from, to;
    const struct rollups_row *rows;
    size_t len;
    struct rollups_sums sums;
};

enum {
    SUMS = sizeof(struct rollups_sums) / sizeof(int64_t),
    AMOUNT = offsetof(struct rollups_sums, amount) / sizeof(int64_t)
};

/* All but amounts, which are of currencies and meters. */
static int add_up(struct told *told)
{
    int64_t to[SUMS] = {0}, from[SUMS];
    for (size_t i = 0; i < told->len; i++) {
        memcpy(from, &told->rows[i].sums, sizeof from);
        for (int k = 0; k < SUMS; k++)
            if (k != AMOUNT && !checked_add(to[k], from[k], &to[k]))
                return METE_E_TOO_LARGE;
    }
    memcpy(&told->sums, to, sizeof to);
    return 0;
}

static int find_name(struct page *page, uint32_t id, struct slice *ret_name)
{
    const struct reports_usage *question = page->question;
    *ret_name = (struct slice){0};
    if (!id)
        return 0;
    if (question->kind)
        return record_names_find(page->names, question->kind, id, ret_name);
    return rollups_name(page->view, id, ret_name);
}

static size_t instant_of(uint32_t bucket, char room[TIMESTAMP_ROOM])
{
    return timestamp_format(bucket * ROLLUPS_BUCKET_US, room);
}

static const struct {
    const char *name;
    size_t offset;
} counted[] = {
    {"calls", offsetof(struct rollups_sums, calls)},
    {"failures", offsetof(struct rollups_sums, failures)},
    {"cache_hits", offsetof(struct rollups_sums, cache_hits)},
    {"requests", offsetof(struct rollups_sums, requests)},
    {"input_tokens", offsetof(struct rollups_sums, input)},
    {"cached_input_tokens", offsetof(struct rollups_sums, cached_input)},
    {"cache_write_tokens", offsetof(struct rollups_sums, cache_write)},
    {"output_tokens", offsetof(struct rollups_sums, output)},
    {"reasoning_tokens", offsetof(struct rollups_sums, reasoning)},
    {"total_tokens", offsetof(struct rollups_sums, total_tokens)},
};
enum { COUNTED = sizeof counted / sizeof counted[0] };

static long long count_of(const struct rollups_sums *sums, size_t i)
{
    return *(const int64_t *)(const void *)((const char *)sums + counted[i].offset);
}

static bool is_cost(const struct rollups_row *row)
{
    return !row->meter && row->currency;
}

static size_t currency_text(uint32_t currency, char room[3])
{
    for (size_t i = 0; i < 3; i++)
        room[i] = (char)(currency >> (16 - 8 * i) & 0xff);
    return 3;
}

static int put_quoted(struct buffer *out, const char *key, struct slice text)
{
    int rc = buffer_text(out, key);
    if (rc)
        return rc;
    return text.len ? json_quote(out, text) : buffer_text(out, "null");
}

/* ---- As JSON ----------------------------------------------------------------------------------
 */

static int put_cost(struct buffer *out, const char *key, int64_t nano)
{
    char room[DECIMAL_ROOM];
    size_t len = decimal_format(nano, NANO_PLACES, CENTS, room);
    return put_quoted(out, key, (struct slice){room, len});
}

/* cost and currency are of the first; costs has all. */
static int put_costs(const struct told *told, struct buffer *out)
{
    const struct rollups_row *first = NULL;
    int rc = buffer_text(out, ",\"costs\":{");
    for (size_t i = 0; !rc && i < told->len; i++) {
        const struct rollups_row *row = &told->rows[i];
        char currency[3];
        if (!is_cost(row))
            continue;
        currency_text(row->currency, currency);
        rc = buffer_format(out, "%s\"%.3s\":", first ? "," : "", currency);
        if (!rc)
            rc = put_cost(out, "", row->sums.amount);
        first = first ? first : row;
    }
    if (!rc)
        rc = put_cost(out, "},\"cost\":", first ? first->sums.amount : 0);
    if (rc || !first)
        return rc ? rc : buffer_text(out, ",\"currency\":null");
    char currency[3];
    currency_text(first->currency, currency);
    return put_quoted(out, ",\"currency\":", (struct slice){currency, sizeof currency});
}

/* Meters without a column; those of the user's own have no name here. */
static int put_rare(const struct told *told, struct buffer *out)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < told->len; i++) {
        const struct rollups_row *row = &told->rows[i];
        const char *name = row->meter ? record_quantity_name(row->meter) : NULL;
        if (name)
            rc = buffer_format(out, ",\"%s\":%lld", name, (long long)row->sums.amount);
    }
    return rc;
}

/* Of calls that had a markup; of others it is nothing. */
static int put_margins(const struct told *told, struct buffer *out)
{
    bool is_first = true;
    int rc = buffer_text(out, ",\"margins\":{");
    for (size_t i = 0; !rc && i < told->len; i++) {
        const struct rollups_row *row = &told->rows[i];
        char currency[3];
        if (row->meter != METE_LIST_COST || !row->currency)
            continue;
        currency_text(row->currency, currency);
        rc = buffer_format(out, "%s\"%.3s\":", is_first ? "" : ",", currency);
        if (!rc)
            rc = put_cost(out, "", row->sums.amount);
        is_first = false;
    }
    return rc ? rc : buffer_text(out, "}");
}

/* A part of the row's time, in which no rate changes. */
struct stretch {
    uint32_t from, to;
    const struct rollups_row *rows;
    size_t len;
};

enum { MISSING_MAX = 16 };
struct converted {
    int128 nano;
    uint32_t missing[MISSING_MAX]; /* currencies without a rate */
    size_t missing_len;
};

static void convert(const struct page *page, const struct stretch *stretch, uint32_t id,
                    struct converted *converted)
{
    for (size_t i = 0; i < stretch->len && stretch->rows[i].id == id; i++) {
        const struct rollups_row *row = &stretch->rows[i];
        size_t known = 0;
        if (!is_cost(row) || convert_add(page->question->rates, row->currency, stretch->from,
                                         row->sums.amount, &converted->nano))
            continue;
        while (known < converted->missing_len && converted->missing[known] != row->currency)
            known++;
        if (known == converted->missing_len && known < MISSING_MAX)
            converted->missing[converted->missing_len++] = row->currency;
    }
}

/* Where the rates of the stretch end; of what is told by the day only, at a midnight of UTC. */
static uint32_t end_of_rates(const struct page *page, uint32_t from, uint32_t to)
{
    enum { DAY = 96 };
    uint32_t end = convert_next(page->question->rates, from);
    if (end < rollups_quarters_from(page->view))
        end = (end + DAY - 1) / DAY * DAY;
    return end < to ? end : to;
}

static int convert_all(struct page *page, const struct told *told, struct converted *converted)
{
    uint32_t id = told->len ? told->rows->id : 0, to;
    for (uint32_t from = told->from; told->len && from < told->to; from = to) {
        to = end_of_rates(page, from, told->to);
        struct stretch stretch = {from, to, told->rows, told->len};
        if (from != told->from || to != told->to) {
            struct rollups_question question = *page->about;
            question.from = from;
            question.to = to;
            question.first = id;
            question.limit = 1;
            int rc = rollups_ask(page->view, &question, &page->part);
            if (rc)
                return rc;
            stretch.rows = page->part.at;
            stretch.len = page->part.len;
        }
        convert(page, &stretch, id, converted);
    }
    return 0;
}

static int put_converted(struct page *page, const struct told *told)
{
    struct buffer *out = page->out;
    struct converted converted = {.nano = 0};
    char currency[3], room[DECIMAL_ROOM];
    int rc = convert_all(page, told, &converted);
    if (rc)
        return rc;
    currency_text(page->question->rates->to, currency);
    decimal_format(converted.nano, NANO_PLACES, CENTS, room);
    rc = buffer_format(out, ",\"converted\":{\"currency\":\"%.3s\",\"cost\":\"%s\",\"missing\":[",
                       currency, room);
    for (size_t i = 0; !rc && i < converted.missing_len; i++) {
        currency_text(converted.missing[i], currency);
        rc = buffer_format(out, "%s\"%.3s\"", i ? "," : "", currency);
    }
    return rc ? rc : buffer_text(out, "]}");
}

static int put_latency(const struct rollups_sums *sums, struct buffer *out)
{
    if (!sums->timed)
        return buffer_text(out, ",\"average_latency_ms\":null");
    return buffer_format(out, ",\"average_latency_ms\":%lld",
                         (long long)(sums->latency_ms / sums->timed));
}

static int put_bounds(const struct told *told, struct buffer *out)
{
    char start[TIMESTAMP_ROOM], end[TIMESTAMP_ROOM];
    instant_of(told->from, start);
    instant_of(told->to, end);
    return buffer_format(out, "\"start\":\"%s\",\"end\":\"%s\"", start, end);
}

static int put_figures(struct page *page, const struct told *told)
{
    struct buffer *out = page->out;
    int rc = 0;
    for (size_t i = 0; !rc && i < COUNTED; i++)
        rc = buffer_format(out, ",\"%s\":%lld", counted[i].name, count_of(&told->sums, i));
    if (!rc)
        rc = put_rare(told, out);
    if (!rc)
        rc = put_latency(&told->sums, out);
    if (!rc)
        rc = put_costs(told, out);
    if (!rc && page->question->rates)
        rc = put_converted(page, told);
    return rc || !page->question->tells_margin ? rc : put_margins(told, out);
}

static int put_object(struct page *page, const struct told *told, const char *by)
{
    struct slice name = {0};
    int rc = buffer_text(page->out, "{");
    if (!rc)
        rc = put_bounds(told, page->out);
    if (!rc && by)
        rc = find_name(page, told->rows->id, &name);
    if (!rc && by)
        rc = buffer_format(page->out, ",\"%s\":", by);
    if (!rc && by)
        rc = put_quoted(page->out, "", name);
    if (!rc)
        rc = put_figures(page, told);
    return rc ? rc : buffer_text(page->out, "}");
}

/* ---- As CSV -----------------------------------------------------------------------------------
 */

static int put_titles(const struct page *page)
{
    int rc = buffer_text(page->out, "start,end");
    if (!rc && page->question->by)
        rc = buffer_format(page->out, ",%s", page->question->by);
    for (size_t i = 0; !rc && i < COUNTED; i++)
        rc = buffer_format(page->out, ",%s", counted[i].name);
    return rc ? rc : buffer_text(page->out, ",average_latency_ms,currency,cost\r\n");
}

/* A text that a spreadsheet would take for a formula is made one again by an apostrophe. */
static int put_field(struct buffer *out, struct slice text)
{
    int rc = buffer_text(out, ",\"");
    if (!rc && text.len && strchr("=+-@\t\r", text.data[0]))
        rc = buffer_text(out, "'");
    for (size_t i = 0; !rc && i < text.len; i++) {
        rc = text.data[i] == '"' ? buffer_text(out, "\"") : 0;
        if (!rc)
            rc = buffer_append(out, slice_part(text, i, 1));
    }
    return rc ? rc : buffer_text(out, "\"");
}

static int put_line(struct page *page, const struct told *told, struct slice name,
                    const struct rollups_row *cost, bool is_first)
{
    static const struct rollups_sums none;
    const struct rollups_sums *sums = is_first ? &told->sums : &none;
    char start[TIMESTAMP_ROOM], end[TIMESTAMP_ROOM], room[DECIMAL_ROOM], currency[3];
    instant_of(told->from, start);
    instant_of(told->to, end);
    int rc = buffer_format(page->out, "%s,%s", start, end);
    if (!rc && page->question->by)
        rc = put_field(page->out, name);
    for (size_t i = 0; !rc && i < COUNTED; i++)
        rc = buffer_format(page->out, ",%lld", count_of(sums, i));
    if (!rc && sums->timed)
        rc = buffer_format(page->out, ",%lld", (long long)(sums->latency_ms / sums->timed));
    else if (!rc)
        rc = buffer_text(page->out, ",");
    size_t len = decimal_format(cost ? cost->sums.amount : 0, NANO_PLACES, CENTS, room);
    size_t currency_len = cost ? currency_text(cost->currency, currency) : 0;
    return rc ? rc
              : buffer_format(page->out, ",%.*s,%.*s\r\n", (int)currency_len, currency, (int)len,
                              room);
}

static int put_lines(struct page *page, const struct told *told)
{
    struct slice name = {0};
    bool is_first = true;
    int rc = page->question->by ? find_name(page, told->rows->id, &name) : 0;
    for (size_t i = 0; !rc && i < told->len; i++) {
        if (!is_cost(&told->rows[i]))
            continue;
        rc = put_line(page, told, name, &told->rows[i], is_first);
        is_first = false;
    }
    return rc || !is_first ? rc : put_line(page, told, name, NULL, true);
}

/* ---- Intervals --------------------------------------------------------------------------------
 */

static int put_row(struct page *page, struct told *told)
{
    int rc = add_up(told);
    page->count++;
    if (!rc && page->question->format == REPORTS_CSV)
        return put_lines(page, told);
    if (!rc && page->count > 1)
        rc = buffer_text(page->out, ",");
    return rc ? rc : put_object(page, told, page->question->by);
}

/* Those of one interval that are in page->rows; nothing told apart, and nothing there: zeros. */
static int put_rows(struct page *page, uint32_t from, uint32_t to)
{
    int rc = 0;
    struct rollups_rows *rows = &page->rows;
    struct told told = {.from = from, .to = to, .rows = rows->at};
    if (!rows->len && !page->question->by)
        return put_row(page, &told);
    for (size_t at = 0; !rc && at < rows->len; at += told.len) {
        told.rows = rows->at + at;
        told.len = 1;
        while (at + told.len < rows->len && told.rows[told.len].id == told.rows->id)
            told.len++;
        rc = put_row(page, &told);
    }
    return rc;
}

/* Where the interval that holds a bucket ends. */
static int end_of(const struct reports_usage *question, uint32_t from, uint32_t *ret_to)
{
    const struct calendar_rule rule = {.period = question->interval, .zone = question->zone};
    struct window window;
    *ret_to = question->to;
    if (question->interval == METE_TOTAL)
        return 0;
    int rc = calendar_window(&rule, from * ROLLUPS_BUCKET_US, &window);
    if (rc)
        return rc;
    int64_t end = (window.end_us + ROLLUPS_BUCKET_US - 1) / ROLLUPS_BUCKET_US;
    if (end < question->to)
        *ret_to = (uint32_t)end;
    ASSERT(*ret_to > from);
    return 0;
}

static int ask(struct page *page, uint32_t from, uint32_t to, uint32_t first, size_t limit)
{
    struct rollups_question question = page->question->about;
    question.from = from;
    question.to = to;
    question.first = first;
    question.limit = limit;
    return rollups_ask(page->view, &question, &page->rows);
}

static uint64_t cursor_of(uint32_t bucket, uint32_t first)
{
    return (uint64_t)bucket << 32 | first;
}

static int put_intervals(struct page *page, uint64_t *ret_next)
{
    const struct reports_usage *question = page->question;
    uint32_t from = question->cursor ? (uint32_t)(question->cursor >> 32) : question->from;
    uint32_t first = (uint32_t)question->cursor, to;
    int rc = 0, intervals = 0;
    *ret_next = 0;
    for (; !rc && from < question->to; from = to, first = 0) {
        size_t left = question->limit - page->count;
        if (!left || ++intervals > REPORTS_INTERVALS) {
            *ret_next = cursor_of(from, 0);
            return 0;
        }
        rc = end_of(question, from, &to);
        if (!rc)
            rc = ask(page, from, to, first, left);
        if (!rc)
            rc = put_rows(page, from, to);
        if (!rc && page->rows.more) {
            *ret_next = cursor_of(from, page->rows.at[page->rows.len - 1].id + 1);
            return 0;
        }
    }
    return rc;
}

/* ---- Pages ------------------------------------------------------------------------------------
 */

static int put_totals(struct page *page)
{
    const struct reports_usage *question = page->question;
    struct reports_usage all = *question;
    bool by_tag = question->about.level == ROLLUPS_TAG && !question->about.tag.len;
    all.about.by = ROLLUPS_BY_NOTHING;
    if (by_tag) /* a call has any number of tags: sums of tags are not those of calls */
        all.about.level = ROLLUPS_ORGANIZATION;
    page->question = &all;
    int rc = ask(page, question->from, question->to, 0, 1);
    page->question = question;
    struct told told = {
        .from = question->from, .to = question->to, .rows = page->rows.at, .len = page->rows.len};
    if (!rc)
        rc = add_up(&told);
    page->about = &all.about;
    if (!rc)
        rc = put_object(page, &told, NULL);
    page->about = &question->about;
    return rc;
}

static int put_page(struct page *page, uint64_t last_seq, uint64_t *ret_next)
{
    const struct reports_usage *question = page->question;
    struct buffer *out = page->out;
    char from[TIMESTAMP_ROOM], to[TIMESTAMP_ROOM];
    instant_of(question->from, from);
    instant_of(question->to, to);
    int rc = buffer_format(out, "{\"from\":\"%s\",\"to\":\"%s\",\"time_zone\":", from, to);
    if (!rc)
        rc = put_quoted(out, "", question->zone_name);
    if (!rc)
        rc = buffer_text(out, ",\"data\":[");
    if (!rc)
        rc = put_intervals(page, ret_next);
    if (!rc)
        rc = buffer_text(out, "],\"totals\":");
    if (!rc)
        rc = put_totals(page);
    if (!rc && *ret_next)
        rc = buffer_format(out, ",\"next_cursor\":\"%llu\"", (unsigned long long)*ret_next);
    else if (!rc)
        rc = buffer_text(out, ",\"next_cursor\":null");
    return rc ? rc : buffer_format(out, ",\"last_seq\":%llu}", (unsigned long long)last_seq);
}

static int open_page(struct page *page, struct records_reader *reader, uint64_t *ret_last_seq)
{
    page->names = record_names_new(reader);
    int rc = page->names ? rollups_view_open(reader, &page->view) : METE_E_MEMORY;
    return rc ? rc : records_reader_last_seq(reader, ret_last_seq);
}

static void close_page(struct page *page)
{
    rollups_rows_done(&page->rows);
    rollups_rows_done(&page->part);
    rollups_view_close(page->view);
    record_names_free(page->names);
}

int reports_usage(struct records_reader *reader, const struct reports_usage *question,
                  struct buffer *out, uint64_t *ret_next)
{
    ASSERT(question->limit >= 1 && question->limit <= 1000);
    size_t before = out->len;
    uint64_t last_seq = 0, next = 0;
    struct page page = {.question = question, .about = &question->about, .out = out};
    int rc = open_page(&page, reader, &last_seq);
    if (!rc && question->format == REPORTS_CSV) {
        rc = put_titles(&page);
        if (!rc)
            rc = put_intervals(&page, &next);
    } else if (!rc) {
        rc = put_page(&page, last_seq, &next);
    }
    close_page(&page);
    if (rc)
        out->len = before;
    else
        *ret_next = next;
    return rc;
}

/* ---- Series -----------------------------------------------------------------------------------
 */

/* The beginning of the window that is so many before the one of now. */
static int begin_of(const struct calendar_rule *rule, int64_t now_us, int windows,
                    int64_t *ret_start_us)
{
    struct window window;
    int rc = calendar_window(rule, now_us, &window);
    for (int i = 1; !rc && i < windows && window.start_us > 0; i++)
        rc = calendar_window(rule, window.start_us - 1, &window);
    if (!rc)
        *ret_start_us = window.start_us;
    return rc;
}

static int put_series(struct page *page, const char *name, enum mete_period period, int windows,
                      int64_t now_us)
{
    const struct reports_usage *given = page->question;
    struct reports_usage one = *given;
    const struct calendar_rule rule = {.period = period, .zone = given->zone};
    int64_t start_us = 0;
    uint64_t next;
    int rc = begin_of(&rule, now_us, windows, &start_us);
    one.interval = period;
    one.from = (uint32_t)(start_us / ROLLUPS_BUCKET_US);
    one.to = (uint32_t)(now_us / ROLLUPS_BUCKET_US) + 1;
    one.limit = (size_t)windows + 1; /* an hour that is repeated may be told as one */
    page->question = &one;
    page->count = 0;
    if (!rc)
        rc = buffer_format(page->out, ",\"%s\":[", name);
    if (!rc)
        rc = put_intervals(page, &next);
    page->question = given;
    return rc ? rc : buffer_text(page->out, "]");
}

int reports_usage_series(struct records_reader *reader, const struct reports_usage *question,
                         int64_t now_us, struct buffer *out)
{
    struct reports_usage whole = *question;
    whole.by = NULL;
    whole.about.by = ROLLUPS_BY_NOTHING;
    whole.cursor = 0;
    whole.rates = NULL;
    whole.format = REPORTS_JSON;
    size_t before = out->len;
    uint64_t last_seq = 0;
    struct page page = {.question = &whole, .about = &whole.about, .out = out};
    int rc = open_page(&page, reader, &last_seq);
    if (!rc)
        rc = buffer_text(out, "{\"time_zone\":");
    if (!rc)
        rc = put_quoted(out, "", question->zone_name);
    if (!rc)
        rc = put_series(&page, "hours", METE_HOURLY, HOURS, now_us);
    if (!rc)
        rc = put_series(&page, "days", METE_DAILY, DAYS, now_us);
    if (!rc)
        rc = put_series(&page, "months", METE_MONTHLY, MONTHS, now_us);
    if (!rc)
        rc = buffer_format(out, ",\"last_seq\":%llu}", (unsigned long long)last_seq);
    close_page(&page);
    if (rc)
        out->len = before;
    return rc;
}
