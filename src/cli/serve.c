/* SPDX-License-Identifier: Apache-2.0
 * mete serve [--config FILE] [--data DIR] [--listen ADDRESS] [--metrics-listen ADDRESS]
 *            [--check-config]
 * Runs until SIGTERM or SIGINT. What it prints on standard output is for whoever started it: first
 * the address, then where metrics and token are. The log is on standard error. */
#include "cli/cli.h"

#include "server/server.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: mete serve [--config FILE] [--data DIR] [--listen ADDRESS]\n"
    "                  [--metrics-listen ADDRESS] [--check-config]\n"
    "Runs the gateway (/v1) and the API (/api/v1) until SIGTERM or SIGINT.\n\n"
    "  --config FILE      YAML; docs/configuration.md has the keys. Without it: all defaults, and\n"
    "                     OpenAI as the provider if OPENAI_API_KEY is in the environment.\n"
    "  --data DIR         data directory, in place of the configured one\n"
    "  --listen ADDRESS   HOST:PORT, in place of the configured one; port 0: a free one\n"
    "  --metrics-listen ADDRESS\n"
    "                     the same for /metrics; \"\" for none\n"
    "  --check-config     read the configuration, say what is wrong, and exit: 0 good, 1 wrong\n\n"
    "Environment: METE_ADMIN_TOKEN (in place of DIR/admin.token), METE_DATA, OPENAI_API_KEY,\n"
    "OPENAI_BASE_URL, and what the file names as ${NAME}.\n"
    "Exit: 0 stopped as asked, 1 the configuration is wrong, 2 usage, 3 it could not run.\n";

struct arguments {
    const char *config, *data, *listen, *metrics_listen;
    int check, help;
};

/* Returns the word that is wrong, or NULL. */
static const char *read_arguments(int argc, char **argv, struct arguments *ret_arguments)
{
    const struct {
        const char *name;
        const char **value;
    } options[] = {{"--config", &ret_arguments->config},
                   {"--data", &ret_arguments->data},
                   {"--listen", &ret_arguments->listen},
                   {"--metrics-listen", &ret_arguments->metrics_listen}};
    for (int i = 1; i < argc; i++) {
        const char **value = NULL;
        for (size_t o = 0; o < sizeof options / sizeof options[0]; o++)
            if (strcmp(argv[i], options[o].name) == 0)
                value = options[o].value;
        if (strcmp(argv[i], "--check-config") == 0)
            ret_arguments->check = 1;
        else if (strcmp(argv[i], "--help") == 0)
            ret_arguments->help = 1;
        else if (!value || i + 1 == argc)
            return argv[i];
        else
            *value = argv[++i];
    }
    return NULL;
}

static void price_odd(void *user, const struct config_cost *cost)
{
    fprintf(stderr, "%s:%d: model_costs.%s: 100 times the built-in price, or a hundredth of it\n",
            (const char *)user, cost->line, cost->model);
}

static int check(const struct config *config, const char *file)
{
    char detail[512], name[256];
    struct pricing *pricing = NULL;
    snprintf(name, sizeof name, "%s", file ? file : "(defaults)");
    int error = config_pricing(config, &pricing, price_odd, name, detail);
    if (error) {
        fprintf(stderr, "%s: %s\n", name, detail);
        return CLI_NO;
    }
    for (size_t i = 0; i < config->later_len; i++)
        fprintf(stderr, "%s: %s: known, and does nothing yet\n", name, config->later[i]);
    printf("%s is good: %zu providers, %zu prices over %zu\n", name, config->providers_len,
           config->costs_len, pricing_len(pricing));
    pricing_free(pricing);
    return CLI_DONE;
}

static void announce(const struct server *server)
{
    const struct home *home = server_home(server);
    printf("mete: listening on http%s://%s\n", server_has_tls(server) ? "s" : "",
           server_address(server));
    if (*server_metrics_address(server))
        printf("mete: metrics on http://%s/metrics\n", server_metrics_address(server));
    if (home->token_from_env)
        printf("mete: the admin token is the one in METE_ADMIN_TOKEN\n");
    else
        printf("mete: the admin token is in %s/admin.token\n", home->path);
    if (home->token_made)
        printf("mete: made just now, and shown this once: %s\n", home->admin_token);
    fflush(stdout);
}

static int serve(const struct config *config)
{
    char detail[512];
    struct server *server = NULL;
    int error = server_open(config, &server, detail);
    if (error) {
        fprintf(stderr, "mete: %s\n", detail);
        return CLI_FAILED;
    }
    announce(server);
    server_run(server);
    server_close(server);
    return CLI_DONE;
}

int cli_serve(int argc, char **argv)
{
    struct arguments arguments = {0};
    char detail[512];
    struct config *config = NULL;
    const char *wrong = read_arguments(argc, argv, &arguments);
    if (wrong) {
        fprintf(stderr, "mete serve: %s: unknown, or without its value\n%s", wrong, usage);
        return CLI_USAGE;
    }
    if (arguments.help) {
        fputs(usage, stdout);
        return CLI_DONE;
    }
    int error = config_load(arguments.config, &config, detail);
    if (error) {
        fprintf(stderr, "%s\n", detail);
        return error == METE_E_SYNTAX ? CLI_NO : CLI_FAILED;
    }
    if (arguments.data)
        config->data = arguments.data;
    if (arguments.listen)
        config->listen = arguments.listen;
    if (arguments.metrics_listen)
        config->metrics_listen = arguments.metrics_listen;
    int code = arguments.check ? check(config, arguments.config) : serve(config);
    config_free(config);
    return code;
}
