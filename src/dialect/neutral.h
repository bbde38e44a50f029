/* SPDX-License-Identifier: Apache-2.0
 * Chat between two formats: a request is read into a neutral form and written in the other format;
 * an answer comes back the same way, as a row of small deltas, whether it streams or not.
 *
 * What one side has no word for is refused, by name, when it changes what is asked (an image to
 * a text model's format, n > 1, a tool of the provider's); what only tunes (seed, logit_bias,
 * cache_control) is left out. docs/dialects.md lists both.
 *
 * TEXT is never decoded on its way: it stays the JSON string the other side wrote, and is pasted as
 * it is. Only where a format wants JSON within a string (a tool's arguments in OpenAI's) or the
 * reverse, it is quoted or unquoted once. All slices point into the bytes that were read, but for
 * texts that were joined, which the request owns. */
#ifndef DIALECT_NEUTRAL_H
#define DIALECT_NEUTRAL_H

#include "dialect/dialect.h"

/* ---- Requests -------------------------------------------------------------------------------- */

enum neutral_role { NEUTRAL_SYSTEM = 0, NEUTRAL_USER, NEUTRAL_ASSISTANT, NEUTRAL_TOOL };

enum neutral_kind {
    NEUTRAL_TEXT = 0,
    NEUTRAL_IMAGE,
    NEUTRAL_THINKING,
    NEUTRAL_CALL,  /* the assistant calls a tool */
    NEUTRAL_RESULT /* what the tool said */
};

/* JSON text that is an object, or such an object within a JSON string. */
struct neutral_json {
    struct slice raw;
    bool quoted; /* raw is a JSON string whose content is the JSON text */
};

struct neutral_part {
    enum neutral_role role;
    enum neutral_kind kind;
    bool begins;               /* a message of its own begins here */
    struct slice text;         /* JSON string: TEXT, THINKING, RESULT */
    struct slice url;          /* IMAGE: JSON string of an http(s) URL; empty: bytes */
    struct slice media_type;   /* IMAGE: plain "image/png", of its bytes */
    struct slice data;         /* IMAGE: base64, the inside of a JSON string */
    struct slice id, name;     /* JSON strings: CALL (both), RESULT (id; name if known) */
    struct neutral_json input; /* CALL: the arguments, an object */
    struct slice signature;    /* JSON string: THINKING, CALL; empty: none */
    bool failed;               /* RESULT: the tool reports an error */
};

struct neutral_tool {
    struct slice name, description; /* JSON strings; description may be empty */
    struct slice schema;            /* JSON object; empty: none */
    bool strict;
};

enum neutral_choice { NEUTRAL_AUTO = 0, NEUTRAL_NONE, NEUTRAL_REQUIRED, NEUTRAL_NAMED };
enum neutral_shape { NEUTRAL_ANY = 0, NEUTRAL_OBJECT, NEUTRAL_SCHEMA };

struct neutral_request {
    struct slice model; /* plain text */
    bool stream;
    int64_t output_max; /* 0: none was given */
    bool newer_bound;   /* the provider knows a newer name for it */
    /* Raw JSON numbers; empty: not given. */
    struct slice temperature, top_p, top_k, seed, presence_penalty, frequency_penalty;
    struct slice stop;    /* raw JSON array of strings, or one string; empty: none */
    struct slice user;    /* raw JSON string; empty: none */
    struct slice effort;  /* raw JSON string: "low", "medium", ...; empty: not given */
    int64_t thinking_max; /* tokens for reasoning; 0: not given, -1: none is wanted */
    enum neutral_choice choice;
    struct slice choice_name; /* NAMED: JSON string */
    bool one_call;            /* no parallel calls */
    enum neutral_shape shape;
    struct slice shape_name, shape_schema; /* SCHEMA: JSON string (may be empty), JSON object */
    bool shape_strict;
    struct neutral_part *parts;
    size_t parts_len, parts_room;
    struct neutral_tool *tools;
    size_t tools_len, tools_room;
    struct neutral_made *made; /* joined texts */
};

void neutral_request_init(struct neutral_request *request);
void neutral_request_done(struct neutral_request *request);
/* A zeroed one at the end; METE_E_TOO_LARGE over LIMIT_NEUTRAL_PARTS; METE_E_MEMORY. Moves those
 * before it. */
METE_MUST_USE int neutral_add_part(struct neutral_request *request, struct neutral_part **ret_part);
METE_MUST_USE int neutral_add_tool(struct neutral_request *request, struct neutral_tool **ret_tool);
/* Parts of one message, from the part at from. */
size_t neutral_message_len(const struct neutral_request *request, size_t from);
/* The texts of an array's strings and objects with a "text", with a line end between two, as one
 * JSON string that lives as long as request. Other elements have none. METE_E_MEMORY. */
METE_MUST_USE int neutral_join_texts(struct neutral_request *request, struct json parts,
                                     struct slice *ret_text);
/* An image's bytes: of a JSON string "data:image/png;base64,...", or of two JSON strings. False,
 * and nothing is changed: they are not written so. */
bool neutral_read_data_url(struct slice url, struct neutral_part *part);
bool neutral_read_source(struct json media_type, struct json data, struct neutral_part *part);

/* ---- Answers --------------------------------------------------------------------------------- */

enum neutral_what {
    NEUTRAL_BEGIN = 0, /* id, model; the first, if there is one */
    NEUTRAL_SAY,       /* text */
    NEUTRAL_THINK,     /* text, signature */
    NEUTRAL_OPEN,      /* a call: id, name */
    NEUTRAL_ARGUE,     /* a piece of the open call's arguments: input; pieces make up the object */
    NEUTRAL_FINISH     /* finish */
};

