/* SPDX-License-Identifier: Apache-2.0
 * Memory runs out: a run over mete.h, from opening a directory to restoring a backup of it, again
 * and again with another allocation failing, each in turn, once or from there on (alloc.h). The
 * directory is a new one, or what a crash after the same run has left, so that recovery fails at
 * every point as well: of a journal that was cut, or with odd seeds of a whole one. With --calls it
 * is calls into SQLite and for files that fail, with one error after the other (calls.h); with
 * --own SQLite's allocations are spared, which are most of the points.
 *
 * THE RULE
 *   Every step of the run gives the answer it gives when nothing fails, or METE_E_MEMORY (or with
 *   --calls an error that says what failed); after a failure that comes once, asking again gives
 *   the answer. The only other end is the documented one (INV-15): the process stops itself because
 *   a write could not be made, exit 3.
 *   Whoever could close has given back all it took.
 *   Then an engine with memory is started on what is left. Everything that was told is there, once;
 *   what was not told is asked, and the figures are those of the run where nothing failed; verify
 *   is clean.
 *
 *   usage: alloc_engine [--calls | --own] [--seconds N] [--seed S] [--full] [--canary]
 *          [--point N]
 *
 * Without --full, points are taken from all over the run until the time is up. --canary claims a
 * thing was told that was not, and must be found out. */
#include "engine/backup.h"
#include "engine/verify.h"
#include "fault/alloc.h"
#include "fault/calls.h"
#include "unit/engine_help.h"
#include "unit/temp.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

enum { FIGURES = 12, STEPS_MAX = 32, MANY = 24, SHOWN = 5 };
enum { DONE = 0, STOPPED_ITSELF = 3, GAVE_UP = 43, DIFFERENT = 99 }; /* exit codes */
static const int64_t day_us = INT64_C(86400000000);

struct run {
    char directory[80];
    struct mete *mete;
    struct mete_port *port, *second;
    bool again;   /* a later life, on what another one left */
    bool crashes; /* it ends at CRASH_AFTER, without closing */
    _Atomic int64_t clock_us;
    struct mete_reservation_id many[MANY];
};

struct told {
    bool is_told;
    int64_t figures[FIGURES];
};

/* With the children. */
static struct shared {
    struct told told[STEPS_MAX];
    struct told usual[STEPS_MAX]; /* of the run where nothing fails */
    struct told crash[STEPS_MAX]; /* by the one that crashed */
    uint64_t points;
    char what[256];
} * shared;

static struct {
    long seconds;
    uint64_t seed, runs, stops, gave_up, differences;
    bool is_full, is_canary, is_calls, is_own, is_loud;
    enum calls_kind kind; /* that the next life meets */
    uint64_t points, points_new;
    char crashed[64]; /* a directory */
} proof = {.seconds = 12, .seed = 1};

__attribute__((format(printf, 1, 2))) static int different(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!shared->what[0])
        vsnprintf(shared->what, sizeof shared->what, format, args);
    va_end(args);
    return DIFFERENT;
}

/* ---- The steps ------------------------------------------------------------------------------- */

static int64_t now_us(void *user)
{
    return atomic_load(&((struct run *)user)->clock_us);
}

static int open_engine(struct run *run, int64_t *figures)
{
    (void)figures;
    struct mete_options options = {.directory = run->directory,
                                   .clock = {now_us, run},
                                   .scopes_max = 64,
                                   .budgets_max = 256,
                                   .reservations_max = 256,
                                   .outcomes_max = 256};
    return mete_open(&options, &run->mete);
}

static int open_port(struct run *run, int64_t *figures)
{
    (void)figures;
    return mete_port_open(run->mete, &run->port);
}

static int open_second_port(struct run *run, int64_t *figures)
{
    (void)figures;
    return mete_port_open(run->mete, &run->second);
}

/* All of them or none; in a second life they may be there already, untold. */
static int apply(struct run *run, const struct mete_change *changes, size_t len)
{
    uint32_t handles[16];
    struct mete_applied applied;
    struct mete_apply args = {changes, len, help_text("root")};
    int error = mete_apply(run->port, &args, handles, &applied);
    return error == METE_E_EXISTS && run->again ? 0 : error;
}

