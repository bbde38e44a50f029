/* SPDX-License-Identifier: Apache-2.0
 * A pool is a multi handle: limits of connections are a multi's, and a wire that differs (a client
 * certificate, say) must not share connections. A pool lives until its room is needed for another
 * and nothing uses it.
 *
 * Sockets stay in our epoll from their first use until curl closes them. curl would have them
 * removed when a transfer ends and added when the next begins: two system calls a request. A kept
 * connection nobody uses reports at most that its peer closed it; then it is taken out.
 *
 * curl's timer is a deadline of the loop's, never a timer of the system's. */
#include "net/upstream_pool.h"

#include "base/assert.h"
#include "base/limits.h"
#include "net/upstream_wire.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { POOLS_MAX = 64, STREAMS_MAX = 1000 };

/* A descriptor of curl's. Those it opens through us stay watched until it closes them; those of its
 * resolver it closes without a word, and so are watched only while it wants them. */
struct upstream_socket {
    struct pool *pool;
    curl_socket_t fd;
    bool ours;
    uint32_t wanted, watched;
};

static int64_t now_us(const struct pool *pool)
{
    struct timers *timers = loop_timers(pool->pools->loop);
    return timers->now_us(timers);
}

static void pool_action(struct pool *pool, curl_socket_t fd, int what)
{
    int running;
    pool->pools->inside = pool->stirred = true;
    curl_multi_socket_action(pool->multi, fd, what, &running);
    pool->pools->inside = false;
}

static void socket_ready(struct pool *pool, curl_socket_t fd, uint32_t events)
{
    int what = 0;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLRDHUP))
        what |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        what |= CURL_CSELECT_OUT;
    if (events & EPOLLERR)
        what |= CURL_CSELECT_ERR;
    pool_action(pool, fd, what);
}

static void socket_event(void *user, uint32_t events)
{
    struct upstream_socket *each = user;
    if (each->wanted) {
        socket_ready(each->pool, each->fd, events);
        return;
    }
    /* Closed by its peer while idle. curl finds out when it looks at it again. */
    loop_unwatch(each->pool->pools->loop, each->fd);
    each->watched = 0;
}

static struct upstream_socket *socket_find(struct pools *pools, curl_socket_t fd)
{
    ASSERT(fd >= 0);
    if ((size_t)fd >= pools->sockets_len) {
        size_t len = pools->sockets_len ? pools->sockets_len : 256;
        while (len <= (size_t)fd)
            len *= 2;
        struct upstream_socket **sockets = realloc(pools->sockets, len * sizeof(void *));
        if (!sockets)
            return NULL;
        memset(sockets + pools->sockets_len, 0, (len - pools->sockets_len) * sizeof(void *));
        pools->sockets = sockets;
        pools->sockets_len = len;
    }
    struct upstream_socket *each = pools->sockets[fd];
    if (!each && (each = calloc(1, sizeof *each))) {
        each->fd = fd;
        pools->sockets[fd] = each;
    }
    return each;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *unused)
{
    struct pool *pool = user;
    struct pools *pools = pool->pools;
    struct upstream_socket *each = socket_find(pools, fd);
    (void)easy;
    (void)unused;
    if (!each)
        return -1;
    each->pool = pool;
    each->wanted = what == CURL_POLL_IN      ? EPOLLIN
                   : what == CURL_POLL_OUT   ? EPOLLOUT
                   : what == CURL_POLL_INOUT ? EPOLLIN | EPOLLOUT
                                             : 0;
    if (!each->wanted && !each->ours) {
        loop_unwatch(pools->loop, fd);
        each->watched = 0;
        return 0;
    }
    /* Ours are read from next, whatever is wanted now. */
    uint32_t events = each->wanted | (each->ours ? EPOLLIN : 0);
    if (!each->wanted || each->watched == events)
        return 0;
    if (loop_watch(pools->loop, fd, events, socket_event, each))
        return -1;
    each->watched = events;
    return 0;
}

