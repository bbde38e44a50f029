/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/verify_documents.h"

#include "base/assert.h"

#include <stdlib.h>
#include <xxhash.h>

static uint64_t hash_slice(struct slice slice, uint64_t seed)
{
    return XXH3_64bits_withSeed(slice.data, slice.len, seed);
}

static uint64_t place_of(const struct records_entity *entity)
{
    uint64_t seed = (uint64_t)entity->kind << 32 | entity->organization.n;
    uint64_t hash = hash_slice(entity->id, seed);
    return hash ? hash : 1;
}

static uint64_t said_of(const struct records_entity *entity)
{
    const uint64_t numbers[] = {entity->seq, (uint64_t)entity->at_us};
    uint64_t hash = XXH3_64bits_withSeed(numbers, sizeof numbers, 3);
    return hash_slice(entity->document, hash_slice(entity->actor, hash));
}

/* Its row, or the free one where it would be. There is a free one. */
static struct verify_document *row_of(const struct verify_documents *documents, uint64_t place)
{
    size_t at = place & (documents->room - 1);
    while (documents->rows[at].place && documents->rows[at].place != place)
        at = (at + 1) & (documents->room - 1);
    return &documents->rows[at];
}

static int make_room(struct verify_documents *documents)
{
    if (documents->len * 2 < documents->room)
        return 0;
    struct verify_documents grown = {.len = documents->len,
                                     .room = documents->room ? documents->room * 2 : 256};
    grown.rows = calloc(grown.room, sizeof *grown.rows);
    if (!grown.rows)
        return METE_E_MEMORY;
    for (size_t i = 0; i < documents->room; i++)
        if (documents->rows[i].place)
            *row_of(&grown, documents->rows[i].place) = documents->rows[i];
    free(documents->rows);
    *documents = grown;
    return 0;
}

int verify_documents_expect(struct verify_documents *documents, const struct records_entity *entity)
{
    int error = make_room(documents);
    if (error)
        return error;
    uint64_t place = place_of(entity);
    struct verify_document *row = row_of(documents, place);
    documents->len += !row->place;
    *row = (struct verify_document){.place = place,
                                    .said = said_of(entity),
                                    .organization = entity->organization.n,
                                    .ended = entity->ended != 0};
    return 0;
}

void verify_documents_end_of(struct verify_documents *documents, uint32_t organization)
{
    for (size_t i = 0; i < documents->room; i++)
        if (documents->rows[i].organization == organization)
            documents->rows[i].ended = 1;
}

bool verify_documents_is(struct verify_documents *documents, const struct records_entity *got,
                         bool *ret_known)
{
    *ret_known = false;
    if (!documents->room)
        return false;
    struct verify_document *row = row_of(documents, place_of(got));
    *ret_known = row->place != 0;
    row->is_there = *ret_known;
    return *ret_known && !row->ended && row->said == said_of(got);
}

size_t verify_documents_missing(const struct verify_documents *documents)
{
    size_t missing = 0;
    for (size_t i = 0; i < documents->room; i++)
        missing +=
            documents->rows[i].place && !documents->rows[i].ended && !documents->rows[i].is_there;
    return missing;
}

void verify_documents_done(struct verify_documents *documents)
{
    free(documents->rows);
    *documents = (struct verify_documents){0};
}
