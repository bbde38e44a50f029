/* SPDX-License-Identifier: Apache-2.0
 * Members: documents, made and changed in one's turn, so that an organization that has an owner
 * keeps one. A password is hashed before, on a worker; whoever is given another one is logged out
 * everywhere. */
#include "api/members/handlers.h"
#include "api/documents.h"
#include "api/members/member_json.h"
#include "api/members/rank.h"
#include "base/limits.h"

struct member_state {
    struct slice id, name, user, password;
    int role;       /* ROLE_NONE: as it is */
    bool sets_user; /* to none, if user is empty */
    enum document_act act;
    char hash[PASSWORD_HASH]; /* of the password; "": as it is */
};

static const struct word roles[] = {{"owner", ROLE_OWNER},     {"admin", ROLE_ADMIN},
                                    {"finance", ROLE_FINANCE}, {"developer", ROLE_DEVELOPER},
                                    {"viewer", ROLE_VIEWER},   {NULL, 0}};

#define AT(member) offsetof(struct member_state, member)
#define ROWS(role_flags)                                                                           \
    {.name = "name", .type = FIELD_TEXT, .offset = AT(name), .min = 1, .max = 256},                \
        {.name = "role",                                                                           \
         .type = FIELD_WORD,                                                                       \
         .flags = role_flags,                                                                      \
         .offset = AT(role),                                                                       \
         .words = roles},                                                                          \
        {.name = "user", .type = FIELD_ID, .flags = FIELD_OR_NULL, .offset = AT(user)},            \
    {                                                                                              \
        .name = "password", .type = FIELD_TEXT, .offset = AT(password), .min = LIMIT_PASSWORD_MIN, \
        .max = LIMIT_PASSWORD                                                                      \
    }

static const struct field create_table[] = {
    {.name = "id", .type = FIELD_ID, .flags = FIELD_REQUIRED, .offset = AT(id)},
    ROWS(FIELD_REQUIRED),
};
static const struct field update_table[] = {ROWS(0)};
#undef ROWS
#undef AT

static struct people *people_of(struct request *request)
{
    return request->api->parts.people;
}

/* ---- The document ---------------------------------------------------------------------------- */

static void text_or(struct request *request, struct slice text, struct json was, const char *name)
{
    if (text.len)
        out_member_text(&request->out, name, text);
    else
        entities_member(request, was, name, JSON_STRING, "null");
}

/* The document as it was, but for what the request says. */
static void write_document(struct request *request, struct json was)
{
    const struct member_state *state = request->state;
    struct out *out = &request->out;
    int64_t now_us = mete_now(request->api->parts.mete).us;
    struct slice role =
        state->role ? slice_of(role_word((enum role)state->role)) : (struct slice){0};
    out_clear(out);
    out_open(out, '{');
    out_member_text(out, "id", state->id);
    text_or(request, state->name, was, "name");
    out_member_text(out, "organization", request->params[0]);
    text_or(request, role, was, "role");
    text_or(request, state->user, state->sets_user ? (struct json){0} : was, "user");
    text_or(request, slice_of(state->hash), was, "hash");
    if (was.type == JSON_NONE)
        out_member_instant(out, "created_at", now_us);
    else
        entities_member(request, was, "created_at", JSON_STRING, "null");
    if (state->hash[0])
        out_member_instant(out, "password_changed_at", now_us);
    else
        entities_member(request, was, "password_changed_at", JSON_STRING, "null");
    out_close(out, '}');
}

/* Whether the one that is there may be changed by whoever asks, and will not leave the
 * organization without an owner: so a transaction, where others may go as well, takes none away. */
static bool may_change(struct request *request)
{
    const struct member_state *state = request->state;
    const struct people *people = people_of(request);
    const struct member *known = members_find(people->members, request->found, state->id);
    if (!known)
        return true; /* NOT_FOUND has been said */
    if (!rank_allows(request, known->role))
        return false;
    bool stays = state->act != DOCUMENT_END && (!state->role || state->role == ROLE_OWNER);
    if (known->role != ROLE_OWNER || stays ||
        (!request->step && members_count(people->members, request->found, ROLE_OWNER) > 1))
        return true;
    request_fail(request, METE_E_EXISTS, "role", "It is the last owner: make another one first.");
    return false;
}

