/* SPDX-License-Identifier: Apache-2.0
 * What differs between the wire formats of LLM calls: where a request comes in, what it asks and
 * may cost, the few bytes of it that must change, how a provider's answer says what it used, and
 * how an answer is ended well. Everything else of a call (gateway/) knows only these structs.
 *
 *   format   one wire format: OpenAI's chat completions, Anthropic's messages, ... A client speaks
 *            one, a provider speaks one or several.
 *   family   what a provider is configured as: its formats, where its credential goes, its paths.
 *
 * A client and a provider of the same format: bytes pass through, all but a few places. Of two
 * formats that both are chat: translated (dialect/neutral.h). Else: refused.
 *
 * All functions are pure: bytes in, figures and places out. No allocation but in the buffers given.
 * Nothing they keep points anywhere but into the bytes they were given.
 *
 * A NEW FORMAT is one file with a struct dialect in it, a row in tables/dialects.h, and its tests.
 */
#ifndef DIALECT_DIALECT_H
#define DIALECT_DIALECT_H

#include "base/buffer.h"
#include "base/limits.h"
#include "codec/alike.h"
#include "codec/frames.h"
#include "codec/json_scan.h"
#include "pricing/pricing.h"

/* What a client is told when a call does not come about. Texts are static or outlive the call. */
struct dialect_error {
    int status;
    const char *type, *code; /* OpenAI's words; a format writes its own for them */
    const char *param;       /* NULL: no field is to blame */
    const char *message;     /* a sentence */
    struct slice details;    /* JSON object put under "mete"; empty: none */
};

/* ---- Requests -------------------------------------------------------------------------------- */

/* What a client's method, path and query say. */
struct dialect_target {
    struct slice model; /* as in the path, percent-encoded; empty: the body says */
    struct slice id;    /* of a stored answer; empty: a new one is made */
    bool stream;        /* the path says that the answer streams */
    bool array;         /* ... as one JSON array instead of events */
    struct slice rest;  /* of path behind id or model: "/cancel"; of what passes through, all */
    struct slice content_type; /* of the client's body, which match() does not see */
};

/* A place in the body and what to put there instead; an empty place is an insertion. */
struct dialect_place {
    struct slice at;            /* inside the body; at.data NULL: nothing to do */
    const char *before, *after; /* put around the new value; a comma that after ends with is left
                                   out where nothing follows in the object */
};

/* Meters that a call may use beside input and output tokens. A call that may use one which has no
 * price is refused: nothing bounds it (INV-11). */
enum dialect_use {
    DIALECT_AUDIO_INPUT = 1,
    DIALECT_AUDIO_OUTPUT = 2,
    DIALECT_IMAGE_OUTPUT = 4,
    DIALECT_SEARCHES = 8, /* tools that the provider runs and bills by the use */
    DIALECT_PRIORITY = 16,
    DIALECT_FLEX = 32,
    DIALECT_LONG_CACHE = 64 /* input kept by the provider for an hour */
};

/* What a call makes or hears that may be billed by the piece: at most so much. */
struct dialect_pieces {
    int64_t images, characters, audio_seconds, video_seconds;
    struct price_grade grade;
};

