/* SPDX-License-Identifier: Apache-2.0 */
#include "api/acts.h"

void acts_write(struct request *request, const struct act *act,
                void (*then)(struct request *request))
{
    struct mete_change *change = request_take(request, sizeof *change);
    if (!change)
        return;
    *change = (struct mete_change){
        .kind = act->document.len ? METE_PUT_DOCUMENT : METE_END_DOCUMENT,
        .at_document = {(uint16_t)act->kind, act->organization, request_text(act->id)},
        .document = request_text(act->document)};
    request_apply(request, change, 1, then);
}

bool acts_failed(struct request *request)
{
    if (!request->op.status)
        return false;
    request_fail(request, request->op.status, NULL, NULL);
    return true;
}
