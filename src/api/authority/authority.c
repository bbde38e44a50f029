/* SPDX-License-Identifier: Apache-2.0
 * The stages of authority.h. Each walks the items from the front and asks only for what it does not
 * find; when nothing is to be asked the next stage follows at once, so a plain call is one
 * submission from its parse to its reply.
 *
 * ROOM  what the port's ring does not take waits in order, and is sent when earlier calls are done;
 * only when nothing of ours is under way is a full ring a 503.
 *
 * WHOSE  the admin may name any scope; a member or service token that may spend any of its
 *   organization. A key acts on its own: another scope of its organization is 403. What is of
 *   another organization is not there, 404, and neither is that organization (INV-12). */
#include "api/authority/handlers.h"
#include "api/authority/authority.h"

#include "api/limits/budget_json.h"
#include "base/assert.h"
#include "base/limits.h"

#include <stdarg.h>
#include <stdio.h>

#define BIT(meter) (UINT32_C(1) << (meter))

static const struct problem no_memory = {.error = METE_E_MEMORY};

/* Takes what is in request->problem; in an array its field begins with the item's index. */
static void spoil(struct request *request, struct item *item)
{
    const struct call *call = request->state;
    struct problem *problem = arena_take_raw(&request->arena, sizeof *problem);
    item->problem = problem ? problem : &no_memory;
    if (!problem)
        return;
    *problem = request->problem;
    const char *field = request->problem.field;
    if (call->array)
        snprintf(problem->field, sizeof problem->field, "[%zu]%s%.100s",
                 (size_t)(item - call->items), field[0] ? "." : "", field);
}

__attribute__((format(printf, 5, 6))) static void fail_item(struct request *request,
                                                            struct item *item, int error,
                                                            const char *field, const char *detail,
                                                            ...)
{
    va_list args;
    char text[PROBLEM_DETAIL];
    va_start(args, detail);
    vsnprintf(text, sizeof text, detail, args);
    va_end(args);
    problem_set(&request->problem, error, field, "%s", text);
    spoil(request, item);
}

/* ---- The end: names, and the reply ----------------------------------------------------------- */

void authority_reply(struct request *request)
{
    const struct call *call = request->state;
    if (call->array)
        out_open(&request->out, '[');
    for (size_t i = 0; i < call->len; i++)
        authority_write(request, &call->items[i]);
    if (call->array)
        out_close(&request->out, ']');
    request_reply(request, 200);
}

static void write_call(struct request *request)
{
    const struct call *call = request->state;
    if (!call->array && call->items[0].problem) {
        request->problem = *call->items[0].problem;
        request_problem(request);
    } else if (call->before_reply) {
        call->before_reply(request);
    } else {
        authority_reply(request);
    }
}

static void want_refusals(struct request *request, const struct item *item)
{
    const struct mete_verdict *verdict = &item->op.result.verdict;
    if (item->problem)
        return;
    for (size_t i = 0; i < verdict->refusals_len && i < METE_REFUSALS_MAX; i++) {
        request_want(request, NAME_SCOPE, item->refusals[i].scope.n);
        request_want(request, NAME_BUDGET, item->refusals[i].budget.n);
        request_want(request, NAME_RATE, item->refusals[i].rate.n);
    }
}

/* Names of scopes that were known before may lack their organization's. */
static void want_organizations(struct request *request)
{
    const struct call *call = request->state;
    for (size_t i = 0; i < call->len; i++) {
        const struct item *item = &call->items[i];
        if (item->problem)
            continue;
        for (size_t j = 0; j < item->op.result.verdict.refusals_len; j++) {
            const struct name *scope =
                namebook_scope(request->api->names, item->refusals[j].scope.n);
            request_want(request, NAME_SCOPE, scope ? scope->organization : 0);
        }
    }
    request_load_names(request, write_call);
}