struct dialect_request {
    char model[LIMIT_ID + 1]; /* terminated */
    size_t model_len;
    bool stream, array;
    bool wants_usage;     /* a stream's client asked for it */
    bool may_hide_output; /* tokens may be billed that no byte of the answer shows */
    bool background;      /* the answer comes later, and is fetched by its id */
    bool makes_no_output; /* embeddings: nothing but input is billed */
    bool repeats_prompt;  /* the answer begins with what was asked: no output */
    bool is_form;         /* the body is none of JSON: its content type goes on */
    uint64_t content;     /* of a form: what it says, whatever its boundary; else 0 */
    bool is_relayed;      /* its answer is no document: the bytes go on as they come */
    bool is_any_text;     /* its answer need not be JSON */
    bool is_flat;         /* billed by the call alone */
    bool has_pieces;      /* and where they have a price it is billed by them: */
    struct dialect_pieces pieces;
    struct slice path;      /* of what passes through */
    uint32_t uses;          /* of enum dialect_use */
    int64_t searches;       /* at most so many; with DIALECT_SEARCHES */
    int64_t asked;          /* most output tokens of one choice; 0: the caller sets no bound */
    int64_t choices;        /* answers asked for, >= 1 */
    int64_t input_bound;    /* no provider counts more input tokens than this */
    int64_t output_least;   /* fewer output tokens of one choice are refused by the provider; 0: any
                               number will do */
    int64_t output_fixed;   /* output tokens of one choice that come on top of its bound */
    struct slice continues; /* id of a stored answer it goes on from, raw JSON; empty: none */
    struct slice user;      /* whom the caller says it is for, as raw JSON; empty: nobody */
    struct slice metadata;  /* the caller's key-values, a raw JSON object; empty: none */
    struct dialect_place output_bound; /* where the granted bound goes */
    const char *newer_bound;           /* in place of output_bound.before where the provider knows a
                                          newer name; NULL: it is the same everywhere */
    struct dialect_place usage_option; /* where a stream is asked for its usage; empty: it is */
    struct dialect_place model_name;   /* the model; empty: it stands in the path */
    bool model_missing;                /* only the path says it: the body gets it, at model_name */
};

/* What of a request is changed on its way. */
struct dialect_changes {
    int64_t granted;    /* the bound of output tokens; 0: left alone */
    bool newer_bound;   /* by its newer name */
    struct slice model; /* another name for the model, plain text; empty: left alone */
};

enum { DIALECT_PIECES = 20 };
/* A body in pieces: of the client's bytes, of static texts, and of own. Not to be copied: pieces
 * point into it. */
struct dialect_body {
    struct slice pieces[DIALECT_PIECES];
    size_t pieces_len;
    int64_t len; /* of all */
    char number[24];
    char name[LIMIT_ID + 3];
};

/* body with the changes and the usage option put in, everything else byte for byte and not copied.
 */
void dialect_change(const struct dialect_request *request, struct slice body,
                    const struct dialect_changes *changes, struct dialect_body *ret_body);

/* ---- Answers --------------------------------------------------------------------------------- */

/* Why an answer ends. */
enum dialect_finish {
    DIALECT_STOP = 0,
    DIALECT_LENGTH,  /* the bound of output tokens, or the end of the money */
    DIALECT_TOOLS,   /* it waits for tools */
    DIALECT_FILTERED /* withheld by the provider */
};

enum { DIALECT_PARTS = 12 };
enum dialect_open {
    DIALECT_NOTHING = 0,
    DIALECT_TEXT,
    DIALECT_THINKING,
    DIALECT_CALL,
    DIALECT_OTHER /* something of the format's own */
};

/* What a stream has been so far, of one format: kept by read_event() of one that is forwarded, by
 * the writers of one that is made here (neutral.h). Enough to end it well at any point. */
struct dialect_stream {
    bool begun, ended;
    enum frames_kind framing;                   /* its own; a translation's is not told */
    char id[LIMIT_ID + 1], model[LIMIT_ID + 1]; /* terminated; empty: not told */
    int64_t created;                            /* s since 1970 */
    int64_t sequence;                           /* events so far, where they are numbered */
    int64_t blocks;                             /* content blocks begun */
    enum dialect_open open;                     /* the last of them, if it is not ended */
    enum dialect_finish finish;                 /* why, once that was told */
    char item[LIMIT_ID + 1];                    /* id of what is open */
    enum price_service service;                 /* that it is said to be served by */
    struct buffer *said; /* what a format's end must say again; NULL: nothing is kept */
    size_t said_open, said_parts, said_text; /* where in it begin: what is open, its parts, and the
                                                text of the part that is open */
    /* Usage told so far, where it comes in parts. */
    struct pricing_usage usage;
    uint32_t told; /* bits of the format's own: which parts */
    int64_t parts[DIALECT_PARTS];
};

enum dialect_event_kind {
    DIALECT_COMMENT = 0, /* no data: keep-alive */
    DIALECT_CHUNK,
    DIALECT_FINAL,  /* the stream's last event */
    DIALECT_FOREIGN /* data that is not of the format: forwarded, and counted as output */
};

