/* SPDX-License-Identifier: Apache-2.0
 * One table says what can be declared; the order of its rows is the order of the operations, so
 * that a department is there before its users. What goes, goes in the opposite order, at the end.
 *
 * Two values are the same if they mean the same: numbers and decimal texts by their value (a
 * threshold above 1 is a percentage), objects by the members that the file names, lists element by
 * element. */
#include "cli/declare.h"

#include "base/limits.h"
#include "cli/cli.h"
#include "codec/decimal.h"
#include "mete.h"

#include <stdio.h>
#include <stdlib.h>

enum { DEPTH_MAX = 8, SCALE = 18, BODY_MAX = 256 * 1024 };

struct noun {
    const char *list; /* the member of the file, and of an organization in it */
    const char *name; /* for people */
    const char *at;   /* of the list, behind the organization; NULL: the organizations' own */
    const char *by;   /* the member that tells one from the others */
    const char *one;  /* where one is shown and changed, if not under its list */
};

static const struct noun organization = {"organizations", "organization", NULL, "id", NULL};
static const struct noun nouns[] = {
    {"departments", "department", "/departments", "id", NULL},
    {"users", "user", "/users", "id", NULL},
    {"budgets", "budget", "/budgets", "id", NULL},
    {"rate_limits", "rate limit", "/rate-limits", "id", NULL},
    {"keys", "key", "/api-keys", "name", "/api/v1/api-keys/"},
    {"plans", "plan", "/plans", "id", NULL},
    {"packages", "package", "/packages", "id", NULL},
    {"prices", "price", "/prices", "id", NULL},
};
enum { NOUNS = sizeof nouns / sizeof nouns[0] };

struct walk {
    struct client *client;
    struct declare_plan *plan;
    char organization[LIMIT_ID + 1]; /* whose things are declared */
    bool is_new;                     /* it is yet to be made, so nothing of it is there */
};

static int wrong(const char *where, const char *why)
{
    fprintf(stderr, "mete: %s: %s\n", where, why);
    return CLI_USAGE;
}

static int no_memory(void)
{
    fprintf(stderr, "mete: %s\n", mete_error_text(METE_E_MEMORY));
    return CLI_FAILED;
}

/* ---- Meaning the same --------------------------------------------------------------------------
 */

static bool number_of(struct json value, int128 *ret_number)
{
    char room[64];
    struct slice text = value.raw;
    if (value.type == JSON_STRING) {
        long len = json_string_copy(value, room, sizeof room);
        text = (struct slice){room, len < 0 ? 0 : (size_t)len};
    }
    return (value.type == JSON_STRING || value.type == JSON_NUMBER) &&
           !decimal_parse128(text, SCALE, false, ret_number);
}

static bool same_text(struct json a, struct json b)
{
    size_t at_a = 1, at_b = 1;
    char room_a[4], room_b[4];
    struct slice left = {0}, right = {0};
    for (;;) {
        bool more_a = left.len || json_string_next(a, &at_a, room_a, &left);
        bool more_b = right.len || json_string_next(b, &at_b, room_b, &right);
        if (!more_a || !more_b)
            return more_a == more_b;
        size_t len = left.len < right.len ? left.len : right.len;
        if (memcmp(left.data, right.data, len) != 0)
            return false;
        left = slice_from(left, len);
        right = slice_from(right, len);
    }
}

static bool same(struct json wanted, struct json have, bool is_share, int depth);

static bool same_list(struct json wanted, struct json have, bool is_share, int depth)
{
    struct json a, b;
    size_t at_a = 0, at_b = 0;
    for (;;) {
        bool more_a = json_next(wanted, &at_a, NULL, &a), more_b = json_next(have, &at_b, NULL, &b);
        if (!more_a || !more_b)
            return more_a == more_b;
        if (!same(a, b, is_share, depth + 1))
            return false;
    }
}

/* Members that the file names. */
static bool same_members(struct json wanted, struct json have, int depth)
{
    struct json key, value;
    size_t at = 0;
    char name[128];
    while (json_next(wanted, &at, &key, &value)) {
        long len = json_string_copy(key, name, sizeof name - 1);
        if (len < 0)
            return false;
        name[len] = 0;
        bool is_share = strstr(name, "threshold") != NULL;
        if (!same(value, json_member(have, name), is_share, depth + 1))
            return false;
    }
    return true;
}

