/* SPDX-License-Identifier: Apache-2.0
 * Drawing operations, doing them, noting what was told. Several operations at a time are submitted
 * together, so that one group of the journal holds several. What may be drawn depends only on what
 * was told, never on what the engine would say. */
#include "fault/book.h"

#include "fault/disk.h"
#include "fault/lying_os.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SCOPES_MAX = 24, SCOPE_BUDGETS_MAX = 6, KEY_DEPTH = 3 };

/* One operation under way, with all that it points to. */
struct errand {
    struct mete_op op;
    struct book *book;
    uint32_t index;
    char id[16], budget_id[16];
    struct mete_demand demands[2];
    struct mete_usage usage[2];
    struct mete_change changes[2];
    uint32_t handles[2];
    struct mete_answer answer;
};

struct book *book_new(void)
{
    struct book *book =
        mmap(NULL, sizeof *book, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (book == MAP_FAILED)
        abort();
    return book;
}

void book_clear(struct book *book)
{
    memset(book, 0, sizeof *book);
}

int book_fail(struct book *book, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!book->fault[0])
        vsnprintf(book->fault, sizeof book->fault, format, args);
    va_end(args);
    return 1;
}

void book_as_of(const struct book *book, size_t events, struct book *ret_book)
{
    ret_book->len = 0;
    ret_book->life = book->life;
    ret_book->fault[0] = 0;
    for (uint32_t i = 0; i < book->len && book->ops[i].asked_at < events; i++) {
        struct book_op *op = &ret_book->ops[ret_book->len++];
        *op = book->ops[i];
        if (op->told_at <= events)
            continue;
        op->told_at = SIZE_MAX;
        op->status = 0;
        op->allowed = false;
        op->id = 0;
        op->budget = 0;
        op->seq = 0;
        op->made_us = op->expires_us = 0;
    }
}

int64_t book_clock_us(const struct book *book)
{
    int64_t latest = 0;
    for (uint32_t i = 0; i < book->len; i++)
        if (book->ops[i].clock_us > latest)
            latest = book->ops[i].clock_us;
    return latest;
}

struct mete_options book_options(void)
{
    return (struct mete_options){.directory = "/tmp", /* no file of it is touched: see disk.h */
                                 .owner = METE_OWNER_CALLER,
                                 .sqlite_vfs = disk_vfs(),
                                 .scopes_max = 256,
                                 .budgets_max = 1024,
                                 .reservations_max = 4096,
                                 .outcomes_max = 4096};
}

/* ---- Errands --------------------------------------------------------------------------------- */

static struct mete_text text(const char *terminated)
{
    return (struct mete_text){terminated, strlen(terminated)};
}

/* Some documents and notes are long, so that some groups of the journal take several pages. */
static struct mete_text document(uint32_t n)
{
    static char name[12000] = "";
    if (!name[0])
        memset(name, 'x', sizeof name);
    return (struct mete_text){name, n % 5 ? n % 300 : sizeof name};
}

static struct mete_text note_text(uint32_t index)
{
    struct mete_text text = document(1);
    text.len = index % 3 ? index % 100 : 3000;
    return text;
}

static size_t put_demands(const struct book_op *op, struct errand *errand)
{
    errand->demands[0] = (struct mete_demand){METE_COST, METE_USD, op->cost, 0};
    errand->demands[1] = (struct mete_demand){METE_TOTAL_TOKENS, 0, op->tokens, 0};
    errand->usage[0] = (struct mete_usage){METE_COST, METE_USD, op->cost};
    errand->usage[1] = (struct mete_usage){METE_TOTAL_TOKENS, 0, op->tokens};
    return 2;
}

static void put_reserve(const struct book_op *op, struct errand *errand)
{
    errand->op.kind = METE_OP_RESERVE;
    errand->op.args.reserve =
        (struct mete_reserve){.scope = {op->scope},
                              .request_id = text(errand->id),
                              .model = text("gpt-4o"),
                              .provider = text("openai"),
                              .demands = errand->demands,
                              .demands_len = put_demands(op, errand),
                              .ttl_ms = op->ttl_ms,
                              .on_expiry = op->charges ? METE_EXPIRY_CHARGE : METE_EXPIRY_RELEASE,
                              .flags = op->is_call ? METE_RESERVE_CALL : 0};
}

