/* SPDX-License-Identifier: Apache-2.0
 * The configuration: a YAML file whose every key is a row of tables/config.h (docs/configuration.md
 * is for people). What is not in the table, stands twice, has the wrong type or lies out of range
 * is an error that says where; so is ${NAME} of a variable that is not set. */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include "base/limits.h"
#include "gateway/gateway.h"
#include "pricing/pricing.h"
#include "server/log.h"
#include "tokens/import.h"

struct config_provider {
    const char *name, *base_url, *api_key, *priced_as;
    const char *proxy, *ca_file, *client_certificate, *client_key, *aws_region;
    int64_t http_version, max_connections, max_idle_connections;
    int64_t dialect, models_len, weight, calls_max, requests_per_minute;
    int64_t speaks; /* a bit for each format, by dialect_named(); 0: all of its dialect */
    const char *models[GATEWAY_GLOBS_MAX];
    struct gateway_pass passes[LIMIT_PASSES];
    int64_t passes_len;
};
enum { CONFIG_METHODS_MAX = 5 };
struct config_pass { /* as it stands in the file */
    const char *path, *price, *currency;
    const char *methods[CONFIG_METHODS_MAX];
    int64_t methods_len; /* 0: POST */
};

/* A tokenizer that a file has. */
enum { CONFIG_PREFIXES_MAX = 16 };
struct config_encoding {
    const char *name, *file, *pattern;
    const char *models[CONFIG_PREFIXES_MAX];
    int64_t models_len;
    struct encoding *encoding; /* read, once the configuration is */
};

/* A row for pricing_put(). Prices are texts per million; NULL: not given. */
struct config_tier {
    int64_t above, service; /* enum price_service */
    int64_t quality;        /* enum price_quality */
    const char *size;
    const char *prices[PRICE_METERS];
};
struct config_cost {
    const char *model, *provider, *currency, *last_updated;
    const char *prices[PRICE_METERS];
    int64_t output_max, tiers_len;
    struct config_tier tiers[LIMIT_PRICE_TIERS];
    int line; /* where it stands in the file */
};

enum { CONFIG_COSTS_MAX = 4096, CONFIG_BUDGETS_MAX = 8, CONFIG_LATER_MAX = 16 };

/* One budget of the policy that a replay tries. */
struct config_budget {
    const char *unit, *amount;
    int64_t scope; /* 0: one for all, 1: one for each client */
    int64_t period, mode;
};

/* One that has been read: what its texts mean. */
struct config_limit {
    uint16_t meter;
    uint32_t currency;
    int64_t limit;
};

struct config {
    const char *listen, *metrics_listen, *data;
    const char *sealing_key_file; /* empty: none */
    int64_t stop_timeout_ms, audit, core_files, free_reserve, workers;
    struct config_provider providers[GATEWAY_PROVIDERS_MAX];
    size_t providers_len;
    struct config_encoding encodings[LIMIT_ENCODINGS];
    size_t encodings_len;
    struct config_cost *costs;
    size_t costs_len;
    bool has_ceiling; /* unpriced: {...} */
    struct config_cost ceiling;
    struct { /* as the table has it; config_gateway() makes the gateway's own of it */
        int64_t choose, fallbacks, retries, retry_delay_ms, retry_percent, retry_unknown;
        int64_t breaker_failures, breaker_pause_ms, drain_timeout_ms;
        int64_t disconnect, clamp, draft_unknown, count_tokens, floor_tokens, default_output_tokens;
        int64_t connect_timeout_ms, first_byte_timeout_ms, idle_timeout_ms, total_timeout_ms;
        int64_t response_max;
    } gateway;
    int64_t max_connections, max_header_bytes, max_body_bytes;
    int64_t request_timeout_ms, keepalive_timeout_ms;
    struct address_range trusted[LIMIT_TRUSTED_PROXIES];
    size_t trusted_len;
    int64_t connections_per_address, connections_per_key, min_body_rate, min_drain_rate;
    struct {
        const char *certificate, *key, *client_ca; /* "": none */
        int64_t min_version;                       /* enum tls_version */
    } tls;
    int64_t log_level, log_format;
    int64_t keep_records_ms, keep_alerts_ms, keep_reports_ms;
    struct { /* what `mete replay` tries */
        const char *model, *start;
        int64_t max_output_tokens, tokens_per_second;
        struct config_budget budgets[CONFIG_BUDGETS_MAX];
        size_t budgets_len;
    } policy;
    const char *later[CONFIG_LATER_MAX]; /* blocks that are there, and that nothing reads yet */
    size_t later_len;
    struct config_text *texts; /* what the strings above point into */
};

/* file NULL: no file, all defaults. SYNTAX: wrong; STORAGE: cannot be read; MEMORY. ret_detail says
 * what and where: "mete.yaml:3:5: ...". */
METE_MUST_USE int config_load(const char *file, struct config **ret_config, char ret_detail[512]);
/* The same from text; name is for messages. */
METE_MUST_USE int config_parse(const char *name, struct slice text, struct config **ret_config,
                               char ret_detail[512]);
void config_free(struct config *config);

/* How a provider is reached: its texts are of the right form and its files can be read. NULL: all
 * is well; else the key that is wrong, and *ret_why. */
const char *config_wrong_wire(const struct config_provider *provider, const char **ret_why);
/* Puts it behind the provider's others. NULL; else what is wrong with it, to be put behind
 * "providers[].pass_through[]". Texts are borrowed. */
const char *config_add_pass(struct config_provider *provider, const struct config_pass *pass);
/* Takes them as its trusted proxies; NULL. Else the one that is none, or has bits behind its
 * prefix.
 */
const char *config_trust(struct config *config, const char *const *ranges, size_t len);
/* NULL: the tier may be one of the model's; else what is wrong, to be put behind its name. */
const char *config_wrong_tier(const struct config_cost *cost, const struct config_tier *tier);
/* Reads its file. METE_E_SYNTAX: why says what is wrong with it; MEMORY. */
METE_MUST_USE int config_encoding_read(struct config_encoding *encoding, char why[IMPORT_WHY]);
/* Has all encodings known by their names and models, until encodings_forget(). METE_E_EXISTS: one
 * of its names is taken, and ret_detail says which; none is known then. */
METE_MUST_USE int config_encodings_add(const struct config *config, char ret_detail[512]);
/* config's strings are borrowed. */
void config_gateway(const struct config *config, struct gateway_config *ret_gateway);
/* The meter and limit a budget's texts name. METE_E_SYNTAX: the unit is neither a currency, tokens
 * nor requests, or the amount is no decimal of it. */
METE_MUST_USE int config_limit(const struct config_budget *budget, struct config_limit *ret_limit);
/* Built-in prices, and the configured ones over them. odd, unless NULL, is called for prices that
 * look like a mistake of units. Errors of pricing_put(); ret_detail says of which model. */
METE_MUST_USE int config_pricing(const struct config *config, struct pricing **ret_pricing,
                                 void (*odd)(void *user, const struct config_cost *cost),
                                 void *user, char ret_detail[512]);

#endif
