/* SPDX-License-Identifier: Apache-2.0
 * Each call reserves when it arrives and commits when it ends; what ends first is committed first,
 * so open calls hold money as they would have. Rows are kept here, apart from the engine, and
 * compared with it at the end: two accounts of one truth.
 *
 * A call is charged to the windows of its arrival (INV-09), in the rows as in the engine. */
#include "cli/replay.h"

#include "base/assert.h"
#include "base/limits.h"
#include "codec/decimal.h"
#include "codec/timestamp.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct ending {
    int64_t at_us;
    uint32_t call;
    struct mete_reservation_id reservation;
    int64_t output;
};

struct replay {
    const struct trace *trace;
    const struct replay_policy *policy;
    struct replay_result *result;
    FILE *calls;
    struct mete *mete;
    struct mete_port *port;
    int64_t now_us;
    uint32_t organization;
    uint32_t *users;   /* scope by client, 0: not seen yet */
    uint32_t *budgets; /* by client * budgets_len + index; the ones for all stand under client 0 */
    struct ending *heap; /* open calls, the first to end on top */
    size_t heap_len, heap_room;
    uint32_t *row_slots; /* open addressing over result.rows, 1-based */
    size_t slots_len, rows_room;
};

static int64_t replay_now(void *user)
{
    return ((const struct replay *)user)->now_us;
}

/* ---- Rows ---------------------------------------------------------------------------------- */

static size_t row_hash(uint32_t budget, uint32_t client, int64_t start_us)
{
    uint64_t hash = ((uint64_t)budget << 32 | client) * 0x9e3779b97f4a7c15U;
    hash ^= (uint64_t)start_us * 0xc2b2ae3d27d4eb4fU;
    return (size_t)(hash ^ hash >> 29);
}

static int grow_rows(struct replay *r)
{
    size_t room = r->rows_room ? r->rows_room * 2 : 256;
    struct replay_row *rows = realloc(r->result->rows, room * sizeof *rows);
    if (!rows)
        return METE_E_MEMORY;
    r->result->rows = rows;
    r->rows_room = room;
    uint32_t *slots = calloc(room * 2, sizeof *slots);
    if (!slots)
        return METE_E_MEMORY;
    free(r->row_slots);
    r->row_slots = slots;
    r->slots_len = room * 2;
    for (size_t i = 0; i < r->result->rows_len; i++) {
        size_t at =
            row_hash(rows[i].budget, rows[i].client, rows[i].window.start_us) & (r->slots_len - 1);
        while (slots[at])
            at = (at + 1) & (r->slots_len - 1);
        slots[at] = (uint32_t)i + 1;
    }
    return 0;
}

/* The row of a budget in the window of an instant, made if it is not there. */
static int row_of(struct replay *r, uint32_t budget, uint32_t client, int64_t at_us,
                  struct replay_row **ret_row)
{
    const struct replay_budget *spec = &r->policy->budgets[budget];
    uint32_t owner = spec->per_user ? client : UINT32_MAX;
    struct window window;
    int rc = calendar_window(&(struct calendar_rule){.period = spec->period}, at_us, &window);
    if (!rc && r->result->rows_len == r->rows_room)
        rc = grow_rows(r);
    if (rc)
        return rc;
    size_t at = row_hash(budget, owner, window.start_us) & (r->slots_len - 1);
    for (; r->row_slots[at]; at = (at + 1) & (r->slots_len - 1)) {
        struct replay_row *row = &r->result->rows[r->row_slots[at] - 1];
        if (row->budget == budget && row->client == owner &&
            row->window.start_us == window.start_us) {
            *ret_row = row;
            return 0;
        }
    }
    struct replay_row *row = &r->result->rows[r->result->rows_len++];
    *row = (struct replay_row){.budget = budget, .client = owner, .window = window};
    r->row_slots[at] = (uint32_t)r->result->rows_len;
    *ret_row = row;
    return 0;
}

/* ---- Scopes and budgets --------------------------------------------------------------------- */

static struct mete_text text_of(struct slice s)
{
    return (struct mete_text){s.data, s.len};
}

static void fill_budget(const struct replay_budget *from, uint32_t scope, struct slice id,
                        struct mete_change *ret_change)
{
    *ret_change = (struct mete_change){
        .kind = METE_PUT_BUDGET,
        .flags = METE_CHANGE_CREATE,
        .budget =
            {
                .id = text_of(id),
                .scope = {scope},
                .meter = from->meter,
                .currency = from->currency,
                .limit = from->limit,
                .period = from->period,
                .mode = from->mode,
            },
    };
}

