/* SPDX-License-Identifier: Apache-2.0
 * mete budget - sets, lists, shows and deletes budgets, lifts their emergency stops and raises
 * their limits for a time. "set" with an id makes the budget or changes it, so that a script can be
 * run again. */
#include "cli/budget.h"
#include "cli/cli.h"
#include "cli/client_words.h"

#include "base/limits.h"
#include "mete.h"

#include <stdio.h>

static const char usage[] =
    "usage: mete budget set --organization O --amount A [--id ID] [--name N] [--scope KIND:ID]\n"
    "                       [--unit USD|tokens|requests|...] [--mode enforce|shadow|off]\n"
    "                       [--period minute|hourly|daily|weekly|monthly|quarterly|yearly|total]\n"
    "                       [--period rolling --window-seconds N] [--time-zone Z] [--anchor N]\n"
    "                       [--daily-budget A] [--total-budget A]\n"
    "                       [--starts-at TIME] [--ends-at TIME]\n"
    "                       [--rollover A] [--threshold T]... [--soft-limit A]\n"
    "                       [--throttle-at T [--throttle-rate R]] [--stop-at T [--grace S]]\n"
    "                       [--downgrade-at T] [--cooldown S]\n"
    "                       [--for-kind department|user|api_key]\n"
    "       mete budget list --organization O\n"
    "       mete budget show ID --organization O\n"
    "       mete budget delete ID --organization O [--yes]\n"
    "       mete budget explain ID --organization O [--since TIME]\n"
    "       mete budget events [ID] --organization O [--event KIND]\n"
    "       mete budget usage [ID] --organization O [--history N]\n"
    "       mete budget summary --organization O\n"
    "       mete budget check [ID] --organization O --amount A [--unit U] [--scope KIND:ID]\n"
    "                       [--model M] [--provider P]\n"
    "       mete budget alerts [ID] --organization O [--test look|send]\n"
    "       mete budget alerts [ID] --organization O [--threshold T]... [--notify A,B,...]\n"
    "                       [--enabled true|false]\n"
    "       mete budget alerts [--event KIND]\n"
    "       mete budget lift ID --organization O\n"
    "       mete budget increase ID --organization O --amount A --until TIME [--from TIME]\n"
    "       mete budget increase ID --organization O --end NUMBER\n"
    "       mete budget increases ID --organization O\n"
    "Each takes --json, --data DIR, --server URL and --token T. With a server running on the data\n"
    "directory the command asks it; with none it opens the data itself.\n"
    "A new budget is monthly, in USD, of the whole organization, unless it says otherwise. Other\n"
    "units are currencies, tokens, requests, images, characters, audio_seconds, video_seconds. "
    "With "
    "an\n"
    "id that is there already, set changes its amount, mode, name, rollover, dates, thresholds "
    "and\n"
    "controls: all of them, if one is named. T is a fraction of the limit up to 1, a percentage\n"
    "above; S are seconds. From --throttle-at on a share R of the calls is let through, from\n"
    "--stop-at on none until the window ends or lift. An increase raises the limit for a time.\n"
    "--daily-budget and --total-budget stand for amount and period; both are two budgets, ID and\n"
    "ID.daily, made together, and changed and deleted as ID.\n"
    "Windows are of the calendar in the organization's time zone or one of their own; an anchor "
    "says where they begin: seconds\n"
    "after midnight, weekday 1 Monday .. 7, day of the month, or month * 100 + day of a fiscal\n"
    "year. A rollover is the most of what is not used that one window hands to the next.\n"
    "With --for-kind it is a template: each scope of that kind gets such a budget of its own when "
    "its\n"
    "first call comes.\n"
    "events tells what happened, newest first: threshold, soft_limit, throttled, stopped, lifted,\n"
    "overrun, limit_below; of one budget or of all.\n"
    "usage, check and alerts without an ID are of the organization's own budget. usage --history "
    "N\n"
    "adds N windows before the present one. check says whether a call of the amount would be let\n"
    "through, and exits 1 if not. alerts shows or sets at which shares a budget alerts and who is\n"
    "told; without an organization it lists the alerts of all.\n"
    "explain tells entry by entry how its figures came to be since TIME (an instant such as\n"
    "2030-01-31T00:00:00Z) or the beginning of its window: the newest 1000.\n"
    "delete needs --yes, or a yes at the terminal.\n";

