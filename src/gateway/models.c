/* SPDX-License-Identifier: Apache-2.0
 * GET /v1/models: the models of the price list that a provider here answers and the key may use,
 * in OpenAI's shape. What is listed can be called; not all that can be called is listed: a provider
 * without globs may answer anything. What is unpriced is not listed, unless a provider names it
 * outright and the ceiling prices it (INV-11).
 * "created" is 0: price lists do not say. "owned_by" is the price list's provider. */
#include "gateway/inside.h"

enum { ANSWER_MAX = 8 * 1024 * 1024, ID_ROOM = 3 * LIMIT_ID };

static int write_model(struct buffer *out, struct slice name, struct slice owner)
{
    int rc = buffer_text(out, "{\"id\":");
    if (!rc)
        rc = json_quote(out, name);
    if (!rc)
        rc = buffer_text(out, ",\"object\":\"model\",\"created\":0,\"owned_by\":");
    if (!rc)
        rc = json_quote(out, owner);
    return rc ? rc : buffer_text(out, "}");
}

/* Who asks, and by which prices. */
struct asker {
    const struct gateway *gateway;
    const struct directory_key *key;
    const struct pricing *pricing;
};

/* Of an alias what it is another name of. False: the model is disabled. */
bool models_real(const struct gateway *gateway, struct slice *model)
{
    const struct models *models = gateway->parts.models;
    const struct model *said = models ? models_find(models, *model) : NULL;
    if (said && !said->disabled && said->alias_len) {
        *model = model_alias(said);
        said = models_find(models, *model);
    }
    return !said || !said->disabled;
}

static bool usable(const struct asker *asker, struct slice model, struct slice *ret_owner)
{
    const struct gateway *gateway = asker->gateway;
    struct slice there, real = model;
    if (!directory_allows_model(asker->key, model) || !models_real(gateway, &real))
        return false;
    int provider = providers_find(&gateway->providers, real, &there);
    if (provider < 0)
        return false;
    const struct provider *its = &gateway->providers.all[provider];
    const struct price_model *priced = providers_price(its, asker->pricing, there, real);
    if (!priced)
        return false;
    *ret_owner = priced->provider.len ? priced->provider : slice_of(its->config->name);
    return true;
}

static int list_one(const struct asker *asker, struct slice model, struct buffer *out)
{
    struct slice owner;
    if (!usable(asker, model, &owner))
        return 0;
    int rc = out->data[out->len - 1] == '[' ? 0 : buffer_text(out, ",");
    return rc ? rc : write_model(out, model, owner);
}

/* A provider that answers every model is not believed to have those of others, if the price list
 * knows its name: of all models in the world, "openai" lists OpenAI's. */
static bool foreign(const struct gateway *gateway, const struct price_model *priced)
{
    struct slice there;
    int at = providers_find(&gateway->providers, priced->name, &there);
    if (at < 0 || gateway->config->providers[at].models_len)
        return false;
    const struct provider *provider = &gateway->providers.all[at];
    return provider->in_price_list && !slice_equal(priced->provider, provider->priced_as);
}

/* What openrouter itself calls openrouter/openai/gpt-4o, if that name leads back to the row. */
static struct slice shown(const struct asker *asker, const struct price_model *priced)
{
    const struct gateway *gateway = asker->gateway;
    struct slice name = priced->name, there;
    int at = providers_find(&gateway->providers, name, &there);
    if (at < 0 || gateway->config->providers[at].models_len)
        return name;
    struct slice prefix = gateway->providers.all[at].priced_as;
    if (!slice_starts(name, prefix) || name.len < prefix.len + 2 || name.data[prefix.len] != '/')
        return name;
    struct slice bare = slice_from(name, prefix.len + 1);
    bool leads_back = providers_find(&gateway->providers, bare, &there) == at &&
                      pricing_find_of(asker->pricing, prefix, bare) == priced;
    return leads_back ? bare : name;
}

static bool listed(const struct pricing *pricing, struct slice name)
{
    const struct price_model *found = pricing_find(pricing, name);
    return found && slice_equal(found->name, name);
}

