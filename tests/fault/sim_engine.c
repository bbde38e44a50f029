/* SPDX-License-Identifier: Apache-2.0
 * Simulation: the whole engine on an operating system that lies, life after life on one disk.
 *
 * A case is a tape (tests/property/tape.h). It draws lives; each is a process of its own that
 * starts the engine, asks again what it was not told, compares everything with the book (book.h),
 * and goes on, until it closes, is killed, or a fault strikes: power, a write or flush that fails,
 * a write that is torn, a disk that is full for a while, a read that fails or finds less than there
 * is. Then the disk keeps what it likes of what was not flushed, the clock steps, and the next one
 * begins. A last life without faults must find everything, and verify must be clean.
 *
 * THE RULE
 *   A life ends as the engine promises: by closing, or by its own death (INV-15) after a fault, or
 *   by not starting after one. Only a clock far behind the journal (INV-09) is refused without.
 *   What was told is there in every later life, once; see book.h. After a disk that lied about
 *   flushes nothing is promised but that the engine starts, refuses, or ends itself; that is the
 *   end of such a case. With --canary every disk lies and the rule stands, and must be broken.
 *
 *   usage: sim_engine [--seconds N] [--seed S] [--canary]
 *   A failing case is shrunk and printed; METE_PROPERTY=sim_engine METE_TAPE=... replays it. Which
 *   of the engine's threads writes first is not of the tape: a fault of the records may need a few
 *   replays. */
#include "fault/book.h"
#include "fault/disk.h"
#include "fault/lying_os.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIVES_MAX = 12, OPERATIONS_MAX = 60, TAPE_MAX = 1500, ROUND = 20 };
enum { CLOSED = 0, KILLED = 43, REFUSED = 44, BROKEN = 99 }; /* exit codes; and DISK_EXIT, DIED */
static const int64_t second_us = 1000000;

static const char *const fault_names[DISK_FAULTS] = {
    "none", "power", "write", "torn write", "full", "flush", "read", "short read", "lie"};

static struct shared {
    uint64_t cases, lives, refusals, operations, struck[DISK_FAULTS];
    size_t at; /* of the tape, in the child */
    int error; /* why the engine did not open */
} * shared;

static struct book *book;
static bool is_canary;

struct life {
    struct disk_fault fault;
    int64_t wall_us, latest_us; /* latest: the clock has never shown more */
    bool clock_is_behind, closes, is_last;
    uint32_t operations;
};

/* ---- The child ------------------------------------------------------------------------------- */

static void go_on(const struct life *life, const struct book_client *client, struct tape *tape)
{
    for (uint32_t i = 0; i < life->operations && book->len + BOOK_BATCH < BOOK_OPS; i++) {
        if (book_go_on(book, client, tape))
            _exit(BROKEN);
        shared->operations++;
        shared->at = tape->at;
    }
}

static void live(const struct life *life, struct tape *tape)
{
    struct book_client client;
    uint8_t hash[32];
    disk_arm(life->fault);
    shared->error = book_open(book, &client);
    if (shared->error)
        _exit(REFUSED);
    if (book_retry(book, &client) || book_check(book, &client))
        _exit(BROKEN);
    go_on(life, &client, tape);
    if (!life->closes)
        _exit(KILLED);
    bool failed = life->is_last && book_hash(book, &client, hash);
    book_close(&client);
    failed = failed || (life->is_last && book_verify(book, hash));
    _exit(failed ? BROKEN : CLOSED);
}

/* ---- The parent ------------------------------------------------------------------------------ */

static bool lies(const struct life *life)
{
    return life->fault.kind == DISK_LIE && !is_canary;
}

/* Whether a life may end so. */
static bool is_allowed(const struct life *life, int code)
{
    bool struck = disk_struck() && life->fault.kind != DISK_NO_FAULT;
    switch (code) {
    case CLOSED:
        return life->closes;
    case KILLED:
        return !life->closes;
    case DISK_EXIT:
        return struck && life->fault.kind == DISK_POWER;
    case LYING_OS_DIED:
        return struck;
    case REFUSED:
        return struck || (shared->error == METE_E_CLOCK && life->clock_is_behind);
    default:
        return false;
    }
}

static int tell(const struct life *life, int status)
{
    fprintf(stderr, "life %u, fault %s at %u: ", book->life, fault_names[life->fault.kind],
            life->fault.nth);
    if (WIFSIGNALED(status))
        fprintf(stderr, "signal %d\n", WTERMSIG(status));
    else if (WEXITSTATUS(status) == REFUSED)
        fprintf(stderr, "refused: %s\n", mete_error_name(shared->error));
    else
        fprintf(stderr, "exit %d, %s\n", WEXITSTATUS(status), book->fault);
    return 1;
}

/* Non-zero: it ended as it may not. */
static int run_life(const struct life *life, struct tape *tape)
{
    disk_record();
    lying_os_restart(life->wall_us);
    shared->at = tape->at;
    shared->lives++;
    fflush(NULL);
    pid_t child = fork();
    if (!child)
        live(life, tape);
    int status;
    waitpid(child, &status, 0);
    tape->at = shared->at;
    shared->struck[life->fault.kind] += disk_struck();
    if (WIFEXITED(status) && WEXITSTATUS(status) == REFUSED)
        shared->refusals++;
    if (!WIFEXITED(status) || !is_allowed(life, WEXITSTATUS(status)))
        return tell(life, status);
    return 0;
}

