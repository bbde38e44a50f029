/* SPDX-License-Identifier: Apache-2.0
 * libcurl's multi interface, driven by sockets.
 *
 *   start --> under way --curl says done--> ended: end() in the upstream's turn
 *                \--cancel(), or its timer--> taken from curl at once, or in the turn if curl is
 *                                             calling us just then; end() in the turn
 *
 * Sockets stay in our epoll from their first use until curl closes them. curl would have them
 * removed when a transfer ends and added when the next begins: two system calls a request. A kept
 * connection nobody uses reports at most that its peer closed it; then it is taken out.
 *
 * curl's timer is a deadline of the loop's, never a timer of the system's.
 *
 * One timer a transfer: what it waits for next (a connection, the first byte, more bytes) and the
 * total limit give the nearest instant; bytes that arrive only note the time, and a timer that
 * fires early is set again; only a wait that ends sooner than the one before sets it anew.
 *
 * libcurl sends a request again on a fresh connection when a kept one dies before its first byte.
 * For calls that cost money twice is wrong: the callback before sending refuses the second time. */
#include "server/upstream.h"

#include "base/assert.h"
#include "base/limits.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IDLE_HANDLES_MAX = 256 };

enum carrier_state { CARRIER_IDLE = 0, CARRIER_RUNS, CARRIER_ENDED };

/* An easy handle and what it carries; used again and again. */
struct carrier {
    struct curl_upstream *up;
    struct upstream_transfer *transfer;
    CURL *easy;
    struct curl_slist *headers;
    struct timer timer;
    struct carrier *next;                /* up->idle or up->news */
    struct carrier *run_prev, *run_next; /* up->running, until end() */
    enum carrier_state state;
    bool noted; /* in up->news */
    bool sending, head_told, pause_wanted, paused;
    bool in_multi; /* in curl's hands */
    enum upstream_end end;
    int64_t begun_us, sent_us, byte_us; /* byte_us: last byte received; 0: none yet */
    int64_t connect_us, first_byte_us, idle_us, total_us;
    char why[CURL_ERROR_SIZE];
};

/* A descriptor of curl's. Those it opens through us stay watched until it closes them; those of its
 * resolver it closes without a word, and so are watched only while it wants them. */
struct upstream_socket {
    struct curl_upstream *up;
    curl_socket_t fd;
    bool ours;
    uint32_t wanted, watched;
};

struct curl_upstream {
    struct upstream upstream; /* first: the interface's functions come back from it */
    struct loop *loop;
    struct loop_stage stage;
    CURLM *multi;
    struct carrier *idle, *news, *running;
    size_t idle_len;
    int64_t due_us;                   /* curl's deadline; INT64_MAX: none */
    bool inside;                      /* curl is calling us */
    bool stirred;                     /* curl has worked: it may have messages */
    struct upstream_socket **sockets; /* by descriptor */
    size_t sockets_len;
    struct timers *loop_timers;
    struct upstream_counts counts;
};

static struct curl_upstream *up_of(struct upstream *upstream)
{
    return (struct curl_upstream *)upstream;
}

static int64_t now_us(const struct curl_upstream *up)
{
    return up->loop_timers->now_us(up->loop_timers);
}

static void carrier_note(struct carrier *carrier)
{
    if (carrier->noted)
        return;
    carrier->noted = true;
    carrier->next = carrier->up->news;
    carrier->up->news = carrier;
}

/* ---- Sockets --------------------------------------------------------------------------------- */

static void socket_ready(struct curl_upstream *up, curl_socket_t fd, uint32_t events)
{
    int what = 0, running;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLRDHUP))
        what |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        what |= CURL_CSELECT_OUT;
    if (events & EPOLLERR)
        what |= CURL_CSELECT_ERR;
    up->inside = up->stirred = true;
    curl_multi_socket_action(up->multi, fd, what, &running);
    up->inside = false;
}