static bool write(struct request *request, struct json was)
{
    const struct member_state *state = request->state;
    if (was.type != JSON_NONE && !may_change(request))
        return false;
    if (state->act == DOCUMENT_CREATE &&
        members_count(people_of(request)->members, request->found, ROLE_NONE) >= LIMIT_MEMBERS) {
        request_fail(request, METE_E_FULL, NULL, "An organization has at most %d members.",
                     LIMIT_MEMBERS);
        return false;
    }
    if (state->act != DOCUMENT_END)
        write_document(request, was);
    return true;
}

/* Before the reply: what the door asks is what was answered. */
static void done(struct request *request)
{
    const struct member_state *state = request->state;
    struct people *people = people_of(request);
    struct mete_scope_id organization = request_made(request, request->found);
    bool ends = state->act == DOCUMENT_END;
    struct slice document = {0};
    if (!ends)
        document = arena_copy(&request->arena, buffer_slice(&request->out.bytes));
    int rc = !ends && !document.data
                 ? METE_E_MEMORY
                 : members_put(people->members, organization, state->id, document);
    if (ends || state->hash[0])
        sessions_end(people->sessions, organization, state->id, request->who.session);
    if (rc) {
        request_fail(request, rc, NULL, "It is done, but is not in force before a restart.");
        return;
    }
    if (ends) {
        request_reply_empty(request, 204);
        return;
    }
    out_clear(&request->out);
    member_json_write(request, state->id, entities_document(document));
    request_reply(request, state->act == DOCUMENT_CREATE ? 201 : 200);
}

static const struct document_plan plan = {
    .kind = DOCUMENT_MEMBER, .field = "member", .write = write, .done = done};

/* ---- Making and changing --------------------------------------------------------------------- */

static void change(struct request *request)
{
    const struct member_state *state = request->state;
    documents_change(request, &plan, state->act, state->id);
}

static int run_hash(struct request *request, struct records_reader *reader)
{
    struct member_state *state = request->state;
    (void)reader;
    return password_hash(state->password, state->hash);
}

static void hashed(struct request *request)
{
    if (!request_failed(request))
        change(request);
}

static void check_password(struct request *request)
{
    const struct member_state *state = request->state;
    if (state->password.len)
        request_compute(request, run_hash, hashed);
    else
        change(request);
}

static void user_found(struct request *request)
{
    if (!request_missed(request, "user"))
        check_password(request);
}

static void organization_found(struct request *request)
{
    const struct member_state *state = request->state;
    if (!request_missed(request, "org"))
        request_find(request, METE_USER, state->user, user_found);
}

static void begin(struct request *request, const struct field *table, size_t len,
                  enum document_act act)
{
    struct member_state *state = request_take(request, sizeof *state);
    struct json body;
    if (!state)
        return;
    request->state = state;
    const struct fields fields = {table, len, "", &request->arena, &request->problem};
    if (request_body(request, &body) || fields_read(&fields, body, state)) {
        request_problem(request);
        return;
    }
    state->act = act;
    state->sets_user = json_member(body, "user").type != JSON_NONE;
    if (act == DOCUMENT_CHANGE)
        state->id = request->params[1];
    if (state->id.len > LIMIT_MEMBER)
        request_fail(request, act == DOCUMENT_CREATE ? METE_E_INVALID : METE_E_NOT_FOUND,
                     act == DOCUMENT_CREATE ? "id" : "member", "It has at most %d characters.",
                     LIMIT_MEMBER);
    else if (state->role && !rank_allows(request, (enum role)state->role))
        return;
    else if (state->user.len)
        request_find_organization(request, organization_found);
    else
        check_password(request);
}

void members_create(struct request *request)
{
    begin(request, create_table, sizeof create_table / sizeof create_table[0], DOCUMENT_CREATE);
}

void members_update(struct request *request)
{
    begin(request, update_table, sizeof update_table / sizeof update_table[0], DOCUMENT_CHANGE);
}

void members_remove(struct request *request)
{
    struct member_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    *state = (struct member_state){.id = request->params[1], .act = DOCUMENT_END};
    request->state = state;
    change(request);
}

/* ---- Showing --------------------------------------------------------------------------------- */

static int show(struct request *request, const struct directory_entity *entity)
{
    member_json_write(request, entity->id, entities_document(entity->document));
    return 0;
}

void members_list(struct request *request)
{
    entities_list(request, document_entity(DOCUMENT_MEMBER), show);
}

void members_show(struct request *request)
{
    entities_show(request, document_entity(DOCUMENT_MEMBER), "member", show);
}
