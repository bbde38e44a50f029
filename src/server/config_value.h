/* SPDX-License-Identifier: Apache-2.0
 * Scalars of the configuration: text to the value a row of tables/config.h wants. */
#ifndef SERVER_CONFIG_VALUE_H
#define SERVER_CONFIG_VALUE_H

#include "base/slice.h"
#include "mete.h"

/* The types of tables/config.h. */
enum config_type {
    CONFIG_TEXT = 0,
    CONFIG_DURATION,
    CONFIG_SIZE,
    CONFIG_INTEGER,
    CONFIG_BOOLEAN,
    CONFIG_CHOICE_DIALECT,
    CONFIG_CHOICE_CHOOSE,
    CONFIG_CHOICE_DISCONNECT,
    CONFIG_CHOICE_HTTP,
    CONFIG_CHOICE_TLS,
    CONFIG_CHOICE_LEVEL,
    CONFIG_CHOICE_FORMAT,
    CONFIG_CHOICE_SCOPE,
    CONFIG_CHOICE_PERIOD,
    CONFIG_CHOICE_MODE,
    CONFIG_CHOICE_SERVICE,
    CONFIG_CHOICE_QUALITY,
    CONFIG_PRICE,
    CONFIG_PRICE_1K,
    CONFIG_PRICE_EACH,
    CONFIG_PROVIDERS, /* from here on: structure */
    CONFIG_ENCODINGS,
    CONFIG_PREFIXES,
    CONFIG_COSTS,
    CONFIG_UNPRICED,
    CONFIG_TIERS,
    CONFIG_PASSES,
    CONFIG_METHODS,
    CONFIG_RANGES,
    CONFIG_GLOBS,
    CONFIG_FORMATS,
    CONFIG_SECTION_GATEWAY,
    CONFIG_SECTION_LIMITS,
    CONFIG_SECTION_TLS,
    CONFIG_SECTION_LOG,
    CONFIG_SECTION_RETENTION,
    CONFIG_SECTION_POLICY,
    CONFIG_SECTION_COST_CONTROL,
    CONFIG_SECTION_STORAGE,
    CONFIG_LATER,
    CONFIG_BUDGETS
};

/* DURATION, SIZE, INTEGER, BOOLEAN, CHOICE_*: METE_E_SYNTAX, and *ret_wanted says what it should
 * be. */
METE_MUST_USE int config_value(enum config_type type, struct slice text, int64_t *ret_value,
                               const char **ret_wanted);
/* PRICE, PRICE_1K, PRICE_EACH: the decimal per million into room. SYNTAX; INVALID: negative or too
 * fine. */
METE_MUST_USE int config_price(enum config_type type, struct slice text, char room[64]);

#endif
