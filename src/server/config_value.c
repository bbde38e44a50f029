/* SPDX-License-Identifier: Apache-2.0
 * Numbers with units are whole numbers and one unit; a fraction ("1.5s") is written in the next
 * smaller unit ("1500ms"), so that no rounding is hidden. Prices stay decimal texts: per thousand
 * becomes per million by moving the point, exactly. */
#include "server/config_value.h"

#include "base/checked.h"
#include "codec/decimal.h"
#include "dialect/dialect.h"

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit durations[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
static const struct unit sizes[] = {{"", 1},
                                    {"B", 1},
                                    {"KB", 1000},
                                    {"MB", 1000000},
                                    {"KiB", 1024},
                                    {"MiB", 1024 * 1024},
                                    {"GiB", 1024 * 1024 * 1024},
                                    {NULL, 0}};
static const struct unit none[] = {{"", 1}, {NULL, 0}};

static const char *const chooses[] = {"order", "weight", "price", NULL};
static const char *const disconnects[] = {"drain", "cancel", NULL};
static const char *const versions[] = {"auto", "1.1", "2", NULL}; /* enum upstream_http */
static const char *const tls_versions[] = {"1.2", "1.3", NULL};   /* enum tls_version */
static const char *const levels[] = {"error", "warning", "info", "debug", NULL};
static const char *const formats[] = {"json", "words", NULL};
static const char *const scopes[] = {"organization", "user", NULL};
static const char *const modes[] = {"enforce", "shadow", "off", NULL}; /* enum mete_mode */
/* As enum price_quality counts them. */
static const char *const qualities[] = {"any", "low", "medium", "high", "standard", "hd", NULL};
static const char *const services[] = {"standard", "priority", "flex",
                                       "batch",    "fast",     NULL}; /* enum price_service */
static const char *const booleans[] = {"false", "true", NULL};

/* Those of enum mete_period that this version counts; the rest are in tables/not_yet.h. */
static int period(struct slice text, int64_t *ret_value)
{
    static const struct {
        const char *name;
        enum mete_period period;
    } periods[] = {{"hourly", METE_HOURLY},
                   {"daily", METE_DAILY},
                   {"monthly", METE_MONTHLY},
                   {"total", METE_TOTAL}};
    for (size_t i = 0; i < sizeof periods / sizeof periods[0]; i++)
        if (slice_is(text, periods[i].name)) {
            *ret_value = periods[i].period;
            return 0;
        }
    return METE_E_SYNTAX;
}

static int number(struct slice text, const struct unit *units, int64_t *ret_value)
{
    int64_t value = 0;
    size_t i = 0;
    for (; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++)
        if (!checked_mul(value, 10, &value) || !checked_add(value, text.data[i] - '0', &value))
            return METE_E_SYNTAX;
    if (i == 0)
        return METE_E_SYNTAX;
    struct slice unit = slice_from(text, i);
    while (unit.len && unit.data[0] == ' ')
        unit = slice_from(unit, 1);
    for (; units->name; units++)
        if (slice_is(unit, units->name))
            return checked_mul(value, units->factor, ret_value) ? 0 : METE_E_SYNTAX;
    return METE_E_SYNTAX;
}

static int choice(struct slice text, const char *const *names, int64_t *ret_value)
{
    for (int64_t i = 0; names[i]; i++)
        if (slice_is(text, names[i])) {
            *ret_value = i;
            return 0;
        }
    return METE_E_SYNTAX;
}

static int family(struct slice text, int64_t *ret_value)
{
    const struct dialect_family *each;
    for (size_t i = 0; (each = dialect_family_at(i)); i++)
        if (slice_is(text, each->name)) {
            *ret_value = (int64_t)i;
            return 0;
        }
    return METE_E_SYNTAX;
}

int config_value(enum config_type type, struct slice text, int64_t *ret_value,
                 const char **ret_wanted)
{
    switch ((int)type) {
    case CONFIG_DURATION:
        *ret_wanted = "a duration such as 250ms, 30s, 5m, 1h or 90d";
        return number(text, durations, ret_value);
    case CONFIG_SIZE:
        *ret_wanted = "a size such as 4096, 64KiB or 16MiB";
        return number(text, sizes, ret_value);
    case CONFIG_INTEGER:
        *ret_wanted = "a whole number";
        return number(text, none, ret_value);
    case CONFIG_BOOLEAN:
        *ret_wanted = "true or false";
        return choice(text, booleans, ret_value);
    case CONFIG_CHOICE_DIALECT:
        *ret_wanted = "a dialect of docs/dialects.md, such as openai or anthropic";
        return family(text, ret_value);
    case CONFIG_CHOICE_CHOOSE:
        *ret_wanted = "order, weight or price";
        return choice(text, chooses, ret_value);
    case CONFIG_CHOICE_DISCONNECT:
        *ret_wanted = "drain or cancel";
        return choice(text, disconnects, ret_value);
    case CONFIG_CHOICE_HTTP:
        *ret_wanted = "auto, 1.1 or 2";
        return choice(text, versions, ret_value);
    case CONFIG_CHOICE_TLS:
        *ret_wanted = "1.2 or 1.3";
        return choice(text, tls_versions, ret_value);
    case CONFIG_CHOICE_LEVEL:
        *ret_wanted = "error, warning, info or debug";
        return choice(text, levels, ret_value);
    case CONFIG_CHOICE_FORMAT:
        *ret_wanted = "json or words";
        return choice(text, formats, ret_value);
    case CONFIG_CHOICE_SCOPE:
        *ret_wanted = "organization or user";
        return choice(text, scopes, ret_value);
    case CONFIG_CHOICE_PERIOD:
        *ret_wanted = "hourly, daily, monthly or total (the others are not built yet)";
        return period(text, ret_value);
    case CONFIG_CHOICE_MODE:
        *ret_wanted = "enforce, shadow or off";
        return choice(text, modes, ret_value);
    case CONFIG_CHOICE_QUALITY:
        *ret_wanted = "any, low, medium, high, standard or hd";
        return choice(text, qualities, ret_value);
    case CONFIG_CHOICE_SERVICE:
        *ret_wanted = "standard, priority, flex, batch or fast";
        return choice(text, services, ret_value);
    default:
        *ret_wanted = "something else";
        return METE_E_SYNTAX;
    }
}

int config_price(enum config_type type, struct slice text, char room[64])
{
    /* 10^-18 of a unit per million is as fine as prices are kept. */
    const unsigned kept = 18;
    int128 value = 0;
    unsigned more = type == CONFIG_PRICE_1K ? 3 : type == CONFIG_PRICE_EACH ? 6 : 0;
    int error = decimal_parse128(text, kept + more, false, &value);
    if (error)
        return error;
    if (value < 0)
        return METE_E_INVALID;
    decimal_format(value, kept, 0, room);
    return 0;
}
