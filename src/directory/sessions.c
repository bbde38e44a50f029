/* SPDX-License-Identifier: Apache-2.0
 * A fixed table, chained by hash; the pages of places that were never used cost nothing.
 *
 *   heads:  [ 0 | 3 | 0 | ... ]      place + 1
 *   places: [ session, hash, next ]  free ones are chained through next as well */
#include "directory/sessions.h"

#include "base/assert.h"
#include "codec/base62.h"

#include <sodium.h>
#include <stdlib.h>

enum { HASH = 32, HEADS = 1024 };

struct place {
    struct session session; /* organization n 0: free */
    uint8_t hash[HASH];
    uint32_t next;
};

struct sessions {
    uint8_t secret[32];
    uint32_t heads[HEADS];
    uint32_t free; /* place + 1 */
    struct place places[LIMIT_LOGINS];
};

int sessions_new(const uint8_t secret[32], struct sessions **ret_sessions)
{
    struct sessions *sessions = calloc(1, sizeof *sessions);
    if (!sessions)
        return METE_E_MEMORY;
    memcpy(sessions->secret, secret, sizeof sessions->secret);
    for (uint32_t i = 0; i + 1 < LIMIT_LOGINS; i++)
        sessions->places[i].next = i + 2;
    sessions->free = 1;
    *ret_sessions = sessions;
    return 0;
}

void sessions_free(struct sessions *sessions)
{
    if (!sessions)
        return;
    sodium_memzero(sessions->secret, sizeof sessions->secret);
    free(sessions);
}

/* What for: a hash of one use says nothing about that of another. */
static void hash_text(const struct sessions *sessions, char what, struct slice text,
                      uint8_t ret_hash[HASH])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, sessions->secret, sizeof sessions->secret, HASH);
    crypto_generichash_update(&state, (const uint8_t *)&what, 1);
    crypto_generichash_update(&state, (const uint8_t *)text.data, text.len);
    crypto_generichash_final(&state, ret_hash, HASH);
}

static uint32_t *head_of(struct sessions *sessions, const uint8_t hash[HASH])
{
    uint32_t n;
    memcpy(&n, hash, sizeof n);
    return &sessions->heads[n % HEADS];
}

static void release(struct sessions *sessions, struct place *place)
{
    uint32_t number = (uint32_t)(place - sessions->places) + 1;
    uint32_t *at = head_of(sessions, place->hash);
    while (*at != number) {
        ASSERT(*at);
        at = &sessions->places[*at - 1].next;
    }
    *at = place->next;
    *place = (struct place){.next = sessions->free};
    sessions->free = number;
}

static bool is_of(const struct session *session, struct mete_scope_id organization,
                  struct slice member)
{
    return session->organization.n == organization.n &&
           (!member.len || slice_is(member, session->member));
}

/* The one least used of late, of a member (NULL: of all). count: how many there are. */
static struct place *oldest(struct sessions *sessions, const struct session *of, size_t *ret_count)
{
    struct place *found = NULL;
    *ret_count = 0;
    for (struct place *at = sessions->places; at < sessions->places + LIMIT_LOGINS; at++) {
        if (!at->session.organization.n ||
            (of && !is_of(&at->session, of->organization, slice_of(of->member))))
            continue;
        ++*ret_count;
        if (!found || at->session.used_us < found->session.used_us)
            found = at;
    }
    return found;
}

static struct place *take_place(struct sessions *sessions, const struct session *session)
{
    size_t count;
    struct place *place = oldest(sessions, session, &count);
    if (count >= LIMIT_MEMBER_LOGINS)
        release(sessions, place);
    if (!sessions->free)
        release(sessions, oldest(sessions, NULL, &count));
    place = &sessions->places[sessions->free - 1];
    sessions->free = place->next;
    return place;
}

void sessions_open(struct sessions *sessions, const struct session *session,
                   void (*random)(void *user, void *ret_bytes, size_t len), void *user,
                   char ret_text[SESSION_TEXT + 1])
{
    ASSERT(session->organization.n && session->member[0]);
    uint8_t bytes[64];
    for (size_t have = 0; have < SESSION_TEXT;) {
        random(user, bytes, sizeof bytes);
        have += base62_digits(bytes, sizeof bytes, ret_text + have, SESSION_TEXT - have);
    }
    sodium_memzero(bytes, sizeof bytes);
    ret_text[SESSION_TEXT] = 0;
    struct place *place = take_place(sessions, session);
    place->session = *session;
    hash_text(sessions, 's', (struct slice){ret_text, SESSION_TEXT}, place->hash);
    uint32_t *head = head_of(sessions, place->hash);
    place->next = *head;
    *head = (uint32_t)(place - sessions->places) + 1;
}

static struct place *find(struct sessions *sessions, struct slice text)
{
    uint8_t hash[HASH];
    if (text.len != SESSION_TEXT)
        return NULL;
    hash_text(sessions, 's', text, hash);
    for (uint32_t at = *head_of(sessions, hash); at; at = sessions->places[at - 1].next)
        if (sodium_memcmp(sessions->places[at - 1].hash, hash, HASH) == 0)
            return &sessions->places[at - 1];
    return NULL;
}

int64_t session_expires_us(const struct session *session)
{
    int64_t idle_us = session->used_us + LIMIT_LOGIN_IDLE_S * INT64_C(1000000);
    int64_t life_us = session->made_us + LIMIT_LOGIN_S * INT64_C(1000000);
    return idle_us < life_us ? idle_us : life_us;
}

const struct session *sessions_find(struct sessions *sessions, struct slice text, int64_t now_us)
{
    struct place *place = find(sessions, text);
    if (!place)
        return NULL;
    if (now_us >= session_expires_us(&place->session)) {
        release(sessions, place);
        return NULL;
    }
    place->session.used_us = now_us;
    return &place->session;
}

void sessions_close(struct sessions *sessions, struct slice text)
{
    struct place *place = find(sessions, text);
    if (place)
        release(sessions, place);
}

void sessions_end(struct sessions *sessions, struct mete_scope_id organization, struct slice member,
                  struct slice kept)
{
    const struct place *stays = find(sessions, kept);
    for (struct place *at = sessions->places; at < sessions->places + LIMIT_LOGINS; at++)
        if (at != stays && at->session.organization.n && is_of(&at->session, organization, member))
            release(sessions, at);
}

void sessions_csrf(const struct sessions *sessions, struct slice text,
                   char ret_csrf[SESSION_CSRF + 1])
{
    uint8_t hash[HASH];
    hash_text(sessions, 'c', text, hash);
    sodium_bin2hex(ret_csrf, SESSION_CSRF + 1, hash, SESSION_CSRF / 2);
}
