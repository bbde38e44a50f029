/* SPDX-License-Identifier: Apache-2.0
 * What is asked, by whom, of whom it can be asked, and the most it can cost: from the exchange to
 * the reservation.
 *
 * The order of refusals is that of the design: the key, what it may use, what has no price; then
 * the engine's own verdict. */
#include "gateway/call.h"

#include "base/assert.h"
#include "codec/base62.h"
#include "gateway/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

enum { ID_DIGITS = 11 };

/* ---- The caller ------------------------------------------------------------------------------ */

static bool id_fits(struct slice id)
{
    for (size_t i = 0; i < id.len; i++)
        if (id.data[i] <= ' ' || id.data[i] > '~')
            return false;
    return id.len <= LIMIT_ID;
}

/* The caller's id: the first header that is there. False: it cannot be one. */
static bool read_id(struct call *call)
{
    static const char *const names[] = {"idempotency-key", "x-trace-id", "x-request-id"};
    struct slice id = {0};
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !id.len; i++)
        id = call->exchange->ops->header(call->exchange, names[i]);
    if (id.len && id_fits(id)) {
        call->request_id = call->shown_id = id;
        return true;
    }
    memcpy(call->id_room, "req_", 4);
    base62_encode((uint64_t)mete_now(call->gateway->parts.mete).us, call->id_room + 4, ID_DIGITS);
    base62_encode(call->exchange->id, call->id_room + 4 + ID_DIGITS, ID_DIGITS);
    call->shown_id = (struct slice){call->id_room, 4 + 2 * ID_DIGITS};
    return !id.len;
}

static void read_trace(struct call *call)
{
    const struct exchange *exchange = call->exchange;
    uint64_t random[TRACE_RANDOM / sizeof(uint64_t)];
    for (size_t i = 0; i < sizeof random / sizeof random[0]; i++)
        random[i] = providers_random(&call->gateway->providers);
    trace_context_make(exchange->ops->header(exchange, "traceparent"),
                       exchange->ops->header(exchange, "tracestate"), (const uint8_t *)random,
                       &call->trace);
}

/* Always false. */
static bool refuse_model(struct call *call, int status, const char *code, const char *why,
                         struct dialect_error *ret_error)
{
    snprintf(call->asking->message, sizeof call->asking->message, "%s: %s", why,
             call->request.model);
    *ret_error = (struct dialect_error){status,  "invalid_request_error", code,
                                        "model", call->asking->message,   {0}};
    return false;
}

/* What is stored elsewhere may be gone on from by those whose it is (INV-12). */
static bool may_continue(const struct call *call, struct dialect_error *ret_error)
{
    static const struct dialect_error foreign = {404,
                                                 "invalid_request_error",
                                                 "previous_response_not_found",
                                                 "previous_response_id",
                                                 "There is no such answer here.",
                                                 {0}};
    char id[LIMIT_ID];
    struct json string = {JSON_STRING, call->request.continues};
    long len = call->request.continues.len ? json_string_copy(string, id, sizeof id) : 0;
    if (len <= 0 ||
        !fetch_is_foreign(call->gateway, (struct slice){id, (size_t)len}, call->organization))
        return true;
    *ret_error = foreign;
    return false;
}

static bool read_key(struct call *call, struct dialect_error *ret_error)
{
    struct gateway *gateway = call->gateway;
    const struct gateway_refused *refused = &gateway->key_refused;
    const struct directory_key *key =
        gateway_good_key(gateway, call->exchange, call->format->endpoint);
    if (!key) {
        *ret_error = refused->error;
        call->refused_for = refused->reason;
        return false;
    }
    call->scope = key->scope;
    call->organization = key->organization;
    if (key->disconnect != DIRECTORY_AS_CONFIGURED)
        call->disconnect = key->disconnect == DIRECTORY_DRAIN ? GATEWAY_DRAIN : GATEWAY_CANCEL;
    call->target.content_type = call->exchange->ops->header(call->exchange, "content-type");
    if (call->format->read_request(&call->target, call->exchange->body, &call->request,
                                   ret_error) ||
        !may_continue(call, ret_error))
        return false;
    struct slice model = {call->request.model, call->request.model_len};
    if (gateway_key_takes_model(gateway, key, model))
        return true;
    *ret_error = refused->error;
    call->refused_for = refused->reason;
    return false;
}

