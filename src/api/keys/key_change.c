/* SPDX-License-Identifier: Apache-2.0
 * One key changed, given another text, revoked or deleted. */
#include "api/keys/handlers.h"

#include "api/keys/key_set.h"
#include "base/limits.h"

struct change_state {
    struct key_set set; /* first */
    struct key_in in;
};

static struct change_state *begin(struct request *request, enum key_act act)
{
    struct key_set *set = key_set_of_path(request, sizeof(struct change_state));
    if (set)
        set->act = act;
    return (struct change_state *)(void *)set;
}

void keys_update(struct request *request)
{
    struct change_state *state = begin(request, KEY_UPDATE);
    struct json body;
    if (!state)
        return;
    state->set.in = &state->in;
    if (request_body(request, &body) || key_in_read(request, body, "", false, &state->in))
        request_problem(request);
    else
        key_set_begin(request, key_set_reply);
}

void keys_regenerate(struct request *request)
{
    struct {
        int64_t overlap_s;
    } in = {LIMIT_KEY_OVERLAP_DEFAULT_S};
    static const struct field fields[] = {
        {.name = "overlap_seconds", .type = FIELD_COUNT, .max = LIMIT_KEY_OVERLAP_S}};
    struct change_state *state = begin(request, KEY_REGENERATE);
    if (!state)
        return;
    if (request->exchange->body.len && request_read(request, fields, 1, &in)) {
        request_problem(request);
        return;
    }
    state->set.overlap_us = in.overlap_s * 1000000;
    key_set_begin(request, key_set_reply);
}

void keys_revoke(struct request *request)
{
    struct {
        bool cut_running;
    } in = {false};
    static const struct field fields[] = {{.name = "cut_running", .type = FIELD_BOOL}};
    if (!begin(request, KEY_REVOKE))
        return;
    int rc = request->exchange->body.len ? request_read(request, fields, 1, &in) : 0;
    if (!rc && in.cut_running)
        rc = problem_set(&request->problem, METE_E_NOT_YET, "cut_running",
                         "Cutting running calls is planned, and not built yet.");
    if (rc)
        request_problem(request);
    else
        key_set_begin(request, key_set_reply);
}

void keys_delete(struct request *request)
{
    if (begin(request, KEY_DELETE))
        key_set_begin(request, key_set_reply);
}
