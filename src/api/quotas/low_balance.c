/* SPDX-License-Identifier: Apache-2.0
 * Balances that somebody is to be told of: said, listed, shown, ended. When one is low is seen by
 * the watch. */
#include "api/quotas/low_balance.h"

#include "api/documents.h"
#include "api/quotas/deal.h"
#include "api/quotas/handlers.h"
#include "api/quotas/low_balance_watch.h"
#include "api/quotas/units.h"
#include "api/quotas/whose.h"
#include "api/units.h"
#include "codec/decimal.h"
#include "codec/timestamp.h"

#include <stddef.h>

enum { PERCENT_ONE = 100, WHOLE_BP = 10000 };

/* ---- The document ---------------------------------------------------------------------------- */

static int64_t number_of(struct json document, const char *name)
{
    struct json number = json_member(document, name);
    int64_t value = 0;
    return number.type == JSON_NUMBER && !json_integer(number, &value) ? value : 0;
}

int low_balance_read(struct request *request, struct slice document, struct low_balance *ret_alert)
{
    struct json json = entities_document(document), scope = json_member(json, "scope");
    *ret_alert = (struct low_balance){.id = deal_text(request, json, "id"),
                                      .organization = deal_text(request, json, "organization"),
                                      .kind = deal_text(request, scope, "kind"),
                                      .of = deal_text(request, scope, "id"),
                                      .created_at = deal_text(request, json, "created_at"),
                                      .at = {(uint32_t)number_of(json, "at")},
                                      .meter = (uint16_t)number_of(json, "meter"),
                                      .currency = (uint32_t)number_of(json, "currency"),
                                      .below = number_of(json, "below_units"),
                                      .below_bp = number_of(json, "below_bp"),
                                      .low = json_member(json, "low").type == JSON_TRUE,
                                      .since_us = number_of(json, "since_us"),
                                      .left = number_of(json, "left_units"),
                                      .times = number_of(json, "times")};
    return ret_alert->id.len && ret_alert->at.n ? 0 : METE_E_CORRUPT;
}

static void write_kept(struct out *out, const struct low_balance *alert)
{
    out_member_text(out, "organization", alert->organization);
    out_member_integer(out, "at", alert->at.n);
    out_member_integer(out, "meter", alert->meter);
    out_member_integer(out, "currency", alert->currency);
    out_member_integer(out, "below_units", alert->below);
    out_member_integer(out, "below_bp", alert->below_bp);
    out_member_integer(out, "since_us", alert->since_us);
    out_member_integer(out, "left_units", alert->left);
}

static void write_shown(struct out *out, const struct low_balance *alert)
{
    char room[DECIMAL_ROOM];
    units_write(out, "unit", alert->meter, alert->currency);
    out_key(out, "below");
    if (alert->below_bp)
        out_null(out);
    else
        out_amount(out, alert->meter, alert->below);
    out_key(out, "below_percent");
    size_t len = decimal_format(alert->below_bp, 2, 0, room);
    if (alert->below_bp)
        out_raw(out, (struct slice){room, len});
    else
        out_null(out);
    out_member_instant(out, "since", alert->since_us ? alert->since_us : INT64_MAX);
    out_key(out, "left");
    if (alert->times)
        out_amount(out, alert->meter, alert->left);
    else
        out_null(out);
}

void low_balance_write(struct out *out, const struct low_balance *alert, bool shown)
{
    out_open(out, '{');
    out_member_text(out, "id", alert->id);
    out_key(out, "scope");
    out_open(out, '{');
    out_member_text(out, "kind", alert->kind);
    out_member_text(out, "id", alert->of);
    out_member_text(out, "organization", alert->organization);
    out_close(out, '}');
    if (shown)
        write_shown(out, alert);
    else
        write_kept(out, alert);
    out_member_bool(out, "low", alert->low);
    out_member_integer(out, "times", alert->times);
    out_member_text(out, "created_at", alert->created_at);
    out_close(out, '}');
}

bool low_balance_is(const struct low_balance *alert, const struct mete_quota_view *view)
{
    int128 left = (int128)view->granted - view->drawn;
    if (!alert->below_bp)
        return left < alert->below;
    return left <= 0 || left * WHOLE_BP < (int128)view->granted * alert->below_bp;
}

/* ---- Saying ---------------------------------------------------------------------------------- */

struct low_in {
    struct slice id, user, unit, below, percent;
    struct json scope;
};

struct low_state {
    struct whose whose; /* first: whose.h */
    struct low_in in;
    struct low_balance alert;
};