/* Values that change from one event to the next while all else stays (codec/alike.h). */
enum dialect_spot_kind {
    DIALECT_SPOT_TEXT = 0, /* a string that is shown: counted by its bytes */
    DIALECT_SPOT_RAW,      /* the same, counted as it is written */
    DIALECT_SPOT_NUMBER,   /* the event's number in its stream */
    DIALECT_SPOT_NOTHING   /* says nothing: a string, a number or spaces */
};
enum { DIALECT_SPOTS = ALIKE_SPOTS };
struct dialect_spot {
    enum dialect_spot_kind kind;
    struct slice raw; /* in the event's data */
};

/* A piece of one of an answer's texts, for those who count its tokens. Pieces of one text have one
 * `of`; each text is tokenized by itself. */
enum dialect_text_kind {
    DIALECT_TEXT_SHOWN = 0, /* what the answer says, or why it does not */
    DIALECT_TEXT_REASONING, /* as the model wrote it; a summary is none of its tokens */
    DIALECT_TEXT_NAME,      /* of a tool that is called */
    DIALECT_TEXT_ARGUMENTS
};
enum { DIALECT_TEXTS = 8 };
struct dialect_text {
    struct slice raw; /* JSON string in the event's data */
    uint32_t of;      /* dialect_text_of() */
};
/* choice: index of the answer; item: of the block or call within it, both taken modulo 2^14. */
static inline uint32_t dialect_text_of(int64_t choice, int64_t item, enum dialect_text_kind kind)
{
    return ((uint32_t)choice & 0x3fff) << 16 | ((uint32_t)item & 0x3fff) << 2 | (uint32_t)kind;
}

struct dialect_event {
    enum dialect_event_kind kind;
    bool has_usage;   /* usage is all that was used up to here */
    bool only_usage;  /* nothing else in it: there because somebody asked for usage */
    bool finishes;    /* no output follows: it is only_usage, or says why the answer ended */
    bool may_be_last; /* of formats without a last event of their own */
    bool goes_on;     /* its usage is not the last: more surely follows */
    bool failed;      /* the provider reports an error in mid-stream */
    struct pricing_usage usage;
    int64_t output_bytes; /* text a reader would see: no fewer than the tokens behind it */
    struct json usage_object;
    struct dialect_text texts[DIALECT_TEXTS]; /* in order */
    size_t texts_len;
    bool texts_are_all;       /* no token of output is anywhere else in it */
    struct slice finish_word; /* raw JSON string that says why it ends; empty: there is no place */
    /* If any: an event with other values there, and before it none but comments, is a chunk
     * that says what this one says, and does to the stream what this one did. In order. */
    struct dialect_spot spots[DIALECT_SPOTS];
    size_t spots_len;
};

/* One more of the event's. Too many: none are told. */
void dialect_add_spot(struct dialect_event *event, enum dialect_spot_kind kind, struct slice raw);
/* One more of its texts, empty ones too: the next event may have something there. Too many:
 * texts_are_all becomes false. */
void dialect_add_text(struct dialect_event *event, uint32_t of, struct slice raw);

/* What a whole answer says of itself. */
struct dialect_answer {
    bool has_usage;
    bool pending;               /* it is not finished: fetch it later by its id. With usage: it is
                                   charged that until then */
    struct slice id, model;     /* as raw JSON strings; empty: not told */
    struct pricing_usage usage; /* pieces it tells, also without has_usage, which is of tokens */
};

struct dialect_neutral; /* neutral.h */
struct prompt;          /* prompts/prompt.h */

