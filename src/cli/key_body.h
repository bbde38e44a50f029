/* SPDX-License-Identifier: Apache-2.0
 * What the words of a mete key command say of a key, as the API's body has it. */
#ifndef CLI_KEY_BODY_H
#define CLI_KEY_BODY_H

#include "cli/client_words.h"

#include "base/limits.h"
#include "directory/directory.h"

enum { KEY_ENDPOINTS_MAX = 32 };

struct key_words {
    const char *user, *department, *name, *expires_at;
    const char *monthly_requests, *requests_per_minute, *tokens_per_minute, *concurrent;
    const char *disconnect;
    const char *models[DIRECTORY_MODELS_MAX], *endpoints[KEY_ENDPOINTS_MAX],
        *ranges[DIRECTORY_RANGES_MAX], *labels[LIMIT_KEY_LABELS];
    size_t models_len, endpoints_len, ranges_len, labels_len;
};

/* An object with what was said; "none" takes away what was there. name: where none was said; NULL:
 * it stays. */
void key_body_write(const struct key_words *words, const char *name, struct out *out);

#endif
