/* SPDX-License-Identifier: Apache-2.0
 * Models, providers and price lists recur in every entry, so an entry says a number and the first
 * one to use it says the text as well. Numbers are given in order of first use, 1 to LIMIT_NAMES;
 * once they have run out (somebody invents model names) a new text is written out whole each time
 * and nothing is remembered.
 *
 * Text: one byte length, the bytes. */
#include "ledger/state.h"

struct slice names_text(const struct ledger *ledger, uint32_t n)
{
    if (n == 0)
        return (struct slice){0};
    ASSERT(n <= ledger->names_len);
    const char *at = texts_at(&ledger->texts, ledger->names[n]);
    return (struct slice){at + 1, (uint8_t)at[0]};
}

struct slice names_of_entry(const struct ledger *ledger, const struct entry_name *name)
{
    return name->n == ENTRY_NAME_WHOLE ? name->text : names_text(ledger, name->n);
}

static uint32_t hash_of(const void *owner, uint32_t n)
{
    return texts_hash(names_text(owner, n));
}

void names_init(struct ledger *ledger)
{
    table_init(&ledger->name_texts, ledger, hash_of);
}

uint32_t names_find(const struct ledger *ledger, struct slice text)
{
    uint32_t n = table_first(&ledger->name_texts, texts_hash(text));
    while (n && !slice_equal(names_text(ledger, n), text))
        n = table_next(&ledger->name_texts, n);
    return n;
}

struct entry_name names_enter(const struct ledger *ledger, struct slice text,
                              const struct entry_name *const *earlier, size_t earlier_len)
{
    ASSERT(text.len <= LIMIT_ID);
    if (text.len == 0)
        return (struct entry_name){0};
    uint32_t n = names_find(ledger, text);
    if (n)
        return (struct entry_name){.n = n};
    uint32_t next = ledger->names_len + 1;
    for (size_t i = 0; i < earlier_len && next <= LIMIT_NAMES; i++) { /* else none has a number */
        if (earlier[i]->n != next || earlier[i]->text.len == 0)
            continue;
        if (slice_equal(earlier[i]->text, text))
            return (struct entry_name){.n = next};
        next++;
    }
    return (struct entry_name){next <= LIMIT_NAMES ? next : ENTRY_NAME_WHOLE, text};
}

bool names_apply(struct ledger *ledger, const struct entry_name *name)
{
    if (name->n == ENTRY_NAME_WHOLE)
        return name->text.len > 0 && name->text.len <= LIMIT_ID;
    if (name->text.len == 0)
        return name->n <= ledger->names_len;
    if (name->n != ledger->names_len + 1 || name->n > LIMIT_NAMES || name->text.len > LIMIT_ID ||
        names_find(ledger, name->text))
        return false;
    uint32_t text = texts_take(&ledger->texts, 1 + name->text.len);
    char *at = texts_at(&ledger->texts, text);
    at[0] = (char)(uint8_t)name->text.len;
    memcpy(at + 1, name->text.data, name->text.len);
    ledger->names_len++;
    ledger->names[ledger->names_len] = text;
    table_put(&ledger->name_texts, name->n, texts_hash(name->text));
    return true;
}
