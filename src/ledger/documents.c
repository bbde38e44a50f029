/* SPDX-License-Identifier: Apache-2.0
 * Documents of the caller's own pass through the ledger and leave nothing in it: what they say is
 * the caller's business, that they are durable, in order and of one piece with the changes beside
 * them is ours. Only whose they are is checked. */
#include "ledger/documents.h"

#include "ledger/entry_bytes.h"

static bool is_document(int kind)
{
    return kind == ENTRY_DOCUMENT || kind == ENTRY_DOCUMENT_END;
}

bool entry_write_document(struct writer *w, const struct entry *entry)
{
    if (!is_document((int)entry->kind))
        return false;
    write_varint(w, entry->u.document.kind);
    write_varint(w, entry->u.document.organization);
    write_slice(w, entry->u.document.id);
    if (entry->kind == ENTRY_DOCUMENT)
        write_slice(w, entry->u.document.document);
    write_slice(w, entry->u.document.actor);
    return true;
}

bool entry_read_document(struct reader *r, struct entry *entry)
{
    if (!is_document((int)entry->kind))
        return false;
    entry->u.document.kind = (uint16_t)read_max(r, METE_DOCUMENT_KINDS);
    require(r, entry->u.document.kind > 0);
    entry->u.document.organization = read_u32(r);
    entry->u.document.id = of_text(read_id(r));
    entry->u.document.document = (struct slice){0};
    if (entry->kind == ENTRY_DOCUMENT)
        entry->u.document.document = read_slice(r, LIMIT_DOCUMENT);
    entry->u.document.actor = read_slice(r, LIMIT_ID);
    return true;
}

size_t entry_document_size(const struct entry *entry)
{
    if (!is_document((int)entry->kind))
        return 0;
    return entry->u.document.id.len + entry->u.document.document.len + entry->u.document.actor.len;
}

int documents_judge(const struct batch *batch, const struct mete_change *change)
{
    const struct mete_document_id *at = &change->at_document;
    struct node node;
    if (change->flags || !at->kind || at->kind > METE_DOCUMENT_KINDS ||
        !entry_is_id(of_text(at->id)))
        return METE_E_INVALID;
    if (change->kind == METE_END_DOCUMENT && change->document.len)
        return METE_E_INVALID;
    if (!at->organization.n)
        return 0;
    uint32_t organization = batch_resolve(batch, at->organization.n);
    if (!organization || !batch_find_node(batch, organization, &node))
        return METE_E_NOT_FOUND;
    return node.kind == METE_ORGANIZATION ? 0 : METE_E_INVALID;
}

void documents_write(const struct mete_change *change, struct slice actor, struct entry *entry)
{
    bool ends = change->kind == METE_END_DOCUMENT;
    entry->kind = ends ? ENTRY_DOCUMENT_END : ENTRY_DOCUMENT;
    entry->u.document.kind = change->at_document.kind;
    entry->u.document.organization = change->at_document.organization.n;
    entry->u.document.id = of_text(change->at_document.id);
    entry->u.document.document = ends ? (struct slice){0} : of_text(change->document);
    entry->u.document.actor = actor;
}

bool documents_apply(const struct ledger *ledger, const struct entry *entry)
{
    uint32_t organization = entry->u.document.organization;
    if (!entry->u.document.kind || entry->u.document.kind > METE_DOCUMENT_KINDS ||
        !entry_is_id(entry->u.document.id))
        return false;
    if (!organization)
        return true;
    return organization <= ledger->scopes_len &&
           ledger->scopes[organization].kind == METE_ORGANIZATION &&
           !(ledger->scopes[organization].flags & SCOPE_ENDED);
}
