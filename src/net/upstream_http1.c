/* SPDX-License-Identifier: Apache-2.0
 * Transfers over connections of our own.
 *
 *   start --> seeking --found--> sending --> waiting for the head --> receiving --> ended
 *     \--a kept connection: sent at once--/
 *   ended: by the answer, by a break, by its timer, by cancel(); end() follows in the turn
 *
 * A receive goes into up->room, is read there, and what is content in it is moved together and
 * handed over as one stretch. A head that did not come whole is collected first. What cannot be
 * handed over, since whoever reads has paused or since one turn has undone enough of a coding, is
 * kept (at most one receive), and nothing more is received until it is gone.
 *
 * A connection goes back as soon as its answer is whole. It is closed instead if the provider said
 * so, if the request was not sent whole, or if there is more in it than the answer.
 *
 * Nothing is sent twice: another connection is tried only while the socket has taken no byte. */
#include "net/upstream_http1.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/spares.h"
#include "codec/http1.h"
#include "net/upstream_coding.h"
#include "net/upstream_links.h"
#include "net/upstream_request.h"
#include "net/upstream_time.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

/* RECEIVE_ROOM: what the gateway takes at once. REQUEST_HEAD_MAX: a URL, a credential, and what
 * clients' own headers come to, several times over. */
enum { RECEIVE_ROOM = 64 * 1024, REQUEST_HEAD_MAX = 64 * 1024, FIELDS_MAX = 1024 };
/* PLAIN_STEPS: rooms of plain bytes that one turn makes of what was encoded. */
enum { SPARES_MAX = 256, PLAIN_STEPS = 4 };

enum carrier_state { CARRIER_RUNS = 0, CARRIER_ENDED };

struct carrier {
    struct upstream *way; /* first: upstream.c finds it there */
    struct http1_upstream *up;
    struct upstream_transfer *transfer;
    struct upstream_seeker seeker; /* its connection, until the answer is whole */
    struct upstream_origin *origin;
    struct upstream_unsent *unsent; /* NULL: all is sent */
    struct buffer part;             /* of a head that did not come whole */
    char *head, *kept;              /* the answer's head; content that waits */
    size_t head_len, head_seen, heads_len, kept_len;
    struct http1_body body;
    struct upstream_coding *coding; /* NULL: none */
    struct upstream_time time;
    struct carrier *next;                /* up->news */
    struct carrier *run_prev, *run_next; /* up->running, until end() */
    const char *why, *broken;            /* broken: content came before the break */
    enum carrier_state state;
    enum upstream_end end;
    bool noted;                   /* in up->news */
    bool to_head, head_told, cut; /* cut: not all of the request was sent, nor will be */
    bool closes, whole;           /* whole: the answer has come, and maybe waits */
    bool pause_wanted, holds;     /* holds: kept, or the coding's own, waits to be handed over */
};

struct http1_upstream {
    struct upstream upstream; /* first: the interface's functions come back from it */
    struct loop_stage stage;
    struct loop *loop;
    struct upstream_links links;
    struct carrier *news, *running;
    struct spares spares;
    struct upstream_counts counts;
    struct buffer out;  /* the head being sent */
    char *room, *plain; /* what is received; what it was before it was encoded, NULL: not yet */
    struct http1_field *fields;
    const struct carrier *fields_of; /* whose head they are of, NULL: nobody's */
    size_t fields_len;
};

static struct carrier *carrier_of(struct upstream_seeker *seeker)
{
    return (struct carrier *)((char *)seeker - offsetof(struct carrier, seeker));
}

static void carrier_note(struct carrier *carrier)
{
    if (carrier->noted)
        return;
    carrier->noted = true;
    carrier->next = carrier->up->news;
    carrier->up->news = carrier;
}

/* The outcome stands; end() follows in the turn. */
static void carrier_stop(struct carrier *carrier, enum upstream_end end, const char *why)
{
    if (carrier->state != CARRIER_RUNS)
        return;
    carrier->state = CARRIER_ENDED;
    carrier->end = end;
    carrier->why = why;
    upstream_links_leave(&carrier->seeker);
    carrier_note(carrier);
}

/* It broke off: whether anything was sent tells what is known of the outcome. */
static void carrier_lose(struct carrier *carrier, const char *why)
{
    carrier_stop(carrier, carrier->time.sending ? UPSTREAM_LOST : UPSTREAM_NOT_SENT, why);
}

