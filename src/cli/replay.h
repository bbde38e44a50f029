/* SPDX-License-Identifier: Apache-2.0
 * A usage trace run through the engine under a policy: what would have been let through, refused
 * and spent. Deterministic: the trace's own times are the clock, the ledger is in memory. */
#ifndef CLI_REPLAY_H
#define CLI_REPLAY_H

#include "base/buffer.h"
#include "calendar/calendar.h"
#include "cli/trace.h"
#include "pricing/pricing.h"

#include <stdio.h>

enum { REPLAY_BUDGETS_MAX = 8 };

struct replay_budget {
    bool per_user; /* one for each client of the trace, else one for all */
    uint16_t meter;
    uint32_t currency;
    int64_t limit;
    enum mete_period period;
    enum mete_mode mode;
};

struct replay_policy {
    const struct price_model *model;
    int64_t start_us;          /* where a trace of relative times begins */
    int64_t max_output_tokens; /* what each call reserves; 0: just what it will use */
    int64_t tokens_per_second; /* how long a call lasts; 0: it ends at once */
    struct replay_budget budgets[REPLAY_BUDGETS_MAX];
    size_t budgets_len;
};

/* One budget in one window. */
struct replay_row {
    uint32_t budget; /* index into policy.budgets */
    uint32_t client; /* index into trace.clients; UINT32_MAX: the one for all */
    struct window window;
    uint64_t allowed, refused;
    int64_t spent;
};

struct replay_result {
    struct replay_row *rows; /* in order of budget, client, window */
    size_t rows_len;
    uint64_t allowed, refused, clamped;
    int64_t cost_nano, input, output;
    uint64_t mismatches; /* budgets whose figures in the engine differ from these rows; must be 0 */
};

/* calls: when not NULL gets a line of CSV a call. progress: a bar on stderr.
 * Errors: those of mete_open and mete_apply; TOO_LARGE when money overflows; MEMORY. */
METE_MUST_USE int replay_run(const struct trace *trace, const struct replay_policy *policy,
                             FILE *calls, bool progress, struct replay_result *ret_result);
void replay_done(struct replay_result *result);

#endif