static curl_socket_t on_open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct pool *pool = user;
    struct pools *pools = pool->pools;
    (void)purpose;
    int fd = socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
    struct upstream_socket *each = fd >= 0 ? socket_find(pools, fd) : NULL;
    if (!each) {
        if (fd >= 0)
            close(fd);
        return CURL_SOCKET_BAD;
    }
    each->pool = pool;
    each->ours = true;
    each->wanted = each->watched = 0;
    pools->connects++;
    return fd;
}

static int on_close_socket(void *user, curl_socket_t fd)
{
    struct pools *pools = ((struct pool *)user)->pools;
    struct upstream_socket *each = socket_find(pools, fd);
    loop_forget(pools->loop, fd);
    if (each) {
        each->ours = false;
        each->wanted = each->watched = 0;
    }
    return close(fd);
}

static int on_timer(CURLM *multi, long delay_ms, void *user)
{
    struct pool *pool = user;
    (void)multi;
    pool->due_us = INT64_MAX;
    if (delay_ms >= 0)
        pool->due_us = now_us(pool) + (int64_t)delay_ms * 1000;
    return 0;
}

/* ---- Pools ----------------------------------------------------------------------------------- */

static void pool_free(struct pool *pool)
{
    ASSERT(pool->open == 0);
    pool->pools->inside = true; /* it closes its sockets */
    curl_multi_cleanup(pool->multi);
    pool->pools->inside = false;
    upstream_wire_done(&pool->wire);
    free(pool);
}

static struct pool *pool_new(struct pools *pools, const struct upstream_wire *wire)
{
    struct pool *pool = calloc(1, sizeof *pool);
    if (!pool || upstream_wire_copy(wire, &pool->wire)) {
        free(pool);
        return NULL;
    }
    pool->pools = pools;
    pool->due_us = INT64_MAX;
    pool->multi = curl_multi_init();
    if (!pool->multi) {
        upstream_wire_done(&pool->wire);
        free(pool);
        return NULL;
    }
    long idle = wire->idle_max ? (long)wire->idle_max : (long)LIMIT_UPSTREAM_IDLE;
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, idle);
    curl_multi_setopt(pool->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)wire->connections_max);
    curl_multi_setopt(pool->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)STREAMS_MAX);
    return pool;
}

/* The last one that nothing uses; false: all are used. */
static bool pool_drop(struct pools *pools)
{
    struct pool **found = NULL;
    for (struct pool **at = &pools->first; *at; at = &(*at)->next)
        if (!(*at)->open)
            found = at;
    if (!found || pools->inside)
        return false;
    struct pool *pool = *found;
    *found = pool->next;
    pools->len--;
    pool_free(pool);
    return true;
}

struct pool *pools_get(struct pools *pools, const struct upstream_wire *wire)
{
    static const struct upstream_wire plain;
    wire = wire ? wire : &plain;
    for (struct pool *pool = pools->first; pool; pool = pool->next)
        if (upstream_wire_equal(&pool->wire, wire))
            return pool;
    if (pools->len >= POOLS_MAX && !pool_drop(pools))
        return NULL;
    struct pool *pool = pool_new(pools, wire);
    if (!pool)
        return NULL;
    pool->next = pools->first;
    pools->first = pool;
    pools->len++;
    return pool;
}

bool pool_turn(struct pool *pool)
{
    if (pool->due_us != INT64_MAX && pool->due_us <= now_us(pool)) {
        pool->due_us = INT64_MAX;
        pool_action(pool, CURL_SOCKET_TIMEOUT, 0);
    }
    bool stirred = pool->stirred;
    pool->stirred = false;
    return stirred;
}

void pool_adopt(struct pool *pool, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, pool);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, pool);
}

void pools_done(struct pools *pools)
{
    while (pools->first) {
        struct pool *pool = pools->first;
        pools->first = pool->next;
        pool_free(pool);
    }
    for (size_t i = 0; i < pools->sockets_len; i++)
        free(pools->sockets[i]);
    free(pools->sockets);
    *pools = (struct pools){.loop = pools->loop};
}