static void load_names(struct request *request)
{
    const struct call *call = request->state;
    for (size_t i = 0; i < call->len; i++)
        want_refusals(request, &call->items[i]);
    request_load_names(request, want_organizations);
}

static bool next_figure(struct request *request, size_t *at, struct mete_query *ret_query)
{
    const struct call *call = request->state;
    for (; *at < call->len; ++*at) {
        const struct item *item = &call->items[*at];
        if (item->problem || item->has_figures || !item->op.result.verdict.has_remaining)
            continue;
        *ret_query = (struct mete_query){.kind = METE_QUERY_BUDGET,
                                         .budget = item->op.result.verdict.remaining_of};
        return true;
    }
    return false;
}

static void got_figure(struct request *request, size_t at, int status,
                       const struct mete_answer *answer)
{
    struct call *call = request->state;
    if (status)
        return;
    call->items[at].has_figures = true;
    call->items[at].used = answer->budget.committed;
    call->items[at].held = answer->budget.held;
}

static void answered(struct request *request)
{
    static const struct inquiry_plan plan = {next_figure, got_figure, load_names};
    const struct call *call = request->state;
    if (call->verb == VERB_CHECK)
        inquiry_begin(request, &plan);
    else if (call->verb == VERB_RESERVE || call->verb == VERB_EXTEND)
        load_names(request);
    else
        write_call(request);
}

/* ---- The operations -------------------------------------------------------------------------- */

static void explain(struct request *request, struct item *item)
{
    int status = item->op.status;
    int verb = request->route->verb;
    bool ends = verb == VERB_DEDUCT || verb == VERB_RELEASE || verb == VERB_EXTEND;
    if (verb == VERB_EXTEND && status == METE_E_INVALID) /* another call was quicker */
        fail_item(request, item, status, "amount", "More is given back than is held.");
    else if (verb == VERB_SETTLE && (status == METE_E_NOT_FOUND || status == METE_E_ENDED))
        fail_item(request, item, METE_E_ENDED, "record", "%s",
                  "It is final: settled already with other figures, never provisional, or ended "
                  "more than a day ago.");
    else if (ends && (status == METE_E_NOT_FOUND || status == METE_E_ENDED))
        fail_item(request, item, status, "reserve_id", "%s",
                  verb == VERB_EXTEND ? "The reservation has ended."
                  : status == METE_E_ENDED
                      ? "The reservation has ended otherwise, or with other figures."
                      : "There is no such reservation, or it has long ended.");
    else if (status == METE_E_NOT_FOUND)
        fail_item(request, item, status, "scope.id", "There is no such scope.");
    else if (status == METE_E_CONTENT || status == METE_E_IN_FLIGHT || status == METE_E_ENDED)
        fail_item(request, item, status, "request_id", "%s", mete_error_text(status));
    else
        fail_item(request, item, status, NULL, "%s", mete_error_text(status));
}

static void keep_hold(struct request *request, const struct item *item)
{
    const struct mete_verdict *verdict = &item->op.result.verdict;
    if (request->route->verb != VERB_RESERVE || !verdict->allowed || !verdict->reservation.n)
        return;
    struct hold hold = {.reservation = verdict->reservation.n,
                        .scope = item->scope.n,
                        .organization = item->organization.n,
                        .made_at_us = item->list_at_us ? item->list_at_us
                                                       : mete_now(request->api->parts.mete).us,
                        .mask = item->mask};
    memcpy(hold.amounts, item->amounts, sizeof hold.amounts);
    hold.currency = item->currency;
    holds_put(request->api->holds, &hold);
}

static void finish_item(struct request *request, struct item *item)
{
    struct call *call = request->state;
    ASSERT(call->pending > 0);
    if (item->op.status)
        explain(request, item);
    else
        keep_hold(request, item);
    if (--call->pending == 0)
        answered(request);
}

/* As many as the ring takes. */
static void push(struct api *api, struct call *call)
{
    size_t left = call->ops_len - call->ops_sent;
    size_t accepted = mete_submit(api->parts.port, call->ops + call->ops_sent, left);
    call->ops_sent += accepted;
    api->in_flight += accepted;
}

