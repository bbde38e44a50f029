/* SPDX-License-Identifier: Apache-2.0
 * Files that a command is given: read whole, and what is YAML or CSV made JSON of. */
#ifndef CLI_CLIENT_FILE_H
#define CLI_CLIENT_FILE_H

#include "base/buffer.h"
#include "cli/cli.h"

/* Each returns an exit code; other than CLI_DONE it has said on stderr what is wrong. name "-":
 * standard input. */
__attribute__((warn_unused_result)) int client_file_read(const char *name, struct buffer *to);
__attribute__((warn_unused_result)) int client_file_yaml(const char *name, struct slice yaml,
                                                         struct buffer *to);
/* A list of prices by its name's end: .csv and .yaml (.yml), else JSON. */
__attribute__((warn_unused_result)) int client_file_prices(const char *name, struct buffer *to);

#endif
