/* SPDX-License-Identifier: Apache-2.0
 * The door: path and method to a handler, credential to a principal, and then the handler's first
 * step. Routing comes before the credential (a wrong path is wrong for everybody), the credential
 * before anything of the request is read.
 *
 * Management is closed to keys as a whole (403), so no answer there can tell a key anything about
 * another organization (INV-12); what keys may call filters by the key's own scope. */
#include "api/api.h"

#include "api/holds.h"
#include "api/readers.h"
#include "api/request.h"
#include "api/verbs.h"
#include "base/assert.h"
#include "base/limits.h"
#include "tokens/pool.h"

#include <stdio.h>
#include <stdlib.h>

#define ORG "/api/v1/organizations/{org}"
#define CREDENTIAL "/api/v1/providers/{provider}/credential"

static const struct route routes[] = {
    {"POST", "/api/v1/budget/reserve", ACCESS_ANY_KEY, authority_call, VERB_RESERVE},
    {"POST", "/api/v1/budget/extend", ACCESS_ANY_KEY, authority_call, VERB_EXTEND},
    {"POST", "/api/v1/budget/deduct", ACCESS_ANY_KEY, authority_call, VERB_DEDUCT},
    {"POST", "/api/v1/budget/release", ACCESS_ANY_KEY, authority_call, VERB_RELEASE},
    {"POST", "/api/v1/budget/check", ACCESS_ANY_KEY, authority_call, VERB_CHECK},
    {"POST", "/api/v1/budget/record", ACCESS_KEY, authority_call, VERB_RECORD},
    {"GET", "/api/v1/budget/stats", ACCESS_KEY, stats_show, 0},
    {"POST", "/api/v1/organizations", ACCESS_ADMIN, organizations_create, 0},
    {"GET", "/api/v1/organizations", ACCESS_ADMIN, organizations_list, 0},
    {"GET", ORG, ACCESS_ADMIN, organizations_show, 0},
    {"DELETE", ORG, ACCESS_ADMIN, organizations_delete, 0},
    {"POST", ORG "/departments", ACCESS_ADMIN, departments_create, 0},
    {"GET", ORG "/departments", ACCESS_ADMIN, departments_list, 0},
    {"GET", ORG "/departments/{department}", ACCESS_ADMIN, departments_show, 0},
    {"DELETE", ORG "/departments/{department}", ACCESS_ADMIN, departments_delete, 0},
    {"POST", ORG "/users", ACCESS_ADMIN, users_create, 0},
    {"GET", ORG "/users", ACCESS_ADMIN, users_list, 0},
    {"GET", ORG "/users/{user}", ACCESS_ADMIN, users_show, 0},
    {"PUT", ORG "/users/{user}", ACCESS_ADMIN, users_update, 0},
    {"DELETE", ORG "/users/{user}", ACCESS_ADMIN, users_delete, 0},
    {"POST", ORG "/rate-limits", ACCESS_ADMIN, rate_limits_create, 0},
    {"GET", ORG "/rate-limits", ACCESS_ADMIN, rate_limits_list, 0},
    {"GET", ORG "/rate-limits/{rate}", ACCESS_ADMIN, rate_limits_show, 0},
    {"PUT", ORG "/rate-limits/{rate}", ACCESS_ADMIN, rate_limits_update, 0},
    {"DELETE", ORG "/rate-limits/{rate}", ACCESS_ADMIN, rate_limits_delete, 0},
    {"GET", ORG "/quotas", ACCESS_ADMIN, quotas_list, 0},
    {"DELETE", ORG "/quotas", ACCESS_ADMIN, quotas_end, 0},
    {"GET", ORG "/quotas/history", ACCESS_ADMIN, quotas_history, 0},
    {"POST", ORG "/grants", ACCESS_ADMIN, grants_create, 0},
    {"GET", ORG "/grants", ACCESS_ADMIN, grants_list, 0},
    {"GET", ORG "/grants/{grant}", ACCESS_ADMIN, grants_show, 0},
    {"PUT", ORG "/grants/{grant}", ACCESS_ADMIN, grants_update, 0},
    {"POST", ORG "/grants/{grant}/refund", ACCESS_ADMIN, grants_refund, 0},
    {"POST", ORG "/budgets", ACCESS_ADMIN, budgets_create, 0},
    {"GET", ORG "/budgets", ACCESS_ADMIN, budgets_list, 0},
    {"PUT", ORG "/budgets", ACCESS_ADMIN, budgets_update, 0},
    {"DELETE", ORG "/budgets", ACCESS_ADMIN, budgets_delete, 0},
    {"GET", ORG "/budgets/{budget}", ACCESS_ADMIN, budgets_show, 0},
    {"PUT", ORG "/budgets/{budget}", ACCESS_ADMIN, budgets_update, 0},
    {"DELETE", ORG "/budgets/{budget}", ACCESS_ADMIN, budgets_delete, 0},
    {"GET", ORG "/budget-events", ACCESS_ADMIN, budget_events_list, 0},
    {"POST", ORG "/budgets/{budget}/lift", ACCESS_ADMIN, budgets_lift, 0},
    {"POST", ORG "/budgets/{budget}/increases", ACCESS_ADMIN, increases_create, 0},
    {"GET", ORG "/budgets/{budget}/increases", ACCESS_ADMIN, increases_list, 0},
    {"DELETE", ORG "/budgets/{budget}/increases/{increase}", ACCESS_ADMIN, increases_delete, 0},
    {"GET", ORG "/budgets/{budget}/explain", ACCESS_ADMIN, budgets_explain, 0},
    {"POST", ORG "/api-keys", ACCESS_ADMIN, keys_create, 0},
    {"GET", ORG "/api-keys", ACCESS_ADMIN, keys_list, 0},
    {"GET", "/api/v1/api-keys/{key}", ACCESS_ADMIN, keys_show, 0},
    {"DELETE", "/api/v1/api-keys/{key}", ACCESS_ADMIN, keys_delete, 0},
    {"POST", "/api/v1/api-keys/{key}/revoke", ACCESS_ADMIN, keys_revoke, 0},
    {"POST", "/api/v1/exchange-rates", ACCESS_ADMIN, exchange_rates_create, 0},
    {"GET", "/api/v1/exchange-rates", ACCESS_ADMIN, exchange_rates_list, 0},
    {"GET", "/api/v1/credentials", ACCESS_ADMIN, credentials_list, 0},
    {"POST", "/api/v1/credentials/reseal", ACCESS_ADMIN, credentials_reseal, 0},
    {"GET", CREDENTIAL, ACCESS_ADMIN, credential_show, 0},
    {"PUT", CREDENTIAL, ACCESS_ADMIN, credential_set, 0},
    {"DELETE", CREDENTIAL, ACCESS_ADMIN, credential_remove, 0},
    {"POST", "/api/v1/backup", ACCESS_ADMIN, backup_create, 0},
    {"POST", "/api/v1/cut", ACCESS_ADMIN, cut_create, 0},
    {"GET", "/api/v1/records", ACCESS_KEY, records_list, 0},
    {"GET", "/api/v1/records/{record}", ACCESS_KEY, records_show, 0},
    {"POST", "/api/v1/records/{record}/settle", ACCESS_ADMIN, records_settle, VERB_SETTLE},
    {"POST", "/api/v1/tokens/count", ACCESS_KEY, tokens_count, 0},
    {"GET", "/api/v1/me", ACCESS_KEY, me_show, 0},
};

