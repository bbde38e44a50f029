/* SPDX-License-Identifier: Apache-2.0
 * The addresses of a host: of a literal at once, of a name by the system's resolver on a worker,
 * since it may take seconds and reads files. */
#ifndef NET_UPSTREAM_NAMES_H
#define NET_UPSTREAM_NAMES_H

#include "base/slice.h"
#include "base/work.h"
#include "mete.h"

#include <netinet/in.h>

enum { UPSTREAM_ADDRESSES_MAX = 8 }; /* tried of one host */

struct upstream_address {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    };
};

struct upstream_addresses {
    size_t len;
    struct upstream_address list[UPSTREAM_ADDRESSES_MAX]; /* in the order to be tried in */
};

static inline socklen_t upstream_address_len(const struct upstream_address *address)
{
    return address->any.sa_family == AF_INET6 ? sizeof address->in6 : sizeof address->in;
}

/* Of an IPv4 or IPv6 address, and of "localhost", which is no name to ask for (RFC 6761 6.3).
 * False: it is a name. */
bool upstream_names_literal(struct slice host, uint16_t port, struct upstream_addresses *ret_list);

/* answered() is called once, on the loop, never inside this call: the addresses, or none and why.
 * NULL: no memory, or too much work is waiting. */
struct upstream_question *upstream_names_ask(
    struct workers *workers, struct slice host, uint16_t port,
    void (*answered)(void *user, const struct upstream_addresses *list, const char *why),
    void *user);
/* Nobody waits any more: answered() is not called. The question ends by itself. */
void upstream_names_drop(struct upstream_question *question);

#endif
