/* SPDX-License-Identifier: Apache-2.0
 * BY WEIGHT  each time the first is drawn by weight, then the next of those that are left.
 * SECOND TRIES  a bucket of a hundred that gets retry_percent of one for each first try: when a
 *   provider is down, retries do not multiply the load on those that are left. */
#include "gateway/providers.h"

#include "base/assert.h"
#include "dialect/neutral.h"
#include "directory/glob.h"

#include <stdio.h>
#include <stdlib.h>

enum { SECOND_TRIES_MAX = 100 * 100, RATE_BURST_S = 10 };

uint64_t providers_random(struct providers *providers)
{
    /* xorshift128+: for spreading and for span ids, not for secrets */
    uint64_t *s = providers->random, a = s[0], b = s[1];
    s[0] = b;
    a ^= a << 23;
    s[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
    return s[1] + b;
}

/* ---- Opening --------------------------------------------------------------------------------- */

/* Behind scheme and host; empty: the URL has no path. */
static struct slice path_of(struct slice url)
{
    const char *host = memmem(url.data, url.len, "://", 3);
    struct slice rest = slice_from(url, host ? (size_t)(host - url.data) + 3 : 0);
    const char *path = rest.len ? memchr(rest.data, '/', rest.len) : NULL;
    return path ? slice_from(rest, (size_t)(path - rest.data)) : (struct slice){0};
}

static int make_host(struct provider *provider, struct slice url)
{
    struct slice path = path_of(url);
    const char *host = memmem(url.data, url.len, "://", 3);
    size_t from = host ? (size_t)(host - url.data) + 3 : 0;
    struct slice at = slice_part(url, from, url.len - from - path.len);
    const char *colon = at.len ? memrchr(at.data, ':', at.len) : NULL;
    if (colon && memchr(colon, ']', at.len - (size_t)(colon - at.data)))
        colon = NULL; /* within an IPv6 address */
    provider->port = colon ? (int)strtol(colon + 1, NULL, 10) : 0;
    provider->host = strndup(at.data ? at.data : "", colon ? (size_t)(colon - at.data) : at.len);
    return provider->host ? 0 : METE_E_MEMORY;
}

static int make_base(struct provider *provider)
{
    const char *given = provider->config->base_url, *query = strchr(given, '?');
    struct slice url = {given, query ? (size_t)(query - given) : strlen(given)};
    while (url.len && url.data[url.len - 1] == '/')
        url.len--;
    const char *version =
        path_of(url).len || !provider->family->version ? "" : provider->family->version;
    if (asprintf(&provider->base, "%.*s%s", (int)url.len, url.data, version) < 0) {
        provider->base = NULL;
        return METE_E_MEMORY;
    }
    provider->query = query ? strdup(query + 1) : NULL;
    if (query && !provider->query)
        return METE_E_MEMORY;
    return make_host(provider, url);
}

static bool in_price_list(const struct pricing *pricing, struct slice provider)
{
    const struct price_model *each = pricing_next(pricing, (struct slice){0});
    while (each && !slice_equal(each->provider, provider))
        each = pricing_next(pricing, each->name);
    return each;
}

static int make_passes(struct provider *provider)
{
    const struct gateway_provider *config = provider->config;
    if (!config->passes_len)
        return 0;
    provider->passes = calloc(config->passes_len, sizeof *provider->passes);
    if (!provider->passes)
        return METE_E_MEMORY;
    for (size_t i = 0; i < config->passes_len; i++) {
        struct provider_pass *pass = &provider->passes[i];
        for (int meter = 0; meter < PRICE_METERS; meter++)
            pass->prices[meter].atto_per_million = -1;
        ASSERT_INV("INV-11", config->passes[i].price.atto_per_million > 0);
        pass->prices[PRICE_REQUEST] = config->passes[i].price;
        pass->price = (struct price_model){.name = slice_of(config->passes[i].path),
                                           .provider = provider->priced_as,
                                           .prices = pass->prices,
                                           .currency = config->passes[i].currency,
                                           .is_put = true};
    }
    return 0;
}

static int open_one(struct provider *provider, const struct gateway_provider *config,
                    const struct pricing *pricing)
{
    const char *secret = config->credential ? config->credential : "";
    provider->config = config;
    provider->family = dialect_family_find(slice_of(config->family ? config->family : "openai"));
    if (!provider->family)
        return METE_E_INVALID;
    provider->priced_as = slice_of(config->priced_as ? config->priced_as : config->name);
    provider->in_price_list = in_price_list(pricing, provider->priced_as);
    int rc = make_base(provider);
    if (!rc)
        rc = make_passes(provider);
    if (!rc && secret[0])
        rc = credential_new(slice_of(secret), &provider->credential);
    return rc;
}

int providers_open(struct providers *providers, const struct gateway_config *config,
                   const struct pricing *pricing, uint64_t seed)
{
    ASSERT(config->providers_len <= GATEWAY_PROVIDERS_MAX);
    *providers = (struct providers){.config = config,
                                    .random = {seed | 1, UINT64_C(0x9e3779b97f4a7c15)},
                                    .second_tries = SECOND_TRIES_MAX};
    int rc = 0;
    for (; providers->len < config->providers_len && !rc; providers->len++)
        rc = open_one(&providers->all[providers->len], &config->providers[providers->len], pricing);
    if (rc)
        providers_close(providers);
    return rc;
}

void providers_close(struct providers *providers)
{
    for (size_t i = 0; i < providers->len; i++) {
        struct provider *provider = &providers->all[i];
        ASSERT(!provider->open);
        free(provider->base);
        free(provider->query);
        free(provider->host);
        free(provider->passes);
        credential_let_go(provider->credential);
    }
    *providers = (struct providers){0};
}

/* ---- Who can be asked ------------------------------------------------------------------------ */

/* "GLOB", or "NAME=ITS NAME THERE". */
static bool answers(const struct gateway_provider *provider, struct slice model,
                    struct slice *ret_name)
{
    *ret_name = model;
    if (!provider->models_len)
        return true;
    for (size_t i = 0; i < provider->models_len; i++) {
        struct slice glob = slice_of(provider->models[i]);
        const char *there = glob.len ? memchr(glob.data, '=', glob.len) : NULL;
        if (there)
            glob.len = (size_t)(there - glob.data);
        if (!glob_matches(glob, model))
            continue;
        if (there)
            *ret_name = slice_of(there + 1);
        return true;
    }
    return false;
}

const struct provider *providers_named(const struct providers *providers, struct slice name)
{
    for (size_t i = 0; i < providers->len; i++)
        if (slice_is(name, providers->all[i].config->name))
            return &providers->all[i];
    return NULL;
}

bool providers_answers(const struct providers *providers, size_t at, struct slice model)
{
    struct slice there;
    return at < providers->len && !providers->all[at].disabled &&
           answers(providers->all[at].config, model, &there);
}

int providers_find(const struct providers *providers, struct slice model, struct slice *ret_name)
{
    for (size_t i = 0; i < providers->len; i++)
        if (!providers->all[i].disabled && answers(providers->all[i].config, model, ret_name))
            return (int)i;
    return -1;
}

/* Unless it is said that it does not, a provider speaks all of its family. */
static bool speaks(const struct provider *provider, const struct dialect *format)
{
    size_t i = 0;
    for (; dialect_at(i) != format; i++)
        ASSERT(dialect_at(i));
    return !provider->config->speaks || provider->config->speaks & UINT64_C(1) << i;
}

static const struct dialect *spoken(const struct provider *provider, const struct dialect *format)
{
    const struct dialect_family *family = provider->family;
    const struct dialect *chat =
        format->neutral && format->neutral->read_request ? family->chat : NULL;
    for (size_t i = 0; i < DIALECT_FAMILY_FORMATS && family->formats[i]; i++)
        if (family->formats[i] == format && speaks(provider, format))
            return format;
    return chat && chat != format && speaks(provider, chat) ? chat : NULL;
}

const struct price_model *providers_price(const struct provider *provider,
                                          const struct pricing *pricing, struct slice there,
                                          struct slice asked)
{
    const struct price_model *found = pricing_find_of(pricing, provider->priced_as, there);
    if (slice_equal(there, asked) || (found && !found->is_ceiling))
        return found;
    return pricing_find_of(pricing, provider->priced_as, asked);
}

const struct price_model *providers_price_of(const struct provider *provider,
                                             const struct pricing *pricing, struct slice asked)
{
    struct slice there;
    if (!answers(provider->config, asked, &there))
        return NULL;
    return providers_price(provider, pricing, there, asked);
}

static void swap(struct candidate *a, struct candidate *b)
{
    struct candidate c = *a;
    *a = *b;
    *b = c;
}

static void by_weight(struct providers *providers, struct candidates *candidates)
{
    for (size_t at = 0; at + 1 < candidates->len; at++) {
        uint64_t sum = 0;
        for (size_t i = at; i < candidates->len; i++)
            sum += (uint64_t)candidates->list[i].provider->config->weight;
        uint64_t drawn = sum ? providers_random(providers) % sum : 0;
        size_t i = at;
        for (; i + 1 < candidates->len; i++) {
            uint64_t weight = (uint64_t)candidates->list[i].provider->config->weight;
            if (drawn < weight)
                break;
            drawn -= weight;
        }
        swap(&candidates->list[at], &candidates->list[i]);
    }
}

/* Output counts four times: most of a bill is output. Equal ones stay in order. */
static int128 dearness(const struct candidate *candidate)
{
    const struct price *prices = candidate->price->prices;
    int128 sum = prices[PRICE_INPUT].atto_per_million + 4 * prices[PRICE_OUTPUT].atto_per_million;
    for (int meter = PRICE_IMAGE; meter < PRICE_METERS; meter++)
        sum += prices[meter].atto_per_million;
    return sum;
}

static void by_price(struct candidates *candidates)
{
    for (size_t at = 1; at < candidates->len; at++)
        for (size_t i = at;
             i && dearness(&candidates->list[i]) < dearness(&candidates->list[i - 1]); i--)
            swap(&candidates->list[i], &candidates->list[i - 1]);
}

void providers_choose(struct providers *providers, const struct pricing *pricing,
                      struct slice model, const struct dialect *format,
                      struct candidates *ret_candidates)
{
    struct candidates *c = ret_candidates;
    c->len = 0;
    c->answers = c->enabled = c->speaks = false;
    for (size_t i = 0; i < providers->len && c->len < PROVIDERS_CANDIDATES; i++) {
        struct candidate one = {.provider = &providers->all[i]};
        if (!answers(one.provider->config, model, &one.model))
            continue;
        c->answers = true;
        if (one.provider->disabled)
            continue;
        c->enabled = true;
        one.spoken = spoken(one.provider, format);
        if (!one.spoken)
            continue;
        c->speaks = true;
        one.price = providers_price(one.provider, pricing, one.model, model);
        if (one.price)
            c->list[c->len++] = one;
    }
    if (c->len > 1 && providers->config->choose == GATEWAY_BY_WEIGHT)
        by_weight(providers, c);
    else if (c->len > 1 && providers->config->choose == GATEWAY_BY_PRICE)
        by_price(c);
}

/* ---- What is let through --------------------------------------------------------------------- */

static const struct gateway_pass *find_pass(const struct provider *provider, struct slice path)
{
    for (size_t i = 0; i < provider->config->passes_len; i++)
        if (glob_matches(slice_of(provider->config->passes[i].path), path))
            return &provider->config->passes[i];
    return NULL;
}

const char *providers_pass_methods(const struct providers *providers, struct slice path)
{
    const struct gateway_pass *pass = NULL;
    for (size_t i = 0; i < providers->len && !pass; i++)
        pass = find_pass(&providers->all[i], path);
    return pass ? pass->methods : NULL;
}

void providers_pass(const struct providers *providers, struct slice path, struct slice model,
                    struct candidates *ret_candidates)
{
    ret_candidates->len = 0;
    ret_candidates->answers = ret_candidates->enabled = ret_candidates->speaks = false;
    for (size_t i = 0; i < providers->len; i++) {
        const struct provider *provider = &providers->all[i];
        const struct gateway_pass *pass = find_pass(provider, path);
        if (!pass)
            continue;
        ret_candidates->answers = true;
        if (provider->disabled)
            continue;
        const struct provider_pass *priced = &provider->passes[pass - provider->config->passes];
        ret_candidates->list[0] =
            (struct candidate){provider, dialect_pass(), &priced->price, model};
        ret_candidates->len = 1;
        ret_candidates->enabled = ret_candidates->speaks = true;
        return;
    }
}

/* ---- Who is asked now ------------------------------------------------------------------------ */

static struct provider *mine(struct providers *providers, const struct provider *provider)
{
    return &providers->all[provider - providers->all];
}

/* True: the rate has room, and is used. */
static bool take_rate(struct provider *p, int64_t now_us, int64_t *ret_wait_us)
{
    if (!p->config->requests_per_minute)
        return true;
    int64_t each_us = max_i64(60 * INT64_C(1000000) / p->config->requests_per_minute, 1);
    int64_t burst_us = max_i64(RATE_BURST_S * INT64_C(1000000), each_us);
    int64_t next_us = max_i64(p->rate_us, now_us) + each_us;
    if (next_us - now_us > burst_us) {
        *ret_wait_us = next_us - now_us - burst_us;
        return false;
    }
    p->rate_us = next_us;
    return true;
}

bool providers_take(struct providers *providers, const struct provider *provider, int64_t now_us,
                    int64_t *ret_wait_us)
{
    struct provider *p = mine(providers, provider);
    if (p->disabled) {
        *ret_wait_us = providers->config->breaker_pause_ms * 1000;
        return false;
    }
    if (p->until_us > now_us) {
        *ret_wait_us = p->until_us - now_us;
        return false;
    }
    if ((p->config->calls_max && p->open >= p->config->calls_max) ||
        (p->health == PROVIDER_TRYING && p->open)) {
        *ret_wait_us = 1000000;
        return false;
    }
    if (!take_rate(p, now_us, ret_wait_us))
        return false;
    if (p->health == PROVIDER_OPEN)
        p->health = PROVIDER_TRYING;
    p->until_us = 0;
    p->open++;
    p->asked++;
    return true;
}

static void open_circuit(const struct providers *providers, struct provider *p, int64_t now_us)
{
    if (p->health != PROVIDER_OPEN)
        p->opened++;
    p->health = PROVIDER_OPEN;
    p->until_us = now_us + providers->config->breaker_pause_ms * 1000;
}

void providers_give(struct providers *providers, const struct provider *provider,
                    enum provider_outcome outcome, int64_t rests_us, int64_t now_us)
{
    struct provider *p = mine(providers, provider);
    uint32_t most = providers->config->breaker_failures;
    ASSERT(p->open > 0);
    p->open--;
    switch (outcome) {
    case PROVIDER_ANSWERED:
        p->health = PROVIDER_CLOSED;
        p->failures = 0;
        break;
    case PROVIDER_FAILED:
        p->failed++;
        p->failures += p->failures < UINT32_MAX;
        if (most && (p->health == PROVIDER_TRYING || p->failures >= most))
            open_circuit(providers, p, now_us);
        break;
    case PROVIDER_RESTS:
        p->until_us = now_us + min_i64(rests_us, providers->config->breaker_pause_ms * 1000);
        break;
    case PROVIDER_SAID_NOTHING:
        break;
    }
}

void providers_enable(struct providers *providers, size_t at, bool enabled)
{
    ASSERT(at < providers->len);
    providers->all[at].disabled = !enabled;
}

void providers_blame(struct providers *providers, const struct provider *provider,
                     enum provider_fault fault, int status, int64_t now_us)
{
    struct provider *p = mine(providers, provider);
    p->fault = fault;
    p->fault_status = fault == PROVIDER_BAD_STATUS ? status : 0;
    p->fault_us = now_us;
}

void providers_first_try(struct providers *providers)
{
    uint32_t more = providers->second_tries + providers->config->retry_percent;
    providers->second_tries = more < SECOND_TRIES_MAX ? more : SECOND_TRIES_MAX;
}

bool providers_second_try(struct providers *providers)
{
    if (providers->second_tries < 100)
        return false;
    providers->second_tries -= 100;
    return true;
}
