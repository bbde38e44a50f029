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

#include "base/buffer.h"
#include "base/limits.h"
#include "base/timer.h"
#include "base/work.h"
#include "codec/exchange.h"
#include "directory/directory.h"
#include "directory/models.h"
#include "gateway/upstream.h"
#include "mete.h"
#include "pricing/book.h"

enum { GATEWAY_PROVIDERS_MAX = 32, GATEWAY_GLOBS_MAX = 64 };

/* A path of a provider's that is let through unread, at a price for each call (INV-11). */
struct gateway_pass {
    const char *path;   /* "/v1/rerank"; at its end * for anything more */
    char methods[40];   /* "GET, POST" */
    struct price price; /* over 0 */
    uint32_t currency;
};

struct gateway_provider {
    const char *name;
    const char *priced_as;  /* its name in the price list; NULL: the same */
    const char *family;     /* dialect/families.c; NULL: "openai" */
    const char *base_url;   /* without a trailing slash: "https://api.openai.com/v1"; {model} in it
                               is replaced, a query is put behind the path */
    const char *credential; /* the first, sent as Authorization: Bearer; NULL or "" sends none */
    const char *models[GATEWAY_GLOBS_MAX]; /* globs with *, or "NAME=ITS NAME THERE" */
    size_t models_len;                     /* 0: every model */
    uint64_t speaks;    /* a bit for each format, by dialect_named(); 0: all of its family */
    uint32_t weight;    /* of calls, with GATEWAY_BY_WEIGHT */
    uint32_t calls_max; /* under way at once; 0: no limit */
    uint32_t requests_per_minute;      /* 0: no limit */
    struct upstream_wire wire;         /* how it is reached */
    const struct gateway_pass *passes; /* no two of one path */
    size_t passes_len;
};

enum gateway_disconnect { GATEWAY_DRAIN = 0, GATEWAY_CANCEL };
enum gateway_choose { GATEWAY_BY_ORDER = 0, GATEWAY_BY_WEIGHT, GATEWAY_BY_PRICE };

struct gateway_config {
    struct gateway_provider providers[GATEWAY_PROVIDERS_MAX];
    size_t providers_len;
    enum gateway_choose choose; /* among those that answer a model */
    uint32_t fallbacks;         /* other providers that one call may be taken to */
    uint32_t retries;           /* how often it may be asked of the same again */
    uint32_t retry_percent;     /* second tries, of first ones */
    int64_t retry_delay_ms;     /* before the first retry; doubled for each */
    bool retry_unknown;         /* also after an attempt of unknown outcome, which stays charged */
    uint32_t breaker_failures;  /* in a row, after which a provider is left alone; 0: never */
    int64_t breaker_pause_ms;
    uint32_t key_calls_max;             /* calls of one key at once; 0: no limit */
    enum gateway_disconnect disconnect; /* what becomes of a call whose client left */
    int64_t drain_timeout_ms;           /* how long it may then go on; 0: as long as any call */
    bool clamp;                         /* lower max tokens to what is affordable; else refuse */
    bool draft_unknown;                 /* tell of models that are not known (unknown_model) */
    bool count_tokens;                  /* of inputs and streams; else bytes bound both */
    int64_t floor_tokens;               /* fewest output tokens worth calling for */
    int64_t default_output_tokens;      /* when neither the caller nor the price list bounds them */
    int64_t connect_timeout_ms, first_byte_timeout_ms, idle_timeout_ms, total_timeout_ms;
    int64_t response_max; /* bytes of a plain response or of one event */
};

/* One call is over: for the log and the metrics. Slices die when the function returns; an empty one
 * and a 0 are not known, and left out of the log. */
struct gateway_call_done {
    uint64_t exchange;
    struct slice request_id, model, provider;
    struct slice operation;      /* as OpenTelemetry's GenAI conventions name it: "chat" */
    struct slice vendor;         /* the same, of the provider: "openai", "gcp.vertex_ai" */
    struct slice response_model; /* as the provider named it */
    struct slice server_address; /* the provider's host */
    struct slice error_type;     /* empty: made of status, refused and ending */
    struct slice trace_id, span_id, parent_span_id;
    int server_port;
    int attempts; /* how often a provider was asked */
    struct mete_scope_id scope;
    enum mete_ending ending;
    enum mete_reason refused; /* METE_REASON_NONE: it was let through */
    int status;               /* what the client got */
    int upstream_status;
    bool stream;
    int64_t cost_nano;
    struct pricing_usage usage;
    /* Of a stream whose tokens were counted and reported: both figures of what could be seen of its
     * output, and in which encoding; NULL: of no such stream. */
    const char *encoding;
    int64_t tokens_counted, tokens_reported;
    uint32_t latency_ms, first_token_ms;
    uint64_t record;
};

/* Who made a stored answer, as the records say. */
struct gateway_lookup {
    struct slice id;                   /* the provider's; it and format borrowed until done() */
    struct slice format;               /* in which it was asked for: "openai-responses" */
    struct mete_scope_id organization; /* whose it must be */
    bool found;                        /* and then the rest: */
    char model[LIMIT_ID + 1], provider[LIMIT_PROVIDER + 1]; /* terminated */
    struct mete_reservation_id reservation;
    int64_t started_us; /* when it was asked for, in the engine's time */
    bool open;          /* charged provisionally, and not corrected since */
    void (*done)(struct gateway_lookup *lookup);
    struct work work; /* the finder's */
    const void *finder;
};