/* Creates a scope with the budgets that are its own (organization: client 0 and not per user). */
static int create_scope(struct replay *r, const struct mete_scope_spec *spec, bool user,
                        uint32_t client)
{
    struct mete_change changes[1 + REPLAY_BUDGETS_MAX] = {{.kind = METE_PUT_SCOPE, .scope = *spec}};
    char ids[REPLAY_BUDGETS_MAX][48];
    uint32_t handles[1 + REPLAY_BUDGETS_MAX];
    size_t of[1 + REPLAY_BUDGETS_MAX], len = 1;
    for (size_t i = 0; i < r->policy->budgets_len; i++) {
        if (r->policy->budgets[i].per_user != user)
            continue;
        int id_len = snprintf(ids[i], sizeof ids[i], "budget-%zu-%u", i, client);
        of[len] = i;
        fill_budget(&r->policy->budgets[i], METE_FROM_CHANGE(0),
                    (struct slice){ids[i], (size_t)id_len}, &changes[len++]);
    }
    struct mete_apply args = {.changes = changes, .len = len};
    struct mete_applied applied;
    int rc = mete_apply(r->port, &args, handles, &applied);
    if (rc)
        return rc;
    for (size_t i = 1; i < len; i++)
        r->budgets[client * r->policy->budgets_len + of[i]] = handles[i];
    if (user)
        r->users[client] = handles[0];
    else
        r->organization = handles[0];
    return 0;
}

static int user_of(struct replay *r, uint32_t client, struct mete_scope_id *ret_scope)
{
    if (!r->users[client]) {
        struct mete_scope_spec spec = {
            .kind = METE_USER,
            .id = text_of(slice_of(r->trace->clients[client])),
            .organization = {r->organization},
            .parent = {r->organization},
        };
        int rc = create_scope(r, &spec, true, client);
        if (rc)
            return rc;
    }
    ret_scope->n = r->users[client];
    return 0;
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static bool ends_before(const struct ending *a, const struct ending *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->call < b->call;
}

static int push_ending(struct replay *r, struct ending ending)
{
    if (r->heap_len == r->heap_room) {
        size_t room = r->heap_room ? r->heap_room * 2 : 256;
        struct ending *heap = realloc(r->heap, room * sizeof *heap);
        if (!heap)
            return METE_E_MEMORY;
        r->heap = heap;
        r->heap_room = room;
    }
    size_t at = r->heap_len++;
    for (; at && ends_before(&ending, &r->heap[(at - 1) / 2]); at = (at - 1) / 2)
        r->heap[at] = r->heap[(at - 1) / 2];
    r->heap[at] = ending;
    return 0;
}

static struct ending pop_ending(struct replay *r)
{
    ASSERT(r->heap_len > 0);
    struct ending first = r->heap[0], last = r->heap[--r->heap_len];
    size_t at = 0;
    for (size_t child; (child = at * 2 + 1) < r->heap_len; at = child) {
        if (child + 1 < r->heap_len && ends_before(&r->heap[child + 1], &r->heap[child]))
            child++;
        if (!ends_before(&r->heap[child], &last))
            break;
        r->heap[at] = r->heap[child];
    }
    r->heap[at] = last;
    return first;
}

static int64_t amount_of(uint16_t meter, int64_t cost, int64_t tokens)
{
    return meter == METE_COST ? cost : meter == METE_TOTAL_TOKENS ? tokens : 1;
}

/* Adds a call that was let through to every row it counts in. */
static int count_spent(struct replay *r, const struct trace_call *call, int64_t cost,
                       int64_t tokens)
{
    for (uint32_t i = 0; i < r->policy->budgets_len; i++) {
        struct replay_row *row;
        int rc = row_of(r, i, call->client, call->at_us, &row);
        if (rc)
            return rc;
        row->allowed++;
        if (!checked_add(row->spent, amount_of(r->policy->budgets[i].meter, cost, tokens),
                         &row->spent))
            return METE_E_TOO_LARGE;
    }
    return 0;
}

static int end_call(struct replay *r, const struct ending *ending)
{
    const struct trace_call *call = &r->trace->calls[ending->call];
    int64_t reasoning = min_i64(call->reasoning, ending->output), cost;
    struct pricing_usage tokens = {
        .input = call->input, .output = ending->output, .reasoning = reasoning};
    int rc = pricing_charge(r->policy->model, &tokens, &cost);
    if (rc)
        return rc;
    struct mete_usage usage[] = {
        {.meter = METE_COST, .currency = r->policy->model->currency, .amount = cost},
        {.meter = METE_TOTAL_TOKENS, .amount = call->input + ending->output},
        {.meter = METE_REQUESTS, .amount = 1},
    };
    struct mete_commit args = {.reservation = ending->reservation, .usage = usage, .usage_len = 3};
    struct mete_receipt receipt;
    rc = mete_commit(r->port, &args, &receipt);
    if (rc)
        return rc;
    r->result->input += call->input;
    r->result->output += ending->output;
    if (!checked_add(r->result->cost_nano, receipt.cost, &r->result->cost_nano))
        return METE_E_TOO_LARGE;
    return count_spent(r, call, receipt.cost, call->input + ending->output);
}

static int end_calls_until(struct replay *r, int64_t at_us)
{
    while (r->heap_len && r->heap[0].at_us <= at_us) {
        struct ending ending = pop_ending(r);
        r->now_us = max_i64(r->now_us, ending.at_us);
        int rc = end_call(r, &ending);
        if (rc)
            return rc;
    }
    return 0;
}

/* Which of the policy's budgets a handle is; budgets_len if none. */
static uint32_t budget_index(const struct replay *r, uint32_t client, uint32_t handle)
{
    uint32_t len = (uint32_t)r->policy->budgets_len;
    for (uint32_t i = 0; i < len; i++) {
        uint32_t owner = r->policy->budgets[i].per_user ? client : 0;
        if (r->budgets[owner * len + i] == handle)
            return i;
    }
    return len;
}

static int count_refused(struct replay *r, const struct trace_call *call,
                         const struct mete_refusal *refusals, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint32_t index = budget_index(r, call->client, refusals[i].budget.n);
        struct replay_row *row;
        if (index == r->policy->budgets_len)
            continue;
        int rc = row_of(r, index, call->client, call->at_us, &row);
        if (rc)
            return rc;
        row->refused++; /* a shadow budget's too: it would have */
    }
    return 0;
}

