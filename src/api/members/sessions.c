/* SPDX-License-Identifier: Apache-2.0
 * The session one has: shown, and ended. */
#include "api/members/handlers.h"
#include "api/members/rank.h"
#include "api/members/session_json.h"
#include "api/principal.h"
#include "base/limits.h"

#include <stdio.h>

static struct people *people_of(struct request *request)
{
    return request->api->parts.people;
}

static void text_or_null(struct out *out, const char *name, struct slice text)
{
    out_key(out, name);
    if (text.len)
        out_text(out, text);
    else
        out_null(out);
}

static const char *kind_of(const struct principal *who)
{
    return who->admin ? "admin" : who->session.len ? "session" : "service_token";
}

static void write_session(struct request *request)
{
    struct sessions *sessions = people_of(request)->sessions;
    struct slice text = request->who.session;
    char csrf[SESSION_CSRF + 1];
    const struct session *session =
        sessions_find(sessions, text, mete_now(request->api->parts.mete).us);
    sessions_csrf(sessions, text, csrf);
    text_or_null(&request->out, "csrf", slice_of(csrf));
    out_member_instant(&request->out, "expires_at", session ? session_expires_us(session) : 0);
}

void session_json_write(struct request *request)
{
    const struct principal *who = &request->who;
    struct out *out = &request->out;
    out_clear(out);
    out_open(out, '{');
    out_member_text(out, "kind", slice_of(kind_of(who)));
    text_or_null(out, "organization", who->organization_id);
    text_or_null(out, "id", who->id);
    text_or_null(out, "role", slice_of(role_word(who->role)));
    text_or_null(out, "user", who->user);
    rank_write(out, "permissions", who->permissions);
    if (who->session.len)
        write_session(request);
    out_close(out, '}');
}

void session_cookie(struct request *request, struct slice text, int64_t life_s)
{
    enum { ROOM = 192 };
    char *room = arena_take(&request->arena, ROOM);
    if (!room)
        return; /* the session goes unused */
    int len = snprintf(room, ROOM,
                       SESSION_COOKIE "=%.*s; Path=/; HttpOnly; SameSite=Strict; "
                                      "Max-Age=%lld%s",
                       (int)text.len, text.data ? text.data : "", (long long)life_s,
                       request->exchange->is_secure ? "; Secure" : "");
    request->cookie = (struct slice){room, (size_t)len};
}

void session_show(struct request *request)
{
    static const char *const known[] = {NULL};
    if (request_query_known(request, known)) {
        request_problem(request);
        return;
    }
    session_json_write(request);
    request_reply(request, 200);
}

void logout(struct request *request)
{
    if (!request->who.session.len) {
        request_fail(request, METE_E_FORBIDDEN, NULL, "Only who is logged in can log out.");
        return;
    }
    sessions_close(people_of(request)->sessions, request->who.session);
    session_cookie(request, (struct slice){0}, 0);
    request_reply_empty(request, 204);
}
