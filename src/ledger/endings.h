/* SPDX-License-Identifier: Apache-2.0
 * The ends of reservations, for the files of this folder that decide and apply them. */
#ifndef LEDGER_ENDINGS_H
#define LEDGER_ENDINGS_H

#include "ledger/charges.h"

/* What an end means to one unit that its call speaks of. */
struct account {
    uint32_t unit;
    bool asked; /* it was reserved, though maybe with 0 */
    int64_t reserved, used;
};
/* The end of one reservation, with what was used. */
struct ending {
    struct reservation *slot;
    struct held held[METE_DEMANDS_MAX], used[METE_DEMANDS_MAX];
    size_t held_len, used_len;
    struct account accounts[2 * METE_DEMANDS_MAX]; /* of both */
    size_t accounts_len;
    bool exceeds;   /* more was used of some unit than was reserved */
    uint32_t money; /* of both: exchanges.h */
    struct words takes;
    enum mete_state state;
    bool overrun;
    bool closes;       /* provisionally: it may still be corrected */
    struct kept *kept; /* what is then kept of it; NULL: nothing */
};
/* Fills in the rest of ending from its slot and used[], overrun by the reservation's own units. */
void endings_read(const struct ledger *ledger, struct ending *ending);
/* Whether it overruns a budget or quota as well. false: a counter cannot hold it. Reads only. */
bool endings_weigh(struct ledger *ledger, int64_t now_us, struct ending *ending);
/* Charges of usage without a reservation, one per budget concerned. false: as above. */
bool endings_weigh_record(struct ledger *ledger, int64_t now_us, const struct path *path,
                          const struct held *used, size_t used_len, bool *ret_overrun);
int64_t endings_cost(const struct held *used, size_t len); /* the first currency's */
size_t endings_to_held(const struct entry_amount *amounts, uint32_t len, struct held *ret_held);
bool endings_apply(struct ledger *ledger, const struct entry *entry,
                   struct ledger_effects *effects);
bool endings_apply_record(struct ledger *ledger, const struct entry *entry,
                          struct ledger_effects *effects);

/* What the reservation says of the call. */
void endings_describe_call(const struct reservation_texts *texts, struct ledger_ended *ended);

/* ---- correct.c: true figures for what ended provisionally ---- */
/* The words of a reservation behind its amounts, as they will be once it is closed. */
struct kept {
    unsigned takes, len;
    uint32_t words[WORDS_MAX];
};
/* A take that a correction will reach. Whoever has more words to it writes them after. */
void correct_keep_take(struct kept *kept, enum take_kind kind, uint32_t handle);
static inline void correct_keep_word(struct kept *kept, uint32_t word)
{
    ASSERT(kept->len < WORDS_MAX);
    kept->words[kept->len++] = word;
}
/* An open one that has been charged is kept for its correction, in the place of the oldest. */
void correct_close(struct ledger *ledger, const struct entry *entry, const struct ending *ending);
/* What it would come to now. false: a counter cannot hold it. Reads only. */
bool correct_weigh(struct ledger *ledger, int64_t now_us, struct ending *ending);
/* Whether a closed one still takes its true figures. */
bool correct_may(const struct ledger *ledger, const struct reservation *slot, int64_t now_us);
bool correct_apply(struct ledger *ledger, const struct entry *entry,
                   struct ledger_effects *effects);
void correct_check(const struct ledger *ledger);

#endif