static void print_call(struct replay *r, const struct trace_call *call,
                       const struct mete_verdict *verdict, int64_t output)
{
    if (!r->calls)
        return;
    char when[TIMESTAMP_ROOM], cost[DECIMAL_ROOM] = "0";
    int64_t nano;
    struct pricing_usage tokens = {
        .input = call->input, .output = output, .reasoning = min_i64(call->reasoning, output)};
    timestamp_format(call->at_us, when);
    if (verdict->allowed && !pricing_charge(r->policy->model, &tokens, &nano))
        decimal_format(nano, 9, 0, cost);
    fprintf(r->calls, "%u,%s,%s,%lld,%lld,%s,%s\n", call->line, when,
            r->trace->clients[call->client], (long long)call->input, (long long)output,
            verdict->allowed ? "allowed" : "refused", cost);
}

static int begin_call(struct replay *r, uint32_t index)
{
    const struct trace_call *call = &r->trace->calls[index];
    const struct replay_policy *policy = r->policy;
    struct mete_demand demands[3] = {
        [1] = {.meter = METE_TOTAL_TOKENS, .fixed = call->input, .per_million = 1000000},
        [2] = {.meter = METE_REQUESTS, .fixed = 1},
    };
    struct mete_reserve args = {
        .demands = demands,
        .demands_len = 3,
        .wish = call->output,
        .floor = call->output,
        .ttl_ms = LIMIT_TTL_MS,
        .flags = METE_RESERVE_CALL,
        .on_expiry = METE_EXPIRY_CHARGE,
    };
    if (policy->max_output_tokens) {
        args.wish = policy->max_output_tokens;
        args.floor = 1;
    }
    struct mete_refusal refusals[METE_REFUSALS_MAX];
    struct mete_verdict verdict;
    const struct pricing_limits limits = {.input = call->input, .choices = 1};
    int rc = pricing_bound(policy->model, &limits, &demands[0]);
    if (!rc)
        rc = user_of(r, call->client, &args.scope);
    if (!rc)
        rc = mete_reserve(r->port, &args, refusals, METE_REFUSALS_MAX, &verdict);
    if (rc)
        return rc;
    int64_t output = min_i64(call->output, verdict.granted);
    print_call(r, call, &verdict, verdict.allowed ? output : 0);
    rc = count_refused(r, call, refusals, verdict.refusals_len);
    if (rc || !verdict.allowed) {
        r->result->refused += !rc;
        return rc;
    }
    r->result->allowed++;
    r->result->clamped += output < call->output;
    int64_t lasts_us = policy->tokens_per_second ? output * 1000000 / policy->tokens_per_second : 0;
    return push_ending(r,
                       (struct ending){call->at_us + lasts_us, index, verdict.reservation, output});
}

