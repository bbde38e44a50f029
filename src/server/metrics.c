/* SPDX-License-Identifier: Apache-2.0
 * Counting is an increment of an array element; all the work is in the scrape. Histograms have
 * fixed buckets, three a decade, from 100 us to 300 s: enough to tell one flush from two, and the
 * same for all, so that they can be compared.
 *
 * Money is written in units of its currency as an exact decimal; that a reader makes a double of it
 * is the format's. Not done: a library. The format is thirty lines. */
#include "server/metrics.h"

#include "base/assert.h"
#include "base/checked.h"
#include "codec/decimal.h"
#include "tokens/encoding.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static const int64_t bounds_us[METRICS_BUCKETS] = {
    100,    200,    500,     1000,    2000,    5000,     10000,    20000,    50000,     100000,
    200000, 500000, 1000000, 2000000, 5000000, 10000000, 20000000, 50000000, 100000000, 300000000,
};

/* The first is no difference at all. */
enum { MILLIONTHS = 1000000, SHARE_MAX = 100 * MILLIONTHS };
static const int64_t bounds_share[METRICS_SHARES] = {0, 1000, 10000, 30000, 100000, 500000};

#define ROW(NAME, name, type, labels, text) FAMILY_##NAME,
enum family {
#include "tables/metrics.h"
    FAMILIES
};

struct family_row {
    const char *name, *type, *text;
};

#define ROW(NAME, name, type, labels, text) {#name, #type, text},
static const struct family_row families[] = {
#include "tables/metrics.h"
};
_Static_assert(sizeof families / sizeof families[0] == FAMILIES, "one row a family");

static const char *const reasons[METE_REASONS] = {
    "allowed",        "key_unknown", "key_expired", "key_revoked", "not_permitted", "unpriced",
    "emergency_stop", "hard_limit",  "quota",       "throttle",    "rate_limit",    "concurrency",
};
static const char *const endings[METE_ENDINGS] = {
    "ok",
    "error",
    "no_usage",
    "client_gone",
    "cancelled",
    "lost",
    "timeout",
    "not_sent",
    "cut",
    "expired",
    "recorded",
    [METE_ENDED_STOPPED] = "stopped",
    [METE_ENDED_SHUTDOWN] = "shutdown",
};
static const char *const statuses[METRICS_STATUSES] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
static const char *const meters[METRICS_TOKENS] = {
    "input",       "cached_input", "cache_write", "cache_write_1h", "audio_input",
    "image_input", "output",       "reasoning",   "audio_output",   "image_output"};
static const char *const periods[METE_PERIODS] = {
    "minute", "hourly", "daily", "weekly", "monthly", "quarterly", "yearly", "total", "rolling"};

const char *metrics_reason_name(enum mete_reason reason)
{
    ASSERT(reason < METE_REASONS);
    return reasons[reason];
}

const char *metrics_ending_name(enum mete_ending ending)
{
    ASSERT(ending < METE_ENDINGS);
    return endings[ending];
}

/* ---- Counting -------------------------------------------------------------------------------- */

static void histogram_add(struct metrics_histogram *histogram, int64_t us)
{
    int i = 0;
    while (i < METRICS_BUCKETS && us > bounds_us[i])
        i++;
    histogram->buckets[i]++;
    histogram->sum_us += us > 0 ? (uint64_t)us : 0;
}

static void add_accuracy(struct metrics *metrics, const struct gateway_call_done *done)
{
    const struct encoding *encoding;
    int64_t told = done->tokens_reported, far = done->tokens_counted - told, share = 0;
    size_t at = 0;
    int i = 0;
    while (at < METRICS_ENCODINGS && (encoding = encoding_at(at)) &&
           strcmp(encoding->name, done->encoding) != 0)
        at++;
    if (at == METRICS_ENCODINGS)
        return;
    if (far && !checked_mul_div_up(far < 0 ? -far : far, MILLIONTHS, max_i64(told, 1), &share))
        share = SHARE_MAX;
    share = min_i64(share, SHARE_MAX);
    struct metrics_shares *shares = &metrics->token_accuracy[at];
    while (i < METRICS_SHARES && share > bounds_share[i])
        i++;
    shares->buckets[i]++;
    shares->sum += (uint64_t)share;
}