static void socket_event(void *user, uint32_t events)
{
    struct upstream_socket *each = user;
    if (each->wanted) {
        socket_ready(each->up, each->fd, events);
        return;
    }
    /* Closed by its peer while idle. curl finds out when it looks at it again. */
    loop_unwatch(each->up->loop, each->fd);
    each->watched = 0;
}

static struct upstream_socket *socket_find(struct curl_upstream *up, curl_socket_t fd)
{
    ASSERT(fd >= 0);
    if ((size_t)fd >= up->sockets_len) {
        size_t len = up->sockets_len ? up->sockets_len : 256;
        while (len <= (size_t)fd)
            len *= 2;
        struct upstream_socket **sockets = realloc(up->sockets, len * sizeof(void *));
        if (!sockets)
            return NULL;
        memset(sockets + up->sockets_len, 0, (len - up->sockets_len) * sizeof(void *));
        up->sockets = sockets;
        up->sockets_len = len;
    }
    struct upstream_socket *each = up->sockets[fd];
    if (!each && (each = calloc(1, sizeof *each))) {
        each->up = up;
        each->fd = fd;
        up->sockets[fd] = each;
    }
    return each;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *unused)
{
    struct curl_upstream *up = user;
    struct upstream_socket *each = socket_find(up, fd);
    (void)easy;
    (void)unused;
    if (!each)
        return -1;
    each->wanted = what == CURL_POLL_IN      ? EPOLLIN
                   : what == CURL_POLL_OUT   ? EPOLLOUT
                   : what == CURL_POLL_INOUT ? EPOLLIN | EPOLLOUT
                                             : 0;
    if (!each->wanted && !each->ours) {
        loop_unwatch(up->loop, fd);
        each->watched = 0;
        return 0;
    }
    /* Ours are read from next, whatever is wanted now. */
    uint32_t events = each->wanted | (each->ours ? EPOLLIN : 0);
    if (!each->wanted || each->watched == events)
        return 0;
    if (loop_watch(up->loop, fd, events, socket_event, each))
        return -1;
    each->watched = events;
    return 0;
}

static curl_socket_t on_open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct curl_upstream *up = user;
    (void)purpose;
    int fd = socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
    struct upstream_socket *each = fd >= 0 ? socket_find(up, fd) : NULL;
    if (!each) {
        if (fd >= 0)
            close(fd);
        return CURL_SOCKET_BAD;
    }
    each->ours = true;
    each->wanted = each->watched = 0;
    up->counts.connects++;
    return fd;
}

static int on_close_socket(void *user, curl_socket_t fd)
{
    struct curl_upstream *up = user;
    struct upstream_socket *each = socket_find(up, fd);
    loop_forget(up->loop, fd);
    if (each) {
        each->ours = false;
        each->wanted = each->watched = 0;
    }
    return close(fd);
}

static int on_timer(CURLM *multi, long delay_ms, void *user)
{
    struct curl_upstream *up = user;
    (void)multi;
    up->due_us = INT64_MAX;
    if (delay_ms >= 0)
        up->due_us = now_us(up) + (int64_t)delay_ms * 1000;
    return 0;
}

/* ---- Time ---------------------------------------------------------------------------------- */

static int64_t nearest_us(int64_t a_us, int64_t from_us, int64_t limit_us)
{
    return limit_us > 0 && from_us + limit_us < a_us ? from_us + limit_us : a_us;
}

/* The instant at which it has taken too long, as of now. */
static int64_t carrier_limit_us(const struct carrier *carrier, const char **ret_why)
{
    int64_t step_us = INT64_MAX;
    if (!carrier->sending) {
        *ret_why = "no connection within the time limit";
        step_us = nearest_us(step_us, carrier->begun_us, carrier->connect_us);
    } else if (!carrier->byte_us) {
        *ret_why = "no answer within the time limit";
        step_us = nearest_us(step_us, carrier->sent_us, carrier->first_byte_us);
    } else if (!carrier->paused) {
        *ret_why = "nothing came for longer than the time limit";
        step_us = nearest_us(step_us, carrier->byte_us, carrier->idle_us);
    } else {
        /* Waiting for us, not for the provider. */
        step_us = nearest_us(step_us, now_us(carrier->up), carrier->idle_us);
    }
    int64_t total_us = nearest_us(INT64_MAX, carrier->begun_us, carrier->total_us);
    if (total_us > step_us)
        return step_us;
    *ret_why = "not finished within the time limit";
    return total_us;
}

