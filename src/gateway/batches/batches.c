/* SPDX-License-Identifier: Apache-2.0
 * Which path is whose. */
#include "gateway/batches/batches.h"

/* One thing that a path does. */
struct way {
    const char *method;
    const char *rest; /* behind the id; NULL: there is no id */
    void (*all)(struct gateway *gateway, struct exchange *exchange);
    void (*one)(struct gateway *gateway, struct exchange *exchange, struct slice id);
};

static const struct way of_files[] = {{"POST", NULL, upload_begin, NULL},
                                      {"GET", NULL, files_list, NULL},
                                      {"GET", "", NULL, files_show},
                                      {"DELETE", "", NULL, files_delete},
                                      {"GET", "/content", NULL, content_begin}};
static const struct way of_batches[] = {{"POST", NULL, create_begin, NULL},
                                        {"GET", NULL, refresh_list, NULL},
                                        {"GET", "", NULL, refresh_begin},
                                        {"POST", "/cancel", NULL, refresh_cancel}};

static bool is_way(const struct way *way, struct slice id, struct slice rest)
{
    return way->rest ? id.len && slice_is(rest, way->rest) : !id.len;
}

static void refuse_method(struct exchange *exchange, const struct way *ways, size_t len,
                          struct slice id, struct slice rest)
{
    struct buffer list;
    buffer_init(&list, 64);
    int rc = 0;
    for (size_t i = 0; i < len && !rc; i++)
        if (is_way(&ways[i], id, rest))
            rc = buffer_format(&list, "%s%s", list.len ? ", " : "", ways[i].method);
    const struct exchange_header allow = {"allow", buffer_slice(&list)};
    const struct dialect_error error = {
        405,  "invalid_request_error",          "method_not_allowed",
        NULL, "This path takes other methods.", {0}};
    gateway_reply_error(exchange, dialect_chat(), &error, &allow, rc ? 0 : 1);
    buffer_done(&list);
}

/* False: the path is none of them. */
static bool begin(struct gateway *gateway, struct exchange *exchange, const struct way *ways,
                  size_t len, struct slice behind)
{
    struct slice id = {0}, rest = {0};
    bool known = false;
    if (behind.len) {
        id = slice_from(behind, 1);
        const char *end = id.len ? memchr(id.data, '/', id.len) : NULL;
        rest = end ? slice_from(id, (size_t)(end - id.data)) : rest;
        id.len -= rest.len;
        if (!id.len)
            return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_way(&ways[i], id, rest))
            continue;
        known = true;
        if (!slice_is(exchange->method, ways[i].method))
            continue;
        if (ways[i].one)
            ways[i].one(gateway, exchange, id);
        else
            ways[i].all(gateway, exchange);
        return true;
    }
    if (known)
        refuse_method(exchange, ways, len, id, rest);
    return known;
}

bool batches_begin(struct gateway *gateway, struct exchange *exchange)
{
    const struct {
        struct slice path;
        const struct way *ways;
        size_t len;
    } all[] = {
        {SLICE_LITERAL("/v1/files"), of_files, sizeof of_files / sizeof of_files[0]},
        {SLICE_LITERAL("/v1/batches"), of_batches, sizeof of_batches / sizeof of_batches[0]}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (!slice_starts(exchange->path, all[i].path))
            continue;
        struct slice behind = slice_from(exchange->path, all[i].path.len);
        if (!behind.len || behind.data[0] == '/')
            return begin(gateway, exchange, all[i].ways, all[i].len, behind);
    }
    return false;
}

const struct dialect_error batches_model_disabled = {403,
                                                     "invalid_request_error",
                                                     "model_disabled",
                                                     "model",
                                                     "The model of its lines is disabled here.",
                                                     {0}};
const struct dialect_error batches_provider_disabled = {
    503,
    "server_error",
    "provider_disabled",
    "model",
    "The provider of the model of its lines is disabled here.",
    {0}};

bool batches_are_taken(const struct provider *provider)
{
    enum dialect_credential credential = provider->family->credential;
    return (credential == DIALECT_BEARER || credential == DIALECT_API_KEY) &&
           !strstr(provider->base, "{model}");
}