static int make_tree(struct run *run, int64_t *figures)
{
    (void)figures;
    struct mete_change changes[] = {
        help_scope(METE_ORGANIZATION, "acme", 0, 0),
        help_scope(METE_DEPARTMENT, "dev", METE_FROM_CHANGE(0), METE_FROM_CHANGE(0)),
        help_scope(METE_USER, "ann", METE_FROM_CHANGE(0), METE_FROM_CHANGE(1)),
        help_scope(METE_API_KEY, "key", METE_FROM_CHANGE(0), METE_FROM_CHANGE(2)),
        help_budget("all", METE_FROM_CHANGE(0), METE_TOTAL, 1000000),
    };
    changes[0].flags = METE_CHANGE_CREATE;
    return apply(run, changes, sizeof changes / sizeof changes[0]);
}

static struct mete_change budget_in(const char *id, uint32_t scope, enum mete_period period,
                                    const char *zone)
{
    struct mete_change change = help_budget(id, scope, period, 500000);
    change.flags = METE_CHANGE_CREATE;
    change.budget.time_zone = help_text(zone);
    return change;
}

static int make_zoned_budgets(struct run *run, int64_t *figures)
{
    (void)figures;
    struct mete_change changes[] = {
        budget_in("berlin", HELP_DEPARTMENT, METE_DAILY, "Europe/Berlin"),
        budget_in("york", HELP_USER, METE_MONTHLY, "America/New_York"),
        budget_in("lord", HELP_KEY, METE_HOURLY, "Australia/Lord_Howe"),
    };
    changes[1].budget.matches[0] = (struct mete_match){METE_MATCH_MODEL, help_text("gpt*")};
    changes[1].budget.matches_len = 1;
    return apply(run, changes, sizeof changes / sizeof changes[0]);
}

static int make_rate_limit(struct run *run, int64_t *figures)
{
    (void)figures;
    struct mete_change changes[] = {
        help_scope(METE_API_KEY, "other", HELP_ORGANIZATION, HELP_USER),
        {.kind = METE_PUT_RATE_LIMIT,
         .rate = {.id = help_text("calls"),
                  .scope = {HELP_KEY},
                  .meter = METE_REQUESTS,
                  .limit = 1000,
                  .period_ms = 1000}},
        {.kind = METE_PUT_METER, .meter = help_text("pages")},
    };
    changes[0].flags = METE_CHANGE_CREATE;
    return apply(run, changes, sizeof changes / sizeof changes[0]);
}

static int reserve_refused(struct run *run, int64_t *figures)
{
    struct mete_verdict verdict;
    int error = help_reserve(run->port, "", 600000, 0, &verdict);
    figures[0] = verdict.allowed;
    figures[1] = (int64_t)verdict.refusals_len;
    return error;
}

static void fill_reserve(struct mete_op *op, unsigned i, struct mete_demand *demand, char id[8])
{
    snprintf(id, 8, "m%u", i);
    *demand = (struct mete_demand){METE_COST, METE_USD, 100 + i, 0};
    *op = (struct mete_op){.kind = METE_OP_RESERVE,
                           .args.reserve = {.scope = {HELP_KEY},
                                            .request_id = help_text(id),
                                            .model = help_text(i % 2 ? "gpt-4o" : "claude-3"),
                                            .demands = demand,
                                            .demands_len = 1,
                                            .ttl_ms = day_us / 1000}};
}

static void wait_for(struct mete_port *port, size_t len)
{
    for (size_t got = 0; got < len;) {
        struct pollfd readable = {.fd = mete_port_fd(port), .events = POLLIN};
        (void)poll(&readable, 1, 1000);
        got += mete_poll(port, len);
    }
}

/* Through the ring, all at once; told when all are. In a second life all that was told has to be a
 * repeat, so that what was lost and made again is noticed. */
static int reserve_many(struct run *run, int64_t *figures)
{
    static struct mete_op ops[MANY];
    static struct mete_demand demands[MANY];
    static char ids[MANY][8];
    struct mete_op *list[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        fill_reserve(&ops[i], i, &demands[i], ids[i]);
        list[i] = &ops[i];
    }
    if (mete_submit(run->port, list, MANY) != MANY)
        return METE_E_BUSY;
    wait_for(run->port, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        /* One that was asked again after its end answers with the first verdict. */
        if (ops[i].status)
            return ops[i].status;
        run->many[i] = ops[i].result.verdict.reservation;
        figures[0] += ops[i].result.verdict.allowed;
        figures[1] += !run->again || ops[i].result.verdict.repeated;
    }
    return 0;
}