static const struct client_column columns[] = {
    {"id", "id"},
    {"scope", "scope.kind"},
    {"of", "scope.id"},
    {"period", "period"},
    {"unit", "unit"},
    {"amount", "amount"},
    {"used", "used"},
    {"held", "held"},
    {"remaining", "remaining"},
    {"status", "status"},
    {"mode", "mode"},
    {"resets", "window_end"},
    {"name", "name"},
    {"for", "for_kind"},
    {"template", "template"},
    {"percent", "usage_percentage"},
    {"thresholds", "alert_thresholds"},
    {"made", "created_at"},
    {"limit", "limit"},
    {"starts", "starts_at"},
    {"total", "total_budget"},
    {"daily", "daily_budget"},
    {"with it", "also"},
    {"ends", "ends_at"},
    {"soft limit", "controls.soft_limit"},
    {"throttle at", "controls.throttle_threshold"},
    {"throttle rate", "controls.throttle_rate"},
    {"throttled", "throttled"},
    {"stop at", "controls.emergency_stop_threshold"},
    {"stopped", "stopped_at"},
    {"downgrade at", "controls.downgrade_threshold"},
    {"cooldown", "controls.cooldown_seconds"},
    {"grace", "controls.grace_seconds"},
};
enum { COLUMNS_ALL = sizeof columns / sizeof columns[0], COLUMNS_LIST = 12 };

static int wrong(const char *why, const char *what)
{
    return client_words_wrong("budget", usage, why, what);
}

static int read_options(int argc, char **argv, struct budget_options *options)
{
    const struct client_word known[] = {{"--organization", &options->organization},
                                        {"--amount", &options->amount},
                                        {"--id", &options->id},
                                        {"--name", &options->name},
                                        {"--scope", &options->scope},
                                        {"--unit", &options->unit},
                                        {"--period", &options->period},
                                        {"--window-seconds", &options->window_seconds},
                                        {"--time-zone", &options->time_zone},
                                        {"--anchor", &options->anchor},
                                        {"--rollover", &options->rollover},
                                        {"--starts-at", &options->starts_at},
                                        {"--ends-at", &options->ends_at},
                                        {"--daily-budget", &options->daily},
                                        {"--total-budget", &options->total},
                                        {"--mode", &options->mode},
                                        {"--since", &options->since},
                                        {"--for-kind", &options->for_kind},
                                        {"--soft-limit", &options->soft_limit},
                                        {"--throttle-at", &options->throttle_at},
                                        {"--throttle-rate", &options->throttle_rate},
                                        {"--stop-at", &options->stop_at},
                                        {"--downgrade-at", &options->downgrade_at},
                                        {"--cooldown", &options->cooldown},
                                        {"--grace", &options->grace},
                                        {"--from", &options->from},
                                        {"--until", &options->until},
                                        {"--end", &options->end},
                                        {"--event", &options->event},
                                        {"--history", &options->history},
                                        {"--notify", &options->notify},
                                        {"--enabled", &options->enabled},
                                        {"--test", &options->test},
                                        {"--model", &options->model},
                                        {"--provider", &options->provider}};
    const struct client_flag yes = {"--yes", &options->yes};
    const struct client_list lists[] = {
        {"--threshold", options->thresholds, &options->thresholds_len, METE_THRESHOLDS_MAX}};
    const struct client_words words = {.command = "budget",
                                       .usage = usage,
                                       .options = &options->client,
                                       .subject = &options->subject,
                                       .known = known,
                                       .known_len = sizeof known / sizeof known[0],
                                       .lists = lists,
                                       .lists_len = 1,
                                       .flags = &yes,
                                       .flags_len = 1};
    return client_words_read(&words, argc, argv);
}

