/* SPDX-License-Identifier: Apache-2.0
 * The file is read whole into libyaml's document and walked once, mapping by mapping, each key
 * looked up in the table: the walk is as deep as the table, whatever the file does. Scalars are
 * texts here, whatever YAML would make of them: 0.1 stays "0.1".
 *
 * Not done: merge keys (<<), several documents, a tag that means anything. */
#include "server/config.h"

#include "base/assert.h"
#include "base/buffer.h"
#include "dialect/dialect.h"
#include "server/config_value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

enum { FILE_MAX = 4 * 1024 * 1024, SCALAR_MAX = 16384 };

#define SECTIONS                                                                                   \
    AT(TOP, "")                                                                                    \
    AT(PROVIDER, "providers[].")                                                                   \
    AT(ENCODING, "encodings[].")                                                                   \
    AT(COST, "model_costs.*.")                                                                     \
    AT(GATEWAY, "gateway.")                                                                        \
    AT(LIMITS, "limits.")                                                                          \
    AT(TLS, "tls.") AT(LOG, "log.") AT(RETENTION, "retention.") AT(POLICY, "policy.")              \
        AT(BUDGET, "policy.budgets[].") AT(TIER, "model_costs.*.tiers[].")                         \
            AT(COST_CONTROL, "cost_control.") AT(STORAGE, "storage.")                              \
                AT(PASS, "providers[].pass_through[].")

#define AT(section, name) AT_##section,
enum section { SECTIONS };
#undef AT

struct row {
    enum section section;
    const char *key;
    enum config_type type;
    size_t offset;
    const char *standard; /* the default */
    int64_t min, max;
};

