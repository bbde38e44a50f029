/* SPDX-License-Identifier: Apache-2.0
 * Tapes run in a child process that writes down, in shared memory, which one it is at. However it
 * ends (a return, an assertion, a signal, a sanitizer, an alarm), the parent knows the tape, and
 * shrinks it by trying smaller ones in children of their own: chunks taken out, then bytes zeroed,
 * then bytes made smaller, until nothing smaller fails or the patience is over.
 *
 * Not done: handlers for signals (a sanitizer that exits calls none) and a process for each tape
 * (a fork costs more than most tapes). */
#include "property/tape.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    TRIES_MAX = 4000, /* of shrinking */
    PATIENCE_S = 60,  /* of shrinking */
    TAPE_S = 120      /* one tape that takes longer hangs */
};

struct run {
    const char *name;
    int (*property)(struct tape *);
    uint64_t seed, tapes;
    size_t len_max;
    uint64_t *at; /* shared with the child: which tape it is at */
    unsigned tries;
    time_t until;
};

struct bytes {
    uint8_t *data;
    size_t len;
};

/* ---- Drawing ---- */

bool tape_done(const struct tape *tape)
{
    return tape->at >= tape->len;
}

uint8_t tape_byte(struct tape *tape)
{
    return tape->at < tape->len ? tape->data[tape->at++] : 0;
}

static uint64_t draw_bits(struct tape *tape, unsigned bits)
{
    uint64_t value = 0;
    for (unsigned got = 0; got < bits; got += 8)
        value = value << 8 | tape_byte(tape);
    return bits < 64 ? value & ((UINT64_C(1) << bits) - 1) : value;
}

uint64_t tape_u64(struct tape *tape, uint64_t max)
{
    if (max == 0)
        return 0;
    if (max <= UINT8_MAX)
        return tape_byte(tape) % (max + 1);
    uint8_t kind = tape_byte(tape);
    if (kind >= 224)
        return max - tape_byte(tape);
    unsigned bits = 64 - (unsigned)__builtin_clzll(max);
    uint64_t value = draw_bits(tape, kind % (bits + 1));
    return value <= max ? value : value % (max + 1);
}

int64_t tape_range(struct tape *tape, int64_t low, int64_t high)
{
    ASSERT(low <= high);
    return (int64_t)((uint64_t)low + tape_u64(tape, (uint64_t)high - (uint64_t)low));
}

size_t tape_pick(struct tape *tape, size_t count)
{
    ASSERT(count > 0);
    return count <= 256 ? tape_byte(tape) % count : (size_t)tape_u64(tape, count - 1);
}

bool tape_chance(struct tape *tape, unsigned percent)
{
    ASSERT(percent <= 100);
    return (unsigned)tape_byte(tape) * 100 / 256 >= 100 - percent;
}

size_t tape_take(struct tape *tape, size_t len, const uint8_t **ret_bytes)
{
    size_t left = tape->len - tape->at;
    if (len > left)
        len = left;
    *ret_bytes = len ? tape->data + tape->at : NULL;
    tape->at += len;
    return len;
}

/* ---- Making tapes ---- */

/* SplitMix64: any seed is a good one. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Tape number n of the run; data has room for len_max bytes. The length grows with n. */
static void make_tape(const struct run *run, uint64_t n, struct bytes *tape)
{
    uint64_t state = run->seed + n * UINT64_C(0xd1342543de82ef95);
    size_t longest = run->len_max;
    if (n < run->tapes / 2)
        longest = 1 + (size_t)(n * 2 * run->len_max / run->tapes);
    if (longest > run->len_max)
        longest = run->len_max;
    tape->len = (size_t)(next_random(&state) % longest) + 1;
    for (size_t i = 0; i < tape->len; i++)
        tape->data[i] = (uint8_t)next_random(&state);
}

static uint64_t environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static struct bytes new_bytes(size_t room)
{
    struct bytes bytes = {malloc(room ? room : 1), 0};
    ASSERT(bytes.data);
    return bytes;
}

/* ---- Running ---- */

/* The tape gets memory of exactly its size, so that a sanitizer sees what is read beyond it. */
static int play(int (*property)(struct tape *), const struct bytes *bytes)
{
    struct bytes copy = new_bytes(bytes->len);
    memcpy(copy.data, bytes->data, bytes->len);
    struct tape tape = {copy.data, bytes->len, 0};
    int rc = property(&tape);
    free(copy.data);
    return rc;
}

static void play_all(const struct run *run)
{
    struct bytes tape = new_bytes(run->len_max);
    int rc = 0;
    for (*run->at = 0; !rc && *run->at < run->tapes; *run->at += rc == 0) {
        make_tape(run, *run->at, &tape);
        alarm(TAPE_S);
        rc = play(run->property, &tape);
    }
    alarm(0);
    free(tape.data);
    exit(rc ? 1 : 0); /* not _exit(): leaks are looked for, coverage is written */
}

static void play_one(const struct run *run, const struct bytes *tape, bool silent)
{
    if (silent && (!freopen("/dev/null", "w", stderr) || !freopen("/dev/null", "w", stdout)))
        _exit(1);
    alarm(TAPE_S);
    int rc = play(run->property, tape);
    fflush(NULL);
    _exit(rc ? 1 : 0);
}

static pid_t start(void)
{
    fflush(NULL);
    pid_t child = fork();
    ASSERT(child >= 0);
    return child;
}

/* How the child ended; 0 is well. */
static int wait_for(pid_t child)
{
    int status = 0;
    pid_t ended = waitpid(child, &status, 0);
    ASSERT(ended == child);
    return status;
}

