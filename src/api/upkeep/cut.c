/* SPDX-License-Identifier: Apache-2.0
 * POST /api/v1/cut: mete_cut() on a worker, because it writes a snapshot of everything and waits
 * for the records; calls go on meanwhile. Then one look at what is left of the journal. */
#include "api/acts.h"
#include "api/upkeep/handlers.h"
#include "api/request.h"

static int run(struct request *request, struct records_reader *reader)
{
    uint64_t *base = request->state;
    (void)reader;
    return mete_cut(request->api->parts.mete, base);
}

static void looked(struct request *request)
{
    const uint64_t *base = request->state;
    if (request_missed(request, NULL))
        return;
    out_open(&request->out, '{');
    out_member_integer(&request->out, "seq", (int64_t)*base);
    out_member_integer(&request->out, "journal_bytes",
                       (int64_t)request->answer.stats.journal_bytes);
    out_close(&request->out, '}');
    request_reply(request, 200);
}

static void done(struct request *request)
{
    if (request_failed(request))
        return;
    request->op = (struct mete_op){.kind = METE_OP_QUERY, .args.query = {.kind = METE_QUERY_STATS}};
    request_ask(request, looked);
}

static void written(struct request *request)
{
    if (!acts_failed(request))
        request_work(request, run, done);
}

void cut_create(struct request *request)
{
    static const struct act act = {
        .kind = DOCUMENT_ACT, .id = {"cut", 3}, .document = {"{\"of\":\"journal\"}", 16}};
    request->state = request_take(request, sizeof(uint64_t));
    if (request->state)
        acts_write(request, &act, written);
}