static void put_number(struct out *out, const char *name, const char *text)
{
    if (!text)
        return;
    out_key(out, name);
    client_put_number(out, text);
}

static void write_controls(const struct budget_options *options, struct out *out)
{
    if (!options->soft_limit && !options->throttle_at && !options->throttle_rate &&
        !options->stop_at && !options->downgrade_at && !options->cooldown && !options->grace)
        return;
    out_key(out, "controls");
    out_open(out, '{');
    client_put(out, "soft_limit", options->soft_limit);
    put_number(out, "throttle_threshold", options->throttle_at);
    put_number(out, "throttle_rate", options->throttle_rate);
    put_number(out, "emergency_stop_threshold", options->stop_at);
    put_number(out, "downgrade_threshold", options->downgrade_at);
    put_number(out, "cooldown_seconds", options->cooldown);
    put_number(out, "grace_seconds", options->grace);
    out_close(out, '}');
}

/* What a new budget and a changed one both may say. */
static void write_changeable(const struct budget_options *options, struct out *out)
{
    client_put(out, "amount", options->amount);
    client_put(out, "total_budget", options->total);
    client_put(out, "daily_budget", options->daily);
    client_put(out, "name", options->name);
    client_put(out, "mode", options->mode);
    client_put(out, "rollover", options->rollover);
    client_put(out, "starts_at", options->starts_at);
    client_put(out, "ends_at", options->ends_at);
    write_controls(options, out);
    if (!options->thresholds_len)
        return;
    out_key(out, "alert_thresholds");
    out_open(out, '[');
    for (size_t i = 0; i < options->thresholds_len; i++)
        client_put_number(out, options->thresholds[i]);
    out_close(out, ']');
}

/* Whether its limits name their periods. */
static bool is_named(const struct budget_options *options)
{
    return options->daily || options->total;
}

static void write_new(const struct budget_options *options, struct out *out)
{
    out_open(out, '{');
    client_put(out, "id", options->id);
    client_put_scope(out, options->scope, options->organization);
    client_put(out, "for_kind", options->for_kind);
    client_put(out, "unit", options->unit ? options->unit : "USD");
    client_put(out, "period", options->period || is_named(options) ? options->period : "monthly");
    client_put(out, "time_zone", options->time_zone);
    put_number(out, "anchor", options->anchor);
    put_number(out, "window_seconds", options->window_seconds);
    write_changeable(options, out);
    out_close(out, '}');
}

static bool differs(struct json budget, const char *path, const char *wanted)
{
    char room[160];
    client_member(budget, path, room, sizeof room);
    return wanted && strcmp(room, wanted) != 0;
}

/* What cannot change must be as it is. */
static int check_same(const struct budget_options *options, const struct client_reply *reply)
{
    struct json budget;
    char scope[320] = "";
    if (json_scan(buffer_slice(&reply->body), &budget, NULL))
        return CLI_FAILED;
    client_member(budget, "scope.kind", scope, 64);
    size_t len = strlen(scope);
    scope[len++] = ':';
    client_member(budget, "scope.id", scope + len, sizeof scope - len);
    const char *what = NULL;
    if (differs(budget, "unit", options->unit))
        what = "unit";
    else if (differs(budget, "period", options->period))
        what = "period";
    else if (differs(budget, "for_kind", options->for_kind))
        what = "for_kind";
    else if (differs(budget, "time_zone", options->time_zone))
        what = "time zone";
    else if (differs(budget, "anchor", options->anchor))
        what = "anchor";
    else if (differs(budget, "window_seconds", options->window_seconds))
        what = "length of its window";
    else if (options->scope && strcmp(options->scope, scope) != 0)
        what = "scope";
    if (!what)
        return CLI_DONE;
    fprintf(stderr,
            "mete: budget %s is there with another %s, which cannot change: delete it first\n",
            options->id, what);
    return CLI_NO;
}

