/* SPDX-License-Identifier: Apache-2.0
 * What a call is charged, once the provider has ended.
 *
 *   what happened                                    basis      ending
 *   error status (not 2xx)                           reported, else nothing   ERROR
 *   whole answer with usage                          reported   OK
 *   whole answer without                             counted    NO_USAGE
 *   stream with a last usage, however it ended       reported   OK, LOST, TIMEOUT, CANCELLED
 *   stream without, ended by the provider            counted    NO_USAGE
 *   stream without, cut or cancelled                 counted    LOST, TIMEOUT, CANCELLED
 *   no answer, or a plain one that broke off         reserved   LOST, TIMEOUT, CANCELLED
 *   ... and the client had left, all read            as above   CLIENT_GONE
 *
 * COUNTED  input: the reported figure if there was one, else the bound. Output: the bytes seen, a
 *   token being at least one, plus what a template adds to each choice; if the end was not the
 *   provider's own, plus LIMIT_UNDER_WAY_TOKENS a choice. Where output may be hidden (the model
 *   reasons or is not known not to, the request speaks of it, or not a byte was seen) the whole
 *   grant. Never more than was reserved. So billed <= committed <= reserved.
 * Every ending goes through here once: INV-03 is asserted on the way (state COMMITTING is entered
 * from a calling state only). */
#include "gateway/call.h"

#include "base/assert.h"

int64_t call_reserved(const struct call *call, const struct mete_demand *demand)
{
    int64_t unit, sum;
    if (!checked_mul_div_up(demand->per_million, call->granted, 1000000, &unit) ||
        !checked_add(unit, demand->fixed, &sum))
        return METE_AMOUNT_MAX; /* the owner granted it, so it fits; this cannot be reached */
    return sum;
}

/* ---- Quantities ------------------------------------------------------------------------------ */

static int64_t reserved_output(const struct call *call)
{
    int64_t one, all;
    if (!checked_add(call->granted, call->request.output_fixed, &one) ||
        !checked_mul(one, call->request.choices, &all))
        return METE_AMOUNT_MAX;
    return all;
}

static int64_t counted_output(const struct call *call, enum upstream_end end)
{
    bool streamed = call->stream.dialect != NULL;
    bool priced = call->price->prices[PRICE_REASONING].atto_per_million !=
                  call->price->prices[PRICE_OUTPUT].atto_per_million;
    bool hides = call->request.may_hide_output || call->price->reasons || priced;
    int64_t bytes = streamed ? stream_output_bytes(&call->stream) : (int64_t)call->answer.len;
    int64_t told = streamed && call->stream.has_usage ? call->stream.usage.output : 0;
    int64_t whole = reserved_output(call);
    if (hides || !bytes)
        return max_i64(whole, told);
    int64_t more = LIMIT_TEMPLATE_TOKENS + (end == UPSTREAM_DONE ? 0 : LIMIT_UNDER_WAY_TOKENS);
    int64_t sum;
    if (!checked_add(max_i64(bytes, told), more * call->request.choices, &sum))
        return whole;
    /* No provider makes more than its bound, unless it says so itself. */
    return max_i64(min_i64(sum, whole), told);
}

static void take_counted(struct call *call, enum upstream_end end)
{
    bool told = call->stream.dialect && call->stream.has_usage;
    int64_t input = told ? call->stream.usage.input : call->request.input_bound;
    call->used = (struct pricing_usage){
        .input = min_i64(input, call->request.input_bound),
        .output = call->basis == CALL_RESERVED ? reserved_output(call) : counted_output(call, end)};
}

/* The price of a count: as a reservation prices it, so that the dearest kind of token is paid. */
static int64_t counted_cost(const struct call *call)
{
    struct mete_demand demand;
    int64_t output, cost, reserved = call_reserved(call, &call->demands[0]);
    if (call->basis == CALL_RESERVED || pricing_bound(call->price, call->used.input, 1, &demand) ||
        !checked_mul_div_up(demand.per_million, call->used.output, 1000000, &output) ||
        !checked_add(output, demand.fixed, &cost))
        return reserved;
    return min_i64(cost, reserved);
}

/* ---- The commit ------------------------------------------------------------------------------ */

static void add_usage(struct call *call, size_t *len, uint16_t meter, int64_t amount)
{
    ASSERT(*len < CALL_USAGES);
    if (amount)
        call->usage[(*len)++] = (struct mete_usage){meter, 0, min_i64(amount, METE_AMOUNT_MAX)};
}