void metrics_request(struct metrics *metrics, const struct listener_done *done)
{
    enum router_route route = router_route(done->path);
    int status = done->status / 100;
    if (done->gone || status < 0 || status >= METRICS_STATUSES)
        status = 0;
    metrics->requests[route][status]++;
    histogram_add(&metrics->request_us[route], done->duration_us);
}

void metrics_call(struct metrics *metrics, const struct gateway_call_done *done)
{
    ASSERT(done->refused < METE_REASONS && done->ending < METE_ENDINGS);
    metrics->verdicts[done->refused]++;
    if (done->refused != METE_REASON_NONE)
        return;
    metrics->endings[done->ending]++;
    histogram_add(&metrics->call_us, (int64_t)done->latency_ms * 1000);
    if (done->encoding)
        add_accuracy(metrics, done);
    if (done->stream && done->first_token_ms)
        histogram_add(&metrics->first_token_us, (int64_t)done->first_token_ms * 1000);
    const struct pricing_usage *u = &done->usage;
    const int64_t tokens[METRICS_TOKENS] = {
        u->input,       u->cached_input, u->cache_write, u->cache_write_1h, u->audio_input,
        u->image_input, u->output,       u->reasoning,   u->audio_output,   u->image_output};
    for (int i = 0; i < METRICS_TOKENS; i++)
        metrics->tokens[i] += tokens[i] > 0 ? (uint64_t)tokens[i] : 0;
    metrics->searches += u->searches > 0 ? (uint64_t)u->searches : 0;
}

static int64_t add_capped(int64_t a, int64_t b)
{
    int64_t sum = INT64_MAX;
    return checked_add(a, b, &sum) ? sum : INT64_MAX; /* a gauge: never wrong by wrapping */
}

void metrics_sum(struct metrics_now *now, const struct mete_budget_view *view)
{
    if (view->scope.n != view->organization.n || view->ended || view->mode == METE_OFF)
        return;
    struct metrics_sum *sum = now->sums, *end = now->sums + now->sums_len;
    while (sum < end && (sum->meter != view->meter || sum->currency != view->currency ||
                         sum->period != view->period))
        sum++;
    if (sum == end) {
        if (now->sums_len == METRICS_SUMS_MAX) {
            now->budgets_skipped++;
            return;
        }
        now->sums_len++;
        *sum = (struct metrics_sum){view->meter, view->currency, view->period, 0, 0};
    }
    sum->held = add_capped(sum->held, view->held);
    sum->committed = add_capped(sum->committed, view->committed);
}

/* ---- Writing --------------------------------------------------------------------------------- */

struct scrape {
    struct buffer *out;
    int error; /* the first; afterwards nothing is written */
};

__attribute__((format(printf, 2, 3))) static void put(struct scrape *scrape, const char *format,
                                                      ...)
{
    char line[512];
    va_list args;
    if (scrape->error)
        return;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    ASSERT(len >= 0 && (size_t)len < sizeof line);
    scrape->error = buffer_append(scrape->out, (struct slice){line, (size_t)len});
}

static void family(struct scrape *scrape, enum family which)
{
    put(scrape, "# HELP %s %s\n", families[which].name, families[which].text);
    put(scrape, "# TYPE %s %s\n", families[which].name, families[which].type);
}

static void single(struct scrape *scrape, enum family which, uint64_t value)
{
    family(scrape, which);
    put(scrape, "%s %" PRIu64 "\n", families[which].name, value);
}

static void labelled(struct scrape *scrape, enum family which, const char *label,
                     const char *const *names, const uint64_t *values, size_t len)
{
    family(scrape, which);
    for (size_t i = 0; i < len; i++)
        put(scrape, "%s{%s=\"%s\"} %" PRIu64 "\n", families[which].name, label, names[i],
            values[i]);
}