/* One more of the key's calls at once. Where many are held open, none of them knows of the others,
 * nor has a budget anything against them: what they take is sockets and memory. */
static bool take_place(struct call *call, struct dialect_error *ret_error)
{
    struct gateway *gateway = call->gateway;
    uint32_t max = gateway->config->key_calls_max;
    if (!max)
        return true;
    if (crowd_enter(&gateway->crowd, call->scope.n, max)) {
        call->crowd = call->scope.n;
        return true;
    }
    call->refused_for = METE_CONCURRENCY;
    *ret_error = call_crowded;
    return false;
}

/* ---- Of whom it can be asked ----------------------------------------------------------------- */

/* What an administrator said of the model: of an alias what it is another name of goes on. */
static bool find_model(struct call *call, struct slice *model, struct dialect_error *ret_error)
{
    const struct models *models = call->gateway->parts.models;
    const struct model *said =
        models && !call->request.is_flat ? models_find(models, *model) : NULL;
    bool disabled = said && said->disabled;
    if (said && said->alias_len && !disabled) {
        memcpy(call->asking->alias_of, said->alias_of, said->alias_len);
        *model = (struct slice){call->asking->alias_of, said->alias_len};
        said = models_find(models, *model);
        disabled = said && said->disabled;
    }
    call->output_max = said ? said->output_max : 0;
    return !disabled ||
           refuse_model(call, 403, "model_disabled", "This model is disabled here", ret_error);
}

static void tell_unknown(const struct call *call, struct slice model)
{
    const struct gateway_parts *parts = &call->gateway->parts;
    if (parts->unknown_model && call->gateway->config->draft_unknown)
        parts->unknown_model(parts->user, model);
}

static bool find_providers(struct call *call, struct dialect_error *ret_error)
{
    struct gateway *gateway = call->gateway;
    struct candidates *candidates = &call->asking->candidates;
    struct slice model = {call->request.model, call->request.model_len};
    int64_t now_us = mete_now(gateway->parts.mete).us;
    if (price_book_list(gateway->parts.prices, call->organization.n, now_us, &call->pricing)) {
        *ret_error = call_no_memory;
        return false;
    }
    if (!find_model(call, &model, ret_error))
        return false;
    if (call->request.is_flat)
        providers_pass(&gateway->providers, call->exchange->path, model, candidates);
    else
        providers_choose(&gateway->providers, call->pricing, model, call->format, candidates);
    if (!candidates->answers || (candidates->enabled && candidates->speaks && !candidates->len))
        tell_unknown(call, model);
    if (!candidates->answers)
        return refuse_model(call, 404, "model_not_found", "No provider here answers this model",
                            ret_error);
    if (!candidates->enabled) {
        (void)refuse_model(call, 503, "provider_disabled",
                           "The provider of this model is disabled here", ret_error);
        ret_error->type = "server_error";
        return false;
    }
    if (!candidates->speaks)
        return refuse_model(call, 400, "format_not_spoken",
                            "The provider of this model does not speak this API", ret_error);
    if (candidates->len) {
        call->price = candidates->list[0].price;
        return true;
    }
    call->refused_for = METE_UNPRICED;
    return refuse_model(call, 400, "model_not_priced",
                        "This model has no price here, so it cannot be budgeted", ret_error);
}

/* ---- The worst case -------------------------------------------------------------------------- */

