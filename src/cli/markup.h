/* SPDX-License-Identifier: Apache-2.0
 * A word of mete org in a file of its own. */
#ifndef CLI_MARKUP_H
#define CLI_MARKUP_H

/* argv[1] is "markup"; usage is mete org's. */
int cli_org_markup(int argc, char **argv, const char *usage);

#endif
