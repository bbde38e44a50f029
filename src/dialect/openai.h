/* SPDX-License-Identifier: Apache-2.0
 * What the formats of OpenAI's family read alike: paths, and the members that requests share. */
#ifndef DIALECT_OPENAI_H
#define DIALECT_OPENAI_H

#include "dialect/dialect.h"

/* Whether path is one of name's ("/chat/completions"): behind /v1, /openai/v1 or /openai, or behind
 * /openai/deployments/{model}, which is then ret_target->model. */
bool openai_path(struct slice path, const char *name, struct dialect_target *ret_target);
/* Path behind any of these but a deployment's; data NULL: it is behind none. */
struct slice openai_path_rest(struct slice path);

struct openai_reading {
    struct dialect_request *request;
    struct dialect_error *error;
    bool with_preamble; /* tools, or a shape for the answer */
    int64_t prompts;    /* each answered by itself */
};

/* Both return METE_E_INVALID. param NULL: no field is to blame. */
int openai_fault(struct openai_reading *r, const char *param, const char *message);
int openai_not_priced(struct openai_reading *r, const char *param, const char *message);

/* There, and neither null nor false. */
bool openai_given(struct json value);

struct openai_member {
    const char *name;
    size_t len;
    int (*read)(struct openai_reading *r, struct json value);
};
#define OPENAI_MEMBER(name, read)                                                                  \
    {                                                                                              \
        name, sizeof(name) - 1, read                                                               \
    }
enum { OPENAI_MEMBERS_MAX = 64 };
/* Begins *ret_request, and reads each of the body's members that is named; one given twice is a
 * fault. *ret_seen: a bit for each, in their order; *ret_whole: the body. */
int openai_read_body(struct openai_reading *r, struct slice body,
                     const struct openai_member *members, size_t len, struct json *ret_whole,
                     uint64_t *ret_seen);

/* Members. */
int openai_read_model(struct openai_reading *r, struct json value);
int openai_read_stream(struct openai_reading *r, struct json value);
int openai_read_stream_options(struct openai_reading *r, struct json value);
/* After the members: a stream's place for asking, where no member was one. */
void openai_ask_usage(struct openai_reading *r, struct json whole);
/* null counts if no other bound does. */
int openai_read_bound(struct openai_reading *r, struct json value, const char *name);
int openai_read_choices(struct openai_reading *r, struct json value);
int openai_refuse_models(struct openai_reading *r, struct json value);
int openai_read_service(struct openai_reading *r, struct json value);
/* The tier an answer says it was served by. */
enum price_service openai_service(struct json value);
int openai_read_user(struct openai_reading *r, struct json value);
int openai_read_metadata(struct openai_reading *r, struct json value);

/* After the members: the model of a path, where the body names none. */
int openai_model_of_path(struct openai_reading *r, const struct dialect_target *target,
                         struct json whole);
/* Where a new member of whole goes, with a comma behind it. */
struct slice openai_after_brace(struct json object);

/* An image's tokens, less the bytes of one that is in the body: a URL, or {"url": URL}. */
void openai_count_image(struct dialect_request *request, struct json image);

#endif
