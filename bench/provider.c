/* SPDX-License-Identifier: Apache-2.0
 * provider - answers chat completions at once, so that a benchmark measures who stands before it.
 *
 *   provider CHUNKS RATE
 *
 * Prints `port N` and serves until it is killed. A request with "stream":true gets CHUNKS events, a
 * report of usage and [DONE]: with RATE 0 in one write, a word each, else RATE events a second,
 * each with the monotonic clock's nanoseconds at which it was sent (t=...). Any other POST gets a
 * fixed body. A GET gets what was answered so far, the provider's own account of what it may bill.
 *
 * One thread, epoll, no allocation but for connections. Streams of one rate are due in the order in
 * which they were sent last, so a queue is all the schedule there is. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST_MAX = 65536, ANSWER_MAX = 1 << 20, EVENTS = 512, CHUNK_MAX = 512 };

struct client {
    int fd;
    size_t len;      /* of request */
    const char *out; /* what is left of a prepared answer */
    size_t out_len;
    int sent;  /* chunks of a paced stream */
    bool open; /* a stream is under way */
    int64_t due_ns;
    struct client *next; /* in the queue of paced streams */
    char request[REQUEST_MAX];
};

static struct {
    int epoll, listener;
    int chunks;
    int64_t interval_ns; /* 0: a stream is sent at once */
    int64_t plain, streams, open, broken;
    struct client *first, **last;
    char answer[2048], stream[ANSWER_MAX];
    size_t answer_len, stream_len;
} my;

