/* SPDX-License-Identifier: Apache-2.0
 * What went wrong with one request or one item of an array, as RFC 9457 has it: the code is a row
 * of tables/errors.h, the field a member of the body with dots and indexes ("scope.kind",
 * "alert_thresholds[2]"), a query parameter, or a part of the path ("org"). */
#ifndef API_PROBLEM_H
#define API_PROBLEM_H

#include "api/out.h"
#include "mete.h"

enum { PROBLEM_FIELD = 128, PROBLEM_DETAIL = 240 };

struct problem {
    int error; /* 0: none */
    char field[PROBLEM_FIELD];
    char detail[PROBLEM_DETAIL]; /* empty: the row's text */
};

/* Fills it in and returns error, so that a reader can end with it. field and format may be NULL. */
__attribute__((format(printf, 4, 5))) int problem_set(struct problem *problem, int error,
                                                      const char *field, const char *format, ...);
/* The JSON object. */
void problem_write(struct out *out, const struct problem *problem);

#endif