static void put_record(const struct book_op *op, struct errand *errand)
{
    errand->op.kind = METE_OP_RECORD;
    errand->op.args.record = (struct mete_record){.scope = {op->scope},
                                                  .request_id = text(errand->id),
                                                  .model = text("gpt-4o"),
                                                  .usage = errand->usage,
                                                  .usage_len = put_demands(op, errand),
                                                  .outcome = {.ending = METE_ENDED_RECORDED}};
}

static struct mete_change budget_change(const struct book_op *op, const char *id, uint32_t scope,
                                        uint32_t flags)
{
    return (struct mete_change){.kind = METE_PUT_BUDGET,
                                .flags = flags,
                                .budget = {.id = text(id),
                                           .scope = {scope},
                                           .meter = op->meter,
                                           .currency = op->meter == METE_COST ? METE_USD : 0,
                                           .limit = op->cost,
                                           .period = op->period,
                                           .thresholds_ppm = {500000, 1000000},
                                           .thresholds_len = 2},
                                .document = document((uint32_t)(op->cost % 1000))};
}

static struct mete_change scope_change(const struct book_op *op, const char *id)
{
    static const enum mete_kind kinds[] = {METE_ORGANIZATION, METE_DEPARTMENT, METE_USER};
    uint32_t parent = op->scope; /* the handles of the first ones are 1, 2, 3 */
    enum mete_kind kind = parent < KEY_DEPTH ? kinds[parent] : METE_API_KEY;
    return (struct mete_change){.kind = METE_PUT_SCOPE,
                                .flags = METE_CHANGE_CREATE,
                                .scope = {.kind = kind,
                                          .id = text(id),
                                          .organization = {parent ? 1 : 0},
                                          .parent = {parent}},
                                .document = document((uint32_t)(op->cost % 1000))};
}

static uint32_t scope_of_budget(const struct book_op *op)
{
    return op->kind == BOOK_PUT_SCOPE ? (uint32_t)op->id : op->scope;
}

static void put_changes(const struct book_op *op, struct errand *errand)
{
    size_t len = 0;
    const struct book_op *target = &errand->book->ops[op->target];
    if (op->kind == BOOK_PUT_SCOPE)
        errand->changes[len++] = scope_change(op, errand->id);
    uint32_t scope = op->kind == BOOK_PUT_SCOPE ? METE_FROM_CHANGE(0) : op->scope;
    if (op->kind == BOOK_PUT_SCOPE || op->kind == BOOK_PUT_BUDGET)
        errand->changes[len++] = budget_change(op, errand->budget_id, scope, METE_CHANGE_CREATE);
    if (op->kind == BOOK_SET_LIMIT) {
        struct book_op as_now = *target;
        as_now.cost = op->cost;
        errand->changes[len++] =
            budget_change(&as_now, errand->budget_id, scope_of_budget(target), METE_CHANGE_UPDATE);
    }
    if (op->kind == BOOK_END_BUDGET)
        errand->changes[len++] =
            (struct mete_change){.kind = METE_END_BUDGET, .end = {target->budget}};
    errand->op.kind = METE_OP_APPLY;
    errand->op.handles = errand->handles;
    errand->op.args.apply = (struct mete_apply){errand->changes, len, text("root")};
}

static void put_end(const struct book_op *op, struct errand *errand)
{
    struct mete_reservation_id id = {errand->book->ops[op->target].id};
    errand->op.kind = op->kind == BOOK_COMMIT ? METE_OP_COMMIT : METE_OP_RELEASE;
    if (op->kind == BOOK_RELEASE)
        errand->op.args.release = id;
    else
        errand->op.args.commit = (struct mete_commit){
            .reservation = id,
            .usage = errand->usage,
            .usage_len = put_demands(op, errand),
            .outcome = {.status = 200, .attempts = 1, .note = note_text(errand->index)}};
}

