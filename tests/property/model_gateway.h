/* SPDX-License-Identifier: Apache-2.0
 * A gateway on a bench: a real engine in memory, real prices and keys; around it clients, a
 * provider and a clock that do what a test says, when it says it. One thread; the bench turns the
 * engine. Faults of the bench itself are asserted: it is used where cmocka may not be. */
#ifndef TESTS_MODEL_GATEWAY_H
#define TESTS_MODEL_GATEWAY_H

#include "base/buffer.h"
#include "directory/directory.h"
#include "gateway/gateway.h"

enum { BENCH_CLIENTS = 64, BENCH_HEADERS = 16 };

/* "bench-model": 1 and 2 USD a million in and out, cached input half, 1000 tokens at most, by
 * "openai". "open-model": the same, no known maximum, by "other". "dear-model": no price. "gpt-4o":
 * as bench-model, and its tokens can be counted. "claude-haiku-4-5": the same, and they cannot. */

struct bench;

struct client {
    struct exchange exchange; /* first */
    struct bench *bench;
    const char *names[BENCH_HEADERS], *values[BENCH_HEADERS]; /* of the request; ends with NULL */
    char request[1024];
    struct buffer body; /* a block of its own, so that ASan sees who reads it when it is gone */
    int status;
    struct buffer headers; /* "name: value\n" of the reply, behind a first "\n" */
    struct buffer got;
    size_t queue; /* what write() shall say waits */
    int replies;  /* reply() or finish(): must become 1 */
    bool started, gone;

    /* The provider's side of it. */
    struct upstream_transfer *transfer; /* NULL: not asked, or over */
    struct buffer asked;                /* body as sent */
    struct buffer asked_headers;
    const char *content_type;
    int times_asked;
    bool paused, cancelled;
};

struct bench_setup {
    int64_t limit_nano; /* of the organization's budget on cost, a day; 0: 1000 USD */
    bool cancel, no_clamp, no_count;
    uint32_t key_calls_max;
    int64_t response_max;  /* 0: 64 KiB */
    bool no_connection;    /* start() fails */
    bool reasons;          /* the models may make output that is not shown */
    const char *family;    /* of the provider; NULL: "openai" */
    const char *priced_as; /* NULL: its name */
    bool workers;          /* there are some; they work when the bench turns */
    bool counters;         /* the same of those who share in counting */
    const char *catch_all; /* name of the one provider, without globs; NULL: "main", with some */
    const char *directory; /* of the data, with records; NULL: all in memory */
    struct mete_clock clock;
};

struct bench {
    struct mete *mete;
    struct mete_port *port;
    struct directory *directory;
    struct pricing *pricing;
    struct price_book *prices; /* over that, empty */
    struct gateway_config config;
    struct gateway *gateway;
    struct upstream upstream;
    struct timers timers;
    struct timer *timer[BENCH_CLIENTS]; /* set ones */
    const char *data;                   /* its directory */
    struct workers workers, counters;
    struct work *works;                 /* submitted, the first one first */
    int shared;                         /* that the counters were given */
    bool works_full;                    /* no more is taken */
    bool works_wait;                    /* none is done; bench_begin() does not wait for it */
    void (*grant)(struct bench *bench); /* what is due, once a quota refused; NULL: nothing is */
    struct timer granted;
    struct work *waits; /* for it */
    int64_t now_us;
    bool no_connection, reasons;
    struct client clients[BENCH_CLIENTS];
    size_t clients_len;
    char key[KEY_TEXT + 1], revoked_key[KEY_TEXT + 1],
        narrow_key[KEY_TEXT + 1]; /* narrow: bench-* */
    struct mete_budget_id budget;
    struct mete_scope_id organization, scope;
    struct gateway_call_done done; /* the last one; its slices are dead */
    int dones;
    int64_t cost_sum;                 /* of all calls that ended */
    int64_t costs[BENCH_CLIENTS + 1]; /* by the exchange's id */
};

void bench_open(struct bench *bench, const struct bench_setup *setup);
/* Asserts that every client got exactly one end, nothing is held, and frees all. */
void bench_close(struct bench *bench);

/* A client with the bench's key that posts body to chat completions; turns the engine until the
 * provider was asked or the client was answered. */
struct client *bench_post(struct bench *bench, const char *body);
/* The same in two steps, to set headers, method, path between them. */
struct client *bench_client(struct bench *bench, const char *body);
void bench_begin(struct client *client);
void bench_header(struct client *client, const char *name, const char *value);

/* What the provider does. Pieces are delivered as they are. */
void bench_head(struct client *client, int status, const char *content_type);
void bench_data(struct client *client, struct slice bytes);
void bench_text(struct client *client, const char *text);
/* Ends the transfer and turns the engine until the client was answered. */
void bench_end(struct client *client, enum upstream_end end);
void bench_gone(struct client *client);
/* Turns the engine until nothing moves and timers have fired. */
void bench_turn(struct bench *bench);

bool bench_reply_has(const struct client *client, const char *header, const char *value);
void bench_budget(struct bench *bench, struct mete_budget_view *ret_view);
/* Submits and waits. */
void bench_do(struct bench *bench, struct mete_op *op);

#endif
