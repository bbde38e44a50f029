/* SPDX-License-Identifier: Apache-2.0
 * The lines of one model are gathered, its own prices and its tiers apart, and written when the
 * next model begins. */
#include "pricing/price_csv.h"

#include "base/limits.h"
#include "codec/csv.h"
#include "codec/json_scan.h"
#include "pricing/words.h"

#include <stdio.h>
#include <stdlib.h>

enum { COLUMNS_MAX = 64, PART_MAX = 64 * 1024 };

enum column {
    MODEL = 0,
    PROVIDER,
    CURRENCY,
    OUTPUT_MAX,
    SERVICE, /* from here on: of a tier */
    ABOVE,
    QUALITY,
    SIZE,
    TYPE, /* from here on: of a price a line */
    UNIT_PRICE,
    UNIT,
    WORDS,
    PRICE = WORDS
};

static const char *const words[WORDS] = {
    "model",   "provider", "currency",     "max_output_tokens", "service", "above",
    "quality", "size",     "pricing_type", "unit_price",        "unit"};

struct csv_list {
    struct buffer *out;
    struct price_csv_fault *fault;
    size_t line, columns_len;
    struct slice names[COLUMNS_MAX]; /* of the columns */
    enum column columns[COLUMNS_MAX];
    struct slice cells[COLUMNS_MAX];
    struct slice row[WORDS];     /* of the line: what is no price */
    struct slice model[SERVICE]; /* what lines so far say of the model that is gathered */
    struct buffer prices, tiers;
    struct slice *done; /* models, the one that is gathered last */
    size_t done_len;
};

static int fault(struct csv_list *list, struct slice field, const char *why)
{
    snprintf(list->fault->field, sizeof list->fault->field, "%.*s",
             (int)(field.len < 47 ? field.len : 47), field.data ? field.data : "");
    list->fault->line = list->line;
    list->fault->why = why;
    return METE_E_SYNTAX;
}

