/* SPDX-License-Identifier: Apache-2.0
 * Reads and writes the same line: a doubled quote becomes one, so what is written never passes
 * what is read. */
#include "codec/csv.h"

#include "base/assert.h"
#include "mete.h"

#include <limits.h>

struct line {
    char *at, *end;
};

static bool plain(struct line *line, struct slice *ret_field)
{
    char *from = line->at;
    for (; line->at < line->end && *line->at != ','; line->at++)
        if (*line->at == '"')
            return false;
    *ret_field = (struct slice){from, (size_t)(line->at - from)};
    return true;
}

/* line->at is behind the opening quote. */
static bool quoted(struct line *line, struct slice *ret_field)
{
    char *from = line->at, *to = line->at;
    for (; line->at < line->end; line->at++) {
        if (*line->at == '"') {
            line->at++;
            if (line->at == line->end || *line->at == ',') {
                *ret_field = (struct slice){from, (size_t)(to - from)};
                return true;
            }
            if (*line->at != '"')
                return false;
        }
        *to++ = *line->at;
    }
    return false; /* it never closed */
}

int csv_split(char *line, size_t len, struct slice *fields, size_t fields_max)
{
    ASSERT(len < INT_MAX);
    struct line rest = {line, line + len};
    if (len && line[len - 1] == '\r')
        rest.end--;
    size_t count = 0;
    for (;; rest.at++) { /* over the comma */
        struct slice field;
        bool ok;
        if (rest.at < rest.end && *rest.at == '"') {
            rest.at++;
            ok = quoted(&rest, &field);
        } else {
            ok = plain(&rest, &field);
        }
        if (!ok)
            return METE_E_SYNTAX;
        if (count < fields_max)
            fields[count] = field;
        count++;
        if (rest.at == rest.end)
            return (int)count;
    }
}