static void carrier_timer(struct timer *timer)
{
    struct carrier *carrier =
        (struct carrier *)((char *)timer - offsetof(struct carrier, time.timer));
    const char *why = "";
    if (upstream_time_over(&carrier->time, &why))
        carrier_stop(carrier, carrier->time.sending ? UPSTREAM_TIMEOUT : UPSTREAM_NOT_SENT, why);
}

/* ---- Sending --------------------------------------------------------------------------------- */

static void carrier_watch(struct carrier *carrier)
{
    uint32_t events = EPOLLIN | EPOLLRDHUP | (carrier->unsent ? EPOLLOUT : 0);
    if (carrier->seeker.link && upstream_link_watch(carrier->seeker.link, events))
        carrier_lose(carrier, "out of memory");
}

static void carrier_seek(struct carrier *carrier)
{
    int64_t limit_us = carrier->time.connect_us;
    carrier->seeker.until_us = limit_us > 0 ? carrier->time.begun_us + limit_us : INT64_MAX;
    upstream_links_seek(carrier->origin, &carrier->seeker);
}

/* One kept connection after another, while they turn out to be closed. True: one took bytes, or
 * may yet. */
static bool send_on_kept(struct carrier *carrier, struct upstream_unsent *unsent)
{
    while (upstream_links_take(carrier->origin, &carrier->seeker)) {
        ssize_t sent = upstream_unsent_send(unsent, carrier->seeker.link->fd);
        if (sent > 0)
            upstream_time_sent(&carrier->time);
        if (sent >= 0)
            return true;
        upstream_links_give(&carrier->seeker, false);
    }
    return false;
}

/* The head lies in up->out, which the next request needs. */
static void carrier_send_first(struct carrier *carrier, const struct upstream_request *request)
{
    struct upstream_unsent unsent;
    upstream_unsent_begin(&unsent, buffer_slice(&carrier->up->out), request);
    bool found = send_on_kept(carrier, &unsent);
    if (found && upstream_unsent_is_none(&unsent))
        return;
    carrier->unsent = upstream_unsent_keep(&unsent);
    if (!carrier->unsent)
        carrier_lose(carrier, "out of memory");
    else if (found)
        carrier_watch(carrier);
    else
        carrier_seek(carrier);
}

static void unsent_drop(struct carrier *carrier)
{
    upstream_unsent_free(carrier->unsent);
    carrier->unsent = NULL;
}

/* It takes no more. If it has taken something, an answer may say why. */
static void send_failed(struct carrier *carrier)
{
    bool used = carrier->seeker.link->used;
    if (carrier->time.sending) {
        carrier->cut = true;
        unsent_drop(carrier);
        carrier_watch(carrier);
    } else if (used) {
        upstream_links_give(&carrier->seeker, false);
        carrier_seek(carrier);
    } else {
        carrier_lose(carrier, "the provider closed the connection before anything was sent");
    }
}

static void carrier_send(struct carrier *carrier)
{
    ssize_t sent = upstream_unsent_send(carrier->unsent, carrier->seeker.link->fd);
    if (sent < 0) {
        send_failed(carrier);
        return;
    }
    if (sent > 0 && !carrier->time.sending)
        upstream_time_sent(&carrier->time);
    if (upstream_unsent_is_none(carrier->unsent))
        unsent_drop(carrier);
    carrier_watch(carrier);
}

/* ---- Handing over ---------------------------------------------------------------------------- */

static void carrier_conclude(struct carrier *carrier)
{
    if (carrier->broken)
        carrier_lose(carrier, carrier->broken);
    else if (carrier->whole && carrier->coding && !upstream_coding_is_whole(carrier->coding))
        carrier_lose(carrier, "the answer's coding ends too early");
    else if (carrier->whole)
        carrier_stop(carrier, UPSTREAM_DONE, "");
}

static void carrier_keep(struct carrier *carrier, struct slice content)
{
    ASSERT(!carrier->kept);
    carrier->holds = carrier->time.paused = true;
    if (!content.len)
        return;
    carrier->kept = malloc(content.len);
    if (!carrier->kept) {
        carrier_lose(carrier, "out of memory");
        return;
    }
    memcpy(carrier->kept, content.data, content.len);
    carrier->kept_len = content.len;
}

static void give(struct carrier *carrier, struct slice bytes)
{
    if (bytes.len)
        carrier->transfer->data(carrier->transfer, bytes);
}

static bool plain_room(struct http1_upstream *up)
{
    if (!up->plain)
        up->plain = malloc(RECEIVE_ROOM);
    return up->plain != NULL;
}

