/* SPDX-License-Identifier: Apache-2.0
 * The server put together: engine, directory, prices, gateway, API and listeners on one event loop
 * that is also the ledger's owner. One a process: it takes SIGTERM and SIGINT. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "server/config.h"
#include "server/home.h"

struct server;

/* Recovers, then listens: when it returns, calls are answered as soon as server_run() runs. config
 * is borrowed. Errors of mete_open(), listener_open(), home_open(); ret_detail says which part. */
METE_MUST_USE int server_open(const struct config *config, struct server **ret_server,
                              char ret_detail[512]);
const struct home *server_home(const struct server *server);
const char *server_address(const struct server *server);
bool server_has_tls(const struct server *server);
const char *server_metrics_address(const struct server *server); /* "": none */

/* Until a signal; then open calls may finish for config->stop_timeout_ms, and what is open after
 * that (or at a second signal) is ended. */
void server_run(struct server *server);
void server_close(struct server *server);

/* Creates the example organization in an engine that has no entries yet; ret_made says whether. For
 * the calling thread's own port. */
METE_MUST_USE int server_make_example(struct mete_port *port, bool *ret_made);

#endif