/* Nothing is under way whose end would make room: better a clear answer than to wait for luck. */
static void turn_away(struct request *request)
{
    struct call *call = request->state;
    size_t left = call->ops_len - call->ops_sent;
    struct mete_op **ops = call->ops + call->ops_sent;
    call->ops_sent = call->ops_len;
    for (size_t i = 0; i < left; i++) { /* the last one ends the request: ops is read before it */
        struct mete_op *op = ops[i];
        op->status = METE_E_BUSY;
        finish_item(request, (struct item *)((char *)op - offsetof(struct item, op)));
    }
}

static void push_waiting(struct api *api)
{
    while (api->waiting_first) {
        struct request *request = api->waiting_first;
        struct call *call = request->state;
        push(api, call);
        bool sent = call->ops_sent == call->ops_len;
        if (!sent && api->in_flight)
            return;
        api->waiting_first = request->next;
        if (!api->waiting_first)
            api->waiting_last = NULL;
        api->waiting_len--;
        if (!sent)
            turn_away(request);
    }
}

static void op_done(struct mete_op *op)
{
    struct request *request = op->user;
    struct api *api = request->api;
    struct call *call = request->state;
    ASSERT(api->in_flight > 0);
    api->in_flight--;
    bool last_sent = call->pending - 1 == call->ops_len - call->ops_sent;
    finish_item(request, (struct item *)((char *)op - offsetof(struct item, op)));
    if (last_sent && api->waiting_first)
        push_waiting(api);
}

static void wait_for_room(struct request *request)
{
    struct api *api = request->api;
    request->next = NULL;
    if (api->waiting_last)
        api->waiting_last->next = request;
    else
        api->waiting_first = request;
    api->waiting_last = request;
    api->waiting_len++;
}

/* The whole of a request follows those that wait already, so that none is overtaken for ever. */
static void send_call(struct request *request)
{
    struct api *api = request->api;
    struct call *call = request->state;
    if (!api->waiting_first)
        push(api, call);
    if (call->ops_sent == call->ops_len)
        return;
    if (api->in_flight && api->waiting_len < LIMIT_API_WAITING)
        wait_for_room(request);
    else
        turn_away(request);
}

void authority_submit(struct request *request)
{
    struct call *call = request->state;
    call->ops = arena_take_raw(&request->arena, call->len * sizeof(struct mete_op *));
    if (!call->ops) {
        request_fail(request, METE_E_MEMORY, NULL, NULL);
        return;
    }
    for (size_t i = 0; i < call->len; i++) {
        struct item *item = &call->items[i];
        if (item->problem)
            continue;
        authority_prepare(request, item);
        item->op.done = op_done;
        item->op.user = request;
        call->ops[call->ops_len++] = &item->op;
    }
    call->pending = call->ops_len;
    if (call->pending)
        send_call(request);
    else
        answered(request);
}

/* ---- Holds: whose a reservation is, and what was not said ------------------------------------ */

/* What is added or given back must be of what was reserved. */
static void check_extension(struct request *request, struct item *item, const struct hold *hold)
{
    if (!item->currency || !(item->mask & BIT(METE_COST)))
        item->currency = hold->currency;
    if (hold->mask & BIT(METE_COST) && item->currency != hold->currency) {
        fail_item(request, item, METE_E_INVALID, "currency", "It was reserved in another one.");
        return;
    }
    for (uint16_t i = 0; i < HOLDS_METERS; i++) {
        bool is_more = item->shrink && item->amounts[i] > hold->amounts[i];
        if (!(item->mask & BIT(i)) || (hold->mask & BIT(i) && !is_more))
            continue;
        char field[64] = "amount";
        if (i != METE_COST)
            snprintf(field, sizeof field, "usage.%s", authority_meter_member(i));
        fail_item(request, item, METE_E_INVALID, field, "%s",
                  is_more ? "More is given back than is held." : "Nothing of it was reserved.");
        return;
    }
}

