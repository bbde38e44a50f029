/* SPDX-License-Identifier: Apache-2.0
 * What the book says must be true, against what the engine says is: balances, open reservations,
 * usage records, repeats; then the directory, by verify.
 *
 * Two things a client cannot know are taken from the engine and checked for sense: when something
 * asked twice happened (at the first asking or the second), and that a reservation which was ended
 * twice over a crash may have a record of its expiry and of its correction. */
#include "engine/verify.h"
#include "fault/book.h"
#include "fault/disk.h"
#include "fault/lying_os.h"
#include "os/os.h"
#include "store/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPEATS = 6 };

struct row {
    uint64_t seq, reservation;
    int64_t cost, tokens, started_us, ended_us;
    enum mete_state state;
    char request_id[16];
};

/* What must be true of a reservation, or of a usage recorded afterwards. */
struct truth {
    enum mete_state state;
    int64_t cost, tokens; /* charged */
    bool is_late;         /* its end was asked twice */
    uint32_t rows;
};

struct check {
    struct book *book;
    const struct book_client *client;
    int64_t now_us;
    struct row rows[BOOK_OPS * 2];
    uint32_t rows_len;
    struct truth truth[BOOK_OPS];
};

/* ---- The records ----------------------------------------------------------------------------- */

static int64_t amount(const struct records_usage *usage, uint16_t meter)
{
    for (size_t i = 0; i < usage->usage_len; i++)
        if (usage->usage[i].meter == meter)
            return usage->usage[i].amount;
    return 0;
}

static int read_rows(struct check *check, struct records_reader *reader)
{
    struct records_cursor *cursor;
    int error = records_cursor_open(reader, 0, &cursor), found = 1;
    if (error)
        return error;
    while (!error && found && check->rows_len < BOOK_OPS * 2) {
        struct records_usage usage;
        error = records_cursor_usage(cursor, &usage, &found);
        if (error || !found)
            break;
        struct row *row = &check->rows[check->rows_len++];
        *row = (struct row){usage.seq,
                            usage.reservation,
                            amount(&usage, METE_COST),
                            amount(&usage, METE_TOTAL_TOKENS),
                            usage.started_us,
                            usage.ended_us,
                            usage.state,
                            ""};
        snprintf(row->request_id, sizeof row->request_id, "%.*s", (int)usage.request_id.len,
                 usage.request_id.data);
    }
    records_cursor_close(cursor);
    return error;
}

/* A budget that was asked for twice and existed: only its row tells when it was made. */
static int note_seq(void *user, const struct records_entity *entity)
{
    struct book *book = user;
    for (uint32_t i = 0; i < book->len; i++) {
        struct book_op *op = &book->ops[i];
        bool makes = op->kind == BOOK_PUT_SCOPE || op->kind == BOOK_PUT_BUDGET;
        if (makes && op->budget == entity->handle && !op->seq)
            op->seq = entity->seq;
    }
    return 0;
}

static int read_records(struct check *check)
{
    struct mete_answer answer;
    struct mete_query query = {.kind = METE_QUERY_PROJECTED};
    if (book_ask(check->book, check->client, &query, &answer))
        return 1;
    struct records_reader *reader;
    disk_spare_me(true);
    int error = records_reader_open(os_system(), book_options().directory, &reader);
    if (!error) {
        error = read_rows(check, reader);
        if (!error)
            error = records_each_entity(reader, RECORDS_BUDGET, (struct mete_scope_id){0}, 0,
                                        BOOK_OPS, 1, note_seq, check->book);
        records_reader_close(reader);
    }
    disk_spare_me(false);
    return error ? book_fail(check->book, "reading the records: %s", mete_error_name(error)) : 0;
}

/* ---- What must be true ----------------------------------------------------------------------- */

static struct truth charged(enum mete_state state, const struct book_op *op)
{
    return (struct truth){.state = state, .cost = op->cost, .tokens = op->tokens};
}

