/* SPDX-License-Identifier: Apache-2.0
 * For tests of the API: a real engine on a directory of the test's own, calls in memory, and a look
 * at the last reply. The clock is the test's. */
#ifndef UNIT_API_CASE_H
#define UNIT_API_CASE_H

#include "api/local.h"
#include "codec/json_scan.h"
#include "unit/temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct api_case {
    char directory[64];
    int64_t now_us;
    struct local *local;
    struct local_call call; /* the last one */
    char authorization[128];
    char text[4096]; /* what member() found */
};

static inline int64_t api_case_now(void *user)
{
    return ((struct api_case *)user)->now_us;
}

static inline void api_case_open(struct api_case *c)
{
    struct local_options options = {.directory = c->directory,
                                    .secret = {7, 7, 7},
                                    .admin_token = "root-token",
                                    .clock = {api_case_now, c}};
    assert_int_equal(local_open(&options, &c->local), 0);
}

/* 2026-11-21T09:00:00Z, and an organization "acme" with department "research" and user "ada". */
static inline int api_case_setup(void **state)
{
    struct api_case *c = calloc(1, sizeof *c);
    if (!c || temp_make(c->directory, sizeof c->directory))
        return -1;
    c->now_us = INT64_C(1795251600) * 1000000;
    api_case_open(c);
    *state = c;
    return 0;
}

static inline int api_case_teardown(void **state)
{
    struct api_case *c = *state;
    local_call_done(&c->call);
    local_close(c->local);
    int rc = temp_remove(c->directory);
    free(c);
    return rc;
}

static inline void as(struct api_case *c, const char *token)
{
    snprintf(c->authorization, sizeof c->authorization, "Bearer %s", token);
}

static inline int ask(struct api_case *c, const char *method, const char *target, const char *body)
{
    local_call_done(&c->call);
    if (!c->authorization[0])
        as(c, "root-token");
    c->call = (struct local_call){.method = method,
                                  .target = target,
                                  .authorization = slice_of(c->authorization),
                                  .body = slice_of(body ? body : "")};
    local_ask(c->local, &c->call);
    return c->call.status;
}

/* The value at a path such as "refused_by.0.scope.kind" of the last reply. */
static inline struct json value(struct api_case *c, const char *path)
{
    struct json json = {0};
    assert_int_equal(json_scan(buffer_slice(&c->call.reply), &json, NULL), 0);
    while (*path) {
        char name[64];
        size_t len = strcspn(path, ".");
        assert_in_range(len, 1, sizeof name - 1);
        memcpy(name, path, len);
        name[len] = 0;
        path += len + (path[len] == '.');
        if (json.type != JSON_ARRAY) {
            json = json_member(json, name);
            continue;
        }
        size_t at = 0;
        struct json element = {0};
        for (long i = strtol(name, NULL, 10); i >= 0; i--)
            if (!json_next(json, &at, NULL, &element))
                return (struct json){0};
        json = element;
    }
    return json;
}

/* The same as text: a string's characters, else the JSON; "(none)" if it is not there. */
static inline const char *member(struct api_case *c, const char *path)
{
    struct json json = value(c, path);
    long len;
    if (json.type == JSON_NONE)
        return "(none)";
    if (json.type == JSON_STRING) {
        len = json_string_copy(json, c->text, sizeof c->text - 1);
        assert_true(len >= 0);
        c->text[len] = 0;
    } else {
        snprintf(c->text, sizeof c->text, "%.*s", (int)json.raw.len, json.raw.data);
    }
    return c->text;
}

static inline void expect_at(struct api_case *c, int wanted, const char *method, const char *target,
                             const char *body, int line)
{
    int got = ask(c, method, target, body);
    if (got == wanted)
        return;
    print_error("line %d: %s %s %s\n-> %d %.*s\n", line, method, target, body ? body : "", got,
                (int)c->call.reply.len, c->call.reply.data ? c->call.reply.data : "");
    assert_int_equal(got, wanted);
}

#define expect(c, wanted, method, target, body) expect_at(c, wanted, method, target, body, __LINE__)
#define expect_member(c, path, wanted) assert_string_equal(member(c, path), wanted)

/* A problem of that status and code which names the field. */
#define expect_problem(c, status, code_, field_, method, target, body)                             \
    do {                                                                                           \
        expect(c, status, method, target, body);                                                   \
        assert_true((c)->call.problem);                                                            \
        expect_member(c, "code", code_);                                                           \
        expect_member(c, "field", field_);                                                         \
    } while (0)

static inline void make_acme(struct api_case *c)
{
    expect(c, 201, "POST", "/api/v1/organizations", "{\"id\":\"acme\",\"name\":\"Acme\"}");
    expect(c, 201, "POST", "/api/v1/organizations/acme/departments",
           "{\"id\":\"research\",\"name\":\"Research\"}");
    expect(c, 201, "POST", "/api/v1/organizations/acme/users",
           "{\"id\":\"ada\",\"name\":\"Ada\",\"department\":\"research\"}");
}

#endif
