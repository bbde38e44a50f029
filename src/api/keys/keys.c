/* SPDX-License-Identifier: Apache-2.0
 * Keys listed and shown. A list may be narrowed to a label, a user or a status; a page of such a
 * list ends after so many keys looked at, however few were found. */
#include "api/keys/handlers.h"

#include "api/entities.h"
#include "api/keys/key_in.h"
#include "api/keys/key_json.h"
#include "base/assert.h"
#include "base/limits.h"

struct keys_state {
    struct page page;
    struct slice label, label_value, user, status;
    bool has_value; /* of the label */
    size_t looked_at, count;
    uint32_t last; /* looked at */
    bool more;
    struct mete_scope_id organization; /* of one key */
};

static int write_key(struct request *request, const struct directory_entity *entity,
                     struct json document)
{
    struct directory_place place;
    int rc = directory_place(request->reader, entity->organization, entity->parent, &place);
    if (rc)
        return rc;
    key_json_write(request, &(struct key_shown){.id = entity->id,
                                                .scope = {entity->handle},
                                                .document = document,
                                                .department = {place.department, place.len}});
    return 0;
}

/* ---- Lists ------------------------------------------------------------------------------------
 */

static bool has_text(struct json value, struct slice text)
{
    char room[LIMIT_ID + 1];
    long len = value.type == JSON_STRING ? json_string_copy(value, room, sizeof room) : -1;
    return len >= 0 && slice_equal((struct slice){room, (size_t)len}, text);
}

static bool is_wanted(struct request *request, struct json document)
{
    const struct keys_state *state = request->state;
    char name[LIMIT_KEY_LABEL_NAME + 1];
    if (state->user.len && !has_text(json_member(document, "user"), state->user))
        return false;
    if (state->status.len && !slice_is(state->status, key_json_status(request, document)))
        return false;
    if (!state->label.len)
        return true;
    struct json labels = json_member(document, "labels");
    if (labels.type != JSON_OBJECT)
        return false;
    memcpy(name, state->label.data, state->label.len);
    name[state->label.len] = 0;
    struct json value = json_member(labels, name);
    return value.type == JSON_STRING && (!state->has_value || has_text(value, state->label_value));
}

static int list_one(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    struct keys_state *state = request->state;
    if (state->count == state->page.limit || state->looked_at == LIMIT_KEY_SCAN) {
        state->more = true;
        return 1;
    }
    state->looked_at++;
    state->last = entity->handle;
    struct json document = entities_document(entity->document);
    if (!is_wanted(request, document))
        return 0;
    state->count++;
    return write_key(request, entity, document);
}

static int list_run(struct request *request, struct records_reader *reader)
{
    const struct keys_state *state = request->state;
    out_page_open(&request->out);
    int rc = directory_list(reader, METE_API_KEY, request->found, (uint32_t)state->page.after,
                            LIMIT_KEY_SCAN + 1, list_one, request);
    return rc < 0 ? rc : 0;
}

static void list_done(struct request *request)
{
    const struct keys_state *state = request->state;
    if (request_failed(request))
        return;
    out_page_close(&request->out, state->more ? state->last : 0);
    out_key(&request->out, "last_seq");
    out_unsigned(&request->out, request->last_seq);
    out_close(&request->out, '}');
    request_reply(request, 200);
}

static void list_read(struct request *request)
{
    if (!request_missed(request, "org"))
        request_look(request, list_run, list_done);
}

/* NAME=VALUE, or NAME alone. */
static int read_label(struct request *request, struct keys_state *state)
{
    struct slice text;
    int rc = request_query(request, "label", LIMIT_KEY_LABEL_NAME + 1 + LIMIT_KEY_LABEL, &text);
    if (rc || !text.len)
        return rc;
    const char *equals = memchr(text.data, '=', text.len);
    state->has_value = equals != NULL;
    state->label = equals ? slice_part(text, 0, (size_t)(equals - text.data)) : text;
    if (equals)
        state->label_value = slice_from(text, state->label.len + 1);
    return key_in_is_label(state->label) ? 0
                                         : problem_set(&request->problem, METE_E_INVALID, "label",
                                                       "It must be a label's NAME, or NAME=VALUE.");
}

static int read_list(struct request *request, struct keys_state *state)
{
    static const char *const known[] = {"limit", "cursor", "label", "user", "status", NULL};
    struct slice *status = &state->status;
    int rc = request_query_known(request, known);
    if (!rc)
        rc = request_page(request, &state->page);
    if (!rc && state->page.after > UINT32_MAX)
        rc = problem_set(&request->problem, METE_E_INVALID, "cursor",
                         "It must be the next_cursor of a page before.");
    if (!rc)
        rc = read_label(request, state);
    if (!rc)
        rc = request_query_id(request, "user", &state->user);
    if (!rc)
        rc = request_query(request, "status", 16, status);
    if (!rc && status->len && !slice_is(*status, "active") && !slice_is(*status, "expired") &&
        !slice_is(*status, "revoked"))
        rc = problem_set(&request->problem, METE_E_INVALID, "status",
                         "It must be active, expired or revoked.");
    return rc;
}

void keys_list(struct request *request)
{
    struct keys_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    if (read_list(request, state))
        request_problem(request);
    else
        request_find_organization(request, list_read);
}

/* ---- One --------------------------------------------------------------------------------------
 */

static int show_one(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    request->version = entity->version;
    return write_key(request, entity, entities_document(entity->document));
}

static int show_run(struct request *request, struct records_reader *reader)
{
    const struct keys_state *state = request->state;
    return directory_find(reader, METE_API_KEY, state->organization, request->params[0], show_one,
                          request);
}

static void shown(struct request *request)
{
    request->op.status = request->work_status;
    if (!request_missed(request, "key"))
        request_reply(request, 200);
}

void keys_show(struct request *request)
{
    static const char *const none[] = {NULL};
    const struct directory_key *key =
        directory_find_id(request->api->parts.directory, request->params[0]);
    if (!key || !request_sees(request, key->organization)) {
        request_fail(request, METE_E_NOT_FOUND, "key", "Nothing here has this id.");
        return;
    }
    struct mete_scope_id organization = key->organization;
    struct keys_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    ASSERT_INV("INV-12", organization.n);
    state->organization = organization;
    request->state = state;
    if (request_query_known(request, none))
        request_problem(request);
    else
        request_look(request, show_run, shown);
}
