/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/people.h"

#include "directory/documents.h"

#include <stdlib.h>

enum { LOAD_PAGE = 1024 };

int people_new(const uint8_t secret[32], struct people **ret_people)
{
    struct people *people = calloc(1, sizeof *people);
    if (!people)
        return METE_E_MEMORY;
    int rc = members_new(&people->members);
    if (!rc)
        rc = service_tokens_new(secret, &people->tokens);
    if (!rc)
        rc = sessions_new(secret, &people->sessions);
    if (!rc)
        rc = tries_new(secret, &people->tries);
    if (rc)
        people_free(people);
    else
        *ret_people = people;
    return rc;
}

void people_free(struct people *people)
{
    if (!people)
        return;
    members_free(people->members);
    service_tokens_free(people->tokens);
    sessions_free(people->sessions);
    tries_free(people->tries);
    free(people);
}

struct load {
    struct people *people;
    uint32_t last;
    size_t count;
};

static int load_one(void *user, const struct records_entity *entity)
{
    struct load *load = user;
    load->last = entity->handle;
    load->count++;
    int rc =
        entity->kind == document_entity(DOCUMENT_MEMBER)
            ? members_put(load->people->members, entity->organization, entity->id, entity->document)
            : service_tokens_put(load->people->tokens, entity->organization, entity->id,
                                 entity->document);
    return rc == METE_E_SYNTAX ? METE_E_CORRUPT : rc;
}

/* In pages, so that no read holds the projector's database for long. */
static int load_kind(struct people *people, struct records_reader *reader, enum document_kind kind)
{
    struct load load = {.people = people};
    do {
        load.count = 0;
        int rc = records_each_entity(reader, document_entity(kind), (struct mete_scope_id){0},
                                     load.last, LOAD_PAGE, 0, load_one, &load);
        if (rc)
            return rc;
    } while (load.count == LOAD_PAGE);
    return 0;
}

int people_load(struct people *people, struct records_reader *reader)
{
    int rc = load_kind(people, reader, DOCUMENT_MEMBER);
    return rc ? rc : load_kind(people, reader, DOCUMENT_SERVICE_TOKEN);
}

void people_forget(struct people *people, struct mete_scope_id organization)
{
    members_forget(people->members, organization);
    service_tokens_forget(people->tokens, organization);
    sessions_end(people->sessions, organization, (struct slice){0}, (struct slice){0});
}