static bool same(struct json wanted, struct json have, bool is_share, int depth)
{
    const int128 one = 1000000000000000000;
    int128 a, b;
    if (depth > DEPTH_MAX)
        return false;
    if (number_of(wanted, &a) && number_of(have, &b)) {
        a = is_share && a > one ? a / 100 : a;
        b = is_share && b > one ? b / 100 : b;
        return a == b;
    }
    if (wanted.type == JSON_NULL || have.type == JSON_NONE)
        return wanted.type == JSON_NULL && (have.type == JSON_NONE || have.type == JSON_NULL);
    if (wanted.type != have.type)
        return false;
    if (wanted.type == JSON_OBJECT)
        return same_members(wanted, have, depth);
    if (wanted.type == JSON_ARRAY)
        return same_list(wanted, have, is_share, depth);
    return wanted.type != JSON_STRING || same_text(wanted, have);
}

/* ---- The plan ----------------------------------------------------------------------------------
 */

static struct declare_change *add(struct declare_plan *plan)
{
    if (plan->len == plan->room) {
        size_t room = plan->room ? plan->room * 2 : 32;
        struct declare_change *grown = realloc(plan->changes, room * sizeof *grown);
        if (!grown)
            return NULL;
        plan->changes = grown;
        plan->room = room;
    }
    struct declare_change *change = &plan->changes[plan->len++];
    *change = (struct declare_change){0};
    buffer_init(&change->body, BODY_MAX);
    buffer_init(&change->members, BODY_MAX);
    return change;
}

void declare_done(struct declare_plan *plan)
{
    for (size_t i = 0; i < plan->len; i++) {
        buffer_done(&plan->changes[i].body);
        buffer_done(&plan->changes[i].members);
    }
    free(plan->changes);
    *plan = (struct declare_plan){0};
}

/* ---- One thing ---------------------------------------------------------------------------------
 */

static bool is_list_of_things(struct slice name)
{
    for (size_t i = 0; i < NOUNS; i++)
        if (slice_is(name, nouns[i].list))
            return true;
    return false;
}

/* A member of a declared thing that is for the API: of an organization its lists are not. */
static bool next_member(struct json thing, const struct noun *noun, size_t *at,
                        struct json *ret_key, struct json *ret_value)
{
    while (json_next(thing, at, ret_key, ret_value)) {
        struct slice name = slice_part(ret_key->raw, 1, ret_key->raw.len - 2);
        if (slice_is(name, "absent") || (noun == &organization && is_list_of_things(name)))
            continue;
        return true;
    }
    return false;
}

static int append_member(struct buffer *to, struct json key, struct json value)
{
    return buffer_format(to, "%s%.*s:%.*s", to->len > 1 ? "," : "", (int)key.raw.len, key.raw.data,
                         (int)value.raw.len, value.raw.data);
}

/* All members, for what is to be made. */
static int write_all(struct declare_change *change, const struct noun *noun, struct json thing)
{
    struct json key, value;
    size_t at = 0;
    int rc = buffer_text(&change->body, "{");
    while (!rc && next_member(thing, noun, &at, &key, &value))
        rc = append_member(&change->body, key, value);
    return rc ? rc : buffer_text(&change->body, "}");
}

/* Those that differ, with what they are and are to be. */
static int write_differing(struct declare_change *change, const struct noun *noun,
                           struct json thing, struct json have)
{
    struct json key, value;
    size_t at = 0;
    char name[128];
    int rc = buffer_text(&change->body, "{");
    while (!rc && next_member(thing, noun, &at, &key, &value)) {
        long len = json_string_copy(key, name, sizeof name - 1);
        name[len < 0 ? 0 : len] = 0;
        struct json was = json_member(have, name);
        if (same(value, was, strstr(name, "threshold") != NULL, 0))
            continue;
        rc = append_member(&change->body, key, value);
        if (!rc)
            rc = buffer_format(&change->members, "%s{\"member\":%.*s,\"from\":%.*s,\"to\":%.*s}",
                               change->members.len ? "," : "[", (int)key.raw.len, key.raw.data,
                               was.type ? (int)was.raw.len : 4, was.type ? was.raw.data : "null",
                               (int)value.raw.len, value.raw.data);
    }
    if (!rc && change->members.len)
        rc = buffer_text(&change->members, "]");
    return rc ? rc : buffer_text(&change->body, "}");
}