/* Undoes the coding, a room at a time. What remains stays in *content. */
static void give_plain(struct carrier *carrier, struct slice *content)
{
    struct http1_upstream *up = carrier->up;
    bool more = content->len || upstream_coding_has_more(carrier->coding);
    if (!plain_room(up)) {
        carrier_lose(carrier, "out of memory");
        return;
    }
    for (int i = 0; i < PLAIN_STEPS && more && !carrier->pause_wanted; i++) {
        size_t len;
        int rc = upstream_coding_next(carrier->coding, content, up->plain, RECEIVE_ROOM, &len);
        give(carrier, (struct slice){up->plain, len});
        if (carrier->state != CARRIER_RUNS)
            return;
        if (rc) {
            carrier_lose(carrier, "the answer's coding cannot be undone");
            return;
        }
        more = content->len || upstream_coding_has_more(carrier->coding);
    }
}

static void carrier_give(struct carrier *carrier, struct slice content)
{
    bool more = false;
    carrier->holds = false;
    if (carrier->coding) {
        give_plain(carrier, &content);
        more = carrier->state == CARRIER_RUNS &&
               (content.len || upstream_coding_has_more(carrier->coding));
    } else if (carrier->pause_wanted) {
        more = content.len > 0;
    } else {
        give(carrier, content);
    }
    if (carrier->state != CARRIER_RUNS)
        return;
    if (!more) {
        carrier_conclude(carrier);
        return;
    }
    carrier_keep(carrier, content);
    if (!carrier->pause_wanted)
        carrier_note(carrier); /* in the turn, so that others come in between */
}

static void carrier_give_kept(struct carrier *carrier)
{
    char *kept = carrier->kept;
    struct slice content = {kept, carrier->kept_len};
    carrier->kept = NULL;
    carrier->kept_len = 0;
    carrier_give(carrier, content);
    free(kept);
}

/* ---- Receiving ------------------------------------------------------------------------------- */

/* What is content of bytes, which lie in up->room, moved to where the first of it is. */
static struct slice take_content(struct carrier *carrier, struct slice *bytes)
{
    char *to = NULL;
    size_t len = 0;
    while (bytes->len && !http1_body_is_whole(&carrier->body) && !carrier->broken) {
        struct slice content = {NULL, 0};
        if (http1_body_next(&carrier->body, bytes, &content))
            carrier->broken = "the answer's chunks are none, or too long";
        if (!content.len)
            continue;
        if (!to)
            to = carrier->up->room + (content.data - carrier->up->room);
        else if (content.data != to + len)
            memmove(to + len, content.data, content.len);
        len += content.len;
    }
    return (struct slice){to, len};
}

static void receive_body(struct carrier *carrier, struct slice bytes)
{
    struct slice content = take_content(carrier, &bytes);
    carrier->whole = !carrier->broken && http1_body_is_whole(&carrier->body);
    if (carrier->whole || carrier->broken)
        upstream_links_give(&carrier->seeker, carrier->whole && !carrier->closes && !bytes.len &&
                                                  !carrier->unsent && !carrier->cut);
    carrier_give(carrier, content);
}

static int keep_head(struct carrier *carrier, struct slice head)
{
    carrier->head = malloc(head.len);
    if (!carrier->head)
        return METE_E_MEMORY;
    memcpy(carrier->head, head.data, head.len);
    carrier->head_len = head.len;
    carrier->up->fields_of = carrier;
    buffer_done(&carrier->part);
    return 0;
}

/* Why an answer is none that can be read; NULL: it can. */
static const char *prepare_body(struct carrier *carrier, const struct http1_head *head)
{
    const struct slice name = SLICE_LITERAL("content-encoding");
    const struct slice text = {carrier->head, carrier->head_len};
    if (head->has_unknown_coding)
        return "the answer's transfer coding is not known here";
    http1_body_begin(&carrier->body, head);
    carrier->closes = head->closes;
    if (http1_body_is_whole(&carrier->body))
        return NULL;
    const struct http1_field *field = http1_field(text, head, name);
    int rc = upstream_coding_new(http1_value(text, field), &carrier->coding);
    if (rc == METE_E_MEMORY)
        return "out of memory";
    return rc || http1_fields_named(text, head, name) > 1
               ? "the answer's content coding is not known here"
               : NULL;
}

