/* SPDX-License-Identifier: Apache-2.0
 * The door: path and method to a handler, credential to a principal (principal.c), may it, and then
 * the handler's first step. Routing comes before the credential (a wrong path is wrong for
 * everybody), the credential before anything of the request is read.
 *
 * To a member or a service token an organization that is not its own is not there (404), whatever
 * else it may do; then the permission counts (403). Management is closed to keys as a whole (403),
 * so no answer there can tell a key anything about another organization (INV-12); what keys may
 * call filters by the key's own scope. */
#include "api/api.h"

#include "api/authority/holds.h"
#include "api/principal.h"
#include "api/quotas/low_balance_watch.h"
#include "api/quotas/renewals.h"
#include "api/readers.h"
#include "api/request.h"
#include "base/assert.h"
#include "base/limits.h"
#include "tokens/pool.h"

#include <stdio.h>
#include <stdlib.h>

static const struct room *const rooms[] = {&authority_room, &tenancy_room, &members_room,
                                           &keys_room,      &limits_room,  &quotas_room,
                                           &catalog_room,   &usage_room,   &upkeep_room};
enum { ROOMS = sizeof rooms / sizeof rooms[0] };

const struct room *rooms_at(size_t i)
{
    return i < ROOMS ? rooms[i] : NULL;
}

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
    for (size_t i = 0; i < ROOMS; i++)
        for (const struct route *at = rooms[i]->routes; at < rooms[i]->routes + rooms[i]->len; at++)
            if (matches(at->path, path, params))
                len += (size_t)snprintf(room + len, room_len - len, "%s%s", len ? ", " : "",
                                        at->method);
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
    for (size_t i = 0; i < ROOMS; i++) {
        for (const struct route *at = rooms[i]->routes; at < rooms[i]->routes + rooms[i]->len;
             at++) {
            memset(request->params, 0, sizeof request->params);
            if (slice_is(exchange->method, at->method) &&
                matches(at->path, exchange->path, request->params))
                return at;
        }
    }
    return NULL;
}

/* ---- Who may --------------------------------------------------------------------------------- */

static void permitted(struct request *request)
{
    replays_begin(request, request->route->begin);
}

static void check_permission(struct request *request)
{
    enum permission permission = request->route->permission;
    if (request->who.permissions & permission_bit(permission))
        permitted(request);
    else
        request_fail(request, METE_E_FORBIDDEN, NULL, "This needs the permission %s.",
                     permission_word(permission));
}

/* What is another organization's is not there (INV-12). */
static void organization_found(struct request *request)
{
    if (!request->op.status && !request_sees(request, request->found))
        request->op.status = METE_E_NOT_FOUND;
    if (!request_missed(request, "org"))
        check_permission(request);
}

static void check_member(struct request *request)
{
    const struct directory *directory = request->api->parts.directory;
    struct slice path = slice_of(request->route->path);
    const struct directory_key *key = NULL;
    if (slice_starts(path, SLICE_LITERAL("/api/v1/organizations/{org}"))) {
        request_find_organization(request, organization_found);
        return;
    }
    if (slice_starts(path, SLICE_LITERAL("/api/v1/api-keys/{key}")))
        key = directory_find_id(directory, request->params[0]);
    if (key && !request_sees(request, key->organization))
        request_fail(request, METE_E_NOT_FOUND, "key", "Nothing here has this id.");
    else
        check_permission(request);
}

/* Permissions of whoever is neither the admin nor a key. */
static void check_access(struct request *request)
{
    switch (request->route->access) {
    case ACCESS_PUBLIC:
    case ACCESS_SELF:
        permitted(request);
        return;
    case ACCESS_ADMIN:
        request_fail(request, METE_E_FORBIDDEN, NULL, "This needs the admin token.");
        return;
    case ACCESS_MEMBER:
        check_member(request);
        return;
    case ACCESS_KEY:
    case ACCESS_ANY_KEY:
        break;
    }
    if (request->route->permission == PERMIT_INSTALLATION)
        request_fail(request, METE_E_FORBIDDEN, NULL, "This needs a key or the admin token.");
    else
        check_permission(request);
}

static void enter(struct request *request)
{
    for (size_t i = 0; i < REQUEST_PARAMS; i++) {
        if (!decode(request, &request->params[i])) {
            request_fail(request, METE_E_MEMORY, NULL, NULL);
            return;
        }
    }
    if (request->who.admin || request->who.key)
        permitted(request);
    else
        check_access(request);
}

static void admit(struct request *request)
{
    if (principal_find(request))
        request_problem(request);
    else
        enter(request);
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
    renewals_first(request, admit);
}

static bool is_management(const struct route *route)
{
    return route->access == ACCESS_ADMIN || route->access == ACCESS_MEMBER;
}

/* A transaction is the installation's, so whoever may ask for one may do all that can be in it. */
void request_begin_within(struct request *request, struct step *step)
{
    union {
        struct step *step;
        struct exchange *exchange; /* its first member */
    } at = {.step = step};
    struct request *within = request_new(request->api, at.exchange);
    if (!within) {
        at.exchange->ops->reply(at.exchange, 503, NULL, 0, (struct slice){0});
        return;
    }
    within->step = step;
    within->who = request->who;
    within->route = find_route(within);
    if (!within->route)
        fail_unrouted(within);
    else if (within->route->begin == transactions_create || !is_management(within->route))
        request_fail(within, METE_E_INVALID, "path", "This cannot be part of a transaction.");
    else
        enter(within);
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

int64_t api_run(struct api *api)
{
    int64_t now_us = mete_now(api->parts.mete).us;
    return min_i64(renewals_run(api->renewals, now_us),
                   low_balance_watch_run(api->low_balances, now_us));
}

bool api_wait(struct api *api, struct work *work)
{
    return renewals_wait(api->renewals, work);
}

size_t api_running(const struct api *api)
{
    return (size_t)renewals_running(api->renewals) +
           (size_t)low_balance_watch_running(api->low_balances);
}

size_t api_open(const struct api *api)
{
    return api->open;
}

int api_new(const struct api_parts *parts, struct api **ret_api)
{
    ASSERT(parts->mete && parts->port && parts->directory && parts->people && parts->prices);
    ASSERT(parts->workers && parts->random && parts->admin_token && parts->admin_token[0]);
    struct api *api = calloc(1, sizeof *api);
    if (!api)
        return METE_E_MEMORY;
    api->parts = *parts;
    int rc = namebook_new(&api->names);
    if (!rc)
        rc = holds_new(&api->holds);
    if (!rc)
        rc = renewals_new(api, &api->renewals);
    if (!rc)
        rc = low_balance_watch_new(api, &api->low_balances);
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
    renewals_free(api->renewals);
    low_balance_watch_free(api->low_balances);
    tokenizer_pool_free(api->tokenizers);
    readers_free(api->readers);
    holds_free(api->holds);
    namebook_free(api->names);
    free(api);
}