#define OFFSET_TOP(field) offsetof(struct config, field)
#define OFFSET_GATEWAY(field) offsetof(struct config, field)
#define OFFSET_LIMITS(field) offsetof(struct config, field)
#define OFFSET_TLS(field) offsetof(struct config, field)
#define OFFSET_LOG(field) offsetof(struct config, field)
#define OFFSET_RETENTION(field) offsetof(struct config, field)
#define OFFSET_POLICY(field) offsetof(struct config, field)
#define OFFSET_COST_CONTROL(field) offsetof(struct config, field)
#define OFFSET_STORAGE(field) offsetof(struct config, field)
#define OFFSET_BUDGET(field) offsetof(struct config_budget, field)
#define OFFSET_PROVIDER(field) offsetof(struct config_provider, field)
#define OFFSET_ENCODING(field) offsetof(struct config_encoding, field)
#define OFFSET_COST(field) offsetof(struct config_cost, field)
#define OFFSET_PASS(field) offsetof(struct config_pass, field)
#define OFFSET_TIER(field) offsetof(struct config_tier, field)
#define ROW(section, key, field, type, standard, min, max, text)                                   \
    {AT_##section, #key, CONFIG_##type, OFFSET_##section(field), standard, min, max},
static const struct row table[] = {
#include "tables/config.h"
};
enum { ROWS = sizeof table / sizeof table[0] };

#define AT(section, name) name,
static const char *const section_names[] = {SECTIONS};
#undef AT

struct config_text {
    struct config_text *next;
    char text[];
};

struct reader {
    const char *name;
    yaml_document_t document;
    struct config *config;
    char *detail; /* 512 */
};

/* ---- Helpers --------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static int
wrong(struct reader *reader, const yaml_node_t *node, const char *format, ...)
{
    va_list args;
    int at = 0;
    if (node)
        at = snprintf(reader->detail, 512, "%.200s:%zu:%zu: ", reader->name,
                      node->start_mark.line + 1, node->start_mark.column + 1);
    va_start(args, format);
    vsnprintf(reader->detail + at, 512 - (size_t)at, format, args);
    va_end(args);
    return METE_E_SYNTAX;
}

static const char *keep(struct config *config, struct slice bytes)
{
    struct config_text *text = malloc(sizeof *text + bytes.len + 1);
    if (!text)
        return NULL;
    if (bytes.len)
        memcpy(text->text, bytes.data, bytes.len);
    text->text[bytes.len] = 0;
    text->next = config->texts;
    config->texts = text;
    return text->text;
}

static struct slice scalar(const yaml_node_t *node)
{
    return (struct slice){(const char *)node->data.scalar.value, node->data.scalar.length};
}

/* "${NAME}" at the front of rest: its value, and rest moves past it. */
static int expand_one(struct reader *reader, const yaml_node_t *node, struct slice *rest,
                      struct buffer *out)
{
    char name[128];
    const char *end = memchr(rest->data, '}', rest->len);
    size_t len = end ? (size_t)(end - rest->data) - 2 : 0;
    if (!end || len == 0 || len >= sizeof name)
        return wrong(reader, node, "${ without a name and a }");
    memcpy(name, rest->data + 2, len);
    name[len] = 0;
    const char *value = getenv(name);
    if (!value)
        return wrong(reader, node, "the environment has no %s", name);
    *rest = slice_from(*rest, len + 3);
    return buffer_text(out, value);
}

/* The scalar's text, with ${NAME} expanded, kept with the configuration. */
static int expanded(struct reader *reader, const yaml_node_t *node, const char **ret_text)
{
    struct slice rest = scalar(node);
    struct buffer out;
    buffer_init(&out, SCALAR_MAX);
    int error = 0;
    while (rest.len && !error) {
        if (rest.len > 1 && rest.data[0] == '$' && rest.data[1] == '{') {
            error = expand_one(reader, node, &rest, &out);
        } else {
            error = buffer_append(&out, slice_part(rest, 0, 1));
            rest = slice_from(rest, 1);
        }
    }
    if (error == METE_E_TOO_LARGE)
        error = wrong(reader, node, "longer than %d bytes", SCALAR_MAX);
    if (!error && out.len && memchr(out.data, 0, out.len))
        error = wrong(reader, node, "a NUL byte");
    const char *text = error ? NULL : keep(reader->config, buffer_slice(&out));
    buffer_done(&out);
    if (!error && !text)
        error = METE_E_MEMORY;
    if (!error)
        *ret_text = text;
    return error;
}

static const struct row *row_find(enum section section, struct slice key)
{
    for (size_t i = 0; i < ROWS; i++)
        if (table[i].section == section && slice_is(key, table[i].key))
            return &table[i];
    return NULL;
}

/* ---- Scalars --------------------------------------------------------------------------------- */

static void put_text(void *base, const struct row *row, const char *text)
{
    memcpy((char *)base + row->offset, &text, sizeof text);
}

static void put_number(void *base, const struct row *row, int64_t value)
{
    memcpy((char *)base + row->offset, &value, sizeof value);
}

static int set_text(struct reader *reader, const yaml_node_t *node, const struct row *row,
                    const char *text, void *base)
{
    int64_t len = (int64_t)strlen(text);
    if (len < row->min || len > row->max)
        return wrong(reader, node, "%s%s must have %lld to %lld bytes", section_names[row->section],
                     row->key, (long long)row->min, (long long)row->max);
    put_text(base, row, text);
    return 0;
}

static int set_price(struct reader *reader, const yaml_node_t *node, const struct row *row,
                     const char *text, void *base)
{
    char room[64];
    const char *before;
    memcpy(&before, (char *)base + row->offset, sizeof before);
    if (before)
        return wrong(reader, node, "%s%s: this price is given twice", section_names[row->section],
                     row->key);
    if (config_price(row->type, slice_of(text), room))
        return wrong(reader, node, "%s%s must be a decimal, not negative, such as 0.15",
                     section_names[row->section], row->key);
    const char *kept = keep(reader->config, slice_of(room));
    if (!kept)
        return METE_E_MEMORY;
    put_text(base, row, kept);
    return 0;
}

static int set_number(struct reader *reader, const yaml_node_t *node, const struct row *row,
                      const char *text, void *base)
{
    int64_t value = 0;
    const char *wanted = "";
    if (config_value(row->type, slice_of(text), &value, &wanted))
        return wrong(reader, node, "%s%s must be %s", section_names[row->section], row->key,
                     wanted);
    if (row->max > row->min && (value < row->min || value > row->max))
        return wrong(reader, node, "%s%s must be from %lld to %lld%s", section_names[row->section],
                     row->key, (long long)row->min, (long long)row->max,
                     row->type == CONFIG_DURATION ? " ms" : "");
    put_number(base, row, value);
    return 0;
}

static int set_scalar(struct reader *reader, const yaml_node_t *node, const struct row *row,
                      const char *text, void *base)
{
    if (row->type == CONFIG_TEXT)
        return set_text(reader, node, row, text, base);
    if (row->type == CONFIG_PRICE || row->type == CONFIG_PRICE_1K || row->type == CONFIG_PRICE_EACH)
        return set_price(reader, node, row, text, base);
    return set_number(reader, node, row, text, base);
}

static int set_defaults(struct reader *reader, enum section section, void *base)
{
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *row = &table[i];
        if (row->section != section || !row->standard || row->type >= CONFIG_PROVIDERS)
            continue;
        int error = set_scalar(reader, NULL, row, row->standard, base);
        ASSERT(error != METE_E_SYNTAX); /* the table's own defaults */
        if (error)
            return error;
    }
    return 0;
}