#define AT(member) offsetof(struct low_in, member)
static const struct field table[] = {
    {.name = "id", .type = FIELD_ID, .offset = AT(id)},
    {.name = "scope", .type = FIELD_OBJECT, .offset = AT(scope)},
    {.name = "user_id", .type = FIELD_ID, .offset = AT(user)},
    {.name = "unit",
     .type = FIELD_TOKEN,
     .flags = FIELD_REQUIRED,
     .offset = AT(unit),
     .min = 1,
     .max = 64},
    {.name = "below", .type = FIELD_AMOUNT, .offset = AT(below)},
    {.name = "below_percent", .type = FIELD_AMOUNT, .offset = AT(percent)},
};
#undef AT

static bool write(struct request *request, struct json was)
{
    const struct low_state *state = request->state;
    (void)was;
    out_clear(&request->out);
    low_balance_write(&request->out, &state->alert, false);
    return true;
}

static void made(struct request *request)
{
    const struct low_state *state = request->state;
    low_balance_watch_expect(request->api->low_balances);
    out_clear(&request->out);
    low_balance_write(&request->out, &state->alert, true);
    request_reply(request, 201);
}

static void found(struct request *request)
{
    static const struct document_plan plan = {
        .kind = DOCUMENT_LOW_BALANCE, .field = "id", .write = write, .done = made};
    struct low_state *state = request->state;
    struct low_balance *alert = &state->alert;
    char *now = arena_take(&request->arena, TIMESTAMP_ROOM);
    if (!now) {
        request_fail(request, METE_E_MEMORY, NULL, NULL);
        return;
    }
    int kind = state->whose.scope.kind;
    alert->id = state->in.id.len ? state->in.id : request_make_id(request, "low_");
    alert->organization = request->params[0];
    alert->kind = slice_of(fields_word(units_kinds, kind ? kind : METE_ORGANIZATION));
    alert->of = state->whose.scope.id;
    alert->at = state->whose.at;
    alert->created_at =
        (struct slice){now, timestamp_format(mete_now(request->api->parts.mete).us, now)};
    documents_change(request, &plan, DOCUMENT_CREATE, alert->id);
}

static int read_level(struct request *request, struct low_state *state)
{
    const struct fields fields = {
        .path = "", .arena = &request->arena, .problem = &request->problem};
    struct low_balance *alert = &state->alert;
    int rc = quota_unit_read(&fields, "unit", state->in.unit, &alert->meter, &alert->currency);
    if (rc)
        return rc;
    if (state->in.below.len)
        rc = units_amount(&fields, "below", alert->meter, state->in.below, &alert->below);
    if (!rc && state->in.below.len && !alert->below)
        return problem_set(&request->problem, METE_E_INVALID, "below", "It must be above 0.");
    if (!rc && state->in.percent.len &&
        (decimal_parse(state->in.percent, 2, &alert->below_bp) || alert->below_bp < 1 ||
         alert->below_bp > WHOLE_BP))
        return problem_set(&request->problem, METE_E_INVALID, "below_percent",
                           "It must be above 0 and at most %d, with at most two places.",
                           PERCENT_ONE);
    if (!rc && !state->in.below.len == !state->in.percent.len)
        return problem_set(&request->problem, METE_E_INVALID,
                           state->in.below.len ? "below_percent" : "below",
                           "Say below or below_percent.");
    return rc;
}

void low_balances_create(struct request *request)
{
    struct low_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    int rc = request_read(request, table, sizeof table / sizeof table[0], &state->in);
    if (!rc)
        rc = read_level(request, state);
    if (!rc)
        rc = whose_body(request, state->in.scope, state->in.user);
    if (rc)
        request_problem(request);
    else
        whose_find(request, found);
}

/* ---- Looking, ending ------------------------------------------------------------------------- */

static int show_one(struct request *request, const struct directory_entity *entity)
{
    struct low_balance alert;
    int rc = low_balance_read(request, entity->document, &alert);
    if (!rc)
        low_balance_write(&request->out, &alert, true);
    return rc;
}

void low_balances_list(struct request *request)
{
    entities_list(request, document_entity(DOCUMENT_LOW_BALANCE), show_one);
}

void low_balances_show(struct request *request)
{
    entities_show(request, document_entity(DOCUMENT_LOW_BALANCE), "alert", show_one);
}

void low_balances_end(struct request *request)
{
    static const struct document_plan plan = {.kind = DOCUMENT_LOW_BALANCE, .field = "alert"};
    documents_change(request, &plan, DOCUMENT_END, request->params[1]);
}
