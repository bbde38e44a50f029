/* SPDX-License-Identifier: Apache-2.0
 * ROWS   an array sorted by organization and moment, when it is first read after rows came out of
 *        order, as they do when all are read at a start.
 * TERMS  a reseller has many organizations and few markups: each is kept once, so that one list
 *        serves all who pay the same (book.c). They stay until the end: rows name them. */
#include "pricing/markups.h"

#include "base/assert.h"
#include "base/limits.h"

#include <stdlib.h>

struct terms {
    struct terms *next;
    struct pricing_markup is;
    char models[];
};

struct row {
    uint32_t organization;
    int64_t from_us;
    const struct pricing_markup *terms;
};

struct markups {
    struct row *rows;
    size_t len, room;
    bool sorted;
    struct terms *terms;
};

int markups_new(struct markups **ret_markups)
{
    struct markups *markups = calloc(1, sizeof *markups);
    if (!markups)
        return METE_E_MEMORY;
    markups->sorted = true;
    *ret_markups = markups;
    return 0;
}

void markups_free(struct markups *markups)
{
    if (!markups)
        return;
    while (markups->terms) {
        struct terms *next = markups->terms->next;
        free(markups->terms);
        markups->terms = next;
    }
    free(markups->rows);
    free(markups);
}

static int compare(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->organization != y->organization)
        return x->organization < y->organization ? -1 : 1;
    return (x->from_us > y->from_us) - (x->from_us < y->from_us);
}

/* Index of the first row not before this place. */
static size_t find(struct markups *markups, uint32_t organization, int64_t from_us)
{
    const struct row wanted = {organization, from_us, NULL};
    if (!markups->sorted && markups->len)
        qsort(markups->rows, markups->len, sizeof *markups->rows, compare);
    markups->sorted = true;
    size_t from = 0, to = markups->len;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (compare(&markups->rows[middle], &wanted) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* NULL: no memory. */
static const struct pricing_markup *intern(struct markups *markups, const struct pricing_markup *is)
{
    struct terms *terms = markups->terms;
    while (terms && (terms->is.bp != is->bp || !slice_equal(terms->is.models, is->models)))
        terms = terms->next;
    if (terms)
        return &terms->is;
    terms = malloc(sizeof *terms + is->models.len);
    if (!terms)
        return NULL;
    *terms =
        (struct terms){.next = markups->terms, .is = {is->bp, {terms->models, is->models.len}}};
    if (is->models.len)
        memcpy(terms->models, is->models.data, is->models.len);
    markups->terms = terms;
    return &terms->is;
}

static int make_room(struct markups *markups)
{
    if (markups->len == LIMIT_MARKUP_ROWS)
        return METE_E_FULL;
    if (markups->len < markups->room)
        return 0;
    size_t room = markups->room + markups->room / 2 + 64;
    struct row *rows = realloc(markups->rows, room * sizeof *rows);
    if (!rows)
        return METE_E_MEMORY;
    markups->rows = rows;
    markups->room = room;
    return 0;
}

int markups_put(struct markups *markups, const struct markups_row *row)
{
    if (row->is.bp < -PRICING_MARKUP_ONE || row->is.bp > LIMIT_MARKUP)
        return METE_E_INVALID;
    const struct pricing_markup *terms = intern(markups, &row->is);
    if (!terms)
        return METE_E_MEMORY;
    const struct row made = {row->organization, row->from_us, terms};
    size_t at = find(markups, row->organization, row->from_us);
    if (at < markups->len && !compare(&markups->rows[at], &made)) {
        markups->rows[at] = made;
        return 0;
    }
    int rc = make_room(markups);
    if (rc)
        return rc;
    markups->sorted = !markups->len || compare(&markups->rows[markups->len - 1], &made) < 0;
    markups->rows[markups->len++] = made;
    return 0;
}

void markups_drop(struct markups *markups, uint32_t organization, int64_t after_us)
{
    size_t from = find(markups, organization, after_us), to = from;
    while (to < markups->len && markups->rows[to].organization == organization)
        to++;
    if (from < to && markups->rows[from].from_us == after_us)
        from++;
    if (from == to)
        return;
    memmove(&markups->rows[from], &markups->rows[to], (markups->len - to) * sizeof *markups->rows);
    markups->len -= to - from;
}

bool markups_any(const struct markups *markups)
{
    return markups->len > 0;
}

static struct markups_row shown(const struct row *row)
{
    return (struct markups_row){row->organization, row->from_us, *row->terms};
}

bool markups_at(struct markups *markups, uint32_t organization, size_t i,
                struct markups_row *ret_row)
{
    size_t at = find(markups, organization, INT64_MIN) + i;
    if (at >= markups->len || markups->rows[at].organization != organization)
        return false;
    *ret_row = shown(&markups->rows[at]);
    return true;
}

/* NULL: none has begun. */
static const struct row *in_force(struct markups *markups, uint32_t organization, int64_t at_us)
{
    size_t at = markups->len ? find(markups, organization, at_us) : 0;
    if (at < markups->len && markups->rows[at].organization == organization &&
        markups->rows[at].from_us == at_us)
        return &markups->rows[at];
    return at && markups->rows[at - 1].organization == organization ? &markups->rows[at - 1] : NULL;
}

bool markups_find(struct markups *markups, uint32_t organization, int64_t at_us,
                  struct markups_row *ret_row)
{
    const struct row *row = in_force(markups, organization, at_us);
    if (row)
        *ret_row = shown(row);
    return row != NULL;
}

const struct pricing_markup *markups_terms(struct markups *markups, uint32_t organization,
                                           int64_t at_us, int64_t *ret_from_us)
{
    const struct row *row = in_force(markups, organization, at_us);
    *ret_from_us = row ? row->from_us : INT64_MIN;
    return row && row->terms->bp ? row->terms : NULL;
}
