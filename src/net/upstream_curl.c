/* SPDX-License-Identifier: Apache-2.0
 * libcurl's multi interface, driven by sockets.
 *
 *   start --> under way --curl says done--> ended: end() in the upstream's turn
 *                \--cancel(), or its timer--> taken from curl at once, or in the turn if curl is
 *                                             calling us just then; end() in the turn
 *
 * libcurl sends a request again on a fresh connection when a kept one dies before its first byte.
 * For calls that cost money twice is wrong: the callback before sending refuses the second time.
 * So it does where an HTTP/2 provider says that it has not begun (REFUSED_STREAM, a GOAWAY that was
 * faster): libcurl 7.88 retries either for the same reason and does not tell which it was. */
#include "net/upstream_curl.h"

#include "base/assert.h"
#include "base/limits.h"
#include "net/upstream_body.h"
#include "net/upstream_pool.h"
#include "net/upstream_sign.h"
#include "net/upstream_time.h"
#include "net/upstream_wire.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

enum { IDLE_HANDLES_MAX = 256, RECEIVE_ROOM = 8192, SEND_ROOM = 16384 };

enum carrier_state { CARRIER_IDLE = 0, CARRIER_RUNS, CARRIER_ENDED };

/* An easy handle and what it carries; used again and again. */
struct carrier {
    struct upstream *way; /* first: upstream.c finds it there */
    struct curl_upstream *up;
    struct pool *pool; /* while it carries something */
    struct upstream_transfer *transfer;
    CURL *easy;
    struct upstream_body body;
    struct curl_slist *headers;
    struct upstream_time time;
    struct carrier *next;                /* up->idle or up->news */
    struct carrier *run_prev, *run_next; /* up->running, until end() */
    enum carrier_state state;
    bool noted; /* in up->news */
    size_t heads_len;
    bool head_told, pause_wanted;
    bool in_multi; /* in curl's hands */
    enum upstream_end end;
    char why[CURL_ERROR_SIZE];
};

struct curl_upstream {
    struct upstream upstream; /* first: the interface's functions come back from it */
    struct loop_stage stage;
    struct pools pools;
    struct carrier *idle, *news, *running;
    size_t idle_len;
    struct upstream_counts counts;
};

static struct curl_upstream *up_of(struct upstream *upstream)
{
    return (struct curl_upstream *)upstream;
}

static void carrier_note(struct carrier *carrier)
{
    if (carrier->noted)
        return;
    carrier->noted = true;
    carrier->next = carrier->up->news;
    carrier->up->news = carrier;
}

/* ---- What curl calls while a transfer runs --------------------------------------------------- */

static int on_send(void *user, char *to, char *from, int to_port, int from_port)
{
    struct carrier *carrier = user;
    (void)to;
    (void)from;
    (void)to_port;
    (void)from_port;
    if (carrier->time.sending || carrier->state != CARRIER_RUNS)
        return CURL_PREREQFUNC_ABORT; /* it was sent before: see above */
    upstream_time_sent(&carrier->time);
    return CURL_PREREQFUNC_OK;
}

/* An answer of HTTP/1 without a length and without chunks. */
static bool ends_by_close(const struct carrier *carrier)
{
    struct curl_header *header;
    long version = 0;
    curl_easy_getinfo(carrier->easy, CURLINFO_HTTP_VERSION, &version);
    return version < CURL_HTTP_VERSION_2_0 &&
           curl_easy_header(carrier->easy, "content-length", 0, CURLH_HEADER, -1, &header) &&
           curl_easy_header(carrier->easy, "transfer-encoding", 0, CURLH_HEADER, -1, &header);
}