struct dialect {
    const char *name;         /* "openai-chat" */
    const char *operation;    /* as OpenTelemetry calls what is asked: "chat" */
    const char *endpoint;     /* what a key must be permitted: a word of tables/endpoints.h */
    const char *methods;      /* of its paths, for an Allow header: "POST" */
    enum frames_kind framing; /* of its streams, unless the content type says otherwise */
    bool comments;            /* its clients pass over SSE comments */
    bool anthropic_rates;     /* its clients read anthropic-ratelimit-*, not x-ratelimit-* */
    bool reads_whole;         /* read_event() tells the texts of a whole answer too */
    bool bound_needed;        /* its providers refuse a request without a bound of output */
    const char *id_header;    /* where its clients look for a request's id; NULL: x-request-id */
    int budget_status;        /* of a refusal for want of money; 0: 429, as OpenAI has it */
    /* Whether this format is spoken there. method is not looked at. */
    bool (*match)(struct slice path, struct slice query, struct dialect_target *ret_target);
    /* METE_E_INVALID, and *ret_error says why. */
    int (*read_request)(const struct dialect_target *target, struct slice body,
                        struct dialect_request *ret_request, struct dialect_error *ret_error);
    /* Tells prompt (prompts/prompt.h) what stands in a body that read_request() took.
     * METE_E_INVALID: it is of another shape. NULL: nothing is counted. */
    int (*count_input)(struct slice body, struct prompt *prompt);
    /* Path and query behind a base URL: "/chat/completions". model: plain text. */
    int (*write_path)(const struct dialect_request *request, struct slice model,
                      struct buffer *out);
    /* Of an answer that is stored (target->id): the methods it takes, "GET, DELETE". Its path is
     * write_path()'s, then "/", id and rest. NULL: none is ever asked for. */
    const char *(*stored_methods)(const struct dialect_target *target);
    /* Of a whole response; figures that cannot be believed are none. */
    void (*read_answer)(struct slice body, struct dialect_answer *ret_answer);
    void (*read_event)(struct dialect_stream *stream, const struct frame *event,
                       struct dialect_event *ret_event);
    /* What one spot of an event that was not read changes in the stream; bytes: of output, there.
     * Not for DIALECT_SPOT_NOTHING. NULL: nothing ever does. */
    void (*read_spot)(struct dialect_stream *stream, const struct dialect_spot *spot,
                      int64_t bytes);
    /* Puts cost (decimal text) into an event that reported usage. METE_E_INVALID: it cannot. */
    int (*write_cost)(struct slice raw, struct json usage_object, struct slice cost,
                      struct buffer *out);
    int (*write_error)(struct buffer *out, const struct dialect_error *error);
    /* An event that tells of an error, and ends the stream. */
    int (*write_break)(struct dialect_stream *stream, const struct dialect_error *error,
                       struct buffer *out);
    /* All events from here to a good end, with why (stream->finish) and what was used. cost empty:
     * none is told. wants_usage: as of the request. */
    int (*write_end)(struct dialect_stream *stream, const struct pricing_usage *usage,
                     struct slice cost, bool wants_usage, struct buffer *out);
    const struct dialect_neutral *neutral; /* NULL: it is not chat, or not translated */
    const char *const *passed;             /* client headers that go on; ends with NULL */
};

/* ---- Families -------------------------------------------------------------------------------- */

enum dialect_credential {
    DIALECT_BEARER = 0,     /* authorization: Bearer */
    DIALECT_X_API_KEY,      /* x-api-key */
    DIALECT_API_KEY,        /* api-key */
    DIALECT_X_GOOG_API_KEY, /* x-goog-api-key */
    DIALECT_AWS             /* a Bearer, or ID:SECRET[:TOKEN] to sign with (SigV4) */
};

enum { DIALECT_FAMILY_FORMATS = 12 };
struct dialect_family {
    const char *name;   /* as configured: "openai" */
    const char *vendor; /* OpenTelemetry's gen_ai.provider.name: "openai" */
    enum dialect_credential credential;
    const char *version;               /* put behind a base URL without a path: "/v1" */
    const char *header, *header_value; /* sent unless the client's own is passed; NULL: none */
    const struct dialect *formats[DIALECT_FAMILY_FORMATS]; /* ends with NULL */
    const struct dialect *chat; /* what is translated to; NULL: nothing */
};

/* NULL: there is none of that name. */
const struct dialect_family *dialect_family_find(struct slice name);
const struct dialect_family *dialect_family_at(size_t i); /* NULL: past the last */

/* The format that is spoken at a path; NULL: none. */
const struct dialect *dialect_find(struct slice path, struct slice query,
                                   struct dialect_target *ret_target);
const struct dialect *dialect_at(size_t i); /* NULL: past the last */
/* Which of them tables/dialects.h calls so; -1: none. */
int dialect_named(struct slice id);

/* ---- The formats ----------------------------------------------------------------------------- */

#define ROW(id, text) const struct dialect *dialect_##id(void);
#include "tables/dialects.h"
/* Of no path of its own: what the configuration lets through. */
const struct dialect *dialect_pass(void);

#endif
