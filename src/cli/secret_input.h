/* SPDX-License-Identifier: Apache-2.0
 * Secrets as a command is given them: from a file, from a pipe, or typed without being shown; never
 * as an argument, which others on the machine can read. */
#ifndef CLI_SECRET_INPUT_H
#define CLI_SECRET_INPUT_H

#include "base/slice.h"

struct secret_question {
    const char *command; /* who asks: "credential" */
    const char *prompt;  /* at a terminal: "credential: " */
    const char *file;    /* NULL: standard input */
};

/* Without the end of its line. CLI_DONE, or CLI_FAILED when it has said that there is no such file.
 */
__attribute__((warn_unused_result)) int secret_input(const struct secret_question *question,
                                                     char *room, size_t room_len,
                                                     struct slice *ret_secret);

#endif
