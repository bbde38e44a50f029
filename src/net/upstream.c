/* SPDX-License-Identifier: Apache-2.0
 * The chooser. What carries a transfer begins with a pointer to the way it went, so that nobody
 * looks anything up. */
#include "net/upstream.h"

#include "base/assert.h"
#include "base/limits.h"
#include "net/upstream_curl.h"
#include "net/upstream_http1.h"

#include <stdlib.h>

struct ways {
    struct upstream upstream; /* first: the interface's functions come back from it */
    struct upstream *http1, *curl;
};

static struct upstream *way_of(const struct upstream_transfer *transfer)
{
    return *(struct upstream **)transfer->carrier;
}

static int transfer_start(struct upstream *upstream, const struct upstream_request *request,
                          struct upstream_transfer *transfer)
{
    struct ways *ways = (struct ways *)upstream;
    struct upstream *way = upstream_http1_takes(request) ? ways->http1 : ways->curl;
    struct upstream_counts counts;
    upstream_counts(upstream, &counts);
    return counts.open < LIMIT_TRANSFERS ? way->start(way, request, transfer) : METE_E_BUSY;
}

static void transfer_cancel(struct upstream *upstream, struct upstream_transfer *transfer)
{
    struct upstream *way = way_of(transfer);
    (void)upstream;
    way->cancel(way, transfer);
}

static void transfer_pause(struct upstream *upstream, struct upstream_transfer *transfer,
                           bool paused)
{
    struct upstream *way = way_of(transfer);
    (void)upstream;
    way->pause(way, transfer, paused);
}

static struct slice transfer_header(struct upstream *upstream, struct upstream_transfer *transfer,
                                    const char *name)
{
    struct upstream *way = way_of(transfer);
    (void)upstream;
    return way->header(way, transfer, name);
}

int upstream_open(struct loop *loop, struct workers *workers, struct upstream **ret_upstream)
{
    struct ways *ways = calloc(1, sizeof *ways);
    if (!ways)
        return METE_E_MEMORY;
    ways->upstream =
        (struct upstream){transfer_start, transfer_cancel, transfer_pause, transfer_header};
    int error = upstream_http1_open(loop, workers, &ways->http1);
    if (!error)
        error = upstream_curl_open(loop, &ways->curl);
    if (error) {
        upstream_close(&ways->upstream);
        return error;
    }
    *ret_upstream = &ways->upstream;
    return 0;
}

void upstream_call_off(struct upstream *upstream)
{
    struct ways *ways = (struct ways *)upstream;
    upstream_http1_call_off(ways->http1);
    upstream_curl_call_off(ways->curl);
}

void upstream_close(struct upstream *upstream)
{
    struct ways *ways = (struct ways *)upstream;
    if (!ways)
        return;
    upstream_curl_close(ways->curl);
    upstream_http1_close(ways->http1);
    free(ways);
}

void upstream_counts(const struct upstream *upstream, struct upstream_counts *ret_counts)
{
    const struct ways *ways = (const struct ways *)upstream;
    struct upstream_counts curl;
    upstream_http1_counts(ways->http1, ret_counts);
    upstream_curl_counts(ways->curl, &curl);
    ret_counts->transfers += curl.transfers;
    ret_counts->connects += curl.connects;
    ret_counts->open += curl.open;
}