static const char stream_head[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* One HTTP chunk around one event. */
static size_t put_event(char *to, size_t room, const char *json)
{
    size_t len = strlen(json) + 8; /* "data: " and the empty line */
    int put = snprintf(to, room, "%zx\r\ndata: %s\n\n\r\n", len, json);
    return put < 0 || (size_t)put >= room ? 0 : (size_t)put;
}

static size_t put_delta(char *to, size_t room, const char *text)
{
    char json[CHUNK_MAX];
    snprintf(
        json, sizeof json,
        "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
        "\"model\":\"bench-model\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"
        "\"%s\"},\"finish_reason\":null}]}",
        text);
    return put_event(to, room, json);
}

static size_t put_end(char *to, size_t room)
{
    char json[CHUNK_MAX];
    size_t len =
        put_event(to, room,
                  "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\","
                  "\"created\":1700000000,\"model\":\"bench-model\",\"choices\":[{\"index\":0,"
                  "\"delta\":{},\"finish_reason\":\"stop\"}]}");
    snprintf(
        json, sizeof json,
        "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
        "\"model\":\"bench-model\",\"choices\":[],\"usage\":{\"prompt_tokens\":210,"
        "\"completion_tokens\":%d,\"total_tokens\":%d}}",
        my.chunks, 210 + my.chunks);
    len += put_event(to + len, room - len, json);
    len += put_event(to + len, room - len, "[DONE]");
    memcpy(to + len, "0\r\n\r\n", 5);
    return len + 5;
}

static void prepare(void)
{
    static const char *const words[] = {"Measure", " twice", ",", " cut", " once", ".", " "};
    static const char text[] =
        "Measure twice, cut once. Measure twice, cut once. Measure twice, cut "
        "once. Measure twice, cut once. Measure twice, cut once. ";
    char json[1024];
    int len =
        snprintf(json, sizeof json,
                 "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1700000000,"
                 "\"model\":\"bench-model\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
                 "\"assistant\",\"content\":\"%s\"},\"finish_reason\":\"stop\"}],\"usage\":"
                 "{\"prompt_tokens\":210,\"completion_tokens\":48,\"total_tokens\":258}}",
                 text);
    my.answer_len = (size_t)snprintf(my.answer, sizeof my.answer,
                                     "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                                     "content-length: %d\r\n\r\n%s",
                                     len, json);
    size_t at = sizeof stream_head - 1;
    memcpy(my.stream, stream_head, at);
    for (int i = 0; i < my.chunks && at + CHUNK_MAX * 4 < sizeof my.stream; i++)
        at += put_delta(my.stream + at, sizeof my.stream - at,
                        words[(size_t)i % (sizeof words / sizeof words[0])]);
    my.stream_len = at + put_end(my.stream + at, sizeof my.stream - at);
}

static void client_close(struct client *client)
{
    close(client->fd);
    client->fd = -1;
    if (client->open && my.interval_ns > 0)
        return; /* the queue frees it */
    free(client);
}

/* Sends what is left; false: the client is gone. */
static bool client_send(struct client *client)
{
    while (client->out_len > 0) {
        ssize_t sent = write(client->fd, client->out, client->out_len);
        if (sent < 0 && errno != EAGAIN)
            return false;
        if (sent < 0)
            return true; /* EPOLLOUT goes on */
        client->out += sent;
        client->out_len -= (size_t)sent;
    }
    return true;
}

static void stream_begin(struct client *client)
{
    my.streams++;
    if (my.interval_ns == 0) {
        client->out = my.stream;
        client->out_len = my.stream_len;
        return;
    }
    client->out = stream_head;
    client->out_len = sizeof stream_head - 1;
    client->open = true;
    client->sent = 0;
    client->due_ns = now_ns() + my.interval_ns;
    client->next = NULL;
    *my.last = client;
    my.last = &client->next;
    my.open++;
}

/* One chunk, or the end. What does not fit into the socket is a client too slow to be measured. */
static bool stream_step(struct client *client)
{
    char bytes[CHUNK_MAX * 4], at[32];
    bool ends = client->sent == my.chunks;
    snprintf(at, sizeof at, "t=%019" PRId64 " ", now_ns());
    size_t len = ends ? put_end(bytes, sizeof bytes) : put_delta(bytes, sizeof bytes, at);
    client->sent++;
    client->open = !ends;
    return client->out_len == 0 && write(client->fd, bytes, len) == (ssize_t)len;
}

static void streams_turn(int64_t now)
{
    while (my.first && my.first->due_ns <= now) {
        struct client *client = my.first;
        my.first = client->next;
        if (!my.first)
            my.last = &my.first;
        bool gone = client->fd < 0;
        if (!gone && stream_step(client) && client->open) {
            client->due_ns += my.interval_ns;
            client->next = NULL;
            *my.last = client;
            my.last = &client->next;
            continue;
        }
        my.open--;
        my.broken += client->open || gone;
        if (client->open && !gone)
            close(client->fd);
        if (client->open || gone)
            free(client);
    }
}

static void answer(struct client *client, const char *body, size_t body_len)
{
    static char told[512];
    if (client->request[0] == 'G') {
        char json[256];
        int len = snprintf(json, sizeof json,
                           "{\"plain\":%" PRId64 ",\"streams\":%" PRId64 ",\"open\":%" PRId64
                           ",\"broken\":%" PRId64 "}",
                           my.plain, my.streams, my.open, my.broken);
        client->out_len = (size_t)snprintf(told, sizeof told,
                                           "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                                           "content-length: %d\r\n\r\n%s",
                                           len, json);
        client->out = told;
    } else if (memmem(body, body_len, "\"stream\":true", 13)) {
        stream_begin(client);
    } else {
        my.plain++;
        client->out = my.answer;
        client->out_len = my.answer_len;
    }
}

/* The first whole request, if there is one; 0: not yet; -1: none that is understood. */
static ssize_t request_len(struct client *client, size_t *ret_head_len)
{
    client->request[client->len] = 0;
    const char *end = strstr(client->request, "\r\n\r\n");
    if (!end)
        return client->len == REQUEST_MAX - 1 ? -1 : 0;
    *ret_head_len = (size_t)(end - client->request) + 4;
    const char *field = strcasestr(client->request, "\r\ncontent-length:");
    size_t body = field && field < end ? strtoul(field + 17, NULL, 10) : 0;
    if (*ret_head_len + body >= REQUEST_MAX)
        return -1;
    return *ret_head_len + body <= client->len ? (ssize_t)(*ret_head_len + body) : 0;
}

/* false: to be closed. */
static bool client_read(struct client *client)
{
    ssize_t got = read(client->fd, client->request + client->len, REQUEST_MAX - 1 - client->len);
    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    client->len += (size_t)got;
    while (client->out_len == 0 && !client->open) {
        size_t head = 0;
        ssize_t len = request_len(client, &head);
        if (len <= 0)
            return len == 0;
        answer(client, client->request + head, (size_t)len - head);
        client->len -= (size_t)len;
        memmove(client->request, client->request + len, client->len);
        if (!client_send(client))
            return false;
    }
    return true;
}

static void accept_all(void)
{
    for (;;) {
        int fd = accept4(my.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct client *client = malloc(sizeof *client);
        if (!client)
            abort();
        memset(client, 0, offsetof(struct client, request));
        client->fd = fd;
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = client};
        if (epoll_ctl(my.epoll, EPOLL_CTL_ADD, fd, &event) != 0)
            abort();
    }
}

static int listen_anywhere(void)
{
    int on = 1;
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof where;
    my.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(my.listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(my.listener, (struct sockaddr *)&where, len) != 0 || listen(my.listener, 4096) != 0 ||
        getsockname(my.listener, (struct sockaddr *)&where, &len) != 0)
        return -1;
    return ntohs(where.sin_port);
}

static void wait_and_serve(void)
{
    struct epoll_event events[EVENTS];
    struct timespec wait = {0, 0};
    if (my.first) {
        int64_t left = my.first->due_ns - now_ns();
        wait.tv_nsec = left < 0 ? 0 : left > 999999999 ? 999999999 : (long)left;
    }
    int len = epoll_pwait2(my.epoll, events, EVENTS, my.first ? &wait : NULL, NULL);
    for (int i = 0; i < len; i++) {
        struct client *client = events[i].data.ptr;
        if (!client)
            accept_all();
        else if (!client_send(client) || !client_read(client))
            client_close(client);
    }
    streams_turn(now_ns());
}

static int number(const char *text)
{
    return (int)strtol(text, NULL, 10);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: provider CHUNKS RATE\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    my.chunks = number(argv[1]);
    my.interval_ns = number(argv[2]) > 0 ? 1000000000 / number(argv[2]) : 0;
    my.last = &my.first;
    prepare();
    my.epoll = epoll_create1(EPOLL_CLOEXEC);
    int port = listen_anywhere();
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (port < 0 || epoll_ctl(my.epoll, EPOLL_CTL_ADD, my.listener, &event) != 0) {
        perror("provider");
        return 1;
    }
    printf("port %d\n", port);
    fflush(stdout);
    for (;;)
        wait_and_serve();
}
