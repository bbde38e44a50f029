/* SPDX-License-Identifier: Apache-2.0
 * Not getopt_long(): the options of all commands would have to stand in each one's table, and
 * subjects may stand between options here as there. */
#include "cli/client_words.h"

#include <stdio.h>
#include <unistd.h>

bool client_words_has(const char *const *all, const char *word)
{
    while (*all && strcmp(*all, word))
        all++;
    return *all != NULL;
}

int client_words_wrong(const char *command, const char *usage, const char *why, const char *what)
{
    fprintf(stderr, "mete %s: %s%s\n%s", command, why, what, usage);
    return CLI_USAGE;
}

static int wrong(const struct client_words *words, const char *why, const char *what)
{
    return client_words_wrong(words->command, words->usage, why, what);
}

/* Where the option's value goes; NULL: unknown, or repeated too often. */
static const char **value_of(const struct client_words *words, const char *name)
{
    for (size_t i = 0; i < words->known_len; i++)
        if (!strcmp(name, words->known[i].name))
            return words->known[i].value;
    for (size_t i = 0; i < words->lists_len; i++) {
        const struct client_list *list = &words->lists[i];
        if (!strcmp(name, list->name))
            return *list->len < list->max ? &list->values[(*list->len)++] : NULL;
    }
    return NULL;
}

static bool take_flag(const struct client_words *words, const char *name)
{
    for (size_t i = 0; i < words->flags_len; i++) {
        if (strcmp(name, words->flags[i].name) != 0)
            continue;
        *words->flags[i].value = true;
        return true;
    }
    return false;
}

int client_words_read(const struct client_words *words, int argc, char **argv)
{
    for (int at = 2; at < argc;) {
        int taken = client_option(argc, argv, &at, words->options);
        if (taken < 0)
            return wrong(words, "a value is missing after ", argv[at]);
        if (taken)
            continue;
        if (take_flag(words, argv[at])) {
            at++;
            continue;
        }
        if (argv[at][0] != '-' && !*words->subject) {
            *words->subject = argv[at++];
            continue;
        }
        const char **value = argv[at][0] == '-' ? value_of(words, argv[at]) : NULL;
        if (!value)
            return wrong(words, "unknown: ", argv[at]);
        if (at + 1 >= argc)
            return wrong(words, "a value is missing after ", argv[at]);
        *value = argv[at + 1];
        at += 2;
    }
    return CLI_DONE;
}

bool client_agreed(const char *command, const char *question, bool yes)
{
    char answer[16] = "";
    if (yes)
        return true;
    if (!isatty(STDIN_FILENO)) {
        fprintf(stderr, "mete %s: %s cannot be undone: say --yes\n", command, question);
        return false;
    }
    fprintf(stderr, "%s: this cannot be undone. Go on? (yes) ", question);
    return fgets(answer, sizeof answer, stdin) && !strncmp(answer, "yes", 3);
}

struct client_scope client_scope_of(const char *scope, const char *organization)
{
    if (!scope)
        return (struct client_scope){SLICE_LITERAL("organization"), organization};
    size_t kind_len = strcspn(scope, ":");
    return (struct client_scope){{scope, kind_len}, scope + kind_len + (scope[kind_len] == ':')};
}

void client_put_scope(struct out *out, const char *scope, const char *organization)
{
    struct client_scope of = client_scope_of(scope, organization);
    out_key(out, "scope");
    out_open(out, '{');
    out_member_text(out, "kind", of.kind);
    out_member_text(out, "id", slice_of(of.id));
    out_close(out, '}');
}

void client_put(struct out *out, const char *name, const char *text)
{
    if (text)
        out_member_text(out, name, slice_of(text));
}

void client_put_number(struct out *out, const char *text)
{
    struct json number;
    if (!json_scan(slice_of(text), &number, NULL) && number.type == JSON_NUMBER)
        out_raw(out, number.raw);
    else
        out_text(out, slice_of(text));
}