static int write_list(const struct asker *asker, struct buffer *out)
{
    const struct gateway *gateway = asker->gateway;
    const struct pricing *pricing = asker->pricing;
    int rc = buffer_text(out, "{\"object\":\"list\",\"data\":[");
    const struct price_model *each = pricing_next(pricing, (struct slice){0});
    for (; each && !rc; each = pricing_next(pricing, each->name))
        if (!foreign(gateway, each))
            rc = list_one(asker, shown(asker, each), out);
    for (size_t p = 0; p < gateway->config->providers_len; p++) {
        const struct gateway_provider *provider = &gateway->config->providers[p];
        for (size_t g = 0; g < provider->models_len && !rc; g++) {
            struct slice name = slice_of(provider->models[g]);
            bool glob = name.len && memchr(name.data, '*', name.len);
            struct slice there;
            const char *renamed = name.len ? memchr(name.data, '=', name.len) : NULL;
            if (renamed)
                name.len = (size_t)(renamed - name.data);
            if (!glob && providers_find(&gateway->providers, name, &there) == (int)p &&
                !listed(pricing, name))
                rc = list_one(asker, name, out);
        }
    }
    const struct models *models = gateway->parts.models;
    const struct model *said = models ? models_next(models, (struct slice){0}) : NULL;
    for (; said && !rc; said = models_next(models, model_name(said)))
        if (said->alias_len && !listed(pricing, model_name(said)))
            rc = list_one(asker, model_name(said), out);
    return rc ? rc : buffer_text(out, "]}");
}

static int hex(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f')
        return (digit | 0x20) - 'a' + 10;
    return -1;
}

/* Percent-decodes a path segment; the length, or -1. */
static long unescape(struct slice text, char room[ID_ROOM])
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (len == ID_ROOM)
            return -1;
        if (text.data[i] != '%') {
            room[len++] = text.data[i];
            continue;
        }
        int high = i + 2 < text.len ? hex(text.data[i + 1]) : -1;
        int low = i + 2 < text.len ? hex(text.data[i + 2]) : -1;
        if (high < 0 || low < 0)
            return -1;
        room[len++] = (char)(high * 16 + low);
        i += 2;
    }
    return (long)len;
}

static void refuse(struct exchange *exchange, int status, const char *code, const char *message)
{
    const struct dialect_error error = {
        status, "invalid_request_error", code, status == 404 ? "model" : NULL, message, {0}};
    gateway_reply_error(exchange, dialect_chat(), &error, NULL, 0);
}

static void answer(struct asker *asker, struct exchange *exchange, struct slice id)
{
    const struct exchange_header json = {"content-type", SLICE_LITERAL("application/json")};
    char room[ID_ROOM];
    long len = unescape(id, room);
    struct slice model = {room, len < 0 ? 0 : (size_t)len}, owner;
    if (id.len && (!model.len || !usable(asker, model, &owner))) {
        refuse(exchange, 404, "model_not_found", "There is no such model for this key.");
        return;
    }
    struct buffer out;
    buffer_init(&out, ANSWER_MAX);
    int rc = id.len ? write_model(&out, model, owner) : write_list(asker, &out);
    if (rc)
        refuse(exchange, 503, "unavailable", "There is no memory for the list; try again.");
    else
        exchange->ops->reply(exchange, 200, &json, 1, buffer_slice(&out));
    buffer_done(&out);
}

void models_answer(struct gateway *gateway, struct exchange *exchange, struct slice id)
{
    struct asker asker = {.gateway = gateway, .key = gateway_good_key(gateway, exchange, NULL)};
    int64_t now_us = mete_now(gateway->parts.mete).us;
    if (!asker.key) {
        gateway_reply_error(exchange, dialect_chat(), &gateway->key_refused.error, NULL, 0);
        return;
    }
    if (price_book_list(gateway->parts.prices, asker.key->organization.n, now_us, &asker.pricing)) {
        refuse(exchange, 503, "unavailable", "There is no memory for the list; try again.");
        return;
    }
    answer(&asker, exchange, id);
    pricing_free(asker.pricing);
}
