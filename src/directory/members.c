/* SPDX-License-Identifier: Apache-2.0
 * Organizations by handle through open addressing, at most half full; each with a list of its
 * members. One that has none left keeps its place, which costs 24 bytes: no slot ever moves but to
 * grow. */
#include "directory/members.h"

#include "base/assert.h"
#include "codec/json_scan.h"

#include <sodium.h>
#include <stdlib.h>

struct place {
    struct mete_scope_id organization; /* n 0: free */
    uint32_t len;
    struct member *first;
};

struct members {
    struct place *places;
    size_t len, room; /* room: a power of two */
};

enum { PLACES_FIRST = 64 };

int members_new(struct members **ret_members)
{
    struct members *members = calloc(1, sizeof *members);
    if (members)
        members->places = calloc(PLACES_FIRST, sizeof *members->places);
    if (!members || !members->places) {
        free(members);
        return METE_E_MEMORY;
    }
    members->room = PLACES_FIRST;
    *ret_members = members;
    return 0;
}

static void free_all(struct place *place)
{
    while (place->first) {
        struct member *member = place->first;
        place->first = member->next;
        sodium_memzero(member, sizeof *member);
        free(member);
    }
    place->len = 0;
}

void members_free(struct members *members)
{
    if (!members)
        return;
    for (size_t i = 0; i < members->room; i++)
        free_all(&members->places[i]);
    free(members->places);
    free(members);
}

/* Its place, or the free one where it belongs. */
static struct place *find_place(const struct members *members, struct mete_scope_id organization)
{
    size_t at = organization.n * UINT64_C(0x9e3779b97f4a7c15) >> 32;
    for (;; at++) {
        struct place *place = &members->places[at & (members->room - 1)];
        if (!place->organization.n || place->organization.n == organization.n)
            return place;
    }
}

static int grow(struct members *members)
{
    struct members wider = {.room = members->room * 2, .len = members->len};
    wider.places = calloc(wider.room, sizeof *wider.places);
    if (!wider.places)
        return METE_E_MEMORY;
    for (size_t i = 0; i < members->room; i++)
        if (members->places[i].organization.n)
            *find_place(&wider, members->places[i].organization) = members->places[i];
    free(members->places);
    *members = wider;
    return 0;
}

static int copy_text(struct json object, const char *name, char *room, size_t room_len)
{
    struct json text = json_member(object, name);
    room[0] = 0;
    if (text.type == JSON_NONE || text.type == JSON_NULL)
        return 0;
    long len = json_string_copy(text, room, room_len - 1);
    if (len < 0 || memchr(room, 0, (size_t)len))
        return METE_E_SYNTAX;
    room[len] = 0;
    return 0;
}

static int read_document(struct slice document, struct member *member)
{
    struct json json;
    char role[16];
    if (json_scan(document, &json, NULL) || json.type != JSON_OBJECT)
        return METE_E_SYNTAX;
    int rc = copy_text(json, "role", role, sizeof role);
    if (!rc)
        rc = copy_text(json, "organization", member->organization_id,
                       sizeof member->organization_id);
    if (!rc)
        rc = copy_text(json, "user", member->user, sizeof member->user);
    if (!rc)
        rc = copy_text(json, "hash", member->password, sizeof member->password);
    member->role = role_find(slice_of(role));
    return rc || member->role == ROLE_NONE ? METE_E_SYNTAX : 0;
}

/* The link that leads to it, or to the end. */
static struct member **link_of(struct place *place, struct slice id)
{
    struct member **at = &place->first;
    while (*at && !slice_is(id, (*at)->id))
        at = &(*at)->next;
    return at;
}

static void drop(struct members *members, struct mete_scope_id organization, struct slice id)
{
    struct place *place = find_place(members, organization);
    struct member **at = link_of(place, id), *gone = *at;
    if (!gone)
        return;
    *at = gone->next;
    place->len--;
    sodium_memzero(gone, sizeof *gone);
    free(gone);
}

int members_put(struct members *members, struct mete_scope_id organization, struct slice id,
                struct slice document)
{
    ASSERT_INV("INV-12", organization.n > 0);
    struct member member = {.organization = organization};
    if (!document.len) {
        drop(members, organization, id);
        return 0;
    }
    if (!id.len || id.len > LIMIT_MEMBER)
        return METE_E_SYNTAX;
    memcpy(member.id, id.data, id.len);
    int rc = read_document(document, &member);
    if (!rc && members->len * 2 >= members->room)
        rc = grow(members);
    if (rc)
        return rc;
    struct place *place = find_place(members, organization);
    struct member **at = link_of(place, id), *known = *at ? *at : malloc(sizeof *known);
    if (!known)
        return METE_E_MEMORY;
    member.next = *at ? known->next : NULL;
    place->len += *at == NULL;
    members->len += place->organization.n == 0;
    place->organization = organization;
    *known = member;
    *at = known;
    return 0;
}

void members_forget(struct members *members, struct mete_scope_id organization)
{
    free_all(find_place(members, organization));
}

const struct member *members_find(const struct members *members, struct mete_scope_id organization,
                                  struct slice id)
{
    return organization.n ? *link_of(find_place(members, organization), id) : NULL;
}

size_t members_count(const struct members *members, struct mete_scope_id organization,
                     enum role role)
{
    size_t count = 0;
    for (const struct member *at = find_place(members, organization)->first; at; at = at->next)
        count += role == ROLE_NONE || at->role == role;
    return count;
}
