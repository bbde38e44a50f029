/* SPDX-License-Identifier: Apache-2.0
 * The decisions about a scope's end and its moves, as the batch so far will leave the tree. */
#include "ledger/batch.h"
#include "ledger/moves.h"

bool batch_ends_scope(const struct batch *batch, size_t since, uint32_t scope)
{
    for (size_t i = since; i < batch->len; i++)
        if (batch->changes[i].kind == METE_END_SCOPE && batch->handles[i] == scope)
            return true;
    return false;
}

bool batch_scope_lives(const struct batch *batch, uint32_t scope)
{
    bool is_over =
        scope <= batch->ledger->scopes_len && batch->ledger->scopes[scope].flags & SCOPE_ENDED;
    return !is_over && !batch_ends_scope(batch, 0, scope);
}

/* Whether a change of the batch before this one has put, moved or ended the same scope. */
static bool is_touched_before(const struct batch *batch, size_t change)
{
    for (size_t i = 0; i < change; i++) {
        enum mete_change_kind kind = batch->changes[i].kind;
        if ((kind == METE_PUT_SCOPE || kind == METE_END_SCOPE || kind == METE_MOVE_SCOPE) &&
            batch->handles[i] == batch->handles[change])
            return true;
    }
    return false;
}

/* Whether a scope that the batch touches will be a child of this one, less whether it is. */
static int child_more(const struct batch *batch, uint32_t scope, uint32_t touched)
{
    const struct ledger *ledger = batch->ledger;
    struct node node;
    bool was = touched <= ledger->scopes_len && ledger->scopes[touched].parent == scope;
    bool will = batch_find_node(batch, touched, &node) && node.parent == scope;
    return (int)will - (int)was;
}

static int64_t count_children(const struct batch *batch, uint32_t scope)
{
    int64_t count =
        scope <= batch->ledger->scopes_len ? batch->ledger->scope_ends[scope].children : 0;
    for (size_t i = 0; i < batch->len; i++) {
        enum mete_change_kind kind = batch->changes[i].kind;
        if ((kind == METE_PUT_SCOPE || kind == METE_END_SCOPE || kind == METE_MOVE_SCOPE) &&
            !is_touched_before(batch, i))
            count += child_more(batch, scope, batch->handles[i]);
    }
    ASSERT(count >= 0);
    return count;
}

unsigned batch_departments(const struct batch *batch, uint32_t scope)
{
    struct node node;
    unsigned count = 0;
    for (; scope && count <= DEPARTMENTS_MAX && batch_find_any(batch, scope, &node);
         scope = node.parent)
        count += node.kind == METE_DEPARTMENT;
    return count;
}

/* How many departments stand from scope up to this one, both counted; 0: it is not above. */
static unsigned steps_to(const struct batch *batch, uint32_t scope, uint32_t department)
{
    struct node node;
    for (unsigned steps = 1; scope && steps <= DEPARTMENTS_MAX; steps++) {
        if (scope == department)
            return steps;
        if (!batch_find_node(batch, scope, &node) || node.kind != METE_DEPARTMENT)
            return 0;
        scope = node.parent;
    }
    return 0;
}

/* As scopes_below(), of the tree as the batch so far will leave it: what it does not touch stands
 * as it stood, and is a child of what it touches or not. */
static unsigned below(const struct batch *batch, uint32_t department)
{
    unsigned longest = 1;
    for (uint32_t scope = 1; scope <= batch->scopes_len; scope++) {
        if (scope <= batch->ledger->scopes_len &&
            batch->ledger->scopes[scope].kind != METE_DEPARTMENT)
            continue;
        unsigned steps = steps_to(batch, scope, department);
        longest = steps > longest ? steps : longest;
    }
    return longest;
}

/* A department does not come to stand in itself, nor departments too deep in one another. */
static bool fits_depth(const struct batch *batch, uint32_t scope, uint32_t parent)
{
    if (steps_to(batch, parent, scope))
        return false;
    unsigned above = batch_departments(batch, parent);
    return above < DEPARTMENTS_MAX &&
           (!count_children(batch, scope) || above + below(batch, scope) <= DEPARTMENTS_MAX);
}

static int judge_move(const struct batch *batch, const struct mete_change *change, uint32_t scope,
                      const struct node *node)
{
    struct node parent;
    size_t moves = 0;
    if (!batch_find_node(batch, batch_resolve(batch, change->parent.n), &parent))
        return METE_E_NOT_FOUND;
    if (!scopes_may_hold(parent.kind, node->kind) || parent.organization != node->organization)
        return METE_E_INVALID;
    uint32_t under = batch_resolve(batch, change->parent.n);
    if (node->kind == METE_DEPARTMENT && under != node->parent && !fits_depth(batch, scope, under))
        return METE_E_INVALID;
    for (size_t i = 0; i < batch->len; i++)
        moves += batch->changes[i].kind == METE_MOVE_SCOPE;
    return moves < moves_room(batch->ledger) ? 0 : METE_E_FULL;
}

int scopes_judge(const struct batch *batch, const struct mete_change *change, uint32_t *ret_handle)
{
    uint32_t scope = batch_resolve(batch, change->at.n);
    struct node node;
    int rc = 0;
    if (!batch_find_node(batch, scope, &node))
        return METE_E_NOT_FOUND;
    if (change->kind == METE_MOVE_SCOPE)
        rc = judge_move(batch, change, scope, &node);
    else if (count_children(batch, scope))
        rc = METE_E_INVALID;
    if (!rc)
        *ret_handle = scope;
    return rc;
}

void scopes_write(const struct mete_change *change, uint32_t handle, struct slice actor,
                  struct entry *entry)
{
    if (change->kind == METE_END_SCOPE) {
        entry->kind = ENTRY_SCOPE_END;
        entry->u.scope_end.scope = handle;
        entry->u.scope_end.actor = actor;
        return;
    }
    ASSERT(change->kind == METE_MOVE_SCOPE);
    entry->kind = ENTRY_SCOPE_MOVE;
    entry->u.scope_move.scope = handle;
    entry->u.scope_move.parent = change->parent.n;
    entry->u.scope_move.actor = actor;
}
