/* SPDX-License-Identifier: Apache-2.0
 * The command: a table of subcommands, help, and nothing else. A subcommand is a function that gets
 * its own name and arguments and returns the exit code. Help may be asked for anywhere among the
 * arguments, -h or --help, whatever else is wrong with them: it is found here, and the subcommand
 * then gets --help alone. */
#include "cli/cli.h"

#include "mete.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct command {
    const char *name, *help;
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
    {"serve", "run the gateway and the API", cli_serve},
    {"init", "make a data directory, its admin token and an example organization", cli_init},
    {"config", "make what is there what a file declares, as one", cli_config},
    {"org", "create, list, show, change and delete organizations; what they pay", cli_org},
    {"department", "the same of departments, in one another", cli_department},
    {"user", "the same of users", cli_user},
    {"member", "who administers an organization, with which role and password", cli_member},
    {"token", "create, list and revoke service tokens", cli_token},
    {"key", "make, show, change, regenerate, revoke and delete API keys; what they used", cli_key},
    {"budget", "set, list and delete budgets", cli_budget},
    {"rate", "set, list, show and delete rate limits", cli_rate},
    {"quota", "grant, show, refund and end prepaid balances, consume, tell their history",
     cli_quota},
    {"plan", "make plans, and subscribe to them", cli_plan},
    {"package", "make packages, and grant what was paid for", cli_package},
    {"code", "make and redeem redemption codes", cli_code},
    {"record", "list and show usage records, settle provisional ones", cli_record},
    {"report", "tell what was used, by whom, what and when", cli_report},
    {"model", "list, show and set models, their names and limits", cli_model},
    {"provider", "list and show the providers, take one out of use and back", cli_provider},
    {"price", "list prices and their history, compare with a file, apply one, rate again",
     cli_price},
    {"exchange", "add and list exchange rates", cli_exchange},
    {"credential", "seal, list and remove the credentials of providers", cli_credential},
    {"tokens", "count the tokens of texts, as a model does", cli_tokens},
    {"replay", "run a usage trace through the engine under a policy", cli_replay},
    {"audit", "list, export and prove the log of administrative changes", cli_audit},
    {"verify", "prove a data directory", cli_verify},
    {"backup", "copy the data while it is in use", cli_backup},
    {"cut", "delete the journal before a snapshot that stands for it", cli_cut},
    {"restore", "make a data directory of a backup", cli_restore},
    {"sim", "run a simulated provider", cli_sim},
    {"bench", "measure the engine in this process", cli_bench},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static const struct command *find(const char *name)
{
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static void print_usage(FILE *to)
{
    fprintf(to, "usage: mete COMMAND [ARGUMENTS]\n\n"
                "mete " METE_VERSION ": spend control for what is billed by use.\n\n");
    for (int i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].help);
    fprintf(to, "\n"
                "  help COMMAND, COMMAND --help   more of one\n"
                "  --version                      this one's version\n\n"
                "Exit: 0 done, 1 the answer is no, 2 usage, 3 the system failed.\n");
}

static int unknown(const char *name)
{
    fprintf(stderr, "mete: there is no command %s; try mete help\n", name);
    return CLI_USAGE;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int help_with(const struct command *command, char *name)
{
    char word[] = "--help";
    char *args[] = {name, word, NULL};
    return command->run(2, args);
}

static int help(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stdout);
        return CLI_DONE;
    }
    const struct command *command = find(argv[1]);
    return command ? help_with(command, argv[1]) : unknown(argv[1]);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("mete " METE_VERSION);
        return CLI_DONE;
    }
    if (strcmp(argv[1], "help") == 0 || is_help(argv[1]))
        return help(argc - 1, argv + 1);
    const struct command *command = find(argv[1]);
    if (!command)
        return unknown(argv[1]);
    for (int i = 2; i < argc; i++)
        if (is_help(argv[i]))
            return help_with(command, argv[1]);
    return command->run(argc - 1, argv + 1);
}
