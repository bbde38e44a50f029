/* SPDX-License-Identifier: Apache-2.0
 * Percentages and states are of committed + held, since that is what admission looks at; 128 bits
 * carry the product. */
#include "api/limits/budget_json.h"

#include "api/limits/budget_document.h"
#include "api/limits/budgets.h"
#include "api/limits/controls.h"
#include "api/limits/matches.h"
#include "api/limits/projection.h"
#include "api/units.h"
#include "codec/decimal.h"

void budget_json_want(struct request *request, const struct mete_budget_view *view)
{
    request_want(request, NAME_SCOPE, view->scope.n);
    request_want(request, NAME_SCOPE, view->organization.n);
    if (view->template_of.n)
        request_want(request, NAME_BUDGET, view->template_of.n);
}

void budget_json_scope(struct request *request, const char *key, uint32_t handle)
{
    const struct name *scope = namebook_scope(request->api->names, handle);
    const struct name *organization =
        scope ? namebook_scope(request->api->names, scope->organization) : NULL;
    struct out *out = &request->out;
    out_key(out, key);
    if (!organization) {
        out_null(out);
        return;
    }
    out_open(out, '{');
    out_member_text(out, "kind", slice_of(fields_word(units_kinds, (int)scope->kind)));
    out_member_text(out, "id", namebook_id(scope));
    out_member_text(out, "organization", namebook_id(organization));
    out_close(out, '}');
}

static void write_ratio(struct out *out, int128 value, unsigned scale)
{
    char room[DECIMAL_ROOM];
    size_t len = decimal_format(value, scale, 0, room);
    out_raw(out, (struct slice){room, len});
}

static int128 used_of(const struct mete_budget_view *view)
{
    return (int128)view->committed + view->held;
}

int128 budget_json_share(const struct mete_budget_view *view)
{
    return view->limit > 0 ? used_of(view) * 1000000 / view->limit : 1000000;
}

bool budget_json_is_on(const struct mete_budget_view *view, int64_t now_us)
{
    return now_us >= view->starts_at.us && (!view->ends_at.us || now_us < view->ends_at.us);
}

const char *budget_json_status(const struct mete_budget_view *view, int64_t now_us)
{
    int128 used = used_of(view), limit = view->limit;
    if (!budget_json_is_on(view, now_us))
        return now_us < view->starts_at.us ? "scheduled" : "expired";
    if (used >= limit)
        return "exceeded";
    if (used * 10 >= limit * 9)
        return "critical";
    return used * 10 >= limit * 8 ? "warning" : "active";
}

const char *budget_json_level(enum mete_event_kind kind, uint32_t threshold_ppm)
{
    if (kind == METE_EVENT_STOPPED || kind == METE_EVENT_OVERRUN)
        return "emergency";
    if (kind == METE_EVENT_LIFTED)
        return "info";
    if (kind != METE_EVENT_THRESHOLD)
        return "warning";
    if (threshold_ppm >= 950000)
        return "emergency";
    if (threshold_ppm >= 900000)
        return "critical";
    return threshold_ppm >= 800000 ? "warning" : "info";
}

static void write_thresholds(struct out *out, const struct mete_budget_view *view)
{
    out_key(out, "alert_thresholds");
    out_open(out, '[');
    for (size_t i = 0; i < view->thresholds_len; i++)
        write_ratio(out, view->thresholds_ppm[i], 6);
    out_close(out, ']');
}

static void write_share(struct request *request, const struct mete_budget_view *view)
{
    struct out *out = &request->out;
    int64_t now_us = mete_now(request->api->parts.mete).us;
    out_key(out, "usage_percentage");
    write_ratio(out, budget_json_share(view), 4);
    out_member_text(out, "status", slice_of(budget_json_status(view, now_us)));
}

/* How far it stands above its limit: lowered below what was spent, or overrun. */
static void write_excess(struct out *out, const struct mete_budget_view *view)
{
    int128 over = used_of(view) - view->limit;
    out_member_bool(out, "over_limit", over > 0);
    if (over > 0)
        out_member_amount(out, "over_by", view->meter, over);
}

static void write_figures(struct request *request, const struct mete_budget_view *view)
{
    struct out *out = &request->out;
    int128 remaining = view->limit - used_of(view);
    out_member_amount(out, "used", view->meter, view->committed);
    out_member_amount(out, "held", view->meter, view->held);
    out_member_amount(out, "remaining", view->meter, remaining);
    write_share(request, view);
    bool whole = view->period == METE_TOTAL || view->for_kind;
    out_member_instant(out, "window_start", whole ? INT64_MAX : view->window_start.us);
    out_member_instant(out, "window_end", whole ? INT64_MAX : view->window_end.us);
    out_member_integer(out, "revision", view->revision);
    out_member_amount(out, "reserved", view->meter, view->held);
    out_member_amount(out, "available", view->meter, remaining);
    out_member_amount(out, "current_spend", view->meter, view->committed);
    const struct budget_alias *alias = budget_alias_of(view->meter, view->period);
    if (alias)
        out_member_amount(out, alias->name, view->meter, view->base_limit);
    if (alias && view->period == METE_TOTAL)
        out_member_amount(out, "used_budget", view->meter, view->committed);
    write_excess(out, view);
}

