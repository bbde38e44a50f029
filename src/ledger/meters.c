/* SPDX-License-Identifier: Apache-2.0
 * Names of the user's own meters. They are numbered in order of their making, and there are so few
 * (LIMIT_METERS) that finding one is a walk: it is asked when somebody writes a name, not when
 * somebody spends. Text: one byte length, the bytes. */
#include "ledger/state.h"

struct slice meters_name(const struct ledger *ledger, uint16_t meter)
{
    ASSERT(meter >= METE_METER_CUSTOM);
    uint32_t i = meter - (uint32_t)METE_METER_CUSTOM;
    ASSERT(i < ledger->meters_len);
    const char *at = texts_at(&ledger->texts, ledger->meters[i]);
    return (struct slice){at + 1, (uint8_t)at[0]};
}

uint16_t meters_find(const struct ledger *ledger, struct slice name)
{
    for (uint32_t i = 0; i < ledger->meters_len; i++)
        if (slice_equal(meters_name(ledger, (uint16_t)(METE_METER_CUSTOM + i)), name))
            return (uint16_t)(METE_METER_CUSTOM + i);
    return 0;
}

uint16_t ledger_find_meter(const struct ledger *ledger, struct slice name)
{
    return meters_find(ledger, name);
}

int ledger_meter(const struct ledger *ledger, uint16_t meter, struct slice *ret_name)
{
    if (meter < METE_METER_CUSTOM || meter - (uint32_t)METE_METER_CUSTOM >= ledger->meters_len)
        return METE_E_NOT_FOUND;
    *ret_name = meters_name(ledger, meter);
    return 0;
}

bool meters_apply(struct ledger *ledger, const struct entry *entry)
{
    struct slice name = entry->u.meter.name;
    if (ledger->meters_len == LIMIT_METERS + LIMIT_CHANGES || !entry_is_id(name) ||
        name.len > LIMIT_TIME_ZONE ||
        entry->u.meter.number != METE_METER_CUSTOM + ledger->meters_len ||
        meters_find(ledger, name))
        return false;
    uint32_t text = texts_take(&ledger->texts, 1 + name.len);
    char *at = texts_at(&ledger->texts, text);
    at[0] = (char)(uint8_t)name.len;
    memcpy(at + 1, name.data, name.len);
    ledger->meters[ledger->meters_len++] = text;
    return true;
}