/* Sets the timer unless it fires soon enough as it is. */
static void carrier_watch_time(struct carrier *carrier)
{
    struct timers *timers = carrier->up->loop_timers;
    const char *why;
    int64_t limit_us = carrier_limit_us(carrier, &why);
    if (limit_us == INT64_MAX || (carrier->timer.slot && carrier->timer.at_us <= limit_us))
        return;
    int64_t delay_us = limit_us - now_us(carrier->up);
    timers->set(timers, &carrier->timer, delay_us > 0 ? delay_us : 0);
}

/* ---- What curl calls while a transfer runs --------------------------------------------------- */

static int on_send(void *user, char *to, char *from, int to_port, int from_port)
{
    struct carrier *carrier = user;
    (void)to;
    (void)from;
    (void)to_port;
    (void)from_port;
    if (carrier->sending || carrier->state != CARRIER_RUNS)
        return CURL_PREREQFUNC_ABORT; /* it was sent before: see above */
    carrier->sending = true;
    carrier->sent_us = now_us(carrier->up);
    carrier_watch_time(carrier);
    return CURL_PREREQFUNC_OK;
}

static size_t on_header(char *line, size_t size, size_t len, void *user)
{
    struct carrier *carrier = user;
    (void)size;
    long status = 0;
    if (carrier->state != CARRIER_RUNS)
        return 0;
    bool first = !carrier->byte_us;
    carrier->byte_us = now_us(carrier->up);
    if (first)
        carrier_watch_time(carrier);
    bool last = len <= 2 && (line[0] == '\r' || line[0] == '\n');
    if (!last || carrier->head_told)
        return len;
    curl_easy_getinfo(carrier->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200) {
        carrier->head_told = true;
        carrier->transfer->head(carrier->transfer, (int)status);
    }
    return len;
}

static size_t on_data(char *bytes, size_t size, size_t len, void *user)
{
    struct carrier *carrier = user;
    (void)size;
    if (carrier->state != CARRIER_RUNS)
        return 0;
    if (carrier->pause_wanted) {
        carrier->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    carrier->byte_us = now_us(carrier->up);
    carrier->transfer->data(carrier->transfer, (struct slice){bytes, len});
    return len;
}

/* ---- Ending ---------------------------------------------------------------------------------- */

static void carrier_take_back(struct carrier *carrier)
{
    struct curl_upstream *up = carrier->up;
    carrier->in_multi = false;
    up->inside = true; /* it may call on_socket and on_close_socket */
    curl_multi_remove_handle(up->multi, carrier->easy);
    up->inside = false;
}

/* The outcome stands; end() follows in the turn. */
static void carrier_stop(struct carrier *carrier, enum upstream_end end, const char *why)
{
    if (carrier->state != CARRIER_RUNS)
        return;
    carrier->state = CARRIER_ENDED;
    carrier->end = end;
    if (why)
        snprintf(carrier->why, sizeof carrier->why, "%s", why);
    if (carrier->in_multi && !carrier->up->inside)
        carrier_take_back(carrier);
    carrier_note(carrier);
}

static void carrier_timer(struct timer *timer)
{
    struct carrier *carrier = (struct carrier *)((char *)timer - offsetof(struct carrier, timer));
    const char *why = "";
    int64_t limit_us = carrier_limit_us(carrier, &why);
    if (limit_us > now_us(carrier->up))
        carrier_watch_time(carrier);
    else
        carrier_stop(carrier, carrier->sending ? UPSTREAM_TIMEOUT : UPSTREAM_NOT_SENT, why);
}

static void carrier_done(struct carrier *carrier, CURLcode code)
{
    enum upstream_end end = code == CURLE_OK && carrier->head_told ? UPSTREAM_DONE
                            : carrier->sending                     ? UPSTREAM_LOST
                                                                   : UPSTREAM_NOT_SENT;
    if (end != UPSTREAM_DONE && !carrier->why[0])
        snprintf(carrier->why, sizeof carrier->why, "%s", curl_easy_strerror(code));
    carrier_stop(carrier, end, NULL);
}

/* ---- Handles --------------------------------------------------------------------------------- */

static void easy_setup(struct carrier *carrier)
{
    struct curl_upstream *up = carrier->up;
    CURL *easy = carrier->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, carrier);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, carrier->why);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, carrier);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, carrier);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_send);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, carrier);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, up);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, up);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");      /* also not the environment's */
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);   /* 20 ms for each new TLS connection */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a resolver's thread */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "mete/" METE_VERSION);
}

