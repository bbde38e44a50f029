/* SPDX-License-Identifier: Apache-2.0
 * mete budget usage, alerts, check, summary: what is asked of budgets beside themselves. Without an
 * id it is the organization's own budget; alerts without an organization are those of all. */
#include "cli/budget.h"
#include "cli/client_words.h"

#include "cli/cli.h"

#include <stdio.h>

#define LEN(columns) (sizeof(columns) / sizeof(columns)[0])

static const struct client_column usage_rows[] = {
    {"id", "id"},
    {"name", "name"},
    {"scope", "scope.kind"},
    {"of", "scope.id"},
    {"period", "period"},
    {"unit", "unit"},
    {"limit", "limit"},
    {"used", "used"},
    {"held", "held"},
    {"remaining", "remaining"},
    {"percent", "usage_percentage"},
    {"status", "status"},
    {"over by", "over_by"},
    {"projected", "projected_spend"},
    {"from", "window_start"},
    {"resets", "window_end"},
};
static const struct client_column threshold_columns[] = {
    {"threshold", "threshold"}, {"amount", "amount"}, {"reached", "reached"}};
static const struct client_column history_columns[] = {
    {"window", "window_start"}, {"used", "used"}, {"held", "held"}};
static const struct client_column alerts_rows[] = {
    {"budget", "budget"},     {"thresholds", "alert_thresholds"}, {"enabled", "alert_enabled"},
    {"notify", "notify"},     {"would send", "would_send"},       {"reason", "reason"},
    {"level", "alert.level"}, {"message", "alert.message"},
};
static const struct client_column all_columns[] = {
    {"at", "at"},         {"organization", "organization"},
    {"budget", "budget"}, {"of", "scope.id"},
    {"event", "event"},   {"level", "level"},
    {"unit", "unit"},     {"share", "threshold"},
    {"limit", "limit"},   {"used", "used"},
    {"held", "held"},
};
static const struct client_column brief_columns[] = {
    {"budget", "budget"},       {"scope", "scope.kind"},
    {"of", "scope.id"},         {"period", "period"},
    {"unit", "unit"},           {"limit", "limit"},
    {"used", "used"},           {"held", "held"},
    {"remaining", "remaining"}, {"percent", "usage_percentage"},
    {"status", "status"},       {"refuses", "reason"},
};
static const struct client_column sum_columns[] = {
    {"scope", "kind"},          {"unit", "unit"},
    {"budgets", "budgets"},     {"limit", "limit"},
    {"used", "used"},           {"held", "held"},
    {"remaining", "remaining"}, {"projected", "projected_spend"},
};

/* ---- One call -------------------------------------------------------------------------------- */

/* path is taken, and done with. Other than CLI_DONE it has said why, and there is no reply. */
static int call(struct client *client, const char *method, struct buffer *path, struct slice body,
                struct client_reply *ret_reply)
{
    int code = CLI_FAILED;
    if (!buffer_append(path, (struct slice){"", 1}))
        code = client_call(client, method, path->data, body, ret_reply);
    buffer_done(path);
    if (code)
        return code;
    code = client_problem(ret_reply);
    if (code)
        client_reply_done(ret_reply);
    return code;
}

/* Of the budget that is named, or the organization's own. */
static int start_path(struct buffer *path, const struct budget_options *options, const char *all,
                      const char *one, const char *rest)
{
    buffer_init(path, 4096);
    return buffer_format(path, "%s%s", options->id ? one : all, rest);
}

static struct json scan(const struct client_reply *reply)
{
    struct json json;
    return json_scan(buffer_slice(&reply->body), &json, NULL) ? (struct json){0} : json;
}

static void print_part(const struct client_reply *reply, const char *member, const char *title,
                       const struct client_column *columns, size_t len)
{
    struct json rows = json_member(scan(reply), member), first;
    size_t at = 0;
    if (!json_next(rows, &at, NULL, &first))
        return;
    printf("\n%s\n", title);
    client_print_rows(rows, columns, len);
}

/* ---- What is asked --------------------------------------------------------------------------- */

int budget_usage(struct client *client, const struct budget_options *options, const char *all,
                 const char *one)
{
    struct buffer path;
    struct client_reply reply;
    int rc = start_path(&path, options, all, one, "/usage");
    if (options->history) {
        rc |= buffer_text(&path, "?history=");
        client_encode(&path, options->history);
    }
    client_be_patient(client);
    int code = rc ? CLI_FAILED : call(client, "GET", &path, (struct slice){0}, &reply);
    if (code)
        return code;
    client_print_one(buffer_slice(&reply.body), &options->client, usage_rows, LEN(usage_rows));
    if (!options->client.json) {
        print_part(&reply, "thresholds", "Thresholds:", threshold_columns, LEN(threshold_columns));
        print_part(&reply, "history", "Windows before:", history_columns, LEN(history_columns));
    }
    client_reply_done(&reply);
    return CLI_DONE;
}

/* "a,b" as an array of texts; "" as an empty one. */
static void put_list(struct out *out, const char *name, const char *text)
{
    out_key(out, name);
    out_open(out, '[');
    while (*text) {
        size_t len = strcspn(text, ",");
        out_text(out, (struct slice){text, len});
        text += len + (text[len] == ',');
    }
    out_close(out, ']');
}

