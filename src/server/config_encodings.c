/* SPDX-License-Identifier: Apache-2.0
 * Tokenizers that the configuration names: from their files to where models are looked up. */
#include "server/config.h"

#include "base/buffer.h"
#include "base/errors.h"

#include <errno.h>
#include <stdio.h>

enum { FILE_MAX = 64 * 1024 * 1024, STEP = 64 * 1024 };

static int read_file(const char *path, struct buffer *out, char why[IMPORT_WHY])
{
    errno = 0;
    FILE *file = fopen(path, "rb");
    int error = file ? 0 : METE_E_SYNTAX;
    for (size_t got = 1; !error && got > 0;) {
        char *at;
        error = buffer_reserve(out, STEP, &at);
        got = error ? 0 : fread(at, 1, STEP, file);
        if (!error)
            buffer_advance(out, got);
    }
    if (file && ferror(file))
        error = METE_E_SYNTAX;
    if (error == METE_E_SYNTAX)
        snprintf(why, IMPORT_WHY, "%s", strerror(errno ? errno : EIO));
    if (error == METE_E_TOO_LARGE)
        snprintf(why, IMPORT_WHY, "it is larger than 64 MiB");
    if (file)
        fclose(file);
    return error == METE_E_TOO_LARGE ? METE_E_SYNTAX : error;
}

int config_encoding_read(struct config_encoding *encoding, char why[IMPORT_WHY])
{
    struct buffer text;
    buffer_init(&text, FILE_MAX);
    int error = read_file(encoding->file, &text, why);
    if (!error) {
        struct import import = {.name = encoding->name,
                                .pattern = *encoding->pattern ? encoding->pattern : NULL,
                                .file = buffer_slice(&text)};
        error = import_encoding(&import, &encoding->encoding, why);
    }
    buffer_done(&text);
    return error == METE_E_INVALID ? METE_E_SYNTAX : error;
}

int config_encodings_add(const struct config *config, char ret_detail[512])
{
    for (size_t i = 0; i < config->encodings_len; i++) {
        const struct config_encoding *encoding = &config->encodings[i];
        int error =
            encoding_add(encoding->encoding, encoding->models, (size_t)encoding->models_len);
        if (error) {
            snprintf(ret_detail, 512, "encodings[].name: there is an encoding %.64s already",
                     encoding->name);
            encodings_forget();
            return error;
        }
    }
    return 0;
}
