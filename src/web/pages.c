/* SPDX-License-Identifier: Apache-2.0 */
#include "web/pages.h"

#include "base/errors.h"
#include "mete.h"
#include "web/contract.h"

extern const unsigned char data_page_css[];
extern const size_t data_page_css_len;

enum { PAGE_MAX = 8 * 1024 * 1024 };

void pages_init(struct pages *pages)
{
    buffer_init(&pages->docs, PAGE_MAX);
    buffer_init(&pages->json, PAGE_MAX);
}

void pages_done(struct pages *pages)
{
    buffer_done(&pages->docs);
    buffer_done(&pages->json);
}

bool pages_have(struct slice path)
{
    return slice_is(path, "/") || slice_is(path, "/docs") ||
           slice_starts(path, SLICE_LITERAL("/docs/"));
}

static void answer(struct exchange *exchange, int status, const char *type, struct slice body)
{
    const struct exchange_header headers[] = {
        {"Content-Type", slice_of(type)},
        {"Content-Security-Policy", SLICE_LITERAL("default-src 'none'; style-src 'self'")},
        {"X-Content-Type-Options", SLICE_LITERAL("nosniff")},
    };
    exchange->ops->reply(exchange, status, headers, sizeof headers / sizeof headers[0], body);
}

static void answer_made(struct exchange *exchange, const char *type, struct buffer *page,
                        int (*make)(struct buffer *to))
{
    int rc = page->len ? 0 : make(page);
    if (rc) {
        buffer_clear(page);
        answer(exchange, errors_http_status(rc), "text/plain", slice_of(mete_error_text(rc)));
        return;
    }
    answer(exchange, 200, type, buffer_slice(page));
}

static void begin(void *self, struct exchange *exchange)
{
    struct pages *pages = self;
    struct slice path = exchange->path;
    const struct exchange_header docs = {"Location", SLICE_LITERAL("/docs")};
    if (!slice_is(exchange->method, "GET") && !slice_is(exchange->method, "HEAD"))
        answer(exchange, 405, "text/plain", SLICE_LITERAL("This page is only shown."));
    else if (slice_is(path, "/") || slice_is(path, "/docs/"))
        exchange->ops->reply(exchange, 302, &docs, 1, (struct slice){0});
    else if (slice_is(path, "/docs"))
        answer_made(exchange, "text/html; charset=utf-8", &pages->docs, contract_page);
    else if (slice_is(path, "/docs/openapi.json"))
        answer_made(exchange, "application/json", &pages->json, contract_json);
    else if (slice_is(path, "/docs/openapi.yaml"))
        answer(exchange, 200, "application/yaml", contract_yaml());
    else if (slice_is(path, "/docs/page.css"))
        answer(exchange, 200, "text/css",
               (struct slice){(const char *)data_page_css, data_page_css_len});
    else
        answer(exchange, 404, "text/plain", SLICE_LITERAL("There is no such page."));
}

static void nothing(void *self, struct exchange *exchange)
{
    (void)self, (void)exchange;
}

struct exchange_handler pages_handler(struct pages *pages)
{
    return (struct exchange_handler){
        .self = pages, .begin = begin, .gone = nothing, .drained = nothing};
}
