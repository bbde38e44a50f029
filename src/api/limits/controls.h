/* SPDX-License-Identifier: Apache-2.0
 * A budget's controls as the API reads and shows them: soft limit, throttle, emergency stop,
 * downgrade. Shares are fractions up to 1 or percentages above, and shown as fractions. */
#ifndef API_LIMITS_CONTROLS_H
#define API_LIMITS_CONTROLS_H

#include "api/request.h"

struct controls_in {
    uint8_t hard; /* what has no hard limit counts, tells and refuses nothing: METE_SHADOW. A bool,
                     or CONTROLS_UNSAID */
    struct slice soft_limit;
    int64_t soft_ppm; /* of the limit; 0: not said */
    int64_t throttle_ppm, throttle_rate_ppm, stop_ppm, downgrade_ppm;
    int64_t cooldown_s, grace_s; /* -1: not said */
    /* The seed's own words: whether a control is on at all, a bool or CONTROLS_UNSAID. */
    uint8_t enable_hard, enable_soft, enable_throttle, enable_stop;
    int64_t soft_alias_ppm, stop_alias_ppm, cooldown_alias_s; /* of their thresholds */
};

enum { CONTROLS_UNSAID = 2 };

/* The object's members, as far as they can be checked without the budget. */
METE_MUST_USE int controls_in_read(struct request *request, struct json object,
                                   struct controls_in *ret_controls);
/* What hard_limit says of the mode, into it. mode: -1 where the request does not say it itself.
 * INVALID where it says otherwise. */
METE_MUST_USE int controls_in_mode(struct request *request, const struct controls_in *controls,
                                   int mode, enum mete_mode *ret_mode);
/* All of them into spec, whose meter and limit are known; what is not said is off. */
METE_MUST_USE int controls_in_put(struct request *request, const struct controls_in *controls,
                                  struct mete_budget_spec *spec);
/* A soft limit that is a share of the limit, rounded up. */
void controls_soften(struct mete_budget_spec *spec, int64_t soft_ppm);

/* The share that the soft limit was said as, kept in the budget's document: 0: none. */
int64_t controls_soft_ppm(struct json document);
void controls_write_soft_ppm(struct out *out, int64_t soft_ppm); /* of 0 nothing */

/* "controls": what was said, and where there are any what they do now. */
void controls_write(struct out *out, const struct mete_budget_view *view, struct json document);

#endif