static int commit_some(struct run *run, int64_t *figures)
{
    for (unsigned i = 0; i < MANY; i += 3) {
        struct mete_receipt receipt;
        int error = help_commit(run->port, run->many[i], 50 + i, &receipt);
        if (error)
            return error;
        figures[0] += receipt.cost;
        figures[1] += !run->again || receipt.repeated;
    }
    return 0;
}

static int release_some(struct run *run, int64_t *figures)
{
    for (unsigned i = 1; i < MANY; i += 3) {
        struct mete_receipt receipt;
        int error = mete_release(run->port, run->many[i], &receipt);
        if (error)
            return error;
        figures[0] += receipt.state;
        figures[1] += !run->again || receipt.repeated;
    }
    return 0;
}

static int record_one(struct run *run, int64_t *figures)
{
    struct mete_usage usage[] = {{METE_COST, METE_USD, 77}, {METE_METER_CUSTOM, 0, 3}};
    struct mete_record args = {.scope = {HELP_KEY},
                               .request_id = help_text("after"),
                               .model = help_text("gpt-4o"),
                               .usage = usage,
                               .usage_len = 2,
                               .outcome = {.ending = METE_ENDED_RECORDED}};
    struct mete_receipt receipt;
    int error = mete_record(run->port, &args, &receipt);
    if (error)
        return error;
    figures[0] = receipt.cost;
    figures[1] = !run->again || receipt.repeated;
    return 0;
}

static int raise_limit(struct run *run, int64_t *figures)
{
    (void)figures;
    struct mete_change changes[] = {
        help_budget("all", HELP_ORGANIZATION, METE_TOTAL, 2000000),
        help_scope(METE_API_KEY, "third", HELP_ORGANIZATION, HELP_USER),
    };
    changes[1].flags = METE_CHANGE_CREATE;
    return apply(run, changes, 2);
}

static int ask_records(struct run *run, int64_t *figures)
{
    (void)figures;
    struct mete_answer answer;
    return help_ask(run->port, METE_QUERY_PROJECTED, &answer);
}

static int look(struct run *run, int64_t *figures)
{
    for (uint32_t budget = 1; budget <= 4; budget++) {
        struct mete_answer answer;
        struct mete_query query = {.kind = METE_QUERY_BUDGET, .budget = {budget}};
        int error = mete_query(run->second, &query, &answer);
        if (error)
            return error;
        figures[budget * 2] = answer.budget.committed;
        figures[budget * 2 + 1] = answer.budget.held;
        figures[0] += answer.budget.limit;
    }
    struct mete_answer answer;
    int error = help_ask(run->second, METE_QUERY_STATS, &answer);
    if (!error)
        figures[1] = (int64_t)answer.stats.drift;
    return error;
}

static int take_snapshot(struct run *run, int64_t *figures)
{
    (void)figures;
    uint64_t seq;
    return mete_snapshot(run->mete, &seq);
}

static int cut(struct run *run, int64_t *figures)
{
    (void)figures;
    uint64_t seq;
    return mete_cut(run->mete, &seq);
}

static int back_up(struct run *run, int64_t *figures)
{
    (void)figures;
    uint64_t seq;
    char to[96];
    snprintf(to, sizeof to, "%s/backup", run->directory);
    int error = mete_backup(run->mete, to, &seq);
    return error == METE_E_EXISTS && run->again ? 0 : error;
}

static int note_step(void *user, const struct mete_step *step)
{
    *(int64_t *)user = step->committed;
    return 0;
}

static int explain(struct run *run, int64_t *figures)
{
    const struct mete_budget_id all = {1};
    const struct mete_instant begin = {0};
    return mete_explain(run->mete, all, begin, note_step, &figures[0]);
}