static size_t on_header(char *line, size_t size, size_t len, void *user)
{
    struct carrier *carrier = user;
    (void)size;
    long status = 0;
    /* libcurl keeps them all as long as the handle lives, and bounds no trailers. */
    carrier->heads_len += len;
    if (carrier->state != CARRIER_RUNS || carrier->heads_len > LIMIT_UPSTREAM_HEADS)
        return 0;
    upstream_time_byte(&carrier->time, upstream_time_now_us(&carrier->time));
    bool last = len <= 2 && (line[0] == '\r' || line[0] == '\n');
    if (!last || carrier->head_told)
        return len;
    curl_easy_getinfo(carrier->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200) {
        carrier->head_told = true;
        carrier->transfer->body_sent = upstream_body_sent(&carrier->body, carrier->easy);
        carrier->transfer->ends_by_close = ends_by_close(carrier);
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
        carrier->time.paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    upstream_time_byte(&carrier->time, upstream_time_now_us(&carrier->time));
    carrier->transfer->data(carrier->transfer, (struct slice){bytes, len});
    return len;
}

/* ---- Ending ---------------------------------------------------------------------------------- */

static void carrier_take_back(struct carrier *carrier)
{
    struct curl_upstream *up = carrier->up;
    carrier->in_multi = false;
    up->pools.inside = true; /* it may call on_socket and on_close_socket */
    curl_multi_remove_handle(carrier->pool->multi, carrier->easy);
    up->pools.inside = false;
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
    if (carrier->in_multi && !carrier->up->pools.inside)
        carrier_take_back(carrier);
    carrier_note(carrier);
}

static void carrier_timer(struct timer *timer)
{
    struct carrier *carrier =
        (struct carrier *)((char *)timer - offsetof(struct carrier, time.timer));
    const char *why = "";
    if (upstream_time_over(&carrier->time, &why))
        carrier_stop(carrier, carrier->time.sending ? UPSTREAM_TIMEOUT : UPSTREAM_NOT_SENT, why);
}

static void carrier_done(struct carrier *carrier, CURLcode code)
{
    enum upstream_end end = code == CURLE_OK && carrier->head_told ? UPSTREAM_DONE
                            : carrier->time.sending                ? UPSTREAM_LOST
                                                                   : UPSTREAM_NOT_SENT;
    if (end != UPSTREAM_DONE && !carrier->why[0])
        snprintf(carrier->why, sizeof carrier->why, "%s", curl_easy_strerror(code));
    carrier_stop(carrier, end, NULL);
}

/* ---- Handles --------------------------------------------------------------------------------- */

static void easy_setup(struct carrier *carrier)
{
    CURL *easy = carrier->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, carrier);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, carrier->why);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, carrier);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, carrier);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_send);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, carrier);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* a proxy's are no answer */
    /* Undone, whatever was asked for: what is encoded cannot be metered, and is fewer bytes than it
     * has tokens. */
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a resolver's thread */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    /* Each open stream keeps both as long as it lasts; curl's own sizes are 16 and 64 KiB. */
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_ROOM);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)SEND_ROOM);
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
    carrier->way = &up->upstream;
    carrier->up = up;
    carrier->time.timer.fire = carrier_timer;
    carrier->time.timers = loop_timers(up->pools.loop);
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
    up->pools.inside = true;
    curl_easy_cleanup(carrier->easy);
    up->pools.inside = false;
    free(carrier);
}

/* One of them is a credential. */
static void headers_free(struct curl_slist *headers)
{
    for (struct curl_slist *each = headers; each; each = each->next)
        explicit_bzero(each->data, strlen(each->data));
    curl_slist_free_all(headers);
}

static void carrier_put(struct carrier *carrier)
{
    struct curl_upstream *up = carrier->up;
    headers_free(carrier->headers);
    upstream_body_done(&carrier->body);
    carrier->headers = NULL;
    carrier->transfer = NULL;
    carrier->pool = NULL;
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
    explicit_bzero(line, len);
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
    struct upstream_signature signature;
    struct exchange_header signed_headers[UPSTREAM_SIGN_HEADERS];
    size_t len = 0;
    int rc = request->sign_with.len
                 ? upstream_sign_headers(request, &signature, signed_headers, &len)
                 : 0;
    for (size_t i = 0; i < len && !rc; i++)
        rc = header_add(carrier, &signed_headers[i]);
    if (rc)
        return rc;
    struct curl_slist *headers = curl_slist_append(carrier->headers, "Expect:");
    if (!headers)
        return METE_E_MEMORY;
    carrier->headers = headers;
    bool tls = strncmp(request->url, "https:", 6) == 0;
    rc = upstream_wire_set(easy, &carrier->pool->wire, tls);
    if (rc)
        return rc;
    bool post = strcmp(request->method, "POST") == 0, get = strcmp(request->method, "GET") == 0;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, request->url);
    if (request->body_len || post) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        rc = upstream_body_set(&carrier->body, easy, request->body, request->body_len);
    } else {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, post || get ? NULL : request->method);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, carrier->headers);
    pool_adopt(carrier->pool, easy);
    return code == CURLE_OK ? rc : METE_E_MEMORY;
}

