/* SPDX-License-Identifier: Apache-2.0
 * The table says which words a command has and which options become which members; the API says
 * what is wrong with them, so that nothing is known twice. */
#include "cli/entity.h"

#include "base/limits.h"
#include "cli/cli.h"
#include "cli/secret_input.h"

#include <sodium.h>
#include <stdio.h>

enum { VALUES_MAX = 64 };

struct asked {
    const struct entity_command *command;
    enum entity_act act;
    struct client_options client;
    const char *organization, *subject, *file;
    const char *texts[ENTITY_FIELDS];
    const char *values[VALUES_MAX];
    size_t values_len;
    bool agrees;
};

static int wrong(const struct asked *asked, const char *why, const char *what)
{
    return client_words_wrong(asked->command->name, asked->command->usage, why, what);
}

/* ---- Words ------------------------------------------------------------------------------------
 */

static int read_words(struct asked *asked, int argc, char **argv)
{
    const struct entity_command *command = asked->command;
    struct client_word known[ENTITY_FIELDS + 2];
    size_t len = 0;
    if (command->path)
        known[len++] = (struct client_word){"--organization", &asked->organization};
    if (asked->act == ENTITY_SECRET)
        known[len++] = (struct client_word){"--file", &asked->file};
    bool writes = asked->act == ENTITY_MAKE || asked->act == ENTITY_SET;
    for (size_t i = 0; writes && i < ENTITY_FIELDS && command->fields[i].option; i++)
        known[len++] = (struct client_word){command->fields[i].option, &asked->texts[i]};
    const struct client_list list = {command->repeated, asked->values, &asked->values_len,
                                     VALUES_MAX};
    const struct client_flag yes = {"--yes", &asked->agrees};
    const struct client_words words = {.command = command->name,
                                       .usage = command->usage,
                                       .options = &asked->client,
                                       .subject = &asked->subject,
                                       .known = known,
                                       .known_len = len,
                                       .lists = &list,
                                       .lists_len = writes && command->repeated ? 1 : 0,
                                       .flags = &yes,
                                       .flags_len = asked->act == ENTITY_DELETE ? 1 : 0};
    return client_words_read(&words, argc, argv);
}

static int check_words(const struct asked *asked)
{
    bool lists = asked->act == ENTITY_LIST;
    if (asked->command->path && !asked->organization)
        return wrong(asked, "--organization is missing", "");
    if (lists && asked->subject)
        return wrong(asked, "unknown: ", asked->subject);
    if (!lists && !asked->subject)
        return wrong(asked,
                     asked->act == ENTITY_MAKE && !strcmp(asked->command->makes_of, "name")
                         ? "the NAME is missing"
                         : "the ID is missing",
                     "");
    return CLI_DONE;
}

/* ---- What is asked ----------------------------------------------------------------------------
 */

static void write_body(const struct asked *asked, struct out *out)
{
    const struct entity_command *command = asked->command;
    out_open(out, '{');
    if (asked->act == ENTITY_MAKE)
        client_put(out, command->makes_of, asked->subject);
    for (size_t i = 0; i < ENTITY_FIELDS && command->fields[i].option; i++) {
        if (asked->texts[i] && !asked->texts[i][0]) {
            out_key(out, command->fields[i].member);
            out_null(out);
        } else {
            client_put(out, command->fields[i].member, asked->texts[i]);
        }
    }
    if (asked->values_len) {
        out_key(out, command->repeated_member);
        out_open(out, '[');
        for (size_t i = 0; i < asked->values_len; i++)
            out_text(out, slice_of(asked->values[i]));
        out_close(out, ']');
    }
    out_close(out, '}');
}

static int write_secret(const struct asked *asked, struct out *out)
{
    char room[LIMIT_PASSWORD + 2];
    struct slice secret;
    const struct secret_question question = {asked->command->name, "new password: ", asked->file};
    int code = secret_input(&question, room, sizeof room, &secret);
    if (!code) {
        out_open(out, '{');
        out_member_text(out, "password", secret);
        out_close(out, '}');
    }
    sodium_memzero(room, sizeof room);
    return code;
}

static bool agrees(const struct asked *asked)
{
    char question[LIMIT_ID + 64];
    snprintf(question, sizeof question, "ending the %s %.128s", asked->command->name,
             asked->subject);
    return client_agreed(asked->command->name, question, asked->agrees);
}

static int ask(const struct asked *asked, struct client *client, const char *path,
               struct slice body)
{
    static const char *const methods[] = {[ENTITY_MAKE] = "POST",
                                          [ENTITY_SHOW] = "GET",
                                          [ENTITY_SET] = "PUT",
                                          [ENTITY_SECRET] = "PUT",
                                          [ENTITY_DELETE] = "DELETE"};
    const struct entity_command *command = asked->command;
    struct client_reply reply;
    int code = client_call(client, methods[asked->act], path, body, &reply);
    if (code)
        return code;
    code = client_problem(&reply);
    if (!code && reply.body.len)
        client_print_one(buffer_slice(&reply.body), &asked->client, command->columns,
                         command->columns_len);
    client_reply_done(&reply);
    return code;
}

static int run(const struct asked *asked, const char *path)
{
    const struct entity_command *command = asked->command;
    struct client *client;
    struct out body;
    int code = CLI_DONE;
    out_init(&body, 64 * 1024);
    if (asked->act == ENTITY_SECRET)
        code = write_secret(asked, &body);
    else if (asked->act == ENTITY_MAKE || asked->act == ENTITY_SET)
        write_body(asked, &body);
    if (!code)
        code = client_open(&asked->client, &client);
    if (!code) {
        code = asked->act == ENTITY_LIST
                   ? client_print_list(client, path, &asked->client,
                                       command->columns + command->list_from, command->list_len)
                   : ask(asked, client, path, buffer_slice(&body.bytes));
        client_close(client);
    }
    if (body.bytes.len)
        sodium_memzero(body.bytes.data, body.bytes.len);
    out_done(&body);
    return code;
}

static int make_path(const struct asked *asked, struct buffer *path)
{
    const char *within = asked->command->path;
    bool one = asked->act != ENTITY_LIST && asked->act != ENTITY_MAKE;
    int rc = buffer_text(path, "/api/v1/organizations");
    if (within) {
        rc |= buffer_text(path, "/");
        client_encode(path, asked->organization);
        rc |= buffer_text(path, within);
    }
    if (one) {
        rc |= buffer_text(path, "/");
        client_encode(path, asked->subject);
    }
    return rc | buffer_append(path, (struct slice){"", 1});
}

int entity_run(const struct entity_command *command, int argc, char **argv)
{
    struct asked asked = {.command = command};
    const struct entity_verb *verb = command->verbs;
    const char *word = argc > 1 ? argv[1] : "";
    if (client_wants_help(argc, argv)) {
        fputs(command->usage, stdout);
        return CLI_DONE;
    }
    while (verb->word && strcmp(verb->word, word) != 0)
        verb++;
    if (!verb->word)
        return wrong(&asked, word[0] ? "unknown: " : "say what to do", word);
    asked.act = verb->act;
    int code = read_words(&asked, argc, argv);
    if (!code)
        code = check_words(&asked);
    if (code)
        return code;
    if (asked.act == ENTITY_DELETE && !agrees(&asked))
        return CLI_NO;
    struct buffer path;
    buffer_init(&path, 4096);
    code = make_path(&asked, &path) ? wrong(&asked, "too long: ", asked.subject)
                                    : run(&asked, path.data);
    buffer_done(&path);
    return code;
}
