/* SPDX-License-Identifier: Apache-2.0
 * `mete replay`: reads a trace and a policy, runs one under the other, and prints what was allowed,
 * refused and spent per budget and window, with totals that a spreadsheet can check (--calls). */
#include "cli/cli.h"
#include "cli/replay.h"
#include "codec/decimal.h"
#include "codec/json_scan.h"
#include "codec/timestamp.h"
#include "server/config.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

enum { ROWS_SHOWN = 40 };

struct arguments {
    const char *trace, *config, *calls, *model;
    bool json, help;
};

static const char *const periods[METE_PERIODS] = {
    "minute", "hourly", "daily", "weekly", "monthly", "quarterly", "yearly", "total", "rolling"};
static const char *const modes[] = {"enforce", "shadow", "off"};

static void format_amount(const struct replay_budget *budget, int64_t amount,
                          char room[DECIMAL_ROOM])
{
    decimal_format(amount, budget->meter == METE_COST ? 9 : 0, budget->meter == METE_COST ? 2 : 0,
                   room);
}

static void unit_name(const struct replay_budget *budget, char room[16])
{
    if (budget->meter == METE_COST)
        snprintf(room, 16, "%c%c%c", (char)(budget->currency >> 16), (char)(budget->currency >> 8),
                 (char)budget->currency);
    else
        snprintf(room, 16, "%s", budget->meter == METE_REQUESTS ? "requests" : "tokens");
}

struct shown_row {
    char who[80], unit[16], limit[DECIMAL_ROOM], spent[DECIMAL_ROOM];
    char start[TIMESTAMP_ROOM], end[TIMESTAMP_ROOM];
    const struct replay_budget *budget;
};

static void show(const struct trace *trace, const struct replay_policy *policy,
                 const struct replay_row *row, struct shown_row *ret_shown)
{
    const struct replay_budget *budget = &policy->budgets[row->budget];
    ret_shown->budget = budget;
    snprintf(ret_shown->who, sizeof ret_shown->who, "%s",
             row->client == UINT32_MAX ? "organization" : trace->clients[row->client]);
    unit_name(budget, ret_shown->unit);
    format_amount(budget, budget->limit, ret_shown->limit);
    format_amount(budget, row->spent, ret_shown->spent);
    timestamp_format(row->window.start_us, ret_shown->start);
    timestamp_format(row->window.end_us, ret_shown->end);
}

static void print_table(const struct trace *trace, const struct replay_policy *policy,
                        const struct replay_result *result)
{
    printf("%-16s %-9s %-8s %-20s %16s %16s %9s %9s\n", "scope", "period", "mode", "window",
           "limit", "spent", "allowed", "refused");
    for (size_t i = 0; i < result->rows_len && i < ROWS_SHOWN; i++) {
        const struct replay_row *row = &result->rows[i];
        struct shown_row shown;
        char limit[DECIMAL_ROOM + 16], spent[DECIMAL_ROOM + 16];
        show(trace, policy, row, &shown);
        snprintf(limit, sizeof limit, "%s %s", shown.limit, shown.unit);
        snprintf(spent, sizeof spent, "%s %s", shown.spent, shown.unit);
        printf("%-16s %-9s %-8s %-20s %16s %16s %9llu %9llu\n", shown.who,
               periods[shown.budget->period], modes[shown.budget->mode], shown.start, limit, spent,
               (unsigned long long)row->allowed, (unsigned long long)row->refused);
    }
    if (result->rows_len > ROWS_SHOWN)
        printf("... and %zu more (--json lists all)\n", result->rows_len - ROWS_SHOWN);
    char cost[DECIMAL_ROOM];
    decimal_format(result->cost_nano, 9, 2, cost);
    printf("\ncalls %zu   allowed %llu   refused %llu   cut short %llu\n", trace->calls_len,
           (unsigned long long)result->allowed, (unsigned long long)result->refused,
           (unsigned long long)result->clamped);
    printf("input tokens %lld   output tokens %lld   cost %s\n", (long long)result->input,
           (long long)result->output, cost);
    printf(result->mismatches ? "the engine disagrees on %llu budgets\n"
                              : "the engine's own figures agree\n",
           (unsigned long long)result->mismatches);
}

static void print_json(const struct trace *trace, const struct replay_policy *policy,
                       const struct replay_result *result)
{
    char cost[DECIMAL_ROOM];
    decimal_format(result->cost_nano, 9, 2, cost);
    printf(
        "{\"calls\":%zu,\"allowed\":%llu,\"refused\":%llu,\"cut_short\":%llu,\"input_tokens\":%lld,"
        "\"output_tokens\":%lld,\"cost\":\"%s\",\"mismatches\":%llu,\"windows\":[",
        trace->calls_len, (unsigned long long)result->allowed, (unsigned long long)result->refused,
        (unsigned long long)result->clamped, (long long)result->input, (long long)result->output,
        cost, (unsigned long long)result->mismatches);
    for (size_t i = 0; i < result->rows_len; i++) {
        const struct replay_row *row = &result->rows[i];
        struct buffer who;
        struct shown_row shown;
        show(trace, policy, row, &shown);
        buffer_init(&who, 1024);
        if (json_quote(&who, slice_of(shown.who)))
            who.len = 0;
        printf("%s\n{\"scope\":%.*s,\"unit\":\"%s\",\"period\":\"%s\",\"mode\":\"%s\",\"window_"
               "start\":\"%s\","
               "\"window_end\":%s%s%s,\"limit\":\"%s\",\"spent\":\"%s\",\"allowed\":%llu,"
               "\"refused\":%llu}",
               i ? "," : "", (int)who.len, who.data, shown.unit, periods[shown.budget->period],
               modes[shown.budget->mode], shown.start, shown.end[0] ? "\"" : "",
               shown.end[0] ? shown.end : "null", shown.end[0] ? "\"" : "", shown.limit,
               shown.spent, (unsigned long long)row->allowed, (unsigned long long)row->refused);
        buffer_done(&who);
    }
    printf("\n]}\n");
}