static void prepare(struct errand *errand, struct book *book, uint32_t index)
{
    const struct book_op *op = &book->ops[index];
    memset(errand, 0, sizeof *errand);
    errand->book = book;
    errand->index = index;
    errand->op.user = errand;
    snprintf(errand->id, sizeof errand->id, "r%u", index);
    bool of_target = op->kind == BOOK_SET_LIMIT || op->kind == BOOK_END_BUDGET;
    snprintf(errand->budget_id, sizeof errand->budget_id, "b%u", of_target ? op->target : index);
    switch (op->kind) {
    case BOOK_RESERVE:
        put_reserve(op, errand);
        return;
    case BOOK_COMMIT:
    case BOOK_RELEASE:
        put_end(op, errand);
        return;
    case BOOK_RECORD:
        put_record(op, errand);
        return;
    case BOOK_PUT_SCOPE:
    case BOOK_PUT_BUDGET:
    case BOOK_SET_LIMIT:
    case BOOK_END_BUDGET:
        put_changes(op, errand);
        return;
    case BOOK_PASS:
    case BOOK_PROJECT:
    case BOOK_KINDS:
        errand->op.kind = METE_OP_QUERY;
        errand->op.args.query.kind =
            op->kind == BOOK_PROJECT ? METE_QUERY_PROJECTED : METE_QUERY_STATS;
        errand->op.result.answer = &errand->answer;
    }
}

/* ---- What was told --------------------------------------------------------------------------- */

static void note_reserve(struct book_op *op, const struct mete_op *got)
{
    const struct mete_verdict *verdict = &got->result.verdict;
    if (op->was_retried && op->is_call && got->status == METE_E_ENDED)
        op->status = 0; /* it was made, and the recovery ended it */
    op->allowed = verdict->allowed || got->status == METE_E_ENDED;
    op->id = verdict->reservation.n;
    op->seq = verdict->seq;
    op->expires_us = verdict->expires_at.us;
    op->made_us = op->was_retried ? 0 : verdict->expires_at.us - op->ttl_ms * 1000;
}

/* An end that was asked again may find the reservation ended by time or recovery: no fault. */
static void note_end(struct book_op *op, const struct mete_op *got)
{
    op->allowed = got->status == 0;
    if (op->was_retried && got->status == METE_E_ENDED)
        op->status = 0;
    op->id = got->result.receipt.record;
}

static void note_change(struct book_op *op, const struct errand *errand)
{
    bool puts = op->kind == BOOK_PUT_SCOPE || op->kind == BOOK_PUT_BUDGET;
    int well_too = puts ? METE_E_EXISTS : METE_E_NOT_FOUND;
    if (op->was_retried && errand->op.status == well_too && op->kind != BOOK_SET_LIMIT)
        op->status = 0;
    op->allowed = op->status == 0;
    if (!puts || errand->op.status)
        return; /* retried: book_retry() looks for the handles */
    op->seq = errand->op.result.applied.seq;
    op->budget = errand->handles[op->kind == BOOK_PUT_SCOPE];
    if (op->kind == BOOK_PUT_SCOPE)
        op->id = errand->handles[0];
}

static void note(struct mete_op *got)
{
    struct errand *errand = got->user;
    struct book_op *op = &errand->book->ops[errand->index];
    op->status = got->status;
    bool was_ended = op->kind == BOOK_RESERVE && got->status == METE_E_ENDED;
    if (!was_ended) /* else it is of the life it was asked in */
        op->life = errand->book->life;
    if (op->kind == BOOK_RESERVE)
        note_reserve(op, got);
    else if (op->kind == BOOK_COMMIT || op->kind == BOOK_RELEASE)
        note_end(op, got);
    else if (op->kind == BOOK_RECORD)
        op->seq = op->id = got->result.receipt.record;
    else if (op->kind != BOOK_PASS && op->kind != BOOK_PROJECT)
        note_change(op, errand);
    __atomic_store_n(&op->told_at, disk_events(), __ATOMIC_RELEASE);
}

