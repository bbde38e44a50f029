/* SPDX-License-Identifier: Apache-2.0
 * What is counted for Prometheus, and its text. Families are rows of tables/metrics.h. Counters are
 * the loop's: no locks. Nothing has a label whose values users choose. */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "base/buffer.h"
#include "gateway/gateway.h"
#include "net/listener.h"
#include "server/router.h"
#include "net/upstream.h"

enum { METRICS_SHARES = 6, METRICS_ENCODINGS = 16 };
enum { METRICS_BUCKETS = 20, METRICS_STATUSES = 6, METRICS_SUMS_MAX = 64, METRICS_TOKENS = 10 };

struct metrics_histogram {
    uint64_t buckets[METRICS_BUCKETS + 1]; /* not cumulative; the last has what is over */
    uint64_t sum_us;
};

/* How far figures were from others, as a share of these, in millionths. */
struct metrics_shares {
    uint64_t buckets[METRICS_SHARES + 1]; /* as above */
    uint64_t sum;
};

struct metrics {
    uint64_t requests[ROUTER_ROUTES][METRICS_STATUSES];
    struct metrics_histogram request_us[ROUTER_ROUTES];
    uint64_t verdicts[METE_REASONS], endings[METE_ENDINGS];
    uint64_t tokens[METRICS_TOKENS], searches;
    struct metrics_histogram call_us, first_token_us;
    struct metrics_shares token_accuracy[METRICS_ENCODINGS]; /* by encoding_at() */
    int64_t started_us;                                      /* wall */
};

void metrics_request(struct metrics *metrics, const struct listener_done *done);
void metrics_call(struct metrics *metrics, const struct gateway_call_done *done);

/* The words of labels, also for the log. */
const char *metrics_reason_name(enum mete_reason reason); /* "allowed" for none */
const char *metrics_ending_name(enum mete_ending ending);

/* Sums over budgets of one unit and period. */
struct metrics_sum {
    uint16_t meter;
    uint32_t currency;
    enum mete_period period;
    int64_t held, committed;
};

/* What a scrape finds beside the counters. */
struct metrics_now {
    struct mete_stats stats;
    struct listener_counts listener;
    struct upstream_counts upstream;
    struct gateway_counts gateway;
    const struct gateway *providers; /* asked how each provider is */
    struct metrics_sum sums[METRICS_SUMS_MAX];
    size_t sums_len;
    uint64_t budgets_skipped;
    size_t work_queued;
};

/* Adds a budget's view to the sums, if it is an organization's own and counts. */
void metrics_sum(struct metrics_now *now, const struct mete_budget_view *view);

/* Errors of buffer_append(). */
METE_MUST_USE int metrics_write(const struct metrics *metrics, const struct metrics_now *now,
                                struct buffer *out);

#endif
