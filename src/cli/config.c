/* SPDX-License-Identifier: Apache-2.0
 * mete config apply - makes what is there what a file declares: organizations with their
 * departments, users, budgets, rate limits, keys, plans, packages and prices. The difference is
 * shown first and carried out as one. */
#include "cli/cli.h"
#include "cli/client_file.h"
#include "cli/client_words.h"
#include "cli/declare.h"

#include "base/limits.h"
#include "mete.h"

#include <stdio.h>

enum { FILE_MAX = 4 * 1024 * 1024 };

static const char usage[] =
    "usage: mete config apply FILE [--dry-run] [--yes]\n"
    "FILE (- is standard input) declares in YAML or JSON what is to be there:\n"
    "    organizations:\n"
    "      - id: acme\n"
    "        name: Acme Ltd\n"
    "        departments: [{id: research, name: Research}]\n"
    "        users: [{id: ada, name: Ada, department: research}]\n"
    "        budgets: [{id: all, scope: {kind: organization, id: acme}, unit: USD,\n"
    "                   amount: 1000, period: monthly}]\n"
    "        rate_limits: [{id: rpm, scope: {kind: department, id: research},\n"
    "                       unit: requests, limit: 600, period_seconds: 60}]\n"
    "        keys: [{name: laptop, user: ada, models: [\"gpt-*\"]}]\n"
    "        plans: [{id: member, name: Member, grants: [{unit: tokens, amount: 1000000}]}]\n"
    "        packages: [{id: m, name: M, price: 9.90, grants: [{unit: tokens, amount: 1000000}]}]\n"
    "Each has the members that the API takes for it. Members that are not named stay as they are,\n"
    "what is not named is left alone, `absent: true` deletes. The difference is shown, then "
    "carried\n"
    "out whole or not at all; texts of new keys are printed once. --dry-run only shows it, and\n"
    "exits 1 if there is one. Deletions need --yes, or a yes at the terminal.\n"
    "Also --json, --data DIR, --server URL and --token T.\n";

struct options {
    struct client_options client;
    const char *file;
    bool is_dry, is_sure;
};

static int wrong(const char *why, const char *what)
{
    return client_words_wrong("config", usage, why, what);
}

/* ---- Showing ----------------------------------------------------------------------------------
 */

static void show_members(struct slice members)
{
    struct json list, one;
    size_t at = 0;
    if (json_scan(members, &list, NULL))
        return;
    while (json_next(list, &at, NULL, &one)) {
        struct json from = json_member(one, "from"), to = json_member(one, "to");
        char name[128];
        client_member(one, "member", name, sizeof name);
        printf("    %s: %.*s -> %.*s\n", name, (int)from.raw.len, from.raw.data, (int)to.raw.len,
               to.raw.data);
    }
}

static void show(const struct declare_plan *plan)
{
    static const char marks[] = {'+', '~', '-'};
    for (size_t i = 0; i < plan->len; i++) {
        printf("%c %s\n", marks[plan->changes[i].act], plan->changes[i].what);
        show_members(buffer_slice(&plan->changes[i].members));
    }
    if (!plan->len)
        printf("everything is as declared\n");
}

static void write_json(const struct declare_plan *plan, struct slice results, struct out *out)
{
    static const char *const words[] = {"make", "change", "delete"};
    out_open(out, '{');
    out_member_bool(out, "applied", results.len > 0);
    out_key(out, "changes");
    out_open(out, '[');
    for (size_t i = 0; i < plan->len; i++) {
        const struct declare_change *change = &plan->changes[i];
        out_open(out, '{');
        out_member_text(out, "act", slice_of(words[change->act]));
        out_member_text(out, "what", slice_of(change->what));
        out_key(out, "members");
        out_raw(out, change->members.len ? buffer_slice(&change->members) : SLICE_LITERAL("[]"));
        out_close(out, '}');
    }
    out_close(out, ']');
    if (results.len) {
        out_key(out, "results");
        out_raw(out, results);
    }
    out_close(out, '}');
}

static int print_json(const struct declare_plan *plan, struct slice results)
{
    struct out out;
    out_init(&out, LIMIT_REPLY);
    write_json(plan, results, &out);
    struct slice text = buffer_slice(&out.bytes);
    int code = out.failed ? CLI_FAILED : CLI_DONE;
    printf("%.*s\n", (int)text.len, text.data);
    out_done(&out);
    return code;
}

/* What is shown once. */
static void show_keys(const struct declare_plan *plan, struct json results)
{
    struct json one;
    size_t at = 0, i = 0;
    char text[128];
    for (; json_next(results, &at, NULL, &one); i++) {
        if (i >= plan->len || !plan->changes[i].is_key || plan->changes[i].act != DECLARE_MAKE)
            continue;
        client_member(one, "body.key", text, sizeof text);
        printf("%s: %s\n", plan->changes[i].what, text);
    }
}

