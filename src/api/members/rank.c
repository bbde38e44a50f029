/* SPDX-License-Identifier: Apache-2.0 */
#include "api/members/rank.h"

bool rank_allows(struct request *request, enum role role)
{
    const struct principal *who = &request->who;
    bool has_all = (permissions_of(role) & ~who->permissions) == 0;
    if (who->admin || (has_all && (role != ROLE_OWNER || who->role == ROLE_OWNER)))
        return true;
    request_fail(request, METE_E_FORBIDDEN, "role", "This needs more than your own role: %s.",
                 role_word(role));
    return false;
}

void rank_write(struct out *out, const char *name, uint64_t permissions)
{
    out_key(out, name);
    out_open(out, '[');
    for (int i = PERMIT_INSTALLATION + 1; i < PERMISSIONS; i++)
        if (permissions & permission_bit((enum permission)i))
            out_text(out, slice_of(permission_word((enum permission)i)));
    out_close(out, ']');
}
