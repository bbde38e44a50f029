/* SPDX-License-Identifier: Apache-2.0
 * `mete sim`: the provider simulator behind a listener of its own. Its first line on stdout says
 * where it listens, so that port 0 can be used by scripts. Ends on SIGINT or SIGTERM; calls under
 * way are broken off and billed as such. */
#include "sim/sim.h"

#include "base/errors.h"
#include "base/limits.h"
#include "cli/cli.h"
#include "codec/decimal.h"
#include "net/listener.h"
#include "net/loop.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>

enum { PERCENT_PLACES = 4 /* of a percent: parts per million */ };

struct arguments {
    const char *listen;
    struct sim_config config;
    bool help;
};

static struct loop *running; /* for the signal handler alone */

static void stop(int signal)
{
    (void)signal;
    loop_stop(running);
}

/* A second signal of the kind ends the process at once. */
static void watch_signals(struct loop *loop)
{
    struct sigaction action = {.sa_handler = stop, .sa_flags = (int)SA_RESETHAND};
    running = loop;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int print_usage(FILE *to, int code)
{
    fprintf(
        to,
        "usage: mete sim [--listen ADDRESS:PORT] [--latency-ms N] [--tokens-per-second N]\n"
        "                [--failures PERCENT] [--cuts PERCENT] [--seed N] [--output-tokens N]\n\n"
        "Runs a simulated provider that speaks OpenAI chat completions, plain and streaming.\n"
        "Its first line says where. GET /sim/billed has what it billed, POST /sim/reset forgets\n"
        "it.\n\n"
        "  --listen             where; port 0: a free one (127.0.0.1:9101)\n"
        "  --latency-ms         before the first byte (0)\n"
        "  --tokens-per-second  of a stream; 0: as fast as it goes (0)\n"
        "  --failures           share of calls answered with a 500 (0)\n"
        "  --cuts               share of streams that break off (0)\n"
        "  --seed               of which calls these are (0)\n"
        "  --output-tokens      of an answer that max_tokens does not end before (64)\n");
    return code;
}

static bool parse_whole(const char *text, int64_t from, int64_t to, int64_t *ret_value)
{
    int64_t value;
    if (decimal_parse(slice_of(text), 0, &value) || value < from || value > to)
        return false;
    *ret_value = value;
    return true;
}

static bool parse_percent(const char *text, uint32_t *ret_ppm)
{
    int64_t ppm;
    if (decimal_parse(slice_of(text), PERCENT_PLACES, &ppm) || ppm < 0 || ppm > 1000000)
        return false;
    *ret_ppm = (uint32_t)ppm;
    return true;
}

static bool parse_option(int option, const char *text, struct arguments *arguments)
{
    struct sim_config *config = &arguments->config;
    int64_t seed;
    switch (option) {
    case 'l':
        arguments->listen = text;
        return true;
    case 'w':
        if (!parse_whole(text, 0, LIMIT_SIM_LATENCY_MS, &config->latency_us))
            return false;
        config->latency_us *= 1000;
        return true;
    case 'r':
        return parse_whole(text, 0, INT64_MAX, &config->tokens_per_second);
    case 'f':
        return parse_percent(text, &config->failure_ppm);
    case 'c':
        return parse_percent(text, &config->cut_ppm);
    case 's':
        if (!parse_whole(text, 0, INT64_MAX, &seed))
            return false;
        config->seed = (uint64_t)seed;
        return true;
    case 'h':
        arguments->help = true;
        return true;
    case 'o':
        return parse_whole(text, 1, LIMIT_SIM_TOKENS, &config->output_tokens);
    default:
        return false;
    }
}

static bool parse(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"listen", required_argument, NULL, 'l'},
        {"latency-ms", required_argument, NULL, 'w'},
        {"tokens-per-second", required_argument, NULL, 'r'},
        {"failures", required_argument, NULL, 'f'},
        {"cuts", required_argument, NULL, 'c'},
        {"seed", required_argument, NULL, 's'},
        {"output-tokens", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    int option, index = 0;
    while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
        if (option == '?')
            return false;
        if (!parse_option(option, optarg, arguments)) {
            fprintf(stderr, "mete sim: --%s %s is out of its range\n", options[index].name, optarg);
            return false;
        }
    }
    return optind == argc;
}

static void run(struct loop *loop, struct listener *listener)
{
    struct listener_counts counts;
    printf("mete sim: listening on http://%s\n", listener_address(listener));
    fflush(stdout);
    watch_signals(loop);
    loop_run(loop);
    listener_quiet(listener);
    listener_call_off(listener);
    for (listener_counts(listener, &counts); counts.open; listener_counts(listener, &counts))
        loop_round(loop);
    listener_close(listener);
}

static int serve(const struct arguments *arguments, struct loop *loop)
{
    struct sim *sim;
    struct listener *listener;
    char detail[256];
    int rc = sim_new(&arguments->config, loop_timers(loop), &sim);
    if (rc) {
        fprintf(stderr, "mete sim: %s\n", mete_error_text(rc));
        return CLI_FAILED;
    }
    struct listener_options options = {.address = arguments->listen, .handler = sim_handler(sim)};
    rc = listener_open(loop, &options, &listener, detail);
    if (rc)
        fprintf(stderr, "mete sim: %s\n", detail);
    else
        run(loop, listener);
    sim_free(sim);
    return rc ? CLI_FAILED : CLI_DONE;
}

int cli_sim(int argc, char **argv)
{
    struct arguments arguments = {.listen = "127.0.0.1:9101", .config = {.output_tokens = 64}};
    struct loop *loop;
    if (!parse(argc, argv, &arguments))
        return print_usage(stderr, CLI_USAGE);
    if (arguments.help)
        return print_usage(stdout, CLI_DONE);
    int rc = loop_new(&loop);
    if (rc) {
        fprintf(stderr, "mete sim: %s\n", mete_error_text(rc));
        return CLI_FAILED;
    }
    int code = serve(&arguments, loop);
    loop_free(loop);
    return code;
}
