/* SPDX-License-Identifier: Apache-2.0
 * Logging in: a password for a session in a cookie. Whether the member exists, has a password or
 * has another one, the answer is the same after the same work. Tries are counted by member and by
 * the address that asks; one that succeeds does not count. How many are tried at the same time is
 * bounded, because each takes a worker's time and memory. */
#include "api/members/handlers.h"
#include "api/documents.h"
#include "api/members/session_json.h"
#include "api/principal.h"
#include "base/assert.h"
#include "base/limits.h"

#include <stdio.h>

static const struct tries_rate of_member = {LIMIT_LOGIN_TRIES, LIMIT_LOGIN_TRY_S *INT64_C(1000000)};
static const struct tries_rate of_address = {LIMIT_LOGIN_ADDRESS_TRIES,
                                             LIMIT_LOGIN_ADDRESS_TRY_S *INT64_C(1000000)};

struct login_state {
    struct slice organization, member, password;
    struct mete_scope_id found;
    struct slice who;         /* whose tries these are */
    char hash[PASSWORD_HASH]; /* "": there is no such member, or it cannot log in */
    bool is;
    char text[SESSION_TEXT + 1];
};

static struct people *people_of(struct request *request)
{
    return request->api->parts.people;
}

/* ---- Tries ----------------------------------------------------------------------------------- */

/* Of a client that its proxy does not name the proxy's; empty: it came over no network. */
static struct slice address_of(const struct request *request)
{
    static const struct address nowhere;
    const struct address *peer = &request->exchange->peer;
    bool is_there = memcmp(peer->bytes, nowhere.bytes, sizeof peer->bytes) != 0;
    return (struct slice){(const char *)peer->bytes, is_there ? sizeof peer->bytes : 0};
}

static void give_back(struct request *request, struct slice who)
{
    struct slice address = address_of(request);
    tries_give_back(people_of(request)->tries, who, &of_member);
    if (address.len)
        tries_give_back(people_of(request)->tries, address, &of_address);
}

/* Else the request has been ended (429). */
static bool take_try(struct request *request, struct slice who)
{
    struct tries *tries = people_of(request)->tries;
    struct slice address = address_of(request);
    int64_t now_us = mete_now(request->api->parts.mete).us;
    int64_t wait_us = address.len ? tries_take(tries, address, &of_address, now_us) : 0;
    if (!wait_us) {
        wait_us = tries_take(tries, who, &of_member, now_us);
        if (wait_us && address.len)
            tries_give_back(tries, address, &of_address);
    }
    if (!wait_us)
        return true;
    request->retry_after_s = (wait_us + 999999) / 1000000;
    request_fail(request, METE_E_LIMITED, NULL, "Too many tries to log in.");
    return false;
}

static struct slice tries_of(struct request *request, struct slice organization,
                             struct slice member)
{
    size_t len = organization.len + 1 + member.len;
    char *room = request_take(request, len);
    if (!room)
        return (struct slice){0};
    memcpy(room, organization.data, organization.len);
    room[organization.len] = '/';
    memcpy(room + organization.len + 1, member.data, member.len);
    return (struct slice){room, len};
}

/* Whether one more password may be tried now; else the request has been ended. */
static bool enter(struct request *request, struct slice who)
{
    if (request->api->logins >= LIMIT_LOGINS_AT_ONCE) {
        request_fail(request, METE_E_BUSY, NULL, "Too many log in at the same time; try again.");
        return false;
    }
    if (!take_try(request, who))
        return false;
    request->api->logins++;
    return true;
}

static void leave(struct request *request)
{
    ASSERT(request->api->logins > 0);
    request->api->logins--;
}

/* ---- Logging in ------------------------------------------------------------------------------ */

static void open_session(struct request *request)
{
    struct login_state *state = request->state;
    const struct api_parts *parts = &request->api->parts;
    int64_t now_us = mete_now(parts->mete).us;
    struct session session = {.organization = state->found, .made_us = now_us, .used_us = now_us};
    memcpy(session.member, state->member.data, state->member.len);
    sessions_open(parts->people->sessions, &session, parts->random, parts->random_user,
                  state->text);
    if (principal_use_session(request, slice_of(state->text))) {
        request_problem(request);
        return;
    }
    session_cookie(request, slice_of(state->text), LIMIT_LOGIN_S);
    session_json_write(request);
    request_answer(request, 200);
}

static void tried(struct request *request)
{
    struct login_state *state = request->state;
    leave(request);
    if (request_failed(request))
        return;
    const struct member *member =
        members_find(people_of(request)->members, state->found, state->member);
    if (!state->is || !member || strcmp(member->password, state->hash) != 0) {
        request_fail(request, METE_E_UNAUTHENTICATED, NULL,
                     "The organization, the member or the password is wrong.");
        return;
    }
    give_back(request, state->who);
    open_session(request);
}

static int run(struct request *request, struct records_reader *reader)
{
    struct login_state *state = request->state;
    (void)reader;
    state->is = password_is(state->hash, state->password);
    return 0;
}

