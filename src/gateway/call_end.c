/* SPDX-License-Identifier: Apache-2.0
 * What a call is charged, once the provider has ended.
 *
 *   what happened                                    basis      ending
 *   error status (not 2xx)                           reported, else nothing   ERROR
 *   whole answer with usage                          reported   OK
 *   whole answer without                             counted    NO_USAGE
 *   answer that is no document                       reserved   LOST
 *   whole answer that says it comes later            reserved   OK
 *   ... and what it will come to                     reported   OK, provisionally
 *   whole answer of pieces that have a price         reported   OK
 *   stream with a last usage, however it ended       reported   OK, LOST, TIMEOUT, CANCELLED
 *   stream without, ended by the provider            counted    NO_USAGE
 *   stream without, or whose end was not told        counted    LOST, TIMEOUT, CANCELLED
 *   no answer, or a plain one that broke off         reserved   LOST, TIMEOUT, CANCELLED
 *   ... and the client had left, all read            as above   CLIENT_GONE
 *
 * COUNTED  input: the bound. Output: where the model's encoding is public, the tokens of what the
 *   answer says, as its provider counts them (stream_count.h); else what its family's figures make
 *   of them, or the bytes, a token being at least one, plus what a template adds to each choice. If
 *   the end was not the provider's own, plus LIMIT_UNDER_WAY_TOKENS a choice. Where output may be
 *   hidden (the model reasons or is not known not to, the request speaks of it, or not a byte was
 *   seen) or more of it had come than was granted, the whole grant. Never more than was reserved.
 *   So billed <= committed <= reserved.
 * TOLD     usage that came before the last of a stream is charged as reported usage is, of its
 *   kinds and beyond what was reserved (an overrun): what was told was used. Only the output beyond
 *   it is counted.
 *
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

int64_t call_reserved_output(const struct call *call)
{
    int64_t one, all;
    if (!checked_add(call->granted, call->request.output_fixed, &one) ||
        !checked_mul(one, call->request.choices, &all))
        return METE_AMOUNT_MAX;
    return all;
}

/* A token is at least a byte, and a template adds some to each choice. */
static int64_t with_template(const struct call *call, int64_t tokens)
{
    return tokens + LIMIT_TEMPLATE_TOKENS * call->request.choices;
}

/* What an answer that came in one piece may be billed. */
static int64_t answer_tokens(const struct call *call)
{
    struct slice body = buffer_slice(&call->answer);
    const struct frame whole = {.raw = body, .data = body, .has_data = true};
    struct dialect_stream nothing = {0};
    struct stream_count count = {0};
    struct dialect_event seen;
    int64_t tokens = with_template(call, (int64_t)body.len);
    if (!call->tokenizer || call->request.repeats_prompt || !call->spoken->reads_whole ||
        body.len > LIMIT_COUNTED_BYTES)
        return tokens;
    call->spoken->read_event(&nothing, &whole, &seen);
    if (!seen.texts_are_all && !(call->family && seen.output_bytes))
        return tokens;
    stream_count_begin(&count, call->tokenizer, call->spoken);
    if (call->family)
        stream_count_by_family(&count, call->family);
    stream_count_event(&count, &seen);
    if (stream_count_exact(&count))
        tokens = stream_count_whole(&count);
    else if (stream_count_on(&count))
        tokens = min_i64(tokens, with_template(call, stream_count_most(&count)));
    stream_count_done(&count);
    return tokens;
}

/* What a stream may be billed that it has had until now or, if it ended well, in all. */
static int64_t streamed_tokens(const struct call *call, bool ended)
{
    const struct stream *stream = &call->stream;
    if (!stream_count_exact(&stream->count))
        return with_template(call, stream_most(stream));
    return ended ? stream_count_whole(&stream->count) : stream_tokens(stream);
}

/* Searches that nobody asked for (those are refused unless they are priced) and that have no price
 * do not make the provider's other figures less true. */