static int print_reply(const struct budget_options *options, struct client_reply *reply)
{
    int code = client_problem(reply);
    if (!code && reply->body.len)
        client_print_one(buffer_slice(&reply->body), &options->client, columns, COLUMNS_ALL);
    client_reply_done(reply);
    return code;
}

/* Whether the id is there: CLI_DONE and 200 or 404 in *ret_status. */
static int look(struct client *client, const struct budget_options *options, const char *path,
                int *ret_status)
{
    struct client_reply reply;
    int code = client_call(client, "GET", path, (struct slice){0}, &reply);
    if (code)
        return code;
    *ret_status = reply.status;
    if (reply.status == 200)
        code = check_same(options, &reply);
    else if (reply.status != 404)
        code = client_problem(&reply);
    client_reply_done(&reply);
    return code;
}

/* one: path of the budget; all: of the organization's budgets. */
static int set(struct client *client, const struct budget_options *options, const char *all,
               const char *one)
{
    int status = 404;
    int code = options->id ? look(client, options, one, &status) : CLI_DONE;
    if (code)
        return code;
    struct out body;
    struct client_reply reply;
    out_init(&body, 64 * 1024);
    if (status == 200) {
        out_open(&body, '{');
        write_changeable(options, &body);
        out_close(&body, '}');
    } else {
        write_new(options, &body);
    }
    code = client_call(client, status == 200 ? "PUT" : "POST", status == 200 ? one : all,
                       buffer_slice(&body.bytes), &reply);
    out_done(&body);
    return code ? code : print_reply(options, &reply);
}

static const struct client_column steps[] = {
    {"entry", "seq"},           {"at", "at"},
    {"what", "what"},           {"used by", "used_change"},
    {"held by", "held_change"}, {"used", "used"},
    {"held", "held"},           {"amount", "amount"},
    {"of", "scope.id"},         {"reservation", "reserve_id"},
    {"window", "window_start"},
};

static int explain(struct client *client, const struct budget_options *options, const char *one)
{
    struct buffer path;
    buffer_init(&path, 4096);
    int rc = buffer_text(&path, one) | buffer_text(&path, "/explain");
    if (options->since) {
        rc |= buffer_text(&path, "?since=");
        client_encode(&path, options->since);
    }
    rc |= buffer_append(&path, (struct slice){"", 1});
    client_be_patient(client);
    int code = rc ? wrong("too long: ", options->id)
                  : client_print_list(client, path.data, &options->client, steps,
                                      sizeof steps / sizeof steps[0]);
    buffer_done(&path);
    return code;
}

static int call_one(struct client *client, const char *word, const struct budget_options *options,
                    const char *one)
{
    struct buffer path;
    struct client_reply reply;
    bool lifts = !strcmp(word, "lift");
    const char *method = lifts ? "POST" : !strcmp(word, "show") ? "GET" : "DELETE";
    buffer_init(&path, 4096);
    int code = CLI_FAILED;
    if (!buffer_format(&path, "%s%s", one, lifts ? "/lift" : "") &&
        !buffer_append(&path, (struct slice){"", 1}))
        code = client_call(client, method, path.data, (struct slice){0}, &reply);
    buffer_done(&path);
    return code ? code : print_reply(options, &reply);
}

static int run(const char *word, const struct budget_options *options, const char *all,
               const char *one)
{
    struct client *client;
    int code = client_open(&options->client, &client);
    if (code)
        return code;
    if (!strcmp(word, "set")) {
        code = set(client, options, all, one);
    } else if (!strcmp(word, "list")) {
        code = client_print_list(client, all, &options->client, columns, COLUMNS_LIST);
    } else if (!strcmp(word, "explain")) {
        code = explain(client, options, one);
    } else if (!strcmp(word, "events")) {
        code = budget_events(client, options);
    } else if (!strcmp(word, "usage")) {
        code = budget_usage(client, options, all, one);
    } else if (!strcmp(word, "alerts")) {
        code = budget_alerts(client, options, all, one);
    } else if (!strcmp(word, "check")) {
        code = budget_check_amount(client, options, all, one);
    } else if (!strcmp(word, "summary")) {
        code = budget_summary(client, options, all);
    } else if (!strcmp(word, "increase")) {
        code = budget_increase(client, options, one);
    } else if (!strcmp(word, "increases")) {
        code = budget_increases(client, options, one);
    } else {
        code = call_one(client, word, options, one);
    }
    client_close(client);
    return code;
}

