/* SPDX-License-Identifier: Apache-2.0
 * ROWS   sorted by organization, model, moment; an array of pointers, sorted when it is first read
 *        after rows came out of order, as they do when all are read at a start.
 * LISTS  a few that were asked for last, each with the stretch of time in which it holds:
 *
 *          base  <-  everybody's rows of a moment  <-  one organization's rows of the moment
 *
 *        the middle is the same list for all organizations; over the last one may lie what an
 *        organization's markup makes of it, one for all who pay the same. A put forgets those whose
 * stretch it is in; who holds one keeps it.
 *
 * Not done: changing a list in place, which others read; an index of organizations: their rows are
 * found by halving. */
#include "pricing/book.h"

#include "base/assert.h"
#include "base/limits.h"

#include <stdlib.h>

enum { LISTS = 64 };

struct entry {
    struct price_book_row is;
    struct pricing_tier_row tiers[]; /* as many as it has, and then its texts */
};

struct dated {
    uint32_t organization;
    const struct pricing_markup *terms; /* markups.h; NULL: none */
    int64_t from_us, until_us;          /* it holds in [from, until), for who pays these terms */
    const struct pricing *list;
};

struct price_book {
    const struct pricing *base;
    struct entry **rows;
    size_t len, room;
    bool sorted;
    struct markups *markups;
    struct dated lists[LISTS]; /* the last asked for first */
    size_t lists_len;
};

int price_book_new(const struct pricing *base, struct price_book **ret_book)
{
    struct price_book *book = calloc(1, sizeof *book);
    if (!book)
        return METE_E_MEMORY;
    int rc = markups_new(&book->markups);
    if (rc) {
        free(book);
        return rc;
    }
    book->base = pricing_hold(base);
    book->sorted = true;
    *ret_book = book;
    return 0;
}

void price_book_free(struct price_book *book)
{
    if (!book)
        return;
    for (size_t i = 0; i < book->lists_len; i++)
        pricing_free(book->lists[i].list);
    for (size_t i = 0; i < book->len; i++)
        free(book->rows[i]);
    free(book->rows);
    markups_free(book->markups);
    pricing_free(book->base);
    free(book);
}

struct markups *price_book_markups(struct price_book *book)
{
    return book->markups;
}

const struct pricing *price_book_base(const struct price_book *book)
{
    return book->base;
}

/* ---- Order ----------------------------------------------------------------------------------- */