static void show_progress(const struct replay *r, size_t done)
{
    enum { WIDTH = 40 };
    size_t len = r->trace->calls_len, filled = done * WIDTH / len;
    fprintf(stderr, "\r[%.*s%*s] %zu of %zu calls", (int)filled,
            "########################################", (int)(WIDTH - filled), "", done, len);
    if (done == len)
        fputc('\n', stderr);
}

/* ---- The whole ------------------------------------------------------------------------------- */

/* The engine's own figures against the last window of each row. */
static int compare(struct replay *r)
{
    for (size_t i = 0; i < r->result->rows_len; i++) {
        const struct replay_row *row = &r->result->rows[i];
        uint32_t owner = row->client == UINT32_MAX ? 0 : row->client;
        struct mete_query query = {
            .kind = METE_QUERY_BUDGET,
            .budget = {r->budgets[owner * r->policy->budgets_len + row->budget]},
        };
        struct mete_answer answer;
        int rc = mete_query(r->port, &query, &answer);
        if (rc)
            return rc;
        const struct mete_budget_view *view = &answer.budget;
        bool off = view->mode == METE_OFF;
        if (view->window_start.us == row->window.start_us &&
            ((view->committed != row->spent && !off) || view->held))
            r->result->mismatches++;
    }
    return 0;
}

static int by_budget(const void *a, const void *b)
{
    const struct replay_row *left = a, *right = b;
    if (left->budget != right->budget)
        return left->budget < right->budget ? -1 : 1;
    if (left->client != right->client)
        return left->client < right->client ? -1 : 1;
    return left->window.start_us < right->window.start_us ? -1 : 1;
}

static int run(struct replay *r, bool progress)
{
    struct mete_scope_spec trace_scope = {.kind = METE_ORGANIZATION, .id = {"trace", 5}};
    r->now_us = r->trace->calls[0].at_us;
    int rc = create_scope(r, &trace_scope, false, 0);
    for (uint32_t i = 0; i < r->trace->calls_len && !rc; i++) {
        rc = end_calls_until(r, r->trace->calls[i].at_us);
        r->now_us = max_i64(r->now_us, r->trace->calls[i].at_us);
        if (!rc)
            rc = begin_call(r, i);
        if (progress && (i % 4096 == 0 || i + 1 == r->trace->calls_len))
            show_progress(r, i + 1);
    }
    if (!rc)
        rc = end_calls_until(r, INT64_MAX);
    if (!rc)
        rc = compare(r);
    return rc;
}

int replay_run(const struct trace *trace, const struct replay_policy *policy, FILE *calls,
               bool progress, struct replay_result *ret_result)
{
    struct replay_result result = {0};
    struct replay r = {.trace = trace, .policy = policy, .result = &result, .calls = calls};
    struct mete_options options = {
        .owner = METE_OWNER_CALLER,
        .clock = {replay_now, &r},
    };
    int rc = METE_E_MEMORY;
    r.users = calloc(trace->clients_len, sizeof *r.users);
    r.budgets = calloc(trace->clients_len * REPLAY_BUDGETS_MAX, sizeof *r.budgets);
    if (!r.users || !r.budgets)
        goto out;
    r.now_us = trace->calls[0].at_us;
    rc = mete_open(&options, &r.mete);
    if (!rc)
        rc = mete_port_open(r.mete, &r.port);
    if (!rc)
        rc = run(&r, progress);
    if (!rc && result.rows_len)
        qsort(result.rows, result.rows_len, sizeof *result.rows, by_budget);
out:
    if (r.port)
        mete_port_close(r.port);
    if (r.mete)
        mete_close(r.mete);
    free(r.users);
    free(r.budgets);
    free(r.heap);
    free(r.row_slots);
    if (rc) {
        replay_done(&result);
        return rc;
    }
    *ret_result = result;
    return 0;
}

void replay_done(struct replay_result *result)
{
    free(result->rows);
    *result = (struct replay_result){0};
}