/* ---- Structure ------------------------------------------------------------------------------- */

static int read_value(struct reader *reader, const yaml_node_t *node, const struct row *row,
                      void *base);

static int read_mapping(struct reader *reader, const yaml_node_t *node, enum section section,
                        void *base)
{
    bool seen[ROWS] = {false};
    if (node->type != YAML_MAPPING_NODE)
        return wrong(reader, node, "expected keys and values here (%.*s)",
                     (int)strlen(section_names[section]), section_names[section]);
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_document_get_node(&reader->document, pair->key);
        yaml_node_t *value = yaml_document_get_node(&reader->document, pair->value);
        if (key->type != YAML_SCALAR_NODE)
            return wrong(reader, key, "a key must be a word");
        const struct row *row = row_find(section, scalar(key));
        if (!row)
            return wrong(reader, key, "%s%.*s: there is no such key", section_names[section],
                         (int)(key->data.scalar.length > 64 ? 64 : key->data.scalar.length),
                         (const char *)key->data.scalar.value);
        if (seen[row - table])
            return wrong(reader, key, "%s%s stands here twice", section_names[section], row->key);
        seen[row - table] = true;
        int error = read_value(reader, value, row, base);
        if (error)
            return error;
    }
    return 0;
}

/* Texts, at most max of them. */
static int read_texts(struct reader *reader, const yaml_node_t *node, const struct row *row,
                      const char **texts, int64_t *len, int64_t max)
{
    const char *place = section_names[row->section];
    if (node->type != YAML_SEQUENCE_NODE)
        return wrong(reader, node, "%s%s must be a list such as [\"gpt-*\"]", place, row->key);
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        yaml_node_t *each = yaml_document_get_node(&reader->document, *item);
        const char *text = NULL;
        if (each->type != YAML_SCALAR_NODE)
            return wrong(reader, each, "%s%s: each must be a text", place, row->key);
        if (*len == max)
            return wrong(reader, each, "%s%s: at most %lld", place, row->key, (long long)max);
        int error = expanded(reader, each, &text);
        if (error)
            return error;
        if ((int64_t)strlen(text) < row->min || (int64_t)strlen(text) > row->max)
            return wrong(reader, each, "%s%s: 1 to %lld bytes", place, row->key,
                         (long long)row->max);
        texts[(*len)++] = text;
    }
    return 0;
}

static int read_ranges(struct reader *reader, const yaml_node_t *node, const struct row *row)
{
    const char *texts[LIMIT_TRUSTED_PROXIES];
    int64_t len = 0;
    int error = read_texts(reader, node, row, texts, &len, LIMIT_TRUSTED_PROXIES);
    const char *bad = error ? NULL : config_trust(reader->config, texts, (size_t)len);
    return bad ? wrong(reader, node, "trusted_proxies: %.64s is no range", bad) : error;
}

static int read_formats(struct reader *reader, const yaml_node_t *node,
                        struct config_provider *provider)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return wrong(reader, node, "providers[].speaks must be a list such as [chat, embeddings]");
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        yaml_node_t *each = yaml_document_get_node(&reader->document, *item);
        const char *text = NULL;
        int error = each->type == YAML_SCALAR_NODE ? expanded(reader, each, &text) : 0;
        if (error)
            return error;
        int format = text ? dialect_named(slice_of(text)) : -1;
        if (format < 0)
            return wrong(reader, each,
                         "providers[].speaks: each must be a format of "
                         "docs/dialects.md, such as chat or responses");
        provider->speaks |= INT64_C(1) << format;
    }
    return 0;
}

