/* SPDX-License-Identifier: Apache-2.0 */
#include "base/errors.h"

struct row {
    const char *name, *text;
    int http_status;
    bool retryable;
};

#define ROW(NAME, name, http_status, retryable, text) \
    [-METE_E_##NAME] = {#name, text, http_status, retryable},
static const struct row rows[] = {
    [0] = {"ok", "Done.", 200, false},
#include "tables/errors.h"
};

static const struct row unknown = {"internal", "Something went wrong inside.", 500, false};

static const struct row *find(int error)
{
    if (error > 0 || -error >= (int)(sizeof rows / sizeof rows[0]) || !rows[-error].name)
        return &unknown;
    return &rows[-error];
}

const char *mete_error_name(int error)
{
    return find(error)->name;
}

const char *mete_error_text(int error)
{
    return find(error)->text;
}

int errors_http_status(int error)
{
    return find(error)->http_status;
}

bool errors_retryable(int error)
{
    return find(error)->retryable;
}