static void write_projection(struct out *out, const struct mete_budget_view *view,
                             const struct projection *projection)
{
    out_key(out, "projected_spend");
    if (!projection) {
        out_null(out);
        out_key(out, "projection");
        out_null(out);
        return;
    }
    out_amount(out, view->meter, projection->amount);
    out_key(out, "projection");
    out_open(out, '{');
    out_member_text(out, "method", SLICE_LITERAL("linear"));
    out_member_instant(out, "from", projection->from_us);
    out_member_instant(out, "until", projection->until_us);
    out_close(out, '}');
}

/* What only the document says, and what rests on it. */
static void write_kept(struct request *request, const struct mete_budget_view *view,
                       struct json json)
{
    struct out *out = &request->out;
    struct budget_document document;
    struct projection projection;
    budget_document_read(json, &document);
    budget_document_show(out, &document);
    bool is_known =
        projection_of(view, document.made_us, mete_now(request->api->parts.mete).us, &projection);
    write_projection(out, view, is_known ? &projection : NULL);
    if (!document.made.len)
        return;
    out_key(out, "created_at");
    out_raw(out, document.made);
}

/* Whose it is one of, or what it makes them for. */
static void write_template(struct request *request, const struct mete_budget_view *view)
{
    struct out *out = &request->out;
    if (view->for_kind)
        out_member_text(out, "for_kind", slice_of(fields_word(units_kinds, (int)view->for_kind)));
    const struct name *template =
        view->template_of.n ? namebook_budget(request->api->names, view->template_of.n) : NULL;
    if (template)
        out_member_text(out, "template", namebook_id(template));
}

/* What places its windows, and what they hand on. */
static void write_windows(struct out *out, const struct mete_budget_view *view)
{
    out_member_text(out, "period", slice_of(fields_word(units_periods, (int)view->period)));
    out_member_text(out, "time_zone", slice_of(view->time_zone[0] ? view->time_zone : "UTC"));
    if (view->anchor)
        out_member_integer(out, "anchor", view->anchor);
    if (view->window_seconds)
        out_member_integer(out, "window_seconds", view->window_seconds);
    if (view->starts_at.us)
        out_member_instant(out, "starts_at", view->starts_at.us);
    if (view->ends_at.us)
        out_member_instant(out, "ends_at", view->ends_at.us);
    if (view->rollover_cap)
        out_member_amount(out, "rollover", view->meter, view->rollover_cap);
    if (view->rollover_cap || view->carried)
        out_member_amount(out, "carried", view->meter, view->carried);
}

void budget_json_open(struct request *request, const struct mete_budget_view *view,
                      struct json document)
{
    struct out *out = &request->out;
    const struct name *organization = namebook_scope(request->api->names, view->organization.n);
    struct json name = json_member(document, "name");
    out_open(out, '{');
    out_member_text(out, "id", slice_of(view->id));
    if (document.type == JSON_OBJECT) {
        out_key(out, "name");
        out_raw(out, name.type == JSON_STRING ? name.raw : SLICE_LITERAL("null"));
    }
    out_key(out, "organization");
    if (organization)
        out_text(out, namebook_id(organization));
    else
        out_null(out);
    budget_json_scope(request, "scope", view->scope.n);
    write_template(request, view);
    units_write(out, "unit", view->meter, view->currency);
    out_member_amount(out, "amount", view->meter, view->base_limit);
    out_member_amount(out, "limit", view->meter, view->limit);
    write_windows(out, view);
    out_member_text(out, "mode", slice_of(fields_word(units_modes, (int)view->mode)));
    write_thresholds(out, view);
    controls_write(out, view, document);
    matches_write(out, view->matches, view->matches_len);
    write_figures(request, view);
    if (document.type == JSON_OBJECT)
        write_kept(request, view, document);
}

void budget_json_write(struct request *request, const struct mete_budget_view *view,
                       struct json document)
{
    budget_json_open(request, view, document);
    out_close(&request->out, '}');
}

void budget_json_brief(struct request *request, const struct mete_budget_view *view)
{
    struct out *out = &request->out;
    out_open(out, '{');
    out_member_text(out, "budget", slice_of(view->id));
    budget_json_scope(request, "scope", view->scope.n);
    units_write(out, "unit", view->meter, view->currency);
    out_member_text(out, "period", slice_of(fields_word(units_periods, (int)view->period)));
    out_member_text(out, "mode", slice_of(fields_word(units_modes, (int)view->mode)));
    out_member_amount(out, "limit", view->meter, view->limit);
    out_member_amount(out, "used", view->meter, view->committed);
    out_member_amount(out, "held", view->meter, view->held);
    out_member_amount(out, "remaining", view->meter, view->limit - used_of(view));
    write_share(request, view);
    bool is_whole = view->period == METE_TOTAL;
    out_member_instant(out, "window_end", is_whole ? INT64_MAX : view->window_end.us);
}
