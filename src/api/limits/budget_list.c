/* SPDX-License-Identifier: Apache-2.0
 * Budgets listed: which ones there are and their documents from the records, their
 * figures from the engine as of now. */
#include "api/limits/handlers.h"
#include "api/limits/budget_json.h"
#include "api/limits/budgets.h"
#include "base/assert.h"
#include "codec/timestamp.h"

#include <stdio.h>

struct row {
    uint32_t handle;
    bool there;
    struct slice document;
    struct mete_budget_view view;
};

struct rows {
    struct page page;
    bool more;
    struct row *rows;
    size_t len;
};

/* ---- From the records, on a worker --------------------------------------------------------------
 */

struct made {
    struct request *request;
    const struct directory_entity *entity;
    struct slice *ret_document;
};

/* What the template's document says, under its own id and with the instant it was made at. */
static int write_made(void *user, const struct directory_entity *template)
{
    const struct made *made = user;
    struct budget_document document;
    char room[TIMESTAMP_ROOM + 2] = "\"";
    budget_document_read(budget_document_scan(template ? template->document : (struct slice){0}),
                         &document);
    size_t len = 1 + timestamp_format(made->entity->changed_at_us, room + 1);
    room[len++] = '"';
    document.id = made->entity->id;
    document.also = (struct slice){0}; /* those are templates */
    document.made = (struct slice){room, len};
    return budget_document_write(made->request, &document, made->ret_document);
}

/* The id of its template: ID~HANDLE is what one makes for the scope of that handle. */
static struct slice template_id(const struct directory_entity *entity)
{
    char suffix[16];
    size_t len = (size_t)snprintf(suffix, sizeof suffix, "~%u", entity->parent.n);
    struct slice id = entity->id;
    bool is_made = id.len > len && !memcmp(id.data + id.len - len, suffix, len);
    return is_made ? slice_part(id, 0, id.len - len) : (struct slice){0};
}

int budgets_document(struct request *request, const struct directory_entity *entity,
                     struct slice *ret_document)
{
    struct slice template = template_id(entity);
    if (entity->document.len || !template.len) {
        *ret_document = arena_copy(&request->arena, entity->document);
        return ret_document->data ? 0 : METE_E_MEMORY;
    }
    struct made made = {request, entity, ret_document};
    int rc = directory_find(request->reader, RECORDS_BUDGET, entity->organization, template,
                            write_made, &made);
    return rc == METE_E_NOT_FOUND ? write_made(&made, NULL) : rc;
}

static int keep_row(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    struct rows *rows = request->state;
    if (rows->len == rows->page.limit) {
        rows->more = true;
        return 1;
    }
    struct row *row = &rows->rows[rows->len];
    *row = (struct row){.handle = entity->handle};
    int rc = budgets_document(request, entity, &row->document);
    rows->len += rc == 0;
    return rc;
}

static int read_rows(struct request *request, struct records_reader *reader)
{
    struct rows *rows = request->state;
    int rc = directory_list(reader, RECORDS_BUDGET, request->found, (uint32_t)rows->page.after,
                            rows->page.limit + 1, keep_row, request);
    return rc < 0 ? rc : 0;
}

/* ---- From the engine ----------------------------------------------------------------------------
 */

static bool next_row(struct request *request, size_t *at, struct mete_query *ret_query)
{
    const struct rows *rows = request->state;
    if (*at >= rows->len)
        return false;
    *ret_query = (struct mete_query){.kind = METE_QUERY_BUDGET, .budget = {rows->rows[*at].handle}};
    return true;
}

static void got_row(struct request *request, size_t at, int status,
                    const struct mete_answer *answer)
{
    struct rows *rows = request->state;
    if (status == METE_E_BUSY)
        request->work_status = status;
    if (status || answer->budget.ended)
        return;
    rows->rows[at].there = true;
    rows->rows[at].view = answer->budget;
    budget_json_want(request, &answer->budget);
}

static void write_row(struct request *request, const struct row *row)
{
    if (row->there)
        budget_json_write(request, &row->view, budget_document_scan(row->document));
}

static void write_list(struct request *request)
{
    const struct rows *rows = request->state;
    struct out *out = &request->out;
    out_page_open(out);
    for (size_t i = 0; i < rows->len; i++)
        write_row(request, &rows->rows[i]);
    out_page_close(out, rows->more ? rows->rows[rows->len - 1].handle : 0);
    out_key(out, "last_seq");
    out_unsigned(out, request->last_seq);
    out_close(out, '}');
}

static void finish(struct request *request)
{
    write_list(request);
    request_reply(request, 200);
}

static void viewed(struct request *request)
{
    if (!request_failed(request))
        request_load_names(request, finish);
}

static void rows_read(struct request *request)
{
    static const struct inquiry_plan plan = {next_row, got_row, viewed};
    request->op.status = request->work_status;
    if (!request_missed(request, "budget"))
        inquiry_begin(request, &plan);
}

static void organization_found(struct request *request)
{
    if (!request_missed(request, "org"))
        request_look(request, read_rows, rows_read);
}

void budgets_list(struct request *request)
{
    static const char *const paged[] = {"limit", "cursor", NULL};
    struct rows *rows = request_take(request, sizeof *rows);
    if (!rows)
        return;
    request->state = rows;
    int rc = request_query_known(request, paged);
    if (!rc)
        rc = request_page(request, &rows->page);
    if (!rc && rows->page.after > UINT32_MAX)
        rc = problem_set(&request->problem, METE_E_INVALID, "cursor",
                         "It must be the next_cursor of a page before.");
    if (rc) {
        request_problem(request);
        return;
    }
    rows->rows = request_take(request, rows->page.limit * sizeof *rows->rows);
    if (rows->rows)
        request_find_organization(request, organization_found);
}
