/* SPDX-License-Identifier: Apache-2.0
 * What a budget does beside its hard limit: soft limit, throttle, emergency stop (controls.c). */
#ifndef LEDGER_CONTROLS_H
#define LEDGER_CONTROLS_H

#include "ledger/weigh.h"

/* One (budget, leaf) whose calls a throttle thins out: controls.c. */
struct meeting {
    int64_t begun_us; /* the throttle; 0: a free place */
    uint32_t budget, leaf;
    uint32_t throttle; /* which one, of those that began in that instant */
    uint32_t met;      /* modulo 10^6, after which it all repeats */
    uint32_t used;     /* the table's clock when it last was */
};

/* Committed at which there is something to do; INT64_MAX: never. Of a budget with an extra. */
int64_t controls_alarm(const struct ledger *ledger, uint32_t budget);
/* Committed, the limit or a control is another: sets off what is reached. */
void controls_act(const struct moment *moment);
/* The limit or a control is another: takes back what is no longer so. */
void controls_rearm(struct ledger *ledger, uint32_t budget);
void controls_end_window(struct extra *extra);
void controls_leave(struct ledger *ledger, uint32_t budget); /* rolling: buckets have left */
bool controls_lift(const struct moment *moment);             /* false: no stop is on */
/* It was stopped then, and is in the same window (rolling: bucket). */
bool controls_is_still_stopped(const struct ledger *ledger, uint32_t budget, int64_t since_us,
                               int64_t now_us);
/* Puts the refusals of one mode's stops, and throttles, of a weighing's path. A throttle is asked
 * only if nothing but throttles refuses. */
void controls_refuse_stopped(struct weighing *weighing, enum mete_mode mode);
void controls_refuse_throttled(struct weighing *weighing, enum mete_mode mode);
/* The call has met the throttles of its path. */
void controls_count(struct ledger *ledger, const struct weighing *weighing);
uint32_t controls_advice(const struct weighing *weighing); /* METE_ADVICE_ */
void controls_view(const struct extra *extra, struct mete_budget_view *view);
void controls_check(const struct ledger *ledger, uint32_t budget);

#endif