static void tell_head(struct carrier *carrier, const struct http1_head *head)
{
    struct upstream_transfer *transfer = carrier->transfer;
    carrier->head_told = true;
    transfer->body_sent = !carrier->unsent && !carrier->cut;
    transfer->ends_by_close = head->framing == HTTP1_TO_CLOSE;
    /* It will not read what it has refused. */
    if (carrier->unsent && head->status >= 400) {
        carrier->cut = true;
        unsent_drop(carrier);
        carrier_watch(carrier);
    }
    transfer->head(transfer, head->status);
}

/* A whole head. An interim one leaves nothing behind. */
static void take_head(struct carrier *carrier, struct slice text)
{
    struct http1_upstream *up = carrier->up;
    struct http1_head head = {.fields = up->fields, .fields_room = FIELDS_MAX};
    const char *why = NULL;
    up->fields_of = NULL;
    int rc = http1_read_answer(text, carrier->to_head, &head);
    carrier->heads_len += text.len;
    carrier->head_seen = 0;
    up->fields_len = head.fields_len;
    if (rc)
        why = rc == METE_E_TOO_LARGE ? "the answer has too many headers"
                                     : "the answer is no HTTP/1.1";
    else if (head.status == 101)
        why = "the provider wants another protocol";
    else if (head.status < 200)
        buffer_done(&carrier->part);
    else if (keep_head(carrier, text))
        why = "out of memory";
    else
        why = prepare_body(carrier, &head);
    if (why)
        carrier_lose(carrier, why);
    else if (head.status >= 200)
        tell_head(carrier, &head);
}

/* Takes a head from the front of *bytes, which are consumed also where it is not whole yet. */
static void receive_head(struct carrier *carrier, struct slice *bytes)
{
    struct slice text = *bytes;
    int rc = 0;
    if (carrier->part.len) {
        rc = buffer_append(&carrier->part, *bytes);
        text = buffer_slice(&carrier->part);
    }
    size_t len = rc ? 0 : http1_head_len(text, &carrier->head_seen);
    size_t rest = len ? text.len - len : 0;
    *bytes = slice_from(*bytes, bytes->len - rest);
    if (rc == METE_E_MEMORY) {
        carrier_lose(carrier, "out of memory");
    } else if (rc || carrier->heads_len + (len ? len : text.len) > LIMIT_UPSTREAM_HEADS) {
        carrier_lose(carrier, "the answer's headers are larger than they may be");
    } else if (len) {
        take_head(carrier, slice_part(text, 0, len));
    } else if (!carrier->part.len) {
        buffer_init(&carrier->part, LIMIT_UPSTREAM_HEADS + RECEIVE_ROOM);
        if (buffer_append(&carrier->part, text))
            carrier_lose(carrier, "out of memory");
    }
}

static void receive_end(struct carrier *carrier)
{
    if (!carrier->head_told) {
        carrier_lose(carrier, carrier->time.byte_us
                                  ? "the provider closed the connection in the answer's head"
                                  : "the provider closed the connection without an answer");
    } else if (http1_body_ends(&carrier->body)) {
        carrier->whole = true;
        carrier_conclude(carrier);
    } else {
        carrier_lose(carrier, "the provider closed the connection in the midst of the answer");
    }
}

static void carrier_receive(struct carrier *carrier)
{
    struct http1_upstream *up = carrier->up;
    ssize_t len = recv(carrier->seeker.link->fd, up->room, RECEIVE_ROOM, MSG_DONTWAIT);
    if (len < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            carrier_lose(carrier, "the connection broke");
        return;
    }
    if (len == 0) {
        receive_end(carrier);
        return;
    }
    struct slice bytes = {up->room, (size_t)len};
    upstream_time_byte(&carrier->time, loop_now_us(up->loop));
    while (!carrier->head_told && bytes.len && carrier->state == CARRIER_RUNS)
        receive_head(carrier, &bytes);
    if (carrier->head_told && carrier->state == CARRIER_RUNS)
        receive_body(carrier, bytes);
}

/* ---- What the links call --------------------------------------------------------------------- */

static void link_found(struct upstream_seeker *seeker)
{
    carrier_send(carrier_of(seeker));
}

static void link_missed(struct upstream_seeker *seeker, const char *why)
{
    carrier_stop(carrier_of(seeker), UPSTREAM_NOT_SENT, why);
}

/* While nothing can be handed over the socket is left alone, and the provider feels it. It goes out
 * of the loop altogether, which would tell of a break again and again. */