/* Does all of them, submitted together. */
static int run(struct book *book, const struct book_client *client, uint32_t from, uint32_t len)
{
    static struct errand errands[BOOK_BATCH];
    struct mete_op *ops[BOOK_BATCH] = {0};
    size_t told = 0;
    for (uint32_t i = 0; i < len; i++) {
        prepare(&errands[i], book, from + i);
        errands[i].op.done = note;
        ops[i] = &errands[i].op;
    }
    if (mete_submit(client->port, ops, len) != len)
        return book_fail(book, "the port took fewer than %u operations", len);
    while (told < len) {
        mete_turn(client->mete, NULL);
        told += mete_poll(client->port, len);
        struct pollfd readable = {.fd = mete_port_fd(client->port), .events = POLLIN};
        if (told < len)
            poll(&readable, 1, 1);
    }
    for (uint32_t i = 0; i < len; i++) {
        const struct book_op *op = &book->ops[from + i];
        if (op->status)
            return book_fail(book, "operation %u, kind %d, scope %u: %s", from + i, op->kind,
                             op->scope, mete_error_name(op->status));
    }
    return 0;
}

int book_ask(struct book *book, const struct book_client *client, const struct mete_query *query,
             struct mete_answer *ret_answer)
{
    int error = mete_query(client->port, query, ret_answer);
    return error ? book_fail(book, "query %d: %s", query->kind, mete_error_name(error)) : 0;
}

/* The handles of what was made before the crash, if it was. */
static int find_handles(struct book *book, const struct book_client *client, uint32_t index)
{
    struct book_op *op = &book->ops[index];
    static const enum mete_kind kinds[] = {METE_ORGANIZATION, METE_DEPARTMENT, METE_USER};
    char id[16];
    struct mete_answer answer;
    struct mete_query query = {.kind = METE_QUERY_FIND_SCOPE,
                               .scope_kind =
                                   op->scope < KEY_DEPTH ? kinds[op->scope] : METE_API_KEY,
                               .organization = {op->scope ? 1 : 0}};
    snprintf(id, sizeof id, "r%u", index);
    query.id = text(id);
    if (op->kind == BOOK_PUT_SCOPE && book_ask(book, client, &query, &answer))
        return 1;
    if (op->kind == BOOK_PUT_SCOPE)
        op->id = answer.scope.scope.n;
    snprintf(id, sizeof id, "b%u", index);
    query =
        (struct mete_query){.kind = METE_QUERY_FIND_BUDGET, .id = text(id), .organization = {1}};
    if (book_ask(book, client, &query, &answer))
        return 1;
    op->budget = answer.budget.budget.n;
    return 0;
}

int book_retry(struct book *book, const struct book_client *client)
{
    for (uint32_t i = 0; i < book->len; i++) {
        struct book_op *op = &book->ops[i];
        if (op->told_at != SIZE_MAX)
            continue;
        op->was_retried = true;
        op->clock_us = mete_now(client->mete).us;
        if (run(book, client, i, 1))
            return 1;
        if ((op->kind == BOOK_PUT_SCOPE || op->kind == BOOK_PUT_BUDGET) &&
            find_handles(book, client, i))
            return 1;
    }
    return 0;
}

/* ---- Drawing --------------------------------------------------------------------------------- */

/* What the client knows of, while it draws one batch. */
struct known {
    uint32_t scopes[SCOPES_MAX], scopes_len; /* handles */
    uint32_t open[BOOK_OPS], open_len;       /* reservations, by operation */
    uint32_t budgets[BOOK_OPS], budgets_len; /* by operation */
    uint32_t scope_budgets[256];             /* of a scope */
};