static const struct step {
    const char *name;
    int (*act)(struct run *run, int64_t *figures);
    bool once; /* once told it is not asked again: later steps would miss it */
} steps[] = {
    {"open", open_engine, false},
    {"port", open_port, false},
    {"tree", make_tree, true},
    {"zones", make_zoned_budgets, true},
    {"rate limit", make_rate_limit, true},
    {"refused", reserve_refused, false},
    {"reserve", reserve_many, false},
    {"records", ask_records, false},
    {"commit", commit_some, false},
    {"release", release_some, false},
    {"record", record_one, false},
    {"second port", open_second_port, false},
    {"snapshot", take_snapshot, false},
    {"cut", cut, false},
    {"raise", raise_limit, true},
    {"look", look, false},
    {"records", ask_records, false},
    {"back up", back_up, true},
    {"explain", explain, false},
};
enum { STEPS = sizeof steps / sizeof steps[0], CRASH_UNCUT = 10, CRASH_CUT = 14 };

static void close_engine(struct run *run)
{
    mete_port_close(run->port);
    mete_port_close(run->second);
    mete_close(run->mete);
    run->port = run->second = NULL;
    run->mete = NULL;
}

/* ---- Lives ----------------------------------------------------------------------------------- */

/* Whether an error is one that says what failed. */
static bool may_say(int error)
{
    static const int names[CALLS_KINDS] = {METE_E_STORAGE, METE_E_STORAGE, METE_E_CORRUPT,
                                           METE_E_LOCKED, METE_E_MEMORY};
    if (!proof.is_calls)
        return error == METE_E_MEMORY;
    return error == METE_E_STORAGE || error == names[proof.kind];
}

static bool struck(void)
{
    return proof.is_calls ? calls_struck() : alloc_struck();
}

/* What a failure makes of a step. METE_E_MEMORY for any that may be, or DONE, or DIFFERENT. */
static int take_step(struct run *run, unsigned i)
{
    int64_t figures[FIGURES] = {0};
    const struct told *usual = &shared->usual[i];
    struct told *told = &shared->told[i];
    int error = steps[i].act(run, figures);
    if (error && may_say(error))
        return METE_E_MEMORY;
    if (error)
        return different("%s: %s", steps[i].name, mete_error_name(error));
    for (int n = 0; usual->is_told && n < FIGURES; n++) {
        bool may_be_new = run->again && !told->is_told && n == 1; /* not a repeat */
        if (figures[n] != usual->figures[n] && !may_be_new)
            return different("%s: figure %d is %lld, not %lld", steps[i].name, n,
                             (long long)figures[n], (long long)usual->figures[n]);
    }
    told->is_told = true;
    memcpy(told->figures, figures, sizeof figures);
    return DONE;
}

static int take_step_or_again(struct run *run, unsigned i, bool is_sticky)
{
    int status = take_step(run, i);
    if (status != METE_E_MEMORY)
        return status;
    if (!struck())
        return different("%s: it fails, though nothing did", steps[i].name);
    if (is_sticky)
        return status;
    status = take_step(run, i);
    return status == METE_E_MEMORY ? different("%s: it fails twice", steps[i].name) : status;
}

static int check_leaks(const char *when)
{
    int64_t live = alloc_live();
    return live ? different("%s: %lld bytes or blocks were not given back", when, (long long)live)
                : DONE;
}

static int verify_it(const struct run *run, struct verify_report *ret_report)
{
    return engine_verify(run->directory, ret_report);
}

static int restore_it(const struct run *run, struct verify_report *ret_report)
{
    char to[96];
    snprintf(to, sizeof to, "%s/restored", run->directory);
    (void)temp_remove(to);
    return engine_restore(run->directory, to, ret_report);
}

/* One of the two that need no engine, once more after a failure that came once. */
static int check(const struct run *run, const char *what, bool is_sticky,
                 int (*fn)(const struct run *run, struct verify_report *ret_report))
{
    struct verify_report report;
    int error = fn(run, &report);
    if (error && may_say(error) && struck()) {
        if (is_sticky)
            return METE_E_MEMORY;
        error = fn(run, &report);
    }
    if (error)
        return different("%s: %s: %s", what, mete_error_name(error), report.detail);
    if (report.records_seq != report.last_seq)
        return different("%s: the records end at %llu", what,
                         (unsigned long long)report.records_seq);
    return DONE;
}

enum life { FIRST, CRASHES, LATER };