struct pricing_limits call_limits(const struct dialect_request *request)
{
    static const struct {
        uint32_t use;
        enum price_meter meter;
    } kinds[] = {
        {DIALECT_AUDIO_INPUT, PRICE_AUDIO_INPUT},
        {DIALECT_AUDIO_OUTPUT, PRICE_AUDIO_OUTPUT},
        {DIALECT_IMAGE_OUTPUT, PRICE_IMAGE_OUTPUT},
        {DIALECT_LONG_CACHE, PRICE_CACHE_WRITE_1H},
    };
    const struct dialect_pieces *pieces = &request->pieces;
    struct pricing_limits limits = {.input = request->input_bound,
                                    .choices = request->choices,
                                    .images = pieces->images,
                                    .characters = pieces->characters,
                                    .audio_seconds = pieces->audio_seconds,
                                    .video_seconds = pieces->video_seconds,
                                    .grade = pieces->grade,
                                    .flat = request->is_flat};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (request->uses & kinds[i].use)
            limits.also |= PRICE_BIT(kinds[i].meter);
    if (request->uses & DIALECT_SEARCHES)
        limits.searches = max_i64(request->searches, 1);
    if (request->uses & DIALECT_PRIORITY)
        limits.services |= PRICE_BIT(PRICE_PRIORITY) | PRICE_BIT(PRICE_STANDARD);
    if (request->uses & DIALECT_FLEX)
        limits.services |= PRICE_BIT(PRICE_FLEX) | PRICE_BIT(PRICE_STANDARD);
    return limits;
}

int call_bound(const struct dialect_request *request, const struct pricing_limits *limits,
               const struct price_model *price, struct mete_demand *ret_cost)
{
    struct mete_demand one;
    int64_t extra;
    int rc = pricing_bound(price, limits, &one);
    if (rc)
        return rc;
    if (!checked_mul_div_up(one.per_million, request->output_fixed, 1000000, &extra) ||
        !checked_add(one.fixed, extra, &one.fixed) || one.fixed > METE_AMOUNT_MAX)
        return METE_E_TOO_LARGE;
    *ret_cost = one;
    return 0;
}

/* The dearer of what one attempt at this price may cost and of what is there already. */
static int add_demand(const struct dialect_request *request, const struct price_model *price,
                      struct mete_demand *cost)
{
    const struct pricing_limits limits = call_limits(request);
    struct mete_demand one;
    int rc = call_bound(request, &limits, price, &one);
    if (rc)
        return rc;
    one.fixed = max_i64(one.fixed, cost->fixed);
    one.per_million = max_i64(one.per_million, cost->per_million);
    *cost = one;
    return 0;
}

static struct mete_demand pieces_demand(const struct dialect_pieces *pieces)
{
    return pieces->images       ? (struct mete_demand){METE_IMAGES, 0, pieces->images, 0}
           : pieces->characters ? (struct mete_demand){METE_CHARACTERS, 0, pieces->characters, 0}
           : pieces->audio_seconds
               ? (struct mete_demand){METE_AUDIO_SECONDS, 0, pieces->audio_seconds, 0}
               : (struct mete_demand){METE_VIDEO_SECONDS, 0, pieces->video_seconds, 0};
}

static int set_demands(struct call *call, struct mete_demand cost)
{
    const struct dialect_request *request = &call->request;
    int64_t more;
    if (!checked_mul(request->output_fixed, request->choices, &more))
        return METE_E_TOO_LARGE;
    call->demands[0] = cost;
    call->demands[1] = (struct mete_demand){METE_TOTAL_TOKENS, 0, request->input_bound + more,
                                            request->choices * 1000000};
    call->demands[2] = (struct mete_demand){METE_REQUESTS, 0, 1, 0};
    call->demands_len = 3;
    if (request->has_pieces)
        call->demands[call->demands_len++] = pieces_demand(&request->pieces);
    return 0;
}

/* Of the model that is billed by the piece, and whose tokens have no price, nobody need count them.
 */
static bool has_no_tokens(const struct dialect_request *request, const struct price_model *price)
{
    const struct pricing_limits limits = call_limits(request);
    return pricing_by_piece(price, &limits) && !pricing_prices(price, PRICE_INPUT) &&
           !pricing_prices(price, PRICE_OUTPUT);
}

static void drop_tokens(struct call *call)
{
    const struct candidates *all = &call->asking->candidates;
    bool none = call->request.has_pieces;
    for (size_t i = 0; i < all->len; i++)
        none = none && has_no_tokens(&call->request, all->list[i].price);
    if (none)
        call->request.input_bound = call->request.output_fixed = 0;
}

