/* SPDX-License-Identifier: Apache-2.0 */
#include "api/problem.h"

#include "base/assert.h"
#include "base/errors.h"

#include <stdarg.h>
#include <stdio.h>

int problem_set(struct problem *problem, int error, const char *field, const char *format, ...)
{
    ASSERT(error < 0);
    problem->error = error;
    snprintf(problem->field, sizeof problem->field, "%s", field ? field : "");
    problem->detail[0] = 0;
    if (format) {
        va_list args;
        va_start(args, format);
        vsnprintf(problem->detail, sizeof problem->detail, format, args);
        va_end(args);
    }
    return error;
}

void problem_write(struct out *out, const struct problem *problem)
{
    ASSERT(problem->error < 0);
    const char *code = mete_error_name(problem->error);
    const char *text = mete_error_text(problem->error);
    out_open(out, '{');
    out_key(out, "type");
    out_raw(out, SLICE_LITERAL("\"urn:mete:problem:"));
    out_append(out, slice_of(code));
    out_append(out, SLICE_LITERAL("\""));
    out_member_text(out, "title", slice_of(text));
    out_member_integer(out, "status", errors_http_status(problem->error));
    out_member_text(out, "detail", slice_of(problem->detail[0] ? problem->detail : text));
    if (problem->field[0])
        out_member_text(out, "field", slice_of(problem->field));
    out_member_text(out, "code", slice_of(code));
    out_close(out, '}');
}