/* true or false as they are; of anything else the API says what is wrong. */
static void put_bool(struct out *out, const char *name, const char *text)
{
    bool is_bool = !strcmp(text, "true") || !strcmp(text, "false");
    out_key(out, name);
    if (is_bool)
        out_raw(out, slice_of(text));
    else
        out_text(out, slice_of(text));
}

/* What is to change, if anything is. */
static void write_alerts(const struct budget_options *options, struct out *out)
{
    out_open(out, '{');
    if (options->thresholds_len) {
        out_key(out, "alert_thresholds");
        out_open(out, '[');
        for (size_t i = 0; i < options->thresholds_len; i++)
            client_put_number(out, options->thresholds[i]);
        out_close(out, ']');
    }
    if (options->notify)
        put_list(out, "notify", options->notify);
    if (options->enabled)
        put_bool(out, "alert_enabled", options->enabled);
    out_close(out, '}');
}

static int list_all(struct client *client, const struct budget_options *options)
{
    struct buffer path;
    buffer_init(&path, 4096);
    int rc = buffer_text(&path, "/api/v1/budgets/alerts");
    if (options->event) {
        rc |= buffer_text(&path, "?event=");
        client_encode(&path, options->event);
    }
    rc |= buffer_append(&path, (struct slice){"", 1});
    int code =
        rc ? CLI_FAILED
           : client_print_list(client, path.data, &options->client, all_columns, LEN(all_columns));
    buffer_done(&path);
    return code;
}

int budget_alerts(struct client *client, const struct budget_options *options, const char *all,
                  const char *one)
{
    struct buffer path;
    struct out body;
    struct client_reply reply;
    if (!options->organization)
        return list_all(client, options);
    bool sets = options->thresholds_len || options->notify || options->enabled;
    bool sends = options->test && !strcmp(options->test, "send");
    int rc = start_path(&path, options, all, one, options->test ? "/alerts/test" : "/alerts");
    out_init(&body, 64 * 1024);
    if (sets)
        write_alerts(options, &body);
    int code =
        rc ? CLI_FAILED
           : call(client, sets || sends ? "POST" : "GET", &path, buffer_slice(&body.bytes), &reply);
    out_done(&body);
    if (code)
        return code;
    client_print_one(buffer_slice(&reply.body), &options->client, alerts_rows, LEN(alerts_rows));
    client_reply_done(&reply);
    return CLI_DONE;
}

static void write_check(const struct budget_options *options, struct out *out)
{
    out_open(out, '{');
    client_put(out, "amount", options->amount);
    client_put(out, "unit", options->unit);
    if (options->scope)
        client_put_scope(out, options->scope, options->organization);
    client_put(out, "model", options->model);
    client_put(out, "provider", options->provider);
    out_close(out, '}');
}

int budget_check_amount(struct client *client, const struct budget_options *options,
                        const char *all, const char *one)
{
    struct buffer path;
    struct out body;
    struct client_reply reply;
    int rc = start_path(&path, options, all, one, "/check");
    out_init(&body, 4096);
    write_check(options, &body);
    int code = rc ? CLI_FAILED : call(client, "POST", &path, buffer_slice(&body.bytes), &reply);
    out_done(&body);
    if (code)
        return code;
    struct json json = scan(&reply);
    bool is_allowed = json_member(json, "allowed").type == JSON_TRUE;
    if (options->client.json)
        printf("%.*s\n", (int)reply.body.len, reply.body.data);
    else
        client_print_rows(json_member(json, "budgets"), brief_columns, LEN(brief_columns));
    if (!is_allowed)
        fputs("mete: it would be refused\n", stderr);
    client_reply_done(&reply);
    return is_allowed ? CLI_DONE : CLI_NO;
}

int budget_summary(struct client *client, const struct budget_options *options, const char *all)
{
    static const struct client_column rows[] = {
        {"organization", "organization"},   {"budgets", "budgets"},
        {"templates", "templates"},         {"over limit", "over_limit"},
        {"active", "by_status.active"},     {"warning", "by_status.warning"},
        {"critical", "by_status.critical"}, {"exceeded", "by_status.exceeded"},
        {"expired", "by_status.expired"},
    };
    struct buffer path;
    struct client_reply reply;
    buffer_init(&path, 4096);
    int code = buffer_format(&path, "%s/summary", all)
                   ? CLI_FAILED
                   : call(client, "GET", &path, (struct slice){0}, &reply);
    if (code)
        return code;
    client_print_one(buffer_slice(&reply.body), &options->client, rows, LEN(rows));
    if (!options->client.json) {
        print_part(&reply, "by_scope_kind", "By kind of scope:", sum_columns, LEN(sum_columns));
        print_part(&reply, "totals", "Together:", sum_columns + 1, LEN(sum_columns) - 1);
        print_part(&reply, "top", "Most used:", brief_columns, LEN(brief_columns) - 1);
    }
    client_reply_done(&reply);
    return CLI_DONE;
}
