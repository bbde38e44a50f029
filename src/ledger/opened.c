/* SPDX-License-Identifier: Apache-2.0
 * What open reservations took from, for those who follow figures from outside: verify adds them up
 * anew, explain tells them one by one. The window of a take follows from made_at (budgets.c). */
#include "ledger/exchanges.h"

static void read_takes(const struct ledger *ledger, const struct reservation *slot,
                       struct ledger_taken *ret)
{
    struct held held[METE_DEMANDS_MAX];
    struct words words;
    size_t len = reservations_amounts(ledger, slot, held, &words);
    ret->amounts_len = (uint32_t)len;
    for (size_t i = 0; i < len; i++)
        ret->amounts[i] = (struct entry_amount){.meter = unit_meter(held[i].unit),
                                                .currency = unit_currency(held[i].unit),
                                                .amount = held[i].amount};
    ret->budgets_len = 0;
    for (unsigned i = 0; i < slot->takes_len; i++) {
        struct take take = words_pass_take(&words);
        if (take.kind == TAKE_BUDGET && ret->budgets_len < LEDGER_TAKEN_MAX)
            ret->budgets[ret->budgets_len++] = take.handle;
    }
}

static void read_slot(const struct ledger *ledger, const struct reservation *slot,
                      struct ledger_taken *ret)
{
    ret->id = reservation_id(reservations_slot(ledger, slot), slot->generation);
    ret->is_closed = slot->is_closed;
    ret->scope = slot->scope;
    ret->made_at_us = (int64_t)slot->made_at_us;
    ret->made_seq = exchanges_as_of(ledger, slot).before_seq;
    read_takes(ledger, slot, ret);
}

bool ledger_taken_at(const struct ledger *ledger, uint32_t i, struct ledger_taken *ret_taken)
{
    if (i >= ledger->slots_len)
        return false;
    ret_taken->id = 0;
    if (ledger->slots[i].generation)
        read_slot(ledger, &ledger->slots[i], ret_taken);
    return true;
}

int ledger_taken(const struct ledger *ledger, uint64_t id, struct ledger_taken *ret_taken)
{
    const struct reservation *slot = reservations_find(ledger, id);
    if (!slot)
        slot = reservations_find_closed(ledger, id);
    if (!slot)
        return METE_E_NOT_FOUND;
    read_slot(ledger, slot, ret_taken);
    return 0;
}

int ledger_past(const struct ledger *ledger, uint32_t budget, int64_t at_us,
                struct ledger_window *ret_window)
{
    if (budget == 0 || budget > ledger->budgets_len)
        return METE_E_NOT_FOUND;
    for (uint32_t at = ledger->cold[budget].past; at; at = ledger->pasts[at].next) {
        const struct past *past = &ledger->pasts[at];
        if (past->start_us > at_us)
            continue;
        *ret_window = (struct ledger_window){past->start_us, past->committed, past->held};
        return at_us < past->end_us ? 0 : METE_E_NOT_FOUND;
    }
    return METE_E_NOT_FOUND;
}