static void carrier_begin(struct carrier *carrier, const struct upstream_request *request,
                          struct upstream_transfer *transfer)
{
    carrier->transfer = transfer;
    carrier->state = CARRIER_RUNS;
    carrier->head_told = carrier->pause_wanted = false;
    carrier->heads_len = 0;
    upstream_time_begin(&carrier->time, request);
    carrier->why[0] = 0;
    transfer->carrier = carrier;
    carrier->run_prev = NULL;
    carrier->run_next = carrier->up->running;
    if (carrier->run_next)
        carrier->run_next->run_prev = carrier;
    carrier->up->running = carrier;
    upstream_time_watch(&carrier->time);
}

static int transfer_start(struct upstream *upstream, const struct upstream_request *request,
                          struct upstream_transfer *transfer)
{
    struct curl_upstream *up = up_of(upstream);
    if (strncmp(request->url, "http://", 7) != 0 && strncmp(request->url, "https://", 8) != 0)
        return METE_E_INVALID;
    if (up->counts.open >= LIMIT_TRANSFERS)
        return METE_E_BUSY;
    struct pool *pool = pools_get(&up->pools, request->wire);
    struct carrier *carrier = pool ? carrier_get(up) : NULL;
    if (!carrier)
        return METE_E_BUSY;
    carrier->pool = pool;
    int rc = carrier_fill(carrier, request);
    if (rc) {
        carrier_put(carrier);
        return rc == METE_E_INVALID ? rc : METE_E_BUSY;
    }
    pool->open++;
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
    if (carrier->time.paused && !paused)
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
    carrier->time.timers->stop(carrier->time.timers, &carrier->time.timer);
    up->counts.open--;
    carrier->pool->open--;
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
        if (curl_multi_add_handle(carrier->pool->multi, carrier->easy) != CURLM_OK) {
            carrier->in_multi = false;
            carrier_stop(carrier, UPSTREAM_NOT_SENT, "out of memory");
        }
    } else if (carrier->state == CARRIER_RUNS && carrier->time.paused && !carrier->pause_wanted) {
        carrier->time.paused = false;
        carrier->time.byte_us = upstream_time_now_us(&carrier->time);
        up->pools.inside = true; /* it hands over what it kept */
        curl_easy_pause(carrier->easy, CURLPAUSE_CONT);
        up->pools.inside = false;
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

static void messages_read(struct pool *pool)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(pool->multi, &left))) {
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
    bool progress = upstream_news(up);
    for (struct pool *pool = up->pools.first; pool; pool = pool->next)
        if (pool_turn(pool)) {
            messages_read(pool);
            progress = true;
        }
    progress |= upstream_news(up);
    for (struct pool *pool = up->pools.first; pool; pool = pool->next)
        if (pool->due_us < *deadline_us)
            *deadline_us = pool->due_us;
    return progress;
}

/* ---- Life ------------------------------------------------------------------------------------ */

int upstream_curl_open(struct loop *loop, struct upstream **ret_upstream)
{
    struct curl_upstream *up = calloc(1, sizeof *up);
    if (!up || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(up);
        return METE_E_MEMORY;
    }
    up->upstream =
        (struct upstream){transfer_start, transfer_cancel, transfer_pause, transfer_header};
    up->pools.loop = loop;
    up->stage.turn = upstream_turn;
    loop_append(loop, &up->stage);
    *ret_upstream = &up->upstream;
    return 0;
}

void upstream_curl_call_off(struct upstream *upstream)
{
    struct curl_upstream *up = up_of(upstream);
    ASSERT(!up->pools.inside);
    for (struct carrier *each = up->running; each; each = each->run_next)
        carrier_stop(each, each->time.sending ? UPSTREAM_LOST : UPSTREAM_NOT_SENT,
                     "the server stops");
}

void upstream_curl_close(struct upstream *upstream)
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
    struct loop *loop = up->pools.loop;
    pools_done(&up->pools);
    loop_remove(loop, &up->stage);
    free(up);
    curl_global_cleanup();
}

void upstream_curl_counts(const struct upstream *upstream, struct upstream_counts *ret_counts)
{
    const struct curl_upstream *up = (const struct curl_upstream *)upstream;
    *ret_counts = up->counts;
    ret_counts->connects = up->pools.connects;
}