static int try_tape(struct run *run, const struct bytes *tape, bool silent)
{
    pid_t child = start();
    if (child == 0)
        play_one(run, tape, silent);
    return wait_for(child);
}

/* ---- Shrinking ---- */

/* Keeps the change that other has against tape, if it still fails. */
static bool keep(struct run *run, struct bytes *tape, struct bytes *other)
{
    if (run->tries >= TRIES_MAX || time(NULL) >= run->until)
        return false;
    run->tries++;
    if (!try_tape(run, other, true))
        return false;
    struct bytes old = *tape;
    *tape = *other;
    *other = old;
    return true;
}

static void copy_bytes(struct bytes *to, const struct bytes *from)
{
    memcpy(to->data, from->data, from->len);
    to->len = from->len;
}

static bool drop_chunks(struct run *run, struct bytes *tape, struct bytes *other, size_t chunk)
{
    bool better = false;
    for (size_t end = tape->len; end >= chunk; end -= chunk) { /* the end is cheapest to lose */
        copy_bytes(other, tape);
        memmove(other->data + end - chunk, other->data + end, other->len - end);
        other->len -= chunk;
        better |= keep(run, tape, other);
    }
    return better;
}

static bool zero_chunks(struct run *run, struct bytes *tape, struct bytes *other, size_t chunk)
{
    static const uint8_t zeros[64];
    bool better = false;
    for (size_t at = 0; at + chunk <= tape->len; at += chunk) {
        if (memcmp(tape->data + at, zeros, chunk) == 0)
            continue;
        copy_bytes(other, tape);
        memset(other->data + at, 0, chunk);
        better |= keep(run, tape, other);
    }
    return better;
}

static bool lower_bytes(struct run *run, struct bytes *tape, struct bytes *other)
{
    bool better = false;
    for (size_t at = 0; at < tape->len; at++)
        for (int step = 7; step >= 0; step--) {
            if (tape->data[at] < 1 << step)
                continue;
            copy_bytes(other, tape);
            other->data[at] = (uint8_t)(other->data[at] - (1 << step));
            better |= keep(run, tape, other);
        }
    return better;
}

static void shrink(struct run *run, struct bytes *tape)
{
    struct bytes other = new_bytes(run->len_max);
    run->until = time(NULL) + PATIENCE_S;
    for (bool better = true; better;) {
        better = false;
        size_t chunk = 1;
        while (chunk * 4 <= tape->len)
            chunk *= 2;
        for (; chunk > 0; chunk /= 2)
            better |= drop_chunks(run, tape, &other, chunk);
        for (chunk = 64; chunk > 0; chunk /= 8)
            better |= zero_chunks(run, tape, &other, chunk);
        better |= lower_bytes(run, tape, &other);
    }
    free(other.data);
}

static void print_status(const struct run *run, int status)
{
    fprintf(stderr, "%s: tape %llu of seed %llu ", run->name, (unsigned long long)*run->at,
            (unsigned long long)run->seed);
    if (WIFSIGNALED(status))
        fprintf(stderr, "dies of signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        fprintf(stderr, "fails\n");
}

static void report(struct run *run, int status)
{
    print_status(run, status);
    struct bytes tape = new_bytes(run->len_max);
    make_tape(run, *run->at, &tape);
    if (!try_tape(run, &tape, true))
        fprintf(stderr, "%s: it does not fail alone: the property keeps something\n", run->name);
    else
        shrink(run, &tape);
    fprintf(stderr, "%s: the smallest after %u tries has %zu bytes and says:\n", run->name,
            run->tries, tape.len);
    try_tape(run, &tape, false);
    fprintf(stderr, "replay: METE_PROPERTY=%s METE_TAPE=", run->name);
    if (!tape.len)
        fprintf(stderr, "''");
    for (size_t i = 0; i < tape.len; i++)
        fprintf(stderr, "%02x", tape.data[i]);
    fprintf(stderr, "\n");
    free(tape.data);
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) : -1;
}

static int replay(const struct run *run, const char *hex)
{
    struct bytes tape = new_bytes(strlen(hex) / 2);
    for (; hex_digit(hex[0]) >= 0 && hex_digit(hex[1]) >= 0; hex += 2)
        tape.data[tape.len++] = (uint8_t)(hex_digit(hex[0]) * 16 + hex_digit(hex[1]));
    int rc = play(run->property, &tape);
    fprintf(stderr, "%s: %zu bytes: %s\n", run->name, tape.len, rc ? "fails" : "all is well");
    free(tape.data);
    return rc ? 1 : 0;
}

int tape_run(const char *name, int (*property)(struct tape *), uint64_t tapes, size_t len_max)
{
    ASSERT(len_max > 0);
    struct run run = {.name = name, .property = property, .len_max = len_max};
    const char *only = getenv("METE_PROPERTY"), *hex = getenv("METE_TAPE");
    if (only && *only && strcmp(only, name) != 0)
        return 0;
    if (hex)
        return replay(&run, hex);
    run.tapes = environment("METE_TAPES", tapes);
    run.seed = environment("METE_SEED", 1);
    if (!run.seed)
        run.seed = (uint64_t)time(NULL);
    run.at = mmap(NULL, sizeof *run.at, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(run.at != MAP_FAILED);
    pid_t child = start();
    if (child == 0)
        play_all(&run);
    int status = wait_for(child);
    if (status && *run.at == run.tapes)
        fprintf(stderr, "%s: seed %llu: all tapes passed, then the process failed (a leak?)\n",
                name, (unsigned long long)run.seed);
    else if (status)
        report(&run, status);
    munmap(run.at, sizeof *run.at);
    return status ? 1 : 0;
}
