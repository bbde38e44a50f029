/* SPDX-License-Identifier: Apache-2.0
 * Percentages and states are of committed + held, since that is what admission looks at; 128 bits
 * carry the product. */
#include "api/limits/budget_json.h"

#include "api/limits/controls.h"
#include "api/limits/matches.h"
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

/* used / limit in millionths, rounded down; a limit of 0 is used up. */
static int128 share_ppm(int128 used, int64_t limit)
{
    return limit > 0 ? used * 1000000 / limit : 1000000;
}

static const char *status_word(int128 used, int64_t limit)
{
    if (used >= limit)
        return "exceeded";
    if (used * 10 >= (int128)limit * 9)
        return "critical";
    return used * 10 >= (int128)limit * 8 ? "warning" : "active";
}

static void write_thresholds(struct out *out, const struct mete_budget_view *view)
{
    out_key(out, "alert_thresholds");
    out_open(out, '[');
    for (size_t i = 0; i < view->thresholds_len; i++)
        write_ratio(out, view->thresholds_ppm[i], 6);
    out_close(out, ']');
}

static void write_figures(struct out *out, const struct mete_budget_view *view)
{
    int128 used = (int128)view->committed + view->held;
    int128 remaining = view->limit - used;
    out_member_amount(out, "used", view->meter, view->committed);
    out_member_amount(out, "held", view->meter, view->held);
    out_member_amount(out, "remaining", view->meter, remaining);
    out_key(out, "usage_percentage");
    write_ratio(out, share_ppm(used, view->limit), 4);
    out_member_text(out, "status", slice_of(status_word(used, view->limit)));
    bool whole = view->period == METE_TOTAL || view->for_kind;
    out_member_instant(out, "window_start", whole ? INT64_MAX : view->window_start.us);
    out_member_instant(out, "window_end", whole ? INT64_MAX : view->window_end.us);
    out_member_integer(out, "revision", view->revision);
    out_member_amount(out, "reserved", view->meter, view->held);
    out_member_amount(out, "available", view->meter, remaining);
    out_member_amount(out, "current_spend", view->meter, view->committed);
    if (view->period == METE_MONTHLY && view->meter == METE_COST)
        out_member_amount(out, "monthly_limit", view->meter, view->base_limit);
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
    if (view->rollover_cap)
        out_member_amount(out, "rollover", view->meter, view->rollover_cap);
    if (view->rollover_cap || view->carried)
        out_member_amount(out, "carried", view->meter, view->carried);
}

void budget_json_write(struct request *request, const struct mete_budget_view *view,
                       struct json document)
{
    struct out *out = &request->out;
    const struct name *organization = namebook_scope(request->api->names, view->organization.n);
    struct json name = json_member(document, "name");
    struct json made = json_member(document, "created_at");
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
    write_figures(out, view);
    if (made.type == JSON_STRING) {
        out_key(out, "created_at");
        out_raw(out, made.raw);
    }
    out_close(out, '}');
}
