/* SPDX-License-Identifier: Apache-2.0
 * One function a subcommand: argv[0] is the subcommand's name. They return the exit code. --help
 * prints what there is to say on standard output and returns CLI_DONE. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

enum { CLI_DONE = 0, CLI_NO /* is the answer */, CLI_USAGE, CLI_FAILED /* the system did */ };

int cli_serve(int argc, char **argv);
int cli_init(int argc, char **argv);
int cli_config(int argc, char **argv);
int cli_org(int argc, char **argv);
int cli_department(int argc, char **argv);
int cli_user(int argc, char **argv);
int cli_member(int argc, char **argv);
int cli_token(int argc, char **argv);
int cli_key(int argc, char **argv);
int cli_credential(int argc, char **argv);
int cli_provider(int argc, char **argv);
int cli_model(int argc, char **argv);
int cli_price(int argc, char **argv);
int cli_exchange(int argc, char **argv);
int cli_budget(int argc, char **argv);
int cli_rate(int argc, char **argv);
int cli_quota(int argc, char **argv);
int cli_plan(int argc, char **argv);
int cli_package(int argc, char **argv);
int cli_code(int argc, char **argv);
int cli_record(int argc, char **argv);
int cli_report(int argc, char **argv);
int cli_replay(int argc, char **argv);
int cli_backup(int argc, char **argv);
int cli_cut(int argc, char **argv);
int cli_restore(int argc, char **argv);
int cli_tokens(int argc, char **argv);
int cli_audit(int argc, char **argv);
int cli_verify(int argc, char **argv);
int cli_sim(int argc, char **argv);
int cli_bench(int argc, char **argv);

#endif