static void organization_found(struct request *request)
{
    struct login_state *state = request->state;
    if (request->op.status && request->op.status != METE_E_NOT_FOUND) {
        leave(request);
        request_fail(request, request->op.status, NULL, NULL);
        return;
    }
    if (!request->op.status)
        state->found = request->found;
    const struct member *member =
        members_find(people_of(request)->members, state->found, state->member);
    if (member)
        memcpy(state->hash, member->password, sizeof state->hash);
    request_compute(request, run, tried);
}

void login_begin(struct request *request)
{
    static const struct field table[] = {
        {.name = "organization",
         .type = FIELD_ID,
         .flags = FIELD_REQUIRED,
         .offset = offsetof(struct login_state, organization)},
        {.name = "member",
         .type = FIELD_ID,
         .flags = FIELD_REQUIRED,
         .offset = offsetof(struct login_state, member)},
        {.name = "password",
         .type = FIELD_TEXT,
         .flags = FIELD_REQUIRED,
         .offset = offsetof(struct login_state, password),
         .min = 1,
         .max = LIMIT_PASSWORD},
    };
    struct login_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    if (!principal_is_same_site(request)) {
        request_fail(request, METE_E_FORBIDDEN, "Origin", "Another site's page may not log in.");
        return;
    }
    if (request_read(request, table, sizeof table / sizeof table[0], state)) {
        request_problem(request);
        return;
    }
    state->who = tries_of(request, state->organization, state->member);
    if (state->who.data && enter(request, state->who))
        request_find(request, METE_ORGANIZATION, state->organization, organization_found);
}

/* ---- Another password ------------------------------------------------------------------------ */

struct change_state {
    struct slice current, password, who;
    char hash[PASSWORD_HASH], new_hash[PASSWORD_HASH];
    bool is;
};

static bool write(struct request *request, struct json was)
{
    const struct change_state *state = request->state;
    struct out *out = &request->out;
    size_t at = 0;
    struct json key, value;
    out_clear(out);
    out_open(out, '{');
    while (json_next(was, &at, &key, &value)) {
        if (json_string_is(key, "hash") || json_string_is(key, "password_changed_at"))
            continue;
        out_raw(out, key.raw);
        out_append(out, SLICE_LITERAL(":"));
        out_append(out, value.raw);
    }
    out_member_text(out, "hash", slice_of(state->new_hash));
    out_member_instant(out, "password_changed_at", mete_now(request->api->parts.mete).us);
    out_close(out, '}');
    return true;
}

static void changed(struct request *request)
{
    struct people *people = people_of(request);
    int rc = members_put(people->members, request->found, request->who.id,
                         buffer_slice(&request->out.bytes));
    sessions_end(people->sessions, request->found, request->who.id, request->who.session);
    if (rc)
        request_fail(request, rc, NULL, "It is done, but is not in force before a restart.");
    else
        request_reply_empty(request, 204);
}

static void compared(struct request *request)
{
    static const struct document_plan plan = {
        .kind = DOCUMENT_MEMBER, .field = "member", .write = write, .done = changed};
    const struct change_state *state = request->state;
    leave(request);
    if (request_failed(request))
        return;
    if (!state->is) {
        request_fail(request, METE_E_FORBIDDEN, "current", "It is not the password.");
        return;
    }
    give_back(request, state->who);
    request->params[0] = request->who.organization_id; /* as documents_change() wants it */
    documents_change(request, &plan, DOCUMENT_CHANGE, request->who.id);
}

static int compare(struct request *request, struct records_reader *reader)
{
    struct change_state *state = request->state;
    (void)reader;
    state->is = password_is(state->hash, state->current);
    return state->is ? password_hash(state->password, state->new_hash) : 0;
}

void session_password(struct request *request)
{
    static const struct field table[] = {
        {.name = "current",
         .type = FIELD_TEXT,
         .flags = FIELD_REQUIRED,
         .offset = offsetof(struct change_state, current),
         .min = 1,
         .max = LIMIT_PASSWORD},
        {.name = "password",
         .type = FIELD_TEXT,
         .flags = FIELD_REQUIRED,
         .offset = offsetof(struct change_state, password),
         .min = LIMIT_PASSWORD_MIN,
         .max = LIMIT_PASSWORD},
    };
    struct change_state *state = request_take(request, sizeof *state);
    const struct principal *who = &request->who;
    if (!state)
        return;
    request->state = state;
    if (request_read(request, table, sizeof table / sizeof table[0], state)) {
        request_problem(request);
        return;
    }
    if (!who->session.len) {
        request_fail(request, METE_E_FORBIDDEN, NULL, "Only who is logged in has a password.");
        return;
    }
    const struct member *member =
        members_find(people_of(request)->members, who->organization, who->id);
    ASSERT(member); /* or there would be no session */
    memcpy(state->hash, member->password, sizeof state->hash);
    state->who = tries_of(request, who->organization_id, who->id);
    if (state->who.data && enter(request, state->who))
        request_compute(request, compare, compared);
}