static struct slice segment(struct slice *rest)
{
    if (rest->len && rest->data[0] == '/')
        *rest = slice_from(*rest, 1);
    const char *end = rest->len ? memchr(rest->data, '/', rest->len) : NULL;
    struct slice part = slice_part(*rest, 0, end ? (size_t)(end - rest->data) : rest->len);
    *rest = slice_from(*rest, part.len);
    return part;
}

/* The segments that stand for parameters, still encoded, go to params. */
static bool matches(const char *template, struct slice path, struct slice *params)
{
    struct slice wanted = slice_of(template);
    size_t found = 0;
    while (wanted.len && path.len) {
        struct slice want = segment(&wanted), have = segment(&path);
        if (want.data[0] == '{') {
            if (!have.len)
                return false;
            ASSERT(found < REQUEST_PARAMS);
            params[found++] = have;
        } else if (!slice_equal(want, have)) {
            return false;
        }
    }
    return !wanted.len && !path.len;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A wrong escape leaves a text that is no id, and so is found nowhere. */
static bool decode(struct request *request, struct slice *text)
{
    if (!text->len || !memchr(text->data, '%', text->len))
        return true;
    char *room = arena_take(&request->arena, text->len);
    if (!room)
        return false;
    size_t len = 0;
    for (size_t i = 0; i < text->len; i++) {
        char c = text->data[i];
        if (c == '%' && i + 2 < text->len && hex(text->data[i + 1]) >= 0 &&
            hex(text->data[i + 2]) >= 0) {
            c = (char)(hex(text->data[i + 1]) << 4 | hex(text->data[i + 2]));
            i += 2;
        }
        room[len++] = c;
    }
    *text = (struct slice){room, len};
    return true;
}

/* The methods a path has, for Allow; empty: no such path. */
static void allowed(struct slice path, char *room, size_t room_len)
{
    struct slice params[REQUEST_PARAMS];
    size_t len = 0;
    room[0] = 0;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        if (matches(routes[i].path, path, params))
            len += (size_t)snprintf(room + len, room_len - len, "%s%s", len ? ", " : "",
                                    routes[i].method);
    ASSERT(len < room_len);
}

static void fail_unrouted(struct request *request)
{
    char methods[64];
    struct exchange *exchange = request->exchange;
    allowed(exchange->path, methods, sizeof methods);
    if (!methods[0]) {
        request_fail(request, METE_E_NOT_FOUND, NULL, "There is nothing at this path.");
        return;
    }
    request->allow = methods;
    request_fail(request, METE_E_METHOD, NULL, "This path has %s.", methods);
}

static const struct route *find_route(struct request *request)
{
    const struct exchange *exchange = request->exchange;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (!slice_is(exchange->method, routes[i].method))
            continue;
        memset(request->params, 0, sizeof request->params);
        if (matches(routes[i].path, exchange->path, request->params))
            return &routes[i];
    }
    return NULL;
}