static void drop_unasked(const struct call *call, struct pricing_usage *usage)
{
    if (!(call->request.uses & DIALECT_SEARCHES) && !pricing_prices(call->price, PRICE_SEARCH))
        usage->searches = 0;
}

/* What a stream that is counted told before its end, and what that costs. False: nothing, or what
 * cannot be believed. */
static bool find_told(const struct call *call, struct pricing_usage *ret_told, int64_t *ret_cost)
{
    if (call->basis != CALL_COUNTED || !call->stream.formats.client || !call->stream.has_usage)
        return false;
    *ret_told = call->stream.usage;
    drop_unasked(call, ret_told);
    return !pricing_charge(call->price, ret_told, ret_cost);
}

/* told: tokens of it that the provider has told already. */
static int64_t counted_output(const struct call *call, enum upstream_end end, int64_t told)
{
    bool streamed = call->stream.formats.client != NULL;
    bool priced = call->price->prices[PRICE_REASONING].atto_per_million !=
                  call->price->prices[PRICE_OUTPUT].atto_per_million;
    bool hides = call->request.may_hide_output || call->price->reasons || priced;
    int64_t bytes = streamed ? stream_output_bytes(&call->stream) : (int64_t)call->answer.len;
    int64_t whole = call_reserved_output(call);
    if (hides || !bytes || call->stream.full || call->cut == CALL_BOUND)
        return max_i64(whole, told);
    bool ended = end == UPSTREAM_DONE;
    int64_t tokens = streamed ? streamed_tokens(call, ended) : answer_tokens(call);
    int64_t more = ended ? 0 : LIMIT_UNDER_WAY_TOKENS * call->request.choices, sum;
    if (!checked_add(max_i64(tokens, told), more, &sum))
        return whole;
    /* No provider makes more than its bound, unless it says so itself. */
    return max_i64(min_i64(sum, whole), told);
}

static void take_counted(struct call *call, enum upstream_end end)
{
    struct pricing_usage told;
    int64_t cost;
    if (!find_told(call, &told, &cost))
        told = (struct pricing_usage){.input = call->request.input_bound};
    call->used = told;
    (void)call_own_figures(call, &call->used);
    call->used.output = call->basis == CALL_RESERVED ? call_reserved_output(call)
                                                     : counted_output(call, end, told.output);
}

/* The price of a count: as a reservation prices it, so that the dearest kind of token is paid. */
static bool price_count(const struct call *call, bool input, int64_t output, int64_t *ret_cost)
{
    struct pricing_limits limits = call_limits(&call->request);
    struct mete_demand demand;
    limits.input = call->used.input;
    limits.choices = 1;
    return !pricing_bound(call->price, &limits, &demand) &&
           checked_mul_div_up(demand.per_million, output, 1000000, ret_cost) &&
           (!input || checked_add(demand.fixed, *ret_cost, ret_cost));
}

static int64_t cost_without_told(const struct call *call)
{
    int64_t cost, reserved = call_reserved(call, &call->demands[0]);
    return price_count(call, true, call->used.output, &cost) ? min_i64(cost, reserved) : reserved;
}

static int64_t counted_cost(const struct call *call)
{
    const struct dialect_request *request = &call->request;
    int64_t cost, told_cost, reserved = call_reserved(call, &call->demands[0]);
    struct pricing_usage told;
    if (call->basis == CALL_RESERVED)
        return reserved;
    if (!find_told(call, &told, &told_cost))
        return cost_without_told(call);
    bool within = told.input <= request->input_bound && told.output <= call_reserved_output(call);
    if (!price_count(call, false, call->used.output - told.output, &cost) ||
        !checked_add(cost, told_cost, &cost))
        return max_i64(reserved, told_cost);
    if (within)
        cost = min_i64(cost, max_i64(reserved, told_cost));
    /* Searches may have been made, and read, since it was told. */
    return request->uses & DIALECT_SEARCHES ? max_i64(cost, cost_without_told(call)) : cost;
}

