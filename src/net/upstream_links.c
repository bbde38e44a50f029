/* SPDX-License-Identifier: Apache-2.0
 * Origins, their queues and their connections.
 *
 *   seek --> waits --an idle one, or room for one more--> connecting --> found
 *                \--no address                               |  \--the next address
 *                 \--> missed                                 \--none is left--> missed
 *
 * Whoever seeks is served in the turn: nothing is called inside their calls, and a burst of
 * connections that close at once is looked at once.
 *
 * A kept connection is looked at before it is used (a system call of 0.3 us): epoll tells of an end
 * only in the next round, and providers that close behind an answer without saying so would lose
 * every other call. One that lay idle for IDLE_US is closed, for who stands between (a NAT, a
 * balancer) forgets it without a word.
 *
 * Considered and not done: several addresses tried at once (RFC 8305). Providers in clear stand in
 * one's own network. */
#include "net/upstream_links.h"

#include "base/assert.h"
#include "base/limits.h"
#include "net/upstream_wire.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

enum { ORIGINS_MAX = 256, IDLE_US = 118000000 };

struct upstream_origin {
    struct upstream_links *links;
    struct upstream_wire wire; /* a copy */
    struct upstream_origin *next, *next_news;
    struct upstream_link *newest, *oldest; /* idle ones */
    size_t len, idle_len;                  /* of links, connecting ones too */
    struct upstream_seeker *first, *last;  /* who waits */
    struct upstream_addresses addresses;
    int64_t asked_us; /* when they were; INT64_MAX: they are a literal */
    struct upstream_question *question;
    const char *why; /* the last question was not answered; NULL: it was */
    bool noted;      /* in links->news */
    uint16_t port;
    size_t host_len;
    char host[];
};

static void origin_note(struct upstream_origin *origin)
{
    if (origin->noted)
        return;
    origin->noted = true;
    origin->next_news = origin->links->news;
    origin->links->news = origin;
}

/* ---- Queues ---------------------------------------------------------------------------------- */

static void queue_put(struct upstream_origin *origin, struct upstream_seeker *seeker)
{
    ASSERT(!seeker->waits && !seeker->link);
    seeker->waits = true;
    seeker->next = NULL;
    seeker->prev = origin->last;
    if (seeker->prev)
        seeker->prev->next = seeker;
    else
        origin->first = seeker;
    origin->last = seeker;
}

static void queue_remove(struct upstream_seeker *seeker)
{
    struct upstream_origin *origin = seeker->origin;
    ASSERT(seeker->waits);
    seeker->waits = false;
    if (seeker->prev)
        seeker->prev->next = seeker->next;
    else
        origin->first = seeker->next;
    if (seeker->next)
        seeker->next->prev = seeker->prev;
    else
        origin->last = seeker->prev;
}

static void idle_put(struct upstream_link *link)
{
    struct upstream_origin *origin = link->origin;
    link->prev = NULL;
    link->next = origin->newest;
    if (link->next)
        link->next->prev = link;
    else
        origin->oldest = link;
    origin->newest = link;
    origin->idle_len++;
}

static void idle_remove(struct upstream_link *link)
{
    struct upstream_origin *origin = link->origin;
    if (link->prev)
        link->prev->next = link->next;
    else
        origin->newest = link->next;
    if (link->next)
        link->next->prev = link->prev;
    else
        origin->oldest = link->prev;
    origin->idle_len--;
}

/* ---- Links ----------------------------------------------------------------------------------- */

static void link_close_socket(struct upstream_link *link)
{
    struct timers *timers = loop_timers(link->origin->links->loop);
    timers->stop(timers, &link->timer);
    if (link->fd < 0)
        return;
    loop_forget(link->origin->links->loop, link->fd);
    close(link->fd);
    link->fd = -1;
}

/* Idle, or nobody's already. */
static void link_free(struct upstream_link *link)
{
    struct upstream_origin *origin = link->origin;
    ASSERT(!link->seeker && origin->len);
    link_close_socket(link);
    origin->len--;
    free(link);
    if (origin->first)
        origin_note(origin);
}