/* ---- Who asks ----------------------------------------------------------------------------------
 */

static struct slice credential(const struct exchange *exchange)
{
    struct slice header = exchange->ops->header(exchange, "Authorization");
    if (!header.len)
        return exchange->ops->header(exchange, "x-api-key");
    static const char scheme[] = "bearer ";
    size_t len = sizeof scheme - 1;
    if (header.len <= len)
        return (struct slice){0};
    for (size_t i = 0; i < len; i++)
        if ((header.data[i] | 0x20) != scheme[i])
            return (struct slice){0};
    return slice_from(header, len);
}

static bool key_is_over(struct request *request, const struct directory_key *key)
{
    if (key->revoked)
        return true;
    return key->expires_at_us && mete_now(request->api->parts.mete).us >= key->expires_at_us;
}

/* 0, or the problem is set. */
static int authenticate(struct request *request)
{
    const struct api_parts *parts = &request->api->parts;
    enum access access = request->route->access;
    struct slice text = credential(request->exchange);
    if (text.len && directory_same_secret(text, slice_of(parts->admin_token))) {
        request->who.admin = true;
        return 0;
    }
    const struct directory_key *key = text.len ? directory_find_key(parts->directory, text) : NULL;
    if (!key)
        return problem_set(&request->problem, METE_E_UNAUTHENTICATED, NULL,
                           text.len ? "The key is unknown."
                                    : "Send Authorization: Bearer with a key or the admin token.");
    if (access != ACCESS_ANY_KEY && key_is_over(request, key))
        return problem_set(&request->problem, METE_E_UNAUTHENTICATED, NULL,
                           key->revoked ? "The key has been revoked." : "The key has expired.");
    if (access == ACCESS_ADMIN)
        return problem_set(&request->problem, METE_E_FORBIDDEN, NULL,
                           "This needs the admin token.");
    request->who.scope = key->scope;
    request->who.organization = key->organization;
    request->who.key = key;
    return 0;
}

static void begin(void *self, struct exchange *exchange)
{
    struct api *api = self;
    struct request *request = request_new(api, exchange);
    if (!request) {
        exchange->ops->reply(exchange, 503, NULL, 0, (struct slice){0});
        return;
    }
    request->route = find_route(request);
    if (!request->route) {
        fail_unrouted(request);
        return;
    }
    if (authenticate(request)) {
        request_problem(request);
        return;
    }
    for (size_t i = 0; i < REQUEST_PARAMS; i++) {
        if (!decode(request, &request->params[i])) {
            request_fail(request, METE_E_MEMORY, NULL, NULL);
            return;
        }
    }
    request->route->begin(request);
}

/* What was begun is finished: it may have been submitted. The reply goes nowhere. */
static void gone(void *self, struct exchange *exchange)
{
    (void)self;
    (void)exchange;
}

struct exchange_handler api_handler(struct api *api)
{
    return (struct exchange_handler){.self = api, .begin = begin, .gone = gone, .drained = gone};
}

size_t api_open(const struct api *api)
{
    return api->open;
}

int api_new(const struct api_parts *parts, struct api **ret_api)
{
    ASSERT(parts->mete && parts->port && parts->directory && parts->pricing);
    ASSERT(parts->workers && parts->random && parts->admin_token && parts->admin_token[0]);
    struct api *api = calloc(1, sizeof *api);
    if (!api)
        return METE_E_MEMORY;
    api->parts = *parts;
    int rc = namebook_new(&api->names);
    if (!rc)
        rc = holds_new(&api->holds);
    if (!rc)
        rc = readers_new(parts->os, parts->data_directory, &api->readers);
    if (!rc)
        rc = tokenizer_pool_new(&api->tokenizers);
    if (rc) {
        api_free(api);
        return rc;
    }
    *ret_api = api;
    return 0;
}

void api_free(struct api *api)
{
    if (!api)
        return;
    request_pool_free(api);
    tokenizer_pool_free(api->tokenizers);
    readers_free(api->readers);
    holds_free(api->holds);
    namebook_free(api->names);
    free(api);
}