static struct carrier *carrier_get(struct curl_upstream *up)
{
    struct carrier *carrier = up->idle;
    if (carrier) {
        up->idle = carrier->next;
        up->idle_len--;
        return carrier;
    }
    carrier = calloc(1, sizeof *carrier);
    if (!carrier)
        return NULL;
    carrier->up = up;
    carrier->timer.fire = carrier_timer;
    carrier->easy = curl_easy_init();
    if (!carrier->easy) {
        free(carrier);
        return NULL;
    }
    easy_setup(carrier);
    return carrier;
}

static void carrier_free(struct carrier *carrier)
{
    struct curl_upstream *up = carrier->up;
    up->inside = true;
    curl_easy_cleanup(carrier->easy);
    up->inside = false;
    free(carrier);
}

static void carrier_put(struct carrier *carrier)
{
    struct curl_upstream *up = carrier->up;
    curl_slist_free_all(carrier->headers);
    carrier->headers = NULL;
    carrier->transfer = NULL;
    carrier->state = CARRIER_IDLE;
    if (up->idle_len >= IDLE_HANDLES_MAX) {
        carrier_free(carrier);
        return;
    }
    carrier->next = up->idle;
    up->idle = carrier;
    up->idle_len++;
}

/* ---- What the gateway calls ------------------------------------------------------------------ */

static int header_add(struct carrier *carrier, const struct exchange_header *header)
{
    char room[512], *line = room;
    size_t len = strlen(header->name) + 2 + header->value.len + 1;
    if (len > sizeof room && !(line = malloc(len)))
        return METE_E_MEMORY;
    for (size_t i = 0; i < header->value.len; i++)
        ASSERT(header->value.data[i] != '\r' && header->value.data[i] != '\n' &&
               header->value.data[i] != 0);
    snprintf(line, len, "%s: %.*s", header->name, (int)header->value.len,
             header->value.len ? header->value.data : "");
    struct curl_slist *headers = curl_slist_append(carrier->headers, line);
    if (line != room)
        free(line);
    if (!headers)
        return METE_E_MEMORY;
    carrier->headers = headers;
    return 0;
}

static int carrier_fill(struct carrier *carrier, const struct upstream_request *request)
{
    CURL *easy = carrier->easy;
    for (size_t i = 0; i < request->headers_len; i++)
        if (header_add(carrier, &request->headers[i]))
            return METE_E_MEMORY;
    struct curl_slist *headers = curl_slist_append(carrier->headers, "Expect:");
    if (!headers)
        return METE_E_MEMORY;
    carrier->headers = headers;
    bool tls = strncmp(request->url, "https:", 6) == 0;
    bool post = strcmp(request->method, "POST") == 0, get = strcmp(request->method, "GET") == 0;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, request->url);
    if (request->body.len || post) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.len ? request->body.data : "");
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    } else {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, post || get ? NULL : request->method);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, carrier->headers);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                     tls ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
    return code == CURLE_OK ? 0 : METE_E_MEMORY;
}

