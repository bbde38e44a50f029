/* SPDX-License-Identifier: Apache-2.0
 * What differs between the wire formats of providers: reading a request, changing the few bytes of
 * it that must change, and finding usage in what comes back. Everything else of a call (call.h,
 * stream.h) knows only this struct; a new format is one more of them.
 * All functions are pure: bytes in, figures and places out. No allocation but in the buffers given.
 * Nothing they keep points anywhere but into the bytes they were given. */
#ifndef GATEWAY_DIALECT_H
#define GATEWAY_DIALECT_H

#include "base/buffer.h"
#include "base/limits.h"
#include "codec/json_scan.h"
#include "codec/sse.h"
#include "pricing/pricing.h"

/* What a client is told when a call does not come about. Texts are static or outlive the call. */
struct dialect_error {
    int status;
    const char *type, *code;
    const char *param;    /* NULL: no field is to blame */
    const char *message;  /* a sentence */
    struct slice details; /* JSON object put under "mete"; empty: none */
};

/* A place in the body and what to put there instead; an empty place is an insertion. */
struct dialect_place {
    struct slice at;            /* inside the body; at.data NULL: nothing to do */
    const char *before, *after; /* put around the new value */
};

struct dialect_request {
    char model[LIMIT_ID + 1]; /* terminated */
    size_t model_len;
    bool stream, wants_usage;
    bool may_hide_output; /* tokens may be billed that no byte of the answer shows */
    int64_t asked;        /* most output tokens of one choice; 0: the caller sets no bound */
    int64_t choices;      /* answers asked for, >= 1 */
    int64_t input_bound;  /* no provider counts more input tokens than this */
    int64_t output_fixed; /* output tokens of one choice that come on top of its bound */
    struct dialect_place output_bound; /* where the granted bound goes */
    bool output_bound_named;           /* the caller named the field; else prefix is ours */
    struct dialect_place usage_option; /* where a stream is asked for its usage; empty: it is */
};

enum dialect_event_kind {
    DIALECT_COMMENT = 0, /* no data: keep-alive */
    DIALECT_CHUNK,
    DIALECT_FINAL,  /* the stream's last event */
    DIALECT_FOREIGN /* data that is not of the format: forwarded, and counted as output */
};

struct dialect_event {
    enum dialect_event_kind kind;
    bool has_usage;
    bool only_usage; /* nothing else in it: there because somebody asked for usage */
    bool finishes;   /* no output follows: it is only_usage, or says why the answer ended */
    bool failed;     /* the provider reports an error in mid-stream */
    struct pricing_usage usage;
    int64_t output_bytes; /* text a reader would see: no fewer than the tokens behind it */
    struct json usage_object;
};

struct dialect {
    const char *name, *path, *upstream_path;
    /* METE_E_INVALID, and *ret_error says why. */
    int (*read_request)(struct slice body, struct dialect_request *ret_request,
                        struct dialect_error *ret_error);
    /* The body with granted (0: leave its bound alone) and the usage option put in, everything
     * else byte for byte. new_field: true where the provider knows the newer name of the bound. */
    int (*write_request)(const struct dialect_request *request, struct slice body, int64_t granted,
                         bool new_field, struct buffer *out);
    /* Usage of a whole response; false if there is none that can be believed. */
    bool (*read_usage)(struct slice body, struct pricing_usage *ret_usage);
    void (*read_event)(const struct sse_event *event, struct dialect_event *ret_event);
    /* Puts cost (decimal text) into an event that reported usage. METE_E_INVALID: it cannot. */
    int (*write_cost)(struct slice raw, struct json usage_object, struct slice cost,
                      struct buffer *out);
    int (*write_error)(struct buffer *out, const struct dialect_error *error);
};

const struct dialect *dialect_chat(void);

#endif