/* Whether the word's budget is named: it must be, may be, or there is none. */
enum names { NAMES_NONE, NAMES_ANY, NAMES_ONE };

static const struct {
    const char *word;
    enum names names;
} words[] = {
    {"set", NAMES_NONE},    {"list", NAMES_NONE},    {"summary", NAMES_NONE},
    {"events", NAMES_ANY},  {"usage", NAMES_ANY},    {"alerts", NAMES_ANY},
    {"check", NAMES_ANY},   {"show", NAMES_ONE},     {"delete", NAMES_ONE},
    {"lift", NAMES_ONE},    {"increase", NAMES_ONE}, {"increases", NAMES_ONE},
    {"explain", NAMES_ONE},
};
enum { WORDS = sizeof words / sizeof words[0] };

/* Its place in words; WORDS: it is none. */
static size_t find_word(const char *word)
{
    size_t at = 0;
    while (at < WORDS && strcmp(word, words[at].word) != 0)
        at++;
    return at;
}

static int check_amount(const char *word, const struct budget_options *options)
{
    bool raises = !strcmp(word, "increase") && !options->end;
    bool sets = !strcmp(word, "set") && !is_named(options);
    bool has_amount = sets || !strcmp(word, "check") || raises;
    if (has_amount && !options->amount)
        return wrong("--amount is missing", "");
    if (raises && !options->until)
        return wrong("--until is missing", "");
    return CLI_DONE;
}

static int check_options(const char *word, enum names names, struct budget_options *options)
{
    bool of_all = !strcmp(word, "alerts") && !options->subject;
    if (!options->organization && !of_all)
        return wrong("--organization is missing", "");
    if (check_amount(word, options))
        return CLI_USAGE;
    if (options->test && strcmp(options->test, "look") != 0 && strcmp(options->test, "send") != 0)
        return wrong("--test is look or send, not ", options->test);
    if (names == NAMES_NONE && options->subject)
        return wrong("unknown: ", options->subject);
    if (names == NAMES_ONE && !options->subject)
        return wrong("the ID is missing", "");
    if (names != NAMES_NONE)
        options->id = options->subject;
    return CLI_DONE;
}

int cli_budget(int argc, char **argv)
{
    struct budget_options options = {0};
    const char *word = argc > 1 ? argv[1] : "";
    if (client_wants_help(argc, argv)) {
        fputs(usage, stdout);
        return CLI_DONE;
    }
    size_t at = find_word(word);
    if (at == WORDS)
        return wrong(word[0] ? "unknown: " : "say what to do", word);
    int code = read_options(argc, argv, &options);
    if (!code)
        code = check_options(word, words[at].names, &options);
    if (code)
        return code;
    if (!strcmp(word, "delete") && !client_agreed("budget", "deleting a budget", options.yes))
        return CLI_NO;
    struct buffer all, one;
    buffer_init(&all, 1024);
    buffer_init(&one, 2048);
    int rc = buffer_text(&all, "/api/v1/organizations/");
    client_encode(&all, options.organization ? options.organization : "");
    rc |= buffer_text(&all, "/budgets");
    rc |= buffer_append(&one, buffer_slice(&all)) | buffer_text(&one, "/");
    client_encode(&one, options.id ? options.id : "");
    rc |= buffer_append(&all, (struct slice){"", 1}) | buffer_append(&one, (struct slice){"", 1});
    code = rc ? wrong("too long: ", options.organization) : run(word, &options, all.data, one.data);
    buffer_done(&all);
    buffer_done(&one);
    return code;
}