static void look_through(const struct book *book, int64_t now_us, struct known *known)
{
    static bool ended[BOOK_OPS];
    memset(known, 0, sizeof *known);
    memset(ended, 0, sizeof ended);
    for (uint32_t i = 0; i < book->len; i++) {
        enum book_kind kind = book->ops[i].kind;
        if (kind == BOOK_COMMIT || kind == BOOK_RELEASE || kind == BOOK_END_BUDGET)
            ended[book->ops[i].target] = true;
    }
    for (uint32_t i = 0; i < book->len; i++) {
        const struct book_op *op = &book->ops[i];
        bool is_open = op->kind == BOOK_RESERVE && op->allowed && !ended[i] &&
                       (op->is_call ? op->life == book->life : op->expires_us > now_us);
        if (is_open)
            known->open[known->open_len++] = i;
        if (op->kind == BOOK_PUT_SCOPE)
            known->scopes[known->scopes_len++] = (uint32_t)op->id;
        if (op->kind != BOOK_PUT_SCOPE && op->kind != BOOK_PUT_BUDGET)
            continue;
        known->scope_budgets[scope_of_budget(op)]++;
        if (!ended[i])
            known->budgets[known->budgets_len++] = i;
    }
}

static uint32_t take(uint32_t *from, uint32_t *len, struct tape *tape)
{
    uint32_t at = (uint32_t)tape_pick(tape, *len), taken = from[at];
    from[at] = from[--*len];
    return taken;
}

static void draw_reserve(struct book_op *op, const struct known *known, struct tape *tape)
{
    op->scope = known->scopes[known->scopes_len - 1 - tape_pick(tape, known->scopes_len)];
    op->cost = tape_range(tape, 0, 50000000);
    op->tokens = tape_range(tape, 0, 4000);
    op->ttl_ms = tape_range(tape, 1000, 7200000);
    op->is_call = tape_chance(tape, 15);
    op->charges = op->is_call || tape_chance(tape, 40);
    op->cost += op->is_call; /* one that is charged nothing gives its request id back */
}

static void draw_budget(struct book_op *op, struct tape *tape)
{
    static const enum mete_period periods[] = {METE_TOTAL, METE_HOURLY, METE_DAILY};
    op->meter = tape_chance(tape, 40) ? METE_TOTAL_TOKENS : METE_COST;
    op->period = periods[tape_pick(tape, 3)];
    op->cost = op->meter == METE_COST ? tape_range(tape, 50000000, 4000000000)
                                      : tape_range(tape, 4000, 400000);
}

static enum book_kind draw_kind(const struct known *known, struct tape *tape)
{
    static const struct {
        enum book_kind kind;
        unsigned of_256;
    } weights[] = {{BOOK_RESERVE, 104}, {BOOK_COMMIT, 62},    {BOOK_RELEASE, 14},
                   {BOOK_RECORD, 20},   {BOOK_PASS, 14},      {BOOK_PROJECT, 8},
                   {BOOK_PUT_SCOPE, 8}, {BOOK_PUT_BUDGET, 8}, {BOOK_SET_LIMIT, 12},
                   {BOOK_END_BUDGET, 6}};
    unsigned at = tape_byte(tape), i = 0;
    while (at >= weights[i].of_256)
        at -= weights[i++].of_256;
    enum book_kind kind = weights[i].kind;
    bool can = true;
    if (kind == BOOK_COMMIT || kind == BOOK_RELEASE)
        can = known->open_len > 0;
    if (kind == BOOK_SET_LIMIT || kind == BOOK_END_BUDGET)
        can = known->budgets_len > 1;
    if (kind == BOOK_PUT_SCOPE)
        can = known->scopes_len < SCOPES_MAX;
    return can ? kind : BOOK_RESERVE;
}

static void draw_target(struct book *book, struct book_op *op, struct known *known,
                        struct tape *tape)
{
    if (op->kind == BOOK_SET_LIMIT) {
        op->target = take(known->budgets, &known->budgets_len, tape); /* not ended in this batch */
        int64_t limit = book->ops[op->target].cost;
        op->cost = limit / 2 + (int64_t)tape_u64(tape, (uint64_t)limit);
    } else if (op->kind == BOOK_END_BUDGET) {
        op->target = take(known->budgets, &known->budgets_len, tape);
    } else {
        op->target = take(known->open, &known->open_len, tape);
        const struct book_op *of = &book->ops[op->target];
        int64_t times = tape_chance(tape, 20) ? 2 : 1; /* more than was reserved */
        op->cost = tape_range(tape, 0, of->cost * times);
        op->tokens = tape_range(tape, 0, of->tokens * times);
    }
}

