/* SPDX-License-Identifier: Apache-2.0
 * A JSON object read into a struct by a table: one row a member, its type and range, and where its
 * value goes. What is missing, of another type, out of range, repeated or not in the table is an
 * error that names the member; nothing is guessed and nothing passed over. An explicit null is of
 * the wrong type. */
#ifndef API_FIELDS_H
#define API_FIELDS_H

#include "api/arena.h"
#include "api/problem.h"
#include "codec/json_scan.h"

enum field_type {
    FIELD_TEXT,    /* struct slice: a string of min..max bytes without control characters */
    FIELD_ID,      /* struct slice: 1..128 of A-Z a-z 0-9 . _ : @ ~ - */
    FIELD_TOKEN,   /* struct slice: min..max printable ASCII without space: a model, a provider */
    FIELD_WORD,    /* int: a string of words[] */
    FIELD_AMOUNT,  /* struct slice: the decimal text of a string or a number, as it was written;
                      below zero only where min is */
    FIELD_COUNT,   /* int64_t: a whole number, min..max */
    FIELD_RATIO,   /* int64_t: a number above 0 and at most max, in millionths */
    FIELD_SHARE,   /* int64_t: a number from 0 to 1, in millionths */
    FIELD_BOOL,    /* bool */
    FIELD_INSTANT, /* int64_t: microseconds; a string of RFC 3339 */
    FIELD_STRING,  /* struct json: a string of any characters and any length */
    FIELD_OBJECT,  /* struct json */
    FIELD_LIST,    /* struct json: an array of min..max elements */
    FIELD_TEXTS    /* the same, each a string of 1..item_max bytes of printable ASCII */
};

struct word {
    const char *name; /* NULL ends the list */
    int value;
};

enum {
    FIELD_REQUIRED = 1,
    FIELD_LATER = 2,  /* known and checked, then METE_E_NOT_YET, naming it */
    FIELD_OR_NULL = 4 /* a null is as if it were absent */
};
enum { FIELDS_MAX = 64 };

struct field {
    const char *name;
    enum field_type type;
    uint32_t flags;
    size_t offset;
    int64_t min, max, item_max;
    const struct word *words;
};

/* What a table is read with. */
struct fields {
    const struct field *table;
    size_t len;          /* at most FIELDS_MAX */
    const char *path;    /* of the object: "" or "scope" */
    struct arena *arena; /* for strings with escapes */
    struct problem *problem;
};

/* Reads object into the struct at into; members that are absent leave theirs alone. Returns 0 or
 * the problem's error; what was written before it stays. */
METE_MUST_USE int fields_read(const struct fields *fields, struct json object, void *into);

/* The same rules, for what is not in a table. */
METE_MUST_USE int fields_text(const struct fields *fields, const char *name, struct json value,
                              struct slice *ret_text);
bool fields_is_id(struct slice text);
/* Complains about one member of the table's object; returns error. */
__attribute__((format(printf, 4, 5))) int fields_fault(const struct fields *fields, int error,
                                                       const char *name, const char *format, ...);
const char *fields_word(const struct word *words, int value); /* name of a value; "" if none */

#endif
