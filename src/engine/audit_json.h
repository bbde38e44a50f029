/* SPDX-License-Identifier: Apache-2.0
 * What an administrative entry says, as the JSON of an audit row: its own fields under the names
 * that the API gives them, amounts as decimal strings, scopes by kind and id, and the document
 * without what must not be told (INV-13). */
#ifndef ENGINE_AUDIT_JSON_H
#define ENGINE_AUDIT_JSON_H

#include "base/buffer.h"
#include "ledger/entry.h"
#include "store/audit.h"

/* Commas are put where they belong; the first error stays, and the rest goes nowhere. */
struct audit_json {
    struct buffer bytes;
    int error;
    struct audit_book *book; /* ids of the scopes and meters that entries know by number */
};

void audit_json_init(struct audit_json *json, struct audit_book *book);
void audit_json_done(struct audit_json *json);

void audit_json_open(struct audit_json *json, char bracket);
void audit_json_close(struct audit_json *json, char bracket);
void audit_json_text(struct audit_json *json, const char *name, struct slice text);
void audit_json_number(struct audit_json *json, const char *name, int64_t value);
void audit_json_bool(struct audit_json *json, const char *name, int value);
void audit_json_instant(struct audit_json *json, const char *name, int64_t us); /* null: 0 */
/* Nano-units of METE_COST as a decimal with two places or more, else a whole number: a string. */
void audit_json_amount(struct audit_json *json, const char *name, uint16_t meter, int64_t value);
/* {"kind":...,"id":...} of a scope; null: there is none. */
void audit_json_scope(struct audit_json *json, const char *name, uint32_t scope);
/* The member "document", without members that hold secrets; null: it is no JSON. Nothing: it is
 * empty. */
void audit_json_document(struct audit_json *json, struct slice document);
/* The same of a document that is the whole value. */
void audit_json_value(struct audit_json *json, struct slice document);
/* The word for what a meter counts: "USD", "tokens", one of the user's own. */
void audit_json_unit(struct audit_json *json, uint16_t meter, uint32_t currency);
/* The members of an object but those of these names (ended by NULL). */
void audit_json_members(struct audit_json *json, struct slice object, const char *const *but);

/* What a thing is after the entry that puts it: an object. parent: of a scope. */
void audit_json_entry(struct audit_json *json, const struct entry *entry, uint32_t parent);

/* "api_key" of METE_API_KEY. */
const char *audit_json_kind(int kind);

#endif