static void judge_reserve(struct check *check, uint32_t i)
{
    const struct book_op *op = &check->book->ops[i];
    struct truth *truth = &check->truth[i];
    *truth = (struct truth){.state = op->allowed ? METE_HELD : METE_REFUSED};
    for (uint32_t j = i + 1; j < check->book->len && op->allowed; j++) {
        const struct book_op *end = &check->book->ops[j];
        if ((end->kind != BOOK_COMMIT && end->kind != BOOK_RELEASE) || end->target != i)
            continue;
        if (end->allowed && end->kind == BOOK_COMMIT)
            *truth = charged(METE_COMMITTED, end);
        else if (end->allowed)
            truth->state = METE_RELEASED;
        truth->is_late = end->was_retried;
        break;
    }
    bool is_over = op->is_call ? op->life < check->book->life : op->expires_us <= check->now_us;
    if (truth->state != METE_HELD || !is_over)
        return;
    bool is_late = truth->is_late;
    *truth = op->charges ? charged(METE_EXPIRED, op) : (struct truth){.state = METE_EXPIRED};
    truth->is_late = is_late;
}

static void judge(struct check *check)
{
    for (uint32_t i = 0; i < check->book->len; i++) {
        if (check->book->ops[i].kind == BOOK_RESERVE)
            judge_reserve(check, i);
        if (check->book->ops[i].kind == BOOK_RECORD)
            check->truth[i] = charged(METE_COMMITTED, &check->book->ops[i]);
    }
}

/* ---- Records against it ---------------------------------------------------------------------- */

static uint32_t find_op(const struct check *check, const struct row *row)
{
    const struct book *book = check->book;
    for (uint32_t i = 0; i < book->len; i++) {
        const struct book_op *op = &book->ops[i];
        if (row->reservation && op->kind == BOOK_RESERVE && op->allowed &&
            op->id == row->reservation)
            return i;
        if (!row->reservation && op->kind == BOOK_RECORD && op->id == row->seq)
            return i;
    }
    return BOOK_OPS;
}

static int check_row(struct check *check, const struct row *row)
{
    uint32_t i = find_op(check, row);
    if (i == BOOK_OPS)
        return book_fail(check->book, "record %llu (request %s): nobody asked for it",
                         (unsigned long long)row->seq, row->request_id);
    struct book_op *op = &check->book->ops[i];
    struct truth *truth = &check->truth[i];
    char id[16];
    snprintf(id, sizeof id, "r%u", i);
    if (strcmp(id, row->request_id) != 0)
        return book_fail(check->book, "record %llu is of request %s, not %s",
                         (unsigned long long)row->seq, row->request_id, id);
    if (!op->made_us) /* of a RECORD: the records alone know */
        op->made_us = op->kind == BOOK_RECORD ? row->ended_us : row->started_us;
    if (truth->rows++ && !truth->is_late)
        return book_fail(check->book, "request %s ended twice", id);
    if (!truth->is_late &&
        (row->state != truth->state || row->cost != truth->cost || row->tokens != truth->tokens))
        return book_fail(check->book,
                         "request %s: state %d, cost %lld, tokens %lld; wanted %d, %lld, %lld", id,
                         row->state, (long long)row->cost, (long long)row->tokens, truth->state,
                         (long long)truth->cost, (long long)truth->tokens);
    return 0;
}

static int check_rows(struct check *check)
{
    for (uint32_t i = 0; i < check->rows_len; i++)
        if (check_row(check, &check->rows[i]))
            return 1;
    for (uint32_t i = 0; i < check->book->len; i++) {
        enum book_kind kind = check->book->ops[i].kind;
        bool has_row =
            kind == BOOK_RECORD || (kind == BOOK_RESERVE && check->truth[i].state != METE_HELD &&
                                    check->truth[i].state != METE_REFUSED);
        if (has_row != (check->truth[i].rows > 0))
            return book_fail(check->book, "request r%u: %u records, state %d", i,
                             check->truth[i].rows, check->truth[i].state);
    }
    return 0;
}

