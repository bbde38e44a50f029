/* SPDX-License-Identifier: Apache-2.0
 * What others want of the journal while the writer has it: pieces of it to read, and the steps of a
 * cut. One asks at a time and waits; the writer looks after each flush, so a chore waits for one
 * flush and a flush for one chore: some 100 us for a piece, a few ms for a step of a cut. */
#include "engine/engine.h"

static void run(struct mete *mete, struct chore *chore)
{
    switch (chore->kind) {
    case CHORE_FETCH:
        chore->error = journal_fetch(mete->journal, chore->after, LEDGER_PIECE, chore->piece);
        return;
    case CHORE_CUT:
        chore->error = journal_cut(mete->journal, &chore->base);
        break;
    case CHORE_CUT_STEP:
        chore->error = journal_cut_step(mete->journal, &chore->more);
        break;
    }
    if (chore->error == METE_E_STORAGE)
        mete->os.die(mete->os.user, "the journal could not be cut");
}

void writer_chore(struct mete *mete)
{
    struct follower *follower = &mete->follower;
    if (atomic_load_explicit(&follower->chore_state, memory_order_acquire) != WISH_WANTED)
        return;
    run(mete, &follower->chore);
    atomic_store(&follower->chore_state, WISH_DONE);
    bell_call(&follower->chore_bell);
}

int chore_run(struct mete *mete, struct chore *chore)
{
    ASSERT(mete->writer_runs);
    struct follower *follower = &mete->follower;
    pthread_mutex_lock(&follower->chore_lock);
    follower->chore = *chore;
    atomic_store(&follower->chore_state, WISH_WANTED);
    bell_call(&mete->writer_bell);
    for (;;) {
        (void)bell_heard(&follower->chore_bell);
        if (atomic_load(&follower->chore_state) == WISH_DONE)
            break;
        if (bell_doze(&follower->chore_bell))
            bell_sleep(&follower->chore_bell, -1);
    }
    *chore = follower->chore;
    atomic_store(&follower->chore_state, WISH_NONE);
    pthread_mutex_unlock(&follower->chore_lock);
    return chore->error;
}