/* ---- The commit ------------------------------------------------------------------------------ */

/* What may be charged besides, for an attempt before this one of unknown outcome. */
static int64_t add_up(int64_t sum, int64_t more)
{
    return sum > METE_AMOUNT_MAX - more ? METE_AMOUNT_MAX : sum + more;
}

/* What it would cost without the markup; of what was counted or reserved, of which there is no
 * other figure, by the markup alone. */
static int64_t list_cost(const struct call *call, int64_t cost)
{
    int64_t list;
    if (!call->price->markup_bp)
        return -1;
    bool exact = call->basis == CALL_REPORTED && !call->unknown;
    if (exact && !pricing_list_charge(call->price, &call->used, &list))
        return list;
    return pricing_list_of(call->price, cost);
}

static size_t write_usage(struct call *call, int64_t cost)
{
    const struct pricing_usage *u = &call->used;
    if (call->basis == CALL_NOTHING && !call->unknown)
        return 0;
    int64_t total = METE_AMOUNT_MAX;
    if (!checked_add(u->input, u->output, &total))
        total = METE_AMOUNT_MAX;
    for (uint32_t i = 0; i < call->unknown; i++)
        total = add_up(total, call_reserved(call, &call->demands[1]));
    const struct usage_cost costs = {call->price->currency, cost, list_cost(call, cost)};
    return usage_write(u, &costs, total, call->usage);
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
    if (call->basis == CALL_RESERVED || call->unknown || call->pending ||
        (call->basis == CALL_COUNTED && end != UPSTREAM_DONE))
        flags |= METE_OUTCOME_PROVISIONAL;
    return flags;
}

/* What is kept of it beside the figures. A job's may come to less, so its cost is not told apart.
 */
static struct mete_details details_of(struct call *call)
{
    struct slice reserved = slice_of(call->reserved_for->config->name);
    struct slice answered = slice_of(call->provider->config->name);
    struct slice model = call->response_model, id = call->response_id;
    struct slice format = slice_of(call->format->name);
    struct mete_details details = {.upstream_id = {id.data, id.len},
                                   .dialect = {format.data, format.len},
                                   .stream = call->request.stream};
    if (!slice_is(model, call->request.model))
        details.model = (struct mete_text){model.data, model.len};
    if (!slice_equal(reserved, answered))
        details.provider = (struct mete_text){answered.data, answered.len};
    if (!call->asking) /* of a stream; without memory its cost is not told apart */
        call->asking = spares_take(&call->gateway->asking);
    if (call->basis == CALL_REPORTED && !call->unknown && !call->pending && call->asking &&
        !pricing_parts(call->price, &call->used, call->asking->parts, &details.parts_len))
        details.parts = call->asking->parts;
    if (details.parts) {
        details.tariff.len = tariff_text_write(call->price, &call->used, call->asking->tariff);
        details.tariff.data = call->asking->tariff;
    }
    return details;
}

static struct mete_text note_of(const struct call *call)
{
    struct slice note = call->request.metadata;
    return note.len <= LIMIT_NOTE ? (struct mete_text){note.data, note.len} : (struct mete_text){0};
}

static void write_commit(struct call *call, enum upstream_end end)
{
    int64_t cost = 0;
    /* Usage too large to be priced is no usage that can be believed. */
    if (call->basis == CALL_REPORTED && pricing_charge(call->price, &call->used, &cost)) {
        call->basis = CALL_RESERVED;
        call->pending = false;
        take_counted(call, end);
    }
    if (call->basis == CALL_COUNTED || call->basis == CALL_RESERVED)
        cost = counted_cost(call);
    for (uint32_t i = 0; i < call->unknown; i++)
        cost = add_up(cost, call_reserved(call, &call->demands[0]));
    call->cost = cost;
    struct slice version = pricing_version(call->pricing);
    int64_t now_us = call->gateway->parts.timers->now_us(call->gateway->parts.timers);
    call->op.args.commit = (struct mete_commit){
        .reservation = call->reservation,
        .usage = call->usage,
        .usage_len = write_usage(call, cost),
        .outcome = {.ending = call->ending,
                    .flags = outcome_flags(call, end),
                    .status = (uint16_t)call->upstream_status,
                    .attempts = (uint16_t)min_i64(call->attempts, UINT16_MAX),
                    .latency_ms = elapsed_ms(call->began_us, now_us),
                    .first_token_ms = elapsed_ms(call->began_us, call->first_us),
                    .price_list = {version.data, version.len},
                    .note = note_of(call),
                    .details = details_of(call)}};
    ASSERT(version.len <= LIMIT_PROVIDER);
}