static void carrier_begin(struct carrier *carrier, const struct upstream_request *request,
                          struct upstream_transfer *transfer)
{
    carrier->transfer = transfer;
    carrier->state = CARRIER_RUNS;
    carrier->sending = carrier->head_told = carrier->pause_wanted = carrier->paused = false;
    carrier->begun_us = now_us(carrier->up);
    carrier->sent_us = carrier->byte_us = 0;
    carrier->connect_us = request->connect_timeout_ms * 1000;
    carrier->first_byte_us = request->first_byte_timeout_ms * 1000;
    carrier->idle_us = request->idle_timeout_ms * 1000;
    carrier->total_us = request->total_timeout_ms * 1000;
    carrier->why[0] = 0;
    transfer->carrier = carrier;
    carrier->run_prev = NULL;
    carrier->run_next = carrier->up->running;
    if (carrier->run_next)
        carrier->run_next->run_prev = carrier;
    carrier->up->running = carrier;
    carrier_watch_time(carrier);
}

static int transfer_start(struct upstream *upstream, const struct upstream_request *request,
                          struct upstream_transfer *transfer)
{
    struct curl_upstream *up = up_of(upstream);
    if (strncmp(request->url, "http://", 7) != 0 && strncmp(request->url, "https://", 8) != 0)
        return METE_E_INVALID;
    if (up->counts.open >= LIMIT_TRANSFERS)
        return METE_E_BUSY;
    struct carrier *carrier = carrier_get(up);
    if (!carrier)
        return METE_E_BUSY;
    if (carrier_fill(carrier, request)) {
        carrier_put(carrier);
        return METE_E_BUSY;
    }
    carrier_begin(carrier, request, transfer);
    up->counts.open++;
    up->counts.transfers++;
    /* curl takes no handle while it is calling us; and the turn is where it gets to work anyhow. */
    carrier_note(carrier);
    return 0;
}

static void transfer_cancel(struct upstream *upstream, struct upstream_transfer *transfer)
{
    struct carrier *carrier = transfer->carrier;
    ASSERT(carrier->up == up_of(upstream) && carrier->transfer == transfer);
    carrier_stop(carrier, UPSTREAM_CANCELLED, "cancelled");
}

static void transfer_pause(struct upstream *upstream, struct upstream_transfer *transfer,
                           bool paused)
{
    struct carrier *carrier = transfer->carrier;
    ASSERT(carrier->up == up_of(upstream) && carrier->transfer == transfer);
    carrier->pause_wanted = paused;
    if (carrier->paused && !paused)
        carrier_note(carrier);
}

static struct slice transfer_header(struct upstream *upstream, struct upstream_transfer *transfer,
                                    const char *name)
{
    struct carrier *carrier = transfer->carrier;
    struct curl_header *header = NULL;
    ASSERT(carrier->up == up_of(upstream) && carrier->transfer == transfer);
    if (curl_easy_header(carrier->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return (struct slice){NULL, 0};
    return slice_of(header->value);
}

/* ---- The turn -------------------------------------------------------------------------------- */

static void carrier_tell_end(struct carrier *carrier)
{
    struct curl_upstream *up = carrier->up;
    if (carrier->in_multi)
        carrier_take_back(carrier);
    up->loop_timers->stop(up->loop_timers, &carrier->timer);
    up->counts.open--;
    if (carrier->run_prev)
        carrier->run_prev->run_next = carrier->run_next;
    else
        up->running = carrier->run_next;
    if (carrier->run_next)
        carrier->run_next->run_prev = carrier->run_prev;
    carrier->transfer->end(carrier->transfer, carrier->end, carrier->why);
    carrier_put(carrier);
}

static void carrier_news(struct carrier *carrier)
{
    struct curl_upstream *up = carrier->up;
    if (carrier->state == CARRIER_RUNS && !carrier->in_multi) {
        carrier->in_multi = true;
        if (curl_multi_add_handle(up->multi, carrier->easy) != CURLM_OK) {
            carrier->in_multi = false;
            carrier_stop(carrier, UPSTREAM_NOT_SENT, "out of memory");
        }
    } else if (carrier->state == CARRIER_RUNS && carrier->paused && !carrier->pause_wanted) {
        carrier->paused = false;
        carrier->byte_us = now_us(up);
        up->inside = true; /* it hands over what it kept */
        curl_easy_pause(carrier->easy, CURLPAUSE_CONT);
        up->inside = false;
    } else if (carrier->state == CARRIER_ENDED) {
        carrier_tell_end(carrier);
    }
}

static bool upstream_news(struct curl_upstream *up)
{
    struct carrier *carrier = up->news;
    bool any = carrier != NULL;
    up->news = NULL;
    while (carrier) {
        struct carrier *next = carrier->next;
        carrier->noted = false;
        carrier_news(carrier);
        carrier = next;
    }
    return any;
}

static void messages_read(struct curl_upstream *up)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(up->multi, &left))) {
        char *private = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        carrier_done((struct carrier *)(void *)private, code);
    }
}