static struct slice trimmed(struct slice text)
{
    while (text.len && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = slice_from(text, 1);
    while (text.len && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* Whole numbers as such; else a text, of which the reader of the list says what is wrong. */
static int write_value(struct buffer *to, enum column column, struct slice text)
{
    bool whole = text.len < 19 && (text.len == 1 || text.data[0] != '0');
    for (size_t i = 0; i < text.len; i++)
        whole = whole && text.data[i] >= '0' && text.data[i] <= '9';
    bool counts = column == OUTPUT_MAX || column == ABOVE;
    return counts && whole ? buffer_append(to, text) : json_quote(to, text);
}

static int write_member(struct buffer *to, struct slice name, enum column column, struct slice text)
{
    int rc = buffer_text(to, to->len && to->data[to->len - 1] != '{' ? "," : "");
    if (!rc)
        rc = json_quote(to, name);
    if (!rc)
        rc = buffer_text(to, ":");
    return rc ? rc : write_value(to, column, text);
}

/* Of the line's columns [from, to) those that are said. */
static int write_words(struct buffer *to, const struct slice *said, enum column from,
                       enum column end)
{
    int rc = 0;
    for (enum column i = from; !rc && i < end; i++)
        if (said[i].len)
            rc = write_member(to, slice_of(words[i]), i, said[i]);
    return rc;
}

/* The model that was gathered. */
static int flush(struct csv_list *list)
{
    struct buffer *out = list->out;
    if (!list->model[MODEL].len)
        return 0;
    int rc = buffer_text(out, list->done_len > 1 ? ",{" : "{");
    if (!rc)
        rc = write_words(out, list->model, MODEL, SERVICE);
    if (!rc)
        rc = buffer_format(out, ",\"prices\":{%.*s},\"tiers\":[%.*s]}", (int)list->prices.len,
                           list->prices.len ? list->prices.data : "", (int)list->tiers.len,
                           list->tiers.len ? list->tiers.data : "");
    buffer_clear(&list->prices);
    buffer_clear(&list->tiers);
    return rc;
}

/* ---- Lines ----------------------------------------------------------------------------------- */

static int begin(struct csv_list *list, struct slice model)
{
    int rc = flush(list);
    for (size_t i = 0; i < SERVICE; i++)
        list->model[i] = (struct slice){0};
    for (size_t i = 0; i < list->done_len; i++)
        if (slice_equal(list->done[i], model))
            return fault(list, model, "the lines of one model must stand together");
    if (list->done_len == PRICE_LIST_MAX)
        return fault(list, model, "there are too many models for one list");
    list->done[list->done_len++] = model;
    list->model[MODEL] = model;
    return rc;
}

/* What each line may say of its model is said alike. */
static int keep(struct csv_list *list)
{
    for (enum column i = PROVIDER; i < SERVICE; i++) {
        if (!list->row[i].len)
            continue;
        if (list->model[i].len && !slice_equal(list->model[i], list->row[i]))
            return fault(list, slice_of(words[i]), "another line of the model says otherwise");
        list->model[i] = list->row[i];
    }
    return 0;
}

static int add_said(struct csv_list *list)
{
    enum price_meter meter;
    unsigned shift;
    char room[DECIMAL_ROOM];
    switch (
        price_words_say(list->row[TYPE], list->row[UNIT], list->row[UNIT_PRICE], &meter, room)) {
    case PRICE_WORD_GOOD:
        break;
    case PRICE_WORD_TYPE:
        return fault(list, slice_of(words[TYPE]), "there is no such kind of price");
    case PRICE_WORD_UNIT:
        return fault(list, slice_of(words[UNIT]), "it is no unit of that");
    case PRICE_WORD_PRICE:
        return fault(list, slice_of(words[UNIT_PRICE]),
                     "it must be a decimal, not negative, that is kept exactly for one of them");
    }
    const char *key = price_words_key(meter, &shift);
    int128 atto;
    int rc = decimal_parse128(slice_of(room), 18, false, &atto);
    if (rc)
        return rc;
    decimal_format(atto, 18 + shift, 0, room);
    return write_member(&list->prices, slice_of(key), PRICE, slice_of(room));
}

static int add_prices(struct csv_list *list, struct buffer *to)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < list->columns_len; i++)
        if (list->columns[i] == PRICE && list->cells[i].len)
            rc = write_member(to, list->names[i], PRICE, list->cells[i]);
    return rc;
}

static int add_tier(struct csv_list *list)
{
    struct buffer *to = &list->tiers;
    int rc = buffer_text(to, to->len ? ",{" : "{");
    if (!rc)
        rc = write_words(to, list->row, SERVICE, TYPE);
    if (!rc)
        rc = buffer_text(to, ",\"prices\":{");
    if (!rc)
        rc = add_prices(list, to);
    return rc ? rc : buffer_text(to, "}}");
}

static bool says(const struct csv_list *list, enum column from, enum column end)
{
    for (enum column i = from; i < end; i++)
        if (list->row[i].len)
            return true;
    return false;
}

static int add(struct csv_list *list)
{
    bool is_tier = says(list, SERVICE, TYPE), is_said = says(list, TYPE, WORDS);
    if (!list->row[MODEL].len)
        return fault(list, slice_of(words[MODEL]), "it is missing");
    int rc = slice_equal(list->row[MODEL], list->model[MODEL]) ? 0 : begin(list, list->row[MODEL]);
    if (!rc)
        rc = keep(list);
    if (!rc && is_said && is_tier)
        rc = fault(list, slice_of(words[TYPE]), "a tier has its prices in columns of their own");
    if (rc)
        return rc;
    if (is_tier)
        return add_tier(list);
    rc = is_said ? add_said(list) : 0;
    return rc ? rc : add_prices(list, &list->prices);
}

/* ---- Columns --------------------------------------------------------------------------------- */

static bool find_column(struct slice name, enum column *ret_column)
{
    enum price_meter meter;
    unsigned shift;
    *ret_column = PRICE;
    if (slice_is(name, "model_code"))
        *ret_column = MODEL;
    for (enum column i = MODEL; i < WORDS; i++)
        if (slice_is(name, words[i]))
            *ret_column = i;
    return *ret_column != PRICE || price_words_find(name, &meter, &shift);
}

static int read_columns(struct csv_list *list)
{
    bool there[WORDS] = {false};
    for (size_t i = 0; i < list->columns_len; i++) {
        list->names[i] = list->cells[i];
        enum column *column = &list->columns[i];
        if (!find_column(list->names[i], column))
            return fault(list, list->names[i], "there is no such column");
        if (*column < WORDS && there[*column])
            return fault(list, list->names[i], "this column is there twice");
        if (*column < WORDS)
            there[*column] = true;
    }
    return there[MODEL] ? 0 : fault(list, slice_of(words[MODEL]), "this column is missing");
}

static int read_row(struct csv_list *list, size_t cells)
{
    if (cells != list->columns_len)
        return fault(list, (struct slice){0}, "it has not as many cells as there are columns");
    for (size_t i = 0; i < WORDS; i++)
        list->row[i] = (struct slice){0};
    for (size_t i = 0; i < list->columns_len; i++)
        if (list->columns[i] < WORDS)
            list->row[list->columns[i]] = list->cells[i];
    return add(list);
}

static int read_line(struct csv_list *list, char *line, size_t len)
{
    list->line++;
    if (list->line == 1 && len >= 3 && !memcmp(line, "\xef\xbb\xbf", 3)) { /* of spreadsheets */
        line += 3;
        len -= 3;
    }
    struct slice whole = {line, len && line[len - 1] == '\r' ? len - 1 : len};
    if (!trimmed(whole).len || line[0] == '#')
        return 0;
    int cells = csv_split(line, len, list->cells, COLUMNS_MAX);
    if (cells < 0)
        return fault(list, (struct slice){0}, "a quote is out of place");
    if (cells > COLUMNS_MAX)
        return fault(list, (struct slice){0}, "it has too many cells");
    for (int i = 0; i < cells; i++)
        list->cells[i] = trimmed(list->cells[i]);
    if (list->columns_len)
        return read_row(list, (size_t)cells);
    list->columns_len = (size_t)cells;
    return read_columns(list);
}

static int read_lines(struct csv_list *list, char *text, size_t len)
{
    int rc = buffer_text(list->out, "[");
    for (size_t at = 0; !rc && at < len;) {
        char *end = memchr(text + at, '\n', len - at);
        size_t line = end ? (size_t)(end - text) - at : len - at;
        rc = read_line(list, text + at, line);
        at += line + 1;
    }
    if (!rc && !list->done_len)
        rc = fault(list, (struct slice){0}, "there is no price in it");
    if (!rc)
        rc = flush(list);
    return rc ? rc : buffer_text(list->out, "]");
}

int price_csv_read(char *text, size_t len, struct buffer *out, struct price_csv_fault *ret_fault)
{
    struct csv_list *list = calloc(1, sizeof *list);
    struct slice *done = calloc(PRICE_LIST_MAX, sizeof *done);
    int rc = METE_E_MEMORY;
    if (list && done) {
        *list = (struct csv_list){.out = out, .fault = ret_fault, .done = done};
        buffer_init(&list->prices, PART_MAX);
        buffer_init(&list->tiers, PART_MAX);
        rc = read_lines(list, text, len);
        buffer_done(&list->prices);
        buffer_done(&list->tiers);
    }
    free(done);
    free(list);
    return rc;
}
