/* SPDX-License-Identifier: Apache-2.0
 * The gateway: answers /v1/... exchanges by asking a provider, with the money set aside first.
 *
 * ONE CALL  key check -> dialect reads model, stream, bounds -> pricing makes the worst case ->
 *   mete reserve -> (durable) -> upstream -> filters: decode, meter, rewrite -> mete commit with
 * the real usage -> (durable) -> last byte to the client. PROMISES  no provider is asked before the
 * reservation is durable (INV-05); every reservation ends exactly once (INV-03), also when the
 * client leaves, the provider breaks off, or nothing reports usage; nothing of a prompt or key is
 * kept (INV-13). State lives per call in one struct. THREAD one event loop. It never blocks. */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "base/timer.h"
#include "codec/exchange.h"
#include "directory/directory.h"
#include "gateway/upstream.h"
#include "mete.h"
#include "pricing/pricing.h"

enum { GATEWAY_PROVIDERS_MAX = 32, GATEWAY_GLOBS_MAX = 64 };

struct gateway_provider {
    const char *name;
    const char *base_url;   /* without a trailing slash: "https://api.openai.com/v1" */
    const char *credential; /* sent as Authorization: Bearer; "" sends none */
    const char
        *models[GATEWAY_GLOBS_MAX]; /* globs with *; the first provider that matches answers */
    size_t models_len;              /* 0: every model */
};

enum gateway_disconnect { GATEWAY_DRAIN = 0, GATEWAY_CANCEL };

struct gateway_config {
    struct gateway_provider providers[GATEWAY_PROVIDERS_MAX];
    size_t providers_len;
    enum gateway_disconnect disconnect; /* what becomes of a call whose client left */
    bool clamp;                         /* lower max tokens to what is affordable; else refuse */
    int64_t floor_tokens;               /* fewest output tokens worth calling for */
    int64_t default_output_tokens;      /* when neither the caller nor the price list bounds them */
    int64_t connect_timeout_ms, first_byte_timeout_ms, idle_timeout_ms, total_timeout_ms;
    int64_t response_max; /* bytes of a plain response or of one event */
};

/* One call is over: for the log and the metrics. Slices die when the function returns. */
struct gateway_call_done {
    uint64_t exchange;
    struct slice request_id, model, provider;
    struct mete_scope_id scope;
    enum mete_ending ending;
    enum mete_reason refused; /* METE_REASON_NONE: it was let through */
    int status;               /* what the client got */
    int upstream_status;
    bool stream;
    int64_t cost_nano;
    struct pricing_usage usage;
    uint32_t latency_ms, first_token_ms;
    uint64_t record;
};

struct gateway_parts {
    const struct mete *mete; /* for mete_now() */
    struct mete_port *port;  /* the loop's: somebody polls it */
    const struct directory *directory;
    const struct pricing *pricing;
    struct upstream *upstream;
    struct timers *timers;
    void (*call_done)(void *user, const struct gateway_call_done *done); /* may be NULL */
    void *user;
};

struct gateway_counts {
    uint64_t open, streams_open, calls, refused, drained;
};

struct gateway;

/* config is borrowed for the gateway's life. METE_E_MEMORY. */
METE_MUST_USE int gateway_new(const struct gateway_parts *parts,
                              const struct gateway_config *config, struct gateway **ret_gateway);
void gateway_free(struct gateway *gateway); /* no call may be open */
struct exchange_handler gateway_handler(struct gateway *gateway);
void gateway_counts(const struct gateway *gateway, struct gateway_counts *ret_counts);

#endif
