/* SPDX-License-Identifier: Apache-2.0
 * What narrows a budget or a rate limit to some calls: the members models, providers, tags and
 * sessions, each an array of patterns. */
#ifndef API_LIMITS_MATCHES_H
#define API_LIMITS_MATCHES_H

#include "api/request.h"

struct matches_in {
    struct json models, providers, tags, sessions; /* JSON_NONE: not said */
};

/* The rows of a table whose struct has a struct matches_in called matches. */
#define MATCHES_FIELD(type_, member)                                                               \
    {                                                                                              \
        .name = #member, .type = FIELD_TEXTS, .offset = offsetof(type_, matches.member), .min = 1, \
        .max = METE_MATCHES_MAX, .item_max = LIMIT_SESSION                                         \
    }
#define MATCHES_FIELDS(type_)                                                                      \
    MATCHES_FIELD(type_, models), MATCHES_FIELD(type_, providers), MATCHES_FIELD(type_, tags),     \
        MATCHES_FIELD(type_, sessions)

/* Into room for METE_MATCHES_MAX. Errors are in request->problem. */
METE_MUST_USE int matches_read(struct request *request, const struct matches_in *in,
                               struct mete_match *ret_matches, size_t *ret_len);
/* The same members, those that name something. */
void matches_write(struct out *out, const struct mete_match *matches, size_t len);

/* A call, as far as budgets may be narrowed to it. Empty: the call does not say. */
struct call_match {
    struct slice model, provider, session;
    struct mete_text *tags;
    size_t tags_len;
};
/* The array's texts into ret_call, in the arena; JSON_NONE: none. Errors are in the problem. */
METE_MUST_USE int matches_read_tags(struct request *request, struct json texts,
                                    struct call_match *ret_call);
/* Whether a budget with these patterns counts the call: of each kind that is named one fits, as the
 * engine has it (mete.h, struct mete_match). */
bool matches_fit(const struct mete_match *matches, size_t len, const struct call_match *call);

#endif