static void draw_fault(struct life *life, struct tape *tape)
{
    static const enum disk_fault_kind kinds[] = {
        DISK_NO_FAULT, DISK_POWER, DISK_POWER, DISK_POWER,      DISK_POWER,     DISK_WRITE,
        DISK_FLUSH,    DISK_FULL,  DISK_READ,  DISK_TORN_WRITE, DISK_SHORT_READ};
    life->fault.kind = kinds[tape_pick(tape, sizeof kinds / sizeof kinds[0])];
    if (tape_chance(tape, 2) || is_canary)
        life->fault.kind = DISK_LIE;
    life->fault.nth = 1 + (uint32_t)tape_u64(tape, 250);
    life->fault.len = 1 + (uint32_t)tape_u64(tape, 40);
}

/* Forward up to an hour and a half (all lives together stay within the day for which the engine
 * remembers what ended), a little back, or now and then so far back that it is refused. */
static void draw_clock(struct life *life, struct tape *tape)
{
    life->wall_us = life->latest_us;
    life->clock_is_behind = false;
    if (!book->life)
        return; /* nothing is on the disk that a clock could stand before */
    switch (tape_pick(tape, 8)) {
    case 0:
    case 1:
    case 2:
        life->wall_us += tape_range(tape, 0, 3 * second_us);
        break;
    case 3:
    case 4:
        life->wall_us += tape_range(tape, 0, 5400 * second_us);
        break;
    case 5:
    case 6:
        life->wall_us -= tape_range(tape, 0, 59 * second_us);
        break;
    default:
        life->wall_us -= tape_range(tape, 61 * second_us, 1000000 * second_us);
        life->clock_is_behind = true;
    }
    if (life->wall_us > life->latest_us)
        life->latest_us = life->wall_us;
}

static void leave_disk(struct tape *tape)
{
    static const enum disk_fate choices[] = {DISK_ALL,  DISK_FLUSHED,   DISK_SUBSET,
                                             DISK_TORN, DISK_REORDERED, DISK_REORDERED};
    enum disk_fate fate = choices[tape_pick(tape, sizeof choices / sizeof choices[0])];
    uint64_t seed = tape_byte(tape);
    disk_walk_begin();
    disk_walk_to(disk_events());
    disk_cut(fate, seed);
    disk_walk_end();
}

static int sim_engine(struct tape *tape)
{
    struct life life = {.latest_us = INT64_C(1790000000000000)};
    book_clear(book);
    disk_clear();
    shared->cases++;
    for (int n = 0; n < LIVES_MAX && !tape_done(tape); n++) {
        draw_fault(&life, tape);
        draw_clock(&life, tape);
        life.operations = (uint32_t)tape_u64(tape, OPERATIONS_MAX);
        life.closes = tape_chance(tape, 30);
        if (run_life(&life, tape))
            return 1;
        if (lies(&life) && disk_struck()) /* a last look: it must not crash */
            return 0;
        leave_disk(tape);
        if (book_clock_us(book) > life.latest_us)
            life.latest_us = book_clock_us(book);
    }
    life.fault = (struct disk_fault){0};
    life.wall_us = life.latest_us;
    life.clock_is_behind = false;
    life.operations = 0;
    life.closes = life.is_last = true;
    return run_life(&life, tape);
}

/* ---- Running --------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Not by tape_run(), which would shrink what it finds. */
static int run_canary(uint64_t seed)
{
    static uint8_t bytes[TAPE_MAX];
    for (uint64_t n = 1; n <= 50; n++) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)mix(seed * 1000003 + n * TAPE_MAX + i);
        struct tape tape = {bytes, sizeof bytes, 0};
        if (sim_engine(&tape)) {
            printf("sim-engine: the canary is found in case %llu of seed %llu\n",
                   (unsigned long long)n, (unsigned long long)seed);
            return 0;
        }
    }
    fprintf(stderr, "sim-engine: the canary lives: disks that lied were not found out\n");
    return 1;
}

static int run_for(long seconds, uint64_t seed)
{
    time_t begun = time(NULL);
    int failed = 0;
    for (uint64_t round = 0; !failed && time(NULL) - begun < seconds; round++) {
        char text[24];
        snprintf(text, sizeof text, "%llu", (unsigned long long)(seed + round));
        setenv("METE_SEED", text, 1);
        setenv("METE_TAPES", "20", 1);
        failed = tape_run("sim_engine", sim_engine, ROUND, TAPE_MAX);
    }
    printf("sim-engine: seed %llu, %llu cases, %llu lives, %llu operations, faults:",
           (unsigned long long)seed, (unsigned long long)shared->cases,
           (unsigned long long)shared->lives, (unsigned long long)shared->operations);
    for (int i = 1; i < DISK_FAULTS; i++)
        printf(" %llu %s,", (unsigned long long)shared->struck[i], fault_names[i]);
    printf(" %llu refusals, %d differences, %lld s\n", (unsigned long long)shared->refusals, failed,
           (long long)(time(NULL) - begun));
    return failed;
}

int main(int argc, char **argv)
{
    long seconds = 12;
    uint64_t seed = 1;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--canary"))
            is_canary = true;
        else if (!strcmp(argv[i], "--seconds") && i + 1 < argc)
            seconds = strtol(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--seed") && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else {
            fprintf(stderr, "usage: sim_engine [--seconds N] [--seed S] [--canary]\n");
            return 2;
        }
    }
    (void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    lying_os_init(INT64_C(1790000000000000));
    disk_vfs();
    book = book_new();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    return is_canary ? run_canary(seed) : run_for(seconds, seed);
}
