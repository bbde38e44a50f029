/* SPDX-License-Identifier: Apache-2.0
 * Arbitrary bytes as a saved ledger: refused as CORRUPT, FORMAT or FULL, or loaded; never a crash.
 * What loads and is sound is saved again and loads again with the same hash. Input: pieces, each
 * behind two bytes of length. */
#include "ledger/ledger.h"
#include "unit/reload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *at, *end;
};

static int get(void *user, struct slice *ret_piece)
{
    struct input *input = user;
    *ret_piece = (struct slice){"", 0};
    if (input->end - input->at < 2)
        return 0;
    size_t len = (size_t)(input->at[0] | input->at[1] << 8),
           left = (size_t)(input->end - input->at);
    len = len > left - 2 ? left - 2 : len;
    *ret_piece = (struct slice){(const char *)input->at + 2, len};
    input->at += 2 + len;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ledger *ledger;
    const struct ledger_room room = {16, 32, 8, 8};
    int rc = ledger_open(&room, &ledger);
    ASSERT(rc == 0);
    struct input input = {data, data + size};
    rc = ledger_load(ledger, get, &input);
    ASSERT(rc == 0 || rc == METE_E_CORRUPT || rc == METE_E_FORMAT || rc == METE_E_FULL);
    char what[256];
    if (rc == 0 && ledger_sound(ledger, what))
        ledger = reload(ledger);
    ledger_close(ledger);
    return 0;
}