/* ---- The decision ---------------------------------------------------------------------------- */

static enum mete_ending ending_of_cut(enum call_cut cut)
{
    switch (cut) {
    case CALL_TOO_LARGE:
    case CALL_UNREADABLE:
        return METE_ENDED_LOST;
    case CALL_BOUND:
        return METE_ENDED_CUT;
    case CALL_STOPPED:
        return METE_ENDED_STOPPED;
    case CALL_SHUTDOWN:
        return METE_ENDED_SHUTDOWN;
    case CALL_RUNS:
    case CALL_CLIENT_LEFT:
        break;
    }
    return METE_ENDED_CANCELLED;
}

static enum mete_ending ending_of(const struct call *call, enum upstream_end end)
{
    switch (end) {
    case UPSTREAM_TIMEOUT:
        return METE_ENDED_TIMEOUT;
    case UPSTREAM_LOST:
    case UPSTREAM_NOT_SENT:
        return METE_ENDED_LOST;
    case UPSTREAM_CANCELLED:
        return ending_of_cut(call->cut);
    case UPSTREAM_DONE:
        break;
    }
    if (call->gone)
        return METE_ENDED_CLIENT_GONE;
    if (call->stream.formats.client && call->stream.failed && call->basis != CALL_REPORTED)
        return METE_ENDED_ERROR;
    return call->basis == CALL_COUNTED ? METE_ENDED_NO_USAGE : METE_ENDED_OK;
}

static enum call_basis stream_basis(const struct stream *stream, enum upstream_end end)
{
    bool last = end == UPSTREAM_DONE || stream->usage_finishes;
    return stream->has_usage && stream->usage_is_last && last ? CALL_REPORTED : CALL_COUNTED;
}

/* As the provider tells it: printable ASCII, or not at all. */
static struct slice printable(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] <= ' ' || name.data[i] > '~')
            return (struct slice){NULL, 0};
    return name;
}

static struct slice unquoted(struct slice quoted, char room[LIMIT_ID + 1])
{
    struct json string = {JSON_STRING, quoted};
    long len = quoted.len ? json_string_copy(string, room, LIMIT_ID) : 0;
    return printable((struct slice){room, len < 0 ? 0 : (size_t)len});
}

/* Nothing else tells a whole answer whose length was not told from the first part of one. */
static bool is_document(struct slice answer)
{
    struct json whole;
    return !json_scan(answer, &whole, NULL);
}

bool call_own_figures(const struct call *call, struct pricing_usage *usage)
{
    const struct dialect_request *request = &call->request;
    const struct dialect_pieces *asked = &request->pieces;
    int64_t cost;
    usage->flat = request->is_flat;
    usage->images = usage->images ? usage->images : asked->images;
    usage->characters = usage->characters ? usage->characters : asked->characters;
    usage->audio_seconds = usage->audio_seconds ? usage->audio_seconds : asked->audio_seconds;
    usage->video_seconds = usage->video_seconds ? usage->video_seconds : asked->video_seconds;
    usage->grade.quality = usage->grade.quality ? usage->grade.quality : asked->grade.quality;
    if (!usage->grade.width) {
        usage->grade.width = asked->grade.width;
        usage->grade.height = asked->grade.height;
    }
    return (request->has_pieces || request->is_flat) && !pricing_charge(call->price, usage, &cost);
}

