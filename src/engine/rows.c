/* SPDX-License-Identifier: Apache-2.0
 * A row: struct row | events | records_usage, meters | records_entity | texts of both | struct
 * audited, its entry packed, each part only if there is one, all padded to 8 bytes. A row lies in
 * one piece: where it does not fit before the end of the ring, a filler row takes up the rest.
 * Structs are copied as they stand, because both ends are this program; their slices' pointers are
 * set anew on the way out.
 *
 * When the projector has caught up, the owner starts again at the front, so that an installation
 * whose projector keeps up touches a few pages and not sixteen megabytes.
 *
 * Considered and not done: packing; it costs more than the copy, and the ring is small enough. */
#include "engine/rows.h"

#include "base/assert.h"
#include "base/limits.h"

#include <stddef.h>
#include <sys/mman.h>

enum { ROOM = LIMIT_RECORD_BYTES, FRONT = 4 * LIMIT_GROUP };

struct row {
    uint32_t len; /* with this header */
    uint8_t is_filler, has_usage, has_entity, has_audit;
    uint64_t seq;
    uint32_t events_len, spare2;
};

struct audited {
    uint32_t organization, parent, id_len, entry_len;
};

/* What is copied of a usage record: all but the outcome's details, which are packed beside. */
enum { USAGE_BYTES = offsetof(struct records_usage, outcome.details) };
_Static_assert(offsetof(struct records_usage, outcome) + sizeof(struct mete_outcome) ==
                       sizeof(struct records_usage) &&
                   offsetof(struct mete_outcome, details) + sizeof(struct mete_details) ==
                       sizeof(struct mete_outcome),
               "they come last");

/* A projection without its texts and events is at most so large. */
enum {
    PARTS = sizeof(struct row) + USAGE_BYTES + RECORDS_METERS_MAX * sizeof(struct mete_usage) +
            sizeof(struct records_entity) + sizeof(struct audited) + 8
};

int rows_init(struct rows *rows)
{
    _Static_assert(ROOM % 8 == 0, "rows are aligned");
    void *at = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                    -1, 0);
    if (at == MAP_FAILED)
        return METE_E_MEMORY;
    rows->bytes = at;
    rows->tail = rows->put = rows->reading = rows->read = 0;
    atomic_init(&rows->durable, 0);
    atomic_init(&rows->head, 0);
    atomic_init(&rows->taken, 0);
    return 0;
}

void rows_release_memory(struct rows *rows)
{
    if (rows->bytes)
        munmap(rows->bytes, ROOM);
    rows->bytes = NULL;
}

uint64_t rows_waiting(struct rows *rows)
{
    uint64_t taken = atomic_load_explicit(&rows->taken, memory_order_acquire);
    uint64_t put = rows->put;
    return put > taken ? put - taken : 0;
}

bool rows_have_room(struct rows *rows, const struct rows_need *need)
{
    uint64_t used = rows->tail - atomic_load_explicit(&rows->head, memory_order_acquire);
    uint64_t waiting = rows->put - atomic_load_explicit(&rows->taken, memory_order_acquire);
    size_t events = need->events < LEDGER_EVENTS_MAX ? need->events : LEDGER_EVENTS_MAX;
    uint64_t largest = PARTS + LIMIT_DOCUMENT + LIMIT_NOTE + events * sizeof(struct mete_event);
    uint64_t wanted = need->rows * PARTS + need->texts + need->events * sizeof(struct mete_event);
    wanted += largest; /* a filler takes up less than the row that did not fit */
    ASSERT(used <= ROOM);
    ASSERT(wanted <= FRONT);
    return waiting + need->rows <= LIMIT_RECORD_BACKLOG && wanted <= ROOM - used;
}

static size_t padded(size_t len)
{
    return (len + 7) & ~(size_t)7;
}

static size_t texts_len(const struct projection *p)
{
    size_t len = 0;
    if (p->has_usage)
        len += p->usage.request_id.len + p->usage.model.len + p->usage.provider.len +
               p->usage.session.len + p->usage.tags.len + p->usage.details.len +
               p->usage.outcome.price_list.len + p->usage.outcome.note.len;
    if (p->has_entity)
        len += p->entity.id.len + p->entity.document.len + p->entity.actor.len;
    return len;
}