static void use_hold(struct request *request, struct item *item, const struct hold *hold)
{
    item->seen = true;
    const struct mete_scope_id organization = {hold->organization};
    bool is_ours = request->who.is_key ? hold->scope == request->who.scope.n
                                       : request_sees(request, organization);
    if (!is_ours) {
        fail_item(request, item, METE_E_NOT_FOUND, "reserve_id", "There is no such reservation.");
        return;
    }
    int64_t at_us = hold->made_at_us ? hold->made_at_us : mete_now(request->api->parts.mete).us;
    if (authority_price(request, item, organization, at_us)) {
        spoil(request, item);
        return;
    }
    if (request->route->verb == VERB_EXTEND) {
        check_extension(request, item, hold);
        return;
    }
    uint32_t rest = hold->mask & ~item->said;
    if (!item->currency)
        item->currency = hold->currency;
    if (request->route->verb != VERB_DEDUCT)
        return;
    for (uint16_t i = 0; i < HOLDS_METERS; i++) {
        if (!(rest & BIT(i)))
            continue;
        item->amounts[i] = hold->amounts[i];
        if (i == METE_COST)
            item->currency = hold->currency;
        item->mask |= BIT(i);
    }
}

static bool next_hold(struct request *request, size_t *at, struct mete_query *ret_query)
{
    struct call *call = request->state;
    uint32_t all = BIT(HOLDS_METERS) - 1;
    for (; *at < call->len; ++*at) {
        struct item *item = &call->items[*at];
        bool needed = !request->who.admin || call->verb == VERB_EXTEND || item->to_price ||
                      (call->verb == VERB_DEDUCT && ((item->said & all) != all || !item->currency));
        if (item->problem || item->seen || !needed)
            continue;
        const struct hold *hold = holds_find(request->api->holds, item->reservation);
        if (hold) {
            use_hold(request, item, hold);
            continue;
        }
        *ret_query =
            (struct mete_query){.kind = METE_QUERY_RESERVATION, .reservation = {item->reservation}};
        return true;
    }
    return false;
}

static void got_hold(struct request *request, size_t at, int status,
                     const struct mete_answer *answer)
{
    struct call *call = request->state;
    struct item *item = &call->items[at];
    struct hold hold;
    item->seen = true;
    if (!status)
        status = holds_of_view(&answer->reservation, &hold);
    bool is_unsaid = call->verb == VERB_DEDUCT && !item->mask;
    if (!status && answer->reservation.state == METE_EXPIRED && is_unsaid)
        fail_item(request, item, METE_E_INVALID, "amount",
                  "The reservation has expired: say what was used.");
    else if (!status && call->verb == VERB_EXTEND && answer->reservation.state != METE_HELD)
        fail_item(request, item, METE_E_ENDED, "reserve_id", "The reservation has ended.");
    else if (!status)
        use_hold(request, item, &hold);
    else if (status == METE_E_NOT_FOUND)
        fail_item(request, item, status, "reserve_id",
                  "There is no such reservation, or it has long ended.");
    else
        fail_item(request, item, status, NULL, "%s", mete_error_text(status));
}

/* ---- Scopes ---------------------------------------------------------------------------------- */

static void check_scope(struct request *request, struct item *item)
{
    if (!request_sees(request, item->organization))
        fail_item(request, item, METE_E_NOT_FOUND, "scope.id", "Nothing here has this id.");
    else if (request->who.is_key && item->scope.n != request->who.scope.n)
        fail_item(request, item, METE_E_FORBIDDEN, "scope", "A key acts for its own scope.");
}