static bool upstream_turn(struct loop_stage *stage, int64_t *deadline_us)
{
    struct curl_upstream *up =
        (struct curl_upstream *)((char *)stage - offsetof(struct curl_upstream, stage));
    bool progress = upstream_news(up) || up->stirred;
    if (up->due_us != INT64_MAX && up->due_us <= now_us(up)) {
        int running;
        up->due_us = INT64_MAX;
        up->inside = up->stirred = true;
        curl_multi_socket_action(up->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        up->inside = false;
        progress = true;
    }
    if (up->stirred) {
        up->stirred = false;
        messages_read(up);
    }
    progress |= upstream_news(up);
    if (up->due_us < *deadline_us)
        *deadline_us = up->due_us;
    return progress;
}

/* ---- Life ------------------------------------------------------------------------------------ */

int upstream_open(struct loop *loop, struct upstream **ret_upstream)
{
    struct curl_upstream *up = calloc(1, sizeof *up);
    if (!up || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(up);
        return METE_E_MEMORY;
    }
    up->upstream =
        (struct upstream){transfer_start, transfer_cancel, transfer_pause, transfer_header};
    up->loop = loop;
    up->loop_timers = loop_timers(loop);
    up->due_us = INT64_MAX;
    up->stage.turn = upstream_turn;
    up->multi = curl_multi_init();
    if (!up->multi) {
        free(up);
        return METE_E_MEMORY;
    }
    curl_multi_setopt(up->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(up->multi, CURLMOPT_SOCKETDATA, up);
    curl_multi_setopt(up->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(up->multi, CURLMOPT_TIMERDATA, up);
    curl_multi_setopt(up->multi, CURLMOPT_MAXCONNECTS, (long)LIMIT_UPSTREAM_IDLE);
    loop_append(loop, &up->stage);
    *ret_upstream = &up->upstream;
    return 0;
}

void upstream_call_off(struct upstream *upstream)
{
    struct curl_upstream *up = up_of(upstream);
    ASSERT(!up->inside);
    for (struct carrier *each = up->running; each; each = each->run_next)
        carrier_stop(each, each->sending ? UPSTREAM_LOST : UPSTREAM_NOT_SENT, "the server stops");
}

void upstream_close(struct upstream *upstream)
{
    if (!upstream)
        return;
    struct curl_upstream *up = up_of(upstream);
    ASSERT(up->counts.open == 0 && !up->news);
    while (up->idle) {
        struct carrier *carrier = up->idle;
        up->idle = carrier->next;
        carrier_free(carrier);
    }
    curl_multi_cleanup(up->multi);
    loop_remove(up->loop, &up->stage);
    for (size_t i = 0; i < up->sockets_len; i++)
        free(up->sockets[i]);
    free(up->sockets);
    free(up);
    curl_global_cleanup();
}

void upstream_counts(const struct upstream *upstream, struct upstream_counts *ret_counts)
{
    *ret_counts = ((const struct curl_upstream *)upstream)->counts;
}