/* ---- The ledger against it ------------------------------------------------------------------- */

static int check_held(struct check *check)
{
    struct mete_answer answer;
    uint64_t held = 0;
    for (uint32_t i = 0; i < check->book->len; i++) {
        struct book_op *op = &check->book->ops[i];
        if (op->kind != BOOK_RESERVE || check->truth[i].state != METE_HELD)
            continue;
        held++;
        struct mete_query query = {.kind = METE_QUERY_RESERVATION, .reservation = {op->id}};
        if (book_ask(check->book, check->client, &query, &answer))
            return book_fail(check->book, "request r%u is lost", i);
        if (!op->made_us)
            op->made_us = answer.reservation.made_at.us;
        if (answer.reservation.state != METE_HELD || answer.reservation.made_at.us != op->made_us)
            return book_fail(check->book, "request r%u: state %d", i, answer.reservation.state);
    }
    struct mete_query query = {.kind = METE_QUERY_STATS};
    if (book_ask(check->book, check->client, &query, &answer))
        return 1;
    if (answer.stats.reservations_open != held || answer.stats.drift)
        return book_fail(check->book, "%llu reservations open, drift %llu; wanted %llu, 0",
                         (unsigned long long)answer.stats.reservations_open,
                         (unsigned long long)answer.stats.drift, (unsigned long long)held);
    return 0;
}

static bool is_above(const struct book *book, uint32_t above, uint32_t scope)
{
    while (scope && scope != above) {
        uint32_t parent = 0;
        for (uint32_t i = 0; i < book->len; i++)
            if (book->ops[i].kind == BOOK_PUT_SCOPE && book->ops[i].id == scope)
                parent = book->ops[i].scope;
        scope = parent;
    }
    return scope != 0;
}

static int64_t window_of(enum mete_period period, int64_t us)
{
    int64_t hour_us = INT64_C(3600000000);
    if (period == METE_TOTAL)
        return 0;
    return us / (period == METE_HOURLY ? hour_us : 24 * hour_us);
}

/* Adds up what was charged to the budget in the window of now, and what is held in it. */
static void add_up(const struct check *check, uint32_t budget, int64_t *ret_committed,
                   int64_t *ret_held)
{
    const struct book *book = check->book;
    const struct book_op *made = &book->ops[budget];
    uint32_t above = made->kind == BOOK_PUT_SCOPE ? (uint32_t)made->id : made->scope;
    int64_t now = window_of(made->period, check->now_us);
    bool is_cost = made->meter == METE_COST;
    *ret_committed = *ret_held = 0;
    for (uint32_t i = 0; i < book->len; i++) {
        const struct book_op *op = &book->ops[i];
        const struct truth *truth = &check->truth[i];
        if ((op->kind != BOOK_RESERVE && op->kind != BOOK_RECORD) || op->seq < made->seq ||
            window_of(made->period, op->made_us) != now || truth->state == METE_REFUSED ||
            !is_above(book, above, op->scope))
            continue;
        if (truth->state == METE_HELD)
            *ret_held += is_cost ? op->cost : op->tokens;
        else
            *ret_committed += is_cost ? truth->cost : truth->tokens;
    }
}

static int check_budget(struct check *check, uint32_t i)
{
    const struct book_op *op = &check->book->ops[i];
    struct mete_answer answer;
    struct mete_query query = {.kind = METE_QUERY_BUDGET, .budget = {op->budget}};
    if (book_ask(check->book, check->client, &query, &answer))
        return book_fail(check->book, "budget b%u is lost", i);
    int64_t committed, held, limit = op->cost;
    add_up(check, i, &committed, &held);
    for (uint32_t j = i + 1; j < check->book->len; j++)
        if (check->book->ops[j].kind == BOOK_SET_LIMIT && check->book->ops[j].target == i)
            limit = check->book->ops[j].cost;
    if (answer.budget.committed != committed || answer.budget.held != held ||
        answer.budget.limit != limit)
        return book_fail(check->book,
                         "budget b%u: committed %lld, held %lld, limit %lld; wanted %lld, %lld, "
                         "%lld",
                         i, (long long)answer.budget.committed, (long long)answer.budget.held,
                         (long long)answer.budget.limit, (long long)committed, (long long)held,
                         (long long)limit);
    return 0;
}

