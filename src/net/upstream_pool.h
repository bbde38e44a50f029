/* SPDX-License-Identifier: Apache-2.0
 * The connections of upstream.c: one pool, a multi handle of curl's, for each wire, and the sockets
 * of all of them in the event loop.
 * THREAD  the loop's. */
#ifndef NET_UPSTREAM_POOL_H
#define NET_UPSTREAM_POOL_H

#include "gateway/upstream.h"
#include "net/loop.h"

#include <curl/curl.h>

struct pool {
    struct pools *pools;
    struct upstream_wire wire; /* a copy */
    CURLM *multi;
    struct pool *next;
    size_t open;    /* transfers; the user's to count */
    int64_t due_us; /* curl's deadline; INT64_MAX: none */
    bool stirred;   /* curl has worked: it may have messages */
};

struct pools {
    struct loop *loop;
    struct pool *first;
    size_t len;
    bool inside;                      /* curl is calling us */
    struct upstream_socket **sockets; /* by descriptor */
    size_t sockets_len;
    uint64_t connects;
};

/* The pool of a wire (NULL: the defaults), made if there is none. NULL: no memory, or too many
 * pools are in use. */
struct pool *pools_get(struct pools *pools, const struct upstream_wire *wire);
/* Lets curl do what is due. True: it has worked, see what it says. */
bool pool_turn(struct pool *pool);
/* Points a handle's sockets to the pool that is going to carry it. */
void pool_adopt(struct pool *pool, CURL *easy);
void pools_done(struct pools *pools); /* no transfer may be under way */

#endif
