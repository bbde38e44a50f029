/* SPDX-License-Identifier: Apache-2.0
 * What is shown goes before what a browser sends by itself: with an Authorization no cookie is
 * looked at. The texts of keys, tokens and sessions are compared as keyed hashes, in constant time
 * (INV-13). */
#include "api/principal.h"

#include "base/limits.h"

#include <sodium.h>
#include <stdio.h>

static int refuse(struct request *request, int error, const char *why)
{
    return problem_set(&request->problem, error, NULL, "%s", why);
}

static struct slice header(const struct request *request, const char *name)
{
    return request->exchange->ops->header(request->exchange, name);
}

static int64_t now_us(const struct request *request)
{
    return mete_now(request->api->parts.mete).us;
}

/* What is shown of itself. */
static struct slice credential(const struct request *request)
{
    struct slice text = header(request, "Authorization");
    if (!text.len)
        return header(request, "x-api-key");
    static const char scheme[] = "bearer ";
    size_t len = sizeof scheme - 1;
    if (text.len <= len)
        return (struct slice){0};
    for (size_t i = 0; i < len; i++)
        if ((text.data[i] | 0x20) != scheme[i])
            return (struct slice){0};
    return slice_from(text, len);
}

/* "KIND:ORGANIZATION/ID", for the journal; an organization's id that is too long for it is cut. */
static int set_name(struct request *request, const char *kind)
{
    struct principal *who = &request->who;
    char *room = arena_take(&request->arena, LIMIT_ID + 1);
    if (!room)
        return refuse(request, METE_E_MEMORY, "There is no memory for it.");
    size_t rest = LIMIT_ID - strlen(kind) - 2 - who->id.len;
    size_t shown = who->organization_id.len < rest ? who->organization_id.len : rest;
    int len = snprintf(room, LIMIT_ID + 1, "%s:%.*s/%.*s", kind, (int)shown,
                       who->organization_id.data, (int)who->id.len, who->id.data);
    who->name = (struct slice){room, (size_t)len};
    return 0;
}

/* Of what the index may change while the request goes on. */
static bool copy(struct request *request, const char *text, struct slice *ret_copy)
{
    *ret_copy = arena_copy(&request->arena, slice_of(text));
    return ret_copy->data || !text[0];
}

/* ---- Keys and service tokens ----------------------------------------------------------------- */

/* Why a key's text lets nobody in; NULL: it does. */
static const char *why_not(struct request *request, const struct directory_key *key,
                           enum directory_text is)
{
    if (!key)
        return is == DIRECTORY_REPLACED ? "The key was given a new text, and this one is over."
                                        : "The key is unknown.";
    if (request->route->access == ACCESS_ANY_KEY)
        return NULL;
    if (key->revoked)
        return "The key has been revoked.";
    return key->expires_at_us && now_us(request) >= key->expires_at_us ? "The key has expired."
                                                                       : NULL;
}

static int use_key(struct request *request, struct slice text)
{
    enum directory_text is = DIRECTORY_UNKNOWN;
    enum access access = request->route->access;
    struct directory *directory = request->api->parts.directory;
    const struct directory_key *key =
        text.len ? directory_find_key(directory, text, now_us(request), &is) : NULL;
    const char *why = why_not(request, key, is);
    if (why)
        return refuse(request, METE_E_UNAUTHENTICATED, why);
    if (!directory_allows_address(key, &request->exchange->peer))
        return refuse(request, METE_E_FORBIDDEN,
                      "The key's permissions.ip_ranges do not have your address.");
    directory_use(directory, key->scope, now_us(request));
    if (access != ACCESS_ANY_KEY && access != ACCESS_KEY)
        return refuse(request, METE_E_FORBIDDEN,
                      access == ACCESS_ADMIN
                          ? "This needs the admin token."
                          : "This needs a member, a service token or the admin token.");
    request->who.scope = key->scope;
    request->who.organization = key->organization;
    request->who.key = key;
    request->who.is_key = true;
    return 0;
}

static int use_token(struct request *request, struct slice text)
{
    struct service_tokens *tokens = request->api->parts.people->tokens;
    struct principal *who = &request->who;
    const struct service_token *token = service_tokens_find(tokens, text);
    if (!token)
        return refuse(request, METE_E_UNAUTHENTICATED,
                      "The service token is unknown, or has been revoked.");
    if (token->expires_at_us && now_us(request) >= token->expires_at_us)
        return refuse(request, METE_E_UNAUTHENTICATED, "The service token has expired.");
    service_tokens_use(tokens, token, now_us(request));
    who->permissions = token->permissions;
    who->scope = who->organization = token->organization;
    if (!copy(request, token->organization_id, &who->organization_id) ||
        !copy(request, token->id, &who->id))
        return refuse(request, METE_E_MEMORY, "There is no memory for it.");
    return set_name(request, "token");
}

