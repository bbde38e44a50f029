/* SPDX-License-Identifier: Apache-2.0
 * Many questions, REQUEST_BATCH at a time, so that the memory for answers stays small however long
 * a list is. A batch is submitted whole; when its last answer is in, the next one is made.
 *
 * Names are the commonest of them: the wanted handles are a list that grows while it is worked off
 * (a scope's answer makes its organization wanted). */
#include "api/request.h"

#include "base/assert.h"

struct question {
    struct mete_op op;
    struct mete_answer answer;
    size_t at;
    struct request *request;
};

struct inquiry {
    struct inquiry_plan plan;
    size_t at, pending;
    struct question questions[REQUEST_BATCH];
};

static void next_batch(struct request *request);

static void answered(struct request *request, struct question *question)
{
    struct inquiry *inquiry = request->inquiry;
    ASSERT(inquiry->pending > 0);
    inquiry->plan.got(request, question->at, question->op.status, &question->answer);
    if (--inquiry->pending == 0)
        next_batch(request);
}

static void question_done(struct mete_op *op)
{
    struct question *question = op->user;
    answered(question->request, question);
}

static size_t fill(struct request *request, struct mete_op **ops)
{
    struct inquiry *inquiry = request->inquiry;
    size_t len = 0;
    while (len < REQUEST_BATCH) {
        struct question *question = &inquiry->questions[len];
        question->op = (struct mete_op){.kind = METE_OP_QUERY,
                                        .result.answer = &question->answer,
                                        .done = question_done,
                                        .user = question};
        question->at = inquiry->at;
        question->request = request;
        size_t at = inquiry->at;
        if (!inquiry->plan.next(request, &at, &question->op.args.query))
            break;
        question->at = at;
        inquiry->at = at + 1;
        ops[len++] = &question->op;
    }
    return len;
}

static void next_batch(struct request *request)
{
    struct inquiry *inquiry = request->inquiry;
    struct mete_op *ops[REQUEST_BATCH];
    size_t len = fill(request, ops);
    if (!len) {
        inquiry->plan.then(request);
        return;
    }
    inquiry->pending = len;
    size_t accepted = mete_submit(request->api->parts.port, ops, len);
    /* The last of those turned away may start the next batch: nothing is touched after it. */
    for (size_t i = accepted; i < len; i++) {
        ops[i]->status = METE_E_BUSY;
        answered(request, &inquiry->questions[i]);
    }
}

void inquiry_begin(struct request *request, const struct inquiry_plan *plan)
{
    struct mete_query first = {0};
    size_t at = 0;
    if (!plan->next(request, &at, &first)) { /* nothing to ask: no memory needed */
        plan->then(request);
        return;
    }
    if (!request->inquiry)
        request->inquiry = request_take(request, sizeof *request->inquiry);
    if (!request->inquiry)
        return;
    request->inquiry->plan = *plan;
    request->inquiry->at = 0;
    next_batch(request);
}

/* ---- Names ------------------------------------------------------------------------------------
 */

struct want {
    enum name_of of;
    uint32_t handle;
};

struct wants {
    size_t len, room;
    struct want *list;
    void (*then)(struct request *request);
};

static bool known(const struct request *request, struct want want)
{
    return namebook_get(request->api->names, want.of, want.handle) != NULL;
}

static bool grow(struct request *request, struct wants *wants)
{
    size_t room = wants->room ? wants->room * 2 : 16;
    struct want *list = arena_take(&request->arena, room * sizeof *list);
    if (!list)
        return false;
    if (wants->len)
        memcpy(list, wants->list, wants->len * sizeof *list);
    wants->list = list;
    wants->room = room;
    return true;
}

/* Without memory it is not wanted after all, and the reply shows null. */
void request_want(struct request *request, enum name_of of, uint32_t handle)
{
    struct want want = {of, handle};
    if (!handle || handle >= METE_FROM_CHANGE(0) || known(request, want))
        return; /* or it is yet to be made, by the transaction that knows its name */
    if (!request->wants)
        request->wants = arena_take(&request->arena, sizeof *request->wants);
    struct wants *wants = request->wants;
    if (!wants)
        return;
    if (wants->len) { /* neighbours of a reply often want the same */
        struct want last = wants->list[wants->len - 1];
        if (last.of == of && last.handle == handle)
            return;
    }
    if (wants->len == wants->room && !grow(request, wants))
        return;
    wants->list[wants->len++] = want;
}

static bool next_name(struct request *request, size_t *at, struct mete_query *ret_query)
{
    const struct wants *wants = request->wants;
    while (*at < wants->len && known(request, wants->list[*at]))
        ++*at;
    if (*at == wants->len)
        return false;
    struct want want = wants->list[*at];
    static const enum mete_query_kind kinds[] = {[NAME_SCOPE] = METE_QUERY_SCOPE,
                                                 [NAME_BUDGET] = METE_QUERY_BUDGET,
                                                 [NAME_RATE] = METE_QUERY_RATE};
    *ret_query = (struct mete_query){.kind = kinds[want.of],
                                     .scope = {want.handle},
                                     .budget = {want.handle},
                                     .rate = {want.handle}};
    return true;
}

static void got_name(struct request *request, size_t at, int status,
                     const struct mete_answer *answer)
{
    if (status)
        return;
    struct namebook *names = request->api->names;
    switch (request->wants->list[at].of) {
    case NAME_BUDGET:
        namebook_learn_budget(names, &answer->budget);
        return;
    case NAME_RATE:
        namebook_learn_rate(names, &answer->rate);
        return;
    case NAME_SCOPE:
        namebook_learn_scope(names, &answer->scope);
        request_want(request, NAME_SCOPE, answer->scope.organization.n);
    }
}

static void names_loaded(struct request *request)
{
    request->wants->len = 0;
    request->wants->then(request);
}

void request_load_names(struct request *request, void (*then)(struct request *request))
{
    static const struct inquiry_plan plan = {next_name, got_name, names_loaded};
    if (!request->wants || !request->wants->len) {
        then(request);
        return;
    }
    request->wants->then = then;
    inquiry_begin(request, &plan);
}