struct neutral_delta {
    enum neutral_what what;
    struct slice id, model, name; /* JSON strings; empty: not told */
    struct slice text;            /* JSON string */
    struct slice signature;       /* JSON string; empty: none */
    struct neutral_json input;    /* quoted: a piece of JSON text within a string; else a whole
                                     object */
    enum dialect_finish finish;
};

/* Why it ends, as far as deltas of OPEN and FINISH tell: who calls tools waits for them, also where
 * it is told as an ordinary end. */
static inline void neutral_note_finish(struct dialect_stream *stream,
                                       const struct neutral_delta *delta)
{
    bool waits = stream->finish == DIALECT_TOOLS && delta->finish == DIALECT_STOP;
    if (delta->what == NEUTRAL_OPEN)
        stream->finish = DIALECT_TOOLS;
    else if (delta->what == NEUTRAL_FINISH && !waits)
        stream->finish = delta->finish;
}

/* Returning non-zero stops, and is returned. */
struct neutral_sink {
    int (*fn)(void *user, const struct neutral_delta *delta);
    void *user;
};

/* An answer put together again, for a client that does not stream. */
struct neutral_answer {
    struct dialect_stream stream; /* id, model, created, finish */
    struct buffer texts;          /* what the parts point into, by offset */
    struct neutral_piece {
        enum neutral_kind kind; /* TEXT, THINKING, CALL */
        size_t text, text_len;  /* TEXT, THINKING: the inside of a JSON string; CALL: JSON text */
        size_t id, id_len, name, name_len, signature, signature_len; /* JSON strings */
    } * pieces;
    size_t pieces_len, pieces_room;
};

void neutral_answer_init(struct neutral_answer *answer, size_t text_max);
void neutral_answer_done(struct neutral_answer *answer);
/* The next delta of it. METE_E_TOO_LARGE; METE_E_MEMORY; METE_E_SYNTAX: it cannot follow. */
METE_MUST_USE int neutral_answer_add(struct neutral_answer *answer,
                                     const struct neutral_delta *delta);
struct slice neutral_answer_text(const struct neutral_answer *answer, size_t at, size_t len);

/* ---- What a format that is translated has ---------------------------------------------------- */

struct dialect_neutral {
    /* A client's request. NULL: clients of this format are not translated. METE_E_INVALID and
     * *ret_error: what it asks has no word elsewhere. */
    int (*read_request)(const struct dialect_target *target, struct slice body,
                        struct neutral_request *ret_request, struct dialect_error *ret_error);
    /* For a provider. METE_E_INVALID and *ret_error: it has no word for what is asked. */
    int (*write_request)(const struct neutral_request *request, struct buffer *out,
                         struct dialect_error *ret_error);
    /* A provider's answer, whole or the next event of its stream. METE_E_SYNTAX: it is none. */
    int (*read_answer)(struct slice body, struct neutral_sink *sink);
    int (*read_event)(struct dialect_stream *stream, const struct frame *event,
                      struct neutral_sink *sink);
    /* What a provider's error says. Message and code are copied into room; ret_error->status is the
     * caller's, and left. False: nothing. */
    bool (*read_error)(struct slice body, char *room, size_t room_len,
                       struct dialect_error *ret_error);
    /* For a client: the next delta of its stream (a FINISH is only noted: write_end() tells it),
     * or a whole answer. */
    int (*write_delta)(struct dialect_stream *stream, const struct neutral_delta *delta,
                       struct buffer *out);
    int (*write_answer)(const struct neutral_answer *answer, const struct pricing_usage *usage,
                        struct buffer *out);
};

/* ---- Helpers for readers --------------------------------------------------------------------- */

/* There, and neither null nor false. */
static inline bool neutral_given(struct json value)
{
    return value.type != JSON_NONE && value.type != JSON_NULL && value.type != JSON_FALSE;
}

/* As it stands in the text; empty: it is of another type. */
static inline struct slice neutral_raw(struct json value, enum json_type type)
{
    return value.type == type ? value.raw : (struct slice){0};
}
static inline struct slice neutral_string(struct json value)
{
    return neutral_raw(value, JSON_STRING);
}
static inline struct slice neutral_number(struct json value)
{
    return neutral_raw(value, JSON_NUMBER);
}
static inline struct slice neutral_object(struct json value)
{
    return neutral_raw(value, JSON_OBJECT);
}

/* ---- Helpers for writers --------------------------------------------------------------------- */

/* A JSON object, or one within a string; an empty one is {}. An object is written on one line.
 * METE_E_SYNTAX, and nothing is written: it is no object (models do not always end theirs). */
METE_MUST_USE int neutral_write_object(struct buffer *out, struct neutral_json json);
METE_MUST_USE int neutral_write_quoted(struct buffer *out, struct neutral_json json);
/* A piece of such an object (NEUTRAL_ARGUE) as a JSON string; an empty one is "". */
METE_MUST_USE int neutral_write_piece(struct buffer *out, struct neutral_json json);
/* A JSON string, unescaped and terminated; one that is too long or empty stays untold. */
void neutral_copy(struct slice string, char room[LIMIT_ID + 1]);
/* ,"name":raw unless raw is empty. */
METE_MUST_USE int neutral_write_member(struct buffer *out, const char *name, struct slice raw);

#endif
