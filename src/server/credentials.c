/* SPDX-License-Identifier: Apache-2.0
 * A credential in the configuration goes before a sealed one: what is written there is what
 * whoever reads it expects. So sealing one for such a provider is refused, and one that was sealed
 * before is kept and not used. */
#include "server/credentials.h"

#include "base/assert.h"
#include "server/log.h"

#include <stdio.h>

static int find(const struct config *config, struct slice name)
{
    for (size_t i = 0; i < config->providers_len; i++)
        if (slice_is(name, config->providers[i].name))
            return (int)i;
    return -1;
}

static enum api_provider provider(void *user, struct slice name)
{
    const struct credentials *credentials = user;
    int at = find(credentials->config, name);
    if (at < 0)
        return API_PROVIDER_UNKNOWN;
    return *credentials->config->providers[at].api_key ? API_PROVIDER_GIVEN : API_PROVIDER_BARE;
}

static int changed(void *user, enum api_credential what, struct slice name, struct slice secret)
{
    static const char *const words[] = {"set", "removed", "resealed"};
    struct credentials *credentials = user;
    struct vault_entry entry = {0};
    int error = 0;
    if (what == API_CREDENTIAL_SET && vault_find(credentials->vault, name, &entry))
        return METE_E_NOT_FOUND;
    if (what != API_CREDENTIALS_RESEALED && provider(user, name) == API_PROVIDER_BARE)
        error = gateway_set_credential(credentials->gateway,
                                       (size_t)find(credentials->config, name), secret);
    LOG_WRITE(EVENT_CREDENTIAL, log_text("change", slice_of(words[what])),
              log_text("provider", name), log_number("version", (int64_t)entry.version),
              log_text("key", slice_of(vault_sealed_under(credentials->vault))),
              log_number("in_use", !error));
    return error;
}

int credentials_open(struct credentials *credentials, const struct config *config, const char *data,
                     char ret_detail[512])
{
    struct vault_key *key = NULL;
    char detail[VAULT_DETAIL] = "";
    credentials->config = config;
    if (!*config->sealing_key_file) {
        if (!vault_is_in(data))
            return 0;
        snprintf(ret_detail, 512,
                 "%.200s has sealed credentials, and no sealing_key_file is configured", data);
        return METE_E_INVALID;
    }
    int error = vault_key_read(config->sealing_key_file, data, &key, detail);
    if (error) {
        snprintf(ret_detail, 512, "sealing_key_file: %s", detail);
        return error;
    }
    error = vault_open(data, key, &credentials->vault, detail);
    if (error) {
        snprintf(ret_detail, 512, "%.200s: %s", data, detail);
        vault_key_free(key);
    }
    return error;
}

int credentials_use(struct credentials *credentials, struct gateway *gateway)
{
    credentials->gateway = gateway;
    for (size_t i = 0; credentials->vault && i < vault_len(credentials->vault); i++) {
        struct vault_entry entry;
        struct slice secret;
        vault_at(credentials->vault, i, &entry);
        struct slice name = slice_of(entry.name);
        if (provider(credentials, name) != API_PROVIDER_BARE)
            continue;
        int error = vault_unseal(credentials->vault, name, &secret);
        if (error)
            return error;
        error = gateway_set_credential(gateway, (size_t)find(credentials->config, name), secret);
        vault_forget(secret);
        if (error)
            return error;
    }
    return 0;
}

struct api_credentials credentials_door(struct credentials *credentials)
{
    return (struct api_credentials){
        .vault = credentials->vault, .provider = provider, .changed = changed, .user = credentials};
}

void credentials_close(struct credentials *credentials)
{
    vault_close(credentials->vault);
    credentials->vault = NULL;
}
