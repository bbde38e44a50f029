/* SPDX-License-Identifier: Apache-2.0
 * The figure is what is expected of the model's family (prompts/prompt.h), not the bound that a
 * reservation takes. A short body is counted where it stands, a longer one on a worker, with one
 * of the pool's tokenizers: the others are the loop's.
 * Not done: asking a provider that counts for nothing. It would know better of its own models, and
 * a second more of waiting, limits of its own, and a prompt sent twice are the price. */
#include "gateway/count_tokens.h"

#include "base/assert.h"
#include "prompts/prompt.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum { INLINE_MAX = 4096 }; /* bytes of a body that take at worst about 100 us */

struct count {
    enum gateway_work kind; /* first: COUNT */
    struct work work;
    struct gateway *gateway;
    struct exchange *exchange;
    const struct prompt_rule *rule;
    const struct encoding *encoding;
    struct prompt_figures figures;
    int error;
};

bool count_is_path(struct slice path)
{
    return slice_is(path, "/v1/messages/count_tokens");
}

static void refuse(struct exchange *exchange, const struct dialect_error *error)
{
    gateway_reply_error(exchange, dialect_messages(), error, NULL, 0);
}

static void reply(struct exchange *exchange, int error, int64_t tokens)
{
    const struct exchange_header json = {"content-type", SLICE_LITERAL("application/json")};
    char body[64];
    if (error) {
        bool shape = error == METE_E_INVALID;
        const struct dialect_error why = {shape ? 400 : 503,
                                          "invalid_request_error",
                                          shape ? "invalid_value" : "unavailable",
                                          NULL,
                                          shape ? "The body is not that of a message."
                                                : "There is no room to count it now; try again.",
                                          {0}};
        refuse(exchange, &why);
        return;
    }
    int len = snprintf(body, sizeof body, "{\"input_tokens\":%" PRId64 "}", tokens);
    exchange->ops->reply(exchange, 200, &json, 1, (struct slice){body, (size_t)len});
}

/* ---- Counting -------------------------------------------------------------------------------- */

static int count_with(struct count *count, struct tokenizer *tokenizer)
{
    struct prompt prompt;
    if (!tokenizer)
        return METE_E_MEMORY;
    prompt_begin(&prompt, count->rule, tokenizer);
    int rc = dialect_messages()->count_input(count->exchange->body, &prompt);
    int end = prompt_end(&prompt, &count->figures);
    return rc ? rc : end;
}

static void work_run(struct work *work)
{
    struct count *count = (struct count *)(void *)((char *)work - offsetof(struct count, work));
    struct tokenizer *tokenizer;
    count->error = tokenizer_pool_take(count->gateway->pool, count->encoding, &tokenizer);
    if (count->error)
        return;
    count->error = count_with(count, tokenizer);
    tokenizer_pool_give(count->gateway->pool, tokenizer);
}

static void work_done(struct work *work)
{
    struct count *count = (struct count *)(void *)((char *)work - offsetof(struct count, work));
    count->gateway->counts.open--;
    count->exchange->state = NULL;
    reply(count->exchange, count->error, count->figures.expected);
    free(count);
}

/* METE_E_MEMORY, METE_E_BUSY: it is not under way. */
static int begin_work(const struct count *asked)
{
    struct workers *workers = asked->gateway->parts.workers;
    struct count *count = malloc(sizeof *count);
    if (!count)
        return METE_E_MEMORY;
    *count = *asked;
    count->kind = GATEWAY_COUNT;
    count->work = (struct work){.run = work_run, .done = work_done};
    if (!workers->submit(workers, &count->work)) {
        free(count);
        return METE_E_BUSY;
    }
    count->exchange->state = count;
    count->gateway->counts.open++;
    return 0;
}

/* ---- What is asked --------------------------------------------------------------------------- */

/* By the model's name at its provider; where that is one of its users' own, by the name asked. */
static bool find_rule(struct count *count, struct slice model)
{
    struct slice there;
    if (!models_real(count->gateway, &model) ||
        providers_find(&count->gateway->providers, model, &there) < 0)
        return false;
    count->rule = prompt_rule_find(there, &count->encoding);
    if (!count->rule->bounded)
        count->rule = prompt_rule_find(model, &count->encoding);
    return true;
}

/* false: the exchange has been refused. */
static bool may_count(struct count *count)
{
    static const struct dialect_error nobody = {404,
                                                "invalid_request_error",
                                                "model_not_found",
                                                "model",
                                                "No provider here answers this model.",
                                                {0}};
    struct gateway *gateway = count->gateway;
    struct dialect_target target = {0};
    struct dialect_request request = {0};
    struct dialect_error error;
    const struct dialect *format = dialect_messages();
    const struct directory_key *key = gateway_good_key(gateway, count->exchange, format->endpoint);
    if (!key) {
        refuse(count->exchange, &gateway->key_refused.error);
        return false;
    }
    if (format->read_request(&target, count->exchange->body, &request, &error)) {
        refuse(count->exchange, &error);
        return false;
    }
    struct slice model = {request.model, request.model_len};
    bool allowed = gateway_key_takes_model(gateway, key, model);
    if (allowed && find_rule(count, model))
        return true;
    refuse(count->exchange, allowed ? &nobody : &gateway->key_refused.error);
    return false;
}

void count_begin(struct gateway *gateway, struct exchange *exchange)
{
    struct count count = {.gateway = gateway, .exchange = exchange};
    if (!may_count(&count))
        return;
    if (exchange->body.len > INLINE_MAX && gateway->parts.workers) {
        int rc = begin_work(&count);
        if (rc)
            reply(exchange, rc, 0);
        return;
    }
    int rc = count_with(&count, tokenizers_of(&gateway->tokenizers[0], count.encoding));
    reply(exchange, rc, count.figures.expected);
}