/* us as seconds, exactly. */
static void seconds(char room[DECIMAL_ROOM], uint64_t us)
{
    decimal_format((int128)us, 6, 0, room);
}

/* label: "" or "route=\"chat\"". */
static void histogram(struct scrape *scrape, enum family which, const char *label,
                      const struct metrics_histogram *values)
{
    const char *name = families[which].name, *comma = *label ? "," : "";
    char text[DECIMAL_ROOM];
    uint64_t count = 0;
    for (int i = 0; i < METRICS_BUCKETS; i++) {
        count += values->buckets[i];
        seconds(text, (uint64_t)bounds_us[i]);
        put(scrape, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", name, label, comma, text, count);
    }
    count += values->buckets[METRICS_BUCKETS];
    seconds(text, values->sum_us);
    put(scrape, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, label, comma, count);
    put(scrape, *label ? "%s_sum{%s} %s\n" : "%s_sum%s %s\n", name, label, text);
    put(scrape, *label ? "%s_count{%s} %" PRIu64 "\n" : "%s_count%s %" PRIu64 "\n", name, label,
        count);
}

static void write_accuracy(struct scrape *scrape, const struct metrics *metrics)
{
    const struct encoding *encoding;
    const char *name = families[FAMILY_STREAM_TOKEN_ACCURACY].name;
    char text[DECIMAL_ROOM];
    family(scrape, FAMILY_STREAM_TOKEN_ACCURACY);
    for (size_t at = 0; at < METRICS_ENCODINGS && (encoding = encoding_at(at)); at++) {
        const struct metrics_shares *shares = &metrics->token_accuracy[at];
        uint64_t count = 0;
        for (int i = 0; i < METRICS_SHARES; i++) {
            count += shares->buckets[i];
            seconds(text, (uint64_t)bounds_share[i]);
            put(scrape, "%s_bucket{encoding=\"%s\",le=\"%s\"} %" PRIu64 "\n", name, encoding->name,
                text, count);
        }
        count += shares->buckets[METRICS_SHARES];
        seconds(text, shares->sum);
        put(scrape, "%s_bucket{encoding=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name, encoding->name,
            count);
        put(scrape, "%s_sum{encoding=\"%s\"} %s\n", name, encoding->name, text);
        put(scrape, "%s_count{encoding=\"%s\"} %" PRIu64 "\n", name, encoding->name, count);
    }
}

static void write_requests(struct scrape *scrape, const struct metrics *metrics)
{
    family(scrape, FAMILY_REQUESTS);
    for (int route = 0; route < ROUTER_ROUTES; route++)
        for (int status = 0; status < METRICS_STATUSES; status++)
            put(scrape, "%s{route=\"%s\",status=\"%s\"} %" PRIu64 "\n",
                families[FAMILY_REQUESTS].name, router_route_name((enum router_route)route),
                statuses[status], metrics->requests[route][status]);
    family(scrape, FAMILY_REQUEST_SECONDS);
    for (int route = 0; route < ROUTER_ROUTES; route++) {
        char label[32];
        snprintf(label, sizeof label, "route=\"%s\"", router_route_name((enum router_route)route));
        histogram(scrape, FAMILY_REQUEST_SECONDS, label, &metrics->request_us[route]);
    }
}

static uint64_t provider_figure(const struct gateway_provider_view *view, enum family which)
{
    switch ((int)which) {
    case FAMILY_PROVIDER_CALLS:
        return view->asked;
    case FAMILY_PROVIDER_FAILED:
        return view->failed;
    case FAMILY_PROVIDER_CALLS_OPEN:
        return view->calls_open;
    case FAMILY_PROVIDER_OPEN:
        return view->health != GATEWAY_WELL;
    default:
        return view->opened;
    }
}

/* The configuration lets no name through that would have to be escaped. */
static void write_providers(struct scrape *scrape, const struct gateway *gateway)
{
    static const enum family all[] = {FAMILY_PROVIDER_CALLS, FAMILY_PROVIDER_FAILED,
                                      FAMILY_PROVIDER_CALLS_OPEN, FAMILY_PROVIDER_OPEN,
                                      FAMILY_PROVIDER_OPENED};
    struct gateway_provider_view view;
    for (size_t f = 0; f < sizeof all / sizeof all[0]; f++) {
        family(scrape, all[f]);
        for (size_t i = 0; gateway && gateway_provider_at(gateway, i, &view); i++)
            put(scrape, "%s{provider=\"%.*s\"} %" PRIu64 "\n", families[all[f]].name,
                (int)view.name.len, view.name.data, provider_figure(&view, all[f]));
    }
}

static void write_gateway(struct scrape *scrape, const struct metrics *metrics,
                          const struct metrics_now *now)
{
    labelled(scrape, FAMILY_CALLS, "ending", endings, metrics->endings, METE_ENDINGS);
    labelled(scrape, FAMILY_VERDICTS, "reason", reasons, metrics->verdicts, METE_REASONS);
    single(scrape, FAMILY_CALLS_OPEN, now->gateway.open);
    single(scrape, FAMILY_STREAMS_OPEN, now->gateway.streams_open);
    single(scrape, FAMILY_DRAINED, now->gateway.drained);
    single(scrape, FAMILY_SECOND_TRIES, now->gateway.second_tries);
    single(scrape, FAMILY_STREAMS_EXTENDED, now->gateway.extended);
    single(scrape, FAMILY_STREAMS_CUT, now->gateway.cut);
    write_providers(scrape, now->providers);
    labelled(scrape, FAMILY_TOKENS, "meter", meters, metrics->tokens, METRICS_TOKENS);
    single(scrape, FAMILY_SEARCHES, metrics->searches);
    family(scrape, FAMILY_CALL_SECONDS);
    histogram(scrape, FAMILY_CALL_SECONDS, "", &metrics->call_us);
    family(scrape, FAMILY_FIRST_TOKEN_SECONDS);
    histogram(scrape, FAMILY_FIRST_TOKEN_SECONDS, "", &metrics->first_token_us);
    write_accuracy(scrape, metrics);
    single(scrape, FAMILY_TRANSFERS, now->upstream.transfers);
    single(scrape, FAMILY_CONNECTS, now->upstream.connects);
    single(scrape, FAMILY_TRANSFERS_OPEN, now->upstream.open);
}

static void write_sums(struct scrape *scrape, enum family which, const struct metrics_now *now)
{
    family(scrape, which);
    for (size_t i = 0; i < now->sums_len; i++) {
        const struct metrics_sum *sum = &now->sums[i];
        char unit[16], amount[DECIMAL_ROOM];
        if (sum->meter == METE_COST)
            snprintf(unit, sizeof unit, "%c%c%c", (char)(sum->currency >> 16),
                     (char)(sum->currency >> 8), (char)sum->currency);
        else
            snprintf(unit, sizeof unit, "%s",
                     sum->meter == METE_TOTAL_TOKENS ? "tokens"
                     : sum->meter == METE_REQUESTS   ? "requests"
                                                     : "other");
        decimal_format(which == FAMILY_HELD ? sum->held : sum->committed,
                       sum->meter == METE_COST ? 9 : 0, 0, amount);
        put(scrape, "%s{unit=\"%s\",period=\"%s\"} %s\n", families[which].name, unit,
            periods[sum->period], amount);
    }
}

static void write_flushes(struct scrape *scrape, const struct mete_stats *stats)
{
    const char *name = families[FAMILY_FLUSH_SECONDS].name;
    char text[DECIMAL_ROOM];
    uint64_t count = 0;
    family(scrape, FAMILY_FLUSH_SECONDS);
    for (unsigned i = 0; i < 24; i++) {
        count += stats->flush_us_bucket[i];
        seconds(text, UINT64_C(1) << i);
        put(scrape, "%s_bucket{le=\"%s\"} %" PRIu64 "\n", name, text, count);
    }
    /* Those over the last bound are in the count alone. */
    count = stats->flushes > count ? stats->flushes : count;
    seconds(text, stats->flush_us_sum);
    put(scrape, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %s\n%s_count %" PRIu64 "\n", name,
        count, name, text, name, count);
}

static void write_engine(struct scrape *scrape, const struct metrics_now *now)
{
    const struct mete_stats *stats = &now->stats;
    static const char *const states[] = {"applied", "flushed", "projected", "audited", "snapshot"};
    const uint64_t seqs[] = {stats->seq, stats->flushed, stats->projected, stats->audited,
                             stats->snapshot};
    single(scrape, FAMILY_RESERVES, stats->reserves);
    single(scrape, FAMILY_REFUSED, stats->refused);
    single(scrape, FAMILY_COMMITS, stats->commits);
    single(scrape, FAMILY_RELEASES, stats->releases);
    single(scrape, FAMILY_EXPIRIES, stats->expiries);
    single(scrape, FAMILY_RECORDS, stats->records);
    single(scrape, FAMILY_OVERRUNS, stats->overruns);
    single(scrape, FAMILY_REPEATS, stats->repeats);
    write_sums(scrape, FAMILY_HELD, now);
    write_sums(scrape, FAMILY_COMMITTED, now);
    single(scrape, FAMILY_BUDGETS_SKIPPED, now->budgets_skipped);
    single(scrape, FAMILY_RESERVATIONS_OPEN, stats->reservations_open);
    single(scrape, FAMILY_SCOPES, stats->scopes);
    single(scrape, FAMILY_BUDGETS, stats->budgets);
    single(scrape, FAMILY_OUTCOMES, stats->outcomes);
    single(scrape, FAMILY_DRIFT, stats->drift);
    labelled(scrape, FAMILY_SEQ, "state", states, seqs, sizeof seqs / sizeof seqs[0]);
    single(scrape, FAMILY_JOURNAL_BYTES, stats->journal_bytes);
    write_flushes(scrape, stats);
    single(scrape, FAMILY_FREE_BYTES, stats->free_bytes);
    single(scrape, FAMILY_ADMISSION_STOPPED, stats->admission_stopped ? 1 : 0);
    single(scrape, FAMILY_RING, stats->ring_used);
    single(scrape, FAMILY_RECORDS_QUEUED, stats->records_queued);
    single(scrape, FAMILY_WORK_QUEUED, now->work_queued);
}

static uint64_t resident_bytes(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%*u %llu", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t open_fds(void)
{
    uint64_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        return 0;
    for (struct dirent *each = readdir(directory); each; each = readdir(directory))
        count += each->d_name[0] != '.';
    closedir(directory);
    return count ? count - 1 : 0; /* without the one that looks */
}

static void write_process(struct scrape *scrape, const struct metrics *metrics)
{
    struct rusage usage = {0};
    char text[DECIMAL_ROOM];
    getrusage(RUSAGE_SELF, &usage);
    int64_t cpu_us = ((int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                     usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    single(scrape, FAMILY_MEMORY, resident_bytes());
    family(scrape, FAMILY_CPU);
    seconds(text, (uint64_t)cpu_us);
    put(scrape, "%s %s\n", families[FAMILY_CPU].name, text);
    single(scrape, FAMILY_FDS, open_fds());
    family(scrape, FAMILY_START);
    seconds(text, (uint64_t)metrics->started_us);
    put(scrape, "%s %s\n", families[FAMILY_START].name, text);
}

int metrics_write(const struct metrics *metrics, const struct metrics_now *now, struct buffer *out)
{
    struct scrape scrape = {out, 0};
    family(&scrape, FAMILY_BUILD);
    put(&scrape, "%s{version=\"%s\"} 1\n", families[FAMILY_BUILD].name, METE_VERSION);
    write_requests(&scrape, metrics);
    single(&scrape, FAMILY_REFUSED_EARLY, now->listener.refused);
    single(&scrape, FAMILY_CONNECTIONS, now->listener.connections);
    single(&scrape, FAMILY_CONNECTIONS_TOTAL, now->listener.accepted);
    single(&scrape, FAMILY_OPEN, now->listener.open);
    write_gateway(&scrape, metrics, now);
    write_engine(&scrape, now);
    write_process(&scrape, metrics);
    return scrape.error;
}