/* At the dearest price of those that may be asked. Who cannot bound it, or bills in another
 * currency than the first, is not asked. */
static int make_demands(struct call *call)
{
    struct candidates *all = &call->asking->candidates;
    struct mete_demand cost = {0};
    size_t kept = 0;
    int rc = 0, first = 0;
    for (size_t i = 0; i < all->len; i++) {
        if (kept && all->list[i].price->currency != all->list[0].price->currency)
            continue;
        rc = add_demand(&call->request, all->list[i].price, &cost);
        if (rc && !first)
            first = rc;
        if (!rc)
            all->list[kept++] = all->list[i];
    }
    all->len = kept;
    if (!kept)
        return first;
    call->price = all->list[0].price;
    drop_tokens(call);
    return set_demands(call, cost);
}

/* What the first who was to be asked has no price for. */
static void name_unpriced(struct call *call, struct dialect_error *ret_error)
{
    static const struct {
        uint32_t use;
        enum price_meter meter;
        const char *what;
    } kinds[] = {
        {DIALECT_AUDIO_INPUT, PRICE_AUDIO_INPUT, "sound in its input"},
        {DIALECT_AUDIO_OUTPUT, PRICE_AUDIO_OUTPUT, "sound in its output"},
        {DIALECT_IMAGE_OUTPUT, PRICE_IMAGE_OUTPUT, "pictures in its output"},
        {DIALECT_SEARCHES, PRICE_SEARCH, "searches made by the provider"},
    };
    const struct dialect_pieces *pieces = &call->request.pieces;
    const char *what =
        !pricing_prices(call->price, PRICE_INPUT) || !pricing_prices(call->price, PRICE_OUTPUT)
            ? pieces->images          ? "pictures"
              : pieces->characters    ? "speech"
              : pieces->audio_seconds ? "sound"
              : pieces->video_seconds ? "video"
                                      : "tokens"
            : "another service tier";
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (call->request.uses & kinds[i].use && !pricing_prices(call->price, kinds[i].meter)) {
            what = kinds[i].what;
            break;
        }
    snprintf(call->asking->message, sizeof call->asking->message,
             "The call may have %s, which %.128s has no price for here, so it cannot be budgeted.",
             what, call->request.model);
    call->refused_for = METE_UNPRICED;
    *ret_error = (struct dialect_error){400,  "invalid_request_error", "unsupported_parameter",
                                        NULL, call->asking->message,   {0}};
}

static void refuse_demands(struct call *call, int rc)
{
    static const struct dialect_error too_dear = {400,
                                                  "invalid_request_error",
                                                  "too_large",
                                                  NULL,
                                                  "The call's worst case is beyond any budget.",
                                                  {0}};
    struct dialect_error error = too_dear;
    if (rc == METE_E_UNPRICED)
        name_unpriced(call, &error);
    call_reply_failure(call, &error);
}

/* ---- The reservation ------------------------------------------------------------------------- */

static void on_reserved(struct mete_op *op);

static void on_granted(struct work *work)
{
    struct call *call =
        ((struct call_refused *)(void *)((char *)work - offsetof(struct call_refused, grants)))
            ->call;
    ASSERT(call->state == CALL_RESERVING);
    call_submit(call, METE_OP_RESERVE, on_reserved);
}

/* What a quota refused may be due to be granted at this moment: then it is asked once more. */
static bool await_grants(struct call *call)
{
    const struct gateway_parts *parts = &call->gateway->parts;
    struct call_refused *refused = call->refused;
    size_t len = call->op.result.verdict.refusals_len;
    bool is_quota = false;
    for (size_t i = 0; i < len && i < METE_REFUSALS_MAX; i++)
        is_quota |= refused->naming.all[i].reason == METE_QUOTA;
    if (refused->waited || !is_quota || !parts->await_grants)
        return false;
    refused->waited = true;
    refused->call = call;
    refused->grants = (struct work){.done = on_granted};
    return parts->await_grants(parts->user, &refused->grants);
}