static void use_key(struct request *request, struct item *item)
{
    const struct directory_key *key =
        directory_find_id(request->api->parts.directory, item->scope_in.id);
    bool here = key && (!item->organization.n || item->organization.n == key->organization.n);
    if (!here) {
        fail_item(request, item, METE_E_NOT_FOUND, "scope.id", "Nothing here has this id.");
        return;
    }
    item->organization = key->organization;
    item->scope = key->scope;
    check_scope(request, item);
}

static bool next_scope(struct request *request, size_t *at, struct mete_query *ret_query)
{
    struct call *call = request->state;
    for (; *at < call->len; ++*at) {
        struct item *item = &call->items[*at];
        const struct scope_in *in = &item->scope_in;
        if (item->problem || item->scope.n)
            continue;
        if (in->kind == METE_API_KEY) {
            use_key(request, item);
            continue;
        }
        const struct name *name = namebook_find(request->api->names, (enum mete_kind)in->kind,
                                                item->organization.n, in->id);
        if (name) {
            item->scope.n = name->handle;
            check_scope(request, item);
            continue;
        }
        *ret_query = (struct mete_query){.kind = METE_QUERY_FIND_SCOPE,
                                         .scope_kind = (enum mete_kind)in->kind,
                                         .id = request_text(in->id),
                                         .organization = item->organization};
        return true;
    }
    return false;
}

static void got_scope(struct request *request, size_t at, int status,
                      const struct mete_answer *answer)
{
    struct call *call = request->state;
    struct item *item = &call->items[at];
    if (!status && answer->scope.ended)
        status = METE_E_NOT_FOUND;
    if (status) {
        fail_item(request, item, status, status == METE_E_NOT_FOUND ? "scope.id" : NULL, "%s",
                  status == METE_E_NOT_FOUND ? "Nothing here has this id."
                                             : mete_error_text(status));
        return;
    }
    namebook_learn_scope(request->api->names, &answer->scope);
    item->scope = answer->scope.scope;
    check_scope(request, item);
}

static void scopes_found(struct request *request)
{
    const struct call *call = request->state;
    int64_t now_us = mete_now(request->api->parts.mete).us;
    for (size_t i = 0; i < call->len; i++) {
        struct item *item = &call->items[i];
        if (!item->problem && authority_price(request, item, item->organization, now_us))
            spoil(request, item);
    }
    authority_submit(request);
}

static void find_scopes(struct request *request)
{
    static const struct inquiry_plan plan = {next_scope, got_scope, scopes_found};
    inquiry_begin(request, &plan);
}

/* The text that names the item's organization; empty if none has to be looked up. */
static struct slice organization_text(const struct item *item)
{
    if (item->scope_in.kind == METE_ORGANIZATION)
        return item->scope_in.id;
    return item->scope_in.organization;
}

static void miss_organization(struct request *request, struct item *item)
{
    bool itself = item->scope_in.kind == METE_ORGANIZATION;
    fail_item(request, item, METE_E_NOT_FOUND, itself ? "scope.id" : "scope.organization",
              "Nothing here has this id.");
}

static void use_organization(struct request *request, struct item *item, uint32_t handle)
{
    item->seen = true;
    item->organization.n = handle;
    if (!request_sees(request, item->organization)) {
        miss_organization(request, item);
        return;
    }
    if (item->scope_in.kind != METE_ORGANIZATION)
        return;
    item->scope.n = handle;
    check_scope(request, item);
}

/* What needs no question: a key's own scope, and the organization a key is of. */
static bool is_placed(struct request *request, struct item *item)
{
    const struct scope_in *in = &item->scope_in;
    if (item->problem || item->seen)
        return true;
    if (!in->kind) {
        item->scope = request->who.scope;
        item->organization = request->who.organization;
        return item->seen = true;
    }
    if (organization_text(item).len)
        return false;
    item->seen = true;
    if (!request->who.admin)
        item->organization = request->who.organization;
    else if (in->kind != METE_API_KEY)
        fail_item(request, item, METE_E_INVALID, "scope.organization", "It is missing.");
    return true;
}

