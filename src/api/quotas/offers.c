/* SPDX-License-Identifier: Apache-2.0 */
#include "api/quotas/offers.h"

#include "api/entities.h"
#include "api/quotas/units.h"
#include "api/units.h"

#include <stddef.h>
#include <stdio.h>

enum { DAYS_MAX = 3660 };

struct offer_in {
    struct slice unit, amount, cap;
    int64_t priority, days;
    bool rolls;
};

#define AT(member) offsetof(struct offer_in, member)
#define COMMON                                                                                     \
    {.name = "unit",                                                                               \
     .type = FIELD_TOKEN,                                                                          \
     .flags = FIELD_REQUIRED,                                                                      \
     .offset = AT(unit),                                                                           \
     .min = 1,                                                                                     \
     .max = 64},                                                                                   \
        {.name = "amount", .type = FIELD_AMOUNT, .flags = FIELD_REQUIRED, .offset = AT(amount)},   \
    {                                                                                              \
        .name = "priority", .type = FIELD_COUNT, .offset = AT(priority), .max = UINT32_MAX         \
    }
static const struct field monthly[] = {
    COMMON,
    {.name = "rollover", .type = FIELD_BOOL, .offset = AT(rolls)},
    {.name = "rollover_cap", .type = FIELD_AMOUNT, .flags = FIELD_OR_NULL, .offset = AT(cap)},
};
static const struct field once[] = {
    COMMON,
    {.name = "expires_in_days",
     .type = FIELD_COUNT,
     .flags = FIELD_OR_NULL,
     .offset = AT(days),
     .min = 1,
     .max = DAYS_MAX},
};
#undef COMMON
#undef AT

static int convert(const struct fields *fields, const struct offer_in *in, struct offer *ret_offer)
{
    struct offer offer = {.priority = (uint32_t)in->priority,
                          .rolls = in->rolls,
                          .rollover_cap = -1,
                          .days = in->days};
    int rc = quota_unit_read(fields, "unit", in->unit, &offer.meter, &offer.currency);
    if (!rc)
        rc = units_amount(fields, "amount", offer.meter, in->amount, &offer.amount);
    if (!rc && offer.amount == 0)
        rc = fields_fault(fields, METE_E_INVALID, "amount", "It must be above 0.");
    if (!rc && in->cap.len && !in->rolls)
        rc = fields_fault(fields, METE_E_INVALID, "rollover_cap", "Nothing rolls over.");
    if (!rc && in->cap.len)
        rc = units_amount(fields, "rollover_cap", offer.meter, in->cap, &offer.rollover_cap);
    if (!rc)
        *ret_offer = offer;
    return rc;
}

static int read_one(struct request *request, struct json element, enum offer_form form,
                    struct offers *offers)
{
    char path[32];
    snprintf(path, sizeof path, "grants[%zu]", offers->len);
    const struct fields fields = {.table = form == OFFER_MONTHLY ? monthly : once,
                                  .len = form == OFFER_MONTHLY ? sizeof monthly / sizeof monthly[0]
                                                               : sizeof once / sizeof once[0],
                                  .path = path,
                                  .arena = &request->arena,
                                  .problem = &request->problem};
    struct offer_in in = {0};
    struct offer offer;
    int rc = fields_read(&fields, element, &in);
    if (!rc)
        rc = convert(&fields, &in, &offer);
    for (size_t i = 0; i < offers->len && !rc; i++)
        if (offers->at[i].meter == offer.meter && offers->at[i].currency == offer.currency)
            rc = fields_fault(&fields, METE_E_INVALID, "unit", "Another grant has this unit.");
    if (!rc)
        offers->at[offers->len++] = offer;
    return rc;
}

int offers_read(struct request *request, struct json list, enum offer_form form,
                struct offers *ret_offers)
{
    struct offers offers = {0};
    struct json element;
    size_t at = 0;
    while (list.type == JSON_ARRAY && json_next(list, &at, NULL, &element)) {
        if (offers.len == LIMIT_SCOPE_QUOTAS)
            return problem_set(&request->problem, METE_E_INVALID, "grants",
                               "A scope has quotas in at most %d units.", LIMIT_SCOPE_QUOTAS);
        int rc = read_one(request, element, form, &offers);
        if (rc)
            return rc;
    }
    if (!offers.len)
        return problem_set(&request->problem, METE_E_INVALID, "grants",
                           "It must have at least one grant.");
    *ret_offers = offers;
    return 0;
}

static void write_one(struct out *out, const struct offer *offer, enum offer_form form)
{
    out_open(out, '{');
    units_write(out, "unit", offer->meter, offer->currency);
    out_member_amount(out, "amount", offer->meter, offer->amount);
    out_member_integer(out, "priority", offer->priority);
    out_key(out, form == OFFER_MONTHLY ? "rollover" : "expires_in_days");
    if (form == OFFER_MONTHLY)
        out_bool(out, offer->rolls);
    else if (offer->days)
        out_integer(out, offer->days);
    else
        out_null(out);
    if (form == OFFER_MONTHLY) {
        out_key(out, "rollover_cap");
        if (offer->rolls && offer->rollover_cap >= 0)
            out_amount(out, offer->meter, offer->rollover_cap);
        else
            out_null(out);
    }
    out_close(out, '}');
}

void offers_write(struct out *out, const struct offers *offers, enum offer_form form)
{
    out_key(out, "grants");
    out_open(out, '[');
    for (size_t i = 0; i < offers->len; i++)
        write_one(out, &offers->at[i], form);
    out_close(out, ']');
}

void offers_text(struct request *request, const char *name, struct slice said, struct json was)
{
    if (said.len)
        out_member_text(&request->out, name, said);
    else
        entities_member(request, was, name, JSON_STRING, "null");
}