static void link_ready(struct upstream_link *link, uint32_t events)
{
    struct carrier *carrier = carrier_of(link->seeker);
    if ((events & EPOLLOUT) && carrier->unsent)
        carrier_send(carrier);
    if (!(events & ~(uint32_t)EPOLLOUT) || carrier->seeker.link != link)
        return;
    if (!carrier->pause_wanted && !carrier->holds) {
        carrier_receive(carrier);
        return;
    }
    carrier->time.paused = true;
    if (upstream_link_watch(link, carrier->unsent ? EPOLLOUT : UPSTREAM_UNWATCHED))
        carrier_lose(carrier, "out of memory");
}

/* ---- What the gateway calls ------------------------------------------------------------------ */

bool upstream_http1_takes(const struct upstream_request *request)
{
    const struct upstream_wire *wire = request->wire;
    bool proxy = wire && wire->proxy && *wire->proxy;
    return !proxy && !(wire && wire->http == UPSTREAM_HTTP_2) &&
           upstream_url_is_plain(request->url);
}

static void carrier_begin(struct carrier *carrier, const struct upstream_request *request,
                          struct upstream_transfer *transfer)
{
    struct http1_upstream *up = carrier->up;
    carrier->way = &up->upstream;
    carrier->transfer = transfer;
    carrier->to_head = !strcmp(request->method, "HEAD");
    carrier->time.timer.fire = carrier_timer;
    carrier->time.timers = loop_timers(up->loop);
    upstream_time_begin(&carrier->time, request);
    transfer->carrier = carrier;
    carrier->run_next = up->running;
    if (carrier->run_next)
        carrier->run_next->run_prev = carrier;
    up->running = carrier;
    up->counts.open++;
    up->counts.transfers++;
}

static int carrier_new(struct http1_upstream *up, const struct upstream_request *request,
                       const struct upstream_url *url, struct upstream_transfer *transfer)
{
    struct upstream_origin *origin = upstream_links_origin(&up->links, request->wire, url);
    struct carrier *carrier = origin ? spares_take(&up->spares) : NULL;
    if (!carrier)
        return METE_E_BUSY;
    *carrier = (struct carrier){.up = up, .origin = origin};
    carrier_begin(carrier, request, transfer);
    carrier_send_first(carrier, request);
    upstream_time_watch(&carrier->time);
    return 0;
}

static int transfer_start(struct upstream *upstream, const struct upstream_request *request,
                          struct upstream_transfer *transfer)
{
    struct http1_upstream *up = (struct http1_upstream *)upstream;
    struct upstream_url url;
    ASSERT(up->out.len == 0);
    if (upstream_url_read(request->url, &url))
        return METE_E_INVALID;
    int rc = upstream_head_write(&up->out, request, &url);
    if (!rc)
        rc = carrier_new(up, request, &url, transfer);
    if (up->out.len)
        explicit_bzero(up->out.data, up->out.len); /* one of its fields is a credential */
    buffer_clear(&up->out);
    return rc && rc != METE_E_INVALID ? METE_E_BUSY : rc;
}

static struct carrier *carrier_in(struct upstream *upstream, struct upstream_transfer *transfer)
{
    struct carrier *carrier = transfer->carrier;
    ASSERT(carrier->way == upstream && carrier->transfer == transfer);
    return carrier;
}

static void transfer_cancel(struct upstream *upstream, struct upstream_transfer *transfer)
{
    carrier_stop(carrier_in(upstream, transfer), UPSTREAM_CANCELLED, "cancelled");
}

static void transfer_pause(struct upstream *upstream, struct upstream_transfer *transfer,
                           bool paused)
{
    struct carrier *carrier = carrier_in(upstream, transfer);
    carrier->pause_wanted = paused;
    if (!paused && (carrier->time.paused || carrier->holds))
        carrier_note(carrier);
}

static struct slice transfer_header(struct upstream *upstream, struct upstream_transfer *transfer,
                                    const char *name)
{
    struct http1_upstream *up = (struct http1_upstream *)upstream;
    const struct carrier *carrier = carrier_in(upstream, transfer);
    const struct slice text = {carrier->head, carrier->head_len};
    struct http1_head head = {.fields = up->fields, .fields_room = FIELDS_MAX};
    if (!carrier->head)
        return (struct slice){NULL, 0};
    if (up->fields_of == carrier) {
        head.fields_len = up->fields_len;
    } else {
        int rc = http1_read_answer(text, carrier->to_head, &head);
        ASSERT(rc == 0); /* it was read before */
        up->fields_of = carrier;
        up->fields_len = head.fields_len;
    }
    return http1_value(text, http1_field(text, &head, slice_of(name)));
}

