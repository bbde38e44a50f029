/* SPDX-License-Identifier: Apache-2.0
 * loop [DIRECTORY] - the engine in a program's own event loop. With METE_OWNER_CALLER no thread of
 * the engine's decides; the loop does, in mete_turn(), and an answer needs two wake-ups less.
 * poll() watches the port, readable when answers are there, and an eventfd that the engine rings
 * when something happened elsewhere. A hundred calls are under way at once; one flush carries many.
 *
 *   cc loop.c $(pkg-config --cflags --libs mete) -o loop */
#include <mete.h>

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { CALLS = 100, ALLOWED = 60 };

struct call {
    struct mete_op op; /* the engine's from mete_submit() until done() */
    struct mete_demand demand;
    struct mete_usage usage;
};

static struct mete *mete;
static struct mete_port *port;
static struct mete_scope_id organization;
static int under_way, charged, refused;

static void must(int error, const char *what)
{
    if (error) {
        fprintf(stderr, "%s: %s\n", what, mete_error_text(error));
        exit(1);
    }
}

static void submit(struct call *call)
{
    struct mete_op *op = &call->op;
    if (mete_submit(port, &op, 1) != 1) /* a ring holds thousands */
        must(METE_E_BUSY, "submit");
}

/* ---- One call: reserved, then charged ---- */

static void committed(struct mete_op *op)
{
    must(op->status, "commit");
    charged++;
    under_way--;
}

static void reserved(struct mete_op *op)
{
    struct call *call = op->user;
    must(op->status, "reserve");
    if (!op->result.verdict.allowed) {
        refused++;
        under_way--;
        return;
    }
    struct mete_reservation_id reservation = op->result.verdict.reservation;
    call->usage = (struct mete_usage){.meter = METE_REQUESTS, .amount = 1};
    *op = (struct mete_op){
        .kind = METE_OP_COMMIT,
        .args.commit = {.reservation = reservation, .usage = &call->usage, .usage_len = 1},
        .done = committed,
        .user = call};
    submit(call);
}

static void begin(struct call *call)
{
    call->demand = (struct mete_demand){.meter = METE_REQUESTS, .fixed = 1};
    call->op = (struct mete_op){.kind = METE_OP_RESERVE,
                                .args.reserve = {.scope = organization,
                                                 .demands = &call->demand,
                                                 .demands_len = 1,
                                                 .ttl_ms = 60000},
                                .done = reserved,
                                .user = call};
    under_way++;
    submit(call);
}

/* ---- The loop ---- */

static void wake(void *user) /* from any thread */
{
    uint64_t one = 1;
    ssize_t written = write(*(int *)user, &one, sizeof one);
    (void)written; /* full: then it is readable anyway */
}

static int wait_ms(struct mete_instant next)
{
    if (next.us == INT64_MAX)
        return -1;
    int64_t ms = (next.us - mete_now(mete).us) / 1000 + 1;
    return ms < 0 ? 0 : (ms > INT_MAX ? INT_MAX : (int)ms);
}

static void loop(int bell)
{
    struct pollfd watched[] = {{.fd = mete_port_fd(port), .events = POLLIN},
                               {.fd = bell, .events = POLLIN}};
    while (under_way > 0) {
        struct mete_instant next;
        mete_turn(mete, &next); /* once in each round: takes what was submitted, decides */
        if (poll(watched, 2, wait_ms(next)) < 0)
            continue; /* interrupted */
        uint64_t rung;
        if (watched[1].revents && read(bell, &rung, sizeof rung) < 0)
            continue;
        mete_poll(port, CALLS); /* calls done() of what is answered */
    }
}

static void administer(void)
{
    struct mete_change changes[] = {
        {.kind = METE_PUT_SCOPE, .scope = {.kind = METE_ORGANIZATION, .id = {"acme", 4}}},
        {.kind = METE_PUT_BUDGET,
         .budget = {.id = {"calls", 5},
                    .scope = {METE_FROM_CHANGE(0)},
                    .meter = METE_REQUESTS,
                    .limit = ALLOWED,
                    .period = METE_TOTAL}},
    };
    struct mete_apply apply = {.changes = changes, .len = 2, .actor = {"loop", 4}};
    struct mete_applied applied;
    uint32_t handles[2];
    must(mete_apply(port, &apply, handles, &applied), "administration");
    organization.n = handles[0];
}

int main(int argc, char **argv)
{
    static struct call calls[CALLS];
    int bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct mete_options options = {.directory = argc > 1 ? argv[1] : NULL,
                                   .owner = METE_OWNER_CALLER,
                                   .wake = wake,
                                   .wake_user = &bell};
    must(mete_open(&options, &mete), "open");
    must(mete_port_open(mete, &port), "port");
    administer();
    for (int i = 0; i < CALLS; i++)
        begin(&calls[i]);
    loop(bell);
    printf("%d charged, %d refused\n", charged, refused);
    mete_port_close(port);
    mete_close(mete);
    close(bell);
    return 0;
}
