/* SPDX-License-Identifier: Apache-2.0
 * What only unusual budgets have: a zone, controls, dates, patterns, rollover, increases. */
#ifndef LEDGER_EXTRAS_H
#define LEDGER_EXTRAS_H

#include "ledger/state.h"

struct extra *extras_of(const struct ledger *ledger, uint32_t budget); /* NULL: it has none */
struct extra *extras_make(struct ledger *ledger, uint32_t budget);
/* Whether the fields that extras.c keeps are in their ranges: 0, INVALID or TOO_LARGE. */
int extras_check(const struct mete_budget_spec *spec);
/* Whether there is room for what the spec needs while there may be so many zones: LIMIT_ZONES to
 * whoever asks for a change, ZONES_ROOM to the rest of its batch. */
enum { ZONES_ROOM = LIMIT_ZONES + LIMIT_CHANGES };
bool extras_fit(const struct ledger *ledger, const struct mete_budget_spec *spec, uint32_t zones);
bool extras_are_needed(const struct mete_budget_spec *spec);
/* Whether what cannot change is as it was: in the ledger, or in an earlier change of a batch. */
bool extras_same_place(const struct ledger *ledger, uint32_t budget,
                       const struct mete_budget_spec *spec);
bool extras_is_dated(const struct extra *extra);
bool extras_same_dates(const struct ledger *ledger, uint32_t budget,
                       const struct mete_budget_spec *spec);
bool extras_same_spec(const struct mete_budget_spec *a, const struct mete_budget_spec *b);
void extras_put(struct ledger *ledger, uint32_t budget, const struct mete_budget_spec *spec);
/* Of a new one: keeps its patterns. false: no room. */
bool extras_narrow(struct ledger *ledger, uint32_t budget, const struct mete_budget_spec *spec);
/* A made one is narrowed like its template, by the same patterns. */
void extras_share_matches(struct ledger *ledger, uint32_t budget, uint32_t template);
/* Whether a budget that chooses is concerned by a call. */
bool extras_match(const struct ledger *ledger, uint32_t budget, const struct call_texts *call);
/* Leaves of a path's budgets those that match the call of a RESERVE or RECORD entry. */
void extras_keep_matching(const struct ledger *ledger, struct path *path,
                          const struct call_texts *call);
struct slice extras_zone(const struct ledger *ledger, const struct extra *extra); /* empty: UTC */
void extras_sum_limit(struct ledger *ledger, uint32_t budget);
void extras_view(const struct ledger *ledger, uint32_t budget, struct mete_budget_view *view);

#endif