/* ---- Carrying out -----------------------------------------------------------------------------
 */

static void write_operations(const struct declare_plan *plan, struct out *out)
{
    static const char *const methods[] = {"POST", "PUT", "DELETE"};
    out_open(out, '{');
    out_key(out, "operations");
    out_open(out, '[');
    for (size_t i = 0; i < plan->len; i++) {
        const struct declare_change *change = &plan->changes[i];
        out_open(out, '{');
        out_member_text(out, "method", slice_of(methods[change->act]));
        out_member_text(out, "path", slice_of(change->path));
        if (change->etag[0])
            out_member_text(out, "if_match", slice_of(change->etag));
        if (change->act != DECLARE_DELETE) {
            out_key(out, "body");
            out_raw(out, buffer_slice(&change->body));
        }
        out_close(out, '}');
    }
    out_close(out, ']');
    out_close(out, '}');
}

static int carry_out(struct client *client, const struct declare_plan *plan,
                     const struct options *options)
{
    struct client_reply reply = {0};
    struct json body;
    struct out out;
    out_init(&out, LIMIT_REPLY);
    write_operations(plan, &out);
    int code = out.failed ? CLI_FAILED
                          : client_call(client, "POST", "/api/v1/transactions",
                                        buffer_slice(&out.bytes), &reply);
    out_done(&out);
    if (!code)
        code = client_problem(&reply);
    if (!code && json_scan(buffer_slice(&reply.body), &body, NULL))
        code = CLI_FAILED;
    if (!code && options->client.json)
        code = print_json(plan, json_member(body, "results").raw);
    else if (!code)
        show_keys(plan, json_member(body, "results"));
    client_reply_done(&reply);
    return code;
}

static bool is_agreed(const struct declare_plan *plan, const struct options *options)
{
    size_t deletions = 0;
    for (size_t i = 0; i < plan->len; i++)
        deletions += plan->changes[i].act == DECLARE_DELETE;
    char question[48];
    snprintf(question, sizeof question, "%zu deletions", deletions);
    return !deletions || client_agreed("config", question, options->is_sure);
}

static int apply(struct client *client, const struct options *options, struct json declared)
{
    struct declare_plan plan;
    int code = declare_compare(client, declared, &plan);
    if (!code && !options->client.json)
        show(&plan);
    if (!code && options->client.json && (options->is_dry || !plan.len))
        code = print_json(&plan, (struct slice){0});
    if (!code && options->is_dry && plan.len)
        code = CLI_NO;
    else if (!code && plan.len)
        code = is_agreed(&plan, options) ? carry_out(client, &plan, options) : CLI_NO;
    declare_done(&plan);
    return code;
}

static int apply_file(const struct options *options)
{
    struct buffer yaml, text;
    struct json declared;
    struct client *client = NULL;
    buffer_init(&yaml, FILE_MAX);
    buffer_init(&text, 2 * FILE_MAX);
    int code = client_file_read(options->file, &yaml);
    if (!code)
        code = client_file_yaml(options->file, buffer_slice(&yaml), &text);
    if (!code && json_scan(buffer_slice(&text), &declared, NULL))
        code = CLI_USAGE;
    if (!code)
        code = client_open(&options->client, &client);
    if (!code)
        code = apply(client, options, declared);
    client_close(client);
    buffer_done(&yaml);
    buffer_done(&text);
    return code;
}

int cli_config(int argc, char **argv)
{
    struct options options = {0};
    if (client_wants_help(argc, argv)) {
        fputs(usage, stdout);
        return CLI_DONE;
    }
    if (argc < 2 || strcmp(argv[1], "apply") != 0)
        return wrong("say apply, not ", argc < 2 ? "nothing" : argv[1]);
    for (int i = 2; i < argc;) {
        int taken = client_option(argc, argv, &i, &options.client);
        if (taken < 0)
            return wrong("a value is missing behind ", argv[i]);
        if (taken)
            continue;
        if (!strcmp(argv[i], "--dry-run"))
            options.is_dry = true;
        else if (!strcmp(argv[i], "--yes"))
            options.is_sure = true;
        else if (argv[i][0] == '-' && argv[i][1])
            return wrong("there is no option ", argv[i]);
        else if (options.file)
            return wrong("one file at a time: ", argv[i]);
        else
            options.file = argv[i];
        i++;
    }
    return options.file ? apply_file(&options) : wrong("say which file", "");
}