/* Documents of an organization's that the gateway keeps (tables/documents.h), as they are
 * projected. */
struct gateway_documents {
    int kind;                          /* an enum document_kind */
    struct mete_scope_id organization; /* whose they must be */
    struct slice id;                   /* of one; empty: the newest of all */
    struct slice
        before; /* those that were made before the one of this id; empty: from the newest */
    struct slice having; /* those with these bytes in them; empty: all */
    size_t limit;        /* at least 1, at most LIMIT_BATCH_PAGE */
    int status;          /* 0; NOT_FOUND: there is no such id or before; STORAGE, MEMORY */
    struct buffer found; /* a line each, newest first; whoever asked ends it */
    bool more;           /* there are older ones */
    void (*done)(struct gateway_documents *documents);
    struct work work; /* the finder's */
    const void *finder;
};

struct gateway_parts {
    const struct mete *mete; /* for mete_now() */
    struct mete_port *port;  /* the loop's: somebody polls it */
    struct directory *directory;
    const struct models *models; /* what was said of models; NULL: nothing of any */
    struct price_book *prices; /* what holds when a call begins is what it is charged by */
    struct upstream *upstream;
    struct timers *timers;
    struct workers *workers; /* for what would hold up the loop; NULL: it is held up */
    struct workers
        *counters; /* for inputs, LIMIT_COUNTERS threads at most; NULL: the loop counts */
    uint64_t seed; /* random: for spreading, ids of spans, and the table of keys */
    void (*call_done)(void *user, const struct gateway_call_done *done); /* may be NULL */
    void *user;
    /* A model was asked for that no provider answers, or that has no price; with
     * config->draft_unknown. NULL: nobody takes it down. */
    void (*unknown_model)(void *user, struct slice model);
    /* Calls done() later, on the loop. false: too much waits. NULL: nobody can tell. */
    bool (*find_answer)(void *user, struct gateway_lookup *lookup);
    /* Likewise. NULL: nothing is kept, so there are neither files nor batches. */
    bool (*find_documents)(void *user, struct gateway_documents *documents);
    /* A quota refused a call: calls work->done() on the loop once what is due now has been granted.
     * false: nothing is due, and the refusal stands. NULL: nobody grants anything. */
    bool (*await_grants)(void *user, struct work *work);
};

struct gateway_counts {
    uint64_t open, streams_open, calls, refused, drained, second_tries, extended, cut;
};

struct gateway;

/* config is borrowed for the gateway's life. METE_E_MEMORY. */
METE_MUST_USE int gateway_new(const struct gateway_parts *parts,
                              const struct gateway_config *config, struct gateway **ret_gateway);
void gateway_free(struct gateway *gateway); /* no call may be open */
/* From now on a provider's calls use this credential (empty: none); those under way keep theirs.
 * provider: its index in the configuration. METE_E_MEMORY: nothing has changed. */
METE_MUST_USE int gateway_set_credential(struct gateway *gateway, size_t provider,
                                         struct slice secret);
/* What a model costs that the provider of this name was asked for; of one that the configuration
 * does not have (any more), by its name. Any thread. */
const struct price_model *gateway_price(const struct gateway *gateway,
                                        const struct pricing *pricing, struct slice provider,
                                        struct slice model);
struct exchange_handler gateway_handler(struct gateway *gateway);
/* An emergency stop of this budget began: streams under it are cut when its grace is over. BUSY:
 * tell it again; MEMORY. */
METE_MUST_USE int gateway_stop(struct gateway *gateway, struct mete_budget_id budget);
/* Cuts all open streams, each with an end of its format. */
void gateway_shutdown(struct gateway *gateway);

/* From now on nothing new is asked of it, or something again; calls under way go on. provider: its
 * index in the configuration. */
void gateway_enable_provider(struct gateway *gateway, size_t provider, bool enabled);

/* Whether it answers this model, and is enabled. */
bool gateway_answers(const struct gateway *gateway, size_t provider, struct slice model);

/* How a provider is. NULL: past the last. Slices live as long as the gateway. */
struct gateway_provider_view {
    struct slice name, priced_as;
    const struct gateway_provider *config;
    bool enabled;
    int64_t wait_us;         /* until it may be asked again; 0: now */
    const char *fault;       /* "not_reached", "broke_off", "timeout", "status"; NULL: none yet */
    int fault_status;        /* HTTP's, of the last */
    int64_t fault_us;        /* in the engine's time */
    enum { GATEWAY_WELL = 0, GATEWAY_LEFT_ALONE, GATEWAY_ON_TRIAL } health;
    uint32_t calls_open;
    uint64_t asked, failed,
        opened; /* calls; of them without an answer; how often it was left alone */
};
bool gateway_provider_at(const struct gateway *gateway, size_t i,
                         struct gateway_provider_view *ret_view);
void gateway_counts(const struct gateway *gateway, struct gateway_counts *ret_counts);

#endif
