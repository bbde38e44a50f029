/* SPDX-License-Identifier: Apache-2.0
 * load - what wrk cannot measure.
 *
 *   load open PORT BODY_FILE TOKEN CONNECTIONS RATE SECONDS
 *       Calls begin at a constant rate whether or not earlier ones have ended (an open loop). A
 * call is timed from when it was due, not from when a connection was free for it, so that a stall
 *       counts for every call it held up (no coordinated omission).
 *   load streams PORT BODY_FILE TOKEN STREAMS
 *       Opens streams one millisecond apart, reads each to its end, and tells how long after its
 *       sending each event arrived: bench/provider.c writes t=NANOSECONDS of the same clock into
 *       it.
 *   load closed PORT BODIES_FILE TOKEN CONNECTIONS SECONDS
 *       Each connection asks again as soon as it was answered. BODIES_FILE has a body a line, which
 *       are sent in turn, so that no two calls need be alike.
 *   load flush FILE COUNT GAP_US
 *       A block of 4 KiB written and flushed, as often, so long from beginning to beginning: a disk
 *       that is asked now and then, and a processor that has slept, answer later than busy ones.
 *
 * Prints RESULT and a JSON object: count, failures, p50_us, p99_us, max_us; closed also per_second.
 * One thread. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 512, READ_MAX = 65536, HEAD_MAX = 4096, CARRY = 32, SAMPLES_MAX = 4000000 };

struct request {
    const char *bytes; /* head and body */
    size_t len;
};

struct connection {
    int fd;
    bool busy;
    int64_t due_ns;
    char head[HEAD_MAX];   /* of the answer, until it is whole */
    size_t head_len, left; /* left: of a body of known length */
    bool headed, chunked;
    char tail[CARRY]; /* the body's last bytes */
    size_t tail_len, sent;
    struct connection *next_free;
};

static struct {
    int epoll;
    struct request *requests;
    size_t requests_len, asked;
    int64_t *samples;
    double seconds; /* that a closed loop took; 0: it was none */
    size_t count, failures, open;
    bool streams;
    struct connection *connections, *free;
} my;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void die(const char *why)
{
    fprintf(stderr, "load: %s: %s\n", why, strerror(errno));
    exit(1);
}

