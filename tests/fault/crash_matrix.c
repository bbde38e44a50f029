/* SPDX-License-Identifier: Apache-2.0
 * The crash matrix: proves that a power cut at any moment loses nothing that was told.
 *
 * A run of 500 operations on an engine, with snapshots and cuts between, is recorded, down to each
 * write and flush of journal, records and snapshots (disk.h). Then for every prefix of the
 * recording, and for everything that could survive of what was not flushed, the disk is built as it
 * would be found, and an engine is started on it.
 *
 * THE RULE
 *   An honest disk, whatever the prefix and whatever survived of the unflushed: the engine starts;
 *   the book (book.h) agrees with it in every balance, open reservation, record and repeat; what
 *   was under way and is asked again is there once; and verify is clean, with the same state.
 *   Refusing to start is a difference, because after a mere power cut nothing is damaged.
 *   A disk that lied about flushes (--canary): the engine may refuse with CORRUPT, STORAGE or
 *   FORMAT; starting with less than was told is a difference. The canary is well only if such
 *   differences are found: then this program can see a loss.
 *
 *   usage: crash_matrix [--seconds N] [--seed S] [--operations N] [--full] [--canary]
 *
 * Without --full, images are taken evenly from all prefixes and fates until the time is up. */
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

enum { TAPE = 1 << 16, PASSES = 64, SHOWN = 5 };

/* What is built of each prefix. Their number is odd, so that each pass meets all of them. */
static const enum disk_fate fates[] = {DISK_FLUSHED, DISK_ALL,       DISK_SUBSET,
                                       DISK_SUBSET,  DISK_SUBSET,    DISK_TORN,
                                       DISK_TORN,    DISK_REORDERED, DISK_REORDERED};
static const char *const fate_names[DISK_FATES] = {"flushed", "all", "subset", "torn", "reordered"};
enum { VARIANTS = sizeof fates / sizeof fates[0] };

struct counts { /* shared with the children */
    uint64_t images, refusals, differences;
    uint32_t variant;
};

static struct {
    uint64_t seed;
    long seconds;
    uint32_t operations;
    bool is_full, is_canary;
    struct timespec begun;
    struct counts *counts;
    struct book *book; /* of the whole run */
} run = {.seed = 1, .seconds = 12, .operations = 500};

static int64_t elapsed_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - run.begun.tv_sec) * 1000 + (now.tv_nsec - run.begun.tv_nsec) / 1000000;
}

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* ---- The run that is recorded ---------------------------------------------------------------- */

static void live(void)
{
    static uint8_t bytes[TAPE];
    for (size_t i = 0; i < TAPE; i++)
        bytes[i] = (uint8_t)mix(run.seed * TAPE + i + 1);
    struct tape tape = {bytes, TAPE, 0};
    struct book_client client;
    disk_arm((struct disk_fault){run.is_canary ? DISK_LIE : DISK_NO_FAULT, 1, 0});
    int error = book_open(run.book, &client);
    if (error) {
        book_fail(run.book, "the run does not open: %s", mete_error_name(error));
        _exit(1);
    }
    while (run.book->len < run.operations)
        if (book_go_on(run.book, &client, &tape))
            _exit(1);
    if (book_check(run.book, &client))
        _exit(1);
    book_close(&client);
    bool is_too_short = run.operations < 500;
    if (!is_too_short && (run.book->snapshots < 3 || run.book->cuts < 3)) {
        book_fail(run.book, "%u snapshots and %u cuts", run.book->snapshots, run.book->cuts);
        _exit(1);
    }
    _exit(0);
}

