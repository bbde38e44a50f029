/* SPDX-License-Identifier: Apache-2.0 */
#include "store/documents.h"

#include "base/assert.h"
#include "store/db.h"
#include "store/records_file.h"

int documents_init(struct documents *documents, sqlite3 *db)
{
    const struct {
        const char *sql;
        sqlite3_stmt **statement;
    } all[] = {
        {"UPDATE entity SET document=?4, seq=?5, at_us=?6, actor=?7"
         " WHERE kind=?1 AND organization=?2 AND id=?3 AND ended=0",
         &documents->update},
        {"INSERT INTO meta VALUES ('documents', 1)"
         " ON CONFLICT (name) DO UPDATE SET value = value + 1",
         &documents->number},
        {"INSERT INTO entity (" RECORDS_ENTITY_COLUMNS ") SELECT ?1, value, ?2, 0, ?3, ?4, 0, ?5,"
         " ?6, ?7 FROM meta WHERE name='documents'",
         &documents->insert},
        {"DELETE FROM entity WHERE kind=?1 AND organization=?2 AND id=?3 AND ended=0",
         &documents->end},
        {"DELETE FROM entity WHERE kind BETWEEN ?1 AND ?2 AND organization=?3",
         &documents->end_all},
    };
    int error = 0;
    for (size_t i = 0; !error && i < sizeof all / sizeof all[0]; i++)
        error = db_prepare(db, all[i].sql, all[i].statement);
    return error;
}

void documents_done(struct documents *documents)
{
    sqlite3_finalize(documents->update);
    sqlite3_finalize(documents->number);
    sqlite3_finalize(documents->insert);
    sqlite3_finalize(documents->end);
    sqlite3_finalize(documents->end_all);
    *documents = (struct documents){0};
}

static void bind_place(sqlite3_stmt *to, const struct records_entity *entity)
{
    sqlite3_bind_int(to, 1, entity->kind);
    sqlite3_bind_int64(to, 2, entity->organization.n);
    db_bind_text(to, 3, entity->id);
}

static void bind_all(sqlite3_stmt *to, const struct records_entity *entity)
{
    bind_place(to, entity);
    db_bind_text(to, 4, entity->document);
    sqlite3_bind_int64(to, 5, (int64_t)entity->seq);
    sqlite3_bind_int64(to, 6, entity->at_us);
    db_bind_text(to, 7, entity->actor);
}

int documents_put(struct documents *documents, const struct records_entity *entity)
{
    ASSERT(entity->kind > RECORDS_DOCUMENT &&
           entity->kind <= RECORDS_DOCUMENT + METE_DOCUMENT_KINDS);
    if (entity->ended) {
        bind_place(documents->end, entity);
        return db_run(documents->end);
    }
    bind_all(documents->update, entity);
    int error = db_run(documents->update);
    if (error || sqlite3_changes(sqlite3_db_handle(documents->update)) > 0)
        return error;
    error = db_run(documents->number);
    if (error)
        return error;
    bind_all(documents->insert, entity);
    return db_run(documents->insert);
}

int documents_end_of(struct documents *documents, struct mete_scope_id organization)
{
    sqlite3_bind_int(documents->end_all, 1, RECORDS_DOCUMENT + 1);
    sqlite3_bind_int(documents->end_all, 2, RECORDS_DOCUMENT + METE_DOCUMENT_KINDS);
    sqlite3_bind_int64(documents->end_all, 3, organization.n);
    return db_run(documents->end_all);
}