/* Of the list of a noun, or of one thing of it; "" if it does not fit. */
static void path_to(const struct walk *walk, const struct noun *noun, const char *id, char *room,
                    size_t room_len)
{
    struct buffer path;
    buffer_init(&path, room_len - 1);
    int rc = buffer_text(&path, noun->at ? "/api/v1/organizations/" : "/api/v1/organizations");
    if (!rc && noun->at) {
        client_encode(&path, walk->organization);
        rc = buffer_text(&path, noun->at);
    }
    if (!rc && id)
        rc = buffer_text(&path, "/");
    if (!rc && id)
        client_encode(&path, id);
    snprintf(room, room_len, "%.*s", rc ? 0 : (int)path.len, path.data ? path.data : "");
    buffer_done(&path);
}

static int ask(const struct walk *walk, const char *path, struct client_reply *ret_reply)
{
    return client_call(walk->client, "GET", path, (struct slice){0}, ret_reply);
}

/* A thing whose id mete gives is found by its name. *ret_id "": there is none. */
static int find_by_name(const struct walk *walk, const struct noun *noun, const char *wanted,
                        char ret_id[LIMIT_ID + 1])
{
    struct client_reply reply;
    char cursor[128] = "", name[300], path[600];
    ret_id[0] = 0;
    do {
        char list[400];
        path_to(walk, noun, NULL, list, sizeof list);
        snprintf(path, sizeof path, "%s?limit=1000%s%s", list, cursor[0] ? "&cursor=" : "", cursor);
        int code = ask(walk, path, &reply);
        if (!code)
            code = client_problem(&reply);
        struct json page, item;
        size_t at = 0;
        if (!code && json_scan(buffer_slice(&reply.body), &page, NULL))
            code = CLI_FAILED;
        while (!code && json_next(json_member(page, "data"), &at, NULL, &item)) {
            client_member(item, noun->by, name, sizeof name);
            if (strcmp(name, wanted) != 0)
                continue;
            if (ret_id[0])
                code = wrong(wanted, "more than one has this name");
            client_member(item, "id", ret_id, LIMIT_ID + 1);
        }
        cursor[0] = 0;
        if (!code && json_member(page, "next_cursor").type == JSON_STRING)
            client_member(page, "next_cursor", cursor, sizeof cursor);
        client_reply_done(&reply);
        if (code)
            return code;
    } while (cursor[0]);
    return CLI_DONE;
}

/* Where one is shown and changed; "" if there is none to be found. */
static int path_of(const struct walk *walk, const struct noun *noun, const char *id, char *room,
                   size_t room_len)
{
    char found[LIMIT_ID + 1];
    int code = CLI_DONE;
    room[0] = 0;
    if (walk->is_new && noun != &organization)
        return CLI_DONE;
    if (noun->one) {
        code = find_by_name(walk, noun, id, found);
        if (!code && found[0])
            snprintf(room, room_len, "%s%s", noun->one, found);
        return code;
    }
    path_to(walk, noun, id, room, room_len);
    return CLI_DONE;
}

static int plan_new(struct walk *walk, const struct noun *noun, const char *what, struct json thing)
{
    struct declare_change *change = add(walk->plan);
    if (!change)
        return no_memory();
    path_to(walk, noun, NULL, change->path, sizeof change->path);
    snprintf(change->what, sizeof change->what, "%s", what);
    change->act = DECLARE_MAKE;
    change->is_key = noun->one != NULL;
    return write_all(change, noun, thing) ? no_memory() : CLI_DONE;
}

static int plan_there(struct walk *walk, const struct noun *noun, const char *what,
                      const char *path, const struct client_reply *reply, struct json thing,
                      bool is_absent)
{
    struct json have;
    if (json_scan(buffer_slice(&reply->body), &have, NULL))
        return wrong(path, "the server does not speak as mete does");
    struct declare_change *change = add(walk->plan);
    if (!change)
        return no_memory();
    snprintf(change->what, sizeof change->what, "%s", what);
    snprintf(change->path, sizeof change->path, "%s", path);
    snprintf(change->etag, sizeof change->etag, "%s", reply->etag);
    change->act = is_absent ? DECLARE_DELETE : DECLARE_CHANGE;
    if (is_absent)
        return CLI_DONE;
    if (write_differing(change, noun, thing, have))
        return no_memory();
    if (change->members.len)
        return CLI_DONE;
    buffer_done(&change->body);
    buffer_done(&change->members);
    walk->plan->len--; /* it is as it should be */
    return CLI_DONE;
}