static size_t row_len(const struct projection *p)
{
    size_t len = sizeof(struct row) + p->events_len * sizeof(struct mete_event) + texts_len(p);
    if (p->has_usage)
        len += USAGE_BYTES + p->usage.usage_len * sizeof(struct mete_usage);
    if (p->has_entity)
        len += sizeof p->entity;
    if (p->audit.entry)
        len += sizeof(struct audited) + p->audit.id.len + entry_size_max(p->audit.entry);
    return padded(len);
}

static void fill(struct rows *rows, size_t len)
{
    ASSERT(len % 8 == 0 && len <= ROOM);
    if (len >= sizeof(struct row)) {
        struct row filler = {.len = (uint32_t)len, .is_filler = 1};
        memcpy(rows->bytes + rows->tail % ROOM, &filler, sizeof filler);
    }
    rows->tail += len; /* less than a header at the end: the reader skips it unread */
}

static void append(uint8_t **at, const void *bytes, size_t len)
{
    if (len)
        memcpy(*at, bytes, len);
    *at += len;
}

static void put_usage(uint8_t **at, const struct projection *p)
{
    const struct records_usage *usage = &p->usage;
    append(at, usage, USAGE_BYTES);
    append(at, usage->usage, usage->usage_len * sizeof *usage->usage);
}

static void put_texts(uint8_t **at, const struct projection *p)
{
    if (p->has_usage) {
        append(at, p->usage.request_id.data, p->usage.request_id.len);
        append(at, p->usage.model.data, p->usage.model.len);
        append(at, p->usage.provider.data, p->usage.provider.len);
        append(at, p->usage.session.data, p->usage.session.len);
        append(at, p->usage.tags.data, p->usage.tags.len);
        append(at, p->usage.details.data, p->usage.details.len);
        append(at, p->usage.outcome.price_list.data, p->usage.outcome.price_list.len);
        append(at, p->usage.outcome.note.data, p->usage.outcome.note.len);
    }
    if (p->has_entity) {
        append(at, p->entity.id.data, p->entity.id.len);
        append(at, p->entity.document.data, p->entity.document.len);
        append(at, p->entity.actor.data, p->entity.actor.len);
    }
}

static void put_audited(uint8_t *at, const uint8_t *end, const struct project_audit *audit)
{
    struct audited head = {audit->organization.n, audit->parent.n, (uint32_t)audit->id.len, 0};
    uint8_t *to = at + sizeof head;
    append(&to, audit->id.data, audit->id.len);
    struct writer w = {to, to + (end - to)};
    entry_write(&w, audit->entry, 0);
    head.entry_len = (uint32_t)(w.at - to);
    memcpy(at, &head, sizeof head);
}

void rows_put(struct rows *rows, const struct projection *p, uint64_t seq)
{
    if (!p->has_usage && !p->has_entity && !p->audit.entry && !p->events_len)
        return;
    size_t len = row_len(p), before_end = ROOM - rows->tail % ROOM;
    bool is_empty = rows->tail == atomic_load_explicit(&rows->head, memory_order_acquire);
    if (before_end < len || (is_empty && ROOM - before_end > FRONT))
        fill(rows, before_end);
    ASSERT(rows->tail + len - atomic_load_explicit(&rows->head, memory_order_relaxed) <= ROOM);
    const struct row row = {.len = (uint32_t)len,
                            .has_usage = p->has_usage,
                            .has_entity = p->has_entity,
                            .has_audit = p->audit.entry != NULL,
                            .seq = seq,
                            .events_len = (uint32_t)p->events_len};
    uint8_t *at = rows->bytes + rows->tail % ROOM;
    append(&at, &row, sizeof row);
    append(&at, p->events, p->events_len * sizeof *p->events);
    if (p->has_usage)
        put_usage(&at, p);
    if (p->has_entity)
        append(&at, &p->entity, sizeof p->entity);
    put_texts(&at, p);
    if (p->audit.entry)
        put_audited(at, rows->bytes + rows->tail % ROOM + len, &p->audit);
    rows->tail += len;
    rows->put++;
}