static int check_budgets(struct check *check)
{
    const struct book *book = check->book;
    for (uint32_t i = 0; i < book->len; i++) {
        bool makes = book->ops[i].kind == BOOK_PUT_SCOPE || book->ops[i].kind == BOOK_PUT_BUDGET;
        for (uint32_t j = i + 1; makes && j < book->len; j++)
            makes = book->ops[j].kind != BOOK_END_BUDGET || book->ops[j].target != i;
        if (makes && check_budget(check, i))
            return 1;
    }
    return 0;
}

/* INV-04: asked again, the same answer; of the last half day, because what ended is forgotten. */
static int check_repeats(struct check *check)
{
    int left = REPEATS;
    for (uint32_t i = check->book->len; i-- > 0 && left;) {
        const struct book_op *op = &check->book->ops[i];
        if (op->kind != BOOK_RESERVE || !op->allowed || op->is_call ||
            op->made_us < check->now_us - INT64_C(43200000000))
            continue;
        left--;
        char id[16];
        snprintf(id, sizeof id, "r%u", i);
        struct mete_demand demands[] = {{METE_COST, METE_USD, op->cost, 0},
                                        {METE_TOTAL_TOKENS, 0, op->tokens, 0}};
        struct mete_reserve again = {.scope = {op->scope},
                                     .request_id = {id, strlen(id)},
                                     .model = {"gpt-4o", 6},
                                     .provider = {"openai", 6},
                                     .demands = demands,
                                     .demands_len = 2,
                                     .ttl_ms = op->ttl_ms,
                                     .on_expiry =
                                         op->charges ? METE_EXPIRY_CHARGE : METE_EXPIRY_RELEASE};
        struct mete_verdict verdict = {0};
        int error = mete_reserve(check->client->port, &again, NULL, 0, &verdict);
        if (error || !verdict.repeated || verdict.reservation.n != op->id)
            return book_fail(check->book, "request r%u again: %s, repeated %d", i,
                             mete_error_name(error), verdict.repeated);
    }
    return 0;
}

/* ---- All of it ------------------------------------------------------------------------------- */

int book_check(struct book *book, const struct book_client *client)
{
    static struct check check;
    check.book = book;
    check.client = client;
    check.now_us = mete_now(client->mete).us;
    check.rows_len = 0;
    memset(check.truth, 0, sizeof check.truth);
    judge(&check);
    int failed = read_records(&check);
    if (!failed)
        failed = check_rows(&check);
    if (!failed)
        failed = check_held(&check);
    if (!failed)
        failed = check_budgets(&check);
    return failed ? failed : check_repeats(&check);
}

int book_hash(struct book *book, const struct book_client *client, uint8_t ret_hash[32])
{
    struct mete_answer answer;
    struct mete_query query = {.kind = METE_QUERY_HASH};
    if (book_ask(book, client, &query, &answer))
        return 1;
    memcpy(ret_hash, answer.hash, sizeof answer.hash);
    return 0;
}

int book_verify(struct book *book, const uint8_t *hash)
{
    struct verify_report report;
    int error = engine_verify(book_options().directory, &report);
    if (error)
        return book_fail(book, "verify: %s, %s", mete_error_name(error), report.detail);
    if (memcmp(report.state_hash, hash, sizeof report.state_hash) != 0)
        return book_fail(book, "verify finds another state than the engine had");
    return 0;
}
