/* SPDX-License-Identifier: Apache-2.0
 * Settling a provisional record: the true figures of a call that was charged while its outcome was
 * unknown, or whose reservation expired. It is a commit of the record's reservation, which the
 * ledger takes as a correction, once (rule 26 of docs/semantics.md); what the caller does not say
 * stays as it was charged, so an empty body settles it as it is.
 *
 *   read the body -> find the record, on a worker -> fill in what was not said -> the stages of
 *   authority.h from submit on */
#include "api/acts.h"
#include "api/usage/handlers.h"
#include "api/authority/authority.h"

#include "api/units.h"
#include "base/assert.h"
#include "base/limits.h"

struct settling {
    struct call call; /* first: the stages know no other state */
    uint64_t record;
    bool is_found;
    uint64_t reservation, corrects;
    struct mete_scope_id organization;
    int64_t started_us;
    char model[LIMIT_ID];
    size_t model_len;
    struct mete_usage usage[RECORDS_METERS_MAX];
    size_t usage_len;
};

static int keep_record(void *user, const struct records_usage *usage)
{
    struct settling *settling = user;
    if (usage->seq != settling->record)
        return 0;
    ASSERT(usage->usage_len <= RECORDS_METERS_MAX && usage->model.len <= sizeof settling->model);
    settling->is_found = true;
    settling->reservation = usage->reservation;
    settling->organization = usage->organization;
    settling->corrects = usage->corrects;
    settling->started_us = usage->started_us;
    settling->model_len = usage->model.len;
    if (usage->model.len)
        memcpy(settling->model, usage->model.data, usage->model.len);
    settling->usage_len = usage->usage_len;
    memcpy(settling->usage, usage->usage, usage->usage_len * sizeof *usage->usage);
    return 0;
}

static int find_record(struct request *request, struct records_reader *reader)
{
    struct settling *settling = request->state;
    struct records_filter filter = {.seq = settling->record, .limit = 1};
    if (!request->who.admin) { /* another's is not there (INV-12) */
        ASSERT_INV("INV-12", request->who.organization.n > 0);
        filter.scope = request->who.organization;
    }
    return records_each_usage(reader, &filter, keep_record, settling);
}

/* What was not said is as it was charged. */
static int fill_rest(struct request *request, const struct settling *settling, struct item *item)
{
    for (size_t i = 0; i < settling->usage_len; i++) {
        const struct mete_usage *usage = &settling->usage[i];
        bool is_dollars = usage->meter != METE_COST || usage->currency == METE_USD;
        if (usage->meter >= HOLDS_METERS || !is_dollars || usage->amount < 0)
            return problem_set(&request->problem, METE_E_NOT_YET, NULL,
                               "The record has a meter or currency that this cannot settle.");
        uint32_t bit = UINT32_C(1) << usage->meter;
        bool is_open = !(item->said & bit) || usage->meter == METE_REQUESTS;
        if (!is_open || item->mask & bit)
            continue;
        item->amounts[usage->meter] = usage->amount;
        item->mask |= bit;
    }
    uint32_t requests = UINT32_C(1) << METE_REQUESTS;
    if (item->mask && !(item->mask & requests)) {
        item->amounts[METE_REQUESTS] = 1;
        item->mask |= requests;
    }
    return 0;
}

/* The body, with the model known or not yet: a usage that needs it is priced the second time. */
static int read_truth(struct request *request, struct slice model)
{
    struct settling *settling = request->state;
    struct item *item = settling->call.items;
    struct json body;
    int rc = request_body(request, &body);
    if (!rc && body.type != JSON_OBJECT)
        rc = problem_set(&request->problem, METE_E_INVALID, NULL, "The body must be an object.");
    *item = (struct item){.model = model, .reservation = settling->reservation};
    return rc ? rc : authority_read(request, body, item);
}

static int check_record(struct request *request, const struct settling *settling)
{
    if (!settling->is_found)
        return problem_set(&request->problem, METE_E_NOT_FOUND, "record",
                           "There is no such record.");
    if (!settling->reservation || settling->corrects)
        return problem_set(&request->problem, METE_E_INVALID, "record",
                           settling->corrects ? "It is a correction itself."
                                              : "It was metered after the fact, and is final.");
    return 0;
}

/* ---- The audit log ----------------------------------------------------------------------------
 */

static void noted(struct request *request)
{
    if (!acts_failed(request))
        authority_reply(request);
}

/* Afterwards, because only then it is known that the record took them. Who gets no answer asks
 * again, and that is written down. */
static void note(struct request *request)
{
    const struct settling *settling = request->state;
    const struct item *item = settling->call.items;
    struct out *out = &request->out;
    out_open(out, '{');
    for (uint16_t meter = 0; meter < HOLDS_METERS; meter++) {
        const char *name = meter == METE_COST ? "cost" : units_meter(meter);
        if (name && item->mask & UINT32_C(1) << meter)
            out_member_amount(out, name, meter, item->amounts[meter]);
    }
    out_close(out, '}');
    const struct act act = {.kind = DOCUMENT_SETTLEMENT,
                            .organization = settling->organization,
                            .id = request->params[0],
                            .document = arena_copy(&request->arena, buffer_slice(&out->bytes))};
    out_clear(out);
    if (act.document.data)
        acts_write(request, &act, noted);
    else
        request_fail(request, METE_E_MEMORY, NULL, NULL);
}

static void record_found(struct request *request)
{
    struct settling *settling = request->state;
    if (request_failed(request))
        return;
    int rc = check_record(request, settling);
    if (!rc)
        rc = read_truth(request, (struct slice){settling->model, settling->model_len});
    if (!rc)
        rc = authority_price(request, settling->call.items, settling->organization,
                             settling->started_us);
    if (!rc)
        rc = fill_rest(request, settling, settling->call.items);
    if (rc)
        request_problem(request);
    else
        authority_submit(request);
}

void records_settle(struct request *request)
{
    struct settling *settling = request_take(request, sizeof *settling);
    if (!settling)
        return;
    request->state = settling;
    settling->call = (struct call){.verb = VERB_SETTLE, .len = 1, .before_reply = note};
    settling->record = records_number(request->params[0]);
    settling->call.items = request_take(request, sizeof *settling->call.items);
    if (!settling->call.items)
        return;
    if (read_truth(request, (struct slice){0}))
        request_problem(request);
    else if (settling->record)
        request_work(request, find_record, record_found);
    else
        request_fail(request, METE_E_NOT_FOUND, "record", "There is no such record.");
}