/* ---- Taking ---------------------------------------------------------------------------------- */

static void extract(const uint8_t **at, void *to, size_t len)
{
    memcpy(to, *at, len);
    *at += len;
}

static const char *extract_text(const uint8_t **at, size_t len)
{
    const char *text = (const char *)*at;
    *at += len;
    return text;
}

static void take_texts(const uint8_t **at, struct projection *p)
{
    if (p->has_usage) {
        p->usage.request_id.data = extract_text(at, p->usage.request_id.len);
        p->usage.model.data = extract_text(at, p->usage.model.len);
        p->usage.provider.data = extract_text(at, p->usage.provider.len);
        p->usage.session.data = extract_text(at, p->usage.session.len);
        p->usage.tags.data = extract_text(at, p->usage.tags.len);
        p->usage.details.data = extract_text(at, p->usage.details.len);
        p->usage.outcome.price_list.data = extract_text(at, p->usage.outcome.price_list.len);
        p->usage.outcome.note.data = extract_text(at, p->usage.outcome.note.len);
    }
    if (p->has_entity) {
        p->entity.id.data = extract_text(at, p->entity.id.len);
        p->entity.document.data = extract_text(at, p->entity.document.len);
        p->entity.actor.data = extract_text(at, p->entity.actor.len);
    }
}

/* The entry was whole when it was put: what cannot be read of it is a bug. */
static void take_audited(const uint8_t *at, uint64_t seq, struct projection *p)
{
    struct audited head;
    extract(&at, &head, sizeof head);
    p->audit = (struct project_audit){.entry = &p->audited,
                                      .organization = {head.organization},
                                      .parent = {head.parent},
                                      .id = {extract_text(&at, head.id_len), head.id_len}};
    struct reader r = {at, at + head.entry_len, false};
    int error = entry_read(&r, 0, &p->audited);
    ASSERT(!error && r.at == r.end);
    p->audited.seq = seq;
}

bool rows_take(struct rows *rows, struct projection *p, uint64_t *ret_seq)
{
    uint64_t durable = atomic_load_explicit(&rows->durable, memory_order_acquire);
    struct row row = {.is_filler = 1};
    const uint8_t *at = NULL;
    while (rows->reading < durable && row.is_filler) {
        size_t offset = rows->reading % ROOM;
        row.len = (uint32_t)(ROOM - offset);
        at = rows->bytes + offset;
        if (row.len >= sizeof row)
            memcpy(&row, at, sizeof row);
        rows->reading += row.len;
        ASSERT(row.len > 0 && row.len % 8 == 0);
    }
    if (row.is_filler)
        return false;
    ASSERT_INV("INV-05", rows->reading <= durable);
    at += sizeof row;
    p->has_usage = row.has_usage;
    p->has_entity = row.has_entity;
    p->events = (const struct mete_event *)(const void *)at; /* rows are aligned to 8 */
    p->events_len = row.events_len;
    at += row.events_len * sizeof(struct mete_event);
    if (row.has_usage) {
        extract(&at, &p->usage, USAGE_BYTES);
        p->usage.outcome.details = (struct mete_details){0};
        extract(&at, p->meters, p->usage.usage_len * sizeof *p->meters);
        p->usage.usage = p->meters;
    }
    if (row.has_entity)
        extract(&at, &p->entity, sizeof p->entity);
    take_texts(&at, p);
    p->audit.entry = NULL;
    if (row.has_audit)
        take_audited(at, row.seq, p);
    rows->read++;
    *ret_seq = row.seq;
    return true;
}

void rows_done(struct rows *rows)
{
    ASSERT(rows->reading >= atomic_load_explicit(&rows->head, memory_order_relaxed));
    atomic_store_explicit(&rows->taken, rows->read, memory_order_release);
    atomic_store_explicit(&rows->head, rows->reading, memory_order_release);
}
