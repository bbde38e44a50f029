/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/prepaid.h"

#include "base/limits.h"

#include <stdio.h>
#include <string.h>

void prepaid_put_number(struct out *body, const char *name, const char *text)
{
    if (!text)
        return;
    out_key(body, name);
    client_put_number(body, text);
}

/* What stands before the mark; rest goes on behind it. */
static struct slice cut(struct slice *rest, char mark)
{
    const char *found = rest->len ? memchr(rest->data, mark, rest->len) : NULL;
    struct slice part = slice_part(*rest, 0, found ? (size_t)(found - rest->data) : rest->len);
    *rest = slice_from(*rest, part.len + (found != NULL));
    return part;
}

static void put_number(struct out *body, const char *name, struct slice text)
{
    char room[32];
    size_t len = text.len < sizeof room ? text.len : sizeof room - 1;
    memcpy(room, text.data, len);
    room[len] = 0;
    prepaid_put_number(body, name, room);
}

/* A word behind the amount; what is unknown goes along, for the API to refuse by name. */
static void put_term(struct out *body, struct slice term)
{
    struct slice value = term, name = cut(&value, '=');
    char key[64];
    if (slice_is(name, "rollover")) {
        out_member_bool(body, "rollover", true);
        if (value.len)
            out_member_text(body, "rollover_cap", value);
        return;
    }
    if (slice_is(name, "days"))
        name = SLICE_LITERAL("expires_in_days");
    snprintf(key, sizeof key, "%.*s", (int)name.len, name.data);
    put_number(body, key, value);
}

void prepaid_put_grants(const struct prepaid_options *options, struct out *body)
{
    if (!options->grants_len)
        return;
    out_key(body, "grants");
    out_open(body, '[');
    for (size_t i = 0; i < options->grants_len; i++) {
        struct slice rest = slice_of(options->grants[i]), amount = cut(&rest, ',');
        struct slice unit = cut(&amount, '=');
        out_open(body, '{');
        out_member_text(body, "unit", unit);
        out_member_text(body, "amount", amount);
        while (rest.len)
            put_term(body, cut(&rest, ','));
        out_close(body, '}');
    }
    out_close(body, ']');
}

void prepaid_put_offer(const struct prepaid_options *options, struct out *body)
{
    out_open(body, '{');
    client_put(body, "id", options->id);
    client_put(body, "name", options->name);
    client_put(body, "description", options->description);
    client_put(body, "price", options->price);
    client_put(body, "currency", options->currency);
    prepaid_put_grants(options, body);
    out_close(body, '}');
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static int read_options(const struct prepaid_command *command, int argc, char **argv,
                        struct prepaid_options *options)
{
    const struct client_word known[] = {{"--organization", &options->organization},
                                        {"--scope", &options->scope},
                                        {"--id", &options->id},
                                        {"--name", &options->name},
                                        {"--description", &options->description},
                                        {"--price", &options->price},
                                        {"--currency", &options->currency},
                                        {"--reference", &options->reference},
                                        {"--package", &options->package},
                                        {"--count", &options->count},
                                        {"--uses", &options->uses},
                                        {"--expires-at", &options->expires_at}};
    const struct client_list grants = {"--grant", options->grants, &options->grants_len,
                                       PREPAID_GRANTS};
    const struct client_flag yes = {"--yes", &options->yes};
    const struct client_words words = {.command = command->name,
                                       .usage = command->usage,
                                       .options = &options->client,
                                       .subject = &options->subject,
                                       .known = known,
                                       .known_len = sizeof known / sizeof known[0],
                                       .lists = &grants,
                                       .lists_len = 1,
                                       .flags = &yes,
                                       .flags_len = 1};
    return client_words_read(&words, argc, argv);
}

static int make_path(const struct prepaid_act *act, const struct prepaid_options *options,
                     struct buffer *path)
{
    struct slice rest = slice_of(act->path), before = cut(&rest, '%');
    int rc = buffer_text(path, "/api/v1/organizations/");
    client_encode(path, options->organization);
    rc |= buffer_append(path, before);
    if ((act->flags & PREPAID_SUBJECT) == PREPAID_SUBJECT)
        client_encode(path, options->subject);
    rc |= buffer_append(path, rest);
    return rc | buffer_append(path, (struct slice){"", 1});
}

static int ask(struct client *client, const struct prepaid_act *act,
               const struct prepaid_options *options, const char *path)
{
    struct client_reply reply;
    struct out body;
    out_init(&body, 64 * 1024);
    if (act->write)
        act->write(options, &body);
    struct slice bytes = act->write ? buffer_slice(&body.bytes) : (struct slice){0};
    int code = client_call(client, act->method, path, bytes, &reply);
    out_done(&body);
    if (code)
        return code;
    code = client_problem(&reply);
    if (!code && reply.body.len && act->flags & PREPAID_DATA)
        code = client_print_data(buffer_slice(&reply.body), &options->client, act->columns,
                                 act->columns_len);
    else if (!code && reply.body.len)
        client_print_one(buffer_slice(&reply.body), &options->client, act->columns,
                         act->columns_len);
    client_reply_done(&reply);
    return code;
}

static int carry_out(const struct prepaid_act *act, const struct prepaid_options *options,
                     const char *path)
{
    struct client *client;
    int code = client_open(&options->client, &client);
    if (code)
        return code;
    code = act->flags & PREPAID_LIST
               ? client_print_list(client, path, &options->client, act->columns, act->columns_len)
               : ask(client, act, options, path);
    client_close(client);
    return code;
}

static const struct prepaid_act *find(const struct prepaid_command *command, const char *word)
{
    for (size_t i = 0; i < command->acts_len; i++)
        if (!strcmp(command->acts[i].word, word))
            return &command->acts[i];
    return NULL;
}

static int wrong(const struct prepaid_command *command, const char *why, const char *what)
{
    return client_words_wrong(command->name, command->usage, why, what);
}

static int check(const struct prepaid_command *command, const struct prepaid_act *act,
                 const struct prepaid_options *options)
{
    bool takes = act->flags & PREPAID_NAMED;
    if (!options->organization)
        return wrong(command, "--organization is missing", "");
    if (takes && !options->subject)
        return wrong(command, "the ID is missing", "");
    if (!takes && options->subject)
        return wrong(command, "unknown: ", options->subject);
    return CLI_DONE;
}

static bool agrees(const struct prepaid_command *command, const struct prepaid_act *act,
                   const struct prepaid_options *options)
{
    char question[LIMIT_ID + 64];
    if (!(act->flags & PREPAID_ENDS))
        return true;
    snprintf(question, sizeof question, "%s %.128s", act->word, options->subject);
    return client_agreed(command->name, question, options->yes);
}

int prepaid_run(const struct prepaid_command *command, int argc, char **argv)
{
    struct prepaid_options options = {0};
    const char *word = argc > 1 ? argv[1] : "";
    if (client_wants_help(argc, argv)) {
        fputs(command->usage, stdout);
        return CLI_DONE;
    }
    const struct prepaid_act *act = find(command, word);
    if (!act)
        return wrong(command, word[0] ? "unknown: " : "say what to do", word);
    int code = read_options(command, argc, argv, &options);
    if (!code)
        code = check(command, act, &options);
    if (code)
        return code;
    if (!agrees(command, act, &options))
        return CLI_NO;
    struct buffer path;
    buffer_init(&path, 4096);
    code = make_path(act, &options, &path) ? wrong(command, "too long: ", options.organization)
                                           : carry_out(act, &options, path.data);
    buffer_done(&path);
    return code;
}