static void on_reserved(struct mete_op *op)
{
    struct call *call = CALL_OF(op, op);
    call->op_open = false;
    ASSERT(call->state == CALL_RESERVING);
    if (op->status) {
        call_refuse_error(call, op->status);
        return;
    }
    const struct mete_verdict *verdict = &op->result.verdict;
    if (!verdict->allowed && await_grants(call))
        return;
    if (!verdict->allowed) {
        call_refuse(call);
        return;
    }
    ASSERT_INV("INV-05", verdict->reservation.n);
    call->reservation = verdict->reservation;
    call->granted = verdict->granted;
    spares_give(&call->gateway->refused, call->refused);
    call->refused = NULL;
    if (call->gone) {
        call_release(call, &call_left);
        return;
    }
    call_ask_rates(call);
    call_ask(call);
}

int64_t call_wish(const struct gateway *gateway, const struct dialect_request *request,
                  const struct price_model *price)
{
    if (request->makes_no_output)
        return 0;
    if (request->asked)
        return request->asked;
    return price->output_max ? price->output_max
                             : max_i64(gateway->config->default_output_tokens, 1);
}

static uint64_t fingerprint(const struct call *call)
{
    struct slice body = call->exchange->body, path = call->exchange->path;
    uint64_t where = XXH3_64bits(path.data, path.len);
    if (call->request.content)
        return XXH3_64bits_withSeed(&call->request.content, sizeof call->request.content, where);
    return XXH3_64bits_withSeed(body.data, body.len, where);
}

static void reserve(struct call *call)
{
    const struct gateway_config *config = call->gateway->config;
    call->reserved_for = call->asking->candidates.list[0].provider;
    const char *provider = call->reserved_for->config->name;
    const struct labels *labels = &call->asking->labels;
    ASSERT_INV("INV-11", call->price != NULL);
    call->refused = spares_take(&call->gateway->refused);
    if (!call->refused) {
        call_reply_failure(call, &call_no_memory);
        return;
    }
    call->refused->waited = false;
    call->wish = call_wish(call->gateway, &call->request, call->price);
    if (call->output_max)
        call->wish = min_i64(call->wish, call->output_max);
    int64_t least = max_i64(config->floor_tokens, call->request.output_least);
    int64_t floor = min_i64(max_i64(least, 1), call->wish);
    call->op.args.reserve =
        (struct mete_reserve){.scope = call->scope,
                              .request_id = {call->request_id.data, call->request_id.len},
                              .content = fingerprint(call),
                              .model = {call->request.model, call->request.model_len},
                              .provider = {provider, strlen(provider)},
                              .session = {labels->session.data, labels->session.len},
                              .tags = labels->tags,
                              .tags_len = labels->tags_len,
                              .demands = call->demands,
                              .demands_len = call->demands_len,
                              .floor = config->clamp ? floor : call->wish,
                              .wish = call->wish,
                              .ttl_ms = LIMIT_TTL_MS,
                              .on_expiry = METE_EXPIRY_CHARGE,
                              .flags = METE_RESERVE_CALL};
    call->op.refusals = call->refused->naming.all;
    call->op.refusals_max = METE_REFUSALS_MAX;
    call->op.kind = METE_OP_RESERVE;
    call->op.done = on_reserved;
    call->state = CALL_RESERVING;
    if (!call_try_submit(call))
        call_reply_failure(call, &call_busy);
}

void call_read(struct call *call)
{
    struct dialect_error error = {
        400,
        "invalid_request_error",
        "invalid_value",
        NULL,
        "The request id must be 1 to 128 bytes of printable ASCII without "
        "spaces.",
        {0}};
    if (!read_id(call) || !labels_read(call->exchange, &call->asking->labels, &error) ||
        !read_key(call, &error) || !take_place(call, &error) || !find_providers(call, &error)) {
        call_reply_failure(call, &error);
        return;
    }
    read_trace(call);
    call_count_input(call);
}

void call_counted(struct call *call)
{
    int rc = make_demands(call);
    if (rc)
        refuse_demands(call, rc);
    else
        reserve(call);
}
