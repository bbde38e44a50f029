/* SPDX-License-Identifier: Apache-2.0
 * How a call's rate limits stand, told to its client in the headers its format has for that.
 *
 * Asked of the engine once the call is let through, while the provider works: it costs the call no
 * time, and if the answer is late the headers are missing. Scopes without rate limits are
 * remembered for a while and not asked for again. Of several limits the one with the least left is
 * told; those narrowed to some calls are not. */
#include "base/assert.h"
#include "codec/timestamp.h"
#include "gateway/call.h"

#include <stddef.h>
#include <stdio.h>

enum { FORGET_US = 10 * 1000000 };

/* ---- Asking ---------------------------------------------------------------------------------- */

static struct gateway_unlimited *place_of(const struct call *call)
{
    return &call->gateway->unlimited[call->scope.n % GATEWAY_UNLIMITED];
}

static void take(struct call_standing *standing, const struct mete_rate_view *rate, int64_t now_us)
{
    int64_t left = max_i64(rate->burst - rate->taken, 0);
    if (standing->limit && standing->left <= left)
        return;
    *standing = (struct call_standing){rate->limit, left, max_i64(rate->full_at.us - now_us, 0)};
}

#define RATES_OF(pointer)                                                                          \
    ((struct call_rates *)(void *)((char *)(pointer)-offsetof(struct call_rates, op)))

static void on_rates(struct mete_op *op)
{
    struct call_rates *rates = RATES_OF(op);
    struct call *call = rates->call;
    size_t len = op->result.answer->rows_len;
    int64_t now_us = mete_now(call->gateway->parts.mete).us;
    call->more_open = false;
    if (!op->status && !len)
        *place_of(call) = (struct gateway_unlimited){call->scope.n, now_us + FORGET_US};
    for (size_t i = 0; !op->status && i < len && i < CALL_RATES; i++) {
        const struct mete_rate_view *rate = &rates->rows[i];
        if (rate->concurrent || rate->ended || rate->matches_len || rate->mode != METE_ENFORCE)
            continue;
        if (rate->meter == METE_REQUESTS)
            take(&call->requests, rate, now_us);
        else if (rate->meter == METE_TOTAL_TOKENS)
            take(&call->tokens, rate, now_us);
    }
    spares_give(&call->gateway->rates, rates);
    if (call->state == CALL_DONE)
        call_free_if_over(call);
    else if (call->state == CALL_STREAMING && !call->cut)
        call_watch_bound(call); /* it could not ask for more meanwhile */
}

void call_ask_rates(struct call *call)
{
    const struct gateway_unlimited *known = place_of(call);
    if (known->scope == call->scope.n && known->until_us > mete_now(call->gateway->parts.mete).us)
        return;
    ASSERT(!call->more_open);
    struct call_rates *rates = spares_take(&call->gateway->rates);
    if (!rates)
        return;
    rates->call = call;
    rates->op = (struct mete_op){.kind = METE_OP_QUERY, .done = on_rates};
    rates->op.args.query = (struct mete_query){.kind = METE_QUERY_RATES,
                                               .scope = call->scope,
                                               .rates = rates->rows,
                                               .rows_max = CALL_RATES};
    rates->op.result.answer = &rates->answer;
    struct mete_op *op = &rates->op;
    call->more_open = mete_submit(call->gateway->parts.port, &op, 1) == 1;
    if (!call->more_open)
        spares_give(&call->gateway->rates, rates);
}

/* ---- Telling --------------------------------------------------------------------------------- */

/* As Go writes a duration, which is how OpenAI does: "120ms", "1.5s", "6m0s", "1h0m0s". */
static void write_duration(int64_t us, char room[CALL_RATE_ROOM])
{
    long long ms = (us + 999) / 1000, s = ms / 1000;
    if (ms < 1000)
        snprintf(room, CALL_RATE_ROOM, "%lldms", ms);
    else if (ms < 60000)
        snprintf(room, CALL_RATE_ROOM, "%lld.%03llds", s, ms % 1000);
    else if (s < 3600)
        snprintf(room, CALL_RATE_ROOM, "%lldm%llds", s / 60, s % 60);
    else
        snprintf(room, CALL_RATE_ROOM, "%lldh%lldm%llds", s / 3600, s / 60 % 60, s % 60);
}

static void write_one(const struct call_standing *standing, bool absolute, int64_t now_us,
                      struct call_rate_texts *texts)
{
    snprintf(texts->limit, CALL_RATE_ROOM, "%lld", (long long)standing->limit);
    snprintf(texts->left, CALL_RATE_ROOM, "%lld", (long long)standing->left);
    if (absolute)
        (void)timestamp_format(now_us + standing->full_us, texts->reset);
    else
        write_duration(standing->full_us, texts->reset);
}

size_t call_rate_headers(const struct call *call, struct call_rate_texts texts[2],
                         struct exchange_header headers[CALL_RATE_HEADERS])
{
    static const char *const names[2][2][3] = {
        {{"x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
          "x-ratelimit-reset-requests"},
         {"x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"}},
        {{"anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining",
          "anthropic-ratelimit-requests-reset"},
         {"anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining",
          "anthropic-ratelimit-tokens-reset"}}};
    const struct call_standing *all[2] = {&call->requests, &call->tokens};
    bool anthropic = call->format->anthropic_rates;
    size_t len = 0;
    for (size_t i = 0; i < 2; i++) {
        if (!all[i]->limit)
            continue;
        const char *const *name = names[anthropic][i];
        write_one(all[i], anthropic, mete_now(call->gateway->parts.mete).us, &texts[i]);
        headers[len++] = (struct exchange_header){name[0], slice_of(texts[i].limit)};
        headers[len++] = (struct exchange_header){name[1], slice_of(texts[i].left)};
        headers[len++] = (struct exchange_header){name[2], slice_of(texts[i].reset)};
    }
    ASSERT(len <= CALL_RATE_HEADERS);
    return len;
}
