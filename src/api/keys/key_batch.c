/* SPDX-License-Identifier: Apache-2.0
 * Many keys of one organization revoked, changed alike or deleted, as one atomic change: after a
 * crash all of it is done or nothing. A key that cannot be changed is told with its reason; the
 * others are changed nevertheless, unless all or none are wanted. */
#include "api/keys/handlers.h"

#include "api/keys/key_set.h"
#include "base/assert.h"
#include "base/errors.h"
#include "base/limits.h"

#include <stdio.h>

struct batch_state {
    struct key_set set; /* first */
    struct key_in in;
    int operation;
};

static const struct word operations[] = {
    {"revoke", KEY_REVOKE}, {"update", KEY_UPDATE}, {"delete", KEY_DELETE}, {NULL, 0}};

struct batch_in {
    int operation;
    struct json ids, update;
    bool all_or_none;
};

/* ---- The reply --------------------------------------------------------------------------------
 */

static void write_refused(struct out *out, const struct key_item *item)
{
    const char *why = item->why ? item->why : mete_error_text(item->error);
    out_member_text(out, "result", SLICE_LITERAL("refused"));
    out_member_integer(out, "status", errors_http_status(item->error));
    out_member_text(out, "code", slice_of(mete_error_name(item->error)));
    if (item->field)
        out_member_text(out, "field", slice_of(item->field));
    out_member_text(out, "detail", slice_of(why));
}

/* All went well, or nobody's change was made because one could not be. */
static void write_results(struct out *out, const struct key_set *set, bool is_done)
{
    out_key(out, "results");
    out_open(out, '[');
    for (size_t i = 0; i < set->len; i++) {
        const struct key_item *item = &set->items[i];
        out_open(out, '{');
        out_member_text(out, "id", item->id);
        if (item->error)
            write_refused(out, item);
        else
            out_member_text(out, "result", is_done ? SLICE_LITERAL("done") : SLICE_LITERAL("left"));
        out_close(out, '}');
    }
    out_close(out, ']');
}

static void reply(struct request *request)
{
    const struct batch_state *state = request->state;
    const struct key_set *set = &state->set;
    struct out *out = &request->out;
    int64_t refused = 0;
    for (size_t i = 0; i < set->len; i++)
        refused += set->items[i].error != 0;
    bool is_done = !(set->all_or_none && refused);
    ASSERT(is_done || !set->applied);
    out_clear(out);
    out_open(out, '{');
    out_member_text(out, "operation", slice_of(fields_word(operations, state->operation)));
    out_member_integer(out, "done", is_done ? (int64_t)set->len - refused : 0);
    out_member_integer(out, "refused", refused);
    write_results(out, set, is_done);
    out_close(out, '}');
    request_reply(request, 200);
}

/* ---- What is asked ----------------------------------------------------------------------------
 */

static int fault(const struct fields *fields, size_t i, const char *why)
{
    char name[32];
    snprintf(name, sizeof name, "ids[%zu]", i);
    return fields_fault(fields, METE_E_INVALID, name, "%s", why);
}

static int read_ids(struct request *request, const struct fields *fields, struct json list)
{
    struct key_set *set = request->state;
    struct json text;
    size_t at = 0;
    while (json_next(list, &at, NULL, &text)) {
        struct slice id;
        int rc = fields_text(fields, "ids", text, &id);
        if (!rc && !fields_is_id(id))
            rc = fault(fields, set->len, "It must be the id of a key.");
        for (size_t i = 0; !rc && i < set->len; i++)
            if (slice_equal(set->items[i].id, id))
                rc = fault(fields, set->len, "It stands there twice.");
        if (rc)
            return rc;
        set->items[set->len++].id = id;
    }
    return 0;
}

static int read_update(struct request *request, const struct fields *fields,
                       const struct batch_in *in)
{
    struct batch_state *state = request->state;
    bool updates = in->operation == KEY_UPDATE;
    if (updates != (in->update.type == JSON_OBJECT))
        return fields_fault(fields, METE_E_INVALID, "update",
                            updates ? "It is missing." : "It is for the operation update alone.");
    if (!updates)
        return 0;
    state->set.in = &state->in;
    return key_in_read(request, in->update, "update", false, &state->in);
}

static int read_body(struct request *request)
{
    static const struct field table[] = {
        {.name = "operation",
         .type = FIELD_WORD,
         .flags = FIELD_REQUIRED,
         .offset = offsetof(struct batch_in, operation),
         .words = operations},
        {.name = "ids",
         .type = FIELD_LIST,
         .flags = FIELD_REQUIRED,
         .offset = offsetof(struct batch_in, ids),
         .min = 1,
         .max = LIMIT_KEY_BATCH},
        {.name = "update", .type = FIELD_OBJECT, .offset = offsetof(struct batch_in, update)},
        {.name = "all_or_none",
         .type = FIELD_BOOL,
         .offset = offsetof(struct batch_in, all_or_none)},
    };
    struct batch_state *state = request->state;
    struct batch_in in = {0};
    struct json body;
    const struct fields fields = {table, sizeof table / sizeof table[0], "", &request->arena,
                                  &request->problem};
    int rc = request_body(request, &body);
    if (!rc)
        rc = fields_read(&fields, body, &in);
    if (!rc)
        rc = read_ids(request, &fields, in.ids);
    if (!rc)
        rc = read_update(request, &fields, &in);
    state->operation = in.operation;
    state->set.act = (enum key_act)in.operation;
    state->set.all_or_none = in.all_or_none;
    return rc;
}

static void organization_found(struct request *request)
{
    struct batch_state *state = request->state;
    if (request_missed(request, "org"))
        return;
    state->set.organization = request->found;
    key_set_begin(request, reply);
}

void keys_batch(struct request *request)
{
    struct batch_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    state->set.items = request_take(request, LIMIT_KEY_BATCH * sizeof *state->set.items);
    if (!state->set.items)
        return;
    if (request->step)
        request_fail(request, METE_E_INVALID, NULL, "A transaction changes keys one by one.");
    else if (read_body(request))
        request_problem(request);
    else
        request_find_organization(request, organization_found);
}