/* Returns an exit code, or METE_E_MEMORY. */
static int live(struct run *run, bool is_sticky)
{
    int status = DONE;
    for (unsigned i = 0; !status && i < STEPS; i++) {
        if (run->crashes && i > (proof.seed % 2 ? CRASH_UNCUT : CRASH_CUT))
            _exit(DONE);
        if (run->again && steps[i].once && shared->told[i].is_told)
            continue;
        atomic_fetch_add(&run->clock_us, 1000);
        status = take_step_or_again(run, i, is_sticky);
    }
    if (status == DIFFERENT)
        return status;
    close_engine(run);
    int leak = check_leaks("closed");
    if (leak || status)
        return leak ? leak : status;
    status = check(run, "verify", is_sticky, verify_it);
    if (!status)
        status = check(run, "restore", is_sticky, restore_it);
    leak = check_leaks("verified");
    return leak ? leak : status;
}

static struct run begin(const char *directory, enum life life)
{
    struct run run = {.again = life == LATER,
                      .crashes = life == CRASHES,
                      .clock_us = INT64_C(1790000000000000) + (life == LATER ? 60000000 : 0)};
    snprintf(run.directory, sizeof run.directory, "%s", directory);
    return run;
}

static void mute(void)
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0)
        dup2(nowhere, STDERR_FILENO);
}