static bool next_organization(struct request *request, size_t *at, struct mete_query *ret_query)
{
    struct call *call = request->state;
    for (; *at < call->len; ++*at) {
        struct item *item = &call->items[*at];
        if (is_placed(request, item))
            continue;
        struct slice id = organization_text(item);
        const struct name *name = namebook_find(request->api->names, METE_ORGANIZATION, 0, id);
        if (name) {
            use_organization(request, item, name->handle);
            continue;
        }
        *ret_query = (struct mete_query){
            .kind = METE_QUERY_FIND_SCOPE, .scope_kind = METE_ORGANIZATION, .id = request_text(id)};
        return true;
    }
    return false;
}

static void got_organization(struct request *request, size_t at, int status,
                             const struct mete_answer *answer)
{
    struct call *call = request->state;
    struct item *item = &call->items[at];
    if (!status && answer->scope.ended)
        status = METE_E_NOT_FOUND;
    if (!status) {
        namebook_learn_scope(request->api->names, &answer->scope);
        use_organization(request, item, answer->scope.scope.n);
    } else if (status == METE_E_NOT_FOUND) {
        miss_organization(request, item);
    } else {
        fail_item(request, item, status, NULL, "%s", mete_error_text(status));
    }
}

/* ---- The beginning --------------------------------------------------------------------------- */

static void begin_stages(struct request *request)
{
    static const struct inquiry_plan organizations = {next_organization, got_organization,
                                                      find_scopes};
    static const struct inquiry_plan holds = {next_hold, got_hold, authority_submit};
    const struct call *call = request->state;
    bool of_open =
        call->verb == VERB_DEDUCT || call->verb == VERB_RELEASE || call->verb == VERB_EXTEND;
    inquiry_begin(request, of_open ? &holds : &organizations);
}

static int count_items(struct request *request, struct json body, size_t *ret_len)
{
    size_t at = 0, len = 0;
    struct json element;
    if (body.type == JSON_OBJECT) {
        *ret_len = 1;
        return 0;
    }
    if (body.type != JSON_ARRAY)
        return problem_set(&request->problem, METE_E_INVALID, NULL,
                           "The body must be an object, or an array of them.");
    while (json_next(body, &at, NULL, &element))
        len++;
    if (!len || len > LIMIT_ITEMS)
        return problem_set(&request->problem, METE_E_INVALID, NULL,
                           "An array must have 1 to %d elements.", LIMIT_ITEMS);
    *ret_len = len;
    return 0;
}

static bool take_items(struct request *request, struct call *call)
{
    bool decides =
        call->verb == VERB_CHECK || call->verb == VERB_RESERVE || call->verb == VERB_EXTEND;
    call->items = request_take(request, call->len * sizeof *call->items);
    if (!call->items || !decides)
        return call->items != NULL;
    size_t refusals = call->len * METE_REFUSALS_MAX;
    call->refusals = arena_take_raw(&request->arena, refusals * sizeof *call->refusals);
    if (!call->refusals) {
        request_fail(request, METE_E_MEMORY, NULL, NULL);
        return false;
    }
    for (size_t i = 0; i < call->len; i++)
        call->items[i].refusals = call->refusals + i * METE_REFUSALS_MAX;
    return true;
}

void authority_call(struct request *request)
{
    struct json body;
    struct call *call = request_take(request, sizeof *call);
    if (!call)
        return;
    request->state = call;
    call->verb = (enum verb)request->route->verb;
    if (request_body(request, &body) || count_items(request, body, &call->len)) {
        request_problem(request);
        return;
    }
    call->array = body.type == JSON_ARRAY;
    if (!take_items(request, call))
        return;
    struct json element = body;
    size_t at = 0;
    for (size_t i = 0; i < call->len; i++) {
        bool there = !call->array || json_next(body, &at, NULL, &element);
        ASSERT(there);
        if (authority_read(request, element, &call->items[i]))
            spoil(request, &call->items[i]);
    }
    begin_stages(request);
}