static int compare_thing(struct walk *walk, const struct noun *noun, struct json thing,
                         const char *where, char ret_id[LIMIT_ID + 1])
{
    char path[768], what[320], id[LIMIT_ID + 1] = "";
    struct client_reply reply = {0};
    if (thing.type != JSON_OBJECT || json_member(thing, noun->by).type != JSON_STRING)
        return wrong(where, "it must be a mapping with its id (a key's name)");
    client_member(thing, noun->by, id, sizeof id);
    memcpy(ret_id, id, sizeof id);
    bool is_absent = json_member(thing, "absent").type == JSON_TRUE;
    snprintf(what, sizeof what, "%s %s%s%s", noun->name, noun->at ? walk->organization : "",
             noun->at ? "/" : "", id);
    int code = path_of(walk, noun, id, path, sizeof path);
    if (code || !path[0])
        return code || is_absent ? code : plan_new(walk, noun, what, thing);
    code = ask(walk, path, &reply);
    if (code)
        return code;
    if (reply.status == 404)
        code = is_absent ? CLI_DONE : plan_new(walk, noun, what, thing);
    else if (!(code = client_problem(&reply)))
        code = plan_there(walk, noun, what, path, &reply, thing, is_absent);
    client_reply_done(&reply);
    return code;
}

/* ---- All ---------------------------------------------------------------------------------------
 */

static int compare_list(struct walk *walk, const struct noun *noun, struct json list,
                        const char *where)
{
    struct json thing;
    size_t at = 0, i = 0;
    char place[400], id[LIMIT_ID + 1];
    int code = CLI_DONE;
    if (list.type != JSON_ARRAY)
        return list.type == JSON_NONE ? CLI_DONE : wrong(where, "it must be a list");
    while (!code && json_next(list, &at, NULL, &thing)) {
        snprintf(place, sizeof place, "%s[%zu]", where, i++);
        code = compare_thing(walk, noun, thing, place, id);
    }
    return code;
}

static int compare_organization(struct walk *walk, struct json thing, const char *where)
{
    char place[200];
    size_t before = walk->plan->len;
    int code = compare_thing(walk, &organization, thing, where, walk->organization);
    walk->is_new = walk->plan->len > before && walk->plan->changes[before].act == DECLARE_MAKE;
    for (size_t i = 0; !code && i < NOUNS; i++) {
        snprintf(place, sizeof place, "%.150s.%s", where, nouns[i].list);
        code = compare_list(walk, &nouns[i], json_member(thing, nouns[i].list), place);
    }
    return code;
}

static int check_members(struct json declared)
{
    struct json key, value;
    size_t at = 0;
    while (json_next(declared, &at, &key, &value))
        if (!json_string_is(key, organization.list))
            return wrong("the file", "it declares organizations, and nothing else");
    return CLI_DONE;
}

/* Deletions behind everything, the last one declared first: children before what they are in. */
static void put_deletions_last(struct declare_plan *plan)
{
    size_t kept = 0, gone = 0;
    struct declare_change *sorted = malloc((plan->len + 1) * sizeof *sorted);
    if (!sorted)
        return; /* the API says what is in the way */
    for (size_t i = 0; i < plan->len; i++) {
        if (plan->changes[i].act == DECLARE_DELETE)
            sorted[plan->len - ++gone] = plan->changes[i];
        else
            sorted[kept++] = plan->changes[i];
    }
    free(plan->changes);
    plan->changes = sorted;
    plan->room = plan->len + 1;
}

int declare_compare(struct client *client, struct json declared, struct declare_plan *ret_plan)
{
    struct walk walk = {.client = client, .plan = ret_plan};
    struct json list = json_member(declared, organization.list), thing;
    size_t at = 0, i = 0;
    char where[64];
    *ret_plan = (struct declare_plan){0};
    int code = declared.type == JSON_OBJECT ? check_members(declared)
                                            : wrong("the file", "it must be a mapping");
    if (!code && list.type != JSON_ARRAY)
        code = wrong("organizations", "it must be a list");
    while (!code && json_next(list, &at, NULL, &thing)) {
        snprintf(where, sizeof where, "organizations[%zu]", i++);
        code = compare_organization(&walk, thing, where);
    }
    if (!code)
        put_deletions_last(ret_plan);
    return code;
}
