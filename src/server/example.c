/* SPDX-License-Identifier: Apache-2.0
 * A first start leaves something to try keys and budgets with. Only a ledger without any scope is a
 * first start. */
#include "server/server.h"

#include "codec/timestamp.h"
#include "os/os.h"

#include <stdio.h>

int server_make_example(struct mete_port *port, bool *ret_made)
{
    static struct mete_answer answer;
    const struct mete_query stats = {.kind = METE_QUERY_STATS};
    int error = mete_query(port, &stats, &answer);
    *ret_made = false;
    if (error || answer.stats.scopes > 0)
        return error;
    char document[256], at[TIMESTAMP_ROOM];
    timestamp_format(os_wall_us(os_system()), at);
    int len = snprintf(document, sizeof document,
                       "{\"id\":\"example\",\"name\":\"Example\",\"currency\":\"USD\","
                       "\"time_zone\":\"UTC\",\"created_at\":\"%s\"}",
                       at);
    const struct mete_change change = {
        .kind = METE_PUT_SCOPE,
        .flags = METE_CHANGE_CREATE,
        .scope = {.kind = METE_ORGANIZATION, .id = {"example", 7}},
        .document = {document, (size_t)len},
    };
    const struct mete_apply apply = {.changes = &change, .len = 1, .actor = {"start", 5}};
    struct mete_applied applied;
    uint32_t handle;
    error = mete_apply(port, &apply, &handle, &applied);
    *ret_made = !error;
    return error;
}
