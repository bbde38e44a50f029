/* SPDX-License-Identifier: Apache-2.0
 * Models whose name stands in a path: from there into a request, and back into a path. */
#ifndef DIALECT_PATH_H
#define DIALECT_PATH_H

#include "dialect/dialect.h"

/* target->model, percent-decoded, becomes the request's. METE_E_INVALID and *ret_error: a bad
 * escape, not 1 to LIMIT_ID bytes, or not printable ASCII without spaces. */
METE_MUST_USE int path_read_model(const struct dialect_target *target,
                                  struct dialect_request *ret_request,
                                  struct dialect_error *ret_error);
/* model as one segment: all but letters, digits and -._~ escaped. METE_E_TOO_LARGE; MEMORY. */
METE_MUST_USE int path_write_segment(struct slice model, struct buffer *out);
/* Whether query ("a=1&b=2", raw) says name=value so. */
bool path_query_is(struct slice query, const char *pair);

#endif
