/* SPDX-License-Identifier: Apache-2.0
 * From the configuration to what the layers below take. */
#include "server/config.h"

#include "base/assert.h"
#include "codec/decimal.h"
#include "dialect/dialect.h"

#include <stdio.h>
#include <unistd.h>

static bool is_proxy(const char *url)
{
    static const char *const schemes[] = {"http://", "https://", "socks5://", "socks5h://"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (!strncmp(url, schemes[i], strlen(schemes[i])) && url[strlen(schemes[i])])
            return true;
    return false;
}

const char *config_wrong_wire(const struct config_provider *provider, const char **ret_why)
{
    const struct {
        const char *key, *file;
    } files[] = {{"ca_file", provider->ca_file},
                 {"client_certificate", provider->client_certificate},
                 {"client_key", provider->client_key}};
    *ret_why = "must begin with http:// or https://";
    if (strncmp(provider->base_url, "http://", 7) != 0 &&
        strncmp(provider->base_url, "https://", 8) != 0)
        return "base_url";
    *ret_why = "has bytes no header can carry";
    for (const char *c = provider->api_key; *c; c++)
        if (*c < ' ' || *c > '~')
            return "api_key";
    *ret_why = "must begin with http://, https://, socks5:// or socks5h://";
    if (*provider->proxy && !is_proxy(provider->proxy))
        return "proxy";
    *ret_why = "is of no use without client_certificate";
    if (*provider->client_key && !*provider->client_certificate)
        return "client_key";
    *ret_why = "names a file that cannot be read";
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (*files[i].file && access(files[i].file, R_OK) != 0)
            return files[i].key;
    return NULL;
}

/* What mete answers itself, whatever its method. */
static bool is_own(struct slice path)
{
    struct dialect_target target;
    static const char *const others[] = {"/v1/models", "/v1/messages", "/api", "/healthz",
                                         "/readyz"};
    if (dialect_find(path, (struct slice){0}, &target))
        return true;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (slice_starts(path, slice_of(others[i])))
            return true;
    return false;
}

static bool good_path(struct slice path)
{
    for (size_t i = 0; i < path.len; i++)
        if (path.data[i] <= ' ' || path.data[i] > '~' || strchr("?#%\\", path.data[i]) ||
            (path.data[i] == '*' && i + 1 < path.len))
            return false;
    return slice_starts(path, SLICE_LITERAL("/v1/")) && !memmem(path.data, path.len, "..", 2);
}

/* As an Allow header says them. */
static bool put_methods(struct gateway_pass *to, const struct config_pass *pass)
{
    static const char *const known[CONFIG_METHODS_MAX] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    uint32_t seen = 0;
    size_t len = 0;
    for (int64_t m = 0; m < pass->methods_len; m++) {
        size_t i = 0;
        while (i < CONFIG_METHODS_MAX && strcmp(pass->methods[m], known[i]) != 0)
            i++;
        if (i == CONFIG_METHODS_MAX || seen & UINT32_C(1) << i)
            return false;
        seen |= UINT32_C(1) << i;
    }
    for (size_t i = 0; i < CONFIG_METHODS_MAX; i++)
        if ((seen ? seen : 2) & UINT32_C(1) << i)
            len += (size_t)snprintf(to->methods + len, sizeof to->methods - len, "%s%s",
                                    len ? ", " : "", known[i]);
    return true;
}

const char *config_add_pass(struct config_provider *provider, const struct config_pass *pass)
{
    struct slice path = slice_of(pass->path), currency = slice_of(pass->currency);
    struct gateway_pass *to = &provider->passes[provider->passes_len];
    if (!pass->path)
        return ".path is missing";
    if (provider->passes_len == LIMIT_PASSES)
        return ": at most 16";
    if (!good_path(path))
        return ".path must begin with /v1/, and may have a * at its end";
    if (!put_methods(to, pass))
        return ".methods: each must be GET, POST, PUT, PATCH or DELETE, once";
    if (is_own(path))
        return ".path is one that mete answers itself";
    for (size_t i = 0; i < 3; i++)
        if (currency.data[i] < 'A' || currency.data[i] > 'Z')
            return ".currency must be one, such as USD";
    if (!pass->price ||
        decimal_parse128(slice_of(pass->price), 18, false, &to->price.atto_per_million) ||
        to->price.atto_per_million <= 0 ||
        to->price.atto_per_million / ((int128)1000000 * 1000000000 * 1000000000) >
            LIMIT_PIECE_PRICE)
        return ".price_per_request must be over 0, and at most 1000: nothing is let through for "
               "free";
    for (int64_t i = 0; i < provider->passes_len; i++)
        if (!strcmp(provider->passes[i].path, pass->path))
            return ".path stands here twice";
    to->path = pass->path;
    to->currency = METE_CURRENCY(currency.data[0], currency.data[1], currency.data[2]);
    provider->passes_len++;
    return NULL;
}

static struct upstream_wire wire_of(const struct config_provider *provider)
{
    return (struct upstream_wire){
        .proxy = provider->proxy,
        .ca_file = provider->ca_file,
        .cert_file = provider->client_certificate,
        .key_file = provider->client_key,
        .aws_region = provider->aws_region,
        .http = (enum upstream_http)provider->http_version,
        .connections_max = (uint32_t)provider->max_connections,
        .idle_max = (uint32_t)provider->max_idle_connections,
    };
}

void config_gateway(const struct config *config, struct gateway_config *ret_gateway)
{
    *ret_gateway = (struct gateway_config){
        .providers_len = config->providers_len,
        .choose = (enum gateway_choose)config->gateway.choose,
        .fallbacks = (uint32_t)config->gateway.fallbacks,
        .retries = (uint32_t)config->gateway.retries,
        .retry_percent = (uint32_t)config->gateway.retry_percent,
        .retry_delay_ms = config->gateway.retry_delay_ms,
        .retry_unknown = config->gateway.retry_unknown != 0,
        .breaker_failures = (uint32_t)config->gateway.breaker_failures,
        .breaker_pause_ms = config->gateway.breaker_pause_ms,
        .drain_timeout_ms = config->gateway.drain_timeout_ms,
        .disconnect = config->gateway.disconnect ? GATEWAY_CANCEL : GATEWAY_DRAIN,
        .clamp = config->gateway.clamp != 0,
        .draft_unknown = config->gateway.draft_unknown != 0,
        .count_tokens = config->gateway.count_tokens != 0,
        .floor_tokens = config->gateway.floor_tokens,
        .default_output_tokens = config->gateway.default_output_tokens,
        .connect_timeout_ms = config->gateway.connect_timeout_ms,
        .first_byte_timeout_ms = config->gateway.first_byte_timeout_ms,
        .idle_timeout_ms = config->gateway.idle_timeout_ms,
        .total_timeout_ms = config->gateway.total_timeout_ms,
        .response_max = config->gateway.response_max,
        .key_calls_max = (uint32_t)config->connections_per_key,
    };
    for (size_t i = 0; i < config->providers_len; i++) {
        const struct config_provider *from = &config->providers[i];
        struct gateway_provider *to = &ret_gateway->providers[i];
        to->name = from->name;
        to->priced_as = from->priced_as[0] ? from->priced_as : NULL;
        to->family = dialect_family_at((size_t)from->dialect)->name;
        to->base_url = from->base_url;
        to->credential = from->api_key;
        to->wire = wire_of(from);
        to->models_len = (size_t)from->models_len;
        to->speaks = (uint64_t)from->speaks;
        to->weight = (uint32_t)from->weight;
        to->calls_max = (uint32_t)from->calls_max;
        to->requests_per_minute = (uint32_t)from->requests_per_minute;
        to->passes = from->passes;
        to->passes_len = (size_t)from->passes_len;
        memcpy(to->models, from->models, sizeof from->models);
    }
}

int config_limit(const struct config_budget *budget, struct config_limit *ret_limit)
{
    struct config_limit limit = {.meter = METE_COST};
    struct slice unit = slice_of(budget->unit);
    if (slice_is(unit, "tokens"))
        limit.meter = METE_TOTAL_TOKENS;
    else if (slice_is(unit, "requests"))
        limit.meter = METE_REQUESTS;
    else if (unit.len != 3)
        return METE_E_SYNTAX;
    for (size_t i = 0; limit.meter == METE_COST && i < 3; i++)
        if (unit.data[i] < 'A' || unit.data[i] > 'Z')
            return METE_E_SYNTAX;
    if (limit.meter == METE_COST)
        limit.currency = METE_CURRENCY(unit.data[0], unit.data[1], unit.data[2]);
    if (decimal_parse(slice_of(budget->amount), limit.meter == METE_COST ? 9 : 0, &limit.limit) ||
        limit.limit < 0 || limit.limit > METE_AMOUNT_MAX)
        return METE_E_SYNTAX;
    *ret_limit = limit;
    return 0;
}

static struct price_grade grade_of(const struct config_tier *tier)
{
    struct price_grade grade = pricing_grade((struct slice){0}, slice_of(tier->size));
    grade.quality = (uint16_t)tier->quality;
    return grade;
}

static bool has_piece(const struct config_tier *tier)
{
    for (int i = PRICE_IMAGE; i < PRICE_METERS; i++)
        if (tier->prices[i])
            return true;
    return false;
}

/* Of pieces of a grade: their prices and nothing else. */
static const char *wrong_grade(const struct config_tier *tier)
{
    if (tier->above || tier->service != PRICE_STANDARD)
        return " is of a quality or size, or of a length or service: not of both";
    if (grade_of(tier).width == PRICE_SIDE_ANY)
        return ".size must be WIDTHxHEIGHT, such as 1024x1792";
    for (int i = 0; i < PRICE_IMAGE; i++)
        if (tier->prices[i])
            return " of a quality or size has per_image or video_per_second only";
    return has_piece(tier) ? NULL : " of a quality or size needs per_image or video_per_second";
}

const char *config_wrong_tier(const struct config_cost *cost, const struct config_tier *tier)
{
    bool graded = tier->quality || *tier->size;
    if (graded && wrong_grade(tier))
        return wrong_grade(tier);
    if (!graded && !tier->above && tier->service == PRICE_STANDARD)
        return " needs above, a service, or both; or a quality or size";
    if (!graded && has_piece(tier))
        return " with per_image or video_per_second needs a quality or size";
    if (!graded && (!tier->prices[PRICE_INPUT] || !tier->prices[PRICE_OUTPUT]))
        return " needs input_per_million and output_per_million";
    for (int64_t i = 0; i < cost->tiers_len; i++) {
        const struct config_tier *other = &cost->tiers[i];
        if (other->above == tier->above && other->service == tier->service &&
            other->quality == tier->quality && !strcmp(other->size, tier->size))
            return ": this one stands here twice";
    }
    return NULL;
}

/* The tiers are put where they may stay as long as the row. */
static struct pricing_row row_of(const struct config_cost *cost,
                                 struct pricing_tier_row tiers[LIMIT_PRICE_TIERS])
{
    struct pricing_row row = {
        .name = slice_of(cost->model),
        .provider = slice_of(cost->provider),
        .currency = slice_of(cost->currency),
        .output_max = cost->output_max,
        .tiers = tiers,
        .tiers_len = (size_t)cost->tiers_len,
    };
    for (int i = 0; i < PRICE_METERS; i++)
        row.per_million[i] = slice_of(cost->prices[i]);
    for (size_t t = 0; t < row.tiers_len; t++) {
        tiers[t] = (struct pricing_tier_row){.above = cost->tiers[t].above,
                                             .service = (enum price_service)cost->tiers[t].service,
                                             .grade = grade_of(&cost->tiers[t])};
        for (int i = 0; i < PRICE_METERS; i++)
            tiers[t].per_million[i] = slice_of(cost->tiers[t].prices[i]);
    }
    return row;
}

/* A price a hundred times the built-in one, or a hundredth, is a confusion of units: per 1K quoted
 * as per 1M, dollars as cents. It is used as it stands, and said. */
static bool is_odd(const struct price_model *before, const struct price_model *after)
{
    for (int i = 0; i < PRICE_METERS; i++) {
        int128 old = before->prices[i].atto_per_million, now = after->prices[i].atto_per_million;
        if (old > 0 && now > 0 && (now / 100 >= old || old / 100 >= now))
            return true;
    }
    return false;
}

static int put_cost(struct pricing *pricing, const struct config_cost *cost, bool *ret_odd)
{
    struct slice name = slice_of(cost->model);
    const struct price_model *found = pricing_find(pricing, name);
    struct price_model before = {0};
    bool known = found && slice_equal(found->name, name);
    if (known)
        before = *found;
    struct pricing_tier_row tiers[LIMIT_PRICE_TIERS];
    struct pricing_row row = row_of(cost, tiers);
    int error = pricing_put(pricing, &row);
    found = error ? NULL : pricing_find(pricing, name);
    *ret_odd = known && found && is_odd(&before, found);
    return error;
}

int config_pricing(const struct config *config, struct pricing **ret_pricing,
                   void (*odd)(void *user, const struct config_cost *cost), void *user,
                   char ret_detail[512])
{
    struct pricing *pricing = NULL;
    int error = pricing_new(&pricing);
    snprintf(ret_detail, 512, "the prices: %s", mete_error_text(error));
    for (size_t i = 0; i < config->costs_len && !error; i++) {
        bool is = false;
        error = put_cost(pricing, &config->costs[i], &is);
        if (error)
            snprintf(ret_detail, 512, "line %d: model_costs.%.128s: %s", config->costs[i].line,
                     config->costs[i].model, mete_error_text(error));
        else if (is && odd)
            odd(user, &config->costs[i]);
    }
    if (!error && config->has_ceiling) {
        struct pricing_tier_row tiers[LIMIT_PRICE_TIERS];
        struct pricing_row row = row_of(&config->ceiling, tiers);
        error = pricing_set_ceiling(pricing, &row);
        snprintf(ret_detail, 512, "unpriced: %s", mete_error_text(error));
    }
    if (error) {
        pricing_free(pricing);
        return error;
    }
    *ret_pricing = pricing;
    return 0;
}

const char *config_trust(struct config *config, const char *const *ranges, size_t len)
{
    ASSERT(len <= LIMIT_TRUSTED_PROXIES);
    config->trusted_len = len;
    for (size_t i = 0; i < len; i++)
        if (address_range_parse(slice_of(ranges[i]), &config->trusted[i]))
            return ranges[i];
    return NULL;
}
