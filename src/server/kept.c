/* SPDX-License-Identifier: Apache-2.0
 * Documents are numbered as they were made, and walked in that order: of a list the last ones that
 * were met are the newest, so a window of the page's length goes over all of them.
 * Not done: an index from the newest on. An organization has hundreds of files, not millions. */
#include "server/kept.h"

#include "base/assert.h"
#include "directory/directory.h"
#include "directory/documents.h"
#include "store/records.h"

#include <stddef.h>
#include <stdlib.h>

enum { STEP = 256, FOUND_MAX = (LIMIT_BATCH_PAGE + 1) * (LIMIT_DOCUMENT + 1) };

struct row {
    char *data; /* NULL: free */
    size_t len;
};

struct walk {
    struct gateway_documents *wanted;
    struct row
        rows[LIMIT_BATCH_PAGE + 1]; /* a ring; one more than the page says that there are more */
    size_t seen;
    uint32_t after;
    bool stopped; /* at the one that the page ends before */
};

static struct gateway_documents *documents_of(struct work *work)
{
    return (struct gateway_documents *)(void *)((char *)work -
                                                offsetof(struct gateway_documents, work));
}

static int keep_one(void *user, const struct directory_entity *entity)
{
    struct gateway_documents *wanted = user;
    int rc = buffer_append(&wanted->found, entity->document);
    return rc ? rc : buffer_text(&wanted->found, "\n");
}

static bool has(struct slice document, struct slice bytes)
{
    return !bytes.len ||
           (document.len && memmem(document.data, document.len, bytes.data, bytes.len));
}

static int keep_row(void *user, const struct directory_entity *entity)
{
    struct walk *walk = user;
    const struct gateway_documents *wanted = walk->wanted;
    walk->after = entity->handle;
    if (wanted->before.len && slice_equal(wanted->before, entity->id)) {
        walk->stopped = true;
        return 1;
    }
    if (!entity->document.len || !has(entity->document, wanted->having))
        return 0;
    char *copy = malloc(entity->document.len);
    if (!copy)
        return METE_E_MEMORY;
    struct row *row = &walk->rows[walk->seen++ % (wanted->limit + 1)];
    free(row->data);
    *row = (struct row){copy, entity->document.len};
    memcpy(copy, entity->document.data, entity->document.len);
    return 0;
}

static int write_rows(struct walk *walk)
{
    struct gateway_documents *wanted = walk->wanted;
    size_t ring = wanted->limit + 1, len = walk->seen < wanted->limit ? walk->seen : wanted->limit;
    int rc = 0;
    for (size_t i = 0; i < len && !rc; i++) {
        const struct row *row = &walk->rows[(walk->seen - 1 - i) % ring];
        rc = buffer_append(&wanted->found, (struct slice){row->data, row->len});
        if (!rc)
            rc = buffer_text(&wanted->found, "\n");
    }
    wanted->more = walk->seen > wanted->limit;
    return rc;
}

static int find_many(struct records_reader *reader, struct gateway_documents *wanted)
{
    struct walk walk = {.wanted = wanted};
    int entity = document_entity((enum document_kind)wanted->kind), rc = 0;
    for (uint32_t before = UINT32_MAX; !rc && before != walk.after;) {
        before = walk.after;
        rc = directory_list(reader, entity, wanted->organization, before, STEP, keep_row, &walk);
    }
    if (rc == 1)
        rc = 0;
    if (!rc && wanted->before.len && !walk.stopped)
        rc = METE_E_NOT_FOUND;
    if (!rc)
        rc = write_rows(&walk);
    for (size_t i = 0; i <= wanted->limit; i++)
        free(walk.rows[i].data);
    return rc;
}

static void run(struct work *work)
{
    struct gateway_documents *wanted = documents_of(work);
    struct records_reader *reader;
    wanted->status = records_reader_open(os_system(), wanted->finder, &reader);
    if (wanted->status)
        return;
    if (wanted->id.len)
        wanted->status = directory_find(reader, document_entity((enum document_kind)wanted->kind),
                                        wanted->organization, wanted->id, keep_one, wanted);
    else
        wanted->status = find_many(reader, wanted);
    records_reader_close(reader);
}

static void done(struct work *work)
{
    struct gateway_documents *wanted = documents_of(work);
    wanted->done(wanted);
}

bool kept_find(struct workers *workers, const char *directory, struct gateway_documents *documents)
{
    ASSERT(documents->limit >= 1 && documents->limit <= LIMIT_BATCH_PAGE);
    buffer_init(&documents->found, FOUND_MAX);
    documents->finder = directory;
    documents->work = (struct work){.run = run, .done = done};
    return workers->submit(workers, &documents->work);
}