static int record_run(void)
{
    /* Huge pages are for an engine that runs for months, not for one that runs 10 ms. */
    (void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    lying_os_init(INT64_C(1790000000000000));
    disk_vfs();
    disk_clear();
    run.book = book_new();
    run.counts =
        mmap(NULL, sizeof *run.counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (run.counts == MAP_FAILED)
        abort();
    pid_t child = fork();
    if (!child)
        live();
    int status;
    waitpid(child, &status, 0);
    if (status)
        fprintf(stderr, "crash-matrix: seed %llu: the run itself fails: %s\n",
                (unsigned long long)run.seed, run.book->fault);
    return status;
}

/* ---- One image ------------------------------------------------------------------------------- */

static bool may_refuse(int error)
{
    return run.is_canary &&
           (error == METE_E_CORRUPT || error == METE_E_STORAGE || error == METE_E_FORMAT);
}

/* Non-zero: book->fault says what differs. */
static int look(struct book *book)
{
    struct book_client client;
    uint8_t hash[32];
    int error = book_open(book, &client);
    if (error && may_refuse(error)) {
        run.counts->refusals++;
        return 0;
    }
    if (error)
        return book_fail(book, "refused: %s", mete_error_name(error));
    int failed = book_retry(book, &client);
    if (!failed)
        failed = book_check(book, &client);
    if (!failed)
        failed = book_hash(book, &client, hash);
    book_close(&client);
    return failed ? failed : book_verify(book, hash);
}

static void show(size_t prefix, uint32_t variant, const char *what)
{
    run.counts->differences++;
    if (run.counts->differences <= SHOWN)
        fprintf(stderr, "crash-matrix: %sseed %llu, prefix %zu, variant %u (%s): %s\n",
                run.is_canary ? "the canary is found: " : "", (unsigned long long)run.seed, prefix,
                variant, fate_names[fates[variant]], what);
}

/* Whether the image is one of the pass's: passes meet, one after the other, images far apart. */
static bool is_of_pass(size_t prefix, size_t variant, unsigned pass)
{
    unsigned reversed = 0;
    for (unsigned bit = 1; bit < PASSES; bit *= 2)
        reversed = reversed * 2 + (pass & bit ? 1 : 0);
    return (prefix * VARIANTS + variant) % PASSES == reversed;
}

static void look_at_one(size_t prefix, uint32_t variant)
{
    static struct book book;
    run.counts->variant = variant;
    run.counts->images++;
    disk_cut(fates[variant], mix(run.seed ^ mix(prefix * VARIANTS + variant + 1)));
    disk_arm((struct disk_fault){0});
    book_as_of(run.book, prefix, &book);
    int64_t clock_us = book_clock_us(&book);
    lying_os_restart(clock_us ? clock_us : run.book->ops[0].clock_us);
    if (look(&book))
        show(prefix, variant, book.fault);
}

/* In a child, which a fault may end. */
static void look_at_prefix(size_t prefix, unsigned pass)
{
    fflush(NULL);
    pid_t child = fork();
    if (!child) {
        disk_record_no_more();
        for (uint32_t variant = 0; variant < VARIANTS; variant++)
            if (is_of_pass(prefix, variant, pass))
                look_at_one(prefix, variant);
        fflush(NULL);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    if (status)
        show(prefix, run.counts->variant, "the engine ends itself");
}

static bool is_over(void)
{
    bool is_seen = run.is_canary && run.counts->differences > 0;
    return is_seen || (!run.is_full && elapsed_ms() >= run.seconds * 1000);
}

/* From the empty disk to the end of the recording. */
static void walk(unsigned pass)
{
    disk_walk_begin();
    for (size_t prefix = 0; prefix <= disk_events() && !is_over(); prefix++) {
        bool has_image = false;
        for (uint32_t variant = 0; variant < VARIANTS; variant++)
            has_image |= is_of_pass(prefix, variant, pass);
        if (!has_image)
            continue;
        disk_walk_to(prefix);
        look_at_prefix(prefix, pass);
    }
    disk_walk_end();
}

static int tell(void)
{
    const struct counts *counts = run.counts;
    size_t prefixes = disk_events() + 1;
    printf("crash-matrix: seed %llu, %u operations, %zu prefixes, %llu images of %zu (%llu%%), "
           "%llu refusals, %llu differences, %u snapshots, %u cuts, %lld s%s\n",
           (unsigned long long)run.seed, run.operations, prefixes,
           (unsigned long long)counts->images, prefixes * VARIANTS,
           (unsigned long long)counts->images * 100 / (prefixes * VARIANTS),
           (unsigned long long)counts->refusals, (unsigned long long)counts->differences,
           run.book->snapshots, run.book->cuts, (long long)elapsed_ms() / 1000,
           run.is_canary ? ", canary" : "");
    if (run.is_canary && !counts->differences)
        fprintf(stderr, "crash-matrix: the canary lives: a disk that lied was not found out\n");
    return (counts->differences > 0) != run.is_canary;
}

static bool read_arguments(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (!strcmp(argv[i], "--full")) {
            run.is_full = true;
            continue;
        }
        if (!strcmp(argv[i], "--canary")) {
            run.is_canary = true;
            continue;
        }
        if (!strcmp(argv[i], "--seconds"))
            run.seconds = strtol(value, NULL, 10);
        else if (!strcmp(argv[i], "--seed"))
            run.seed = strtoull(value, NULL, 10);
        else if (!strcmp(argv[i], "--operations"))
            run.operations = (uint32_t)strtoul(value, NULL, 10);
        else
            return false;
        i++;
    }
    return run.seconds > 0 && run.operations > 0 && run.operations < BOOK_OPS - BOOK_BATCH;
}

int main(int argc, char **argv)
{
    if (!read_arguments(argc, argv)) {
        fprintf(stderr, "usage: crash_matrix [--seconds N] [--seed S] [--operations N] [--full] "
                        "[--canary]\n");
        return 2;
    }
    clock_gettime(CLOCK_MONOTONIC, &run.begun);
    if (record_run())
        return 1;
    for (unsigned pass = 0; pass < PASSES && !is_over(); pass++)
        walk(pass);
    return tell();
}