static int compare_names(struct slice a, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.data, b.data, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare(const struct price_book_row *a, const struct price_book_row *b)
{
    if (a->organization != b->organization)
        return a->organization < b->organization ? -1 : 1;
    int order = compare_names(a->row.name, b->row.name);
    return order ? order : (a->from_us > b->from_us) - (a->from_us < b->from_us);
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *const *left = a, *const *right = b;
    return compare(&(*left)->is, &(*right)->is);
}

static void sort(struct price_book *book)
{
    if (!book->sorted && book->len)
        qsort(book->rows, book->len, sizeof *book->rows, compare_entries);
    book->sorted = true;
}

/* Index of the first row not before this place. */
static size_t find(struct price_book *book, uint32_t organization, struct slice model,
                   int64_t from_us)
{
    const struct price_book_row wanted = {
        .organization = organization, .from_us = from_us, .row.name = model};
    sort(book);
    size_t from = 0, to = book->len;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (compare(&book->rows[middle]->is, &wanted) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static size_t texts_len(const struct pricing_row *row)
{
    size_t len = row->name.len + row->provider.len + row->currency.len;
    for (int i = 0; i < PRICE_METERS; i++) {
        len += row->per_million[i].len;
        for (size_t t = 0; t < row->tiers_len; t++)
            len += row->tiers[t].per_million[i].len;
    }
    return len;
}

static void keep(struct slice *text, char **at)
{
    if (!text->len)
        return;
    memcpy(*at, text->data, text->len);
    text->data = *at;
    *at += text->len;
}

/* NULL: no memory. */
static struct entry *copy(const struct price_book_row *from)
{
    size_t tiers = from->row.tiers_len * sizeof *from->row.tiers;
    struct entry *entry = malloc(sizeof *entry + tiers + texts_len(&from->row));
    if (!entry)
        return NULL;
    char *at = (char *)entry->tiers + tiers;
    struct pricing_row *row = &entry->is.row;
    entry->is = *from;
    if (tiers)
        memcpy(entry->tiers, from->row.tiers, tiers);
    row->tiers = entry->tiers;
    keep(&row->name, &at);
    keep(&row->provider, &at);
    keep(&row->currency, &at);
    for (int i = 0; i < PRICE_METERS; i++) {
        keep(&row->per_million[i], &at);
        for (size_t t = 0; t < row->tiers_len; t++)
            keep(&entry->tiers[t].per_million[i], &at);
    }
    return entry;
}

/* Whether a list can be made of it. */
int price_book_try(const struct price_book *book, const struct pricing_row *row)
{
    struct pricing *list;
    int rc = pricing_new_over(book->base, &list);
    if (rc)
        return rc;
    rc = pricing_put(list, row);
    pricing_free(list);
    return rc;
}

/* Lists that hold at this moment or later may say something else now. */
static void forget(struct price_book *book, int64_t from_us)
{
    size_t kept = 0;
    for (size_t i = 0; i < book->lists_len; i++) {
        if (book->lists[i].until_us > from_us)
            pricing_free(book->lists[i].list);
        else
            book->lists[kept++] = book->lists[i];
    }
    book->lists_len = kept;
}

static int make_room(struct price_book *book)
{
    if (book->len == LIMIT_PRICE_ROWS)
        return METE_E_FULL;
    if (book->len < book->room)
        return 0;
    size_t room = book->room + book->room / 2 + 64;
    struct entry **rows = realloc(book->rows, room * sizeof *rows);
    if (!rows)
        return METE_E_MEMORY;
    book->rows = rows;
    book->room = room;
    return 0;
}

static bool is_there(struct price_book *book, const struct price_book_row *row, size_t *ret_at)
{
    *ret_at = find(book, row->organization, row->row.name, row->from_us);
    return *ret_at < book->len && !compare(&book->rows[*ret_at]->is, row);
}

/* Behind all others without a search; else in its place, now or when it is next sorted. */
static int add(struct price_book *book, struct entry *entry)
{
    int rc = make_room(book);
    if (rc)
        return rc;
    if (book->len && compare(&book->rows[book->len - 1]->is, &entry->is) >= 0)
        book->sorted = false;
    book->rows[book->len++] = entry;
    return 0;
}

int price_book_put(struct price_book *book, const struct price_book_row *row)
{
    size_t at;
    int rc = !row->row.name.len ? METE_E_INVALID : row->ends ? 0 : price_book_try(book, &row->row);
    if (rc)
        return rc;
    struct entry *entry = copy(row);
    if (!entry)
        return METE_E_MEMORY;
    if (is_there(book, row, &at)) {
        free(book->rows[at]);
        book->rows[at] = entry;
    } else {
        rc = add(book, entry);
    }
    if (rc)
        free(entry);
    else
        forget(book, row->from_us);
    return rc;
}

bool price_book_at(struct price_book *book, uint32_t organization, struct slice model, size_t i,
                   struct price_book_row *ret_row)
{
    size_t at = find(book, organization, model, INT64_MIN) + i;
    if (at >= book->len || book->rows[at]->is.organization != organization ||
        !slice_equal(book->rows[at]->is.row.name, model))
        return false;
    *ret_row = book->rows[at]->is;
    return true;
}

bool price_book_since(struct price_book *book, uint32_t organization, struct slice model,
                      int64_t at_us, int64_t *ret_from_us)
{
    size_t at = find(book, organization, model, at_us + 1);
    const struct price_book_row *row = at ? &book->rows[at - 1]->is : NULL;
    if (!row || row->organization != organization || !slice_equal(row->row.name, model) ||
        row->ends)
        return false;
    *ret_from_us = row->from_us;
    return true;
}

/* ---- Lists ----------------------------------------------------------------------------------- */

/* What holds of one organization's rows, over a list that has the rest. */
static int build(struct price_book *book, struct dated *dated, int64_t at_us,
                 const struct pricing *under)
{
    struct pricing *list;
    int rc = pricing_new_over(under, &list);
    if (rc)
        return rc;
    size_t i = find(book, dated->organization, (struct slice){0}, INT64_MIN);
    for (; !rc && i < book->len && book->rows[i]->is.organization == dated->organization; i++) {
        const struct price_book_row *row = &book->rows[i]->is;
        const struct price_book_row *next = i + 1 < book->len ? &book->rows[i + 1]->is : NULL;
        if (row->from_us > at_us) {
            dated->until_us = min_i64(dated->until_us, row->from_us);
            continue;
        }
        dated->from_us = max_i64(dated->from_us, row->from_us);
        bool later = next && next->organization == row->organization && next->from_us <= at_us &&
                     slice_equal(next->row.name, row->row.name);
        if (!later && !row->ends)
            rc = pricing_put(list, &row->row);
    }
    if (rc)
        pricing_free(list);
    else
        dated->list = list;
    return rc;
}

static bool has_rows(struct price_book *book, uint32_t organization)
{
    size_t at = find(book, organization, (struct slice){0}, INT64_MIN);
    return at < book->len && book->rows[at]->is.organization == organization;
}

/* In front; the one that was not asked for longest goes. */
static void remember(struct price_book *book, const struct dated *dated)
{
    if (book->lists_len == LISTS)
        pricing_free(book->lists[--book->lists_len].list);
    memmove(&book->lists[1], &book->lists[0], book->lists_len * sizeof *book->lists);
    book->lists[0] = *dated;
    book->lists_len++;
}

static const struct dated *recall(struct price_book *book, uint32_t organization,
                                  const struct pricing_markup *terms, int64_t at_us)
{
    for (size_t i = 0; i < book->lists_len; i++) {
        struct dated found = book->lists[i];
        if (found.organization != organization || found.terms != terms || at_us < found.from_us ||
            at_us >= found.until_us)
            continue;
        memmove(&book->lists[1], &book->lists[0], i * sizeof *book->lists);
        book->lists[0] = found;
        return &book->lists[0];
    }
    return NULL;
}

static int dated_list(struct price_book *book, uint32_t organization, int64_t at_us,
                      struct dated *ret_dated)
{
    const struct dated *known = recall(book, organization, NULL, at_us);
    if (known) {
        *ret_dated = *known;
        return 0;
    }
    struct dated all = {.from_us = INT64_MIN, .until_us = INT64_MAX, .list = book->base};
    int rc = organization ? dated_list(book, 0, at_us, &all) : 0;
    if (rc)
        return rc;
    struct dated dated = {
        .organization = organization, .from_us = all.from_us, .until_us = all.until_us};
    rc = build(book, &dated, at_us, all.list);
    if (!rc) {
        remember(book, &dated);
        *ret_dated = dated;
    }
    return rc;
}

/* The same at these terms. */
static int marked_list(struct price_book *book, uint32_t organization,
                       const struct pricing_markup *terms, int64_t at_us, struct dated *ret_dated)
{
    struct dated dated;
    struct pricing *list;
    const struct dated *known = recall(book, organization, terms, at_us);
    if (known) {
        *ret_dated = *known;
        return 0;
    }
    int rc = dated_list(book, organization, at_us, &dated);
    if (!rc)
        rc = pricing_new_marked(dated.list, terms, &list);
    if (rc)
        return rc;
    dated.terms = terms;
    dated.list = list;
    remember(book, &dated);
    *ret_dated = dated;
    return 0;
}

/* What this organization pays; ret_from_us: since when it has been just that. */
static int own_list(struct price_book *book, uint32_t organization, int64_t at_us,
                    struct dated *ret_dated, int64_t *ret_from_us)
{
    struct dated dated;
    int64_t since_us;
    const struct pricing_markup *terms =
        markups_terms(book->markups, organization, at_us, &since_us);
    uint32_t whose = has_rows(book, organization) ? organization : 0;
    int rc = terms ? marked_list(book, whose, terms, at_us, &dated)
                   : dated_list(book, whose, at_us, &dated);
    if (rc)
        return rc;
    *ret_dated = dated;
    *ret_from_us = max_i64(dated.from_us, since_us);
    return 0;
}

int price_book_list(struct price_book *book, uint32_t organization, int64_t at_us,
                    const struct pricing **ret_list)
{
    struct dated dated;
    int64_t since_us;
    if (!book->len && !markups_any(book->markups)) {
        *ret_list = pricing_hold(book->base);
        return 0;
    }
    int rc = own_list(book, organization, at_us, &dated, &since_us);
    if (!rc)
        *ret_list = pricing_hold(dated.list);
    return rc;
}

int price_book_list_over(struct price_book *book, uint32_t organization, int64_t at_us,
                         const struct pricing *under, const struct pricing **ret_list)
{
    struct dated dated = {.organization = organization};
    if (!organization || !has_rows(book, organization)) {
        *ret_list = pricing_hold(under);
        return 0;
    }
    int rc = build(book, &dated, at_us, under);
    if (!rc)
        *ret_list = dated.list;
    return rc;
}

uint32_t price_book_next(struct price_book *book, uint32_t organization)
{
    if (organization == UINT32_MAX)
        return 0;
    size_t at = find(book, organization + 1, (struct slice){0}, INT64_MIN);
    return at < book->len ? book->rows[at]->is.organization : 0;
}

int price_book_moment(struct price_book *book, uint32_t organization, int64_t at_us,
                      int64_t *ret_us)
{
    struct dated dated;
    int64_t since_us = INT64_MIN;
    int rc = book->len || markups_any(book->markups)
                 ? own_list(book, organization, at_us, &dated, &since_us)
                 : 0;
    if (!rc)
        *ret_us = max_i64(since_us, 1);
    return rc;
}
