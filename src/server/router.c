/* SPDX-License-Identifier: Apache-2.0
 * The route is a function of the path, computed anew for each of an exchange's calls: cheaper than
 * remembering it, and the exchange's state stays the handler's. */
#include "server/router.h"

#include "base/errors.h"
#include "dialect/dialect.h"
#include "web/pages.h"

#include <stdio.h>

static const char *const names[] = {"chat",  "gateway", "authority", "api",
                                    "pages", "health",  "other"};

enum router_route router_route(struct slice path)
{
    if (slice_is(path, "/v1/chat/completions"))
        return ROUTER_CHAT;
    if (slice_starts(path, SLICE_LITERAL("/v1/")))
        return ROUTER_GATEWAY;
    if (slice_starts(path, SLICE_LITERAL("/api/v1/budget/")))
        return ROUTER_AUTHORITY;
    if (slice_starts(path, SLICE_LITERAL("/api/v1/")))
        return ROUTER_API;
    struct dialect_target target;
    if (dialect_find(path, (struct slice){0}, &target))
        return ROUTER_GATEWAY;
    if (slice_starts(path, SLICE_LITERAL("/api/")) || slice_is(path, "/api"))
        return ROUTER_API;
    if (slice_is(path, "/healthz") || slice_is(path, "/readyz"))
        return ROUTER_HEALTH;
    return pages_have(path) ? ROUTER_PAGES : ROUTER_OTHER;
}

const char *router_route_name(enum router_route route)
{
    return names[route];
}

static const struct exchange_handler *handler_of(const struct router *router, struct slice path)
{
    switch (router_route(path)) {
    case ROUTER_CHAT:
    case ROUTER_GATEWAY:
        return &router->gateway;
    case ROUTER_AUTHORITY:
    case ROUTER_API:
        return &router->api;
    case ROUTER_PAGES:
        return &router->pages;
    case ROUTER_HEALTH:
    case ROUTER_OTHER:
    case ROUTER_ROUTES:
        break;
    }
    return NULL;
}

static void reply_json(struct exchange *exchange, int status, const char *type, const char *body)
{
    const struct exchange_header header = {"Content-Type", slice_of(type)};
    exchange->ops->reply(exchange, status, &header, 1, slice_of(body));
}

/* Readable to clients of either API. */
static void reply_error(struct exchange *exchange, int error)
{
    char body[512];
    int status = errors_http_status(error);
    snprintf(
        body, sizeof body,
        "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"error\":{\"message\":\"%s\","
        "\"type\":\"%s\",\"code\":\"%s\",\"param\":null}}",
        mete_error_text(error), status, mete_error_text(error),
        status < 500 ? "invalid_request_error" : "server_error", mete_error_name(error));
    reply_json(exchange, status, "application/problem+json", body);
}

static void health(const struct router *router, struct exchange *exchange)
{
    char body[128];
    bool ready = !router->not_ready || slice_is(exchange->path, "/healthz");
    if (!slice_is(exchange->method, "GET") && !slice_is(exchange->method, "HEAD")) {
        reply_error(exchange, METE_E_METHOD);
        return;
    }
    snprintf(body, sizeof body, "{\"status\":\"%s\"}", ready ? "ok" : router->not_ready);
    reply_json(exchange, ready ? 200 : 503, "application/json", body);
}

static void router_begin(void *self, struct exchange *exchange)
{
    const struct router *router = self;
    const struct exchange_handler *handler = handler_of(router, exchange->path);
    if (handler && handler->begin)
        handler->begin(handler->self, exchange);
    else if (handler)
        reply_error(exchange, METE_E_CLOSED);
    else if (router_route(exchange->path) == ROUTER_HEALTH)
        health(router, exchange);
    else
        reply_error(exchange, METE_E_NOT_FOUND);
}

static void router_gone(void *self, struct exchange *exchange)
{
    const struct exchange_handler *handler = handler_of(self, exchange->path);
    handler->gone(handler->self, exchange);
}

static void router_drained(void *self, struct exchange *exchange)
{
    const struct exchange_handler *handler = handler_of(self, exchange->path);
    handler->drained(handler->self, exchange);
}

struct exchange_handler router_handler(struct router *router)
{
    return (struct exchange_handler){router, router_begin, router_gone, router_drained};
}
