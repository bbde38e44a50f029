/* SPDX-License-Identifier: Apache-2.0
 * What `mete budget` was told, for the files that do it. */
#ifndef CLI_BUDGET_H
#define CLI_BUDGET_H

#include "cli/client.h"
#include "mete.h"

struct budget_options {
    struct client_options client;
    const char *organization, *amount, *id, *name, *scope, *unit, *period, *mode, *subject;
    const char *starts_at, *ends_at;
    const char *daily, *total; /* limits in place of amount and period: each a budget */
    const char *window_seconds, *time_zone, *anchor, *rollover;
    const char *for_kind; /* of a template */
    const char *since;    /* explain */
    const char *event;    /* events: of this kind alone */
    const char *soft_limit, *throttle_at, *throttle_rate, *stop_at, *downgrade_at, *cooldown,
        *grace;                          /* controls */
    const char *from, *until, *end;      /* of an increase */
    const char *history;                 /* usage: windows before */
    const char *notify, *enabled, *test; /* alerts */
    const char *model, *provider;        /* check: of the call */
    const char *thresholds[METE_THRESHOLDS_MAX];
    size_t thresholds_len;
    bool yes;
};

/* Lists what happened to the budget that is named, or to all of the organization's. */
int budget_events(struct client *client, const struct budget_options *options);
/* Lists the increases of a budget, puts one, or ends the one that is named. one: path of the
 * budget. */
int budget_increases(struct client *client, const struct budget_options *options, const char *one);
int budget_increase(struct client *client, const struct budget_options *options, const char *one);

/* budget_ask.c. all: path of the organization's budgets. */
int budget_usage(struct client *client, const struct budget_options *options, const char *all,
                 const char *one);
int budget_alerts(struct client *client, const struct budget_options *options, const char *all,
                  const char *one);
int budget_check_amount(struct client *client, const struct budget_options *options,
                        const char *all, const char *one);
int budget_summary(struct client *client, const struct budget_options *options, const char *all);

#endif