static const char usage_text[] =
    "usage: mete replay TRACE --config FILE [--model NAME] [--calls FILE] [--json]\n\n"
    "Runs a usage trace through the engine under the policy of FILE (examples/replay.yaml) and\n"
    "prints what was allowed, refused and spent, per budget and window.\n\n"
    "  TRACE          CSV or JSON lines, plain or gzip\n"
    "  --config FILE  its policy, and prices if it has model_costs\n"
    "  --model NAME   price the calls as this model\n"
    "  --calls FILE   also write a line of CSV for each call: verdict and cost\n"
    "  --json         all windows, as JSON\n";

static int usage(void)
{
    fputs(usage_text, stderr);
    return CLI_USAGE;
}

static int fail(const char *what, const char *detail)
{
    fprintf(stderr, "mete replay: %s%s%s\n", what, *detail ? ": " : "", detail);
    return CLI_FAILED;
}

static int parse(int argc, char **argv, struct arguments *ret_arguments)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"model", required_argument, NULL, 'm'},
        {"calls", required_argument, NULL, 'o'},  {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},         {0},
    };
    struct arguments a = {0};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            a.config = optarg;
            break;
        case 'm':
            a.model = optarg;
            break;
        case 'o':
            a.calls = optarg;
            break;
        case 'j':
            a.json = true;
            break;
        case 'h':
            a.help = true;
            break;
        default:
            return usage();
        }
    }
    if (!a.help && (optind + 1 != argc || !a.config))
        return usage();
    a.trace = argv[optind];
    *ret_arguments = a;
    return CLI_DONE;
}

/* ---- The policy ------------------------------------------------------------------------------ */

static int make_policy(const struct config *config, const struct arguments *arguments,
                       const struct pricing *pricing, struct replay_policy *ret_policy)
{
    const char *model = arguments->model ? arguments->model : config->policy.model;
    if (!model)
        return fail("the policy names no model (policy.model, or --model)", "");
    struct replay_policy policy = {
        .model = pricing_find(pricing, slice_of(model)),
        .max_output_tokens = config->policy.max_output_tokens,
        .tokens_per_second = config->policy.tokens_per_second,
        .budgets_len = config->policy.budgets_len,
    };
    if (!policy.model)
        return fail("the model has no price", model);
    if (timestamp_parse(slice_of(config->policy.start), &policy.start_us))
        return fail("policy.start is no instant", config->policy.start);
    for (size_t i = 0; i < policy.budgets_len; i++) {
        const struct config_budget *from = &config->policy.budgets[i];
        struct config_limit limit;
        if (config_limit(from, &limit))
            return fail("a budget of the policy has no amount", from->amount);
        policy.budgets[i] = (struct replay_budget){
            .per_user = from->scope != 0,
            .meter = limit.meter,
            .currency = limit.currency,
            .limit = limit.limit,
            .period = (enum mete_period)from->period,
            .mode = (enum mete_mode)from->mode,
        };
    }
    *ret_policy = policy;
    return CLI_DONE;
}

/* Times that count from the start of the trace begin where the policy says. */
static void place_in_time(struct trace *trace, const struct replay_policy *policy)
{
    for (size_t i = 0; trace->relative && i < trace->calls_len; i++)
        trace->calls[i].at_us += policy->start_us;
}

static int run(struct trace *trace, const struct replay_policy *policy,
               const struct arguments *arguments)
{
    FILE *calls = arguments->calls ? fopen(arguments->calls, "w") : NULL;
    if (arguments->calls && !calls)
        return fail("cannot write", arguments->calls);
    if (calls)
        fputs("line,at,client,input_tokens,output_tokens,verdict,cost\n", calls);
    place_in_time(trace, policy);
    struct replay_result result;
    int rc = replay_run(trace, policy, calls, isatty(STDERR_FILENO), &result);
    if (calls && fclose(calls))
        rc = rc ? rc : METE_E_STORAGE;
    if (rc)
        return fail("the replay stopped", mete_error_text(rc));
    if (arguments->json)
        print_json(trace, policy, &result);
    else
        print_table(trace, policy, &result);
    int code = result.mismatches ? CLI_FAILED : CLI_DONE;
    replay_done(&result);
    return code;
}

static int with_config(const struct config *config, const struct arguments *arguments)
{
    struct pricing *pricing;
    struct replay_policy policy;
    struct trace trace;
    char detail[512];
    if (config_pricing(config, &pricing, NULL, NULL, detail))
        return fail("prices", detail);
    int code = make_policy(config, arguments, pricing, &policy);
    if (code == CLI_DONE) {
        if (trace_read(arguments->trace, &trace, detail)) {
            code = fail(arguments->trace, detail);
        } else {
            code = run(&trace, &policy, arguments);
            trace_done(&trace);
        }
    }
    pricing_free(pricing);
    return code;
}

int cli_replay(int argc, char **argv)
{
    struct arguments arguments;
    struct config *config;
    char detail[512];
    int code = parse(argc, argv, &arguments);
    if (code != CLI_DONE)
        return code;
    if (arguments.help) {
        fputs(usage_text, stdout);
        return CLI_DONE;
    }
    if (config_load(arguments.config, &config, detail))
        return fail("configuration", detail);
    code = with_config(config, &arguments);
    config_free(config);
    return code;
}
