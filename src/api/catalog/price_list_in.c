/* SPDX-License-Identifier: Apache-2.0
 * Of a list's model what is not said, and is no price, is as it was: its provider, and how much it
 * can make. */
#include "api/catalog/price_list_in.h"

#include "pricing/litellm.h"

#include <stdio.h>

struct reading {
    const struct price_list_in *in;
    const struct price_list_over *over;
    size_t *left_out;
};

static int wrong(struct request *request, size_t index, const char *field, const char *why)
{
    char name[96];
    snprintf(name, sizeof name, "prices[%zu]%s%s", index, *field ? "." : "", field);
    return problem_set(&request->problem, METE_E_INVALID, name, "%s", why);
}

/* What is not said is as it was, where it is no price. */
static void fill(const struct reading *reading, struct pricing_row *row)
{
    const struct price_model *there = pricing_listed(reading->over->before, row->name);
    if (there && !row->provider.len)
        row->provider = there->provider;
    if (there && !row->output_max)
        row->output_max = there->output_max;
}

/* The members of a row; NULL: all are known. */
static const char *find_unknown(struct json row, char room[48])
{
    static const char *const known[] = {"model",  "provider", "currency", "max_output_tokens",
                                        "prices", "tiers"};
    struct json key, value;
    size_t at = 0, i;
    while (json_next(row, &at, &key, &value)) {
        for (i = 0; i < sizeof known / sizeof known[0] && !json_string_is(key, known[i]); i++) {
        }
        if (i < sizeof known / sizeof known[0])
            continue;
        long len = json_string_copy(key, room, 47);
        room[len < 0 ? 0 : len] = 0;
        return room;
    }
    return NULL;
}

static int read_rows(struct request *request, struct reading *reading)
{
    struct sheet_fault fault;
    struct json each;
    size_t at = 0, index = 0;
    for (; json_next(reading->in->prices, &at, NULL, &each); index++) {
        struct pricing_row *row = &reading->over->sheet->row;
        if (each.type != JSON_OBJECT)
            return wrong(request, index, "", "It must be an object.");
        char room[48];
        const char *unknown = find_unknown(each, room);
        if (unknown)
            return wrong(request, index, unknown, "There is no such member.");
        if (sheet_read(each, reading->over->sheet, &fault))
            return wrong(request, index, fault.field, fault.why);
        if (!row->name.len)
            return wrong(request, index, "model", "It is missing.");
        fill(reading, row);
        int rc = pricing_put(reading->over->after, row);
        if (rc == METE_E_INVALID || rc == METE_E_SYNTAX)
            return wrong(request, index, "prices",
                         "No call can be priced by them, or the model, provider or currency is no "
                         "name.");
        if (rc)
            return problem_set(&request->problem, rc, NULL, NULL);
    }
    return 0;
}

static void leave_out(struct request *request, struct reading *reading, struct slice model,
                      const char *why)
{
    struct out *out = &request->out;
    ++*reading->left_out;
    out_open(out, '{');
    out_member_text(out, "model", model);
    out_member_text(out, "why", slice_of(why));
    out_close(out, '}');
}

/* Than one row of that list can: the row would take it away. */
static bool says_more(const struct price_model *model)
{
    return model && pricing_has_grades(model);
}

static int read_litellm(struct request *request, struct reading *reading)
{
    struct json key, value;
    size_t at = 0;
    while (json_next(reading->in->litellm, &at, &key, &value)) {
        char room[LIMIT_ID];
        long len = json_string_copy(key, room, sizeof room);
        bool ours = false;
        struct slice name = {room, len > 0 ? (size_t)len : 0};
        const char *why = name.len ? litellm_read(name, value, reading->over->sheet, &ours) : NULL;
        if (!ours)
            continue;
        if (!why && says_more(pricing_listed(reading->over->before, name)))
            why = "it has prices by grade or speed, which such a list says under other names";
        if (!why) {
            fill(reading, &reading->over->sheet->row);
            int rc = pricing_put(reading->over->after, &reading->over->sheet->row);
            if (rc == METE_E_MEMORY)
                return problem_set(&request->problem, rc, NULL, NULL);
            if (rc)
                why = "its name or its prices cannot be kept";
        }
        if (why)
            leave_out(request, reading, name, why);
    }
    return 0;
}

int price_list_read(struct request *request, const struct price_list_in *in,
                    const struct price_list_over *over, size_t *left_out)
{
    struct reading reading = {in, over, left_out};
    struct out *out = &request->out;
    out_key(out, "left_out");
    out_open(out, '[');
    int rc = in->prices.type ? read_rows(request, &reading) : 0;
    if (!rc && in->litellm.type)
        rc = read_litellm(request, &reading);
    out_close(out, ']');
    return rc;
}

int price_list_check(struct request *request, const struct price_list_in *in, bool needed)
{
    if (in->prices.type && in->litellm.type)
        return problem_set(&request->problem, METE_E_INVALID, "litellm",
                           "Say prices or litellm: not both.");
    if (needed && !in->prices.type && !in->litellm.type)
        return problem_set(&request->problem, METE_E_INVALID, "prices", "They are missing.");
    return 0;
}