static int read_passes(struct reader *reader, const yaml_node_t *node,
                       struct config_provider *provider)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return wrong(reader, node, "providers[].pass_through must be a list");
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        yaml_node_t *each = yaml_document_get_node(&reader->document, *item);
        struct config_pass pass = {0};
        int error = set_defaults(reader, AT_PASS, &pass);
        if (!error)
            error = read_mapping(reader, each, AT_PASS, &pass);
        if (error)
            return error;
        const char *fault = config_add_pass(provider, &pass);
        if (fault)
            return wrong(reader, each, "providers[].pass_through[]%s", fault);
    }
    return 0;
}

static int check_provider(struct reader *reader, const yaml_node_t *node,
                          struct config_provider *provider)
{
    const struct config *config = reader->config;
    if (!provider->name)
        return wrong(reader, node, "providers[].name is missing");
    if (!provider->base_url)
        return wrong(reader, node, "providers[].base_url is missing");
    const char *why, *key = config_wrong_wire(provider, &why);
    if (key)
        return wrong(reader, node, "providers[].%s %s", key, why);
    for (size_t i = 0; i < config->providers_len; i++)
        if (strcmp(config->providers[i].name, provider->name) == 0)
            return wrong(reader, node, "providers[].name: %s is there twice", provider->name);
    struct slice url = slice_of(provider->base_url);
    while (url.len && url.data[url.len - 1] == '/')
        url.len--;
    provider->base_url = keep(reader->config, url);
    return provider->base_url ? 0 : METE_E_MEMORY;
}

static int read_provider(struct reader *reader, const yaml_node_t *node)
{
    struct config *config = reader->config;
    if (config->providers_len == GATEWAY_PROVIDERS_MAX)
        return wrong(reader, node, "providers: at most %d", GATEWAY_PROVIDERS_MAX);
    struct config_provider provider = {0};
    int error = set_defaults(reader, AT_PROVIDER, &provider);
    if (!error)
        error = read_mapping(reader, node, AT_PROVIDER, &provider);
    if (!error)
        error = check_provider(reader, node, &provider);
    if (!error)
        config->providers[config->providers_len++] = provider;
    return error;
}

static int read_providers(struct reader *reader, const yaml_node_t *node)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return wrong(reader, node, "providers must be a list");
    int error = 0;
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top && !error; item++)
        error = read_provider(reader, yaml_document_get_node(&reader->document, *item));
    return error;
}

static int read_tier(struct reader *reader, const yaml_node_t *node, struct config_cost *cost)
{
    if (cost->tiers_len == LIMIT_PRICE_TIERS)
        return wrong(reader, node, "model_costs.*.tiers: at most %d", LIMIT_PRICE_TIERS);
    struct config_tier *tier = &cost->tiers[cost->tiers_len];
    int error = set_defaults(reader, AT_TIER, tier);
    if (!error)
        error = read_mapping(reader, node, AT_TIER, tier);
    if (error)
        return error;
    const char *fault = config_wrong_tier(cost, tier);
    if (fault)
        return wrong(reader, node, "model_costs.*.tiers[]%s", fault);
    cost->tiers_len++;
    return 0;
}

static int read_tiers(struct reader *reader, const yaml_node_t *node, struct config_cost *cost)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return wrong(reader, node, "model_costs.*.tiers must be a list");
    int error = 0;
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top && !error; item++)
        error = read_tier(reader, yaml_document_get_node(&reader->document, *item), cost);
    return error;
}

static int read_cost(struct reader *reader, const yaml_node_t *name, const yaml_node_t *node)
{
    struct config *config = reader->config;
    if (name->type != YAML_SCALAR_NODE || name->data.scalar.length == 0 ||
        name->data.scalar.length > 128)
        return wrong(reader, name, "model_costs: a model's name has 1 to 128 bytes");
    struct config_cost *cost = &config->costs[config->costs_len];
    *cost = (struct config_cost){.line = (int)name->start_mark.line + 1};
    cost->model = keep(config, scalar(name));
    if (!cost->model)
        return METE_E_MEMORY;
    for (size_t i = 0; i < config->costs_len; i++)
        if (strcmp(config->costs[i].model, cost->model) == 0)
            return wrong(reader, name, "model_costs.%s stands here twice", cost->model);
    int error = set_defaults(reader, AT_COST, cost);
    if (!error)
        error = read_mapping(reader, node, AT_COST, cost);
    if (!error)
        config->costs_len++;
    return error;
}