/* What has no end of its own is whole when HTTP says so. */
static bool is_whole(const struct call *call, struct slice answer)
{
    return call->relays || call->request.is_any_text || is_document(answer);
}

/* Of an answer that tells no tokens: it is billed by what was asked for, or it costs nothing
 * whatever it was. */
static bool needs_no_usage(const struct call *call, struct pricing_usage *usage)
{
    const struct dialect_request *request = &call->request;
    if (request->has_pieces || request->is_flat)
        return call_own_figures(call, usage);
    return request->makes_no_output && !call->demands[0].fixed && !call->demands[0].per_million &&
           !call->price->is_ceiling;
}

/* What came whole, with an answer's status, and tells no usage of tokens. */
static bool take_own(struct call *call, const struct dialect_answer *read, struct slice answer)
{
    struct pricing_usage own = read->usage;
    bool good = call->upstream_status >= 200 && call->upstream_status <= 299;
    if (!good || !is_whole(call, answer) || read->pending || !needs_no_usage(call, &own))
        return false;
    call->used = own;
    return true;
}

/* *end becomes LOST where what came is no whole answer. */
static enum call_basis basis_of(struct call *call, enum upstream_end *end)
{
    struct slice answer = buffer_slice(&call->answer);
    if (call->stream.formats.client) {
        call->used = call->stream.usage;
        drop_unasked(call, &call->used);
        call->response_model = printable(slice_of(call->stream.seen.model));
        call->response_id = printable(slice_of(call->stream.seen.id));
        bool own = call_own_figures(call, &call->used) && *end == UPSTREAM_DONE;
        if (own && !call->stream.has_usage && !call->stream.failed && call->stream.ended)
            return CALL_REPORTED;
        return stream_basis(&call->stream, *end);
    }
    if (!call->upstream_status)
        return *end == UPSTREAM_NOT_SENT ? CALL_NOTHING : CALL_RESERVED;
    struct dialect_answer read = {0};
    if (*end == UPSTREAM_DONE) {
        call->spoken->read_answer(answer, &read);
        call->response_model = unquoted(read.model, call->asking->response_model);
        call->response_id = unquoted(read.id, call->asking->response_id);
    }
    if (read.has_usage) {
        call->used = read.usage;
        call->pending = read.pending;
        (void)call_own_figures(call, &call->used);
        drop_unasked(call, &call->used);
        return CALL_REPORTED;
    }
    if (*end == UPSTREAM_DONE && take_own(call, &read, answer))
        return CALL_REPORTED;
    if (read.pending)
        return CALL_RESERVED; /* until it is fetched, finished */
    if (call->upstream_status < 200 || call->upstream_status > 299)
        return CALL_NOTHING;
    if (*end == UPSTREAM_DONE && is_whole(call, answer))
        return CALL_COUNTED;
    if (*end == UPSTREAM_DONE) {
        call_fail(call, 502, "upstream_unreadable",
                  "The provider's answer is not of the format it should be.");
        *end = UPSTREAM_LOST;
    }
    return CALL_RESERVED;
}

void call_settle(struct call *call, enum upstream_end end)
{
    bool error_status =
        call->upstream_status && (call->upstream_status < 200 || call->upstream_status > 299);
    ASSERT(call->state == CALL_CALLING || call->state == CALL_STREAMING ||
           call->state == CALL_RELAYING || call->state == CALL_COLLECTING);
    ASSERT_INV("INV-03", call->reservation.n && !call->op_open);
    if (call->stream.full)
        stream_give_up(&call->stream);
    call->basis = basis_of(call, &end);
    call->ending = error_status ? METE_ENDED_ERROR : ending_of(call, end);
    if (call->basis == CALL_COUNTED || call->basis == CALL_RESERVED)
        take_counted(call, end);
    write_commit(call, end);
    call->state = CALL_COMMITTING;
}