/* ---- Sessions -------------------------------------------------------------------------------- */

/* The value of the session's cookie; empty: there is none. */
static struct slice cookie(const struct request *request)
{
    struct slice rest = header(request, "Cookie");
    const struct slice name = SLICE_LITERAL(SESSION_COOKIE "=");
    while (rest.len) {
        while (rest.len && (rest.data[0] == ' ' || rest.data[0] == ';'))
            rest = slice_from(rest, 1);
        const char *end = rest.len ? memchr(rest.data, ';', rest.len) : NULL;
        struct slice pair = slice_part(rest, 0, end ? (size_t)(end - rest.data) : rest.len);
        if (slice_starts(pair, name))
            return slice_from(pair, name.len);
        rest = slice_from(rest, pair.len);
    }
    return (struct slice){0};
}

bool principal_is_same_site(const struct request *request)
{
    struct slice site = header(request, "Sec-Fetch-Site"), origin = header(request, "Origin");
    if (site.len && !slice_is(site, "same-origin") && !slice_is(site, "none"))
        return false;
    if (!origin.len)
        return true;
    const struct slice http = SLICE_LITERAL("http://"), https = SLICE_LITERAL("https://");
    const struct slice scheme = slice_starts(origin, https) ? https : http;
    struct slice host = header(request, "Host");
    return slice_starts(origin, scheme) && host.len &&
           slice_equal(slice_from(origin, scheme.len), host);
}

static bool is_write(struct slice method)
{
    return !slice_is(method, "GET") && !slice_is(method, "HEAD");
}

static int check_forgery(struct request *request, struct slice text)
{
    char csrf[SESSION_CSRF + 1];
    struct slice shown = header(request, "X-Mete-CSRF");
    if (!is_write(request->exchange->method))
        return 0;
    if (!principal_is_same_site(request))
        return problem_set(&request->problem, METE_E_FORBIDDEN, "Origin",
                           "Another site's page may not use the session.");
    sessions_csrf(request->api->parts.people->sessions, text, csrf);
    if (shown.len != SESSION_CSRF || sodium_memcmp(shown.data, csrf, SESSION_CSRF) != 0)
        return problem_set(&request->problem, METE_E_FORBIDDEN, "X-Mete-CSRF",
                           "With a session, a write shows the csrf that login returned.");
    return 0;
}

int principal_use_session(struct request *request, struct slice text)
{
    struct people *people = request->api->parts.people;
    struct principal *who = &request->who;
    const struct session *session = sessions_find(people->sessions, text, now_us(request));
    const struct member *member =
        session ? members_find(people->members, session->organization, slice_of(session->member))
                : NULL;
    if (!member)
        return refuse(request, METE_E_UNAUTHENTICATED, "The session has ended: log in again.");
    who->role = member->role;
    who->permissions = permissions_of(member->role);
    who->scope = who->organization = member->organization;
    who->session = text;
    if (!copy(request, member->organization_id, &who->organization_id) ||
        !copy(request, member->id, &who->id) || !copy(request, member->user, &who->user))
        return refuse(request, METE_E_MEMORY, "There is no memory for it.");
    return set_name(request, "member");
}

static int use_cookie(struct request *request)
{
    struct slice text = cookie(request);
    if (!text.len)
        return refuse(request, METE_E_UNAUTHENTICATED,
                      "Send Authorization: Bearer with a key, a service token or the admin token, "
                      "or log in.");
    int rc = principal_use_session(request, text);
    return rc ? rc : check_forgery(request, text);
}

/* ---- Any of them ------------------------------------------------------------------------------
 */

int principal_find(struct request *request)
{
    const struct api_parts *parts = &request->api->parts;
    struct slice text = credential(request);
    request->who.name = SLICE_LITERAL("anybody");
    if (request->route->access == ACCESS_PUBLIC)
        return 0;
    if (text.len && directory_same_secret(text, slice_of(parts->admin_token))) {
        request->who.admin = true;
        request->who.name = SLICE_LITERAL("admin");
        request->who.permissions = ~permission_bit(PERMIT_INSTALLATION);
        return 0;
    }
    if (slice_starts(text, SLICE_LITERAL("mete_st_")))
        return use_token(request, text);
    if (!text.len && !header(request, "Authorization").len)
        return use_cookie(request);
    return use_key(request, text);
}