static void sample(int64_t ns)
{
    if (my.count < SAMPLES_MAX)
        my.samples[my.count++] = ns;
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int report(void)
{
    qsort(my.samples, my.count, sizeof *my.samples, ascending);
    size_t last = my.count == 0 ? 0 : my.count - 1;
    printf("RESULT {\"count\":%zu,\"failures\":%zu,\"p50_us\":%.1f,\"p99_us\":%.1f,"
           "\"max_us\":%.1f,\"per_second\":%.1f}\n",
           my.count, my.failures, (double)my.samples[last / 2] / 1e3,
           (double)my.samples[last * 99 / 100] / 1e3, (double)my.samples[last] / 1e3,
           my.seconds > 0 ? (double)my.count / my.seconds : 0.0);
    return my.count == 0;
}

static char *read_file(const char *name, size_t *ret_len)
{
    FILE *file = fopen(name, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        die(name);
    size_t size = (size_t)ftell(file);
    char *text = malloc(size + 1);
    rewind(file);
    if (!text || fread(text, 1, size, file) != size)
        die(name);
    fclose(file);
    *ret_len = size;
    return text;
}

static struct request make_request(const char *body, size_t len, const char *token)
{
    char *bytes = malloc(HEAD_MAX + len);
    if (!bytes)
        die("a request");
    int head = snprintf(bytes, HEAD_MAX,
                        "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n"
                        "content-type: application/json\r\nauthorization: Bearer %s\r\n"
                        "content-length: %zu\r\n\r\n",
                        token, len);
    memcpy(bytes + head, body, len);
    return (struct request){bytes, (size_t)head + len};
}

/* One of each line. */
static void make_requests(const char *bodies_file, const char *token)
{
    size_t left, room = 0;
    char *all = read_file(bodies_file, &left), *text = all;
    for (size_t len; left > 0; text += len, left -= len) {
        const char *end = memchr(text, '\n', left);
        len = end ? (size_t)(end - text) + 1 : left;
        if (my.requests_len == room) {
            room = room * 2 + 16;
            my.requests = realloc(my.requests, room * sizeof *my.requests);
            if (!my.requests)
                die("requests");
        }
        my.requests[my.requests_len++] = make_request(text, end ? len - 1 : len, token);
    }
    free(all);
    if (my.requests_len == 0)
        die(bodies_file);
}

static void connect_all(int port, size_t count)
{
    struct sockaddr_in where = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    my.epoll = epoll_create1(EPOLL_CLOEXEC);
    my.connections = calloc(count, sizeof *my.connections);
    if (my.epoll < 0 || !my.connections)
        die("connections");
    for (size_t i = 0; i < count; i++) {
        struct connection *connection = &my.connections[i];
        int on = 1;
        connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(connection->fd, (struct sockaddr *)&where, sizeof where) != 0)
            die("connect");
        setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        fcntl(connection->fd, F_SETFL, O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        if (epoll_ctl(my.epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
            die("epoll");
        connection->next_free = my.free;
        my.free = connection;
    }
}

/* A request is far smaller than a socket's buffer, which is empty here: it goes in one write. */
static void ask(struct connection *connection, int64_t due_ns)
{
    connection->due_ns = due_ns;
    connection->busy = true;
    connection->headed = false;
    connection->head_len = connection->tail_len = 0;
    my.open++;
    const struct request *request = &my.requests[my.asked++ % my.requests_len];
    if (write(connection->fd, request->bytes, request->len) != (ssize_t)request->len)
        die("a request did not fit into its socket");
}

/* Finds the times in the body's bytes; one may stand across two reads. */
static void read_times(struct connection *connection, const char *bytes, size_t len, int64_t now)
{
    char text[CARRY + READ_MAX];
    memcpy(text, connection->tail, connection->tail_len);
    memcpy(text + connection->tail_len, bytes, len);
    size_t whole = connection->tail_len + len, at = 0;
    for (;;) {
        const char *found = memmem(text + at, whole - at, "t=", 2);
        if (!found || (size_t)(text + whole - found) < 21)
            break;
        sample(now - strtoll(found + 2, NULL, 10));
        at = (size_t)(found - text) + 21;
    }
    /* Neither a time twice nor half of one: what is kept begins behind the last one found. */
    size_t keep = whole - at < 21 ? whole - at : 21;
    memcpy(connection->tail, text + whole - keep, keep);
    connection->tail_len = keep;
}

static bool body_ends(struct connection *connection, const char *bytes, size_t len)
{
    if (!connection->chunked) {
        connection->left -= len < connection->left ? len : connection->left;
        return connection->left == 0;
    }
    if (my.streams)
        read_times(connection, bytes, len, now_ns());
    else if (len > 0) {
        size_t keep = len < 7 ? len : 7;
        memmove(connection->tail, connection->tail + keep, 7 - keep);
        memcpy(connection->tail + 7 - keep, bytes + len - keep, keep);
        connection->tail_len = 7;
    }
    return connection->tail_len >= 7 &&
           memcmp(connection->tail + connection->tail_len - 7, "\r\n0\r\n\r\n", 7) == 0;
}

static bool feed(struct connection *connection, const char *bytes, size_t len)
{
    if (connection->headed)
        return body_ends(connection, bytes, len);
    size_t room = HEAD_MAX - 1 - connection->head_len, had = connection->head_len;
    size_t take = len < room ? len : room;
    memcpy(connection->head + had, bytes, take);
    connection->head_len += take;
    connection->head[connection->head_len] = 0;
    const char *end = strstr(connection->head, "\r\n\r\n");
    if (!end)
        return false;
    size_t head = (size_t)(end - connection->head) + 4;
    my.failures += strncmp(connection->head, "HTTP/1.1 200", 12) != 0;
    const char *field = strcasestr(connection->head, "\r\ncontent-length:");
    connection->chunked = !field || field > end;
    connection->left = connection->chunked ? 0 : strtoul(field + 17, NULL, 10);
    connection->headed = true;
    return body_ends(connection, bytes + (head - had), len - (head - had));
}

static void receive(struct connection *connection)
{
    static char bytes[READ_MAX];
    ssize_t len = read(connection->fd, bytes, sizeof bytes);
    if (len < 0 && errno == EAGAIN)
        return;
    bool lost = len <= 0;
    if (!lost && (!connection->busy || !feed(connection, bytes, (size_t)len)))
        return;
    if (lost) {
        epoll_ctl(my.epoll, EPOLL_CTL_DEL, connection->fd, NULL);
        my.failures++;
    } else if (!my.streams) {
        sample(now_ns() - connection->due_ns);
    }
    my.open -= connection->busy;
    connection->busy = false;
    if (lost)
        return;
    connection->next_free = my.free;
    my.free = connection;
}

static void wait_until(int64_t until_ns)
{
    struct epoll_event events[EVENTS];
    int64_t left = until_ns - now_ns();
    struct timespec wait = {0, left < 0 ? 0 : left > 999999999 ? 999999999 : (long)left};
    int len = epoll_pwait2(my.epoll, events, EVENTS, &wait, NULL);
    for (int i = 0; i < len; i++)
        receive(events[i].data.ptr);
}

/* Begins count calls at the rate, waits for all of them; patience_s after the last one ends it. */
static void run(int64_t interval_ns, size_t count, int patience_s)
{
    int64_t begin = now_ns() + 1000000;
    size_t asked = 0;
    while (asked < count || my.open > 0) {
        int64_t now = now_ns();
        while (asked < count && my.free && begin + (int64_t)asked * interval_ns <= now) {
            struct connection *connection = my.free;
            my.free = connection->next_free;
            ask(connection, begin + (int64_t)asked * interval_ns);
            asked++;
        }
        int64_t next = begin + (int64_t)asked * interval_ns;
        if (now > begin + (int64_t)count * interval_ns + (int64_t)patience_s * 1000000000)
            break;
        wait_until(asked < count && my.free ? next : now + 100000000);
    }
    my.failures += my.open + (count - asked);
}

/* What is answered when the time is over counts; what is open then is waited for, and does not. */
static void run_closed(int seconds)
{
    int64_t begin = now_ns(), end = begin + (int64_t)seconds * 1000000000, now = begin;
    for (; now < end; now = now_ns()) {
        while (my.free) {
            struct connection *connection = my.free;
            my.free = connection->next_free;
            ask(connection, now);
        }
        wait_until(end);
    }
    size_t count = my.count;
    my.seconds = (double)(now - begin) / 1e9;
    while (my.open > 0 && now_ns() < end + 10 * INT64_C(1000000000))
        wait_until(now_ns() + 100000000);
    my.failures += my.open;
    my.count = count;
}

static void flushes(const char *name, int count, int64_t gap_ns)
{
    static char block[4096];
    int fd = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        die(name);
    for (int i = 0; i < count; i++) /* not only reserved: written over, as a journal is */
        if (pwrite(fd, block, sizeof block, (off_t)sizeof block * i) < 0)
            die(name);
    if (fsync(fd) != 0)
        die(name);
    int64_t due_ns = now_ns();
    for (int i = 0; i < count; i++, due_ns += gap_ns) {
        const struct timespec due = {due_ns / 1000000000, due_ns % 1000000000};
        memset(block, i, sizeof block);
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        int64_t begin = now_ns();
        if (pwrite(fd, block, sizeof block, (off_t)sizeof block * i) < 0 || fdatasync(fd) != 0)
            die(name);
        sample(now_ns() - begin);
    }
    close(fd);
}

static int number(const char *text)
{
    return (int)strtol(text, NULL, 10);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    my.samples = calloc(SAMPLES_MAX, sizeof *my.samples);
    if (!my.samples)
        die("samples");
    prctl(PR_SET_TIMERSLACK, 1UL);
    if (strcmp(mode, "flush") == 0 && argc == 5) {
        flushes(argv[2], number(argv[3]), (int64_t)number(argv[4]) * 1000);
        return report();
    }
    bool open = strcmp(mode, "open") == 0 && argc == 8;
    bool closed = strcmp(mode, "closed") == 0 && argc == 7;
    my.streams = strcmp(mode, "streams") == 0 && argc == 6;
    if (!open && !closed && !my.streams) {
        fprintf(stderr, "usage: load open|closed|streams|flush ... (see load.c)\n");
        return 2;
    }
    make_requests(argv[3], argv[4]);
    connect_all(number(argv[2]), strtoul(argv[5], NULL, 10));
    if (closed)
        run_closed(number(argv[6]));
    else if (open)
        run(1000000000 / number(argv[6]), (size_t)(number(argv[6]) * number(argv[7])), 10);
    else
        run(1000000, strtoul(argv[5], NULL, 10), 60);
    return report();
}
