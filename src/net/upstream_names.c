/* SPDX-License-Identifier: Apache-2.0
 * A question is memory of its own: whoever asked may be gone before the resolver is back. */
#include "net/upstream_names.h"

#include "base/assert.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

struct upstream_question {
    struct work work;
    void (*answered)(void *user, const struct upstream_addresses *list, const char *why);
    void *user; /* NULL: dropped */
    struct upstream_addresses list;
    const char *why;
    uint16_t port;
    char host[];
};

static bool add_literal(const char *text, uint16_t port, struct upstream_addresses *list)
{
    struct upstream_address to = {.any = {0}};
    if (inet_pton(AF_INET, text, &to.in.sin_addr) == 1) {
        to.in.sin_family = AF_INET;
        to.in.sin_port = htons(port);
    } else {
        to = (struct upstream_address){.in6 = {0}};
        if (inet_pton(AF_INET6, text, &to.in6.sin6_addr) != 1)
            return false;
        to.in6.sin6_family = AF_INET6;
        to.in6.sin6_port = htons(port);
    }
    list->list[list->len++] = to;
    return true;
}

bool upstream_names_literal(struct slice host, uint16_t port, struct upstream_addresses *ret_list)
{
    static const char local[] = "localhost";
    char text[INET6_ADDRSTRLEN];
    ret_list->len = 0;
    if (host.len == strlen(local) && !strncasecmp(host.data, local, host.len))
        return add_literal("::1", port, ret_list) && add_literal("127.0.0.1", port, ret_list);
    if (!host.len || host.len >= sizeof text)
        return false;
    memcpy(text, host.data, host.len);
    text[host.len] = 0;
    return add_literal(text, port, ret_list);
}

static void take_answer(struct upstream_question *question, const struct addrinfo *answer)
{
    struct upstream_addresses *list = &question->list;
    for (; answer && list->len < UPSTREAM_ADDRESSES_MAX; answer = answer->ai_next) {
        struct upstream_address *to = &list->list[list->len];
        if ((answer->ai_family != AF_INET && answer->ai_family != AF_INET6) ||
            answer->ai_addrlen > sizeof *to)
            continue;
        memcpy(to, answer->ai_addr, answer->ai_addrlen);
        list->len++;
    }
    if (!list->len)
        question->why = "the name has no address";
}

/* On a worker. */
static void question_run(struct work *work)
{
    struct upstream_question *question = (struct upstream_question *)work;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV};
    struct addrinfo *answer = NULL;
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)question->port);
    int rc = getaddrinfo(question->host, port, &hints, &answer);
    if (rc)
        question->why = gai_strerror(rc);
    else
        take_answer(question, answer);
    if (answer)
        freeaddrinfo(answer);
}

static void question_done(struct work *work)
{
    struct upstream_question *question = (struct upstream_question *)work;
    if (question->user)
        question->answered(question->user, &question->list, question->why);
    free(question);
}

struct upstream_question *upstream_names_ask(
    struct workers *workers, struct slice host, uint16_t port,
    void (*answered)(void *user, const struct upstream_addresses *list, const char *why),
    void *user)
{
    struct upstream_question *question = calloc(1, sizeof *question + host.len + 1);
    ASSERT(user);
    if (!question)
        return NULL;
    question->work = (struct work){.run = question_run, .done = question_done};
    question->answered = answered;
    question->user = user;
    question->port = port;
    memcpy(question->host, host.data, host.len);
    if (!workers->submit(workers, &question->work)) {
        free(question);
        return NULL;
    }
    return question;
}

void upstream_names_drop(struct upstream_question *question)
{
    if (question)
        question->user = NULL;
}