static int read_costs(struct reader *reader, const yaml_node_t *node)
{
    struct config *config = reader->config;
    if (node->type != YAML_MAPPING_NODE)
        return wrong(reader, node, "model_costs must map models to prices");
    size_t len = (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
    if (config->costs_len + len > CONFIG_COSTS_MAX)
        return wrong(reader, node, "model_costs: at most %d models", CONFIG_COSTS_MAX);
    size_t room = config->costs_len + (len ? len : 1);
    struct config_cost *costs = realloc(config->costs, room * sizeof *costs);
    if (!costs)
        return METE_E_MEMORY;
    config->costs = costs;
    int error = 0;
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top && !error; pair++)
        error = read_cost(reader, yaml_document_get_node(&reader->document, pair->key),
                          yaml_document_get_node(&reader->document, pair->value));
    return error;
}

static int read_unpriced(struct reader *reader, const yaml_node_t *node)
{
    struct config *config = reader->config;
    if (node->type == YAML_SCALAR_NODE && slice_is(scalar(node), "deny"))
        return 0;
    if (node->type != YAML_MAPPING_NODE)
        return wrong(reader, node, "unpriced must be deny or a mapping with prices");
    int error = set_defaults(reader, AT_COST, &config->ceiling);
    if (!error)
        error = read_mapping(reader, node, AT_COST, &config->ceiling);
    if (error)
        return error;
    if (!config->ceiling.prices[PRICE_INPUT] || !config->ceiling.prices[PRICE_OUTPUT])
        return wrong(reader, node, "unpriced needs input_per_million and output_per_million");
    config->has_ceiling = true;
    return 0;
}

static int read_budget(struct reader *reader, const yaml_node_t *node)
{
    struct config *config = reader->config;
    struct config_budget budget = {0};
    struct config_limit limit;
    if (config->policy.budgets_len == CONFIG_BUDGETS_MAX)
        return wrong(reader, node, "policy.budgets: at most %d", CONFIG_BUDGETS_MAX);
    int error = set_defaults(reader, AT_BUDGET, &budget);
    if (!error)
        error = read_mapping(reader, node, AT_BUDGET, &budget);
    if (error)
        return error;
    if (!budget.amount)
        return wrong(reader, node, "policy.budgets[].amount is missing");
    if (config_limit(&budget, &limit))
        return wrong(reader, node, "policy.budgets[]: %s %s is no amount to limit", budget.amount,
                     budget.unit);
    config->policy.budgets[config->policy.budgets_len++] = budget;
    return 0;
}

static int read_budgets(struct reader *reader, const yaml_node_t *node)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return wrong(reader, node, "policy.budgets must be a list");
    int error = 0;
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top && !error; item++)
        error = read_budget(reader, yaml_document_get_node(&reader->document, *item));
    return error;
}

static int read_encoding(struct reader *reader, const yaml_node_t *node)
{
    struct config *config = reader->config;
    char why[IMPORT_WHY];
    if (config->encodings_len == LIMIT_ENCODINGS)
        return wrong(reader, node, "encodings: at most %d", LIMIT_ENCODINGS);
    struct config_encoding encoding = {0};
    int error = set_defaults(reader, AT_ENCODING, &encoding);
    if (!error)
        error = read_mapping(reader, node, AT_ENCODING, &encoding);
    if (error)
        return error;
    if (!encoding.name || !encoding.file)
        return wrong(reader, node, "encodings[].%s is missing", encoding.name ? "file" : "name");
    bool taken = encoding_find(slice_of(encoding.name)) != NULL;
    for (size_t i = 0; i < config->encodings_len; i++)
        taken = taken || strcmp(config->encodings[i].name, encoding.name) == 0;
    if (taken)
        return wrong(reader, node, "encodings[].name: %s is there already", encoding.name);
    error = config_encoding_read(&encoding, why);
    if (error == METE_E_SYNTAX)
        return wrong(reader, node, "encodings[].file: %.200s: %s", encoding.file, why);
    if (!error)
        config->encodings[config->encodings_len++] = encoding;
    return error;
}

static int read_encodings(struct reader *reader, const yaml_node_t *node)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return wrong(reader, node, "encodings must be a list");
    int error = 0;
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top && !error; item++)
        error = read_encoding(reader, yaml_document_get_node(&reader->document, *item));
    return error;
}

