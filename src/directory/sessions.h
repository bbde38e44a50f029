/* SPDX-License-Identifier: Apache-2.0
 * Sessions of members who logged in with a password. They are in memory only: a restart ends them
 * all. Of a session's text only a keyed hash is kept; its CSRF token is another keyed hash of it,
 * so that nothing else is. A session ends after LIMIT_LOGIN_S, after LIMIT_LOGIN_IDLE_S without
 * use, when it is closed, or when its member's password changes or the member goes.
 * THREAD one (the event loop). */
#ifndef DIRECTORY_SESSIONS_H
#define DIRECTORY_SESSIONS_H

#include "base/limits.h"
#include "base/slice.h"
#include "mete.h"

enum { SESSION_TEXT = 43, SESSION_CSRF = 32 }; /* characters, without an end */

struct session {
    struct mete_scope_id organization;
    char member[LIMIT_MEMBER + 1];
    int64_t made_us, used_us;
};

struct sessions;

/* secret: of the installation. METE_E_MEMORY. */
METE_MUST_USE int sessions_new(const uint8_t secret[32], struct sessions **ret_sessions);
void sessions_free(struct sessions *sessions);

/* A new one; of a member's LIMIT_MEMBER_LOGINS, and of all, the one least used of late makes room.
 * random: fills len bytes with what cannot be guessed. */
void sessions_open(struct sessions *sessions, const struct session *session,
                   void (*random)(void *user, void *ret_bytes, size_t len), void *user,
                   char ret_text[SESSION_TEXT + 1]);
/* The session with this text, used now; NULL: there is none, or it has ended. Borrowed until the
 * next call. */
const struct session *sessions_find(struct sessions *sessions, struct slice text, int64_t now_us);
void sessions_close(struct sessions *sessions, struct slice text);
/* Those of a member, but for the one with the text kept (empty: all); member empty: those of all
 * members of the organization. */
void sessions_end(struct sessions *sessions, struct mete_scope_id organization, struct slice member,
                  struct slice kept);

/* What a write with this session has to show. */
void sessions_csrf(const struct sessions *sessions, struct slice text,
                   char ret_csrf[SESSION_CSRF + 1]);
int64_t session_expires_us(const struct session *session); /* if it is not used again */

#endif