/* ---- The turn -------------------------------------------------------------------------------- */

static void carrier_put(struct carrier *carrier)
{
    struct http1_upstream *up = carrier->up;
    ASSERT(!carrier->seeker.link && !carrier->seeker.waits && !carrier->noted);
    unsent_drop(carrier);
    upstream_coding_free(carrier->coding);
    buffer_done(&carrier->part);
    free(carrier->head);
    free(carrier->kept);
    if (up->fields_of == carrier)
        up->fields_of = NULL;
    spares_give(&up->spares, carrier);
}

static void carrier_tell_end(struct carrier *carrier)
{
    struct http1_upstream *up = carrier->up;
    carrier->time.timers->stop(carrier->time.timers, &carrier->time.timer);
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

/* It goes on after a pause, or with what one turn did not get done. */
static void carrier_go_on(struct carrier *carrier)
{
    carrier->time.byte_us = loop_now_us(carrier->up->loop);
    if (carrier->holds)
        carrier_give_kept(carrier);
    if (carrier->state != CARRIER_RUNS || carrier->holds || carrier->pause_wanted)
        return;
    carrier->time.paused = false;
    carrier_watch(carrier);
}

static bool upstream_news(struct http1_upstream *up)
{
    struct carrier *carrier = up->news;
    bool any = carrier != NULL;
    up->news = NULL;
    while (carrier) {
        struct carrier *next = carrier->next;
        carrier->noted = false;
        if (carrier->state == CARRIER_ENDED)
            carrier_tell_end(carrier);
        else if (!carrier->pause_wanted)
            carrier_go_on(carrier);
        carrier = next;
    }
    return any;
}

static bool upstream_turn(struct loop_stage *stage, int64_t *deadline_us)
{
    struct http1_upstream *up =
        (struct http1_upstream *)((char *)stage - offsetof(struct http1_upstream, stage));
    (void)deadline_us;
    bool progress = upstream_news(up);
    progress |= upstream_links_turn(&up->links);
    progress |= upstream_news(up);
    return progress;
}

/* ---- Life ------------------------------------------------------------------------------------ */

int upstream_http1_open(struct loop *loop, struct workers *workers, struct upstream **ret_upstream)
{
    struct http1_upstream *up = calloc(1, sizeof *up);
    char *at;
    if (!up)
        return METE_E_MEMORY;
    up->upstream =
        (struct upstream){transfer_start, transfer_cancel, transfer_pause, transfer_header};
    up->loop = loop;
    up->links = (struct upstream_links){
        .loop = loop, .workers = workers, .user = {link_found, link_missed, link_ready}};
    up->stage.turn = upstream_turn;
    spares_init(&up->spares, sizeof(struct carrier), SPARES_MAX);
    loop_append(loop, &up->stage);
    up->room = malloc(RECEIVE_ROOM);
    up->fields = malloc(FIELDS_MAX * sizeof *up->fields);
    buffer_init(&up->out, REQUEST_HEAD_MAX);
    /* All of it at once: a buffer that grows would leave credentials behind. */
    if (!up->room || !up->fields || buffer_reserve(&up->out, REQUEST_HEAD_MAX, &at)) {
        upstream_http1_close(&up->upstream);
        return METE_E_MEMORY;
    }
    *ret_upstream = &up->upstream;
    return 0;
}

void upstream_http1_call_off(struct upstream *upstream)
{
    struct http1_upstream *up = (struct http1_upstream *)upstream;
    for (struct carrier *each = up->running; each; each = each->run_next)
        carrier_lose(each, "the server stops");
}

void upstream_http1_close(struct upstream *upstream)
{
    struct http1_upstream *up = (struct http1_upstream *)upstream;
    if (!up)
        return;
    ASSERT(up->counts.open == 0 && !up->news);
    upstream_links_done(&up->links);
    loop_remove(up->loop, &up->stage);
    spares_done(&up->spares);
    buffer_done(&up->out);
    free(up->room);
    free(up->plain);
    free(up->fields);
    free(up);
}

void upstream_http1_counts(const struct upstream *upstream, struct upstream_counts *ret_counts)
{
    const struct http1_upstream *up = (const struct http1_upstream *)upstream;
    *ret_counts = up->counts;
    ret_counts->connects = up->links.connects;
}
