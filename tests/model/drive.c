/* SPDX-License-Identifier: Apache-2.0
 * model_drive - tells what the engine does with random operations.
 *   --seed S --first W --worlds N   worlds W .. W + N - 1 of the seed
 *   --ops K                         operations of a world
 *   --skip A-B,C,...                leaves operations of it out
 *   --canary C                      tells a lie a world (canary.h)
 *   --durable P                     of a hundred worlds have a data directory, and crash
 *   --directory D                   durable worlds stay in D/NUMBER, with a snapshot of their
 * middle, and the hash of their last state in D/NUMBER.hash
 *   --company 1                     worlds are of a company and its 64 clients (company.c)
 *   --canaries 1                    says how many lies it knows
 *   --at-once                       tells each question before it asks
 * Says "! ..." and ends with 1 if the engine cannot be opened. */
#include "model/canary.h"
#include "model/world.h"

#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

unsigned char features[FEATURES];

struct options {
    uint64_t seed, first, worlds, ops;
    const char *skip, *directory;
    int canary, canaries, durable, company;
};

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* The bytes of one operation, whatever came before it. */
static void fill(const struct world *w, uint8_t *bytes)
{
    uint64_t state = mix(w->seed * UINT64_C(0x9e3779b97f4a7c15) + w->number) +
                     w->op * UINT64_C(0xd1342543de82ef95);
    for (size_t at = 0; at < OP_BYTES; at += sizeof state) {
        uint64_t bits = mix(state += UINT64_C(0x9e3779b97f4a7c15));
        memcpy(bytes + at, &bits, sizeof bits);
    }
}

static bool is_skipped(const char *skip, uint64_t op)
{
    while (skip && *skip) {
        char *end;
        uint64_t from = strtoull(skip, &end, 10), to = from;
        if (*end == '-')
            to = strtoull(end + 1, &end, 10);
        if (op >= from && op <= to)
            return true;
        skip = *end == ',' ? end + 1 : NULL;
    }
    return false;
}

/* ---- The engine ------------------------------------------------------------------------------ */

static int64_t now_us(void *user)
{
    return ((const struct world *)user)->now_us;
}

static void listen_to(void *user, const struct mete_event *event)
{
    struct engine *engine = user;
    if (engine->events_len < EVENTS)
        engine->events[engine->events_len++] = *event;
}

static void open_engine(struct world *w, struct engine *engine, const char *directory)
{
    struct mete_options options = {.directory = directory,
                                   .owner = METE_OWNER_CALLER,
                                   .clock = {now_us, w},
                                   .no_records = !w->is_durable, /* a cut waits for them */
                                   .no_audit = 1,
                                   .scopes_max = 1024,
                                   .budgets_max = 4096,
                                   .reservations_max = 4096,
                                   .outcomes_max = 16384};
    engine->events_len = 0;
    int error = mete_open(&options, &engine->mete);
    if (!error) {
        mete_on_event(engine->mete, listen_to, engine);
        error = mete_port_open(engine->mete, &engine->port);
    }
    if (!error)
        return;
    printf("! mete_open: %s\n", mete_error_name(error));
    exit(1);
}

static void close_engine(struct engine *engine)
{
    mete_port_close(engine->port);
    mete_close(engine->mete);
}

/* ---- Worlds ---------------------------------------------------------------------------------- */

static void begin(struct world *w, const struct options *options, uint64_t number)
{
    static const int64_t amounts[] = {1, 1, 1, 1000, INT64_C(1000000000039)};
    memset(w, 0, sizeof *w);
    w->seed = options->seed;
    w->number = number;
    w->canary = options->canary;
    uint64_t bits = mix(w->seed ^ mix(number + 1));
    w->unit = amounts[bits % 5];
    w->is_durable = (int)(bits >> 8 & 0xffff) % 100 < options->durable;
    /* From 2019 on; a fifth of a century later the clock has not left what files know. */
    w->now_us = INT64_C(1546300800000000) + (int64_t)(bits >> 24) % INT64_C(315360000000000);
    tell_letter('W');
    tell((int64_t)number);
    tell(w->unit > 1000000);
    tell(w->now_us);
    tell(w->is_durable);
    tell(features[FEATURE_CORRECT]);
    tell_end();
}

static void leave_hash(const struct world *w, struct engine *engine)
{
    char file[sizeof w->directory + 8];
    struct mete_answer answer;
    struct mete_query query = {.kind = METE_QUERY_HASH};
    snprintf(file, sizeof file, "%s.hash", w->directory);
    FILE *to = fopen(file, "w");
    if (!to || mete_query(engine->port, &query, &answer))
        abort();
    for (size_t i = 0; i < sizeof answer.hash; i++)
        fprintf(to, "%02x", answer.hash[i]);
    fclose(to);
}

static void take_snapshot(struct engine *engine)
{
    uint64_t seq;
    if (mete_snapshot(engine->mete, &seq))
        abort();
}

