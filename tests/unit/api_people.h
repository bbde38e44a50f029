/* SPDX-License-Identifier: Apache-2.0
 * For tests of who may what: members of each role who are logged in, and service tokens. */
#ifndef UNIT_API_PEOPLE_H
#define UNIT_API_PEOPLE_H

#include "api/request.h"
#include "unit/api_case.h"

#define PEOPLE_PASSWORD "correct horse battery"

static inline void make_token(struct api_case *c, const char *organization, const char *permissions,
                              char token[SECRET_TEXT + 1])
{
    char target[128], body[256];
    as(c, "root-token");
    snprintf(target, sizeof target, "/api/v1/organizations/%s/service-tokens", organization);
    snprintf(body, sizeof body, "{\"name\":\"t\",\"permissions\":[%s]}", permissions);
    expect(c, 201, "POST", target, body);
    snprintf(token, SECRET_TEXT + 1, "%.*s", SECRET_TEXT, member(c, "token"));
}

/* As the page of one who is logged in asks. */
static inline int ask_with(struct api_case *c, const char *cookie, const char *csrf,
                           const char *method, const char *target, const char *body)
{
    struct exchange_header headers[2] = {{"Cookie", slice_of(cookie)},
                                         {"X-Mete-CSRF", slice_of(csrf)}};
    local_call_done(&c->call);
    c->call = (struct local_call){.method = method,
                                  .target = target,
                                  .headers = headers,
                                  .headers_len = 2,
                                  .body = slice_of(body ? body : "")};
    local_ask(c->local, &c->call);
    c->call.headers = NULL;
    return c->call.status;
}

/* Makes a member of acme with this role, and its session. */
static inline void log_in(struct api_case *c, const char *role, char cookie[128], char csrf[64])
{
    char body[256];
    snprintf(body, sizeof body,
             "{\"id\":\"%s\",\"role\":\"%s\",\"password\":\"" PEOPLE_PASSWORD "\"}", role, role);
    expect(c, 201, "POST", "/api/v1/organizations/acme/members", body);
    snprintf(body, sizeof body,
             "{\"organization\":\"acme\",\"member\":\"%s\",\"password\":\"" PEOPLE_PASSWORD "\"}",
             role);
    expect(c, 200, "POST", "/api/v1/login", body);
    snprintf(cookie, 128, "%.*s", (int)strcspn(c->call.cookie, ";"), c->call.cookie);
    snprintf(csrf, 64, "%.63s", member(c, "csrf"));
}

#endif
