/* SPDX-License-Identifier: Apache-2.0
 * What the simulator billed: sums over everything, and the last calls one by one in a ring. A call
 * is billed once, when it is over. */
#include "base/assert.h"
#include "sim/inside.h"

#include <stdlib.h>

int sim_account_init(struct sim_account *account)
{
    *account = (struct sim_account){.kept = calloc(LIMIT_SIM_BILLED, sizeof *account->kept)};
    return account->kept ? 0 : METE_E_MEMORY;
}

void sim_account_done(struct sim_account *account)
{
    free(account->kept);
    *account = (struct sim_account){0};
}

void sim_account_reset(struct sim_account *account)
{
    *account = (struct sim_account){.kept = account->kept};
}

void sim_account_bill(struct sim_account *account, const struct sim_answer *answer,
                      int64_t output_tokens, bool usage_reported)
{
    ASSERT(answer->model.len <= MODEL_RAW && output_tokens >= 0);
    struct sim_billed billed = {.number = answer->number,
                                .input_tokens = answer->input_tokens,
                                .output_tokens = output_tokens,
                                .usage_reported = usage_reported,
                                .model_len = answer->model.len};
    memcpy(billed.model, answer->model.data, answer->model.len);
    sim_account_put(account, &billed);
}

void sim_account_put(struct sim_account *account, const struct sim_billed *billed)
{
    account->kept[account->billed++ % LIMIT_SIM_BILLED] = *billed;
    account->input_tokens += billed->input_tokens;
    account->output_tokens += billed->output_tokens;
}

/* Pieces are told where there are any. */
static int put_pieces(const struct sim_billed *billed, struct buffer *out)
{
    const struct {
        const char *name;
        int64_t pieces;
    } all[] = {{"images", billed->images},
               {"characters", billed->characters},
               {"audio_seconds", billed->audio_seconds},
               {"video_seconds", billed->video_seconds}};
    int rc = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0] && !rc; i++)
        if (all[i].pieces)
            rc = buffer_format(out, "\"%s\":%lld,", all[i].name, (long long)all[i].pieces);
    return rc;
}

static int put_billed(const struct sim_billed *billed, struct buffer *out)
{
    int rc = buffer_format(
        out, "{\"id\":\"chatcmpl-sim-%llu\",\"model\":", (unsigned long long)billed->number);
    if (!rc)
        rc = buffer_append(out, (struct slice){billed->model, billed->model_len});
    if (!rc)
        rc = buffer_text(out, ",");
    if (!rc)
        rc = put_pieces(billed, out);
    return rc ? rc
              : buffer_format(out,
                              "\"input_tokens\":%lld,\"output_tokens\":%lld,"
                              "\"usage_reported\":%s}",
                              (long long)billed->input_tokens, (long long)billed->output_tokens,
                              billed->usage_reported ? "true" : "false");
}

int sim_account_json(const struct sim_account *account, struct buffer *out)
{
    int rc = buffer_format(out,
                           "{\"calls\":%llu,\"failed\":%llu,\"cut\":%llu,\"input_tokens\":%lld,"
                           "\"output_tokens\":%lld,\"requests\":[",
                           (unsigned long long)account->calls, (unsigned long long)account->failed,
                           (unsigned long long)account->cut, (long long)account->input_tokens,
                           (long long)account->output_tokens);
    uint64_t first = account->billed > LIMIT_SIM_BILLED ? account->billed - LIMIT_SIM_BILLED : 0;
    for (uint64_t i = first; !rc && i < account->billed; i++) {
        rc = i > first ? buffer_text(out, ",") : 0;
        if (!rc)
            rc = put_billed(&account->kept[i % LIMIT_SIM_BILLED], out);
    }
    return rc ? rc : buffer_text(out, "]}");
}
