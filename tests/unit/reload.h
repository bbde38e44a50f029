/* SPDX-License-Identifier: Apache-2.0
 * A ledger saved and loaded again: what stands for it afterwards must be the same in everything. */
#ifndef TESTS_RELOAD_H
#define TESTS_RELOAD_H

#include "base/assert.h"
#include "ledger/ledger.h"

#include <stdlib.h>

/* Pieces, each behind its length. */
struct saved {
    char *bytes;
    size_t len, at;
};

static inline int saved_put(void *user, struct slice piece)
{
    struct saved *saved = user;
    ASSERT(piece.len > 0 && piece.len <= LEDGER_PIECE);
    saved->bytes = realloc(saved->bytes, saved->len + sizeof piece.len + piece.len);
    ASSERT(saved->bytes);
    memcpy(saved->bytes + saved->len, &piece.len, sizeof piece.len);
    memcpy(saved->bytes + saved->len + sizeof piece.len, piece.data, piece.len);
    saved->len += sizeof piece.len + piece.len;
    return 0;
}

static inline int saved_get(void *user, struct slice *ret_piece)
{
    struct saved *saved = user;
    *ret_piece = (struct slice){"", 0};
    if (saved->at == saved->len)
        return 0;
    memcpy(&ret_piece->len, saved->bytes + saved->at, sizeof ret_piece->len);
    ret_piece->data = saved->bytes + saved->at + sizeof ret_piece->len;
    saved->at += sizeof ret_piece->len + ret_piece->len;
    return 0;
}

/* Closes the one it is given. */
static inline struct ledger *reload(struct ledger *ledger)
{
    struct saved saved = {0};
    uint8_t before[32], after[32];
    struct ledger *loaded;
    int error = ledger_save(ledger, saved_put, &saved);
    ASSERT(error == 0);
    struct ledger_room room;
    ledger_room(ledger, &room);
    error = ledger_open(&room, &loaded);
    ASSERT(error == 0);
    error = ledger_load(loaded, saved_get, &saved);
    ASSERT(error == 0);
    ledger_hash(ledger, before);
    ledger_hash(loaded, after);
    ASSERT_INV("INV-06", memcmp(before, after, sizeof before) == 0);
    free(saved.bytes);
    ledger_check(loaded);
    ledger_close(ledger);
    return loaded;
}

#endif