static size_t write_usage(struct call *call, int64_t cost)
{
    const struct pricing_usage *u = &call->used;
    if (call->basis == CALL_NOTHING)
        return 0;
    size_t len = 0;
    call->usage[len++] = (struct mete_usage){METE_COST, call->price->currency, cost};
    int64_t total = METE_AMOUNT_MAX;
    if (checked_add(u->input, u->output, &total) && call->basis != CALL_REPORTED)
        total = min_i64(total, call_reserved(call, &call->demands[1]));
    add_usage(call, &len, METE_TOTAL_TOKENS, total);
    add_usage(call, &len, METE_REQUESTS, 1);
    add_usage(call, &len, METE_INPUT, u->input);
    add_usage(call, &len, METE_CACHED_INPUT, u->cached_input);
    add_usage(call, &len, METE_CACHE_WRITE, u->cache_write);
    add_usage(call, &len, METE_OUTPUT, u->output);
    add_usage(call, &len, METE_REASONING, u->reasoning);
    return len;
}

static uint32_t elapsed_ms(int64_t from_us, int64_t to_us)
{
    return to_us <= from_us ? 0 : (uint32_t)min_i64((to_us - from_us) / 1000, UINT32_MAX);
}

static uint32_t outcome_flags(const struct call *call, enum upstream_end end)
{
    uint32_t flags = 0;
    if (call->basis == CALL_COUNTED)
        flags |= METE_OUTCOME_COUNTED;
    if (call->basis == CALL_RESERVED || (call->basis == CALL_COUNTED && end != UPSTREAM_DONE))
        flags |= METE_OUTCOME_PROVISIONAL;
    return flags;
}

static void write_commit(struct call *call, enum upstream_end end)
{
    int64_t cost = 0;
    /* Usage too large to be priced is no usage that can be believed. */
    if (call->basis == CALL_REPORTED && pricing_charge(call->price, &call->used, &cost)) {
        call->basis = CALL_RESERVED;
        take_counted(call, end);
    }
    if (call->basis == CALL_COUNTED || call->basis == CALL_RESERVED)
        cost = counted_cost(call);
    call->cost = cost;
    struct slice version = pricing_version(call->gateway->parts.pricing);
    int64_t now_us = call->gateway->parts.timers->now_us(call->gateway->parts.timers);
    call->op.args.commit = (struct mete_commit){
        .reservation = call->reservation,
        .usage = call->usage,
        .usage_len = write_usage(call, cost),
        .outcome = {.ending = call->ending,
                    .flags = outcome_flags(call, end),
                    .status = (uint16_t)call->upstream_status,
                    .attempts = 1,
                    .latency_ms = elapsed_ms(call->began_us, now_us),
                    .first_token_ms = elapsed_ms(call->began_us, call->first_us),
                    .price_list = {version.data, version.len}}};
    ASSERT(version.len <= LIMIT_PROVIDER);
}

/* ---- The decision ---------------------------------------------------------------------------- */

static enum mete_ending ending_of(const struct call *call, enum upstream_end end)
{
    switch (end) {
    case UPSTREAM_TIMEOUT:
        return METE_ENDED_TIMEOUT;
    case UPSTREAM_LOST:
    case UPSTREAM_NOT_SENT:
        return METE_ENDED_LOST;
    case UPSTREAM_CANCELLED:
        return call->too_large ? METE_ENDED_LOST : METE_ENDED_CANCELLED;
    case UPSTREAM_DONE:
        break;
    }
    if (call->gone)
        return METE_ENDED_CLIENT_GONE;
    if (call->stream.dialect && call->stream.failed && call->basis != CALL_REPORTED)
        return METE_ENDED_ERROR;
    return call->basis == CALL_COUNTED ? METE_ENDED_NO_USAGE : METE_ENDED_OK;
}

static enum call_basis stream_basis(const struct stream *stream, enum upstream_end end)
{
    bool last = end == UPSTREAM_DONE || stream->usage_finishes;
    return stream->has_usage && stream->usage_is_last && last ? CALL_REPORTED : CALL_COUNTED;
}

static enum call_basis basis_of(struct call *call, enum upstream_end end)
{
    struct slice answer = buffer_slice(&call->answer);
    if (call->stream.dialect) {
        call->used = call->stream.usage;
        return stream_basis(&call->stream, end);
    }
    if (!call->upstream_status)
        return CALL_RESERVED;
    if (end == UPSTREAM_DONE && call->dialect->read_usage(answer, &call->used))
        return CALL_REPORTED;
    if (call->upstream_status < 200 || call->upstream_status > 299)
        return CALL_NOTHING;
    return end == UPSTREAM_DONE ? CALL_COUNTED : CALL_RESERVED;
}

void call_settle(struct call *call, enum upstream_end end)
{
    bool error_status =
        call->upstream_status && (call->upstream_status < 200 || call->upstream_status > 299);
    ASSERT(call->state == CALL_CALLING || call->state == CALL_STREAMING ||
           call->state == CALL_COLLECTING);
    ASSERT_INV("INV-03", call->reservation.n && !call->op_open);
    call->basis = basis_of(call, end);
    call->ending = error_status ? METE_ENDED_ERROR : ending_of(call, end);
    if (call->basis == CALL_COUNTED || call->basis == CALL_RESERVED)
        take_counted(call, end);
    write_commit(call, end);
    call->state = CALL_COMMITTING;
}
