/* SPDX-License-Identifier: Apache-2.0
 * One operation on the ledger: decide; where something is due first, enter it and decide again
 * (each budget of the path at most once, and of each template one, so the loop ends); enter what
 * was decided. */
#include "engine/engine.h"

/* A window and a limit each. */
enum { ROLLS_MAX = (2 * LIMIT_PATH_SCOPES + 1) * LIMIT_SCOPE_BUDGETS };

static int decide_once(struct mete *mete, struct mete_op *op)
{
    struct mete_instant now = {mete->now_us};
    struct ledger *ledger = mete->ledger;
    struct ledger_decision *decision = &mete->decision;
    switch (op->kind) {
    case METE_OP_RESERVE:
        return ledger_decide_reserve(ledger, now, &op->args.reserve, op->refusals, op->refusals_max,
                                     &op->result.verdict, decision);
    case METE_OP_CHECK:
        return ledger_decide_check(ledger, now, &op->args.reserve, op->refusals, op->refusals_max,
                                   &op->result.verdict, decision);
    case METE_OP_COMMIT:
        return ledger_decide_commit(ledger, now, &op->args.commit, &op->result.receipt, decision);
    case METE_OP_RELEASE:
        return ledger_decide_release(ledger, now, op->args.release, &op->result.receipt, decision);
    case METE_OP_RECORD:
        return ledger_decide_record(ledger, now, &op->args.record, &op->result.receipt, decision);
    case METE_OP_EXTEND:
        return ledger_decide_extend(ledger, now, &op->args.extend, op->refusals, op->refusals_max,
                                    &op->result.verdict, decision);
    case METE_OP_APPLY:
    case METE_OP_QUERY:
        break;
    }
    return METE_E_INVALID;
}

int decide_op(struct mete *mete, struct mete_op *op)
{
    mete->decision.entry.kind = ENTRY_NONE;
    int rc = decide_once(mete, op);
    for (int rolls = 0; rc == LEDGER_STALE; rolls++) {
        ASSERT(rolls < ROLLS_MAX);
        rc = owner_due(mete, &mete->decision.due);
        if (!rc)
            rc = decide_once(mete, op);
    }
    if (rc)
        return rc;
    if (mete->decision.entry.kind == ENTRY_RESERVE && atomic_load(&mete->admission_stopped))
        return METE_E_DISK; /* what is said otherwise, a repeat or a refusal, needs no room */
    if (mete->decision.entry.kind != ENTRY_NONE)
        owner_enter(mete, &mete->decision.entry);
    return 0;
}
