/* SPDX-License-Identifier: Apache-2.0
 * mete verify DIRECTORY [--json] - proves a data directory, offline; says what it proved.
 * Exit: 0 clean, 1 not clean, 2 usage, 3 it could not be read. */
#include "cli/cli.h"

#include "engine/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: mete verify DIRECTORY [--json]\n"
    "Proves a data directory while no server runs on it: the journal's checksums and hash chain,\n"
    "that its entries make a consistent ledger, that each snapshot is what they make up to it, "
    "and\n"
    "that the records and the audit log are what the journal says.\n"
    "Exit: 0 clean, 1 not clean, 2 usage, 3 it could not be read.\n";

static void print_hex(const uint8_t bytes[32])
{
    for (int i = 0; i < 32; i++)
        printf("%02x", bytes[i]);
}

static void print_json(const struct verify_report *report, int error)
{
    printf("{\"clean\":%s,\"error\":%s%s%s,\"detail\":\"", error ? "false" : "true",
           error ? "\"" : "", error ? mete_error_name(error) : "null", error ? "\"" : "");
    for (const char *at = report->detail; *at; at++)
        if (*at != '"' && *at != '\\' && *at >= ' ')
            putchar(*at);
    printf("\",\"groups\":%" PRIu64 ",\"entries\":%" PRIu64 ",\"journal_bytes\":%" PRIu64
           ",\"last_seq\":%" PRIu64 ",\"last_at_us\":%" PRId64 ",\"scopes\":%" PRIu64
           ",\"budgets\":%" PRIu64 ",\"reservations_open\":%" PRIu64 ",\"drift\":%" PRIu64
           ",\"windows\":%" PRIu64 ",\"records_seq\":%" PRIu64 ",\"usage\":%" PRIu64
           ",\"entities\":%" PRIu64 ",\"events\":%" PRIu64 ",\"base\":%" PRIu64
           ",\"snapshots\":%" PRIu64 ",\"primary\":%" PRIu64 ",\"removed\":%" PRIu64
           ",\"audit\":%" PRIu64 ",\"audit_head\":\"",
           report->groups, report->entries, report->journal_bytes, report->last_seq,
           report->last_at.us, report->scopes, report->budgets, report->reservations_open,
           report->drift, report->windows, report->records_seq, report->usage, report->entities,
           report->events, report->base, report->snapshots, report->primary, report->removed,
           report->audit);
    print_hex(report->audit_head);
    printf("\",\"head\":\"");
    print_hex(report->head);
    printf("\",\"state_hash\":\"");
    print_hex(report->state_hash);
    printf("\"}\n");
}

static void print_proof(const struct verify_report *report)
{
    printf("journal   %" PRIu64 " entries in %" PRIu64 " groups, %" PRIu64
           " bytes: checksums and chain hold\n",
           report->entries, report->groups, report->journal_bytes);
    printf("ledger    %" PRIu64 " scopes, %" PRIu64 " budgets, %" PRIu64
           " open reservations: every entry fits, drift %" PRIu64 "\n",
           report->scopes, report->budgets, report->reservations_open, report->drift);
    printf("budgets   %" PRIu64 " windows add up to their usage\n", report->windows);
    if (report->base)
        printf("base      entry %" PRIu64 ": the journal was cut there; the chain names its hash\n",
               report->base);
    printf("snapshots %" PRIu64 " load, and are what the journal makes up to them\n",
           report->snapshots);
    if (report->has_records)
        printf("records   %" PRIu64 " usage records, %" PRIu64 " entities, %" PRIu64
               " events are the journal's, up to entry %" PRIu64 "\n",
               report->usage, report->entities, report->events, report->records_seq);
    if (report->removed)
        printf("          %" PRIu64 " usage records were removed by age\n", report->removed);
    if (report->rolled_up)
        printf("usage     sums of organizations, departments, users and keys are those of their "
               "calls\n");
    if (report->primary)
        printf("          %" PRIu64 " entities are older than the base and not compared\n",
               report->primary);
    if (report->has_records) {
        printf("audit     %" PRIu64 " rows are chained, and are what their entries did; head\n"
               "          ",
               report->audit);
        print_hex(report->audit_head);
        printf("\n");
    }
    if (!report->has_records)
        printf("records   none; they are rebuilt at the next start\n");
    printf("head      ");
    print_hex(report->head);
    printf("\nstate     ");
    print_hex(report->state_hash);
    printf("\nclean\n");
}

int cli_verify(int argc, char **argv)
{
    const char *directory = NULL;
    int json = 0, wrong = 0;
    if (argc == 2 && !strcmp(argv[1], "--help")) {
        fputs(usage, stdout);
        return CLI_DONE;
    }
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--json"))
            json = 1;
        else if (argv[i][0] == '-' || directory)
            wrong = 1;
        else
            directory = argv[i];
    }
    if (wrong || !directory) {
        fputs(usage, stderr);
        return CLI_USAGE;
    }
    struct verify_report report;
    int error = engine_verify(directory, &report);
    if (json)
        print_json(&report, error);
    else if (!error)
        print_proof(&report);
    else if (error == METE_E_CORRUPT)
        printf("not clean: %s\n", report.detail);
    else if (error == METE_E_NOT_FOUND)
        fprintf(stderr, "mete verify: there is no journal in %s\n", directory);
    else
        fprintf(stderr, "mete verify: %s: %s\n", directory, mete_error_text(error));
    if (!error)
        return CLI_DONE;
    return error == METE_E_CORRUPT ? CLI_NO : CLI_FAILED;
}