static int run_child(const char *directory, enum life life, uint64_t nth, bool is_sticky)
{
    fflush(NULL);
    pid_t child = fork();
    if (!child) {
        struct run run = begin(directory, life);
        (void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
        if (!proof.is_loud)
            mute();
        alloc_init(!proof.is_own);
        alloc_arm(proof.is_calls ? 0 : nth, is_sticky);
        calls_arm(proof.is_calls ? nth : 0, proof.kind, is_sticky);
        int status = live(&run, is_sticky);
        shared->points = proof.is_calls ? calls_count() : alloc_count();
        _exit(status == METE_E_MEMORY ? GAVE_UP : status);
    }
    int status;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status))
        return different("ended by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

/* ---- One point ------------------------------------------------------------------------------- */

/* In memory if there is such a folder: the matrix and the simulation see to disks. */
static int make_directory(char *ret_path, size_t len)
{
    snprintf(ret_path, len, "/dev/shm/mete-test-XXXXXX");
    return mkdtemp(ret_path) ? 0 : temp_make(ret_path, len);
}

static void show(uint64_t nth, bool is_sticky, const char *life)
{
    static char before[sizeof shared->what];
    bool is_new = strcmp(before, shared->what) != 0;
    memcpy(before, shared->what, sizeof before);
    if (++proof.differences <= SHOWN || is_new)
        fprintf(stderr, "alloc-engine: %spoint %llu%s, %s: %s\n",
                proof.is_canary ? "the canary is found: " : "", (unsigned long long)nth,
                is_sticky ? " and all after it" : "", life, shared->what);
    shared->what[0] = 0;
}

static void claim_something(void)
{
    for (unsigned i = 0; i < STEPS; i++)
        if (steps[i].act == record_one || steps[i].act == reserve_many)
            shared->told[i].is_told = true;
}

/* A copy of what the crash left. */
static void leave_crash(const char *directory)
{
    char command[256];
    snprintf(command, sizeof command, "cp -r %s/. %s", proof.crashed, directory);
    if (system(command)) /* NOLINT: both names are mkdtemp's */
        exit(1);
    memcpy(shared->told, shared->crash, sizeof shared->told);
}

/* Points up to points_new are of a run in a new directory, the others of one after a crash. */
static void look_at(uint64_t point, bool is_sticky)
{
    char directory[64];
    if (make_directory(directory, sizeof directory))
        exit(1);
    memset(shared->told, 0, sizeof shared->told);
    bool is_new = point <= proof.points_new;
    if (!is_new)
        leave_crash(directory);
    proof.runs++;
    int status = run_child(directory, is_new ? FIRST : LATER,
                           is_new ? point : point - proof.points_new, is_sticky);
    if (status == STOPPED_ITSELF)
        proof.stops++;
    else if (status == GAVE_UP)
        proof.gave_up++;
    else if (status != DONE)
        show(point, is_sticky, "the life where it fails");
    if (proof.is_canary)
        claim_something();
    if (run_child(directory, LATER, 0, false) != DONE)
        show(point, is_sticky, "the life after it");
    temp_remove(directory);
}

/* ---- All of them ----------------------------------------------------------------------------- */

static int run_well(const char *directory, enum life life)
{
    int status = run_child(directory, life, 0, false);
    if (status != DONE)
        fprintf(stderr, "alloc-engine: the run itself fails: %d, %s\n", status, shared->what);
    return status;
}

/* Finds out how many points there are, and what is usual; makes the crash. */
static int prepare(void)
{
    char directory[64];
    if (make_directory(directory, sizeof directory) ||
        make_directory(proof.crashed, sizeof proof.crashed))
        return 1;
    int status = run_well(directory, FIRST);
    proof.points_new = shared->points;
    memcpy(shared->usual, shared->told, sizeof shared->usual);
    if (!status) /* and repeats answer as they should */
        status = run_well(directory, LATER);
    temp_remove(directory);
    memset(shared->told, 0, sizeof shared->told);
    if (!status)
        status = run_well(proof.crashed, CRASHES);
    memcpy(shared->crash, shared->told, sizeof shared->crash);
    if (status || make_directory(directory, sizeof directory))
        return 1;
    leave_crash(directory);
    status = run_well(directory, LATER);
    proof.points = proof.points_new + shared->points;
    temp_remove(directory);
    return status;
}

static uint64_t greatest_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static bool is_over(time_t begun)
{
    bool is_seen = proof.is_canary && proof.differences > 0;
    return is_seen || (!proof.is_full && time(NULL) - begun >= proof.seconds);
}

static int prove(void)
{
    time_t begun = time(NULL);
    uint64_t points = proof.points;
    /* In steps that meet each point once and two neighbours never soon after each other. */
    uint64_t step = points * 382 / 1000 + proof.seed % 7;
    while (greatest_divisor(step, points) != 1)
        step++;
    uint64_t at = proof.seed, met = 0;
    for (; met < points && !is_over(begun); met++) {
        at = (at + step) % points;
        proof.kind = (enum calls_kind)((proof.seed + met) % CALLS_KINDS);
        for (int kinds = proof.is_full && proof.is_calls ? CALLS_KINDS : 1; kinds > 0; kinds--) {
            look_at(at + 1, false);
            look_at(at + 1, true);
            proof.kind = (enum calls_kind)((proof.kind + 1) % CALLS_KINDS);
        }
    }
    printf("alloc-engine: seed %llu, %llu of %llu points, %llu runs: %llu stopped themselves, %llu "
           "gave up, %llu differences, %lld s%s\n",
           (unsigned long long)proof.seed, (unsigned long long)met, (unsigned long long)points,
           (unsigned long long)proof.runs, (unsigned long long)proof.stops,
           (unsigned long long)proof.gave_up, (unsigned long long)proof.differences,
           (long long)(time(NULL) - begun), proof.is_canary ? ", canary" : "");
    if (proof.is_canary && !proof.differences)
        fprintf(stderr, "alloc-engine: the canary lives: a claim nobody made was not found out\n");
    return (proof.differences > 0) != proof.is_canary;
}

int main(int argc, char **argv)
{
    uint64_t only = 0;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--full"))
            proof.is_full = true;
        else if (!strcmp(argv[i], "--canary"))
            proof.is_canary = true;
        else if (!strcmp(argv[i], "--calls"))
            proof.is_calls = true;
        else if (!strcmp(argv[i], "--own"))
            proof.is_own = true;
        else if (!strcmp(argv[i], "--seconds") && i + 1 < argc)
            proof.seconds = strtol(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--seed") && i + 1 < argc)
            proof.seed = strtoull(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--point") && i + 1 < argc)
            only = strtoull(argv[++i], NULL, 10), proof.is_loud = true;
        else {
            fprintf(stderr,
                    "usage: alloc_engine [--calls | --own] [--seconds N] [--seed S] [--full] "
                    "[--canary] [--point N]\n");
            return 2;
        }
    }
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    int status = prepare();
    if (!status && !only)
        status = prove();
    else if (!status) {
        for (int kind = 0; kind < (proof.is_calls ? CALLS_KINDS : 1); kind++) {
            proof.kind = (enum calls_kind)kind;
            look_at(only, false);
            look_at(only, true);
        }
        status = proof.differences > 0;
    }
    temp_remove(proof.crashed);
    return status;
}
