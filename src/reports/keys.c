/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/keys.h"

#include "base/assert.h"
#include "store/rollups.h"

enum { GROUPS = 16384 /* keys asked for at once */ };

static struct reports_key_sum sum_of(const struct rollups_row *row)
{
    return (struct reports_key_sum){.key = row->id,
                                    .currency = row->currency,
                                    .calls = row->sums.calls,
                                    .cost_nano = row->sums.amount,
                                    .input = row->sums.input,
                                    .output = row->sums.output,
                                    .total_tokens = row->sums.total_tokens};
}

static uint32_t bucket(int64_t us)
{
    return (uint32_t)(us / ROLLUPS_BUCKET_US);
}

/* ---- One key ----------------------------------------------------------------------------------
 */

static int tell_span(struct rollups_view *view, const struct reports_key_spans *spans,
                     int64_t start_us, struct rollups_rows *rows)
{
    const struct rollups_question question = {.level = ROLLUPS_KEY,
                                              .organization = spans->organization,
                                              .scope = spans->key,
                                              .from = bucket(start_us),
                                              .to = bucket(start_us + spans->span_us),
                                              .limit = 1};
    int rc = rollups_ask(view, &question, rows);
    for (size_t i = 0; !rc && i < rows->len; i++) {
        struct reports_key_sum sum = sum_of(&rows->at[i]);
        if (!rows->at[i].meter) /* of the meters that have a place in sums */
            spans->fn(spans->user, start_us, &sum);
    }
    return rc;
}

int reports_key_spans(struct records_reader *reader, const struct reports_key_spans *spans)
{
    struct rollups_view *view;
    struct rollups_rows rows = {0};
    uint32_t known_from, known_to;
    ASSERT_INV("INV-12", spans->organization.n && spans->key.n);
    ASSERT(spans->span_us > 0 && spans->span_us % ROLLUPS_BUCKET_US == 0);
    int rc = rollups_view_open(reader, &view);
    if (rc)
        return rc;
    rollups_extent(view, &known_from, &known_to);
    for (int64_t at = spans->to_us - spans->span_us; !rc && at >= spans->from_us;
         at -= spans->span_us)
        if (bucket(at) < known_to && bucket(at + spans->span_us) > known_from)
            rc = tell_span(view, spans, at, &rows);
    rollups_rows_done(&rows);
    rollups_view_close(view);
    return rc;
}

/* ---- Those that spent most --------------------------------------------------------------------
 */

/* Of equal ones the older key comes first. */
static void keep_row(struct reports_top_keys *top, const struct rollups_row *row)
{
    size_t at = top->len;
    if (row->meter)
        return;
    while (at && top->top[at - 1].cost_nano < row->sums.amount)
        at--;
    if (at == top->max)
        return;
    size_t moved = top->len < top->max ? top->len++ : top->max - 1;
    memmove(&top->top[at + 1], &top->top[at], (moved - at) * sizeof *top->top);
    top->top[at] = sum_of(row);
}

int reports_top_keys(struct records_reader *reader, struct reports_top_keys *top)
{
    struct rollups_view *view;
    struct rollups_rows rows = {0};
    struct rollups_question question = {.level = ROLLUPS_KEY,
                                        .organization = top->organization,
                                        .by = ROLLUPS_BY_SCOPE,
                                        .from = bucket(top->from_us),
                                        .to = bucket(top->to_us),
                                        .limit = GROUPS};
    ASSERT_INV("INV-12", top->organization.n);
    ASSERT(top->max >= 1);
    top->len = 0;
    int rc = rollups_view_open(reader, &view);
    if (rc)
        return rc;
    do {
        rc = rollups_ask(view, &question, &rows);
        for (size_t i = 0; !rc && i < rows.len; i++)
            keep_row(top, &rows.at[i]);
        if (!rc && rows.len)
            question.first = rows.at[rows.len - 1].id + 1;
    } while (!rc && rows.more);
    rollups_rows_done(&rows);
    rollups_view_close(view);
    return rc;
}