static int read_tls(struct reader *reader, const yaml_node_t *node)
{
    const struct config *config = reader->config;
    int error = read_mapping(reader, node, AT_TLS, reader->config);
    if (!error && (!*config->tls.certificate || !*config->tls.key))
        return wrong(reader, node, "tls needs certificate and key");
    return error;
}

/* Whatever is in it is not looked at, nor are its variables needed. */
static int read_later(struct reader *reader, const struct row *row)
{
    struct config *config = reader->config;
    char name[64];
    int len = snprintf(name, sizeof name, "%s%s", section_names[row->section], row->key);
    ASSERT(config->later_len < CONFIG_LATER_MAX); /* each row once */
    const char *kept = keep(config, (struct slice){name, (size_t)len});
    if (!kept)
        return METE_E_MEMORY;
    config->later[config->later_len++] = kept;
    return 0;
}

static int read_value(struct reader *reader, const yaml_node_t *node, const struct row *row,
                      void *base)
{
    const char *text = NULL;
    switch ((int)row->type) {
    case CONFIG_PROVIDERS:
        return read_providers(reader, node);
    case CONFIG_ENCODINGS:
        return read_encodings(reader, node);
    case CONFIG_PREFIXES:
        return read_texts(reader, node, row, ((struct config_encoding *)base)->models,
                          &((struct config_encoding *)base)->models_len, CONFIG_PREFIXES_MAX);
    case CONFIG_COSTS:
        return read_costs(reader, node);
    case CONFIG_UNPRICED:
        return read_unpriced(reader, node);
    case CONFIG_TIERS:
        return read_tiers(reader, node, base);
    case CONFIG_PASSES:
        return read_passes(reader, node, base);
    case CONFIG_RANGES:
        return read_ranges(reader, node, row);
    case CONFIG_METHODS:
        return read_texts(reader, node, row, ((struct config_pass *)base)->methods,
                          &((struct config_pass *)base)->methods_len, CONFIG_METHODS_MAX);
    case CONFIG_GLOBS:
        return read_texts(reader, node, row, ((struct config_provider *)base)->models,
                          &((struct config_provider *)base)->models_len, GATEWAY_GLOBS_MAX);
    case CONFIG_FORMATS:
        return read_formats(reader, node, base);
    case CONFIG_SECTION_GATEWAY:
        return read_mapping(reader, node, AT_GATEWAY, base);
    case CONFIG_SECTION_LIMITS:
        return read_mapping(reader, node, AT_LIMITS, base);
    case CONFIG_SECTION_TLS:
        return read_tls(reader, node);
    case CONFIG_SECTION_LOG:
        return read_mapping(reader, node, AT_LOG, base);
    case CONFIG_SECTION_RETENTION:
        return read_mapping(reader, node, AT_RETENTION, base);
    case CONFIG_SECTION_POLICY:
        return read_mapping(reader, node, AT_POLICY, base);
    case CONFIG_SECTION_COST_CONTROL:
        return read_mapping(reader, node, AT_COST_CONTROL, base);
    case CONFIG_SECTION_STORAGE:
        return read_mapping(reader, node, AT_STORAGE, base);
    case CONFIG_LATER:
        return read_later(reader, row);
    case CONFIG_BUDGETS:
        return read_budgets(reader, node);
    default:
        break;
    }
    if (node->type != YAML_SCALAR_NODE)
        return wrong(reader, node, "%s%s must be a single value", section_names[row->section],
                     row->key);
    int error = expanded(reader, node, &text);
    return error ? error : set_scalar(reader, node, row, text, base);
}

/* ---- Loading --------------------------------------------------------------------------------- */

/* What the environment gives where the file says nothing. */
static int fill_from_environment(struct reader *reader)
{
    struct config *config = reader->config;
    const char *data = getenv("METE_DATA"), *key = getenv("OPENAI_API_KEY");
    const char *url = getenv("OPENAI_BASE_URL"), *seal = getenv("METE_SEALING_KEY_FILE");
    if (!config->sealing_key_file)
        config->sealing_key_file = keep(config, slice_of(seal ? seal : ""));
    if (!config->data)
        config->data = keep(config, slice_of(data && *data ? data : "mete-data"));
    if (!config->data || !config->sealing_key_file)
        return METE_E_MEMORY;
    if (config->providers_len || !key || !*key)
        return 0;
    struct config_provider provider = {0};
    int error = set_defaults(reader, AT_PROVIDER, &provider);
    provider.name = "openai";
    provider.api_key = keep(config, slice_of(key));
    provider.base_url = keep(config, slice_of(url && *url ? url : "https://api.openai.com/v1"));
    if (error || !provider.api_key || !provider.base_url)
        return METE_E_MEMORY;
    error = check_provider(reader, NULL, &provider);
    if (!error)
        config->providers[config->providers_len++] = provider;
    return error;
}

