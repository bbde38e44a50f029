/* SPDX-License-Identifier: Apache-2.0
 * The ledger keeps a soft limit as an amount. One that was said as a share of the limit stays one:
 * the share is in the budget's document, and the amount follows the limit when that is set. */
#include "api/limits/controls.h"

#include "api/units.h"
#include "base/limits.h"
#include "codec/decimal.h"

enum { PPM = 1000000, GRACE_S = 300, RATE_PPM = 500000 };
enum {
    SOFT_PPM = 800000,
    THROTTLE_PPM = 850000,
    STOP_PPM = 950000
}; /* where only "enable" is said */

#define AT(member) offsetof(struct controls_in, member)
#define SHARE(text, member)                                                                        \
    {                                                                                              \
        .name = text, .type = FIELD_RATIO, .offset = AT(member), .max = 100                        \
    }

static const struct field table[] = {
    {.name = "hard_limit", .type = FIELD_BOOL, .offset = AT(hard)},
    {.name = "soft_limit", .type = FIELD_AMOUNT, .offset = AT(soft_limit)},
    SHARE("soft_threshold", soft_ppm),
    SHARE("throttle_threshold", throttle_ppm),
    {.name = "throttle_rate", .type = FIELD_RATIO, .offset = AT(throttle_rate_ppm), .max = 1},
    SHARE("emergency_stop_threshold", stop_ppm),
    SHARE("downgrade_threshold", downgrade_ppm),
    {.name = "cooldown_seconds",
     .type = FIELD_COUNT,
     .offset = AT(cooldown_s),
     .max = LIMIT_CONTROL_S},
    {.name = "grace_seconds", .type = FIELD_COUNT, .offset = AT(grace_s), .max = LIMIT_CONTROL_S},
    {.name = "enable_hard_limit", .type = FIELD_BOOL, .offset = AT(enable_hard)},
    {.name = "enable_soft_limit", .type = FIELD_BOOL, .offset = AT(enable_soft)},
    SHARE("soft_limit_threshold", soft_alias_ppm),
    {.name = "enable_auto_throttle", .type = FIELD_BOOL, .offset = AT(enable_throttle)},
    {.name = "enable_emergency_stop", .type = FIELD_BOOL, .offset = AT(enable_stop)},
    SHARE("emergency_threshold", stop_alias_ppm),
    {.name = "cooldown_period",
     .type = FIELD_COUNT,
     .offset = AT(cooldown_alias_s),
     .max = LIMIT_CONTROL_S},
};
#undef AT

/* ---- Reading --------------------------------------------------------------------------------- */

/* A fraction up to 1, a percentage above. */
static void settle_share(int64_t *ppm)
{
    if (*ppm > PPM)
        *ppm = (*ppm + 99) / 100;
}

/* An alias into what it stands for, which must not be said as well. */
static int settle_alias(const struct fields *fields, const char *alias, int64_t said, int64_t *into)
{
    if (said && *into > 0)
        return fields_fault(fields, METE_E_INVALID, alias, "It is said twice.");
    if (said)
        *into = said;
    return 0;
}

/* What is enabled has a threshold, what is not has none. */
static void settle_switch(uint8_t enable, int64_t usual_ppm, int64_t *ppm)
{
    if (enable == 0)
        *ppm = 0;
    else if (enable == 1 && !*ppm)
        *ppm = usual_ppm;
}

static int settle_words(const struct fields *fields, struct controls_in *in)
{
    int rc = settle_alias(fields, "soft_limit_threshold", in->soft_alias_ppm, &in->soft_ppm);
    if (!rc)
        rc = settle_alias(fields, "emergency_threshold", in->stop_alias_ppm, &in->stop_ppm);
    if (!rc)
        rc = settle_alias(fields, "cooldown_period", in->cooldown_alias_s, &in->cooldown_s);
    if (rc)
        return rc;
    if (!in->soft_limit.len || !in->enable_soft)
        settle_switch(in->enable_soft, SOFT_PPM, &in->soft_ppm);
    if (!in->enable_soft)
        in->soft_limit.len = 0;
    settle_switch(in->enable_throttle, THROTTLE_PPM, &in->throttle_ppm);
    settle_switch(in->enable_stop, STOP_PPM, &in->stop_ppm);
    if (!in->enable_throttle)
        in->throttle_rate_ppm = 0;
    if (!in->enable_stop)
        in->grace_s = -1;
    if (!in->stop_ppm && !in->throttle_ppm && (!in->enable_throttle || !in->enable_stop))
        in->cooldown_s = -1; /* between nothing */
    return 0;
}

/* Members that say something of another one, which must be there. */
static int check_companions(const struct fields *fields, const struct controls_in *in)
{
    if (in->throttle_rate_ppm && !in->throttle_ppm)
        return fields_fault(fields, METE_E_INVALID, "throttle_threshold",
                            "It is missing: a throttle_rate applies from there on.");
    if (in->grace_s >= 0 && !in->stop_ppm)
        return fields_fault(fields, METE_E_INVALID, "grace_seconds",
                            "It comes after an emergency stop: say emergency_stop_threshold.");
    if (in->cooldown_s >= 0 && !in->stop_ppm && !in->throttle_ppm)
        return fields_fault(fields, METE_E_INVALID, "cooldown_seconds",
                            "It is between throttle and emergency stop: say one's threshold.");
    if (in->soft_limit.len && in->soft_ppm)
        return fields_fault(fields, METE_E_INVALID, "soft_threshold", "soft_limit says the same.");
    return 0;
}

