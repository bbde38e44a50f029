/* SPDX-License-Identifier: Apache-2.0
 * One function a subcommand: argv[0] is the subcommand's name. They return the exit code: 0 done,
 * 1 the answer is no, 2 usage, 3 the system failed. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

int cli_bench(int argc, char **argv);
int cli_verify(int argc, char **argv);

#endif
