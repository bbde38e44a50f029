/* SPDX-License-Identifier: Apache-2.0
 * The directory's questions over the records. Everything passes through entity_of(), which stops
 * the process rather than show one organization what is another's (INV-12): the records filter,
 * this checks. */
#include "base/assert.h"
#include "directory/directory.h"
#include "directory/documents.h"

enum { LOAD_PAGE = 1024 };

struct walk {
    int kind;
    struct mete_scope_id organization;
    int (*fn)(void *user, const struct directory_entity *entity);
    void *user;
};

/* What is of no organization: organizations, and the installation's documents. */
static bool is_of_none(int kind)
{
    return kind == METE_ORGANIZATION || document_is_installations(kind);
}

static struct directory_entity shown_of(int kind, const struct records_entity *entity)
{
    return (struct directory_entity){.kind = kind,
                                     .handle = entity->handle,
                                     .organization = entity->organization,
                                     .parent = entity->parent,
                                     .id = entity->id,
                                     .document = entity->document,
                                     .changed_at_us = entity->at_us,
                                     .version = entity->seq};
}

static int entity_of(void *user, const struct records_entity *entity)
{
    const struct walk *walk = user;
    ASSERT(entity->kind == walk->kind);
    ASSERT_INV("INV-12",
               walk->kind == METE_ORGANIZATION || entity->organization.n == walk->organization.n);
    struct directory_entity shown = shown_of(walk->kind, entity);
    return walk->fn(walk->user, &shown);
}

int directory_list(struct records_reader *reader, int kind, struct mete_scope_id organization,
                   uint32_t after_handle, size_t limit,
                   int (*fn)(void *user, const struct directory_entity *), void *user)
{
    ASSERT_INV("INV-12", (organization.n == 0) == is_of_none(kind));
    struct walk walk = {kind, organization, fn, user};
    return records_each_entity(reader, kind, organization, after_handle, limit, 0, entity_of,
                               &walk);
}

static int any_entity(void *user, const struct records_entity *entity)
{
    const struct walk *walk = user;
    struct directory_entity shown = shown_of(walk->kind, entity);
    ASSERT(entity->kind == walk->kind && entity->organization.n);
    return walk->fn(walk->user, &shown);
}

int directory_each(struct records_reader *reader, int kind, uint32_t after_handle, size_t limit,
                   int (*fn)(void *user, const struct directory_entity *), void *user)
{
    ASSERT(kind > RECORDS_DOCUMENT && !is_of_none(kind));
    struct walk walk = {kind, {0}, fn, user};
    return records_each_entity(reader, kind, walk.organization, after_handle, limit, 0, any_entity,
                               &walk);
}

int directory_find(struct records_reader *reader, int kind, struct mete_scope_id organization,
                   struct slice id, int (*fn)(void *user, const struct directory_entity *),
                   void *user)
{
    ASSERT_INV("INV-12", (organization.n == 0) == is_of_none(kind));
    struct walk walk = {kind, organization, fn, user};
    return records_find_entity(reader, kind, organization, id, entity_of, &walk);
}

/* ---- Places ---------------------------------------------------------------------------------- */

struct above {
    struct mete_scope_id wanted, organization;
    bool found;
    struct mete_scope_id parent;
    struct directory_place place;
};

static int keep_above(void *user, const struct records_entity *entity)
{
    struct above *above = user;
    above->found = entity->handle == above->wanted.n;
    if (!above->found)
        return 0;
    ASSERT_INV("INV-12", entity->organization.n == above->organization.n);
    ASSERT(entity->id.len <= sizeof above->place.department);
    above->parent = entity->parent;
    above->place.len = entity->id.len;
    memcpy(above->place.department, entity->id.data, entity->id.len);
    return 0;
}

/* The first entity of the kind after handle - 1 is the one with the handle, or there is none. */
static int look_up(struct records_reader *reader, enum mete_kind kind, struct above *above)
{
    struct mete_scope_id any = {0};
    above->found = false;
    return records_each_entity(reader, (int)kind, any, above->wanted.n - 1, 1, 1, keep_above,
                               above);
}

int directory_place(struct records_reader *reader, struct mete_scope_id organization,
                    struct mete_scope_id parent, struct directory_place *ret_place)
{
    ASSERT_INV("INV-12", organization.n > 0);
    struct above above = {.wanted = parent, .organization = organization};
    *ret_place = (struct directory_place){0};
    if (parent.n == organization.n)
        return 0;
    int error = look_up(reader, METE_USER, &above);
    if (!error && above.found && above.parent.n == organization.n)
        return 0;
    if (!error && above.found)
        above.wanted = above.parent;
    if (!error)
        error = look_up(reader, METE_DEPARTMENT, &above);
    if (!error && !above.found)
        error = METE_E_CORRUPT;
    if (!error)
        *ret_place = above.place;
    return error;
}

int directory_owners(struct records_reader *reader, int kind, struct mete_scope_id organization,
                     uint32_t after_handle, size_t limit,
                     int (*fn)(void *user, struct mete_scope_id), void *user)
{
    ASSERT_INV("INV-12", organization.n);
    return records_each_owner(reader, kind, organization, after_handle, limit, fn, user);
}

int directory_events(struct records_reader *reader, const struct records_event_filter *filter,
                     int (*fn)(void *user, const struct mete_event *, uint32_t n), void *user)
{
    ASSERT_INV("INV-12", filter->organization.n);
    return records_each_budget_event(reader, filter, fn, user);
}

int directory_all_events(struct records_reader *reader, const struct records_event_filter *filter,
                         int (*fn)(void *user, const struct mete_event *, uint32_t n), void *user)
{
    ASSERT(!filter->organization.n);
    return records_each_budget_event(reader, filter, fn, user);
}

struct load {
    struct directory *directory;
    uint32_t last;
    size_t count;
};

static int load_one(void *user, const struct records_entity *entity)
{
    struct load *load = user;
    load->last = entity->handle;
    load->count++;
    int rc = directory_put(load->directory, entity);
    return rc == METE_E_SYNTAX ? METE_E_CORRUPT : rc;
}

/* In pages, so that no read holds the projector's database for long. */
int directory_load(struct directory *directory, struct records_reader *reader)
{
    struct load load = {.directory = directory};
    do {
        load.count = 0;
        int rc = records_each_entity(reader, METE_API_KEY, (struct mete_scope_id){0}, load.last,
                                     LOAD_PAGE, 1, load_one, &load);
        if (rc)
            return rc;
    } while (load.count == LOAD_PAGE);
    return 0;
}