int controls_in_read(struct request *request, struct json object, struct controls_in *ret_controls)
{
    struct controls_in in = {.hard = CONTROLS_UNSAID,
                             .enable_hard = CONTROLS_UNSAID,
                             .cooldown_s = -1,
                             .grace_s = -1,
                             .enable_soft = CONTROLS_UNSAID,
                             .enable_throttle = CONTROLS_UNSAID,
                             .enable_stop = CONTROLS_UNSAID};
    struct fields fields = {table, sizeof table / sizeof table[0], "controls", &request->arena,
                            &request->problem};
    int rc = fields_read(&fields, object, &in);
    if (!rc)
        rc = settle_words(&fields, &in);
    if (!rc)
        rc = check_companions(&fields, &in);
    if (rc)
        return rc;
    if (in.enable_hard != CONTROLS_UNSAID && in.hard != CONTROLS_UNSAID)
        return fields_fault(&fields, METE_E_INVALID, "enable_hard_limit", "It is said twice.");
    if (in.enable_hard != CONTROLS_UNSAID)
        in.hard = in.enable_hard;
    settle_share(&in.soft_ppm);
    settle_share(&in.throttle_ppm);
    settle_share(&in.stop_ppm);
    settle_share(&in.downgrade_ppm);
    *ret_controls = in;
    return 0;
}

int controls_in_mode(struct request *request, const struct controls_in *controls, int mode,
                     enum mete_mode *ret_mode)
{
    enum mete_mode wanted = controls->hard ? METE_ENFORCE : METE_SHADOW;
    if (controls->hard == CONTROLS_UNSAID)
        return 0;
    if (mode >= 0 && mode != METE_OFF && mode != (int)wanted)
        return problem_set(&request->problem, METE_E_INVALID, "controls.hard_limit",
                           "mode says otherwise: enforce has one, shadow has none.");
    if (mode < 0 && *ret_mode != METE_OFF)
        *ret_mode = wanted;
    return 0;
}

void controls_soften(struct mete_budget_spec *spec, int64_t soft_ppm)
{
    spec->soft_limit = (int64_t)(((int128)spec->limit * soft_ppm + PPM - 1) / PPM);
}

int controls_in_put(struct request *request, const struct controls_in *in,
                    struct mete_budget_spec *spec)
{
    struct fields fields = {
        .path = "controls", .arena = &request->arena, .problem = &request->problem};
    spec->soft_limit = 0;
    if (in->soft_ppm)
        controls_soften(spec, in->soft_ppm);
    else if (in->soft_limit.len) {
        int rc =
            units_amount(&fields, "soft_limit", spec->meter, in->soft_limit, &spec->soft_limit);
        if (rc)
            return rc;
    }
    spec->controls = (struct mete_controls){
        .throttle_ppm = (uint32_t)in->throttle_ppm,
        .stop_ppm = (uint32_t)in->stop_ppm,
        .downgrade_ppm = (uint32_t)in->downgrade_ppm,
        .cooldown_s = in->cooldown_s > 0 ? (uint32_t)in->cooldown_s : 0,
    };
    if (in->throttle_ppm)
        spec->controls.throttle_rate_ppm =
            in->throttle_rate_ppm ? (uint32_t)in->throttle_rate_ppm : RATE_PPM;
    if (in->stop_ppm)
        spec->controls.grace_s = in->grace_s >= 0 ? (uint32_t)in->grace_s : GRACE_S;
    return 0;
}

/* ---- Showing --------------------------------------------------------------------------------- */

int64_t controls_soft_ppm(struct json document)
{
    struct json share = json_member(document, "soft_threshold");
    int128 ppm;
    if (share.type != JSON_NUMBER || decimal_parse128(share.raw, 6, true, &ppm) || ppm <= 0 ||
        ppm > PPM)
        return 0;
    return (int64_t)ppm;
}

static void write_share(struct out *out, const char *name, int64_t ppm)
{
    char room[DECIMAL_ROOM];
    if (!ppm)
        return;
    size_t len = decimal_format(ppm, 6, 0, room);
    out_key(out, name);
    out_raw(out, (struct slice){room, len});
}

void controls_write_soft_ppm(struct out *out, int64_t soft_ppm)
{
    write_share(out, "soft_threshold", soft_ppm);
}

void controls_write(struct out *out, const struct mete_budget_view *view, struct json document)
{
    const struct mete_controls *controls = &view->controls;
    out_key(out, "controls");
    out_open(out, '{');
    out_member_bool(out, "hard_limit", view->mode == METE_ENFORCE);
    if (view->soft_limit)
        out_member_amount(out, "soft_limit", view->meter, view->soft_limit);
    if (view->soft_limit)
        controls_write_soft_ppm(out, controls_soft_ppm(document));
    write_share(out, "throttle_threshold", controls->throttle_ppm);
    write_share(out, "throttle_rate", controls->throttle_ppm ? controls->throttle_rate_ppm : 0);
    write_share(out, "emergency_stop_threshold", controls->stop_ppm);
    write_share(out, "downgrade_threshold", controls->downgrade_ppm);
    if (controls->throttle_ppm || controls->stop_ppm)
        out_member_integer(out, "cooldown_seconds", controls->cooldown_s);
    if (controls->stop_ppm)
        out_member_integer(out, "grace_seconds", controls->grace_s);
    out_close(out, '}');
    if (view->soft_limit)
        out_member_bool(out, "soft_limit_reached", view->soft_limit_reached != 0);
    if (controls->throttle_ppm)
        out_member_bool(out, "throttled", view->throttled != 0);
    if (controls->stop_ppm)
        out_member_instant(out, "stopped_at",
                           view->stopped_at.us ? view->stopped_at.us : INT64_MAX);
}
