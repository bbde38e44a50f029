/* SPDX-License-Identifier: Apache-2.0
 * What tables/errors.h says of a code, beside mete_error_name() and mete_error_text(). */
#ifndef BASE_ERRORS_H
#define BASE_ERRORS_H

#include "mete.h"

#include <stdbool.h>

int errors_http_status(int error); /* 200 for 0; 500 for a code not in the table */
bool errors_retryable(int error);

#endif