static void idle_close(struct upstream_link *link)
{
    idle_remove(link);
    link_free(link);
}

static void link_event(void *user, uint32_t events);

int upstream_link_watch(struct upstream_link *link, uint32_t events)
{
    struct loop *loop = link->origin->links->loop;
    if (link->watched == events)
        return 0;
    if (events == UPSTREAM_UNWATCHED) {
        loop_unwatch(loop, link->fd);
    } else {
        int error = loop_watch(loop, link->fd, events, link_event, link);
        if (error)
            return error;
    }
    link->watched = events;
    return 0;
}

static const char *why_of(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return "connection refused";
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
        return "no way to the host";
    case ETIMEDOUT:
        return "the host does not answer";
    case EMFILE:
    case ENFILE:
        return "no descriptors left";
    default:
        return "no connection could be made";
    }
}

/* Whether connecting has begun. */
static bool link_begin(struct upstream_link *link, const struct upstream_address *to)
{
    const int on = 1;
    link->fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (link->fd < 0) {
        link->why = why_of(errno);
        return false;
    }
    setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    link->watched = UPSTREAM_UNWATCHED;
    if (connect(link->fd, &to->any, upstream_address_len(to)) != 0 && errno != EINPROGRESS)
        link->why = why_of(errno);
    else if (upstream_link_watch(link, EPOLLIN | EPOLLOUT | EPOLLRDHUP))
        link->why = "out of memory";
    else
        return true;
    link_close_socket(link);
    return false;
}

/* Each address that is left has the same share of the time that is. */
static void link_time(struct upstream_link *link)
{
    struct timers *timers = loop_timers(link->origin->links->loop);
    size_t left = link->origin->addresses.len - link->address;
    int64_t until_us = link->seeker->until_us;
    if (left < 2 || until_us == INT64_MAX)
        return;
    int64_t share_us = (until_us - timers->now_us(timers)) / (int64_t)left;
    timers->set(timers, &link->timer, share_us > 0 ? share_us : 0);
}

static void link_missed(struct upstream_link *link)
{
    struct upstream_origin *origin = link->origin;
    struct upstream_seeker *seeker = link->seeker;
    const char *why = link->why;
    if (origin->asked_us != INT64_MAX)
        origin->addresses.len = 0; /* they may have changed */
    link->seeker = NULL;
    seeker->link = NULL;
    seeker->origin = NULL;
    link_free(link);
    origin->links->user.missed(seeker, why);
}

/* From link->address on. */
static void link_try(struct upstream_link *link)
{
    struct upstream_origin *origin = link->origin;
    for (; link->address < origin->addresses.len; link->address++)
        if (link_begin(link, &origin->addresses.list[link->address])) {
            link_time(link);
            return;
        }
    link_missed(link);
}

static void link_try_next(struct upstream_link *link, const char *why)
{
    link->why = why;
    link_close_socket(link);
    link->address++;
    link_try(link);
}

static void link_timer(struct timer *timer)
{
    link_try_next((struct upstream_link *)((char *)timer - offsetof(struct upstream_link, timer)),
                  "the host does not answer");
}

/* The address that answers is tried first from now on. */
static void prefer(struct upstream_addresses *addresses, size_t at)
{
    if (!at || at >= addresses->len)
        return;
    struct upstream_address answers = addresses->list[at];
    memmove(&addresses->list[1], &addresses->list[0], at * sizeof answers);
    addresses->list[0] = answers;
}

static void link_connected(struct upstream_link *link)
{
    struct upstream_origin *origin = link->origin;
    struct timers *timers = loop_timers(origin->links->loop);
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error) {
        link_try_next(link, why_of(error));
        return;
    }
    timers->stop(timers, &link->timer);
    link->connecting = false;
    origin->links->connects++;
    prefer(&origin->addresses, link->address);
    origin->links->user.found(link->seeker);
}

static void link_event(void *user, uint32_t events)
{
    struct upstream_link *link = user;
    if (!link->seeker)
        idle_close(link);
    else if (link->connecting)
        link_connected(link);
    else
        link->origin->links->user.ready(link, events);
}

