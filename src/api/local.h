/* SPDX-License-Identifier: Apache-2.0
 * The API with an engine of its own and no socket: for the command when no server runs, and for
 * tests. Calls go through the same handler as those of a listener, as exchanges in memory.
 * THREAD one, which is loop, owner and worker at once; it waits where a server would not. */
#ifndef API_LOCAL_H
#define API_LOCAL_H

#include "api/api.h"
#include "base/buffer.h"

struct local_options {
    const char *directory;   /* of the data; borrowed */
    uint8_t secret[32];      /* of the installation (directory.h) */
    const char *admin_token; /* what a call shows to be the admin; borrowed */
    struct mete_clock clock; /* as mete_options has it */
    struct vault *vault;     /* of the directory, borrowed; NULL: there is no sealing key */
    struct api_budget_defaults budgets;
};

struct local;

/* Errors of mete_open(), directory_new(), directory_load(), api_new(). */
METE_MUST_USE int local_open(const struct local_options *options, struct local **ret_local);
void local_close(struct local *local); /* NULL is legal */

/* One call. Zero it, set what is asked, start it; status is 0 until it has been answered. */
struct local_call {
    struct exchange exchange;
    const char *method, *target; /* "/api/v1/records?limit=1" */
    struct slice authorization;  /* the header, "Bearer ..."; empty: none is sent */
    struct slice body;
    const struct exchange_header *headers; /* others that are sent */
    size_t headers_len;
    int status;
    struct buffer reply;  /* local_call_done() frees it */
    bool problem;         /* the reply is application/problem+json */
    char allow[64];       /* header Allow, if there was one */
    char etag[32];        /* ETag */
    char next_cursor[32]; /* Next-Cursor */
    bool replayed;        /* Idempotency-Replayed */
    char cookie[192];     /* Set-Cookie */
    char retry_after[16]; /* Retry-After */
};

void local_start(struct local *local, struct local_call *call);
/* Until every started call is answered. */
void local_wait(struct local *local);
/* Start and wait. */
void local_ask(struct local *local, struct local_call *call);
void local_call_done(struct local_call *call);

struct mete *local_mete(struct local *local);
struct mete_port *local_port(struct local *local);

#endif