static int read_document(struct reader *reader, yaml_parser_t *parser)
{
    yaml_document_t more;
    yaml_node_t *root = yaml_document_get_root_node(&reader->document);
    if (!root)
        return 0; /* empty */
    int error = read_mapping(reader, root, AT_TOP, reader->config);
    if (error)
        return error;
    if (!yaml_parser_load(parser, &more))
        return wrong(reader, NULL, "%.200s:%zu: %s", reader->name, parser->problem_mark.line + 1,
                     parser->problem ? parser->problem : "not YAML");
    if (yaml_document_get_root_node(&more))
        error = wrong(reader, NULL, "%.200s: more than one document", reader->name);
    yaml_document_delete(&more);
    return error;
}

static int read_text(struct reader *reader, struct slice text)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return METE_E_MEMORY;
    yaml_parser_set_input_string(&parser, (const unsigned char *)(text.len ? text.data : ""),
                                 text.len);
    int error = 0;
    if (yaml_parser_load(&parser, &reader->document)) {
        error = read_document(reader, &parser);
        yaml_document_delete(&reader->document);
    } else {
        error =
            wrong(reader, NULL, "%.200s:%zu:%zu: %s", reader->name, parser.problem_mark.line + 1,
                  parser.problem_mark.column + 1, parser.problem ? parser.problem : "not YAML");
    }
    yaml_parser_delete(&parser);
    return error;
}

int config_parse(const char *name, struct slice text, struct config **ret_config,
                 char ret_detail[512])
{
    struct config *config = calloc(1, sizeof *config);
    struct reader reader = {.name = name, .config = config, .detail = ret_detail};
    snprintf(ret_detail, 512, "out of memory");
    if (!config)
        return METE_E_MEMORY;
    static const enum section whole[] = {AT_TOP, AT_GATEWAY,   AT_LIMITS, AT_TLS,
                                         AT_LOG, AT_RETENTION, AT_POLICY};
    int error = 0;
    for (size_t i = 0; i < sizeof whole / sizeof whole[0] && !error; i++)
        error = set_defaults(&reader, whole[i], config);
    if (!error)
        error = read_text(&reader, text);
    if (!error)
        error = fill_from_environment(&reader);
    if (error) {
        config_free(config);
        return error;
    }
    *ret_config = config;
    return 0;
}

static int file_read(const char *file, struct buffer *text, char ret_detail[512])
{
    char *at = NULL;
    FILE *stream = fopen(file, "rb");
    int error = stream ? 0 : METE_E_STORAGE;
    size_t got = 1;
    while (!error && got > 0) {
        error = buffer_reserve(text, 4096, &at);
        got = error ? 0 : fread(at, 1, 4096, stream);
        if (!error)
            buffer_advance(text, got);
    }
    if (stream && ferror(stream))
        error = METE_E_STORAGE;
    if (error)
        snprintf(ret_detail, 512, "%.200s: %s", file,
                 error == METE_E_TOO_LARGE ? "too large" : strerror(errno ? errno : EIO));
    if (stream)
        fclose(stream);
    return error;
}

int config_load(const char *file, struct config **ret_config, char ret_detail[512])
{
    struct buffer text;
    buffer_init(&text, FILE_MAX);
    errno = 0;
    int error = file ? file_read(file, &text, ret_detail) : 0;
    if (!error)
        error =
            config_parse(file ? file : "(defaults)", buffer_slice(&text), ret_config, ret_detail);
    buffer_done(&text);
    return error;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    while (config->texts) {
        struct config_text *next = config->texts->next;
        free(config->texts);
        config->texts = next;
    }
    for (size_t i = 0; i < config->encodings_len; i++)
        import_free(config->encodings[i].encoding);
    free(config->costs);
    free(config);
}