static void draw(struct book *book, uint32_t at, struct known *known, struct tape *tape)
{
    struct book_op *op = &book->ops[at];
    bool is_founding = known->scopes_len <= KEY_DEPTH;
    *op = (struct book_op){.told_at = SIZE_MAX, .life = book->life};
    op->kind = is_founding ? BOOK_PUT_SCOPE : draw_kind(known, tape);
    switch (op->kind) {
    case BOOK_RESERVE:
    case BOOK_RECORD:
        draw_reserve(op, known, tape);
        break;
    case BOOK_COMMIT:
    case BOOK_RELEASE:
    case BOOK_SET_LIMIT:
    case BOOK_END_BUDGET:
        draw_target(book, op, known, tape);
        break;
    case BOOK_PUT_SCOPE:
        op->scope = is_founding ? known->scopes_len : KEY_DEPTH;
        draw_budget(op, tape);
        break;
    case BOOK_PUT_BUDGET:
        op->scope = known->scopes[tape_pick(tape, known->scopes_len)];
        draw_budget(op, tape);
        if (++known->scope_budgets[op->scope] > SCOPE_BUDGETS_MAX)
            op->kind = BOOK_PROJECT;
        break;
    case BOOK_PASS:
    case BOOK_PROJECT:
    case BOOK_KINDS:
        break;
    }
}

/* What it is asked of the data beside the traffic. */
static int keep(struct book *book, const struct book_client *client, struct tape *tape)
{
    uint64_t seq;
    bool cuts = tape_chance(tape, 40);
    int error = cuts ? mete_cut(client->mete, &seq) : mete_snapshot(client->mete, &seq);
    if (error == 0)
        cuts ? book->cuts++ : book->snapshots++;
    return !error || error == METE_E_STORAGE || error == METE_E_CORRUPT
               ? 0
               : book_fail(book, "%s: %s", cuts ? "cut" : "snapshot", mete_error_name(error));
}

int book_go_on(struct book *book, const struct book_client *client, struct tape *tape)
{
    static struct known known;
    int64_t now_us = mete_now(client->mete).us;
    look_through(book, now_us, &known);
    uint32_t from = book->len, len = 1;
    if (known.scopes_len > KEY_DEPTH && tape_chance(tape, 12))
        len += (uint32_t)tape_pick(tape, BOOK_BATCH);
    len = len < BOOK_OPS - from ? len : BOOK_OPS - from;
    for (uint32_t i = from; i < from + len; i++) {
        draw(book, i, &known, tape);
        struct book_op *op = &book->ops[i];
        if (op->kind == BOOK_PASS && len > 1) /* what was drawn before it might expire */
            op->kind = BOOK_PROJECT;
        if (op->kind == BOOK_PASS)
            lying_os_pass(tape_range(tape, 1000, INT64_C(2400000000)));
        op->clock_us = mete_now(client->mete).us;
        op->asked_at = disk_events();
    }
    /* All at once: the process may be ended meanwhile, by a thread that writes. */
    __atomic_store_n(&book->len, from + len, __ATOMIC_RELEASE);
    int failed = run(book, client, from, len);
    return !failed && tape_chance(tape, 12) ? keep(book, client, tape) : failed;
}

int book_open(struct book *book, struct book_client *ret_client)
{
    struct mete_options options = book_options();
    int error = mete_open(&options, &ret_client->mete);
    if (error)
        return error;
    book->life++;
    error = mete_port_open(ret_client->mete, &ret_client->port);
    if (error)
        mete_close(ret_client->mete);
    return error;
}

void book_close(struct book_client *client)
{
    mete_port_close(client->port);
    mete_close(client->mete);
}
