/* SPDX-License-Identifier: Apache-2.0
 * Connections to providers in clear: made, kept, handed out and watched.
 *
 * An ORIGIN is a wire, a host and a port; its connections are its own. The one that was used last
 * is handed out first, so that the others grow old and can go. Idle ones are watched: what arrives
 * there, an end above all, closes them. Where an origin has all the connections it may have, those
 * who seek one wait in the order in which they came.
 *
 * A name's addresses are asked for on a worker and kept for LIMIT_UPSTREAM_NAME_S; they are tried
 * in their order, each with an even share of the time that is left.
 *
 * THREAD  the loop's. A socket is in the loop's epoll from its connecting to its closing. */
#ifndef NET_UPSTREAM_LINKS_H
#define NET_UPSTREAM_LINKS_H

#include "net/loop.h"
#include "net/upstream_names.h"
#include "net/upstream_request.h"

/* Somebody who wants a connection; embedded in it, zeroed at first. */
struct upstream_seeker {
    struct upstream_origin *origin; /* while it seeks, or has a link */
    struct upstream_link *link;     /* its own, or being made for it */
    struct upstream_seeker *prev, *next;
    bool waits;       /* in the origin's queue */
    int64_t until_us; /* limit of connecting; INT64_MAX: none */
};

struct upstream_link {
    struct upstream_origin *origin;
    struct upstream_seeker *seeker; /* whose it is; NULL: idle */
    struct upstream_link *prev, *next;
    struct timer timer; /* of trying one address */
    int64_t idle_us;    /* since when */
    const char *why;    /* the last address did not answer */
    int fd;
    uint32_t watched; /* for what, by the loop; UPSTREAM_UNWATCHED: not at all */
    uint8_t address;  /* being tried */
    bool connecting, used;
};

enum { UPSTREAM_UNWATCHED = UINT32_C(1) << 27 }; /* no event of epoll's */

struct upstream_links_user {
    void (*found)(struct upstream_seeker *seeker);
    void (*missed)(struct upstream_seeker *seeker, const char *why);
    void (*ready)(struct upstream_link *link, uint32_t events); /* one that somebody has */
};

struct upstream_links {
    struct loop *loop;
    struct workers *workers;
    struct upstream_links_user user;
    struct upstream_origin *first, *news;
    size_t len;
    uint64_t connects;
};

/* The origin of a wire (NULL: the defaults) and a URL, made if there is none. NULL: no memory, or
 * too many are in use. */
struct upstream_origin *upstream_links_origin(struct upstream_links *links,
                                              const struct upstream_wire *wire,
                                              const struct upstream_url *url);
/* A kept connection, at once. False: there is none. */
bool upstream_links_take(struct upstream_origin *origin, struct upstream_seeker *seeker);
/* Waits for one, or for one to be made: found() or missed() follows, from the turn or from a
 * watcher, unless upstream_links_leave() comes first. until_us is set. */
void upstream_links_seek(struct upstream_origin *origin, struct upstream_seeker *seeker);
/* Seeks no more; legal for one that does not. What is being made for it is given up. */
void upstream_links_leave(struct upstream_seeker *seeker);
/* Gives back what was found. kept: it may carry another request, else it is closed. */
void upstream_links_give(struct upstream_seeker *seeker, bool kept);

/* Sets what the loop watches a link for, if that is new; EPOLLERR and EPOLLHUP come unasked,
 * except for UPSTREAM_UNWATCHED. */
METE_MUST_USE int upstream_link_watch(struct upstream_link *link, uint32_t events);

bool upstream_links_turn(struct upstream_links *links);
void upstream_links_done(struct upstream_links *links); /* nobody seeks or has one */

#endif