/* Until the end, or until the engine is to be opened again. */
static void live(struct world *w, const struct options *options)
{
    static struct engine engine;
    uint8_t bytes[OP_BYTES];
    open_engine(w, &engine, w->is_durable ? w->directory : NULL);
    struct tape tape = {bytes, sizeof bytes, 0};
    if (w->restart) {
        act_restarted(w, &engine);
    } else {
        act_tree(w, &engine);
        fill(w, bytes);
        if (options->company)
            company_begin(w, &engine);
        else
            act_rates(w, &engine, &tape);
    }
    while (!w->restart && w->op++ < options->ops) {
        if (is_skipped(options->skip, w->op))
            continue;
        fill(w, bytes);
        tape = (struct tape){bytes, sizeof bytes, 0};
        tell_letter('#');
        tell((int64_t)w->op);
        tell_end();
        if (options->company)
            company_act(w, &engine, &tape);
        else
            act(w, &engine, &tape);
        if (options->directory && w->op == options->ops / 2)
            take_snapshot(&engine);
    }
    if (w->restart == RESTART_CRASHED)
        return;
    if (!w->restart)
        act_look(w, &engine);
    if (!w->restart && options->directory)
        leave_hash(w, &engine);
    close_engine(&engine);
}

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *walk)
{
    (void)stat;
    (void)flag;
    (void)walk;
    return remove(path);
}

/* An engine that crashes takes its process with it. */
static void live_and_die(struct world *w, const struct options *options)
{
    enum { AGAIN = 77 };
    int status = 0;
    const char *kept = options->directory;
    snprintf(w->directory, sizeof w->directory, kept ? "%s/%llu" : "/dev/shm/mete-model-XXXXXX",
             kept, (unsigned long long)w->number);
    if (!kept && !mkdtemp(w->directory))
        abort();
    do {
        tell_flush();
        pid_t child = fork();
        if (child == 0) {
            live(w, options);
            tell_flush();
            _exit(w->restart ? AGAIN : 0);
        }
        if (child < 0 || waitpid(child, &status, 0) != child)
            abort();
    } while (WIFEXITED(status) && WEXITSTATUS(status) == AGAIN);
    if (!kept)
        nftw(w->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (status)
        exit(1);
}

static void run(struct world *w, const struct options *options)
{
    if (w->is_durable)
        live_and_die(w, options);
    else
        live(w, options);
}

/* All that the engine does not list as promised for later. */
static void find_features(void)
{
    static const struct {
        enum feature feature;
        const char *word;
    } words_of[] = {{FEATURE_ROLLING, "rolling window"}, {FEATURE_ROLLOVER, "rollover_cap"}};
    memset(features, 1, sizeof features);
    for (size_t i = 0; mete_not_yet(i); i++)
        for (size_t k = 0; k < sizeof words_of / sizeof words_of[0]; k++)
            if (strstr(mete_not_yet(i), words_of[k].word))
                features[words_of[k].feature] = 0;
}

static uint64_t number(const char *text)
{
    return text ? strtoull(text, NULL, 10) : 0;
}

static struct options read_options(char **args)
{
    struct options options = {.seed = 1, .worlds = 1, .ops = 2000};
    for (; *args; args++) {
        if (strcmp(*args, "--at-once") == 0) {
            tell_at_once = 1;
            continue;
        }
        const char *name = *args++;
        if (strcmp(name, "--seed") == 0)
            options.seed = number(*args);
        else if (strcmp(name, "--first") == 0)
            options.first = number(*args);
        else if (strcmp(name, "--worlds") == 0)
            options.worlds = number(*args);
        else if (strcmp(name, "--ops") == 0)
            options.ops = number(*args);
        else if (strcmp(name, "--skip") == 0)
            options.skip = *args;
        else if (strcmp(name, "--canary") == 0)
            options.canary = (int)number(*args);
        else if (strcmp(name, "--canaries") == 0)
            options.canaries = (int)number(*args);
        else if (strcmp(name, "--directory") == 0)
            options.directory = *args;
        else if (strcmp(name, "--company") == 0)
            options.company = (int)number(*args);
        else if (strcmp(name, "--durable") == 0)
            options.durable = (int)number(*args);
        if (!*args)
            break;
    }
    return options;
}

int main(int argc, char **argv)
{
    (void)argc;
    struct options options = read_options(argv + 1);
    struct world *w =
        mmap(NULL, sizeof *w, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (w == MAP_FAILED)
        return 1;
    if (options.canaries) {
        printf("%d\n", CANARIES - 1);
        return 0;
    }
    find_features();
    tell_words();
    for (uint64_t i = 0; i < options.worlds; i++) {
        begin(w, &options, options.first + i);
        run(w, &options);
    }
    tell_letter('Z');
    tell_end();
    tell_flush();
    return 0;
}
