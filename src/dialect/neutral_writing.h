/* SPDX-License-Identifier: Apache-2.0
 * A request being written for a provider that is no speaker of OpenAI's words: what is asked, where
 * it goes, and the first thing that has no word there. For the files that write one. */
#ifndef DIALECT_NEUTRAL_WRITING_H
#define DIALECT_NEUTRAL_WRITING_H

#include "dialect/json_put.h"
#include "dialect/neutral.h"

struct neutral_writing {
    const struct neutral_request *request;
    struct json_put put;
    struct dialect_error *error;
};

/* The first refusal stands; nothing is written behind it. */
static inline void neutral_refuse(struct neutral_writing *w, const char *param, const char *message)
{
    if (w->put.rc)
        return;
    *w->error = (struct dialect_error){
        400, "invalid_request_error", "unsupported_parameter", param, message, {0}};
    w->put.rc = METE_E_INVALID;
}

static inline void neutral_put_member(struct neutral_writing *w, const char *name, struct slice raw)
{
    if (!w->put.rc)
        w->put.rc = neutral_write_member(w->put.out, name, raw);
}

#endif
