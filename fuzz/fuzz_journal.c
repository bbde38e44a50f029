/* SPDX-License-Identifier: Apache-2.0
 * Recovery from arbitrary bytes: it succeeds, or says CORRUPT, FORMAT or STORAGE; it never crashes,
 * never hangs. The first byte says which door the rest goes through:
 *
 *   even  | count | bytes: taken for the entries of a group (past checksum and chain), replayed
 * into an empty ledger, whose invariants must hold whatever was accepted odd   | (offset 3, xor
 * 1)...: changes of a small journal.db and its write-ahead file as a kill leaves them, opened by
 * the engine */
#include "base/assert.h"
#include "engine/replay.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- A group's entries ---- */

static void replay_bytes(const uint8_t *data, size_t size)
{
    static const struct ledger_room room = {256, 256, 256, 256};
    static struct ledger_effects effects;
    static struct projection projection;
    if (size < 1)
        return;
    struct ledger *ledger;
    struct lineage lineage = {0};
    if (ledger_open(&room, &ledger) || lineage_init(&lineage, room.scopes))
        abort();
    struct replay replay = {.ledger = ledger,
                            .lineage = &lineage,
                            .effects = &effects,
                            .projection = &projection,
                            .project_from = 1};
    struct journal_group group = {1, 1u + data[0], {(const char *)data + 1, size - 1}};
    int error = replay_group(&replay, &group);
    ASSERT(error == 0 || error == METE_E_CORRUPT || error == METE_E_FORMAT);
    if (!error)
        ledger_check(ledger);
    lineage_done(&lineage);
    ledger_close(ledger);
}

/* ---- A journal's files ---- */

enum { ROOM = 1 << 20 };
static struct file {
    const char *name;
    uint8_t bytes[ROOM];
    size_t len;
} files[2] = {{.name = "journal.db"}, {.name = "journal.db-wal"}};
static char directory[64];

static void path_of(const char *name, char ret_path[128])
{
    snprintf(ret_path, 128, "%s/%s", directory, name);
}

static void clean(void)
{
    static const char *const names[] = {"journal.db", "journal.db-wal", "journal.db-shm"};
    char path[128];
    for (int i = 0; i < 3; i++) {
        path_of(names[i], path);
        unlink(path);
    }
}

static void clean_up(void)
{
    clean();
    rmdir(directory);
}

static int put_scope(struct mete_port *port, unsigned i)
{
    char id[16];
    int len = snprintf(id, sizeof id, "o%u", i);
    struct mete_change change = {.kind = METE_PUT_SCOPE,
                                 .scope = {.kind = METE_ORGANIZATION, .id = {id, (size_t)len}}};
    struct mete_apply apply = {.changes = &change, .len = 1};
    struct mete_applied applied;
    uint32_t handle;
    return mete_apply(port, &apply, &handle, &applied);
}

/* Some groups in the database, some in the write-ahead file; read while the engine is open. */
static void make_files(void)
{
    snprintf(directory, sizeof directory, "/tmp/mete-fuzz-XXXXXX");
    if (!mkdtemp(directory))
        abort();
    atexit(clean_up);
    struct mete_options options = {.directory = directory, .no_records = 1};
    struct mete *mete;
    struct mete_port *port;
    if (mete_open(&options, &mete) || mete_port_open(mete, &port))
        abort();
    for (unsigned i = 0; i < 80; i++)
        if (put_scope(port, i))
            abort();
    for (int i = 0; i < 2; i++) {
        char path[128];
        path_of(files[i].name, path);
        FILE *from = fopen(path, "rb");
        if (!from)
            abort();
        files[i].len = fread(files[i].bytes, 1, ROOM, from);
        fclose(from);
    }
    mete_port_close(port);
    mete_close(mete);
    clean();
}

static void write_changed(const uint8_t *changes, size_t size)
{
    static uint8_t bytes[2 * ROOM];
    size_t total = files[0].len + files[1].len;
    memcpy(bytes, files[0].bytes, files[0].len);
    memcpy(bytes + files[0].len, files[1].bytes, files[1].len);
    for (size_t i = 0; i + 4 <= size; i += 4) {
        size_t at = (size_t)changes[i] << 16 | (size_t)changes[i + 1] << 8 | changes[i + 2];
        bytes[at % total] ^= changes[i + 3];
    }
    const uint8_t *from = bytes;
    for (int i = 0; i < 2; i++) {
        char path[128];
        path_of(files[i].name, path);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (fd < 0 || write(fd, from, files[i].len) != (ssize_t)files[i].len)
            abort();
        close(fd);
        from += files[i].len;
    }
}

static void open_changed(const uint8_t *changes, size_t size)
{
    if (!files[0].len)
        make_files();
    write_changed(changes, size);
    struct mete_options options = {
        .directory = directory, .owner = METE_OWNER_CALLER, .no_records = 1};
    struct mete *mete;
    int error = mete_open(&options, &mete);
    ASSERT(error == 0 || error == METE_E_CORRUPT || error == METE_E_FORMAT ||
           error == METE_E_STORAGE);
    if (!error)
        mete_close(mete);
    clean();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 65536)
        return 0;
    if (data[0] % 2)
        open_changed(data + 1, size - 1);
    else
        replay_bytes(data + 1, size - 1);
    return 0;
}