static void link_connect(struct upstream_origin *origin, struct upstream_seeker *seeker)
{
    struct upstream_link *link = calloc(1, sizeof *link);
    queue_remove(seeker);
    if (!link) {
        seeker->origin = NULL;
        origin->links->user.missed(seeker, "out of memory");
        return;
    }
    link->origin = origin;
    link->seeker = seeker;
    link->fd = -1;
    link->connecting = true;
    link->timer.fire = link_timer;
    seeker->link = link;
    origin->len++;
    link_try(link);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static void origin_answered(void *user, const struct upstream_addresses *list, const char *why)
{
    struct upstream_origin *origin = user;
    origin->question = NULL;
    origin->addresses = *list;
    origin->asked_us = loop_now_us(origin->links->loop);
    origin->why = list->len || !origin->first ? NULL : why;
    origin_note(origin);
}

static void miss_all(struct upstream_origin *origin, const char *why)
{
    while (origin->first) {
        struct upstream_seeker *seeker = origin->first;
        queue_remove(seeker);
        seeker->origin = NULL;
        origin->links->user.missed(seeker, why);
    }
}

static bool is_fresh(const struct upstream_origin *origin)
{
    const int64_t fresh_us = (int64_t)LIMIT_UPSTREAM_NAME_S * 1000000;
    return origin->addresses.len &&
           (origin->asked_us == INT64_MAX ||
            loop_now_us(origin->links->loop) - origin->asked_us < fresh_us);
}

static void origin_ask(struct upstream_origin *origin)
{
    const struct slice host = {origin->host, origin->host_len};
    if (origin->question)
        return;
    if (origin->why) {
        const char *why = origin->why;
        origin->why = NULL; /* whoever comes later asks anew */
        miss_all(origin, why);
        return;
    }
    origin->question =
        upstream_names_ask(origin->links->workers, host, origin->port, origin_answered, origin);
    if (!origin->question)
        miss_all(origin, "too many names are being looked up");
}

/* ---- Serving --------------------------------------------------------------------------------- */

/* What nobody asked for is no better than an end. */
static bool ended_unseen(const struct upstream_link *link)
{
    char byte;
    return recv(link->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
           (errno != EAGAIN && errno != EWOULDBLOCK);
}

static struct upstream_link *idle_take(struct upstream_origin *origin)
{
    int64_t now_us = loop_now_us(origin->links->loop);
    while (origin->newest) {
        struct upstream_link *link = origin->newest;
        if (now_us - link->idle_us > IDLE_US || ended_unseen(link)) {
            idle_close(link);
            continue;
        }
        idle_remove(link);
        return link;
    }
    return NULL;
}

bool upstream_links_take(struct upstream_origin *origin, struct upstream_seeker *seeker)
{
    ASSERT(!seeker->link && !seeker->waits);
    /* Not past those who wait already. */
    struct upstream_link *link = origin->first ? NULL : idle_take(origin);
    if (!link)
        return false;
    link->seeker = seeker;
    seeker->link = link;
    seeker->origin = origin;
    return true;
}

void upstream_links_seek(struct upstream_origin *origin, struct upstream_seeker *seeker)
{
    seeker->origin = origin;
    queue_put(origin, seeker);
    origin_note(origin);
}

static void origin_serve(struct upstream_origin *origin)
{
    while (origin->first) {
        struct upstream_seeker *seeker = origin->first;
        struct upstream_link *link = idle_take(origin);
        if (link) {
            queue_remove(seeker);
            link->seeker = seeker;
            seeker->link = link;
            origin->links->user.found(seeker);
            continue;
        }
        if (origin->wire.connections_max && origin->len >= origin->wire.connections_max)
            return;
        if (!is_fresh(origin)) {
            origin_ask(origin);
            return;
        }
        link_connect(origin, seeker);
    }
}

void upstream_links_leave(struct upstream_seeker *seeker)
{
    if (seeker->waits)
        queue_remove(seeker);
    else if (seeker->link)
        upstream_links_give(seeker, false);
    seeker->origin = NULL;
}

void upstream_links_give(struct upstream_seeker *seeker, bool kept)
{
    struct upstream_link *link = seeker->link;
    struct upstream_origin *origin = link->origin;
    size_t idle_max = origin->wire.idle_max ? origin->wire.idle_max : LIMIT_UPSTREAM_IDLE;
    seeker->link = NULL;
    seeker->origin = NULL;
    link->seeker = NULL;
    if (!kept || link->connecting || upstream_link_watch(link, EPOLLIN | EPOLLRDHUP)) {
        link_free(link);
        return;
    }
    link->used = true;
    link->idle_us = loop_now_us(origin->links->loop);
    idle_put(link);
    while (origin->idle_len > idle_max || link->idle_us - origin->oldest->idle_us > IDLE_US)
        idle_close(origin->oldest);
    if (origin->first)
        origin_note(origin);
}

/* ---- Origins --------------------------------------------------------------------------------- */

static void origin_free(struct upstream_origin *origin)
{
    ASSERT(!origin->first && !origin->noted && origin->len == origin->idle_len);
    upstream_names_drop(origin->question);
    while (origin->newest)
        idle_close(origin->newest);
    upstream_wire_done(&origin->wire);
    free(origin);
}

static struct upstream_origin *origin_new(struct upstream_links *links,
                                          const struct upstream_wire *wire,
                                          const struct upstream_url *url)
{
    struct upstream_origin *origin = calloc(1, sizeof *origin + url->host.len);
    if (!origin || upstream_wire_copy(wire, &origin->wire)) {
        free(origin);
        return NULL;
    }
    origin->links = links;
    origin->port = url->port;
    origin->host_len = url->host.len;
    memcpy(origin->host, url->host.data, url->host.len);
    if (upstream_names_literal(url->host, url->port, &origin->addresses))
        origin->asked_us = INT64_MAX;
    return origin;
}

/* The last one that nothing uses; false: all are used. */
static bool origin_drop(struct upstream_links *links)
{
    struct upstream_origin **found = NULL;
    for (struct upstream_origin **at = &links->first; *at; at = &(*at)->next)
        if (!(*at)->first && !(*at)->noted && (*at)->len == (*at)->idle_len)
            found = at;
    if (!found)
        return false;
    struct upstream_origin *origin = *found;
    *found = origin->next;
    links->len--;
    origin_free(origin);
    return true;
}

static bool is_of(const struct upstream_origin *origin, const struct upstream_wire *wire,
                  const struct upstream_url *url)
{
    return origin->port == url->port && origin->host_len == url->host.len &&
           !strncasecmp(origin->host, url->host.data, url->host.len) &&
           upstream_wire_equal(&origin->wire, wire);
}

/* The one found comes to the front: the next is likely the same, and the last is the one to go. */
struct upstream_origin *upstream_links_origin(struct upstream_links *links,
                                              const struct upstream_wire *wire,
                                              const struct upstream_url *url)
{
    static const struct upstream_wire plain;
    struct upstream_origin **at = &links->first, *origin;
    wire = wire ? wire : &plain;
    while (*at && !is_of(*at, wire, url))
        at = &(*at)->next;
    origin = *at;
    if (origin) {
        *at = origin->next;
    } else {
        if (links->len >= ORIGINS_MAX && !origin_drop(links))
            return NULL;
        origin = origin_new(links, wire, url);
        if (!origin)
            return NULL;
        links->len++;
    }
    origin->next = links->first;
    links->first = origin;
    return origin;
}

bool upstream_links_turn(struct upstream_links *links)
{
    struct upstream_origin *origin = links->news;
    bool any = origin != NULL;
    links->news = NULL;
    while (origin) {
        struct upstream_origin *next = origin->next_news;
        origin->noted = false;
        origin_serve(origin);
        origin = next;
    }
    return any;
}

void upstream_links_done(struct upstream_links *links)
{
    for (struct upstream_origin *each = links->news; each; each = each->next_news)
        each->noted = false;
    links->news = NULL;
    while (links->first) {
        struct upstream_origin *origin = links->first;
        links->first = origin->next;
        origin_free(origin);
    }
    links->len = 0;
}
